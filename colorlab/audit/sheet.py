"""Many small photos on one sheet, each with words below it: what an audit shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from colorlab.photos.files import PhotoError, read_photo
from colorlab.show import font

PAPER, INK, FAINT, FRAME = "#ffffff", "#22262b", "#5f6872", "#c9d0d8"

_EDGE, _GAP = 16, 14
_WIDE, _HIGH = 176, 132  # room for a photo
_TEXT, _LINE = 12, 16  # pixels: size of the letters, and from line to line
_HEADING = 15
_DETAIL_LINES = 2


@dataclass(frozen=True)
class Cell:
    """One photo, or two to compare: (path, its name) of each, and what there is to say."""

    photos: tuple[tuple[Path, str], ...]
    detail: str


def contact_sheet(sections: Sequence[tuple[str, Sequence[Cell]]], width: int = 1000) -> Image.Image:
    """Sections one below the other, each a heading and its cells in rows; mode "RGB".

    Args:
        width: in pixels, at least 420, so that a pair fits. Names too long for their photo lose
            their middle, details that need more than two lines their end. A photo that cannot be
            read is an empty frame.

    Raises:
        ValueError: the width is too small.
    """
    if width < 2 * (_WIDE + _EDGE) + _GAP:
        raise ValueError(f"width={width}: a pair of photos needs 420 pixels.")
    placed: list[tuple[int, int, Cell]] = []  # x, y
    headings: list[tuple[int, list[str]]] = []
    y = _EDGE
    for heading, cells in sections:
        lines = _wrapped(heading, width - 2 * _EDGE, _HEADING, 3)
        headings.append((y, lines))
        y += len(lines) * (_HEADING + 5) + 6
        x, row = _EDGE, 0
        for cell in cells:
            span, height = _size(cell)
            if x > _EDGE and x + span > width - _EDGE:
                x, y, row = _EDGE, y + row + _GAP, 0
            placed.append((x, y, cell))
            x, row = x + span + _GAP, max(row, height)
        y += row + _GAP + 6
    sheet = Image.new("RGB", (width, y + _EDGE - _GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for top, lines in headings:
        for number, line in enumerate(lines):
            draw.text((_EDGE, top + number * (_HEADING + 5)), line, INK, font(_HEADING))
    for x, y, cell in placed:
        _draw(sheet, draw, x, y, cell)
    return sheet


def _size(cell: Cell) -> tuple[int, int]:
    span = _span(cell)
    lines = 1 + len(_wrapped(cell.detail, span, _TEXT, _DETAIL_LINES))
    return span, _HIGH + 4 + lines * _LINE


def _span(cell: Cell) -> int:
    return len(cell.photos) * (_WIDE + 4) - 4


def _draw(sheet: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int, cell: Cell) -> None:
    below = y + _HIGH + 4
    for number, (path, name) in enumerate(cell.photos):
        left = x + number * (_WIDE + 4)
        photo = _thumbnail(path)
        if photo is None:
            draw.rectangle((left, y, left + _WIDE - 1, y + _HIGH - 1), outline=FRAME)
            words = "cannot be read"
            room = (_WIDE - font(_TEXT).getlength(words)) / 2
            draw.text((left + room, y + _HIGH / 2 - 8), words, FAINT, font(_TEXT))
        else:
            at = left + (_WIDE - photo.width) // 2, y + _HIGH - photo.height
            sheet.paste(photo, at)
            draw.rectangle(
                (at[0], at[1], at[0] + photo.width - 1, at[1] + photo.height - 1), outline=FRAME
            )
        draw.text((left, below), _middle_cut(name, _WIDE), INK, font(_TEXT))
    details = _wrapped(cell.detail, _span(cell), _TEXT, _DETAIL_LINES)
    for number, line in enumerate(details, start=1):
        draw.text((x, below + number * _LINE), line, FAINT, font(_TEXT))


def _thumbnail(path: Path) -> Image.Image | None:
    try:
        photo, _ = read_photo(path, _HIGH)
    except (PhotoError, MemoryError):
        return None
    photo.thumbnail((_WIDE, _HIGH), Image.Resampling.LANCZOS)
    return photo


def _middle_cut(text: str, room: int) -> str:
    """The text, or as much of its start and its end as fits into ``room`` pixels."""
    length = font(_TEXT).getlength
    if length(text) <= room:
        return text
    keep = len(text) - 1
    while keep > 1 and length(_halves(text, keep)) > room:
        keep -= 1
    return _halves(text, keep)


def _halves(text: str, keep: int) -> str:
    return f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"


def _wrapped(text: str, room: int, size: int, most: int) -> list[str]:
    """The text in at most so many lines of ``room`` pixels, the last one cut where it must be."""
    length = font(size).getlength
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if length(longer) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{' '.join(lines[most - 1 :])}…"]
    return [_end_cut(line, room, length) for line in lines if line]


def _end_cut(line: str, room: int, length: Callable[[str], float]) -> str:
    if length(line) <= room:
        return line
    kept = line.rstrip("…")
    while kept and length(f"{kept}…") > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"
