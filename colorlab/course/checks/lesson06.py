"""The testers of lesson 06: the steps of both networks, Adam, who is winning, what a run needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
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
from colorlab.course.checks.networks import (
    Mistakes,
    Replay,
    Round,
    batches,
    discriminator_loss,
    explain,
    half_by_half,
    left_behind,
    lone_number,
    mistakes,
    moved_oddly,
    same,
    steps_of,
    two_networks,
    weights_of,
)

# --- 6.1: the discriminator's move ---------------------------------------------------------------


def _called(function: Any, networks: SimpleNamespace, *arguments: Any, only_d: bool = False) -> Any:
    """The function's result; where autograd refuses, what that means in this step.

    only_d: only D takes a step.
    """
    try:
        return call(function, *arguments, pure=True)
    except RuntimeError as error:
        flaw = _refused(str(error), networks, only_d)
        if flaw is None:
            raise
        raise NotYet(flaw.mistake, flaw.advice) from None


def _refused(words: str, networks: SimpleNamespace, only_d: bool) -> Flaw | None:
    """What an error of autograd means in this step."""
    stepped, log = steps_of(networks), networks.log
    if "only for scalar outputs" in words:
        over = "and of L1 over all its numbers" if "D" in stepped else "of each kind"
        return Flaw(
            "A loss goes back that is no single number.",
            f"backward wants one number: .mean() over the patches, {over}.",
        )
    again, changed = "through the graph a second" in words, "by an inplace operation" in words
    if again and stepped == ["D"]:
        moved = log.index("D steps")
        if not only_d and not any(line.startswith("D looks") for line in log[moved:]):
            return Flaw(
                "You use D's old logits for G.",
                "Look again behind D's step, with ours not detached: D(torch.cat([L, ours], 1)).",
            )
        if not only_d and "D looks at G" not in log[:moved]:
            return _TWO_LOSSES
    if (again or changed) and stepped == ["D", "G"]:
        return _TWO_LOSSES
    if changed and only_d and stepped == ["D"]:
        return Flaw(
            "D steps before both halves of its loss have gone back.", "Add both, then one step."
        )
    if "does not require grad" in words and not stepped:
        if not any(parameter.requires_grad for parameter in networks.D.parameters()):
            return Flaw(
                "D is frozen, and a loss goes back that reaches no other weights.",
                "D.requires_grad_(False) may stand only in G's part, with True again behind it.",
            )
        return Flaw(
            "The loss that goes back is cut off from all weights.",
            "Only G's colors are detached, or made under torch.no_grad(); D's logits are not.",
        )
    if "modified by an inplace operation" in words and stepped == ["D"]:
        return Flaw(
            "D has stepped, and G's loss still goes back through a look that D took before: torch "
            "refuses, since those weights are gone.",
            "Look again behind D's step: D(torch.cat([L, ours], 1)).",
        )
    if "modified by an inplace operation" in words and stepped:
        return Flaw(
            "A backward goes through weights that a step() has changed in the meantime.",
            "First D's loss with G's colors detached, and D's step; then G's loss, and G's step.",
        )
    return None


_TWO_LOSSES = Flaw(
    "G's two losses go back one by one, and the second has no way back any more.",
    "Add both of G's losses: one backward, one step.",
)


def _leave_gradients(networks: SimpleNamespace, L: Any) -> None:
    """What G's part of the step before leaves in D."""
    import torch
    import torch.nn.functional as F

    logits = networks.D(torch.cat([L, networks.G(L)], 1))
    (8 * F.softplus(-logits).mean()).backward()
    networks.G.zero_grad()
    networks.log.clear()


@functools.cache
def _moves_of_d(
    *, colors: str = "both", zero: str = "before", sign: float = 1.0, climbs: bool = False,
    later: bool = False, **mistake: Any,
) -> list[Round]:  # fmt: skip
    """Both rounds of 6.1's check; the options make well-known mistakes."""
    import torch

    networks, rounds = two_networks(), []
    for number, (L, truth) in enumerate(batches(2)):
        if number == 1:
            _leave_gradients(networks, L)
        with torch.no_grad():
            ours = networks.G(L)
        pair = {"both": (truth, ours), "truth": (truth, truth), "ours": (ours, ours)}[colors]

        def loss(L: Any = L, pair: Any = pair) -> Any:
            return sign * discriminator_loss(networks.D, L, *pair, **mistake)

        now = loss()
        if zero == "before":
            networks.for_D.zero_grad()
        (-now if climbs else now).backward()
        networks.for_D.step()
        if zero == "behind":
            networks.for_D.zero_grad()
        value = (loss() if later else now).item()
        rounds.append({"loss": value, "D": weights_of(networks.D)})
    return rounds


_OF_D = mistakes(
    ("D's loss is twice too large.", "Half the sum: (on_real + on_fake) / 2.", {"parts": (1, 1)}),
    ("Only the second part is halved.", "Brackets: (a + b) / 2.", {"parts": (1, 0.5)}),
    (
        "The labels have changed places: D is taught to call real photos fake.",
        "Ones for the logits of the truth, zeros for those of G's colors.",
        {"swapped": True},
    ),
    (
        "Both are called fake: one minus too few.",
        "softplus(-logits) for the truth, softplus(logits) for G's colors; as labels, 1 and 0.",
        {"called": (0, 0)},
        {"called": (0, 0), "parts": (1, 1)},
    ),
    (
        "Both are called real: one minus too many.",
        "softplus(-logits) for the truth, softplus(logits) for G's colors; as labels, 1 and 0.",
        {"called": (1, 1)},
        {"called": (1, 1), "parts": (1, 1)},
    ),
    (
        "The label of the truth is 0.9: one-sided label smoothing.",
        "It helps some GANs; here, as in pix2pix, real photos have the label 1.",
        {"real_label": 0.9},
        {"real_label": 0.9, "parts": (1, 1)},
    ),
    (
        "That is the least-squares loss.",
        "The cross-entropy is asked for: softplus(-logits) for the truth, softplus(logits) for "
        "G's colors.",
        {"squares": True},
        {"squares": True, "parts": (1, 1)},
        {"squares": True, "parts": (0.25, 0.25)},
    ),
    (
        "The sigmoid is taken twice.",
        "binary_cross_entropy_with_logits and softplus hold one: hand them the bare logits.",
        {"sigmoid": True},
    ),
    (
        "D sees [ab, L]: the channels stand in the wrong order.",
        "torch.cat([L, ab], 1), in this order everywhere in the course.",
        {"turned": True},
    ),
    ("That adds up the losses of all patches.", "Take the mean over the patches.", {"total": True}),
    (
        "Only the real photos count in D's loss.",
        "G's colors, with zeros, are the rest.",
        {"parts": (1, 0)},
        {"parts": (0.5, 0)},
    ),
    (
        "Only G's colors count in D's loss.",
        "The truth, with ones, is the rest.",
        {"parts": (0, 1)},
        {"parts": (0, 0.5)},
    ),
    (
        "The loss is right, but D learns only from the real photos.",
        "Are D's *logits* of the fakes detached, or made under no_grad? Only G's colors, which "
        "go into D, are to be cut off: D(torch.cat([L, ours.detach()], 1)).",
        {"learns": (True, False)},
    ),
    (
        "The loss is right, but D learns only from the fakes.",
        "Its look at the truth needs its gradient too: no detach and no no_grad there.",
        {"learns": (False, True)},
    ),
    (
        "D climbs its loss instead of going down.",
        "backward of the loss as it is: the optimizer has the minus.",
        {"climbs": True},
    ),
)
_OF_D_STEP = mistakes(
    (
        "D sees the truth twice, once with the label of fakes.",
        "The fakes are G's colors: ours = G(L).",
        {"colors": "truth"},
    ),
    (
        "D sees G's colors twice, once with the label of real photos.",
        "The real ones are L with truth: torch.cat([L, truth], 1).",
        {"colors": "ours"},
    ),
    (
        "The loss comes out below zero.",
        "A cross-entropy is -log of a probability: softplus(-logits) for real photos, "
        "softplus(logits) for fakes.",
        {"sign": -1.0},
        {"sign": -1.0, "climbs": True},
    ),
    (
        "That is the loss after the step.",
        "Return the one that the step was taken for: it is computed already.",
        {"later": True},
    ),
    (
        "Gradients add up: D's second step also goes along what was in .grad before.",
        "zero_grad of D's optimizer, then backward, then step.",
        {"zero": "never"},
    ),
    (
        "Your zero_grad comes behind the step. Before the second call of this check G has moved, "
        "which left gradients in D, and D's step goes along them too.",
        "Begin with zero_grad: whatever others have left is gone then.",
        {"zero": "behind"},
    ),
)


