"""colorlab.audit.every_core: everything done once, whatever dies, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from colorlab.audit import every_core
from colorlab.audit.every_core import on_every_core

HERE = Path(__file__).resolve().parents[1]


def squares(lot: list[int]) -> list[int]:
    return [number**2 for number in lot]


def deadly(lot: list[int]) -> list[int]:
    if any(number in (5, 33) for number in lot):
        os._exit(1)  # as a crash in a decoder
    return squares(lot)


def wrong(lot: list[int]) -> list[int]:
    if 7 in lot:
        raise ValueError("seven")
    return lot


def slow(lot: list[int]) -> list[int]:
    time.sleep(0.3)
    return lot


def deaf(lot: list[int]) -> bool:
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def blocked(lot: list[int]) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def leaving_traces(lot: list[tuple[int, Path]]) -> None:
    for number, folder in lot:
        (folder / str(number)).touch()
    time.sleep(0.3)


def lots(count: int, of: int = 4) -> list[list[int]]:
    return [list(range(i * of, i * of + of)) for i in range(count)]


def workers() -> list[psutil.Process]:
    """Processes below this one, but for the two that multiprocessing keeps for later."""
    found = []
    for child in psutil.Process().children(recursive=True):
        line = " ".join(child.cmdline())
        if "resource_tracker" not in line and child.parent() != psutil.Process():
            found.append(child)
    return found


@pytest.mark.parametrize("processes", [0, 2])
def test_every_lot_is_done_once(processes) -> None:
    done = list(on_every_core(squares, lots(9), processes))
    assert sorted(done) == [(lot, [n**2 for n in lot]) for lot in lots(9)]
    assert workers() == []


def test_lots_are_drawn_as_they_are_needed() -> None:
    drawn = []

    def watched():
        for lot in lots(40):
            drawn.append(lot)
            yield lot

    for number, _ in enumerate(on_every_core(squares, watched(), 2), start=1):
        assert len(drawn) <= number + 2 * every_core._AHEAD
    assert len(drawn) == number == 40


def test_what_kills_its_process_is_named_and_the_rest_is_done() -> None:
    done = list(on_every_core(deadly, lots(12), 2))
    assert sorted(lot for lot, result in done if result is None) == [[5], [33]]
    good = sorted(n for lot, result in done if result for n in lot)
    assert good == sorted(set(range(48)) - {5, 33})
    assert all(result == squares(lot) for lot, result in done if result)


def test_an_error_comes_up_here_and_ends_the_processes() -> None:
    with pytest.raises(ValueError, match="seven"):
        list(on_every_core(wrong, lots(30), 2))
    assert workers() == []
    with pytest.raises(ValueError, match="processes=-1"):
        list(on_every_core(squares, lots(1), -1))


def test_leaving_early_ends_the_processes_after_the_lots_under_way(tmp_path) -> None:
    generator = on_every_core(leaving_traces, ([(n, tmp_path)] for n in range(100)), 2)
    next(generator)
    assert len(workers()) == 2
    generator.close()
    assert workers() == []
    assert len(list(tmp_path.iterdir())) <= every_core._AHEAD * 2


def test_processes_are_deaf_to_ctrl_c() -> None:
    """A terminal sends it to all; the first process hears it and ends the others."""
    assert [result for _, result in on_every_core(deaf, lots(2), 2)] == [True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the helper process")
def test_the_helper_is_deaf_to_ctrl_c_before_it_imports_anything() -> None:
    """Its workers inherit what it inherited; this process itself hears again."""
    assert [result for _, result in on_every_core(blocked, lots(1), 1)] == [True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def script(folder: Path, text: str) -> subprocess.Popen[str]:
    path = folder / "script.py"
    path.write_text(f"import sys; sys.path.insert(0, {str(HERE)!r})\n{text}")
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_script_without_its_guard_is_warned_of_it(tmp_path) -> None:
    text = (
        "from colorlab.audit.every_core import on_every_core\n"
        "from audit.test_every_core import squares\n"
        "print(list(on_every_core(squares, [[1]], 2)))\n"
    )
    _, err = script(tmp_path, text).communicate(timeout=60)
    assert "ChildProcessError: No worker process could start" in err.splitlines()[-1]
    assert 'if __name__ == "__main__":' in err and "processes=0" in err


LONG = """
from colorlab.audit.every_core import on_every_core
from audit.test_every_core import slow, lots

if __name__ == "__main__":
    for lot, _ in on_every_core(slow, lots(1000), 2):
        print(lot, flush=True)
"""


@pytest.mark.parametrize("blow", [signal.SIGINT, getattr(signal, "SIGKILL", signal.SIGTERM)])
def test_ctrl_c_and_a_sudden_end_leave_no_process(tmp_path, blow) -> None:
    child = script(tmp_path, LONG)
    assert child.stdout is not None and child.stdout.readline()
    family = psutil.Process(child.pid).children(recursive=True)
    assert len(family) >= 3
    if blow == signal.SIGINT:
        os.killpg(child.pid, blow)  # a terminal sends it to all of them
    else:
        child.send_signal(blow)
    _, err = child.communicate(timeout=30)
    assert child.returncode != 0
    if blow == signal.SIGINT:
        assert err.rstrip().endswith("KeyboardInterrupt") and err.count("Traceback") == 1
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


BARE = """
from colorlab.audit.every_core import on_every_core
from audit.test_every_core import squares

if __name__ == "__main__":
    print("begun", flush=True)
    list(on_every_core(squares, [[1]] * 1000, 2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the helper process")
@pytest.mark.parametrize("seconds", [0.3, 0.8])
def test_ctrl_c_while_the_processes_start_is_one_traceback(tmp_path, seconds) -> None:
    child = script(tmp_path, BARE)
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    time.sleep(seconds)  # the helper imports torch meanwhile
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert err.count("Traceback") == 1 and "forkserver" not in err.splitlines()[-1]
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
