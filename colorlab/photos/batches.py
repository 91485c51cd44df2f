"""Batches of photos in an order that one generator decides, some of them ahead of time.

The usual loader draws crops from each worker's own random state, so the number of workers changes
the batches. Here every sample carries its seed with it, and the number of workers changes nothing.
"""

from __future__ import annotations

import atexit
import math
import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

T = TypeVar("T")

_PATIENCE = 10.0  # seconds to wait, when a reader is stopped, for the batch it is reading


class SeededSampler(Sampler[tuple[int, int]]):
    """Pairs of an index and a seed, all drawn from ``generator`` when an epoch begins.

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
        for first in range(0, self.samples, 4096):  # as Python numbers, 100 bytes each
            part = slice(first, first + 4096)
            yield from zip(order[part].tolist(), seeds[part].tolist(), strict=True)


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
    """Batches of uint8 (B, 3, s, s), the same for any ``num_workers``.

    Order and crops come from ``generator`` (on the CPU) alone, a new draw each epoch; torch's
    global generator is neither read nor moved.

    Args:
        dataset: takes (index, seed) pairs, as ``PhotoFolder`` does. Its ``__getitems__``, if it has
            one, gets those of a batch at once and may read them with threads: together with
            ``ahead`` the way to read beside a training that runs in a thread, from where forking
            processes can hang.
        weights: (len,), at least 0: photos are drawn with replacement, in proportion to them.
        samples: photos an epoch; len(dataset) by default. More than that without weights: again
            from the start, in a new order.

    Raises:
        ValueError: the arguments contradict each other, or no batch would come out.
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


def ahead(batches: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same batches in the same order, drawn by one background thread while others are used.

    At most ``depth`` are drawn and not yet handed out; 0: no thread, nothing ahead. So what
    ``batches`` draws from a generator, or reports its progress, runs up to ``depth`` batches in
    advance.

    An exception of ``batches`` comes up here, after the batches before it, with its own traceback.
    Closing the generator early (``close()``, or dropping it, as a ``for`` loop that is left does)
    stops the thread; a batch just being read is waited for, 10 seconds at most. The thread starts
    with the first batch asked for.

    Raises:
        ValueError: a negative depth; it comes with the first batch asked for.
    """
    if depth < 0:
        raise ValueError(f"depth={depth}: the number of batches ahead must be at least 0.")
    if depth == 0:
        yield from batches
        return
    reader = _Reader(batches, depth)
    # A thread that is still at work while the interpreter is taken down can crash it.
    atexit.register(reader.stop)
    try:
        while True:
            kind, value = reader.drawn.get()
            reader.free.release()
            if kind == "batch":
                yield value
            elif kind == "error":
                raise value
            else:
                return
    finally:
        value = None  # an error holds this frame, which would hold the error
        atexit.unregister(reader.stop)
        reader.stop()


class _Reader:
    """The thread behind ``ahead``, and what the two of them share."""

    def __init__(self, batches: Iterable[Any], depth: int) -> None:
        self.drawn: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.free = threading.Semaphore(depth)  # batches that may still be drawn
        self.stopped = False
        self.thread = threading.Thread(
            target=self._read, args=(batches,), name="colorlab-ahead", daemon=True
        )
        self.thread.start()

    def _read(self, batches: Iterable[Any]) -> None:
        try:
            source = iter(batches)
            while True:
                self.free.acquire()
                if self.stopped:
                    raise StopIteration  # whoever still waits for a batch must not do so for ever
                self.drawn.put(("batch", next(source)))
        except StopIteration:
            self.drawn.put(("end", None))
        except BaseException as error:
            self.drawn.put(("error", error))

    def stop(self) -> None:
        """End the thread after the batch it is reading."""
        self.stopped = True
        self.free.release()
        # The collector runs in any thread, so an abandoned generator may be closed in this one.
        if threading.current_thread() is not self.thread:
            self.thread.join(_PATIENCE)
