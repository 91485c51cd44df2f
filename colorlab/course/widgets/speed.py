"""Lesson 07's widget: what a step would take if one of its parts became faster, or all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from colorlab.course.widgets._panel import Panel, steps
from colorlab.show import font
from colorlab.speed.figures import COLORS
from colorlab.speed.op_kinds import (
    ACTIVATION,
    ADAM,
    ARITHMETIC,
    CONVOLUTION,
    COPY,
    LAB,
    NORMALIZATION,
    READING,
)
from colorlab.speed.table import read_table

INK, FAINT, PALE = "#22262b", "#6b7075", "#dcdfe2"
PASSES, REST = "passes over memory", "the rest"
# What has a slider: the kinds of work that one change makes faster, and their color, a profile's.
GROUPS = {
    CONVOLUTION: ((CONVOLUTION,), COLORS[CONVOLUTION]),
    PASSES: ((NORMALIZATION, ACTIVATION, COPY, ARITHMETIC), COLORS[ACTIVATION]),
    ADAM: ((ADAM,), COLORS[ADAM]),
    READING: ((READING,), COLORS[READING]),
    LAB: ((LAB,), COLORS[LAB]),
}
FACTORS = (1, 2, 4, 8, 16, 64)
GONE = math.inf
SCALES = (1.5, 2, 3, 5, 9, 17, 33, 101, 1001)  # of the curves: the largest speed-up shown
FINER = 2  # drawn this many times larger, for smooth lines
WIDTH, HEIGHT = 620, 400
BAR_LEFT, BAR_RIGHT = 10, WIDTH - 10
LEFT, RIGHT, TOP, BOTTOM = 48, 450, 200, 360  # of the curves


def groups_of(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds by what has a slider, and those of the rest; what takes no time is left out."""
    found = {
        name: sum(seconds.get(kind, 0.0) for kind in kinds) for name, (kinds, _) in GROUPS.items()
    }
    found[REST] = sum(seconds.values()) - sum(found.values())
    return {name: value for name, value in found.items() if value > 1e-9 or name == REST}


def predicted(parts: Mapping[str, float], factors: Mapping[str, float]) -> float:
    """Seconds of the step with each part so many times faster (Amdahl, AFIPS 1967)."""
    return sum(part / factors.get(name, 1) for name, part in parts.items())


