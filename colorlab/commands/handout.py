"""``colorlab handout``: the lessons without their solutions, for a class."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab handout``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Writes the lessons' notebooks for learners, without solutions and without outputs.\n"
        "A notebook that is there already is left alone.\n\n"
        "Nearly every exercise makes a function that later cells use. So each solution becomes a\n"
        "cell that takes the learner's own function once it is solved, and the course's until\n"
        "then. It reads the course's from the folder notebooks beside data/. Take that folder out\n"
        "of the learners' checkout to keep the solutions from them: the cell then stops, and\n"
        "names the exercise that comes first.\n\n"
        "Exercises carry nbgrader's metadata; their points are their minutes."
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="the folder to write into"
    )
    parser.add_argument(
        "--lesson",
        action="append",
        type=lesson_number,
        metavar="NN",
        help="only this lesson, such as 03; may be given several times (default: all)",
    )


def lesson_number(text: str) -> str:
    """The number of a lesson with two digits: "3" and "03" are "03".

    Raises:
        ArgumentTypeError: it is no number.
    """
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise argparse.ArgumentTypeError(f"a lesson is a number such as 03, got {text!r}")
    return text.zfill(2)


def run(options: argparse.Namespace) -> int:
    """Write the handouts; returns 0.

    Raises:
        ValueError: an unknown lesson, or a file that is there already.
    """
    from colorlab.atomic import write_whole
    from colorlab.course.cells import lesson_paths
    from colorlab.course.grading.handout import handout

    paths = lesson_paths()
    if not paths:
        raise ValueError(
            "the lessons' notebooks are not beside the data/ folder; run this in a checkout"
        )
    chosen = sorted(set(options.lesson)) if options.lesson else list(paths)
    if unknown := [number for number in chosen if number not in paths]:
        raise ValueError(f"there is no lesson {unknown[0]}; there are {', '.join(paths)}")
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    for number in chosen:
        target = folder / paths[number].name
        if os.path.lexists(target):
            print(f"{target} exists and was left alone")
            continue
        notebook = handout(json.loads(paths[number].read_text(encoding="utf-8")))
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        write_whole(target, [text.encode()])
        print(target)
    return 0
