"""The failure museum: eight runs, each with one mistake, beside the same run without it.

    diary = exhibits.record("no-l1", steps=300)     # trains it, here and now
    diary = exhibits.load("no-l1")                  # as it was recorded for lesson 06

What the mistakes are stands in :mod:`colorlab.course.museum.mistakes`. The recorded runs were made
by ``data/lessons/museum.py``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from colorlab.course.museum.diary import Diary, Recorder, held_out
from colorlab.course.museum.mistakes import BESIDE, PIECES, SIZE, STEPS, PartlyGray
from colorlab.photos.folder import PhotoFolder
from colorlab.sources.bundled import data_dir, lesson_file
from colorlab.training.run import Run
from colorlab.training.trainer import Trainer

KEPT = 4
SAMPLES = 6  # colorings of the held-out photos, after that before the first step
RUNS = (*BESIDE, *PIECES)
# Under letters, in an order without meaning.
EXHIBITS = dict(
    zip(
        "ABCDEFGH",
        (
            "gray-data",
            "d-strong",
            "eval",
            "no-l1",
            "rate",
            "only-l1",
            "collapsed",
            "d-weak",
        ),
        strict=True,
    )
)


def record(name: str, steps: int = STEPS, *, kept: int = KEPT, progress: bool = False) -> Diary:
    """Train a piece (or a healthy run: a name of :data:`BESIDE`) and keep its diary.

    It trains on the processor, on the course's training photos; the held-out ones are colored
    twice at each look, from two seeds. Where the two colorings never differ, the second is not
    kept. A run that is stopped (Ctrl-C) leaves the diary of the steps that it took.

    Raises:
        ValueError: no such run (the valid names are listed), or fewer steps than looks.
        colorlab.sources.bundled.DataMissing: the course's photos are not there.
    """
    if name not in RUNS:
        raise ValueError(f"the museum has no {name!r}; choose from {', '.join(RUNS)}")
    if steps < SAMPLES:
        raise ValueError(f"a museum piece needs at least {SAMPLES} steps, got {steps}")
    piece = PIECES.get(name)
    recipe = BESIDE[name].with_steps(steps) if piece is None else piece.recipe(steps)
    folder = data_dir() / "photos" / "train"
    photos = PartlyGray(folder, piece.gray) if piece and piece.gray else PhotoFolder(folder)
    run = Run(
        recipe,
        photos,
        validation=data_dir() / "photos" / "val",
        device="cpu",
        sample_every=steps // SAMPLES,
        progress=progress,
    )
    colorize = Trainer.colorize if piece is None else piece.colorize
    recorder = Recorder(held_out(SIZE), kept, colorize=colorize, again=True).watch(run)
    run.train()
    diary = recorder.diary(
        piece=name,
        recipe=recipe.to_json(),
        gray=piece.gray if piece else 0.0,
        seconds=round(run.seconds),
        threads=torch.get_num_threads(),
        precision=run.trainer.precision,
    )
    if not diary.extra["spread"].any():
        del diary.extra["again"]
    return coarse(diary)


def coarse(diary: Diary) -> Diary:
    """The diary with its pictures' a and b in even numbers: nobody sees it, and the file is a fifth
    smaller."""

    def even(ab: np.ndarray) -> np.ndarray:
        return (2 * np.round(ab / 2.0)).clip(-126, 126).astype(np.int8)

    again = {"again": even(diary.extra["again"])} if "again" in diary.extra else {}
    return replace(diary, ab=even(diary.ab), extra={**diary.extra, **again})


def load(name: str) -> Diary:
    """The recorded diary of a piece, or of a healthy run.

    Raises:
        ValueError: no such run.
        colorlab.sources.bundled.DataMissing: it is not there.
    """
    if name not in RUNS:
        raise ValueError(f"the museum has no {name!r}; choose from {', '.join(RUNS)}")
    return Diary.load(lesson_file(f"museum/{name}.npz"))
