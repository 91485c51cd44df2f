"""Lesson 07's widget on several processes: how much they gain over which link, by the model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from colorlab.course.widgets._panel import Panel, choice, steps
from colorlab.show import BLUE, ORANGE, font
from colorlab.sources.bundled import lesson_file
from colorlab.speed.scaling import LINKS, Measured, StepTimes, Wire, predicted_speedup

COUNTS = (1, 2, 4, 8, 16, 32, 64)
MILLISECONDS = (0.5, 1.0, 2.0, 5.0, 20.0, 50.0, 100.0, 500.0)
HERE = "loopback, measured"
LOW, HIGH = math.log2(0.25), math.log2(COUNTS[-1])  # ends of the axis of gains
WIDTH, HEIGHT = 640, 320
SCALE = 2  # drawn so many times as large and then reduced: smooth lines
TOP, BOTTOM = 34, 272  # of both plots, pixels
INK, GRID, GRAY = "#22262b", "#dfe3e7", "#7b858f"


def read_scaling() -> Measured:
    """What ``tests/benchmarks/scaling.py --save`` has written."""
    return Measured.from_json(lesson_file("scaling.json").read_text(encoding="utf-8"))


class ScalingPanel(Panel):
    """Predicted gain and efficiency over the number of processes; where the sliders stand at a step
    that the course has measured with two processes, that one too."""

    def __init__(self) -> None:
        self.measured = read_scaling()
        self.links = {HERE: self.measured.wire.wire, **LINKS}
        self.milliseconds = {name: _milliseconds(s) for name, s in self.measured.steps.items()}
        first = next(iter(self.measured.steps.values()))
        times = [(f"{value:g} ms", value) for value in MILLISECONDS]
        times += [(f"{value:.3g} ms: {n}", value) for n, value in self.milliseconds.items()]
        networks = [
            (f"{name}, {step.sent / 4e6:.1f} M weights", name)
            for name, step in self.measured.steps.items()
        ]
        super().__init__(
            self._draw,
            {
                "processes": steps("processes", [(str(c), c) for c in COUNTS], first.processes),
                "photos": steps("photos of each", [(str(c), c) for c in COUNTS], _share(first)),
                "network": choice("network", networks, first.recipe),
                "link": choice("link", list(self.links), HERE),
                "milliseconds": steps(
                    "a photo takes",
                    sorted(times, key=lambda option: option[1]),
                    self.milliseconds[first.recipe],
                ),
            },
            "Left: how many times the photos a second of one process. Right: that, as a share of "
            "the ideal, which is gray. Blue: predicted, each process on a processor of its own; "
            "hollow: less than a quarter; ring: the chosen number. Orange diamond: the course's "
            "measurement with two processes, shown where photos, link and time stand as in it. The "
            "links that were not measured are typical ones.",
            kind="png",
        )

    def set(self, **values: Any) -> None:
        """Another network brings the time that a photo takes it here, unless another is given."""
        if "network" in values:
            values.setdefault("milliseconds", self.milliseconds[values["network"]])
        super().set(**values)

    def _move(self, change: Any = None) -> None:
        if change is None or change.owner is not self.controls["network"]:
            super()._move(change)
        elif not self._resetting:
            self.set(network=change.new)  # it draws, once

    def _draw(
        self, processes: int, photos: int, network: str, link: str, milliseconds: float
    ) -> tuple[np.ndarray, str]:
        found, wire = self.measured.steps[network], self.links[link]
        step = photos * milliseconds / 1000
        gains = [predicted_speedup(step, found.sent, wire, count) for count in COUNTS]
        here = (_share(found), HERE, self.milliseconds[network])
        known = found if (photos, link, milliseconds) == here else None
        image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        draw = ImageDraw.Draw(image)
        _plot(
            draw,
            56,
            "speed-up",
            [(f"{gain:g}", _height(gain)) for gain in (0.25, 0.5, *COUNTS)],
            [_height(gain) for gain in gains],
            [_height(count) for count in COUNTS],
            processes,
            known and (known.processes, _height(known.processes * known.efficiency)),
        )
        _plot(
            draw,
            386,
            "efficiency",
            [(f"{percent} %", percent / 100) for percent in (0, 25, 50, 75, 100)],
            [gain / count for gain, count in zip(gains, COUNTS, strict=True)],
            [1.0] * len(COUNTS),
            processes,
            known and (known.processes, known.efficiency),
        )
        image = image.reduce(SCALE)
        gain = gains[COUNTS.index(processes)]
        return np.asarray(image).copy(), _words(processes, photos, step, found, wire, gain, known)


def _height(gain: float) -> float:
    """Where a gain stands on its axis, 0 to 1; below it, what is less than a quarter."""
    return (math.log2(max(gain, 1e-9)) - LOW) / (HIGH - LOW)


def _share(step: StepTimes) -> int:
    return step.batch // step.processes


def _milliseconds(step: StepTimes) -> float:
    """Of a photo, where one process computes its share alone."""
    return 1000 * step.share / _share(step)


def _plain(value: float) -> str:
    """Three digits, and no power of ten where there are more before the point."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def _words(
    processes: int,
    photos: int,
    step: float,
    found: StepTimes,
    wire: Wire,
    gain: float,
    known: StepTimes | None,
) -> str:
    waits = 1000 * wire.seconds(found.sent, processes)
    who = "1 process" if processes == 1 else f"{processes} processes"
    words = (
        f"{who}, {photos * processes} photos a step: {_plain(1000 * step)} ms to compute, "
        f"{_plain(waits)} ms to average {found.sent / 1e6:.0f} MB of gradients. Predicted: "
        f"{gain:.3g} times the photos a second of one process, {gain / processes:.0%} of the ideal."
    )
    if known is not None and processes == known.processes:
        clock = " in processor time" if known.clock == "processor" else ""
        words += (
            f" Measured{clock}: {known.processes * known.efficiency:.2f} times; side by side "
            f"without averaging, {known.processes * known.share / known.apart:.2f} times."
        )
    return words


