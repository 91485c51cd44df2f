"""The usual wrong answers, read from the testers: what each says of a mistake, and its advice."""

from __future__ import annotations

import ast
import importlib
import inspect
from types import ModuleType

from colorlab.course.checks import exercises

Said = tuple[str, str]  # a mistake and the advice


def typical(lesson: str) -> list[tuple[str, str, list[Said]]]:
    """For each exercise of a lesson ("03") its name, its title, and what its tester may say.

    A tester calls helpers of its own module, so what these say counts too. Numbers that are known
    only when a solution is tried are three dots.
    """
    module = importlib.import_module(f"colorlab.course.checks.lesson{lesson}")
    functions = _functions(module)
    found = []
    for exercise in exercises(lesson):
        name = getattr(exercise.test, "func", exercise.test).__name__
        said = dict.fromkeys(_said(functions, name, set()))
        found.append((exercise.name, exercise.title, list(said)))
    return found


def _functions(module: ModuleType) -> dict[str, ast.AST]:
    tree = ast.parse(inspect.getsource(module))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _said(functions: dict[str, ast.AST], name: str, seen: set[str]) -> list[Said]:
    """What a function and the functions that it names say, in the order of the source."""
    if name in seen or name not in functions:
        return []
    seen.add(name)
    found = []
    for node in ast.walk(functions[name]):
        if isinstance(node, ast.Name):
            found += _said(functions, node.id, seen)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Flaw", "NotYet"):
            mistake, advice, *_ = [*map(_text, node.args), "", ""]
            if mistake.strip("… "):
                found.append((mistake, advice.strip("… ") and advice))
    return found


def _text(node: ast.AST) -> str:
    """A literal text as it is; three dots for what is known only when a solution is tried."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"
