"""colorlab.course.museum.diary: its scores against scikit-image and torchmetrics, its file, and
that a run takes the same steps with a recorder as without."""

from __future__ import annotations

import csv
import dataclasses
import math
import runpy

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from colorlab.course.museum.diary import PICTURES, ROWS, Diary, Recorder, _thinned, held_out
from colorlab.metrics import psnr
from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.recipe import DiscriminatorConfig, GeneratorConfig, Recipe, Stage, differences
from colorlab.sources.bundled import data_dir, lesson_file
from colorlab.training.run import Run

SMALL = Recipe(
    generator=GeneratorConfig(levels=3, base=4, cap=8, noise_channels=2),
    discriminator=DiscriminatorConfig(base=4, layers=1),
    stages=(Stage("pretrain", 4, 16, 2), Stage("adversarial", 8, 16, 2)),
)


def run_on(photos, recipe=SMALL, **options) -> Run:
    options = {"validation": photos, "sample_every": 5, "progress": False, **options}
    return Run(recipe, photos, device="cpu", **options)


@pytest.fixture(scope="module")
def recorded(photos, batch):
    """A finished run, its recorder and its diary."""
    run = run_on(photos)
    recorder = Recorder(batch, kept=3, again=True).watch(run)
    run.train()
    return run, recorder, recorder.diary(hardware="this")


def lab(rgb: np.ndarray) -> np.ndarray:
    """(N, 3, H, W), uint8 or in [0, 1] -> Lab (N, H, W, 3) by scikit-image."""
    return np.stack([rgb2lab(photo.transpose(1, 2, 0)) for photo in rgb])


# --- what is measured -----------------------------------------------------------------------------


def test_it_measures_at_the_start_at_each_sample_and_at_the_end(recorded):
    run, _, diary = recorded
    assert diary.steps.tolist() == [0, 5, 10, 12]
    assert diary.ab.shape == (4, 3, 2, 16, 16) and diary.ab.dtype == np.int8
    assert diary.losses["step"].tolist() == list(range(1, 13))
    for name in ("color", "generator", "accuracy_fake"):
        wanted = [row.get(name, math.nan) for row in run.history]
        np.testing.assert_allclose(diary.losses[name], wanted, rtol=1e-6)
    steps, values = diary.loss("generator")
    assert steps.tolist() == list(range(5, 13)) and np.isfinite(values).all()


def test_scores_are_those_of_scikit_image_and_torchmetrics(recorded, batch):
    run, _, diary = recorded
    inputs, _ = run.trainer.split(batch)
    rgb = run.trainer.picture(inputs, run.trainer.colorize(inputs, 0)).numpy()
    ours, true = lab(rgb)[..., 1:], lab(batch.numpy())[..., 1:]
    assert diary.error[-1] == pytest.approx(np.abs(ours - true).mean(), abs=0.02)
    assert diary.gray_error == pytest.approx(np.abs(true).mean(), abs=0.02)
    chroma = [np.hypot(ab[..., 0], ab[..., 1]).mean() for ab in (ours, true)]
    assert diary.chroma[-1] == pytest.approx(chroma[0] / chroma[1], abs=2e-3)
    truth = batch / 255
    scores = [psnr(torch.from_numpy(one), other) for one, other in zip(rgb, truth, strict=True)]
    assert diary.psnr[-1] == pytest.approx(np.mean(scores), abs=1e-3)
    gray = lab(batch.numpy()) * (1, 0, 0)
    grays = torch.from_numpy(np.stack([lab2rgb(one).transpose(2, 0, 1) for one in gray])).float()
    scores = [psnr(one, other) for one, other in zip(grays, truth, strict=True)]
    assert diary.gray_psnr == pytest.approx(np.mean(scores), abs=0.01)
    kept = diary.ab[-1].transpose(0, 2, 3, 1)
    assert np.abs(kept - ours[:3]).max() < 0.55, "rounded, nothing else"


def test_pictures_are_what_the_run_made(recorded, batch):
    run, _, diary = recorded
    inputs, _ = run.trainer.split(batch[:3])
    for another in (0, 1):
        colors = run.trainer.colorize(run.trainer.split(batch)[0], another)[:3]
        wanted = run.trainer.picture(inputs, colors)
        pictures = diary.pictures(-1, again=bool(another))
        assert pictures.shape == (3, 3, 16, 16)
        off = (pictures - wanted).abs()  # by whole Lab units: more where it is dark
        assert off.mean() < 0.006 and off.max() < 0.06
    assert not torch.equal(diary.pictures(0), diary.pictures(-1))


