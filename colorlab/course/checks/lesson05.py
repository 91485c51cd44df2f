"""The testers of lesson 05: a GAN of two numbers, the best D, three losses, a bug in G's step."""

from __future__ import annotations

import math
from typing import Any

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    NotYet,
    call,
    describe,
    load_optimizers,
    match,
    own_random,
    want_number,
    want_tensor,
)


def _two(value: Any, names: tuple[str, str]) -> tuple[float, float]:
    """Two numbers, or the flaw that says how to return them."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", ()) == (2,):
        value = value.tolist()
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise NotYet(
            f"Two numbers were expected, {names[0]} and {names[1]}; it is {describe(value)}.",
            f"return {names[0]}, {names[1]}",
        )
    return want_number(value[0], names[0]), want_number(value[1], names[1])


# --- 5.1: a GAN of two numbers -------------------------------------------------------------------


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _test_two_numbers(adversarial_step: Any) -> Flaw | None:
    for theta, psi, rate in ((1.0, 0.4, 0.1), (-0.7, 1.3, 0.5)):
        found = _two(call(adversarial_step, theta, psi, rate), ("theta", "psi"))
        g = _sigmoid(-psi * theta) * psi  # minus the generator's gradient
        d = _sigmoid(psi * theta) * theta  # the discriminator's gradient
        new, first = psi - rate * d, theta + rate * g
        mistakes = (
            (
                (theta + rate * _sigmoid(-new * theta) * new, new),
                Flaw(
                    "The generator already uses the discriminator's new psi.",
                    "Both move at once here. At which theta and psi is each gradient due?",
                ),
            ),
            (
                (theta + rate * g, psi - rate * _sigmoid(psi * first) * first),
                Flaw(
                    "The discriminator already uses the generator's new theta.",
                    "Both move at once here. At which theta and psi is each gradient due?",
                ),
            ),
            (
                (theta - rate * g, psi - rate * d),
                Flaw(
                    "The generator walks the wrong way: it makes its loss larger.",
                    "A step goes against the gradient. Which sign does the inner derivative of "
                    "softplus(-psi * theta) bring?",
                ),
            ),
            (
                (theta + rate * g, psi + rate * d),
                Flaw(
                    "The discriminator walks the wrong way: it makes its loss larger.",
                    "A step goes against the gradient of its loss, softplus(psi * theta).",
                ),
            ),
            (
                (theta + rate * psi, psi - rate * theta),
                Flaw(
                    "The sigmoids are missing.",
                    "The gradient of softplus(z) is sigmoid(z), times the gradient of z.",
                ),
            ),
            (
                (theta + rate * _sigmoid(psi * theta) * psi, psi - rate * d),
                Flaw(
                    "The generator's sigmoid is that of another loss.",
                    "Its loss here is softplus(-psi * theta). What stands inside the sigmoid then?",
                ),
            ),
            (
                (theta + rate * _sigmoid(-psi * theta), psi - rate * _sigmoid(psi * theta)),
                Flaw(
                    "The chain rule's second factor is missing.",
                    "softplus(z) with z = psi * theta: what is the derivative of z in psi?",
                ),
            ),
            (
                (theta + g, psi - d),
                Flaw("The rate is not used.", "Each step is rate times the gradient."),
            ),
            (
                (g, d),
                Flaw("You return gradients.", "Return theta and psi after the step."),
            ),
            (
                (psi - rate * d, theta + rate * g),
                Flaw("theta and psi have changed places.", "The docstring says which comes first."),
            ),
        )
        right = (theta + rate * g, psi - rate * d)
        otherwise = Flaw(
            f"From theta {theta}, psi {psi} with rate {rate} the step goes to "
            f"{right[0]:.4f}, {right[1]:.4f}; yours to {found[0]:.4f}, {found[1]:.4f}.",
            "Write the two gradients on two lines, each with its sigmoid, and print them.",
        )
        flaw = match(found, right, mistakes, otherwise, 1e-6)
        if flaw is not None:
            return flaw
    return None


# --- 5.2: the best discriminator -----------------------------------------------------------------


def _test_optimal(optimal_discriminator: Any) -> Flaw | None:
    import torch

    # densities of real and of generated colors; zeros, but never both at one color
    cases = (
        ([0.2, 0.6, 0.3, 0.0, 0.5], [0.2, 0.2, 0.9, 0.4, 0.0]),
        ([[1.5, 0.1, 2.0], [0.7, 0.7, 3.0]], [[0.5, 0.9, 0.0], [0.7, 2.8, 1.0]]),
    )
    for p, q in ((torch.tensor(real), torch.tensor(made)) for real, made in cases):
        result = call(optimal_discriminator, p.clone(), q.clone(), pure=True)
        if isinstance(result, torch.Tensor) and result.shape == p.shape:
            flaw = _known_rule(result, p, q)
            if flaw is not None:
                return flaw
        found = want_tensor(result, shape=tuple(p.shape), what="D's probability")
        right = p / (p + q)
        off = int((found - right).abs().argmax())
        otherwise = Flaw(
            f"Where p is {p.flatten()[off]:g} and q is {q.flatten()[off]:g}, the cheapest D is "
            f"{right.flatten()[off]:.4f}; yours is {found.flatten()[off]:.4f}.",
            "Write D's loss at this one color for D = 0.1, 0.2, … and see where it is smallest.",
        )
        if not torch.allclose(found.float(), right, atol=1e-4):
            return otherwise
    return None


def _known_rule(result: Any, p: Any, q: Any) -> Flaw | None:
    """The flaw of the rule that gives this result, which may hold infinite numbers."""
    import torch

    rules = (
        (
            q / (p + q),
            Flaw(
                "That is the probability that the color is generated.",
                "D is asked for the probability that it is real. Which density belongs on top?",
            ),
        ),
        (
            p / q,
            Flaw(
                "That is how many times more frequent the color is in real photos.",
                "A probability stays between 0 and 1. What must a share be divided by?",
            ),
        ),
        (
            (p / q).log(),
            Flaw("That is D's logit, not its probability.", "What turns a logit into one?"),
        ),
        (
            (p > q).float(),
            Flaw(
                "D only says which of the two densities is larger.",
                "Being sure costs much where it is wrong: set the derivative to zero instead.",
            ),
        ),
        (
            torch.sigmoid(p - q),
            Flaw(
                "A sigmoid or softmax of the densities is taken.",
                "The densities need no exponential: set the derivative of D's loss to zero.",
            ),
        ),
        (
            p / (p.sum() + q.sum()),
            Flaw(
                "The sum runs over all colors.",
                "Each color has a D of its own: only p and q at this color count.",
            ),
        ),
        (
            p**2 / (p**2 + q**2),
            Flaw("The densities are squared.", "They stand in D's expected loss as they are."),
        ),
        (
            p.sqrt() / (p.sqrt() + q.sqrt()),
            Flaw("Roots of the densities are taken.", "They stand in D's loss as they are."),
        ),
        (
            torch.full_like(p, 0.5),
            Flaw(
                "D says 0.5 everywhere, as if it could tell nothing.",
                "That is right only where p equals q.",
            ),
        ),
        (
            (p + q) / 2,
            Flaw(
                "That is how frequent a color is in the whole batch.",
                "Which share of this frequency comes from real photos?",
            ),
        ),
        (
            p,
            Flaw(
                "That is p alone; q plays no part.",
                "A color that G makes often is fake more often. Where does q enter?",
            ),
        ),
    )
    for rule, flaw in rules:
        if torch.allclose(result.float(), rule, atol=1e-5, equal_nan=True):
            return flaw
    return None


# --- 5.3: the generator's loss -------------------------------------------------------------------


@own_random
def _test_non_saturating(non_saturating: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F

    logits = torch.tensor([[-3.0, -0.5], [0.2, 4.0]]).reshape(1, 1, 2, 2)
    result = call(non_saturating, logits.clone())
    if isinstance(result, torch.Tensor) and result.shape == logits.shape:
        return Flaw("That is one loss a logit.", "A loss is one number: .mean() over all of them.")
    number = want_number(result, "the loss")
    mistakes = (
        (
            float(F.softplus(logits).mean()),
            Flaw(
                "That is what the discriminator pays for fakes: -log(1 - sigmoid).",
                "The generator wants to be taken for real. Which sign has the logit then?",
            ),
        ),
        (
            float(-F.softplus(logits).mean()),
            Flaw(
                "That is the saturating loss, log(1 - sigmoid).",
                "The aim is the same. Asked for is the one with the minus in front of the log.",
            ),
        ),
        (
            float(-F.softplus(-logits).mean()),
            Flaw("The sign is wrong: this one is to be made large.", "A loss is made small."),
        ),
        (
            float(F.softplus(-logits).sum()),
            Flaw("That is the sum over all logits.", "Take the mean."),
        ),
        (
            float(F.softplus(-torch.sigmoid(logits)).mean()),
            Flaw("The sigmoid is taken twice.", "softplus holds the sigmoid already."),
        ),
    )
    otherwise = Flaw(
        f"For the check's logits it should be {float(F.softplus(-logits).mean()):.4f}; yours is "
        f"{number:.4f}.",
        "Compute -log sigmoid(x) of the logits 0 and 4 by hand: log 2 and 0.018.",
    )
    flaw = match(number, float(F.softplus(-logits).mean()), mistakes, otherwise, 1e-5)
    if flaw is not None:
        return flaw
    far = torch.tensor([-300.0, 300.0], requires_grad=True)
    loss = call(non_saturating, far)
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return Flaw(
            "The value is right, but no gradient can flow back to the logits.",
            "Return the tensor, without .item(), .detach() or NumPy.",
        )
    loss.backward()
    if not bool(torch.isfinite(loss)) or not bool(torch.isfinite(far.grad).all()):
        return Flaw(
            f"For logits of -300 and 300 it gives {loss.item()}, or a gradient that is nan.",
            "exp(300) overflows in float32, and a sigmoid that is 0 has an infinite logarithm. "
            "Is there a function of torch that computes log(1 + exp(x)) without that trouble?",
        )
    if loss.item() < 140:
        return Flaw(
            f"For logits of -300 and 300 it gives {loss.item():.1f}; it should be 150.",
            "A small number added inside the log, or a clamp, cuts the loss off, and its gradient "
            "with it. A softplus needs neither.",
        )
    return None


# --- 5.4: hinge ----------------------------------------------------------------------------------


def _pair_test(family: Any, right: Any, mistakes: Any) -> Flaw | None:
    """Both losses of a family on a batch; `right` and `mistakes` are made from (real, fake)."""
    import torch

    real = 2 * torch.randn(2, 1, 4, 4) + 1
    fake = 2 * torch.randn(2, 1, 4, 4) - 0.5
    logits = real.clone().requires_grad_(), fake.clone().requires_grad_()
    returned = call(family, *logits)
    found = _two(returned, ("for_D", "for_G"))
    wanted = right(real, fake)
    otherwise = Flaw(
        f"For the check's logits hinge should be {wanted[0]:.4f} for D and {wanted[1]:.4f} for G; "
        f"yours are {found[0]:.4f} and {found[1]:.4f}.",
        "Compute each of the three parts on a line of its own: D on real, D on fake, G on fake.",
    )
    if match(found, wanted[::-1], [], otherwise, 1e-5) is None:
        return Flaw("The two losses have changed places.", "return for_D, for_G")
    # a mistake in D's loss is reported before one in G's: so each is compared by itself
    for position, who in enumerate("DG"):
        flaw = match(
            found[position],
            wanted[position],
            [(value, flaw) for value, flaw in mistakes(real, fake)[who]],
            otherwise,
            1e-5,
        )
        if flaw is not None:
            return flaw
    cut = Flaw(
        "The values are right, but no gradient can flow back, or not to all that it should.",
        "Return tensors, without .item(), .detach() or NumPy.",
    )
    for loss, needed in zip(returned, (logits, logits[1:]), strict=True):
        if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
            return cut
        gradients = torch.autograd.grad(loss, needed, allow_unused=True, retain_graph=True)
        if any(gradient is None for gradient in gradients):
            return cut
    return None


@own_random
def _test_hinge(hinge: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F

    def right(real: Any, fake: Any) -> tuple[float, float]:
        return float(F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2, float(-fake.mean())

    def mistakes(real: Any, fake: Any) -> dict[str, list]:
        on_real, on_fake = F.relu(1 - real).mean(), F.relu(1 + fake).mean()
        return {
            "D": [
                (
                    float(on_real + on_fake),
                    Flaw("D's loss is twice too large.", "Half the sum of its two parts."),
                ),
                (
                    float(
                        F.relu(1 - torch.sigmoid(real)).mean()
                        + F.relu(1 + torch.sigmoid(fake)).mean()
                    )
                    / 2,
                    Flaw(
                        "There is a sigmoid in it.",
                        "The hinge wants logits as they are: after a sigmoid none is below -1.",
                    ),
                ),
                (
                    float(F.relu(1 + real).mean() + F.relu(1 - fake).mean()) / 2,
                    Flaw(
                        "The signs have changed places: D is rewarded for being wrong.",
                        "Which logits are D to push up, and which down?",
                    ),
                ),
                (
                    float((1 - real).mean() + (1 + fake).mean()) / 2,
                    Flaw(
                        "The hinge itself is missing.",
                        "Beyond 1 and -1 nothing is left to gain. Which function stops there?",
                    ),
                ),
                (
                    float(F.relu(-real).mean() + F.relu(fake).mean()) / 2,
                    Flaw("The margin is missing.", "D wants real logits above 1, not above 0."),
                ),
                (
                    float(F.relu(1 - real).mean() + F.relu(1 - fake).mean()) / 2,
                    Flaw("Both are pushed above 1.", "Fakes are to fall below -1."),
                ),
                (
                    float(F.relu((1 - real).mean()) + F.relu((1 + fake).mean())) / 2,
                    Flaw(
                        "The mean is taken before the relu.",
                        "Each logit has its own hinge: relu first, then the mean.",
                    ),
                ),
            ],
            "G": [
                (
                    float(F.relu(1 - fake).mean()),
                    Flaw(
                        "G has a hinge too.",
                        "G needs none: each larger logit lowers its loss, without any limit.",
                    ),
                ),
                (
                    float(-fake.mean() / 2),
                    Flaw("G's loss is halved too.", "Only D's is."),
                ),
                (
                    float(fake.mean()),
                    Flaw("G's sign is wrong: it wants to be called fake.", "A loss is made small."),
                ),
                (
                    float(F.relu(-fake).mean()),
                    Flaw(
                        "G's loss is cut off at 0.",
                        "It goes on below 0: no relu for G.",
                    ),
                ),
            ],
        }

    return _pair_test(hinge, right, mistakes)


# --- 5.5: all of G's loss ------------------------------------------------------------------------


@own_random
def _test_generator(generator_loss: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F

    for weight in (100.0, 7.0):
        logits = 2 * torch.randn(2, 1, 3, 3)
        ours, truth = torch.tanh(torch.randn(2, 2, 8, 8)), torch.tanh(torch.randn(2, 2, 8, 8))
        leaves = logits.clone().requires_grad_(), ours.clone().requires_grad_()
        returned = call(generator_loss, leaves[0], leaves[1], truth, weight)
        number = want_number(returned, "the loss")
        adversarial, wrong = float(F.softplus(-logits).mean()), float(F.softplus(logits).mean())
        l1, l2 = float((ours - truth).abs().mean()), float(((ours - truth) ** 2).mean())
        mistakes = (
            (
                weight * adversarial + l1,
                Flaw(
                    "The weight stands at the wrong term.",
                    "Which term does λ belong to in equation 4?",
                ),
            ),
            (
                weight * (adversarial + l1),
                Flaw("The weight counts for both.", "Which term does λ belong to in equation 4?"),
            ),
            (adversarial + l1, Flaw("The weight is not used.", "It belongs to L1.")),
            (adversarial + weight * l2, Flaw("That is L2.", "L1 is the mean absolute difference.")),
            (
                wrong + weight * l1,
                Flaw(
                    "The generator wants its fakes to be called fake.",
                    "Its label is 1, as in 5.3.",
                ),
            ),
            (
                adversarial + weight * float((ours - truth).abs().sum()),
                Flaw("L1 is summed over all pixels.", "Take the mean."),
            ),
            (
                adversarial + weight * 2 * l1,
                Flaw("L1 is summed over a and b.", "Take the mean over all of it."),
            ),
            (
                weight * l1 - adversarial,
                Flaw("The adversarial term has a minus.", "Both are to be made small: a plus."),
            ),
            (weight * l1, Flaw("The adversarial term is missing.", "You wrote it in 5.3.")),
            (
                adversarial + 100 * l1,
                Flaw("100 stands there as a fixed number.", "Use the argument: weight."),
            ),
        )
        otherwise = Flaw(
            f"In this check the adversarial term is {adversarial:.4f} and L1 {l1:.4f}; with weight "
            f"{weight:g} the sum is {adversarial + weight * l1:.4f}, yours {number:.4f}.",
            "Print the two terms, each for itself.",
        )
        flaw = match(number, adversarial + weight * l1, mistakes, otherwise, 1e-4)
        if flaw is not None:
            return flaw
        if not isinstance(returned, torch.Tensor) or not returned.requires_grad:
            return Flaw("The value is right, but no gradient can flow back.", "Return the tensor.")
        returned.backward()
        if any(leaf.grad is None for leaf in leaves):
            return Flaw(
                "One of the two terms is cut off from the gradient.",
                "No .detach(), .item() or .data in the generator's loss.",
            )
    far = call(generator_loss, torch.tensor([-300.0]), truth, truth, 1.0)
    if not math.isfinite(float(far)):
        return Flaw("For a logit of -300 it is not finite.", "Use non_saturating from 5.3.")
    return None


# --- 5.6: the planted bug ------------------------------------------------------------------------


@own_random
def _test_step(generator_step: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F
    from torch import nn

    def networks() -> tuple[Any, Any]:
        torch.manual_seed(5)
        return nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(3, 1, 3)

    load_optimizers()
    L, truth, weight, rate = torch.rand(2, 1, 6, 6), torch.rand(2, 2, 6, 6), 3.0, 0.25

    def moved(loss_of: Any) -> Any:
        """G's weights after one step along a loss made of (logits, ours)."""
        G, D = networks()
        ours = G(L)
        loss = loss_of(D, ours)
        (gradient,) = torch.autograd.grad(loss, [G.weight])
        return (G.weight - rate * gradient).detach()

    def look(D: Any, ours: Any) -> Any:
        return D(torch.cat([L, ours], 1))

    def l1(ours: Any) -> Any:
        return weight * (ours - truth).abs().mean()

    right = moved(lambda D, ours: F.softplus(-look(D, ours)).mean() + l1(ours))
    G, D = networks()
    start, weight_of_D = G.weight.detach().clone(), D.weight.detach().clone()
    optimizer = torch.optim.SGD(G.parameters(), lr=rate)
    call(generator_step, G, D, optimizer, L, truth, weight)
    after = G.weight.detach().clone()
    if not torch.equal(D.weight, weight_of_D):
        return Flaw(
            "The discriminator has moved too.",
            "Only the generator takes a step here: optimizer.step() of G's optimizer.",
        )
    if torch.equal(G.weight, start):
        return Flaw("The generator has not moved.", "zero_grad, backward, step.")
    if not all(parameter.requires_grad for parameter in D.parameters()):
        return Flaw(
            "D is left unable to learn: its parameters want no gradient any more.",
            "D stays as it is, in this respect too.",
        )
    if not (D.training and G.training):
        return Flaw(
            "A network is left in eval mode.", "Leave their modes to whoever calls the step."
        )
    mistakes = (
        (
            moved(lambda D, ours: l1(ours)),
            Flaw(
                "The bug is still in: G moves only along L1, as if there were no D.",
                "Which of the two terms sends a gradient through D back into G, and what cuts it "
                "off?",
            ),
        ),
        (
            moved(lambda D, ours: F.softplus(-look(D, ours)).mean()),
            Flaw(
                "Now L1 moves nothing: it is gone, or detached.",
                "The L1 term had no bug: keep it as it stood.",
            ),
        ),
        (
            moved(lambda D, ours: F.softplus(look(D, ours)).mean() + l1(ours)),
            Flaw(
                "G now tries to be called fake.", "The loss had no bug: keep -log sigmoid(logits)."
            ),
        ),
        (
            moved(lambda D, ours: -F.softplus(look(D, ours)).mean() + l1(ours)),
            Flaw("That is the saturating loss.", "The loss was right: -log sigmoid(logits)."),
        ),
        (
            moved(lambda D, ours: F.softplus(-look(D, ours)).mean() + l1(ours) / weight),
            Flaw("The weight of L1 is gone.", "Multiply L1 by weight, as it stood."),
        ),
        (
            moved(lambda D, ours: F.softplus(-D(torch.cat([ours, L], 1))).mean() + l1(ours)),
            Flaw(
                "D gets its channels in another order, [ab, L].",
                "D learned on [L, ab]: its first channel is the lightness.",
            ),
        ),
    )
    otherwise = Flaw(
        "The generator moves, but not along the sum of both terms.",
        "Compare your lines with those of the step with the bug: one change repairs it.",
    )
    flaw = match(after, right, mistakes, otherwise, 1e-6)
    if flaw is not None:
        return flaw
    ours = G(L)
    (gradient,) = torch.autograd.grad(F.softplus(-look(D, ours)).mean() + l1(ours), [G.weight])
    second = (after - rate * gradient).detach()
    call(generator_step, G, D, optimizer, L, truth, weight)
    if not torch.allclose(G.weight, second, atol=1e-6):
        return Flaw(
            "The first step is right; the second one goes along the first one's gradient too.",
            "optimizer.zero_grad() before backward, as it stood.",
        )
    return None


