"""What `colorlab train` asks of the user's own photos before, and tells when one can't be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from colorlab.audit.search import SPLITS
from colorlab.photos.arrays import LabArrays
from colorlab.photos.exclusions import FILE_NAME
from colorlab.photos.files import PhotoError, is_passing, read_photo
from colorlab.photos.pairs import PairedFolder

_TRAIN = 20_000
_LOOKED_AT = 16


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


def check_output(output: str | os.PathLike[str], folders: list[Path]) -> None:
    """Raise ValueError where a run would write into a folder of its photos."""
    inside = Path(output).resolve()
    for folder in folders:
        if folder.resolve() in (inside, *inside.parents):
            raise ValueError(
                f"the run's output {output} lies in the folder of photos {folder}, where its "
                "sample pictures would be taken for photos; name a folder elsewhere with -o"
            )


def check_splits(folders: Sequence[str]) -> None:
    """Say so where one folder is given that holds a training part beside others."""
    for folder in map(Path, folders):
        others = [part for part in SPLITS if part != "train" and (folder / part).is_dir()]
        if others and (folder / "train").is_dir():
            print(
                f"colorlab: {folder} holds train beside {' and '.join(others)}, and all of it is "
                f"learned from; to hold out: --data {quote(str(folder / 'train'))} --validation "
                f"{quote(str(folder / others[0]))}",
                file=sys.stderr,
            )


def pairs(gray: str | os.PathLike[str], color: str | os.PathLike[str]) -> PairedFolder:
    """Gray and color photos in two folders.

    Raises ValueError where up to 16 photos, spread over the set, show that the two are swapped;
    and what `PairedFolder` raises.
    """
    found = PairedFolder(gray, color)
    count = min(_LOOKED_AT, len(found))
    some = [found.pairs[i * len(found) // count] for i in range(count)]
    grays, colors = ([_is_gray(path) for path in side] for side in zip(*some, strict=True))
    if set(colors) <= {True, None} and True in colors and False in grays:
        raise ValueError(
            f"the color photos in {color} are gray, and the gray ones in {gray} are not: are the "
            f"two folders swapped? Try --pairs {quote(str(color))} {quote(str(gray))}"
        )
    return found


def _is_gray(path: Path) -> bool | None:
    """Whether R, G and B agree within 2 levels, on the mean; None for a photo that can't be read,
    which is told when it is learned from."""
    try:
        picture = np.asarray(read_photo(path, short_side=64)[0]).astype(np.int16)
    except PhotoError:
        return None
    return bool(np.ptp(picture, axis=-1).mean() <= 2)


@contextmanager
def audit_named(folders: list[Path]) -> Iterator[None]:
    """Add to the error of a photo that can't be read how to find all such photos of its folder."""
    try:
        yield
    except PhotoError as error:
        inside = [f for f in folders if str(error).startswith(_prefix(f))]
        if error.__cause__ is None or not inside:  # no file failed; or it lies in a pack
            raise
        if is_passing(error.__cause__):  # the audit lists no photo that may be good the next time
            listed = inside[0] / FILE_NAME
            raise PhotoError(f"{error} To leave it out, write its name into {listed}.") from error
        command = f"colorlab audit {quote(str(inside[0]))} --exclude"
        raise PhotoError(
            f"{error} To leave out all such photos: `{command}` lists them, and training leaves "
            "out what is listed."
        ) from error


def _prefix(folder: Path) -> str:
    return "" if folder == Path() else f"{folder}{os.sep}"
