"""Photo files in, uint8 RGB tensors out.

Every picture that the course trains on passes through here: a file of any common format becomes an
upright sRGB picture (``open_photo``), a folder of them becomes a data set (``PhotoFolder``), and a
loader hands out batches in an order that one ``torch.Generator`` decides (``photo_loader``). A
folder that fits in memory is decoded once, and from then on only cut (``keep``).
Lab is not made here: whole batches are converted later, on the device that trains.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import torch

from colorlab.photos.base import PhotoSet, folder_weights, split_by_name
from colorlab.photos.batches import photo_loader
from colorlab.photos.exclusions import FILE_NAME, left_out_message, wanted
from colorlab.photos.files import PhotoError, check_apart, list_photos, open_photo, read_photo

__all__ = [
    "PhotoError",
    "PhotoFolder",
    "open_photo",
    "photo_loader",
    "split_by_name",
]

_NAMED_IN_WARNING = 20


def _problem(path: Path) -> str | None:
    """Why the photo cannot be read, or None. The whole file is decoded (JPEGs at 1/8 size)."""
    try:
        read_photo(path, short_side=1)
    except PhotoError as error:
        return str(error)
    return None


class Paths(Sequence[Path]):
    """The paths of a ``PhotoFolder``, made when they are asked for.

    As objects, those of 100,000 photos would take 40 MB in every process that reads.
    """

    def __init__(self, folders: list[Path], names: list[str], folder_of: list[int]) -> None:
        self._folders, self._names, self._folder_of = folders, names, folder_of

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._folders[self._folder_of[index]] / self._names[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        return repr(list(self))


class PhotoFolder(PhotoSet):
    """The photos below one or more folders, as uint8 tensors (3, H, W), RGB, 0..255.

    Args:
        size, augment, scale, keep, threads: see ``PhotoSet``.
        bad: "raise": a file that cannot be read raises ``PhotoError`` when it is asked for; nothing
            is read before. "skip": every file is decoded once, here, and the bad ones are left out
            with a warning that names them. So the length is true from the start and no other photo
            stands in for a bad one; it costs seconds per ten thousand files. ``.skipped``: path ->
            reason.

    Args:
        exclude: True: leave out what an ``exclude.txt`` in the folders names (see
            ``colorlab.photos.exclusions``), with a warning that says how many. False: take them in.
            A path: that list, of one folder. ``.excluded``: name -> reason.

    ``.paths`` and ``.names`` (relative to the photo's folder, with "/") are sorted by name within
    each folder, folders in the order given; ``.folder_of[i]`` is the number of photo i's folder.

    Raises:
        FileNotFoundError, NotADirectoryError: a folder that is not there.
        PhotoError: one without a (readable) photo or of which every photo is excluded.
        ValueError: arguments that contradict each other, or a broken list.
    """

    holds: ClassVar[str] = "rgb"
    per_photo: ClassVar[tuple[str, ...]] = ("names", "folder_of")

    def __init__(
        self,
        folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        bad: str = "raise",
        exclude: bool | str | os.PathLike[str] = True,
        keep: int = 0,
        threads: int = 1,
    ) -> None:
        if bad not in ("raise", "skip"):
            raise ValueError(f'bad={bad!r} is unknown. Valid: "raise", "skip".')
        super().__init__(size, augment, scale, keep, threads)
        single = isinstance(folders, (str, os.PathLike))
        self.folders = [Path(folders)] if single else [Path(folder) for folder in folders]
        if not self.folders:
            raise ValueError("The list of folders is empty; name at least one folder of photos.")
        check_apart(self.folders)
        if not isinstance(exclude, bool) and len(self.folders) > 1:
            raise ValueError(
                f"exclude={str(exclude)!r} names photos of one folder, and {len(self.folders)} "
                f"were given. Put a list named {FILE_NAME} into each; they are found there."
            )
        self.names: list[str] = []
        self.folder_of: list[int] = []
        self.skipped: dict[Path, str] = {}
        self.excluded: dict[str, str] = {}
        for number, folder in enumerate(self.folders):
            names, left_out = wanted(folder, list_photos(folder), exclude)
            self.excluded |= left_out
            if bad == "skip":
                names = self._readable(folder, names)
            self.names += names
            self.folder_of += [number] * len(names)
        if self.excluded and exclude is True:  # who named a file knows of it
            warnings.warn(left_out_message(len(self.excluded)), stacklevel=2)
        if self.skipped:
            reasons = list(self.skipped.values())
            more = len(reasons) - _NAMED_IN_WARNING
            tail = [f"... and {more} more, see .skipped"] if more > 0 else []
            lines = "\n  ".join(reasons[:_NAMED_IN_WARNING] + tail)
            warnings.warn(f"{len(reasons)} unreadable photo(s) left out:\n  {lines}", stacklevel=2)

    def _readable(self, folder: Path, names: list[str]) -> list[str]:
        """The names whose files decode; the others go to ``skipped``."""
        # Threads do: Pillow releases the interpreter while it decodes.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            problems = list(pool.map(_problem, [folder / name for name in names]))
        bad = {name: why for name, why in zip(names, problems, strict=True) if why is not None}
        if len(bad) == len(names):
            first = next(iter(bad.values()))
            raise PhotoError(f"None of the {len(names)} photos in {folder} can be read; {first}")
        self.skipped |= {folder / name: why for name, why in bad.items()}
        return [name for name in names if name not in bad]

    @property
    def paths(self) -> Paths:
        """The path of each photo."""
        return Paths(self.folders, self.names, self.folder_of)

    def _picture(self, index: int) -> torch.Tensor:
        return self._cut.picture(*read_photo(self.paths[index], self._cut.short))

    def weights(self, balance: float = 1.0) -> torch.Tensor:
        """Probability of each photo, float64 (len,), sum 1.

        Folder i has a total of n_i**balance over the sum of all; 1: every photo alike, 0: every
        folder alike, whatever its size.
        """
        return folder_weights(self.folder_of, balance)