@own_random
def _test_discriminator(discriminator_step: Any) -> Flaw | None:
    import torch

    networks, rounds = two_networks(), []
    painter = weights_of(networks.G)
    for number, (L, truth) in enumerate(batches(2)):
        if number == 1:
            _leave_gradients(networks, L)
        before = weights_of(networks.D)
        arguments = networks.G, networks.D, networks.for_D, L, truth
        returned = _called(discriminator_step, networks, *arguments, only_d=True)
        loss = lone_number(returned, "the loss")
        rounds.append({"loss": loss, "D": weights_of(networks.D)})
        if not torch.equal(weights_of(networks.G), painter):
            return Flaw("The generator has moved too.", "Only D takes a step here.")

        def seen(key: str, before: Any = before) -> Flaw | None:
            return moved_oddly(key, before, networks) if key == "D" else None

        flaw = (
            left_behind(networks)
            or half_by_half(networks)
            or explain(("loss", "D"), rounds, _moves_of_d, (*_OF_D, *_OF_D_STEP), seen)
        )
        if flaw is not None:
            return flaw
        if any(p.grad is not None and bool(p.grad.any()) for p in networks.G.parameters()):
            return Flaw(
                "D's step is right, but G's weights have received gradients from it, and computing "
                "them took as long as a backward of G's own.",
                "Cut G off: G(L).detach(), or G(L) under torch.no_grad().",
            )
    return None


# --- 6.2 and 6.7: a whole step -------------------------------------------------------------------

_WEIGHT = 3.0  # of L1, in the checks


@functools.cache
def _adversarial_steps(
    *, norm: bool = True, zero_D: str = "before", zero_G: str = "before", old: bool = False,
    joint: bool = False, leak: bool = False, cut: bool = False, cut_color: bool = False,
    aim: str = "real", color: str = "l1", counts: Sequence[float] = (1.0, _WEIGHT),
    mode: str = "train", climbs: bool = False, **mistake: Any,
) -> list[Round]:  # fmt: skip
    """All rounds of 6.2's and 6.7's check; the options make well-known mistakes.

    zero_D, zero_G: when a network's gradients are cleared: "first" of all, "before" its backward,
    "behind" its own step, or "never". old: D's step waits until G has looked at it. joint: one
    backward for both losses. leak: D's loss reaches G. cut, cut_color: G's loss doesn't. counts:
    how much each of G's two losses counts.
    """
    import torch
    import torch.nn.functional as F

    networks, found = two_networks(norm=norm), []
    G, D, for_G, for_D = networks.G, networks.D, networks.for_G, networks.for_D
    for L, truth in batches(3):
        G.train(mode == "train")
        ours = G(L)
        seen_by_D, seen_for_G = (ours if leak else ours.detach()), (ours.detach() if cut else ours)
        if zero_G == "first":
            for_G.zero_grad()
        if zero_D in ("first", "before"):
            for_D.zero_grad()
        loss_D = discriminator_loss(D, L, truth, seen_by_D, **mistake)
        (-loss_D if climbs else loss_D).backward(retain_graph=True)
        learned = [parameter.grad.clone() for parameter in D.parameters()]
        if not (old or joint):
            for_D.step()
        if zero_D == "behind":
            for_D.zero_grad()

        looked = D(torch.cat([L, seen_for_G], 1))
        adversarial = {
            "real": F.softplus(-looked),
            "fake": F.softplus(looked),
            "saturating": -F.softplus(looked),
        }[aim].mean()
        away = (ours.detach() if cut_color else ours) - truth
        far = {"l1": away.abs().mean(), "l2": (away**2).mean(), "sum": away.abs().sum()}[color]
        if zero_G == "before":
            for_G.zero_grad()
        (counts[0] * adversarial + counts[1] * far).backward()
        for_G.step()
        if zero_G == "behind":
            for_G.zero_grad()
        if old:
            for parameter, gradient in zip(D.parameters(), learned, strict=True):
                parameter.grad = gradient
        if old or joint:
            for_D.step()
        losses = {"color": far, "generator": adversarial, "discriminator": loss_D}
        numbers = {name: loss.item() for name, loss in losses.items()}
        found.append(numbers | {"D": weights_of(D), "G": weights_of(G)})
    return found


