"""One training step of a generator and a discriminator.

    inputs ─► generator ─► prediction ─┬─► color loss against the target
       │                               └─► discriminator([inputs, prediction])
       └─────── target ──────────────────► discriminator([inputs, target])

Goodfellow et al., "Generative Adversarial Nets" (NIPS 2014), algorithm 1, with one discriminator
step to one generator step, in the conditional form of Isola et al. (CVPR 2017).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from colorlab.losses import AdversarialLoss, ColorLoss
from colorlab.recipes.recipe import Recipe


class Step:
    """One training step.

    A subclass brings the networks and their optimizers. It may compute ``optimize`` and
    ``autocast`` in another way, and add losses to ``target_loss``.

    Attributes:
        recipe: what to train and how.
        generator, discriminator: the networks.
        optimizer_g, optimizer_d: their optimizers.
        color_weight: λ of the color loss; it may be changed between steps.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        objective = recipe.objective
        self.color_weight = objective.color_weight
        self.adversarial = AdversarialLoss(objective.adversarial, objective.halved)
        self.color_loss = ColorLoss(objective.color, objective.chroma_weight)

    def adversarial_step(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Train both networks on one batch, the discriminator first.

        Args:
            inputs: what the generator sees, ``(B, 1, H, W)`` in [-1, 1].
            target: the true colors, ``(B, C, H, W)`` in [-1, 1].

        Returns:
            Each loss, the mean logits and the discriminator's accuracy by name, scalars, detached.
        """
        target_loss, losses, prediction = self.target_loss(inputs, target)

        # detach: the discriminator's loss must not reach the generator.
        loss_d, real, fake = self.discriminator_loss(inputs, target, prediction.detach())
        self.optimize(self.optimizer_d, loss_d)

        # The generator's loss passes through the discriminator and must not teach it. Clearing its
        # gradients before its own step would do; not computing them is faster.
        self.discriminator.requires_grad_(False)
        loss_g = self.generator_loss(inputs, prediction)
        adversarial_weight = self.recipe.objective.adversarial_weight
        self.optimize(self.optimizer_g, target_loss + adversarial_weight * loss_g)
        self.discriminator.requires_grad_(True)

        threshold = self.adversarial.threshold
        return {
            **losses,
            "generator": loss_g.detach(),
            "discriminator": loss_d.detach(),
            "logit_real": real.detach().mean(),
            "logit_fake": fake.detach().mean(),
            "accuracy_real": (real > threshold).float().mean(),
            "accuracy_fake": (fake < threshold).float().mean(),
        }

    def pretrain_step(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Train only the generator, on the losses that compare with the target; returns them."""
        target_loss, losses, _ = self.target_loss(inputs, target)
        self.optimize(self.optimizer_g, target_loss)
        return losses

    def target_loss(
        self, inputs: Tensor, target: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The losses that need no discriminator.

        Returns:
            Their weighted sum, a scalar; each by name, detached; the prediction that they are of,
            ``(B, C, H, W)`` in [-1, 1].
        """
        with self.autocast():
            prediction = self.generator(inputs).float()
        color = self.color_loss(prediction, target)
        return self.color_weight * color, {"color": color.detach()}, prediction

    def discriminator_loss(
        self, inputs: Tensor, target: Tensor, prediction: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The discriminator's loss, a scalar, and its logits of target and prediction."""
        real, fake = self.logits(
            self.discriminator_input(inputs, target), self.discriminator_input(inputs, prediction)
        )
        return self.adversarial.discriminator(real, fake), real, fake

    def generator_loss(self, inputs: Tensor, prediction: Tensor) -> Tensor:
        """The generator's adversarial loss: a scalar, small where it is taken for real."""
        with self.autocast():
            fake = self.discriminator(self.discriminator_input(inputs, prediction))
        return self.adversarial.generator(fake.float())

    def logits(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's logits, each batch on its own: batch norm must not mix the two."""
        with self.autocast():
            return self.discriminator(real).float(), self.discriminator(fake).float()

    def discriminator_input(self, inputs: Tensor, colors: Tensor) -> Tensor:
        """The discriminator's input: [inputs, colors] if conditional, reduced by the recipe."""
        config = self.recipe.discriminator
        pictures = torch.cat([inputs, colors], 1) if config.conditional else colors
        return F.avg_pool2d(pictures, config.reduce) if config.reduce > 1 else pictures

    def optimize(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """One step of an optimizer down a loss."""
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def autocast(self) -> AbstractContextManager:
        """Inside, networks compute in the precision that was chosen; here their own."""
        return nullcontext()
