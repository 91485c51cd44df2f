"""Pixels as they lie in a file -> colors in sRGB, and the alpha apart from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from colorlab.photos import profiles
from colorlab.photos.decode import Decoded
from colorlab.photos.errors import PhotoError


class Layers(NamedTuple):
    """A photo in sRGB.

    Attributes:
        rgb: of mode "RGB".
        alpha: of mode "L"; None without one.
        deep: the colors of a photo of more than 8 bits, uint16 (H, W) or (H, W, 3); else None.
    """

    rgb: Image.Image
    alpha: Image.Image | None
    deep: np.ndarray | None = None


def layers(decoded: Decoded, name: str) -> Layers:
    """The photo in sRGB, not yet turned.

    Args:
        name: for warnings.

    Raises:
        PhotoError: pixels without a standard range.
    """
    colors, info = decoded.colors, decoded.info
    if isinstance(colors, np.ndarray):
        return _deep_layers(colors, info, name)
    alpha = None
    if colors.has_transparency_data:
        gray = colors.mode in ("1", "L", "LA")
        colors = colors.convert("L") if colors.mode == "1" else colors
        colors = colors.convert("LA" if gray else "RGBA")
        alpha = colors.getchannel("A")
    if colors.mode in ("I", "F", "LAB", "HSV"):
        raise PhotoError(
            f"its pixels are of Pillow's mode {colors.mode!r} (32-bit numbers or Lab), for which "
            "no standard range is known here. Save it as an 8-bit or 16-bit RGB picture."
        )
    if colors.mode not in ("L", "RGB", "CMYK"):
        colors = colors.convert("L" if colors.mode in ("1", "LA") else "RGB")
    rgb = profiles.to_srgb(colors, info, name).convert("RGB")
    rgb.info = {}  # a stale profile or orientation would be written out again with the picture
    return Layers(rgb, alpha)


def _deep_layers(values: np.ndarray, info: dict[str, Any], name: str) -> Layers:
    channels, clear, alpha = values.shape[2], info.get("transparency"), None
    if channels in (2, 4):
        alpha = values[..., -1]
        values = values[..., :-1]
    elif clear is not None:  # the one color that is unseen
        alpha = np.where((values == np.array(clear)).all(-1), 0, 65535)
    if values.shape[2] == 1:
        values = values[..., 0]
    deep = profiles.deep_to_srgb(np.ascontiguousarray(values), info, name)
    rgb = Image.fromarray(profiles.eight(deep)).convert("RGB")
    return Layers(rgb, None if alpha is None else Image.fromarray(profiles.eight(alpha)), deep)


def flat(photo: Layers) -> Image.Image:
    """The picture over white, as a web page shows it."""
    if photo.alpha is None:
        return photo.rgb
    white = Image.new("RGB", photo.rgb.size, "white")
    white.paste(photo.rgb, mask=photo.alpha)
    return white
