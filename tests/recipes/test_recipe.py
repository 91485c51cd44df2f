"""Recipes through JSON and back, and every way in which a recipe file can be wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from colorlab.encoders import EncoderUNet, HintUNet
from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.recipes.presets import RECIPES, get
from colorlab.recipes.recipe import (
    DataConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    ObjectiveConfig,
    OptimizationConfig,
    Recipe,
    Stage,
    differences,
)
from colorlab.unet import UNet

SECTIONS = {
    "data": DataConfig,
    "generator": GeneratorConfig,
    "discriminator": DiscriminatorConfig,
    "objective": ObjectiveConfig,
    "optimization": OptimizationConfig,
}


def changed(**sections: Any) -> str:
    """A recipe's JSON with keys of some sections set; ``stage`` is the first stage."""
    values = json.loads(Recipe().to_json())
    for name, entries in sections.items():
        (values["stages"][0] if name == "stage" else values[name]).update(entries)
    return json.dumps(values)


# --- through JSON ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_every_preset_comes_back_from_json(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name and recipe.about
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert isinstance(again.stages, tuple) and isinstance(again.generator.widths, tuple)
    assert get(name) is recipe


rates = st.floats(0, 1, allow_nan=False)
recipes = st.builds(
    Recipe,
    name=st.text(max_size=5),
    seed=st.integers(0, 2**31),
    data=st.builds(DataConfig, scale=st.tuples(st.floats(1, 2), st.floats(2, 3))),
    generator=st.builds(GeneratorConfig, widths=st.lists(st.integers(1, 9)).map(tuple)),
    discriminator=st.builds(DiscriminatorConfig),
    objective=st.builds(ObjectiveConfig, halved=st.booleans(), chroma_weight=rates),
    optimization=st.builds(OptimizationConfig, average=rates, betas=st.tuples(rates, rates)),
    stages=st.lists(
        st.builds(Stage, steps=st.integers(1, 10**6), generator_rate=rates), min_size=1, max_size=4
    ).map(tuple),
)


hinted = st.builds(
    Recipe,
    data=st.builds(DataConfig, hinted=rates),
    generator=st.builds(
        GeneratorConfig, kind=st.just("hint-unet"), head=st.sampled_from(["ab", "bins"])
    ),
    objective=st.builds(ObjectiveConfig, palette_weight=rates, rebalance=st.booleans()),
)


@given(recipes | hinted)
def test_any_recipe_comes_back_from_json(recipe: Recipe) -> None:
    text = recipe.to_json()
    assert Recipe.from_json(text) == recipe
    assert json.loads(text).keys() == {field.name for field in dataclasses.fields(Recipe)}


def test_what_is_left_out_has_its_default() -> None:
    recipe = Recipe.from_json('{"objective": {"color_weight": 3}, "stages": [{"steps": 7}]}')
    assert recipe == Recipe(objective=ObjectiveConfig(color_weight=3.0), stages=(Stage(steps=7),))
    assert type(recipe.objective.color_weight) is float  # an integer will do for a float
    assert Recipe.from_json("{}") == Recipe()


def test_recipes_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        get("starter").seed = 1
    with pytest.raises(TypeError):
        RECIPES["mine"] = Recipe()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_in_a_section_is_refused_with_the_valid_ones(section: str) -> None:
    with pytest.raises(ValueError) as caught:
        Recipe.from_json(changed(**{section: {"lamda": 1}}))
    message = str(caught.value)
    assert message.startswith(f"recipe.{section} has no 'lamda'")
    valid = ", ".join(field.name for field in dataclasses.fields(SECTIONS[section]))
    assert message.endswith(f"valid keys: {valid}")


