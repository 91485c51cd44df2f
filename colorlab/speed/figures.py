"""The pictures of lesson 07: where a step's time goes, the roofline, the ladder, more processes.

Each function returns a figure, closed for pyplot, so that a notebook shows it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from colorlab.show import BLUE, GREEN, ORANGE
from colorlab.speed.ladder import COMPILE, DEVICE, FUSED, KEEP, LAYOUT, START, Ladder
from colorlab.speed.op_kinds import (
    ACTIVATION,
    ADAM,
    ARITHMETIC,
    CONVOLUTION,
    COPY,
    LAB,
    NORMALIZATION,
    OUTSIDE,
    READING,
)
from colorlab.speed.operations import Operation, Operations
from colorlab.speed.profiling import IDLE, Profile
from colorlab.speed.roofline import Roofline
from colorlab.speed.scaling import StepTimes, WireTimes, predicted_speedup
from colorlab.speed.table import read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colors, which most color-blind people can distinguish.
COLORS = {
    CONVOLUTION: "#0072b2",
    NORMALIZATION: "#d55e00",
    ACTIVATION: "#009e73",
    ADAM: "#e69f00",
    COPY: "#cc79a7",
    ARITHMETIC: "#56b4e9",
    READING: "#22262b",
    LAB: "#8c6bb1",
    OUTSIDE: "#b0b4b8",
    IDLE: "#dcdfe2",
}
_MARKED = ("#f0e442", "#8c510a")  # of other ranges that the step marks itself, in turn
_MIN_SHARE = 0.005  # of the time: a kind that takes less is left out of the picture
_BELOW, _ABOVE = (START, KEEP, DEVICE, LAYOUT), (FUSED, COMPILE)  # half precision, between them


# --- where the time goes --------------------------------------------------------------------------


def colors_of_kinds(kinds: Sequence[str]) -> dict[str, str]:
    """A color for each kind of work, the same in all pictures; marked ranges get one in turn."""
    own = [kind for kind in kinds if kind not in COLORS]
    more = {kind: _MARKED[i % len(_MARKED)] for i, kind in enumerate(own)}
    return {kind: COLORS.get(kind) or more[kind] for kind in kinds}


def draw_profiles(profiles: Mapping[str, Profile]) -> Figure:
    """One or several steps: a bar for each phase, in colors by kind of work, on one scale of time.

    Returns:
        The figure, 9 inches wide, closed for pyplot, so that a notebook shows it once.
    """
    # Not `Figure()`: pyplot is what makes a notebook's kernel draw figures as pictures.
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(kind for p in profiles.values() for kind in p.seconds))
    colors = colors_of_kinds(kinds)
    counts = [len(p.phases) for p in profiles.values()]
    title_room, rows = 0.4, -(-len(kinds) // 4)
    heights = [0.3 * count + title_room for count in counts]
    legend_room = 0.2 * rows + 0.05
    height = sum(heights) + 0.55 + legend_room
    figure = plt.figure(figsize=(9, height))
    longest = max(seconds for p in profiles.values() for seconds in p.phases.values()) * 1000
    top = height - legend_room
    for number, ((title, found), room) in enumerate(zip(profiles.items(), heights, strict=True)):
        top -= room
        bars = room - title_room
        axes = figure.add_axes((0.22, top / height, 0.75, bars / height))
        phases = found.phases
        for place, (phase, seconds) in enumerate(phases.items()):
            left = 0.0
            for kind in kinds:
                width = found.table.get((phase, kind), 0.0) * 1000
                axes.barh(place, width, left=left, color=colors[kind], height=0.72)
                left += width
            text = f" {_milliseconds(seconds)} · {seconds / found.total:.0%}"
            axes.text(left, place, text, va="center", fontsize=9)
        axes.set_yticks(range(len(phases)), list(phases), fontsize=9.5)
        axes.set_ylim(len(phases) - 0.4, -0.6)
        axes.set_xlim(0, longest * 1.2)
        axes.set_title(f"{title}: {_milliseconds(found.total)}", fontsize=11, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(labelbottom=number == len(profiles) - 1)
    axes.set_xlabel("milliseconds a step, under the profiler")
    patches = [plt.Rectangle((0, 0), 1, 1, color=colors[kind]) for kind in kinds]
    figure.legend(
        patches, kinds, loc="upper center", ncols=4, frameon=False, fontsize=9.5, borderaxespad=0.1
    )
    plt.close(figure)
    return figure


def _milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


# --- the roofline ---------------------------------------------------------------------------------


def draw_roofline(roofline: Roofline, steps: Mapping[str, Operations]) -> Figure:
    """The ceilings, and each kind of work in ``steps`` at its intensity and its measured rate.

    ``steps``: the operations of a step by a name to show, such as {"float32": …, "bf16": …}. A
    large mark is a kind of work as a whole; the small ones are single convolutions. A mark above
    the slope found its data in the cache.

    Returns:
        The figure, 9 inches wide, closed for pyplot.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    kinds = {name: _main_kinds(operations) for name, operations in steps.items()}
    names = list(dict.fromkeys(kind for found in kinds.values() for kind in found))
    colors = colors_of_kinds(names)
    singles = [
        (call, marker)
        for operations, marker in zip(steps.values(), "os^D", strict=False)
        for call in operations.calls
        if call.kind == CONVOLUTION and call.flops
    ]
    points = [one for found in kinds.values() for one in found.values()] + [c for c, _ in singles]
    low = min([p.intensity for p in points] + [0.05]) / 1.6
    high = max([p.intensity for p in points] + [2 * max(map(roofline.ridge, roofline.peaks))]) * 2
    for (name, peak), style in zip(roofline.peaks.items(), ("-", "--", ":"), strict=False):
        ridge = roofline.ridge(name)
        axes.plot(
            [low, ridge, high], [low * roofline.bandwidth, peak, peak], style, color="#22262b"
        )
        axes.text(
            high / 1.1, peak * 1.06, f"{name}: {_rate(peak)}", ha="right", va="bottom", fontsize=9.5
        )
    for call, marker in singles:
        rate = call.flops / call.seconds
        axes.plot(
            call.intensity, rate, marker, ms=3.5, color=colors[CONVOLUTION], alpha=0.35, mew=0
        )
    for (step, found), marker in zip(kinds.items(), "os^D", strict=False):
        for kind, one in found.items():
            axes.plot(
                one.intensity,
                one.flops / one.seconds,
                marker,
                ms=10,
                color=colors[kind],
                mec="white",
                mew=1,
                zorder=4,
            )
        axes.plot([], [], marker, ms=9, color="#888888", label=f"the step in {step}")
    axes.plot([], [], "o", ms=3.5, color="#0072b2", alpha=0.5, label="a single convolution")
    axes.set(xscale="log", yscale="log", xlim=(low, high))
    axes.set_ylim(top=max(roofline.peaks.values()) * 2.6)
    axes.set_xlabel("intensity: flops a byte")
    axes.set_ylabel("flops a second")
    axes.set_title(f"Roofline of {roofline.hardware}" if roofline.hardware else "Roofline")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False, fontsize=9.5)
    middle = (0.3 * min(map(roofline.ridge, roofline.peaks))) ** 0.5  # right of what memory binds
    axes.text(
        middle,
        middle * roofline.bandwidth * 1.15,
        f"memory: {roofline.bandwidth / 1e9:.3g} GB/s",
        fontsize=9.5,
        rotation=_angle(figure, axes, middle, roofline.bandwidth),
        rotation_mode="anchor",
        ha="center",
        va="bottom",
    )
    slope = [low, max(map(roofline.ridge, roofline.peaks))]
    _label(figure, axes, kinds, colors, [(x, x * roofline.bandwidth) for x in slope])
    plt.close(figure)
    return figure


