"""The testers of lesson 07: a stopwatch, two costs, a step in half precision, a batch in parts,
gradients of several processes, and a bug in dealing out photos."""

from __future__ import annotations

import functools
import inspect
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from statistics import mean, median
from typing import Any

import numpy as np

from colorlab.course.checks.clocks import WALL_CLOCKS, Hands, virtual_clocks
from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    NotYet,
    call,
    describe,
    load_optimizers,
    match,
    name_of,
    own_random,
    spied_sgd,
    want_number,
)

MistakeRows = Sequence[tuple[Any, str, str]]  # what it gives, and the two sentences of its flaw


def _match(
    result: Any, right: Any, mistakes: MistakeRows, otherwise: Flaw, tolerance: float
) -> Any:
    """`match` with the flaws written out."""
    known = [(wrong, Flaw(*sentences)) for wrong, *sentences in mistakes]
    return match(result, right, known, otherwise, tolerance)


def _compared(
    function: Any,
    cases: Sequence[tuple],
    found: list[float],
    right: Callable[..., float],
    mistakes: Callable[..., MistakeRows],
    advice: str,
) -> Flaw | None:
    """Check what a formula returns for all cases at once, so that a mistake shows in all of it.

    `right` and `mistakes` get the arguments of a case.
    """
    wanted = [right(*case) for case in cases]
    off = next((i for i in range(len(cases)) if match(found[i], wanted[i], [], Flaw("x"), 0)), 0)
    arguments = ", ".join(f"{value:g}" for value in cases[off])
    otherwise = Flaw(
        f"{name_of(function)}({arguments}) should give {wanted[off]:.6g}; yours gives "
        f"{found[off]:.6g}.",
        advice,
    )
    together = [
        ([wrong for wrong, *_ in same], *same[0][1:])
        for same in zip(*(mistakes(*case) for case in cases), strict=True)
    ]
    return _match(found, wanted, together, otherwise, 0)


# --- 7.1: the stopwatch --------------------------------------------------------------------------


class _Work:
    """Something that takes a scripted time: one number of seconds a call."""

    def __init__(self, hands: Hands, script: Sequence[float]) -> None:
        self.hands, self.script, self.calls = hands, script, 0

    def __call__(self) -> None:
        self.hands.turn(self.script[min(self.calls, len(self.script) - 1)])
        self.calls += 1


# How often the work is timed, and how long its calls take. In COLD the first takes longest, as with
# torch.compile; in WARM it does not, so that dropping the slowest is not dropping the first. Not
# all medians are whole seconds, and no two mistakes agree in all runs.
COLD = (40.0, 12.0, 30.0, 2.5, 4.0, 5.25, 6.0, 3.0, 7.0, 9.0, 11.0)
WARM = (3.0, 9.0, 20.0, 2.75, 8.5, 7.25, 14.0, 6.0, 10.0)
RUNS = ((7, COLD), (4, COLD), (6, WARM))


