"""What an audit wants to know of one photo, measured in one decode: color, size, hashes, damage.

All of it is taken from a small picture (a short side of 96 to 191 pixels where the photo has them),
so a JPEG is decoded at a half to an eighth of its size, which still reads the file to its end.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from colorlab.color import AB_RANGE, rgb_to_lab
from colorlab.photos.files import PhotoError, is_passing, photo_size, read_photo

SIDE = 96  # pixels, the least short side of the picture that is measured
TONING_SIDE = 40  # the same, where the noise of compression has to be averaged away
BINS = 64
# The square of the ab plane that networks see as [-1, 1] x [-1, 1]; all of sRGB lies inside.
AB_EDGES = np.linspace(-AB_RANGE, AB_RANGE, BINS + 1)
AB_EDGES.flags.writeable = False

# One a photo, 63 bytes. chroma: the mean. vivid: the chroma that 2 % of the photo exceed. toning:
# see `toning`. coarse, fine: 64 and 256 bits of perceptual hash.
RECORD = np.dtype(
    [
        ("width", np.int32),
        ("height", np.int32),
        ("chroma", np.float32),
        ("vivid", np.float16),
        ("toning", np.float32),
        ("coarse", np.uint64),
        ("fine", np.uint64, 4),
        ("hashed", np.bool_),
    ]
)
UNREADABLE = np.array((0, 0, np.nan, np.nan, np.nan, 0, (0, 0, 0, 0), False), RECORD)

_FLAT = 2.0  # levels of gray (0..255): below this deviation a hash would be of nothing but noise
_FILLED = 16  # a decoder's filling counts from 1/16 of the photo on


class Problem(NamedTuple):
    """What is wrong with the file of the photo ``index``.

    ``kind``: "corrupt" (its bytes were read and are no picture, or it has none), "truncated", or
    "unread" (it may be readable another time).
    """

    index: int
    kind: str
    reason: str


class PhotoMeasures(NamedTuple):
    """The measures of some photos, and what is wrong with their files.

    ``records``: RECORD, (n,). ``histogram``: how many pixels fall into each cell of the ab plane,
    int64 (BINS, BINS), a by b, by ``AB_EDGES``.
    """

    records: np.ndarray
    problems: list[Problem]
    histogram: np.ndarray


def measure(photos: Sequence[tuple[int, str]]) -> PhotoMeasures:
    """Measure photos, given as (index, path). A bad file becomes a ``Problem``, never an error."""
    records = np.full(len(photos), UNREADABLE, RECORD)
    histogram = np.zeros((BINS, BINS), np.int64)
    problems = []
    for place, (index, path) in enumerate(photos):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what counts becomes a problem of the photo
                problem = _measure_one(Path(path), records[place], histogram)
        except PhotoError as error:
            problem = _damage(path, error)
        except MemoryError:
            problem = "unread", "its pixels do not fit into this machine's memory"
        if problem is not None:
            problems.append(Problem(index, *problem))
    return PhotoMeasures(records, problems, histogram)


def _measure_one(path: Path, record: np.void, histogram: np.ndarray) -> tuple[str, str] | None:
    image, _ = read_photo(path, SIDE // 2)
    record["width"], record["height"] = photo_size(path)
    image = _reduced(image, SIDE)
    lab = _lab(image)
    chroma = np.hypot(*lab[1:])
    record["chroma"], record["vivid"] = chroma.mean(), np.percentile(chroma, 98)
    histogram += _counts(lab[1], lab[2])
    record["toning"] = toning(_lab(_reduced(image, TONING_SIDE)))
    gray = image.convert("L")
    if np.asarray(gray).std() >= _FLAT:
        record["coarse"], record["fine"] = hashes(gray)
        record["hashed"] = True
    if (part := filled(np.asarray(image))) > 0:
        return "truncated", f"{100 * part:.0f} % are the gray that stands for missing data"
    return None


def hashes(image: Image.Image) -> tuple[np.uint64, np.ndarray]:
    """Perceptual hashes of 64 bits, uint64, and of 256 bits, uint64 (4,): ImageHash's ``phash``.

    The signs of a cosine transform's lowest frequencies against their median. They hardly change
    with size, compression, brightness or color; mirroring and large cuts change them.
    """
    import imagehash

    (coarse,) = np.packbits(imagehash.phash(image).hash).view(np.uint64)
    return coarse, np.packbits(imagehash.phash(image, hash_size=16).hash).view(np.uint64)


def toning(lab: np.ndarray) -> float:
    """How far a photo's color is from being a mere function of its lightness; Lab (3, H, W).

    A toned photo (sepia, cyanotype, duotone) was gray once: each of its grays became one color, so
    pixels of one lightness all have one a and b. The number is the spread of (a, b) among pixels
    of the same lightness, in bands of 4 L, as a share of their chroma: about 0.05 for toned photos
    (compression adds to it), 0.3 and more for most others. Every band counts alike, or a photo
    with a large plain background would pass for a toned one. 1.0 where less than 3/10 of the
    photo are neither black nor white: too little to judge.
    """
    L, a, b = lab.reshape(3, -1)
    inside = (L >= 8) & (L < 92)
    if np.count_nonzero(inside) < 0.3 * L.size:
        return 1.0
    bands = ((L[inside] - 8) / 4).astype(int)
    counts = np.bincount(bands)
    used = counts >= max(8, L.size / 1000)
    if not used.any():
        return 1.0
    spread = chroma = 0.0
    for channel in (a[inside].astype(float), b[inside].astype(float)):
        means, squares = (np.bincount(bands, channel**k)[used] / counts[used] for k in (1, 2))
        spread += (squares - means**2).mean()
        chroma += squares.mean()
    return float(np.sqrt(max(spread, 0.0) / chroma)) if chroma > 0 else 0.0


def filled(pixels: np.ndarray) -> float:
    """Which part of a picture, uint8 (H, W, 3), is the plain gray that stands for missing data.

    Where a JPEG's data end early, but with an end mark (a download that a tool repaired, or a cut
    photo saved anew), decoders fill the rest with gray 128 and report nothing. Such a strip lies at
    only one edge, the lower one before the photo is turned; a frame has more. 0.0 without one.
    """
    near = pixels - np.uint8(127) <= 2  # 127 to 129; what is lower wraps around
    gray = near[..., 0] & near[..., 1] & near[..., 2]
    depths = []
    for edge in (gray, gray[::-1], gray.T, gray.T[::-1]):  # each with its edge as the first row
        others = np.flatnonzero(~edge.all(axis=1))
        depths.append(others[0] / len(edge) if others.size else 1.0)
    deep = [depth for depth in depths if depth >= 1 / _FILLED]
    return deep[0] if len(deep) == 1 else 0.0


def _counts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pixels by their a and b, int64 (BINS, BINS); ten times as quick as numpy.histogram2d."""
    rows, columns = (((c.ravel() + AB_RANGE) * (BINS / (2 * AB_RANGE))).astype(int) for c in (a, b))
    return np.bincount(rows * BINS + columns, minlength=BINS * BINS).reshape(BINS, BINS)


