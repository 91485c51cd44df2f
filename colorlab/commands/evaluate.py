"""``colorlab evaluate``: scores of weights on color photos; of several weights, side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from colorlab.atomic import write_whole
from colorlab.commands.gallery import check_gallery, wrapped, write_gallery
from colorlab.commands.options import add_weights, check_writable, device

if TYPE_CHECKING:
    from PIL.Image import Image

    from colorlab.colorize import Colorizer
    from colorlab.scores import Scores

WEIGHTS = ".safetensors"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab evaluate``."""
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="DIR|WEIGHTS",
        help="a folder of photos (default: the bundled test photos), and any number of weights, "
        f"files that end in {WEIGHTS}; those after the first are compared with the first",
    )
    parser.add_argument(
        "--grid", metavar="FILE", help="also draw 16 of the photos: gray input, ours, truth"
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the figures of each photo")
    parser.add_argument(
        "--table", metavar="FILE", help="also write the scores as a table in Markdown"
    )
    parser.add_argument(
        "--gallery",
        metavar="FOLDER",
        help="also write a new folder with a web page of all photos, those first about which the "
        "weights disagree most",
    )
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
    """Score the colors of the weights and print the scores.

    Returns:
        1 if a photo could not be scored, else 0.

    Raises:
        ValueError: hints, for weights that take none; inputs or outputs that can't be used.
    """
    from colorlab import sources
    from colorlab.colorize import Colorizer
    from colorlab.comparison import difference_text, markdown, paired_differences
    from colorlab.metrics import HINT_COUNTS
    from colorlab.photos.folder import PhotoFolder

    folder, files = _told_apart(options.inputs, options.weights)
    _check_targets(options, folder)
    paths = list(PhotoFolder(folder).paths) if folder else sources.bundled_photos("test")
    files = files or [sources.starter_weights()]
    where = device(options.device)
    labels, colorizers = tell_apart(files), [Colorizer.load(file, where) for file in files]
    if options.hints:
        _require_hints(colorizers, files)
    more = {} if options.temperature is None else {"temperature": options.temperature}
    colorings = [partial(colorizer.colorize, **more) for colorizer in colorizers]

    left_out: list[str] = []
    hints = HINT_COUNTS if options.hints else ()
    scores = _scores(labels, colorizers, colorings, paths, hints, left_out)
    _report_left_out(left_out, folder)
    differences = [paired_differences(others, scores[0]) for others in scores[1:]]
    for label, difference in zip(labels[1:], differences, strict=True):
        print(f"\n{difference_text(label, labels[0], difference)}")

    scored = [Path(photo["name"]) for photo in scores[0].by_photo]
    if options.csv:
        _with_labels(scores, labels).write_csv(options.csv)
    if options.table:
        write_whole(options.table, [markdown(labels, scores, differences).encode()])
    if options.grid:
        _draw_grid(colorings, labels, scored, Path(options.grid))
    if options.gallery:
        write_gallery(options.gallery, labels, colorings, scores, differences, left_out)
        print(f"\ngallery: {Path(options.gallery, 'index.html')}")
    return 1 if left_out else 0


def tell_apart(files: Sequence[Path]) -> list[str]:
    """A label for each weights file: its name, with as many folders as tell it from the others."""
    whole = [file.absolute().with_suffix("").parts for file in files]
    labels = []
    for parts in whole:
        count = 1
        while sum(other[-count:] == parts[-count:] for other in whole) > 1:
            count += 1
        labels.append("/".join(parts[-count:]))
    return labels


def _scores(
    labels: Sequence[str],
    colorizers: Sequence[Colorizer],
    colorings: Sequence[Callable[..., Image]],
    paths: Sequence[Path],
    hints: Sequence[int],
    left_out: list[str],
) -> list[Scores]:
    """Scores of each of the weights, printed as soon as they are known."""
    from colorlab.metrics import diversity, evaluate
    from colorlab.scores import row

    found: list[Scores] = []
    for label, colorizer, colorize in zip(labels, colorizers, colorings, strict=True):
        if len(labels) > 1:
            print("\n" * bool(found) + label, flush=True)
        found.append(evaluate(colorize, paths, progress=True, hints=hints, left_out=left_out))
        print(found[-1], flush=True)
        # A photo that can't be scored for the first can't be for the others: it is told once.
        paths = [Path(photo["name"]) for photo in found[0].by_photo]
        if colorizer.recipe.generator.noise_channels:
            print(row("colorings apart, Lab units", f"{diversity(colorizer, paths):.1f}"))
    return found


def _report_left_out(left_out: Sequence[str], folder: str | None) -> None:
    for why in left_out:
        print(f"not scored: {why}", file=sys.stderr)
    if left_out and folder:
        command = f"colorlab audit {quote(folder)} --exclude"
        print(f"colorlab: `{command}` lists such photos, to leave them out", file=sys.stderr)


def _with_labels(scores: Sequence[Scores], labels: Sequence[str]) -> Scores:
    """Of several: the first, with the rows of all, and the label of the weights in each row."""
    if len(scores) == 1:
        return scores[0]
    rows = (
        {"weights": label, **photo}
        for label, one in zip(labels, scores, strict=True)
        for photo in one.by_photo
    )
    return replace(scores[0], by_photo=tuple(rows))


def _draw_grid(
    colorings: Sequence[Callable[..., Image]],
    labels: Sequence[str],
    paths: Sequence[Path],
    target: Path,
    count: int = 16,
) -> None:
    """Photos spread evenly over ``paths``, neither the best nor the worst picked."""
    from colorlab.metrics import gray_of
    from colorlab.photos.files import open_photo
    from colorlab.show import TITLES, photo_grid

    count = min(count, len(paths))
    truths = [open_photo(paths[i * len(paths) // count]) for i in range(count)]
    grays = [gray_of(truth) for truth in truths]
    rows = [
        (gray, *(colorize(gray) for colorize in colorings), truth)
        for gray, truth in zip(grays, truths, strict=True)
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    several = len(labels) > 1
    titles = (TITLES[0], *map(wrapped, labels), TITLES[2]) if several else TITLES
    photo_grid(rows, titles, across=1 if several else 2, width=11).savefig(target, dpi=90)


def _told_apart(inputs: Sequence[str], named: str | None) -> tuple[str | None, list[Path]]:
    """The folder of photos, if one is named, and the weights."""
    is_file = [name.endswith(WEIGHTS) and not Path(name).is_dir() for name in inputs]
    folders = [name for name, file in zip(inputs, is_file, strict=True) if not file]
    files = [Path(name) for name, file in zip(inputs, is_file, strict=True) if file]
    if len(folders) > 1:
        raise ValueError(
            f"{folders[0]} and {folders[1]}: photos of one folder are scored at a time; name one. "
            f"Weights are files that end in {WEIGHTS}"
        )
    if named and files:
        raise ValueError(
            f"{files[0]} was named and --weights too; leave --weights out, and name all weights "
            "one after the other, the one to compare with first"
        )
    for number, file in enumerate(files):
        if file.resolve() in [other.resolve() for other in files[:number]]:
            raise ValueError(f"{file} is named twice; name each weights file once")
    return next(iter(folders), None), [Path(named)] if named else files


def _require_hints(colorizers: Sequence[Colorizer], files: Sequence[Path]) -> None:
    for colorizer, file in zip(colorizers, files, strict=True):
        if not getattr(colorizer, "takes_hints", False):
            raise ValueError(
                f"{'these weights' if len(files) == 1 else file} were trained without hints; leave "
                "--hints out, or name weights of a recipe that learns to take hints"
            )


def _check_targets(options: argparse.Namespace, folder: str | None) -> None:
    """Refuse what can't be written, before minutes are spent on scores."""
    for target in filter(None, (options.csv, options.table)):
        check_writable(Path(target))
        Path(target).parent.mkdir(parents=True, exist_ok=True)
    if options.grid:
        _check_grid(Path(options.grid))
    if options.gallery:
        check_gallery(Path(options.gallery), folder)


def _check_grid(target: Path) -> None:
    from matplotlib.figure import Figure

    kinds = sorted(Figure().canvas.get_supported_filetypes())
    if target.suffix.lower().removeprefix(".") not in kinds:
        raise ValueError(f"{target}: can't write {target.suffix}; use one of .{', .'.join(kinds)}")
    if target.is_dir():
        raise ValueError(f"{target} is a folder; name a file in it")
