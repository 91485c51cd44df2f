"""colorlab.course.widgets.museum: the answer appears after a diagnosis, and never before."""

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
def museum(diaries, monkeypatch):
    monkeypatch.setattr(exhibits, "load", diaries.__getitem__)  # read once, not for each test
    return FailureMuseum()


def piece_of(letter: str):
    return PIECES[exhibits.EXHIBITS[letter]]


def wrong_for(letter: str) -> str:
    return next(name for name in PIECES if name != exhibits.EXHIBITS[letter])


def texts(museum: FailureMuseum) -> str:
    """All that can be read of the widget but the list to choose a diagnosis from."""
    bundle = museum._repr_mimebundle_()
    head, *_ = bundle["text/plain"].split("): ", 1)
    return " ".join([bundle["text/plain"], head, museum.alt, museum.words, museum.caption.value])


@pytest.mark.parametrize("letter", exhibits.EXHIBITS)
def test_nothing_is_revealed_before_a_diagnosis(museum, letter):
    museum.set(exhibit=letter)
    piece = piece_of(letter)
    for index in (0, 3):
        museum.set(index=index)
        for text in (piece.title, piece.name, piece.remedy, piece.why, piece.done):
            assert text not in texts(museum), text
    assert f"Exhibit {letter}" in museum.words and "Choose a diagnosis" in museum.words
    assert museum.answer.disabled
    with pytest.raises(ValueError, match="choose one first"):
        museum.open()


@pytest.mark.parametrize("letter", exhibits.EXHIBITS)
def test_the_right_diagnosis_opens_the_answer(museum, letter):
    piece = piece_of(letter)
    museum.set(exhibit=letter)
    museum.controls["diagnosis"].value = piece.name
    assert museum.words.startswith(f"✓ Right. {piece.title}: ")
    for text in (piece.done, piece.remedy, piece.why):
        assert text in museum.words
    assert "{" not in museum.words and museum.solved == {letter} and museum.answer.disabled
    assert "aria-live" in museum.caption.value


@pytest.mark.parametrize("letter", exhibits.EXHIBITS)
def test_a_wrong_one_says_what_speaks_against_it_and_lets_the_answer_open(museum, letter):
    piece = piece_of(letter)
    museum.set(exhibit=letter)
    for other in PIECES.values():
        if other is piece:
            continue
        museum.set(diagnosis=other.name)
        assert museum.words.startswith(f"✗ Not this one. {other.title}? It would show in ")
        assert piece.title not in museum.words and piece.remedy not in museum.words
        assert not museum.answer.disabled and not museum.solved
    museum.answer.click()
    assert museum.words.startswith(f"The answer. {piece.title}: ") and piece.remedy in museum.words
    assert museum.answer.disabled and not museum.solved and museum.opened == {letter}


def test_after_a_wrong_one_the_learner_may_try_again(museum):
    museum.set(diagnosis=wrong_for("A"))
    museum.set(diagnosis=exhibits.EXHIBITS["A"])
    assert museum.solved == {"A"} and museum.words.startswith("✓ Right.")


def test_each_exhibit_keeps_its_own_diagnosis(museum):
    wrong = wrong_for("A")
    museum.set(diagnosis=wrong)
    museum.controls["exhibit"].value = "B"
    assert museum.values["diagnosis"] == "" and museum.answer.disabled
    assert "Choose a diagnosis" in museum.words
    museum.controls["diagnosis"].value = exhibits.EXHIBITS["B"]
    museum.controls["exhibit"].value = "A"
    assert museum.values["diagnosis"] == wrong and not museum.answer.disabled
    assert museum.words.startswith("✗") and museum.solved == {"B"}
    museum.controls["exhibit"].value = "B"
    assert museum.words.startswith("✓")


def test_the_diagnosis_of_one_exhibit_is_not_carried_to_the_next(museum):
    """Choosing what is right for B while A is shown must not solve B."""
    museum.set(diagnosis=exhibits.EXHIBITS["B"])
    museum.controls["exhibit"].value = "B"
    assert not museum.solved and museum.answer.disabled
    assert piece_of("B").remedy not in museum.words


def test_exhibit_and_diagnosis_can_be_set_at_once(museum):
    museum.set(exhibit="D", diagnosis=exhibits.EXHIBITS["D"], index=1)
    assert museum.solved == {"D"} and museum.words.startswith("✓ Right.")
    assert museum.values == {"exhibit": "D", "diagnosis": exhibits.EXHIBITS["D"], "index": 1}


def test_reset_goes_to_the_first_exhibit_and_keeps_what_is_solved(museum):
    start = museum.values
    museum.set(exhibit="C", diagnosis=exhibits.EXHIBITS["C"], index=2)
    museum.reset.click()
    assert museum.values == start and museum.solved == {"C"}


def test_the_picture_shows_gray_ours_once_more_and_truth(museum):
    for letter in ("C", "F"):
        museum.set(exhibit=letter, index=2)
        diary = museum.diaries[exhibits.EXHIBITS[letter]]
        rows = museum.picture()[HEAD : HEAD + 4 * TILE, 60 : 60 + 4 * TILE]
        rows = rows.reshape(4, TILE, 4 * TILE, 3)
        np.testing.assert_array_equal(rows[1], photo_line(diary.pictures(2), TILE))
        assert (rows[1] != rows[2]).any() == (exhibits.EXHIBITS[letter] == "eval")
        assert (np.ptp(rows[0].astype(int), axis=-1) <= 1).all()


def test_each_judgment_is_seen_in_the_picture(museum):
    heads = []
    for name in ("", wrong_for("A"), exhibits.EXHIBITS["A"]):
        museum.set(diagnosis=name)
        heads.append(museum.picture()[:HEAD].tobytes())
    assert len(set(heads)) == 3


def test_which_run_is_with_noise_is_said_once_it_gives_nothing_away(museum):
    before, after = {}, {}
    for letter, name in exhibits.EXHIBITS.items():
        for seen, diagnosis in ((before, ""), (after, name)):
            museum.set(exhibit=letter, diagnosis=diagnosis)
            right = museum.picture()[: HEAD // 2, 400:]
            seen.setdefault(right.tobytes(), []).append(name)
    assert [len(names) for names in before.values()] == [len(exhibits.EXHIBITS)]
    assert sorted(after.values(), key=len)[0] == ["collapsed"] and len(after) == 2


def test_it_stands_in_the_page_as_a_widget_and_a_picture(museum):
    bundle = museum._repr_mimebundle_()
    assert {VIEW, "image/png", "text/plain"} <= set(bundle)
    controls = [
        child for child in museum.box.children if museum.answer in getattr(child, "children", ())
    ]
    assert len(controls) == 1
    assert re.search("Pale lines: the healthy run", museum.box.children[-1].value)


def test_missing_runs_are_named(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(DataMissing, match="git checkout -- data"):
        FailureMuseum()
