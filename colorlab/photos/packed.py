"""Folders of photos packed into a few large files, for sets that memory can't hold.

    OUT/photos-00000.tar    the photos, one after the other, each as the file that it was
    OUT/photos-00001.tar    a shard: 256 MB of photos, or the size that ``pack`` was asked for
    OUT/colorlab-pack.npz   the index: where each photo lies, and its checksum

A hundred thousand files take long to list and to copy, and to open one by one on a network drive;
a dozen large ones do not. ``tar -xf`` gives the folder back, and ``webdataset`` reads the shards.

Read by its index, a photo at a time and in any order, a packed set is a ``PhotoSet`` like any
other: only the seed decides the order, whatever the number of threads and processes, and a run that
is resumed goes on exactly. What else there is does not give that:

- webdataset's own pipeline streams the shards: its order follows from the number of workers and
  from a buffer, and going on in the middle means reading anew what came before. Its module for
  indexed access, ``wids``, left the package with version 1.0; it maps whole shards into memory.
- torch ships stream readers as well (torch.utils.data.datapipes, none of them for tar). What it
  can map (``torch.load`` with mmap=True) or split (torch.distributed.checkpoint) are tensors, so
  pixels, ten times the bytes of a JPEG.

There is no order that keeps to one shard for a while: an SSD reads several times as many photos in
random order as a processor decodes meanwhile, and a slow or far disk is best copied from first.

The index is the part that WebDataset lacks: its tar files ("shards") are in WebDataset's form and
written by its ``TarWriter``, where a sample is the files with one key, the name up to its first
dot.
"""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from PIL import Image

from colorlab.atomic import whole_folder
from colorlab.photos.base import PhotoSet, folder_weights
from colorlab.photos.cuts import Cut, Threads
from colorlab.photos.exclusions import FILE_NAME
from colorlab.photos.files import INDEX, PhotoError, StoredPhoto, read_photo
from colorlab.photos.folder import PhotoFolder

_AT_ONCE = 16  # photos in memory while packing
_NAMED_IN_WARNING = 20
_QUALITY = 95
_DECODING = 2  # 2: color profiles in every mode, TIFF by its tags. A reduced photo keeps its pixels


def is_packed(folder: str | os.PathLike[str]) -> bool:
    """Whether it is a folder that ``pack`` made."""
    return Path(folder, INDEX).is_file()


class PackedPhotos(PhotoSet):
    """The photos of a folder that ``pack`` made, as uint8 tensors (3, H, W), RGB, 0..255.

    Packed without ``size``, each equals the folder's photo bit for bit. Opening reads the index and
    the shards' sizes; an epoch costs no more memory than its batches.

    Args:
        size, augment, scale, keep, threads: see ``PhotoSet``.

    ``.names`` and ``.folder_of`` are those of the ``PhotoFolder`` that was packed, so ``.split``
    deals every photo into the same part, and a run that began on the folder can go on with the
    pack.
    ``.shards``: the tar files. ``.reduced_to``: the ``size`` that ``pack`` got, or None.
    ``.skipped``: name in the pack -> why the photo was left out.

    Raises:
        FileNotFoundError: a folder, index or shard that is not there.
        ShardError: a ValueError; an index or shard that is damaged or cut short, or, when a
            photo is asked for, one whose bytes have changed.
        ValueError: arguments that contradict each other.
    """

    holds: ClassVar[str] = "rgb"
    per_photo: ClassVar[tuple[str, ...]] = ("names", "folder_of", "_numbers")

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        size: int | None = None,
        augment: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        keep: int = 0,
        threads: int = 1,
    ) -> None:
        super().__init__(size, augment, scale, keep, threads)
        self.target = Path(target)
        index = Index.read(self.target)
        self.shards = [self.target / name for name in index.shards]
        self._members, self._places = index.members, index.places
        self.names: list[str] = index.facts["names"] or index.members
        self.folder_of: list[int] = index.facts["folder_of"]
        self.reduced_to: int | None = index.facts["reduced_to"]
        self.skipped: dict[str, str] = index.facts["skipped"]
        if self.reduced_to is not None and index.facts.get("decoding", 1) < _DECODING:
            warnings.warn(
                f"{self.target} holds photos reduced by an earlier colorlab, which read some scans "
                "and color profiles wrongly. Pack them anew if there may be such photos.",
                stacklevel=2,
            )
        self._numbers: Sequence[int] = range(len(self.names))

    def _picture(self, index: int) -> torch.Tensor:
        number = self._numbers[index]
        place, member = self._places[number], self._members[number]
        shard = self.shards[place["shard"]]
        photo = StoredPhoto(f"{shard}/{member}", read_bytes(shard, member, place))
        return self._cut.picture(*read_photo(photo, self._cut.short))

    def weights(self, balance: float = 1.0) -> torch.Tensor:
        """As ``PhotoFolder.weights``, by the folders that were packed."""
        return folder_weights(self.folder_of, balance)


