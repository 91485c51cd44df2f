"""The question after each epoch: save? another learning rate?"""

from __future__ import annotations

import math
import select
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TextIO


@dataclass(frozen=True)
class EpochQuestion:
    """What is known when an epoch has ended.

    Attributes:
        losses: means over the epoch's steps, by name.
        wanted: whether a decision is still wanted. Who waits for one calls it a few times a second
            from the thread that asks: meanwhile the run does what else it is asked (to save, to
            change a setting), and once it is to stop, this is False and any decision will do.
    """

    epoch: int
    step: int
    losses: dict[str, float] = field(default_factory=dict)
    generator_rate: float = 0.0
    discriminator_rate: float = 0.0
    wanted: Callable[[], bool] = field(default=lambda: True, repr=False, compare=False)

    def __str__(self) -> str:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        return f"epoch {self.epoch} has ended (step {self.step}): {losses}"


@dataclass(frozen=True)
class Decision:
    """Whether to save, and new learning rates; None leaves one as it is."""

    save: bool = True
    generator_rate: float | None = None
    discriminator_rate: float | None = None


def mean_losses(rows: Sequence[dict]) -> dict[str, float]:
    """The mean of each loss in rows of a run's history; NaN where a row has it not."""
    names = [name for name in rows[-1] if name not in ("step", "stage", "held_out")]
    return {name: sum(row.get(name, math.nan) for row in rows) / len(rows) for name in names}


def ask_in_terminal(
    question: EpochQuestion, lines: TextIO | None = None, out: TextIO | None = None
) -> Decision:
    """Ask on the command line.

    Without a terminal, or once the input has ended, it saves, leaves the rates, and says so. A run
    that is stopped is not kept waiting; on Windows it waits for the next line.
    """
    lines, out = lines or sys.stdin, out or sys.stdout
    print(f"\n{question}", file=out)
    if not lines.isatty():
        print("no terminal to ask: saved, the learning rates stay", file=out)
        return Decision()
    save = _asked("Save? [Y/n] ", question.wanted, lines, out, _yes)
    rates = []
    for who in ("generator", "discriminator"):
        now = getattr(question, f"{who}_rate")
        prompt = f"Learning rate of the {who} [{now:g}] "
        rates.append(_asked(prompt, question.wanted, lines, out, read_rate))
    return Decision(True if save is None else save, *rates)


def _asked(prompt: str, wanted: Callable[[], bool], lines: TextIO, out: TextIO, read):  # noqa: ANN001, ANN202
    """The line as ``read`` understands it; asked again until it does. None: nothing was typed."""
    while wanted():
        print(prompt, end="", file=out, flush=True)
        while _is_silent(lines):
            if not wanted():
                print(file=out)
                return None
        line = lines.readline()
        if not line.strip():
            return None
        try:
            return read(line.strip())
        except ValueError as error:
            print(error, file=out)
    return None


def _is_silent(lines: TextIO) -> bool:
    """Whether a fifth of a second passed with nothing to read: a read, once begun, can't be broken
    off. False where that can't be known, as on Windows."""
    try:
        return not select.select([lines], [], [], 0.2)[0]
    except (OSError, ValueError):
        return False


def _yes(text: str) -> bool:
    if text.lower() not in ("y", "yes", "n", "no"):
        raise ValueError("y or n, please (Enter: y)")
    return text.lower().startswith("y")


def read_rate(text: str) -> float:
    """A learning rate as somebody typed it.

    Raises:
        ValueError: what is none.
    """
    from colorlab.training.changes import checked

    try:
        return checked("generator_rate", float(text))
    except ValueError:
        raise ValueError(
            f"{text!r} is no learning rate; a number of at least 0, such as 2e-4"
        ) from None
