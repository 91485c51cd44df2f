"""A network with an encoder for the testers of lesson 08, in two forms, and what is said of them.

`maps_and_ups` notes which map went where in a walk up; `small_net` is one that trains.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from colorlab.course.checks.exercise import Flaw, NotYet, call, describe, load_optimizers

Call = tuple[float, float, float]  # a block's number, and those of x and skip


def maps_and_ups(count: int) -> tuple[list[Any], list[Any], list[Any], list[Call]]:
    """features, ups, what the blocks gave, and a log of their calls.

    In the log i is the map features[i], and -1 - i the one that ups[i] gave.
    """
    import torch
    import torch.nn.functional as F
    from torch import nn

    features = [torch.rand(2, 2 + i, 32 >> i, 64 >> i) for i in range(count)]
    given: list[Any] = []
    log: list[Call] = []
    known = [(i, x) for i, x in enumerate(features)]

    def number(x: Any) -> float:
        if not isinstance(x, torch.Tensor):
            raise NotYet(
                f"An up block got {describe(x)} where it needs a map.",
                "What does `features` hold, and which part of it is x before the first block?",
            )
        return next((i for i, one in known if torch.equal(one, x)), math.inf)

    class Up(nn.Module):
        def __init__(self, block: int) -> None:
            super().__init__()
            self.block = block

        def forward(self, x: Any, skip: Any) -> Any:
            log.append((self.block, number(x), number(skip)))
            x = F.interpolate(x, scale_factor=2).mean(1, keepdim=True)
            skip = F.interpolate(skip, size=x.shape[2:])  # so that a wrong one is logged too
            given.append(torch.cat([x, skip], 1))
            known.append((-1 - self.block, given[-1]))
            return given[-1]

    return features, [Up(i) for i in range(count - 1)], given, log


def walk(x: float, skips: Iterable[float], ups: Iterable[int]) -> list[Call]:
    """The log of a walk that starts at x."""
    log = []
    for up, skip in zip(ups, skips, strict=False):
        log.append((up, x, skip))
        x = -1 - up
    return log


def small_net() -> tuple[Any, list[bool]]:
    """A small network with an `encoder`, and the modes that its encoder is put in."""
    from torch import nn

    load_optimizers()
    modes: list[bool] = []

    class Block(nn.Sequential):
        def __init__(self, inputs: int, outputs: int) -> None:
            conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            super().__init__(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))

    class Encoder(nn.Sequential):
        def train(self, mode: bool = True) -> Any:
            modes.append(mode)
            return super().train(mode)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hint_stem = nn.Conv2d(1, 4, 1)
            self.encoder = Encoder(Block(1, 3), Block(3, 4))
            self.ups = nn.ModuleList([Block(4, 3)])
            self.to_ab = nn.Conv2d(3, 2, 1)

        def forward(self, L: Any) -> Any:
            return self.to_ab(self.ups[0](self.encoder(L) + self.hint_stem(L)))

    return Net(), modes


def two_groups(function: Any, net: Any, rate: float, share: float) -> Sequence[dict[str, Any]]:
    """The two groups for an optimizer that a function makes.

    Raises `NotYet` with what came instead.
    """
    try:
        groups = call(function, net, rate, share)
    except RuntimeError as error:
        if "ambiguous" not in str(error) and "must match" not in str(error):
            raise
        raise NotYet(
            "`in` compares tensors by their numbers, and so raises an error.",
            "What tells two parameters apart that hold the same numbers? Names do, and id().",
        ) from None
    dicts = isinstance(groups, list | tuple) and all(isinstance(one, dict) for one in groups)
    if not dicts or len(groups) != 2:
        raise NotYet(
            f"A list of two dicts was expected; it is {describe(groups)}.",
            "One dict for each learning rate. The optimizer is made of them later.",
        )
    if not all({"params", "lr"} <= set(one) for one in groups):
        raise NotYet("A key is missing in a group.", 'AdamW looks for "params" and "lr".')
    return groups


def flaw_of_groups(first: list[str], second: list[str], names: list[str]) -> Flaw | None:
    """What is wrong with two groups, given by the names of their parameters."""
    known = {name for name in names if name.startswith("encoder.")}
    twice = len(first) + len(second) - len({*first, *second})
    if twice:
        return Flaw(
            f"{twice} parameters are listed twice.",
            "A parameter takes one step, in one group. Which ones are not new?",
        )
    if not first or not second:
        return Flaw(
            f"The {'second' if first else 'first'} group is empty.",
            "What .parameters() gives can be walked once. Has a loop used it up before?",
        )
    if (set(first), set(second)) == (known, set(names) - known):
        return Flaw("The encoder's group stands first.", "The docstring says which comes first.")
    missing = [name for name in names if name not in {*first, *second}]
    if missing:
        return Flaw(
            f"{len(missing)} of {len(names)} parameters are in neither group: {missing[0]} is one.",
            "How do you get all but the encoder's, whatever the other parts are called?",
        )
    wrong = [name for name in names if (name in second) != (name in known)]
    if wrong:
        return Flaw(
            f"{len(wrong)} parameters stand in the wrong group: {wrong[0]} is one.",
            "Print the names in each group: net.named_parameters() gives them.",
        )
    return None


def call_for_effect(function: Any, *arguments: Any) -> None:
    """`call` for a function that may return nothing."""
    if not callable(function):
        call(function)

    @functools.wraps(function, assigned=("__name__",), updated=())
    def called(*arguments: Any) -> bool:
        function(*arguments)
        return True

    call(called, *arguments)


def flaw_of_frozen(encoder: Any, moved: dict[str, float], modes: list[bool]) -> Flaw | None:
    """What two steps have changed in the encoder. moved: by how much, by name."""
    weights = [name for name, _ in encoder.named_parameters(prefix="encoder")]
    loose = [name for name in weights if name in moved]
    averages = [name for name in moved if "running" in name]
    if loose and not averages:
        return Flaw(
            f"The averages rest, but {len(loose)} of the encoder's {len(weights)} parameters move.",
            "The mode says how layers compute, not whether they learn. What says that?",
        )
    if len(loose) == len(weights):
        return Flaw(
            f"Nothing is frozen: all {len(weights)} parameters of the encoder move.",
            "The steps come after your function has ended. What lasts until then?",
        )
    if loose:
        return Flaw(
            f"{len(loose)} of the encoder's {len(weights)} parameters move: {loose[0]} is one.",
            "Convolutions and norms learn alike. Walk through all that the encoder has.",
        )
    if averages and False in modes[:-1]:
        return Flaw(
            f"The encoder's eval mode does not last: {averages[0]} has moved.",
            "A later line sets the mode again. How deep does net.train() reach?",
        )
    if averages:
        return Flaw(
            f"The bug is still in: {averages[0]} moves by {moved[averages[0]]:.3f} in two steps.",
            "A buffer needs no gradient to change. In which mode does a batch norm change it?",
        )
    return None
