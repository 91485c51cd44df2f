"""A run from its start to its end, on tiny networks and made photos."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made import HINTED, RECIPE, same, weights, with_
from PIL import Image
from torch import Tensor

from colorlab.devices import bf16_is_fast
from colorlab.palette import frequencies
from colorlab.photos.files import PhotoError
from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.recipe import (
    ObjectiveConfig,
    Recipe,
    Stage,
)
from colorlab.training.feed import Feed
from colorlab.training.listeners import Event
from colorlab.training.questions import Decision, EpochQuestion
from colorlab.training.run import OutOfMemory, Run, TrainingDiverged
from colorlab.weights import load_weights

ADVERSARIAL_LOSSES = {"generator", "discriminator", "logit_real", "logit_fake"}


@pytest.fixture
def make(photos: Path) -> Callable[..., Run]:
    def run(recipe: Recipe = RECIPE, folders=photos, **choices) -> Run:
        return Run(recipe, folders, device="cpu", **{"progress": False, **choices})

    return run


def on_step(act: Callable[[dict], object]) -> list[Callable[[Event], None]]:
    """Listeners that call ``act`` with the row of each step."""

    def listen(event: Event) -> None:
        if event.kind == "step":
            act(event.data)

    return [listen]


# --- learning rates -------------------------------------------------------------------------------


def test_the_schedule_is_what_its_formula_says() -> None:
    warm = Stage(steps=100, warmup=4)
    assert [warm.schedule_at(i) for i in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    cosine = Stage(steps=104, warmup=4, schedule="cosine")
    assert [cosine.schedule_at(i) for i in (0, 3, 4)] == [0.25, 1, 1]
    assert cosine.schedule_at(54) == pytest.approx(0.5)
    assert cosine.schedule_at(29) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert cosine.schedule_at(103) == pytest.approx((math.pi / 100) ** 2 / 4, rel=1e-3)
    falling = [cosine.schedule_at(i) for i in range(4, 104)]
    assert falling == sorted(falling, reverse=True)
    assert Stage(steps=1, schedule="cosine").schedule_at(0) == 1


def test_every_step_has_its_stages_rates(make) -> None:
    stages = (
        Stage("pretrain", 2, 16, 2, 4e-3, 1e-3, warmup=2),
        Stage("adversarial", 2, 16, 2, 2e-3, 8e-3, schedule="cosine"),
    )
    rates = []
    run = make(
        dataclasses.replace(RECIPE, stages=stages),
        listeners=on_step(
            lambda _: rates.append(
                [
                    o.param_groups[0]["lr"]
                    for o in (run.trainer.optimizer_g, run.trainer.optimizer_d)
                ]
            )
        ),
    )
    run.train()
    wanted = [[2e-3, 0.5e-3], [4e-3, 1e-3], [2e-3, 8e-3], [1e-3, 4e-3]]
    assert np.allclose(rates, wanted, rtol=1e-9)


# --- random numbers -------------------------------------------------------------------------------

CHANCE = with_(generator={"dropout": 0.5, "noise_channels": 1}, data={"scale": (1.0, 1.5)})


def test_the_same_seed_gives_the_same_history(make) -> None:
    """Crops, initial weights, dropout and noise: whatever others drew before."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = make(CHANCE)
        first.train()
        torch.manual_seed(2)
        second = make(CHANCE)
        second.train()
    assert first.history == second.history
    assert same(weights(first.trainer.generator), weights(second.trainer.generator))
    other = make(dataclasses.replace(CHANCE, seed=1)).train()
    assert other[0]["color"] != first.history[0]["color"]


def test_a_process_that_reads_beside_changes_nothing(make) -> None:
    assert make(CHANCE, threads=3).train() == make(CHANCE).train()


def test_nobody_elses_random_numbers_are_touched(make, photos) -> None:
    def states() -> tuple:
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()

    before = states()
    run = make(CHANCE, validation=photos)
    assert states() == before
    run.train()
    assert states() == before


