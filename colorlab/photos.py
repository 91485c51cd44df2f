"""Photo files in, uint8 RGB tensors out.

Every picture that the course trains on passes through here: a file of any common format becomes an
upright sRGB picture (`open_photo`), a folder of them becomes a data set (`PhotoFolder`), and a
loader hands out batches in an order that one `torch.Generator` decides (`photo_loader`).
Lab is not made here: whole batches are converted later, on the device that trains.
"""

from __future__ import annotations

import copy
import hashlib
import os
import random
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from colorlab.photo_batches import photo_loader
from colorlab.photo_files import PhotoError, canonical, list_photos, open_photo, read_photo

__all__ = [
    "PhotoError",
    "PhotoFolder",
    "open_photo",
    "photo_loader",
    "split_by_name",
]

_NAMED_IN_WARNING = 20
_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}


def _problem(path: Path) -> str | None:
    """Why the photo cannot be read, or None. The whole file is decoded (JPEGs at 1/8 size)."""
    try:
        read_photo(path, short_side=1)
    except PhotoError as error:
        return str(error)
    return None


class PhotoFolder(Dataset[torch.Tensor]):
    """The photos below one or more folders, as uint8 tensors (3, H, W), RGB, 0..255.

    `ds[i]` or `ds[i, seed]`; `photo_loader` gives the pairs.

    size: None: the whole photo as it is. s: the short side is brought to s and an s x s square is
        cut out (bicubic, antialiased).
    augment: False: the middle square. True: the short side is brought to s * u with u uniform in
        `scale`, the square is cut at random, and every other one is mirrored. `seed` (an int)
        alone decides all three; without it, it is drawn from torch's global generator.
    scale: (lowest, highest) u, at least 1 so that the square fits.
    bad: "raise": a file that cannot be read raises `PhotoError` when it is asked for; nothing is
        read before. "skip": every file is decoded once, here, and the bad ones are left out with
        a warning that names them. So the length is true from the start and no other photo stands
        in for a bad one; it costs seconds per ten thousand files. `.skipped`: path -> reason.

    `.paths` and `.names` (relative to the photo's folder, with "/") are sorted by name within each
    folder, folders in the order given; `.folder_of[i]` is the number of photo i's folder.

    Raises FileNotFoundError or NotADirectoryError for a folder that is not there, `PhotoError` for
    one without a (readable) photo, ValueError for arguments that contradict each other.
    """

    def __init__(
        self,
        folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        bad: str = "raise",
    ) -> None:
        if bad not in ("raise", "skip"):
            raise ValueError(f'bad={bad!r} is unknown. Valid: "raise", "skip".')
        if size is not None and size < 1:
            raise ValueError(f"size={size}: the side of the square must be at least 1 pixel.")
        if augment and size is None:
            raise ValueError("augment=True cuts a square, so it needs size, such as size=256.")
        if not 1.0 <= scale[0] <= scale[1]:
            raise ValueError(
                f"scale={scale}: expected 1 <= lowest <= highest, such as (1.0, 1.25)."
            )
        single = isinstance(folders, (str, os.PathLike))
        self.folders = [Path(folders)] if single else [Path(folder) for folder in folders]
        if not self.folders:
            raise ValueError("The list of folders is empty; name at least one folder of photos.")
        self.size, self.augment, self.scale = size, augment, scale
        self.names: list[str] = []
        self.paths: list[Path] = []
        self.folder_of: list[int] = []
        self.skipped: dict[Path, str] = {}
        for number, folder in enumerate(self.folders):
            for other in self.folders[:number]:
                a, b = folder.resolve(), other.resolve()
                if a == b or a in b.parents or b in a.parents:
                    raise ValueError(f"{folder} and {other} overlap: photos would count twice.")
            names = list_photos(folder)
            if bad == "skip":
                names = self._readable(folder, names)
            self.names += names
            self.paths += [folder / name for name in names]
            self.folder_of += [number] * len(names)
        if self.skipped:
            reasons = list(self.skipped.values())
            more = len(reasons) - _NAMED_IN_WARNING
            tail = [f"... and {more} more, see .skipped"] if more > 0 else []
            lines = "\n  ".join(reasons[:_NAMED_IN_WARNING] + tail)
            warnings.warn(f"{len(reasons)} unreadable photo(s) left out:\n  {lines}", stacklevel=2)

    def _readable(self, folder: Path, names: list[str]) -> list[str]:
        """The names whose files decode; the others go to `skipped`."""
        # Threads do: Pillow releases the interpreter while it decodes.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            problems = list(pool.map(_problem, [folder / name for name in names]))
        bad = {name: why for name, why in zip(names, problems, strict=True) if why is not None}
        if len(bad) == len(names):
            first = next(iter(bad.values()))
            raise PhotoError(f"None of the {len(names)} photos in {folder} can be read; {first}")
        self.skipped |= {folder / name: why for name, why in bad.items()}
        return [name for name in names if name not in bad]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: int | tuple[int, int]) -> torch.Tensor:
        index, seed = item if isinstance(item, tuple) else (item, None)
        image, filled = read_photo(self.paths[index], self.size)
        if self.size is not None:
            if self.augment and seed is None:
                seed = int(torch.randint(2**63 - 1, ()))
            image = _square(image, filled, self.size, self.scale, seed if self.augment else None)
        # (H, W, 3) -> (3, H, W), in one copy that owns its memory
        return torch.from_numpy(np.array(np.asarray(image).transpose(2, 0, 1), order="C"))

    def weights(self, balance: float = 1.0) -> torch.Tensor:
        """Probability of each photo, float64 (len,), sum 1: folder i has a total of n_i**balance
        over the sum of all; 1: every photo alike, 0: every folder alike, whatever its size."""
        _, number, counts = torch.tensor(self.folder_of).unique(
            return_inverse=True, return_counts=True
        )
        totals = counts.double() ** balance
        return (totals / totals.sum() / counts)[number]

    def split(self, fractions: dict[str, float] = _FRACTIONS) -> dict[str, PhotoFolder]:
        """`split_by_name` of the photos: one PhotoFolder a part, with this one's settings."""
        parts = split_by_name(self.names, fractions)
        return {part: self._only(set(names)) for part, names in parts.items()}

    def _only(self, names: set[str]) -> PhotoFolder:
        chosen = [i for i, name in enumerate(self.names) if name in names]
        other = copy.copy(self)
        other.names = [self.names[i] for i in chosen]
        other.paths = [self.paths[i] for i in chosen]
        other.folder_of = [self.folder_of[i] for i in chosen]
        return other


