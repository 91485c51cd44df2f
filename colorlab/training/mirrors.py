"""A second copy of a run's files, on a drive that may be slow, full, or gone.

Google Drive on Colab is all three at times. So a thread copies, and the run never waits for it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from colorlab.atomic import write_whole
from colorlab.training.shelves import Shelf

CHUNK = 4 * 2**20  # bytes copied at a time
CHECKPOINT = "checkpoint"  # the place in the queue that each newer checkpoint takes over


class Mirror:
    """Copies files into a shelf's folder, one at a time, in a thread that ends when it is idle.

    Args:
        shelf: where to. Its folder is made once; one that vanishes later is not made again, since
            a drive that was unplugged must not become a folder of the same name on the disk.
        warn: told of each copy that failed. It is called from the thread.
    """

    def __init__(self, shelf: Shelf, warn: Callable[[str], None]):
        self.shelf, self.warn = shelf, warn
        self._change = threading.Condition()
        self._waiting: dict[str, Path] = {}
        self._failed: dict[str, Path] = {}
        self._current: Path | None = None
        self._running = False
        self._made = False
        self._quiet = False  # during the last try: who waits for it tells what is missing

    def send_checkpoint(self, path: Path) -> None:
        """Copy a checkpoint, in place of an older one that still waits; then prune the shelf.

        Other files that could not be copied before are tried again too.
        """
        with self._change:
            retries, self._failed = self._failed, {}
            self._send({**retries, **self._waiting, CHECKPOINT: path})

    def send_file(self, path: Path) -> None:
        """Copy any other file, as it is when its turn comes, under its own name."""
        with self._change:
            self._failed.pop(f"file {path.name}", None)
            self._send({**self._waiting, f"file {path.name}": path})

    def wait(self, timeout: float) -> None:
        """Until nothing is being copied, at most ``timeout`` seconds."""
        with self._change:
            self._change.wait_for(lambda: not self._running, timeout)

    def finish(self, timeout: float) -> list[Path]:
        """Wait as :meth:`wait`, and try once more what failed: the drive may be back. The files
        that are not copied then."""
        end = time.monotonic() + timeout
        self.wait(timeout)
        with self._change:
            retries, self._failed = self._failed, {}
            if retries:
                self._quiet = True
                self._send({**retries, **self._waiting})
        self.wait(end - time.monotonic())
        with self._change:
            self._quiet = False
            under_way = [self._current] if self._current else []
            return [*under_way, *self._waiting.values(), *self._failed.values()]

    def _send(self, waiting: dict[str, Path]) -> None:
        self._waiting = waiting
        if not self._running:
            # A daemon: a drive that hangs must not keep the program from ending.
            thread = threading.Thread(target=self._work, name="colorlab-mirror", daemon=True)
            try:
                thread.start()
                self._running = True
            except RuntimeError as error:  # no more threads to be had: the run matters more
                self.warn(f"nothing is copied to {self.shelf.folder} for now: {error}")

    def _work(self) -> None:
        while True:
            with self._change:
                if not self._waiting:
                    self._running = False
                    self._change.notify_all()
                    return
                key = next(iter(self._waiting))
                source = self._current = self._waiting.pop(key)
            try:
                self._copy(key, source)
            except Exception as error:  # whatever it is, the next copy must have its chance
                self._report(key, source, error)
            with self._change:
                self._current = None

    def _copy(self, key: str, source: Path) -> None:
        if not self._made:
            self.shelf.folder.mkdir(exist_ok=True)
            self._made = True
        self.shelf.clean()
        target = self.shelf.folder / source.name
        with open(source, "rb") as file:
            write_whole(target, iter(lambda: file.read(CHUNK), b""))
        if key == CHECKPOINT:
            self.shelf.prune(target)

    def _report(self, key: str, source: Path, error: Exception) -> None:
        with self._change:
            if key not in self._waiting:
                self._failed[key] = source
            elif key == CHECKPOINT and not os.path.exists(source):
                return  # pruned to make way for the newer one that waits
            if self._quiet:
                return
        cause = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        with contextlib.suppress(Exception):  # a listener's own trouble must not end the thread
            self.warn(
                f"{source.name} could not be copied to {self.shelf.folder} ({cause}). It is kept "
                f"in {source.parent}; will be tried again with the next checkpoint, and at the "
                f"run's end."
            )
