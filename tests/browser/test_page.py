"""The page that colors photos, in a browser, with the bundled weights: what a visitor does.

The tests share one tab and follow each other as a visit does; the last one cuts the connection.
"""

from __future__ import annotations

import base64
import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from browser.report import Report
from browser.server import ROOT
from colorlab.color import rgb_to_lab
from colorlab.page import PageServer, serve
from colorlab.photos.xmp import MADE

PHOTO = ROOT / "data/photos/test/egeskovslotspejling-backgrou.jpg"
SIZE = {"width": 1280, "height": 900}
WIDTHS = (360, 700, 1440)  # a phone, a frame in a notebook, a desktop
WAIT = 30_000.0  # ms; a busy machine is no bug
PLACE = (0.6, 0.4)  # shares of the photo's sides
RED = (192, 32, 32)
# What a canvas shows, as PNG.
PIXELS = "(canvas) => canvas.toDataURL('image/png')"
DROP = """([target, files]) => {
    const carried = new DataTransfer()
    for (const [name, type, data] of files) {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
        carried.items.add(new File([bytes], name, { type }))
    }
    const event = (kind) => new DragEvent(kind, { dataTransfer: carried, bubbles: true })
    const place = document.querySelector(target)
    for (const kind of ["dragover", "drop"]) place.dispatchEvent(event(kind))
}"""


class Visit:
    """The page in a tab, and every address that was asked for."""

    def __init__(self, tab: Any, url: str) -> None:
        self.tab, self.url = tab, url
        self.asked: list[str] = []
        self.errors: list[str] = []
        tab.context.on("request", lambda request: self.asked.append(request.url))
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.set_default_timeout(WAIT)

    def open(self) -> None:
        self.tab.goto(self.url)
        self.tab.locator("#backend:not(:empty)").wait_for()

    def find(self, selector: str) -> Any:
        return self.tab.locator(selector)

    def button(self, name: str) -> Any:
        return self.tab.get_by_role("button", name=name, exact=True)

    def drop(self, *files: tuple[str, bytes]) -> None:
        given = [(name, "", base64.b64encode(data).decode()) for name, data in files]
        self.tab.evaluate(DROP, ["main", given])

    def done(self, name: str) -> None:
        """Wait until a photo is colored."""
        self.find("#strip li[data-state=done]").filter(has_text=name).wait_for()

    def shown(self, which: str = "colored") -> np.ndarray:
        """One of the stage's pictures, uint8 (H, W, 3)."""
        data = self.find(f"#{which}").evaluate(PIXELS).partition(",")[2]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))

    def changes(self, act: Callable[[], Any]) -> np.ndarray:
        """Do something, and wait until the colored picture is another one, which comes back."""
        before = self.shown()
        act()
        self.until(
            lambda: self.still() and not np.array_equal(self.shown(), before), "another picture"
        )
        return self.shown()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAIT / 1000
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}"
            self.tab.wait_for_timeout(50)

    def still(self) -> bool:
        return self.find("#photo").get_attribute("aria-busy") == "false"

    def click(self, x: float, y: float) -> None:
        """Click the photo, at shares of its sides."""
        box = self.find("#board").bounding_box()
        self.find("#board").click(position={"x": x * box["width"], "y": y * box["height"]})

    def dots(self) -> list[tuple[float, float]]:
        """Where the hints are, as shares of the photo's sides."""
        styles = self.find(".dot").evaluate_all("all => all.map(o => [o.style.left, o.style.top])")
        return [tuple(round(float(s.rstrip("%")) / 100, 2) for s in style) for style in styles]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)

    def focused(self) -> str:
        return self.tab.evaluate("() => document.activeElement.className")

    def slide(self, name: str, value: float) -> None:
        """Move one of the range inputs as a pointer does."""
        self.find(f"#{name}").fill(str(value))


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[PageServer]:
    """A server of its own, as one test stops it."""
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="module")
def visit(chromium: Any, host: PageServer, report: Report) -> Iterator[Visit]:
    report.begin("page")
    context = chromium.new_context(viewport=SIZE, accept_downloads=True)
    opened = Visit(context.new_page(), host.url)
    opened.open()
    yield opened
    assert opened.errors == []
    context.close()


