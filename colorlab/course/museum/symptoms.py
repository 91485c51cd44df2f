"""What a run's curves show: figures of its diary, and signs of a mistake in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from colorlab.color import AB_RANGE
from colorlab.course.museum.diary import Diary


@dataclass(frozen=True)
class Figures:
    """What a diary's curves show, each a mean over the last third of the run where not said.

    Attributes:
        accuracy_real, accuracy_fake: share of patches that D gets right.
        loss_g, loss_d: the adversarial losses.
        early, learned: distance of a and b in training, Lab units, in the first third and in the
            last.
        error, chroma, spread: of the held-out photos; see :class:`Diary`. ``spread`` is how far
            two colorings of one photo are apart.
        leap: the highest adversarial loss of G in the first ten steps.
        spike: the highest distance in training over the last two thirds, as a multiple of its
            median.
        gray_error: of photos left gray.
    """

    accuracy_real: float
    accuracy_fake: float
    loss_g: float
    loss_d: float
    early: float
    learned: float
    error: float
    chroma: float
    spread: float
    leap: float
    spike: float
    gray_error: float

    @classmethod
    def of(cls, diary: Diary) -> Figures:
        """Of a run with an adversary, recorded with ``Recorder(…, again=True)``.

        Raises:
            ValueError: another diary, or one without a step.
        """
        if not len(diary.losses.get("generator", ())) or "spread" not in diary.extra:
            raise ValueError(
                "these figures need a run with an adversary, recorded with Recorder(…, again=True)"
            )
        third = max(1, len(diary.losses["step"]) // 3)
        late = diary.steps >= diary.steps[-1] * 0.65

        settled = diary.losses["color"][-2 * third :]

        def mean(name: str) -> float:
            return float(diary.losses[name][-third:].mean())

        return cls(
            accuracy_real=mean("accuracy_real"),
            accuracy_fake=mean("accuracy_fake"),
            loss_g=mean("generator"),
            loss_d=mean("discriminator"),
            early=AB_RANGE * float(diary.losses["color"][:third].mean()),
            learned=AB_RANGE * mean("color"),
            error=float(diary.error[late].mean()),
            chroma=float(diary.chroma[late].mean()),
            spread=float(diary.extra["spread"][late].mean()),
            leap=float(diary.losses["generator"][:10].max()),
            spike=float(settled.max() / np.median(settled)),
            gray_error=diary.gray_error,
        )


@dataclass(frozen=True)
class Sign:
    """Something that a mistake shows in the curves.

    Attributes:
        expects: what it shows, as the end of "this mistake shows in …".
        here: what an exhibit shows there, to be formatted with its figures ``f`` and those of the
            healthy run beside it, ``h``.
        holds: whether figures show it, called with both.
        silent: it is never named as evidence, only where it speaks against the mistake.
    """

    expects: str
    here: str
    holds: Callable[[Figures, Figures], bool]
    silent: bool = False

    def describe(self, figures: Figures, healthy: Figures) -> str:
        return self.here.format(f=figures, h=healthy)
