"""The checkpoints of a run: saved, pruned, mirrored, and found again after whatever happened.

What is in one of them, and how damage shows, stands in ``colorlab.training.checkpoint_files``.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from colorlab.atomic import remove_leftovers, write_whole
from colorlab.training.checkpoint_files import (
    CheckpointError,
    read_checkpoint,
    read_facts,
    write_checkpoint,
)

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "read_checkpoint",
    "read_facts",
    "write_checkpoint",
]

_NAME = re.compile(r"step-([0-9]{8,})\.ckpt")
CHUNK = 4 * 2**20  # bytes copied at a time
CHECKPOINT = "checkpoint"  # the place in the queue that each newer checkpoint takes over


class Checkpoints:
    """Checkpoints ``step-00001234.ckpt`` in a folder, and the newest of them in a mirror too.

    A full disk or a mirror that vanishes never ends the run: ``warn`` is told, and what was saved
    before stays.

    Args:
        folder: where to; made by the first save.
        keep: how many of the newest stay, beside the one with the lowest score.
        mirror: a second folder, such as one on Google Drive. The folder around it must exist: it
            is missing when the drive is not mounted.
        warn: gets one message for each thing that went wrong; also called from the mirror's thread.

    Raises:
        CheckpointError: the folder or the mirror can't be one.
        ValueError: ``keep`` is less than 1.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep: int = 3,
        mirror: str | os.PathLike[str] | None = None,
        warn: Callable[[str], None],
    ):
        if keep < 1:
            raise ValueError(f"keep should be 1 or more, got {keep}: a run needs one to go on from")
        self.folder, self.warn = Path(folder), warn
        there = next(p for p in (self.folder, *self.folder.absolute().parents) if p.exists())
        if not there.is_dir():
            raise CheckpointError(
                f"checkpoints can't be kept in {self.folder}, because {there} is a file: choose "
                f"another folder, or move that file away"
            )
        self._shelves = [Shelf(self.folder, keep, warn)]
        self._mirror = None
        if mirror is not None:
            self._shelves.append(Shelf(_mirror_folder(Path(mirror), self.folder), keep, warn))
            self._mirror = Mirror(self._shelves[1], warn)

    def save(
        self,
        step: int,
        tensors: dict[str, Tensor],
        facts: dict[str, Any],
        score: float | None = None,
    ) -> Path | None:
        """Write a checkpoint, whole or not at all; then remove the old ones that need not stay.

        Args:
            facts: what JSON can say; ``step`` and ``score`` are put in.
            score: the lower the better. None: not scored. NaN is never the best.

        Returns:
            The file; None if it could not be written, which ``warn`` is told.

        Raises:
            TypeError, ValueError: facts or tensors that a checkpoint can't hold, or a negative
                step: mistakes in the program, not troubles of a disk.
        """
        if step < 0:
            raise ValueError(f"a step is 0 or more, got {step}")
        facts = {**facts, "step": int(step), "score": None if score is None else float(score)}
        path, shelf = self.folder / checkpoint_name(int(step)), self._shelves[0]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shelf.clean()
            write_checkpoint(path, tensors, facts)
        except OSError as error:
            self.warn(
                f"the checkpoint {path} could not be written ({error.strerror or error}). The run "
                f"goes on; the checkpoint before it is kept: {self._kept()}. Look whether the "
                f"disk is full or the folder is gone."
            )
            return None
        # Before pruning: then a file that the mirror finds pruned always has a successor waiting.
        if self._mirror:
            self._mirror.send_checkpoint(path)
        shelf.prune(path)
        return path

    def candidates(self) -> list[Path]:
        """The checkpoints of the folder and the mirror, the newest step first.

        Of a step that is in both, the folder's own comes first. A folder that can't be read counts
        as empty, which ``warn`` is told.
        """
        found = []
        for shelf in self._shelves:
            try:
                found += shelf.files()
            except OSError as error:
                self.warn(
                    f"{shelf.folder} can't be searched for checkpoints "
                    f"({error.strerror or error}): none is taken from there"
                )
        return sorted(found, key=lambda path: -step_of(path.name))  # stable: own ones stay first

    def newest(self) -> tuple[Path, dict[str, Tensor], dict[str, Any]] | None:
        """The newest good checkpoint: its file, tensors and facts; None where there is no file.

        A damaged one is passed over, and ``warn`` hears which, why, and what is tried next.

        Raises:
            CheckpointError: there are files, and none is good.
        """
        found, errors = self.candidates(), []
        for path, following in zip(found, [*found[1:], None], strict=False):
            try:
                return path, *read_checkpoint(path)
            except CheckpointError as error:
                errors.append(str(error))
                if not isinstance(error.__cause__, OSError):  # the drive's trouble, not the file's
                    for shelf in self._shelves:
                        if shelf.folder == path.parent:
                            shelf.damaged.add(path.name)
                if following:
                    self.warn(f"{error} Now trying {following}.")
        if errors:
            raise CheckpointError(
                f"none of the {len(errors)} checkpoints is good, so the run can't go on from one; "
                f"move them away to begin anew.\n" + "\n".join(errors)
            )
        return None

    def mirror_file(self, path: str | os.PathLike[str]) -> None:
        """Copy one more file, such as weights.safetensors, to the mirror; nothing without one.

        Returns at once; the file is copied as it is when its turn comes.
        """
        if self._mirror:
            self._mirror.send_file(Path(path))

    def close(self, timeout: float = 60.0) -> None:
        """Wait for the mirror, at most ``timeout`` seconds; it tries again what failed.

        ``warn`` hears what is not copied.
        """
        missing = self._mirror.finish(timeout) if self._mirror else []
        if missing:
            self.warn(
                f"{', '.join(path.name for path in missing)} was not copied to "
                f"{self._shelves[1].folder}, and will not be if the program ends now. It is kept "
                f"in {missing[0].parent}: copy it from there."
            )

    def _kept(self) -> str:
        try:
            return next((path.name for path in self._shelves[0].good_files()), "none")
        except OSError:
            return "none"


