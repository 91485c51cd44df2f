"""After each epoch: save? another learning rate? Asked with buttons."""

from __future__ import annotations

import html
import threading
import time

import ipywidgets as widgets
import numpy as np

from colorlab.course.widgets._bundle import Playable, text_picture
from colorlab.training.questions import Decision, EpochQuestion, read_rate

NETWORKS = ("generator", "discriminator")


def read_fields(question: EpochQuestion, save: bool, rates: dict[str, str]) -> Decision:
    """What the fields say. A rate that stands as it was, or a field left empty, changes nothing.

    Args:
        rates: the text of each network's field, by the names in :data:`NETWORKS`.

    Raises:
        ValueError: a field holds no learning rate; the message names the network.
    """
    changed = {}
    for network in NETWORKS:
        text = rates[network].strip()
        if not text or text == _written(getattr(question, f"{network}_rate")):
            continue
        try:
            changed[f"{network}_rate"] = read_rate(text)
        except ValueError as error:
            raise ValueError(f"{network}: {error}") from None
    return Decision(save, **changed)


class EpochButtons(Playable):
    """Asks after each epoch whether to save and whether to change the learning rates.

        buttons = EpochButtons()
        run = Run(recipe, photos, ask=buttons).start()
        buttons

    The run waits for the answer, and the notebook stays alive. Nobody is waited for in vain: a run
    that is stopped goes on at once, and after ``patience`` seconds it saves and leaves the rates.

    Args:
        patience: seconds; None waits for ever.
    """

    def __init__(self, patience: float | None = 600.0) -> None:
        self.patience = patience
        self.question: EpochQuestion | None = None
        self._choice: Decision | None = None
        self._answered = threading.Event()
        self.message = widgets.HTML()
        wide = widgets.Layout(width="330px")
        style = {"description_width": "180px"}
        self.rates = {
            network: widgets.Text(description=f"Rate of the {network}", layout=wide, style=style)
            for network in NETWORKS
        }
        button = widgets.Layout(width="200px")
        self.save = widgets.Button(description="Save and go on", icon="save", layout=button)
        self.go_on = widgets.Button(description="Go on without saving", layout=button)
        self.save.on_click(lambda _: self._click(save=True))
        self.go_on.on_click(lambda _: self._click(save=False))
        self.box = widgets.VBox(
            [
                self.message,
                widgets.HBox(list(self.rates.values()), layout=widgets.Layout(flex_flow="wrap")),
                widgets.HBox([self.save, self.go_on], layout=widgets.Layout(flex_flow="wrap")),
            ]
        )
        self._say("The question comes when the first epoch has ended.")
        self._enable(False)

    def __call__(self, question: EpochQuestion) -> Decision:
        """Ask, from the run's thread, and wait for the click.

        Raises:
            RuntimeError: the notebook itself would have to wait, and could not see a click.
        """
        if threading.current_thread() is threading.main_thread():
            raise RuntimeError(
                "EpochButtons can't be clicked while a cell runs: train with run.start(), which "
                "leaves the notebook free, and not with run.train()"
            )
        self.question, self._choice = question, None
        self._answered.clear()
        for network, field in self.rates.items():
            field.value = _written(getattr(question, f"{network}_rate"))
        self._say(f"{str(question).capitalize()}.")
        self._enable(True)
        end = None if self.patience is None else time.monotonic() + self.patience
        while not self._answered.wait(0.2):
            if not question.wanted():
                self._close("The run was stopped before an answer.", Decision())
            elif end is not None and time.monotonic() > end:
                seconds = f"{self.patience:g} seconds"
                self._close(f"No answer within {seconds}: saved, the rates stay.", Decision())
        return self._choice

    def picture(self) -> np.ndarray:
        """The question as it stands: uint8 (H, W, 3)."""
        text = str(self.question or "no epoch has ended yet")
        return text_picture("After each epoch: save? other learning rates?\n" + text, 620)

    def __repr__(self) -> str:
        return f"EpochButtons({self.question or 'no epoch has ended yet'})"

    def _click(self, save: bool) -> None:
        if self.question is None or self._answered.is_set():
            return
        try:
            texts = {network: field.value for network, field in self.rates.items()}
            choice = read_fields(self.question, save, texts)
        except ValueError as error:
            self._say(f"{str(self.question).capitalize()}.", str(error))
            return
        said = [f"Epoch {self.question.epoch}: {'saved' if save else 'not saved'}."]
        said += [
            f"The {network}'s rate is {rate:g} from here on."
            for network in NETWORKS
            if (rate := getattr(choice, f"{network}_rate")) is not None
        ]
        self._close(" ".join(said), choice)

    def _close(self, text: str, choice: Decision) -> None:
        self._say(text)
        self._enable(False)
        self._choice = choice
        self._answered.set()

    def _enable(self, enabled: bool) -> None:
        for widget in (self.save, self.go_on, *self.rates.values()):
            widget.disabled = not enabled

    def _say(self, *lines: str) -> None:
        text = "<br>".join(html.escape(line) for line in lines)
        self.message.value = f'<div style="line-height: 1.4">{text}</div>'


def _written(rate: float) -> str:
    return f"{rate:g}"
