"""colorlab.course.widgets.lab and the ab plane, held against scikit-image and by counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from colorlab.course.widgets import _plane
from colorlab.course.widgets.lab import (
    FewLevels,
    GamutSlice,
    LabSliders,
    changed_lab,
    quantized,
)


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(5).integers(0, 256, (24, 32, 3), dtype=np.uint8)


# --- the plane -----------------------------------------------------------------------------------


def test_grid_and_place_are_each_others_inverse():
    grid = _plane.grid(40)
    assert grid[0, 0].tolist() == [-107.25, 107.25]  # row 0 is yellow, column 0 green
    x, y = np.moveaxis(_plane.place(grid, 40), -1, 0)
    np.testing.assert_allclose(x, np.tile(np.arange(40) + 0.5, (40, 1)))
    np.testing.assert_allclose(y, x.T)


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
@pytest.mark.parametrize("L", [0, 25, 60, 97, 100])
def test_slice_holds_what_scikit_image_can_show(L):
    side = 44
    pixels, share = _plane.slice_at(L, side)
    lab = np.concatenate([np.full((side, side, 1), float(L)), _plane.grid(side)], axis=-1)
    rgb = lab2rgb(lab)
    there_and_back = np.abs(rgb2lab(rgb) - lab).max(axis=-1)
    sure_inside, sure_outside = there_and_back < 0.01, there_and_back > 2
    outside = (pixels == _plane.OUTSIDE).all(axis=-1)
    assert not (outside & sure_inside).any() and outside[sure_outside].all()
    np.testing.assert_allclose(pixels[sure_inside], (rgb * 255)[sure_inside], atol=1)
    assert share == pytest.approx((~outside).mean(), abs=0.002)


def test_histogram_is_stronger_where_there_is_more():
    ab = np.concatenate([np.tile([[60.0, 40.0]], (500, 1)), np.tile([[-60.0, 40.0]], (5, 1))])
    plane = _plane.histogram(ab, 220, cell=4).astype(int)
    strength = (255 - plane).sum(axis=-1)
    right, left = strength[68:72, 168:172], strength[68:72, 48:52]  # a pixel is a unit of Lab
    assert right.max() > left.max() > 0
    assert (strength > 0).sum() == 2 * 16, "two cells of 4 x 4 pixels, the rest white"


def test_dots_and_axes():
    blank = np.full((110, 110, 3), 255, np.uint8)
    dotted = _plane.draw_dots(blank, np.array([[55.0, 55.0]]), radius=2)
    ys, xs = np.nonzero((dotted < 200).any(axis=-1))
    assert abs(xs.mean() - 82.5) < 1 and abs(ys.mean() - 27.5) < 1
    with_axes = _plane.draw_axes(blank)
    assert (with_axes[55] < 255).all(axis=-1).all() and (blank == 255).all()


def test_beside():
    joined = _plane.beside(np.zeros((4, 3, 3), np.uint8), np.ones((6, 2, 3), np.uint8), gap=1)
    assert joined.shape == (6, 6, 3)
    assert (joined[:4, :3] == 0).all() and (joined[4:, :3] == 255).all()
    assert (joined[:, 3] == 255).all() and (joined[:, 4:] == 1).all()


# --- LabSliders ----------------------------------------------------------------------------------


def test_changed_lab():
    lab = torch.tensor([60.0, 20.0, -10.0])[:, None, None]
    same = changed_lab(lab, [1, 1, 1], [0, 0, 0])
    assert torch.equal(same, lab)
    changed = changed_lab(lab, [2, -1, 0.5], [0, 5, 0])
    assert changed.flatten().tolist() == [70.0, -15.0, -5.0]
    assert changed_lab(lab, [2, 1, 1], [60, 0, 0])[0].item() == 100


def test_lab_sliders(picture):
    panel = LabSliders(picture)
    drawn = panel.picture()
    assert drawn.shape == (300, 32 + 8 + 300, 3)
    np.testing.assert_allclose(drawn[:24, :32], picture, atol=1)
    panel.set(a_scale=0.0, b_scale=0.0)
    gray = panel.picture()[:24, :32].astype(int)
    assert (gray.max(axis=-1) - gray.min(axis=-1)).max() <= 1
    assert "mean a 0, mean b 0" in panel.words and "100%" in panel.words
    panel.reset.click()
    panel.set(a_scale=2.0)
    assert "100%" not in panel.words, "colors doubled leave the gamut"


def test_gamut_slice(picture):
    panel = GamutSlice(picture)
    L = rgb2lab(picture)[..., 0]
    for value in (0, 40, 80):
        panel.controls["L"].value = value
        share = (np.abs(L - value) <= 2).mean()
        assert f"{share:.1%} of the photo" in panel.words
        in_color = np.abs(panel.picture()[:24, :32].astype(int) - picture).max(axis=-1) <= 1
        assert in_color.mean() == pytest.approx(share, abs=0.03)


def test_few_levels(picture):
    panel = FewLevels(picture)
    lab = torch.from_numpy(rgb2lab(picture)).movedim(-1, 0)
    rounded = quantized(lab, 20, "ab")
    assert torch.equal(rounded[0], lab[0])
    assert (rounded[1:] % 20 == 0).all() and (rounded - lab).abs().max() <= 10.0001
    assert torch.equal(quantized(lab, 20, "L")[1:], lab[1:])
    panel.set(step=100, channels="Lab")
    assert "L 2, a 3, b 3" in panel.words
    panel.set(step=1, channels="ab")
    off = float(panel.words.split("off by ")[1].split()[0])
    assert off == pytest.approx(float((quantized(lab, 1, "ab") - lab).norm(dim=0).mean()), abs=0.06)
