"""colorlab.training.checkpoints: names and order of the files, and which of them may go."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from colorlab.training.checkpoint_files import write_checkpoint
from colorlab.training.checkpoints import Shelf, checkpoint_name, step_of


def put(folder: Path, step: int, score: object = None) -> Path:
    return write_checkpoint(folder / checkpoint_name(step), {}, {"step": step, "score": score})


def steps(shelf: Shelf) -> list[int]:
    return [step_of(path.name) for path in shelf.files()]


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def shelf(tmp_path: Path, heard: list[str]) -> Shelf:
    return Shelf(tmp_path, 2, heard.append)


@pytest.mark.parametrize("step", [0, 7, 1234, 99_999_999, 100_000_000, 123_456_789_012])
def test_a_name_tells_its_step(step: int) -> None:
    assert step_of(checkpoint_name(step)) == step
    assert checkpoint_name(1234) == "step-00001234.ckpt"


@pytest.mark.parametrize(
    "name",
    [
        "step-1.ckpt",
        "step-000000001.ckpt",  # nine digits where eight would do
        "step-00000001.ckpt.bak",
        "step-00000001.ckpt.12-0123abcd.partial",
        "my step-00000001.ckpt",
        "step--0000001.ckpt",
        "step-٠٠٠٠٠٠٠١.ckpt",
        "step-00000001.ckpt\n",
        "weights.safetensors",
    ],
)
def test_other_names_have_no_step(name: str) -> None:
    assert step_of(name) is None


def test_files_are_sorted_by_number(shelf: Shelf, tmp_path: Path) -> None:
    assert Shelf(tmp_path / "none", 2, print).files() == []
    for step in (99_999_999, 3, 100_000_000, 20):
        put(tmp_path, step)
    (tmp_path / checkpoint_name(5)).mkdir()
    (tmp_path / "step-7.ckpt").touch()
    assert steps(shelf) == [100_000_000, 99_999_999, 20, 3]


@pytest.mark.parametrize(
    ("scores", "stay"),
    [
        ([None] * 5, [4, 3]),
        ([5.0, 1.0, 3.0, 4.0, 2.0], [4, 3, 1]),
        ([5.0, 4.0, 3.0, 2.0, 1.0], [4, 3]),
        ([math.nan, 1.0, math.nan, None, None], [4, 3, 1]),
        ([math.nan, None, math.nan, None, None], [4, 3]),
        ([0, 1.0, 2.0, 3.0, 4.0], [4, 3, 0]),  # JSON may give a whole number
        ([1.0, 1.0, 2.0, 3.0, 4.0], [4, 3, 1]),  # of two as good, the later
        (["-9", True, [], 3.0, 4.0], [4, 3]),  # no scores of ours
        ([math.inf, math.inf, -1.0, 1.0, 1.0], [4, 3, 2]),
    ],
)
def test_the_newest_and_the_best_stay(shelf, tmp_path, heard, scores, stay) -> None:
    last = [put(tmp_path, step, score) for step, score in enumerate(scores)][-1]
    shelf.prune(last)
    assert steps(shelf) == stay
    shelf.prune(last)
    assert steps(shelf) == stay and not heard


def test_what_was_just_saved_stays_behind_later_ones(shelf: Shelf, tmp_path: Path) -> None:
    """A run that went back to an earlier step must not lose what it saves there."""
    for step in (100, 200, 300):
        put(tmp_path, step)
    shelf.prune(put(tmp_path, 150))
    assert steps(shelf) == [300, 200, 150]


def test_damaged_ones_take_no_place_and_go_when_the_run_has_passed(shelf, tmp_path) -> None:
    for step in (100, 200, 300):
        put(tmp_path, step, score=1.0)
    shelf.damaged.add(checkpoint_name(300))
    (tmp_path / checkpoint_name(250)).write_bytes(b"no checkpoint")
    shelf.prune(put(tmp_path, 210, score=2.0))
    assert steps(shelf) == [300, 250, 210, 200]
    assert [step_of(path.name) for path in shelf.good_files()] == [210, 200]
    shelf.prune(put(tmp_path, 300, score=3.0))  # written anew, so good again
    assert steps(shelf) == [300, 210, 200]
    assert [step_of(path.name) for path in shelf.good_files()] == [300, 210, 200]


def test_a_score_is_looked_up_again_when_its_file_is_written_anew(shelf, tmp_path) -> None:
    for step in (1, 2):
        put(tmp_path, step, score=float(step))
    shelf.prune(put(tmp_path, 3, score=3.0))
    shelf.prune(put(tmp_path, 1, score=9.0))
    shelf.prune(put(tmp_path, 4, score=4.0))
    assert steps(shelf) == [4, 3, 2]


def test_a_file_that_the_drive_will_not_read_now_is_not_removed(
    shelf, tmp_path, monkeypatch
) -> None:
    best = put(tmp_path, 1, score=0.0)
    others = [put(tmp_path, step, score=1.0) for step in (2, 3, 4)]
    real = open

    def sick(path, *rest, **more):
        if str(path) == str(best):
            raise OSError(5, "Input/output error")
        return real(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", sick)
        shelf.prune(others[-1])
    assert steps(shelf) == [4, 3, 1]
    shelf.prune(put(tmp_path, 5, score=1.0))
    assert steps(shelf) == [5, 4, 1]


def test_a_file_that_can_not_be_removed_is_reported(shelf, tmp_path, heard, monkeypatch) -> None:
    paths = [put(tmp_path, step) for step in range(4)]

    def stuck(*_: object, **__: object) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "unlink", stuck)
    shelf.prune(paths[-1])
    (message,) = heard
    assert str(tmp_path) in message and "in use" in message


def test_clean_leaves_what_is_not_ours(shelf: Shelf, tmp_path: Path) -> None:
    ours = tmp_path / f"step-00000001.ckpt.{os.getpid()}-0123abcd.partial"
    other = tmp_path / f"album.png.{os.getpid()}-0123abcd.partial"
    ours.touch(), other.touch()
    shelf.clean()
    assert list(tmp_path.iterdir()) == [other]
