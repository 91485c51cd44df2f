"""The networks that a recipe asks for."""

from __future__ import annotations

from torch import nn

from colorlab.recipes.recipe import COLOR_CHANNELS, Recipe


def build_generator(recipe: Recipe, pretrained: bool = True) -> nn.Module:
    """The recipe's generator. ``pretrained=False`` where weights are loaded next."""
    from colorlab.encoders import EncoderUNet, HintUNet
    from colorlab.unet import UNet

    config = recipe.generator
    if config.kind == "hint-unet":
        return HintUNet(config.widths, config.head, pretrained=pretrained)
    if config.kind == "encoder-unet":
        return EncoderUNet(config.widths, pretrained=pretrained)
    names = ("levels", "base", "cap", "norm", "dropout", "noise_channels", "upsampling")
    return UNet(
        **{name: getattr(config, name) for name in names},
        out_channels=COLOR_CHANNELS[config.predicts],
    )


def build_discriminator(recipe: Recipe) -> nn.Module:
    """The recipe's discriminator; its input channels follow from ``conditional``."""
    from colorlab.patchgan import PatchGAN

    config = recipe.discriminator
    return PatchGAN(
        in_channels=COLOR_CHANNELS[recipe.generator.predicts] + config.conditional,
        base=config.base,
        layers=config.layers,
        norm=config.norm,
        spectral=config.spectral,
        head=config.head,
    )
