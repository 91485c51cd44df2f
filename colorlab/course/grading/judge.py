"""Inside the process of one exercise: runs the learner's code, then the check, sends the verdict.

The check and its tools are bound before the code runs, and the names by which the code could reach
them are taken away. The verdict is believed only if nothing that is loaded was altered, and if it
begins with a token that the code was never given.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from colorlab.course.checks import exercises, try_solution
from colorlab.course.checks.exercise import Exercise, Flaw, NotYet
from colorlab.course.checks.limit import TookTooLong
from colorlab.course.grading.guard import CLOSED, Originals, watch

LONGEST = 2000  # characters of what a check says


@dataclass(frozen=True)
class Task:
    """An exercise's code: its name, the definitions it needs, its cell, and what it makes."""

    exercise: str
    above: tuple[str, ...]
    cell: str
    function: str


def judge(
    task: Task,
    originals: Originals,
    readable: Sequence[Path],
    hidden: Sequence[Path],
    folder: Path,
    token: bytes,
    channel: int,
) -> None:
    """Run and check one exercise in this process, send the verdict, and end the process."""
    found, changed, dumps = find(task.exercise), originals.changed, json.dumps
    module = _take_away()
    looks = watch(readable, hidden, folder)
    said = _verdict(task, found, module.__dict__)
    if (altered := changed()) is not None:
        said = {"verdict": "not judged", "hint": f"it changes {altered}"}
    elif looks:
        said = {"verdict": "not judged", "hint": f"it {looks[0]}"}
    os.write(channel, token + dumps(said).encode())
    os._exit(0)


def find(name: str) -> Exercise:
    """The exercise of this name ("3.1")."""
    (found,) = [one for one in exercises(f"{int(name.split('.')[0]):02d}") if one.name == name]
    return found


def _take_away() -> types.ModuleType:
    """Remove the checks from where imports find them; returns a new, empty module ``__main__``."""
    for name in [name for name in sys.modules if name.startswith(CLOSED)]:
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(child, None)
        del sys.modules[name]
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    return module


def _verdict(task: Task, exercise: Exercise, scope: dict[str, Any]) -> dict[str, str]:
    for i, source in enumerate(task.above):
        try:
            _run(source, f"<exercise {task.exercise}, above {i}>", scope)
        except Exception:  # what is missing because of it will be named where it is used
            continue
    try:
        _run(task.cell, f"<exercise {task.exercise}>", scope)
    except BaseException as error:
        return _of_error(error, f"the cell raised {type(error).__name__}: {_message(error)}")
    raised: list[BaseException] = []

    def test(solution: Any) -> Flaw | None:
        try:
            return exercise.test(solution)
        except NotYet:
            raise
        except BaseException as error:
            raised.append(error)
            raise

    try:
        result = try_solution(replace(exercise, test=test), scope.get(task.function))
    except KeyboardInterrupt as error:
        return _of_error(error, f"{task.function} raised KeyboardInterrupt")
    hint = " ".join(part for part in (result.finding, result.advice) if part)
    if result.status == "solved":
        return {"verdict": "passed", "hint": ""}
    if result.status == "open":
        return {"verdict": "open", "hint": hint[:LONGEST]}
    if raised:
        return _of_error(raised[-1], hint)
    return {"verdict": "not yet", "hint": hint[:LONGEST]}


def _run(source: str, name: str, scope: dict[str, Any]) -> None:
    """Run a cell, less its calls of ``check``. Its text goes where checks read it."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not of_the_lesson(node)]
    exec(compile(tree, name, "exec"), scope)


def of_the_lesson(node: ast.stmt) -> bool:
    """Whether a statement imports or calls the lesson's own ``check`` and the like."""
    if isinstance(node, ast.ImportFrom):
        return node.module in ("colorlab.course.checks", "colorlab.course.stand_in")
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    names = ("check", "progress", "own_or_course")
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") in names


def _of_error(error: BaseException, hint: str) -> dict[str, str]:
    """What happened, by the kind of the error."""
    message = _message(error)
    verdict = "error"
    if isinstance(error, TookTooLong):
        verdict = "time"
    elif isinstance(error, MemoryError) or "allocate memory" in message:
        verdict = "memory"
    elif isinstance(error, OSError) and error.errno in (27, 28):  # too large a file, no room
        verdict = "files"
    elif isinstance(error, SystemExit):
        verdict = "ended"
    return {"verdict": verdict, "hint": hint[:LONGEST]}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST]
    except Exception:  # an exception of the learner's own making
        return ""
