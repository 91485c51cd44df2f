"""Downloads that go on wherever they broke off, also after the process has died.

What has come stands in ``name.partial``; beside it, ``name.partial.json`` notes which file of the
server it is a part of. The next try asks for what is missing, on the condition that the server's
file is still the same (RFC 9110, sections 13.1.5 and 14.2), else it begins anew.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from colorlab.atomic import write_whole
from colorlab.progress import progress_bar

STALL = 60.0  # seconds
TRIES = 5
_CHUNK = 2**14  # what a broken connection can cost
_LONGEST_PAUSE = 30.0


class DownloadError(OSError):
    """A download that can't go on; the message says why and what to do next."""


class Broken(Exception):
    """What may work at the next try; says why in words that follow "because"."""


@dataclass(frozen=True)
class _Part:
    """What is known of the file that a partial one belongs to."""

    name: str
    version: str  # its ETag or date, by which the server knows it again
    bytes: int


def download_file(
    name: str,
    address: Callable[[], str],
    target: Path,
    *,
    room: Callable[[int, int], object] = lambda left, size: None,
    refused: Callable[[int], object] = lambda status: None,
    stall: float = STALL,
    tries: int = TRIES,
    pause: float = 1.0,
    progress: bool = True,
) -> Path:
    """Fetch the file ``name`` to ``target``, which appears when all of it is there.

    Args:
        address: returns the address to fetch it from, anew for each try, as signed ones run out; it
            may raise ``Broken``.
        room: gets the bytes still to come and those of the whole, before they come; it may raise.
        refused: gets the status of each response; it may raise where no other try could help.
        stall: seconds without a byte after which the connection counts as broken.
        tries: so many in a row without one more byte, and it is given up.
        pause: seconds before the second try; twice that before the third, and so on.

    Raises:
        DownloadError: an OSError; it failed ``tries`` times, or the disk has no room.
    """
    partial = target.with_name(target.name + ".partial")
    note = target.with_name(target.name + ".partial.json")
    failed = 0
    while not _is_whole(name, partial, note):
        before = _size(partial)
        try:
            _fetch(address(), name, partial, note, room, refused, stall, progress)
        except Broken as broken:
            failed = 0 if _size(partial) > before else failed + 1
            if failed >= tries:
                kept = _kept(name, partial, note)
                raise DownloadError(
                    f"The download of {name} failed, because {broken}. Wait a while, or look after "
                    f"the connection, then do the same again{kept}."
                ) from None
            wait = min(pause * 2 ** max(0, failed - 1), _LONGEST_PAUSE)
            print(f"{broken}; next try in {wait:.1g} s", file=sys.stderr, flush=True)
            time.sleep(wait)
        except OSError as error:
            if isinstance(error, DownloadError) or error.errno is None:
                raise
            raise DownloadError(
                f"{partial} can't be written ({error.strerror}). Make room there, or name another "
                f"folder, then do the same again{_kept(name, partial, note)}."
            ) from None
    os.replace(partial, target)
    note.unlink(missing_ok=True)
    return target


def _kept(name: str, partial: Path, note: Path) -> str:
    part = _known(name, note)
    return f": it goes on behind the {_size(partial):,} bytes that have come" if part else ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _known(name: str, note: Path) -> _Part | None:
    """What the last try noted; None where there is no note that could be relied on."""
    try:
        part = _Part(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    fits = part.name == name and isinstance(part.bytes, int) and isinstance(part.version, str)
    return part if fits else None


def _is_whole(name: str, partial: Path, note: Path) -> bool:
    part = _known(name, note)
    return part is not None and part.bytes > 0 and _size(partial) == part.bytes


def _fetch(
    url: str,
    name: str,
    partial: Path,
    note: Path,
    room: Callable[[int, int], object],
    refused: Callable[[int], object],
    stall: float,
    progress: bool,
) -> None:
    """Fetch what is missing; ``Broken`` where the connection ends before it does."""
    import requests

    part = _known(name, note)
    have = _size(partial) if part and _size(partial) < part.bytes else 0
    headers = {"Accept-Encoding": "identity"}  # packed on the way, its bytes could not be counted
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": part.version}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=stall) as response:
            if have and response.status_code in (206, 416) and not _goes_on(response, part, have):
                note.unlink(missing_ok=True)  # what is there belongs to another version
            refused(response.status_code)
            part, begin = _sent_file(response, name, part, have)
            room(part.bytes - begin, part.bytes)
            if not begin:
                note.unlink(missing_ok=True)
                partial.unlink(missing_ok=True)
                if part.version:
                    write_whole(note, [json.dumps(asdict(part)).encode()])
            bar = progress_bar(part.bytes, "B", name=part.name, begin=begin, visible=progress)
            with partial.open("ab", buffering=0) as file, bar:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except requests.RequestException as error:
        raise Broken(in_words(error, stall)) from None
    if _size(partial) != part.bytes:
        raise Broken(f"{_size(partial):,} of {part.bytes:,} bytes came, and then the end")
    if not part.version:  # without it the size is all there is to go by, and only in this process
        write_whole(note, [json.dumps(asdict(part)).encode()])


def _sent_file(response: Any, name: str, part: _Part | None, have: int) -> tuple[_Part, int]:
    """The file that the server sends, and the byte at which it begins to."""
    status, headers = response.status_code, response.headers
    if have and _goes_on(response, part, have):
        return part, have
    if status != 200:
        # An address that has run out gets 400 or 403; the next try gets another one.
        raise Broken(f"the server sent {status}")
    length = headers.get("Content-Length", "")
    if not length.isdigit() or int(length) == 0:
        raise Broken("the server doesn't say how large the file is")
    tag = headers.get("ETag", "")
    # A weak tag holds for what is alike, not for what is the same byte for byte (RFC 9110, 8.8.1).
    version = headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    return _Part(name, version, int(length)), 0


def _goes_on(response: Any, part: _Part, have: int) -> bool:
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    sent = tuple(map(int, span.groups())) if span else None
    tag = response.headers.get("ETag", "")  # not every server heeds If-Range
    changed = tag != part.version and tag[:1] == part.version[:1] == '"'
    return response.status_code == 206 and sent == (have, part.bytes) and not changed


def in_words(error: Exception, stall: float) -> str:
    """What broke. Never the error's own text: it holds the signed address, or a header."""
    import requests

    reasons = [str(type(reason).__name__) for reason in _reasons(error)]
    if isinstance(error, requests.Timeout) or "ReadTimeoutError" in reasons:
        return f"not one byte came for {stall:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection could be made (is this machine's clock right?)"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy of this network can't be reached (see HTTPS_PROXY)"
    if {"NameResolutionError", "gaierror", "NewConnectionError"} & set(reasons):
        return "the server can't be reached from here (no network, or a network that closes it off)"
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "the connection broke"
    return f"the response could not be understood ({type(error).__name__})"


def _reasons(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those it wraps."""
    while error is not None:
        yield error
        inner = [arg for arg in error.args if isinstance(arg, BaseException)]
        error = inner[0] if inner else getattr(error, "reason", None)
        error = error if isinstance(error, BaseException) else None
