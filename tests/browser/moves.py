"""Move a widget as a learner does, with keys and clicks, and time its response in the browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

RESPONSE, SECOND_TRY = 30.0, 3.0  # seconds: for a control that must respond, for one that may not
UPLOAD = 120.0
STILL = 4  # looks, a tenth of a second apart
TIMES = 9  # moves that are timed
CONTROLS = {
    "slider": ".noUi-handle:not([disabled] *)",
    "dropdown": "select:enabled",
    "checkbox": 'input[type="checkbox"]:enabled',
    "choice": ".widget-toggle-buttons button:enabled:not(.mod-active)",
    "toggle": "button.widget-toggle-button:enabled:not(.widget-toggle-buttons *)",
    "button": "button.widget-button:enabled",
}
ANY = '.noUi-handle, select, input[type="checkbox"], button'
UPLOAD_BUTTON = "button.widget-upload"
LETTER = re.compile(r"^\s*[A-F]\s*$")

# The clock starts with the last key or click before the new picture and stops when that has been
# decoded: what the learner waits for, without this process' own way to the browser and back.
WATCH = """(output, pictures) => {
    const state = window.colorlabMove = {took: null}
    const images = () => [...output.querySelectorAll("img")]
    const sources = new Map(images().map(image => [image, image.src]))
    const text = output.innerText
    let began = null
    const start = event => { began = event.timeStamp }
    for (const kind of ["keydown", "pointerdown"])
        document.addEventListener(kind, start, {capture: true})
    const stop = () => { if (began !== null) state.took ??= performance.now() - began }
    const look = () => {
        if (!pictures) return output.innerText === text || stop()
        const changed = images().find(image => image.src && sources.get(image) !== image.src)
        if (changed) { watcher.disconnect(); changed.decode().then(stop, stop) }
    }
    const watcher = new MutationObserver(look)
    watcher.observe(output, {subtree: true, childList: true, characterData: true,
                             attributes: true, attributeFilter: ["src"]})
}"""


@dataclass
class Moved:
    """How a widget answered: milliseconds for each move that was timed, and the controls that
    changed nothing when they were moved once."""

    milliseconds: list[float] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Control:
    kind: str
    element: Locator

    def ways(self) -> list[str]:
        """What may change it, the one first that does so where it stands now (see `press`)."""
        match self.kind:
            case "slider":
                now, most = (self.element.get_attribute(f"aria-value{n}") for n in ("now", "max"))
                return ["ArrowLeft", "ArrowRight"] if now == most else ["ArrowRight", "ArrowLeft"]
            case "dropdown":
                # Opened first: of a closed one JupyterLab takes the arrows to go to the next cell.
                up, down = "Space ArrowUp Enter", "Space ArrowDown Enter"
                last = self.element.evaluate("one => one.selectedIndex === one.length - 1")
                return [up, down] if last else [down, up]
            case "checkbox":
                return ["Space"]
            case _:
                return ["click"]

    def press(self, key: str) -> None:
        """`key`: "click", or keys with spaces between them."""
        if key == "click":
            self.element.click()
        else:
            self.element.focus()
            for one in key.split():
                self.element.page.keyboard.press(one)


def controls(output: Locator) -> list[Control]:
    """The enabled controls of a widget; buttons only where there is nothing else to move."""
    found = [
        Control(kind, element)
        for kind, selector in CONTROLS.items()
        for element in output.locator(selector).all()
    ]
    moving = [control for control in found if control.kind != "button"]
    buttons = [one for one in found if one.element.inner_text().strip() != "Reset"]
    return moving or buttons


def move(output: Locator, control: Control, pictures: bool, seconds: float) -> float | None:
    """Milliseconds from the key or click to the new picture (else: text); None without one."""
    from playwright.sync_api import TimeoutError

    page: Page = output.page
    for key in control.ways():
        output.evaluate(WATCH, pictures)
        control.press(key)
        try:
            page.wait_for_function("() => window.colorlabMove.took", timeout=1000 * seconds)
        except TimeoutError:
            continue
        return page.evaluate("() => window.colorlabMove.took")
    return None


def upload(output: Locator, photo: Path) -> None:
    """Give a photo to a widget that asks for one, and wait for what it makes of it."""
    with output.page.expect_file_chooser(timeout=1000 * UPLOAD) as chooser:
        output.locator(UPLOAD_BUTTON).click()
    chooser.value.set_files(photo)
    output.locator("img").first.wait_for(timeout=1000 * UPLOAD)
    wait_until_drawn(output)


def answer_quiz(output: Locator) -> Moved:
    """Click the first answer of each question; its explanation must appear."""
    moved = Moved()
    for number, button in enumerate(first_answers(output), start=1):
        took = move(output, Control("button", button), False, RESPONSE)
        assert took is not None, f"a click on an answer to question {number} changed nothing"
        said = output.locator("[aria-live]").filter(has_text=re.compile(r"\w+ \w+"))
        said.nth(number - 1).wait_for(timeout=1000 * RESPONSE)
        moved.milliseconds.append(took)
    return moved


def first_answers(output: Locator) -> Iterator[Locator]:
    """The first button of each line of buttons A, B, C ..."""
    for line in output.locator(".widget-hbox").all():
        buttons = line.locator("button").filter(has_text=LETTER)
        if buttons.count():
            yield buttons.first


def wait_until_drawn(output: Locator) -> None:
    """A widget is drawn part by part: wait until for a while none has been added."""
    output.locator(ANY).first.wait_for(timeout=1000 * RESPONSE)
    parts = output.locator(f"{ANY}, img")
    counts = [parts.count()]
    while len(counts) < STILL or len(set(counts[-STILL:])) > 1:
        output.page.wait_for_timeout(100)
        counts.append(parts.count())


def play(output: Locator) -> Moved:
    """Move the first control several times, timed, and every other one once.

    The first must change the picture; of the others, those that don't are noted.
    """
    found = controls(output)
    if not found:
        pytest.skip("all controls of this widget are disabled")
    pictures = output.locator("img").count() > 0
    first, *others = found
    moved = Moved()
    for _ in range(TIMES):
        took = move(output, first, pictures, RESPONSE)
        assert took is not None, f"the {first.kind} was moved, and the picture did not change"
        moved.milliseconds.append(took)
    for number, control in enumerate(others, start=2):
        if move(output, control, pictures, SECOND_TRY) is None:
            moved.silent.append(f"{control.kind}, control {number}")
    return moved


def move_widget(output: Locator, photo: Path) -> Moved:
    """Move whatever widget stands in this output; `photo` is for one that asks for a photo."""
    wait_until_drawn(output)
    if next(first_answers(output), None):
        return answer_quiz(output)
    if output.locator(UPLOAD_BUTTON).count():
        upload(output, photo)
    return play(output)
