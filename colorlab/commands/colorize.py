"""``colorlab colorize``: many photos colored in one go: files and whole folders in, colored copies
out.

Nothing is ever overwritten unless told, and one bad file does not stop the rest.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from colorlab.atomic import write_whole
from colorlab.commands.options import add_weights, device
from colorlab.photos.carried import Carried, carried
from colorlab.photos.files import SUFFIXES, PhotoError, list_photos
from colorlab.photos.writing import DEEP, NO_ALPHA, encode

if TYPE_CHECKING:
    from colorlab.colorize import Colorizer
    from colorlab.hints import Hint

# Written as the file came, where Pillow can write it without an argument about what is lost.
KEPT_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN", help="photos or folders of photos")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="a folder; for one photo also a file"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--saturation", type=float, default=1.0, help="1 is as predicted")
    parser.add_argument(
        "--seed", type=int, default=0, help="another coloring, for weights trained with noise"
    )
    parser.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y,COLOR",
        help="this color here, such as 420,310,#a02020; may be given again and again",
    )
    parser.add_argument("--hints", metavar="FILE", help="the same from a JSON file")
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="from 0 (the likeliest colors) to 1 (the mean of all likely ones)",
    )
    parser.add_argument(
        "--strip",
        action="store_true",
        help="leave out what the photo carries: date, place, camera, caption, resolution",
    )
    parser.add_argument(
        "--no-mark", action="store_true", help="don't note in the copy that its colors are made"
    )
    add_weights(parser)


def run(options: argparse.Namespace) -> int:
    plan(options.inputs, options.output)  # a wrong name is told before the weights are loaded
    from colorlab import hints
    from colorlab.colorize import Colorizer

    wanted = hints.read(options.hints) if options.hints else []
    wanted += map(hints.parse, options.hint)

    colorizer = Colorizer.load(options.weights, device(options.device))
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
        strip=options.strip,
        mark=not options.no_mark,
    ):
        for note in outcome.notes:
            print(f"note: {note}", file=sys.stderr)
        if outcome.problem is None:
            done += 1
            print(f"{outcome.source} -> {outcome.target}")
        else:
            failed += 1
            print(f"not colored: {outcome.problem}", file=sys.stderr)
    print(f"{done} colored, {failed} not")
    return 1 if failed else 0


@dataclass(frozen=True)
class Outcome:
    """What became of one photo; ``problem`` is None where ``target`` was written. ``notes``: what
    was odd about the photo, or is lost in the copy."""

    source: Path
    target: Path
    problem: str | None = None
    notes: tuple[str, ...] = ()


def plan(
    inputs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]
) -> list[tuple[Path, Path]]:
    """Pairs (photo, where its colored copy goes).

    One file goes to ``output`` itself if that is named like a photo, else into the folder
    ``output``; a folder's photos go below ``output`` as they lay below the folder. Copies keep the
    format of their photo, or become PNG where it can't be written (GIF).

    Raises:
        FileNotFoundError: an input that is not there.
        PhotoError: a folder without a photo.
        ValueError: two photos that would be written to the same file, several photos or a folder
            and an ``output`` that names a file, or an ``output`` that can't be a folder.
    """
    out = Path(output)
    names_a_file = out.suffix.lower() in SUFFIXES and not out.is_dir()
    if names_a_file and out.suffix.lower() not in KEPT_SUFFIXES:
        raise ValueError(
            f"{out}: can't write {out.suffix}; use one of {', '.join(sorted(KEPT_SUFFIXES))}"
        )
    if out.is_file() and not names_a_file:
        raise ValueError(f"{out} is a file, and a folder is needed to put the photos into")
    pairs: list[tuple[Path, Path]] = []
    for given in map(Path, inputs):
        if given.is_dir():
            if names_a_file:
                raise ValueError(f"{given} is a folder and {out} one file; name a folder for it")
            names = list_photos(given)
            if given.resolve() in out.resolve().parents:
                # Copies from an earlier run may lie inside the folder: leave them out.
                names = [n for n in names if out.resolve() not in (given / n).resolve().parents]
            if not names:
                raise PhotoError(f"there is no photo in {given} besides those in {out}")
            pairs += [(given / name, out / _writable(Path(name))) for name in names]
        elif given.exists():
            pairs.append((given, out if names_a_file else out / _writable(Path(given.name))))
        else:
            raise FileNotFoundError(f"there is no file or folder {given}")
    if names_a_file and len(pairs) > 1:
        raise ValueError(f"{len(pairs)} photos can't all go to the one file {out}; name a folder")
    taken: dict[Path, Path] = {}
    for source, target in pairs:
        if target in taken:
            raise ValueError(
                f"{taken[target]} and {source} would both be written to {target}; color them in "
                f"separate runs, to separate folders"
            )
        taken[target] = source
    return pairs


def colorize_album(
    colorizer: Colorizer,
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    saturation: float = 1.0,
    seed: int = 0,
    hints: Sequence[Hint] = (),
    temperature: float | None = None,
    strip: bool = False,
    mark: bool = True,
) -> Iterator[Outcome]:
    """Color photo after photo; yields each one's outcome as it is reached.

    A copy holds what its photo carried (see :mod:`colorlab.photos.carried`), without it with
    ``strip``; and with ``mark`` a note in XMP that the colors are made. A photo of 16 bits gives a
    copy of 16 bits where the format has them. One with transparency becomes PNG where the format
    that it had can't hold it, unless ``output`` names the file.

    Raises as :func:`plan` does, before anything is written; ValueError also for hints with several
    photos, since their places belong to one.
    """
    pairs = plan(inputs, output)
    if hints and len(pairs) > 1:
        raise ValueError(
            f"hints are places in one photo, and {len(pairs)} photos are named; color that one by "
            f"itself"
        )
    how: dict[str, Any] = {"hints": hints, "temperature": temperature}
    named = len(pairs) == 1 and pairs[0][1] == Path(output)
    for source, target in pairs:
        notes: list[str] = []
        try:
            _check_free(source, target, overwrite)
            what = carried(source)
            deep = {"depth": 16} if what.depth > 8 and target.suffix.lower() in DEEP else {}
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                picture = colorizer.colorize(source, saturation, seed, **how, **deep)
            notes += [str(warning.message) for warning in told]
            if _has_alpha(picture) and target.suffix.lower() in NO_ALPHA and not named:
                target = target.with_suffix(".png")
                _check_free(source, target, overwrite)
            lost = write_photo(picture, target, what, strip=strip, mark=mark)
            notes += [f"{source}: {words}" for words in lost]
        except PhotoError as error:
            yield Outcome(source, target, str(error), tuple(notes))
        except OSError as error:  # from writing; one from reading is a PhotoError by now
            yield Outcome(source, target, f"{target}: {error.strerror or error}", tuple(notes))
        except MemoryError:
            yield Outcome(source, target, f"{source}: too large for this machine's memory")
        else:
            yield Outcome(source, target, notes=tuple(notes))


def _check_free(source: Path, target: Path, overwrite: bool) -> None:
    if target.exists() and target.resolve() == source.resolve():
        raise PhotoError(f"{target} is the photo itself; choose another output")
    if target.exists() and not overwrite:
        raise PhotoError(f"{target} exists and was left alone (--overwrite replaces it)")


def _has_alpha(picture: Image.Image | np.ndarray) -> bool:
    return picture.shape[2] == 4 if isinstance(picture, np.ndarray) else picture.mode == "RGBA"


def write_photo(
    picture: Image.Image | np.ndarray,
    target: Path,
    what: Carried | None = None,
    *,
    strip: bool = False,
    mark: bool = False,
) -> list[str]:
    """Write a picture beside its name and rename it, so that no half-written file is left.

    Args:
        picture: mode RGB or RGBA; or uint16 ``(H, W, 3)`` or ``(H, W, 4)``.
        target: its suffix is the format.
        what: what the photo carried and is to go along; None: nothing is.
        strip: leave out what tells of the photo.
        mark: note that the colors are made.

    Returns:
        What of the photo is lost, in words.

    Raises:
        PhotoError: the format can't hold the picture's alpha, or that many rows or columns.
        OSError: the disk is full, the folder can't be written.
    """
    suffix = target.suffix.lower()
    if _has_alpha(picture) and suffix in NO_ALPHA:
        raise PhotoError(f"{target}: {suffix} can't hold transparency; write it as .png or .webp")
    target.parent.mkdir(parents=True, exist_ok=True)
    if what is not None and strip:
        what = Carried(depth=what.depth, lossless=what.lossless, frames=what.frames)
    # Encoded in memory, written by Python: Pillow's own writing to a file takes a JPEG cut short by
    # a full disk for a whole one.
    try:
        encoded, lost = encode(picture, suffix, what, mark)
    except ValueError as error:
        raise PhotoError(f"{target}: {error}") from error
    write_whole(target, [encoded])
    if what is not None and what.frames > 1:
        lost.append(f"it holds {what.frames} pages or frames, of which the first was colored")
    if what is not None and what.depth > 8 and suffix not in DEEP:
        lost.append(f"its {what.depth} bits became 8, as {suffix} holds no more; .png does")
    return lost


def _writable(name: Path) -> Path:
    return name if name.suffix.lower() in KEPT_SUFFIXES else name.with_suffix(".png")
