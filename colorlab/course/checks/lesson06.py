"""The testers of lesson 06: one Adam for both, a whole step, Adam, accuracies, what a run needs."""

from __future__ import annotations

import functools
import math
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

# --- 6.1: one Adam for both networks --------------------------------------------------------------


def _test_one_adam(fakes_called_real: Any) -> Flaw | None:
    for share in (3.0, 0.5, 1.0):
        found = want_number(call(fakes_called_real, share), "the probability")
        right = 1 / (1 + share)
        smallest = share * math.log1p(1 / share) + math.log1p(share)  # the sum where it is smallest
        known = [
            (1 - right, _FAKE),
            (-math.log(share), _LOGIT),
            (math.log(share), _LOGIT),
            (smallest, _VALUE),
            (1 / share, _ODDS),
            (share, _ODDS),
            (1.0, _ALONE),
            (0.0, _ALONE),
            (1 / (1 + share**2), _SQUARED),
            (2 / 3, Flaw("2/3 belongs to a share of 0.5, and share is an argument.", _DERIVE)),
            (0.5, Flaw("One half is the answer where both terms count alike.", _DERIVE)),
            (100 * right, Flaw("That is percent.", "A probability goes from 0 to 1.")),
        ]
        otherwise = Flaw(
            f"With share = {share:g} the sum is smallest at the probability {right:.3f}; yours is "
            f"{found:.3f}.",
            _DERIVE,
        )
        flaw = match(found, right, known, otherwise, 2e-3)
        if flaw is not None:
            return flaw
    return None


_DERIVE = (
    "The derivative of softplus(x) is p = sigmoid(x), and that of softplus(-x) is p - 1. Where is "
    "the sum of both, each with its weight, zero?"
)
_FAKE = Flaw(
    'That is the probability "fake" that D gives it.',
    "sigmoid of a logit is the probability of real: which of the two terms pulls it up?",
)
_LOGIT = Flaw(
    "That is a logit where the sum is smallest, up to its sign.", "A probability was asked for."
)
_VALUE = Flaw("That is the smallest value of the sum.", "At which probability is it reached?")
_ODDS = Flaw("Those are odds, p / (1 - p) or its inverse.", "What is p then?")
_ALONE = Flaw(
    "That is where one of the two terms is smallest alone.", "Both pull; where do they balance?"
)
_SQUARED = Flaw("The share counts twice in yours.", _DERIVE)


# --- 6.2 and 6.7: a whole step -------------------------------------------------------------------


def _called(function: Any, networks: SimpleNamespace, *arguments: Any) -> Any:
    """The function's result; where autograd refuses, what that means in this step."""
    try:
        return call(function, *arguments, pure=True)
    except RuntimeError as error:
        flaw = _refused(str(error), networks)
        if flaw is None:
            raise
        raise NotYet(flaw.mistake, flaw.advice) from None


def _refused(words: str, networks: SimpleNamespace) -> Flaw | None:
    """What an error of autograd means in this step."""
    stepped, log = steps_of(networks), networks.log
    if "only for scalar outputs" in words:
        over = "and of L1 over all its numbers" if "D" in stepped else "of each kind"
        return Flaw(
            "backward() was called on a loss that holds more than one number.",
            f"It needs a single one: .mean() over the patches, {over}.",
        )
    again, changed = "through the graph a second" in words, "by an inplace operation" in words
    if again and stepped == ["D"]:
        moved = log.index("D steps")
        if not any(line.startswith("D looks") for line in log[moved:]):
            return Flaw(
                "You use D's old logits for G.",
                "D's step has made them stale. Which input does D need to see once more, and with "
                "its graph?",
            )
        if "D looks at G" not in log[:moved]:
            return _TWO_LOSSES
        return Flaw(
            "G's loss has no way back: D's backward has run through G's colors and freed that "
            "graph.",
            "In D's part, D may see G's colors only cut off from G.",
        )
    if (again or changed) and stepped == ["D", "G"]:
        return _TWO_LOSSES
    if "does not require grad" in words and not stepped:
        if not any(parameter.requires_grad for parameter in networks.D.parameters()):
            return Flaw(
                "D is frozen, and a loss that depends on no other weights goes backward.",
                "Where do you freeze it, and where is that undone? D's own part needs gradients.",
            )
        return Flaw(
            "The loss that goes back is cut off from all weights.",
            "Follow that loss back: which tensor on its way was detached or made under no_grad?",
        )
    if "modified by an inplace operation" in words and stepped == ["D"]:
        return Flaw(
            "D has stepped, and G's loss still goes back through a look that D took before: torch "
            "refuses, since those weights are gone.",
            "G's loss needs logits from the D that has stepped.",
        )
    if "modified by an inplace operation" in words and stepped:
        return Flaw(
            "A backward goes through weights that a step() has changed in the meantime.",
            "First D's loss with G's colors detached, and D's step; then G's loss, and G's step.",
        )
    return None


