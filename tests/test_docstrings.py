"""One style of docstrings in the library, read from its source without running it.

The course is left out: it speaks to learners.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent / "colorlab"
FILES = [file for file in sorted(HOUSE.rglob("*.py")) if "course" not in file.parts]
Definition = ast.FunctionDef | ast.ClassDef


def public(body: list[ast.stmt]) -> Iterator[tuple[Definition, bool]]:
    """The public functions and classes, and whether each has to have a docstring.

    A class speaks for its ``forward``, and a property for its setter.
    """
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            setter = any(isinstance(one, ast.Attribute) for one in node.decorator_list)
            yield node, node.name != "forward" and not setter
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def raised(node: ast.AST) -> set[str]:
    """The exception classes in ``raise Name(...)``, those of functions inside left out."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            found.add(ast.unparse(child.exc.func).rpartition(".")[2])
        if not isinstance(child, Definition):
            found |= raised(child)
    return {name for name in found if name[0].isupper()}  # `raise _unreadable(...)` is a function


def complaints(source: str) -> list[str]:
    """What goes against the style: a line for each docstring and fault."""
    tree, found = ast.parse(source), []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, Definition)):
            for code in re.findall(r"(?<!`)`[^`\n]+`(?!`)", ast.get_docstring(node) or ""):
                found.append(f"{code} needs double backticks")
    for node, needed in public(tree.body):
        text = ast.get_docstring(node)
        if text is None:
            found += [f"{node.name} has no docstring"] if needed else []
            continue
        first = text.splitlines()[0]
        if not first[0].isupper() or not first.endswith("."):
            found.append(f"{node.name} begins with no sentence in one line: {first}")
        if isinstance(node, ast.FunctionDef):
            section = text.partition("Raises:\n")[2]
            for name in sorted(raised(node)):
                if not re.search(rf"\b{name}\b", section):
                    found.append(f"{node.name} raises {name} and doesn't say so")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(HOUSE).as_posix())
def test_docstrings_are_of_one_style(file: Path) -> None:
    assert complaints(file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        ("def f(): ...", "f has no docstring"),
        ("class C: ...", "C has no docstring"),
        ('def f():\n    """lower."""', "f begins with no sentence in one line: lower."),
        (
            'def f():\n    """Over two\n    lines."""',
            "f begins with no sentence in one line: Over two",
        ),
        ('"""Of `one`."""', "`one` needs double backticks"),
        ('def _f():\n    """Of :func:`g`."""', "`g` needs double backticks"),
        (
            'def f():\n    """F."""\n    raise ValueError(1)',
            "f raises ValueError and doesn't say so",
        ),
        (
            'class C:\n    """C."""\n    def f(self):\n        """F.\n\n        Raises:\n'
            '            OSError: x.\n        """\n        if 1:\n            raise a.KeyError(2)',
            "f raises KeyError and doesn't say so",
        ),
    ],
)
def test_a_planted_fault_is_found(planted: str, complaint: str) -> None:
    assert complaints(planted) == [complaint]


def test_what_is_in_order_passes() -> None:
    source = (
        'def f():\n    """Of ``g``.\n\n    Raises:\n        ValueError, OSError: x.\n    """\n'
        "    def g():\n        raise KeyError(1)\n    raise OSError(2)\n"
        "def _h(): ...\n"
    )
    assert complaints(source) == []