def test_the_second_coloring_is_of_other_noise(recorded, batch):
    run, _, diary = recorded
    inputs, _ = run.trainer.split(batch)
    one, two = (
        lab(run.trainer.picture(inputs, run.trainer.colorize(inputs, seed)).numpy())
        for seed in (0, 1)
    )
    apart = np.hypot(*np.moveaxis((one - two)[..., 1:], -1, 0)).mean()
    assert apart > 0 and diary.extra["spread"][-1] == pytest.approx(apart, abs=0.02)
    assert diary.extra["again"].shape == diary.ab.shape
    assert (diary.extra["again"][-1] != diary.ab[-1]).any()


def test_another_way_to_color(photos, batch):
    asked = []

    def truth(trainer, inputs, seed):
        asked.append(seed)
        return trainer.split(batch)[1]

    run = run_on(photos, dataclasses.replace(SMALL, seed=7))
    diary = Recorder(batch, colorize=truth).watch(run).diary()
    assert asked == [7] and diary.extra == {}
    assert diary.error[0] < 0.05 and diary.chroma[0] == pytest.approx(1, abs=1e-3)


# --- what it leaves alone -------------------------------------------------------------------------


def test_the_run_takes_the_same_steps_without_it(recorded, photos):
    run, _, _ = recorded
    unwatched = run_on(photos)
    unwatched.train()
    assert unwatched.history == run.history
    ours, theirs = run.trainer.generator.state_dict(), unwatched.trainer.generator.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_resumed_run_has_all_its_losses_and_the_pictures_since(recorded, photos, batch, tmp_path):
    _, _, whole = recorded
    first = run_on(photos, output=tmp_path / "run", checkpoint_every=6)
    first.listeners.append(lambda event: event.step == 6 and event.kind == "step" and first.stop())
    first.train()
    assert first.state == "stopped" and first.step < 12
    at = first.step
    again = run_on(photos, output=tmp_path / "run", resume=True)
    diary = Recorder(batch, kept=3).watch(again)
    again.train()
    diary = diary.diary()
    assert diary.steps.tolist() == [at, 10, 12]
    np.testing.assert_array_equal(diary.losses["color"], whole.losses["color"])
    np.testing.assert_array_equal(diary.ab[-1], whole.ab[-1])


def test_it_can_be_read_while_the_run_goes_on(photos, batch):
    run, seen = run_on(photos), []
    recorder = Recorder(batch).watch(run)
    run.listeners.append(
        lambda event: event.kind == "sample" and seen.append(len(recorder.diary().steps))
    )
    run.train()
    assert run.error is None and seen == [2, 3, 4]


# --- long runs ------------------------------------------------------------------------------------


