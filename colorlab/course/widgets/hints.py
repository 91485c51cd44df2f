"""Lesson 08's hint board: click on a photo, say which color is there, and see it colored anew."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from colorlab.colorize import Colorizer
from colorlab.course.widgets._bundle import Playable
from colorlab.course.widgets._hinted import HintedPhoto
from colorlab.course.widgets._panel import one_thread
from colorlab.course.widgets._plane import color_name
from colorlab.course.widgets._sliders import Sliders, with_dots
from colorlab.course.widgets.unet import photo_choice
from colorlab.hints import hex_of

ALT = "The photo as the network colors it with your hints. A dot is a hint, the ring is the cursor."


class HintBoard(Playable):
    """Color a photo together with the network: you give hints, it colors all the rest.

        board = HintBoard(Colorizer.load(), {"bee": photo, ...})
        board.photo.hints   # later, in another cell

    ``hints.js`` draws it, and takes clicks and keys. Where anywidget is missing, sliders, buttons
    and a color picker of ipywidgets do the same.

    Args:
        colorizer: with weights that take hints.
        photos: by name; a path, or a picture of any kind.
        folder: where Save writes.

    `photos` holds a ``HintedPhoto`` for each name, `photo` is the one on the board, `words` is what
    the board says, `view` what draws it.

    Raises:
        ValueError: weights that take no hints, or no photo.
    """

    still = "palette"

    def __init__(
        self, colorizer: Colorizer, photos: Mapping[str, Any], folder: str | os.PathLike[str] = "."
    ) -> None:
        if not colorizer.takes_hints:
            raise ValueError(
                "These weights take no hints. Use the starter weights, Colorizer.load(), or train "
                "with a recipe whose generator.kind is 'hint-unet'."
            )
        choices = photo_choice(photos)  # raises ValueError where there is none
        self.photos = {name: HintedPhoto(colorizer, photo) for name, photo in photos.items()}
        self.name, self.folder, self.count = choices.value, Path(folder), 0
        self._colored: tuple[Any, np.ndarray] | None = None  # of which photo and hints; the pixels
        try:
            from colorlab.course.widgets._clicks import Clicks
        except ImportError:
            self.view = Sliders(self.act, choices)
        else:
            self.view = Clicks(self.act)
        self.words, self.box = self.view.start, widgets.VBox([self.view.box])
        self._show()

    @property
    def photo(self) -> HintedPhoto:
        return self.photos[self.name]

    def act(self, do: str, **values: Any) -> None:
        """Do what the user asks for, and show what comes of it.

        Args:
            do: "look" or "drag" (``x`` and ``y`` are shares of width and height, 0 to 1), "color"
                (``color``), "remove", "clear", "undo", "redo", "photo" (``name``) or "save"
                (``suffix``).
        """
        try:
            with one_thread():
                self.words = self._done(do, values)
        except Exception as error:  # it would go to a log that nobody looks at
            self.words = str(error) or type(error).__name__
        self._show()

    def _done(self, do: str, values: dict[str, Any]) -> str:
        """The words on it."""
        if do == "photo":
            self.name = values["name"]
        elif do == "save":
            picture, beside = self.photo.save(self.folder, self.name, values["suffix"])
            return f"Saved {picture.name} and {beside.name} in {self.folder.resolve()}."
        else:
            if do in ("look", "drag"):
                for axis, side in zip("xy", self.photo.full.size, strict=True):
                    values[axis] = min(max(int(values[axis] * side), 0), side - 1)
            getattr(self.photo, do)(**values)
        return self._said(do)

    def _said(self, do: str) -> str:
        photo, count = self.photo, len(self.photo.hints)
        if photo.selected is not None:
            color = color_name(photo.hints[photo.selected].color)
            words = f"Hint {photo.selected + 1} of {count}: {color}."
            if not photo.in_gamut():
                words += " No screen shows it so light or so dark; the nearest color is painted."
            return words
        if do in ("look", "drag"):
            (x, y), (color, share) = photo.cursor, photo.suggestions[0]
            return f"At x {x}, y {y} the likeliest color is {color_name(color)}, {share:.0%}."
        return f"{count or 'No'} hint{'' if count == 1 else 's'} on this photo."

    def pixels(self) -> np.ndarray:
        """The photo colored with its hints, reduced, uint8 (H, W, 3); colored once for the same."""
        now = self.name, self.photo.hints
        if self._colored is None or self._colored[0] != now:
            self._colored = now, self.photo.colored()
        return self._colored[1]

    @property
    def state(self) -> dict[str, Any]:
        """What is shown beside the picture; places are shares of width and height, 0 to 1."""
        photo = self.photo
        width, height = photo.full.size

        def spot(x: int, y: int) -> dict[str, Any]:
            return {"x": (x + 0.5) / width, "y": (y + 0.5) / height}

        return {
            "count": self.count,  # of the answers: no two states are equal
            "names": list(self.photos),
            "name": self.name,
            "size": list(photo.small.size),
            "hints": [
                spot(x, y) | {"color": hex_of(color), "name": color_name(color)}
                for x, y, color in photo.hints
            ],
            "selected": photo.selected,
            "cursor": spot(*photo.cursor) if photo.cursor else None,
            "colors": [
                {"color": hex_of(color), "share": share, "name": color_name(color)}
                for color, share in photo.suggestions
            ],
            "undo": photo.can_undo,
            "redo": photo.can_redo,
            "words": self.words,
            "alt": ALT,
        }

    def _show(self) -> None:
        self.count += 1
        with one_thread():
            self.view.show(self.pixels(), self.state)

    def picture(self) -> np.ndarray:
        return with_dots(self.pixels(), self.state)

    def __repr__(self) -> str:
        return f"HintBoard({self.name!r}, {len(self.photo.hints)} hints): {self.words}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return super()._repr_mimebundle_(include, exclude), self.view.metadata()
