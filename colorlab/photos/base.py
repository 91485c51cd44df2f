"""What every data set of this course has in common: squares cut from working pictures, and a split
by name."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.utils.data import Dataset

from colorlab.photos.cuts import Cut, Kept, Threads
from colorlab.photos.files import canonical

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}


class PhotoSet(Dataset[torch.Tensor]):
    """Photos as uint8 tensors (C, H, W), by ``ds[i]`` or ``ds[i, seed]``.

    The pairs of an index and a seed come from ``photo_loader``.

    Args:
        size: None: the whole photo as it is. s: the short side is brought to s and an s x s square
            is cut out (bicubic, antialiased).
        augment: False: the middle square. True: the short side is brought to s * u with u uniform
            in ``scale``, the square is cut at random, and every other one is mirrored; of a photo
            longer than 4 : 1, from its middle 4 : 1. ``seed`` (an int) alone decides all of it;
            without it, it is drawn from torch's global generator. The file becomes a working
            picture, its short side s * highest u, and the square is cut from that: two resamplings
            where u is not the highest.
        scale: (lowest, highest) u, at least 1 so that the square fits.
        keep: bytes of working pictures that may stay in memory, so that later epochs read no file:
            a byte a channel of each pixel, 0.3 MB for a photo of s = 256 at 4 : 3. First come,
            first kept; those beyond are read each time. The tensors are the same with and without.
            Inside the worker processes of a DataLoader nothing is kept, as each would fill a memory
            of its own: use ``threads``.
        threads: how many read and cut when a whole batch is asked for, as a DataLoader does.

    A subclass says in ``holds`` what its tensors hold, lists its photos in ``names``, and reads the
    working picture of one in ``_picture``.

    Raises:
        ValueError: arguments that contradict each other.
    """

    holds: ClassVar[str]
    per_photo: ClassVar[tuple[str, ...]]  # attributes with an entry for each photo
    names: list[str]

    def __init__(
        self, size: int | None, augment: bool, scale: tuple[float, float], keep: int, threads: int
    ) -> None:
        self._set(size, augment, scale, keep, threads)

    def _picture(self, index: int) -> torch.Tensor:
        """The working picture of photo ``index``, uint8 (H, W, C), as ``self._cut`` wants it."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, item: int | tuple[int, int]) -> torch.Tensor:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int | tuple[int, int]]) -> list[torch.Tensor]:
        """Several photos at once, in the order asked for, read by ``threads`` threads."""
        wanted = []
        for item in items:
            index, seed = item if isinstance(item, tuple) else (item, None)
            if seed is None and self.augment:
                seed = int(torch.randint(2**63 - 1, ()))
            wanted.append((range(len(self))[index], seed))  # -1 is the last; IndexError beyond
        return self._threads.map(self._photo, wanted)

    def _photo(self, wanted: tuple[int, int | None]) -> torch.Tensor:
        index, seed = wanted
        picture = self._kept.get(index)
        if picture is None:
            picture = self._picture(index)
            self._kept.add(index, picture)
        return self._cut.square(picture, seed)

    @property
    def kept(self) -> tuple[int, int]:
        """Photos and bytes in memory."""
        return len(self._kept), self._kept.bytes

    def at(
        self,
        size: int | None,
        *,
        augment: bool | None = None,
        scale: tuple[float, float] | None = None,
        keep: int | None = None,
        threads: int | None = None,
    ) -> Self:
        """The same photos, not listed anew, with another size; None leaves the rest as it is here.

        What is in memory is not shared.

        Raises:
            ValueError: as the class does.
        """
        other = copy.copy(self)
        other._set(
            size,
            self.augment if augment is None else augment,
            self.scale if scale is None else scale,
            self._kept.limit if keep is None else keep,
            self._threads.count if threads is None else threads,
        )
        return other

    def weights(self, balance: float = 1.0) -> torch.Tensor:
        """Probability of each photo, float64 (len,), sum 1; they are one set, so all alike."""
        return torch.full((len(self),), 1 / len(self), dtype=torch.float64)

    def split(self, fractions: dict[str, float] = FRACTIONS) -> dict[str, Self]:
        """Split the photos as ``split_by_name`` does, into one set a part.

        Each has this one's settings and a memory of its own.
        """
        parts = split_by_name(self.names, fractions)
        return {part: self._only(set(names)) for part, names in parts.items()}

    def _only(self, names: set[str]) -> Self:
        chosen = [i for i, name in enumerate(self.names) if name in names]
        other = self.at(self.size)  # what is in memory goes by number, and the numbers change
        for attribute in self.per_photo:
            entries = getattr(self, attribute)
            setattr(other, attribute, [entries[i] for i in chosen])
        return other

    def _set(
        self, size: int | None, augment: bool, scale: tuple[float, float], keep: int, threads: int
    ) -> None:
        """Check the settings and take them; nothing is in memory then."""
        self._cut = Cut(size, augment, scale)
        self.size, self.augment, self.scale = size, augment, scale
        self._kept = Kept(keep)
        self._threads = Threads(threads)


def folder_weights(folder_of: Sequence[int], balance: float) -> torch.Tensor:
    """Probability of each photo by the number of its folder, float64 (len,), sum 1.

    Folder i has a total of n_i**balance over the sum of all.
    """
    _, number, counts = torch.tensor(folder_of).unique(return_inverse=True, return_counts=True)
    totals = counts.double() ** balance
    return (totals / totals.sum() / counts)[number]


def split_by_name(
    names: Iterable[str | PurePath], fractions: dict[str, float] = FRACTIONS
) -> dict[str, list[Any]]:
    """Deal names into parts by a hash of each name only, in the order of ``names``.

    BLAKE2b (RFC 7693) of the name, as a number in [0, 1), falls into one part's share of that
    interval. A photo's part depends on nothing but its name and the fractions: adding, removing
    or reordering other photos never moves it, on any machine. The shares are met on average only.
    Near-duplicates under different names can be parted; group them first where that matters.

    Args:
        names: relative to the data's folder (``PhotoFolder.names``), so the same everywhere.
        fractions: part -> share; at least 0, with a sum of 1.

    Raises:
        ValueError: other fractions, or absolute paths.
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
        spelled = canonical(text).encode(errors="surrogateescape")  # a name need not be UTF-8
        digest = hashlib.blake2b(spelled, digest_size=6).digest()
        place = int.from_bytes(digest, "big") / 2**48
        # The last end can be 1 - 1e-16 after the sum.
        number = min(int(np.searchsorted(ends, place, side="right")), len(ends) - 1)
        parts[list(fractions)[number]].append(name)
    return parts
