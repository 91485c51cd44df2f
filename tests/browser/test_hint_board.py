"""The hint board in JupyterLab: clicks and keys give hints, and the photo takes their colors.

Its two views stand in a notebook that is written here; the tests follow each other as a learner's
clicks do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser.lesson import (
    SIZE,
    OpenLesson,
    Place,
    errors,
    pixels_of,
    run_all,
    write_notebook,
)
from browser.moves import WATCH
from browser.report import Report
from browser.server import ROOT, LabServer

NAME = "hint-board.ipynb"
WAIT = 30.0  # seconds; a busy machine is no bug
LIMIT = 1000  # ms from a click to the new picture, the median; two quiet cores take about 150
RED = (192, 32, 32)
PLACES = ((0.2, 0.2), (0.4, 0.2), (0.8, 0.2), (0.2, 0.8), (0.4, 0.8), (0.6, 0.8), (0.8, 0.8))
CELLS = (
    f"""
import sys
from pathlib import Path
from colorlab.colorize import Colorizer
from colorlab.course.widgets.hints import HintBoard

folder = Path({str(ROOT / "data" / "photos")!r})
photos = {{p.stem: p for p in sorted(folder.glob("test/*.jpg"))[:2]}}
colorizer = Colorizer.load()
board = HintBoard(colorizer, photos)
board
""",
    """
sys.modules["anywidget"] = None  # as if it were missing
del sys.modules["colorlab.course.widgets._clicks"]
fallback = HintBoard(colorizer, photos)
fallback
""",
    "print([tuple(hint) for hint in board.photo.hints])",
)
CLICKS, SLIDERS = Place(0, 0, "board"), Place(1, 0, "fallback")


class OpenBoard(OpenLesson):
    """The notebook above, and the view that is tested."""

    place = CLICKS

    @property
    def output(self) -> Any:
        return self.widget(self.place)

    @property
    def photo(self) -> Any:
        return self.output.locator(".colorlab-photo")

    def pixels(self) -> np.ndarray:
        return pixels_of(self.output.locator("img"))

    def says(self, words: str) -> None:
        self.until(lambda: words in self.output.inner_text(), f"the board to say {words!r}")

    def click(self, x: float, y: float) -> None:
        """Click on the photo, at shares of its width and height."""
        box = self.photo.bounding_box()
        self.photo.click(position={"x": x * box["width"], "y": y * box["height"]})

    def colored(self, move: Callable[[], None]) -> float:
        """Make a move that colors anew; milliseconds until the new picture is there."""
        self.output.evaluate(WATCH, True)
        move()
        self.page.wait_for_function("() => window.colorlabMove.took", timeout=1000 * WAIT)
        return self.page.evaluate("() => window.colorlabMove.took")

    def button(self, name: str) -> Any:
        return self.output.locator("button").filter(has_text=name)

    def changes(self, move: Callable[[], Any]) -> None:
        """Make a move, and wait until the picture is another one."""
        image = self.output.locator("img")
        before = image.get_attribute("src")
        move()
        self.until(lambda: image.get_attribute("src") != before, "another picture")

    def own_color(self, color: str) -> None:
        """Choose a color in the browser's dialog, which no test can open."""
        self.output.locator("input[type=color]").evaluate(
            """(input, color) => {
                input.value = color
                for (const kind of ["input", "change"])
                    input.dispatchEvent(new Event(kind, {bubbles: true}))
            }""",
            color,
        )

    def dots(self) -> list[tuple[float, float]]:
        """Where the hints are, as shares of the photo's sides."""
        style = "one => [one.style.left, one.style.top]"
        found = [dot.evaluate(style) for dot in self.photo.locator(".colorlab-dot").all()]
        return [tuple(float(text.rstrip("%")) / 100 for text in one) for one in found]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        self._until(condition, WAIT, what)


@pytest.fixture(scope="module")
def board(chromium: Any, server: LabServer, report: Report) -> Iterator[OpenBoard]:
    """The boards after Run All."""
    report.begin("hints")
    write_notebook(server.lessons / NAME, CELLS)
    opened = OpenBoard(chromium.new_page(viewport=SIZE), server, NAME)
    try:
        run_all(opened)
        yield opened
    finally:
        opened.close()


