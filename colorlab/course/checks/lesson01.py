"""The testers of lesson 01: sRGB to linear light to XYZ to Lab and back, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    call,
    match,
    own_random,
    want_array,
    want_number,
    want_tensor,
)

# The lesson's constants, written out again: a tester that asked the learner's notebook for them
# would believe a wrong one. They are those of colorlab.color (a test compares).
RGB_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def _decode(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _encode(linear: np.ndarray) -> np.ndarray:
    linear = np.maximum(linear, 0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _f(t: np.ndarray) -> np.ndarray:
    return np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)


def _f_inverse(f: np.ndarray) -> np.ndarray:
    return np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))


def _lab(fx: np.ndarray, fy: np.ndarray, fz: np.ndarray) -> np.ndarray:
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def _xyz_to_lab(xyz: np.ndarray) -> np.ndarray:
    return _lab(*np.moveaxis(_f(xyz / WHITE), -1, 0))


def _rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    return _xyz_to_lab(_decode(rgb) @ RGB_TO_XYZ.T)


def _worst(result: np.ndarray, right: np.ndarray) -> tuple[int, ...]:
    """The pixel of (H, W, 3) arrays where they differ most."""
    away = np.abs(result - right).max(axis=-1)
    return tuple(int(i) for i in np.unravel_index(away.argmax(), away.shape))


# --- 1.1 -----------------------------------------------------------------------------------------


def _test_decode(decode: Any) -> Flaw | None:
    srgb = np.array([[0.0, 0.01, 0.03, 0.04045], [0.05, 0.2, 0.5, 1.0]])
    result = want_array(
        call(decode, srgb.copy(), pure=True), shape=srgb.shape, what="the linear light"
    )
    power = ((srgb + 0.055) / 1.055) ** 2.4
    mistakes = (
        (
            srgb**2.2,
            Flaw(
                "That is a plain power of 2.2.",
                "It comes close, but the curve of sRGB has two pieces: follow the formula above.",
            ),
        ),
        (
            power,
            Flaw(
                "The upper part is right; the dark end is not.",
                "Up to 0.04045 the curve is a straight line: choose between the two with np.where.",
            ),
        ),
        (
            np.where(srgb <= 0.04045, power, srgb / 12.92),
            Flaw(
                "The two pieces of the curve have changed places.",
                "np.where(condition, where true, where false): which one is for the dark end?",
            ),
        ),
        (
            _encode(srgb),
            Flaw(
                "That is the way back: it makes dark values lighter.",
                "Decoding makes them darker: 0.5 becomes about 0.21.",
            ),
        ),
        (
            np.where(srgb <= 0.04045, srgb / 12.92, (srgb + 0.055) ** 2.4 / 1.055),
            Flaw(
                "The division by 1.055 comes too late.",
                "It belongs inside the power.",
            ),
        ),
        (
            np.where(srgb <= 0.04045, srgb * 12.92, power),
            Flaw(
                "The dark end gets lighter instead of darker: 0.03 becomes 0.39.",
                "Does 12.92 multiply the straight piece, or divide it?",
            ),
        ),
        (
            _decode(srgb / 255),
            Flaw(
                "Your light is far too dark: the values were divided by 255 once more.",
                "They come in 0..1 already.",
            ),
        ),
        (
            np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** (1 / 2.4)),
            Flaw(
                "The upper part has the exponent of the way back: it makes values lighter.",
                "0.5 should become about 0.21: which exponent makes it smaller?",
            ),
        ),
        (
            np.where(srgb <= 0.04045, srgb / 12.92, (srgb / 1.055) ** 2.4),
            Flaw(
                "The upper part is too dark: 1 does not become 1.",
                "Something is added before the division by 1.055.",
            ),
        ),
    )
    right = _decode(srgb)
    at = np.unravel_index(np.abs(result - right).argmax(), right.shape)
    otherwise = Flaw(
        f"For {srgb[at]:g} your function says {result[at]:.4g}; it should be {right[at]:.4g}.",
        "Write the two pieces on two lines, `low` and `high`, and print each for 0.5 and 0.03.",
    )
    flaw = match(result, right, mistakes, otherwise, 1e-6)
    if flaw is None:  # of any shape: a curve's samples, too
        want_array(call(decode, srgb[0].copy()), shape=(4,), what="the light of four values")
    return flaw


# --- 1.2 -----------------------------------------------------------------------------------------


def _test_xyz_to_lab(xyz_to_lab: Any) -> Flaw | None:
    colors = np.array([[[0.9, 0.1, 0.2], [0.1, 0.6, 0.3]], [[0.02, 0.01, 0.03], [0.4, 0.4, 0.9]]])
    xyz = _decode(colors) @ RGB_TO_XYZ.T
    result = call(xyz_to_lab, xyz.copy(), pure=True)
    right = _xyz_to_lab(xyz)
    if isinstance(result, np.ndarray) and result.shape == (3, 2, 2):
        return Flaw(
            "The channels have become the first axis.",
            "Stack them along the last one: np.stack([L, a, b], axis=-1).",
        )
    result = want_array(result, shape=xyz.shape, what="Lab")
    fx, fy, fz = np.moveaxis(_f(xyz / WHITE), -1, 0)
    t = xyz / WHITE
    brackets = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / 3 * (6 / 29) ** 2 + 4 / 29)
    roots = np.moveaxis(np.cbrt(xyz / WHITE), -1, 0)
    straight = t / (3 * (6 / 29) ** 2) + 4 / 29
    precedence = np.where(t > (6 / 29) ** 3, t / 3, straight)
    third = Flaw(
        "Your cube root divides by 3: t ** 1/3 means (t ** 1) / 3.",
        "** comes before /: put brackets around the exponent, or take np.cbrt.",
    )
    mistakes = (
        (
            _lab(*np.moveaxis(_f(xyz), -1, 0)),
            Flaw(
                "White was forgotten: a gray pixel gets a color.",
                "f works on shares of WHITE, so that white itself is (1, 1, 1).",
            ),
        ),
        (
            right * (1, 1, -1),
            Flaw("b has the wrong sign.", "Yellow is positive: is fy or fz larger for yellow?"),
        ),
        (
            right * (1, -1, 1),
            Flaw("a has the wrong sign.", "Red is positive: is fx or fy larger for red?"),
        ),
        (
            right[..., [0, 2, 1]],
            Flaw("a and b have changed places.", "a comes from fx and fy, b from fy and fz."),
        ),
        (
            right + (16, 0, 0),
            Flaw(
                "L is too large by 16 everywhere: black gets 16.",
                "Which part of L's formula brings black to 0?",
            ),
        ),
        (
            _lab(*np.moveaxis(precedence, -1, 0)),
            third,
        ),
        (
            _lab(*np.moveaxis(t / 3, -1, 0)),
            third,
        ),
        (
            _lab(*roots),
            Flaw(
                "The bright colors are right; the darkest one is not.",
                "Below (6/29)**3 f is a straight line: np.where chooses between the two.",
            ),
        ),
        (
            _lab(*np.moveaxis(brackets, -1, 0)),
            Flaw(
                "The straight piece is divided by 3 and multiplied by (6/29)**2.",
                "Both stand below the line: a pair of brackets is missing.",
            ),
        ),
        (
            np.stack([116 * fy - 16, 500 * (fx - fy), 500 * (fy - fz)], axis=-1),
            Flaw("b has a's factor.", "500 belongs to a, 200 to b."),
        ),
        (
            np.stack([116 * fy - 16, 200 * (fx - fy), 500 * (fy - fz)], axis=-1),
            Flaw("500 and 200 have changed places.", "500 belongs to a, 200 to b."),
        ),
        (
            np.stack([116 * fy - 16, 500 * fx - fy, 200 * fy - fz], axis=-1),
            Flaw(
                "The factors 500 and 200 reach only the first half of each difference.",
                "* comes before -: a pair of brackets is missing.",
            ),
        ),
        (
            _lab(*np.moveaxis(np.where(t > 6 / 29, np.cbrt(t), straight), -1, 0)),
            Flaw(
                "The two pieces of f meet at the wrong place.",
                "The root begins at (6/29)**3; 6/29 is its value there.",
            ),
        ),
    )
    at = _worst(result, right)
    otherwise = Flaw(
        f"The color with XYZ {np.round(xyz[at], 3)} should have the Lab {np.round(right[at], 1)}; "
        f"yours is {np.round(result[at], 1)}.",
        "Print f of the three numbers first: "
        f"for this color it is {np.round(_f(xyz[at] / WHITE), 3)}.",
    )
    flaw = match(result, right, mistakes, otherwise, 1e-3)
    if flaw is None:  # the lesson also asks for single colors
        want_array(call(xyz_to_lab, xyz[0, 0].copy()), shape=(3,), what="the Lab of one color")
    return flaw


# --- 1.3 -----------------------------------------------------------------------------------------


def _test_lab_to_rgb(lab_to_rgb: Any) -> Flaw | None:
    colors = np.array([[[0.9, 0.1, 0.2], [0.1, 0.6, 0.3]], [[0.02, 0.01, 0.03], [0.4, 0.4, 0.9]]])
    outside = np.array([[[60.0, 0, -90], [60, 90, 90]], [[95, 60, 0], [20, -60, 20]]])
    lab = np.concatenate([_rgb_to_lab(colors), outside])
    result = want_array(call(lab_to_rgb, lab.copy(), pure=True), shape=lab.shape, what="sRGB")

    def back(
        matrix: np.ndarray, inverse: Any = _f_inverse, white: Any = WHITE, signs: Any = (1, 1)
    ) -> np.ndarray:
        fy = (lab[..., 0] + 16) / 116
        fx, fz = fy + signs[0] * lab[..., 1] / 500, fy - signs[1] * lab[..., 2] / 200
        f = np.stack([fx, fy, fz], axis=-1)
        return (inverse(f) * white) @ matrix.T

    def brackets(f: np.ndarray) -> np.ndarray:
        return np.where(f > 6 / 29, f**3, (f - 4 / 29) / 3 * (6 / 29) ** 2)

    inverse = np.linalg.inv(RGB_TO_XYZ)
    linear = back(inverse)
    right = _encode(linear).clip(0, 1)
    if np.allclose(result[:2], right[:2], atol=1e-4) and (
        result.min() < -1e-6 or result.max() > 1 + 1e-6
    ):
        return Flaw(
            f"Colors inside sRGB are right; those outside give {result.min():.2f} to "
            f"{result.max():.2f}.",
            "A screen has nothing below 0 or above 1: end with .clip(0, 1).",
        )
    mistakes = (
        (
            linear.clip(0, 1),
            Flaw(
                "That is linear light, too dark to look at.",
                "One step is missing at the end: from light to the values of a file.",
            ),
        ),
        (
            _encode(back(RGB_TO_XYZ)).clip(0, 1),
            Flaw(
                "The matrix leads the wrong way.",
                "From XYZ back to RGB goes its inverse: np.linalg has it.",
            ),
        ),
        (
            _encode(back(inverse.T)).clip(0, 1),
            Flaw(
                "The matrix is transposed.",
                "Pixels are rows here: xyz @ M.T multiplies each by M.",
            ),
        ),
        (
            _encode(back(inverse, white=1.0)).clip(0, 1),
            Flaw(
                "White was forgotten: grays come out with a tint.",
                "Multiply by WHITE before the matrix, since you divided by it on the way there.",
            ),
        ),
        (
            _encode(back(inverse, white=1 / WHITE)).clip(0, 1),
            Flaw(
                "WHITE is divided out a second time: grays come out with a tint.",
                "The way there divided by WHITE: what undoes a division?",
            ),
        ),
        (
            _encode(back(inverse, inverse=lambda f: f)).clip(0, 1),
            Flaw(
                "fx, fy and fz went into the matrix as they are: f was not undone.",
                "The inverse of f has two pieces: a cube, and the straight line solved for t.",
            ),
        ),
        (
            _encode(back(inverse, inverse=lambda f: f**3)).clip(0, 1),
            Flaw(
                "Bright colors are right; the dark ones are not.",
                "The inverse of f has two pieces too: f**3 above 6/29, and below it the straight "
                "line solved for t.",
            ),
        ),
    )
    mistakes += (
        (
            _encode(back(inverse, signs=(1, -1))).clip(0, 1),
            Flaw("Blue and yellow have changed places.", "b is 200 * (fy - fz): solve it for fz."),
        ),
        (
            _encode(back(inverse, signs=(-1, 1))).clip(0, 1),
            Flaw("Red and green have changed places.", "a is 500 * (fx - fy): solve it for fx."),
        ),
        (
            _encode(back(inverse, inverse=brackets)).clip(0, 1),
            Flaw(
                "The straight piece's factor is upside down: dark colors are wrong.",
                "Solve f = t / (3 * (6/29)**2) + 4/29 for t, on paper.",
            ),
        ),
        (
            _decode(linear.clip(0, 1)),
            Flaw(
                "Your function decodes at the end: the picture is far too dark.",
                "The way back ends at the values of a file: which of the two functions makes them?",
            ),
        ),
        (
            255 * right,
            Flaw("Your values go to 255.", "Asked for is 0 to 1, as floats."),
        ),
    )
    at = _worst(result, right)
    otherwise = Flaw(
        f"The Lab color {np.round(lab[at], 1)} should become {np.round(right[at], 3)}; yours is "
        f"{np.round(result[at], 3)}.",
        "Go the steps of 1.1 and 1.2 backwards, last one first, and compare each with its "
        "counterpart on one pixel.",
    )
    flaw = match(result, right, mistakes, otherwise, 1e-4)
    if flaw is None:
        want_array(call(lab_to_rgb, lab[0, 0].copy()), shape=(3,), what="the sRGB of one color")
    return flaw


# --- 1.4 -----------------------------------------------------------------------------------------


@own_random
def _test_batched(rgb_to_lab_batch: Any) -> Flaw | None:
    import torch

    random = np.random.default_rng(0)
    pixels = random.random((2, 4, 5, 3))
    pixels[0, 0, 0] = 0  # black: there the derivative of a cube root is infinite
    pixels[1, 0, 0] = 0.01
    batch = torch.from_numpy(pixels).movedim(-1, 1).contiguous().requires_grad_()
    result = call(rgb_to_lab_batch, batch)
    right = np.moveaxis(_rgb_to_lab(pixels), -1, 1)
    if isinstance(result, torch.Tensor) and tuple(result.shape) == (2, 4, 5, 3):
        return Flaw(
            "The channels of your result come last.",
            "Networks want (B, 3, H, W): stack along dim=1.",
        )
    result = want_tensor(result, shape=(2, 3, 4, 5), what="Lab")
    transposed = _xyz_to_lab(_decode(pixels) @ RGB_TO_XYZ)
    undecoded = _xyz_to_lab(pixels @ RGB_TO_XYZ.T)
    mistakes = (
        (
            np.moveaxis(transposed, -1, 1),
            Flaw(
                "The matrix is transposed.",
                "Each XYZ is a row of M times the three channels: which index of M is summed over?",
            ),
        ),
        (
            np.moveaxis(undecoded, -1, 1),
            Flaw(
                "The coded values went into the matrix, not the light.",
                "M is for linear light: `linear` is in the stub already.",
            ),
        ),
        (
            right / np.array([50, 110, 110])[:, None, None] - np.array([1, 0, 0])[:, None, None],
            Flaw(
                "That is Lab as a network wants it already.",
                "Return it in CIE units; the scaling comes later in the lesson.",
            ),
        ),
    )
    t = _decode(pixels) @ RGB_TO_XYZ.T
    third = np.where(t / WHITE > (6 / 29) ** 3, t / WHITE / 3, _f(t / WHITE))
    mistakes += (
        (
            np.moveaxis(_lab(*np.moveaxis(third, -1, 0)), -1, 1),
            Flaw(
                "Your cube root divides by 3: t ** 1/3 means (t ** 1) / 3.",
                "** comes before /: put brackets around the exponent.",
            ),
        ),
        (
            np.moveaxis(_xyz_to_lab(np.maximum(t / WHITE, (6 / 29) ** 3) * WHITE), -1, 1),
            Flaw(
                "t is clamped for good, so that dark colors all become the same.",
                "Clamp inside the power only: the condition and the straight piece keep t.",
            ),
        ),
        (
            np.moveaxis(_lab(*np.moveaxis(_f(t), -1, 0)), -1, 1),
            Flaw("White was forgotten.", "Divide by `white` after the matrix."),
        ),
    )
    away = np.moveaxis(np.abs(result.detach().numpy() - right), 1, -1).max(axis=-1)
    at = np.unravel_index(away.argmax(), away.shape)
    otherwise = Flaw(
        f"The pixel {np.round(pixels[at], 2)} should have the Lab "
        f"{np.round(np.moveaxis(right, 1, -1)[at], 1)}; yours is "
        f"{np.round(np.moveaxis(result.detach().numpy(), 1, -1)[at], 1)}.",
        "Feed it to the NumPy version too, and print each step of both.",
    )
    flaw = match(result, right, mistakes, otherwise, 1e-3)
    if flaw is not None:
        return flaw
    if not result.requires_grad:
        return Flaw(
            "The numbers are right, but no gradient can flow back.",
            "A .detach(), .item(), .numpy() or torch.no_grad() cut the way: a network could not "
            "learn through this.",
        )
    result.sum().backward()
    if batch.grad is None or not bool(torch.isfinite(batch.grad).all()):
        count = 0 if batch.grad is None else int((~torch.isfinite(batch.grad)).sum())
        return Flaw(
            f"The values are right, but {count} gradients are NaN: those of black pixels.",
            "The derivative of a cube root at 0 is infinite, and torch.where multiplies it by 0 "
            "where the other branch was chosen: 0 · ∞ is NaN. What input would be safe for the "
            "root, and change no value that is chosen?",
        )
    wanted = _gradient(pixels)
    away = (batch.grad - wanted).abs().amax(dim=1)
    if away.max() > 1e-3 * wanted.abs().max():
        return Flaw(
            "The values are right, and the gradient is not: a part of the way is cut off.",
            "No .detach(), .data or torch.no_grad() on the way, for none of the pieces.",
        )
    small = torch.zeros(1, 3, 2, 2, requires_grad=True)  # float32, all black
    call(rgb_to_lab_batch, small).sum().backward()
    if not bool(torch.isfinite(small.grad).all()):
        return Flaw(
            "The values are right, but in float32 the gradient of black is NaN after all.",
            "A tiny number added to t vanishes in float32. Below (6/29)**3 the root is not chosen: "
            "how small does its input have to be?",
        )
    return None


def _gradient(pixels: np.ndarray) -> Any:
    """The gradient of the sum of all of Lab in sRGB, (B, 3, H, W), by the formulas' derivatives."""
    import torch

    t = _decode(pixels) @ RGB_TO_XYZ.T / WHITE
    knee = (6 / 29) ** 3
    root = np.maximum(t, knee) ** (-2 / 3) / 3
    of_f = np.where(t > knee, root, 1 / (3 * (6 / 29) ** 2))
    of_sum = np.array([500.0, 116 - 500 + 200, -200.0])  # L + a + b, by fx, fy and fz
    of_linear = (of_f * of_sum / WHITE) @ RGB_TO_XYZ
    of_code = np.where(
        pixels <= 0.04045, 1 / 12.92, 2.4 / 1.055 * ((pixels + 0.055) / 1.055) ** 1.4
    )
    return torch.from_numpy(of_linear * of_code).movedim(-1, 1)


