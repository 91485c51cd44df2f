"""colorlab.training.optimizers: torch's plain Adam is the oracle."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from colorlab.recipes.recipe import OptimizationConfig, Recipe, Stage
from colorlab.training.optimizers import (
    adam,
    load_state_tensors,
    parameter_groups,
    set_rate,
    state_tensors,
)

CPU = torch.device("cpu")
RECIPE = Recipe(name="r", stages=(Stage("pretrain", 1, 32, 1, 1e-2),))


def network(layout=torch.channels_last) -> nn.Module:
    torch.manual_seed(3)
    # No bias before batch norm: its gradient is nothing but rounding, which Adam makes much of.
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ConvTranspose2d(5, 2, 4)
    )
    return net.to(memory_format=layout)


def recipe(**changes) -> Recipe:
    return dataclasses.replace(RECIPE, optimization=OptimizationConfig(**changes))


def run(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> None:
    for number in range(steps):
        x = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(number))
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_steps_are_adams(decay, layout):
    ours, plain = network(layout), network()
    optimizer = adam(parameter_groups(ours), recipe(betas=(0.5, 0.99), weight_decay=decay), CPU)
    set_rate(optimizer, 1e-2)
    places = [parameter.data_ptr() for parameter in ours.parameters()]
    run(ours, optimizer)
    assert [parameter.data_ptr() for parameter in ours.parameters()] == places  # no copies
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    settings = {"weight_decay": decay} if decay else {}
    run(plain, kind(plain.parameters(), lr=1e-2, betas=(0.5, 0.99), foreach=False, **settings))
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
        assert one.shape == other.shape == one.grad.shape
    assert ours[0].weight.is_contiguous(memory_format=layout)
    assert ours[2].weight.is_contiguous(memory_format=layout)


def test_moments_lie_as_their_parameters_do_also_after_loading():
    first, second = network(), network()
    one, other = (adam(parameter_groups(net), RECIPE, CPU) for net in (first, second))
    for optimizer in (one, other):
        set_rate(optimizer, 1e-2)
    run(first, one, 3)
    second.load_state_dict(first.state_dict())
    files = {name: tensor.contiguous() for name, tensor in state_tensors(one).items()}
    load_state_tensors(other, files)
    for net, optimizer in ((first, one), (second, other)):
        for parameter in net.parameters():
            for key in ("exp_avg", "exp_avg_sq"):
                assert optimizer.state[parameter][key].stride() == parameter.stride()
    run(first, one)
    run(second, other)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_before_the_first_step_there_is_no_state():
    net = network()
    optimizer = adam(parameter_groups(net), RECIPE, CPU)
    assert state_tensors(optimizer) == {}
    run(net, optimizer, 1)
    load_state_tensors(optimizer, {})
    assert state_tensors(optimizer) == {}


def test_state_of_another_network_is_refused():
    net = network()
    optimizer = adam(parameter_groups(net), RECIPE, CPU)
    run(net, optimizer, 1)
    tensors = state_tensors(optimizer)
    with pytest.raises(ValueError, match=r"of parameter 0 is .*None.*, not \[\(\), \(5, 3, 3, 3\)"):
        load_state_tensors(optimizer, {"0.step": tensors["0.step"]})
    with pytest.raises(ValueError, match="of parameter 1 is"):
        wrong = {**tensors, "1.exp_avg": torch.zeros(7)}
        load_state_tensors(optimizer, wrong)


def test_a_pretrained_encoder_gets_its_share_of_the_rate():
    net = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    groups = parameter_groups(net, 0.1)
    assert [len(group["params"]) for group in groups] == [2, 2]
    optimizer = adam(groups, RECIPE, CPU)
    set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, pytest.approx(0.05)]
    assert optimizer.param_groups[1]["params"][0] is net["encoder"].weight
