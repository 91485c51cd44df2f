"""The hint board in the page itself: ``hints.js`` draws it, and sends what is clicked and typed.

This module needs anywidget. Where that is missing, its import fails, and the board takes the core
widgets instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from colorlab.course.widgets._bundle import encode_image

QUALITY = 88  # of the JPEGs
HERE = Path(__file__).parent


class Clicks(anywidget.AnyWidget):
    """The board's view.

    Args:
        act: called with what the user does and its values, such as ``act("look", x=0.5, y=0.5)``.

    Attributes:
        picture: the colored photo as JPEG.
        state: all else that is shown; see ``HintBoard.state``.
        box: itself, as it is what is shown.
    """

    _esm = HERE / "hints.js"
    _css = HERE / "hints.css"
    start = "Click on the photo, then choose the color of that place."
    picture = traitlets.Bytes().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, act: Callable[..., None]) -> None:
        super().__init__()  # on Colab, this asks for its manager of foreign widgets

        self.box = self
        self.on_msg(lambda _, message, __: act(message.pop("do"), **message))

    def show(self, pixels: np.ndarray, state: dict[str, Any]) -> None:
        """Send the picture, uint8 (H, W, 3), and the state to the page, in one message."""
        with self.hold_sync():
            self.picture, self.state = encode_image(pixels, "jpeg", QUALITY), state

    def metadata(self) -> dict[str, Any]:
        """What Colab needs beside the bundle, to find anywidget's part of the page."""
        return self._repr_mimebundle_()[1]
