"""Photos kept as Lab arrays in .npy files, the form of a data set that many courses use.

``shravankumar9892/image-colorization`` on Kaggle holds 25,000 photos of 224 x 224 so:

    l/gray_scale.npy     (25000, 224, 224)     uint8, lightness
    ab/ab1.npy, ab2.npy  (10000, 224, 224, 2)  uint8, a and b of the first and the next 10,000
    ab/ab3.npy           (5000, 224, 224, 2)   uint8, those of the last 5,000

The bytes are OpenCV's 8-bit Lab: L * 255 / 100, a + 128, b + 128 (OpenCV documentation, "Color
conversions", section "RGB <-> CIE L*a*b*", 8-bit images:
https://docs.opencv.org/4.x/de/d25/imgproc_color_conversions.html).
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorlab.color import lab_to_lab8, rgb_to_lab
from colorlab.photos.base import PhotoSet
from colorlab.photos.cuts import Cut

_GRAY = "gray_scale.npy"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class _Stack(NamedTuple):
    """A .npy file of images all alike: where its bytes begin and what they are."""

    path: Path
    offset: int
    shape: tuple[int, ...]

    def read(self, index: int) -> np.ndarray:
        """One image, in memory of its own.

        Not through a memory map: its pages count as the process's memory once they are touched,
        and an epoch touches all. Opened for each image, there is no file handle that a worker
        process could not inherit or that threads would have to share.
        """
        count = math.prod(self.shape[1:])
        image = np.fromfile(self.path, np.uint8, count, offset=self.offset + index * count)
        if image.size != count:
            raise ValueError(f"{self.path} has become shorter since it was opened (image {index}).")
        return image.reshape(self.shape[1:])


class LabArrays(PhotoSet):
    """Photos out of Lab arrays as uint8 tensors (3, H, W): L8, a8, b8 (see ``lab8_to_lab``).

    Opening reads headers only; an epoch costs no more memory than its batches.

    Args:
        folder: holds ``l/gray_scale.npy`` and ``ab/ab1.npy``, ``ab/ab2.npy``, ... (any number,
            taken by their number). However the archive was unpacked: ``ab/ab/``, everything in one
            folder, all of it in a folder of its own, and the folder ``l`` or ``ab`` itself will do
            as well.
        part: "train": the first ``train`` photos. "test": the rest. "all": every one.
        size, augment, scale, threads: see ``PhotoSet``. No pixel is resampled where the short side
            is ``size`` already (and u is 1). Nothing is kept: reading costs next to nothing.

    ``.names``: the photos' numbers in the whole set, "000000" upward, as they have no other names.

    Raises:
        FileNotFoundError: a file or folder that is not there.
        ValueError: a file that is no whole .npy array of uint8 of the right shape (nothing is ever
            unpickled), counts that do not add up, or arguments that contradict each other.
    """

    holds: ClassVar[str] = "lab8"
    per_photo: ClassVar[tuple[str, ...]] = ("names", "_numbers")

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        part: str = "train",
        train: int = 20_000,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        threads: int = 1,
    ) -> None:
        super().__init__(size, augment, scale, 0, threads)
        if part not in ("train", "test", "all"):
            raise ValueError(f'part={part!r} is unknown. Valid: "train", "test", "all".')
        if train < 1:
            raise ValueError(f"train={train}: at least one photo must be left to train on.")
        gray, colors = _found(Path(folder))
        self._gray = _open(gray, "(photos, height, width)")
        self._colors = [_open(path, "(photos, height, width, 2)") for path in colors]
        for color in self._colors:
            if color.shape[1:] != (*self._gray.shape[1:], 2):
                raise ValueError(
                    f"{color.path} holds images of shape {color.shape[1:]}, expected "
                    f"{(*self._gray.shape[1:], 2)}: the height and width of {gray}, and a and b."
                )
        total = self._gray.shape[0]
        self._ends = list(accumulate(color.shape[0] for color in self._colors))
        if self._ends[-1] != total:
            held = ", ".join(f"{color.path.name} {color.shape[0]}" for color in self._colors)
            raise ValueError(
                f"{gray} holds the lightness of {total} photos, but the ab files hold the colors "
                f"of {self._ends[-1]}: {held}. An ab file that is missing or stems from elsewhere "
                f"is the usual cause; look into {colors[0].parent}."
            )
        if part == "test" and total <= train:
            raise ValueError(
                f"{folder} holds {total} photos and train={train} takes all of them, so none is "
                f"left to test on. Give a smaller one, such as train={max(1, total * 4 // 5)}."
            )
        spans = {"train": (0, min(train, total)), "test": (train, total), "all": (0, total)}
        self._numbers = range(*spans[part])
        self.names = [f"{number:06d}" for number in self._numbers]

    def _picture(self, index: int) -> Tensor:
        number = self._numbers[index]
        file = bisect_right(self._ends, number)
        color = self._colors[file]
        first = self._ends[file] - color.shape[0]
        planes = self._gray.read(number)[..., None], color.read(number - first)
        return self._cut.picture_of_pixels(torch.from_numpy(np.concatenate(planes, 2)))

    def at(self, size: int | None, **settings: Any) -> LabArrays:
        """As ``PhotoSet.at``; ``keep`` is left aside."""
        return super().at(size, **{**settings, "keep": 0})


def _found(folder: Path) -> tuple[Path, list[Path]]:
    """The file of lightness and the ab files in order, wherever the archive put them."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder} (looked from {Path.cwd()}). Check the path; "
            "data still to be downloaded or unpacked is the usual cause."
        )
    folder = Path(os.path.abspath(folder))
    inside = [path for path in folder.iterdir() if path.is_dir() and path.name not in ("l", "ab")]
    above = folder.parents[:2] if folder.name in ("l", "ab") else ()
    roots = [*above, folder, *(inside if len(inside) == 1 else ())]
    grays = []
    for root in roots:
        here = [path for path in (root / "l" / _GRAY, root / _GRAY) if path.is_file()]
        for colors in map(_ab_files, (root / "ab", root / "ab" / "ab", root)):
            if here and colors:
                return here[0], colors
        grays += [(root, path) for path in here]
    if grays:
        root, path = grays[0]
        raise FileNotFoundError(
            f"{path} is there, but its colors are not: expected {root / 'ab' / 'ab1.npy'}, "
            "ab2.npy and so on. Download or unpack the set's ab files too."
        )
    held = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise FileNotFoundError(
        f"There is no {folder / 'l' / _GRAY}; {folder} holds {held}. Name the folder that holds "
        "l and ab; an archive not yet unpacked is the usual cause."
    )


