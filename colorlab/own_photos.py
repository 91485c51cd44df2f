"""What `colorlab train` asks of the user's own photos before, and tells when one can't be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from colorlab.photo_files import PhotoError


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
        raise PhotoError(
            f"{error} To leave out all such photos: `colorlab audit {inside[0]} --exclude` lists "
            "them, and training leaves out what is listed."
        ) from error


def _prefix(folder: Path) -> str:
    return "" if folder == Path() else f"{folder}{os.sep}"
