"""A time limit on the learner's code, so that an endless loop doesn't hold up the notebook."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(BaseException):
    """Raised inside the code that took too long.

    No Exception, so that an ``except Exception`` in the learner's loop doesn't swallow it.
    """


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` in the block after `seconds`.

    It uses the alarm signal, which Windows and threads other than the main one don't have: there
    the block runs without a limit, and the notebook's Stop button ends it. A long call inside
    compiled code is stopped when it returns.
    """
    if not _usable():
        yield
        return

    armed = True

    def stop(number: int, frame: FrameType | None) -> None:
        if armed:
            raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    try:
        try:
            # Again each second: a bare `except:` in a loop would swallow the first one.
            signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
            yield
        finally:
            armed = False
    finally:  # reached even when the alarm goes off in the line above
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


@contextmanager
def unlimited() -> Iterator[None]:
    """Inside, the clock of `time_limit` stands still.

    For imports: one that is broken off halfway leaves its module unusable until Python ends.
    """
    if not _usable():
        yield
        return
    left, again = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, again)


def _usable() -> bool:
    alarm = hasattr(signal, "setitimer") and hasattr(signal, "SIGALRM")
    return alarm and threading.current_thread() is threading.main_thread()
