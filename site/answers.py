"""The usual wrong answers, read from the testers: what each says of a mistake, and its advice."""

from __future__ import annotations

import ast
import importlib
import inspect
from types import ModuleType

from colorlab.course.checks import exercises

DOTS = "…"
Said = tuple[str, str]  # a mistake and the advice


def typical(lesson: str) -> list[tuple[str, str, list[Said]]]:
    """For each exercise of a lesson ("03") its name, its title, and what its tester may say.

    A tester calls helpers of its own module, so what these say counts too. A number that is known
    only when a solution is tried is three dots. What would be more than one number, or has no
    advice, is left out.
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
            found += _pair(node.args)
        elif isinstance(node, ast.Tuple):  # a row of a table of mistakes: both texts, the results
            found += _pair(node.elts) if len(node.elts) > 2 else []
    return found


def _pair(nodes: list[ast.expr]) -> list[Said]:
    """The mistake and the advice that these begin with; nothing where they are no sentences."""
    mistake, advice, *_ = [*map(_text, nodes), "", ""]
    sentences = all(text.endswith((".", "?")) and " " in text for text in (mistake, advice))
    if not sentences or mistake.count(DOTS) > 1:
        return []
    return [(mistake.replace(f": {DOTS}.", "."), advice)]


def _text(node: ast.AST) -> str:
    """A literal text as it is; three dots for what is known only when a solution is tried."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return DOTS
