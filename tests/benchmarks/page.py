"""The page in Chromium: time a photo, bytes fetched, and how far its colors are from the library's.

    python tests/benchmarks/page.py [--model MODEL.onnx] [--count 20] [--megapixels 12]

The bundled test photos go through the page's engine and through `Colorizer.colorize`, at their own
size. Then the first is enlarged to so many megapixels, and colored by the page alone. The times are
those of the engine: the network's pass with what surrounds it, and the painting at full size. The
first photo of all is not timed. Bytes are those of the files: a server may compress them.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the browser tests' own parts
from browser import guard

from colorlab import page
from colorlab.colorize import Colorizer
from colorlab.sources.bundled import bundled_photos

OPEN = "async () => void (window.engine = await (await import('/engine.js')).Engine.open())"
COLOR = """async (data) => {
    const blob = await (await fetch("data:;base64," + data)).blob()
    const began = performance.now()
    const { id } = await engine.read(blob)
    const read = performance.now() - began
    const { ms } = await engine.color(id)
    const file = await engine.encode(id, "image/png")
    await engine.close(id)
    const reader = new FileReader()
    const done = new Promise((resolve) => (reader.onload = resolve))
    reader.readAsDataURL(file)
    await done
    return [reader.result.split(",")[1], read, ms.network, ms.fullSize]
}"""


def color(tab: Page, photo: Image.Image, kind: str = "PNG") -> tuple[Image.Image, list[float]]:
    """The page's picture of a photo, and its milliseconds: reading, network, full size."""
    file = BytesIO()
    photo.save(file, kind)
    data, *ms = tab.evaluate(COLOR, base64.b64encode(file.getvalue()).decode())
    return Image.open(BytesIO(base64.b64decode(data))).convert("RGB"), ms


def told(times: list[list[float]]) -> str:
    read, network, full = (statistics.median(column) for column in zip(*times, strict=True))
    return f"{read:.0f} ms to read it, {network:.0f} for the network, {full:.0f} at full size"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="the starter as `colorlab export` wrote it (default: anew)")
    parser.add_argument("--count", type=int, default=20, help="photos (default: 20)")
    parser.add_argument("--megapixels", type=float, default=12, help="of the large photo")
    options = parser.parse_args(argv)
    colorizer = Colorizer.load(device="cpu")
    photos = [Image.open(path).convert("RGB") for path in bundled_photos("test")[: options.count]]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = page.build(Path(folder) / "page", colorizer, model=options.model)
        browser = playwright.chromium.launch(executable_path=guard.chromium())
        with page.serve(site) as server:
            tab = browser.new_page()
            tab.set_default_timeout(600_000)
            asked: set[str] = set()
            tab.on("response", lambda answer: asked.add(answer.url.partition("?")[0]))
            tab.goto(server.url)
            tab.locator("#backend:not(:empty)").wait_for()
            names = [url.removeprefix(server.url) for url in asked if url.startswith(server.url)]
            size = sum((site / (name or "index.html")).stat().st_size for name in names)
            print(f"{tab.locator('#backend').inner_text()} {size / 1e6:.1f} MB are fetched.")
            tab.goto(server.url + "settings.json")
            tab.evaluate(OPEN)
            color(tab, photos[0])
            times, wrong = [], []
            for photo in photos:
                picture, ms = color(tab, photo)
                ours = np.asarray(colorizer.colorize(photo)).astype(int)
                times.append(ms)
                wrong.append(abs(np.asarray(picture).astype(int) - ours))
            print(f"{len(photos)} photos of 256 px: {told(times)} (medians)")
            mean = statistics.mean(float(one.mean()) for one in wrong)
            largest = max(int(one.max()) for one in wrong)
            print(f"Difference from the library, of 255: mean {mean:.3f}, largest {largest}")
            scale = (options.megapixels * 1e6 / (photos[0].width * photos[0].height)) ** 0.5
            large = photos[0].resize([round(scale * side) for side in photos[0].size])
            shape = f"{large.width} x {large.height}"
            print(f"{shape}: {told([color(tab, large, 'JPEG')[1] for _ in range(3)])}")
        browser.close()


if __name__ == "__main__":
    main()
