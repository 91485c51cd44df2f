"""``colorlab train``: what it asks of the user's own photos before, the run, and how it ended."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from colorlab.commands.options import device, positive, within
from colorlab.photos.exclusions import FILE_NAME
from colorlab.photos.files import PhotoError, is_passing, read_photo
from colorlab.recipes.fields import Range, range_of
from colorlab.recipes.recipe import Recipe, Stage

if TYPE_CHECKING:
    from colorlab.photos.arrays import LabArrays
    from colorlab.photos.pairs import PairedFolder

_TRAIN = 20_000
_LOOKED_AT = 16


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab train``."""
    parser.add_argument("--recipe", required=True, help="a preset's name, or a .json file")
    photos = parser.add_mutually_exclusive_group()
    photos.add_argument(
        "--data",
        nargs="+",
        metavar="DIR",
        help="folders of photos, or one that was packed (default: the bundled ones)",
    )
    photos.add_argument(
        "--pairs", nargs=2, metavar=("GRAY", "COLOR"), help="two folders, matched by name"
    )
    photos.add_argument(
        "--arrays",
        metavar="DIR",
        help="l/gray_scale.npy and ab/ab*.npy; the first 20,000 train, or nine tenths of fewer",
    )
    photos.add_argument(
        "--source", nargs="+", metavar="NAME", help="named sets, see colorlab download --list"
    )
    parser.add_argument(
        "--validation", metavar="DIR", help="photos never learned from (default: bundled)"
    )
    parser.add_argument("--output", "-o", metavar="DIR", help="default: runs/RECIPE")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    parser.add_argument(
        "--from", dest="start", metavar="FILE", help="weights to start the generator from"
    )
    length = parser.add_mutually_exclusive_group()
    steps = within(range_of(Stage, "steps"))
    length.add_argument("--steps", type=steps, help="so many steps in all, not the recipe's")
    length.add_argument("--epochs", type=positive, help="so many times all photos")
    for option, owner, field, about in (
        ("--image-size", Stage, "image_size", "pixels, not the recipe's"),
        ("--batch-size", Stage, "batch_size", "of all processes together"),
        ("--seed", Recipe, "seed", "of all random numbers, not the recipe's"),
    ):
        limit = range_of(owner, field)
        parser.add_argument(option, type=within(limit), metavar="N", help=f"{about}; {limit}")
    threads = within(Range(1, 256))
    parser.add_argument("--threads", type=threads, default=2, help="that read photos")
    parser.add_argument("--sample-every", type=positive, default=250, metavar="STEPS")
    parser.add_argument(
        "--checkpoint-every", type=positive, metavar="STEPS", help="default: every 5 minutes"
    )
    parser.add_argument("--keep", type=positive, default=3, help="checkpoints to keep (default: 3)")
    parser.add_argument("--mirror", metavar="DIR", help="a second place for checkpoints; may fail")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--tensorboard", metavar="DIR", help="also write there for TensorBoard")
    parser.add_argument("--device", help="cpu, cuda, mps (default: the fastest there is)")


