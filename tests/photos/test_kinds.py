"""Every kind of photo file: mode x depth x profile x orientation x container, against the numbers
that were written into it and the formulas of the profiles. None may be read wrongly: each comes
right, or is refused by its kind. `pytest -s` shows the counts."""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import made_files as made
import numpy as np
import pytest
import tifffile
from made import UPRIGHT
from PIL import Image

from colorlab.photos.files import PhotoError, open_photo, photo_size

HEIGHT, WIDTH = 17, 26


class Case(NamedTuple):
    """expected: 0..255 (H, W, 3), upright; None: a kind that has to be refused."""

    name: str
    content: bytes
    expected: np.ndarray | None
    tolerance: float = 1.0
    may_refuse: bool = False


def scene(channels: int = 3) -> np.ndarray:
    """Numbers 0..1 (HEIGHT, WIDTH, channels), no two rows, columns or channels alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / [[[HEIGHT - 1]], [[WIDTH - 1]]]
    planes = [x * 0.8 + y * 0.2, 0.1 + 0.5 * y + 0.3 * x * x, 0.9 - 0.6 * x + 0.1 * y, y]
    return np.stack(planes[:channels], -1)


def stored(values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers of so many bits, and what they mean, 0..1."""
    most = 2**bits - 1
    numbers = np.rint(values * most).astype(np.int64)
    return numbers, numbers / most


