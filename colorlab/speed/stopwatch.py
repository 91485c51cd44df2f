"""How long work takes: medians, and several works in turn so that noise falls on all alike.

The first calls make room in memory, start threads and compile; they are made and not counted. A GPU
is handed its work and computes on: the clock is stopped only when it has finished.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

Work = Callable[[], object]


def synchronize(device: torch.device | str) -> None:
    """Wait until ``device`` has done all that it was handed; a CPU always has."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


def seconds_of(work: Work, device: torch.device | str = "cpu") -> float:
    """Seconds that one call takes, until ``device`` has finished."""
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def take_turns(
    works: Mapping[str, Work],
    repeats: int = 7,
    warmup: int = 2,
    device: torch.device | str = "cpu",
) -> dict[str, list[float]]:
    """Seconds of ``repeats`` calls of each work, in rounds: one call of each, then the next round.

    What else the machine does falls on all of them, so their ratios mean something where single
    times don't. ``warmup`` rounds come first and are not counted.

    Raises:
        ValueError: no round would be counted, or there is nothing to time.
    """
    if repeats < 1 or warmup < 0:
        raise ValueError(
            f"repeats={repeats}, warmup={warmup}: time at least 1 call, after 0 or more others"
        )
    if not works:
        raise ValueError("there is no work to time; give at least one, such as {'ours': step}")
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(warmup + repeats):
        for name, work in works.items():
            taken = seconds_of(work, device)
            if turn >= warmup:
                times[name].append(taken)
    return times


def median_seconds(
    work: Work, repeats: int = 7, warmup: int = 2, device: torch.device | str = "cpu"
) -> float:
    """The median of ``repeats`` calls, after ``warmup`` others; raises as ``take_turns``."""
    return statistics.median(take_turns({"work": work}, repeats, warmup, device)["work"])