def test_an_unknown_key_at_the_top_or_in_a_stage_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="^recipe has no 'gan', 'zzz'; valid keys: name, about, "):
        Recipe.from_json('{"zzz": 1, "gan": 1}')
    second = '{"stages": [{}, {"epochs": 1}]}'
    with pytest.raises(ValueError, match=r"^recipe.stages\[1\] has no 'epochs'.* kind, steps, "):
        Recipe.from_json(second)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed(generator={"levels": "8"}), "recipe.generator.levels should be int, got '8'"),
        (changed(generator={"levels": 8.0}), "recipe.generator.levels should be int, got 8.0"),
        (changed(generator={"levels": True}), "recipe.generator.levels should be int, got True"),
        (changed(generator={"widths": 3}), "recipe.generator.widths should be a list, got 3"),
        (changed(generator={"widths": [3, "4"]}), r"widths\[1\] should be int, got '4'"),
        (changed(discriminator={"spectral": 1}), "discriminator.spectral should be bool, got 1"),
        (changed(objective={"color_weight": None}), "color_weight should be float, got None"),
        (changed(objective={"color_weight": True}), "color_weight should be float, got True"),
        (changed(objective={"color": ["l1"]}), r"objective.color should be str, got \['l1'\]"),
        (changed(optimization={"betas": [0.5]}), r"betas should hold 2 values, got \[0.5\]"),
        (changed(stage={"steps": 1.5}), r"recipe.stages\[0\].steps should be int, got 1.5"),
        ('{"stages": {"steps": 3}}', "recipe.stages should be a list"),
        ('{"stages": [3]}', r"recipe.stages\[0\] should be an object with keys, got 3"),
        ('{"data": 1}', "recipe.data should be an object with keys, got 1"),
        ("[]", r"recipe should be an object with keys, got \[\]"),
        ('{"seed": 1', "not valid JSON.*line 1 column 11"),
        ("[" * 100_000, "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_wrong_types_are_refused_by_their_place(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Recipe.from_json(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed(generator={"kind": "vit"}), "'vit'; choose from unet, encoder-unet"),
        (changed(generator={"kind": "vit"}), "'vit'; choose from .*encoder-unet, hint-unet"),
        (changed(generator={"head": "rgb"}), "generator.head is 'rgb'; choose from ab, bins"),
        (
            changed(data={"hinted": 0.5}),
            "data.hinted is 0.5, and needs generator.kind 'hint-unet': the others predict no "
            "distribution and take no hints",
        ),
        (
            changed(objective={"palette_weight": 1}, generator={"kind": "encoder-unet"}),
            "objective.palette_weight is 1.0, and needs generator.kind 'hint-unet'",
        ),
        (changed(optimization={"precision": "fp8"}), "'fp8'; choose from auto, fp32, bf16"),
        (changed(stage={"kind": "gan"}), "'gan'; choose from pretrain, adversarial"),
        (changed(stage={"schedule": "step"}), "'step'; choose from constant, cosine"),
        (changed(stage={"steps": 0}), "stage.steps must be at least 1, got 0"),
        (changed(stage={"image_size": -1}), "stage.image_size must be at least 1, got -1"),
        (changed(stage={"batch_size": 0}), "stage.batch_size must be at least 1, got 0"),
        ('{"stages": []}', "at least one stage"),
    ],
)
def test_wrong_values_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Recipe.from_json(text)


# --- with_steps -----------------------------------------------------------------------------------


def with_stages(*steps: int) -> Recipe:
    return Recipe(stages=tuple(Stage(steps=n, batch_size=i + 1) for i, n in enumerate(steps)))


stage_steps = st.lists(st.integers(1, 10_000), min_size=1, max_size=6)


@given(stage_steps, st.integers(0, 20_000))
def test_steps_sum_exactly_and_leave_no_stage_out(stages: list[int], more: int) -> None:
    recipe, steps = with_stages(*stages), len(stages) + more
    other = recipe.with_steps(steps)
    got = [stage.steps for stage in other.stages]
    assert sum(got) == other.steps == steps
    assert min(got) >= 1
    # Each stage keeps its share, but for rounding and for the one step that each must have.
    for n, was in zip(got, stages, strict=True):
        assert abs(n - was * steps / sum(stages)) <= len(stages)
    # Nothing else changes.
    restored = [
        dataclasses.replace(a, steps=b.steps)
        for a, b in zip(other.stages, recipe.stages, strict=True)
    ]
    assert dataclasses.replace(other, stages=tuple(restored)) == recipe


@given(stage_steps, st.integers(1, 50))
def test_a_whole_multiple_of_the_steps_multiplies_each_stage(stages: list[int], k: int) -> None:
    got = with_stages(*stages).with_steps(k * sum(stages))
    assert [stage.steps for stage in got.stages] == [k * n for n in stages]


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="'custom' has 3 stages.*got 2"):
        with_stages(5, 5, 5).with_steps(2)


# --- names, files, networks -----------------------------------------------------------------------


def test_a_recipe_is_found_by_name_or_in_a_file(tmp_path) -> None:
    mine = dataclasses.replace(get("tiny"), name="mine", seed=7)
    file = tmp_path / "mine.json"
    file.write_text(mine.to_json(), encoding="utf-8")
    assert get(str(file)) == mine
    with pytest.raises(ValueError, match=f"unknown recipe 'big'; choose from {', '.join(RECIPES)}"):
        get("big")
    with pytest.raises(ValueError, match="there is no recipe file .*none.json"):
        get(str(tmp_path / "none.json"))


