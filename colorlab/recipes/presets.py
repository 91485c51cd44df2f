"""The recipes that have a name: five reference systems, what the bundled weights were trained with,
two for a GPU, and small ones to try things out. ``colorlab.recipes.get`` finds them."""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path

from colorlab.recipes.recipe import (
    DataConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    ObjectiveConfig,
    OptimizationConfig,
    Recipe,
    Stage,
)

# --- five systems that the course reproduces ------------------------------------------------------

_UNET_PERCEPTUAL = Recipe(
    name="unet-perceptual",
    about="U-Net and PatchGAN; adversarial, L1 and perceptual loss together.",
    objective=ObjectiveConfig(perceptual_weight=10.0),
    stages=(Stage("adversarial", 40_000, 256, 16),),
)

# Its D loss is the plain sum of the two halves, as in Goodfellow et al. (2014), equation 1.
_LAB_PIX2PIX = Recipe(
    name="lab-pix2pix",
    about="pix2pix in Lab: conditional PatchGAN, BCE (summed) + 100 L1.",
    objective=ObjectiveConfig(halved=False),
    stages=(Stage("adversarial", 100_000, 256, 16),),
)

# Isola et al. (CVPR 2017, section 3.1) found that a generator learns to ignore such noise. Ours did
# not, within 2,000 steps on the bundled photos at 64 pixels; but the reward for diversity brought
# the colorings of a photo from 14 to 24 Lab units apart, at the same error.
_NOISE_UNET = Recipe(
    name="noise-unet",
    about="A U-Net with a random input z: many colorings of one photo.",
    generator=GeneratorConfig(levels=7, dropout=0.0, noise_channels=8),
    objective=ObjectiveConfig(diversity_weight=1.0),
    stages=(Stage("adversarial", 20_000, 128, 16),),
)

_RGB_PIX2PIX = Recipe(
    name="rgb-pix2pix",
    about="pix2pix from gray to RGB at 256 pixels: 8 levels, 70-pixel PatchGAN, BCE + 100 L1.",
    # Enlarged to 286 and cut to 256, as pix2pix does (section 6.2).
    data=DataConfig(scale=(286 / 256, 286 / 256)),
    generator=GeneratorConfig(predicts="rgb"),
    objective=ObjectiveConfig(halved=False),
    stages=(Stage("adversarial", 40_000, 256, 16),),
)

_AB_NPY = Recipe(
    name="ab-npy",
    about="L and ab arrays of 224 pixels; a discriminator that sees only ab, one logit a photo.",
    data=DataConfig(scale=(1.0, 1.0)),
    generator=GeneratorConfig(levels=5, dropout=0.0),
    discriminator=DiscriminatorConfig(conditional=False, head="image"),
    objective=ObjectiveConfig(halved=False),
    optimization=OptimizationConfig(ask_each_epoch=True),
    stages=(Stage("adversarial", 125_000, 224, 16),),  # 100 epochs of 20,000 photos
)

# --- others ---------------------------------------------------------------------------------------

_TINY = Recipe(
    name="tiny",
    about="A small pix2pix at 64 pixels: minutes on a laptop, for trying things out.",
    generator=GeneratorConfig(levels=5, base=32, cap=256),
    discriminator=DiscriminatorConfig(base=32, layers=2),
    objective=ObjectiveConfig(color_weight=50.0),
    stages=(Stage("pretrain", 300, 64, 16), Stage("adversarial", 300, 64, 16)),
)

# What they differ in is the question: one color for each pixel, or how likely each color is. The
# regression's loss weighs all pixels alike, so that its colors are the mean of what could be.
_REGRESSION = Recipe(
    name="regression",
    about="Pretrained encoder, minutes on a CPU: one color a pixel, the color loss alone.",
    data=DataConfig(hinted=0.5),
    generator=GeneratorConfig(kind="hint-unet", head="ab"),
    objective=ObjectiveConfig(color="huber"),
    optimization=OptimizationConfig(betas=(0.9, 0.99), weight_decay=0.01, encoder_rate=0.2),
    stages=(Stage("pretrain", 500, 64, 16, 1e-3, schedule="cosine", warmup=20),),
)

_DISTRIBUTION = dataclasses.replace(
    _REGRESSION,
    name="distribution",
    about="The same with a distribution over 261 colors, its cross-entropy alone.",
    generator=dataclasses.replace(_REGRESSION.generator, head="bins"),
    objective=dataclasses.replace(_REGRESSION.objective, color_weight=0.0, palette_weight=1.0),
)

