"""Files that appear whole or not at all, whatever happens while they are written.

A file is written aside, as ``name.<pid>-<random>.partial``, synced and renamed. A process that is
killed leaves its partial file behind; the next writer finds it by its name and removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PARTIAL = re.compile(r"(?P<target>.+)\.(?P<pid>[0-9]+)-[0-9a-f]{8}\.partial")
ABANDONED = 3600.0  # seconds without a write: then the process is dead, on whatever machine it ran

_writing: set[str] = set()  # the partial files that this process is writing now


def write_whole(path: str | os.PathLike[str], chunks: Iterable[bytes | memoryview]) -> Path:
    """Write the chunks, one after the other, to a file that replaces what stood there.

    On any failure, KeyboardInterrupt and a full disk included, what stood there before stays and
    the partial file is removed. The folder must exist.

    Raises:
        OSError: as it came from the filesystem. What ``chunks`` raises is raised too.
    """
    path = Path(path)
    # A name may be as long as the filesystem allows, 255 bytes on most: then a part of it must do.
    short = path.name.encode(errors="ignore")[:200].decode(errors="ignore")
    remove_leftovers(path.parent, lambda name: name == short)
    aside = path.with_name(f"{short}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    _writing.add(aside.name)
    try:
        with open(aside, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    finally:
        _writing.discard(aside.name)
    _sync_folder(path.parent)
    return path


def remove_leftovers(folder: str | os.PathLike[str], ours: Callable[[str], bool]) -> None:
    """Remove the partial files that killed processes left in a folder.

    Only those that :func:`write_whole` named, for a target whose name is ``ours``, and that nobody
    can still be writing: their process is dead, or they have not grown for an hour. A folder that
    can't be read is left as it is: whoever writes there next gets the error.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found = PARTIAL.fullmatch(name)
            if found and ours(found["target"]):
                with contextlib.suppress(OSError):
                    path = Path(folder, name)
                    if _abandoned(path, int(found["pid"])):
                        path.unlink()


def _abandoned(partial: Path, pid: int) -> bool:
    if partial.name in _writing:
        return False
    # This process knows its own files, so another with its number is from a dead namesake.
    if pid == os.getpid() or not _alive(pid):
        return True
    return time.time() - partial.stat().st_mtime > ABANDONED


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