def test_the_generator_is_the_one_described() -> None:
    config = GeneratorConfig(
        levels=3,
        base=5,
        cap=7,
        norm="instance",
        dropout=0.25,
        noise_channels=2,
        upsampling="resize",
    )
    net = build_generator(Recipe(generator=config))
    assert isinstance(net, UNet)
    wanted = UNet(3, 5, 7, "instance", 0.25, 2, "resize")
    assert str(net) == str(wanted)

    config = GeneratorConfig(kind="encoder-unet", widths=(4, 3, 2, 1))
    net = build_generator(Recipe(generator=config), pretrained=False)
    assert isinstance(net, EncoderUNet)
    assert str(net) == str(EncoderUNet((4, 3, 2, 1), pretrained=False))

    config = GeneratorConfig(kind="hint-unet", widths=(4, 3, 2, 1), head="bins")
    net = build_generator(Recipe(generator=config), pretrained=False)
    assert isinstance(net, HintUNet) and net.head == "bins"
    assert str(net) == str(HintUNet((4, 3, 2, 1), pretrained=False))


@pytest.mark.parametrize("conditional", [True, False])
def test_the_discriminator_is_the_one_described(conditional: bool) -> None:
    config = DiscriminatorConfig(conditional, base=4, layers=2, norm="none", spectral=True)
    net = build_discriminator(Recipe(discriminator=config))
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in convolutions] == [3 if conditional else 2, 4, 8, 16]
    assert all(hasattr(m, "parametrizations") for m in convolutions)
    image = build_discriminator(
        Recipe(discriminator=dataclasses.replace(config, spectral=False, head="image"))
    )
    assert isinstance(image.layers[-1], nn.Linear)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (Recipe(generator=GeneratorConfig(norm="layer")), "choose from batch, instance"),
        (Recipe(generator=GeneratorConfig(kind="encoder-unet", widths=(1,))), "four positive"),
    ],
)
def test_what_no_network_can_be_is_refused_when_it_is_built(recipe: Recipe, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build_generator(recipe, pretrained=False)


@pytest.mark.parametrize("name", RECIPES)
def test_each_presets_crops_fit_its_networks(name: str) -> None:
    recipe = RECIPES[name]
    generator, discriminator = (
        build_generator(recipe, pretrained=False),
        build_discriminator(recipe),
    )
    for stage in recipe.stages:
        assert stage.image_size % generator.stride == 0
        assert stage.image_size // recipe.discriminator.reduce >= discriminator.smallest


# --- sizes, batches, differences -------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "levels"), [(256, 8), (128, 7), (64, 6), (96, 5), (512, 8), (60, 2)]
)
def test_with_size_keeps_the_net_within_what_a_crop_can_be_halved(size: int, levels: int) -> None:
    recipe = RECIPES["lab-pix2pix"].with_size(size)
    assert {stage.image_size for stage in recipe.stages} == {size}
    assert recipe.generator.levels == levels
    assert size % 2**levels == 0


def test_with_batch_changes_each_stage_and_nothing_else() -> None:
    recipe = RECIPES["starter"]
    assert differences(recipe, recipe.with_batch(3)) == [
        f"stages[{i}].batch_size: {stage.batch_size} → 3" for i, stage in enumerate(recipe.stages)
    ]


def test_equal_recipes_do_not_differ() -> None:
    assert differences(Recipe(), Recipe()) == []


def test_differences_name_every_field() -> None:
    one = Recipe(stages=(Stage(steps=5),))
    other = dataclasses.replace(
        one,
        seed=4,
        objective=ObjectiveConfig(color_weight=10.0),
        stages=(Stage(steps=6), Stage("pretrain")),
    )
    lines = differences(one, other)
    assert lines[:3] == [
        "seed: 0 → 4",
        "objective.color_weight: 100.0 → 10.0",
        "stages[0].steps: 5 → 6",
    ]
    assert "stages[1].kind: nothing → pretrain" in lines
    assert all(line.startswith("stages[1].") for line in lines[3:])


def test_a_reward_for_diversity_needs_noise() -> None:
    with pytest.raises(ValueError, match="noise_channels is 0; give the generator noise"):
        Recipe(objective=ObjectiveConfig(diversity_weight=1.0))


@pytest.mark.parametrize("kind", ["encoder-unet", "hint-unet"])
def test_a_pretrained_one_predicts_ab_alone(kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{kind}' predicts only 'ab'"):
        GeneratorConfig(kind=kind, predicts="rgb")


def test_a_share_beyond_all_photos_is_refused() -> None:
    with pytest.raises(ValueError, match="data.hinted is a share of the photos, 0 to 1, got 5"):
        DataConfig(hinted=5.0)


def test_only_the_plain_unet_takes_noise() -> None:
    with pytest.raises(ValueError, match="noise_channels needs generator.kind 'unet'"):
        Recipe(generator=GeneratorConfig(kind="hint-unet", noise_channels=4))
