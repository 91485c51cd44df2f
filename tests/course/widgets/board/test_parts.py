"""What the live board is made of: figures, curves, samples and threads, without a run."""

from __future__ import annotations

import dataclasses
import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made import RECIPE, with_
from PIL import Image

from colorlab.course.widgets._bundle import encode_image
from colorlab.course.widgets.board.boxes import Series, boxes, draw_box
from colorlab.course.widgets.board.controls import ADJUSTABLE, CLICKABLE, Knobs
from colorlab.course.widgets.board.meter import (
    Setting,
    Speed,
    duration,
    place_of,
    settings_at,
    speeds,
    time_left,
    written,
)
from colorlab.course.widgets.board.samples import MOST, Samples, draw_grid
from colorlab.course.widgets.board.threads import Errands, Redrawer, weakly
from colorlab.recipes.recipe import Stage
from colorlab.training.changes import Change


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


# --- figures --------------------------------------------------------------------------------------


def test_where_a_run_stands():
    """Stages of 2 and 3 steps: the place is that of the step to come."""
    found = [(p.number, p.before, p.left) for p in (place_of(RECIPE, step) for step in range(6))]
    assert found == [
        (0, 0, {0: 2, 1: 3}),
        (0, 0, {0: 1, 1: 3}),
        (1, 2, {1: 3}),
        (1, 2, {1: 2}),
        (1, 2, {1: 1}),
        (1, 2, {}),
    ]


def test_settings_hold_as_the_run_has_them():
    changes = [
        Change(2, "generator_rate", 0.5),
        Change(2, "color_weight", 7.0),
        Change(4, "discriminator_rate", 0.25),
        Change(4, "epoch", 1.0),
    ]
    first, second, third = (settings_at(RECIPE, changes, step) for step in (0, 1, 2))
    assert first["generator_rate"] == Setting(1e-3) and first["color_weight"] == Setting(100.0)
    assert second["generator_rate"] == Setting(0.5, 2) and second["color_weight"] == Setting(7.0, 2)
    assert third["generator_rate"] == Setting(1e-3)  # another stage
    assert third["color_weight"] == Setting(7.0, 2)
    assert third["discriminator_rate"] == Setting(2e-3)
    assert settings_at(RECIPE, changes, 3)["discriminator_rate"] == Setting(0.25, 4)


def test_speed_is_measured_in_each_stage_without_its_first_step():
    took = [9.0, *[0.1] * 69, 5.0, *[0.2] * 4, 1.2, *[0.2] * 5]
    rows = [{"stage": 0}] * 70 + [{"stage": 1}] * 11
    found = speeds(rows, np.cumsum(took).tolist())
    assert found[0].median == pytest.approx(0.1) and found[0].mean == pytest.approx(0.1)
    assert found[1].median == pytest.approx(0.2)
    assert found[1].mean == pytest.approx((9 * 0.2 + 1.2) / 10)
    single = speeds(rows[:1], [9.0])
    assert single == {0: Speed(9.0, 9.0)} and speeds([], []) == {}
    assert speeds(rows, [9.0]) == single  # a row whose time is still to come


def test_the_time_left_guesses_nothing():
    fast, slow = Speed(1, 0.5), Speed(1, 2.0)
    assert time_left({0: 10, 1: 10}, {0: fast, 1: slow}) == "25 s left"
    assert (
        time_left({0: 10, 1: 3000}, {0: fast})
        == "5 s left, then 3,000 steps of a stage not timed yet"
    )
    assert time_left({1: 3000}, {0: fast}) == "3,000 steps left, not timed yet"
    assert time_left({}, {0: fast}) == ""
    assert [duration(s) for s in (0.4, 99, 100, 3600, 9000)] == [
        *("0 s", "99 s", "2 min", "60 min", "2 h 30 min")
    ]


def test_how_settings_are_written():
    assert [written("generator_rate", v) for v in (2e-4, 1.3e-3, 0.0)] == ["2e-4", "1.3e-3", "0"]
    assert [written("color_weight", v) for v in (50.0, 0.5)] == ["50", "0.5"]


# --- curves ---------------------------------------------------------------------------------------


def history(steps: int) -> list[dict]:
    return [
        {"step": n, "stage": 0, "color": 1 / n, **({"held_out": 0.5} if n % 10 == 0 else {})}
        for n in range(1, steps + 1)
    ]


