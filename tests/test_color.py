"""colorlab.color against scikit-image, values worked out by hand, and finite differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from colorlab import color
from colorlab.color import (
    chroma,
    denormalize_lab,
    fit_gamut,
    gamut_fraction,
    in_gamut,
    lab_to_rgb,
    lightness_to_gray,
    normalize_lab,
    rgb_to_lab,
)

LAB_TOLERANCE = 5e-4  # against scikit-image, which rounds the constants of CIE 15
ROUND_TRIP_TOLERANCE = 1e-5
LAB_ROUNDING = 1e-4  # of a and b in float32: 500 times a few units in the last place of f


def random_rgb(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pixel(*channels: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(channels, dtype=dtype).reshape(-1, 1, 1)


def lattice(side: int, dtype: torch.dtype) -> torch.Tensor:
    """All colors of a side x side x side grid in the RGB cube, as one image (3, side, side**2)."""
    steps = torch.linspace(0, 1, side, dtype=dtype)
    grid = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"))
    return grid.reshape(3, side, side * side)


def skimage_lab(rgb: torch.Tensor) -> torch.Tensor:
    """scikit-image's answer in float64 for (3, H, W)."""
    return torch.from_numpy(rgb2lab(rgb.double().movedim(0, -1).numpy())).movedim(-1, 0)


# --- against scikit-image -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_64_cubed_lattice_agrees_with_scikit_image_and_comes_back(dtype):
    rgb = lattice(64, dtype)
    lab = rgb_to_lab(rgb)
    assert lab.dtype == dtype
    assert (lab - skimage_lab(rgb)).abs().max() <= LAB_TOLERANCE
    assert (lab_to_rgb(lab) - rgb).abs().max() <= ROUND_TRIP_TOLERANCE


def test_dark_colors_agree_with_scikit_image():
    rgb = lattice(32, torch.float32) * 0.06  # both sides of both knees
    assert (rgb_to_lab(rgb) - skimage_lab(rgb)).abs().max() <= LAB_TOLERANCE


def test_every_8_bit_gray_and_primary_ramp_agrees_with_scikit_image():
    ramp = torch.arange(256, dtype=torch.uint8).expand(3, 256)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.uint8)
    rgb = mask.T[:, :, None] * ramp[:, None, :]  # (3, 4, 256)
    lab = rgb_to_lab(rgb)
    assert lab.dtype == torch.float32
    assert (lab - skimage_lab(rgb.double() / 255)).abs().max() <= LAB_TOLERANCE


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_clipping_agrees_with_scikit_image():
    generator = torch.Generator().manual_seed(0)
    lab = torch.rand(3, 40, 50, generator=generator, dtype=torch.float64)
    lab = lab * pixel(60.0, 160.0, 100.0) + pixel(35.0, -80.0, -50.0)  # a third is out of gamut
    expected = torch.from_numpy(lab2rgb(lab.movedim(0, -1).numpy())).movedim(-1, 0)
    assert (lab_to_rgb(lab) - expected).abs().max() <= ROUND_TRIP_TOLERANCE
    assert 0.3 < gamut_fraction(lab).item() < 0.9


# --- values worked out by hand --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_black_and_white(dtype):
    black, white = pixel(0, 0, 0, dtype=dtype), pixel(1, 1, 1, dtype=dtype)
    torch.testing.assert_close(rgb_to_lab(black), black, rtol=0, atol=1e-5)
    # The matrix and the white point are both rounded, so white is not quite neutral.
    expected = pixel(100, 0, 0, dtype=dtype)
    torch.testing.assert_close(rgb_to_lab(white), expected, rtol=0, atol=5e-3)
    assert abs(rgb_to_lab(white)[0].item() - 100) < 1e-4
    torch.testing.assert_close(lab_to_rgb(black), black, rtol=0, atol=1e-7)


def test_middle_gray_is_116_cube_roots_of_its_luminance_less_16():
    luminance = ((0.5 + 0.055) / 1.055) ** 2.4
    lab = rgb_to_lab(pixel(0.5, 0.5, 0.5, dtype=torch.float64))
    assert lab[0].item() == pytest.approx(116 * luminance ** (1 / 3) - 16, abs=1e-9)
    assert lab[1:].abs().max() < 5e-3