def pack(
    folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    size: int | None = None,
    shard_bytes: int = 256 * 2**20,
    progress: bool = False,
) -> Path:
    """Pack the photos of one or more folders into a new folder ``target``, for ``PackedPhotos``.

    It appears when all is written and synced. On an error or an interrupt nothing is left; what a
    SIGKILL leaves has another name, and the next call removes it.

    Every photo is decoded once (JPEGs at 1/8 size). One that can't be is left out with a warning
    that names it, so the pack holds what ``PhotoFolder(folders, bad="skip")`` does. A file that
    can't even be read, as on a drive that is gone, stops the packing.

    Several folders stand in the tar files as 0-NAME, 1-NAME and so on.

    Args:
        size: None: the bytes of each file as they are. s: a photo whose short side is longer
            becomes a picture of short side s (of one longer than 4 : 1, its middle 4 : 1), upright,
            in sRGB; a JPEG a JPEG of quality 95, its color at full resolution, anything else a PNG.
            Take the recipe's image size times the highest u of its scale, as less has to be
            enlarged again.
        shard_bytes: so many bytes of photos a shard at most, unless a single photo has more.
        progress: show a bar.

    Raises:
        FileExistsError: ``target`` exists.
        PhotoError: no photo can be decoded.
        OSError: a file that can't be read and a disk that is full.
        ValueError: arguments out of range, and what ``PhotoFolder`` raises.
    """
    from tqdm.auto import tqdm

    if shard_bytes < 1:
        raise ValueError(f"shard_bytes={shard_bytes}: a shard must hold at least 1 byte.")
    cut = None if size is None else Cut(size, augment=True, scale=(1.0, 1.0))
    photos = PhotoFolder(folders)
    tops = [f"{n}-{folder.resolve().name}/" for n, folder in enumerate(photos.folders)]
    names: list[str] = []
    folder_of: list[int] = []
    skipped: dict[str, str] = {}
    try:
        with whole_folder(target) as folder:
            with ShardWriter(folder, shard_bytes) as shards:
                packed = tqdm(_packed(photos, cut), "pack", total=len(photos), disable=not progress)
                for name, number, file in zip(photos.names, photos.folder_of, packed, strict=True):
                    member = tops[number] + name if len(tops) > 1 else name
                    if isinstance(file, PhotoError):
                        skipped[member] = str(file)
                    else:
                        shards.add(member + file.suffix, file.data)
                        names.append(name)
                        folder_of.append(number)
            if not names:
                why = next(iter(skipped.values()))
                raise PhotoError(f"None of the {len(photos)} photos can be read; {why}")
            shards.index.facts = {
                "names": None if names == shards.index.members else names,
                "folder_of": folder_of,
                "reduced_to": size,
                "decoding": _DECODING,
                "skipped": skipped,
            }
            shards.index.write(folder)
    except FileExistsError:
        raise
    except OSError as error:
        raise OSError(
            f"{target} was not packed, and nothing is left of it: {error}. Make room on the disk, "
            "or mend what is named here, and pack again."
        ) from error
    if skipped:
        more = len(skipped) - _NAMED_IN_WARNING
        lines = list(skipped.values())[:_NAMED_IN_WARNING]
        lines += [f"... and {more} more, see PackedPhotos(...).skipped"] if more > 0 else []
        text = "\n  ".join([f"{len(skipped)} unreadable photo(s) left out:", *lines])
        warnings.warn(text, stacklevel=2)
    return Path(target)


