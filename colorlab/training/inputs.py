"""The generator's inputs and their target, out of any batch of photos.

A data set says in ``holds`` what its uint8 batches are; a recipe says in ``generator.predicts``
what its generator predicts. Every pair of the two is converted here, a whole batch at a time, on
the device that trains.

    holds                                    predicts
    "rgb"       (B, 3, H, W)  photos         "ab"   L (B, 1, H, W)    → ab (B, 2, H, W)
    "gray+rgb"  (B, 4, H, W)  gray, photo    "rgb"  gray (B, 1, H, W) → RGB (B, 3, H, W)
    "lab8"      (B, 3, H, W)  8-bit Lab

Inputs and targets all lie in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from colorlab.color import denormalize_lab, lab8_to_lab, lab_to_rgb, normalize_lab, rgb_to_lab

HOLDS = {"rgb": 3, "gray+rgb": 4, "lab8": 3}
# The weights of ITU-R BT.601, section 2.5.1, by which picture files are usually turned to gray.
LUMA = (0.299, 0.587, 0.114)


@torch.no_grad()
def inputs_and_target(batch: Tensor, holds: str, predicts: str) -> tuple[Tensor, Tensor]:
    """The inputs of the generator, and the target: what it should predict.

    Args:
        batch: uint8, of the form that ``holds`` names; see the module.

    Raises:
        ValueError: the batch has not the channels that ``holds`` promises.
    """
    if batch.dim() != 4 or batch.shape[1] != HOLDS[holds]:
        raise ValueError(
            f"a batch of {holds!r} photos is (B, {HOLDS[holds]}, H, W), got {tuple(batch.shape)}"
        )
    if predicts == "ab":
        if holds == "lab8":
            return normalize_lab(lab8_to_lab(batch))
        lightness, ab = normalize_lab(rgb_to_lab(batch[:, -3:]))
        if holds == "gray+rgb":  # the lightness is that of the gray file
            lightness, _ = normalize_lab(rgb_to_lab(batch[:, :1].expand(-1, 3, -1, -1)))
        return lightness, ab
    rgb = lab_to_rgb(lab8_to_lab(batch)) if holds == "lab8" else batch[:, -3:].float() / 255
    if holds == "gray+rgb":
        gray = batch[:, :1].float() / 255
    else:
        weights = torch.tensor(LUMA, device=rgb.device).view(1, 3, 1, 1)
        gray = (rgb * weights).sum(1, keepdim=True)
    return gray * 2 - 1, rgb * 2 - 1


def picture(inputs: Tensor, prediction: Tensor, predicts: str) -> Tensor:
    """The colored photos, RGB in [0, 1], ``(B, 3, H, W)``; differentiable."""
    if predicts == "ab":
        return lab_to_rgb(denormalize_lab(inputs, prediction))
    return (prediction + 1) / 2


def gray_prediction(inputs: Tensor, predicts: str) -> Tensor:
    """The prediction that leaves the photos gray: what any generator has to beat."""
    if predicts == "ab":
        return torch.zeros_like(inputs).expand(-1, 2, -1, -1)
    return inputs.expand(-1, 3, -1, -1)
