"""A drive that is slow, full, gone, or hangs; and a run that never waits for it."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from colorlab.training import checkpoints
from colorlab.training.checkpoint_files import read_checkpoint, write_checkpoint
from colorlab.training.checkpoints import Checkpoints, checkpoint_name

TENSORS = {"x": torch.arange(5.0)}


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "drive").mkdir()
    return tmp_path / "own", tmp_path / "drive" / "run"


@pytest.fixture
def kept(folders, heard) -> Checkpoints:
    return Checkpoints(folders[0], keep=2, mirror=folders[1], warn=heard.append)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ckpts(*steps: int) -> list[str]:
    return [checkpoint_name(step) for step in steps]


class Gate:
    """Holds back copies until it is opened, as a drive that hangs does."""

    def __init__(self, monkeypatch):
        self.opened, self.reached, self.copied = threading.Event(), threading.Event(), []
        real = checkpoints.write_whole

        def slow(path, chunks):
            self.reached.set()
            assert self.opened.wait(20)
            self.copied.append(path.name)
            return real(path, chunks)

        monkeypatch.setattr(checkpoints, "write_whole", slow)


@pytest.fixture
def gate(monkeypatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.opened.set()


def test_each_checkpoint_is_copied_byte_for_byte_and_pruned(kept, folders, heard) -> None:
    own, mirror = folders
    for step, score in enumerate([3.0, 1.0, 2.0, 4.0, 5.0]):
        path = kept.save(step, TENSORS, {"n": step}, score)
        kept.close(20)
        assert (mirror / path.name).read_bytes() == path.read_bytes()
    assert names(mirror) == names(own) == ckpts(1, 3, 4)
    assert not heard
    assert threading.active_count() == 1 or all(
        thread.name != "colorlab-mirror" for thread in threading.enumerate()
    )


def test_other_files_are_copied_under_their_names(kept, folders, tmp_path, heard) -> None:
    for name in ("weights.safetensors", "changes.jsonl"):
        (tmp_path / name).write_text(name)
        kept.mirror_file(tmp_path / name)
    kept.save(1, TENSORS, {})
    kept.close(20)
    assert names(folders[1]) == ["changes.jsonl", *ckpts(1), "weights.safetensors"]
    assert (folders[1] / "changes.jsonl").read_text() == "changes.jsonl"
    assert not heard


def test_without_a_mirror_there_is_nothing_to_copy(tmp_path, heard) -> None:
    kept = Checkpoints(tmp_path / "own", warn=heard.append)
    kept.mirror_file(tmp_path / "none")
    kept.close()
    assert not heard and not list(tmp_path.iterdir())


def test_a_slow_mirror_gets_the_newest_only_and_nobody_waits(kept, folders, heard, gate) -> None:
    kept.save(0, TENSORS, {})
    assert gate.reached.wait(20)
    began = time.monotonic()
    for step in range(1, 6):
        kept.save(step, TENSORS, {})  # the source of the copy under way is pruned meanwhile
    assert time.monotonic() - began < 2
    gate.opened.set()
    kept.close(20)
    assert gate.copied == ckpts(0, 5)
    assert names(folders[1]) == ckpts(0, 5) and not heard
    assert read_checkpoint(folders[1] / checkpoint_name(0))[1]["step"] == 0


def test_a_source_that_was_pruned_before_its_turn_is_no_trouble(
    kept, folders, heard, monkeypatch
) -> None:
    reached, go_on, real = threading.Event(), threading.Event(), kept._mirror.shelf.clean

    def wait() -> None:
        reached.set()
        assert go_on.wait(20)
        real()

    monkeypatch.setattr(kept._mirror.shelf, "clean", wait)
    kept.save(0, TENSORS, {})
    assert reached.wait(20)  # the copy of 0 has begun, and its file is not yet open
    for step in (1, 2, 3):
        kept.save(step, TENSORS, {})
    assert names(folders[0]) == ckpts(2, 3)
    go_on.set()
    kept.close(20)
    assert names(folders[1]) == ckpts(3) and not heard


def test_close_gives_up_in_time_and_names_what_is_missing(kept, folders, heard, gate) -> None:
    kept.save(1, TENSORS, {})
    assert gate.reached.wait(20)
    kept.save(2, TENSORS, {})
    began = time.monotonic()
    kept.close(timeout=0.1)
    assert 0.1 <= time.monotonic() - began < 2
    (message,) = heard
    assert f"{ckpts(1)[0]}, {ckpts(2)[0]} was not copied to {folders[1]}," in message
    assert str(folders[0]) in message
    gate.opened.set()
    kept.close(20)
    assert len(heard) == 1 and names(folders[1]) == ckpts(1, 2)


def broken(kept, folders, heard, step: int) -> None:
    """The next save warns once, of the right things; the run's own file is there."""
    before = len(heard)
    path = kept.save(step, TENSORS, {})
    kept._mirror.wait(20)
    assert read_checkpoint(path)[1]["step"] == step
    (message,) = heard[before:]
    assert f"{path.name} could not be copied to {folders[1]} (" in message
    assert f"is kept in {folders[0]}; will be tried again with the next checkpoint" in message


