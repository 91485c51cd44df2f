"""Whose notebook it is: what learners hand in, as folders, mail and learning platforms name it.

class/Ada Lovelace/03_unet.ipynb                           a folder for each learner
Lesson 03/Ada Lovelace_1201_assignsubmission_file/….ipynb  Moodle, also as the .zip it gives
mail/Ada Lovelace - 03_unet (1).ipynb                      the learner's name in the file's
Ada Lovelace/03_unet.ipynb                                 a notebook alone: its folder's name
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorlab.course.map import LESSONS

LARGEST = 100 * 2**20  # bytes of a notebook
NOTEBOOKS = "|".join(f"{one.number}_{one.name}" for one in LESSONS)
IN_NAME = re.compile(rf"[\s_.-]*({NOTEBOOKS})[\s_.-]*", re.IGNORECASE)
COPY = re.compile(r"[\s_-]*(\(\d+\)|Copy\d*)$", re.IGNORECASE)  # as browsers and JupyterLab add
MOODLE = re.compile(r"(.+?)_\d+_assignsubmission_")


@dataclass(frozen=True)
class Submission:
    """A notebook and whose it is."""

    learner: str
    path: Path


def find_submissions(paths: Iterable[str | Path], unpacked: Path) -> list[Submission]:
    """The notebooks in files, folders and archives, those of a learner next to each other.

    Args:
        paths: notebooks, folders of them, and .zip files of them.
        unpacked: a folder for what the archives hold.

    Raises:
        FileNotFoundError: nothing stands there, or no notebook is in it.
        ValueError: an archive that can't be read.
    """
    found: dict[Path, Submission] = {}
    for given in map(Path, paths):
        if not given.exists():
            raise FileNotFoundError(f"{given} does not exist")
        folder = _unpack(given, unpacked) if given.suffix.lower() == ".zip" else given
        inside = list(_in_folder(folder)) if folder.is_dir() else [_alone(given)]
        if not inside:
            raise FileNotFoundError(f"{given} holds no notebook (.ipynb)")
        for one in inside:
            found.setdefault(_place(one.path), one)
    return sorted(found.values(), key=lambda one: (one.learner, str(one.path)))


def without_notebook(paths: Iterable[str | Path], found: Iterable[Submission]) -> list[Path]:
    """What lies in these folders, beside the submissions found: empty folders, archives."""
    taken = {_place(one.path) for one in found}
    taken |= {parent for path in taken for parent in path.parents}
    inside = [path for given in map(Path, paths) if given.is_dir() for path in given.iterdir()]
    inside = [path for path in inside if not path.name.startswith(".")]
    return sorted(path for path in inside if _place(path) not in taken)


def _in_folder(top: Path) -> Iterator[Submission]:
    """In a folder the learner is the first folder below it, or stands in the file's name.

    Where each of these folders holds one notebook in several folders of its own, it is a lesson's,
    and they are the learners'.
    """
    below: dict[str, list[Path]] = {}
    for path in sorted(top.rglob("*.ipynb")):
        first, *rest = path.relative_to(top).parts
        if any(part.startswith(".") for part in (first, *rest)):
            continue  # an editor put it there
        if rest:
            below.setdefault(first, []).append(path)
        else:
            yield _alone(path)
    are_lessons = all(_several(top / name, inside) for name, inside in below.items())
    for name, inside in below.items():
        if are_lessons:
            yield from _in_folder(top / name)
        else:
            yield from (Submission(_learner(name), path) for path in inside)


def _several(folder: Path, inside: Sequence[Path]) -> bool:
    """Whether it holds a folder for each learner: platforms say so, or notebooks of one name do."""
    folders = [path.relative_to(folder).parts[0] for path in inside]
    if any(MOODLE.match(name) for name in folders):
        return True
    return max(Counter(path.name for path in inside).values()) > 1


def _alone(path: Path) -> Submission:
    """By the file's name, less what names the lesson; by its folder's where nothing is left."""
    name = COPY.sub("", IN_NAME.sub(" ", _learner(path.stem)).strip())
    return Submission(name or _learner(path.resolve().parent.name), path)


def _learner(name: str) -> str:
    """A name as a platform gave it, without its numbers; what can't be printed as its code."""
    name = found[1] if (found := MOODLE.match(name)) else name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _place(path: Path) -> Path:
    """Where a file stands; a link to the file of somebody else is its owner's all the same."""
    return path.parent.resolve() / path.name


def _unpack(archive: Path, unpacked: Path) -> Path:
    """The archive's notebooks, in a folder of its name."""
    folder = unpacked / str(len(list(unpacked.iterdir()))) / archive.stem
    try:
        with zipfile.ZipFile(archive) as file:
            for one in file.infolist():
                if one.filename.endswith(".ipynb") and one.file_size <= LARGEST:
                    file.extract(one, folder)
                elif one.filename.endswith(".ipynb"):
                    raise ValueError(f"{one.filename} in it is larger than {LARGEST // 2**20} MB")
    except (OSError, RuntimeError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(f"{archive}: {error}; unpack it and name the folder") from None
    folder.mkdir(parents=True, exist_ok=True)
    return folder
