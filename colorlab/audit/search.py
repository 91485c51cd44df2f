"""An audit of a set of photos: what is wrong with it, before a network learns it.

One pass over the files by all cores, each photo decoded once (``measures``), then a search for
near-duplicates among the hashes (``duplicates``). Of each photo some 60 bytes of numbers and its
name are kept, so 100,000 photos need no more room than a few large ones.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from colorlab.audit.duplicates import BITS, Hashes
from colorlab.audit.every_core import on_every_core
from colorlab.audit.measures import BINS, RECORD, UNREADABLE, Problem, measure
from colorlab.audit.report import KINDS, Audit, Finding, Part
from colorlab.photos.exclusions import AUDITED, excluded
from colorlab.photos.files import PhotoError, check_apart, look_into
from colorlab.progress import progress_bar

__all__ = ["KINDS", "Audit", "Finding", "audit"]

SPLITS = ("train", "val", "valid", "validation", "test")
TINY, GRAY, SEPIA, DISTANCE = 64, 4.0, 0.13, 10

VIVID = 2.0  # times the threshold of gray: gray photos saved as JPEG, noisy or tinted, stay below

_LOT = 16  # photos that a process measures at a time

Folder = str | os.PathLike[str]


def audit(
    folders: Folder | Sequence[Folder] | Mapping[str, Folder],
    *,
    processes: int | None = None,
    progress: bool = False,
    tiny: int = TINY,
    gray: float = GRAY,
    sepia: float = SEPIA,
    distance: int = DISTANCE,
    exclude: bool = True,
) -> Audit:
    """Look at every photo of a set and report what is wrong.

    Args:
        folders: a folder; several, taken as one set; or splits, {"train": folder, "val": folder}.
            Of a single folder, subfolders named train, val (valid, validation) and test, two of
            them at least, are taken as splits; photos beside them as one more.
        processes: worker processes; None: one a core; 0: none, the work is done in this process,
            which is quicker for some hundred photos but dies with a file that kills its decoder.
        tiny: photos with a short side below so many pixels are reported.
        gray: photos with a mean Lab chroma below it are, whatever their file's mode; but not if 2 %
            of the photo exceed twice as much, as a green tool on white does.
        sepia: photos that are not gray are if their ``measures.toning`` is below it, 0 to 1: if
            their color is a function of their lightness, as in toned photos.
        distance: near-duplicates differ in at most so many of 64 bits of a perceptual hash (and in
            few of a finer one), 0 to 20. Mirrored copies are not found.
        exclude: leave out what an ``exclude.txt`` in the folders names, as ``PhotoFolder`` does;
            but not what an audit wrote there, which is looked at again, so that every audit finds
            the same and can renew the list. False: look at what was written by hand too.

    Every photo comes from its file once, and memory holds some numbers a photo. Of a set with
    splits, a photo that is a near-duplicate of one in a later split is a "leak"; a split called
    train comes first and one called test last, the others in order. Of near-duplicates within a
    split all but one are "duplicate"; the one is flawless if any is, and then the largest.

    Raises:
        FileNotFoundError, NotADirectoryError, PhotoError: a folder that is not there or has no
            photo.
        ValueError: folders that overlap, thresholds out of range, or a broken list.
        ChildProcessError: no worker process can start.
    """
    if tiny < 0 or not 0 <= gray < math.inf or not 0 <= sepia <= 1:
        raise ValueError(
            f"tiny={tiny}, gray={gray}, sepia={sepia}: expected tiny and gray of 0 or more "
            "(and finite), and sepia from 0 (none) to 1."
        )
    Hashes(np.empty(0), np.empty(0), distance)  # a wrong distance is refused at once
    parts, names, left_out = _listed(split_folders(folders), exclude)
    records = np.full(len(names), UNREADABLE, RECORD)
    histogram = np.zeros((BINS, BINS), np.int64)
    problems: list[Problem] = []
    with progress_bar(len(names), "photo", visible=progress) as bar:
        for lot, measured in on_every_core(measure, _lots(parts, names), processes):
            if measured is None:
                why = "the process that read it died: a decoder's crash, or too little memory"
                problems.append(Problem(lot[0][0], "unread", why))
            else:
                first = lot[0][0]
                records[first : first + len(lot)] = measured.records
                histogram += measured.histogram
                problems += measured.problems
            bar.update(len(lot))
    findings = [Finding(p.kind, names[p.index], p.reason) for p in sorted(problems)]
    findings += _odd(records, names, tiny, gray, sepia)
    flawed = {finding.name for finding in findings}
    findings += _alike(records, names, parts, flawed, distance)
    findings.sort(key=lambda finding: list(KINDS).index(finding.kind))  # else the order stays
    return Audit(
        parts=parts,
        names=names,
        width=records["width"].copy(),
        height=records["height"].copy(),
        chroma=records["chroma"].copy(),
        histogram=histogram,
        findings=findings,
        left_out=left_out,
    )


def split_folders(
    folders: Folder | Sequence[Folder] | Mapping[str, Folder],
) -> list[tuple[str, Path, bool]]:
    """What ``audit`` looks at: (label, folder, is it a split), those to learn from first.

    Raises:
        TypeError: None in place of folders.
        ValueError: no folder, an empty name, or a name that no split can have.
    """
    if folders is None:
        raise TypeError("folders=None: expected a folder of photos, several, or splits.")
    if folders == "":
        raise ValueError("The folder's name is empty; name a folder of photos, or '.' for this one")
    if isinstance(folders, (str, os.PathLike)) or (
        not isinstance(folders, Mapping) and len(folders) == 1
    ):
        only = Path(folders if isinstance(folders, (str, os.PathLike)) else folders[0])
        inside = [s for s in SPLITS if (only / s).is_dir()]
        if len(inside) < 2:
            return [("", only, False)]
        return [("", only, True)] + [(split, only / split, True) for split in inside]
    if not folders:
        raise ValueError("The list of folders is empty; name at least one folder of photos.")
    if isinstance(folders, Mapping):
        if bad := [name for name in folders if not name or "/" in name]:
            raise ValueError(f"{bad[0]!r} is no name of a split; it stands before the photos' own.")
        splits = [(str(name), Path(folder), True) for name, folder in folders.items()]
        splits.sort(key=lambda part: (part[0] != "train", part[0] == "test"))
    else:
        splits = [(Path(folder).as_posix(), Path(folder), False) for folder in folders]
    check_apart([folder for _, folder, _ in splits])
    return splits


def _listed(
    folders: list[tuple[str, Path, bool]], exclude: bool
) -> tuple[list[Part], list[str], dict[str, str]]:
    """The parts of the set, the names of all photos, and what a list leaves out: name -> reason."""
    listed: list[list[str]] = []
    for label, folder, split in folders:
        if split and not label:
            inside = _beside([name for name, _, _ in folders], folder)
        else:
            inside = look_into(folder).photos
        listed.append([f"{label}/{name}" if label else name for name in inside])
    left_out: dict[str, str] = {}
    if exclude and folders[0][0] == "":  # one folder: its own list may name photos of its splits
        left_out = excluded(folders[0][1], chain(*listed))
    elif exclude:
        for (label, folder, _), inside in zip(folders, listed, strict=True):
            out = excluded(folder, [name[len(label) + 1 :] for name in inside])
            left_out |= {f"{label}/{name}": why for name, why in out.items()}
    left_out = {n: why for n, why in left_out.items() if not why.startswith(AUDITED)}
    parts: list[Part] = []
    names: list[str] = []
    for (label, folder, split), inside in zip(folders, listed, strict=True):
        if inside:
            start = len(names)
            names += [name for name in inside if name not in left_out]
            parts.append(Part(label, folder, split, start, len(names)))
    if not names:
        raise PhotoError("Every photo is on a list of photos to leave out; exclude=False reads all")
    return parts, names, left_out


def _beside(splits: list[str], folder: Path) -> list[str]:
    """The photos of a folder that are in none of its splits."""
    try:
        names = look_into(folder).photos
    except PhotoError:  # there are none, or all are in splits that are links to folders
        return []
    return [name for name in names if name.partition("/")[0] not in splits]


def _lots(parts: list[Part], names: list[str]) -> Iterator[list[tuple[int, str]]]:
    for part in parts:
        for start in range(part.start, part.stop, _LOT):
            stop = min(start + _LOT, part.stop)
            yield [(i, str(part.path(names[i]))) for i in range(start, stop)]


def _odd(
    records: np.ndarray, names: list[str], tiny: int, gray: float, sepia: float
) -> list[Finding]:
    """What is found from a photo's own numbers."""
    width, height, chroma = records["width"], records["height"], records["chroma"]
    readable = ~np.isnan(chroma)
    is_tiny = readable & (np.minimum(width, height) < tiny)
    is_gray = readable & (chroma < gray) & (records["vivid"] < VIVID * gray)
    is_sepia = readable & ~is_gray & (records["toning"] < sepia)
    findings = [
        Finding("tiny", names[i], f"{width[i]} x {height[i]} pixels")
        for i in np.flatnonzero(is_tiny)
    ]
    findings += [
        Finding("gray", names[i], f"mean chroma {chroma[i]:.1f}") for i in np.flatnonzero(is_gray)
    ]
    findings += [
        Finding(
            "sepia",
            names[i],
            f"mean chroma {chroma[i]:.1f}, {records['toning'][i]:.0%} of it not from lightness",
        )
        for i in np.flatnonzero(is_sepia)
    ]
    return findings


