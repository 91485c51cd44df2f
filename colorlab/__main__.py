"""The command line: ``colorlab COMMAND``, with the commands below.

It only parses; each command stands in a file of its own, ``colorlab/commands/NAME.py``.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

# Imported is only the file of the command that is asked for: `colorlab --help` is there at once.
COMMANDS = {
    "doctor": "check this machine and say what to do",
    "colorize": "color photos and folders of photos",
    "page": "build a page that colors photos in the browser",
    "download": "fetch a named set of photos",
    "pack": "pack folders of photos into a few large files",
    "train": "train a recipe on photos",
    "evaluate": "score weights on color photos",
    "export": "write weights as an ONNX file",
    "card": "write a model card for weights",
    "handout": "write the lessons without solutions, for a class",
    "grade": "try the exercises in learners' notebooks, and write a table",
    "audit": "look for what is wrong with photos before training on them",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 done in part, 2 could not start."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if hasattr(sys.stdout, "reconfigure"):  # a name that can't be printed is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser(arguments).parse_args(arguments)
        with warnings.catch_warnings():
            warnings.showwarning = partial(_warn, warnings.showwarning)
            # Pillow's, from half of the size on at which a photo is refused.
            warnings.filterwarnings("ignore", "Image size .* could be decompression bomb")
            _refuse_empty(options)
            status = options.run(options)
            sys.stdout.flush()
            return status
    except BrokenPipeError:  # who reads has seen enough, as in `colorlab … | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell tells it
    except KeyboardInterrupt:
        print("colorlab: stopped", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError, MemoryError) as error:
        message = str(error).strip()
        if message.startswith("Caught "):  # a process that reads photos sends its whole traceback
            message = message.splitlines()[-1].partition(": ")[2]
        print(f"colorlab: {message}", file=sys.stderr)
        return 2


def _warn(usual: Callable[..., None], message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning of ours as one line, without the place in the code; others as usual."""
    if Path(where[1]).is_relative_to(Path(__file__).parent):
        print(f"colorlab: {message}", file=sys.stderr)
    else:
        usual(message, *where, **more)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """It knows all commands, and the options of the one that ``arguments`` begin with."""
    parser = argparse.ArgumentParser(prog="colorlab", description="Bring gray photos to color.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, about in COMMANDS.items():
        command = commands.add_parser(name, help=about)
        if name in arguments[:1]:
            module = import_module(f"colorlab.commands.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser


def _refuse_empty(options: argparse.Namespace) -> None:
    """An empty path is the current folder to ``Path``, and nobody means that by it."""
    for name, value in vars(options).items():
        if "" in (value if isinstance(value, list) else [value]):
            raise ValueError(f"an empty name for {name}; is a shell variable unset?")


if __name__ == "__main__":
    sys.exit(main())
