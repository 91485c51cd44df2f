"""The live board in JupyterLab: a run is steered from it while the notebook stays usable.

One run, in a notebook that is written here; the tests follow each other as a learner's clicks do.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import pytest

from browser.lesson import SIZE, OpenLesson, Place, errors, run_all
from browser.report import Report
from browser.server import ROOT, LabServer

NAME = "board.ipynb"
WAIT = 30.0  # seconds; a busy machine is no bug
RESPONSE = 1.0  # seconds for a cell while the run trains

CELLS = (
    f"""
import json
from dataclasses import replace
from colorlab import recipes
from colorlab.recipes.recipe import DiscriminatorConfig, GeneratorConfig, Stage
from colorlab.training.run import Run
from colorlab.course.widgets.board.board import Board

recipe = replace(
    recipes.get("tiny"),
    generator=GeneratorConfig(levels=4, base=8, cap=32),
    discriminator=DiscriminatorConfig(base=8, layers=2),
    stages=(Stage("adversarial", 100_000, 32, 8),),
)
photos = {str(ROOT / "data" / "photos" / "val")!r}
run = Run(recipe, photos, validation=photos, output="run", sample_every=20, progress=False)
weights = {{}}
run.listeners.append(
    lambda e: e.kind == "step" and weights.update({{e.step: run.trainer.color_weight}})
)
""",
    "board = Board(run)\nboard",
    "print('steps', len(run.history))",
    "print(json.dumps(weights))",
)
BOARD = Place(1, 0, "board")


class OpenBoard(OpenLesson):
    """The notebook above: its board, and its other cells."""

    @property
    def output(self) -> Any:
        return self.widget(BOARD)

    def click(self, name: str) -> None:
        self.button(name).click()

    def button(self, name: str) -> Any:
        return self.output.locator("button").filter(has_text=name)

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until the board says this."""
        found: list[re.Match[str]] = []

        def there() -> bool:
            match = re.search(pattern, self.output.inner_text())
            found.extend([match] if match else [])
            return bool(found)

        self._until(there, WAIT, f"the board to say {pattern!r}")
        return found[0]

    def step(self) -> int:
        return int(self.says(r"step ([\d,]+) of")[1].replace(",", ""))

    def trains_on(self) -> None:
        """Wait until the board shows more steps than now."""
        now = self.step()
        self._until(lambda: self.step() > now, WAIT, f"more than {now} steps on the board")

    def execute(self, number: int) -> tuple[str, float]:
        """Execute a cell; its output, and the seconds until that was there."""
        cell = self.cell(number)
        cell.locator(".cm-content").click()
        prompt = cell.locator(".jp-InputArea-prompt")
        before = prompt.inner_text()
        began = time.monotonic()
        self.page.keyboard.press("Control+Enter")
        done = r"([one, before]) => one.innerText !== before && /\d/.test(one.innerText)"
        prompts = [prompt.element_handle(), before]
        self.page.wait_for_function(done, arg=prompts, timeout=1000 * WAIT)
        took = time.monotonic() - began
        output = cell.locator(".jp-OutputArea-output").last
        return output.inner_text(), took

    def save(self) -> dict[str, Any]:
        return self._saved()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        self._until(condition, WAIT, what)


@pytest.fixture(scope="module")
def board(chromium: Any, server: LabServer, report: Report) -> Iterator[OpenBoard]:
    """The board after Run All, not started yet."""
    report.begin("board")
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


def rows(board: OpenBoard) -> int:
    """Steps in the run's history.csv."""
    path = board.server.lessons / "run" / "history.csv"
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def changes(board: OpenBoard) -> list[dict[str, Any]]:
    path = board.server.lessons / "run" / "changes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_click_starts_the_run(board: OpenBoard, report: Report) -> None:
    assert errors(board.notebook) == []
    board.says("ready: press Start")
    board.screenshot(board.output, report.picture("board", "new"))
    assert board.button("Pause").is_disabled() and board.button("Save").is_disabled()
    pictures = [image.get_attribute("src") for image in board.output.locator("img").all()]
    board.click("Start")
    board.says("training from step 1 on")
    board.trains_on()
    board.says(r"after step [1-9][\d,]+ \(the newest")  # a new grid
    now = [image.get_attribute("src") for image in board.output.locator("img").all()]
    assert len(now) == 4 and not set(now) & set(pictures)
    assert board.button("Start").count() == 0 and board.button("Resume").is_disabled()


