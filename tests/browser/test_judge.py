"""Real or fake? in JupyterLab: some rounds by button and by key, and the limit that hides a pair.

The notebook is written here. Its pairs are flat colors: who looks at the page knows which one was
generated. The tests follow each other as a player's rounds do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from browser.lesson import SIZE, OpenLesson, Place, errors, pixels_of, run_all, write_notebook
from browser.report import Report
from browser.server import LabServer

NAME = "judge.ipynb"
WAIT = 60.0  # seconds; a busy machine is no bug
REAL, FAKE = (20, 160, 40), (200, 30, 60)
OTHER = {"left": "right", "right": "left"}
CELLS = (
    f"""
import numpy as np
from colorlab.course.widgets.judge import Judge

def flat(color):
    return np.full((128, 128, 3), color, np.uint8)

pairs = [(flat({REAL}), flat({FAKE}), f"photo {{number}}") for number in range(4)]
judge = Judge(pairs, seconds=None)
judge
""",
    """
quick = Judge(pairs, seconds=1.0)
quick
""",
)
SLOW, QUICK = Place(0, 0, "judge"), Place(1, 0, "quick")
# Every sentence that the widget says from now on, with the time at which it stood in the page.
LISTEN = """output => {
    const heard = window.colorlabHeard = []
    const hear = () => {
        const words = output.querySelector("[aria-live]")?.innerText
        if (words && words !== heard.at(-1)?.words) heard.push({words, at: performance.now()})
    }
    new MutationObserver(hear).observe(
        output, {subtree: true, childList: true, characterData: true})
    hear()
}"""


class OpenJudge(OpenLesson):
    """The notebook above, and the game that is played."""

    place = SLOW

    @property
    def output(self) -> Any:
        return self.widget(self.place)

    def says(self, words: str) -> None:
        said = self.output.locator("[aria-live]")
        self.until(lambda: words in said.inner_text(), f"the judge to say {words!r}")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        self._until(condition, WAIT, what)

    def button(self, name: str) -> Any:
        return self.output.locator("button").filter(has_text=name)

    def press(self, key: str) -> None:
        self.output.locator(".noUi-handle").focus()
        self.page.keyboard.press(key)

    def sides(self) -> list[tuple[int, ...]]:
        """The colors in the middle of the left and the right picture."""
        pixels = pixels_of(self.output.locator("img")).astype(int)
        height, width, _ = pixels.shape
        return [tuple(pixels[height // 2, width * part // 4]) for part in (1, 3)]

    def generated(self) -> str:
        """On which side the generated picture is seen, once a pair is there."""
        self.until(lambda: np.ptp(self.sides(), axis=0).max() > 100, "a pair")
        left, right = self.sides()
        assert {near(left), near(right)} == {"real", "generated"}
        return "left" if near(left) == "generated" else "right"


def near(color: tuple[int, ...]) -> str:
    found = {"real": REAL, "generated": FAKE}
    return min(found, key=lambda name: np.abs(np.subtract(found[name], color)).sum())


@pytest.fixture(scope="module")
def judge(chromium: Any, server: LabServer, report: Report) -> Iterator[OpenJudge]:
    """The games after Run All."""
    report.begin("judge")
    write_notebook(server.lessons / NAME, CELLS)
    opened = OpenJudge(chromium.new_page(viewport=SIZE), server, NAME)
    try:
        run_all(opened)
        yield opened
    finally:
        opened.close()


def test_rounds_by_button_and_by_key_are_counted(judge: OpenJudge, report: Report) -> None:
    assert errors(judge.notebook) == []
    judge.says("4 rounds, each pair seen until you answer")
    judge.screenshot(judge.output, report.picture("judge", "start"))
    judge.button("Start").click()
    judge.says("Round 1 of 4: which one is generated?")
    side = judge.generated()
    judge.screenshot(judge.output, report.picture("judge", "round"))
    judge.button(f"{side} is generated").click()  # right

    judge.says("Round 2 of 4: which one is generated?")
    side = judge.generated()
    judge.press({"left": "ArrowLeft", "right": "ArrowRight"}[side])  # right

    judge.says("Round 3 of 4: which one is generated?")
    side = judge.generated()
    judge.press({"left": "ArrowRight", "right": "ArrowLeft"}[side])  # fooled

    judge.says("Round 4 of 4: which one is generated?")
    side = judge.generated()
    button = judge.button(f"{OTHER[side]} is generated")
    button.focus()
    judge.page.keyboard.press("Space")  # fooled
    judge.says("Fooled: 2 of 4, 50 % (95 % interval 15 to 85 %)")
    judge.screenshot(judge.output, report.picture("judge", "result"))
    assert judge.button("left is generated").is_disabled()


def test_another_game_begins_anew(judge: OpenJudge) -> None:
    judge.button("Start again").click()
    judge.says("Round 1 of 4: which one is generated?")
    judge.generated()


def test_the_pair_is_hidden_after_its_time(judge: OpenJudge, report: Report) -> None:
    judge.place = QUICK
    judge.says("4 rounds, each pair seen for 1 s.")
    judge.output.evaluate(LISTEN)
    judge.press("ArrowLeft")  # starts
    judge.says("Round 1 of 4: which one was generated?")
    heard = judge.page.evaluate("() => window.colorlabHeard")
    words = [one["words"] for one in heard]
    assert words[1:] == [
        "Round 1 of 4. Look at the cross.",
        "Round 1 of 4: which one is generated?",
        "Round 1 of 4: which one was generated?",
    ]
    print(f"\nseen for {heard[3]['at'] - heard[2]['at']:.0f} ms in the page")
    pixels = pixels_of(judge.output.locator("img"))
    assert np.ptp(pixels) <= 2 and abs(pixels.mean() - 119) < 2  # nothing but neutral gray
    judge.screenshot(judge.output, report.picture("judge", "hidden"))
    judge.button("left is generated").click()
    judge.says("Round 2 of 4: which one was generated?")


def test_in_the_dark_theme(judge: OpenJudge, report: Report) -> None:
    judge.set_theme("JupyterLab Dark")
    judge.open(anew=False)
    judge.says("Round 2 of 4")
    judge.screenshot(judge.output, report.picture("judge", "dark"))
    judge.set_theme("JupyterLab Light")
    color = judge.output.locator("[aria-live]").evaluate("one => getComputedStyle(one).color")
    assert min(json.loads(f"[{color.partition('(')[2].rstrip(')')}]")[:3]) > 180  # light letters
