"""Curves over the steps of a run, drawn in a few milliseconds, for widgets that redraw often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from colorlab.show import BLUE, font

INK, FAINT, GRID = "#22262b", "#6b7178", "#e4e6e9"
DASHES = {"-": (), "--": (9, 5), ":": (2, 4)}
FINE = 2  # drawn so many times larger, then reduced: smooth lines
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 24, 22  # pixels around the curves


@dataclass(frozen=True)
class Curve:
    """One line: ``y`` over ``x`` (equally long, NaN breaks it), its name in the legend (``""``:
    not in it)."""

    name: str
    x: np.ndarray
    y: np.ndarray
    color: str = BLUE
    style: str = "-"


def draw_curves(
    curves: Sequence[Curve],
    title: str,
    size: tuple[int, int] = (420, 180),
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    marks: Sequence[float] = (),
    cursor: float | None = None,
    unit: str = "",
    whole: bool = False,
) -> np.ndarray:
    """Curves in one box, with a grid, ticks and a legend: uint8 (H, W, 3).

    Args:
        size: (W, H) in pixels.
        x_range, y_range: what the axes show; all of the curves where left out.
        marks: thin vertical lines, such as where a setting was changed.
        cursor: one thick vertical line.
        unit: of y, behind the title.
        whole: x counts something: no tick between two whole numbers.
    """
    width, height = size
    x_range = x_range or _range([curve.x for curve in curves])
    y_range = y_range or _padded(_range([curve.y for curve in curves]))
    image = Image.new("RGB", (width * FINE, height * FINE), "white")
    draw = ImageDraw.Draw(image)
    box = (LEFT, TOP, width - RIGHT, height - BOTTOM)

    def place(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        across = (np.asarray(x, float) - x_range[0]) / (x_range[1] - x_range[0])
        up = (np.asarray(y, float) - y_range[0]) / (y_range[1] - y_range[0])
        up = up.clip(-0.02, 1.02)  # what lies outside runs along the edge
        return FINE * np.stack(
            [box[0] + across * (box[2] - box[0]), box[3] - up * (box[3] - box[1])], axis=-1
        )

    ticks = {"x": round_ticks(*x_range, 6), "y": round_ticks(*y_range, 4)}
    if whole:
        ticks["x"] = [tick for tick in ticks["x"] if tick == round(tick)]
    for tick in ticks["y"]:
        (_, y) = place(x_range[0], tick)
        draw.line([(box[0] * FINE, y), (box[2] * FINE, y)], GRID, FINE)
    for mark in marks:
        (x, _) = place(mark, 0)
        draw.line([(x, box[1] * FINE), (x, box[3] * FINE)], "#a0a5ab", FINE)
    for curve in curves:
        _draw_line(draw, place(curve.x, curve.y), np.isfinite(curve.y), curve.color, curve.style)
    if cursor is not None:
        (x, _) = place(cursor, 0)
        draw.line([(x, box[1] * FINE), (x, box[3] * FINE)], INK, 2 * FINE)
    draw.rectangle([FINE * side for side in box], outline="#b9bec4", width=FINE)

    image = image.resize(size, Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    for tick in ticks["y"]:
        (_, y) = place(x_range[0], tick) / FINE
        draw.text((box[0] - 5, y), tick_text(tick), FAINT, font(11), anchor="rm")
    for tick in ticks["x"]:
        (x, _) = place(tick, y_range[0]) / FINE
        text = tick_text(tick)
        half = font(11).getlength(text) / 2
        x = min(max(x, half), width - half)
        draw.text((x, box[3] + 4), text, FAINT, font(11), anchor="mt")
    _draw_legend(draw, curves, f"{title}, {unit}" if unit else title, width)
    return np.asarray(image).copy()


def with_cursor(picture: np.ndarray, at: float, x_range: tuple[float, float]) -> np.ndarray:
    """What ``draw_curves`` has drawn over ``x_range``, with a cursor: a new array, at once."""
    picture = picture.copy()
    height, width, _ = picture.shape
    share = (at - x_range[0]) / (x_range[1] - x_range[0])
    x = round(LEFT + min(max(share, 0), 1) * (width - RIGHT - LEFT))
    picture[TOP : height - BOTTOM, x - 1 : x + 1] = ImageColor.getrgb(INK)
    return picture


def smoothed(values: np.ndarray, steps: int) -> np.ndarray:
    """The mean of each value and the up to ``steps - 1`` before it; NaN stays NaN."""
    values = np.asarray(values, float)
    there = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(there)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - steps, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (sums[end] - sums[start]) / (counts[end] - counts[start])
    return np.where(there, means, np.nan)


def _draw_line(
    draw: ImageDraw.ImageDraw, points: np.ndarray, there: np.ndarray, color: str, style: str
) -> None:
    for part in _parts(there):
        line = [tuple(point) for point in points[part]]
        if len(line) == 1:
            (x, y), r = line[0], 2 * FINE
            draw.ellipse([x - r, y - r, x + r, y + r], fill=color)
        elif not DASHES[style]:
            draw.line(line, color, 2 * FINE, joint="curve")
        else:
            for dash in _dashes(points[part], DASHES[style]):
                draw.line(dash, color, 2 * FINE)


def _parts(there: np.ndarray) -> list[slice]:
    """Where values follow each other without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(there, int), [0]])))
    return [slice(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _dashes(
    points: np.ndarray, lengths: tuple[int, int], scale: int = FINE
) -> list[list[tuple[float, float]]]:
    """A polyline cut into dashes by its length along the way."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    on, off = (length * scale for length in lengths)
    dashes = []
    for start in np.arange(0, way[-1], on + off):
        inside = points[(way > start) & (way < start + on)]
        ends = [[np.interp(at, way, points[:, i]) for i in (0, 1)] for at in (start, start + on)]
        dashes.append([tuple(ends[0]), *(tuple(p) for p in inside), tuple(ends[1])])
    return dashes


def _draw_legend(
    draw: ImageDraw.ImageDraw, curves: Sequence[Curve], title: str, width: int
) -> None:
    draw.text((6, TOP / 2), title, INK, font(12), anchor="lm")
    x = width - RIGHT
    for curve in reversed([curve for curve in curves if curve.name]):
        draw.text((x, TOP / 2), curve.name, INK, font(11), anchor="rm")
        x -= int(font(11).getlength(curve.name)) + 5
        line = np.array([[x - 20, TOP / 2], [x, TOP / 2]])
        dashes = DASHES[curve.style]
        for dash in _dashes(line, dashes, 1) if dashes else [line.tolist()]:
            draw.line([tuple(dash[0]), (min(dash[-1][0], x), TOP / 2)], curve.color, 2)
        x -= 32


def _range(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([np.asarray(array, float).ravel() for array in arrays] or [np.zeros(0)])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(limits: tuple[float, float]) -> tuple[float, float]:
    room = 0.06 * (limits[1] - limits[0])
    return limits[0] - room, limits[1] + room


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers between two."""
    raw = (high - low) / most
    scale = 10 ** math.floor(math.log10(raw))
    step = next(scale * n for n in (1, 2, 2.5, 5, 10) if scale * n >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(tick: float) -> str:
    return f"{tick:,.0f}" if abs(tick) >= 1000 else f"{tick:.4g}" if abs(tick) > 1e-9 else "0"
