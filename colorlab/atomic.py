"""Files and folders that appear whole or not at all, whatever happens while they are written.

They are written aside, as ``name.<pid>-<random>.partial``, synced and renamed. A process that is
killed leaves its partial file behind; the next writer finds it by its name and removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PARTIAL = re.compile(r"(?P<target>.+)\.(?P<pid>[0-9]+)-[0-9a-f]{8}\.partial")
ABANDONED = 3600.0  # seconds without a write: then the process is dead, on whatever machine it ran

_writing: set[str] = set()  # what this process is writing now, by its partial name


def write_whole(path: str | os.PathLike[str], chunks: Iterable[bytes | memoryview]) -> Path:
    """Write the chunks, one after the other, to a file that replaces what stood there.

    On any failure, KeyboardInterrupt and a full disk included, what stood there before stays and
    the partial file is removed. The folder must exist.

    Raises:
        OSError: as it came from the filesystem. What ``chunks`` raises is raised too.
    """
    path = Path(path)
    with whole_file(path) as aside, open(aside, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
    return path


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The name of a partial file for the block to write, which then replaces ``path``.

    For what another program writes, or what is not written from front to back. The rest is as in
    ``write_whole``.

    Raises:
        OSError: as it came from the filesystem. What the block raises is raised too.
    """
    path = Path(path)
    aside = _aside(path)
    _writing.add(aside.name)
    try:
        yield aside
        with open(aside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    finally:
        _writing.discard(aside.name)
    _sync_folder(path.parent)


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder for the block to write files into, which is named ``path`` once the block ends.

    On any failure, KeyboardInterrupt and a full disk included, it is removed with all it holds.
    Folders around it are made.

    Raises:
        FileExistsError: something stands at ``path``, when the block begins or when it ends.
        OSError: as it came from the filesystem. What the block raises is raised too.
    """
    path = Path(path)
    _check_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    _writing.add(aside.name)
    try:
        aside.mkdir()
        yield aside
        for file in aside.rglob("*"):
            if not file.is_dir():
                with open(file, "rb+") as handle:
                    os.fsync(handle.fileno())
        for folder, _, _ in os.walk(aside):
            _sync_folder(Path(folder))
        _check_free(path)
        os.rename(aside, path)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    finally:
        _writing.discard(aside.name)
    _sync_folder(path.parent)


def _check_free(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists already; name another folder, or remove it")


def _aside(path: Path) -> Path:
    """A new partial name for ``path``; what killed processes left of it is removed."""
    # A name may be as long as the filesystem allows, 255 bytes on most: then a part of it must do.
    short = path.name.encode(errors="ignore")[:200].decode(errors="ignore")
    remove_leftovers(path.parent, lambda name: name == short)
    return path.with_name(f"{short}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def remove_leftovers(folder: str | os.PathLike[str], ours: Callable[[str], bool]) -> None:
    """Remove the partial files and folders that killed processes left in a folder.

    Only those that ``write_whole`` and ``whole_folder`` named, for a target whose name is
    ``ours``, and that nobody can still be writing: their process is dead, or they have not grown
    for an hour. A folder that can't be read is left as it is: whoever writes there next gets the
    error.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found = PARTIAL.fullmatch(name)
            if found and ours(found["target"]):
                with contextlib.suppress(OSError):
                    path = Path(folder, name)
                    if _abandoned(path, int(found["pid"])):
                        remove = shutil.rmtree if path.is_dir() else os.unlink
                        remove(path)


def _abandoned(partial: Path, pid: int) -> bool:
    if partial.name in _writing:
        return False
    # This process knows its own files, so another with its number is from a dead namesake.
    if pid == os.getpid() or not _alive(pid):
        return True
    inside = list(partial.iterdir()) if partial.is_dir() else []
    newest = max(path.stat().st_mtime for path in (partial, *inside))
    return time.time() - newest > ABANDONED


def _alive(pid: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there; the file's age must do
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Have the renaming itself reach the disk, on systems where a folder can be synced."""
    # The file is whole and in place: where this is refused (Windows, some network drives), the
    # worst is that the renaming is lost in a power cut, and then the earlier file is back.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
