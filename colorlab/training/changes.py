"""Settings that change while a run goes on, each kept with the step from which it holds.

They are written down at once, not with the next checkpoint: a run that is killed in between goes
back to the checkpoint, and meets the same changes at the same steps again.
"""

from __future__ import annotations

import bisect
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

SETTINGS = ("color_weight", "generator_rate", "discriminator_rate", "sample_every")


@dataclass(frozen=True)
class Change:
    """From ``step`` on (1 is the first), the setting ``name`` is ``value``.

    ``name`` is one of ``SETTINGS``, or ``"epoch"``: the question after epoch ``value`` is
    decided.
    """

    step: int
    name: str
    value: float


def checked(name: str, value: float) -> float:
    """Check that the setting can take ``value``, and return it as a number.

    Raises:
        ValueError: no such setting, or a value that it can't have.
    """
    if name not in SETTINGS:
        raise ValueError(f"a run has no setting {name!r}; choose from {', '.join(SETTINGS)}")
    whole = name == "sample_every"
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or value < whole or (whole and value != int(value)):
        wanted = "a whole number from 1 on" if whole else "a number of at least 0"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return int(value) if whole else float(value)


class ChangeLog:
    """The file ``changes.jsonl``: one change a line, in the order made.

    Args:
        path: the file; None keeps the changes in memory only.
        anew: leave aside what the file holds, and replace it with the first change.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, anew: bool = False):
        self.path = None if path is None else Path(path)
        self.changes: list[Change] = []
        self._length = 0  # of the file's whole lines, in bytes
        if self.path is not None and self.path.is_file() and not anew:
            content = self.path.read_bytes()
            self._length = content.rfind(b"\n") + 1
            self.merge(_changes(self.path, content[: self._length].decode(errors="replace")))

    def merge(self, others: list[Change]) -> None:
        """Take over changes that are not known yet."""
        known = set(self.changes)
        self.changes += [change for change in others if change not in known]
        self.changes.sort(key=lambda change: change.step)

    def add(self, change: Change) -> None:
        """Keep one more, on the disk before this returns.

        Raises:
            OSError: it could not be written; it is kept in memory.
        """
        # In its place, for a run may have gone back; not by sorting, during which others see none.
        bisect.insort(self.changes, change, key=lambda change: change.step)
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as file:
            file.truncate(min(self._length, file.tell()))  # off with a line that a kill cut short
            file.write(json.dumps(asdict(change)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._length = file.tell()

    def at(self, step: int) -> list[Change]:
        """Those that begin to hold at ``step``."""
        return [change for change in self.changes if change.step == step]

    def epoch_is_decided(self, epoch: int) -> bool:
        """Whether the question after this epoch is decided."""
        return any(c.name == "epoch" and c.value == epoch for c in self.changes)


def _changes(path: Path, text: str) -> list[Change]:
    """The changes in a file's whole lines. A last one that a kill cut short never took effect."""
    changes = []
    for line in text.splitlines():
        try:
            changes.append(Change(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} holds a line that is no change: {line[:80]!r}. Correct or remove it; "
                f"without it the run goes on from its checkpoint with the settings kept there."
            ) from error
    return changes