def test_dark_gray_is_on_the_straight_pieces():
    # Below both knees L = 903.3 Y and Y = rgb / 12.92; (29/3)^3 = 903.296.
    lab = rgb_to_lab(pixel(0.02, 0.02, 0.02, dtype=torch.float64))
    assert lab[0].item() == pytest.approx((29 / 3) ** 3 * 0.02 / 12.92, abs=1e-5)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # the textbook values of the sRGB primaries, to two digits
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
    ],
)
def test_primaries(rgb, lab):
    torch.testing.assert_close(rgb_to_lab(pixel(*rgb)), pixel(*lab), rtol=0, atol=0.02)


def test_scaling_constants():
    lab = pixel(100.0, 110.0, -55.0)
    L, ab = normalize_lab(lab)
    assert (L.shape, ab.shape) == ((1, 1, 1), (2, 1, 1))
    assert (L.item(), *ab.flatten().tolist()) == (1.0, 1.0, -0.5)
    torch.testing.assert_close(denormalize_lab(L, ab), lab)


def test_in_gamut_says_it_of_each_pixel():
    lab = torch.tensor([[50.0, 50.0, 97.0], [0.0, 90.0, -22.0], [0.0, 90.0, 94.0]])
    # gray; a red beyond any screen; the yellow of sRGB, (97.14, -21.55, 94.48)
    inside = in_gamut(lab[None, :, None].expand(2, 3, 4, 3))
    assert inside.shape == (2, 4, 3) and inside.dtype == torch.bool
    assert inside[0, 0].tolist() == [True, False, True]
    assert in_gamut(lab[:, None], tolerance=10.0).all()


def test_gamut_fraction_counts_pixels_of_each_image():
    inside, outside = pixel(50.0, 10.0, 10.0), pixel(50.0, 120.0, -120.0)
    image = torch.cat([inside, inside, outside, inside], dim=-1)
    batch = torch.stack([image, inside.expand(3, 1, 4)])[:, None]  # (2, 1, 3, 1, 4)
    fraction = gamut_fraction(batch)
    assert fraction.shape == (2, 1)
    assert fraction.flatten().tolist() == [0.75, 1.0]
    assert gamut_fraction(image).shape == ()
    assert gamut_fraction(image, tolerance=10.0).item() == 1.0


def test_the_whole_cube_is_in_gamut_and_clipping_makes_anything_so():
    assert gamut_fraction(rgb_to_lab(lattice(17, torch.float32)), tolerance=1e-5).item() == 1.0
    outside = pixel(70.0, 100.0, -90.0)
    assert gamut_fraction(outside).item() == 0.0
    assert gamut_fraction(rgb_to_lab(lab_to_rgb(outside)), tolerance=1e-5).item() == 1.0


def test_fitting_the_gamut_lowers_chroma_alone():
    generator = torch.Generator().manual_seed(0)
    lab = torch.rand(2, 3, 9, 8, generator=generator, dtype=torch.float64)
    lab = lab * pixel(90.0, 200.0, 200.0) + pixel(5.0, -100.0, -100.0)
    fitted = fit_gamut(lab)
    assert fitted.shape == lab.shape
    assert gamut_fraction(lab).max() < 0.9
    assert gamut_fraction(fitted).tolist() == [1.0, 1.0]
    assert torch.equal(fitted[:, 0], lab[:, 0])
    # Same hue: the two ab vectors are parallel and point the same way.
    before, after = lab[:, 1:], fitted[:, 1:]
    assert (before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]).abs().max() < 1e-9
    assert (before * after).sum(dim=1).min() >= 0
    # As much chroma as fits: a hundredth more of it leaves the gamut, or the color was inside.
    more = torch.cat([lab[:, :1], after * 1.01], dim=1)
    moved = (chroma(before) - chroma(after)) > 1e-9
    for index in moved.nonzero().tolist():
        image, row, column = index
        assert gamut_fraction(more[image, :, row : row + 1, column : column + 1]).item() == 0.0
    inside = ~moved[:, None].expand_as(lab)
    assert torch.equal(fitted[inside], lab[inside])


def test_the_gray_of_a_lightness_has_that_lightness():
    L = torch.linspace(-1, 1, 101, dtype=torch.float64).reshape(1, 1, 101)
    gray = lightness_to_gray(L)
    assert gray.shape == L.shape
    assert (gray.min().item(), gray.max().item()) == pytest.approx((0.0, 1.0), abs=1e-9)
    back, ab = normalize_lab(rgb_to_lab(gray.expand(3, 1, 101)))
    torch.testing.assert_close(back, L, rtol=0, atol=1e-7)
    assert ab.abs().max() * 110 < 5e-3


