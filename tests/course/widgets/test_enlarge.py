"""colorlab.course.widgets.enlarge: each way held against arithmetic, the part against a border."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorlab.color import normalize_lab, rgb_to_lab
from colorlab.course.widgets.enlarge import (
    CROP,
    FLAT_L,
    TIMES,
    WAYS,
    EnlargePlay,
    colored,
    enlarged,
    lightness_of,
    steps_of_color,
)


def randoms(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


class TestEnlarged:
    def test_nearest_repeats(self):
        ab = randoms(1, 2, 3, 4)
        found = enlarged(randoms(1, 1, 6, 12), randoms(1, 1, 3, 4), ab, "nearest")
        np.testing.assert_array_equal(found[0, 1], np.kron(ab[0, 1], np.ones((2, 3))))

    def test_bilinear_lies_between(self):
        ab = torch.tensor([[[[0.0, 1.0]], [[1.0, 0.0]]]])
        found = enlarged(randoms(1, 1, 1, 4), randoms(1, 1, 1, 2), ab, "bilinear")
        np.testing.assert_allclose(found[0], [[[0, 0.25, 0.75, 1]], [[1, 0.75, 0.25, 0]]])

    def test_guided_follows_a_line_that_the_coarse_pixels_lie_on(self):
        full, L = randoms(1, 1, 20, 30), randoms(1, 1, 5, 6)
        line = torch.tensor([0.3, -0.5])[:, None, None], torch.tensor([0.1, 0.2])[:, None, None]
        found = enlarged(full, L, line[0] * L + line[1], "guided", 1, 1e-9)
        torch.testing.assert_close(found, line[0] * full + line[1], rtol=0, atol=1e-4)

    def test_a_large_epsilon_leaves_no_edge(self):
        full, L, ab = randoms(1, 1, 20, 30), randoms(1, 1, 5, 6), randoms(1, 2, 5, 6)
        small, large = (enlarged(full, L, ab, "guided", 1, e) for e in (1e-5, 1e3))
        assert steps_of_color(full, large)[0] < 0.3 * steps_of_color(full, small)[0]


def test_steps_of_color_at_an_edge_and_elsewhere():
    L, ab = torch.zeros(1, 1, 10, 10), torch.zeros(1, 2, 10, 10)
    L[..., 5:] = 0.5
    ab[:, 0, :, 5:], ab[:, 1, :, 5:] = 3 / 110, 4 / 110
    ab[:, 1, :5] += 1 / 110  # a step of 1 along 10 pixels, without an edge of L
    at_edges, elsewhere = steps_of_color(L, ab)  # 180 pairs, so 9 of the 10 at the edge
    assert at_edges == pytest.approx(5, abs=1e-4)
    assert elsewhere == pytest.approx((5 + 10) / 171, abs=1e-4)


def test_lightness_and_colors_come_back():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    L, ab = normalize_lab(rgb_to_lab(torch.from_numpy(pixels).movedim(-1, 0)[None]))
    torch.testing.assert_close(lightness_of(pixels), L)
    assert np.abs(colored(L, ab).astype(int) - pixels).max() <= 1


class TwoColors:
    """Predicts red above a row and blue below it; L falls there too."""

    calls = 0

    def predict(self, photo):
        self.calls += 1
        L, ab = torch.full((1, 1, 40, 60), 0.4), torch.zeros(1, 2, 40, 60)
        L[:, :, 25:] = -0.4
        ab[:, 0, :25], ab[:, 1, 25:] = 0.4, -0.4
        return L, ab


@pytest.fixture
def colorizer():
    return TwoColors()


@pytest.fixture
def play(colorizer):
    pixels = np.full((160, 240, 3), 170, np.uint8)
    pixels[101:] = 60
    return EnlargePlay(pixels, colorizer)


def parts(play):
    """The enlarged part in each way, without its label."""
    picture, side = play.picture().astype(int), CROP * TIMES
    lefts = [240 + 8 + i * (side + 8) for i in range(len(WAYS))]
    return {way: picture[40:side, x : x + side] for way, x in zip(WAYS, lefts, strict=True)}


def test_the_part_holds_the_border(play):
    assert play.row < 100 < play.row + CROP
    assert abs(play.row + CROP / 2 - 100) < 6


def test_guided_color_ends_where_lightness_does(play):
    """The photo's edge is one pixel below the border that the network predicts."""
    play.set(coarse=8)
    edge = (101 - play.row) * TIMES - 40
    red = {way: (part[..., 0] > part[..., 2] + 15).all(1) for way, part in parts(play).items()}
    assert red["guided"][:edge].all() and not red["guided"][edge:].any()
    assert red["nearest"].sum() != edge and red["bilinear"].sum() != edge


def test_below_the_part_its_color_alone(play):
    """L jumps at the edge; where only ab is drawn, red and blue have one lightness."""
    side = CROP * TIMES
    left = play.picture()[side:, 248 : 248 + side]
    assert left.shape == (side, side, 3)
    rows = (round(0.3 * side), side - 10)
    levels = [lightness_of(left[row : row + 1]).mean().item() * 50 + 50 for row in rows]
    assert levels == pytest.approx([FLAT_L, FLAT_L], abs=1)
    assert left[rows[0], 0, 0] > left[rows[0], 0, 2] and left[rows[1], 0, 0] < left[rows[1], 0, 2]


def test_the_network_is_asked_once(play, colorizer):
    for values in ({"radius": 5}, {"epsilon": 0.1}, {"coarse": 16}):
        play.set(**values)
    assert colorizer.calls == 1


def test_a_flat_photo_has_no_edge(colorizer):
    play = EnlargePlay(np.full((60, 60, 3), 99, np.uint8), colorizer)
    play.set(coarse=16)
    assert "nan" not in play.words


def test_words(play):
    play.set(radius=3, epsilon=3e-5)
    L, ab = play.full, play._reduced(8)
    rows, columns = (slice(at, at + CROP) for at in (play.row, play.column))
    for way in WAYS:
        part = enlarged(L, *ab, way, 3, 3e-5)[..., rows, columns]
        at_edges, elsewhere = steps_of_color(L[..., rows, columns], part)
        assert f"{way} {at_edges:.1f} and {elsewhere:.1f}" in play.words
    assert play.words.endswith("(radius 3, epsilon 3e-05).")


def test_a_tiny_photo_is_refused(colorizer):
    with pytest.raises(ValueError, match="60 x 40 pixels; give one with at least 48"):
        EnlargePlay(np.zeros((40, 60, 3), np.uint8), colorizer)
