"""Chromium with the page's modules, for what is compared with the library; and made weights."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import guard

from colorlab import page as colorlab_page
from colorlab.colorize import Colorizer
from colorlab.page.serving import PageServer
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.unet import UNet

# So that arrays go to the page and come back as they are.
ARRAYS = """() => {
    window.bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
    window.array = ({ kind, data }) => new globalThis[kind](bytesOf(data).buffer)
    window.text = (array) => {
        const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
        let said = ""
        for (let i = 0; i < bytes.length; i += 32768)
            said += String.fromCharCode(...bytes.subarray(i, i + 32768))
        return btoa(said)
    }
}"""
KINDS = {"uint8": "Uint8ClampedArray", "float32": "Float32Array", "float64": "Float64Array"}


def sent(array: np.ndarray) -> dict[str, str]:
    """For the page's ``array``."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"kind": KINDS[str(array.dtype)], "data": data}


def got(text: str, kind: type) -> np.ndarray:
    """From the page's ``text``."""
    return np.frombuffer(base64.b64decode(text), kind)


def rgba(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W, 4), opaque."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    guard.require(guard.missing(), guard.on_ci())
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=guard.chromium())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def made() -> Colorizer:
    """A generator that was never trained: its colors are of no matter here."""
    torch.manual_seed(0)
    recipe = Recipe(
        name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
    )
    return Colorizer(UNet(levels=3, base=4), recipe, "cpu")


@pytest.fixture(scope="session")
def call(chromium: Any) -> Iterator[Callable[..., Any]]:
    """call(body, given): the body of a JavaScript function, with the modules of the page and a
    Color as ``color``."""
    sources = Path(colorlab_page.HERE)
    numbers = colorlab_page.numbers()
    with PageServer(sources) as server:
        tab = chromium.new_page()
        tab.goto(server.url + "errors.js")
        tab.evaluate(ARRAYS)
        names = ("color", "resize", "guided", "paint", "hints", "palette", "mark", "kinds")
        tab.evaluate(
            """async ([names, numbers]) => {
                window.modules = {}
                for (const name of names) Object.assign(modules, await import(`/${name}.js`))
                window.numbers = numbers
                window.color = new modules.Color(numbers.color)
            }""",
            [list(names), numbers],
        )

        def run(body: str, given: Any = None) -> Any:
            return tab.evaluate(f"async (given) => {{ {body} }}", given)

        yield run
        tab.close()
