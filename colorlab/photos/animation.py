"""Animated pictures, GIF, WebP and PNG: a frame in memory at a time, on the way in and out.

Pillow reads them, and writes each frame as a picture of its own. Pillow's own writers of
animations keep all frames in memory, so the parts of those pictures are put together here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageChops, ImageStat

from colorlab.photos.carried import Carried
from colorlab.photos.errors import PhotoError
from colorlab.photos.files import opened
from colorlab.photos.writing import encode
from colorlab.photos.xmp import marked

ANIMATED = frozenset({".gif", ".webp", ".png"})
_FORMATS = ("GIF", "WEBP", "PNG")
_LONGEST = 65_535


@dataclass(frozen=True)
class Animation:
    """An animated picture that is being read.

    Attributes:
        count: how many frames.
        plays: how often it is shown; 0 is for ever.
        frames: each frame with its duration in milliseconds, in order; can be read once.
    """

    count: int
    plays: int
    frames: Iterator[tuple[Image.Image, float]]


def is_animation(path: Path) -> bool:
    """Whether the file is a GIF, WebP or PNG of several frames.

    Raises:
        PhotoError: it is no photo.
    """
    with opened(path) as file:
        if file.read(4) not in (b"GIF8", b"RIFF", b"\x89PNG"):
            return False
        file.seek(0)
        with Image.open(file, formats=_FORMATS) as image:
            return _count(image) > 1


@contextmanager
def open_animation(path: Path) -> Iterator[Animation]:
    """Read an animated picture; a frame is decoded when it is asked for.

    Raises:
        PhotoError: it can't be read; of a frame, its number is named.
    """
    with opened(path) as file:
        image = Image.open(file, formats=_FORMATS)
        count, plays = _count(image), _plays(image)
    # Opened again: what the block raises is no fault of the file.
    with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
        yield Animation(count, plays, _frames(image, path, count))


def _count(image: Image.Image) -> int:
    """Frames of the animation, of which a PNG's picture for old readers is none."""
    return getattr(image, "n_frames", 1) - bool(image.info.get("default_image"))


def _plays(image: Image.Image) -> int:
    loop = image.info.get("loop")
    if image.format != "GIF":
        return int(loop or 0)
    # Netscape's extension counts the times that it is shown again; without one, it is shown once.
    return 1 if loop is None else loop + 1 if loop else 0


def _frames(image: Image.Image, path: Path, count: int) -> Iterator[tuple[Image.Image, float]]:
    first = bool(image.info.get("default_image"))
    for number in range(count):
        try:
            image.seek(first + number)
            image.load()
            frame, duration = image.copy(), image.info.get("duration", 0)
            frame.info = {k: v for k, v in image.info.items() if k in _COLORS}
        except MemoryError:
            raise
        except Exception as error:  # decoders raise nearly anything on broken bytes
            raise PhotoError(
                f"{path}: frame {number + 1} of {count} can't be read ({error}). Fetch the file "
                f"again, or save its whole frames as a folder and use --clip"
            ) from error
        yield frame, float(duration or 0)


_COLORS = ("transparency", "icc_profile", "gamma", "chromaticity", "srgb", "exif")


# --- writing --------------------------------------------------------------------------------------


def write_animation(
    file: BinaryIO,
    frames: Iterable[tuple[Image.Image, float]],
    suffix: str,
    *,
    plays: int = 0,
    what: Carried | None = None,
    mark: bool = False,
) -> list[str]:
    """Write an animation into a file that can be written and sought.

    Args:
        file: empty.
        frames: at least one, all of one size, mode RGB or RGBA, each with its duration in
            milliseconds.
        suffix: .gif, .webp or .png.
        plays: how often it is shown; 0 is for ever.
        what, mark: as in ``colorlab.photos.writing.encode``.

    Returns:
        What of ``what`` is lost, in words.

    Raises:
        PhotoError: the format can't hold so many rows or columns.
    """
    write = {".gif": _write_gif, ".webp": _write_webp, ".png": _write_png}[suffix]
    return write(file, iter(frames), plays, what, mark)