EXERCISES = (
    Exercise(
        name="5.1",
        title="A GAN of two numbers",
        difficulty=2,
        minutes=10,
        start=(
            "Derive each network's loss by its own parameter on paper first. Which theta and psi "
            "belong into the two gradients if both networks move at once?"
        ),
        test=_test_two_numbers,
        solved="Now let the two play, and see where they end.",
    ),
    Exercise(
        name="5.2",
        title="The best discriminator",
        difficulty=2,
        minutes=10,
        start=(
            "Look at one color alone: D's expected loss there is a function of one number. Where "
            "is its derivative zero?"
        ),
        test=_test_optimal,
        solved="A perfect D reports a ratio of two densities, no more.",
    ),
    Exercise(
        name="5.3",
        title="The loss that does not saturate",
        difficulty=1,
        minutes=5,
        start=(
            "Put the sigmoid into the logarithm and simplify on paper. Which function of torch is "
            "what remains?"
        ),
        test=_test_non_saturating,
        solved="A large gradient where the generator is bad, a small one where it is good.",
    ),
    Exercise(
        name="5.4",
        title="Hinge",
        difficulty=2,
        minutes=5,
        start=(
            "Three parts are due: D on real photos, D on fakes, G on fakes. For which logits is "
            "each of them 0?"
        ),
        test=_test_hinge,
        solved="D stops pushing where it is sure enough; G never stops.",
    ),
    Exercise(
        name="5.5",
        title="All of the generator's loss",
        difficulty=1,
        minutes=5,
        start=(
            "Equation 4 has two terms. One of them you have written already; how large is the "
            "other where ours equals the truth?"
        ),
        test=_test_generator,
        solved="pix2pix in one line.",
    ),
    Exercise(
        name="5.6",
        title="The planted bug",
        difficulty=2,
        minutes=5,
        start=(
            "Follow the gradient backward from the loss to G's weights. There are two ways: which "
            "one is cut?"
        ),
        test=_test_step,
        solved="No error, a falling loss, good numbers, and yet D had no influence.",
    ),
)