def test_chroma_is_the_distance_from_gray():
    ab = torch.tensor([[[3.0, 0.0]], [[4.0, 0.0]]], requires_grad=True)  # (2, 1, 2)
    result = chroma(ab)
    assert result.shape == (1, 2)
    assert result.flatten().tolist() == [5.0, 0.0]
    result.sum().backward()
    torch.testing.assert_close(ab.grad[:, 0, 0], torch.tensor([0.6, 0.8]))
    assert ab.grad[:, 0, 1].tolist() == [0.0, 0.0]


# --- shapes, dtypes, memory -----------------------------------------------------------------------

leading = st.lists(st.integers(0, 3), max_size=3)


@settings(max_examples=40, deadline=None)
@given(leading, st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**31))
def test_any_leading_dimensions(lead, height, width, seed):
    rgb = random_rgb(*lead, 3, height, width, seed=seed)
    lab = rgb_to_lab(rgb)
    assert lab.shape == rgb.shape
    if rgb.numel():
        one_by_one = [rgb_to_lab(image) for image in rgb.reshape(-1, 3, height, width)]
        batch = lab.reshape(-1, 3, height, width)
        torch.testing.assert_close(batch, torch.stack(one_by_one), rtol=0, atol=LAB_ROUNDING)
        assert (lab_to_rgb(lab) - rgb).abs().max() <= ROUND_TRIP_TOLERANCE
    L, ab = normalize_lab(lab)
    assert L.shape == (*lead, 1, height, width)
    assert ab.shape == (*lead, 2, height, width)
    torch.testing.assert_close(denormalize_lab(L, ab), lab, rtol=0, atol=2e-5)
    assert lightness_to_gray(L).shape == L.shape
    assert chroma(lab[..., 1:, :, :]).shape == (*lead, height, width)
    assert gamut_fraction(lab).shape == tuple(lead)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3))
def test_any_color_agrees_with_scikit_image_and_comes_back(channels):
    rgb = pixel(*channels)
    lab = rgb_to_lab(rgb)
    assert (lab - skimage_lab(rgb)).abs().max() <= LAB_TOLERANCE
    assert (lab_to_rgb(lab) - rgb).abs().max() <= ROUND_TRIP_TOLERANCE


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=3, max_size=3))
def test_any_lab_gives_a_color_and_finite_gradients(channels):
    lab = pixel(*channels).requires_grad_()
    rgb = lab_to_rgb(lab)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    rgb.sum().backward()
    assert lab.grad.isfinite().all()


def test_uint8_equals_its_float():
    rgb = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(3, 16, 16)
    torch.testing.assert_close(rgb_to_lab(rgb), rgb_to_lab(rgb.float() / 255), rtol=0, atol=0)


def test_half_precision_is_brought_to_float32():
    rgb = random_rgb(3, 4, 5).bfloat16()
    lab = rgb_to_lab(rgb)
    assert lab.dtype == torch.float32
    torch.testing.assert_close(lab, rgb_to_lab(rgb.float()), rtol=0, atol=0)
    assert lab_to_rgb(lab.half()).dtype == torch.float32


def test_autocast_does_not_coarsen_colors():
    rgb = random_rgb(2, 3, 8, 8)
    expected = rgb_to_lab(rgb)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lab = rgb_to_lab(rgb)
        back = lab_to_rgb(lab)
    torch.testing.assert_close(lab, expected, rtol=0, atol=0)
    assert (back - rgb).abs().max() <= ROUND_TRIP_TOLERANCE


def test_tiles_have_no_seams():
    # More pixels than a tile, rows that do not fill the last one; the tracked path has no tiles.
    rgb = random_rgb(2, 3, 301, 307)
    tracked = rgb.clone().requires_grad_()
    lab = rgb_to_lab(rgb)
    torch.testing.assert_close(lab, rgb_to_lab(tracked).detach(), rtol=0, atol=LAB_ROUNDING)
    whole_rgb = lab_to_rgb(lab.clone().requires_grad_()).detach()
    torch.testing.assert_close(lab_to_rgb(lab), whole_rgb, rtol=0, atol=ROUND_TRIP_TOLERANCE)


def test_a_row_longer_than_a_tile(monkeypatch):
    monkeypatch.setattr(color, "TILE_PIXELS", 4)
    rgb = random_rgb(3, 3, 9)
    assert (rgb_to_lab(rgb) - skimage_lab(rgb)).abs().max() <= LAB_TOLERANCE


