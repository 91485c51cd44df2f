"""Tar archives packed with gzip (.tgz), unpacked by the rules of ``colorlab.sources.archives``.

Such an archive has no list of its entries: each stands before its own bytes. So it is read twice,
as a stream. The first time it is only looked through, to its very end, where gzip's checksum of all
its bytes stands. The second time the files are written.

A header is read by ``tarfile.TarInfo.frombuf``. The two extensions that carry long names and sizes,
GNU's and pax, are read here. ``TarFile`` reads them whole into memory, however long they say they
are, keeps every entry, and takes a damaged header for the end.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator

from colorlab.sources.archives import Archive, ArchiveError, Entry

_BLOCK = tarfile.BLOCKSIZE
_MOST_HEADER = 2**14  # bytes that stand before one entry's own: a path has at most 4096
_MOST_END = 2**20  # zeros that fill the last record
_CHUNK = 2**20
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.LNKTYPE: "link",
    tarfile.SYMTYPE: "link",
}
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class TarArchive(Archive):
    """A tar archive packed with gzip, in the formats ustar, pax and GNU.

    Sparse files are refused.
    """

    def _entries(self, most_files: int) -> Iterator[Entry]:
        return (entry for entry, _ in self._members())

    def _contents(self, names: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        wanted = {name: self.files[name] for name in names}
        for entry, stream in self._members() if wanted else ():
            if entry.kind == "file" and wanted.pop(entry.name, None) is not None:
                yield entry.name, self._chunks(entry, stream)
                if not wanted:
                    return

    def _chunks(self, entry: Entry, stream: gzip.GzipFile) -> Iterator[bytes]:
        try:
            for begin in range(0, entry.bytes, _CHUNK):
                yield _read(stream, min(_CHUNK, entry.bytes - begin))
        except ArchiveError as error:
            raise ArchiveError(
                f"{self.path} is damaged: {entry.name[:200]!r} can't be unpacked ({error})."
            ) from error

    def _members(self) -> Iterator[tuple[Entry, gzip.GzipFile]]:
        """Each entry, and the stream at its first byte. What is not read of it is passed over."""
        self._file.seek(0)
        stream = gzip.GzipFile(fileobj=self._file)
        while entry := _next(stream):
            end = stream.tell() + (_padded(entry.bytes) if entry.kind == "file" else 0)
            yield entry, stream
            while left := end - stream.tell():
                _read(stream, min(_CHUNK, left))
        _check_end(stream)


def _next(stream: gzip.GzipFile) -> Entry | None:
    """The next entry of the archive; None at its end, which is a block of zeros."""
    said: dict[str, bytes] = {}  # of this entry, by the extensions before its header
    read = 0
    while True:
        block = _read(stream, _BLOCK)
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:
            return None
        except (tarfile.HeaderError, ValueError, OverflowError) as error:
            raise _not_whole(error) from error
        if header.type not in _EXTENSIONS:
            return _entry(header, said)
        read += _BLOCK + _padded(header.size)
        if header.size < 0 or read > _MOST_HEADER:
            raise ArchiveError(f"an entry's header takes more than {_MOST_HEADER:,} bytes")
        text = _read(stream, _padded(header.size))[: header.size]
        if header.type == tarfile.GNUTYPE_LONGNAME:
            said["path"] = text.removesuffix(b"\0")
        elif header.type == tarfile.XGLTYPE:
            if not _records(text).keys().isdisjoint(("path", "size")):
                raise ArchiveError("it gives one name or length to all of its entries")
        elif header.type != tarfile.GNUTYPE_LONGLINK:
            said |= _records(text)


def _entry(header: tarfile.TarInfo, said: dict[str, bytes]) -> Entry:
    """What the header says, unless the extensions say otherwise."""
    kind = _KINDS.get(header.type, "other")
    name = said["path"].decode("utf-8", "surrogateescape") if "path" in said else header.name
    if kind == "folder":
        name = name.rstrip("/") or name
    size = said.get("size", b"%d" % header.size)
    problem = None
    if header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in said):
        problem = "is sparse, which is not read here"
    elif not re.fullmatch(rb"\d{1,20}", size):
        problem = "has a length that is no number of bytes"
    # `tar -C FOLDER .` begins each name so.
    return Entry(name.removeprefix("./"), 0 if problem else int(size), kind, problem)


def _records(text: bytes) -> dict[str, bytes]:
    """The records of a pax header, each "LENGTH KEY=VALUE\\n" (POSIX.1-2017, pax, "Extended
    Header"). LENGTH counts the whole record."""
    found = {}
    at = 0
    while at < len(text):
        length, space, _ = text[at : at + 8].partition(b" ")
        end = at + int(length) if space and length.isdigit() else 0
        key, equals, value = text[at + len(length) + 1 : end].partition(b"=")
        if not (at < end <= len(text) and equals and value.endswith(b"\n")):
            raise _not_whole("an extended header is damaged")
        found[key.decode("utf-8", "replace")] = value[:-1]
        at = end
    return found


def _check_end(stream: gzip.GzipFile) -> None:
    """Read what stands behind the end, and with it gzip's checksum of everything before."""
    rest = _some(stream, _MOST_END + 1)
    if rest.strip(b"\0") or len(rest) > _MOST_END:
        raise ArchiveError("its list of entries is ambiguous: something stands behind its end")


def _padded(size: int) -> int:
    """Bytes are stored in whole blocks."""
    return -(-size // _BLOCK) * _BLOCK


def _read(stream: gzip.GzipFile, count: int) -> bytes:
    """The next bytes, all of them."""
    data = _some(stream, count)
    if len(data) < count:
        raise _not_whole("it ends too early")
    return data


def _some(stream: gzip.GzipFile, count: int) -> bytes:
    try:
        return stream.read(count)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _not_whole(error) from error


def _not_whole(why: object) -> ArchiveError:
    return ArchiveError(f"it is not a whole tar archive packed with gzip ({why})")
