"""The hint board of ipywidgets' own parts, for where anywidget is missing; its still picture."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageDraw

from colorlab.course.widgets._bundle import encode_image
from colorlab.course.widgets._hinted import COLORS
from colorlab.course.widgets._panel import choice, slider

QUALITY = 88  # of the JPEGs
RADIUS = 8  # pixels, of a hint's dot
FINER = 4  # so many times finer are dots drawn, then reduced, so that they are round
INK = "#202020"
BUTTONS = {  # what each does, and with which values
    "Remove": ("remove", {}, "Remove the hint at the cursor"),
    "Undo": ("undo", {}, "Go back one step"),
    "Redo": ("redo", {}, "Take back an undo"),
    "Clear": ("clear", {}, "Remove all hints"),
    "Save PNG": ("save", {"suffix": ".png"}, "Write the picture and its hints"),
    "Save JPEG": ("save", {"suffix": ".jpg"}, "Write the picture and its hints"),
}


class Sliders:
    """A place by two sliders, its color by a click on a likely one or by a color picker.

    Args:
        act: as of ``Clicks``.
        photos: the drop-down of the photos.
    """

    start = "Choose a place with the sliders, then the color of that place."

    def __init__(self, act: Callable[..., None], photos: Any) -> None:
        self._act, self._showing = act, False
        self._state: dict[str, Any] | None = None  # what is shown
        self.photos = photos
        self.across = slider("across %", 50, 0, 100, 1)
        self.down = slider("down %", 50, 0, 100, 1)
        self.hints = choice("hints", [("none yet", -1)], -1)
        self.picker = widgets.ColorPicker(
            description="own color",
            value="#a02020",
            layout=self.photos.layout,
            style={"description_width": "90px"},
        )
        self.swatches = [_button("", "A likely color of this place") for _ in range(COLORS)]
        self.shares = [widgets.HTML(layout={"width": "80px"}) for _ in range(COLORS)]
        self.place = _button("Place", "Lay the own color at the cursor")
        self.buttons = {name: _button(name, tip) for name, (_, _, tip) in BUTTONS.items()}
        self.image = widgets.Image(format="jpeg", layout={"max_width": "100%", "margin": "0"})
        self.caption = widgets.HTML()
        self._listen()
        flow = widgets.Layout(flex_flow="row wrap")
        pairs = zip(self.swatches, self.shares, strict=True)
        rows = [
            [self.photos, self.hints],
            [self.across, self.down],
            [widgets.VBox(pair, layout={"width": "96px"}) for pair in pairs],
            [self.picker, self.place],
            list(self.buttons.values()),
        ]
        self.box = widgets.VBox(
            [*(widgets.HBox(row, layout=flow) for row in rows), self.image, self.caption]
        )

    def show(self, pixels: np.ndarray, state: dict[str, Any]) -> None:
        """Show the picture, uint8 (H, W, 3), and the state (see ``HintBoard.state``)."""
        another = self._state is not None and self._state["name"] != state["name"]
        self._showing, self._state = True, state
        try:
            if another and state["cursor"]:
                self._put(state["cursor"])
            self.image.layout.width = f"{pixels.shape[1]}px"
            self.image.value = encode_image(with_dots(pixels, state), "jpeg", QUALITY)
            words = html.escape(state["words"])
            self.caption.value = f'<div aria-live="polite" style="line-height: 1.4">{words}</div>'
            self._show_hints(state)
            self._show_colors(state)
        finally:
            self._showing = False

    def metadata(self) -> dict[str, Any]:
        """As of ``Clicks``; ipywidgets' own parts need none."""
        return {}

    def _show_hints(self, state: dict[str, Any]) -> None:
        named = [(f"{i}: {h['name']}", i - 1) for i, h in enumerate(state["hints"], 1)]
        selected = -1 if state["selected"] is None else state["selected"]
        self.hints.options = [("none here" if named else "none yet", -1), *named]
        self.hints.value, self.hints.disabled = selected, not named

    def _show_colors(self, state: dict[str, Any]) -> None:
        for i, (button, share) in enumerate(zip(self.swatches, self.shares, strict=True)):
            one = state["colors"][i] if i < len(state["colors"]) else None
            button.layout.visibility = share.layout.visibility = "visible" if one else "hidden"
            if one:
                button.style.button_color = one["color"]
                share.value = f"{one['share']:.0%} {one['name']}"
        self.place.disabled = state["cursor"] is None
        self.buttons["Remove"].disabled = state["selected"] is None
        self.buttons["Undo"].disabled = not state["undo"]
        self.buttons["Redo"].disabled = not state["redo"]
        self.buttons["Clear"].disabled = not state["hints"]

    def _listen(self) -> None:
        def on_move(control: Any, act: Callable[[Any], None]) -> None:
            def moved(change: Any) -> None:
                if not self._showing:  # by the user, not by `show`
                    act(change["new"])

            control.observe(moved, names="value")

        on_move(self.photos, lambda name: self._act("photo", name=name))
        for control in (self.across, self.down):
            on_move(control, lambda _: self._look())
        on_move(self.hints, self._look_at)
        on_move(self.picker, lambda color: self._act("color", color=color))
        self.place.on_click(lambda _: self._act("color", color=self.picker.value))
        for i, button in enumerate(self.swatches):
            button.on_click(
                lambda _, i=i: self._act("color", color=self._state["colors"][i]["color"])
            )
        for name, (do, values, _) in BUTTONS.items():
            self.buttons[name].on_click(lambda _, do=do, v=values: self._act(do, **v))

    def _look(self) -> None:
        self._act("look", x=self.across.value / 100, y=self.down.value / 100)

    def _choose(self, number: int) -> None:
        self._act("color", color=self._state["colors"][number]["color"])

    def _look_at(self, number: int) -> None:
        if number >= 0:
            hint = self._state["hints"][number]
            self._showing = True
            self._put(hint)
            self._act("look", x=hint["x"], y=hint["y"])

    def _put(self, spot: Mapping[str, float]) -> None:
        """Move the sliders to a place."""
        self.across.value, self.down.value = round(100 * spot["x"]), round(100 * spot["y"])


def _button(name: str, tooltip: str) -> Any:
    return widgets.Button(description=name, tooltip=tooltip, layout={"width": "90px"})


def with_dots(pixels: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    """The picture with its hints as ringed dots and its cursor as a ring; a new array."""
    height, width, _ = pixels.shape
    layer = Image.new("RGBA", (width * FINER, height * FINER))
    draw = ImageDraw.Draw(layer)

    def around(spot: Mapping[str, float], radius: float) -> list[float]:
        x, y, radius = spot["x"] * layer.width, spot["y"] * layer.height, radius * FINER
        return [x - radius, y - radius, x + radius, y + radius]

    for number, hint in enumerate(state["hints"]):
        radius = RADIUS + 2 * (number == state["selected"])
        for wider, color in ((4, INK), (2.5, "white"), (0, hint["color"])):
            draw.ellipse(around(hint, radius + wider), fill=color)
    if state["cursor"] and state["selected"] is None:
        for wider, color, line in ((2, INK, 5), (0.5, "white", 2)):
            box = around(state["cursor"], RADIUS + wider)
            draw.ellipse(box, outline=color, width=line * FINER)
    layer = layer.resize((width, height), Image.Resampling.BOX)
    picture = Image.alpha_composite(Image.fromarray(pixels).convert("RGBA"), layer)
    return np.asarray(picture.convert("RGB"))
