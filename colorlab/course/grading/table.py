"""Verdicts as a table for spreadsheets, a summary for the terminal, and a report a learner.

What learners wrote may stand in a hint. So hints are kept to one line of printable text, a cell of
the table never begins as a formula does, and reports escape what Markdown and HTML would read.
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

LONGEST = 600  # characters of a hint
MARK = "# Exercises of "  # what a report begins with
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
    "not judged": "not judged: look at it yourself",
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
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if header != HEADER or any(len(line) != len(HEADER) for line in lines):
        raise ValueError(f"{path} is no table of grades; name another file with -o")
    plain = [[value.removeprefix("'") for value in line] for line in lines]
    return [Row(*line[:5], float(line[5]), line[6]) for line in plain]


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows as CSV, whole or not at all."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(HEADER)
    table.writerows([_no_formula(str(value)) for value in astuple(row)] for row in rows)
    write_whole(path, [text.getvalue().encode("utf-8", "replace")])


def _no_formula(value: str) -> str:
    """A value that a spreadsheet takes for a formula gets an apostrophe before it."""
    return f"'{value}" if value[:1] in tuple("=+-@'") else value


def summary(rows: Sequence[Row]) -> str:
    """A line a learner and lesson: how many passed, and how many of each other verdict."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        groups.setdefault((row.learner, row.lesson), Counter())[row.verdict] += 1
    width = max([len("learner"), *(len(learner) for learner, _ in groups)])
    lines = [f"{'learner':<{width}}  lesson  passed  others"]
    for (learner, lesson), count in groups.items():
        passed, total = count["passed"], count.total()
        others = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if verdict != "passed")
        lines.append(f"{learner:<{width}}  {lesson or '-':<6}  {f'{passed}/{total}':<6}  {others}")
    return "\n".join(line.rstrip() for line in lines)


def write_reports(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """One Markdown file a learner, into a folder that is made if need be.

    Raises:
        FileExistsError: a file of that name is no report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for learner in dict.fromkeys(row.learner for row in rows):
        name = re.sub(r"[^\w.-]+", "_", learner).strip(".") or "unnamed"
        while name.lower() in {one.stem.lower() for one in written}:  # "ada b" beside "ada_b"
            name += "_"
        path = folder / f"{name}.md"
        if path.exists() and not path.read_text("utf-8", "replace").startswith(MARK):
            raise FileExistsError(f"{path} is no report; name another folder with --reports")
        write_whole(path, [_report(learner, [r for r in rows if r.learner == learner]).encode()])
        written.append(path)
    return written


def _report(learner: str, rows: Sequence[Row]) -> str:
    lines = [f"{MARK}{_plain(learner)}", ""]
    for lesson in dict.fromkeys(row.lesson for row in rows):
        own = [row for row in rows if row.lesson == lesson]
        passed = sum(row.verdict == "passed" for row in own)
        lines += [f"## Lesson {lesson or 'unknown'}: {passed} of {len(own)} passed", ""]
        for row in own:
            hint = f": {_plain(row.hint)}" if row.hint else ""
            lines.append(f"- **{row.exercise or 'the notebook'}** {WORDS[row.verdict]}{hint}")
        lines.append("")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]{}#|!~$])", r"\\\1", html.escape(text, quote=False))