class _File(NamedTuple):
    """What is packed of a photo."""

    data: bytes
    suffix: str  # to be added to the name, where the name has that of another format


def _packed(photos: PhotoFolder, cut: Cut | None) -> Iterator[_File | PhotoError]:
    """Of each photo what is packed, or why it can't be decoded; a few are made ahead."""
    threads = Threads(min(8, os.cpu_count() or 1))
    for first in range(0, len(photos), _AT_ONCE):
        some = photos.paths[first : first + _AT_ONCE]
        yield from threads.map(lambda path: _file(path, cut), some)


def _file(path: Path, cut: Cut | None) -> _File | PhotoError:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to read a pipe is to wait for ever
            raise OSError("it is no regular file")
        data = path.read_bytes()
    except OSError as error:
        raise OSError(
            f"{path} can't be read ({error.strerror or error}); remove that file or broken link, "
            f"mend its permissions, or put its name on {FILE_NAME}"
        ) from error
    try:
        image, filled = read_photo(StoredPhoto(str(path), data), 1 if cut is None else cut.short)
    except PhotoError as error:
        return error
    if cut is None or min(filled[2] - filled[0], filled[3] - filled[1]) <= cut.short:
        return _File(data, "")
    picture = Image.fromarray(cut.picture(image, filled).numpy())
    reduced = io.BytesIO()
    if data.startswith(b"\xff\xd8"):  # as every JPEG begins (ITU-T T.81, section B.1.1.3)
        picture.save(reduced, "JPEG", quality=_QUALITY, subsampling=0)
        fitting = (".jpg", ".jpeg", ".jpe", ".jfif")
    else:
        picture.save(reduced, "PNG")
        fitting = (".png",)
    return _File(reduced.getvalue(), "" if path.suffix.lower() in fitting else fitting[0])


# --- the tar files and their index ----------------------------------------------------------------

_VERSION = 1
_HEAD = ("shards", "members", "facts")  # what of an index is kept as JSON
_PLACE = np.dtype([("shard", "<u4"), ("offset", "<u8"), ("length", "<u8"), ("crc32", "<u4")])
_WRITTEN = 946684800  # 2000-01-01: so the same files make the same shards, byte for byte
_AGAIN = "Copy it again from where it was packed, or pack anew."


class ShardError(ValueError):
    """A shard or an index that is not what was written; the message names it, and what to do."""


@dataclass
class Index:
    """Where each file lies.

    Args:
        shards: name of each tar file -> its bytes.
        members: name of each file inside its tar, in the order of writing.
        places: for each file its shard's number, offset and length in bytes there, and CRC-32.
        facts: whatever else is to be known, as JSON can say it.
    """

    shards: dict[str, int] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    places: np.ndarray = field(default_factory=lambda: np.empty(0, _PLACE))
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it beside its shards. The archive holds a checksum of each part."""
        head = {"version": _VERSION, **{name: getattr(self, name) for name in _HEAD}}
        with open(folder / INDEX, "wb") as file:
            text = np.frombuffer(json.dumps(head).encode(), np.uint8)
            np.savez(file, places=self.places, head=text)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The index of a folder whose shards are all there and as long as they were written.

        Raises:
            FileNotFoundError: an index or shard that is not there.
            ShardError: one that is damaged or cut short.
        """
        path = folder / INDEX
        if not path.is_file():
            what = "holds no packed photos" if folder.is_dir() else "is no folder"
            raise FileNotFoundError(
                f"{folder} {what} ({INDEX} is not there; looked from {Path.cwd()}). Check the "
                "path; `colorlab pack DIR -o OUT` makes such a folder."
            )
        try:
            with np.load(path, allow_pickle=False) as file:
                head, places = json.loads(file["head"].tobytes()), file["places"]
            version = head["version"]
            index = cls(**{name: head[name] for name in _HEAD}, places=places)
        except Exception as error:  # a broken archive raises nearly anything
            raise ShardError(f"{path} is damaged ({error!r}). {_AGAIN}") from error
        if version != _VERSION:
            raise ShardError(
                f"{path} is of version {version}, and version {_VERSION} is read here. Update "
                "colorlab, or pack anew."
            )
        for name, expected in index.shards.items():
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder / name} is missing. {_AGAIN}")
            size = (folder / name).stat().st_size
            if size != expected:
                raise ShardError(
                    f"{folder / name} has {size} bytes, and {expected} were written: a copy that "
                    f"broke off is the usual cause. {_AGAIN}"
                )
        return index