def _ab_files(folder: Path) -> list[Path]:
    """ab1.npy, ab2.npy, ..., ab10.npy in the order of their numbers."""
    found = [(re.fullmatch(r"ab(\d+)\.npy", path.name), path) for path in folder.glob("ab*.npy")]
    return [path for _, path in sorted((int(match[1]), path) for match, path in found if match)]


def _open(path: Path, form: str) -> _Stack:
    """Read a .npy file's header and check all that can be known without reading the images."""
    with path.open("rb") as file:
        try:
            shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
        except Exception as error:  # a broken header raises nearly anything
            raise ValueError(
                f"{path} is not a .npy array that can be read ({error}). Expected what numpy.save "
                "writes; a download that failed is the usual cause. Fetch the file again."
            ) from error
        stack = _Stack(path, file.tell(), shape)
    wrong = None
    if dtype.hasobject:
        wrong = "pickled Python objects, which could run code and are never loaded"
    elif dtype != np.uint8:
        wrong = f"{dtype} (other tools store Lab in other units, so it is not guessed at)"
    elif len(shape) != form.count(",") + 1 or min(shape) < 1 or fortran:
        wrong = f"shape {shape}" + (" in Fortran order" if fortran else "")
    if wrong:
        raise ValueError(f"{path} holds {wrong}. Expected 8-bit Lab: uint8 of shape {form}.")
    size, needed = path.stat().st_size, stack.offset + math.prod(shape)
    if size < needed:
        raise ValueError(
            f"{path} is truncated: it has {size} bytes, and its header promises {needed} (shape "
            f"{shape}). A download or unpacking that broke off is the usual cause; fetch it again."
        )
    return stack


