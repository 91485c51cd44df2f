"""Lesson 06's view of a run's diary: photos and curves at any of its steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from colorlab.color import lightness_to_gray, normalize_lab, rgb_to_lab
from colorlab.course.museum.diary import Diary
from colorlab.course.widgets._panel import Panel, steps
from colorlab.course.widgets.board.curves import INK, Curve, draw_curves, smoothed, with_cursor
from colorlab.show import BLUE, GREEN, ORANGE, font, to_uint8

WIDTH, LABELS = 680, 60  # pixels of the picture, and of the column of words at its left
MOST, LARGEST = 8, 120  # photos beside each other, and the widest of them in pixels
BOX = (WIDTH // 2, 122)  # pixels of a box of curves
POINTS = 1000  # of a line, at most about twice as many: more can't be told apart


class DiaryView(Panel):
    """What a run made of held-out photos, at the step that the slider is moved to.

        DiaryView(Diary.load("diary.npz"))      # a run that was kept
        DiaryView(recorder.diary())             # one's own, also while it goes on

    Args:
        diary: at most its first eight photos are shown.

    Raises:
        ValueError: a diary that holds no photo or no step.
    """

    def __init__(self, diary: Diary) -> None:
        if not len(diary.steps) or not len(diary.rgb):
            raise ValueError(
                "this diary holds no colored photos; record some: Recorder(photos).watch(run)"
            )
        self.diary = diary
        rgb = torch.from_numpy(diary.rgb[:MOST])
        self.width = min(LARGEST, (WIDTH - LABELS) // len(rgb))
        self.gray, self.truth = photo_line(grays_of(rgb), self.width), photo_line(rgb, self.width)
        self.x_range = span(diary)
        self.boxes = curve_boxes(diary, self.x_range)
        values = [(f"{step:,}", i) for i, step in enumerate(diary.steps.tolist())]
        super().__init__(
            self._draw,
            {"index": steps("after step", values, len(values) - 1)},
            "Rows: gray input, ours, truth, of photos that the networks never learn from. Below, "
            "curves over the steps; the thick line is the step that is shown. A thin line: here "
            "adversarial training begins. Dotted: what photos left gray would score.",
        )

    def _draw(self, index: int) -> tuple[np.ndarray, str]:
        diary, step = self.diary, int(self.diary.steps[index])
        ours = photo_line(diary.pictures(index)[:MOST], self.width)
        rows = {"gray\ninput": self.gray, f"ours,\nstep\n{step:,}": ours, "truth": self.truth}
        lines = [labeled(text, line) for text, line in rows.items()]
        photos = beside_white(np.concatenate(lines), WIDTH)
        boxes = [with_cursor(box, step, self.x_range) for box in self.boxes]
        pairs = [np.concatenate(boxes[i : i + 2], axis=1) for i in range(0, len(boxes), 2)]
        return np.concatenate([photos, *pairs]), scores(diary, index)


def scores(diary: Diary, index: int) -> str:
    """The held-out scores at a step in a sentence."""
    return (
        f"Step {diary.steps[index]:,}: a and b are off by {diary.error[index]:.1f} Lab units (gray "
        f"{diary.gray_error:.1f}), PSNR {diary.psnr[index]:.1f} dB (gray {diary.gray_psnr:.1f}), "
        f"chroma {diary.chroma[index]:.2f} of the truth's."
    )


def span(diary: Diary) -> tuple[float, float]:
    """The steps from the first to the last, as the range of an axis."""
    last = max([1, *diary.steps.tolist(), *diary.losses["step"][-1:].tolist()])
    return 0.0, float(last)


def curve_boxes(diary: Diary, x_range: tuple[float, float]) -> list[np.ndarray]:
    """Losses, accuracies and held-out scores, each in its box."""
    begin = adversarial_start(diary)

    def box(title: str, curves: Sequence[Curve], unit: str = "", **options: tuple) -> np.ndarray:
        marks = () if begin is None else (begin,)
        return draw_curves(curves, title, BOX, x_range=x_range, marks=marks, unit=unit, **options)

    def held_out(name: str) -> list[Curve]:
        curves = [Curve("ours", diary.steps, getattr(diary, name), BLUE)]
        if name == "chroma":
            return curves
        gray = np.full(2, getattr(diary, f"gray_{name}"))
        return [Curve("left gray", np.array(x_range), gray, INK, ":"), *curves]

    return [
        box(
            "adversarial losses", [line(diary, "G", "generator"), line(diary, "D", "discriminator")]
        ),
        box("color loss in training", [line(diary, "", "color", GREEN)]),
        box(
            "D is right on",
            [line(diary, "real", "accuracy_real"), line(diary, "generated", "accuracy_fake")],
            y_range=(0, 1),
        ),
        box("held-out error", held_out("error"), "Lab units"),
        box("held-out chroma / truth's", held_out("chroma")),
        box("held-out PSNR", held_out("psnr"), "dB"),
    ]


DASHED = ("discriminator", "accuracy_fake")


def line(
    diary: Diary,
    legend: str,
    name: str,
    color: str | None = None,
    *,
    scale: float = 1.0,
    share: float = 0.02,
) -> Curve:
    """A loss of a run, smoothed over a share of it; empty where the run has none."""
    dashed = name in DASHED
    color, style = color or (ORANGE if dashed else BLUE), "--" if dashed else "-"
    if name not in diary.losses:
        return Curve(legend, np.zeros(0), np.zeros(0), color, style)
    x, y = diary.losses["step"], diary.losses[name]
    y = smoothed(y, max(1, round(share * len(y))))
    every = max(1, len(x) // POINTS)
    first = (len(x) - 1) % every  # the last point stays
    return Curve(legend, x[first::every], scale * y[first::every], color, style)


def adversarial_start(diary: Diary) -> float | None:
    """The step before which the generator was trained alone, None where there is none such."""
    if "generator" not in diary.losses:
        return None
    at, _ = diary.loss("generator")
    first = diary.losses["step"][0] if len(at) else None
    return None if first is None or at[0] == first else float(at[0])


# --- rows of photos ------------------------------------------------------------------------------


def grays_of(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) -> the same photos with their L alone, in [0, 1]."""
    L, _ = normalize_lab(rgb_to_lab(rgb))
    return lightness_to_gray(L).expand(-1, 3, -1, -1)


def photo_line(photos: Tensor, width: int) -> np.ndarray:
    """(N, 3, H, W) -> photos beside each other, each ``width`` pixels wide: uint8."""
    height = max(1, round(width * photos.shape[2] / photos.shape[3]))
    pictures = [Image.fromarray(to_uint8(photo)) for photo in photos]
    return np.concatenate(
        [np.asarray(one.resize((width, height), Image.Resampling.BICUBIC)) for one in pictures], 1
    )


def labeled(text: str, row: np.ndarray) -> np.ndarray:
    """A row of photos with words at its left."""
    image = Image.new("RGB", (LABELS, len(row)), "white")
    ImageDraw.Draw(image).multiline_text((2, len(row) / 2), text, INK, font(12), anchor="lm")
    return np.concatenate([np.asarray(image), row], axis=1)


def beside_white(pixels: np.ndarray, width: int) -> np.ndarray:
    """A picture made ``width`` pixels wide with white at its right."""
    room = max(0, width - pixels.shape[1])
    return np.pad(pixels, ((0, 0), (0, room), (0, 0)), constant_values=255)