def test_neighboring_steps_of_a_long_run_are_averaged():
    count = 2 * ROWS + 100  # three steps a row
    values = np.random.default_rng(0).normal(size=count)
    rows = [{"step": i + 1, "stage": 0, "color": values[i]} for i in range(count)]
    losses = _thinned(rows)
    whole = count // 3 * 3
    assert set(losses) == {"step", "color"} and len(losses["step"]) <= ROWS
    np.testing.assert_allclose(
        losses["color"][: whole // 3], values[:whole].reshape(-1, 3).mean(1), rtol=1e-4, atol=1e-6
    )
    assert losses["step"][:3].tolist() == [3, 6, 9] and losses["step"][-1] == count


def test_a_loss_of_some_steps_is_averaged_over_those():
    rows = [{"step": i + 1, "stage": 0, "color": 1.0} for i in range(2 * ROWS)]
    rows[1]["held_out"] = 4.0
    losses = _thinned(rows)
    assert losses["held_out"][0] == 4.0 and np.isnan(losses["held_out"][1:]).all()
    assert _thinned([])["step"].shape == (0,)


# --- the file -------------------------------------------------------------------------------------


def same(one: Diary, other: Diary) -> bool:
    arrays = [
        {**d.losses, **d.extra, **{n: v for n, v in vars(d).items() if isinstance(v, np.ndarray)}}
        for d in (one, other)
    ]
    return set(arrays[0]) == set(arrays[1]) and all(
        np.array_equal(value, arrays[1][name], equal_nan=value.dtype.kind == "f")
        and value.dtype == arrays[1][name].dtype
        for name, value in arrays[0].items()
    )


def test_what_is_saved_comes_back(recorded, tmp_path):
    _, _, diary = recorded
    path = diary.save(tmp_path / "diary.npz")
    loaded = Diary.load(path)
    assert same(loaded, diary) and set(loaded.extra) == {"again", "spread"}
    assert loaded.notes == {"hardware": "this"}
    assert (loaded.gray_error, loaded.gray_psnr) == (diary.gray_error, diary.gray_psnr)
    with np.load(path, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_a_file_that_was_cut_or_damaged_is_named(recorded, tmp_path):
    _, _, diary = recorded
    whole = diary.save(tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "bad.npz"
    damaged = [whole[:n] for n in (0, 10, len(whole) // 2, len(whole) - 5)]
    for place in range(0, len(whole), len(whole) // 40):
        damaged.append(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    damaged.append(b"step,color\n1,0.5\n")
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            loaded = Diary.load(path)
        except ValueError as error:
            assert "bad.npz is not the diary of a run" in str(error)
            refused += 1
        else:  # a byte that zip files hold twice, or not at all
            assert same(loaded, diary)
    assert refused > len(damaged) / 2


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"lambdas\.npz is not the diary"):
        Diary.load(lesson_file("lambdas.npz"))
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npy is not the diary"):
        Diary.load(tmp_path / "x.npy")
    with pytest.raises(FileNotFoundError):
        Diary.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("error", lambda v: v[:-1], "error has 3 entries for 4 steps"),
        ("ab", lambda v: v[:, :2], "ab is"),
        ("rgb", lambda v: v[..., :8], "ab is"),
        ("extra", lambda v: {"spread": v["spread"][1:]}, "spread has 3"),
        ("extra", lambda v: {"again": v["again"][:, 1:]}, "again is"),
        ("losses", lambda v: {**v, "color": v["color"][1:]}, "the loss color"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(recorded, name, change, match):
    _, _, diary = recorded
    with pytest.raises(ValueError, match=match):
        dataclasses.replace(diary, **{name: change(getattr(diary, name))})


# --- what can't be recorded -----------------------------------------------------------------------


def test_photos_of_another_form_are_refused(batch):
    for photos in (batch / 255, batch[0], batch[:, :1]):
        with pytest.raises(ValueError, match=r"uint8 RGB \(N, 3, H, W\), got"):
            Recorder(photos)
    for photos in (batch[:0], batch[:, :1].expand(-1, 3, -1, -1)):
        with pytest.raises(ValueError, match="without color"):
            Recorder(photos)


def test_runs_that_cannot_be_recorded_are_refused(photos, batch):
    with pytest.raises(ValueError, match="give it validation photos"):
        Recorder(batch).watch(run_on(photos, validation=None))
    recorder = Recorder(batch)
    with pytest.raises(ValueError, match="call watch"):
        recorder.diary()
    run = run_on(photos)
    recorder.watch(run)
    with pytest.raises(ValueError, match="watches a run already"):
        recorder.watch(run)
    run.trainer.holds = "lab8"
    with pytest.raises(ValueError, match="trains on 'lab8'"):
        Recorder(batch).watch(run)


# --- the held-out photos --------------------------------------------------------------------------


def test_the_pictures_come_first_and_may_be_shipped():
    photos = held_out(32)
    folder = PhotoFolder(data_dir() / "photos" / "val", size=32)
    assert photos.shape == (len(folder), 3, 32, 32) and len(folder) == 46
    with open(data_dir() / "photos" / "credits.csv", newline="", encoding="utf-8") as file:
        licenses = {row["file"]: row["license"].lower() for row in csv.DictReader(file)}
    for photo, name in zip(photos, PICTURES, strict=False):
        (index,) = [i for i, path in enumerate(folder.paths) if path.stem == name]
        assert torch.equal(photo, folder[index])
        assert licenses[f"val/{folder.names[index]}"] in ("public-domain", "cc0", "cc0-1.0")
    assert len({photo.numpy().tobytes() for photo in photos}) == 46


# --- the diary that comes with the course ---------------------------------------------------------


def test_the_shipped_diary_is_of_todays_script_and_shows_what_lesson_06_says():
    path = lesson_file("diary.npz")
    diary = Diary.load(path)
    script = runpy.run_path(str(path.with_suffix(".py")))
    assert differences(Recipe.from_json(diary.notes["recipe"]), script["recipe"](24_000)) == []
    assert (diary.rgb == held_out()[: len(PICTURES)].numpy()).all()
    assert diary.steps[[0, -1]].tolist() == [0, 24_000] and diary.notes["photos"] == 45_615
    brown, played = diary.steps == 3000, diary.steps > 3000
    assert diary.chroma[brown] < 0.65 and diary.chroma[played].mean() > 0.9
    assert (diary.error[played] < diary.gray_error).sum() == 5 and played.sum() == 42
    assert diary.error[played].mean() == pytest.approx(12.5, abs=0.05)
    swings = diary.error[played & (diary.steps > 5000)]
    assert swings.min() == pytest.approx(10.7, abs=0.05)
    assert swings.max() == pytest.approx(14.8, abs=0.05)
    for name, share in (("accuracy_real", 2 / 3), ("accuracy_fake", 3 / 4)):
        step, values = diary.loss(name)
        assert values[step > 5000].mean() == pytest.approx(share, abs=0.02)
