"""The question after each epoch: save? another learning rate?"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TextIO


@dataclass(frozen=True)
class EpochQuestion:
    """What is known when an epoch has ended.

    Attributes:
        losses: means over the epoch's steps, by name.
    """

    epoch: int
    step: int
    losses: dict[str, float] = field(default_factory=dict)
    generator_rate: float = 0.0
    discriminator_rate: float = 0.0

    def __str__(self) -> str:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        return f"epoch {self.epoch} has ended (step {self.step}): {losses}"


@dataclass(frozen=True)
class Answer:
    """Whether to save, and new learning rates; None leaves one as it is."""

    save: bool = True
    generator_rate: float | None = None
    discriminator_rate: float | None = None


def ask_in_terminal(
    question: EpochQuestion, lines: TextIO | None = None, out: TextIO | None = None
) -> Answer:
    """Ask on the command line. Where nobody can answer (no terminal, or the input has ended), it
    saves, leaves the rates, and says so."""
    lines, out = lines or sys.stdin, out or sys.stdout
    print(f"\n{question}", file=out)
    if not lines.isatty():
        print("no terminal to ask: saved, the learning rates stay", file=out)
        return Answer()
    save = _asked("Save? [Y/n] ", lines, out, _yes)
    rates = []
    for who in ("generator", "discriminator"):
        now = getattr(question, f"{who}_rate")
        rates.append(_asked(f"Learning rate of the {who} [{now:g}] ", lines, out, _rate))
    return Answer(True if save is None else save, *rates)


def _asked(prompt: str, lines: TextIO, out: TextIO, read):  # noqa: ANN001, ANN202
    """The answer as ``read`` understands it; asked again until it does. None: nothing was said."""
    while True:
        print(prompt, end="", file=out, flush=True)
        line = lines.readline()
        if not line.strip():
            return None
        try:
            return read(line.strip())
        except ValueError as error:
            print(error, file=out)


def _yes(text: str) -> bool:
    if text.lower() not in ("y", "yes", "n", "no"):
        raise ValueError("y or n, please (Enter: y)")
    return text.lower().startswith("y")


def _rate(text: str) -> float:
    from colorlab.changes import checked

    try:
        return checked("generator_rate", float(text))
    except ValueError:
        raise ValueError(f"{text!r} is no learning rate, such as 2e-4 (Enter: as it is)") from None
