"""How much the colors of a clip flicker, colored frame by frame and with colors carried along.

    python tests/benchmarks/clip.py [--weights FILE] [--pictures FOLDER]

Two clips are made of bundled test photos, see ``tests/made_clips.py``. Flicker is that of
``colorlab.clip.flicker``, of the frames at their full size. PSNR is of the frames against their
true colors. The last rows are of the steady frames written as a file and read again.
"""

from __future__ import annotations

import argparse
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageSequence
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from made_clips import pan, passing

from colorlab.clip import color_clip, flicker
from colorlab.color import rgb_to_lab
from colorlab.colorize import Colorizer
from colorlab.metrics import gray_of
from colorlab.photos.animation import write_animation


def stacked(frames: list[Image.Image]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).movedim(-1, 1)


def measured(frames: list[Image.Image], truth: list[Image.Image]) -> tuple[float, float]:
    """Flicker in units of ab, and the mean PSNR in dB."""
    lab = rgb_to_lab(stacked(frames))
    errors = (stacked(frames).double() - stacked(truth)).square().mean((1, 2, 3))
    psnr = (10 * torch.log10(255**2 / errors)).mean().item()
    return flicker(lab[:, :1], lab[:, 1:]), psnr


def written(frames: list[Image.Image], suffix: str) -> list[Image.Image]:
    file = BytesIO()
    write_animation(file, ((frame, 40.0) for frame in frames), suffix)
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(file))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--pictures", type=Path, help="also write four frames of each")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.weights)
    print(f"{'':<30}{'flicker':>8}{'ratio':>7}{'PSNR':>8}{'change':>8}")
    for name, clip in (("pan", pan), ("passing disc", passing)):
        truth = list(clip())
        grays = [gray_of(frame) for frame in truth]
        alone = list(color_clip(colorizer, grays, steady=False))
        steady = list(color_clip(colorizer, grays))
        rows = {"frame by frame": alone, "steady": steady}
        rows |= {f"steady, as {s}": written(steady, s) for s in (".png", ".webp", ".gif")}
        begin = measured(alone, truth)
        for way, frames in rows.items():
            jump, psnr = measured(frames, truth)
            print(
                f"{f'{name}, {way}':<30}{jump:>8.2f}{jump / begin[0]:>7.2f}{psnr:>8.2f}"
                f"{psnr - begin[1]:>+8.2f}"
            )
            if options.pictures:
                some = np.hstack([np.asarray(frames[time]) for time in (2, 9, 16, 23)])
                options.pictures.mkdir(parents=True, exist_ok=True)
                Image.fromarray(some).save(options.pictures / f"{name}, {way}.png")
        print(f"{f'{name}, the truth':<30}{measured(truth, truth)[0]:>8.2f}")


if __name__ == "__main__":
    main()
