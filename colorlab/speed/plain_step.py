"""The adversarial step with each way to make it faster as a switch.

``colorlab.training.Trainer`` has all of them on. Here they can be turned on one after the
other, from the step as it is commonly written, so that what each is worth can be measured.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.profiler import record_function

from colorlab.color import normalize_lab, rgb_to_lab
from colorlab.devices import choose_precision
from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.recipes.recipe import Recipe
from colorlab.speed.op_kinds import LAB, READING
from colorlab.training.feed import data_set
from colorlab.training.optimizers import adam, parameter_groups, set_rate
from colorlab.training.seeds import global_random_numbers, seed_of
from colorlab.training.step import Step

_LIMIT = 2**34  # bytes of kept photos: more than the few that a step reads will ever take


@dataclass(frozen=True)
class Switches:
    """What the step does otherwise than it is commonly written.

    Attributes:
        keep: photos are decoded once and kept as uint8; else each step reads its files anew.
        lab_on_device: Lab of the whole batch on the device; else by scikit-image, photo by photo.
        channels_last: the channels of pictures and weights lie innermost in memory.
        precision: ``"fp32"``, or ``"bf16"`` or ``"fp16"`` under autocast.
        fused: Adam as one kernel; else as ``torch.optim.Adam`` comes.
        compile: the networks go through ``torch.compile``.
    """

    keep: bool = False
    lab_on_device: bool = False
    channels_last: bool = False
    precision: str = "fp32"
    fused: bool = False
    compile: bool = False


class PlainStep(Step):
    """One adversarial step on photos from disk: call it, and it reads, trains and gives its losses.

    Every call reads the same photos (as many as the recipe's batch), so that calls can be compared;
    their crops change with the step's number, as do dropout's random numbers, and all of them are
    those of ``colorlab.training.Trainer``.

    Args:
        recipe: pix2pix's objective (adversarial + color) in Lab. Its last stage says batch, size.
        photos: a folder, folders, or a data set of RGB photos.

    Raises:
        ValueError: the recipe does more than this step; or photos of another form.
        ImportError: scikit-image is not there, which converts photo by photo.
    """

    def __init__(
        self,
        recipe: Recipe,
        photos: Any,
        switches: Switches | None = None,
        device: torch.device | str = "cpu",
    ):
        _require_plain(recipe)
        super().__init__(recipe)
        self.switches = switches or Switches()
        self.device, self.stage = torch.device(device), recipe.stages[-1]
        choose_precision(self.device, self.switches.precision)  # refuses fp16 on a CPU
        if not self.switches.lab_on_device:
            _rgb2lab()
        found = data_set(photos)
        if found.holds != "rgb":
            raise ValueError(
                f"the plain step reads photos in RGB; these are {found.holds!r}. Give a folder of "
                f"photos"
            )
        self.photos = found.at(
            self.stage.image_size,
            augment=True,
            scale=recipe.data.scale,
            keep=_LIMIT if self.switches.keep else 0,
            threads=1,
        )
        self._random = torch.Generator(self.device)
        with global_random_numbers(recipe.seed, self.device):
            generator, discriminator = build_generator(recipe), build_discriminator(recipe)
        layout = torch.channels_last if self.switches.channels_last else torch.preserve_format
        self.generator = generator.to(self.device, memory_format=layout)
        self.discriminator = discriminator.to(self.device, memory_format=layout)
        if self.switches.compile:
            self.generator.compile()
            self.discriminator.compile()
        else:  # compiled code can't draw from a generator of our own
            generator.random = self._random
        self.optimizer_g, self.optimizer_d = (
            self._adam(network) for network in (self.generator, self.discriminator)
        )
        half = self.switches.precision == "fp16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)
        self.number = 0

    def __call__(self) -> dict[str, float]:
        self.number += 1
        with record_function(READING):
            batch = self.read(self.number)
        with record_function(LAB):
            lightness, ab = self.lab(batch)
        losses = self.train(lightness, ab, self.number)
        values = torch.stack(list(losses.values())).tolist()  # makes a GPU wait, once
        return dict(zip(losses, values, strict=True))

    def read(self, number: int) -> Tensor:
        """The photos as step ``number`` cuts them, uint8 ``(B, 3, H, W)``."""
        count, size = len(self.photos), self.stage.batch_size
        indices = [i * count // size if count >= size else i % count for i in range(size)]
        seeds = [seed_of(self.recipe.seed, number, place) for place in range(size)]
        return torch.stack(self.photos.__getitems__(list(zip(indices, seeds, strict=True))))

    @torch.no_grad()
    def lab(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """L ``(B, 1, H, W)`` and ab ``(B, 2, H, W)`` in [-1, 1], on the device."""
        if self.switches.lab_on_device:
            return normalize_lab(rgb_to_lab(batch.to(self.device, non_blocking=True)))
        rgb2lab = _rgb2lab()
        photos = [rgb2lab(photo.permute(1, 2, 0).numpy()) for photo in batch]  # (H, W, 3)
        lab = torch.stack([torch.from_numpy(photo).permute(2, 0, 1).float() for photo in photos])
        return normalize_lab(lab.to(self.device))

    def train(self, lightness: Tensor, ab: Tensor, number: int = 1) -> dict[str, Tensor]:
        """The step on L and ab that are there already: the losses by name."""
        self.generator.train()
        seed = seed_of(self.recipe.seed, number, 0)
        self._random.manual_seed(seed)
        compiled = self.switches.compile
        with global_random_numbers(seed, self.device) if compiled else nullcontext():
            return self.adversarial_step(lightness, ab)

    def optimize(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """One step of the optimizer down the loss."""
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()

    def autocast(self) -> AbstractContextManager:
        """Inside, networks compute in the chosen precision."""
        dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
        dtype = dtypes.get(self.switches.precision)
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)

    def _adam(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        is_generator = network is self.generator
        rate = self.stage.generator_rate if is_generator else self.stage.discriminator_rate
        if not self.switches.fused:
            betas = self.recipe.optimization.betas
            return torch.optim.Adam(network.parameters(), rate, betas)
        made = adam(parameter_groups(network), self.recipe, self.device)
        set_rate(made, rate)
        return made


def _require_plain(recipe: Recipe) -> None:
    """Refuse a recipe that asks for more than adversarial + color loss in Lab."""
    objective = recipe.objective
    generator, discriminator = recipe.generator, recipe.discriminator
    choices = recipe.optimization
    reasons = {
        "its objective has more losses": bool(
            objective.perceptual_weight or objective.diversity_weight
        ),
        "its generator predicts RGB": generator.predicts != "ab",
        "its generator takes noise": generator.noise_channels > 0,
        "its generator has a pretrained encoder": generator.kind != "unet",
        "its discriminator sees only ab or reduced pictures": not discriminator.conditional
        or discriminator.reduce > 1,
        "it has weight decay or averages its weights": bool(
            choices.weight_decay or choices.average
        ),
        "its last stage is not adversarial": recipe.stages[-1].kind != "adversarial",
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise ValueError(
            f"the plain step does pix2pix in Lab and no more, and recipe {recipe.name!r} is not "
            f"that: {'; '.join(found)}. Take 'tiny' or 'lab-pix2pix'"
        )


def _rgb2lab() -> Any:
    try:
        from skimage.color import rgb2lab
    except ImportError as error:
        raise ImportError(
            "the step as commonly written converts photos with scikit-image, which is not "
            "installed: pip install scikit-image (or switch lab_on_device on)"
        ) from error
    return rgb2lab