def _main_kinds(operations: Operations) -> dict[str, Operation]:
    return {
        kind: one
        for kind, one in operations.by_kind().items()
        if one.flops and one.seconds > _MIN_SHARE * operations.seconds
    }


def _angle(figure: Figure, axes: Any, x: float, slope: float) -> float:
    """Degrees by which the line y = slope · x rises on the paper."""
    import math

    figure.draw_without_rendering()
    (x0, y0), (x1, y1) = axes.transData.transform([(x, x * slope), (10 * x, 10 * x * slope)])
    return math.degrees(math.atan2(y1 - y0, x1 - x0))


def _label(
    figure: Figure,
    axes: Any,
    kinds: Mapping[str, dict[str, Operation]],
    colors: dict[str, str],
    slope: list[tuple[float, float]],
) -> None:
    """Each kind's name beside its last mark, where no other name or mark is, nor the line between
    the two points of ``slope``."""
    from matplotlib.path import Path
    from matplotlib.text import Text

    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    marks = [
        axes.transData.transform((one.intensity, one.flops / one.seconds))
        for found in kinds.values()
        for one in found.values()
    ]
    last = {kind: one for found in kinds.values() for kind, one in found.items()}
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    taken.append(axes.get_legend().get_window_extent(renderer))
    frame = axes.get_window_extent(renderer)
    line = Path(axes.transData.transform(slope))
    for kind, one in last.items():
        where = one.intensity, one.flops / one.seconds
        at = tuple(axes.transData.transform(where))
        text = axes.annotate(
            kind,
            where,
            (0, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=colors[kind] if kind == CONVOLUTION else "#22262b",
            zorder=5,
            in_layout=False,  # or it would move the axes, and with them all marks
            arrowprops={"arrowstyle": "-", "color": "#999999", "lw": 0.6, "shrinkB": 4},
        )

        def box_at(place: tuple[int, int, str], text: Any = text) -> Any:
            text.xyann, side = place[:2], place[2]
            text.set_horizontalalignment(side)
            text.update_positions(renderer)
            return Text.get_window_extent(text, renderer).padded(1)  # without its line

        def cost(place: tuple[int, int, str], at: tuple = at) -> float:
            box = box_at(place)
            near = box.padded(7)  # a mark is this wide
            hidden = sum(near.contains(*mark) for mark in marks if tuple(mark) != at)
            overlaps = sum(box.overlaps(other) for other in taken)
            struck = line.intersects_bbox(box, filled=False)
            return 10 * (not _inside(box, frame)) + 3 * overlaps + 2 * struck + hidden

        place = min(_PLACES, key=cost)
        taken.append(box_at(place))
        if abs(place[1]) < 14:
            text.arrow_patch.set_visible(False)


_PLACES = [
    (dx * side, dy, "left" if side > 0 else "right")
    for far in ((9, 30), (60, 100))
    for dy in (0, 12, -12, 24, -24, 38, -38, 54, -54, 70, -70)
    for side in (1, -1)
    for dx in far
]  # from a mark to its name, in points, the best ones first


def _inside(box: Any, frame: Any) -> bool:
    return box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1


def _rate(flops: float) -> str:
    for size, unit in ((1e12, "Tflop/s"), (1e9, "Gflop/s")):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops / 1e6:.3g} Mflop/s"


