"""colorlab.course.museum.exhibits: each mistake shows in the numbers of its recorded run and
in no other's, and the recorded runs are those of today's recipes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from colorlab.course.museum import exhibits
from colorlab.course.museum.diary import PICTURES, Diary, held_out
from colorlab.course.museum.mistakes import BESIDE, HEALTHY, PIECES, STEPS
from colorlab.course.museum.symptoms import Figures
from colorlab.recipes.recipe import Recipe, differences
from colorlab.sources.bundled import lesson_file

DIARIES = {name: exhibits.load(name) for name in exhibits.RUNS}
FIGURES = {name: Figures.of(diary) for name, diary in DIARIES.items()}


def figures(name: str) -> tuple[Figures, Figures]:
    """Of a piece and of the healthy run beside it."""
    return FIGURES[name], FIGURES[PIECES[name].beside]


def late(diary: Diary, name: str) -> np.ndarray:
    """A loss over the last third of the steps, counted anew."""
    values = diary.losses[name]
    return values[-(len(values) // 3) :]


# --- the recorded runs ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", exhibits.RUNS)
def test_the_recorded_run_is_that_of_todays_recipe(name):
    notes = DIARIES[name].notes
    recipe = BESIDE[name].with_steps(STEPS) if name in BESIDE else PIECES[name].recipe()
    assert differences(Recipe.from_json(notes["recipe"]), recipe) == []
    assert notes["piece"] == name
    assert notes["gray"] == (PIECES[name].gray if name in PIECES else 0.0)


@pytest.mark.parametrize("name", exhibits.RUNS)
def test_the_recorded_run_is_whole(name):
    diary = DIARIES[name]
    assert diary.losses["step"].tolist() == list(range(1, STEPS + 1))
    assert diary.steps.tolist() == [
        STEPS * i // exhibits.SAMPLES for i in range(exhibits.SAMPLES + 1)
    ]
    assert len(diary.rgb) == exhibits.KEPT <= len(PICTURES)
    assert (diary.rgb == held_out()[: exhibits.KEPT].numpy()).all()
    for name_of_loss in ("color", "generator", "discriminator", "accuracy_real", "accuracy_fake"):
        assert np.isfinite(diary.losses[name_of_loss]).all()
    assert not (diary.ab % 2).any(), "even numbers: smaller, and not to be seen"
    assert ("again" in diary.extra) == bool(diary.extra["spread"].any())


def test_all_are_small_enough_to_ship():
    sizes = [lesson_file(f"museum/{name}.npz").stat().st_size for name in exhibits.RUNS]
    assert sum(sizes) <= 2.5e6


def test_runs_that_differ_only_in_how_they_are_looked_at_are_the_same_run():
    one, other = DIARIES["healthy"], DIARIES["eval"]
    for name in one.losses:
        np.testing.assert_array_equal(one.losses[name], other.losses[name])
    assert (one.ab[-1] != other.ab[-1]).any()


# --- the symptoms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PIECES)
def test_each_piece_shows_its_own_mistake_and_no_other(name):
    assert [piece.name for piece in PIECES.values() if piece.shows(*figures(name))] == [name]


@pytest.mark.parametrize("name", BESIDE)
def test_a_healthy_run_shows_no_mistake(name):
    both = FIGURES[name], FIGURES[name]
    assert [piece.name for piece in PIECES.values() if piece.shows(*both)] == []


def test_d_too_strong():
    diary, healthy = DIARIES["d-strong"], DIARIES["healthy"]
    assert late(diary, "accuracy_real").mean() > 0.97 < late(diary, "accuracy_fake").mean()
    thirds = np.array_split(diary.losses["generator"], 3)
    assert thirds[0].mean() < thirds[1].mean() < thirds[2].mean()
    assert late(diary, "generator").mean() > 2 * late(healthy, "generator").mean()
    assert late(diary, "color").mean() > 1.1 * late(healthy, "color").mean()


def test_d_too_weak():
    diary = DIARIES["d-weak"]
    for name in ("accuracy_real", "accuracy_fake"):
        assert 0.3 < late(diary, name).mean() < 0.7
    for name in ("generator", "discriminator"):
        assert late(diary, name).mean() == pytest.approx(np.log(2), abs=0.03)
    assert diary.chroma[-1] < 0.6 * DIARIES["healthy"].chroma[-1]


def test_no_l1():
    diary, healthy = DIARIES["no-l1"], DIARIES["healthy"]
    third = STEPS // 3
    early = [one.losses["color"][:third].mean() for one in (diary, healthy)]
    assert early[0] > 1.25 * early[1]
    assert diary.error[1:].mean() > 1.1 * healthy.error[1:].mean()
    assert late(diary, "accuracy_real").mean() < 0.96


def test_only_l1():
    diary, healthy = DIARIES["only-l1"], DIARIES["healthy"]
    assert late(diary, "accuracy_real").mean() > 0.97 < late(diary, "accuracy_fake").mean()
    assert (diary.chroma[-3:] < 0.6 * healthy.chroma[-3:].mean()).all()
    assert diary.error[-3:].mean() < 0.9 * healthy.error[-3:].mean()


def test_collapsed_noise():
    diary, healthy = DIARIES["collapsed"], DIARIES["healthy-noise"]
    ours, theirs = diary.extra["spread"], healthy.extra["spread"]
    assert ours[-1] < 3 < 12 < theirs[-3:].min() and ours[-3:].mean() < theirs[-3:].mean() / 4
    assert ours[0] == theirs[0] and ours[-1] < ours[1] < ours[0], "it fades"
    for one in (diary, healthy):  # the shown photos, counted anew from their pictures
        apart = one.ab.astype(float) - one.extra["again"]
        apart = np.hypot(apart[:, :, 0], apart[:, :, 1]).mean((1, 2, 3))
        np.testing.assert_allclose(apart[-1], one.extra["spread"][-1], rtol=0.5, atol=1)


def test_the_learning_rate():
    diary, healthy = DIARIES["rate"], DIARIES["healthy"]
    assert diary.losses["generator"][:10].max() > 2 > 2 * healthy.losses["generator"][:10].max()
    spikes = []
    for one in (diary, healthy):
        color = one.losses["color"][STEPS // 3 :]
        spikes.append(color.max() / np.median(color))
    assert spikes[0] > 3 > 2 > spikes[1]


def test_forgotten_eval():
    diary, healthy = DIARIES["eval"], DIARIES["healthy"]
    assert diary.error[-3:].mean() > 1.1 * healthy.error[-3:].mean()
    assert (diary.extra["spread"] > 2).all() and not healthy.extra["spread"].any()
    assert (diary.ab[-1] != diary.extra["again"][-1]).mean() > 0.5


def test_gray_images_in_the_data():
    diary, healthy = DIARIES["gray-data"], DIARIES["healthy"]
    assert 110 * late(diary, "color").mean() < 0.75 * diary.error[-3:].mean()
    assert (diary.chroma[-3:] < 0.6 * healthy.chroma[-3:].mean()).all()
    assert late(diary, "accuracy_fake").mean() < 0.97


@pytest.mark.parametrize("name", PIECES)
def test_what_speaks_against_a_wrong_diagnosis_is_said_with_numbers(name):
    both = figures(name)
    for other in PIECES.values():
        if other.name == name:
            with pytest.raises(ValueError, match="nothing"):
                other.against(*both)
        else:
            said = other.against(*both)
            assert said.startswith("It would show in ") and "; here: " in said
            noise = PIECES[name].recipe().generator.noise_channels
            if other.name == "collapsed" and not noise:
                assert said.endswith("here: this network takes no noise, so nothing can collapse.")
            else:
                assert any(c.isdigit() for c in said) and "takes no noise, so" not in said
            assert PIECES[name].title not in said
    evidence = PIECES[name].evidence(*both)
    assert "{" not in evidence and any(c.isdigit() for c in evidence)


# --- the exhibits ---------------------------------------------------------------------------------


def test_every_piece_hangs_under_one_letter():
    assert sorted(exhibits.EXHIBITS.values()) == sorted(PIECES)
    assert list(exhibits.EXHIBITS) == list("ABCDEFGH")
    assert list(exhibits.EXHIBITS.values()) != list(PIECES)
    assert len({piece.title for piece in PIECES.values()}) == 8


# --- to record and to load ------------------------------------------------------------------------


def test_a_piece_is_recorded_here_and_now(monkeypatch):
    monkeypatch.setattr(exhibits, "SAMPLES", 2)  # each takes a second
    diary = exhibits.record("eval", steps=6, kept=2)
    assert diary.steps.tolist() == [0, 3, 6] and diary.ab.shape == (3, 2, 2, 64, 64)
    assert diary.extra["again"].shape == diary.ab.shape
    assert json.loads(diary.notes["recipe"])["stages"][0]["steps"] == 6
    assert np.isfinite(list(vars(Figures.of(diary)).values())).all()


def test_coarse_pictures_are_off_by_one_unit_at_most():
    diary = DIARIES["eval"]
    ab = np.random.default_rng(0).integers(-127, 128, diary.ab.shape).astype(np.int8)
    other = exhibits.coarse(replace(diary, ab=ab, extra={**diary.extra, "again": -ab}))
    for one, wanted in ((other.ab, ab), (other.extra["again"], -ab)):
        assert one.dtype == np.int8 and not (one % 2).any()
        assert np.abs(one.astype(int) - wanted.astype(int)).max() == 1
    np.testing.assert_array_equal(other.extra["spread"], diary.extra["spread"])


def test_what_the_museum_does_not_have_is_named():
    for act in (exhibits.record, exhibits.load):
        with pytest.raises(ValueError, match="no 'mode-collapse'; choose from healthy"):
            act("mode-collapse")
    with pytest.raises(ValueError, match="at least 6 steps, got 5"):
        exhibits.record("no-l1", steps=5)
    assert HEALTHY.steps == STEPS
