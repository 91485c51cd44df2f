"""The run against a training loop written out by hand, on tiny networks and made photos."""

from __future__ import annotations

import copy
import csv
import dataclasses
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from colorlab import training
from colorlab.color import rgb_to_lab
from colorlab.devices import bf16_is_fast
from colorlab.photos import PhotoError, PhotoFolder
from colorlab.recipes import (
    DiscriminatorConfig,
    GeneratorConfig,
    ObjectiveConfig,
    OptimizationConfig,
    Recipe,
    Stage,
)
from colorlab.training import Trainer, schedule
from colorlab.weights import load_weights

RECIPE = Recipe(
    name="test",
    generator=GeneratorConfig(levels=3, base=4, cap=16),
    discriminator=DiscriminatorConfig(base=4, layers=1),
    optimization=OptimizationConfig(precision="fp32"),
    stages=(Stage("pretrain", 2, 16, 2, 1e-3), Stage("adversarial", 3, 16, 2, 1e-3, 2e-3)),
)
ADVERSARIAL_LOSSES = {"generator", "discriminator", "logit_real", "logit_fake"}


def with_(recipe: Recipe = RECIPE, **sections: dict) -> Recipe:
    """The recipe with some fields of some sections changed."""
    parts = {k: dataclasses.replace(getattr(recipe, k), **v) for k, v in sections.items()}
    return dataclasses.replace(recipe, **parts)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Six photos of 64 × 64: a colored disc on a two-colored slope."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 63
    for i in range(6):
        a, b, disc = rng.uniform(0, 255, (3, 3))
        picture = a + (b - a) * ((x + i * y) / (1 + i))[..., None]
        picture[(x - 0.5) ** 2 + (y - rng.uniform(0.3, 0.7)) ** 2 < 0.05] = disc
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def batch(photos: Path) -> Tensor:
    return torch.stack([PhotoFolder(photos, size=16)[i] for i in range(4)])


@pytest.fixture
def make(photos: Path) -> Callable[..., Trainer]:
    def trainer(recipe: Recipe = RECIPE, folders=photos, **choices) -> Trainer:
        return Trainer(recipe, folders, device="cpu", progress=False, **choices)

    return trainer


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# --- one step -------------------------------------------------------------------------------------


def parameters(g: nn.Module, d: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in (*g.parameters(), *d.parameters())])


def by_hand(
    recipe: Recipe, trainer: Trainer, rgb: Tensor, steps: int
) -> tuple[list[dict[str, float]], Tensor]:
    """The same game in the words of the pix2pix paper, from copies of the trainer's networks: the
    losses of each step, and the parameters in the end."""
    g, d = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.discriminator)
    stage = recipe.stages[0]
    adam_g = torch.optim.Adam(g.parameters(), stage.generator_rate, (0.5, 0.999))
    adam_d = torch.optim.Adam(d.parameters(), stage.discriminator_rate, (0.5, 0.999))
    lab = rgb_to_lab(rgb)
    lightness, true = lab[:, :1] / 50 - 1, lab[:, 1:] / 110
    hinge = recipe.objective.adversarial == "hinge"
    shrink = recipe.discriminator.reduce

    def judge(ab: Tensor) -> Tensor:
        shown = torch.cat([lightness, ab], 1) if recipe.discriminator.conditional else ab
        return d(F.interpolate(shown, scale_factor=1 / shrink, mode="area"))

    rows = []
    for _ in range(steps):
        adam_d.zero_grad()
        with torch.no_grad():
            fake = g(lightness)
        on_real, on_fake = judge(true), judge(fake)
        if hinge:
            loss_d = F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
        else:
            loss_d = -(torch.sigmoid(on_real).log().mean() + (1 - on_fake.sigmoid()).log().mean())
            loss_d = loss_d / 2
        loss_d.backward()
        adam_d.step()

        adam_g.zero_grad()
        fake = g(lightness)
        logits = judge(fake)
        fooled = -logits.mean() if hinge else -torch.sigmoid(logits).log().mean()
        color = (fake - true).abs().mean()
        weight = recipe.objective.adversarial_weight
        (weight * fooled + recipe.objective.color_weight * color).backward()
        adam_g.step()
        rows.append(
            {
                "color": color.item(),
                "generator": fooled.item(),
                "discriminator": loss_d.item(),
                "logit_real": on_real.mean().item(),
                "logit_fake": on_fake.mean().item(),
            }
        )
    return rows, parameters(g, d)


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {
            "objective": {"adversarial": "hinge", "halved": False, "adversarial_weight": 3.0},
            "discriminator": {"conditional": False, "reduce": 2, "norm": "instance"},
        },
    ],
    ids=["pix2pix", "hinge on reduced ab"],
)
def test_the_adversarial_step_equals_the_one_written_out(make, batch, sections: dict) -> None:
    recipe = with_(generator={"dropout": 0.0}, **sections)
    recipe = dataclasses.replace(recipe, stages=recipe.stages[1:])
    trainer = make(recipe)
    trainer.generator.train()
    wanted, after = by_hand(recipe, trainer, batch, steps=4)
    for row in wanted:
        got = {name: value.item() for name, value in trainer.adversarial_step(batch).items()}
        assert got == pytest.approx(row, rel=1e-4, abs=1e-5)
    # Adam moves a weight by the whole rate, whichever sign a gradient near zero happens to have.
    assert (parameters(trainer.generator, trainer.discriminator) - after).abs().mean() < 1e-5
    assert wanted[0]["discriminator"] != pytest.approx(wanted[-1]["discriminator"], rel=1e-3)


