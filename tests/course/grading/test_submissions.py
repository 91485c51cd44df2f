"""Whose a notebook is, and which of its code is tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colorlab.course.cells import code_cells
from colorlab.course.grading.submissions import attempts, find_submissions
from course.grading.handed_in import RIGHT, cell, notebook, psnr


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", encoding="utf-8")
    return path


def test_the_learner_is_the_folder_or_the_file(tmp_path: Path) -> None:
    top = tmp_path / "class"
    touch(top / "ada" / "lesson" / "03_unet.ipynb")
    touch(top / "ada" / ".ipynb_checkpoints" / "03_unet-checkpoint.ipynb")
    touch(top / "bert.ipynb")
    alone = touch(tmp_path / "carl" / "03_unet.ipynb")
    found = find_submissions([top, alone, top])
    assert [(one.learner, one.path.name) for one in found] == [
        ("ada", "03_unet.ipynb"),
        ("bert", "bert.ipynb"),
        ("carl", "03_unet.ipynb"),
    ]


def test_two_notebooks_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        touch(tmp_path / "ada" / folder / "03_unet.ipynb")
    learners = {one.learner for one in find_submissions([tmp_path])}
    assert len(learners) == 2 and all(name.startswith("ada (") for name in learners)


@pytest.mark.parametrize(("name", "words"), [("none", "does not exist"), ("", "no notebook")])
def test_nothing_to_grade_is_named(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=words):
        find_submissions([tmp_path / name])


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
