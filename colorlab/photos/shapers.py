"""Curves and a matrix: what a color profile is made of as a rule, and a PNG's own chunks always.

Applied in float to values of sixteen bits, where Pillow's littleCMS has eight alone.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import ImageCms

LEVELS = 65536
# xy of red, green, blue and white: ITU-T H.273, table 2, by its number in cICP.
_PRIMARIES = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290),  # sRGB
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),  # BT.2020
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),  # Display P3
}
# Table 3: number -> exponent. The curves of sRGB (13) and video (1, 6, 14, 15) count as sRGB's.
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0, 1: None, 6: None, 13: None, 14: None, 15: None}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


class Shaper(NamedTuple):
    """Curves and a matrix.

    Attributes:
        curves: one a channel or one for all, (65536,) float: stored value -> linear light 0..1.
        matrix: (3, 3), linear RGB -> linear sRGB; None for the same primaries.
    """

    curves: tuple[np.ndarray, ...]
    matrix: np.ndarray | None = None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Bring uint16 (H, W) or (H, W, 3) to sRGB; what sRGB can't show is clipped."""
        if values.ndim == 2:
            return encoded(self.curves[len(self.curves) // 2])[values]  # green's, of three
        curves, out = self.curves * (3 // len(self.curves)), np.empty_like(values)
        if self.matrix is None:
            for channel, curve in enumerate(curves):
                out[..., channel] = encoded(curve)[values[..., channel]]
            return out
        rows = max(1, 2**18 // values.shape[1])  # in floats the whole would be six times as large
        for top in range(0, len(values), rows):
            strip = values[top : top + rows]
            linear = np.stack([curve[strip[..., c]] for c, curve in enumerate(curves)], -1)
            out[top : top + rows] = encoded(linear @ self.matrix.T.astype(np.float32))
        return out


def encoded(linear: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB (IEC 61966-2-1), uint16."""
    linear = np.clip(linear, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(curve * (LEVELS - 1)).astype(np.uint16)


@lru_cache(maxsize=4)
def of_profile(profile: bytes) -> Shaper | None:
    """What the profile holds as curves and a matrix; None where it holds tables."""
    core = ImageCms.ImageCmsProfile(BytesIO(profile)).profile
    count = min(struct.unpack_from(">I", profile, 128)[0], 200)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
    tags = {name: profile[start : start + size] for name, start, size in entries}
    try:
        if b"A2B0" in tags:
            return None
        if core.xcolor_space.strip() == "GRAY":
            curve = _curve(tags[b"kTRC"])
            if core.connection_space.strip() == "Lab":
                curve = np.where(curve > 0.08, ((curve + 0.16) / 1.16) ** 3, curve / 9.033)
            return Shaper((curve.astype(np.float32),))
        curves = tuple(
            _curve(tags[name]).astype(np.float32) for name in (b"rTRC", b"gTRC", b"bTRC")
        )
        ours, theirs = _columns(ImageCms.createProfile("sRGB")), _columns(core)
        return Shaper(tuple(c.astype(np.float32) for c in curves), np.linalg.inv(ours) @ theirs)
    except (KeyError, TypeError, struct.error, ValueError):
        return None


def _columns(core: Any) -> np.ndarray:
    return np.array([c[0] for c in (core.red_colorant, core.green_colorant, core.blue_colorant)]).T


def _curve(tag: bytes) -> np.ndarray:
    """A "curv" or "para" tag (ICC.1:2022, 10.6 and 10.18) -> linear light of 65536 values."""
    x = np.linspace(0, 1, LEVELS)
    kind, number = struct.unpack_from(">4s4xI", tag)
    if kind == b"curv":
        points = np.frombuffer(tag, ">u2", number, 12)
        if number == 0:
            return x
        if number == 1:
            return x ** (points[0] / 256)
        return np.interp(x, np.linspace(0, 1, number), points / 65535)
    if kind != b"para" or number >> 16 > 4:
        raise ValueError("a curve of another type")
    kind = number >> 16
    numbers = np.frombuffer(tag, ">i4", (1, 3, 4, 5, 7)[kind], 12) / 65536
    g, a, b, c, d, e, f = (*numbers, *[0.0] * (7 - len(numbers)))
    if kind == 0:
        return x**g
    if kind in (1, 2):
        c, d, e, f = 0.0, -b / a, (c if kind == 2 else 0.0), (c if kind == 2 else 0.0)
    power = np.maximum(a * x + b, 0) ** g + e
    return np.clip(np.where(x >= d, power, c * x + f), 0, 1)


def of_png(info: Mapping[str, Any]) -> Shaper | None:
    """What a PNG says without a profile; None for sRGB.

    cICP comes before sRGB, and that before gAMA with cHRM (PNG, third edition, 4.3).
    """
    cicp = info.get("cicp")
    if cicp and cicp[0] in _PRIMARIES and cicp[1] in _EXPONENTS:
        exponent, primaries = _EXPONENTS[cicp[1]], _PRIMARIES[cicp[0]]
    elif "srgb" in info or not 0.01 <= info.get("gamma", 0) <= 100:
        return None
    else:
        exponent = 1 / info["gamma"]
        if abs(exponent / 2.2 - 1) < 0.011:  # as nearly all write it, and mean sRGB
            exponent = None
        xy = info.get("chromaticity", ())
        primaries = (*xy[2:], *xy[:2]) or _PRIMARIES[1]
    matrix = _matrix(primaries)
    if exponent is None and matrix is None:
        return None
    x = np.linspace(0, 1, LEVELS)
    if exponent is None:
        curve = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    else:
        curve = x**exponent
    return Shaper((curve.astype(np.float32),), matrix)


def _matrix(primaries: tuple[float, ...]) -> np.ndarray | None:
    """Linear RGB -> linear sRGB; None where the primaries are sRGB's, or make no sense."""
    if np.abs(np.subtract(primaries, _PRIMARIES[1])).max() < 0.002:
        return None
    try:
        matrix = np.linalg.inv(_to_xyz(_PRIMARIES[1])) @ _to_xyz(primaries)
    except np.linalg.LinAlgError:
        return None
    return matrix if np.isfinite(matrix).all() and np.abs(matrix).max() < 100 else None


def _to_xyz(primaries: tuple[float, ...]) -> np.ndarray:
    """Linear RGB -> XYZ relative to D65, another white adapted to it (Bradford)."""
    with np.errstate(all="ignore"):
        x, y = np.array(primaries, float).reshape(4, 2).T
        xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
        if not np.isfinite(xyz).all():
            raise np.linalg.LinAlgError
        matrix = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
        white = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
        scale = (_BRADFORD @ white) / (_BRADFORD @ xyz[:, 3])
        return np.linalg.solve(_BRADFORD, scale[:, None] * _BRADFORD) @ matrix
