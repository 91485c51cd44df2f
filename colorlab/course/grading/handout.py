"""A lesson for learners: the course's notebook without its solutions.

The cell of a solution becomes `own_or_course`, where cells below use what it makes: nearly every
solution in the course. All outputs and the state of the widgets go too, since they were computed
by the solutions. Exercises get nbgrader's metadata, as answers that a person or `colorlab grade`
grades: their points are their minutes.
"""

from __future__ import annotations

import ast
import copy
import re
from typing import Any

from colorlab.course.cells import EXERCISE, SOLUTION, source_of, without_magics

MINUTES = re.compile(r" · (\d+) min\b")
FOLDED = re.compile(r"^The solution is in the next cell, folded\..*$", re.MULTILINE)
GOES_ON = (
    "The next cell lets the lesson go on: with your own code once it is solved, and with the "
    "course's until then."
)
STAND_IN = """\
# The cells below use exercise {name}: your own code if it is solved, else the course's.
from colorlab.course.stand_in import own_or_course

{function} = own_or_course("{name}", {function})"""


def handout(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of a lesson's notebook, as read from JSON, that holds nothing of a solution."""
    notebook = copy.deepcopy(notebook)
    notebook["metadata"].pop("widgets", None)
    cells = notebook["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            _clear(cell)
        elif cell["cell_type"] == "markdown":
            _set(cell, FOLDED.sub(GOES_ON, source_of(cell)))
    used = _names(cells)
    changed = [_for_learners(cell, used) for cell in cells]
    notebook["cells"] = [cell for cell in changed if cell]
    return notebook


def _for_learners(cell: dict[str, Any], used: set[str]) -> dict[str, Any] | None:
    """The cell itself, what stands in for a solution, or None for one that nothing needs."""
    source = source_of(cell)
    if cell["cell_type"] != "code":
        return cell
    if exercise := EXERCISE.match(source):
        minutes = int(found[1]) if (found := MINUTES.search(source)) else 0
        cell["metadata"]["nbgrader"] = _nbgrader(exercise[1], minutes)
    if solution := SOLUTION.match(source):
        function = _last_function(source)
        if function not in used:
            return None
        cell["metadata"] = {}
        _set(cell, STAND_IN.format(name=solution[1], function=function))
    return cell


def _clear(cell: dict[str, Any]) -> None:
    cell["outputs"], cell["execution_count"] = [], None
    cell["metadata"].pop("execution", None)
    tags = [tag for tag in cell["metadata"].pop("tags", []) if not tag.startswith("nbval-")]
    if tags:
        cell["metadata"]["tags"] = tags


def _nbgrader(name: str, minutes: int) -> dict[str, Any]:
    """The exercise as nbgrader knows one whose answer is graded as a whole."""
    return {
        "grade": True,
        "solution": True,
        "locked": False,
        "task": False,
        "points": minutes,
        "grade_id": f"exercise-{name.replace('.', '-')}",
        "schema_version": 3,
    }


def _last_function(solution: str) -> str:
    """The exercise's function; what a solution defines before it are its helpers."""
    return [n.name for n in ast.parse(solution).body if isinstance(n, ast.FunctionDef)][-1]


def _names(cells: list[dict[str, Any]]) -> set[str]:
    """The names that cells other than exercises and solutions use.

    Those above an exercise count too: a class may call there what is only defined below.
    """
    sources = [source_of(cell) for cell in cells if cell["cell_type"] == "code"]
    plain = [one for one in sources if not SOLUTION.match(one) and not EXERCISE.match(one)]
    trees = [ast.parse(without_magics(one)) for one in plain]
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _set(cell: dict[str, Any], source: str) -> None:
    cell["source"] = source.splitlines(keepends=True)
