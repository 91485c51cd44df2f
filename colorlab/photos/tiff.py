"""TIFF, where scans lie: read by its tags, since Pillow's mode alone tells too little of them.

Pillow reads 1 and 8 bits with the samples of a pixel together. The rest goes through tifffile: 2 to
16 bits, either byte order, white or black as zero, planes together or apart. Its extra package
imagecodecs knows more compressions; a picture that needs it is refused by its kind.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from colorlab.photos.errors import PhotoError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, GRAY, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6  # TIFF 6.0, section 8
_OTHER_COLORS = {
    4: "a mask",
    8: "Lab",
    9: "Lab",
    10: "Lab",
    32803: "a camera's raw picture",
    32844: "LogLuv",
    32845: "LogLuv",
    34892: "a camera's raw picture",
}
_NUMBERS = {
    2: "signed numbers",
    3: "floating-point numbers",
    5: "complex numbers",
    6: "complex numbers",
}
# Compressions that take no further package: none, Deflate, PackBits; and of odd depths.
_WITHOUT_CODECS, _BY_HAND = {1, 8, 32773, 32946}, {1, 8, 32946}
_UNSAVED = "Save it as an 8-bit or 16-bit RGB picture."


@dataclass(frozen=True)
class Layout:
    """How the first picture of a TIFF lies in it; size: (width, height) as stored."""

    size: tuple[int, int]
    bits: int
    samples: int
    apart: bool
    colors: int
    extra: int | None
    compression: int
    orientation: int
    profile: bytes | None

    @property
    def channels(self) -> int:
        """Samples that are colors."""
        return {RGB: 3, YCBCR: 3, CMYK: 4}.get(self.colors, 1)

    @property
    def is_plain(self) -> bool:
        """Whether Pillow reads it rightly."""
        if self.samples == 1:
            return self.bits in (1, 2, 4, 8)
        more = self.samples > self.channels
        named = self.extra == 2 or (self.extra in (0, 1) and self.colors == RGB)
        return self.bits == 8 and not self.apart and (named or not more)


def layout(file: BinaryIO) -> Layout:
    """The layout, from the tags; no pixel is read.

    Raises:
        PhotoError: what is not read here, by its kind.
        DecompressionBombError: as Pillow raises it.
        Exception: nearly anything, for tags that are damaged.
    """
    tags = read_tags(file)

    def all_of(tag: int, default: int = 0) -> tuple[int, ...]:
        found = tags.get(tag, default)
        return tuple(map(int, found)) if isinstance(found, tuple) else (int(found),)

    size = all_of(256)[0], all_of(257)[0]
    _check_size(size)
    bits, colors = all_of(258, 1), all_of(262)[0]
    _check_kind(bits, all_of(339, 1), colors)
    profile = tags.get(34675)
    known = Layout(
        size=size,
        bits=bits[0],
        samples=all_of(277, 1)[0],
        apart=all_of(284, 1)[0] == 2,
        colors=colors,
        extra=all_of(338)[0] if 338 in tags else None,
        compression=all_of(259, 1)[0],
        orientation=all_of(274, 1)[0],
        profile=profile if isinstance(profile, bytes) else None,
    )
    samples = known.samples
    if not 0 < known.channels <= samples <= 16:
        raise PhotoError(f"it has {samples} samples a pixel, too few or too many. {_UNSAVED}")
    if known.colors in (PALETTE, YCBCR) and not known.is_plain:
        raise PhotoError(
            f"its pixels are {'a palette' if colors == PALETTE else 'YCbCr'} of {bits[0]} bits, or "
            f"with planes apart, which is not read here. {_UNSAVED}"
        )
    return known


def read_tags(file: BinaryIO) -> ImageFileDirectory_v2:
    """The tags of the first picture.

    Raises:
        PhotoError: a kind of BigTIFF that is not read here.
    """
    file.seek(0)
    head = file.read(8)
    if head.startswith(b"MM\0+"):
        raise PhotoError(f"it is a BigTIFF in big-endian order, which is not read here. {_UNSAVED}")
    if head.startswith(b"II+"):
        head += file.read(8)
    tags = ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _check_size(size: tuple[int, int]) -> None:
    pixels, most = size[0] * size[1], Image.MAX_IMAGE_PIXELS
    if min(size) < 1:
        raise ValueError(f"a picture of {size[0]} x {size[1]} pixels")
    if most is not None and pixels > 2 * most:
        raise Image.DecompressionBombError(f"{pixels} pixels, and {2 * most} are the limit")


def _check_kind(bits: tuple[int, ...], formats: tuple[int, ...], colors: int) -> None:
    if len(set(bits)) != 1:
        raise PhotoError(f"its channels have different depths, {bits} bits. {_UNSAVED}")
    if bits[0] > 16 or set(formats) - {1, 4}:
        numbers = _NUMBERS.get(formats[0], "whole numbers")
        raise PhotoError(
            f"its pixels are {bits[0]}-bit {numbers}, for which no standard says what is white. "
            f"{_UNSAVED}"
        )
    if colors in _OTHER_COLORS or colors not in range(7):
        what = _OTHER_COLORS.get(colors, f"of a kind that is unknown here ({colors})")
        raise PhotoError(f"its pixels are {what}, which is not read here. {_UNSAVED}")


def read(file: BinaryIO, known: Layout) -> np.ndarray | None:
    """The samples of what is not plain, (H, W, samples), as stored; None: Pillow has to read it.

    They are uint8 or uint16 with white at its end, not turned, and alpha as it is.

    Raises:
        PhotoError: a package is missing.
        Exception: nearly anything, for damage.
    """
    import tifffile

    if not _can(known):
        if known.bits in (8, 16) and known.colors != WHITE_IS_ZERO and known.extra != 1:
            return None
        raise PhotoError(
            f"it has {known.bits} bits a sample and is compressed (method {known.compression}), "
            "which takes one more package: pip install imagecodecs. Or save it without compression."
        )
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        _check_whole(file, page)
        by_hand = known.bits not in (8, 16) and not _has_codecs()
        values = _unpacked(file, page, known) if by_hand else page.asarray()
    width, height = known.size
    if known.apart and known.samples > 1:
        values = np.moveaxis(values.reshape(known.samples, height, width), 0, -1)
    values = values.reshape(height, width, known.samples)
    return _spread(values, known)


def _has_codecs() -> bool:
    return find_spec("imagecodecs") is not None


def _can(known: Layout) -> bool:
    """Whether tifffile, or ``_unpacked``, reads it with the packages that are there."""
    whole_bytes = known.bits in (8, 16)
    return _has_codecs() or known.compression in (_WITHOUT_CODECS if whole_bytes else _BY_HAND)


def _check_whole(file: BinaryIO, page: Any) -> None:
    """Raise where a strip lies beyond the file's end: tifffile would fill in zeros."""
    end = file.seek(0, 2)
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not places or any(count < 1 or start + count > end for start, count in places):
        raise ValueError("truncated: a strip lies beyond the end of the file")


