"""Every choice of a training run in one frozen object that goes through JSON unchanged.

A recipe names the networks, the objective, how photos are cut, and the stages of the run. Presets
stand in ``colorlab.recipes.presets``; ``get("starter")`` finds one by its name, and
``dataclasses.replace`` makes another from it. Each field's type says what it can be;
``colorlab.recipes.fields`` checks it when a recipe is made.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from colorlab.recipes.fields import Checked, FolderName, Range, parse, read

COLOR_CHANNELS = {"ab": 2, "rgb": 3}

Share = Annotated[float, Range(0, 1)]
BelowOne = Annotated[float, Range(0, 1, below=True)]  # at 1 nothing would be left of it
Weight = Annotated[float, Range(0, 1_000_000)]  # of a loss
Rate = Annotated[float, Range(0, 1)]  # a learning rate; 0 leaves a network as it is
Channels = Annotated[int, Range(1, 4096)]
Scale = Annotated[float, Range(1, 4)]


@dataclass(frozen=True)
class DataConfig(Checked, name="data"):
    """How photos are cut.

    Attributes:
        scale: the short side is brought to crop × u, u uniform in this range, before the crop.
        hinted: share of the photos that come with simulated hints, for a generator that
            takes some.
    """

    scale: tuple[Scale, Scale] = (1.0, 1.25)
    hinted: Share = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale[0] > self.scale[1]:
            raise ValueError(
                f"data.scale must be two numbers, the lower one first, got {self.scale}"
            )


@dataclass(frozen=True)
class GeneratorConfig(Checked, name="generator"):
    """The generator: its kind, what it predicts, and its size.

    ``kind`` is ``"unet"`` (``colorlab.unet.UNet``, which the fields up to ``upsampling`` describe),
    ``"encoder-unet"`` (``colorlab.encoders.EncoderUNet``, with ``widths``) or ``"hint-unet"``
    (``colorlab.encoders.HintUNet``, with ``widths`` and ``head``).

    ``predicts`` is ``"ab"`` (L in, ab out) or ``"rgb"`` (gray in, all of RGB out); see
    ``colorlab.training.inputs``.
    """

    kind: Literal["unet", "encoder-unet", "hint-unet"] = "unet"
    predicts: Literal["ab", "rgb"] = "ab"
    levels: Annotated[int, Range(2, 11)] = 8
    base: Channels = 64
    cap: Channels = 512
    norm: Literal["batch", "instance"] = "batch"
    dropout: BelowOne = 0.5
    noise_channels: Annotated[int, Range(0, 1024)] = 0
    upsampling: Literal["transposed", "resize"] = "transposed"
    widths: tuple[Channels, Channels, Channels, Channels] = (256, 160, 96, 48)
    head: Literal["ab", "bins"] = "ab"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind != "unet" and self.predicts != "ab":
            raise ValueError(f"generator.kind {self.kind!r} predicts only 'ab'")


@dataclass(frozen=True)
class DiscriminatorConfig(Checked, name="discriminator"):
    """The discriminator, a ``colorlab.patchgan.PatchGAN``.

    It sees [L, ab] (or [gray, RGB]) if ``conditional``, only the colors if not.

    ``reduce`` averages ``reduce`` × ``reduce`` pixels before it looks: for a generator that
    predicts ab at half size, 2 makes it see colors and not sharpness, at a quarter of the cost.
    """

    conditional: bool = True
    base: Channels = 64
    layers: Annotated[int, Range(1, 8)] = 3
    norm: Literal["batch", "instance", "none"] = "batch"
    spectral: bool = False
    head: Literal["patch", "image"] = "patch"
    reduce: Annotated[int, Range(1, 64)] = 1


@dataclass(frozen=True)
class ObjectiveConfig(Checked, name="objective"):
    """The losses and their weights.

    Generator: adversarial_weight · adversarial + color_weight · color + perceptual_weight ·
    perceptual + diversity_weight · diversity + palette_weight · palette. See ``colorlab.losses``
    for the kinds, ``halved`` and ``chroma_weight``. Diversity is for generators with noise, and
    doubles their work. Palette is the cross-entropy of ``colorlab.palette``, for ``"hint-unet"``;
    ``rebalance`` weighs rare colors more in it.
    """

    adversarial: Literal["bce", "lsgan", "hinge"] = "bce"
    halved: bool = True
    adversarial_weight: Weight = 1.0
    color: Literal["l1", "l2", "huber"] = "l1"
    color_weight: Weight = 100.0
    chroma_weight: Weight = 0.0
    perceptual_weight: Weight = 0.0
    diversity_weight: Weight = 0.0
    palette_weight: Weight = 0.0
    rebalance: bool = True


@dataclass(frozen=True)
class OptimizationConfig(Checked, name="optimization"):
    """AdamW (Adam where ``weight_decay`` is 0).

    Attributes:
        encoder_rate: the pretrained encoder learns at this share of the generator's rate.
        average: decay of the running average of the generator's weights, which is what gets
            saved; 0 saves the weights themselves.
        precision: ``"auto"`` (what the device has units for), ``"fp32"``, ``"bf16"``, ``"fp16"``
            (with a gradient scaler; GPUs only).
        sync_batch_norm: with several GPUs, normalize over the batches of all of them; otherwise
            each process normalizes over its own share.
        ask_each_epoch: after each epoch ask whether to save and whether to change the rates.
    """

    betas: tuple[BelowOne, BelowOne] = (0.5, 0.999)
    weight_decay: Share = 0.0
    encoder_rate: Share = 1.0
    average: BelowOne = 0.0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    sync_batch_norm: bool = False
    ask_each_epoch: bool = False


@dataclass(frozen=True)
class Stage(Checked, name="stage"):
    """A stretch of training with one objective and one picture size.

    Attributes:
        kind: ``"pretrain"``: the color (and perceptual) loss only; ``"adversarial"``: all.
        steps: generator updates.
        image_size: side of the crops in pixels.
        balance: several folders are mixed in proportion to size ** balance; 1 treats every photo
            alike, 0 every folder.
        schedule: ``"constant"`` or ``"cosine"`` (down to zero), after ``warmup`` linear steps.
    """

    kind: Literal["pretrain", "adversarial"] = "adversarial"
    steps: Annotated[int, Range(1, 10_000_000)] = 1000
    image_size: Annotated[int, Range(4, 2048)] = 256
    batch_size: Annotated[int, Range(1, 65_536)] = 16
    generator_rate: Rate = 2e-4
    discriminator_rate: Rate = 2e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Range(0, 10_000_000)] = 0
    balance: Share = 1.0

    def schedule_at(self, index: int) -> float:
        """The share of the learning rates at the stage's step ``index`` (0 is the first)."""
        if index < self.warmup:
            return (index + 1) / self.warmup
        if self.schedule == "constant":
            return 1.0
        progress = (index - self.warmup) / max(self.steps - self.warmup, 1)
        return (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Recipe(Checked):
    """Everything that decides how a run goes, but for the photos and the machine."""

    name: Annotated[str, FolderName()] = "custom"
    about: str = ""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    data: DataConfig = field(default_factory=DataConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    stages: Annotated[tuple[Stage, ...], Range(1, 100)] = (Stage(),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objective.diversity_weight and not self.generator.noise_channels:
            raise ValueError(
                "objective.diversity_weight rewards colorings that differ with the noise, and "
                "generator.noise_channels is 0; give the generator noise, such as 8 channels"
            )
        if self.generator.noise_channels and self.generator.kind != "unet":
            raise ValueError("generator.noise_channels needs generator.kind 'unet'")
        for name, value in (
            ("objective.palette_weight", self.objective.palette_weight),
            ("data.hinted", self.data.hinted),
        ):
            if value and self.generator.kind != "hint-unet":
                raise ValueError(
                    f"{name} is {value}, and needs generator.kind 'hint-unet': the others predict "
                    "no distribution and take no hints"
                )

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def with_steps(self, steps: int) -> Recipe:
        """The same recipe, its stages shortened or stretched to ``steps`` in all.

        Raises:
            ValueError: fewer steps than stages.
        """
        if steps < len(self.stages):
            raise ValueError(
                f"recipe {self.name!r} has {len(self.stages)} stages and needs at least one step "
                f"for each, got {steps}"
            )
        total, done, before, stages = self.steps, 0, 0, []
        for i, stage in enumerate(self.stages):
            before += stage.steps
            left = len(self.stages) - i - 1
            until = min(max(round(steps * before / total), done + 1), steps - left)
            stages.append(dataclasses.replace(stage, steps=until - done))
            done = until
        return dataclasses.replace(self, stages=tuple(stages))

    def with_size(self, size: int) -> Recipe:
        """The same recipe on crops of ``size`` pixels.

        Its U-Net has as many levels as such a crop can be halved, if that is fewer.
        """
        halvings = (size & -size).bit_length() - 1  # how often 2 divides it
        stages = tuple(dataclasses.replace(stage, image_size=size) for stage in self.stages)
        generator = dataclasses.replace(
            self.generator, levels=max(min(self.generator.levels, halvings), 2)
        )
        return dataclasses.replace(self, generator=generator, stages=stages)

    def with_batch(self, batch_size: int) -> Recipe:
        """The same recipe with ``batch_size`` photos a step in each stage."""
        stages = tuple(dataclasses.replace(s, batch_size=batch_size) for s in self.stages)
        return dataclasses.replace(self, stages=stages)

    def with_seed(self, seed: int) -> Recipe:
        """The same recipe with other random numbers."""
        return dataclasses.replace(self, seed=seed)

    def to_json(self) -> str:
        """Every field as indented JSON; defaults too, so that later ones change nothing."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """The recipe that ``to_json`` wrote.

        Raises:
            ValueError: not JSON, a key twice, an unknown key (the valid ones are listed), a wrong
                type or value.
        """
        return read(cls, parse(text), "")


def differences(one: Recipe, other: Recipe) -> list[str]:
    """Every field in which two recipes differ, a line each: ``seed: 0 → 1``."""

    def flat(value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, dict):
            inner = {f"{name}.{key}" if name else key: v for key, v in value.items()}
        elif isinstance(value, tuple) and value and isinstance(value[0], dict):
            inner = {f"{name}[{i}]": v for i, v in enumerate(value)}
        else:
            return {name: value}
        return {k: v for key, v0 in inner.items() for k, v in flat(v0, key).items()}

    ours, theirs = (flat(dataclasses.asdict(recipe), "") for recipe in (one, other))
    absent = "nothing"
    return [
        f"{name}: {ours.get(name, absent)} → {theirs.get(name, absent)}"
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, absent) != theirs.get(name, absent)
    ]
