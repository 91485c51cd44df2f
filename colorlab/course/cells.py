"""A lesson's notebook as cells: its exercises, its solutions, and what an exercise needs.

    # EXERCISE 3.1 · ●○○ · 5 min      the first line of a cell that holds a stub
    # SOLUTION 3.1                    the first line of the folded cell that solves it

The same reading serves the course's own notebooks, the handouts made of them, and what learners
hand in.
"""

from __future__ import annotations

import ast
import builtins
import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from colorlab.course.map import LESSONS
from colorlab.sources.bundled import data_dir

EXERCISE = re.compile(r"# EXERCISE (\d{1,2}\.\d{1,2})\b")
SOLUTION = re.compile(r"# SOLUTION (\d{1,2}\.\d{1,2})\s*(?:\n|$)")
DEFINITIONS = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
MODULES = {"np", "torch", "nn", "F"}


def code_cells(notebook: dict[str, Any]) -> list[str]:
    """The source of each code cell, in order."""
    return [source_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source_of(cell: dict[str, Any]) -> str:
    """The text of a cell, which a notebook may keep as one text or as a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def definitions(cell: str) -> list[ast.stmt]:
    """The imports, functions, classes and constants in capitals of a cell.

    A cell that is no Python has none. Lines of IPython's own, such as ``%time``, are left out.
    """
    try:
        body = ast.parse(without_magics(cell)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        node
        for node in body
        if isinstance(node, DEFINITIONS) or (isinstance(node, ast.Assign) and is_constant(node))
    ]


def without_magics(cell: str) -> str:
    """The cell with IPython's own lines left empty, so that the other lines keep their numbers."""
    return re.sub(r"^(?:(?:\w+ *= *)?[%!].*|[\w.]+\?{1,2} *)$", "", cell, flags=re.MULTILINE)


def is_constant(node: ast.Assign) -> bool:
    """Whether this assigns a name in capitals and is made of modules, constants and literals."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}  # of its lambdas
    target, *used = [part.id for part in names if part.id not in own] or [""]
    known = {*MODULES, *dir(builtins)}
    return len(target) > 1 and target.isupper() and all(u in known or u.isupper() for u in used)


def needed(cell: str, above: Iterable[ast.stmt]) -> list[ast.stmt]:
    """Those of the definitions ``above`` that the cell uses, by name, and that those use in turn.

    A cell that is no Python needs nothing.
    """
    above = list(above)
    try:
        wanted = _used(ast.parse(without_magics(cell)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    kept: set[int] = set()
    while found := {i for i, one in enumerate(above) if defined(one) & wanted} - kept:
        kept |= found
        wanted = wanted.union(*(_used(above[i]) for i in found))
    return [above[i] for i in sorted(kept)]


def defined(node: ast.stmt) -> set[str]:
    """The names that a definition makes; ``from … import *`` makes none that can be told."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and _stored(part)}


def _used(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def lesson_paths() -> dict[str, Path]:
    """The course's notebooks that stand beside its ``data/`` folder, by their number ("03").

    Raises `DataMissing` outside a checkout.
    """
    top = data_dir().parent
    return {one.number: top / one.path for one in LESSONS if (top / one.path).is_file()}


def course_solution(name: str) -> str | None:
    """The cell that solves exercise ``name`` ("3.1"); None where the course's notebooks are not."""
    return _course_cells(name, SOLUTION).get(name)


def course_stub(name: str) -> str | None:
    """The cell of exercise ``name`` as nobody has touched it; None as for `course_solution`."""
    return _course_cells(name, EXERCISE).get(name)


def _course_cells(name: str, kind: re.Pattern[str]) -> dict[str, str]:
    path = lesson_paths().get(f"{int(name.split('.')[0]):02d}")
    return _marked(path, kind) if path else {}


@functools.cache
def _marked(path: Path, kind: re.Pattern[str]) -> dict[str, str]:
    """Exercise name -> its cell whose first line is of this kind."""
    cells = code_cells(json.loads(path.read_text(encoding="utf-8")))
    return {found[1]: cell for cell in cells if (found := kind.match(cell))}