_OF_BOTH = mistakes(
    (
        "D's gradients are cleared behind its step, not before its backward: what G's backward "
        "leaves in D is added to D's next step, and teaches D to call fakes real.",
        "for_D.zero_grad() right before D's backward.",
        {"zero_D": "behind"},
        {"zero_D": "behind", "zero_G": "behind"},
    ),
    (
        "D's gradients add up from call to call, those that G's backward leaves in it included.",
        "for_D.zero_grad() before D's backward.",
        {"zero_D": "never"},
    ),
    (
        "G's gradients add up from call to call.",
        "for_G.zero_grad() before G's backward.",
        {"zero_G": "never"},
    ),
    (
        "G also goes along the gradient of D's loss, which makes its colors look more fake.",
        "Cut G off in D's part: ours.detach(). retain_graph=True is not needed then.",
        {"leak": True, "zero_G": "first"},
        {"leak": True, "zero_G": "behind"},
        {"leak": True, "zero_G": "never"},
    ),
    (
        "One backward for both losses: D's step goes down G's loss as well.",
        "Two parts, each with its own zero_grad, backward and step.",
        {"joint": True, "leak": True, "zero_G": "first"},
        {"joint": True},
    ),
    (
        "G's loss uses D from before its step.",
        "Look again behind D's step: D(torch.cat([L, ours], 1)).",
        {"old": True},
    ),
    (
        "G moves only along L1, as if there were no D.",
        "In G's part nothing is detached: G's gradient comes through D's logits.",
        {"cut": True},
    ),
    (
        "G moves only along D's gradient: L1 is left out or detached.",
        "adversarial + weight * L1",
        {"cut_color": True},
    ),
    ("The weight of L1 is not used.", "adversarial + weight * L1", {"counts": (1, 1)}),
    (
        "The weight counts for both of G's losses.",
        "adversarial + weight * L1",
        {"counts": (_WEIGHT, _WEIGHT)},
    ),
    (
        "The weight stands at the adversarial term.",
        "adversarial + weight * L1",
        {"counts": (_WEIGHT, 1)},
    ),
    ("100 stands there as a fixed number.", "Use the argument: weight.", {"counts": (1, 100)}),
    ("50 stands there as a fixed number.", "Use the argument: weight.", {"counts": (1, 50)}),
    (
        "G's adversarial loss is halved.",
        "Only D's is: it has two parts.",
        {"counts": (0.5, _WEIGHT)},
    ),
    (
        "G climbs its loss instead of going down.",
        "backward of the loss as it is: the optimizer has the minus.",
        {"counts": (-1, -_WEIGHT)},
    ),
    (
        "G wants its colors to be called fake.",
        "Its label is 1: softplus(-logits), as in 5.2.",
        {"aim": "fake"},
    ),
    (
        "That is the saturating loss: G climbs what D pays.",
        "softplus(-logits) has the same aim, and its gradient is large where G is bad.",
        {"aim": "saturating"},
    ),
    ("The color loss is L2.", "L1 is the mean absolute difference.", {"color": "l2"}),
    ("L1 is summed over all pixels.", "Take the mean.", {"color": "sum"}),
    (
        "G colors in eval mode while it trains.",
        "Its batch norm is to use the batch: leave the mode as it is.",
        {"mode": "eval"},
    ),
)
_ALL = (*_OF_BOTH, *_OF_D)


def _about_step(
    order: Sequence[str],
    networks: SimpleNamespace,
    before: Mapping[str, Any],
    rounds: Sequence[Round],
    replay: Replay,
    known: Mistakes,
) -> Flaw | None:
    """The finding about the last round of a whole step."""
    log = networks.log
    if log.count("G steps") > 1:
        first = log.index("G steps")
        if "G learns" in log[first : log.index("G steps", first + 1)]:
            return Flaw("G steps twice, once for each loss.", _TWO_LOSSES.advice)
    if steps_of(networks) == ["G", "D"]:
        if "G learns" not in log[: log.index("G steps")]:
            return Flaw(
                "The optimizers have changed places.",
                "for_D goes down D's loss, and for_G down G's.",
            )
        return Flaw("G steps first.", "D's part comes first, and G's loss uses D after its step.")

    def seen(key: str) -> Flaw | None:
        return moved_oddly(key, before[key], networks) if key in before else None

    right = replay()[len(rounds) - 1]
    adversarial, l1 = right["generator"], right["color"]
    by_value = {
        "color": [
            (_WEIGHT * l1, Flaw('"color" is weight times L1.', "Report L1 without its weight."))
        ],
        "discriminator": [
            (
                adversarial,
                Flaw(
                    '"discriminator" holds G\'s adversarial loss.',
                    'D\'s own goes there, and this one under "generator".',
                ),
            )
        ],
        "generator": [
            (
                adversarial + _WEIGHT * l1,
                Flaw(
                    '"generator" is all that G goes down, L1 included.',
                    'L1 stands under "color" already: report only the adversarial loss.',
                ),
            ),
            (
                adversarial / 2,
                Flaw("G's adversarial loss is halved.", "Only D's is: it has two parts."),
            ),
        ],
    }
    return (
        left_behind(networks)
        or half_by_half(networks)
        or explain(order, rounds, replay, known, seen, by_value)
    )


_NAMES = ("color", "generator", "discriminator")


def _losses(returned: Any) -> dict[str, float]:
    if not isinstance(returned, Mapping):
        raise NotYet(
            f"A dict was expected; it is {describe(returned)}.",
            'return {"color": ..., "generator": ..., "discriminator": ...}, three numbers.',
        )
    missing = [name for name in _NAMES if name not in returned]
    if missing:
        *first, last = missing
        listed = f"{', '.join(first)} and {last} are" if first else f"{last} is"
        raise NotYet(f"In your dict {listed} missing.", f"Its keys: {', '.join(_NAMES)}.")
    if len(returned) > len(_NAMES):
        raise NotYet(
            "Your dict holds more than the three losses.", f"It needs {', '.join(_NAMES)}."
        )
    return {name: lone_number(returned[name], f'"{name}"') for name in _NAMES}


_WASTED = Flaw(
    "All moves are right, but D's loss goes back through G as well, for nothing.",
    "Detach G's colors in D's part; then no graph need be retained.",
)


def _gradient_of_d_in_g(networks: SimpleNamespace, L: Any, truth: Any) -> Any:
    """What G's first weights would get from D's loss now; the log begins anew."""
    import torch

    before = {name: value.clone() for name, value in networks.G.state_dict().items()}
    loss = discriminator_loss(networks.D, L, truth, networks.G(L))
    (gradient,) = torch.autograd.grad(loss, networks.G[0].weight)
    networks.G.load_state_dict(before)  # batch norm has counted one forward more
    networks.log.clear()
    networks.gradients.clear()
    return gradient


