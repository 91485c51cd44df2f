"""``colorlab colorize``: many photos colored in one go: files and whole folders in, colored copies
out.

Nothing is ever overwritten without --overwrite, and one bad file does not stop the rest.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from colorlab.atomic import write_whole
from colorlab.commands.clip import (
    VIDEOS,
    check_target,
    color_clip_file,
    frames_in_order,
    is_clip,
    is_video,
)
from colorlab.commands.options import add_weights, device
from colorlab.photos.carried import Carried, carried
from colorlab.photos.files import OTHER_PICTURES, SUFFIXES, PhotoError, look_into
from colorlab.photos.writing import DEEP, NO_ALPHA, encode
from colorlab.progress import progress_bar

if TYPE_CHECKING:
    from colorlab.colorize import Colorizer
    from colorlab.hints import Hint

# Written as the file came, where Pillow can write it without an argument about what is lost.
KEPT_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab colorize``."""
    parser.add_argument(
        "inputs", nargs="+", metavar="IN", help="photos, folders of photos, animations, videos"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="a folder; for one photo also a file"
    )
    parser.add_argument(
        "--clip",
        action="store_true",
        help="IN is a folder of frames, in the order of their numbers",
    )
    parser.add_argument(
        "--no-steady", action="store_true", help="color each frame of a clip by itself"
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
        help="this color here, such as 420,310,#a02020; may be repeated; in a clip it is a place "
        "of the first frame, followed until it is hidden or a cut comes",
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
    """Color the photos; returns 1 if one of them could not be colored, else 0."""
    # A wrong name is refused before the weights are loaded.
    found = plan(options.inputs, options.output)
    from colorlab import hints
    from colorlab.colorize import Colorizer

    wanted = hints.read(options.hints) if options.hints else []
    wanted += map(hints.parse, options.hint)

    colorizer = Colorizer.load(options.weights, device(options.device))
    outcomes = colorize_album(
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
        clip=options.clip,
        steady=not options.no_steady,
    )
    return _report(outcomes, len(found.pairs), found.is_album)


def _report(outcomes: Iterator[Outcome], total: int, is_album: bool) -> int:
    """Tell each outcome as it is reached, and all of them in a line; the exit status."""
    count: Counter[str] = Counter()
    with progress_bar(total, "photo", visible=sys.stderr.isatty(), delay=2) as bar:
        for outcome in outcomes:
            for note in outcome.notes:
                bar.write(f"note: {note}", file=sys.stderr)
            # What an earlier run of the same album wrote is as good as written by this one.
            kind = "not" if outcome.kind == "there already" and not is_album else outcome.kind
            count[kind] += 1
            if outcome.problem is None:
                bar.write(f"{outcome.source} -> {outcome.target}", file=sys.stdout)
            elif kind == "not":
                bar.write(f"not colored: {outcome.problem}", file=sys.stderr)
            else:
                bar.write(f"{kind}: {outcome.problem}", file=sys.stderr)
            bar.update(outcome.kind != "left out")
    more = [f"{count[kind]} {kind}" for kind in ("there already", "left out") if count[kind]]
    print(", ".join([f"{count['colored']} colored", f"{count['not']} not", *more]))
    return 1 if count["not"] else 0


@dataclass(frozen=True)
class Outcome:
    """What became of one photo; ``problem`` is None where ``target`` was written.

    ``kind``: "colored"; "not"; "there already", for a target that was left alone; "left out", for a
    picture of a kind that is not read. ``notes``: what was odd about the photo, or is lost in the
    copy."""

    source: Path
    target: Path
    problem: str | None = None
    notes: tuple[str, ...] = ()
    kind: str = "colored"


class Plan(NamedTuple):
    """What is to be colored.

    Attributes:
        pairs: each photo, and where its colored copy goes.
        left_out: what is not colored and why, as far as it is known before.
        is_album: whether a folder or several photos were named.
        is_named: whether the file to write was named.
    """

    pairs: list[tuple[Path, Path]]
    left_out: list[Outcome]
    is_album: bool
    is_named: bool


def plan(inputs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]) -> Plan:
    """What is to be colored, and where to.

    One file goes to ``output`` itself if that is named like a photo, else into the folder
    ``output``; a folder's photos go below ``output`` as they lay below the folder. Copies keep the
    format of their photo, or become PNG where it can't be written well (GIF).

    Raises:
        FileNotFoundError: an input that is not there.
        PhotoError: a folder without a photo.
        ValueError: two photos of one name from different folders, several photos or a folder and an
            ``output`` that names a file, or an ``output`` that can't be written or can't hold it.
    """
    out = Path(output)
    is_named = out.suffix.lower() in SUFFIXES | OTHER_PICTURES | VIDEOS and not out.is_dir()
    _check_output(out, is_named)
    sources: list[tuple[Path, Path]] = []  # (photo, its name below the output)
    left_out: list[Outcome] = []
    for named in map(Path, inputs):
        if named.is_dir():
            if is_named:
                raise ValueError(f"{named} is a folder and {out} one file; name a folder for it")
            photos, closed = _photos_in(named, out)
            sources += photos
            left_out += closed
        elif named.exists():
            sources.append((named, Path(named.name)))
        else:
            raise FileNotFoundError(f"there is no file or folder {named}")
    if is_named and len(sources) > 1:
        raise ValueError(f"{len(sources)} photos can't all go to the one file {out}; name a folder")
    if is_named:
        check_target(sources[0][0], out)
    pairs = [(sources[0][0], out)] if is_named else _apart(sources, out)
    is_album = len(pairs) > 1 or any(map(os.path.isdir, inputs))
    return Plan(pairs, left_out, is_album, is_named)


