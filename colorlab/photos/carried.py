"""What a photo carries beside its pixels: who took it, when and where, and how large it is printed.

It goes along into the colored copy: EXIF with the place, XMP, texts, comment, resolution. What
would be wrong there is put right: the picture stands upright by then, is sRGB, and has no gray
thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from colorlab.photos import png, tiff
from colorlab.photos.decode import FORMATS, ORIENTATION
from colorlab.photos.files import opened
from colorlab.photos.xmp import sound

_EXIF, _GPS, _INTEROP, _COLOR_SPACE, _SIDES = 0x8769, 0x8825, 0xA005, 0xA001, (0xA002, 0xA003)
_XMP, _IPTC, _RESOLUTION, _UNIT = 700, 33723, (282, 283), 296
_IPTC_BLOCK = 0x0404  # of Photoshop's blocks in a JPEG
_LOSSY = (6, 7, 33003, 33005, 34712)  # compressions of TIFF: JPEG and JPEG 2000
# Tags of a TIFF that say something of the photo, not of how its pixels lie (TIFF 6.0, EXIF 2.3).
_TELLING = {269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 18246, *range(40091, 40096)}
# Tags that say how pixels lie, and the gray thumbnail of what is colored by then.
_PIXELS = {*range(254, 260), 262, 273, 277, 278, 279, 284, 317, 320, 330, 338, 339, 513, 514}
_LAYOUT = {*_PIXELS, 34675, _XMP, _IPTC}


@dataclass(frozen=True)
class Carried:
    """What a photo carries beside its pixels.

    Attributes:
        exif, xmp, iptc: as they are to be written; the last is IPTC-IIM.
        dpi: across and down.
        texts: of a PNG.
        depth: bits a sample, 8 or 16.
        lossless: whether the file holds its pixels exactly.
        frames: how many pages or pictures.
        broken: what of it can't be read.
    """

    exif: Image.Exif | None = None
    xmp: bytes = b""
    iptc: bytes = b""
    dpi: tuple[float, float] | None = None
    texts: dict[str, str] = field(default_factory=dict)
    comment: bytes = b""
    depth: int = 8
    lossless: bool = True
    frames: int = 1
    broken: tuple[str, ...] = ()


def carried(path: Path) -> Carried:
    """What the photo in ``path`` carries; no pixel is decoded, as a rule.

    Raises ``PhotoError`` where the file is no photo.
    """
    with opened(path) as file:
        head = file.read(8)
        file.seek(0)
        return _of_tiff(file) if head.startswith(tiff.MAGIC) else _of_others(file)


# --- containers -----------------------------------------------------------------------------------


def _of_others(file: BinaryIO) -> Carried:
    late, depth = False, 8
    if file.read(8) == png.MAGIC:
        file.seek(0)
        facts = png.facts(file)
        late, depth = facts.late_exif, facts.depth
    file.seek(0)
    with Image.open(file, formats=FORMATS) as image:
        if late:
            image.load()
        kind, info = image.format, image.info
        jpeg = kind in ("JPEG", "MPO")
        texts = {k: v for k, v in info.items() if isinstance(v, str)} if kind == "PNG" else {}
        xmp = texts.pop("XML:com.adobe.xmp", "").encode() or info.pop("xmp", b"")
        info.pop("XML:com.adobe.xmp", None)  # Pillow would take its orientation
        broken: list[str] = []
        return Carried(
            exif=_exif(image.getexif, broken),
            xmp=_xmp(xmp, broken),
            iptc=info.get("photoshop", {}).get(_IPTC_BLOCK, b"") if jpeg else b"",
            dpi=_dpi(info.get("dpi")),
            texts={k: str(v) for k, v in texts.items() if not k.startswith("Raw profile")},
            comment=info.get("comment", b"") if jpeg else b"",
            depth=16 if depth == 16 else 8,
            lossless=not jpeg and (kind != "WEBP" or _is_lossless_webp(file)),
            frames=getattr(image, "n_frames", 1),
            broken=tuple(broken),
        )


def _of_tiff(file: BinaryIO) -> Carried:
    import tifffile

    known = tiff.layout(file)
    tags = tiff.read_tags(file)
    broken: list[str] = []

    def parsed() -> Image.Exif:
        file.seek(0)
        exif = Image.Exif()
        exif.load_from_fp(file)
        for tag in exif.keys() - _TELLING - {_EXIF, _GPS}:
            del exif[tag]
        return exif

    exif = _exif(parsed, broken)
    file.seek(0)
    with tifffile.TiffFile(file) as whole:
        frames = len(whole.pages)
    return Carried(
        exif=exif,
        xmp=_xmp(_bytes(tags.get(_XMP)), broken),
        iptc=_bytes(tags.get(_IPTC)),
        dpi=_tiff_dpi(tags),
        depth=16 if known.bits > 8 else 8,
        lossless=known.compression not in _LOSSY,
        frames=frames,
        broken=tuple(broken),
    )


def _exif(read: Callable[[], Image.Exif], broken: list[str]) -> Image.Exif | None:
    """EXIF as it is to be written, tried; None where there is none."""
    try:
        whole, kept = read(), Image.Exif()
        for tag, value in whole.items():
            if tag not in (_EXIF, _GPS, *_LAYOUT):
                kept[tag] = value
        for tag in (_EXIF, _GPS):
            if inner := dict(whole.get_ifd(tag)):
                if tag == _EXIF:
                    # The sides would be swapped of a photo that lay on its side.
                    for old in (*_SIDES, _INTEROP):
                        inner.pop(old, None)
                    inner[_COLOR_SPACE] = 1  # sRGB
                kept[tag] = inner
        if kept.keys() - {ORIENTATION}:
            kept[ORIENTATION] = 1
            kept.tobytes()
            return kept
    except Exception:  # broken metadata raise nearly anything
        broken.append("EXIF")
    return None


def _xmp(xmp: bytes, broken: list[str]) -> bytes:
    if not xmp.strip(b"\0 \r\n\t"):
        return b""
    if (found := sound(xmp)) is None:
        broken.append("XMP")
    return found or b""


def _bytes(value: Any) -> bytes:
    """What a tag of bytes holds, whatever type it says it has."""
    if isinstance(value, tuple) and all(isinstance(n, int) and 0 <= n < 256 for n in value):
        return bytes(value)
    return value if isinstance(value, bytes) else b""


def _dpi(found: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in found)
        return (across, down) if across > 0 and down > 0 else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _tiff_dpi(tags: ImageFileDirectory_v2) -> tuple[float, float] | None:
    unit = tags.get(_UNIT, 2)
    found = _dpi([tags.get(tag) for tag in _RESOLUTION])
    if found is None or unit not in (2, 3):
        return None
    return tuple(value * (2.54 if unit == 3 else 1) for value in found)


def _is_lossless_webp(file: BinaryIO) -> bool:
    """Whether its first picture is VP8L (the container's specification)."""
    place = 12
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] == b"VP8 ":
            return False
        if head[:4] == b"VP8L":
            return True
        length = int.from_bytes(head[4:], "little")
        # A frame of an animation begins with 16 bytes of its own, then its chunks.
        place += 24 if head[:4] == b"ANMF" else 8 + length + length % 2
