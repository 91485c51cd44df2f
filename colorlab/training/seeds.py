"""Random numbers that follow from what they are for, so that a run can go on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch


def seed_of(*parts: int) -> int:
    """A seed that follows from all of ``parts`` and looks unlike that of their neighbors."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest()) >> 1


@contextmanager
def global_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's own random numbers come from ``seed``.

    Outside, they go on as if nothing had been drawn.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
