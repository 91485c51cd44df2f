"""Gray photos and color photos in two folders, paired by name.

Usually the gray picture is made from the color one. Where both exist as files (old prints beside
their hand-colored copies, or a data set that comes as two folders), the pairs are read here.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image

from colorlab.photos.base import PhotoSet
from colorlab.photos.cuts import Box, resize
from colorlab.photos.exclusions import FILE_NAME, left_out_message, wanted
from colorlab.photos.files import PhotoError, canonical, list_photos, open_photo, read_photo

_NAMED_IN_WARNING = 20
_ASPECT_TOLERANCE = 0.01  # 500 x 333 and 1000 x 667 are the same photo


class PairedFolder(PhotoSet):
    """Pairs of a gray and a color photo as uint8 tensors (4, H, W): gray, R, G, B, all 0..255.

    Two photos belong together when their paths inside their folders agree without the suffix:
    ``gray/pets/cat.png`` and ``color/pets/cat.jpg``. However accents are spelled counts for
    nothing, and neither does the order in which a folder is listed. The gray file may itself be
    stored as RGB; its luma (Pillow's mode "L") is taken. Both photos are cut by one and the same
    window; a gray photo of another resolution is resampled to fit.

    Args:
        size, augment, scale, keep, threads: see ``PhotoSet``.
        exclude: leave out what a list in either folder names, see ``colorlab.photos.exclusions``;
            its partner goes too. ``.excluded``: path -> reason.

    ``.names``: the color files' names, sorted, so that ``.split`` and a ``PhotoFolder`` of the
    color folder deal every photo into the same part. ``.pairs[i]``: the two paths (gray, color).
    ``.unmatched``: (names only in gray, names only in color); a warning names them.

    Raises:
        FileNotFoundError, NotADirectoryError: a folder that is not there.
        PhotoError: a ValueError; a folder without a photo or of which each is excluded, folders of
            which no names match, two files that claim one name, or, when a pair is asked for, a
            file that cannot be read or a pair whose aspects differ by more than 1 %.
        ValueError: arguments that contradict each other, or a broken list.
    """

    holds: ClassVar[str] = "gray+rgb"
    per_photo: ClassVar[tuple[str, ...]] = ("names", "pairs")

    def __init__(
        self,
        gray: str | os.PathLike[str],
        color: str | os.PathLike[str],
        *,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        exclude: bool = True,
        keep: int = 0,
        threads: int = 1,
    ) -> None:
        super().__init__(size, augment, scale, keep, threads)
        self.gray, self.color = Path(gray), Path(color)
        if self.gray.resolve() == self.color.resolve():
            raise ValueError(
                f"{self.gray} is the folder of both the gray and the color photos. To train on "
                "color photos only, use PhotoFolder, which makes the gray ones itself."
            )
        self.excluded: dict[Path, str] = {}
        sides, left_out = [], set()
        for folder in (self.gray, self.color):
            names, listed = wanted(folder, list_photos(folder), exclude)
            sides.append(_by_stem(folder, names))
            left_out |= {_stem(name) for name in listed} - sides[-1].keys()
            self.excluded |= {folder / name: why for name, why in listed.items()}
        grays, colors = sides
        elsewhere = [side.keys() | left_out for side in sides]
        self.unmatched = (
            [name for stem, name in grays.items() if stem not in elsewhere[1]],
            [name for stem, name in colors.items() if stem not in elsewhere[0]],
        )
        matched = [stem for stem in colors if stem in grays]
        if not matched and not any(self.unmatched):
            raise PhotoError(
                f"Each pair of {self.gray} and {self.color} is on a list of photos to leave out "
                f"({FILE_NAME}). Take some off it, or ignore it with exclude=False."
            )
        if not matched:
            raise PhotoError(
                f"No photo in {self.gray} has its name in {self.color}.\n"
                f"  gray: {_some(self.unmatched[0], 3)}\n  color: {_some(self.unmatched[1], 3)}\n"
                "The paths inside the two folders must agree but for the suffix, as cat.png and "
                "cat.jpg do; rename the files or name the right folders."
            )
        self.names = [colors[stem] for stem in matched]
        self.pairs = [(self.gray / grays[stem], self.color / colors[stem]) for stem in matched]
        if self.excluded:
            warnings.warn(left_out_message(len(self.excluded)), stacklevel=2)
        if any(self.unmatched):
            lines = [
                f"  {len(names)} only in {folder}: {_some(names, _NAMED_IN_WARNING)}"
                for names, folder in zip(self.unmatched, (self.gray, self.color), strict=True)
                if names
            ]
            kept = f"{len(matched)} pair(s) found; photos without a partner are left out:"
            warnings.warn("\n".join([kept, *lines]), stacklevel=2)

    def _picture(self, index: int) -> torch.Tensor:
        # A JPEG is decoded no larger than the cut needs, each of the two at its own reduction.
        photos = [read_photo(path, self._cut.short) for path in self.pairs[index]]
        self._check_aspects(index, *(box for _, box in photos))
        gray, color = (self._cut.picture(*photo) for photo in photos)
        height, width, _ = color.shape
        luma = np.array(Image.fromarray(resize(gray, width, height).numpy()).convert("L"))
        return torch.cat([torch.from_numpy(luma)[..., None], color], 2)

    def _check_aspects(self, index: int, gray_box: Box, color_box: Box) -> None:
        aspects = [(box[2] - box[0]) / (box[3] - box[1]) for box in (gray_box, color_box)]
        if max(aspects) <= min(aspects) * (1 + _ASPECT_TOLERANCE):
            return
        # The boxes may stem from reduced JPEGs; the message gives the sizes that the files have.
        gray, color = (
            f"{path} ({' x '.join(map(str, open_photo(path).size))})" for path in self.pairs[index]
        )
        raise PhotoError(
            f"{gray} and {color} differ in shape, so they cannot show the same picture pixel by "
            "pixel. Expected the same width to height within 1 %: crop one, or remove the pair."
        )


def _stem(name: str) -> str:
    """The name without suffix, accents in one spelling."""
    return canonical(os.path.splitext(name)[0])


def _by_stem(folder: Path, names: list[str]) -> dict[str, str]:
    """``_stem`` -> the file's name, sorted by name."""
    found: dict[str, str] = {}
    for name in names:
        stem = _stem(name)
        if stem in found:
            raise PhotoError(
                f"{folder} holds both {found[stem]} and {name}: which of the two belongs to the "
                f"photo {stem!r} of the other folder? Remove or rename one."
            )
        found[stem] = name
    return found


def _some(names: list[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f", ... and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
