"""Colors as distributions against scikit-image, numpy in float64 and torch's own cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab
from torch import Tensor

from colorlab import palette
from colorlab.color import rgb_to_lab
from colorlab.palette import (
    COUNT,
    Suggestion,
    annealed_mean,
    bins,
    class_weights,
    cross_entropy,
    encode,
    frequencies,
    mode,
    nearest,
    to_color,
    top_colors,
)

CENTERS = bins().double().numpy()


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def colors(*shape: int, seed: int = 0) -> Tensor:
    """ab of random sRGB colors in [-1, 1], ``(B, 2, H, W)`` for a shape ``(B, H, W)``."""
    batch, height, width = shape
    rgb = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))
    return rgb_to_lab(rgb)[:, 1:] / 110


def encoded_by_hand(ab: Tensor) -> np.ndarray:
    """``encode`` a pixel at a time in float64: sort all distances, keep five, weigh them."""
    batch, _, height, width = ab.shape
    shares = np.zeros((batch, COUNT, height, width))
    for b, y, x in np.ndindex(batch, height, width):
        distance = np.hypot(*(CENTERS - ab[b, :, y, x].double().numpy() * 110).T)
        five = np.argsort(distance)[:5]
        gaussian = np.exp(-(distance[five] ** 2) / (2 * 5.0**2))
        shares[b, five, y, x] = gaussian / gaussian.sum()
    return shares


def at(*places: tuple[float, float]) -> list[int]:
    """The numbers of the bins with these centers."""
    found = [np.flatnonzero(np.equal(CENTERS, place).all(1)) for place in places]
    assert all(len(one) == 1 for one in found)
    return [int(one[0]) for one in found]


def distribution(shares: dict[tuple[float, float], float]) -> Tensor:
    """Logits of the given shares, a thousandth of a percent left for all others."""
    chances = torch.full((COUNT,), 1e-8)
    chances[at(*shares)] = torch.tensor(list(shares.values()))
    return chances.log()


# --- the bins -------------------------------------------------------------------------------------


def test_the_bins_are_those_that_scikit_image_finds_on_the_same_lattice() -> None:
    side = np.linspace(0, 1, 48)
    rgb = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(1, -1, 3)
    wanted = np.unique(np.round(rgb2lab(rgb)[0, :, 1:] / 10), axis=0) * 10
    assert len(wanted) == COUNT == 261
    assert {tuple(one) for one in CENTERS} == {tuple(one) for one in wanted}


def test_the_bins_are_sorted_and_hold_gray() -> None:
    assert CENTERS.shape == (261, 2)
    assert [tuple(one) for one in CENTERS] == sorted(tuple(one) for one in CENTERS)
    at((0, 0))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_color_has_a_bin_near(color: tuple[int, int, int]) -> None:
    """Within a cell's half diagonal or, where the lattice missed the cell, a little beyond."""
    ab = rgb_to_lab(torch.tensor(color, dtype=torch.uint8)[:, None, None])[1:, 0, 0].numpy()
    assert np.hypot(*(CENTERS - ab).T).min() < 50**0.5 + 1


# --- a color as shares of bins --------------------------------------------------------------------


def test_encode_equals_the_one_written_out_in_float64() -> None:
    ab = colors(2, 5, 7)
    shares = encode(ab)
    assert shares.shape == (2, 261, 5, 7)
    np.testing.assert_allclose(shares.numpy(), encoded_by_hand(ab), rtol=0, atol=2e-5)


def test_shares_sum_to_one_and_five_bins_have_them() -> None:
    shares = encode(colors(3, 8, 8, seed=1))
    assert shares.min() == 0
    torch.testing.assert_close(shares.sum(1), torch.ones(3, 8, 8))
    assert set((shares > 0).sum(1).unique().tolist()) <= {3, 4, 5}  # far ones may be rounded off


