"""The checkpoints of a run: saved, pruned, mirrored, and found again after whatever happened.

What is in one of them, and how damage shows, is told in :mod:`colorlab.training.checkpoint_files`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from colorlab.training.checkpoint_files import (
    CheckpointError,
    read_checkpoint,
    read_facts,
    write_checkpoint,
)
from colorlab.training.mirrors import Mirror
from colorlab.training.shelves import Shelf, checkpoint_name, step_of

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "read_checkpoint",
    "read_facts",
    "write_checkpoint",
]


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

        A damaged one is passed over, and ``warn`` is told which, why, and what is tried next.

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
        """Wait for the mirror, at most ``timeout`` seconds, and have it try again what failed;
        ``warn`` is told what is not copied."""
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
