"""colorlab.course.widgets.objectives: pulls held against calculus and finite differences, and the
file behind the slider against what it says of itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorlab.course.widgets.objectives import (
    COLORS,
    KINDS,
    LABELS,
    MEDIANS,
    SHARES,
    SIDE,
    TILE,
    LambdaSlider,
    PullArrows,
    _said,
    cost_of,
    draw_real,
    mean_color,
    pull_of,
    read_lambdas,
    train_discriminator,
)
from colorlab.losses import ADVERSARIAL
from colorlab.sources.bundled import VARIABLE, DataMissing, lesson_file

# --- the weight of L1 ----------------------------------------------------------------------------


def test_the_file_is_whole():
    data = read_lambdas()
    assert data["weights"].tolist() == [0, 1, 3, 10, 30, 100, 300, 1000]
    assert data["ab"].shape == (8, 6, 2, 64, 64) and data["rgb"].shape == (6, 3, 64, 64)
    assert (data["error"] > 5).all() and (data["chroma"] > 0.3).all()


def test_more_l1_is_nearer_to_the_truth_and_paler():
    """What the lesson says of the runs, counted anew on the photos that are shown."""
    data = read_lambdas()
    true = np.stack([rgb2lab(photo.transpose(1, 2, 0))[..., 1:] for photo in data["rgb"]])
    ours = data["ab"].astype(float).transpose(0, 1, 3, 4, 2)
    error = np.abs(ours - true).mean((2, 3, 4))  # of each run and photo
    chroma = np.hypot(ours[..., 0], ours[..., 1]).mean((2, 3))
    learned, new = slice(0, 3), slice(3, 6)
    assert error[0, learned].mean() > 1.8 * error[5, learned].mean()
    assert chroma[7, new].mean() < 0.8 * chroma[0, new].mean()
    assert data["error"].argmin() == 7 and data["chroma"].argmin() == 7


def test_lambda_slider():
    panel = LambdaSlider()
    picture = panel.picture()
    assert picture.shape == (3 * TILE, LABELS + 6 * TILE, 3)
    assert "λ = 100" in panel.words and "12.7" in panel.words and "11.9" in panel.words
    panel.controls["weight"].value = 0
    moved = panel.picture()
    assert "17.1" in panel.words
    np.testing.assert_array_equal(moved[:TILE], picture[:TILE])
    np.testing.assert_array_equal(moved[2 * TILE :], picture[2 * TILE :])
    assert (moved[TILE : 2 * TILE, LABELS:] != picture[TILE : 2 * TILE, LABELS:]).mean() > 0.5
    truth = picture[2 * TILE :, LABELS : LABELS + TILE].astype(float).mean((0, 1))
    ours = picture[TILE : 2 * TILE, LABELS : LABELS + TILE].astype(float).mean((0, 1))
    assert ours[0] > ours[2] + 30 and truth[0] > truth[2] + 30, "oranges and lemons, not blue ones"
    gray = picture[:TILE, LABELS:].astype(int)
    assert (gray.max(-1) - gray.min(-1)).max() <= 1


def test_the_file_is_looked_for_in_the_data_folder(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(DataMissing, match="git checkout -- data"):
        lesson_file("lambdas.npz")


# --- where each loss pulls -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def discriminators():
    made = {kind: train_discriminator(kind) for kind in ADVERSARIAL}
    return {**made, "minimax": made["bce"]}


def test_balloons_come_in_their_shares():
    drawn = draw_real(20_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), mean_color(), atol=1.2, rtol=0)
    nearest = torch.cdist(drawn, torch.tensor(COLORS)).argmin(1)
    shares = torch.bincount(nearest, minlength=3) / len(nearest)
    torch.testing.assert_close(shares, torch.tensor(SHARES), atol=0.02, rtol=0)


def test_l2_pulls_to_the_mean_and_l1_to_the_medians():
    ab = 60 * torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    pull = pull_of("l2", None, ab)
    torch.testing.assert_close(pull, 2 * (mean_color() - ab) / 110, atol=1e-4, rtol=1e-4)
    medians = torch.tensor(MEDIANS)
    assert (torch.sign(pull_of("l1", None, ab)) == torch.sign(medians - ab)).all()


@pytest.mark.parametrize("kind", [kind for _, kind in KINDS])
def test_a_pull_is_minus_the_gradient_of_the_cost(kind, discriminators):
    ab = torch.tensor([[20.0, 10.0], [-40.0, 30.0], [3.0, -61.0]])
    pull, discriminator = pull_of(kind, discriminators.get(kind), ab), discriminators.get(kind)
    step = 0.5
    for axis in range(2):
        away = torch.zeros(2)
        away[axis] = step
        rise = cost_of(kind, discriminator, ab + away) - cost_of(kind, discriminator, ab - away)
        torch.testing.assert_close(pull[:, axis], -110 * rise / (2 * step), atol=0.02, rtol=0.05)


@pytest.mark.parametrize("kind", list(ADVERSARIAL))
def test_a_discriminator_knows_balloons_from_their_mean(kind, discriminators):
    at_colors = discriminators[kind](torch.tensor(COLORS) / 110)
    at_mean = discriminators[kind](mean_color()[None] / 110)
    assert at_colors.min() > 0.5 > at_mean.item() + 0.3


def test_what_the_lesson_says_of_the_arrows(discriminators):
    """At the mean: L2 rests, the saturating loss sleeps, the non-saturating one pulls hard."""
    pulls = {
        kind: pull_of(kind, discriminators.get(kind), mean_color()[None]).norm()
        for _, kind in KINDS
    }
    assert pulls["l2"] < 1e-4 and pulls["minimax"] < 0.05
    assert pulls["bce"] > 20 * pulls["minimax"] and pulls["bce"] > pulls["l1"]
    for color in torch.tensor(COLORS):
        start = mean_color() + 0.45 * (color - mean_color())
        pull = pull_of("bce", discriminators["bce"], start[None])[0]
        assert torch.cosine_similarity(pull, color - start, dim=0) > 0.6


def test_discriminators_are_the_same_each_time_and_leave_the_learners_random_numbers():
    torch.manual_seed(2)
    wanted = torch.rand(1)
    torch.manual_seed(2)
    one, other = train_discriminator("bce", 5), train_discriminator("bce", 5)
    assert torch.equal(torch.rand(1), wanted)
    x = torch.rand(4, 2)
    assert torch.equal(one(x), other(x))


def test_the_saturating_loss_pulls_where_the_other_does():
    """The same aim: log(1 - D) and -log D fall in the same direction."""
    discriminator = train_discriminator("bce")
    ab = 40 * torch.randn(30, 2, generator=torch.Generator().manual_seed(3))
    one, other = pull_of("minimax", discriminator, ab), pull_of("bce", discriminator, ab)
    assert (torch.cosine_similarity(one, other) > 0.999).all()


@pytest.mark.parametrize(
    ("pull", "name"),
    [
        ((1, 0), "red"),
        ((0, 1), "yellow"),
        ((-1, 0), "green"),
        ((0, -1), "blue"),
        ((1, -1), "purple"),
    ],
)
def test_the_words_name_the_direction(pull, name):
    assert _said(torch.tensor(pull).float()).endswith(f"toward {name}.")


def test_pull_arrows():
    panel = PullArrows()
    assert panel.discriminators["minimax"] is panel.discriminators["bce"]
    left, right = panel.pull("l2", 0.0, torch.tensor([[-100.0, 5.0], [100.0, 5.0]]))
    assert left[0] > 0 > right[0]
    with torch.no_grad():
        assert panel.picture().shape == (SIDE, SIDE, 3)
    panel.set(kind="l2")
    assert "the pull is 0" in panel.words
    panel.set(kind="bce")
    assert "strong, toward" in panel.words
    at = mean_color()[None]
    both = panel.pull("bce", 2.0, at)
    torch.testing.assert_close(both, panel.pull("bce", 0.0, at) + 2 * panel.pull("l1", 0.0, at))
