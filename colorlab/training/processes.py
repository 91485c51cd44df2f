"""Several processes, one a GPU, from a notebook: a training run, or any function.

The processes are torch's own elastic launcher's, which ``accelerate launch`` and accelerate's
``notebook_launcher`` stand on too. The latter forks the notebook, so it can't follow anything that
has used the GPU, and its copies may hang where torch had computed in several threads. Here the
processes begin anew, and what the notebook did before does not matter.
"""

from __future__ import annotations

import logging
import os
import pickle
import pickletools
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import torch

from colorlab.devices import best_device
from colorlab.recipes.recipe import Recipe

STOPPED = 130  # exit status of a process that a signal stopped, as shells have it


class ProcessFailed(RuntimeError):
    """One of the processes failed; the message ends with the traceback from there."""


def in_notebook(recipe: Recipe, photos: Any, *, processes: int, **settings: Any) -> Path:
    """Train ``Run(recipe, photos, **settings)`` over ``processes`` processes, from a notebook.

    The networks are those processes' own, and end with them. An interrupt (■) stops the run after
    its step and saves; the same call with ``resume=True`` goes on from there. With one process, it
    trains in the notebook.

    Args:
        photos: as in ``colorlab.training.Run``. A recipe's batches are dealt out to the
            processes evenly.
        processes: one for each GPU, or with ``device="cpu"`` any number.
        settings: further arguments of ``colorlab.training.Run``. ``output`` is required;
            ``ask`` can't be used, since nobody sits before those processes.

    Returns:
        The output folder, where weights, history and checkpoints stand.

    Raises:
        ValueError: no process, more of them than GPUs, or no output folder.
        TypeError: an argument can't be sent to another process.
        ProcessFailed: the training failed there.
    """
    output = settings.get("output")
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")
    if output is None:
        raise ValueError(
            "in_notebook needs the folder to train into, output=…: the networks live in other "
            "processes, and only what they write there is left of them"
        )
    if processes == 1:
        from colorlab.training.run import Run

        Run(recipe, photos, **settings).train()
        return Path(output)
    if settings.get("ask") is not None:
        raise ValueError(
            "ask can't be used over several processes started here; leave it out: each epoch is "
            "saved and no rate changed"
        )
    check_device(settings.get("device"), processes)
    _check_sendable(recipe=recipe, photos=photos, **settings)
    try:
        _launch(processes, _train, (recipe, photos, settings))
    except KeyboardInterrupt:
        print("interrupted: the run has stopped; the same call with resume=True goes on")
    return Path(output)


