"""How far a figure could be off because these photos were taken and not others.

Three ways to ask that of the photos at hand, all with 95 % intervals. The bootstrap draws as many
photos as there are, some twice and some not at all, and looks at how a figure of means moves. The
jackknife leaves photos out, for a figure that a photo drawn twice would distort. Wilson's interval
is that of a share, such as that of the photos that fooled somebody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

Interval = tuple[float, float]
RESAMPLES = 1000
GROUPS = 20
STUDENT = 2.093  # 97.5 % of Student's t with GROUPS - 1 = 19 degrees of freedom


def bootstrap(
    columns: Mapping[str, np.ndarray],
    figures: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile intervals of figures that are worked out from means over photos.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3. All figures are
    taken of the same 1,000 resamples, so that a difference of two columns is a paired one: what
    makes one photo hard for both of them is not in its interval.

    Args:
        columns: name -> ``(N,)``, one number a photo.
        figures: name -> means ``(R,)`` of R resamples in, name -> figures ``(R,)`` out.

    Returns:
        name of a figure -> (low, high). Resamples that have no such figure (NaN) are left out; a
        figure that no resample has gets no interval, nor does any when there is just one photo.
    """
    table = np.stack([np.asarray(column, float) for column in columns.values()], 1)  # (N, columns)
    count = len(table)
    if count < 2:
        return {}
    draw = np.random.default_rng(seed)
    resamples = (draw.integers(count, size=count) for _ in range(RESAMPLES))
    means = np.stack([table[photos].mean(0) for photos in resamples])  # (R, columns)
    found = figures(dict(zip(columns, means.T, strict=True)))
    sorts = {name: np.sort(values[~np.isnan(values)]) for name, values in found.items()}
    return {name: _middle(values) for name, values in sorts.items() if len(values)}


def _middle(values: np.ndarray) -> Interval:
    """The middle 95 % of sorted values: members of them, as between infinite ones there is none."""
    cut = round(0.025 * (len(values) - 1))
    return float(values[cut]), float(values[-1 - cut])


def jackknife(
    statistic: Callable[..., float], *samples: np.ndarray, groups: int = GROUPS, seed: int = 0
) -> Interval | None:
    """The interval of a statistic, from leaving out one group of photos after the other.

    The delete-a-group jackknife: Kott, "The Delete-a-Group Jackknife" (Journal of Official
    Statistics 17, 2001), with groups drawn at random. The statistic ± 2.09 standard
    errors, so it must be about normal around its mean; a bias of the statistic itself stays.

    Args:
        statistic: takes as many arrays as there are samples.
        samples: each ``(N, ...)``, the same photos in the same order.
        groups: how many; as many as photos where there are fewer.

    Returns:
        (low, high), or None for fewer than three photos.
    """
    count = len(samples[0])
    if count < 3:
        return None
    groups = min(groups, count)
    group = np.random.default_rng(seed).permutation(count) % groups
    without = [statistic(*(x[group != g] for x in samples)) for g in range(groups)]
    error = np.sqrt((groups - 1) * np.var(without))  # the mean square over the groups, (G - 1) fold
    value = statistic(*samples)
    return float(value - STUDENT * error), float(value + STUDENT * error)


def wilson(successes: int, trials: int, z: float = 1.96) -> Interval:
    """The interval of a share, from so many successes in so many trials; it stays within 0 and 1.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (Journal of the
    American Statistical Association 22, 1927): the shares p that lie no further than z standard
    errors, ``sqrt(p (1 - p) / trials)``, from the share that was seen. Unlike the share seen ± z of
    its own standard errors, it has a width where all trials or none succeeded.

    Args:
        z: 1.96 for 95 %.

    Returns:
        (low, high), shares.

    Raises:
        ValueError: no trials, or successes that are none of them.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(
            f"{successes} successes in {trials} trials are no share; needs at least one trial, and "
            "0 to as many successes"
        )
    share, extra = successes / trials, z**2 / trials
    center = share + extra / 2
    half = math.sqrt(extra * (share * (1 - share) + extra / 4))
    low, high = (center - half) / (1 + extra), (center + half) / (1 + extra)
    return max(low, 0.0), min(high, 1.0)  # rounding could step over the ends
