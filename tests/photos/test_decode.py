"""Photos at the edge of what is read: cut short, turned twice over, with a profile that is odd."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import made_files as made
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from colorlab.colorize import Colorizer
from colorlab.photos import profiles, tiff
from colorlab.photos.files import PhotoError, StoredPhoto, open_layers, open_photo, photo_size

PHOTO = Path(__file__).resolve().parents[2] / "data/photos/val/alpaca.jpg"
RAMP = np.arange(256, dtype=np.uint8)


def ramp(path: Path, **how) -> Path:
    Image.fromarray(np.tile(RAMP, (8, 1))).save(path, **how)
    return path


def values(path: Path) -> np.ndarray:
    return np.asarray(open_photo(path)).astype(int)


# --- cut short ------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_is_whole_if_every_pixel_is(tmp_path, missing, mode, progressive):
    path = tmp_path / "a.jpg"
    Image.open(PHOTO).convert(mode).save(path, progressive=progressive)
    expected = values(path)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.warns(UserWarning, match=r"a\.jpg: its last bytes are missing, but no pixel is"):
        assert np.array_equal(values(path), expected)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [12, 40, 400])
def test_a_jpeg_without_its_last_pixels_is_refused(tmp_path, missing, progressive):
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    Image.fromarray(noise).save(path, progressive=progressive)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(PhotoError, match=r"a\.jpg: corrupt or truncated"):
        open_photo(path)


def test_a_png_without_its_end(tmp_path):
    whole = ramp(tmp_path / "a.png").read_bytes()
    for missing in range(1, 13):  # the last chunk has 12 bytes and holds nothing
        (tmp_path / "a.png").write_bytes(whole[:-missing])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert np.array_equal(values(tmp_path / "a.png")[0, :, 0], RAMP)
        # Of a checksum that is cut, Pillow says nothing.
        assert missing <= 4 or "its last bytes are missing, but no pixel is" in str(told[0].message)
    (tmp_path / "a.png").write_bytes(whole[:-13])
    with pytest.raises(PhotoError, match="corrupt or truncated"):
        open_photo(tmp_path / "a.png")


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_tiff_whose_strips_are_not_all_there_is_refused(tmp_path, bits, deflated):
    noise = np.random.default_rng(0).integers(0, 2**bits, (40, 30, 1))
    content = bytearray(made.tiff(noise, bits, 1, deflated=deflated, rows=40))
    place = content.index(struct.pack("<HHI", 273, 4, 1)) + 8  # where the only strip begins
    content[place : place + 4] = struct.pack("<I", len(content) - 200)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(PhotoError, match=r"a\.tif: .*truncated"):
        open_photo(tmp_path / "a.tif")


# --- turned ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_an_orientation_in_xmp_alone_is_not_looked_at(tmp_path, kind):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    how = {"PNG": {"pnginfo": info}, "TIFF": {"tiffinfo": {700: xmp}}}.get(kind, {"xmp": xmp})
    path = tmp_path / "a"
    Image.new("L", (9, 5)).save(path, kind, **how)
    assert open_photo(path).size == photo_size(path) == (9, 5)


def test_a_photo_of_several_pictures_is_turned_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    two = [Image.new("RGB", (9, 5), color) for color in ("red", "blue")]
    two[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=two[1:], exif=exif)
    assert open_photo(tmp_path / "a.jpg").size == photo_size(tmp_path / "a.jpg") == (5, 9)
    assert values(tmp_path / "a.jpg")[4, 2, 0] > 250


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_is_none_is_passed_over(tmp_path, orientation):
    for kind in ("PNG", "TIFF"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("L", (9, 5)).save(tmp_path / "a", kind, exif=exif)
        assert open_photo(tmp_path / "a").size == photo_size(tmp_path / "a") == (9, 5)


# --- profiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_gray_is_what_littlecms_makes_of_it(tmp_path, gamma):
    """Without its optimization, whose tables are 10 levels off in the darkest grays of gamma 1."""
    profile = made.profile("GRAY", made.curve(gamma))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    exact = ImageCms.buildTransform(
        source, ImageCms.createProfile("sRGB"), "L", "RGB", flags=0x0100
    )
    expected = np.asarray(ImageCms.applyTransform(Image.fromarray(RAMP[None]), exact))[0, :, 1]
    for name in ("a.png", "a.tif", "a.bmp.png"):
        path = ramp(tmp_path / name, icc_profile=profile)
        assert np.abs(values(path)[3, :, 0] - expected).max() <= 1
    deep = made.png(np.tile(RAMP.astype(int) * 257, (2, 1))[..., None], 16, 0, made.iccp(profile))
    (tmp_path / "deep.png").write_bytes(deep)
    assert np.abs(values(tmp_path / "deep.png")[1, :, 0] - expected).max() <= 1


@pytest.mark.parametrize("columns", [made.SRGB, made.P3, made.ADOBE])
def test_color_is_what_littlecms_makes_of_it(tmp_path, columns):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    profile = made.profile("RGB", made.curve(1.8), columns, b"sRGB IEC61966-2.1")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(
        Image.fromarray(pixels), source, ImageCms.createProfile("sRGB")
    )
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(values(tmp_path / "a.png"), np.asarray(expected))
    (tmp_path / "b.png").write_bytes(made.png(pixels.astype(int) * 257, 16, 2, made.iccp(profile)))
    assert np.abs(values(tmp_path / "b.png") - np.asarray(expected)).max() <= 1


def test_an_srgb_profile_of_any_name_changes_no_pixel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    points = np.where(RAMP <= 10, RAMP / 255 / 12.92, ((RAMP / 255 + 0.055) / 1.055) ** 2.4)
    for tone in (made.curve(), made.curve(points=points)):
        profile = made.profile("RGB", tone, text=b"Scanner 2000")
        Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
        assert np.array_equal(values(tmp_path / "a.png"), pixels)


def test_a_profile_for_other_pixels_is_passed_over_with_a_warning(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    image = Image.fromarray(pixels, "CMYK")
    image.save(tmp_path / "a.tif", icc_profile=made.profile("RGB", made.curve()))
    with pytest.warns(UserWarning, match="its color profile is for RGB and its pixels are CMYK"):
        found = values(tmp_path / "a.tif")
    assert np.abs(found - np.asarray(image.convert("RGB"))).max() <= 1


def test_a_gray_photo_in_an_rgb_space_has_the_gray_of_that_space(tmp_path):
    profile = made.profile("RGB", made.curve(1.0))
    path = ramp(tmp_path / "a.jpg", icc_profile=profile, quality=100)
    assert values(path)[4, 128].tolist() == [188, 188, 188]


def test_a_broken_profile_is_passed_over_with_a_warning(tmp_path):
    for profile in (b"not a profile" * 30, made.profile("RGB", made.curve(1.0))[:300]):
        path = ramp(tmp_path / "a.png", icc_profile=profile)
        with pytest.warns(UserWarning, match=r"a\.png: its color profile is .*passed over"):
            assert np.array_equal(values(path)[0, :, 0], RAMP)
    deep = made.png(
        np.tile(RAMP.astype(int) * 257, (2, 1))[..., None], 16, 0, made.iccp(b"broken" * 40)
    )
    (tmp_path / "deep.png").write_bytes(deep)
    with pytest.warns(UserWarning, match="passed over"):
        assert np.array_equal(values(tmp_path / "deep.png")[0, :, 0], RAMP)


def test_a_deep_curve_is_finer_than_a_table_of_256():
    steps = np.arange(65536, dtype=np.uint16)[None]
    found = profiles.deep_to_srgb(steps, {"gamma": 1.0}, "")[0] / 65535
    linear = steps[0] / 65535
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(found - expected).max() < 1.1 / 65535


# --- sixteen bits ---------------------------------------------------------------------------------


def test_sixteen_bits_come_from_every_container(tmp_path):
    gray = np.random.default_rng(0).integers(0, 65536, (12, 17, 1))
    color = np.random.default_rng(1).integers(0, 65536, (12, 17, 3))
    files = {
        "a.png": (made.png(gray, 16, 0), gray[..., 0]),
        "b.png": (made.png(color, 16, 2), color),
        "c.tif": (made.tiff(gray, 16, 1, order=">"), gray[..., 0]),
        "d.tif": (made.tiff(gray, 16, 0), 65535 - gray[..., 0]),
        "e.tif": (made.tiff(color, 16, 2, apart=True), color),
    }
    for name, (content, expected) in files.items():
        assert np.array_equal(open_layers(StoredPhoto(name, content)).deep, expected), name
    lined = np.dstack([gray, np.random.default_rng(2).integers(0, 65536, (12, 17, 1))])
    photo = open_layers(StoredPhoto("f.png", made.png(lined, 16, 4)))
    assert np.array_equal(photo.deep, gray[..., 0])
    assert np.abs(np.asarray(photo.alpha) - lined[..., 1] / 257).max() <= 0.5


def test_a_tiff_that_takes_one_more_package_is_refused_by_its_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "_has_codecs", lambda: False)
    known = tiff.Layout((9, 5), 12, 1, False, 1, None, 5, 1, None)
    with pytest.raises(PhotoError, match="12 bits .* compressed.*pip install imagecodecs"):
        tiff.read(io.BytesIO(), known)


def test_compressed_deep_color_comes_with_and_without_the_package(tmp_path, monkeypatch):
    pytest.importorskip("imagecodecs", reason="writes the file")
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 30, 3), np.uint16)
    for method, predictor in (("lzw", False), ("lzw", True), ("zlib", True)):
        for order in "<>":
            tifffile.imwrite(
                tmp_path / "a.tif", pixels, compression=method, predictor=predictor, byteorder=order
            )
            for there in (True, False):
                monkeypatch.setattr(tiff, "_has_codecs", lambda there=there: there)
                assert np.array_equal(open_layers(tmp_path / "a.tif").deep, pixels)


def test_the_lightness_of_sixteen_bits_is_kept_in_sixteen(tmp_path):
    """A slope of 4000 levels, which are 16 of 8 bits."""
    from skimage.color import rgb2lab

    slope = np.linspace(30000, 34000, 64 * 48).astype(int).reshape(48, 64, 1)
    (tmp_path / "a.png").write_bytes(made.png(slope, 16, 0))
    colorizer = Colorizer.load(device="cpu")
    found = colorizer.colorize(tmp_path / "a.png", depth=16)
    assert found.dtype == np.uint16 and found.shape == (48, 64, 3)
    expected = rgb2lab(np.repeat(slope / 65535, 3, -1))[..., 0]
    assert np.abs(rgb2lab(found / 65535)[..., 0] - expected).max() < 0.01  # 8 bits: 0.2
    eight = np.asarray(colorizer.colorize(tmp_path / "a.png"))
    assert eight.dtype == np.uint8
    assert np.abs(rgb2lab(eight)[..., 0] - expected).max() < 0.5


def test_an_opaque_alpha_is_none(tmp_path):
    for opaque in (True, False):
        pixels = np.full((5, 9, 4), 255, np.uint8)
        pixels[0, 0, 3] = 255 if opaque else 254
        Image.fromarray(pixels).save(tmp_path / "a.png")
        assert (open_layers(tmp_path / "a.png").alpha is None) == opaque


def test_nothing_is_warned_of_a_good_photo(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_photo(PHOTO)
        open_photo(ramp(tmp_path / "a.tif"))
