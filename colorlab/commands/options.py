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


def tell_left_out(folders: Iterable[str | os.PathLike[str]]) -> None:
    """Name the pictures in ``folders`` that are of kinds which are not read."""
    from colorlab.photos.files import look_into

    left = [f"{folder}/{name}" for folder in folders for name in look_into(Path(folder)).others]
    if left:
        more = f" and {len(left) - 8} more" if len(left) > 8 else ""
        print(
            f"colorlab: {len(left)} picture(s) of kinds that are not read here were left out: "
            f"{', '.join(left[:8])}{more}; save them as JPEG or PNG",
            file=sys.stderr,
        )
