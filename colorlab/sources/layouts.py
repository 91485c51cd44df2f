"""How a set of photos lies in its folder: plain photos, photos in two folders train and val, gray
and color in two folders, or arrays.

The same rules choose what to unpack of an archive and recognize what a learner's own folder is.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from colorlab.photos.files import SUFFIXES, canonical

if TYPE_CHECKING:
    from colorlab.photos.arrays import LabArrays
    from colorlab.photos.folder import PhotoFolder
    from colorlab.photos.packed import PackedPhotos
    from colorlab.photos.pairs import PairedFolder

LAYOUTS = ("photos", "split", "pairs", "arrays")
PARTS = ("train", "val")
_ARRAY = re.compile(r"gray_scale\.npy|ab\d+\.npy")
_SIDE = re.compile(
    r"(?:(?P<part>train|test|val|valid|validation)[_-]?)?"
    r"(?:(?P<gray>gr[ae]y(?:scale)?|black|bw|b&w)|(?P<color>colou?r(?:ed)?|rgb))s?",
    re.IGNORECASE,
)


def open_set(
    layout: str, folder: Path, part: str = "train"
) -> PhotoFolder | PairedFolder | LabArrays:
    """The set in ``folder`` that lies there in this layout; of pairs, those to train on.

    Args:
        part: "val" for the photos to hold out, which only "split" has.

    Raises:
        ValueError, FileNotFoundError: it doesn't lie so.
    """
    if layout == "arrays":
        from colorlab.photos.arrays import LabArrays

        return LabArrays(folder, part="all")
    if layout == "pairs":
        from colorlab.photos.pairs import PairedFolder

        found = pair_folders(folder)
        if not found:
            raise ValueError(f"{folder} holds no two folders of gray and of color photos.")
        return PairedFolder(*found[_main_part(found)])
    from colorlab.photos.folder import PhotoFolder

    return PhotoFolder(_part_folder(folder, part) if layout == "split" else folder)


def recognize(
    folder: Path,
) -> tuple[str, PhotoFolder | PackedPhotos | PairedFolder | LabArrays, str]:
    """The layout of a folder, its set, and a line that says what was found.

    What ``pack`` made is known by its index, arrays by the names of the files, pairs by the names
    of two folders (``gray`` and ``color``, ``train_black`` and ``train_color``, and the like); all
    else that has photos is photos.
    """
    if not folder.is_dir():
        from colorlab.photos.files import list_photos

        list_photos(folder)  # says what is wrong
    from colorlab.photos.packed import PackedPhotos, is_packed

    if is_packed(folder):
        packed = PackedPhotos(folder)
        return "packed", packed, f"{folder}: {len(packed):,} packed color photos"
    stacks = (path for depth in ("", "*/", "*/*/") for path in folder.glob(depth + "*.npy"))
    if any(_ARRAY.fullmatch(path.name) for path in stacks):
        arrays = open_set("arrays", folder)
        return "arrays", arrays, f"{folder}: Lab arrays of {len(arrays):,} photos"
    if found := pair_folders(folder):
        pairs = open_set("pairs", folder)
        gray, color = (path.relative_to(folder) for path in found[_main_part(found)])
        line = (
            f"{folder}: {len(pairs):,} pairs of a gray photo ({gray}) and a color photo ({color})"
        )
        others = [str(color.relative_to(folder)) for _, color in found.values()]
        others = [name for name in others if name != str(color)]
        return "pairs", pairs, line + (f"; left aside: {', '.join(others)}" if others else "")
    photos = open_set("photos", folder)
    return "photos", photos, f"{folder}: {len(photos):,} color photos"


def pair_folders(root: Path) -> dict[str, tuple[Path, Path]]:
    """Part ("train", "test", ..., "" where names give none) -> its folders of gray and of color.

    They are looked for in ``root``, in ``root``/data, and in the only folder of ``root``.
    """
    inside = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for place in (root, root / "data", *(inside if len(inside) == 1 else ())):
        sides: dict[tuple[str, str], Path] = {}
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.is_dir() and (side := _SIDE.fullmatch(path.name)):
                kind = "gray" if side["gray"] else "color"
                sides.setdefault(((side["part"] or "").lower(), kind), path)
        parts = dict.fromkeys(part for part, _ in sides)
        both = {p: (sides.get((p, "gray")), sides.get((p, "color"))) for p in parts}
        if whole := {part: pair for part, pair in both.items() if all(pair)}:
            return whole
    return {}


def _part_folder(root: Path, part: str) -> Path:
    """The folder ``part`` in ``root``, or in the only folder of ``root`` that has one."""
    found = [path for path in (root / part, *sorted(root.glob(f"*/{part}"))) if path.is_dir()]
    if len(found) != 1:
        raise ValueError(f"{root} holds {len(found)} folders {part}, and one was expected.")
    return found[0]


def _main_part(parts: Iterable[str]) -> str:
    parts = list(parts)
    return next((part for part in ("train", "") if part in parts), parts[0])


# --- what an archive holds -----------------------------------------------------------------------


def items(layout: str, names: Iterable[str]) -> dict[str, list[str]]:
    """The photos among an archive's files: photo -> its files, one or (of a pair) two.

    Of arrays there is one item, with all files: how many photos they hold stands inside them. What
    is no photo, and what other systems add (``__MACOSX``, hidden files), is left out.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=canonical):
        path = PurePosixPath(name)
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
            continue
        if layout == "arrays":
            if _ARRAY.fullmatch(path.name):
                found.setdefault("arrays", []).append(name)
        elif path.suffix.lower() in SUFFIXES:
            key = _pair_key(path) if layout == "pairs" else canonical(name)
            if key is not None and (layout != "split" or _part_of(path)):
                found.setdefault(key, []).append(name)
    if layout == "pairs":
        found = {key: files for key, files in found.items() if len(files) == 2}
    return found