def chroma_toward(pixels: np.ndarray, x: float, y: float, color: tuple[int, int, int]) -> float:
    """How much of a color's tint there is around a place: 1 where all of it is there."""
    height, width, _ = pixels.shape
    row, column = int(y * height), int(x * width)
    around = pixels[row - 15 : row + 16, column - 15 : column + 16].astype(float)
    seen = (around - around.mean(-1, keepdims=True)).mean((0, 1))
    tint = np.array(color, float) - np.mean(color)
    return float(seen @ tint / (tint @ tint))


def test_a_click_and_a_color_turn_the_place_to_that_color(board: OpenBoard, report: Report) -> None:
    assert errors(board.notebook) == []
    board.says("Click on the photo")
    board.screenshot(board.output, report.picture("hints", "new"))
    before = chroma_toward(board.pixels(), 0.6, 0.5, RED)
    board.click(0.6, 0.5)
    board.says("the likeliest color is")
    board.screenshot(board.output, report.picture("hints", "look"))
    board.changes(lambda: board.own_color("#c02020"))
    board.says("Hint 1 of 1: red")
    after = chroma_toward(board.pixels(), 0.6, 0.5, RED)
    assert before < 0.1 and after > 0.4
    board.screenshot(board.output, report.picture("hints", "one"))


def test_from_a_color_to_the_picture_is_quick(board: OpenBoard) -> None:
    times = []
    for number, (x, y) in enumerate(PLACES, start=2):
        board.click(x, y)
        board.says("the likeliest color is")
        chip = board.output.locator(".colorlab-swatches button").last
        times.append(board.colored(chip.click))
        board.says(f"Hint {number} of {number}")
    print(f"\nfrom a click to the new picture: {', '.join(f'{took:.0f}' for took in times)} ms")
    print(f"median {median(times):.0f} ms")
    assert len(board.dots()) == 1 + len(PLACES)
    assert median(times) < LIMIT


def test_undo_redo_and_clear(board: OpenBoard) -> None:
    count = len(board.dots())
    pictures = [board.pixels()]
    for number in range(count - 1, 1, -1):
        board.changes(board.button("Undo").click)
        board.until(lambda number=number: len(board.dots()) == number, f"{number} hints")
        pictures.append(board.pixels())
    board.changes(board.button("Redo").click)
    assert (board.pixels() == pictures[-2]).all()
    board.changes(board.button("Clear").click)
    board.says("No hints on this photo")
    assert board.dots() == [] and board.button("Clear").is_disabled()
    board.changes(board.button("Undo").click)
    assert len(board.dots()) == 3


def test_a_hint_is_dragged(board: OpenBoard, report: Report) -> None:
    red = next(spot for spot in board.dots() if abs(spot[0] - 0.6) + abs(spot[1] - 0.5) < 0.02)
    box = board.photo.bounding_box()

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag() -> None:
        mouse = board.page.mouse
        mouse.move(*at(*red))
        mouse.down()
        mouse.move(*at(0.25, 0.75), steps=12)
        mouse.up()

    before = board.pixels()
    board.changes(drag)
    board.until(lambda: (0.25, 0.75) in [near(spot) for spot in board.dots()], "the hint there")
    board.until(lambda: chroma_toward(board.pixels(), 0.25, 0.75, RED) > 0.4, "red there")
    assert chroma_toward(board.pixels(), 0.6, 0.5, RED) < chroma_toward(before, 0.6, 0.5, RED)
    board.screenshot(board.output, report.picture("hints", "dragged"))
    board.changes(board.button("Undo").click)  # the whole way in one step
    board.until(lambda: red in board.dots(), "the hint where it was")


def near(spot: tuple[float, float]) -> tuple[float, float]:
    return round(spot[0], 2), round(spot[1], 2)


