"""Remembers which exercises are solved: one small JSON file a lesson.

The files stand where the system keeps such things for the user, or in the folder that the
environment variable ``COLORLAB_STATE`` names. Where that folder can't be written, the progress is
kept for as long as Python runs, and a note says so.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import platformdirs

from colorlab.atomic import write_whole


@dataclass(frozen=True)
class Record:
    """How an exercise stands: ever solved, and how many wrong solutions came before."""

    solved: bool = False
    misses: int = 0


# What could not be written, by file: lives as long as the kernel.
_unsaved: dict[Path, dict[str, Record]] = {}


def state_dir() -> Path:
    """The folder of the progress files; it need not exist yet.

    ``COLORLAB_STATE`` if set; else ``%LOCALAPPDATA%\\colorlab`` on Windows,
    ``~/Library/Application Support/colorlab`` on macOS, and ``~/.local/state/colorlab`` elsewhere,
    unless ``XDG_STATE_HOME`` names another folder for such things.
    """
    chosen = os.environ.get("COLORLAB_STATE")
    if chosen:
        return Path(chosen)
    try:
        return platformdirs.user_state_path("colorlab", appauthor=False)
    except RuntimeError:  # a user without a home folder: no reason to refuse a solution
        return Path(tempfile.gettempdir(), "colorlab")


def recall(lesson: str) -> tuple[dict[str, Record], str]:
    """The records of a lesson by exercise name, and a note for the learner ("" if all is well)."""
    path = _path(lesson)
    if path in _unsaved:
        return dict(_unsaved[path]), ""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"The progress file {path} can't be read ({error.strerror})."
    try:
        return {
            str(name): Record(solved=bool(entry["solved"]), misses=int(entry["misses"]))
            for name, entry in json.loads(content).items()
        }, ""
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, f"The progress file {path} is damaged; this lesson's progress starts over."


def remember(lesson: str, name: str, *, solved: bool) -> tuple[Record, str]:
    """Note a solution of an exercise, and return its record and a note for the learner.

    What was solved once stays solved. The note is "" if all is well.
    """
    records, note = recall(lesson)
    old = records.get(name, Record())
    new = replace(old, solved=True) if solved else replace(old, misses=old.misses + 1)
    records[name] = new
    path = _path(lesson)
    try:
        _write(path, records)
    except OSError as error:
        if path not in _unsaved:  # said once, not after each check
            note = (
                f"Your progress can't be saved in {path.parent} ({error.strerror}), so it lasts "
                "until this kernel stops. Set COLORLAB_STATE to a folder that can be written."
            )
        _unsaved[path] = records
    else:
        _unsaved.pop(path, None)
    return new, note


def _path(lesson: str) -> Path:
    return state_dir() / f"progress-{lesson}.json"


def _write(path: Path, records: dict[str, Record]) -> None:
    """Whole or not at all: two notebooks may write at once, and a kernel may be killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: asdict(record) for name, record in sorted(records.items())}, indent=1)
    write_whole(path, [f"{text}\n".encode()])