_TWO_LOSSES = Flaw(
    "G's two losses go back one by one, and the second has no way back any more.",
    "Add both of G's losses before you go backward.",
)


_WEIGHT = 3.0  # of L1, in the checks

_OF_D = mistakes(
    ("D's loss is twice too large.", "It has two parts, and each counts half.", {"parts": (1, 1)}),
    (
        "Only the second part is halved.",
        "A division binds tighter than a sum.",
        {"parts": (1, 0.5)},
    ),
    (
        "The labels have changed places: D is taught to call real photos fake.",
        "Which of the two logits should be large after the step?",
        {"swapped": True},
    ),
    (
        "Both are called fake.",
        "The two terms differ by a sign. Which of the two logits should D raise?",
        {"called": (0, 0)},
        {"called": (0, 0), "parts": (1, 1)},
    ),
    (
        "Both are called real.",
        "The two terms differ by a sign. Which of the two logits should D raise?",
        {"called": (1, 1)},
        {"called": (1, 1), "parts": (1, 1)},
    ),
    (
        "The truth has the label 0.9: one-sided label smoothing.",
        "It helps some GANs; here, as in pix2pix, real photos have the label 1.",
        {"real_label": 0.9},
        {"real_label": 0.9, "parts": (1, 1)},
    ),
    (
        "That is the least-squares loss.",
        "The cross-entropy of logits is asked for, as in lesson 05.",
        {"squares": True},
        {"squares": True, "parts": (1, 1)},
        {"squares": True, "parts": (0.25, 0.25)},
    ),
    (
        "The sigmoid is taken twice.",
        "Which of the functions that you call holds a sigmoid already?",
        {"sigmoid": True},
    ),
    (
        "D sees [ab, L]: the channels stand in the wrong order.",
        "L comes first, everywhere in the course.",
        {"turned": True},
    ),
    ("That adds up the losses of all patches.", "Take the mean over the patches.", {"total": True}),
    (
        "Only the real photos count in D's loss.",
        "What should D say of the others?",
        {"parts": (1, 0)},
        {"parts": (0.5, 0)},
    ),
    (
        "Only G's colors count in D's loss.",
        "What should D say of the others?",
        {"parts": (0, 1)},
        {"parts": (0, 0.5)},
    ),
    (
        "The loss is right, but D learns only from the real photos.",
        "Are D's *logits* of the fakes detached, or made under no_grad? What is to be cut off is "
        "what goes into D.",
        {"learns": (True, False)},
    ),
    (
        "The loss is right, but D learns only from the fakes.",
        "What cuts D's logits of the truth off from D's weights?",
        {"learns": (False, True)},
    ),
    (
        "D climbs its loss instead of going down.",
        "Who has the minus sign of gradient descent, you or the optimizer?",
        {"climbs": True},
    ),
)


