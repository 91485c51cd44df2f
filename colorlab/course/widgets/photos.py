"""Lesson 02's widgets: what augmentation does to a photo, and where "gray" begins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from colorlab.color import lab_to_rgb, lightness_to_gray, normalize_lab, rgb_to_lab
from colorlab.course.widgets._panel import Panel, slider
from colorlab.course.widgets._plane import beside
from colorlab.course.widgets.unet import photo_choice
from colorlab.photos.cuts import Cut
from colorlab.show import font, to_uint8

CUT = 96  # pixels, the side of the squares
COUNT = 4
LONGEST = 2.0  # the largest scale on the slider
ROOM = (300, 2 * CUT + 18)  # pixels, width and height, for the photo beside them
FRAMES = ("#e69f00", "#56b4e9", "#f0e442", "#cc79a7")  # told apart with any color vision
PER_ROW, ROWS, THUMB = 8, 2, 84


class AugmentPanel(Panel):
    """Four squares that the library's loader cuts from a photo, and what their hues may not do.

    Args:
        photos: pictures of any kind by name.
    """

    def __init__(self, photos: Mapping[str, Any]) -> None:
        side = math.ceil(CUT * LONGEST)
        self.photos = {
            name: Image.fromarray(to_uint8(photo)).convert("RGB") for name, photo in photos.items()
        }
        # A larger photo has no pixel more than any square can need.
        for name, photo in self.photos.items():
            scale = 1.5 * side / min(photo.size)
            if scale < 1:
                self.photos[name] = ImageOps.scale(photo, scale)
        super().__init__(
            self._draw,
            {
                "photo": photo_choice(photos),
                "seed": slider("seed", 0, 0, 50, 1),
                "scale": slider("scale up to", 1.2, 1.0, LONGEST, 0.1),
                "hue": slider("turn hue by °", 0, -180, 180, 20),
            },
            "Left: the photo with the frames of four squares. Right, above: what the generator "
            "gets of each, its lightness. Below: the colors that it is to predict.",
            columns=2,
        )

    def _draw(self, photo: str, seed: int, scale: float, hue: int) -> tuple[np.ndarray, str]:
        image = self.photos[photo]
        cut = Cut(CUT, augment=True, scale=(1.0, scale))
        working = cut.picture(image, (0, 0, *image.size))
        seeds = [1000 * seed + number for number in range(COUNT)]
        squares = torch.stack([cut.square(working, one) for one in seeds])
        lab = rgb_to_lab(squares)
        turned = torch.cat([lab[:, :1], _turned(lab[:, 1:], hue)], 1)
        places = [_place(cut, working, one) for one in seeds]
        mirrored = sum(place[4] for place in places)
        chroma = lab[:, 1:].norm(dim=1).mean()
        words = f"{mirrored} of {COUNT} squares are mirrored."
        if hue:
            error = (turned - lab)[:, 1:].norm(dim=1).mean()
            words += (
                f" Turned by {abs(hue)}°, the gray input is the same, and the target is "
                f"{error:.0f} Lab units away from the photo's (whose chroma is {chroma:.0f})."
            )
        above = np.hstack([_framed(_gray(one), i) for i, one in enumerate(lab)])
        below = np.hstack([_framed(to_uint8(lab_to_rgb(one)), i) for i, one in enumerate(turned)])
        gap = np.full((6, above.shape[1], 3), 255, np.uint8)
        return beside(_with_frames(working, places), np.vstack([above, gap, below])), words


def _turned(ab: Tensor, degrees: float) -> Tensor:
    """Colors (B, 2, H, W) turned around the gray axis."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = ab.unbind(1)
    return torch.stack([cos * a - sin * b, sin * a + cos * b], 1)


def _gray(lab: Tensor) -> np.ndarray:
    return to_uint8(lightness_to_gray(normalize_lab(lab)[0]))


