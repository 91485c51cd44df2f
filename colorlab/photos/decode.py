"""A photo file's bytes -> its pixels as stored, of eight bits or of sixteen."""

from __future__ import annotations

import sys
import warnings
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from colorlab.photos import png, tiff
from colorlab.photos.errors import PhotoError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
ORIENTATION = 0x0112
_XMP = ("xmp", "XML:com.adobe.xmp")
_END = b"\xff\xd9"  # how every JPEG ends (ITU-T T.81, B.1.1.3)


class Decoded(NamedTuple):
    """A file's pixels as they are stored.

    Attributes:
        colors: a picture of any 8-bit mode, or uint16 (H, W, 1 to 4), with alpha as the last of two
            or four.
        info: as Pillow has it.
        orientation: 1 to 8, not yet applied.
        filled: (width, height) in pixels that a reduced JPEG fills of its picture, else of the
            picture.
    """

    colors: Image.Image | np.ndarray
    info: dict[str, Any]
    orientation: int
    filled: tuple[float, float]


def decode(file: BinaryIO, name: str, short_side: int | None = None) -> Decoded:
    """What lies in the file.

    Args:
        name: for warnings.
        short_side: see ``colorlab.photos.files``.

    Raises:
        PhotoError: a kind that is not read.
        Exception: nearly anything, for bytes that are broken.
    """
    head = file.read(8)
    file.seek(0)
    if head.startswith(tiff.MAGIC):
        return _decode_tiff(file)
    if head == png.MAGIC:
        return _decode_png(file, name)
    with Image.open(file, formats=FORMATS) as image:
        reduced = None
        if short_side is not None:
            reduced = image.draft(None, (2 * short_side, 2 * short_side))
        try:
            image.load()
        except OSError:
            if image.format not in ("JPEG", "MPO"):
                raise
            return _decode_cut_jpeg(file, name, short_side)
        filled = image.size if reduced is None else reduced[1][2:]
        return Decoded(image, image.info, orientation(image), filled)


