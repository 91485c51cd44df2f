"""A GPU for machines without one: tensors that say they lie on ``cuda:0`` and are computed on the
CPU.

Inside :func:`pretended_gpu` Python sees a real GPU: ``x.is_cuda`` is true, and an operation that is
given tensors of two devices fails. So a tensor that the library forgot on the CPU is noticed on a
machine without a GPU, and the operations that a step asks of CUDA can be read off. What it can't
show: speed, memory, and what CUDA's own kernels answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from colorlab import encoders
from colorlab.recipes.recipe import Recipe
from colorlab.training import trainer as trainers
from colorlab.training.trainer import Trainer

_GPU = ("cuda", "meta")
CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
# These may move a tensor from one device to another.
_MOVES = (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)
_CHOICE_OF_ATTENTION = torch.ops.aten._fused_sdp_choice.default


class MixedDevices(RuntimeError):
    """An operation was given tensors of two devices."""


class OnGPU(Tensor):
    """A tensor that says it lies on the GPU; ``held`` is what it really is."""

    @staticmethod
    def __new__(cls, held: Tensor) -> OnGPU:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device="meta",  # below Python: what a CPU build can handle
        )

    def __init__(self, held: Tensor):
        self.held = held

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = is_meta = property(lambda self: False)

    def tolist(self) -> list:
        return self.to(CPU).tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{func} on a tensor of the pretended GPU, outside of it")


class PretendedGPU(TorchDispatchMode):
    """Computes; ``called`` is the set of operations that the GPU was asked for, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.called: set[str] = set()
        self.generators: set[int] = set()  # where those lie that were made for the GPU

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        device = kwargs.get("device")
        if device is None:
            on_gpu = any(isinstance(x, OnGPU) for x in given)
        else:
            on_gpu, kwargs = torch.device(device).type in _GPU, {**kwargs, "device": CPU}
        if func not in _MOVES:
            self._check(func, given, on_gpu, kwargs.get("generator"))
        if on_gpu:
            self.called.add(func._overloadpacket.__name__)
        if func is _CHOICE_OF_ATTENTION:
            return 0  # the plain one, whose parts are seen
        held = {id(_held(x)): x for x in given}

        def answer(x: Any) -> Any:
            if not isinstance(x, Tensor) or id(x) in held:  # in place: what was given comes back
                return held.get(id(x), x)
            return OnGPU(x) if on_gpu else x

        with unset_fake_temporarily():
            return tree_map(answer, func(*tree_map(_held, args), **tree_map(_held, kwargs)))

    def _check(
        self, func: Any, given: list[Tensor], on_gpu: bool, random: torch.Generator | None
    ) -> None:
        # A single number on the CPU may join in, but for Adam in one kernel.
        fused = func._overloadpacket.__name__.startswith("_fused_adam")
        strays = [x for x in given if (x.dim() or fused) and isinstance(x, OnGPU) != on_gpu]
        if strays:
            shapes = [tuple(x.shape) for x in strays]
            raise MixedDevices(f"{func} on {CUDA if on_gpu else CPU} was given others: {shapes}")
        if random is not None and (random._cdata in self.generators) != on_gpu:
            raise MixedDevices(f"{func} was given a generator of another device")


def _held(x: Any) -> Any:
    return x.held if isinstance(x, OnGPU) else x


@contextmanager
def pretended_gpu() -> Iterator[PretendedGPU]:
    """Inside, ``cuda:0`` is there."""
    gpu = PretendedGPU()
    made, weights = torch.Generator, encoders.imagenet_weights()

    def generator(device: Any = "cpu") -> torch.Generator:
        one = made()
        if torch.device(device).type == "cuda":
            gpu.generators.add(one._cdata)
        return one

    # FakeTensorMode is there for one thing: under it, torch does not start CUDA when it is named.
    with (
        pytest.MonkeyPatch.context() as patch,
        FakeTensorMode(),
        gpu,
    ):
        patch.setattr(torch, "Generator", generator)
        patch.setattr(encoders, "imagenet_weights", lambda: weights)  # a file is not read under it
        yield gpu


def trainer_on_gpu(recipe: Recipe, **choices: Any) -> Trainer:
    """A trainer on the pretended GPU, in float32 and not compiled."""

    make, random = trainers._accelerator, trainers.global_random_numbers

    def accelerator(*_: Any) -> Any:
        one = make(CPU, "fp32")
        one.state.device = CUDA
        return one

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainers, "_accelerator", accelerator)
        patch.setattr(trainers, "global_random_numbers", lambda seed, _: random(seed, CPU))
        return Trainer(recipe, device=CUDA, compile="off", **choices)
