"""The list of photos that a data set leaves out: ``exclude.txt`` in the folder of the photos.

    # a comment
    cat.jpg
    pets/dog.jpg<TAB>audit: gray, mean chroma 1.2
    "odd\\tname.jpg"<TAB>a name with a tab, written as a string of JSON

UTF-8, one photo a line: its name relative to the folder in which the list lies, with "/", and after
a tab the reason. So the list moves with its folder. It can be written by hand; `colorlab audit
--exclude` writes it too. A list in a subfolder counts for the photos of that subfolder.
"""

from __future__ import annotations

import json
import os
import stat
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from colorlab.atomic import write_whole
from colorlab.photos.files import PhotoError, canonical

FILE_NAME = "exclude.txt"
AUDITED = "audit: "
_NAMED_IN_WARNING = 5


@dataclass
class ExcludeList:
    """What stands in a list: name -> reason ("" for none), and its comments."""

    entries: dict[str, str] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)


def read_list(path: str | os.PathLike[str]) -> ExcludeList:
    """Read a list.

    Raises:
        ValueError: a broken list; the message names the line.
        OSError: it can't be read.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for ever
        raise ValueError(
            f"{path} is a folder, pipe or device, and a list of photos to leave out was expected. "
            "Move it elsewhere."
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not a list of photos to leave out: not UTF-8 text ({error}). Save it as "
            "UTF-8, or remove it."
        ) from error
    found = ExcludeList()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if line.startswith("#"):
            found.comments.append(line)
        elif line.strip():
            try:
                name, reason = _parse(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            found.entries[name] = reason
    return found


def write_list(path: str | os.PathLike[str], content: ExcludeList) -> Path:
    """Write a list, whole or not at all; any name that a file can have comes back as it was."""
    lines = [*content.comments]
    for name, reason in content.entries.items():
        lines.append(f"{quoted(name)}\t{' '.join(reason.split())}".rstrip())
    text = "".join(f"{line}\n" for line in lines)
    # A reason may quote a name that is no Unicode text; a name itself was quoted.
    return write_whole(path, [text.encode(errors="backslashreplace")])


def excluded(
    folder: Path, names: Iterable[str], list_path: str | os.PathLike[str] | None = None
) -> dict[str, str]:
    """Which of the photos ``names`` of ``folder`` are on a list: name -> reason.

    Args:
        list_path: a list of names relative to ``folder``, wherever it lies; None: those in the
            folder and its subfolders, as far as there are photos.

    Warns of names on a list that are not among the photos.

    Raises:
        ValueError, OSError: as ``read_list``.
    """
    names = list(names)
    if list_path is not None:
        lists = {"": Path(list_path)}
    else:
        inside = {""} | {parent for name in names for parent in _parents(name)}
        lists = {p: folder / p / FILE_NAME for p in sorted(inside)}
        lists = {prefix: path for prefix, path in lists.items() if os.path.lexists(path)}
    if not lists:
        return {}
    spelled = {canonical(name): name for name in names}
    found: dict[str, str] = {}
    for prefix, path in lists.items():
        missing = []
        for name, reason in read_list(path).entries.items():
            whole = canonical(f"{prefix}/{name}" if prefix else name)
            if whole in spelled:
                found.setdefault(spelled[whole], reason)
            else:
                missing.append(quoted(name))
        if missing:
            more = f", and {len(missing) - _NAMED_IN_WARNING} more" * (
                len(missing) > _NAMED_IN_WARNING
            )
            warnings.warn(
                f"{path} names {len(missing)} photo(s) that are not there (misspelled, or removed "
                f"since?): {', '.join(missing[:_NAMED_IN_WARNING])}{more}",
                stacklevel=4,
            )
    return found


def wanted(
    folder: Path, names: list[str], exclude: bool | str | os.PathLike[str] = True
) -> tuple[list[str], dict[str, str]]:
    """The photos ``names`` of ``folder`` that are on no list, and those that are: name -> reason.

    Args:
        exclude: True: the lists in the folder. False: every photo is wanted. A path: that list.

    Raises:
        PhotoError: every photo is on a list.
        ValueError, OSError: as ``read_list``.
    """
    if exclude is False:
        return names, {}
    left_out = excluded(folder, names, None if exclude is True else exclude)
    if len(left_out) == len(names):
        raise PhotoError(
            f"Each of the {len(names)} photos in {folder} is on a list of photos to leave out "
            f"({FILE_NAME if exclude is True else exclude}). Take some off it, or ignore it "
            "with exclude=False."
        )
    return [name for name in names if name not in left_out], left_out


def left_out_message(count: int) -> str:
    """That the lists in the folders leave so many photos out."""
    return f"{count} photo(s) left out, as {FILE_NAME} says"


def merged(old: ExcludeList, new: Mapping[str, str], looked_at: Iterable[str]) -> ExcludeList:
    """The list ``old`` with the findings of a new audit; nothing that a person wrote is lost.

    A line of ``old`` goes only if its photo was ``looked_at`` again and its reason begins with
    ``AUDITED``, as all that the audit writes do.
    """
    looked_at = set(looked_at)
    kept = {
        name: reason
        for name, reason in old.entries.items()
        if name not in looked_at or not reason.startswith(AUDITED)
    }
    return ExcludeList({**new, **kept}, old.comments)


def quoted(name: str) -> str:
    """A name as it is, or as a string of JSON where it could be misread or not be printed."""
    plain = name.isprintable() and name == name.strip() and name[:1] not in ("#", '"', "")
    return name if plain else json.dumps(name)


def _parse(line: str) -> tuple[str, str]:
    if line.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(line)
        except ValueError as error:
            raise ValueError(f"a name in quotes must be a string of JSON ({error})") from error
        rest = line[end:]
        if rest.strip() and not rest.startswith("\t"):
            raise ValueError("after a name in quotes only a tab and the reason may follow")
        reason = rest
    else:
        name, _, reason = line.partition("\t")
        name = name.strip()
    if not name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ValueError(
            f"{quoted(name)} is no name of a photo in the folder. Names are relative to it, with "
            '"/", as in pets/cat.jpg.'
        )
    return name, reason.strip()


def _parents(name: str) -> list[str]:
    """ "a/b/c.jpg" -> ["a", "a/b"]."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]
