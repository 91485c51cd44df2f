"""The U-Net generator: the gray picture goes down to a few numbers and comes back up as color.

    L ─► down 0 ─► down 1 ─► … ─► down n ─┐        each down halves the picture,
           │skip      │skip               │        each up doubles it again;
    ab ◄─ up n  ◄─  up n-1 ◄─  … ◄─ up 0 ◄┘        a skip carries the detail across.

Ronneberger et al., "U-Net" (MICCAI 2015), with the blocks of Isola et al., "Image-to-Image
Translation with Conditional Adversarial Networks" (CVPR 2017, pix2pix), section 6.1.1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    # affine, as batch norm is: the two differ in what they average over, and in nothing else
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
UPSAMPLING = ("transposed", "resize")


def widths(levels: int, base: int, cap: int) -> list[int]:
    """Channels after each down block: ``base``, doubled at each level, never above ``cap``."""
    return [min(base * 2**level, cap) for level in range(levels)]


class UNet(nn.Module):
    """A U-Net of any depth: two lists of blocks and a loop.

    Args:
        levels: how often the picture is halved; 8 brings 256 × 256 down to 1 × 1.
        base: channels after the first down block; they double at each level.
        cap: the most channels any block has.
        norm: ``"batch"`` or ``"instance"``.
        dropout: probability in the first three up blocks (fewer where the network is shallower;
            never in the outermost), as in pix2pix.
        noise_channels: length of the random vector z that is laid beside L at every pixel, so that
            one photo has many colorings (as in Zhu et al., "Toward Multimodal Image-to-Image
            Translation", NIPS 2017, section 3; noise that differs from pixel to pixel would
            average out on the way down).
        upsampling: ``"transposed"`` convolutions as in pix2pix, or ``"resize"``, nearest-neighbor
            enlargement before a convolution, which leaves no checkerboard (Odena et al.,
            "Deconvolution and Checkerboard Artifacts", Distill 2016).
        in_channels, out_channels: 1 and 2 for L → ab; 1 and 3 for gray → RGB.

    Attributes:
        random: the generator that dropout and noise are drawn from; torch's own when it is None.

    Departure from pix2pix: the innermost level has no norm on its way down (as in the authors'
    code), since one value a channel has no variance at 1 × 1.
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
        super().__init__()
        if levels < 2:
            raise ValueError(f"a U-Net needs at least 2 levels, got {levels}")
        if norm not in NORMS:
            raise ValueError(f"unknown norm {norm!r}; choose from {', '.join(NORMS)}")
        if upsampling not in UPSAMPLING:
            raise ValueError(
                f"unknown upsampling {upsampling!r}; choose from {', '.join(UPSAMPLING)}"
            )
        self.levels = levels
        self.noise_channels = noise_channels
        self._random: torch.Generator | None = None
        self.in_channels = in_channels
        make_norm = NORMS[norm]
        channels = widths(levels, base, cap)

        self.downs = nn.ModuleList()
        inputs = in_channels + noise_channels
        for level, outputs in enumerate(channels):
            outermost, innermost = level == 0, level == levels - 1
            layers: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2)]
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
            if not (outermost or innermost):
                layers.append(make_norm(outputs))
            self.downs.append(nn.Sequential(*layers))
            inputs = outputs

        self.ups = nn.ModuleList()
        for level in reversed(range(levels)):
            innermost, outermost = level == levels - 1, level == 0
            # All but the innermost up block also get the skip: twice the channels.
            inputs = channels[level] * (1 if innermost else 2)
            outputs = out_channels if outermost else channels[level - 1]
            layers = [nn.ReLU(), *_double(inputs, outputs, upsampling, bias=outermost)]
            layers.append(nn.Tanh() if outermost else make_norm(outputs))
            if dropout and level >= max(levels - 3, 1):
                layers.append(Dropout(dropout))
            self.ups.append(nn.Sequential(*layers))

    @property
    def random(self) -> torch.Generator | None:
        return self._random

    @random.setter
    def random(self, generator: torch.Generator | None) -> None:
        self._random = generator
        for module in self.modules():
            if isinstance(module, Dropout):
                module.random = generator

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this."""
        return 2**self.levels

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Color a batch.

        Args:
            x: L in [-1, 1], ``(B, in_channels, H, W)``; H and W multiples of ``2**levels``.
            noise: standard normal z, ``(B, noise_channels)``, or ``(B, noise_channels, H, W)``
                for one that changes over the picture; drawn when it is left out.

        Returns:
            ab in [-1, 1], ``(B, out_channels, H, W)``.

        Raises:
            ValueError: a shape that the network can't take; the message names the nearest it can.
        """
        check_input(x, self.in_channels, self.stride, f"a U-Net of {self.levels} levels")
        if self.noise_channels:
            x = torch.cat([x, self._noise(x, noise)], 1)
        elif noise is not None:
            raise ValueError("this U-Net was built with noise_channels=0 and takes no noise")
        skips: list[Tensor] = []
        for down in self.downs:
            x = down(x)  # (B, C, H, W) -> (B, C', H/2, W/2)
            skips.append(x)
        x = self.ups[0](skips.pop())
        for up in self.ups[1:]:
            x = up(torch.cat([x, skips.pop()], 1))  # (B, C, H, W) -> (B, C', 2H, 2W)
        return x

    def draw_noise(self, count: int, seed: int = 0) -> Tensor | None:
        """z for ``count`` photos, ``(count, noise_channels)``, the same for the same seed on any
        device; None for a network without noise."""
        if not self.noise_channels:
            return None
        drawn = torch.randn(
            count, self.noise_channels, generator=torch.Generator().manual_seed(seed)
        )
        return drawn.to(next(self.parameters()).device)

    def _noise(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """z at every pixel, (B, noise_channels, H, W)."""
        shape = (x.shape[0], self.noise_channels, *x.shape[2:])
        if noise is None:
            noise = torch.randn(shape[:2], generator=self.random, device=x.device, dtype=x.dtype)
        if noise.shape not in (shape, shape[:2]):
            raise ValueError(
                f"expected noise of shape {shape[:2]} or {shape}, got {tuple(noise.shape)}"
            )
        return (noise if noise.dim() == 4 else noise[:, :, None, None]).expand(shape)


def colors_of(generator: nn.Module, given: Tensor, seed: int = 0) -> Tensor:
    """What a generator of this course answers, float32; what noise it takes comes from ``seed``."""
    noise = [generator.draw_noise(len(given), seed)] if hasattr(generator, "draw_noise") else []
    return generator(given, *noise).float()


class Dropout(nn.Dropout):
    """``nn.Dropout`` that draws from a generator of its own where it has one (``random``), so that
    a run in the background and the notebook beside it don't share random numbers."""

    random: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.random is None or not self.training:
            return super().forward(x)
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.random)
        return x * keep.div_(1 - self.p)


def check_input(x: Tensor, channels: int, stride: int, who: str) -> None:
    """Refuse a batch that a network which halves the picture down to 1 / ``stride`` can't take.

    Args:
        who: the network's name, as the message should begin.

    Raises:
        ValueError: not ``(B, channels, H, W)``, or H or W no multiple of ``stride``; then the
            message names the nearest sizes.
    """
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(
            f"{who} takes (B, {channels}, H, W), got {tuple(x.shape)}"
            + ("; a single picture needs a batch dimension: x[None]" if x.dim() == 3 else "")
        )
    for name, size in (("height", x.shape[2]), ("width", x.shape[3])):
        if size == 0 or size % stride:
            below = size // stride * stride
            nearest = f"{below} or {below + stride}" if below else str(stride)
            raise ValueError(
                f"{who} halves the picture {stride.bit_length() - 1} times, so its {name} must be "
                f"a multiple of {stride}; got {size}. Nearest: {nearest}. Resize or pad it, or "
                f"build a network that halves it less often."
            )


def _double(inputs: int, outputs: int, upsampling: str, bias: bool) -> list[nn.Module]:
    if upsampling == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)]
    return [
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias),
    ]
