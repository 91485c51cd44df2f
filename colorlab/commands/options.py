"""What several commands ask for."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def device(name: str | None) -> str | None:
    """``name``, tried: torch itself answers a device it doesn't have with all kinds of errors."""
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
