"""Many photos colored in one go: files and whole folders in, colored copies out.

Nothing is ever overwritten unless told, and one bad file does not stop the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from colorlab.colorize import Colorizer
from colorlab.photo_files import SUFFIXES, PhotoError, list_photos

# Written as the file came, where Pillow can write it without an argument about what is lost.
KEPT_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
NO_ALPHA = frozenset({".jpg", ".jpeg", ".bmp"})


@dataclass(frozen=True)
class Outcome:
    """What became of one photo; ``problem`` is None where ``target`` was written."""

    source: Path
    target: Path
    problem: str | None = None


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
        ValueError: two photos that would be written to the same file, or several photos and an
            ``output`` that names a file.
    """
    out = Path(output)
    names_a_file = out.suffix.lower() in SUFFIXES and not out.is_dir()
    if names_a_file and out.suffix.lower() not in KEPT_SUFFIXES:
        raise ValueError(
            f"{out}: can't write {out.suffix}; use one of {', '.join(sorted(KEPT_SUFFIXES))}"
        )
    pairs: list[tuple[Path, Path]] = []
    for given in map(Path, inputs):
        if given.is_dir():
            for name in list_photos(given):
                # Copies from an earlier run may lie inside the folder: leave them out.
                if out.resolve() not in (given / name).resolve().parents:
                    pairs.append((given / name, out / _writable(Path(name))))
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
) -> Iterator[Outcome]:
    """Color photo after photo; yields each one's outcome as it is reached.

    Raises as :func:`plan` does, before anything is written.
    """
    for source, target in plan(inputs, output):
        try:
            if target.exists() and target.resolve() == source.resolve():
                raise PhotoError(f"{target} is the photo itself; choose another output")
            if target.exists() and not overwrite:
                raise PhotoError(f"{target} exists and was left alone (--overwrite replaces it)")
            write_photo(colorizer.colorize(source, saturation), target)
        except (PhotoError, OSError, MemoryError) as error:
            problem = str(error) or f"{source}: {type(error).__name__}"
            yield Outcome(source, target, problem)
        else:
            yield Outcome(source, target)


def write_photo(image: Image.Image, target: Path) -> None:
    """Write a picture beside its name and rename it, so that no half-written file is left.

    Raises:
        PhotoError: the picture has alpha and the format can't hold it.
        OSError: the disk is full, the folder can't be written.
    """
    suffix = target.suffix.lower()
    if image.mode == "RGBA" and suffix in NO_ALPHA:
        raise PhotoError(f"{target}: {suffix} can't hold transparency; write it as .png or .webp")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        image.save(aside, **({"quality": 95, "subsampling": 0} if suffix.startswith(".jp") else {}))
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def _writable(name: Path) -> Path:
    return name if name.suffix.lower() in KEPT_SUFFIXES else name.with_suffix(".png")
