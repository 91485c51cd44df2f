"""Many small files in a few tar files, and an index by which each is read on its own.

The tar files ("shards") are in WebDataset's form and written by its `TarWriter`: a sample is the
files with one key, the name up to its first dot. The index is the part that WebDataset lacks.
"""

from __future__ import annotations

import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

INDEX = "colorlab-pack.npz"
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

        Raises FileNotFoundError for an index or shard that is not there, `ShardError` for one that
        is damaged or cut short.
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
    """One file out of a shard: `place` is its entry in `Index.places`.

    The shard is opened for each, microseconds beside the time that decoding takes: there is no
    handle that a worker process could not inherit or that threads would have to share. It is not
    mapped: pages once touched count as the process's memory, and an epoch touches all.

    Raises `ShardError` where the bytes are not those that were written.
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
    """Writes files into `folder`, `limit` bytes of them a shard; a context manager.

    `index` is complete when the block has ended without an error. Not `webdataset.ShardWriter`: it
    opens a shard by what it takes for a URL, which a drive of Windows is not, and counts a file
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
