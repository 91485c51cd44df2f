"""Where photos come from: the course's own, named sets on Kaggle, a folder of the learner's.

The course's own data (the bundled photos, the starter weights) lives in `data/` of the checkout and
is not part of the installed package, which stays small. Whatever needs it asks here, and outside a
checkout learns how to get it. The named sets (`SOURCES`) are downloaded when they are first asked
for.
"""

from __future__ import annotations

import importlib.metadata
import os
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from colorlab.photos.files import list_photos
from colorlab.sources.catalog import SOURCES, Source, find, table
from colorlab.sources.kaggle_login import has_credentials

if TYPE_CHECKING:
    from colorlab.photos.arrays import LabArrays
    from colorlab.photos.folder import PhotoFolder
    from colorlab.photos.packed import PackedPhotos
    from colorlab.photos.pairs import PairedFolder

__all__ = [
    "SOURCES",
    "SPLITS",
    "VARIABLE",
    "DataMissing",
    "Source",
    "bundled_photos",
    "data_dir",
    "fetch",
    "folder",
    "get",
    "has_credentials",
    "lesson_file",
    "repository_address",
    "starter_weights",
    "table",
]

SPLITS = ("train", "val", "test")
VARIABLE = "COLORLAB_DATA"
_RESTORE = "They come with the repository: `git checkout -- data` in it brings them back."


class DataMissing(FileNotFoundError):
    """Data of the course is not there; the message says what, where it was looked for, and how
    to get it."""


def repository_address() -> str | None:
    """The address of the course's repository, as `pyproject.toml` names it; None where the package
    runs without having been installed."""
    try:
        entries = importlib.metadata.metadata("colorlab").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    addresses = dict(entry.split(", ", 1) for entry in entries)
    return addresses.get("Repository")


def data_dir() -> Path:
    """The `data/` folder: what the environment variable COLORLAB_DATA names, else the checkout's.

    Raises `DataMissing` where no folder `photos` is inside.
    """
    chosen = os.environ.get(VARIABLE)
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "data"
    if (folder / "photos").is_dir():
        return folder
    if chosen:
        raise DataMissing(
            f"{VARIABLE} is set to {chosen}, but there is no folder photos in it. Let it name the "
            "data/ folder of a checkout of the course, or unset it."
        )
    raise DataMissing(
        f"The course's data/ folder (photos, starter weights) was looked for in {folder} and is "
        f"not there: colorlab seems to be installed without its checkout. {_how_to_get()}"
    )


def bundled_photos(split: str) -> list[Path]:
    """The bundled photos of "train", "val" or "test", sorted by name: JPEG, short side <= 256.

    Raises ValueError for another split, `DataMissing` where the photos are not there.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}. Valid: {', '.join(SPLITS)}.")
    folder = data_dir() / "photos" / split
    if not folder.is_dir():
        raise DataMissing(f"The bundled {split} photos are not in {folder}. {_RESTORE}")
    return [folder / name for name in list_photos(folder)]


def starter_weights() -> Path:
    """`data/weights/starter.safetensors`, the generator that this project trained itself.

    Raises `DataMissing` where it is not there.
    """
    path = data_dir() / "weights" / "starter.safetensors"
    if not path.is_file():
        raise DataMissing(
            f"The starter weights are not in {path}. {_RESTORE} To train your own instead: "
            "colorlab train --recipe starter"
        )
    return path


def lesson_file(name: str) -> Path:
    """A file of `data/lessons`: what a lesson shows and would take too long to compute in it.

    Raises `DataMissing` where it is not there.
    """
    path = data_dir() / "lessons" / name
    if not path.is_file():
        raise DataMissing(f"{name} is not in {path.parent}. {_RESTORE}")
    return path


# --- named sets, and the learner's own ------------------------------------------------------------


def get(
    name: str,
    *,
    limit: int | None = None,
    into: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> PhotoFolder | PairedFolder | LabArrays:
    """The photos of a named source, downloaded first if they are not here yet.

    Ready for a `Run`, and for `.at(size, ...)` and `.split()`. Of "bundled" the training photos, of
    pairs those to train on: what is meant to judge by stays out. The other arguments and what is
    raised: see `fetch`.
    """
    from colorlab.sources.layouts import open_set

    return open_set(find(name).layout, fetch(name, limit=limit, into=into, seed=seed))


def fetch(
    name: str,
    *,
    limit: int | None = None,
    into: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Path:
    """The folder that holds the photos of a named source, downloaded if it is not there yet.

    A download that broke off, or whose process died, goes on where it stopped. A set that is there
    is found at once, after a look at its files: if some are missing, they are fetched again.

    limit: so many photos (or all, if there are fewer), drawn at random by `seed`: the same ones on
        any machine. None: the source's own `limit`, which is all of them for most.
    into: the folder in which the set gets its own; None: see
        `colorlab.sources.downloads.downloads_dir`.

    Raises TypeError for a limit that is no int; ValueError for another name, a limit below 1, or an
    archive that is damaged or would do harm (`colorlab.sources.archives.ArchiveError`); OSError
    where the download fails (`colorlab.sources.kaggle.DownloadError`) or no credentials are found
    (`colorlab.sources.kaggle_login.LoginMissing`). Each says what to do.
    """
    from colorlab.sources import downloads

    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, Integral)):
        raise TypeError(f"limit={limit!r}: expected a whole number of photos, such as 100, or None")
    source = find(name)
    home = downloads.downloads_dir() if into is None else Path(into)
    whole = data_dir() / "photos" / "train" if source.slug is None else None
    limit = source.limit if limit is None else limit
    return downloads.fetch(source, home, limit, seed, whole=whole)


def folder(
    path: str | os.PathLike[str],
) -> PhotoFolder | PackedPhotos | PairedFolder | LabArrays:
    """The photos in a folder of your own, in whichever layout they lie there; says which.

    Plain photos, at any depth; gray and color photos in two folders named so (`gray`, `color`, or
    `train_black`, `train_color`); arrays (`gray_scale.npy`, `ab1.npy`); or what `colorlab pack`
    made.

    Raises FileNotFoundError, NotADirectoryError or ValueError where nothing of it is there.
    """
    from colorlab.sources.layouts import recognize

    if not os.fspath(path):
        raise ValueError("an empty name was given for the folder; the current one is '.'")
    _, photos, found = recognize(Path(path))
    print(found)
    return photos


def _how_to_get() -> str:
    address = repository_address() or "ADDRESS-OF-THE-COURSE"
    return (
        f"To get it: git clone {address}, then open the course from that folder (make lab), or "
        f"set {VARIABLE} to its data folder."
    )