def test_the_color_loss_falls_on_a_memorized_batch(make, batch) -> None:
    recipe = with_(generator={"dropout": 0.0, "base": 8})
    recipe = dataclasses.replace(recipe, stages=(Stage("pretrain", 1, 16, 4, 1e-2),))
    trainer = make(recipe)
    losses = [trainer.pretrain_step(batch)["color"].item() for _ in range(80)]
    assert losses[-1] < 0.3 * losses[0]


def test_pretraining_leaves_the_discriminator_alone(make, batch) -> None:
    trainer = make()
    before, generator = weights(trainer.discriminator), weights(trainer.generator)
    assert trainer.pretrain_step(batch).keys() == {"color"}
    assert same(weights(trainer.discriminator), before)
    assert all(p.grad is None for p in trainer.discriminator.parameters())
    assert not same(weights(trainer.generator), generator)


def test_the_generators_loss_does_not_reach_the_discriminator(make, batch) -> None:
    """After the whole step the discriminator still holds the gradient of its own loss alone."""
    trainer = make(with_(generator={"dropout": 0.0}))
    g, d = copy.deepcopy(trainer.generator).train(), copy.deepcopy(trainer.discriminator)
    lightness, ab = trainer._lab(batch)
    real, fake = torch.cat([lightness, ab], 1), torch.cat([lightness, g(lightness).detach()], 1)
    (F.softplus(-d(real)).mean() / 2 + F.softplus(d(fake)).mean() / 2).backward()

    trainer.generator.train()
    trainer.adversarial_step(batch)
    for got, wanted in zip(trainer.discriminator.parameters(), d.parameters(), strict=True):
        assert got.requires_grad
        torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-4, atol=1e-6)


def test_the_discriminators_loss_does_not_reach_the_generator(make, batch) -> None:
    trainer = make(with_(objective={"adversarial_weight": 0.0, "color_weight": 0.0}))
    before = weights(trainer.discriminator)
    trainer.adversarial_step(batch)
    assert not any(p.grad.any() for p in trainer.generator.parameters())
    assert not same(weights(trainer.discriminator), before)


def test_the_perceptual_loss_joins_and_its_encoder_learns_nothing(make, batch) -> None:
    trainer = make(with_(objective={"perceptual_weight": 1.0, "color_weight": 0.0}))
    before = weights(trainer.perceptual)
    rgb = batch.repeat_interleave(2, -1).repeat_interleave(2, -2)  # 32 pixels: the encoder's least
    row = trainer.pretrain_step(rgb)
    assert row.keys() == {"color", "perceptual"} and 0 < row["perceptual"].item() < 10
    assert any(p.grad.any() for p in trainer.generator.parameters())
    assert same(weights(trainer.perceptual), before)


# --- learning rates -------------------------------------------------------------------------------


