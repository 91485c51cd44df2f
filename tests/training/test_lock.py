"""Two runs in one folder, in every way that they meet there; and one that a kill left locked."""

from __future__ import annotations

import csv
import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest
from made import RECIPE

from colorlab.training import lock
from colorlab.training.lock import FolderInUse, RunLock
from colorlab.training.run import Run

LONG = RECIPE.with_steps(100_000)
ALONE = f"process {os.getpid()} on "


@pytest.fixture
def make(photos: Path) -> Iterator[Callable[..., Run]]:
    made = []

    def run(output: Path, recipe=LONG, **settings) -> Run:
        settings = {"device": "cpu", "progress": False, "checkpoint_every": 2, **settings}
        made.append(Run(recipe, photos, output=output, **settings))
        return made[-1]

    yield run
    for one in made:
        one.stop()


@pytest.fixture
def elsewhere(photos: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """``colorlab train`` in another process."""
    file, started = tmp_path / "long.json", []
    file.write_text(LONG.to_json(), encoding="utf-8")

    def train(output: Path, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "colorlab", "train", "--recipe", str(file)]
        options = ["--data", str(photos), "--validation", str(photos), "--device", "cpu"]
        process = subprocess.Popen(
            [*command, *options, "--checkpoint-every", "2", "-o", str(output), *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield train
    for process in started:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def steps(output: Path) -> list[int]:
    with open(output / "history.csv", newline="", encoding="utf-8") as file:
        return [int(row["step"]) for row in csv.DictReader(file) if row["step"]]


def has_begun(output: Path) -> bool:
    return any(output.glob("checkpoints/step-*.ckpt"))


# --- the four ways --------------------------------------------------------------------------------


def test_of_two_terminals_one_trains(elsewhere, tmp_path) -> None:
    """Both begin at once, before either has taken a step."""
    both = [elsewhere(tmp_path / "out") for _ in range(2)]
    until(lambda: any(process.poll() is not None for process in both))
    second = next(process for process in both if process.poll() is not None)
    first = next(process for process in both if process is not second)
    message = second.communicate()[1]
    assert second.returncode == 2 and "belongs to a run that is alive" in message
    assert message.count("\n") == 1
    until(lambda: has_begun(tmp_path / "out"))
    first.send_signal(signal.SIGTERM)
    first.communicate()
    assert first.returncode == 128 + signal.SIGTERM
    taken = steps(tmp_path / "out")
    assert taken == list(range(1, len(taken) + 1))


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_beside_a_live_run_another_process_is_refused(elsewhere, make, tmp_path, more) -> None:
    run = make(tmp_path / "out").start()
    until(lambda: has_begun(tmp_path / "out"))
    second = elsewhere(tmp_path / "out", *more)
    message = second.communicate()[1]
    assert second.returncode == 2 and ALONE in message and ", since 20" in message
    run.stop()
    assert steps(tmp_path / "out") == list(range(1, run.step + 1))


def test_a_cell_that_runs_again_finds_its_live_run(make, tmp_path, capsys) -> None:
    run = make(tmp_path / "out", resume=True).start()
    until(lambda: run.step > 2)
    for resume in (True, False):
        assert make(tmp_path / "out", resume=resume) is run and run.state == "running"
        assert "has a live run, at step" in capsys.readouterr().out
    run.pause()
    assert make(tmp_path / "nearby" / ".." / "out", resume=True) is run and run.state == "paused"
    run.resume()
    other = dataclasses.replace(LONG, seed=LONG.seed + 1)
    with pytest.raises(FolderInUse, match=r"another recipe into .*\n.*seed"):
        make(tmp_path / "out", other, resume=True)
    run.stop()
    assert steps(tmp_path / "out") == list(range(1, run.step + 1))
    assert make(tmp_path / "out", resume=True) is not run


def test_a_mirror_belongs_to_one_run_too(make, elsewhere, tmp_path) -> None:
    mirror = tmp_path / "drive"
    run = make(tmp_path / "one", mirror=mirror).start()
    with pytest.raises(FolderInUse, match=r"drive belongs to .* process this one on "):
        make(tmp_path / "two", mirror=mirror)
    with pytest.raises(FolderInUse, match="drive belongs to"):
        make(mirror)
    second = elsewhere(tmp_path / "two", "--mirror", str(mirror))
    assert ALONE in second.communicate()[1] and second.returncode == 2
    run.stop()
    assert make(tmp_path / "two", resume=True, mirror=mirror).step == run.step
    assert not list(mirror.glob(f"*{lock.LOCK}"))


# --- who may go on --------------------------------------------------------------------------------


def test_a_killed_run_blocks_nobody(elsewhere, make, tmp_path) -> None:
    killed = elsewhere(tmp_path / "out")
    until(lambda: has_begun(tmp_path / "out"))
    with pytest.raises(FolderInUse, match=f"process {killed.pid} on "):
        make(tmp_path / "out", resume=True)
    killed.kill()
    killed.wait()
    assert (tmp_path / "out" / lock.OWNER).exists()  # what it left does not count
    run = make(tmp_path / "out", resume=True)
    before = run.step
    run.start()
    until(lambda: run.step > before)


def test_a_run_that_has_not_begun_or_has_ended_holds_nothing(make, tmp_path) -> None:
    early, run = make(tmp_path / "out"), make(tmp_path / "out", RECIPE)
    run.train()
    assert not (tmp_path / "out" / lock.LOCK).exists()
    with pytest.raises(FolderInUse, match=r"step-0+5.ckpt was written by another run, and this"):
        early.start()
    assert early.state == "new" and steps(tmp_path / "out") == [1, 2, 3, 4, 5]


def test_a_stopped_run_neither_starts_nor_saves_beside_its_successor(make, tmp_path) -> None:
    first = make(tmp_path / "out").start()
    until(lambda: first.step > 2)
    first.stop()
    second = make(tmp_path / "out", resume=True).start()
    for act in (first.start, first.save):
        with pytest.raises(FolderInUse, match="belongs to a run that is alive: process this one"):
            act()
    until(lambda: second.step > first.step + 2)
    second.stop()
    for act in (first.start, first.save):
        with pytest.raises(FolderInUse, match="was written by another run"):
            act()
    assert steps(tmp_path / "out") == list(range(1, second.step + 1))


def test_a_run_that_failed_holds_nothing(make, tmp_path) -> None:
    def break_off(event) -> None:
        if event.kind == "step":
            run.trainer.generator.to("meta")

    run = make(tmp_path / "out", listeners=[break_off])
    with pytest.raises(Exception, match="meta"):
        run.train()
    assert run.state == "failed" and not (tmp_path / "out" / lock.LOCK).exists()


# --- drives ---------------------------------------------------------------------------------------


@pytest.fixture
def warned() -> list[str]:
    return []


def test_a_drive_without_locks_is_told(monkeypatch, tmp_path, warned) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    held = RunLock([tmp_path], warned.append)
    held.acquire()
    held.release()
    assert warned == [f"the drive of {tmp_path} knows no locks: let no second run write there"]


def test_a_mirror_that_is_gone_does_not_stop_a_run(tmp_path, warned) -> None:
    held = RunLock([tmp_path, tmp_path / "gone" / "drive"], warned.append)
    held.acquire()
    assert (tmp_path / lock.LOCK).exists() and "the mirror" in warned[0]
    with pytest.raises(FolderInUse):
        RunLock([tmp_path], warned.append).acquire()
    held.release()
    RunLock([tmp_path], warned.append).acquire()
