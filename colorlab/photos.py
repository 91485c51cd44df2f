"""Photo files in, uint8 RGB tensors out.

Every picture that the course trains on passes through here: a file of any common format becomes an
upright sRGB picture (`open_photo`), a folder of them becomes a data set (`PhotoFolder`), and a
loader hands out batches in an order that one `torch.Generator` decides (`photo_loader`).
Lab is not made here: whole batches are converted later, on the device that trains.
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
import random
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from torch.utils.data import DataLoader, Dataset, Sampler

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
)
_NAMED_IN_WARNING = 20


class PhotoError(ValueError):
    """A photo that cannot be read; the message names the file, the cause and the next step."""


def open_photo(path: str | os.PathLike[str]) -> Image.Image:
    """The photo in `path` as an upright 8-bit sRGB picture (mode "RGB"), without metadata.

    - Formats: JPEG, PNG, WebP, GIF, TIFF, BMP, told by content, not by name. Of an animation or a
      multi-page file: the first frame.
    - The EXIF orientation is applied.
    - Gray and bilevel: the same value in all three channels.
    - Palette: looked up.
    - 16-bit gray: value / 257, rounded, so that 65535 becomes 255 and nothing is clipped. 16-bit
      color: Pillow keeps the upper byte. 32-bit pixels are refused: no standard says what is white.
    - Alpha (also a transparent palette entry): laid over white, as a web page shows it.
    - CMYK and RGB with an embedded ICC profile other than sRGB (Display P3, Adobe RGB, a press):
      converted to sRGB, perceptual intent. CMYK without a usable profile: Pillow's plain formula,
      R = (1 - C)(1 - K). A profile that does not fit its picture is ignored, as browsers do.

    Raises `PhotoError` naming the file when it is missing, corrupt, truncated, of another format,
    or so large that Pillow takes it for a decompression bomb (over 179 megapixels).
    """
    return _open(Path(path))


def _open(path: Path, short_side: int | None = None) -> Image.Image:
    """`open_photo`; with `short_side`, a JPEG may come reduced, to no less than twice that side.

    libjpeg then leaves out the high frequencies while it decodes (by 2, 4 or 8), which is several
    times faster; the factor of two left to the resampling filter keeps the picture the same.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if short_side is not None:
                image.draft(None, (2 * short_side, 2 * short_side))
            image.load()
            file_format = image.format
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image, file_format)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on broken bytes
        raise PhotoError(f"{path}: {_cause(path, error)}") from error


def _to_rgb(image: Image.Image, file_format: str | None) -> Image.Image:
    """Any mode that Pillow reads -> "RGB" in sRGB, with an empty `info`."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or (image.mode == "I" and file_format == "PNG"):
        # Pillow's own conversion clips at 255, and everything brighter would turn white.
        values = np.asarray(image).astype(np.float32)
        image = Image.fromarray(np.rint(values / 257).astype(np.uint8))
    elif image.mode in ("I", "F", "LAB"):
        raise PhotoError(
            f"its pixels are of Pillow's mode {image.mode!r} (32-bit numbers or Lab), for which "
            "no standard range is known here. Save it as an 8-bit or 16-bit RGB picture."
        )
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK"):
        transform = _transform_to_srgb(profile, image.mode)
        if transform is not None:
            image = ImageCms.applyTransform(image, transform)
    image = image.convert("RGB")
    image.info = {}  # a stale profile or orientation would be written out again with the picture
    return image


@lru_cache(maxsize=16)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Lookup from `mode` pixels in that ICC profile to sRGB; None: already sRGB, or unusable."""
    if b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def _cause(path: Path, error: Exception) -> str:
    """What is wrong with the file, in words a learner can act on."""
    if isinstance(error, PhotoError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file. Check the spelling and the folder you are in."
    if isinstance(error, IsADirectoryError):
        return "this is a folder, and one photo was expected. PhotoFolder reads whole folders."
    if isinstance(error, PermissionError):
        return "you may not read this file. Change its permissions, or copy it to your own folder."
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"too many pixels, perhaps a decompression bomb ({error}). "
            "If you trust the file, save a smaller copy and use that."
        )
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "the file is empty (0 bytes): a download or copy that failed. Fetch it again."
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "this is a web page saved under a photo's name. Download the picture itself."
    if head.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the picture. Run `git lfs pull` in its repository."
    if head[4:8] == b"ftyp":
        return "this is a HEIC, AVIF or video file, which is not read here. Save it as JPEG or PNG."
    if isinstance(error, Image.UnidentifiedImageError):
        return f"not a picture in a format read here ({', '.join(FORMATS)}), or its start is damaged."
    return (
        f"corrupt or truncated ({type(error).__name__}: {error}). "
        'Fetch it again or remove it; PhotoFolder(..., bad="skip") leaves such files out.'
    )


