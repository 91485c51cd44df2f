"""One photo file in, one upright sRGB picture out; and the list of those in a folder.

Everything odd that a file can hold (rotation, gray, palettes, 16 bits, alpha, press colors, damage)
is dealt with here, so that the rest of the course only ever meets 8-bit RGB.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from colorlab.photos.decode import (
    FORMATS,
    Decoded,
    decode,
    stored_size,
)
from colorlab.photos.decode import orientation as find_orientation
from colorlab.photos.errors import PhotoError
from colorlab.photos.layers import Layers, flat, layers

INDEX = "colorlab-pack.npz"  # in a folder of packed photos, see `colorlab.photos.packed`
# EXIF 2.3, section 4.6.4: the side that row 0 shows -> the move that sets the picture upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
)
# Pictures of kinds that are not read here; a folder's are named when they are left out.
OTHER_PICTURES = frozenset(
    {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".psd", ".psb"}
    | {".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".exr", ".hdr", ".eps", ".pdf", ".svg"}
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".raw"}
)


@dataclass(frozen=True)
class StoredPhoto:
    """The bytes of a photo file that lies inside another file; ``name`` is what errors call it."""

    name: str
    data: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.name

    def open(self, _mode: str = "rb") -> BytesIO:
        """The bytes as a file, as ``Path.open`` gives one."""
        return BytesIO(self.data)


def open_photo(path: str | os.PathLike[str]) -> Image.Image:
    """The photo in ``path`` as an upright 8-bit sRGB picture (mode "RGB"), without metadata.

    - Formats: JPEG, PNG, WebP, GIF, TIFF, BMP, known by content, not by name. Of an animation or a
      multi-page file: the first frame.
    - The EXIF orientation is applied. Broken EXIF is passed over, and so is XMP's orientation.
    - Gray and bilevel: the same value in all three channels. Palette: looked up.
    - TIFF: any depth from 1 to 16 bits, either byte order, white or black as zero, planes together
      or apart. Over 8 bits: scaled so that the highest value becomes 255, nothing is clipped.
      32-bit pixels, signed ones and Lab are refused by their kind.
    - Alpha (also a transparent palette entry): laid over white, as a web page shows it.
    - Colors of an embedded ICC profile that does not do what sRGB does (dot gain, gamma 1.8, a
      wide gamut, a press): converted to sRGB, perceptual intent, in every mode. In a PNG without
      one: its cICP, sRGB or gAMA and cHRM chunks, in this order. CMYK without a usable profile:
      Pillow's plain formula, R = (1 - C)(1 - K). A profile that is broken, or does not fit its
      picture, is passed over with a warning.
    - A JPEG or PNG whose last bytes are missing but no pixel is read with a warning.

    Damage that leaves a decodable file, such as a flipped bit in a JPEG or BMP, looks like a
    picture.

    Raises:
        PhotoError: the file is missing, corrupt, truncated, of another format, or so
            large that Pillow takes it for a decompression bomb (over 179 megapixels).
    """
    return read_photo(Path(path))[0]


def read_photo(
    path: Path | StoredPhoto, short_side: int | None = None
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """Read as ``open_photo``; also the (left, top, right, bottom) that the photo fills in it.

    With ``short_side``, a JPEG may come reduced by 2, 4 or 8, to no less than twice that side:
    libjpeg leaves the high frequencies out while it decodes, which is several times faster, and
    the factor of two left to the resampling filter keeps the picture the same. The photo's edge can
    then fall inside a pixel: 341 columns, halved, fill 170.5 of 171. Else it fills the picture.
    """
    with opened(path) as file:
        decoded = decode(file, str(path), short_side)
        photo = flat(layers(decoded, str(path)))
    orientation, (width, height) = decoded.orientation, decoded.filled
    unfilled = photo.width - width, photo.height - height  # on the right and at the bottom
    if orientation in TURNS:
        photo = photo.transpose(TURNS[orientation])
    if orientation in (5, 6, 7, 8):
        width, height, unfilled = height, width, unfilled[::-1]
    left = unfilled[0] if orientation in (2, 3, 6, 7) else 0
    top = unfilled[1] if orientation in (3, 4, 7, 8) else 0
    return photo, (left, top, left + width, top + height)


def photo_size(path: Path) -> tuple[int, int]:
    """Read (width, height) of the upright photo from the head of the file; no pixel is decoded.

    Raises:
        PhotoError: the head is damaged, or what ``open_photo`` refuses.
    """
    with opened(path) as file:
        (width, height), orientation = stored_size(file)
    return (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def open_layers(path: Path | StoredPhoto) -> Layers:
    """Read a photo as it is under its alpha, with the alpha and its sixteen bits.

    An alpha that is opaque everywhere is none. Else as ``open_photo``.

    Raises:
        PhotoError: as ``open_photo``.
    """
    with opened(path) as file:
        decoded = decode(file, str(path))
        return _upright(layers(decoded, str(path)), decoded.orientation)


def upright_layers(image: Image.Image) -> Layers:
    """The same of a picture in memory, of any mode that ``open_photo`` takes."""
    image.load()
    colors = image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        colors = np.asarray(image).astype(np.uint16)[..., None]
    decoded = Decoded(colors, image.info, find_orientation(image), image.size)
    return _upright(layers(decoded, "the picture"), decoded.orientation)


def _upright(photo: Layers, orientation: int) -> Layers:
    rgb, alpha, deep = photo
    if alpha is not None and alpha.getextrema() == (255, 255):
        alpha = None
    if orientation in TURNS:
        turn = TURNS[orientation]
        rgb, alpha = rgb.transpose(turn), alpha and alpha.transpose(turn)
        deep = None if deep is None else _turned(deep, orientation)
    return Layers(rgb, alpha, deep)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What ``Image.transpose`` does, of (H, W, ...)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    across = -1 if orientation in (2, 3, 6, 7) else 1
    down = -1 if orientation in (3, 4, 7, 8) else 1
    return np.ascontiguousarray(pixels[::down, ::across])


@contextmanager
def opened(path: Path | StoredPhoto) -> Iterator[BinaryIO]:
    """The file, opened.

    Raises:
        PhotoError: whatever goes wrong inside, with the file's name.
    """
    try:
        with _checked(path).open("rb") as file:
            yield file
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on broken bytes
        raise PhotoError(f"{path}: {_cause(path, error)}") from error


def _checked(path: Path | StoredPhoto) -> Path | StoredPhoto:
    if isinstance(path, StoredPhoto):
        return path
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe would wait for ever
        raise PhotoError("not a regular file, but a pipe, socket or device. Move it elsewhere.")
    return path


def is_passing(error: BaseException | None) -> bool:
    """Whether the system could not give a file's bytes, which says nothing about the bytes.

    The file is gone, may not be read, or its disk fails: what may be otherwise the next time.
    """
    # Decoders raise OSError without a number. Broken bytes have them seek before the file's start.
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _cause(path: Path | StoredPhoto, error: Exception) -> str:
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
    if is_passing(error):
        return f"could not be read now ({error.strerror}). Try again; check the disk or network."
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as second:
        return f"could not be read now ({second.strerror}). Try again; check the disk or network."
    if not head:
        return "the file is empty (0 bytes): a download or copy that failed. Fetch it again."
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "this is a web page saved under a photo's name. Download the picture itself."
    if head.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the picture. Run `git lfs pull` in its repository."
    if head[4:8] == b"ftyp":
        return "this is a HEIC, AVIF or video file, which is not read here. Save it as JPEG or PNG."
    if isinstance(error, Image.UnidentifiedImageError):
        return f"not a picture that can be read here ({', '.join(FORMATS)}), damaged or cut off."
    return f"corrupt or truncated ({type(error).__name__}: {error}). Fetch it again or remove it."


class Listing(NamedTuple):
    """What lies below a folder.

    Photos; pictures of kinds that are not read here; and subfolders that can't be looked into.
    Names are relative, with "/", sorted the same on every machine.
    """

    photos: list[str]
    others: list[str]
    closed: dict[str, OSError]


def look_into(folder: Path) -> Listing:
    """The photos below ``folder``, and what is left out.

    Known by ``SUFFIXES`` in upper or lower case. Hidden files and folders (".DS_Store", "._x.jpg")
    are left out without a word, and so is what is no picture. Links to folders are not followed.

    Raises:
        FileNotFoundError, NotADirectoryError: no such folder.
        OSError: the folder can't be looked into.
        PhotoError: there is no photo in it.
    """
    if not folder.exists():
        raise FileNotFoundError(
            f"There is no folder {folder} (looked from {Path.cwd()}). Check the path; "
            "data still to be downloaded or unpacked is the usual cause."
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; a folder of photos was expected.")
    errors: list[OSError] = []
    names, pictures, others = [], [], set()
    for top, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(top).relative_to(folder).as_posix()
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            whole = name if inside == "." else f"{inside}/{name}"
            if name.startswith("."):
                continue
            if suffix in SUFFIXES:
                names.append(whole)
                continue
            others.add(suffix or name)
            if suffix in OTHER_PICTURES:
                pictures.append(whole)
    closed = {Path(error.filename).relative_to(folder).as_posix(): error for error in errors}
    if not names:
        if closed:
            raise errors[0]
        raise PhotoError(_why_none(folder, others))
    return Listing(sorted(names, key=canonical), sorted(pictures, key=canonical), closed)


def list_photos(folder: Path) -> list[str]:
    """The photos of ``look_into``; a subfolder that can't be looked into is an error here."""
    found = look_into(folder)
    for error in found.closed.values():
        raise error
    return found.photos


