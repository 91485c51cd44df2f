"""colorlab.course.checks: the mechanism, and each exercise tried three ways.

Untouched stub: pointed to the first step. Solution: passes. Wrong solutions: each refused with the
hint that fits. And garbage: never raises.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from colorlab.course import checks
from colorlab.course.checks import check, exercises, memory, progress, try_solution
from colorlab.course.checks.exercise import Exercise, Flaw, NotYet, call, describe, want_array
from colorlab.course.checks.limit import TookTooLong, time_limit, unlimited
from colorlab.course.checks.stubs import open_parts


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Each test has a progress folder of its own."""
    monkeypatch.setenv("COLORLAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(memory, "_unsaved", {})
    monkeypatch.setattr(checks, "_last_mistakes", {})
    return tmp_path / "state"


def exercise_of(test, **changes) -> Exercise:
    values = dict(name="0.7", title="T", difficulty=1, minutes=1, start="Start here.", test=test)
    return Exercise(**(values | changes))


def expect_42(value):
    return None if value == 42 else Flaw("Not 42.", "Try 42.")


# --- Exercise 0.1: stub, solution, wrong solutions -----------------------------------------------


def stub(gray, colored):
    """Return the picture whose left half is gray."""
    ...


def stub_without_docstring(gray, colored): ...


def stub_with_a_gap(gray, colored):
    width = gray.shape[1]
    left = gray[:, : width // 2]
    right = ...
    return np.concatenate([left, right], axis=1)


def stub_that_raises(gray, colored):
    raise NotImplementedError("your code here")


def solution(gray, colored):
    half = gray.shape[1] // 2
    return np.concatenate([gray[:, :half], colored[:, half:]], axis=1)


def solution_by_copy(gray, colored):
    result = colored.copy()
    result[:, : gray.shape[1] // 2] = gray[:, : gray.shape[1] // 2]
    return result


def solution_with_leftover(gray, colored):
    ...
    return solution(gray, colored)


def solution_middle_to_gray(gray, colored):
    half = (gray.shape[1] + 1) // 2
    return np.concatenate([gray[:, :half], colored[:, half:]], axis=1)


def swapped(gray, colored):
    return solution(colored, gray)


def top_and_bottom(gray, colored):
    half = gray.shape[0] // 2
    return np.concatenate([gray[:half], colored[half:]])


def bottom_and_top(gray, colored):
    half = gray.shape[0] // 2
    return np.concatenate([colored[:half], gray[half:]])


def half_of_the_height(gray, colored):
    half = gray.shape[0] // 2
    return np.concatenate([gray[:, :half], colored[:, half:]], axis=1)


def both_whole(gray, colored):
    return np.concatenate([gray, colored], axis=1)


def both_whole_above(gray, colored):
    return np.concatenate([gray, colored])


def halves_above(gray, colored):
    half = gray.shape[1] // 2
    return np.concatenate([gray[:, :half], colored[:, half:]])


def same_half_twice(gray, colored):
    half = gray.shape[1] // 2
    return np.concatenate([gray[:, :half], colored[:, :half]], axis=1)


def one_half(gray, colored):
    return gray[:, : gray.shape[1] // 2]


def lost_column(gray, colored):
    half = gray.shape[1] // 2
    return np.concatenate([gray[:, :half], colored[:, -half:]], axis=1)


def fixed_width(gray, colored):
    result = colored.copy()
    result[:, :128] = gray[:, :128]
    return result


def paints_over_the_input(gray, colored):
    colored[:, : gray.shape[1] // 2] = gray[:, : gray.shape[1] // 2]
    return colored


def float_slice(gray, colored):
    half = gray.shape[1] / 2
    return np.concatenate([gray[:, :half], colored[:, half:]], axis=1)


def forgot_return(gray, colored):
    half = gray.shape[1] // 2
    np.concatenate([gray[:, :half], colored[:, half:]], axis=1)


def floats(gray, colored):
    return solution(gray, colored) / 255


def mixed(gray, colored):
    return ((gray.astype(int) + colored) // 2).astype(np.uint8)


def channels_cut(gray, colored):
    result = colored.copy()
    result[..., :1] = gray[..., :1]
    return result


def one_channel(gray, colored):
    return solution(gray, colored)[..., 0]


def as_list(gray, colored):
    return solution(gray, colored).tolist()


def one_argument(photo):
    return photo


def misspelled(gray, colored):
    return np.concatenate([grey[:, :2], colored[:, 2:]], axis=1)  # noqa: F821


def left_only(gray, colored):
    result = np.zeros_like(gray)
    result[:, : gray.shape[1] // 2] = gray[:, : gray.shape[1] // 2]
    return result


WRONG = {
    swapped: "wrong way round",
    top_and_bottom: "top and bottom",
    bottom_and_top: "top and bottom",
    half_of_the_height: "half the height",
    both_whole: "twice as wide",
    both_whole_above: "twice as tall",
    halves_above: "The halves stand above",
    same_half_twice: "once more",
    one_half: "only one half",
    lost_column: "middle column is lost",
    fixed_width: "fixed number",
    paints_over_the_input: "painted over",
    float_slice: "use `//`",
    forgot_return: "`return`",
    floats: "uint8, 0 to 255",
    mixed: "nothing is mixed",
    channels_cut: "color channels: the last index",
    one_channel: "no color channels",
    as_list: "np.array(...)",
    one_argument: "can't be called with 2",
    misspelled: "spelled",
    left_only: "right half isn't yet",
}


class TestExercise01:
    exercise = exercises("00")[0]

    @pytest.mark.parametrize(
        "solution", [stub, stub_without_docstring, stub_with_a_gap, stub_that_raises, None, ...]
    )
    def test_untouched_stub_is_pointed_to_the_start(self, solution):
        result = try_solution(self.exercise, solution)
        assert result.status == "open"
        assert result.advice == self.exercise.start

    @pytest.mark.parametrize(
        "solution",
        [solution, solution_by_copy, solution_with_leftover, solution_middle_to_gray],
    )
    def test_solution_passes(self, solution):
        assert try_solution(self.exercise, solution).status == "solved"

    @pytest.mark.parametrize("solution", WRONG, ids=lambda solution: solution.__name__)
    def test_wrong_solution_gets_its_own_hint(self, solution):
        result = try_solution(self.exercise, solution)
        text = f"{result.finding} {result.advice}"
        assert result.status == "not yet"
        assert WRONG[solution] in text
        others = set(WRONG.values()) - {WRONG[solution], "`return`"}
        assert not [words for words in others if words in text], "two hints can't be told apart"

    def test_the_line_at_fault_is_printed(self):
        result = try_solution(self.exercise, float_slice)
        assert "return np.concatenate([gray[:, :half], colored[:, half:]], axis=1)" in (
            result.finding
        )

    def test_the_result_itself_instead_of_the_function(self):
        result = try_solution(self.exercise, np.zeros((4, 4, 3)))
        assert "without parentheses" in result.advice
        assert "shape (4, 4, 3)" in result.finding


# --- Garbage -------------------------------------------------------------------------------------


class Evil:
    """Raises at everything that is asked of it."""

    def _no(self, *_, **__):
        raise RuntimeError("no")

    __getattr__ = __call__ = __eq__ = __len__ = __iter__ = __repr__ = __str__ = __bool__ = _no
    __getitem__ = __array__ = __hash__ = __format__ = _no


class EvilArray(np.ndarray):
    def __array_function__(self, *_, **__):
        raise RuntimeError("no")


class EvilError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def raising(error):
    def function(*_):
        raise error

    return function


def recursing(*arguments):
    return recursing(*arguments)


def yielding(gray, colored):
    yield gray


async def waiting(gray, colored):
    return gray


GARBAGE = [
    0,
    float("nan"),
    "solution",
    b"\xff",
    [solution],
    {},
    object(),
    Evil(),
    Evil,
    int,
    print,
    type,
    np,
    raising(ValueError("x")),
    raising(EvilError()),
    raising(SystemExit(3)),
    raising(GeneratorExit()),
    raising(MemoryError()),
    raising(NotImplementedError()),
    raising(StopIteration()),
    recursing,
    yielding,
    waiting,
    lambda: None,
    lambda a, b: Evil(),
    lambda a, b: a.view(EvilArray),
    lambda a, b: np.full(a.shape, np.nan),
    lambda a, b: np.full(a.shape, None),
    lambda a, b: np.array("text"),
    lambda a, b: np.empty((0,)),
    lambda a, b: np.empty((2, 0, 3), np.uint8),
    lambda a, b: a[None],
    lambda a, b: iter(int, 1),
    lambda a, b: solution(a, b).astype("M8[s]"),
    lambda a, b: [..., ...],
]


@pytest.mark.parametrize("index", range(len(GARBAGE)))
def test_garbage_never_raises_and_is_never_solved(index, capsys):
    assert check("0.1", GARBAGE[index]) is None
    text = capsys.readouterr().out
    assert "0.1 Half gray, half in color: " in text
    assert ": solved" not in text


# The same, in functions that take whatever they are called with.
GARBAGE_FOR_ANY = [
    None,
    ...,
    0,
    float("nan"),
    "solution",
    [None],
    Evil(),
    Evil,
    int,
    print,
    type,
    raising(ValueError("x")),
    raising(EvilError()),
    raising(SystemExit(3)),
    raising(StopIteration()),
    recursing,
    lambda *_: None,
    lambda *_: Evil(),
    lambda *_: np.nan,
    lambda *_: np.full((3, 3), np.nan),
    lambda *_: np.array("text"),
    lambda *_: np.empty((0,)),
    lambda *_: torch.full((2, 2, 4, 4), torch.nan),
    lambda *_: torch.empty(0),
    lambda *_: torch.tensor(1 + 2j),
    lambda *_: torch.ones(3, dtype=torch.bool),
    lambda *arguments: arguments[0] if arguments else None,
    lambda *arguments: [arguments, arguments],
    lambda *_: (1, 2),
    lambda *_: {"a": 1},
    lambda *_: "text",
    lambda *_: iter(int, 1),
    lambda *_: torch.nn.Linear(2, 2),
    type("Module", (torch.nn.Module,), {}),
    type("Silent", (torch.nn.Module,), {"__init__": lambda self, *_, **__: None}),
    type("Deaf", (torch.nn.Module,), {"forward": lambda self, *_: None}),
]
ALL = [exercise for lesson in checks._lessons() for exercise in exercises(lesson)]


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.name)
def test_garbage_is_survived_by_every_tester(exercise):
    for garbage in GARBAGE_FOR_ANY:
        result = try_solution(exercise, garbage)
        assert result.status != "solved"
        assert result.finding or result.advice


@pytest.mark.parametrize("name", ["0.9", "99.1", "", "0.1 ", None, 0.1, Evil, "٠.١", ["0.1"]])
def test_unknown_name_lists_the_valid_ones(name, capsys):
    check(Evil() if name is Evil else name, solution)
    text = " ".join(capsys.readouterr().out.split())
    assert "There is no exercise" in text and "there are: 0.1" in text


def test_the_stop_button_stops():
    with pytest.raises(KeyboardInterrupt):
        try_solution(exercise_of(raising(KeyboardInterrupt())), 1)


@pytest.mark.skipif(sys.platform == "win32", reason="no alarm signal")
class TestTimeLimit:
    def test_an_endless_loop_ends(self):
        def endless():
            while True:
                with contextlib.suppress(Exception):
                    sum(range(100))

        result = try_solution(exercise_of(lambda f: f(), seconds=0.1), endless)
        assert result.status == "not yet"
        assert "0.1 seconds" in result.finding

    def test_the_clock_stands_still_while_something_is_imported(self):
        with time_limit(0.2), pytest.raises(TookTooLong):
            with unlimited():
                time.sleep(0.4)
            imported = True
            time.sleep(2)
        assert imported

    def test_the_alarm_is_put_back(self):
        import signal

        before = signal.getsignal(signal.SIGALRM)
        try_solution(exercise_of(expect_42, seconds=5), 42)
        assert signal.getsignal(signal.SIGALRM) is before
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

    def test_in_a_thread_it_runs_without_a_limit(self):
        found = []
        thread = threading.Thread(
            target=lambda: found.append(try_solution(exercise_of(expect_42), 42))
        )
        thread.start()
        thread.join()
        assert found[0].status == "solved"


# --- Printing ------------------------------------------------------------------------------------


def test_what_is_printed(capsys):
    check("0.1", solution)
    check("0.1", swapped)
    check("0.1", stub)
    solved, rest = capsys.readouterr().out.split("✗")
    wrong, untouched = rest.split("○")
    assert solved.startswith("✓ 0.1 Half gray, half in color: solved\n  That is all")
    assert wrong.startswith(" 0.1 Half gray, half in color: not yet\n  The halves are the wrong")
    assert untouched.startswith(" 0.1 Half gray, half in color: open\n  Your code goes in place")
    assert max(map(len, (solved + wrong + untouched).splitlines())) <= 88


def test_points_to_the_folded_hint_after_the_third_miss(capsys):
    for _ in range(2):
        check("0.1", swapped)
    assert "folded" not in capsys.readouterr().out
    check("0.1", swapped)
    assert "folded below this cell" in capsys.readouterr().out


def test_prints_on_a_terminal_without_those_signs(tmp_path):
    script = "from colorlab.course.checks import check, progress; check('0.1'); progress()"
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "COLORLAB_STATE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "Half gray, half in color: open" in done.stdout


# --- Advice comes second --------------------------------------------------------------------------


@pytest.fixture
def said(monkeypatch, capsys):
    """What `check` prints of an attempt at an exercise whose tester names two mistakes."""

    def tester(value):
        if value < 0:
            return Flaw(f"{value} is below 0.", "Square it.")
        return None if value == 42 else Flaw(f"{value} is not 42.", "Try 42.")

    monkeypatch.setattr(checks, "_find", lambda name: exercise_of(tester, name=name))

    def attempt(value, name="0.7") -> str:
        capsys.readouterr()
        check(name, value)
        return capsys.readouterr().out

    return attempt


def test_the_advice_comes_with_the_second_attempt_at_the_same_mistake(said):
    first, second, third = said(1), said(2), said(3.5)
    assert "1 is not 42." in first and "Try 42." not in first
    assert "The same mistake once more brings advice." in first
    assert "2 is not 42." in second and "Try 42." in second and "once more" not in second
    assert "Try 42." in third


def test_another_mistake_another_exercise_and_a_solution_begin_anew(said):
    said(1)
    assert "Square it." not in said(-1)
    assert "Try 42." not in said(1)
    assert "Try 42." not in said(1, name="0.8")
    said(42)
    assert "Try 42." not in said(1)


# --- Progress ------------------------------------------------------------------------------------


def test_progress_is_remembered(own_state, capsys):
    progress("00")
    assert "Lesson 00: 0 of 1 exercises solved" in capsys.readouterr().out
    check("0.1", swapped)
    check("0.1", solution)
    check("0.1", swapped)  # what was solved once stays solved
    capsys.readouterr()
    for lesson in ("00", "0", 0, None):
        progress(lesson)
        text = capsys.readouterr().out
        assert "Lesson 00: 1 of 1 exercises solved" in text
        assert "✓ 0.1 Half gray, half in color (●○○ · 3 min): solved" in text
    saved = json.loads((own_state / "progress-00.json").read_text())
    assert saved == {"0.1": {"solved": True, "misses": 2}}
    assert [path.name for path in own_state.iterdir()] == ["progress-00.json"]


def test_an_open_stub_is_no_miss(own_state):
    check("0.1", stub)
    assert not own_state.exists()


@pytest.mark.parametrize("lesson", ["55", "x", "", Evil, "²"])
def test_progress_of_an_unknown_lesson(lesson, capsys):
    progress(Evil() if lesson is Evil else lesson)
    assert "There are: 00" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"0.1": 3}', b'{"0.1": {}}', b"\xff\xfe"])
def test_a_damaged_file_is_said_and_replaced(own_state, content, capsys):
    own_state.mkdir()
    (own_state / "progress-00.json").write_bytes(content)
    progress("00")
    assert "is damaged" in capsys.readouterr().out
    check("0.1", solution)
    progress("00")
    text = capsys.readouterr().out
    assert "1 of 1" in text and text.count("is damaged") == 1


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    monkeypatch.setenv("COLORLAB_STATE", str(blocked / "state"))
    check("0.1", swapped)
    text = capsys.readouterr().out
    assert "can't be saved" in text and "COLORLAB_STATE" in text
    check("0.1", solution)
    progress("00")
    text = capsys.readouterr().out
    assert "1 of 1 exercises solved" in text
    assert "can't be saved" not in text  # said once


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_folder(own_state, capsys):
    own_state.mkdir(mode=0o500)
    check("0.1", solution)
    assert "can't be saved" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself is asked there")
@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        (Unix, {"HOME": "/h"}, "/h/.local/state/colorlab"),
        (Unix, {"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/colorlab"),
        (MacOS, {"HOME": "/h"}, "/h/Library/Application Support/colorlab"),
        (Windows, {"WIN_PD_OVERRIDE_LOCAL_APPDATA": "C:/l"}, "C:/l/colorlab"),
        (Windows, {"HOME": "/h", "COLORLAB_STATE": "/c"}, "/c"),
    ],
)
def test_state_dir(system, variables, expected, monkeypatch):
    for name in ("COLORLAB_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platformdirs, "PlatformDirs", system)
    assert memory.state_dir().as_posix() == expected


def test_state_dir_of_a_user_without_a_home(monkeypatch):
    def unknown(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("COLORLAB_STATE", raising=False)
    monkeypatch.setattr(platformdirs, "user_state_path", unknown)
    assert memory.state_dir() == Path(tempfile.gettempdir(), "colorlab")


# --- Tools for testers ---------------------------------------------------------------------------


class Stubborn:
    def __init__(self):
        super().__init__()
        ...

    def forward(self, x):
        return x[..., 0]  # an index, not a gap

    def backward(self, x): ...


def test_open_parts_of_a_class():
    assert open_parts(Stubborn) == ["Stubborn.__init__", "Stubborn.backward"]
    result = try_solution(exercise_of(lambda _: Flaw("x")), Stubborn)
    assert "in Stubborn.__init__ and Stubborn.backward" in result.finding


@pytest.mark.parametrize("thing", [solution, lambda: ..., np.add, 3, int, "..."])
def test_no_open_parts(thing):
    assert open_parts(thing) == []
    assert open_parts(Evil()) == []


def test_not_implemented_deeper_down_is_no_stub():
    result = try_solution(exercises("00")[0], lambda gray, colored: stub_that_raises(gray, colored))
    assert result.status == "not yet"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        (3, "the number 3"),
        ("a" * 50, "the text 'aaa"),
        ([1, 2], "a list with 2 entries"),
        (np.zeros((2, 3), np.uint8), "a NumPy array of shape (2, 3) and kind uint8"),
        (np.float32(1), "a float32 of shape () and kind float32"),
    ],
)
def test_describe(value, words):
    assert words in describe(value)
    assert describe(Evil()) == "an object of the type Evil"


def test_want_array():
    array = np.ones((2, 3))
    assert want_array(array, shape=(2, 3), dtype=float) is array
    for value, words in [
        (array.T, "shape (2, 3); it has (3, 2)"),
        (array.astype(int), "should be float64; it is int64"),
        (array * np.inf, "6 of 6 numbers in x are NaN or infinite"),
        (array.tolist(), "a list with 2 entries"),
    ]:
        with pytest.raises(NotYet) as caught:
            want_array(value, shape=(2, 3), dtype=float, what="x")
        assert words in caught.value.flaw.mistake


def test_want_array_names_the_way_from_torch():
    torch = pytest.importorskip("torch")
    with pytest.raises(NotYet) as caught:
        want_array(torch.ones(2))
    assert ".numpy()" in caught.value.flaw.advice


def test_call_hands_over_and_returns():
    assert call(divmod, 7, 2) == (3, 1)


def test_an_array_of_its_own_class_is_compared_as_any_other():
    class Agreeable(np.ndarray):
        def __array_function__(self, *given):
            return True

    (before_after,) = exercises("00")
    result = try_solution(before_after, lambda gray, colored: (gray * 0).view(Agreeable))
    assert result.status == "not yet"


@pytest.mark.parametrize("changes", [{"name": "lesson"}, {"name": "1"}, {"difficulty": 4}])
def test_exercise_refuses(changes):
    with pytest.raises(ValueError):
        exercise_of(expect_42, **changes)


def test_every_lesson_module_is_sound():
    for lesson in checks._lessons():
        found = exercises(lesson)
        assert found, f"lesson {lesson} has no exercises"
        assert [exercise.lesson for exercise in found] == [lesson] * len(found)
        assert len({exercise.name for exercise in found}) == len(found)


def test_needs_no_torch():
    script = "import sys, colorlab.course.checks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
