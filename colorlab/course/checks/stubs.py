"""Distinguishes a stub that nobody has filled in from a wrong solution.

A stub holds ``...`` where the learner's code goes, as a statement, a value or a result, or has no
body at all, or raises ``NotImplementedError``. The source is read rather than the bytecode: Python
leaves a lone ``...`` out of the bytecode, and the source looks the same in each version.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import FunctionType
from typing import Any


def open_parts(thing: Any) -> list[str]:
    """Names of the functions in `thing` (a function or a class) that still hold a stub.

    ``None`` and ``...`` themselves are stubs too. Never raises: what can't be read counts as
    filled in.
    """
    try:
        if thing is None or thing is Ellipsis:
            return ["your solution"]
        if isinstance(thing, FunctionType):
            return [thing.__name__] if _is_stub(thing) else []
        if isinstance(thing, type):
            methods = [part for part in vars(thing).values() if isinstance(part, FunctionType)]
            return [f"{thing.__name__}.{part.__name__}" for part in methods if _is_stub(part)]
    except Exception:  # the object is the learner's: anything in it may raise
        return []
    return []


def _is_stub(function: FunctionType) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # no source kept, or a lambda inside a longer line
        return False
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    body = definition.body
    if ast.get_docstring(definition) is not None:
        body = body[1:]
    if all(isinstance(line, ast.Pass) for line in body):
        return True
    if any(_raises_not_implemented(line) for line in body):
        return True
    holds_value = ast.Expr | ast.Return | ast.Assign | ast.AnnAssign | ast.AugAssign
    return any(
        isinstance(node, holds_value) and _is_ellipsis(node.value) for node in ast.walk(definition)
    )


def _is_ellipsis(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _raises_not_implemented(line: ast.stmt) -> bool:
    if not isinstance(line, ast.Raise) or line.exc is None:
        return False
    raised = line.exc.func if isinstance(line.exc, ast.Call) else line.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
