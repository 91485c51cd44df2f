"""Held-out photos at many steps of a run, and the grid that shows them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from colorlab.show import font

MOST = 60  # steps that are kept
LARGEST = 128  # pixels, the side of a photo that is kept
NAMES = ("gray", "ours", "truth")
MARGIN, GAP = 50, 4  # pixels: left of the grid, for the names; between photos


class Samples:
    """The newest and up to :data:`MOST` steps in all, spread over the run.

    Gray and truth are the same at each step and kept once. Pictures that lie in a folder are read
    only when they are looked at.
    """

    def __init__(self) -> None:
        self.gray: np.ndarray | None = None
        self.truth: np.ndarray | None = None
        self._ours: dict[int, np.ndarray | Path] = {}
        self._lock = threading.Lock()

    @property
    def steps(self) -> list[int]:
        with self._lock:
            return list(self._ours)

    def add(self, step: int, pictures: Sequence[Tensor]) -> None:
        """Gray, ours, truth, each ``(B, 3, H, W)`` in [0, 1], as a run's "sample" brings them."""
        gray, ours, truth = pictures
        if self.truth is None:
            self.gray, self.truth = _photos(gray), _photos(truth)
        self._keep({step: _photos(ours)})

    def add_folder(self, folder: str | os.PathLike[str], until: int) -> None:
        """The grids that a run has written up to step ``until``."""
        found = {}
        for path in Path(folder).glob("step-*.png"):
            match = re.fullmatch(r"step-(\d+)\.png", path.name)
            if match and int(match[1]) <= until:
                found[int(match[1])] = path
        steps = sorted(found)
        if len(steps) > MOST:
            steps = [steps[round(i * (len(steps) - 1) / (MOST - 1))] for i in range(MOST)]
        self._keep({step: found[step] for step in steps})

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gray, ours and truth at ``step``: uint8, each ``(B, H, W, 3)``.

        Raises:
            OSError: its file can't be read any more.
        """
        with self._lock:
            ours = self._ours[step]
        if isinstance(ours, Path):
            gray, ours, truth = _read(ours)
            if self.truth is None:
                self.gray, self.truth = gray, truth
        return self.gray, ours, self.truth

    def _keep(self, more: dict[int, np.ndarray | Path]) -> None:
        with self._lock:
            kept = dict(sorted((self._ours | more).items()))
            while len(kept) > MOST:  # where they lie closest, never the first or the last
                steps = list(kept)
                gaps = [after - before for before, after in zip(steps, steps[2:], strict=False)]
                del kept[steps[1 + gaps.index(min(gaps))]]
            self._ours = kept


def _photos(batch: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [0, 1] -> uint8 (B, H, W, 3), reduced where it is larger than needed."""
    levels = (batch.detach().float().clamp(0, 1) * 255).round().byte().cpu()
    return _reduced(levels.permute(0, 2, 3, 1).numpy())


def _reduced(photos: np.ndarray) -> np.ndarray:
    height, width = photos.shape[1:3]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return photos.copy()
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([_resized(photo, size) for photo in photos])


def _resized(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def _read(path: Path) -> tuple[np.ndarray, ...]:
    """The three rows of square photos in a grid's file."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    side = pixels.shape[0] // 3
    if side * 3 != pixels.shape[0] or not side or pixels.shape[1] % side:
        raise OSError(f"{path} is no grid of three rows of square photos")
    cells = pixels.reshape(3, side, pixels.shape[1] // side, side, 3).swapaxes(1, 2)
    return tuple(_reduced(row) for row in cells)


def draw_grid(
    rows: Sequence[np.ndarray] | None, width: int, photos: int, about: str = ""
) -> np.ndarray:
    """Gray, ours and truth below each other: uint8 (H, ``width``, 3), always of the same size.

    Args:
        rows: as :meth:`Samples.rows` gives them; None draws empty cells with ``about`` on them.
        photos: how many columns there is room for.
    """
    cell = (width - MARGIN) // photos - GAP
    image = Image.new("RGB", (width, 3 * (cell + GAP)), "white")
    draw = ImageDraw.Draw(image)
    for number, name in enumerate(NAMES):
        y = number * (cell + GAP)
        draw.text((MARGIN - 8, y + cell / 2), name, "#22262b", font(13), anchor="rm")
        for column in range(photos):
            at = (MARGIN + column * (cell + GAP), y)
            if rows is None:
                draw.rectangle([*at, at[0] + cell, at[1] + cell], fill="#f0f1f2")
            elif column < len(rows[number]):
                image.paste(Image.fromarray(_resized(rows[number][column], (cell, cell))), at)
    if about:
        draw.text((MARGIN + (width - MARGIN) / 2, image.height / 2), about, "#22262b", font(14),
                  anchor="mm")  # fmt: skip
    return np.asarray(image).copy()