@functools.cache
def _adversarial_steps(
    *, norm: bool = True, zero_D: str = "before", zero_G: str = "before", old: bool = False,
    joint: bool = False, leak: bool = False, cut: bool = False, cut_color: bool = False,
    aim: str = "real", color: str = "l1", counts: Sequence[float] = (1.0, _WEIGHT),
    mode: str = "train", climbs: bool = False, **mistake: Any,
) -> list[Round]:  # fmt: skip
    """All rounds of 6.2's and 6.7's check; the options make well-known mistakes.

    zero_D, zero_G: when a network's gradients are cleared: "first" of all, "before" its backward,
    "after" its own step, or "never". old: D's step waits until G has looked at it. joint: one
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
        if zero_D == "after":
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
        if zero_G == "after":
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
        "D's gradients are not empty when its backward begins: what G's backward leaves in D is "
        "added to D's next step, and teaches D to call fakes real.",
        "Your zero_grad for D comes after its step. At which moment must D's gradients be empty?",
        {"zero_D": "after"},
        {"zero_D": "after", "zero_G": "after"},
    ),
    (
        "D's gradients add up from call to call, those that G's backward leaves in it included.",
        "Who clears them, and before what?",
        {"zero_D": "never"},
    ),
    (
        "G's gradients add up from call to call.",
        "Who clears them, and before what?",
        {"zero_G": "never"},
    ),
    (
        "G also goes along the gradient of D's loss, which makes its colors look more fake.",
        "Which input of D's part still has its graph? Once it is cut off, retain_graph=True is not "
        "needed.",
        {"leak": True, "zero_G": "first"},
        {"leak": True, "zero_G": "after"},
        {"leak": True, "zero_G": "never"},
    ),
    (
        "One backward for both losses: D's step goes down G's loss as well.",
        "Each network goes down its own loss: take the two apart.",
        {"joint": True, "leak": True, "zero_G": "first"},
        {"joint": True},
    ),
    (
        "G's loss uses D from before its step.",
        "Where in the order does D look at G's colors for G's loss?",
        {"old": True},
    ),
    (
        "G moves only along L1, as if there were no D.",
        "On which way should D's opinion reach G's weights, and what cuts it?",
        {"cut": True},
    ),
    (
        "G moves only along D's gradient: L1 is left out or detached.",
        "G's loss has two terms.",
        {"cut_color": True},
    ),
    ("The weight of L1 is not used.", "Which argument have you not used?", {"counts": (1, 1)}),
    (
        "The weight counts for both of G's losses.",
        "It belongs to L1 alone.",
        {"counts": (_WEIGHT, _WEIGHT)},
    ),
    (
        "The weight stands at the adversarial term.",
        "It belongs to L1.",
        {"counts": (_WEIGHT, 1)},
    ),
    ("100 stands there as a fixed number.", "Use the argument: weight.", {"counts": (1, 100)}),
    ("50 stands there as a fixed number.", "Use the argument: weight.", {"counts": (1, 50)}),
    (
        "G's adversarial loss is halved.",
        "Why is D's halved, and does that hold for G's?",
        {"counts": (0.5, _WEIGHT)},
    ),
    (
        "G climbs its loss instead of going down.",
        "Who has the minus sign of gradient descent, you or the optimizer?",
        {"counts": (-1, -_WEIGHT)},
    ),
    (
        "G wants its colors to be called fake.",
        "Which label does G want D to give them? See 5.3.",
        {"aim": "fake"},
    ),
    (
        "That is the saturating loss: G goes up D's loss of the fakes.",
        "It has the right aim, and hardly a gradient where G is bad. Lesson 05 has another one.",
        {"aim": "saturating"},
    ),
    ("The color loss is L2.", "L1 takes no squares.", {"color": "l2"}),
    ("L1 is summed over all pixels.", "Take the mean.", {"color": "sum"}),
    (
        "G colors in eval mode while it trains.",
        "Its batch norm should use the batch while it trains.",
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
            return Flaw("G steps twice, once for each of its losses.", _TWO_LOSSES.advice)
    if steps_of(networks) == ["G", "D"]:
        if "G learns" not in log[: log.index("G steps")]:
            return Flaw(
                "The optimizers have changed places.",
                "for_D goes down D's loss, and for_G down G's.",
            )
        return Flaw("G steps first.", "Whose step does G's loss have to wait for?")

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
                Flaw(
                    "G's adversarial loss is halved.",
                    "Why is D's halved, and does that hold for G's?",
                ),
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
    "Which tensor in D's part need not know where it came from? No graph need be retained then.",
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
                "Keep G's colors under a name, and use them in both parts.",
            )
        if any(same(gradient, wasted) for gradient in networks.gradients):
            return _WASTED
    return None


_PLANTED = mistakes(
    (
        "The bug is still in: D's second step differs from what its loss asks for. What G's "
        "backward leaves in D's .grad is added to it.",
        "When are D's gradients cleared, and who fills them after that?",
        {"zero_D": "after", "zero_G": "after"},
        {"zero_D": "after"},
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
        "m and v begin at 0 and are too small at first. By which factor, after step steps?",
        {"correct": ""},
    ),
    ("v is not corrected.", "It begins at 0 as m does.", {"correct": "m"}),
    ("m is not corrected.", "It begins at 0 as v does.", {"correct": "v"}),
    (
        "The correction is that of the first step.",
        "The longer the run, the less there is to correct: the step belongs in it.",
        {"power": 1},
    ),
    (
        "The correction counts the steps from 0.",
        "step is 1 in the first step already.",
        {"power": 2},
    ),
    ("The correction counts one step too many.", "step counts from 1.", {"power": 4}),
    (
        "eps is missing.",
        "A weight without a gradient gives 0 / 0. Where does the formula keep that from happening?",
        {"eps": 0.0},
    ),
    (
        "eps stands inside the root, where it weighs as much as 1e-4 outside.",
        "Compare with the formula: what is under the root?",
        {"place": "inside"},
    ),
    (
        "That is the paper's shortened form (end of section 2): its eps meets the root of a v "
        "that is not corrected yet.",
        "Algorithm 1 and torch correct v first, and add eps then.",
        {"place": "hat"},
    ),
    ("v holds the gradient's size, unsquared.", "What is v the mean of?", {"square": False}),
    ("A root is missing.", "v holds squares: what has the gradient's own unit?", {"root": False}),
    ("The step goes uphill.", "Look at the sign before the rate.", {"sign": 1.0}),
    (
        "m and v add up gradients without end.",
        "Running means: the new gradient comes in with a share of 1 - beta.",
        {"grows": True},
    ),
    (
        "The two shares have changed places: m should keep beta1 of itself.",
        "With beta1 = 0.9, how much of the old m should stay?",
        {"turned": True},
    ),
    (
        "The step goes along the bare gradient; m is not used.",
        "What stands above the line in the formula?",
        {"along": "gradient"},
    ),
    (
        "The step uses the m and v from before.",
        "In which order do the three lines stand?",
        {"along": "old"},
    ),
    (
        "That is only the change.",
        "Return where the weight is after it.",
        {"move": True},
    ),
)
# Found only in results that are equal to the last digits: 1e-8 beside a weight is next to nothing.
_BRACKETS = mistakes(
    (
        "1e-8 is added after the division, where it does nothing.",
        "It belongs to what is divided by. What binds tighter, / or +?",
        *({"eps": 0.0, "beyond": beyond} for beyond in (1e-8, -1e-8, -0.1 * 1e-8)),
    ),
)
# v_hat may become negative, and its root NaN.
_TIMES = mistakes(
    (
        "The correction takes beta times step.",
        "After two steps, m keeps beta times beta of where it began.",
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
        """torch's own weight, m and v before each step, and after the last."""
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
    """The eps that gives the weight of the smallest gradient, the rest of the step being right."""
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
            "What is kept and what this step uses are two things: give them two names.",
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
            return Flaw("The weight stays where it was.", "Return the new one.")
        if same(found[0], _adam(weight, gradient, m, v, step, 1.0, beta1, beta2)[0]):
            return Flaw("The rate is not used.", "How long is a step of Adam, by the formula?")
        # The number that is farthest off: in the others the mistake may not show.
        off = int((found[0].detach() - right[0]).abs().argmax())
        row, column = divmod(off, right[0].shape[1])

        def at(values: Any) -> str:
            return f"{float(values[row, column]):.6g}"

        return Flaw(
            f"m and v are right, the weight is not: its number [{row}, {column}] should be "
            f"{at(right[0])}, yours is {at(found[0])}.",
            "Compute m_hat and v_hat on lines of their own, and compare each with its formula.",
        )
    at = 1 if not same(found[1], right[1]) else 2
    name, beta, what = (("m", beta1, "gradient"), ("v", beta2, "gradient ** 2"))[at - 1]
    return Flaw(
        f"{name} is wrong: its first number should be {float(right[at][0, 0]):.4f}, yours is "
        f"{float(found[at][0, 0]):.4f}.",
        f"{name} is a running mean of {what}; beta{at}, here {beta}, is what it keeps of itself.",
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
        return Flaw("True and False have no mean.", "Make numbers of them first.")
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
            "At which logit is the probability one half?",
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
            "When is D right about a fake?",
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
        ("You count the patches.", "A share is asked for: of how many?", counts),
        (
            "After a sigmoid everything lies above 0.",
            "Compare the bare logits with 0, or probabilities with 0.5.",
            (share(torch.sigmoid(real) > 0), share(torch.sigmoid(fake) < 0)),
        ),
        (
            "Those are mean probabilities: how sure D is, not how often it is right.",
            "Decide for each patch first whether D is right.",
            (float(torch.sigmoid(real).mean()), float(1 - torch.sigmoid(fake).mean())),
        ),
        (
            "Those are the mean logits.",
            "Decide for each patch first whether D is right.",
            (float(real.mean()), float(fake.mean())),
        ),
        (
            "You divide by all patches.",
            "Each kind has a share of its own.",
            (counts[0] / 70, counts[1] / 70),
        ),
        (
            "The mean is taken before the comparison.",
            "Decide for each patch first whether D is right.",
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
        "A comparison gives True and False; their mean, as floats, is a share.",
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
                "A with block ends by itself; a bare switch does not.",
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
                "Nothing is learned from them: how does torch color without a graph?",
            )
        if G.training != training:
            if _returns_before_train(color_held_out):
                return Flaw(
                    "The line that puts G's mode back is never reached.",
                    "What stands after a return never runs.",
                )
            was, now = ("train", "eval") if training else ("eval", "train")
            return Flaw(
                f"G came in {was} mode and is left in {now} mode.",
                "Its training would go on without dropout. What does G.training say when your "
                "function begins?"
                if training
                else "Not everyone who calls you is training. What does G.training say when your "
                "function begins?",
            )
        if any(layer.training != training for layer in G.modules()):
            return Flaw(
                "G's own flag is put back, and its layers are left in the other mode.",
                "Setting the flag reaches the outermost module only. What reaches the layers too?",
            )
        if not all(parameter.requires_grad for parameter in G.parameters()):
            return Flaw(
                "G is left frozen: its weights want no gradient any more.",
                "Coloring without a graph needs no frozen weights.",
            )
        if any(isinstance(layer, nn.Dropout) and layer.p != 0.5 for layer in G):
            return Flaw("A layer's dropout rate has changed.", "Eval mode switches dropout off.")
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
                "Setting the flag reaches the outermost module only. What reaches the layers too?",
            )
        if training and not G.training:
            return Flaw("G is switched to eval mode after it has colored.", "Mind the order.")
        return Flaw(
            "G colors in train mode: dropout is on, and batch norm looks at the batch.",
            "In which mode will it color when it is finished?",
        )
    if same(found, colors(nn.BatchNorm2d)):
        return Flaw(
            "Dropout is off, but batch norm still looks at the batch.",
            "A photo's colors must not depend on its neighbors. Which mode switches both?",
        )
    if same(found, colors(nn.Dropout)):
        return Flaw(
            "Batch norm uses its averages, but dropout is still on.",
            "Which mode switches both?",
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
            "A copy of where it is now is needed.",
        )
    numpys = isinstance(value, tuple) and value[:1] == ("MT19937",)
    if numpys or (isinstance(value, dict) and "bit_generator" in value):
        return Flaw(
            'Under "random" stands NumPy\'s random state.',
            "Dropout draws from torch's own random numbers.",
        )
    if isinstance(value, tuple) and value[:1] == (3,):
        return Flaw(
            'Under "random" stands the state of Python\'s module random.',
            "Dropout draws from torch's own random numbers.",
        )
    if isinstance(value, int) and value == torch.initial_seed():
        return Flaw(
            'Under "random" stands the seed: where the random numbers began.',
            "Needed is how far they have come.",
        )
    return Flaw(
        f'Under "random" torch\'s random state was expected; it is {describe(value)}.',
        "torch has a function that reads it and draws nothing.",
    )


