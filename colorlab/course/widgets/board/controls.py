"""The live board's buttons and sliders."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from colorlab.course.widgets.board.meter import RATES, Setting, place_of, written
from colorlab.course.widgets.board.threads import Quiet
from colorlab.recipes.recipe import Recipe

# What can be clicked in each state of a run.
CLICKABLE = {
    "new": ("start",),
    "running": ("pause", "stop", "save"),
    "paused": ("start", "stop", "save"),
    "asking": ("stop", "save"),
    "stopped": ("start", "save"),
    "finished": (),
    "failed": (),
}
ADJUSTABLE = ("new", "running", "paused", "asking", "stopped")
EXPONENTS = (-6, -1)  # of the learning rates
NAMES = {
    "color_weight": "λ (color)",
    "generator_rate": "rate of G",
    "discriminator_rate": "rate of D",
}


class Buttons:
    """Start (or Resume), Pause, Stop, Save. ``click`` is called with the name of the clicked one:
    "start", "pause", "stop" or "save"."""

    def __init__(self, click: Callable[[str], None]) -> None:
        looks = {
            "start": ("Start", "play", "Train in the background; the notebook stays free"),
            "pause": ("Pause", "pause", "Halt after the step under way"),
            "stop": ("Stop", "stop", "End after the step under way, and save"),
            "save": ("Save", "save", "Write a checkpoint and the weights"),
        }
        self.by_name = {
            name: widgets.Button(
                description=text,
                icon=icon,
                tooltip=tip,
                layout=widgets.Layout(width="104px", margin="2px 6px 2px 0"),
            )
            for name, (text, icon, tip) in looks.items()
        }
        for name, button in self.by_name.items():
            button.on_click(lambda _, name=name: click(name))

    def show(self, state: str, can_save: bool) -> None:
        for name, button in self.by_name.items():
            button.disabled = name not in CLICKABLE[state] or (name == "save" and not can_save)
        start = self.by_name["start"]
        start.description = "Start" if state == "new" else "Resume"
        start.button_style = "" if start.disabled else "success"

    def hold(self) -> None:
        """Nothing more can be clicked until the next :meth:`show`."""
        for button in self.by_name.values():
            button.disabled = True


class Knobs:
    """Sliders for λ and both learning rates, each above the step from which its value holds.

    ``turn`` is called with the name and the value of the one that was moved, once per move: a
    handle that is dragged reports only where it was let go.
    """

    def __init__(self, recipe: Recipe, turn: Callable[[str, float], None]) -> None:
        self.recipe, self._turn = recipe, turn
        self._quiet = Quiet()
        self._moved: dict[str, float] = {}  # by the learner, and not in force yet
        look: dict[str, Any] = {
            "continuous_update": False,
            "style": {"description_width": "66px"},
            "layout": widgets.Layout(width="272px", margin="0"),
        }
        most = _round_up(max(10.0, 10 * recipe.objective.color_weight))
        rates = {"min": EXPONENTS[0], "max": EXPONENTS[1], "step": 0.05, "readout_format": ".1e"}
        self.by_name: dict[str, Any] = {
            "color_weight": widgets.FloatSlider(
                description=NAMES["color_weight"], value=0, min=0, max=most, step=most / 500,
                readout_format=".4g", **look,
            ),
            **{
                name: widgets.FloatLogSlider(description=NAMES[name], value=1e-4, **rates, **look)
                for name in RATES
            },
        }  # fmt: skip
        self.notes = {name: widgets.HTML() for name in self.by_name}
        for name, slider in self.by_name.items():
            slider.observe(lambda change, name=name: self._move(name, change), names="value")
        self.box = widgets.HBox(
            [
                widgets.VBox([slider, self.notes[name]], layout=widgets.Layout(width="279px"))
                for name, slider in self.by_name.items()
            ],
            layout=widgets.Layout(flex_flow="row wrap"),
        )

    def show(self, settings: dict[str, Setting], state: str, step: int) -> None:
        """Stand where the settings of the step after ``step`` are. A handle that the learner has
        just moved stays until its value is in force."""
        place = place_of(self.recipe, step)
        share = place.stage.schedule_at(min(step - place.before, place.stage.steps - 1))
        for name, slider in self.by_name.items():
            setting = settings[name]
            idle = name == "discriminator_rate" and place.stage.kind == "pretrain"
            slider.disabled = state not in ADJUSTABLE or idle
            if name not in self._moved:
                self._place(name, setting.value)
            since = f"from step {setting.since:,} on" if setting.since else "the recipe's"
            note = f"{written(name, setting.value)}, {since}"
            if idle:
                note = "D does not train in this stage"
            elif name in RATES and share < 1:
                note += f"; now × {share:.2g} by the schedule"
            style = "line-height: 1.2; font-size: 85%; margin-left: 70px"
            self.notes[name].value = f'<div style="{style}">{note}</div>'

    def in_force(self, name: str, value: float) -> None:
        """What the learner set ``name`` to holds, or was refused."""
        if self._moved.get(name) == value:
            del self._moved[name]

    def _move(self, name: str, change: dict[str, Any]) -> None:
        if self._quiet.on:
            return
        value = float(f"{change['new']:.2g}" if name in RATES else f"{change['new']:.6g}")
        self._moved[name] = value
        self._turn(name, value)

    def _place(self, name: str, value: float) -> None:
        slider = self.by_name[name]
        with self._quiet:
            if name in RATES:
                exponent = math.log10(value) if value > 0 else slider.min
                slider.min = min(slider.min, math.floor(exponent))
                slider.max = max(slider.max, math.ceil(exponent))
                slider.value = value or 10**slider.min
            else:
                slider.max = max(slider.max, _round_up(value))
                slider.value = value


def _round_up(value: float) -> float:
    """1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(value))
    return next(scale * n for n in (1, 2, 5, 10) if scale * n >= value * 0.999999)
