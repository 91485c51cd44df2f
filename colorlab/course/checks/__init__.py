"""Checks a learner's solution the minute it is written.

    from colorlab.course.checks import check, progress

    check("0.1", my_function)   # prints a result: solved, not yet and why, or where to start
    progress("00")              # prints what is solved and what is open in lesson 00

A wrong solution is first told what is wrong with it. The advice comes with the second attempt that
makes the same mistake. `check` never raises: whatever the solution does, the cells below it still
run. The one exception is the learner's own Stop button (``KeyboardInterrupt``), which stops. A
lesson's testers stand in
``colorlab/course/checks/lessonNN.py``; `exercise` says how they are written.
"""

from __future__ import annotations

import importlib
import linecache
import pkgutil
import re
import sys
import textwrap
import traceback
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal

from colorlab.course.checks import memory
from colorlab.course.checks.exercise import Exercise, Flaw, NotYet, describe, name_of
from colorlab.course.checks.limit import TookTooLong, time_limit
from colorlab.course.checks.stubs import open_parts

__all__ = ["Exercise", "Flaw", "NotYet", "Result", "check", "exercises", "progress", "try_solution"]

MARKS = {"solved": "✓", "not yet": "✗", "open": "○"}
MISSES_BEFORE_FOLDED_HINT = 2

_last_mistakes: dict[str, str] = {}  # of each exercise, in this kernel


@dataclass(frozen=True)
class Result:
    """What a tester says of a solution: the status, what was found, and the next step."""

    status: Literal["solved", "not yet", "open"]
    finding: str = ""
    advice: str = ""


def check(name: str, solution: Any = None) -> None:
    """Print the result of the learner's `solution` of exercise `name` ("0.1"), and remember it."""
    exercise = _find(name)
    if isinstance(exercise, str):
        _say(exercise)
        return
    result = try_solution(exercise, solution)
    lines = [f"{MARKS[result.status]} {exercise.name} {exercise.title}: {result.status}"]
    advice = result.advice
    if not _is_repeated(exercise.name, result) and result.status == "not yet":
        advice = "Look again. The same mistake once more brings advice." if advice else ""
    lines += [part for part in (result.finding, advice) if part]
    if result.status != "open":
        solved = result.status == "solved"
        record, note = memory.remember(exercise.lesson, exercise.name, solved=solved)
        if not solved and record.misses > MISSES_BEFORE_FOLDED_HINT:
            lines.append("Stuck? The hint folded below this cell goes a step further.")
        if note:
            lines.append(f"Note: {note}")
    _say(lines[0], *lines[1:])


