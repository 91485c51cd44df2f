"""colorlab.course.widgets.diary: what stands in the picture and in the words, for diaries of any
size."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
import pytest
import torch

from colorlab.course.museum.diary import Diary, Recorder
from colorlab.course.widgets.diary import (
    BOX,
    LABELS,
    LARGEST,
    MOST,
    WIDTH,
    DiaryView,
    adversarial_start,
    line,
    photo_line,
    span,
)
from colorlab.recipes.recipe import DiscriminatorConfig, GeneratorConfig, Recipe, Stage
from colorlab.training.run import Run


def made(samples: int = 5, photos: int = 3, size: tuple[int, int] = (32, 48), rows: int = 40):
    """A diary of made numbers: half of the steps with the color loss alone."""
    random = np.random.default_rng(0)
    trainer = np.where(np.arange(rows) < rows // 2, np.nan, random.uniform(0, 1, rows))
    return Diary(
        losses={
            "step": np.arange(1, rows + 1) * 10,
            "color": random.uniform(0, 1, rows).astype(np.float32),
            **{
                name: trainer.astype(np.float32)
                for name in ("generator", "discriminator", "accuracy_real", "accuracy_fake")
            },
        },
        steps=np.linspace(0, rows * 10, samples).astype(np.int64),
        error=np.linspace(20, 12.04, samples).astype(np.float32),
        psnr=np.linspace(15, 21.26, samples).astype(np.float32),
        chroma=np.linspace(0.1, 0.613, samples).astype(np.float32),
        gray_error=11.21,
        gray_psnr=21.44,
        rgb=random.integers(0, 256, (photos, 3, *size), dtype=np.uint8),
        ab=random.integers(-60, 60, (samples, photos, 2, *size)).astype(np.int8),
        notes={},
    )


def test_the_words_are_the_diarys_numbers():
    view = DiaryView(made())
    assert view.words == (
        "Step 400: a and b are off by 12.0 Lab units (gray 11.2), PSNR 21.3 dB (gray 21.4), "
        "chroma 0.61 of the truth's."
    )
    view.controls["index"].value = 0
    assert view.words.startswith("Step 0: a and b are off by 20.0")


def test_rows_are_gray_ours_and_truth():
    diary = made()
    view = DiaryView(diary)
    tile = view.width * 32 // 48
    width = 3 * view.width
    for index in (0, 3):
        view.controls["index"].value = index
        rows = view.picture()[: 3 * tile, LABELS : LABELS + width].reshape(3, tile, width, 3)
        assert (np.ptp(rows[0].astype(int), axis=-1) <= 1).all(), "gray"
        wanted = photo_line(diary.pictures(index), view.width)
        np.testing.assert_array_equal(rows[1], wanted)
        truth = photo_line(torch.from_numpy(diary.rgb), view.width)
        np.testing.assert_array_equal(rows[2], truth)


def test_the_cursor_moves_and_the_rest_stays():
    view = DiaryView(made())
    pictures = []
    for index in (1, 3):
        view.controls["index"].value = index
        pictures.append(view.picture()[-BOX[1] :, : BOX[0]])
    columns = np.nonzero((pictures[0] != pictures[1]).any((0, 2)))[0]
    assert len(columns) == 4 and columns[-1] - columns[0] > 0.4 * BOX[0]


@pytest.mark.parametrize(
    ("photos", "size"), [(1, (16, 16)), (2, (256, 256)), (6, (64, 64)), (11, (64, 96))]
)
def test_any_number_of_photos_of_any_size(photos, size):
    diary = made(3, photos, size)
    view = DiaryView(diary)
    shapes, taken = set(), []
    for index in (0, 1, 2, 0, 1):
        begun = time.process_time()
        view.controls["index"].value = index
        taken.append(time.process_time() - begun)
        shapes.add(view.picture().shape)
    (shape,) = shapes
    assert shape[1] == WIDTH and shape[0] < 1000
    assert view.width <= LARGEST and view.width * min(photos, MOST) <= WIDTH - LABELS
    assert median(taken) < 0.1, "seconds of this process: others may be busy"


@pytest.mark.parametrize("rows", [0, 1, 2, 2400])
def test_any_number_of_steps(rows):
    diary = made(1 if rows < 2 else 7, rows=rows)
    view = DiaryView(diary)
    assert view.picture().shape[1] == WIDTH
    assert span(diary) == (0, max(1, rows * 10))


def test_a_long_line_keeps_its_course_and_its_last_point():
    diary = made(rows=2400)
    diary.losses["color"] = np.linspace(0, 1, 2400).astype(np.float32)
    curve = line(diary, "x", "color", scale=110)
    assert 1000 <= len(curve.x) <= 2000 and curve.x[-1] == 24_000
    np.testing.assert_allclose(
        curve.y[10:], 110 * (curve.x[10:] / 24_000 - 0.5 * 48 / 2400), atol=1
    )


def test_where_adversarial_training_begins():
    assert adversarial_start(made(rows=40)) == 210
    diary = made(rows=40)
    diary.losses["generator"] = np.ones(40, np.float32)
    assert adversarial_start(diary) is None
    for gone in ("generator", None):
        losses = {k: v for k, v in diary.losses.items() if k != gone}
        if gone is None:
            losses["generator"] = np.full(40, np.nan, np.float32)
        other = Diary(**{**vars(diary), "losses": losses})
        assert adversarial_start(other) is None
        assert DiaryView(other).picture().shape == DiaryView(diary).picture().shape


def test_a_diary_without_photos_is_refused():
    with pytest.raises(ValueError, match="Recorder"):
        DiaryView(made(photos=0))


def test_ones_own_run_of_a_few_steps(photos, batch):
    recipe = Recipe(
        generator=GeneratorConfig(levels=3, base=4, cap=8),
        discriminator=DiscriminatorConfig(base=4, layers=1),
        stages=(Stage("adversarial", 4, 16, 2),),
    )
    run = Run(recipe, photos, validation=photos, sample_every=2, progress=False, device="cpu")
    recorder = Recorder(batch).watch(run)
    before = DiaryView(recorder.diary())
    assert before.words.startswith("Step 0:")
    run.train()
    view = DiaryView(recorder.diary())
    assert view.words.startswith("Step 4:")
    assert [label for label, _ in view.controls["index"].options] == ["0", "2", "4"]
