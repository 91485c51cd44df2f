"""A run's checkpoints after full disks, kills, damage and lost folders."""

from __future__ import annotations

import errno
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from colorlab import atomic
from colorlab.training.checkpoint_files import CheckpointError, read_checkpoint, read_facts
from colorlab.training.checkpoints import Checkpoints, checkpoint_name, step_of


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def kept(tmp_path: Path, heard: list[str]) -> Checkpoints:
    return Checkpoints(tmp_path / "run", warn=heard.append)


def tensors(step: int) -> dict[str, torch.Tensor]:
    return {"weights": torch.full((100,), float(step)), "steps": torch.tensor(step)}


def steps(folder: Path) -> list[int]:
    return sorted(step for p in folder.iterdir() if (step := step_of(p.name)) is not None)


def finds(kept: Checkpoints, step: int) -> Path:
    """Asserts that the newest good checkpoint is that of ``step``, with its own tensors."""
    path, found, facts = kept.newest()
    assert path.name == checkpoint_name(step) and facts["step"] == step
    assert torch.equal(found["weights"], torch.full((100,), float(step)))
    assert found["steps"].item() == step
    return path


# --- saving and pruning ---------------------------------------------------------------------------


def test_what_is_saved_is_found(kept: Checkpoints, tmp_path: Path, heard) -> None:
    assert kept.newest() is None and kept.candidates() == []
    path = kept.save(7, tensors(7), {"recipe": {"a": 1}}, score=0.25)
    assert path == tmp_path / "run" / "step-00000007.ckpt"
    assert read_facts(path) == {"recipe": {"a": 1}, "step": 7, "score": 0.25}
    kept.save(12, tensors(12), {"score": "of another"})
    assert read_checkpoint(kept.candidates()[0])[1] == {"step": 12, "score": None}
    finds(Checkpoints(tmp_path / "run", warn=heard.append), 12)
    assert not heard


def test_the_newest_and_the_best_stay_also_across_processes(tmp_path: Path, heard) -> None:
    scores = [9.0, 2.0, 1.0, math.nan, 5.0, None, 6.0, 7.0]
    for step, score in enumerate(scores):  # each as in a new process
        kept = Checkpoints(tmp_path, keep=2, warn=heard.append)
        kept.save(step, tensors(step), {}, score)
    assert steps(tmp_path) == [2, 6, 7]
    kept.save(8, tensors(8), {}, 0.5)
    kept.save(9, tensors(9), {}, torch.tensor(0.75))
    kept.save(10, tensors(10), {})
    assert steps(tmp_path) == [8, 9, 10]
    kept.save(11, tensors(11), {})
    assert steps(tmp_path) == [8, 10, 11]
    assert not heard


def test_foreign_files_are_left_alone(kept: Checkpoints, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "step-00000000.ckpt").mkdir(parents=True)
    others = ["step-1.ckpt", "step-00000001.ckpt.bak", "notes.partial", "weights.safetensors"]
    for name in others:
        (folder / name).write_bytes(b"mine")
    for step in range(1, 7):
        kept.save(step, tensors(step), {})
    wanted = [*others, "step-00000000.ckpt", *map(checkpoint_name, (4, 5, 6))]
    assert sorted(p.name for p in folder.iterdir()) == sorted(wanted)


def test_mistakes_are_reported_before_anything_is_written(kept: Checkpoints, tmp_path) -> None:
    with pytest.raises(TypeError, match="what JSON can say"):
        kept.save(1, tensors(1), {"loss": torch.ones(1)})
    with pytest.raises(ValueError, match="0 or more, got -1"):
        kept.save(-1, tensors(1), {})
    assert kept.newest() is None


