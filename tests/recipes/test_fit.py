"""What can't be trained to its end is refused at the start, for every stage."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from made import HINTED, RECIPE, with_

from colorlab.recipes import fit
from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.recipes.fit import refuse_misfits
from colorlab.recipes.presets import RECIPES
from colorlab.recipes.recipe import Recipe, Stage

IMAGE = {"head": "image", "layers": 1}


def at(recipe: Recipe, size: int, batch: int = 2, kind: str = "adversarial") -> Recipe:
    """The recipe with one more stage."""
    return dataclasses.replace(recipe, stages=(*recipe.stages, Stage(kind, 1, size, batch)))


@pytest.mark.parametrize("name", RECIPES)
def test_every_preset_fits(name: str, monkeypatch) -> None:
    monkeypatch.setattr(fit, "memory_of", lambda device: 16e9)
    refuse_misfits(RECIPES[name], "cpu")


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (
            at(RECIPE, 20),
            "'unet' of generator.levels 3 halves .* got 20. Nearest: 16 or 24",
        ),
        (at(RECIPE, 4), "multiple of 8; got 4. Nearest: 8"),
        (at(HINTED, 48), "generator.kind 'hint-unet' .* multiple of 32"),
        (at(HINTED, 32, 1, "pretrain"), "one value a channel.*change batch_size"),
        (at(with_(objective={"perceptual_weight": 1.0}), 32), r"objective.perceptual_weight"),
        (at(with_(discriminator={"layers": 2}), 8), "at least 12 .*reduce 1 it gets 8; .*layers"),
        (at(with_(discriminator={"reduce": 3}), 16), "at least 6 .*discriminator.reduce 3 .* 5"),
        (at(with_(discriminator={**IMAGE, "reduce": 4}), 16, 1), "change discriminator.norm"),
        (at(with_(discriminator={**IMAGE, "reduce": 4, "norm": "instance"}), 16), "'instance'"),
    ],
)
def test_a_stage_whose_crops_fit_no_network_is_named(recipe: Recipe, says: str) -> None:
    with pytest.raises(ValueError, match=rf"^stages\[\d\].image_size \d+: .*{says}"):
        refuse_misfits(recipe, "cpu")


@pytest.mark.parametrize("size", [8, 16, 24, 40])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("reduce", [1, 2, 4])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("head", ["patch", "image"])
def test_what_is_refused_is_what_the_networks_refuse(size, batch, reduce, norm, head) -> None:
    judge = {"layers": 2, "reduce": reduce, "norm": norm, "head": head}
    recipe = with_(discriminator=judge)
    recipe = dataclasses.replace(recipe, stages=(Stage("adversarial", 1, size, batch),))
    side = size // reduce
    try:
        build_discriminator(recipe)(torch.zeros(batch, 3, side, side))
        build_generator(recipe)(torch.zeros(batch, 1, size, size))
    except ValueError:
        with pytest.raises(ValueError, match=r"^stages\[0\].image_size"):
            refuse_misfits(recipe, "cpu")
    else:
        refuse_misfits(recipe, "cpu")


def test_a_discriminator_that_no_stage_asks_may_be_too_large_for_the_crops() -> None:
    recipe = with_(discriminator={"layers": 8})
    refuse_misfits(dataclasses.replace(recipe, stages=(Stage("pretrain", 1, 16, 2),)), "cpu")


def test_a_stage_without_a_loss_is_refused() -> None:
    nothing = {"color_weight": 0.0, "adversarial_weight": 0.0}
    with pytest.raises(ValueError, match=r"^stages\[0\] has no loss .*objective.color_weight, "):
        refuse_misfits(with_(objective=nothing), "cpu")
    judged = dataclasses.replace(RECIPE, stages=RECIPE.stages[1:])
    refuse_misfits(with_(judged, objective={"color_weight": 0.0}), "cpu")
    with pytest.raises(ValueError, match="adversarial_weight are all 0"):
        refuse_misfits(with_(judged, objective=nothing), "cpu")


def test_a_later_batch_that_can_not_be_dealt_evenly_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"^stages\[2\].batch_size: a batch of 3 .* 2 processes"):
        refuse_misfits(at(RECIPE, 16, 3), "cpu")


@pytest.mark.parametrize(
    ("optimization", "says"),
    [
        ({"precision": "fp16"}, "^optimization.precision: .* needs an NVIDIA GPU"),
        ({"sync_batch_norm": True}, "^optimization.sync_batch_norm needs GPUs"),
    ],
)
def test_what_a_processor_can_not_do_is_refused(optimization: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        refuse_misfits(with_(optimization=optimization), "cpu")


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (with_(generator={"base": 4096, "cap": 4096}), "generator.base, cap"),
        (with_(discriminator={"base": 4096}), "discriminator.base"),
        (at(RECIPE, 2048, 65_536), r"stages\[2\].batch_size 65536 at image_size 2048"),
        (
            dataclasses.replace(RECIPE, stages=(Stage("pretrain", 10**7, 16, 4096),)),
            r"stages\[0\].steps × batch_size photos",
        ),
    ],
)
def test_what_no_machine_of_that_memory_can_train_is_refused(
    recipe: Recipe, says: str, monkeypatch
) -> None:
    monkeypatch.setattr(fit, "memory_of", lambda device: 4e9)
    with pytest.raises(ValueError, match=rf"{says}.* need at least .* GB .*cpu has 4.0; take sm"):
        refuse_misfits(recipe, "cpu")


@pytest.mark.parametrize("name", ["tiny", "ab-npy", "starter"])
def test_the_least_memory_is_less_than_a_step_keeps(name: str) -> None:
    """The oracle: what torch itself saves for the backward pass, and the weights it has."""
    recipe = RECIPES[name].with_batch(2)
    stage = recipe.stages[0]
    generator = build_generator(recipe, pretrained=False)
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        generator(torch.zeros(2, 1, stage.image_size, stage.image_size))
    ours = {p.data_ptr() for p in [*generator.parameters(), *generator.buffers()]}
    saved = sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in ours)
    least = 2 * 2 * fit._activations(getattr(generator, "encoder", generator), stage.image_size)
    assert saved / 12 < least <= saved / 2  # saved is float32, the least half of that
    assert fit._weights(generator) == sum(p.numel() for p in generator.parameters())
