"""Forks a process for each exercise, and ends it with all that it started.

torch and the checks are loaded once, so that a process costs milliseconds instead of seconds. The
grader starts this file as a program, in namespaces of its own where the system allows it. A task
comes as a line of JSON on standard input, and its verdict goes as a line to standard output.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import secrets
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from colorlab.course import checks
from colorlab.course.checks import exercises
from colorlab.course.grading.guard import Originals
from colorlab.course.grading.judge import Task, judge
from colorlab.course.grading.limits import SUBREAPER, Limits, end_all, hold, prctl

LOOK = 0.05  # seconds between two looks at a process
MOST = 64 * 2**10  # bytes of a verdict


def serve(settings: dict[str, Any]) -> None:
    """Answer tasks until standard input ends."""
    prctl(SUBREAPER, 1)
    _make_each_optimizer()
    _import_what_checks_import()
    for lesson in settings["lessons"]:
        exercises(lesson)
    limits = Limits(**settings["limits"])
    paths = {key: [Path(one) for one in settings[key]] for key in ("readable", "hidden")}
    originals = Originals()
    for line in sys.stdin:
        task = Task(**json.loads(line))
        print(json.dumps(try_one(task, originals, limits, **paths)), flush=True)


def _import_what_checks_import() -> None:
    """Also what they import in functions: what is loaded later could be altered unnoticed."""
    for file in Path(checks.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                with contextlib.suppress(ImportError):  # of packages that a check does without
                    importlib.import_module(name)


def _make_each_optimizer() -> None:
    """torch wraps a class's ``step`` when the first of its kind is made: no sign of a trick."""
    for kind in list(vars(torch.optim).values()):
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
            with contextlib.suppress(Exception):  # some want other arguments
                kind([torch.zeros(1, requires_grad=True)], lr=1.0)


def try_one(
    task: Task, originals: Originals, limits: Limits, readable: list[Path], hidden: list[Path]
) -> dict[str, Any]:
    """The verdict on one exercise, and its seconds."""
    folder = Path(tempfile.mkdtemp())
    reading, channel = os.pipe()
    token, began = secrets.token_bytes(16), time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            _enter(folder, channel, limits)
            judge(task, originals, readable, hidden, folder, token, channel)
        finally:
            os._exit(70)
    os.close(channel)
    went_beyond, status, sent = _wait(child, reading, folder, began, limits)
    end_all(child)
    os.close(reading)
    shutil.rmtree(folder, ignore_errors=True)
    found = _understood(went_beyond, status, sent, token, limits)
    return {**found, "seconds": round(time.monotonic() - began, 2)}


def _enter(folder: Path, channel: int, limits: Limits) -> None:
    """Make this process the exercise's own: a session, a folder, no files of the server's."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.closerange(3, channel)
    os.closerange(channel + 1, 1024)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.chdir(folder)
    for name in ("HOME", "TMPDIR", "COLORLAB_STATE"):
        os.environ[name] = str(folder)
    tempfile.tempdir = None
    hold(limits)


def _wait(
    child: int, reading: int, folder: Path, began: float, limits: Limits
) -> tuple[str, int | None, bytes]:
    """Until the process ends or goes beyond a limit: which, its exit status, and what it sent."""
    sent = b""
    while True:
        ready, _, _ = select.select([reading], [], [], LOOK)
        if ready and len(sent) <= MOST:
            more = os.read(reading, MOST)
            sent += more
            if not more:
                time.sleep(LOOK / 10)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            while len(sent) <= MOST and select.select([reading], [], [], 0)[0]:
                if not (more := os.read(reading, MOST)):
                    break
                sent += more
            return "", status, sent
        if time.monotonic() - began > limits.seconds:
            return "time", None, sent
        if _bytes_in(folder) > limits.disk:
            return "files", None, sent


def _bytes_in(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


def _understood(
    went_beyond: str, status: int | None, sent: bytes, token: bytes, limits: Limits
) -> dict[str, str]:
    """The verdict in what was sent, or what became of the process instead."""
    if went_beyond:
        return {"verdict": went_beyond, "hint": limits.in_words[went_beyond]}
    if sent and not sent.startswith(token):
        return {"verdict": "not judged", "hint": "it writes to where the verdict is sent"}
    if sent and status == 0:
        with contextlib.suppress(ValueError):
            found = json.loads(sent[len(token) :])
            if found["verdict"] in ("memory", "files"):
                found["hint"] = f"{limits.in_words[found['verdict']]}. {found['hint']}"
            return found
        return {"verdict": "not judged", "hint": "it writes to where the verdict is sent"}
    if status is not None and os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGXCPU:
            return {"verdict": "time", "hint": limits.in_words["time"]}
        name = signal.Signals(os.WTERMSIG(status)).name
        return {"verdict": "ended", "hint": f"the process crashed or ended itself ({name})"}
    code = os.waitstatus_to_exitcode(status) if status is not None else 0
    return {"verdict": "ended", "hint": f"it ended the process (exit status {code})"}


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
