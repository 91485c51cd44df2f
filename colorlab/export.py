"""A trained generator as an ONNX file: what browsers, phones and other languages can run.

Python is left behind: ``torch.export`` follows one pass through the network, with height and width
as unknowns, and writes down each operation. The weights are stored as float16, half the size; the
arithmetic stays float32. Then the file is run in onnxruntime and compared with torch.

    from colorlab.colorize import Colorizer
    to_onnx(Colorizer.load(), "model.onnx")

ONNX: https://onnx.ai/onnx/intro/concepts.html
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from colorlab import palette
from colorlab.atomic import write_whole
from colorlab.color import AB_RANGE, lightness_to_gray, normalize_lab, rgb_to_lab
from colorlab.colorize import Colorizer, stride_of
from colorlab.encoders import HintUNet, enlarge
from colorlab.hints import CHANNELS

if TYPE_CHECKING:
    import onnx

OPSET = 20
SIZES = ((1, 1), (2, 3), (5, 2))  # height and width that are compared, in strides
COLDEST = 1e-3  # temperatures below count as this one: the mode but for ties
CLOSE = 1.0  # CIE units; a larger difference from torch is refused


class ExportError(ValueError):
    """A generator that can't be written as ONNX, or whose file gives other colors than torch."""


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: the file.
        bytes: its size.
        inputs, outputs: their names, in order.
        difference: the largest difference of a or b from torch, in CIE units.
    """

    path: Path
    bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float


def to_onnx(
    colorizer: Colorizer, path: str | os.PathLike[str], *, half: bool = True, name: str = ""
) -> Exported:
    """Write the colorizer's generator as ONNX, and compare it with torch in onnxruntime.

    Inputs, all float32: ``lightness`` ``(batch, 1, height, width)`` in [-1, 1], height and width
    multiples of the generator's stride. A generator that takes hints has also ``hints``
    ``(batch, 3, height, width)``, as ``colorlab.hints.lay`` makes them, and ``temperature``
    ``(1,)``: 0 to 1, or negative for its own way. One with noise has ``noise`` ``(batch, C)``.

    Outputs: ``ab`` ``(batch, 2, height, width)`` in [-1, 1], also of a generator that predicts RGB;
    and of one that predicts a distribution ``logits`` ``(batch, 261, height / 4, width / 4)``.

    Args:
        half: store kernels as float16.
        name: of the weights, noted in the file beside what ``about`` says.

    Raises:
        ImportError: onnx, onnxscript or onnxruntime is missing; the message says how to get them.
        ExportError: torch can't export this generator, or the file's colors differ from torch's by
            more than one CIE unit. Nothing is written then.
        OSError: the file can't be written.
    """
    _require_packages()
    path = Path(path)
    portable = Portable(colorizer)
    model = _traced(portable)
    pad_channels(model)
    if half:
        store_as_half(model)
    for key, value in about(colorizer, name).items():
        model.metadata_props.add(key=f"colorlab.{key}", value=json.dumps(value))
    file = model.SerializeToString()
    difference = _compared(portable, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [file])
    return Exported(path, len(file), portable.inputs, portable.outputs, difference)


def about(colorizer: Colorizer, name: str = "") -> dict[str, Any]:
    """What who runs the file must know, also noted in it: ``colorlab.size`` and so on.

    ``size``: the short side at which the network saw photos; ``stride``; whether it takes ``hints``
    and gives a ``distribution``; how many numbers of ``noise``.
    """
    return {
        "name": name,
        "size": colorizer.size,
        "stride": stride_of(colorizer.generator),
        "hints": colorizer.takes_hints,
        "distribution": colorizer.takes_hints,
        "noise": getattr(colorizer.generator, "noise_channels", 0),
    }


class Portable(nn.Module):
    """A generator whose inputs and outputs are all tensors, the same for every kind.

    Attributes:
        inputs, outputs: their names; see ``to_onnx``.
    """

    def __init__(self, colorizer: Colorizer):
        super().__init__()
        self.generator = colorizer.generator
        self.predicts = colorizer.recipe.generator.predicts
        self.noise = getattr(self.generator, "noise_channels", 0)
        self.takes_hints = isinstance(self.generator, HintUNet)
        more = ("hints", "temperature") if self.takes_hints else ("noise",) if self.noise else ()
        self.inputs = ("lightness", *more)
        self.outputs = ("ab", "logits") if self.takes_hints else ("ab",)
        palette.bins()  # computed here: a trace would write down how, and keep that

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self.takes_hints:
            return self._with_hints(*inputs)
        lightness, *noise = inputs
        if self.predicts == "ab":
            return (self.generator(lightness, *noise),)
        rgb = self.generator(lightness_to_gray(lightness) * 2 - 1, *noise)
        return (normalize_lab(rgb_to_lab((rgb + 1) / 2))[1],)

    def _with_hints(self, lightness: Tensor, hints: Tensor, temperature: Tensor) -> tuple:
        net = self.generator
        x, logits = net.features(lightness, hints)
        warm = torch.where(temperature < 0, palette.TEMPERATURE, temperature)
        of_bins = enlarge(palette.sharpened_mean(logits, warm.clamp_min(COLDEST)), 2)
        own = torch.tanh(net.to_ab(x)) if net.head == "ab" else of_bins
        ab = torch.where(temperature < 0, own, of_bins)
        return enlarge(net.carry(ab, x, lightness, hints), 2), logits

    def example(self, batch: int, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of ``rows`` and ``columns`` strides: random L, a few hints, an own temperature."""
        random = torch.Generator().manual_seed(rows * 31 + columns)
        stride = stride_of(self.generator)
        size = (batch, 1, rows * stride, columns * stride)
        lightness = torch.rand(size, generator=random) * 2 - 1
        if self.noise:
            return lightness, torch.randn(batch, self.noise, generator=random)
        if not self.takes_hints:
            return (lightness,)
        hints = torch.zeros(batch, CHANNELS, *size[2:])
        for at in range(0, size[3] - 3, 19):
            top = at % (size[2] - 3)
            hints[:, :2, top : top + 3, at : at + 3] = torch.rand(2, 1, 1, generator=random) - 0.5
            hints[:, 2, top : top + 3, at : at + 3] = 1
        return lightness, hints, torch.tensor([-1.0 if rows == columns else 0.4])


