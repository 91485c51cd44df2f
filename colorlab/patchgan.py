"""The PatchGAN discriminator: a grid of logits, each about one patch of the picture.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017),
sections 3.2.2 and 6.1.2. Conditional or not is a matter of its input channels: [L, ab] has
three, only ab has two.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from colorlab.layers import NORMS, check_choice

HEADS = ("patch", "image")


def patchgan(
    inputs: int,
    base: int,
    layers: int,
    norm: str = "batch",
    spectral: bool = False,
    head: str = "patch",
) -> nn.Sequential:
    """A stack of 4 × 4 convolutions that ends in logits; ``layers`` of them have stride 2."""
    limit = spectral_norm if spectral else lambda module: module
    parts = [limit(nn.Conv2d(inputs, base, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
    before = base
    for i in range(1, layers + 1):
        # The last keeps the size: it widens what a logit sees without shrinking the map.
        after, stride = base * min(2**i, 8), 2 if i < layers else 1
        normed = [] if norm == "none" else [NORMS[norm](after)]
        convolution = nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=not normed)
        parts += [limit(convolution), *normed, nn.LeakyReLU(0.2)]
        before = after
    if head == "patch":
        parts.append(limit(nn.Conv2d(before, 1, 4, stride=1, padding=1)))
    else:
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), limit(nn.Linear(before, 1))]
    return nn.Sequential(*parts)


class PatchGAN(nn.Module):
    """The discriminator, for any size from ``smallest`` pixels a side on.

    Its logits have no sigmoid behind them: the losses own it.

    Args:
        in_channels: 3 for [L, ab], 2 for ab, 4 for [gray, RGB].
        base: channels after the first convolution; they double up to 8 × base.
        layers: how many convolutions halve the picture. Receptive fields for 1 to 5:
            16, 34, 70, 142, 286 pixels.
        norm: ``"batch"``, ``"instance"`` or ``"none"``.
        spectral: divide each weight by its largest singular value (Miyato et al., "Spectral
            Normalization for GANs", ICLR 2018).
        head: ``"patch"``, one logit a patch ``(B, 1, h, w)``; or ``"image"``, one an image
            ``(B, 1)``, from the mean of the last features.

    Raises:
        ValueError: an unknown norm or head, no layer; in ``forward``, other channels, or a picture
            below ``smallest``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        base: int = 64,
        layers: int = 3,
        norm: str = "batch",
        spectral: bool = False,
        head: str = "patch",
    ):
        super().__init__()
        if layers < 1:
            raise ValueError(f"a PatchGAN needs at least one strided layer, got {layers}")
        check_choice("norm", norm, (*NORMS, "none"))
        check_choice("head", head, HEADS)
        self.in_channels = in_channels
        # Halving rounds down; then a 4 × 4 convolution of padding 1 takes one pixel off each time.
        self.smallest = 2**layers * (3 if head == "patch" else 2)
        self.layers = patchgan(in_channels, base, layers, norm, spectral, head)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, positive for what looks real.

        Args:
            x: ``(B, in_channels, H, W)`` in [-1, 1].

        Returns:
            One logit a patch, ``(B, 1, h, w)``, or one a photo, ``(B, 1)``.
        """
        self._check(x)
        return self.layers(x)

    def _check(self, x: Tensor) -> None:
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"this discriminator was built for (B, {self.in_channels}, H, W), got "
                f"{tuple(x.shape)}; a conditional one sees torch.cat([L, ab], 1), an "
                f"unconditional one only ab"
            )
        if min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"this discriminator needs pictures of at least {self.smallest} pixels a side, got "
                f"{tuple(x.shape[2:])}; use larger pictures or fewer layers (each halves them)"
            )


def receptive_field(module: nn.Module) -> float:
    """How many pixels along one side a single output of ``module`` sees.

    Walks the module's own layers in their order. The jump is the distance in pixels between
    neighboring outputs. A layer makes field ← field + (kernel − 1) · dilation · jump and
    jump ← jump · stride; norms are left out. ``math.inf`` where a layer sees the whole map.
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), and Araujo et
    al., "Computing Receptive Fields of Convolutional Neural Networks" (Distill 2019), equation 2.

    Raises:
        ValueError: a layer enlarges the picture, or is not square.
    """
    field, jump = 1, 1
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            kernel, stride = _same_both_ways(layer.kernel_size), _same_both_ways(layer.stride)
            field += (kernel - 1) * _same_both_ways(getattr(layer, "dilation", 1)) * jump
            jump *= stride
        elif isinstance(layer, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)):
            return math.inf
        elif isinstance(layer, (nn.ConvTranspose2d, nn.Upsample)):
            raise ValueError(
                f"{type(layer).__name__} enlarges the picture; receptive_field is for networks "
                f"that only shrink it, such as a discriminator or the way down of a U-Net"
            )
    return field


def _same_both_ways(value: int | tuple[int, ...]) -> int:
    if isinstance(value, int):
        return value
    if len(set(value)) != 1:
        raise ValueError(f"expected the same number along both sides, got {value}")
    return value[0]
