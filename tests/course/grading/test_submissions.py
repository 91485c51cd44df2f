"""A notebook that was handed in: its lesson, and which of its code is tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colorlab.course.cells import code_cells
from colorlab.course.grading.submissions import (
    Unreadable,
    attempts,
    other_lessons,
    read_cells,
)
from course.grading.handed_in import RIGHT, cell, notebook, psnr, solved


def test_only_what_the_exercise_uses_runs() -> None:
    cells = code_cells(
        json.loads(
            notebook(
                "%matplotlib inline\nSCALE = 10\nphoto = open('photo.jpg')\nimport tkinter",
                "def decibels(error):\n    return -SCALE * error.log10()",
                "def unused():\n    return tkinter",
                "this is no Python",
                cell("9.1", "def psnr(a, b):\n    return decibels((a - b) ** 2)", "psnr"),
            )
        )
    )
    first = attempts("09", cells)[0]
    assert first.task.above == (
        "SCALE = 10",
        "def decibels(error):\n    return -SCALE * error.log10()",
    )


def test_the_function_is_the_one_that_is_handed_to_check() -> None:
    code = f"def mine(image, truth):\n    {RIGHT}\n\ndef other():\n    pass"
    cells = code_cells(json.loads(notebook(cell("9.1", code, "mine"))))
    assert attempts("09", cells)[0].task.function == "mine"


def test_the_last_cell_of_an_exercise_counts() -> None:
    old, new = (code_cells(json.loads(psnr(body)))[-1] for body in ("return 0", RIGHT))
    assert attempts("09", [old, new])[0].task.cell == new
    assert attempts("09", [old, new])[0].note == "2 cells answer exercise 9.1: the last counts"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"worksheets": [{"cells": []}], "nbformat": 3}', "old format: open it in JupyterLab"),
        ('{"cells": [null]}', "is no notebook"),
        ("[]", "is no notebook"),
        ("", "is no notebook"),
        ("[" * 100_000, "is no notebook"),
        (notebook(cell("44.1", "x = 1", "x")), "of lesson 44, which the course does not have"),
    ],
)
def test_what_can_not_be_read_says_why(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(Unreadable, match=words):
        read_cells(tmp_path / "a.ipynb")


@pytest.mark.parametrize("change", ["\ufeff{}", "{}"])
def test_a_byte_order_mark_and_windows_lines_are_read(change: str, tmp_path: Path) -> None:
    code = cell("9.1", f"def psnr(image, truth):\n    {RIGHT}", "psnr").replace("\n", "\r\n")
    (tmp_path / "a.ipynb").write_text(change.format(notebook(code)), encoding="utf-8")
    number, cells = read_cells(tmp_path / "a.ipynb")
    assert (number, attempts("09", cells)[0].task.function) == ("09", "psnr")


def test_the_exercises_of_another_lesson_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(notebook(solved("9.1"), solved("9.2"), solved("3.3")))
    number, cells = read_cells(tmp_path / "a.ipynb")
    assert (number, other_lessons(number, cells)) == ("09", ["03"])


def test_an_answer_outside_of_its_cell_is_not_judged() -> None:
    found = attempts("09", ["# EXERCISE 9.1", f"def psnr(image, truth):\n    {RIGHT}"])[0]
    assert found.verdict == "not judged" and "all of the answer belongs into" in found.hint


@pytest.mark.parametrize("large", ["0x" + "f" * 5000, "1" + " + 1" * 2500, "-" * 3000 + "1"])
def test_code_that_is_too_large_stops_nothing(large: str) -> None:
    """No text can be made of it again; the rest of the class must be graded all the same."""
    code = cell("9.1", f"def psnr(image, truth):\n    LARGE\n    {RIGHT}", "psnr")
    for cells in ([f"LARGE = {large}", code], [code.replace("LARGE", large)]):
        assert [one.exercise for one in attempts("09", cells)][0] == "9.1"


def test_lines_of_ipythons_own_take_no_definition_along() -> None:
    above = "!pip install x\nfiles = !ls\n%time\nnp.log10?\nSCALE = -10"
    code = cell("9.1", "def psnr(image, truth):\n    return SCALE", "psnr")
    assert attempts("09", [above, code])[0].task.above == ("SCALE = -10",)


def test_a_cell_whose_first_line_is_gone_is_known_by_its_check() -> None:
    marked = code_cells(json.loads(psnr(RIGHT)))[-1]
    _, _, bare = marked.partition("\n")
    assert "EXERCISE" not in bare and bare.rstrip().endswith('check("9.1", psnr)')
    (attempt,) = [one for one in attempts("09", [bare]) if one.exercise == "9.1"]
    assert attempt.task.function == "psnr"
    folded = f"# SOLUTION 9.1\n{bare}"
    assert attempts("09", [folded])[0].verdict == "missing"