def call_in_processes(processes: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function(*arguments)`` in each of several processes; returns what the first one's did.

    With one process, the function is called here, and likewise in each of several that were started
    together already. Else each process begins anew, so the function must stand in a module that it
    can import, and its result must be one that outlives the process: numbers, texts and NumPy
    arrays do, a tensor does not. Functions that talk to each other begin with ``join``;
    ``leave`` is called for them.

    Raises:
        ValueError: no process; or this is one of several already, and not of so many.
        TypeError: the function or an argument can't be sent to another process.
        ProcessFailed: the function failed there.
        KeyboardInterrupt: it was interrupted (■); the processes have ended.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")
    started = int(os.environ.get("WORLD_SIZE", 1))
    if processes != started > 1:
        raise ValueError(f"this is one of {started} processes already, it can't start {processes}")
    if processes == started:
        return function(*arguments)
    named = {f"argument {number}": value for number, value in enumerate(arguments, 1)}
    _check_sendable(**{"the function": function}, **named)
    return _launch(processes, function, arguments)


def join(device: torch.device | str | None = None) -> tuple[int, int]:
    """In one process of several: enter their group. This one's number, and how many there are.

    They talk through NCCL on GPUs (each then has a GPU of its own) and through gloo elsewhere.
    On its own, it is process 0 of 1, and nothing is set up.
    """
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if processes == 1:
        return 0, 1
    if not torch.distributed.is_initialized():
        on_gpu = torch.device(device or best_device()).type == "cuda"
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    return torch.distributed.get_rank(), processes


def leave() -> None:
    """At the end of a process: wait for the others, then part. One process does nothing.

    A process that ended while gloo's threads still let go of the last tensors would be aborted,
    and the launcher would report a failure (pytorch's pull request 179291 explains it). Nothing
    says when they are done; after a moment they are.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        time.sleep(0.2)
        torch.distributed.destroy_process_group()


def _work(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What each process does."""
    try:
        result = function(*arguments)
    except KeyboardInterrupt:  # an end without a result would be waited for
        sys.exit(STOPPED)
    leave()
    return result if os.environ["RANK"] == "0" else None


def _train(recipe: Recipe, photos: Any, settings: dict[str, Any]) -> None:
    from colorlab.training.run import Run

    run = Run(recipe, photos, **settings)
    run.train()
    leave()
    if run.signal is not None:  # to return now would wait for a launcher that is ending
        sys.exit(STOPPED)


def _launch(processes: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from accelerate.utils import patch_environment
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # any port that is free
        local_addr="localhost",
        max_restarts=0,
        start_method="spawn",
    )
    with _kept_as_it_is(), patch_environment(**_environment(processes)):
        try:
            return elastic_launch(config, _work)(function, arguments)[0]
        except SignalException as error:
            if error.sigval != signal.SIGINT:
                raise
            raise KeyboardInterrupt from None
        except ChildFailedError as error:
            raise ProcessFailed(_failure_message(error)) from None


def check_device(device: torch.device | str | None, processes: int) -> None:
    """Refuse a device of which ``processes`` processes can't each have one.

    Raises:
        ValueError: there are too few GPUs, or it is of another kind.
    """
    kind = torch.device(device or best_device()).type
    if kind == "cpu":
        return
    if kind != "cuda":
        raise ValueError(
            f"several processes compute on GPUs or on the processor, not on {kind!r}; take "
            f'processes=1, or device="cpu"'
        )
    if device is not None and torch.device(device).index is not None:
        raise ValueError(f'each process takes a GPU of its own: give device="cuda", not {device!r}')
    if processes > torch.cuda.device_count():
        raise ValueError(
            f"there are {torch.cuda.device_count()} GPUs for {processes} processes; take at most "
            f'as many processes, or device="cpu" to try it out'
        )


def _check_sendable(**arguments: Any) -> None:
    advice = (
        "give photos as folders, and define classes and functions in a .py file that the notebook "
        "imports"
    )
    for name, value in arguments.items():
        try:
            sent = bytes(ForkingPickler.dumps(value))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise TypeError(
                f"{name} can't be sent to another process ({error}); {advice}"
            ) from error
        if any(word == "__main__" for _, word, _ in pickletools.genops(sent)):
            raise TypeError(
                f"{name} holds something that is defined in this notebook, where another process "
                f"can't find it; {advice}"
            )


@contextmanager
def _kept_as_it_is() -> Iterator[None]:
    """Undoes afterwards what the launcher leaves behind: its handlers for signals. Inside, it does
    not log the traceback that ``ProcessFailed`` brings."""
    log = logging.getLogger("torch.distributed.elastic")
    level = log.level
    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def _environment(processes: int) -> dict[str, str]:
    """What the processes find in their environment, beside what is set already."""
    wanted = {"OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // processes, 1))}
    if sys.platform == "linux":  # they talk within this machine; its name may lead elsewhere
        wanted["GLOO_SOCKET_IFNAME"] = "lo"
    return {name: value for name, value in wanted.items() if name not in os.environ}


def _failure_message(error: Any) -> str:
    """What the process that failed first has to say."""
    rank, failure = error.get_first_failure()
    said = failure.error_file_data.get("message")
    if isinstance(said, dict):
        return f"{said['message']}\n\nIn process {rank}:\n{said['extraInfo']['py_callstack']}"
    if failure.exitcode == STOPPED:
        return f"process {rank} was asked to stop: all stopped. A run goes on with resume=True"
    if failure.exitcode < 0:
        return (
            f"process {rank} was ended by {failure.signal_name()}. SIGKILL often means that the "
            f"machine ran out of memory: take smaller batches or fewer processes"
        )
    return f"process {rank} ended with exit status {failure.exitcode}; what it printed says why"
