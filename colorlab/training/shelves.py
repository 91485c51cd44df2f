"""A folder of numbered checkpoints: which are there, and which of them may go."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from colorlab.atomic import remove_leftovers
from colorlab.training.checkpoint_files import CheckpointError, read_facts

_NAME = re.compile(r"step-([0-9]{8,})\.ckpt")


def checkpoint_name(step: int) -> str:
    """``step-00001234.ckpt``; a step of more than eight digits has them all."""
    return f"step-{step:08d}.ckpt"


def step_of(name: str) -> int | None:
    """The step in a checkpoint's name; None for a name that :func:`checkpoint_name` can't give."""
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
        """:meth:`files` without those that are known to be damaged."""
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
