"""What several commands ask for."""

from __future__ import annotations

import argparse
import os
import reprlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from colorlab.recipes.fields import Range


def positive(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ArgumentTypeError: a smaller one.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def within(limit: Range) -> Callable[[str], int]:
    """Reads a whole number in a range."""

    def read(text: str) -> int:
        try:
            if (number := int(text)) in limit:
                return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(
            f"must be a whole number {limit}, got {reprlib.repr(text)}"
        )

    return read


def device(name: str | None) -> str | None:
    """Try the device ``name``, and return its name.

    torch itself refuses a device that it doesn't have with all kinds of errors.

    Raises:
        ValueError: it can't be used here.
    """
    if name is not None:
        import torch

        try:
            torch.zeros(1, device=name).cpu()
        except (RuntimeError, AssertionError) as error:
            why = str(error).splitlines()[0]
            raise ValueError(
                f"device {name!r} can't be used here ({why}); leave --device out, or use cpu"
            ) from error
    return name


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--weights``."""
    parser.add_argument("--weights", metavar="FILE", help="default: the starter weights")
    parser.add_argument("--device", help="cpu, cuda, mps (default: the fastest there is)")


def report_left_out(folders: Iterable[str | os.PathLike[str]]) -> bool:
    """Name the pictures in ``folders`` of kinds that are not read, and subfolders that are closed.

    Returns:
        Whether there is a subfolder that can't be looked into.
    """
    from colorlab.photos.files import look_into

    left, closed = [], []
    for folder in folders:
        found = look_into(Path(folder))
        left += [f"{folder}/{name}" for name in found.others]
        closed += [f"{folder}/{name} ({error.strerror})" for name, error in found.closed.items()]
    for names, words, advice in (
        (left, "picture(s) of kinds that are not read here were", "save them as JPEG or PNG"),
        (closed, "subfolder(s) that can't be read were", "mend their permissions"),
    ):
        if names:
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            print(
                f"colorlab: {len(names)} {words} left out: {', '.join(names[:8])}{more}; {advice}",
                file=sys.stderr,
            )
    return bool(closed)


def check_writable(path: Path) -> None:
    """Refuse a file that can't be written, before minutes are spent on what goes into it.

    Raises:
        ValueError: a folder, a pipe or a device stands there, or the folder can't be written to.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it, or one elsewhere")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is a pipe or a device; name another file")
    folder = path.parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise ValueError(f"{path} can't be written, {folder} is not a folder; name another file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"{path} can't be written, you may not write into {folder}; name a file elsewhere"
        )
