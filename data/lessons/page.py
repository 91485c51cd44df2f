"""Draw page.webp, the browser page as lesson 10 shows it where nothing runs.

    python data/lessons/page.py

It needs Chromium, Playwright and onnxruntime-web (``make page`` fetches it), and takes two minutes.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from colorlab import page
from colorlab.sources import bundled_photos

TARGET = Path(__file__).parent / "page.webp"
HEIGHT = 640  # of the picture, in pixels
GAP = 24


def shot(browser: Browser, url: str, photo: Path, phone: bool) -> Image.Image:
    """The page with a photo in color; on a phone also with the colors that it offers."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 844}
    context = browser.new_context(
        viewport=size,
        color_scheme="dark" if phone else "light",
        has_touch=phone,
        is_mobile=phone,
    )
    tab = context.new_page()
    tab.goto(url)
    tab.locator("#backend:not(:empty)").wait_for()
    tab.set_input_files("#choose", [photo])
    tab.locator("[data-state=done]").wait_for()
    if phone:
        box = tab.locator("#board").bounding_box()
        tab.locator("#board").click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.4})
        tab.locator(".swatch").first.wait_for()
    tab.wait_for_timeout(1500)  # until the divider stands still
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    context.close()
    return picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT))


def main() -> None:
    """Draw both screenshots side by side."""
    (photo,) = (path for path in bundled_photos("test") if path.stem.startswith("egeskov"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        gray = Path(folder, "castle.jpg")
        Image.open(photo).convert("L").save(gray, quality=95)
        server = page.serve(page.build(Path(folder, "page")))
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium)
        shots = [shot(browser, server.url, gray, phone) for phone in (False, True)]
        browser.close()
        server.stop()
    width = sum(one.width for one in shots) + GAP
    both = Image.new("RGB", (width, HEIGHT), "white")
    both.paste(shots[0], (0, 0))
    both.paste(shots[1], (shots[0].width + GAP, 0))
    both.save(TARGET, quality=80)
    print(f"{TARGET.name}: {both.width} x {both.height}, {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
