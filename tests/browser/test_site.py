"""The course's site in a browser: every page on a phone and on a desktop, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import course_site
import pytest

from browser.report import Report
from colorlab.page import PageServer

PHOTO = course_site.ROOT / "data/photos/test/sheep.jpg"
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
PICTURED = ("index.html", "notebooks/03_unet.html", "teachers.html", "api/unet.html")
CHECKED = (  # by axe
    *PICTURED, "coloring.html", "leaderboard.html", "gallery.html", "data/weights/README.html",
    "_modules/colorlab/unet.html",
)  # fmt: skip
SETTLED = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"
WRONG = """() => {
    const root = document.documentElement
    const bare = [...document.querySelectorAll("img:not([alt])")]
    const found = bare.map((img) => `no alt: ${img.src}`)
    if (root.scrollWidth > root.clientWidth) found.push(`${root.scrollWidth} pixels wide`)
    return found
}"""
MEAN = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
    const sums = [0, 0, 0]
    data.forEach((value, place) => { if (place % 4 < 3) sums[place % 4] += value })
    return sums.map((sum) => (sum * 4) / data.length)
}"""
AXE = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"], iframes: false })
    return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(
        ({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 120))}`)
}"""


@pytest.fixture(scope="module")
def folder(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return course_site.built(tmp_path_factory)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """In a folder of the server, not at its top."""
    with PageServer(folder.parent) as running:
        yield f"{running.url}{folder.name}/"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_opens_without_a_fault(
    chromium: Any, folder: Path, address: str, report: Report, size: str, scheme: str
) -> None:
    import build

    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, service_workers="block"
    )
    tab, found = context.new_page(), []
    name = ""
    host = address.split("/")[2]

    def note(said: str) -> None:
        found.append(f"{name}: {said}")

    tab.on("console", lambda message: message.type == "error" and note(message.text))
    tab.on("pageerror", lambda error: note(str(error)))
    tab.on(
        "requestfailed",
        lambda asked: (
            asked.failure != "net::ERR_ABORTED"  # cut off by the next page
            and note(f"failed: {asked.url}")
        ),
    )
    tab.on("response", lambda got: got.status >= 400 and note(f"{got.status}: {got.url}"))
    tab.on(
        "request",
        lambda asked: (
            asked.url.startswith("http")
            and asked.url.split("/")[2] != host
            and note(f"asked {asked.url}")
        ),
    )
    pages = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.html"))
    assert len(pages) > 30 and set(CHECKED) <= set(pages)
    for name in pages:
        tab.goto(address + name)
        tab.evaluate(SETTLED)
        for said in tab.evaluate(WRONG):
            note(said)
        if name in PICTURED:
            picture = f"site-{Path(name).stem}-{size}-{scheme}.png"
            tab.screenshot(path=report.folder / picture)
        if name in CHECKED:
            tab.add_script_tag(path=build.VENDOR / "axe.js")
            for said in tab.evaluate(AXE):
                note(said)
    context.close()
    assert found == []


def test_the_slider_shows_more_of_the_gray_photo(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(address)
    before = tab.locator(".slider .before")
    clips = []
    for value in ("20", "80"):
        tab.locator(".slider input").fill(value)
        clips.append(before.evaluate("(img) => getComputedStyle(img).clipPath"))
    tab.close()
    assert clips == ["inset(0px 80% 0px 0px)", "inset(0px 20% 0px 0px)"]


def test_a_photo_is_colored_on_the_front_page(chromium: Any, address: str) -> None:
    tab, asked = chromium.new_page(), []
    tab.on("request", lambda one: asked.append(one.url))
    tab.goto(address, wait_until="networkidle")
    tab.locator(".try").scroll_into_view_if_needed()
    assert asked and not [url for url in asked if "/color/" in url]  # folded, it costs nothing
    tab.locator(".try summary").click()
    page = tab.frame_locator(".try iframe")
    page.locator("#backend:not(:empty)").wait_for()
    page.locator("#choose").set_input_files(PHOTO)
    page.locator("#strip li[data-state=done]").wait_for(timeout=60_000)
    red, green, blue = page.locator("#colored").evaluate(MEAN)
    tab.close()
    assert max(red, green, blue) - min(red, green, blue) > 1  # no gray; this network knows nothing


def test_search_leads_to_the_lesson(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(address)
    tab.get_by_role("button", name="Search").locator("visible=true").first.click()
    tab.get_by_role("searchbox").fill("receptive field")
    tab.keyboard.press("Enter")
    found = tab.locator("#search-results li").filter(has_text="04 · The PatchGAN").first
    quoted = found.locator(".context").inner_text()
    assert "receptive" in quoted and "Exercise 4.1" not in quoted  # as the contents list it
    found.locator("a").first.click()
    assert tab.locator("article h1").inner_text().startswith("04")
    tab.close()


def test_a_dark_page_prints_in_light(chromium: Any, address: str) -> None:
    tab = chromium.new_page(color_scheme="dark")
    tab.goto(f"{address}notebooks/03_unet.html")
    themes = []
    for event in ("beforeprint", "afterprint"):
        tab.evaluate("(name) => dispatchEvent(new Event(name))", event)
        themes.append(tab.evaluate("() => document.documentElement.dataset.theme"))
    tab.close()
    assert themes == ["light", "dark"]


def test_a_phones_contents_make_room_for_what_was_chosen(chromium: Any, address: str) -> None:
    width, height = SIZES["phone"]
    tab = chromium.new_page(viewport={"width": width, "height": height})
    tab.goto(f"{address}notebooks/03_unet.html")
    contents = tab.locator("#pst-secondary-sidebar-modal")
    tab.locator(".secondary-toggle").locator("visible=true").first.click()
    chosen = contents.get_by_role("link", name="The brown problem").first
    chosen.wait_for()
    chosen.click()
    contents.wait_for(state="hidden")
    assert tab.url.endswith("#the-brown-problem")
    tab.close()


def test_a_solution_unfolds(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(f"{address}notebooks/03_unet.html")
    solution = tab.get_by_text("# SOLUTION 3.1", exact=True)
    assert not solution.is_visible()
    tab.get_by_text("Solution 3.1", exact=True).first.click()
    assert solution.is_visible()
    tab.close()
