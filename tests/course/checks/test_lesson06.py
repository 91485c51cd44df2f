"""The testers of lesson 06: each wrong solution with its own hint, and other right ones."""

from __future__ import annotations

import copy
import functools
import io
import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from solutions import cases, check_enough, check_refused, exercise

from colorlab.course.checks import exercises, try_solution
from colorlab.losses import AdversarialLoss


def as_said(function, name, **changes):
    """`function` with keyword arguments, as a solution of its own name."""

    def solution(*arguments):
        return function(*arguments, **changes)

    solution.__name__ = name
    return solution


def look(D, L, ab, turned=False):
    return D(torch.cat([ab, L] if turned else [L, ab], 1))


def bce(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(label)))


# --- 6.1 -----------------------------------------------------------------------------------------


def balance(share):
    return 1 / (1 + share)


def by_search(share):
    """The smallest of a fine grid of logits; nothing of the derivative is used."""
    x = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    return torch.sigmoid(x[(share * F.softplus(x) + F.softplus(-x)).argmin()])


def with_autograd(share):
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for _ in range(400):
        (gradient,) = torch.autograd.grad(share * F.softplus(x) + F.softplus(-x), x)
        x = (x - gradient).detach().requires_grad_()
    return torch.sigmoid(x).item()


def smallest_sum(share):
    x = torch.tensor(-math.log(share))
    return (share * F.softplus(x) + F.softplus(-x)).item()


def of(name, function):
    return as_said(function, name)


WRONG_61 = {
    of("called_fake", lambda share: share / (1 + share)): 'the probability "fake"',
    of("logit", lambda share: -math.log(share)): "That is a logit",
    of("logit_turned", math.log): "That is a logit",
    smallest_sum: "the smallest value of the sum",
    of("odds", lambda share: 1 / share): "Those are odds",
    of("odds_turned", lambda share: share): "Those are odds",
    of("g_alone", lambda share: 1): "one of the two terms is smallest alone",
    of("d_alone", lambda share: 0.0): "one of the two terms is smallest alone",
    of("squared", lambda share: 1 / (1 + share**2)): "The share counts twice",
    of("fixed", lambda share: 2 / 3): "2/3 belongs to a share of 0.5",
    of("alike", lambda share: 0.5): "where both terms count alike",
    of("percent", lambda share: 100 / (1 + share)): "That is percent",
    of("off", lambda share: 1 / (1.2 + share)): "the sum is smallest at the probability",
    of("in_words", lambda share: "two thirds"): "One number was expected",
}


# --- 6.2 and 6.7 ---------------------------------------------------------------------------------


def move_d(
    G, D, optimizer, L, truth, *, half=0.5, parts="rf", order="zbs", sigmoid=False, turned=False,
    sign=1, deaf="", sums=False,
):  # fmt: skip
    """A step of D; the options make well-known mistakes."""
    looks = [look(D, L, ab, turned) for ab in (truth, G(L).detach())]
    looks = [x.detach() if kind in deaf else x for x, kind in zip(looks, "rf", strict=True)]
    looks = [torch.sigmoid(x) if sigmoid else x for x in looks]
    each = [
        bce(x, label) * (x.numel() if sums else 1) for x, label in zip(looks, (1, 0), strict=True)
    ]
    loss = half * sum(x for x, kind in zip(each, "rf", strict=True) if kind in parts)
    for part in order:
        {"z": optimizer.zero_grad, "b": (sign * loss).backward, "s": optimizer.step}[part]()
    return loss.item()


def second_part_halved(G, D, optimizer, L, truth):
    ours = G(L).detach()
    loss = bce(look(D, L, truth), 1) + bce(look(D, L, ours), 0) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def by_hand(G, D, optimizer, L, truth):
    loss = move_d(G, D, optimizer, L, truth, order="zb")
    with torch.no_grad():
        for parameter in D.parameters():
            parameter -= 0.5 * parameter.grad
    return loss


def own_adam(G, D, optimizer, L, truth):
    return move_d(G, D, torch.optim.Adam(D.parameters()), L, truth)


