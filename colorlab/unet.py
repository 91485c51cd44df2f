"""The U-Net generator: the gray picture goes down to a few numbers and comes back up as color.

    L ─► down 0 ─► down 1 ─► … ─► down n ─┐        each down halves the picture,
           │skip      │skip               │        each up doubles it again;
    ab ◄─ up n  ◄─  up n-1 ◄─  … ◄─ up 0 ◄┘        a skip carries the detail across.

Ronneberger et al., "U-Net" (MICCAI 2015), with the blocks of Isola et al., "Image-to-Image
Translation with Conditional Adversarial Networks" (CVPR 2017, pix2pix), section 6.1.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from colorlab.layers import NORMS, Dropout, Noisy, check_choice, check_input

UPSAMPLING = ("transposed", "resize")


def down(inputs: int, outputs: int, norm: str | None = "batch") -> nn.Sequential:
    """A block that halves the map: LeakyReLU, convolution, norm."""
    layers = [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
    if norm:
        layers.append(NORMS[norm](outputs))
    return nn.Sequential(*layers)


def up(
    inputs: int, outputs: int, norm: str = "batch", upsampling: str = "transposed", drop: float = 0
) -> nn.Sequential:
    """A block that doubles the map: ReLU, transposed convolution, norm, dropout."""
    layers = [nn.ReLU(), *double(inputs, outputs, upsampling), NORMS[norm](outputs)]
    if drop:
        layers.append(Dropout(drop))
    return nn.Sequential(*layers)


def output_block(inputs: int, outputs: int, upsampling: str = "transposed") -> nn.Sequential:
    """The outermost up block: colors between -1 and 1."""
    return nn.Sequential(nn.ReLU(), *double(inputs, outputs, upsampling, bias=True), nn.Tanh())


def double(inputs: int, outputs: int, upsampling: str, bias: bool = False) -> list[nn.Module]:
    """The layers that double height and width: transposed, or enlarged and then convolved."""
    if upsampling == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)]
    enlarge = nn.Upsample(scale_factor=2, mode="nearest")
    return [enlarge, nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)]


def walk(downs: Iterable[nn.Module], ups: Sequence[nn.Module], x: Tensor) -> Tensor:
    """Send x down, keeping each map, and up again, joining each with the map of its size."""
    skips = []
    for down_block in downs:
        x = down_block(x)  # (B, C, H, W) -> (B, C', H/2, W/2)
        skips.append(x)
    x = ups[0](skips.pop())
    for up_block in ups[1:]:
        x = up_block(torch.cat([x, skips.pop()], 1))  # (B, C, H, W) -> (B, C', 2H, 2W)
    return x


class UNet(Noisy):
    """A U-Net of any depth.

    Args:
        levels: how often the picture is halved; 8 brings 256 × 256 down to 1 × 1.
        base: channels after the first down block; they double at each level.
        cap: the most channels any block has.
        norm: ``"batch"`` or ``"instance"``. The innermost down block has none, as in the code of
            pix2pix: one value a channel has no variance at 1 × 1.
        dropout: probability in the first three up blocks, as in pix2pix; never in the outermost.
        noise_channels: length of the random vector z that is laid beside L at every pixel, so that
            one photo has many colorings (Zhu et al., "Toward Multimodal Image-to-Image
            Translation", NIPS 2017, section 3).
        upsampling: ``"transposed"`` convolutions as in pix2pix, or ``"resize"``, nearest-neighbor
            enlargement before a convolution, which leaves no checkerboard (Odena et al.,
            "Deconvolution and Checkerboard Artifacts", Distill 2016).
        in_channels, out_channels: 1 and 2 for L → ab; 1 and 3 for gray → RGB.
    """

    def __init__(
        self,
        levels: int = 8,
        base: int = 64,
        cap: int = 512,
        norm: str = "batch",
        dropout: float = 0.5,
        noise_channels: int = 0,
        upsampling: str = "transposed",
        in_channels: int = 1,
        out_channels: int = 2,
    ):
        super().__init__(noise_channels)
        if levels < 2:
            raise ValueError(f"a U-Net needs at least 2 levels, got {levels}")
        check_choice("norm", norm, tuple(NORMS))
        check_choice("upsampling", upsampling, UPSAMPLING)
        self.levels, self.in_channels = levels, in_channels
        c = [min(base * 2**level, cap) for level in range(levels)]  # channels after each down block

        inputs = in_channels + noise_channels
        first = nn.Sequential(nn.Conv2d(inputs, c[0], 4, stride=2, padding=1, bias=False))
        middle = [down(c[i - 1], c[i], norm) for i in range(1, levels - 1)]
        self.downs = nn.ModuleList([first, *middle, down(c[-2], c[-1], norm=None)])
        self.ups = nn.ModuleList()
        for i in reversed(range(1, levels)):
            inputs = c[i] if i == levels - 1 else 2 * c[i]  # twice: the skip comes beside
            drop = dropout if i >= levels - 3 else 0
            self.ups.append(up(inputs, c[i - 1], norm, upsampling, drop))
        self.ups.append(output_block(2 * c[0], out_channels, upsampling))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Color a batch.

        Args:
            x: L in [-1, 1], ``(B, in_channels, H, W)``; H and W multiples of ``stride``.
            noise: standard normal z, ``(B, noise_channels)``, or ``(B, noise_channels, H, W)``
                for one that changes over the picture; drawn when it is left out.

        Returns:
            ab in [-1, 1], ``(B, out_channels, H, W)``.

        Raises:
            ValueError: a shape that the network can't take; the message names the nearest it can.
        """
        check_input(x, self.in_channels, self.stride, f"a U-Net of {self.levels} levels")
        return walk(self.downs, self.ups, self.with_noise(x, noise))

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this."""
        return 2**self.levels


def colors_of(generator: nn.Module, inputs: Tensor, seed: int = 0) -> Tensor:
    """What a generator of this course predicts; its noise comes from ``seed``.

    Args:
        inputs: L or gray, ``(B, 1, H, W)`` in [-1, 1].

    Returns:
        ab or RGB, ``(B, C, H, W)`` in [-1, 1], float32.
    """
    noise = [generator.draw_noise(len(inputs), seed)] if hasattr(generator, "draw_noise") else []
    return generator(inputs, *noise).float()
