"""Recipes through JSON and back, and every way in which a recipe file can be wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
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


rates, below = st.floats(0, 1), st.floats(0, 1, exclude_max=True)
recipes = st.builds(
    Recipe,
    name=st.text("aZ9ü(,-", min_size=1),
    seed=st.integers(0, 2**31),
    data=st.builds(DataConfig, scale=st.tuples(st.floats(1, 2), st.floats(2, 3))),
    generator=st.builds(GeneratorConfig, widths=st.tuples(*[st.integers(1, 9)] * 4)),
    discriminator=st.builds(DiscriminatorConfig),
    objective=st.builds(ObjectiveConfig, halved=st.booleans(), chroma_weight=rates),
    optimization=st.builds(OptimizationConfig, average=below, betas=st.tuples(below, below)),
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


def test_regression_and_distribution_differ_in_head_and_losses_alone() -> None:
    fields = [line.split(":")[0] for line in differences(get("regression"), get("distribution"))]
    assert fields == [
        "name",
        "about",
        "generator.head",
        "objective.color_weight",
        "objective.palette_weight",
    ]
    one, other = get("regression").objective, get("distribution").objective
    assert one.color_weight and not one.palette_weight
    assert other.palette_weight and not other.color_weight


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_in_a_section_is_refused_with_the_valid_ones(section: str) -> None:
    with pytest.raises(ValueError) as caught:
        Recipe.from_json(changed(**{section: {"lamda": 1}}))
    message = str(caught.value)
    assert message.startswith(f"{section} has no 'lamda'")
    valid = ", ".join(field.name for field in dataclasses.fields(SECTIONS[section]))
    assert message.endswith(f"valid keys: {valid}")


def test_an_unknown_key_at_the_top_or_in_a_stage_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="^a recipe has no 'zzz'; valid keys: name, about, "):
        Recipe.from_json('{"zzz": 1, "gan": 1}')
    second = '{"stages": [{}, {"epochs": 1}]}'
    with pytest.raises(ValueError, match=r"^stages\[1\] has no 'epochs'.* kind, steps, "):
        Recipe.from_json(second)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed(generator={"levels": "8"}), "levels must be a whole number from 2 to 11, got '8'"),
        (
            changed(generator={"levels": 8.0}),
            "^generator.levels must be a whole .*, got 8.0",
        ),
        (changed(generator={"levels": True}), "generator.levels must be a whole .*, got True"),
        (changed(generator={"widths": 3}), "generator.widths must be a list of 4 values, got 3"),
        (changed(generator={"widths": [3, "4", 5, 6]}), r"widths\[1\] must be a whole .*, got '4'"),
        (changed(discriminator={"spectral": 1}), "spectral must be true or false, got 1"),
        (changed(objective={"color_weight": None}), "color_weight must be a number .*, got None"),
        (changed(objective={"color_weight": True}), "color_weight must be a number .*, got True"),
        (changed(objective={"color": ["l1"]}), r"color must be one of l1, .*, got \['l1'\]"),
        (changed(optimization={"betas": [0.5]}), r"betas must be a list of 2 values, got \[0.5\]"),
        (changed(stage={"steps": 1.5}), r"^stages\[0\].steps must be a whole number .*, got 1.5"),
        ('{"stages": {"steps": 3}}', "stages must be a list of 1 to 100 values"),
        ('{"stages": [3]}', r"stages\[0\] must be an object with keys, got 3"),
        ('{"data": 1}', "data must be an object with keys, got 1"),
        ('{"about": 1}', "about must be a text, got 1"),
        ("[]", r"a recipe must be an object with keys, got \[\]"),
        ('{"seed": 1', "not valid JSON.*line 1 column 11"),
        ('{"seed": 1, "seed": 1}', "not valid JSON: 'seed' stands twice"),
        ('{"data": {"scale": [1, 1], "scale": [1, 2]}}', "'scale' stands twice"),
        ('{"seed": 1' + "0" * 5000 + "}", "not valid JSON"),
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
        (changed(generator={"kind": "vit"}), "one of unet, encoder-unet, hint-unet, got 'vit'"),
        (changed(generator={"head": "rgb"}), "generator.head must be one of ab, bins, got 'rgb'"),
        (
            changed(data={"hinted": 0.5}),
            "data.hinted is 0.5, and needs generator.kind 'hint-unet': the others predict no "
            "distribution and take no hints",
        ),
        (
            changed(objective={"palette_weight": 1}, generator={"kind": "encoder-unet"}),
            "objective.palette_weight is 1.0, and needs generator.kind 'hint-unet'",
        ),
        (changed(optimization={"precision": "fp8"}), "one of auto, fp32, bf16, fp16, got 'fp8'"),
        (changed(stage={"kind": "gan"}), "one of pretrain, adversarial, got 'gan'"),
        (changed(stage={"schedule": "step"}), "one of constant, cosine, got 'step'"),
        (changed(data={"scale": [2, 1]}), r"data.scale .* the lower one first, got \(2.0, 1.0\)"),
        ('{"stages": []}', "stages must be a list of 1 to 100 values"),
    ],
)
def test_wrong_values_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Recipe.from_json(text)


# The lowest and the highest value of each number, written down once more.
RANGES = {
    "seed": (0, 2**63 - 1),
    "data.scale": (1, 4),
    "data.hinted": (0, 1),
    "generator.levels": (2, 11),
    "generator.base": (1, 4096),
    "generator.cap": (1, 4096),
    "generator.dropout": (0, math.nextafter(1, 0)),
    "generator.noise_channels": (0, 1024),
    "generator.widths": (1, 4096),
    "discriminator.base": (1, 4096),
    "discriminator.layers": (1, 8),
    "discriminator.reduce": (1, 64),
    "objective.adversarial_weight": (0, 1_000_000),
    "objective.color_weight": (0, 1_000_000),
    "objective.chroma_weight": (0, 1_000_000),
    "objective.perceptual_weight": (0, 1_000_000),
    "objective.diversity_weight": (0, 1_000_000),
    "objective.palette_weight": (0, 1_000_000),
    "optimization.betas": (0, math.nextafter(1, 0)),
    "optimization.weight_decay": (0, 1),
    "optimization.encoder_rate": (0, 1),
    "optimization.average": (0, math.nextafter(1, 0)),
    "stages[0].steps": (1, 10_000_000),
    "stages[0].image_size": (4, 2048),
    "stages[0].batch_size": (1, 65_536),
    "stages[0].generator_rate": (0, 1),
    "stages[0].discriminator_rate": (0, 1),
    "stages[0].warmup": (0, 10_000_000),
    "stages[0].balance": (0, 1),
}


def numbers(values: Any, name: str = "") -> dict[str, Any]:
    """The numbers of a recipe's JSON, and its lists of numbers, by their names."""
    if isinstance(values, dict):
        inner = {f"{name}.{key}" if name else key: entry for key, entry in values.items()}
    elif isinstance(values, list) and isinstance(values[0], dict):
        inner = {f"{name}[{i}]": entry for i, entry in enumerate(values)}
    else:
        return {} if isinstance(values, (str, bool)) else {name: values}
    return {key: v for name, entry in inner.items() for key, v in numbers(entry, name).items()}