@pytest.mark.parametrize("arrange", ["channels_last", "transposed", "strided"])
def test_memory_order_does_not_matter(arrange):
    rgb = random_rgb(2, 3, 12, 10)
    other = {
        "channels_last": lambda: rgb.contiguous(memory_format=torch.channels_last),
        "transposed": lambda: rgb.transpose(-1, -2).contiguous().transpose(-1, -2),
        "strided": lambda: rgb.repeat_interleave(2, dim=-1)[..., ::2],
    }[arrange]()
    torch.testing.assert_close(rgb_to_lab(other), rgb_to_lab(rgb), rtol=0, atol=LAB_ROUNDING)


def test_input_is_left_alone():
    rgb = random_rgb(3, 4, 4)
    lab = rgb_to_lab(rgb.clone())
    for work, tensor in [(rgb_to_lab, rgb), (lab_to_rgb, lab), (gamut_fraction, lab)]:
        before = tensor.clone()
        work(tensor)
        assert torch.equal(tensor, before), work.__name__


# --- gradients ------------------------------------------------------------------------------------

# Colors in and about black, below, between and above the knees, and near the faces of the cube.
GRADIENT_COLORS = [
    (0.001, 0.001, 0.001),
    (0.0, 0.02, 0.03),
    (0.01, 0.5, 0.9),
    (0.3, 0.3, 0.3),
    (0.999, 0.5, 0.001),
]


@pytest.mark.parametrize("rgb", GRADIENT_COLORS)
def test_gradients_agree_with_finite_differences(rgb):
    rgb = pixel(*rgb, dtype=torch.float64)
    lab = rgb_to_lab(rgb.clamp(min=1e-3))  # off the faces, where clipping has a kink
    L, ab = normalize_lab(lab)
    for function, argument in [
        (rgb_to_lab, rgb),
        (lab_to_rgb, lab),
        (lightness_to_gray, L),
        (chroma, lab[1:]),
        (lambda lab: torch.cat(normalize_lab(lab), dim=-3), lab),
    ]:
        leaf = argument.detach().clone().requires_grad_()
        assert torch.autograd.gradcheck(function, leaf, eps=1e-7, atol=1e-3, rtol=1e-4)
    pair = (L.clone().requires_grad_(), ab.clone().requires_grad_())
    assert torch.autograd.gradcheck(denormalize_lab, pair)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_at_black_white_and_the_knees_are_finite(dtype):
    knees = [color.SRGB_KNEE, color.LINEAR_KNEE, color.XYZ_KNEE]
    values = torch.tensor([0.0, -0.0, 1.0, -0.2, 1.2, 1e-30, *knees], dtype=dtype)
    rgb = values.expand(3, 1, -1).clone().requires_grad_()
    lab = rgb_to_lab(rgb)
    L, ab = normalize_lab(lab)
    total = lab.sum() + chroma(lab[1:]).sum() + lab_to_rgb(lab).sum() + lightness_to_gray(L).sum()
    total.backward()
    assert total.isfinite()
    assert rgb.grad.isfinite().all()


def test_slope_at_black_is_that_of_the_straight_pieces():
    rgb = torch.zeros(3, 1, 1, dtype=torch.float64, requires_grad=True)
    rgb_to_lab(rgb)[0].sum().backward()
    assert rgb.grad.sum().item() == pytest.approx((29 / 3) ** 3 / 12.92, rel=1e-6)


def test_slope_at_a_knee_is_counted_once():
    rgb = torch.full((3, 1, 1), color.SRGB_KNEE, dtype=torch.float64, requires_grad=True)
    rgb_to_lab(rgb)[0].sum().backward()
    below, above = (rgb_to_lab(rgb.detach() + step)[0].item() for step in (-1e-4, 1e-4))
    assert rgb.grad.sum().item() == pytest.approx((above - below) / 2e-4, rel=0.03)


def test_clipped_channels_have_no_gradient_and_the_others_have():
    lab = rgb_to_lab(pixel(1.0, 0.5, 0.5, dtype=torch.float64)) + pixel(0.0, 20.0, 0.0)
    lab.requires_grad_()
    red, green, _ = lab_to_rgb(lab).flatten()
    assert red.item() == 1.0
    assert torch.autograd.grad(red, lab, retain_graph=True)[0].abs().max() == 0
    assert torch.autograd.grad(green, lab)[0].abs().min() > 0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(2, 8, 9, 3), ["(2, 8, 9, 3)", "movedim(-1, -3)"]),
        (torch.zeros(8, 9), ["(8, 9)", "three dimensions"]),
        (torch.zeros(1, 8, 9), ["gray", "repeat_interleave"]),
        (torch.zeros(4, 8, 9), ["alpha"]),
        (torch.zeros(5, 8, 9), ["(..., 3, H, W)", "(5, 8, 9)"]),
        (torch.full((3, 2, 2), 255.0), ["255", "/ 255"]),
        (torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1), ["-1", "(rgb + 1) / 2"]),
        (torch.tensor([50.0, -60.0, 70.0]).reshape(3, 1, 1), ["Lab"]),
        (torch.full((3, 1, 1), math.nan), ["NaN"]),
    ],
)
def test_wrong_rgb_is_refused_with_advice(tensor, words):
    with pytest.raises(ValueError) as caught:
        rgb_to_lab(tensor)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.bool])
