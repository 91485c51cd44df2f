"""Trains the long run whose diary lesson 06 shows, and writes that diary.

    python data/lessons/diary.py [FOLDER ...] [--steps 24000] [-o diary.npz]

On the course's own training photos where no folder is named: then it is the same run on 241 photos.
The diary that is shipped was made with 45,374 more (their sets stand in its notes), in one thread
of a busy processor: 65 minutes. The file is written anew every thousand steps, so the run
may be watched with `Diary.load`, and stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
from pathlib import Path

import torch

from colorlab import recipes
from colorlab.course.museum.diary import PICTURES, Recorder, held_out
from colorlab.sources.bundled import data_dir
from colorlab.training.listeners import Event
from colorlab.training.run import Run

SIZE = 64


def recipe(steps: int) -> recipes.Recipe:
    """The preset `tiny`, longer: an eighth of the steps with L1 alone, then the trainer."""
    tiny = recipes.get("tiny")
    alone, trainer = tiny.stages
    return dataclasses.replace(
        tiny,
        name="diary",
        about="The preset tiny for longer, on many more photos.",
        stages=(
            dataclasses.replace(alone, steps=steps // 8, image_size=SIZE, balance=0.7),
            dataclasses.replace(trainer, steps=steps - steps // 8, image_size=SIZE, balance=0.7),
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folders", nargs="*", type=Path, help="training photos besides the course's"
    )
    parser.add_argument("--steps", type=int, default=24_000)
    parser.add_argument("--sets", default="the course's own photos", help="their names, to note")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_suffix(".npz"))
    options = parser.parse_args()

    photos = data_dir() / "photos"
    run = Run(
        recipe(options.steps),
        [photos / "train", *options.folders],
        validation=photos / "val",
        sample_every=100,
        progress=False,
    )
    recorder = Recorder(held_out(SIZE), kept=len(PICTURES)).watch(run)

    def keep(event: Event) -> None:
        if event.kind != "sample":
            return
        if event.step == 1000:
            run.set(sample_every=500)
        if event.step % 1000 == 0 or event.step == run.recipe.steps:
            diary = recorder.diary(
                recipe=run.recipe.to_json(),
                sets=options.sets,
                photos=len(run.photos),
                seconds=round(event.seconds),
                hardware=f"{torch.get_num_threads()} thread(s) of {platform.processor() or 'CPU'}",
                precision=run.trainer.precision,
            )
            diary.save(options.output)
            print(
                f"step {event.step}: {event.seconds:.0f} s, error {diary.error[-1]:.2f} (gray "
                f"{diary.gray_error:.2f}), PSNR {diary.psnr[-1]:.2f} dB (gray "
                f"{diary.gray_psnr:.2f}), chroma {diary.chroma[-1]:.2f}",
                flush=True,
            )

    run.listeners.append(keep)
    run.train()


if __name__ == "__main__":
    main()
