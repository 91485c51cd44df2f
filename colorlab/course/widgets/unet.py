"""Lesson 03's widgets: a U-Net whose skips can be cut, and a look at what its blocks see.

Both take any network that keeps its blocks in two lists, `downs` and `ups`: the one that the
learner built as well as `colorlab.unet.UNet`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from colorlab.color import (
    AB_RANGE,
    L_HALF_RANGE,
    denormalize_lab,
    lab_to_rgb,
    lightness_to_gray,
    normalize_lab,
    rgb_to_lab,
)
from colorlab.course.widgets._bundle import draw_label
from colorlab.course.widgets._panel import Panel, choice, steps
from colorlab.course.widgets._plane import beside
from colorlab.show import to_uint8

TILE = 192  # pixels, the side of a photo as shown
MAPS = 16  # feature maps shown of a block, at most
FLAT_L = 65.0  # the lightness at which ab is shown alone


def square(photo: Any, side: int) -> Tensor:
    """A picture of any kind, its middle square: uint8 (3, side, side)."""
    image = ImageOps.fit(Image.fromarray(to_uint8(photo)), (side, side))
    return torch.from_numpy(np.array(image)).movedim(-1, 0)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """The network in eval mode, where looking changes nothing in it; then as it was."""
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        net.train(training)


@torch.no_grad()
def walk(net: Any, L: Tensor, kept: tuple[bool, ...]) -> dict[str, Tensor]:
    """What each block of a U-Net gives, by its name: "down 0", ..., "up 0", ...

    Args:
        net: a network with the lists `downs` and `ups`; it is left in the mode it is in.
        L: (B, 1, H, W) in [-1, 1].
        kept: one for each skip, the outermost first; a skip that is not kept carries zeros.

    Raises ValueError where the network has another number of skips.
    """
    if len(kept) != len(net.downs) - 1:
        raise ValueError(f"This network has {len(net.downs) - 1} skips, not {len(kept)}.")
    found: dict[str, Tensor] = {}
    x, skips = L, []
    for number, down in enumerate(net.downs):
        x = found[f"down {number}"] = down(x)
        skips.append(x)
    x = skips.pop()
    for number, up in enumerate(net.ups):
        if number:
            skip = skips.pop()
            x = torch.cat([x, skip if kept[len(skips)] else torch.zeros_like(skip)], 1)
        x = found[f"up {number}"] = up(x)
    return found


def photo_choice(photos: Mapping[str, Any]) -> Any:
    """A drop-down of the photos' names; raises ValueError where there is none."""
    if not photos:
        raise ValueError("Give at least one photo to choose from: {name: photo, ...}.")
    return choice("photo", list(photos), next(iter(photos)))


class _OnPhotos(Panel):
    """What the two widgets share: a network, and photos to choose from."""

    def __init__(
        self, net: nn.Module, photos: Mapping[str, Any], size: int, *args: Any, **options: Any
    ) -> None:
        if size % 2 ** len(net.downs):
            raise ValueError(
                f"This network halves the photo {len(net.downs)} times, so size must be a multiple "
                f"of {2 ** len(net.downs)}, not {size}."
            )
        self.net = net
        self.device = next(net.parameters()).device
        self.photos = {name: self._prepared(photo, size) for name, photo in photos.items()}
        super().__init__(*args, **options)

    def _prepared(self, photo: Any, size: int) -> dict[str, Any]:
        """What the network sees at `size` pixels, and what is shown of it."""
        L, ab = normalize_lab(rgb_to_lab(square(photo, size))[None])
        sharp, _ = normalize_lab(rgb_to_lab(square(photo, TILE))[None])
        return {
            "L": L.to(self.device),
            "sharp": sharp,
            "gray": to_uint8(lightness_to_gray(sharp)[0]),
            "truth": to_uint8(square(photo, TILE)),
            "true_ab": ab,
        }


def _flat(ab: Tensor) -> np.ndarray:
    """ab (1, 2, h, w) alone, at one lightness, enlarged pixel by pixel."""
    L = torch.full_like(ab[:, :1], FLAT_L / L_HALF_RANGE - 1)
    pixels = to_uint8(lab_to_rgb(denormalize_lab(L, ab))[0])
    return np.asarray(Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.NEAREST))


def _colored(sharp: Tensor, ab: Tensor) -> np.ndarray:
    """The photo's own L with a coarse ab laid over it."""
    ab = nn.functional.interpolate(ab, (TILE, TILE), mode="bilinear", align_corners=False)
    return to_uint8(lab_to_rgb(denormalize_lab(sharp, ab))[0])