def _damage(path: str, error: PhotoError) -> tuple[str, str]:
    """The kind of a problem, "truncated" where the file's end is missing, and its reason."""
    reason = str(error).removeprefix(f"{path}: ").partition(". ")[0]
    # It may quote a name that is no Unicode text and could be neither printed nor drawn.
    reason = reason.encode(errors="backslashreplace").decode()
    if is_passing(error.__cause__):
        return "unread", reason
    if not os.path.isfile(path):
        return "corrupt", reason
    truncated = "truncated", "the file ends before the picture does"
    cause = str(error.__cause__).lower()
    if "out of memory" in cause:  # a decoder's own words
        return "unread", reason
    if "truncated" in cause or "incomplete" in cause:
        return truncated
    with contextlib.suppress(OSError), open(path, "rb") as file:
        head = file.read(8)
        # WebP's decoder doesn't say why it gave up; the head of a WebP file says how long it is.
        if head[:4] == b"RIFF" and os.path.getsize(path) < 8 + int.from_bytes(head[4:8], "little"):
            return truncated
    return "corrupt", reason


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """By a whole number, to a short side of at least ``side``."""
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def _lab(image: Image.Image) -> np.ndarray:
    return rgb_to_lab(torch.from_numpy(np.array(image)).permute(2, 0, 1)).numpy()
