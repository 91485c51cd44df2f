"""A lesson's quiz: five questions, and an explanation for each answer that can be given."""

from __future__ import annotations

import html
import importlib
import textwrap
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np

from colorlab.course.widgets._bundle import Playable, text_picture

LETTERS = "ABCDEF"
LINE = 76  # letters in a line of the picture


@dataclass(frozen=True)
class Option:
    """One answer, whether it is right, and why."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with two to six answers, exactly one of them right.

    Raises ValueError for another number of either.
    """

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.options) <= len(LETTERS):
            raise ValueError(f"{self.text!r} needs 2 to 6 answers, not {len(self.options)}.")
        if sum(option.right for option in self.options) != 1:
            raise ValueError(f"Exactly one answer to {self.text!r} must be right.")


def questions(lesson: str) -> tuple[Question, ...]:
    """The quiz of a lesson ("03"), from ``colorlab/course/quizzes``.

    Raises ModuleNotFoundError where the lesson has none.
    """
    return importlib.import_module(f"colorlab.course.quizzes.lesson{lesson}").QUIZ


class Quiz(Playable):
    """The questions of a lesson with a button for each answer.

        Quiz("03")

    A click says whether the answer is right, and why; every answer may be tried. Where no widget
    runs, the same questions stand there with their answers folded.
    """

    still = "lines"

    def __init__(self, lesson: str | tuple[Question, ...]) -> None:
        self.questions = questions(lesson) if isinstance(lesson, str) else lesson
        self.first: dict[int, bool] = {}
        self.buttons: list[list[Any]] = []
        self.answers: list[Any] = []
        self.score = widgets.HTML()
        parts: list[Any] = []
        for number, question in enumerate(self.questions):
            buttons = [
                widgets.Button(
                    description=LETTERS[i],
                    tooltip=f"Answer {LETTERS[i]} to question {number + 1}",
                    layout=widgets.Layout(width="48px"),
                )
                for i in range(len(question.options))
            ]
            for i, button in enumerate(buttons):
                button.on_click(lambda _, number=number, i=i: self.choose(number, i))
            self.buttons.append(buttons)
            self.answers.append(widgets.HTML())
            parts += [
                widgets.HTML(_listed(number, question)),
                widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap")),
                self.answers[-1],
            ]
        self.box = widgets.VBox([*parts, self.score], layout=widgets.Layout(max_width="760px"))
        self._count()

    def choose(self, number: int, option: int) -> None:
        """Answer question `number` with its `option`, both counted from 0."""
        chosen = self.questions[number].options[option]
        self.first.setdefault(number, chosen.right)
        mark = "✓ Right." if chosen.right else "✗ No."
        self.answers[number].value = (
            '<div aria-live="polite" style="line-height: 1.4; margin: 2px 0 10px">'
            f"<b>{LETTERS[option]}: {mark}</b> {html.escape(chosen.why)}</div>"
        )
        for i, button in enumerate(self.buttons[number]):
            state = "success" if chosen.right else "warning"
            button.button_style = state if i == option else ""
        self._count()

    def picture(self) -> np.ndarray:
        lines: list[str] = []
        for number, question in enumerate(self.questions):
            lines += ([""] if lines else []) + _wrapped(f"{number + 1}. {question.text}", "   ")
            for letter, option in zip(LETTERS, question.options, strict=False):
                lines += _wrapped(f"   {letter}  {option.text}", "      ")
        return text_picture("\n".join(lines), 620)

    def __repr__(self) -> str:
        return "\n".join(
            line
            for number, question in enumerate(self.questions)
            for line in (
                f"{number + 1}. {question.text}",
                *(
                    f"   {letter}  {option.text}\n      {_mark(option)} {option.why}"
                    for letter, option in zip(LETTERS, question.options, strict=False)
                ),
            )
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(include, exclude)
        return {**bundle, "text/html": "\n".join(map(_folded, self.questions))}

    def _count(self) -> None:
        right, of = sum(self.first.values()), len(self.questions)
        said = f"{right} of {of} right at the first try" if self.first else f"{of} questions"
        self.score.value = f'<div style="line-height: 1.4"><b>{said}</b></div>'


def _mark(option: Option) -> str:
    return "Right." if option.right else "No."


def _listed(number: int, question: Question) -> str:
    """A question and its answers, as the widget shows them."""
    lines = "<br>".join(
        f"<b>{letter}</b>&ensp;{html.escape(option.text)}"
        for letter, option in zip(LETTERS, question.options, strict=False)
    )
    text = html.escape(question.text)
    return (
        f'<div style="line-height: 1.5; white-space: normal"><b>{number + 1}.</b> {text}'
        f'<div style="margin: 2px 0 2px 18px">{lines}</div></div>'
    )


def _folded(question: Question) -> str:
    """A question whose answers unfold: readable where nothing runs."""
    lines = "".join(
        f"<li>{html.escape(option.text)} <i>{_mark(option)}</i> {html.escape(option.why)}</li>"
        for option in question.options
    )
    text = html.escape(question.text)
    return f"<details><summary>{text}</summary><ul>{lines}</ul></details>"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, LINE, subsequent_indent=indent)
