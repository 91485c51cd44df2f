"""Every choice of a training run, by name."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(
    __name__,
    {
        "DataConfig": "recipe",
        "DiscriminatorConfig": "recipe",
        "GeneratorConfig": "recipe",
        "ObjectiveConfig": "recipe",
        "OptimizationConfig": "recipe",
        "RECIPES": "presets",
        "Recipe": "recipe",
        "Stage": "recipe",
        "build_discriminator": "build",
        "build_generator": "build",
        "get": "presets",
    },
)
