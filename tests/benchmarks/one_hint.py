"""What one hint does: six bundled test photos, colored without it and with it.

    python tests/benchmarks/one_hint.py FILE.png [--weights FILE]

The picture shows where each hint is and its color. A line a photo says how far colors moved: the
mean distance in Lab units within an eighth of the photo's side around the hint, and in the tenth of
the pixels that moved least, which is what the hint left alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from colorlab.color import rgb_to_lab
from colorlab.colorize import Colorizer
from colorlab.metrics import gray_of
from colorlab.photos import open_photo
from colorlab.show import photo_grid
from colorlab.sources import bundled_photos

# Photo, place as a share of width and height, color.
HINTS = (
    ("kingfisher", 0.46, 0.50, "#d06020"),
    ("measuringtape2", 0.26, 0.42, "#a02838"),
    ("multimeter1", 0.10, 0.42, "#b02030"),
    ("fish25", 0.62, 0.52, "#e09030"),
    ("scissors1", 0.60, 0.36, "#e07020"),
    ("european-honey-bee", 0.80, 0.75, "#a070c0"),
)


def marked(gray: Image.Image, x: int, y: int, color: str) -> Image.Image:
    """The photo with a disc of the hint's color at its place."""
    marked = gray.convert("RGB")
    r = max(gray.size) // 22
    box = (x - r, y - r, x + r, y + r)
    ImageDraw.Draw(marked).ellipse(box, fill=color, outline="white", width=max(r // 5, 1))
    return marked


def ab_of(image: Image.Image) -> np.ndarray:
    return rgb_to_lab(torch.from_numpy(np.array(image)).movedim(-1, 0))[1:].numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("--weights")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.weights)
    paths = {path.stem: path for path in bundled_photos("test")}
    rows = []
    for name, u, v, color in HINTS:
        gray = gray_of(open_photo(paths[name]))
        x, y = int(u * gray.width), int(v * gray.height)
        before, after = colorizer.colorize(gray), colorizer.colorize(gray, hints=[(x, y, color)])
        moved = np.linalg.norm(ab_of(after) - ab_of(before), axis=0)
        reach = min(gray.size) // 8
        near = moved[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach].mean()
        least = np.sort(moved, axis=None)[: moved.size // 10].mean()
        print(f"{name:20} around the hint {near:5.1f}, what moved least {least:4.1f}")
        rows.append((marked(gray, x, y, color), before, after))
    options.target.parent.mkdir(parents=True, exist_ok=True)
    photo_grid(rows, ("one hint", "without it", "with it"), across=2, width=11).savefig(
        options.target, dpi=90
    )


if __name__ == "__main__":
    main()