def test_folders_that_can_not_be_are_reported_at_once(tmp_path: Path, heard) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "run"):
        with pytest.raises(CheckpointError, match=f"because {file} is a file: choose another"):
            Checkpoints(folder, warn=heard.append)
    with pytest.raises(CheckpointError, match=f"mirror {file} is a file"):
        Checkpoints(tmp_path / "run", mirror=file, warn=heard.append)
    with pytest.raises(CheckpointError, match="Is the drive mounted"):
        Checkpoints(tmp_path / "run", mirror=tmp_path / "drive" / "run", warn=heard.append)
    (tmp_path / "link").symlink_to(tmp_path)
    for own in (tmp_path / "run", tmp_path, tmp_path / "link", tmp_path / "x" / ".." / "run"):
        with pytest.raises(CheckpointError, match="is the run's own folder"):
            Checkpoints(tmp_path / "run", mirror=own, warn=heard.append)
    (tmp_path / "link").unlink()
    with pytest.raises(ValueError, match="keep should be 1 or more, got 0"):
        Checkpoints(tmp_path / "run", keep=0, warn=heard.append)
    assert list(tmp_path.iterdir()) == [file]


# --- disks that fail ------------------------------------------------------------------------------


def failed(heard: list[str], path: Path, cause: str, before: str) -> None:
    message = heard.pop()
    assert f"the checkpoint {path} could not be written (" in message and cause in message
    assert f"The run goes on; the checkpoint before it is kept: {before}." in message
    assert not heard


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, where the system lets tests mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if not sys.platform.startswith("linux") or not shutil.which("mount"):
        pytest.skip("no tmpfs here")
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(small_disk: Path, heard) -> None:
    folder = small_disk / "run"
    kept = Checkpoints(folder, keep=2, warn=heard.append)
    large = {"x": torch.zeros(100_000)}
    assert kept.save(1, large, {}) is None
    failed(heard, folder / checkpoint_name(1), "No space left", "none")
    for step in (2, 3):
        kept.save(step, tensors(step), {})
    for step in (4, 5):
        assert kept.save(step, large, {}) is None
        failed(heard, folder / checkpoint_name(step), "No space left", checkpoint_name(3))
    assert sorted(p.name for p in folder.iterdir()) == [*map(checkpoint_name, (2, 3))]
    finds(kept, 3)
    assert kept.save(6, tensors(6), {})
    assert steps(folder) == [3, 6]


def test_a_disk_that_turns_read_only(small_disk: Path, heard) -> None:
    kept = Checkpoints(small_disk, warn=heard.append)
    kept.save(1, tensors(1), {})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert kept.save(2, tensors(2), {}) is None
    failed(heard, small_disk / checkpoint_name(2), "Read-only", checkpoint_name(1))
    finds(kept, 1)


