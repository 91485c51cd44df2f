"""colorlab.photos.pairs: gray and color photos matched by name, cut by one window."""

import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from made import check_threads_and_workers
from PIL import Image

from colorlab.photos.base import split_by_name
from colorlab.photos.files import PhotoError
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.pairs import PairedFolder

PHOTOS = Path(__file__).resolve().parents[2] / "data/photos/val"


def smooth(height: int, width: int, blue: int) -> np.ndarray:
    """Every row and column differs, uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    rows = 255 * y / (height - 1)
    return np.stack([255 * x / (width - 1), rows, np.full_like(rows, blue)], -1).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Ten pairs; the gray file is the negative of the red channel, which no conversion gives."""
    gray, color = tmp_path / "gray", tmp_path / "color"
    for number in range(10):
        pixels = smooth(20 + number, 40 - number, 25 * number)
        stem = f"{'ab'[number % 2]}/{number}"
        save(color / f"{stem}.png", pixels)
        save(gray / f"{stem}.{'bmp' if number < 5 else 'png'}", 255 - pixels[..., 0])
    return gray, color


def test_items(folders):
    pairs = PairedFolder(*folders)
    assert len(pairs) == 10 and pairs.holds == "gray+rgb"
    assert pairs.names == PhotoFolder(folders[1]).names
    for index, name in enumerate(pairs.names):
        color = np.asarray(Image.open(folders[1] / name)).transpose(2, 0, 1)
        item = pairs[index]
        assert item.dtype == torch.uint8 and item.is_contiguous()
        assert np.array_equal(item[1:].numpy(), color)
        assert np.array_equal(item[0].numpy(), 255 - color[0])


def test_gray_file_stored_as_rgb_gives_its_luma(folders):
    gray, color = folders
    pixels = smooth(20, 40, 90)
    save(gray / "c.png", pixels)
    save(color / "c.webp", pixels)
    item = PairedFolder(gray, color)[-1]
    luma = pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(item[0].numpy() - luma).max() <= 0.51


def test_middle_cut(folders):
    """Against Pillow: the whole photo resized, the middle of it cropped."""
    pairs = PairedFolder(*folders, size=16)
    for index, name in enumerate(pairs.names):
        image = Image.open(folders[1] / name)
        wide = round(image.width * 16 / image.height)
        left = (wide - 16) // 2
        cut = image.resize((wide, 16), Image.Resampling.BICUBIC).crop((left, 0, left + 16, 16))
        expected = np.asarray(cut).transpose(2, 0, 1).astype(int)
        assert np.abs(pairs[index][1:].numpy() - expected).max() <= 1
        assert np.abs(pairs[index][0].numpy() - (255 - expected[0])).max() <= 2
        assert torch.equal(pairs[index, 1], pairs[index, 2])


def test_both_are_cut_by_one_window(folders):
    pairs = PairedFolder(*folders, size=16, augment=True, scale=(1.0, 1.4))
    different, mirrored = set(), 0
    for seed in range(60):
        item = pairs[seed % 10, seed]
        # the gray photo is the negative of red, cut and resampled alike
        assert (item[0].int() + item[1].int() - 255).abs().max() <= 1
        assert torch.equal(pairs[seed % 10, seed], item)
        different.add(item.numpy().tobytes())
        mirrored += int(item[1, 0, 0] > item[1, 0, -1])  # red grows to the right in the file
    assert len(different) > 55 and 20 <= mirrored <= 40


def test_random_cuts_are_drawn_as_documented(tmp_path):
    """Red grows by one a pixel to the right, green downward: an item tells where it was cut out."""
    y, x = np.mgrid[0:120, 0:160]
    save(tmp_path / "color/x.png", np.stack([60 + x, 60 + y, x], -1).astype(np.uint8))
    save(tmp_path / "gray/x.png", x.astype(np.uint8))
    folders = tmp_path / "gray", tmp_path / "color"
    pairs = PairedFolder(*folders, size=60, augment=True, scale=(1.0, 1.6))
    drawn = []
    for seed in range(200):
        red, green = pairs[0, seed][1:3].double()
        across, down = red.mean(0).diff().mean(), green.mean(1).diff().mean()
        assert abs(across.abs() - down) < 0.06
        drawn.append([2 / down, (red.mean(0).min() - 60) / (160 - 60 * down)])
    u, left = np.array(drawn).T
    assert 0.98 < u.min() < 1.04 and 1.56 < u.max() < 1.62 and abs(u.mean() - 1.3) < 0.04
    assert left.min() < 0.1 and left.max() > 0.9 and abs(left.mean() - 0.5) < 0.07


