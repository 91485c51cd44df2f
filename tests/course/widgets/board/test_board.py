"""The live board on tiny runs: its buttons, sliders and words; and it costs the run nothing."""

from __future__ import annotations

import base64
import dataclasses
import gc
import html
import io
import math
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made import RECIPE, with_
from PIL import Image

from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets.board import views
from colorlab.course.widgets.board.board import Board
from colorlab.course.widgets.epochs import EpochButtons
from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training.run import Run

LONG = dataclasses.replace(RECIPE, stages=(Stage("adversarial", 100_000, 16, 2, 1e-3, 2e-3),))


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def words(board: Board) -> str:
    return html.unescape(board.message.value)


def enabled(board: Board) -> list[str]:
    return [name for name, button in board.buttons.by_name.items() if not button.disabled]


def click(board: Board, name: str) -> None:
    """A click, and what it leads to."""
    board.buttons.by_name[name].click()
    board._errands.wait()


@pytest.fixture
def no_thread_is_left() -> Callable[[], bool]:
    """Whether every thread of runs and boards that began in this test has ended."""
    before = set(threading.enumerate())
    names = {"colorlab training", "colorlab drawing", "colorlab errands"}
    return lambda: not [t for t in set(threading.enumerate()) - before if t.name in names]


@pytest.fixture
def make(photos: Path, no_thread_is_left: Callable[[], bool]):
    made: list[Run] = []

    def run(recipe: Recipe = RECIPE, **choices) -> Run:
        options = {"progress": False, "validation": photos, "device": "cpu", **choices}
        made.append(Run(recipe, photos, **options))
        return made[-1]

    yield run
    for one in made:
        one.stop()
    until(no_thread_is_left)


# --- what the learner does ------------------------------------------------------------------------


def test_a_run_is_led_by_clicks(make, tmp_path) -> None:
    run = make(LONG, output=tmp_path)
    board = Board(run)
    assert (enabled(board), run.state) == (["start"], "new")
    assert "ready: press Start" in words(board)
    click(board, "start")
    until(lambda: run.step > 2)
    assert enabled(board) == ["pause", "stop", "save"]
    click(board, "pause")
    assert run.state == "paused" and enabled(board) == ["start", "stop", "save"]
    assert f"paused after step {run.step:,}" in words(board)
    assert board.buttons.by_name["start"].description == "Resume"
    click(board, "save")
    name = f"checkpoints/step-{run.step:08d}.ckpt"
    assert f"saved: {name}" in words(board) and (tmp_path / name).is_file()
    step = run.step
    click(board, "start")
    until(lambda: run.step > step)
    assert f"training from step {step + 1} on" in words(board)
    click(board, "stop")
    assert run.state == "stopped" and enabled(board) == ["start", "save"]
    assert f"stopped after step {run.step}: Resume goes on from here" in words(board)
    step = run.step
    click(board, "start")
    until(lambda: run.step > step)
    click(board, "stop")
    assert (run.state, len(run.history)) == ("stopped", run.step)


def test_saving_needs_a_folder(make) -> None:
    board = Board(make(LONG))
    click(board, "start")
    assert enabled(board) == ["pause", "stop"]


def test_the_notebook_does_not_wait_for_a_click(make) -> None:
    gate = threading.Event()
    run = make(LONG, listeners=[lambda e: gate.wait(10) if e.kind == "step" else None])
    board = Board(run)
    click(board, "start")
    began = time.monotonic()
    board.buttons.by_name["pause"].click()
    board.knobs.by_name["color_weight"].value = 3
    assert time.monotonic() - began < 1
    assert "pausing after the step under way" in words(board) and enabled(board) == []
    gate.set()
    board._errands.wait()
    assert run.state == "paused" and run.changes.changes[-1].value == 3


def test_a_slider_sets_the_next_step_and_shows_from_where_it_holds(make, tmp_path) -> None:
    used = {}
    run = make(LONG, output=tmp_path)
    run.listeners.append(
        lambda e: e.kind == "step" and used.update({e.step: run.trainer.color_weight})
    )
    board = Board(run)
    run.start()
    until(lambda: run.step > 3)
    board.knobs.by_name["color_weight"].value = 42
    board._errands.wait()
    (change,) = run.changes.changes
    assert (change.name, change.value) == ("color_weight", 42)
    until(lambda: run.step > change.step)
    assert used[change.step] == 42 and used[change.step - 1] == 100
    assert f"42, from step {change.step} on" in board.knobs.notes["color_weight"].value
    assert f"from step {change.step} on: λ (color) 42" in words(board)
    assert f'"step": {change.step}' in (tmp_path / "changes.jsonl").read_text()


