"""What Pillow leaves out of a PNG: its depth, the cICP chunk, and an end that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from PIL import Image

MAGIC = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
_WITH_EXIF = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")


@dataclass(frozen=True)
class Facts:
    """What the heads of a PNG's chunks say.

    Attributes:
        depth: bits a sample.
        gray: no color and no palette.
        cicp: its four bytes.
        late_exif: what may say how the picture is turned stands behind the pixels.
    """

    depth: int
    gray: bool
    cicp: bytes | None
    late_exif: bool


def facts(file: BinaryIO) -> Facts:
    """The facts, from the heads of the chunks.

    Raises:
        ValueError: they are no PNG.
    """
    head = file.read(26)
    if len(head) < 26 or head[12:16] != b"IHDR":
        raise ValueError("a PNG without its head")
    cicp, late, pixels = None, False, False
    for kind, start, length in _chunks(file):
        pixels |= kind == b"IDAT"
        late |= pixels and kind in _WITH_EXIF
        if kind == b"cICP" and length == 4 and not pixels:
            file.seek(start)
            cicp = file.read(4)
    return Facts(head[24], head[25] in (0, 4), cicp, late)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    place = len(MAGIC)
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], place + 8, length
        place += length + 12


def whole(file: BinaryIO) -> tuple[BinaryIO, bool]:
    """The file, its checksums compared; and whether its end had to be added, which holds nothing.

    Raises what Pillow raises where a chunk is damaged.
    """
    try:
        _check_sums(file)
        return file, False
    except Exception:
        file.seek(0)
        content = file.read()
        for kept in range(len(END) - 1, -1, -1):
            if content.endswith(END[:kept]):
                mended = BytesIO(content + END[kept:])
                _check_sums(mended)
                return mended, True
        raise


def _check_sums(file: BinaryIO) -> None:
    """Raise where a chunk is damaged; Pillow decodes pixels without looking."""
    file.seek(0)
    with Image.open(file, formats=("PNG",)) as image:
        image.verify()
    file.seek(0)
