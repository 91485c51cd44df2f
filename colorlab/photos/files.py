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
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

INDEX = "colorlab-pack.npz"  # in a folder of packed photos, see `colorlab.photos.packed`
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
ORIENTATION = 0x0112
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
PHOTOMETRIC = 262  # TIFF 6.0, section 8: 0 means that white is 0
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
)


class PhotoError(ValueError):
    """A photo that cannot be read; the message names the file, the cause and the next step."""


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
    - The EXIF orientation is applied. Broken EXIF is passed over.
    - Gray and bilevel: the same value in all three channels.
    - Palette: looked up.
    - 16-bit gray: value / 257, rounded, so that 65535 becomes 255 and nothing is clipped. 16-bit
      color: Pillow keeps the upper byte. 32-bit pixels are refused: no standard says what is white.
    - Alpha (also a transparent palette entry): laid over white, as a web page shows it.
    - CMYK and RGB with an embedded ICC profile other than sRGB (Display P3, Adobe RGB, a press):
      converted to sRGB, perceptual intent. CMYK without a usable profile: Pillow's plain formula,
      R = (1 - C)(1 - K). A profile that does not fit its picture is ignored, as browsers do.

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
    with _opened(path) as image:
        reduced = None
        if short_side is not None:
            reduced = image.draft(None, (2 * short_side, 2 * short_side))
        image.load()
        orientation = _orientation(image)
        photo = _to_rgb(image)
    width, height = photo.size if reduced is None else reduced[1][2:]
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
    with _opened(path, check=False) as image:
        width, height = image.size
        return (height, width) if _orientation(image) in (5, 6, 7, 8) else (width, height)


def open_layers(path: Path) -> tuple[Image.Image, Image.Image | None]:
    """Read a photo as it is under its alpha, and the alpha (mode "L"; None without one).

    Else as ``open_photo``.

    Raises:
        PhotoError: as ``open_photo``.
    """
    with _opened(path) as image:
        image.load()
        return upright_layers(image)


def upright_layers(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The same of a picture in memory, of any mode that ``open_photo`` takes."""
    turn = TURNS.get(_orientation(image))
    alpha = None
    if image.mode.startswith("I;16"):
        if (clear := image.info.get("transparency")) is not None:  # the one value that is unseen
            alpha = Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        profile = image.info.get("icc_profile")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
        image.info = {"icc_profile": profile} if profile else {}
    layers = _to_rgb(image), alpha
    if turn is None:
        return layers
    return tuple(layer and layer.transpose(turn) for layer in layers)


@contextmanager
def _opened(path: Path | StoredPhoto, check: bool = True) -> Iterator[Image.Image]:
    """The file, opened; whatever goes wrong inside becomes a ``PhotoError`` that names it."""
    try:
        with Image.open(_source(path), formats=FORMATS) as image:
            if check and image.format == "PNG":
                _check_sums(path)
            yield image
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on broken bytes
        raise PhotoError(f"{path}: {_cause(path, error)}") from error


def _source(path: Path | StoredPhoto) -> Path | BytesIO:
    """What Pillow opens: a file by its name where it has one, as it then maps some formats."""
    if isinstance(path, StoredPhoto):
        return path.open()
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe would wait for ever
        raise PhotoError("not a regular file, but a pipe, socket or device. Move it elsewhere.")
    return path


def _check_sums(path: Path | StoredPhoto) -> None:
    """Raise where a chunk of a PNG is damaged; Pillow decodes pixels without looking."""
    with Image.open(_source(path), formats=("PNG",)) as image:
        image.verify()


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 (upright) where there is none to be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata raise nearly anything; the pixels may well be good
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that Pillow reads -> "RGB" in sRGB, with an empty ``info``."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # Pillow's own conversion clips at 255, and everything brighter would turn white.
        values = np.asarray(image).astype(np.float32)
        if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0:
            values = 65535 - values
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
    """Lookup from ``mode`` pixels in that ICC profile to sRGB; None: already sRGB, or unusable."""
    if mode == "RGB" and (b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile):
        return None
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


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


def list_photos(folder: Path) -> list[str]:
    """Names of the photos below ``folder``, relative, with "/", sorted the same on every machine.

    Known by ``SUFFIXES`` in upper or lower case. Hidden files and folders (".DS_Store", "._x.jpg")
    and all other files are left out; links to folders are not followed.

    Raises:
        FileNotFoundError, NotADirectoryError: no such folder.
        PhotoError: there is no photo in it.
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
    if not names and (folder / INDEX).is_file():
        raise PhotoError(
            f"{folder} is a packed folder, and a folder of photo files is expected here; name the "
            "one that was packed. colorlab train --data, and PackedPhotos, read packed ones."
        )
    if not names and ".npy" in others:
        raise PhotoError(
            f"No photo in {folder}, but arrays (.npy). Lab arrays are trained on with colorlab "
            "train --arrays, and read by LabArrays."
        )
    if not names:
        found = f"only {', '.join(sorted(others)[:8])}" if others else "nothing"
        raise PhotoError(
            f"No photo in {folder} or its subfolders: found {found}, and looked for "
            f"{', '.join(sorted(SUFFIXES))}. An archive not yet unpacked is the usual cause."
        )
    return sorted(names, key=canonical)


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
