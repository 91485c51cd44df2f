"""``colorlab evaluate``: scores of weights on color photos, and a picture of some."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from colorlab.commands.options import add_weights, device

if TYPE_CHECKING:
    from PIL.Image import Image


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab evaluate``."""
    parser.add_argument("folder", nargs="?", metavar="DIR", help="default: the bundled test photos")
    parser.add_argument(
        "--grid", metavar="FILE", help="also draw 16 of the photos: gray input, ours, truth"
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the figures of each photo")
    parser.add_argument(
        "--hints",
        action="store_true",
        help="also color with 1, 5, 10 and 50 true colors as hints, for weights trained with hints",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="score the annealed mean of the distribution, 0 (its mode) to 1 (its mean), instead",
    )
    add_weights(parser)


def run(options: argparse.Namespace) -> int:
    """Score the colors of the weights and print the scores; returns 0.

    Raises:
        ValueError: hints, for weights that take none.
    """
    from colorlab import sources
    from colorlab.colorize import Colorizer
    from colorlab.metrics import HINT_COUNTS, diversity, evaluate
    from colorlab.photos.folder import PhotoFolder
    from colorlab.scores import row

    if options.folder:
        paths = list(PhotoFolder(options.folder).paths)
    else:
        paths = sources.bundled_photos("test")
    colorizer = Colorizer.load(options.weights, device(options.device))
    if options.hints and not getattr(colorizer, "takes_hints", False):
        raise ValueError(
            "these weights were trained without hints; leave --hints out, or name weights of a "
            "recipe that learns to take hints with --weights"
        )
    if options.csv:  # a folder that can't be made is refused before the minutes of work
        Path(options.csv).parent.mkdir(parents=True, exist_ok=True)
    if options.grid:
        _check_grid(Path(options.grid))
    hints = HINT_COUNTS if options.hints else ()
    colorize = colorizer.colorize
    if options.temperature is not None:
        colorize = partial(colorize, temperature=options.temperature)
    left_out: list[str] = []
    scores = evaluate(colorize, paths, progress=True, hints=hints, left_out=left_out)
    print(scores)
    for why in left_out:
        print(f"not scored: {why}", file=sys.stderr)
    if left_out and options.folder:
        command = f"colorlab audit {quote(options.folder)} --exclude"
        print(f"colorlab: `{command}` lists such photos, to leave them out", file=sys.stderr)
    paths = [Path(row["name"]) for row in scores.by_photo]
    if colorizer.recipe.generator.noise_channels:
        print(row("colorings apart, Lab units", f"{diversity(colorizer, paths):.1f}"))
    if options.csv:
        scores.write_csv(options.csv)
    if options.grid:
        _draw_grid(colorize, paths, Path(options.grid))
    return 1 if left_out else 0


def _check_grid(target: Path) -> None:
    """Raise ValueError where the grid can't be written, before minutes are spent on scores."""
    from matplotlib.figure import Figure

    kinds = sorted(Figure().canvas.get_supported_filetypes())
    if target.suffix.lower().removeprefix(".") not in kinds:
        raise ValueError(f"{target}: can't write {target.suffix}; use one of .{', .'.join(kinds)}")
    if target.is_dir():
        raise ValueError(f"{target} is a folder; name a file in it")


def _draw_grid(
    colorize: Callable[[Image], Image], paths: Sequence[Path], target: Path, count: int = 16
) -> None:
    """Photos spread evenly over ``paths``, neither the best nor the worst picked."""
    from colorlab.metrics import gray_of
    from colorlab.photos.files import open_photo
    from colorlab.show import photo_grid

    count = min(count, len(paths))
    truths = [open_photo(paths[i * len(paths) // count]) for i in range(count)]
    grays = [gray_of(truth) for truth in truths]
    rows = [(g, colorize(g), t) for g, t in zip(grays, truths, strict=True)]
    target.parent.mkdir(parents=True, exist_ok=True)
    photo_grid(rows, across=2, width=11).savefig(target, dpi=90)