def test_the_nearest_bin_comes_first_and_has_the_most() -> None:
    ab = colors(2, 6, 6, seed=2)
    where, shares = nearest(ab)
    assert where.shape == shares.shape == (2, 6, 6, 5)
    assert (shares.diff(dim=-1) <= 0).all()
    assert torch.equal(where[..., 0], encode(ab).argmax(1))


def test_a_color_in_the_middle_of_a_bin_by_hand() -> None:
    """Its own bin at distance 0, four at distance 10: e⁰ and four times e⁻²."""
    whole = 1 + 4 * np.exp(-2)
    wanted = torch.zeros(COUNT)
    wanted[at((0, 0))] = 1 / whole
    wanted[at((10, 0), (-10, 0), (0, 10), (0, -10))] = np.exp(-2) / whole
    got = encode(torch.zeros(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-7)


def test_a_color_comes_back_from_its_shares() -> None:
    """A Gaussian cut off at five neighbors moves a color by less than a unit; at the gamut's edge,
    where the neighbors lie on one side, by less than half a bin."""
    ab = colors(4, 32, 32, seed=3)
    back = annealed_mean(encode(ab).log(), temperature=1)
    error = (back - ab).mul(110).norm(dim=1)
    inner = (ab * 110).norm(dim=1) < 30
    assert inner.sum() > 500
    assert error[inner].max() < 1 and error.mean() < 0.4
    assert error.max() < 5


def test_frequencies_are_the_mean_shares() -> None:
    ab = colors(2, 5, 7)
    found = frequencies(ab)
    wanted = encoded_by_hand(ab).mean((0, 2, 3))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-6)
    assert found.sum().item() == pytest.approx(1, abs=1e-5)


# --- weights of rare colors -----------------------------------------------------------------------


@pytest.mark.parametrize("uniform", [0.5, 0.1, 1.0])
def test_class_weights_are_equation_4(uniform: float) -> None:
    frequency = torch.softmax(random(COUNT) * 3, 0)
    p = frequency.double().numpy()
    raw = ((1 - uniform) * p + uniform / 261) ** -1
    wanted = raw / (p * raw).sum()
    got = class_weights(frequency, uniform)
    np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-5)
    assert (got * frequency).sum().item() == pytest.approx(1, abs=1e-5)  # the mean of a pixel


def test_class_weights_of_two_colors_by_hand() -> None:
    """p = (1, 0), λ = ½, Q = 2: w ∝ (4/3, 4), and the mean of p · w is to be 1."""
    torch.testing.assert_close(class_weights(torch.tensor([1.0, 0.0])), torch.tensor([1.0, 3.0]))


def test_rare_colors_weigh_more_and_none_infinitely() -> None:
    frequency = frequencies(colors(1, 16, 16))
    weights = class_weights(frequency)
    order = frequency.argsort()
    assert (frequency == 0).any() and torch.isfinite(weights).all()
    assert (weights[order].diff() <= 1e-6).all()
    torch.testing.assert_close(class_weights(frequency, 1), torch.ones(COUNT))


@pytest.mark.parametrize("uniform", [0, -0.5, 1.01, float("nan")])
def test_a_share_of_the_uniform_distribution_is_between_0_and_1(uniform: float) -> None:
    with pytest.raises(ValueError, match=r"uniform is the share .* in \(0, 1\]: "):
        class_weights(torch.full((COUNT,), 1 / COUNT), uniform)


# --- the loss -------------------------------------------------------------------------------------


def test_cross_entropy_is_torchs_with_the_shares_as_targets() -> None:
    logits, ab = random(2, COUNT, 4, 6), colors(2, 4, 6)
    targets = torch.from_numpy(encoded_by_hand(ab))
    wanted = F.cross_entropy(logits.double(), targets)
    assert cross_entropy(logits, ab).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_pixel_has_the_weight_of_its_likeliest_bin() -> None:
    logits, ab = random(2, COUNT, 4, 6), colors(2, 4, 6)
    weights = torch.rand(COUNT, generator=torch.Generator().manual_seed(1)) * 5
    targets = torch.from_numpy(encoded_by_hand(ab))
    of_pixels = F.cross_entropy(logits.double(), targets, reduction="none")
    wanted = (of_pixels * weights.double()[targets.argmax(1)]).mean()
    assert cross_entropy(logits, ab, weights).item() == pytest.approx(wanted.item(), rel=1e-5)
    plain = cross_entropy(logits, ab)
    torch.testing.assert_close(cross_entropy(logits, ab, torch.ones(COUNT)), plain)
    assert not torch.isclose(cross_entropy(logits, ab, weights), plain)


