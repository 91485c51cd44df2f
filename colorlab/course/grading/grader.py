"""The teacher's side: hands one exercise after the other to a server, and makes rows of it."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import colorlab
from colorlab.course.cells import lesson_paths
from colorlab.course.grading.collected import Submission
from colorlab.course.grading.judge import Task
from colorlab.course.grading.limits import Limits
from colorlab.course.grading.submissions import (
    Unreadable,
    attempts,
    digest_of,
    other_lessons,
    read_cells,
)
from colorlab.course.grading.table import Row
from colorlab.sources.bundled import data_dir

PATIENCE = 120.0  # seconds beyond the limit; the server's own start is among them
# A network with nobody in it, and processes that can't see or outlive the server.
NAMESPACES = ("--user", "--map-current-user", "--net", "--pid", "--fork", "--kill-child")


class Grader:
    """Tries exercises; a context manager, since it holds a server and a temporary folder."""

    def __init__(self, lessons: Iterable[str], limits: Limits | None = None) -> None:
        if not hasattr(os, "fork"):
            raise OSError("grading needs Linux, macOS, or WSL on Windows: this system has no fork")
        self.limits = limits or Limits()
        self._lessons = sorted(set(lessons))
        self._folder = tempfile.TemporaryDirectory(prefix="colorlab-grade-")
        self._alone = can_unshare()
        self._server: subprocess.Popen[str] | None = None

    @property
    def cut_off(self) -> bool:
        """Whether the system itself keeps graded code from the network and other processes."""
        return self._alone

    def grade(self, submission: Submission) -> list[Row]:
        """A row for each exercise of the notebook's lesson; one that says why, if it has none."""
        learner, digest = submission.learner, digest_of(submission.path)
        try:
            number, cells = read_cells(submission.path)
        except Unreadable as error:
            hint = f"{submission.path.name}: {error}"
            return [Row(learner, "", "", "not judged", hint, 0.0, digest)]
        rows = []
        for other in other_lessons(number, cells):
            hint = f"exercises of lesson {other} stand in a notebook of lesson {number}: split it"
            rows.append(Row(learner, number, "", "not judged", hint, 0.0, digest))
        for attempt in attempts(number, cells):
            found: dict[str, Any] = {"verdict": attempt.verdict, "hint": attempt.hint}
            if attempt.task is not None:
                found = self._try(attempt.task)
            if found["verdict"] == "open":
                found["verdict"] = "not yet" if attempt.begun else "untouched"
            hint = "; ".join(part for part in (found["hint"], attempt.note) if part)
            seconds = found.get("seconds", 0.0)
            row = (learner, number, attempt.exercise, found["verdict"], hint, seconds)
            rows.append(Row(*row, digest))
        return rows

    def _try(self, task: Task) -> dict[str, Any]:
        """The server's verdict; one that does not answer is started anew for the next task."""
        server = self._started()
        try:
            print(json.dumps(asdict(task)), file=server.stdin, flush=True)
            ready, _, _ = select.select([server.stdout], [], [], self.limits.seconds + PATIENCE)
            line = server.stdout.readline() if ready else ""
            return json.loads(line)
        except (OSError, ValueError):
            self._stop()
            return {"verdict": "not judged", "hint": "it ended the program that grades it"}

    def _started(self) -> subprocess.Popen[str]:
        if self._server is None:
            home = self._folder.name
            package = Path(colorlab.__file__).resolve().parent
            checks = [package / "course/checks", package / "course/grading"]
            lessons = sorted({path.parent for path in lesson_paths().values()})
            python = {Path(p) for p in (sys.prefix, sys.base_prefix, *_libraries())}
            settings = {
                "lessons": self._lessons,
                "limits": asdict(self.limits),
                "readable": [str(p) for p in (*python, package, data_dir(), "/usr", "/etc")],
                "hidden": [str(p) for p in (*checks, *lessons)],
            }
            program = [sys.executable, "-m", "colorlab.course.grading.server", json.dumps(settings)]
            prefix = ["unshare", *NAMESPACES, "--mount-proc"] if self._alone else []
            self._server = subprocess.Popen(
                [*prefix, *program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=home,
                env=_environment(home, package.parent),
                start_new_session=True,
            )
        return self._server

    def _stop(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.stdin.close()
            self._server.stdout.close()
            self._server.wait()
            self._server = None

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()


def _environment(home: str, package: Path) -> dict[str, str]:
    """Nothing of the teacher's: no tokens, no home folder."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLORLAB_DATA": str(data_dir()),
        "COLORLAB_STATE": home,
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }


def _libraries() -> list[str]:
    """Where Python finds its packages, the current folder left out."""
    return [path for path in sys.path if "site-packages" in path or "dist-packages" in path]


def can_unshare() -> bool:
    """Whether this system lets anybody make a network and processes of their own."""
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", *NAMESPACES, "--mount-proc", "true"]
    try:
        return subprocess.run(tried, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
