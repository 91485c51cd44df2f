"""The ladders measured for the course, and a picture of them beside the learner's own."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from colorlab.atomic import write_whole
from colorlab.sources.bundled import data_dir
from colorlab.speed.ladder import Ladder, Parts, Row

TABLE = "speed.json"


def read_table(path: str | os.PathLike[str] | None = None) -> list[Ladder]:
    """The ladders measured for the course, ``data/lessons/speed.json``; empty before the first.

    Raises:
        ValueError: the file holds something else.
    """
    path = Path(path) if path else data_dir() / "lessons" / TABLE
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [
            Ladder(
                **{
                    **one,
                    "parts": Parts(**one["parts"]),
                    "rows": tuple(Row(**row) for row in one["rows"]),
                }
            )
            for one in found
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a table of ladders: {error}") from error


def save_table(ladder: Ladder, path: str | os.PathLike[str] | None = None) -> Path:
    """Put a ladder into the table, in place of one of the same hardware and training."""
    path = Path(path) if path else data_dir() / "lessons" / TABLE

    def key(one: Ladder) -> tuple:
        return one.hardware, one.recipe, one.size, one.batch

    others = [one for one in read_table(path) if key(one) != key(ladder)]
    text = json.dumps([asdict(one) for one in [*others, ladder]], indent=1, ensure_ascii=False)
    write_whole(path, [(text + "\n").encode()])
    return path