@own_random
def _test_whole_step(adversarial_step: Any) -> Flaw | None:
    networks, rounds = two_networks(norm=True), []
    for L, truth in batches(3):
        before = {"D": weights_of(networks.D), "G": weights_of(networks.G)}
        wasted = _gradient_of_d_in_g(networks, L, truth)
        arguments = networks.G, networks.D, networks.for_G, networks.for_D, L, truth, _WEIGHT
        losses = _losses(_called(adversarial_step, networks, *arguments))
        rounds.append(losses | {"D": weights_of(networks.D), "G": weights_of(networks.G)})
        order = ("color", "discriminator", "D", "generator", "G")
        flaw = _about_step(order, networks, before, rounds, _adversarial_steps, _ALL)
        if flaw is not None:
            return flaw
        colored = networks.log.count("G colors")
        if colored > 1:
            return Flaw(
                f"G colors {colored} times in one call: costly, its batch norm counts the batch "
                "again, and with dropout D would see other colors than G learns from.",
                "ours = G(L) once; ours.detach() in D's part, ours itself in G's.",
            )
        if any(same(gradient, wasted) for gradient in networks.gradients):
            return _WASTED
    return None


_PLANTED = mistakes(
    (
        "The bug is still in: D's second step differs from what its loss asks for. What G's "
        "backward leaves in D's .grad is added to it.",
        "When are D's gradients cleared, and who fills them after that?",
        {"zero_D": "behind", "zero_G": "behind"},
        {"zero_D": "behind"},
    ),
)


@own_random
def _test_planted_bug(repaired_step: Any) -> Flaw | None:
    def replay(**how: Any) -> list[Round]:
        return _adversarial_steps(norm=False, **how)

    networks, rounds = two_networks(), []
    for L, truth in batches(3):
        before = {"D": weights_of(networks.D), "G": weights_of(networks.G)}
        wasted = _gradient_of_d_in_g(networks, L, truth)
        arguments = networks.G, networks.D, networks.for_G, networks.for_D, L, truth, _WEIGHT
        _called(repaired_step, networks, *arguments)
        rounds.append({"D": weights_of(networks.D), "G": weights_of(networks.G)})
        flaw = _about_step(("D", "G"), networks, before, rounds, replay, (*_PLANTED, *_ALL))
        if flaw is not None:
            return flaw
        if any(same(gradient, wasted) for gradient in networks.gradients):
            return _WASTED
    return None


# --- 6.3: Adam -----------------------------------------------------------------------------------


