"""Whether a recipe's stages fit its networks and the machine.

All stages are asked before a run begins, so that the last one doesn't fail after hours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch
from torch import nn

from colorlab.devices import best_device, choose_precision, memory_of
from colorlab.layers import check_input
from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.recipes.recipe import Recipe, Stage


def refuse_misfits(recipe: Recipe, device: torch.device | str | None = None) -> None:
    """Refuse a recipe that could not be trained to its end.

    The networks are built without memory (on torch's meta device), and asked which sizes they take.

    Args:
        device: where it is to be trained; the fastest there is when it is left out.

    Raises:
        ValueError: a stage has no loss to learn from; its crops are too small for a network, or no
            multiple of what it needs; its batch can't be dealt to the processes evenly; the least
            that weights and photos take is more than all the memory there is; or the device can't
            do what is asked of it. The message names the stage and the field.
    """
    device = torch.device(device or best_device())
    _refuse_device(recipe, device)
    processes = int(os.environ.get("WORLD_SIZE", 1))  # as whoever starts several processes sets it
    with torch.device("meta"):
        generator, discriminator = (
            build_generator(recipe, pretrained=False),
            build_discriminator(recipe),
        )
    for number, stage in enumerate(recipe.stages):
        _refuse_no_loss(recipe, number, stage)
        if stage.batch_size % processes:
            raise ValueError(
                f"stages[{number}].batch_size: a batch of {stage.batch_size} can't be dealt to "
                f"{processes} processes evenly; change it or the number of processes"
            )
        try:
            _refuse_sizes(recipe, stage, stage.batch_size // processes, generator, discriminator)
        except ValueError as error:
            raise ValueError(f"stages[{number}].image_size {stage.image_size}: {error}") from error
    for what, bytes_, where in _needs(recipe, device, processes, generator, discriminator):
        if bytes_ > (there := memory_of(where)):
            raise ValueError(
                f"{what} need at least {bytes_ / 1e9:,.1f} GB of memory, and {where} has "
                f"{there / 1e9:,.1f}; take smaller ones"
            )


def _refuse_device(recipe: Recipe, device: torch.device) -> None:
    choices = recipe.optimization
    try:
        choose_precision(device, choices.precision)
    except ValueError as error:
        raise ValueError(f"optimization.precision: {error}") from error
    if choices.sync_batch_norm and device.type != "cuda":
        raise ValueError(
            "optimization.sync_batch_norm needs GPUs: torch has it only for them. Leave it out, "
            "or take generator.norm and discriminator.norm 'instance', which need none"
        )


def _refuse_no_loss(recipe: Recipe, number: int, stage: Stage) -> None:
    names = ["color_weight", "perceptual_weight", "diversity_weight", "palette_weight"]
    names += ["adversarial_weight"] if stage.kind == "adversarial" else []
    if not any(getattr(recipe.objective, name) for name in names):
        raise ValueError(
            f"stages[{number}] has no loss to learn from: objective.{', '.join(names)} are all 0; "
            f"give one a weight, such as color_weight 100"
        )


def _refuse_sizes(
    recipe: Recipe, stage: Stage, batch: int, generator: nn.Module, discriminator: nn.Module
) -> None:
    size = stage.image_size
    picture = torch.empty(1, 1, size, size, device="meta")
    kind, levels = recipe.generator.kind, recipe.generator.levels
    who = f"generator.kind {kind!r}" + (f" of generator.levels {levels}" if kind == "unet" else "")
    check_input(picture, 1, generator.stride, who)
    if recipe.generator.kind != "unet" and batch == 1 and size == generator.stride:
        _refuse_lone_values("the encoder", "batch_size")
    if recipe.objective.perceptual_weight:
        check_input(picture, 1, 32, "the network of objective.perceptual_weight")
    if stage.kind == "pretrain":
        return
    config = recipe.discriminator
    side = size // config.reduce
    if side < discriminator.smallest:
        raise ValueError(
            f"the discriminator needs at least {discriminator.smallest} pixels a side, and with "
            f"discriminator.reduce {config.reduce} it gets {side}; take larger crops, a smaller "
            f"reduce, or fewer discriminator.layers"
        )
    lone = (side >> config.layers) == 2 and config.head == "image"  # its last norm sees one place
    if lone and (config.norm == "instance" or (config.norm == "batch" and batch == 1)):
        _refuse_lone_values("the discriminator", f"discriminator.norm {config.norm!r}")


def _refuse_lone_values(who: str, field: str) -> None:
    raise ValueError(
        f"{who} comes down to one place, and the norm there to one value a channel, which has no "
        f"variance; take larger pictures, or change {field}"
    )


def _needs(
    recipe: Recipe,
    device: torch.device,
    processes: int,
    generator: nn.Module,
    discriminator: nn.Module,
) -> Iterator[tuple[str, int, torch.device]]:
    """What needs memory, the least it needs in bytes, and where."""
    adversarial = any(stage.kind == "adversarial" for stage in recipe.stages)
    # Weights, gradients and Adam's two moments, in float32.
    weights = 16 * _weights(generator) + (16 if adversarial else 4) * _weights(discriminator)
    sizes = "base, cap, levels, widths; discriminator.base, layers"
    yield f"the networks' weights (generator.{sizes})", weights, device
    for number, stage in enumerate(recipe.stages):
        size, batch = stage.image_size, stage.batch_size
        maps = _activations(getattr(generator, "encoder", generator), size)
        if stage.kind == "adversarial":
            maps += _activations(discriminator, size // recipe.discriminator.reduce)
        # Backward needs what each convolution returned, in half precision if not in float32.
        kept = 2 * maps * (batch // processes)
        what = f"stages[{number}].batch_size {batch} at image_size {size}"
        yield f"{what} and the networks", weights + kept, device
        cpu = torch.device("cpu")
        yield f"the photos of {what}", 3 * size**2 * batch, cpu
        # A photo's number and the seed of its crop, 8 bytes each, drawn when the stage begins.
        drawn = 16 * stage.steps * batch
        yield f"stages[{number}].steps × batch_size photos, in an order drawn before,", drawn, cpu


def _weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _activations(network: nn.Module, size: int) -> int:
    """Values in the maps that the convolutions return, for one picture of ``size`` pixels a
    side; for networks whose layers stand in the order in which they are used."""
    total = 0
    for layer in network.modules():
        if isinstance(layer, nn.Upsample):
            size *= int(layer.scale_factor)
        elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            (kernel, _), (stride, _), (padding, _) = layer.kernel_size, layer.stride, layer.padding
            if isinstance(layer, nn.ConvTranspose2d):
                size = (size - 1) * stride - 2 * padding + kernel
            else:
                size = (size + 2 * padding - kernel) // stride + 1
            total += layer.out_channels * max(size, 0) ** 2
    return total
