"""Archives from elsewhere, unpacked so that none of them can do harm: the rules, and zip.

An archive names the files that it wants written, says how large they will be, and may lie about
both. So it is refused as a whole before the first byte is written, if a name leads out of the
folder, an entry is a link, or there is more in it than any set of photos holds. What it says of its
sizes and checksums is held against what comes out. Nothing is ever held in memory but the list of
names, and that only up to a fixed length.

``Archive`` holds the rules, which are the same for every format. ``ZipArchive`` and
``colorlab.sources.tars.TarArchive`` only read what an archive says of its entries.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

MOST_FILES = 200_000
MOST_BYTES = 64 * 2**30
MOST_GROWTH = 30  # photos hardly shrink, arrays of Lab by half; a bomb grows a thousandfold
SMALL = 64 * 2**20  # what may come out of any archive, however small it is
_MOST_LIST = 64 * 2**20  # bytes of the list of entries, which zipfile reads at once
_CHUNK = 2**20

_END, _END_SIZE, _MOST_COMMENT = b"PK\x05\x06", 22, 2**16 - 1
_END64, _END64_SIZE = b"PK\x06\x06", 56
_LOCATOR64, _LOCATOR64_SIZE = b"PK\x06\x07", 20
_ENTRY, _ENTRY_SIZE = b"PK\x01\x02", 46
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, struct.error)
_DRIVE = re.compile(r"[A-Za-z]:")


class ArchiveError(ValueError):
    """An archive that is damaged or that would do harm; the message says which, and where."""


class Entry(NamedTuple):
    """What an archive says of one of its entries.

    Attributes:
        name: as it is written there, a folder's without the slash at its end.
        bytes: unpacked.
        kind: "file", "folder", "link", or anything else.
        problem: what forbids to read it, in words that follow the name; None: nothing.
    """

    name: str
    bytes: int
    kind: str
    problem: str | None = None


class Archive:
    """An archive whose list of entries has been found harmless.

    ``.files``: name -> unpacked bytes, of every file in it; folders are left out.

    Raises:
        ArchiveError: with nothing written; a file that is no whole archive, more than
            ``most_files`` entries, more than ``most_bytes`` unpacked or ``most_growth`` times the
            archive's own size (``SMALL`` is always allowed), names that take more than 64 MiB
            together, or an entry that leads out of the folder, is a link or a device, stands there
            twice, or is stored in a way that is not read here.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        most_files: int = MOST_FILES,
        most_bytes: int = MOST_BYTES,
        most_growth: float = MOST_GROWTH,
    ) -> None:
        self.path = Path(path)
        self._open = contextlib.ExitStack()
        try:
            self._file = self._open.enter_context(self.path.open("rb"))
            size = os.fstat(self._file.fileno()).st_size
            most = int(min(most_bytes, max(SMALL, most_growth * size)))
            self.files = _checked(self._entries(most_files), size, most_files, most)
        except ArchiveError as error:
            self.close()
            raise ArchiveError(f"{self.path} is refused: {error}.") from error.__cause__
        except BaseException:
            self.close()
            raise

    def _entries(self, most_files: int) -> Iterator[Entry]:
        """What the archive says of each of its entries, read one at a time.

        Raises ``ArchiveError`` where it is damaged, in words that follow "is refused:".
        """
        raise NotImplementedError

    def _contents(self, names: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each of these files with its bytes, which must be read before the next file is.

        Raises ``ArchiveError`` where a checksum or a length is wrong, or a file ends too early.
        """
        raise NotImplementedError

    def unpack(
        self,
        names: Iterable[str],
        folder: str | os.PathLike[str],
        progress: Callable[[int], object] = lambda count: None,
    ) -> None:
        """Write these files below ``folder``; none that is there already is replaced.

        Args:
            progress: called with the bytes written, in steps of a megabyte at most.

        Raises:
            ArchiveError: an entry that is damaged: its checksum is wrong, or it ends too early.
                What was written until then stays.
            OSError: as the disk raised it.
        """
        for name, chunks in self._contents(names):
            target = Path(folder, name)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                        progress(len(chunk))
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise ArchiveError(
                    f"{self.path} is refused: it wants to write {name[:200]!r} where another "
                    "of its files is."
                ) from error

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _checked(
    entries: Iterator[Entry], size: int, most_files: int, most_bytes: int
) -> dict[str, int]:
    """The files among the entries of an archive of ``size`` bytes, if all of them are harmless."""
    files: dict[str, int] = {}
    total = listed = 0
    for count, entry in enumerate(entries, start=1):
        name = f"{entry.name[:200]!r}"
        if count > most_files:
            raise ArchiveError(f"it lists more than {most_files:,} entries")
        if problem := _problem(entry):
            raise ArchiveError(f"its entry {name} {problem}")
        listed += len(entry.name)
        if listed > _MOST_LIST:
            raise ArchiveError(f"the names of its entries alone take {listed:,} bytes")
        if entry.kind == "folder":
            continue
        if entry.name in files:
            raise ArchiveError(f"it holds {name} twice")
        files[entry.name] = entry.bytes
        total += entry.bytes
        if total > most_bytes:
            raise ArchiveError(
                f"its {size:,} bytes would unpack to at least {total:,}, and no more than "
                f"{most_bytes:,} are expected: a bomb, made to fill the disk"
            )
    return files


def _problem(entry: Entry) -> str | None:
    """Why an entry must not be written, or None."""
    name = entry.name
    if entry.kind == "folder" and name == ".":  # the folder itself
        return None
    if not name or "\\" in name or "\0" in name or _DRIVE.match(name) or name.startswith("/"):
        return "has a name that is no plain relative path"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "leads out of the folder, or around in it"
    if entry.kind not in ("file", "folder"):
        return "is a link" if entry.kind == "link" else "is neither a file nor a folder"
    return entry.problem


# --- zip -----------------------------------------------------------------------------------------


class ZipArchive(Archive):
    """A zip archive.

    Encrypted entries are refused, and those compressed in a way that Kaggle
    doesn't use.
    """

    def _entries(self, most_files: int) -> Iterator[Entry]:
        count = _count(self._file, most_files)
        try:
            self._zip = self._open.enter_context(zipfile.ZipFile(self._file))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise ArchiveError(f"it is not a whole zip archive ({error})") from error
        found = self._zip.infolist()
        if len(found) != count:
            raise ArchiveError(f"its list of entries is ambiguous: {count} or {len(found)}")
        return map(_zip_entry, found)

    def _contents(self, names: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        return ((name, self._chunks(name)) for name in names)

    def _chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an entry; at its end its checksum and length have been found right."""
        size = 0
        try:
            with self._zip.open(name) as source:
                while chunk := source.read(_CHUNK):
                    size += len(chunk)
                    yield chunk
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a place before byte 0
                raise
            raise ArchiveError(
                f"{self.path} is damaged: {name[:200]!r} can't be unpacked "
                f"({error or 'it ends too early'})."
            ) from error
        if size != self.files[name]:
            raise ArchiveError(
                f"{self.path} is damaged: {name[:200]!r} has {size:,} bytes, and "
                f"{self.files[name]:,} were promised."
            )


def _zip_entry(entry: zipfile.ZipInfo) -> Entry:
    name = entry.orig_filename  # zipfile's own `filename` ends at a NUL and may be turned around
    kinds = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "file", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(entry.external_attr >> 16), "other")
    if kind == "file" and name.endswith("/"):
        kind = "folder"
    problem = None
    if entry.flag_bits & 1:
        problem = "is encrypted"
    elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = f"is compressed with method {entry.compress_type}, which is not read here"
    return Entry(name.rstrip("/") or name, entry.file_size, kind, problem)


