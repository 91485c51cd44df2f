"""Thirty notebooks handed in, of which many are hostile: each gets the verdict that it deserves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from colorlab.course.checks import exercises
from colorlab.course.grading.collected import Submission
from colorlab.course.grading.grader import NAMESPACES, Grader, can_unshare
from colorlab.course.grading.limits import Limits
from colorlab.course.grading.table import Row
from course.grading.handed_in import RIGHT, cases, notebook, psnr, solved_lesson, write

CASES = cases()
LIMITS = {"memory": 400 * 2**20, "disk": 20 * 2**20}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write(tmp_path_factory.mktemp("handed-in"), CASES)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    os.environ["COLORLAB_SECRET"] = "of the teacher"
    try:
        with Grader(["01", "03", "05", "06", "09"], Limits(60, **LIMITS)) as grader:
            yield grader
    finally:
        del os.environ["COLORLAB_SECRET"]


@pytest.fixture(scope="module")
def hasty() -> Iterator[Grader]:
    """Stops everything after two seconds."""
    with Grader(["09"], Limits(2, **LIMITS)) as grader:
        yield grader


def row_of(rows: list[Row], exercise: str) -> Row:
    (found,) = [row for row in rows if row.exercise == exercise]
    return found


def test_there_are_thirty() -> None:
    assert len(CASES) == 30


@pytest.mark.parametrize("name", CASES)
def test_each_gets_its_verdict(name: str, papers, grader: Grader, hasty: Grader) -> None:
    case = CASES[name]
    chosen = hasty if case.short else grader
    row = row_of(chosen.grade(Submission("ada", papers[name])), case.exercise)
    assert (row.verdict, case.words in row.hint) == (case.verdict, True), row


def test_nothing_is_left_running_or_written(grader: Grader) -> None:
    assert not Path("/var/tmp/of-a-learner").exists()
    assert len(psutil.Process().children(recursive=True)) <= 4  # two graders and their namespaces


def grade(grader: Grader, folder: Path, content: str) -> list[Row]:
    path = folder / "made.ipynb"
    path.write_text(content, encoding="utf-8")
    return grader.grade(Submission("ada", path))


def test_a_notebook_without_exercises_is_named(grader: Grader, tmp_path: Path) -> None:
    (row,) = grade(grader, tmp_path, notebook("x = 1"))
    assert row.verdict == "not judged" and "no cell that begins with # EXERCISE" in row.hint


def test_a_huge_notebook_is_not_read(grader: Grader, tmp_path: Path) -> None:
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(101 * 2**20)
    (row,) = grader.grade(Submission("ada", path))
    assert (row.verdict, row.hint) == (
        "not judged",
        "huge.ipynb: it is larger than 100 MB: clear its outputs",
    )


@pytest.mark.parametrize("number", ["05", "06"])
def test_a_lesson_solved_right_is_passed(number: str, grader: Grader, tmp_path: Path) -> None:
    rows = grade(grader, tmp_path, solved_lesson(number))
    assert [row for row in rows if row.verdict != "passed"] == []
    assert len(rows) == len(exercises(number))


@pytest.mark.parametrize(
    "name", ["right, a network", "the network", "never ends", "writes a verdict to every pipe"]
)
def test_it_holds_where_the_system_makes_no_namespaces(
    name: str, papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorlab.course.grading.grader.can_unshare", lambda: False)
    case = CASES[name]
    with Grader(["03", "09"], Limits(2 if case.short else 60, **LIMITS)) as grader:
        assert not grader.cut_off
        row = row_of(grader.grade(Submission("ada", papers[name])), case.exercise)
    assert (row.verdict, case.words in row.hint) == (case.verdict, True), row


STRAYS = """
import os, subprocess, sys, time
import psutil
from colorlab.course.grading.limits import SUBREAPER, end_all, prctl

prctl(SUBREAPER, 1)
child = os.fork()
if child == 0:
    os.setsid()
    subprocess.run(["sh", "-c", f"setsid sleep {sys.argv[1]} & setsid sleep {sys.argv[1]} &"])
    os._exit(0)


def strays():
    commands = [one.info["cmdline"] or () for one in psutil.process_iter(["cmdline"])]
    return sum(sys.argv[1] in command for command in commands)


