"""What a piece of work asks of a machine: its operations one by one, each with its arithmetic, the
memory it touches, and the time it takes.

Counted for every call that torch makes below autograd, backward passes and optimizers included:

- *flops*: of convolutions and matrix products by the formulas of torch's own FlopCounterMode, a
  multiplication and an addition being two. Everything else counts one for each number that it makes
  (copies none). That is rough, and makes no difference: such operations wait for memory by far.
- *bytes*: what it reads (pictures, weights, gradients) and what it writes, each tensor once. Views
  cost nothing.

Not seen: what stays in the processor's cache from one operation to the next, which saves reading;
what a convolution copies inside itself; and what a compiler would fuse.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from colorlab.speed.op_kinds import CONVOLUTION, COPY, kind_of
from colorlab.speed.stopwatch import synchronize

PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
_MAKES_NOTHING = ("empty", "new_empty", "_unsafe_view", "_local_scalar_dense", "record_stream")
# These write a tensor that they get without looking at what was in it.
_OVERWRITES = ("copy_", "zero_", "fill_", "bernoulli_", "normal_", "uniform_", "random_")


@dataclass(frozen=True)
class Operation:
    """One call: its name in torch, its kind (``colorlab.speed.op_kinds``), what it asks for.

    Attributes:
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``, of what it reads; "" of whole numbers.
        flops, bytes: see the module.
        seconds: the least of its calls: what else the machine does only slows them.
        shapes: of the tensors that it reads.
    """

    name: str
    kind: str
    precision: str
    flops: int
    bytes: int
    seconds: float
    shapes: tuple[tuple[int, ...], ...] = ()

    @property
    def intensity(self) -> float:
        """Flops a byte."""
        return self.flops / self.bytes if self.bytes else 0.0


@dataclass(frozen=True)
class Operations:
    """All operations of one piece of work, in their order."""

    calls: tuple[Operation, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations of all calls."""
        return sum(call.flops for call in self.calls)

    @property
    def bytes(self) -> int:
        """Bytes that all calls read and write."""
        return sum(call.bytes for call in self.calls)

    @property
    def seconds(self) -> float:
        """Of the operations only: what Python does between them is not in it."""
        return sum(call.seconds for call in self.calls)

    def by_kind(self) -> dict[str, Operation]:
        """The sum of each kind of work as one operation, the longest first."""
        groups: dict[str, list[Operation]] = defaultdict(list)
        for call in self.calls:
            groups[call.kind].append(call)
        sums = [_sum(kind, calls) for kind, calls in groups.items()]
        return {one.kind: one for one in sorted(sums, key=lambda one: -one.seconds)}


def count(
    work: Callable[[], object],
    *,
    repeats: int = 3,
    warmup: int = 2,
    device: torch.device | str = "cpu",
) -> Operations:
    """Run ``work`` and write down every operation; its time is the least of ``repeats`` runs.

    Each operation is timed apart, and on a GPU waited for: there a small one takes the time that it
    takes to start it, some microseconds, which a GPU that is kept busy hides.

    Raises:
        ValueError: the runs differ in their operations, so that they can't be compared; or
            ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats={repeats}: at least one run must be counted")
    for _ in range(warmup):  # Adam makes its state in the first step
        work()
    runs = []
    for _ in range(repeats):
        with _Counter(torch.device(device)) as counter:
            work()
        runs.append(counter.calls)
    first = [(call.name, call.shapes) for call in runs[0]]
    for other in runs[1:]:
        if [(call.name, call.shapes) for call in other] != first:
            raise ValueError(
                f"the work does other operations each time ({len(first)}, then {len(other)}); give "
                f"it the same batch, and let it run a few times first (warmup=…)"
            )
    calls = []
    for same in zip(*runs, strict=True):
        seconds = min(call.seconds for call in same)
        calls.append(Operation(**{**vars(same[0]), "seconds": seconds}))
    return Operations(tuple(calls))


class _Counter(TorchDispatchMode):
    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device
        self.calls: list[Operation] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.device.type != "cpu":
            synchronize(self.device)
        began = time.perf_counter()
        out = func(*args, **kwargs)
        if self.device.type != "cpu":
            synchronize(self.device)
        seconds = time.perf_counter() - began
        packet = func._overloadpacket
        name = packet.__name__
        if not _is_view(func) and not name.startswith(_MAKES_NOTHING):
            self.calls.append(_operation(func, name, args, kwargs, out, seconds))
        return out


def _operation(
    func: Any, name: str, args: tuple, kwargs: dict, out: Any, seconds: float
) -> Operation:
    kind = kind_of(name)
    made = [tensor for tensor in tree_leaves(out) if isinstance(tensor, Tensor)]
    read, moved = [], 0
    for place, argument in enumerate(func._schema.arguments):
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        tensors = [tensor for tensor in tree_leaves(value) if isinstance(tensor, Tensor)]
        read += tensors
        size = sum(_bytes(tensor) for tensor in tensors)
        writes = argument.alias_info is not None and argument.alias_info.is_write
        if writes and argument.name == "grads":  # of fused Adam, which may unscale them; seldom
            writes = kwargs.get("grad_scale") is not None
        moved += 2 * size if writes and name not in _OVERWRITES else size
    fresh = [
        _bytes(tensor)
        for tensor, returned in zip(made, _returns(func, len(made)), strict=True)
        if returned is None  # else it is one of the arguments that were written to
    ]
    moved += sum(fresh)
    formula = flop_registry.get(func._overloadpacket)
    if formula is not None:
        flops = formula(*args, **kwargs, out_val=out)
    elif kind in (COPY, CONVOLUTION):
        flops = 0
    else:  # Adam makes its numbers in the tensors that it gets
        flops = sum(tensor.numel() for tensor in made) or sum(t.numel() for t in read)
    precision = next((PRECISIONS[t.dtype] for t in read if t.dtype in PRECISIONS), "")
    shapes = tuple(tuple(tensor.shape) for tensor in read)
    return Operation(name, kind, precision, int(flops), moved, seconds, shapes)


def _returns(func: Any, count: int) -> list[Any]:
    """For each tensor made, which argument it is; None for a new one."""
    returns = [returned.alias_info for returned in func._schema.returns]
    return returns if len(returns) == count else [None] * count


def _is_view(func: Any) -> bool:
    infos = [returned.alias_info for returned in func._schema.returns]
    return any(info is not None and not info.is_write for info in infos)


def _bytes(tensor: Tensor) -> int:
    """What a tensor takes in memory: of one that is expanded, what lies there once."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def _sum(kind: str, calls: list[Operation]) -> Operation:
    weight: dict[str, int] = defaultdict(int)
    for call in calls:
        weight[call.precision] += call.flops or 1
    return Operation(
        kind,
        kind,
        max(weight, key=weight.__getitem__),
        sum(call.flops for call in calls),
        sum(call.bytes for call in calls),
        sum(call.seconds for call in calls),
    )