def _mirror_folder(mirror: Path, folder: Path) -> Path:
    try:
        if mirror.resolve() in (folder.resolve(), folder.resolve().parent):
            raise CheckpointError(f"the mirror is the run's own folder ({mirror}): choose another")
        if mirror.exists() and not mirror.is_dir():
            raise CheckpointError(f"the mirror {mirror} is a file: choose a folder")
        if not mirror.absolute().parent.is_dir():
            raise CheckpointError(
                f"there is no folder {mirror.parent} to mirror checkpoints in. Is the drive "
                f"mounted? If it is, make the folder first"
            )
    except OSError as error:  # a drive that is mounted, and dead
        raise CheckpointError(
            f"the mirror {mirror} does not answer ({error.strerror}): mount the drive again"
        ) from error
    return mirror


# --- one folder: which checkpoints are there, and which may go ------------------------------------


def checkpoint_name(step: int) -> str:
    """Name a checkpoint, as ``step-00001234.ckpt``; a longer step has all its digits."""
    return f"step-{step:08d}.ckpt"


def step_of(name: str) -> int | None:
    """The step in a checkpoint's name; None for a name that ``checkpoint_name`` can't give."""
    found = _NAME.fullmatch(name)
    step = int(found[1]) if found else None
    return step if step is not None and checkpoint_name(step) == name else None


class Shelf:
    """Checkpoints in one folder; files of other names are never touched.

    Args:
        keep: how many of the newest stay, beside the best one.
        warn: told of a file that could not be removed.
    """

    def __init__(self, folder: Path, keep: int, warn: Callable[[str], None]):
        self.folder, self.keep, self.warn = folder, keep, warn
        self.damaged: set[str] = set()  # names of files that were read and found to be no good
        self._scores: dict[str, float] = {}

    def files(self) -> list[Path]:
        """The checkpoints, the newest first; none where there is no folder.

        Raises:
            OSError: the folder is there and can't be read.
        """
        try:
            names = [p.name for p in self.folder.iterdir() if step_of(p.name) is not None]
        except FileNotFoundError:
            return []
        paths = [self.folder / name for name in sorted(names, key=step_of, reverse=True)]
        return [path for path in paths if path.is_file()]

    def good_files(self) -> list[Path]:
        """The files without those that are known to be damaged."""
        return [path for path in self.files() if path.name not in self.damaged]

    def clean(self) -> None:
        """Remove what killed processes left of checkpoints that they were writing here."""
        remove_leftovers(self.folder, lambda name: step_of(name) is not None)

    def prune(self, saved: Path) -> None:
        """Remove all but the newest ``keep``, the best one, and ``saved``, which is safely there.

        A damaged file does not take a place among those kept. One of a later step than ``saved``
        is left, until the run has passed it.
        """
        self.damaged.discard(saved.name)
        self._scores.pop(saved.name, None)
        scores, stay = {}, {saved}
        try:
            for path in self.files():
                try:
                    scores[path] = self._score(path)
                except CheckpointError as error:
                    if isinstance(error.__cause__, OSError):
                        stay.add(path)  # perhaps the best: not removed for a drive's hiccup
                    else:
                        self.damaged.add(path.name)
            good = self.good_files()
            stay.update(good[: self.keep])
            scored = [path for path in good if not math.isnan(scores.get(path, math.nan))]
            if scored:
                stay.add(min(scored, key=scores.__getitem__))
            for path in self.files():
                later = step_of(path.name) > step_of(saved.name)
                if path not in stay and not (later and path.name in self.damaged):
                    path.unlink(missing_ok=True)
                    self._scores.pop(path.name, None)
        except OSError as error:
            self.warn(
                f"an old checkpoint in {self.folder} could not be removed "
                f"({error.strerror or error}). The run goes on, and the next checkpoint tries "
                f"again; the disk fills up if this is said often."
            )

    def _score(self, path: Path) -> float:
        """The score in a file's facts, NaN for none; read once."""
        if path.name not in self._scores:
            score = read_facts(path).get("score")
            self._scores[path.name] = float(score) if type(score) in (int, float) else math.nan
        return self._scores[path.name]


# --- a second copy, on a drive that may be slow, full, or gone ------------------------------------
# Google Drive on Colab is slow, full and gone at times. So a thread copies, and the run never waits
# for it.


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
        """Wait as ``wait``, and try once more what failed: the drive may be back.

        Returns:
            The files that are not copied then.
        """
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
