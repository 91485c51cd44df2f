"""The objectives: the adversarial losses, and how far the colors are from the truth.

Discriminators return logits; the sigmoid and the labels live here. "bce" is binary cross-entropy on
logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorlab.layers import check_choice

# The loss of each logit: the discriminator's on real and on fake pictures, the generator's on fake.
ADVERSARIAL = {
    # Binary cross-entropy: -log sigmoid(x) for the label 1, -log(1 - sigmoid(x)) for the label 0,
    # which are softplus(-x) and softplus(x), without overflow.
    "bce": (lambda x: F.softplus(-x), F.softplus, lambda x: F.softplus(-x)),
    "lsgan": (lambda x: (x - 1) ** 2, torch.square, lambda x: (x - 1) ** 2),
    "hinge": (lambda x: F.relu(1 - x), lambda x: F.relu(1 + x), torch.neg),
}
COLOR_KINDS = ("l1", "l2", "huber")


@dataclass(frozen=True)
class AdversarialLoss:
    """One family of adversarial losses, means over all logits.

    Args:
        kind: ``"bce"``, Goodfellow et al., "Generative Adversarial Nets" (NIPS 2014), equation 1,
            with the non-saturating generator of its section 3; ``"lsgan"``, Mao et al., "Least
            Squares Generative Adversarial Networks" (ICCV 2017), equation 9, without its factor
            1/2, which ``halved`` supplies; ``"hinge"``, Lim and Ye, "Geometric GAN" (2017), and
            Zhang et al., "Self-Attention GANs" (ICML 2019), equation 4.
        halved: take half the sum of the discriminator's two losses, as pix2pix does (section 3.3,
            to slow it relative to the generator); the plain sum otherwise.
    """

    kind: str = "bce"
    halved: bool = True

    def __post_init__(self) -> None:
        check_choice("adversarial loss", self.kind, tuple(ADVERSARIAL))

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """A scalar from logits of real and of generated pictures, any shape."""
        on_real, on_fake, _ = ADVERSARIAL[self.kind]
        total = on_real(real).mean() + on_fake(fake).mean()
        return total / 2 if self.halved else total

    def generator(self, fake: Tensor) -> Tensor:
        """A scalar, small when the discriminator takes the generated pictures for real."""
        return ADVERSARIAL[self.kind][2](fake).mean()

    @property
    def threshold(self) -> float:
        """The logit above which the discriminator calls a picture real."""
        return 0.5 if self.kind == "lsgan" else 0.0  # halfway between its two targets


@dataclass(frozen=True)
class ColorLoss:
    """Distance of the predicted ab from the true ab, heavier where the truth is colorful.

    Most pixels of most photos are nearly gray, so a plain mean is won by predicting gray (Zhang et
    al., "Colorful Image Colorization", ECCV 2016, section 2.2, reweights for the same reason).
    Here a pixel weighs 1 + ``chroma_weight`` · chroma, the chroma of the truth in units of ab/110.

    Args:
        kind: ``"l1"``, ``"l2"`` or ``"huber"`` (quadratic below ``delta``, linear above).
        chroma_weight: 0 for the plain mean.
        delta: where the Huber loss turns, in units of ab/110.
    """

    kind: str = "l1"
    chroma_weight: float = 0.0
    delta: float = 0.1

    def __post_init__(self) -> None:
        check_choice("color loss", self.kind, COLOR_KINDS)

    def __call__(self, predicted: Tensor, true: Tensor) -> Tensor:
        """A scalar from two ``(B, 2, H, W)`` in [-1, 1]; divided by the sum of the weights."""
        _check_same_shape(predicted, true)
        huber = partial(F.huber_loss, delta=self.delta)
        loss = {"l1": F.l1_loss, "l2": F.mse_loss, "huber": huber}[self.kind]
        distance = loss(predicted, true, reduction="none")
        if not self.chroma_weight:
            return distance.mean()
        weight = 1 + self.chroma_weight * true.square().sum(1, keepdim=True).sqrt()
        return (distance * weight).mean() / weight.mean()


class PerceptualLoss(nn.Module):
    """L1 between the features that a pretrained encoder sees in two pictures.

    Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (ECCV
    2016), equation 2. Departures: EfficientNet-Lite0 in place of VGG-16 (its weights come from a
    package, so no download), L1 in place of the squared distance, and each scale divided by the
    mean size of the true picture's features, so that all scales count alike.

    Args:
        encoder: takes RGB in [0, 1] ``(B, 3, H, W)`` and returns a list of feature maps, such as
            ``colorlab.encoders.EfficientNetLite0``. It is frozen, and kept in eval mode.
        scales: which of its maps to compare.
    """

    def __init__(self, encoder: nn.Module, scales: tuple[int, ...] = (0, 1, 2, 3)):
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.scales = scales

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Stays in eval mode: batch norm must not learn from the generator's pictures."""
        return super().train(False)

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """A scalar from two RGB pictures in [0, 1], ``(B, 3, H, W)``."""
        with torch.no_grad():
            wanted = self.encoder(true)
        got = self.encoder(predicted)
        terms = [
            (got[i] - wanted[i]).abs().mean() / wanted[i].abs().mean().clamp_min(1e-6)
            for i in self.scales
        ]
        return torch.stack(terms).mean()


@dataclass(frozen=True)
class DiversityLoss:
    """Rewards colorings that differ as their noise differs.

    Yang et al., "Diversity-Sensitive Conditional Generative Adversarial Networks" (ICLR 2019),
    section 4: maximize min(‖G(x, z₁) − G(x, z₂)‖ / ‖z₁ − z₂‖, τ), the mean over a batch. Both
    norms are mean absolute differences here, so that neither the picture's size nor the length
    of z changes the scale. The bound τ keeps the reward from growing for ever.

    Args:
        bound: τ, in the generator's units ([-1, 1] for ab or RGB) per unit of noise.
    """

    bound: float = 0.1

    def __call__(self, first: Tensor, second: Tensor, noise: Tensor, other: Tensor) -> Tensor:
        """A scalar, ``-bound`` at best and 0 where the noise changes nothing.

        Args:
            first, second: two colorings ``(B, C, H, W)`` of the same photos.
            noise, other: the noise of each, ``(B, N)``.
        """
        colors = (first - second).abs().flatten(1).mean(1)
        apart = (noise - other).abs().flatten(1).mean(1).clamp_min(1e-5)
        return -(colors / apart).clamp_max(self.bound).mean()


def _check_same_shape(predicted: Tensor, true: Tensor) -> None:
    if predicted.shape != true.shape:
        raise ValueError(
            f"predicted and true ab differ in shape: {tuple(predicted.shape)} and "
            f"{tuple(true.shape)}; broadcasting them would hide a mistake"
        )