def test_what_is_set_in_code_or_refused_is_shown(make, monkeypatch) -> None:
    run = make(LONG)
    board = Board(run)
    run.set(generator_rate=5e-5)
    board._redrawer.poke(soon=True)
    until(lambda: math.isclose(board.knobs.by_name["generator_rate"].value, 5e-5))

    def refuse(**_: float) -> None:
        raise RuntimeError("not now")

    monkeypatch.setattr(run, "set", refuse)
    board.knobs.by_name["color_weight"].value = 3
    board._errands.wait()
    assert board.knobs.by_name["color_weight"].value == 100
    assert "λ (color) stays as it was: not now" in words(board)


def test_rates_go_back_to_the_recipes_with_the_next_stage(make) -> None:
    stages = (
        Stage("adversarial", 4, 16, 2, 1e-3, 1e-3),
        Stage("adversarial", 4, 16, 2, 3e-3, 3e-3),
    )
    rates = []
    run = make(dataclasses.replace(RECIPE, stages=stages))
    board = Board(run)
    knob = board.knobs.by_name["generator_rate"]
    knob.value = 5e-4
    board._errands.wait()
    assert knob.value == 5e-4

    def look(event) -> None:  # noqa: ANN001
        if event.kind == "step":
            board._refresh()
            rates.append((run.trainer.optimizer_g.param_groups[0]["lr"], knob.value))

    run.listeners.append(look)
    run.train()
    used, displayed = np.array(rates).T
    np.testing.assert_allclose(used, [5e-4] * 4 + [3e-3] * 4)
    np.testing.assert_allclose(displayed, [5e-4] * 3 + [3e-3] * 5)  # what the next step takes
    said = [text for _, text in board._said]
    assert "stage 2 begins (adversarial): the learning rates are the recipe's again" in said


# --- what is seen ---------------------------------------------------------------------------------


def test_the_end_is_shown_before_anybody_waits_for_it(make, tmp_path) -> None:
    run = make(output=tmp_path, sample_every=2)
    board = Board(run)
    before = board.picture()
    run.train()
    assert "step 5 of 5" in board.status.value and ">finished<" in board.status.value
    assert "finished: 5 steps" in words(board) and "10 images seen" in board.status.value
    assert board.views.samples.steps == [0, 2, 4, 5]
    assert board.views.label.value == "after step 5 (the newest)"
    assert board.views.series.read == 5
    assert enabled(board) == [] and all(s.disabled for s in board.knobs.by_name.values())
    assert not board.views.slider.disabled
    after = board.picture()
    assert before.shape == after.shape and (before != after).any()
    assert after.shape[1] == 620 >= after.shape[0]


def test_an_older_sample_is_looked_at_and_stays(make) -> None:
    run = make(sample_every=2)
    board = Board(run)
    grid = board.views.grid
    untrained, curves = grid.value, [image.value for image in board.views.curves]
    run.train()
    newest = grid.value
    assert newest != untrained
    assert all(now.value != old for now, old in zip(board.views.curves, curves, strict=True))
    board.views.slider.value = 0
    assert grid.value == untrained and board.views.label.value == "after step 0 (untrained)"
    assert board.views.cursor == 0
    board._refresh()
    assert grid.value == untrained
    board.views.slider.value = board.views.slider.max
    assert grid.value == newest and board.views.looked is None and board.views.cursor is None


def test_the_grid_shows_what_the_run_made(make, tmp_path) -> None:
    run = make(sample_every=5, output=tmp_path)
    board = Board(run)
    run.train()
    written = np.asarray(Image.open(tmp_path / "samples" / "step-000005.png"))
    rows = np.concatenate([np.concatenate(row, 1) for row in board.views.samples.rows(5)])
    assert abs(rows.astype(int) - written).max() <= 1


def test_without_held_out_photos_there_are_only_curves(make) -> None:
    run = make(validation=None)
    board = Board(run)
    before = board.picture()
    run.train()
    assert not board.views.has_photos and board.picture().shape == before.shape
    assert board.views.slider not in _all(board.box) and board.views.curves[0] in _all(board.box)


def _all(widget) -> list:  # noqa: ANN001
    return [widget, *(one for child in getattr(widget, "children", ()) for one in _all(child))]


