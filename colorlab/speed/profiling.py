"""Where a training step's time goes: torch's profiler, in the words of this course.

torch.profiler names every operation and knows which called which. Here each moment is put down
under two headings. The *phase*: the forward pass of a network, its backward pass, Adam, or a
range that the step itself marks with ``torch.profiler.record_function("reading photos")``. And the
*kind* of work, see ``colorlab.speed.op_kinds``. A backward operation belongs to the network
whose forward pass it undoes: torch gives both the same sequence number.

The profiler writes down each operation and so slows a step of many small ones: the seconds here are
those under the profiler. A stopwatch measures how long the step takes without it.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, record_function

from colorlab.devices import is_compiled
from colorlab.speed.op_kinds import ADAM, ARITHMETIC, LAB, OUTSIDE, kind_of
from colorlab.speed.stopwatch import synchronize

if TYPE_CHECKING:
    from colorlab.training.trainer import Trainer

LOSSES = "losses, the rest"
IDLE = "GPU waits"
BOTH = f"{ADAM} (both)"  # the phase, where both networks take their step
_NETWORK = "network: "  # before the name of a range that holds a network's forward pass
_NODE = "autograd::engine::evaluate_function: "


@dataclass(frozen=True)
class Profile:
    """Seconds of one step, by phase and kind of work.

    Attributes:
        table: seconds by ``(phase, kind)``, phases in the order in which they first come.
        device: whose seconds they are: "cpu", or the GPU's own.
    """

    table: dict[tuple[str, str], float]
    device: str = "cpu"

    @property
    def total(self) -> float:
        """Seconds of the whole step under the profiler."""
        return sum(self.table.values())

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by kind of work, the longest first."""
        return _summed(self.table, 1)

    @property
    def phases(self) -> dict[str, float]:
        """Seconds by phase, in the order of the step."""
        found: dict[str, float] = defaultdict(float)
        for (phase, _), seconds in self.table.items():
            found[phase] += seconds
        return dict(found)


def profile(
    work: Callable[[], object],
    networks: Mapping[str, nn.Module] | None = None,
    parts: Mapping[str, tuple[Any, str]] | None = None,
    *,
    steps: int = 3,
    warmup: int = 2,
    device: torch.device | str = "cpu",
) -> Profile:
    """Run ``work`` ``steps`` times under torch's profiler, after ``warmup`` times without.

    Args:
        networks: whose forward and backward passes are distinguished, by the names to show.
        parts: what else is to be named: an object and the name of its method. What happens in it
            is a phase and a kind of its own; so are ranges that ``work`` itself marks with
            ``record_function``.
        device: where it computes. On a GPU the seconds are those of its kernels, and what is left
            of the step is the time in which it waits for the processor.

    Raises:
        ValueError: a network is compiled: its operations are no longer those of its layers. Or the
            profiler can't see what the device does.
    """
    if steps < 1:
        raise ValueError(f"steps={steps}: at least one step must be profiled")
    networks, parts = dict(networks or {}), dict(parts or {})
    for name, network in networks.items():
        if is_compiled(network):
            raise ValueError(
                f"the {name} is compiled, and compiled code melts its layers into kernels of "
                f"other names; profile one that is not, such as Trainer(…, compile='off')"
            )
    device = torch.device(device)
    if device.type not in ("cpu", "cuda"):
        raise ValueError(
            f"torch's profiler does not see what {device.type!r} computes; profile on the CPU: "
            f"device='cpu'"
        )
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    for _ in range(warmup):
        work()
    synchronize(device)
    with (
        _marked(networks, parts),
        _quiet(),
        torch.profiler.profile(activities=activities) as profiler,
    ):
        began = time.perf_counter()
        for _ in range(steps):
            work()
        synchronize(device)
        wall = time.perf_counter() - began
    table = _tally(profiler.events(), wall, device.type == "cuda")
    taken = sum(_is_mark(e) and e.name.startswith("Optimizer.step") for e in profiler.events())
    if len(networks) == 2 and taken == 2 * steps:
        table = {(BOTH if phase == ADAM else phase, k): s for (phase, k), s in table.items()}
    return Profile({key: seconds / steps for key, seconds in table.items()}, device.type)