def _pair_key(path: PurePosixPath) -> str | None:
    """What the two files of a pair have in common; None for a photo that lies elsewhere."""
    for depth, part in enumerate(path.parts[:-1]):
        if side := _SIDE.fullmatch(part):
            rest = "/".join(path.parts[depth + 1 :])
            return canonical(f"{(side['part'] or '').lower()}/{rest.removesuffix(path.suffix)}")
    return None


def _part_of(path: PurePosixPath) -> str | None:
    """The part that a photo belongs to; None for one that lies in no part's folder."""
    return next((folder for folder in path.parts[:2] if folder in PARTS), None)


def subset(layout: str, found: dict[str, list[str]], limit: int | None, seed: int) -> list[str]:
    """The files of ``limit`` photos drawn at random by ``seed``.

    Of pairs and of what is split, they are of those to train on.

    Which photos, is decided by their names and the seed only: the same on any machine, and those
    of a smaller limit are among those of a larger one. Arrays can't be drawn from by file, see
    ``thin_arrays``.
    """
    if limit is None or layout == "arrays":
        return [name for files in found.values() for name in files]
    keys = list(found)
    if layout == "pairs":
        main = _main_part(dict.fromkeys(key.partition("/")[0] for key in keys))
        keys = [key for key in keys if key.partition("/")[0] == main]
    if layout == "split":
        keys = [key for key in keys if _part_of(PurePosixPath(key)) == "train"]
    return [name for key in sorted(keys, key=_rank(seed))[:limit] for name in found[key]]


def _rank(seed: int) -> Any:
    def rank(key: str) -> bytes:
        spelled = f"{seed}:{key}".encode(errors="surrogateescape")  # a name need not be UTF-8
        return blake2b(spelled, digest_size=8).digest()

    return rank


def thin_arrays(folder: Path, target: Path, limit: int, seed: int) -> None:
    """Write ``limit`` photos of the arrays in ``folder`` as arrays in the new folder ``target``.

    They are drawn as ``subset`` does.
    """
    import numpy as np

    photos = open_set("arrays", folder)
    chosen = sorted(sorted(photos.names, key=_rank(seed))[:limit])
    numbers = {name: number for number, name in enumerate(photos.names)}
    _, height, width = photos[0].shape
    shapes = {"l/gray_scale.npy": (height, width), "ab/ab1.npy": (height, width, 2)}
    files = {}
    try:
        for name, shape in shapes.items():
            (target / name).parent.mkdir(parents=True)
            files[name] = (target / name).open("wb")
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(chosen), *shape)}
            np.lib.format.write_array_header_1_0(files[name], header)
        for name in chosen:
            lab8 = photos[numbers[name]]
            files["l/gray_scale.npy"].write(lab8[0].numpy().tobytes())
            files["ab/ab1.npy"].write(lab8[1:].movedim(0, -1).contiguous().numpy().tobytes())
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    finally:
        for file in files.values():
            file.close()