# --- 1.5 -----------------------------------------------------------------------------------------


def _test_prepare(prepare: Any) -> Flaw | None:
    random = np.random.default_rng(1)
    photo = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    result = call(prepare, photo.copy())
    lab = _rgb_to_lab(photo / 255)
    right = lab[..., 0] / 50 - 1
    if isinstance(result, np.ndarray) and result.shape == (5, 6, 3):
        return Flaw(
            "All three channels of Lab came back.",
            "The network gets only L: lab[..., 0].",
        )
    result = want_array(result, shape=(5, 6), what="the network's input")
    luma = photo @ np.array([0.299, 0.587, 0.114]) / 255
    mistakes = (
        (
            luma * 2 - 1,
            Flaw(
                "The bug is still in: that is the gray of a file, scaled.",
                "L comes from light, not from a weighted sum of coded values: what gives you L?",
            ),
        ),
        (
            photo @ np.array([0.2126, 0.7152, 0.0722]) / 255 * 2 - 1,
            Flaw(
                "That is luma with the weights of light: the values are still coded.",
                "L comes from light, not from a weighted sum of coded values: what gives you L?",
            ),
        ),
        (
            _xyz_to_lab(photo / 255 @ RGB_TO_XYZ.T)[..., 0] / 50 - 1,
            Flaw(
                "The matrix got coded values: the decoding is missing.",
                "by_hand decodes first.",
            ),
        ),
        (
            photo.mean(axis=-1) / 255 * 2 - 1,
            Flaw(
                "A plain mean of the channels is further from L than what stood there.",
                "L comes from light: by_hand.",
            ),
        ),
        (
            lab[..., 0],
            Flaw(
                "L is right, but on its own scale, 0 to 100.",
                "The network was trained on L / 50 - 1.",
            ),
        ),
        (
            lab[..., 0] / 100,
            Flaw(
                "Your L goes from 0 to 1.", "The network was trained on L / 50 - 1, from -1 to 1."
            ),
        ),
        (
            lab[..., 0] / 50,
            Flaw("Your L goes from 0 to 2.", "The network's numbers lie around 0."),
        ),
        (
            (_decode(photo / 255) @ RGB_TO_XYZ.T)[..., 1] * 2 - 1,
            Flaw(
                "That is luminance, Y: proportional to light, and not how light it looks.",
                "L is 116 f(Y) - 16, and by_hand computes it.",
            ),
        ),
        (
            _decode(photo / 255) @ np.array([0.299, 0.587, 0.114]) * 2 - 1,
            Flaw(
                "Linear light is right, but those are luma's weights, and the root is missing.",
                "by_hand has the right weights and the root.",
            ),
        ),
        (
            _rgb_to_lab(photo.astype(float))[..., 0] / 50 - 1,
            Flaw(
                "L runs into the thousands: by_hand got values of 0 to 255.",
                "It wants 0 to 1: divide the photo by 255 first.",
            ),
        ),
    )
    otherwise = Flaw(
        f"A pixel with L {lab[0, 0, 0]:.1f} should give {right[0, 0]:.3f}; yours is "
        f"{result[0, 0]:.3f}.",
        "Two steps are enough: Lab of the photo as floats in 0..1, then the network's scale.",
    )
    return match(result, right, mistakes, otherwise, 1e-4)


