"""Named sets of photos, downloaded when they are first asked for, and a folder of the learner's."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from colorlab.sources.bundled import data_dir
from colorlab.sources.catalog import find

if TYPE_CHECKING:
    from colorlab.photos.arrays import LabArrays
    from colorlab.photos.folder import PhotoFolder
    from colorlab.photos.packed import PackedPhotos
    from colorlab.photos.pairs import PairedFolder


def get(
    name: str,
    *,
    limit: int | None = None,
    into: str | os.PathLike[str] | None = None,
    seed: int = 0,
    part: str = "train",
) -> PhotoFolder | PairedFolder | LabArrays:
    """The photos of a named source, downloaded first if they are not here yet.

    Ready for a ``Run``, and for ``.at(size, ...)`` and ``.split()``. Of "bundled" the training
    photos, of pairs and of sets with a held-out part of their own those to train on. The other
    arguments and what is raised: see ``fetch``.

    Args:
        part: "val" for the photos to hold out, of a set that has such a part and without a limit.

    Raises:
        ValueError: another part; the set has none, or a limit comes with it.
    """
    from colorlab.sources.layouts import PARTS, open_set

    layout = find(name).layout
    if part not in PARTS:
        raise ValueError(f"There is no part {part!r}. Choose from {', '.join(PARTS)}.")
    if part != "train" and (layout != "split" or limit is not None):
        lacks = (
            "with a limit holds only photos to train on" if layout == "split" else "has no parts"
        )
        raise ValueError(f"{name} {lacks}. Hold some out yourself: sources.get(...).split().")
    return open_set(layout, fetch(name, limit=limit, into=into, seed=seed), part)


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

    Args:
        limit: so many photos (or all, if there are fewer), drawn at random by ``seed``: the same
            ones on any machine. What is held out is not drawn from. None: the source's own
            ``limit``, which is all of them for most.
        into: the folder in which the set gets its own; None: see
            ``colorlab.sources.downloads.downloads_dir``.

    Raises:
        TypeError: a limit that is no int.
        ValueError: another name, a limit below 1, or an archive that is damaged or would do harm
            (``colorlab.sources.archives.ArchiveError``).
        OSError: the download fails (``colorlab.sources.kaggle.DownloadError``) or no credentials
            are found (``colorlab.sources.kaggle.LoginMissing``).
    """
    from colorlab.sources import downloads

    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, Integral)):
        raise TypeError(f"limit={limit!r}: expected a whole number of photos, such as 100, or None")
    source = find(name)
    home = downloads.downloads_dir() if into is None else Path(into)
    whole = data_dir() / "photos" / "train" if source.page is None else None
    limit = source.limit if limit is None else limit
    return downloads.download_set(source, home, limit, seed, whole=whole)


def folder(
    path: str | os.PathLike[str],
) -> PhotoFolder | PackedPhotos | PairedFolder | LabArrays:
    """The photos in a folder of your own, in whichever layout they lie there; says which.

    Plain photos, at any depth; gray and color photos in two folders named so (``gray``, ``color``,
    or ``train_black``, ``train_color``); arrays (``gray_scale.npy``, ``ab1.npy``); or what
    ``colorlab pack`` made.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: nothing of it is there.
    """
    from colorlab.sources.layouts import recognize

    if not os.fspath(path):
        raise ValueError("an empty name for the folder; the current one is '.'")
    _, photos, found = recognize(Path(path))
    print(found)
    return photos
