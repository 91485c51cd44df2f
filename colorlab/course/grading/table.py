"""Verdicts as a table for spreadsheets, a summary for the terminal, and a report a learner.

What learners wrote may stand in a hint. So hints are kept to one line of printable text, a cell of
the table never begins as a formula does, and reports escape what HTML would read.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from colorlab.atomic import write_whole
from colorlab.course.checks import exercises

LONGEST = 600  # characters of a hint
MARK = '<!doctype html><meta charset="utf-8"><title>Exercises of '  # what a report begins with
STYLE = "body { font: 1rem/1.5 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }"
SET_ASIDE = "set aside"  # a notebook of which another one by the same learner counts
WORDS = {
    "passed": "passed",
    "not yet": "not yet",
    "untouched": "untouched",
    "missing": "not in the notebook",
    "error": "raised an error",
    "time": "took too long",
    "memory": "took too much memory",
    "files": "wrote too much",
    "ended": "ended the process",
    "not judged": "not judged: your teacher looks at it",
    SET_ASIDE: "set aside",
}


@dataclass(frozen=True)
class Row:
    """One exercise of one notebook; ``sha256`` is that of the notebook's bytes."""

    learner: str
    lesson: str
    exercise: str
    verdict: str
    hint: str
    seconds: float = 0.0
    sha256: str = ""

    def __post_init__(self) -> None:
        line = " ".join("".join(c if c.isprintable() else " " for c in self.hint).split())
        object.__setattr__(self, "hint", line if len(line) <= LONGEST else line[:LONGEST] + "…")


HEADER = [field.name for field in fields(Row)]


def read_table(path: Path) -> list[Row]:
    """The rows of a table that `write_table` wrote; none where there is no file.

    Raises:
        ValueError: the file is another one.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8-sig")
    with_semicolons = text.startswith(";".join(HEADER))  # as some spreadsheets save it
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if with_semicolons else ",")
    header, *lines = list(reader) or [[]]
    if header != HEADER or any(len(line) != len(HEADER) for line in lines):
        raise ValueError(f"{path} is no table of grades; name another file with -o")
    rows = []
    for line in lines:
        learner, lesson, *said, seconds, digest = [value.removeprefix("'") for value in line]
        number = lesson and lesson.zfill(2)  # a spreadsheet makes 3 of 03
        rows.append(Row(learner, number, *said, float(seconds.replace(",", ".")), digest))
    return rows


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows as CSV, whole or not at all."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(HEADER)
    table.writerows([_no_formula(str(value)) for value in astuple(row)] for row in rows)
    # The mark at the beginning tells spreadsheets that it is UTF-8.
    write_whole(path, [text.getvalue().encode("utf-8-sig", "replace")])


def _no_formula(value: str) -> str:
    """A value that a spreadsheet takes for a formula gets an apostrophe before it."""
    return f"'{value}" if value[:1] in tuple("=+-@'") else value


def summary(rows: Sequence[Row]) -> str:
    """A line a learner and lesson: how many passed, and how many of each other verdict."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        groups.setdefault((row.learner, row.lesson), Counter())[row.verdict] += 1
    totals = Counter((row.learner, row.lesson) for row in rows if row.exercise)
    width = max([len("learner"), *(len(learner) for learner, _ in groups)])
    lines = [f"{'learner':<{width}}  lesson  passed  others"]
    for (learner, lesson), count in groups.items():
        passed, total = count["passed"], totals[learner, lesson]
        others = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if verdict != "passed")
        lines.append(f"{learner:<{width}}  {lesson or '-':<6}  {f'{passed}/{total}':<6}  {others}")
    return "\n".join(line.rstrip() for line in lines)


def write_reports(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """One HTML file a learner, into a folder that is made if need be.

    Raises:
        FileExistsError: a file of that name is no report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for learner in dict.fromkeys(row.learner for row in rows):
        name = re.sub(r"[^\w.-]+", "_", learner).strip(".") or "unnamed"
        while name.lower() in {one.stem.lower() for one in written}:  # "ada b" beside "ada_b"
            name += "_"
        path = folder / f"{name}.html"
        if path.exists() and not path.read_text("utf-8", "replace").startswith(MARK):
            raise FileExistsError(f"{path} is no report; name another folder with --reports")
        write_whole(path, [_report(learner, [r for r in rows if r.learner == learner]).encode()])
        written.append(path)
    return written


def _report(learner: str, rows: Sequence[Row]) -> str:
    name = html.escape(learner)
    lines = [f"{MARK}{name}</title><style>{STYLE}</style>", f"<h1>Exercises of {name}</h1>"]
    for lesson in dict.fromkeys(row.lesson for row in rows if row.lesson):
        own = [row for row in rows if row.lesson == lesson]
        titles = {one.name: f" {html.escape(one.title)}" for one in exercises(lesson)}
        passed = sum(row.verdict == "passed" for row in own)
        total = sum(row.exercise != "" for row in own)
        lines += [f"<h2>Lesson {lesson}: {passed} of {total} passed</h2>", "<ul>"]
        for row in own:
            what = f"{row.exercise}{titles.get(row.exercise, '')}" if row.exercise else "A notebook"
            hint = f": {as_html(row.hint)}" if row.hint else ""
            lines.append(f"<li><b>{what}</b>, {WORDS[row.verdict]}{hint}</li>")
        lines.append("</ul>")
    for row in rows:
        if not row.lesson:
            why = as_html(row.hint)
            lines.append(f"<p>A notebook was not read. {why}. Save it again, and hand it in.</p>")
    return "\n".join([*lines, ""])


def as_html(text: str) -> str:
    """What a check says, as HTML: what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
