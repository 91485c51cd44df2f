"""``colorlab grade``: tries the exercises in learners' notebooks, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from colorlab.commands.handout import lesson_number
from colorlab.commands.options import check_writable

if TYPE_CHECKING:
    from colorlab.course.grading.collected import Submission
    from colorlab.course.grading.table import Row


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab grade``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Tries the exercises in learners' notebooks and writes a table with a row for each:\n"
        "passed, not yet (with the check's hint), untouched, missing, error, time, memory, files,\n"
        "ended, or not judged. Only an exercise's cell and the definitions that it uses run, with\n"
        "60 s at most (a check may stop sooner), 2 GB of memory and 200 MB of files, without your\n"
        "environment and without the network. Python has no wall inside a process, so this stops\n"
        "mistakes and common tricks and no skilled attacker: read what you don't trust.\n\n"
        "A folder for each learner (class/Ada/03_unet.ipynb) names the learner; so does Moodle's\n"
        ".zip, or the file (Ada - 03_unet.ipynb). Of several notebooks of a lesson the one with\n"
        "the most exercises passed counts. A table that is there is continued: what has not\n"
        "changed is not tried again.\n\n"
        "Exit status: 0 all judged, 1 something was not judged, 2 could not start."
    )
    parser.add_argument(
        "submissions", nargs="+", metavar="PATH", help="notebooks, folders and .zip files of them"
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
    from colorlab.course.grading.collected import find_submissions, without_notebook
    from colorlab.course.grading.grader import Grader
    from colorlab.course.grading.submissions import digest_of
    from colorlab.course.grading.table import read_table, summary, write_reports, write_table
    from colorlab.course.map import LESSONS

    output = Path(options.output)
    check_writable(output)
    known = read_table(output)
    lessons = [options.lesson] if options.lesson else [one.number for one in LESSONS]
    if options.lesson and options.lesson not in {one.number for one in LESSONS}:
        raise ValueError(f"there is no lesson {options.lesson}")
    for lesson in lessons:
        exercises(lesson)  # a lesson that can't be loaded is better known now
    with tempfile.TemporaryDirectory() as unpacked:
        submissions = find_submissions(options.submissions, Path(unpacked))
        left = {path.name for path in without_notebook(options.submissions, submissions)}
        left -= {output.name, Path(options.reports or "").name}
        if left:
            _say(f"left out, no notebook (.ipynb): {', '.join(sorted(map(ascii, left)))}")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            _say(
                "graded by root, code that gets past the guard could change any file; grade as a "
                "user of its own"
            )
        handed_in = _by_lesson(submissions, options.lesson)
        rows = _of_others(known, handed_in)
        tried = 0
        with Grader(lessons) as grader:
            for key, group in handed_in.items():
                own = [row for row in known if (row.learner, row.lesson) == key]
                if options.again or {row.sha256 for row in own} != {
                    digest_of(one.path) for one in group
                }:
                    own = _the_best([(one.path, grader.grade(one)) for one in group])
                    tried += len(own)
                    names = ", ".join(one.path.name for one in group)
                    _say(f"{key[0]}, {names}: {_passed(own) if key[1] else 'not read'}")
                rows = _sorted([*(row for row in rows if (row.learner, row.lesson) != key), *own])
                write_table(output, rows)
    graded = {one.learner for one in submissions}
    shown = [row for row in rows if row.learner in graded]
    print(summary(shown))
    kept = sum((row.learner, row.lesson) in handed_in for row in shown) - tried
    print(f"{tried} exercises tried, {kept} kept: {output}")
    if options.reports:
        write_reports(Path(options.reports), shown)
    return 1 if any(row.verdict == "not judged" for row in shown) else 0


def _say(text: str) -> None:
    print(f"colorlab: {text}", file=sys.stderr, flush=True)


def _by_lesson(
    submissions: list[Submission], lesson: str | None
) -> dict[tuple[str, str], list[Submission]]:
    """Learner and lesson -> the notebooks of it; the lesson of one that can't be read is "".

    With ``lesson`` those of other lessons are left out.
    """
    from colorlab.course.grading.submissions import Unreadable, read_cells

    found: dict[tuple[str, str], list[Submission]] = {}
    for one in submissions:
        try:
            number = read_cells(one.path)[0]
        except Unreadable:
            number = ""
        if lesson in (None, number) or not number:
            found.setdefault((one.learner, number), []).append(one)
    return found


def _of_others(known: list[Row], handed_in: dict[tuple[str, str], list[Submission]]) -> list[Row]:
    """The rows of an earlier table, less those of notebooks that could not be read then."""
    learners = {learner for learner, _ in handed_in}
    return [
        row
        for row in known
        if row.lesson or row.learner not in learners or (row.learner, "") in handed_in
    ]


def _the_best(graded: list[tuple[Path, list[Row]]]) -> list[Row]:
    """The rows of the notebook with the most exercises passed, and a row for each other one.

    Of several with as many it is the last. Where none could be read, a row each stays.
    """
    from colorlab.course.grading.table import SET_ASIDE, Row

    if not graded[0][1][0].lesson:
        return [row for _, rows in graded for row in rows]
    _, best = max(enumerate(graded), key=lambda one: (_count(one[1][1]), one[0]))
    path, rows = best
    others = []
    for other, theirs in graded:
        if other != path:
            first = theirs[0]
            hint = f"{other.name} ({_passed(theirs)}), since {path.name} counts ({_passed(rows)})"
            others.append(Row(first.learner, first.lesson, "", SET_ASIDE, hint, 0.0, first.sha256))
    return [*rows, *others]


def _count(rows: list[Row]) -> int:
    return sum(row.verdict == "passed" for row in rows)


def _passed(rows: list[Row]) -> str:
    total = sum(row.exercise != "" for row in rows)
    return f"{_count(rows)} of {total} passed"


def _sorted(rows: list[Row]) -> list[Row]:
    def number(row: Row) -> float:
        return float(row.exercise.partition(".")[2] or 0)

    return sorted(rows, key=lambda row: (row.learner, row.lesson, number(row)))
