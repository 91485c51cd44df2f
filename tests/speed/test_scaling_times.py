"""colorlab.speed.scaling_times: two processes, begun anew, that send each other what is told of
them."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from made import RECIPE, with_

from colorlab.recipes.recipe import Stage
from colorlab.speed.scaling import gradient_bytes
from colorlab.speed.scaling_times import (
    CLOCKS,
    SIZES,
    _timed,
    measure_scaling,
    measure_steps,
    measure_wire,
)
from colorlab.training.processes import call_in_processes, join
from colorlab.training.trainer import Trainer

PER_PHOTO = with_(
    generator={"levels": 2, "cap": 8, "norm": "instance", "dropout": 0.0},
    discriminator={"norm": "instance"},
)


def in_each(batch: torch.Tensor) -> dict[str, object]:
    """What both processes do for the tests below, in one launch."""
    rank, processes = join("cpu")
    numbers = torch.arange(5.0) * (rank + 1)
    dist.all_reduce(numbers)
    trainer = Trainer(PER_PHOTO, device="cpu")
    sent: dict[str, int] = {"generator": 0, "discriminator": 0}

    def counting(name, bucket):  # without types: torch compares them with its own
        sent[name] += bucket.buffer().nbytes
        future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
        return future.then(lambda done: done.value()[0])

    trainer._generator.register_comm_hook("generator", counting)
    trainer._pair.register_comm_hook("discriminator", counting)
    share = batch[rank::processes]
    trainer.step("adversarial", 1, share)
    once = dict(sent)
    with trainer.apart():
        trainer.adversarial_step(*trainer.split(share))
    return {
        "sum": numbers.tolist(),
        "sent": once,
        "apart": sent,
        "wire": measure_wire(2, (4096, 4 << 20), repeats=3, device="cpu"),
        "steps": measure_steps(PER_PHOTO, rounds=2, threads=True, device="cpu"),
        "both": measure_scaling(PER_PHOTO, rounds=2, clock="processor", device="cpu"),
        "asleep": [_timed(lambda: time.sleep(0.3), trainer.device, clock) for clock in CLOCKS],
    }


@pytest.fixture(scope="module")
def result(batch: torch.Tensor) -> dict[str, object]:
    return call_in_processes(2, in_each, batch)


def test_two_processes_add_up(result) -> None:
    assert result["sum"] == [0.0, 3.0, 6.0, 9.0, 12.0]


def test_a_step_sends_what_is_counted(result) -> None:
    assert sum(result["sent"].values()) == gradient_bytes(PER_PHOTO)
    assert result["sent"]["generator"] > 0 < result["sent"]["discriminator"]
    assert result["apart"] == result["sent"], "apart, nothing more was sent"


def test_a_wire_and_a_step_are_measured(result) -> None:
    times, steps = result["wire"], result["steps"]
    assert (times.processes, times.sizes) == (2, (4096, 4 << 20))
    assert 0 < times.seconds[0] < times.seconds[1]  # a thousand times as much
    assert (steps.recipe, steps.processes, steps.batch, steps.image_size) == ("test", 2, 2, 16)
    assert steps.sent == gradient_bytes(PER_PHOTO)
    for name in ("whole", "share", "apart", "together", "threads"):
        assert 0 < getattr(steps, name) < 60, name
    times, steps = result["both"]
    assert times.sizes == SIZES and len(times.seconds) == len(SIZES)
    assert steps.sent == gradient_bytes(PER_PHOTO) and steps.threads is None
    assert times.clock == steps.clock == "processor"


def test_processor_time_leaves_waiting_out(result) -> None:
    wall, processor = result["asleep"]
    assert processor < 0.1 < 0.29 < wall


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: measure_wire(1), "at least 2 processes, got 1"),
        (lambda: measure_wire(2, (4, 6)), "multiples of 4"),
        (lambda: measure_wire(2, device="mps"), "not on 'mps'"),
        (lambda: measure_steps(RECIPE, 1), "compared with several, got 1"),
        (lambda: measure_scaling(RECIPE, 3), "a batch of 2 can't be dealt to 3"),
        (lambda: measure_steps(RECIPE, 3, device="cpu"), "a batch of 2 can't be dealt to 3"),
        (lambda: measure_wire(device="cpu", clock="sun"), "choose from wall, processor"),
        (
            lambda: measure_steps(RECIPE, device="cpu", threads=True, clock="processor"),
            'take clock="wall"',
        ),
        (
            lambda: measure_steps(
                dataclasses.replace(RECIPE, stages=(Stage("pretrain", 1, 16, 2),)), device="cpu"
            ),
            "no adversarial stage",
        ),
    ],
)
def test_what_can_not_be_measured_is_refused_at_once(call, says) -> None:
    with pytest.raises(ValueError, match=says):
        call()


def hang(folder: str) -> None:
    """Says which process it is, and waits for the other, who never comes."""
    rank, _ = join("cpu")
    Path(folder, str(rank)).write_text(str(os.getpid()))
    if rank == 0:
        dist.barrier()
    time.sleep(300)


INTERRUPTED = """
import sys
from speed.test_scaling_times import hang
from colorlab.training.processes import call_in_processes
if __name__ == "__main__":
    try:
        call_in_processes(2, hang, sys.argv[1])
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_an_interrupt_ends_the_processes(tmp_path: Path) -> None:
    """As ■ does it: the signal goes to the notebook and to all that it started."""
    script = tmp_path / "notebook.py"
    script.write_text(INTERRUPTED)
    tests = str(Path(__file__).parents[1])
    child = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    files, end = [tmp_path / "0", tmp_path / "1"], time.monotonic() + 120
    while not all(file.exists() and file.read_text() for file in files):
        assert child.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    assert child.communicate(timeout=60)[0] == "interrupted\n"
    assert child.returncode == 0
    for file in files:
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)
