"""Working pictures: made once from a file, kept in memory, cut many times.

Decoding a photo costs milliseconds, cutting a square from pixels in memory a fraction of one. So
what comes out of a file is a *working picture*, just large enough for every cut that may be asked
for, and each epoch's random square is a *cut* from it.
"""

from __future__ import annotations

import math
import os
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

T = TypeVar("T")
R = TypeVar("R")

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

WIDEST = 4  # the longest side of a working picture, in short sides


@dataclass(frozen=True)
class Cut:
    """How a ``PhotoSet`` makes a square, by its arguments ``size``, ``augment`` and ``scale``.

    Raises:
        ValueError: they contradict each other.
    """

    size: int | None
    augment: bool
    scale: tuple[float, float]

    def __post_init__(self) -> None:
        size, scale = self.size, self.scale
        if size is not None and size < 1:
            raise ValueError(f"size={size}: the side of the square must be at least 1 pixel.")
        if self.augment and size is None:
            raise ValueError("augment=True cuts a square, so it needs size, such as size=256.")
        if not 1.0 <= scale[0] <= scale[1]:
            raise ValueError(
                f"scale={scale}: expected 1 <= lowest <= highest, such as (1.0, 1.25)."
            )

    @property
    def short(self) -> int | None:
        """The short side of a working picture: just enough for every u. None: as the photo is."""
        if self.size is None or not self.augment:
            return self.size
        return math.ceil(self.size * self.scale[1] - 1e-6)  # 100 * 1.1 is 110.00000000000001

    def picture(self, image: Image.Image, filled: Box) -> Tensor:
        """The working picture of a photo, uint8 (H, W, 3), contiguous.

        With ``augment`` its long side is cut down to ``WIDEST`` short ones; without, it is the
        middle square itself. ``image``, ``filled``: as ``read_photo(path, self.short)`` gives them.
        """
        if self.size is None:
            return _pixels(image)
        return _resized(image, filled, self.short, WIDEST if self.augment else 1)

    def picture_of_pixels(self, pixels: Tensor) -> Tensor:
        """The same of a picture in memory, uint8 (H, W, C) of any C."""
        if self.size is None:
            return pixels
        return _fitted(pixels, self.short, WIDEST if self.augment else 1)

    def square(self, picture: Tensor, seed: int | None) -> Tensor:
        """What is cut from a working picture (H, W, C): (C, size, size), in memory of its own.

        With ``augment``, ``seed`` (an int) alone decides u, the place, and whether it is mirrored.
        A window of the picture's short side / u is cut out and brought to ``size``.
        """
        if not self.augment:
            return _planes(picture)
        rng = random.Random(int(seed))  # its random() is the same on every machine and Python
        u = self.scale[0] + (self.scale[1] - self.scale[0]) * rng.random()
        height, width, _ = picture.shape
        side = max(self.size, round(min(height, width) / u))
        left = int(rng.random() * (width - side + 1))
        top = int(rng.random() * (height - side + 1))
        window = picture[top : top + side, left : left + side]
        if side == self.size:
            square = _planes(window)
        else:
            window = window.permute(2, 0, 1)[None]
            shape = (self.size, self.size)
            square = F.interpolate(window, shape, mode="bicubic", antialias=True)[0].contiguous()
        return square.flip(2) if rng.random() < 0.5 else square


class Kept:
    """Tensors by number, up to ``limit`` bytes in all: first come, first kept; nothing is dropped.

    Any number of threads may use it. A copy or a pickle starts empty, with the same limit. Inside
    a DataLoader worker process nothing is added, because each would fill a memory of its own; what
    was there before the worker was forked can be read.
    """

    def __init__(self, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"keep={limit}: the bytes to keep in memory must be at least 0.")
        self.limit, self.bytes = limit, 0
        self._tensors: dict[int, Tensor] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tensors)

    def __getstate__(self) -> dict[str, Any]:
        return {"limit": self.limit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["limit"])

    def get(self, number: int) -> Tensor | None:
        """The tensor itself, not to be written to; None where it is not kept."""
        return self._tensors.get(number)

    def add(self, number: int, tensor: Tensor) -> None:
        """Keep the tensor if it fits and the number is new."""
        if get_worker_info() is not None:
            return
        with self._lock:
            if number not in self._tensors and tensor.nbytes <= self.limit - self.bytes:
                self._tensors[number] = tensor
                self.bytes += tensor.nbytes


