"""What a run's numbers say while it goes on: its stage, settings, speed, and the time left."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training.changes import Change

RECENT = 50  # steps that a speed is measured over
RATES = ("generator_rate", "discriminator_rate")


@dataclass(frozen=True)
class Setting:
    """A value, and the step from which it holds; 0 where it is the recipe's."""

    value: float
    since: int = 0


@dataclass(frozen=True)
class Place:
    """Where in its recipe a run stands.

    Attributes:
        number: of the stage, from 0 on; ``before``: steps of all stages before it.
        left: steps to come, by the stage's number.
    """

    number: int
    stage: Stage
    before: int
    left: dict[int, int]


@dataclass(frozen=True)
class Speed:
    """``median``: seconds of a step; ``mean``: the same with all that comes between, such as
    samples. Both over the last steps of one stage."""

    median: float
    mean: float


def place_of(recipe: Recipe, step: int) -> Place:
    """Where the step after ``step`` is taken; after the last one, the last stage."""
    before, here, left = 0, None, {}
    for number, stage in enumerate(recipe.stages):
        if step < before + stage.steps:
            here = here or (number, before)
            left[number] = before + stage.steps - max(step, before)
        before += stage.steps
    last = len(recipe.stages) - 1
    number, before = here or (last, before - recipe.stages[last].steps)
    return Place(number, recipe.stages[number], before, left)


def settings_at(recipe: Recipe, changes: Sequence[Change], step: int) -> dict[str, Setting]:
    """The settings of the step after ``step``: λ holds to the run's end, rates to the stage's.

    The rates are those that the stage's schedule is a share of.
    """
    place = place_of(recipe, step)
    settings = {"color_weight": Setting(recipe.objective.color_weight)}
    settings |= {name: Setting(getattr(place.stage, name)) for name in RATES}
    for change in changes:
        began = place.before if change.name in RATES else 0
        if change.name in settings and began < change.step <= step + 1:
            settings[change.name] = Setting(change.value, change.step)
    return settings


def speeds(rows: Sequence[dict], seconds: Sequence[float]) -> dict[int, Speed]:
    """How fast each stage went at last, by its number.

    Args:
        rows: the history; ``seconds``: of training, after each row.

    A stage's first step is left out where there are others: it fills caches.
    """
    count = min(len(rows), len(seconds))
    found: dict[int, Speed] = {}
    end = count
    while end:
        number, start = rows[end - 1]["stage"], end - 1
        while start and rows[start - 1]["stage"] == number and end - start < RECENT + 1:
            start -= 1
        # From the end of the first of them on, if that leaves any.
        times = [0.0 if start == 0 else seconds[start - 1], *seconds[start:end]]
        times = times[1:] if len(times) > 2 else times
        took = [b - a for a, b in zip(times, times[1:], strict=False)]
        found[number] = Speed(statistics.median(took), (times[-1] - times[0]) / len(took))
        end = _first_of_stage(rows, number, start)
    return found


def _first_of_stage(rows: Sequence[dict], number: int, at_most: int) -> int:
    """Where the rows of stage ``number`` begin; stages follow each other."""
    low, high = 0, at_most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if rows[middle]["stage"] >= number else (middle + 1, high)
    return low


def time_left(left: dict[int, int], found: dict[int, Speed]) -> str:
    """In words. Steps of a stage that was not timed yet are named, not guessed."""
    known = sum(found[number].mean * steps for number, steps in left.items() if number in found)
    unknown = sum(steps for number, steps in left.items() if number not in found)
    if not left:
        return ""
    if not unknown:
        return f"{duration(known)} left"
    if known:
        return f"{duration(known)} left, then {unknown:,} steps of a stage not timed yet"
    return f"{unknown:,} steps left, not timed yet"


def duration(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def written(name: str, value: float) -> str:
    """A setting's value as the learner reads it: 50, 2e-4."""
    if name not in RATES or value == 0:
        return f"{value:g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"