def _encoded(
    picture: Image.Image, suffix: str, what: Carried | None = None, mark: bool = False
) -> tuple[bytes, list[str]]:
    try:
        encoded, lost = encode(picture, suffix, what, mark)
    except ValueError as error:
        raise PhotoError(f"its frames can't be written as {suffix}: {error}") from error
    return bytes(encoded), lost


def _write_png(
    file: BinaryIO,
    frames: Iterator[tuple[Image.Image, float]],
    plays: int,
    what: Carried | None,
    mark: bool,
) -> list[str]:
    """PNG, third edition, section 11.3.6: chunks acTL, and fcTL and fdAT for each frame."""
    lost: list[str] = []
    count = number = place = 0

    def put(kind: bytes, data: bytes) -> None:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        file.write(len(data).to_bytes(4, "big") + kind + data + check)

    for picture, duration in frames:
        first, content = not count, {"what": what, "mark": mark} if not count else {}
        # One kind of pixel for all frames: a later one may be the first with transparency.
        encoded, words = _encoded(picture.convert("RGBA"), ".png", **content)
        chunks = _png_chunks(encoded)
        if first:
            lost = words
            file.write(b"\x89PNG\r\n\x1a\n")
            put(*next(chunks))
            place = file.tell()
            put(b"acTL", bytes(8))
        pixels = b""
        for kind, data in chunks:
            if kind == b"IDAT":
                pixels += data
            elif first and kind != b"IEND":
                put(kind, data)
        unit, delay = (1000, round(duration)) if duration <= _LONGEST else (1, duration // 1000)
        sides = b"".join(side.to_bytes(4, "big") for side in (*picture.size, 0, 0))
        times = min(int(delay), _LONGEST).to_bytes(2, "big") + unit.to_bytes(2, "big")
        put(b"fcTL", number.to_bytes(4, "big") + sides + times + b"\0\0")
        put(b"IDAT", pixels) if first else put(b"fdAT", (number + 1).to_bytes(4, "big") + pixels)
        count, number = count + 1, number + (1 if first else 2)
    put(b"IEND", b"")
    file.seek(place)
    put(b"acTL", count.to_bytes(4, "big") + plays.to_bytes(4, "big"))
    return lost


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length


def _write_webp(
    file: BinaryIO,
    frames: Iterator[tuple[Image.Image, float]],
    plays: int,
    what: Carried | None,
    mark: bool,
) -> list[str]:
    """The container's specification (RFC 9649, section 2.7): chunks ANIM, and ANMF for each
    frame; what tells of the photo comes last."""
    lost: list[str] = []
    telling: list[tuple[bytes, bytes]] = []
    flags, sides = 0x02, b""  # of VP8X: an animation

    def put(kind: bytes, data: bytes) -> None:
        file.write(_riff(kind, data))

    for picture, duration in frames:
        first = not sides
        bare = Carried(lossless=what is not None and what.lossless)
        encoded, words = _encoded(picture, ".webp", *((what, mark) if first else (bare, False)))
        chunks = list(_webp_chunks(encoded))
        if first:
            lost = words
            sides = b"".join((side - 1).to_bytes(3, "little") for side in picture.size)
            file.write(b"RIFF\0\0\0\0WEBP")
            put(b"VP8X", bytes(4) + sides)
            for kind, data in chunks:
                if kind == b"ICCP":
                    put(kind, data)
            put(b"ANIM", bytes(4) + min(plays, _LONGEST).to_bytes(2, "little"))
            telling = [chunk for chunk in chunks if chunk[0] in (b"EXIF", b"XMP ")]
            flags |= sum(_FLAGS[kind] for kind in {kind for kind, _ in chunks} & _FLAGS.keys())
        flags |= 0x10 * (picture.mode == "RGBA")
        pixels = b"".join(_riff(*chunk) for chunk in chunks if chunk[0] in _PIXELS)
        delay = min(round(duration), 0xFFFFFF).to_bytes(3, "little")
        put(b"ANMF", bytes(6) + sides + delay + b"\x02" + pixels)  # 2: replace, don't blend
    for chunk in telling:
        put(*chunk)
    length = file.tell() - 8
    file.seek(4)
    file.write(length.to_bytes(4, "little"))
    file.seek(20)
    file.write(bytes([flags]))
    return lost


_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")


def _riff(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def _webp_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place < len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        yield content[place : place + 4], content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _write_gif(
    file: BinaryIO,
    frames: Iterator[tuple[Image.Image, float]],
    plays: int,
    what: Carried | None,
    mark: bool,
) -> list[str]:
    """GIF89a, with the extensions of Netscape (loop) and Adobe (XMP specification, part 3)."""
    what = what or Carried()
    begun, few = False, _FewColors()
    for picture, duration in frames:
        if not begun:
            sides = b"".join(_of_gif(side) for side in picture.size)
            file.write(b"GIF89a" + sides + b"\x70\0\0")
            if plays != 1:
                again = min(max(plays - 1, 0), _LONGEST).to_bytes(2, "little")
                file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + again + b"\0")
            if xmp := marked(what.xmp) if mark else what.xmp:
                # Its bytes stand bare; whoever skips it by blocks ends in this ramp.
                ramp = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
                file.write(b"\x21\xff\x0bXMP DataXMP" + xmp + ramp)
            begun = True
        indices, colors = few.of(picture)
        hundredths = min(round(duration / 10), _LONGEST).to_bytes(2, "little")
        # 9: the next frame finds an empty canvas, so that nothing shines through its holes; and
        # the last color is none. Both in all frames, as any may be the first with a hole.
        file.write(b"\x21\xf9\x04\x09" + hundredths + bytes([_HOLE, 0]))
        file.write(b"\x2c\0\0\0\0" + sides + b"\x87" + colors + _lzw(indices))
    file.write(b"\x3b")
    held = {"EXIF": what.exif, "IPTC": what.iptc, "texts": what.texts, "comment": what.comment}
    lost = [f"its {name} is broken" for name in what.broken]
    return lost + [f"GIF holds no {name}" for name, value in held.items() if value]


def _of_gif(side: int) -> bytes:
    if side > _LONGEST:
        raise PhotoError(f"a GIF has at most {_LONGEST} rows and columns, not {side}")
    return side.to_bytes(2, "little")


_HOLE = 255  # the index that is transparent


class _FewColors:
    """The 255 colors of a GIF's frames: one palette for a scene, and no dithering.

    Both new colors and dithering in each frame would make still areas flicker. A palette is kept
    until it fits a frame badly.
    """

    def __init__(self) -> None:
        self.palette: Image.Image | None = None
        self.error = 0.0  # of the frame that the palette was made for, mean of 0..255

    def of(self, picture: Image.Image) -> tuple[Image.Image, bytes]:
        """Indices, and the colors that they stand for."""
        rgb = picture.convert("RGB")
        few, error = self._with(self.palette, rgb)
        if few is None or error > 1.5 * self.error + 0.5:
            self.palette = rgb.quantize(_HOLE, Image.Quantize.MEDIANCUT)
            few, self.error = self._with(self.palette, rgb)
        colors = bytes(few.getpalette("RGB")).ljust(768, b"\0")[:768]
        if picture.mode == "RGBA":
            few.paste(_HOLE, mask=picture.getchannel("A").point(lambda alpha: 255 * (alpha < 128)))
        return few, colors

    @staticmethod
    def _with(palette: Image.Image | None, rgb: Image.Image) -> tuple[Image.Image | None, float]:
        if palette is None:
            return None, 0.0
        few = rgb.quantize(palette=palette, dither=Image.Dither.NONE)
        apart = ImageChops.difference(few.convert("RGB"), rgb)
        return few, sum(ImageStat.Stat(apart).mean) / 3


def _lzw(indices: Image.Image) -> bytes:
    """The pixels as Pillow compresses them, cut out of a file with one frame."""
    stream = BytesIO()
    image = Image.frombytes("P", indices.size, indices.tobytes())
    image.putpalette(bytes(range(256)) * 3)
    image.save(stream, "GIF", optimize=False, interlace=False)
    content = stream.getvalue()
    start = content.index(b"\x2c\0\0\0\0", 13 + 768) + 10
    return content[start:-1]
