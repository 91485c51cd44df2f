"""The bundled photos: credits, licenses, split and files agree with each other."""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from PIL import Image

DATA = Path(__file__).resolve().parent.parent / "data"
PHOTOS = DATA / "photos"
LICENSES = {
    "public-domain",
    "CC0-1.0",
    "CC-BY-2.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "BSD-3-Clause",
}


@pytest.fixture(scope="module")
def credits() -> list[dict[str, str]]:
    with (PHOTOS / "credits.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Whatever lies in the split folders, by path below photos/."""
    found = (path for split in ("train", "val", "test") for path in (PHOTOS / split).rglob("*"))
    return sorted(path.relative_to(PHOTOS).as_posix() for path in found)


def test_each_file_has_one_credit_row_and_each_row_a_file(credits, files):
    assert sorted(row["file"] for row in credits) == files


def test_nothing_else_lies_beside_the_splits():
    assert {path.name for path in PHOTOS.iterdir() if not path.name.startswith(".")} == {
        "train",
        "val",
        "test",
        "credits.csv",
        "SHA256SUMS",
    }


def test_each_row_names_split_author_license_and_source(credits):
    for row in credits:
        assert row["file"].split("/")[0] == row["split"], row["file"]
        assert row["license"] in LICENSES, row["file"]
        for column in ("group", "subject", "author", "source_package", "source_version"):
            assert row[column].strip(), (row["file"], column)
        assert row["source_path"].strip(), row["file"]


def test_no_group_spans_two_splits(credits):
    splits = defaultdict(set)
    for row in credits:
        splits[row["group"]].add(row["split"])
    assert {group: where for group, where in splits.items() if len(where) > 1} == {}


def test_no_two_photos_are_the_same_file():
    sums = [line.split()[0] for line in (PHOTOS / "SHA256SUMS").read_text().splitlines()]
    assert len(set(sums)) == len(sums)


def test_sha256_of_every_file(files):
    lines = (PHOTOS / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    actual = {name: hashlib.sha256((PHOTOS / name).read_bytes()).hexdigest() for name in files}
    assert actual == expected


def test_each_photo_opens_is_rgb_and_at_most_256_on_the_short_side(credits):
    for row in credits:
        with Image.open(PHOTOS / row["file"]) as image:
            image.load()
            assert image.format == "JPEG", row["file"]
            assert image.mode == "RGB", row["file"]
            original = (int(row["original_width"]), int(row["original_height"]))
            assert min(image.size) == min(256, *original), row["file"]
            assert image.width / image.height == pytest.approx(
                original[0] / original[1], rel=0.01
            ), row["file"]


def test_the_readme_counts_what_is_there(credits):
    text = (DATA / "README.md").read_text(encoding="utf-8")
    licenses = {name: int(n) for name, n in re.findall(r"^\| `([\w.-]+)` \| (\d+) \|", text, re.M)}
    assert licenses == Counter(row["license"] for row in credits)
    splits = {name: int(n) for name, n in re.findall(r"photos/(\w+) +(\d+) photos", text)}
    assert splits == Counter(row["split"] for row in credits)
    assert f"{len(credits)} photographs" in text
    assert f"there are {len({row['group'] for row in credits})} groups" in text
