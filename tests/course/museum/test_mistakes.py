"""colorlab.course.museum.mistakes: what each recipe changes, photos turned gray, and coloring
without eval()."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorlab.course.museum.mistakes import BESIDE, PIECES, PartlyGray, forgetful
from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.recipe import DiscriminatorConfig, GeneratorConfig, Recipe, Stage, differences
from colorlab.sources.bundled import data_dir
from colorlab.training.run import Run


def test_each_piece_departs_from_the_healthy_recipe_only_by_its_mistake():
    departs = {}
    for piece in PIECES.values():
        lines = differences(BESIDE[piece.beside], piece.recipe())
        departs[piece.name] = {line.split(":")[0] for line in lines} - {"name", "about"}
    rates = {"stages[0].generator_rate", "stages[0].discriminator_rate"}
    assert departs == {
        "d-strong": {"discriminator.base", "stages[0].generator_rate"},
        "d-weak": {"stages[0].discriminator_rate"},
        "no-l1": {"objective.color_weight"},
        "only-l1": {"objective.adversarial_weight"},
        "collapsed": {"objective.color_weight", "objective.diversity_weight"},
        "rate": rates,
        "eval": set(),
        "gray-data": set(),
    }
    assert {name for name, piece in PIECES.items() if piece.gray} == {"gray-data"}
    assert {name for name, piece in PIECES.items() if piece.colorize is forgetful} == {"eval"}
    assert PIECES["no-l1"].recipe(60).steps == 60


def test_a_share_of_a_folder_is_gray(photos):
    names = PhotoFolder(photos).names
    folder = PartlyGray(photos, 0.5, size=32)
    assert folder.holds == "rgb" and len(folder) == 6 and 0 < len(folder.grayed) < 6
    other = PartlyGray(photos, 0.5).at(32)
    plain = PhotoFolder(photos, size=32)
    for i, name in enumerate(names):
        photo = folder[i]
        assert photo.shape == (3, 32, 32) and photo.dtype == torch.uint8
        assert torch.equal(photo, other[i])
        if name in folder.grayed:
            assert (photo[0] == photo[1]).all() and (photo[1] == photo[2]).all()
            L = [rgb2lab(p.permute(1, 2, 0).numpy())[..., 0] for p in (photo, plain[i])]
            assert np.abs(L[0] - L[1]).max() < 0.6, "the same lightness"
        else:
            assert torch.equal(photo, plain[i])
    assert not PartlyGray(photos, 0.0).grayed and len(PartlyGray(photos, 1.0).grayed) == 6
    with pytest.raises(ValueError, match="shares of at least 0"):
        PartlyGray(photos, 1.5)


def test_the_training_photos_turned_gray_are_about_the_share():
    share = PIECES["gray-data"].gray
    folder = PartlyGray(data_dir() / "photos" / "train", share)
    assert len(folder.grayed) / len(folder) == pytest.approx(share, abs=0.08)


def test_forgotten_eval_colors_one_photo_at_a_time_and_leaves_the_network_alone(photos, batch):
    recipe = Recipe(
        generator=GeneratorConfig(levels=3, base=4, cap=8),
        discriminator=DiscriminatorConfig(base=4, layers=1),
        stages=(Stage("adversarial", 3, 16, 2),),
    )
    run = Run(recipe, photos, progress=False, device="cpu")
    run.train()
    trainer = run.trainer
    before = {name: value.clone() for name, value in trainer.generator.state_dict().items()}
    inputs, _ = trainer.split(batch)
    random, prediction = trainer.generator.random, trainer.colorize(inputs)
    one, same, other = (forgetful(trainer, inputs, seed) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert not torch.allclose(one, prediction, atol=0.01)
    assert torch.equal(one[:1], forgetful(trainer, inputs[:1], 0)), (
        "of the other photos it knows none"
    )
    assert torch.equal(trainer.colorize(inputs), prediction) and trainer.generator.random is random
    after = trainer.generator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
