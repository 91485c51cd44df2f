"""Lesson 04's widgets: what one logit of a PatchGAN sees, and its logits over a whole photo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from colorlab.color import denormalize_lab, lab_to_rgb, normalize_lab, rgb_to_lab
from colorlab.course.widgets._bundle import draw_label
from colorlab.course.widgets._panel import Panel, slider, steps
from colorlab.course.widgets._plane import beside
from colorlab.course.widgets.unet import evaluating, photo_choice, square
from colorlab.show import font, to_uint8

SIDE = 288  # pixels: a photo as shown
DEPTHS = (1, 2, 3, 4, 5)  # strided layers
SCALE = 4.0  # logits from -SCALE to SCALE take the whole range of colors


@dataclass(frozen=True)
class Patches:
    """Where the logits of a discriminator look, along one side of a photo.

    field: pixels that a logit sees; jump: pixels between neighbors; start: the first pixel that
    logit 0 sees, below 0 where its field begins in the padding; count: how many logits there are.
    """

    field: int
    jump: int
    start: int
    count: int

    def of(self, index: int) -> tuple[int, int]:
        """First pixel that logit `index` sees, and the one behind the last."""
        first = self.start + index * self.jump
        return first, first + self.field


def patches_of(depth: int, size: int) -> Patches:
    """The patches of a PatchGAN of `depth` strided layers on a side of `size` pixels.

    Each layer has a kernel of 4 and a padding of 1; `depth` have stride 2, the last two stride 1.
    """
    field, jump, start, count = 1, 1, 0, size
    for stride in (*[2] * depth, 1, 1):
        field += 3 * jump
        start -= jump
        jump *= stride
        count = (count + 2 - 4) // stride + 1
    return Patches(field, jump, start, count)


class PatchView(Panel):
    """Slide over a photo and see the patch that one logit of a PatchGAN sees.

    `size`: pixels a side that the discriminator gets, 128 to 256: with fewer the deepest one has no
    logit, with more its rim would not be seen. Raises ValueError for others.
    """

    def __init__(self, photo: Any, size: int = 256) -> None:
        if not 128 <= size <= 256:
            raise ValueError(f"size is 128 to 256 pixels, not {size}.")
        self.size = size
        self.pixels = to_uint8(square(photo, size))
        fields = [(f"{patches_of(depth, size).field} px", depth) for depth in DEPTHS]
        super().__init__(
            self._draw,
            {
                "depth": steps("patch", fields, 3),
                "across": slider("across", 50, 0, 100, 1),
                "down": slider("down", 50, 0, 100, 1),
            },
            "Left: the photo; what the chosen logit sees is bright, and framed. Right: the map of "
            "all logits, with the chosen one marked.",
            columns=1,
        )

    def _draw(self, depth: int, across: int, down: int) -> tuple[np.ndarray, str]:
        patches = patches_of(depth, self.size)
        column = round(across / 100 * (patches.count - 1))
        row = round(down / 100 * (patches.count - 1))
        (left, right), (top, bottom) = patches.of(column), patches.of(row)
        margin = (SIDE - self.size) // 2  # some of the padding is shown, as a gray rim
        photo = np.full((SIDE, SIDE, 3), 205, np.uint8)
        photo[margin : margin + self.size, margin : margin + self.size] = self.pixels
        x0, x1, y0, y1 = (value + margin for value in (left, right, top, bottom))
        dim = (photo * 0.35 + 90).astype(np.uint8)
        inside = np.s_[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        dim[inside] = photo[inside]
        image = Image.fromarray(dim)
        draw = ImageDraw.Draw(image)
        draw.rectangle([x0, y0, x1 - 1, y1 - 1], outline="black", width=3)
        draw.rectangle([x0 + 1, y0 + 1, x1 - 2, y1 - 2], outline="white")
        share = _overlap(left, right, self.size) * _overlap(top, bottom, self.size)
        count, field = patches.count, patches.field
        words = (
            f"{count} × {count} logits of {field} × {field} pixels, {patches.jump} apart. "
            f"This one sees rows {top} to {bottom - 1}, columns {left} to {right - 1}; "
            f"{1 - share / field**2:.0%} of that is padding."
        )
        return beside(np.asarray(image), _map_with_mark(patches.count, row, column)), words


def _overlap(first: int, end: int, size: int) -> int:
    return max(0, min(end, size) - max(first, 0))


def _map_with_mark(count: int, row: int, column: int) -> np.ndarray:
    """The map of logits as a grid of SIDE pixels, one cell filled."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    edges = [round(i * (SIDE - 1) / count) for i in range(count + 1)]
    if count <= 72:  # finer lines would make it a gray square
        for edge in edges:
            draw.line([(edge, 0), (edge, SIDE)], fill="#c4c9cf")
            draw.line([(0, edge), (SIDE, edge)], fill="#c4c9cf")
    draw.rectangle([0, 0, SIDE - 1, SIDE - 1], outline="#5f6872")
    x0, y0 = edges[column], edges[row]
    x1, y1 = max(edges[column + 1], x0 + 4), max(edges[row + 1], y0 + 4)
    draw.rectangle([x0, y0, x1, y1], fill="#d55e00")
    return np.asarray(image).copy()


