"""The folder of a set of photos: which of its files are there, and who may work on it.

Its manifest, written last, lists the files and their sizes. A folder without one is not whole, and
of one with a manifest it is known which files are missing. Files that stand there besides are
the learner's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from colorlab import locks
from colorlab.atomic import write_whole

MANIFEST = "colorlab-set.json"

Files = dict[str, int]  # name in the set's folder, with "/" -> bytes


def read_manifest(folder: Path) -> Files | None:
    """The files that the folder's manifest lists; None where there is none that can be read."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {str(name): int(size) for name, size in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def intact(folder: Path, files: Files) -> Files:
    """Those of the files that are there at their full size."""
    there = {}
    for top, _, names in os.walk(folder):
        inside = Path(top).relative_to(folder)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                there[(inside / name).as_posix()] = os.stat(os.path.join(top, name)).st_size
    return {name: size for name, size in files.items() if there.get(name) == size}


def complete(folder: Path) -> bool:
    """Whether the folder has a manifest, and all the files in it at their full size."""
    files = read_manifest(folder)
    return files is not None and len(intact(folder, files)) == len(files)


def write_manifest(folder: Path, files: Files, **facts: Any) -> None:
    """Declare the folder whole."""
    record = {**facts, "bytes": sum(files.values()), "files": files}
    write_whole(folder / MANIFEST, [json.dumps(record, indent=0).encode()])


def install(new: Path, folder: Path) -> None:
    """Move the files to their place; what else is in the folder stays."""
    if not folder.exists():
        os.replace(new, folder)
        return
    for path in [path for path in new.rglob("*") if path.is_file()]:
        target = folder / path.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)


@contextlib.contextmanager
def locked(path: Path, name: str) -> Iterator[None]:
    """Hold the file's lock. Where the file system knows no locks, everybody works as if alone."""
    try:
        lock = locks.take(path, timeout=0)
    except locks.Timeout:
        print(f"another process is fetching {name}; waiting for it", file=sys.stderr)
        lock = locks.take(path, timeout=-1)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