def test_a_history_is_read_on_and_thinned_with_its_newest_step():
    rows, whole, grown = history(1003), Series(), Series()
    whole.read_on(rows)
    for end in (1, 40, 999, 1003):
        grown.read_on(rows[:end])
    for name in ("color", "held_out", "generator"):
        for one, other in zip(whole.line(name), grown.line(name), strict=True):
            np.testing.assert_array_equal(one, other)
    steps, values = whole.line("color")
    assert len(steps) <= 240 and steps[-1] == 1003 and whole.width == 25
    wanted = np.mean([1 / n for n in range(1003 - 24, 1004)])
    assert values[-1] == pytest.approx(wanted)
    assert np.isnan(whole.line("generator")[1]).all()
    np.testing.assert_array_equal(whole.line("held_out")[0], np.arange(10, 1001, 10))


def test_what_measures_differently_has_a_box_of_its_own():
    def titles(recipe, held_out: bool) -> list[tuple[str, int]]:
        return [(box.title, len(box.lines)) for box in boxes(recipe, held_out)]

    adversarial = [("Losses", 2), ("D is right on", 2)]
    assert titles(RECIPE, True) == [("Color loss", 2), *adversarial]
    assert titles(RECIPE, False) == [("Color loss", 1), *adversarial]
    huber = with_(objective={"color": "huber"})
    assert titles(huber, True) == [("Color loss", 1), ("Held-out error", 1), *adversarial]
    only_color = dataclasses.replace(RECIPE, stages=(Stage("pretrain", 2, 16, 2),))
    assert titles(only_color, True) == [("Color loss", 2)]
    hinted = with_(generator={"kind": "hint-unet"}, objective={"palette_weight": 1.0})
    assert titles(hinted, True) == [("Color loss", 2), ("Palette loss", 1), *adversarial]


def test_a_box_has_the_same_size_whatever_is_in_it():
    series, (box, *_) = Series(), boxes(RECIPE, True)
    empty = draw_box(box, series, 5, (280, 170))
    series.read_on(history(1))
    one = draw_box(box, series, 5, (280, 170))
    series.read_on(history(300))
    full = draw_box(box, series, 5000, (280, 170), marks=[7, 7, 200], cursor=100)
    assert empty.shape == one.shape == full.shape == (170, 280, 3)
    assert (empty != one).any() and (one != full).any()


def test_small_pngs_keep_their_colors():
    series, (box, *_) = Series(), boxes(RECIPE, True)
    series.read_on(history(300))
    pixels = draw_box(box, series, 300, (280, 170))
    few = np.asarray(Image.open(_buffer(encode_image(pixels, "lines"))).convert("RGB"))
    assert abs(few.astype(int) - pixels).mean() < 2
    assert len(encode_image(pixels, "lines")) < 0.7 * len(encode_image(pixels, "png"))
    rng = np.random.default_rng(0)
    photo = np.asarray(
        Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8)).resize((120, 120))
    )
    dithered = np.asarray(Image.open(_buffer(encode_image(photo, "palette"))).convert("RGB"))
    assert abs(dithered.astype(int) - photo).mean() < 10
    assert len(encode_image(photo, "palette")) < 0.6 * len(encode_image(photo, "png"))
    with pytest.raises(ValueError, match='"palette"'):
        encode_image(photo, "gif")


def _buffer(content: bytes):  # noqa: ANN202
    import io

    return io.BytesIO(content)


# --- samples --------------------------------------------------------------------------------------


def pictures(value: float, photos: int = 2, side: int = 8) -> list[torch.Tensor]:
    return [torch.full((photos, 3, side, side), v) for v in (0.0, value, 1.0)]


def test_samples_are_few_and_span_the_run():
    samples = Samples()
    for step in range(0, 5000, 10):
        samples.add(step, pictures(step / 5000))
        assert len(samples.steps) <= MOST
        assert samples.steps[0] == 0 and samples.steps[-1] == step
    assert max(np.diff(samples.steps)) < 3 * 5000 / MOST
    gray, ours, truth = samples.rows(samples.steps[7])
    assert ours.shape == (2, 8, 8, 3) and (gray.max(), truth.min()) == (0, 255)
    assert abs(int(ours[0, 0, 0, 0]) - 255 * samples.steps[7] / 5000) <= 0.5


def test_large_photos_are_kept_small():
    samples = Samples()
    samples.add(1, pictures(0.5, side=512))
    assert all(row.shape == (2, 128, 128, 3) for row in samples.rows(1))