def _wrong_entry(name: str, value: Any, run: SimpleNamespace, state: Mapping) -> Flaw | None:
    """The finding about one of the four state dicts."""
    import torch
    from torch import nn

    net = name in ("G", "D")
    if isinstance(value, nn.Module | torch.optim.Optimizer):
        return Flaw(
            f'Under "{name}" stands the object itself.',
            "It goes on changing, and its file needs its class to be read. What does it give as "
            "plain data?",
        )
    if callable(value):
        return Flaw(f'Under "{name}" stands a function.', "A method is called with parentheses.")
    parameters = dict(getattr(run, name).named_parameters()) if net else {}
    listed = isinstance(value, list | tuple) and _alike(value, [*parameters.values()])
    if net and (listed or (isinstance(value, Mapping) and set(value) == set(parameters))):
        return Flaw(
            f'Under "{name}" stand only parameters.',
            "Batch norm's running averages are no parameters. What holds both?",
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
            "Its state dict holds m, v and the step of each weight: keep all of it.",
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
            "Read the state without drawing or seeding.",
        )
    if not _alike(_state(run), state) or not (run.G.training and run.D.training):
        return Flaw(
            "Your function changes the run: weights, or a network's mode.",
            "Only look, and copy what you see.",
        )
    if not isinstance(kept, Mapping):
        return Flaw(
            f"A dict was expected; it is {describe(kept)}.",
            "The docstring names its keys.",
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
        return Flaw(f'Under "step" stands {step:g}; it should be 3.', "Keep the argument as it is.")
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
            "A state dict shows the live tensors, also after dict(...) or .copy(). Which copy goes "
            "all the way down?",
        )
    other = _run(67)
    for name in _KEPT[:4]:
        getattr(other, name).load_state_dict(loaded[name])
    torch.set_rng_state(loaded["random"])
    _train(other, examples[3:])
    if not _alike(_state(other), _state(run)):
        return Flaw(
            "A run that goes on from your dict becomes another one.",
            "Compare what you keep with what the docstring lists.",
        )
    return None


