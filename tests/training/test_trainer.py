"""One step against the same step written out by hand, on tiny networks and made photos."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from made import HINTED, RECIPE, same, weights, with_
from torch import Tensor, nn

from colorlab import devices, palette
from colorlab.color import rgb_to_lab
from colorlab.hints import simulate
from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.recipe import (
    Recipe,
    Stage,
)
from colorlab.training.seeds import seed_of
from colorlab.training.trainer import Trainer


@pytest.fixture
def make() -> Callable[..., Trainer]:
    def trainer(recipe: Recipe = RECIPE, **choices) -> Trainer:
        return Trainer(recipe, device="cpu", **choices)

    return trainer


# --- one step -------------------------------------------------------------------------------------


def parameters(g: nn.Module, d: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in (*g.parameters(), *d.parameters())])


def by_hand(
    recipe: Recipe, trainer: Trainer, rgb: Tensor, steps: int
) -> tuple[list[dict[str, float]], Tensor]:
    """The step in the words of the pix2pix paper, on copies of the trainer's networks: the losses
    of each step, and the parameters in the end."""
    g, d = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.discriminator)
    stage = recipe.stages[0]
    adam_g = torch.optim.Adam(g.parameters(), stage.generator_rate, (0.5, 0.999))
    adam_d = torch.optim.Adam(d.parameters(), stage.discriminator_rate, (0.5, 0.999))
    lab = rgb_to_lab(rgb)
    lightness, true = lab[:, :1] / 50 - 1, lab[:, 1:] / 110
    hinge = recipe.objective.adversarial == "hinge"
    shrink = recipe.discriminator.reduce

    def discriminate(ab: Tensor) -> Tensor:
        pictures = torch.cat([lightness, ab], 1) if recipe.discriminator.conditional else ab
        return d(F.interpolate(pictures, scale_factor=1 / shrink, mode="area"))

    rows = []
    for _ in range(steps):
        adam_d.zero_grad()
        with torch.no_grad():
            fake = g(lightness)
        on_real, on_fake = discriminate(true), discriminate(fake)
        if hinge:
            loss_d = F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
        else:
            loss_d = -(torch.sigmoid(on_real).log().mean() + (1 - on_fake.sigmoid()).log().mean())
            loss_d = loss_d / 2
        loss_d.backward()
        adam_d.step()

        adam_g.zero_grad()
        fake = g(lightness)
        logits = discriminate(fake)
        adversarial = -logits.mean() if hinge else -torch.sigmoid(logits).log().mean()
        color = (fake - true).abs().mean()
        weight = recipe.objective.adversarial_weight
        (weight * adversarial + recipe.objective.color_weight * color).backward()
        adam_g.step()
        rows.append(
            {
                "color": color.item(),
                "generator": adversarial.item(),
                "discriminator": loss_d.item(),
                "logit_real": on_real.mean().item(),
                "logit_fake": on_fake.mean().item(),
                "accuracy_real": (on_real.sigmoid() > 0.5).double().mean().item(),
                "accuracy_fake": (on_fake.sigmoid() < 0.5).double().mean().item(),
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
        got = {
            name: value.item()
            for name, value in trainer.adversarial_step(*trainer.split(batch)).items()
        }
        assert got == pytest.approx(row, rel=1e-4, abs=1e-5)
    # Adam moves a weight by the whole rate, whichever sign a gradient near zero happens to have.
    assert (parameters(trainer.generator, trainer.discriminator) - after).abs().mean() < 1e-5
    assert wanted[0]["discriminator"] != pytest.approx(wanted[-1]["discriminator"], rel=1e-3)


def test_the_color_loss_falls_on_a_memorized_batch(make, batch) -> None:
    recipe = with_(generator={"dropout": 0.0, "base": 8})
    recipe = dataclasses.replace(recipe, stages=(Stage("pretrain", 1, 16, 4, 1e-2),))
    trainer = make(recipe)
    losses = [trainer.pretrain_step(*trainer.split(batch))["color"].item() for _ in range(80)]
    assert losses[-1] < 0.3 * losses[0]


def test_pretraining_leaves_the_discriminator_alone(make, batch) -> None:
    trainer = make()
    before, generator = weights(trainer.discriminator), weights(trainer.generator)
    assert trainer.pretrain_step(*trainer.split(batch)).keys() == {"color"}
    assert same(weights(trainer.discriminator), before)
    assert all(p.grad is None for p in trainer.discriminator.parameters())
    assert not same(weights(trainer.generator), generator)


def test_the_generators_loss_does_not_reach_the_discriminator(make, batch) -> None:
    """After the whole step the discriminator still holds the gradient of its own loss alone."""
    trainer = make(with_(generator={"dropout": 0.0}))
    g, d = copy.deepcopy(trainer.generator).train(), copy.deepcopy(trainer.discriminator)
    lightness, ab = trainer.split(batch)
    real, fake = torch.cat([lightness, ab], 1), torch.cat([lightness, g(lightness).detach()], 1)
    (F.softplus(-d(real)).mean() / 2 + F.softplus(d(fake)).mean() / 2).backward()

    trainer.generator.train()
    trainer.adversarial_step(*trainer.split(batch))
    for got, wanted in zip(trainer.discriminator.parameters(), d.parameters(), strict=True):
        assert got.requires_grad
        torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-4, atol=1e-6)


def test_the_discriminators_loss_does_not_reach_the_generator(make, batch) -> None:
    trainer = make(with_(objective={"adversarial_weight": 0.0, "color_weight": 0.0}))
    before = weights(trainer.discriminator)
    trainer.adversarial_step(*trainer.split(batch))
    assert not any(p.grad.any() for p in trainer.generator.parameters())
    assert not same(weights(trainer.discriminator), before)


def test_the_perceptual_loss_joins_and_its_encoder_learns_nothing(make, batch) -> None:
    trainer = make(with_(objective={"perceptual_weight": 1.0, "color_weight": 0.0}))
    before = weights(trainer.perceptual)
    rgb = batch.repeat_interleave(2, -1).repeat_interleave(2, -2)  # 32 pixels: the encoder's least
    row = trainer.pretrain_step(*trainer.split(rgb))
    assert row.keys() == {"color", "perceptual"} and 0 < row["perceptual"].item() < 10
    assert any(p.grad.any() for p in trainer.generator.parameters())
    assert same(weights(trainer.perceptual), before)


# --- hints and the palette ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def larger(photos) -> Tensor:
    """Photos of 32 pixels, the least that a pretrained encoder takes."""
    return torch.stack([PhotoFolder(photos, size=32)[i] for i in range(4)])


@pytest.mark.parametrize("rebalance", [True, False])
def test_the_step_with_hints_equals_the_one_written_out(make, larger, rebalance: bool) -> None:
    recipe = with_(
        HINTED,
        objective={"rebalance": rebalance, "palette_weight": 0.5, "color_weight": 3.0},
        optimization={"encoder_rate": 1.0},
    )
    trainer = make(recipe)
    trainer.count_colors(larger)
    net = copy.deepcopy(trainer.generator).train()
    lightness, ab = trainer.split(larger)
    planes = simulate(ab, 0.5, torch.Generator().manual_seed(seed_of(0, 7, 0)))
    assert 0 < planes[:, 2].flatten(1).any(1).sum() < 4  # some photos with, some without
    prediction, logits = net(lightness, planes, both=True)
    weights_ = palette.class_weights(net.frequencies) if rebalance else None
    entropy = palette.cross_entropy(logits, ab, weights_)
    color = (prediction - ab).abs().mean()
    (3 * color + 0.5 * entropy).backward()

    row = trainer.step("pretrain", 7, larger)
    assert row == pytest.approx({"color": color.item(), "palette": entropy.item()}, rel=1e-5)
    for got, wanted in zip(trainer.generator.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-3, atol=1e-5)


def test_rare_colors_count_more_once_they_are_counted(make, larger) -> None:
    rows = {}
    for counted in (False, True):
        trainer = make(HINTED)
        if counted:
            trainer.count_colors(larger)
        rows[counted] = trainer.step("pretrain", 1, larger)
    assert rows[True]["color"] == rows[False]["color"]
    assert rows[True]["palette"] != pytest.approx(rows[False]["palette"], rel=1e-3)


def test_colors_are_counted_on_a_quarter_of_the_size(make, larger) -> None:
    trainer = make(with_(HINTED, optimization={"average": 0.9}))
    torch.testing.assert_close(trainer.generator.frequencies, torch.full((261,), 1 / 261))
    trainer.count_colors(larger)
    _, ab = trainer.split(larger)
    small = ab.unflatten(3, (8, 4)).unflatten(2, (8, 4)).mean((3, 5))
    wanted = palette.encode(small).mean((0, 2, 3))
    for network in (trainer.generator, trainer.best_generator):
        torch.testing.assert_close(network.frequencies, wanted, rtol=1e-4, atol=1e-7)
    trainer.step("pretrain", 1, larger)
    torch.testing.assert_close(trainer.best_generator.frequencies, wanted, rtol=1e-4, atol=1e-7)


def test_hints_have_the_random_numbers_of_their_step(make, larger) -> None:
    before = torch.get_rng_state()
    first, second = make(HINTED), make(HINTED)
    assert first.step("pretrain", 7, larger) == second.step("pretrain", 7, larger)
    first, second = make(HINTED), make(HINTED)
    assert first.step("pretrain", 7, larger) != second.step("pretrain", 8, larger)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_hints_and_palette_it_trains_as_the_others_do(make, larger) -> None:
    trainer = make(with_(HINTED, data={"hinted": 0.0}, objective={"palette_weight": 0.0}))
    assert trainer.step("pretrain", 1, larger).keys() == {"color"}


def test_hints_alone_are_enough_to_train_with(make, larger) -> None:
    trainer = make(with_(HINTED, objective={"palette_weight": 0.0}))
    row = trainer.step("pretrain", 1, larger)
    assert row.keys() == {"color", "palette"}  # measured, though it teaches nothing
    assert not any(p.grad.any() for p in trainer.generator.to_bins.parameters())


def test_both_losses_fall_on_a_memorized_batch(make, larger) -> None:
    stage = Stage("pretrain", 1, 32, 4, 5e-3)
    recipe = with_(HINTED, objective={"palette_weight": 30.0})
    trainer = make(dataclasses.replace(recipe, stages=(stage,)))
    rows = [trainer.step("pretrain", number, larger) for number in range(1, 61)]
    for name in ("color", "palette"):
        assert rows[-1][name] < 0.6 * rows[0][name]


@pytest.mark.parametrize("head", ["ab", "bins"])
def test_a_training_with_hints_goes_on_from_its_state_bit_for_bit(make, larger, head: str) -> None:
    recipe = with_(HINTED, generator={"head": head}, optimization={"average": 0.9})
    whole = make(recipe)
    whole.count_colors(larger)
    whole.step("pretrain", 1, larger)
    tensors, facts = whole.state()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    other = make(recipe)  # its colors are not counted: they come with the state
    other.load_state(tensors, facts)
    for number in (2, 3):
        row = whole.step("adversarial", number, larger)
        assert row.keys() > {"palette", "generator"}
        assert row == other.step("adversarial", number, larger)
    assert same(whole.state()[0], other.state()[0])
    inputs, truth = whole.split(larger)
    assert whole.colorize(inputs).shape == truth.shape


# --- optimizers -----------------------------------------------------------------------------------


def test_a_pretrained_encoder_learns_at_its_own_share(make) -> None:
    recipe = with_(
        generator={"kind": "encoder-unet", "widths": (4, 4, 4, 4)},
        optimization={"encoder_rate": 0.25, "weight_decay": 0.01, "betas": (0.8, 0.9)},
    )
    trainer = make(recipe)
    new, known = trainer.optimizer_g.param_groups
    assert (new["lr"], known["lr"]) == pytest.approx((1e-3, 0.25e-3))
    assert new["weight_decay"] == 0.01 and new["betas"] == (0.8, 0.9)
    assert isinstance(trainer.optimizer_g, torch.optim.AdamW)
    encoder = {id(p) for p in trainer.generator.encoder.parameters()}
    assert {id(p) for p in known["params"]} == encoder
    both = [id(p) for group in (new, known) for p in group["params"]]
    assert sorted(both) == sorted(id(p) for p in trainer.generator.parameters())


# --- precision ------------------------------------------------------------------------------------


def inner_dtypes(trainer: Trainer) -> tuple[set, set]:
    """Fills with the dtypes that come out of a convolution inside each network."""
    seen: tuple[set, set] = (set(), set())
    layers = (trainer.generator.downs[1][1], trainer.discriminator.layers[0])
    for layer, dtypes in zip(layers, seen, strict=True):
        layer.register_forward_hook(lambda _, __, out, dtypes=dtypes: dtypes.add(out.dtype))
    return seen


@pytest.mark.parametrize("fast", [True, False])
def test_auto_asks_the_device(make, batch, monkeypatch, fast: bool) -> None:
    monkeypatch.setattr(devices, "bf16_is_fast", lambda device: fast)
    trainer = make(with_(optimization={"precision": "auto"}))
    seen = inner_dtypes(trainer)
    trainer.adversarial_step(*trainer.split(batch))
    wanted = {torch.bfloat16 if fast else torch.float32}
    assert seen == (wanted, wanted)


def test_a_second_trainer_does_not_change_the_first_ones_precision(make, batch) -> None:
    first = make()
    second = make(with_(optimization={"precision": "bf16"}))
    seen_first, seen_second = inner_dtypes(first), inner_dtypes(second)
    for trainer in (first, second):
        trainer.adversarial_step(*trainer.split(batch))
    assert seen_first == ({torch.float32}, {torch.float32})
    assert seen_second == ({torch.bfloat16}, {torch.bfloat16})


# --- state ----------------------------------------------------------------------------------------

EVERYTHING = with_(
    generator={"dropout": 0.5, "noise_channels": 2},
    discriminator={"spectral": True},
    objective={"diversity_weight": 1.0},
    optimization={"average": 0.9, "weight_decay": 0.01, "precision": "auto"},
)


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_training_goes_on_from_its_state_bit_for_bit(make, batch, precision: str) -> None:
    recipe = with_(EVERYTHING, optimization={"precision": precision})

    def play(trainer: Trainer, steps: range) -> list[dict[str, float]]:
        return [trainer.step("adversarial", number, batch) for number in steps]

    whole = make(recipe)
    play(whole, range(1, 4))
    tensors, facts = whole.state()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}  # as a file would be
    other = make(dataclasses.replace(recipe, seed=1))
    other.recipe = recipe
    other.load_state(tensors, facts)
    assert play(whole, range(4, 7)) == play(other, range(4, 7))
    assert same(whole.state()[0], other.state()[0])
    for optimizer in (other.optimizer_g, other.optimizer_d):
        for parameter, state in optimizer.state.items():
            assert state["exp_avg"].stride() == parameter.stride()


def test_a_state_of_another_network_is_refused(make) -> None:
    tensors, facts = make().state()
    with pytest.raises(
        ValueError, match="the generator does not fit this recipe's: .*size mismatch"
    ):
        make(with_(generator={"base": 8})).load_state(tensors, facts)


def test_a_step_has_the_random_numbers_of_its_number(make, batch) -> None:
    before = torch.get_rng_state()
    first, second = make(EVERYTHING), make(EVERYTHING)
    torch.rand(3)  # what others draw meanwhile
    assert first.step("pretrain", 7, batch) == second.step("pretrain", 7, batch)
    first, second = make(EVERYTHING), make(EVERYTHING)
    assert first.step("pretrain", 7, batch) != second.step("pretrain", 8, batch)
    torch.set_rng_state(before)
    make(EVERYTHING).step("adversarial", 1, batch)
    assert torch.equal(torch.get_rng_state(), before)


# --- other forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds", "channels"), [("rgb", 3), ("gray+rgb", 4), ("lab8", 3)], ids=lambda v: str(v)
)
@pytest.mark.parametrize("predicts", ["ab", "rgb"])
def test_every_form_of_photos_trains_every_generator(make, holds, channels, predicts) -> None:
    trainer = make(with_(generator={"predicts": predicts, "dropout": 0.0}), holds=holds)
    random = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (4, channels, 16, 16), generator=random, dtype=torch.uint8)
    losses = [trainer.step("adversarial", number, batch) for number in range(1, 30)]
    assert losses[-1]["color"] < losses[0]["color"]
    inputs, truth = trainer.split(batch)
    assert trainer.colorize(inputs).shape == truth.shape
    assert trainer.picture(inputs, truth).shape == (4, 3, 16, 16)


def test_the_reward_for_diversity_drives_colorings_apart(make, batch) -> None:
    recipe = with_(generator={"dropout": 0.0, "noise_channels": 4}, objective={"color_weight": 5.0})
    apart = {}
    for weight in (0.0, 50.0):
        trainer = make(with_(recipe, objective={"diversity_weight": weight}))
        for number in range(1, 80):
            row = trainer.step("pretrain", number, batch)
        assert ("diversity" in row) == bool(weight)
        inputs, _ = trainer.split(batch)
        apart[weight] = (
            (trainer.colorize(inputs, 1) - trainer.colorize(inputs, 2)).abs().mean().item()
        )
    assert apart[50.0] > 2 * apart[0.0]


def test_synchronized_batch_norm_needs_gpus(make) -> None:
    with pytest.raises(ValueError, match="sync_batch_norm needs GPUs"):
        make(with_(optimization={"sync_batch_norm": True}))