def test_the_schedule_is_what_its_formula_says() -> None:
    warm = Stage(steps=100, warmup=4)
    assert [schedule(warm, i) for i in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    cosine = Stage(steps=104, warmup=4, schedule="cosine")
    assert [schedule(cosine, i) for i in (0, 3, 4)] == [0.25, 1, 1]
    assert schedule(cosine, 54) == pytest.approx(0.5)
    assert schedule(cosine, 29) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert schedule(cosine, 103) == pytest.approx((math.pi / 100) ** 2 / 4, rel=1e-3)
    falling = [schedule(cosine, i) for i in range(4, 104)]
    assert falling == sorted(falling, reverse=True)
    assert schedule(Stage(steps=1, schedule="cosine"), 0) == 1


def test_every_step_has_its_stages_rates(make) -> None:
    stages = (
        Stage("pretrain", 2, 16, 2, 4e-3, 1e-3, warmup=2),
        Stage("adversarial", 2, 16, 2, 2e-3, 8e-3, schedule="cosine"),
    )
    rates = []
    trainer = make(
        dataclasses.replace(RECIPE, stages=stages),
        on_step=lambda _: rates.append(
            [o.param_groups[0]["lr"] for o in (trainer.optimizer_g, trainer.optimizer_d)]
        ),
    )
    trainer.train()
    wanted = [[2e-3, 0.5e-3], [4e-3, 1e-3], [2e-3, 8e-3], [1e-3, 4e-3]]
    assert np.allclose(rates, wanted, rtol=1e-9)


def test_a_pretrained_encoder_learns_at_its_own_share(make) -> None:
    recipe = with_(
        generator={"kind": "encoder-unet", "widths": (4, 4, 4, 4)},
        optimization={"encoder_rate": 0.25, "weight_decay": 0.01, "betas": (0.8, 0.9)},
    )
    trainer = make(recipe)
    new, known = trainer.optimizer_g.param_groups
    assert (new["lr"], known["lr"]) == pytest.approx((1e-3, 0.25e-3))
    assert new["weight_decay"] == 0.01 and new["betas"] == (0.8, 0.9)
    assert isinstance(trainer.optimizer_g.optimizer, torch.optim.AdamW)
    encoder = {id(p) for p in trainer.generator.encoder.parameters()}
    assert {id(p) for p in known["params"]} == encoder
    both = [id(p) for group in (new, known) for p in group["params"]]
    assert sorted(both) == sorted(id(p) for p in trainer.generator.parameters())


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
    assert same(weights(first.generator), weights(second.generator))
    other = make(dataclasses.replace(CHANCE, seed=1)).train()
    assert other[0]["color"] != first.history[0]["color"]


def test_a_process_that_reads_beside_changes_nothing(make) -> None:
    assert make(CHANCE, workers=1).train() == make(CHANCE).train()


def test_nobody_elses_random_numbers_are_touched(make, photos) -> None:
    def states() -> tuple:
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()

    before = states()
    trainer = make(CHANCE, validation=photos)
    assert states() == before
    trainer.train()
    assert states() == before


# --- precision ------------------------------------------------------------------------------------


def inner_dtypes(trainer: Trainer) -> tuple[set, set]:
    """Fills with the dtypes that come out of a convolution inside each network."""
    seen: tuple[set, set] = (set(), set())
    layers = (trainer.generator.downs[1][1], trainer.discriminator.layers[0])
    for layer, dtypes in zip(layers, seen, strict=True):
        layer.register_forward_hook(lambda _, __, out, dtypes=dtypes: dtypes.add(out.dtype))
    return seen


@pytest.mark.skipif(
    not bf16_is_fast("cpu"), reason="this processor has no bf16 instructions and emulates them"
)
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_bf16_is_used_throughout_the_run(make, photos, tmp_path, average: float) -> None:
    recipe = with_(optimization={"precision": "auto", "average": average})
    trainer = make(recipe, validation=photos, output=tmp_path, sample_every=1)
    seen = inner_dtypes(trainer)
    rows = trainer.train()
    assert seen == ({torch.bfloat16}, {torch.bfloat16})
    assert all(p.dtype == torch.float32 for p in trainer.generator.parameters())
    assert all(math.isfinite(v) for row in rows for v in row.values())
    fp32 = make().train()
    assert rows[0]["color"] == pytest.approx(fp32[0]["color"], rel=0.05)


@pytest.mark.parametrize("fast", [True, False])
def test_auto_asks_the_device(make, batch, monkeypatch, fast: bool) -> None:
    monkeypatch.setattr(training, "bf16_is_fast", lambda device: fast)
    trainer = make(with_(optimization={"precision": "auto"}))
    seen = inner_dtypes(trainer)
    trainer.adversarial_step(batch)
    wanted = {torch.bfloat16 if fast else torch.float32}
    assert seen == (wanted, wanted)


def test_a_second_trainer_does_not_change_the_first_ones_precision(make, batch) -> None:
    first = make()
    second = make(with_(optimization={"precision": "bf16"}))
    seen_first, seen_second = inner_dtypes(first), inner_dtypes(second)
    for trainer in (first, second):
        trainer.adversarial_step(batch)
    assert seen_first == ({torch.float32}, {torch.float32})
    assert seen_second == ({torch.bfloat16}, {torch.bfloat16})


# --- the running average --------------------------------------------------------------------------


def test_the_average_is_the_exponential_one_and_is_what_gets_saved(make, tmp_path) -> None:
    seen: list[dict[str, Tensor]] = []
    trainer = make(
        with_(optimization={"average": 0.75}),
        output=tmp_path,
        on_step=lambda _: seen.append(weights(trainer.generator)),
    )
    trainer.train()
    wanted = seen[0]
    for later in seen[1:]:
        wanted = {k: 0.75 * wanted[k] + 0.25 * later[k] for k in wanted}
    saved = load_weights(tmp_path / "weights.safetensors")[0].state_dict()
    for name, value in saved.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, wanted[name], rtol=1e-5, atol=1e-6)
    assert not same(saved, seen[-1])
    assert same(weights(trainer.best_generator), saved)


