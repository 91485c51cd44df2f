"""colorlab.speed.roofline: the model by hand, the ceilings against other work, the picture."""

from __future__ import annotations

import time

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.text import Text

from colorlab.speed.figures import draw_roofline
from colorlab.speed.op_kinds import ACTIVATION, ADAM, ARITHMETIC, CONVOLUTION, NORMALIZATION
from colorlab.speed.operations import Operation, Operations
from colorlab.speed.roofline import Roofline, ceilings

ROOF = Roofline({"fp32": 100e9, "bf16": 400e9}, 10e9, "a made machine")


def operation(kind: str, precision: str, flops: float, moved: float, seconds: float) -> Operation:
    return Operation(kind, kind, precision, int(flops), int(moved), seconds)


def step(precision: str, speed: float = 1.0) -> Operations:
    return Operations(
        (
            operation(CONVOLUTION, precision, 50e9, 100e6, 0.7 / speed),
            operation(CONVOLUTION, precision, 10e9, 400e6, 0.3 / speed),
            operation(NORMALIZATION, "fp32", 1e8, 1e9, 0.2),
            operation(ACTIVATION, "fp32", 1.1e8, 1e9, 0.21),
            operation(ARITHMETIC, "fp32", 0.9e8, 1e9, 0.19),
            operation(ADAM, "fp32", 1.05e8, 1e9, 0.2),
            operation(ADAM, "", 1, 8, 1e-6),
        )
    )


def test_the_longer_of_the_two_times() -> None:
    assert ROOF.ridge("fp32") == 10 and ROOF.ridge("bf16") == 40
    assert ROOF.attainable(50e9, 1e6) == 0.5  # arithmetic binds
    assert ROOF.attainable(1e9, 5e9) == 0.5  # memory binds
    assert ROOF.attainable(50e9, 1e6, "bf16") == 0.125
    for intensity, bound in ((9.9, "memory"), (10.1, "arithmetic")):
        assert ROOF.binds(operation("x", "fp32", intensity * 1e6, 1e6, 1)) == bound
        assert ROOF.binds(operation("x", "bf16", intensity * 1e6, 1e6, 1)) == "memory"


def test_a_step_is_the_sum_of_its_operations() -> None:
    memory = 4 * 0.1 + 8 / 10e9
    assert ROOF.predict(step("fp32")) == pytest.approx(0.5 + 0.1 + memory)
    assert ROOF.predict(step("bf16")) == pytest.approx(0.125 + 0.04 + memory)


def test_a_precision_that_was_not_measured() -> None:
    with pytest.raises(ValueError, match="'fp16' was not measured, only fp32, bf16"):
        ROOF.attainable(1, 1, "fp16")


def test_ceilings_are_above_what_other_work_reaches() -> None:
    """A busy machine slows either, so only by a wide margin: it is the units that may be wrong."""
    found = ceilings("cpu", ["fp32"], repeats=3)
    assert list(found.peaks) == ["fp32"] and "thread" in found.hardware
    a = torch.ones(64, 64)
    began = time.perf_counter()
    for _ in range(50):
        a @ a
    small = 50 * 2 * 64**3 / (time.perf_counter() - began)
    assert small / 30 < found.peaks["fp32"] < small * 300
    began = time.perf_counter()
    torch.ones(2**22).clone()  # reads and writes 16 MB, and makes as much before
    moved = 3 * 2**24 / (time.perf_counter() - began)
    assert moved / 30 < found.bandwidth < moved * 300


def test_refusals() -> None:
    with pytest.raises(ValueError, match="'fp8'.*choose from fp32, bf16, fp16"):
        ceilings("cpu", ["fp8"])
    with pytest.raises(ValueError, match="repeats=0"):
        ceilings("cpu", ["fp32"], repeats=0)


def test_the_figure_has_each_kind_where_it_belongs() -> None:
    figure = draw_roofline(ROOF, {"float32": step("fp32"), "bf16": step("bf16", 3)})
    (axes,) = figure.axes
    points = {
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if len(line.get_xdata()) == 1
    }
    for where in ((60e9 / 500e6, 60e9), (0.1, 0.5e9), (60e9 / 500e6, 180e9)):
        assert any(where == pytest.approx(point, rel=1e-3) for point in points), where
    roof = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    assert roof.get_xdata()[1] == 10 and roof.get_ydata()[1] == 100e9
    assert "a made machine" in axes.get_title() and figure.number not in plt.get_fignums()


def test_names_in_the_figure_do_not_overlap() -> None:
    """Four kinds lie nearly on one spot."""
    figure = draw_roofline(ROOF, {"float32": step("fp32"), "bf16": step("bf16", 3)})
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    assert {ACTIVATION, ADAM, ARITHMETIC, NORMALIZATION} <= {t.get_text() for t in texts}
    boxes = [Text.get_window_extent(text) for text in texts]  # without the line to its mark
    frame = figure.axes[0].get_window_extent()
    for i, box in enumerate(boxes):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, texts[i]
        assert not any(box.overlaps(other) for other in boxes[:i]), texts[i]


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.3])
def test_the_slope_strikes_no_name_through(speed: float) -> None:
    """Marks below, on and above the line of memory."""
    marks = ((NORMALIZATION, 0.3), (ADAM, 0.22), (ACTIVATION, 0.12))
    works = [operation(kind, "fp32", x * 1e9, 1e9, 0.1 / speed) for kind, x in marks]
    works.append(operation(CONVOLUTION, "fp32", 60e9, 1e9, 1.0))
    for steps in ({"fp32": Operations(tuple(works))}, {"a": step("fp32"), "b": step("bf16", 3)}):
        figure = draw_roofline(ROOF, steps)
        figure.draw_without_rendering()
        (axes,) = figure.axes
        for text in axes.texts:
            if text.get_text() in (NORMALIZATION, ADAM, ACTIVATION, ARITHMETIC):
                box = Text.get_window_extent(text)
                for share in range(21):  # along the name: is the line at this height within it?
                    x = box.x0 + share / 20 * box.width
                    intensity = axes.transData.inverted().transform((x, 0))[0]
                    _, y = axes.transData.transform((intensity, intensity * ROOF.bandwidth))
                    assert not box.y0 < y < box.y1, text
