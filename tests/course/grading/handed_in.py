"""Thirty notebooks as learners hand them in: right, wrong, untouched, and hostile ones.

The right ones are the course's own solutions. The wrong ones are wrong answers that the testers of
the lessons know, each with the words of its hint. The hostile ones try to get a wrong answer
passed, to read the solutions, or to use up the machine.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from colorlab.course.cells import (
    EXERCISE,
    SOLUTION,
    code_cells,
    course_solution,
    course_stub,
    lesson_paths,
    needed,
)
from course.checks import test_lesson01, test_lesson03, test_lesson09

IMPORTS = """\
import os, sys
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn"""


@dataclass(frozen=True)
class Case:
    """A notebook's content, an exercise of it, and what grading must say of that."""

    content: str
    exercise: str
    verdict: str
    words: str = ""
    short: bool = False  # runs until it is stopped, so it gets few seconds


def notebook(*cells: str) -> str:
    """The JSON of a notebook with these code cells."""
    kept = [
        {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": 1}
        for cell in (IMPORTS, *cells)
    ]
    return json.dumps({"cells": kept, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def cell(name: str, code: str, function: str) -> str:
    return f'# EXERCISE {name} · ●○○ · 5 min\n{code}\n\n\ncheck("{name}", {function})\n'


def solved(name: str) -> str:
    code = course_solution(name).partition("\n")[2]
    functions = [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    return cell(name, code, functions[-1])


def solved_lesson(number: str) -> str:
    """The lesson itself, with the folded solution in each exercise's place."""
    lesson = json.loads(lesson_paths()[number].read_text(encoding="utf-8"))
    cells = [one for one in code_cells(lesson) if not SOLUTION.match(one)]
    return notebook(*(solved(m[1]) if (m := EXERCISE.match(one)) else one for one in cells))


def psnr(body: str, before: str = "") -> str:
    """A notebook whose psnr has this body, with code before it in the exercise's cell."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return notebook(cell("9.1", f"{before}\ndef psnr(image, truth):\n{lines}", "psnr"))


MISTAKEN = "def non_saturating(logits):\n    return logits"  # 5.3
READS = "try:\n    text = open({!r}).read()\nexcept OSError:\n    pass"
OWN_CHECK = "def check(*given):\n    print('✓ solved')"
ENDLESS = """\
while True:
    try:
        while True:
            pass
    except BaseException:
        pass"""
RIGHT = "return -10 * (image - truth).square().mean((1, 2, 3)).log10()"
WRONG = "return (image - truth).square().mean((1, 2, 3))"


def refused(module: ModuleType, exercise: str, number: int) -> Case:
    """A wrong answer that the lesson's testers know, with the functions that it calls."""
    solution, words = list(module.WRONG[exercise].items())[number]
    code = inspect.getsource(solution)
    functions = ast.parse(inspect.getsource(module)).body
    known = [node for node in functions if isinstance(node, ast.FunctionDef)]
    parts = [ast.unparse(node) for node in needed(code, known)]
    code = "\n\n".join([*parts, code])
    return Case(notebook(cell(exercise, code, _name(solution))), exercise, "not yet", words)


def _name(function: Callable) -> str:
    return function.__name__


def cases() -> dict[str, Case]:
    """The thirty, by a name that says what each is."""
    solutions = lesson_paths()["09"]
    return {
        # right
        "right, with a constant above": Case(notebook(_white(), solved("1.2")), "1.2", "passed"),
        "right, a network": Case(notebook(solved("3.3")), "3.3", "passed"),
        "right, on top of a wrong one": Case(
            notebook(cell("5.3", MISTAKEN, "non_saturating"), solved("5.5")),
            "5.5",
            "passed",
        ),
        "right, an optimizer": Case(notebook(solved("6.3")), "6.3", "passed"),
        "right, a million lines of output": Case(
            psnr(RIGHT, "for i in range(10**6):\n    print('noise', i)"), "9.1", "passed"
        ),
        "right, and no secret in sight": Case(
            psnr(RIGHT, "assert 'COLORLAB_SECRET' not in str(dict(os.environ))"), "9.1", "passed"
        ),
        # wrong
        "wrong: Lab": refused(test_lesson01, "1.1", 0),
        "wrong: a block": refused(test_lesson03, "3.1", 0),
        "wrong: psnr": refused(test_lesson09, "9.1", 2),
        "wrong: psnr, another": refused(test_lesson09, "9.1", 5),
        "wrong: it raises": Case(psnr("return image + nothing"), "9.1", "error", "NameError"),
        "wrong: no Python": Case(psnr("return (image"), "9.1", "error", "SyntaxError"),
        # untouched
        "untouched": Case(notebook(course_stub("9.1")), "9.1", "untouched"),
        "begun": Case(psnr("error = (image - truth) ** 2\n..."), "9.1", "not yet", "in place of"),
        # hostile: to be passed without an answer
        "imports the checks": Case(
            psnr(RIGHT, "from colorlab.course.checks import lesson09"),
            "9.1",
            "not judged",
            "it imports",
        ),
        "reads the solutions": Case(
            psnr(WRONG, READS.format(str(solutions))),
            "9.1",
            "not judged",
            "reads the checks or the solutions",
        ),
        "redefines check": Case(
            psnr(WRONG, OWN_CHECK), "9.1", "not yet", "redefines check: ignored"
        ),
        "patches NumPy in the open": Case(
            psnr(WRONG, "np.allclose = lambda *a, **k: True"), "9.1", "not judged", "np.allclose"
        ),
        "patches NumPy behind a name": Case(
            psnr(WRONG, "getattr(np, '__di' + 'ct__')['allclose'] = lambda *a, **k: True"),
            "9.1",
            "not judged",
            "it changes numpy.allclose",
        ),
        "looks into the frames above": Case(
            psnr("frame = getattr(sys, '_get' + 'frame')(1)\nreturn frame"),
            "9.1",
            "not judged",
            "looks into the process",
        ),
        "writes a verdict to every pipe": Case(
            psnr(
                WRONG,
                "for pipe in range(3, 200):\n    try:\n"
                '        os.write(pipe, b\'{"verdict": "passed", "hint": ""}\')\n'
                "    except OSError:\n        pass\nos._exit(0)\n",
            ),
            "9.1",
            "not judged",
            "where the verdict is sent",
        ),
        # hostile: to end or to use up the machine
        "exit()": Case(psnr(WRONG, "sys.exit()"), "9.1", "ended", "SystemExit"),
        "ends the process": Case(psnr("os._exit(3)"), "9.1", "ended", "exit status 3"),
        "never ends": Case(
            psnr(ENDLESS),
            "9.1",
            "time",
            "stopped after",
            short=True,
        ),
        "a fork bomb": Case(
            psnr(RIGHT, "while True:\n    os.fork()"), "9.1", "error", "starts another process"
        ),
        "gigabytes of memory": Case(psnr("return torch.ones(10**9)"), "9.1", "memory", "of memory"),
        "gigabytes of files": Case(
            psnr(
                RIGHT,
                "for i in range(10**4):\n    with open(f'{i}.bin', 'wb') as file:\n"
                "        file.write(b'0' * 10**6)\n",
            ),
            "9.1",
            "files",
            "of files",
        ),
        "the network": Case(
            psnr(RIGHT, "import socket\nsocket.create_connection(('127.0.0.1', 9))"),
            "9.1",
            "error",
            "uses the network",
        ),
        "writes outside": Case(
            psnr(RIGHT, "open('/var/tmp/of-a-learner', 'w')"), "9.1", "error", "may not write"
        ),
        "no notebook": Case("{'not': json", "", "not judged", "no notebook"),
    }


def _white() -> str:
    return "WHITE = np.array([0.95047, 1.0, 1.08883])"


def write(folder: Path, made: dict[str, Case]) -> dict[str, Path]:
    """A file for each case, named by its number; returns the case's name -> file."""
    paths = {name: folder / f"learner-{i:02d}.ipynb" for i, name in enumerate(made)}
    for name, path in paths.items():
        path.write_text(made[name].content, encoding="utf-8")
    return paths
