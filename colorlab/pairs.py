"""Gray photos and color photos in two folders, paired by name.

Usually the gray picture is made from the color one. Where both exist as files (old prints beside
their hand-colored copies, or a data set that comes as two folders), the pairs are read here.
"""

from __future__ import annotations

import copy
import os
import random
import warnings
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from colorlab.photo_files import PhotoError, canonical, list_photos, open_photo, read_photo
from colorlab.photos import split_by_name

_NAMED_IN_WARNING = 20
_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
_ASPECT_TOLERANCE = 0.01  # 500 x 333 and 1000 x 667 are the same photo

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Window(NamedTuple):
    """A square cut out of a resized picture: resized (width, height), the cut's (left, top)."""

    resized: tuple[int, int]
    start: tuple[int, int]
    mirror: bool


def check_cut(size: int | None, augment: bool, scale: tuple[float, float]) -> None:
    """Raise ValueError where a data set's `size`, `augment` and `scale` contradict each other."""
    if size is not None and size < 1:
        raise ValueError(f"size={size}: the side of the square must be at least 1 pixel.")
    if augment and size is None:
        raise ValueError("augment=True cuts a square, so it needs size, such as size=256.")
    if not 1.0 <= scale[0] <= scale[1]:
        raise ValueError(f"scale={scale}: expected 1 <= lowest <= highest, such as (1.0, 1.25).")


def square_window(
    sides: tuple[float, float], size: int, scale: tuple[float, float], seed: int | None
) -> Window:
    """The square to cut out of a photo of that (width, height) or of that aspect.

    seed: None: the middle square. An int, which alone decides: the short side becomes size * u
        with u uniform in `scale`, the square lies anywhere, and every other one is mirrored.
    """
    u, places, mirror = 1.0, (0.5, 0.5), False
    if seed is not None:
        rng = random.Random(int(seed))  # its random() is the same on every machine and Python
        u = scale[0] + (scale[1] - scale[0]) * rng.random()
        places, mirror = (rng.random(), rng.random()), rng.random() < 0.5
    factor = size * u / min(sides)
    width, height = (max(size, round(side * factor)) for side in sides)
    rooms = width - size, height - size
    left, top = (
        room // 2 if seed is None else int(place * (room + 1))
        for room, place in zip(rooms, places, strict=True)
    )
    return Window((width, height), (left, top), mirror)


def cut_square(image: Image.Image, filled: Box, size: int, window: Window) -> Image.Image:
    """The window's `size` x `size` pixels of a picture of any mode and resolution (bicubic).

    filled: the part of `image` that the photo fills, as `read_photo` gives it. Equals resizing
        that part to `window.resized` and cropping, but only what is kept is computed.
    """
    spans = []
    for axis in (0, 1):
        side, resized, start = (
            filled[axis + 2] - filled[axis],
            window.resized[axis],
            window.start[axis],
        )
        ends = start, start + size
        spans.append([filled[axis] + end * side / resized for end in ends])
    (left, right), (top, bottom) = spans
    # The last bit of a sum may lie beyond the edge.
    box = left, top, min(right, image.width), min(bottom, image.height)
    cut = image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return ImageOps.mirror(cut) if window.mirror else cut