class SpeedSliders(Panel):
    """A measured step in parts; each part can be made faster, and the whole follows.

    Args:
        seconds: of one step by kind of work: ``profile.seconds`` or ``parts.seconds``; those of
            the course's own table by default.

    Raises:
        ValueError: nothing is measured, or nothing that has a slider.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        if seconds is None:
            table = read_table()
            if not table:
                raise ValueError("there is no measured step to show; give one: profile.seconds")
            seconds = table[0].parts.seconds
        self.parts = groups_of(seconds)
        movable = [name for name in self.parts if name != REST]
        if not movable:
            raise ValueError(
                f"none of the parts {', '.join(seconds) or '(there are none)'} can be made faster "
                f"here; give the seconds of a training step, profile.seconds"
            )
        options = [("as it is", 1), *((f"{n} × faster", n) for n in FACTORS[1:]), ("gone", GONE)]
        self._names = {f"part{i}": name for i, name in enumerate(movable)}
        controls = {key: steps(name, options, 1) for key, name in self._names.items()}
        for control in controls.values():
            control.layout.width = "412px"
            control.style.description_width = "152px"
        super().__init__(
            self._draw,
            controls,
            "Above: the step as measured, and with your changes, in parts. Below: how much faster "
            "the whole step gets when only one part goes on to get faster and the others stay as "
            "the sliders say. A ring marks where that part stands.",
            columns=2,
            kind="png",
        )

    def _draw(self, **values: float) -> tuple[np.ndarray, str]:
        factors = {self._names[key]: value for key, value in values.items()}
        before, after = predicted(self.parts, {}), predicted(self.parts, factors)
        image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), "white")
        draw = ImageDraw.Draw(image)
        _bar(draw, 22, f"measured: {_time(before)}", self.parts, before)
        now = {name: part / factors.get(name, 1) for name, part in self.parts.items()}
        _bar(draw, 86, f"with your changes: {_time(after)}", now, before)
        _key(draw, 140, list(self.parts))
        _curves(draw, self.parts, factors, before)
        small = image.reduce(FINER)
        return np.asarray(small).copy(), self._said(factors, before, after, now)

    def _said(
        self, factors: dict[str, float], before: float, after: float, now: dict[str, float]
    ) -> str:
        largest = max((name for name in now if name != REST), key=now.__getitem__)
        first = f"The step is {_times(before / after)} as fast as it was. " if after else ""
        if after <= 0:
            return "Nothing is left to do: the step takes no time at all."
        rest = after - now[largest]
        if now[largest] == 0:
            return f"{first}What is left is Python and the rest, which no slider reaches."
        most = f"at most {_times(before / rest)}" if rest > 0 else "as fast as you like"
        return (
            f"{first}The longest part is now {largest}, {now[largest] / after:.0%} of it; if that "
            f"took no time, the step would be {most}."
        )


def _bar(
    draw: ImageDraw.ImageDraw, top: int, title: str, parts: Mapping[str, float], whole: float
) -> None:
    """The parts side by side, as long as their share of `whole`; the title stands above."""
    _text(draw, (BAR_LEFT, top - 4), title, INK, "ls", 13)
    x = float(BAR_LEFT)
    _box(draw, (BAR_LEFT, top, BAR_RIGHT, top + 28), None, PALE)
    for name, seconds in parts.items():
        wide = seconds / whole * (BAR_RIGHT - BAR_LEFT)
        _box(draw, (x, top, x + wide, top + 28), _color(name))
        if wide > 34:
            _text(draw, (x + wide / 2, top + 14), f"{seconds / whole:.0%}", _on(name), "mm", 12)
        x += wide


def _key(draw: ImageDraw.ImageDraw, top: int, names: list[str]) -> None:
    x = float(BAR_LEFT)
    for name in names:
        wide = 16 + font(12).getlength(name) + 10
        if x + wide > WIDTH:
            x, top = float(BAR_LEFT), top + 18
        _box(draw, (x, top, x + 11, top + 11), _color(name))
        _text(draw, (x + 16, top + 5.5), name, INK, "lm", 12)
        x += wide


def _curves(
    draw: ImageDraw.ImageDraw,
    parts: Mapping[str, float],
    factors: Mapping[str, float],
    whole: float,
) -> None:
    """Speed-up of the whole against that of one part, from as it is to 64 times, and its limit."""

    def gain(name: str, factor: float) -> float:
        seconds = predicted(parts, {**factors, name: factor})
        return min(whole / seconds, float(SCALES[-1])) if seconds > 0 else float(SCALES[-1])

    movable = [name for name in parts if name != REST]
    top = max(gain(name, FACTORS[-1]) for name in movable)
    scale = next(s for s in SCALES if s >= top or s == SCALES[-1])

    def place(factor: float, value: float) -> tuple[float, float]:
        share = math.log2(min(factor, FACTORS[-1])) / math.log2(FACTORS[-1])
        high = (min(value, scale) - 1) / (scale - 1)
        return LEFT + share * (RIGHT - LEFT), BOTTOM - high * (BOTTOM - TOP)

    _text(draw, (BAR_LEFT, TOP - 10), "the whole step, × as fast", INK, "ls", 12)
    for share in (0, 0.5, 1):
        value = 1 + share * (scale - 1)
        _, y = place(1, value)
        _line(draw, [(LEFT, y), (RIGHT, y)], PALE, 1)
        _text(draw, (LEFT - 6, y), f"{value:g}", FAINT, "rm", 11)
    for factor in FACTORS:
        x, _ = place(factor, 1)
        _text(draw, (x, BOTTOM + 5), f"{factor}", FAINT, "ma", 11)
    _text(draw, ((LEFT + RIGHT) / 2, BOTTOM + 22), "one part, × as fast", INK, "ma", 12)

    ends = []
    for name in movable:
        curve = [2 ** (i / 8) for i in range(8 * round(math.log2(FACTORS[-1])) + 1)]
        points = [place(factor, gain(name, factor)) for factor in curve]
        _line(draw, points, _color(name), 2.4)
        x, y = place(factors.get(name, 1), gain(name, factors.get(name, 1)))
        _ring(draw, x, y, 4.5, _color(name))
        ends.append((points[-1][1], name))
    # Names at the curves' ends, pushed apart where the ends are close.
    ends.sort()
    room, y = 15, TOP - 4.0
    for number, (end, name) in enumerate(ends):
        lowest = BOTTOM + 4 - room * (len(ends) - 1 - number)
        y = min(max(end, y), lowest)
        limit = gain(name, GONE)
        short = "passes" if name == PASSES else name
        text = f"{short}: {_times(limit)} at most" if limit < SCALES[-1] else f"{short}: no limit"
        _line(draw, [(RIGHT, end), (RIGHT + 8, y)], _color(name), 1)
        _text(draw, (RIGHT + 11, y), text, INK, "lm", 10)
        y += room


def _color(name: str) -> str:
    return GROUPS[name][1] if name in GROUPS else "#b0b4b8"


def _on(name: str) -> str:
    """The color of words on a part of the bar."""
    return "white" if name in (CONVOLUTION, PASSES, READING, LAB) else INK


def _times(value: float) -> str:
    return f"{value:.1f}×" if value < 10 else f"{value:.0f}×"


def _time(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _scaled(points: object) -> list[tuple[float, float]]:
    return [(x * FINER, y * FINER) for x, y in points]  # type: ignore[attr-defined]


def _line(draw: ImageDraw.ImageDraw, points: object, color: str, width: float) -> None:
    draw.line(_scaled(points), fill=color, width=round(width * FINER), joint="curve")


def _ring(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: str) -> None:
    box = _scaled([(x - radius, y - radius), (x + radius, y + radius)])
    draw.ellipse([*box[0], *box[1]], fill="white", outline=color, width=2 * FINER)


def _box(
    draw: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    fill: str | None,
    outline: str | None = None,
) -> None:
    left, top, right, bottom = (round(value * FINER) for value in box)
    if right > left:
        draw.rectangle([left, top, right - 1, bottom - 1], fill=fill, outline=outline)


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    color: str,
    anchor: str,
    size: int,
) -> None:
    place = (at[0] * FINER, at[1] * FINER)
    draw.text(place, text, fill=color, font=font(size * FINER), anchor=anchor)
