"""colorlab.progress: the bar says what it counts, and is not there where nobody wants it."""

from __future__ import annotations

from colorlab.progress import progress_bar


def test_a_bar_of_bytes(capsys) -> None:
    with progress_bar(2_000_000, "B", name="landscapes.zip", begin=1_000_000) as bar:
        bar.update(1_000_000)
    said = capsys.readouterr().err
    assert "landscapes.zip: 100%" in said and "2.00M/2.00M" in said and "B/s" in said


def test_a_bar_of_photos(capsys) -> None:
    with progress_bar(3, "photo") as bar:
        bar.update(3)
    assert "3/3" in (said := capsys.readouterr().err) and "photo/s" in said


def test_a_bar_that_is_not_shown(capsys) -> None:
    with progress_bar(3, "photo", visible=False) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""
