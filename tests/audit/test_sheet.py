"""colorlab.audit.sheet: nothing clipped, nothing overlapping, pairs side by side."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from colorlab.audit import sheet
from colorlab.audit.sheet import Cell, contact_sheet

COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0)}
LONG = "a-very-long-folder-name/and-" + "x" * 300 + "-the-end.png"


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    paths = {color: tmp_path / f"{color}.png" for color in COLORS}
    for color, path in paths.items():
        Image.new("RGB", (80, 60), color).save(path)
    return paths


def cell(files, *colors: str, detail: str = "mean chroma 1.0") -> Cell:
    return Cell(tuple((files[color], f"{color}.png") for color in colors), detail)


def area(pixels: np.ndarray, color: str) -> tuple[int, int, int, int]:
    """left, top, right, bottom of a color."""
    rows, columns = np.nonzero((pixels == COLORS[color]).all(axis=2))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_photos_stand_in_rows_below_their_heading(files) -> None:
    cells = [cell(files, "red"), cell(files, "lime")]
    pixels = np.asarray(contact_sheet([("first", cells), ("second", [cell(files, "blue")])], 420))
    red, lime, blue = (area(pixels, color) for color in ("red", "lime", "blue"))
    assert red[2] < lime[0] and red[1] == lime[1]
    assert blue[1] > red[3] + 40 and blue[0] == red[0]
    heading = pixels[: red[1]]
    assert (heading < 128).any()


def test_a_row_that_is_full_goes_on_below(files) -> None:
    cells = [cell(files, "red"), cell(files, "lime"), cell(files, "blue")]
    pixels = np.asarray(contact_sheet([("all", cells)], 420))
    red, lime, blue = (area(pixels, color) for color in ("red", "lime", "blue"))
    assert red[1] == lime[1] and blue[0] == red[0] and blue[1] > red[3]


def test_a_pair_stands_side_by_side(files) -> None:
    cells = [cell(files, "lime"), cell(files, "red", "blue")]
    pixels = np.asarray(contact_sheet([("all", cells)], 420))
    red, blue, lime = (area(pixels, color) for color in ("red", "blue", "lime"))
    assert red[1] == blue[1] > lime[3] and 0 < blue[0] - red[2] < 110


def test_words_never_leave_the_sheet_or_their_photo(files) -> None:
    wordy = Cell(((files["red"], LONG),), "word " * 100 + "y" * 400)
    pixels = np.asarray(contact_sheet([("h " * 400 + "z" * 500, [wordy, wordy])], 420)).copy()
    for edge in (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]):
        assert (edge == 255).all()
    left, _, _, bottom = area(pixels[:, :200], "red")
    gap = pixels[bottom + 2 :, 16 + sheet._WIDE : 16 + sheet._WIDE + sheet._GAP]
    assert (gap == 255).all()


@pytest.mark.parametrize("text", ["short.jpg", LONG, "日本" * 60, "W" * 80])
def test_names_lose_their_middle(text) -> None:
    cut = sheet._middle_cut(text, 176)
    path = Path(sheet.font(12).path)
    assert ImageFont.truetype(path, 12).getlength(cut) <= 176
    if cut != text:
        start, end = cut.split("…")
        assert text.startswith(start) and text.endswith(end) and len(end) - len(start) in (0, 1)
        assert ImageFont.truetype(path, 12).getlength(cut) > 176 - 30  # no more than it must
    else:
        assert text == "short.jpg"


def test_lines_break_between_words_and_say_where_they_were_cut() -> None:
    text = "one two three four five six seven"
    lines = sheet._wrapped(text, 80, 12, 9)
    assert " ".join(lines) == text and len(lines) > 2
    assert sheet._wrapped(text, 80, 12, 2)[0] == lines[0]
    assert sheet._wrapped(text, 80, 12, 2)[1].endswith("…")
    assert sheet._wrapped("", 80, 12, 2) == []


def test_a_photo_that_cannot_be_read_is_an_empty_frame(tmp_path, files) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"junk")
    bad = Cell(((tmp_path / "bad.jpg", "bad.jpg"),), "corrupt")
    pixels = np.asarray(contact_sheet([("corrupt", [bad, cell(files, "red")])], 420))
    assert area(pixels, "red")[0] > 16 + sheet._WIDE
    assert (pixels[40:170, 16:192] < 200).any()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_is_an_empty_frame_and_never_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert sheet._thumbnail(tmp_path / "pipe.jpg") is None


def test_too_narrow_a_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="width=300"):
        contact_sheet([], 300)
    assert contact_sheet([], 420).mode == "RGB"
