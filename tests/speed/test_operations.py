"""colorlab.speed.operations against the formulas, by hand, and against torch's own counter."""

from __future__ import annotations

import time

import pytest
import torch
from made import RECIPE, with_
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from colorlab.speed.op_kinds import ACTIVATION, ADAM, CONVOLUTION, COPY
from colorlab.speed.operations import Operation, count
from colorlab.training.trainer import Trainer


def only(work, **options) -> Operation:
    (call,) = count(work, repeats=1, warmup=0, **options).calls
    return call


def test_a_convolution() -> None:
    weight, x = torch.randn(8, 3, 4, 4), torch.randn(2, 3, 16, 16)
    call = only(lambda: nn.functional.conv2d(x, weight, stride=2, padding=1))
    assert (call.kind, call.precision) == (CONVOLUTION, "fp32")
    assert call.flops == 2 * 2 * 8 * 8 * 8 * 3 * 4 * 4  # 2 · B · H' · W' · C' · C · k · k
    assert call.bytes == 4 * (2 * 3 * 16 * 16 + 8 * 3 * 4 * 4 + 2 * 8 * 8 * 8)
    assert call.intensity == call.flops / call.bytes and call.seconds > 0
    assert call.shapes == ((2, 3, 16, 16), (8, 3, 4, 4))


def test_its_backward_pass_makes_two_gradients() -> None:
    weight = torch.randn(8, 3, 4, 4, requires_grad=True)
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    y = nn.functional.conv2d(x, weight, stride=2, padding=1)
    found = count(lambda: y.backward(torch.ones_like(y), retain_graph=True), repeats=1, warmup=1)
    (call,) = [call for call in found.calls if call.kind == CONVOLUTION]
    assert call.flops == 2 * 2 * (2 * 8 * 8 * 8 * 3 * 4 * 4)
    assert call.bytes == 4 * (2 * x.numel() + 2 * weight.numel() + y.numel())


def test_bytes_of_small_work() -> None:
    a, b = torch.ones(100), torch.ones(100)
    half, row = a.bfloat16(), torch.ones(1)
    wanted = {
        "add": (lambda: a + b, 1200, 100),  # reads two, writes one
        "in place": (lambda: a.add_(b), 1200, 100),
        "relu_": (lambda: a.relu_(), 800, 100),
        "to bf16": (lambda: a.bfloat16(), 600, 0),
        "copy_": (lambda: a.copy_(b), 800, 0),
        "zero_": (lambda: a.zero_(), 400, 0),
        "expanded": (lambda: a.mul(row.expand(100)), 804, 100),
        "half": (lambda: half * half, 600, 100),
    }
    for name, (work, moved, flops) in wanted.items():
        call = only(work)
        assert (call.bytes, call.flops) == (moved, flops), name
    assert only(lambda: a.relu()).kind == ACTIVATION
    assert only(lambda: half + half).precision == "bf16"
    assert only(lambda: a.bfloat16()).kind == COPY


def test_views_and_empty_memory_cost_nothing() -> None:
    a = torch.ones(4, 6)
    found = count(lambda: (a.t().reshape(6, 4)[1:], torch.empty(5), a.detach()), repeats=1)
    assert found.calls == () and found.flops == found.bytes == 0


def test_fused_adam_reads_four_and_writes_three() -> None:
    weight = nn.Parameter(torch.ones(1000))
    weight.grad = torch.ones(1000)
    adam = torch.optim.Adam([weight], fused=True)
    found = count(adam.step, repeats=2)
    assert found.by_kind()[ADAM].bytes == pytest.approx(7 * 4 * 1000, abs=16)  # and its step count


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_whole_step_has_the_operations_that_torch_counts(precision: str) -> None:
    recipe = with_(RECIPE, optimization={"precision": precision})
    trainer = Trainer(recipe, device="cpu")
    batch = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    found = count(lambda: trainer.step("adversarial", 1, batch), repeats=2)
    with FlopCounterMode(display=False) as counter:
        trainer.step("adversarial", 1, batch)
    kinds = found.by_kind()
    assert kinds[CONVOLUTION].flops == counter.get_total_flops()
    assert kinds[CONVOLUTION].precision == precision
    for total in ("flops", "bytes", "seconds"):
        summed = sum(getattr(one, total) for one in kinds.values())
        assert summed == pytest.approx(getattr(found, total)), total


def test_seconds_are_those_of_the_operations_alone() -> None:
    def work() -> None:
        torch.ones(3).add_(1)
        time.sleep(0.1)  # between operations: not theirs

    found = count(work, repeats=3, warmup=0)
    assert found.calls[-1].name == "add_" and 0 < found.seconds < 0.1


def test_work_that_changes_is_refused() -> None:
    sizes = iter(range(1, 9))
    with pytest.raises(ValueError, match="other operations each time"):
        count(lambda: torch.ones(next(sizes)).add_(1), warmup=0)
    with pytest.raises(ValueError, match="repeats=0"):
        count(lambda: None, repeats=0)
