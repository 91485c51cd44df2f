"""colorlab.audit.report: the table, the sheet and the list of an audit made up by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlab.audit.report import KINDS, Audit, Finding, Part, _shares
from colorlab.photos.exclusions import read_list


def made(folder: Path, findings: list[Finding], count: int = 5) -> Audit:
    names = [f"{i}.png" for i in range(count)]
    for name in names:
        Image.new("RGB", (40, 30), "red").save(folder / name)
    return Audit(
        parts=[Part("", folder, False, 0, count)],
        names=names,
        width=np.arange(100, 100 + count, dtype=np.int32),
        height=np.full(count, 90, np.int32),
        chroma=np.array([1.0, 2.0, 3.0, 30.0, np.nan][:count], np.float32),
        histogram=np.zeros((64, 64), np.int64),
        findings=findings,
    )


FINDINGS = [
    Finding("corrupt", "4.png", "not a picture"),
    Finding("gray", "0.png", "mean chroma 1.0"),
    Finding("gray", "1.png", "mean chroma 2.0"),
    Finding("gray", "2.png", "mean chroma 3.0"),
    Finding("duplicate", "2.png", "4 of 64 bits differ", "1.png"),
]


def test_the_table(tmp_path) -> None:
    lines = str(made(tmp_path, FINDINGS)).splitlines()
    assert lines[0] == f"5 photos in {tmp_path}"
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["gray"][1:3] == ["3", "60.0%"] and rows["gray"][-3:] == [
        "0.png,",
        "1.png,",
        "2.png",
    ]
    assert rows["leak"][1] == "0" and "%" not in " ".join(rows["leak"])
    # Of the readable four, by numpy's definition of a percentile.
    assert rows["width"][1:] == ["100", "101", "102", "102", "103"]
    assert rows["chroma"][1:] == ["1.0", "1.8", "2.5", "9.8", "30.0"]
    assert max(map(len, lines)) <= 100 + len(str(tmp_path))


def test_the_table_of_splits_of_nothing_readable_and_of_odd_names(tmp_path) -> None:
    report = made(tmp_path, [Finding("corrupt", "a\nb\udcff.png", "x")])
    report.chroma[:] = np.nan
    report.left_out = {"x.png": "gray: 1"}
    report.parts = [Part("train", tmp_path, True, 0, 3), Part("test", tmp_path, True, 3, 5)]
    text = repr(report)
    assert text.startswith("5 photos: train 3, test 2\n1 more are left out by exclude.txt\n")
    assert '"a\\nb\\udcff.png"' in text and "chroma" not in text
    text.encode()  # can be printed


def test_shares_of_a_sheet() -> None:
    assert _shares({"gray": 100, "tiny": 2, "leak": 50, "sepia": 0}, 24) == {
        "gray": 11,
        "tiny": 2,
        "leak": 11,
    }
    assert _shares({"gray": 5, "tiny": 5}, 1) == {"gray": 1, "tiny": 1}
    assert _shares({"gray": 0}, 9) == {"gray": 0}


def test_the_sheet_shows_what_was_found(tmp_path, monkeypatch) -> None:
    sheets = []
    monkeypatch.setattr("colorlab.audit.sheet.contact_sheet", lambda *args: sheets.append(args))
    report = made(tmp_path, FINDINGS)
    report.sheet(count=3, width=500)
    sections, width = sheets.pop()
    assert width == 500
    assert [heading.split(" ")[0] for heading, _ in sections] == ["corrupt", "gray", "duplicate"]
    assert "3 of 5 photos, the first 1 of them" in sections[1][0]
    (pair,) = sections[2][1]
    assert pair.photos == ((tmp_path / "2.png", "2.png"), (tmp_path / "1.png", "1.png"))
    assert pair.detail == "4 of 64 bits differ"
    report.sheet("gray")
    ((heading, cells),), _ = sheets.pop()
    assert "the first" not in heading and [cell.photos[0][1] for cell in cells] == report.names[:3]
    report.sheet("tiny")
    assert sheets.pop()[0][0][1] == []
    made(tmp_path, []).sheet(count=2)
    ((heading, cells),), _ = sheets.pop()
    assert heading.startswith("Nothing was found. 2 of 5")
    assert [cell.photos[0][1] for cell in cells] == ["0.png", "2.png"]
    for wrong in ({"kind": "blurred"}, {"count": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            report.sheet(**wrong)


def test_the_sheet_is_a_picture(tmp_path) -> None:
    sheet = made(tmp_path, FINDINGS).sheet()
    assert sheet.mode == "RGB" and sheet.width == 1000 and sheet.height > 400


def test_the_list_says_why_and_keeps_one_of_a_pair(tmp_path) -> None:
    report = made(tmp_path, FINDINGS)
    path = report.exclude(kinds=["corrupt", "duplicate"])
    assert path == tmp_path / "exclude.txt"
    assert read_list(path).entries == {
        "4.png": "audit: corrupt, not a picture",
        "2.png": "audit: duplicate, 4 of 64 bits differ from 1.png",
    }
    other = report.exclude(tmp_path / "other.txt", kinds="gray")
    assert list(read_list(other).entries) == ["0.png", "1.png", "2.png"]
    assert list(read_list(report.exclude()).entries) == ["4.png", "0.png", "1.png", "2.png"]
    with pytest.raises(ValueError, match="no kind 'blurred'. Valid: corrupt"):
        report.exclude(kinds=["blurred"])


def test_what_could_not_be_read_is_never_listed_nor_taken_off(tmp_path) -> None:
    report = made(tmp_path, [Finding("unread", "4.png", "gone"), FINDINGS[1]])
    row = next(line for line in str(report).splitlines() if line.startswith("unread"))
    assert row.split()[1:3] == ["1", "20.0%"]
    (tmp_path / "exclude.txt").write_text("4.png\taudit: tiny, 3 x 3\n1.png\taudit: tiny, 3 x 3\n")
    entries = {"0.png": "audit: gray, mean chroma 1.0", "4.png": "audit: tiny, 3 x 3"}
    assert read_list(report.exclude()).entries == entries
    for wrong in ("unread", ["gray", "unread"]):
        with pytest.raises(ValueError, match="'unread' photos may be good"):
            report.exclude(kinds=wrong)


def test_a_list_by_hand_survives(tmp_path) -> None:
    path = tmp_path / "exclude.txt"
    path.write_text(
        "# why I did it\n3.png\tmy uncle\n0.png\tgray: I say\n1.png\taudit: tiny, 3 x 3\n"
    )
    made(tmp_path, FINDINGS[:2]).exclude()
    found = read_list(path)
    assert found.entries == {
        "4.png": "audit: corrupt, not a picture",
        "3.png": "my uncle",
        "0.png": "gray: I say",
    }
    assert "# why I did it" in found.comments
    made(tmp_path, FINDINGS[:2]).exclude()
    assert read_list(path) == found  # nothing doubled


def test_a_clean_set_gets_an_empty_list(tmp_path) -> None:
    assert read_list(made(tmp_path, []).exclude()).entries == {}


def test_splits_have_a_list_each_where_there_is_something_to_leave_out(tmp_path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    report = made(tmp_path, [Finding("leak", "train/0.png", "0 of 64 bits differ", "test/3.png")])
    report.names = [f"{'train' if i < 3 else 'test'}/{i}.png" for i in range(5)]
    report.parts = [
        Part("train", tmp_path / "train", True, 0, 3),
        Part("test", tmp_path / "test", True, 3, 5),
    ]
    assert report.exclude() == [tmp_path / "train/exclude.txt"]
    reason = "audit: leak, 0 of 64 bits differ from test/3.png"
    assert read_list(tmp_path / "train/exclude.txt").entries == {"0.png": reason}
    with pytest.raises(ValueError, match="2 folders.*Leave the path out"):
        report.exclude(tmp_path / "one.txt")
    with pytest.raises(KeyError):
        report.path("other/3.png")


def test_every_kind_has_a_meaning() -> None:
    kinds = ["corrupt", "truncated", "unread", "tiny", "gray", "sepia", "duplicate", "leak"]
    assert list(KINDS) == kinds