def test_the_grids_of_an_earlier_time_are_read_when_they_are_wanted(tmp_path: Path):
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 255, (3 * 8, 2 * 8, 3), np.uint8)
    for step in (10, 20, 30):
        Image.fromarray(grid).save(tmp_path / f"step-{step:06d}.png")
    (tmp_path / "step-000015.png").write_bytes(b"cut short")
    (tmp_path / "step-last.png").write_bytes(b"")
    samples = Samples()
    samples.add_folder(tmp_path, until=20)
    assert samples.steps == [10, 15, 20]
    gray, ours, truth = samples.rows(20)
    np.testing.assert_array_equal(ours[1], grid[8:16, 8:16])
    np.testing.assert_array_equal(np.concatenate(gray, 1), grid[:8])
    np.testing.assert_array_equal(np.concatenate(truth, 1), grid[16:])
    with pytest.raises(OSError, match="step-000015"):
        samples.rows(15)
    samples.add(20, pictures(0.5))
    assert samples.rows(20)[1].max() == 128  # the run's own counts


def test_a_grid_shows_three_rows_and_leaves_no_photo_out():
    rows = [np.full((8, 16, 16, 3), v, np.uint8) for v in (10, 120, 240)]
    drawn, empty = draw_grid(rows, 620, 8), draw_grid(None, 620, 8, "first after step 50")
    assert drawn.shape == empty.shape and drawn.shape[1] == 620
    third = drawn.shape[0] // 3
    for number, value in enumerate((10, 120, 240)):
        line = drawn[number * third + third // 2, 50:]
        assert (line == value).all(axis=1).sum() > 8 * 60
    assert (empty[:, 50:] != 255).any()


# --- threads --------------------------------------------------------------------------------------


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Canvas:
    def __init__(self, interval: float = 0.2, takes: Callable[[], None] = lambda: None) -> None:
        self.value, self.drawn, self.takes = 0, [], takes
        self.redrawer = Redrawer(self.draw, interval)

    def draw(self) -> None:
        self.drawn.append((time.monotonic(), self.value, threading.current_thread()))
        self.takes()

    def idle(self) -> bool:
        return self.redrawer._thread is None


def test_many_changes_make_few_drawings_and_the_newest_wins():
    canvas = Canvas()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        canvas.value += 1
        canvas.redrawer.poke()
        time.sleep(0.001)
    until(canvas.idle)
    times = [when for when, _, _ in canvas.drawn]
    assert 2 <= len(times) <= 5 and min(np.diff(times)) >= 0.19
    assert canvas.drawn[-1][1] == canvas.value > 20
    until(lambda: not canvas.drawn[-1][2].is_alive())
    assert canvas.drawn[0][2] is not threading.current_thread()


def test_what_is_urgent_does_not_wait():
    canvas = Canvas(interval=60)
    canvas.redrawer.poke()
    until(lambda: len(canvas.drawn) == 1)
    canvas.redrawer.poke()
    time.sleep(0.05)
    assert len(canvas.drawn) == 1 and not canvas.idle()
    canvas.redrawer.poke(soon=True)
    until(lambda: len(canvas.drawn) == 2)
    until(canvas.idle)
    canvas.redrawer.poke()
    canvas.redrawer.cancel()
    until(canvas.idle)
    assert len(canvas.drawn) == 2


@pytest.mark.parametrize(
    ("takes", "pause"),
    [(lambda: work(0.05), 40 * 0.05), (lambda: time.sleep(0.05), 0.2)],
    ids=["work", "waiting"],
)
def test_drawings_that_are_much_work_are_rare(takes, pause):
    canvas = Canvas(0.2, takes)
    canvas.redrawer.poke()
    until(canvas.idle)
    wait = canvas.redrawer._not_before - canvas.drawn[0][0]
    assert pause / 2 <= wait < 2 * pause
    canvas.redrawer.poke()
    canvas.redrawer.cancel()


def test_what_waits_to_be_drawn_can_be_freed():
    canvas = Canvas(interval=0.3)
    canvas.redrawer.poke()
    until(lambda: len(canvas.drawn) == 1)
    canvas.redrawer.poke()  # waits for a while
    thread, gone = canvas.redrawer._thread, weakref.ref(canvas)
    canvas = None
    gc.collect()
    assert gone() is None
    thread.join(5)
    assert not thread.is_alive()


def test_errands_come_in_order_and_the_newer_replaces_the_older():
    errands, done, gate = Errands(), [], threading.Event()
    errands.add("first", lambda: gate.wait(5))
    until(lambda: not errands._list)
    for name in ("pause", "resume", "pause"):
        errands.add(name, lambda name=name: done.append(name))
    gate.set()
    errands.wait()
    assert done == ["resume", "pause"] and errands._thread is None


def test_a_callback_keeps_nothing_alive():
    class Target:
        def __init__(self) -> None:
            self.heard = []

        def hear(self, what: str) -> None:
            self.heard.append(what)

    said, target = [], Target()
    call = weakly(target.hear, lambda: said.append("gone"))
    call("a")
    assert target.heard == ["a"]
    del target
    call("b")
    assert said == ["gone"]


# --- sliders --------------------------------------------------------------------------------------


def test_every_state_of_a_run_is_thought_of():
    assert set(ADJUSTABLE) < set(CLICKABLE)
    assert set(CLICKABLE) == {
        *("new", "running", "paused", "asking", "stopped", "finished", "failed")
    }


def test_sliders_show_what_holds_and_report_only_what_the_learner_moves():
    turned = []
    knobs = Knobs(RECIPE, lambda name, value: turned.append((name, value)))
    knobs.show(settings_at(RECIPE, [], 2), "running", 2)
    values = {name: slider.value for name, slider in knobs.by_name.items()}
    assert values == {
        "color_weight": 100.0,
        "generator_rate": pytest.approx(1e-3),
        "discriminator_rate": pytest.approx(2e-3),
    }
    assert turned == []
    knobs.by_name["generator_rate"].value = 10**-3.7  # where the handle's steps lie
    assert turned == [("generator_rate", 2e-4)]
    knobs.show(settings_at(RECIPE, [], 2), "running", 2)
    assert knobs.by_name["generator_rate"].value == pytest.approx(10**-3.7)  # not torn back
    knobs.in_force("generator_rate", 2e-4)
    changes = [Change(3, "generator_rate", 2e-4)]
    knobs.show(settings_at(RECIPE, changes, 2), "running", 2)
    assert knobs.by_name["generator_rate"].value == 2e-4 and len(turned) == 1
    assert "2e-4, from step 3 on" in knobs.notes["generator_rate"].value


@pytest.mark.parametrize(("weight", "most"), [(0.0, 10), (50.0, 500), (100.0, 1000)])
def test_lambda_can_be_raised_tenfold(weight, most):
    objective = dataclasses.replace(RECIPE.objective, color_weight=weight)
    knobs = Knobs(dataclasses.replace(RECIPE, objective=objective), lambda *_: None)
    slider = knobs.by_name["color_weight"]
    assert slider.max == most and (weight / slider.step).is_integer()
    assert slider.step == most / 500  # fine enough for the arrow keys


def test_sliders_reach_what_is_set_elsewhere():
    turned = []
    knobs = Knobs(RECIPE, lambda name, value: turned.append(name))
    changes = [
        Change(3, "color_weight", 3000.0),
        Change(3, "generator_rate", 0.7),
        Change(3, "discriminator_rate", 0.0),
    ]
    knobs.show(settings_at(RECIPE, changes, 2), "running", 2)
    sliders = knobs.by_name
    assert (sliders["color_weight"].value, sliders["color_weight"].max) == (3000, 5000)
    assert sliders["generator_rate"].value == pytest.approx(0.7)
    assert sliders["discriminator_rate"].value == pytest.approx(1e-6)
    assert "0, from step 3" in knobs.notes["discriminator_rate"].value
    assert turned == []


def test_a_rate_that_does_nothing_can_not_be_moved_and_a_schedule_is_named():
    stages = (Stage("pretrain", 4, 16, 2, 1e-3, warmup=4), RECIPE.stages[1])
    recipe = dataclasses.replace(RECIPE, stages=stages)
    knobs = Knobs(recipe, lambda *_: None)
    knobs.show(settings_at(recipe, [], 1), "running", 1)
    assert knobs.by_name["discriminator_rate"].disabled
    assert "does not train" in knobs.notes["discriminator_rate"].value
    assert "now × 0.5 by the schedule" in knobs.notes["generator_rate"].value
    knobs.show(settings_at(recipe, [], 4), "running", 4)
    assert not knobs.by_name["discriminator_rate"].disabled
    assert "schedule" not in knobs.notes["generator_rate"].value
    for state in ("finished", "failed"):
        knobs.show(settings_at(recipe, [], 7), state, 7)
        assert all(slider.disabled for slider in knobs.by_name.values())
