"""Several colorizers on the same photos: which one is better, and how sure that is.

A hard photo is hard for all of them. So a difference of two figures is often far surer than either
figure: each photo is compared with itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from colorlab.frechet import frechet_distance
from colorlab.intervals import Interval, bootstrap, jackknife
from colorlab.metrics import figures_of_means
from colorlab.scores import Scores, cells, row

Differences = Mapping[str, tuple[float, Interval | None]]  # figure -> its difference, the interval
Line = tuple[str, list[str]]  # a name, then the cells

# What is compared: its name, its format, and the attribute of Scores.
PAIRED = (
    ("PSNR, dB", "+.2f", "psnr"),
    ("SSIM", "+.3f", "ssim"),
    ("mean chroma / truth", "+.2f", "chroma_ratio"),
    ("colorfulness: ours - truth", "+.1f", "colorfulness_gap"),
    ("recognized as truth", "+.1%", "recognized"),  # of shares, so in percentage points
    ("Fréchet distance (EfficientNet-Lite0)", "+.2f", "frechet"),
)


def paired_differences(ours: Scores, first: Scores) -> Differences:
    """How far each figure of ``ours`` is above that of ``first``, over the same photos.

    The 95 % intervals are paired. Each resample of the bootstrap holds the same photos for both.
    For the Fréchet distance, the jackknife leaves the same photos out of both.

    Args:
        ours, first: from ``colorlab.metrics.evaluate``, of the same photos in the same order.

    Returns:
        attribute in ``PAIRED`` -> (difference, interval); None instead of an interval that so few
        photos don't have.

    Raises:
        ValueError: other photos, or scores without the figures of each photo.
    """
    _require_same_photos(ours, first)
    names = sorted(first.by_photo[0].keys() - {"name"})
    columns = {
        f"{side} {name}": np.array([photo[name] for photo in scores.by_photo], float)
        for side, scores in (("ours", ours), ("first", first))
        for name in names
    }

    def gaps(means: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        above, below = (
            figures_of_means({name: means[f"{side} {name}"] for name in names})
            for side in ("ours", "first")
        )
        with np.errstate(invalid="ignore"):  # two perfect colorings: both have infinite PSNR
            return {key: above[key] - below[key] for key in above}

    intervals = dict[str, Interval | None](bootstrap(columns, gaps))
    colored, _, true = ours.features.swapaxes(0, 1)  # (N, 3, D) -> 3 x (N, D)
    intervals["frechet"] = jackknife(_farther, colored, first.features[:, 0], true)
    return {
        key: (getattr(ours, key) - getattr(first, key), intervals.get(key)) for *_, key in PAIRED
    }


def score_lines(scores: Sequence[Scores]) -> list[Line]:
    """Of each figure its name in full, and "figure (interval)" of all the scores and of gray."""
    found, parent = [], ""
    for rows in zip(*(one.rows() for one in scores), strict=True):
        name, _, gray = rows[0]
        parent = parent if name.startswith(" ") else name
        full = f"{parent}: {name.strip()}" if name.startswith(" ") else name
        found.append((full, [_joined(one.ours) for one in rows] + [_joined(gray) if gray else ""]))
    return found


def difference_lines(differences: Sequence[Differences]) -> list[Line]:
    """Of each figure its name, and "difference (interval)"; with ** where 0 lies outside of it."""
    found = []
    for name, style, key in PAIRED:
        texts = [_joined(cells(*one[key], style)) for one in differences]
        sure = [_excludes_zero(one[key][1]) for one in differences]
        found.append(
            (name, [f"**{text}**" if s else text for text, s in zip(texts, sure, strict=True)])
        )
    return found


def difference_text(label: str, first: str, differences: Differences) -> str:
    """The differences of two colorizers as lines in the form of the scores' own."""
    lines = [f"{label} - {first}", row("", "", "95% interval")]
    lines += [row(name, *cells(*differences[key], style)) for name, style, key in PAIRED]
    return "\n".join(lines)


def markdown(
    labels: Sequence[str], scores: Sequence[Scores], differences: Sequence[Differences] = ()
) -> str:
    """A table of the scores, and one of the differences of all but the first to the first.

    Args:
        labels: what the column of each of the scores is called.
        differences: of each of the scores but the first.
    """
    names = ["`" + label.replace("|", r"\|") + "`" for label in labels]
    lines = [f"{scores[0].photos} photos. In parentheses: 95 % intervals.", ""]
    lines += _table([*names, "gray"], score_lines(scores))
    if differences:
        lines += [
            "",
            f"Difference to {names[0]} on the same photos. Bold: 0 is outside the interval.",
        ]
        lines += ["", *_table(names[1:], difference_lines(differences))]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], lines: Sequence[Line]) -> list[str]:
    rows = [["", *head], ["---"] * (len(head) + 1), *([name, *texts] for name, texts in lines)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _joined(figure_and_interval: tuple[str, str]) -> str:
    figure, interval = figure_and_interval
    return figure if interval == "-" else f"{figure} ({interval})"


def _excludes_zero(interval: Interval | None) -> bool:
    return interval is not None and not interval[0] <= 0 <= interval[1]


def _farther(a: np.ndarray, b: np.ndarray, true: np.ndarray) -> float:
    return frechet_distance(a, true) - frechet_distance(b, true)


def _require_same_photos(ours: Scores, first: Scores) -> None:
    if ours.features is None or first.features is None:
        raise ValueError(
            "scores without the figures of each photo can't be compared; take those that "
            "colorlab.metrics.evaluate returns"
        )
    names = [[photo["name"] for photo in scores.by_photo] for scores in (ours, first)]
    if names[0] != names[1]:
        raise ValueError(
            f"the scores are of different photos, {len(names[0])} and {len(names[1])}; score both "
            "on the same ones, in the same order"
        )
