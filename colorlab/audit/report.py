"""What an audit found: as a table, as a contact sheet, as numbers, and as a list to leave out."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorlab.photos.exclusions import (
    AUDITED,
    FILE_NAME,
    ExcludeList,
    merged,
    quoted,
    read_list,
    write_list,
)

if TYPE_CHECKING:
    from PIL import Image

KINDS = {
    "corrupt": "no picture can be read from it",
    "truncated": "the end of the file is missing",
    "unread": "could not be read now; look again",
    "tiny": "a side is too short",
    "gray": "hardly any color",
    "sepia": "toned: color follows lightness",
    "duplicate": "looks like another of its split",
    "leak": "looks like one of a later split",
}
PASSING = "unread"  # of these photos nothing is known, so they are never listed to be left out
LISTED = tuple(kind for kind in KINDS if kind != PASSING)
HEADER = [
    "# Photos that PhotoFolder leaves out: a name, a tab, the reason.",
    "# The audit renews the lines whose reason begins with 'audit:'; lines of your own stay.",
]

_MAX_NAMES = 3
_MAX_PARTS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with the photo ``name``.

    ``kind``: one of ``KINDS``. ``other``: the photo that it looks like, which stays.
    """

    kind: str
    name: str
    detail: str
    other: str | None = None

    @property
    def reason(self) -> str:
        """As it stands in the list of photos to leave out."""
        other = "" if self.other is None else f" from {quoted(self.other)}"
        return f"{AUDITED}{self.kind}, {self.detail}{other}"


@dataclass(frozen=True)
class Part:
    """A split or a folder of the set: the photos names[start:stop], with "label/" in front."""

    label: str
    folder: Path
    split: bool
    start: int
    stop: int

    def own(self, name: str) -> str:
        """A photo's name relative to the folder."""
        return name[len(self.label) + 1 :] if self.label else name

    def path(self, name: str) -> Path:
        """The file of a photo of this part."""
        return self.folder / self.own(name)