def _check_output(out: Path, is_named: bool) -> None:
    known = KEPT_SUFFIXES | VIDEOS | {".gif"}
    if is_named and out.suffix.lower() not in known:
        raise ValueError(f"{out}: can't write {out.suffix}; use one of {', '.join(sorted(known))}")
    if out.is_file() and not is_named:
        raise ValueError(f"{out} is a file, and a folder is needed to put the photos into")
    for folder in out.parents:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{out} can't be written, as {folder} is a file; name another place")


def _photos_in(folder: Path, out: Path) -> tuple[list[tuple[Path, Path]], list[Outcome]]:
    """A folder's photos with their names below it, and what of it is not colored."""
    found = look_into(folder)
    names = found.photos
    if folder.resolve() in out.resolve().parents:
        # Copies from an earlier run may lie inside the folder: leave them out.
        names = [n for n in names if out.resolve() not in (folder / n).resolve().parents]
    if not names:
        raise PhotoError(f"there is no photo in {folder} besides those in {out}")
    others = [
        Outcome(folder / name, out, f"{folder / name} ({_UNREAD})", kind="left out")
        for name in found.others
    ]
    closed = [
        Outcome(folder / name, out, f"{folder / name} can't be read ({error.strerror})", kind="not")
        for name, error in found.closed.items()
    ]
    return [(folder / name, Path(name)) for name in names], others + closed


