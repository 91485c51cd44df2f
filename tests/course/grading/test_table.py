"""The table of grades, the summary and the reports: read back as written, and safe to open."""

from __future__ import annotations

import csv
from dataclasses import astuple
from pathlib import Path

import pytest

from colorlab.course.grading.table import (
    HEADER,
    LONGEST,
    Row,
    read_table,
    summary,
    write_reports,
    write_table,
)

ROWS = [
    Row("ada", "03", "3.1", "passed", "", 0.5, "ab"),
    Row("ada", "03", "3.2", "not yet", "The maps differ, in size: print the .shape.", 0.25, "ab"),
    Row("=cmd()", "", "", "not judged", "it is no notebook"),
]


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_table(tmp_path / "grades.csv", ROWS)
    assert read_table(tmp_path / "grades.csv") == ROWS
    assert read_table(tmp_path / "none.csv") == []


def test_no_cell_begins_like_a_formula(tmp_path: Path) -> None:
    rows = [Row(f"{sign}1+1", "03", "3.1", "error", f"{sign}HYPERLINK()") for sign in "=+-@"]
    write_table(tmp_path / "grades.csv", rows)
    with (tmp_path / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        _, *lines = csv.reader(file)
    assert {cell[0] for line in lines for cell in (line[0], line[4])} == {"'"}
    assert read_table(tmp_path / "grades.csv") == rows


@pytest.mark.parametrize("content", ["", "name,points\nada,3\n", "learner\n"])
def test_another_file_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="is no table of grades; name another file"):
        read_table(path)
    assert path.read_text(encoding="utf-8") == content


def test_a_hint_is_one_line_of_printable_text() -> None:
    row = Row("ada", "03", "3.1", "error", "first\nsecond\x1b[31m\ud800" + "x" * 9999)
    assert row.hint.startswith("first second [31m x") and len(row.hint) == LONGEST + 1


def test_the_summary_counts_each_verdict() -> None:
    lines = [line.split() for line in summary(ROWS).splitlines()]
    assert lines == [
        ["learner", "lesson", "passed", "others"],
        ["ada", "03", "1/2", "1", "not", "yet"],
        ["=cmd()", "-", "0/0", "1", "not", "judged"],
    ]


def test_reports_show_what_learners_wrote_as_text(tmp_path: Path) -> None:
    evil = Row("../ada", "03", "3.1", "error", "<script>x</script> **[a](b)**")
    (path,) = write_reports(tmp_path, [evil])
    assert path.parent == tmp_path
    text = path.read_text(encoding="utf-8")
    assert "<h1>Exercises of ../ada</h1>\n<h2>Lesson 03: 0 of 1 passed</h2>" in text
    assert (
        "<b>3.1 The down block</b>, raised an error: &lt;script&gt;x&lt;/script&gt; **[a](b)**"
        in text
    )
    assert "<script>" not in text
    assert write_reports(tmp_path, [evil]) == [path]  # a report may be written anew
    (other,) = write_reports(tmp_path, [Row("bo", "03", "3.1", "not yet", "print `x.shape`")])
    assert "not yet: print <code>x.shape</code></li>" in other.read_text(encoding="utf-8")


def test_a_report_counts_what_is_passed(tmp_path: Path) -> None:
    (path,) = write_reports(tmp_path, ROWS[:2])
    assert "<h2>Lesson 03: 1 of 2 passed</h2>" in path.read_text(encoding="utf-8")


def test_a_report_says_what_to_do_with_a_notebook_that_was_not_read(tmp_path: Path) -> None:
    (path,) = write_reports(tmp_path, [Row("ada", "", "", "not judged", "it is empty")])
    said = "<p>A notebook was not read. it is empty. Save it again, and hand it in.</p>"
    assert said in path.read_text(encoding="utf-8")


def test_a_spreadsheet_may_have_saved_it(tmp_path: Path) -> None:
    """With semicolons, commas in numbers and lessons without their zero, as where this is usual."""
    path = tmp_path / "grades.csv"
    write_table(path, ROWS)
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbflearner,")
    plain = [["" if value is None else str(value) for value in astuple(row)] for row in ROWS]
    for row in plain:
        row[1], row[5] = row[1].lstrip("0"), row[5].replace(".", ",")
    lines = [";".join([*HEADER]), *(";".join(row) for row in plain)]
    path.write_text("\n".join(lines).replace("\n=", "\n'="), encoding="utf-8-sig")
    assert read_table(path) == ROWS


def test_each_learner_has_a_report(tmp_path: Path) -> None:
    rows = [Row(name, "03", "3.1", "passed", "") for name in ("ada b", "ada_b", "Ada b")]
    paths = write_reports(tmp_path, rows)
    assert len({path.name.lower() for path in paths}) == 3  # also where case makes no difference
    assert [path.read_text("utf-8").splitlines()[1] for path in paths] == [
        "<h1>Exercises of ada b</h1>",
        "<h1>Exercises of ada_b</h1>",
        "<h1>Exercises of Ada b</h1>",
    ]


def test_a_file_that_is_no_report_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ada.html").write_text("notes", encoding="utf-8")
    with pytest.raises(FileExistsError, match="is no report"):
        write_reports(tmp_path, ROWS[:1])
    assert (tmp_path / "ada.html").read_text(encoding="utf-8") == "notes"