def test_gray_of_another_resolution_shows_the_same_part(tmp_path):
    """A large JPEG (decoded at a reduced size) and a small gray file with another rounding."""
    y, x = np.mgrid[0:683, 0:1023]
    red = (x * 0.15 + y * 0.14).astype(np.uint8)
    save(tmp_path / "color/x.jpg", np.stack([red, red, red], -1))
    small = Image.fromarray(255 - red).resize((300, 200), Image.Resampling.BICUBIC)
    save(tmp_path / "gray/x.png", np.asarray(small))
    folders = tmp_path / "gray", tmp_path / "color"
    pairs = PairedFolder(*folders, size=32, augment=True, scale=(1.0, 1.3))
    for seed in range(20):
        item = pairs[0, seed].int()
        # one pixel to any side is 2.3 or more
        gap = (item[0] + item[1] - 255).float()
        assert gap.abs().max() <= 3 and gap.mean().abs() < 0.8
    whole = pairs.at(None, augment=False)[0].int()
    assert whole.shape == (4, 683, 1023)
    assert (whole[0] + whole[1] - 255).abs().float().mean() < 1


def test_another_aspect_is_an_error(folders):
    gray, color = folders
    save(gray / "z.png", np.zeros((400, 300), np.uint8))
    save(color / "z.jpg", np.zeros((500, 400, 3), np.uint8))
    for size in (None, 16):
        pairs = PairedFolder(gray, color, size=size)
        with pytest.raises(PhotoError, match=r"z\.png \(300 x 400\).*z\.jpg \(400 x 500\).*1 %"):
            pairs[-1]
        assert pairs[0].shape[0] == 4


def test_unmatched_are_reported(folders):
    gray, color = folders
    extra = [f"extra{number:02d}.png" for number in range(23)]
    for name in extra:
        save(gray / name, np.zeros((4, 4), np.uint8))
    save(color / "a/lone.jpg", np.zeros((4, 4, 3), np.uint8))
    with pytest.warns(UserWarning, match="without a partner") as caught:
        pairs = PairedFolder(gray, color)
    text = str(caught[0].message)
    assert caught[0].filename == __file__
    assert "10 pair(s)" in text and "23 only in" in text and "1 only in" in text
    assert "extra19.png" in text and "extra20.png" not in text and "and 3 more" in text
    assert "a/lone.jpg" in text
    assert pairs.unmatched == (extra, ["a/lone.jpg"])
    assert len(pairs) == 10


def test_all_matched_warns_of_nothing(folders):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PairedFolder(*folders).unmatched == ([], [])