@dataclass(repr=False)
class Audit:
    """The report of ``colorlab.audit.audit``; printed, it is a table.

    Args:
        names: of the n photos, relative to the folder; of splits or several folders with "split/"
            or "folder/" in front.
        width, height: int32 (n,), pixels, upright; 0 for a photo that cannot be read.
        chroma: float32 (n,), mean CIE Lab chroma of a small copy, within 0.5 + 2 % of that of the
            photo unless it is very noisy; nan for a photo that cannot be read.
        histogram: int64 (64, 64): the pixels of all small copies by a (rows) and b (columns); the
            edges of the cells are ``colorlab.audit.AB_EDGES``, -110 to 110 in 64 equal steps.
        findings: sorted by kind, then by name; a photo may have several.
        left_out: photos that a person wrote into an ``exclude.txt`` and that were not looked at:
            name -> reason. What an audit wrote there was looked at again.
    """

    parts: list[Part]
    names: list[str]
    width: np.ndarray
    height: np.ndarray
    chroma: np.ndarray
    histogram: np.ndarray
    findings: list[Finding]
    left_out: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        places = [f"{p.label or p.folder} {p.stop - p.start:,}" for p in self.parts[:_MAX_PARTS]]
        places += ["…"] * (len(self.parts) > _MAX_PARTS)
        what = f"{len(self):,} photos in {self.parts[0].folder}"
        if len(self.parts) > 1:
            what = f"{len(self):,} photos: {', '.join(places)}"
        lines = [what, ""]
        if self.left_out:
            lines[1:1] = [f"{len(self.left_out):,} more are left out by {FILE_NAME}"]
        lines.append(f"{'':11}{'photos':>8} {'share':>8}")
        by_kind = self._by_kind()
        for kind, meaning in KINDS.items():
            found = by_kind[kind]
            if found:
                meaning += ": " + ", ".join(quoted(f.name) for f in found[:_MAX_NAMES])
                meaning += ", …" * (len(found) > _MAX_NAMES)
            share = f"{len(found) / len(self):.1%}" if found else ""
            lines.append(f"{kind:11}{len(found):8,} {share:>8}  {meaning}")
        readable = ~np.isnan(self.chroma)
        if readable.any():
            lines += [
                "",
                f"{'':11}{'lowest':>8} {'quarter':>8} {'median':>8} {'3/4':>8} {'highest':>8}",
            ]
            for name, values, digits in (
                ("width", self.width, 0),
                ("height", self.height, 0),
                ("chroma", self.chroma, 1),
            ):
                marks = np.percentile(values[readable], [0, 25, 50, 75, 100])
                lines.append(f"{name:11}" + " ".join(f"{mark:8.{digits}f}" for mark in marks))
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    def path(self, name: str) -> Path:
        """The file of a photo.

        Raises:
            KeyError: a name that is not in ``names``.
        """
        if name not in self.names:
            raise KeyError(name)
        return self._part(name).path(name)

    def sheet(self, kind: str | None = None, count: int = 24, width: int = 1000) -> Image.Image:
        """A contact sheet: photos with their name and what was found, near-duplicates in pairs.

        Args:
            kind: one of ``KINDS``; None: all that were found, each with its share of ``count``; if
                nothing was, photos spread evenly over the set.
            width: of the picture, in pixels.

        Raises:
            ValueError: an unknown kind or a count below 1.
        """
        from colorlab.audit.sheet import Cell, contact_sheet

        if kind is not None and kind not in KINDS:
            raise ValueError(f"There is no kind {kind!r}. Valid: {', '.join(KINDS)}.")
        if count < 1:
            raise ValueError(f"count={count}: a sheet shows at least 1 photo.")
        by_kind = self._by_kind()
        shares = _shares({k: len(by_kind[k]) for k in KINDS if kind in (k, None)}, count)
        sections = []
        for each, share in shares.items():
            found = by_kind[each]
            some = f", the first {share} of them" if share < len(found) else ""
            heading = f"{each} ({KINDS[each]}): {len(found):,} of {len(self):,} photos{some}"
            names = [(f.name,) if f.other is None else (f.name, f.other) for f in found[:share]]
            cells = [
                Cell(
                    tuple((self._part(name).path(name), quoted(name)) for name in pair),
                    finding.detail,
                )
                for pair, finding in zip(names, found, strict=False)
            ]
            sections.append((heading, cells))
        if not any(shares.values()) and kind is None:
            count = min(count, len(self))
            chosen = [i * len(self) // count for i in range(count)]
            cells = [
                Cell(
                    ((self.path(self.names[i]), quoted(self.names[i])),),
                    f"{self.width[i]} x {self.height[i]}, mean chroma {self.chroma[i]:.1f}",
                )
                for i in chosen
            ]
            sections = [(f"Nothing was found. {count} of {len(self):,} photos:", cells)]
        return contact_sheet(sections, width)

    def exclude(
        self,
        path: str | os.PathLike[str] | None = None,
        kinds: Iterable[str] = LISTED,
    ) -> Path | list[Path]:
        """Write the list of photos to leave out, which ``PhotoFolder`` honors; returns its path.

        Args:
            path: by default ``exclude.txt`` in the folder. Of splits, or several folders, each gets
                its own, so that it counts for whoever opens only that folder; then the paths of all
                lists are returned (of folders from which nothing is to go and that have no list:
                none).
            kinds: which findings count. Of a set of near-duplicates one photo stays. Of a leak, the
                photo in the earlier split goes: what a network is judged on has to stay the same,
                or scores from before could not be compared; a training photo is missed less. Photos
                that are "unread" (gone, forbidden, too little memory, a process that died) never
                count: they may be good, and what a list that is there says of them stays.

        A list that is there already is merged with: see ``colorlab.photos.exclusions.merged``.

        Raises:
            ValueError: an unknown kind, a broken list, or a ``path`` for several folders.
            OSError: it cannot be written.
        """
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        if PASSING in kinds:
            raise ValueError(f"{PASSING!r} photos may be good and are never listed; audit again.")
        if unknown := set(kinds) - set(KINDS):
            raise ValueError(f"There is no kind {unknown.pop()!r}. Valid: {', '.join(LISTED)}.")
        if path is not None and len(self.parts) > 1:
            raise ValueError(
                f"{path} would be one list for {len(self.parts)} folders, and names stand relative "
                "to one. Leave the path out, and each folder gets its own list."
            )
        unread = {finding.name for finding in self.findings if finding.kind == PASSING}
        reasons: dict[str, dict[str, str]] = defaultdict(dict)
        for finding in self.findings:
            if finding.kind in kinds:
                part = self._part(finding.name)
                reasons[part.label].setdefault(part.own(finding.name), finding.reason)
        written = []
        for part in self.parts:
            target = part.folder / FILE_NAME if path is None else Path(path)
            old = read_list(target) if os.path.lexists(target) else ExcludeList()
            if not reasons[part.label] and not os.path.lexists(target) and len(self.parts) > 1:
                continue
            names = self.names[part.start : part.stop]
            looked_at = [part.own(name) for name in names if name not in unread]
            new = merged(old, reasons[part.label], looked_at)
            new.comments = [*HEADER, *(c for c in old.comments if c not in HEADER)]
            target.parent.mkdir(parents=True, exist_ok=True)
            written.append(write_list(target, new))
        return written if len(self.parts) > 1 else written[0]

    def _by_kind(self) -> dict[str, list[Finding]]:
        found: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
        for finding in self.findings:
            found[finding.kind].append(finding)
        return found

    def _part(self, name: str) -> Part:
        for part in sorted(self.parts, key=lambda part: part.label, reverse=True):
            if name.startswith(f"{part.label}/" if part.label else ""):  # photos beside splits last
                return part
        raise KeyError(name)


def _shares(found: dict[str, int], count: int) -> dict[str, int]:
    """How many of each kind are shown: ``count`` in all, no kind crowded out by another."""
    shares = {}
    waiting = sorted((kind for kind in found if found[kind]), key=lambda kind: found[kind])
    for left, kind in zip(range(len(waiting), 0, -1), waiting, strict=True):
        shares[kind] = min(found[kind], max(1, count // left))
        count -= shares[kind]
    if len(found) == 1:  # asked for by name: a sheet that says "0 photos" is a result
        return {kind: shares.get(kind, 0) for kind in found}
    return {kind: shares[kind] for kind in found if kind in shares}
