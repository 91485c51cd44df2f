"""Batches of photos in an order that one `torch.Generator` decides.

The usual loader draws crops from each worker's own random state, so the number of workers changes
the batches. Here every sample carries its seed with it, and the number of workers changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler


class SeededSampler(Sampler[tuple[int, int]]):
    """(index, seed) pairs, all drawn from `generator` when an epoch begins.

    The seed travels with the index, so a photo's crop does not depend on which worker makes it.
    """

    def __init__(
        self,
        length: int,
        samples: int,
        generator: torch.Generator,
        weights: torch.Tensor | None,
        shuffle: bool,
    ) -> None:
        self.length, self.samples, self.generator = length, samples, generator
        self.weights, self.shuffle = weights, shuffle

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[tuple[int, int]]:
        seeds = torch.randint(2**63 - 1, (self.samples,), generator=self.generator)
        if self.weights is not None:
            order = torch.multinomial(
                self.weights, self.samples, replacement=True, generator=self.generator
            )
        else:
            rounds = math.ceil(self.samples / self.length)
            order = torch.cat(
                [
                    torch.randperm(self.length, generator=self.generator)
                    if self.shuffle
                    else torch.arange(self.length)
                    for _ in range(rounds)
                ]
            )[: self.samples]
        return iter(zip(order.tolist(), seeds.tolist(), strict=True))


def photo_loader(
    dataset: Dataset[torch.Tensor],
    batch_size: int,
    *,
    generator: torch.Generator,
    num_workers: int = 0,
    weights: torch.Tensor | None = None,
    samples: int | None = None,
    shuffle: bool = True,
    drop_last: bool = True,
) -> DataLoader[torch.Tensor]:
    """Batches of uint8 (B, 3, s, s), the same for any `num_workers`.

    Order and crops come from `generator` (on the CPU) alone, a new draw each epoch; torch's global
    generator is neither read nor moved.

    dataset: takes (index, seed) pairs, as `PhotoFolder` does.
    weights: (len,), at least 0: photos are drawn with replacement, in proportion to them.
    samples: photos an epoch; len(dataset) unless told. More than that without weights: again
        from the start, in a new order.
    Raises ValueError where the arguments contradict each other or no batch would come out.
    """
    length = len(dataset)  # type: ignore[arg-type]
    samples = length if samples is None else samples
    if batch_size > 1 and getattr(dataset, "size", 0) is None:
        raise ValueError(
            "Photos of different sizes do not stack into a batch. Give PhotoFolder a size, such as "
            "size=256, or use batch_size=1."
        )
    if samples < 1 or (drop_last and samples < batch_size):
        raise ValueError(
            f"{samples} samples an epoch make no batch of {batch_size}. Use a smaller batch_size, "
            "drop_last=False, or more photos (samples=... repeats them)."
        )
    if weights is not None:
        weights = torch.as_tensor(weights, dtype=torch.float64)
        if not shuffle:
            raise ValueError("weights draw at random, shuffle=False forbids it: leave out one.")
        fits = weights.shape == (length,) and bool(torch.isfinite(weights).all())
        if not fits or weights.min() < 0 or weights.sum() <= 0:
            raise ValueError(
                f"weights: expected {length} finite numbers, one a photo, at least 0 and not all "
                f"0; got shape {tuple(weights.shape)}."
            )
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=SeededSampler(length, samples, generator, weights, shuffle),
        num_workers=num_workers,
        drop_last=drop_last,
        persistent_workers=num_workers > 0,
        # DataLoader draws a base seed each epoch; nobody uses it, so keep it off the generators.
        generator=torch.Generator().manual_seed(0),
    )
