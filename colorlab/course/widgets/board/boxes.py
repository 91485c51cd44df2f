"""The curves of a run: which stand in which box, and how its history becomes lines."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from colorlab.course.widgets.board.curves import Curve, draw_curves, smoothed
from colorlab.recipes.recipe import Recipe
from colorlab.show import BLUE, ORANGE

COLUMNS = (
    "color",
    "palette",
    "generator",
    "discriminator",
    "accuracy_real",
    "accuracy_fake",
    "held_out",
)
POINTS = 240  # of a line; more are not seen
MARKS = 40


@dataclass(frozen=True)
class CurveBox:
    """``lines``: name in the legend, column of the history, color, style."""

    title: str
    lines: tuple[tuple[str, str, str, str], ...]
    unit: str = ""
    factor: float = 1.0
    y_range: tuple[float, float] | None = None


HELD_OUT = ("held out", "held_out", ORANGE, "--")
PALETTE = CurveBox("Palette loss", (("training", "palette", BLUE, "-"),))
LOSSES = CurveBox(
    "Losses",
    (("generator", "generator", BLUE, "-"), ("discriminator", "discriminator", ORANGE, "--")),
)
ACCURACIES = CurveBox(
    "D is right on",
    (("real", "accuracy_real", BLUE, "-"), ("fake", "accuracy_fake", ORANGE, "--")),
    unit="%",
    factor=100.0,
    y_range=(0.0, 100.0),
)


def boxes(recipe: Recipe, held_out: bool) -> list[CurveBox]:
    """What a run of the recipe has to show.

    The training loss and the held-out error share a box where they measure the same: the mean
    absolute error, as the network counts it.
    """
    objective = recipe.objective
    training = ("training", "color", BLUE, "-")
    error = CurveBox("Held-out error", (HELD_OUT,))
    if objective.color == "l1" and not objective.chroma_weight:
        found = [CurveBox("Color loss", (training, HELD_OUT) if held_out else (training,))]
    else:
        found = [CurveBox("Color loss", (training,)), *([error] if held_out else [])]
    if objective.palette_weight:
        found.append(PALETTE)
    if any(stage.kind == "adversarial" for stage in recipe.stages):
        found += [LOSSES, ACCURACIES]
    return found


class Series:
    """The columns of a history, read on from where it was read before."""

    def __init__(self) -> None:
        self.read = 0
        self._steps = array("d")
        self._values = {name: array("d") for name in COLUMNS}

    def read_on(self, history: Sequence[dict]) -> None:
        end = len(history)
        for row in history[self.read : end]:
            self._steps.append(row["step"])
            for name, values in self._values.items():
                values.append(row.get(name, math.nan))
        self.read = end

    @property
    def width(self) -> int:
        """Steps that a point of a line is the mean of."""
        return max(1, round(self.read / 40))

    def line(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values. Held-out errors are points; of the others, running means."""
        steps, values = np.array(self._steps), np.array(self._values[name])
        if name == "held_out":
            there = np.isfinite(values)
            return steps[there], values[there]
        every = max(1, math.ceil(self.read / POINTS))
        last = slice((self.read - 1) % every if self.read else 0, None, every)  # the newest is in
        return steps[last], smoothed(values, self.width)[last]


def draw_box(
    box: CurveBox,
    series: Series,
    total: int,
    size: tuple[int, int],
    marks: Sequence[float] = (),
    cursor: float | None = None,
) -> np.ndarray:
    """uint8 (H, W, 3). ``total``: steps of the whole run."""
    curves = []
    for name, column, color, style in box.lines:
        steps, values = series.line(column)
        curves.append(Curve(name, steps, values * box.factor, color, style))
    return draw_curves(
        curves,
        box.title,
        size,
        x_range=(0.0, _room(series.read, total)),
        y_range=box.y_range,
        marks=list(dict.fromkeys(marks))[-MARKS:],
        cursor=cursor,
        unit=box.unit,
    )


def _room(steps: int, total: int) -> float:
    """How far the axis goes: to the run's end, or in a long run to where it has room for a while.
    It grows by doubling, so that the curves don't shrink with each step."""
    room = 50.0
    while room < steps:
        room *= 2
    return float(total) if 2 * room > total else room
