"""Estimate, without a GPU, how long a recipe would train on one, and in how much memory.

    python tests/benchmarks/gpu_estimate.py --recipe encoder-256 pix2pix-256

An estimate, no measurement. A step is run on the CPU in bf16 with 2 photos and with 4. Each of its
operations (flops, bytes) and its peak of memory is a straight line through the two, which is
followed to the recipe's batch. Then

    least   each operation meets the ceiling of the GPU's data sheet (the roofline)
    likely  2 to 4 times as long: half to a quarter of the ceilings is what code usually reaches

Not in it: reading photos, what a compiler fuses, the time that Python takes to start operations
(10 microseconds each, told apart), samples and checkpoints. Memory: the networks, Adam's state and
the running average, the peak of a step, and 0.8 GB for CUDA and its libraries.
"""

from __future__ import annotations

import argparse
import dataclasses
import math

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from colorlab import color, encoders, recipes
from colorlab.speed.operations import Operation, Operations, count
from colorlab.speed.roofline import Roofline
from colorlab.training.trainer import Trainer

# Dense half precision on tensor cores, float32 outside of them, memory: NVIDIA's data sheets. The
# half of the T4 is fp16, which is counted here as bf16: as many bytes.
GPUS = (
    Roofline({"fp32": 8.1e12, "bf16": 65e12}, 320e9, "T4, 16 GB"),
    Roofline({"fp32": 30.3e12, "bf16": 121e12}, 300e9, "L4, 24 GB"),
    Roofline({"fp32": 19.5e12, "bf16": 312e12}, 1555e9, "A100, 40 GB"),
)
SMALL, LARGE = 2, 4
CUDA_ITSELF = 0.8e9


def as_on_gpu(conv: encoders.SameConv, x: torch.Tensor) -> torch.Tensor:
    """Without the way around bf16 that a CPU needs."""
    x = x if conv.lopsided is None else F.pad(x, conv.lopsided)
    return torch.nn.Conv2d.forward(conv, x)


def measured(recipe: recipes.Recipe, stage: recipes.Stage, batch: int) -> tuple[Operations, float]:
    """The operations of a step and the most memory that it holds beside what stays."""
    trainer = Trainer(recipe, device="cpu", compile="off")
    shape = (batch, 3, stage.image_size, stage.image_size)
    photos = torch.randint(0, 256, shape, dtype=torch.uint8)

    def step() -> None:
        trainer.forget_gradients()
        trainer.step(stage.kind, 1, photos)

    operations = count(step, repeats=1, warmup=1)
    trainer.forget_gradients()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return operations, most


def flops_of(call: Operation) -> int:
    """torch's formula counts the backward pass of a depthwise convolution as one of all channels
    with all: here it is twice its forward pass."""
    if call.name == "convolution_backward":
        grad, x, weight = call.shapes[:3]
        if weight[:2] == (x[1], 1) and x[1] > 1:
            return 2 * 2 * math.prod(grad) * math.prod(weight[2:])
    return call.flops


def line(small: float, large: float, batch: int) -> float:
    return max(small + (large - small) * (batch - SMALL) / (LARGE - SMALL), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", nargs="+", default=["encoder-256", "pix2pix-256"])
    options = parser.parse_args()
    encoders.SameConv.forward = as_on_gpu
    color._in_tiles = lambda convert, image: convert(image)  # nor are photos converted in tiles
    print("| recipe, stage | GPU | TFLOP, GB a step | least | likely | Python alone | memory |")
    print("|---|---|---|---|---|---|---|")
    for name in options.recipe:
        recipe = recipes.get(name)
        choices = dataclasses.replace(recipe.optimization, precision="bf16")
        recipe = dataclasses.replace(recipe, optimization=choices)
        kept = Trainer(recipe, device="cpu", compile="off").state()[0]
        stays = sum(tensor.nbytes for tensor in kept.values())
        # Adam's two moments, which are not there before the first step.
        optimized = [kept[k] for k in kept if k.startswith(("generator.", "discriminator."))]
        stays += 2 * sum(tensor.nbytes for tensor in optimized)
        for number, stage in enumerate(recipe.stages):
            (few, small), (more, large) = (measured(recipe, stage, n) for n in (SMALL, LARGE))
            calls = [
                dataclasses.replace(
                    one,
                    flops=int(line(flops_of(one), flops_of(other), stage.batch_size)),
                    bytes=int(line(one.bytes, other.bytes, stage.batch_size)),
                )
                for one, other in zip(few.calls, more.calls, strict=True)
            ]
            work = Operations(tuple(calls))
            memory = (stays + line(small, large, stage.batch_size) + CUDA_ITSELF) / 1e9
            for gpu in GPUS:
                least = gpu.predict(work) * stage.steps / 60
                python = 10e-6 * len(calls) * stage.steps / 60
                print(
                    f"| {name}, {number + 1}: {stage.steps:,} steps of {stage.batch_size} "
                    f"| {gpu.hardware} | {work.flops / 1e12:.2f}, {work.bytes / 1e9:.1f} "
                    f"| {least:.0f} min | {2 * least:.0f} to {4 * least:.0f} min "
                    f"| {python:.0f} min | {memory:.1f} GB |"
                )


if __name__ == "__main__":
    main()
