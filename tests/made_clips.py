"""Clips made of bundled photos, the same every time: what moves in them is known."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from colorlab.photos.files import open_photo
from colorlab.sources.bundled import bundled_photos

SIZE = (320, 240)
FRAMES = 24
NOISE = 3.0  # deviation of a sensor's noise, of 255
SIDE = 110  # of the disc that moves, in pixels


def pan(name: str = "village", frames: int = FRAMES) -> Iterator[Image.Image]:
    """A camera that moves slowly over a photo and comes nearer."""
    photo, random = _photo(name), np.random.default_rng(0)
    scale = min(photo.width / SIZE[0], photo.height / SIZE[1]) * 0.75
    for time in range(frames):
        width, height = (side * scale * (1 - 0.004 * time) for side in SIZE)
        left, top = min(1.5 * time * scale, photo.width - width), (photo.height - height) / 2
        box = (left, top, left + width, top + height)
        yield _seen(photo.resize(SIZE, Image.Resampling.BICUBIC, box), random)


def passing(
    back: str = "gravel-desert", front: str = "lemur", frames: int = FRAMES
) -> Iterator[Image.Image]:
    """A disc cut from one photo that crosses another one, in light that flickers by 3 %."""
    still, random = ImageOps.fit(_photo(back), SIZE), np.random.default_rng(1)
    disc, mask = ImageOps.fit(_photo(front), (SIDE, SIDE)), Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).ellipse((4, 4, SIDE - 4, SIDE - 4), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(1.5))
    for time in range(frames):
        frame = still.copy()
        frame.paste(disc, disc_at(time), mask)
        yield _seen(frame, random, 1 + 0.03 * math.sin(2.1 * time))


def disc_at(time: int) -> tuple[int, int]:
    """Left and top of the disc's box in a frame of ``passing``."""
    return 20 + 6 * time, 70 + int(20 * math.sin(time / 4))


def _photo(name: str) -> Image.Image:
    (path,) = (path for path in bundled_photos("test") if path.stem == name)
    return open_photo(path)


def _seen(frame: Image.Image, random: np.random.Generator, light: float = 1.0) -> Image.Image:
    pixels = np.asarray(frame) * light
    pixels = pixels + random.normal(0, NOISE, pixels.shape[:2])[..., None]
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
