"""Time one adversarial step of pix2pix: ours, and a plain float32 loop written the usual way.

    python tests/benchmarks/pix2pix_step.py [--batch 4] [--repeats 7] [--device cpu]

Both train the same networks (54,409,858 + 2,765,633 parameters) at 256 pixels. The plain loop is
given L and ab; ours is given uint8 photos, and its time includes their conversion. The two take
turns in one process, so that whatever else the machine does falls on both; medians are compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from colorlab import recipes
from colorlab.devices import best_device, hardware_name
from colorlab.recipes.build import build_discriminator, build_generator
from colorlab.speed.roofline import ceilings
from colorlab.speed.stopwatch import take_turns
from colorlab.training.trainer import Trainer


def plain_loop(recipe: recipes.Recipe, device: torch.device) -> Callable[[Tensor, Tensor], float]:
    """The step as most tutorials have it."""
    generator, discriminator = build_generator(recipe).to(device), build_discriminator(recipe)
    discriminator = discriminator.to(device)
    adam_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    bce = torch.nn.BCEWithLogitsLoss()

    def step(lightness: Tensor, ab: Tensor) -> float:
        fake = generator(lightness)
        adam_d.zero_grad()
        on_real = discriminator(torch.cat([lightness, ab], 1))
        on_fake = discriminator(torch.cat([lightness, fake.detach()], 1))
        loss_d = bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))
        loss_d.backward()
        adam_d.step()

        adam_g.zero_grad()
        logits = discriminator(torch.cat([lightness, fake], 1))
        loss_g = bce(logits, torch.ones_like(logits)) + 100 * F.l1_loss(fake, ab)
        loss_g.backward()
        adam_g.step()
        return loss_g.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device")
    options = parser.parse_args()
    device = torch.device(options.device or best_device())

    recipe = recipes.get("lab-pix2pix").with_batch(options.batch)
    plain32 = dataclasses.replace(recipe.optimization, precision="fp32")
    photos = torch.randint(0, 256, (options.batch, 3, 256, 256), dtype=torch.uint8)
    ours = Trainer(recipe, device=device)
    ours32 = Trainer(dataclasses.replace(recipe, optimization=plain32), device=device)
    lightness, ab = ours.split(photos)
    plain = plain_loop(recipe, device)
    with FlopCounterMode(display=False) as counter:
        plain(lightness, ab)
    flops = counter.get_total_flops()

    chosen = f"ours ({ours.precision}, channels-last, fused Adam" + ", compiled)" * ours.compiled
    works: dict[str, Callable[[], object]] = {
        "plain float32 loop": lambda: plain(lightness, ab),
        "ours, float32": lambda: ours32.step("adversarial", 1, photos),
        chosen.rstrip(")") + ")": lambda: ours.step("adversarial", 1, photos),
    }
    times = take_turns(works, options.repeats, 2, device)  # on a GPU, the first ones compile

    rate = ceilings(device, ["bf16"]).peaks["bf16"] / 1e12
    print(f"{hardware_name(device)}, batch {options.batch}, {flops / 1e9:.0f} GFLOP a step")
    print(f"bfloat16 matrix product: {rate:.2f} TFLOP/s")
    first = statistics.median(times["plain float32 loop"])
    for name, values in times.items():
        median = statistics.median(values)
        share = flops / median / 1e12 / rate
        print(
            f"{name:<50}{median * 1000:8.0f} ms   ratio {median / first:.2f}   "
            f"{options.batch / median:6.1f} photos/s   {share:.0%} of the matrix rate"
        )


if __name__ == "__main__":
    main()
