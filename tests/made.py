"""What several tests are made from: a tiny recipe, and questions to networks and data sets."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from colorlab.photos.base import PhotoSet
from colorlab.photos.batches import photo_loader
from colorlab.recipes.recipe import (
    DiscriminatorConfig,
    GeneratorConfig,
    OptimizationConfig,
    Recipe,
    Stage,
)

RECIPE = Recipe(
    name="test",
    generator=GeneratorConfig(levels=3, base=4, cap=16),
    discriminator=DiscriminatorConfig(base=4, layers=1),
    optimization=OptimizationConfig(precision="fp32"),
    stages=(Stage("pretrain", 2, 16, 2, 1e-3), Stage("adversarial", 3, 16, 2, 1e-3, 2e-3)),
)

# EXIF 2.3, section 4.6.4: what upright[y, x] is in the stored array s, as numpy operations.
UPRIGHT = {
    1: lambda s: s,
    2: lambda s: s[:, ::-1],
    3: lambda s: s[::-1, ::-1],
    4: lambda s: s[::-1],
    5: lambda s: s.swapaxes(0, 1),
    6: lambda s: s[::-1].swapaxes(0, 1),
    7: lambda s: s[::-1, ::-1].swapaxes(0, 1),
    8: lambda s: s.swapaxes(0, 1)[::-1],
}


def with_(recipe: Recipe = RECIPE, **sections: dict) -> Recipe:
    """The recipe with some fields of some sections changed."""
    parts = {k: dataclasses.replace(getattr(recipe, k), **v) for k, v in sections.items()}
    return dataclasses.replace(recipe, **parts)


HINTED = dataclasses.replace(
    with_(
        generator={"kind": "hint-unet", "widths": (12, 8, 8, 4)},
        data={"hinted": 0.5},
        objective={"palette_weight": 1.0},
    ),
    stages=(Stage("pretrain", 3, 32, 2, 1e-3), Stage("adversarial", 3, 32, 2, 1e-3, 2e-3)),
)


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def check_threads_and_workers(photos: PhotoSet, items: list[tuple[int, int]], batch: int) -> Tensor:
    """Threads and worker processes see what one thread sees; returns a whole epoch."""
    serial = [photos[item] for item in items]
    with ThreadPoolExecutor(8) as pool:
        for one, other in zip(serial, pool.map(photos.__getitem__, items), strict=True):
            assert torch.equal(one, other)
    epochs = []
    for workers in (0, 1):
        generator = torch.Generator().manual_seed(4)
        loader = photo_loader(photos, batch, generator=generator, num_workers=workers)
        epochs.append(torch.cat(list(loader)))
    assert torch.equal(*epochs)
    return epochs[0]
