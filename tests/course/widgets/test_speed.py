"""colorlab.course.widgets.speed: Amdahl's law by hand, and what the picture and its words say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from colorlab.course.widgets.speed import (
    GROUPS,
    PASSES,
    REST,
    SpeedSliders,
    _color,
    groups_of,
    predicted,
)
from colorlab.speed.figures import COLORS
from colorlab.speed.op_kinds import ACTIVATION, ADAM, CONVOLUTION, NORMALIZATION, OUTSIDE

SECONDS = {CONVOLUTION: 0.6, NORMALIZATION: 0.1, ACTIVATION: 0.1, ADAM: 0.1, OUTSIDE: 0.1}


def test_kinds_are_grouped_by_what_makes_them_faster() -> None:
    found = groups_of(SECONDS)
    assert found == pytest.approx({CONVOLUTION: 0.6, PASSES: 0.2, ADAM: 0.1, REST: 0.1})


def test_amdahls_law() -> None:
    parts = groups_of(SECONDS)
    assert predicted(parts, {}) == pytest.approx(1.0)
    assert predicted(parts, {CONVOLUTION: 4}) == pytest.approx(0.55)
    assert predicted(parts, {CONVOLUTION: math.inf, PASSES: 2}) == pytest.approx(0.3)


def test_only_what_was_measured_has_a_slider() -> None:
    panel = SpeedSliders(SECONDS)
    assert [c.description for c in panel.controls.values()] == [CONVOLUTION, PASSES, ADAM]


def test_a_color_means_what_it_means_in_a_profile() -> None:
    colors = [color for _, color in GROUPS.values()]
    assert len(set(colors)) == len(colors)
    for kinds, color in GROUPS.values():
        assert color in [COLORS[kind] for kind in kinds]


def test_the_second_bar_shrinks_by_what_is_saved() -> None:
    panel = SpeedSliders(SECONDS)
    blue = np.array([0, 0x72, 0xB2])
    assert _color(CONVOLUTION) == "#0072b2"

    def wide(row: int) -> int:
        return int((np.abs(panel.picture()[row].astype(int) - blue).max(-1) < 8).sum())

    assert wide(48) == pytest.approx(360, abs=3) and wide(112) == pytest.approx(360, abs=3)
    panel.set(part0=4)
    assert wide(48) == pytest.approx(360, abs=3) and wide(112) == pytest.approx(90, abs=3)


def test_the_words() -> None:
    panel = SpeedSliders(SECONDS)
    panel.set(part0=4)
    assert "1.8× as fast" in panel.words and "convolution" not in panel.words.split(".")[0]
    assert "now passes over memory, 36%" in panel.words and "at most 2.9×" in panel.words
    panel.set(part0=math.inf, part1=math.inf, part2=math.inf)
    assert "10×" in panel.words and "no slider reaches" in panel.words
    only = SpeedSliders({CONVOLUTION: 1.0})
    assert "as fast as you like" in only.words
    only.set(part0=math.inf)
    assert "Nothing is left" in only.words


def test_refusals(monkeypatch) -> None:
    with pytest.raises(ValueError, match="none of the parts outside of torch can be made faster"):
        SpeedSliders({OUTSIDE: 1.0})
    monkeypatch.setattr("colorlab.course.widgets.speed.read_table", list)
    with pytest.raises(ValueError, match="no measured step"):
        SpeedSliders()