limit = time.monotonic() + 30
while (before := strays() - 1) < 2 and time.monotonic() < limit:  # this program has the mark too
    time.sleep(0.05)
end_all(child)
print(before, strays() - 1)
"""


@pytest.mark.parametrize("prefix", [(), ("unshare", *NAMESPACES, "--mount-proc")])
def test_what_an_exercise_has_left_running_is_ended(prefix: tuple[str, ...]) -> None:
    """Also what has left the session, and whose parent is gone."""
    if prefix and not can_unshare():
        pytest.skip("this system makes no namespaces")
    program = [*prefix, sys.executable, "-c", STRAYS, f"{31_000_000 + os.getpid()}"]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert (ran.stdout.split(), ran.stderr) == (["2", "0"], "")


def test_an_exercise_that_is_not_there_is_missing(grader: Grader, tmp_path: Path) -> None:
    rows = grade(grader, tmp_path, psnr(RIGHT))
    assert [row.verdict for row in rows] == ["passed", *["missing"] * 6]


@pytest.mark.parametrize(
    "code",
    [
        "class Any(torch.Tensor):\n    def __torch_function__(*given): return True",
        "import gc",
        "import importlib",
        "exec('x = 1')",
        "sys.modules.clear()",
        "torch.Tensor.square = lambda x: x",
        "setattr(torch, 'isfinite', None)",
        "import colorlab.color as color\ncolor.XYZ_TO_RGB[0] = 1",
        "from colorlab.course.cells import course_solution",
        "import colorlab.course.checks as own",
        "import signal",
        "import logging\nframe = logging.currentframe()",
    ],
)
def test_code_that_could_change_the_check_does_not_run(
    code: str, grader: Grader, tmp_path: Path
) -> None:
    row = row_of(grade(grader, tmp_path, psnr(RIGHT, code)), "9.1")
    assert row.verdict == "not judged" and row.hint.startswith("it was not run"), row


@pytest.mark.parametrize(
    "code",
    [
        "tensor = [torch.Tensor][0]\ntensor.isfinite = lambda x: True",
        "functions = [F][0]\nfunctions.softplus = lambda x: x",
        "for module in [torch]:\n    module.isfinite = None",
        "from colorlab.color import XYZ_TO_RGB\nXYZ_TO_RGB[0] = XYZ_TO_RGB[1]",
    ],
)
def test_what_is_altered_behind_a_name_is_noticed(code: str, grader: Grader, tmp_path) -> None:
    row = row_of(grade(grader, tmp_path, psnr(RIGHT, code)), "9.1")
    assert row.verdict == "not judged" and row.hint.startswith("it changes "), row


newer = pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brought them")
LOOKS = "import sys\nframe = sys._getframe(0)"


@pytest.mark.parametrize(
    "code",
    [
        f"import timeit\ntimeit.timeit({LOOKS!r}, number=1)",
        f"open('own.py', 'w').write({LOOKS!r})\nsys.path.append(os.getcwd())\nimport own",
        pytest.param("sys.monitoring.register_callback(0, 1, print)", marks=newer),
        pytest.param("import threading\nthreading.settrace_all_threads(print)", marks=newer),
    ],
    ids=["a text", "a module of its own", "each call", "each call, by way of threading"],
)
def test_what_is_no_librarys_is_the_learners(code: str, grader: Grader, tmp_path: Path) -> None:
    row = row_of(grade(grader, tmp_path, psnr(f"{code}\n{RIGHT}")), "9.1")
    assert (row.verdict, row.hint) == ("not judged", "it looks into the process that checks it")


def test_no_exercise_changes_the_limits_of_the_next(tmp_path: Path) -> None:
    limits = "import resource\nresource.prlimit(os.getppid(), resource.RLIMIT_AS, (10**6, 10**6))"
    with Grader(["09"], Limits(60, **LIMITS)) as grader:
        row = row_of(grade(grader, tmp_path, psnr(f"{limits}\n{RIGHT}")), "9.1")
        assert (row.verdict, "changes limits" in row.hint) == ("error", True)
        assert row_of(grade(grader, tmp_path, psnr(RIGHT)), "9.1").verdict == "passed"
