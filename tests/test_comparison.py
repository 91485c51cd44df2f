"""colorlab.comparison: paired intervals against the standard error, and tables as they are read."""

import math

import numpy as np
import pytest
from scipy import stats

from colorlab.comparison import PAIRED, difference_text, markdown, paired_differences
from colorlab.frechet import frechet_distance
from colorlab.metrics import figures_of_means
from colorlab.scores import Scores

COLUMNS = (
    *("psnr", "gray_psnr", "ssim", "gray_ssim", "chroma", "true_chroma"),
    *("colorfulness", "true_colorfulness", "recognized", "gray_recognized"),
)


def made(columns: dict, features: np.ndarray) -> Scores:
    """Scores of photos whose figures are given, each 1 where it is left out."""
    count = len(features)
    whole = {name: np.ones(count) for name in COLUMNS} | columns
    figures = figures_of_means({name: column.mean() for name, column in whole.items()})
    figures = {name: float(value) for name, value in figures.items()}
    figures["frechet"] = frechet_distance(features[:, 0], features[:, 2])
    rows = tuple(
        {"name": f"{i}.jpg", **{name: column[i] for name, column in whole.items()}}
        for i in range(count)
    )
    return Scores(count, **figures, gray_frechet=1.0, by_photo=rows, features=features)


@pytest.fixture
def pair() -> tuple[Scores, Scores]:
    """400 photos: hard ones are hard for both, and the second is 0.5 dB better."""
    draw = np.random.default_rng(0)
    hard, true = draw.normal(23, 4, 400), draw.uniform(5, 40, 400)
    features = draw.normal(size=(400, 3, 4))
    features[:, 0] += 1
    first = {"psnr": hard, "chroma": 0.6 * true, "true_chroma": true}
    first |= {"recognized": draw.random(400) < 0.6, "colorfulness": true}
    ours = first | {"psnr": hard + draw.normal(0.5, 0.3, 400), "chroma": 0.7 * true}
    flipped = draw.random(400) < 0.1
    ours["recognized"] = first["recognized"] ^ flipped
    nearer = features.copy()
    nearer[:, 0] = 0.5 * features[:, 0] + 0.5 * features[:, 2]
    return made(ours, nearer), made(first, features)


def test_a_paired_difference_is_as_sure_as_its_standard_error(pair):
    ours, first = pair
    found = paired_differences(ours, first)
    assert list(found) == [key for *_, key in PAIRED]
    for key in ("psnr", "recognized"):
        apart = [
            float(a[key]) - float(b[key])
            for a, b in zip(ours.by_photo, first.by_photo, strict=True)
        ]
        value, (low, high) = found[key]
        error = stats.sem(apart)
        assert value == pytest.approx(np.mean(apart), abs=1e-12)
        # The ends of 1,000 resamples wander by about a tenth of a standard error.
        assert low == pytest.approx(value - 1.96 * error, abs=0.3 * error)
        assert high == pytest.approx(value + 1.96 * error, abs=0.3 * error)
    # Unpaired, the PSNR's would be more than ten times as wide.
    unpaired = 1.96 * math.hypot(*(stats.sem([p["psnr"] for p in s.by_photo]) for s in pair))
    low, high = found["psnr"][1]
    assert (high - low) / 2 < unpaired / 10


def test_a_ratio_that_differs_the_same_on_every_photo_has_no_width(pair):
    value, (low, high) = paired_differences(*pair)["chroma_ratio"]
    assert (value, low, high) == pytest.approx((0.1, 0.1, 0.1), abs=1e-9)
    assert paired_differences(*pair)["colorfulness_gap"] == (0, (0, 0))


def test_the_frechet_distance_of_both_is_taken_without_the_same_photos(pair):
    """The jackknife by hand: it says that halfway to the truth is nearer to it."""
    ours, first = pair
    value, (low, high) = paired_differences(ours, first)["frechet"]

    def gap(keep):
        return frechet_distance(ours.features[keep, 0], ours.features[keep, 2]) - frechet_distance(
            first.features[keep, 0], first.features[keep, 2]
        )

    assert value == pytest.approx(gap(slice(None)), abs=1e-12)
    group = np.random.default_rng(0).permutation(400) % 20
    without = np.array([gap(group != g) for g in range(20)])
    error = math.sqrt(19 / 20 * ((without - without.mean()) ** 2).sum())
    assert (low, high) == pytest.approx((value - 2.093 * error, value + 2.093 * error), rel=1e-9)
    assert low < value < high < 0


