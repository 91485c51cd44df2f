"""Which color a stored value means: an ICC profile, or what a PNG says in its place, to sRGB.

A profile is judged by what it does, never by its name: littleCMS converts a ramp and a cube of
colors, and where they come back within one level, the profile is sRGB and nothing is converted.
Pillow's littleCMS has eight bits. Pictures of sixteen bits go through the profile's own curves and
matrix here, in float, and through littleCMS where it has tables instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from colorlab.photos.shapers import LEVELS, of_png, of_profile

_RAMP = np.arange(256, dtype=np.uint8)
_EXACT = (
    0x0100  # cmsFLAGS_NOOPTIMIZE: tables made up for speed lose the darkest grays of a linear one
)
_SPACE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # Pillow's mode -> what a profile calls it


class ProfileError(ValueError):
    """A profile that is broken, or made for another kind of picture."""


def to_srgb(image: Image.Image, info: Mapping[str, Any], name: str) -> Image.Image:
    """A picture of mode "L", "RGB" or "CMYK" in sRGB, of mode "L" or "RGB".

    info: as Pillow gives it: "icc_profile", and of a PNG "srgb", "gamma", "chromaticity"; and
        "cicp", four bytes. A profile that is unusable is passed over with a warning.
    name: what the warning calls the picture.
    """
    if info.get("icc_profile") and "cicp" not in info:
        try:
            return _by_profile(image, info["icc_profile"])
        except ProfileError as error:
            warnings.warn(f"{name}: {error}, and was passed over", stacklevel=2)
    if image.mode == "CMYK":
        return image.convert("RGB")
    shaper = of_png(info)
    if shaper is None:
        return image
    if image.mode == "L" or shaper.matrix is None:
        table = eight(shaper.apply((_RAMP.astype(np.uint16) * 257)[None]))[0].tolist()
        return image.point(table * len(image.getbands()))
    return Image.fromarray(eight(shaper.apply(np.asarray(image).astype(np.uint16) * 257)))


def deep_to_srgb(values: np.ndarray, info: Mapping[str, Any], name: str) -> np.ndarray:
    """The same of uint16 (H, W) or (H, W, 3)."""
    mode, profile = "L" if values.ndim == 2 else "RGB", info.get("icc_profile")
    shaper = None
    if profile and "cicp" not in info:
        try:
            if _is_srgb(profile, mode):
                return values
            shaper = of_profile(profile)
            if shaper is None and mode == "L":
                table = np.array(_gray_table(profile)) * 257
                return np.interp(np.arange(LEVELS), _RAMP * 257.0, table).astype(np.uint16)[values]
            if shaper is None:
                warnings.warn(f"{name}: its profile of tables is applied in 8 bits", stacklevel=2)
                image = Image.fromarray(eight(values))
                return np.asarray(_by_profile(image, profile)).astype(np.uint16) * 257
        except ProfileError as error:
            warnings.warn(f"{name}: {error}, and was passed over", stacklevel=2)
    shaper = shaper or of_png(info)
    return values if shaper is None else shaper.apply(values)


def eight(values: np.ndarray) -> np.ndarray:
    """Values from uint16 to uint8, rounded."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


# --- by littleCMS, in eight bits ------------------------------------------------------------------


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if _is_srgb(profile, image.mode):
        return image
    if image.mode == "L":
        return image.point(_gray_table(profile))
    return ImageCms.applyTransform(image, _transform(profile, image.mode))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str, flags: int = 0) -> ImageCms.ImageCmsTransform:
    """Pixels of ``mode`` -> sRGB, perceptual intent.

    Gray may also have the profile of an RGB space: browsers take it for the gray of that space.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and mode == "L":
            mode = "RGB"
        if space == _SPACE[mode]:
            target = ImageCms.createProfile("sRGB")
            return ImageCms.buildTransform(source, target, mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        raise ProfileError("its color profile is broken") from error
    raise ProfileError(f"its color profile is for {space} and its pixels are {_SPACE[mode]}")


def _converted(values: np.ndarray, profile: bytes, mode: str) -> np.ndarray:
    """uint8 (N,) or (N, 3) as one row through the transform -> uint8 (N, 3)."""
    transform, image = _transform(profile, mode, _EXACT), Image.fromarray(values[None])
    return np.asarray(ImageCms.applyTransform(image.convert(transform.input_mode), transform))[0]


@lru_cache(maxsize=16)
def _gray_table(profile: bytes) -> list[int]:
    return np.rint(_converted(_RAMP, profile, "L").mean(-1)).astype(int).tolist()


@lru_cache(maxsize=32)
def _is_srgb(profile: bytes, mode: str) -> bool:
    if mode == "CMYK":
        return False
    probe = _RAMP
    if mode == "RGB":
        cube = np.stack(np.meshgrid(*[_RAMP[::51]] * 3), -1).reshape(-1, 3)
        probe = np.concatenate([np.repeat(_RAMP[:, None], 3, -1), cube])
    found = _converted(probe, profile, mode).astype(int)
    return bool(np.abs(found - (probe if mode == "RGB" else probe[:, None])).max() <= 1)