@pytest.fixture(scope="module")
def gray() -> Image.Image:
    return Image.open(PHOTO).convert("L")


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def spread(pixels: np.ndarray) -> float:
    """How far the channels lie apart, the mean over the pixels: 0 for gray."""
    return float(np.ptp(pixels.astype(int), axis=2).mean())


def ab_around(pixels: np.ndarray, x: float, y: float) -> np.ndarray:
    """The mean ab of some pixels around a place, in CIE units."""
    height, width, _ = pixels.shape
    row, column = int(y * height), int(x * width)
    return ab_of(pixels[row - 4 : row + 5, column - 4 : column + 5].reshape(-1, 3)).mean(0)


def ab_of(colors: Any) -> np.ndarray:
    """(N, 3) colors -> (N, 2)."""
    rgb = torch.tensor(np.asarray(colors, np.uint8)).T[:, :, None]
    return rgb_to_lab(rgb)[1:, :, 0].T.numpy()


def test_a_dropped_photo_is_colored(visit: Visit, gray: Image.Image, report: Report) -> None:
    visit.tab.screenshot(path=report.picture("page", "empty"), full_page=True)
    visit.drop(("castle.jpg", saved(gray, "JPEG", quality=95)))
    visit.done("castle.jpg")
    assert visit.shown().shape[:2] == (gray.height, gray.width)
    assert spread(visit.shown("gray")) < 0.5 and spread(visit.shown()) > 5
    assert np.abs(visit.shown("gray").astype(int)[..., 0] - np.asarray(gray)).mean() < 1.5
    assert "castle.jpg is colored" in visit.find("#live").inner_text()
    visit.tab.screenshot(path=report.picture("page", "colored"), full_page=True)


def test_the_divider_by_keyboard(visit: Visit) -> None:
    divider = visit.find("#divider")
    divider.focus()
    visit.press("Home")
    assert divider.get_attribute("aria-valuetext").startswith("0 % gray")
    assert spread(seen(visit)) > 5
    visit.press("End")
    assert divider.get_attribute("aria-valuenow") == "100"
    assert spread(seen(visit)) < 1
    visit.press("ArrowLeft", "PageDown")
    assert divider.get_attribute("aria-valuenow") == "88"


def seen(visit: Visit) -> np.ndarray:
    """The photo as it is on the screen, without the edge and the divider's grip."""
    picture = Image.open(io.BytesIO(visit.find("#photo").screenshot())).convert("RGB")
    return np.asarray(picture)[20:-120, 20:-20]


def test_the_divider_by_mouse_is_no_hint(visit: Visit) -> None:
    grip, photo = (visit.find(one).bounding_box() for one in ("#divider", "#photo"))
    mouse = visit.tab.mouse
    mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    mouse.down()
    mouse.move(photo["x"] + photo["width"] / 4, grip["y"], steps=5)
    mouse.up()
    assert visit.find("#divider").get_attribute("aria-valuenow") == "25"
    assert visit.dots() == [] and visit.find("#palette").is_hidden()


def test_a_suggested_color_goes_to_the_place(visit: Visit, report: Report) -> None:
    before = ab_around(visit.shown(), *PLACE)
    visit.click(*PLACE)
    swatches = visit.find(".swatch")
    swatches.first.wait_for()
    visit.tab.screenshot(path=report.picture("page", "palette"))
    labels = swatches.evaluate_all("all => all.map(one => one.ariaLabel)")
    shares = [int(label.rpartition(", ")[2].removesuffix(" %")) for label in labels]
    assert shares == sorted(shares, reverse=True) and 1 < len(shares) <= 5 and sum(shares) <= 100
    colors = swatches.evaluate_all("all => all.map(one => one.dataset.color)")
    ab = ab_of([tuple(bytes.fromhex(color[1:])) for color in colors])
    far = int(np.linalg.norm(ab - before, axis=1).argmax())
    after = ab_around(visit.changes(swatches.nth(far).click), *PLACE)
    assert np.linalg.norm(after - ab[far]) < np.linalg.norm(before - ab[far]) / 2
    assert visit.dots() == [PLACE]
    assert swatches.nth(far).get_attribute("aria-pressed") == "true"


