"""Dataclasses whose types say what each field can be, and the one check of all of them.

    class Stage(Checked, name="stage"):
        steps: Annotated[int, Range(1, 10_000_000)] = 1000
        kind: Literal["pretrain", "adversarial"] = "adversarial"

``Stage(steps=0)`` says: stage.steps must be a whole number from 1 to 10000000, got 0.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import numbers
import reprlib
import typing
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

KINDS = {  # of JSON's values: who passes, and the word for it
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a text"),
    bool: (bool, "true or false"),
}


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, of a number's value or a list's length.

    With ``below``, the value stays below ``high``. NaN lies in no range.
    """

    low: float
    high: float
    below: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value < self.high if self.below else self.low <= value <= self.high

    def __str__(self) -> str:
        return f"from {self.low} to {'below ' if self.below else ''}{self.high}"


_SIGNS = '/\\:*?"<>|'


class FolderName:
    """A text that names a folder on every system, and never one outside the folder it is in."""

    def __contains__(self, value: str) -> bool:
        printed = 1 <= len(value) <= 100 and value.isprintable() and not set(value) & set(_SIGNS)
        return printed and not {value[0], value[-1]} & {".", " "}

    def __str__(self) -> str:
        return (
            f"of 1 to 100 characters that can name a folder: none of {_SIGNS}, no dot or space at "
            f"its ends"
        )


class Checked:
    """A dataclass that can't be made with values its types don't allow.

    A list is taken for a tuple, and a whole number for a float.

    Raises:
        ValueError: one line that names the field, what it can be, and what it was given.
    """

    _prefix = ""

    def __init_subclass__(cls, name: str = "") -> None:
        cls._prefix = f"{name}." if name else ""

    def __post_init__(self) -> None:
        for name, kind in types_of(type(self)).items():
            value = read(kind, getattr(self, name), self._prefix + name)
            object.__setattr__(self, name, value)


@cache
def types_of(cls: type) -> dict[str, Any]:
    """The fields of a dataclass, each with its type."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def range_of(cls: type, field: str) -> Range:
    """The range of a number among the fields of ``cls``."""
    return typing.get_args(types_of(cls)[field])[1]


def parse(text: str | bytes) -> Any:
    """The values of a JSON text: UTF-8, 16 or 32, with or without a byte-order mark.

    Raises:
        ValueError: it is none, or has a key twice in one object.
    """
    try:
        text = text.removeprefix("\ufeff") if isinstance(text, str) else text
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # the second: nested too deep
        raise ValueError(f"this recipe is not valid JSON: {error}") from error


def read(kind: Any, value: Any, where: str) -> Any:
    """Turn ``value``, as JSON or a caller has it, into the type ``kind``.

    Args:
        where: the field's name, as the message should begin.

    Raises:
        ValueError: it is no value of that type.
    """
    if dataclasses.is_dataclass(kind):
        return value if isinstance(value, kind) else _object(kind, value, where)
    limit = None
    if typing.get_origin(kind) is Annotated:
        kind, limit = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return _list(kind, limit, value, where)
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if not isinstance(value, str) or value not in choices:
            raise _refusal(where, f"one of {', '.join(choices)}", value)
        return value
    accepted, words = KINDS[kind]
    fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
    if not fits or (limit is not None and value not in limit):
        raise _refusal(where, words if limit is None else f"{words} {limit}", value)
    return kind(value)


def _object(kind: Any, value: Any, where: str) -> Any:
    what, prefix = (where, f"{where}.") if where else ("a recipe", "")
    if not isinstance(value, dict):
        raise _refusal(what, "an object with keys", value)
    types = types_of(kind)
    for key in value:
        if key not in types:
            near = difflib.get_close_matches(key, types, n=1)
            meant = f"did you mean {near[0]!r}? V" if near else "v"
            raise ValueError(f"{what} has no {_quoted(key)}; {meant}alid keys: {', '.join(types)}")
    return kind(**{key: read(types[key], entry, prefix + key) for key, entry in value.items()})


def _list(kind: Any, limit: Range | None, value: Any, where: str) -> tuple:
    one, *others = typing.get_args(kind)
    length = limit or Range(len(others) + 1, len(others) + 1)
    if not isinstance(value, (list, tuple)) or len(value) not in length:
        count = f"{length.low}" if length.low == length.high else f"{length.low} to {length.high}"
        raise _refusal(where, f"a list of {count} values", value)
    return tuple(read(one, entry, f"{where}[{i}]") for i, entry in enumerate(value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last one win, in silence."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in values if names.count(name) > 1)
        raise ValueError(f"{_quoted(twice)} stands twice in one object; leave out one")
    return values


def _refusal(where: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"{where} must be {wanted}, got {_quoted(value)}")


def _quoted(value: Any) -> str:
    """In one short line, as Python writes it."""
    return " ".join(reprlib.repr(value).split())
