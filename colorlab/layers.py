"""What the networks share: norms, random numbers of their own, the check of an input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    # affine, as batch norm is: the two differ in what they average over, and in nothing else
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}


class Dropout(nn.Dropout):
    """Dropout that draws from a generator of its own where it has one (``random``).

    So a run in the background and the notebook beside it don't share random numbers.
    """

    random: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.random is None or not self.training:
            return super().forward(x)
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.random)
        return x * keep.div_(1 - self.p)


class Noisy(nn.Module):
    """A network that may take noise beside its input, so that one photo has many colorings.

    Args:
        noise_channels: length of the random vector z; 0 for a network without.
    """

    def __init__(self, noise_channels: int = 0):
        super().__init__()
        self.noise_channels = noise_channels
        self._random: torch.Generator | None = None

    @property
    def random(self) -> torch.Generator | None:
        """What dropout and noise are drawn from; torch's own random numbers when it is None."""
        return self._random

    @random.setter
    def random(self, generator: torch.Generator | None) -> None:
        self._random = generator
        for module in self.modules():
            if isinstance(module, Dropout):
                module.random = generator

    def draw_noise(self, count: int, seed: int = 0) -> Tensor | None:
        """Draw z for ``count`` photos, ``(count, noise_channels)``; None where there is no noise.

        It is the same for the same seed on any device.
        """
        if not self.noise_channels:
            return None
        random = torch.Generator().manual_seed(seed)
        drawn = torch.randn(count, self.noise_channels, generator=random)
        return drawn.to(next(self.parameters()).device)

    def with_noise(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Lay z beside x ``(B, C, H, W)`` at every pixel; where it is None, it is drawn.

        Noise that differed from pixel to pixel would average out on the way down.

        Raises:
            ValueError: noise of another shape, or for a network that takes none.
        """
        if not self.noise_channels:
            if noise is not None:
                raise ValueError("this network was built with noise_channels=0 and takes no noise")
            return x
        shape = (x.shape[0], self.noise_channels, *x.shape[2:])
        if noise is None:
            noise = torch.randn(shape[:2], generator=self.random, device=x.device, dtype=x.dtype)
        if noise.shape not in (shape, shape[:2]):
            raise ValueError(
                f"expected noise of shape {shape[:2]} or {shape}, got {tuple(noise.shape)}"
            )
        noise = noise if noise.dim() == 4 else noise[:, :, None, None]
        return torch.cat([x, noise.expand(shape)], 1)


def check_choice(name: str, value: str, valid: tuple[str, ...]) -> None:
    """Refuse a choice that is none of ``valid``.

    Raises:
        ValueError: it is not; the message names them.
    """
    if value not in valid:
        raise ValueError(f"unknown {name} {value!r}; choose from {', '.join(valid)}")


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