def test_the_truth_is_averaged_down_to_the_logits() -> None:
    logits, ab = random(2, COUNT, 2, 3), colors(2, 8, 12)
    small = ab.unflatten(3, (3, 4)).unflatten(2, (2, 4)).mean((3, 5))
    torch.testing.assert_close(cross_entropy(logits, ab), cross_entropy(logits, small))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_softmax_less_the_shares(weighted: bool) -> None:
    """∂/∂z of −Σ t log softmax(z) is softmax(z) − t, each pixel by its weight, by their number."""
    logits, ab = random(2, COUNT, 3, 3).requires_grad_(), colors(2, 3, 3)
    weights = torch.rand(COUNT, generator=torch.Generator().manual_seed(1)) if weighted else None
    cross_entropy(logits, ab, weights).backward()
    targets = torch.from_numpy(encoded_by_hand(ab))
    wanted = (logits.detach().double().softmax(1) - targets) / (2 * 3 * 3)
    if weighted:
        wanted = wanted * weights.double()[targets.argmax(1)][:, None]
    torch.testing.assert_close(logits.grad.double(), wanted, rtol=0, atol=1e-6)


def test_cross_entropy_is_lowest_at_the_truth() -> None:
    ab = colors(1, 4, 4)
    shares = torch.from_numpy(encoded_by_hand(ab))
    entropy = -(shares * shares.clamp_min(1e-300).log()).sum(1).mean().item()
    truth = shares.clamp_min(1e-30).log().float()
    assert cross_entropy(truth, ab).item() == pytest.approx(entropy, rel=1e-4)
    assert cross_entropy(truth + 0.1 * random(*truth.shape), ab).item() > entropy


def test_half_precision_and_any_layout_give_the_same_loss() -> None:
    logits, ab = random(2, COUNT, 4, 4), colors(2, 4, 4)
    half = logits.bfloat16()
    assert cross_entropy(half, ab).dtype == torch.float32
    torch.testing.assert_close(cross_entropy(half, ab), cross_entropy(half.float(), ab))
    last = logits.to(memory_format=torch.channels_last)
    torch.testing.assert_close(cross_entropy(last, ab), cross_entropy(logits, ab))


# --- back to one color ----------------------------------------------------------------------------


def annealed_by_hand(logits: Tensor, temperature: float) -> np.ndarray:
    """Equation 5 as it is printed: exp(log z / T) over its sum, z the softmax of the logits."""
    z = logits.double().softmax(1).numpy()
    sharp = np.exp(np.log(z) / temperature)
    sharp /= sharp.sum(1, keepdims=True)
    return np.einsum("bqhw,qc->bchw", sharp, CENTERS) / 110


@pytest.mark.parametrize("temperature", [0.1, 0.38, 0.7])
def test_the_annealed_mean_is_equation_5(temperature: float) -> None:
    logits = random(2, COUNT, 3, 5) * 3
    got = annealed_mean(logits, temperature)
    assert got.shape == (2, 2, 3, 5)
    wanted = annealed_by_hand(logits, temperature)
    np.testing.assert_allclose(got.numpy(), wanted, rtol=0, atol=1e-5)


def test_the_temperature_is_that_of_the_paper_when_none_is_given() -> None:
    logits = random(1, COUNT, 2, 2)
    assert palette.TEMPERATURE == 0.38
    assert torch.equal(annealed_mean(logits), annealed_mean(logits, 0.38))


