"""The roofline: how fast a machine can do some work at best, from two of its figures.

Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures" (Communications of the ACM 52:4, 2009). A machine does at most ``peak`` operations a
second and moves at most ``bandwidth`` bytes a second. Work that needs both takes at least the
longer of the two times,

    seconds = max(flops / peak, bytes / bandwidth),

so that its rate is at most min(peak, intensity × bandwidth), where the intensity is flops a byte
(their section "The Roofline Model"). Both ceilings are measured here rather than read from a data
sheet: matrix products and a convolution, and a sum of arrays that no cache can hold.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from colorlab.devices import choose_precision, hardware_name, quick_float32
from colorlab.speed.operations import PRECISIONS, Operation, Operations
from colorlab.speed.stopwatch import Work, seconds_of

DTYPES = {name: dtype for dtype, name in PRECISIONS.items()}


@dataclass(frozen=True)
class Roofline:
    """The two ceilings of a machine.

    Attributes:
        peaks: flops a second by precision, "fp32", "bf16", "fp16".
        bandwidth: bytes a second between memory and the processor.
        hardware: its name.
    """

    peaks: dict[str, float]
    bandwidth: float
    hardware: str = ""

    def attainable(self, flops: float, bytes: float, precision: str = "fp32") -> float:  # noqa: A002
        """The seconds that such work takes at least: ``max(flops / peak, bytes / bandwidth)``."""
        return max(flops / self._peak(precision), bytes / self.bandwidth)

    def ridge(self, precision: str = "fp32") -> float:
        """The flops a byte at which the two ceilings meet; below it memory binds."""
        return self._peak(precision) / self.bandwidth

    def binds(self, work: Operation) -> str:
        """Which ceiling the work meets first: ``"arithmetic"`` or ``"memory"``."""
        far = work.intensity >= self.ridge(work.precision or "fp32")
        return "arithmetic" if far else "memory"

    def predict(self, operations: Operations) -> float:
        """Seconds of all operations if each meets its ceiling and they follow one another."""
        return sum(
            self.attainable(call.flops, call.bytes, call.precision or "fp32")
            for call in operations.calls
        )

    def _peak(self, precision: str) -> float:
        if precision not in self.peaks:
            raise ValueError(
                f"the ceiling of {precision!r} was not measured, only {', '.join(self.peaks)}; "
                f"ceilings(device, [{precision!r}, …]) measures it"
            )
        return self.peaks[precision]


def ceilings(
    device: torch.device | str = "cpu", precisions: Iterable[str] | None = None, repeats: int = 20
) -> Roofline:
    """Measure the ceilings of ``device``: the best of ``repeats``, since noise only slows.

    Args:
        precisions: which to measure; fp32 and what training takes there by default.

    Arithmetic: the quickest of two square matrix products and a convolution such as pix2pix's,
    for they run in libraries of their own: on an AMD processor MKL's products in float32 were
    slower than oneDNN's convolutions. They fit between two interruptions, and are large enough to
    be quick.

    Memory: ``c = a + b`` in float32, three arrays of 64 MB on a CPU, of 1 GB on a GPU. A processor
    that reads a line of memory before it overwrites it moves a third more than is counted.

    Raises:
        ValueError: an unknown precision, or no repeat.
    """
    device = torch.device(device)
    chosen = dict.fromkeys(precisions or ("fp32", choose_precision(device)))
    unknown = [name for name in chosen if name not in DTYPES]
    if unknown or repeats < 1:
        raise ValueError(
            f"precisions {unknown} are unknown; choose from {', '.join(DTYPES)}"
            if unknown
            else f"repeats={repeats}: measure at least once"
        )
    gpu = device.type == "cuda"
    sides, batch, length = ((4096, 8192), 64, 2**28) if gpu else ((512, 1024), 1, 2**24)
    peaks = dict.fromkeys(chosen, 0.0)
    with torch.no_grad(), quick_float32(device):
        for name in chosen:
            works = [_product(side, DTYPES[name], device) for side in sides]
            works.append(_convolution(batch, DTYPES[name], device))
            for flops, work in works:
                best = min(seconds_of(work, device) for _ in range(repeats + 1))
                peaks[name] = max(peaks[name], flops / best)
        a, b, c = (torch.ones(length, device=device) for _ in range(3))
        best = min(seconds_of(lambda: torch.add(a, b, out=c), device) for _ in range(repeats + 1))
    return Roofline(peaks, 3 * a.nbytes / best, hardware_name(device))


def _product(side: int, dtype: torch.dtype, device: torch.device) -> tuple[int, Work]:
    """The flops of a square matrix product, and the work itself."""
    a = torch.ones(side, side, dtype=dtype, device=device)
    return 2 * side**3, functools.partial(torch.mm, a, a, out=torch.empty_like(a))


def _convolution(batch: int, dtype: torch.dtype, device: torch.device) -> tuple[int, Work]:
    """256 → 512 channels, 4 × 4, stride 2, 32 → 16 pixels a side: its flops, and the work."""
    layout = {"dtype": dtype, "device": device, "memory_format": torch.channels_last}
    x, weight = torch.ones(batch, 256, 32, 32).to(**layout), torch.ones(512, 256, 4, 4).to(**layout)
    work = functools.partial(F.conv2d, x, weight, stride=2, padding=1)
    return 2 * batch * 16 * 16 * 512 * 256 * 4 * 4, work
