"""Grades thirty notebooks, many of them hostile: the verdict on each beside the one it deserves.

    python tests/benchmarks/grading.py

Then each lesson, solved right: the time that a notebook costs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from course.grading.handed_in import cases, solved_lesson, write

from colorlab.course.cells import lesson_paths
from colorlab.course.grading.collected import Submission
from colorlab.course.grading.grader import Grader
from colorlab.course.grading.limits import Limits


def main() -> None:
    made = cases()
    with tempfile.TemporaryDirectory() as folder:
        papers = write(Path(folder), made)
        began = time.monotonic()
        with Grader(lesson_paths(), Limits(10)) as grader:
            print(f"cut off from the network by the system: {grader.cut_off}")
            right = sum(judge(grader, name, made[name], papers[name]) for name in made)
            print(f"{right} of {len(made)} verdicts as deserved, {time.monotonic() - began:.1f} s")
            for number in lesson_paths():
                lesson = Path(folder) / f"{number}.ipynb"
                lesson.write_text(solved_lesson(number), encoding="utf-8")
                began = time.monotonic()
                rows = grader.grade(Submission("ada", lesson))
                passed = sum(row.verdict == "passed" for row in rows)
                seconds = time.monotonic() - began
                print(f"lesson {number}: {passed} of {len(rows)} passed, {seconds:.1f} s")


def judge(grader: Grader, name: str, case, paper: Path) -> bool:
    (row,) = [r for r in grader.grade(Submission("ada", paper)) if r.exercise == case.exercise]
    right = row.verdict == case.verdict and case.words in row.hint
    print(
        f"{'ok ' if right else 'NOT'} {name:32} {row.verdict:11} {row.seconds:5.1f} s  {row.hint}"
    )
    return right


if __name__ == "__main__":
    main()