def test_temperature_1_is_the_mean() -> None:
    logits = random(2, COUNT, 3, 5)
    mean = np.einsum("bqhw,qc->bchw", logits.double().softmax(1).numpy(), CENTERS) / 110
    np.testing.assert_allclose(annealed_mean(logits, 1).numpy(), mean, rtol=0, atol=1e-5)


def test_toward_temperature_0_the_mean_becomes_the_mode() -> None:
    logits = random(2, COUNT, 8, 8)
    top = logits.topk(2, dim=1).values
    assert (top[:, 0] - top[:, 1]).min() > 5e-4  # no ties
    likeliest = CENTERS[logits.numpy().argmax(1)].transpose(0, 3, 1, 2) / 110
    np.testing.assert_allclose(mode(logits).numpy(), likeliest, rtol=1e-6)
    assert torch.equal(annealed_mean(logits, 0), mode(logits))
    apart = [
        (annealed_mean(logits, t) - mode(logits)).abs().mean().item()
        for t in (1, 0.38, 0.1, 0.01, 2e-5)
    ]
    assert apart == sorted(apart, reverse=True) and apart[-1] < 1e-6


def test_between_red_and_blue_the_mean_is_neither_and_the_mode_is_one() -> None:
    """What the distribution is for: 60 % red and 40 % blue."""
    logits = distribution({(70, 50): 0.6, (30, -80): 0.4})[None, :, None, None]
    mean, between, peak = (annealed_mean(logits, t).flatten() * 110 for t in (1, 0.38, 0))
    torch.testing.assert_close(mean, torch.tensor([54.0, -2.0]), rtol=0, atol=0.01)
    assert peak.tolist() == pytest.approx([70, 50])
    # (0.6 / 0.4) ** (1 / 0.38) = 2.9063 to 1, that is 74.4 % red
    torch.testing.assert_close(between, torch.tensor([59.76, 16.72]), rtol=0, atol=0.02)


def test_gradients_reach_the_logits_through_the_annealed_mean() -> None:
    logits = random(1, COUNT, 2, 2).requires_grad_()
    weigh = random(1, 2, 2, 2, seed=1)
    (annealed_mean(logits) * weigh).sum().backward()
    # By hand: with s = softmax(z / T), ∂Σ s c/∂z = s (c − Σ s c) / T.
    shares = (logits.detach().double() / 0.38).softmax(1)
    c = torch.einsum("bchw,qc->bqhw", weigh.double(), torch.from_numpy(CENTERS)) / 110
    wanted = shares * (c - (shares * c).sum(1, keepdim=True)) / 0.38
    torch.testing.assert_close(logits.grad.double(), wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("temperature", [-0.1, 1.1, float("nan")])
def test_temperatures_beyond_mode_and_mean_are_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match=r"from 0 \(the mode\) to 1 \(the mean\), got "):
        annealed_mean(torch.zeros(1, COUNT, 1, 1), temperature)


