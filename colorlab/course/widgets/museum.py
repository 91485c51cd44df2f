"""Lesson 06's failure museum: find out from its curves and pictures what is wrong with a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image, ImageDraw

from colorlab.color import AB_RANGE
from colorlab.course.museum import exhibits
from colorlab.course.museum.diary import Diary
from colorlab.course.museum.symptoms import Figures
from colorlab.course.widgets._panel import Panel, choice, steps
from colorlab.course.widgets.board.curves import FAINT, INK, Curve, draw_curves, with_cursor
from colorlab.course.widgets.diary import grays_of, labeled, line, photo_line, span
from colorlab.course.widgets.diary import scores as scores_of
from colorlab.show import BLUE, font

TILE, HEAD = 90, 52  # pixels: a photo, the lines of words above
BOX, LOW_BOX = (360, 120), (260, 120)  # a box of curves beside the photos, and below them
PALE = "#b3b8be"  # of the healthy run's lines
# Of a run, over which each loss is smoothed: little where leaps and spikes must stay.
SHARES = {
    **dict.fromkeys(("generator", "discriminator", "color"), 0.006),
    **dict.fromkeys(("accuracy_real", "accuracy_fake"), 0.03),
}
UNDECIDED = ""


class FailureMuseum(Panel):
    """Eight runs, each with one mistake, under letters; the learner finds out which.

        FailureMuseum()

    The answer appears when the diagnosis is right; after a wrong one it may be opened. `solved`
    and `opened` are the letters of the exhibits that were.

    Raises:
        colorlab.sources.bundled.DataMissing: the recorded runs are not there.
    """

    def __init__(self) -> None:
        self.diaries = {name: exhibits.load(name) for name in exhibits.RUNS}
        self.figures = {name: Figures.of(diary) for name, diary in self.diaries.items()}
        self.solved: set[str] = set()
        self.opened: set[str] = set()
        self._at = "A"
        self._chosen: dict[str, str] = {}  # letter -> the diagnosis that was chosen last
        self._boxes: dict[str, list[np.ndarray]] = {}
        first = self.diaries[exhibits.EXHIBITS["A"]]
        rgb = torch.from_numpy(first.rgb)
        self.gray, self.truth = photo_line(grays_of(rgb), TILE), photo_line(rgb, TILE)
        count = len(first.steps)
        titles = [(piece.title, piece.name) for piece in exhibits.PIECES.values()]
        self.answer = widgets.Button(
            description="Open the answer",
            tooltip="Opens after a first diagnosis",
            disabled=True,
            layout=widgets.Layout(width="150px"),
        )
        super().__init__(
            self._draw,
            {
                "exhibit": choice(
                    "exhibit", [(letter, letter) for letter in exhibits.EXHIBITS], "A"
                ),
                "diagnosis": choice("diagnosis", [("choose …", UNDECIDED), *titles], UNDECIDED),
                "index": steps(
                    "after step", [(f"{s:,}", i) for i, s in enumerate(first.steps)], count - 1
                ),
            },
            "Rows: gray input, ours, ours once more (other noise, where the network takes some), "
            "truth, of photos that the networks never learn from. Pale lines: the healthy run. "
            "Dotted: photos left gray.",
            columns=(2, 1),
        )
        self.answer.on_click(lambda _: self.open())
        *others, controls, image, caption, about = self.box.children
        controls = widgets.HBox([*controls.children, self.answer], layout=controls.layout)
        self.box.children = [*others, controls, image, caption, about]

    @property
    def exhibit(self) -> str:
        """The letter that is looked at."""
        return self.controls["exhibit"].value

    def set(self, **values: Any) -> None:
        # The exhibit first: it brings its own diagnosis along.
        if "exhibit" in values:
            super().set(exhibit=values.pop("exhibit"))
        if values:
            super().set(**values)

    def open(self) -> None:
        """Open the answer of this exhibit.

        Raises:
            ValueError: no diagnosis was chosen yet.
        """
        if not self._chosen.get(self.exhibit):
            raise ValueError("the answer opens after a diagnosis; choose one first")
        self.opened.add(self.exhibit)
        self._move()

    def _move(self, change: Any = None) -> None:
        if self._resetting:
            return
        letter, diagnosis = self.exhibit, self.controls["diagnosis"]
        if letter != self._at:
            self._at, self._resetting = letter, True  # another exhibit: its own diagnosis
            diagnosis.value = self._chosen.get(letter, UNDECIDED)
            self._resetting = False
        elif diagnosis.value != UNDECIDED:
            self._chosen[letter] = diagnosis.value
        if diagnosis.value == exhibits.EXHIBITS[letter]:
            self.solved.add(letter)
        self.answer.disabled = letter in self.solved | self.opened or letter not in self._chosen
        super()._move()

    def _draw(self, exhibit: str, diagnosis: str, index: int) -> tuple[np.ndarray, str]:
        piece = exhibits.PIECES[exhibits.EXHIBITS[exhibit]]
        diary = self.diaries[piece.name]
        step, x_range = int(diary.steps[index]), span(diary)
        again = diary.pictures(index, again="again" in diary.extra)
        rows = {
            "gray\ninput": self.gray,
            "ours": photo_line(diary.pictures(index), TILE),
            "ours,\nonce\nmore": photo_line(again, TILE),
            "truth": self.truth,
        }
        photos = np.concatenate([labeled(text, row) for text, row in rows.items()])
        if exhibit not in self._boxes:
            self._boxes[exhibit] = boxes_of(diary, self.diaries[piece.beside])
        boxes = [with_cursor(box, step, x_range) for box in self._boxes[exhibit]]
        upper = np.concatenate([photos, np.concatenate(boxes[:3])], axis=1)
        lower = np.concatenate(boxes[3:], axis=1)
        head = self._head(exhibit, diagnosis, step, upper.shape[1])
        return np.concatenate([head, upper, lower]), self._said(exhibit, diagnosis, index)

    def _head(self, exhibit: str, diagnosis: str, step: int, width: int) -> np.ndarray:
        """What is shown, the diagnosis and whether it was right, and how many are solved."""
        name = exhibits.EXHIBITS[exhibit]
        kind = ""
        if exhibit in self.solved | self.opened:  # before that it would give one exhibit away
            noise = exhibits.PIECES[name].recipe().generator.noise_channels
            kind = "U-Net with a noise input" if noise else "U-Net without noise"
        title = "none yet"
        if diagnosis != UNDECIDED:
            mark = "✓ right" if diagnosis == name else "✗ no"
            title = f"{exhibits.PIECES[diagnosis].title}: {mark}"
        image = Image.new("RGB", (width, HEAD), "white")
        draw = ImageDraw.Draw(image)
        draw.text((6, 15), f"Exhibit {exhibit}, step {step:,}", INK, font(16), anchor="lm")
        draw.text((width - 10, 15), kind, FAINT, font(13), anchor="rm")
        draw.text((6, 38), f"Your diagnosis: {title}", INK, font(13), anchor="lm")
        count = f"{len(self.solved)} of {len(exhibits.EXHIBITS)} solved"
        draw.text((width - 10, 38), count, INK, font(13), anchor="rm")
        return np.asarray(image)

    def _said(self, exhibit: str, diagnosis: str, index: int) -> str:
        piece = exhibits.PIECES[exhibits.EXHIBITS[exhibit]]
        both = self.figures[piece.name], self.figures[piece.beside]
        answer = (
            f"{piece.title}: {piece.done} {piece.evidence(*both)} {piece.why} "
            f"Remedy: {piece.remedy}"
        )
        if diagnosis == piece.name:
            return f"✓ Right. {answer}"
        if exhibit in self.opened:
            return f"The answer. {answer}"
        if diagnosis == UNDECIDED:
            scores = scores_of(self.diaries[piece.name], index)
            return f"Exhibit {exhibit}. {scores} What is wrong with this run? Choose a diagnosis."
        chosen = exhibits.PIECES[diagnosis]
        return (
            f"✗ Not this one. {chosen.title}? {chosen.against(*both)} Choose another, or open the "
            f"answer."
        )


def boxes_of(diary: Diary, healthy: Diary) -> list[np.ndarray]:
    """A run's curves, each over those of the healthy run: three boxes for the photos' side, three
    to stand below."""
    x_range = span(diary)

    def losses(name: str, legend: str, scale: float = 1.0) -> list[Curve]:
        return [
            replace(line(healthy, "", name, scale=scale, share=SHARES[name]), color=PALE),
            line(diary, legend, name, scale=scale, share=SHARES[name]),
        ]

    def held_out(values: str) -> list[Curve]:
        both = [
            one.extra["spread"] if values == "spread" else getattr(one, values)
            for one in (healthy, diary)
        ]
        return [
            Curve("", healthy.steps, both[0], PALE),
            Curve("", diary.steps, both[1], BLUE),
        ]

    highest = 1.1 * max(2.0, *(one.extra["spread"].max() for one in (healthy, diary)))
    gray = Curve("left gray", np.array(x_range), np.full(2, diary.gray_error), INK, ":")
    sides = [
        (
            "adversarial losses",
            [*losses("generator", "G"), *losses("discriminator", "D")],
            {},
        ),
        (
            "D is right on",
            [*losses("accuracy_real", "real"), *losses("accuracy_fake", "generated")],
            {"y_range": (0, 1)},
        ),
        ("error in training", losses("color", "", AB_RANGE), {"unit": "Lab units"}),
    ]
    lows = [
        ("held-out error, Lab", [gray, *held_out("error")], {}),
        ("held-out chroma / truth's", held_out("chroma"), {}),
        ("ours and once more apart, Lab", held_out("spread"), {"y_range": (0, highest)}),
    ]
    return [
        draw_curves(curves, title, size, x_range=x_range, **options)
        for size, group in ((BOX, sides), (LOW_BOX, lows))
        for title, curves, options in group
    ]
