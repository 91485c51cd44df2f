"""What `colorlab train` asks of the user's own photos before, and tells when one can't be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from colorlab.arrays import LabArrays
from colorlab.photo_files import PhotoError

_TRAIN = 20_000


def lab_arrays(folder: str | os.PathLike[str], part: str) -> LabArrays:
    """Of the arrays in `folder` the first 20,000 photos to train on, as `LabArrays` has them, or
    nine tenths where they are fewer: the rest is the part "test"."""
    total = len(LabArrays(folder, part="all"))
    return LabArrays(folder, part=part, train=min(_TRAIN, max(1, total * 9 // 10)))


def folders_of(*sets: Any) -> list[Path]:
    """The folders that the photos of these data sets lie in; none for packs and arrays."""
    found = [getattr(photos, name, ()) for photos in sets for name in ("folders", "gray", "color")]
    return [
        Path(f) for some in found for f in (some if isinstance(some, (list, tuple)) else [some])
    ]


@contextmanager
def audit_named(folders: list[Path]) -> Iterator[None]:
    """Add to the error of a photo that can't be read how to find all such photos of its folder."""
    try:
        yield
    except PhotoError as error:
        inside = [f for f in folders if str(error).startswith(_prefix(f))]
        if error.__cause__ is None or not inside:  # no file failed; or it lies in a pack
            raise
        command = f"colorlab audit {quote(str(inside[0]))} --exclude"
        raise PhotoError(
            f"{error} To leave out all such photos: `{command}` lists them, and training leaves "
            "out what is listed."
        ) from error


def _prefix(folder: Path) -> str:
    return "" if folder == Path() else f"{folder}{os.sep}"
