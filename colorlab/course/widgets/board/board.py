"""The live board of a training run: watch it, steer it, and keep the notebook."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import ipywidgets as widgets
import numpy as np

from colorlab.course.widgets._bundle import Playable
from colorlab.course.widgets.board.controls import NAMES, Buttons, Knobs
from colorlab.course.widgets.board.meter import RATES, place_of, settings_at, written
from colorlab.course.widgets.board.threads import Errands, Redrawer, weakly
from colorlab.course.widgets.board.views import WIDTH, Views, still
from colorlab.course.widgets.board.words import (
    Message,
    figures,
    message_html,
    state_in_words,
    status_html,
)
from colorlab.course.widgets.epochs import EpochButtons
from colorlab.training.background import ENDED
from colorlab.training.inputs import gray_prediction
from colorlab.training.listeners import Event
from colorlab.training.run import Run

DOING = {
    "start": "starting …",
    "pause": "pausing after the step under way …",
    "stop": "stopping after the step under way …",
    "save": "saving after the step under way …",
}
# For those who can't see the picture beside the widget.
ALT = {"image/png": {"alt": "The board of a run: its state and settings, held-out photos, curves."}}


class Board(Playable):
    """Shows a run while it trains, and steers it.

        run = Run(recipe, photos, validation=others, output="runs/a", progress=False)
        Board(run)

    Args:
        run: it may be new, under way, or resumed from a checkpoint: then its history is shown.
        ask: after each epoch ask whether to save and whether to change the learning rates.

    All state lies in the kernel: the board may be shown in several cells, and goes on when the page
    is closed and opened again. A run has one board: ``Board(run)`` once more gives the same.

    It draws once a second at most, in a thread that is there only while there is something to draw.
    What fails in the board is said on it and never stops the run.

    Raises:
        ValueError: ``ask``, and the recipe or the run does not allow it.
    """

    still = "palette"

    def __new__(cls, run: Run, *, ask: bool = False) -> Board:
        there = (one for one in run.listeners if type(one) is cls)
        return next(there, None) or super().__new__(cls)

    def __init__(self, run: Run, *, ask: bool = False) -> None:
        if ask:
            _check_that_it_asks(run)
        if self in run.listeners:
            self._asks = self._asks or ask
            self._ready_to_ask()
            return
        self.run = run
        self.shows_warnings = self.shows_failures = False  # not before it is seen
        self._asks = ask
        self._said: deque[Message] = deque(maxlen=3)
        self._warned: deque[Message] = deque(maxlen=2)
        self._stage = place_of(run.recipe, run.step).number
        self._lock = threading.RLock()  # what is drawn in one thread is not drawn in another
        self._errands, self._redrawer = Errands(), Redrawer(self._refresh)
        self.message, self.status = widgets.HTML(), widgets.HTML()
        message = self.message

        def gone() -> None:
            text = "This board's run is no longer in memory: make a new Run and its Board."
            message.value = message_html([(0, text)])

        self.buttons = Buttons(weakly(self._click, gone))
        self.knobs = Knobs(run.recipe, weakly(self._turn, gone))
        self.views = Views(run, weakly(self._refresh, gone))
        self.questions: EpochButtons | None = None
        self.question = widgets.VBox([])
        self._ready_to_ask()
        self.box = widgets.VBox(
            [
                widgets.HBox(list(self.buttons.by_name.values())),
                self.knobs.box,
                self.status,
                self.message,
                self.question,
                self.views.box,
            ],
            layout=widgets.Layout(max_width=f"{WIDTH + 12}px"),
        )
        self._gather_photos()
        self._say(state_in_words(run, run.state))
        run.listeners.append(self)
        self._refresh()

    def picture(self) -> np.ndarray:
        """The board as it stands, for viewers that run nothing: uint8 (H, 620, 3)."""
        run = self.run
        now = settings_at(run.recipe, run.changes.changes, run.step)
        settings = (
            f"{NAMES[name]} {written(name, setting.value)}" for name, setting in now.items()
        )
        lines = [f"{run.recipe.name}: {run.state}", *figures(run), " · ".join(settings)]
        with self._lock:
            return still(run, self.views, [*lines, self._said[-1][1]])

    def __repr__(self) -> str:
        return f"Board({self.run!r})"

    def __call__(self, event: Event) -> None:
        """Hear what the run reports, in its thread: little is done there."""
        try:
            self._hear(event)
        except Exception as error:  # noqa: BLE001 - a board that fails must not cost the run
            self._report_fault(error)

    # --- what the learner does ---------------------------------------------------------------

    def _click(self, name: str) -> None:
        self.buttons.hold()
        self._say(DOING[name])
        self._show_messages()
        self._errands.add(name, lambda: self._do(name))

    def _do(self, name: str) -> None:
        run = self.run
        acts = {"start": run.resume, "pause": run.pause, "stop": run.stop, "save": run.save}
        try:
            acts[name]()
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            self._say(f"{name}: {error}")
        self._refresh()

    def _turn(self, name: str, value: float) -> None:
        self._errands.add(name, lambda: self._set(name, value))

    def _set(self, name: str, value: float) -> None:
        try:
            self.run.set(**{name: value})
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            self._say(f"{NAMES[name]} stays as it was: {error}")
        self.knobs.in_force(name, value)
        self._refresh()

    # --- what the run reports ------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        data = event.data
        if event.kind == "sample":
            self.views.samples.add(event.step, data["pictures"])
        elif event.kind == "warning":
            self._warned.append((event.step, data["message"]))
        elif event.kind == "checkpoint":
            self._say(f"saved: {data['path'].parent.name}/{data['path'].name}", event.step)
        elif event.kind == "change" and data["name"] in NAMES:
            name, value = data["name"], data["value"]
            text = f"from step {event.step + 1:,} on: {NAMES[name]} {written(name, value)}"
            self._say(text, event.step)
        elif event.kind == "state":
            self._say(state_in_words(self.run, data["state"]), event.step)
            if data["state"] in ENDED:
                # Here and now: once the run has ended, a cell that waits for it ends too, and what
                # comes later does not reach the notebook's file any more.
                self._redrawer.cancel()
                self._refresh()
                self._update_still()
                return
        # Events may come at every step; those of its state come rarely, and buttons wait for them.
        self._redrawer.poke(soon=event.kind == "state")

    def _note_stage(self, step: int) -> None:
        """Say when a stage begins, for then the rates are its own."""
        place = place_of(self.run.recipe, step)
        if place.number == self._stage:
            return
        self._stage = place.number
        text = f"stage {place.number + 1} begins ({place.stage.kind})"
        changes = self.run.changes.changes
        if any(c.name in RATES and c.step <= place.before for c in changes):
            text += ": the learning rates are the recipe's again"
        self._say(text, place.before)

    def _say(self, text: str, step: int | None = None) -> None:
        self._said.append((self.run.step if step is None else step, text))

    # --- the questions after each epoch ------------------------------------------------------

    def _ready_to_ask(self) -> None:
        run = self.run
        if self._asks and run.ask is None:
            run.ask = EpochButtons()
        if isinstance(run.ask, EpochButtons) and self.questions is None:
            self.questions = run.ask
            self.question.children = (self.questions.box,)
        self._show_question(run.state)

    def _show_question(self, state: str) -> None:
        open_ = self.questions is not None and (self._asks or state == "asking")
        self.question.layout.display = "flex" if open_ else "none"

    # --- what is seen ------------------------------------------------------------------------

    def _gather_photos(self) -> None:
        """Samples from before there was a board; of a run that has not begun, one of its start."""
        run = self.run
        if run.output is not None and run.step:
            self.views.samples.add_folder(run.output / "samples", until=run.step)
        if run.held_out is not None and run.state == "new":
            inputs, target = run.trainer.split(run.held_out)
            gray = gray_prediction(inputs, run.recipe.generator.predicts)
            colors = (gray, run.trainer.colorize(inputs, run.recipe.seed), target)
            self.views.samples.add(0, [run.trainer.picture(inputs, ab) for ab in colors])

    def _refresh(self, *_: Any) -> None:
        """Bring all up to date. Never raises: it is called where nobody would hear of it."""
        try:
            with self._lock:
                self._show()
        except Exception as error:  # noqa: BLE001 - a board that fails must not cost the run
            self._report_fault(error)

    def _show(self) -> None:
        run = self.run
        state, step = run.state, run.step
        self._note_stage(step)
        self.buttons.show(state, can_save=run.folder is not None)
        self.knobs.show(settings_at(run.recipe, run.changes.changes, step), state, step)
        self._show_question(state)
        self.status.value = status_html(run, state)
        self.views.show(run)
        self._show_messages()

    def _show_messages(self, fault: str = "") -> None:
        self.message.value = message_html(list(self._said), list(self._warned), fault)

    def _report_fault(self, error: Exception) -> None:
        what = f"{type(error).__name__}: {error}"
        self._show_messages(f"the board could not be brought up to date ({what}); the run goes on")

    def _ipython_display_(self) -> None:
        """Shown so that the picture beside the widget can be brought up to date at the end."""
        from IPython.display import display

        self.shows_warnings = self.shows_failures = True
        name = f"board-{self.box.model_id}"
        display(self._repr_mimebundle_(), raw=True, display_id=name, metadata=ALT)

    def _update_still(self) -> None:
        """Let the picture in the notebook's file be that of the end."""
        if not self.shows_warnings:
            return
        from IPython import get_ipython
        from IPython.display import update_display

        if get_ipython() is not None:
            bundle, name = self._repr_mimebundle_(), f"board-{self.box.model_id}"
            update_display(bundle, raw=True, display_id=name, metadata=ALT)


def _check_that_it_asks(run: Run) -> None:
    if not run.recipe.optimization.ask_each_epoch:
        raise ValueError(
            f"recipe {run.recipe.name!r} asks nothing after an epoch. Make a run of one that does: "
            "replace(recipe, optimization=replace(recipe.optimization, ask_each_epoch=True)), with "
            "replace from dataclasses"
        )
    if run.ask is not None and not isinstance(run.ask, EpochButtons):
        raise ValueError(
            f"this run asks {run.ask!r} already: make it without ask=…, or the board without "
            "ask=True"
        )
