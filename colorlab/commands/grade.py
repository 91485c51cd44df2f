"""``colorlab grade``: tries the exercises in learners' notebooks, each in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from colorlab.commands.handout import lesson_number
from colorlab.commands.options import check_writable

if TYPE_CHECKING:
    from colorlab.course.grading.submissions import Submission
    from colorlab.course.grading.table import Row


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab grade``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Tries the exercises in learners' notebooks and writes a table with a row for each:\n"
        "passed, not yet (with the check's hint), untouched, missing, error, time, memory, files,\n"
        "ended, or not judged. Only an exercise's cell and the definitions that it uses run, with\n"
        "60 s, 2 GB of memory and 200 MB of files, without your environment and without the\n"
        "network. Python has no wall inside a process, so this stops mistakes and common tricks\n"
        "and no skilled attacker: read what you don't trust. A table that is there is continued.\n"
        "Exit status: 0 all judged, 1 something was not judged, 2 could not start."
    )
    parser.add_argument(
        "submissions", nargs="+", metavar="NOTEBOOK_OR_DIR", help="notebooks and folders of them"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.csv", help="the table to write or continue"
    )
    parser.add_argument(
        "--lesson", type=lesson_number, metavar="NN", help="only this lesson, such as 03"
    )
    parser.add_argument("--reports", metavar="DIR", help="also write a report for each learner")
    parser.add_argument(
        "--again", action="store_true", help="grade anew what has not changed since the table"
    )


def run(options: argparse.Namespace) -> int:
    """Grade the notebooks; returns 1 if something could not be judged, else 0.

    Raises:
        ValueError: nothing to grade, an unknown lesson, or a table that is not of this command.
    """
    from colorlab.course.checks import exercises
    from colorlab.course.grading.grader import Grader
    from colorlab.course.grading.submissions import find_submissions, without_notebook
    from colorlab.course.grading.table import read_table, summary, write_reports, write_table
    from colorlab.course.map import LESSONS

    output = Path(options.output)
    check_writable(output)
    known = read_table(output)
    submissions = find_submissions(options.submissions)
    left = {path.name for path in without_notebook(options.submissions, submissions)}
    left -= {output.name, Path(options.reports or "").name}
    if left:
        print(
            f"colorlab: left out, no notebook (.ipynb): {', '.join(sorted(map(ascii, left)))}",
            file=sys.stderr,
        )
    lessons = [options.lesson] if options.lesson else [one.number for one in LESSONS]
    if options.lesson and options.lesson not in {one.number for one in LESSONS}:
        raise ValueError(f"there is no lesson {options.lesson}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print(
            "colorlab: graded by root, code that gets past the guard could change any file; "
            "grade as a user of its own",
            file=sys.stderr,
        )
    for lesson in lessons:
        exercises(lesson)  # a lesson that can't be loaded is better known now
    if options.lesson:
        submissions = _of_lesson(options.lesson, submissions)
    rows = [] if options.again else _still_true(known, submissions)
    done = {(row.learner, row.sha256) for row in rows}
    fresh: list[Row] = []
    with Grader(lessons) as grader:
        for submission in submissions:
            if (submission.learner, _digest(submission)) not in done:
                fresh += grader.grade(submission, options.lesson)
                write_table(output, _sorted([*_others(known, rows, fresh), *fresh]))
    every = _sorted([*_others(known, rows, fresh), *fresh])
    write_table(output, every)
    graded = {one.learner for one in submissions}
    shown = [row for row in every if row.learner in graded]
    print(summary(shown))
    for learner, lesson in _handed_in_twice(shown):
        print(f"{learner} has several notebooks of lesson {lesson}: the table holds each")
    print(f"{len(fresh)} exercises tried, {len(shown) - len(fresh)} kept: {output}")
    if options.reports:
        write_reports(Path(options.reports), shown)
    return 1 if any(row.verdict == "not judged" for row in shown) else 0


def _still_true(known: list[Row], submissions: list[Submission]) -> list[Row]:
    """The rows of notebooks whose bytes have not changed."""
    now = {(one.learner, _digest(one)) for one in submissions}
    return [row for row in known if (row.learner, row.sha256) in now]


def _digest(submission: Submission) -> str:
    import hashlib

    try:
        return hashlib.sha256(submission.path.read_bytes()).hexdigest()
    except OSError:
        return "unread"


def _of_lesson(lesson: str, submissions: list[Submission]) -> list[Submission]:
    """Less the notebooks of other lessons, unless their learner has none of this one."""
    from colorlab.course.grading.submissions import Unreadable, read_cells

    others = set()
    for one in submissions:
        with contextlib.suppress(Unreadable):
            if read_cells(one.path)[0] != lesson:
                others.add(one)
    have = {one.learner for one in submissions if one not in others}
    return [one for one in submissions if one not in others or one.learner not in have]


def _handed_in_twice(rows: list[Row]) -> list[tuple[str, str]]:
    notebooks = {(row.learner, row.lesson, row.sha256) for row in rows if row.exercise}
    count = Counter((learner, lesson) for learner, lesson, _ in notebooks)
    return sorted(key for key, many in count.items() if many > 1)


def _others(known: list[Row], kept: list[Row], fresh: list[Row]) -> list[Row]:
    """Earlier rows that no new one takes the place of; one without a lesson gives way to any.

    Those of a notebook that is still there, as it was, are ``kept`` beside a second one.
    """
    still = set(kept)
    new = {(row.learner, row.lesson) for row in fresh}
    learners = {row.learner for row in fresh}
    return [
        row
        for row in known
        if row in still
        or ((row.learner, row.lesson) not in new and (row.lesson or row.learner not in learners))
    ]


def _sorted(rows: list[Row]) -> list[Row]:
    def number(row: Row) -> float:
        return float(row.exercise.partition(".")[2] or 0)

    return sorted(rows, key=lambda row: (row.learner, row.lesson, number(row)))
