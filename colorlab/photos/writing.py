"""A colored picture -> the bytes of a file, with what its photo carried.

Sixteen bits go into PNG and TIFF, which Pillow writes in gray alone: of a PNG the pixels are put
here and all else by Pillow, of a TIFF the tags by Pillow's writer of tags.
"""

from __future__ import annotations

import zlib
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo, putchunk
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from colorlab.photos.carried import Carried
from colorlab.photos.xmp import marked

NO_ALPHA = frozenset({".jpg", ".jpeg", ".bmp"})
DEEP = frozenset({".png", ".tif", ".tiff"})
_XMP = "XML:com.adobe.xmp"
_LONGEST = 65_500  # bytes of EXIF or XMP that a JPEG has room for in one segment


def encode(
    picture: Image.Image | np.ndarray,
    suffix: str,
    what: Carried | None = None,
    mark: bool = False,
) -> tuple[bytes | memoryview, list[str]]:
    """The file, and what of the photo it can't hold, in words.

    Args:
        picture: mode "RGB" or "RGBA"; or uint16 (H, W, 3 or 4), for the suffixes in ``DEEP``.
        suffix: .jpg, .jpeg, .png, .webp, .tif, .tiff or .bmp.
        what: what the photo carried, as it goes along; None: nothing, and no profile.
        mark: say in XMP that the colors are made.

    Raises:
        ValueError: the format can't hold so many rows or columns.
    """
    kind = Image.registered_extensions()[suffix]
    options: dict[str, Any] = {}
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0}
    if kind == "WEBP":
        exact = what is not None and what.lossless
        options = {"lossless": True, "exact": True} if exact else {"quality": 95}
    lost: list[str] = []
    if what is not None:
        more, lost = _metadata(what, kind, mark)
        options |= more
    stream = BytesIO()
    if isinstance(picture, np.ndarray):
        write = _write_deep_png if kind == "PNG" else _write_deep_tiff
        write(stream, picture, options)
    else:
        picture.save(stream, kind, **options)
    return stream.getbuffer(), lost


@cache
def srgb() -> bytes:
    """An sRGB profile, the same on every day: littleCMS puts the time of its making into it."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + bytes((7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)) + made[36:]


def _metadata(what: Carried, kind: str, mark: bool) -> tuple[dict[str, Any], list[str]]:
    """Options for Pillow's ``save``, and what is lost."""
    xmp = marked(what.xmp) if mark else what.xmp
    lost = [f"its {name} is broken" for name in what.broken]
    options: dict[str, Any] = {"icc_profile": srgb()}
    if what.dpi is not None:
        options["dpi"] = what.dpi
    exif = what.exif
    if kind == "WEBP" and what.dpi is not None:  # which has no other place for it
        exif = exif or Image.Exif()
        exif[282], exif[283], exif[296] = *what.dpi, 2
    if kind == "BMP":
        held = {"EXIF": exif, "XMP": what.xmp, "IPTC": what.iptc, "texts": what.texts}
        held["comment"] = what.comment
        lost += [f"BMP holds no {name}" for name, value in held.items() if value]
        return {"dpi": what.dpi} if what.dpi else {}, lost
    if exif is not None and kind != "TIFF":
        options["exif"] = exif.tobytes()
        if kind == "JPEG" and len(options["exif"]) > _LONGEST:
            del options["exif"]
            lost.append("its EXIF is too long for a JPEG")
    if kind == "JPEG" and len(xmp) > _LONGEST:
        xmp = b""
        lost.append("its XMP is too long for a JPEG")
    if kind in ("JPEG", "WEBP") and xmp:
        options["xmp"] = xmp
    if kind == "TIFF":
        options["tiffinfo"] = _tags(exif, xmp, what.iptc)
    if kind == "JPEG" and 0 < len(what.iptc) < _LONGEST:
        options["extra"] = _photoshop(what.iptc)
    elif kind != "TIFF" and what.iptc:
        lost.append(f"{kind} holds no IPTC")
    if kind == "JPEG" and what.comment:
        options["comment"] = what.comment
    if kind == "PNG":
        options["pnginfo"] = _texts(what, xmp)
    elif what.texts:
        lost.append(f"{kind} holds no texts ({', '.join(sorted(what.texts))})")
    if kind in ("WEBP", "TIFF") and what.comment:
        lost.append(f"{kind} holds no comment")
    return options, lost


