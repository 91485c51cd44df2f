"""What several processes on this machine take, measured: an all-reduce, a training step.

The processes are begun anew by ``colorlab.training.processes``; what each of them does stands
here, since a function that is written in a notebook can't be sent there. What the numbers mean, and
the model that they are held against: ``colorlab.speed.scaling``.

``clock="wall"`` times what a learner waits for, which on a busy machine is mostly the others' work.
``clock="processor"`` counts the time that a process and its threads compute, on whatever machine:
what the step would take if each process had a processor to itself, as far as nobody waits for the
wire. Over the loopback nobody does, since there the processor copies the messages.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor

from colorlab.devices import best_device
from colorlab.recipes.recipe import Recipe, Stage
from colorlab.speed.scaling import StepTimes, WireTimes, gradient_bytes
from colorlab.training.processes import call_in_processes, check_device, join
from colorlab.training.trainer import Trainer

SIZES = tuple(4**k * 1024 for k in range(1, 9))  # bytes: 4 KiB to 64 MiB
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
WARM_UP = 2  # rounds that make room, and in which DDP arranges its buckets


def measure_wire(
    processes: int = 2,
    sizes: Sequence[int] = SIZES,
    *,
    repeats: int = 15,
    clock: str = "wall",
    device: torch.device | str | None = None,
) -> WireTimes:
    """Times the all-reduce of ``sizes`` bytes in ``processes`` processes, begun anew.

    They are on this machine: on the CPU they talk through gloo over its loopback, on GPUs through
    NCCL. The sizes take turns, so that whatever else the machine does falls on all.

    Raises:
        ValueError: fewer than two processes, a size that is no multiple of 4, fewer GPUs than
            processes, a clock that does not measure what is asked.
    """
    if processes < 2:
        raise ValueError(f"there is a wire between at least 2 processes, got {processes}")
    if any(size < 4 or size % 4 for size in sizes):
        raise ValueError(f"float32 numbers are sent: sizes are multiples of 4, got {sizes}")
    check_device(device, processes)
    _check_clock(clock, device)
    seconds = call_in_processes(processes, _time_wire, tuple(sizes), repeats, clock, device)
    return WireTimes(processes, tuple(sizes), tuple(seconds), clock)


def _time_wire(sizes: Sequence[int], repeats: int, clock: str, device: str | None) -> list[float]:
    join(device)
    here = _device_here()
    tensors = [torch.zeros(size // 4, device=here) for size in sizes]
    times: list[list[float]] = [[] for _ in sizes]
    for _ in range(WARM_UP + repeats):
        for tensor, seconds in zip(tensors, times, strict=True):
            dist.barrier()
            seconds.append(_timed(lambda t=tensor: dist.all_reduce(t), here, clock))
    return [statistics.median(seconds[WARM_UP:]) for seconds in times]


def measure_steps(
    recipe: Recipe,
    processes: int = 2,
    *,
    rounds: int = 7,
    threads: bool = False,
    clock: str = "wall",
    device: torch.device | str | None = None,
) -> StepTimes:
    """Times an adversarial step of the recipe's last adversarial stage, see ``StepTimes``.

    The photos are noise, so only the step is timed and no reading. All kinds of step take turns in
    the same processes, so that whatever else the machine does falls on all of them. ``threads``
    times one process with several threads too; on a busy machine they wait for each other, and it
    takes long.

    Raises:
        ValueError: fewer than two processes, no adversarial stage, a batch that can't be dealt out
            evenly, fewer GPUs than processes, a clock that does not measure what is asked.
    """
    stage = _stage_to_time(recipe, processes, device)
    _check_clock(clock, device, threads)
    batch, size = stage.batch_size, stage.image_size
    times = call_in_processes(
        processes, _time_steps, recipe, batch, size, rounds, threads, clock, device
    )
    return StepTimes(
        recipe.name, processes, batch, size, gradient_bytes(recipe), **times, clock=clock
    )


def measure_scaling(
    recipe: Recipe,
    processes: int = 2,
    *,
    rounds: int = 7,
    clock: str = "wall",
    device: torch.device | str | None = None,
) -> tuple[WireTimes, StepTimes]:
    """Run ``measure_wire`` and ``measure_steps`` in processes that are begun only once."""
    _stage_to_time(recipe, processes, device)  # to refuse here, at once, what can't be
    _check_clock(clock, device)
    return call_in_processes(processes, _measure_both, recipe, processes, rounds, clock, device)


def _measure_both(
    recipe: Recipe, processes: int, rounds: int, clock: str, device: str | None
) -> tuple[WireTimes, StepTimes]:
    times = measure_wire(processes, repeats=rounds, clock=clock, device=device)
    return times, measure_steps(recipe, processes, rounds=rounds, clock=clock, device=device)


def _stage_to_time(recipe: Recipe, processes: int, device: torch.device | str | None) -> Stage:
    if processes < 2:
        raise ValueError(f"one process is compared with several, got {processes}")
    stage = next((s for s in reversed(recipe.stages) if s.kind == "adversarial"), None)
    if stage is None:
        raise ValueError(f"recipe {recipe.name!r} has no adversarial stage to time a step of")
    if stage.batch_size % processes:
        raise ValueError(
            f"a batch of {stage.batch_size} can't be dealt to {processes} processes evenly; "
            f"take another with recipe.with_batch(…)"
        )
    check_device(device, processes)
    return stage


def _time_steps(
    recipe: Recipe,
    batch: int,
    size: int,
    rounds: int,
    threads: bool,
    clock: str,
    device: str | None,
) -> dict[str, float]:
    rank, processes = join(device)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    trainer = Trainer(recipe, device=device, compile="off")
    photos = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    share = photos[rank::processes]
    kinds = {  # photos, who computes, in how many threads, whether gradients are averaged
        "together": (share, range(processes), 1, True),
        "apart": (share, range(processes), 1, False),
        "share": (share, range(1), 1, False),
        "whole": (photos, range(1), 1, False),
    }
    if threads:
        kinds["threads"] = (photos, range(1), processes, False)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(WARM_UP + rounds):
        for name, (batch, busy, count, averaged) in kinds.items():
            dist.barrier()
            seconds = 0.0
            if rank in busy:
                torch.set_num_threads(count)
                with nullcontext() if averaged else trainer.apart():
                    step = partial(_step, trainer, batch)
                    seconds = _timed(step, trainer.device, clock)
                torch.set_num_threads(1)
            times[name].append(seconds)
    torch.set_num_threads(before)
    slowest = torch.tensor(list(times.values()), device=trainer.device)  # (kinds, rounds)
    dist.all_reduce(slowest, dist.ReduceOp.MAX)  # a step has ended when it has for all
    medians = slowest[:, WARM_UP:].median(1).values.tolist()
    return dict(zip(kinds, medians, strict=True))


def _check_clock(clock: str, device: torch.device | str | None, threads: bool = False) -> None:
    if clock not in CLOCKS:
        raise ValueError(f"clock is {clock!r}; choose from {', '.join(CLOCKS)}")
    if clock == "processor" and (threads or torch.device(device or best_device()).type != "cpu"):
        raise ValueError(
            "processor time adds up that of all threads and knows nothing of GPUs: with threads or "
            'a GPU, take clock="wall"'
        )


def _step(trainer: Trainer, batch: Tensor) -> None:
    trainer.adversarial_step(*trainer.split(batch))


def _timed(work: Callable[[], object], device: torch.device, clock: str) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    now = CLOCKS[clock]
    wait()
    began = now()
    work()
    wait()
    return now() - began


def _device_here() -> torch.device:
    on_gpu = dist.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
