"""How far a set of pictures is from another one, in the eyes of a pretrained network."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """How far two sets of pictures are apart, by their features: 0 for equal sets.

    The squared Fréchet distance of two Gaussians with the means and covariances of the features,
    Dowson and Landau, "The Fréchet Distance between Multivariate Normal Distributions" (Journal of
    Multivariate Analysis 12, 1982):

        |mean a - mean b|² + tr S_a + tr S_b - 2 tr sqrt(S_a S_b).

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (NIPS 2017) take it of
    Inception-v3's pooled features and call it FID. ``colorlab.metrics.evaluate`` takes it of
    EfficientNet-Lite0's, because Inception's weights aren't on the package index and nothing is
    downloaded at run time: *it is not FID*, and its values compare only with one another.

    It is biased: with few photos it comes out larger than with many (Chong and Forsyth,
    "Effectively Unbiased FID and Inception Score", CVPR 2020). So compare it only over
    the same photos. Fewer photos than features make the covariances singular. That does no harm
    here: S = RᵀR with R of the centered features' QR decomposition, and the eigenvalues of S_a S_b
    are the squared singular values of R_a R_bᵀ, so that no root is taken of a rounding error.

    Args:
        a, b: (N, D) and (M, D), at least two pictures each. Worked out in float64.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    _require_features(a, b)
    shift = a.mean(0) - b.mean(0)
    roots = [np.linalg.qr((x - x.mean(0)) / np.sqrt(len(x) - 1), mode="r") for x in (a, b)]
    traces = sum((root**2).sum() for root in roots)
    cross = np.linalg.norm(roots[0] @ roots[1].T, "nuc")  # (n, D) @ (D, m): sum of singular values
    return max(float(shift @ shift + traces - 2 * cross), 0.0)


@torch.inference_mode()
def features_and_labels(classifier: nn.Module, rgb: Tensor) -> tuple[Tensor, Tensor]:
    """What EfficientNet-Lite0 sees in pictures, and what it takes them for.

    The features are the 1280 that its classifier reads: the last ones before the labels, as those
    that FID takes of Inception, so that a picture counts as near by what things look like.

    Args:
        classifier: ``colorlab.encoders.EfficientNetLite0``, in eval mode.
        rgb: (B, 3, H, W) in [0, 1]; resized to 224 × 224, as it was trained.

    Returns:
        Features (B, 1280) and labels (B,), whole numbers from 0 to 999.
    """
    small = F.interpolate(rgb, size=(224, 224), mode="bicubic", antialias=True, align_corners=False)
    features = classifier.head(classifier(small.clamp(0, 1))[-1]).mean((-2, -1))
    return features, classifier.classifier(features).argmax(1)


def _require_features(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"expected features (N, D) and (M, D) of at least two pictures each, got {a.shape} "
            f"and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("some features are not finite; look for NaN in the pictures")
