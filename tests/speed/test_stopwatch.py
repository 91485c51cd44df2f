"""colorlab.speed.stopwatch against sleeps, whose order is known."""

from __future__ import annotations

import time

import pytest

from colorlab.speed.stopwatch import median_seconds, seconds_of, take_turns


def test_a_sleep_takes_at_least_its_time() -> None:
    assert seconds_of(lambda: time.sleep(0.02)) >= 0.02
    assert median_seconds(lambda: time.sleep(0.01), repeats=3, warmup=0) >= 0.01


def test_works_take_turns_and_the_first_rounds_do_not_count() -> None:
    called = []
    works = {
        "slow": lambda: (called.append("slow"), time.sleep(0.02)),
        "quick": lambda: called.append("quick"),
    }
    times = take_turns(works, repeats=3, warmup=2)
    assert called == ["slow", "quick"] * 5
    assert [len(values) for values in times.values()] == [3, 3] and list(times) == list(works)
    assert min(times["slow"]) >= 0.02 > sorted(times["quick"])[1]


def test_the_median_is_not_moved_by_one_slow_call() -> None:
    naps = iter([0.3, 0, 0, 0.3, 0, 0])
    assert median_seconds(lambda: time.sleep(next(naps)), repeats=5, warmup=1) < 0.1


def test_refusals() -> None:
    with pytest.raises(ValueError, match="repeats=0"):
        take_turns({"x": lambda: None}, repeats=0)
    with pytest.raises(ValueError, match="warmup=-1"):
        median_seconds(lambda: None, warmup=-1)
    with pytest.raises(ValueError, match="no work"):
        take_turns({})
