"""What the process of one exercise may use, the system's own limits for that, and its end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Limits:
    """For one exercise.

    seconds: until the process is ended; memory: bytes beyond what it starts with; disk: bytes of
    all its files together.
    """

    seconds: float = 60.0
    memory: int = 2 * 2**30
    disk: int = 200 * 2**20

    @property
    def in_words(self) -> dict[str, str]:
        """What is said of a process that went beyond: by the verdict."""
        return {
            "time": f"stopped after {self.seconds:g} s",
            "memory": f"took more than {size(self.memory)} of memory",
            "files": f"wrote more than {size(self.disk)} of files",
        }


def size(count: int) -> str:
    """Bytes in words: "2 GB", "200 MB"."""
    return f"{count / 2**30:g} GB" if count >= 2**30 else f"{count / 2**20:g} MB"


# Linux's prctl: die with the parent; no rights by setuid; adopt the orphans below.
PDEATHSIG, NO_NEW_PRIVS, SUBREAPER = 1, 38, 36


def prctl(option: int, value: int) -> None:
    """Set one of these for this process; nothing on other systems."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def hold(limits: Limits) -> None:
    """Hold this process, and whatever it starts, to the limits; there is no way back.

    Root may start processes all the same: its namespace ends them with the exercise.
    """
    import resource  # here, not above: Windows has none, and its user gets a clear line

    prctl(PDEATHSIG, signal.SIGKILL)
    prctl(NO_NEW_PRIVS, 1)
    seconds = int(limits.seconds) + 5
    _limit("RLIMIT_CPU", seconds)
    _limit("RLIMIT_FSIZE", limits.disk)
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_NOFILE", 256)
    _limit("RLIMIT_NPROC", 1)
    if sys.platform == "linux":  # elsewhere it is not kept, or can't be told
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit("RLIMIT_AS", pages * resource.getpagesize() + limits.memory)


def end_all(child: int) -> None:
    """End the process and whatever it has started, also what has left its session."""
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    if os.getpid() == 1:  # of a namespace: everything else in it is the exercise's
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
    else:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _limit(name: str, value: int) -> None:
    import resource

    kind = getattr(resource, name, None)
    if kind is not None:
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))
