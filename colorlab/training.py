"""One training run: pretraining on color alone, then the adversarial game.

    batch of photos ─► Lab on the device ─► L ─► generator ─► ab̂ ─┬─► color loss against ab
                                            │                     └─► discriminator([L, ab̂])
                                            └───── ab ──────────────► discriminator([L, ab])

Goodfellow et al., "Generative Adversarial Nets" (NIPS 2014), algorithm 1, with one discriminator
step to one generator step, in the conditional form of Isola et al. (CVPR 2017).
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from colorlab.checkpoints import load_weights, save_weights
from colorlab.color import denormalize_lab, lab_to_rgb, normalize_lab, rgb_to_lab
from colorlab.devices import best_device, bf16_is_fast
from colorlab.losses import AdversarialLoss, ColorLoss, PerceptualLoss
from colorlab.photos import PhotoFolder, photo_loader
from colorlab.recipes import Recipe, Stage, build_discriminator, build_generator

Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
SAMPLE_PHOTOS = 8


class Trainer:
    """Trains the networks of a recipe on folders of photos.

    Args:
        recipe: what to train and how.
        photos: a folder of training photos, or several.
        validation: a folder of photos that the networks never learn from, for the sample grids
            and the held-out loss; neither is made when it is left out.
        output: folder for ``history.csv``, ``samples/``, ``weights.safetensors`` and a
            ``weights-stage-N.safetensors`` at each stage's end; nothing is written when it is
            left out.
        start: a weights file to start the generator from; else the recipe's own start (random, or
            pretrained on ImageNet).
        device: where to train; the fastest there is when it is left out.
        workers: processes that read photos beside the training.
        progress: show a bar.
        sample_every: steps between sample grids (and between writes of the weights).
        on_step: called after each step with its row of the history; what it raises ends the run.

    Attributes:
        history: one dict a step: ``step``, ``stage``, then every loss as a float.
        generator, discriminator: the networks as they train. ``best_generator`` is what to color
            with: the running average of the weights where the recipe keeps one.
    """

    def __init__(
        self,
        recipe: Recipe,
        photos: Folders,
        *,
        validation: Folders | None = None,
        output: str | os.PathLike[str] | None = None,
        start: str | os.PathLike[str] | None = None,
        device: torch.device | str | None = None,
        workers: int = 0,
        progress: bool = True,
        sample_every: int = 500,
        on_step: Callable[[dict], None] | None = None,
    ):
        self.recipe = recipe
        self.photos = photos
        self.validation = validation
        self.output = None if output is None else Path(output)
        self.workers = workers
        self.progress = progress
        self.sample_every = sample_every
        self.on_step = on_step
        self.step = 0
        self.history: list[dict] = []

        self.accelerator = _accelerator(recipe, torch.device(device or best_device()))
        self.device = self.accelerator.device
        # Initial weights, dropout and noise come from the recipe's seed, and nobody else's random
        # numbers are touched.
        with _random_numbers_of(recipe.seed, self.device):
            generator, discriminator = build_generator(recipe), build_discriminator(recipe)
        if start is not None:
            _start_from(start, generator, recipe)
        self.data_order = torch.Generator().manual_seed(recipe.seed)

        # Convolutions in bf16 gain on the CPU only when the channels lie innermost in memory.
        layout = torch.channels_last
        generator = generator.to(self.device, memory_format=layout)
        discriminator = discriminator.to(self.device, memory_format=layout)
        # Kept apart from what `prepare` returns: accelerate's unwrap_model would get at it too, but
        # it takes the autocast off the network that still trains.
        self._bare_generator = generator
        choices = recipe.optimization
        self.average: nn.Module | None = None
        if choices.average:
            from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

            self.average = AveragedModel(
                generator, multi_avg_fn=get_ema_multi_avg_fn(choices.average), use_buffers=True
            )
        optimizer_g = _adam(_parameter_groups(generator, choices.encoder_rate), recipe)
        optimizer_d = _adam([{"params": list(discriminator.parameters()), "share": 1.0}], recipe)
        self.generator, self.discriminator, self.optimizer_g, self.optimizer_d = (
            self.accelerator.prepare(generator, discriminator, optimizer_g, optimizer_d)
        )
        self._set_rates(recipe.stages[0], 0)  # for those who call the steps themselves

        objective = recipe.objective
        self.adversarial = AdversarialLoss(objective.adversarial, objective.halved)
        self.color = ColorLoss(objective.color, objective.chroma_weight)
        self.perceptual: PerceptualLoss | None = None
        if objective.perceptual_weight:
            from colorlab.encoders import EfficientNetLite0

            self.perceptual = PerceptualLoss(EfficientNetLite0()).to(self.device)

    @property
    def best_generator(self) -> nn.Module:
        """The generator to color with, on the training device, outside any parallel wrapper."""
        return self._bare_generator if self.average is None else self.average.module

    def train(self) -> list[dict]:
        """Run every stage to its end and return the history.

        Raises:
            FloatingPointError: a loss became NaN or infinite; the last weights written are kept.
        """
        held_out = self._held_out()
        own_random_numbers = _random_numbers_of(self.recipe.seed + 1, self.device)
        with own_random_numbers, _History(self.output) as log, self._bar() as bar:
            for number, stage in enumerate(self.recipe.stages):
                for index, rgb in enumerate(self._batches(stage)):
                    self._set_rates(stage, index)
                    row = {"step": self.step + 1, "stage": number, **self._train_step(stage, rgb)}
                    self.step += 1
                    last = self.step == self.recipe.steps
                    if held_out is not None and (self.step % self.sample_every == 0 or last):
                        row["held_out"] = self._sample(held_out)
                    self.history.append(row)
                    log.write(row)
                    if self.output and (self.step % self.sample_every == 0 or last):
                        self.save(self.output / "weights.safetensors")
                    bar.set_postfix({k: f"{v:.3g}" for k, v in row.items() if k not in _COUNTERS})
                    bar.update()
                    if self.on_step:
                        self.on_step(row)
                if self.output:
                    self.save(self.output / f"weights-stage-{number}.safetensors")
        return self.history

    def save(self, path: str | os.PathLike[str], half: bool = False) -> Path:
        """Write :attr:`best_generator` and the recipe; see
        :func:`colorlab.checkpoints.save_weights`."""
        notes = {"steps_trained": str(self.step)}
        return save_weights(path, self.best_generator, self.recipe, half=half, notes=notes)

    def pretrain_step(self, rgb: Tensor) -> dict[str, Tensor]:
        """Teach the generator the color loss alone. ``rgb``: uint8 ``(B, 3, H, W)``."""
        lightness, ab = self._lab(rgb)
        predicted = self.generator(lightness).float()
        total, losses = self._color_losses(lightness, predicted, ab)
        self._update(self.optimizer_g, total)
        return losses

    def adversarial_step(self, rgb: Tensor) -> dict[str, Tensor]:
        """One move of each player, the discriminator first. ``rgb``: uint8 ``(B, 3, H, W)``."""
        lightness, ab = self._lab(rgb)
        predicted = self.generator(lightness).float()

        # detach: the discriminator's loss must not reach the generator.
        real_logits = self.discriminator(self._shown(lightness, ab)).float()
        fake_logits = self.discriminator(self._shown(lightness, predicted.detach())).float()
        loss_d = self.adversarial.discriminator(real_logits, fake_logits)
        self._update(self.optimizer_d, loss_d)

        # The generator's loss passes through the discriminator and must not teach it.
        self.discriminator.requires_grad_(False)
        fooled = self.adversarial.generator(
            self.discriminator(self._shown(lightness, predicted)).float()
        )
        total, losses = self._color_losses(lightness, predicted, ab)
        self._update(self.optimizer_g, total + self.recipe.objective.adversarial_weight * fooled)
        self.discriminator.requires_grad_(True)
        return {
            **losses,
            "generator": fooled.detach(),
            "discriminator": loss_d.detach(),
            "logit_real": real_logits.detach().mean(),
            "logit_fake": fake_logits.detach().mean(),
        }

    def _train_step(self, stage: Stage, rgb: Tensor) -> dict[str, float]:
        self.generator.train()
        step = self.pretrain_step if stage.kind == "pretrain" else self.adversarial_step
        losses = {name: value.item() for name, value in step(rgb).items()}
        for name, value in losses.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the {name} loss became {value} at step {self.step + 1}. Usual causes: a "
                    f"learning rate that is too high, or photos that are broken. The weights "
                    f"written last are kept."
                )
        if self.average is not None:
            self.average.update_parameters(self._bare_generator)
        return losses

    def _lab(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (B, 3, H, W) -> L (B, 1, H, W) and ab (B, 2, H, W) in [-1, 1], on the device."""
        with torch.no_grad():
            lightness, ab = normalize_lab(rgb_to_lab(rgb.to(self.device, non_blocking=True)))
        return lightness, ab

    def _shown(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """What the discriminator is shown: [L, ab] or ab alone, reduced if the recipe says so."""
        config = self.recipe.discriminator
        shown = torch.cat([lightness, ab], 1) if config.conditional else ab
        return F.avg_pool2d(shown, config.reduce) if config.reduce > 1 else shown

    def _color_losses(
        self, lightness: Tensor, predicted: Tensor, ab: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the losses that compare with the truth, and each by its name."""
        objective = self.recipe.objective
        color = self.color(predicted, ab)
        total, losses = objective.color_weight * color, {"color": color.detach()}
        if self.perceptual is not None:
            pictures = [
                lab_to_rgb(denormalize_lab(lightness, colors)) for colors in (predicted, ab)
            ]
            with self.accelerator.autocast():
                perceptual = self.perceptual(*pictures)
            total = total + objective.perceptual_weight * perceptual
            losses["perceptual"] = perceptual.detach()
        return total, losses

    def _update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.accelerator.backward(loss)
        optimizer.step()

    def _set_rates(self, stage: Stage, index: int) -> None:
        share = schedule(stage, index)
        for optimizer, rate in (
            (self.optimizer_g, stage.generator_rate),
            (self.optimizer_d, stage.discriminator_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * share * group["share"]

    def _batches(self, stage: Stage) -> Iterator[Tensor]:
        """The stage's batches; together they are one epoch of steps × batch_size photos."""
        photos = PhotoFolder(
            self.photos, size=stage.image_size, augment=True, scale=self.recipe.data.scale
        )
        loader = photo_loader(
            photos,
            stage.batch_size,
            generator=self.data_order,
            num_workers=self.workers,
            weights=None if stage.balance == 1 else photos.weights(stage.balance),
            samples=stage.steps * stage.batch_size,
        )
        return iter(self._prepared(loader))

    def _prepared(self, loader: DataLoader[Tensor]) -> DataLoader[Tensor]:
        return self.accelerator.prepare_data_loader(loader, device_placement=False)

    def _held_out(self) -> Tensor | None:
        """A fixed batch of validation photos, spread over the folder; None if there is none."""
        if self.validation is None:
            return None
        size = self.recipe.stages[-1].image_size
        photos = PhotoFolder(self.validation, size=size)
        count = min(SAMPLE_PHOTOS, len(photos))
        return torch.stack([photos[i * len(photos) // count] for i in range(count)])

    @torch.no_grad()
    def _sample(self, rgb: Tensor) -> float:
        """Color the held-out photos, write them as a grid, and give their plain L1 loss."""
        lightness, ab = self._lab(rgb)
        generator = self.best_generator
        was_training = generator.training
        with _random_numbers_of(self.recipe.seed, self.device):  # the same noise in each grid
            predicted = generator.eval()(lightness).float()
        generator.train(was_training)
        if self.output:
            rows = [(lightness, torch.zeros_like(ab)), (lightness, predicted), (lightness, ab)]
            pictures = [lab_to_rgb(denormalize_lab(*row)) for row in rows]
            _write_grid(pictures, self.output / "samples" / f"step-{self.step:06d}.png")
        return F.l1_loss(predicted, ab).item()

    def _bar(self):  # noqa: ANN202 - tqdm's own type
        from tqdm.auto import tqdm

        return tqdm(total=self.recipe.steps, disable=not self.progress, desc=self.recipe.name)


_COUNTERS = ("step", "stage")


def schedule(stage: Stage, index: int) -> float:
    """The share of the stage's learning rate at its step ``index`` (0 is the first)."""
    if index < stage.warmup:
        return (index + 1) / stage.warmup
    if stage.schedule == "constant":
        return 1.0
    progress = (index - stage.warmup) / max(stage.steps - stage.warmup, 1)
    return (1 + math.cos(math.pi * progress)) / 2


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


def _accelerator(recipe: Recipe, device: torch.device):  # noqa: ANN202
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    wanted = recipe.optimization.precision
    if wanted == "auto":
        wanted = "bf16" if bf16_is_fast(device) else "fp32"
    # The state is one for the whole process; a second run may want another precision or device.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        mixed_precision="no" if wanted == "fp32" else wanted, cpu=device.type == "cpu"
    )


@contextmanager
def _random_numbers_of(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, random numbers come from ``seed``; outside, nobody's go on differently for it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _parameter_groups(generator: nn.Module, encoder_rate: float) -> list[dict]:
    """The pretrained encoder's parameters apart from the rest, each with its share of the rate."""
    encoder = getattr(generator, "encoder", None)
    known = list(encoder.parameters()) if encoder is not None else []
    ids = {id(parameter) for parameter in known}
    new = [parameter for parameter in generator.parameters() if id(parameter) not in ids]
    groups = [{"params": new, "share": 1.0}]
    return groups + ([{"params": known, "share": encoder_rate}] if known else [])


def _adam(groups: list[dict], recipe: Recipe) -> torch.optim.Optimizer:
    choices = recipe.optimization
    if choices.weight_decay:
        return torch.optim.AdamW(groups, betas=choices.betas, weight_decay=choices.weight_decay)
    return torch.optim.Adam(groups, betas=choices.betas)


def _write_grid(rows: Sequence[Tensor], path: Path) -> None:
    """Rows of pictures (B, 3, H, W) in [0, 1] as one PNG; row i holds ``rows[i]``."""
    from PIL import Image

    grid = torch.cat([torch.cat(list(row.clamp(0, 1)), 2) for row in rows], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (grid * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(pixels).save(path)


class _History:
    """``history.csv``, a line a step, written as they come. Losses differ by stage, so the columns
    are fixed here and the absent ones stay empty."""

    COLUMNS = (
        *_COUNTERS,
        "seconds",
        "color",
        "perceptual",
        "generator",
        "discriminator",
        "logit_real",
        "logit_fake",
        "held_out",
    )

    def __init__(self, folder: Path | None):
        self.folder = folder
        self.began = time.monotonic()

    def __enter__(self) -> _History:
        self.file = None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.file = open(self.folder / "history.csv", "w", newline="", encoding="utf-8")  # noqa: SIM115
            self.rows = csv.DictWriter(self.file, self.COLUMNS)
            self.rows.writeheader()
        return self

    def write(self, row: dict) -> None:
        if self.file is not None:
            seconds = round(time.monotonic() - self.began, 2)
            self.rows.writerow({**row, "seconds": seconds})
            self.file.flush()

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()
