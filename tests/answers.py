"""How the wrong answers to a lesson's exercises are tried: each must get the hint that fits it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from colorlab.course.checks import exercises, judge
from colorlab.course.checks.exercise import Exercise

Wrong = Mapping[str, Mapping[Callable, str]]  # exercise -> wrong answer -> words of its hint


def exercise(name: str) -> Exercise:
    (found,) = [one for one in exercises(f"{int(name.split('.')[0]):02d}") if one.name == name]
    return found


def cases(wrong: Wrong) -> list[Any]:
    """For pytest.mark.parametrize(("name", "answer"), ...)."""
    return [
        pytest.param(name, answer, id=f"{name}-{answer.__name__}")
        for name, answers in wrong.items()
        for answer in answers
    ]


def check_refused(wrong: Wrong, name: str, answer: Any) -> None:
    """The answer is refused, in the words of its own hint and of no other one's."""
    verdict = judge(exercise(name), answer)
    text = " ".join(f"{verdict.finding} {verdict.advice}".split())
    words = wrong[name][answer]
    assert verdict.status == "not yet"
    assert words in text, text
    others = set(wrong[name].values()) - {words}
    assert not [other for other in others if other in text], "two hints can't be told apart"


def check_enough(wrong: Wrong, lesson: str) -> None:
    """At least five exercises, and four wrong answers to each that are told apart."""
    assert set(wrong) == {one.name for one in exercises(lesson)}
    assert len(wrong) >= 5
    for name, answers in wrong.items():
        assert len(set(answers.values())) >= 4, name
