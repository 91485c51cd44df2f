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


def optimal(p, q):
    return p / (p + q)


def of_fakes(p, q):
    return q / (p + q)


def ratio(p, q):
    return p / q


def logit(p, q):
    return torch.log(p / q)


def larger(p, q):
    return (p > q).float()


def larger_as_bool(p, q):
    return p > q


def sigmoid_of_densities(p, q):
    return torch.softmax(torch.stack([p, q]), 0)[0]


def summed_over_colors(p, q):
    return p / (p.sum() + q.sum())


def squared_densities(p, q):
    return p**2 / (p**2 + q**2)


def roots(p, q):
    return p.sqrt() / (p.sqrt() + q.sqrt())


def undecided(p, q):
    return torch.full_like(p, 0.5)


def mixture(p, q):
    return (p + q) / 2


def real_alone(p, q):
    return p


def one_number(p, q):
    return (p / (p + q)).mean()


def as_list(p, q):
    return [float(x) for x in (p / (p + q)).flatten()]


def not_a_number(p, q):
    return (p - p) / (q - q)


def propped(p, q):
    return p / (p + q + 0.1)


def in_place_sum(p, q):
    q += p
    return p / q


# --- 5.3 -----------------------------------------------------------------------------------------


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
    saturating=False, weighted=True, parts="zbs", train_d=False, L_first=True,
):  # fmt: skip
    ours = G(L)
    seen = ours.detach() if cut else ours
    logits = D(torch.cat([L, seen] if L_first else [seen, L], 1))
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


def channels_in_another_order(*arguments):
    return step(*arguments, L_first=False)


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
        gradients_only: "You return gradients",
        psi_first: "theta and psi have changed places",
        theta_only: "Two numbers were expected",
        twice_as_far: "each with its sigmoid, and print them",
    },
    "5.2": {
        of_fakes: "probability that the color is generated",
        ratio: "how many times more frequent",
        logit: "That is D's logit",
        larger: "which of the two densities is larger",
        larger_as_bool: "which of the two densities is larger",
        sigmoid_of_densities: "A sigmoid or softmax of the densities",
        summed_over_colors: "The sum runs over all colors",
        squared_densities: "The densities are squared",
        roots: "Roots of the densities",
        undecided: "0.5 everywhere",
        mixture: "in the whole batch",
        real_alone: "q plays no part",
        one_number: "should have the shape",
        as_list: "A torch tensor was expected",
        not_a_number: "are NaN or infinite",
        propped: "the cheapest D is",
        in_place_sum: "has changed its arguments",
    },
    "5.3": {
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
        h_g_sign: "it wants to be called fake",
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
        wants_to_be_recognized: "G now tries to be called fake",
        saturates: "That is the saturating loss",
        l1_cut: "Now L1 moves nothing",
        weight_gone: "The weight of L1 is gone",
        moves_d: "The discriminator has moved too",
        never_moves: "The generator has not moved",
        no_zero_grad: "the second one goes along",
        leaves_eval_mode: "left in eval mode",
        freezes_d: "D is left unable to learn",
        moves_twice: "one change repairs it",
        channels_in_another_order: "another order, [ab, L]",
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
        ("5.2", optimal),
        ("5.2", lambda p, q: 1 / (1 + q / p)),
        ("5.2", lambda p, q: torch.sigmoid(p.log() - q.log())),
        ("5.2", lambda p, q: (p / (p + q + 1e-12)).double()),
        ("5.3", lambda logits: -F.logsigmoid(logits).mean()),
        ("5.3", bce_with_logits),
        ("5.3", AdversarialLoss("bce").generator),
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


# --- the best discriminator, found in three other ways -------------------------------------------

P = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
Q = torch.tensor([0.125, 0.375, 0.5], dtype=torch.float64)


def test_no_other_probability_costs_the_discriminator_less():
    tried = torch.linspace(0.0005, 0.9995, 1000).double()[:, None]
    costs = -P * tried.log() - Q * (1 - tried).log()
    assert torch.allclose(tried[costs.argmin(0), 0], optimal(P, Q), atol=6e-4)
    assert try_solution(exercise("5.2"), optimal).status == "solved"


def test_logits_that_are_trained_on_samples_arrive_there():
    real, fake = ((8 * share).round().int() for share in (P * 5, Q * 5))  # 20:12:8 and 5:15:20
    places = [torch.arange(3).repeat_interleave(count) for count in (real, fake)]
    assert [len(place) for place in places] == [40, 40]
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=4.0)
    for _ in range(400):
        loss = AdversarialLoss("bce").discriminator(*(logits[place] for place in places))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.allclose(torch.sigmoid(logits.detach()), optimal(P, Q), atol=1e-6)


def test_its_loss_is_log_2_less_the_jensen_shannon_divergence():
    best = optimal(P, Q)
    loss = -(P * best.log() + Q * (1 - best).log()).sum() / 2
    middle = (P + Q) / 2
    divergence = sum(F.kl_div(middle.log(), one, reduction="sum") for one in (P, Q)) / 2
    assert loss.item() == pytest.approx(np.log(2) - divergence.item(), abs=1e-12)
