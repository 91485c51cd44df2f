"""colorlab.course.widgets.patches: geometry held against gradients, colors against arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorlab.course.widgets.patches import (
    DEPTHS,
    SIDE,
    PatchView,
    ScoreMap,
    distorted,
    diverging,
    patches_of,
)
from colorlab.patchgan import PatchGAN, receptive_field


@pytest.mark.parametrize("depth", DEPTHS)
def test_patches_have_the_networks_field_and_count(depth):
    patches = patches_of(depth, 256)
    network = PatchGAN(1, base=1, layers=depth, norm="none")
    assert patches.field == receptive_field(network)
    assert patches.count == network(torch.zeros(1, 1, 256, 256)).shape[-1]


@pytest.mark.parametrize(("depth", "index"), [(1, 0), (1, 17), (2, 5), (3, 0), (3, 4), (3, 7)])
def test_a_logit_sees_just_the_pixels_that_move_it(depth, index):
    torch.manual_seed(depth)
    network = PatchGAN(1, base=2, layers=depth, norm="none")
    photo = torch.rand(4, 1, 80, 80).requires_grad_()
    network(photo)[:, 0, index, index].sum().backward()
    (moved,) = (photo.grad.abs().sum((0, 1, 2)) > 0).nonzero(as_tuple=True)
    first, end = patches_of(depth, 80).of(index)
    assert (int(moved[0]), int(moved[-1]) + 1) == (max(first, 0), min(end, 80))


def test_patch_view():
    pixels = np.full((256, 256, 3), 100, np.uint8)
    panel = PatchView(pixels)
    assert panel.picture().shape == (SIDE, 2 * SIDE + 8, 3)
    assert "30 × 30 logits of 70 × 70 pixels, 8 apart" in panel.words
    assert "0% of that is padding" in panel.words
    panel.set(across=0, down=0)
    # logit 0 sees from -23 to 46: 47 of 70 pixels along each side are photo
    assert f"{1 - 47**2 / 70**2:.0%} of that is padding" in panel.words
    bright = (panel.picture()[:, :SIDE] == 100).all(-1)
    rows = np.nonzero(bright.any(1))[0]
    assert rows.min() == 16 and 16 + 40 <= rows.max() <= 16 + 46, "up to its frame"
    panel.set(depth=5)
    assert "286 × 286" in panel.words
    orange = (panel.picture()[:, SIDE + 8 :] == (0xD5, 0x5E, 0x00)).all(-1)
    assert orange.sum() == pytest.approx((SIDE / 6) ** 2, rel=0.1)


def test_the_rows_are_rows():
    panel = PatchView(np.full((256, 256, 3), 100, np.uint8))
    panel.set(depth=5, across=100, down=0)
    marked = (panel.picture()[:, SIDE + 8 :] == (0xD5, 0x5E, 0x00)).all(-1)
    rows, columns = np.nonzero(marked)
    assert rows.max() < SIDE / 4 and columns.min() > SIDE * 3 / 4
    assert "rows -95 to 190, columns 65 to 350" in panel.words


@pytest.mark.parametrize("size", [64, 127, 257])
def test_patch_view_refuses_a_size_that_it_cannot_show(size):
    with pytest.raises(ValueError, match="128 to 256"):
        PatchView(np.zeros((300, 300, 3), np.uint8), size)


def test_distorted():
    ab = torch.rand(2, 2, 6, 8) - 0.5
    torch.testing.assert_close(distorted(ab, 1, 0, 0), ab)
    torch.testing.assert_close(distorted(ab, 0.5, 180, 0), -0.5 * ab)
    turned = distorted(ab, 1, 90, 0)
    torch.testing.assert_close(turned, torch.stack([-ab[:, 1], ab[:, 0]], 1))
    torch.testing.assert_close(distorted(ab, 1, 0, 3)[..., 3:], ab[..., :-3])
    assert distorted(9 * ab, 1, 0, 0).abs().max() == 1


class Chroma(torch.nn.Module):
    """A discriminator whose logits are known: 8 times the mean |ab| of each quarter, minus 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(channels, 1, 1)  # names the channels; not used

    def forward(self, x):
        ab = x[:, -2:].abs().mean(1, keepdim=True)
        return 8 * torch.nn.functional.adaptive_avg_pool2d(ab, 2) - 2


@pytest.mark.parametrize("channels", [2, 3])
def test_score_map(channels):
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[:, 32:] = (255, 0, 0)
    panel = ScoreMap(Chroma(channels), {"half red": photo, "black": photo * 0}, size=64)
    opened = panel.picture()[SIDE // 2, SIDE + 8 :].astype(int)
    panel.set(shift=0)
    # of sRGB red a = 80.1 and b = 67.2; black is gray: logits -2, and 8 * 73.6 / 110 - 2 = 3.36
    assert "Mean logit +0.7; 50% of the patches" in panel.words
    bar = panel.picture()[20 : SIDE - 20, -60].astype(int)
    assert bar[0, 2] > bar[0, 0], "purple is real, and stands above"
    assert bar[-1, 0] > bar[-1, 2], "orange is fake"
    left, right = (panel.picture()[SIDE // 2, SIDE + 8 + x] for x in (40, SIDE - 40))
    np.testing.assert_allclose(opened[40], right, atol=2)  # half-shifted: the red is at the left
    np.testing.assert_allclose(opened[SIDE - 40], left, atol=2)
    np.testing.assert_array_equal(left, diverging(np.array([[-2 / 8 + 0.5]]))[0, 0])
    np.testing.assert_allclose(right, diverging(np.array([[3.35 / 8 + 0.5]]))[0, 0], atol=2)
    panel.set(times=0.0)
    assert "Mean logit -2.0; 100%" in panel.words
    panel.set(times=1.0, photo="black")
    assert "100% of the patches" in panel.words