def stored_size(file: BinaryIO) -> tuple[tuple[int, int], int]:
    """What ``decode`` would find: (width, height) as stored, and the orientation.

    As a rule no pixel is decoded.
    """
    head = file.read(8)
    file.seek(0)
    if head.startswith(tiff.MAGIC):
        known = tiff.layout(file)
        return known.size, known.orientation
    late = head == png.MAGIC and png.facts(file).late_exif
    file.seek(0)
    with Image.open(file, formats=FORMATS) as image:
        size = image.size
        if late:
            image.load()
        return size, orientation(image)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 (upright) where there is none to be read.

    Pillow would take XMP's for it, which no browser does.
    """
    xmp = {key: image.info.pop(key) for key in _XMP if key in image.info}
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata raise nearly anything; the pixels may well be good
        return 1
    finally:
        image.info.update(xmp)


# --- kinds of files -------------------------------------------------------------------------------


def _decode_png(file: BinaryIO, name: str) -> Decoded:
    file, mended = png.whole(file)
    if mended:
        warnings.warn(f"{name}: its last bytes are missing, but no pixel is", stacklevel=4)
    facts = png.facts(file)
    image = _loaded(file, "PNG")
    info, colors = image.info, image
    clear = info.get("transparency")
    if facts.depth < 8 and facts.gray and isinstance(clear, int) and image.mode == "L":
        info["transparency"] = clear * 255 // (2**facts.depth - 1)  # Pillow widens the pixels alone
    if facts.cicp:
        info["cicp"] = facts.cicp
    if facts.depth == 16:
        colors = _deep(file, image, gray_alpha=facts.gray and image.mode == "RGBA")
    return Decoded(colors, info, orientation(image), image.size)


def _decode_tiff(file: BinaryIO) -> Decoded:
    known = tiff.layout(file)
    info: dict[str, Any] = {"icc_profile": known.profile} if known.profile else {}
    values = None if known.is_plain else tiff.read(file, known)
    if values is not None:
        return Decoded(_colors(values, known), info, known.orientation, known.size)
    try:
        image = _loaded(file, "TIFF")
    except Image.UnidentifiedImageError as error:
        raise PhotoError(
            f"it has {known.samples} samples of {known.bits} bits a pixel, in a kind of TIFF that "
            "is not read here. Save it as an 8-bit or 16-bit RGB picture."
        ) from error
    colors = image
    if known.bits == 16 and known.colors != tiff.CMYK:
        colors = _deep(file, image)
    image.info = info
    return Decoded(colors, info, 1, image.size)  # Pillow sets a TIFF upright by itself


def _loaded(file: BinaryIO, kind: str, other_half: bool = False) -> Image.Image:
    """The picture that Pillow reads. From a file, never by its name: Pillow would map a TIFF that
    lies on its side as if it stood."""
    file.seek(0)
    with Image.open(file, formats=(kind,)) as image:
        if kind == "TIFF":
            image.info.pop("xmp", None)  # its orientation is not looked at
        if other_half:
            image.tile = [_other_half(tile) for tile in image.tile]
        image.load()
        return image


def _deep(file: BinaryIO, image: Image.Image, gray_alpha: bool = False) -> np.ndarray:
    """A picture of sixteen bits a sample, uint16 (H, W, 1 to 4). Of color Pillow keeps the upper
    byte alone; told that the bytes come in the other order, it keeps the lower one."""
    upper = np.asarray(image)
    if image.mode.startswith("I"):
        return upper.astype(np.uint16)[..., None]
    lower = np.asarray(_loaded(file, image.format, other_half=True))
    if gray_alpha:
        return lower[..., 0::2].astype(np.uint16) * 256 + lower[..., 1::2]
    return upper.astype(np.uint16) * 256 + lower


def _other_half(tile: Any) -> Any:
    raw, *rest = (tile.args,) if isinstance(tile.args, str) else tile.args
    bands, _, order = raw.partition(";16")
    if bands == "LA":  # four bytes a pixel, as 8-bit RGBA has
        other = "RGBA"
    else:
        big = order == "B" or (order == "N" and sys.byteorder == "big")
        other = f"{bands};16{'L' if big else 'B'}"
    return tile._replace(args=(other, *rest) if rest else other)


def _colors(values: np.ndarray, known: tiff.Layout) -> Image.Image | np.ndarray:
    """Samples of a TIFF -> colors, and alpha where the tags call the next sample that."""
    channels = known.channels
    if known.extra in (1, 2) and known.samples > channels and known.colors != tiff.CMYK:
        most = np.iinfo(values.dtype).max
        if known.extra == 1:  # the colors were multiplied with it
            share = np.maximum(values[..., channels, None], 1) / most
            values[..., :channels] = np.minimum(np.rint(values[..., :channels] / share), most)
        channels += 1
    values = np.ascontiguousarray(values[..., :channels])
    if known.colors == tiff.CMYK:
        values = values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8)
        return Image.fromarray(values, "CMYK")
    if values.dtype == np.uint16:
        return values
    mode = ("L", "LA", "RGB", "RGBA")[channels - 1]
    return Image.fromarray(values[..., 0] if channels == 1 else values, mode)


def _decode_cut_jpeg(file: BinaryIO, name: str, short_side: int | None) -> Decoded:
    """A JPEG whose last bytes are missing, if no pixel is missing with them: then what is put in
    their place changes nothing.

    Raises OSError where pixels are missing.
    """
    file.seek(0)
    content = file.read().removesuffix(_END[:1])
    ones = content + b"\xff\0" * 64 + _END  # 0xFF 0x00 stands for eight ones
    whole, other = (decode(BytesIO(c), name, short_side) for c in (content + _END, ones))
    if np.array_equal(np.asarray(whole.colors), np.asarray(other.colors)):
        warnings.warn(f"{name}: its last bytes are missing, but no pixel is", stacklevel=4)
        return whole
    raise OSError("image file is truncated")
