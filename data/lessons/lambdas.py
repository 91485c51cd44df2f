"""Trains one small GAN for each weight of L1 that lesson 05 lets you slide over.

    python data/lessons/lambdas.py        # 20 minutes to an hour on two cores

Writes `lambdas.npz` beside this file: the colors that each generator gives to the same photos at
64 pixels, and what it scores on all test photos. No pickle inside.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch

from colorlab import recipes
from colorlab.color import AB_RANGE, chroma, normalize_lab, rgb_to_lab
from colorlab.photos.folder import PhotoFolder
from colorlab.sources.bundled import data_dir
from colorlab.training.run import Run
from colorlab.unet import colors_of

WEIGHTS = (0, 1, 3, 10, 30, 100, 300, 1000)
STEPS, SIZE = 3000, 64
# In the public domain or CC0, so that what is made of them is under no photo's license.
SHOWN = {
    "train": ("citrus-fruits", "coffee", "parthenon"),
    "test": ("kingfisher", "tajmahal", "horse-2"),
}


def recipe(weight: float) -> recipes.Recipe:
    """The preset `tiny` without its pretraining, and with this weight of L1."""
    tiny = recipes.get("tiny")
    return dataclasses.replace(
        tiny,
        objective=dataclasses.replace(tiny.objective, color_weight=float(weight)),
        stages=(dataclasses.replace(tiny.stages[-1], steps=STEPS, image_size=SIZE),),
    )


def photos(split: str) -> tuple[list[str], torch.Tensor]:
    """Names and center crops, uint8 (N, 3, 64, 64)."""
    folder = PhotoFolder(data_dir() / "photos" / split, size=SIZE)
    pictures = torch.stack([folder[i] for i in range(len(folder))])
    return [path.stem for path in folder.paths], pictures


@torch.no_grad()
def colors(generator: torch.nn.Module, rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the generator answers, and the truth: ab in CIE units, (N, 2, 64, 64)."""
    L, true = normalize_lab(rgb_to_lab(rgb))
    generator.eval()  # running averages in batch norm, and no dropout: the same answer each time
    return colors_of(generator, L) * AB_RANGE, true * AB_RANGE


def main(output: Path) -> None:
    rgb = {split: photos(split) for split in SHOWN}
    shown = torch.stack(
        [rgb[split][1][rgb[split][0].index(name)] for split in SHOWN for name in SHOWN[split]]
    )
    answers, errors, shares = [], [], []
    for weight in WEIGHTS:
        run = Run(recipe(weight), data_dir() / "photos" / "train", progress=False)
        run.train()
        generator = run.trainer.generator.cpu()
        answers.append(colors(generator, shown)[0].clamp(-127, 127).round().to(torch.int8).numpy())
        ours, true = colors(generator, rgb["test"][1])
        errors.append(float((ours - true).abs().mean()))
        shares.append(float(chroma(ours).mean() / chroma(true).mean()))
        print(f"λ {weight}: L1 {errors[-1]:.2f}, chroma {shares[-1]:.2f}", flush=True)
    gray = float(true.abs().mean())
    np.savez_compressed(
        output,
        weights=np.array(WEIGHTS),
        ab=np.stack(answers),
        rgb=shown.numpy(),
        error=np.array(errors, np.float32),
        chroma=np.array(shares, np.float32),
        error_of_gray=np.float32(gray),
        steps=np.int64(STEPS),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".npz"))