def test_what_a_list_names_is_left_out_with_its_partner(folders):
    gray, color = folders
    (gray / "exclude.txt").write_text("a/0.bmp\tfaded\n")
    (color / "a").joinpath("exclude.txt").write_text("2.png\n")
    with pytest.warns(UserWarning, match=r"2 photo\(s\) left out, as exclude.txt says") as caught:
        pairs = PairedFolder(gray, color)
    assert [warning.filename for warning in caught] == [__file__]
    assert pairs.excluded == {gray / "a/0.bmp": "faded", color / "a/2.png": ""}
    assert pairs.unmatched == ([], [])
    assert pairs.names == [n for n in PhotoFolder(color, exclude=False).names if n[2] not in "02"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(PairedFolder(gray, color, exclude=False)) == 10


def test_a_list_decides_between_two_files_of_one_name(folders):
    gray, color = folders
    save(color / "a/0.bmp", np.zeros((4, 4, 3), np.uint8))
    (color / "exclude.txt").write_text("a/0.bmp\n")
    with pytest.warns(UserWarning, match="left out"):
        assert len(PairedFolder(gray, color)) == 10


def test_every_photo_on_a_list(folders):
    gray, color = folders
    names = PhotoFolder(color).names
    (color / "exclude.txt").write_text("\n".join(names))
    with pytest.raises(PhotoError, match=f"Each of the 10 photos in {color} is on a list"):
        PairedFolder(gray, color)
    (color / "exclude.txt").write_text("\n".join(names[:5]))
    (gray / "exclude.txt").write_text(
        "\n".join(f"b/{i}.{'bmp' if i < 5 else 'png'}" for i in (1, 3, 5, 7, 9))
    )
    with pytest.raises(PhotoError, match=f"Each pair of {gray} and {color} is on a list"):
        PairedFolder(gray, color)


def test_order_of_listing_does_not_pair(tmp_path):
    """One gray photo more, before the others, and one less: most stand one place off."""
    for number in range(6):
        save(tmp_path / f"color/{number}.png", np.full((4, 4, 3), number, np.uint8))
        if number != 1:
            save(tmp_path / f"gray/{number}.png", np.full((4, 4), 10 + number, np.uint8))
    save(tmp_path / "gray/00.png", np.full((4, 4), 99, np.uint8))
    with pytest.warns(UserWarning, match="only in"):
        pairs = PairedFolder(tmp_path / "gray", tmp_path / "color")
    assert [pairs[i][:2, 0, 0].tolist() for i in range(5)] == [[10 + n, n] for n in (0, 2, 3, 4, 5)]


def test_accents_and_dots(tmp_path):
    name = "caf\u00e9.v2"
    save(tmp_path / "gray" / (unicodedata.normalize("NFD", name) + ".PNG"), np.zeros((4, 4), "u1"))
    save(tmp_path / "color" / (name + ".jpg"), np.zeros((4, 4, 3), "u1"))
    assert len(PairedFolder(tmp_path / "gray", tmp_path / "color")) == 1


def test_no_match(tmp_path):
    for number in range(5):
        save(tmp_path / f"gray/{number}_gray.png", np.zeros((4, 4), np.uint8))
        save(tmp_path / f"color/{number}.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(PhotoError, match="No photo in .*has its name in") as error:
        PairedFolder(tmp_path / "gray", tmp_path / "color")
    text = str(error.value)
    assert "0_gray.png, 1_gray.png, 2_gray.png, ... and 2 more" in text
    assert "0.png, 1.png, 2.png, ... and 2 more" in text


def test_one_name_claimed_twice(folders):
    for folder in folders:
        save(folder / "a/x.png", np.zeros((4, 4), np.uint8))
        save(folder / "a/x.jpg", np.zeros((4, 4), np.uint8))
        with pytest.raises(PhotoError, match=rf"{folder} holds both a/x\.\w+ and a/x\.\w+"):
            PairedFolder(*folders)
        (folder / "a/x.jpg").unlink()


def test_bad_arguments(folders, tmp_path):
    gray, color = folders
    with pytest.raises(FileNotFoundError, match="nowhere"):
        PairedFolder(gray, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="both the gray and the color"):
        PairedFolder(color, color)
    with pytest.raises(ValueError, match="augment=True.*size"):
        PairedFolder(gray, color, augment=True)
    with pytest.raises(ValueError, match="size=0"):
        PairedFolder(gray, color, size=0)
    with pytest.raises(ValueError, match="scale"):
        PairedFolder(gray, color, size=8, scale=(1.2, 1.1))


def test_a_broken_file_is_named(folders):
    (folders[0] / "a/0.bmp").write_bytes(b"BM")
    with pytest.raises(PhotoError, match=r"a/0\.bmp"):
        PairedFolder(*folders)[0]


def test_split(folders):
    pairs = PairedFolder(*folders, size=8, augment=True)
    fractions = {"train": 0.6, "test": 0.4}
    parts = pairs.split(fractions)
    expected = split_by_name(PhotoFolder(folders[1]).names, fractions)
    assert {name: part.names for name, part in parts.items()} == expected
    assert all(expected.values())  # neither part is empty
    for part in parts.values():
        assert part.size == 8 and part.augment
        for index, name in enumerate(part.names):
            assert torch.equal(part[index, 7], pairs[pairs.names.index(name), 7])


def test_at(folders):
    pairs = PairedFolder(*folders)
    other = pairs.at(8, augment=True, scale=(1.0, 1.1))
    expected = PairedFolder(*folders, size=8, augment=True, scale=(1.0, 1.1))
    assert torch.equal(other[2, 5], expected[2, 5])
    assert pairs.size is None and other.at(9)[0].shape == (4, 9, 9)
    assert other.at(9).augment and not other.at(9, augment=False).augment
    with pytest.raises(ValueError, match="size"):
        pairs.at(None, augment=True)


def test_threads_and_workers_see_the_same(folders):
    pairs = PairedFolder(*folders, size=12, augment=True, scale=(1.0, 1.3))
    items = [(index % 10, index) for index in range(200)]
    assert check_threads_and_workers(pairs, items, 5).shape == (10, 4, 12, 12)


@pytest.mark.parametrize("augment", [True, False])
def test_memory_and_threads_change_no_byte(folders, augment):
    plain = PairedFolder(*folders, size=12, augment=augment, scale=(1.0, 1.3))
    quick = plain.at(12, keep=10**6, threads=3)
    items = [(index, 7 * index) for index in range(10)]
    for _ in range(2):  # the second time from memory
        for one, other in zip(plain.__getitems__(items), quick.__getitems__(items), strict=True):
            assert torch.equal(one, other)
    assert plain.kept == (0, 0) and quick.kept[0] == 10 and quick.kept[1] >= 10 * 4 * 12 * 12
    whole = plain.__getitems__(items)
    for path in folders[0].rglob("*.*"):
        path.unlink()
    assert all(torch.equal(a, b) for a, b in zip(whole, quick.__getitems__(items), strict=True))


def test_one_set_is_balanced_in_itself(folders):
    pairs = PairedFolder(*folders)
    for balance in (0.0, 0.4, 1.0):
        expected = PhotoFolder(folders[1]).weights(balance)
        torch.testing.assert_close(pairs.weights(balance), expected)


def test_a_real_photo(tmp_path):
    """A gray copy of a real photo, as JPEG: luma of the color file, nearly."""
    path = PHOTOS / "alpaca.jpg"
    image = Image.open(path).convert("RGB")
    save(tmp_path / "gray/alpaca.png", np.asarray(image.convert("L")))
    save(tmp_path / "color/alpaca.png", np.asarray(image))
    pairs = PairedFolder(tmp_path / "gray", tmp_path / "color", size=96, augment=True)
    item = pairs[0, 3].double()
    luma = 0.299 * item[1] + 0.587 * item[2] + 0.114 * item[3]
    assert (item[0] - luma).abs().max() < 3
    assert (item[0] - luma).abs().mean() < 0.6
