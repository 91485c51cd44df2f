"""What lesson 08 shows and does not compute: the files in data/lessons, against the bundled photos
and weights that they are about."""

from __future__ import annotations

import csv
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from colorlab.color import chroma, denormalize_lab, lab_to_rgb, normalize_lab, rgb_to_lab
from colorlab.course.museum.diary import Diary, held_out
from colorlab.recipes.recipe import Recipe
from colorlab.sources.bundled import bundled_photos, data_dir

NAMES = ["gray", "unet", "unet-gan", "regression", "distribution", "nogan", "starter"]
NAMES += ["starter-hints"]
TRAINED = {"unet", "unet-gan", "regression", "distribution", "nogan"}
FIGURES = {"psnr", "gray_psnr", "chroma_ratio", "colorfulness_gap", "recognized"}
FIGURES |= {"gray_recognized", "recovered", "frechet"}
FREE = {"public-domain", "CC0-1.0"}


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return json.loads((data_dir() / "lessons" / "generators.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def rows(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in table["rows"]}


@pytest.fixture(scope="module")
def shown() -> dict[str, np.ndarray]:
    with np.load(data_dir() / "lessons" / "generators.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def nogan() -> Diary:
    return Diary.load(data_dir() / "lessons" / "nogan.npz")


# --- the table of generators ----------------------------------------------------------------------


def test_each_generator_has_its_row_and_each_row_its_figures(table, rows) -> None:
    assert [row["name"] for row in table["rows"]] == NAMES
    assert table["photos"] == len(bundled_photos("train")) and table["size"] == 64
    for name, row in rows.items():
        assert set(row) == {"name", "about", "seconds", "steps", "intervals"} | FIGURES, name
        assert all(math.isfinite(row[figure]) for figure in FIGURES), name
        for figure, (low, high) in row["intervals"].items():
            assert low <= row[figure] <= high, (name, figure)


def test_those_trained_here_had_the_same_time(table, rows) -> None:
    for name in TRAINED:
        assert rows[name]["seconds"] == pytest.approx(table["seconds"], rel=0.1), name
        assert rows[name]["steps"] > 0


def test_gray_is_scored_as_gray(rows) -> None:
    gray = rows["gray"]
    assert gray["psnr"] == gray["gray_psnr"] and gray["recognized"] == gray["gray_recognized"]
    assert gray["recovered"] == 0 and gray["chroma_ratio"] < 1e-3
    # What all rows share is of the same photos.
    assert {(row["gray_psnr"], row["gray_recognized"]) for row in rows.values()} == {
        (gray["gray_psnr"], gray["gray_recognized"])
    }


def test_hints_bring_the_starter_nearer_to_the_truth(rows) -> None:
    assert rows["starter-hints"]["psnr"] > rows["starter"]["psnr"] + 2
    # The starter's model card: +1.90 dB over gray, chroma 0.87.
    assert rows["starter"]["psnr"] - rows["gray"]["psnr"] == pytest.approx(1.90, abs=0.02)
    assert rows["starter"]["chroma_ratio"] == pytest.approx(0.87, abs=0.01)


# --- its pictures ---------------------------------------------------------------------------------


def test_each_row_has_its_pictures(shown) -> None:
    assert shown["names"].tolist() == NAMES
    count, side = 6, shown["truth"].shape[-1]
    assert len(set(shown["photos"].tolist())) == count
    assert shown["pictures"].shape == (len(NAMES), count, 3, side, side)
    assert shown["truth"].shape == shown["gray"].shape == (count, 3, side, side)
    assert all(shown[name].dtype == np.uint8 for name in ("pictures", "truth", "gray"))


def test_the_pictures_are_of_free_test_photos(shown) -> None:
    with (data_dir() / "photos" / "credits.csv").open(encoding="utf-8", newline="") as file:
        licenses = {row["file"]: row["license"] for row in csv.DictReader(file)}
    assert {licenses[f"test/{name}.jpg"] for name in shown["photos"]} <= FREE
    for name, truth in zip(shown["photos"], shown["truth"], strict=True):
        photo = Image.open(data_dir() / "photos" / "test" / f"{name}.jpg")
        assert np.array(photo).mean((0, 1)) == pytest.approx(truth.mean((1, 2)), abs=25)


def test_all_pictures_of_a_photo_have_its_lightness(shown) -> None:
    true = rgb_to_lab(torch.from_numpy(shown["truth"]))[:, 0]
    for name, pictures in zip(shown["names"], shown["pictures"], strict=True):
        lightness = rgb_to_lab(torch.from_numpy(pictures))[:, 0]
        assert (lightness - true).abs().mean() < 1, name  # they were reduced after coloring
    np.testing.assert_array_equal(shown["pictures"][0], shown["gray"])
    assert np.ptp(shown["gray"].astype(int), axis=1).max() <= 1


# --- the diary ------------------------------------------------------------------------------------


def test_the_diary_has_its_three_stages(nogan) -> None:
    recipe = Recipe.from_json(nogan.notes["recipe"])
    alone, play, both = recipe.stages
    assert (alone.kind, play.kind, both.kind) == ("pretrain", "adversarial", "adversarial")
    assert play.generator_rate == 0 and both.generator_rate > 0
    assert nogan.notes["begins"] == [0, alone.steps, alone.steps + play.steps]
    assert len(nogan.notes["stages"]) == 3 and nogan.notes["seconds"] > 0
    assert nogan.notes["hardware"] and nogan.notes["photos"] == 241
    assert nogan.steps[0] == 0 and nogan.steps[-1] == recipe.steps
    apart = np.diff(nogan.steps[nogan.steps >= nogan.notes["begins"][2]])
    assert apart.min() >= 10 and apart.max() <= 20


def test_the_diary_measures_weights_and_average_alike(nogan) -> None:
    names = {"frechet", "colorfulness_gap", "average_psnr", "average_chroma"}
    names |= {"average_frechet", "average_colorfulness_gap"}
    assert set(nogan.extra) == names | {"again", "spread"}
    for name in names:
        assert nogan.extra[name].shape == nogan.steps.shape
        assert np.isfinite(nogan.extra[name]).all(), name


def test_the_generator_rests_while_the_discriminator_trains(nogan) -> None:
    _, first, last = (nogan.steps.tolist().index(step) for step in nogan.notes["begins"])
    assert first < last
    np.testing.assert_array_equal(nogan.ab[first], nogan.ab[last])
    assert nogan.psnr[first] == nogan.psnr[last]
    steps, loss = nogan.loss("discriminator")
    assert steps[0] == nogan.notes["begins"][1] + 1
    assert loss[-1] < loss[0]


def test_nothing_of_the_generator_changes_while_it_rests(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(data_dir() / "lessons"))
    from nogan import InTurns, recipe

    trainer = InTurns(recipe((1, 1, 1)), device="cpu")
    networks = trainer.generator, trainer.discriminator
    photos = held_out(64)[:2]

    def changed(rate: float) -> list[bool]:
        before = [{k: v.clone() for k, v in net.state_dict().items()} for net in networks]
        trainer.set_rates(rate, 1e-3)
        trainer.step("adversarial", 1, photos)
        pairs = zip(before, (net.state_dict() for net in networks), strict=True)
        return [any(not torch.equal(old[name], new[name]) for name in old) for old, new in pairs]

    assert changed(0.0) == [False, True]
    assert not trainer.optimizer_g.state
    assert changed(1e-3) == [True, True]


def psnr_of(rgb: Tensor, true: Tensor) -> float:
    squares = ((rgb.double() - true.double()) ** 2).flatten(1).mean(1)
    return float((10 * torch.log10(1 / squares)).mean())


def test_a_gray_start_scores_as_gray(nogan) -> None:
    photos = held_out(64)
    np.testing.assert_array_equal(nogan.rgb, photos[: len(nogan.rgb)].numpy())
    L, _ = normalize_lab(rgb_to_lab(photos))
    gray = lab_to_rgb(denormalize_lab(L, torch.zeros_like(photos[:, :2].float())))
    assert nogan.gray_psnr == pytest.approx(psnr_of(gray, photos / 255), abs=0.01)
    assert nogan.extra["average_psnr"][0] == pytest.approx(nogan.psnr[0], abs=1e-3)
    assert nogan.extra["average_chroma"][0] == pytest.approx(nogan.chroma[0], abs=1e-3)
    assert chroma(torch.from_numpy(nogan.ab[0]).float()).mean() < 3