# --- 1.6 -----------------------------------------------------------------------------------------


def _test_share(share_nearly_gray: Any) -> Flaw | None:
    random = np.random.default_rng(2)
    lab = np.concatenate(
        [random.uniform(0, 100, (3, 1, 40, 50)), random.normal(0, 12, (3, 2, 40, 50))], axis=1
    )
    for limit in (17.0, 10.0):
        flaw = _check_share(share_nearly_gray, lab, limit)
        if flaw is not None:
            return flaw
    return None


def _check_share(share_nearly_gray: Any, lab: np.ndarray, limit: float) -> Flaw | None:
    result = call(share_nearly_gray, lab.copy(), limit, pure=True)
    a, b = lab[:, 1], lab[:, 2]
    near = np.hypot(a, b) < limit
    if isinstance(result, np.ndarray) and result.shape == (3,):
        return Flaw("That is one number for each photo.", "Take the mean over everything at once.")
    number = want_number(result, "the share")
    mistakes = (
        (
            float(near.sum()),
            Flaw("You have counted the pixels.", "A share is the mean of True and False."),
        ),
        (
            100 * near.mean(),
            Flaw("That is in percent.", "Return a number between 0 and 1."),
        ),
        (
            (~near).mean(),
            Flaw("That is the share of the others, the colorful ones.", "Nearly gray is below."),
        ),
        (
            (np.abs(a) + np.abs(b) < limit).mean(),
            Flaw(
                "|a| + |b| is not the distance from gray.",
                "Chroma is the length of the arrow (a, b).",
            ),
        ),
        (
            (np.maximum(np.abs(a), np.abs(b)) < limit).mean(),
            Flaw(
                "You have asked a and b one by one: that is a square around gray, not a circle.",
                "Chroma is the root of a² + b².",
            ),
        ),
        (
            (np.linalg.norm(lab, axis=1) < limit).mean(),
            Flaw("L is part of your distance.", "Chroma is made only of a and b."),
        ),
        (
            (np.hypot(lab[:, 0], a) < limit).mean(),
            Flaw(
                "Those are L and a.",
                "The channels stand at axis 1, in the order L, a, b; counting starts at 0.",
            ),
        ),
        (
            (np.hypot(lab[1], lab[2]) < limit).mean(),
            Flaw(
                "You have taken photos 1 and 2 of the batch for a and b.",
                "Axis 0 counts the photos; the channels are the axis after it.",
            ),
        ),
        (
            (np.hypot(lab[..., 1], lab[..., 2]) < limit).mean(),
            Flaw(
                "You have taken columns 1 and 2 of the photos for a and b.",
                "The shape is (N, 3, H, W): which axis has three entries?",
            ),
        ),
        (
            ((a**2 + b**2) < limit).mean(),
            Flaw("The root is missing.", "a² + b² is the square of the chroma."),
        ),
        (
            (np.hypot(a, b) < 10).mean(),
            Flaw("10 stands there as a fixed number.", "Use the argument: limit."),
        ),
        (
            float(near.sum()) / len(lab),
            Flaw(
                "That is the number of pixels per photo.",
                "Divide by the number of all pixels: .mean() does.",
            ),
        ),
        (
            np.hypot(a, b).mean(),
            Flaw(
                "That is the mean chroma, not a share.", "Compare each chroma with the limit first."
            ),
        ),
    )
    otherwise = Flaw(
        f"For a batch made for this check your share is {number:.3f}; it should be "
        f"{near.mean():.3f}.",
        "Chroma first, for each pixel; then compare with the limit; then the mean.",
    )
    return match(number, near.mean(), mistakes, otherwise, 1e-6)


