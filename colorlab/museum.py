"""The failure museum: eight runs, each with one mistake, beside the same run without it.

A :class:`Piece` says what was done, by which :class:`Sign` it is known in the curves, and the
remedy; :func:`record` trains it (a minute or two on one core) and returns the :class:`Diary`. The
runs that lesson 06 shows were recorded so by ``data/lessons/museum.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorlab.color import AB_RANGE
from colorlab.diary import Colorize, Diary, Recorder, held_out
from colorlab.game import Game
from colorlab.photos import PhotoFolder, split_by_name
from colorlab.recipes import (
    DiscriminatorConfig,
    GeneratorConfig,
    ObjectiveConfig,
    Recipe,
    Stage,
)
from colorlab.show import to_gray
from colorlab.sources import data_dir, lesson_file
from colorlab.training import Run
from colorlab.unet import colors_of

STEPS, SIZE, SHOWN_HERE = 1200, 64, 4
SAMPLES = 6  # colorings of the held-out photos, after that before the first step
RATE = 2e-4

HEALTHY = Recipe(
    name="healthy",
    about="A small pix2pix at 64 pixels, what the museum's runs are compared with.",
    generator=GeneratorConfig(levels=5, base=16, cap=128),
    discriminator=DiscriminatorConfig(base=16, layers=2),
    objective=ObjectiveConfig(color_weight=50.0),
    stages=(Stage("adversarial", STEPS, SIZE, 8, RATE, RATE),),
)
WITH_NOISE = replace(
    HEALTHY,
    name="healthy-noise",
    about="The same with a random input z, and a reward for colorings that differ with it.",
    generator=replace(HEALTHY.generator, dropout=0.0, noise_channels=8),
    objective=replace(HEALTHY.objective, diversity_weight=1.0),
)
BESIDE = {recipe.name: recipe for recipe in (HEALTHY, WITH_NOISE)}


# --- what can be read from a run's curves ---------------------------------------------------------


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
        swing: how much the adversarial loss of G changes from a step to the next, as a share of
            its mean.
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
    swing: float
    gray_error: float

    @classmethod
    def of(cls, diary: Diary) -> Figures:
        third = max(1, len(diary.losses["step"]) // 3)
        late = diary.steps > diary.steps[-1] * 0.6

        def mean(name: str) -> float:
            return float(diary.losses[name][-third:].mean())

        g = diary.losses["generator"][-third:]
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
            swing=float(np.abs(np.diff(g)).mean() / g.mean()),
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
    """

    expects: str
    here: str
    holds: Callable[[Figures, Figures], bool]

    def told(self, figures: Figures, healthy: Figures) -> str:
        return self.here.format(f=figures, h=healthy)


# --- how a piece departs from the healthy run -----------------------------------------------------


class PartlyGray(PhotoFolder):
    """A folder of which about a ``share`` (0 to 1) of the photos, told by their names, is turned
    gray. ``grayed``: the names of these."""

    def __init__(self, folder: str | os.PathLike[str], share: float, **options: Any) -> None:
        super().__init__(folder, **options)
        parts = split_by_name(self.names, {"gray": share, "color": 1 - share})
        self.grayed = frozenset(parts["gray"])

    def _picture(self, index: int) -> Tensor:
        picture = super()._picture(index)
        gray = self.names[index] in self.grayed
        return torch.from_numpy(to_gray(picture.numpy())) if gray else picture


@torch.no_grad()
def forgetful(game: Game, given: Tensor, seed: int = 0) -> Tensor:
    """Color as who forgot ``eval()``: dropout draws, and batch norm takes the statistics of the
    batch, here of one photo alone. The network's own statistics are put back afterward."""
    network = game.generator
    kept, drawn_from = [buffer.clone() for buffer in network.buffers()], network.random
    was_training = network.training
    network.random = torch.Generator(given.device).manual_seed(seed)
    network.train()
    try:
        return torch.cat([colors_of(network, photo[None], seed) for photo in given])
    finally:
        network.train(was_training)
        network.random = drawn_from
        for buffer, value in zip(network.buffers(), kept, strict=True):
            buffer.copy_(value)


