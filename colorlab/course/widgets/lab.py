"""Lesson 01's widgets: what L, a and b of a photo hold, the gamut, and how coarse color may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from colorlab.color import gamut_fraction, lab_to_rgb, rgb_to_lab
from colorlab.course.widgets import _plane
from colorlab.course.widgets._bundle import draw_label, reduce
from colorlab.course.widgets._panel import Panel, choice, slider, steps
from colorlab.show import to_uint8

SIDE = 300  # pixels: the longer side of a photo, and the side of the ab plane beside it
NEAR = 2.0  # a pixel belongs to the slice at L if its own L is no further away
DOTS = 1500  # more of them would hide the colors below


def _lab_of(photo: Any) -> torch.Tensor:
    """A picture of any kind -> Lab (3, H, W), reduced."""
    pixels = reduce(to_uint8(photo), SIDE)
    return rgb_to_lab(torch.from_numpy(pixels).movedim(-1, 0))


def _pairs(lab: torch.Tensor) -> np.ndarray:
    """Lab (3, H, W) -> ab of each pixel, (H·W, 2)."""
    return lab[1:].flatten(1).T.numpy()


def changed_lab(lab: torch.Tensor, scale: Any, shift: Any) -> torch.Tensor:
    """Scale and shift each channel of Lab (3, H, W); L turns about 50, its middle."""
    scale = torch.tensor(scale, dtype=lab.dtype)[:, None, None]
    shift = torch.tensor(shift, dtype=lab.dtype)[:, None, None]
    middle = torch.tensor([50.0, 0.0, 0.0], dtype=lab.dtype)[:, None, None]
    result = (lab - middle) * scale + middle + shift
    result[0].clamp_(0, 100)
    return result


class LabSliders(Panel):
    """Scale and shift L, a and b of a photo, with the histogram of its ab beside it."""

    def __init__(self, photo: Any) -> None:
        self.lab = _lab_of(photo)
        controls = {}
        for channel, most in (("L", 2.0), ("a", 2.0), ("b", 2.0)):
            lowest = 0.0 if channel == "L" else -most
            controls[f"{channel}_scale"] = slider(f"{channel} times", 1.0, lowest, most, 0.1)
            controls[f"{channel}_shift"] = slider(f"{channel} plus", 0, -60, 60, 5)
        super().__init__(
            self._draw,
            controls,
            "Left: the photo. Right: how often each a and b occurs in it, the more the stronger.",
            columns=2,
        )

    def _draw(self, **values: float) -> tuple[np.ndarray, str]:
        lab = changed_lab(
            self.lab,
            [values[f"{channel}_scale"] for channel in "Lab"],
            [values[f"{channel}_shift"] for channel in "Lab"],
        )
        ab = _pairs(lab)
        plane = _plane.draw_axes(_plane.histogram(ab, SIDE))
        inside = float(gamut_fraction(lab))
        L, a, b = (round(float(channel.mean())) for channel in lab)  # whole, so that no -0 is said
        words = f"Mean L {L}, mean a {a}, mean b {b}. sRGB can show {inside:.0%} of these colors."
        return _plane.beside(to_uint8(lab_to_rgb(lab)), plane), words


class GamutSlice(Panel):
    """Which colors a screen has at each L, and those of the photo that have this L."""

    def __init__(self, photo: Any) -> None:
        self.lab = _lab_of(photo)
        self.gray = to_uint8(lab_to_rgb(self.lab * torch.tensor([1.0, 0, 0])[:, None, None]))
        self.colored = to_uint8(lab_to_rgb(self.lab))
        super().__init__(
            self._draw,
            {"L": slider("L", 60, 0, 100, 1)},
            "Left: the photo; its pixels of this L are in color, the others pale. Right: the "
            "colors that sRGB has at this L, with a dot for each of those pixels.",
        )

    def _draw(self, L: float) -> tuple[np.ndarray, str]:
        near = ((self.lab[0] - L).abs() <= NEAR).numpy()
        pale = (200 + self.gray * 0.2).astype(np.uint8)
        photo = np.where(near[..., None], self.colored, pale)
        ab = _pairs(self.lab)[near.ravel()]
        every = max(1, -(-len(ab) // DOTS))
        plane, share = _plane.slice_at(L, SIDE)
        plane = _plane.draw_dots(_plane.draw_axes(plane), ab[::every])
        words = (
            f"At L {L:g}, {share:.0%} of the square are colors that sRGB has. {near.mean():.1%} of "
            f"the photo's pixels have this L."
        )
        return _plane.beside(photo, plane), words


def quantized(lab: torch.Tensor, step: float, channels: str) -> torch.Tensor:
    """Lab (3, H, W) with the given channels ("L", "ab" or "Lab") rounded to multiples of `step`."""
    result = lab.clone()
    for number, name in enumerate("Lab"):
        if name in channels:
            result[number] = (lab[number] / step).round() * step
    return result


class FewLevels(Panel):
    """Round L or ab to a few levels, and see which of the two the eye forgives."""

    STEPS = (1, 2, 5, 10, 15, 20, 25, 30, 40, 60, 80, 100)

    def __init__(self, photo: Any) -> None:
        self.lab = _lab_of(photo)
        self.original = to_uint8(lab_to_rgb(self.lab))
        draw_label(self.original, "as it was")
        which = [("a and b", "ab"), ("L", "L"), ("all three", "Lab")]
        super().__init__(
            self._draw,
            {
                "step": steps("to steps of", [(str(step), step) for step in self.STEPS], 20),
                "channels": choice("round", which, "ab"),
            },
            "Left: the photo. Right: the same, L or ab rounded to multiples of the step.",
            columns=2,
        )

    def _draw(self, step: int, channels: str) -> tuple[np.ndarray, str]:
        lab = quantized(self.lab, step, channels)
        pixels = to_uint8(lab_to_rgb(lab))
        draw_label(pixels, "rounded")
        used = {
            name: len(torch.unique(lab[number]))
            for number, name in enumerate("Lab")
            if name in channels
        }
        error = (lab - self.lab).norm(dim=0).mean()
        levels = ", ".join(f"{name} {count}" for name, count in used.items())
        words = (
            f"Different values left in this photo: {levels}. "
            f"A pixel is off by {error:.1f} Lab units on average."
        )
        return _plane.beside(self.original, pixels), words
