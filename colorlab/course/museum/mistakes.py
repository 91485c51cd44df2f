"""Eight mistakes in training a GAN: how each is made, by which signs it is known, the remedy.

Each is a :class:`Piece`, a small departure from a healthy recipe.
:mod:`colorlab.course.museum.exhibits` trains and shows them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from colorlab.course.museum.diary import Colorize
from colorlab.course.museum.symptoms import Figures, Sign
from colorlab.photos.base import split_by_name
from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.recipe import (
    DiscriminatorConfig,
    GeneratorConfig,
    ObjectiveConfig,
    Recipe,
    Stage,
)
from colorlab.show import to_gray
from colorlab.training.trainer import Trainer
from colorlab.unet import colors_of

STEPS, SIZE = 900, 64
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
    generator=replace(HEALTHY.generator, dropout=0.0, noise_channels=1),
    objective=replace(HEALTHY.objective, diversity_weight=1.0),
    # Quicker than the other runs: noise that is not wanted fades slowly.
    stages=(replace(HEALTHY.stages[0], generator_rate=5 * RATE, discriminator_rate=5 * RATE),),
)
BESIDE = {recipe.name: recipe for recipe in (HEALTHY, WITH_NOISE)}


# --- how a run departs from the healthy one -------------------------------------------------------


class PartlyGray(PhotoFolder):
    """A folder of which about a ``share`` (0 to 1) of the photos, chosen by their names, is turned
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
def forgetful(trainer: Trainer, photos: Tensor, seed: int = 0) -> Tensor:
    """Color as who forgot ``eval()``: dropout draws, and batch norm takes the statistics of the
    batch, here of a single photo. The network's own statistics are put back afterward."""
    network = trainer.generator
    kept, drawn_from = [buffer.clone() for buffer in network.buffers()], network.random
    was_training = network.training
    network.random = torch.Generator(photos.device).manual_seed(seed)
    network.train()
    try:
        return torch.cat([colors_of(network, photo[None], seed) for photo in photos])
    finally:
        network.train(was_training)
        network.random = drawn_from
        for buffer, value in zip(network.buffers(), kept, strict=True):
            buffer.copy_(value)


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


# --- the mistakes ---------------------------------------------------------------------------------


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
    colorize: Colorize = Trainer.colorize

    def recipe(self, steps: int = STEPS) -> Recipe:
        """Its recipe; the healthy run's of as many steps, but for the mistake."""
        changed = self.change(BESIDE[self.beside])
        about = "A run of the failure museum."
        return replace(changed, name=self.name, about=about).with_steps(steps)

    def shows(self, figures: Figures, healthy: Figures) -> bool:
        """Whether a run looks like this mistake."""
        return all(sign.holds(figures, healthy) for sign in self.signs)

    def evidence(self, figures: Figures, healthy: Figures) -> str:
        """What in the curves shows it."""
        return " ".join(
            f"{sign.expects[0].upper()}{sign.expects[1:]}: {sign.describe(figures, healthy)}."
            for sign in self.signs
            if not sign.silent
        )

    def against(self, figures: Figures, healthy: Figures) -> str:
        """What in another piece's curves speaks against this mistake.

        Raises:
            ValueError: nothing does.
        """
        for sign in self.signs:
            if not sign.holds(figures, healthy):
                return f"It would show in {sign.expects}; here: {sign.describe(figures, healthy)}."
        raise ValueError(f"nothing in these figures speaks against {self.name!r}")


ACCURATE = 0.96  # share of patches: a D that is right on as many has won

