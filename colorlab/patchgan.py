"""The PatchGAN discriminator: a grid of verdicts, each on one patch of the picture.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017),
sections 3.2.2 and 6.1.2. Conditional or not is a matter of the channels it is given: [L, ab] has
three, ab alone has two.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from colorlab.unet import NORMS

HEADS = ("patch", "image")


class PatchGAN(nn.Module):
    """A stack of 4 × 4 convolutions that ends in logits; the losses own the sigmoid.

    It takes any size from ``smallest`` pixels a side on.

    Args:
        in_channels: 3 for [L, ab], 2 for ab alone, 4 for [gray, RGB].
        base: channels after the first convolution; they double up to 8 × base.
        layers: how many convolutions halve the picture. Receptive fields for 1 to 5:
            16, 34, 70, 142, 286 pixels.
        norm: ``"batch"``, ``"instance"`` or ``"none"``.
        spectral: divide each weight by its largest singular value (Miyato et al., "Spectral
            Normalization for GANs", ICLR 2018).
        head: ``"patch"``, one logit a patch ``(B, 1, h, w)``; or ``"image"``, one an image
            ``(B, 1)``, from the mean of the last features.
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
        if norm != "none" and norm not in NORMS:
            raise ValueError(f"unknown norm {norm!r}; choose from {', '.join(NORMS)}, none")
        if head not in HEADS:
            raise ValueError(f"unknown head {head!r}; choose from {', '.join(HEADS)}")
        self.in_channels = in_channels
        # Halving rounds down; then a 4 × 4 convolution of padding 1 takes one pixel off each time.
        self.smallest = 2**layers * (3 if head == "patch" else 2)
        limit = spectral_norm if spectral else lambda module: module

        modules: list[nn.Module] = []
        inputs = in_channels
        for level in range(layers + 1):
            outputs = base * min(2**level, 8)
            # The last keeps the size: it widens what a logit sees without shrinking the map.
            stride = 2 if level < layers else 1
            normed = norm != "none" and level > 0
            modules.append(limit(nn.Conv2d(inputs, outputs, 4, stride, 1, bias=not normed)))
            if normed:
                modules.append(NORMS[norm](outputs))
            modules.append(nn.LeakyReLU(0.2))
            inputs = outputs
        if head == "patch":
            modules.append(limit(nn.Conv2d(inputs, 1, 4, 1, 1)))
        else:
            modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), limit(nn.Linear(inputs, 1))]
        self.layers = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(B, in_channels, H, W)``: positive for what looks real."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"this discriminator was built for (B, {self.in_channels}, H, W), got "
                f"{tuple(x.shape)}; a conditional one sees torch.cat([L, ab], 1), an "
                f"unconditional one ab alone"
            )
        if min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"this discriminator needs pictures of at least {self.smallest} pixels a side, got "
                f"{tuple(x.shape[2:])}; use larger pictures or fewer layers (each halves them)"
            )
        return self.layers(x)


def receptive_field(module: nn.Module) -> float:
    """How many pixels along one side a single output of ``module`` sees.

    Walks the module's own layers in their order: with field r and jump j (the distance in pixels
    between neighboring outputs), a kernel k of stride s and dilation d makes
    r ← r + (k − 1)·d·j and j ← j·s. ``math.inf`` where a layer sees the whole map. Dumoulin and
    Visin, "A guide to convolution arithmetic for deep learning" (2016), and Araujo et al.,
    "Computing Receptive Fields of Convolutional Neural Networks" (Distill 2019), equation 2.

    Raises:
        ValueError: a layer enlarges the picture, or is not square.
    """
    field, jump = 1, 1
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            kernel, stride = _square(layer.kernel_size), _square(layer.stride)
            field += (kernel - 1) * _square(getattr(layer, "dilation", 1)) * jump
            jump *= stride
        elif isinstance(layer, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)):
            return math.inf
        elif isinstance(layer, (nn.ConvTranspose2d, nn.Upsample)):
            raise ValueError(
                f"{type(layer).__name__} enlarges the picture; receptive_field is for networks "
                f"that only shrink it, such as a discriminator or the way down of a U-Net"
            )
    return field


def _square(value: int | tuple[int, ...]) -> int:
    if isinstance(value, int):
        return value
    if len(set(value)) != 1:
        raise ValueError(f"expected the same number along both sides, got {value}")
    return value[0]