def try_solution(exercise: Exercise, solution: Any) -> Result:
    """Try `solution` with the exercise's tester; prints and remembers nothing."""
    try:
        with time_limit(exercise.seconds):
            flaw = exercise.test(solution)
    except TookTooLong:
        return Result(
            "not yet",
            f"No result after {exercise.seconds:g} seconds, so the check was stopped.",
            "Does each loop in your code come to an end?",
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and the like too: the next cell must still run
        flaw = error.flaw if isinstance(error, NotYet) else _explain(error, solution)
    if flaw is None:
        return Result("solved", exercise.solved)
    # Only now, so that a right solution counts although a `...` was left standing beside it.
    parts = open_parts(solution)
    if parts:
        where = "" if solution is None or solution is Ellipsis else f" in {' and '.join(parts)}"
        return Result("open", f"Your code goes in place of the `...`{where}.", exercise.start)
    return Result("not yet", flaw.mistake, flaw.advice)


def progress(lesson: str | None = None) -> None:
    """Print which exercises of `lesson` ("00") are solved, or of every lesson."""
    known = _lessons()
    if lesson is None:
        chosen = known
    else:
        digits = str(lesson) if isinstance(lesson, str | int) else ""  # 0 for "00" is fine
        chosen = [f"{int(digits):02d}" if re.fullmatch(r"\d+", digits, re.ASCII) else ""]
    for number in chosen:
        if number not in known:
            asked = repr(lesson) if isinstance(lesson, str) else describe(lesson)
            _say(f"There is no lesson {asked} with exercises. There are: {', '.join(known)}.")
            continue
        try:
            found = exercises(number)
        except Exception as error:
            _say(_broken(number, error))
            continue
        records, note = memory.recall(number)
        solved = [exercise.name for exercise in found if _solved(records, exercise.name)]
        lines = [f"Lesson {number}: {len(solved)} of {len(found)} exercises solved"]
        for exercise in found:
            status = "solved" if exercise.name in solved else "open"
            lines.append(
                f"{MARKS[status]} {exercise.name} {exercise.title} ({exercise.label}): {status}"
            )
        if note:
            lines.append(f"Note: {note}")
        _say(lines[0], *lines[1:])


def exercises(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson ("00"), in order.

    Raises ModuleNotFoundError where the lesson has none.
    """
    return importlib.import_module(f"{__name__}.lesson{lesson}").EXERCISES


def _is_repeated(name: str, result: Result) -> bool:
    """Whether the attempt before had this result too; numbers in its text may differ."""
    mistake = result.status + re.sub(r"[-−\d.,]+", "", result.finding)
    before = _last_mistakes.get(name)
    _last_mistakes[name] = mistake
    return mistake == before


def _solved(records: dict[str, memory.Record], name: str) -> bool:
    return name in records and records[name].solved


def _lessons() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name[6:] for name in names if re.fullmatch(r"lesson\d\d", name))


def _find(name: Any) -> Exercise | str:
    """The exercise of this name, or the sentence that says why there is none."""
    known = _lessons()
    if isinstance(name, str) and re.fullmatch(r"\d{1,2}\.\d{1,2}", name, re.ASCII):
        wanted = f"{int(name.split('.')[0]):02d}"
        known = [wanted] if wanted in known else known
    names: list[str] = []
    for lesson in known:
        try:
            found = exercises(lesson)
        except Exception as error:
            return _broken(lesson, error)
        for exercise in found:
            if isinstance(name, str) and exercise.name == name:
                return exercise
        names += [exercise.name for exercise in found]
    named = describe(name) if not isinstance(name, str) else repr(name)
    return (
        f'There is no exercise {named}. A name is a text such as "{names[0]}"; '
        f"there are: {', '.join(names)}."
    )


def _broken(lesson: str, error: Exception) -> str:
    return (
        f"The testers of lesson {lesson} could not be loaded ({type(error).__name__}: {error}). "
        "Run `colorlab doctor` in a terminal: it says what is missing."
    )


def _explain(error: BaseException, solution: Any) -> Flaw:
    """Say what the learner's code raised, where, and what that usually means."""
    try:
        message = str(error)
    except Exception:  # an exception of the learner's own making
        message = ""
    kind = type(error).__name__
    raised = f"{name_of(solution)} raised {kind}" + (f": {message}" if message else "")
    line = _learner_line(error, solution)
    return Flaw(raised + (f"\nin the line: {line}" if line else ""), _meaning(kind, message))


def _learner_line(error: BaseException, solution: Any) -> str:
    """The innermost line of the learner's own code that the error passed through."""
    own = solution.__code__.co_filename if isinstance(solution, FunctionType) else None
    found = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file == own or "ipykernel" in file or file.startswith("<ipython"):
            found = linecache.getline(file, number).strip() or found
    return found


def _meaning(kind: str, message: str) -> str:
    """The usual cause of an error, in a sentence."""
    causes = (
        ("indices must be integers", "`/` gives a float: use `//` to halve a number of pixels."),
        ("interpreted as an integer", "`/` gives a float: use `//` where a whole number is due."),
        ("NoneType", "Something is None there: a function without `return`, most often."),
        ("ellipsis", "A `...` is still standing in the code: put your own line there."),
        ("must match exactly", "The arrays differ in size: print the .shape of each."),
        ("broadcast", "The arrays differ in size: print the .shape of each."),
        ("out of bounds", "An index is too large: remember that counting starts at 0."),
        (
            "is ambiguous",
            "`if` and `max` ask one question; a whole array needs where, relu or clamp.",
        ),
        ("between 0 and 1", "It wants probabilities; its namesake ..._with_logits takes logits."),
        ("to Python scalar", "That function is for single numbers; use torch's of the same name."),
        ("can't convert np", "NumPy and torch are mixed: stay with torch from start to end."),
        (
            "must match the size of tensor",
            "Print the .shape of each; keepdim=True keeps a dimension.",
        ),
        ("Sizes of tensors must match", "Two maps differ in size: print the .shape of each."),
        ("to have", "The number of channels does not fit: print the .shape that goes in."),
        ("backward through the graph a second", "A `.detach()` is missing where D sees the fake."),
        ("call numpy() on Tensor", "NumPy carries no gradient: stay with torch from start to end."),
        ("does not require grad", "A `.detach()`, `.item()` or NumPy cut the gradient's way."),
        ("read-only", "Work on a copy: `picture = photo.copy()`."),
    )
    for words, cause in causes:
        if words in message:
            return cause
    if kind == "NameError":
        return "Is the name spelled as above, and has the cell that makes it been run?"
    if kind in ("RecursionError", "MemoryError"):
        return "The code asks for more and more: does it call itself, or grow in a loop?"
    return "Call your function by hand in a new cell, and print what it works on."


def _say(first: str, *rest: str) -> None:
    """Print a headline and the paragraphs below it, wrapped to a notebook's width."""
    lines = textwrap.wrap(first, 88)
    for paragraph in rest:
        for line in paragraph.splitlines():
            lines += textwrap.wrap(
                line, 88, initial_indent="  ", subsequent_indent="  ", break_long_words=False
            )
    text = "\n".join(lines)
    try:
        print(text)
    except UnicodeEncodeError:  # a terminal that knows neither ✓ nor ●
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding))
