"""Trained generators on disk: safetensors with the recipe inside.

A safetensors file holds numbers and text and can't run code when it is opened.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from torch import nn

from colorlab.atomic import write_whole
from colorlab.recipes.build import build_generator
from colorlab.recipes.recipe import Recipe

FORMAT = "colorlab-generator-1"


class WeightsError(ValueError):
    """A file that should hold a trained generator, and doesn't."""


def save_weights(
    path: str | os.PathLike[str],
    generator: nn.Module,
    recipe: Recipe,
    *,
    half: bool = False,
    notes: dict[str, str] | None = None,
) -> Path:
    """Write a generator so that ``load_weights`` can rebuild it from nothing but the file.

    Written aside, synced and renamed: a crash leaves the file that stood there before.

    Args:
        path: where to; the folder is made.
        half: store kernels as float16: half the size, about three decimal digits kept.
        notes: further text for the file's header, such as the step reached.

    Raises:
        WeightsError: weights that are not finite.
    """
    from safetensors.torch import save

    path = Path(path)
    tensors = {}
    for name, tensor in generator.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        # Norms keep float32: they are few, and a variance may be too large for float16.
        tensors[name] = tensor.half() if half and tensor.dim() > 1 else tensor
        if not bool(torch.isfinite(tensors[name]).all()):
            raise WeightsError(
                f"{path} was not written: {name} holds NaN or infinity"
                + (", perhaps for want of range in float16: try half=False" if half else "")
            )
    header = {**(notes or {}), "format": FORMAT, "recipe": recipe.to_json()}
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, _sorted_notes(save(tensors, header)))


def _sorted_notes(file: bytes) -> tuple[bytes, memoryview]:
    """safetensors writes a header's notes in an order that changes from call to call; here they
    are sorted, so that equal weights make equal files."""
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8, as the format asks
    return len(text).to_bytes(8, "little") + text, memoryview(file)[end:]


def load_weights(path: str | os.PathLike[str]) -> tuple[nn.Module, Recipe, dict[str, str]]:
    """The generator in a weights file, float32, on the CPU, in eval mode; its recipe; its notes.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: not a safetensors file, cut short, not written by colorlab, or its tensors
            do not fit the network that its recipe describes.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no weights file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            notes = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}). Was the download or the copy cut "
            f"short? Get it again."
        ) from error
    if notes.pop("format", None) != FORMAT or "recipe" not in notes:
        raise WeightsError(
            f"{path} holds tensors, but was not written by colorlab: its header lacks the recipe. "
            f"Use a weights.safetensors that `colorlab train` wrote."
        )
    try:
        recipe = Recipe.from_json(notes.pop("recipe"))
        generator = build_generator(recipe, pretrained=False)
        floats = {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}
        generator.load_state_dict(floats)
    except (ValueError, RuntimeError) as error:
        # torch lists every tensor that is missing or misshapen, one a line; the first few will do.
        why = " ".join(str(error).split())
        raise WeightsError(
            f"{path} does not fit this version of colorlab, so it is damaged or was written by "
            f"another one: {why[:400]}{' …' if len(why) > 400 else ''}"
        ) from error
    return generator.eval(), recipe, notes
