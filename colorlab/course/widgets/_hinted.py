"""One photo on the hint board: its hints, what was undone, and what a colorizer makes of them.

No widget stands in here. All places are in pixels of the photo at its full size, and so are those
of the hints that are saved. What the board shows is a reduced copy, colored in a tenth of a second.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from colorlab import hints as user_hints
from colorlab.atomic import write_whole
from colorlab.color import rgb_to_lab
from colorlab.colorize import Colorizer
from colorlab.course.widgets._bundle import reduce
from colorlab.hints import Hint
from colorlab.palette import Suggestion
from colorlab.photos.carried import Carried, carried
from colorlab.photos.files import open_photo
from colorlab.photos.writing import encode
from colorlab.show import to_uint8

SHOWN = 448  # pixels, the longer side of the copy on the board
REACH = 0.03  # of the longer side: so near to a hint a click means that hint
COLORS = 4  # likely colors that are offered


class HintedPhoto:
    """A photo, the hints on it, and a cursor.

    Args:
        colorizer: with weights that take hints.
        photo: a path, or a picture of any kind that ``colorlab.show.to_uint8`` takes.

    Attributes:
        hints: in the order in which they were placed.
        cursor: the place (x, y) that was looked at last; None before the first look.
        selected: the number of the hint at the cursor; None without one.
        suggestions: the likeliest colors at the cursor, likeliest first.
    """

    def __init__(self, colorizer: Colorizer, photo: Any) -> None:
        path = Path(photo) if isinstance(photo, str | os.PathLike) else None
        self.colorizer = colorizer
        self.full = Image.fromarray(to_uint8(photo)) if path is None else open_photo(path)
        self.small = Image.fromarray(reduce(to_uint8(self.full), SHOWN))
        self._carried = Carried() if path is None else carried(path)
        self.hints: tuple[Hint, ...] = ()
        self.cursor: tuple[int, int] | None = None
        self.selected: int | None = None
        self.suggestions: list[Suggestion] = []
        self._ongoing: tuple[Hint, ...] | None = None  # what a move has made that may go on
        self._past: list[tuple[Hint, ...]] = []
        self._future: list[tuple[Hint, ...]] = []

    # --- what the user does ----------------------------------------------------------------------

    def look(self, x: int, y: int) -> None:
        """Put the cursor at (x, y), select a hint that is near it, and ask for likely colors.

        Raises:
            colorlab.hints.HintError: a place outside the photo.
        """
        self._check(x, y)
        self.cursor, self._ongoing = (x, y), None
        self._select()
        self._suggest()

    def color(self, color: tuple[int, int, int] | str, again: bool = False) -> None:
        """Give the selected hint this color; without one, place a hint at the cursor.

        Args:
            again: whether this goes on with the change before: both are undone in one step.

        Raises:
            ValueError: no place was looked at yet.
            colorlab.hints.HintError: no color.
        """
        if self.cursor is None:
            raise ValueError("Choose a place on the photo first, then its color.")
        color = user_hints.color_named(color) if isinstance(color, str) else color
        if self.selected is None:
            self.selected = len(self.hints)
            self._change((*self.hints, Hint(*self.cursor, color)), again)
        else:
            self._change(self._with(self.hints[self.selected]._replace(color=color)), again)

    def drag(self, x: int, y: int, again: bool = False) -> None:
        """Move the selected hint, or else the cursor, to (x, y).

        Args:
            again: as of ``color``.

        Raises:
            colorlab.hints.HintError: a place outside the photo.
        """
        self._check(x, y)
        self.cursor = (x, y)
        if self.selected is None:
            self._suggest()
        else:
            self._change(self._with(self.hints[self.selected]._replace(x=x, y=y)), again)

    def remove(self) -> None:
        """Remove the selected hint; without one nothing happens."""
        if self.selected is not None:
            kept = [h for i, h in enumerate(self.hints) if i != self.selected]
            self.selected = None
            self._change(tuple(kept))

    def clear(self) -> None:
        """Remove all hints."""
        self.selected = None
        self._change(())

    def undo(self) -> None:
        """Go back one step, as long as there is one."""
        self._step(self._past, self._future)

    def redo(self) -> None:
        """Take back an undo, as long as nothing was changed after it."""
        self._step(self._future, self._past)

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    # --- what comes of it ------------------------------------------------------------------------

    def colored(self) -> np.ndarray:
        """The reduced copy in color, uint8 (H, W, 3)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of colors outside sRGB; see `in_gamut`
            return np.asarray(self.colorizer.colorize(self.small, hints=self._reduced(self.hints)))

    def in_gamut(self) -> bool:
        """Whether a screen can show the selected hint's color at the lightness of its place."""
        if self.selected is None:
            return True
        ((x, y, color),) = self._reduced([self.hints[self.selected]])
        pixel = torch.from_numpy(np.array(self.small))[y, x, :, None, None]
        return user_hints.shown_at(color, float(rgb_to_lab(pixel)[0]))

    def save(self, folder: str | os.PathLike[str], name: str, suffix: str) -> tuple[Path, Path]:
        """Color the photo at its full size and write it, with a JSON file of its hints beside it.

        Args:
            suffix: ``".png"`` or ``".jpg"``.

        Returns:
            The paths of the picture, which says in XMP that its colors are made, and of the hints,
            which ``colorlab colorize --hints`` reads.

        Raises:
            OSError: the folder can't be written, the disk is full.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = self.colorizer.colorize(self.full, hints=self.hints)
        content, _ = encode(picture, suffix, self._carried, mark=True)
        name = re.sub(r"[^\w-]+", "-", name)  # some names are no file names
        target, beside = (Path(folder, name + end) for end in (f"-colored{suffix}", "-hints.json"))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, [content])
        user_hints.write(beside, self.hints)
        return target, beside

    # --- below -----------------------------------------------------------------------------------

    def _check(self, x: int, y: int) -> None:
        width, height = self.full.size
        if not (0 <= x < width and 0 <= y < height):
            raise user_hints.HintError(
                f"({x}, {y}) lies outside the photo, which is {width} x {height} pixels"
            )

    def _select(self) -> None:
        """Select the hint nearest to the cursor, if one is within reach."""
        x, y = self.cursor
        away = [np.hypot(hint.x - x, hint.y - y) for hint in self.hints]
        near = bool(away) and min(away) <= REACH * max(self.full.size)
        self.selected = int(np.argmin(away)) if near else None

    def _suggest(self) -> None:
        others = [hint for i, hint in enumerate(self.hints) if i != self.selected]
        place = self.cursor if self.selected is None else self.hints[self.selected][:2]
        ((x, y, _),) = self._reduced([Hint(*place, (0, 0, 0))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.suggestions = self.colorizer.suggest(
                self.small, x, y, COLORS, hints=self._reduced(others)
            )

    def _reduced(self, hints: Any) -> list[Hint]:
        """The same hints, placed on the reduced copy."""
        (width, height), (w, h) = self.full.size, self.small.size
        return [Hint(x * w // width, y * h // height, color) for x, y, color in hints]

    def _with(self, hint: Hint) -> tuple[Hint, ...]:
        """All hints, the selected one replaced."""
        return (*self.hints[: self.selected], hint, *self.hints[self.selected + 1 :])

    def _change(self, hints: tuple[Hint, ...], again: bool = False) -> None:
        if not again:
            self._ongoing = None
        if hints == self.hints:
            return
        if self.hints is not self._ongoing:
            self._past.append(self.hints)
        self._future.clear()
        self.hints = self._ongoing = hints

    def _step(self, from_: list[tuple[Hint, ...]], to: list[tuple[Hint, ...]]) -> None:
        if from_:
            to.append(self.hints)
            self.hints = from_.pop()
            self._select()