def _place(cut: Cut, working: Tensor, seed: int) -> tuple[float, float, float, float, bool]:
    """Left, top, right, bottom as shares of the working picture, and whether it was mirrored.

    Found by cutting a picture in which each pixel's color is its own place.
    """
    height, width, _ = working.shape
    y, x = np.mgrid[0 : 255 : height * 1j, 0 : 255 : width * 1j]
    ramp = torch.from_numpy(np.stack([x, y, y], 2).round().astype(np.uint8))
    square = cut.square(ramp, seed).float() / 255
    first, last = square[0, CUT // 2, 1].item(), square[0, CUT // 2, -2].item()
    top, bottom = square[1, 1, CUT // 2].item(), square[1, -2, CUT // 2].item()
    return min(first, last), top, max(first, last), bottom, last < first


def _with_frames(working: Tensor, places: list[tuple[float, float, float, float, bool]]) -> Any:
    """The photo with a frame a square, in a picture of the size ROOM whatever its shape."""
    image = ImageOps.contain(Image.fromarray(working.numpy()), ROOM)
    draw = ImageDraw.Draw(image)
    for color, (left, top, right, bottom, _) in zip(FRAMES, places, strict=True):
        x0, x1 = (round(share * (image.width - 1)) for share in (left, right))
        y0, y1 = (round(share * (image.height - 1)) for share in (top, bottom))
        draw.rectangle([x0, y0, x1, y1], outline="black", width=4)
        if x1 - x0 > 2 and y1 - y0 > 2:
            draw.rectangle([x0 + 1, y0 + 1, x1 - 1, y1 - 1], outline=color, width=2)
    whole = Image.new("RGB", ROOM, "white")
    whole.paste(image, (0, 0))
    return np.asarray(whole)


def _framed(pixels: np.ndarray, number: int) -> np.ndarray:
    image = ImageOps.expand(Image.fromarray(pixels), 3, FRAMES[number])
    return np.asarray(ImageOps.expand(image, (0, 0, 4, 0), "white"))


class ChromaSheet(Panel):
    """Slide a threshold of mean chroma and look at the photos on both sides of it.

    Args:
        photos: a sequence of pictures of any kind; small ones will do.
        chroma: the mean chroma of each, in Lab units; NaN for one that is not drawn.

    Raises ValueError where the two differ in length or nothing is left to show.
    """

    def __init__(self, photos: Any, chroma: Any) -> None:
        chroma = np.asarray(chroma, float)
        if chroma.shape != (len(photos),):
            raise ValueError(
                f"{len(photos)} photos need {len(photos)} numbers of chroma, one each; the shape "
                f"given is {chroma.shape}."
            )
        order = np.argsort(chroma, kind="stable")
        order = [int(i) for i in order if not np.isnan(chroma[i])]
        if not order:
            raise ValueError("There is no photo with a known chroma to show.")
        self.chroma = chroma[order]
        with ThreadPoolExecutor(2) as pool:
            self.thumbs = list(pool.map(lambda i: _thumb(photos[i]), order))
        super().__init__(
            self._draw,
            {"threshold": slider("gray below", 4.0, 0.0, 30.0, 0.5)},
            "Above: the most colorful of the photos below the threshold, which would be left out. "
            "Below: the least colorful of those that stay. The number on each is its mean chroma.",
        )

    def _draw(self, threshold: float) -> tuple[np.ndarray, str]:
        count, total = int((self.chroma < threshold).sum()), len(self.chroma)
        per_side = PER_ROW * ROWS
        below = range(max(0, count - per_side), count)
        above = range(count, min(total, count + per_side))
        words = (
            f"{count} of {total} photos ({count / total:.1%}) have a mean chroma below "
            f"{threshold:g}."
        )
        return np.vstack([self._band("left out", below), self._band("kept", above)]), words

    def _band(self, title: str, numbers: range) -> np.ndarray:
        image = Image.new("RGB", (PER_ROW * (THUMB + 4), ROWS * (THUMB + 4) + 24), "white")
        draw = ImageDraw.Draw(image)
        draw.text((2, 12), title, fill="#22262b", font=font(14), anchor="lm")
        for slot, number in enumerate(numbers):
            x, y = slot % PER_ROW * (THUMB + 4), 24 + slot // PER_ROW * (THUMB + 4)
            image.paste(self.thumbs[number], (x, y))
            text = f"{self.chroma[number]:.1f}"
            right = int(font(12).getbbox(text)[2]) + 8
            draw.rectangle([x, y, x + right, y + 17], fill="#22262b")
            draw.text((x + 4, y + 9), text, fill="white", font=font(12), anchor="lm")
        return np.asarray(image)


def _thumb(photo: Any) -> Image.Image:
    return ImageOps.fit(Image.fromarray(to_uint8(photo)).convert("RGB"), (THUMB, THUMB))
