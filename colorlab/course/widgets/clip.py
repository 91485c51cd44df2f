"""Lesson 10: a clip colored frame by frame, and with colors carried from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorlab.clip import flicker
from colorlab.color import denormalize_lab, fit_gamut, lab_to_rgb
from colorlab.colorize import Colorizer
from colorlab.course.widgets._bundle import draw_label, reduce
from colorlab.course.widgets._panel import Panel, slider
from colorlab.course.widgets._plane import beside
from colorlab.course.widgets.board.curves import Curve, draw_curves
from colorlab.course.widgets.enlarge import enlarged, lightness_of
from colorlab.show import BLUE, ORANGE, to_uint8

LARGEST = 192  # pixels: the longer side of a frame
SHOWN = 304  # pixels: the width of a frame as shown
CHART = 130  # pixels: the height of the curves below
FEW, MANY = 2, 64  # frames
MOVES = 2.0  # of L: a pixel that changes by less keeps its color


class ClipPlay(Panel):
    """A clip in color, frame by frame at the left, with carried colors at the right.

        ClipPlay(frames, Colorizer.load())

    Args:
        frames: 2 to 64 pictures of one size; large ones are reduced to 192 pixels.
        colorizer: predicts ab, once for each frame.

    Raises:
        ValueError: another number of frames, or frames of several sizes.
    """

    def __init__(self, frames: Sequence[Any], colorizer: Colorizer) -> None:
        pictures = [reduce(to_uint8(frame), LARGEST) for frame in frames]
        if not FEW <= len(pictures) <= MANY or len({one.shape for one in pictures}) > 1:
            raise ValueError(
                f"give {FEW} to {MANY} frames of one size, not {len(pictures)} of "
                f"{len({one.shape for one in pictures})} sizes"
            )
        Ls = [lightness_of(picture) for picture in pictures]
        seen = [colorizer.predict(picture) for picture in pictures]
        abs_ = [enlarged(L, *small, "guided") for L, small in zip(Ls, seen, strict=True)]
        self.L, self.predicted = denormalize_lab(torch.cat(Ls), torch.cat(abs_)).split([1, 2], 1)
        self._way = lru_cache(maxsize=64)(self._way)
        keep = slider("keep", 0.9, 0.0, 0.98, 0.02)
        keep.readout_format = ".2f"
        super().__init__(
            self._draw,
            {"frame": slider("frame", len(pictures) // 2 + 1, 1, len(pictures), 1), "keep": keep},
            "Left: each frame as the network colors it. Right: where L stays, the colors of the "
            "frame before are kept. Below: how far the mean a and b have moved since the first "
            "frame; the thick line is the frame that is shown.",
            columns=2,
        )

    def _way(self, keep: float) -> tuple[Tensor, np.ndarray, float]:
        """The clip's ab with so much of the frame before, the curves of a and b, and the flicker;
        a keep of 0 gives the predictions."""
        ab = carried(self.L, self.predicted, keep)
        means = ab.mean((2, 3)).T.numpy()
        return ab, means - means[:, :1], flicker(self.L, ab)

    def _draw(self, frame: int, keep: float) -> tuple[np.ndarray, str]:
        index = frame - 1
        ways = {"frame by frame": self._way(0.0), "carried": self._way(keep)}
        curves = ways["frame by frame"][1]
        y_range = (float(curves.min()) - 1, float(curves.max()) + 1)
        tiles = []
        for name, (ab, means, restless) in ways.items():
            lab = torch.cat([self.L[index], ab[index]])
            tile = _shown(to_uint8(lab_to_rgb(fit_gamut(lab))))
            draw_label(tile, name)
            title = f"flicker {restless:.2f}"
            tiles.append(np.concatenate([tile, _curves(means, title, y_range, frame)]))
        away = (ways["carried"][0][index] - self.predicted[index]).norm(dim=0).mean()
        words = (
            f"Frame {frame} of {len(self.L)}, keep {keep:.2f}. Flicker: "
            f"{ways['frame by frame'][2]:.2f} CIE units frame by frame, {ways['carried'][2]:.2f} "
            f"carried. In this frame the carried colors lie {float(away):.1f} from the prediction."
        )
        return beside(*tiles), words


def carried(L: Tensor, ab: Tensor, keep: float, still: float = MOVES) -> Tensor:
    """The predictions of all frames, each mixed with the colors of the one before where L stays.

    Args:
        L: (T, 1, H, W); ab: (T, 2, H, W), both in CIE units.
        keep: share of the color before, 0 to 1.
        still: a change of L; a pixel that changes by less stays.

    Returns ab of the same shape.
    """
    stays = L.diff(dim=0).abs() < still
    frames = [ab[0]]
    for now, here in zip(ab[1:], stays, strict=True):
        frames.append(torch.where(here, keep * frames[-1] + (1 - keep) * now, now))
    return torch.stack(frames)


def _curves(means: np.ndarray, title: str, y_range: tuple[float, float], frame: int) -> np.ndarray:
    """a and b (2, T) over the frames, uint8 (CHART, SHOWN, 3)."""
    numbers = np.arange(1, means.shape[1] + 1)
    lines = [Curve("a", numbers, means[0], ORANGE), Curve("b", numbers, means[1], BLUE, "--")]
    return draw_curves(lines, title, (SHOWN, CHART), y_range=y_range, cursor=frame, whole=True)


def _shown(pixels: np.ndarray) -> np.ndarray:
    height = round(SHOWN * pixels.shape[0] / pixels.shape[1])
    image = Image.fromarray(pixels).resize((SHOWN, height), Image.Resampling.BICUBIC)
    return np.asarray(image).copy()
