"""Lesson 09's gallery: the colorings on which two metrics disagree most, to be looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from colorlab.course.widgets._panel import Panel, choice, slider
from colorlab.course.widgets._plane import beside
from colorlab.course.widgets.board.curves import FAINT, GRID, INK, round_ticks, tick_text
from colorlab.show import BLUE, GREEN, ORANGE, font

# Okabe and Ito's colors without their yellow, which is pale on white, and a gray.
COLORS = ("#7b858f", ORANGE, "#56b4e9", GREEN, "#e69f00", BLUE, "#cc79a7", "#000000")
CORNERS = (0, 4, 3)  # of the generators' marks, in turn: a circle, a diamond, a triangle
PALE = 0.35  # how strong the marks of the other photos are
PLOT, SIDE, SCALE = (472, 322), 232, 2  # pixels: the plane, the column beside it; drawn larger
BOX = (62, 12, 460, 276)  # the plane's axes: left, top, right, bottom
TILE, HEAD, LINE, GAP = 152, 24, 20, 8  # pixels of a picture, the words above it, a line of scores
Scores = Mapping[str, tuple[Any, bool]]
Spot = tuple[float, float]


class DisagreementGallery(Panel):
    """Each coloring as a mark in the plane of two metrics; the slider goes to where they disagree.

        DisagreementGallery({"PSNR, dB": (psnr, True), "error of chroma": (error, False)}, pictures)

    All colorings of one photo are ranked by each metric. Two metrics disagree on a coloring by the
    difference of its ranks, and the slider goes from the largest difference to the smallest.

    Args:
        scores: metric -> (its values (R, P), whether more is better) for R generators, P photos.
        pictures: "names" (R,), "photos" (P,), "gray" and "truth" (P, 3, H, W), "pictures"
            (R, P, 3, H, W), uint8, such as ``np.load(lesson_file("generators.npz"))``.

    Raises:
        ValueError: fewer than two metrics, values of another shape, or some that are not finite.
    """

    def __init__(self, scores: Scores, pictures: Mapping[str, Any]) -> None:
        self.names, self.photos = ([str(one) for one in pictures[of]] for of in ("names", "photos"))
        self.scores = _checked(scores, (len(self.names), len(self.photos)))
        self.pictures = {key: np.asarray(pictures[key]) for key in ("gray", "pictures", "truth")}
        self.ranks = {name: ranks(values, more) for name, (values, more) in self.scores.items()}
        metrics = list(self.scores)
        dot = slider("disagreement", 1, 1, len(self.names) * len(self.photos), 1)
        dot.layout.width = "420px"
        super().__init__(
            self._draw,
            {
                "x": choice("across", metrics, metrics[0]),
                "y": choice("up", metrics, metrics[1]),
                "dot": dot,
            },
            "Each mark is one generator's coloring of one photo; right and up are better. The ring "
            "marks the coloring that is shown, the strong marks are the same photo's. Each metric "
            "ranks the colorings of a photo; at 1 stands the coloring whose ranks lie furthest "
            "apart.",
            columns=(2, 1),
        )

    def _draw(self, x: str, y: str, dot: int) -> tuple[np.ndarray, str]:
        row, column = most_disagreed(self.ranks[x], self.ranks[y])[dot - 1]
        upper = beside(self._plane(x, y, row, column), self._legend(), gap=GAP)
        lower = beside(self._photos(row, column), self._table(x, y, row, column), gap=GAP)
        return np.concatenate([upper, lower]), self._said(x, y, row, column, dot)

    def _plane(self, x: str, y: str, row: int, column: int) -> np.ndarray:
        image, draw = _canvas(*PLOT)
        left, top, right, bottom = (side * SCALE for side in BOX)
        across, up = _Axis(*self.scores[x], left, right), _Axis(*self.scores[y], bottom, top)
        small, away = font(11 * SCALE), 6 * SCALE
        for tick in across.ticks:
            at = across.place(tick)
            draw.line([(at, top), (at, bottom)], GRID, SCALE)
            draw.text((at, bottom + away), tick_text(tick), FAINT, small, anchor="mt")
        for tick in up.ticks:
            at = up.place(tick)
            draw.line([(left, at), (right, at)], GRID, SCALE)
            draw.text((left - away, at), tick_text(tick), FAINT, small, anchor="rm")
        draw.rectangle([left, top, right, bottom], outline="#b9bec4", width=SCALE)
        image.paste(_axis_title(x, right - left), (left, bottom + 24 * SCALE))
        image.paste(_axis_title(y, bottom - top).rotate(90, expand=True), (0, top))
        spots = list(np.ndindex(self.scores[x][0].shape))
        for spot in sorted(spots, key=lambda one: (one[1] == column, one == (row, column))):
            at = across.place(self.scores[x][0][spot]), up.place(self.scores[y][0][spot])
            if spot == (row, column):
                _circle(draw, at, 11 * SCALE, outline=INK, width=2 * SCALE)
            _mark(draw, at, spot[0], 1.0 if spot[1] == column else PALE)
        return np.asarray(image.reduce(SCALE))

    def _legend(self) -> np.ndarray:
        image, draw = _canvas(SIDE, PLOT[1])
        for number, name in enumerate(self.names):
            y = (BOX[1] + 10 + 22 * number) * SCALE
            _mark(draw, (14 * SCALE, y), number)
            draw.text((30 * SCALE, y), name, INK, font(13 * SCALE), anchor="lm")
        return np.asarray(image.reduce(SCALE))

    def _photos(self, row: int, column: int) -> np.ndarray:
        """Gray input, ours, truth."""
        shown = {
            "gray input": self.pictures["gray"][column],
            self.names[row]: self.pictures["pictures"][row, column],
            "truth": self.pictures["truth"][column],
        }
        image = Image.new("RGB", (PLOT[0], self._height), "white")
        draw = ImageDraw.Draw(image)
        for number, (title, pixels) in enumerate(shown.items()):
            x = number * (TILE + GAP)
            draw.text((x + 2, HEAD / 2), title, INK, font(13), anchor="lm")
            tile = Image.fromarray(np.moveaxis(pixels, 0, -1))
            image.paste(tile.resize((TILE, TILE), Image.Resampling.LANCZOS), (x, HEAD))
        return np.asarray(image)

    def _table(self, x: str, y: str, row: int, column: int) -> np.ndarray:
        """All scores of one coloring with its ranks; those of the plane are blue."""
        image = Image.new("RGB", (SIDE, self._height), "white")
        draw = ImageDraw.Draw(image)
        middle, right, letters = SIDE - 52, SIDE - 6, font(12)
        draw.text((6, HEAD / 2), self.photos[column], INK, font(13), anchor="lm")
        draw.text((right, HEAD / 2), "rank", FAINT, letters, anchor="rm")
        for number, (name, (values, _)) in enumerate(self.scores.items()):
            height, color = HEAD + LINE * (number + 0.5), BLUE if name in (x, y) else INK
            value, rank = tick_text(values[row, column]), f"{self.ranks[name][row, column]:g}"
            room, short = middle - 14 - letters.getlength(value), name
            while letters.getlength(short) > room:
                short = short.rstrip("…")[:-1] + "…"
            for at, words, anchor in (6, short, "lm"), (middle, value, "rm"), (right, rank, "rm"):
                draw.text((at, height), words, color, letters, anchor=anchor)
        return np.asarray(image)

    @property
    def _height(self) -> int:
        """Pixels of the lower half."""
        return HEAD + max(TILE, LINE * len(self.scores)) + 4

    def _said(self, x: str, y: str, row: int, column: int, dot: int) -> str:
        of, spot = len(self.names), (row, column)
        ranked = f"{x} gives it rank {self.ranks[x][spot]:g} of {of}"
        ranked += "." if x == y else f", {y} rank {self.ranks[y][spot]:g}."
        values = "; ".join(
            f"{name} {tick_text(one[spot])}" for name, (one, _) in self.scores.items()
        )
        return (
            f"{dot} of {of * len(self.photos)}: {self.photos[column]} by {self.names[row]}. "
            f"{ranked} All its scores: {values}."
        )


def ranks(values: np.ndarray, more_is_better: bool) -> np.ndarray:
    """The ranks of R generators within each photo, 1 for the best; equal ones share their mean.

    `values` and the ranks: (R, P).
    """
    ours, others = values[:, None], values[None]  # (R, 1, P), (1, R, P)
    better = others > ours if more_is_better else others < ours
    return 0.5 + better.sum(1) + (others == ours).sum(1) / 2


def most_disagreed(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """All (generator, photo), the largest difference of their two ranks (R, P) first."""
    order = np.argsort(-np.abs(first - second), axis=None, kind="stable")
    return [divmod(at, first.shape[1]) for at in order.tolist()]


class _Axis:
    """Where values lie between two pixels, the better the nearer to the second."""

    def __init__(self, values: np.ndarray, more_is_better: bool, start: int, end: int) -> None:
        low, high = float(values.min()), float(values.max())
        room = 0.06 * (high - low) or 0.5
        self.low, self.high = low - room, high + room
        self.start, self.end = (start, end) if more_is_better else (end, start)
        self.ticks = round_ticks(self.low, self.high, 5)

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """White, and larger than it is shown, so that what is round becomes smooth."""
    image = Image.new("RGB", (width * SCALE, height * SCALE), "white")
    return image, ImageDraw.Draw(image)


def _axis_title(metric: str, length: int) -> Image.Image:
    strip = Image.new("RGB", (length, 20 * SCALE), "white")
    draw, middle = ImageDraw.Draw(strip), 10 * SCALE
    draw.text((0, middle), metric, INK, font(13 * SCALE), anchor="lm")
    draw.text((length, middle), "better →", FAINT, font(11 * SCALE), anchor="rm")
    return strip


def _mark(draw: ImageDraw.ImageDraw, at: Spot, number: int, strength: float = 1.0) -> None:
    """A generator's color and shape."""
    rgb = np.array(ImageColor.getrgb(COLORS[number % len(COLORS)]))
    color = tuple(np.round(255 - strength * (255 - rgb)).astype(int).tolist())
    corners = CORNERS[number % len(CORNERS)]
    if corners:
        turns = (math.tau * (corner / corners - 0.25) for corner in range(corners))
        radius = 6.5 * SCALE
        draw.polygon(
            [(at[0] + radius * math.cos(one), at[1] + radius * math.sin(one)) for one in turns],
            color,
        )
    else:
        _circle(draw, at, 5 * SCALE, fill=color)


def _circle(draw: ImageDraw.ImageDraw, at: Spot, radius: float, **options: Any) -> None:
    x, y = at
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], **options)


def _checked(scores: Scores, shape: tuple[int, int]) -> dict[str, tuple[np.ndarray, bool]]:
    if len(scores) < 2:
        raise ValueError(
            "Give at least two metrics: {name: (values, whether more is better), ...}."
        )
    found = {name: (np.asarray(values, float), more) for name, (values, more) in scores.items()}
    for name, (values, _) in found.items():
        if values.shape != shape or not np.isfinite(values).all():
            raise ValueError(
                f"{name!r} needs finite values of shape {shape}, generators times photos; it has "
                f"shape {values.shape}, and {(~np.isfinite(values)).sum()} are not finite."
            )
    return found