def test_a_color_of_ones_own(visit: Visit) -> None:
    """The palette is still open. No test can open the browser's dialog."""
    set_color = """input => {
        input.value = "#c02020"
        for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind))
    }"""
    after = visit.changes(lambda: visit.find(".own input").evaluate(set_color))
    a, b = ab_around(after, *PLACE)
    assert a > 20 and b > 10
    visit.button("Done").click()
    assert visit.find(".dot").get_attribute("aria-label") == "Hint 1: red, 60 % across, 40 % down"
    assert visit.focused() == "dot"


def test_undo_redo_and_start_over(visit: Visit) -> None:
    red = visit.shown()
    suggested = visit.changes(visit.button("Undo").click)
    plain = visit.changes(lambda: visit.press("Control+z"))
    assert visit.dots() == [] and visit.button("Undo").is_disabled()
    assert np.array_equal(visit.changes(lambda: visit.press("Control+Shift+Z")), suggested)
    assert np.array_equal(visit.changes(visit.button("Redo").click), red)
    assert np.array_equal(visit.changes(visit.button("Start over").click), plain)
    assert np.array_equal(visit.changes(lambda: visit.press("Control+z")), red)


def test_a_hint_is_dragged_and_moved_by_keys(visit: Visit) -> None:
    box = visit.find("#board").bounding_box()
    left, top, width, height = (box[name] for name in ("x", "y", "width", "height"))
    at = [(left + x * width, top + y * height) for x, y in (PLACE, (0.3, 0.6))]
    mouse = visit.tab.mouse

    def drag() -> None:
        mouse.move(*at[0])
        mouse.down()
        mouse.move(*at[1], steps=8)
        mouse.up()

    assert ab_around(visit.changes(drag), 0.3, 0.6)[0] > 20
    assert visit.dots() == [(0.3, 0.6)] and visit.find("#palette").is_hidden()
    visit.changes(lambda: visit.press("Control+z"))  # the whole way in one step
    assert visit.dots() == [PLACE]
    visit.find(".dot").focus()
    visit.changes(lambda: visit.press("ArrowDown"))
    assert visit.dots() == [(0.6, 0.42)]
    visit.changes(lambda: visit.press("Delete"))
    assert visit.dots() == []


def test_the_keyboard_is_enough_for_a_hint(visit: Visit) -> None:
    visit.find(".crosshair").focus()
    visit.press(*["ArrowLeft"] * 5, *["ArrowUp"] * 10)
    assert "50 % across, 20 % down" in visit.find(".crosshair").get_attribute("aria-label")
    visit.press("Enter")
    visit.find(".swatch").first.wait_for()
    visit.until(lambda: visit.focused() == "swatch", "the first color to have the focus")
    visit.press("ArrowLeft", "Tab")  # no color is chosen by going along them
    visit.changes(lambda: visit.press("Enter"))
    assert visit.dots() == [pytest.approx((0.5, 0.2), abs=0.015)]
    visit.press("Escape")
    assert visit.find("#palette").is_hidden() and visit.focused() == "dot"
    visit.changes(lambda: visit.press("Delete"))