def _count(file: BinaryIO, most: int) -> int:
    """How many entries the archive lists, counted in the list itself, without keeping any.

    zipfile makes an object of half a kilobyte for every entry before it can be asked how many they
    are, which takes gigabytes for millions of them. The places are looked for as zipfile does
    (APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.12 to 4.3.16).
    """
    size = file.seek(0, os.SEEK_END)
    first = max(0, size - _END_SIZE - _MOST_COMMENT)
    file.seek(first)
    tail = file.read()
    at = len(tail) - _END_SIZE
    if not (tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise ArchiveError("it is not a whole zip archive (its end is missing)")
    end = first + at
    (listed,) = struct.unpack_from("<L", tail, at + 12)
    locator = max(0, end - _LOCATOR64_SIZE)
    file.seek(locator)
    if (found := file.read(_LOCATOR64_SIZE)).startswith(_LOCATOR64):
        end = locator - _END64_SIZE
        if struct.unpack_from("<Q", found, 8) != (end,):
            raise ArchiveError("it is not a whole zip archive (its two ends contradict each other)")
        file.seek(end)
        if not (record := file.read(_END64_SIZE)).startswith(_END64):
            raise ArchiveError("it is not a whole zip archive (its end is damaged)")
        (listed,) = struct.unpack_from("<Q", record, 40)
    if listed > end:
        raise ArchiveError("it is not a whole zip archive (its list of entries is cut off)")
    file.seek(end - listed)
    count = read = 0
    while read < listed:
        header = file.read(_ENTRY_SIZE)
        if len(header) < _ENTRY_SIZE or not header.startswith(_ENTRY):
            raise ArchiveError("it is not a whole zip archive (its list of entries is damaged)")
        count += 1
        if count > most:
            raise ArchiveError(f"it lists more than {most:,} entries")
        length = sum(struct.unpack_from("<HHH", header, 28))  # of name, extra field and comment
        file.seek(length, os.SEEK_CUR)
        read += _ENTRY_SIZE + length
    if listed > _MOST_LIST:
        raise ArchiveError(f"its list of entries by itself takes {listed:,} bytes")
    return count