@pytest.mark.skipif(
    not bf16_is_fast("cpu"), reason="this processor has no bf16 instructions and emulates them"
)
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_bf16_is_used_throughout_the_run(make, photos, tmp_path, average: float) -> None:
    recipe = with_(optimization={"precision": "auto", "average": average})
    run = make(recipe, validation=photos, output=tmp_path, sample_every=1)
    seen: tuple[set, set] = (set(), set())
    layers = (run.trainer.generator.downs[1][1], run.trainer.discriminator.layers[0])
    for layer, dtypes in zip(layers, seen, strict=True):
        layer.register_forward_hook(lambda _, __, out, dtypes=dtypes: dtypes.add(out.dtype))
    rows = run.train()
    assert seen == ({torch.bfloat16}, {torch.bfloat16})
    assert all(p.dtype == torch.float32 for p in run.trainer.generator.parameters())
    assert all(math.isfinite(v) for row in rows for v in row.values())
    fp32 = make().train()
    assert rows[0]["color"] == pytest.approx(fp32[0]["color"], rel=0.05)


# --- the running average --------------------------------------------------------------------------


def test_the_average_is_the_exponential_one_and_is_what_gets_saved(make, tmp_path) -> None:
    seen: list[dict[str, Tensor]] = []
    run = make(
        with_(optimization={"average": 0.75}),
        output=tmp_path,
        listeners=on_step(lambda _: seen.append(weights(run.trainer.generator))),
    )
    run.train()
    wanted = seen[0]
    for later in seen[1:]:
        wanted = {k: 0.75 * wanted[k] + 0.25 * later[k] for k in wanted}
    saved = load_weights(tmp_path / "weights.safetensors")[0].state_dict()
    for name, value in saved.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, wanted[name], rtol=1e-5, atol=1e-6)
    assert not same(saved, seen[-1])
    assert same(weights(run.best_generator), saved)


# --- what is written ------------------------------------------------------------------------------