def test_the_same_colorizer_does_not_differ_from_itself(pair):
    assert set(paired_differences(pair[0], pair[0]).values()) == {(0, (0, 0))}


def test_two_photos_have_no_interval_for_the_frechet_distance(pair):
    few = [made({"psnr": np.array([20.0, 21.0 + i])}, pair[0].features[:2]) for i in range(2)]
    found = paired_differences(few[1], few[0])
    assert found["psnr"] == (0.5, (0, 1))
    assert found["frechet"] == (0, None)


def test_perfect_colorings_leave_no_nan_in_the_intervals(pair):
    perfect = made({"psnr": np.full(5, np.inf)}, pair[0].features[:5])
    value, interval = paired_differences(perfect, perfect)["psnr"]
    assert math.isnan(value) and interval is None


def test_other_photos_are_refused(pair):
    ours, first = pair
    fewer = Scores(**{**vars(ours), "by_photo": ours.by_photo[1:]})
    with pytest.raises(ValueError, match="of different photos, 399 and 400; score both"):
        paired_differences(fewer, first)
    bare = Scores(**{**vars(ours), "features": None})
    with pytest.raises(ValueError, match=r"take those that colorlab\.metrics\.evaluate returns"):
        paired_differences(bare, first)


FIGURES = dict(
    psnr=24.061, gray_psnr=22.74, psnr_gain=1.321, ssim=0.9427, gray_ssim=0.94, chroma_ratio=0.966,
    colorfulness=31.49, true_colorfulness=48.8, colorfulness_gap=-17.31, recognized=0.8387,
    gray_recognized=0.766, recovered=math.nan, frechet=58.281, gray_frechet=69.9,
)  # fmt: skip
DIFFERENCES = {
    "psnr": (-0.511, (-0.9, -0.104)),
    "ssim": (0.0021, (-0.001, 0.004)),
    "chroma_ratio": (0.1, (0.0, 0.2)),
    "colorfulness_gap": (3.0, (1.0, 5.0)),
    "recognized": (-0.0161, (-0.08, 0.05)),
    "frechet": (math.nan, None),
}

MARKDOWN = r"""62 photos. In parentheses: 95 % intervals.

|  | `starter` | `a\|b` | gray |
| --- | --- | --- | --- |
| PSNR, dB | 24.06 (23.40 to 24.72) | 24.06 (23.40 to 24.72) | 22.74 |
| PSNR, dB: ours - gray | +1.32 | +1.32 |  |
| SSIM | 0.943 | 0.943 | 0.940 |
| mean chroma / truth | 0.97 | 0.97 |  |
| colorfulness | 31.5 | 31.5 |  |
| colorfulness: truth | 48.8 | 48.8 |  |
| colorfulness: ours - truth | -17.3 | -17.3 |  |
| recognized as truth | 83.9% | 83.9% | 76.6% |
| recognized as truth: recovered of what gray lost | - | - |  |
| Fréchet distance (EfficientNet-Lite0) | 58.28 | 58.28 | 69.90 |
| PSNR with 1 hint, dB | 25.00 | 25.00 |  |

Difference to `starter` on the same photos. Bold: 0 is outside the interval.

|  | `a\|b` |
| --- | --- |
| PSNR, dB | **-0.51 (-0.90 to -0.10)** |
| SSIM | +0.002 (-0.001 to +0.004) |
| mean chroma / truth | +0.10 (+0.00 to +0.20) |
| colorfulness: ours - truth | **+3.0 (+1.0 to +5.0)** |
| recognized as truth | -1.6% (-8.0% to +5.0%) |
| Fréchet distance (EfficientNet-Lite0) | - |
"""


def test_the_tables_in_markdown():
    intervals = {"psnr": (23.4, 24.72)}
    scores = Scores(62, **FIGURES, hinted_psnr={1: 25.0}, intervals=intervals)
    found = markdown(["starter", "a|b"], [scores, scores], [DIFFERENCES])
    assert found == MARKDOWN
    alone = markdown(["starter"], [scores])
    assert "Difference" not in alone
    assert "| PSNR, dB | 24.06 (23.40 to 24.72) | 22.74 |\n" in alone


def test_the_differences_as_printed():
    lines = difference_text("ours", "starter", DIFFERENCES).splitlines()
    assert lines[0] == "ours - starter"
    assert lines[2] == "PSNR, dB                                -0.51      -0.90 to -0.10"
    assert lines[-1].split()[-2:] == ["-", "-"]
    assert max(map(len, lines)) <= 100
