"""colorlab.course.widgets.museum: the answer is told after a diagnosis, and never before."""

from __future__ import annotations

import re

import numpy as np
import pytest

from colorlab.course.museum import exhibits
from colorlab.course.museum.mistakes import PIECES
from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets.diary import photo_line
from colorlab.course.widgets.museum import HEAD, TILE, FailureMuseum
from colorlab.sources.bundled import VARIABLE, DataMissing


@pytest.fixture(scope="module")
def diaries():
    return {name: exhibits.load(name) for name in exhibits.RUNS}


@pytest.fixture
def shown(diaries, monkeypatch):
    monkeypatch.setattr(exhibits, "load", diaries.__getitem__)  # read once, not for each test
    return FailureMuseum()


def piece_of(letter: str):
    return PIECES[exhibits.EXHIBITS[letter]]


def wrong_for(letter: str) -> str:
    return next(name for name in PIECES if name != exhibits.EXHIBITS[letter])


def texts(shown: FailureMuseum) -> str:
    """All that can be read of the widget but the list to choose a diagnosis from."""
    bundle = shown._repr_mimebundle_()
    head, *_ = bundle["text/plain"].split("): ", 1)
    return " ".join([bundle["text/plain"], head, shown.alt, shown.words, shown.caption.value])


@pytest.mark.parametrize("letter", exhibits.EXHIBITS)
def test_nothing_is_told_before_a_diagnosis(shown, letter):
    shown.set(exhibit=letter)
    piece = piece_of(letter)
    for index in (0, 3):
        shown.set(index=index)
        for text in (piece.title, piece.name, piece.remedy, piece.why, piece.done):
            assert text not in texts(shown), text
    assert f"Exhibit {letter}" in shown.words and "Choose a diagnosis" in shown.words
    assert shown.answer.disabled
    with pytest.raises(ValueError, match="choose one first"):
        shown.open()


@pytest.mark.parametrize("letter", exhibits.EXHIBITS)
def test_the_right_diagnosis_opens_the_answer(shown, letter):
    piece = piece_of(letter)
    shown.set(exhibit=letter)
    shown.controls["diagnosis"].value = piece.name
    assert shown.words.startswith(f"✓ Right. {piece.title}: ")
    for text in (piece.done, piece.remedy, piece.why):
        assert text in shown.words
    assert "{" not in shown.words and shown.solved == {letter} and shown.answer.disabled
    assert "aria-live" in shown.caption.value


@pytest.mark.parametrize("letter", exhibits.EXHIBITS)
def test_a_wrong_one_says_what_speaks_against_it_and_lets_the_answer_open(shown, letter):
    piece = piece_of(letter)
    shown.set(exhibit=letter)
    for other in PIECES.values():
        if other is piece:
            continue
        shown.set(diagnosis=other.name)
        assert shown.words.startswith(f"✗ Not this one. {other.title}? It would show in ")
        assert piece.title not in shown.words and piece.remedy not in shown.words
        assert not shown.answer.disabled and not shown.solved
    shown.answer.click()
    assert shown.words.startswith(f"The answer. {piece.title}: ") and piece.remedy in shown.words
    assert shown.answer.disabled and not shown.solved and shown.opened == {letter}


def test_after_a_wrong_one_the_learner_may_try_again(shown):
    shown.set(diagnosis=wrong_for("A"))
    shown.set(diagnosis=exhibits.EXHIBITS["A"])
    assert shown.solved == {"A"} and shown.words.startswith("✓ Right.")


def test_each_exhibit_keeps_its_own_diagnosis(shown):
    wrong = wrong_for("A")
    shown.set(diagnosis=wrong)
    shown.controls["exhibit"].value = "B"
    assert shown.values["diagnosis"] == "" and shown.answer.disabled
    assert "Choose a diagnosis" in shown.words
    shown.controls["diagnosis"].value = exhibits.EXHIBITS["B"]
    shown.controls["exhibit"].value = "A"
    assert shown.values["diagnosis"] == wrong and not shown.answer.disabled
    assert shown.words.startswith("✗") and shown.solved == {"B"}
    shown.controls["exhibit"].value = "B"
    assert shown.words.startswith("✓")


def test_the_diagnosis_of_one_exhibit_is_not_carried_to_the_next(shown):
    """Choosing what is right for B while A is shown must not solve B."""
    shown.set(diagnosis=exhibits.EXHIBITS["B"])
    shown.controls["exhibit"].value = "B"
    assert not shown.solved and shown.answer.disabled
    assert piece_of("B").remedy not in shown.words


def test_exhibit_and_diagnosis_can_be_set_at_once(shown):
    shown.set(exhibit="D", diagnosis=exhibits.EXHIBITS["D"], index=1)
    assert shown.solved == {"D"} and shown.words.startswith("✓ Right.")
    assert shown.values == {"exhibit": "D", "diagnosis": exhibits.EXHIBITS["D"], "index": 1}


def test_reset_goes_to_the_first_exhibit_and_keeps_what_is_solved(shown):
    start = shown.values
    shown.set(exhibit="C", diagnosis=exhibits.EXHIBITS["C"], index=2)
    shown.reset.click()
    assert shown.values == start and shown.solved == {"C"}


def test_the_picture_shows_gray_ours_once_more_and_truth(shown):
    for letter in ("C", "F"):
        shown.set(exhibit=letter, index=2)
        diary = shown.diaries[exhibits.EXHIBITS[letter]]
        rows = shown.picture()[HEAD : HEAD + 4 * TILE, 60 : 60 + 4 * TILE]
        rows = rows.reshape(4, TILE, 4 * TILE, 3)
        np.testing.assert_array_equal(rows[1], photo_line(diary.pictures(2), TILE))
        assert (rows[1] != rows[2]).any() == (exhibits.EXHIBITS[letter] == "eval")
        assert (np.ptp(rows[0].astype(int), axis=-1) <= 1).all()


def test_each_judgment_is_seen_in_the_picture(shown):
    heads = []
    for name in ("", wrong_for("A"), exhibits.EXHIBITS["A"]):
        shown.set(diagnosis=name)
        heads.append(shown.picture()[:HEAD].tobytes())
    assert len(set(heads)) == 3


def test_which_run_is_with_noise_is_said(shown):
    pictures = {}
    for letter in exhibits.EXHIBITS:
        shown.set(exhibit=letter)
        right = shown.picture()[: HEAD // 2, 400:]
        pictures.setdefault(right.tobytes(), []).append(exhibits.EXHIBITS[letter])
    assert sorted(pictures.values(), key=len)[0] == ["collapsed"] and len(pictures) == 2


def test_it_stands_in_the_page_as_a_widget_and_a_picture(shown):
    bundle = shown._repr_mimebundle_()
    assert {VIEW, "image/png", "text/plain"} <= set(bundle)
    controls = [
        child for child in shown.box.children if shown.answer in getattr(child, "children", ())
    ]
    assert len(controls) == 1
    assert re.search("Pale lines: the healthy run", shown.box.children[-1].value)


def test_missing_runs_are_named(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(DataMissing, match="git checkout -- data"):
        FailureMuseum()
