"""Changes are on the disk when they are made, and come back in their order."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from colorlab.training.changes import Change, ChangeLog, checked

CHANGES = [Change(4, "color_weight", 7.0), Change(9, "generator_rate", 1e-4)]


def test_a_change_is_on_the_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "changes.jsonl"
    log = ChangeLog(path)
    for number, change in enumerate(CHANGES, 1):
        log.add(change)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines == [vars(change) for change in CHANGES[:number]]
    assert ChangeLog(path).changes == CHANGES
    assert log.at(9) == [CHANGES[1]] and log.at(5) == []
    assert ChangeLog().changes == []


def test_a_line_cut_short_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "changes.jsonl"
    log = ChangeLog(path)
    for change in CHANGES:
        log.add(change)
    whole = path.read_text()
    for end in range(len(whole)):
        path.write_text(whole[:end])
        log = ChangeLog(path)
        assert log.changes == CHANGES[: whole[:end].count("\n")]
        log.add(Change(11, "sample_every", 3))  # after it there are whole lines alone
        assert ChangeLog(path).changes == log.changes


def test_a_file_that_was_removed_meanwhile_begins_anew(tmp_path: Path) -> None:
    log = ChangeLog(tmp_path / "changes.jsonl")
    log.add(CHANGES[0])
    log.path.unlink()
    log.add(CHANGES[1])
    assert ChangeLog(log.path).changes == CHANGES[1:]


def test_a_run_that_begins_anew_knows_nothing_of_an_earlier_ones_changes(tmp_path: Path) -> None:
    ChangeLog(tmp_path / "changes.jsonl").add(CHANGES[0])
    log = ChangeLog(tmp_path / "changes.jsonl", anew=True)
    assert log.changes == []
    log.add(CHANGES[1])
    assert ChangeLog(log.path).changes == CHANGES[1:]


@pytest.mark.parametrize("line", ["nonsense", '{"step": 3}', "[1, 2]", "\0\0"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "changes.jsonl"
    path.write_text(f"{line}\n" + json.dumps(vars(CHANGES[0])) + "\n")
    with pytest.raises(ValueError, match="changes.jsonl holds a line that is no change"):
        ChangeLog(path)


def test_changes_of_a_checkpoint_join_those_of_the_log() -> None:
    log = ChangeLog()
    log.add(CHANGES[1])
    log.merge([CHANGES[0], CHANGES[1]])
    assert log.changes == CHANGES


def test_a_change_at_an_earlier_step_comes_before_those_of_later_ones(tmp_path: Path) -> None:
    log = ChangeLog(tmp_path / "changes.jsonl")
    again = [Change(4, "color_weight", 5.0), Change(4, "color_weight", 7.0)]
    for change in (CHANGES[1], CHANGES[0], *again):  # 7, 5, 7: the last one holds
        log.add(change)
    assert log.changes == [CHANGES[0], *again, CHANGES[1]]
    assert log.at(4)[-1].value == 7.0


def test_a_decided_epoch_is_known() -> None:
    log = ChangeLog()
    log.add(Change(3, "epoch", 2))
    log.add(Change(5, "color_weight", 1))
    assert [log.epoch_is_decided(epoch) for epoch in (1, 2)] == [False, True]


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "1", None, True])
def test_values_that_no_setting_takes(value: object) -> None:
    for name in ("color_weight", "generator_rate", "discriminator_rate"):
        with pytest.raises(ValueError, match=f"{name} must be a number of at least 0"):
            checked(name, value)


@pytest.mark.parametrize("value", [0, 1.5, math.nan, True])
def test_steps_are_whole(value: float) -> None:
    with pytest.raises(ValueError, match="sample_every must be a whole number from 1 on"):
        checked("sample_every", value)


def test_what_fits_is_given_back() -> None:
    assert checked("color_weight", 0) == 0.0 and checked("sample_every", 20.0) == 20