def test_integers_other_than_uint8_are_refused(dtype):
    with pytest.raises(TypeError, match=r"uint8.*torch\."):
        rgb_to_lab(torch.ones(3, 2, 2, dtype=dtype))


def test_lab_in_uint8_is_refused():
    for function in (lab_to_rgb, normalize_lab, gamut_fraction):
        with pytest.raises(TypeError, match="rgb_to_lab"):
            function(torch.zeros(3, 2, 2, dtype=torch.uint8))


def test_arrays_are_refused_with_the_way_to_convert_them():
    with pytest.raises(TypeError, match=r"numpy\.ndarray.*torch\.from_numpy"):
        rgb_to_lab(np.zeros((3, 2, 2)))


def test_channel_counts_are_checked_everywhere():
    rgb = torch.zeros(3, 4, 4)
    for function in (lightness_to_gray, chroma):
        with pytest.raises(ValueError, match=r"\(3, 4, 4\)"):
            function(rgb)
    with pytest.raises(ValueError, match="same images"):
        denormalize_lab(torch.zeros(1, 4, 4), torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match=r"ab must have shape \(\.\.\., 2, H, W\)"):
        denormalize_lab(torch.zeros(1, 4, 4), rgb)


def test_a_little_overshoot_is_converted():
    rgb = pixel(-0.1, 0.5, 1.1, dtype=torch.float64)
    lab = rgb_to_lab(rgb)
    assert lab.isfinite().all()
    torch.testing.assert_close(lab_to_rgb(lab), rgb.clamp(0, 1), rtol=0, atol=1e-9)


# --- into the gamut by chroma alone ---------------------------------------------------------------


def absurd_lab(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """L in 0..100, a and b in -150..150, of shape (*shape[:-2], 3, *shape[-2:])."""
    rgb = random_rgb(*shape[:-2], 3, *shape[-2:], seed=seed, dtype=dtype)
    scale = torch.tensor([100, 300, 300], dtype=dtype).reshape(3, 1, 1)
    return rgb * scale - torch.tensor([0, 150, 150], dtype=dtype).reshape(3, 1, 1)


def test_fit_gamut_keeps_lightness_through_8_bits():
    lab = absurd_lab(40, 50)
    displayed = (lab_to_rgb(fit_gamut(lab)) * 255).round() / 255
    assert (skimage_lab(displayed)[0] - lab[0]).abs().mean() < 0.5
    clipped = lab_to_rgb(lab)  # which fit_gamut is there to avoid
    assert (skimage_lab(clipped)[0] - lab[0]).abs().mean() > 5


def test_fit_gamut_leaves_colors_inside_as_they_are():
    lab = rgb_to_lab(random_rgb(3, 20, 30, dtype=torch.float64))
    assert torch.equal(fit_gamut(lab), lab)
    single = lab.float()
    assert torch.equal(fit_gamut(single), single)
    assert fit_gamut(single).dtype == torch.float32


@pytest.mark.parametrize("L", [-20.0, 0.0, 100.0, 130.0])
def test_fit_gamut_at_black_and_white(L):
    """What is left of chroma there is what the gamut's tolerance lets pass: one step of 255."""
    fitted = fit_gamut(pixel(L, 80, -60))
    end = min(max(L, 0.0), 100.0)
    assert fitted[0].item() == end
    displayed = (lab_to_rgb(fitted) * 255).round()
    assert (displayed - end / 100 * 255).abs().max() <= 1
    assert (skimage_lab(displayed / 255)[0] - end).abs().item() < 0.3


def test_fit_gamut_of_any_leading_dimensions_leaves_its_input_alone():
    lab = absurd_lab(2, 2, 5, 4)
    before = lab.clone()
    fitted = fit_gamut(lab)
    for i in range(2):
        for j in range(2):
            assert torch.equal(fitted[i, j], fit_gamut(lab[i, j]))
    assert torch.equal(lab, before)
    assert fit_gamut(lab[:0]).shape == (0, 2, 3, 5, 4)
    with pytest.raises(ValueError, match="lab must have shape"):
        fit_gamut(lab[..., :2, :, :])