def _adam(
    weight: Any, gradient: Any, m: Any, v: Any, step: int, rate: float, beta1: float = 0.5,
    beta2: float = 0.999, *, correct: str = "mv", power: int | None = None, times: str = "",
    eps: float = 1e-8, place: str = "outside", beyond: float = 0.0,
    square: bool = True, root: bool = True, sign: float = -1.0, grows: bool = False,
    turned: bool = False, kept: bool = False, along: str = "m", move: bool = False,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """A step of Adam; the options make well-known mistakes.

    times: whose correction multiplies by the step. beyond: added to the change, for lost brackets.
    """
    share1, share2 = (beta1, beta2) if turned else (1 - beta1, 1 - beta2)
    before = m, v
    m = (1 - share1) * m + (1.0 if grows else share1) * gradient
    v = (1 - share2) * v + (1.0 if grows else share2) * (gradient**2 if square else gradient.abs())
    power = step if power is None else power
    used = before if along == "old" else (gradient if along == "gradient" else m, v)
    short1 = 1 - (beta1 * step if "m" in times else beta1**power)
    short2 = 1 - (beta2 * step if "v" in times else beta2**power)
    m_hat = used[0] / short1 if "m" in correct and along != "gradient" else used[0]
    v_hat = used[1] / short2 if "v" in correct else used[1]
    if not root:
        below = v_hat + eps
    elif place == "inside":
        below = (v_hat + eps).sqrt()
    elif place == "hat":  # the paper's shortened form
        below = (used[1].sqrt() + eps) / short2**0.5
    else:
        below = v_hat.sqrt() + eps
    change = sign * rate * m_hat / below + beyond
    return (change if move else weight + change), *((m_hat, v_hat) if kept else (m, v))


_ADAM = mistakes(
    (
        "The bias correction is missing.",
        "m and v begin at 0 and are too small at first: m / (1 - beta1**step), and v alike.",
        {"correct": ""},
    ),
    ("v is not corrected.", "v / (1 - beta2**step), as for m.", {"correct": "m"}),
    ("m is not corrected.", "m / (1 - beta1**step), as for v.", {"correct": "v"}),
    (
        "The correction is that of the first step.",
        "1 - beta ** step: the longer the run, the less there is to correct.",
        {"power": 1},
    ),
    (
        "The correction counts the steps from 0.",
        "step is 1 in the first step already.",
        {"power": 2},
    ),
    ("The correction counts one step too many.", "beta ** step, no + 1.", {"power": 4}),
    (
        "eps is missing.",
        "A weight without a gradient gives 0 / 0: root + 1e-8 below the line.",
        {"eps": 0.0},
    ),
    (
        "eps stands inside the root, where it weighs as much as 1e-4 outside.",
        "v_hat.sqrt() + 1e-8",
        {"place": "inside"},
    ),
    (
        "That is the paper's shortened form (end of section 2): its eps meets the root of a v "
        "that is not corrected yet.",
        "Algorithm 1 and torch correct v first, and add eps then.",
        {"place": "hat"},
    ),
    ("v holds the gradient's size, unsquared.", "gradient ** 2", {"square": False}),
    ("The root is missing below the line.", "m_hat / (v_hat.sqrt() + 1e-8)", {"root": False}),
    ("The step goes uphill.", "weight - rate * ...", {"sign": 1.0}),
    (
        "m and v add up gradients without end.",
        "Running means: the new gradient comes in with a share of 1 - beta.",
        {"grows": True},
    ),
    (
        "The two shares have changed places: m should keep beta1 of itself.",
        "beta1 * m + (1 - beta1) * gradient",
        {"turned": True},
    ),
    (
        "The step goes along the bare gradient; m is not used.",
        "rate * m_hat / ...",
        {"along": "gradient"},
    ),
    (
        "The step uses the m and v from before.",
        "First the new m and v, then the step.",
        {"along": "old"},
    ),
    (
        "That is only the change.",
        "Return where the weight is after it: weight - ...",
        {"move": True},
    ),
)
# Found only in results that are equal to the last digits: 1e-8 beside a weight is next to nothing.
_BRACKETS = mistakes(
    (
        "1e-8 is added behind the division, where it does nothing.",
        "Brackets: / (root + 1e-8).",
        *({"eps": 0.0, "beyond": beyond} for beyond in (1e-8, -1e-8, -0.1 * 1e-8)),
    ),
)
# v_hat may become negative, and its root NaN.
_TIMES = mistakes(
    (
        "The correction takes beta times step.",
        "1 - beta ** step: to the power of step, not times.",
        {"times": "mv"},
        {"times": "m"},
        {"times": "v"},
    ),
)


def _three(returned: Any) -> list[Any]:
    if not isinstance(returned, tuple | list) or len(returned) != 3:
        raise NotYet(
            f"Three tensors were expected, weight, m and v; it is {describe(returned)}.",
            "return weight, m, v",
        )
    return list(returned)


@own_random
def _test_adam(adam_step: Any) -> Flaw | None:
    import torch

    load_optimizers()
    # Small gradients beside the usual ones: where eps stands shows only in those.
    size = torch.tensor([1.0, 3.0, 2e-9, 1e-6], dtype=torch.float64)
    gradients = [size * (1 + torch.rand(2, 4, dtype=torch.float64)) for _ in range(3)]
    gradients[1] = -gradients[1]
    first = torch.randn(2, 4, dtype=torch.float64)

    def oracle(betas: tuple[float, float]) -> list[tuple[Any, Any, Any]]:
        """torch's own weight, m and v before each step, and behind the last."""
        weight = first.clone().requires_grad_()
        optimizer = torch.optim.Adam([weight], lr=0.1, betas=betas, eps=1e-8)
        states = [(first, torch.zeros_like(first), torch.zeros_like(first))]
        for gradient in gradients:
            weight.grad = gradient.clone()
            optimizer.step()
            kept = optimizer.state[weight]
            states.append(
                tuple(x.detach().clone() for x in (weight, kept["exp_avg"], kept["exp_avg_sq"]))
            )
        return states

    cases = [(3, (0.8, 0.95), True), (1, (0.5, 0.999), False), (2, (0.5, 0.999), False)]
    for step, betas, spelled in cases:
        states = oracle(betas)
        weight, m, v = (x.clone() for x in states[step - 1])
        gradient = gradients[step - 1].clone()
        arguments = weight, gradient, m, v, step, 0.1, *(betas if spelled else ())
        try:
            found = _three(call(adam_step, *arguments, pure=True))
        except TypeError as error:
            if "for ^" not in str(error):
                raise
            raise NotYet("^ is no power.", "** is the power in Python: beta1 ** step.") from None

        def played(how: Any, arguments: Any = arguments, betas: Any = betas) -> Any:
            return _adam(*arguments[:6], *betas, **how)

        tensors = all(isinstance(x, torch.Tensor) and x.shape == (2, 4) for x in found)
        if step > 1 and tensors:  # the power of 1 is as good as times 1
            for how, flaw in _TIMES:
                if all(same(*pair) for pair in zip(found, played(how), strict=True)):
                    return flaw
        for value, name in zip(found, ("the weight", "m", "v"), strict=True):
            want_tensor(value, shape=(2, 4), what=name)
        right = states[step]
        if all(same(one, other) for one, other in zip(found, right, strict=True)):
            continue
        if spelled and all(
            same(one, other) for one, other in zip(found, _adam(*arguments[:6]), strict=True)
        ):
            return Flaw("0.5 and 0.999 stand there as fixed numbers.", "Use beta1 and beta2.")
        for how, flaw in (*_BRACKETS, *_ADAM):
            if _equal(found, played(how)):
                return flaw
        eps = _eps_of(found[0], weight, right, arguments, betas)
        if 1e-20 < eps < 1 and _equal(found, played({"eps": eps})):
            return Flaw(f"Your eps is {eps:.3g}.", "eps is 1e-8, in torch as in the paper.")
        for how, flaw in _ADAM:
            if all(same(*pair) for pair in zip(found, played(how), strict=True)):
                return flaw
        flaw = _about_adam(found, right, _adam(*arguments[:6], *betas, kept=True)[1:], arguments)
        if flaw is not None:
            return flaw
    return None


def _equal(found: Sequence[Any], other: Sequence[Any]) -> bool:
    """Equal to eleven digits: where 1e-8 stands shows only in the last of them."""
    import torch

    return all(
        torch.allclose(one.detach().double(), two, rtol=1e-11, atol=1e-12)
        for one, two in zip(found, other, strict=True)
    )


def _eps_of(
    found: Any, weight: Any, right: Sequence[Any], arguments: Sequence[Any], betas: Sequence[float]
) -> float:
    """The eps behind the weight with the smallest gradient, the rest of the step being right."""
    step, rate = arguments[4:6]
    m_hat, v_hat = right[1] / (1 - betas[0] ** step), right[2] / (1 - betas[1] ** step)
    below = rate * m_hat / (weight - found.detach().double())
    return float((below - v_hat.sqrt())[0, 2])


def _about_adam(
    found: Sequence[Any], right: Sequence[Any], corrected: Sequence[Any], arguments: Sequence[Any]
) -> Flaw:
    """What can be said of a single one of the three results."""
    weight, gradient, m, v, step, rate, *betas = arguments
    beta1, beta2 = betas or (0.5, 0.999)
    for place, turned in (((1, 2, 0), "m, v, weight"), ((0, 2, 1), "weight, v, m")):
        if all(same(found[i], right[j]) for i, j in enumerate(place)):
            return Flaw(f"You return {turned}.", "In this order: weight, m, v.")
    if same(found[1], corrected[0]) or same(found[2], corrected[1]):
        return Flaw(
            "You return the corrected m or v: the next step would correct it again.",
            "Two names: m for what is kept, m_hat for what this step uses.",
        )
    if same(found[1], m) and same(found[2], v):
        return Flaw(
            "m and v come back as they went in.", "Return the new ones: the next step needs them."
        )
    swapped = _adam(weight, gradient, m, v, step, rate, beta2, beta1)
    if same(found[1], swapped[1]) and same(found[2], swapped[2]):
        return Flaw("beta1 and beta2 have changed places.", "beta1 is for m, beta2 for v.")
    if same(found[1], right[1]) and same(found[2], right[2]):
        if same(found[0], weight):
            return Flaw("The weight stays where it was.", "weight - rate * ..., and return that.")
        if same(found[0], _adam(weight, gradient, m, v, step, 1.0, beta1, beta2)[0]):
            return Flaw("The rate is not used.", "weight - rate * m_hat / ...")
        # The number that is farthest off: in the others the mistake may not show.
        off = int((found[0].detach() - right[0]).abs().argmax())
        row, column = divmod(off, right[0].shape[1])

        def at(values: Any) -> str:
            return f"{float(values[row, column]):.6g}"

        return Flaw(
            f"m and v are right, the weight is not: its number [{row}, {column}] should be "
            f"{at(right[0])}, yours is {at(found[0])}.",
            "m_hat and v_hat, each on a line; then weight - rate * m_hat / (v_hat.sqrt() + 1e-8).",
        )
    at = 1 if not same(found[1], right[1]) else 2
    name, beta, what = (("m", beta1, "gradient"), ("v", beta2, "gradient ** 2"))[at - 1]
    return Flaw(
        f"{name} is wrong: its first number should be {float(right[at][0, 0]):.4f}, yours is "
        f"{float(found[at][0, 0]):.4f}.",
        f"beta{at} * {name} + (1 - beta{at}) * {what}; beta{at} is {beta} here.",
    )


# --- 6.4: who is winning -------------------------------------------------------------------------


@own_random
def _test_accuracies(accuracies: Any) -> Flaw | None:
    import torch

    # No logit is exactly 0: on which side a tie falls is nobody's mistake.
    real = (torch.arange(40.0) * 0.37 % 3 - 0.81).reshape(4, 1, 2, 5)
    fake = (torch.arange(30.0) * 0.53 % 4 - 3.13).reshape(3, 1, 2, 5)
    fake[2] += 1.5  # a photo that is taken for real by the mean of its logits
    try:
        returned = call(accuracies, real.clone(), fake.clone(), pure=True)
    except RuntimeError as error:
        if "mean()" not in str(error) or "Bool" not in str(error):
            raise
        return Flaw("True and False have no mean.", ".float() first: (real > 0).float().mean().")
    if isinstance(returned, torch.Tensor) and returned.shape == (2,):
        returned = returned.tolist()
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        return Flaw(
            f"Two numbers were expected; it is {describe(returned)}.",
            "return on_real, on_fake: one share for each kind.",
        )
    found = tuple(want_number(value, "the share") for value in returned)

    def share(condition: Any) -> float:
        return float(condition.float().mean())

    right = share(real > 0), share(fake < 0)
    photos = share(real.mean((1, 2, 3)) > 0), share(fake.mean((1, 2, 3)) < 0)
    counts = float((real > 0).sum()), float((fake < 0).sum())
    known = mistakes(
        (
            "0.5 is the middle of a probability, and these are logits.",
            "sigmoid(0) = 0.5: a logit above 0 says real.",
            (share(real > 0.5), share(fake < 0.5)),
            (share(real > 0.5), right[1]),
            (right[0], share(fake < 0.5)),
        ),
        (
            "Those are the shares that D calls real, in both kinds.",
            "D is right about a fake where it calls it fake.",
            (right[0], share(fake > 0)),
        ),
        (
            "Those are the shares that D gets wrong.",
            "Right: real > 0, and fake < 0.",
            (1 - right[0], 1 - right[1]),
        ),
        (
            "Those are the shares that D calls fake, in both kinds.",
            "D is right about a real patch where it calls it real.",
            (1 - right[0], right[1]),
        ),
        ("Those are percent.", "Shares go from 0 to 1.", (100 * right[0], 100 * right[1])),
        ("The two have changed places.", "real first, then fake.", right[::-1]),
        (
            "You take the mean logit of each photo first.",
            "D gives one logit for each patch, and each counts.",
            photos,
        ),
        ("You count the patches.", "Divide by how many there are: .mean().", counts),
        (
            "Behind a sigmoid everything lies above 0.",
            "Compare the bare logits with 0, or probabilities with 0.5.",
            (share(torch.sigmoid(real) > 0), share(torch.sigmoid(fake) < 0)),
        ),
        (
            "Those are mean probabilities: how sure D is, not how often it is right.",
            "Compare each logit with 0 first, then take the mean.",
            (float(torch.sigmoid(real).mean()), float(1 - torch.sigmoid(fake).mean())),
        ),
        (
            "Those are the mean logits.",
            "Compare each logit with 0 first, then the mean.",
            (float(real.mean()), float(fake.mean())),
        ),
        (
            "You divide by all patches.",
            "Each kind has a share of its own.",
            (counts[0] / 70, counts[1] / 70),
        ),
        (
            "The mean is taken before the comparison.",
            "Compare each logit with 0 first: (real > 0).float().mean().",
            (share(real.mean() > 0), share(fake.mean() < 0)),
        ),
        (
            "You divide by the number of photos: len(real) counts no patches.",
            "One mean over all: .mean() without arguments.",
            (counts[0] / len(real), counts[1] / len(fake)),
        ),
    )
    otherwise = Flaw(
        f"The shares should be {right[0]:.3f} and {right[1]:.3f} in this check; yours are "
        f"{found[0]:.3f} and {found[1]:.3f}.",
        "(real > 0) gives True and False; .float().mean() makes a share of them.",
    )
    return match(found, right, known, otherwise, 1e-5)


# --- 6.5: color without touching -----------------------------------------------------------------


def _colorist() -> tuple[Any, list[bool]]:
    """A generator with batch norm and dropout, some steps old; its mode at each forward."""
    import torch
    from torch import nn

    modes: list[bool] = []

    class Generator(nn.Sequential):
        def forward(self, L: Any) -> Any:
            modes.append(self.training)
            return super().forward(L)

    torch.manual_seed(65)
    G = Generator(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.5),
        nn.Conv2d(4, 2, 3, padding=1),
        nn.Tanh(),
    )
    with torch.no_grad():
        for _ in range(3):
            G(2 * torch.randn(4, 1, 6, 6) + 1)
    modes.clear()
    return G, modes