class PairedFolder(Dataset[torch.Tensor]):
    """Pairs of a gray and a color photo as uint8 tensors (4, H, W): gray, R, G, B, all 0..255.

    `ds[i]` or `ds[i, seed]`; `photo_loader` gives the (index, seed) pairs.

    Two photos belong together when their paths inside their folders agree without the suffix:
    `gray/pets/cat.png` and `color/pets/cat.jpg`. However accents are spelled counts for nothing,
    and neither does the order in which a folder is listed. The gray file may itself be stored as
    RGB; its luma (Pillow's mode "L") is taken. Both photos are cut by one and the same window; a
    gray photo of another resolution is resampled to fit.

    size, augment, scale: as in `PhotoFolder`, but for one thing: each cut is resampled straight
        from the file, once.

    `.names`: the color files' names, sorted, so that `.split` and a `PhotoFolder` of the color
    folder deal every photo into the same part. `.pairs[i]`: the two paths (gray, color).
    `.unmatched`: (names only in gray, names only in color); a warning tells of them.

    Raises FileNotFoundError or NotADirectoryError for a folder that is not there; `PhotoError`, a
    ValueError, for one without a photo, for folders of which no names match, for two files that
    claim one name, and, when a pair is asked for, for a file that cannot be read or a pair whose
    aspects differ by more than 1 %; ValueError for arguments that contradict each other.
    """

    holds: ClassVar[str] = "gray+rgb"

    def __init__(
        self,
        gray: str | os.PathLike[str],
        color: str | os.PathLike[str],
        *,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        check_cut(size, augment, scale)
        self.size, self.augment, self.scale = size, augment, scale
        self.gray, self.color = Path(gray), Path(color)
        grays, colors = _by_stem(self.gray), _by_stem(self.color)
        if self.gray.resolve() == self.color.resolve():
            raise ValueError(
                f"{self.gray} was given for the gray and for the color photos. To train on color "
                "photos alone use PhotoFolder, which makes the gray ones itself."
            )
        self.unmatched = (
            [name for stem, name in grays.items() if stem not in colors],
            [name for stem, name in colors.items() if stem not in grays],
        )
        matched = [stem for stem in colors if stem in grays]
        if not matched:
            raise PhotoError(
                f"No photo in {self.gray} has its name in {self.color}.\n"
                f"  gray: {_some(self.unmatched[0], 3)}\n  color: {_some(self.unmatched[1], 3)}\n"
                "The paths inside the two folders must agree but for the suffix, as cat.png and "
                "cat.jpg do; rename the files or name the right folders."
            )
        self.names = [colors[stem] for stem in matched]
        self.pairs = [(self.gray / grays[stem], self.color / colors[stem]) for stem in matched]
        if any(self.unmatched):
            lines = [
                f"  {len(names)} only in {folder}: {_some(names, _NAMED_IN_WARNING)}"
                for names, folder in zip(self.unmatched, (self.gray, self.color), strict=True)
                if names
            ]
            kept = f"{len(matched)} pair(s) found; photos without a partner are left out:"
            warnings.warn("\n".join([kept, *lines]), stacklevel=2)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, item: int | tuple[int, int]) -> torch.Tensor:
        index, seed = item if isinstance(item, tuple) else (item, None)
        # A JPEG is decoded no larger than the cut needs, each of the two at its own reduction.
        photos = [read_photo(path, self.size) for path in self.pairs[index]]
        (gray, gray_box), (color, color_box) = photos
        self._check_aspects(index, gray_box, color_box)
        gray = gray.convert("L")
        if self.size is None:
            if gray.size != color.size:
                gray = gray.resize(color.size, Image.Resampling.BICUBIC)
        else:
            if self.augment and seed is None:
                seed = int(torch.randint(2**63 - 1, ()))
            sides = color_box[2] - color_box[0], color_box[3] - color_box[1]
            window = square_window(sides, self.size, self.scale, seed if self.augment else None)
            gray = cut_square(gray, gray_box, self.size, window)
            color = cut_square(color, color_box, self.size, window)
        planes = np.empty((4, color.height, color.width), np.uint8)
        planes[0] = gray
        planes[1:] = np.asarray(color).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        return torch.from_numpy(planes)

    def _check_aspects(self, index: int, gray_box: Box, color_box: Box) -> None:
        aspects = [(box[2] - box[0]) / (box[3] - box[1]) for box in (gray_box, color_box)]
        if max(aspects) <= min(aspects) * (1 + _ASPECT_TOLERANCE):
            return
        # The boxes may stem from reduced JPEGs; the message gives the sizes that the files have.
        gray, color = (
            f"{path} ({' x '.join(map(str, open_photo(path).size))})" for path in self.pairs[index]
        )
        raise PhotoError(
            f"{gray} and {color} differ in shape, so they cannot show the same picture pixel by "
            "pixel. Expected the same width to height within 1 %: crop one, or remove the pair."
        )

    def at(
        self,
        size: int | None,
        *,
        augment: bool | None = None,
        scale: tuple[float, float] | None = None,
        **ignored: Any,
    ) -> PairedFolder:
        """The same pairs with another size; None leaves the rest as it is here.

        `ignored`: settings of other data sets, such as threads. Raises ValueError as the class.
        """
        other = copy.copy(self)
        other.size = size
        other.augment = self.augment if augment is None else augment
        other.scale = self.scale if scale is None else scale
        check_cut(other.size, other.augment, other.scale)
        return other

    def split(self, fractions: dict[str, float] = _FRACTIONS) -> dict[str, PairedFolder]:
        """`split_by_name` of the pairs: one PairedFolder a part, with this one's settings."""
        parts = split_by_name(self.names, fractions)
        return {part: self._only(set(names)) for part, names in parts.items()}

    def _only(self, names: set[str]) -> PairedFolder:
        chosen = [i for i, name in enumerate(self.names) if name in names]
        other = copy.copy(self)
        other.names = [self.names[i] for i in chosen]
        other.pairs = [self.pairs[i] for i in chosen]
        return other


def _by_stem(folder: Path) -> dict[str, str]:
    """Name without suffix, accents in one spelling -> the file's name, sorted by name."""
    found: dict[str, str] = {}
    for name in list_photos(folder):
        stem = canonical(os.path.splitext(name)[0])
        if stem in found:
            raise PhotoError(
                f"{folder} holds both {found[stem]} and {name}: which of the two belongs to the "
                f"photo {stem!r} of the other folder? Remove or rename one."
            )
        found[stem] = name
    return found


def _some(names: list[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f", ... and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
