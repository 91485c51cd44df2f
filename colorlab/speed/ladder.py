"""The ladder of speed: one training step made faster by one change at a time, each change predicted
before it is measured.

The prediction is simple on purpose. The first step, as commonly written, is profiled once and so
falls into parts; each change replaces the part that it is about, by a figure measured apart from
the step, and leaves the others as they are (Amdahl, "Validity of the single processor approach to
achieving large scale computing capabilities", AFIPS 1967: what is not made faster remains):

| change | what becomes of its part |
|---|---|
| photos kept | reading becomes cutting, timed on its own |
| Lab on the device | the conversion, timed on its own |
| channels-last | nothing: no operation and no byte less |
| bf16, fp16 | convolutions, divided by the ratio of the two ceilings of matrix products |
| fused Adam | seven passes over the weights (four read, three written) at the memory's ceiling |
| compile | activations, copies and arithmetic melt into their neighbors: nothing left |
| larger batch | Adam's part is shared by more photos |

Where it is wrong it has left something out: layouts do matter to the code that runs, casts cost
passes of their own, and small convolutions stay below any ceiling.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from colorlab.devices import (
    best_device,
    choose_compile,
    choose_precision,
    fused_adam,
    hardware_name,
)
from colorlab.recipes.recipe import Recipe
from colorlab.speed.op_kinds import ACTIVATION, ADAM, ARITHMETIC, CONVOLUTION, COPY, LAB, READING
from colorlab.speed.plain_step import PlainStep, Switches
from colorlab.speed.profiling import profile
from colorlab.speed.roofline import Roofline, ceilings
from colorlab.speed.stopwatch import median_seconds, take_turns

START, KEEP, DEVICE, LAYOUT, FUSED, COMPILE = (
    "as commonly written",
    "+ photos decoded once",
    "+ Lab on the device",
    "+ channels-last",
    "+ fused Adam",
    "+ torch.compile",
)
_ADAM_PASSES = 7  # reads weight, gradient and two moments; writes weight and moments
_APART = 1.3  # times; the same step differs by a few percent on a machine that does nothing else
_MELTED = (ACTIVATION, ARITHMETIC, COPY)


@dataclass(frozen=True)
class Parts:
    """What the predictions are made of.

    Attributes:
        seconds: of one step as commonly written, by kind of work.
        cutting, lab: of a batch: to cut it from kept photos; to convert it on the device.
        fused: of Adam, if only the memory's bandwidth decided.
        ratio: how many times faster a matrix product is in the device's half precision.
        batch: photos a step.
    """

    seconds: dict[str, float]
    cutting: float
    lab: float
    fused: float
    ratio: float
    batch: int

    @property
    def total(self) -> float:
        """Seconds of all parts."""
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: all changes up to this one, and what this one does to the parts."""

    name: str
    switches: Switches
    change: Callable[[dict[str, float], Parts], dict[str, float]]
    times: int = 1  # the batch, in those of the first rung


@dataclass(frozen=True)
class Row:
    """A rung's seconds a photo, as predicted and as measured."""

    name: str
    predicted: float
    measured: float


@dataclass(frozen=True)
class Ladder:
    """A measured ladder.

    Attributes:
        hardware, torch: what it was measured with.
        recipe, size, batch: what was trained, in pixels a side and photos a step.
        parts: of the first rung.
        rows: rung by rung.
        left_out: the changes that this machine has no use for, and why.
    """

    hardware: str
    torch: str
    recipe: str
    size: int
    batch: int
    parts: Parts
    rows: tuple[Row, ...]
    left_out: dict[str, str]

    @property
    def title(self) -> str:
        """The recipe, the size and the batch, in words."""
        return f"{self.recipe}, {self.size} px, batch {self.batch}"

    def __str__(self) -> str:
        first, before = self.rows[0].measured, None
        lines = [f"{self.hardware}, torch {self.torch}: {self.title}"]
        lines.append(
            f"{'ms a photo':<26}{'predicted':>11}{'measured':>10}{'this one':>10}{'all':>8}"
        )
        for row in self.rows:
            gain = f"{before / row.measured:.2f} x" if before else ""
            lines.append(
                f"{row.name:<26}{row.predicted * 1000:11.1f}{row.measured * 1000:10.1f}{gain:>10}"
                f"{first / row.measured:6.2f} x"
            )
            before = row.measured
        lines += [f"{name}: left out, {why}" for name, why in self.left_out.items()]
        return "\n".join(lines)