def _why_none(folder: Path, others: set[str]) -> str:
    if (folder / INDEX).is_file():
        return (
            f"{folder} is a packed folder, and a folder of photo files is expected here; name the "
            "one that was packed. colorlab train --data, and PackedPhotos, read packed ones."
        )
    if ".npy" in others:
        return (
            f"No photo in {folder}, but arrays (.npy). Lab arrays are trained on with colorlab "
            "train --arrays, and read by LabArrays."
        )
    found = f"only {', '.join(sorted(others)[:8])}" if others else "nothing"
    return (
        f"No photo in {folder} or its subfolders: found {found}, and looked for "
        f"{', '.join(sorted(SUFFIXES))}. An archive not yet unpacked is the usual cause."
    )


def check_apart(folders: Sequence[Path]) -> None:
    """Refuse folders of which two are the same, or one lies in another.

    Raises:
        ValueError: such folders; the message names them.
    """
    for number, folder in enumerate(folders):
        for other in folders[:number]:
            a, b = folder.resolve(), other.resolve()
            if a == b or a in b.parents or b in a.parents:
                raise ValueError(f"{folder} and {other} overlap: photos would count twice.")


def canonical(name: str) -> str:
    """One spelling of a name: some file systems take the accents off their letters (NFD)."""
    return unicodedata.normalize("NFC", name)
