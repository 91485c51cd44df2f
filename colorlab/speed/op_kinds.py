"""Which kind of work one of torch's operations is, known from its name.

A step runs through some hundred different operations, in thousands of calls. For the question where
its time goes they are a few kinds, which have different remedies.
"""

from __future__ import annotations

CONVOLUTION = "convolution"
NORMALIZATION = "normalization"
ACTIVATION = "activation, dropout"
COPY = "copies, casts"
ARITHMETIC = "other arithmetic"
ADAM = "Adam"
OUTSIDE = "outside of torch"
READING, LAB = "reading photos", "photos to Lab"  # no operations: ranges that a step marks itself

# The first kind that has a part of the name decides. Matrix products stand with the convolutions,
# which are such products inside and run on the same units.
_PARTS = (
    (ADAM, ("adam",)),
    (NORMALIZATION, ("batch_norm", "instance_norm", "group_norm", "layer_norm")),
    (CONVOLUTION, ("conv", "addmm", "matmul", "bmm", "linear")),
    (
        ACTIVATION,
        ("relu", "tanh", "sigmoid", "gelu", "silu", "threshold_backward", "bernoulli", "dropout"),
    ),
    (
        COPY,
        ("copy", "clone", "contiguous", "reorder", "zero_", "zeros", "fill_", "ones", "repeat"),
    ),
)
_WHOLE = {
    "mm": CONVOLUTION,
    "cat": COPY,
    "stack": COPY,
    "to": COPY,
    "slice": COPY,
    "slice_backward": COPY,
    "flip": COPY,
}


def kind_of(name: str) -> str:
    """The kind of ``aten::leaky_relu_``, ``aten.leaky_relu_.default`` or plain ``leaky_relu_``."""
    name = name.removeprefix("aten::").removeprefix("aten.").split(".")[0].lower()
    if name in _WHOLE:
        return _WHOLE[name]
    for kind, parts in _PARTS:
        if any(part in name for part in parts):
            return kind
    return ARITHMETIC
