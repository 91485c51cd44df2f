"""colorlab.course.widgets.enlarge: each way held against arithmetic, the part against a border."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorlab.color import normalize_lab, rgb_to_lab
from colorlab.course.widgets.enlarge import (
    CROP,
    TIMES,
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


def middle(play):
    """The enlarged part, without its label."""
    left = 240 + 8
    return play.picture()[40 : CROP * TIMES, left : left + CROP * TIMES].astype(int)


def test_the_part_holds_the_border(play):
    assert play.row < 100 < play.row + CROP
    assert abs(play.row + CROP / 2 - 100) < 6


def test_guided_color_ends_where_lightness_does(play):
    """The photo's edge is one pixel below the border that the network predicts."""
    red = {}
    for way in ("nearest", "bilinear", "guided"):
        play.set(way=way, coarse=8)
        part = middle(play)
        red[way] = [int((row[:, 0] > row[:, 2] + 15).all()) for row in part]
    edge = (101 - play.row) * TIMES - 40
    assert sum(red["guided"][:edge]) == edge and not any(red["guided"][edge:])
    assert sum(red["nearest"]) != edge and sum(red["bilinear"]) != edge


def test_the_network_is_asked_once(play, colorizer):
    for values in ({"radius": 5}, {"epsilon": 0.1}, {"way": "nearest"}, {"coarse": 16}):
        play.set(**values)
    assert colorizer.calls == 1


def test_a_flat_photo_has_no_edge(colorizer):
    play = EnlargePlay(np.full((60, 60, 3), 99, np.uint8), colorizer)
    play.set(way="guided", coarse=16)
    assert "nan" not in play.words


def test_words(play):
    play.set(way="nearest")
    assert play.words.startswith("Nearest.") and "guided alone" in play.words
    play.set(way="guided", radius=3, epsilon=3e-5)
    assert play.words.startswith("Guided, radius 3, epsilon 3e-05.")


def test_a_tiny_photo_is_refused(colorizer):
    with pytest.raises(ValueError, match="60 x 40 pixels; give one with at least 48"):
        EnlargePlay(np.zeros((40, 60, 3), np.uint8), colorizer)
