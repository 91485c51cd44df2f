"""How wrong solutions to a lesson's exercises are tried: each must get the hint that fits it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from colorlab.course.checks import exercises, try_solution
from colorlab.course.checks.exercise import Exercise

Wrong = Mapping[str, Mapping[Callable, str]]  # exercise -> wrong solution -> words of its hint


def exercise(name: str) -> Exercise:
    (found,) = [one for one in exercises(f"{int(name.split('.')[0]):02d}") if one.name == name]
    return found


def cases(wrong: Wrong) -> list[Any]:
    """For pytest.mark.parametrize(("name", "solution"), ...)."""
    return [
        pytest.param(name, solution, id=f"{name}-{solution.__name__}")
        for name, solutions in wrong.items()
        for solution in solutions
    ]


def check_refused(wrong: Wrong, name: str, solution: Any) -> None:
    """The solution is refused, in the words of its own hint and of no other one's."""
    result = try_solution(exercise(name), solution)
    text = " ".join(f"{result.finding} {result.advice}".split())
    words = wrong[name][solution]
    assert result.status == "not yet"
    assert words in text, text
    others = set(wrong[name].values()) - {words}
    assert not [other for other in others if other in text], "two hints can't be told apart"


def check_enough(wrong: Wrong, lesson: str) -> None:
    """At least five exercises, and four wrong solutions to each with different hints."""
    assert set(wrong) == {one.name for one in exercises(lesson)}
    assert len(wrong) >= 5
    for name, solutions in wrong.items():
        assert len(set(solutions.values())) >= 4, name
