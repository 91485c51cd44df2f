"""colorlab.course.widgets.quiz, and the questions of every lesson."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets.quiz import Option, Question, Quiz, questions

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = ROOT / "notebooks"
QUIZZES = ROOT / "colorlab" / "course" / "quizzes"
WITH_QUIZ = sorted(path.stem[6:] for path in QUIZZES.glob("lesson*.py"))

TWO = (
    Question("Is <b> yellow?", (Option("yes", "It is & stays.", True), Option("no", "It is."))),
    Question("L?", (Option("red", "No red."), Option("light", "Light.", True))),
)


def test_a_click_explains_and_counts_the_first_try():
    quiz = Quiz(TWO)
    assert "2 questions" in quiz.score.value
    quiz.buttons[0][1].click()
    assert "✗ No.</b> It is." in quiz.answers[0].value and quiz.answers[1].value == ""
    assert quiz.buttons[0][1].button_style == "warning"
    quiz.buttons[0][0].click()
    assert "✓ Right.</b> It is &amp; stays." in quiz.answers[0].value
    assert [button.button_style for button in quiz.buttons[0]] == ["success", ""]
    quiz.buttons[1][1].click()
    assert "1 of 2 right at the first try" in quiz.score.value


def test_readable_without_a_widget():
    bundle = Quiz(TWO)._repr_mimebundle_()
    assert {VIEW, "image/png", "text/html", "text/plain"} <= set(bundle)
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert len(still.getcolors()) <= 64  # words need no more, and the notebook stays small
    for kind in ("text/html", "text/plain"):
        for words in ("L?", "red", "No red.", "Light.", "Right."):
            assert words in bundle[kind]
    assert bundle["text/html"].count("<details>") == 2
    assert "Is &lt;b&gt; yellow?" in bundle["text/html"]


def test_refuses_what_is_no_question():
    with pytest.raises(ValueError, match="Exactly one"):
        Question("?", (Option("a", "x"), Option("b", "y")))
    with pytest.raises(ValueError, match="2 to 6"):
        Question("?", (Option("a", "x", True),))
    with pytest.raises(ModuleNotFoundError):
        questions("99")


@pytest.mark.parametrize("lesson", WITH_QUIZ)
def test_every_quiz_has_five_questions_with_an_explanation_for_each_answer(lesson):
    quiz = questions(lesson)
    assert len(quiz) == 5
    whys = [option.why for question in quiz for option in question.options]
    assert len(set(whys)) == len(whys) and min(map(len, whys)) > 20
    for question in quiz:
        assert len(question.options) >= 3
        assert question.text.endswith("?")
    places = [[option.right for option in question.options].index(True) for question in quiz]
    assert len(set(places)) > 1, "the right answer must not always stand at the same place"


@pytest.mark.parametrize("lesson", WITH_QUIZ)
def test_the_notebook_shows_its_quiz(lesson):
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = [cell for cell in cells if f'Quiz("{lesson}")' in "".join(cell["source"])]
    assert len(found) == 1
    html = "".join(found[0]["outputs"][0]["data"]["text/html"])
    assert len(re.findall("<details>", html)) == 5
    assert "image/png" in found[0]["outputs"][0]["data"]
