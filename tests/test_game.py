"""One step against the same step written out by hand, on tiny networks and made photos."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from made import RECIPE, same, weights, with_
from torch import Tensor, nn

from colorlab import devices
from colorlab.color import rgb_to_lab
from colorlab.game import Game
from colorlab.recipes import (
    Recipe,
    Stage,
)


@pytest.fixture
def make() -> Callable[..., Game]:
    def game(recipe: Recipe = RECIPE, **choices) -> Game:
        return Game(recipe, device="cpu", **choices)

    return game


# --- one step -------------------------------------------------------------------------------------


def parameters(g: nn.Module, d: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in (*g.parameters(), *d.parameters())])


def by_hand(
    recipe: Recipe, game: Game, rgb: Tensor, steps: int
) -> tuple[list[dict[str, float]], Tensor]:
    """The same game in the words of the pix2pix paper, from copies of the game's networks: the
    losses of each step, and the parameters in the end."""
    g, d = copy.deepcopy(game.generator), copy.deepcopy(game.discriminator)
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
    game = make(recipe)
    game.generator.train()
    wanted, after = by_hand(recipe, game, batch, steps=4)
    for row in wanted:
        got = {name: value.item() for name, value in game.adversarial_step(batch).items()}
        assert got == pytest.approx(row, rel=1e-4, abs=1e-5)
    # Adam moves a weight by the whole rate, whichever sign a gradient near zero happens to have.
    assert (parameters(game.generator, game.discriminator) - after).abs().mean() < 1e-5
    assert wanted[0]["discriminator"] != pytest.approx(wanted[-1]["discriminator"], rel=1e-3)


def test_the_color_loss_falls_on_a_memorized_batch(make, batch) -> None:
    recipe = with_(generator={"dropout": 0.0, "base": 8})
    recipe = dataclasses.replace(recipe, stages=(Stage("pretrain", 1, 16, 4, 1e-2),))
    game = make(recipe)
    losses = [game.pretrain_step(batch)["color"].item() for _ in range(80)]
    assert losses[-1] < 0.3 * losses[0]


def test_pretraining_leaves_the_discriminator_alone(make, batch) -> None:
    game = make()
    before, generator = weights(game.discriminator), weights(game.generator)
    assert game.pretrain_step(batch).keys() == {"color"}
    assert same(weights(game.discriminator), before)
    assert all(p.grad is None for p in game.discriminator.parameters())
    assert not same(weights(game.generator), generator)


def test_the_generators_loss_does_not_reach_the_discriminator(make, batch) -> None:
    """After the whole step the discriminator still holds the gradient of its own loss alone."""
    game = make(with_(generator={"dropout": 0.0}))
    g, d = copy.deepcopy(game.generator).train(), copy.deepcopy(game.discriminator)
    lightness, ab = game.split(batch)
    real, fake = torch.cat([lightness, ab], 1), torch.cat([lightness, g(lightness).detach()], 1)
    (F.softplus(-d(real)).mean() / 2 + F.softplus(d(fake)).mean() / 2).backward()

    game.generator.train()
    game.adversarial_step(batch)
    for got, wanted in zip(game.discriminator.parameters(), d.parameters(), strict=True):
        assert got.requires_grad
        torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-4, atol=1e-6)


def test_the_discriminators_loss_does_not_reach_the_generator(make, batch) -> None:
    game = make(with_(objective={"adversarial_weight": 0.0, "color_weight": 0.0}))
    before = weights(game.discriminator)
    game.adversarial_step(batch)
    assert not any(p.grad.any() for p in game.generator.parameters())
    assert not same(weights(game.discriminator), before)


def test_the_perceptual_loss_joins_and_its_encoder_learns_nothing(make, batch) -> None:
    game = make(with_(objective={"perceptual_weight": 1.0, "color_weight": 0.0}))
    before = weights(game.perceptual)
    rgb = batch.repeat_interleave(2, -1).repeat_interleave(2, -2)  # 32 pixels: the encoder's least
    row = game.pretrain_step(rgb)
    assert row.keys() == {"color", "perceptual"} and 0 < row["perceptual"].item() < 10
    assert any(p.grad.any() for p in game.generator.parameters())
    assert same(weights(game.perceptual), before)


# --- optimizers -----------------------------------------------------------------------------------


def test_a_pretrained_encoder_learns_at_its_own_share(make) -> None:
    recipe = with_(
        generator={"kind": "encoder-unet", "widths": (4, 4, 4, 4)},
        optimization={"encoder_rate": 0.25, "weight_decay": 0.01, "betas": (0.8, 0.9)},
    )
    game = make(recipe)
    new, known = game.optimizer_g.param_groups
    assert (new["lr"], known["lr"]) == pytest.approx((1e-3, 0.25e-3))
    assert new["weight_decay"] == 0.01 and new["betas"] == (0.8, 0.9)
    assert isinstance(game.optimizer_g, torch.optim.AdamW)
    encoder = {id(p) for p in game.generator.encoder.parameters()}
    assert {id(p) for p in known["params"]} == encoder
    both = [id(p) for group in (new, known) for p in group["params"]]
    assert sorted(both) == sorted(id(p) for p in game.generator.parameters())


# --- precision ------------------------------------------------------------------------------------


def inner_dtypes(game: Game) -> tuple[set, set]:
    """Fills with the dtypes that come out of a convolution inside each network."""
    seen: tuple[set, set] = (set(), set())
    layers = (game.generator.downs[1][1], game.discriminator.layers[0])
    for layer, dtypes in zip(layers, seen, strict=True):
        layer.register_forward_hook(lambda _, __, out, dtypes=dtypes: dtypes.add(out.dtype))
    return seen


@pytest.mark.parametrize("fast", [True, False])
def test_auto_asks_the_device(make, batch, monkeypatch, fast: bool) -> None:
    monkeypatch.setattr(devices, "bf16_is_fast", lambda device: fast)
    game = make(with_(optimization={"precision": "auto"}))
    seen = inner_dtypes(game)
    game.adversarial_step(batch)
    wanted = {torch.bfloat16 if fast else torch.float32}
    assert seen == (wanted, wanted)


def test_a_second_game_does_not_change_the_first_ones_precision(make, batch) -> None:
    first = make()
    second = make(with_(optimization={"precision": "bf16"}))
    seen_first, seen_second = inner_dtypes(first), inner_dtypes(second)
    for game in (first, second):
        game.adversarial_step(batch)
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
def test_a_game_goes_on_from_its_state_bit_for_bit(make, batch, precision: str) -> None:
    recipe = with_(EVERYTHING, optimization={"precision": precision})

    def play(game: Game, steps: range) -> list[dict[str, float]]:
        return [game.step("adversarial", number, batch) for number in steps]

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
    game = make(with_(generator={"predicts": predicts, "dropout": 0.0}), holds=holds)
    random = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (4, channels, 16, 16), generator=random, dtype=torch.uint8)
    losses = [game.step("adversarial", number, batch) for number in range(1, 30)]
    assert losses[-1]["color"] < losses[0]["color"]
    given, truth = game.split(batch)
    assert game.colorize(given).shape == truth.shape
    assert game.picture(given, truth).shape == (4, 3, 16, 16)


def test_the_reward_for_diversity_drives_colorings_apart(make, batch) -> None:
    recipe = with_(generator={"dropout": 0.0, "noise_channels": 4}, objective={"color_weight": 5.0})
    apart = {}
    for weight in (0.0, 50.0):
        game = make(with_(recipe, objective={"diversity_weight": weight}))
        for number in range(1, 80):
            row = game.step("pretrain", number, batch)
        assert ("diversity" in row) == bool(weight)
        given, _ = game.split(batch)
        apart[weight] = (game.colorize(given, 1) - game.colorize(given, 2)).abs().mean().item()
    assert apart[50.0] > 2 * apart[0.0]


def test_synchronized_batch_norm_needs_gpus(make) -> None:
    with pytest.raises(ValueError, match="sync_batch_norm needs GPUs"):
        make(with_(optimization={"sync_batch_norm": True}))
