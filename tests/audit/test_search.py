"""colorlab.audit: a folder of photos, each of them spoiled in a known way; and the command."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from colorlab.__main__ import main
from colorlab.audit.report import KINDS
from colorlab.audit.search import audit
from colorlab.photos.batches import photo_loader
from colorlab.photos.files import PhotoError
from colorlab.photos.folder import PhotoFolder

DATA = Path(__file__).resolve().parents[2] / "data/photos"


@pytest.fixture(scope="module")
def good() -> list[Path]:
    """Photos with nothing wrong, all different."""
    wrong = {"cuttingtool", "measuringtape3", "measuringtape4"}
    return [path for path in sorted((DATA / "val").iterdir()) if path.stem not in wrong][:12]


@pytest.fixture
def spoiled(tmp_path, good) -> Path:
    """Four good photos, and one each that is spoiled."""
    folder = tmp_path / "set"
    (folder / "sub").mkdir(parents=True)
    for path in good[:4]:
        shutil.copy(path, folder)
    data = good[4].read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "sub/junk.jpg").write_bytes(b"no photo")
    Image.open(good[5]).resize((50, 40)).save(folder / "small.png")
    Image.open(good[6]).convert("L").convert("RGB").save(folder / "gray.jpg")
    photo = Image.open(good[7]).convert("L")
    ImageOps.colorize(photo, "#402010", "#fff0d0").save(folder / "toned.jpg")
    Image.open(good[0]).resize((200, 150)).save(folder / "zz copy.jpg", quality=60)
    return folder


def kinds(report) -> dict[str, set[str]]:
    return {k: {f.name for f in report.findings if f.kind == k} for k in KINDS}


EXPECTED = {
    "corrupt": {"sub/junk.jpg"},
    "truncated": {"cut.jpg"},
    "unread": set(),
    "tiny": {"small.png"},
    "gray": {"gray.jpg"},
    "sepia": {"toned.jpg"},
    "duplicate": {"zz copy.jpg"},
    "leak": set(),
}


@pytest.mark.parametrize("processes", [0, 2])
def test_each_fault_is_found_once(spoiled, good, processes) -> None:
    report = audit(spoiled, processes=processes)
    assert kinds(report) == EXPECTED
    assert len(report.findings) == 6
    assert report.names == PhotoFolder(spoiled, exclude=False).names
    (copy,) = (f for f in report.findings if f.kind == "duplicate")
    assert copy.other == good[0].name
    sizes = dict(zip(report.names, zip(report.width, report.height, strict=True), strict=True))
    assert sizes["small.png"] == (50, 40) and sizes["sub/junk.jpg"] == (0, 0)
    assert report.width.dtype == np.int32 and report.chroma.dtype == np.float32
    bad = [
        name for name, chroma in zip(report.names, report.chroma, strict=True) if chroma != chroma
    ]
    assert bad == ["cut.jpg", "sub/junk.jpg"]
    assert report.histogram.shape == (64, 64) and report.histogram.dtype == np.int64


def test_thresholds_are_the_callers(spoiled) -> None:
    report = audit(spoiled, processes=0, tiny=10**6, gray=0, sepia=0, distance=0)
    found = kinds(report)
    assert (
        len(found["tiny"]) == 8 and found["gray"] == found["sepia"] == found["duplicate"] == set()
    )
    high = audit(spoiled, processes=0, gray=200)
    assert len(kinds(high)["gray"]) == 8 and kinds(high)["sepia"] == set()
    for gray in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"gray={gray}"):
            audit(spoiled, gray=gray)
    for wrong in ({"tiny": -1}, {"gray": -1}, {"sepia": 2}, {"distance": 40}, {"processes": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            audit(spoiled, **wrong)


def test_a_gray_photo_has_no_colored_spot(tmp_path) -> None:
    for path in DATA.rglob("*.jpg"):
        if path.stem in (
            "screwdriver3",
            "hammer9",
            "measuringtape4",
            "1-jasmina",
            "measuringtape6",
        ):
            shutil.copy(path, tmp_path)
    report = audit(tmp_path, processes=0)
    assert len(report) == 5 and (report.chroma < 4).sum() >= 4
    assert kinds(report)["gray"] == {"measuringtape6.jpg"}  # black and steel


@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("tint", [(0, 0, 0), (2, 0, -3)])
def test_gray_photos_from_a_noisy_tinting_scanner_are_gray(tmp_path, good, quality, tint) -> None:
    rng = np.random.default_rng(0)
    for number, path in enumerate(good[:4]):
        pixels = np.asarray(Image.open(path).convert("L").convert("RGB")) + np.array(tint)
        pixels = (pixels + rng.integers(-3, 4, pixels.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.jpg", quality=quality)
    assert len(kinds(audit(tmp_path, processes=0))["gray"]) == 4


def test_of_a_gray_and_a_colored_copy_the_colored_one_stays(tmp_path, good) -> None:
    Image.open(good[0]).convert("L").save(tmp_path / "a.jpg")
    shutil.copy(good[0], tmp_path / "b.jpg")
    report = audit(tmp_path, processes=0)
    assert [(f.kind, f.name, f.other) for f in report.findings] == [
        ("gray", "a.jpg", None),
        ("duplicate", "a.jpg", "b.jpg"),
    ]


def test_of_a_large_and_a_small_copy_the_large_one_stays(tmp_path, good) -> None:
    Image.open(good[0]).resize((200, 150)).save(tmp_path / "a.jpg")
    shutil.copy(good[0], tmp_path / "b.jpg")
    assert leaks(audit(tmp_path, processes=0)) == [("duplicate", "a.jpg", "b.jpg")]


# --- splits ---------------------------------------------------------------------------------------


def save(photo: Path, target: Path, quality: int = 50) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.open(photo).save(target, quality=quality)


@pytest.fixture
def leaky(tmp_path, good) -> Path:
    """Photo 0 is in all three splits, 1 in train and val, 2 twice in train; the rest is clean."""
    for split, numbers in (("test", (0, 5)), ("val", (0, 1, 4)), ("train", (0, 1, 2, 2, 3))):
        for place, number in enumerate(numbers):
            save(good[number], tmp_path / split / f"{place}.jpg", quality=50 + 10 * place)
    return tmp_path


def leaks(report) -> list[tuple[str, str, str | None]]:
    return [(f.kind, f.name, f.other) for f in report.findings]


LEAKS = [
    ("duplicate", "train/3.jpg", "train/2.jpg"),
    ("leak", "train/0.jpg", "test/0.jpg"),
    ("leak", "train/1.jpg", "val/1.jpg"),
    ("leak", "val/0.jpg", "test/0.jpg"),
]


def test_of_a_leak_the_photo_to_learn_from_is_reported(leaky) -> None:
    assert leaks(audit(leaky, processes=0)) == LEAKS
    backwards = {split: leaky / split for split in ("test", "val", "train")}
    assert leaks(audit(backwards, processes=0)) == LEAKS


def test_folders_that_are_no_splits_are_one_set(leaky) -> None:
    (leaky / "train").rename(leaky / "one")
    (leaky / "val").rename(leaky / "two")
    report = audit([leaky / "one", leaky / "two"], processes=0)
    one, two = (leaky / "one").as_posix(), (leaky / "two").as_posix()
    assert leaks(report) == [
        ("duplicate", f"{one}/3.jpg", f"{one}/2.jpg"),
        ("duplicate", f"{two}/0.jpg", f"{one}/0.jpg"),
        ("duplicate", f"{two}/1.jpg", f"{one}/1.jpg"),
    ]
    # One subfolder named like a split makes none.
    assert {f.kind for f in audit(leaky, processes=0).findings} == {"duplicate"}


def test_photos_beside_the_splits_leak_too(leaky, good) -> None:
    save(good[5], leaky / "stray.jpg")
    save(good[4], leaky / "other" / "stray.jpg")
    report = audit(leaky, processes=0)
    assert leaks(report)[1:3] == [
        ("leak", "other/stray.jpg", "val/2.jpg"),
        ("leak", "stray.jpg", "test/1.jpg"),
    ]
    assert report.path("stray.jpg") == leaky / "stray.jpg"
    assert report.path("train/0.jpg") == leaky / "train/0.jpg"


def test_splits_may_be_links_to_folders(leaky, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for split in ("train", "val", "test"):
        (elsewhere / split).symlink_to(leaky / split)
    assert leaks(audit(elsewhere, processes=0)) == LEAKS


# --- what is to be refused ------------------------------------------------------------------------


def test_folders_without_photos_and_given_twice(tmp_path, good) -> None:
    with pytest.raises(PhotoError, match="No photo in"):
        audit(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        audit(tmp_path / "gone")
    shutil.copy(good[0], tmp_path)
    with pytest.raises(NotADirectoryError):
        audit(tmp_path / good[0].name)
    with pytest.raises(ValueError, match="overlap"):
        audit([tmp_path, tmp_path])
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match="overlap"):
        audit({"train": tmp_path, "val": tmp_path / "in"})
    for nothing in ([], {}):
        with pytest.raises(ValueError, match="empty"):
            audit(nothing)
    with pytest.raises(ValueError, match="name is empty"):
        audit("")
    with pytest.raises(TypeError, match="folders=None"):
        audit(None)
    report = audit([tmp_path], processes=0)  # one photo
    assert len(report) == 1 and report.findings == []
    with pytest.raises(KeyError, match="zz"):
        report.path("zz")


def test_links_are_photos_like_others(tmp_path, good) -> None:
    shutil.copy(good[0], tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "gone.jpg")
    assert leaks(audit(tmp_path, processes=0)) == [
        ("unread", "c.jpg", None),
        ("duplicate", "b.jpg", "a.jpg"),
    ]


def test_a_photo_whose_process_died_is_reported_and_not_left_out(
    tmp_path, good, monkeypatch
) -> None:
    for path in good[:3]:
        shutil.copy(path, tmp_path)

    def dying(work, lots, processes):
        for lot in lots:
            for item in lot:
                yield [item], None if item[0] == 1 else work([item])

    monkeypatch.setattr("colorlab.audit.search.on_every_core", dying)
    report = audit(tmp_path)
    assert leaks(report) == [("unread", good[1].name, None)]
    assert "process that read it died" in report.findings[0].detail
    assert PhotoFolder(tmp_path, exclude=report.exclude()).names == report.names


# --- the list, and those who honor it -------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*left out, as exclude.txt says")
def test_the_photo_folder_honors_the_list(spoiled, good) -> None:
    report = audit(spoiled, processes=0)
    assert report.exclude() == spoiled / "exclude.txt"
    with pytest.warns(UserWarning, match="6 photo.*left out, as exclude.txt says"):
        photos = PhotoFolder(spoiled, size=16)
    assert photos.names == sorted(path.name for path in good[:4])
    assert set(photos.excluded) == set().union(*EXPECTED.values())
    assert photos.excluded["zz copy.jpg"].startswith("audit: duplicate, ")
    loader = photo_loader(photos, 4, generator=torch.Generator())
    assert [tuple(batch.shape) for batch in loader] == [(4, 3, 16, 16)]
    again = audit(spoiled, processes=0)
    assert again.findings == report.findings and again.left_out == {}  # its own lines: once more
    listed = (spoiled / "exclude.txt").read_text()
    again.exclude()
    assert (spoiled / "exclude.txt").read_text() == listed
    audit(spoiled, processes=0, tiny=0, gray=0).exclude()
    assert {"small.png", "gray.jpg"} & set(PhotoFolder(spoiled).names) != set()


@pytest.mark.filterwarnings("ignore:.*left out, as exclude.txt says")
def test_a_copy_comes_back_when_its_original_is_gone(tmp_path, good) -> None:
    for number, name in enumerate(["a.jpg", "c.jpg"]):
        shutil.copy(good[number], tmp_path / name)
    save(good[0], tmp_path / "b.jpg")
    audit(tmp_path, processes=0).exclude()
    assert PhotoFolder(tmp_path).names == ["a.jpg", "c.jpg"]
    (tmp_path / "a.jpg").unlink()
    audit(tmp_path, processes=0).exclude()
    assert PhotoFolder(tmp_path).names == ["b.jpg", "c.jpg"]


def test_what_a_person_left_out_is_not_looked_at(spoiled) -> None:
    (spoiled / "exclude.txt").write_text("gray.jpg\tugly\nsmall.png\n")
    report = audit(spoiled, processes=0)
    assert report.left_out == {"gray.jpg": "ugly", "small.png": ""} and len(report) == 8
    assert kinds(audit(spoiled, processes=0, exclude=False)) == EXPECTED


def test_odd_names_go_all_the_way(tmp_path, good, capsys) -> None:
    folder = tmp_path / "set"
    names = [" a\tb.jpg", "#c\nd.jpg", 'e"\udcff.jpg', "\u202ef.jpg", "g\\h.jpg"]
    folder.mkdir()
    for number, name in enumerate(names):
        save(good[number], folder / name)
        save(good[number], folder / f"{name} copy.jpg")
    (folder / "bad\udcfe.jpg").write_bytes(b"junk")
    sheet = tmp_path / "sheet.png"
    assert main(["audit", str(folder), "--processes", "1", "--exclude", "--sheet", str(sheet)]) == 1
    capsys.readouterr().out.encode()
    with pytest.warns(UserWarning, match="6 photo"):
        photos = PhotoFolder(folder)
    assert len(photos) == 5 and "bad\udcfe.jpg" in photos.excluded
    assert len(audit(folder, processes=1).findings) == 6


def test_each_split_gets_a_list_of_its_own(leaky) -> None:
    written = audit(leaky, processes=0).exclude()
    assert written == [leaky / "train/exclude.txt", leaky / "val/exclude.txt"]
    with pytest.warns(UserWarning, match="3 photo"):
        assert PhotoFolder(leaky / "train").names == ["2.jpg", "4.jpg"]
    with pytest.warns(UserWarning, match="4 photo"):
        assert len(PhotoFolder(leaky)) == 6
    assert leaks(audit(leaky, processes=0)) == LEAKS


def test_the_list_of_a_folder_may_name_photos_of_its_splits(leaky) -> None:
    (leaky / "exclude.txt").write_text("train/0.jpg\n")
    (leaky / "train/exclude.txt").write_text("1.jpg\n3.jpg\n")
    report = audit(leaky, processes=0)
    assert leaks(report) == [("leak", "val/0.jpg", "test/0.jpg")]
    assert list(report.left_out) == ["train/0.jpg", "train/1.jpg", "train/3.jpg"]
    # Who gives the splits by themselves names folders in which that list does not lie.
    splits = {split: leaky / split for split in ("train", "val", "test")}
    assert list(audit(splits, processes=0).left_out) == ["train/1.jpg", "train/3.jpg"]


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*left out, as exclude.txt says")
def test_the_command_prints_writes_and_tells_by_its_status(spoiled, tmp_path, capsys) -> None:
    before = sorted(spoiled.rglob("*"))
    assert main(["audit", str(spoiled), "--processes", "0"]) == 1
    printed = capsys.readouterr().out
    assert "10 photos in" in printed and "zz copy.jpg" in printed
    assert sorted(spoiled.rglob("*")) == before  # nothing is written unasked
    sheet = tmp_path / "new" / "sheet.png"
    words = ["audit", str(spoiled), "--processes", "0", "--sheet", str(sheet), "--exclude"]
    assert main(words) == 1
    assert Image.open(sheet).size[0] == 1000
    assert str(spoiled / "exclude.txt") in capsys.readouterr().out
    assert main(words[:4]) == 1
    assert capsys.readouterr().out == printed  # whatever the list says
    (spoiled / "exclude.txt").write_text(
        "".join(f"{name}\n" for name in PhotoFolder(spoiled).excluded)
    )
    assert main(words[:4]) == 0
    assert "6 more are left out" in capsys.readouterr().out
    assert main([*words[:4], "--all", "--exclude", str(tmp_path / "list.txt")]) == 1
    assert "gray.jpg\taudit: gray, mean chroma 0.0\n" in (tmp_path / "list.txt").read_text()
    assert len(PhotoFolder(spoiled, exclude=tmp_path / "list.txt")) == 4


def test_the_command_takes_thresholds_and_tells_what_is_wrong(leaky, capsys) -> None:
    words = ["audit", str(leaky), "--processes", "0"]
    main([*words, "--tiny", "9999", "--gray", "0", "--sepia", "0", "--distance", "0"])
    assert "tiny             10   100.0%" in capsys.readouterr().out
    assert main([*words, "--distance", "99"]) == 2
    assert capsys.readouterr().err.startswith("colorlab: distance=99")
    assert main(["audit", str(leaky / "gone")]) == 2
    assert "no folder" in capsys.readouterr().err
