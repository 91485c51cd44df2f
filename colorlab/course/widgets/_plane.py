"""The ab plane as a picture: a to the right, b upward, gray in the middle."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw

from colorlab.color import in_gamut, lab_to_rgb, rgb_to_lab
from colorlab.show import font, to_uint8

LIMIT = 110.0  # the plane reaches from -110 to 110 CIE units on both axes
OUTSIDE = 232  # the gray of what sRGB can't show
HUES = (  # up to which angle in the plane, in degrees
    (50, "red"),
    (82, "orange"),
    (105, "yellow"),
    (165, "green"),
    (220, "teal"),
    (312, "blue"),
    (345, "purple"),
    (361, "red"),
)
BROWN = (50, 95)  # where what is dark or dull is brown
GRAY = 8.0  # CIE units of chroma below which a color is called gray
DARK, LIGHT = 35.0, 75.0  # L below and above which a color is called so
INK, FAINT = (34, 38, 43), (150, 155, 160)


def color_name(color: tuple[int, int, int]) -> str:
    """A plain name for an sRGB color, such as "dark green"."""
    L, a, b = rgb_to_lab(torch.tensor(color, dtype=torch.uint8)[:, None, None]).flatten().tolist()
    chroma, degrees = math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360
    hue = next(name for end, name in HUES if degrees < end) if chroma >= GRAY else "gray"
    if hue != "gray" and BROWN[0] < degrees < BROWN[1] and (L < 55 or chroma < 40):
        hue = "brown"
    return f"dark {hue}" if L < DARK else f"light {hue}" if L > LIGHT else hue


def grid(side: int) -> np.ndarray:
    """The ab of each pixel's middle, float (side, side, 2); row 0 has the largest b."""
    middles = ((np.arange(side) + 0.5) / side * 2 - 1) * LIMIT
    a, b = np.meshgrid(middles, -middles)
    return np.stack([a, b], axis=-1)


def place(ab: np.ndarray, side: int) -> np.ndarray:
    """ab (..., 2) in CIE units -> x and y in pixels (..., 2), float, not clipped."""
    ab = np.asarray(ab, float)
    return (ab * (1, -1) / LIMIT + 1) / 2 * side


def slice_at(L: float, side: int) -> tuple[np.ndarray, float]:
    """The gamut's slice at one L, uint8 (side, side, 3), and its share of the square."""
    ab = torch.from_numpy(grid(side)).movedim(-1, 0)  # (side, side, 2) -> (2, side, side)
    lab = torch.cat([torch.full_like(ab[:1], float(L)), ab])
    inside = in_gamut(lab).numpy()
    pixels = np.where(inside[..., None], to_uint8(lab_to_rgb(lab)), np.uint8(OUTSIDE))
    return pixels, float(inside.mean())


def histogram(ab: np.ndarray, side: int, cell: int = 3, tint: float = 58.0) -> np.ndarray:
    """How often each ab occurs, on a logarithmic scale: uint8 (side, side, 3).

    `ab`: (N, 2) in CIE units. A cell of `cell` x `cell` pixels has the color of its ab at the
    lightness `tint`, the stronger the more pixels fall into it; an empty one is white.
    """
    bins = -(-side // cell)
    xy = (place(ab, side) / cell).astype(int).clip(0, bins - 1)
    counts = np.bincount(xy[:, 1] * bins + xy[:, 0], minlength=bins * bins).reshape(bins, bins)
    strength = np.log1p(counts) / max(np.log1p(counts).max(), 1e-9)
    strength = np.where(counts > 0, 0.2 + 0.8 * strength, 0.0)
    strength = np.kron(strength, np.ones((cell, cell)))[:side, :side, None]
    plane = torch.from_numpy(grid(side)).movedim(-1, 0)
    colors = to_uint8(lab_to_rgb(torch.cat([torch.full_like(plane[:1], tint), plane])))
    return (255 + (colors - 255.0) * strength).round().astype(np.uint8)


def draw_axes(pixels: np.ndarray, size: int = 11) -> np.ndarray:
    """The plane with its axes, their numbers and names drawn in; a new array."""
    side = len(pixels)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    letters = font(size)
    middle = side / 2
    draw.line([(0, middle), (side, middle)], fill=FAINT)
    draw.line([(middle, 0), (middle, side)], fill=FAINT)
    for value in (-100, -50, 50, 100):
        x, y = place(np.array([value, value]), side)
        draw.line([(x, middle - 3), (x, middle + 3)], fill=INK)
        draw.line([(middle - 3, y), (middle + 3, y)], fill=INK)
        if abs(value) == 50:
            draw.text(
                (x, middle + 5), f"{value}".replace("-", "−"), fill=INK, font=letters, anchor="ma"
            )
            draw.text(
                (middle - 6, y), f"{value}".replace("-", "−"), fill=INK, font=letters, anchor="rm"
            )
    draw.text((side - 5, middle - 5), "a: red", fill=INK, font=letters, anchor="rs")
    draw.text((5, middle - 5), "green", fill=INK, font=letters, anchor="ls")
    draw.text((middle + 6, 4), "b: yellow", fill=INK, font=letters, anchor="la")
    draw.text((middle + 6, side - 5), "blue", fill=INK, font=letters, anchor="ls")
    return np.asarray(image).copy()


def draw_dots(pixels: np.ndarray, ab: np.ndarray, radius: float = 1.0) -> np.ndarray:
    """The plane with a dark dot at each of `ab` (N, 2); a new array."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for x, y in place(ab, len(pixels)):
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=INK)
    return np.asarray(image).copy()


def beside(*pictures: np.ndarray, gap: int = 8) -> np.ndarray:
    """Pictures of any height side by side on white, uint8 (H, W, 3)."""
    height = max(len(picture) for picture in pictures)
    parts: list[np.ndarray] = []
    for number, picture in enumerate(pictures):
        if number:
            parts.append(np.full((height, gap, 3), 255, np.uint8))
        below = height - len(picture)
        parts.append(np.pad(picture, ((0, below), (0, 0), (0, 0)), constant_values=255))
    return np.concatenate(parts, axis=1)
