"""colorlab.sources.layouts: what belongs to a set, in archives and in learners' folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlab.photos.arrays import LabArrays, write_lab_arrays
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.pairs import PairedFolder
from colorlab.sources.layouts import (
    items,
    open_set,
    pair_folders,
    recognize,
    subset,
    thin_arrays,
)


def photo(path: Path, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.stem))
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


# --- what an archive holds -----------------------------------------------------------------------


def test_photos_of_an_archive():
    names = [
        "b/2.JPG",
        "a.png",
        "list.csv",
        "__MACOSX/a.png",
        "__MACOSX/._a.png",
        ".hidden/x.jpg",
        "b/._2.JPG",
        "b/.DS_Store",
        "movie.mp4",
    ]
    assert items("photos", names) == {"a.png": ["a.png"], "b/2.JPG": ["b/2.JPG"]}
    assert items("arrays", names) == {} == items("pairs", names)


def test_pairs_of_an_archive():
    names = [
        *(f"data/{part}_{side}/image{i:04d}.jpg" for part in ("train", "test") for i in range(3)
          for side in ("black", "color")),
        "data/train_black/alone.jpg",
        "data/other.jpg",
    ]  # fmt: skip
    found = items("pairs", names)
    assert len(found) == 6
    assert found["train/image0002"] == [
        "data/train_black/image0002.jpg",
        "data/train_color/image0002.jpg",
    ]
    assert sorted(subset("pairs", found, None, 0)) == sorted(names[:12])
    few = subset("pairs", found, 2, 0)
    assert len(few) == 4 and all("train_" in name for name in few)
    assert {name.rpartition("/")[2] for name in few[::2]} == {
        name.rpartition("/")[2] for name in few[1::2]
    }


def test_train_and_val_of_an_archive(tmp_path):
    names = [f"set/{part}/n0{i % 2}/{i}.JPEG" for part in ("train", "val") for i in range(9)]
    others = ["set/noisy.csv", "set/test/n00/0.JPEG", "set/x/train/0.JPEG", "set/.train/0.JPEG"]
    found = items("split", [*names, *others])
    assert found == {name: [name] for name in names}
    assert subset("split", found, None, 0) == sorted(names)
    drawn = subset("split", found, 4, 0)
    assert len(drawn) == 4 and all("/train/" in name for name in drawn)
    assert len(subset("split", found, 99, 0)) == 9  # what is meant to judge by stays out
    for name in names:
        photo(tmp_path / name)
    for part in ("train", "val"):
        assert open_set("split", tmp_path, part).folders == [tmp_path / "set" / part]
    assert len(open_set("split", tmp_path / "set")) == 9
    (tmp_path / "other/val").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds 2 folders val, and one was expected"):
        open_set("split", tmp_path, "val")
    with pytest.raises(ValueError, match="holds 0 folders train"):
        open_set("split", tmp_path / "set/train")


def test_arrays_of_an_archive():
    names = ["l/gray_scale.npy", "ab/ab/ab1.npy", "ab/ab/ab2.npy", "ab/ab/pts_in_hull.npy", "x.jpg"]
    assert items("arrays", names) == {"arrays": sorted([names[1], names[2], names[0]])}


def test_a_subset_is_drawn_by_name_and_seed_alone():
    names = [f"{i:05d}.png" for i in range(1000)]
    found = items("photos", names)
    assert subset("photos", found, None, 0) == names
    few = subset("photos", found, 100, 7)
    assert len(set(few)) == 100 and set(few) <= set(names)
    assert subset("photos", items("photos", names[::-1]), 100, 7) == few
    assert set(few) < set(subset("photos", found, 200, 7))  # the smaller is part of the larger
    assert set(few) != set(subset("photos", found, 100, 8))
    assert len(subset("photos", found, 5000, 7)) == 1000
    numbers = np.array([int(name[:5]) for name in few])
    assert abs(numbers.mean() - 499.5) < 4 * 289 / 10  # uniform: 289 is the spread of one
    # BLAKE2b of "0:00366.png" begins with the lowest of the 1000; no later version may draw others.
    assert subset("photos", found, 3, 0) == ["00366.png", "00345.png", "00162.png"]


# --- folders -------------------------------------------------------------------------------------


def test_plain_photos(tmp_path):
    for name in ("a.jpg", "deep/er/b.png"):
        photo(tmp_path / name)
    layout, photos, said = recognize(tmp_path)
    assert layout == "photos" and isinstance(photos, PhotoFolder)
    assert said == f"{tmp_path}: 2 color photos"
    photo(tmp_path / "gray/a.jpg")  # gray alone is no pair
    assert recognize(tmp_path)[0] == "photos"


@pytest.mark.parametrize(
    ("gray", "color"),
    [
        ("data/train_black", "data/train_color"),
        ("gray", "color"),
        ("Grayscale", "Colored"),
        ("set/bw", "set/colour"),
        ("train-grey", "train-rgb"),
    ],
)
def test_pairs_by_the_names_of_their_folders(tmp_path, gray, color):
    for i in range(3):
        photo(tmp_path / gray / f"{i}.jpg", "L")
        photo(tmp_path / color / f"{i}.png")
    layout, pairs, said = recognize(tmp_path)
    assert layout == "pairs" and isinstance(pairs, PairedFolder) and len(pairs) == 3
    assert (pairs.gray, pairs.color) == (tmp_path / gray, tmp_path / color)
    assert said == f"{tmp_path}: 3 pairs of a gray photo ({gray}) and a color photo ({color})"


def test_pairs_to_test_by_are_left_aside(tmp_path):
    for part in ("test", "train"):
        for side in ("black", "color"):
            photo(tmp_path / f"data/{part}_{side}/image0000.jpg")
    assert list(pair_folders(tmp_path)) == ["test", "train"]
    _, pairs, said = recognize(tmp_path)
    assert pairs.color.name == "train_color"
    assert said.endswith("; left aside: data/test_color")


@pytest.mark.parametrize("form", ["plain", "ab/ab", "flat", "deep"])
def test_arrays_by_the_names_of_their_files(tmp_path, form):
    root = tmp_path / "kaggle" if form == "deep" else tmp_path
    write_lab_arrays(root, [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(5)], 8, per_file=3)
    if form == "ab/ab":
        (root / "ab").rename(root / "x")
        (root / "ab").mkdir()
        (root / "x").rename(root / "ab/ab")
    if form == "flat":
        for path in list(root.glob("*/*.npy")):
            path.rename(root / path.name)
    layout, arrays, said = recognize(tmp_path)
    assert layout == "arrays" and isinstance(arrays, LabArrays) and len(arrays) == 5
    assert said == f"{tmp_path}: Lab arrays of 5 photos"


def test_what_is_none_of_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        recognize(tmp_path / "nowhere")
    (tmp_path / "a.txt").touch()
    with pytest.raises(NotADirectoryError, match="a.txt is a file"):
        recognize(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"No photo in .*only \.txt"):
        recognize(tmp_path)
    (tmp_path / "ab1.npy").touch()
    with pytest.raises(FileNotFoundError, match=r"no .*gray_scale\.npy"):
        recognize(tmp_path)


def test_arrays_are_thinned_photo_by_photo(tmp_path):
    colors = [(i * 20, 255 - i * 20, 100) for i in range(12)]
    pictures = [Image.new("RGB", (8, 8), color) for color in colors]
    write_lab_arrays(tmp_path / "all", pictures, 8, per_file=5)
    thin_arrays(tmp_path / "all", tmp_path / "few", 4, 1)
    gray = np.load(tmp_path / "few/l/gray_scale.npy")
    ab = np.load(tmp_path / "few/ab/ab1.npy")
    assert gray.shape == (4, 8, 8) and ab.shape == (4, 8, 8, 2)
    whole = LabArrays(tmp_path / "all", part="all")
    theirs = [whole[i].numpy() for i in range(12)]
    ours = [np.concatenate([gray[i][None], ab[i].transpose(2, 0, 1)]) for i in range(4)]
    where = [[(one == other).all() for other in theirs].index(True) for one in ours]
    assert where == sorted(set(where))
    thin_arrays(tmp_path / "all", tmp_path / "more", 7, 1)
    more = np.load(tmp_path / "more/l/gray_scale.npy")
    assert len(more) == 7 and all((one == more).all((1, 2)).any() for one in gray)


def test_a_name_that_is_not_utf_8_is_drawn_like_any_other():
    names = [f"caf\udce9-{number}.jpg" for number in range(9)]
    drawn = subset("photos", items("photos", names), 4, 0)
    assert len(set(drawn) & set(names)) == 4
