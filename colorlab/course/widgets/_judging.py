"""Real or fake? The rounds of lesson 09's game, and what the answers say of a generator.

No widget stands in here. An answer says which of two pictures was generated; it was fooled where it
names the real one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from colorlab.atomic import write_whole
from colorlab.intervals import Interval, wilson

SIDES = ("left", "right")
ROUNDS = 20  # at most
PUBLISHED = 0.32  # Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016), abstract


class Round(NamedTuple):
    """Which photo is shown, and on which side its generated picture stands."""

    photo: str
    generated: str


class Answer(NamedTuple):
    """Where a photo's generated picture stood, and where the player saw it."""

    photo: str
    generated: str
    said: str

    @property
    def fooled(self) -> bool:
        return self.said != self.generated


class Share(NamedTuple):
    """So many of so many, with Wilson's 95 % interval."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of

    @property
    def interval(self) -> Interval:
        return wilson(self.count, self.of)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.count} of {self.of}, {percent(self.value)} % (95 % interval {percent(low)} to "
            f"{percent(high)} %)"
        )


@dataclass(frozen=True)
class Judgements:
    """The answers of one player, or of a class.

    The intervals take the answers for independent. Those of one player hang together, so that for a
    class they are somewhat too narrow.

    Attributes:
        games: the answers of each player, at least one.
        seconds: for which each pair was seen; None without a limit.
    """

    games: tuple[tuple[Answer, ...], ...]
    seconds: float | None

    @property
    def answers(self) -> list[Answer]:
        return [answer for game in self.games for answer in game]

    @property
    def fooled(self) -> Share:
        """The share of the rounds in which the real picture was taken for the generated one."""
        return _share(answer.fooled for answer in self.answers)

    @property
    def left(self) -> Share:
        """The share of the rounds in which the player said left: half of them without a bias."""
        return _share(answer.said == "left" for answer in self.answers)

    @property
    def by_photo(self) -> dict[str, Share]:
        """How often each photo fooled, the most often first."""
        found: dict[str, list[bool]] = {}
        for answer in self.answers:
            found.setdefault(answer.photo, []).append(answer.fooled)
        shares = {photo: _share(fooled) for photo, fooled in found.items()}
        return dict(sorted(shares.items(), key=lambda one: (-one[1].value, -one[1].of, one[0])))

    def __str__(self) -> str:
        limit = "no time limit" if self.seconds is None else f"{self.seconds:g} s a pair"
        players = len(self.games)
        lines = [
            f"{players} player{'' if players == 1 else 's'}, {limit}",
            f"fooled: {self.fooled}",
        ]
        if players > 1:
            each = [_share(answer.fooled for answer in game).value for game in self.games]
            lines.append(f"  by player: {percent(min(each))} to {percent(max(each))} %")
        lines.append(f"said left: {self.left}")
        lines += [f"{photo}: {one.count} of {one.of}" for photo, one in self.by_photo.items()]
        return "\n".join(lines)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write one player's answers as JSON, for ``merge_judgements``.

        Raises:
            OSError: as it came from the filesystem; what stood there then stays.
        """
        (game,) = self.games
        content = {"seconds": self.seconds, "answers": [answer._asdict() for answer in game]}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        return write_whole(path, [f"{text}\n".encode()])


class Game:
    """The rounds: each pair once, in random order, its generated picture on a random side.

    Args:
        photos: the name of each pair.
        random: draws order and sides.

    Raises:
        ValueError: no pair, or two of the same name.
    """

    def __init__(self, photos: Sequence[str], random: np.random.Generator) -> None:
        if not photos or len(set(photos)) < len(photos):
            raise ValueError(
                f"A game needs at least one pair, each with a name of its own, not {list(photos)}."
            )
        self.photos = list(photos)
        order, sides = random.permutation(len(photos))[:ROUNDS], random.choice(SIDES, ROUNDS)
        self.rounds = [Round(photos[i], str(side)) for i, side in zip(order, sides, strict=False)]
        self.answers: list[Answer] = []

    @property
    def over(self) -> bool:
        return len(self.answers) == len(self.rounds)

    @property
    def now(self) -> Round:
        """The round that waits for an answer."""
        return self.rounds[len(self.answers)]

    def answer(self, said: str) -> None:
        """Say which picture was generated, "left" or "right".

        Raises:
            ValueError: neither of them, or the game is over.
        """
        if said not in SIDES:
            raise ValueError(f'The generated picture is "left" or "right", not {said!r}.')
        if self.over:
            raise ValueError("The game is over; start another one.")
        self.answers.append(Answer(*self.now, said))


def merge_judgements(paths: Iterable[str | os.PathLike[str]]) -> Judgements:
    """The result of a class, from the files that ``Judge.save`` wrote, one a player.

    Raises:
        OSError: a file that can't be read.
        ValueError: no file, one that holds no judgements, or files with different time limits.
    """
    found = [_read(Path(path)) for path in paths]
    if not found:
        raise ValueError("There is nothing to merge: give the path of at least one saved game.")
    limits = {one.seconds for one in found}
    if len(limits) > 1:
        raise ValueError(
            f"These games had different time limits in seconds, {limits}: a longer look fools less "
            "often. Merge those of one limit only."
        )
    return Judgements(tuple(game for one in found for game in one.games), limits.pop())


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _share(cases: Iterable[bool]) -> Share:
    found = list(cases)
    return Share(sum(found), len(found))


def _read(path: Path) -> Judgements:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        game = tuple(Answer(**answer) for answer in content["answers"])
        seconds = None if content["seconds"] is None else float(content["seconds"])
        if not game or not {side for one in game for side in one[1:]} <= set(SIDES):
            raise ValueError("no answers")
    except (ValueError, TypeError, LookupError):
        raise ValueError(
            f"{path} holds no judgements. Write one with judge.save(path) after a game."
        ) from None
    return Judgements((game,), seconds)
