"""The testers of lesson 03: each wrong solution with its own hint, and other right ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from solutions import cases, check_enough, check_refused, exercise
from torch import nn

from colorlab.course.checks import lesson03, try_solution
from colorlab.unet import UNet


def made(inputs, outputs, norm=True, *, kernel=4, stride=2, padding=1, bias=False, slope=0.2):
    layers = [
        nn.LeakyReLU(slope),
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias),
        *([nn.BatchNorm2d(outputs)] if norm else []),
    ]
    return nn.Sequential(*layers)


# --- 3.1 -----------------------------------------------------------------------------------------


def no_padding(inputs, outputs, norm=True):
    return made(inputs, outputs, norm, padding=0)


def stride_one(inputs, outputs, norm=True):
    return made(inputs, outputs, norm, stride=1)


def kernel_three(inputs, outputs, norm=True):
    return made(inputs, outputs, norm, kernel=3)


def swapped(inputs, outputs, norm=True):
    return made(outputs, inputs, norm)


def with_bias(inputs, outputs, norm=True):
    return made(inputs, outputs, norm, bias=True)


def always_a_norm(inputs, outputs, norm=True):
    return made(inputs, outputs, True)


def never_a_norm(inputs, outputs, norm=True):
    return made(inputs, outputs, False)


def plain_relu(inputs, outputs, norm=True):
    _, *rest = made(inputs, outputs, norm)
    return nn.Sequential(nn.ReLU(), *rest)


def other_slope(inputs, outputs, norm=True):
    return made(inputs, outputs, norm, slope=0.01)


def activation_last(inputs, outputs, norm=True):
    first, *rest = made(inputs, outputs, norm)
    return nn.Sequential(*rest, first)


def fixed_numbers(inputs, outputs, norm=True):
    return made(16, 32, norm)


def as_a_list(inputs, outputs, norm=True):
    return list(made(inputs, outputs, norm))


def in_place(inputs, outputs, norm=True):
    _, *rest = made(inputs, outputs, norm)
    return nn.Sequential(nn.LeakyReLU(0.2, inplace=True), *rest)


def grouped(inputs, outputs, norm=True):
    block = made(inputs, outputs, norm)
    block[1] = nn.Conv2d(inputs, outputs, 4, 2, 1, groups=2, bias=False)
    return block


def skips_its_norm(inputs, outputs, norm=True):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = made(inputs, outputs, norm)

        def forward(self, x):
            return self.layers[1](self.layers[0](x)) * 1.5

    return Block()


def norm_of_inputs(inputs, outputs, norm=True):
    act, conv, *_ = made(inputs, outputs)
    return nn.Sequential(act, conv, *([nn.BatchNorm2d(inputs)] if norm else []))


def dilated(inputs, outputs, norm=True):
    block = made(inputs, outputs, norm)
    block[1].dilation = (2, 2)
    return block


def no_convolution(inputs, outputs, norm=True):
    return nn.Sequential(nn.LeakyReLU(0.2), nn.AvgPool2d(2))


# --- 3.2 -----------------------------------------------------------------------------------------


def made_up(inputs, outputs, kernel=4, padding=1, bias=False, act=None, norm=True, stride=2):
    return nn.Sequential(
        act or nn.ReLU(),
        nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, bias=bias),
        *([nn.BatchNorm2d(outputs)] if norm else []),
    )


def down_again(inputs, outputs):
    return made(inputs, outputs)


def up_no_padding(inputs, outputs):
    return made_up(inputs, outputs, padding=0)


def up_kernel_two(inputs, outputs):
    return made_up(inputs, outputs, kernel=2, padding=0)


def up_swapped(inputs, outputs):
    return made_up(outputs, inputs)


def up_bias(inputs, outputs):
    return made_up(inputs, outputs, bias=True)


def up_leaky(inputs, outputs):
    return made_up(inputs, outputs, act=nn.LeakyReLU(0.2))


def up_no_norm(inputs, outputs):
    return made_up(inputs, outputs, norm=False)


def up_no_stride(inputs, outputs):
    return made_up(inputs, outputs, stride=1)


def up_norm_first(inputs, outputs):
    relu, conv, norm = made_up(inputs, outputs)
    return nn.Sequential(relu, nn.BatchNorm2d(inputs), conv)


def up_enlarged(inputs, outputs):
    return nn.Sequential(
        nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1)
    )


def up_by_position(inputs, outputs):
    conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, 1, 1, False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(outputs))


def up_false_by_position(inputs, outputs):
    conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(outputs))


def up_class(inputs, outputs):
    return nn.ConvTranspose2d


# --- 3.3 -----------------------------------------------------------------------------------------


def walked(downs, ups, x, join=lambda x, skip: torch.cat([x, skip], 1), front=False, twice=False):
    skips = []
    for block in downs:
        x = block(x)
        skips.append(x)
    if not twice:
        x = ups[0](skips.pop())
    for block in ups if twice else ups[1:]:
        x = block(join(x, skips.pop(0 if front else -1)))
    return x


def no_skips(downs, ups, x):
    return walked(downs, ups, x, join=lambda x, skip: x)


def skip_first(downs, ups, x):
    return walked(downs, ups, x, join=lambda x, skip: torch.cat([skip, x], 1))


def added(downs, ups, x):
    return walked(downs, ups, x, join=lambda x, skip: x + skip)


def from_the_front(downs, ups, x):
    return walked(downs, ups, x, front=True)


def innermost_twice(downs, ups, x):
    return walked(downs, ups, x, twice=True)


def down_only(downs, ups, x):
    for block in downs:
        x = block(x)
    return x


def wrong_dimension(downs, ups, x):
    return walked(downs, ups, x, join=lambda x, skip: torch.cat([x, skip], 0))


def joined_with_itself(downs, ups, x):
    return walked(downs, ups, x, join=lambda x, skip: torch.cat([x, x], 1))


def not_replaced(downs, ups, x):
    skips = [block(x) for block in downs]
    x = ups[0](skips.pop())
    for block in ups[1:]:
        x = block(torch.cat([x, skips.pop()], 1))
    return x


def innermost_kept(downs, ups, x):
    skips = [x := block(x) for block in downs]
    x = ups[0](x)
    for block in ups[1:]:
        x = block(torch.cat([x, skips.pop()], 1))
    return x


def five_levels(downs, ups, x):
    skips = []
    for i in range(5):
        x = downs[i](x)
        skips.append(x)
    return x


def cut_skips(downs, ups, x):
    return walked(downs, ups, x, join=lambda x, skip: torch.cat([x, skip.detach()], 1))


def three_levels(downs, ups, x):
    one = downs[0](x)
    two = downs[1](one)
    up = ups[0](downs[2](two)) if len(downs) > 2 else two
    return ups[-1](torch.cat([ups[1](torch.cat([up, two], 1)), one], 1))


def empties_the_list(downs, ups, x):
    return walked(downs, [ups.pop(0) for _ in list(ups)], x)


def starts_over(downs, ups, x):
    return walked(downs, ups, 2 * x)


def forgot_to_return(downs, ups, x):
    walked(downs, ups, x)


def detached(downs, ups, x):
    return walked(downs, ups, x).numpy()


# --- 3.4: the planted bug ------------------------------------------------------------------------


def block(inputs, *tail, act=True, outputs=2, bias=True):
    conv = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
    return nn.Sequential(*([nn.ReLU()] if act else []), conv, *tail)


def bug_still_in(inputs):
    return block(inputs, nn.ReLU())


def sigmoid(inputs):
    return block(inputs, nn.Sigmoid())


def unbounded(inputs):
    return block(inputs)


def first_relu_gone(inputs):
    return block(inputs, nn.Tanh(), act=False)


def tanh_then_relu(inputs):
    return block(inputs, nn.Tanh(), nn.ReLU())


def three_channels(inputs):
    return block(inputs, nn.Tanh(), outputs=3)


def bias_gone(inputs):
    return block(inputs, nn.Tanh(), bias=False)


def two_by_two(inputs):
    return nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(inputs, 2, 2, stride=2), nn.Tanh())


def leaky_first(inputs):
    _, conv, tanh = block(inputs, nn.Tanh())
    return nn.Sequential(nn.LeakyReLU(0.2), conv, tanh)


def hard_tanh(inputs):
    return block(inputs, nn.Hardtanh())


# --- 3.5 -----------------------------------------------------------------------------------------


def count(levels, base, cap, **options):
    return lesson03._count(levels, base, cap, **options)


def not_doubled(levels, base, cap):
    return count(levels, base, cap, doubled="never")


def all_biases(levels, base, cap):
    return count(levels, base, cap, bias=True)


def no_norms(levels, base, cap):
    return count(levels, base, cap, norms="none")


def all_norms(levels, base, cap):
    return count(levels, base, cap, norms="all")


def always_doubled(levels, base, cap):
    return count(levels, base, cap, doubled="always")


def innermost_norm(levels, base, cap):
    return count(levels, base, cap, norms="innermost")


def first_norm(levels, base, cap):
    return count(levels, base, cap, norms="first")


def last_norm(levels, base, cap):
    return count(levels, base, cap, norms="last")


def one_number_a_norm(levels, base, cap):
    return count(levels, base, cap, norms="one")


def last_bias_missing(levels, base, cap):
    return count(levels, base, cap, last_bias=False)


def three_by_three(levels, base, cap):
    return count(levels, base, cap, kernel=9)


def side_not_area(levels, base, cap):
    return count(levels, base, cap, kernel=4)


def not_capped(levels, base, cap):
    return count(levels, base, cap, capped=False)


def looked_up(levels, base, cap):
    return 54_409_858


# --- 3.6 -----------------------------------------------------------------------------------------


def step(net, optimizer, L, ab, order="lzbs", loss=None, number=True):
    """The parts of a step in an order: l(oss), z(ero_grad), b(ackward), s(tep)."""
    for part in order:
        if part == "l":
            value = (net(L) - ab).abs().mean() if loss is None else loss(net(L), ab)
        elif part == "z":
            optimizer.zero_grad()
        elif part == "b":
            value.backward()
        else:
            optimizer.step()
    return value.item() if number else value


def no_zero_grad(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, "lbs")


def no_step(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, "lzb")


def no_backward(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, "lzs")


def step_first(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, "lzsb")


def zero_between(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, "lbzs")


def keeps_the_graph(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, number=False)


def squared(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, loss=lambda ours, ab: ((ours - ab) ** 2).mean())


def summed(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, loss=lambda ours, ab: (ours - ab).abs().sum())


def signed(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, loss=lambda ours, ab: (ours - ab).mean())


def trains_on_l2(net, optimizer, L, ab):
    ours = net(L)
    optimizer.zero_grad()
    ((ours - ab) ** 2).mean().backward()
    optimizer.step()
    return (ours - ab).abs().mean().item()


def leaves_eval_mode(net, optimizer, L, ab):
    return step(net.eval(), optimizer, L, ab)


def loss_afterwards(net, optimizer, L, ab):
    step(net, optimizer, L, ab)
    return (net(L) - ab).abs().mean().item()


def own_optimizer(net, optimizer, L, ab):
    return step(net, torch.optim.SGD(net.parameters(), lr=0.1), L, ab)


def without_gradient(net, optimizer, L, ab):
    with torch.no_grad():
        return step(net, optimizer, L, ab)


# --- 3.7 -----------------------------------------------------------------------------------------


def each(prediction, colors, power):
    return (np.abs(colors - prediction) ** power).sum(axis=1)


def shares_forgotten(prediction, colors, shares, power):
    return each(prediction, colors, power).mean()


def signs_cancel(prediction, colors, shares, power):
    return (shares * ((colors - prediction) ** power).sum(axis=1)).sum()


def power_ignored(prediction, colors, shares, power):
    return (shares * each(prediction, colors, 1)).sum()


def always_squared(prediction, colors, shares, power):
    return (shares * each(prediction, colors, 2)).sum()


def with_a_root(prediction, colors, shares, power):
    return (shares * np.sqrt(each(prediction, colors, 2))).sum()


def not_added_up(prediction, colors, shares, power):
    return shares * each(prediction, colors, power)


def a_and_b_apart(prediction, colors, shares, power):
    return (shares[:, None] * np.abs(colors - prediction) ** power).sum(axis=0)


def mean_again(prediction, colors, shares, power):
    return (shares[:, None] * np.abs(colors - prediction) ** power).mean()


def for_three_only(prediction, colors, shares, power):
    away = (np.abs(colors - prediction) ** power).sum(axis=1)
    return shares[0] * away[0] + shares[1] * away[1] + 0.2 * away[-1]


def writes_into_colors(prediction, colors, shares, power):
    colors -= prediction
    return (shares * (np.abs(colors) ** power).sum(axis=1)).sum()


def colors_averaged(prediction, colors, shares, power):
    return (np.abs(shares @ colors - prediction) ** power).sum()


def divided_too(prediction, colors, shares, power):
    return (shares * each(prediction, colors, power)).mean()


def mean_of_all(prediction, colors, shares, power):
    return (np.abs(colors - prediction) ** power).mean()


def halved(prediction, colors, shares, power):
    return (shares * (np.abs(colors - prediction) ** power).mean(axis=1)).sum()


def largest_part(prediction, colors, shares, power):
    return (shares * (np.abs(colors - prediction) ** power).max(axis=1)).sum()


WRONG = {
    "3.1": {
        no_padding: "With padding=0 the size is off",
        stride_one: "The stride is 1",
        kernel_three: "The kernel is 3",
        swapped: "Inputs and outputs have changed places",
        with_bias: "would subtract it again",
        always_a_norm: "With norm=False",
        never_a_norm: "With norm=True",
        plain_relu: "stops everything that is negative",
        other_slope: "multiplies what is negative by 0.01",
        activation_last: "Yours stand Conv2d, BatchNorm2d, LeakyReLU",
        fixed_numbers: "no fixed numbers",
        as_a_list: "no list, but commas",
        in_place: "writes into its input",
        grouped: "an option that was not asked for",
        skips_its_norm: "does not send x through all",
        norm_of_inputs: "The norm is made for 6 channels",
        dilated: "Give stride, padding and bias by name",
        no_convolution: "0 layers of the kind Conv2d",
    },
    "3.2": {
        down_again: "halves the map once more",
        up_no_padding: "With padding=0 the size is off",
        up_kernel_two: "The kernel is 2",
        up_swapped: "Inputs and outputs have changed places",
        up_bias: "The convolution has a bias",
        up_leaky: "the one of the way down",
        up_no_norm: "The norm is missing",
        up_no_stride: "The stride is 1",
        up_norm_first: "Yours stand ReLU, BatchNorm2d, ConvTranspose2d",
        up_enlarged: "the other way to double a map",
        up_by_position: "Give stride, padding and bias by name",
        up_false_by_position: "became output_padding",
        up_class: "Make one of it",
    },
    "3.3": {
        no_skips: "No skip is used",
        skip_first: "the skip stands first",
        added: "The skips are added",
        from_the_front: "Maps of 4 × 4 and 8 × 8 can't be joined",
        innermost_twice: "goes in twice",
        down_only: "only the way down",
        wrong_dimension: "joined along the batch",
        joined_with_itself: "joined with itself",
        not_replaced: "is x replaced by",
        innermost_kept: "4 × 4 and 2 × 2 can't be joined",
        five_levels: "counts on more blocks",
        cut_skips: "does not flow back along all ways",
        three_levels: "with two it is not",
        empties_the_list: "has changed its arguments",
        starts_over: "Print the shape after each block",
        forgot_to_return: "`return`",
        detached: "NumPy carries no gradient",
    },
    "3.4": {
        bug_still_in: "The bug is still in",
        sigmoid: "ends at 0 too",
        unbounded: "Without a bound",
        first_relu_gone: "before the convolution is gone",
        tanh_then_relu: "The ReLU beside the Tanh",
        three_channels: "Two channels, a and b",
        bias_gone: "has lost its bias",
        hard_tanh: "with another function than the library's",
        two_by_two: "The convolution has changed",
        leaky_first: "Only one layer of the block",
    },
    "3.5": {
        not_doubled: "The skips are not counted",
        all_biases: "a bias in every convolution",
        no_norms: "The norms are missing",
        all_norms: "a norm in every block",
        always_doubled: "The innermost up block gets twice",
        innermost_norm: "a norm in the innermost down block",
        first_norm: "a norm in the first down block",
        last_norm: "a norm in the last up block",
        one_number_a_norm: "one parameter a channel",
        last_bias_missing: "bias is missing",
        three_by_three: "kernels of 3 × 3",
        side_not_area: "4 numbers a kernel",
        not_capped: "grow without end",
        looked_up: "Compare row by row",
    },
    "3.6": {
        no_zero_grad: "gradients add up",
        no_step: "the weights stay as they are",
        no_backward: "No gradient is computed",
        step_first: "The step is taken before",
        zero_between: "thrown away between",
        keeps_the_graph: "holds on to the whole graph",
        squared: "That is the L2 loss",
        summed: "the sum over all pixels",
        signed: "The loss should be",
        trains_on_l2: "not the one down this loss",
        leaves_eval_mode: "left in eval mode",
        loss_afterwards: "the loss after the step",
        own_optimizer: "not by the optimizer that came in",
        without_gradient: "cut the gradient's way",
    },
    "3.7": {
        shares_forgotten: "All colors count alike",
        signs_cancel: "cancel each other",
        power_ignored: "The power is not used",
        always_squared: "L2 whatever the power is",
        with_a_root: "the length of the arrow",
        not_added_up: "one number a color",
        a_and_b_apart: "one number for a and one for b",
        mean_again: "the mean over colors again",
        for_three_only: "with two it is not",
        writes_into_colors: "has changed its arguments",
        colors_averaged: "You average the colors first",
        divided_too: "divided by the number of colors as well",
        mean_of_all: "one mean over everything",
        halved: "the mean over a and b",
        largest_part: "the inner sum for one color by hand",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "03")


# --- right solutions, and the oracle -------------------------------------------------------------


def with_identity(inputs, outputs, norm=True):
    last = nn.BatchNorm2d(outputs) if norm else nn.Identity()
    return nn.Sequential(*made(inputs, outputs, False), last)


def walk_by_index(downs, ups, x):
    maps = [x]
    for block in downs:
        maps.append(block(maps[-1]))
    x = ups[0](maps[-1])
    for i, block in enumerate(ups[1:], start=2):
        x = block(torch.cat((x, maps[-i]), dim=1))
    return x


def step_with_zero_last(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, "lbsz")


def step_with_the_nets_zero_grad(net, optimizer, L, ab):
    net.zero_grad()
    return step(net, optimizer, L, ab, "lbs")


def step_with_l1_loss(net, optimizer, L, ab):
    return step(net, optimizer, L, ab, loss=nn.functional.l1_loss)


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("3.1", made),
        ("3.1", with_identity),
        ("3.2", made_up),
        ("3.3", walked),
        ("3.3", walk_by_index),
        ("3.4", lambda inputs: block(inputs, nn.Tanh())),
        ("3.6", step),
        ("3.6", step_with_zero_last),
        ("3.6", step_with_the_nets_zero_grad),
        ("3.6", step_with_l1_loss),
    ],
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


@pytest.mark.parametrize(("levels", "base", "cap"), [(2, 3, 9), (4, 8, 32), (5, 16, 128)])
def test_the_tester_counts_what_the_library_holds(levels, base, cap):
    network = UNet(levels, base, cap)
    assert lesson03._count(levels, base, cap) == sum(p.numel() for p in network.parameters())


def test_the_testers_walk_is_the_librarys():
    torch.manual_seed(1)
    network = UNet(3, 4, 8, dropout=0.0).eval()
    x = torch.rand(2, 1, 16, 16)

    def cat(one, other):
        return torch.cat([one, other], 1)

    torch.testing.assert_close(lesson03._walked(network.downs, network.ups, x, cat), network(x))


def test_testers_leave_the_learners_random_numbers_alone():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    for name, solution in (("3.1", made), ("3.2", made_up), ("3.3", walked), ("3.6", step)):
        try_solution(exercise(name), solution)
    assert torch.equal(torch.rand(2), wanted)