class Threads:
    """Work through a list with ``count`` threads.

    Only the first use starts them; a pickle or a copy made with ``copy`` starts its own, and so
    does a forked process, where they are not there.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"threads={count}: at least 1 thread must read.")
        self.count = count
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"count": self.count, "_pool": None}

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Results in the order of the items; of several errors, the first one's is raised."""
        if self.count == 1 or len(items) == 1:
            return [work(item) for item in items]
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = os.getpid(), ThreadPoolExecutor(self.count, "photos")
        return list(self._pool[1].map(work, items))


def _resized(image: Image.Image, filled: Box, short: int, widest: int) -> Tensor:
    """The photo with a short side of ``short``, of it the middle ``widest`` : 1 -> (H, W, 3).

    Equals resizing the whole (bicubic, antialiased) and cutting; but of a strip of 10000 x 2 pixels
    only what is kept is computed.
    """
    sides = filled[2] - filled[0], filled[3] - filled[1]
    (wide, high), (width, height) = _sizes(sides, short, widest)
    if sides == image.size and max(wide, high) <= WIDEST * short:
        return _fitted(_pixels(image), short, widest)
    # A strip; or a reduced JPEG whose edge falls inside a pixel, which torch cannot resize.
    left, top = (wide - width) // 2, (high - height) // 2
    box = (
        filled[0] + left * sides[0] / wide,
        filled[1] + top * sides[1] / high,
        # The last bit of a sum may lie beyond the edge.
        min(filled[0] + (left + width) * sides[0] / wide, image.width),
        min(filled[1] + (top + height) * sides[1] / high, image.height),
    )
    bicubic = Image.Resampling.BICUBIC
    return _pixels(image.resize((width, height), bicubic, box=box, reducing_gap=3.0))


def _fitted(picture: Tensor, short: int, widest: int) -> Tensor:
    """Pixels (H, W, C) with a short side of ``short``, of them the middle ``widest`` : 1."""
    high_before, wide_before, _ = picture.shape
    (wide, high), (width, height) = _sizes((wide_before, high_before), short, widest)
    picture = resize(picture, wide, high)
    if (width, height) != (wide, high):
        left, top = (wide - width) // 2, (high - height) // 2
        # A clone, not a view: what is cut off is not to stay in memory.
        part = picture[top : top + height, left : left + width]
        picture = part.clone(memory_format=torch.contiguous_format)
    return picture.contiguous()


def _sizes(
    sides: tuple[float, float], short: int, widest: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """(Width, height) of the whole once its short side is ``short``, and of what is kept of it."""
    wide, high = (max(short, round(side * short / min(sides))) for side in sides)
    return (wide, high), (min(wide, widest * short), min(high, widest * short))


def resize(picture: Tensor, width: int, height: int) -> Tensor:
    """Resize uint8 (H, W, C) to (height, width, C), bicubic and antialiased.

    torch's uint8 kernel takes a fifth of Pillow's time; they differ by a level at times. As a batch
    in channels-last order, it reads and writes the pixels as they lie.
    """
    if picture.shape[:2] == (height, width):
        return picture
    batch = picture[None].permute(0, 3, 1, 2)
    batch = F.interpolate(batch, (height, width), mode="bicubic", antialias=True)
    return batch[0].permute(1, 2, 0)


def _pixels(image: Image.Image) -> Tensor:
    """A picture of mode "RGB" -> uint8 (H, W, 3).

    Band by band: handing out a whole picture, Pillow takes two more buffers of its size, and fresh
    memory costs more than what is done in it (a third of the time from file to working picture,
    where page faults are slow).
    """
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, 2**16 // (3 * width))
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(band)
    return torch.from_numpy(pixels)


def _planes(picture: Tensor) -> Tensor:
    """(H, W, C) -> (C, H, W), contiguous, always a copy: the picture may be a kept one."""
    return picture.permute(2, 0, 1).clone(memory_format=torch.contiguous_format)
