"""Lesson 05's widgets: what the weight of L1 does, and where each loss pulls a wrong color."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from colorlab.color import (
    AB_RANGE,
    denormalize_lab,
    lab_to_rgb,
    lightness_to_gray,
    normalize_lab,
    rgb_to_lab,
)
from colorlab.course.widgets import _plane
from colorlab.course.widgets._panel import Panel, choice, slider, steps
from colorlab.losses import ADVERSARIAL, AdversarialLoss
from colorlab.show import ORANGE, font, to_uint8
from colorlab.sources.bundled import lesson_file

# --- the weight of L1 ----------------------------------------------------------------------------

TILE = 100  # pixels, a photo of the grid
LABELS = 60  # pixels, the column of words at its left


def read_lambdas() -> dict[str, np.ndarray]:
    """What ``data/lessons/lambdas.py`` has written: its arrays by name. Nothing is unpickled."""
    with np.load(lesson_file("lambdas.npz"), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


class LambdaSlider(Panel):
    """What small GANs make of the same photos, each trained with another weight of L1."""

    def __init__(self) -> None:
        data = read_lambdas()
        self.weights = [int(weight) for weight in data["weights"]]
        self.error, self.chroma = data["error"], data["chroma"]
        self.error_of_gray = float(data["error_of_gray"])
        rgb = torch.from_numpy(data["rgb"])
        L, _ = normalize_lab(rgb_to_lab(rgb))
        ab = torch.from_numpy(data["ab"]).float() / AB_RANGE
        self.ours = [_line(lab_to_rgb(denormalize_lab(L, colors))) for colors in ab]
        self.gray, self.truth = _line(lightness_to_gray(L).expand(-1, 3, -1, -1)), _line(rgb)
        super().__init__(
            self._draw,
            {"weight": steps("λ, weight of L1", [(str(w), w) for w in self.weights], 100)},
            "Rows: gray input, ours, truth. The three photos at the left were trained on; those at "
            "the right are new to the network.",
        )

    def _draw(self, weight: int) -> tuple[np.ndarray, str]:
        index = self.weights.index(weight)
        rows = {"gray\ninput": self.gray, f"ours\nλ = {weight}": self.ours[index]}
        lines = [_labeled(text, line) for text, line in {**rows, "truth": self.truth}.items()]
        words = (
            f"λ = {weight}: on all test photos a and b are off by {self.error[index]:.1f} Lab "
            f"units on average (photos left gray: {self.error_of_gray:.1f}), and the mean chroma "
            f"is {self.chroma[index]:.2f} of the truth's."
        )
        return np.concatenate(lines), words


def _line(photos: Tensor) -> np.ndarray:
    """(N, 3, h, w) -> one row of tiles, uint8 (TILE, N * TILE, 3)."""
    tiles = [
        np.asarray(Image.fromarray(to_uint8(photo)).resize((TILE, TILE), Image.Resampling.BICUBIC))
        for photo in photos
    ]
    return np.concatenate(tiles, axis=1)


def _labeled(text: str, line: np.ndarray) -> np.ndarray:
    image = Image.new("RGB", (LABELS, len(line)), "white")
    ImageDraw.Draw(image).multiline_text((2, len(line) / 2), text, "#22262b", font(12), anchor="lm")
    return np.concatenate([np.asarray(image), line], axis=1)


# --- where each loss pulls -----------------------------------------------------------------------

SIDE = 420  # pixels of the plane
ARROWS = 15  # along each side
SPREAD = 9.0  # Lab units: how far the colors of one kind scatter
COLORS = ((50.0, 60.0), (10.0, -55.0), (-36.0, -8.0))  # orange, blue, teal balloons at L 60
SHARES = (0.4, 0.3, 0.3)
MEDIANS = (10.0, -8.0)  # of a and of b: what L1 predicts
KINDS = (
    ("L1", "l1"),
    ("L2", "l2"),
    ("BCE, non-saturating", "bce"),
    ("BCE, saturating", "minimax"),
    ("least squares", "lsgan"),
    ("hinge", "hinge"),
)


def draw_real(count: int, random: torch.Generator) -> Tensor:
    """`count` colors of balloons, (count, 2) in Lab units."""
    kinds = torch.multinomial(torch.tensor(SHARES), count, True, generator=random)
    return torch.tensor(COLORS)[kinds] + SPREAD * torch.randn(count, 2, generator=random)


def mean_color() -> Tensor:
    """The mean of all balloons: what L2 predicts, and what the generated colors lie around."""
    return torch.tensor(SHARES) @ torch.tensor(COLORS)


def train_discriminator(kind: str, steps: int = 250) -> nn.Module:
    """A small discriminator of colors in the ab plane, trained with one adversarial loss.

    Real colors are those of the balloons; the false ones lie around their mean. It takes (N, 2) in
    units of AB_RANGE and returns logits (N, 1). Its own random numbers: the learner's stay.
    """
    random = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):  # layers draw their first weights from torch's own
        discriminator = nn.Sequential(
            nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1)
        )
    with torch.no_grad():
        for parameter in discriminator.parameters():
            fan = parameter.shape[-1] if parameter.dim() > 1 else 1
            parameter.copy_(torch.randn(parameter.shape, generator=random) * (2.0 / fan**0.5))
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-3)
    loss = AdversarialLoss(kind)
    for _ in range(steps):
        real = draw_real(128, random)
        fake = mean_color() + SPREAD * torch.randn(128, 2, generator=random)
        cost = loss.discriminator(discriminator(real / AB_RANGE), discriminator(fake / AB_RANGE))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return discriminator.requires_grad_(False)


def cost_of(kind: str, discriminator: nn.Module | None, ab: Tensor) -> Tensor:
    """What a generator pays for each color, (N, 2) in Lab units -> (N,)."""
    if kind in ("l1", "l2"):
        away = (ab[:, None] - torch.tensor(COLORS)).abs() / AB_RANGE  # (N, 3, 2)
        each = (away if kind == "l1" else away**2).sum(-1)
        return each @ torch.tensor(SHARES)
    logits = discriminator(ab / AB_RANGE)[:, 0]
    if kind == "minimax":
        return -nn.functional.softplus(logits)  # log(1 - D): to be made small
    return ADVERSARIAL[kind][2](logits)


def pull_of(kind: str, discriminator: nn.Module | None, ab: Tensor) -> Tensor:
    """Where a small step down the loss moves each color: minus its gradient, (N, 2)."""
    with torch.enable_grad():
        ab = ab.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(cost_of(kind, discriminator, ab).sum(), ab)
    return -gradient * AB_RANGE


class PullArrows(Panel):
    """The ab plane with an arrow at each color: where a loss pulls this prediction.

    The photo leaves three colors possible, in different shares (the lesson's balloons). For the
    adversarial losses a small discriminator is trained to tell them from colors around their mean.
    """

    def __init__(self) -> None:
        self.discriminators = {kind: train_discriminator(kind) for kind in ADVERSARIAL}
        self.discriminators["minimax"] = self.discriminators["bce"]
        plane, _ = _plane.slice_at(60, SIDE)
        self.ground = _plane.draw_axes((255 - (255 - plane.astype(float)) * 0.45).astype(np.uint8))
        middles = ((torch.arange(ARROWS) + 0.5) / ARROWS * 2 - 1) * _plane.LIMIT
        self.grid = torch.cartesian_prod(middles, middles)
        super().__init__(
            self._draw,
            {
                "kind": choice("loss", KINDS, "l2"),
                "weight": slider("plus λ · L1", 0.0, 0.0, 5.0, 0.5),
            },
            "Rings: the balloons' colors, the more frequent the larger. Cross: their mean. Square: "
            "the medians of a and of b. An arrow points where the loss pulls; the thicker and "
            "longer, the stronger.",
            kind="png",
        )

    def pull(self, kind: str, weight: float, ab: Tensor) -> Tensor:
        pull = pull_of(kind, self.discriminators.get(kind), ab)
        return pull + weight * pull_of("l1", None, ab)

    def _draw(self, kind: str, weight: float) -> tuple[np.ndarray, str]:
        arrows = self.pull(kind, weight, self.grid)
        strength = arrows.norm(dim=1)
        image = Image.fromarray(self.ground)
        draw = ImageDraw.Draw(image)
        for (a, b), arrow, strong in zip(self.grid, arrows, strength, strict=True):
            share = float(strong / strength.max().clamp_min(1e-12)) ** 0.5
            _arrow(draw, float(a), float(b), arrow, share)
        for color, share in zip(COLORS, SHARES, strict=True):
            x, y = _plane.place(np.array(color), SIDE)
            radius = 28 * share**0.5
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline="black", width=3)
        x, y = _plane.place(mean_color().numpy(), SIDE)
        for dx, dy in ((1, 1), (1, -1)):
            draw.line([(x - 7 * dx, y - 7 * dy), (x + 7 * dx, y + 7 * dy)], fill=ORANGE, width=4)
        x, y = _plane.place(np.array(MEDIANS), SIDE)
        draw.rectangle([x - 5, y - 5, x + 5, y + 5], outline=ORANGE, width=3)
        at_mean = self.pull(kind, weight, mean_color()[None])[0]
        return np.asarray(image).copy(), _said(at_mean)


def _said(pull: Tensor) -> str:
    strength = float(pull.norm())
    if strength < 0.005:
        return "At the mean (the cross) the pull is 0: a prediction there stays there."
    names = ("red", "orange", "yellow", "olive", "green", "teal", "blue", "purple")
    degrees = math.degrees(math.atan2(float(pull[1]), float(pull[0]))) % 360
    return (
        f"At the mean (the cross) the pull is {strength:.2f} strong, toward "
        f"{names[round(degrees / 45) % 8]}."
    )


def _arrow(draw: ImageDraw.ImageDraw, a: float, b: float, arrow: Tensor, share: float) -> None:
    """An arrow whose middle is at (a, b) of the plane; `share`, 0 to 1, is its strength."""
    length = float(arrow.norm())
    if length < 1e-9 or share < 0.03:
        return
    x, y = _plane.place(np.array([a, b]), SIDE)
    ux, uy = float(arrow[0]) / length, -float(arrow[1]) / length
    half = 0.46 * SIDE / ARROWS * (0.35 + 0.65 * share)
    width = 1 + round(2 * share)
    end = (x + ux * half, y + uy * half)
    draw.line([(x - ux * half, y - uy * half), end], fill=_plane.INK, width=width)
    head = 3.5 + 3 * share
    back = (end[0] - ux * head, end[1] - uy * head)
    wings = [(back[0] - uy * head / 2, back[1] + ux * head / 2)]
    wings.append((back[0] + uy * head / 2, back[1] - ux * head / 2))
    tip = (end[0] + ux * 2, end[1] + uy * 2)
    draw.polygon([tip, *wings], fill=_plane.INK)
