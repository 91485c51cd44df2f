"""The trainer: a recipe's networks, optimizers and losses, on one device or several.

What a step does stands in ``colorlab.training.step``. Here is what makes it fast, and the same
each time: precision, compiling, processes, the running average, random numbers, checkpoints.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorlab import hints, palette
from colorlab.devices import (
    best_device,
    check_deterministic,
    choose_compile,
    choose_precision,
    deterministic_algorithms,
    quick_float32,
)
from colorlab.losses import DiversityLoss, PerceptualLoss
from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.recipes.recipe import Recipe
from colorlab.training.inputs import inputs_and_target, picture
from colorlab.training.optimizers import (
    adam,
    load_state_tensors,
    parameter_groups,
    set_rate,
    state_tensors,
)
from colorlab.training.seeds import global_random_numbers, seed_of
from colorlab.training.step import Step
from colorlab.unet import colors_of
from colorlab.weights import load_weights


class Trainer(Step):
    """A recipe's step with all that makes it fast, over one device or several.

    Args:
        recipe: what to train and how.
        holds: what the batches are; see ``colorlab.training.inputs``.
        device: where to train; the fastest there is when it is left out.
        start: a weights file to start the generator from; else the recipe's own start (random, or
            pretrained on ImageNet).
        compile: ``"auto"``, ``"on"`` or ``"off"``; see ``colorlab.devices.choose_compile``.
        deterministic: while the trainer computes, and no longer, take only algorithms that give the
            same bits each time; see ``colorlab.devices.deterministic_algorithms``. Nothing is
            compiled then.

            What is promised: the same recipe on the same photos has the same losses and weights,
            bit for bit, also if it was interrupted, in one process on the same machine, with the
            same batch and the same versions of torch, CUDA and cuDNN, and on a CPU with the same
            number of threads. Nothing is promised for another GPU or version, nor over several
            processes. For CUDA this is torch's word; here it was tried on CPUs alone, which give
            the same bits without it.

            What it costs: a step on a CPU took 1.13 times as long. A GPU also loses compiling, the
            quickest of its convolutions, and time in the networks on a pretrained encoder, whose
            ab it enlarges another way.

    Attributes:
        generator, discriminator: the bare networks, outside what accelerate wraps around them.
        color_weight: the λ of the color loss; it may be changed between steps.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``, as chosen.

    Every random number of a step (dropout, noise) comes from the recipe's seed, the step's number
    and the process's, and from generators of its own: nobody else's are read or moved, and a step
    is the same whether or not the run was interrupted before it.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        holds: str = "rgb",
        device: torch.device | str | None = None,
        start: str | os.PathLike[str] | None = None,
        compile: str = "auto",  # noqa: A002 - torch's own word
        deterministic: bool = False,
    ):
        super().__init__(recipe)
        self.holds = holds
        device = torch.device(device or best_device())
        self.deterministic = deterministic
        if deterministic:
            check_deterministic(device, compile)
        self.precision = choose_precision(device, recipe.optimization.precision)
        self.accelerator = _accelerator(device, self.precision)
        self.device = self.accelerator.device
        self.compiled = not deterministic and choose_compile(self.device, compile)

        self._random = torch.Generator(self.device)
        self._hint_random = torch.Generator()
        with global_random_numbers(recipe.seed, self.device):
            generator, discriminator = build_generator(recipe), build_discriminator(recipe)
        if start is not None:
            _start_from(start, generator, recipe)
        if recipe.optimization.sync_batch_norm:
            generator, discriminator = self._synchronized(generator, discriminator)
        # Convolutions in bf16 gain on the CPU only when the channels lie innermost in memory, and
        # tensor cores want them there too.
        layout = torch.channels_last
        self.generator = generator.to(self.device, memory_format=layout)
        self.discriminator = discriminator.to(self.device, memory_format=layout)

        choices = recipe.optimization
        self.average: nn.Module | None = None
        if choices.average:
            from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

            self.average = AveragedModel(
                generator, multi_avg_fn=get_ema_multi_avg_fn(choices.average), use_buffers=True
            )
        if self.compiled:
            self.generator.compile()
            self.discriminator.compile()
        elif hasattr(generator, "random"):  # compiled code can't draw from a generator of our own
            generator.random = self._random
        groups = parameter_groups(generator, choices.encoder_rate)
        self.optimizer_g = adam(groups, recipe, self.device)
        self.optimizer_d = adam(parameter_groups(discriminator), recipe, self.device)
        with warnings.catch_warnings():  # the new name is unknown to the torch of most people
            warnings.filterwarnings("ignore", ".*broadcast_buffers.*deprecated", FutureWarning)
            networks = self.generator, _Pair(self.discriminator)
            optimizers = self.optimizer_g, self.optimizer_d
            self._generator, self._pair, self._wrapped_g, self._wrapped_d = (
                self.accelerator.prepare(*networks, *optimizers)
            )
        self.diversity = DiversityLoss()
        self.perceptual: PerceptualLoss | None = None
        if recipe.objective.perceptual_weight:
            from colorlab.encoders import EfficientNetLite0

            self.perceptual = PerceptualLoss(EfficientNetLite0()).to(self.device)
        self.set_rates(recipe.stages[0].generator_rate, recipe.stages[0].discriminator_rate)

    @property
    def best_generator(self) -> nn.Module:
        """The generator to color with: the running average where the recipe keeps one."""
        return self.generator if self.average is None else self.average.module

    def set_rates(self, generator_rate: float, discriminator_rate: float) -> None:
        """The learning rates from the next step on; a pretrained encoder gets its share."""
        set_rate(self.optimizer_g, generator_rate)
        set_rate(self.optimizer_d, discriminator_rate)

    def step(self, kind: str, number: int, batch: Tensor) -> dict[str, float]:
        """One step of a stage's ``kind``: its losses, means over all processes, by name.

        Args:
            number: of the step in the run; decides the random numbers.
            batch: uint8, as the data set gives it.
        """
        self.generator.train()
        train = self.pretrain_step if kind == "pretrain" else self.adversarial_step
        with self._random_numbers(number), quick_float32(self.device), self._same_bits():
            losses = train(*self.split(batch))
        if self.average is not None:
            self.average.update_parameters(self.generator)
        # One transfer for all: each makes a GPU wait.
        values = self.accelerator.reduce(torch.stack(list(losses.values())), "mean").tolist()
        return dict(zip(losses, values, strict=True))

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Inside, each of several processes learns from its own share only: nothing is averaged."""
        no_sync = self.accelerator.no_sync
        with no_sync(self._generator), no_sync(self._pair):
            yield

    def forget_gradients(self) -> None:
        """Give back the memory of a step that broke off."""
        for optimizer in (self.optimizer_g, self.optimizer_d):
            optimizer.zero_grad()
        self.discriminator.requires_grad_(True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def batch_that_fits(self, kind: str, number: int, batch: Tensor) -> int:
        """The first of half the batch, a quarter, … whose step does not fail, or 0.

        The networks are lost by it. For one process; with several it tries nothing.
        """
        size = len(batch) // 2
        while self.accelerator.num_processes == 1 and size:
            self.forget_gradients()
            try:
                self.step(kind, number, batch[:size])
                return size
            except Exception:  # noqa: BLE001 - whatever the reason, this one doesn't do
                size //= 2
        return 0

    def split(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The generator's inputs and their target, on the device, in [-1, 1]."""
        batch = batch.to(self.device, non_blocking=True)
        return inputs_and_target(batch, self.holds, self.recipe.generator.predicts)

    def picture(self, inputs: Tensor, prediction: Tensor) -> Tensor:
        """RGB in [0, 1], ``(B, 3, H, W)``."""
        return picture(inputs, prediction, self.recipe.generator.predicts)

    @torch.no_grad()
    def colorize(self, inputs: Tensor, seed: int = 0) -> Tensor:
        """What the best generator predicts, in eval mode; its noise comes from ``seed``."""
        network = self.best_generator
        was_training = network.training
        network.eval()
        with self._same_bits():
            colors = colors_of(network, inputs, seed)
        network.train(was_training)
        return colors

    def target_loss(
        self, inputs: Tensor, target: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """As in ``Step``, with the recipe's perceptual, palette and diversity losses."""
        objective = self.recipe.objective
        prediction, logits, diversity = self._predictions(inputs, target)
        color = self.color_loss(prediction, target)
        total, losses = self.color_weight * color, {"color": color.detach()}
        if logits is not None:
            entropy = palette.cross_entropy(logits, target, self._bin_weights())
            total = total + objective.palette_weight * entropy
            losses["palette"] = entropy.detach()
        if diversity is not None:
            total = total + objective.diversity_weight * diversity
            losses["diversity"] = diversity.detach()
        if self.perceptual is not None:
            pictures = [self.picture(inputs, colors) for colors in (prediction, target)]
            with self.autocast():
                perceptual = self.perceptual(*pictures)
            total = total + objective.perceptual_weight * perceptual
            losses["perceptual"] = perceptual.detach()
        return total, losses, prediction

    def _predictions(
        self, inputs: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What the generator predicts; its logits, if it has a distribution to train; with a reward
        for diversity, what a second prediction brings."""
        objective, hinted = self.recipe.objective, self.recipe.data.hinted
        if hinted or objective.palette_weight:
            planes = hints.simulate(target, hinted, self._hint_random)
            return *self._generator(inputs, planes, both=True), None
        if not objective.diversity_weight:
            return self._generator(inputs), None, None
        size = (2 * len(inputs), self.recipe.generator.noise_channels)
        random = None if self.compiled else self._random
        noise = torch.randn(size, generator=random, device=self.device)
        first, second = self._generator(inputs.repeat(2, 1, 1, 1), noise).chunk(2)
        return first, None, self.diversity(first, second, *noise.chunk(2))

    def logits(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Step``."""
        return self._pair(real, fake)

    def optimize(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """One step of the optimizer down the loss, by Accelerate."""
        wrapped = self._wrapped_g if optimizer is self.optimizer_g else self._wrapped_d
        wrapped.zero_grad()
        self.accelerator.backward(loss)
        wrapped.step()

    def autocast(self) -> AbstractContextManager:
        """Inside, networks compute in the run's precision."""
        return self.accelerator.autocast()

    def _bin_weights(self) -> Tensor | None:
        if not self.recipe.objective.rebalance:
            return None
        return palette.class_weights(self.generator.frequencies)

    @torch.no_grad()
    def count_colors(self, batch: Tensor) -> None:
        """Count how often each bin occurs in ``batch``, and weigh the palette loss by it.

        ``batch`` is uint8 photos of the data set; see ``colorlab.palette.class_weights``.
        """
        with self._same_bits():
            _, target = self.split(batch)
            found = palette.frequencies(F.avg_pool2d(target, 4))
        self.generator.frequencies.copy_(found)
        if self.average is not None:
            self.average.module.frequencies.copy_(found)

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """Everything that later steps depend on: tensors by name, and facts for JSON.

        Random states are not among them: each step's follow from its number.
        """
        tensors = {}
        for name, network in self._networks().items():
            tensors |= _above(name, network.state_dict())
        for name, optimizer in self._optimizers().items():
            tensors |= _above(name, state_tensors(optimizer))
        scaler = self.accelerator.scaler
        return tensors, {"scaler": None if scaler is None else scaler.state_dict()}

    def load_state(self, tensors: dict[str, Tensor], facts: dict) -> None:
        """Go back to what ``state`` gave.

        Raises:
            ValueError: the tensors are not those of this recipe's networks.
        """
        for name, network in self._networks().items():
            try:
                network.load_state_dict(_below(name, tensors))
            except RuntimeError as error:
                why = " ".join(str(error).split())[:400]
                raise ValueError(f"the {name} does not fit this recipe's: {why}") from error
        for name, optimizer in self._optimizers().items():
            load_state_tensors(optimizer, _below(name, tensors))
        if facts.get("scaler") and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(facts["scaler"])

    def _networks(self) -> dict[str, nn.Module]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return networks if self.average is None else {**networks, "average": self.average}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimizer_g": self.optimizer_g, "optimizer_d": self.optimizer_d}

    def _synchronized(self, *networks: nn.Module) -> list[nn.Module]:
        if self.device.type != "cuda":
            raise ValueError(
                "optimization.sync_batch_norm needs GPUs: torch has it for them only. Leave it "
                "out, or take generator.norm and discriminator.norm 'instance', which need none"
            )
        return [nn.SyncBatchNorm.convert_sync_batchnorm(network) for network in networks]

    def _same_bits(self) -> AbstractContextManager:
        return deterministic_algorithms() if self.deterministic else nullcontext()

    @contextmanager
    def _random_numbers(self, number: int) -> Iterator[None]:
        """Inside, the random numbers of step ``number`` on this process."""
        seed = seed_of(self.recipe.seed, number, self.accelerator.process_index)
        self._random.manual_seed(seed)
        self._hint_random.manual_seed(seed)
        if self.compiled:  # and with it, the device's own generator is used
            with global_random_numbers(seed, self.device):
                yield
        else:
            yield


class _Pair(nn.Module):
    """The discriminator on real and on generated pictures in one call: DistributedDataParallel
    wants one forward to each backward."""

    def __init__(self, discriminator: nn.Module):
        super().__init__()
        self.discriminator = discriminator

    def forward(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return self.discriminator(real), self.discriminator(fake)


def _accelerator(device: torch.device, precision: str):  # noqa: ANN202
    from accelerate import Accelerator, DistributedDataParallelKwargs

    _forget_accelerators()
    return Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        cpu=device.type == "cpu",
        # Batch norm's running statistics stay each process's own; the first one's are saved.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )


def _forget_accelerators() -> None:
    """Let the next accelerator choose its device and precision anew.

    accelerate keeps one state for the whole process and refuses another choice; a second run may
    want one. Its only way to begin anew is a private one, so that a test fails when it goes.
    """
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


def _start_from(weights: str | os.PathLike[str], generator: nn.Module, recipe: Recipe) -> None:
    """Copy the generator of a weights file in; it must be of the recipe's architecture."""
    started, theirs, _ = load_weights(weights)
    if theirs.generator != recipe.generator:
        raise ValueError(
            f"{weights} holds another network than recipe {recipe.name!r} trains: "
            f"{theirs.generator} instead of {recipe.generator}. Take a recipe with the same "
            f"generator, or start without weights."
        )
    generator.load_state_dict(started.state_dict())


def _above(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for key, value in tensors.items()}


def _below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