PIECES: dict[str, Piece] = {
    piece.name: piece
    for piece in (
        Piece(
            name="d-strong",
            title="D too strong",
            done=("D has twice the channels, and G learns at a quarter of its rate."),
            change=lambda recipe: replace(
                _rates(0.25, 1.0)(recipe), discriminator=replace(recipe.discriminator, base=32)
            ),
            signs=(
                Sign(
                    "a D that is right on nearly every patch",
                    "{f.accuracy_real:.0%} of the real and {f.accuracy_fake:.0%} of the generated "
                    "ones",
                    lambda f, h: min(f.accuracy_real, f.accuracy_fake) > ACCURATE,
                ),
                Sign(
                    "photos that stay wrong in training",
                    "a and b off by {f.learned:.1f} Lab units there, the healthy run "
                    "{h.learned:.1f}",
                    lambda f, h: f.learned > 1.1 * h.learned,
                ),
            ),
            why=(
                "A D that is always right says that everything is wrong, not what: G can't catch "
                "up."
            ),
            remedy="lower D's learning rate or make it smaller, or raise λ of L1.",
        ),
        Piece(
            name="d-weak",
            title="D too weak",
            done="D learns at a hundredth of its rate.",
            change=_rates(1.0, 0.01),
            signs=(
                Sign(
                    "a D that only guesses, with both losses near ln 2 = 0.69",
                    "right on {f.accuracy_real:.0%} of the real and {f.accuracy_fake:.0%} of the "
                    "generated patches, losses G {f.loss_g:.2f} and D {f.loss_d:.2f}",
                    lambda f, h: abs(f.loss_d - 0.693) < 0.06 and abs(f.loss_g - 0.693) < 0.06,
                ),
            ),
            why=(
                "A D that can't tell real from generated has nothing to teach, so only L1 is left, "
                "and its prediction is pale."
            ),
            remedy="raise D's learning rate, or give it more channels or layers.",
        ),
        Piece(
            name="no-l1",
            title="No L1",
            done="λ of L1 is 0: G learns only from D.",
            change=_objective(color_weight=0.0),
            signs=(
                Sign(
                    "an error in training that falls late, though D has not won",
                    "{f.early:.1f} Lab units over the first third, the healthy run {h.early:.1f}; "
                    "D is right on {f.accuracy_real:.0%} of the real and {f.accuracy_fake:.0%} of "
                    "the generated patches",
                    lambda f, h: (
                        f.early > 1.25 * h.early
                        and min(f.accuracy_real, f.accuracy_fake) < ACCURATE
                    ),
                ),
            ),
            why=(
                "D asks for colors that look real, and not for this photo's: they are lively and "
                "wander from look to look."
            ),
            remedy="give L1 its weight back: λ between 10 and 100 at this size.",
        ),
        Piece(
            name="only-l1",
            title="Only L1",
            done="The weight of the adversarial loss is 0: D plays, and G does not listen.",
            change=_objective(adversarial_weight=0.0),
            signs=(
                Sign(
                    "a D that is right on nearly every patch",
                    "{f.accuracy_real:.0%} of the real and {f.accuracy_fake:.0%} of the generated "
                    "ones",
                    lambda f, h: min(f.accuracy_real, f.accuracy_fake) > ACCURATE,
                ),
                Sign(
                    "pale photos that score well all the same",
                    "chroma {f.chroma:.2f} of the truth's (healthy {h.chroma:.2f}), held-out error "
                    "{f.error:.1f} Lab units (healthy {h.error:.1f})",
                    lambda f, h: f.chroma < 0.6 * h.chroma and f.error < 0.9 * h.error,
                ),
                Sign(
                    "a network without noise just as well",
                    "one that takes noise, and ours and once more are {f.spread:.1f} Lab units "
                    "apart where the healthy run has {h.spread:.1f}: think of what L1 does to that",
                    lambda f, h: h.spread == 0,
                    silent=True,
                ),
            ),
            why=(
                "Where a photo leaves several colors possible, L1 is smallest at their median, "
                "which is brown or gray; D sees it at once, and nobody acts on it."
            ),
            remedy="give the adversarial loss its weight back, or lower λ.",
        ),
        Piece(
            name="collapsed",
            title="Collapsed noise",
            done="λ of L1 is 10,000, and nothing rewards colorings that differ.",
            beside="healthy-noise",
            change=_objective(color_weight=10_000.0, diversity_weight=0.0),
            signs=(
                Sign(
                    "a network that takes noise",
                    "this network takes no noise, so nothing can collapse",
                    lambda f, h: h.spread > 0,
                    silent=True,
                ),
                Sign(
                    "a network that takes noise and hardly uses it",
                    "two colorings of a photo are {f.spread:.1f} Lab units apart, those of the "
                    "healthy run {h.spread:.1f}; about 2 can just be seen",
                    lambda f, h: h.spread > 5 and f.spread < h.spread / 4,
                ),
            ),
            why=(
                "L1 has one best prediction for a photo, so whatever the noise changes costs. It "
                "fades slowly, since a small change costs next to nothing: with λ = 50, on which D "
                "has its say, colorings stayed apart."
            ),
            remedy="reward diversity (as the preset noise-unet does), and lower λ.",
        ),
        Piece(
            name="rate",
            title="Learning rate × 100",
            done="Both learn at 100 times their rate.",
            change=_rates(100.0, 100.0),
            signs=(
                Sign(
                    "spikes of the error in training, long after the start",
                    "up to {f.spike:.1f} times its median, in the healthy run {h.spike:.1f}",
                    lambda f, h: f.spike > 2.5 and f.spike > 1.5 * h.spike,
                ),
                Sign(
                    "a loss of G that leaps in the very first steps",
                    "{f.leap:.1f} within ten steps, in the healthy run {h.leap:.1f}",
                    lambda f, h: f.leap > 2 * h.leap and f.leap > 2,
                ),
            ),
            why=(
                "A step that is too long throws a network far off, at first and again and again. "
                "Ten times the rate did not harm networks as small as these: batch norm and Adam "
                "made up for it. Larger ones forgive less."
            ),
            remedy="a rate of 2e-4 as in pix2pix; a warm-up, if only the first steps are wild.",
        ),
        Piece(
            name="eval",
            title="Forgotten eval()",
            done="The run is the healthy one; its held-out photos were colored in training mode.",
            colorize=forgetful,
            signs=(
                Sign(
                    "a network that takes no noise, and colors a photo differently each time",
                    "ours and once more are {f.spread:.1f} Lab units apart",
                    lambda f, h: h.spread == 0 and f.spread > 2,
                ),
                Sign(
                    "curves of training like the healthy run's, and worse photos",
                    "{f.learned:.1f} Lab units in training as in the healthy run "
                    "({h.learned:.1f}), and {f.error:.1f} held-out (healthy {h.error:.1f})",
                    lambda f, h: abs(f.learned / h.learned - 1) < 0.05 and f.error > 1.1 * h.error,
                ),
            ),
            why=(
                "Dropout still draws, and batch norm takes the statistics of one photo for those "
                "of all."
            ),
            remedy="generator.eval() before coloring, generator.train() before the next step.",
        ),
        Piece(
            name="gray-data",
            title="Gray images in the data",
            done="About 60 % of the training photos are gray.",
            gray=0.6,
            signs=(
                Sign(
                    "an error in training far below the held-out one",
                    "{f.learned:.1f} Lab units in training, {f.error:.1f} held-out",
                    lambda f, h: f.learned < 0.75 * f.error and f.learned < 0.75 * h.learned,
                ),
                Sign(
                    "pale photos",
                    "chroma {f.chroma:.2f} of the truth's (healthy {h.chroma:.2f})",
                    lambda f, h: f.chroma < 0.6 * h.chroma,
                ),
            ),
            why=(
                "A gray photo is easy to get right, and D takes gray for real: it is, in this data."
            ),
            remedy="find gray photos by their chroma and leave them out (colorlab audit).",
        ),
    )
}