@own_random
def _test_held_out(color_held_out: Any) -> Flaw | None:
    import copy

    import torch
    from torch import nn

    L = torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(5)) * 2 - 1
    for training in (True, False):
        G, modes = _colorist()
        G.train(training)
        twin = copy.deepcopy(G)
        before = copy.deepcopy(G.state_dict())
        start = torch.get_rng_state()

        def colors(*still_training: type, twin: Any = twin, start: Any = start) -> Any:
            """Those of a copy in eval mode, in which layers of these kinds go on training."""
            copied = copy.deepcopy(twin).eval()
            for layer in copied:
                layer.train(isinstance(layer, still_training))
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.set_rng_state(start)
                return copied(L)

        returned = call(color_held_out, G, L.clone(), pure=True)
        if not torch.is_grad_enabled():
            return Flaw(
                "Gradients are left switched off for everything that follows.",
                "`with torch.no_grad():` switches them on again at its end.",
            )
        seen = list(modes)  # copies of G note theirs too
        found = want_tensor(returned, shape=(3, 2, 6, 6), what="the colors")
        unchanged = all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
        if not same(found, colors()):
            flaw = _not_as_later(found, colors, seen, G, training)
            if flaw is not None:
                return flaw
        if not unchanged:
            return Flaw(
                "G's weights or running averages have moved.",
                "Held-out photos must leave no trace in G: in train mode each forward moves its "
                "batch norm's averages.",
            )
        if not same(found, colors()):
            right = colors()
            return Flaw(
                f"Those are not G's colors in eval mode: the first number should be "
                f"{float(right[0, 0, 0, 0]):.4f}, and is {float(found[0, 0, 0, 0]):.4f}.",
                "Return what G(L) gives there, as it is.",
            )
        if found.requires_grad:
            return Flaw(
                "The colors hold on to the graph, with all of G's maps in it.",
                "Color under torch.no_grad().",
            )
        if G.training != training:
            if _returns_before_train(color_held_out):
                return Flaw(
                    "The line that puts G's mode back is never reached.",
                    "What stands behind a return never runs: keep the colors under a name, and "
                    "return them last.",
                )
            was, now = ("train", "eval") if training else ("eval", "train")
            return Flaw(
                f"G came in {was} mode and is left in {now} mode.",
                "Without the .train() at the end its training goes on with frozen averages and no "
                "dropout: note G.training first, and put it back."
                if training
                else "Not everyone who calls you is training: was = G.training, and at the end "
                "G.train(was).",
            )
        if any(layer.training != training for layer in G.modules()):
            return Flaw(
                "G's own flag is put back, and its layers are left in the other mode.",
                "G.train(was) reaches the layers too; G.training = ... does not.",
            )
        if not all(parameter.requires_grad for parameter in G.parameters()):
            return Flaw(
                "G is left frozen: its weights want no gradient any more.",
                "torch.no_grad() is enough, and ends by itself.",
            )
        if any(isinstance(layer, nn.Dropout) and layer.p != 0.5 for layer in G):
            return Flaw("A layer's dropout rate has changed.", "G.eval() is enough.")
    return None