def _apart(sources: list[tuple[Path, Path]], out: Path) -> list[tuple[Path, Path]]:
    """A target for each photo, no two alike: of two that would become one PNG, the second keeps the
    suffix that it had in its name, as in anim.gif.png."""
    taken: dict[Path, Path] = {}
    kept = {out / name: source for source, name in reversed(sources) if _writable(name) == name}
    for source, name in sources:
        target = out / _writable(name)
        if target in taken or kept.get(target, source) != source:
            target = out / f"{name}.png" if _writable(name) != name else target
        if target in taken:
            raise ValueError(
                f"{taken[target]} and {source} would both be written to {target}; color them in "
                f"separate runs, to separate folders"
            )
        taken[target] = source
    return [(source, target) for target, source in taken.items()]


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
    clip: bool = False,
    steady: bool = True,
) -> Iterator[Outcome]:
    """Color photo after photo; yields each one's outcome as it is reached.

    A copy holds what its photo carried (see ``colorlab.photos.carried``), without it with
    ``strip``; and with ``mark`` a note in XMP that the colors are made. A photo of 16 bits gives a
    copy of 16 bits where the format has them. One with transparency becomes PNG where the format
    that it had can't hold it, unless ``output`` names the file. Animated pictures and videos are
    colored frame by frame; with ``clip``, so is the one folder that ``inputs`` names. ``steady``
    carries colors from frame to frame, see ``colorlab.clip``.

    Raises:
        ValueError: hints with several photos, since their places belong to one; and as ``plan``
            and ``frames_in_order``, before anything is written.
        PhotoError: as ``plan``; that of one photo goes into its outcome.
    """
    found = plan(inputs, output)
    pairs = frames_in_order(found.pairs, inputs, overwrite=overwrite) if clip else found.pairs
    if hints and len(pairs) > 1 and not clip:
        raise ValueError(
            f"hints are places in one photo, and {len(found.pairs)} photos are named; color that "
            f"one by itself"
        )
    how: dict[str, Any] = {"hints": hints, "temperature": temperature}
    if clip:
        from colorlab.clip import ClipColorizer

        colorizer = ClipColorizer(colorizer, steady=steady, hints=how.pop("hints"))
    targets = {target for _, target in pairs}
    yield from found.left_out
    for source, target in pairs:
        notes: list[str] = []

        def outcome(problem: str | None, kind: str = "not") -> Outcome:
            return Outcome(source, target, problem, tuple(notes), kind)  # noqa: B023 - used at once

        try:
            if _is_there(source, target) and not overwrite:
                yield outcome(f"{target} {_THERE}", "there already")
                continue
            if not clip and is_clip(source, target):
                lost = color_clip_file(
                    colorizer,
                    source,
                    target,
                    strip=strip,
                    mark=mark,
                    saturation=saturation,
                    seed=seed,
                    steady=steady,
                    **how,
                )
                notes += [f"{source}: {words}" for words in lost]
                yield outcome(None, "colored")
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's; what is broken is told by name
                what = carried(source)
            deep = {"depth": 16} if what.depth > 8 and target.suffix.lower() in DEEP else {}
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                picture = colorizer.colorize(source, saturation, seed, **how, **deep)
            notes += dict.fromkeys(str(warning.message) for warning in caught)
            if _has_alpha(picture) and target.suffix.lower() in NO_ALPHA and not found.is_named:
                other = target.with_suffix(".png")
                target = target.with_name(f"{target.name}.png") if other in targets else other
                if _is_there(source, target) and not overwrite:
                    yield outcome(f"{target} {_THERE}", "there already")
                    continue
            lost = write_photo(picture, target, what, strip=strip, mark=mark)
            notes += [f"{source}: {words}" for words in lost]
        except PhotoError as error:
            yield outcome(str(error))
        except OSError as error:  # from writing; one from reading is a PhotoError by now
            yield outcome(f"{target}: {error.strerror or error}")
        except MemoryError:
            yield outcome(f"{source}: too large for this machine's memory")
        else:
            yield outcome(None, "colored")


_THERE = "exists and was left alone (--overwrite replaces it)"
_UNREAD = "this kind is not read here; save it as JPEG or PNG"


def _is_there(source: Path, target: Path) -> bool:
    """Whether the target exists; raises ``PhotoError`` where it is the photo itself."""
    if target.exists() and target.resolve() == source.resolve():
        raise PhotoError(f"{target} is the photo itself; choose another output")
    return target.exists()


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
    kept = name.suffix.lower() in KEPT_SUFFIXES or is_video(name)
    return name if kept else name.with_suffix(".png")