def rungs(
    device: torch.device | str,
    *,
    compile: str = "auto",
    times: int = 4,  # noqa: A002
) -> tuple[list[Rung], dict[str, str]]:
    """The rungs that ``device`` has a use for, from the bottom, and why the others are left out.

    Args:
        compile: see ``colorlab.devices.choose_compile``.
        times: how many times larger the batch of the last rung is.
    """
    device = torch.device(device)
    half = choose_precision(device)
    changes: list[tuple[str, dict[str, Any], Any, str]] = [
        (KEEP, {"keep": True}, lambda now, p: {READING: p.cutting}, ""),
        (DEVICE, {"lab_on_device": True}, lambda now, p: {LAB: p.lab}, ""),
        (LAYOUT, {"channels_last": True}, lambda now, p: {}, ""),
        (
            f"+ {'bf16' if half == 'fp32' else half}",
            {"precision": half},
            lambda now, p: {CONVOLUTION: now.get(CONVOLUTION, 0.0) / p.ratio},
            "" if half != "fp32" else "this device has no units for half precision",
        ),
        (
            FUSED,
            {"fused": True},
            lambda now, p: {ADAM: p.fused},
            "" if fused_adam(device) else f"torch has none for {device.type}",
        ),
        (
            COMPILE,
            {"compile": True},
            lambda now, p: dict.fromkeys(_MELTED, 0.0),
            "" if choose_compile(device, compile) else _no_compile(device, compile),
        ),
    ]
    found, left_out = [Rung(START, Switches(), lambda now, p: {})], {}
    for name, switch, change, why_not in changes:
        if why_not:
            left_out[name] = why_not
        else:
            found.append(Rung(name, replace(found[-1].switches, **switch), change))
    if times > 1:
        found.append(Rung(f"+ batch × {times}", found[-1].switches, _shared(times), times))
    return found, left_out


def measure_parts(
    recipe: Recipe,
    photos: Any,
    *,
    device: torch.device | str | None = None,
    roofline: Roofline | None = None,
    repeats: int = 5,
) -> Parts:
    """Profile the step as commonly written, and time apart from it what its parts will become.

    The profile says the shares and a stopwatch the whole, since the profiler slows it.
    """
    device = torch.device(device or best_device())
    half = choose_precision(device)
    roofline = roofline or ceilings(device)
    step = PlainStep(recipe, photos, Switches(), device)
    networks = {"generator": step.generator, "discriminator": step.discriminator}
    seconds = median_seconds(step, repeats, 2, device)
    found = profile(step, networks, steps=2, warmup=0, device=device)
    weights = sum(p.numel() for network in networks.values() for p in network.parameters())
    kept = PlainStep(recipe, photos, Switches(keep=True, lab_on_device=True), device)
    batch = kept.read(1)
    return Parts(
        {kind: seconds * part / found.total for kind, part in found.seconds.items()},
        cutting=median_seconds(lambda: kept.read(1), repeats),
        lab=median_seconds(lambda: kept.lab(batch), repeats, 2, device),
        fused=_ADAM_PASSES * 4 * weights / roofline.bandwidth,
        ratio=roofline.peaks[half] / roofline.peaks["fp32"],
        batch=len(batch),
    )


def predict(parts: Parts, ladder: Sequence[Rung]) -> dict[str, float]:
    """Seconds a photo on each rung, from the parts only."""
    now, predicted = dict(parts.seconds), {}
    for rung in ladder:
        now |= rung.change(now, parts)
        predicted[rung.name] = sum(now.values()) / parts.batch
    return predicted


def measure_ladder(
    recipe: Recipe,
    photos: Any,
    *,
    device: torch.device | str | None = None,
    parts: Parts | None = None,
    repeats: int = 5,
    compile: str = "auto",  # noqa: A002 - torch's own word
    times: int = 4,
) -> Ladder:
    """Predict every rung, then build and time them all, in turns.

    Args:
        recipe: for ``colorlab.speed.plain_step.PlainStep``; its last stage says size and
            batch.
        parts: what ``measure_parts`` gave for the same recipe, photos and device.
        repeats: rounds that are counted, one step of each rung a round.
        compile, times: see ``rungs``.

    Raises:
        ValueError, ImportError: as ``PlainStep``.
    """
    device = torch.device(device or best_device())
    ladder, left_out = rungs(device, compile=compile, times=times)
    parts = parts or measure_parts(recipe, photos, device=device)
    predicted = predict(parts, ladder)
    stage = recipe.stages[-1]
    works = {
        rung.name: PlainStep(
            recipe.with_batch(stage.batch_size * rung.times), photos, rung.switches, device
        )
        for rung in ladder
    }
    taken = take_turns(works, repeats, 2, device)
    rows = [
        Row(
            rung.name,
            predicted[rung.name],
            statistics.median(taken[rung.name]) / (stage.batch_size * rung.times),
        )
        for rung in ladder
    ]
    return Ladder(
        hardware_name(device),
        torch.__version__.split("+")[0],
        recipe.name,
        stage.image_size,
        stage.batch_size,
        parts,
        tuple(rows),
        left_out,
    )


def check_quiet(ladder: Ladder) -> None:
    """Whether the machine did nothing else meanwhile, as far as the ladder can know.

    Its first step is timed twice: apart, for the parts, and in turns with the other rungs.

    Raises:
        RuntimeError: the two are more than 1.3 times apart, either way.
    """
    apart, turns = ladder.parts.total / ladder.batch, ladder.rows[0].measured
    if not 1 / _APART <= apart / turns <= _APART:
        raise RuntimeError(
            f"the machine was busy: the same step took {apart * 1000:.4g} ms a photo when its "
            f"parts were measured, and {turns * 1000:.4g} ms among the other rungs; run it again "
            f"when nothing else runs"
        )


def _shared(times: int) -> Callable[[dict[str, float], Parts], dict[str, float]]:
    return lambda now, parts: {ADAM: now.get(ADAM, 0.0) / times}


def _no_compile(device: torch.device, wanted: str) -> str:
    if wanted == "off":
        return "compile='off'"
    if device.type == "cpu":
        return "on a CPU there was no gain, and it needs a C++ compiler"
    return "torch's compiler writes no code for this device that would pay"
