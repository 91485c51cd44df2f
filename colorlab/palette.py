"""Color as a distribution: the ab plane cut into bins, and back to one color.

A network that predicts one color a pixel learns the mean of what is plausible, and the mean of
a red and a blue balloon is brown. Here it predicts instead how likely each of 261 colors is:

    ab  --encode-->  shares of bins  --cross-entropy-->  logits  --annealed_mean-->  ab

Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016), section 2. They count 313 bins;
the lattice below finds the 261 whose bin holds a color of sRGB.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from colorlab.color import AB_RANGE, fit_gamut, lab_to_rgb, rgb_to_lab

WIDTH = 10.0  # of a bin, in CIE units
LATTICE = 48  # sRGB colors a side that are looked at to find the gamut
SIGMA = 5.0  # of the Gaussian that shares a color among bins, in CIE units
NEIGHBORS = 5  # bins that share it
SMALLEST = 0.01  # share of a color that is suggested
TEMPERATURE = 0.38  # Zhang et al., section 2.3


@cache
def bins() -> Tensor:
    """The centers of the bins that hold a color of sRGB, ``(261, 2)`` in CIE units, sorted."""
    side = torch.linspace(0, 1, LATTICE)
    rgb = torch.cartesian_prod(side, side, side).T[:, :, None]  # (3, 48³, 1)
    ab = rgb_to_lab(rgb)[1:, :, 0].T
    return torch.unique((ab / WIDTH).round(), dim=0) * WIDTH


COUNT = 261  # of the bins; a network's head is built with it


def encode(ab: Tensor) -> Tensor:
    """Share each pixel's color among its nearest bins, by a Gaussian of their distance.

    Zhang et al., section 2.2: five neighbors, σ = 5.

    Args:
        ab: ``(B, 2, H, W)`` in [-1, 1], as networks see it.

    Returns:
        ``(B, 261, H, W)`` shares, at least 0, the sum over bins 1.
    """
    where, shares = nearest(ab)
    return shares.new_zeros(*shares.shape[:3], COUNT).scatter_(-1, where, shares).movedim(-1, 1)


def nearest(ab: Tensor) -> tuple[Tensor, Tensor]:
    """The five nearest bins of each pixel, nearest first, and its share in each.

    Two ``(B, H, W, 5)``; ``encode`` is made of them.
    """
    pixels = _checked(ab, 2, "ab").movedim(1, -1) * AB_RANGE  # (B, H, W, 2)
    squared, where = _squared_distance(pixels, bins().to(ab.device)).topk(NEIGHBORS, largest=False)
    return where, torch.softmax(-squared / (2 * SIGMA**2), dim=-1)


def frequencies(ab: Tensor) -> Tensor:
    """How often each bin occurs in the photos ``ab`` ``(B, 2, H, W)``: ``(261,)``, the sum 1."""
    return encode(ab).mean((0, 2, 3))


def class_weights(frequency: Tensor, uniform: float = 0.5) -> Tensor:
    """What a pixel of each bin counts in the loss: rare colors more.

    Zhang et al., equation 4: w ∝ ((1 − λ) p + λ / Q)⁻¹ with λ = ``uniform``, scaled so that the
    mean weight of a pixel is 1. They smooth p by a Gaussian of σ = 5 before; here ``encode`` has
    done that.

    Args:
        frequency: ``(261,)``, the sum 1; see ``frequencies``.
        uniform: λ, in (0, 1]; 1 weighs all bins alike.

    Raises:
        ValueError: ``uniform`` outside (0, 1].
    """
    if not 0 < uniform <= 1:
        raise ValueError(f"uniform is the share of the uniform distribution, in (0, 1]: {uniform}")
    weights = 1 / ((1 - uniform) * frequency + uniform / len(frequency))
    return weights / (weights * frequency).sum()


def cross_entropy(logits: Tensor, ab: Tensor, weights: Tensor | None = None) -> Tensor:
    """The rebalanced cross-entropy of Zhang et al., equation 2; a scalar, the mean over pixels.

    Args:
        logits: ``(B, 261, h, w)``.
        ab: the truth, ``(B, 2, H, W)`` in [-1, 1], with H and W the same multiple of h and w; it is
            averaged down to them.
        weights: of the bins, ``(261,)``; a pixel has that of its likeliest bin. All 1 without.
    """
    _checked(logits, COUNT, "logits")
    with torch.no_grad():
        where, shares = nearest(F.adaptive_avg_pool2d(ab, logits.shape[-2:]))
    # The bins last: so they lie in memory where the network's layout is channels-last.
    chances = F.log_softmax(logits.movedim(1, -1).float(), dim=-1).gather(-1, where)
    loss = -(shares * chances).sum(-1)
    return loss.mean() if weights is None else (loss * weights[where[..., 0]]).mean()


def annealed_mean(logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The mean color of the distribution after it has been sharpened.

    Zhang et al., equation 5. Temperature 1 gives the mean, safe and brownish; toward 0 it becomes
    the mode, vivid and patchy.

    Args:
        logits: ``(B, 261, H, W)``.
        temperature: 0 to 1; 0 is ``mode``.

    Returns:
        ab, ``(B, 2, H, W)`` in [-1, 1].

    Raises:
        ValueError: a temperature outside 0 to 1.
    """
    if not 0 <= temperature <= 1:
        raise ValueError(f"temperature goes from 0 (the mode) to 1 (the mean), got {temperature}")
    if temperature == 0:
        return mode(logits)
    return sharpened_mean(_checked(logits, COUNT, "logits").float(), temperature)