def read_bytes(shard: Path, member: str, place: np.void) -> bytes:
    """One file out of a shard: ``place`` is its entry in ``Index.places``.

    The shard is opened for each, microseconds beside the time that decoding takes: there is no
    handle that a worker process could not inherit or that threads would have to share. It is not
    mapped: pages once touched count as the process's memory, and an epoch touches all.

    Raises:
        ShardError: the bytes are not those that were written.
    """
    _, offset, length, expected = place.tolist()
    with open(shard, "rb", buffering=0) as file:
        file.seek(offset)
        data = file.read(length)
    if zlib.crc32(data) != expected:
        raise ShardError(
            f"{shard}/{member}: these are not the bytes that were packed (their checksum differs). "
            f"A disk that fails or a copy that went wrong is the usual cause. {_AGAIN}"
        )
    return data


class ShardWriter:
    """Writes files into ``folder``, ``limit`` bytes of them a shard; a context manager.

    ``index`` is complete when the block has ended without an error. Not ``webdataset.ShardWriter``:
    it opens a shard by what it takes for a URL, which a drive of Windows is not, and counts a file
    only after it has made the shard too long.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit, self.index = folder, limit, Index()
        self._file: Any = None
        self._tar: Any = None
        self._bytes = 0
        self._sums: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        elif self._tar is not None:
            with suppress(OSError):  # a disk that is full says so once more
                self._tar.close()
            with suppress(OSError):
                self._file.close()

    def add(self, member: str, data: bytes) -> None:
        """Write one more file, whose name ends with a suffix."""
        if self._tar is None or self._bytes + len(data) > self.limit:
            self._finish()
            self._begin()
        stem, _, suffix = member.rpartition(".")
        self._tar.write({"__key__": stem, suffix: data})
        self._bytes += len(data)
        self._sums.append(zlib.crc32(data))
        self.index.members.append(member)

    def _begin(self) -> None:
        from webdataset import TarWriter

        path = self.folder / f"photos-{len(self.index.shards):05d}.tar"
        self._file, self._bytes, self._sums = path.open("wb"), 0, []
        # PAX: the plain form of tar has no room for a long name.
        settings = {"mode": 0o644, "mtime": _WRITTEN, "format": "PAX_FORMAT"}
        self._tar = TarWriter(self._file, encoder=False, **settings)

    def _finish(self) -> None:
        """End the shard, and look up in it where its files lie."""
        if self._tar is None:
            return
        self._tar.close()
        self._file.close()
        path, index = Path(self._file.name), self.index
        found = list(_members(path))
        if [name for name, _, _ in found] != index.members[len(index.places) :]:
            raise OSError(f"{path} does not hold what was written to it")
        number = len(index.shards)
        rows = [
            (number, offset, length, crc32)
            for (_, offset, length), crc32 in zip(found, self._sums, strict=True)
        ]
        index.places = np.concatenate([index.places, np.array(rows, _PLACE)])
        index.shards[path.name] = os.path.getsize(path)
        self._tar = None


def _members(shard: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and length of each file in a tar."""
    with tarfile.open(shard, "r:") as tar:
        while (member := tar.next()) is not None:
            yield member.name, member.offset_data, member.size
            tar.members.clear()  # it would keep them all
