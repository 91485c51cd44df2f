"""Work on many files by as many processes as there are cores, one lot after the other.

What a plain pool of processes leaves open is settled here: a file that kills the process which
reads it is named and the rest goes on; Ctrl-C leaves no process behind, and neither does a notebook
that is killed; and only a few lots are under way at a time, however many there are.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # lots for each process, so that none waits for the next


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_every_core(
    work: Callable[[Sequence[T]], R],
    lots: Iterable[Sequence[T]],
    processes: int | None = None,
) -> Iterator[tuple[Sequence[T], R | None]]:
    """Yield (lot, work(lot)) as the lots are done, in no order of their own.

    Args:
        work: a function of a module, which a process can import. It should turn the errors that it
            expects into results: what it raises is raised here, and ends everything.
        lots: drawn as they are needed.
        processes: how many; None: one a core; 0: no process, the work is done in this one.

    Where a process dies over a lot (a decoder's crash, the system's reaction to too little memory),
    the lots under way are done once more, item by item in a process of its own each time one dies;
    the item over which it dies again comes as (a lot of this item alone, None).

    Closing the generator, as an error or Ctrl-C in the loop around it does, ends the processes
    after the lots under way, two a process at most.

    Raises:
        ValueError: a negative number of processes.
        ChildProcessError: none can start.
    """
    count = cores() if processes is None else processes
    if count < 0:
        raise ValueError(f"processes={processes}: expected 0 (none, all in this one) or more.")
    lots = iter(lots)
    if count == 0:
        for lot in lots:
            yield lot, work(lot)
        return
    while True:
        left: list[Sequence[T]] = []
        yield from _until_one_dies(work, lots, count, left)
        if not left:
            return
        yield from _one_by_one(work, [item for lot in left for item in lot])


def _until_one_dies(
    work: Callable[[Sequence[T]], R],
    lots: Iterator[Sequence[T]],
    processes: int,
    left: list[Sequence[T]],
) -> Iterator[tuple[Sequence[T], R]]:
    """Results until no lot is left or a process dies; ``left`` then gets the lots under way."""
    with _Pool(processes) as pool:
        under_way: dict[Future[R], Sequence[T]] = {}
        try:
            while True:
                while len(under_way) < _AHEAD * processes:
                    lot = next(lots, None)
                    if lot is None:
                        break
                    left.append(lot)  # until it is under way: submitting can fail as well
                    under_way[pool.submit(work, lot)] = lot
                    left.pop()
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield under_way.pop(future), result
        except BrokenProcessPool:
            left.extend(under_way.values())


def _one_by_one(
    work: Callable[[Sequence[T]], R], items: Sequence[T]
) -> Iterator[tuple[Sequence[T], R | None]]:
    """Each item by itself, with a new process after each that died."""
    at = 0
    while at < len(items):
        with _Pool(1) as pool:
            while at < len(items):
                lot = items[at : at + 1]
                at += 1
                try:
                    result = pool.submit(work, lot).result()
                except BrokenProcessPool:
                    yield lot, None
                    break
                yield lot, result


class _Pool:
    """Worker processes that start clean, and end with the block."""

    def __init__(self, processes: int) -> None:
        # Forking a process that has threads, as a notebook's kernel, can hang. On Linux a helper
        # that has none is forked instead, which is quick from the second time on.
        context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            context.set_forkserver_preload(["colorlab.audit.measures"])
        self.executor = ProcessPoolExecutor(processes, context, initializer=_begin)

    def __enter__(self) -> _Pool:
        try:
            with _ctrl_c_later():
                with _ctrl_c_blocked():
                    first = self.executor.submit(_nothing)
                first.result()
        except BaseException as error:
            self.__exit__()
            if not isinstance(error, BrokenProcessPool):
                raise
            raise ChildProcessError(
                "No worker process could start. In a script, put what you call below "
                '`if __name__ == "__main__":`, since each worker reads the script anew; or do '
                "without workers: processes=0."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown(wait=True, cancel_futures=True)

    def submit(self, work: Callable[[Sequence[T]], R], lot: Sequence[T]) -> Future[R]:
        return self.executor.submit(work, lot)


@contextlib.contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """A process that is started inside is deaf to Ctrl-C, as it inherits the block: so is the
    helper that comes with the first worker. While it imports, it would print a traceback.

    Starting multiprocessing's tracker of resources would lift the block. It runs by then: the locks
    of the executor's queues, made before the first worker, need it.
    """
    if sys.platform != "linux":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Ctrl-C counts after the block, since half a pool cannot be ended quietly; twice: at once."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed = []

    def remember(*arguments: Any) -> None:
        pressed.append(arguments)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        before(*pressed[0])


def _begin() -> None:
    """In a new worker process."""
    # Ctrl-C goes to all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)  # the processes are as many as the cores


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _nothing() -> None:
    """What a new worker process does first, to show that it can."""
