"""Handouts: nothing of a solution is left, the rest of the lesson is all there, and it runs."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from colorlab.__main__ import main
from colorlab.course.cells import EXERCISE, SOLUTION, code_cells, lesson_paths, source_of
from colorlab.course.checks import exercises
from colorlab.course.grading.handout import handout
from colorlab.course.stand_in import StillOpen, own_or_course

LESSONS = lesson_paths()


def lesson(number: str) -> dict[str, Any]:
    return json.loads(LESSONS[number].read_text(encoding="utf-8"))


def sources(notebook: dict[str, Any]) -> list[str]:
    return [source_of(cell) for cell in notebook["cells"]]


def distinctive(notebook: dict[str, Any]) -> set[str]:
    """The lines of solutions that no other cell of the lesson shows to the learner anyway."""
    cells = sources(notebook)
    shown = "\n".join(cell for cell in cells if not SOLUTION.match(cell))
    lines = {line.strip() for c in cells if SOLUTION.match(c) for line in c.splitlines()}
    return {line for line in lines if line not in shown}


@pytest.mark.parametrize("number", LESSONS)
def test_no_line_of_a_solution_and_nothing_that_it_computed_is_left(number: str) -> None:
    before = lesson(number)
    made = handout(before)
    text = json.dumps(made, ensure_ascii=False)
    lines = distinctive(before)
    assert len(lines) >= len(exercises(number))  # the oracle finds some in each lesson
    for line in lines:
        assert json.dumps(line, ensure_ascii=False)[1:-1] not in text, line
    assert "widgets" not in made["metadata"]
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), source_of(cell)
        # What stands in for a solution is open, and no cell asks nbval to pass over it.
        assert "own_or_course(" not in source_of(cell) or cell["metadata"] == {}
        assert not any(tag.startswith("nbval") for tag in cell["metadata"].get("tags", []))


@pytest.mark.parametrize("number", LESSONS)
def test_everything_else_is_there(number: str) -> None:
    before, made = lesson(number), handout(lesson(number))
    kept = [
        c for c in sources(before) if not SOLUTION.match(c) and "in the next cell, fol" not in c
    ]
    told = "The solution is in the next cell"
    found = sources(made)
    assert [cell for cell in found if cell in kept] == kept
    assert told not in "\n".join(found)
    assert {m[1] for c in found if (m := EXERCISE.match(c))} == {e.name for e in exercises(number)}


@pytest.mark.parametrize("number", LESSONS)
def test_something_stands_in_where_another_cell_calls_the_function(number: str) -> None:
    cells, made = code_cells(lesson(number)), "\n".join(code_cells(handout(lesson(number))))
    for cell in cells:
        if solved := SOLUTION.match(cell):
            others = [c for c in cells if not SOLUTION.match(c) and not EXERCISE.match(c)]
            plain = "\n".join(others)
            name = re.findall(r"^def (\w+)", cell, re.MULTILINE)[-1]
            stands_in = f'\n{name} = own_or_course("{solved[1]}", {name})' in made
            called = re.search(rf"(?<!def )\b{name}\(", plain)
            assert stands_in or not called, solved[1]
            assert not stands_in or re.search(rf"\b{name}\b", plain), solved[1]


@pytest.mark.parametrize("number", LESSONS)
def test_exercises_carry_what_nbgrader_reads(number: str) -> None:
    marked = [c for c in handout(lesson(number))["cells"] if "nbgrader" in c["metadata"]]
    points = {c["metadata"]["nbgrader"]["grade_id"]: c["metadata"]["nbgrader"] for c in marked}
    assert {key: one["points"] for key, one in points.items()} == {
        f"exercise-{one.name.replace('.', '-')}": one.minutes for one in exercises(number)
    }
    # The keys of nbgrader's schema 3 for a cell; `points` where it is graded.
    keys = {"grade", "solution", "locked", "task", "points", "grade_id", "schema_version"}
    assert all(set(one) == keys and one["schema_version"] == 3 for one in points.values())


@pytest.fixture
def stub() -> dict[str, Any]:
    """A notebook's names after the stub of 9.1 has run."""
    scope: dict[str, Any] = {}
    exec('def psnr(image, truth):\n    """A stub."""\n    ...\n', scope)
    return scope


def test_the_course_stands_in_for_an_open_exercise(stub, capsys) -> None:
    psnr = own_or_course("9.1", stub["psnr"])
    assert "not solved yet" in capsys.readouterr().out
    (found,) = psnr(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1))
    assert found.item() == pytest.approx(20.0, abs=1e-4)  # an error of 0.1 is 20 dB
    assert stub["psnr"] is psnr


def test_own_code_is_used_once_it_is_solved(capsys) -> None:
    def psnr(image, truth):
        return -10 * (image - truth).square().mean((1, 2, 3)).log10()

    assert own_or_course("9.1", psnr) is psnr
    assert "your own code" in capsys.readouterr().out


def test_without_the_courses_notebooks_the_exercise_comes_first(stub, monkeypatch) -> None:
    monkeypatch.setattr("colorlab.course.stand_in.course_solution", lambda name: None)
    with pytest.raises(StillOpen, match=r"Exercise 9\.1 is not solved yet.*Solve it"):
        own_or_course("9.1", stub["psnr"])


def test_the_cells_below_an_open_exercise_run(tmp_path, monkeypatch) -> None:
    """Lesson 00 from its exercise on, where nobody has written anything."""
    monkeypatch.setenv("COLORLAB_STATE", str(tmp_path))
    cells = code_cells(handout(lesson("00")))
    (stub,) = [i for i, cell in enumerate(cells) if EXERCISE.match(cell)]
    shown: list[Any] = []
    scope: dict[str, Any] = {
        "np": np,
        "gray": np.zeros((2, 4, 3)),
        "colored": np.ones((2, 4, 3)),
        "photo_grid": lambda rows, **how: shown.append(rows[0][0]),
        "present": lambda *given: None,
    }
    printed = io.StringIO()
    with redirect_stdout(printed):
        for cell in cells[stub : stub + 3]:
            exec(compile(cell, "<cell>", "exec"), scope)
    assert "Exercise 0.1 is not solved yet" in printed.getvalue()
    assert shown[0][0, :, 0].tolist() == [0, 0, 1, 1]


def test_it_writes_what_is_asked_for_and_leaves_alone_what_is_there(tmp_path, capsys) -> None:
    folder = tmp_path / "class"
    assert main(["handout", "-o", str(folder), "--lesson", "3", "--lesson", "09"]) == 0
    names = ["03_unet.ipynb", "09_measuring_color.ipynb"]
    assert sorted(path.name for path in folder.iterdir()) == names
    (folder / names[0]).write_text("the teacher's own", encoding="utf-8")
    capsys.readouterr()
    assert main(["handout", "-o", str(folder), "--lesson", "03"]) == 0
    assert "exists and was left alone" in capsys.readouterr().out
    assert (folder / names[0]).read_text(encoding="utf-8") == "the teacher's own"


@pytest.mark.parametrize(("number", "words"), [("77", "there is no lesson 77"), ("x", "")])
def test_an_unknown_lesson_is_named(number: str, words: str, tmp_path: Path, capsys) -> None:
    try:
        status = main(["handout", "-o", str(tmp_path / "class"), "--lesson", number])
    except SystemExit as error:  # argparse's own
        status = error.code
    assert status == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "class").exists()
