"""Lesson 10: how coarse a, b come to the full size of L."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from colorlab.color import denormalize_lab, fit_gamut, lab_to_rgb, normalize_lab, rgb_to_lab
from colorlab.colorize import Colorizer, guided_coefficients
from colorlab.course.widgets._bundle import draw_label, reduce
from colorlab.course.widgets._panel import Panel, slider, steps
from colorlab.course.widgets._plane import beside
from colorlab.show import to_uint8

LARGEST = 384  # pixels: the longer side of the photo
CROP, TIMES = 48, 4  # pixels of the photo a side, and how large each is drawn
WAYS = ("nearest", "bilinear", "guided")
COARSE = (2, 4, 8, 16)  # pixels of the photo a side for one of ab
EPSILONS = ("1e-5", "3e-5", "1e-4", "3e-4", "0.001", "0.003", "0.01", "0.03", "0.1")
FLAT_L = 65.0  # the lightness at which ab is shown alone
EDGES = 0.05  # of the steps of L in the crop, the strongest


class EnlargePlay(Panel):
    """Carry coarse a, b to the size of L: in blocks, smoothly, or along the edges of L.

        EnlargePlay(photo, Colorizer.load())

    The network predicts once. Its ab are reduced further, so that a small photo stands for a large
    one. The part shown enlarged is the one whose predicted colors differ most.

    Args:
        photo: a picture of any kind, at least 48 pixels a side.
        colorizer: predicts ab.

    Raises:
        ValueError: a photo with a side below 48 pixels.
    """

    def __init__(self, photo: Any, colorizer: Colorizer) -> None:
        pixels = reduce(to_uint8(photo), LARGEST)
        if min(pixels.shape[:2]) < CROP:
            raise ValueError(
                f"the photo has {pixels.shape[1]} x {pixels.shape[0]} pixels; give one with at "
                f"least {CROP} a side"
            )
        self.full = lightness_of(pixels)
        self.predicted = colorizer.predict(pixels)
        self.row, self.column = self._place()
        super().__init__(
            self._draw,
            {
                "coarse": steps("one a, b for", [(f"{n} × {n} pixels", n) for n in COARSE], 8),
                "radius": slider("radius", 2, 1, 8, 1),
                "epsilon": steps("epsilon", [(e, float(e)) for e in EPSILONS], 1e-3),
            },
            "Left: the photo with its own L and the a, b of the guided filter; the frame marks the "
            "part whose colors differ most. Right: that part, four times as large, with a, b "
            "enlarged in three ways, and below them these a, b alone, at one L. radius and epsilon "
            "count for guided alone.",
            columns=2,
        )

    def _draw(self, coarse: int, radius: int, epsilon: float) -> tuple[np.ndarray, str]:
        seen = self._reduced(coarse)
        rows, columns = (slice(at, at + CROP) for at in (self.row, self.column))
        L = self.full[..., rows, columns]
        abs_ = [enlarged(self.full, *seen, way, radius, epsilon) for way in WAYS]
        parts = torch.cat([ab[..., rows, columns] for ab in abs_], -1)
        Ls = torch.cat([L, torch.full_like(L, FLAT_L / 50 - 1)], 2).repeat(1, 1, 1, len(WAYS))
        drawn = colored(Ls, parts.repeat(1, 1, 2, 1)).repeat(TIMES, 0).repeat(TIMES, 1)
        tiles = [tile.copy() for tile in np.split(drawn, len(WAYS), axis=1)]
        told = []
        for way, tile, part in zip(WAYS, tiles, parts.split(CROP, -1), strict=True):
            draw_label(tile, way)
            at_edges, elsewhere = steps_of_color(L, part)
            told.append(f"{way} {at_edges:.1f} and {elsewhere:.1f}")
        draw_label(tiles[0][CROP * TIMES :], "a, b alone")
        whole = self._framed(colored(self.full, abs_[-1]))
        words = (
            "From pixel to pixel a, b change, in CIE units, where L has its strongest edges and "
            f"elsewhere: {', '.join(told)} (radius {radius}, epsilon {epsilon:g})."
        )
        return beside(whole, *tiles), words

    def _framed(self, pixels: np.ndarray) -> np.ndarray:
        """The photo with a frame around the part."""
        whole = Image.fromarray(pixels)
        box = [self.column - 2, self.row - 2, self.column + CROP + 1, self.row + CROP + 1]
        draw = ImageDraw.Draw(whole)
        draw.rectangle(box, outline="black", width=3)
        draw.rectangle([box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1], outline="white")
        return np.asarray(whole)

    def _reduced(self, coarse: int) -> tuple[Tensor, Tensor]:
        """L and ab of the prediction, one pixel for coarse × coarse of the photo."""
        size = [max(1, round(side / coarse)) for side in self.full.shape[2:]]
        return tuple(F.interpolate(x, size=size, mode="area") for x in self.predicted)

    def _place(self) -> tuple[int, int]:
        """Row and column of the part in which the predicted colors differ most."""
        ab = F.interpolate(self.predicted[1], size=self.full.shape[2:], mode="bilinear")

        def mean(x: Tensor) -> Tensor:
            return F.avg_pool2d(x, CROP, stride=1)

        spread = (mean(ab**2) - mean(ab) ** 2).sum(1)
        return divmod(int(spread.argmax()), spread.shape[-1])


def lightness_of(pixels: np.ndarray) -> Tensor:
    """uint8 (H, W, 3) -> L (1, 1, H, W) in [-1, 1]."""
    return normalize_lab(rgb_to_lab(torch.from_numpy(pixels.copy()).movedim(-1, 0)[None]))[0]


def colored(L: Tensor, ab: Tensor) -> np.ndarray:
    """L (1, 1, H, W) and ab (1, 2, H, W), both in [-1, 1] -> uint8 (H, W, 3)."""
    return to_uint8(lab_to_rgb(fit_gamut(denormalize_lab(L, ab)))[0])


def enlarged(
    full: Tensor, lightness: Tensor, ab: Tensor, way: str, radius: int = 2, epsilon: float = 1e-3
) -> Tensor:
    """Coarse ab at the size of the photo, (1, 2, H, W) in [-1, 1].

    Args:
        full: L of the photo, (1, 1, H, W) in [-1, 1].
        lightness, ab: the same photo as the network sees it, (1, 1, h, w) and (1, 2, h, w).
        way: "nearest", "bilinear" or "guided".
        radius, epsilon: of the guided filter, see ``colorlab.colorize.guided_coefficients``.
    """
    size = full.shape[2:]
    if way != "guided":
        return F.interpolate(ab, size=size, mode=way)
    slope, offset = guided_coefficients(lightness, ab, radius, epsilon)
    both = F.interpolate(torch.cat([slope, offset], 1), size=size, mode="bilinear")
    return both[:, :2] * full + both[:, 2:]


def steps_of_color(L: Tensor, ab: Tensor) -> tuple[float, float]:
    """Mean |Δab| between neighboring pixels: where |ΔL| is among the largest, and elsewhere.

    L (1, 1, H, W) and ab (1, 2, H, W) are in [-1, 1]; the result is in CIE units.
    """
    lab = denormalize_lab(L, ab)[0]
    pairs = torch.cat([lab.diff(dim=axis).flatten(1) for axis in (1, 2)], dim=1)  # (3, N)
    change, away = pairs[0].abs(), pairs[1:].norm(dim=0)
    falling = away[change.argsort(descending=True)]
    count = math.ceil(EDGES * len(falling))
    return float(falling[:count].mean()), float(falling[count:].mean())
