"""``colorlab grade``: the table, what is kept of an earlier one, and the exit status."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest
from course.grading.handed_in import RIGHT, WRONG, notebook, psnr, solved

from colorlab.__main__ import main
from colorlab.course.grading.table import Row, read_table


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    for learner, body in (("ada", RIGHT), ("bert", WRONG)):
        (folder / learner).mkdir(parents=True)
        path = folder / learner / "09_measuring_color.ipynb"
        path.write_text(psnr(body), encoding="utf-8")
    return folder


def first_rows(table: Path) -> dict[str, list[str]]:
    """Learner -> the row of exercise 9.1."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        return {row[0]: row for row in csv.reader(file) if row[2] in ("9.1", "")}


def grade(table: Path, *arguments: str | Path) -> int:
    return main(["grade", *map(str, arguments), "-o", str(table)])


def test_a_class_is_graded_and_continued(papers: Path, tmp_path: Path, capsys) -> None:
    table, reports = tmp_path / "grades.csv", tmp_path / "reports"
    assert grade(table, papers, "--lesson", "09", "--reports", reports) == 0
    before = first_rows(table)
    assert {name: row[3] for name, row in before.items()} == {"ada": "passed", "bert": "not yet"}
    assert sorted(path.name for path in reports.iterdir()) == ["ada.html", "bert.html"]
    assert "ada      09      1/7" in capsys.readouterr().out

    (papers / "bert" / "09_measuring_color.ipynb").write_text(psnr(f"\n{RIGHT}"), "utf-8")
    (papers / "carl.ipynb").write_text("no notebook", encoding="utf-8")
    assert grade(table, papers, "--lesson", "09") == 1  # one could not be judged
    after = first_rows(table)
    assert after["ada"] == before["ada"]
    assert (after["bert"][3], after["carl"][3]) == ("passed", "not judged")
    assert "8 exercises tried, 7 kept" in capsys.readouterr().out

    (papers / "carl.ipynb").unlink()
    assert grade(table, papers, "--lesson", "09", "--again") == 0
    assert "14 exercises tried, 0 kept" in capsys.readouterr().out
    assert first_rows(table)["carl"] == after["carl"]  # who is not graded now keeps the row


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["none.ipynb"], "does not exist"), (["class", "--lesson", "44"], "there is no lesson 44")],
)
def test_what_can_not_start_says_why(arguments, words, papers, monkeypatch, capsys) -> None:
    monkeypatch.chdir(papers.parent)
    assert grade(Path("grades.csv"), *arguments) == 2
    assert words in capsys.readouterr().err
    assert not Path("grades.csv").exists()


def test_another_table_is_left_alone(papers: Path, tmp_path: Path, capsys) -> None:
    table = tmp_path / "points.csv"
    table.write_text("name,points\n", encoding="utf-8")
    assert grade(table, papers) == 2
    assert "is no table of grades" in capsys.readouterr().err
    assert table.read_text(encoding="utf-8") == "name,points\n"


class Trusting:
    """A grader that passes everything and notes what it is given."""

    given: list[str] = []

    def __init__(self, lessons: list[str]) -> None:
        self.given.clear()

    def __enter__(self) -> Trusting:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def grade(self, one) -> list[Row]:
        self.given.append(one.path.name)
        digest = hashlib.sha256(one.path.read_bytes()).hexdigest()
        return [Row(one.learner, "09", "9.1", "passed", "", 0.0, digest)]


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("colorlab.course.grading.grader.Grader", Trusting)
    return Trusting.given


@pytest.mark.parametrize("better", ["09_measuring_color (1).ipynb", "09_measuring_color.ipynb"])
def test_of_two_notebooks_of_a_lesson_the_better_counts_however_often(
    papers: Path, tmp_path: Path, capsys, better: str
) -> None:
    table = tmp_path / "grades.csv"
    names = ["09_measuring_color (1).ipynb", "09_measuring_color.ipynb"]
    for name in names:
        content = psnr(RIGHT if name == better else WRONG)
        (papers / "ada" / name).write_text(content, encoding="utf-8")
    tables = []
    for _ in range(2):
        assert grade(table, papers / "ada", "--lesson", "09") == 0
        tables.append(table.read_text("utf-8"))
    assert tables[0] == tables[1]
    assert "0 exercises tried, 8 kept" in capsys.readouterr().out
    verdicts = [(row.exercise, row.verdict) for row in read_table(table)]
    assert verdicts[:2] == [("", "set aside"), ("9.1", "passed")] and len(verdicts) == 8
    (hint,) = [row.hint for row in read_table(table) if row.verdict == "set aside"]
    (other,) = {*names} - {better}
    assert hint == f"{other} (0 of 7 passed), since {better} counts (1 of 7 passed)"


def test_notebooks_of_other_lessons_are_left_out(trusting, papers, tmp_path) -> None:
    (papers / "ada" / "03_unet.ipynb").write_text(notebook(solved("3.3")), encoding="utf-8")
    grade(tmp_path / "grades.csv", papers, "--lesson", "09")
    assert trusting == ["09_measuring_color.ipynb"] * 2


def test_what_holds_no_notebook_is_named(trusting, papers, tmp_path, capsys) -> None:
    (papers / "carl.zip").touch()
    grade(papers / "grades.csv", papers)
    grade(papers / "grades.csv", papers)  # the table itself is nobody's
    assert capsys.readouterr().err.count("no notebook (.ipynb): 'carl.zip'\n") == 2
