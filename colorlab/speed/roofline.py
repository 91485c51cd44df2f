"""The roofline: how fast a machine can do some work at best, from two of its figures.

Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures" (Communications of the ACM 52:4, 2009). A machine does at most ``peak`` operations a
second and moves at most ``bandwidth`` bytes a second. Work that needs both takes at least the
longer of the two times,

    seconds = max(flops / peak, bytes / bandwidth),

so that its rate is at most min(peak, intensity × bandwidth), where the intensity is flops a byte
(their section "The Roofline Model"). Both ceilings are measured here rather than read from a data
sheet: matrix products and a convolution, and a sum of arrays that no cache can hold.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from colorlab.devices import choose_precision, hardware_name, quick_float32
from colorlab.speed.op_kinds import CONVOLUTION
from colorlab.speed.operations import PRECISIONS, Operation, Operations
from colorlab.speed.profiling import colors_of_kinds
from colorlab.speed.stopwatch import Work, seconds_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DTYPES = {name: dtype for dtype, name in PRECISIONS.items()}
_SHOWN = 0.005  # of the time: a kind that takes less is left out of the picture


@dataclass(frozen=True)
class Roofline:
    """The two ceilings of a machine.

    Attributes:
        peaks: flops a second by precision, "fp32", "bf16", "fp16".
        bandwidth: bytes a second between memory and the processor.
        hardware: its name.
    """

    peaks: dict[str, float]
    bandwidth: float
    hardware: str = ""

    def attainable(self, flops: float, bytes: float, precision: str = "fp32") -> float:  # noqa: A002
        """The seconds that such work takes at least: ``max(flops / peak, bytes / bandwidth)``."""
        return max(flops / self._peak(precision), bytes / self.bandwidth)

    def ridge(self, precision: str = "fp32") -> float:
        """The flops a byte at which the two ceilings meet; below it memory binds."""
        return self._peak(precision) / self.bandwidth

    def binds(self, work: Operation) -> str:
        """``"arithmetic"`` or ``"memory"``: which ceiling the work meets first."""
        far = work.intensity >= self.ridge(work.precision or "fp32")
        return "arithmetic" if far else "memory"

    def predict(self, operations: Operations) -> float:
        """Seconds of all operations if each meets its ceiling and they follow one another."""
        return sum(
            self.attainable(call.flops, call.bytes, call.precision or "fp32")
            for call in operations.calls
        )

    def draw(self, steps: Mapping[str, Operations]) -> Figure:
        """:func:`draw_roofline`."""
        return draw_roofline(self, steps)

    def _peak(self, precision: str) -> float:
        if precision not in self.peaks:
            raise ValueError(
                f"the ceiling of {precision!r} was not measured, only {', '.join(self.peaks)}; "
                f"ceilings(device, [{precision!r}, …]) measures it"
            )
        return self.peaks[precision]


def ceilings(
    device: torch.device | str = "cpu", precisions: Iterable[str] | None = None, repeats: int = 20
) -> Roofline:
    """Measure the ceilings of ``device``: the best of ``repeats``, since noise only slows.

    Args:
        precisions: which to measure; fp32 and what training takes there unless told.

    Arithmetic: the quickest of two square matrix products and a convolution such as pix2pix's,
    for they run in libraries of their own: on an AMD processor MKL's products in float32 were
    slower than oneDNN's convolutions. They fit between two interruptions, and are large enough to
    be quick.

    Memory: ``c = a + b`` in float32, three arrays of 64 MB on a CPU, of 1 GB on a GPU. A processor
    that reads a line of memory before it overwrites it moves a third more than is counted.
    """
    device = torch.device(device)
    chosen = dict.fromkeys(precisions or ("fp32", choose_precision(device)))
    unknown = [name for name in chosen if name not in DTYPES]
    if unknown or repeats < 1:
        raise ValueError(
            f"precisions {unknown} are unknown; choose from {', '.join(DTYPES)}"
            if unknown
            else f"repeats={repeats}: measure at least once"
        )
    gpu = device.type == "cuda"
    sides, batch, length = ((4096, 8192), 64, 2**28) if gpu else ((512, 1024), 1, 2**24)
    peaks = dict.fromkeys(chosen, 0.0)
    with torch.no_grad(), quick_float32(device):
        for name in chosen:
            works = [_product(side, DTYPES[name], device) for side in sides]
            works.append(_convolution(batch, DTYPES[name], device))
            for flops, work in works:
                best = min(seconds_of(work, device) for _ in range(repeats + 1))
                peaks[name] = max(peaks[name], flops / best)
        a, b, c = (torch.ones(length, device=device) for _ in range(3))
        best = min(seconds_of(lambda: torch.add(a, b, out=c), device) for _ in range(repeats + 1))
    return Roofline(peaks, 3 * a.nbytes / best, hardware_name(device))


def _product(side: int, dtype: torch.dtype, device: torch.device) -> tuple[int, Work]:
    """The flops of a square matrix product, and the work itself."""
    a = torch.ones(side, side, dtype=dtype, device=device)
    return 2 * side**3, functools.partial(torch.mm, a, a, out=torch.empty_like(a))


def _convolution(batch: int, dtype: torch.dtype, device: torch.device) -> tuple[int, Work]:
    """256 → 512 channels, 4 × 4, stride 2, 32 → 16 pixels a side: its flops, and the work."""
    layout = {"dtype": dtype, "device": device, "memory_format": torch.channels_last}
    x, weight = torch.ones(batch, 256, 32, 32).to(**layout), torch.ones(512, 256, 4, 4).to(**layout)
    work = functools.partial(F.conv2d, x, weight, stride=2, padding=1)
    return 2 * batch * 16 * 16 * 512 * 256 * 4 * 4, work


def draw_roofline(roofline: Roofline, steps: Mapping[str, Operations]) -> Figure:
    """The ceilings, and each kind of work in ``steps`` at its intensity and its measured rate.

    ``steps``: the operations of a step by a name to show, such as {"float32": …, "bf16": …}. A
    large mark is a kind of work as a whole; the small ones are single convolutions. A mark above
    the slope found its data in the cache.

    Returns the figure, 9 inches wide, closed for pyplot.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    kinds = {name: _shown(operations) for name, operations in steps.items()}
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


def _shown(operations: Operations) -> dict[str, Operation]:
    return {
        kind: one
        for kind, one in operations.by_kind().items()
        if one.flops and one.seconds > _SHOWN * operations.seconds
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
    the two points of `slope`."""
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