def test_a_mirror_that_is_full_or_read_only(small_disk: Path, tmp_path: Path, heard) -> None:
    kept = Checkpoints(tmp_path / "run", mirror=small_disk, warn=heard.append)
    kept.save(1, tensors(1), {})
    kept.save(2, {"x": torch.zeros(100_000)}, {})
    kept._mirror.wait(20)
    assert "step-00000002.ckpt could not be copied" in heard[0] and "No space left" in heard[0]
    assert not list(small_disk.glob("*.partial"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    kept.save(3, tensors(3), {})
    kept._mirror.wait(20)
    assert len(heard) == 2 and "Read-only" in heard[1]


@pytest.mark.parametrize("where", ["fsync", "replace", "write"])
def test_an_error_anywhere_in_writing_ends_nothing(
    kept: Checkpoints, tmp_path, heard, monkeypatch, where: str
) -> None:
    for step in (1, 2, 3):
        kept.save(step, tensors(step), {})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "write":
            patch.setattr("colorlab.training.checkpoint_files.write_whole", full)
        else:
            patch.setattr(atomic.os, where, full)
        assert kept.save(4, tensors(4), {}) is None
    failed(heard, tmp_path / "run" / checkpoint_name(4), "No space left", checkpoint_name(3))
    assert len(list((tmp_path / "run").iterdir())) == 3
    finds(kept, 3)


def test_nothing_is_removed_before_the_new_one_is_there(
    kept: Checkpoints, tmp_path, heard, monkeypatch
) -> None:
    for step in (1, 2, 3):
        kept.save(step, tensors(step), {})
    fewer = Checkpoints(tmp_path / "run", keep=1, warn=heard.append)

    def full(*_: object) -> None:
        assert steps(tmp_path / "run") == [1, 2, 3]
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("colorlab.training.checkpoint_files.write_whole", full)
        assert fewer.save(4, tensors(4), {}) is None
    assert steps(tmp_path / "run") == [1, 2, 3]
    fewer.save(4, tensors(4), {})
    assert steps(tmp_path / "run") == [4]


@pytest.mark.skipif(os.name == "nt", reason="there, a partial file goes after an hour")
def test_leftovers_of_other_steps_go_before_the_next_is_written(
    kept: Checkpoints, tmp_path, monkeypatch, heard
) -> None:
    kept.save(1, tensors(1), {})
    left = tmp_path / "run" / f"{checkpoint_name(9)}.{os.getpid()}-0123abcd.partial"
    left.touch()

    def full(*_: object) -> None:
        assert not left.exists()  # the room it took may be what the next one needs
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("colorlab.training.checkpoint_files.write_whole", full)
    assert kept.save(2, tensors(2), {}) is None and len(heard) == 1


def test_the_mirror_is_reported_before_older_ones_are_removed(tmp_path, heard, monkeypatch) -> None:
    """Else a copy that finds its source pruned would not yet see the successor."""
    kept = Checkpoints(tmp_path / "run", mirror=tmp_path / "mirror", warn=heard.append)
    calls = []
    monkeypatch.setattr(kept._mirror, "send_checkpoint", lambda path: calls.append("mirror"))
    monkeypatch.setattr(kept._shelves[0], "prune", lambda path: calls.append("prune"))
    kept.save(1, tensors(1), {})
    assert calls == ["mirror", "prune"]


def test_a_folder_that_vanishes_or_becomes_a_file(kept: Checkpoints, tmp_path, heard) -> None:
    kept.save(1, tensors(1), {})
    shutil.rmtree(tmp_path / "run")
    assert kept.save(2, tensors(2), {})  # made again
    finds(kept, 2)
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").touch()
    assert kept.save(3, tensors(3), {}) is None
    failed(heard, tmp_path / "run" / checkpoint_name(3), "", "none")
    assert kept.newest() is None
    assert "can't be searched" in heard.pop()


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_an_interrupt_while_writing_goes_through_and_harms_nothing(
    kept: Checkpoints, tmp_path, monkeypatch, where: str
) -> None:
    kept.save(1, tensors(1), {})

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, where, stop)
        with pytest.raises(KeyboardInterrupt):
            kept.save(2, tensors(2), {})
    assert [p.name for p in (tmp_path / "run").iterdir()] == [checkpoint_name(1)]
    finds(kept, 1)


# --- killed ---------------------------------------------------------------------------------------

LOOP = """
import os, signal, sys, torch
from colorlab.training.checkpoints import Checkpoints
kept = Checkpoints(sys.argv[1], keep=2, warn=print)
step, big = int(sys.argv[2]), torch.zeros(250_000)
print("ready", flush=True)
while True:
    step += 1
    if sys.argv[3] == "in a write" and step == 3:
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
    small = {"weights": torch.full((100,), float(step)), "steps": torch.tensor(step)}
    kept.save(step, {"big": big, **small}, {})
"""


@pytest.mark.skipif(os.name == "nt", reason="there, a partial file goes after an hour")
def test_a_run_killed_at_any_moment_can_go_on(kept: Checkpoints, tmp_path: Path, heard) -> None:
    folder, rng, begin = tmp_path / "run", random.Random(0), 0
    kept.save(0, tensors(0), {})
    for when in ["in a write", *(rng.uniform(0, 0.08) for _ in range(4))]:
        command = [sys.executable, "-c", LOOP, str(folder), str(begin), str(when)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert child.stdout.readline() == "ready\n"
        if isinstance(when, float):
            time.sleep(when)
            child.kill()
        assert child.communicate()[0] == ""  # no warning
        left = list(folder.glob("*.partial"))
        assert len(left) == 1 if when == "in a write" else len(left) <= 1
        path, found, facts = Checkpoints(folder, keep=2, warn=heard.append).newest()
        begin = facts["step"]
        assert found["steps"].item() == begin == step_of(path.name)
        assert (found["weights"] == begin).all() and not heard
        assert begin == 2 if when == "in a write" else begin >= 2
    assert kept.save(begin + 1, tensors(begin + 1), {})
    assert not list(folder.glob("*.partial"))
    finds(kept, begin + 1)


# --- damage ---------------------------------------------------------------------------------------


def test_twenty_cuts_and_twenty_flips_fall_back_to_the_one_before(
    kept: Checkpoints, tmp_path: Path, heard
) -> None:
    kept.save(1, tensors(1), {"changes": ["lr"] * 5})
    last = kept.save(2, tensors(2), {"changes": ["lr"] * 5})
    raw, rng = last.read_bytes(), random.Random(1)
    damaged = [raw[:cut] for cut in rng.sample(range(len(raw)), 20)]
    for spot in rng.sample(range(len(raw)), 20):
        flipped = bytearray(raw)
        flipped[spot] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        last.write_bytes(content)
        before = finds(kept, 1)
        message = heard.pop()
        assert str(last) in message and f"Now trying {before}." in message and not heard
    last.write_bytes(raw)
    finds(kept, 2)


def test_none_good_is_an_error_that_names_all(kept: Checkpoints, heard) -> None:
    paths = [kept.save(step, tensors(step), {}) for step in (1, 2)]
    for path in paths:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="none of the 2 checkpoints is good") as caught:
        kept.newest()
    assert all(str(path) in str(caught.value) for path in paths)
    assert len(heard) == 1 and str(paths[1]) in heard[0]


def test_a_run_that_fell_back_does_not_lose_what_it_saves_then(tmp_path: Path, heard) -> None:
    kept = Checkpoints(tmp_path, keep=2, warn=heard.append)
    for step in (100, 200):
        path = kept.save(step, tensors(step), {})
    path.write_bytes(path.read_bytes()[:-1] + b"!")  # which its header does not tell
    again = Checkpoints(tmp_path, keep=2, warn=heard.append)
    finds(again, 100)
    for step in (150, 160):
        again.save(step, tensors(step), {})
    assert steps(tmp_path) == [150, 160, 200]
    heard.clear()
    finds(again, 160)
    again.save(250, tensors(250), {})
    assert steps(tmp_path) == [160, 250]


# --- folder and mirror ----------------------------------------------------------------------------


def test_the_mirror_is_searched_too_and_the_own_folder_comes_first(tmp_path, heard) -> None:
    own, mirror = tmp_path / "own", tmp_path / "mirror"
    kept = Checkpoints(own, mirror=mirror, warn=heard.append)
    for step in (1, 2):
        kept.save(step, tensors(step), {})
        kept.close(20)
    (own / checkpoint_name(1)).unlink()
    found = [own / checkpoint_name(2), mirror / checkpoint_name(2), mirror / checkpoint_name(1)]
    assert kept.candidates() == found
    found[0].write_bytes(b"damaged")
    assert finds(kept, 2) == found[1]
    assert str(found[0]) in heard[0] and f"Now trying {found[1]}" in heard[0]
    shutil.rmtree(own)
    anew = Checkpoints(own, mirror=mirror, warn=heard.append)
    assert finds(anew, 2) == found[1]
    anew.save(3, tensors(3), {})
    anew.close(20)
    assert steps(own) == [3] and steps(mirror) == [1, 2, 3]
    assert len(heard) == 1


def test_importing_does_nothing(tmp_path: Path) -> None:
    code = "import threading, colorlab.training.checkpoints; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
