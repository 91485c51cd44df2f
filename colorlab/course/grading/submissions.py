"""Notebooks that learners hand in: whose they are, and which code of them is tried."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
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
from colorlab.course.grading.judge import Task, of_the_lesson
from colorlab.course.grading.signs import signs
from colorlab.course.map import LESSONS

LARGEST = 100 * 2**20  # bytes of a notebook
LESSON_NAME = re.compile(r"[0-9]{2}_\w+")


class Unreadable(ValueError):
    """What was handed in is no notebook with exercises of a lesson; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A notebook and whose it is: a folder's name, or the file's where it stands alone."""

    learner: str
    path: Path


def find_submissions(paths: Iterable[str | Path]) -> list[Submission]:
    """The notebooks among files and folders, those of a learner next to each other.

    In a folder the learner is the first folder below it, or the file itself. Two notebooks of one
    name and learner are told apart by their path. What can't be printed in a name is written as
    its code.

    Raises:
        FileNotFoundError: nothing stands there, or no notebook is in it.
    """
    found: dict[Path, Submission] = {}
    for given in map(Path, paths):
        if given.is_dir():
            inside = [p for p in sorted(given.rglob("*.ipynb")) if not _is_copy(p, given)]
            if not inside:
                raise FileNotFoundError(f"{given} holds no notebook (.ipynb)")
            for path in inside:
                below = path.relative_to(given).parts
                name = below[0] if len(below) > 1 else _learner_of(path)
                found.setdefault(_place(path), Submission(name, path))
        elif given.exists():
            found.setdefault(_place(given), Submission(_learner_of(given), given))
        else:
            raise FileNotFoundError(f"{given} does not exist")
    count = Counter((one.learner, one.path.name) for one in found.values())
    return sorted(
        (
            Submission(_printable(f"{one.learner} ({one.path})"), one.path)
            if count[one.learner, one.path.name] > 1
            else Submission(_printable(one.learner), one.path)
            for one in found.values()
        ),
        key=lambda one: (one.learner, str(one.path)),
    )


def without_notebook(paths: Iterable[str | Path], found: Iterable[Submission]) -> list[Path]:
    """What lies in these folders, beside the submissions found: empty folders, archives."""
    taken = {_place(one.path) for one in found}
    taken |= {parent for path in taken for parent in path.parents}
    inside = [path for given in map(Path, paths) if given.is_dir() for path in given.iterdir()]
    inside = [path for path in inside if not path.name.startswith(".")]
    return sorted(path for path in inside if _place(path) not in taken)


def _place(path: Path) -> Path:
    """Where a file stands; a link to the file of somebody else is its owner's all the same."""
    return path.parent.resolve() / path.name


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _is_copy(path: Path, top: Path) -> bool:
    """Whether an editor put it there, as ``.ipynb_checkpoints`` does."""
    return any(part.startswith(".") for part in path.relative_to(top).parts)


def _learner_of(path: Path) -> str:
    """A file's own name; its folder's where it is named as the lesson is."""
    is_lesson = path.stem in {f"{one.number}_{one.name}" for one in LESSONS}
    return path.resolve().parent.name if is_lesson else path.stem


def read_cells(path: Path, lesson: str | None = None) -> tuple[str, list[str], str]:
    """The lesson's number, the code cells, and the SHA-256 of the file's bytes.

    Raises:
        Unreadable: no notebook, none with exercises, or one of another lesson than ``lesson``.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST // 2**20} MB: clear its outputs")
        content = path.read_bytes()
        notebook = json.loads(content)
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
    if lesson is not None and number != lesson:
        raise Unreadable(f"its exercises are of lesson {number}, not of {lesson}")
    return number, cells, hashlib.sha256(content).hexdigest()


def other_lessons(number: str, cells: Sequence[str]) -> list[str]:
    """The lessons beside this one whose exercises the cells hold too."""
    return sorted({*_lessons(cells)} - {number})


def _lessons(cells: Sequence[str]) -> list[str]:
    """The lesson of each exercise's cell."""
    names = [m[1] for cell in cells if (m := EXERCISE.match(cell))]
    return [f"{int(name.split('.')[0]):02d}" for name in names]


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
    places = [i for i, cell in enumerate(cells) if (m := EXERCISE.match(cell)) and m[1] == name]
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
    if not _function(tree):
        hint = "its cell makes no function: all of the answer belongs into that cell"
        return Attempt(name, None, "not judged", hint)
    task = Task(name, tuple(ast.unparse(node) for node in above), cell, _function(tree))
    own = {node.name for node in runs if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    notes = ["redefines check: ignored"] if "check" in own or _names_check(cells) else []
    if len(places) > 1:
        notes.append(f"{len(places)} cells begin with # EXERCISE {name}: the last counts")
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
        if exercise := EXERCISE.match(cell):
            found += definitions(course_solution(exercise[1]) or "")
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
