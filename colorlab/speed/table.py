"""The ladders measured for the course, and a picture of them beside the learner's own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorlab.atomic import write_whole
from colorlab.show import BLUE, GREEN, ORANGE
from colorlab.sources.named import data_dir
from colorlab.speed.ladder import COMPILE, DEVICE, FUSED, KEEP, LAYOUT, START, Ladder, Parts, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE = "speed.json"
_BELOW, _ABOVE = (START, KEEP, DEVICE, LAYOUT), (FUSED, COMPILE)  # half precision, between them


def read_table(path: str | os.PathLike[str] | None = None) -> list[Ladder]:
    """The ladders measured for the course, ``data/lessons/speed.json``; empty before the first.

    Raises:
        ValueError: the file holds something else.
    """
    path = Path(path) if path else data_dir() / "lessons" / TABLE
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [
            Ladder(
                **{
                    **one,
                    "parts": Parts(**one["parts"]),
                    "rows": tuple(Row(**row) for row in one["rows"]),
                }
            )
            for one in found
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a table of ladders: {error}") from error


def save_table(ladder: Ladder, path: str | os.PathLike[str] | None = None) -> Path:
    """Put a ladder into the table, in place of one of the same hardware and training."""
    path = Path(path) if path else data_dir() / "lessons" / TABLE

    def key(one: Ladder) -> tuple:
        return one.hardware, one.recipe, one.size, one.batch

    others = [one for one in read_table(path) if key(one) != key(ladder)]
    text = json.dumps([asdict(one) for one in [*others, ladder]], indent=1, ensure_ascii=False)
    write_whole(path, [(text + "\n").encode()])
    return path


def draw_ladder(own: Ladder | None, ours: Sequence[Ladder] | None = None) -> Figure:
    """Milliseconds a photo on each rung, measured as bars, predicted as marks; own beside ours.

    Each ladder has a scale of its own: they may train other networks on other machines. The numbers
    on the bars, how many times faster than the first rung, compare.

    Args:
        own: the learner's; None to show ours alone.
        ours: those of the course (:func:`read_table`) unless told.

    Returns the figure, 9 inches wide, closed for pyplot.

    Raises:
        ValueError: there is no ladder at all.
    """
    # Not `Figure()`: pyplot is what makes a notebook's kernel draw figures as pictures.
    import matplotlib.pyplot as plt

    ours = read_table() if ours is None else list(ours)
    shown = ([] if own is None else [("yours", own, BLUE)]) + [("ours", o, GREEN) for o in ours]
    if not shown:
        raise ValueError("there is no ladder to draw; measure one with measure_ladder first")
    names = sorted({row.name for _, ladder, _ in shown for row in ladder.rows}, key=_place)
    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(9, lines * (0.34 * len(names) + 1.25) + 0.3),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (whose, ladder, color) in zip(grid.flat, shown, strict=False):
        _draw_one(axes, ladder, names, color)
        hardware = ladder.hardware if len(ladder.hardware) <= 44 else ladder.hardware[:43] + "…"
        axes.set_title(f"{whose}: {ladder.title}\n{hardware}", fontsize=10, loc="left")
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    marks = [
        plt.Rectangle((0, 0), 1, 1, color="#8a8f94"),
        plt.Line2D([], [], marker="D", color=ORANGE, mec="white", linestyle="", markersize=8),
    ]
    figure.legend(
        marks,
        ["measured", "predicted from the first step's parts"],
        loc="outside lower right",
        ncols=2,
        frameon=False,
        fontsize=9.5,
    )
    plt.close(figure)
    return figure


def _place(name: str) -> tuple[int, str]:
    """Where a rung stands on the ladder: two machines may have left out different ones."""
    if name in _BELOW:
        return _BELOW.index(name), name
    if name in _ABOVE:
        return len(_BELOW) + 1 + _ABOVE.index(name), name
    larger = name.startswith("+ batch")
    return len(_BELOW) + (len(_ABOVE) + 1 if larger else 0), name  # else: half precision


def _draw_one(axes: Any, ladder: Ladder, names: Sequence[str], color: str) -> None:
    rows = {row.name: row for row in ladder.rows}
    longest = max(max(row.measured, row.predicted) for row in ladder.rows) * 1000
    first = ladder.rows[0].measured
    for place, name in enumerate(names):
        row = rows.get(name)
        if row is None:
            axes.text(longest * 0.02, place, "left out", va="center", color="#6b7075", size=9)
            continue
        measured, predicted = row.measured * 1000, row.predicted * 1000
        axes.barh(place, measured, color=color, height=0.66)
        if place:
            axes.plot(predicted, place, "D", color=ORANGE, mec="white", ms=8, clip_on=False)
        right = max(measured, predicted if place else 0) + longest * 0.04
        text = f"{measured:.3g} ms" + (f" · {first / row.measured:.1f}×" if place else "")
        axes.text(right, place, text, va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, longest * 1.36)
    axes.set_xlabel("milliseconds a photo")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