def profile_trainer(trainer: Trainer, batch: Tensor, steps: int = 3) -> Profile:
    """The profile of the adversarial step of ``colorlab.training.Trainer`` on uint8 photos.

    The networks learn from them, as in any step.

    Raises:
        ValueError: as ``profile``.
    """
    return profile(
        lambda: trainer.step("adversarial", 1, batch),
        {"generator": trainer.generator, "discriminator": trainer.discriminator},
        {LAB: (trainer, "split")},
        steps=steps,
        device=trainer.device,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, the profiler's own log is off, if nobody has chosen its level: it would write two
    lines of dates and addresses below the cell at each start and stop."""
    name = "KINETO_LOG_LEVEL"
    if name in os.environ:
        yield
        return
    os.environ[name] = "6"
    try:
        yield
    finally:
        os.environ.pop(name, None)


@contextmanager
def _marked(
    networks: Mapping[str, nn.Module], parts: Mapping[str, tuple[Any, str]]
) -> Iterator[None]:
    """Inside, the networks' forward passes and the parts are ranges that the profiler sees."""
    with ExitStack() as stack:
        for name, network in networks.items():
            ranges: list[record_function] = []

            def enter(*_: object, name: str = name, ranges: list = ranges) -> None:
                ranges.append(record_function(_NETWORK + name))
                ranges[-1].__enter__()

            def leave(*_: object, ranges: list = ranges) -> None:
                ranges.pop().__exit__(None, None, None)

            stack.callback(network.register_forward_pre_hook(enter).remove)
            stack.callback(network.register_forward_hook(leave, always_call=True).remove)
        for name, (owner, method) in parts.items():
            # In the object's own names it hides the class's method until it is deleted again.
            vars(owner)[method] = record_function(name)(getattr(owner, method))
            stack.callback(vars(owner).pop, method)
        yield


def _tally(events: Sequence[Any], wall: float, on_device: bool) -> dict[tuple[str, str], float]:
    """Seconds by (phase, kind) of all ``events``, and what of the ``wall`` time they leave."""
    events = [e for e in events if str(e.device_type).endswith("CPU")]
    events.sort(key=lambda event: event.time_range.start)
    undone: dict[int, str] = {}  # sequence number -> the phase in which the operation was made
    table: dict[tuple[str, str], float] = defaultdict(float)
    host: dict[str, float] = defaultdict(float)
    node_phase = LOSSES  # of the last node of the backward pass
    for event in events:
        ranges = list(_above(event))
        mark = next((r.name for r in reversed(ranges) if _is_mark(r)), None)
        node = next((r for r in ranges if r.name.startswith(_NODE)), None)
        if node is not None:
            # What adds up a weight's gradient has no number: it follows the node that made it.
            if node.sequence_nr in undone:
                node_phase = undone[node.sequence_nr]
            phase, kind = node_phase, None
        else:
            phase, kind = _of_forward(mark)
            if event.sequence_nr >= 0:  # the last that has it is the one that made the node
                undone[event.sequence_nr] = phase.replace("forward", "backward")
        if kind is None:
            kind = _kind(event, ranges)
        spent = event.self_device_time_total if on_device else event.self_cpu_time_total
        table[phase, kind] += spent / 1e6
        if on_device and mark == event.name and phase == kind:
            host[phase] += (event.cpu_time_total - event.device_time_total) / 1e6
    left = max(wall - sum(table.values()), 0.0)
    if on_device:  # a GPU that waits while photos are read waits for the reading
        for phase, seconds in host.items():
            taken = min(max(seconds, 0.0), left)
            table[phase, phase] += taken
            left -= taken
    table[(IDLE if on_device else OUTSIDE,) * 2] += left
    return {key: seconds for key, seconds in table.items() if seconds > 0}


def _of_forward(mark: str | None) -> tuple[str, str | None]:
    """Phase and kind of what happens outside of the backward pass; None: by the operation."""
    if mark is None:
        return LOSSES, None
    if mark.startswith("Optimizer.step"):
        return ADAM, ADAM
    if mark.startswith("Optimizer."):  # the gradients are let go
        return LOSSES, None
    if mark.startswith(_NETWORK):
        return f"{mark.removeprefix(_NETWORK)} forward", None
    return mark, mark


def _kind(event: Any, ranges: Sequence[Any]) -> str:
    if _is_mark(event):
        return OUTSIDE  # a range's own time is what Python did between its operations
    # Many operations are made of others: what `relu` calls is an activation, whatever its name.
    for one in [event, *ranges[1:]]:
        kind = kind_of(one.name) if not _is_mark(one) else ARITHMETIC
        if kind != ARITHMETIC:
            return kind
    return ARITHMETIC


def _above(event: Any) -> Iterator[Any]:
    """The event itself, what called it, and so on up."""
    while event is not None:
        yield event
        event = event.cpu_parent


def _is_mark(event: Any) -> bool:
    return bool(event.is_user_annotation)


def _summed(table: Mapping[tuple[str, str], float], place: int) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for key, seconds in table.items():
        sums[key[place]] += seconds
    return dict(sorted(sums.items(), key=lambda item: -item[1]))
