"""colorlab.photos: odd files, folders, crops, splits, and batches that one generator decides."""

import hashlib
import io
import pickle
import shutil
import struct
import subprocess
import sys
import warnings
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made import UPRIGHT
from PIL import Image, ImageCms

from colorlab.photos import cuts
from colorlab.photos import files as photo_files
from colorlab.photos import folder as photo_folder
from colorlab.photos.base import split_by_name
from colorlab.photos.batches import photo_loader
from colorlab.photos.decode import ORIENTATION
from colorlab.photos.files import PhotoError, open_photo
from colorlab.photos.folder import PhotoFolder

PHOTO = Path(__file__).resolve().parents[2] / "data/photos/val/alpaca.jpg"


def smooth(height: int, width: int) -> np.ndarray:
    """A picture whose every row, column and channel differs, uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack(
        [255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 40 + 3 * x + 2 * y], axis=-1
    ).astype(np.uint8)


def gray_box(values: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W, 3), all channels alike."""
    return np.repeat(values[..., None], 3, axis=-1)


def save(path: Path, pixels: np.ndarray | Image.Image, **options) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def read(path: Path) -> np.ndarray:
    image = open_photo(path)
    assert image.mode == "RGB"
    assert image.info == {}
    return np.asarray(image).astype(int)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve photos of several shapes and a gray one, in two subfolders."""
    for number in range(12):
        pixels = smooth(30 + number, 50 - 2 * number)
        pixels[..., 2] = 20 * number
        save(tmp_path / "all" / f"{'ab'[number % 2]}" / f"{number:02d}.png", pixels)
    return tmp_path / "all"


# --- open_photo ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_lossless_formats_come_back_exactly(tmp_path, suffix):
    pixels = smooth(24, 32)
    assert np.array_equal(read(save(tmp_path / f"x.{suffix}", pixels)), pixels)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("jpg", {"quality": 95, "subsampling": 0}), ("webp", {"quality": 95}), ("gif", {})],
)
def test_lossy_formats_come_back_nearly(tmp_path, suffix, options):
    pixels = np.kron(smooth(3, 4), np.ones((8, 8, 1), np.uint8))
    error = np.abs(read(save(tmp_path / f"x.{suffix}", pixels, **options)) - pixels)
    assert error.mean() < 6


def test_the_content_decides_the_format_not_the_name(tmp_path):
    save(tmp_path / "x.png", smooth(4, 5))
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    assert np.array_equal(read(tmp_path / "x.jpg"), smooth(4, 5))


def test_an_animation_gives_its_first_frame(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), color) for color in ("red", "blue"))
    for suffix in ("gif", "webp", "tif"):
        path = tmp_path / f"x.{suffix}"
        red.save(
            path,
            save_all=True,
            append_images=[blue],
            **({"lossless": True} if suffix == "webp" else {}),
        )
        assert read(path)[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
def test_exif_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 98, "subsampling": 0}}.get(suffix, {})
    path = save(tmp_path / f"x.{suffix}", smooth(20, 33), exif=exif, **options)
    expected = UPRIGHT[orientation](smooth(20, 33)).astype(int)
    assert np.abs(read(path) - expected).max() <= (12 if suffix == "jpg" else 0)


def test_broken_exif_does_not_cost_the_photo(tmp_path):
    path = save(tmp_path / "x.png", smooth(6, 7), exif=b"Exif\0\0no TIFF header here")
    assert np.array_equal(read(path), smooth(6, 7))


def test_gray_and_bilevel_have_three_equal_channels(tmp_path):
    gray = smooth(9, 11)[..., 0]
    assert np.array_equal(read(save(tmp_path / "l.png", gray)), gray_box(gray))
    assert np.array_equal(read(save(tmp_path / "1.png", gray > 99)), gray_box((gray > 99) * 255))


def test_16_bit_gray_is_scaled_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    expected = gray_box(np.rint(values / 65535 * 255))
    for path in (tmp_path / "x.png", tmp_path / "x.tif"):
        assert np.array_equal(read(save(path, values)), expected)
    inverted = save(tmp_path / "white_is_zero.tif", values, tiffinfo={262: 0})
    assert np.array_equal(read(inverted), 255 - expected)


def png(width: int, height: int, depth: int, color: int, rows: bytes) -> bytes:
    """A PNG file by hand (PNG specification, sections 5 and 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_16_bit_color_is_within_one_level(tmp_path):
    values = np.linspace(0, 65535, 3 * 64).reshape(1, 64, 3)
    rows = b"\0" + values.astype(">u2").tobytes()
    (tmp_path / "x.png").write_bytes(png(64, 1, 16, 2, rows))
    assert np.abs(read(tmp_path / "x.png") - values / 257).max() <= 1.0


def test_palette_is_looked_up(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    for name in ("x.png", "x.gif"):
        assert read(save(tmp_path / name, image))[0].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_alpha_is_laid_over_white(tmp_path):
    color = np.array([200, 100, 0])
    rgba = np.array([[[*color, 255], [*color, 0], [*color, 51]]], np.uint8)
    expected = np.array([[color, [255] * 3, color * 0.2 + 255 * 0.8]])
    for name in ("x.png", "x.tif"):
        assert np.abs(read(save(tmp_path / name, rgba)) - expected).max() <= 1
    la = Image.fromarray(np.array([[[90, 255], [90, 0]]], np.uint8), "LA")
    assert read(save(tmp_path / "la.png", la))[0].tolist() == [[90] * 3, [255] * 3]


def test_a_transparent_palette_entry_or_gray_level_is_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    path = save(tmp_path / "p.png", image, transparency=0)
    assert read(path)[0].tolist() == [[255] * 3, [200, 100, 50]]
    gray = np.array([[7, 9]], np.uint8)
    path = save(tmp_path / "l.png", gray, transparency=9)
    assert read(path)[0].tolist() == [[7] * 3, [255] * 3]


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk_without_a_profile(tmp_path, suffix):
    cmyk = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [51, 102, 204, 51]]], np.uint8)
    cmyk = np.kron(cmyk, np.ones((8, 8, 1), np.uint8))
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(cmyk, "CMYK"))
    expected = 255 * (1 - cmyk[..., :3] / 255) * (1 - cmyk[..., 3:] / 255)
    assert np.abs(read(path) - expected).max() <= (6 if suffix == "jpg" else 1)


