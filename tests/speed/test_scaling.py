"""colorlab.speed.scaling: the model against values worked out by hand, and against a ring played
out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from colorlab import recipes
from colorlab.speed.figures import draw_scaling
from colorlab.speed.scaling import (
    LINKS,
    Measured,
    StepTimes,
    Wire,
    WireTimes,
    gradient_bytes,
    predicted_speedup,
    ring_seconds,
)
from colorlab.speed.scaling_times import SIZES

STEPS = StepTimes(
    "tiny", 2, 16, 64, 17_000_000, whole=0.2, share=0.1, apart=0.11, together=0.125, threads=0.15
)


def test_ring_of_two_by_hand() -> None:
    # Both send half a gigabyte, then the other half: 2 * (0.001 + 0.5 / 1) seconds.
    assert ring_seconds(1e9, 2, 1e9, 1e-3) == pytest.approx(1.002)
    assert ring_seconds(1e9, 1, 1e9, 1e-3) == 0
    assert ring_seconds(0, 5, 1e9, 1e-3) == pytest.approx(8e-3)
    assert Wire(1e9, 1e-3).seconds(1e9, 2) == pytest.approx(1.002)
    # However many: never more than twice the data.
    assert ring_seconds(1e9, 1000, 1e9, 0) == pytest.approx(1.998)


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_the_ring_adds_up_in_as_many_messages(processes: int) -> None:
    """A ring played through by hand: what the model counts is what it needs."""
    numbers = np.random.default_rng(0).integers(0, 9, (processes, processes))  # [process, part]
    held, sent = numbers.copy(), 0
    for turn in range(2 * (processes - 1)):
        # Part by part around the ring: first the sums grow, then the finished ones travel on.
        parts = [(process - turn) % processes for process in range(processes)]
        messages = [held[process, part] for process, part in enumerate(parts)]
        for process, (part, message) in enumerate(zip(parts, messages, strict=True)):
            neighbor = (process + 1) % processes
            grown = held[neighbor, part] + message if turn < processes - 1 else message
            held[neighbor, part] = grown
        sent += 1
    assert (held == numbers.sum(0)).all()
    assert ring_seconds(processes * 7.0, processes, 7.0, 0.5) == pytest.approx(sent * (0.5 + 1))


@pytest.mark.parametrize("wrong", [(1, 0, 1, 0), (-1, 2, 1, 0), (1, 2, 0, 0), (1, 2, 1, -1)])
def test_what_no_ring_has_is_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="are needed; got"):
        ring_seconds(*wrong)


@pytest.mark.parametrize("processes", [2, 4])
def test_a_made_up_wire_is_found_again(processes: int) -> None:
    true = Wire(2e9, 80e-6)
    noise = np.random.default_rng(1).normal(1, 0.03, len(SIZES))
    seconds = [true.seconds(size, processes) * n for size, n in zip(SIZES, noise, strict=True)]
    found = WireTimes(processes, SIZES, tuple(seconds)).wire
    assert found.bandwidth == pytest.approx(true.bandwidth, rel=0.05)
    assert found.latency == pytest.approx(true.latency, rel=0.05)


def test_no_latency_is_below_zero() -> None:
    seconds = tuple(1e-12 * size**1.2 for size in SIZES)  # bent: the line would begin below 0
    found = WireTimes(2, SIZES, seconds).wire
    assert found.latency == 0 and found.bandwidth > 0
    errors = [found.seconds(s, 2) / t - 1 for s, t in zip(SIZES, seconds, strict=True)]
    for factor in (0.97, 1.03):  # no other slope has a smaller sum of squares
        others = [(1 + e) * factor - 1 for e in errors]
        assert sum(e * e for e in errors) < sum(e * e for e in others)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (WireTimes(1, (4, 8), (1.0, 2.0)), "at least 2 processes at 2 sizes; got 1 and 2"),
        (WireTimes(2, (4, 4), (1.0, 2.0)), "got 2 and 1"),
        (WireTimes(2, (4, 8), (2.0, 1.0)), "do not grow with the size"),
    ],
)
def test_times_of_no_wire_are_refused(times: WireTimes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        _ = times.wire


def test_predicted_speedup() -> None:
    wire = Wire(1e9, 0)
    assert predicted_speedup(0.3, 1e8, wire, 1) == 1
    # 0.3 s to compute, 0.1 s to wait: three quarters of twice as many.
    assert predicted_speedup(0.3, 1e8, wire, 2) == pytest.approx(1.5)
    assert predicted_speedup(0.3, 1e8, wire, 2, overlap=0.5) == pytest.approx(2 * 0.3 / 0.35)
    assert predicted_speedup(0.3, 1e8, wire, 2, overlap=1) == 2
    for step, overlap in ((0, 0), (1, -0.1), (1, 1.1)):
        with pytest.raises(ValueError, match="step_seconds must be above 0 and overlap in"):
            predicted_speedup(step, 1e8, wire, 2, overlap)


def test_quicker_links_gain_more() -> None:
    gains = [predicted_speedup(0.1, 2e8, wire, 8) for wire in LINKS.values()]
    assert gains == sorted(gains) and gains[0] < 1 and gains[-1] > 7.5


def test_gradients_are_four_bytes_a_parameter() -> None:
    pix2pix = gradient_bytes(recipes.get("lab-pix2pix"))
    assert pix2pix == 4 * (54_409_858 + 2_765_633)  # the numbers that everyone has


def test_step_times() -> None:
    assert STEPS.speedup == pytest.approx(1.6) and STEPS.efficiency == pytest.approx(0.8)
    assert STEPS.communication == pytest.approx(0.015)
    wire = Wire(1e9, 1e-3)  # 2 * (1 ms + 8.5 ms)
    assert STEPS.predicted(wire) == pytest.approx(0.119)
    assert STEPS.predicted(wire, overlap=1) == pytest.approx(0.1)


def test_measured_survives_json() -> None:
    measured = Measured("a machine", WireTimes(2, (4, 8), (1.0, 2.0), "processor"), {"tiny": STEPS})
    assert Measured.from_json(measured.to_json()) == measured
    for text in ("{}", "[]", '{"wire": {}, "steps": {"tiny": {"odd": 1}}, "machine": ""}', "x"):
        with pytest.raises(ValueError):
            Measured.from_json(text)


def test_figure_shows_what_was_measured() -> None:
    wire = Wire(1e9, 1e-4)
    figure = draw_scaling(WireTimes(2, SIZES, tuple(wire.seconds(s, 2) for s in SIZES)), STEPS, 32)
    assert figure.get_size_inches()[0] == 9
    left, right = figure.axes
    line, points, _ = left.lines
    np.testing.assert_allclose(
        np.interp(points.get_xdata(), line.get_xdata(), line.get_ydata()),
        points.get_ydata(),
        rtol=0.02,
    )
    ideal, predicted, measured = right.lines
    assert list(ideal.get_xdata()) == [1, 2, 4, 8, 16, 32]
    assert predicted.get_ydata()[1] == pytest.approx(
        2 * 0.1 / (0.1 + 2 * (1e-4 + STEPS.sent / 2e9))
    )
    assert list(measured.get_xdata()) == [2]
    assert measured.get_ydata() == pytest.approx([1.6])
    assert math.isclose(predicted.get_ydata()[0], 1)
    assert "1 GB/s, 100 µs" in left.get_legend().get_texts()[0].get_text()
