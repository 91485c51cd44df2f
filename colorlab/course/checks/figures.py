"""What the testers of lesson 09 say of figures over many photos.

Fréchet distances, the interval of a share, and the interval of a paired difference: the right
ones, and what well-known mistakes make of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from colorlab.course.checks.exercise import Flaw, NotYet, describe, want_number
from colorlab.course.checks.networks import Mistakes, mistakes


def ends(result: Any, what: str) -> tuple[float, float]:
    """The two ends of an interval; raises `NotYet` with what came instead."""
    if not isinstance(result, tuple | list | np.ndarray) or len(result) != 2:
        raise NotYet(
            f"Two numbers were expected for {what}; it is {describe(result)}.",
            "The docstring names both ends. A comma behind `return` makes a pair.",
        )
    return tuple(want_number(end, f"one end of {what}") for end in result)


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric root of a covariance; what rounding has put below 0 counts as 0."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T


def parts(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, float]:
    """|mean a - mean b|², both covariances, and the trace of the root of their product."""
    S, T = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = _root(S)
    return (
        float(np.square(a.mean(0) - b.mean(0)).sum()),
        S,
        T,
        float(np.trace(_root(root @ T @ root))),
    )


def frechet_mistakes(a: np.ndarray, b: np.ndarray) -> Mistakes:
    shift, S, T, cross = parts(a, b)
    traces, product = np.trace(S) + np.trace(T), S @ T
    right = shift + traces - 2 * cross
    _, R, Q, turned = parts(a.T, b.T)  # of as many photos in both
    photos = np.trace(R) + np.trace(Q) - 2 * turned

    def with_trace(of: float) -> float:
        return shift + traces - 2 * of

    return mistakes(
        (
            "That is the root of the whole.",
            'Which word stands before "Fréchet distance" in the docstring?',
            math.sqrt(right),
        ),
        (
            "The covariances are those of the photos, not of the features.",
            "S_a should be (D, D). Which axis does np.cov take for the variables?",
            *(first + photos for first in (shift, np.square(a.mean(1) - b.mean(1)).sum())),
        ),
        (
            "Each number of the product gets its own root.",
            "A matrix's root, times itself, gives the matrix. Does yours?",
            with_trace(np.sqrt(np.abs(np.diag(product))).sum()),
        ),
        (
            "No root is taken of the product.",
            "Two equal clouds are 0 apart. Which part should cancel their traces?",
            with_trace(np.trace(product)),
        ),
        (
            "The trace of one covariance is missing.",
            "Two equal clouds are 0 apart. Count what is added and what is taken away.",
            *(right - np.trace(S), right - np.trace(T)),
        ),
        (
            "The trace of the root does not count twice.",
            "Two equal clouds are 0 apart. Count what is added and what is taken away.",
            right + cross,
        ),
        (
            "The trace of the root is added.",
            "The more alike two clouds, the nearer they should be. Which sign does that?",
            *(right + 3 * cross, right + 4 * cross),
        ),
        (
            "The distance of the means is not squared.",
            "All other terms are in features squared. What does norm give?",
            right - shift + math.sqrt(shift),
        ),
        (
            "The means don't count as they should.",
            "Move one cloud by 1 along one axis: by how much should the distance grow?",
            *(right - shift, right - shift + shift / a.shape[1]),
        ),
        (
            "The covariances divide by N.",
            "The docstring names the divisor.",
            shift + (right - shift) * (len(a) - 1) / len(a),
        ),
        (
            "The product counts as symmetric, and it is not.",
            "S_a and S_b are symmetric. Print S_a @ S_b beside its transpose, and look up what the "
            "h in eigvalsh promises.",
            with_trace(np.sqrt(np.linalg.eigvalsh(product).clip(0)).sum()),
        ),
        (
            "Each covariance gets its own root, and the roots are multiplied.",
            "That holds for numbers. For matrices, which comes first, the product or the root?",
            with_trace(np.trace(_root(S) @ _root(T))),
            with_trace(np.sqrt(np.linalg.eigvalsh(S) * np.linalg.eigvalsh(T)).sum()),
        ),
        (
            "Features are compared one by one, without what they share.",
            "What does a covariance know beyond the variances in its diagonal?",
            with_trace(np.sqrt(np.diag(S) * np.diag(T)).sum()),
        ),
    )


def wilson_interval(successes: int, n: int, z: float) -> tuple[float, float]:
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def wilson_mistakes(successes: int, n: int, z: float) -> Mistakes:
    p, more = successes / n, z * z / n
    low, high = wilson_interval(successes, n, z)
    plain = z * math.sqrt(p * (1 - p) / n)
    whole = z * math.sqrt(p * (1 - p) / n + more / (4 * n))
    middle, scale = p + more / 2, 1 + more
    m = n + z * z
    share = (successes + z * z / 2) / m
    wald = z * math.sqrt(share * (1 - share) / m)

    def around(center: float, half: float) -> tuple[float, float]:
        return center - half, center + half

    return mistakes(
        (
            "That is the normal interval, p plus and minus z standard errors.",
            "What does it say of 0 successes in 10 trials, and do you believe it?",
            around(p, plain),
        ),
        (
            "That is the interval of Agresti and Coull: near Wilson's, and wider.",
            "It takes Wilson's middle, and a simpler width. Compare what stands under the root.",
            around(share, wald),
        ),
        (
            "Under the root a term is missing.",
            "For 0 successes the width should not vanish. What keeps it above 0?",
            *(around(middle / scale, plain / scale), around(middle / scale, plain)),
        ),
        (
            "The division by 1 + z²/n is missing.",
            "For 10 successes in 10 trials your interval leaves [0, 1]. What pulls it back?",
            around(middle, whole),
        ),
        (
            "Of middle and width only one is divided by 1 + z²/n.",
            "How far does the line of the fraction reach?",
            *(around(middle / scale, whole), around(middle, whole / scale)),
        ),
        (
            "The middle is the share itself.",
            "For few trials Wilson's middle moves toward 1/2. Which term moves it?",
            *(around(p, whole / scale), around(p, whole), around(p / scale, whole / scale)),
        ),
        (
            "The term with z² under the root has the wrong size.",
            "Compare the powers of n and the 4 with the formula, and mind what `/` divides.",
            *(
                around(middle / scale, z * math.sqrt(p * (1 - p) / n + term) / scale)
                for term in (more / 4, more / n, more / (2 * n), more * n / 4)
            ),
        ),
        (
            "z is missing in front of the root.",
            "How wide should the interval be for z = 0?",
            around(middle / scale, whole / z / scale),
        ),
        (
            "The ends are percentages.",
            "A share lies between 0 and 1.",
            (100 * low, 100 * high),
        ),
        (
            "The high end comes first.",
            "The docstring names the two ends in their order.",
            (high, low),
        ),
        (
            "Those are middle and half width.",
            "The docstring asks for the two ends.",
            *((middle / scale, whole / scale), (whole / scale, middle / scale)),
        ),
    )


PHOTOS, RESAMPLES = 40, 5000


def scores() -> tuple[np.ndarray, np.ndarray]:
    """Scores of PHOTOS photos: photos differ ten times as much as the two generators do."""
    draw = np.random.default_rng(9)
    difference = draw.permutation(np.sort(draw.normal(size=(99, PHOTOS)), axis=1).mean(0))
    b = draw.normal(24, 5, PHOTOS)
    difference -= difference.mean()
    return b + 0.4 + 0.5 * difference / difference.std(), b


def flaw_of_width(low: float, high: float, a: np.ndarray, b: np.ndarray) -> Flaw | None:
    """What the interval's half width says, in standard errors of the mean difference.

    Each end is a quantile of RESAMPLES numbers that are about normal. Where the end is at z, its
    own standard error is sqrt(q (1 - q) / RESAMPLES) / density(z): 0.038 for 95 %, so 0.027 for the
    half width. The right one is accepted within 0.15, which is 5.5 of these; 90 % is 11 off.
    """
    d = a - b
    error = d.std() / math.sqrt(PHOTOS)
    half, center = (high - low) / 2 / error, ((high + low) / 2 - d.mean()) / error
    if half < 0:
        return Flaw(
            f"The interval begins at {low:.3f} and ends at {high:.3f}.",
            "Which of the two should be the smaller one?",
        )
    if half < 1e-6:
        if abs(center) < 1e-6:
            return Flaw(
                "The interval has no width: each resample has the same photos.",
                "The mean of all photos in another order is no other mean. Which photos does a "
                "resample lack?",
            )
        return Flaw(
            "The interval has no width: all resamples are one and the same.",
            "Where does your code draw, and how often does it come by there?",
        )
    apart = 1.96 * math.sqrt(a.var() + b.var()) / d.std()
    known = (
        (
            apart,
            f"It is {half / 1.96:.0f} times too wide: a and b are drawn apart.",
            "A photo that is hard for one generator is hard for the other one. What keeps a "
            "photo's two scores together?",
        ),
        (
            1.96 * math.sqrt(PHOTOS),
            "That is where single photos lie: the interval of differences, not of their mean.",
            "Which number of each resample goes into the list?",
        ),
        (
            1.645,
            "That is an interval of 90 %.",
            "How much is left over at each end, for 95 % in the middle?",
        ),
        (
            2.576,
            "That is an interval of 99 %.",
            "How much is left over at each end, for 95 % in the middle?",
        ),
        (
            1.0,
            "It reaches one standard error to each side: about 68 %.",
            "How much is left over at each end, for 95 % in the middle?",
        ),
        (
            1.96 / math.sqrt(PHOTOS),
            "The means of the resamples are divided by √N once more.",
            "The spread of means is the standard error itself. What is left to be divided?",
        ),
    )
    if abs(half - 1.96) > 0.15:
        for width, mistake, advice in known:
            if abs(half / width - 1) < 0.13:
                return Flaw(mistake, advice)
    elif abs(center) < 0.15:
        return None
    elif abs((high + low) / 2 + d.mean()) < 0.15 * error:
        return Flaw(
            "The signs are turned: that is b minus a.", "Above 0 should mean that a is better."
        )
    if high < d.mean():
        return Flaw(
            f"The mean difference, {d.mean():.3f}, lies above both ends, {low:.3f} and {high:.3f}.",
            "Are 0.025 and 0.975 shares or percentages to the function that you call?",
        )
    return Flaw(
        f"About {d.mean() - 1.96 * error:.3f} to {d.mean() + 1.96 * error:.3f} was expected; yours "
        f"is {low:.3f} to {high:.3f}. The mean difference is {d.mean():.3f}.",
        "Make one resample by hand, print its mean difference, and do it again. How far apart are "
        "they?",
    )
