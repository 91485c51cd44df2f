"""The hint board in JupyterLab: clicks and keys give hints, and the photo takes their colors.

Its two views stand in a notebook that is written here; the tests follow each other as a learner's
clicks do.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser.lesson import SIZE, OpenLesson, Place, errors, run_all
from browser.moves import WATCH
from browser.report import Report
from browser.server import ROOT, LabServer

NAME = "hint-board.ipynb"
WAIT = 30.0  # seconds; a busy machine is no bug
LIMIT = 300  # ms from a click to the new picture, the median
NAMES = ("european-honey-bee", "kingfisher")
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
# The picture that an image on the page shows, at its own size, as PNG.
PIXELS = """async image => {
    await image.decode()
    const canvas = document.createElement("canvas")
    canvas.width = image.naturalWidth
    canvas.height = image.naturalHeight
    canvas.getContext("2d").drawImage(image, 0, 0)
    return canvas.toDataURL("image/png")
}"""


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
        url = self.output.locator("img").evaluate(PIXELS)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))

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

    def own_color(self, color: str) -> None:
        """Choose a color in the browser's dialog, which no test can open."""
        self.output.locator("input[type=color]").evaluate(
            """(input, color) => {
                document.dispatchEvent(new PointerEvent("pointerdown"))
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
    cells = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source.strip(),
         "outputs": [], "execution_count": None}
        for number, source in enumerate(CELLS)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4,
                "nbformat_minor": 5}  # fmt: skip
    (server.lessons / NAME).write_text(json.dumps(notebook), encoding="utf-8")
    opened = OpenBoard(chromium.new_page(viewport=SIZE), server, NAME)
    try:
        run_all(opened)
        yield opened
    finally:
        opened.close()


def test_look(board: OpenBoard, report: Report) -> None:
    assert errors(board.notebook) == []
    board.says("Click on the photo")
    board.screenshot(board.output, report.picture("hints", "new"))
    board.click(0.6, 0.5)
    board.says("Likely at")
    board.screenshot(board.output, report.picture("hints", "look"))
    took = board.colored(lambda: board.own_color("#c02020"))
    board.screenshot(board.output, report.picture("hints", "one"))
    print(took)
