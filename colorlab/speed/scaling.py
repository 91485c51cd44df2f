"""What several processes gain, and what it costs that they must agree: a model and its figures.

In data parallel training each process takes its share of the batch, and after each backward pass
the processes average their gradients (all-reduce). The measurements that the model is held against
are made in ``colorlab.speed.scaling_times``.

- Strong scaling: the batch stays, so p processes get 1/p of it each. The speed-up is the time of a
  step in one process over the time of the same step in p; at best p.
- Weak scaling: each process keeps its share, so the batch grows with p. The efficiency is the time
  of a step in one process over the time of a step in p; at best 1. Photos a second grow by p times
  the efficiency.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.recipes.recipe import Recipe


def ring_seconds(size: float, processes: int, bandwidth: float, latency: float) -> float:
    """Seconds that an all-reduce of ``size`` bytes takes in a ring of ``processes``.

    Each sends 1/p of the data to its neighbor, 2 (p - 1) times over: p - 1 times until each has the
    sum of one part, p - 1 times until all have all parts. So no process sends more than twice the
    data, however many there are; but the messages grow in number. Patarasuk and Yuan, "Bandwidth
    optimal all-reduce algorithms for clusters of workstations" (JPDC 69(2), 2009), section 3; the
    time of a message is ``latency + its bytes / bandwidth``, and that of the additions is left out.

    Args:
        bandwidth: bytes a second that a process sends while it receives as many.
        latency: seconds that a message of no length takes.

    Raises:
        ValueError: no process, a negative size or latency, or no bandwidth.
    """
    if processes < 1 or size < 0 or bandwidth <= 0 or latency < 0:
        raise ValueError(
            f"at least 1 process, 0 bytes, a bandwidth above 0 and a latency of at least 0 are "
            f"needed; got {processes}, {size}, {bandwidth} and {latency}"
        )
    return 2 * (processes - 1) * (latency + size / (processes * bandwidth))


@dataclass(frozen=True)
class Wire:
    """What lies between the processes: ``bandwidth`` in bytes a second, ``latency`` in seconds."""

    bandwidth: float
    latency: float

    def seconds(self, size: float, processes: int) -> float:
        """Of an all-reduce of ``size`` bytes: ``ring_seconds``."""
        return ring_seconds(size, processes, self.bandwidth, self.latency)


# Typical, not measured: the nominal bandwidth of one direction (PCIe 4.0 x16 by PCI-SIG, fourth
# generation NVLink by NVIDIA's data sheet of the H100: 900 GB/s are both directions together), and
# the order of magnitude of a message's latency, with the software's share.
LINKS = {
    "1 Gbit Ethernet": Wire(0.125e9, 50e-6),
    "10 Gbit Ethernet": Wire(1.25e9, 30e-6),
    "PCIe 4.0 x16": Wire(31.5e9, 10e-6),
    "NVLink of an H100": Wire(450e9, 5e-6),
}


@dataclass(frozen=True)
class WireTimes:
    """Measured: the median ``seconds`` of an all-reduce of each of ``sizes`` bytes."""

    processes: int
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    clock: str = "wall"  # or "processor", see colorlab.speed.scaling_times

    @property
    def wire(self) -> Wire:
        """The wire that explains them best.

        The model is a straight line over the size, t = A + B · size. A and B are those with the
        least sum of squares of the *relative* errors, since the times span four decades and the
        longest would else decide; then latency = A / 2(p - 1) and
        bandwidth = 2(p - 1) / (p B). An A below 0, which no wire has, is taken as 0.

        Raises:
            ValueError: fewer than two processes or sizes, or times that don't grow with the size.
        """
        if self.processes < 2 or len(set(self.sizes)) < 2:
            raise ValueError(
                f"a wire is fitted to times of at least 2 processes at 2 sizes; got "
                f"{self.processes} and {len(set(self.sizes))}"
            )
        sizes, seconds = np.asarray(self.sizes, float), np.asarray(self.seconds, float)
        rows = np.stack([1 / seconds, sizes / seconds], 1)
        (start, slope), *_ = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)
        if start < 0:
            start, slope = 0.0, rows[:, 1].sum() / (rows[:, 1] ** 2).sum()
        if slope <= 0:
            raise ValueError("the times do not grow with the size: measure larger sizes too")
        messages = 2 * (self.processes - 1)
        return Wire(float(messages / (self.processes * slope)), float(start / messages))


def gradient_bytes(recipe: Recipe) -> int:
    """What a process gives to be averaged in an adversarial step: 4 bytes for each parameter.

    Two all-reduces: the discriminator's gradients in its own backward pass, the generator's in its
    own. The generator's passes through the discriminator but leaves no gradients there.
    """
    networks = build_generator(recipe, pretrained=False), build_discriminator(recipe)
    return sum(
        p.numel() * p.element_size() for n in networks for p in n.parameters() if p.requires_grad
    )


@dataclass(frozen=True)
class StepTimes:
    """Measured: median seconds of an adversarial step, as so many processes take it.

    Args:
        whole: one process and thread, on the whole batch.
        share: one process and thread, on its share of the batch; the others wait.
        apart: all at once, each on its share, and nothing is sent. What it takes longer than
            ``share`` is due to what they have in common: memory, caches, the machine's other work.
        together: all at once, each on its share, and gradients are averaged: the real step.
        threads: one process, on the whole batch, with as many threads as there are processes; None
            where that was not measured.
    """

    recipe: str
    processes: int
    batch: int
    image_size: int
    sent: int  # bytes, see gradient_bytes
    whole: float
    share: float
    apart: float
    together: float
    threads: float | None = None
    clock: str = "wall"

    @property
    def speedup(self) -> float:
        """Strong scaling: the same batch, in one process and in all."""
        return self.whole / self.together

    @property
    def efficiency(self) -> float:
        """Weak scaling: a share in one process, and one in each."""
        return self.share / self.together

    @property
    def communication(self) -> float:
        """Seconds of ``together`` that averaging takes."""
        return self.together - self.apart

    def predicted(self, wire: Wire, overlap: float = 0.0) -> float:
        """Seconds of ``together`` by the model: the share first, then what is sent."""
        return self.share + (1 - overlap) * wire.seconds(self.sent, self.processes)


def predicted_speedup(
    step_seconds: float, size: float, wire: Wire, processes: int, overlap: float = 0.0
) -> float:
    """How many times the photos a second of one process, by the model.

    Args:
        step_seconds: of one process on its share, with nothing to send. For weak scaling the share
            stays as ``processes`` grows, for strong scaling it shrinks, and so must this.
        size: bytes that are averaged in a step, see ``gradient_bytes``.
        overlap: share of the communication that hides behind the backward pass, 0 to 1.

    Raises:
        ValueError: no time for a step, or an overlap outside 0 to 1.
    """
    if step_seconds <= 0 or not 0 <= overlap <= 1:
        raise ValueError(
            f"step_seconds must be above 0 and overlap in [0, 1], got {step_seconds} and {overlap}"
        )
    waited = (1 - overlap) * wire.seconds(size, processes)
    return processes * step_seconds / (step_seconds + waited)


@dataclass(frozen=True)
class Measured:
    """The measurements of ``tests/benchmarks/scaling.py --save``.

    On which machine, its wire, its steps by recipe.
    """

    machine: str
    wire: WireTimes
    steps: dict[str, StepTimes]

    def to_json(self) -> str:
        """The text that ``from_json`` reads."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Measured:
        """What ``to_json`` gave.

        Raises:
            ValueError: the text is not that.
        """
        try:
            found = json.loads(text)
            wire, steps = found["wire"], found["steps"]
            wire |= {name: tuple(wire[name]) for name in ("sizes", "seconds")}
            return cls(
                found["machine"], WireTimes(**wire), {n: StepTimes(**s) for n, s in steps.items()}
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"this is not what tests/benchmarks/scaling.py --save writes ({error!r}); run it"
            ) from error
