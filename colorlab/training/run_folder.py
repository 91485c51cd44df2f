"""What a run leaves on the disk, and how the next one finds it again.

checkpoints/step-….ckpt   everything that is needed to go on
changes.jsonl             settings that were changed, with their steps
history.csv               the losses, a line a step
samples/step-….png        held-out photos: gray, ours, truth
weights.safetensors       the generator only, to color with
run.lock                  held by the live run; run.owner.json says by which process
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from colorlab.recipes.recipe import Recipe, differences
from colorlab.training.checkpoint_files import CheckpointError, read_checkpoint
from colorlab.training.checkpoints import Checkpoints, step_of
from colorlab.training.lock import FolderInUse, RunLock
from colorlab.weights import save_weights

HISTORY = "history"


@dataclass
class Found:
    """A checkpoint to go on from."""

    path: Path
    tensors: dict[str, Tensor]
    facts: dict
    history: list[dict]
    seconds: list[float]


class RunFolder:
    """The checkpoints of one run, in its folder and in a mirror that may fail."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: int = 3,
        mirror: str | os.PathLike[str] | None = None,
        warn: Callable[[str], None],
        writes: bool = True,
    ):
        self.path = Path(path)
        if self.path.is_file():
            raise FileExistsError(f"{path} is a file; name a folder for the run's output")
        self.mirror, self.warn = None if mirror is None else Path(mirror), warn
        self.checkpoints = Checkpoints(
            self.path / "checkpoints", keep=keep, mirror=mirror, warn=warn
        )
        folders = [self.path] if mirror is None else [self.path, self.mirror]
        self.writes, self.lock = writes, RunLock(folders if writes else [], warn)
        self._known: list[Path] = []  # checkpoints that were there when the run was made

    def claim(self, step: int) -> None:
        """Lock the folder for a run that stands at ``step``.

        Raises:
            FolderInUse: another run lives there, or went on since this one was made.
        """
        if self.writes:
            self.check_writable()
        self.lock.acquire()
        later = [path for path in self.checkpoints.candidates() if step_of(path.name) > step]
        if new := [path for path in later if path not in self._known]:
            self.lock.release()
            raise FolderInUse(
                f"{new[0]} was written by another run, and this one stands at step {step}: make a "
                f"new Run with resume=True, which goes on from there"
            )

    @contextmanager
    def claimed(self, step: float = math.inf) -> Iterator[None]:
        """Hold what ``claim`` locks for a moment."""
        self.claim(step)
        try:
            yield
        finally:
            self.lock.release()

    def holds_a_run(self) -> bool:
        """Whether a step was taken there: a run that failed before its first leaves a header."""
        history = self.path / "history.csv"
        steps = history.exists() and len(history.read_text(encoding="utf-8").splitlines()) > 1
        return steps or bool(self.checkpoints.candidates())

    def check_writable(self) -> None:
        """Make the folder, and see that it takes files: hours later, nothing could be kept.

        Raises:
            OSError: it does not.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise OSError(
                f"the run's output can't be written to {self.path} ({error.strerror or error}); "
                f"mend that, or name another folder (-o, or output=)"
            ) from error

    def find(self, resume: bool | str | os.PathLike[str], recipe: Recipe) -> Found | None:
        """The checkpoint to go on from, or None to begin.

        Raises:
            FileExistsError: there is a run, and ``resume`` is False.
            CheckpointError: the checkpoint named, or every one there is, is damaged.
            ValueError: it is of another recipe (the message lists the differences), or the folder
                holds later ones.
        """
        self._known = self.checkpoints.candidates()
        if resume is False:
            if self.holds_a_run():
                raise FileExistsError(
                    f"{self.path} holds an earlier run; go on with it (--resume, or resume=True), "
                    f"or name another folder"
                )
            return None
        if resume is True:
            newest = self.checkpoints.newest()
            if newest is None:
                return None
            path, tensors, facts = newest
        else:
            path = Path(resume)
            tensors, facts = read_checkpoint(path)
            later = [p for p in self.checkpoints.candidates() if step_of(p.name) > facts["step"]]
            if later:  # the next resume=True would take them for this run's
                raise ValueError(
                    f"{later[0]} comes after {path}; a run that goes back does so in a folder of "
                    f"its own: name another output, or move the later checkpoints away"
                )
        try:
            theirs = Recipe.from_json(facts["recipe"])
            rows = _rows(tensors.pop(HISTORY), facts["columns"])
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{path} was written by another version: {error}") from error
        if lines := differences(theirs, recipe):
            raise ValueError(
                f"{path} is of another recipe; from the checkpoint's to this one:\n  "
                + "\n  ".join(lines)
                + "\nGo on with the same recipe, or begin a new run in another folder (with "
                "weights.safetensors of this one to start from, if the generator is the same)."
            )
        seconds = [row.pop("seconds") for row in rows]
        for row in rows:
            row["step"], row["stage"] = int(row["step"]), int(row["stage"])
        return Found(path, tensors, facts, rows, seconds)

    def save(
        self, facts: dict, tensors: dict[str, Tensor], history: list[dict], seconds: list[float]
    ) -> Path | None:
        """Write a checkpoint; None where the disk would not have it (a warning was given)."""
        rows = [{**row, "seconds": s} for row, s in zip(history, seconds, strict=True)]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        table = [[row.get(name, float("nan")) for name in columns] for row in rows]
        table = torch.tensor(table, dtype=torch.float64).reshape(len(rows), len(columns))
        path = self.checkpoints.save(
            facts["step"],
            {**tensors, HISTORY: table},
            {**facts, "columns": columns},
            facts["score"],
        )
        self.mirror_file(self.path / "changes.jsonl")
        return path

    def save_weights(self, name: str, generator: nn.Module, recipe: Recipe, step: int) -> None:
        """Write ``name.safetensors``, to color with. A disk that fails is a warning."""
        file = f"{name}.safetensors"
        try:
            notes = {"steps_trained": str(step)}
            self.mirror_file(save_weights(self.path / file, generator, recipe, notes=notes))
        except OSError as error:
            self.warn(f"{file} could not be written ({error}); the run goes on")

    def write_sample(self, pictures: Sequence[Tensor], step: int) -> Path:
        """A grid of columns ``(B, 3, H, W)`` in [0, 1]. A disk that fails is a warning."""
        from PIL import Image

        from colorlab.show import tiled

        path = self.path / "samples" / f"step-{step:06d}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(tiled(pictures)).save(path)
        except OSError as error:
            self.warn(f"{path} could not be written ({error}); the run goes on")
        return path

    def mirror_file(self, path: Path) -> None:
        """Copy one more file to the mirror, if there is one."""
        if self.mirror is not None and path.is_file():
            self.checkpoints.mirror_file(path)

    def newest_path(self) -> Path | None:
        """The newest checkpoint, unread."""
        return next(iter(self.checkpoints.candidates()), None)

    def close(self) -> None:
        """Wait for the mirror, a while."""
        self.checkpoints.close()


def _rows(table: Tensor, columns: list[str]) -> list[dict]:
    """Rows of numbers as dicts; what is NaN was not there (a loss that is NaN ends a run)."""
    return [
        {name: value for name, value in zip(columns, line, strict=True) if value == value}
        for line in table.tolist()
    ]