def _list_photos(folder: Path) -> list[str]:
    """Names of the photos below `folder`, relative, with "/", sorted the same on every machine.

    Told by `SUFFIXES` in upper or lower case. Hidden files and folders (".DS_Store", "._x.jpg")
    and all other files are left out; links to folders are not followed.
    """
    if not folder.exists():
        raise FileNotFoundError(
            f"There is no folder {folder} (looked from {Path.cwd()}). Check the path; "
            "data still to be downloaded or unpacked is the usual cause."
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; a folder of photos was expected.")

    def stop(error: OSError) -> None:
        raise error

    names, others = [], set()
    for top, folders, files in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(top).relative_to(folder).as_posix()
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith("."):
                continue
            if suffix in SUFFIXES:
                names.append(name if inside == "." else f"{inside}/{name}")
            else:
                others.add(suffix or name)
    if not names:
        found = f"only {', '.join(sorted(others)[:8])}" if others else "nothing"
        raise PhotoError(
            f"No photo in {folder} or its subfolders: found {found}, and looked for "
            f"{', '.join(sorted(SUFFIXES))}. An archive not yet unpacked is the usual cause."
        )
    return sorted(names, key=_canonical)


def _canonical(name: str) -> str:
    """One spelling of a name: some file systems take the accents off their letters (NFD)."""
    return unicodedata.normalize("NFC", name)


def _problem(path: Path) -> str | None:
    """Why the photo cannot be read, or None. The whole file is decoded (JPEGs at 1/8 size)."""
    try:
        _open(path, short_side=1)
    except PhotoError as error:
        return str(error)
    return None


class PhotoFolder(Dataset[torch.Tensor]):
    """The photos below one or more folders, as uint8 tensors (3, H, W), RGB, 0..255.

    `ds[i]` or `ds[i, seed]`; `photo_loader` gives the pairs.

    size: None: the whole photo as it is. s: the short side is brought to s and an s x s square is
        cut out (bicubic, antialiased).
    augment: False: the middle square. True: the short side is brought to s * u with u uniform in
        `scale`, the square is cut at random, and every other one is mirrored. `seed` (an int)
        alone decides all three; without it, it is drawn from torch's global generator.
    scale: (lowest, highest) u, at least 1 so that the square fits.
    bad: "raise": a file that cannot be read raises `PhotoError` when it is asked for; nothing is
        read before. "skip": every file is decoded once, here, with two threads, and the bad ones
        are left out with a warning that names them; so the length is true from the start, and
        an epoch never holds another photo in a bad one's place. `.skipped` keeps path -> reason.

    `.paths` and `.names` (relative to the photo's folder, with "/") are sorted by name within each
    folder, folders in the order given; `.folder_of[i]` is the number of photo i's folder.

    Raises FileNotFoundError or NotADirectoryError for a folder that is not there, `PhotoError` for
    one without a (readable) photo, ValueError for arguments that contradict each other.
    """

    def __init__(
        self,
        folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        bad: str = "raise",
    ) -> None:
        if bad not in ("raise", "skip"):
            raise ValueError(f'bad={bad!r} is unknown. Valid: "raise", "skip".')
        if size is not None and size < 1:
            raise ValueError(f"size={size}: the side of the square must be at least 1 pixel.")
        if augment and size is None:
            raise ValueError("augment=True cuts a square, so it needs size, such as size=256.")
        if not 1.0 <= scale[0] <= scale[1]:
            raise ValueError(f"scale={scale}: expected 1 <= lowest <= highest, such as (1.0, 1.25).")
        single = isinstance(folders, (str, os.PathLike))
        self.folders = [Path(folders)] if single else [Path(folder) for folder in folders]
        if not self.folders:
            raise ValueError("The list of folders is empty; name at least one folder of photos.")
        self.size, self.augment, self.scale = size, augment, scale
        self.names: list[str] = []
        self.paths: list[Path] = []
        self.folder_of: list[int] = []
        self.skipped: dict[Path, str] = {}
        for number, folder in enumerate(self.folders):
            for other in self.folders[:number]:
                a, b = folder.resolve(), other.resolve()
                if a == b or a in b.parents or b in a.parents:
                    raise ValueError(f"{folder} and {other} overlap: photos would count twice.")
            names = _list_photos(folder)
            if bad == "skip":
                names = self._readable(folder, names)
            self.names += names
            self.paths += [folder / name for name in names]
            self.folder_of += [number] * len(names)
        if self.skipped:
            reasons = list(self.skipped.values())
            more = len(reasons) - _NAMED_IN_WARNING
            tail = [f"... and {more} more, see .skipped"] if more > 0 else []
            lines = "\n  ".join(reasons[:_NAMED_IN_WARNING] + tail)
            warnings.warn(f"{len(reasons)} unreadable photo(s) left out:\n  {lines}", stacklevel=2)

    def _readable(self, folder: Path, names: list[str]) -> list[str]:
        """The names whose files decode; the others go to `skipped`."""
        with ThreadPoolExecutor(2) as pool:  # Pillow releases the interpreter while it decodes
            problems = list(pool.map(_problem, [folder / name for name in names], chunksize=16))
        bad = {name: why for name, why in zip(names, problems, strict=True) if why is not None}
        if len(bad) == len(names):
            first = next(iter(bad.values()))
            raise PhotoError(f"None of the {len(names)} photos in {folder} can be read; {first}")
        self.skipped |= {folder / name: why for name, why in bad.items()}
        return [name for name in names if name not in bad]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: int | tuple[int, int]) -> torch.Tensor:
        index, seed = item if isinstance(item, tuple) else (item, None)
        image = _open(self.paths[index], self.size)
        if self.size is not None:
            if self.augment and seed is None:
                seed = int(torch.randint(2**63 - 1, ()))
            image = _square(image, self.size, self.scale, seed if self.augment else None)
        # (H, W, 3) -> (3, H, W), in one copy that owns its memory
        return torch.from_numpy(np.array(np.asarray(image).transpose(2, 0, 1), order="C"))

    def weights(self, balance: float = 1.0) -> torch.Tensor:
        """Probability of each photo, float64 (len,), sum 1: folder i has a total of n_i**balance
        over the sum of all; 1: every photo alike, 0: every folder alike, whatever its size."""
        _, number, counts = torch.tensor(self.folder_of).unique(
            return_inverse=True, return_counts=True
        )
        totals = counts.double() ** balance
        return (totals / totals.sum() / counts)[number]

    def split(self, fractions: dict[str, float] | None = None) -> dict[str, PhotoFolder]:
        """`split_by_name` of the photos: one PhotoFolder a part, with this one's settings."""
        parts = split_by_name(self.names) if fractions is None else split_by_name(
            self.names, fractions
        )
        return {part: self._only(set(names)) for part, names in parts.items()}

    def _only(self, names: set[str]) -> PhotoFolder:
        chosen = [i for i, name in enumerate(self.names) if name in names]
        other = copy.copy(self)
        other.names = [self.names[i] for i in chosen]
        other.paths = [self.paths[i] for i in chosen]
        other.folder_of = [self.folder_of[i] for i in chosen]
        return other


