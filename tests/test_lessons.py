"""The exercises as they stand in the notebooks: the stub is open, the folded solution is right."""

from __future__ import annotations

import ast
import json
import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorlab.course.cells import definitions
from colorlab.course.checks import exercises, try_solution

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("[0-9]*.ipynb"))
LABEL = re.compile(r"# EXERCISE (\d+\.\d+) · ([●○]{3}) · (\d+) min")


def code_cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def stubs(notebook: Path) -> dict[str, str]:
    """Exercise name -> source of the cell that holds its stub."""
    return {m[1]: cell for cell in code_cells(notebook) if (m := LABEL.match(cell))}


def definitions_before(notebook: Path, name: str) -> str:
    """What stands above the stub of an exercise and what its solution may use: imports, functions,
    classes and constants in capitals, those of the stubs left out."""
    cells = code_cells(notebook)
    above = cells[: cells.index(stubs(notebook)[name])]
    kept = [node for cell in above if not LABEL.match(cell) for node in definitions(cell)]
    return ast.unparse(ast.Module(kept, []))


def run(source: str, before: str = "") -> dict[str, Any]:
    """The names that a cell makes, with those of `before`. Its text goes where Jupyter puts it too:
    whether a stub is still open is read from the source."""
    name = f"<cell {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"np": np}
    exec(before, namespace)
    exec(compile(source, name, "exec"), namespace)
    return namespace


def checked_name(name: str, source: str) -> str:
    """The variable that the stub's cell hands to `check`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
            assert ast.literal_eval(node.args[0]) == name
            return node.args[1].id
    raise AssertionError(f"the cell of exercise {name} does not call check")


CASES = [
    pytest.param(notebook, name, id=name) for notebook in NOTEBOOKS for name in stubs(notebook)
]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_holds_each_exercise_of_its_lesson_with_its_own_label(notebook: Path) -> None:
    known = {exercise.name: exercise for exercise in exercises(notebook.name[:2])}
    found = stubs(notebook)
    assert set(found) == set(known)
    for name, source in found.items():
        _, dots, minutes = LABEL.match(source).groups()
        assert dots.count("●") == known[name].difficulty
        assert int(minutes) == known[name].minutes


@pytest.mark.parametrize(("notebook", "name"), CASES)
def test_the_stub_is_open_and_pointed_to_the_start(
    notebook: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("COLORLAB_STATE", str(tmp_path))
    source = stubs(notebook)[name]
    before = definitions_before(notebook, name)
    capsys.readouterr()
    run(source, before)
    (exercise,) = [one for one in exercises(notebook.name[:2]) if one.name == name]
    said = " ".join(capsys.readouterr().out.split())
    assert f"{name} {exercise.title}: open" in said
    assert exercise.start.split(".")[0] in said


@pytest.mark.parametrize(("notebook", "name"), CASES)
def test_the_folded_solution_is_solved(notebook: Path, name: str) -> None:
    cells = [cell for cell in code_cells(notebook) if cell.startswith(f"# SOLUTION {name}\n")]
    assert len(cells) == 1
    made = run(cells[0], definitions_before(notebook, name))
    solution = made[checked_name(name, stubs(notebook)[name])]
    (exercise,) = [one for one in exercises(notebook.name[:2]) if one.name == name]
    assert try_solution(exercise, solution).status == "solved"


# --- what every lesson after the first has -------------------------------------------------------

LATER = [notebook for notebook in NOTEBOOKS if not notebook.name.startswith("00")]


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("notebook", LATER, ids=lambda path: path.stem)
def test_a_lesson_has_its_parts(notebook: Path) -> None:
    texts = ["".join(c["source"]) for c in cells_of(notebook) if c["cell_type"] == "markdown"]
    prose = "\n".join(texts)
    assert len(stubs(notebook)) >= 5
    assert "**Predict first:**" in prose and "*Play:*" in prose and "planted bug" in prose
    for heading in ("Set-up", "Where people get stuck", "Quiz", "What it cost", "Recap"):
        assert f"\n## {heading}" in f"\n{prose}", heading
    assert "**Papers" in prose and "\n**Next:**" in f"\n{prose}"
    assert prose.count("<summary>Hint</summary>") == len(stubs(notebook))
    assert "https://github.com/" in prose.split("## Where people get stuck")[1].split("\n## ")[0]


@pytest.mark.parametrize("notebook", LATER, ids=lambda path: path.stem)
def test_at_least_eight_cells_are_compared_with_what_they_printed(notebook: Path) -> None:
    compared = [
        cell
        for cell in cells_of(notebook)
        if "nbval-check-output" in cell["metadata"].get("tags", [])
    ]
    assert len(compared) >= 8
    for cell in compared:
        assert [o["output_type"] for o in cell["outputs"]].count("stream") >= 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_folded_solutions_are_folded_and_nothing_is_left_to_fill_in(notebook: Path) -> None:
    for cell in cells_of(notebook):
        source = "".join(cell["source"])
        if source.startswith("# SOLUTION "):
            assert cell["metadata"]["jupyter"]["source_hidden"] is True
        if cell["cell_type"] == "markdown":
            assert not re.search(r"\b[A-Z]{3,}\b \||^[A-Z]{4,}$", source, re.MULTILINE), source
