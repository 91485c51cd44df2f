"""What ``colorlab.metrics.evaluate`` finds: figures with their intervals, as a table and as CSV."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from colorlab.atomic import write_whole
from colorlab.intervals import Interval

NAME_WIDTH = 37

# What is printed: name, format, and the attributes of ours and (where there is one) of gray.
TABLE = (
    ("PSNR, dB", ".2f", "psnr", "gray_psnr"),
    ("  ours - gray", "+.2f", "psnr_gain", ""),
    ("SSIM", ".3f", "ssim", "gray_ssim"),
    ("mean chroma / truth", ".2f", "chroma_ratio", ""),
    ("colorfulness", ".1f", "colorfulness", ""),
    ("  truth", ".1f", "true_colorfulness", ""),
    ("  ours - truth", "+.1f", "colorfulness_gap", ""),
    ("recognized as truth", ".1%", "recognized", "gray_recognized"),
    ("  recovered of what gray lost", ".1%", "recovered", ""),
    ("Fréchet distance (EfficientNet-Lite0)", ".2f", "frechet", "gray_frechet"),
)


class Row(NamedTuple):
    """A line of the table: its name, and of each kind of picture (figure, interval), as text."""

    name: str
    ours: tuple[str, str]
    gray: tuple[str, str] | None


@dataclass(frozen=True)
class Scores:
    """Means over photos, of the colored picture and of the gray one, against the true colors.

    Attributes:
        photos: how many.
        psnr, gray_psnr: PSNR of sRGB in dB, a photo at a time, then averaged.
        psnr_gain: ``psnr - gray_psnr``.
        ssim, gray_ssim: structural similarity of sRGB, at most 1, a photo at a time.
        chroma_ratio: mean chroma of the colored photos over that of the true ones.
        colorfulness, true_colorfulness: see ``colorlab.metrics.colorfulness``.
        colorfulness_gap: ``colorfulness - true_colorfulness``. Kang et al., "DDColor" (ICCV
            2023), Table 1, print its absolute value as ΔCF; the sign says which one is duller.
        recognized, gray_recognized: share of photos to which EfficientNet-Lite0 gives the label
            that it gives the true photo.
        recovered: the share of the labels lost without color that come back with ours,
            ``(recognized - gray_recognized) / (1 - gray_recognized)``; negative where ours loses
            more, NaN where gray loses none.
        frechet, gray_frechet: see ``colorlab.frechet.frechet_distance``; NaN for one photo.
        hinted_psnr: number of hints -> PSNR with so many true colors as hints.
        intervals: name of a figure -> the ends of its 95 % interval; of ``hinted_psnr[5]`` under
            ``"psnr_5_hints"``. From ``colorlab.intervals.bootstrap``, but from
            ``colorlab.intervals.jackknife`` for the Fréchet distances: photos drawn twice
            stand for fewer photos, and fewer photos make that distance larger.
        by_photo: one mapping a photo, as ``write_csv`` writes it.
        features: (N, 3, D) of the colored, the gray and the true pictures: what the Fréchet
            distances are of.
    """

    photos: int
    psnr: float
    gray_psnr: float
    chroma_ratio: float
    recognized: float
    gray_recognized: float
    psnr_gain: float
    ssim: float
    gray_ssim: float
    colorfulness: float
    true_colorfulness: float
    colorfulness_gap: float
    recovered: float
    frechet: float
    gray_frechet: float
    hinted_psnr: Mapping[int, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict, repr=False)
    by_photo: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    features: np.ndarray | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        lines = [
            row("photos", f"{self.photos}"),
            row("", "ours", "95% interval", "gray", "95% interval"),
        ]
        lines += [row(one.name, *one.ours, *(one.gray or ())) for one in self.rows()]
        return "\n".join(lines)

    def rows(self) -> list[Row]:
        """The figures with their intervals as text, "-" where there is none."""
        found = [
            Row(name, self._cells(ours, style), self._cells(gray, style) if gray else None)
            for name, style, ours, gray in TABLE
        ]
        for count, value in self.hinted_psnr.items():
            name = f"PSNR with {count} hint{'s' if count > 1 else ''}, dB"
            ends = self.intervals.get(hinted_name(count))
            found.append(Row(name, cells(value, ends, ".2f"), None))
        return found

    def _cells(self, key: str, style: str) -> tuple[str, str]:
        return cells(getattr(self, key), self.intervals.get(key), style)

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write one line a photo, names of the columns first; replaces what stood there.

        Raises:
            OSError: as it came from the filesystem; what stood there then stays.
        """
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.by_photo[0])
        writer.writeheader()
        for photo in self.by_photo:
            writer.writerow({key: _short(value) for key, value in photo.items()})
        # A file name need not be valid text; surrogateescape gives its bytes back as they were.
        return write_whole(path, [text.getvalue().encode("utf-8", "surrogateescape")])


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def hinted_name(count: int) -> str:
    """What the PSNR with ``count`` hints is called where names are keys."""
    return f"psnr_{count}_hints"


def row(name: str, *cells: str) -> str:
    """A line of the table: a name, then a figure and its interval, in turn."""
    widths = (7, 19, 8, 19)
    padded = (f" {cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
    return f"{name:<{NAME_WIDTH}}" + "".join(padded)


def cells(value: float, ends: Interval | None, style: str) -> tuple[str, str]:
    """A figure and its interval as text, "-" where there is none."""
    return (
        "-" if math.isnan(value) else format(value, style),
        "-" if ends is None else " to ".join(format(end, style) for end in ends),
    )