def test_saturation_and_temperature(visit: Visit) -> None:
    trained = visit.shown()
    assert spread(visit.changes(lambda: visit.slide("saturation", 0))) < 0.5
    strong = visit.changes(lambda: visit.slide("saturation", 1.5))
    assert spread(strong) > 1.2 * spread(trained)
    back = visit.button("As trained: saturation")
    assert np.array_equal(visit.changes(back.click), trained)
    calm = visit.changes(lambda: visit.slide("temperature", 1))
    vivid = visit.changes(lambda: visit.slide("temperature", 0.1))
    assert spread(vivid) > spread(calm)
    back = visit.button("As trained: temperature")
    assert np.array_equal(visit.changes(back.click), trained)
    assert visit.find("#temperature").get_attribute("aria-valuetext") == "as trained"


def test_the_download_has_the_mark(visit: Visit, gray: Image.Image, tmp_path: Path) -> None:
    with visit.tab.expect_download() as arrives:
        visit.button("Download").click()
    assert arrives.value.suggested_filename == "castle-colored.jpg"
    arrives.value.save_as(tmp_path / "colored.jpg")
    assert MADE.encode() in (tmp_path / "colored.jpg").read_bytes()
    with Image.open(tmp_path / "colored.jpg") as picture:
        assert picture.format == "JPEG" and picture.size == gray.size
        assert np.abs(np.asarray(picture, int) - visit.shown()).mean() < 3


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(visit: Visit, width: int, report: Report) -> None:
    visit.tab.set_viewport_size({"width": width, "height": 740})
    visit.click(0.9, 0.9)
    visit.find(".swatch").first.wait_for()
    visit.tab.screenshot(path=report.picture("page", f"palette-{width}"))
    assert visit.tab.evaluate("() => document.documentElement.scrollWidth") <= width
    small = """() => [...document.querySelectorAll("button, .button, select, input[type=range]")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44)
        .map((one) => one.outerHTML)"""
    assert visit.tab.evaluate(small) == []
    visit.press("Escape")
    visit.tab.set_viewport_size(SIZE)


def test_an_album_with_a_broken_file(visit: Visit, gray: Image.Image, report: Report) -> None:
    small = gray.resize((160, 120))
    clear = Image.merge("LA", [small, small.point(lambda light: 0 if light < 60 else 255)])
    visit.drop(
        ("boat.jpg", saved(small, "JPEG")),
        ("broken.jpg", saved(small, "JPEG")[:300]),
        ("clear.png", saved(clear, "PNG")),
    )
    visit.done("boat.jpg")
    visit.done("clear.png")
    problem = visit.find("#strip li[data-state=problem]")
    assert "broken.jpg" in problem.inner_text() and "damaged" in problem.inner_text()
    visit.tab.screenshot(path=report.picture("page", "album"), full_page=True)
    problem.locator("button").click()
    assert "damaged" in visit.find("#problem-text").inner_text()
    arrived: list[Any] = []
    visit.tab.on("download", lambda one: arrived.append(one))
    visit.button("Download all").click()
    visit.until(lambda: len(arrived) == 3, "three files")
    files = {one.suggested_filename: one.path() for one in arrived}
    assert sorted(files) == ["boat-colored.jpg", "castle-colored.jpg", "clear-colored.png"]
    with Image.open(files["clear-colored.png"]) as picture:
        assert picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 255)
    assert all(MADE.encode() in path.read_bytes() for path in files.values())
    visit.button("Remove this photo").click()
    assert visit.find("#strip li").count() == 3 and visit.find("#problem").is_hidden()