def _returns_before_train(function: Any) -> bool:
    """Whether a return stands above the last .train(...) in its source, as far as that is known."""
    import ast
    import inspect
    import textwrap

    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # typed in where no source is kept, or a lambda
        return False
    returns = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Return)]
    trains = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "train"
    ]
    return bool(returns and trains) and min(returns) < max(trains)


def _not_as_later(
    found: Any, colors: Callable[..., Any], seen: Sequence[bool], G: Any, training: bool
) -> Flaw | None:
    """The finding where the colors are those of layers that went on training."""
    from torch import nn

    if same(found, colors(nn.BatchNorm2d, nn.Dropout)):
        if seen and not seen[-1]:
            return Flaw(
                "G's flag says eval, and its layers still train.",
                "G.training = False reaches the outermost module only; G.eval() all layers.",
            )
        if training and not G.training:
            return Flaw("G is switched to eval mode after it has colored.", "G.eval() comes first.")
        return Flaw(
            "G colors in train mode: dropout is on, and batch norm looks at the batch.",
            "Later it colors in eval mode: G.eval() before, and the old mode again behind.",
        )
    if same(found, colors(nn.BatchNorm2d)):
        return Flaw(
            "Dropout is off, but batch norm still looks at the batch.",
            "G.eval() switches both: a photo's colors must not depend on its neighbors.",
        )
    if same(found, colors(nn.Dropout)):
        return Flaw(
            "Batch norm uses its averages, but dropout is still on.", "G.eval() switches both."
        )
    return None


# --- 6.6: nothing is lost ------------------------------------------------------------------------

_KEPT = ("G", "D", "for_G", "for_D", "step", "random")


