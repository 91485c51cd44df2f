"""colorlab.training.processes: several processes, begun from a notebook (here: from the test)."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made import with_

from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training.processes import ProcessFailed, call_in_processes, in_notebook
from colorlab.weights import load_weights

RECIPE = dataclasses.replace(
    with_(
        generator={"levels": 2, "cap": 8, "norm": "instance", "dropout": 0.0},
        discriminator={"norm": "instance"},
    ),
    stages=(Stage("adversarial", 3, 16, 2),),
)


def launched(photos: Path, output: Path, recipe: Recipe = RECIPE, **settings) -> Path:
    settings = {"processes": 2, "device": "cpu", "progress": False, **settings}
    return in_notebook(recipe, photos, output=output, **settings)


def test_two_processes_leave_what_one_does(photos: Path, tmp_path: Path) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert launched(photos, tmp_path / "two") == tmp_path / "two"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert launched(photos, tmp_path / "one", processes=1) == tmp_path / "one"
    names = [sorted(p.name for p in (tmp_path / n).rglob("*.ckpt")) for n in ("one", "two")]
    assert names[0] == names[1] == ["step-00000003.ckpt"]
    one, two = (
        load_weights(tmp_path / name / "weights.safetensors")[0].state_dict()
        for name in ("one", "two")
    )
    for name, value in one.items():
        # Adam's first steps are as long for a gradient that is rounding alone.
        assert (value - two[name]).abs().max() < 1e-3, name


def test_what_fails_there_is_reported_here(photos: Path, tmp_path: Path) -> None:
    odd = dataclasses.replace(RECIPE, stages=(Stage("adversarial", 3, 16, 3),))
    with pytest.raises(ProcessFailed, match="a batch of 3 can't be dealt to 2 processes") as error:
        launched(photos, tmp_path / "run", odd)
    assert "In process" in str(error.value) and "fit.py" in str(error.value)


def test_an_interrupted_run_says_how_it_goes_on(photos, tmp_path, monkeypatch, capsys) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("colorlab.training.processes._launch", interrupted)
    assert launched(photos, tmp_path / "run") == tmp_path / "run"
    assert "the same call with resume=True goes on" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):  # any other function has nothing to go on from
        call_in_processes(2, words_of)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"processes": 0}, "at least 1, got 0"),
        ({"output": None}, "needs the folder to train into"),
        ({"ask": print}, "ask can't be used"),
        ({"device": "mps"}, "not on 'mps'"),
        ({"device": "cuda:1"}, 'give device="cuda"'),
        ({"device": "cuda", "processes": 1000}, "GPUs for 1000 processes"),
    ],
)
def test_what_can_not_be_is_refused_at_once(photos: Path, tmp_path, settings, says) -> None:
    settings = {"output": tmp_path / "run", "processes": 2, "device": "cpu", **settings}
    with pytest.raises(ValueError, match=says):
        in_notebook(RECIPE, photos, **settings)
    assert not (tmp_path / "run").exists()


def test_what_can_not_be_sent_is_named(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"listeners can't be sent .* in a \.py file"):
        launched(photos, tmp_path / "run", listeners=[lambda event: None])


def test_what_the_notebook_alone_knows_is_named(photos: Path, tmp_path: Path, monkeypatch) -> None:
    import __main__

    def listen(event: object) -> None:
        pass

    listen.__module__, listen.__qualname__ = "__main__", "listen"
    monkeypatch.setattr(__main__, "listen", listen, raising=False)
    with pytest.raises(TypeError, match="listeners holds something that is defined in this noteb"):
        launched(photos, tmp_path / "run", listeners=[listen])


def words_of(*words: str) -> tuple[str, ...]:
    return words


def test_a_function_is_called_here_where_no_process_is_to_be_started(monkeypatch) -> None:
    assert call_in_processes(1, words_of, "a", "b") == ("a", "b")
    monkeypatch.setenv("WORLD_SIZE", "3")  # as in one of three
    assert call_in_processes(3, words_of, "c") == ("c",)
    for processes in (1, 2):
        with pytest.raises(ValueError, match=f"one of 3 processes already.*start {processes}"):
            call_in_processes(processes, words_of)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        call_in_processes(0, words_of)


def test_a_function_that_can_not_be_sent_is_named() -> None:
    with pytest.raises(TypeError, match="the function can't be sent"):
        call_in_processes(2, lambda: None)
    with pytest.raises(TypeError, match="argument 2 can't be sent"):
        call_in_processes(2, words_of, "a", lambda: None)


LEAVING = """
import sys, time
import torch.distributed
from colorlab.training.processes import leave
leave()  # alone
rank, store = int(sys.argv[1]), torch.distributed.FileStore(sys.argv[2], 2)
torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
torch.distributed.barrier()
time.sleep(rank)
began = time.monotonic()
leave()
print(time.monotonic() - began, torch.distributed.is_initialized())
"""


def test_who_is_done_first_waits_for_the_other(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LEAVING]
    children = [
        subprocess.Popen([*words, rank, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True)
        for rank in ("0", "1")
    ]
    said = [child.communicate(timeout=60)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert float(said[0][0]) > 0.9 > float(said[1][0])
    assert [words[1] for words in said] == ["False", "False"]
