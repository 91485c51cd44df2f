"""What listens to a run, told made events."""

from __future__ import annotations

import csv
import os
import sys

import pytest
import torch

from colorlab.training.listeners import BalanceWatch, CsvHistory, Event, ProgressBar, TensorBoard


def step(number: int, **losses: float) -> Event:
    return Event("step", number, 0.5 * number, {"step": number, "stage": 0, **losses})


def state(name: str, number: int = 0) -> Event:
    return Event("state", number, 0.0, {"state": name, "steps": 10, "name": "made"})


# --- the bar --------------------------------------------------------------------------------------


def test_the_bar_goes_on_where_the_run_does(capsys) -> None:
    bar = ProgressBar()
    for event in (state("running", 7), step(8, color=0.123456), step(9, color=0.1)):
        bar(event)
    assert bar.bar.n == 9 and bar.bar.total == 10
    bar(state("paused", 9))
    assert bar.bar is not None
    bar(Event("warning", 9, 4.5, {"message": "too hot"}))
    bar(Event("change", 9, 4.5, {"name": "color_weight", "value": 10.0}))
    bar(step(10, color=0.05))
    bar(state("finished", 10))
    assert bar.bar is None
    out, err = capsys.readouterr()
    assert "warning at step 9: too hot" in out
    assert "from step 10: color_weight 10.0" in out
    assert "10/10" in err and "color=0.05" in err and "stage" not in err


def test_a_bar_before_the_start_says_nothing(capsys) -> None:
    bar = ProgressBar()
    bar(step(1, color=1.0))
    bar(state("stopped"))
    assert capsys.readouterr() == ("", "")


# --- the file -------------------------------------------------------------------------------------


def rows(path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_line_a_step_at_once_and_absent_losses_are_empty(tmp_path) -> None:
    history = CsvHistory(tmp_path / "new" / "history.csv")
    history(step(1, color=0.5))
    first = rows(history.file.name)
    assert [row["color"] for row in first] == ["0.5"]
    assert first[0]["seconds"] == "0.5" and first[0]["generator"] == ""
    history(step(2, color=0.4, generator=0.7))
    history(Event("warning", 2, 1.0, {"message": "no line"}))
    history.close()
    assert [row["generator"] for row in rows(history.file.name)] == ["", "0.7"]


def test_every_loss_has_its_column(tmp_path) -> None:
    losses = ("color", "palette", "diversity", "perceptual", "generator", "held_out")
    row = {name: float(i) for i, name in enumerate(losses)}
    history = CsvHistory(tmp_path / "history.csv", [({"step": 1, "stage": 0, **row}, 0.5)])
    history(step(2, **row))
    history.close()
    for written in rows(history.file.name):
        assert {name: float(written[name]) for name in losses} == row


def test_what_came_after_the_checkpoint_is_replaced(tmp_path) -> None:
    path = tmp_path / "history.csv"
    first = CsvHistory(path)
    for number in (1, 2, 3):
        first(step(number, color=number / 10))
    first.close()
    again = CsvHistory(path, [({"step": 1, "stage": 0, "color": 0.1}, 0.5)])
    again(step(2, color=0.7))
    again.close()
    assert [(row["step"], row["color"]) for row in rows(path)] == [("1", "0.1"), ("2", "0.7")]
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
def test_a_full_disk_is_reported_once_and_closing_is_quiet(tmp_path) -> None:
    history = CsvHistory(tmp_path / "history.csv")
    history.file.close()
    history.file = open("/dev/full", "a", newline="")  # noqa: SIM115
    history.writer = csv.DictWriter(history.file, history.COLUMNS)
    with pytest.raises(OSError, match="No space left"):
        history(step(1, color=0.5))
    history.close()
    assert history.file.closed


# --- TensorBoard ----------------------------------------------------------------------------------


def test_tensorboard_that_is_not_there(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard, or leave it out"):
        TensorBoard(tmp_path)


def test_tensorboard_gets_losses_grids_and_words(monkeypatch, tmp_path) -> None:
    class Writer:
        def __init__(self, folder: str):
            self.calls = [("folder", folder)]

        def __getattr__(self, name: str):
            return lambda *values, **options: self.calls.append((name, *values))

    module = type(sys)("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = TensorBoard(tmp_path)
    board(step(3, color=0.25))
    board(Event("sample", 3, 1.0, {"pictures": [torch.zeros(2, 3, 6, 6)] * 3}))
    board(Event("warning", 4, 1.0, {"message": "too hot"}))
    board(Event("change", 5, 1.0, {"name": "color_weight", "value": 1.0}))
    calls = {name: values for name, *values in board.writer.calls[1:]}
    assert board.writer.calls[0] == ("folder", str(tmp_path))
    assert calls["add_scalar"] == ["color", 0.25, 3]
    assert calls["add_image"][1].shape == (18, 12, 3)
    assert [call[2] for call in board.writer.calls if call[0] == "add_text"] == [
        "too hot",
        "color_weight 1.0",
    ]


# --- the balance ----------------------------------------------------------------------------------


def row(accuracy: float, fake: float | None = None) -> dict[str, float]:
    fake = accuracy if fake is None else fake
    return {
        "accuracy_real": accuracy,
        "accuracy_fake": fake,
        "logit_real": 4.0,
        "logit_fake": -5.0,
    }


def test_a_discriminator_that_has_won_is_named_once_with_its_numbers() -> None:
    watch = BalanceWatch(window=10, limit=0.98)
    said = [watch(row(0.99)) for _ in range(30)]
    assert [i for i, text in enumerate(said) if text] == [9]
    assert "over the last 10 steps" in said[9] and "99.0% of the real" in said[9]
    assert "+4.0 and -5.0" in said[9] and "Lower the discriminator's learning rate" in said[9]


def test_it_warns_again_only_after_the_balance_came_back() -> None:
    watch = BalanceWatch(window=10)
    for accuracy, warned in ((1.0, 1), (0.95, 0), (1.0, 0), (0.8, 0), (1.0, 1)):
        said = [watch(row(accuracy)) for _ in range(15)]
        assert sum(text is not None for text in said) == warned, accuracy


@pytest.mark.parametrize(("real", "fake"), [(1.0, 0.97), (0.97, 1.0), (0.5, 0.5)])
def test_one_side_alone_does_not_win(real: float, fake: float) -> None:
    watch = BalanceWatch(window=5)
    assert not any(watch(row(real, fake)) for _ in range(20))


def test_steps_without_a_discriminator_count_for_nothing() -> None:
    watch = BalanceWatch(window=5)
    for _ in range(4):
        assert watch(row(1.0)) is None
        assert watch({"color": 0.1}) is None
    assert watch(row(1.0))