EXERCISES = (
    Exercise(
        name="1.1",
        title="From coded values to light",
        difficulty=1,
        minutes=5,
        start=(
            "Return the linear light of an array of sRGB values in 0..1. Look first at the formula "
            "above: it has two pieces. How does np.where choose between two arrays?"
        ),
        test=_test_decode,
        solved="This one curve is why 128 is a fifth of the light of 255, and not half.",
    ),
    Exercise(
        name="1.2",
        title="From XYZ to Lab",
        difficulty=2,
        minutes=10,
        start=(
            "Apply f to all three shares of white, then take the differences. Look first at f: "
            "which of your functions has two pieces like it?"
        ),
        test=_test_xyz_to_lab,
        solved="Lab is differences of cube roots, and nothing more.",
    ),
    Exercise(
        name="1.3",
        title="The way back",
        difficulty=3,
        minutes=15,
        start=(
            "Undo the steps one after the other, the last one first. Write the steps of `by_hand` "
            "down in a list and read it backwards: which formula gives fx, once fy is known?"
        ),
        test=_test_lab_to_rgb,
        solved="A network's ab becomes a picture through exactly these lines.",
    ),
    Exercise(
        name="1.4",
        title="A whole batch, in torch",
        difficulty=3,
        minutes=15,
        start=(
            "The same steps for a tensor (B, 3, H, W). Look first at which axis holds the "
            "channels: what must the matrix be multiplied with?"
        ),
        test=_test_batched,
        solved="Gradients flow through it, at black pixels too.",
    ),
    Exercise(
        name="1.5",
        title="The planted bug",
        difficulty=2,
        minutes=5,
        start="Ask of each line of the function with the bug what its numbers are. Which is L?",
        test=_test_prepare,
        solved="This bug raises no error. It is found by asking of each number what it is.",
    ),
    Exercise(
        name="1.6",
        title="How much of a photo is nearly gray",
        difficulty=1,
        minutes=5,
        start=(
            "Return the share of all pixels whose chroma is below the limit. Look first at the "
            "shape: which axis holds the channels, and at which places stand a and b?"
        ),
        test=_test_share,
        solved="Two pixels of five are nearly gray: a network that answers gray is often near.",
    ),
)