@pytest.mark.parametrize("how", ["removed", "a file", "full"])
def test_a_mirror_that_fails_is_reported_once_a_copy_and_comes_back(
    kept, folders, heard, monkeypatch, tmp_path, how: str
) -> None:
    own, mirror = folders
    kept.save(1, TENSORS, {})
    kept.close(20)
    with monkeypatch.context() as patch:
        if how == "full":

            def full(path, chunks):
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(checkpoints, "write_whole", full)
        else:
            shutil.move(mirror, tmp_path / "aside")
            if how == "a file":
                mirror.write_bytes(b"")
        broken(kept, folders, heard, 2)
        broken(kept, folders, heard, 3)
        assert not mirror.is_dir() or how == "full"  # not made anew where the drive is gone
    if how != "full":
        mirror.unlink(missing_ok=True)
        shutil.move(tmp_path / "aside", mirror)
    kept.save(4, TENSORS, {})
    kept.close(20)
    assert len(heard) == 2
    assert names(mirror) == ckpts(1, 4)


def test_a_copy_cut_off_midway_leaves_no_half_file(kept, folders, heard, monkeypatch) -> None:
    kept.save(1, TENSORS, {})
    kept.close(20)
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", _only_to(folders[0]))
        broken(kept, folders, heard, 2)
    assert names(folders[1]) == ckpts(1)


def _only_to(folder: Path):
    from os import replace

    def to(source, target):
        if Path(target).parent != folder:
            raise OSError(errno.EIO, "Input/output error")
        replace(source, target)

    return to


def test_another_file_that_failed_is_tried_again_with_the_next_checkpoint(
    kept, folders, heard, tmp_path
) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"old")
    kept.mirror_file(weights)
    kept.close(20)
    shutil.move(folders[1], tmp_path / "aside")
    kept.mirror_file(weights)
    kept._mirror.wait(20)
    assert len(heard) == 1 and heard[0].startswith("weights.safetensors could not be copied")
    shutil.move(tmp_path / "aside", folders[1])
    weights.write_bytes(b"new")
    kept.save(1, TENSORS, {})
    kept.close(20)
    assert (folders[1] / "weights.safetensors").read_bytes() == b"new" and len(heard) == 1


@pytest.mark.parametrize("back", [True, False])
def test_what_failed_last_is_tried_once_more_at_the_end_and_reported(
    kept, folders, heard, tmp_path, back: bool
) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"last")
    kept.save(1, TENSORS, {})
    kept._mirror.wait(20)
    shutil.move(folders[1], tmp_path / "aside")
    kept.mirror_file(weights)
    kept.save(2, TENSORS, {})
    kept._mirror.wait(20)
    before = len(heard)  # each told as it failed
    if back:
        shutil.move(tmp_path / "aside", folders[1])
        kept.close(20)
        assert names(folders[1]) == [*ckpts(1, 2), "weights.safetensors"]
        assert len(heard) == before
    else:
        kept.close(20)
        (message,) = heard[before:]
        assert "was not copied to" in message
        assert "weights.safetensors" in message and ckpts(2)[0] in message


def test_a_listener_that_fails_does_not_end_the_mirror(folders, tmp_path) -> None:
    def warn(_: str) -> None:
        raise RuntimeError("nobody listens")

    kept = Checkpoints(folders[0], mirror=folders[1], warn=warn)
    kept.mirror_file(tmp_path / "none")
    kept.save(1, TENSORS, {})
    kept._mirror.wait(20)
    assert names(folders[1]) == ckpts(1)


def test_leftovers_of_killed_copies_are_removed_first(kept, folders) -> None:
    folders[1].mkdir()
    (folders[1] / "step-00000009.ckpt.999999999-0123abcd.partial").touch()
    (folders[1] / "notes.txt").touch()
    kept.save(1, TENSORS, {})
    kept.close(20)
    assert names(folders[1]) == ["notes.txt", *ckpts(1)]


def test_a_mirror_from_an_earlier_machine_is_pruned_too(kept, folders) -> None:
    folders[1].mkdir()
    for step, score in [(1, 0.5), (2, 2.0), (3, 3.0)]:
        facts = {"step": step, "score": score}
        write_checkpoint(folders[1] / checkpoint_name(step), TENSORS, facts)
    kept.save(4, TENSORS, {}, score=1.0)
    kept.close(20)
    assert names(folders[1]) == ckpts(1, 3, 4)


def test_no_more_threads_do_not_end_the_run(kept, folders, heard, monkeypatch) -> None:
    def none(self) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        assert kept.save(1, TENSORS, {})
    assert "can't start new thread" in heard[0] and not folders[1].exists()
    kept.save(2, TENSORS, {})
    kept.close(20)
    assert names(folders[1]) == ckpts(2)
