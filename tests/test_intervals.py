"""colorlab.intervals: intervals whose width a formula gives, and how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from colorlab.frechet import frechet_distance
from colorlab.intervals import bootstrap, jackknife, wilson


def both(means):
    return {"a": means["a"], "b": means["b"], "gain": means["a"] - means["b"]}


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(7, 3, 400)
    error = values.std() / math.sqrt(400)
    low, high = bootstrap({"a": values}, lambda means: means)["a"]
    # The ends of 1,000 resamples wander by about a tenth of a standard error.
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)


def test_the_share_of_an_event_has_the_interval_of_the_binomial():
    low, high = bootstrap({"a": np.arange(100) < 30}, lambda means: means)["a"]
    assert (low, high) == pytest.approx((0.21, 0.39), abs=0.015)  # its 2.5 % and 97.5 % quantiles


def test_a_difference_is_paired():
    """Photos differ by much, the two columns by little: the gain is far surer than either."""
    draw = np.random.default_rng(2)
    hard = draw.normal(20, 5, 100)
    columns = {"a": hard + 1 + draw.normal(0, 0.1, 100), "b": hard}
    found = bootstrap(columns, both)
    width = {name: high - low for name, (low, high) in found.items()}
    assert width["a"] == pytest.approx(2 * 1.96 * columns["a"].std() / 10, rel=0.15)
    assert width["gain"] == pytest.approx(2 * 1.96 * 0.1 / 10, rel=0.3)
    assert found["gain"][0] < 1 < found["gain"][1]


def test_intervals_are_the_same_every_time_and_others_with_another_seed():
    columns = {"a": np.random.default_rng(3).normal(size=50)}
    one, again, other = (bootstrap(columns, lambda means: means, seed) for seed in (0, 0, 1))
    assert one == again != other


def test_infinite_and_missing_figures():
    columns = {"a": np.full(5, np.inf), "b": np.arange(5.0)}
    assert bootstrap(columns, both)["gain"] == (np.inf, np.inf)
    found = bootstrap(columns, lambda means: {"none": means["b"] * np.nan})
    assert found == {}
    # What only some resamples have is told of those: 1 / 0 of the others is no figure.
    found = bootstrap(
        {"a": np.array([0.0, 1.0])},
        lambda means: {"odds": np.where(means["a"] == 0, np.nan, 1 / np.maximum(means["a"], 0.1))},
    )
    assert found == {"odds": (1.0, 2.0)}


def test_one_photo_has_no_interval():
    assert bootstrap({"a": np.ones(1), "b": np.ones(1)}, both) == {}
    assert jackknife(lambda x: x.mean(), np.ones(2)) is None


def test_the_jackknife_of_a_mean_is_its_standard_error():
    """With as many groups as photos it is exact: the sample's deviation over √N."""
    values = np.random.default_rng(4).normal(size=30)
    low, high = jackknife(np.mean, values, groups=30)
    error = values.std(ddof=1) / math.sqrt(30)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=1e-12)
    assert (high - low) / 2 == pytest.approx(2.093 * error, rel=1e-9)


def test_the_jackknife_leaves_the_same_photos_out_of_both():
    values = np.random.default_rng(5).normal(size=(60, 1))
    seen = []
    jackknife(lambda a, b: seen.append((a, b)) or 0.0, values, values + 1)
    assert [len(a) for a, _ in seen] == [57] * 20 + [60]
    assert all((b == a + 1).all() for a, b in seen)


def test_the_jackknife_holds_the_true_frechet_distance_in_about_95_of_100_draws():
    """In one dimension, N(0, 1) and N(2, 1.5²) are 4 + 0.25 apart."""
    draw = np.random.default_rng(6)
    held = 0
    for _ in range(200):
        a, b = draw.normal(size=(100, 1)), draw.normal(2, 1.5, size=(100, 1))
        low, high = jackknife(frechet_distance, a, b)
        held += low <= 4.25 <= high
    assert 0.90 <= held / 200 <= 0.99


def test_a_bootstrap_would_move_the_frechet_distance_and_the_jackknife_does_not():
    """Why `evaluate` takes the jackknife: photos drawn twice stand for fewer photos."""
    draw = np.random.default_rng(7)
    true = draw.normal(size=(60, 200)) / np.arange(1, 201) ** 0.7
    ours = 0.9 * true + 0.3 * draw.normal(size=true.shape) / np.arange(1, 201) ** 0.7
    value = frechet_distance(ours, true)
    resamples = [draw.integers(60, size=60) for _ in range(50)]
    drawn = [frechet_distance(ours[i], true[i]) for i in resamples]
    assert np.mean(drawn) > value + 1.5 * np.std(drawn)
    low, high = jackknife(frechet_distance, ours, true)
    assert (low + high) / 2 == pytest.approx(value, rel=1e-9)
    assert (high - low) / 2 / 2.093 == pytest.approx(np.std(drawn), rel=0.5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (321, 1000)]
)
def test_wilson_is_that_of_scipy(successes, trials, confidence):
    found = wilson(successes, trials, norm.ppf((1 + confidence) / 2))
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found[0] < found[1] <= 1


def test_wilson_is_of_95_percent_unless_told():
    # By hand: n = 4, p = 1/2, z² = 3.8416, so 1/2 ± sqrt(z²/16 + z⁴/64) / (1 + z²/4) = 1/2 ± 0.35
    assert wilson(2, 4) == pytest.approx((0.150, 0.850), abs=5e-4)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes, trials):
    with pytest.raises(ValueError, match="are no share; needs at least one trial"):
        wilson(successes, trials)
