"""The virtual clocks that testers measure with."""

from __future__ import annotations

import functools
import threading
import time
import timeit
from time import monotonic_ns, perf_counter

import pytest

from colorlab.course.checks.clocks import NAMES, virtual_clocks


def by_name():
    return perf_counter()


def by_module():
    return time.perf_counter()


def by_a_helper():
    return by_name()


def by_default(clock=perf_counter):
    return clock()


def by_keyword(*, clock=perf_counter):
    return clock()


def by_nanoseconds():
    return monotonic_ns() / 1e9


def by_closure(clock):
    return lambda: clock()


def wrapped(function):
    @functools.wraps(function)
    def inner():
        return function()

    return inner


@pytest.mark.parametrize(
    "clock",
    [
        by_name,
        by_module,
        by_a_helper,
        by_default,
        by_keyword,
        by_nanoseconds,
        by_closure(time.time),
        wrapped(by_name),
        lambda: timeit.default_timer(),
    ],
)
def test_only_the_hands_move_what_a_function_reads(clock):
    with virtual_clocks(clock) as hands:
        first = clock()
        time.sleep(0.002)
        assert clock() == first
        hands.turn(2.5)
        assert clock() - first == pytest.approx(2.5, abs=1e-6)
        assert len(hands.read) == 1
    true = clock()
    time.sleep(0.002)
    assert clock() > true


def test_the_processor_does_not_work_meanwhile():
    with virtual_clocks(None) as hands:
        before = time.process_time(), time.thread_time_ns()
        hands.turn(9)
        assert (time.process_time(), time.thread_time_ns()) == before
    assert hands.read == {"process_time", "thread_time"}


def test_timeit_is_turned_too():
    with virtual_clocks(None) as hands:
        assert timeit.timeit(lambda: hands.turn(3), number=2) == pytest.approx(6)
        assert timeit.repeat(lambda: hands.turn(1), number=1, repeat=2) == pytest.approx([1, 1])
        assert timeit.Timer(lambda: hands.turn(4)).timeit(1) == pytest.approx(4)


def test_other_threads_read_the_true_clock():
    seen = []

    def look():
        first = time.monotonic()
        time.sleep(0.01)
        seen.append(time.monotonic() - first)

    with virtual_clocks(look) as hands:
        hands.turn(1e6)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert 0.005 < seen[0] < 1e5
    assert not hands.read


def test_all_is_put_back_after_an_error():
    kept = by_closure(perf_counter)
    true = time.perf_counter
    before = [getattr(time, name) for name in NAMES]
    defaults = by_default.__defaults__, timeit.Timer.__init__.__defaults__
    for solution in (by_name, by_default, by_keyword, kept, print, None):
        with pytest.raises(KeyboardInterrupt), virtual_clocks(solution):
            assert time.perf_counter is not true
            raise KeyboardInterrupt
    assert [getattr(time, name) for name in NAMES] == before
    assert (by_default.__defaults__, timeit.Timer.__init__.__defaults__) == defaults
    assert by_keyword.__kwdefaults__["clock"] is true is timeit.default_timer
    assert kept.__closure__[0].cell_contents is true is perf_counter
