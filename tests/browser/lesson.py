"""A lesson that is open in JupyterLab: run it, read what it gave, find its widgets."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from browser.server import LabServer

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

VIEW = "application/vnd.jupyter.widget-view+json"
OPEN, RUN, SHOW = 120.0, 900.0, 60.0  # seconds
SIZE = {"width": 1280, "height": 1000}
# The picture that an image on the page shows, at its own size, as PNG.
PIXELS = """async image => {
    await image.decode()
    const canvas = document.createElement("canvas")
    canvas.width = image.naturalWidth
    canvas.height = image.naturalHeight
    canvas.getContext("2d").drawImage(image, 0, 0)
    return canvas.toDataURL("image/png")
}"""


@dataclass(frozen=True)
class Place:
    """Where a lesson shows a widget: the cell, and which of the widgets in its output it is."""

    cell: int
    index: int
    source: str  # the cell's last line, to recognize it by


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and "".join(c["source"])]


def places(notebook: dict[str, Any]) -> list[Place]:
    """The widgets of an executed notebook.

    A picture stands beside each of ours (see `colorlab.course.widgets`), and so tells them from
    tqdm's progress bars, which are widgets as well.
    """
    found = []
    for number, cell in enumerate(notebook["cells"]):
        bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
        views = [bundle for bundle in bundles if VIEW in bundle]
        last = "".join(cell["source"]).strip().rpartition("\n")[2]
        found += [Place(number, i, last) for i, one in enumerate(views) if "image/png" in one]
    return found


def errors(notebook: dict[str, Any]) -> list[str]:
    """Each error in the outputs, with the last line of its cell's source."""
    return [
        f"{output['ename']}: {output['evalue']} in the cell {''.join(cell['source'])!r}"
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]


def unexecuted(notebook: dict[str, Any]) -> list[str]:
    """The sources of the code cells that have no number."""
    cells = code_cells(notebook)
    return ["".join(cell["source"]) for cell in cells if cell["execution_count"] is None]


def write_notebook(path: Path, cells: Iterable[str]) -> None:
    """A notebook of code cells, for what no lesson shows."""
    written = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source.strip(),
         "outputs": [], "execution_count": None}
        for number, source in enumerate(cells)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": written, "metadata": {"kernelspec": kernel}, "nbformat": 4,
                "nbformat_minor": 5}  # fmt: skip
    path.write_text(json.dumps(notebook), encoding="utf-8")


def pixels_of(image: Locator) -> np.ndarray:
    """What an image on the page shows, uint8 (H, W, 3)."""
    url = image.evaluate(PIXELS)
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))


def run_all(*lessons: OpenLesson) -> None:
    """Open lessons and do Run All in them, side by side, until all have ended, with or without an
    error; then save."""
    for one in lessons:
        one.open()
        one.start()
    for one in lessons:
        # All are looked at, so that each notes its own time.
        one._until(lambda: all([other.ended() for other in lessons]), RUN, "Run All to end")
        one.finish()


