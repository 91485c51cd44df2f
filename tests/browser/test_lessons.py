"""Each lesson in JupyterLab: Run All ends without an error, and every widget responds quickly."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import pytest

from browser.lesson import OpenLesson, Place, errors, places, unexecuted
from browser.moves import move_widget
from browser.report import Report
from browser.server import NOTEBOOKS, ROOT

LIMIT = 1500  # ms for the median: ten times what the slowest takes on two quiet cores
PHOTO = min((ROOT / "data" / "photos" / "test").glob("*.jpg"))  # for widgets that ask for one


def committed(path: Path) -> list[Place]:
    return places(json.loads(path.read_text(encoding="utf-8")))


WIDGETS = [
    pytest.param(path, number, place, id=f"{path.stem}-{number}")
    for path in NOTEBOOKS
    for number, place in enumerate(committed(path), start=1)
]


@pytest.mark.parametrize("lesson", NOTEBOOKS, ids=lambda path: path.stem, indirect=True)
def test_run_all_ends_without_an_error(lesson: OpenLesson, report: Report) -> None:
    lesson.top()
    lesson.page.screenshot(path=report.picture(Path(lesson.name).stem, "top"))
    assert errors(lesson.notebook) == []
    assert unexecuted(lesson.notebook) == []
    assert places(lesson.notebook) == committed(ROOT / "notebooks" / lesson.name)


@pytest.mark.parametrize(
    ("lesson", "number", "place"), WIDGETS, indirect=["lesson"], scope="module"
)
def test_the_widget_responds(lesson: OpenLesson, number: int, place: Place, report: Report) -> None:
    assert place in places(lesson.notebook), "the cell showed no widget"
    name = Path(lesson.name).stem
    output = lesson.widget(place)
    try:
        moved = move_widget(output, PHOTO)
    finally:
        lesson.screenshot(output, report.picture(name, number))
    report.add_widget(name, number, place, moved)
    assert median(moved.milliseconds) < LIMIT
    assert moved.silent == [], "these controls changed nothing"
