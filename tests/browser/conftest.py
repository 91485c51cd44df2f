"""The browser, the server, and each lesson opened and run in them once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import guard
from browser.lesson import SIZE, OpenLesson, run_all
from browser.report import Report, artifacts
from browser.server import LabServer
from colorlab import page as colorlab_page
from colorlab.colorize import Colorizer

HERE = Path(__file__).resolve().parent
REPORT = pytest.StashKey[Report]()


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    return request.config.stash.setdefault(REPORT, Report(artifacts()))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    guard.require(guard.missing(), guard.on_ci())
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=guard.chromium())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """After the browser: without one there is no need to start it."""
    with LabServer(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="session")
def starter() -> Colorizer:
    return Colorizer.load(device="cpu")


@pytest.fixture(scope="session")
def folder(chromium: Any, starter: Colorizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that colors with the starter weights."""
    try:
        return colorlab_page.build(tmp_path_factory.mktemp("site") / "page", starter)
    except colorlab_page.PageError as error:
        guard.require(str(error), guard.on_ci())
        raise


@pytest.fixture(scope="session")
def site(folder: Path) -> Iterator[str]:
    """The page's address."""
    with colorlab_page.serve(folder) as running:
        yield running.url


@pytest.fixture(scope="session")
def opened() -> dict[Path, OpenLesson]:
    """The lessons that have run and are still open."""
    return {}


@pytest.fixture(scope="module")
def lesson(
    request: pytest.FixtureRequest,
    chromium: Any,
    server: LabServer,
    report: Report,
    opened: dict[Path, OpenLesson],
) -> Iterator[OpenLesson]:
    """The lesson whose path the test was parametrized with, after Run All.

    The next lesson has run beside it, as each kernel works in one thread. While the widgets of the
    one are moved, the other is idle.
    """
    path: Path = request.param
    if path not in opened:
        for one in _lessons(request.session.items, first=path)[:2]:
            opened[one] = OpenLesson(chromium.new_page(viewport=SIZE), server, one.name)
        try:
            run_all(*opened.values())
        except BaseException:
            while opened:
                opened.popitem()[1].close()
            raise
    this = opened.pop(path)
    report.begin(path.stem)
    report.add_lesson(path.stem, this.seconds)
    yield this
    this.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lesson by lesson, so that each is opened once: pytest's own order parts the tests that have
    only one of several parameters in common. Without a browser one test says so for all."""
    ours = sorted((item for item in items if HERE in item.path.parents), key=_place)
    kept = ours[:1] if guard.missing() else ours
    items[:] = [item for item in items if item not in ours] + kept
    config.hook.pytest_deselected(items=ours[len(kept) :])


def _lessons(items: list[pytest.Item], first: Path) -> list[Path]:
    """The lessons still to be tested, in their order."""
    names = {_place(item)[0] for item in items if HERE in item.path.parents} - {""}
    return sorted(path for path in map(Path, names) if path >= first)


def _place(item: pytest.Item) -> tuple[str, int]:
    """The lesson, then its run as a whole, then its widgets."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return str(parameters.get("lesson", "")), parameters.get("number", 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if report := config.stash.get(REPORT, None):
        terminalreporter.section("widgets in the browser")
        for line in report.lines():
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"Screenshots and timings: {report.folder}")