def _unpacked(file: BinaryIO, page: Any, known: Layout) -> np.ndarray:
    """Samples of any number of bits, each row from a whole byte on (TIFF 6.0, page 20): what
    tifffile does with imagecodecs alone."""
    if page.is_tiled or page.predictor != 1:
        raise PhotoError(
            f"it has {known.bits} bits a sample in tiles or as differences, which takes one more "
            "package: pip install imagecodecs."
        )
    width, height = known.size
    planes = known.samples if known.apart else 1
    per_row = width * known.samples // planes
    row_bytes = (per_row * known.bits + 7) // 8
    weights = 1 << np.arange(known.bits, dtype=np.uint16)[::-1]
    out = np.empty((planes * height, per_row), np.uint16)
    top = 0
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(start)
        strip, most = file.read(count), (len(out) - top) * row_bytes
        if known.compression != 1:
            strip = zlib.decompressobj().decompress(strip, most)
        rows = min(len(strip), most) // row_bytes
        data = np.frombuffer(strip, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
        bits = np.unpackbits(data, axis=1)[:, : per_row * known.bits]
        out[top : top + rows] = bits.reshape(rows, per_row, known.bits) @ weights
        top += rows
    if top < len(out):
        raise ValueError("truncated: rows are missing")
    return out


def _spread(values: np.ndarray, known: Layout) -> np.ndarray:
    """Any depth -> uint8, or uint16 where 255 is no multiple; white becomes the highest value."""
    most = 2**known.bits - 1
    if 255 % most == 0:
        values = (values.astype(np.uint16) * (255 // most)).astype(np.uint8)
    elif most < 65535:
        values = ((values.astype(np.uint32) * 65535 + most // 2) // most).astype(np.uint16)
    else:
        values = values.astype(np.uint16)
    if known.colors == WHITE_IS_ZERO:
        values[..., 0] = np.iinfo(values.dtype).max - values[..., 0]
    return values