def _stopwatch_mistakes(repeats: int, script: Sequence[float]) -> dict[int, MistakeRows]:
    """Number of calls of work() -> what mistakes with so many calls give, each with its flaw.

    A mistake stands at the same place whatever `repeats` is.
    """
    d = list(script)
    w = d[1 : repeats + 1]
    since = np.cumsum(w)
    cold = (
        "It pays for what comes only once: caches, buffers, compiling. Call work() once before the "
        "loop, without the clock."
    )
    unsorted = "Drop the first of the list as it was measured; the median sorts by itself."
    warm = [
        (mean(w), "That is the mean.", "One hiccup moves it; the median stays."),
        (
            min(w),
            "That is the quickest call.",
            "The minimum is the luckiest moment, the median an ordinary one.",
        ),
        (max(w), "That is the slowest call.", "The median stands in the middle."),
        (
            sum(w),
            "That is the time of all calls together.",
            "Keep each time by itself: a median needs them all.",
        ),
        (
            sum(d[: repeats + 1]),
            "That is the sum, the warm-up included.",
            "One call's time is asked for.",
        ),
        (1000 * median(w), "That is in milliseconds.", "Seconds, as the clock has them."),
        (1e9 * median(w), "That is in nanoseconds.", "Divide by 1e9, or take perf_counter."),
        (-median(w), "A time below zero: the two readings are swapped.", "after - before"),
        (
            median(d[: repeats + 1]),
            "The call for warming up is among those whose median you take.",
            "Leave the first time out of the list.",
        ),
        (
            mean(d[: repeats + 1]),
            "A mean, and the warm-up is in it.",
            "The median, of the calls after it.",
        ),
        (
            sum(d[: repeats + 1]) / repeats,
            "The warm-up's time is divided among them.",
            "Start the clock after it; the median.",
        ),
        (
            median(d[:repeats]),
            "It is the first `repeats` times that you take, and the last one is dropped.",
            "The other way: drop the first.",
        ),
        (
            w[repeats // 2],
            "The middle of the list, but the list is not sorted.",
            "statistics.median sorts.",
        ),
        (w[-1], "That is only the last call.", "Keep all times in a list: .append"),
        (w[0], "That is only one call, the first measured.", "Keep all times in a list."),
        (
            float(median(since)),
            "Each time is counted from the same start.",
            "Read the clock anew before each call.",
        ),
        (
            float(median(since + d[0])),
            "Each time is counted from before the warm-up.",
            "Read the clock before each.",
        ),
    ]
    upper, lower = sorted(w)[repeats // 2], sorted(w)[(repeats - 1) // 2]
    even = "Of an even number of times the median is the mean of the middle two"
    ranked = sorted(d[: repeats + 1])
    warm += [
        (upper, f"{even}; yours is the upper one.", "statistics.median does it."),
        (lower, f"{even}; yours is the lower one.", "So does torch.median; NumPy's does not."),
        *(
            (wrong, "Sorted first: what you drop is the quickest, not the first.", unsorted)
            for wrong in (median(ranked[1:]), ranked[1:][(repeats + 1) // 2])
        ),
        (
            median(ranked[:-1]),
            "Sorted first: what you drop is the slowest, not the first.",
            f"The first call need not be the slowest one. {unsorted}",
        ),
        *(
            (wrong, "It is cut to whole seconds.", "Return it as it is; round where you print.")
            for wrong in (round(median(w)), int(median(w)))
        ),
    ]
    return {
        1: [(d[0], "One call is measured, and it is the cold one.", "Once before, then a loop.")],
        2: [(w[0], "One call is measured, not `repeats`.", "A loop: range(repeats).")],
        repeats: [
            (median(d[:repeats]), "The first call is counted.", cold),
            (mean(d[:repeats]), "A mean, and of the cold first call too.", cold),
            (min(d[:repeats]), "The minimum, without a warm-up.", cold),
            (
                median(d[1:repeats]),
                f"One call too few is measured: {repeats - 1} of {repeats}.",
                "The call for warming up comes on top of them.",
            ),
        ],
        repeats + 1: warm,
        repeats + 2: [
            (
                median(d[1 : repeats + 2]),
                f"One call too many is measured: {repeats + 1}.",
                "range(repeats)",
            ),
            (
                median(d[2 : repeats + 2]),
                "Two calls are made before the clock runs.",
                "One is asked for.",
            ),
        ],
    }


def _test_stopwatch(stopwatch: Any) -> Flaw | None:
    found, calls = [], []
    for repeats, script in RUNS:
        with virtual_clocks(stopwatch) as hands:
            work = _Work(hands, script)
            arguments = (work,) if repeats == 7 else (work, repeats)
            returned = call(stopwatch, *arguments)
        if work.calls == 0:
            return Flaw("work has not been called.", "work() with parentheses runs it.")
        found.append(want_number(returned, "the time"))
        calls.append(work.calls)
        if not hands.read:
            return Flaw(
                "No clock has been read that this check can turn.",
                "time.perf_counter() before and after the call; their difference is its time.",
            )
        if not hands.read & set(WALL_CLOCKS):
            return Flaw(
                f"time.{min(hands.read)} counts only while the processor works in this program.",
                "Who waits for a GPU, a disk or another process would take no time. The clock on "
                "the wall is time.perf_counter.",
            )
        if abs(found[-1]) < 1e-6:
            return Flaw(
                "It gives 0, though time has gone by.",
                "Does work() run between the two readings of the clock? before = perf_counter(), "
                "then work(), then perf_counter() - before.",
            )
    if set(calls) == {8}:
        return Flaw(
            "With repeats=4 it makes 8 calls too: 7 stands there as a fixed number.",
            "Use the argument: range(repeats).",
        )
    return _timed(found, calls)


def _timed(found: list[float], calls: list[int]) -> Flaw | None:
    """Check the seconds of all runs at once: a single run may give two mistakes one number."""
    wanted = [float(median(script[1 : repeats + 1])) for repeats, script in RUNS]
    right = calls == [repeats + 1 for repeats, _ in RUNS]
    if right:
        near = [
            match(a, b, [], Flaw("off"), 1e-6) is None for a, b in zip(found, wanted, strict=True)
        ]
        off = near.index(False) if False in near else 0
        repeats, script = RUNS[off]
        plain = ", ".join(f"{seconds:g}" for seconds in script[1 : repeats + 1])
        otherwise = Flaw(
            f"After a first call of {script[0]:g} s the check's work took {plain} s. Their median "
            f"is {wanted[off]:g} s, yours {found[off]:g} s.",
            "Collect the times in a list, print it, and take its median.",
        )
    else:
        off = next(i for i, (repeats, _) in enumerate(RUNS) if calls[i] != repeats + 1)
        repeats = RUNS[off][0]
        otherwise = Flaw(
            f"With repeats={repeats} work() was called {calls[off]} times; it should be "
            f"{repeats + 1}.",
            f"Once to warm up, then {repeats} times with the clock.",
        )
    known = [
        _stopwatch_mistakes(repeats, script).get(count, [])
        for (repeats, script), count in zip(RUNS, calls, strict=True)
    ]
    together = [([wrong for wrong, *_ in same], *same[0][1:]) for same in zip(*known, strict=False)]
    return _match(found, wanted if right else np.nan, together, otherwise, 1e-6)


# --- 7.2: what a convolution costs ---------------------------------------------------------------


def _test_conv_cost(conv_cost: Any) -> Flaw | None:
    def right(b: int, i: int, o: int, k: int, h: int, w: int) -> int:
        return 2 * b * o * h * w * i * k * k

    def mistakes(b: int, i: int, o: int, k: int, h: int, w: int) -> MistakeRows:
        outputs, cost = b * o * h * w, right(b, i, o, k, h, w)
        each = "Each output number is a sum of c_in * kernel * kernel products."
        return (
            (
                cost / 2,
                "It is half of that: a multiplication with its addition is counted as one.",
                "Papers call that MAC or multiply-add, and many mix the two up. Here both count.",
            ),
            (cost / k, "The kernel counts once.", "It is as high as wide: kernel ** 2."),
            (cost / k**2, "The kernel's size is not in it.", "kernel ** 2 weights a channel."),
            (cost / b, "That is for one photo.", "There are `batch` of them."),
            (cost / i, "The input's channels are not in it.", f"{each} See c_in."),
            (cost / o, "That is for one output channel.", "Each of the c_out has its own weights."),
            (cost / h, "The height is not in it.", "A map has h_out * w_out places."),
            (cost / w, "The width is not in it.", "A map has h_out * w_out places."),
            (outputs, "That is how many numbers come out.", each),
            (2 * outputs, "That is two for each number that comes out.", each),
            (cost + outputs, "The bias is in it.", "What does it cost without it?"),
            (cost + o, "It is c_out too much.", "Are those the biases? Without them, here."),
            (
                cost - outputs,
                "n products need n - 1 additions, true. But the count has a convention.",
                "An addition for each product: the hardware does both in one, starting from 0.",
            ),
            (
                o * i * k * k,
                "That is how many weights it has.",
                "Each is used at each place of each photo, for two operations.",
            ),
            (cost / (b * h * w), "That is one place of one photo.", "There are many places."),
            (cost / (h * w), "One place of each photo is counted.", "h_out * w_out of them."),
            (
                cost // (h * w) * (h - k + 1) * (w - k + 1),
                "The kernel's size is taken off the map once more.",
                "h_out and w_out are the output's size already.",
            ),
            (
                2 * outputs * (i + k * k),
                "Channels and kernel are added.",
                "Each channel has a kernel of its own: times.",
            ),
            (
                2 * b * h * w * (i + o) * k * k,
                "c_in and c_out are added.",
                "Each of the one meets each of the other: times.",
            ),
            (
                2 * outputs * i * (k ^ 2),
                "In Python ^ is not a power.",
                "It flips bits. kernel ** 2.",
            ),
            (3 * cost, "It is three times too much.", "The way back costs two more, but not here."),
            (4 * cost, "It is four times too much.", "Operations are counted, no bytes."),
            (cost / 1e9, "That is in billions.", "The plain number; print it with / 1e9."),
        )

    cases = [(2, 3, 4, 3, 5, 6), (3, 5, 7, 4, 11, 13), (2, 6, 10, 3, 17, 9)]
    advice = "How many numbers come out, and what is each of them?"
    found = [want_number(call(conv_cost, *case), "the cost") for case in cases]
    return _compared(conv_cost, cases, found, right, mistakes, advice)


# --- 7.3: the step in half precision -------------------------------------------------------------

SCALE, WEIGHT = 2.0**10, 3.0  # of the loss at first; of L1


class _HalfBench:
    """Two small networks, their optimizers, a scaler, and `log`: what has been done with them."""

    def __init__(self, scale: float = SCALE) -> None:
        import torch
        from torch import nn

        load_optimizers()
        torch.manual_seed(7)
        self.G = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.LeakyReLU(0.2))
        self.G.extend([nn.Conv2d(4, 2, 3, padding=1), nn.Tanh()])
        self.D = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.LeakyReLU(0.2))
        self.D.append(nn.Conv2d(4, 1, 2))
        self.log: list[str] = []
        self.dtypes: dict[str, set] = {"G": set(), "D": set()}
        self.losses: list[Any] = []  # as they were given to the scaler
        log, losses = self.log, self.losses

        class Spied(torch.optim.SGD):
            def step(self, *args: Any, **options: Any) -> Any:
                log.append(f"{self.who} moves")
                return super().step(*args, **options)

        class Scaler(torch.amp.GradScaler):
            def scale(self, outputs: Any) -> Any:
                log.append("scale under autocast" if torch.is_autocast_enabled("cpu") else "scale")
                losses.append(outputs)
                return super().scale(outputs)

            def step(self, optimizer: Any, *args: Any, **options: Any) -> Any:
                log.append(f"scaler steps {optimizer.who}")
                return super().step(optimizer, *args, **options)

            def update(self, *args: Any) -> None:
                log.append("update")
                super().update(*args)

        self.for_G, self.for_D = (Spied(net.parameters(), lr=0.5) for net in (self.G, self.D))
        self.for_G.who, self.for_D.who = "G", "D"
        self.scaler = Scaler("cpu", init_scale=scale)
        for who in "GD":
            getattr(self, who)[0].register_forward_hook(
                lambda module, inputs, output, who=who: self.dtypes[who].add(output.dtype)
            )
        self.L, self.truth = torch.rand(3, 1, 8, 8) - 0.5, torch.rand(3, 2, 8, 8) - 0.5

    def weights(self) -> dict[str, Any]:
        import torch

        return {
            who: torch.cat([p.detach().float().flatten() for p in getattr(self, who).parameters()])
            for who in "GD"
        }

    def has_gradients(self, who: str) -> bool:
        gradients = [parameter.grad for parameter in getattr(self, who).parameters()]
        return any(gradient is not None and bool(gradient.any()) for gradient in gradients)

    def plant(self, who: str, value: float) -> None:
        """Gradients of this value in all weights of the networks named."""
        for network in who:
            for parameter in getattr(self, network).parameters():
                parameter.grad = parameter.detach() * 0 + value

    def run(self, half_step: Any) -> Any:
        return call(
            half_step, self.G, self.D, self.for_G, self.for_D, self.L, self.truth, WEIGHT,
            self.scaler,
        )  # fmt: skip


def _half_step(
    bench: _HalfBench, *, leak: bool = False, cut: bool = False, first: str = "D",
    clear: str = "GD", saturating: bool = False, whole: bool = False, weight: float = WEIGHT,
) -> dict[str, float]:  # fmt: skip
    """The right step on a bench; the options make well-known mistakes. In float32: what rounding
    to half precision changes is far less than any of them."""
    import torch
    import torch.nn.functional as F

    G, D, L, truth = bench.G, bench.D, bench.L, bench.truth
    ours = G(L)
    if "D" in clear:
        bench.for_D.zero_grad()
    if "G" in clear and leak:
        bench.for_G.zero_grad()
    fake = D(torch.cat([L, ours if leak else ours.detach()], 1))
    loss_d = F.softplus(-D(torch.cat([L, truth], 1))).mean() + F.softplus(fake).mean()
    loss_d = loss_d if whole else loss_d / 2
    loss_d.backward(retain_graph=True)
    if first == "D":
        torch.optim.SGD.step(bench.for_D)
        logits = D(torch.cat([L, ours.detach() if cut else ours], 1))
    else:
        learned = [parameter.grad.clone() for parameter in D.parameters()]
        logits = D(torch.cat([L, ours.detach() if cut else ours], 1))
    color = (ours - truth).abs().mean()
    adversarial = (-F.softplus(logits) if saturating else F.softplus(-logits)).mean()
    if "G" in clear and not leak:
        bench.for_G.zero_grad()
    (weight * color + adversarial).backward()
    if first != "D":
        for parameter, gradient in zip(D.parameters(), learned, strict=True):
            parameter.grad = gradient
        torch.optim.SGD.step(bench.for_D)
    torch.optim.SGD.step(bench.for_G)
    losses = {"color": color, "generator": adversarial, "discriminator": loss_d}
    return {name: loss.item() for name, loss in losses.items()}


_HALF_MISTAKES = (
    ({"leak": True}, "D's loss reaches G as well.", "Which fakes may D see in its own step?"),
    (
        {"cut": True},
        "G gets nothing from D: its fakes are cut off in G's own step.",
        "A detach belongs in D's step alone.",
    ),
    ({"first": "G"}, "G looks at D before D has stepped.", "In full_step D steps first."),
    (
        {"clear": ""},
        "Gradients of the step before are still there.",
        "Each optimizer clears its own before the backward pass.",
    ),
    ({"clear": "G"}, "D's gradients are never cleared.", "G's backward pass leaves some in D too."),
    ({"clear": "D"}, "G's gradients are never cleared.", "Before its backward pass, as in D's."),
    ({"saturating": True}, "That is G's saturating loss.", "full_step has the other one."),
    ({"whole": True}, "D's loss is not halved.", "full_step takes half the sum."),
    ({"weight": 1.0}, "The weight of the color loss is not used.", "It is an argument."),
)


@own_random
def _test_half_step(half_step: Any) -> Flaw | None:
    import torch

    bench = _HalfBench()
    before = bench.weights()
    first = _losses_of(bench, half_step)
    flaw = _half_protocol(bench) or _half_losses(first)
    if flaw is not None:
        return flaw
    after = bench.weights()
    planted = "".join(who for who in "GD" if bench.has_gradients(who))
    bench.plant(planted, SCALE)  # who has not cleared its own by now must do so in the next step
    _losses_of(bench, half_step)
    flaw = _half_movement(before, after, bench.weights(), planted)
    if flaw is not None:
        return flaw
    overflowing = _HalfBench(scale=2.0**60)
    before = overflowing.weights()
    _losses_of(overflowing, half_step)
    if any(not torch.equal(before[who], overflowing.weights()[who]) for who in "GD"):
        return Flaw(
            "With gradients that overflow, the networks move nevertheless.",
            "The scaler leaves such a step out, if it is the scaler that steps.",
        )
    return None


def _losses_of(bench: _HalfBench, half_step: Any) -> dict[str, float]:
    try:
        returned = bench.run(half_step)
    except (RuntimeError, AssertionError, ValueError) as error:
        if "unscale FP16" in str(error):
            raise NotYet(
                "The weights themselves are in half precision now.",
                "Small steps vanish there. Autocast casts for each operation, and leaves them.",
            ) from None
        if bench.log.count("update") > 1 and (flaw := _half_updates(bench.log)):
            raise NotYet(flaw.mistake, flaw.advice) from None
        if "No inf checks" in str(error) and "scale" in bench.log:
            raise NotYet(
                "The scale is updated before any step.", "Scale, backward, step; then the update."
            ) from None
        if "step() has already been called since the last update" in str(error):
            raise NotYet(
                "The scaler is never told that the step is over.",
                "What does the scaler do after the last step, to choose its next scale?",
            ) from None
        if "_scale is None" in str(error) or "No inf checks" in str(error):
            raise NotYet(
                "The scaler steps an optimizer whose loss it has not scaled.",
                "Each loss goes through the scaler before its backward pass.",
            ) from None
        raise
    names = {"color", "generator", "discriminator"}
    if not isinstance(returned, dict) or set(returned) != names:
        raise NotYet(
            f"A dict of {', '.join(sorted(names))} was expected; it is {describe(returned)}.",
            "Return the same dict as full_step.",
        )
    return {name: want_number(value, name) for name, value in returned.items()}


def _half_protocol(bench: _HalfBench) -> Flaw | None:
    """What was computed in which precision, and what the scaler was asked to do."""
    import torch

    names = {"G": "The generator", "D": "The discriminator"}
    for who, dtypes in bench.dtypes.items():
        if torch.float32 in dtypes:
            some = "" if len(dtypes) == 1 else " in one of its passes"
            return Flaw(
                f"{names[who]} computes in float32{some}.",
                "Which of the forward passes stand outside of autocast?",
            )
        if dtypes != {torch.float16}:
            kind = ", ".join(sorted(str(dtype) for dtype in dtypes))
            return Flaw(
                f"{names[who]} computes in {kind}.", "Autocast takes the kind as an argument."
            )
    log = bench.log
    scaled = [entry for entry in log if entry.startswith("scale") and "steps" not in entry]
    if not scaled and "scaler steps D" not in log and "scaler steps G" not in log:
        return Flaw(
            "The scaler that is handed in is not used.",
            "Small gradients become 0 in float16. Who makes them larger, and small again?",
        )
    for who in "DG":
        if f"scaler steps {who}" not in log:
            return Flaw(
                f"{names[who]}'s optimizer steps by itself, with gradients that are still scaled."
                if f"{who} moves" in log
                else f"{names[who]}'s optimizer does not step.",
                "The scaler knows the scale. Who should ask the optimizer to step?",
            )
    if len(scaled) < 2:
        return Flaw(
            "Only one of the two losses is scaled.", "The scaler divides both networks' gradients."
        )
    if "scale under autocast" in scaled:
        return Flaw(
            "A loss goes backward under autocast.",
            "Only forward passes belong there; the backward pass takes each one's precision.",
        )
    if any(loss.dtype != torch.float32 for loss in bench.losses):
        return Flaw(
            "A loss is computed in half precision.",
            "What leaves a network under autocast is float16. When does it become float32?",
        )
    if "update" not in log:
        return Flaw(
            "The scaler is never told that the step is over.",
            "What does the scaler do after the last step, to choose its next scale?",
        )
    return _half_updates(log)


def _half_updates(log: list[str]) -> Flaw | None:
    """Whether the scaler is updated once, after the last of the optimizers has stepped."""
    updates = log.count("update")
    if updates > 1:
        return Flaw(
            f"The scaler is updated {updates} times in one step.",
            "It serves both optimizers. After which of their steps does it know about both?",
        )
    if any(entry.startswith("scaler steps") for entry in log[log.index("update") :]):
        return Flaw(
            "The scaler is updated before the last optimizer has stepped.",
            "Both optimizers must step at the same scale.",
        )
    return None


def _half_losses(found: dict[str, float]) -> Flaw | None:
    wanted = _half_step(_HalfBench())
    for name, right in wanted.items():
        if abs(found[name] - right) <= 0.02 * abs(right):
            continue
        if abs(found[name] - SCALE * right) <= 0.02 * SCALE * abs(right):
            return Flaw(
                f'"{name}" is returned with the scale in it.', "Return the loss as it was before."
            )
        for options, *sentences in _HALF_MISTAKES:
            if abs(found[name] - _half_step(_HalfBench(), **options)[name]) <= 0.02 * abs(right):
                return Flaw(*sentences)
        if name == "color" and abs(found[name] - WEIGHT * right) <= 0.02 * WEIGHT * right:
            return Flaw('"color" is returned with its weight in it.', "Return L1 alone.")
        return Flaw(
            f'"{name}" should be about {right:.3f}; yours is {found[name]:.3f}.',
            "Compare your lines with those of full_step: the losses are the same.",
        )
    return None


def _half_movement(start: Any, after: Any, second: Any, planted: str) -> Flaw | None:
    """Whether both networks moved as in float32, but for rounding, in two steps."""
    import torch

    found = (after, second)

    def is_(options: dict[str, Any]) -> bool:
        bench = _HalfBench()
        for moved in found:
            before = bench.weights()
            _half_step(bench, **options)
            bench.plant(planted, 1.0)
            for who in "GD":
                step = bench.weights()[who] - before[who]
                if torch.norm(moved[who] - bench.weights()[who]) > 0.05 * torch.norm(step):
                    return False
        return True

    if is_({}):
        return None
    for options, *sentences in _HALF_MISTAKES:
        if is_(options):
            return Flaw(*sentences)
    if all(torch.equal(start[who], after[who]) for who in "GD"):
        return Flaw("Neither network has moved.", "scale, backward, step.")
    for who, name in (("D", "discriminator"), ("G", "generator")):
        if torch.norm(after[who] - start[who]) > 100:
            return Flaw(f"The {name}'s gradients are still scaled when it steps.", "Who divides?")
    return Flaw(
        "The networks move, but not as full_step moves them.",
        "Change full_step only in its precision and in who scales, steps and updates.",
    )


# --- 7.4: one large batch in parts ---------------------------------------------------------------


class _Bench:
    """A network with one weight, its optimizer, a loss and a batch in parts; and what happened."""

    rate, rows = 0.125, 3

    def __init__(self, count: int) -> None:
        import torch
        from torch import nn

        self.network = nn.Linear(2, 1, bias=False).double()
        self.optimizer, self.order = spied_sgd(self.network, self.rate)
        self.parts = [torch.randn(self.rows, 2, dtype=torch.float64) + i for i in range(count)]
        self.sizes: list[int] = []

    def loss_of(self, network: Any, part: Any) -> Any:
        self.sizes.append(len(part))
        self.order.append("loss")
        return self.loss(network(part), part)

    @staticmethod
    def loss(output: Any, part: Any) -> Any:
        return ((output - part.prod(1, keepdim=True) - 1) ** 2).mean()

    def look(self, part: Any) -> tuple[float, Any]:
        """Loss and gradient of a part at the weights as they are; leaves no trace."""
        import torch

        weight = self.network.weight.detach().clone().requires_grad_()
        loss = self.loss(part @ weight.T, part)
        (gradient,) = torch.autograd.grad(loss, [weight])
        return loss.item(), gradient

    def run(self, accumulate: Any) -> Any:
        self.order.clear()
        self.sizes.clear()
        try:
            return call(
                accumulate, self.network, self.loss_of, self.optimizer, self.parts, pure=True
            )
        except RuntimeError as error:
            if "backward through the graph a second" not in str(error):
                raise
            raise NotYet(
                "backward runs through the same part's graph again.",
                "Call it on each part's own loss, not on a sum that still holds the last one.",
            ) from None


def _movement(bench: _Bench, gradients: Any, moved: Any) -> Flaw | None:
    """Whether the step went along the mean of the parts' gradients, (n, 1, 2)."""
    count, rows = len(gradients), bench.rows
    if "backward" not in bench.order:
        return Flaw("No gradient has been computed.", "loss.backward(), for each part.")
    if "step" not in bench.order:
        return Flaw("The network has not moved: no step.", "optimizer.step(), behind the loop.")
    if bench.order.count("step") > 1:
        return Flaw(
            f"The optimizer took {bench.order.count('step')} steps.",
            "One step for all parts: step() behind the loop, not in it.",
        )
    backs = [i for i, what in enumerate(bench.order) if what == "backward"]
    if bench.order.index("step") < backs[-1]:
        return Flaw(
            "The step comes before the last part's gradient is there.",
            "All backward first, then step.",
        )
    if "zero" in bench.order[backs[0] : backs[-1]]:
        return Flaw(
            "zero_grad runs between the parts, and wipes out what they have gathered.",
            "Once, before the loop: backward adds to what is there.",
        )
    if "zero" in bench.order[backs[-1] : bench.order.index("step")]:
        return Flaw(
            "zero_grad runs after the last backward and before the step: nothing is left to go "
            "along.",
            "zero_grad, backward for all parts, step.",
        )
    total = gradients.sum(0)
    only = (
        "Only the last part has gone into the step.",
        "backward adds up in .grad, as long as nothing clears it between the parts.",
    )
    first = ("Only the first part has gone into the step.", "Is the loop left too early?")
    mistakes = (
        (total / 4, f"With {count} parts it still divides by 4.", "len(parts), no fixed number."),
        (
            total,
            f"The gradient is {count} times too large: the parts' gradients are added up.",
            "The mean over all is the mean of the parts' means: divide each part's loss by the "
            "number of parts.",
        ),
        (
            total / rows,
            "The losses are divided by the size of a part.",
            "Each is a mean already. What is missing is the number of parts.",
        ),
        (
            total / (rows * count),
            "The losses are divided by the size of the whole batch.",
            "Each is a mean over its part already: the number of parts is enough.",
        ),
        (
            total / count**2,
            "The number of parts divides twice.",
            "Once: the loss, or the gradient.",
        ),
        (gradients[-1], *only),
        (gradients[-1] / count, *only),
        (gradients[0], *first),
        (gradients[0] / count, *first),
        (-total / count, "The step goes uphill.", "No minus before the loss."),
        (
            gradients[:-1].sum(0) / count,
            "The last part is left out.",
            "for part in parts: all of them.",
        ),
        (
            gradients[1:].sum(0) / count,
            "The first part is left out.",
            "for part in parts: all of them.",
        ),
    )
    otherwise = Flaw(
        "The step does not go along the whole batch's gradient.",
        "Print network.weight.grad before the step: yours, and that of the loss of "
        "torch.cat(parts).",
    )
    return _match(moved, total / count, mistakes, otherwise, 1e-9)


def _one_accumulation(bench: _Bench, accumulate: Any) -> tuple[Any, list[float], Any, Any]:
    """What came back, the parts' losses and gradients before the step, and how the weight moved."""
    import torch

    looks = [bench.look(part) for part in bench.parts]
    before = bench.network.weight.detach().clone()
    returned = bench.run(accumulate)
    moved = (before - bench.network.weight.detach()) / bench.rate
    return returned, [loss for loss, _ in looks], torch.stack([s for _, s in looks]), moved


def _loss_returned(bench: _Bench, returned: Any, losses: list[float]) -> Flaw | None:
    found, count = want_number(returned, "the loss"), len(losses)
    now = mean(bench.look(part)[0] for part in bench.parts)
    mistakes = (
        (
            sum(losses),
            "The step is right; the losses that you return are added up.",
            "The whole batch's loss is their mean.",
        ),
        (losses[-1], "The step is right; the loss is the last part's.", "The mean over all parts."),
        (
            losses[-1] / count,
            "The step is right; the loss is the last part's share.",
            "Add up the shares: total += loss.item().",
        ),
        (losses[0], "The step is right; the loss is the first part's.", "The mean over all parts."),
        (
            mean(losses) / count,
            "The step is right; the loss is divided twice.",
            "The shares need only adding.",
        ),
        (
            now,
            "The step is right; the loss is that after it.",
            "The loss that the step was made from, as any training step returns.",
        ),
    )
    otherwise = Flaw(
        f"The step is right; the whole batch's loss is {mean(losses):.6g}, yours {found:.6g}.",
        "The parts are equally large, so it is the mean of their losses.",
    )
    return _match(found, mean(losses), mistakes, otherwise, 1e-9)


@own_random
def _test_accumulate(accumulate: Any) -> Flaw | None:
    import torch

    for count in (4, 2):
        bench = _Bench(count)
        returned, losses, gradients, moved = _one_accumulation(bench, accumulate)
        if max(bench.sizes, default=0) > bench.rows:
            return Flaw(
                "The parts are joined into the large batch again.",
                "That needs the memory which there is not: loss_of for each part, by itself.",
            )
        if "backward" in bench.order and not bench.sizes:
            return Flaw("loss_of has not been called.", "loss_of(network, part)")
        flaw = _movement(bench, gradients, moved) or _loss_returned(bench, returned, losses)
        if flaw is not None:
            return flaw
        if len(bench.sizes) != count:
            return Flaw(
                f"loss_of ran {len(bench.sizes)} times for {count} parts.",
                "Each time is a pass through the network: once a part, and keep the number.",
            )
        if bench.order[: bench.order.index("backward")].count("loss") == count:
            how = (
                "The losses are added up and go back together"
                if bench.order.count("backward") == 1
                else "All losses are computed before the first one goes back"
            )
            return Flaw(
                f"{how}: all graphs are kept.", "backward for each part right away; that frees it."
            )
        if isinstance(returned, torch.Tensor) and returned.requires_grad:
            return Flaw(
                "The loss still hangs on its graph.",
                "A number was asked for: .item() lets go of all that the graph holds.",
            )
        _, _, again, moved = _one_accumulation(bench, accumulate)
        too = (
            again.mean(0) + gradients.mean(0),
            "The first step is right; the second one goes along the first one's gradient too.",
            "optimizer.zero_grad() before the loop.",
        )
        otherwise = Flaw(
            "The first step is right; a second one with the same parts is not.",
            "What does the function keep from one call to the next?",
        )
        flaw = _match(moved, again.mean(0), [too], otherwise, 1e-9)
        if flaw is not None:
            return flaw
    bench = _Bench(4)
    bench.network.weight.grad = torch.full_like(bench.network.weight, 0.7)
    _, _, gradients, moved = _one_accumulation(bench, accumulate)
    if not torch.allclose(moved, gradients.mean(0), rtol=1e-6, atol=1e-9):
        return Flaw(
            "Where a gradient lies there before the call, the step is another one.",
            "In a GAN the other network's step leaves one. Zeroing after the step is too late: "
            "zero_grad comes first.",
        )
    if not bench.network.training:
        return Flaw("The network is left in eval mode.", "Leave its mode to the caller.")
    return None


# --- 7.5: the gradients' mean --------------------------------------------------------------------


def _replicas(count: int, frozen: bool) -> list[Any]:
    """Equal networks, each with the gradients of data of its own."""
    import copy

    import torch
    from torch import nn

    first = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    if frozen:
        first[0].requires_grad_(False)
    networks = [copy.deepcopy(first) for _ in range(count)]
    for number, network in enumerate(networks):
        ((network(torch.randn(5, 3)) - number) ** 2).mean().backward()
    return networks


def _flat(network: Any, gradients: bool) -> Any:
    """All weights of a network in one row, or all their gradients."""
    import torch

    kept = [p.grad if gradients else p for p in network.parameters() if p.requires_grad]
    return torch.cat([value.detach().reshape(-1) for value in kept])


def _averaged(average_gradients: Any, networks: list[Any]) -> Any:
    """Call it and return what comes back: nothing need."""
    if not callable(average_gradients):
        call(average_gradients)  # says what is wrong

    returned = []

    @functools.wraps(average_gradients)
    def done(replicas: list[Any]) -> bool:
        result = average_gradients(replicas)
        if inspect.isgenerator(result) or inspect.iscoroutine(result):
            result.close()
            raise NotYet("It is a generator: nothing has run yet.", "No `yield`, no `async`.")
        returned.append(result)
        return True

    call(done, networks, pure=True)
    return returned[0]


def _mean_mistakes(gradients: Any) -> MistakeRows:
    """What mistakes make of the gradients (n, P), each with its flaw."""
    import torch

    count, total = len(gradients), gradients.sum(0)
    right = total / count

    def all_get(row: Any) -> Any:
        return row.expand(count, -1)

    polluted, chained = gradients.clone(), gradients[0]
    for i in range(count):
        polluted[i] = polluted.mean(0)
    for row in gradients[1:]:
        chained = (chained + row) / 2
    return [
        (
            gradients,
            "The gradients are as they were.",
            "Assign to parameter.grad, of each parameter of each replica; `parameter = …` only "
            "gives the name another meaning.",
        ),
        (
            all_get(total),
            "Each has the sum.",
            "Divided by the number of replicas it is the mean: len(...).",
        ),
        (
            torch.cat([right[None], gradients[1:]]),
            "Only the first replica has the mean.",
            "Give it to each of them.",
        ),
        (
            torch.cat([gradients[:-1], right[None]]),
            "Only the last replica has the mean.",
            "Give it to each of them.",
        ),
        (
            torch.cat([total[None], gradients[1:]]),
            "Only the first has changed, and it has the sum.",
            "The mean, for each.",
        ),
        (
            polluted,
            "The first replica has the mean; the others have means of what was already "
            "overwritten.",
            "Compute the mean once, before you write any of them.",
        ),
        (
            torch.cat([right[None], all_get(right / count)[1:]]),
            "The first replica has the mean, the others that mean divided once more.",
            "Is your sum the first one's own .grad? Then writing there changes the sum: start "
            "from a .clone().",
        ),
        (
            all_get(chained),
            "Taking the mean of two, again and again, weighs the last one most.",
            "Add all, then divide once.",
        ),
        (
            all_get(gradients[0]),
            "Each has the first replica's gradient.",
            "That is a copy, not a mean.",
        ),
        (
            all_get(gradients[-1]),
            "Each has the last replica's gradient.",
            "That is a copy, not a mean.",
        ),
        (
            all_get(total / (count - 1)),
            "The sum is divided by one too few.",
            "All replicas count, the first too.",
        ),
        (
            all_get(total / (count + 1)),
            "The sum is divided by one too many."
            if count > 2
            else "With two replicas it still divides by 3.",
            "len(replicas), no fixed number.",
        ),
        (gradients / count, "Each has its own gradient divided.", "Add those of the others first."),
        (gradients * 0, "The gradients are all 0 now.", "Zeroing comes after the step."),
    ]


ONE_NUMBER = (
    "Each gradient is one number all over.",
    "The mean goes only over the replicas: torch.stack(gradients).mean(dim=0).",
)


def _unchanged(gradients: Any, returned: Any, frozen: bool) -> MistakeRows:
    """Why the gradients may be as they were, where more than that is known."""
    import torch

    if isinstance(returned, dict):
        returned = list(returned.values())
    if isinstance(returned, list | tuple) and any(isinstance(r, torch.Tensor) for r in returned):
        return [(gradients, "The means are returned; write them into .grad.", "parameter.grad = …")]
    if not frozen:  # all was well before a parameter without a gradient came first
        return []
    return [
        (
            gradients,
            "With the first layer frozen nothing is averaged any more.",
            "`continue` goes on to the next parameter; `break` and `return` end it all.",
        )
    ]


def _check_average(average_gradients: Any, networks: list[Any]) -> Flaw | None:
    import torch

    names = [name for name, p in networks[0].named_parameters() if p.requires_grad]
    weights = [_flat(network, False).clone() for network in networks]
    gradients = torch.stack([_flat(network, True) for network in networks])
    scalars = [p.grad.numel() for p in networks[0].parameters() if p.requires_grad]
    returned = _averaged(average_gradients, networks)
    if not all(torch.equal(w, _flat(n, False)) for w, n in zip(weights, networks, strict=True)):
        return Flaw(
            "The weights have changed.",
            "Only the gradients are exchanged. Each replica's optimizer then takes the same step.",
        )
    for network in networks:
        for name, parameter in network.named_parameters():
            if parameter.requires_grad and parameter.grad is None:
                return Flaw(f"{name} has lost its gradient.", "It should hold the mean.")
            if not parameter.requires_grad and parameter.grad is not None:
                return Flaw(
                    f"The frozen parameter {name} now has a gradient.",
                    "Parameters without one are left out: an optimizer would move what has one.",
                )
    found = torch.stack([_flat(network, True) for network in networks])
    right = gradients.mean(0).expand(len(networks), -1)
    pooled = [part.mean().expand(len(part)) for part in right[0].split(scalars)]
    pieces = list(zip(names, right.split(scalars, 1), gradients.split(scalars, 1), strict=True))
    off = [
        name
        for name, a, b in zip(names, found[0].split(scalars), right[0].split(scalars), strict=True)
        if not torch.allclose(a, b, rtol=1e-4, atol=1e-6)
    ]
    started = [a if name == names[0] else b for name, a, b in pieces]
    mistakes = [
        *_unchanged(gradients, returned, frozen=len(names) < len(list(networks[0].parameters()))),
        *_mean_mistakes(gradients),
        (
            torch.cat(started, 1),
            "Only the first parameter has been averaged: is there a return in the loop?",
            "`return`, if at all, comes behind the loop.",
        ),
        (
            torch.cat(pooled).expand(len(networks), -1),
            *ONE_NUMBER,
        ),
    ]
    otherwise = Flaw(
        f"The gradient of {(off or names)[0]} is not the mean of all, in "
        f"{'the first' if off else 'a later'} replica.",
        "Go through zip(*(replica.parameters() for replica in replicas)): one parameter of all "
        "replicas at a time.",
    )
    return _match(found, right, mistakes, otherwise, 1e-6)


@own_random
def _test_average(average_gradients: Any) -> Flaw | None:
    networks = _replicas(3, frozen=False)
    try:
        flaw = _check_average(average_gradients, networks)
    except RuntimeError as error:
        if "Boolean value of Tensor" in str(error):
            return Flaw(
                "A gradient can't be asked for true or false: it is many numbers.",
                "`is None` asks whether there is one.",
            )
        if "assign a gradient of size '[]'" in str(error):
            return Flaw(*ONE_NUMBER)
        raise
    if flaw is not None:
        return flaw
    weights = [network[0].weight for network in networks]
    if len({weight.grad.data_ptr() for weight in weights}) < len(weights):
        return Flaw(
            "The means are right, but the replicas share one and the same tensor.",
            "What one of them does to it, the others feel: clipping would be done three times. "
            "Give each a copy: .clone(), or grad.copy_(mean).",
        )
    networks = _replicas(2, frozen=True)
    try:
        flaw = _check_average(average_gradients, networks)
    except (AttributeError, TypeError) as error:
        if "None" not in str(error):
            raise
        return Flaw(
            f"A frozen parameter stops it: {error}.",
            "Its .grad is None: leave such a parameter out.",
        )
    return flaw


# --- 7.6: what the wire costs --------------------------------------------------------------------


def _test_ring(ring_seconds: Any) -> Flaw | None:
    def right(n: float, p: int, wire: float, wait: float) -> float:
        return 2 * (p - 1) * (wait + n / (p * wire))

    def mistakes(n: float, p: int, wire: float, wait: float) -> MistakeRows:
        sending, many = n / (p * wire), 2 * (p - 1)  # the bytes of a message, and the messages
        message, brackets = wait + sending, "a / b * c is (a / b) * c: brackets."
        return (
            (2 * p * message, "2p messages are counted.", "A part meets p - 1 others on its way."),
            (
                (p - 1) * message,
                "The ring goes round once.",
                "The first round adds the parts up, the second hands the sums out: twice.",
            ),
            (p * message, "The messages are p.", "Twice round, p - 1 messages each time."),
            (
                many * (wait + n / wire),
                "Each message carries everything.",
                "A part of it: bytes_sent / processes.",
            ),
            (
                (p - 1) * (wait + n / wire),
                "That is p - 1 messages with everything in each.",
                "2(p - 1) of them, each with a part.",
            ),
            (
                wait + many * sending,
                "The latency is paid once.",
                "Each message pays it: they come one after the other.",
            ),
            (
                2 * wait + many * sending,
                "The latency is paid twice.",
                "Once a message, and there are 2(p - 1).",
            ),
            (
                (p - 1) * wait + many * sending,
                "Half of the messages pay the latency.",
                "All 2(p - 1) do.",
            ),
            (many * sending, "The latency is not in it.", "Each message begins with it."),
            (many * wait, "The bytes are not in it.", "A message takes latency + its bytes' time."),
            (many * wait + sending, "One message's bytes are counted.", "All take their time."),
            (2 * message, "Two messages are counted.", "Two rounds, of p - 1 messages each."),
            (message, "That is only one message.", "How many come one after the other?"),
            (wait + n / wire, "That is sending everything once.", "In p parts, twice round."),
            (
                many * (wait + 8 * sending),
                "Bytes are turned into bits.",
                "The bandwidth is in bytes a second too.",
            ),
            (many * (wait + n / p * wire), "It is multiplied by the bandwidth.", brackets),
            (many * (wait + n / wire * p), "It is multiplied by p.", brackets),
            (
                many * (wait + 1 / sending),
                "The fraction stands upside down.",
                "Bytes, divided by bytes a second.",
            ),
            (
                many * (wait + n / ((p - 1) * wire)),
                "All bytes go round twice, as if the parts were bytes / (p - 1).",
                "p processes hold p parts, and of each round one part stays at home: "
                "(p - 1) / p of the bytes travel.",
            ),
            *(
                (
                    many * wait + once,
                    "The bytes go round once; twice is needed.",
                    "As the messages.",
                )
                for once in (n / wire, (p - 1) * sending)
            ),
            (
                many * wait * sending,
                "Latency and transport are multiplied.",
                "One comes after the other: they are added, not multiplied.",
            ),
            (2 * p - 1 * message, "2 * p - 1 is not 2 * (p - 1).", "Times comes before minus."),
            (
                1000 * right(n, p, wire, wait),
                "That is in milliseconds.",
                "Seconds are asked for.",
            ),
        )

    cases = [(240e6, 4, 1.5e9, 0.01), (90e6, 3, 2e9, 0.005), (800e6, 8, 10e9, 0.02)]
    advice = "One message takes latency + (bytes / p) / bandwidth. How many follow each other?"
    found = [want_number(call(ring_seconds, *case), "the time") for case in cases]
    flaw = _compared(ring_seconds, cases, found, right, mistakes, advice)
    if flaw is not None:
        return flaw
    try:
        single = want_number(call(ring_seconds, 240e6, 1, 1.5e9, 0.01), "the time of one process")
    except ZeroDivisionError:
        single = None
    if single != 0:
        result = "divides by zero" if single is None else f"gives {single:g} s"
        return Flaw(f"For one process it {result}.", "It has nobody to send to: 0 seconds.")
    return None


# --- 7.7: the planted bug ------------------------------------------------------------------------


@contextmanager
def _private_random() -> Iterator[None]:
    """Leave the random states of Python, NumPy and torch as they were."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _photos(my_photos: Any, count: int, rank: int, processes: int, epoch: int, dice: int) -> list:
    """The numbers of one process whose own random state starts from `dice`."""
    import torch

    random.seed(dice)
    np.random.seed(dice)
    torch.default_generator.manual_seed(dice)  # only the CPU's: no GPU's state is touched
    value = call(my_photos, count, rank, processes, epoch)
    if isinstance(value, np.ndarray | torch.Tensor):
        value = value.tolist()
    if not isinstance(value, list | tuple | range):
        raise NotYet(
            f"A list of photo numbers was expected; it is {describe(value)}.",
            "order[a:b] is a list already; list(...) makes one of other things.",
        )
    numbers = []
    for number in value:
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise NotYet(
                f"The list holds {describe(number)}, which is no photo's number.",
                "Whole numbers, from 0 on.",
            )
        numbers.append(number.__index__())
        if not 0 <= numbers[-1] < count:
            raise NotYet(
                f"There is no photo {numbers[-1]}: {count} photos have the numbers 0 to "
                f"{count - 1}.",
                "Deal out the entries of list(range(count)).",
            )
    return numbers


def _dealt(my_photos: Any, count: int, processes: int, epoch: int) -> list[list[int]]:
    """What each process reads; asked twice, as two computers would."""
    shares = []
    for rank in range(processes):
        share = _photos(my_photos, count, rank, processes, epoch, 11 + rank)
        if share != _photos(my_photos, count, rank, processes, epoch, 77 + rank):
            raise NotYet(
                "Asked twice for the same process and epoch, it gives two orders.",
                "Processes that roll dice of their own deal from different orders. Which number do "
                "all of them know, and is it another one in each epoch? That is the seed.",
            )
        shares.append(share)
    return shares


def _repeated(numbers: list[int]) -> int:
    """How many numbers stand there more than once."""
    return sum(times > 1 for times in Counter(numbers).values())


def _slides(share: list[int], following: list[int]) -> bool:
    """Whether the next process's share begins inside this one's and goes on behind it."""
    return any(share[i:] == following[:-i] for i in range(1, len(share)))


def _check_deal(shares: list[list[int]], count: int, anew: bool) -> Flaw | None:
    """Whether the photos, a multiple of the processes, are dealt out once each."""
    processes = len(shares)
    everything = sum(shares, [])
    if not everything:
        return Flaw("Nobody reads any photo.", "count // processes photos for each.")
    for rank, share in enumerate(shares):
        if len(set(share)) < len(share):
            return Flaw(
                f"Process {rank} reads a photo twice in one epoch.",
                "Shuffle a list of all numbers, and cut it: then none comes twice.",
            )
    if all(len(share) == count for share in shares):
        return Flaw(
            "Each process reads all the photos.",
            f"A share of them: {count} photos and {processes} processes are "
            f"{count // processes} each.",
        )
    if all(set(share) == set(shares[0]) for share in shares):
        return Flaw(
            "All processes read the same photos: `rank` makes no difference.",
            "order[rank::processes] gives each its own.",
        )
    twice, never = _repeated(everything), count - len(set(everything))
    if twice:
        found = f"Of {count} photos {twice} are read more than once, and {never} by nobody"
        neat = {len(share) for share in shares} == {count // processes}
        if neat and all(_slides(*pair) for pair in pairwise(shares)):
            return Flaw(
                f"{found}: the shares overlap.",
                "order[rank::processes], or from rank * n on, n for each.",
            )
        if anew or not neat:
            return Flaw(
                f"{found}.",
                "Each process must cut its share from the same order. Does yours depend on `rank`?"
                if neat
                else "Print the shares side by side: where does one end, where does the next "
                "begin?",
            )
        return Flaw(
            f"The planted bug is still in. {found}; and the next epoch brings the same order.",
            "A seed of its own for each process deals from different orders. What do all of them "
            "know that changes with the epoch?",
        )
    if len({len(share) for share in shares}) > 1:
        return Flaw(
            f"The processes get {', '.join(str(len(share)) for share in shares)} photos.",
            "Equally many each: the others would wait for the one that has more, at its gradients.",
        )
    if never:
        return Flaw(
            f"{never} of {count} photos are read by nobody, though they could be dealt evenly.",
            f"{count // processes} for each of {processes} processes.",
        )
    return None


@own_random
def _test_photos(my_photos: Any) -> Flaw | None:
    with _private_random():
        count, processes = 24, 4
        epochs = [_dealt(my_photos, count, processes, epoch) for epoch in range(4)]
        flaw = _check_deal(epochs[0], count, epochs[0] != epochs[1])
        if flaw is not None:
            return flaw
        for epoch in range(1, 4):
            flaw = _check_deal(epochs[epoch], count, True)
            if flaw is not None:
                return Flaw(f"In epoch {epoch}: {flaw.mistake}", flaw.advice)
        if all(share == sorted(share) for share in epochs[0]):
            return Flaw(
                "Each process reads its photos in ascending order.",
                "They come as the folder has them, neighbors together: shuffle first.",
            )
        steps = {(b - a) % count for share in epochs[0] for a, b in pairwise(share)}
        if len(steps) == 1:
            return Flaw(
                "The photos follow each other at a fixed distance.",
                "Turning the list round is not shuffling it: random.Random(seed).shuffle(order).",
            )
        if any(epochs[a] == epochs[b] for a in range(4) for b in range(a)):
            return Flaw(
                "Photos and processes fit, but the order is the same again in another epoch.",
                "The seed must be known to all processes, and new in each epoch.",
            )
        if all([*map(set, shares)] == [*map(set, epochs[0])] for shares in epochs):
            return Flaw(
                "Each process reads the same photos in each epoch, only in another order.",
                "Shuffle all, then deal: so each process comes to see all the photos.",
            )
        for count, processes in ((26, 4), (11, 3), (9, 1)):
            flaw = _check_remainder(_dealt(my_photos, count, processes, 5), count)
            if flaw is not None:
                return flaw
    return None


def _check_remainder(shares: list[list[int]], count: int) -> Flaw | None:
    """Whether up to processes - 1 photos are left out, and the others dealt out once each."""
    processes, everything = len(shares), sum(shares, [])
    said = f"{count} photos for {processes} process{'es' if processes > 1 else ''}"
    sizes = [len(share) for share in shares]
    if len(set(sizes)) > 1:
        return Flaw(
            f"With {said} they get {', '.join(map(str, sizes))}: not equally many.",
            "The others would wait for who has more. Cut the order to count // processes * "
            "processes before you deal.",
        )
    twice = _repeated(everything)
    if twice and sizes[0] == -(-count // processes):
        return Flaw(
            f"With {said} it comes out even because some photos are read twice ({twice}).",
            "Here the last ones are left out instead. (torch's DistributedSampler can do either: "
            "drop_last.)",
        )
    if twice:
        return Flaw(f"With {said} some are read twice ({twice}).", "Print the shares side by side.")
    if sizes[0] != count // processes:
        return Flaw(
            f"With {said} each gets {sizes[0]}; {count // processes} are possible.",
            "At most processes - 1 are left out: count // processes for each.",
        )
    return None


EXERCISES = (
    Exercise(
        name="7.1",
        title="A fair stopwatch",
        difficulty=1,
        minutes=8,
        start=(
            "Which of the calls says nothing about the others? And which single number stands for "
            "the rest, whatever one hiccup does?"
        ),
        test=_test_stopwatch,
        solved="One slow call, the first above all, can no longer mislead you.",
    ),
    Exercise(
        name="7.2",
        title="What a convolution costs",
        difficulty=2,
        minutes=10,
        start=(
            "Take one number of the output: how many multiplications and additions make it? Then "
            "count such numbers."
        ),
        test=_test_conv_cost,
        solved="That is what torch's own counter says, too.",
    ),
    Exercise(
        name="7.3",
        title="The step in half precision",
        difficulty=3,
        minutes=12,
        start=(
            "Mark in full_step what is a forward pass, what is a loss, and what steps. Which of "
            "the three belongs under autocast, and which is the scaler's?"
        ),
        test=_test_half_step,
        solved="The largest rung of the ladder, by your own hand.",
        seconds=60.0,  # as 7.4
    ),
    Exercise(
        name="7.4",
        title="One large batch in parts",
        difficulty=2,
        minutes=10,
        start=(
            "What does a second backward() do to the gradients that are there already? And how do "
            "the means of the parts make the mean of the whole?"
        ),
        test=_test_accumulate,
        solved="The batch is as large as you like, and the memory that of one part.",
        seconds=60.0,  # the first optimizer of a session has torch import much, on any machine
    ),
    Exercise(
        name="7.5",
        title="The gradients' mean",
        difficulty=2,
        minutes=10,
        start=(
            "Which weights belong together? Every replica lists its parameters in the same order."
        ),
        test=_test_average,
        solved="Equal weights, equal gradients, equal steps: the replicas stay equal.",
    ),
    Exercise(
        name="7.6",
        title="What the wire costs",
        difficulty=2,
        minutes=8,
        start=("How many turns has the ring, and how large is the message of one turn?"),
        test=_test_ring,
        solved="With more processes the bytes hardly cost more; the latencies do.",
    ),
    Exercise(
        name="7.7",
        title="The planted bug",
        difficulty=2,
        minutes=8,
        start="What must all processes agree on, and what should differ between epochs?",
        test=_test_photos,
        solved="No error, a falling loss: and with four processes a third of the photos unread.",
    ),
)