def _plot(
    draw: ImageDraw.ImageDraw,
    left: int,
    title: str,
    ticks: list[tuple[str, float]],
    heights: list[float],
    ideal: list[float],
    processes: int,
    measured: tuple[int, float] | None,
) -> None:
    """One plot over COUNTS, `left` pixels from the edge. Heights are 0 to 1; a point below
    stands on the axis, hollow."""
    right = left + 236

    def place(count: float, height: float) -> tuple[float, float]:
        x = left + math.log2(count) / math.log2(COUNTS[-1]) * (right - left)
        return SCALE * x, SCALE * (BOTTOM - max(height, 0) * (BOTTOM - TOP))

    def write(x: float, y: float, text: str, anchor: str) -> None:
        draw.text((x, y), text, INK, font(12 * SCALE), anchor=anchor)

    write(SCALE * left, SCALE * 12, title, "lm")
    for text, height in ticks:
        start, end = place(COUNTS[0], height), place(COUNTS[-1], height)
        draw.line([start, end], GRID, SCALE)
        write(start[0] - 6 * SCALE, start[1], text, "rm")
    for count in COUNTS:
        x, y = place(count, 0)
        draw.line([(x, y), (x, place(count, 1)[1])], GRID, SCALE)
        write(x, y + 12 * SCALE, str(count), "mm")
    write(SCALE * (left + right) / 2, SCALE * (BOTTOM + 32), "processes", "mm")
    draw.line([place(c, h) for c, h in zip(COUNTS, ideal, strict=True)], GRAY, SCALE)
    points = [place(c, h) for c, h in zip(COUNTS, heights, strict=True)]
    draw.line(points, BLUE, 3 * SCALE, joint="curve")
    for (x, y), height in zip(points, heights, strict=True):
        fill = BLUE if height >= 0 else "white"
        draw.ellipse(_around(x, y, 4), fill=fill, outline=BLUE, width=SCALE)
    x, y = points[COUNTS.index(processes)]
    draw.ellipse(_around(x, y, 9), outline=BLUE, width=2 * SCALE)
    if measured is not None:
        x, y = place(*measured)
        size = 7 * SCALE
        draw.polygon([(x - size, y), (x, y - size), (x + size, y), (x, y + size)], fill=ORANGE)


def _around(x: float, y: float, radius: float) -> list[float]:
    return [x - radius * SCALE, y - radius * SCALE, x + radius * SCALE, y + radius * SCALE]
