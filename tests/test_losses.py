"""The losses against torch's own, plain numpy, and numbers worked out by hand, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from colorlab.encoders import EfficientNetLite0
from colorlab.losses import (
    ADVERSARIAL,
    COLOR_KINDS,
    AdversarialLoss,
    ColorLoss,
    DiversityLoss,
    PerceptualLoss,
)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(value: Tensor, wanted: float | Tensor) -> bool:
    assert value.shape == ()
    return float(value) == pytest.approx(float(wanted), rel=1e-12, abs=1e-14)


# --- adversarial ----------------------------------------------------------------------------------

REAL, FAKE = random(2, 1, 3, 4, seed=1) * 3, random(2, 1, 3, 4, seed=2) * 3


def test_bce_is_torchs_with_labels_of_one_and_zero() -> None:
    bce = F.binary_cross_entropy_with_logits
    loss = AdversarialLoss("bce", halved=False)
    wanted = bce(REAL, torch.ones_like(REAL)) + bce(FAKE, torch.zeros_like(FAKE))
    assert close(loss.discriminator(REAL, FAKE), wanted)
    assert close(loss.generator(FAKE), bce(FAKE, torch.ones_like(FAKE)))


def test_lsgan_is_torchs_squared_error_with_labels_of_one_and_zero() -> None:
    loss = AdversarialLoss("lsgan", halved=False)
    wanted = F.mse_loss(REAL, torch.ones_like(REAL)) + F.mse_loss(FAKE, torch.zeros_like(FAKE))
    assert close(loss.discriminator(REAL, FAKE), wanted)
    assert close(loss.generator(FAKE), F.mse_loss(FAKE, torch.ones_like(FAKE)))


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        # real logits 2 and 0, fake logits -3 and 1
        ("bce", (math.log1p(math.exp(-2)) + math.log(2)) / 2
         + (math.log1p(math.exp(-3)) + math.log1p(math.e)) / 2,
         (math.log1p(math.exp(3)) + math.log1p(math.exp(-1))) / 2),
        ("lsgan", (1 + 1) / 2 + (9 + 1) / 2, (16 + 0) / 2),
        ("hinge", (0 + 1) / 2 + (0 + 2) / 2, (3 - 1) / 2),
    ],
)  # fmt: skip
def test_values_worked_out_by_hand(kind: str, discriminator: float, generator: float) -> None:
    real, fake = torch.tensor([2.0, 0.0]).double(), torch.tensor([-3.0, 1.0]).double()
    assert close(AdversarialLoss(kind, False).discriminator(real, fake), discriminator)
    assert close(AdversarialLoss(kind, True).discriminator(real, fake), discriminator / 2)
    for halved in (True, False):  # only the discriminator is slowed
        assert close(AdversarialLoss(kind, halved).generator(fake), generator)


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_extreme_logits_stay_finite_and_the_generator_can_still_learn(kind: str) -> None:
    loss = AdversarialLoss(kind)
    far = torch.tensor([-1e4, 1e4], requires_grad=True)
    total = loss.discriminator(far, far) + loss.generator(far)
    assert torch.isfinite(total) and torch.isfinite(torch.autograd.grad(total, far)[0]).all()
    # Seen through, the generator is still pulled upward: the loss does not saturate.
    seen_through = torch.tensor([-50.0], requires_grad=True)
    assert torch.autograd.grad(loss.generator(seen_through), seen_through)[0] <= -0.99


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_the_gradients_are_those_of_finite_differences(kind: str) -> None:
    loss, real, fake = AdversarialLoss(kind), REAL.clone(), FAKE.clone()
    assert torch.autograd.gradcheck(
        loss.discriminator, (real.requires_grad_(), fake.requires_grad_())
    )
    assert torch.autograd.gradcheck(loss.generator, (fake,))


@given(st.sampled_from(["bce", "hinge"]), st.floats(-5, 5), st.floats(0.1, 3))
def test_each_network_has_a_lower_loss_when_it_is_better(
    kind: str, logit: float, more: float
) -> None:
    """Not so for squares, which punish being too sure as well."""
    loss, low, high = AdversarialLoss(kind), torch.tensor([logit]), torch.tensor([logit + more])
    assert loss.discriminator(real=high, fake=low) <= loss.discriminator(real=low, fake=high)
    assert loss.generator(high) <= loss.generator(low)


# --- color ----------------------------------------------------------------------------------------

TRUE, PREDICTED = random(2, 2, 3, 4, seed=3) * 0.4, random(2, 2, 3, 4, seed=4) * 0.4


def by_loops(kind: str, chroma_weight: float, delta: float) -> float:
    """Pixel by pixel in numpy."""
    predicted, true = PREDICTED.numpy(), TRUE.numpy()
    total = weights = 0.0
    for b, y, x in np.ndindex(2, 3, 4):
        weight = 1 + chroma_weight * math.hypot(true[b, 0, y, x], true[b, 1, y, x])
        for c in range(2):
            e = abs(predicted[b, c, y, x] - true[b, c, y, x])
            huber = e * e / 2 if e <= delta else delta * (e - delta / 2)
            total += weight * {"l1": e, "l2": e * e, "huber": huber}[kind]
            weights += weight
    return total / weights


@pytest.mark.parametrize("chroma_weight", [0.0, 2.5])
@pytest.mark.parametrize("kind", COLOR_KINDS)
def test_color_losses_equal_a_loop_over_pixels(kind: str, chroma_weight: float) -> None:
    loss = ColorLoss(kind, chroma_weight, delta=0.2)
    assert close(loss(PREDICTED, TRUE), by_loops(kind, chroma_weight, 0.2))


def test_plain_color_losses_are_torchs() -> None:
    assert close(ColorLoss("l1")(PREDICTED, TRUE), F.l1_loss(PREDICTED, TRUE))
    assert close(ColorLoss("l2")(PREDICTED, TRUE), F.mse_loss(PREDICTED, TRUE))
    wanted = F.huber_loss(PREDICTED, TRUE, delta=0.1)
    assert close(ColorLoss("huber", delta=0.1)(PREDICTED, TRUE), wanted)


@given(st.floats(0, 20), st.floats(0.01, 1))
def test_an_error_that_is_the_same_everywhere_weighs_the_same_for_any_weight(
    chroma_weight: float, error: float
) -> None:
    loss = ColorLoss("l1", chroma_weight)
    assert float(loss(TRUE + error, TRUE)) == pytest.approx(error, rel=1e-9)


def test_errors_on_colorful_pixels_weigh_more() -> None:
    true = torch.zeros(1, 2, 1, 2)
    true[0, :, 0, 0] = torch.tensor([0.6, 0.8])  # chroma 1; its neighbor is gray
    on_colorful, on_gray = true.clone(), true.clone()
    on_colorful[..., 0] += 0.1
    on_gray[..., 1] += 0.1
    weighted = ColorLoss("l1", chroma_weight=3.0)
    # weights 4 and 1: shares of 4/5 and 1/5 of the error
    assert float(weighted(on_colorful, true)) == pytest.approx(0.08, rel=1e-6)
    assert float(weighted(on_gray, true)) == pytest.approx(0.02, rel=1e-6)


@pytest.mark.parametrize("kind", COLOR_KINDS)
def test_color_gradients_are_those_of_finite_differences(kind: str) -> None:
    loss = ColorLoss(kind, 1.5)
    assert torch.autograd.gradcheck(
        lambda ab: loss(ab, TRUE), (PREDICTED.clone().requires_grad_(),)
    )


def test_a_gray_truth_has_finite_gradients() -> None:
    ab = PREDICTED.clone().requires_grad_()
    ColorLoss("l1", 2.0)(ab, torch.zeros_like(TRUE)).backward()
    assert torch.isfinite(ab.grad).all() and ab.grad.any()


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2, 3, 4\) and \(1, 2, 3, 4\)"):
        ColorLoss()(PREDICTED, TRUE[:1])


def test_unknown_kinds_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="'wgan'; choose from bce, lsgan, hinge"):
        AdversarialLoss("wgan")
    with pytest.raises(ValueError, match="'l3'; choose from l1, l2, huber"):
        ColorLoss("l3")


# --- perceptual -----------------------------------------------------------------------------------


class TwoScales(nn.Module):
    """Features that can be worked out by hand: the picture doubled, and its mean."""

    def forward(self, rgb: Tensor) -> list[Tensor]:
        return [2 * rgb, rgb.mean((2, 3), keepdim=True)]


def test_perceptual_values_worked_out_by_hand() -> None:
    true = torch.full((1, 3, 2, 2), 0.5, dtype=torch.float64)
    predicted = true.clone()
    predicted[:, :, 0, 0] += 0.2
    # Scale 0: mean |2 · 0.2| over one pixel of four = 0.1, on features of mean size 1.
    # Scale 1: the mean moved by 0.05, on features of mean size 0.5.
    assert close(PerceptualLoss(TwoScales(), (0,))(predicted, true), 0.1)
    assert close(PerceptualLoss(TwoScales(), (1,))(predicted, true), 0.1)
    true *= 0.5
    assert close(PerceptualLoss(TwoScales(), (0, 1))(true + 0.05, true), (0.2 + 0.2) / 2)


@pytest.fixture(scope="module")
def perceptual() -> PerceptualLoss:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PerceptualLoss(EfficientNetLite0(pretrained=False))


def test_equal_pictures_cost_nothing_and_others_do(perceptual: PerceptualLoss) -> None:
    a, b = (torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(i)) for i in (0, 1))
    assert perceptual(a, a.clone()).item() == 0
    assert perceptual(a, b).item() > 0.01


def test_the_gradient_reaches_the_prediction_and_nothing_else(perceptual: PerceptualLoss) -> None:
    predicted = torch.rand(1, 3, 32, 32, requires_grad=True)
    true = torch.rand(1, 3, 32, 32, requires_grad=True)
    perceptual(predicted, true).backward()
    assert torch.isfinite(predicted.grad).all() and predicted.grad.any()
    assert true.grad is None
    assert all(p.grad is None and not p.requires_grad for p in perceptual.parameters())


def test_it_stays_in_eval_mode_and_learns_nothing_from_what_it_sees(
    perceptual: PerceptualLoss,
) -> None:
    before = {name: value.clone() for name, value in perceptual.state_dict().items()}
    holder = nn.ModuleList([perceptual]).train()
    assert holder.training and not any(m.training for m in perceptual.modules())
    perceptual(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32))
    assert all(torch.equal(before[name], v) for name, v in perceptual.state_dict().items())


# --- diversity ------------------------------------------------------------------------------------


def test_diversity_worked_out_by_hand() -> None:
    zeros, noise = torch.zeros(2, 1, 1, 2), torch.zeros(2, 2)
    other = torch.tensor([[1.0, 3.0], [4.0, 4.0]])  # mean distances of the noise: 2, 4
    second = torch.tensor([[[[0.1, 0.3]]], [[[8.0, 8.0]]]])  # of the colors: 0.2, 8
    got = DiversityLoss(bound=0.5)(zeros, second, noise, other)
    assert float(got) == pytest.approx(-(0.1 + 0.5) / 2)


def test_noise_that_changes_nothing_earns_nothing() -> None:
    same, noise = random(2, 2, 4, 4), random(2, 3, seed=1)
    assert float(DiversityLoss()(same, same, noise, noise + 1)) == 0


def test_noise_that_is_the_same_does_not_divide_by_zero() -> None:
    noise = random(2, 3)
    got = DiversityLoss()(random(2, 2, 4, 4), random(2, 2, 4, 4, seed=1), noise, noise)
    assert torch.isfinite(got)


def test_beyond_the_bound_there_is_nothing_to_gain() -> None:
    first = torch.zeros(1, 1, 1, 1, requires_grad=True)
    noise = torch.zeros(1, 1)
    near, far = torch.full((1, 1, 1, 1), 0.05), torch.full((1, 1, 1, 1), 0.5)
    for second, gradient in ((near, 1.0), (far, 0.0)):
        DiversityLoss(bound=0.1)(first, second, noise, noise + 1).backward()
        assert first.grad.item() == pytest.approx(gradient)
        first.grad = None
