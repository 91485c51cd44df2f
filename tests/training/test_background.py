"""A job in a thread: halted, asked, stopped, broken."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from colorlab.training.background import Background


class Counter(Background):
    """Counts, in steps of two that must never be seen half done."""

    def __init__(self, end: int = 10**9) -> None:
        super().__init__()
        self.end, self.count, self.states = end, 0, []

    def _job(self) -> str:
        while self.count < self.end:
            self._between_steps()
            if self._stop_wanted:
                return "stopped"
            self.count += 1
            time.sleep(0.001)
            self.count += 1
        return "finished"

    def _state_changed(self) -> None:
        self.states.append(self.state)


@pytest.fixture
def counter() -> Counter:
    job = Counter()
    yield job
    job.stop()


def test_it_works_to_its_end_while_others_go_on() -> None:
    job = Counter(400)  # long enough to be seen at it
    assert job.state == "new" and not job.is_alive
    assert job.start() is job and job.is_alive
    job.wait()
    assert (job.state, job.count, job.is_alive) == ("finished", 400, False)
    assert job.states == ["running", "finished"]
    assert job.start().state == "finished"


def test_pause_halts_between_two_steps_and_resume_goes_on(counter: Counter) -> None:
    counter.start()
    for _ in range(5):
        counter.pause()
        count = counter.count
        assert counter.state == "paused" and count % 2 == 0
        time.sleep(0.01)
        assert counter.count == count
        counter.resume()
        while counter.count == count:
            time.sleep(0.001)
    counter.pause()
    counter.stop()
    assert counter.state == "stopped"
    count = counter.count
    counter.resume()  # after a stop too
    while counter.count == count:
        time.sleep(0.001)


@pytest.mark.parametrize("state", ["new", "running", "paused", "stopped"])
def test_what_is_asked_is_done_between_two_steps(counter: Counter, state: str) -> None:
    if state != "new":
        counter.start()
    if state == "paused":
        counter.pause()
    if state == "stopped":
        counter.stop()
    for _ in range(20):
        count, thread = counter._request(lambda: (counter.count, threading.current_thread()))
        assert count % 2 == 0
        inside = state in ("running", "paused")
        assert (thread is counter._thread) == inside


def test_what_breaks_while_it_is_asked_is_reported_to_both(counter: Counter, capsys) -> None:
    counter.start()
    with pytest.raises(ZeroDivisionError):
        counter._request(lambda: 1 / 0)
    counter._thread.join(5)
    assert counter.state == "failed" and isinstance(counter.error, ZeroDivisionError)


def test_a_question_to_a_job_that_just_ended_is_answered() -> None:
    for end in range(2, 30, 2):
        job = Counter(end)
        job.start()
        assert job._request(lambda job=job: job.count) <= end
        job.wait()


def test_waiting_has_its_limit_and_the_job_goes_on(counter: Counter) -> None:
    counter.start()
    with pytest.raises(TimeoutError, match="not ended after 0.05 seconds"):
        counter.wait(0.05)
    assert counter.is_alive


class Broken(Background):
    def _job(self) -> str:
        return {}["the cause"]


def test_an_error_is_raised_where_it_is_waited_for_and_else_printed(capsys) -> None:
    job = Broken()
    job._waited_for = True
    job.start()
    with pytest.raises(KeyError, match="the cause") as raised:
        job.wait()
    assert raised.traceback[-1].name == "_job"
    assert capsys.readouterr().err == ""
    job = Broken().start()
    job._thread.join(5)
    err = capsys.readouterr().err
    assert "Traceback" in err and "_job" in err and "KeyError: 'the cause'" in err
    with pytest.raises(RuntimeError, match="make a new Run with resume=True"):
        job.start()


def test_signals_stop_it_and_the_handlers_come_back(counter: Counter) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with counter._signals():
        counter.start()
        signal.raise_signal(signal.SIGTERM)
        counter.wait()
    assert (counter.state, counter.signal) == ("stopped", signal.SIGTERM)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    with counter._signals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # as launchers pass it on: twice at once
        counter._signaled -= 2  # seconds pass
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_keyboard_stops_what_is_waited_for(counter: Counter) -> None:
    counter.start()
    timer = threading.Timer(
        0.1, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    )
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        counter.wait()
    assert counter.state == "stopped"


def test_a_program_that_ends_stops_it_cleanly() -> None:
    code = """
import sys; sys.path.insert(0, {!r})
from training.test_background import Counter
class Told(Counter):
    def _state_changed(self): print(self.state, self.count % 2, flush=True)
Told().start()
"""
    here = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code.format(here)], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split() == ["running", "0", "stopped", "0"] and done.returncode == 0
    assert done.stderr == ""


def test_a_program_that_ends_waits_for_what_its_thread_still_does() -> None:
    """Freeing tensors, for one: cut off in the middle of that, torch aborts the process."""
    code = """
import sys, time; sys.path.insert(0, {!r})
from training.test_background import Counter
class Slow(Counter):
    def _work(self):
        super()._work()
        time.sleep(0.5)
        print("freed", flush=True)
job = Slow(3)
job.start().wait()
print(job.state, flush=True)
"""
    here = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code.format(here)], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout.split(), done.returncode) == (["finished", "freed"], 0), done.stderr


def test_what_is_called_before_the_exit_can_still_use_thread_pools() -> None:
    """What atexit calls can't, as the second line shows: it is why a private name is needed."""
    code = """
import atexit, threading
from concurrent.futures import ThreadPoolExecutor
from colorlab.training.background import call_before_exit
pool, ended = ThreadPoolExecutor(1), threading.Event()
def try_pool(when):
    try:
        print(when, pool.submit(len, "two").result(), flush=True)
    except RuntimeError:
        print(when, "refused", flush=True)
    ended.set()
atexit.register(try_pool, "atexit")
call_before_exit(try_pool, "before")
threading.Thread(target=ended.wait).start()  # a thread that is waited for ends only now
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == ["before 3", "atexit refused"]