def _square(
    image: Image.Image, size: int, scale: tuple[float, float], seed: int | None
) -> Image.Image:
    """An image's `size` x `size` cut: the middle one (seed None) or a random, perhaps mirrored one.

    Equals resizing the whole picture and cropping, but only the part that is kept is computed,
    which also keeps a strip of 10000 x 2 pixels harmless.
    """
    # random.Random(int).random() gives the same numbers on every machine and Python.
    u, across, down, mirror = 1.0, 0.5, 0.5, False
    if seed is not None:
        rng = random.Random(seed)
        u = scale[0] + (scale[1] - scale[0]) * rng.random()
        across, down, mirror = rng.random(), rng.random(), rng.random() < 0.5
    width, height = image.size
    factor = size * u / min(width, height)
    box = []
    for side, where in ((width, across), (height, down)):
        resized = max(size, round(side * factor))
        start = min(int(where * (resized - size + 1)), resized - size) if seed is not None else (
            (resized - size) // 2
        )
        box.append((start * side / resized, (start + size) * side / resized))
    (left, right), (top, bottom) = box
    cut = image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, right, bottom), reducing_gap=3.0
    )
    return ImageOps.mirror(cut) if mirror else cut


_DEFAULT_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}


def split_by_name(
    names: Iterable[str | PurePath], fractions: dict[str, float] = _DEFAULT_FRACTIONS
) -> dict[str, list[Any]]:
    """Deal names into parts by a hash of each name alone, in the order given.

    BLAKE2b (RFC 7693) of the name, as a number in [0, 1), falls into one part's share of that
    interval. A photo's part depends on nothing but its name and the fractions: adding, removing
    or reordering other photos never moves it, on any machine. The shares are met on average only.
    Near-duplicates under different names can be parted; group them first where that matters.

    names: relative to the data's folder (`PhotoFolder.names`), so that they are the same everywhere.
    fractions: part -> share; at least 0, with a sum of 1.
    Raises ValueError for other fractions and for absolute paths.
    """
    if any(share < 0 for share in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-9:
        raise ValueError(f"fractions={fractions}: expected shares of at least 0 with a sum of 1.")
    parts: dict[str, list[Any]] = {part: [] for part in fractions}
    ends = np.cumsum(list(fractions.values()))
    for name in names:
        text = name.as_posix() if isinstance(name, PurePath) else name
        if os.path.isabs(text):
            raise ValueError(
                f"{text} is an absolute path, which differs from machine to machine, and so would "
                "the split. Give names relative to the folder, as PhotoFolder.names has them."
            )
        digest = hashlib.blake2b(_canonical(text).encode(), digest_size=6).digest()
        place = int.from_bytes(digest, "big") / 2**48
        # The last end can be 1 - 1e-16 after the sum.
        number = min(int(np.searchsorted(ends, place, side="right")), len(ends) - 1)
        parts[list(fractions)[number]].append(name)
    return parts


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
    if isinstance(dataset, PhotoFolder) and dataset.size is None and batch_size > 1:
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
