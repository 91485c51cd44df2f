"""The testers of lesson 04: each wrong solution with its own hint, and other right ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from solutions import cases, check_enough, check_refused, exercise
from torch import nn

from colorlab.course.checks import lesson04, try_solution
from colorlab.losses import AdversarialLoss
from colorlab.patchgan import PatchGAN, receptive_field

# --- 4.1 -----------------------------------------------------------------------------------------


def sized(size, layers, rule=lambda n, k, s, p: (n + 2 * p - k) // s + 1):
    for kernel, stride, padding in layers:
        size = rule(size, kernel, stride, padding)
    return size


def plus_one_missing(size, layers):
    return sized(size, layers, lambda n, k, s, p: (n + 2 * p - k) // s)


def padding_once(size, layers):
    return sized(size, layers, lambda n, k, s, p: (n + p - k) // s + 1)


def padding_forgotten(size, layers):
    return sized(size, layers, lambda n, k, s, p: (n - k) // s + 1)


def stride_only(size, layers):
    return sized(size, layers, lambda n, k, s, p: n // s)


def broken_number(size, layers):
    return sized(size, layers, lambda n, k, s, p: (n + 2 * p - k) / s + 1)


def all_sizes(size, layers):
    return [sized(size, layers[:i]) for i in range(len(layers) + 1)]


def rounded(size, layers):
    return sized(size, layers, lambda n, k, s, p: round((n + 2 * p - k) / s + 1))


def halves_or_takes_one(size, layers):
    for _, stride, _ in layers:
        size = size // 2 if stride == 2 else size - 1
    return size


def a_constant(size, layers):
    return 30


def first_layer_only(size, layers):
    return sized(size, layers[:1])


# --- 4.2 -----------------------------------------------------------------------------------------


def fielded(layers, start=1, whole=False, early=False):
    field, jump = start, 1
    for kernel, stride in layers:
        if early:
            jump *= stride
        field += (kernel if whole else kernel - 1) * jump
        if not early:
            jump *= stride
    return field


def jump_first(layers):
    return fielded(layers, early=True)


def from_zero(layers):
    return fielded(layers, start=0)


def whole_kernels(layers):
    return fielded(layers, whole=True)


def no_strides(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def wrong_end(layers):
    return fielded(layers[::-1])


def sum_of_kernels(layers):
    return sum(kernel for kernel, _ in layers)


def product_of_kernels(layers):
    result = 1
    for kernel, _ in layers:
        result *= kernel
    return result


def strides_added(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump += stride
    return field


def stride_before_only(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump = stride
    return field


def seventy(layers):
    return 70 if layers[0] == (4, 2) else 71


# --- 4.3 -----------------------------------------------------------------------------------------


def made(
    inputs, base, layers, *, kernel=4, extra_stride=0, cap=8, first_norm=False, bias=False,
    slope=0.2, last=1, tail=(), norm=nn.BatchNorm2d, norm_last=False, missing=0, flipped=False,
):  # fmt: skip
    parts = [nn.Conv2d(inputs, base, kernel, 2, 1)]
    parts += ([norm(base)] if first_norm else []) + [nn.LeakyReLU(slope)]
    before = base
    for i in range(1, layers + 1 - missing):
        after, stride = base * min(2**i, cap), 2 if i < layers + extra_stride else 1
        block = [
            nn.Conv2d(before, after, kernel, stride, 1, bias=bias),
            *([norm(after)] if norm else []),
            nn.LeakyReLU(slope),
        ]
        parts += block[:1] + block[:0:-1] if flipped else block
        before = after
    parts += [nn.Conv2d(before, last, kernel, 1, 1), *([norm(last)] if norm_last else []), *tail]
    return nn.Sequential(*parts)


def with_sigmoid(inputs, base, layers):
    return made(inputs, base, layers, tail=[nn.Sigmoid()])


def one_stride_too_many(inputs, base, layers):
    return made(inputs, base, layers, extra_stride=1)


def kernel_three(inputs, base, layers):
    return made(inputs, base, layers, kernel=3)


def not_capped(inputs, base, layers):
    return made(inputs, base, layers, cap=10**6)


def norm_in_the_first(inputs, base, layers):
    return made(inputs, base, layers, first_norm=True)


def biases_everywhere(inputs, base, layers):
    return made(inputs, base, layers, bias=True)


def other_slope(inputs, base, layers):
    return made(inputs, base, layers, slope=0.01)


def no_activations(inputs, base, layers):
    return nn.Sequential(*(p for p in made(inputs, base, layers) if type(p) is not nn.LeakyReLU))


def flattened(inputs, base, layers):
    return made(inputs, base, layers, tail=[nn.Flatten()])


def ends_in_a_mean(inputs, base, layers):
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = made(inputs, base, layers)

        def forward(self, x):
            return self.layers(x).mean((2, 3))

    return Whole()


def reflecting(inputs, base, layers):
    whole = made(inputs, base, layers)
    whole[0] = nn.Conv2d(inputs, base, 4, 2, 1, padding_mode="reflect")
    return whole


def wrong_norms(inputs, base, layers):
    return made(inputs, base, layers, norm=lambda channels: nn.BatchNorm2d(base))


def two_logits(inputs, base, layers):
    return made(inputs, base, layers, last=2)


def no_norms(inputs, base, layers):
    return made(inputs, base, layers, norm=None)


def one_layer_missing(inputs, base, layers):
    return made(inputs, base, layers, missing=1)


def activation_before_norm(inputs, base, layers):
    return made(inputs, base, layers, flipped=True)


def channels_mixed_up(inputs, base, layers):
    return nn.Sequential(*list(made(inputs, base, layers))[:-1], nn.Conv2d(99, 1, 4, 1, 1))


# --- 4.4 -----------------------------------------------------------------------------------------


def step(
    D, optimizer, L, real_ab, fake_ab, *, detach=True, order="zbs", half=0.5, swapped=False,
    twice=False, flipped=False, parts="rf", number=True,
):  # fmt: skip
    def look(ab):
        logits = D(torch.cat([ab, L] if flipped else [L, ab], 1))
        return torch.sigmoid(logits) if twice else logits

    real, fake = look(real_ab), look(fake_ab.detach() if detach else fake_ab)
    if swapped:
        real, fake = fake, real
    losses = {"r": F.softplus(-real).mean(), "f": F.softplus(fake).mean()}
    loss = half * sum(losses[part] for part in parts)
    for part in order:
        {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[part]()
    return loss.item() if number else loss


def no_detach(*arguments):
    return step(*arguments, detach=False)


def output_detached(D, optimizer, L, real_ab, fake_ab):
    def discriminator(x):
        return D(x).detach() if discriminator.calls.pop() else D(x)

    discriminator.calls = [True, False]  # popped from the end: first the real ones, then the fakes
    return step(discriminator, optimizer, L, real_ab, fake_ab)


def leaves_eval_mode(D, *arguments):
    return step(D.eval(), *arguments)


def two_steps(*arguments):
    return step(*arguments, order="zbss")


def not_halved(*arguments):
    return step(*arguments, half=1.0)


def labels_swapped(*arguments):
    return step(*arguments, swapped=True)


def sigmoid_twice(*arguments):
    return step(*arguments, twice=True)


def ab_before_L(*arguments):
    return step(*arguments, flipped=True)


def real_only(*arguments):
    return step(*arguments, parts="r", half=1.0)


def fake_only(*arguments):
    return step(*arguments, parts="f", half=1.0)


def no_zero_grad(*arguments):
    return step(*arguments, order="bs")


def no_step(*arguments):
    return step(*arguments, order="zb")


def no_backward(*arguments):
    return step(*arguments, order="zs")


def keeps_its_graph(*arguments):
    return step(*arguments, number=False)


def plain_bce_step(D, optimizer, L, real_ab, fake_ab):
    real = torch.sigmoid(D(torch.cat([L, real_ab], 1)))
    fake = torch.sigmoid(D(torch.cat([L, fake_ab.detach()], 1)))
    on_real = F.binary_cross_entropy(real, torch.ones_like(real))
    loss = (on_real + F.binary_cross_entropy(fake, torch.zeros_like(fake))) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def without_L(D, optimizer, L, real_ab, fake_ab):
    return D(real_ab).mean().item()


# --- 4.5 -----------------------------------------------------------------------------------------


def normed(x, dims=(2, 3), unbiased=False, power=0.5):
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, keepdim=True, unbiased=unbiased)
    return (x - mean) / (variance + 1e-5) ** power


def batch_norm(x):
    return normed(x, (0, 2, 3))


def layer_norm(x):
    return normed(x, (1, 2, 3))


def over_channels(x):
    return normed(x, (1,))


def n_minus_one(x):
    return normed(x, unbiased=True)


def by_the_variance(x):
    return normed(x, power=1)


def mean_only(x):
    return x - x.mean((2, 3), keepdim=True)


def spread_only(x):
    return x / torch.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + 1e-5)


def over_everything(x):
    return normed(x, (0, 1, 2, 3))


def no_keepdim(x):
    return (x - x.mean((2, 3))) / x.std((2, 3))


def between_zero_and_one(x):
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low)


def in_place(x):
    x -= x.mean((2, 3), keepdim=True)
    x /= (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    return x


def without_gradient(x):
    mean = x.mean((2, 3), keepdim=True).detach()
    variance = x.var((2, 3), keepdim=True, unbiased=False).detach()
    return (x - mean) / (variance + 1e-5).sqrt()


def no_epsilon(x):
    mean, spread = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True, unbiased=False)
    return (x - mean) / spread


def in_numpy(x):
    return normed(x).numpy()


# --- 4.6 -----------------------------------------------------------------------------------------


def half_sum(real, fake):
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


def bug_still_in(real, fake):
    return half_sum(torch.sigmoid(real), torch.sigmoid(fake))


def now_swapped(real, fake):
    return half_sum(fake, real)


def half_gone(real, fake):
    return 2 * half_sum(real, fake)


def tanh_instead(real, fake):
    return half_sum(torch.tanh(real), torch.tanh(fake))


def clamped(real, fake):
    return half_sum(real.clamp(0, 1), fake.clamp(0, 1))


def ones_for_both(real, fake):
    return half_sum(real, -fake)


def half_a_bug(real, fake):
    return half_sum(real, torch.sigmoid(fake))


def fakes_detached(real, fake):
    return half_sum(real, fake.detach())


def clamped_far_out(real, fake):
    return half_sum(real.clamp(-12, 12), fake.clamp(-12, 12))


def a_number(real, fake):
    return half_sum(real, fake).item()


def plain_bce(real, fake):
    return F.binary_cross_entropy(real, torch.ones_like(real))


def least_squares(real, fake):
    return ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2


WRONG = {
    "4.1": {
        plus_one_missing: "Each layer comes out one too small",
        padding_once: "on one side only",
        padding_forgotten: "The padding is not counted",
        stride_only: "only by the stride",
        broken_number: "no whole number",
        all_sizes: "the sizes of all layers",
        rounded: "You round up, or to the nearest",
        halves_or_takes_one: "on one side only",
        a_constant: "here they go 71, 35, 17, 8, 7, 6",
        first_layer_only: "after the first layer",
    },
    "4.2": {
        jump_first: "one layer too early",
        from_zero: "You begin with 0",
        whole_kernels: "adds its whole kernel",
        no_strides: "The strides play no part",
        wrong_end: "from the wrong end",
        sum_of_kernels: "the sum of the kernels",
        product_of_kernels: "the product of the kernels",
        strides_added: "The strides are added up",
        stride_before_only: "Only the stride of the layer before",
        seventy: "it goes 7, 9, 17, 23",
    },
    "4.3": {
        with_sigmoid: "It ends in a sigmoid",
        one_stride_too_many: "94 instead of 70",
        kernel_three: "is not 4 × 4",
        not_capped: "never above 8 * base",
        norm_in_the_first: "The first convolution is followed by a norm",
        biases_everywhere: "Which convolutions have a bias",
        other_slope: "multiplies what is negative by 0.01",
        no_activations: "There are 0 LeakyReLU",
        flattened: "There is a Flatten in it",
        ends_in_a_mean: "does not send x through them alone",
        reflecting: "an option that was not asked for",
        wrong_norms: "The norms are made for",
        two_logits: "One logit a patch",
        no_norms: "There are 0 batch norms",
        one_layer_missing: "As many of stride 2 as asked for",
        activation_before_norm: "not in their order",
        channels_mixed_up: "number of channels does not fit",
    },
    "4.4": {
        no_detach: "to look *more* fake",
        output_detached: "Is D's *output* detached",
        leaves_eval_mode: "leaves something changed",
        two_steps: "more than one step",
        not_halved: "twice too large",
        labels_swapped: "The targets have changed places",
        sigmoid_twice: "The sigmoid is taken twice",
        ab_before_L: "the channels stand in the wrong order",
        real_only: "Only the real photos count",
        fake_only: "Only the generated photos count",
        no_zero_grad: "Gradients of several steps add up",
        no_step: "weights stay as they are",
        no_backward: "No gradient is computed",
        keeps_its_graph: "holds on to its graph",
        without_L: "number of channels does not fit",
        plain_bce_step: "fails far out",
    },
    "4.5": {
        batch_norm: "That is batch norm",
        layer_norm: "That is layer norm",
        over_channels: "over the channels of each pixel",
        n_minus_one: "divided by n - 1",
        by_the_variance: "You divide by the variance",
        mean_only: "the variance is not 1",
        spread_only: "the mean is not 0",
        over_everything: "One mean for everything",
        no_keepdim: "keepdim=True keeps a dimension",
        between_zero_and_one: "Over each map the mean should be 0",
        in_place: "has changed its argument x",
        no_epsilon: "Is 1e-5 added to the variance",
        without_gradient: "Is 1e-5 added to the variance",
        in_numpy: "It is a NumPy array",
    },
    "4.6": {
        bug_still_in: "The bug is still in",
        now_swapped: "real and fake have changed places",
        half_gone: "The half is gone",
        tanh_instead: "A tanh bounds",
        clamped: "Clamping bounds",
        ones_for_both: "Both get the target",
        half_a_bug: "Half of the bug is still in",
        fakes_detached: "no gradient can flow back to both",
        clamped_far_out: "For logits of 300",
        a_number: "no gradient can flow back to both",
        plain_bce: "..._with_logits takes logits",
        least_squares: "Take something away",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "04")


# --- right solutions, and the oracle -------------------------------------------------------------


def field_backward(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def sized_by_torch(size, layers):
    x = torch.zeros(1, 1, size, size)
    for kernel, stride, padding in layers:
        x = F.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride, padding=padding)
    return x.shape[-1]


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("4.1", sized),
        ("4.1", sized_by_torch),
        ("4.2", fielded),
        ("4.2", field_backward),
        ("4.3", made),
        ("4.4", step),
        ("4.4", lambda *arguments: step(*arguments, order="bsz")),
        ("4.5", normed),
        ("4.5", F.instance_norm),
        ("4.6", half_sum),
        ("4.6", AdversarialLoss("bce").discriminator),
    ],
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_the_testers_field_is_the_librarys(depth):
    layers = [(4, 2)] * depth + [(4, 1)] * 2
    assert lesson04._field(layers) == receptive_field(PatchGAN(layers=depth, base=1))