def _run(seed: int) -> SimpleNamespace:
    """Two networks with batch norm and dropout, and Adam for each."""
    import torch
    from torch import nn

    load_optimizers()
    torch.manual_seed(seed)

    def net(inputs: int, outputs: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(inputs, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Conv2d(4, outputs, 3, padding=1),
        )

    G, D = net(1, 2), net(3, 1)
    for_G = torch.optim.Adam(G.parameters(), lr=0.01, betas=(0.5, 0.999))
    for_D = torch.optim.Adam(D.parameters(), lr=0.02, betas=(0.5, 0.999))
    return SimpleNamespace(G=G, D=D, for_G=for_G, for_D=for_D)


def _train(run: SimpleNamespace, examples: Sequence[tuple[Any, Any]]) -> None:
    import torch
    import torch.nn.functional as F

    for L, truth in examples:
        ours = run.G(L)
        run.for_D.zero_grad()
        discriminator_loss(run.D, L, truth, ours.detach()).backward()
        run.for_D.step()
        run.for_G.zero_grad()
        adversarial = F.softplus(-run.D(torch.cat([L, ours], 1))).mean()
        (adversarial + (ours - truth).abs().mean()).backward()
        run.for_G.step()


def _state(run: SimpleNamespace) -> dict[str, Any]:
    import copy

    return {name: copy.deepcopy(getattr(run, name).state_dict()) for name in _KEPT[:4]}


def _alike(one: Any, other: Any) -> bool:
    """Equal to the last bit, dicts and lists entry by entry."""
    import torch

    if isinstance(other, Mapping):
        return (
            isinstance(one, Mapping)
            and set(one) == set(other)
            and all(_alike(one[key], other[key]) for key in other)
        )
    if isinstance(other, list | tuple):
        return (
            isinstance(one, list | tuple)
            and len(one) == len(other)
            and all(_alike(a, b) for a, b in zip(one, other, strict=True))
        )
    if isinstance(other, torch.Tensor):
        return (
            isinstance(one, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        )
    return type(one) is type(other) and one == other


def _wrong_random(value: Any, right: Any) -> Flaw | None:
    import torch

    if isinstance(value, torch.Tensor) and _alike(value, right):
        return None
    if isinstance(value, torch.Generator):
        return Flaw(
            'Under "random" stands the generator itself, which goes on drawing.',
            "torch.get_rng_state() is a copy of where it is now.",
        )
    numpys = isinstance(value, tuple) and value[:1] == ("MT19937",)
    if numpys or (isinstance(value, dict) and "bit_generator" in value):
        return Flaw(
            'Under "random" stands NumPy\'s random state.',
            "Dropout draws from torch's own: torch.get_rng_state().",
        )
    if isinstance(value, tuple) and value[:1] == (3,):
        return Flaw(
            'Under "random" stands the state of Python\'s module random.',
            "Dropout draws from torch's own: torch.get_rng_state().",
        )
    if isinstance(value, int) and value == torch.initial_seed():
        return Flaw(
            'Under "random" stands the seed: where the random numbers began.',
            "Needed is how far they have come: torch.get_rng_state().",
        )
    return Flaw(
        f'Under "random" torch\'s random state was expected; it is {describe(value)}.',
        "torch.get_rng_state(), without drawing anything before.",
    )


def _wrong_entry(name: str, value: Any, run: SimpleNamespace, state: Mapping) -> Flaw | None:
    """The finding about one of the four state dicts."""
    import torch
    from torch import nn

    net = name in ("G", "D")
    if isinstance(value, nn.Module | torch.optim.Optimizer):
        return Flaw(
            f'Under "{name}" stands the object itself.',
            "It goes on changing, and its file could be read only with its class at hand: "
            f"{name}.state_dict().",
        )
    if callable(value):
        return Flaw(f'Under "{name}" stands a function.', f"Parentheses: {name}.state_dict().")
    parameters = dict(getattr(run, name).named_parameters()) if net else {}
    listed = isinstance(value, list | tuple) and _alike(value, [*parameters.values()])
    if net and (listed or (isinstance(value, Mapping) and set(value) == set(parameters))):
        return Flaw(
            f'Under "{name}" stand only parameters.',
            "Batch norm's running averages are no parameters: state_dict() holds both.",
        )
    if not isinstance(value, Mapping):
        return Flaw(
            f'Under "{name}" a state dict was expected; it is {describe(value)}.',
            f"{name}.state_dict(), copied.",
        )
    if _alike(value, state[name]):
        return None
    for other in _KEPT[:4]:
        if other != name and _alike(value, state[other]):
            return Flaw(f'Under "{name}" stands what belongs to {other}.', "Read the names again.")
    part = value if not net else {}
    whole = "state" in part and "param_groups" in part
    if not net and not (whole and len(part["state"]) == len(state[name]["state"])):
        return Flaw(
            f'Under "{name}" Adam\'s running means are missing, or what they belong to.',
            "All of state_dict(): its state holds m, v and the step of each weight.",
        )
    return Flaw(
        f'Under "{name}" the numbers are not those of {name}.state_dict().',
        "Copy it as it is: no rounding, no other kind of float, nothing left out.",
    )


@own_random
def _test_everything(everything: Any) -> Flaw | None:
    import io

    import torch

    run, examples = _run(66), batches(5)
    _train(run, examples[:3])
    state, random = _state(run), torch.get_rng_state()
    kept = call(everything, run.G, run.D, run.for_G, run.for_D, 3)
    if not torch.equal(torch.get_rng_state(), random):
        return Flaw(
            "Your function moves torch's random numbers on, or seeds them anew.",
            "torch.get_rng_state() only looks.",
        )
    if not _alike(_state(run), state) or not (run.G.training and run.D.training):
        return Flaw(
            "Your function changes the run: weights, or a network's mode.",
            "Only look, and copy what you see.",
        )
    if not isinstance(kept, Mapping):
        return Flaw(
            f"A dict was expected; it is {describe(kept)}.",
            'return {"G": ..., "D": ..., "for_G": ..., "for_D": ..., "step": ..., "random": ...}',
        )
    missing = [name for name in _KEPT if name not in kept]
    if missing:
        return Flaw(
            f"Not in your dict: {', '.join(missing)}.",
            "A run that goes on without it is another run.",
        )
    for name in _KEPT[:4]:
        flaw = _wrong_entry(name, kept[name], run, state)
        if flaw is not None:
            return flaw
    step = want_number(kept["step"], '"step"')
    if step != 3:
        return Flaw(f'Under "step" stands {step:g}; it should be 3.', "The argument, as it is.")
    flaw = _wrong_random(kept["random"], random)
    if flaw is not None:
        return flaw
    file = io.BytesIO()
    try:
        torch.save(kept, file)
        loaded = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    except Exception as error:  # of pickle, of torch, or of an object's own making
        return Flaw(
            f"torch.save and torch.load(..., weights_only=True) can't carry it "
            f"({type(error).__name__}).",
            "Dicts, lists, tensors, numbers and texts pass; objects of other kinds don't.",
        )
    _train(run, examples[3:])
    changed = [name for name in _KEPT if not _alike(kept[name], loaded[name])]
    if changed:
        return Flaw(
            f"Later steps have changed what you handed over: {', '.join(changed)}.",
            "A state dict shows the live tensors, also after dict(...) or .copy(): "
            "copy.deepcopy(...state_dict()).",
        )
    other = _run(67)
    for name in _KEPT[:4]:
        getattr(other, name).load_state_dict(loaded[name])
    torch.set_rng_state(loaded["random"])
    _train(other, examples[3:])
    if not _alike(_state(other), _state(run)):
        return Flaw(
            "A run that goes on from your dict becomes another one.",
            "All of each state_dict(), and torch.get_rng_state().",
        )
    return None


EXERCISES = (
    Exercise(
        name="6.1",
        title="The discriminator's move",
        difficulty=2,
        minutes=8,
        start=(
            "Let G color, show D the truth and G's colors, and take one step down half the sum of "
            "the two losses. A first step: `with torch.no_grad(): ours = G(L)`."
        ),
        test=_test_discriminator,
        solved="D has learned something, and G does not know it yet.",
    ),
    Exercise(
        name="6.2",
        title="One whole step",
        difficulty=3,
        minutes=15,
        start=(
            'Color once, move D, look again, move G, and return three numbers; "generator" is G\'s '
            "adversarial loss without L1. A first step: `ours = G(L)`, and D's part with "
            "`ours.detach()`."
        ),
        test=_test_whole_step,
        solved="That is pix2pix's training step. All else in a run is looking after it.",
    ),
    Exercise(
        name="6.3",
        title="Adam by hand",
        difficulty=2,
        minutes=10,
        start=(
            "Update both running means, correct them, and move the weight. A first step: "
            "`m = beta1 * m + (1 - beta1) * gradient`."
        ),
        test=_test_adam,
        solved="The same numbers as torch.optim.Adam, which does it for all weights at once.",
    ),
    Exercise(
        name="6.4",
        title="Who is winning",
        difficulty=1,
        minutes=5,
        start=(
            "Return the share of real patches that D calls real, and of fake ones that it calls "
            "fake. A first step: `(real > 0).float()`."
        ),
        test=_test_accuracies,
        solved="Near 0.5 both: the two are balanced. Near 1 both: G has lost touch.",
    ),
    Exercise(
        name="6.5",
        title="Color without touching",
        difficulty=1,
        minutes=5,
        start=(
            "Color in eval mode, without gradients, and put the mode back. A first step: "
            "`was = G.training`."
        ),
        test=_test_held_out,
        solved="Looked at, and not touched: the run does not notice.",
    ),
    Exercise(
        name="6.6",
        title="Nothing is lost",
        difficulty=2,
        minutes=10,
        start=(
            "Return a dict with the four state dicts, the step and torch's random state, none of "
            'which later steps can change. A first step: `{"step": step, "random": '
            "torch.get_rng_state()}`."
        ),
        test=_test_everything,
        solved="The check took your dict to other networks, and the run went on bit for bit.",
    ),
    Exercise(
        name="6.7",
        title="The planted bug",
        difficulty=2,
        minutes=10,
        start="Copy the step with the bug, and repair it.",
        test=_test_planted_bug,
        solved="Cleared behind the step, not before backward: D learned to call fakes real.",
    ),
)