def test_the_pictures_are_small(make) -> None:
    run = make(sample_every=1)
    board = Board(run)
    run.train()
    bundle = board._repr_mimebundle_()
    still = bundle["image/png"]
    assert Image.open(io.BytesIO(base64.b64decode(still))).mode == "P"  # with a palette
    images = [board.views.grid, *board.views.curves]
    assert sum(len(image.value) for image in images) + 3 * len(still) / 4 < 150_000
    assert bundle[VIEW]["model_id"] == board.box.model_id
    assert bundle["text/plain"] == "Board(<Run test: finished, step 5 of 5>)"
    for image in images:
        opened = Image.open(io.BytesIO(image.value))
        assert f"{opened.width}px" == image.layout.width


# --- one board a run ------------------------------------------------------------------------------


def test_a_run_has_one_board(make) -> None:
    run = make(LONG)
    board = Board(run)
    again = Board(run)
    assert again is board and len(run.listeners) == 1
    assert Board(make(LONG)) is not board


def test_a_run_under_way_gets_a_board(make) -> None:
    run = make(LONG, sample_every=3)
    run.start()
    until(lambda: run.step > 7)
    board = Board(run)
    assert enabled(board) == ["pause", "stop"] and board.views.series.read > 7
    until(lambda: len(board.views.samples.steps) > 1)
    assert 0 not in board.views.samples.steps  # the networks were at work


def test_a_resumed_run_shows_its_history(make, tmp_path) -> None:
    first = make(LONG, output=tmp_path, sample_every=3, checkpoint_every=8)
    board = Board(first)
    first.listeners.append(lambda e: e.step == 7 and first._want("stop"))
    first.set(color_weight=9)
    first.train()
    (tmp_path / "samples" / "step-000009.png").write_bytes(b"of a run that was cut later")
    run = make(LONG, output=tmp_path, resume=True)
    again = Board(run)
    assert again is not board and again.views.samples.steps == [3, 6]
    assert again.views.series.read == 7 and "stopped after step 7" in words(again)
    assert again.knobs.by_name["color_weight"].value == 9
    assert enabled(again) == ["start", "save"]
    again.views.slider.value = 0
    np.testing.assert_allclose(
        again.views.samples.rows(3)[1].astype(int), board.views.samples.rows(3)[1], atol=1
    )


def test_a_board_is_freed_with_its_run(photos, no_thread_is_left) -> None:
    """ipywidgets keeps every widget; the networks must not hang on them."""
    run = Run(RECIPE, photos, progress=False, validation=photos, device="cpu")
    board = Board(run)
    run.train()
    button, message = board.buttons.by_name["stop"], board.message
    gone = [weakref.ref(one) for one in (run, board, run.trainer)]
    until(no_thread_is_left)
    del run, board
    gc.collect()
    assert [one() for one in gone] == [None] * 3
    button.click()
    assert "no longer in memory" in message.value


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_run_that_fails_says_why_and_what_to_do(make, tmp_path, capsys) -> None:
    def fail(event) -> None:  # noqa: ANN001
        if event.kind == "step" and event.step == 3:
            run.trainer.step = broken

    def broken(*_: object) -> dict:
        raise ValueError("the disk <is> gone")

    run = make(output=tmp_path, listeners=[fail])
    board = Board(run)
    with pytest.raises(ValueError, match="the disk"):
        run.train()
    assert "failed at step 4: ValueError: the disk <is> gone." in words(board)
    assert (
        "resume=True" in words(board)
        and "run.wait()" in words(board)
        and "<is>" not in board.message.value
    )
    assert enabled(board) == [] and ">failed<" in board.status.value
    assert "left" not in board.status.value


@pytest.mark.parametrize("seen", [False, True])
def test_a_failure_is_printed_where_no_board_shows_it(make, capsys, seen: bool) -> None:
    def broken(*_: object) -> dict:
        raise ValueError("gone")

    run = make()
    board = Board(run)
    board.shows_failures = seen
    run.trainer.step = broken
    run.start()
    until(lambda: not run.is_alive)
    assert ("Traceback" in capsys.readouterr().err) is not seen
    assert "failed at step 1: ValueError: gone. run.wait() shows where" in words(board)


def test_warnings_are_shown_and_then_not_printed(make, capsys) -> None:
    run = make(LONG)
    board = Board(run)
    run.warn("not seen <yet>")
    assert "not seen" in capsys.readouterr().err  # no page shows the board
    board.shows_warnings = True
    for number in range(3):
        run.warn(f"number {number}")
    assert capsys.readouterr().err == ""
    until(lambda: "number 2" in words(board))
    assert "warning at step 0: number 1" in words(board) and "number 0" not in words(board)


