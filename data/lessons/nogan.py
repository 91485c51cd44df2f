"""Records the run in which lesson 08 looks for the point of inflection, as a diary.

    python data/lessons/nogan.py [-o nogan.npz]

"Pretrain, then play": the recipe `regression`, then the discriminator alone on what the generator
has learned, then both. DeOldify calls it NoGAN, and found that colors get better for a short while
only. Beside the generator the run keeps a running average of its weights. Both color the 46
validation photos; the diary's second colorings are the average's. About ten minutes on a free core
(`OMP_NUM_THREADS=1`).
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorlab import recipes
from colorlab.color import chroma, rgb_to_lab
from colorlab.course.museum.diary import Recorder, held_out
from colorlab.devices import hardware_name
from colorlab.encoders import EfficientNetLite0
from colorlab.frechet import features_and_labels, frechet_distance
from colorlab.metrics import colorfulness, psnr
from colorlab.recipes.recipe import DiscriminatorConfig, Recipe, Stage
from colorlab.sources.bundled import data_dir
from colorlab.training.listeners import Event
from colorlab.training.run import Run
from colorlab.training.trainer import Trainer
from colorlab.unet import colors_of

SIZE = 64
STEPS = (300, 60, 240)  # the generator alone, the discriminator alone, both
EVERY = (50, 60, 10)  # steps between two measurements in each; the steps above are multiples
KEPT = 4  # photos that the diary keeps as pictures
DECAY = 0.98  # of the running average: about the last fifty steps


def recipe(steps: tuple[int, int, int]) -> Recipe:
    """The preset `regression`, followed by the discriminator alone and by both."""
    alone = recipes.get("regression")
    begin = dataclasses.replace(alone.stages[0], steps=steps[0])
    both = Stage("adversarial", steps[2], begin.image_size, begin.batch_size, 3e-5, 4e-4)
    return dataclasses.replace(
        alone,
        name="nogan",
        about="The recipe regression, then the discriminator alone, then both.",
        discriminator=DiscriminatorConfig(base=32, layers=2, norm="none", spectral=True, reduce=2),
        objective=dataclasses.replace(alone.objective, adversarial="hinge", adversarial_weight=1.0),
        optimization=dataclasses.replace(alone.optimization, betas=(0.5, 0.99), average=DECAY),
        stages=(begin, dataclasses.replace(both, steps=steps[1], generator_rate=0.0), both),
    )


class InTurns(Trainer):
    """A trainer whose generator rests where its rate is 0, so that the discriminator trains alone.

    A rate of 0 leaves the weights as they are. Here the averages in the generator's batch norms
    stay too, and so does what its optimizer remembers.
    """

    def adversarial_step(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """As in ``Trainer``."""
        self.generator.train(not self._rests)
        return super().adversarial_step(inputs, target)

    def optimize(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """As in ``Trainer``; nothing where the generator rests and it is the generator's turn."""
        if optimizer is self.optimizer_d or not self._rests:
            super().optimize(optimizer, loss)

    @property
    def _rests(self) -> bool:
        return self.optimizer_g.param_groups[0]["lr"] == 0


def in_turns(recipe: Recipe, **settings) -> Run:
    """A run of the recipe on the course's photos, with such a trainer."""
    photos = data_dir() / "photos"
    run = Run(
        recipe, photos / "train", validation=photos / "val", threads=1, progress=False, **settings
    )
    run.trainer = InTurns(recipe)
    return run


class Judge:
    """Colors the held-out photos by the weights and by their average, and measures both.

    Attributes:
        found: for each of the two a dict a measurement: psnr, chroma, frechet, colorfulness_gap.
        seconds: of processor time that this took.
    """

    def __init__(self, photos: Tensor):
        self.true = photos / 255
        self.network = EfficientNetLite0().eval()
        self.features = self._features(self.true)
        self.chroma = chroma(rgb_to_lab(self.true)[:, 1:]).mean()
        self.colorfulness = colorfulness(self.true).mean().item()
        self.found: tuple[list[dict], list[dict]] = [], []
        self.seconds = 0.0

    def __call__(self, trainer: Trainer, inputs: Tensor, seed: int) -> Tensor:
        """What a :class:`Recorder` calls: the second coloring is that of the average."""
        began = time.process_time()
        averaged = seed != trainer.recipe.seed
        network = trainer.average.module if averaged else trainer.generator
        was_training = network.training
        network.eval()
        with torch.no_grad():
            colors = colors_of(network, inputs).float()
        network.train(was_training)
        self.found[averaged].append(self._scores(trainer.picture(inputs, colors)))
        self.seconds += time.process_time() - began
        return colors

    def _scores(self, rgb: Tensor) -> dict[str, float]:
        return {
            "psnr": sum(map(psnr, rgb, self.true)) / len(rgb),
            "chroma": (chroma(rgb_to_lab(rgb)[:, 1:]).mean() / self.chroma).item(),
            "frechet": frechet_distance(self._features(rgb), self.features),
            "colorfulness_gap": colorfulness(rgb).mean().item() - self.colorfulness,
        }

    def _features(self, rgb: Tensor) -> np.ndarray:
        return torch.cat(
            [features_and_labels(self.network, few)[0] for few in rgb.split(8)]
        ).numpy()

    def extra(self) -> dict[str, np.ndarray]:
        """The arrays that the diary gets besides its own."""
        own, averaged = (
            {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}
            for rows in self.found
        )
        more = {f"average_{name}": values for name, values in averaged.items()}
        return {name: own[name] for name in ("frechet", "colorfulness_gap")} | more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs=3, default=STEPS)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_suffix(".npz"))
    options = parser.parse_args()

    photos = held_out(SIZE)
    judge = Judge(photos)
    run = in_turns(recipe(tuple(options.steps)), sample_every=EVERY[0])
    recorder = Recorder(photos, kept=KEPT, colorize=judge, again=True).watch(run)
    begins = np.cumsum([0, *options.steps[:2]]).tolist()  # the steps taken before each stage

    def listen(event: Event) -> None:
        if event.kind == "step" and event.step in begins:
            run.set(sample_every=EVERY[begins.index(event.step)])
        if event.kind == "sample":
            told = zip(*(rows[-1].items() for rows in judge.found), strict=True)
            both = ", ".join(f"{name} {one:.2f} / {other:.2f}" for (name, one), (_, other) in told)
            print(f"step {event.step}: {both}", flush=True)

    run.listeners.append(listen)
    judge.seconds, began = 0.0, time.process_time()
    run.train()
    diary = recorder.diary(
        recipe=run.recipe.to_json(),
        stages=["generator alone", "discriminator alone", "both"],
        begins=begins,
        decay=DECAY,
        photos=len(run.photos),
        size=SIZE,
        seconds=round(time.process_time() - began - judge.seconds),
        hardware=hardware_name("cpu"),
        precision=run.trainer.precision,
    )
    diary = dataclasses.replace(diary, extra=diary.extra | judge.extra())
    path = diary.save(options.output)
    print(f"{diary.notes['seconds']} s, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
