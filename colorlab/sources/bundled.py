"""The course's own data: the bundled photos, the starter weights, what lessons have recorded.

It lives in ``data/`` of the checkout. The installed package takes the starter weights along and
leaves the photos behind. Whatever needs them asks here, and outside a checkout learns how to get
them.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from colorlab.photos.files import list_photos

SPLITS = ("train", "val", "test")
VARIABLE = "COLORLAB_DATA"
WEIGHTS = "starter.safetensors"
_RESTORE = "They come with the repository: `git checkout -- data` in it brings them back."


class DataMissing(FileNotFoundError):
    """Data of the course is not there.

    The message says what, where it was looked for, and how to get it.
    """


def repository_address() -> str | None:
    """The address of the course's repository, as ``pyproject.toml`` names it.

    None where the package runs without having been installed.
    """
    try:
        entries = importlib.metadata.metadata("colorlab").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    addresses = dict(entry.split(", ", 1) for entry in entries)
    return addresses.get("Repository")


def data_dir() -> Path:
    """The ``data/`` folder: what the environment variable COLORLAB_DATA names, else the checkout's.

    Raises:
        DataMissing: no folder ``photos`` is inside.
    """
    chosen = os.environ.get(VARIABLE)
    folder = Path(chosen) if chosen else _checkout()
    if (folder / "photos").is_dir():
        return folder
    if chosen:
        raise DataMissing(
            f"{VARIABLE} is set to {chosen}, but there is no folder photos in it. Let it name the "
            "data/ folder of a checkout of the course, or unset it."
        )
    raise DataMissing(
        f"The course's data/ folder (photos, what lessons need) was looked for in {folder} and is "
        f"not there: colorlab seems to be installed without its checkout. {_how_to_get()}"
    )


def _checkout() -> Path:
    return Path(__file__).resolve().parents[2] / "data"


def bundled_photos(split: str) -> list[Path]:
    """The bundled photos of "train", "val" or "test", sorted by name: JPEG, short side <= 256.

    Raises:
        ValueError: another split.
        DataMissing: the photos are not there.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}. Valid: {', '.join(SPLITS)}.")
    folder = data_dir() / "photos" / split
    if not folder.is_dir():
        raise DataMissing(f"The bundled {split} photos are not in {folder}. {_RESTORE}")
    return [folder / name for name in list_photos(folder)]


def starter_weights() -> Path:
    """The file of the generator that this project trained itself.

    It is ``data/weights/starter.safetensors`` of the checkout, or what an installed package without
    one brought along.

    Raises:
        DataMissing: it is not there.
    """
    alone = not os.environ.get(VARIABLE) and not _checkout().is_dir()
    if alone and (installed := _installed_weights()) is not None:
        return installed
    path = data_dir() / "weights" / WEIGHTS
    if not path.is_file():
        raise DataMissing(
            f"The starter weights are not in {path}. {_RESTORE} To train your own instead: "
            "colorlab train --recipe starter"
        )
    return path


def _installed_weights() -> Path | None:
    """Where pip put the weights, as pyproject.toml's data-files ask; None where it put none."""
    beside = [Path(__file__).resolve().parents[2] / "share" / "colorlab" / WEIGHTS]  # pip --target
    try:
        files = importlib.metadata.files("colorlab") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    listed = [Path(file.locate()).resolve() for file in files if file.name == WEIGHTS]
    return next((path for path in (*listed, *beside) if path.is_file()), None)


def lesson_file(name: str) -> Path:
    """A file of ``data/lessons``: what a lesson shows and would take too long to compute in it.

    Raises:
        DataMissing: it is not there.
    """
    path = data_dir() / "lessons" / name
    if not path.is_file():
        raise DataMissing(f"{name} is not in {path.parent}. {_RESTORE}")
    return path


def _how_to_get() -> str:
    address = repository_address() or "ADDRESS-OF-THE-COURSE"
    return (
        f"To get it: git clone {address}, then open the course from that folder (make lab), or "
        f"set {VARIABLE} to its data folder."
    )