class _Growing:
    """A .npy file that takes one image after the other under a name ending in ".partial"."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.shape, self.count = path, shape, 0
        self.partial = path.with_name(path.name + ".partial")
        self.file = self.partial.open("wb")
        self.write_header()

    def write_header(self) -> None:
        """NumPy leaves room for the first dimension to grow, so the length stays the same."""
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, image: Tensor) -> None:
        self.file.write(image.numpy().tobytes())
        self.count += 1


def write_lab_arrays(
    folder: str | os.PathLike[str],
    photos: Iterable[Image.Image | Tensor],
    side: int = 224,
    per_file: int = 10_000,
) -> int:
    """Write photos, one at a time, as a set that ``LabArrays`` reads; return how many they were.

    Args:
        photos: as ``open_photo`` or ``PhotoFolder`` give them: pictures of mode "RGB" or uint8 (3,
            H, W). Of each, the middle square is kept, resampled to ``side`` pixels.
        per_file: photos in one ab file.

    The files get their names when all is written; on an error nothing is left.

    Raises:
        FileExistsError: the folder holds such files.
        ValueError: no photo, or one of another kind.
    """
    gray, ab = Path(folder) / "l" / _GRAY, Path(folder) / "ab"
    if there := [path for path in (gray, *_ab_files(ab)) if path.exists()]:
        raise FileExistsError(f"{there[0]} exists already. Name another folder, or remove it.")
    stacks = [_Growing(gray, (side, side))]
    try:
        for number, photo in enumerate(photos):
            if number % per_file == 0:
                path = ab / f"ab{number // per_file + 1}.npy"
                stacks.append(_Growing(path, (side, side, 2)))
            lab8 = lab_to_lab8(rgb_to_lab(_middle(photo, side, number)))
            stacks[0].append(lab8[0])
            stacks[-1].append(lab8[1:].movedim(0, -1))
        if len(stacks) == 1:
            raise ValueError("There was no photo to write: `photos` gave none.")
        for stack in stacks:
            stack.write_header()
            stack.file.close()
        for stack in reversed(stacks):  # lightness last: without it, it is no set
            stack.partial.rename(stack.path)
    finally:
        for stack in stacks:
            with contextlib.suppress(OSError):  # what found no room on the disk
                stack.file.close()
            stack.partial.unlink(missing_ok=True)
    return stacks[0].count


def _middle(photo: Image.Image | Tensor, side: int, number: int) -> Tensor:
    """A photo's middle square, uint8 (3, side, side)."""
    if isinstance(photo, Tensor) and photo.dtype == torch.uint8 and photo.shape[:-2] == (3,):
        photo = Image.fromarray(photo.movedim(0, -1).contiguous().numpy())
    if not isinstance(photo, Image.Image) or photo.mode != "RGB":
        what = f"a {type(photo).__name__}"
        if isinstance(photo, Tensor):
            what = f"a {photo.dtype} tensor of shape {tuple(photo.shape)}"
        elif isinstance(photo, Image.Image):
            what = f'a picture of mode "{photo.mode}"'
        raise ValueError(
            f'Photo {number} is {what}; expected a picture of mode "RGB" or a uint8 tensor of '
            "shape (3, H, W). open_photo gives such a picture for any file."
        )
    if photo.size != (side, side):
        cut = Cut(side, augment=False, scale=(1.0, 1.0))
        return cut.picture(photo, (0, 0, *photo.size)).movedim(-1, 0)
    return torch.from_numpy(np.array(photo)).movedim(-1, 0)
