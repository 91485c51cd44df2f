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
from colorlab.course.widgets._panel import Panel, choice, slider, steps
from colorlab.course.widgets._plane import beside
from colorlab.show import to_uint8

LARGEST = 384  # pixels: the longer side of the photo
CROP, TIMES = 48, 6  # pixels of the photo a side, and how large each is drawn
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
                "way": choice("a, b by", ["nearest", "bilinear", "guided"], "guided"),
                "coarse": steps("one a, b for", [(f"{n} × {n} pixels", n) for n in COARSE], 4),
                "radius": slider("radius", 2, 1, 8, 1),
                "epsilon": steps("epsilon", [(e, float(e)) for e in EPSILONS], 1e-3),
            },
            "Left: the photo with its own L and the enlarged a, b; the frame marks the part "
            "whose colors differ most. Middle: that part, six times as large. Right: its a, b "
            "alone, at one L.",
            columns=2,
        )

    def _draw(self, way: str, coarse: int, radius: int, epsilon: float) -> tuple[np.ndarray, str]:
        ab = enlarged(self.full, *self._reduced(coarse), way, radius, epsilon)
        rows, columns = (slice(at, at + CROP) for at in (self.row, self.column))
        L, part = self.full[..., rows, columns], ab[..., rows, columns]
        whole = Image.fromarray(colored(self.full, ab))
        box = [self.column - 2, self.row - 2, self.column + CROP + 1, self.row + CROP + 1]
        draw = ImageDraw.Draw(whole)
        draw.rectangle(box, outline="black", width=3)
        draw.rectangle([box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1], outline="white")
        flat = torch.full_like(L, FLAT_L / 50 - 1)
        tiles = [np.asarray(whole).copy()]
        for pixels, label in ((colored(L, part), way), (colored(flat, part), "a, b alone")):
            tiles.append(pixels.repeat(TIMES, 0).repeat(TIMES, 1))
            draw_label(tiles[-1], label)
        at_edges, elsewhere = steps_of_color(L, part)
        what = f"Guided, radius {radius}, epsilon {epsilon:g}" if way == "guided" else way.title()
        words = (
            f"{what}. In this part a, b change by {at_edges:.1f} CIE units from pixel to pixel "
            f"where L has its strongest edges, and by {elsewhere:.1f} elsewhere."
        )
        if way != "guided":
            words += " radius and epsilon count for guided alone."
        return beside(*tiles), words

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