def _square(
    image: Image.Image,
    filled: tuple[float, float, float, float],
    size: int,
    scale: tuple[float, float],
    seed: int | None,
) -> Image.Image:
    """An image's `size` x `size` cut: the middle one (seed None) or a random, perhaps mirrored one.

    Equals resizing the part that the photo fills (`filled`: left, top, right, bottom) and cropping;
    but only what is kept is computed, so that a strip of 10000 x 2 pixels does no harm.
    """
    u, across, down, mirror = 1.0, 0.5, 0.5, False
    if seed is not None:
        rng = random.Random(int(seed))  # its random() is the same on every machine and Python
        u = scale[0] + (scale[1] - scale[0]) * rng.random()
        across, down, mirror = rng.random(), rng.random(), rng.random() < 0.5
    sides = filled[2] - filled[0], filled[3] - filled[1]
    factor = size * u / min(sides)
    spans = []
    for first, side, where in zip(filled[:2], sides, (across, down), strict=True):
        resized = max(size, round(side * factor))
        room = resized - size
        start = room // 2 if seed is None else int(where * (room + 1))
        spans.append((first + start * side / resized, first + (start + size) * side / resized))
    (left, right), (top, bottom) = spans
    # The last bit of a sum may lie beyond the edge.
    right, bottom = min(right, image.width), min(bottom, image.height)
    cut = image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, right, bottom), reducing_gap=3.0
    )
    return ImageOps.mirror(cut) if mirror else cut


def split_by_name(
    names: Iterable[str | PurePath], fractions: dict[str, float] = _FRACTIONS
) -> dict[str, list[Any]]:
    """Deal names into parts by a hash of each name alone, in the order given.

    BLAKE2b (RFC 7693) of the name, as a number in [0, 1), falls into one part's share of that
    interval. A photo's part depends on nothing but its name and the fractions: adding, removing
    or reordering other photos never moves it, on any machine. The shares are met on average only.
    Near-duplicates under different names can be parted; group them first where that matters.

    names: relative to the data's folder (`PhotoFolder.names`), so the same everywhere.
    fractions: part -> share; at least 0, with a sum of 1.
    Raises ValueError for other fractions and for absolute paths.
    """
    if any(share < 0 for share in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-9:
        raise ValueError(f"fractions={fractions}: expected shares of at least 0 with a sum of 1.")
    parts: dict[str, list[Any]] = {part: [] for part in fractions}
    ends = np.cumsum(list(fractions.values()))
    for name in names:
        text = name.as_posix() if isinstance(name, PurePath) else name
        if os.path.isabs(text):
            raise ValueError(
                f"{text} is an absolute path, which differs from machine to machine, and so would "
                "the split. Give names relative to the folder, as PhotoFolder.names has them."
            )
        digest = hashlib.blake2b(canonical(text).encode(), digest_size=6).digest()
        place = int.from_bytes(digest, "big") / 2**48
        # The last end can be 1 - 1e-16 after the sum.
        number = min(int(np.searchsorted(ends, place, side="right")), len(ends) - 1)
        parts[list(fractions)[number]].append(name)
    return parts
