"""The testers of lesson 05: each wrong solution with its own hint, and other right ones."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from solutions import cases, check_enough, check_refused, exercise

from colorlab.course.checks import try_solution
from colorlab.losses import AdversarialLoss


def sigmoid(z):
    return 1 / (1 + exp(-z))


# --- 5.1 -----------------------------------------------------------------------------------------


def adversarial_step(theta, psi, rate):
    return (
        theta + rate * sigmoid(-psi * theta) * psi,
        psi - rate * sigmoid(psi * theta) * theta,
    )


def by_autograd(theta, psi, rate):
    t, p = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (theta, psi))
    (for_g,) = torch.autograd.grad(F.softplus(-p.detach() * t), t)
    (for_d,) = torch.autograd.grad(F.softplus(p * t.detach()), p)
    return (t - rate * for_g).item(), (p - rate * for_d).item()


def in_turn(theta, psi, rate):
    _, psi = adversarial_step(theta, psi, rate)
    return adversarial_step(theta, psi, rate)[0], psi


def other_order(theta, psi, rate):
    new = adversarial_step(theta, psi, rate)[0]
    return new, adversarial_step(new, psi, rate)[1]


def chain_forgotten(theta, psi, rate):
    return theta + rate * sigmoid(-psi * theta), psi - rate * sigmoid(psi * theta)


def generator_backward(theta, psi, rate):
    return 2 * theta - adversarial_step(theta, psi, rate)[0], adversarial_step(theta, psi, rate)[1]


def discriminator_backward(theta, psi, rate):
    return adversarial_step(theta, psi, rate)[0], 2 * psi - adversarial_step(theta, psi, rate)[1]


def no_sigmoids(theta, psi, rate):
    return theta + rate * psi, psi - rate * theta


def saturating_generator(theta, psi, rate):
    return theta + rate * sigmoid(psi * theta) * psi, adversarial_step(theta, psi, rate)[1]


def no_rate(theta, psi, rate):
    return adversarial_step(theta, psi, 1.0)


def gradients_only(theta, psi, rate):
    return sigmoid(-psi * theta) * psi, sigmoid(psi * theta) * theta


def psi_first(theta, psi, rate):
    return adversarial_step(theta, psi, rate)[::-1]


def theta_only(theta, psi, rate):
    return adversarial_step(theta, psi, rate)[0]


def twice_as_far(theta, psi, rate):
    return adversarial_step(theta, psi, 2 * rate)


# --- 5.2 -----------------------------------------------------------------------------------------


def what_d_pays(logits):
    return F.softplus(logits).mean()


def saturating(logits):
    return torch.log(1 - torch.sigmoid(logits)).mean()


def wrong_sign(logits):
    return torch.log(torch.sigmoid(logits)).mean()


def summed(logits):
    return F.softplus(-logits).sum()


def one_a_logit(logits):
    return F.softplus(-logits)


def naive(logits):
    return -torch.log(torch.sigmoid(logits)).mean()


def overflowing(logits):
    return torch.log(1 + torch.exp(-logits)).mean()


def of_math(logits):
    return -sigmoid(logits)


def propped_up(logits):
    return -torch.log(torch.sigmoid(logits) + 1e-8).mean()


def sigmoid_twice(logits):
    return F.softplus(-torch.sigmoid(logits)).mean()


def a_number(logits):
    return F.softplus(-logits).mean().item()


def other_base(logits):
    return F.softplus(-logits).mean() / 0.6931


# --- 5.3 -----------------------------------------------------------------------------------------


def least_squares(real, fake, half=0.5, targets=(1, 0, 1), g=1.0):
    for_d = half * (((real - targets[0]) ** 2).mean() + ((fake - targets[1]) ** 2).mean())
    return for_d, g * ((fake - targets[2]) ** 2).mean()


def ls_swapped_losses(real, fake):
    return least_squares(real, fake)[::-1]


def ls_half_of_one(real, fake):
    return ((real - 1) ** 2).mean() + (fake**2).mean() / 2, ((fake - 1) ** 2).mean()


def ls_not_halved(real, fake):
    return least_squares(real, fake, half=1)


def ls_swapped(real, fake):
    return least_squares(real, fake, targets=(0, 1, 1))


def ls_minus_one(real, fake):
    return least_squares(real, fake, targets=(1, -1, 1))


def ls_sigmoid(real, fake):
    return least_squares(torch.sigmoid(real), torch.sigmoid(fake))


def ls_absolute(real, fake):
    return ((real - 1).abs().mean() + fake.abs().mean()) / 2, ((fake - 1) ** 2).mean()


def ls_real_only(real, fake):
    return ((real - 1) ** 2).mean() / 2, ((fake - 1) ** 2).mean()


def ls_g_at_zero(real, fake):
    return least_squares(real, fake, targets=(1, 0, 0))


def ls_g_halved(real, fake):
    return least_squares(real, fake, g=0.5)


def ls_g_minus_d(real, fake):
    return least_squares(real, fake)[0], -(fake**2).mean()


def ls_d_only(real, fake):
    return least_squares(real, fake)[0]


def ls_numbers(real, fake):
    return tuple(loss.item() for loss in least_squares(real, fake))


def ls_fakes_detached(real, fake):
    return least_squares(real, fake.detach())[0], least_squares(real, fake)[1]


def ls_root(real, fake):
    for_d, for_g = least_squares(real, fake)
    return for_d.sqrt(), for_g


# --- 5.4 -----------------------------------------------------------------------------------------


def hinged(real, fake, half=0.5):
    return half * (F.relu(1 - real).mean() + F.relu(1 + fake).mean()), -fake.mean()


def h_sigmoid(real, fake):
    return hinged(torch.sigmoid(real), torch.sigmoid(fake))[0], -fake.mean()


def h_g_halved(real, fake):
    return hinged(real, fake)[0], -fake.mean() / 2


def h_builtin_max(real, fake):
    return max(0, 1 - real) + max(0, 1 + fake), -fake.mean()


def h_not_halved(real, fake):
    return hinged(real, fake, half=1)


def h_signs(real, fake):
    return (F.relu(1 + real).mean() + F.relu(1 - fake).mean()) / 2, -fake.mean()


def h_no_relu(real, fake):
    return ((1 - real).mean() + (1 + fake).mean()) / 2, -fake.mean()


def h_no_margin(real, fake):
    return (F.relu(-real).mean() + F.relu(fake).mean()) / 2, -fake.mean()


def h_both_up(real, fake):
    return (F.relu(1 - real).mean() + F.relu(1 - fake).mean()) / 2, -fake.mean()


def h_mean_first(real, fake):
    return (F.relu((1 - real).mean()) + F.relu((1 + fake).mean())) / 2, -fake.mean()


def h_g_hinged(real, fake):
    return hinged(real, fake)[0], F.relu(1 - fake).mean()


def h_g_sign(real, fake):
    return hinged(real, fake)[0], fake.mean()


def h_g_cut(real, fake):
    return hinged(real, fake)[0], F.relu(-fake).mean()


def h_detached(real, fake):
    return hinged(real.detach(), fake.detach())


def h_three(real, fake):
    return (*hinged(real, fake), 0.0)


# --- 5.5 -----------------------------------------------------------------------------------------


def total(logits, ours, truth, weight):
    return F.softplus(-logits).mean() + weight * (ours - truth).abs().mean()


def weight_at_the_other(logits, ours, truth, weight):
    return weight * F.softplus(-logits).mean() + (ours - truth).abs().mean()


def overflows(logits, ours, truth, weight):
    return -torch.log(torch.sigmoid(logits)).mean() + weight * (ours - truth).abs().mean()


def weight_for_both(logits, ours, truth, weight):
    return weight * total(logits, ours, truth, 1)


def weight_forgotten(logits, ours, truth, weight):
    return total(logits, ours, truth, 1)


def squared(logits, ours, truth, weight):
    return F.softplus(-logits).mean() + weight * ((ours - truth) ** 2).mean()


def label_zero(logits, ours, truth, weight):
    return F.softplus(logits).mean() + weight * (ours - truth).abs().mean()


def l1_summed(logits, ours, truth, weight):
    return F.softplus(-logits).mean() + weight * (ours - truth).abs().sum()


def summed_over_channels(logits, ours, truth, weight):
    return F.softplus(-logits).mean() + weight * (ours - truth).abs().sum(1).mean()


def minus(logits, ours, truth, weight):
    return weight * (ours - truth).abs().mean() - F.softplus(-logits).mean()


def no_adversary(logits, ours, truth, weight):
    return weight * (ours - truth).abs().mean()


def fixed_100(logits, ours, truth, weight):
    return total(logits, ours, truth, 100)


def logits_detached(logits, ours, truth, weight):
    return total(logits.detach(), ours, truth, weight)


def as_number(logits, ours, truth, weight):
    return total(logits, ours, truth, weight).item()


def signed_l1(logits, ours, truth, weight):
    return F.softplus(-logits).mean() + weight * (ours - truth).mean()


# --- 5.6 -----------------------------------------------------------------------------------------


def step(
    G, D, optimizer, L, truth, weight, *, cut=False, cut_l1=False, sign=-1.0, l1=True,
    saturating=False, weighted=True, parts="zbs", train_d=False,
):  # fmt: skip
    ours = G(L)
    logits = D(torch.cat([L, ours.detach() if cut else ours], 1))
    adversarial = -F.softplus(logits).mean() if saturating else F.softplus(sign * logits).mean()
    away = ((ours.detach() if cut_l1 else ours) - truth).abs().mean()
    loss = adversarial + ((weight if weighted else 1.0) * away if l1 else 0.0)
    for part in parts:
        {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[part]()
    if train_d:
        torch.optim.SGD(D.parameters(), lr=0.1).step()
    return True


def bug_still_in(*arguments):
    return step(*arguments, cut=True)


def l1_gone(*arguments):
    return step(*arguments, l1=False)


def wants_to_be_recognized(*arguments):
    return step(*arguments, sign=1.0)


def saturates(*arguments):
    return step(*arguments, saturating=True)


def l1_cut(*arguments):
    return step(*arguments, cut_l1=True)


def weight_gone(*arguments):
    return step(*arguments, weighted=False)


def moves_d(*arguments):
    return step(*arguments, train_d=True)


def never_moves(*arguments):
    return step(*arguments, parts="zb")


def no_zero_grad(*arguments):
    return step(*arguments, parts="bs")


def leaves_eval_mode(G, D, *arguments):
    return step(G.eval(), D, *arguments)


def freezes_d(G, D, *arguments):
    D.requires_grad_(False)
    return step(G, D, *arguments)


def moves_twice(*arguments):
    step(*arguments)
    return step(*arguments)


def returns_nothing(*arguments):
    step(*arguments)


WRONG = {
    "5.1": {
        in_turn: "already uses the discriminator's new psi",
        other_order: "already uses the generator's new theta",
        chain_forgotten: "second factor is missing",
        generator_backward: "The generator walks the wrong way",
        discriminator_backward: "The discriminator walks the wrong way",
        no_sigmoids: "The sigmoids are missing",
        saturating_generator: "is that of another loss",
        no_rate: "The rate is not used",
        gradients_only: "Those are the gradients",
        psi_first: "The two have changed places",
        theta_only: "Two numbers were expected",
        twice_as_far: "each with its sigmoid, and print them",
    },
    "5.2": {
        what_d_pays: "what the discriminator pays",
        saturating: "That is the saturating loss",
        wrong_sign: "The sign is wrong",
        summed: "the sum over all logits",
        one_a_logit: "one loss a logit",
        naive: "an infinite logarithm",
        overflowing: "an infinite logarithm",
        of_math: "for single numbers",
        propped_up: "A small number added inside the log",
        sigmoid_twice: "The sigmoid is taken twice",
        a_number: "no gradient can flow back",
        other_base: "For the check's logits it should be",
    },
    "5.3": {
        ls_swapped_losses: "The two losses have changed places",
        ls_half_of_one: "Only the second part is halved",
        ls_not_halved: "D's loss is twice too large",
        ls_swapped: "The targets have changed places",
        ls_minus_one: "Your targets are 1 and -1",
        ls_sigmoid: "There is a sigmoid in it",
        ls_absolute: "That is the absolute difference",
        ls_real_only: "D's loss on fakes is missing",
        ls_g_at_zero: "G aims at 0",
        ls_g_halved: "G's loss is halved too",
        ls_g_minus_d: "in either direction",
        ls_d_only: "Two numbers were expected",
        ls_numbers: "or not to all that it should",
        ls_fakes_detached: "or not to all that it should",
        ls_root: "Compute each of the three parts",
    },
    "5.4": {
        h_sigmoid: "There is a sigmoid in it",
        h_g_halved: "G's loss is halved too",
        h_builtin_max: "`if` and `max` ask one question",
        h_not_halved: "D's loss is twice too large",
        h_signs: "D is rewarded for being wrong",
        h_no_relu: "The hinge itself is missing",
        h_no_margin: "The margin is missing",
        h_both_up: "Both are pushed above 1",
        h_mean_first: "The mean is taken before the relu",
        h_g_hinged: "G has a hinge too",
        h_g_sign: "it wants to be recognized",
        h_g_cut: "cut off at 0",
        h_detached: "no gradient can flow back",
        h_three: "Two numbers were expected",
    },
    "5.5": {
        weight_at_the_other: "The weight stands at the wrong term",
        overflows: "For a logit of -300",
        weight_for_both: "The weight counts for both",
        weight_forgotten: "The weight is not used",
        squared: "That is L2",
        label_zero: "wants its fakes to be called fake",
        l1_summed: "L1 is summed over all",
        summed_over_channels: "L1 is summed over a and b",
        minus: "has a minus",
        no_adversary: "The adversarial term is missing",
        fixed_100: "100 stands there as a fixed number",
        logits_detached: "cut off from the gradient",
        as_number: "no gradient can flow back",
        signed_l1: "Print the two terms",
    },
    "5.6": {
        bug_still_in: "The bug is still in",
        l1_gone: "Now L1 moves nothing",
        wants_to_be_recognized: "G now tries to be recognized",
        saturates: "That is the saturating loss",
        l1_cut: "Now L1 moves nothing",
        weight_gone: "The weight of L1 is gone",
        moves_d: "The discriminator has moved too",
        never_moves: "The generator has not moved",
        no_zero_grad: "the second one goes along",
        leaves_eval_mode: "left in eval mode",
        freezes_d: "D is left unable to learn",
        moves_twice: "Change one thing",
        returns_nothing: "gave back nothing",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "05")


def bce_with_logits(logits):
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def library_pair(kind):
    loss = AdversarialLoss(kind)
    return lambda real, fake: (loss.discriminator(real, fake), loss.generator(fake))


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("5.1", adversarial_step),
        ("5.1", by_autograd),
        ("5.1", lambda *arguments: np.array(adversarial_step(*arguments))),
        ("5.2", lambda logits: -F.logsigmoid(logits).mean()),
        ("5.2", bce_with_logits),
        ("5.2", AdversarialLoss("bce").generator),
        ("5.3", least_squares),
        ("5.3", library_pair("lsgan")),
        ("5.4", hinged),
        ("5.4", library_pair("hinge")),
        ("5.5", total),
        ("5.6", step),
        ("5.6", lambda *arguments: step(*arguments, parts="bsz")),
    ],
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result
