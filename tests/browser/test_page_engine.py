"""The page's engine in Chromium, whole pictures, against the library."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from browser.arrays import ARRAYS, got
from browser.server import ROOT
from colorlab.colorize import Colorizer
from colorlab.hints import Hint
from colorlab.photos.xmp import MADE

PHOTOS = ROOT / "data/photos"
SOME = (
    "val/alpaca.jpg",
    "val/cabrillo.jpg",
    "val/cuttingtool.jpg",
    "test/america.jpg",
)
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(chromium: Any, site: str) -> Iterator[Run]:
    """run(body, given): the body of a JavaScript function with ``engine``, ``Engine`` and more."""
    tab = chromium.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(site + "settings.json")
    tab.evaluate(ARRAYS)
    tab.evaluate(
        """async () => {
            Object.assign(window, await import("/engine.js"))
            window.seen = []
            window.engine = await Engine.open((progress) => seen.push(progress))
            window.blobOf = (text) => new Blob([bytesOf(text)])
            window.bytes = async (blob) => text(new Uint8Array(await blob.arrayBuffer()))
            window.failure = async (promise) => {
                try { await promise } catch (error) { return [error.name, error.message] }
            }
            window.pixels = async (picture) => {
                const canvas = new OffscreenCanvas(picture.width, picture.height)
                canvas.getContext("2d").drawImage(picture, 0, 0)
                return bytes(await canvas.convertToBlob({ type: "image/png" }))
            }
        }"""
    )

    def call(body: str, given: Any = None) -> Any:
        return tab.evaluate(f"async (given) => {{ {body} }}", given)

    yield call
    assert {url for url in asked if not url.startswith((site, "blob:" + site))} == set()
    tab.close()


def file_of(source: Path | Image.Image, kind: str = "PNG", **how: Any) -> str:
    """Base64 of a file."""
    if isinstance(source, Path):
        return base64.b64encode(source.read_bytes()).decode()
    stream = BytesIO()
    source.save(stream, kind, **how)
    return base64.b64encode(stream.getvalue()).decode()


def picture(said: str) -> Image.Image:
    return Image.open(BytesIO(got(said, np.uint8).tobytes()))


def color(run: Run, file: str, **how: Any) -> np.ndarray:
    """(H, W, 3 or 4) as the page shows it."""
    said = run(
        """const { id, alpha } = await engine.read(blobOf(given.file))
        const { picture } = await engine.color(id, given.how)
        await engine.close(id)
        return [await pixels(picture), alpha]""",
        {"file": file, "how": how},
    )
    return np.asarray(picture(said[0]).convert("RGBA" if said[1] else "RGB")).astype(int)


def difference(one: np.ndarray, other: Image.Image) -> np.ndarray:
    assert one.shape == np.asarray(other).shape
    return np.abs(one - np.asarray(other).astype(int))


@pytest.mark.parametrize("name", SOME)
def test_a_photo_gets_the_librarys_colors(run: Run, starter: Colorizer, name: str) -> None:
    photo = Image.open(PHOTOS / name).convert("RGB")
    wrong = difference(color(run, file_of(photo)), starter.colorize(photo))
    print(f"{name}: mean {wrong.mean():.4f}, largest {wrong.max()}")
    assert wrong.mean() <= 0.25 and wrong.max() <= 12
    assert difference(np.asarray(photo).astype(int), starter.colorize(photo)).mean() > 3


def test_hints_temperature_and_saturation(run: Run, starter: Colorizer) -> None:
    photo = Image.open(PHOTOS / SOME[0]).convert("RGB")
    plain = starter.colorize(photo)
    ways: list[dict[str, Any]] = [
        {"hints": [Hint(60, 100, (200, 40, 40)), Hint(300, 200, (30, 60, 200))]},
        {"temperature": 0.0},
        {"temperature": 1.0},
        {"saturation": 1.7},
    ]
    for how in ways:
        given = dict(how)
        if "hints" in how:
            given["hints"] = [{"x": x, "y": y, "color": list(c)} for x, y, c in how["hints"]]
        wanted = starter.colorize(photo, **how)
        wrong = difference(color(run, file_of(photo), **given), wanted)
        print(f"{list(how)}: mean {wrong.mean():.4f}, largest {wrong.max()}")
        assert wrong.mean() <= 1, how
        assert difference(np.asarray(plain).astype(int), wanted).mean() > 2 * wrong.mean()


def test_suggestions(run: Run, starter: Colorizer) -> None:
    photo = Image.open(PHOTOS / SOME[0]).convert("RGB")
    hint = Hint(60, 100, (200, 40, 40))
    said = run(
        """const { id } = await engine.read(blobOf(given))
        const hints = [{ x: 60, y: 100, color: [200, 40, 40] }]
        return [await engine.suggest(id, 300, 200), await engine.suggest(id, 300, 200, hints)]""",
        file_of(photo),
    )
    for ours, hints in zip(said, ([], [hint]), strict=True):
        wanted = starter.suggest(photo, 300, 200, 5, hints=hints)
        assert len(ours) == len(wanted) > 1
        for one, other in zip(ours, wanted, strict=True):
            assert np.abs(np.subtract(one["color"], other.color)).max() <= 3
            assert one["share"] == pytest.approx(other.share, abs=0.02)


def test_the_photo_before_is_its_lightness(run: Run, starter: Colorizer) -> None:
    photo = Image.open(PHOTOS / SOME[3]).convert("RGB")
    said = run(
        """const { id } = await engine.read(blobOf(given))
        return pixels(await engine.gray(id))""",
        file_of(photo),
    )
    gray = np.asarray(picture(said).convert("RGB")).astype(int)
    assert difference(gray, starter.colorize(photo, saturation=0)).max() <= 1


def test_saturation_alone_does_not_run_the_network(run: Run) -> None:
    first, second, third = run(
        """const { id } = await engine.read(blobOf(given))
        const hints = [{ x: 3, y: 3, color: [200, 0, 0] }]
        const all = []
        for (const how of [{}, { saturation: 2 }, { saturation: 2, hints }])
            all.push((await engine.color(id, how)).ms.network)
        return all""",
        file_of(PHOTOS / SOME[0]),
    )
    assert second < first / 10 and second < third / 10


def test_the_file_has_the_mark_and_the_pixels(run: Run) -> None:
    jpeg, png, shown = run(
        """const { id } = await engine.read(blobOf(given))
        const { picture } = await engine.color(id)
        const files = [await engine.encode(id, "image/jpeg"), await engine.encode(id, "image/png")]
        return [await bytes(files[0]), await bytes(files[1]), await pixels(picture)]""",
        file_of(PHOTOS / SOME[0]),
    )
    jpeg, png, shown = map(picture, (jpeg, png, shown))
    assert (jpeg.format, png.format) == ("JPEG", "PNG")
    assert MADE.encode() in jpeg.info["xmp"] and MADE.encode() in png.info["xmp"]
    assert np.array_equal(np.asarray(png.convert("RGB")), np.asarray(shown.convert("RGB")))
    assert difference(np.asarray(jpeg).astype(int), png.convert("RGB")).mean() < 2


def test_a_photo_that_lies_on_its_side_is_set_upright(run: Run, starter: Colorizer) -> None:
    photo = Image.open(PHOTOS / SOME[0]).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = file_of(photo, exif=exif.tobytes())
    upright = photo.transpose(Image.Transpose.ROTATE_270)
    assert difference(color(run, lying), starter.colorize(upright)).mean() <= 1


def test_transparency_is_kept_and_no_jpeg_is_made_of_it(run: Run, starter: Colorizer) -> None:
    photo = Image.open(PHOTOS / SOME[0]).convert("RGBA")
    photo.putalpha(
        Image.linear_gradient("L").point(lambda x: 0 if x < 9 else 255).resize(photo.size)
    )
    pixels = color(run, file_of(photo))
    assert np.array_equal(pixels[..., 3], np.asarray(photo)[..., 3])
    opaque = pixels[..., 3] == 255
    wanted = np.asarray(starter.colorize(photo)).astype(int)
    assert np.abs(pixels - wanted)[opaque].mean() <= 3  # the network sees black where it is clear
    name, message = run(
        """const { id } = await engine.read(blobOf(given))
        await engine.color(id)
        return failure(engine.encode(id, "image/jpeg"))""",
        file_of(photo),
    )
    assert name == "PhotoError" and "PNG" in message


def test_a_newer_coloring_takes_the_place_of_one_that_waits(run: Run) -> None:
    outcomes, other = run(
        """const [one, two] = [await engine.read(blobOf(given)), await engine.read(blobOf(given))]
        const colored = [1, 2, 3, 4].map((saturation) => engine.color(one.id, { saturation }))
        const besides = engine.color(two.id)
        const said = await Promise.allSettled(colored)
        return [said.map((one) => one.reason?.name ?? "done"), (await besides).picture.width]""",
        file_of(PHOTOS / SOME[0]),
    )
    assert outcomes == ["done", "Superseded", "Superseded", "done"] and other == 455


def test_a_closed_photo_is_gone(run: Run) -> None:
    said = run(
        """const { id } = await engine.read(blobOf(given))
        await engine.close(id)
        return failure(engine.color(id))""",
        file_of(PHOTOS / SOME[0]),
    )
    assert said[0] == "Error" and "is open" in said[1]


def test_the_bytes_that_are_fetched_are_counted(run: Run) -> None:
    seen, backend, settings = run("return [seen, engine.backend, engine.settings]")
    loaded = [one["loaded"] for one in seen]
    assert loaded == sorted(loaded) and seen[-1]["loaded"] == seen[-1]["total"]
    wanted = settings["model"]["bytes"] + settings["runtime"]["wasm"]["bytes"]
    assert backend.startswith("WASM, ") and seen[-1]["total"] == wanted


@pytest.mark.parametrize(
    ("answer", "words"),
    [({"status": 404}, "status 404"), ({"body": b"short"}, "another length"), (None, "connection")],
)
def test_a_model_that_can_not_be_had_is_told(chromium: Any, site: str, answer, words: str) -> None:
    with chromium.new_context() as context:

        def instead(route: Any) -> None:
            route.fulfill(**answer) if answer else route.abort()

        context.route("**/model.onnx", instead)
        tab = context.new_page()
        tab.goto(site + "settings.json")
        said = tab.evaluate(
            """async () => {
                const { Engine } = await import("/engine.js")
                try { await Engine.open() } catch (error) { return error.message }
            }"""
        )
    assert said.startswith("model.onnx ") and words in said


def test_where_webgpu_fails_wasm_takes_its_place(chromium: Any, site: str) -> None:
    """The worker is told of an adapter that is not there."""
    adapter = "{ gpu: { value: { requestAdapter: async () => ({ info: {} }) } } }"
    with chromium.new_context() as context:

        def instead(route: Any) -> None:
            body = route.fetch().text() + f"\nObject.defineProperties(navigator, {adapter})\n"
            route.fulfill(response=route.fetch(), body=body)

        context.route("**/worker.js", instead)
        tab = context.new_page()
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        tab.goto(site + "settings.json")
        backend = tab.evaluate(
            "async () => (await (await import('/engine.js')).Engine.open()).backend"
        )
    assert backend.startswith("WASM, ")
    assert any("webgpu" in url for url in asked)


def test_the_trial_is_what_the_model_predicts(run: Run) -> None:
    """As WASM runs it, which the pictures above have shown to agree with the library."""
    said = run(
        """const { Network, agrees } = await import("/network.js")
        const { settings } = engine
        const network = await Network.open(settings, () => {})
        const { height, width, period } = settings.trial
        const n = height * width
        const lightness = Float32Array.from({ length: n }, (_, i) => Math.sin(i / period))
        const { ab } = await network.run(lightness, new Float32Array(3 * n), null, height, width)
        const far = Float32Array.from(ab, (value) => value + 0.03)
        return [agrees(ab, { ...settings.trial, tolerance: 0.005 }), agrees(far, settings.trial)]"""
    )
    assert said == [True, False]


def frames(kind: str) -> str:
    some = [Image.new("RGB", (9, 7), (i * 90, 0, 0)) for i in range(3)]
    return file_of(some[0], kind, save_all=True, append_images=some[1:])


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def damaged() -> str:
    content = bytearray((PHOTOS / SOME[0]).read_bytes())
    return text(bytes(content[:40]))


def large() -> str:
    """A PNG that says that it has 40,000 × 40,000 pixels, and has none."""
    head = b"\0\0\x9c\x40\0\0\x9c\x40\x08\2\0\0\0"
    stream = BytesIO()
    stream.write(b"\x89PNG\r\n\x1a\n")
    PngImagePlugin.putchunk(stream, b"IHDR", head)
    return text(stream.getvalue())


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (text(b""), "empty"),
        (text(b"just some words"), "not a photo"),
        (text(b"  <!DOCTYPE html><p>"), "web page"),
        (text(b"\0\0\0\x18ftypheic\0\0\0\0"), "HEIC"),
        (text(b"\0\0\0\x18ftypavif\0\0\0\0"), "AVIF"),
        (text(b"\0\0\0\x18ftypisom\0\0\0\0"), "video"),
        (text(b"II*\0" + bytes(40)), "TIFF"),
        (text(b"\x89PNG\r\n\x1a\n"), "damaged"),
        (damaged(), "damaged"),
        (text(b"GIF89a"), "damaged"),
        (text(base64.b64decode(file_of(Image.new("RGB", (9, 7))))[:-30]), "damaged"),
        (large(), "1600 megapixels.*64 at most.*colorlab colorize"),
    ],
)
def test_what_is_no_photo_is_refused_in_plain_words(run: Run, file: str, words: str) -> None:
    name, message = run("return failure(engine.read(blobOf(given)))", file)
    assert name == "PhotoError"
    with pytest.raises(ValueError, match=words):
        raise ValueError(message)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (frames("GIF"), ["animation"]),
        (frames("WEBP"), ["animation"]),
        (frames("PNG"), ["animation"]),
        (file_of(Image.new("I;16", (9, 7), 4000)), ["16 bits"]),
        (text((PHOTOS / SOME[0]).read_bytes()[:-2]), ["end of the file"]),
        (text((PHOTOS / SOME[0]).read_bytes()[:-9000]), ["end of the file"]),
        (file_of(Image.new("P", (9, 7))), []),
        (file_of(Image.new("1", (9, 7)), "BMP"), []),
        (file_of(PHOTOS / SOME[0]), []),
    ],
)
def test_what_is_odd_is_noted(run: Run, file: str, words: list[str]) -> None:
    notes = run("return (await engine.read(blobOf(given))).notes", file)
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))