def test_a_drawing_that_fails_is_said_and_the_run_goes_on(make, monkeypatch) -> None:
    run = make(sample_every=1)
    board = Board(run)

    def fail(*_: object, **__: object) -> None:
        raise OSError("no font")

    with monkeypatch.context() as patch:
        patch.setattr(views, "draw_box", fail)
        run.train()
        assert run.state == "finished" and board in run.listeners
        assert "(OSError: no font); the run goes on" in words(board)
        assert ">finished<" in board.status.value and enabled(board) == []
    board._refresh()
    assert "no font" not in words(board)


def test_an_event_that_the_board_can_not_take_costs_nothing(make, monkeypatch) -> None:
    run = make(sample_every=2)
    board = Board(run)

    def fail(*_: object) -> None:
        raise MemoryError("too many photos")

    with monkeypatch.context() as patch:
        patch.setattr(board.views.samples, "add", fail)
        run.start()
        until(lambda: run.step >= 3 or not run.is_alive)
        run.wait()
    assert run.state == "finished" and board in run.listeners


# --- questions ------------------------------------------------------------------------------------

ASKING = dataclasses.replace(
    with_(optimization={"ask_each_epoch": True}), stages=(Stage("adversarial", 6, 16, 2),)
)


def test_the_board_asks_after_each_epoch(make, tmp_path) -> None:
    run = make(ASKING, output=tmp_path)  # six photos: an epoch is three steps
    board = Board(run, ask=True)
    assert board.question.layout.display == "flex"
    run.start()
    until(lambda: run.state == "asking" and not board.questions.save.disabled)
    until(lambda: enabled(board) == ["stop", "save"])
    until(lambda: "answer the question" in words(board))
    board.questions.rates["generator"].value = "5e-05"
    board.questions.go_on.click()
    until(lambda: run.step == 6 and not board.questions.save.disabled)
    assert board.knobs.by_name["generator_rate"].value == pytest.approx(5e-5)
    board.questions.save.click()
    run.wait()
    assert [(c.step, c.name) for c in run.changes.changes] == [
        *((4, "generator_rate"), (4, "epoch"), (7, "epoch"))
    ]


def test_buttons_of_the_runs_own_are_shown_while_they_ask(make) -> None:
    buttons = EpochButtons()
    run = make(ASKING, ask=buttons)
    board = Board(run)
    assert board.question.layout.display == "none"
    run.start()
    until(lambda: board.question.layout.display == "flex" and not buttons.save.disabled)
    click(board, "stop")
    assert run.state == "stopped" and board.question.layout.display == "none"
    assert Board(run, ask=True) is board and board.questions is buttons
    assert board.question.layout.display == "flex"


def test_asking_needs_a_recipe_that_does(make) -> None:
    run = make()
    with pytest.raises(ValueError, match="ask_each_epoch=True"):
        Board(run, ask=True)
    assert run.ask is None and run.listeners == []
    with pytest.raises(ValueError, match="already"):
        Board(make(ASKING, ask=lambda question: None), ask=True)


# --- threads --------------------------------------------------------------------------------------


def test_drawing_is_done_elsewhere_and_seldom(make, monkeypatch, no_thread_is_left) -> None:
    drawn: list[str] = []
    run = make(LONG, sample_every=100_000)
    board = Board(run)
    show = board._show
    monkeypatch.setattr(
        board, "_show", lambda: (drawn.append(threading.current_thread().name), show())
    )
    run.start()
    began = time.monotonic()
    until(lambda: run.step > 60 and time.monotonic() - began > 2.5, 60)
    assert 2 <= len(drawn) <= time.monotonic() - began + 2  # at the start, then once a second
    assert set(drawn) == {"colorlab drawing"}
    board._redrawer._not_before = time.monotonic() + 60  # what waits to be drawn is given up
    run.stop()
    assert drawn[-1] == "colorlab training"  # the end is drawn before the run has ended
    until(no_thread_is_left, 2)


def test_a_program_that_ends_is_not_held_up(photos) -> None:
    code = """
import sys; sys.path.insert(0, {tests!r})
import dataclasses, time
from made import RECIPE
from colorlab.recipes.recipe import Stage
from colorlab.training.run import Run
from colorlab.course.widgets.board.board import Board
stages = (Stage("adversarial", 100_000, 16, 2),)
run = Run(dataclasses.replace(RECIPE, stages=stages), {photos!r}, progress=False, device="cpu")
board = Board(run)
board.buttons.by_name["start"].click()
while run.step < 5:
    time.sleep(0.01)
print("end", flush=True)
"""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code.format(tests=str(Path(__file__).parents[3]), photos=str(photos)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)
