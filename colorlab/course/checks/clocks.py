"""Virtual clocks, for testers of code that measures time.

Real waiting would make a check slow, and wrong on a busy machine. So while a tester runs, the
clocks of `time` stand still, and only the tester moves their hands:

    with virtual_clocks(solution) as hands:
        call(solution, lambda: hands.turn(2.5))   # work that takes 2.5 s
    hands.read                                  # {"perf_counter"}: the clocks that were read
"""

from __future__ import annotations

import functools
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

WALL_CLOCKS = ("perf_counter", "monotonic", "time")
CPU_CLOCKS = ("process_time", "thread_time")
NAMES = [
    name + unit
    for name in WALL_CLOCKS + CPU_CLOCKS
    for unit in ("", "_ns")
    if hasattr(time, name)  # not every system has thread_time
]


class Hands:
    """How far the wall clocks are turned, and which clocks were read (without "_ns")."""

    def __init__(self) -> None:
        self.nanoseconds = 0
        self.read: set[str] = set()

    def turn(self, seconds: float) -> None:
        """Let time go on. The CPU's clocks stand still, as where a program waits."""
        self.nanoseconds += round(1e9 * seconds)


@contextmanager
def virtual_clocks(solution: Any) -> Iterator[Hands]:
    """Replace the clocks of `time` and `timeit`, and those that `solution` holds under other names.

    ``from time import perf_counter`` puts the clock itself into the notebook; so the names that
    the learner's functions see are looked through, and their closures and default values too.
    """
    hands = Hands()
    virtual = {id(getattr(time, name)): _virtual(name, hands) for name in NAMES}
    undo: list[Callable[[], None]] = []

    def put(write: Callable, place: Any, key: str, old: Any, new: Any) -> None:
        undo.append(functools.partial(write, place, key, old))
        write(place, key, new)

    def swap_entries(names: dict[str, Any]) -> None:
        for key, old in list(names.items()):
            if id(old) in virtual:
                put(dict.__setitem__, names, key, old, virtual[id(old)])

    def swap_inside(function: FunctionType) -> None:
        swap_entries(function.__kwdefaults__ or {})
        defaults = function.__defaults__ or ()
        if any(id(value) in virtual for value in defaults):
            new = tuple(virtual.get(id(value), value) for value in defaults)
            put(setattr, function, "__defaults__", defaults, new)
        for cell in function.__closure__ or ():
            old = _content(cell)
            if id(old) in virtual:
                put(setattr, cell, "cell_contents", old, virtual[id(old)])

    try:
        for function in _functions(solution):
            swap_inside(function)
            swap_entries(function.__globals__)
        for function in (timeit.Timer.__init__, timeit.timeit, timeit.repeat):
            swap_inside(function)
        swap_entries(vars(timeit))
        swap_entries(vars(time))
        yield hands
    finally:
        for step in reversed(undo):
            step()


def _virtual(name: str, hands: Hands) -> Callable[[], float]:
    """The clock ``time.name`` from now on, moved only by `hands`.

    Other threads go on reading the true one: Jupyter's own must not see time jump.
    """
    true, thread = getattr(time, name), threading.get_ident()
    plain = name.removesuffix("_ns")
    start = getattr(time, f"{plain}_ns")()

    def clock() -> float:
        if threading.get_ident() != thread:
            return true()
        hands.read.add(plain)
        now = start + (0 if plain in CPU_CLOCKS else hands.nanoseconds)
        return now if name.endswith("_ns") else now / 1e9

    return clock


def _functions(solution: Any) -> list[FunctionType]:
    """The learner's function, those it closes over, and those beside it that it names."""
    found = [solution] if isinstance(solution, FunctionType) else []
    for function in found:  # grows while it is walked
        others = [_content(cell) for cell in function.__closure__ or ()]
        for name in function.__code__.co_names:
            beside = function.__globals__.get(name)
            # a library's function is not followed: it finds its clock in `time`
            if isinstance(beside, FunctionType) and beside.__module__ == solution.__module__:
                others.append(beside)
        for other in others:
            if isinstance(other, FunctionType) and not any(other is one for one in found):
                found.append(other)
    return found


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # still empty
        return None
