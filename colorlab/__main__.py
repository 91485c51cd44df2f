"""The command line: ``colorlab doctor | colorize | train | evaluate | download | audit | pack``."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorlab.colorize import Colorizer

# What is imported only inside a command keeps `colorlab --help` instant.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 done in part, 2 could not start."""
    options = _parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):  # a name that can't be printed is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = partial(_tell, warnings.showwarning)
            _refuse_empty(options)
            return options.run(options)
    except KeyboardInterrupt:
        print("colorlab: stopped", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError, MemoryError) as error:
        message = str(error).strip()
        if message.startswith("Caught "):  # a process that reads photos sends its whole traceback
            message = message.splitlines()[-1].partition(": ")[2]
        print(f"colorlab: {message}", file=sys.stderr)
        return 2


def _tell(usual: Callable[..., None], message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning of ours as one line, without the place in the code; others as usual."""
    if Path(where[1]).is_relative_to(Path(__file__).parent):
        print(f"colorlab: {message}", file=sys.stderr)
    else:
        usual(message, *where, **more)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="colorlab", description="Bring gray photos to color.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="check this machine and say what to do")
    doctor.set_defaults(run=_doctor)

    colorize = commands.add_parser("colorize", help="color photos and folders of photos")
    colorize.add_argument("inputs", nargs="+", metavar="IN", help="photos or folders of photos")
    colorize.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="a folder; for one photo also a file"
    )
    colorize.add_argument("--overwrite", action="store_true", help="replace what is there")
    colorize.add_argument("--saturation", type=float, default=1.0, help="1 is as predicted")
    colorize.add_argument(
        "--seed", type=int, default=0, help="another coloring, for weights trained with noise"
    )
    colorize.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y,COLOR",
        help="this color here, such as 420,310,#a02020; may be given again and again",
    )
    colorize.add_argument("--hints", metavar="FILE", help="the same from a JSON file")
    colorize.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="from 0 (the likeliest colors) to 1 (the mean of all likely ones)",
    )
    _add_weights(colorize)
    colorize.set_defaults(run=_colorize)

    download = commands.add_parser("download", help="fetch a named set of photos")
    download.add_argument("name", nargs="?", metavar="NAME", help="left out: list the sets")
    download.add_argument("--list", action="store_true", help="list the sets, download nothing")
    download.add_argument("--to", metavar="DIR", help="default: $COLORLAB_DOWNLOADS, or a cache")
    download.add_argument(
        "--limit", type=_positive, metavar="N", help="keep N photos, drawn at random"
    )
    download.add_argument("--seed", type=int, default=0, help="that draws them (default: 0)")
    download.set_defaults(run=_download)

    pack = commands.add_parser("pack", help="pack folders of photos into a few large files")
    pack.add_argument("folders", nargs="+", metavar="DIR", help="folders of photos")
    pack.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder")
    pack.add_argument(
        "--size",
        type=_positive,
        metavar="N",
        help="reduce photos to a short side of N pixels, as JPEG of quality 95 or as PNG",
    )
    pack.add_argument(
        "--shard-mb", type=_positive, default=256, metavar="MB", help="of one file (default: 256)"
    )
    pack.set_defaults(run=_pack)

    train = commands.add_parser("train", help="train a recipe on photos")
    train.add_argument("--recipe", required=True, help="a preset's name, or a .json file")
    photos = train.add_mutually_exclusive_group()
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
    train.add_argument(
        "--validation", metavar="DIR", help="photos never learned from (default: bundled)"
    )
    train.add_argument("--output", "-o", metavar="DIR", help="default: runs/RECIPE")
    train.add_argument("--resume", action="store_true", help="go on with the run in --output")
    train.add_argument(
        "--from", dest="start", metavar="FILE", help="weights to start the generator from"
    )
    length = train.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="so many steps in all, not the recipe's")
    length.add_argument("--epochs", type=_positive, help="so many times all photos")
    train.add_argument("--image-size", type=_positive, metavar="N", help="pixels, not the recipe's")
    train.add_argument(
        "--batch-size", type=_positive, metavar="N", help="of all processes together"
    )
    train.add_argument("--threads", type=_positive, default=2, help="that read photos")
    train.add_argument("--sample-every", type=_positive, default=250, metavar="STEPS")
    train.add_argument(
        "--checkpoint-every", type=_positive, metavar="STEPS", help="default: every 5 minutes"
    )
    train.add_argument("--keep", type=_positive, default=3, help="checkpoints to keep (default: 3)")
    train.add_argument("--mirror", metavar="DIR", help="a second place for checkpoints; may fail")
    train.add_argument("--compile", choices=("auto", "on", "off"), default="auto")
    train.add_argument("--tensorboard", metavar="DIR", help="also write there for TensorBoard")
    train.add_argument("--device", help="cpu, cuda, mps (default: the fastest there is)")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="score weights on color photos")
    evaluate.add_argument(
        "folder", nargs="?", metavar="DIR", help="default: the bundled test photos"
    )
    evaluate.add_argument(
        "--grid", metavar="FILE", help="also draw 16 of the photos: gray input, ours, truth"
    )
    evaluate.add_argument("--csv", metavar="FILE", help="also write the figures of each photo")
    evaluate.add_argument(
        "--hints",
        action="store_true",
        help="also color with 1, 5, 10 and 50 true colors given, for weights trained with hints",
    )
    _add_weights(evaluate)
    evaluate.set_defaults(run=_evaluate)

    audit = commands.add_parser(
        "audit",
        help="look for what is wrong with photos before training on them",
        description="Looks for photos that are corrupt, truncated, tiny, gray, toned, or "
        "near-duplicates within and across splits. Nothing is written unless asked for. Exit "
        "status: 0 nothing found, 1 something found, 2 could not start.",
    )
    audit.add_argument(
        "folders",
        nargs="+",
        metavar="DIR",
        help="folders of photos; of a single one, train, val and test in it are splits",
    )
    audit.add_argument(
        "--sheet", metavar="FILE", help="also draw a contact sheet of what was found"
    )
    audit.add_argument(
        "--exclude",
        nargs="?",
        const=True,
        metavar="FILE",
        help="write the list of photos to leave out, which training honors (default: exclude.txt "
        "in each folder)",
    )
    audit.add_argument(
        "--all", action="store_true", help="look at photos too that you left out by hand"
    )
    audit.add_argument("--processes", type=int, metavar="N", help="default: one a core")
    audit.add_argument("--tiny", type=int, metavar="PIXELS", help="shortest side (default: 64)")
    audit.add_argument("--gray", type=float, metavar="CHROMA", help="lowest mean (default: 4)")
    audit.add_argument("--sepia", type=float, metavar="SHARE", help="0 to 1 (default: 0.13)")
    audit.add_argument("--distance", type=int, metavar="BITS", help="of copies (default: 10 of 64)")
    audit.set_defaults(run=_audit)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _refuse_empty(options: argparse.Namespace) -> None:
    """An empty path is the current folder to `Path`, and nobody means that by it."""
    for name, value in vars(options).items():
        if "" in (value if isinstance(value, list) else [value]):
            raise ValueError(f"an empty name was given ({name}); is a shell variable unset?")


def _device(name: str | None) -> str | None:
    """``name``, tried: torch itself answers a device it doesn't have with all kinds of errors."""
    if name is not None:
        import torch

        try:
            torch.zeros(1, device=name).cpu()
        except (RuntimeError, AssertionError) as error:
            why = str(error).splitlines()[0]
            raise ValueError(
                f"device {name!r} can't be used here ({why}); leave --device out, or use cpu"
            ) from error
    return name


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", metavar="FILE", help="default: the starter weights")
    parser.add_argument("--device", help="cpu, cuda, mps (default: the fastest there is)")


def _doctor(_: argparse.Namespace) -> int:
    from colorlab.commands.doctor import examine, report

    findings = examine()
    print(report(findings))
    return 0 if all(finding.ok for finding in findings) else 1


def _colorize(options: argparse.Namespace) -> int:
    from colorlab.commands.colorize import colorize_album, plan

    plan(options.inputs, options.output)  # a wrong name is told before the weights are loaded
    from colorlab import hints
    from colorlab.colorize import Colorizer

    wanted = hints.read(options.hints) if options.hints else []
    wanted += map(hints.parse, options.hint)

    colorizer = Colorizer.load(options.weights, _device(options.device))
    done = failed = 0
    for outcome in colorize_album(
        colorizer,
        options.inputs,
        options.output,
        overwrite=options.overwrite,
        saturation=options.saturation,
        seed=options.seed,
        hints=wanted,
        temperature=options.temperature,
    ):
        if outcome.problem is None:
            done += 1
            print(f"{outcome.source} -> {outcome.target}")
        else:
            failed += 1
            print(f"not colored: {outcome.problem}", file=sys.stderr)
    print(f"{done} colored, {failed} not")
    return 1 if failed else 0


def _download(options: argparse.Namespace) -> int:
    from colorlab import sources

    if options.list or options.name is None:
        print(sources.table())
        return 0
    folder = sources.fetch(options.name, limit=options.limit, into=options.to, seed=options.seed)
    sources.folder(folder)  # says how many photos are there
    return 0


def _pack(options: argparse.Namespace) -> int:
    from colorlab.photos.packed import PackedPhotos, pack

    pack(
        options.folders,
        options.output,
        size=options.size,
        shard_bytes=options.shard_mb * 2**20,
        progress=True,
    )
    photos = PackedPhotos(options.output)
    files = f"{len(photos.shards)} tar file(s)"
    size = sum(path.stat().st_size for path in photos.shards) / 1e6
    reduced = f", reduced to {options.size} pixels" if options.size else ""
    print(f"{len(photos)} photos in {files}, {size:.1f} MB{reduced}: {options.output}")
    return 1 if photos.skipped else 0


def _train(options: argparse.Namespace) -> int:
    from colorlab import recipes
    from colorlab.commands.train import audit_named, check_output, folders_of
    from colorlab.training import processes
    from colorlab.training.listeners import TensorBoard
    from colorlab.training.questions import ask_in_terminal
    from colorlab.training.run import Run

    recipe = recipes.get(options.recipe)
    photos, validation = _photos(options)
    if options.image_size:
        recipe = recipe.with_size(options.image_size)
    if options.batch_size:
        recipe = recipe.with_batch(options.batch_size)
    if options.epochs:
        batch = max(stage.batch_size for stage in recipe.stages)
        recipe = recipe.with_steps(max(options.epochs * len(photos) // batch, len(recipe.stages)))
    elif options.steps is not None:
        recipe = recipe.with_steps(options.steps)
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
            device=_device(options.device),
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


def _photos(options: argparse.Namespace) -> tuple[Any, Any]:
    """Training photos and held-out ones: a wrong name is told before a run is begun."""
    from colorlab import sources
    from colorlab.commands.train import check_splits, lab_arrays, pairs
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
    return photos, data_set(options.validation or folder / "val")


def _sources(options: argparse.Namespace) -> tuple[Any, Any]:
    """Named sets, a tenth of their photos held out."""
    from colorlab import sources
    from colorlab.photos.folder import PhotoFolder
    from colorlab.sources.catalog import find

    if options.validation:
        raise ValueError("--source holds out a tenth of its own photos; leave out --validation")
    names = list(dict.fromkeys(options.source))
    others = [name for name in names if find(name).layout != "photos"]
    if others and len(names) > 1:
        raise ValueError(
            f"{others[0]} holds {find(others[0]).layout} and can't be mixed with other sets; "
            "give --source that one alone"
        )
    if others:
        photos = sources.get(names[0])
    else:
        photos = PhotoFolder([sources.fetch(name) for name in names])
    parts = photos.split({"train": 0.9, "val": 0.1})
    return parts["train"], parts["val"]


def _evaluate(options: argparse.Namespace) -> int:
    from colorlab import sources
    from colorlab.colorize import Colorizer
    from colorlab.metrics import HINT_COUNTS, diversity, evaluate
    from colorlab.photos.folder import PhotoFolder
    from colorlab.scores import row

    if options.folder:
        paths = list(PhotoFolder(options.folder).paths)
    else:
        paths = sources.bundled_photos("test")
    colorizer = Colorizer.load(options.weights, _device(options.device))
    if options.hints and not getattr(colorizer, "takes_hints", False):
        raise ValueError(
            "these weights were trained without hints; leave --hints out, or name weights of a "
            "recipe that learns to take hints with --weights"
        )
    if options.csv:  # a folder that can't be made is told before the minutes of work
        Path(options.csv).parent.mkdir(parents=True, exist_ok=True)
    hints = HINT_COUNTS if options.hints else ()
    scores = evaluate(colorizer.colorize, paths, progress=True, hints=hints)
    print(scores)
    if colorizer.recipe.generator.noise_channels:
        print(row("colorings apart, Lab units", f"{diversity(colorizer, paths):.1f}"))
    if options.csv:
        scores.write_csv(options.csv)
    if options.grid:
        _draw_grid(colorizer, paths, Path(options.grid))
    return 0


def _audit(options: argparse.Namespace) -> int:
    from colorlab.audit.search import audit, split_folders
    from colorlab.commands.audit import check_list, check_sheet, telling

    listed = None if options.exclude is True else options.exclude
    folders = [folder for _, folder, _ in split_folders(options.folders)]
    if options.sheet is not None:
        check_sheet(options.sheet, folders)
    if options.exclude is not None:
        check_list(listed, folders)
    names = ("processes", "tiny", "gray", "sepia", "distance")
    chosen = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    shown = sys.stderr.isatty()
    report = audit(options.folders, progress=shown, exclude=not options.all, **chosen)
    print(report)
    if options.exclude is not None:
        with telling(listed or "a list of photos to leave out"):
            written = report.exclude(listed)
        for path in written if isinstance(written, list) else [written]:
            print(f"list of photos to leave out: {path}")
    if options.sheet is not None:
        from colorlab.commands.colorize import write_photo

        sheet = report.sheet()
        with telling(options.sheet):
            write_photo(sheet, Path(options.sheet))
        print(f"contact sheet: {options.sheet}")
    return 1 if report.findings else 0


def _draw_grid(colorizer: Colorizer, paths: Sequence[Path], target: Path, count: int = 16) -> None:
    """Photos spread evenly over ``paths``, neither the best nor the worst picked."""
    from colorlab.metrics import gray_of
    from colorlab.photos.files import open_photo
    from colorlab.show import photo_grid

    count = min(count, len(paths))
    truths = [open_photo(paths[i * len(paths) // count]) for i in range(count)]
    grays = [gray_of(truth) for truth in truths]
    rows = [(g, colorizer.colorize(g), t) for g, t in zip(grays, truths, strict=True)]
    target.parent.mkdir(parents=True, exist_ok=True)
    photo_grid(rows, across=2, width=11).savefig(target, dpi=90)


if __name__ == "__main__":
    sys.exit(main())