class OpenLesson:
    """A notebook in a page of the browser.

    Args:
        name: the notebook's file name.

    `seconds` is what Run All took, `notebook` what JupyterLab saved then.
    """

    def __init__(self, page: Page, server: LabServer, name: str) -> None:
        self.page, self.server, self.name = page, server, name
        self.seconds = self._began = 0.0
        self.notebook: dict[str, Any] = {}

    @property
    def file(self) -> Path:
        return self.server.lessons / self.name

    def open(self, anew: bool = True) -> None:
        """Open the notebook and wait for its kernel; not ``anew``: as it was left, tabs and all.

        That is read from the server's response and from the status bar: with only one of them Run
        All at times runs nothing.
        """
        reset = "&reset" if anew else ""  # without the tabs of the lesson before
        self.page.goto(f"{self.server.url}/lab/tree/{self.name}?token={self.server.token}{reset}")
        self.page.locator(".jp-Notebook").first.wait_for(timeout=1000 * OPEN)
        self._until(self._ready, OPEN, "the kernel to be idle")

    def start(self) -> None:
        """Run All from the menu."""
        self._began = time.monotonic()
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def ended(self) -> bool:
        """Whether Run All has, as JupyterLab's own indicator says. The kernel is idle between two
        cells as well, and the prompts of cells that are far from the window are not in the page."""
        if not self.seconds:
            indicator = self.page.locator(".jp-Notebook-ExecutionIndicator").first
            counted = re.search(r"Executed \d+ cell", indicator.text_content() or "")
            if counted and indicator.get_attribute("data-status") == "idle":
                self.seconds = time.monotonic() - self._began
        return self.seconds > 0

    def finish(self) -> None:
        """Save what Run All gave."""
        self._until(self._ready, OPEN, "the kernel to be idle")
        self.notebook = self._saved()

    def close(self) -> None:
        self.page.close()
        self.server.close(self.name)

    def widget(self, place: Place) -> Locator:
        """The output that holds a widget, scrolled to and drawn."""
        output = self.cell(place.cell).locator(".jp-OutputArea-child")
        output = output.filter(has=self.page.locator(".jupyter-widgets")).nth(place.index)
        output.wait_for(timeout=1000 * SHOW)
        output.scroll_into_view_if_needed()
        return output

    def cell(self, number: int) -> Locator:
        """A cell by its number from 0. JupyterLab keeps only cells near the window in the page, so
        it is looked for by scrolling."""
        cell = self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{number}"]')
        self.top()
        self._until(lambda: cell.count() > 0 or self._scroll_on(), SHOW, f"cell {number}")
        cell.scroll_into_view_if_needed()
        return cell

    def top(self) -> None:
        self._scroller().evaluate("one => { one.scrollTop = 0 }")
        self._drawn()

    def screenshot(self, output: Locator, path: Path) -> None:
        """The whole output, in a window that is high enough for it."""
        box = output.bounding_box()
        height = max(SIZE["height"], int(box["height"]) + 300) if box else SIZE["height"]
        self.page.set_viewport_size({**SIZE, "height": height})
        output.scroll_into_view_if_needed()
        output.screenshot(path=path)
        self.page.set_viewport_size(SIZE)

    def set_theme(self, name: str) -> None:
        """What JupyterLab is drawn with once the page is opened again."""
        settings = "lab/api/settings/@jupyterlab/apputils-extension:themes"
        response = self.page.request.put(
            f"{self.server.url}/{settings}",
            headers={"Authorization": f"token {self.server.token}"},
            data={"raw": json.dumps({"theme": name})},
        )
        assert response.ok

    def _scroller(self) -> Locator:
        return self.page.locator(".jp-Notebook .jp-WindowedPanel-outer").first

    def _scroll_on(self) -> bool:
        """Most of a window further down, from the end back to the start. Always false."""
        self._scroller().evaluate(
            """one => {
                const end = one.scrollTop + one.clientHeight >= one.scrollHeight - 2
                one.scrollTop = end ? 0 : one.scrollTop + 0.7 * one.clientHeight
            }"""
        )
        self._drawn()
        return False

    def _drawn(self) -> None:
        """Wait until the browser has drawn twice: then what was asked for before stands there."""
        self.page.evaluate(
            "() => new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)))"
        )

    def _ready(self) -> bool:
        kernel = self.server.kernel(self.name)
        idle = kernel.get("connections", 0) >= 1 and kernel.get("execution_state") == "idle"
        return idle and "| Idle" in self.page.locator("#jp-main-statusbar").inner_text()

    def _saved(self) -> dict[str, Any]:
        """All cells as JupyterLab holds them: it saves them, the page shows only some. Not more
        than once at a time, or it takes its own file for one that somebody else has changed."""
        before = self.file.stat().st_mtime_ns
        read: dict[str, Any] = {}

        def whole() -> bool:
            if self.file.stat().st_mtime_ns != before:
                with contextlib.suppress(ValueError):  # half of it is written
                    read.update(json.loads(self.file.read_text(encoding="utf-8")))
            return bool(read)

        self.page.keyboard.press("ControlOrMeta+s")
        self._until(whole, SHOW, "the notebook to be saved")
        return read

    def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Poll. The waiting is the page's, since the browser's events come only meanwhile."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: waited {seconds:g} s for {what}")
            self.page.wait_for_timeout(200)
