"""What a photo carries, through every format and back: read by Pillow and tifffile, not by us."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from colorlab.photos import xmp as packets
from colorlab.photos.carried import Carried, carried
from colorlab.photos.writing import encode, srgb

GPS = {1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 0.0)}
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"><dc:creator>Anna</dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>'
)
IPTC = b"\x1c\x02\x78\x00\x0bGrandmother"  # 2:120, the caption


def exif(orientation: int = 6) -> Image.Exif:
    made = Image.Exif()
    made[0x0112], made[0x010E], made[0x010F] = orientation, "Grandmother, 1931", "Scanner"
    made[0x8769] = {0x9003: "1931:05:01 10:00:00", 0xA002: 9, 0xA003: 5, 0xA001: 65535}
    made[0x8825] = GPS
    return made


def photo(path: Path, mode: str = "RGB") -> Path:
    """A photo that carries all that its format has room for."""
    kind = Image.registered_extensions()[path.suffix]
    how = {"exif": exif(), "dpi": (600, 600)}
    if kind in ("JPEG", "WEBP"):
        how["xmp"] = XMP
    if kind == "JPEG":
        block = b"8BIM\x04\x04\0\0" + len(IPTC).to_bytes(4, "big") + IPTC + bytes(len(IPTC) % 2)
        data = b"Photoshop 3.0\0" + block
        how |= {
            "comment": b"box 12",
            "extra": b"\xff\xed" + (len(data) + 2).to_bytes(2, "big") + data,
        }
    if kind == "PNG":
        how["pnginfo"] = PngInfo()
        how["pnginfo"].add_text("Title", "Großmutter")
        how["pnginfo"].add_itxt("Place", "Žižkov")
        how["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    if kind == "TIFF":
        how["tiffinfo"] = {700: XMP, 33723: IPTC, **dict(how.pop("exif").items())}
    Image.new(mode, (9, 5), 120).save(path, **how)
    return path


def found(content: bytes) -> dict[str, object]:
    """What Pillow finds in a file."""
    with Image.open(io.BytesIO(bytes(content))) as image:
        image.load()
        told = image.getexif()
        xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
        if image.format == "TIFF":
            xmp = xmp or image.tag_v2.get(700, b"")
        inner = told.get_ifd(0x8769)
        return {
            "caption": told.get(0x010E),
            "date": inner.get(0x9003),
            "place": {k: v for k, v in told.get_ifd(0x8825).items()},
            "turn": told.get(0x0112, 1),
            "color space": inner.get(0xA001),
            "dpi": image.info.get("dpi"),
            "xmp": xmp,
            "profile": image.info.get("icc_profile"),
            "info": dict(image.info),
        }


FORMATS = (".jpg", ".png", ".webp", ".tif")


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_date_place_caption_and_xmp_go_along_from_every_format_to_every_format(
    tmp_path: Path, source: str, target: str
) -> None:
    what = carried(photo(tmp_path / f"a{source}"))
    content, _ = encode(Image.new("RGB", (5, 9)), target, what, mark=True)
    there = found(content)
    assert there["caption"] == "Grandmother, 1931"
    assert there["date"] == "1931:05:01 10:00:00"
    assert there["place"] == GPS
    assert there["turn"] == 1  # once more would lay the picture on its side
    assert there["color space"] == 1
    assert there["profile"] == srgb()
    assert b"Anna" in there["xmp"] and b"algorithmicallyEnhanced" in there["xmp"]
    assert b'tiff:Orientation="1"' in there["xmp"]
    if source != ".webp" and target != ".webp":
        assert there["dpi"] == pytest.approx((600, 600), abs=0.1)


@pytest.mark.parametrize(
    ("suffix", "channels"), [(".png", 3), (".png", 4), (".tif", 3), (".tif", 4)]
)
def test_sixteen_bits_are_written_exactly_with_all_that_goes_along(
    tmp_path: Path, suffix: str, channels: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (150, 7, channels), np.uint16)
    what = carried(photo(tmp_path / f"a{suffix}"))
    content, _ = encode(pixels, suffix, what, mark=True)
    there = found(content)
    assert there["caption"] == "Grandmother, 1931" and there["place"] == GPS
    assert there["dpi"] == pytest.approx((600, 600), abs=0.1)
    assert there["profile"] == srgb() and b"Anna" in there["xmp"]
    if suffix == ".tif":
        with tifffile.TiffFile(io.BytesIO(content)) as tiff:
            assert np.array_equal(tiff.asarray(), pixels)
    else:
        (tmp_path / "b.png").write_bytes(content)
        from colorlab.photos.decode import decode

        with open(tmp_path / "b.png", "rb") as file:
            assert np.array_equal(decode(file, "b.png").colors, pixels)
        with Image.open(tmp_path / "b.png") as image:  # which keeps the upper byte
            assert np.array_equal(np.asarray(image), pixels >> 8)


def test_texts_comment_and_captions_of_one_format(tmp_path: Path) -> None:
    what = carried(photo(tmp_path / "a.png"))
    there = found(encode(Image.new("RGB", (5, 9)), ".png", what)[0])["info"]
    assert (there["Title"], there["Place"]) == ("Großmutter", "Žižkov")
    what = carried(photo(tmp_path / "a.jpg"))
    there = found(encode(Image.new("RGB", (5, 9)), ".jpg", what)[0])["info"]
    assert there["comment"] == b"box 12" and there["photoshop"][0x0404] == IPTC
    content, lost = encode(Image.new("RGB", (5, 9)), ".tif", what)
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        assert tiff.pages[0].tags[33723].value == IPTC
    assert lost == ["TIFF holds no comment"]


def test_what_a_format_has_no_room_for_is_said(tmp_path: Path) -> None:
    what = carried(photo(tmp_path / "a.jpg"))
    _, lost = encode(Image.new("RGB", (5, 9)), ".bmp", what)
    assert lost == [f"BMP holds no {name}" for name in ("EXIF", "XMP", "IPTC", "comment")]
    what = carried(photo(tmp_path / "a.png"))
    assert encode(Image.new("RGB", (5, 9)), ".jpg", what)[1] == [
        "JPEG holds no texts (Place, Title)"
    ]
    long = Carried(xmp=XMP.replace(b"Anna", b"A" * 70_000))
    assert encode(Image.new("RGB", (5, 9)), ".jpg", long)[1] == ["its XMP is too long for a JPEG"]


def test_broken_metadata_cost_nothing_else(tmp_path: Path) -> None:
    Image.new("L", (9, 5)).save(
        tmp_path / "a.jpg", xmp=b"<x:xmpmeta", exif=b"Exif\0\0MM\0*\0\0\xff\xff"
    )
    what = carried(tmp_path / "a.jpg")
    assert "XMP" in what.broken and what.xmp == b""
    content, lost = encode(Image.new("RGB", (9, 5)), ".jpg", what, mark=True)
    assert "its XMP is broken" in lost
    assert b"algorithmicallyEnhanced" in found(content)["xmp"]


def test_a_lossless_webp_is_told_from_a_lossy_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    for lossless in (True, False):
        path = tmp_path / f"{lossless}.webp"
        Image.fromarray(pixels).save(path, lossless=lossless, exif=exif())
        assert carried(path).lossless == lossless
        content, _ = encode(Image.fromarray(pixels), ".webp", carried(path))
        with Image.open(io.BytesIO(content)) as image:
            assert np.array_equal(np.asarray(image), pixels) == lossless


def test_an_animation_of_lossless_frames(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    what = carried(tmp_path / "a.webp")
    assert (what.frames, what.lossless) == (2, True)


def test_a_mark_replaces_what_said_otherwise() -> None:
    camera = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    inside = f"<Iptc4xmpExt:DigitalSourceType>{camera}</Iptc4xmpExt:DigitalSourceType>"
    name = 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    one = XMP.replace(b"<dc:creator>", inside.encode() + b"<dc:creator>")
    one = one.replace(b'rdf:about=""', f'rdf:about="" {name}'.encode())
    two = XMP.replace(
        b'rdf:about=""', f'rdf:about="" {name} Iptc4xmpExt:DigitalSourceType="{camera}"'.encode()
    )
    for before in (one, two, XMP, b""):
        after = packets.marked(before)
        assert packets.sound(after) == after.replace(b'"6"', b'"1"')  # well-formed
        assert after.count(packets.MADE.encode()) == 1 and b"digitalCapture" not in after
        assert (b"Anna" in after) == (before != b"")


def test_the_profile_is_srgb_and_the_same_every_day() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(srgb()))
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3))
    ours = ImageCms.profileToProfile(ramp, profile, ImageCms.createProfile("sRGB"))
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(ramp)).max() <= 1
    assert srgb()[24:36] == bytes((7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_depth_is_told_from_the_head(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(tmp_path / f"deep{suffix}")
    Image.new("L", (5, 4)).save(tmp_path / f"flat{suffix}")
    assert carried(tmp_path / f"deep{suffix}").depth == 16
    assert carried(tmp_path / f"flat{suffix}").depth == 8
