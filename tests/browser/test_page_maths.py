"""The page's JavaScript against the library, on made arrays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from browser.arrays import ARRAYS, got, rgba, sent
from colorlab import color, hints, palette
from colorlab import page as colorlab_page
from colorlab.colorize import _at_full_size, guided_coefficients, network_size
from colorlab.hints import Hint
from colorlab.page.serving import PageServer
from colorlab.photos.layers import Layers
from colorlab.photos.xmp import MADE, marked


@pytest.fixture(scope="module")
def call(chromium: Any) -> Iterator[Callable[..., Any]]:
    """call(body, given): the body of a JavaScript function, with the modules of the page and a
    Color as ``color``."""
    sources = colorlab_page.HERE
    numbers = colorlab_page.numbers()
    with PageServer(sources) as server:
        tab = chromium.new_page()
        tab.goto(server.url + "errors.js")
        tab.evaluate(ARRAYS)
        names = ["color", "resize", "guided", "paint", "hints", "palette", "mark", "kinds"]
        names.append("network")
        tab.evaluate(
            """async ([names, numbers]) => {
                window.modules = {}
                for (const name of names) Object.assign(modules, await import(`/${name}.js`))
                window.numbers = numbers
                window.color = new modules.Color(numbers.color)
            }""",
            [names, numbers],
        )

        def run(body: str, given: Any = None) -> Any:
            return tab.evaluate(f"async (given) => {{ {body} }}", given)

        yield run
        tab.close()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise of several scales, uint8 (H, W, 3)."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 7, 3), np.uint8)).resize((width, height))
    fine = random.integers(-60, 61, (height, width, 3))
    return np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "to"),
    [
        ((40, 60), (64, 96)),
        ((64, 96), (64, 96)),
        ((97, 131), (64, 96)),
        ((200, 301), (32, 64)),
        ((1000, 701), (96, 64)),
        ((1003, 1499), (64, 96)),
        ((33, 2000), (32, 384)),
        ((2000, 33), (384, 32)),
        ((730, 256), (384, 128)),  # columns first
        ((640, 256), (384, 128)),
        ((641, 256), (384, 128)),
        ((1999, 700), (384, 128)),
        ((301, 40), (320, 32)),
        ((5, 7), (32, 32)),
        ((1, 1), (32, 32)),
    ],
)
def test_pixels_are_reduced_as_pillow_reduces_them(call, size, to) -> None:
    photo = noise(*size)
    said = call(
        "return text(modules.resize(array(given.pixels), ...given.sides))",
        {"pixels": sent(rgba(photo)), "sides": [size[1], size[0], to[1], to[0]]},
    )
    wanted = Image.fromarray(photo).resize(to[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0)
    assert np.array_equal(got(said, np.uint8).reshape(*to, 3), np.asarray(wanted))


def test_photos_of_any_size_are_reduced_as_pillow_reduces_them(call) -> None:
    random = np.random.default_rng(7)
    for height, width in random.integers(1, 900, (40, 2)).tolist():
        photo, to = noise(height, width), network_size(height, width, 64, 32)
        said = call(
            "return text(modules.resize(array(given.pixels), ...given.sides))",
            {"pixels": sent(rgba(photo)), "sides": [width, height, *to[::-1]]},
        )
        bicubic = Image.Resampling.BICUBIC
        wanted = np.asarray(Image.fromarray(photo).resize(to[::-1], bicubic, reducing_gap=3.0))
        assert np.array_equal(got(said, np.uint8).reshape(*to, 3), wanted), (height, width)


def test_the_network_gets_the_librarys_size(call) -> None:
    random = np.random.default_rng(1)
    sizes = random.integers(1, 6000, (300, 2)).tolist()
    sizes += [[80, 80], [112, 80], [3000, 4000], [1, 9000], [9000, 1], [288, 256], [32, 48]]
    said = call(
        "return given.sizes.map(([h, w]) => modules.networkSize(h, w, given.size, given.stride))",
        {"sizes": sizes, "size": 160, "stride": 32},
    )
    assert [tuple(size) for size in said] == [network_size(h, w, 160, 32) for h, w in sizes]


def test_lab_of_eight_bit_colors(call) -> None:
    random = np.random.default_rng(2)
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, -1)
    colors = np.concatenate([grays, random.integers(0, 256, (3000, 3), np.uint8)])
    said = call("return given.map((rgb) => color.lab(...rgb))", colors.tolist())
    ours = color.rgb_to_lab(torch.from_numpy(colors.T[:, None].copy()))[:, 0].T.numpy()
    assert np.abs(np.array(said) - ours).max() < 2e-4
    assert np.abs(np.array(said) - rgb2lab(colors)).max() < 0.02  # which has another white


def test_every_level_comes_back_from_its_light(call) -> None:
    """Linear light just beside the border of two levels is rounded to the right one of them."""
    levels = np.arange(255)
    half = color._decode(torch.from_numpy((levels + 0.5) / 255)).numpy()
    said = call("return given.map((x) => color.level(x))", [*(half - 1e-9), *(half + 1e-9)])
    assert said == [*levels, *(levels + 1)]
    assert call("return [-3, 0, 1, 7].map((x) => color.level(x))") == [0, 0, 255, 255]


def test_colors_outside_the_gamut_lose_chroma_as_in_the_library(call) -> None:
    random = np.random.default_rng(3)
    lab = np.stack([random.uniform(0, 100, 4000), *random.uniform(-120, 120, (2, 4000))], -1)
    said = np.array(call("return given.map((lab) => color.rgb(...lab))", lab.tolist()))
    fitted = color.lab_to_rgb(color.fit_gamut(torch.from_numpy(lab.T[:, None])))
    wanted = (fitted * 255).round()[:, 0].T.numpy()
    inside = color.in_gamut(torch.from_numpy(lab.T[:, None]))
    assert 0.05 < inside.float().mean() < 0.5
    assert np.array_equal(said, wanted)


def test_the_guided_filters_lines(call) -> None:
    random = np.random.default_rng(4)
    lightness = random.uniform(-1, 1, (1, 1, 24, 33)).astype(np.float32)
    ab = random.uniform(-0.5, 0.5, (1, 2, 24, 33)).astype(np.float32)
    said = call(
        """return text(modules.guidedCoefficients(
            array(given.lightness), array(given.ab), 24, 33, numbers.guided))""",
        {"lightness": sent(lightness), "ab": sent(ab)},
    )
    lines = got(said, np.float32).reshape(24, 33, 4)
    slope, offset = guided_coefficients(torch.from_numpy(lightness), torch.from_numpy(ab))
    wanted = torch.cat([slope, offset], 1)[0].movedim(0, -1).numpy()
    assert np.abs(lines - wanted).max() < 2e-5


@pytest.mark.parametrize("saturation", [0, 1, 2.5])
def test_color_at_full_size(call, saturation) -> None:
    random = np.random.default_rng(5)
    photo = noise(300, 211)
    lightness = random.uniform(-1, 1, (1, 1, 32, 24)).astype(np.float32)
    ab = random.uniform(-0.5, 0.5, (1, 2, 32, 24)).astype(np.float32)
    said = call(
        """const [height, width] = [32, 24]
        const [lightness, ab] = [array(given.lightness), array(given.ab)]
        const data = modules.guidedCoefficients(lightness, ab, height, width, numbers.guided)
        const lines = { data, height, width }
        const pixels = array(given.pixels)
        return text(modules.paint(color, pixels, 211, 300, lines, given.saturation))""",
        {"lightness": sent(lightness), "ab": sent(ab), "pixels": sent(rgba(photo))}
        | {"saturation": saturation},
    )
    painted = got(said, np.uint8).reshape(300, 211, 4)
    layers = Layers(Image.fromarray(photo), None)
    tensors = torch.from_numpy(lightness), torch.from_numpy(ab)
    wanted = _at_full_size(layers, *tensors, saturation, depth=8)
    difference = np.abs(painted[..., :3].astype(int) - wanted)
    assert difference.max() <= 1 and difference.mean() < 0.001
    assert (painted[..., 3] == 255).all()


def test_alpha_goes_along(call) -> None:
    pixels = rgba(noise(9, 11))
    pixels[..., 3] = np.arange(99).reshape(9, 11)
    said = call("return text(modules.paint(color, array(given), 11, 9, null, 0))", sent(pixels))
    painted = got(said, np.uint8).reshape(9, 11, 4)
    assert np.array_equal(painted[..., 3], pixels[..., 3])
    gray = color.lightness_to_gray(
        color.normalize_lab(color.rgb_to_lab(torch.from_numpy(pixels[..., :3]).movedim(-1, 0)))[0]
    )
    levels = (gray[0] * 255).round().numpy()
    assert np.abs(painted[..., 0] - levels).max() <= 1
    assert np.ptp(painted[..., :3].astype(int), axis=-1).max() <= 1


def test_hints_are_laid_as_in_the_library(call) -> None:
    given = [Hint(0, 0, (200, 30, 30)), Hint(99, 49, (0, 128, 0)), Hint(40, 20, (10, 20, 250))]
    given += [Hint(41, 21, (250, 250, 0))]  # over the one before
    said = call(
        "return text(modules.lay(color, given, [50, 100], [32, 64]))",
        [{"x": x, "y": y, "color": list(rgb)} for x, y, rgb in given],
    )
    laid = hints.lay(given, (50, 100), (32, 64))[0].numpy()
    assert laid[2].sum() == 20
    assert np.abs(got(said, np.float32).reshape(3, 32, 64) - laid).max() < 2e-6


@pytest.mark.parametrize("spread", [0.5, 3, 12])
def test_the_likeliest_colors(call, spread) -> None:
    random = np.random.default_rng(6)
    for lightness in (5.0, 50.0, 93.0):
        logits = (random.normal(size=palette.COUNT) * spread).astype(np.float32)
        said = call(
            "return modules.topColors(color, numbers.palette, given[0], given[1], 5)",
            [logits.tolist(), lightness],
        )
        wanted = palette.top_colors(torch.from_numpy(logits), lightness, 5)
        assert [tuple(one["color"]) for one in said] == [one.color for one in wanted]
        shares = [one["share"] for one in said], [one.share for one in wanted]
        assert np.allclose(*shares, atol=1e-5)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_mark_is_the_librarys(call, kind) -> None:
    stream = BytesIO()
    Image.fromarray(noise(8, 8)).save(stream, kind)
    file = np.frombuffer(stream.getvalue(), np.uint8)
    said = call(
        """const parts = modules.marked(new Uint8Array(array(given).buffer), numbers.mark)
        return text(new Uint8Array(await new Blob(parts).arrayBuffer()))""",
        sent(file),
    )
    image = Image.open(BytesIO(got(said, np.uint8).tobytes()))
    image.verify()  # checksums too
    xmp = image.info["xmp"]
    assert xmp == marked(b"") and MADE.encode() in xmp
    image = Image.open(BytesIO(got(said, np.uint8).tobytes()))
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(stream)))


def test_a_backend_that_computes_other_colors_is_told_apart(call) -> None:
    trial = {"every": 3, "ab": [0.1, -0.2, 0.3], "tolerance": 0.02}
    good = [0.1, 9, 9, -0.21, 9, 9, 0.285]
    said = call(
        "return given[1].map((ab) => modules.agrees(ab, given[0]))",
        [trial, [good, [*good[:6], 0.35], good[:6], [*good[:3], float("nan"), *good[4:]]]],
    )
    assert said == [True, False, False, False]


def test_no_number_of_the_library_is_lost_on_its_way() -> None:
    """JSON keeps each of them to the last bit."""
    told = colorlab_page.numbers()
    assert json.loads(json.dumps(told)) == json.loads(json.dumps(told, allow_nan=False))
    assert told["color"]["WHITE"] == color.WHITE and len(told["palette"]["bins"]) == palette.COUNT