def test_a_slider_acts_on_the_next_step(board: OpenBoard) -> None:
    handle = board.output.locator(".noUi-handle").first
    before = rows(board)
    handle.focus()
    for _ in range(3):
        board.page.keyboard.press("ArrowLeft")
    board.until(lambda: bool(changes(board)), "the change in changes.jsonl")
    board.says(r"λ \(color\) 4\d")
    board.until(lambda: changes(board)[-1]["value"] == 47, "the last of the moves")
    last = changes(board)[-1]
    board.says(f"47, from step {last['step']:,} on")
    assert last["name"] == "color_weight" and before < last["step"] <= rows(board) + 1
    board.until(lambda: rows(board) > last["step"], "a step with the new weight")
    text, _ = board.execute(3)
    used = {int(step): value for step, value in json.loads(text).items()}
    assert used[last["step"]] == 47 and used[last["step"] - 1] != 47 and used[1] == 50


def test_the_notebook_responds_meanwhile(board: OpenBoard, report: Report) -> None:
    times = []
    before = rows(board)
    for _ in range(3):
        text, took = board.execute(2)
        assert text.startswith("steps")
        times.append(took)
    print(f"a cell beside the run took {', '.join(f'{1000 * took:.0f} ms' for took in times)}")
    assert rows(board) > before
    assert median(times) < RESPONSE


def test_pause_save_and_resume(board: OpenBoard, report: Report) -> None:
    board.click("Pause")
    step = int(board.says(r"paused after step ([\d,]+)")[1].replace(",", ""))
    assert rows(board) == step
    board.click("Save")
    name = board.says(r"saved: (checkpoints/step-\d+\.ckpt)")[1]
    assert f"{step:08d}" in name and (board.server.lessons / "run" / name).is_file()
    board.page.wait_for_timeout(500)
    assert rows(board) == step
    board.screenshot(board.output, report.picture("board", "paused"))
    board.click("Resume")
    board.says(f"training from step {step + 1:,} on")
    board.trains_on()


def test_an_older_grid_can_be_looked_at(board: OpenBoard) -> None:
    grid = board.output.locator("img").last
    handle = board.output.locator(".noUi-handle").last
    handle.focus()
    before = grid.get_attribute("src")
    board.page.keyboard.press("Home")
    board.says(r"after step 0 \(untrained\)")
    board.until(lambda: grid.get_attribute("src") != before, "another grid")
    board.trains_on()
    board.says(r"after step 0 \(untrained\)")  # new samples don't take it away
    base = board.output.locator(".noUi-base").last
    base.click(position={"x": base.bounding_box()["width"] - 1, "y": 2})
    board.says(r"after step [\d,]+ \(the newest\)")


def test_a_page_that_is_opened_again_finds_the_run_alive(
    board: OpenBoard, chromium: Any, report: Report
) -> None:
    board.save()
    kernel, before = board.server.kernel(NAME)["id"], rows(board)
    board.page.close()
    time.sleep(1)
    board.page = chromium.new_page(viewport=SIZE)
    board.page.goto(f"{board.server.url}/lab/tree/{NAME}?token={board.server.token}")
    board.page.locator(".jp-Notebook").first.wait_for(timeout=1000 * WAIT)
    board.until(lambda: rows(board) > before, "steps without a page")
    board.trains_on()
    assert board.server.kernel(NAME)["id"] == kernel
    board.screenshot(board.output, report.picture("board", "again"))
    board.click("Stop")
    step = int(board.says(r"stopped after step ([\d,]+)")[1].replace(",", ""))
    assert rows(board) == step and board.button("Resume").is_enabled()
    assert errors(board.save()) == []
    board.screenshot(board.output, report.picture("board", "stopped"))