# --- the ladder -----------------------------------------------------------------------------------


def draw_ladder(own: Ladder | None, ours: Sequence[Ladder] | None = None) -> Figure:
    """Milliseconds a photo on each rung, measured as bars, predicted as marks; own beside ours.

    Each ladder has a scale of its own: they may train other networks on other machines. The numbers
    on the bars, how many times faster than the first rung, compare.

    Args:
        own: the learner's; None to show only ours.
        ours: those of the course (``read_table``) by default.

    Returns:
        The figure, 9 inches wide, closed for pyplot.

    Raises:
        ValueError: there is no ladder at all.
    """
    # Not `Figure()`: pyplot is what makes a notebook's kernel draw figures as pictures.
    import matplotlib.pyplot as plt

    ours = read_table() if ours is None else list(ours)
    ladders = ([] if own is None else [("yours", own, BLUE)]) + [("ours", o, GREEN) for o in ours]
    if not ladders:
        raise ValueError("there is no ladder to draw; measure one with measure_ladder first")
    names = sorted({row.name for _, ladder, _ in ladders for row in ladder.rows}, key=_place)
    columns = min(2, len(ladders))
    lines = -(-len(ladders) // columns)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(9, lines * (0.34 * len(names) + 1.25) + 0.3),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (whose, ladder, color) in zip(grid.flat, ladders, strict=False):
        _draw_one(axes, ladder, names, color)
        hardware = ladder.hardware if len(ladder.hardware) <= 44 else ladder.hardware[:43] + "…"
        axes.set_title(f"{whose}: {ladder.title}\n{hardware}", fontsize=10, loc="left")
    for axes in grid.flat[len(ladders) :]:
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


# --- more processes -------------------------------------------------------------------------------


def draw_scaling(times: WireTimes, steps: StepTimes, most: int = 64) -> Figure:
    """Draw the all-reduce times, and the speed-up that they predict for more processes.

    Left: the times over the size, and the line fitted to them. Right: the photos a second that the
    model predicts for up to ``most`` processes, and those measured. Closed for pyplot.
    """
    import matplotlib.pyplot as plt

    wire = times.wire
    unit = "ms" if times.clock == "wall" else f"ms of {times.clock} time"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    sizes = np.geomspace(min(times.sizes), max(times.sizes), 100)
    left.plot(
        sizes / 1e6, [1000 * wire.seconds(size, times.processes) for size in sizes], color=BLUE
    )
    seconds = np.array(times.seconds)
    left.plot(np.array(times.sizes) / 1e6, 1000 * seconds, "D", color=ORANGE)
    left.axvline(steps.sent / 1e6, color=GREEN, linestyle=":")
    left.set(xscale="log", yscale="log", xlabel="data (MB)", ylabel=f"all-reduce ({unit})")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_formatter("{x:g}")
    left.set_title(f"{times.processes} processes", fontsize=11)
    left.legend(
        [
            f"fitted: {wire.bandwidth / 1e9:.2g} GB/s, {wire.latency * 1e6:.0f} µs",
            "measured",
            f"gradients of {steps.recipe}",
        ],
        fontsize=9,
    )
    counts = 2 ** np.arange(int(np.log2(most)) + 1)
    right.plot(counts, counts, color="0.5", linestyle="--")
    gains = [predicted_speedup(steps.share, steps.sent, wire, int(count)) for count in counts]
    right.plot(counts, gains, "o-", color=BLUE, markersize=4)
    right.plot([steps.processes], [steps.processes * steps.efficiency], "D", color=ORANGE)
    right.set(xscale="log", yscale="log", xlabel="processes", ylabel="speed-up")
    for axis in (right.xaxis, right.yaxis):
        axis.set_ticks(counts, [str(count) for count in counts])
        axis.set_minor_locator(plt.NullLocator())
    share = steps.batch // steps.processes
    right.set_title(f"{steps.recipe}, {share} photos of {steps.image_size} px each", fontsize=11)
    right.legend(["ideal", "predicted", "measured"], fontsize=9)
    plt.close(figure)
    return figure