def test_every_number_of_a_recipe_has_a_range() -> None:
    assert numbers(json.loads(Recipe().to_json())).keys() == RANGES.keys()


@pytest.mark.parametrize("name", RANGES)
def test_a_number_takes_the_ends_of_its_range_and_nothing_beyond(name: str) -> None:
    def with_value(value: float) -> str:
        # Only a generator with noise, or one that takes hints, can have these above 0.
        values = json.loads(Recipe().to_json())
        if name in ("data.hinted", "objective.palette_weight"):
            values["generator"]["kind"] = "hint-unet"
        if name == "objective.diversity_weight":
            values["generator"]["noise_channels"] = 8
        section, _, field = name.rpartition(".")
        owner = values["stages"][0] if section == "stages[0]" else values.get(section, values)
        owner[field] = [value] * len(owner[field]) if isinstance(owner[field], list) else value
        return json.dumps(values)

    low, high = RANGES[name]
    for value in (low, high):
        assert Recipe.from_json(with_value(value))
    whole = isinstance(high, int) and type(numbers(json.loads(Recipe().to_json()))[name]) is int
    beyond = [low - 1, high + 1] if whole else [math.nextafter(low, -9), math.nextafter(high, 9e9)]
    for value in (*beyond, -math.inf, math.inf, math.nan, 10**400, -(10**400)):
        with pytest.raises(ValueError, match=rf"^{re.escape(name)}(\[0\])? must be a ") as caught:
            Recipe.from_json(with_value(value))
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 160


def test_made_in_python_a_recipe_is_checked_alike() -> None:
    with pytest.raises(ValueError, match=r"^stage.steps must be a whole number .*, got 0"):
        Stage(steps=0)
    with pytest.raises(ValueError, match=r"^optimization.average must be .* below 1, got 1$"):
        dataclasses.replace(OptimizationConfig(), average=1)
    made = Recipe(data=DataConfig(scale=[1, np.float32(1.5)]), stages=[Stage(steps=np.int64(7))])
    assert made == Recipe.from_json(made.to_json()) and hash(made)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "C:x", " a", "a.", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="^name must be a text of 1 to 100 characters"):
        Recipe(name=name)


def test_the_nearest_key_is_suggested() -> None:
    with pytest.raises(ValueError, match="generator has no 'bsae'; did you mean 'base'. Valid"):
        Recipe.from_json('{"generator": {"bsae": 1}}')


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_recipe_file_may_have_a_byte_order_mark_and_capitals(tmp_path, encoding: str) -> None:
    mine = dataclasses.replace(get("tiny"), name="mine", about="für mich")
    text = json.dumps(dataclasses.asdict(mine), ensure_ascii=False)
    (tmp_path / "MINE.JSON").write_bytes(text.encode(encoding))
    assert get(str(tmp_path / "MINE.JSON")) == mine


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not valid JSON"),
        (b'{"name": "\xff"}', "not valid JSON: 'utf-8' codec can't decode"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not valid JSON"),
        (b'{"seed": 0.5}', "seed must be a whole number"),
        (b'{"generator": {"kind": "unet", "hinted": 1}}', "generator has no 'hinted'"),
        (b'{"data": {"hinted": 1}}', "data.hinted is 1.0, and needs generator.kind"),
        (None, "can't be read: Is a directory"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path, content: bytes | None, says: str) -> None:
    file = tmp_path / "mine.json"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        get(str(file))
    assert str(file) in str(caught.value) and says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ValueError, match="mine.json can't be read: Permission denied"):
        get(str(tmp_path / "mine.json"))


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
    with pytest.raises(ValueError, match="data.hinted must be a number from 0 to 1, got 5"):
        DataConfig(hinted=5.0)


def test_only_the_plain_unet_takes_noise() -> None:
    with pytest.raises(ValueError, match="noise_channels needs generator.kind 'unet'"):
        Recipe(generator=GeneratorConfig(kind="hint-unet", noise_channels=4))
