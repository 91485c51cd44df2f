"""The live board's pictures: curves, a grid of held-out photos, and a still of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageDraw

from colorlab.course.widgets._bundle import encode_image
from colorlab.course.widgets.board.boxes import Series, boxes, draw_box
from colorlab.course.widgets.board.samples import Samples, draw_grid
from colorlab.course.widgets.board.threads import Quiet
from colorlab.show import font

if TYPE_CHECKING:
    from colorlab.training.run import Run

WIDTH, HEIGHT = 840, 172  # pixels: of the board, of its curves
STILL = 620  # pixels, the picture for viewers that run nothing
PHOTOS = 8  # that a run samples, at most
QUALITY = 76  # of the grid: it is saved in the notebook, and renewed often


class Views:
    """The pictures of a run, drawn anew where something has changed.

    Args:
        look: called when the learner has chosen another step to look at.
    """

    def __init__(self, run: Run, look: Callable[[], None]) -> None:
        self.samples, self.series = Samples(), Series()
        self.has_photos = run.held_out is not None
        self.boxes = boxes(run.recipe, held_out=self.has_photos)
        self.looked: int | None = None  # the step whose photos are shown; None: the newest
        self._steps: list[int] = []  # what the slider goes over
        self._total, self._drawn_curves, self._drawn_grid = run.recipe.steps, None, None
        self._quiet = Quiet()
        columns = 2 if len(self.boxes) == 4 else max(len(self.boxes), 2)
        self.size = (WIDTH // columns - 4, HEIGHT)
        self.curves = [_image("png", self.size[0]) for _ in self.boxes]
        self.grid = _image("jpeg", WIDTH)
        self.slider = widgets.IntSlider(
            description="Look at",
            min=0,
            max=1,
            value=1,
            readout=False,
            style={"description_width": "66px"},
            layout=widgets.Layout(width="400px"),
        )
        self.slider.observe(lambda change: self._turn(change["new"], look), names="value")
        self.label = widgets.HTML()
        self.caption = widgets.HTML()
        row = widgets.Layout(flex_flow="row wrap")
        below = [widgets.HBox([self.slider, self.label], layout=row), self.grid]
        self.box = widgets.VBox(
            [
                widgets.HBox(self.curves, layout=row),
                self.caption,
                *(below if self.has_photos else []),
            ]
        )

    @property
    def displayed_step(self) -> int | None:
        """The sample that is looked at; None where there is none."""
        return self._nearest(self.samples.steps)

    def show(self, run: Run) -> None:
        """Raises OSError where a grid's file can't be read any more."""
        self.series.read_on(run.history)
        marks, cursor = _marks(run), self.cursor
        if self._drawn_curves != (drawn := (self.series.read, marks, cursor)):
            for box, image in zip(self.boxes, self.curves, strict=True):
                pixels = draw_box(box, self.series, self._total, self.size, marks, cursor)
                image.value = encode_image(pixels, "lines")
            width = self.series.width
            means = f", means of {width:,} steps (held out: as measured)" if width > 1 else ""
            self.caption.value = _small(
                f"Curves over the steps{means}. Gray lines: a setting was changed. Black line: the "
                "step that you look at."
            )
            self._drawn_curves = drawn
        self._show_samples(run)

    @property
    def cursor(self) -> int | None:
        """Where the curves are marked: only while an older sample is looked at."""
        return None if self.looked is None else self.displayed_step

    def draw_grid(self, run: Run, width: int) -> np.ndarray:
        step = self.displayed_step
        if step is not None:
            return draw_grid(self.samples.rows(step), width, PHOTOS)
        about = f"held-out photos: first after step {_first_sample(run):,}"
        return draw_grid(None, width, PHOTOS, about)

    def _show_samples(self, run: Run) -> None:
        self._steps = steps = self.samples.steps
        step = self._nearest(steps)
        with self._quiet:
            self.slider.max = max(1, len(steps) - 1)
            self.slider.value = steps.index(step) if step is not None else 1
        self.slider.disabled = len(steps) < 2
        if step is not None:
            what = " (untrained)" if step == 0 else ""
            what = " (the newest)" if step == steps[-1] and step else what
            self.label.value = f"after step {step:,}{what}"
        if self._drawn_grid is None or self._drawn_grid != step:
            self.grid.value = encode_image(self.draw_grid(run, WIDTH), "jpeg", QUALITY)
            self._drawn_grid = step

    def _nearest(self, steps: list[int]) -> int | None:
        if not steps or self.looked is None:
            return steps[-1] if steps else None
        return min(steps, key=lambda step: abs(step - self.looked))

    def _turn(self, index: int, look: Callable[[], None]) -> None:
        if self._quiet.on:
            return
        self.looked = None if index >= self.slider.max else self._steps[index]
        look()


def still(run: Run, views: Views, lines: list[str]) -> np.ndarray:
    """Everything in one picture of constant size: uint8 (H, :data:`STILL`, 3)."""
    head = Image.new("RGB", (STILL, 12 + 19 * len(lines)), "white")
    draw = ImageDraw.Draw(head)
    for number, line in enumerate(lines):
        letters = font(13 if number else 14)
        while letters.getlength(line) > STILL - 16:
            line = f"{line[:-2]}…"
        draw.text((8, 6 + 19 * number), line, "#22262b", letters)
    views.series.read_on(run.history)
    marks = _marks(run)
    wide = [len(views.boxes) % 2 == 1 and number == 0 for number in range(len(views.boxes))]
    drawn = [
        draw_box(
            box, views.series, run.recipe.steps, (STILL if w else STILL // 2, 140), marks,
            views.cursor,
        )
        for box, w in zip(views.boxes, wide, strict=True)
    ]  # fmt: skip
    rows = [np.asarray(head)]
    while drawn:
        count = 1 if drawn[0].shape[1] == STILL else 2
        rows.append(np.concatenate(drawn[:count], 1))
        del drawn[:count]
    if views.has_photos:
        title = Image.new("RGB", (STILL, 20), "white")
        step = views.displayed_step
        text = "held-out photos" + (f" after step {step:,}" if step is not None else "")
        ImageDraw.Draw(title).text((8, 2), text, "#22262b", font(12))
        rows += [np.asarray(title), views.draw_grid(run, STILL)]
    return np.concatenate(rows, 0)


def _marks(run: Run) -> tuple[int, ...]:
    return tuple(c.step for c in run.changes.changes if c.name != "epoch" and c.step > 1)


def _first_sample(run: Run) -> int:
    """The first step still to come after which the run samples."""
    return min((run.step // run.sample_every + 1) * run.sample_every, run.recipe.steps)


def _image(kind: str, width: int) -> Any:
    return widgets.Image(
        format=kind, layout=widgets.Layout(width=f"{width}px", max_width="100%", margin="0 4px 0 0")
    )


def _small(text: str) -> str:
    return f'<div style="line-height: 1.4; font-size: 90%">{text}</div>'
