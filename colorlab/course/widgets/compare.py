"""A slider that wipes from one picture to another: before on the left, after on the right."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets
import numpy as np

from colorlab.course.widgets._bundle import Playable, draw_label, encode_image, reduce
from colorlab.show import to_uint8


def compose(before: np.ndarray, after: np.ndarray, position: float) -> np.ndarray:
    """`before` left of the line at `position`, `after` right of it.

    Args:
        before, after: uint8 (H, W, 3) of one size; neither is changed.
        position: 0 (all after) to 1 (all before), clipped to that.

    Returns uint8 (H, W, 3). At 0 and 1 no line is drawn. Raises ValueError where the sizes differ.
    """
    _require_one_size(before, after)
    width = before.shape[1]
    cut = round(min(1.0, max(0.0, position)) * width)
    result = after.copy()
    result[:, :cut] = before[:, :cut]
    if 0 < cut < width:
        # White between two dark edges is seen on any photo.
        result[:, max(0, cut - 2) : cut + 2] = 40
        result[:, max(0, cut - 1) : cut + 1] = 255
    return result


class CompareSlider(Playable):
    """A before/after slider: drag the handle, or focus it and press the arrow keys.

        CompareSlider(gray, colored)

    Args:
        before, after: two pictures of one size (see `colorlab.show`).
        labels: written into the corners of before and after.
        alt: a sentence on what is to be seen, for those who can't see it.
        largest: the longer side shown, in pixels; the pictures are reduced to it once.

    `slider.value` is 0 to 100 percent, `image.value` the picture as JPEG. Raises ValueError where
    the two pictures differ in size.
    """

    def __init__(
        self,
        before: Any,
        after: Any,
        labels: tuple[str, str] = ("before", "after"),
        *,
        alt: str = "",
        largest: int = 512,
    ) -> None:
        first, second = to_uint8(before), to_uint8(after)
        _require_one_size(first, second)
        self.before, self.after = reduce(first, largest), reduce(second, largest)
        # Drawn once: each label then comes and goes with its own side of the line.
        draw_label(self.before, labels[0], "left")
        draw_label(self.after, labels[1], "right")
        self.labels = labels
        self.alt = alt or f"Left of the line: {labels[0]}. Right of it: {labels[1]}."

        width = f"{self.before.shape[1]}px"
        self.image = widgets.Image(
            value=encode_image(compose(self.before, self.after, 0.5)),
            format="jpeg",
            layout=widgets.Layout(width=width, max_width="100%", margin="0"),
        )
        self.slider = widgets.IntSlider(
            value=50,
            min=0,
            max=100,
            readout=False,
            layout=widgets.Layout(width=width, max_width="100%", margin="0"),
        )
        self.slider.observe(self._move, names="value")
        # The words for the picture stand in the page: widgets.Image has no alt text, and a tooltip
        # on it, which ipywidgets 8 offers, keeps it from being drawn at all.
        caption = widgets.HTML(
            f'<div style="line-height: 1.4; font-size: 90%">{html.escape(self.alt)} Drag the '
            "handle, or click it and press &larr; &rarr;.</div>",
            layout=widgets.Layout(max_width=width, margin="0 0 12px"),
        )
        self.box = widgets.VBox([self.image, self.slider, caption])

    def picture(self) -> np.ndarray:
        """The picture as it stands: uint8 (H, W, 3)."""
        return compose(self.before, self.after, self.slider.value / 100)

    def __repr__(self) -> str:
        height, width, _ = self.before.shape
        return f"CompareSlider({self.labels[0]} | {self.labels[1]}, {width} x {height})"

    def _move(self, change: Any) -> None:
        self.image.value = encode_image(self.picture())


def _require_one_size(before: np.ndarray, after: np.ndarray) -> None:
    if before.shape != after.shape:
        raise ValueError(
            f"Both pictures need one size; before is {before.shape}, after {after.shape}. "
            "Resize one of them to the other."
        )