def run(options: argparse.Namespace) -> int:
    """Train a recipe; returns 0, or 128 + the signal that stopped it.

    Raises:
        OSError: the run is at its end, and its weights could not be written.
    """
    from colorlab.training import processes
    from colorlab.training.listeners import TensorBoard
    from colorlab.training.questions import ask_in_terminal
    from colorlab.training.run import Run

    recipe = chosen_recipe(options)
    photos, validation = _photos(options)
    if options.epochs:
        batch = max(stage.batch_size for stage in recipe.stages)
        steps = max(options.epochs * len(photos) // batch, len(recipe.stages))
        with refusals_begin_with(f"--epochs {options.epochs}"):
            recipe = recipe.with_steps(steps)
    output = options.output or Path("runs") / recipe.name
    check_output(output, folders := folders_of(photos, validation))
    with audit_named(folders):
        run = Run(
            recipe,
            photos,
            validation=validation,
            output=output,
            resume=options.resume,
            start=options.start,
            device=options.device,
            compile=options.compile,
            threads=options.threads,
            sample_every=options.sample_every,
            checkpoint_every=options.checkpoint_every,
            keep=options.keep,
            mirror=options.mirror,
            listeners=[TensorBoard(options.tensorboard)] if options.tensorboard else [],
            ask=ask_in_terminal,
        )
        run.train()
    processes.leave()
    if run.is_main and run.step == recipe.steps and run.state == "stopped":
        raise OSError(
            f"the run is at its end, but {run.output} could not take its weights; make room there, "
            f"and the same command with --resume goes on from the last checkpoint"
        )
    if run.is_main and run.state == "stopped":
        print(f"stopped after step {run.step}; the same command with --resume goes on from there")
    elif run.is_main:
        print(f"weights, checkpoints, samples and history are in {run.output}")
    return 0 if run.signal is None else 128 + run.signal


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe as the options change it.

    Raises:
        ValueError: it can't be trained; the message names the options and the field.
    """
    from colorlab.recipes.fit import refuse_misfits
    from colorlab.recipes.presets import get

    recipe = get(options.recipe)
    changes = {
        "--image-size": (options.image_size, Recipe.with_size),
        "--batch-size": (options.batch_size, Recipe.with_batch),
        "--steps": (options.steps, Recipe.with_steps),
        "--seed": (options.seed, Recipe.with_seed),
    }
    words = f"--recipe {quote(options.recipe)}"
    for option, (value, change) in changes.items():
        if value is not None:
            words += f" {option} {value}"
            with refusals_begin_with(words):
                recipe = change(recipe, value)
    where = device(options.device)
    with refusals_begin_with(words):
        refuse_misfits(recipe, where)
    return recipe


@contextmanager
def refusals_begin_with(words: str) -> Iterator[None]:
    """Let a refusal begin with the options that led to it.

    Raises:
        ValueError: the refusal, in longer words.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{words}: {error}") from error


def _photos(options: argparse.Namespace) -> tuple[Any, Any]:
    """Training photos and held-out ones: a wrong name is refused before a run is begun."""
    from colorlab import sources
    from colorlab.training.feed import data_set

    if options.arrays:
        held_out = lab_arrays(options.validation or options.arrays, "test")
        return lab_arrays(options.arrays, "train"), held_out
    if options.pairs:
        if options.validation:
            raise ValueError("--pairs holds out a tenth of its own photos; leave out --validation")
        parts = pairs(*options.pairs).split({"train": 0.9, "val": 0.1})
        return parts["train"], parts["val"]
    if options.source and options.source != ["bundled"]:
        return _sources(options)
    folder = sources.data_dir() / "photos"
    check_splits(options.data or [])
    photos = data_set(options.data or folder / "train")
    if options.data:
        warn_of_gray(getattr(photos, "paths", ()))
    return photos, data_set(options.validation or folder / "val")


def _sources(options: argparse.Namespace) -> tuple[Any, Any]:
    """Named sets, with their own held-out part, or a tenth where they have none."""
    from colorlab import sources
    from colorlab.photos.folder import PhotoFolder
    from colorlab.sources.catalog import find

    if options.validation:
        raise ValueError("--source holds out some of its own photos; leave out --validation")
    names = list(dict.fromkeys(options.source))
    layouts = {name: find(name).layout for name in names}
    if list(layouts.values()) == ["split"]:
        return sources.get(names[0]), sources.get(names[0], part="val")
    others = [name for name in names if layouts[name] not in ("photos", "split")]
    if others and len(names) > 1:
        raise ValueError(
            f"{others[0]} holds {layouts[others[0]]} and can't be mixed with other sets; "
            "name only that one with --source"
        )
    if others:
        photos = sources.get(names[0])
    else:
        sets = [sources.get(name) for name in names]
        photos = PhotoFolder([folder for photos in sets for folder in photos.folders])
    parts = photos.split({"train": 0.9, "val": 0.1})
    return parts["train"], parts["val"]


def warn_of_gray(paths: Sequence[Path]) -> None:
    """Say so where up to 16 photos, spread over the set, are all gray."""
    count = min(_LOOKED_AT, len(paths))
    looks = {_is_gray(paths[i * len(paths) // count]) for i in range(count)}
    if True in looks and False not in looks:
        print(
            f"colorlab: all {count} photos that were looked at are gray, and gray is all that can "
            "be learned from them; name a folder of color photos",
            file=sys.stderr,
        )


def lab_arrays(folder: str | os.PathLike[str], part: str) -> LabArrays:
    """The first 20,000 photos of the arrays in ``folder`` to train on, as ``LabArrays`` has them.

    Of fewer, nine tenths: the rest is the part "test".
    """
    from colorlab.photos.arrays import LabArrays

    total = len(LabArrays(folder, part="all"))
    return LabArrays(folder, part=part, train=min(_TRAIN, max(1, total * 9 // 10)))


def folders_of(*sets: Any) -> list[Path]:
    """The folders that the photos of these data sets lie in; none for packs and arrays."""
    found = [getattr(photos, name, ()) for photos in sets for name in ("folders", "gray", "color")]
    return [
        Path(f) for some in found for f in (some if isinstance(some, (list, tuple)) else [some])
    ]


def check_output(output: str | os.PathLike[str], folders: list[Path]) -> None:
    """Refuse an output folder that lies in a folder of the run's photos.

    Raises:
        ValueError: the run would write there.
    """
    inside = Path(output).resolve()
    for folder in folders:
        if folder.resolve() in (inside, *inside.parents):
            raise ValueError(
                f"the run's output {output} lies in the folder of photos {folder}, where its "
                "sample pictures would be taken for photos; name a folder elsewhere with -o"
            )


def check_splits(folders: Sequence[str]) -> None:
    """Say so where one folder is named that holds a training part beside others."""
    from colorlab.audit.search import SPLITS

    for folder in map(Path, folders):
        others = [part for part in SPLITS if part != "train" and (folder / part).is_dir()]
        if others and (folder / "train").is_dir():
            print(
                f"colorlab: {folder} holds train beside {' and '.join(others)}, and all of it is "
                f"learned from; to hold out: --data {quote(str(folder / 'train'))} --validation "
                f"{quote(str(folder / others[0]))}",
                file=sys.stderr,
            )


def pairs(gray: str | os.PathLike[str], color: str | os.PathLike[str]) -> PairedFolder:
    """Gray and color photos in two folders.

    Raises:
        ValueError: up to 16 photos, spread over the set, show that the two are swapped; and what
            ``PairedFolder`` raises.
    """
    from colorlab.photos.pairs import PairedFolder

    found = PairedFolder(gray, color)
    count = min(_LOOKED_AT, len(found))
    some = [found.pairs[i * len(found) // count] for i in range(count)]
    grays, colors = ([_is_gray(path) for path in side] for side in zip(*some, strict=True))
    if set(colors) <= {True, None} and True in colors and False in grays:
        raise ValueError(
            f"the color photos in {color} are gray, and the gray ones in {gray} are not: are the "
            f"two folders swapped? Try --pairs {quote(str(color))} {quote(str(gray))}"
        )
    return found


def _is_gray(path: Path) -> bool | None:
    """Whether R, G and B agree within 2 levels, on the mean; None for a photo that can't be read,
    which is reported when it is learned from."""
    try:
        picture = np.asarray(read_photo(path, short_side=64)[0]).astype(np.int16)
    except PhotoError:
        return None
    return bool(np.ptp(picture, axis=-1).mean() <= 2)


@contextmanager
def audit_named(folders: list[Path]) -> Iterator[None]:
    """Add to the error of a photo that can't be read how to find all such photos of its folder.

    Raises:
        PhotoError: the one of the block, with that advice.
    """
    try:
        yield
    except PhotoError as error:
        inside = [f for f in folders if str(error).startswith(_prefix(f))]
        if error.__cause__ is None or not inside:  # no file failed; or it lies in a pack
            raise
        if is_passing(error.__cause__):  # the audit lists no photo that may be good the next time
            listed = inside[0] / FILE_NAME
            raise PhotoError(f"{error} To leave it out, write its name into {listed}.") from error
        command = f"colorlab audit {quote(str(inside[0]))} --exclude"
        raise PhotoError(
            f"{error} To leave out all such photos: `{command}` lists them, and training leaves "
            "out what is listed."
        ) from error


def _prefix(folder: Path) -> str:
    return "" if folder == Path() else f"{folder}{os.sep}"
