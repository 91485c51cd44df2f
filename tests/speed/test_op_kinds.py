"""colorlab.speed.op_kinds on the names that torch really uses."""

from __future__ import annotations

import pytest

from colorlab.speed import op_kinds
from colorlab.speed.op_kinds import kind_of

NAMES = {
    op_kinds.CONVOLUTION: (
        "aten::mkldnn_convolution",
        "aten::convolution_backward",
        "aten::cudnn_convolution_transpose",
        "aten::_slow_conv2d_forward",
        "aten::addmm",
        "aten::mm",
        "aten.mm.default",
    ),
    op_kinds.NORMALIZATION: (
        "aten::native_batch_norm",
        "aten::cudnn_batch_norm_backward",
        "aten::native_group_norm",
    ),
    op_kinds.ACTIVATION: (
        "aten::leaky_relu_backward",
        "aten.threshold_backward.default",
        "aten::tanh",
        "bernoulli_",
    ),
    op_kinds.COPY: ("aten::copy_", "aten::_to_copy", "aten::cat", "aten::clone", "aten::to"),
    op_kinds.ADAM: ("aten::_fused_adam_", "aten::_fused_adamw_"),
    op_kinds.ARITHMETIC: (
        "aten::mul",
        "aten::comm",
        "aten::log2",
        "aten::vector_norm",
        "aten::sum",
    ),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names]
)
def test_kinds(kind: str, name: str) -> None:
    assert kind_of(name) == kind
