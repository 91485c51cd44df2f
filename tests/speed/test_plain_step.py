"""colorlab.speed.plain_step: with all switches on it is the trainer's step, with all off it is as
common."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made import RECIPE, with_
from PIL import Image
from skimage.color import rgb2lab

from colorlab import recipes
from colorlab.photos.arrays import LabArrays
from colorlab.photos.folder import PhotoFolder
from colorlab.speed.plain_step import PlainStep, Switches
from colorlab.training.optimizers import ADAM_STATE
from colorlab.training.trainer import Trainer

ALL = Switches(keep=True, lab_on_device=True, channels_last=True, fused=True)


@pytest.mark.parametrize(
    "recipe", [RECIPE, with_(objective={"adversarial": "hinge", "halved": False, "color": "huber"})]
)
def test_with_all_switches_it_is_the_trainers_step(photos: Path, recipe) -> None:
    """Dropout's random numbers included."""
    step, trainer = PlainStep(recipe, photos, ALL), Trainer(recipe, device="cpu")
    stage = recipe.stages[-1]
    trainer.set_rates(stage.generator_rate, stage.discriminator_rate)
    for number in (1, 2, 3):
        batch = step.read(number)
        wanted = trainer.step("adversarial", number, batch)
        assert step() == pytest.approx(wanted, rel=1e-5)
    for ours, theirs in zip(
        step.generator.parameters(), trainer.generator.parameters(), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"keep": False}, {"lab_on_device": False}, {"channels_last": False}, {"fused": False}],
)
def test_no_switch_changes_what_is_learned(photos: Path, change: dict) -> None:
    """But for dropout, whose random numbers fall on other places where the layout is another."""
    recipe = with_(generator={"dropout": 0.0})
    one, other = (PlainStep(recipe, photos, s) for s in (ALL, dataclasses.replace(ALL, **change)))
    for _ in range(3):
        assert one() == pytest.approx(other(), rel=1e-3)


def test_half_precision_is_close(photos: Path) -> None:
    exact, half = (
        PlainStep(RECIPE, photos, ALL),
        PlainStep(RECIPE, photos, dataclasses.replace(ALL, precision="bf16")),
    )
    wanted, found = exact(), half()
    assert found == pytest.approx(wanted, rel=0.05) and found != wanted


def test_the_switches_do_what_they_say(photos: Path) -> None:
    plain, quick = PlainStep(RECIPE, photos), PlainStep(RECIPE, photos, ALL)
    plain(), quick()
    assert plain.photos.kept == (0, 0) and quick.photos.kept[0] == 2
    weight = {
        name: step.generator.downs[1][1].weight
        for name, step in (("plain", plain), ("quick", quick))
    }
    assert weight["plain"].is_contiguous() and not weight["quick"].is_contiguous()
    assert (
        not plain.optimizer_g.param_groups[0]["fused"]
        and quick.optimizer_g.param_groups[0]["fused"]
    )
    assert set(quick.optimizer_g.state[weight["quick"]]) == set(ADAM_STATE)


def test_lab_photo_by_photo_is_scikit_images(photos: Path) -> None:
    step = PlainStep(RECIPE, photos)
    batch = step.read(1)
    lightness, ab = step.lab(batch)
    wanted = np.stack([rgb2lab(photo.permute(1, 2, 0).numpy()) for photo in batch])
    assert np.allclose(lightness[:, 0] * 50 + 50, wanted[..., 0], atol=1e-3)
    assert np.allclose(ab.permute(0, 2, 3, 1) * 110, wanted[..., 1:], atol=1e-3)


def test_it_reads_the_same_photos_cut_anew(photos: Path, tmp_path: Path) -> None:
    for level in (10, 90, 170, 250):
        Image.new("RGB", (40, 30), (level,) * 3).save(tmp_path / f"{level:03}.png")
    step = PlainStep(RECIPE.with_batch(2), tmp_path)
    assert [int(photo.float().mean()) for photo in step.read(1)] == [10, 170]  # spread over them
    step = PlainStep(RECIPE.with_batch(6), tmp_path)
    assert [int(photo.float().mean()) for photo in step.read(3)] == [10, 90, 170, 250, 10, 90]
    step = PlainStep(RECIPE, photos)
    assert torch.equal(step.read(1), step.read(1)) and not torch.equal(step.read(1), step.read(2))


def test_other_recipes_are_refused(photos: Path) -> None:
    for name in ("unet-perceptual", "rgb-pix2pix", "noise-unet", "starter", "ab-npy"):
        with pytest.raises(ValueError, match=f"recipe '{name}' is not that: .*Take 'tiny'"):
            PlainStep(recipes.get(name), photos)
    with pytest.raises(ValueError, match="last stage is not adversarial"):
        PlainStep(dataclasses.replace(RECIPE, stages=RECIPE.stages[:1]), photos)


def test_other_photos_and_precisions_are_refused(photos: Path, tmp_path: Path, monkeypatch) -> None:
    class Arrays(PhotoFolder):
        holds = "lab8"

    assert LabArrays.holds == "lab8"
    with pytest.raises(ValueError, match="reads photos in RGB; these are 'lab8'"):
        PlainStep(RECIPE, Arrays(photos))
    with pytest.raises(ValueError, match="fp16.*needs an NVIDIA GPU"):
        PlainStep(RECIPE, photos, Switches(precision="fp16"))
    monkeypatch.setitem(sys.modules, "skimage.color", None)
    with pytest.raises(ImportError, match="pip install scikit-image"):
        PlainStep(RECIPE, photos)
    PlainStep(RECIPE, photos, Switches(lab_on_device=True))  # needs none