def _alike(
    records: np.ndarray, names: list[str], parts: list[Part], flawed: set[str], distance: int
) -> list[Finding]:
    """Near-duplicates: within each split, or in a set without any; then across splits."""
    hashes = Hashes(records["coarse"].copy(), records["fine"].copy(), distance)
    hashed = np.flatnonzero(records["hashed"])
    part_of = np.array([bisect_right([p.start for p in parts], i) - 1 for i in hashed])
    if not parts[0].split:
        part_of[:] = 0
    # The first of several stays: a flawless one (in color, say), then the largest, then by name.
    last = np.array([names[i] in flawed for i in hashed], bool)
    pixels = records["width"][hashed].astype(np.int64) * records["height"][hashed]
    order = np.lexsort((hashed, -pixels, last))
    groups = [hashed[order][part_of[order] == number] for number in range(len(parts))]

    def findings(kind: str, photos: np.ndarray, match: np.ndarray) -> list[Finding]:
        found = [
            Finding(kind, names[i], f"{hashes.bits(i, j)} of {BITS} bits differ", names[j])
            for i, j in sorted(zip(photos.tolist(), match.tolist(), strict=True))
            if j >= 0
        ]
        return found

    duplicates, leaks = [], []
    for number, photos in enumerate(groups):
        duplicates += findings("duplicate", photos, hashes.copies(photos))
        if later := groups[:number:-1]:  # the last split first: the test set is named rather
            leaks += findings("leak", photos, hashes.first_match(photos, np.concatenate(later)))
    return duplicates + leaks
