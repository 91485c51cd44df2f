"""colorlab.frechet: against scipy's matrix root, and where the answer is known."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import _compute_fid

from colorlab.encoders import EfficientNetLite0
from colorlab.frechet import features_and_labels, frechet_distance


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """The formula as the papers print it."""
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    root = sqrtm(covariances[0] @ covariances[1])
    return float(shift @ shift + np.trace(covariances[0] + covariances[1] - 2 * root.real))


def test_it_is_the_formula_of_the_papers():
    draw = np.random.default_rng(0)
    mix = draw.normal(size=(2, 8, 8))
    a, b = draw.normal(size=(90, 8)) @ mix[0], draw.normal(size=(70, 8)) @ mix[1] + 0.5
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


@pytest.mark.parametrize("pictures", [40, 200])
def test_it_is_the_arithmetic_of_torchmetrics(pictures):
    """Theirs takes roots of eigenvalues; with 40 pictures most of those are 0 but for rounding."""
    draw = np.random.default_rng(5)
    mix = draw.normal(size=(64, 64)) / 8
    a = np.maximum(draw.normal(size=(pictures, 64)) @ mix, 0)
    b = np.maximum(draw.normal(size=(pictures, 64)) @ mix + 0.2, 0)
    means = [torch.from_numpy(x.mean(0)) for x in (a, b)]
    covariances = [torch.from_numpy(np.cov(x, rowvar=False)) for x in (a, b)]
    theirs = _compute_fid(means[0], covariances[0], means[1], covariances[1]).item()
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-3)


def test_one_dimension():
    """(m_a - m_b)² + (s_a - s_b)², with deviations that divide by N - 1: 9 + 1 here."""
    a, b = np.array([[-1.0], [0.0], [1.0]]), np.array([[1.0], [3.0], [5.0]])
    assert frechet_distance(a, b) == pytest.approx(9 + 1, rel=1e-12)


def test_fewer_pictures_than_features():
    """Both sets vary in one and the same 3 of 50 directions: what is known there holds."""
    draw = np.random.default_rng(1)
    directions = np.linalg.qr(draw.normal(size=(50, 3)))[0].T  # (3, 50), orthonormal
    a, b = draw.normal(size=(20, 3)), 2 * draw.normal(size=(12, 3)) + 1
    assert frechet_distance(a @ directions, b @ directions) == pytest.approx(
        by_scipy(a, b), rel=1e-9
    )


def test_sets_that_vary_in_different_directions():
    """No overlap, so that nothing is taken off: the variances add up."""
    draw = np.random.default_rng(2)
    a, b = np.zeros((2, 30, 6))
    a[:, :3], b[:, 3:] = draw.normal(size=(2, 30, 3))
    variances = a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    # The overlap of order 1e-16 has a root of order 1e-8.
    assert frechet_distance(a, b) == pytest.approx(shift + variances, abs=1e-6)


def test_equal_sets_and_shifted_ones():
    features = np.random.default_rng(3).normal(size=(40, 100)).astype(np.float32)
    assert 0 <= frechet_distance(features, features[::-1]) < 1e-9
    apart = frechet_distance(features, features.astype(np.float64) + 0.3)
    assert apart == pytest.approx(100 * 0.09, rel=1e-6)


def test_it_is_biased_for_few_pictures():
    """The docstring says so: 30 pictures of one and the same kind seem farther apart than 300."""
    draw = np.random.default_rng(4)
    few, many = (frechet_distance(*draw.normal(size=(2, n, 20))) for n in (30, 300))
    assert few > 4 * many > 0


@pytest.mark.parametrize(
    ("a", "b"),
    [((5,), (5, 1)), ((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5, 3, 1), (5, 3))],
)
def test_other_shapes_are_refused(a, b):
    with pytest.raises(ValueError, match=r"expected features \(N, D\) and \(M, D\)"):
        frechet_distance(np.zeros(a), np.zeros(b))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    features = np.zeros((5, 3))
    features[2, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(np.zeros((5, 3)), features)


def test_features_are_what_the_classifier_reads():
    torch.manual_seed(0)
    classifier = EfficientNetLite0(pretrained=False).eval()
    rgb = torch.rand(3, 3, 224, 224)
    features, labels = features_and_labels(classifier, rgb)
    assert features.shape == (3, 1280)
    with torch.inference_mode():
        logits = classifier.classify(rgb)
        torch.testing.assert_close(classifier.classifier(features), logits, atol=1e-5, rtol=1e-5)
    assert labels.tolist() == logits.argmax(1).tolist()