def _tags(exif: Image.Exif | None, xmp: bytes, iptc: bytes) -> ImageFileDirectory_v2:
    """The same as tags of a TIFF."""
    tags = ImageFileDirectory_v2(prefix=b"II")
    for tag, value in (exif or {}).items():
        tags[tag] = value
    for tag, content, code in ((700, xmp, 1), (33723, iptc, 7)):
        if content:
            tags[tag], tags.tagtype[tag] = content, code
    return tags


def _photoshop(iptc: bytes) -> bytes:
    """The segment of a JPEG that holds IPTC-IIM, as one of Photoshop's blocks."""
    block = b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4, "big") + iptc + bytes(len(iptc) % 2)
    data = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + (len(data) + 2).to_bytes(2, "big") + data


def _texts(what: Carried, xmp: bytes) -> PngInfo:
    info = PngInfo()
    texts = dict(what.texts)
    if what.comment:
        texts.setdefault("Comment", what.comment.decode("utf-8", "replace"))
    for key, value in texts.items():
        try:
            info.add_text(key, value.encode("latin-1").decode("latin-1"))
        except UnicodeEncodeError:
            info.add_itxt(key, value)
    if xmp:
        info.add_itxt(_XMP, xmp.decode("utf-8", "replace"))
    return info


def _write_deep_png(stream: BytesIO, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Pillow writes one pixel with all that goes along; the others take its place."""
    one = BytesIO()
    height, width, channels = pixels.shape
    Image.new("RGB", (1, 1)).save(one, "PNG", **options)
    content, place = one.getvalue(), 8
    stream.write(content[:8])
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IHDR":
            sides = width.to_bytes(4, "big") + height.to_bytes(4, "big")
            data = sides + bytes((16, 6 if channels == 4 else 2, 0, 0, 0))
        if kind == b"IDAT":
            data = _filtered(pixels)
        putchunk(stream, kind, data)


def _filtered(pixels: np.ndarray) -> bytes:
    """Each byte less the one above it, which compresses well (PNG, 9.2, filter 2)."""
    rows = pixels.astype(">u2").view(np.uint8).reshape(len(pixels), -1)
    packer = zlib.compressobj(6)
    parts, above = [], np.zeros_like(rows[0])
    for row in rows:
        parts.append(packer.compress(b"\2" + (row - above).tobytes()))
        above = row
    return b"".join([*parts, packer.flush()])


def _write_deep_tiff(stream: BytesIO, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Strips of 64 rows, deflated (TIFF 6.0 with Adobe's supplement 2)."""
    height, width, channels = pixels.shape
    tops = range(0, height, 64)
    strips = [zlib.compress(pixels[top : top + 64].astype("<u2").tobytes(), 6) for top in tops]
    tags = options.get("tiffinfo") or ImageFileDirectory_v2(prefix=b"II")
    tags[256], tags[257], tags[258] = width, height, (16,) * channels
    tags[259], tags[262], tags[277], tags[278], tags[284] = 8, 2, channels, 64, 1
    if channels == 4:
        tags[338] = 2
    if "dpi" in options:
        tags[282], tags[283], tags[296] = *options["dpi"], 2
    if "icc_profile" in options:
        tags[34675] = options["icc_profile"]
    tags[273] = tuple(np.cumsum([0] + [len(strip) for strip in strips[:-1]]).tolist())
    tags[279] = tuple(len(strip) for strip in strips)
    tags.save(stream)
    for strip in strips:
        stream.write(strip)
