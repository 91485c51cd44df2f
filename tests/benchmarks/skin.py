"""How far the colors of skin are off, on faces of light, medium and dark skin apart.

    python tests/benchmarks/skin.py DIR [--weights FILE]

DIR holds aligned faces of UTKFace (Zhang, Song and Qi, CVPR 2017) that the weights were not trained
on, under the set's own names, AGE_GENDER_GROUP_DATE.jpg. How light the skin is is measured and not
taken from the group: by the individual typology angle of the middle of the face, atan((L − 50) / b)
(Chardon et al., International Journal of Cosmetic Science, 1991): light above 41°, medium above
10°, dark below. The set's own groups are printed too.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from colorlab.color import rgb_to_lab
from colorlab.colorize import Colorizer
from colorlab.intervals import bootstrap
from colorlab.metrics import gray_of
from colorlab.photos.files import open_photo

GROUPS = ("White", "Black", "Asian", "Indian", "others")


def lab_of(image) -> torch.Tensor:  # noqa: ANN001
    """The middle of an aligned face, where there is skin and no hair or background: (3, h, w)."""
    lab = rgb_to_lab(torch.from_numpy(np.array(image.convert("RGB"))).movedim(-1, 0))
    height, width = lab.shape[1:]
    return lab[:, int(0.35 * height) : int(0.8 * height), int(0.3 * width) : int(0.7 * width)]


def kind_of(lab: torch.Tensor) -> str:
    lightness, _, b = lab.flatten(1).median(1).values.tolist()
    angle = math.degrees(math.atan2(lightness - 50, max(b, 1e-6)))
    return "light" if angle > 41 else "medium" if angle > 10 else "dark"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.weights)
    errors: dict[str, list[tuple[float, float, float]]] = {}
    for path in sorted(options.folder.glob("*_*_*_*.jpg")):
        truth = open_photo(path)
        true, ours = lab_of(truth), lab_of(colorizer.colorize(gray_of(truth)))
        row = (
            (ours - true)[1:].norm(dim=0).mean().item(),
            true[1:].norm(dim=0).mean().item(),  # the error of a face left gray
            ours[1:].norm(dim=0).mean().item() / true[1:].norm(dim=0).mean().item(),
        )
        group = GROUPS[int(path.name.split("_")[2])]
        for key in ("all", kind_of(true), f"group {group}"):
            errors.setdefault(key, []).append(row)
    if not errors:
        parser.error(f"{options.folder} holds no face with a name of the set's own form")
    print(f"{'skin':<14}{'faces':>6}{'ab error':>10}{'95 % interval':>16}{'gray':>7}{'chroma':>8}")
    order = ["all", "light", "medium", "dark", *(f"group {name}" for name in GROUPS)]
    for key in (key for key in order if key in errors):
        rows = np.array(errors[key])
        ours, gray, ratio = rows.mean(0)
        between = bootstrap({"error": rows[:, 0]}, lambda means: means).get("error")
        interval = "" if between is None else "{:.1f} to {:.1f}".format(*between)
        print(f"{key:<14}{len(rows):>6}{ours:>10.1f}{interval:>16}{gray:>7.1f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
