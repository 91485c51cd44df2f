"""Troubles of a disk that several tests make: one that is full, and a folder that is closed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class _Full:
    """A file on a disk that takes half a megabyte of it."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, chunk: bytes) -> int:
        if self.file.tell() > 500_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(chunk)


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inside, a file that is opened to go on with stops at half a megabyte."""
    opened = Path.open

    def open_(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        file = opened(path, mode, *rest, **more)
        return _Full(file) if mode == "ab" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_)
        yield


def close_folder(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever tests as root may read every folder, so the system's error is made."""
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
