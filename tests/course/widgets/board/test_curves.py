"""colorlab.course.widgets.board.curves: where pixels of a curve fall, and means against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from colorlab.course.widgets.board.curves import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Curve,
    _dashes,
    _parts,
    draw_curves,
    round_ticks,
    smoothed,
    tick_text,
    with_cursor,
)
from colorlab.show import BLUE, GREEN, ORANGE

SIZE = (420, 180)
INNER = (SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM)


def where(picture: np.ndarray, color: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the pixels that are close to a color, those of the legend left out."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    near = np.abs(picture.astype(int) - rgb).max(-1) < 40
    near[: TOP - 1] = False
    y, x = np.nonzero(near)
    return x, y


def place(x: float, y: float, x_range: tuple, y_range: tuple) -> tuple[float, float]:
    return (
        LEFT + (x - x_range[0]) / (x_range[1] - x_range[0]) * INNER[0],
        TOP + (y_range[1] - y) / (y_range[1] - y_range[0]) * INNER[1],
    )


# --- the picture ----------------------------------------------------------------------------------


def test_a_line_runs_where_its_numbers_say():
    x = np.linspace(0, 100, 50)
    ranges = {"x_range": (0, 100), "y_range": (-1, 1)}
    picture = draw_curves([Curve("sine", x, np.sin(x / 15))], "t", SIZE, **ranges)
    assert picture.shape == (180, 420, 3) and picture.dtype == np.uint8
    found = where(picture, BLUE)
    for at in (10, 37, 64, 90):
        column, row = place(at, np.sin(at / 15), (0, 100), (-1, 1))
        rows = found[1][found[0] == round(column)]
        assert len(rows) and abs(rows.mean() - row) < 2.5, at


def test_an_axis_takes_in_all_curves():
    curves = [
        Curve("a", np.array([0.0, 10]), np.array([1.0, 1])),
        Curve("b", np.array([5.0, 20]), np.array([3.0, 3]), ORANGE),
    ]
    picture = draw_curves(curves, "t", SIZE)
    (ax, ay), (bx, by) = where(picture, BLUE), where(picture, ORANGE)
    assert ax.min() <= LEFT + 2 and bx.max() >= SIZE[0] - RIGHT - 3
    assert ay.mean() > by.mean() + 0.8 * INNER[1] * 2 / 2.24, "the larger stands higher"


def test_a_gap_in_the_numbers_is_a_gap_in_the_line():
    x = np.arange(101.0)
    y = np.where((x > 40) & (x < 60), np.nan, 0.0)
    columns, _ = where(draw_curves([Curve("a", x, y)], "t", SIZE, x_range=(0, 100)), BLUE)
    left, right = (place(at, 0, (0, 100), (0, 1))[0] for at in (40, 60))
    assert not ((columns > left + 3) & (columns < right - 3)).any()
    assert (columns < left).sum() > 50 and (columns > right).sum() > 50


def test_one_number_is_a_dot():
    y = np.array([np.nan, 2.0, np.nan])
    columns, rows = where(draw_curves([Curve("a", np.arange(3), y)], "t", SIZE), BLUE)
    assert 4 < len(columns) < 40
    assert abs(columns.mean() - place(1, 0, (0, 2), (0, 1))[0]) < 1.5


def test_what_lies_outside_runs_along_the_edge():
    x = np.arange(10.0)
    picture = draw_curves([Curve("a", x, x * 1e6)], "t", SIZE, y_range=(0, 1))
    _, rows = where(picture, BLUE)
    assert rows.min() >= TOP - 4 and rows.max() <= SIZE[1] - BOTTOM + 4


@pytest.mark.parametrize("style", ["--", ":"])
def test_dashes_are_less_ink_than_a_line(style):
    x = np.arange(100.0)
    inks = [
        len(where(draw_curves([Curve("a", x, 0 * x, GREEN, s)], "t", SIZE), GREEN)[0])
        for s in ("-", style)
    ]
    assert 0.15 < inks[1] / inks[0] < 0.85


def test_dashes_lie_on_their_line_and_have_their_length():
    points = np.array([[0.0, 0], [30, 40], [90, 40]])
    dashes = _dashes(points, (9, 5), scale=1)
    for dash in dashes[:-1]:
        assert np.hypot(*np.diff(dash, axis=0).T).sum() == pytest.approx(9)
    for x, y in (point for dash in dashes for point in dash):
        assert y == pytest.approx(min(x * 4 / 3, 40))


def test_marks_and_the_cursor_stand_at_their_steps():
    curve = Curve("a", np.array([0.0, 100]), np.array([0.0, 1]))
    plain = draw_curves([curve], "t", SIZE, x_range=(0, 100))
    for options, at in (({"marks": (25,)}, 25), ({"cursor": 70}, 70)):
        moved = draw_curves([curve], "t", SIZE, x_range=(0, 100), **options)
        columns = np.nonzero((moved != plain).any((0, 2)))[0]
        assert abs(columns.mean() - place(at, 0, (0, 100), (0, 1))[0]) < 1.5
        assert np.ptp(columns) <= 3


def test_the_quick_cursor_stands_where_the_drawn_one_does():
    curve = Curve("a", np.array([0.0, 300]), np.array([0.0, 1]))
    plain = draw_curves([curve], "t", SIZE, x_range=(0, 300))
    before = plain.copy()
    for at in (0, 13, 150, 300):
        drawn = draw_curves([curve], "t", SIZE, x_range=(0, 300), cursor=at)
        quick = with_cursor(plain, at, (0, 300))
        columns = [np.nonzero((one != plain).any((0, 2)))[0].mean() for one in (drawn, quick)]
        assert abs(columns[0] - columns[1]) < 1.1
    assert (plain == before).all(), "a new array"
    assert (with_cursor(plain, 900, (0, 300)) == with_cursor(plain, 300, (0, 300))).all()


def test_the_legend_names_what_has_a_name():
    x = np.arange(5.0)
    head = [
        draw_curves([Curve(name, x, x), Curve("b", x, x, ORANGE)], "t", SIZE)[: TOP - 2]
        for name in ("aaa", "")
    ]
    blue = [(np.abs(one.astype(int) - (0, 114, 178)).max(-1) < 40).any() for one in head]
    assert blue == [True, False]


def test_nothing_to_draw_is_an_empty_box():
    empty = Curve("a", np.zeros(0), np.zeros(0))
    nothing = Curve("a", np.arange(3.0), np.full(3, np.nan), style="--")
    for curves in ([], [empty], [nothing]):
        picture = draw_curves(curves, "t", SIZE)
        assert picture.shape == (180, 420, 3) and not len(where(picture, BLUE)[0])


def test_a_curve_that_never_changes_is_drawn():
    picture = draw_curves([Curve("a", np.arange(9.0), np.full(9, 0.7))], "t", SIZE)
    _, rows = where(picture, BLUE)
    assert abs(rows.mean() - (TOP + INNER[1] / 2)) < 2


# --- the numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 4, 30])
def test_smoothed_is_the_mean_of_the_last_steps(steps):
    values = np.random.default_rng(0).normal(size=20)
    values[[3, 4, 11]] = np.nan
    wanted = [
        np.nan if np.isnan(value) else np.nanmean(values[max(0, i - steps + 1) : i + 1])
        for i, value in enumerate(values)
    ]
    np.testing.assert_allclose(smoothed(values, steps), wanted, rtol=1e-9)


def test_parts_are_what_follows_without_a_gap():
    there = np.array([0, 1, 1, 0, 1, 0, 0, 1], bool)
    assert [list(range(8)[part]) for part in _parts(there)] == [[1, 2], [4], [7]]
    assert _parts(np.zeros(3, bool)) == [] and _parts(np.zeros(0, bool)) == []


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 24_000, [0, 10_000, 20_000]),
        (-0.03, 0.05, [-0.02, 0, 0.02, 0.04]),
        (11.2, 17.1, [12, 14, 16]),
    ],
)
def test_ticks_are_round_numbers_inside(low, high, wanted):
    assert round_ticks(low, high, 4) == pytest.approx(wanted)


def test_ticks_are_written_short():
    assert [tick_text(tick) for tick in (12000, 0.25, -1e-17, 2.5, 100)] == [
        "12,000",
        "0.25",
        "0",
        "2.5",
        "100",
    ]
