"""A job in a thread of its own that can be paused, resumed, stopped and asked things.

What the outside wants is done between two steps of the job, in the job's own thread: so nothing is
ever seen or saved half changed.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ENDED = ("stopped", "finished", "failed")
HALTED = ("paused", "asking")


class Background:
    """A job that can be started, paused, resumed, stopped and waited for.

    A subclass brings ``_job``, which calls ``_between_steps`` between its steps and returns when
    ``_stop_wanted``.

    Attributes:
        state: ``"new"``, ``"running"``, ``"paused"``, ``"stopped"``, ``"finished"``, ``"failed"``,
            or what the job sets itself.
        error: what made it fail.
        signal: the number of the signal that stopped it.
    """

    def __init__(self) -> None:
        self.state = "new"
        self.error: BaseException | None = None
        self.signal: int | None = None
        self._signaled = -math.inf  # when
        self._wanted = "run"
        self._wake = threading.Event()
        self._requests: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        # Not the thread's own is_alive and join: in Python 3.11 a join that Ctrl-C interrupts takes
        # the thread for ended while it works on.
        self._ended = threading.Event()
        self._waited_for = False

    # --- for the subclass --------------------------------------------------------------------

    def _job(self) -> str:
        """Do the work; returns the state in which it ends."""
        raise NotImplementedError

    def _state_changed(self) -> None:
        """Called in the thread that changed it."""

    @property
    def _shows_failures(self) -> bool:
        """Whether somebody shows what goes wrong; else it is printed."""
        return False

    def _between_steps(self) -> None:
        self._wake.clear()
        self._serve()
        while self._wanted == "pause":
            if self.state != "paused":
                self._enter("paused")
            self._wake.wait(0.5)
            self._wake.clear()
            self._serve()
        if self.state == "paused" and not self._stop_wanted:
            self._enter("running")

    @property
    def _stop_wanted(self) -> bool:
        return self._wanted == "stop"

    def _enter(self, state: str) -> None:
        self.state = state
        self._state_changed()

    def _request(self, act: Callable[[], Any]) -> Any:
        """Have the job do ``act`` between two steps, and return its result. A job that is not under
        way can't be in the middle of a step: then it is done here."""
        if not self.is_alive or self._in_own_thread:
            return act()
        done, results = threading.Event(), []

        def serve() -> None:
            try:
                results.append((act(), None))
            except BaseException as error:
                results.append((None, error))
                raise
            finally:
                done.set()

        self._requests.append(serve)
        self._wake.set()
        while not done.wait(0.02):
            if not self.is_alive:
                if serve in self._requests:  # it ended before it came to this
                    self._requests.remove(serve)
                    return act()
                break
        result, error = results[0]
        if error is not None:
            raise error
        return result

    # --- for everybody -----------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether its thread is there, at work or paused."""
        return self._thread is not None and not self._ended.is_set()

    def start(self) -> Background:
        """Work in the background and return at once; after ``stop``, go on.

        Raises:
            RuntimeError: it has failed.
        """
        if self.state == "failed":
            raise RuntimeError(
                "this run has failed; correct the cause and make a new Run with resume=True"
            ) from self.error
        if self.is_alive or self.state == "finished":
            return self
        self._wanted, self.signal = "run", None
        if self._thread is None:
            # A notebook that is shut down, or a script that ends, does not wait: stop and save
            # then. What atexit calls comes too late: thread pools refuse work before that.
            call_before_exit(_stop_at_exit, weakref.ref(self))
        self._ended.clear()
        # No daemon: one that still frees its tensors while the interpreter is taken down aborts it.
        self._thread = threading.Thread(target=self._work, name="colorlab training")
        self._enter("running")
        self._thread.start()
        return self

    def wait(self, timeout: float | None = None) -> None:
        """Until it has ended. What made it fail is raised here, with its traceback.

        Raises:
            TimeoutError: it has not ended within ``timeout`` seconds; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        self._waited_for = True
        try:
            while self.is_alive:
                if end is not None and time.monotonic() > end:
                    raise TimeoutError(f"not ended after {timeout} seconds: {self!r}")
                self._ended.wait(0.05)
        except KeyboardInterrupt:
            self.stop()
            raise
        finally:
            self._waited_for = False
        if self.error is not None:
            raise self.error

    def pause(self) -> None:
        """Halt after the step under way; returns when it has halted. Nothing is lost."""
        self._want("pause")
        while self.is_alive and self.state not in HALTED and not self._in_own_thread:
            if self._wanted != "pause":
                return
            time.sleep(0.005)

    def resume(self) -> None:
        """Go on after ``pause`` or ``stop``."""
        if self.is_alive:
            self._want("run")
        else:
            self.start()

    def stop(self) -> None:
        """End after the step under way; returns when it has ended."""
        self._want("stop")
        while self.is_alive and not self._in_own_thread:
            self._ended.wait(0.05)

    # --- inside ------------------------------------------------------------------------------

    def _want(self, wanted: str) -> None:
        self._wanted = wanted
        self._wake.set()

    @property
    def _in_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def _serve(self) -> None:
        while self._requests:
            self._requests.pop(0)()

    def _work(self) -> None:
        try:
            self._enter(self._job())
        except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
            self.error = error
            self._enter("failed")
            if not (self._waited_for or self._shows_failures):  # nobody would hear of it
                traceback.print_exc(file=sys.stderr)
        finally:
            self._ended.set()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Inside, Ctrl-C and SIGTERM stop the job after its step; a second Ctrl-C at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        watched = (signal.SIGINT, signal.SIGTERM)
        before = [signal.getsignal(number) for number in watched]

        def handle(number: int, _: object) -> None:
            now = time.monotonic()
            # One Ctrl-C comes twice at once to a process that a launcher started.
            if self.signal is not None and number == signal.SIGINT and now - self._signaled > 1:
                raise KeyboardInterrupt
            self.signal, self._signaled = number, now
            self._want("stop")

        for number in watched:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in zip(watched, before, strict=True):
                signal.signal(number, handler)


def call_before_exit(act: Callable[..., None], *arguments: Any) -> None:
    """Have ``act(*arguments)`` called when the main thread has ended.

    That is before other threads are waited for and before thread pools refuse work.

    What Python documents for the end, atexit, comes after both. So this is a private function of
    its own, the one that concurrent.futures uses; a test fails when it goes or comes too late.
    """
    threading._register_atexit(act, *arguments)


def _stop_at_exit(job: weakref.ref[Background]) -> None:
    if (alive := job()) is not None and alive.is_alive:
        alive.stop()