def test_history_samples_and_weights_are_written(make, photos, tmp_path) -> None:
    out = tmp_path / "new" / "run"
    recipe = with_(generator={"dropout": 0.0})
    run = make(recipe, validation=photos, output=out, sample_every=2)
    history = run.train()

    assert [row["step"] for row in history] == [1, 2, 3, 4, 5]
    assert [row["stage"] for row in history] == [0, 0, 1, 1, 1]
    assert [row.keys() >= ADVERSARIAL_LOSSES for row in history] == [False] * 2 + [True] * 3
    assert ["held_out" in row for row in history] == [False, True, False, True, True]

    with open(out / "history.csv", newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    seconds = [float(row.pop("seconds")) for row in written]
    assert seconds == sorted(seconds) and seconds[0] >= 0
    filled = [{k: float(v) for k, v in row.items() if v != ""} for row in written]
    assert filled == history

    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == [
        *("checkpoints/step-00000002.ckpt", "checkpoints/step-00000005.ckpt"),
        "history.csv",
        *(f"samples/step-00000{step}.png" for step in (2, 4, 5)),
        *("weights-stage-0.safetensors", "weights-stage-1.safetensors", "weights.safetensors"),
    ]
    loaded, again, notes = load_weights(out / "weights.safetensors")
    assert again == recipe and notes == {"steps_trained": "5"}
    assert same(weights(loaded), weights(run.trainer.generator))
    assert load_weights(out / "weights-stage-0.safetensors")[2] == {"steps_trained": "2"}


def test_a_sample_grid_shows_gray_ours_and_truth(make, photos, tmp_path) -> None:
    run = make(validation=photos, output=tmp_path)
    run.train()
    grid = Image.open(tmp_path / "samples" / "step-000005.png")
    assert grid.mode == "RGB" and grid.size == (6 * 16, 3 * 16)
    gray, ours, truth = np.asarray(grid).astype(int).reshape(3, 16, 96, 3)
    assert np.ptp(gray, axis=2).max() <= 1
    photos_ = PhotoFolder(photos, size=16)
    wanted = torch.cat([photos_[i] for i in range(6)], 2).permute(1, 2, 0).numpy()
    assert abs(truth - wanted).max() <= 1
    assert np.ptp(ours, axis=2).max() > 1
    # The number in the history is the plain error of that very picture's ab.
    lightness, ab = run.trainer.split(torch.stack([photos_[i] for i in range(6)]))
    with torch.no_grad():
        error = (run.best_generator.eval()(lightness) - ab).abs().mean().item()
    assert run.history[-1]["held_out"] == pytest.approx(error, rel=1e-5)


def test_sampling_leaves_the_training_as_it_was(make, photos) -> None:
    plain = make(CHANCE).train()
    sampled = make(CHANCE, validation=photos, sample_every=1).train()
    for row in sampled:
        del row["held_out"]
    assert sampled == plain


def test_nothing_is_written_without_an_output(make, photos, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = make(validation=photos, sample_every=1).train()
    assert len(rows) == 5 and all("held_out" in row for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_the_bar_counts_the_steps(photos, capsys) -> None:
    Run(RECIPE, photos, device="cpu").train()
    printed = capsys.readouterr().err
    assert "test:" in printed and "5/5" in printed and "color=" in printed


# --- runs that end early --------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_checkpoint(
    make, tmp_path
) -> None:
    def poison(row: dict) -> None:
        if row["step"] == 3:
            with torch.no_grad():
                run.trainer.generator.ups[0][1].weight.fill_(math.nan)

    run = make(output=tmp_path, checkpoint_every=1, listeners=on_step(poison))
    says = r"holds NaN or infinity at step 4.*learning rate.*kept: .*step-00000002.ckpt"
    with pytest.raises(TrainingDiverged, match=says):  # met when the third step is to be saved
        run.train()
    assert (run.state, len(run.history)) == ("failed", 3)
    whole = make(output=tmp_path / "whole").train()
    again = make(output=tmp_path, resume=True)
    assert again.step == 2 and again.train() == whole

    run = make(output=tmp_path / "b", checkpoint_every=9, listeners=on_step(poison))
    with pytest.raises(FloatingPointError, match="the color loss became nan at step 4"):
        run.train()
    with pytest.raises(RuntimeError, match="has failed.*resume=True"):
        run.start()
    with pytest.raises(RuntimeError, match="last good checkpoint is kept"):
        run.save()


def test_folders_that_do_not_serve_are_named(make, photos, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        make(folders=tmp_path / "nowhere").train()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        make(validation=tmp_path / "nowhere").train()
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    with pytest.raises(PhotoError, match="empty"):
        make(folders=[photos, empty]).train()
    (broken / "half.png").write_bytes((photos / "0.png").read_bytes()[:100])
    with pytest.raises(PhotoError, match="half.png"):
        make(folders=broken).train()


@pytest.mark.parametrize(
    ("size", "says"), [(20, "got 20. Nearest: 16 or 24"), (8, "at least 12 pixels a side")]
)
def test_crops_that_do_not_fit_the_networks_are_explained(make, size: int, says: str) -> None:
    stages = (Stage("adversarial", 1, size, 2),)
    discriminator = {"layers": 2} if size == 8 else {}
    with pytest.raises(ValueError, match=says):
        make(dataclasses.replace(with_(discriminator=discriminator), stages=stages)).train()


def test_folders_are_mixed_as_the_balance_says(make, photos, tmp_path, monkeypatch) -> None:
    """Six photos against one: with balance 0 each folder gives half of what is shown."""
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    stages = (Stage("pretrain", 10, 16, 20, balance=0.0),)
    recipe = dataclasses.replace(RECIPE, stages=stages)
    run = make(recipe, folders=[photos, tmp_path])
    seen = torch.cat(list(run.feed.batches(0, stages[0], 0, run.trainer.accelerator)))
    assert seen.shape == (200, 3, 16, 16) and seen.dtype == torch.uint8
    white = (seen == 255).flatten(1).all(1).float().mean().item()
    assert 0.35 < white < 0.65


def test_objectives_and_networks_come_from_the_recipe(make) -> None:
    run = make(
        dataclasses.replace(RECIPE, objective=ObjectiveConfig("lsgan", False, color="huber"))
    )
    assert (run.trainer.adversarial.kind, run.trainer.adversarial.halved) == ("lsgan", False)
    assert run.trainer.color_loss.kind == "huber"
    assert run.trainer.perceptual is None and run.trainer.average is None
    assert run.trainer.generator.levels == 3


# --- runs that are interrupted --------------------------------------------------------------------

LONG = with_(
    generator={"dropout": 0.5, "noise_channels": 1},
    data={"scale": (1.0, 1.5)},
    optimization={"average": 0.9},
)
LONG = dataclasses.replace(
    LONG, stages=(Stage("pretrain", 6, 16, 2, 1e-3), Stage("adversarial", 8, 16, 2, 1e-3, 2e-3))
)


def final(folder: Path) -> tuple[bytes, list[dict]]:
    """What two runs must agree in: the weights, byte for byte, and the history but for the time."""
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    return (folder / "weights.safetensors").read_bytes(), rows


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory) -> tuple[bytes, list[dict]]:
    """What LONG gives when it is left alone."""
    out = tmp_path_factory.mktemp("whole")
    run = Run(LONG, photos, validation=photos, output=out, device="cpu", progress=False)
    run.train()
    return final(out)


@pytest.mark.parametrize("step", [1, 5, 6, 7, 13])
def test_a_stopped_run_goes_on_bit_for_bit(make, photos, tmp_path, whole, step: int) -> None:
    """In the middle of a stage, at its end, at its beginning."""
    out = {"validation": photos, "output": tmp_path}
    run = make(LONG, **out)
    run.listeners += on_step(lambda row: row["step"] == step and run.stop())
    run.train()
    assert (run.state, run.step) == ("stopped", step)
    again = make(LONG, resume=True, threads=1, keep_photos=False, **out)
    assert (again.state, again.step) == ("stopped", step)
    again.train()
    assert again.state == "finished" and final(tmp_path) == whole
    done = make(LONG, resume=True, **out)
    assert (done.state, done.train()) == ("finished", again.history)


WITH_HINTS = with_(HINTED, optimization={"average": 0.9})


@pytest.fixture(scope="module")
def whole_with_hints(photos: Path, tmp_path_factory) -> Path:
    """The folder of such a run that was left alone."""
    out = tmp_path_factory.mktemp("whole")
    Run(WITH_HINTS, photos, validation=photos, output=out, device="cpu", progress=False).train()
    return out


@pytest.mark.parametrize("step", [2, 3, 5])
def test_a_run_with_hints_stops_and_goes_on_bit_for_bit(
    make, photos, tmp_path, whole_with_hints, step: int
) -> None:
    out = {"validation": photos, "output": tmp_path}
    run = make(WITH_HINTS, **out)
    run.listeners += on_step(lambda row: row["step"] == step and run.stop())
    run.train()
    assert (run.state, run.step) == ("stopped", step)
    make(WITH_HINTS, resume=True, **out).train()
    assert final(tmp_path) == final(whole_with_hints)


def test_the_palettes_loss_stands_in_the_history(make, tmp_path, capsys) -> None:
    rows = make(HINTED, output=tmp_path).train()
    assert all(0 < row["palette"] < 50 for row in rows)
    with open(tmp_path / "history.csv", newline="", encoding="utf-8") as file:
        written = [float(row["palette"]) for row in csv.DictReader(file)]
    assert written == [row["palette"] for row in rows]
    assert "warning" not in capsys.readouterr().err


def test_how_often_colors_occur_comes_from_the_photos_and_travels(
    make, photos, tmp_path, monkeypatch
) -> None:
    run = make(HINTED, output=tmp_path)
    found = run.trainer.generator.frequencies.clone()
    _, truth = run.trainer.split(run.feed.glimpse())
    wanted = frequencies(F.avg_pool2d(truth, 4))
    torch.testing.assert_close(found, wanted)
    assert found.max() > 5 / 261  # six photos have few colors
    run.listeners += on_step(lambda row: row["step"] == 2 and run.stop())
    run.train()
    # The checkpoint's count holds, and not a new one.
    monkeypatch.setattr(Feed, "glimpse", lambda self: torch.zeros(2, 3, 16, 16, dtype=torch.uint8))
    again = make(HINTED, output=tmp_path, resume=True)
    assert torch.equal(again.trainer.generator.frequencies, found)
    again.train()
    loaded, recipe, _ = load_weights(tmp_path / "weights.safetensors")
    assert recipe == HINTED and torch.equal(loaded.frequencies, found)


def test_colors_are_counted_only_where_the_loss_asks(make, monkeypatch) -> None:
    def refuse(self: Feed) -> None:
        raise AssertionError("counted")

    monkeypatch.setattr(Feed, "glimpse", refuse)
    make(RECIPE)
    make(with_(HINTED, objective={"rebalance": False}))
    make(with_(HINTED, objective={"palette_weight": 0.0}))
    with pytest.raises(AssertionError, match="counted"):
        make(HINTED)


def test_going_back_takes_a_folder_of_its_own(make, tmp_path) -> None:
    first = tmp_path / "first"
    make(output=first, checkpoint_every=1, keep=9).train()
    early = first / "checkpoints" / "step-00000003.ckpt"
    with pytest.raises(ValueError, match="step-00000005.ckpt comes after .*00003.ckpt; a run that"):
        make(output=first, resume=early)
    other = make(output=tmp_path / "other", resume=early)
    assert other.step == 3
    other.train()
    assert final(tmp_path / "other") == final(first)
    for step in (4, 5):
        (first / "checkpoints" / f"step-{step:08d}.ckpt").unlink()
    assert make(output=first, resume=early).step == 3


PROGRAM = """
import sys
import time
from colorlab.photos import folder as module
from colorlab.recipes.recipe import Recipe
from colorlab.training.run import Run
photos, output = sys.argv[1:]
read = module.read_photo
module.read_photo = lambda *words: time.sleep(0.1) or read(*words)
recipe = Recipe.from_json(open(output + ".json").read())
run = Run(recipe, photos, output=output, device="cpu", progress=False, keep_photos=False).start()
while run.step < 3:
    time.sleep(0.01)
"""


def test_a_script_that_ends_saves_its_run(make, photos, tmp_path) -> None:
    """While photos are read: thread pools shut down early, and readers must not be cut off."""
    recipe = dataclasses.replace(RECIPE, stages=(Stage("pretrain", 5_000, 16, 6, 1e-3),))
    output = tmp_path / "run"
    output.with_suffix(".json").write_text(recipe.to_json())
    words = [sys.executable, "-c", PROGRAM, str(photos), str(output)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert make(recipe, output=output, resume=True).step >= 3


def test_the_same_run_stops_and_starts(make, photos, tmp_path, whole) -> None:
    run = make(LONG, validation=photos, output=tmp_path)
    run.listeners += on_step(lambda row: row["step"] in (3, 9) and run.stop())
    for _ in range(3):
        run.start().wait()
    assert final(tmp_path) == whole
    assert run.start() is run and not run.is_alive


KILLED = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from training.test_run import {recipe} as recipe
from colorlab.training.listeners import Event
from colorlab.training.run import OutOfMemory, Run, TrainingDiverged
run = Run(recipe, {photos!r}, validation={photos!r}, output={out!r}, device="cpu", progress=False,
          resume=True, checkpoint_every=2)
run.listeners.append(lambda event: event.kind == "step" and print(event.step, flush=True))
run.train()
print("ended", run.state, run.step, run.signal, flush=True)
"""


KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none


@pytest.mark.parametrize("number", [KILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_goes_on_bit_for_bit(make, photos, tmp_path, whole, number: int) -> None:
    tests = str(Path(__file__).parents[1])
    code = KILLED.format(tests=tests, recipe="LONG", photos=str(photos), out=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    while child.stdout.readline().strip() != "5":
        assert child.poll() is None
    child.send_signal(number)
    last = child.communicate(timeout=60)[0].splitlines()[-1:]
    again = make(LONG, validation=photos, output=tmp_path, resume=True)
    if number != KILL:
        assert child.returncode == 0 and last == [f"ended stopped {again.step} {int(number)}"]
    assert 4 <= again.step < 14
    again.train()
    assert final(tmp_path) == whole


def test_a_killed_run_with_hints_goes_on_bit_for_bit(
    make, photos, tmp_path, whole_with_hints
) -> None:
    tests = str(Path(__file__).parents[1])
    code = KILLED.format(tests=tests, recipe="WITH_HINTS", photos=str(photos), out=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    while child.stdout.readline().strip() != "4":
        assert child.poll() is None
    child.kill()
    child.communicate(timeout=60)
    again = make(WITH_HINTS, validation=photos, output=tmp_path, resume=True)
    assert 3 <= again.step <= 6  # how far it came meanwhile depends on the machine
    again.train()
    assert final(tmp_path) == final(whole_with_hints)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    make, photos, tmp_path, whole, capsys
) -> None:
    out = {"validation": photos, "output": tmp_path}
    run = make(LONG, checkpoint_every=3, **out)
    run.listeners += on_step(lambda row: row["step"] == 10 and run.stop())
    run.train()
    newest = tmp_path / "checkpoints" / "step-00000010.ckpt"
    blob = bytearray(newest.read_bytes())
    blob[len(blob) // 2] ^= 1
    newest.write_bytes(blob)
    capsys.readouterr()
    again = make(LONG, resume=True, **out)
    assert again.step == 9 and "step-00000010.ckpt" in capsys.readouterr().err
    again.train()
    assert final(tmp_path) == whole


def test_an_earlier_run_is_not_overwritten_and_another_recipe_is_refused(
    make, tmp_path, photos
) -> None:
    make(LONG, output=tmp_path).train()
    with pytest.raises(FileExistsError, match="holds an earlier run; go on with it"):
        make(LONG, output=tmp_path)
    other = dataclasses.replace(with_(LONG, objective={"color_weight": 1.0}), seed=3)
    other = dataclasses.replace(other, stages=(other.stages[0], Stage("adversarial", 9, 16, 2)))
    with pytest.raises(ValueError) as error:
        make(other, output=tmp_path, resume=True)
    wanted = ("seed: 0 → 3", "objective.color_weight: 100.0 → 1.0", "stages[1].steps: 8 → 9")
    assert all(line in str(error.value) for line in wanted)
    with pytest.raises(ValueError, match="needs the output folder"):
        make(LONG, resume=True)


def test_other_photos_are_reported(make, photos, tmp_path, capsys) -> None:
    run = make(LONG, output=tmp_path / "run")
    run.listeners += on_step(lambda row: row["step"] == 3 and run.stop())
    run.train()
    more = tmp_path / "photos"
    shutil.copytree(photos, more)
    shutil.copy(more / "0.png", more / "new.png")
    make(LONG, folders=more, output=tmp_path / "run", resume=True)
    assert re.search("photos were 6 photos .* and are 7 photos", capsys.readouterr().err)


# --- changes while it runs ------------------------------------------------------------------------


def test_changes_hold_from_their_step_and_are_replayed(make, photos, tmp_path) -> None:
    seen: dict[str, list] = {}

    def train(name: str, **choices) -> Run:
        run = make(LONG, output=tmp_path / name, checkpoint_every=2, **choices)
        rows = seen.setdefault(name, [])
        first = run.step
        rows[first:] = []

        def note(row: dict) -> None:
            rates = [
                o.param_groups[0]["lr"] for o in (run.trainer.optimizer_g, run.trainer.optimizer_d)
            ]
            rows.append((run.trainer.color_weight, *rates))

        def turn(row: dict) -> None:
            if name == "changed" and row["step"] == 3:
                run.set(color_weight=7, generator_rate=5e-4)
            if name == "changed" and row["step"] == 8:
                run.set(discriminator_rate=1e-5)

        run.listeners += [*on_step(note), *on_step(turn)]
        run.train()
        return run

    train("left alone")
    run = train("changed")
    assert [row[0] for row in seen["changed"]] == [100.0] * 3 + [7.0] * 11
    assert [row[1] for row in seen["changed"]] == [1e-3] * 3 + [5e-4] * 3 + [1e-3] * 8
    assert [row[2] for row in seen["changed"]][6:] == [2e-3] * 2 + [1e-5] * 6
    log = (tmp_path / "changed" / "changes.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in log] == [
        {"step": 4, "name": "color_weight", "value": 7.0},
        {"step": 4, "name": "generator_rate", "value": 5e-4},
        {"step": 9, "name": "discriminator_rate", "value": 1e-5},
    ]
    wanted = final(tmp_path / "changed")
    assert wanted[0] != final(tmp_path / "left alone")[0]

    # Killed between a change and the next checkpoint: the log is ahead of the checkpoint.
    for kept in (2, 8):
        name = f"from {kept}"
        shutil.copytree(tmp_path / "changed", tmp_path / name)
        shutil.rmtree(tmp_path / name / "checkpoints")
        short = make(LONG, output=tmp_path / f"short {kept}")
        short.listeners += on_step(
            lambda row, run=short: row["step"] == 3 and run.set(color_weight=7, generator_rate=5e-4)
        )
        short.listeners += on_step(lambda row, run=short, k=kept: row["step"] == k and run.stop())
        short.train()
        (tmp_path / name / "checkpoints").mkdir()
        checkpoint = f"checkpoints/step-{kept:08d}.ckpt"
        shutil.copy(tmp_path / f"short {kept}" / checkpoint, tmp_path / name / checkpoint)
        again = train(name, resume=True)
        assert final(tmp_path / name) == wanted and again.history == run.history


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"lambda": 3}, "no setting 'lambda'; choose from color_weight"),
        ({"color_weight": -1}, "color_weight must be a number of at least 0, got -1"),
        ({"generator_rate": math.nan}, "generator_rate must be"),
        ({"sample_every": 0}, "whole number from 1 on"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, setting: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make().set(**setting)


# --- a run in the background ----------------------------------------------------------------------


@pytest.fixture
def endless(make, tmp_path) -> Run:
    """A run that would go on for long, stopped at the test's end."""
    recipe = dataclasses.replace(LONG, stages=(Stage("pretrain", 100_000, 16, 2, 1e-3),))
    run = make(recipe, output=tmp_path / "endless")
    yield run
    run.stop()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def test_the_notebook_stays_alive_beside_a_run(endless) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        wanted = torch.rand(400)
        torch.manual_seed(5)
        endless.start()
        got = []
        for _ in range(400):
            got.append(torch.rand(1))
            time.sleep(0.0005)
        assert torch.equal(torch.cat(got), wanted)
    until(lambda: endless.step > 3)
    assert "running, step" in repr(endless)
    with pytest.raises(TimeoutError):
        endless.wait(timeout=0.05)
    endless.pause()
    step = endless.step
    assert endless.state == "paused"
    time.sleep(0.1)
    assert endless.step == step
    path = endless.save()
    assert path.name == f"step-{step:08d}.ckpt" and path.is_file()
    endless.set(color_weight=3.0)
    endless.resume()
    until(lambda: endless.step > step + 2)
    assert endless.trainer.color_weight == 3.0
    assert endless.changes.changes[-1].step == step + 1
    path = endless.save()
    assert path.is_file() and int(path.stem[5:]) > step
    endless.pause()
    endless.stop()
    assert (endless.state, endless.is_alive) == ("stopped", False)
    assert (endless.output / "weights.safetensors").is_file()


def test_what_breaks_in_the_background_is_reported(make, photos, capfd) -> None:
    class Broken(PhotoFolder):
        def __getitems__(self, items):
            raise KeyError("no such photo")

    run = make(folders=Broken(photos)).start()
    until(lambda: not run.is_alive)
    err = capfd.readouterr().err
    assert "Traceback" in err and "__getitems__" in err and "no such photo" in err
    with pytest.raises(KeyError, match="no such photo") as raised:
        run.wait()
    assert any(entry.name == "__getitems__" for entry in raised.traceback)


def test_a_listener_that_breaks_does_not_cost_the_run(make, tmp_path, capsys) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError("oh no")

    warnings = []
    run = make(
        listeners=[broken, lambda e: e.kind == "warning" and warnings.append(e.data["message"])]
    )
    assert len(run.train()) == 5 and run.state == "finished"
    assert len(warnings) == 1 and "broken" in warnings[0] and "oh no" in warnings[0]


def test_a_disk_that_fails_does_not_stop_the_run(make, tmp_path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = make(output=tmp_path, checkpoint_every=1, sample_every=1)
    run.listeners += on_step(
        lambda row: monkeypatch.setattr(os, "fsync", full if 1 <= row["step"] < 4 else real)
    )
    real = os.fsync
    run.train()
    assert run.state == "finished"
    err = capsys.readouterr().err
    assert "No space left on device" in err and "The run goes on" in err
    assert make(output=tmp_path, resume=True).step == 5

    # Full to the end: not finished, and nothing is lost while the run is there.
    monkeypatch.setattr(os, "fsync", full)
    run = make(output=tmp_path / "never")
    run.train()
    assert (run.state, run.step, run.save()) == ("stopped", 5, None)
    monkeypatch.setattr(os, "fsync", real)
    assert run.save().is_file() and (tmp_path / "never" / "weights.safetensors").is_file()


def test_a_history_that_can_not_be_written_does_not_stop_the_run(
    make, tmp_path, monkeypatch, capsys
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("colorlab.training.listeners.CsvHistory", full)
    run = make(output=tmp_path)
    run.train()
    assert run.state == "finished" and run.save().is_file()
    assert "history.csv could not be written ([Errno 28] No space" in capsys.readouterr().err
    again = make(output=tmp_path, resume=True)
    assert again.history == run.history  # it stands in the checkpoint too


def test_memory_that_does_not_suffice_names_a_batch_that_fits(make, monkeypatch) -> None:
    recipe = dataclasses.replace(RECIPE, stages=(Stage("adversarial", 3, 16, 12),))
    kinds = (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    )
    for error in kinds:
        run = make(recipe)
        forward = type(run.trainer.generator).forward

        def greedy(self, x, noise=None, forward=forward, error=error):
            if len(x) > 3:
                raise error
            return forward(self, x, noise)

        with monkeypatch.context() as patch:
            patch.setattr(type(run.trainer.generator), "forward", greedy)
            with pytest.raises(OutOfMemory, match="batch of 12 at 16 pixels.*A batch of 3 fits"):
                run.train()
    with monkeypatch.context() as patch:
        run = make(recipe)
        error = RuntimeError("something else")
        patch.setattr(
            type(run.trainer.generator), "forward", lambda *_: (_ for _ in ()).throw(error)
        )
        with pytest.raises(RuntimeError, match="something else"):
            run.train()


# --- events ---------------------------------------------------------------------------------------


def test_events_come_in_their_order(make, photos, tmp_path) -> None:
    events = []
    run = make(validation=photos, output=tmp_path, sample_every=2, listeners=[events.append])
    run.train()
    assert [(event.kind, event.step) for event in events] == [
        *[("state", 0), ("step", 1), ("step", 2), ("sample", 2), ("checkpoint", 2)],
        *[("step", 3), ("epoch", 3), ("step", 4), ("sample", 4), ("step", 5), ("sample", 5)],
        *[("checkpoint", 5), ("state", 5)],
    ]
    by_kind = {event.kind: event.data for event in events}
    assert by_kind["state"]["state"] == "finished"
    assert by_kind["sample"]["held_out"] == run.history[-1]["held_out"]
    assert [picture.shape for picture in by_kind["sample"]["pictures"]] == [(6, 3, 16, 16)] * 3
    colors = [row["color"] for row in run.history[:3]]
    assert by_kind["epoch"]["epoch"] == 1
    assert by_kind["epoch"]["color"] == pytest.approx(sum(colors) / 3)


def test_each_epoch_is_asked_about_once(make, tmp_path) -> None:
    recipe = with_(LONG, optimization={"ask_each_epoch": True})
    questions = []

    def ask(question: EpochQuestion) -> Decision:
        questions.append(question)
        assert run.state == "asking"
        if question.epoch == 3:
            run.stop()
        return Decision(question.epoch != 1, generator_rate=3e-4 if question.epoch == 3 else None)

    run = make(recipe, output=tmp_path, ask=ask)
    run.train()
    assert [(q.epoch, q.step) for q in questions] == [(1, 3), (2, 6), (3, 9)]
    assert questions[2].generator_rate == 1e-3
    assert questions[2].losses["color"] == pytest.approx(
        sum(row["color"] for row in run.history[6:9]) / 3
    )
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000006.ckpt", "step-00000009.ckpt"]
    run = make(recipe, output=tmp_path, resume=True, ask=ask)
    run.train()
    assert [q.epoch for q in questions] == [1, 2, 3, 4]
    assert questions[3].generator_rate == 3e-4
    # Nobody to ask: all is saved, nothing changed.
    make(recipe, output=tmp_path / "alone", keep=9).train()
    assert len(list((tmp_path / "alone" / "checkpoints").iterdir())) == 5