def both_under_no_grad(G, D, optimizer, L, truth):
    with torch.no_grad():
        real, fake = look(D, L, truth), look(D, L, G(L))
    loss = (bce(real, 1) + bce(fake, 0)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def the_rate_doubled(G, D, optimizer, L, truth):
    optimizer.param_groups[0]["lr"] = 0.7
    return move_d(G, D, optimizer, L, truth)


def of_looks(*terms, steps=1):
    """A move of D with the loss `terms(real, fake)`; `steps`: one for each of them, or one."""

    def solution(G, D, optimizer, L, truth):
        ours = G(L).detach()
        halves = len(terms) if steps > 1 else 1
        total = 0.0
        for part in range(halves):
            real, fake = look(D, L, truth), look(D, L, ours)
            chosen = terms[part : part + 1] if steps > 1 else terms
            loss = sum(term(real, fake) for term in chosen) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total

    return solution


def named(name, solution):
    solution.__name__ = name
    return solution


def without_L(G, D, optimizer, L, truth):
    return bce(D(truth), 1).item() + bce(D(G(L)), 0).item()


def mean_forgotten(G, D, optimizer, L, truth):
    real, fake = look(D, L, truth), look(D, L, G(L).detach())
    optimizer.zero_grad()
    ((F.softplus(-real) + F.softplus(fake)) / 2).backward()


def real_first(real, fake):
    return F.softplus(-real).mean()


def fake_last(real, fake):
    return F.softplus(fake).mean()


def squared_distance(real, fake):
    return ((real - 1) ** 2).mean() + (fake**2).mean()


def with_move(name, move=move_d, **changes):
    """A whole step whose D moves so; G's part is right."""

    def solution(G, D, for_G, for_D, L, truth, weight):
        ours = G(L)
        loss_D = move(lambda _: ours, D, for_D, L, truth, **changes)
        adversarial, far = bce(look(D, L, ours), 1), (ours - truth).abs().mean()
        for_G.zero_grad()
        (adversarial + weight * far).backward()
        for_G.step()
        return {"color": far.item(), "generator": adversarial.item(), "discriminator": loss_D}

    solution.__name__ = name
    return solution


OF_D = {
    with_move("real_only", parts="r"): "Only the real photos count",
    with_move("real_only_not_halved", parts="r", half=1): "Only the real photos count",
    with_move("fake_only", parts="f"): "Only G's colors count",
    with_move("second_part_halved", second_part_halved): "Only the second part is halved",
    with_move("no_backward", order="zs"): "before any gradient is there",
    with_move("step_first", order="zsb"): "before any gradient is there",
    with_move("ab_before_L", turned=True): "D sees [ab, L]",
    with_move("sigmoid_twice", sigmoid=True): "The sigmoid is taken twice",
    with_move("patches_summed", sums=True): "the losses of all patches",
    with_move("uphill", sign=-1): "D climbs its loss",
    with_move("deaf_to_fakes", deaf="f"): "D learns only from the real photos",
    with_move("deaf_to_real", deaf="r"): "D learns only from the fakes",
    with_move("d_by_hand", by_hand): "not by the optimizer that came in",
    with_move("own_adam", own_adam): "not by the optimizer that came in",
    with_move("both_under_no_grad", both_under_no_grad): "cut off from all weights",
    with_move("rate_doubled", the_rate_doubled): "D moves, but not one step down D's loss",
    with_move("least_squares", of_looks(squared_distance)): "That is the least-squares loss",
    with_move("no_mean", mean_forgotten): "It needs a single one",
    with_move("half_by_half", of_looks(real_first, fake_last, steps=2)): "D steps twice, once for",
    with_move("colors_only", without_L): "without the photo that they belong to",
}


def play(
    G, D, for_G, for_D, L, truth, weight, *, zeros="DG", detach=True, cut=False, aim="real",
    color="l1", counts=None, order="DG", halved=True, recolor=False, freeze=False, report=None,
    retain=False, d_steps=1, labels=(1, 0), fixed=None, asks=lambda D: D, thaw=True, steps="DG",
):  # fmt: skip
    """One step of both; `zeros`: whose gradients are cleared, at the beginning of their part."""
    ours = G(L)

    def part_of_D():
        seen = G(L) if recolor else ours
        real, fake = look(D, L, truth), look(D, L, seen.detach() if detach else seen)
        loss = (bce(real, labels[0]) + bce(fake, labels[1])) * (0.5 if halved else 1)
        if "D" in zeros:
            for_D.zero_grad()
        loss.backward(retain_graph=retain)
        for _ in range(d_steps if "D" in steps else 0):
            for_D.step()
        return loss.item()

    def part_of_G():
        if freeze:
            D.requires_grad_(False)
        logits = look(asks(D), L, ours.detach() if cut else ours)
        adversarial = {
            "real": bce(logits, 1),
            "confess": bce(logits, 0),
            "saturating": -bce(logits, 0),
        }[aim]
        away = ours - truth
        far = {"l1": away.abs().mean(), "l2": (away**2).mean(), "sum": away.abs().sum()}[color]
        w = weight if fixed is None else fixed
        a, b = (1, w) if counts is None else counts(weight)
        if "G" in zeros:
            for_G.zero_grad()
        total = a * adversarial + b * far
        total.backward()
        if "G" in steps:
            for_G.step()
        if freeze and thaw:
            D.requires_grad_(True)
        return adversarial.item(), far.item(), total.item()

    if order == "DG":
        loss_D = part_of_D()
        adversarial, far, total = part_of_G()
    else:
        adversarial, far, total = part_of_G()
        loss_D = part_of_D()
    losses = {"color": far, "generator": adversarial, "discriminator": loss_D, "total": total}
    if report is not None:
        return report(losses, weight)
    return {name: losses[name] for name in ("color", "generator", "discriminator")}


def bug(G, D, for_G, for_D, L, truth, weight):
    ours = G(L)
    loss_D = (bce(look(D, L, truth), 1) + bce(look(D, L, ours.detach()), 0)) / 2
    loss_D.backward()
    for_D.step()
    for_D.zero_grad()
    adversarial, far = bce(look(D, L, ours), 1), (ours - truth).abs().mean()
    (adversarial + weight * far).backward()
    for_G.step()
    for_G.zero_grad()
    return {"color": far.item(), "generator": adversarial.item(), "discriminator": loss_D.item()}


def old_logits(G, D, for_G, for_D, L, truth, weight):
    """Both gradients first, then both steps; each network's gradients are its own."""
    ours = G(L)
    loss_D = (bce(look(D, L, truth), 1) + bce(look(D, L, ours.detach()), 0)) / 2
    adversarial, far = bce(look(D, L, ours), 1), (ours - truth).abs().mean()
    for net, loss in ((D, loss_D), (G, adversarial + weight * far)):
        weights = list(net.parameters())
        gradients = torch.autograd.grad(loss, weights, retain_graph=True)
        for parameter, gradient in zip(weights, gradients, strict=True):
            parameter.grad = gradient
    for_D.step()
    for_G.step()
    return {"color": far.item(), "generator": adversarial.item(), "discriminator": loss_D.item()}


def looked_too_early(G, D, for_G, for_D, L, truth, weight):
    ours = G(L)
    fake = look(D, L, ours)
    loss_D = (bce(look(D, L, truth), 1) + bce(look(D, L, ours.detach()), 0)) / 2
    for_D.zero_grad()
    loss_D.backward()
    for_D.step()
    for_G.zero_grad()
    (bce(fake, 1) + weight * (ours - truth).abs().mean()).backward()
    for_G.step()
    return {}


def one_backward(G, D, for_G, for_D, L, truth, weight, *, detach=True):
    ours = G(L)
    seen = ours.detach() if detach else ours
    loss_D = (bce(look(D, L, truth), 1) + bce(look(D, L, seen), 0)) / 2
    adversarial, far = bce(look(D, L, ours), 1), (ours - truth).abs().mean()
    for_D.zero_grad()
    for_G.zero_grad()
    (loss_D + adversarial + weight * far).backward()
    for_D.step()
    for_G.step()
    return {"color": far.item(), "generator": adversarial.item(), "discriminator": loss_D.item()}


def zeros_at_the_start(G, D, for_G, for_D, L, truth, weight, *, detach=True):
    for_D.zero_grad()
    for_G.zero_grad()
    return play(G, D, for_G, for_D, L, truth, weight, zeros="", detach=detach, retain=not detach)


def both_zeros_last(G, D, for_G, for_D, *arguments):
    losses = play(G, D, for_G, for_D, *arguments, zeros="")
    for_D.zero_grad()
    for_G.zero_grad()
    return losses


def d_zeroed_after_g(G, D, for_G, for_D, *arguments):
    """D forgets what G's move left before the call ends."""
    losses = play(G, D, for_G, for_D, *arguments, zeros="G")
    D.zero_grad()
    return losses


def zero_between(G, D, for_G, for_D, L, truth, weight):
    ours = G(L)
    loss_D = (bce(look(D, L, truth), 1) + bce(look(D, L, ours.detach()), 0)) / 2
    loss_D.backward()
    for_D.zero_grad()
    for_D.step()
    adversarial, far = bce(look(D, L, ours), 1), (ours - truth).abs().mean()
    (adversarial + weight * far).backward()
    for_G.zero_grad()
    for_G.step()
    return {"color": far.item(), "generator": adversarial.item(), "discriminator": loss_D.item()}


def g_steps_d_too(G, D, for_G, for_D, *arguments):
    losses = play(G, D, for_G, for_D, *arguments)
    for_D.step()
    return losses


def g_in_eval(G, D, *arguments):
    G.eval()
    losses = play(G, D, *arguments)
    G.train()
    return losses


def left_in_eval(G, D, *arguments):
    losses = play(G, D, *arguments)
    D.eval()
    return losses


def colors_twice(G, D, for_G, for_D, L, truth, weight):
    return play(G, D, for_G, for_D, L, truth, weight, recolor=True)


def scored_as(*names):
    return lambda losses, weight: {name: losses["color"] for name in names}


def weighted(losses, weight):
    return {name: losses[name] for name in ("generator", "discriminator")} | {
        "color": weight * losses["color"]
    }


def totaled(losses, weight):
    return {name: losses[name] for name in ("color", "discriminator")} | {
        "generator": losses["total"]
    }


def swapped_names(losses, weight):
    return {
        "color": losses["color"],
        "generator": losses["discriminator"],
        "discriminator": losses["generator"],
    }


def tensors_with_graph(G, D, for_G, for_D, L, truth, weight):
    losses = play(G, D, for_G, for_D, L, truth, weight)
    return losses | {"color": (G(L) - truth).abs().mean()}


def as_list(losses, weight):
    return list(losses.values())[:3]


def with_descend(G, D, for_G, for_D, L, truth, weight, *, swapped=False, reuse=False, apart="",
                 mean=True):  # fmt: skip
    """A step in the notebook's own words: softplus, and `descend` for each move."""

    def descend(optimizer, loss, retain=False):
        optimizer.zero_grad()
        loss.backward(retain_graph=retain)
        optimizer.step()

    ours = G(L)
    fake = look(D, L, ours.detach())
    loss_D = (F.softplus(-look(D, L, truth)).mean() + F.softplus(fake).mean()) / 2
    descend(for_G if swapped else for_D, loss_D)
    adversarial = F.softplus(-(fake if reuse else look(D, L, ours))).mean()
    color = (ours - truth).abs()
    color = color.mean() if mean else color
    if apart == "backward":
        for_G.zero_grad()
        (weight * color).backward()
        adversarial.backward()
        for_G.step()
    elif apart:
        descend(for_G, adversarial, retain=apart == "retained")
        color = (G(L) - truth).abs().mean() if apart == "colored anew" else color
        descend(for_G, weight * color)
    else:
        descend(for_D if swapped else for_G, adversarial + weight * color)
    return {"color": color.item(), "generator": adversarial.item(), "discriminator": loss_D.item()}


def french(losses, weight):
    return {"couleur": 0.0, "peintre": 0.0, "juge": 0.0}


def half_g(weight):
    return 0.5, weight


STEP = functools.partial(as_said, play)
WRONG_62 = {
    **OF_D,
    STEP("g_first", order="GD"): "G steps first",
    old_logits: "G's loss uses D from before its step",
    looked_too_early: "torch refuses, since those weights are gone",
    STEP("detached_in_g", cut=True): "G moves only along L1",
    g_steps_d_too: "D's optimizer steps 2 times",
    STEP("weight_reported", report=weighted): '"color" is weight times L1',
    STEP("weight_forgotten", fixed=1): "The weight of L1 is not used",
    STEP("fixed_100", fixed=100): "100 stands there as a fixed number",
    STEP("weight_for_both", counts=lambda w: (w, w)): "The weight counts for both",
    STEP("weight_at_d", counts=lambda w: (w, 1)): "The weight stands at the adversarial term",
    STEP("no_l1", counts=lambda w: (1, 0)): "G moves only along D's gradient",
    STEP("g_halved", counts=half_g): "G's adversarial loss is halved",
    STEP("saturating", aim="saturating"): "That is the saturating loss",
    STEP("confesses", aim="confess"): "G wants its colors to be called fake",
    STEP("squared", color="l2"): "The color loss is L2",
    STEP("summed", color="sum"): "L1 is summed over all pixels",
    STEP("not_halved", halved=False): "D's loss is twice too large",
    STEP("labels_swapped", labels=(0, 1)): "The labels have changed places",
    as_said(with_descend, "reused_logits", reuse=True): "You use D's old logits for G",
    as_said(with_descend, "optimizers_swapped", swapped=True): "The optimizers have changed places",
    as_said(with_descend, "two_steps_of_g", apart="steps"): "Add both of G's losses",
    as_said(with_descend, "two_retained", apart="retained"): "Add both of G's losses",
    as_said(with_descend, "two_colored_anew", apart="colored anew"): "Add both of G's losses",
    as_said(with_descend, "two_backwards_of_g", apart="backward"): "Add both of G's losses",
    as_said(with_descend, "mean_forgotten", mean=False): "It needs a single one",
    STEP("fixed_50", fixed=50): "50 stands there as a fixed number",
    STEP("other_keys", report=french): "color, generator and discriminator are missing",
    STEP("both_called_fake", labels=(0, 0)): "Both are called fake",
    STEP("both_called_real", labels=(1, 1)): "Both are called real",
    STEP("odd_label", labels=(0.7, 0)): "Print each of its terms",
    bug: "not empty when its backward begins",
    STEP("never_zeros_d", zeros="G"): "those that G's backward leaves in it included",
    STEP("never_zeros_g", zeros="D"): "G's gradients add up from call to call",
    STEP("never_zeros", zeros=""): "those that G's backward leaves in it included",
    colors_twice: "G colors 2 times in one call",
    STEP("no_detach", detach=False): "G's loss has no way back",
    STEP("retained", detach=False, retain=True): "D's loss goes back through G as well",
    as_said(
        zeros_at_the_start, "leaked", detach=False
    ): "G also goes along the gradient of D's loss",
    one_backward: "One backward for both losses",
    as_said(one_backward, "one_backward_no_detach", detach=False): "One backward for both losses",
    STEP("no_step_of_g", steps="D"): "G has gradients, and its weights stay",
    STEP("no_step_of_d", steps="G"): "D has gradients, and its weights stay",
    zero_between: "D's gradient is thrown away",
    g_in_eval: "G colors in eval mode",
    left_in_eval: "D is left in eval mode",
    STEP("left_frozen", freeze=True, thaw=False): "D is left frozen",
    STEP("total_reported", report=totaled): "all that G goes down, L1 included",
    STEP("names_swapped", report=swapped_names): "holds G's adversarial loss",
    STEP("key_missing", report=scored_as("color", "generator")): "discriminator is missing",
    STEP("key_more", report=lambda losses, weight: losses): "more than the three losses",
    STEP("a_list", report=as_list): "A dict was expected",
    tensors_with_graph: "holds on to its graph",
    STEP("smoothed", labels=(0.9, 0)): "The truth has the label 0.9",
}


def with_frozen_d(*arguments):
    return play(*arguments, freeze=True)


def two_looks_of_g(G, D, for_G, for_D, L, truth, weight):
    """G's two losses in two backwards, D's in one batch; the sums in place."""
    ours = G(L)
    seen = torch.cat([torch.cat([L, truth], 1), torch.cat([L, ours.detach()], 1)])
    real, fake = D(seen).chunk(2)
    loss_D = F.softplus(-real).mean().add_(F.softplus(fake).mean()).mul_(0.5)
    gradients = [p.grad for p in D.parameters() if p.grad is not None]
    if gradients:
        torch._foreach_zero_(gradients)
    loss_D.backward()
    for_D.step()
    for_G.zero_grad()
    color = F.l1_loss(ours, truth)
    (weight * color).backward(retain_graph=True)
    adversarial = F.softplus(-D(torch.cat([L, ours], 1))).mean()
    adversarial.backward()
    for_G.step()
    losses = {"generator": adversarial, "discriminator": loss_D, "color": color}
    return {name: loss.detach() for name, loss in losses.items()}


def with_a_copy_of_d(*arguments):
    """G asks a copy of the D that has moved, so that D's own gradients stay D's."""
    return play(*arguments, asks=copy.deepcopy)


def by_autograd(G, D, for_G, for_D, L, truth, weight):
    ours = G(L)

    def move(net, optimizer, loss):
        weights = list(net.parameters())
        gradients = torch.autograd.grad(loss, weights, retain_graph=True)
        for parameter, gradient in zip(weights, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        return loss.item()

    loss_D = move(D, for_D, (bce(look(D, L, truth), 1) + bce(look(D, L, ours.detach()), 0)) / 2)
    far, adversarial = (ours - truth).abs().mean(), bce(look(D, L, ours), 1)
    move(G, for_G, adversarial + weight * far)
    return {"color": far.item(), "generator": adversarial.item(), "discriminator": loss_D}


def returns_true(step):
    """6.7 wants True where 6.2 wants the losses."""

    def solution(*arguments):
        step(*arguments)
        return True

    solution.__name__ = step.__name__
    return solution


def only_g(G, D, for_G, for_D, L, truth, weight):
    ours = G(L)
    for_G.zero_grad()
    (bce(look(D, L, ours), 1) + weight * (ours - truth).abs().mean()).backward()
    for_G.step()
    return True


def d_forgotten_for_good(G, D, for_G, for_D, L, truth, weight):
    D.requires_grad_(False)
    return play(G, D, for_G, for_D, L, truth, weight)


def rate_at_0(G, D, for_G, for_D, *arguments):
    for_D.param_groups[0]["lr"] = 0.0
    return play(G, D, for_G, for_D, *arguments)


def zero_moved_one_line_up(G, D, for_G, for_D, L, truth, weight):
    """The bug, with D's zero_grad between its backward and its step."""
    ours = G(L)
    loss_D = (bce(look(D, L, truth), 1) + bce(look(D, L, ours.detach()), 0)) / 2
    loss_D.backward()
    for_D.zero_grad()
    for_D.step()
    return True


def returns_nothing(*arguments):
    play(*arguments)


WRONG_67 = {
    returns_true(bug): "The bug is still in",
    STEP("bug_half_in", zeros="D", report=None): "G's gradients add up from call to call",
    STEP("no_zero_at_all", zeros=""): "those that G's backward leaves in it included",
    STEP("only_g_zeroed", zeros="G"): "those that G's backward leaves in it included",
    zero_moved_one_line_up: "D's gradient is thrown away",
    STEP("cut", cut=True): "G moves only along L1",
    STEP("leaves_d_frozen", freeze=True, thaw=False): "D is left frozen",
    d_forgotten_for_good: "D is frozen, and a loss that",
    STEP("d_never_steps", steps="G"): "D has gradients, and its weights stay",
    STEP("g_never_steps", steps="D"): "G has gradients, and its weights stay",
    only_g: "D has gradients, and its weights stay",
    rate_at_0: "D's step moves nothing",
    STEP("order_turned", order="GD"): "G steps first",
    STEP("uncut", detach=False): "G's loss has no way back",
    STEP("wasted", detach=False, retain=True): "D's loss goes back through G as well",
    as_said(zeros_at_the_start, "leaks", detach=False): "G also goes along the gradient",
    old_logits: "G's loss uses D from before its step",
    one_backward: "One backward for both losses",
    STEP("weight_lost", fixed=1): "The weight of L1 is not used",
    STEP("half_lost", halved=False): "D's loss is twice too large",
    STEP("d_uphill", labels=(0, 1)): "The labels have changed places",
    STEP("g_uphill", counts=lambda w: (-1, -w)): "G climbs its loss",
    STEP("d_twice", d_steps=2): "D's optimizer steps 2 times",
    STEP("quicker_g", counts=lambda w: (2, 2 * w)): "G moves, but not one step down G's loss",
    returns_nothing: "gave back nothing",
}


# --- 6.3 -----------------------------------------------------------------------------------------


def adam(
    weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999, *, correct="mv", power=0, eps="out",
    exponent=2, root=True, sign=-1, share=True, order=(0, 1, 2), kept=False, old=False,
    plain=False, delta=False, scale=True, turned=False,
):  # fmt: skip
    first = m, v
    a, b = (beta1, beta2) if turned else (1 - beta1, 1 - beta2)
    m = (1 - a) * m + (a if share else 1) * gradient
    v = (1 - b) * v + (b if share else 1) * gradient.abs() ** exponent
    used = first if old else (m, v)
    m_hat = used[0] / (1 - beta1 ** (step + power)) if "m" in correct else used[0]
    v_hat = used[1] / (1 - beta2 ** (step + power)) if "v" in correct else used[1]
    m_hat = gradient if plain else m_hat
    below = v_hat.sqrt() if root else v_hat
    below = {"out": below + 1e-8, "no": below, "in": (v_hat + 1e-8).sqrt()}[eps]
    change = sign * (rate if scale else 1) * m_hat / below
    result = change if delta else weight + change, *((m_hat, v_hat) if kept else (m, v))
    return tuple(result[i] for i in order)


def shortened(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    rate = rate * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    return weight - rate * m / (v.sqrt() + 1e-8), m, v


def first_correction(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1), v / (1 - beta2)
    return weight - rate * m_hat / (v_hat.sqrt() + 1e-8), m, v


def betas_swapped(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    return adam(weight, gradient, m, v, step, rate, beta2, beta1)


def betas_fixed(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    return adam(weight, gradient, m, v, step, rate)


def in_place(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    m.mul_(beta1).add_((1 - beta1) * gradient)
    v.mul_(beta2).add_((1 - beta2) * gradient**2)
    return weight - rate * m / (v.sqrt() + 1e-8), m, v


def weight_only(*arguments):
    return adam(*arguments)[0]


def moments_unchanged(weight, gradient, m, v, *rest):
    return adam(weight, gradient, m, v, *rest)[0], m, v


def weight_unchanged(weight, *rest):
    return weight, *adam(weight, *rest)[1:]


def v_of_m(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * m**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return weight - rate * m_hat / (v_hat.sqrt() + 1e-8), m, v


def m_without_old(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    return adam(weight, gradient, 0 * m, v, step, rate, beta1, beta2)


def rate_rooted(weight, gradient, m, v, step, rate, *betas):
    return adam(weight, gradient, m, v, step, rate / step**0.5, *betas)


def in_my_words(change=None, eps=1e-8, power=None, of_v=None):
    """Adam as the stub begins it; `change(rate, mh, vh)` and `power(beta, step)` may be others."""
    power = power or (lambda beta, step: beta**step)
    of_v = of_v or power
    change = change or (lambda rate, mh, vh: rate * mh / (vh.sqrt() + eps))

    def solution(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        mh, vh = m / (1 - power(beta1, step)), v / (1 - of_v(beta2, step))
        return weight - change(rate, mh, vh), m, v

    return solution


def times(beta, step):
    return beta * step


ADAM = functools.partial(as_said, adam)
WRONG_63 = {
    ADAM("uncorrected", correct=""): "The bias correction is missing",
    ADAM("only_m_corrected", correct="m"): "v is not corrected",
    ADAM("only_v_corrected", correct="v"): "m is not corrected",
    ADAM("from_0", power=-1): "counts the steps from 0",
    ADAM("one_too_many", power=1): "counts one step too many",
    first_correction: "that of the first step",
    named("eps_1e_6", in_my_words(eps=1e-6)): "Your eps is 1e-06. eps is 1e-8",
    named("eps_1e_5", in_my_words(eps=1e-5)): "Your eps is 1e-05. eps is 1e-8",
    named("eps_1e_3", in_my_words(eps=1e-3)): "Your eps is 0.001. eps is 1e-8",
    named("eps_1e_7", in_my_words(eps=1e-7)): "Your eps is 1e-07. eps is 1e-8",
    named("eps_1e_12", in_my_words(eps=1e-12)): "Your eps is 1e-12. eps is 1e-8",
    named(
        "no_brackets", in_my_words(lambda rate, mh, vh: rate * (mh / vh.sqrt() + 1e-8))
    ): "after the division, where it does nothing",
    named(
        "no_brackets_at_the_end", in_my_words(lambda rate, mh, vh: rate * mh / vh.sqrt() - 1e-8)
    ): "after the division, where it does nothing",
    named(
        "no_brackets_in_the_change", in_my_words(lambda rate, mh, vh: rate * mh / vh.sqrt() + 1e-8)
    ): "after the division, where it does nothing",
    named("caret", in_my_words(power=lambda beta, step: beta ^ step)): "** is the power in Python",
    named("times_step", in_my_words(power=times)): "takes beta times step",
    named("m_times_step", in_my_words(power=times, of_v=pow)): "takes beta times step",
    named("v_times_step", in_my_words(power=pow, of_v=times)): "takes beta times step",
    ADAM("no_eps", eps="no"): "eps is missing",
    ADAM("eps_inside", eps="in"): "eps stands inside the root",
    shortened: "the paper's shortened form",
    ADAM("unsquared", exponent=1): "the gradient's size, unsquared",
    ADAM("no_root", root=False): "A root is missing",
    ADAM("uphill", sign=1): "The step goes uphill",
    ADAM("sums", share=False): "add up gradients without end",
    ADAM("shares_turned", turned=True): "The two shares have changed places",
    ADAM("along_the_gradient", plain=True): "along the bare gradient",
    ADAM("old_moments", old=True): "uses the m and v from before",
    ADAM("change_only", delta=True): "That is only the change",
    ADAM("corrected_kept", kept=True): "You return the corrected m or v",
    ADAM("weight_last", order=(1, 2, 0)): "You return m, v, weight",
    ADAM("v_before_m", order=(0, 2, 1)): "You return weight, v, m",
    ADAM("no_rate", scale=False): "The rate is not used",
    betas_swapped: "beta1 and beta2 have changed places",
    betas_fixed: "stand there as fixed numbers",
    in_place: "has changed its arguments",
    weight_only: "Three tensors were expected",
    moments_unchanged: "m and v come back as they went in",
    weight_unchanged: "The weight stays where it was",
    v_of_m: "v is wrong",
    m_without_old: "m is wrong",
    rate_rooted: "m and v are right, the weight is not",
}


def by_torch(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    parameter = weight.clone().requires_grad_()
    optimizer = torch.optim.Adam([parameter], lr=rate, betas=(beta1, beta2))
    optimizer.state[parameter] = {
        "step": torch.tensor(step - 1.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()
    }  # fmt: skip
    parameter.grad = gradient.clone()
    optimizer.step()
    state = optimizer.state[parameter]
    return parameter.detach(), state["exp_avg"], state["exp_avg_sq"]


def with_lerp(weight, gradient, m, v, step, rate, beta1=0.5, beta2=0.999):
    m = m.lerp(gradient, 1 - beta1)
    v = (v * beta2).addcmul_(gradient, gradient, value=1 - beta2)
    below = (v / (1 - beta2**step)).sqrt_().add_(1e-8)
    return [weight.addcdiv(m, below, value=-rate / (1 - beta1**step)), m, v]


# --- 6.4 -----------------------------------------------------------------------------------------


def shares(real, fake):
    return (real > 0).float().mean().item(), (fake < 0).float().mean().item()


def half(real, fake):
    return (real > 0.5).float().mean(), (fake < 0.5).float().mean()


def half_for_fakes(real, fake):
    return (real > 0).float().mean(), (fake < 0.5).float().mean()


def called_real(real, fake):
    return (real > 0).float().mean(), (fake > 0).float().mean()


def called_fake(real, fake):
    return (real < 0).float().mean(), (fake < 0).float().mean()


def wrong_ones(real, fake):
    return (real < 0).float().mean(), (fake > 0).float().mean()


def percent(real, fake):
    return tuple(100 * share for share in shares(real, fake))


def turned_round(real, fake):
    return shares(real, fake)[::-1]


def a_photo(real, fake):
    return shares(real.mean((1, 2, 3)), fake.mean((1, 2, 3)))


def counted(real, fake):
    return (real > 0).sum().item(), (fake < 0).sum().item()


def after_a_sigmoid(real, fake):
    return shares(real.sigmoid(), fake.sigmoid())


def mean_first(real, fake):
    return shares(real.mean(), fake.mean())


def how_sure(real, fake):
    return real.sigmoid().mean(), 1 - fake.sigmoid().mean()


def mean_logits(real, fake):
    return real.mean(), fake.mean()


def of_all(real, fake):
    every = real.numel() + fake.numel()
    return (real > 0).sum() / every, (fake < 0).sum() / every


def by_length(real, fake):
    return ((real > 0).sum() / len(real)).item(), ((fake < 0).sum() / len(fake)).item()


def one_number(real, fake):
    return sum(shares(real, fake)) / 2


def one_a_patch(real, fake):
    return (real > 0).float(), (fake < 0).float()


def mean_of_truths(real, fake):
    return (real > 0).mean(), (fake < 0).mean()


def rounded(real, fake):
    return tuple(round(share, 1) for share in shares(real, fake))


WRONG_64 = {
    half: "0.5 is the middle of a probability",
    half_for_fakes: "0.5 is the middle of a probability",
    called_real: "the shares that D calls real",
    called_fake: "the shares that D calls fake",
    wrong_ones: "the shares that D gets wrong",
    percent: "Those are percent",
    turned_round: "The two have changed places",
    a_photo: "You take the mean logit",
    counted: "You count the patches",
    after_a_sigmoid: "After a sigmoid everything lies above 0",
    mean_first: "The mean is taken before the comparison",
    how_sure: "Those are mean probabilities",
    mean_logits: "Those are the mean logits",
    of_all: "You divide by all patches",
    by_length: "len(real) counts no patches",
    one_number: "Two numbers were expected",
    one_a_patch: "One number was expected",
    mean_of_truths: "True and False have no mean",
    rounded: "The shares should be",
}


# --- 6.5 -----------------------------------------------------------------------------------------


def color(G, L, *, before="eval", after="was", grad=False, late=False):
    was = G.training
    if before == "eval" and not late:
        G.eval()
    if before == "flag":
        G.training = False
    if before == "dropout":
        for layer in G.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.eval()
    if before == "norm":
        for layer in G.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.eval()
    with torch.set_grad_enabled(grad):
        colors = G(L)
    if late:
        G.eval()
    if after == "was":
        G.train(was)
    if after == "train":
        G.train()
    if after == "flag":
        G.training = was
    return colors


def switches_gradients_off(G, L):
    torch.set_grad_enabled(False)
    return color(G, L)


def freezes_g(G, L):
    G.requires_grad_(False)
    return color(G, L, grad=True)


def warms_up(G, L):
    with torch.no_grad():
        G.train(), G(L)
    return color(G, L, after="train")


def with_lightness(G, L):
    return torch.cat([L, color(G, L)], 1)


def of_numpy(G, L):
    return color(G, L).numpy()


def scaled(G, L):
    return 110 * color(G, L)


def dropout_rate_0(G, L):
    for layer in G.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    return color(G, L)


def returns_too_early(G, L):
    was = G.training
    G.eval()
    with torch.no_grad():
        return G(L)
    G.train(was)


COLOR = functools.partial(as_said, color)
WRONG_65 = {
    COLOR("no_eval", before=""): "G colors in train mode",
    COLOR("eval_last", late=True, after=""): "switched to eval mode after it has colored",
    COLOR("flag_only", before="flag"): "G's flag says eval",
    COLOR("dropout_only", before="dropout"): "batch norm still looks at the batch",
    COLOR("norm_only", before="norm"): "dropout is still on",
    returns_too_early: "What stands after a return never runs",
    COLOR("left_in_eval", after=""): "is left in eval mode",
    COLOR("always_train", after="train"): "is left in train mode",
    COLOR("flag_put_back", after="flag"): "its layers are left in the other mode",
    COLOR("with_gradients", grad=True): "The colors hold on to the graph",
    switches_gradients_off: "Gradients are left switched off",
    freezes_g: "G is left frozen",
    warms_up: "running averages have moved",
    with_lightness: "should have the shape (3, 2, 6, 6)",
    of_numpy: "NumPy array",
    scaled: "Return what G(L) gives there",
    dropout_rate_0: "dropout rate has changed",
}


def on_a_copy(G, L):
    with torch.inference_mode():
        return copy.deepcopy(G).eval()(L)


def photo_by_photo(G, L):
    was = G.training
    try:
        with torch.no_grad():
            G.eval()
            return torch.cat([G(L[i : i + 1]) for i in range(len(L))])
    finally:
        G.train(was)


def detached(G, L):
    was = G.training
    colors = G.eval()(L).detach()
    G.train(was)
    return colors


# --- 6.6 -----------------------------------------------------------------------------------------


def state_of(G, D, for_G, for_D, step):
    return {
        "G": G.state_dict(),
        "D": D.state_dict(),
        "for_G": for_G.state_dict(),
        "for_D": for_D.state_dict(),
        "step": step,
        "random": torch.get_rng_state(),
    }


def all_of_it(*arguments):
    return copy.deepcopy(state_of(*arguments))


def kept_with(name, **changes):
    """`all_of_it` with some entries made otherwise, from (G, D, for_G, for_D, step)."""

    def solution(*arguments):
        return all_of_it(*arguments) | {key: make(*arguments) for key, make in changes.items()}

    solution.__name__ = name
    return solution


def left_out(*names):
    def solution(*arguments):
        return {key: value for key, value in all_of_it(*arguments).items() if key not in names}

    solution.__name__ = "without_" + "_".join(names)
    return solution


def not_copied(*arguments):
    return state_of(*arguments)


def shallow(*arguments):
    return {
        key: value.copy() if isinstance(value, dict) else value
        for key, value in state_of(*arguments).items()
    }


def optimizers_not_copied(G, D, for_G, for_D, step):
    return all_of_it(G, D, for_G, for_D, step) | {"for_G": for_G.state_dict()}


def objects(G, D, for_G, for_D, step):
    return {**all_of_it(G, D, for_G, for_D, step), "G": G, "for_G": for_G}


def draws_first(*arguments):
    torch.rand(1)
    return all_of_it(*arguments)


def seeds_anew(*arguments):
    torch.manual_seed(0)
    return all_of_it(*arguments)


def switches_to_eval(G, *arguments):
    return all_of_it(G.eval(), *arguments)


def in_a_tuple(*arguments):
    return tuple(all_of_it(*arguments).values())


def in_half(G, *rest):
    return {key: value.half() for key, value in copy.deepcopy(G.state_dict()).items()}


def with_an_object(*arguments):
    return all_of_it(*arguments) | {"made by": exercise("6.6")}


def flattened(G, D, for_G, *rest):
    return copy.deepcopy(list(for_G.state_dict()["state"].values()))


def named_buffers_lost(G, *rest):
    return {name: value.detach().clone() for name, value in G.named_parameters()}


KEPT = "A state dict shows the live tensors"
WRONG_66 = {
    not_copied: KEPT,
    shallow: KEPT,
    optimizers_not_copied: KEPT,
    objects: "stands the object itself",
    left_out("random"): "Not in your dict: random",
    left_out("step"): "Not in your dict: step",
    left_out("for_G", "for_D"): "Not in your dict: for_G, for_D",
    kept_with("parameter_list", G=lambda G, *_: list(G.parameters())): "stand only parameters",
    kept_with("named_parameters", G=named_buffers_lost): "stand only parameters",
    kept_with("unbound", D=lambda G, D, *_: D.state_dict): "stands a function",
    kept_with("g_twice", D=lambda G, *_: copy.deepcopy(G.state_dict())): "what belongs to G",
    kept_with(
        "for_g_twice", for_D=lambda G, D, for_G, *_: copy.deepcopy(for_G.state_dict())
    ): "what belongs to for_G",
    kept_with(
        "groups_only", for_G=lambda G, D, for_G, *_: {"param_groups": for_G.param_groups}
    ): "Adam's running means are missing",
    kept_with(
        "fresh_adam",
        for_D=lambda G, D, *_: torch.optim.Adam(D.parameters(), lr=0.02).state_dict(),
    ): "Adam's running means are missing",
    kept_with("moments_listed", for_G=flattened): "a state dict was expected",
    kept_with("values_listed", D=lambda G, D, *_: [*D.state_dict().values()]): (
        "a state dict was expected"
    ),
    kept_with("rates_only", for_G=lambda *_: 0.01): "a state dict was expected",
    kept_with("half", G=in_half): "no rounding, no other kind of float",
    kept_with("numpys", random=lambda *_: np.random.get_state()): "NumPy's random state",
    kept_with("pythons", random=lambda *_: random.getstate()): "Python's module random",
    kept_with("the_seed", random=lambda *_: torch.initial_seed()): "stands the seed",
    kept_with("generator", random=lambda *_: torch.default_generator): "the generator itself",
    kept_with("zeros", random=lambda *_: torch.zeros(4)): "random state was expected",
    kept_with("next_step", step=lambda *arguments: arguments[-1] + 1): "it should be 3",
    draws_first: "moves torch's random numbers on",
    seeds_anew: "moves torch's random numbers on",
    switches_to_eval: "Your function changes the run",
    in_a_tuple: "A dict was expected",
    with_an_object: "can't carry it",
}


def through_a_file(*arguments):
    file = io.BytesIO()
    torch.save(state_of(*arguments), file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def with_clones(G, D, for_G, for_D, step):
    return {
        "G": {name: value.clone() for name, value in G.state_dict().items()},
        "D": {name: value.detach().clone() for name, value in D.state_dict().items()},
        "for_G": copy.deepcopy(for_G.state_dict()),
        "for_D": copy.deepcopy(for_D.state_dict()),
        "step": step,
        "random": torch.random.get_rng_state(),
        "note": "more than was asked for",
    }


WRONG = {
    "6.1": WRONG_61,
    "6.2": WRONG_62,
    "6.3": WRONG_63,
    "6.4": WRONG_64,
    "6.5": WRONG_65,
    "6.6": WRONG_66,
    "6.7": WRONG_67,
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "06")


RIGHT = {
    "6.1": [balance, by_search, with_autograd],
    "6.2": [
        play, with_frozen_d, with_a_copy_of_d, two_looks_of_g, by_autograd, zeros_at_the_start,
        both_zeros_last, d_zeroed_after_g, with_descend,
    ],
    "6.3": [adam, by_torch, with_lerp, in_my_words()],
    "6.4": [
        shares,
        lambda real, fake: torch.stack([(real > 0).double().mean(), (fake < 0).double().mean()]),
        lambda real, fake: [(real.sigmoid() > 0.5).float().mean(), 1 - (fake > 0).float().mean()],
    ],
    "6.5": [color, on_a_copy, photo_by_photo, detached],
    "6.6": [all_of_it, through_a_file, with_clones],
    "6.7": [
        play, with_frozen_d, with_a_copy_of_d, two_looks_of_g, by_autograd, zeros_at_the_start,
        both_zeros_last, d_zeroed_after_g, returns_true(play),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "solution"),
    [(name, solution) for name, solutions in RIGHT.items() for solution in solutions],
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


@pytest.mark.parametrize("one", exercises("06"), ids=lambda one: one.name)
def test_a_check_leaves_random_numbers_and_gradients_alone(one):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    for solution in (RIGHT[one.name][0], *list(WRONG[one.name])[:8]):
        try_solution(one, solution)
        assert torch.equal(torch.get_rng_state(), before), solution.__name__
        assert torch.is_grad_enabled()


def test_the_right_steps_are_those_of_the_library():
    """The check compares with steps of its own; those must be the steps of `colorlab.losses`."""
    from colorlab.course.checks import lesson06, networks

    two = networks.two_networks(norm=True)
    loss = AdversarialLoss("bce")
    L, truth = networks.batches(1)[0]
    ours = two.G(L)
    on_d = loss.discriminator(look(two.D, L, truth), look(two.D, L, ours.detach()))
    first = lesson06._adversarial_steps()[0]
    assert first["discriminator"] == pytest.approx(on_d.item())
    on_d.backward()
    with torch.no_grad():
        for parameter in two.D.parameters():
            parameter -= 0.5 * parameter.grad
    torch.testing.assert_close(first["D"], networks.weights_of(two.D))
    adversarial = loss.generator(look(two.D, L, ours))
    assert first["generator"] == pytest.approx(adversarial.item())
    assert first["color"] == pytest.approx(F.l1_loss(ours, truth).item())
