"""Lesson 08: the distribution of colors that a network predicts, and the color made of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from colorlab import palette
from colorlab.color import AB_RANGE, fit_gamut, lab_to_rgb, rgb_to_lab
from colorlab.colorize import Colorizer
from colorlab.course.widgets import _plane
from colorlab.course.widgets._panel import Panel, slider
from colorlab.course.widgets._sliders import with_dots
from colorlab.course.widgets.unet import photo_choice, square
from colorlab.palette import Suggestion
from colorlab.show import font, to_uint8

SIDE = 304  # pixels: the photo, and the plane beside it
FOOT = 62  # pixels: the swatches below
FINER = 3  # so many times finer are dots drawn, then reduced, so that they are round
LARGEST = 34.0  # pixels, the radius of a dot that has all of the distribution
SMALLEST = 0.0004  # a share below this is no dot
START = 0.4
COLORS = 4


class TemperaturePlay(Panel):
    """A photo colored by the annealed mean, at any temperature, and one pixel's distribution.

        TemperaturePlay(Colorizer.load(), {"bee": photo, ...})

    Args:
        colorizer: with weights that know a distribution of colors.
        photos: pictures of any kind by name; their middle squares are shown.

    Raises:
        ValueError: weights that know no distribution, or no photo.
    """

    def __init__(self, colorizer: Colorizer, photos: Mapping[str, Any]) -> None:
        if not colorizer.takes_hints:
            raise ValueError(
                "These weights know no distribution of colors. Use the starter weights, "
                "Colorizer.load(), or train with a recipe whose generator.kind is 'hint-unet'."
            )
        self.colorizer = colorizer
        self.photos = {name: to_uint8(square(photo, SIDE)) for name, photo in photos.items()}
        self._logits = lru_cache(maxsize=None)(self._logits)
        self._colored = lru_cache(maxsize=32)(self._colored)
        temperature = slider("temperature", START, 0.0, 1.0, 0.05)
        temperature.readout_format = ".2f"
        super().__init__(
            self._draw,
            {
                "photo": photo_choice(photos),
                "temperature": temperature,
                "across": slider("across %", 50, 0, 100, 1),
                "down": slider("down %", 50, 0, 100, 1),
            },
            "Left: the photo at this temperature; the ring marks a pixel. Right: a dot for each of "
            "the 261 bins, its area the bin's share in softmax(logits / temperature); the cross is "
            "their mean, the pixel's color. Below: the pixel's likeliest colors, with their shares "
            "at temperature 1.",
            columns=2,
        )

    def _logits(self, photo: str) -> Tensor:
        """Of the whole photo, (261, h, w)."""
        lightness, _ = self.colorizer.predict(self.photos[photo])
        with torch.inference_mode():
            both = self.colorizer.generator(lightness.to(self.colorizer.device), both=True)
        return both[1][0].float().cpu()

    def _colored(self, photo: str, temperature: float) -> np.ndarray:
        return np.asarray(self.colorizer.colorize(self.photos[photo], temperature=temperature))

    def _draw(
        self, photo: str, temperature: float, across: int, down: int
    ) -> tuple[np.ndarray, str]:
        picture, logits = self._colored(photo, temperature), self._logits(photo)
        rows, columns = logits.shape[1:]
        row, column = (min(at * n // 100, n - 1) for at, n in ((down, rows), (across, columns)))
        logits = logits[:, row, column]
        x, y = (min(at * SIDE // 100, SIDE - 1) for at in (across, down))
        lightness = float(_lab(self.photos[photo][y : y + 1, x : x + 1])[0])
        mean = palette.annealed_mean(logits[None, :, None, None], temperature).flatten() * AB_RANGE
        likeliest = palette.top_colors(logits, lightness, COLORS)
        spot = {"x": (x + 0.5) / SIDE, "y": (y + 0.5) / SIDE}
        marked = with_dots(picture, {"hints": [], "selected": None, "cursor": spot})
        plane = draw_distribution(sharpened(logits, temperature), mean, lightness)
        upper = _plane.beside(marked, plane)
        now = _plane.color_name(palette.to_color(lightness, mean))
        color, share = likeliest[0]
        words = (
            f"At temperature {temperature:.2f} this pixel is {now}. Its likeliest color is "
            f"{_plane.color_name(color)}, {share:.0%}. Mean chroma of the photo: "
            f"{_lab(picture)[1:].norm(dim=0).mean():.1f}."
        )
        return np.concatenate([upper, draw_swatches(likeliest, upper.shape[1])]), words


def sharpened(logits: Tensor, temperature: float) -> Tensor:
    """The distribution (261,) at a temperature; at 0 all is in the likeliest bin."""
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()
    return torch.softmax(logits / temperature, dim=0)


def draw_distribution(shares: Tensor, mean: Tensor, lightness: float) -> np.ndarray:
    """The ab plane with a dot for each bin and a cross at the mean, uint8 (SIDE, SIDE, 3).

    Args:
        shares: (261,), the sum 1; the area of a dot.
        mean: (2,), in CIE units.
        lightness: L of the pixel, 0 to 100; the dots have it, within what can be told apart.
    """
    image = _ground().copy()
    draw = ImageDraw.Draw(image)
    centers = palette.bins()
    level = torch.full((1, 1, len(centers)), min(max(lightness, 40.0), 80.0))
    lab = torch.cat([level, centers.T[:, None]])  # (3, 1, 261)
    colors = to_uint8(lab_to_rgb(fit_gamut(lab)))[0]
    for i in shares.argsort(descending=True).tolist():
        if shares[i] >= SMALLEST:
            box = _box(centers[i], LARGEST * float(shares[i]) ** 0.5)
            draw.ellipse(box, fill=tuple(colors[i].tolist()), outline=_plane.INK, width=2)
    x, y = _plane.place(mean.numpy(), SIDE) * FINER
    for color, width in (("white", 5), (_plane.INK, 2)):
        reach = (6 + width / 4) * FINER
        for sign in (1, -1):
            ends = [(x - reach, y - sign * reach), (x + reach, y + sign * reach)]
            draw.line(ends, fill=color, width=width * FINER)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


@cache
def _ground() -> Image.Image:
    """The plane with its axes and a speck for each bin, FINER times finer."""
    axes = Image.fromarray(_plane.draw_axes(np.full((SIDE, SIDE, 3), 250, np.uint8)))
    image = axes.resize((FINER * SIDE, FINER * SIDE), Image.Resampling.NEAREST)
    for ab in palette.bins():
        ImageDraw.Draw(image).ellipse(_box(ab, 1), fill=(205, 208, 212))
    return image


def _box(ab: Tensor, radius: float) -> list[float]:
    """Around a place of the plane, FINER times finer."""
    x, y = _plane.place(ab.numpy(), SIDE) * FINER
    return [x - radius * FINER, y - radius * FINER, x + radius * FINER, y + radius * FINER]


def draw_swatches(likeliest: list[Suggestion], width: int) -> np.ndarray:
    """Colors with their shares and names in a row, uint8 (FOOT, width, 3)."""
    image = Image.new("RGB", (width * FINER, FOOT * FINER), "white")
    draw = ImageDraw.Draw(image)
    cell = width * FINER // COLORS
    for i, (color, share) in enumerate(likeliest):
        left, top, side = i * cell + 6 * FINER, 12 * FINER, 44 * FINER
        box = [left, top, left + side, top + side]
        draw.rounded_rectangle(box, 10 * FINER, fill=color, outline=(150, 155, 160), width=FINER)
        for text, size, down in ((f"{share:.0%}", 14, 15), (_plane.color_name(color), 12, 32)):
            place = (left + side + 9 * FINER, top + down * FINER)
            draw.text(place, text, fill=_plane.INK, font=font(size * FINER), anchor="lm")
    return np.asarray(image.resize((width, FOOT), Image.Resampling.BOX))


def _lab(pixels: np.ndarray) -> Tensor:
    """uint8 (H, W, 3) -> Lab (3, H, W)."""
    return rgb_to_lab(torch.from_numpy(pixels.copy()).movedim(-1, 0))
