"""Threads that are there only while there is something to do."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

SHARE = 40  # from one drawing to the next passes at least so many times what it has worked


class Redrawer:
    """Calls a method soon after it was poked, in a thread of its own, and not too often.

    Many pokes make one call: what was drawn is always the newest. The thread ends when nothing is
    left to draw, and it does not keep the method's object alive meanwhile.

    Args:
        draw: a bound method.
        interval: seconds between two calls, at least; longer where a call works long. Waiting for
            a processor that others use is no work.
    """

    def __init__(self, draw: Callable[[], None], interval: float = 1.0) -> None:
        self.interval = interval
        self._draw = weakref.WeakMethod(draw)
        self._changed = threading.Condition()
        self._wanted = self._soon = False
        self._not_before = 0.0
        self._thread: threading.Thread | None = None

    def poke(self, soon: bool = False) -> None:
        """Draw when the interval has passed; with ``soon`` at once."""
        with self._changed:
            self._wanted = True
            if soon:
                self._soon = True
                self._changed.notify_all()
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="colorlab drawing")
                with contextlib.suppress(RuntimeError):  # the interpreter ends: nobody looks
                    thread.start()
                    self._thread = thread

    def cancel(self) -> None:
        """Draw no more of what was poked for so far; the thread ends."""
        with self._changed:
            self._wanted = False
            self._changed.notify_all()

    def _work(self) -> None:
        while self._due():
            draw = self._draw()
            if draw is None:
                return
            began, worked = time.monotonic(), time.thread_time()
            try:
                draw()
            except BaseException:
                self._thread = None  # the next poke tries again, in another
                raise
            worked = time.thread_time() - worked
            self._not_before = began + max(self.interval, SHARE * worked)
            del draw

    def _due(self) -> bool:
        """Wait until it is time. False, and no thread any more, where nothing is wanted."""
        with self._changed:
            while self._wanted and not self._soon:
                rest = self._not_before - time.monotonic()
                if rest <= 0:
                    break
                self._changed.wait(rest)
            due, self._wanted, self._soon = self._wanted, False, False
            if not due:
                self._thread = None
            return due


class Errands:
    """Does what may take a while one after the other, in a thread, so that the notebook is free.

    An errand of the same name that has not begun yet is dropped for the newer one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._list: dict[str, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None

    def add(self, name: str, act: Callable[[], None]) -> None:
        """``act`` must not raise."""
        with self._lock:
            self._list.pop(name, None)  # the new one comes last
            self._list[name] = act
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="colorlab errands")
                self._thread.start()

    def wait(self, seconds: float = 10.0) -> None:
        """Until all is done, or the time is over."""
        if (thread := self._thread) is not None:
            thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._list:
                    self._thread = None
                    return
                act = self._list.pop(next(iter(self._list)))
            act()
            del act


class Quiet(threading.local):
    """Inside ``with quiet:``, ``quiet.on`` is true in this thread: what it sets on a widget then is
    no move of the learner's."""

    on = False

    def __enter__(self) -> None:
        self.on = True

    def __exit__(self, *error: object) -> None:
        self.on = False


def weakly(method: Callable[..., None], gone: Callable[[], None]) -> Callable[..., None]:
    """``method`` for a widget to call back, without keeping its object alive: ipywidgets keeps
    every widget until the kernel ends. Once the object is freed, ``gone`` is called instead."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        alive = reference()
        if alive is None:
            gone()
        else:
            alive(*arguments)

    return call
