"""Trains the generators that lesson 08 compares, each for the same processor time, and scores them.

    python data/lessons/generators.py [NAME ...] [-o FOLDER]

Writes `generators.json`, the scores on the course's 62 test photos, and `generators.npz`, what each
generator makes of six photos. Each trains on the course's 241 training photos, in one thread
(`OMP_NUM_THREADS=1`). The steps were chosen for 300 s of processor time on a free core. On a busy
one it came to up to 350 s; what each took is noted. The starter weights are scored beside them.
Rows that are not named are kept as they stand in the files.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from nogan import SIZE, in_turns
from nogan import recipe as nogan_recipe
from PIL import Image

from colorlab import recipes
from colorlab.atomic import write_whole
from colorlab.colorize import Colorizer
from colorlab.devices import hardware_name
from colorlab.hints import hints_from
from colorlab.metrics import evaluate, gray_of
from colorlab.photos.files import open_photo
from colorlab.recipes.recipe import Recipe
from colorlab.sources.bundled import bundled_photos, data_dir
from colorlab.training.run import Run

SECONDS = 320  # of processor time, about, for each that is trained here
SHOWN_SIZE = 96
# Test photos in the public domain or CC0, so that what is made of them is under no photo's license.
SHOWN = ("kingfisher", "tajmahal", "horse-2", "canyondechelly", "lemur", "european-honey-bee")
FIGURES = (
    "psnr",
    "gray_psnr",
    "chroma_ratio",
    "colorfulness_gap",
    "recognized",
    "gray_recognized",
    "recovered",
    "frechet",
)
HINTS = 10
STARTER_SECONDS, STARTER_STEPS = 154 * 60, 6895  # from its model card, on two cores

Colorize = Callable[[Image.Image], Image.Image]


def unet(steps: int) -> Recipe:
    """The preset `tiny` with L1 alone, as the U-Net of lesson 03 was trained."""
    tiny = recipes.get("tiny")
    return dataclasses.replace(tiny, stages=(dataclasses.replace(tiny.stages[0], steps=steps),))


RECIPES: dict[str, tuple[str, Recipe]] = {
    "unet": ("A small U-Net from scratch, L1", unet(2400)),
    "unet-gan": ("The same, then with a PatchGAN", recipes.get("tiny").with_steps(1740)),
    "regression": (
        "Pretrained encoder, one color a pixel",
        recipes.get("regression").with_steps(875),
    ),
    "distribution": (
        "Pretrained encoder, 261 shares a pixel",
        recipes.get("distribution").with_steps(875),
    ),
    # Both for a hundred steps: in nogan.npz the averaged weights' chroma is then that of the truth.
    "nogan": (
        "Regression, then the discriminator alone, then both; averaged weights",
        nogan_recipe((760, 60, 100)),
    ),
}
GIVEN = {
    "gray": "No color at all",
    "starter": "The bundled weights, more photos, for 154 minutes on two cores",
    "starter-hints": f"The same with {HINTS} hints of the true color a photo",
}
NAMES = ("gray", *RECIPES, "starter", "starter-hints")


def trained(name: str) -> tuple[Colorize, float, int]:
    """A recipe's colorizer, the processor time of its training in seconds, and its steps."""
    recipe = RECIPES[name][1]
    began = time.process_time()
    if name == "nogan":
        run = in_turns(recipe)
    else:
        run = Run(recipe, data_dir() / "photos" / "train", threads=1, progress=False)
    run.train()
    seconds = time.process_time() - began
    return Colorizer(run.best_generator, recipe).colorize, seconds, recipe.steps


def with_hints(colorizer: Colorizer, paths: list[Path]) -> Colorize:
    """Colors the gray copies of ``paths``, in this order, with true colors as hints."""
    photos = enumerate(paths)

    def colorize(gray: Image.Image) -> Image.Image:
        index, path = next(photos)
        hints = hints_from(open_photo(path), HINTS, index)
        with warnings.catch_warnings():  # a pixel's lightness may not have its patch's color
            warnings.filterwarnings("ignore", "hint .*no screen shows")
            return colorizer.colorize(gray, hints=hints)

    return colorize