def huge_png() -> bytes:
    """The head of a PNG of 100,000 × 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def test_what_is_said_of_odd_files(visit: Visit, gray: Image.Image) -> None:
    small = gray.resize((96, 64))
    frames = [small, small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    bad = {
        "text.jpg": (b"Dear diary\n" * 9, "not a photo"),
        "empty.png": (b"", "empty"),
        "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
        "huge.png": (huge_png(), "megapixels"),
    }
    good = {
        "print.jpg": (saved(small.convert("CMYK"), "JPEG"), ""),
        "moving.gif": (saved(small, "GIF", save_all=True, append_images=frames[1:]), "first frame"),
    }
    visit.open()  # without the photos of before
    visit.drop(*((name, data) for name, (data, _) in (bad | good).items()))
    for name in good:
        visit.done(name)
    for name, (_, words) in bad.items():
        problem = visit.find("#strip li[data-state=problem]").filter(has_text=name)
        assert words in problem.inner_text(), name
    for name, (_, words) in good.items():
        visit.find("#strip li").filter(has_text=name).locator("button").click()
        visit.done(name)
        assert words in visit.find("#notes").inner_text()
        assert visit.shown().shape == (64, 96, 3)


def test_an_example_is_colored_and_its_author_named(visit: Visit, report: Report) -> None:
    visit.open()
    visit.tab.screenshot(path=report.picture("page", "examples"), full_page=True)
    visit.find("#examples button").filter(has_text="castle").click()
    visit.done(PHOTO.name)
    assert spread(visit.shown()) > 5
    notes = visit.find("#notes").inner_text()
    assert "Malene Thyssen" in notes and "CC-BY-SA-4.0" in notes


def test_without_examples_their_row_is_hidden(visit: Visit) -> None:
    visit.open()
    row = visit.find("#examples")
    assert row.is_visible()
    visit.tab.evaluate("async () => (await import('./taking.js')).showExamples([])")
    assert row.is_hidden()


def test_says_what_it_is(visit: Visit) -> None:
    footer = visit.find("footer").inner_text()
    assert "does not leave this device" in footer and "guesses" in footer
    assert "WASM" in footer or "WebGPU" in footer
    visit.button("About").click()
    about = visit.find("#about").inner_text()
    assert "Evidence" in about and "say that its colors are guesses" in about
    visit.button("Close").click()


def test_nothing_goes_to_another_host(visit: Visit) -> None:
    ours = (visit.url, f"blob:{visit.url}", "data:")
    assert len(visit.asked) > 10
    assert [address for address in visit.asked if not address.startswith(ours)] == []


def test_without_a_connection(visit: Visit, host: PageServer, gray: Image.Image) -> None:
    visit.until(lambda: "Works offline" in visit.find("footer").inner_text(), "all to be kept")
    host.stop()
    visit.tab.context.set_offline(True)
    visit.tab.reload()
    visit.find("#backend:not(:empty)").wait_for()
    assert "You are offline" in visit.find("footer").inner_text()
    visit.drop(("castle.png", saved(gray, "PNG")))
    visit.done("castle.png")
    assert spread(visit.shown()) > 5


class _Plain(SimpleHTTPRequestHandler):
    """A static host, which sends none of the headers that allow threads."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere(folder: Path, chromium: Any) -> Iterator[Visit]:
    """The page in a subfolder of a static host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Plain, directory=folder.parent))
    Thread(target=server.serve_forever, daemon=True).start()
    context = chromium.new_context(viewport=SIZE)
    yield Visit(context.new_page(), f"http://127.0.0.1:{server.server_port}/{folder.name}/")
    context.close()
    server.shutdown()
    server.server_close()


def test_a_static_host_and_a_second_try(
    elsewhere: Visit, folder: Path, gray: Image.Image, report: Report
) -> None:
    visit = elsewhere
    aside = (folder / "model.onnx").rename(folder / "aside.onnx")
    visit.tab.goto(visit.url)
    visit.button("Try again").wait_for()
    assert "model.onnx could not be fetched" in visit.find("#loading").inner_text()
    visit.drop(("castle.jpg", saved(gray, "JPEG")))
    visit.tab.screenshot(path=report.picture("page", "not-loaded"))
    assert "waiting" in visit.find("#strip").inner_text()
    aside.rename(folder / "model.onnx")
    visit.button("Try again").click()
    visit.done("castle.jpg")
    assert spread(visit.shown()) > 5 and visit.find("#loading").is_hidden()
    assert visit.tab.evaluate("() => crossOriginIsolated")  # by its service worker
    assert "Works offline" in visit.find("footer").inner_text()
