"""Named sets of photos on this machine: fetched once, checked, repaired, and found again at once.

Each set gets a folder of its own (``colorlab.sources.set_folders``). One that is not whole is
filled up: from a larger set that is here already, or from its archive.
"""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import platformdirs

from colorlab.photos.files import list_photos
from colorlab.progress import progress_bar
from colorlab.sources import kaggle, layouts, public
from colorlab.sources.archives import Archive, ArchiveError, ZipArchive
from colorlab.sources.catalog import Source, size_in_words
from colorlab.sources.resumable import DownloadError
from colorlab.sources.set_folders import (
    Files,
    complete,
    install,
    intact,
    locked,
    read_manifest,
    write_manifest,
)
from colorlab.sources.tars import TarArchive

VARIABLE = "COLORLAB_DOWNLOADS"
_SPARE = 200e6  # bytes that a disk is not filled beyond


def downloads_dir() -> Path:
    """Where sets are kept by default; it need not exist yet.

    ``COLORLAB_DOWNLOADS`` if set; else ``%LOCALAPPDATA%\\colorlab\\Cache`` on Windows,
    ``~/Library/Caches/colorlab`` on macOS, and ``~/.cache/colorlab`` elsewhere, unless
    ``XDG_CACHE_HOME`` names another folder for caches.
    """
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_cache_path("colorlab", appauthor=False)