class SkipSwitch(_OnPhotos):
    """Switch the skips of a trained U-Net off and on, and see what each one carries.

        SkipSwitch(net, {"kingfisher": photo, ...}, size=64)

    Args:
        net: the network; each look is in eval mode and leaves it as it was.
        photos: pictures of any kind by name.
        size: the side of the square that the network sees.
    """

    def __init__(self, net: nn.Module, photos: Mapping[str, Any], size: int = 64) -> None:
        count = len(net.downs) - 1
        boxes = {
            f"skip_{i}": widgets.Checkbox(
                value=True,
                indent=False,
                description=f"skip {i}: {size >> (i + 1)} × {size >> (i + 1)}",
                layout=widgets.Layout(width="150px"),
            )
            for i in range(count)
        }
        super().__init__(
            net,
            photos,
            size,
            self._draw,
            {"photo": photo_choice(photos), **boxes},
            "Above: gray input, ours with the chosen skips, truth. Below: the colors alone, as "
            "coarse as the network gives them.",
            columns=(1, count),
        )

    def _draw(self, photo: str, **switches: bool) -> tuple[np.ndarray, str]:
        views, kept = self.photos[photo], tuple(switches.values())
        last = f"up {len(self.net.ups) - 1}"
        with evaluating(self.net):
            ab = walk(self.net, views["L"], kept)[last].float().cpu()
            whole = walk(self.net, views["L"], (True,) * len(kept))[last].float().cpu()
        moved = AB_RANGE * (ab - whole).norm(dim=1).mean()
        ours = _colored(views["sharp"], ab)
        above = [views["gray"].copy(), ours, views["truth"].copy()]
        for picture, label in zip(above, ("gray input", "ours", "truth"), strict=True):
            draw_label(picture, label)
        blank = np.full((TILE, TILE, 3), 255, np.uint8)
        below = [blank, _flat(ab), _flat(views["true_ab"])]
        gap = np.full((8, 3 * TILE + 16, 3), 255, np.uint8)
        off = [str(number) for number, on in enumerate(kept) if not on]
        words = f"Skips off: {', '.join(off)}. " if off else "All skips on. "
        if off:
            words += f"A pixel's color moved by {moved:.1f} Lab units on average."
        return np.concatenate([beside(*above), gap, beside(*below)]), words


def maps_picture(features: Tensor, side: int) -> np.ndarray:
    """The first maps of (1, C, h, w) as tiles, each from its own least to its own most."""
    maps = features[0, :MAPS].float().cpu().numpy()
    across = math.ceil(math.sqrt(len(maps)))
    tile = side // across
    picture = np.full((side, side, 3), 255, np.uint8)
    for number, one in enumerate(maps):
        low, high = one.min(), one.max()
        gray = ((one - low) / max(high - low, 1e-9) * 255).round().astype(np.uint8)
        image = Image.fromarray(gray).resize((tile - 3, tile - 3), Image.Resampling.NEAREST)
        top, left = number // across * tile, number % across * tile
        picture[top : top + tile - 3, left : left + tile - 3] = np.asarray(image)[..., None]
    return picture


class LookInside(_OnPhotos):
    """The feature maps of each block of a U-Net; arguments as for `SkipSwitch`."""

    SIDE = 2 * TILE

    def __init__(self, net: nn.Module, photos: Mapping[str, Any], size: int = 64) -> None:
        places = [f"down {i}" for i in range(len(net.downs))]
        places += [f"up {i}" for i in range(len(net.ups))]
        super().__init__(
            net,
            photos,
            size,
            self._draw,
            {
                "photo": photo_choice(photos),
                "block": steps("block", places, places[0]),
            },
            "Left: the photo's L (the network gets it reduced). Right: up to "
            f"{MAPS} feature maps of the block, each from dark (its least value) to light (its "
            "most).",
            columns=2,
            kind="png",
        )

    def _draw(self, photo: str, block: str) -> tuple[np.ndarray, str]:
        views = self.photos[photo]
        with evaluating(self.net):
            features = walk(self.net, views["L"], (True,) * (len(self.net.downs) - 1))[block]
        _, channels, height, width = features.shape
        words = f"{block}: {channels} maps of {height} × {width}"
        words += f", the first {MAPS} are shown." if channels > MAPS else "."
        return beside(views["gray"], maps_picture(features, self.SIDE)), words