def test_the_keyboard_is_enough(board: OpenBoard, report: Report) -> None:
    board.changes(board.button("Clear").click)
    board.photo.focus()
    press = board.page.keyboard.press
    press("Home")  # JupyterLab's, and no harm
    board.click(0.5, 0.5)
    for key in ["ArrowRight"] * 5 + ["ArrowUp"] * 5:
        press(key)
    board.until(lambda: cursor(board) == (0.6, 0.4), "the cursor there")
    board.until(lambda: board.output.locator(".colorlab-swatches button").count() > 0, "colors")
    board.screenshot(board.output, report.picture("hints", "keys"))
    board.changes(lambda: press("Enter"))
    board.until(lambda: [near(spot) for spot in board.dots()] == [(0.6, 0.4)], "a hint")
    board.changes(lambda: press("Shift+ArrowDown"))
    board.until(lambda: [near(spot) for spot in board.dots()] == [(0.6, 0.42)], "it moved")
    board.changes(lambda: press("Control+z"))
    board.until(lambda: [near(spot) for spot in board.dots()] == [(0.6, 0.4)], "it moved back")
    board.changes(lambda: press("Delete"))
    board.until(lambda: board.dots() == [], "no hint")
    board.changes(lambda: press("Control+z"))
    board.until(lambda: len(board.dots()) == 1, "the hint again")
    board.changes(lambda: press("Control+y"))
    board.until(lambda: board.dots() == [], "no hint again")
    assert board.page.locator(".jp-Notebook .jp-Cell").count() == len(CELLS)


def cursor(board: OpenBoard) -> tuple[float, float]:
    style = "one => [one.style.left, one.style.top]"
    x, y = board.photo.locator(".colorlab-cursor").evaluate(style)
    return near((float(x.rstrip("%")) / 100, float(y.rstrip("%")) / 100))


def test_its_words_are_there_for_a_screen_reader(board: OpenBoard) -> None:
    assert "a dot is a hint" in board.photo.get_attribute("aria-label").lower()
    assert board.output.locator("img").get_attribute("alt")
    assert board.output.locator("[aria-live=polite]").inner_text()
    names = [
        chip.get_attribute("aria-label")
        for chip in board.output.locator(".colorlab-swatches button").all()
    ]
    assert names and all(re.fullmatch(r"\d: [a-z ]+, \d+ %", name) for name in names)


def test_saves_beside_the_notebook(board: OpenBoard) -> None:
    board.click(0.6, 0.5)
    board.changes(lambda: board.own_color("#c02020"))
    board.button("Save PNG").click()
    board.says("Saved ")
    (picture,) = board.server.lessons.glob("*-colored.png")
    (hints,) = board.server.lessons.glob("*-hints.json")
    assert [entry["color"] for entry in json.loads(hints.read_text())] == ["#c02020"]
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert chroma_toward(pixels, 0.6, 0.5, RED) > 0.4


def test_another_photo(board: OpenBoard, report: Report) -> None:
    board.changes(lambda: board.output.locator("select").select_option(index=1))
    board.says("No hints on this photo")
    board.screenshot(board.output, report.picture("hints", "another"))


def test_a_page_that_is_opened_again_has_the_same_hints(board: OpenBoard, report: Report) -> None:
    """Here it is opened with JupyterLab's dark theme."""
    board.changes(lambda: board.output.locator("select").select_option(index=0))
    before, dots = board.pixels(), board.dots()
    board.set_theme("JupyterLab Dark")
    board.open(anew=False)
    board.until(lambda: len(board.dots()) > 0, "the hints")
    assert board.dots() == dots and (board.pixels() == before).all()
    board.screenshot(board.output, report.picture("hints", "dark"))
    color = board.output.locator(".colorlab-words").evaluate("one => getComputedStyle(one).color")
    assert min(map(int, re.findall(r"\d+", color)[:3])) > 180  # light letters


def test_without_anywidget_the_same_by_sliders(board: OpenBoard, report: Report) -> None:
    board.place = SLIDERS
    board.says("Choose a place with the sliders")
    assert board.output.locator(".colorlab-photo").count() == 0
    handle = board.output.locator(".noUi-handle").first
    handle.focus()
    board.changes(lambda: board.page.keyboard.press("ArrowRight"))  # the ring moves
    board.says("the likeliest color is")
    board.screenshot(board.output, report.picture("hints", "fallback-dark"))
    board.set_theme("JupyterLab Light")
    before = chroma_toward(board.pixels(), 0.51, 0.5, RED)
    text = board.output.locator(".widget-colorpicker input[type=text]")
    board.changes(lambda: [text.fill("#c02020"), text.press("Tab")])
    board.says("Hint 1 of 1: red")
    assert before < 0.1 and chroma_toward(board.pixels(), 0.51, 0.5, RED) > 0.4
    board.open(anew=False)
    board.says("Hint 1 of 1: red")
    board.screenshot(board.output, report.picture("hints", "fallback"))
    board.changes(board.button("Undo").click)
    board.says("No hints on this photo")