def encoded(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def decoded(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


DOT = np.linspace(0, 1, 33) ** 1.7 * 0.8 + np.linspace(0, 1, 33) * 0.2  # as measured tables look
TONES: dict[str, tuple[bytes, Callable[[np.ndarray], np.ndarray]]] = {
    "linear": (made.curve(1.0), lambda v: v),
    "1.8": (made.curve(1.8), lambda v: v ** (round(1.8 * 256) / 256)),
    "dots": (made.curve(points=DOT), lambda v: np.interp(v, np.linspace(0, 1, 33), DOT)),
    "srgb": (made.curve(), decoded),
}
SPACES = {"srgb": made.SRGB, "p3": made.P3, "adobe": made.ADOBE}


def shown(values: np.ndarray, tone: str | None, space: str = "srgb") -> np.ndarray:
    """0..1 (H, W, 1 or 3) of a curve and primaries -> 0..255 (H, W, 3) in sRGB."""
    if tone is not None:
        linear = TONES[tone][1](values)
        if space != "srgb" and linear.shape[2] == 3:
            linear = linear @ (np.linalg.inv(np.array(made.SRGB).T) @ np.array(SPACES[space]).T).T
        values = encoded(linear)
    return 255 * np.broadcast_to(values, (*values.shape[:2], 3))


def over_white(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return colors * alpha + 255 * (1 - alpha)


def icc(gray: bool, tone: str | None, space: str = "srgb") -> bytes | None:
    if tone is None:
        return None
    return made.profile("GRAY" if gray else "RGB", TONES[tone][0], SPACES[space], b"sRGB, it says")


# --- the kinds ------------------------------------------------------------------------------------


def gray_tiffs() -> Iterator[Case]:
    for bits, black, order, deflated, turn, tone in itertools.product(
        range(1, 17), (1, 0), "<>", (False, True), (1, 6), (None, "linear", "dots")
    ):
        numbers, values = stored(scene(1), bits)
        content = made.tiff(
            numbers, bits, black, order=order, deflated=deflated, orientation=turn,
            icc=icc(True, tone),
        )  # fmt: skip
        expected = UPRIGHT[turn](shown(values if black else 1 - values, tone))
        name = f"tiff gray {bits} bits {black=} {order} {deflated=} {turn=} {tone}"
        yield Case(name, content, expected)


def color_tiffs() -> Iterator[Case]:
    spaces = ((None, "srgb"), ("srgb", "p3"), ("1.8", "adobe"))
    for bits, order, apart, deflated, turn, (tone, space) in itertools.product(
        (2, 4, 8, 10, 12, 14, 16), "<>", (False, True), (False, True), (1, 3, 5, 8), spaces
    ):
        numbers, values = stored(scene(), bits)
        content = made.tiff(
            numbers, bits, 2, order=order, apart=apart, deflated=deflated, orientation=turn,
            icc=icc(False, tone, space),
        )  # fmt: skip
        name = f"tiff rgb {bits} bits {order} {apart=} {deflated=} {turn=} {tone} {space}"
        expected = UPRIGHT[turn](shown(values, tone, space))
        yield Case(name, content, expected, 1.5)


def tiffs_with_more() -> Iterator[Case]:
    """A further channel; CMYK; what has no standard range."""
    for bits, channels, extra, apart, order in itertools.product(
        (8, 16), (1, 3), (None, 0, 1, 2), (False, True), "<>"
    ):
        numbers, values = stored(scene(4)[..., [*range(channels), 3]], bits)
        colors, alpha = values[..., :-1], values[..., -1:]
        if extra == 1:  # multiplied: no color above its alpha
            numbers = np.minimum(numbers, numbers[..., -1:])
            colors = np.minimum(colors, alpha) / np.maximum(alpha, 1e-9)
        expected = shown(colors, None)
        expected = over_white(expected, alpha) if extra in (1, 2) else expected
        content = made.tiff(
            numbers, bits, 1 if channels == 1 else 2, order=order, apart=apart, extra=extra
        )
        name = f"tiff {channels}+1 channels {bits} bits {extra=} {apart=} {order}"
        yield Case(name, content, expected, 2.0, may_refuse=True)
    for bits, order, apart in itertools.product((8, 16), "<>", (False, True)):
        numbers, values = stored(scene(4), bits)
        content = made.tiff(numbers, bits, 5, order=order, apart=apart)
        expected = 255 * (1 - values[..., :3]) * (1 - values[..., 3:])
        yield Case(f"tiff cmyk {bits} {order} {apart=}", content, expected, 2.0)
    for bits, kind in ((8, 2), (16, 2), (16, 3)):
        content = made.tiff(stored(scene(1), bits)[0], bits, 1, kind=kind)
        yield Case(f"tiff numbers of kind {kind}, {bits} bits", content, None)
    for kind in (np.float32, np.float64, np.int32, np.uint32):
        yield Case(f"tiff {kind}", of_tifffile(scene(1)[..., 0].astype(kind)), None)
    for colors in (8, 9, 32803, 34892):
        content = made.tiff(stored(scene(), 8)[0], 8, colors)
        yield Case(f"tiff photometric {colors}", content, None)


def of_tifffile(values: np.ndarray, **how) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **how)
    return stream.getvalue()


def tiffs_of_tifffile() -> Iterator[Case]:
    """Tiles, 64-bit offsets, predictors."""
    for bits, channels, big, tile, method, order in itertools.product(
        (8, 16), (1, 3, 4), (False, True), (None, (16, 16)), (None, "zlib"), "<>"
    ):
        numbers, values = stored(scene(channels), bits)
        numbers = numbers.astype(np.uint8 if bits == 8 else np.uint16)
        numbers = numbers[..., 0] if channels == 1 else numbers
        kind = "minisblack" if channels == 1 else "rgb"
        how = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        content = of_tifffile(
            numbers, photometric=kind, bigtiff=big, tile=tile, compression=method,
            predictor=method is not None and None, byteorder=order, **how,
        )  # fmt: skip
        expected = shown(values[..., :3], None)
        if channels == 4:
            expected = over_white(expected, values[..., 3:])
        name = f"tifffile {bits} bits {channels} channels {big=} {tile} {method} {order}"
        yield Case(name, content, expected, 1.5, may_refuse=big and order == ">")


def of_pillow(image: Image.Image, kind: str, **how) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def picture(mode: str) -> tuple[Image.Image, np.ndarray]:
    """A picture of the scene, and what it shows, 0..255 (H, W, 3), by plain formulas."""
    if mode == "I;16":
        numbers, values = stored(scene(1), 16)
        return Image.fromarray(numbers[..., 0].astype(np.uint16)), shown(values, None)
    if mode == "P":
        image = Image.fromarray(stored(scene(1), 8)[0][..., 0].astype(np.uint8), "P")
        entries = stored(np.stack([np.linspace(0, 1, 256) ** g for g in (0.5, 1, 2)], -1), 8)[0]
        image.putpalette(entries.astype(np.uint8).tobytes())
        return image, entries[np.asarray(image)].astype(float)
    channels = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    numbers, values = stored(scene(4)[..., [0, 3]] if mode == "LA" else scene(channels), 8)
    if mode == "1":
        bits = numbers[..., 0] > 127
        return Image.fromarray(bits), shown(bits[..., None].astype(float), None)
    if mode == "CMYK":
        shows = 255 * (1 - values[..., :3]) * (1 - values[..., 3:])
    elif mode in ("LA", "RGBA"):
        shows = over_white(shown(values[..., :-1], None), values[..., -1:])
    else:
        shows = shown(values, None)
    numbers = numbers.astype(np.uint8)
    return Image.fromarray(numbers[..., 0] if channels == 1 else numbers, mode), shows


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def of_pillow_in_every_container() -> Iterator[Case]:
    tiff_methods = ("raw", "tiff_lzw", "tiff_deflate", "packbits")
    for mode, method, turn in itertools.product(
        ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"), tiff_methods, UPRIGHT
    ):
        image, shows = picture(mode)
        content = of_pillow(image, "TIFF", compression=method, exif=turned(turn))
        yield Case(f"pillow tiff {mode} {method} {turn=}", content, UPRIGHT[turn](shows), 1.5)
    for method in ("group3", "group4"):
        image, shows = picture("1")
        yield Case(f"pillow tiff {method}", of_pillow(image, "TIFF", compression=method), shows)
    for mode in ("L", "RGB"):
        image, shows = picture(mode)
        content = of_pillow(image, "TIFF", compression="jpeg", quality=100)
        yield Case(f"pillow tiff jpeg {mode}", content, shows, 6)
    kinds = {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "WEBP": ("L", "RGB", "RGBA"),
        "JPEG": ("L", "RGB", "CMYK"),
    }
    for kind, turn in itertools.product(kinds, UPRIGHT):
        for mode in kinds[kind]:
            image, shows = picture(mode)
            how = {
                "WEBP": {"lossless": True, "exact": True},
                "JPEG": {"quality": 100, "subsampling": 0},
            }
            content = of_pillow(image, kind, exif=turned(turn), **how.get(kind, {}))
            tolerance = 6 if kind == "JPEG" else 1.0
            yield Case(f"pillow {kind} {mode} {turn=}", content, UPRIGHT[turn](shows), tolerance)
    for kind, mode in (("BMP", "1"), ("BMP", "L"), ("BMP", "P"), ("BMP", "RGB"), ("GIF", "P")):
        image, shows = picture(mode)
        yield Case(f"pillow {kind} {mode}", of_pillow(image, kind), shows)


def profiles_in_every_container() -> Iterator[Case]:
    for (mode, tone, space), kind, turn in itertools.product(
        (
            ("L", "linear", "srgb"),
            ("L", "1.8", "srgb"),
            ("L", "dots", "srgb"),
            ("L", "srgb", "srgb"),
            ("LA", "1.8", "srgb"),
            ("RGB", "linear", "srgb"),
            ("RGB", "srgb", "p3"),
            ("RGB", "1.8", "adobe"),
            ("RGBA", "srgb", "p3"),
            ("P", "srgb", "p3"),
            ("P", "linear", "srgb"),
        ),
        ("PNG", "TIFF", "WEBP", "JPEG"),
        (1, 6),
    ):
        if (kind, mode) in (("WEBP", "LA"), ("WEBP", "P"), ("WEBP", "L")):
            continue
        if kind == "JPEG" and mode not in ("L", "RGB"):
            continue
        image, shows = picture(mode)
        values = np.asarray(image.convert("RGBA")).astype(float) / 255
        gray = mode in ("L", "LA")
        colors = values[..., :1] if gray else values[..., :3]
        expected = over_white(shown(colors, tone, space), values[..., 3:])
        how = {
            "WEBP": {"lossless": True, "exact": True},
            "JPEG": {"quality": 100, "subsampling": 0},
        }
        content = of_pillow(
            image, kind, exif=turned(turn), icc_profile=icc(gray, tone, space), **how.get(kind, {})
        )
        tolerance = 16 if kind == "JPEG" else 2.0  # a level of JPEG's is 13 of a linear curve
        yield Case(
            f"{kind} {mode} {tone} {space} {turn=}", content, UPRIGHT[turn](expected), tolerance
        )


D65 = (0.3127, 0.3290)
SRGB_XY = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_XY = (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
SRGB_CHUNK = made.chunk(b"sRGB", b"\0")
# Chunks -> the tone and space that hold: the first of cICP, iCCP, sRGB, gAMA with cHRM.
SAID: dict[str, tuple[bytes, str | None, str]] = {
    "gama 1": (made.gama(1.0), "linear", "srgb"),
    "gama 0.45455": (made.gama(0.45455), None, "srgb"),
    "gama 0.45455 with sRGB's primaries": (made.gama(0.45455) + made.chrm(*SRGB_XY), None, "srgb"),
    "gama 1, P3": (made.gama(1.0) + made.chrm(*P3_XY), "linear", "p3"),
    "gama 0.45455, P3": (made.gama(0.45455) + made.chrm(*P3_XY), "srgb", "p3"),
    "primaries alone": (made.chrm(*P3_XY), None, "srgb"),
    "sRGB over gama": (SRGB_CHUNK + made.gama(1.0), None, "srgb"),
    "cICP over sRGB": (made.chunk(b"cICP", bytes([12, 13, 0, 1])) + SRGB_CHUNK, "srgb", "p3"),
    "cICP linear": (made.chunk(b"cICP", bytes([1, 8, 0, 1])), "linear", "srgb"),
    "gama 0": (made.gama(0.0), None, "srgb"),
    "nonsense primaries": (made.gama(0.45455) + made.chrm(*[0.0] * 8), None, "srgb"),
}


def pngs() -> Iterator[Case]:
    shapes = {0: (1, 2, 4, 8, 16), 2: (8, 16), 4: (8, 16), 6: (8, 16)}
    for color, (said, (chunks, tone, space)) in itertools.product(shapes, SAID.items()):
        for bits in shapes[color]:
            yield png_case(color, bits, f"{said}", chunks, tone, space)
    for color, tone, bits in itertools.product(shapes, ("linear", "1.8", "srgb"), (8, 16)):
        space = "p3" if color in (2, 6) else "srgb"
        chunks = made.iccp(icc(color in (0, 4), tone, space)) + made.gama(0.3)
        yield png_case(color, bits, f"iccp {tone} over gama", chunks, tone, space)
    for turn, place in itertools.product(UPRIGHT, ("before", "after")):
        for color, bits in ((0, 16), (2, 8), (6, 16)):
            yield png_case(color, bits, f"{turn=} {place}", turn=turn, place=place)
    for bits in (1, 2, 4, 8, 16):
        numbers, values = stored(scene(1), bits)
        clear = int(numbers[3, 5, 0])
        content = made.png(numbers, bits, 0, made.chunk(b"tRNS", clear.to_bytes(2, "big")))
        expected = np.where(numbers == clear, 255, shown(values, None))
        yield Case(f"png gray {bits} bits, one value unseen", content, expected)
    for bits in (8, 16):
        numbers, values = stored(scene(), bits)
        clear = b"".join(int(n).to_bytes(2, "big") for n in numbers[3, 5])
        expected = shown(values, None).copy()
        expected[(numbers == numbers[3, 5]).all(-1)] = 255
        yield Case(
            f"png rgb {bits} bits, one color unseen",
            made.png(numbers, bits, 2, made.chunk(b"tRNS", clear)),
            expected,
        )


def png_case(
    color, bits, said, chunks=b"", tone=None, space="srgb", turn=1, place="before"
) -> Case:
    picked = {0: [0], 2: [0, 1, 2], 4: [0, 3], 6: [0, 1, 2, 3]}[color]
    numbers, values = stored(scene(4)[..., picked], bits)
    colors = values[..., :-1] if color in (4, 6) else values
    expected = shown(colors, tone, space if color in (2, 6) else "srgb")
    if color in (4, 6):
        expected = over_white(expected, values[..., -1:])
    exif = made.chunk(b"eXIf", made.exif(turn)) if turn > 1 else b""
    before, after = (chunks + exif, b"") if place == "before" else (chunks, exif)
    content = made.png(numbers, bits, color, before, after)
    return Case(f"png color {color} {bits} bits {said}", content, UPRIGHT[turn](expected), 1.5)


# --- the judgement --------------------------------------------------------------------------------


def judged(case: Case, folder) -> str:
    """right, refused, or what is wrong."""
    path = folder / "photo"
    path.write_bytes(case.content)
    try:
        found = open_photo(path)
    except PhotoError as error:
        told = str(error).removeprefix(f"{path}: ")
        if any(word in told for word in ("damaged", "corrupt", "cut off", "truncated")):
            return f"called damaged: {told}"
        return "refused" if case.expected is None or case.may_refuse else f"refused: {told}"
    if case.expected is None:
        return "read, and no standard says how"
    if found.size != case.expected.shape[1::-1]:
        return f"{found.size} for {case.expected.shape[1::-1]}"
    if photo_size(path) != found.size:
        return f"its size alone is {photo_size(path)} for {found.size}"
    off = np.abs(np.asarray(found) - case.expected).max()
    return "right" if off <= case.tolerance + 0.01 else f"off by {off:.1f}"


GROUPS = (
    gray_tiffs,
    color_tiffs,
    tiffs_with_more,
    tiffs_of_tifffile,
    of_pillow_in_every_container,
    profiles_in_every_container,
    pngs,
)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_every_kind_comes_right_or_is_refused_by_its_kind(tmp_path, group) -> None:
    counts, wrong = Counter(), []
    for case in group():
        found = judged(case, tmp_path)
        kind = found if found in ("right", "refused") else "wrong"
        counts[kind] += 1
        if kind == "wrong":
            wrong.append(f"{case.name}: {found}")
    print(f"\n{group.__name__}: {sum(counts.values())} tried, {dict(counts)}")
    assert wrong == [], "\n".join(wrong)
    assert counts["right"] > 2 * counts["refused"] or group is tiffs_with_more
