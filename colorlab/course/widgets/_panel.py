"""Controls above one picture: what most of the lessons' widgets are made of."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch

from colorlab.course.widgets._bundle import Playable, encode_image

QUALITY = 85  # of JPEGs: the pictures are saved in the notebook


class Panel(Playable):
    """Some controls, the picture that they make, and a line of words on it.

    Args:
        draw: called with the value of each control by its name; returns the picture, uint8
            (H, W, 3), and a sentence that says in words what it shows now. It holds all the logic
            and knows nothing of widgets.
        controls: the ipywidgets controls by name; each is shown with its own description.
        alt: what the picture shows in general, for those who can't see it.
        columns: how many controls stand beside each other; or how many in each line.
        kind: "jpeg" for photos, "png" for lines and flat colors.

    `values` are those of the controls, `image.value` the picture's bytes, `words` the sentence.
    """

    def __init__(
        self,
        draw: Callable[..., tuple[np.ndarray, str]],
        controls: Mapping[str, Any],
        alt: str,
        *,
        columns: int | tuple[int, ...] = 1,
        kind: str = "jpeg",
    ) -> None:
        self.draw, self.controls, self.alt, self.kind = draw, dict(controls), alt, kind
        self.still = "palette" if kind == "jpeg" else kind
        self._start = self.values
        self._resetting = False
        pixels, words = self._drawn()
        width = f"{pixels.shape[1]}px"
        self.image = widgets.Image(
            value=encode_image(pixels, kind, QUALITY),
            format=kind,
            layout=widgets.Layout(width=width, max_width="100%", margin="0"),
        )
        self.caption = widgets.HTML(layout=widgets.Layout(max_width=width, margin="0"))
        self._say(words)
        for control in self.controls.values():
            control.observe(self._move, names="value")
        self.reset = widgets.Button(
            description="Reset",
            tooltip="Put every control back to where it stood at first",
            layout=widgets.Layout(width="90px"),
        )
        self.reset.on_click(lambda _: self.set(**self._start))
        # The words stand in the page: widgets.Image has no alt text (see CompareSlider).
        about = widgets.HTML(
            '<div style="line-height: 1.4; font-size: 90%">'
            f"{html.escape(alt)}{_how(controls)}</div>",
            layout=widgets.Layout(max_width=width, margin="0 0 12px"),
        )
        inputs = list(self.controls.values())
        counts = (columns,) * len(inputs) if isinstance(columns, int) else columns
        lines = [inputs[sum(counts[:i]) :][:count] for i, count in enumerate(counts)]
        lines = [line for line in lines if line]
        flow = widgets.Layout(flex_flow="row wrap")
        self.box = widgets.VBox(
            [
                *(widgets.HBox(line, layout=flow) for line in lines[:-1]),
                widgets.HBox([*lines[-1], self.reset], layout=flow),
                self.image,
                self.caption,
                about,
            ]
        )

    @property
    def values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Move several controls at once; the picture is drawn once."""
        self._resetting = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._resetting = False
        self._move()

    def picture(self) -> np.ndarray:
        return self._drawn()[0]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{type(self).__name__}({values}): {self.words}"

    def _drawn(self) -> tuple[np.ndarray, str]:
        with one_thread():
            return self.draw(**self.values)

    def _move(self, change: Any = None) -> None:
        if self._resetting:
            return
        pixels, words = self._drawn()
        self.image.value = encode_image(pixels, self.kind, QUALITY)
        self._say(words)

    def _say(self, words: str) -> None:
        self.words = words
        # aria-live: a screen reader says what a move of the slider has done
        style = "line-height: 1.4; margin-top: 4px"
        self.caption.value = f'<div aria-live="polite" style="{style}">{html.escape(words)}</div>'


def _how(controls: Mapping[str, Any]) -> str:
    """How the controls are moved, by mouse and by keyboard."""
    kinds = tuple(type(control).__name__ for control in controls.values())
    if any("Slider" in kind for kind in kinds):
        return " Drag a handle, or click it and press &larr; &rarr;."
    return " With the keyboard: Tab, and Space to switch." if "Checkbox" in kinds else ""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: for small pictures more are no gain, and where something else
    computes beside the notebook they wait for each other (20 ms became 500)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def slider(description: str, value: float, low: float, high: float, step: float) -> Any:
    """A slider with a readout, for whole numbers where all of its numbers are whole."""
    layout = widgets.Layout(width="330px")
    style = {"description_width": "90px"}
    options = {"description": description, "layout": layout, "style": style}
    whole = all(isinstance(number, int) for number in (value, low, high, step))
    if not whole:
        options["readout_format"] = ".1f"
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    return kind(value=value, min=low, max=high, step=step, continuous_update=True, **options)


def choice(description: str, options: Any, value: Any) -> Any:
    """A drop-down of a few options (texts, or pairs of text and value)."""
    return widgets.Dropdown(
        description=description,
        options=options,
        value=value,
        layout=widgets.Layout(width="330px"),
        style={"description_width": "90px"},
    )


def steps(description: str, options: Any, value: Any) -> Any:
    """A slider over a few values (texts, or pairs of text and value)."""
    return widgets.SelectionSlider(
        description=description,
        options=options,
        value=value,
        layout=widgets.Layout(width="420px"),
        style={"description_width": "110px"},
    )