EXERCISES = (
    Exercise(
        name="6.1",
        title="One Adam for both",
        difficulty=2,
        minutes=8,
        start=(
            "D's term pulls the logit of a fake down, G's term pulls it up. Where do the two "
            "derivatives cancel?"
        ),
        test=_test_one_adam,
        solved="Above one half for a share of 1/2: D calls fakes real. Its accuracies said so.",
    ),
    Exercise(
        name="6.2",
        title="One whole step",
        difficulty=3,
        minutes=15,
        start=(
            "Follow the drawing above from left to right. How often does G color, and how often "
            "does D look?"
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
            "Five formulas stand above, in the order in which they are computed. Which of the "
            "numbers must the next step get?"
        ),
        test=_test_adam,
        solved="The same numbers as torch.optim.Adam, which does it for all weights at once.",
    ),
    Exercise(
        name="6.4",
        title="Who is winning",
        difficulty=1,
        minutes=5,
        start="Think first: at which logit is D undecided?",
        test=_test_accuracies,
        solved="Near 0.5 both: the two are balanced. Near 1 both: G has lost touch.",
    ),
    Exercise(
        name="6.5",
        title="Color without touching",
        difficulty=1,
        minutes=5,
        start=(
            "Three things must hold: the colors are those of later, no graph is built, and G does "
            "not notice. Which call does which?"
        ),
        test=_test_held_out,
        solved="Looked at, and not touched: the run does not notice.",
    ),
    Exercise(
        name="6.6",
        title="Nothing is lost",
        difficulty=2,
        minutes=10,
        start=("What does the next step read? And will it still be the same after ten more steps?"),
        test=_test_everything,
        solved="The check took your dict to other networks, and the run went on bit for bit.",
    ),
    Exercise(
        name="6.7",
        title="The planted bug",
        difficulty=2,
        minutes=10,
        start=(
            "Copy the step with the bug. Then follow D's gradients: who fills them, who clears "
            "them, and what happens in between?"
        ),
        test=_test_planted_bug,
        solved="Cleared after the step, not before backward: D learned to call fakes real.",
    ),
)
