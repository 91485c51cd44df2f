"""A clip in color: the frames of a film, one after the other, without colors that jump.

A network that colors frame by frame guesses anew each time, and noise in the gray is enough for
another guess. So colors are carried along: where lightness stays, most of the previous color stays.
That is done at the network's own size, before the guided filter, with what lies still told from
what moves by lightness alone. A cut, where nearly nothing stays, starts anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from colorlab.color import AB_RANGE, L_HALF_RANGE, rgb_to_lab
from colorlab.colorize import Colorizer, Photo, layers_of
from colorlab.hints import Hint, check_hints
from colorlab.photos.layers import Layers

KEEP = 0.9  # of the previous color, where lightness stays
STILL = 4.0  # units of L that noise may change a pixel by, in the mean of its window
WINDOW = 3  # pixels a side, at the network's size
FAR = 30.0  # units of ab: a prediction so far from what is carried is believed more
CUT = 0.1  # a frame of which less stays belongs to another scene


def flicker(lightness: Tensor, ab: Tensor, still: float = 1.0) -> float:
    """How much colors jump where nothing moves.

    The mean, over all pixels of all neighboring frames whose L changes by less than ``still``, of
    the distance between their two colors in the ab plane. About 2 can just be seen.

    Args:
        lightness: L of the frames ``(T, 1, H, W)``, CIE units.
        ab: their colors ``(T, 2, H, W)``, CIE units.
        still: units of L.

    Returns:
        Units of ab; NaN where there is no such pixel.

    Raises:
        ValueError: fewer than two frames, or shapes that don't fit.
    """
    frames, _, height, width = lightness.shape
    if frames < 2 or ab.shape != (frames, 2, height, width):
        raise ValueError(
            f"expected at least two frames, L (T, 1, H, W) and ab (T, 2, H, W), got "
            f"{tuple(lightness.shape)} and {tuple(ab.shape)}"
        )
    stays = (lightness[1:] - lightness[:-1]).abs() < still
    jump = (ab[1:] - ab[:-1]).norm(dim=1, keepdim=True)
    return jump[stays].mean().item()


def color_clip(
    colorizer: Colorizer,
    frames: Iterable[Photo],
    *,
    steady: bool = True,
    saturation: float = 1.0,
    seed: int = 0,
    hints: Iterable[Hint] = (),
    temperature: float | None = None,
) -> Iterator[Image.Image]:
    """Color the frames of a clip, each as soon as it is asked for; two are held in memory.

    Args:
        colorizer: colors a frame.
        frames: each as ``Colorizer.colorize`` takes a photo, all of one size.
        steady: carry colors from frame to frame; False colors each frame by itself.
        saturation, seed, temperature: as in ``Colorizer.colorize``.
        hints: places in the first frame. Each is followed from frame to frame and given to the
            network again, until its place is hidden, leaves the picture, or a cut comes.

    Yields:
        As ``Colorizer.colorize``, a picture for each frame.

    Raises:
        ValueError: a frame of another size than the first; and as ``Colorizer.colorize``.
        colorlab.photos.PhotoError, colorlab.hints.HintError, TypeError: as
            ``Colorizer.colorize``.
    """
    clip = ClipColorizer(colorizer, steady=steady, hints=hints)
    for frame in frames:
        yield clip.colorize(frame, saturation, seed, temperature=temperature)


class ClipColorizer:
    """Colors the frames of one clip in their order, in place of a ``Colorizer``.

    Args:
        colorizer, steady, hints: as in ``color_clip``.
    """

    def __init__(self, colorizer: Colorizer, *, steady: bool = True, hints: Iterable[Hint] = ()):
        self.colorizer, self.steady = colorizer, steady
        self._hints, self._followed = list(hints), None
        self._size: tuple[int, int] | None = None
        self._previous: tuple[Tensor, Tensor] | None = None

    def colorize(
        self,
        photo: Photo,
        saturation: float = 1.0,
        seed: int = 0,
        *,
        temperature: float | None = None,
        depth: int = 8,
    ) -> Image.Image | np.ndarray:
        """Color the next frame; arguments, result and errors are those of ``Colorizer.colorize``.

        Raises:
            ValueError: a frame of another size than the first; and as ``Colorizer.colorize``.
        """
        layers = layers_of(photo)
        self._check_size(layers.rgb.size)
        hints = self._hints_in(layers)
        with warnings.catch_warnings():  # it was said of the first frame
            warnings.filterwarnings("ignore", "hint .*no screen shows")
            lightness, ab = self.colorizer.predict(
                layers, seed, hints=hints, temperature=temperature
            )
        if self.steady and self._previous is not None:
            ab = carry(*self._previous, lightness, ab)
        self._previous = lightness, ab
        return self.colorizer.finish(layers, lightness, ab, saturation, depth=depth)

    def _hints_in(self, frame: Layers) -> list[Hint]:
        if not self._hints:
            return []
        if self._followed is None:
            lightness = rgb_to_lab(torch.from_numpy(np.array(frame.rgb)).movedim(-1, 0))[0]
            self._hints = check_hints(self._hints, lightness)
            self._followed = _Followed(self._hints, frame)
            return self._hints
        return self._followed.to(frame)

    def _check_size(self, size: tuple[int, int]) -> None:
        self._size = self._size or size
        if size != self._size:
            raise ValueError(
                f"a frame is {size[0]} x {size[1]}, and the first is {self._size[0]} x "
                f"{self._size[1]}; frames of a clip have one size"
            )


def carry(previous_l: Tensor, previous_ab: Tensor, lightness: Tensor, ab: Tensor) -> Tensor:
    """The colors of a frame, for which those of the previous one count where lightness stays.

    Lightness stays where it differs by less than ``STILL`` in the mean of a window; what the whole
    picture became brighter by is left out. There, ``KEEP`` of the color is the previous one. That
    share falls with the distance between the two, so that a color that was wrong goes away.

    Args:
        previous_l, lightness: ``(1, 1, h, w)`` in [-1, 1].
        previous_ab, ab: ``(1, 2, h, w)`` in [-1, 1]; as it was colored, and as it is predicted.

    Returns:
        ab ``(1, 2, h, w)``.
    """
    stays = _stays(previous_l, lightness)
    if stays.float().mean() < CUT:
        return ab
    apart = (previous_ab - ab).norm(dim=1, keepdim=True) * AB_RANGE
    keep = KEEP * stays * torch.exp(-((apart / FAR) ** 2))
    return keep * previous_ab + (1 - keep) * ab


def _stays(before: Tensor, now: Tensor) -> Tensor:
    change = (now - before) * L_HALF_RANGE
    change = (change - change.median()).abs()
    return F.avg_pool2d(change, WINDOW, 1, WINDOW // 2, count_include_pad=False) < STILL


# --- hints ----------------------------------------------------------------------------------------

SHORT_SIDE = 160  # pixels of the copies in which hints are followed
REACH, SEARCH = 4, 6  # pixels: half a patch, and how far it may move between two frames
SIDE, EDGE = 2 * REACH + 1, REACH + SEARCH
ALIKE = 6.0  # units of L: a patch that differs by more, in the mean, is another thing
UNLIKELIER = 0.1  # units of L that a pixel of way counts, so that nothing moves in an even area
_WAY = torch.arange(-SEARCH, SEARCH + 1.0)
DISTANCE = (_WAY[:, None] ** 2 + _WAY**2).sqrt()


class _Followed:
    """Hints that are found again, by the patch of lightness around each in the first frame."""

    def __init__(self, hints: Iterable[Hint], frame: Layers):
        self.size = frame.rgb.size
        self.scale = min(1.0, SHORT_SIDE / min(self.size))
        small = self._small(frame)
        height, width = (side - 2 * EDGE for side in small.shape)
        self.found = []  # (hint, its patch, row and column where it was, and is now)
        for hint in hints:
            row = min(int(hint.y * self.scale), height - 1)
            column = min(int(hint.x * self.scale), width - 1)
            patch = _around(small, row, column, REACH)
            self.found.append((hint, patch, (row, column), (row, column)))

    def to(self, frame: Layers) -> list[Hint]:
        """The hints at their places in this frame; those that are lost are left out for good."""
        small, found, moved = self._small(frame), self.found, []
        self.found = []
        for hint, patch, start, (row, column) in found:
            near = _around(small, row, column, EDGE).unfold(0, SIDE, 1).unfold(1, SIDE, 1)
            unlike = (near - patch).abs().mean((2, 3))  # at each place that it may have moved to
            best = int((unlike + DISTANCE * UNLIKELIER).argmin())
            down, across = best // len(unlike) - SEARCH, best % len(unlike) - SEARCH
            now = row + down, column + across
            x = hint.x + round((now[1] - start[1]) / self.scale)
            y = hint.y + round((now[0] - start[0]) / self.scale)
            inside = 0 <= x < self.size[0] and 0 <= y < self.size[1]
            if inside and unlike.flatten()[best] < ALIKE:
                self.found.append((hint, patch, start, now))
                moved.append(hint._replace(x=x, y=y))
        return moved

    def _small(self, frame: Layers) -> Tensor:
        """L of a small copy, less its median (so that it may become brighter), with an edge."""
        width, height = (max(round(side * self.scale), 1) for side in self.size)
        small = frame.rgb.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
        lightness = rgb_to_lab(torch.from_numpy(np.array(small)).movedim(-1, 0))[:1]
        return F.pad(lightness - lightness.median(), (EDGE,) * 4, mode="replicate")[0]


def _around(small: Tensor, row: int, column: int, reach: int) -> Tensor:
    row, column = row + EDGE, column + EDGE
    return small[row - reach : row + reach + 1, column - reach : column + reach + 1]