@pytest.mark.parametrize(
    ("act", "shape", "says"),
    [
        (encode, (2, 4, 4), r"ab should be \(B, 2, H, W\), got \(2, 4, 4\)"),
        (encode, (1, 3, 4, 4), r"ab should be \(B, 2, H, W\), got \(1, 3, 4, 4\)"),
        (frequencies, (1, 1, 4, 4), r"ab should be \(B, 2, H, W\), got \(1, 1, 4, 4\)"),
        (annealed_mean, (1, 313, 2, 2), r"logits should be \(B, 261, H, W\), got \(1, 313, 2, 2\)"),
        (mode, (261, 2, 2), r"logits should be \(B, 261, H, W\), got \(261, 2, 2\)"),
        (lambda x: cross_entropy(x, torch.zeros(1, 2, 4, 4)), (1, 260, 4, 4), "logits should be"),
        (lambda x: cross_entropy(torch.zeros(1, 261, 2, 2), x), (1, 3, 4, 4), "ab should be"),
    ],
)
def test_other_shapes_are_refused(act, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        act(torch.zeros(shape))


# --- the likeliest colors of a pixel --------------------------------------------------------------


def ab_of(suggestion: Suggestion) -> np.ndarray:
    return rgb2lab(np.array(suggestion.color, np.uint8)[None, None])[0, 0, 1:]


def test_two_hills_are_both_found_with_their_shares() -> None:
    """The slopes belong to their hills: what is suggested is the mean of each."""
    logits = distribution(
        {(30, 20): 0.3, (40, 20): 0.15, (20, 20): 0.15, (-20, 0): 0.3, (-20, 10): 0.1}
    )
    red, green = top_colors(logits, lightness=60)
    assert (red.share, green.share) == pytest.approx((0.6, 0.4), abs=1e-4)
    np.testing.assert_allclose(ab_of(red), [30, 20], atol=0.7)  # 8 bits a channel
    np.testing.assert_allclose(ab_of(green), [-20, 2.5], atol=0.7)


def test_a_broad_hill_may_be_more_than_a_high_one() -> None:
    """The peak of the second hill is higher, its share is smaller: shares are sorted."""
    broad = {(20 + 10 * i, 10 * j): 0.07 for i in (-1, 0, 1) for j in (-1, 0, 1)}
    logits = distribution({**broad, (20, 0): 0.08, (-30, 20): 0.36})
    found = top_colors(logits, lightness=60)
    assert [round(one.share, 2) for one in found] == [0.64, 0.36]
    np.testing.assert_allclose(ab_of(found[0]), [20, 0], atol=0.7)


def test_as_many_as_are_asked_for_and_none_below_a_hundredth() -> None:
    places = [(0, 0), (40, 0), (-40, 30), (0, 50), (20, -40)]
    logits = distribution(dict(zip(places, (0.4, 0.3, 0.2, 0.094, 0.006), strict=True)))
    for count in (0, 1, 3, 4, 9):
        found = top_colors(logits, 60, count)
        shares = [one.share for one in found]
        assert len(found) == min(count, 4)
        assert shares == pytest.approx([0.4, 0.3, 0.2, 0.094][:count], abs=1e-4)


def test_certainty_suggests_one_color() -> None:
    (only,) = top_colors(distribution({(0, 0): 1.0}), lightness=50)
    assert only.share == pytest.approx(1, abs=1e-4)
    assert only.color == (119, 119, 119)  # the gray of L 50


@given(st.integers(0, 2**31), st.floats(0.5, 20), st.floats(0, 100))
def test_suggestions_are_colors_and_shares_whatever_the_logits(
    seed: int, scale: float, lightness: float
) -> None:
    found = top_colors(random(COUNT, seed=seed) * scale, lightness)
    shares = [one.share for one in found]
    assert 1 <= len(found) <= 3
    assert shares == sorted(shares, reverse=True) and min(shares) >= 0.01 and sum(shares) < 1.0001
    for one in found:
        assert all(type(c) is int and 0 <= c <= 255 for c in one.color)
        got = rgb2lab(np.array(one.color, np.uint8)[None, None])[0, 0, 0]
        assert got == pytest.approx(lightness, abs=1)


def test_a_color_keeps_its_lightness_where_no_screen_shows_it() -> None:
    """Saturated red at L 95 does not exist; what is given is paler and of the same hue."""
    color = np.array(to_color(95, torch.tensor([80.0, 67.0])), np.uint8)
    lightness, *ab = rgb2lab(color[None, None])[0, 0].tolist()
    assert lightness == pytest.approx(95, abs=0.5)
    assert 3 < np.hypot(*ab) < 20
    assert np.arctan2(*ab) == pytest.approx(np.arctan2(80, 67), abs=0.15)
    # At the ends no color but black and white; what rounds to them passes for them.
    assert max(to_color(0, torch.tensor([50.0, 0.0]))) <= 2
    assert min(to_color(100, torch.tensor([50.0, 0.0]))) >= 253
