"""colorlab.course.museum.symptoms: figures of made diaries, whose means are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from colorlab.course.museum.diary import Diary
from colorlab.course.museum.symptoms import Figures, Sign


@pytest.fixture
def diary() -> Diary:
    """90 steps; each loss is another number in each third."""
    thirds = np.repeat([1.0, 2.0, 3.0], 30).astype(np.float32)
    losses = {
        "step": np.arange(1, 91),
        "color": 0.1 * thirds,
        "generator": thirds.copy(),
        "discriminator": thirds / 10,
        "accuracy_real": thirds / 4,
        "accuracy_fake": thirds / 5,
    }
    losses["color"][0] = losses["color"][50] = 0.9
    losses["generator"][3] = 7.5
    losses["generator"][10] = 9.0  # the eleventh step
    scores = np.array([9, 8, 7, 4, 5, 6], np.float32)  # at steps 0, 18, ... 90
    return Diary(
        losses=losses,
        steps=np.arange(6) * 18,
        error=scores,
        psnr=scores,
        chroma=scores / 10,
        gray_error=11.0,
        gray_psnr=20.0,
        rgb=np.zeros((1, 3, 4, 4), np.uint8),
        ab=np.zeros((6, 1, 2, 4, 4), np.int8),
        notes={},
        extra={"spread": scores * 2},
    )


def test_figures_are_means_of_the_last_third(diary):
    found = Figures.of(diary)
    assert found.accuracy_real == pytest.approx(0.75)
    assert found.accuracy_fake == pytest.approx(0.6)
    assert (found.loss_g, found.loss_d) == pytest.approx((3.0, 0.3))
    assert (found.early, found.learned) == pytest.approx((110 * 3.8 / 30, 33.0)), (
        "110 Lab units are 1"
    )
    assert (found.error, found.chroma, found.spread) == pytest.approx((5.5, 0.55, 11.0))
    assert found.spike == pytest.approx(0.9 / 0.3)
    assert found.leap == 7.5 and found.gray_error == 11.0


def test_a_run_of_one_step(diary):
    short = {name: values[:1] for name, values in diary.losses.items()}
    assert Figures.of(replace(diary, losses=short)).loss_g == 1.0


def test_other_diaries_are_refused(diary):
    losses = {name: values for name, values in diary.losses.items() if name != "generator"}
    empty = {name: values[:0] for name, values in diary.losses.items()}
    for other in ({"losses": losses}, {"losses": empty}, {"extra": {}}):
        with pytest.raises(ValueError, match="again=True"):
            Figures.of(replace(diary, **other))


def test_a_sign_describes_what_is_there(diary):
    figures = Figures.of(diary)
    sign = Sign("a leap", "{f.leap:.1f} and {h.error:.2f}", lambda f, h: f.leap > h.leap)
    assert sign.describe(figures, replace(figures, error=2.0)) == "7.5 and 2.00"
    assert not sign.holds(figures, figures) and not sign.silent