_STARTER = Recipe(
    name="starter",
    about="What the bundled weights were trained with: hints, a distribution, no adversary.",
    data=DataConfig(scale=(1.0, 1.5), hinted=0.5),
    generator=GeneratorConfig(kind="hint-unet"),
    objective=ObjectiveConfig(
        color="huber", color_weight=100.0, chroma_weight=3.0, palette_weight=1.0
    ),
    optimization=OptimizationConfig(
        betas=(0.9, 0.99), weight_decay=0.01, encoder_rate=0.2, average=0.998
    ),
    stages=(
        Stage("pretrain", 1095, 96, 32, 2e-3, warmup=200, balance=0.6),
        Stage("pretrain", 1000, 128, 32, 1.2e-3, schedule="cosine", warmup=40, balance=0.6),
        Stage("pretrain", 2600, 96, 32, 1.5e-3, warmup=100, balance=0.6),
        Stage("pretrain", 2200, 128, 32, 1.2e-3, schedule="cosine", warmup=40, balance=0.6),
    ),
)

_STARTER_ADVERSARIAL = dataclasses.replace(
    _STARTER,
    name="starter-adversarial",
    about="The starter, then a short adversarial stage: hinge loss, spectral norm.",
    discriminator=DiscriminatorConfig(base=32, norm="none", spectral=True, reduce=2),
    objective=dataclasses.replace(_STARTER.objective, adversarial="hinge", adversarial_weight=0.1),
    stages=(*_STARTER.stages, Stage("adversarial", 300, 128, 32, 5e-5, 2e-4, balance=0.6)),
)

# --- for a GPU, at 256 pixels ---------------------------------------------------------------------

# Rates and weights are the starter's, which had this batch at 128 pixels; the perceptual weight
# is that of unet-perceptual. The adversarial stage is short: in DeOldify's "NoGAN" colors got
# better for 1 to 3 % of ImageNet, and then only changed. That is up to 38,000 photos; here
# 64,000, because the discriminator has not trained before. β₁ is 0.5 in both stages, for Adam
# keeps its state: with 0.9 the game oscillates (Radford et al., "Unsupervised Representation
# Learning with DCGANs", ICLR 2016, section 4). The discriminator's rate is the higher one (Heusel
# et al., "GANs Trained by a Two Time-Scale Update Rule", NIPS 2017), and it looks at half size,
# where ab is predicted. The generator takes no hints: to count them makes a GPU wait, and torch's
# compiler begin anew.
_ENCODER_256 = Recipe(
    name="encoder-256",
    about="For a GPU, 256 pixels: pretrained encoder; color and perceptual loss, then adversarial.",
    generator=GeneratorConfig(kind="encoder-unet"),
    discriminator=DiscriminatorConfig(norm="none", spectral=True, reduce=2),
    objective=ObjectiveConfig(
        adversarial="hinge",
        adversarial_weight=0.1,
        color="huber",
        chroma_weight=3.0,
        perceptual_weight=10.0,
    ),
    optimization=OptimizationConfig(weight_decay=0.01, encoder_rate=0.2, average=0.999),
    stages=(
        Stage("pretrain", 20_000, 256, 32, 1.2e-3, schedule="cosine", warmup=200, balance=0.6),
        Stage("adversarial", 2_000, 256, 32, 5e-5, 2e-4, warmup=100, balance=0.6),
    ),
)

# pix2pix as its paper colors photos: sections 3.2 and 3.3, and 6.2 for batch, rates and crops
# without enlarging. It saw 1.2 million photos six times; here, as many as encoder-256 sees.
_PIX2PIX_256 = Recipe(
    name="pix2pix-256",
    about="For a GPU, 256 pixels: pix2pix with its paper's networks, losses, rates and batch of 4.",
    data=DataConfig(scale=(1.0, 1.0)),
    stages=(Stage("adversarial", 176_000, 256, 4, balance=0.6),),
)

_ALL = (
    _UNET_PERCEPTUAL,
    _LAB_PIX2PIX,
    _NOISE_UNET,
    _RGB_PIX2PIX,
    _AB_NPY,
    _REGRESSION,
    _DISTRIBUTION,
    _STARTER,
    _STARTER_ADVERSARIAL,
    _ENCODER_256,
    _PIX2PIX_256,
    _TINY,
)
RECIPES: types.MappingProxyType[str, Recipe] = types.MappingProxyType(
    {recipe.name: recipe for recipe in _ALL}
)


def get(name: str) -> Recipe:
    """The preset of that name, or the recipe in a JSON file of that path.

    Raises:
        ValueError: no such preset (the valid ones are listed) and no such file; or what is in the
            file is no recipe. The message names the file and the field.
    """
    if name in RECIPES:
        return RECIPES[name]
    if not name.lower().endswith(".json"):
        raise ValueError(
            f"unknown recipe {name!r}; choose from {', '.join(RECIPES)}, or give a .json file"
        )
    try:
        return Recipe.from_json(Path(name).read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"there is no recipe file {name}") from error
    except OSError as error:
        raise ValueError(f"the recipe file {name} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
