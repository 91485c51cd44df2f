"""The live board's words: where a run stands, what has happened, and what to do."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from colorlab.course.widgets.board.meter import duration, place_of, speeds, time_left

if TYPE_CHECKING:
    from colorlab.training.run import Run

COLORS = {  # behind the state's name; the words on them are white
    "new": "#5b6168",
    "running": "#00704f",
    "paused": "#8a5a00",
    "asking": "#8a5a00",
    "stopped": "#5b6168",
    "finished": "#005a92",
    "failed": "#b03a00",
}
Message = tuple[int, str]  # the step, and what was said then


def figures(run: Run) -> list[str]:
    """Two lines on where the run stands and how fast it goes."""
    recipe, step = run.recipe, run.step
    place = place_of(recipe, step)
    stage = place.stage
    where = [
        f"step {step:,} of {recipe.steps:,}",
        f"stage {place.number + 1} of {len(recipe.stages)}: {stage.kind}, "
        f"{stage.image_size} px, batch {stage.batch_size}",
        f"{run.feed.photos_seen(step):,} images seen",
    ]
    found = speeds(run.history, run.times)
    speed = found.get(place.number) or next(iter(found.values()), None)
    pace = ["no step timed yet"]
    if speed is not None:
        pace = [f"{_milliseconds(speed.median)} a step", f"{_rate(1 / speed.mean)} steps a second"]
    if run.state != "failed" and (rest := time_left(place.left, found)):
        pace.append(rest)
    return [" · ".join(where), " · ".join(pace)]


def status_html(run: Run, state: str) -> str:
    share = 100 * run.step / run.recipe.steps
    pill = (
        f'<span style="background: {COLORS[state]}; color: white; border-radius: 9px; '
        f'padding: 1px 10px; margin-right: 8px">{state}</span>'
    )
    where, pace = figures(run)
    bar = (
        '<div style="background: #e4e6e9; height: 6px; border-radius: 3px; margin: 4px 0">'
        f'<div style="background: {COLORS[state]}; height: 6px; border-radius: 3px; '
        f'width: {share:.1f}%"></div></div>'
    )
    return (
        f'<div style="line-height: 1.5; max-width: 840px">{pill}<b>{where}</b><br>{pace}{bar}</div>'
    )


def message_html(said: Iterable[Message], warned: Iterable[Message] = (), fault: str = "") -> str:
    """Newest first, then warnings, then what is wrong with the board itself."""
    lines = [
        f'<div style="color: {"inherit" if new else "#6b7178"}">{html.escape(text)}</div>'
        for new, (_, text) in zip((True, False, False), reversed(list(said)), strict=False)
    ]
    lines += ["<div>&nbsp;</div>"] * (3 - len(lines))  # what stands below should not jump
    alarm = [f"warning at step {step:,}: {text}" for step, text in warned]
    alarm += [fault] if fault else []
    lines += [
        f'<div style="border-left: 4px solid #d55e00; padding-left: 8px">{html.escape(text)}</div>'
        for text in alarm
    ]
    style = "line-height: 1.4; max-width: 840px; overflow-wrap: anywhere"
    return f'<div aria-live="polite" style="{style}">{"".join(lines)}</div>'


def state_in_words(run: Run, state: str) -> str:
    """What a message says when the run has come into ``state``."""
    at = f"step {run.step:,}"
    match state:
        case "new":
            return "ready: press Start"
        case "running":
            return f"training from step {run.step + 1:,} on"
        case "paused":
            return f"paused after {at}"
        case "asking":
            return f"an epoch has ended after {at}: answer the question below"
        case "stopped":
            return f"stopped after {at}: Resume goes on from here"
        case "finished":
            return f"finished: {run.step:,} steps in {duration(run.seconds)} of training"
        case _:
            return f"failed at step {run.step + 1:,}: {_cause(run)} {_advice(run)}"


def _cause(run: Run) -> str:
    text = " ".join(str(run.error).split()) or "no more is known"
    return f"{type(run.error).__name__}: {text.rstrip('.')}."


def _advice(run: Run) -> str:
    where = "run.wait() shows where. Correct the cause, then make a new Run"
    if run.folder is None:
        return f"{where}; without an output folder, nothing was kept."
    return (
        f"{where} with the same output and resume=True, and its Board: it goes on from the last "
        "good checkpoint."
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"