@torch.no_grad()
def _traced(portable: Portable) -> onnx.ModelProto:
    """The network as an ONNX graph of unknown batch, height and width."""
    stride = stride_of(portable.generator)
    batch = torch.export.Dim("batch")
    sides = {2 + i: stride * torch.export.Dim(name) for i, name in enumerate(("rows", "columns"))}
    # Sizes 0 and 1 would be taken for constants, so the example has two photos of 2 x 3 strides.
    inputs = portable.example(2, 2, 3)
    shapes = {"lightness": {0: batch, **sides}, "hints": {0: batch, **sides}, "noise": {0: batch}}
    dynamic = tuple(shapes.get(name, {}) for name in portable.inputs)
    try:
        with _quiet():
            program = torch.export.export(portable, inputs, dynamic_shapes=(dynamic,), strict=False)
            written = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=portable.inputs,
                output_names=portable.outputs,
            )
    except Exception as error:  # torch raises a dozen kinds, all of them "can't"
        why = " ".join(str(error).split())[:300]
        raise ExportError(
            f"torch can't export this {type(portable.generator).__name__}: {why}. What depends on "
            f"values rather than shapes (an `if` on a tensor, a loop of unknown length) is the "
            f"usual cause."
        ) from error
    return written.model_proto


def pad_channels(model: onnx.ModelProto) -> None:
    """Pad the input channels of convolutions with zeros to a multiple of 4, in place.

    WebGPU in onnxruntime-web 1.30 reads channels in fours, and computes a convolution wrong whose
    input channels are more than four and no multiple of four. Zeros add nothing to its result.
    """
    from onnx import helper, numpy_helper

    stored = {one.name: one for one in model.graph.initializer}
    nodes, kernels = [], {}
    for node in model.graph.node:
        kernel = stored.get(node.input[1]) if node.op_type == "Conv" else None
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        if kernel is not None and groups == 1 and kernel.dims[1] > 4 and kernel.dims[1] % 4:
            kernels[kernel.name] = kernel
            pads = np.zeros((2, len(kernel.dims)), np.int64)  # before and after, for each axis
            pads[1, 1] = -kernel.dims[1] % 4
            padded, amount = f"{node.output[0]}_padded", f"{node.output[0]}_pads"
            model.graph.initializer.append(numpy_helper.from_array(pads.ravel(), amount))
            nodes.append(helper.make_node("Pad", [node.input[0], amount], [padded]))
            node.input[0] = padded
        nodes.append(node)
    for name, kernel in kernels.items():
        values = numpy_helper.to_array(kernel)
        zeros = np.zeros_like(values[:, : -values.shape[1] % 4])
        kernel.CopyFrom(numpy_helper.from_array(np.concatenate([values, zeros], 1), name))
    _replace_nodes(model, nodes)
    del model.graph.value_info[:]  # the shapes of before; every runtime infers them


def store_as_half(model: onnx.ModelProto) -> None:
    """Store each kernel of a model as float16, in place, and cast it back where it is used.

    Biases and norms stay float32: they are few, and their range may be too large.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for stored in model.graph.initializer:
        values = numpy_helper.to_array(stored)
        if values.dtype != np.float32 or values.ndim < 2 or abs(values).max() > 6e4:
            continue
        name = stored.name
        stored.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    _replace_nodes(model, [*casts, *model.graph.node])


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@torch.inference_mode()
def _compared(portable: Portable, file: bytes) -> float:
    """The largest difference of a or b from torch over three sizes, in CIE units."""
    run = session(file)
    largest = 0.0
    for batch, (rows, columns) in enumerate(SIZES, 1):
        inputs = portable.example(batch, rows, columns)
        ours = portable(*inputs)[0]
        theirs = run.run(["ab"], dict(zip(portable.inputs, map(Tensor.numpy, inputs), strict=True)))
        largest = max(largest, float(abs(ours.numpy() - theirs[0]).max()) * AB_RANGE)
    if not largest <= CLOSE:
        raise ExportError(
            f"onnxruntime's colors differ from torch's by up to {largest:.2g} CIE units, and "
            f"{CLOSE:g} is allowed. Kernels of float16 may be too coarse for this network: try "
            f"--full, half=False in Python."
        )
    return largest


def session(file: bytes | str | os.PathLike[str], threads: int = 0) -> Any:
    """The file, or its path, ready to run: an ``onnxruntime.InferenceSession`` on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = file if isinstance(file, bytes) else os.fspath(file)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet() -> Any:
    """Without torch's account of each step, and its warnings about packages that nobody needs."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _require_packages(names: Sequence[str] = ("onnx", "onnxscript", "onnxruntime")) -> None:
    if missing := [name for name in names if find_spec(name) is None]:
        raise ImportError(
            f"exporting needs {' and '.join(missing)}: pip install {' '.join(missing)}"
        )