def distorted(ab: Tensor, times: float, degrees: float, shift: int) -> Tensor:
    """Colors (B, 2, H, W) made stronger, turned in the ab plane, moved `shift` pixels to the right.

    What leaves at the right comes in at the left; clipped to [-1, 1].
    """
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = ab.unbind(1)
    turned = torch.stack([cos * a - sin * b, sin * a + cos * b], 1)
    return (times * turned).clamp(-1, 1).roll(shift, -1)


def diverging(values: np.ndarray) -> np.ndarray:
    """Values in 0..1 (H, W) -> orange, white at 0.5, purple, uint8 (H, W, 3).

    Any color vision tells the two sides apart.
    """
    from matplotlib import colormaps

    return (colormaps["PuOr"](values.clip(0, 1))[..., :3] * 255).round().astype(np.uint8)


class ScoreMap(Panel):
    """A discriminator's logit of each patch, while the colors of a photo are distorted.

    It opens with the colors moved by half the photo.

        ScoreMap(discriminator, {"kingfisher": photo, ...}, size=64)

    Args:
        discriminator: logits of [L, ab] (B, 3, H, W), or of ab alone where it is unconditional;
            looked at in eval mode and left as it was.
        photos: pictures of any kind by name.
        size: pixels a side that it sees.
    """

    def __init__(self, discriminator: nn.Module, photos: Mapping[str, Any], size: int = 64) -> None:
        self.discriminator = discriminator
        parameter = next(discriminator.parameters())
        self.device, self.channels = parameter.device, self._channels(discriminator)
        self.photos = {
            name: normalize_lab(rgb_to_lab(square(photo, size))[None])
            for name, photo in photos.items()
        }
        super().__init__(
            self._draw,
            {
                "photo": photo_choice(photos),
                "times": slider("ab times", 1.0, 0.0, 2.0, 0.1),
                "degrees": slider("turn by °", 0, -180, 180, 10),
                "shift": slider("shift by px", size // 2, 0, size // 2, 1),
            },
            "Left: the photo with its colors distorted. Right: the logit of each patch, from "
            f"orange (fake, -{SCALE:g} and below) to purple (real, +{SCALE:g} and above).",
            columns=2,
        )

    @staticmethod
    def _channels(discriminator: nn.Module) -> int:
        return next(m for m in discriminator.modules() if isinstance(m, nn.Conv2d)).in_channels

    def _draw(self, photo: str, times: float, degrees: int, shift: int) -> tuple[np.ndarray, str]:
        L, ab = self.photos[photo]
        ab = distorted(ab, times, degrees, shift)
        seen = torch.cat([L, ab], 1) if self.channels == 3 else ab
        with evaluating(self.discriminator):
            logits = self.discriminator(seen.to(self.device))[0, 0].float().cpu()
        picture = to_uint8(lab_to_rgb(denormalize_lab(L, ab))[0])
        picture = np.asarray(
            Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        )
        colors = diverging(logits.numpy() / (2 * SCALE) + 0.5)
        scores = np.asarray(
            Image.fromarray(colors).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        ).copy()
        picture = picture.copy()
        draw_label(picture, "seen")
        fake = float((logits < 0).float().mean())
        words = f"Mean logit {logits.mean():+.1f}; {fake:.0%} of the patches are called fake."
        return beside(picture, scores, _scale()), words


def _scale() -> np.ndarray:
    """The bar beside the map: which color stands for which logit."""
    image = Image.new("RGB", (70, SIDE), "white")
    bar = diverging(np.linspace(1, 0, SIDE - 40)[:, None].repeat(16, 1))
    image.paste(Image.fromarray(bar), (4, 20))
    draw = ImageDraw.Draw(image)
    for value, y in ((SCALE, 20), (0, SIDE / 2), (-SCALE, SIDE - 20)):
        draw.text(
            (24, y),
            f"{value:+g}".replace("-", "−") if value else "0",
            fill="#22262b",
            font=font(12),
            anchor="lm",
        )
    draw.text((2, 8), "real", fill="#22262b", font=font(11), anchor="lm")
    draw.text((2, SIDE - 8), "fake", fill="#22262b", font=font(11), anchor="lm")
    return np.asarray(image)