def matrix_profile(red, green, blue, gamma: float) -> bytes:
    """An ICC v2 display profile by hand: three XYZ (D50) columns and a gamma (ICC.1:2001-04)."""

    def s15(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(s15, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(78)
    text += bytes(-len(text) % 4)
    right = b"text\0\0\0\0none" + b"\0\0\0\0"
    tags = [(b"desc", text), (b"cprt", right), (b"wtpt", xyz(0.9642, 1.0, 0.8249))]
    tags += [(b"rXYZ", xyz(*red)), (b"gXYZ", xyz(*green)), (b"bXYZ", xyz(*blue))]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags:
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value
    size = 128 + len(table) + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += s15(0.9642) + s15(1.0) + s15(0.8249)
    return header + bytes(128 - len(header)) + table + data


def test_a_wide_profile_is_converted_to_srgb(tmp_path):
    # Adobe RGB (1998), section 4.3.5.4 and annex: primaries adapted to D50, gamma 2.19921875.
    adobe = np.array(
        [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
    )
    # sRGB primaries adapted to D50 (Bradford), IEC 61966-2-1 amendment 1.
    srgb = np.array(
        [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
    )
    values = np.array([[128, 128, 128], [140, 150, 100], [200, 180, 170], [90, 100, 120]])
    linear = (values / 255) ** 2.19921875 @ (np.linalg.inv(srgb) @ adobe).T
    expected = 255 * np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055
    )
    assert np.abs(expected - values).max() > 8  # else this would not test a thing
    profile = matrix_profile(*adobe.T, gamma=2.19921875)
    pixels = values.astype(np.uint8)[None]
    path = save(tmp_path / "x.png", pixels, icc_profile=profile)
    assert np.abs(read(path)[0] - expected).max() <= 2
    alpha = np.concatenate([pixels, np.full((1, 4, 1), 255, np.uint8)], axis=-1)
    path = save(tmp_path / "a.png", alpha, icc_profile=profile)
    assert np.abs(read(path)[0] - expected).max() <= 2


def test_srgb_and_unusable_profiles_change_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for name, profile in {"srgb": srgb, "misfit": lab, "broken": b"not a profile" * 20}.items():
        path = save(tmp_path / f"{name}.png", smooth(8, 8), icc_profile=profile)
        assert np.array_equal(read(path), smooth(8, 8)), name


# --- bad files -----------------------------------------------------------------------------------

BOMB = png(30000, 30000, 8, 2, bytes(1000))
WRITTEN = {
    "empty.jpg": (b"", "empty \\(0 bytes\\)"),
    "text.jpg": (b"I am a shopping list", "not a picture that can be read here"),
    "zeros.png": (bytes(3000), "not a picture that can be read here"),
    "page.jpg": (b"\n<!DOCTYPE html><html>404</html>", "a web page saved under a photo's name"),
    "lfs.jpg": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "HEIC"),
    "bomb.png": (BOMB, "decompression bomb.*900000000 pixels"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_bad_files_are_named_with_their_cause(tmp_path, name):
    content, cause = WRITTEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PhotoError, match=f"{name}: .*{cause}"):
        open_photo(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "bmp"])
def test_truncated_files_are_named(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    whole = save(tmp_path / f"whole.{suffix}", noise).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(PhotoError, match=rf"cut\.{suffix}: .*(truncated|cut off)"):
        open_photo(path)


def test_damage_inside_a_png_is_named(tmp_path):
    content = bytearray(save(tmp_path / "x.png", smooth(64, 64)).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(PhotoError, match=r"x\.png: corrupt"):
        open_photo(tmp_path / "x.png")


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_32_bit_pixels_are_refused(tmp_path, kind):
    with pytest.raises(PhotoError, match=r"x\.tif: .*32-bit.*8-bit or 16-bit"):
        open_photo(save(tmp_path / "x.tif", np.ones((4, 4), kind)))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(PhotoError, match=r"gone\.jpg: there is no such file"):
        open_photo(tmp_path / "gone.jpg")
    with pytest.raises(PhotoError, match="this is a folder"):
        open_photo(tmp_path)


@settings(max_examples=150, deadline=None)
@given(where=st.lists(st.integers(0, 10_000), min_size=1, max_size=6), byte=st.integers(0, 255))
@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_damaged_file_is_a_photo_or_a_photo_error(tmp_path_factory, suffix, where, byte):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(smooth(12, 17)).save(buffer, suffix, exif=exif)
    content = bytearray(buffer.getvalue())
    for place in where:
        content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / f"damaged_{suffix}.bin"
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert open_photo(path).mode == "RGB"
    except PhotoError as error:
        assert str(path) in str(error)


def test_the_size_comes_from_the_head_alone(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    path = save(tmp_path / "x.jpg", smooth(20, 33), exif=exif)
    assert photo_files.photo_size(path) == open_photo(path).size == (20, 33)
    path.write_bytes(path.read_bytes()[:-100])
    assert photo_files.photo_size(path) == (20, 33)
    path.write_bytes(b"junk")
    with pytest.raises(PhotoError, match="x.jpg"):
        photo_files.photo_size(path)


# --- PhotoFolder ---------------------------------------------------------------------------------


def test_recursive_sorted_and_only_photos(tmp_path):
    for name in (
        "b/2.png",
        "b/10.PNG",
        "a.b/1.Png",
        "Z.png",
        "a/é.png",
        ".hidden/1.png",
        "._1.png",
    ):
        save(tmp_path / name, smooth(4, 4), format="png")
    for name in ("notes.txt", ".DS_Store", "b/Thumbs.db", "b/data.npy", "png"):
        (tmp_path / name).write_text("no photo")
    ds = PhotoFolder(tmp_path)
    assert ds.names == ["Z.png", "a.b/1.Png", "a/é.png", "b/10.PNG", "b/2.png"]
    assert ds.paths == [tmp_path / name for name in ds.names]
    assert len(ds) == 5
    assert [tuple(photo.shape) for photo in ds] == [(3, 4, 4)] * 5


def test_order_does_not_depend_on_how_the_system_lists(folder, monkeypatch):
    names = PhotoFolder(folder).names
    walk = photo_files.os.walk

    def backwards(top, **options):
        for path, folders, files in walk(top, **options):
            folders.sort(reverse=True)
            yield path, folders, sorted(files, reverse=True)

    monkeypatch.setattr(photo_files.os, "walk", backwards)
    assert PhotoFolder(folder).names == names == sorted(names)


def test_the_whole_photo_without_a_size(folder):
    ds = PhotoFolder(folder)
    for photo, path in zip(ds, ds.paths, strict=True):
        assert photo.dtype == torch.uint8
        assert photo.is_contiguous()
        assert np.array_equal(photo.numpy().transpose(1, 2, 0), np.asarray(Image.open(path)))


def test_folders_that_hold_no_photos_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*gone"):
        PhotoFolder(tmp_path / "gone")
    with pytest.raises(PhotoError, match="No photo in .*found nothing"):
        PhotoFolder(tmp_path)
    (tmp_path / "photos.zip").touch()
    (tmp_path / "x.heic").touch()
    with pytest.raises(PhotoError, match=r"found only \.heic, \.zip"):
        PhotoFolder([tmp_path])
    with pytest.raises(NotADirectoryError, match=r"photos\.zip is a file"):
        PhotoFolder(tmp_path / "photos.zip")
    with pytest.raises(ValueError, match="list of folders is empty"):
        PhotoFolder([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bad": "ignore"}, "raise.*skip"),
        ({"size": 0}, "at least 1"),
        ({"augment": True}, "needs size"),
        ({"size": 8, "scale": (0.5, 1.0)}, "1 <= lowest"),
        ({"size": 8, "scale": (1.5, 1.2)}, "1 <= lowest"),
        ({"keep": -1}, "keep=-1"),
        ({"threads": 0}, "threads=0"),
    ],
)
def test_contradicting_arguments(folder, options, message):
    with pytest.raises(ValueError, match=message):
        PhotoFolder(folder, **options)


# --- a list of photos to leave out ----------------------------------------------------------------


def test_a_list_in_the_folder_is_honored_and_reported(folder):
    (folder / "exclude.txt").write_text("a/00.png\tgray: 0.0\n")
    (folder / "b/exclude.txt").write_text("01.png\n")
    with pytest.warns(UserWarning, match="2 photo.*left out, as exclude.txt says") as caught:
        ds = PhotoFolder(folder)
    assert caught[0].filename == __file__
    assert len(ds) == 10 and ds.names[0] == "a/02.png"
    assert ds.excluded == {"a/00.png": "gray: 0.0", "b/01.png": ""}
    assert ds.at(8).excluded == ds.excluded
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(PhotoFolder(folder, exclude=False)) == 12
        assert PhotoFolder(folder, exclude=False).excluded == {}
    (folder / "b/exclude.txt").write_text("gone.png\n")
    with pytest.warns(UserWarning) as caught:
        assert len(PhotoFolder(folder)) == 11
    assert [w.filename for w in caught] == [__file__] * 2
    assert "names 1 photo(s) that are not there" in str(caught[0].message)


def test_a_list_given_by_name_counts_alone_and_silently(folder, tmp_path):
    (folder / "exclude.txt").write_text("a/00.png\n")
    (tmp_path / "list.txt").write_text("a/02.png\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = PhotoFolder(folder, exclude=tmp_path / "list.txt")
    assert list(ds.excluded) == ["a/02.png"] and "a/00.png" in ds.names
    with pytest.raises(ValueError, match="photos of one folder, and 2 were given"):
        PhotoFolder([folder / "a", folder / "b"], exclude=tmp_path / "list.txt")
    with pytest.raises(FileNotFoundError):
        PhotoFolder(folder, exclude=tmp_path / "gone.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="UTF-8"):
        PhotoFolder(folder, exclude=tmp_path / "list.txt")


def test_lists_of_several_folders_count_each_for_its_own(folder):
    (folder / "a/exclude.txt").write_text("00.png\n")
    (folder / "b/exclude.txt").write_text("01.png\n03.png\n")
    with pytest.warns(UserWarning, match="3 photo"):
        ds = PhotoFolder([folder / "a", folder / "b"])
    assert len(ds) == 9 and Counter(ds.folder_of) == {0: 5, 1: 4}


def test_a_list_of_all_photos_is_refused(folder):
    names = PhotoFolder(folder / "a").names
    (folder / "a/exclude.txt").write_text("\n".join(names))
    with pytest.raises(PhotoError, match="Each of the 6 photos.*exclude=False"):
        PhotoFolder(folder / "a")


def test_excluded_photos_are_not_read(folder):
    (folder / "a/bad.png").write_bytes(b"junk")
    (folder / "exclude.txt").write_text("a/bad.png\n")
    with pytest.warns(UserWarning, match="1 photo") as caught:
        ds = PhotoFolder(folder, bad="skip")
    assert len(caught) == 1 and ds.skipped == {} and len(ds) == 12


def test_paths_are_a_sequence(folder):
    ds = PhotoFolder([folder / "a", folder / "b"])
    everything = [ds.folders[f] / name for f, name in zip(ds.folder_of, ds.names, strict=True)]
    assert ds.paths == everything and list(ds.paths) == everything
    assert ds.paths[2:9:3] == everything[2:9:3] and ds.paths[-1] == everything[-1]
    assert everything[3] in ds.paths and ds.paths.index(everything[3]) == 3
    assert ds.paths != everything[1:] and ds.paths != 3
    with pytest.raises(IndexError):
        ds.paths[12]
    assert pickle.loads(pickle.dumps(ds)).paths == everything


def test_overlapping_folders_are_refused(folder):
    for other in (folder, folder / "a", folder / "a" / ".." / "b"):
        with pytest.raises(ValueError, match="overlap"):
            PhotoFolder([folder, other])


def test_a_bad_file_raises_by_name_and_only_when_asked_for(folder):
    (folder / "a" / "zz.png").write_bytes(b"broken")
    ds = PhotoFolder(folder)
    index = ds.names.index("a/zz.png")
    assert len(ds) == 13
    assert ds[index - 1].shape[0] == 3
    with pytest.raises(PhotoError, match=r"zz\.png: "):
        ds[index]


def test_bad_files_are_skipped_only_on_demand_with_a_warning_that_names_them(folder):
    good = PhotoFolder(folder)
    (folder / "a" / "05.png").write_bytes(b"broken")
    cut = folder / "b" / "zz.jpg"
    cut.write_bytes(PHOTO.read_bytes()[:9000])
    with pytest.warns(UserWarning, match=r"(?s)2 unreadable.*05\.png: .*zz\.jpg: ") as caught:
        ds = PhotoFolder(folder, bad="skip")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert set(ds.skipped) == {folder / "a" / "05.png", cut}
    assert ds.names == good.names
    assert ds.folder_of == [0] * 12
    assert all(torch.equal(a, b) for a, b in zip(ds, good, strict=True))


def test_no_warning_where_nothing_is_bad(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PhotoFolder(folder, bad="skip").skipped == {}


def test_a_folder_of_bad_files_alone_is_an_error(tmp_path):
    (tmp_path / "1.png").write_bytes(b"broken")
    with pytest.raises(PhotoError, match=r"None of the 1 photos.*1\.png"):
        PhotoFolder(tmp_path, bad="skip")


def test_many_bad_files_do_not_flood_the_screen(folder):
    for number in range(25):
        (folder / f"bad{number:02d}.png").touch()
    with pytest.warns(UserWarning, match="(?s)25 unreadable.*and 5 more, see .skipped"):
        ds = PhotoFolder(folder, bad="skip")
    assert len(ds.skipped) == 25


# --- size and augmentation -----------------------------------------------------------------------


def resized_and_cropped(path: Path, size: int) -> np.ndarray:
    """Oracle: the whole picture resized, then the middle square cut out."""
    image = Image.open(path).convert("RGB")
    factor = size / min(image.size)
    wide = [max(size, round(side * factor)) for side in image.size]
    left, top = ((side - size) // 2 for side in wide)
    whole = image.resize(wide, Image.Resampling.BICUBIC)
    return np.asarray(whole.crop((left, top, left + size, top + size))).astype(int)


@pytest.mark.parametrize("size", [16, 31, 64])
def test_middle_square_equals_resize_and_crop(folder, size):
    ds = PhotoFolder(folder, size=size)
    for photo, path in zip(ds, ds.paths, strict=True):
        assert photo.shape == (3, size, size)
        expected = resized_and_cropped(path, size)
        assert np.abs(photo.numpy().transpose(1, 2, 0) - expected).max() <= 2
    assert torch.equal(ds[3], ds[3, 12345])


def test_a_photo_of_the_right_size_is_not_resampled(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 50, 3), dtype=np.uint8)
    save(tmp_path / "x.png", pixels)
    (photo,) = PhotoFolder(tmp_path, size=32)
    assert np.array_equal(photo.numpy().transpose(1, 2, 0), pixels[:, 9:41])


@pytest.mark.parametrize(("size", "factor"), [(24, 4), (56, 2)])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_jpeg_reduced_while_decoding_stays_the_same_picture(tmp_path, size, factor, orientation):
    """Sides of 455 x 251 leave a part of the last reduced column and row unfilled."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.open(PHOTO).resize((455, 251))
    save(tmp_path / "x.jpg", stored, quality=97, subsampling=0, exif=exif)
    save(tmp_path / "oracle.bmp", UPRIGHT[orientation](np.asarray(stored)))
    image, (left, top, right, bottom) = photo_files.read_photo(tmp_path / "x.jpg", size)
    filled = (455 / factor, 251 / factor)
    assert sorted([right - left, bottom - top]) == sorted(filled)
    assert sorted(image.size) == sorted(int(np.ceil(side)) for side in filled)
    photo = PhotoFolder(tmp_path, size=size)[1]
    error = photo.numpy().transpose(1, 2, 0) - resized_and_cropped(tmp_path / "oracle.bmp", size)
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 38  # a shift of half a pixel: below 36


def test_a_strip_does_not_blow_up(tmp_path):
    save(tmp_path / "x.png", smooth(2, 9000))
    save(tmp_path / "y.png", smooth(1, 1))
    for photo in PhotoFolder(tmp_path, size=64):
        assert photo.shape == (3, 64, 64)


def test_the_seed_alone_decides_the_augmentation(folder):
    ds = PhotoFolder(folder, size=16, augment=True, scale=(1.0, 1.5))
    torch.manual_seed(0)
    first = [ds[4, seed] for seed in range(20)]
    torch.manual_seed(1)
    assert all(torch.equal(ds[4, seed], photo) for seed, photo in enumerate(first))
    assert len({photo.numpy().tobytes() for photo in first}) >= 19
    before = torch.random.get_rng_state()
    assert torch.equal(ds[4, 7], first[7])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_a_seed_torchs_generator_decides(folder):
    ds = PhotoFolder(folder, size=16, augment=True, scale=(1.0, 1.5))
    torch.manual_seed(5)
    first = [ds[0] for _ in range(5)]
    torch.manual_seed(5)
    assert all(torch.equal(ds[0], photo) for photo in first)
    assert len({photo.numpy().tobytes() for photo in first}) > 1


def test_crop_and_flip_are_uniform(tmp_path):
    """A ramp tells where each square was cut, and whether it was mirrored."""
    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8) * 5, (32, 40))
    save(tmp_path / "x.png", gray_box(ramp))
    ds = PhotoFolder(tmp_path, size=32, augment=True)
    n = 1800
    starts, flips = Counter(), 0
    for seed in range(n):
        row = ds[0, seed][0, 0].int()
        mirrored = bool(row[0] > row[-1])
        row = row.flip(0) if mirrored else row
        assert torch.equal(row, row[0] + 5 * torch.arange(32))  # untouched values: no resampling
        starts[int(row[0]) // 5] += 1
        flips += mirrored
    assert set(starts) == set(range(9))
    assert all(abs(count - n / 9) < 5 * (n / 9) ** 0.5 for count in starts.values())
    assert abs(flips - n / 2) < 5 * (n / 4) ** 0.5


def test_scale_is_uniform_between_its_ends(tmp_path):
    """The slope of a ramp tells the enlargement."""
    ramp = np.broadcast_to(np.arange(240, dtype=np.uint8), (240, 240))
    save(tmp_path / "x.png", gray_box(ramp))
    ds = PhotoFolder(tmp_path, size=120, augment=True, scale=(1.0, 1.5))
    scales = []
    for seed in range(200):
        row = ds[0, seed][0, 60].double()
        scales.append(2 * 99 / abs(row[109] - row[10]).item())
    assert 0.97 < min(scales) < 1.05
    assert 1.45 < max(scales) < 1.53
    assert abs(np.mean(scales) - 1.25) < 0.04
    # At u = 1 the whole photo is shown: 1 seed in 180 rounds to that.
    ds = ds.at(120, keep=10**6)
    assert (
        max(int(row.max()) - int(row.min()) for row in (ds[0, n][0, 9] for n in range(1200))) > 236
    )


def test_a_random_cut_equals_resize_and_crop(tmp_path):
    """A second photo, two ramps, tells which part a seed shows; Pillow resizes that part at once.

    Here it is resampled twice, and its place is rounded to a pixel of the working picture: hence
    decibels, and not a level or two. A place wrong by a pixel gives less than 30.
    """
    with Image.open(PHOTO) as image:
        image = image.resize((300, 220), Image.Resampling.BICUBIC)
    save(tmp_path / "a.png", image)
    y, x = np.mgrid[0:220, 0:300]
    save(tmp_path / "b.png", np.stack([x * 255 / 299, y * 255 / 219, 0 * x], -1).astype(np.uint8))
    ds = PhotoFolder(tmp_path, size=100, augment=True, scale=(1.0, 1.4))
    for seed in range(12):
        ramps = ds[1, seed].double().numpy()
        across = np.polyfit(np.arange(10, 90), ramps[0].mean(0)[10:90] + 0.5, 1) / 255 * 299
        down = np.polyfit(np.arange(10, 90), ramps[1].mean(1)[10:90] + 0.5, 1) / 255 * 219
        step, side = down[0], 100 * down[0]
        assert abs(across[0]) == pytest.approx(step, rel=0.02)
        middle = across[1] + 49.5 * across[0] + 0.5, down[1] + 49.5 * down[0] + 0.5
        box = [
            middle[0] - side / 2,
            middle[1] - side / 2,
            middle[0] + side / 2,
            middle[1] + side / 2,
        ]
        box = np.clip(box, 0, [300, 220, 300, 220])
        expected = np.asarray(image.resize((100, 100), Image.Resampling.BICUBIC, box=box)).astype(
            int
        )
        if across[0] < 0:
            expected = expected[:, ::-1]
        error = (ds[0, seed].numpy().transpose(1, 2, 0) - expected)[2:-2, 2:-2]
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 32


def test_of_a_strip_the_middle_is_kept_and_no_more(tmp_path, monkeypatch):
    resize, sizes = cuts.F.interpolate, []

    def noted(pixels, size, **options):
        sizes.append(size)
        return resize(pixels, size, **options)

    monkeypatch.setattr(cuts.F, "interpolate", noted)
    save(tmp_path / "x.png", gray_box(np.tile(np.arange(9000) * 255.0 / 9000, (3, 1)).astype("u1")))
    ds = PhotoFolder(tmp_path, size=64, augment=True, keep=10**8)
    photos_ = torch.stack([ds[0, seed] for seed in range(20)])
    assert ds.kept == (1, 4 * 64 * 64 * 3)
    assert 126 <= photos_.min() <= photos_.max() <= 129
    assert all(max(size) <= 4 * 64 for size in sizes)


# --- in memory -----------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The names of the files read, as they are read."""
    names = []

    def counted(path: Path, *options):
        names.append(path.name)
        return photo_files.read_photo(path, *options)

    monkeypatch.setattr(photo_folder, "read_photo", counted)
    return names


@pytest.mark.parametrize("augment", [True, False])
def test_memory_and_threads_change_no_byte(folder, augment):
    plain = PhotoFolder(folder, size=16, augment=augment, scale=(1.0, 1.4))
    expected = epoch(plain, epochs=2)
    assert plain.kept == (0, 0)
    for options in ({"keep": 10**6}, {"keep": 6000}, {"threads": 4}, {"keep": 10**6, "threads": 4}):
        assert torch.equal(epoch(plain.at(16, **options), epochs=2), expected)
    both = plain.at(16, keep=10**6, threads=2)
    assert torch.equal(both[5, 1], plain[5, 1])
    # The workers are forked from a process with threads and photos in memory.
    list(both.__getitems__([(0, 0), (1, 1), (2, 2)]))
    assert torch.equal(epoch(both, epochs=2, num_workers=2), expected)


def test_the_second_epoch_reads_no_file(cut, folder, reads):
    expected = epoch(cut, epochs=2)
    ds = cut.at(16, keep=10**6, threads=2)
    reads.clear()
    assert torch.equal(epoch(ds, epochs=2), expected)
    assert len(reads) == 12
    # 16 * 1.4, rounded up, is the short side.
    sides = [sorted([30 + n, 50 - 2 * n]) for n in range(12)]
    pixels = sum(23 * round(long * 23 / short) for short, long in sides)
    assert ds.kept == (12, 3 * pixels)
    shutil.rmtree(folder)
    assert torch.equal(epoch(ds, epochs=2), expected)
    with pytest.raises(PhotoError, match="no such file"):
        epoch(cut)


def test_what_does_not_fit_is_read_each_time(cut, reads):
    ds = cut.at(16, keep=10_000, threads=3)
    first = epoch(ds)
    count, size = ds.kept
    assert 3 <= count <= 6 and size <= 10_000
    kept = dict(ds._kept._tensors)
    reads.clear()
    assert torch.equal(epoch(ds), first)
    assert len(reads) == 12 - count
    assert ds.kept == (count, size)
    assert all(ds._kept.get(number) is tensor for number, tensor in kept.items())
    one = cut.at(1, augment=False, keep=8)  # 3 bytes a photo
    assert len(epoch(one)) == 12
    assert one.kept == (2, 6)


def test_whole_photos_are_kept_too(folder, reads):
    ds = PhotoFolder(folder, keep=10**6)
    assert all(torch.equal(a, b) for a, b in zip(ds, ds, strict=True))
    assert len(reads) == 12
    assert ds.kept[1] == sum(photo.numel() for photo in ds)


@pytest.mark.parametrize("size", [1, 16])
@pytest.mark.parametrize("augment", [True, False])
def test_writing_to_a_photo_does_not_change_the_kept_one(folder, size, augment):
    ds = PhotoFolder(folder, size=size, augment=augment, keep=10**6)
    before = [ds[i, 3].clone() for i in range(12)]
    for i in range(12):
        assert ds[i, 3].is_contiguous()
        ds[i, 3].fill_(255)
    assert all(torch.equal(ds[i, 3], photo) for i, photo in enumerate(before))
    if not augment:  # no part of the photo that is never shown
        assert all(t.untyped_storage().nbytes() == t.nbytes for t in ds._kept._tensors.values())


def test_at_gives_other_settings_without_listing_anew(cut, monkeypatch):
    cut = cut.at(16, keep=10**6, threads=2)
    cut[0, 0]
    monkeypatch.setattr(photo_folder, "list_photos", None)
    small = cut.at(8)
    assert (small.size, small.augment, small.scale) == (8, True, (1.0, 1.4))
    assert small[3, 5].shape == (3, 8, 8)
    assert small.names == cut.names
    assert cut.kept[0] == small.kept[0] == 1
    fresh = cut.at(16)
    assert fresh.kept == (0, 0)
    assert torch.equal(fresh[0, 9], cut[0, 9])
    middle = cut.at(16, augment=False)
    assert torch.equal(middle[0, 1], middle[0, 2])
    assert cut.at(16, scale=(1.0, 1.0))[0, 0].shape == (3, 16, 16)
    assert cut.at(16, keep=0)._kept.limit == 0
    for options in ({"keep": -1}, {"threads": 0}, {"scale": (0.5, 1.0)}, {"size": None}):
        with pytest.raises(ValueError, match=next(iter(options))):
            cut.at(**{"size": 16, **options})


def test_parts_have_a_memory_of_their_own(cut):
    plain = {name: list(part) for name, part in cut.at(16, augment=False).split().items()}
    whole = cut.at(16, augment=False, keep=10**6)
    assert len(list(whole)) == whole.kept[0] == 12  # photo 0 of a part is another one
    for name, part in whole.split().items():
        assert part.kept == (0, 0)
        for _ in range(2):
            assert all(torch.equal(a, b) for a, b in zip(part, plain[name], strict=True))
        assert part.kept[0] == len(part)
    assert whole.kept[0] == 12


def test_a_pickle_starts_empty(cut):
    ds = cut.at(16, keep=10**6, threads=2)
    expected = ds.__getitems__([(0, 1), (1, 2)])
    other = pickle.loads(pickle.dumps(ds))
    assert (other.kept, ds.kept[0]) == ((0, 0), 2)
    assert all(map(torch.equal, other.__getitems__([(0, 1), (1, 2)]), expected))
    assert len(pickle.dumps(ds)) < 6000


class Counted(PhotoFolder):
    """A folder whose photos tell how many are kept where they are made."""

    def __getitems__(self, items):
        super().__getitems__(items)
        return [torch.tensor(self.kept[0]) for _ in items]


def test_worker_processes_keep_nothing(folder):
    assert epoch_of_numbers(Counted(folder, size=4, keep=10**6), 0) == [4, 8, 12]
    assert epoch_of_numbers(Counted(folder, size=4, keep=10**6), 1) == [0, 0, 0]


def epoch_of_numbers(ds, workers: int) -> list[int]:
    loader = photo_loader(ds, 4, generator=torch.Generator(), num_workers=workers)
    return [int(batch.max()) for batch in loader]


def test_numbers_beyond_the_end_and_from_it(cut):
    ds = cut.at(16, keep=10**6)
    assert torch.equal(ds[-1, 5], ds[11, 5])
    assert ds.kept[0] == 1
    for number in (12, -13):
        with pytest.raises(IndexError):
            ds[number]


def test_threads_name_the_first_bad_photo_of_a_batch(folder):
    for name in ("y", "z"):
        (folder / "a" / f"{name}.jpg").write_bytes(PHOTO.read_bytes()[:5000])
    ds = PhotoFolder(folder, size=16, threads=4, keep=10**6)
    bad = [ds.names.index("a/z.jpg"), 0, ds.names.index("a/y.jpg")]
    for _ in range(2):
        with pytest.raises(PhotoError, match=r"z\.jpg: corrupt or truncated"):
            ds.__getitems__(bad)
    assert ds.kept[0] <= 1


# --- weights and splits --------------------------------------------------------------------------


@pytest.mark.parametrize(("balance", "share"), [(1.0, 10 / 13), (0.0, 0.5), (0.5, 0.646108)])
def test_weights_balance_folders(tmp_path, balance, share):
    for number in range(13):
        save(tmp_path / ("big" if number < 10 else "small") / f"{number}.png", smooth(4, 4))
    weights = PhotoFolder([tmp_path / "big", tmp_path / "small"]).weights(balance)
    assert weights.dtype == torch.float64
    assert weights.sum().item() == pytest.approx(1, abs=1e-12)
    assert weights[:10].sum().item() == pytest.approx(share, abs=1e-5)
    assert weights[:10].unique().numel() == 1


def test_split_is_the_same_everywhere_and_for_ever():
    """The parts as coreutils' `b2sum -l 48`, divided by 2**48, gives them."""
    assert split_by_name([f"{n}.jpg" for n in range(12)]) == {
        "train": ["3.jpg", "4.jpg", "5.jpg", "9.jpg", "10.jpg", "11.jpg"],
        "val": ["0.jpg", "2.jpg"],
        "test": ["1.jpg", "6.jpg", "7.jpg", "8.jpg"],
    }
    code = (
        "from colorlab.photos.base import split_by_name; print(split_by_name(['a.jpg', 'b/c.png']))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(PHOTO.parents[3])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


@settings(max_examples=50, deadline=None)
@given(
    names=st.lists(st.text(min_size=1).filter(lambda name: not name.startswith("/")), unique=True),
    more=st.lists(st.text(min_size=1).filter(lambda name: not name.startswith("/"))),
)
def test_adding_photos_moves_none(names, more):
    before, after = split_by_name(names), split_by_name(more + names)
    for part, members in before.items():
        assert set(members) <= set(after[part])
    assert Counter(sum(before.values(), [])) == Counter(names)


def test_split_meets_the_fractions_on_average():
    parts = split_by_name((f"{n:05d}.jpg" for n in range(20000)), {"a": 0.5, "b": 0.3, "c": 0.2})
    for part, share in {"a": 0.5, "b": 0.3, "c": 0.2}.items():
        assert abs(len(parts[part]) - 20000 * share) < 5 * (20000 * share * (1 - share)) ** 0.5


def test_split_takes_paths_and_one_spelling_of_accents():
    composed, decomposed = "caf\u00e9.jpg", "cafe\u0301.jpg"
    many = [f"{n}/{name}" for n in range(50) for name in (composed, decomposed)]
    for part in split_by_name(many).values():
        assert len(part) % 2 == 0
    path = PurePosixPath("a/1.jpg")
    (part,) = [part for part, names in split_by_name([path]).items() if names]
    assert split_by_name(["a/1.jpg"])[part] == ["a/1.jpg"]


def test_split_takes_names_that_are_not_utf_8():
    """By the name's own bytes, as Python's os.fsencode gives them."""
    names = [f"caf\udce9-{number}.jpg" for number in range(50)]
    expected = {"train": [], "val": []}
    for name in names:
        digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=6).digest()
        expected["train" if int.from_bytes(digest, "big") < 2**47 else "val"].append(name)
    assert split_by_name(names, {"train": 0.5, "val": 0.5}) == expected
    assert all(expected.values())


def test_split_refuses_what_would_differ_elsewhere():
    with pytest.raises(ValueError, match="absolute path"):
        split_by_name([PHOTO])
    for fractions in ({"train": 0.8}, {"train": 1.2, "val": -0.2}):
        with pytest.raises(ValueError, match="sum of 1"):
            split_by_name(["a"], fractions)


def test_a_folder_splits_into_folders(tmp_path):
    for number in range(40):
        save(tmp_path / ("x" if number % 2 else "y") / f"{number}.png", smooth(4, 6))
    whole = PhotoFolder([tmp_path / "x", tmp_path / "y"], size=4)
    parts = whole.split({"train": 0.5, "val": 0.5})
    assert {name: part.names for name, part in parts.items()} == split_by_name(
        whole.names, {"train": 0.5, "val": 0.5}
    )
    train = parts["train"]
    assert 8 < len(train) < 32
    assert [path.parent.name for path in train.paths] == ["xy"[f] for f in train.folder_of]
    assert [path.name for path in train.paths] == train.names
    assert train[0].shape == (3, 4, 4)
    assert train.weights(0).sum().item() == pytest.approx(1)


# --- photo_loader --------------------------------------------------------------------------------


def epoch(ds, seed=3, epochs=1, **options) -> torch.Tensor:
    loader = photo_loader(ds, 4, generator=torch.Generator().manual_seed(seed), **options)
    return torch.cat([batch for _ in range(epochs) for batch in loader])


@pytest.fixture
def cut(folder) -> PhotoFolder:
    return PhotoFolder(folder, size=16, augment=True, scale=(1.0, 1.4))


def test_batches_do_not_depend_on_the_number_of_workers(cut):
    batches = epoch(cut, epochs=2)
    assert batches.shape == (24, 3, 16, 16)
    assert batches.dtype == torch.uint8
    assert torch.equal(batches, epoch(cut, epochs=2, num_workers=2))
    options = {"weights": cut.weights(0.5), "samples": 20}
    assert torch.equal(epoch(cut, **options), epoch(cut, num_workers=2, **options))


def test_the_generator_alone_decides(cut):
    torch.manual_seed(0)
    first = epoch(cut)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    assert torch.equal(epoch(cut), first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(epoch(cut, seed=4), first)
    two = epoch(cut, epochs=2)
    assert torch.equal(two[:12], first)
    assert not torch.equal(two[12:], first)


def blues(batches: torch.Tensor) -> list[int]:
    """The number of each photo, which the fixture wrote into its blue channel."""
    return [round(photo[2].float().mean().item() / 20) for photo in batches]


def test_an_epoch_holds_each_photo_once(cut):
    assert sorted(blues(epoch(cut))) == list(range(12))
    assert blues(epoch(cut)) != list(range(12))
    assert blues(epoch(cut, shuffle=False)) == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]


def test_samples_without_weights_go_round(cut):
    drawn = Counter(blues(epoch(cut, samples=28)))
    assert sum(drawn.values()) == 28
    assert set(drawn.values()) == {2, 3}
    assert len(blues(epoch(cut, samples=8))) == len(set(blues(epoch(cut, samples=8)))) == 8


def test_drop_last(cut):
    assert len(epoch(cut, samples=11)) == 8
    assert len(epoch(cut, samples=11, drop_last=False)) == 11


def test_weights_are_met(cut):
    weights = torch.zeros(12)
    weights[[2, 5]] = torch.tensor([3.0, 1.0])  # names[2] is a/04.png, names[5] is a/10.png
    drawn = Counter(blues(epoch(cut, weights=weights, samples=400)))
    assert set(drawn) == {4, 10}
    assert abs(drawn[4] - 300) < 5 * 75**0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 3}, "3 samples an epoch make no batch of 4"),
        ({"samples": 0, "drop_last": False}, "no batch"),
        ({"weights": torch.ones(5)}, r"expected 12 .* shape \(5,\)"),
        ({"weights": torch.zeros(12)}, "not all 0"),
        ({"weights": torch.full((12,), float("nan"))}, "finite"),
        ({"weights": torch.ones(12), "shuffle": False}, "leave out one"),
    ],
)
def test_loader_refuses_what_makes_no_sense(cut, options, message):
    with pytest.raises(ValueError, match=message):
        epoch(cut, **options)


def test_loader_says_why_whole_photos_do_not_stack(folder):
    with pytest.raises(ValueError, match="size=256"):
        epoch(PhotoFolder(folder))


def test_a_bad_file_in_a_worker_is_still_named(folder):
    shutil.copy(PHOTO, folder / "a" / "zz.jpg")
    (folder / "a" / "zz.jpg").write_bytes(PHOTO.read_bytes()[:5000])
    with pytest.raises(PhotoError, match=r"zz\.jpg: corrupt or truncated"):
        epoch(PhotoFolder(folder, size=16), num_workers=1, drop_last=False)


# --- a photo and its alpha, apart -----------------------------------------------------------------


def layers(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    rgb, alpha, _ = photo_files.open_layers(path)
    assert rgb.mode == "RGB" and rgb.info == {}
    assert alpha is None or (alpha.mode == "L" and alpha.size == rgb.size)
    return np.asarray(rgb).astype(int), None if alpha is None else np.asarray(alpha)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.jpg", "RGB"), ("a.png", "L"), ("a.png", "P"), ("a.tif", "CMYK")],
)
def test_layers_without_alpha_are_what_open_photo_gives(tmp_path, name, mode):
    path = save(tmp_path / name, Image.fromarray(smooth(12, 17)).convert(mode))
    rgb, alpha = layers(path)
    assert alpha is None
    assert (rgb == read(path)).all()


def test_layers_keep_the_color_under_the_alpha(tmp_path):
    """open_photo would lay it over white; here both come back as they were."""
    alpha = np.random.default_rng(0).integers(0, 256, (12, 17), dtype=np.uint8)
    pixels = np.dstack([smooth(12, 17), alpha])
    for name in ("a.png", "a.tif"):
        found = layers(save(tmp_path / name, pixels))
        assert (found[0] == smooth(12, 17)).all()
        assert (found[1] == alpha).all()
    gray = Image.fromarray(np.dstack([smooth(12, 17)[..., 0], alpha]), "LA")
    found = layers(save(tmp_path / "gray.png", gray))
    assert (found[0] == gray_box(smooth(12, 17)[..., 0])).all()
    assert (found[1] == alpha).all()


def test_layers_of_transparent_palettes_and_colors(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 8, 9])
    image.putdata([0, 1, 2])
    expected = [[10, 20, 30], [200, 100, 50], [7, 8, 9]]
    for options, alphas in (
        ({"transparency": 1}, [255, 0, 255]),
        ({"transparency": bytes([255, 0, 128])}, [255, 0, 128]),
    ):
        rgb, alpha = layers(save(tmp_path / "p.png", image, **options))
        assert rgb[0].tolist() == expected
        assert alpha[0].tolist() == alphas
    rgb, alpha = layers(save(tmp_path / "c.png", image.convert("RGB"), transparency=(7, 8, 9)))
    assert rgb[0].tolist() == expected
    assert alpha[0].tolist() == [255, 255, 0]


def test_layers_of_deep_gray_with_a_transparent_value(tmp_path):
    values = np.array([[0, 257, 4096, 65535]], np.uint16)
    path = save(tmp_path / "a.png", values, transparency=4096)
    rgb, alpha = layers(path)
    assert rgb[0, :, 0].tolist() == [0, 1, 16, 255]
    assert alpha[0].tolist() == [255, 255, 0, 255]
    assert layers(save(tmp_path / "b.png", values))[1] is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_layers_are_both_set_upright(tmp_path, orientation):
    pixels = np.dstack([smooth(6, 9), smooth(6, 9)[..., 2]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", pixels, exif=exif)
    rgb, alpha = layers(path)
    # Over opaque pixels open_photo gives the same picture, and its turns are tested above.
    save(tmp_path / "b.png", smooth(6, 9), exif=exif)
    assert (rgb == read(tmp_path / "b.png")).all()
    assert (alpha == rgb[..., 2]).all()
    with Image.open(path) as image:
        again = photo_files.upright_layers(image)
    assert again[0].tobytes() == rgb.astype(np.uint8).tobytes()
    assert again[1].tobytes() == alpha.tobytes()


def test_layers_of_bad_files_are_named(tmp_path):
    (tmp_path / "cut.jpg").write_bytes(PHOTO.read_bytes()[:5000])
    save(tmp_path / "deep.tif", np.zeros((4, 4), np.float32))
    for name, words in (
        ("cut.jpg", "truncated"),
        ("deep.tif", "32-bit"),
        ("absent.png", "no such file"),
    ):
        with pytest.raises(PhotoError, match=rf"{name}: .*{words}"):
            photo_files.open_layers(tmp_path / name)
    with pytest.raises(PhotoError, match="32-bit"):
        photo_files.upright_layers(Image.new("F", (4, 4)))