def colorizers(name: str, paths: list[Path]) -> tuple[Colorize, Colorize, float, int]:
    """What colors the test photos, what colors those shown, seconds, steps."""
    shown = shown_photos()
    if name == "gray":
        return (lambda gray: gray), (lambda gray: gray), 0.0, 0
    if name in RECIPES:
        colorize, seconds, steps = trained(name)
        return colorize, colorize, seconds, steps
    starter = Colorizer.load()
    if name == "starter":
        return starter.colorize, starter.colorize, STARTER_SECONDS, STARTER_STEPS
    both = (with_hints(starter, some) for some in (paths, shown))
    return *both, STARTER_SECONDS, STARTER_STEPS


def shown_photos() -> list[Path]:
    """Paths of the photos that are kept as pictures."""
    return [next(p for p in bundled_photos("test") if p.stem == name) for name in SHOWN]


def pictures(colorize: Colorize) -> np.ndarray:
    """The photos shown, colored at their own size, then cut and reduced: uint8 (6, 3, H, W)."""
    return np.stack([_small(colorize(gray_of(open_photo(path)))) for path in shown_photos()])


def _small(picture: Image.Image) -> np.ndarray:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    cut = picture.convert("RGB").crop((left, top, left + side, top + side))
    return np.asarray(cut.resize((SHOWN_SIZE, SHOWN_SIZE), Image.LANCZOS)).transpose(2, 0, 1)


def row(name: str, colorize: Colorize, paths: list[Path], seconds: float, steps: int) -> dict:
    """A generator's row of the table."""
    scores = evaluate(colorize, paths)
    figures = {figure: _rounded(getattr(scores, figure)) for figure in FIGURES}
    intervals = {
        figure: [_rounded(end) for end in scores.intervals[figure]]
        for figure in FIGURES
        if figure in scores.intervals
    }
    about = RECIPES[name][0] if name in RECIPES else GIVEN[name]
    beside = {"name": name, "about": about, "seconds": round(seconds), "steps": steps}
    return beside | figures | {"intervals": intervals}


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def read(folder: Path) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """The rows and the pictures in the files, by name; none where there are no files."""
    if not (folder / "generators.json").is_file():
        return {}, {}
    table = json.loads((folder / "generators.json").read_text("utf-8"))
    with np.load(folder / "generators.npz", allow_pickle=False) as file:
        shown = dict(zip(file["names"].tolist(), file["pictures"], strict=True))
    return {row["name"]: row for row in table["rows"]}, shown


def write(folder: Path, rows: dict[str, dict], shown: dict[str, np.ndarray]) -> None:
    """Both files, their rows in the order of NAMES."""
    names = [name for name in NAMES if name in rows]
    table = {
        "hardware": hardware_name("cpu"),
        "seconds": SECONDS,
        "photos": len(bundled_photos("train")),
        "size": SIZE,
        "rows": [rows[name] for name in names],
    }
    text = json.dumps(table, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(folder / "generators.json", [text.encode()])
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        names=np.array(names),
        photos=np.array(SHOWN),
        truth=np.stack([_small(open_photo(path)) for path in shown_photos()]),
        gray=np.stack([_small(gray_of(open_photo(path))) for path in shown_photos()]),
        pictures=np.stack([shown[name] for name in names]),
    )
    write_whole(folder / "generators.npz", [buffer.getvalue()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()

    paths = bundled_photos("test")
    for name in options.names or NAMES:
        scored, colorize, seconds, steps = colorizers(name, paths)
        made = row(name, scored, paths, seconds, steps), pictures(colorize)
        rows, shown = read(options.output)
        rows[name], shown[name] = made
        write(options.output, rows, shown)
        print(json.dumps(rows[name], ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
