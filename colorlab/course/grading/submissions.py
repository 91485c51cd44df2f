"""A notebook that was handed in: its lesson, and which code of it is tried."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colorlab.course.cells import (
    EXERCISE,
    SOLUTION,
    code_cells,
    course_solution,
    course_stub,
    definitions,
    needed,
    without_magics,
)
from colorlab.course.checks import exercises
from colorlab.course.grading.collected import LARGEST
from colorlab.course.grading.judge import Task, of_the_lesson
from colorlab.course.grading.signs import signs
from colorlab.course.map import LESSONS

CHECKED = re.compile(r"^check\(\s*[\"'](\d{1,2}\.\d{1,2})[\"']", re.MULTILINE)


class Unreadable(ValueError):
    """What was handed in is no notebook with exercises of a lesson; the message says why."""


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unread"


def read_cells(path: Path) -> tuple[str, list[str]]:
    """The lesson's number and the code cells.

    Raises:
        Unreadable: no notebook, or none with exercises of a lesson.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST // 2**20} MB: clear its outputs")
        notebook = json.loads(path.read_bytes())
        if isinstance(notebook, dict) and "worksheets" in notebook:
            raise Unreadable("it is of an old format: open it in JupyterLab, and save it")
        cells = code_cells(notebook)
    except OSError as error:
        raise Unreadable(f"it can't be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("it is no notebook") from None
    count = Counter(_lessons(cells))
    if not count:
        raise Unreadable("it has no cell that begins with # EXERCISE")
    number = count.most_common(1)[0][0]
    if number not in {one.number for one in LESSONS}:
        raise Unreadable(f"its exercises are of lesson {number}, which the course does not have")
    return number, cells


def other_lessons(number: str, cells: Sequence[str]) -> list[str]:
    """The lessons beside this one whose exercises the cells hold too."""
    return sorted({*_lessons(cells)} - {number})


def _lessons(cells: Sequence[str]) -> list[str]:
    """The lesson of each exercise's cell."""
    names = filter(None, map(_exercise_of, cells))
    return [f"{int(name.split('.')[0]):02d}" for name in names]


def _exercise_of(cell: str) -> str | None:
    """The exercise that a cell answers, by its first line, or by its check where that is gone."""
    found = EXERCISE.match(cell) or (None if SOLUTION.match(cell) else CHECKED.search(cell))
    return found[1] if found else None


@dataclass(frozen=True)
class Attempt:
    """An exercise as it was handed in: the task to run, or the verdict where none is; a note."""

    exercise: str
    task: Task | None
    verdict: str = ""
    hint: str = ""
    note: str = ""
    begun: bool = False  # whether the cell differs from the course's stub


def attempts(number: str, cells: Sequence[str]) -> list[Attempt]:
    """Each exercise of a lesson, as these cells hold it."""
    return [_readable_attempt(one.name, cells) for one in exercises(number)]


def _readable_attempt(name: str, cells: Sequence[str]) -> Attempt:
    try:
        return _attempt(name, cells)
    except (ValueError, RecursionError, MemoryError):  # an endless number, a thousand brackets
        return Attempt(name, None, "not judged", "its code is too large or too deep to be read")


def _attempt(name: str, cells: Sequence[str]) -> Attempt:
    places = [i for i, cell in enumerate(cells) if _exercise_of(cell) == name]
    if not places:
        return Attempt(name, None, "missing", f"no cell begins with # EXERCISE {name}")
    cell = without_magics(cells[places[-1]])
    try:
        tree = ast.parse(cell)
    except SyntaxError as error:
        return Attempt(name, None, "error", f"SyntaxError: {error.msg}, line {error.lineno}")
    except (ValueError, RecursionError, MemoryError):
        return Attempt(name, None, "error", "the cell is no Python")
    above = needed(cell, _above(cells[: places[-1]]))
    runs = [node for node in (*above, *tree.body) if not of_the_lesson(node)]
    if found := signs([*runs, *_imports_of_checks(tree)]):
        hint = f"it was not run, since it could change the check: it {'; it '.join(found[:3])}"
        return Attempt(name, None, "not judged", hint)
    if not (function := _function(tree)):
        hint = "its cell makes no function: all of the answer belongs into that cell"
        return Attempt(name, None, "not judged", hint)
    task = Task(name, tuple(ast.unparse(node) for node in above), cell, function)
    own = {node.name for node in runs if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    notes = ["redefines check: ignored"] if "check" in own or _names_check(cells) else []
    if len(places) > 1:
        notes.append(f"{len(places)} cells answer exercise {name}: the last counts")
    return Attempt(name, task, note="; ".join(notes), begun=_is_begun(name, tree))


def _is_begun(name: str, tree: ast.Module) -> bool:
    stub = course_stub(name)
    return stub is not None and ast.dump(ast.parse(stub)) != ast.dump(tree)


def _imports_of_checks(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def _above(cells: Sequence[str]) -> list[ast.stmt]:
    """All definitions above; those of an earlier exercise are the learner's, then the course's.

    So a mistake in one exercise does not count again in the next.
    """
    found: list[ast.stmt] = []
    for cell in cells:
        if SOLUTION.match(cell):
            continue
        found += definitions(cell)
        if exercise := _exercise_of(cell):
            found += definitions(course_solution(exercise) or "")
    return [node for node in found if not of_the_lesson(node)]


def _names_check(cells: Sequence[str]) -> bool:
    """Whether a cell of the notebook defines ``check`` anew."""
    return any(re.search(r"^(?:def check\(|check\s*=)", cell, re.MULTILINE) for cell in cells)


def _function(tree: ast.Module) -> str:
    """What the cell hands to ``check``; else its last function."""
    for node in ast.walk(tree):
        is_check = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"
        if is_check and len(node.args) == 2 and isinstance(node.args[1], ast.Name):
            return node.args[1].id
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    return functions[-1] if functions else ""
