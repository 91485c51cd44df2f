"""The testers of lesson 09: what a metric counts, how sure its figure is, and how to cheat it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    call,
    match,
    match_tensor,
    own_random,
    want_number,
)
from colorlab.course.checks.figures import (
    RESAMPLES,
    ends,
    flaw_of_width,
    frechet_mistakes,
    parts,
    scores,
    wilson_interval,
    wilson_mistakes,
)
from colorlab.course.checks.networks import Mistakes, mistakes

# --- 9.1: PSNR -----------------------------------------------------------------------------------


def _psnr_mistakes(away: Any) -> Mistakes:
    """away: image - truth, (N, 3, H, W)."""
    squares = away.square()

    def decibel(error: Any) -> Any:
        return -10 * error.log10()

    error = squares.mean((1, 2, 3))
    right, together = decibel(error), decibel(error.mean())
    channels, pixels = decibel(squares.mean((2, 3))), decibel(squares.mean(1))
    peak = 20 * math.log10(255)
    return mistakes(
        (
            "The errors of all pictures are averaged before the logarithm.",
            "One bad picture rules that mean. Where does each picture's own error enter?",
            *(together, together.expand(len(away))),
        ),
        (
            "One number comes back: the mean over the pictures.",
            "Which axes of (N, 3, H, W) belong to one picture?",
            right.mean(),
        ),
        (
            f"The peak is taken to be 255, which makes {peak:.1f} dB.",
            "What is the largest value that these pictures can have?",
            *(right + peak, right - peak),
        ),
        (
            "All numbers are twice as large as they should be.",
            "20 goes with the root of the error. Which of the two do you have?",
            2 * right,
        ),
        (
            "All numbers are half as large as they should be.",
            "10 goes with the squared error. What stands in your logarithm?",
            right / 2,
        ),
        (
            "The logarithm has the wrong base.",
            "An error of 0.01 is 20 dB. What does your logarithm make of 0.01?",
            *(-10 * error.log(), -10 * error.log2()),
        ),
        (
            "The better picture gets the smaller number.",
            "In a signal-to-noise ratio the error stands below the line. What does that do to a "
            "logarithm?",
            -right,
        ),
        (
            "Each pixel gets a logarithm of its own.",
            "The error of a picture is one mean. Over which axes does yours run?",
            *(pixels, pixels[:, None], pixels.mean((1, 2))),
        ),
        (
            "Each channel gets a logarithm of its own.",
            "The error of a picture is one mean. Over which axes does yours run?",
            *(channels, channels.mean(1)),
        ),
        (
            "The error is not squared.",
            "A ratio of signals compares powers. Which letter of MSE says it?",
            *(decibel(away.abs().mean((1, 2, 3))), 2 * decibel(away.abs().mean((1, 2, 3)))),
        ),
        (
            "Errors above and below cancel: they are averaged before the square.",
            "What does the M in MSE stand for, what the S, and in which order do they come?",
            decibel(away.mean((1, 2, 3)).square()),
        ),
        (
            "The squares are summed up, so that a large picture looks worse.",
            "Two photos with the same error at each pixel should score alike. What makes them?",
            decibel(squares.sum((1, 2, 3))),
        ),
        (
            "There is no logarithm yet.",
            "Decibels count factors of ten.",
            *(error, 1 / error),
        ),
    )


@own_random
def _test_psnr(psnr: Any) -> Flaw | None:
    import torch

    for count, side in ((4, 5), (1, 3)):
        truth = torch.rand(count, 3, side, side + 2)
        size = torch.logspace(-2, -0.2, count)[:, None, None, None]
        image = (truth + size * torch.randn_like(truth)).clamp(0, 1)
        result = call(psnr, image, truth, pure=True)
        away = image.double() - truth.double()
        flaw = match_tensor(
            result,
            -10 * away.square().mean((1, 2, 3)).log10(),
            _psnr_mistakes(away) if count > 1 else (),
            "the PSNR of each picture",
            lambda n: f"The PSNR of picture {n}",
            "Print the mean squared error of each picture first. There are N of them.",
        )
        if flaw is not None:
            return flaw
    return None


# --- 9.2: SSIM in one window ---------------------------------------------------------------------


def _ssim(x: Any, y: Any) -> tuple[float, Mistakes]:
    """The right number, in float64, and what known mistakes give."""
    x, y = x.double(), y.double()
    a, b = float(x.mean()), float(y.mean())
    v, w = float((x - a).square().mean()), float((y - b).square().mean())
    c = float(((x - a) * (y - b)).mean())
    product, n = float((x * y).mean()), len(x) / max(len(x) - 1, 1)

    def light(C: float = 1e-4) -> float:
        return (2 * a * b + C) / (a * a + b * b + C)

    def shape(c: float = c, v: float = v, w: float = w, C: float = 9e-4) -> float:
        return (2 * c + C) / (v + w + C)

    deviations = math.sqrt(v * w)
    right = light() * shape()
    if not deviations:
        return right, ()
    return right, mistakes(
        (
            "Standard deviations stand where variances should.",
            "Equation 13 has σ with a square. In which units is each term below the line?",
            light() * shape(v=math.sqrt(v), w=math.sqrt(w)),
        ),
        (
            "The variance divides by N − 1.",
            "The docstring names the divisor. Which one does torch take by itself?",
            *(light() * shape(d * c, n * v, n * w) for d in (1, n)),
        ),
        (
            "The covariance alone divides by N − 1.",
            "The docstring names one divisor for all three.",
            light() * shape(n * c),
        ),
        (
            "The brightness has no say: the first factor is missing.",
            "A window and the same one twice as bright: what should tell them apart?",
            *(shape(), c / deviations, (c + 4.5e-4) / (deviations + 4.5e-4)),
        ),
        (
            "Only the brightness is compared: the second factor is missing.",
            "A window and its mirror image have one mean. What tells them apart?",
            light(),
        ),
        (
            "C1 and C2 count for nothing.",
            "What does your line give for two black windows, and in which range are its values?",
            *(light(0) * shape(C=0), light(0) * shape(), light() * shape(C=0)),
        ),
        (
            "C1 and C2 have another size.",
            "The docstring says what is squared, and the pictures' largest value is 1.",
            *(light(0.01) * shape(C=0.03), light(2.55**2) * shape(C=7.65**2)),
            *(light(0.01) * shape(), light() * shape(C=0.03)),
        ),
        (
            "C1 and C2 have changed places.",
            "Which of them stands beside the means?",
            light(9e-4) * shape(C=1e-4),
        ),
        (
            "The product of the deviations stands where the covariance should.",
            "A window and its negative deviate alike. Which number tells how they go together?",
            light() * shape(deviations),
        ),
        (
            "The variances are multiplied in place of the covariance.",
            "Which pixels does a covariance multiply with which?",
            light() * shape(v * w),
        ),
        (
            "The covariance is a mean of x · y, with the means still in it.",
            "Two windows of noise in bright light don't go together. What is taken away first?",
            light() * shape(product),
        ),
        (
            "That is the dissimilarity: equal windows get 0.",
            "What should a window and itself give?",
            1 - right,
        ),
        (
            "The two factors are added.",
            "Equation 13 is one fraction. How are the parts above the line joined?",
            *(light() + shape(), (light() + shape()) / 2),
        ),
        (
            "A factor 2 is missing above the line.",
            "What should a window and itself give?",
            light() * shape(c / 2),
            (a * b + 1e-4) / (a * a + b * b + 1e-4) * shape(),
            (a * b + 1e-4) / (a * a + b * b + 1e-4) * shape(c / 2),
        ),
    )


@own_random
def _test_ssim(ssim_window: Any) -> Flaw | None:
    import torch

    dark = 0.02 + 0.1 * torch.rand(10)  # dark and dull, so that both constants count
    other = 0.3 * dark + 0.05 + 0.04 * torch.rand(10)
    bright = torch.rand(16)
    flat = torch.full((9,), 0.25)
    for x, y in ((dark, other), (bright, 1 - bright), (flat, flat + 0.5), (0 * flat, 0 * flat)):
        found = want_number(call(ssim_window, x, y, pure=True), "the similarity")
        right, known = _ssim(x, y)
        a, b = float(x.mean()), float(y.mean())
        otherwise = Flaw(
            f"Two windows with the means {a:.4f} and {b:.4f} have the similarity {right:.4f}; "
            f"yours is {found:.4f}. Their variances are {float(x.var(correction=0)):.6f} and "
            f"{float(y.var(correction=0)):.6f}.",
            "Give each mean, variance and the covariance a line of its own, and print them.",
        )
        flaw = match(found, right, known, otherwise, 2e-5)
        if flaw is not None:
            return flaw
    return None


# --- 9.3: colorfulness ---------------------------------------------------------------------------


def _m3(rg: Any, yb: Any, divisor: int = 0) -> tuple[float, float]:
    """The two roots of M3: of the variances, and of the squared means."""
    return (
        math.sqrt(rg.var(correction=divisor) + yb.var(correction=divisor)),
        math.hypot(rg.mean(), yb.mean()),
    )


def _colorfulness(rgb: Any) -> tuple[float, Mistakes]:
    red, green, blue = 255 * rgb.double()
    rg, yb = red - green, (red + green) / 2 - blue
    spread, middle = _m3(rg, yb)
    right = spread + 0.3 * middle
    deviations = float(rg.std(correction=0) + yb.std(correction=0))
    means = [float(rg.mean()), float(yb.mean())]

    def other(rg: Any, yb: Any, divisor: int = 0) -> float:
        spread, middle = _m3(rg, yb, divisor)
        return spread + 0.3 * middle

    known = mistakes(
        (
            "The values are taken from 0 to 1.",
            "What does the docstring say of the range in which R, G and B stand?",
            right / 255,
        ),
        (
            "yb is not 0 for a gray pixel.",
            "What is blue compared with? Put R = G = B into your line, and mind what `/` holds.",
            *(other(rg, red + green - blue), other(rg, red + green / 2 - blue)),
        ),
        (
            "The variance divides by N − 1.",
            "A picture of few pixels shows it. Which divisor does torch take by itself?",
            other(rg, yb, 1),
        ),
        (
            "0.3 does not stand where it should.",
            "Which of the two terms should count less: the spread, or the mean?",
            *(0.3 * spread + middle, 0.3 * (spread + middle), spread + middle),
        ),
        (
            "A root is missing.",
            "Both terms should double if all the colors do. Does yours?",
            *(spread**2 + 0.3 * middle, spread + 0.3 * middle**2, spread**2 + 0.3 * middle**2),
        ),
        (
            "The two deviations are added.",
            "They are the legs of a triangle. How does its long side come about?",
            deviations + 0.3 * middle,
        ),
        (
            "The two means are added.",
            "They are the legs of a triangle. How does its long side come about?",
            *(spread + 0.3 * some for some in (sum(means), sum(map(abs, means)))),
        ),
        (
            "Only one of the two terms is there.",
            "A picture all in one red is colorful, and so is one of red and green spots.",
            *(spread, middle, 0.3 * middle),
        ),
    )
    if rgb.shape[-1] == 3:
        red, green, blue = 255 * rgb.double().movedim(-1, 0)
        known += mistakes(
            (
                "R, G and B are read along the last axis.",
                "The docstring says which axis of (3, H, W) the channels are.",
                other(red - green, (red + green) / 2 - blue),
            )
        )
    return right, known


@own_random
def _test_colorfulness(colorfulness: Any) -> Flaw | None:
    import torch

    tinted = torch.rand(3, 4, 5) * torch.tensor([0.9, 0.4, 0.6])[:, None, None]
    gray = torch.rand(1, 3, 4).expand(3, -1, -1)
    for rgb in (torch.rand(3, 2, 3), tinted, gray):
        found = want_number(call(colorfulness, rgb, pure=True), "the colorfulness")
        right, known = _colorfulness(rgb)
        red, green, blue = 255 * rgb.double()
        spread, middle = _m3(red - green, (red + green) / 2 - blue)
        otherwise = Flaw(
            f"A picture of {rgb[0].numel()} pixels should have {right:.3f}; yours is {found:.3f}. "
            f"The first root is {spread:.3f}, the second one {middle:.3f}.",
            "Give rg, yb and each root a line of its own, and print them.",
        )
        flaw = match(found, right, known if right > 1 else (), otherwise, 2e-3)
        if flaw is not None:
            return flaw
    return None


# --- 9.4: the Fréchet distance -------------------------------------------------------------------


def _test_frechet(frechet: Any) -> Flaw | None:
    random = np.random.default_rng(0)
    for photos, others, features in ((6, 6, 3), (9, 14, 3), (4, 5, 12), (4, 4, 12)):
        mix = random.normal(size=(features, features))
        a = random.normal(size=(photos, features)) @ mix
        b = random.normal(size=(others, features)) * 1.5 + 0.5
        if photos == others == 4:
            b = a.copy()
        result = call(frechet, a, b, pure=True)
        plain = np.asarray(result)
        if plain.shape == (features, features):
            return Flaw(
                f"A matrix of shape {plain.shape} comes back.",
                "Which letters of the formula make one number of a matrix?",
            )
        if photos < features and plain.ndim == 0 and plain.dtype.kind in "fc":
            kind = "complex" if plain.dtype.kind == "c" else "NaN" if np.isnan(plain) else ""
            if kind:
                return Flaw(
                    f"For {photos} photos with {features} features each the distance is {kind}.",
                    "Some eigenvalues should be 0, and rounding puts them a hair beside it. Print "
                    "them, and look at the signs. What should the root see instead?",
                )
        number = want_number(plain.real if plain.dtype.kind == "c" else result, "the distance")
        shift, S, T, cross = parts(a, b)
        traces = float(np.trace(S) + np.trace(T))
        right = shift + traces - 2 * cross
        otherwise = Flaw(
            f"{photos} and {others} photos with {features} features should be {right:.4f} apart; "
            f"yours are {number:.4f}. The means give {shift:.4f}, the two traces {traces:.4f}, the "
            f"trace of the root {cross:.4f}.",
            "Print each of these three, and two clouds that are equal: they are 0 apart.",
        )
        known = frechet_mistakes(a, b) if photos == others == 6 else ()
        flaw = match(number, right, known, otherwise, 1e-3)
        if flaw is not None:
            return flaw
    return None


# --- 9.5: an interval for a share ----------------------------------------------------------------


def _test_wilson(wilson: Any) -> Flaw | None:
    for successes, trials, given in ((6, 20, ()), (45, 50, (1.0,)), (0, 12, ()), (12, 12, (2.5,))):
        result = ends(call(wilson, successes, trials, *given), "the interval")
        z = (given or (1.96,))[0]
        known = wilson_mistakes(successes, trials, z) if successes == 6 else ()
        known += mistakes(
            (
                "z is not used.",
                "An interval of 68 % is narrower than one of 95 %. What tells your lines?",
                wilson_interval(successes, trials, 1.96),
            )
        )
        right = wilson_interval(successes, trials, z)
        otherwise = Flaw(
            f"For {successes} of {trials} and z = {z:g} the interval is {right[0]:.4f} to "
            f"{right[1]:.4f}; yours is {result[0]:.4f} to {result[1]:.4f}.",
            "Give the middle, the root and the divisor a line each, and print them.",
        )
        flaw = match(result, right, known, otherwise)
        if flaw is not None:
            return flaw
    return None


# --- 9.6: a paired bootstrap ---------------------------------------------------------------------


def _test_paired(paired_interval: Any) -> Flaw | None:
    a, b = scores()
    random = np.random.default_rng(1)
    before = random.bit_generator.state
    low, high = ends(call(paired_interval, a, b, random, RESAMPLES, pure=True), "the interval")
    flaw = flaw_of_width(low, high, a, b)
    if flaw is not None:
        return flaw
    if random.bit_generator.state == before:
        return Flaw(
            "Nothing is drawn from `random`: it stands where it stood.",
            "Whoever passes the same seed should get the same interval. Who draws your photos?",
        )
    fewer = ends(call(paired_interval, a, b, np.random.default_rng(1), pure=True), "the interval")
    if fewer == (low, high):
        return Flaw(
            f"`resamples` is not used: 1000 and {RESAMPLES} give the same ends to the last digit.",
            "How often does your code draw?",
        )
    # One photo of five is 5 better. Of 2000 resamples 33 % lack it, 94 % hold it at most twice and
    # 99 % at most three times, each ± 1 or less: the ends are 0 and 3, surely.
    b = np.array([20.0, 31, 24, 28, 22])
    a = b + (0, 0, 5, 0, 0)
    random = np.random.default_rng(2)
    found = ends(call(paired_interval, a, b, random, 2000, pure=True), "the interval")
    normal = 1.96 * 5 * 0.4 / math.sqrt(5)
    known = mistakes(
        (
            "The interval is turned round: its long side points the wrong way.",
            "A percentile interval reads both ends off the resamples themselves.",
            (-1, 2),
        )
    )
    if abs(found[0] - 1 + normal) < 0.2 and abs(found[1] - 1 - normal) < 0.2:
        return Flaw(
            f"One photo of five is 5 better, and the interval says {found[0]:.2f} to "
            f"{found[1]:.2f}: no resample's mean is below 0.",
            "Standard errors are for a normal spread. What does 'percentile' say instead?",
        )
    otherwise = Flaw(
        f"If one photo of five is 5 better, the ends are 0 and 3; yours are {found[0]:.2f} and "
        f"{found[1]:.2f}.",
        "How often is that photo in a resample at least, and how often at most?",
    )
    return match(found, (0, 3), known, otherwise)


# --- 9.7: win PSNR -------------------------------------------------------------------------------


def _win_mistakes(candidates: Any, shares: Any) -> Mistakes:
    import torch

    weights = shares[:, None, None, None]
    right = (weights * candidates).sum(0)
    root = (weights * candidates.square()).sum(0)
    gray = right.mean(0, keepdim=True)
    luma = (right * right.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True)
    some = (weights.square() * candidates).sum(0)
    chances = torch.softmax(shares, 0)[:, None, None, None]
    across = candidates * shares[:, None, None] if len(shares) == 3 else candidates * weights / 2
    return mistakes(
        (
            "That is the likeliest candidate, sharp and often wrong.",
            "What does it cost where one of the others is the truth? A picture between them?",
            candidates[shares.argmax()],
        ),
        (
            "That is one of the candidates, as it is.",
            "The picture need not be one of them.",
            *candidates,
        ),
        (
            "All candidates count alike.",
            "Should one that is hardly ever the truth pull as hard as the likeliest one?",
            candidates.mean(0),
        ),
        (
            "That is the median: it has the smallest absolute error.",
            "Where is the derivative of an expected square 0?",
            *(candidates.median(0).values, candidates.quantile(0.5, 0)),
        ),
        (
            "The result is gray.",
            "Gray is safe, but the candidates agree on some color. Does your line keep it?",
            *(some for one in (gray, luma) for some in (one.expand_as(right), one)),
        ),
        (
            "The values are squared before they are averaged.",
            "The error is to be squared. What follows for the picture, if you differentiate?",
            *(root, root.sqrt()),
        ),
        (
            "The sum is divided once too often.",
            "To what do the shares sum up?",
            right / len(shares),
        ),
        (
            "The shares go through a softmax.",
            "They are probabilities already, not logits.",
            (chances * candidates).sum(0),
        ),
        (
            "The shares weigh channels, not candidates.",
            "To which axis of (K, 3, H, W) do they belong? Print the shape of your weights.",
            *(across.sum(0), across.mean(0)),
        ),
        (
            "The shares are squared.",
            "How often does each candidate's share count in an expected value?",
            *(some / total for total in (1, shares.square().sum())),
        ),
    )


@own_random
def _test_win(win_psnr: Any) -> Flaw | None:
    import torch

    for likely in ((0.25, 0.4, 0.35), (0.1, 0.2, 0.05, 0.25, 0.4), (1.0,)):
        shares = torch.tensor(likely)
        candidates = torch.rand(len(likely), 3, 4, 5)
        if len(likely) == 3:  # the first one lies between the others, and so loses least of them
            candidates[0] = 0.8 * candidates[1:].mean(0) + 0.2 * candidates[0]
        result = call(win_psnr, candidates, shares, pure=True)
        right = torch.einsum("k,kchw->chw", shares.double(), candidates.double())
        flaw = match_tensor(
            result,
            right,
            _win_mistakes(candidates, shares) if len(likely) == 3 else (),
            "the picture",
            lambda c, y, x: f"The pixel at row {y}, column {x} of channel {c}",
            "Take one pixel and two candidates of 50 % each. Which value loses least on average?",
        )
        if flaw is not None:
            return flaw
    return None


EXERCISES = (
    Exercise(
        name="9.1",
        title="PSNR",
        difficulty=1,
        minutes=5,
        start="Look at the shapes. What goes in has four axes: which of them are still there?",
        test=_test_psnr,
        solved="One logarithm a picture: now a mean of PSNRs is what it says.",
    ),
    Exercise(
        name="9.2",
        title="SSIM, in one window",
        difficulty=3,
        minutes=15,
        start="Look at equation 13: which five numbers does it take of the two windows?",
        test=_test_ssim,
        solved="Light, contrast and structure in one fraction, and no word about color.",
    ),
    Exercise(
        name="9.3",
        title="Colorfulness",
        difficulty=2,
        minutes=10,
        start="Look at a gray pixel and a red one. What are rg and yb of each?",
        test=_test_colorfulness,
        solved="It knows how much color there is, and not whether it is in the right place.",
    ),
    Exercise(
        name="9.4",
        title="Fréchet distance",
        difficulty=3,
        minutes=15,
        start="Look at two clouds with one feature each. What do the means and variances give?",
        test=_test_frechet,
        solved="Two clouds, one number: which photo is which no longer counts.",
    ),
    Exercise(
        name="9.5",
        title="An interval for a share",
        difficulty=2,
        minutes=10,
        start="Look at 0 successes in 10 trials. Is the share surely 0? Which term says no?",
        test=_test_wilson,
        solved="Now twenty answers say as much as they know, and no more.",
    ),
    Exercise(
        name="9.6",
        title="Who is better? A paired bootstrap",
        difficulty=2,
        minutes=10,
        start="Look at one photo's two scores. How often may they be parted?",
        test=_test_paired,
        solved="Hard photos are hard for both, and no longer blur the difference.",
    ),
    Exercise(
        name="9.7",
        title="Goodhart: win PSNR",
        difficulty=2,
        minutes=10,
        start="Look at one pixel that is 0 or 1, each in half of the cases. What do you bet on?",
        test=_test_win,
        solved="It wins the metric, and it is one of the candidates in no single case.",
    ),
)