def sharpened_mean(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Compute ``annealed_mean`` for a temperature above 0, also a tensor ``(1,)``."""
    shares = torch.softmax(logits / temperature, dim=1)
    return torch.einsum("bqhw,qc->bchw", shares, bins().to(logits.device)) / AB_RANGE


def mode(logits: Tensor) -> Tensor:
    """The color of the likeliest bin: ``(B, 261, H, W)`` -> ab ``(B, 2, H, W)`` in [-1, 1]."""
    likeliest = _checked(logits, COUNT, "logits").argmax(1)  # (B, H, W)
    return bins().to(logits.device)[likeliest].movedim(-1, 1) / AB_RANGE


class Suggestion(NamedTuple):
    """A color and how likely it is: ``color`` three integers 0 to 255, ``share`` in [0, 1]."""

    color: tuple[int, int, int]
    share: float


def top_colors(logits: Tensor, lightness: float, count: int = 3) -> list[Suggestion]:
    """The likeliest colors of one pixel, as sRGB of its lightness.

    Neighboring bins look alike. So the likeliest bin takes with it what lies within two widths of
    it, and the next color is looked for in the rest.

    Args:
        logits: ``(261,)``.
        lightness: L of the pixel, 0 to 100.
        count: how many colors at most; shares below 1 % are left out.
    """
    centers, left = bins(), torch.softmax(logits.detach().float().cpu(), dim=0)
    found = []
    while len(found) < count:
        peak = centers[int(left.argmax())]
        near = (centers - peak).norm(dim=1) <= 2 * WIDTH
        share = float(left[near].sum())
        if share < SMALLEST:
            break
        ab = (left[near, None] * centers[near]).sum(0) / share
        found.append(Suggestion(to_color(lightness, ab), share))
        left = left.masked_fill(near, 0)
    return sorted(found, key=lambda one: -one.share)


def to_color(lightness: float, ab: Tensor) -> tuple[int, int, int]:
    """The sRGB color of L (0 to 100) and ab (``(2,)``, CIE units).

    Chroma gives way where sRGB has no such color.
    """
    lab = torch.cat([torch.tensor([float(lightness)]), ab.cpu()])[:, None, None]
    rgb = lab_to_rgb(fit_gamut(lab)).flatten()
    return tuple((rgb * 255).round().int().tolist())


def _squared_distance(pixels: Tensor, centers: Tensor) -> Tensor:
    """``(..., 2)`` and ``(Q, 2)`` -> ``(..., Q)``, without a temporary for each coordinate."""
    squared = (pixels[..., :1] - centers[:, 0]).square_()
    return squared.add_((pixels[..., 1:] - centers[:, 1]).square_())


def _checked(x: Tensor, channels: int, name: str) -> Tensor:
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(f"{name} should be (B, {channels}, H, W), got {tuple(x.shape)}")
    return x
