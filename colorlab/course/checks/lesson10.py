"""The testers of lesson 10: full size, eight bits, a clip that holds still, and the mark."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    NotYet,
    call,
    describe,
    match,
    match_tensor,
    own_random,
    want_number,
    want_tensor,
)
from colorlab.course.checks.marks import answers, little_files, readers
from colorlab.course.checks.networks import Mistakes, mistakes

# --- 10.1: the size that the network sees --------------------------------------------------------

# Height, width, short, stride. No side falls near the middle between two multiples.
LANDSCAPE, PORTRAIT, SMALL, THIN = (
    (820, 1400, 165, 32),
    (1110, 650, 197, 16),
    (72, 130, 170, 16),
    (300, 470, 12, 32),
)


def _multiples(height: float, width: float, stride: int, how: Any = round) -> tuple[int, int]:
    return tuple(max(int(how(side / stride)), 1) * stride for side in (height, width))


def _size_mistakes(height: int, width: int, short: int, stride: int) -> Mistakes:
    less, more = min(height, width), max(height, width)
    scale = short / less
    sides = (height * scale, width * scale)
    right = _multiples(*sides, stride)
    rounded = _multiples(short, short, stride)[0] / less
    half = (right[0], round(sides[1])), (round(sides[0]), right[1])
    area = (short**2 / (height * width)) ** 0.5
    return mistakes(
        (
            "Both sides are rounded down.",
            "Is that the nearest multiple of the stride? `//` rounds down, wherever it stands.",
            _multiples(*sides, stride, np.floor),
        ),
        (
            "Both sides are rounded up.",
            "Is that the nearest multiple of the stride? Print what each side is before it.",
            _multiples(*sides, stride, np.ceil),
        ),
        (
            "The sides are no multiples of the stride.",
            "The network halves each side several times. What happens where one is odd?",
            *(tuple(int(how(side)) for side in sides) for how in (round, np.floor, np.ceil)),
            *half,
            *((int(a), int(b)) for a, b in half),
        ),
        (
            "That counts strides, not pixels.",
            "How many pixels is one stride wide?",
            tuple(side // stride for side in right),
        ),
        (
            "Height and width have changed places.",
            "The docstring names what comes first.",
            right[::-1],
        ),
        (
            "The long side follows the short one after its rounding.",
            "Two roundings add up. From which numbers should each side be computed?",
            _multiples(height * rounded, width * rounded, stride),
        ),
        (
            "The scale is a whole number: `//` has lost its fraction.",
            "Print the scale of a photo of 820 x 1400 for a short side of 165.",
            _multiples(height * (short // less), width * (short // less), stride),
            *(_multiples(height / n, width / n, stride) for n in [less // short] if n),
            tuple(side * (short // less) // stride * stride for side in (height, width)),
        ),
        (
            "The photo is made square.",
            "Which shape should the photo keep?",
            _multiples(short, short, stride),
        ),
        (
            "The area is held, not the short side.",
            "Which number of the photo should come near `short`?",
            _multiples(height * area, width * area, stride),
        ),
        (
            "The sides are not scaled yet.",
            "Divide `short` by the side that it belongs to, with `/`. What does that number do?",
            _multiples(height, width, stride),
        ),
        (
            "The stride is always 32.",
            "Networks differ. What does the function get it for?",
            _multiples(*sides, 32),
        ),
        (
            "The long side has become `short`."
            if height < width
            else "In a portrait the long side has become `short`.",
            "Which of the two sides is the short one? Let the code find out.",
            _multiples(height * short / more, width * short / more, stride),
        ),
    )


def _whole_sides(result: Any) -> tuple[int, int]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise NotYet(
            f"Height and width were expected; it is {describe(result)}.",
            "A comma behind `return` makes a pair.",
        )
    for side in result:
        if isinstance(side, bool) or not isinstance(side, int | np.integer):
            raise NotYet(
                f"A side is counted in pixels; this one is {describe(side)}.",
                "At which point should the number become whole?",
            )
    return int(result[0]), int(result[1])


def _test_seen_size(seen_size: Any) -> Flaw | None:
    for height, width, short, stride in (LANDSCAPE, PORTRAIT, SMALL, THIN):
        found = _whole_sides(call(seen_size, height, width, short, stride))
        scale = short / min(height, width)
        sides = (height * scale, width * scale)
        right = _multiples(*sides, stride)
        if 0 in found and short < stride:
            return Flaw(
                f"A photo of {height} x {width} gets a side of 0 for short={short} and "
                f"stride={stride}.",
                "What is the smallest size that a network of this stride can see?",
            )
        if (height, width) == SMALL[:2] and found == _multiples(height, width, stride):
            return Flaw(
                f"A photo of {height} x {width} is not enlarged for short={short}.",
                "The network was trained on one size. What is it to do with a thumbnail?",
            )
        otherwise = Flaw(
            f"A photo of {height} x {width} should be seen at {right[0]} x {right[1]} for "
            f"short={short} and stride={stride}; yours is {found[0]} x {found[1]}.",
            f"Before the rounding the sides are {sides[0]:.1f} and {sides[1]:.1f}. Print yours.",
        )
        known = _size_mistakes(height, width, short, stride)
        flaw = match(found, right, known, otherwise)
        if flaw is not None:
            return flaw
    return None


# --- 10.2: the guided filter's lines -------------------------------------------------------------


def _window(side: int, padding: int, counted: bool = False) -> Callable[[Any], Any]:
    """The mean over windows."""
    import torch.nn.functional as F

    return lambda x: F.avg_pool2d(x, side, 1, padding, count_include_pad=counted)


def _filled(side: int, mode: str) -> Callable[[Any], Any]:
    """The mean over windows of a picture that goes on beyond its rim."""
    import torch.nn.functional as F

    return lambda x: F.avg_pool2d(F.pad(x, (side // 2,) * 4, mode), side, 1)


def _lines(L: Any, ab: Any, mean: Callable[[Any], Any], epsilon: float) -> Any:
    """slope and offset as four channels, with `mean` as the mean over windows."""
    import torch

    mean_l, mean_ab = mean(L), mean(ab)
    slope = (mean(L * ab) - mean_l * mean_ab) / (mean(L * L) - mean_l**2 + epsilon)
    return torch.cat([mean(slope), mean(mean_ab - slope * mean_l)], 1)


def _line_mistakes(L: Any, ab: Any, radius: int, epsilon: float) -> Mistakes:
    import torch

    side = 2 * radius + 1
    mean = _window(side, radius)
    right = _lines(L, ab, mean, epsilon)
    mean_l, mean_ab = mean(L), mean(ab)
    cov, var = mean(L * ab) - mean_l * mean_ab, mean(L * L) - mean_l**2
    slope = cov / (var + epsilon)
    offset = mean_ab - slope * mean_l
    n = _window(side, radius, True)(torch.ones_like(L)) * side**2
    more = n / (n - 1)

    def of(slope: Any) -> Any:
        return joined(slope, mean_ab - slope * mean_l)

    def joined(slope: Any, offset: Any) -> Any:
        return torch.cat([mean(slope), mean(offset)], 1)

    def whole(x: Any) -> Any:
        return x.mean((2, 3), keepdim=True).expand_as(x)

    centered = mean((L - mean_l) * (ab - mean_ab)) / (mean((L - mean_l) ** 2) + epsilon)
    return mistakes(
        (
            "Slope and offset are those of single windows.",
            "A pixel lies in many windows, and each has a line for it. What is made of them?",
            *(torch.cat([a, b], 1) for a, b in ((slope, offset), (mean(slope), offset))),
            torch.cat([slope, mean(offset)], 1),
        ),
        (
            "The offset follows from the averaged slope.",
            "Each window's line has a slope and an offset of its own. Which slope fits which mean?",
            torch.cat([mean(slope), mean_ab - mean(slope) * mean_l], 1),
            joined(slope, mean_ab - mean(slope) * mean_l),
        ),
        (
            "epsilon has no say.",
            "What does the slope become in a window where L hardly changes?",
            of(cov / var),
        ),
        (
            "epsilon is subtracted.",
            "Should a flat window get a steeper line by it, or a flatter one?",
            of(cov / (var - epsilon)),
        ),
        (
            "epsilon is a floor here: it counts only where the variance is smaller.",
            "It should make the line of every window a bit flatter. Which operation does that?",
            of(cov / var.clamp_min(epsilon)),
        ),
        (
            "epsilon does not stand beside the variance.",
            "Which division should it keep from blowing up? Mind what `/` takes first.",
            *(of(cov / var + epsilon), of((cov + epsilon) / var)),
            of((cov + epsilon) / (var + epsilon)),
        ),
        (
            "epsilon is squared, or its root is taken.",
            "Here epsilon is a variance already.",
            *(of(cov / (var + epsilon**2)), of(cov / (var + epsilon**0.5))),
        ),
        (
            "The variance is that of ab.",
            "The line predicts ab from L. Along which of the two axes is its run?",
            of(cov / (mean(ab * ab) - mean_ab**2 + epsilon)),
        ),
        (
            "A standard deviation stands where the variance should.",
            "In which unit is a covariance of L and ab, in which a slope?",
            of(cov / (var.clamp_min(0).sqrt() + epsilon)),
        ),
        (
            "The means are still in the covariance or in the variance.",
            "Bright windows would get other slopes than dark ones. What is taken away first?",
            *(of(mean(L * ab) / (some + epsilon)) for some in (var, mean(L * L))),
            of(cov / (mean(L * L) + epsilon)),
        ),
        (
            "Each pixel is held against the mean of its own window.",
            "In one window all pixels share one mean. Is E[xy] − E[x] E[y] of any help?",
            of(centered),
        ),
        (
            "The rim gets darker: the zeros of the padding are counted.",
            "Look up count_include_pad. How many pixels has a window in the corner?",
            _lines(L, ab, _window(side, radius, True), epsilon),
        ),
        (
            "The picture is continued beyond its rim.",
            "A window in the corner has fewer pixels. The docstring says how they are averaged.",
            *(_lines(L, ab, _filled(side, mode), epsilon) for mode in ("reflect", "replicate")),
        ),
        (
            "The windows are as wide as the radius.",
            "A window has its middle pixel, and `radius` more on each side of it.",
            *(_lines(L, ab, _window(s, s // 2), epsilon) for s in (radius, radius - 1) if s % 2),
        ),
        (
            "One line is laid through the whole picture.",
            "Each window has a line of its own. Over which pixels does your mean run?",
            _lines(L, ab, whole, epsilon),
        ),
        (
            "The slope has the wrong sign.",
            "Where ab grows with L, the line should rise.",
            *(of(-slope), torch.cat([-right[:, :2], right[:, 2:]], 1)),
        ),
        (
            "The offset has a wrong sign.",
            "The line should pass through the means. Put mean L into it: is mean ab the result?",
            *(joined(slope, mean_ab + slope * mean_l), joined(slope, slope * mean_l - mean_ab)),
        ),
        (
            "The offset is made of single pixels.",
            "Through which point of its window does a line of least squares always pass?",
            *(joined(slope, one - slope * L) for one in (ab, mean_ab)),
            joined(slope, ab - slope * mean_l),
        ),
        (
            "Slope and offset have changed places.",
            "The docstring names what comes first.",
            torch.cat([right[:, 2:], right[:, :2]], 1),
        ),
        (
            "Variance and covariance divide by N − 1.",
            "A mean over a window divides by all of its pixels.",
            *(of(more * cov / (v + epsilon)) for v in (var, more * var)),
            of(cov / (more * var + epsilon)),
        ),
        (
            "radius is not used: the windows always have 5 x 5 pixels.",
            "What does the function get it for?",
            _lines(L, ab, _window(5, 2), epsilon),
        ),
        (
            "epsilon is not used: it is always 0.001.",
            "What does the function get it for?",
            _lines(L, ab, mean, 1e-3),
        ),
    )


def _flaw_of_lines(slope: Any, L: Any, ab: Any, radius: int) -> Flaw | None:
    """What a wrong shape tells."""
    shape, (height, width) = tuple(slope.shape), L.shape[2:]
    if shape == (len(L), 1, height, width):
        return Flaw(
            "There is one line for both channels.",
            "a and b go with L in different ways. Where have the two become one?",
        )
    if shape[2:] in [(height - n * radius, width - n * radius) for n in (2, 4)]:
        return Flaw(
            "The rim is lost: only whole windows count.",
            "A window may reach beyond the rim. Which argument of avg_pool2d lets it?",
        )
    if shape[2:] in [(height + n, width + n) for n in (-2, -1, 1, 2)]:
        return Flaw(
            f"Maps of {height} x {width} become maps of {shape[2]} x {shape[3]}.",
            "A window has a middle pixel. Is its side an odd number, and does the padding fit it?",
        )
    return None


@own_random
def _test_local_lines(local_lines: Any) -> Flaw | None:
    import torch

    for batch, height, width, given in (
        (2, 12, 17, (3, 0.02)),
        (1, 9, 8, (1, 0.05)),
        (1, 7, 9, ()),
    ):
        edges = torch.rand(batch, 1, 1, width).round() - 0.4
        edges[..., : width // 2] = 0.1  # windows without an edge: epsilon is all that they have
        L = (edges + 0.4 * torch.rand(batch, 1, height, width)).clamp(-1, 1)
        mix = torch.randn(batch, 2, 1, 1)
        ab = torch.tanh(mix * L + 0.3 * torch.randn(batch, 2, height, width) + 0.2)
        result = call(local_lines, L, ab, *given, pure=True)
        if not isinstance(result, tuple | list) or len(result) != 2:
            return Flaw(
                f"A slope and an offset were expected; it is {describe(result)}.",
                "A comma behind `return` makes a pair.",
            )
        radius, epsilon = given or (2, 1e-3)
        for some, what in zip(result, ("the slope", "the offset"), strict=True):
            if isinstance(some, torch.Tensor) and some.dim() == 4:
                flaw = _flaw_of_lines(some, L, ab, radius)
                if flaw is not None:
                    return flaw
            want_tensor(some, shape=tuple(ab.shape), what=what)
        L, ab = L.double(), ab.double()
        flaw = match_tensor(
            torch.cat([part.double() for part in result], 1),
            _lines(L, ab, _window(2 * radius + 1, radius), epsilon),
            _line_mistakes(L, ab, radius, epsilon) if given else (),
            "your lines",
            lambda n, c, y, x: (
                f"The {('slope', 'offset')[c // 2]} of {'ab'[c % 2]} at row {y}, column {x}"
            ),
            "Give each mean, the covariance and the variance a line of its own. Look at one window "
            "of the middle, and compute its numbers by hand.",
        )
        if flaw is not None:
            return flaw
    return None


# --- 10.3: color at full size --------------------------------------------------------------------


def _up_mistakes(full: Any, slope: Any, offset: Any) -> Mistakes:
    import torch
    import torch.nn.functional as F

    size, small = full.shape[2:], slope.shape[2:]

    def up(x: Any, mode: str = "bilinear", **how: Any) -> Any:
        return F.interpolate(x, size=size, mode=mode, **how)

    reduced = [
        F.interpolate(full, size=small, mode=mode, **how)
        for mode, how in (
            *((mode, {}) for mode in ("bilinear", "bicubic", "area", "nearest", "nearest-exact")),
            *((mode, {"antialias": True}) for mode in ("bilinear", "bicubic")),
            *((mode, {"align_corners": True}) for mode in ("bilinear", "bicubic")),
        )
    ]
    right = up(slope) * full + up(offset)
    return mistakes(
        (
            "The color is made at the small size, and then enlarged.",
            "An edge of the full photo can't be found in it any more. What is to be enlarged?",
            *(up(slope * L + offset, mode) for L in reduced for mode in ("bilinear", "nearest")),
            *(up(slope * L + offset, align_corners=True) for L in reduced),
        ),
        (
            "The L that is used has lost its detail: it was reduced and enlarged again.",
            "Which of your arguments still has every edge of the photo?",
            *(up(slope) * up(L, mode) + up(offset) for L in reduced for mode in ("bilinear",)),
            *(up(slope) * up(L, "nearest") + up(offset) for L in reduced),
        ),
        (
            "The corners are aligned.",
            "Then the middles of the pixels no longer lie on each other. Which option does it?",
            up(slope, align_corners=True) * full + up(offset, align_corners=True),
        ),
        (
            "The enlarged coefficients have steps.",
            "Look at one of them as a picture. Which mode has no steps?",
            *(
                up(slope, a) * full + up(offset, b)
                for modes in (("nearest", "bilinear"), ("nearest-exact", "bilinear"), ("area",))
                for a, b in itertools.product(modes, modes)
                if (a, b) != ("bilinear", "bilinear")
            ),
        ),
        (
            "The coefficients are enlarged by another rule.",
            "The docstring names the mode.",
            up(slope, "bicubic") * full + up(offset, "bicubic"),
        ),
        (
            "The offset is missing.",
            "What does the line give where L is 0? Should it be gray there?",
            up(slope) * full,
        ),
        (
            "L has no say: the slope is missing.",
            "What should happen to the color at an edge of L?",
            *(up(offset), up(slope) + up(offset)),
        ),
        (
            "The offset is subtracted.",
            "How is it written in ab ≈ slope · L + offset?",
            up(slope) * full - up(offset),
        ),
        (
            "Slope and offset have changed places.",
            "Which of the two belongs to L?",
            up(offset) * full + up(slope),
        ),
        (
            "The offset is multiplied by L too.",
            "What stands in parentheses, and what should?",
            *((up(slope) + up(offset)) * full, up(slope) * (full + up(offset))),
        ),
        (
            "L is turned into 0 to 100.",
            "In which unit was it when the lines were fitted?",
            *(up(slope) * some + up(offset) for some in (full * 50 + 50, full * 100)),
        ),
        (
            "L is turned into 0 to 1.",
            "In which unit was it when the lines were fitted?",
            up(slope) * (full + 1) / 2 + up(offset),
        ),
        (
            "The result goes through a tanh.",
            "The network has had its own. What should a line give?",
            torch.tanh(right),
        ),
        (
            "The mean of L is taken away first.",
            "Which L did the lines see when they were fitted?",
            *(up(slope) * (full - full.mean(axes, keepdim=True)) + up(offset)
              for axes in ((2, 3), (0, 1, 2, 3))),
        ),
    )  # fmt: skip


def _flaw_of_up(ab: Any, full: Any, slope: Any) -> Flaw | None:
    """What a wrong shape tells."""
    if ab.dim() == 4 and tuple(ab.shape) == (len(full), 3, *full.shape[2:]):
        return Flaw(
            "Three channels come back: L is among them.", "Which two does the docstring ask for?"
        )
    if tuple(ab.shape) == tuple(slope.shape):
        return Flaw(
            "The color still has the small size.",
            "Print the shapes of `full` and of `slope`. Which one should the result have?",
        )
    return None


@own_random
def _test_color_up(color_up: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F

    for batch, size, small in ((2, (24, 36), (6, 9)), (1, (31, 23), (9, 7)), (1, (5, 6), (5, 6))):
        # ab stays within [-1, 1], where the library's clamp changes nothing: it may stand or not.
        full = torch.rand(batch, 1, *size) * 1.8 - 0.9
        slope = torch.rand(batch, 2, *small) - 0.4
        offset = 0.8 * torch.rand(batch, 2, *small) - 0.45
        result = call(color_up, full, slope, offset, pure=True)
        if isinstance(result, torch.Tensor) and size != small:
            flaw = _flaw_of_up(result, full, slope)
            if flaw is not None:
                return flaw
        flaw = match_tensor(
            result,
            F.interpolate(slope, size=size, mode="bilinear") * full
            + F.interpolate(offset, size=size, mode="bilinear"),
            _up_mistakes(full, slope, offset) if size != small else (),
            "the color",
            lambda n, c, y, x: f"{'ab'[c]} at row {y}, column {x}",
            "Enlarge one coefficient alone, and print its shape and its corner.",
        )
        if flaw is not None:
            return flaw
    return None


# --- 10.4: eight bits ----------------------------------------------------------------------------


TINY = 1e-6  # a channel whose weights are all smaller, and not 0


def _scale_mistakes(weight: Any) -> Mistakes:
    rows = weight.flatten(1)
    largest = rows.abs().amax(1)
    other = weight.transpose(0, 1).flatten(1).abs().amax(1) / 127
    span = rows.amax(1) - rows.amin(1)
    return mistakes(
        (
            "One scale serves all channels.",
            "A channel of small weights would use few of the 255 steps. Over which axes does your "
            "largest value run?",
            (largest.max() / 127).expand_as(largest),
            largest.max() / 127,
            (largest.max() / 127)[None],
        ),
        (
            "The largest value becomes 128.",
            "Which is the largest number that int8 can hold?",
            largest / 128,
        ),
        (
            "The largest value is taken without regard to the sign.",
            "Which weight decides in a channel of −0.9 and 0.1?",
            *(some / 127 for some in (rows.amax(1), -rows.amin(1), rows.amax(1).abs())),
        ),
        (
            "The scale runs from the smallest to the largest weight, as with a zero point.",
            "Symmetric means: 0 stays 0, and no offset is kept. What is the step then?",
            *(span / n for n in (254, 255, 256, 127)),
        ),
        (
            "The scale is the inverse of what it should be.",
            "int8 times scale should give the weight back.",
            *(127 / largest, 128 / largest, 1 / largest),
        ),
        (
            "The scale is not divided by 127.",
            "The largest weight becomes 127. How much is one step worth?",
            largest,
        ),
        (
            "The scale belongs to the inputs.",
            "Which axis of the weight counts the output channels?",
            other,
        ),
        (
            "The largest value does not become 127.",
            "How many steps lie between 0 and the largest weight?",
            *(largest / n for n in (255, 256, 254, 7, 32767)),
        ),
        (
            "The scale is made of the mean or the spread, not of the largest value.",
            "What happens to a weight that is beyond 127 steps?",
            *(some / 127 for some in (rows.abs().mean(1), rows.std(1), rows.norm(dim=1))),
            *(some / 127 for some in (rows.std(1, correction=0), rows.abs().sum(1))),
        ),
    )


def _flaw_of_scale(scale: Any, weight: Any) -> Flaw | None:
    import torch

    largest = weight.flatten(1).abs().amax(1)
    if isinstance(scale, torch.Tensor) and not bool(torch.isfinite(scale).all()):
        return Flaw(
            "A scale is NaN or infinite.",
            "Look at the channel of zeros. What is divided there, and by what?",
        )
    zero = largest == 0
    full = isinstance(scale, torch.Tensor) and scale.shape == largest.shape
    if full and bool((scale[zero] <= 0).any()):
        return Flaw(
            "The scale of a channel of zeros is 0.",
            "What comes out where a weight is divided by it? Its weights are 0 in any unit.",
        )
    if isinstance(scale, torch.Tensor) and scale.dim() > 1 and scale.numel() == len(weight):
        return Flaw(
            f"The scales have the shape {tuple(scale.shape)}.",
            "One number a channel is kept. Which shape is needed for dividing, which for keeping?",
        )
    right = (largest / 127).clone()
    if full:
        right[zero] = scale[zero].to(right)
    return match_tensor(
        scale,
        right,
        _scale_mistakes(weight) if not bool(zero.any()) else (),
        "the scale",
        lambda n: f"The scale of channel {n}",
        "Take one channel, and write down its largest absolute value.",
    )


def _flaw_of_int8(whole: Any, weight: Any) -> Flaw | None:
    """Of the whole numbers, where the scales are right; a tie may go to either side."""
    import torch

    scale = (weight.flatten(1).abs().amax(1) / 127).clamp_min(1e-12)
    steps = weight / scale.reshape(-1, *[1] * (weight.dim() - 1))
    found = whole.double()
    if bool(((found - steps).abs() < 0.501).all()):
        return None
    over = found - steps
    tiny = weight.flatten(1).abs().amax(1) < TINY
    if bool(tiny.any()) and bool((found[tiny].abs() < 126.5).all()):
        return Flaw(
            "In a channel of weights up to 1e-9 no value becomes 127.",
            "Its scale is larger than it should be. Is there a floor for scales, and how high?",
        )
    if bool((over.abs() < 1.001).all()):
        if bool((over * steps.sign() < 0.001).all()):
            return Flaw(
                "The fraction is cut off.",
                "What does .to(torch.int8) do to 2.9? The error should be half a step at most.",
            )
        if bool((over < 0.001).all()) or bool((over > -0.001).all()):
            return Flaw(
                "All are rounded to one side.",
                "Print a few weights beside int8 times scale. How large may the error be at most?",
            )
    known = mistakes(
        (
            "The largest value has become −128.",
            "int8 ends at 127. What does 128 turn into?",
            (128 * steps / 127).round().to(torch.int8),
            (128 * steps / 127).to(torch.int8),
        ),
        (
            "Whole numbers and scales do not belong together: they use other steps.",
            "int8 times scale should give the weight back. Which scale have you divided by?",
            (128 * steps / 127).round().clamp(-128, 127),
            (weight / weight.abs().max() * 127).round(),
        ),
        (
            "The signs are lost.",
            "int8 goes from −128 to 127. What became of the minus?",
            steps.abs().round(),
        ),
        (
            "The weights are multiplied by the scale.",
            "Put 0.9 in, with a scale of 0.9 / 127. Which operation makes 127 of it?",
            (weight * (scale.reshape(-1, *[1] * (weight.dim() - 1)))).round(),
        ),
    )
    worst = (found - steps).abs().argmax()
    at = tuple(int(i) for i in torch.unravel_index(worst, weight.shape))
    otherwise = Flaw(
        f"The weight at {at} is {float(steps[at]):.2f} steps large; yours is {int(found[at])}.",
        "Divide one channel by its scale, and print it before it becomes int8.",
    )
    return match(found, steps.round(), known, otherwise)


@own_random
def _test_to_int8(to_int8: Any) -> Flaw | None:
    import torch

    for shape, zeros in (((5, 3, 3, 4), False), ((4, 6), False), ((3, 2, 2, 2), True)):
        spread = torch.logspace(-2, 0, shape[0]).flip(0).reshape(-1, *[1] * (len(shape) - 1))
        weight = torch.randn(shape) * spread - 0.3 * spread
        # The largest absolute value of one channel is below 0, of the next one above it.
        weight[0].view(-1)[0], weight[1].view(-1)[1] = -4.0, 3.5
        if zeros:
            weight[1], weight[2] = 0, weight[2] / weight[2].abs().max() * 1e-9
        result = call(to_int8, weight, pure=True)
        if not isinstance(result, tuple | list) or len(result) != 2:
            return Flaw(
                f"Whole numbers and their scales were expected; it is {describe(result)}.",
                "A comma behind `return` makes a pair.",
            )
        whole, scale = result
        if isinstance(scale, torch.Tensor) and scale.dtype == torch.int8:
            return Flaw("The scale comes first.", "The docstring names what comes first.")
        if not isinstance(whole, torch.Tensor) or whole.dtype != torch.int8:
            unsigned = isinstance(whole, torch.Tensor) and whole.dtype == torch.uint8
            return Flaw(
                "The whole numbers are unsigned."
                if unsigned
                else f"int8 was expected; it is {describe(whole)}.",
                "Symmetric weights go from −127 to 127. Which kind of number holds them?"
                if unsigned
                else "What is gained by whole numbers that still take 32 bits each?",
            )
        if whole.shape != weight.shape:
            return Flaw(
                f"A weight of {tuple(weight.shape)} becomes whole numbers of {tuple(whole.shape)}.",
                "The layer still needs each weight at its place.",
            )
        flaw = _flaw_of_scale(scale, weight)
        if flaw is not None:
            return flaw
        if scale.dtype != torch.float32:
            return Flaw(
                f"The scales are {scale.dtype}.", "Where on the way did float32 become that?"
            )
        flaw = _flaw_of_int8(whole, weight.double())
        if flaw is not None:
            return flaw
    return None


# --- 10.5: flicker -------------------------------------------------------------------------------


def _pooled(values: np.ndarray, mask: np.ndarray) -> float:
    return float(values[mask].mean()) if mask.any() else 0.0


def _flicker(lightness: Any, ab: Any, still: float) -> tuple[float, Mistakes]:
    """The right number, and what known mistakes give."""
    L, ab = lightness.double().numpy()[:, 0], ab.double().numpy()
    change, step = np.diff(L, axis=0), np.diff(ab, axis=0)
    away = np.sqrt((step**2).sum(1))
    stays = np.abs(change) < still
    if not stays.any():
        return 0.0, ()
    right = _pooled(away, stays)
    both = np.abs(step)
    from_first = np.sqrt(((ab[1:] - ab[:1]) ** 2).sum(1))
    chroma = np.abs(np.diff(np.sqrt((ab**2).sum(1)), axis=0))
    with_l = np.sqrt((step**2).sum(1) + change**2)
    means = [_pooled(a, s) for a, s in zip(away, stays, strict=True)]
    from_first_l = np.abs(L[1:] - L[:1]) < still
    same = np.sqrt(np.square(step.mean((0, 2, 3))).sum())
    around = np.sqrt(((ab - np.roll(ab, 1, 0)) ** 2).sum(1)), np.abs(L - np.roll(L, 1, 0)) < still
    return right, mistakes(
        (
            "All pixels count, those too where L changes.",
            "Where something moves, the color has to change. Which pixels should be asked?",
            float(away.mean()),
        ),
        (
            "The pixels count where L changes.",
            "Where something moves, the color has to change. Which pixels should be asked?",
            *(_pooled(away, ~stays), _pooled(away, np.abs(change) > still)),
        ),
        (
            "A pixel that changes by exactly `still` counts.",
            "Is a change of 1 smaller than 1? Compare your sign with that of the docstring.",
            _pooled(away, np.abs(change) <= still),
        ),
        (
            "Each pair of frames gets a mean of its own, and these are averaged.",
            "A pair in which hardly a pixel stays would count as much as a pair that stands still.",
            *(
                float(np.mean(some))
                for some in (means, [m for m, s in zip(means, stays, strict=True) if s.any()])
            ),
        ),
        (
            "The changes of a and b are added.",
            "They are the legs of a triangle. How long is its long side?",
            _pooled(both.sum(1), stays),
        ),
        (
            "The changes of a and b are averaged.",
            "They are the legs of a triangle. How long is its long side?",
            *(_pooled(both.mean(1), stays), _pooled(np.sqrt((step**2).mean(1)), stays)),
        ),
        (
            "The change is squared, and no root follows.",
            "If all colors move twice as far, the flicker should double.",
            *(_pooled(away**2, stays), _pooled((step**2).mean(1), stays)),
        ),
        (
            "The root is taken of the mean.",
            "Each pixel has a distance of its own. What is averaged, and what comes before it?",
            *(_pooled(some, stays) ** 0.5 for some in (away**2, (step**2).mean(1))),
        ),
        (
            "Changes to and fro cancel.",
            "A pixel that goes from red to blue and back flickers. Where does its sign go?",
            *(_pooled(step.sum(1), stays), _pooled(step.mean(1), stays), same),
            *(abs(_pooled(step.sum(1), stays)), abs(_pooled(step.mean(1), stays))),
            float(np.hypot(*(_pooled(step[:, c], stays) for c in (0, 1)))),
        ),
        (
            "Each frame is held against the first one.",
            "Flicker is what happens from one frame to the next.",
            *(_pooled(from_first, some) for some in (stays, from_first_l)),
        ),
        (
            "The sum over the still pixels is divided by all pixels.",
            "How many pixels has the sum?",
            float((away * stays).mean()),
        ),
        (
            "That is the sum, not the mean.",
            "A larger picture would flicker more.",
            float((away * stays).sum()),
        ),
        (
            "The change of L keeps its sign, so that all that gets darker counts as still.",
            "Is a change of −30 smaller than `still`, as it is meant?",
            *(_pooled(away, change < still), _pooled(away, -change < still)),
        ),
        (
            "Only how strong the colors are is compared.",
            "Red and green of the same chroma are far apart. What is to be subtracted first?",
            _pooled(chroma, stays),
        ),
        (
            "The change of L is part of the distance.",
            "Which two channels should stay?",
            _pooled(with_l, stays),
        ),
        (
            "Only one of the two channels is looked at.",
            "Which shape has ab, and which axis holds a and b?",
            *(_pooled(both[:, c], stays) for c in (0, 1)),
        ),
        (
            "The last frame is followed by the first one.",
            "How many pairs of neighbors do T frames have?",
            _pooled(*around),
        ),
        (
            "`still` is not used: it is always 1.",
            "What does the function get it for?",
            _pooled(away, np.abs(change) < 1),
        ),
        (
            "Only the last pair of frames counts, or only the first one.",
            "How many pairs of neighbors do T frames have?",
            *(means[0], means[-1]),
        ),
        (
            "The numbers are not in CIE units.",
            "They came in as CIE units. What has been done to them?",
            *(right / 110, right * 110, right / 100),
        ),
    )


def _exact(L: Any) -> Any:
    """Multiples of 1/64: so near, float32 adds and subtracts them without an error."""
    return (64 * L).round() / 64


def _up_and_down(width: int, still: float) -> Any:
    """`still` and -`still` by turns, (width,)."""
    import torch

    return still * (1 - 2.0 * (torch.arange(width) % 2))


def _clip(frames: int, height: int, width: int, still: float) -> tuple[Any, Any]:
    """lightness and ab of a clip: some pixels stay in each pair, in each another number of them.

    In the first pair some change by `still`, to the last bit.
    """
    import torch

    L = torch.rand(frames, 1, height, width) * 1.2
    moved = (
        torch.rand(frames, 1, height, width) < torch.linspace(0.1, 0.7, frames)[:, None, None, None]
    )
    L = _exact(45 + L + moved * torch.randn(frames, 1, height, width) * 15)
    L[1, 0, :2] = L[0, 0, :2] + _up_and_down(width, still)
    return L, 20 * torch.randn(1, 2, height, width) + 8 * torch.randn(frames, 2, height, width)


@own_random
def _test_flicker(flicker: Any) -> Flaw | None:
    import torch

    for frames, height, width, given in ((4, 7, 9, ()), (3, 6, 5, (0.5,)), (2, 4, 4, (2.0,))):
        L, ab = _clip(frames, height, width, *(given or (1.0,)))
        if frames == 2:
            L[1] = L[0] + 50
        result = call(flicker, L, ab, *given, pure=True)
        number = isinstance(result, float | np.floating | torch.Tensor)
        if frames == 2 and number and math.isnan(float(result)):
            return Flaw(
                "Where no pixel stays, the flicker is NaN.",
                "A mean of nothing has no value. What should a clip get in which all moves?",
            )
        found = want_number(result, "the flicker")
        right, known = _flicker(L, ab, *(given or (1.0,)))
        otherwise = Flaw(
            f"A clip of {frames} frames should flicker by {right:.4f}; yours is {found:.4f}.",
            "Take two frames of 2 x 2 pixels, and write down each distance by hand.",
        )
        flaw = match(found, right, known, otherwise, 2e-4)
        if flaw is not None:
            return flaw
    return None


# --- 10.6: steady colors -------------------------------------------------------------------------


def _carry_mistakes(
    before_l: Any, before: Any, L: Any, ab: Any, keep: float, still: float
) -> Mistakes:
    import torch

    change = L - before_l
    stays = change.abs() < still
    mix = keep * before + (1 - keep) * ab
    swapped = (1 - keep) * before + keep * ab
    moved = (ab - before).norm(dim=1, keepdim=True)
    none = torch.zeros_like(ab)
    return mistakes(
        (
            "Nothing is carried.",
            "Print how many pixels stay.",
            ab,
        ),
        (
            "`keep` and the rest have changed places.",
            "With keep = 1, which color should a pixel that stays have?",
            torch.where(stays, swapped, ab),
        ),
        (
            "Colors are carried everywhere.",
            "What happens to the color of a bird that has flown on?",
            mix,
        ),
        (
            "Colors are carried where L changes.",
            "What happens to the color of a bird that has flown on?",
            *(torch.where(stays, ab, some) for some in (mix, before, swapped)),
        ),
        (
            "The parts do not add up to 1.",
            "A pixel that had one color in both frames should keep it. Does it?",
            *(torch.where(stays, some, ab) for some in (keep * before + ab, before + ab)),
            torch.where(stays, before + (1 - keep) * ab, ab),
            torch.where(stays, keep * before, ab),
            torch.where(stays, keep * (before + ab), ab),
        ),
        (
            "The change of L keeps its sign.",
            "Is a change of −30 smaller than `still`, as it is meant?",
            *(torch.where(some < still, mix, ab) for some in (change, -change)),
        ),
        (
            "The previous color is kept whole.",
            "If its color was wrong once, it stays so. What is `keep` for?",
            torch.where(stays, before, ab),
        ),
        (
            "A pixel that changes by exactly `still` counts as one that stays.",
            "Is a change of 2 smaller than 2? Compare your sign with that of the docstring.",
            torch.where(change.abs() <= still, mix, ab),
        ),
        (
            "Where L changes, no color is left, or a weakened one.",
            "A pixel that moved has a prediction of its own. What should it get?",
            *(torch.where(stays, mix, some) for some in (none, (1 - keep) * ab, keep * ab)),
        ),
        (
            "Where L changes, the previous color stands.",
            "A pixel that moved has a prediction of its own. What should it get?",
            torch.where(stays, mix, before),
        ),
        (
            "The change of ab decides.",
            "Flicker is a change of color without one of lightness. Which of them says: it moved?",
            *(torch.where(moved < still, some, ab) for some in (mix,)),
            torch.where((ab - before).abs() < still, mix, ab),
        ),
        (
            "`still` is not used: it is always 2.",
            "What does the function get it for?",
            torch.where(change.abs() < 2, mix, ab),
        ),
        (
            "`keep` is not used: it is always 0.9.",
            "What does the function get it for?",
            torch.where(stays, 0.9 * before + 0.1 * ab, ab),
        ),
        (
            "Both colors have the same weight.",
            "What does the function get `keep` for?",
            torch.where(stays, (before + ab) / 2, ab),
        ),
        (
            "The change of L is squared.",
            "`still` is in units of L. In which unit is a square?",
            torch.where(change.square() < still, mix, ab),
        ),
        (
            "The share that is kept shrinks with the change of L.",
            "The docstring knows two cases only.",
            *(before * share + ab * (1 - share)
              for share in [keep * (1 - change.abs() / still).clamp_min(0)]),
        ),
    )  # fmt: skip


def _is_whole_frame(carry_colors: Any, result: Any, mix: Any, given: tuple[Any, ...]) -> bool:
    """Whether all pixels of this frame are carried, and none where all of them change."""
    import torch

    if not isinstance(result, torch.Tensor) or result.shape != mix.shape:
        return False
    before_l, before, _, ab, *rest = given
    moved = call(carry_colors, before_l, before, before_l + 60, ab, *rest)
    if not isinstance(moved, torch.Tensor) or moved.shape != mix.shape or len(rest) < 2:
        return False
    return torch.allclose(result, mix, atol=1e-4) and torch.allclose(moved, ab, atol=1e-4)


@own_random
def _test_carry(carry_colors: Any) -> Flaw | None:
    import torch

    cases = (
        ((6, 8), (0.7, 3.0)),
        ((5, 4), (0.25, 0.75)),
        ((5, 7), ()),
        ((3, 4), (0.0,)),
    )
    for size, given in cases:
        keep, still = (*given, *(0.9, 2.0)[len(given) :])
        before_l = _exact(30 + 40 * torch.rand(1, 1, *size))
        L = before_l + 0.9 * still * torch.randn(1, 1, *size)
        L[..., 0, :] = before_l[..., 0, :] + _up_and_down(size[1], still)
        before = 25 * torch.randn(1, 2, *size)
        ab = before + 3 * torch.randn(1, 2, *size)
        result = call(carry_colors, before_l, before, L, ab, *given, pure=True)
        if isinstance(result, torch.Tensor) and tuple(result.shape) == (1, 3, *size):
            return Flaw(
                "Three channels come back: L is among them.",
                "Which two does the docstring ask for?",
            )
        mix = keep * before + (1 - keep) * ab
        if _is_whole_frame(carry_colors, result, mix, (before_l, before, L, ab, *given)):
            return Flaw(
                "The whole frame is carried, or nothing of it.",
                "In most frames some pixels move and most stay. What shape should the decision "
                "have?",
            )
        flaw = match_tensor(
            result,
            torch.where((L - before_l).abs() < still, mix, ab),
            _carry_mistakes(before_l, before, L, ab, keep, still),
            "the color",
            lambda n, c, y, x: f"{'ab'[c]} at row {y}, column {x}",
            "Make a map of the pixels that stay first, and look at it.",
        )
        if flaw is not None:
            return flaw
    return None


# --- 10.7: is it marked? -------------------------------------------------------------------------


def _test_is_made(is_made: Any) -> Flaw | None:
    with little_files() as files:
        given = answers(is_made, files)
        made = tuple(file.made for file in files)
        if given == made:
            return None
        for reader, mistake, advice in readers():
            if given == tuple(reader(file.path) for file in files):
                return Flaw(mistake, advice)
    wrong = next(file for file, found in zip(files, given, strict=True) if found != file.made)
    return Flaw(
        f"{wrong.what[:1].upper()}{wrong.what[1:]} {'is' if wrong.made else 'is not'} marked, and "
        f"is_made says {not wrong.made}.",
        "Print the whole XMP of such a file. Where does it say how its colors came about?",
    )


EXERCISES = (
    Exercise(
        name="10.1",
        title="The size that the network sees",
        difficulty=1,
        minutes=5,
        start="Look at a photo of 820 x 1400. By which number are both of its sides multiplied?",
        test=_test_seen_size,
        solved="Now any photo fits, and none is distorted by more than half a stride.",
    ),
    Exercise(
        name="10.2",
        title="The guided filter's lines",
        difficulty=3,
        minutes=15,
        start="Look at one window of 5 x 5 pixels. Which straight line fits its ab best?",
        test=_test_local_lines,
        solved="Each pixel has a line of its own now, and the color knows where L has an edge.",
    ),
    Exercise(
        name="10.3",
        title="Color at full size",
        difficulty=2,
        minutes=10,
        start="Look at the shapes. Which of the three maps knows the photo's edges?",
        test=_test_color_up,
        solved="The lines are coarse, and the color is not: L brings the edges.",
    ),
    Exercise(
        name="10.4",
        title="Eight bits",
        difficulty=2,
        minutes=10,
        start="Look at one channel's largest absolute value. How many steps lead from 0 to it?",
        test=_test_to_int8,
        solved="A quarter of the bytes, and each weight within half a step of what it was.",
    ),
    Exercise(
        name="10.5",
        title="Flicker",
        difficulty=2,
        minutes=10,
        start="Look at one pixel in two frames. When may its color change, and when not?",
        test=_test_flicker,
        solved="Now a clip has a number that says how restless its colors are.",
    ),
    Exercise(
        name="10.6",
        title="Steady colors",
        difficulty=2,
        minutes=10,
        start="Look at a pixel that stays, and at one that moves. What do you know of each?",
        test=_test_carry,
        solved="What stands still keeps its color, and what moves gets a new one.",
    ),
    Exercise(
        name="10.7",
        title="Is it marked?",
        difficulty=1,
        minutes=5,
        start="Look at what Pillow's image.info holds of a file that colorlab has written.",
        test=_test_is_made,
        solved="Whoever finds the file can know it, whatever it is called by then.",
    ),
)
