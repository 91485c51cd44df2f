"""colorlab.course.widgets.palette: the picture is what the library colors, the dots the softmax."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from colorlab import palette
from colorlab.colorize import Colorizer
from colorlab.course.widgets._plane import place
from colorlab.course.widgets.palette import (
    SIDE,
    TemperaturePlay,
    draw_distribution,
    draw_swatches,
    sharpened,
)
from colorlab.palette import Suggestion
from colorlab.photos.files import open_photo
from colorlab.sources.bundled import bundled_photos


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.load(device="cpu")


@pytest.fixture(scope="module")
def photos():
    return {path.stem: open_photo(path) for path in bundled_photos("test")[:2]}


@pytest.fixture
def play(colorizer, photos):
    return TemperaturePlay(colorizer, photos)


def dots(shares, mean=(0.0, 0.0)):
    pixels = draw_distribution(shares, torch.tensor(mean), 60.0)
    blank = draw_distribution(torch.zeros(palette.COUNT), torch.tensor(mean), 60.0)
    return (pixels != blank).any(-1)


class TestTemperaturePlay:
    def test_left_is_the_photo_at_this_temperature(self, play, colorizer, photos):
        play.set(temperature=0.2, across=0, down=0)
        square = ImageOps.fit(next(iter(photos.values())), (SIDE, SIDE))
        wanted = np.asarray(colorizer.colorize(square, temperature=0.2))
        there = np.s_[30:SIDE, 30:SIDE]  # without the ring
        assert (play.picture()[there] == wanted[there]).all()

    def test_mode_is_more_vivid_than_mean(self, play):
        chroma = []
        for temperature in (0.0, 1.0):
            play.set(temperature=temperature)
            chroma.append(float(play.words.rpartition(" ")[2].rstrip(".")))
        assert chroma[0] > chroma[1] > 0

    def test_words_say_the_likeliest_color(self, play, colorizer, photos):
        play.set(across=50, down=50)
        square = ImageOps.fit(next(iter(photos.values())), (SIDE, SIDE))
        likeliest = colorizer.suggest(square, SIDE // 2, SIDE // 2)[0]
        assert f"{likeliest.share:.0%}" in play.words

    def test_the_network_is_asked_once_for_the_same(self, play, monkeypatch):
        play.set(temperature=0.3)
        monkeypatch.setattr(Colorizer, "colorize", None)
        monkeypatch.setattr(Colorizer, "predict", None)
        before = play.image.value
        play.set(across=20)
        assert play.image.value != before

    def test_weights_without_a_distribution_are_refused(self, photos):
        class Plain:
            takes_hints = False

        with pytest.raises(ValueError, match="know no distribution"):
            TemperaturePlay(Plain(), photos)


class TestSharpened:
    def test_is_softmax(self):
        logits = torch.randn(palette.COUNT, generator=torch.Generator().manual_seed(0))
        for temperature in (1.0, 0.4, 0.1):
            powers = np.exp(logits.double().numpy() / temperature)
            np.testing.assert_allclose(
                sharpened(logits, temperature), powers / powers.sum(), rtol=1e-4
            )

    def test_at_zero_the_likeliest_bin_has_it_all(self):
        logits = torch.zeros(palette.COUNT)
        logits[17] = 0.001
        shares = sharpened(logits, 0.0)
        assert shares[17] == 1 and shares.sum() == 1


class TestDrawing:
    def test_the_area_goes_with_the_share(self):
        areas = []
        for share in (0.2, 0.8):
            shares = torch.zeros(palette.COUNT)
            shares[40] = share
            areas.append(int(dots(shares).sum()))
        assert areas[1] / areas[0] == pytest.approx(4, rel=0.15)

    def test_a_dot_stands_at_its_bin(self):
        shares = torch.zeros(palette.COUNT)
        shares[200] = 1.0
        rows, columns = dots(shares).nonzero()
        x, y = place(palette.bins()[200].numpy(), SIDE)
        assert columns.mean() == pytest.approx(x, abs=2) and rows.mean() == pytest.approx(y, abs=2)

    def test_the_cross_stands_at_the_mean(self):
        empty = torch.zeros(palette.COUNT)
        two = [draw_distribution(empty, torch.tensor(m), 60.0) for m in ((80.0, -80.0), (0.0, 0.0))]
        x, y = place(np.array([80, -80]), SIDE).astype(int)
        changed = (two[0] != two[1]).any(-1)
        assert changed[y - 4 : y + 5, x - 4 : x + 5].sum() > 30

    def test_swatches_have_their_colors(self):
        colors = [(200, 30, 30), (30, 40, 200)]
        pixels = draw_swatches([Suggestion(c, 0.5) for c in colors], 600)
        found = {tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()}
        assert set(colors) <= found
        assert (pixels[:, 400:] == 255).all()  # of two colors there are two swatches
        assert Image.fromarray(pixels).size[0] == 600
