"""The user's hints: "here, this color". Read, checked, simulated for training, laid into a picture.

Zhang, Zhu, Isola, Geng, Lin, Yu and Efros, "Real-Time User-Guided Image Colorization with Learned
Deep Priors" (SIGGRAPH 2017), section 3.2. A network sees hints as three planes beside L: a and b
where a hint is, 0 elsewhere, and a mask of 1 where a hint is.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageColor
from torch import Tensor

from colorlab.atomic import write_whole
from colorlab.color import AB_RANGE, fit_gamut, in_gamut, lab_to_rgb, rgb_to_lab

CHANNELS = 3
STOP = 1 / 8  # after each hint the next one is left out with this chance
SIDES = (1, 9)  # of a patch in pixels, shortest and longest
MOST = 64  # hints a photo: a geometric number knows no bound


class Hint(NamedTuple):
    """A place in a photo and the color that it shall have.

    ``x`` from the left and ``y`` from the top, in pixels of the photo; ``color`` three integers 0
    to 255 in sRGB. Only its a and b count, the photo keeps its L.
    """

    x: int
    y: int
    color: tuple[int, int, int]


class HintError(ValueError):
    """A hint that can't be read or does not fit the photo."""


def lay(hints: Sequence[Hint], photo: tuple[int, int], planes: tuple[int, int]) -> Tensor:
    """The planes ``(1, 3, h, w)`` that a network sees: a, b in [-1, 1], and the mask.

    A hint is a patch of 3 × 3 pixels of the planes. Where hints meet, the later one holds.

    Args:
        photo: height and width of the photo that the hints' places belong to.
        planes: height and width of the planes.
    """
    laid = torch.zeros(1, CHANNELS, *planes)
    for hint in hints:
        y, x = (
            min(int((at + 0.5) * small / large), small - 1)
            for at, small, large in zip((hint.y, hint.x), planes, photo, strict=True)
        )
        patch = laid[0, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        patch[:2] = ab_of(hint.color)[:, None, None] / AB_RANGE
        patch[2] = 1
    return laid


def simulate(ab: Tensor, share: float, random: torch.Generator) -> Tensor:
    """The hints that a user might give, read off the true colors.

    Their number is geometric with p = 1/8, their places are normal about the middle with a quarter
    of the photo as deviation, each is a square of 1 to 9 pixels that shows its mean color (section
    3.2, "Simulated user interactions").

    Args:
        ab: the truth ``(B, 2, H, W)`` in [-1, 1].
        share: of the photos that get any. The others are colored without.
        random: on the CPU, where all is drawn.

    Returns:
        planes ``(B, 3, H, W)``.
    """
    batch, _, height, width = ab.shape
    laid = ab.new_zeros(batch, CHANNELS, height, width)
    wanted = torch.rand(batch, generator=random) < share
    counts = torch.empty(batch).geometric_(STOP, generator=random).clamp_(max=MOST).int()
    for i in range(batch):
        if not wanted[i]:
            continue
        n = int(counts[i])
        places = torch.randn(n, 2, generator=random) / 4 + 0.5
        sides = torch.randint(SIDES[0], SIDES[1] + 1, (n,), generator=random)
        for (v, u), side in zip(places.tolist(), sides.tolist(), strict=True):
            top = min(max(round(v * height - side / 2), 0), max(height - side, 0))
            left = min(max(round(u * width - side / 2), 0), max(width - side, 0))
            area = (slice(top, top + side), slice(left, left + side))
            laid[(i, slice(2), *area)] = ab[(i, slice(2), *area)].mean((-2, -1), keepdim=True)
            laid[(i, 2, *area)] = 1
    return laid


def pool(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """The planes at a coarser scale.

    A cell has the mean color of the hints in it, and mask 1 if there are any.

    ``(B, 3, H, W)`` -> ``(B, 3, *size)``, H and W the same multiple of ``size``.
    """
    factor = planes.shape[-1] // size[1]
    if factor == 1:
        return planes
    mean = F.avg_pool2d(planes, factor)
    covered = mean[:, 2:]
    return torch.cat([mean[:, :2] / covered.clamp_min(1e-6), (covered > 0).to(planes)], 1)


def hints_from(photo: Image.Image, count: int, seed: int = 0, side: int = 7) -> list[Hint]:
    """Read ``count`` hints off a color photo at uniformly random places.

    Each is the mean color of a patch of ``side`` pixels. With it one measures what hints are worth.
    """
    pixels = np.asarray(photo.convert("RGB"))
    height, width = pixels.shape[:2]
    random = np.random.default_rng(seed)
    hints = []
    for _ in range(count):
        y, x = int(random.integers(height)), int(random.integers(width))
        reach = side // 2
        patch = pixels[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        lab = rgb_to_lab(torch.from_numpy(patch.copy()).movedim(-1, 0)).mean((1, 2))
        rgb = lab_to_rgb(fit_gamut(lab[:, None, None])).flatten()
        hints.append(Hint(x, y, tuple((rgb * 255).round().int().tolist())))
    return hints


def ab_of(color: tuple[int, int, int]) -> Tensor:
    """Give a and b of an sRGB color, ``(2,)`` in CIE units."""
    rgb = torch.tensor(color, dtype=torch.uint8)[:, None, None]
    return rgb_to_lab(rgb)[1:].flatten()


# --- what users write -----------------------------------------------------------------------------


def parse(text: str) -> Hint:
    """Read a hint such as ``"420,310,#a02020"`` or ``"420,310,teal"``, as on the command line.

    Raises:
        HintError: not of this form; the message shows it.
    """
    parts = text.split(",", 2)
    try:
        x, y = int(parts[0]), int(parts[1])
        name = parts[2].strip()
    except (ValueError, IndexError):
        raise HintError(
            f"{text!r} is no hint: write X,Y,COLOR, such as 420,310,#a02020 (pixels from the left "
            f"and from the top, then a color)"
        ) from None
    return Hint(x, y, color_named(name))


def color_named(name: str) -> tuple[int, int, int]:
    """Read a color such as ``"#a02020"``, ``"rgb(160, 32, 32)"``, ``"teal"``: what Pillow knows.

    Raises:
        HintError: no color.
    """
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        raise HintError(
            f"{name!r} is no color: write #rrggbb, such as #a02020, or an HTML name, such as teal"
        ) from None


def read(path: str | os.PathLike[str]) -> list[Hint]:
    """The hints in a JSON file: ``[{"x": 420, "y": 310, "color": "#a02020"}, …]``.

    Raises:
        HintError: no such file, or not of this form; the message names the entry.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HintError(f"{path} can't be read as hints: {error}") from error
    if not isinstance(entries, list):
        raise HintError(f"{path} should hold a list of hints, got {type(entries).__name__}")
    hints = []
    for i, entry in enumerate(entries, 1):
        whole = isinstance(entry, dict) and set(entry) == {"x", "y", "color"}
        if not whole or not all(type(entry[k]) is int for k in "xy"):
            raise HintError(
                f'{path}, hint {i}: expected {{"x": 420, "y": 310, "color": "#a02020"}} with '
                f"whole numbers, got {entry!r}"
            )
        try:
            hints.append(Hint(entry["x"], entry["y"], color_named(str(entry["color"]))))
        except HintError as error:
            raise HintError(f"{path}, hint {i}: {error}") from None
    return hints


def write(path: str | os.PathLike[str], hints: Iterable[Hint]) -> Path:
    """Write hints as JSON, in the form that ``read`` reads, and return the path.

    Raises:
        OSError: the folder is missing or can't be written.
    """
    entries = [{"x": x, "y": y, "color": hex_of(color)} for x, y, color in hints]
    return write_whole(path, [json.dumps(entries, indent=2).encode() + b"\n"])


def hex_of(color: tuple[int, int, int]) -> str:
    """An sRGB color as ``"#rrggbb"``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def check_hints(hints: Iterable[Hint], lightness: Tensor) -> list[Hint]:
    """The hints as ``Hint``, each inside the photo and with a color that sRGB has there.

    Where no screen shows the color at the photo's lightness, a warning says so and names the
    nearest color of that lightness, which is then painted.

    Args:
        hints: also plain ``(x, y, color)``, the color by name or as three integers.
        lightness: L of the photo at its own size, ``(H, W)``, 0 to 100.

    Raises:
        HintError: outside the photo, or not a color.
    """
    height, width = lightness.shape
    checked = []
    for i, (x, y, color) in enumerate(hints, 1):
        if isinstance(color, str):
            color = color_named(color)
        if not _is_color(color):
            raise HintError(f"hint {i}: a color is three integers from 0 to 255, got {color!r}")
        if not (0 <= x < width and 0 <= y < height):
            raise HintError(
                f"hint {i} at x {x}, y {y} lies outside the photo, which is {width} x {height}: "
                f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
            )
        hint = Hint(int(x), int(y), tuple(int(c) for c in color))
        _warn_outside_gamut(i, hint, float(lightness[hint.y, hint.x]))
        checked.append(hint)
    return checked


def _is_color(color: object) -> bool:
    try:
        parts = [index(part) for part in color]
    except TypeError:  # not several, or not whole numbers
        return False
    return len(parts) == 3 and all(0 <= part <= 255 for part in parts)


def shown_at(color: tuple[int, int, int], lightness: float) -> bool:
    """Whether sRGB has the a and b of a color at another lightness, 0 to 100."""
    return bool(in_gamut(_lab(color, lightness), tolerance=2 / 255))


def _lab(color: tuple[int, int, int], lightness: float) -> Tensor:
    return torch.cat([torch.tensor([lightness]), ab_of(color)])[:, None, None]


def _warn_outside_gamut(number: int, hint: Hint, lightness: float) -> None:
    if shown_at(hint.color, lightness):
        return
    lab = _lab(hint.color, lightness)
    rgb = (lab_to_rgb(fit_gamut(lab)).flatten() * 255).round().int().tolist()
    wanted, nearest = hex_of(hint.color), hex_of(rgb)
    warnings.warn(
        f"hint {number}: no screen shows {wanted} at lightness {lightness:.0f}, which the photo "
        f"has at x {hint.x}, y {hint.y}; it becomes {nearest}",
        stacklevel=4,
    )