# --- what is written ------------------------------------------------------------------------------


def test_history_samples_and_weights_are_written(make, photos, tmp_path) -> None:
    out = tmp_path / "new" / "run"
    recipe = with_(generator={"dropout": 0.0})
    trainer = make(recipe, validation=photos, output=out, sample_every=2)
    history = trainer.train()

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

    assert sorted(p.name for p in out.rglob("*.*")) == [
        "history.csv",
        *("step-000002.png", "step-000004.png", "step-000005.png"),
        *("weights-stage-0.safetensors", "weights-stage-1.safetensors", "weights.safetensors"),
    ]
    loaded, again, notes = load_weights(out / "weights.safetensors")
    assert again == recipe and notes == {"steps_trained": "5"}
    assert same(weights(loaded), weights(trainer.generator))
    assert load_weights(out / "weights-stage-0.safetensors")[2] == {"steps_trained": "2"}


def test_a_sample_grid_shows_gray_ours_and_truth(make, photos, tmp_path) -> None:
    trainer = make(validation=photos, output=tmp_path)
    trainer.train()
    grid = Image.open(tmp_path / "samples" / "step-000005.png")
    assert grid.mode == "RGB" and grid.size == (6 * 16, 3 * 16)
    gray, ours, truth = np.asarray(grid).astype(int).reshape(3, 16, 96, 3)
    assert np.ptp(gray, axis=2).max() <= 1
    photos_ = PhotoFolder(photos, size=16)
    wanted = torch.cat([photos_[i] for i in range(6)], 2).permute(1, 2, 0).numpy()
    assert abs(truth - wanted).max() <= 1
    assert np.ptp(ours, axis=2).max() > 1
    # The number in the history is the plain error of that very picture's ab.
    lightness, ab = trainer._lab(torch.stack([photos_[i] for i in range(6)]))
    with torch.no_grad():
        error = (trainer.best_generator.eval()(lightness) - ab).abs().mean().item()
    assert trainer.history[-1]["held_out"] == pytest.approx(error, rel=1e-5)


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
    Trainer(RECIPE, photos, device="cpu").train()
    shown = capsys.readouterr().err
    assert "test:" in shown and "5/5" in shown and "color=" in shown


# --- runs that end early --------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_weights(
    make, tmp_path
) -> None:
    def poison(row: dict) -> None:
        if row["step"] == 3:
            with torch.no_grad():
                trainer.generator.ups[0][1].weight.fill_(math.nan)

    trainer = make(output=tmp_path, sample_every=2, on_step=poison)
    with pytest.raises(FloatingPointError, match="color loss became nan at step 4.*learning rate"):
        trainer.train()
    assert [row["step"] for row in trainer.history] == [1, 2, 3]
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 3
    kept, _, notes = load_weights(tmp_path / "weights.safetensors")
    assert notes == {"steps_trained": "2"}
    assert all(torch.isfinite(value).all() for value in kept.state_dict().values())


def test_what_on_step_raises_ends_the_run(make, tmp_path) -> None:
    def stop(row: dict) -> None:
        if row["step"] == 2:
            raise KeyboardInterrupt

    state = torch.get_rng_state()
    trainer = make(output=tmp_path, on_step=stop)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert trainer.step == len(trainer.history) == 2
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 2
    assert torch.equal(torch.get_rng_state(), state)


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
    trainer = make(recipe, folders=[photos, tmp_path])
    shown = torch.cat(list(trainer._batches(stages[0])))
    assert shown.shape == (200, 3, 16, 16) and shown.dtype == torch.uint8
    white = (shown == 255).flatten(1).all(1).float().mean().item()
    assert 0.35 < white < 0.65


def test_objectives_and_networks_come_from_the_recipe(make) -> None:
    trainer = make(
        dataclasses.replace(RECIPE, objective=ObjectiveConfig("lsgan", False, color="huber"))
    )
    assert (trainer.adversarial.kind, trainer.adversarial.halved) == ("lsgan", False)
    assert trainer.color.kind == "huber"
    assert trainer.perceptual is None and trainer.average is None
    assert trainer.generator.levels == 3
