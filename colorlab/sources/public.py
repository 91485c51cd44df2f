"""Downloads of archives that anybody may fetch: no account, and an address that stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from colorlab.sources import resumable
from colorlab.sources.archives import ArchiveError
from colorlab.sources.catalog import PublicFile
from colorlab.sources.resumable import DownloadError

_FIRST = 2**20
_FINAL = (401, 403, 404, 410)  # anything else may pass


def download_archive(
    file: PublicFile,
    target: Path,
    *,
    room: Callable[[int, int], object] = lambda left, size: None,
    **settings: Any,
) -> Path:
    """Fetch the archive to the file ``target``; what came still has to be checked, see ``check``.

    Args:
        file: what is fetched.
        target: appears when all of it is there.
        room: gets the bytes still to come and those of the whole, before they come; it may raise.
        settings: of ``colorlab.sources.resumable.download_file``.

    Raises:
        DownloadError: the server has another file or none, or the download breaks off again and
            again; the message says what to do.
    """
    mine = "A copy of your own is opened with sources.folder(PATH)."

    def sized(left: int, size: int) -> None:
        if size != file.bytes:
            raise DownloadError(
                f"{file.url} has {size:,} bytes, and {file.bytes:,} were expected: the archive has "
                f"been changed, and this version of colorlab doesn't know it. See {file.page} and "
                f"update colorlab. {mine}"
            )
        room(left, size)

    def refused(status: int) -> None:
        if status in _FINAL:
            raise DownloadError(
                f"The server does not give {file.url} ({status}). It may have been moved or "
                f"closed: see {file.page}. {mine}"
            )

    name = file.url.rpartition("/")[2]
    return resumable.download_file(
        name, lambda: file.url, target, room=sized, refused=refused, **settings
    )


def check(file: PublicFile, path: Path) -> None:
    """Hold the archive against fastai's list of checks, before anything is unpacked.

    That list (``fastai/data/checks.txt``) has two facts of each archive: the size of the whole, and
    the MD5 of its first 2**20 bytes alone. Both are checked here, and no more. The other bytes are
    covered by gzip's CRC-32, which ``colorlab.sources.tars.TarArchive`` checks before it writes.

    Raises:
        ArchiveError: one of the two differs.
    """
    size = path.stat().st_size
    with path.open("rb") as opened:
        md5 = hashlib.md5(opened.read(_FIRST), usedforsecurity=False).hexdigest()
    if size != file.bytes:
        raise ArchiveError(
            f"{path} has {size:,} bytes, and fastai's list of checks says {file.bytes:,}."
        )
    if md5 != file.md5:
        raise ArchiveError(
            f"{path} begins with other bytes than {file.url} should: their MD5 is {md5}, and "
            f"fastai's list of checks says {file.md5}."
        )