@dataclass(frozen=True)
class Piece:
    """One mistake.

    Attributes:
        name: such as "no-l1".
        title: the diagnosis, as it stands in the list to choose from.
        done: what was done.
        signs: by which it is known: all of them hold for its own run, and for no other piece's.
        why: what went on in the run.
        remedy: what to do about it.
        change: makes its recipe from the healthy one.
        beside: the healthy run it is compared with, a name of :data:`BESIDE`.
        gray: the share of its training photos that was turned gray.
        colorize: how its held-out photos were colored.
    """

    name: str
    title: str
    done: str
    signs: tuple[Sign, ...]
    why: str
    remedy: str
    change: Callable[[Recipe], Recipe] = lambda recipe: recipe
    beside: str = "healthy"
    gray: float = 0.0
    colorize: Colorize = Game.colorize

    def recipe(self, steps: int = STEPS) -> Recipe:
        """Its recipe; the healthy run's of as many steps, but for the mistake."""
        changed = self.change(BESIDE[self.beside])
        return replace(changed, name=self.name, about=self.done).with_steps(steps)

    def shows(self, figures: Figures, healthy: Figures) -> bool:
        """Whether a run looks like this mistake."""
        return all(sign.holds(figures, healthy) for sign in self.signs)

    def evidence(self, figures: Figures, healthy: Figures) -> str:
        """What in the curves tells it."""
        return " ".join(
            f"{sign.expects[0].upper()}{sign.expects[1:]}: {sign.told(figures, healthy)}."
            for sign in self.signs
        )

    def against(self, figures: Figures, healthy: Figures) -> str:
        """What in another piece's curves speaks against this mistake.

        Raises:
            ValueError: nothing does.
        """
        for sign in self.signs:
            if not sign.holds(figures, healthy):
                return f"It would show in {sign.expects}; here it is {sign.told(figures, healthy)}."
        raise ValueError(f"nothing in these figures speaks against {self.name!r}")


def _objective(**changes: float) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, objective=replace(recipe.objective, **changes))


def _rates(generator: float, discriminator: float) -> Callable[[Recipe], Recipe]:
    def change(recipe: Recipe) -> Recipe:
        (stage,) = recipe.stages
        stage = replace(
            stage,
            generator_rate=generator * stage.generator_rate,
            discriminator_rate=discriminator * stage.discriminator_rate,
        )
        return replace(recipe, stages=(stage,))

    return change


# PIECES HERE


# --- to record them, and to get what was recorded -------------------------------------------------


def record(
    name: str, steps: int = STEPS, *, shown: int = SHOWN_HERE, progress: bool = False
) -> Diary:
    """Train a piece (or a healthy run: a name of :data:`BESIDE`) and keep its diary.

    It trains on the processor, on the course's training photos; the held-out ones are colored
    twice at each look, from two seeds. Where the two colorings never differ, the second is not
    kept. A run that is stopped (Ctrl-C) leaves the diary of the steps that it took.

    Raises:
        ValueError: no such run (the valid names are listed), or fewer steps than looks.
        colorlab.sources.DataMissing: the course's photos are not there.
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
    colorize = Game.colorize if piece is None else piece.colorize
    recorder = Recorder(held_out(SIZE), shown, colorize=colorize, again=True).watch(run)
    run.train()
    diary = recorder.diary(
        piece=name,
        recipe=recipe.to_json(),
        gray=piece.gray if piece else 0.0,
        seconds=round(run.seconds),
        threads=torch.get_num_threads(),
        precision=run.game.precision,
    )
    if not diary.extra["spread"].any():
        del diary.extra["again"]
    return diary


def load(name: str) -> Diary:
    """The recorded diary of a piece, or of a healthy run.

    Raises:
        ValueError: no such run.
        colorlab.sources.DataMissing: it is not there.
    """
    if name not in RUNS:
        raise ValueError(f"the museum has no {name!r}; choose from {', '.join(RUNS)}")
    return Diary.load(lesson_file(f"museum/{name}.npz"))