def download_set(
    source: Source,
    home: Path,
    limit: int | None,
    seed: int,
    *,
    whole: Path | None = None,
    **settings: Any,
) -> Path:
    """The folder of the set below ``home``, made now unless it is there and complete.

    Args:
        limit, seed: see ``colorlab.sources.layouts.subset``.
        whole: a folder that holds the whole set, where nothing has to be downloaded.
        settings: of ``colorlab.sources.resumable.download_file``.

    Several processes may ask for the same set: one fetches, the others wait for it.

    Raises:
        DownloadError, LoginMissing: OSErrors; the download failed, or there are no credentials.
        ArchiveError: a ValueError; the archive is damaged, or would do harm.
        ValueError: a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}: at least one photo must be asked for; None means all.")
    if limit is None and whole is not None:
        return whole
    folder = home / _folder_name(source, limit, seed)
    if complete(folder):
        return folder
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f".{source.name}.lock", source.name):
            if not complete(folder):  # nobody made it while this process waited
                _make(source, folder, limit, seed, whole, settings)
    except OSError as error:
        if isinstance(error, DownloadError) or error.errno is None:
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DownloadError(
            f"{error.filename or home}: {error.strerror}. "
            + ("Make room there, then do the same again" if full else "Check the folder")
            + f", or name another one (into=, --to, or {VARIABLE})."
        ) from None
    return folder


def _folder_name(source: Source, limit: int | None, seed: int) -> str:
    return source.name if limit is None else f"{source.name}-{limit}-seed-{seed}"


def _larger(source: Source, home: Path, limit: int | None, seed: int) -> Path | None:
    """A complete set below ``home`` that holds all photos of this one."""
    if limit is None or source.layout == "arrays":
        return None
    sizes = {source.name: float("inf")}
    for path in home.glob(f"{source.name}-*-seed-{seed}"):
        count = path.name.removeprefix(f"{source.name}-").removesuffix(f"-seed-{seed}")
        if count.isdigit() and int(count) > limit:
            sizes[path.name] = int(count)
    there = [home / name for name in sorted(sizes, key=sizes.__getitem__)]
    return next((path for path in there if complete(path)), None)


# --- making it -----------------------------------------------------------------------------------


def _make(
    source: Source,
    folder: Path,
    limit: int | None,
    seed: int,
    whole: Path | None,
    settings: dict[str, Any],
) -> None:
    known = read_manifest(folder) or {}
    there = intact(folder, known)
    if missing := [name for name in known if name not in there]:
        warnings.warn(
            f"{len(missing):,} of the {len(known):,} files in {folder} are missing or have changed "
            f"(such as {missing[0]}); they are fetched again.",
            stacklevel=3,
        )
    if whole is None:
        whole = _larger(source, folder.parent, limit, seed)
    aside = folder.with_name(folder.name + ".unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        if whole is not None:
            files = _copy(source, whole, aside, limit, seed, there)
        else:
            files = _from_archive(source, folder.parent, aside, limit, seed, there, settings)
        install(aside / "set", folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    layouts.open_set(source.layout, folder)  # raises where it isn't what the catalog says
    write_manifest(folder, files, source=source.name, slug=source.slug, limit=limit, seed=seed)
    _archive(source, folder.parent).unlink(missing_ok=True)


def _archive(source: Source, home: Path) -> Path:
    return home / f"{source.name}.{'zip' if source.file is None else 'tgz'}"


def _download(source: Source, path: Path, **settings: Any) -> None:
    if source.file is None:
        kaggle.download_archive(source.slug or "", path, **settings)
    else:
        public.download_archive(source.file, path, **settings)


def _opened(source: Source, path: Path) -> Archive:
    """The archive, found whole and harmless."""
    if source.file is None:
        return ZipArchive(path)
    public.check(source.file, path)
    return TarArchive(path)


def _copy(
    source: Source, whole: Path, aside: Path, limit: int | None, seed: int, there: Files
) -> Files:
    """Take the photos from a larger set on this disk."""
    found = layouts.items(source.layout, list_photos(whole))
    names = layouts.subset(source.layout, found, limit, seed)
    files = {name: (whole / name).stat().st_size for name in names}
    missing = [name for name in names if there.get(name) != files[name]]
    _check_room(aside.parent, sum(files[name] for name in missing), source)
    for name in missing:
        target = aside / "set" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(whole / name, target)
    return files


def _from_archive(
    source: Source,
    home: Path,
    aside: Path,
    limit: int | None,
    seed: int,
    there: Files,
    settings: dict[str, Any],
) -> Files:
    """Download the archive, unless it lies there already, and unpack what is wanted of it."""
    share = 1.0 if limit is None or source.layout == "arrays" else min(1, limit / source.images)
    thin = limit if source.layout == "arrays" else None

    def room(left: int, size: int) -> None:
        _check_room(home, left + (source.unpacked or size) * share, source)

    path = _archive(source, home)
    if not path.exists():
        _download(source, path, room=room, **settings)
    try:
        with _opened(source, path) as archive:
            found = layouts.items(source.layout, archive.files)
            _check_contents(source, found, archive)
            files = {
                name: archive.files[name]
                for name in layouts.subset(source.layout, found, limit, seed)
            }
            missing = [name for name in files if thin or there.get(name) != files[name]]
            total = sum(files[name] for name in missing)
            _check_room(home, total, source)
            name, visible = f"unpack {source.name}", settings.get("progress", True)
            with progress_bar(total, "B", name=name, visible=visible) as bar:
                archive.unpack(missing, aside / ("all" if thin else "set"), bar.update)
    except ArchiveError as error:
        path.unlink(missing_ok=True)
        raise ArchiveError(
            f"{error} It was removed, and nothing of it is used. The same call downloads it anew; "
            f"if it is refused again, look at {source.page}."
        ) from error
    if thin:
        layouts.thin_arrays(aside / "all", aside / "set", thin, seed)
        arrays = [path for path in (aside / "set").rglob("*.npy")]
        files = {p.relative_to(aside / "set").as_posix(): p.stat().st_size for p in arrays}
    return files


def _check_contents(source: Source, found: dict[str, list[str]], archive: Archive) -> None:
    if not found:
        held = ", ".join(map(repr, list(archive.files)[:5])) or "nothing"
        raise ValueError(
            f"{archive.path} holds no {source.layout} in the form that {source.name} had when this "
            f"was written, but {held}. Unpack it by hand and open it with sources.folder(PATH)."
        )
    if source.counted and source.layout != "arrays" and len(found) != source.images:
        warnings.warn(
            f"{source.name} has {len(found):,} photos, and {source.images:,} were expected: the "
            f"set has changed ({source.page}). All that it has now is taken.",
            stacklevel=2,
        )


def _check_room(folder: Path, needed: float, source: Source) -> None:
    """Raise where the disk has no room for so many more bytes."""
    free = shutil.disk_usage(folder).free
    if needed + _SPARE > free:
        raise DownloadError(
            f"{source.name} needs {size_in_words(int(needed))} more, and the disk of {folder} has "
            f"{size_in_words(free)} left. Make room there, or name a folder on another disk "
            f"(into=, --to, or {VARIABLE})"
            + ("" if source.layout == "arrays" else ", or take fewer photos (limit=, --limit)")
            + "."
        )
