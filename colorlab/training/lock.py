"""One live run a folder: who comes second is refused, and told who is there.

The lock is ``filelock``'s, which the system takes back from a process that dies: a run that was
killed never blocks the one that goes on from its checkpoints.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from colorlab import locks
from colorlab.atomic import write_whole

LOCK = "run.lock"
OWNER = "run.owner.json"


class FolderInUse(OSError):
    """A live run writes into the folder; the message names its process and since when."""


class RunLock:
    """The locks of a run's folder and of its mirror, taken together.

    Args:
        folders: the run's own, which must exist when the lock is taken; then its mirror, which may
            fail. None of them for a process that writes nothing.
        warn: told of a folder that can't be locked.
    """

    def __init__(self, folders: Sequence[Path], warn: Callable[[str], None]):
        self.folders, self.warn = folders, warn
        self._held: list[tuple[Path, FileLock]] = []

    def acquire(self) -> None:
        """Take all, or none; nothing to do where they are held already.

        Raises:
            FolderInUse: another run holds one of them.
            OSError: the run's own folder does not take a file.
        """
        if self._held:
            return
        try:
            for folder in self.folders:
                self._take(folder, may_fail=folder is not self.folders[0])
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give back what is held."""
        while self._held:
            folder, lock = self._held.pop()
            for name in (OWNER, LOCK):
                with contextlib.suppress(OSError):  # a drive that is gone; Windows keeps the lock
                    (folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                lock.release()

    def _take(self, folder: Path, *, may_fail: bool) -> None:
        try:
            if may_fail:
                folder.mkdir(exist_ok=True)
            lock = locks.take(folder / LOCK, timeout=0)
        except locks.Timeout:
            raise FolderInUse(
                f"{folder} belongs to a run that is alive: {_owner(folder)}. Wait for it, stop "
                f"it, or name another folder (-o, or output=)"
            ) from None
        except OSError as error:
            if not may_fail:
                raise
            self.warn(f"the mirror {folder} can't be locked ({error}): let no second run use it")
            return
        if lock is None:
            self.warn(f"the drive of {folder} knows no locks: let no second run write there")
            return
        self._held.append((folder, lock))
        owner = {
            "process": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M"),
        }
        with contextlib.suppress(OSError):  # it only informs
            (folder / OWNER).unlink(missing_ok=True)
            write_whole(folder / OWNER, [json.dumps(owner).encode()])


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        where = "this one" if owner["process"] == os.getpid() else str(owner["process"])
        return f"process {where} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just taken the lock
        return "a process that began this moment"
