"""Two small networks for the testers of lesson 06, and what can be said of their steps.

A mistake is found by repeating it: `explain` looks for the one that gives the very numbers and
weights that the learner's code gave, and names none where none does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any

from colorlab.course.checks.exercise import Flaw, NotYet, load_optimizers, match, want_number

Round = dict[str, Any]  # what one call gave: numbers by name, and the weights of "D" and "G"
Replay = Callable[..., list[Round]]  # computes all rounds anew, with the mistakes in its arguments
Mistakes = Sequence[tuple[dict[str, Any], Flaw]]


def mistakes(*rows: tuple[Any, ...]) -> Mistakes:
    """From rows of a finding, an advice, and one or more ways to make that mistake."""
    return tuple((how, Flaw(*row[:2])) for row in rows for how in row[2:])


def two_networks(*, norm: bool = False) -> SimpleNamespace:
    """G, D, for_G and for_D, the same each time, and `log`: what has been done with them.

    norm: G has a batch norm, so that its mode shows. D has none: whether it sees real and fake in
    one batch or in two must make no difference.
    """
    import torch
    from torch import nn

    load_optimizers()
    log: list[str] = []

    class Generator(nn.Sequential):
        def forward(self, L: Any) -> Any:
            log.append("G colors")
            return super().forward(L)

    class Discriminator(nn.Sequential):
        def forward(self, pictures: Any) -> Any:
            if pictures.dim() == 4 and pictures.shape[1] == 2:
                raise NotYet(
                    "D sees only colors, without the photo that they belong to.",
                    "D needs three channels: L comes first.",
                )
            log.append("D looks at G" if pictures.requires_grad else "D looks")
            return super().forward(pictures)

    class Spied(torch.optim.SGD):
        def __init__(self, net: Any, who: str) -> None:
            super().__init__(net.parameters(), lr=0.5)
            self.who = who

        def step(self, *args: Any, **options: Any) -> Any:
            gradients = [p.grad for group in self.param_groups for p in group["params"]]
            if not any(gradient is not None and bool(gradient.any()) for gradient in gradients):
                log.append(f"{self.who} has none")
            log.append(f"{self.who} steps")
            return super().step(*args, **options)

    torch.manual_seed(6)
    G = Generator(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4) if norm else nn.Identity(),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 2, 3, padding=1),
        nn.Tanh(),
    )
    D = Discriminator(nn.Conv2d(3, 4, 3, stride=2), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 2))
    gradients: list[Any] = []  # of G's first weights, each time that they get one
    G[0].weight.register_hook(
        lambda gradient: (log.append("G learns"), gradients.append(gradient))[0]
    )
    D[0].weight.register_hook(lambda gradient: log.append("D learns"))
    return SimpleNamespace(
        G=G, D=D, for_G=Spied(G, "G"), for_D=Spied(D, "D"), log=log, gradients=gradients
    )


def batches(number: int) -> list[tuple[Any, Any]]:
    """Pairs of L ``(3, 1, 9, 9)`` and true ab ``(3, 2, 9, 9)``."""
    import torch

    random = torch.Generator().manual_seed(7)

    def batch() -> tuple[Any, Any]:
        L = torch.rand(3, 1, 9, 9, generator=random) * 2 - 1
        return L, torch.tanh(torch.randn(3, 2, 9, 9, generator=random) + 0.4)

    return [batch() for _ in range(number)]


def weights_of(net: Any) -> Any:
    import torch

    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def discriminator_loss(
    D: Any, L: Any, truth: Any, ours: Any, *, parts: Sequence[float] = (0.5, 0.5),
    learns: Sequence[bool] = (True, True), swapped: bool = False, sigmoid: bool = False,
    turned: bool = False, total: bool = False, called: Sequence[int] = (1, 0),
    real_label: float = 1.0, squares: bool = False,
) -> Any:  # fmt: skip
    """D's loss; the options make well-known mistakes. called: what D is to say of both kinds."""
    import torch
    import torch.nn.functional as F

    looks = []
    for ab, learn in zip((truth, ours), learns, strict=True):
        logits = D(torch.cat([ab, L] if turned else [L, ab], 1))
        logits = logits if learn else logits.detach()
        looks.append(torch.sigmoid(logits) if sigmoid else logits)
    if swapped:
        looks.reverse()
    if squares:
        on_real, on_fake = (looks[0] - 1) ** 2, looks[1] ** 2
    else:
        on_real, on_fake = (
            F.softplus(-x if label else x) for x, label in zip(looks, called, strict=True)
        )
        on_real = on_real + (1 - real_label) * looks[0]
    if total:
        return parts[0] * on_real.sum() + parts[1] * on_fake.sum()
    return parts[0] * on_real.mean() + parts[1] * on_fake.mean()


def same(found: Any, other: Any) -> bool:
    """Whether two arrays, tensors or numbers are equal but for rounding."""
    return match(found, other, [], Flaw("Not the same."), 2e-6) is None


def explain(
    order: Sequence[str],
    rounds: Sequence[Round],
    replay: Replay,
    known: Mistakes,
    seen: Callable[[str], Flaw | None],
    by_value: Mapping[str, Sequence[tuple[float, Flaw]]] = MappingProxyType({}),
) -> Flaw | None:
    """The finding about the last of `rounds`, all before it being right; None if it is right, too.

    Args:
        order: the keys of a round in the order in which they come about. What went wrong first is
            explained, as all after it follows from it.
        replay: without arguments the right rounds.
        known: what `replay` can make wrong, each with its flaw.
        seen: findings about a key that need no comparison with the right rounds.
        by_value: numbers that say by themselves what they are, by key.
    """
    last, right = len(rounds) - 1, replay()[: len(rounds)]
    for at, key in enumerate(order):
        flaw = seen(key)
        if flaw is not None:
            return flaw
        found, wanted = rounds[last][key], right[last][key]
        if same(found, wanted):
            continue
        until = order[: at + 1]
        for how, flaw in known:
            played = replay(**how)[: len(rounds)]
            pairs = zip(rounds, played, strict=True)
            if all(
                same(ours[k], theirs[k])
                for number, (ours, theirs) in enumerate(pairs)
                for k in (order if number < last else until)
            ):
                return flaw
        if key in ("D", "G"):
            when = f" in call {last + 1}; before that it was right" if last else ""
            return Flaw(
                f"{key} moves, but not one step down {key}'s loss{when}.",
                "Follow that network's three lines, zero_grad, backward and step, in this order.",
            )
        otherwise = Flaw(
            f'"{key}" should be {wanted:.4f} in this check; yours is {found:.4f}.',
            "Print each of its terms on a line of its own.",
        )
        return match(found, wanted, by_value.get(key, ()), otherwise, 2e-6)
    return None


def _unmoved(who: str, networks: SimpleNamespace) -> Flaw:
    """Why a network's weights stay as they were, as far as the log says."""
    log = networks.log
    learned, stepped = f"{who} learns" in log, f"{who} steps" in log
    if not learned:
        return Flaw(
            f"{who} has not moved: no gradient came to its weights.",
            f"{who}'s loss wants a backward() before the step, and nothing on the way may cut it "
            "off.",
        )
    if not stepped:
        return Flaw(
            f"{who} has gradients, and its weights stay as they are.",
            f"backward only fills .grad: {who}'s optimizer must step() down {who}'s own loss.",
        )
    if f"{who} has none" not in log:
        return Flaw(f"{who}'s step moves nothing.", "Leave the optimizer's settings as they are.")
    if log.index(f"{who} steps") < log.index(f"{who} learns"):
        return Flaw(
            f"{who}'s step is taken before any gradient is there, and so moves nothing.",
            "Which of the two fills .grad, and which uses it?",
        )
    return Flaw(
        f"{who}'s gradient is thrown away between backward and step: nothing moves.",
        "At which moment may the gradients be empty?",
    )


def steps_of(networks: SimpleNamespace) -> list[str]:
    """Whose optimizers have stepped, in order: ["D", "G"] in a right step."""
    return [line[0] for line in networks.log if line.endswith(" steps")]


def half_by_half(networks: SimpleNamespace) -> Flaw | None:
    """The finding where D learns once more between two steps of its own."""
    log = networks.log
    if log.count("D steps") < 2:
        return None
    first = log.index("D steps")
    between = log[first : log.index("D steps", first + 1)]
    if "D learns" not in between or "G learns" in between:
        return None
    return Flaw("D steps twice, once for each half.", "Its loss is the sum of both halves.")


def moved_oddly(who: str, before: Any, networks: SimpleNamespace) -> Flaw | None:
    """What the log says about a network's step, without the right one."""
    import torch

    log = networks.log
    if torch.equal(before, weights_of(getattr(networks, who))):
        return _unmoved(who, networks)
    if f"{who} steps" not in log:
        return Flaw(
            f"{who}'s weights move, but not by the optimizer that came in.",
            "Adam keeps its means there: call step() of the argument, and make no new optimizer.",
        )
    if log.count(f"{who} steps") > 1:
        return Flaw(
            f"{who}'s optimizer steps {log.count(f'{who} steps')} times in one call.",
            "One step() of each optimizer is due, no more.",
        )
    return None


def left_behind(networks: SimpleNamespace) -> Flaw | None:
    """What a call must not leave changed: the mode, and whether the weights can learn."""
    for who, net in (("G", networks.G), ("D", networks.D)):
        if not all(parameter.requires_grad for parameter in net.parameters()):
            return Flaw(
                f"{who} is left frozen: its weights want no gradient any more.",
                f"What {who}.requires_grad_(False) switches off, requires_grad_(True) must switch "
                "on again at the end.",
            )
        if not net.training:
            return Flaw(
                f"{who} is left in eval mode.", "Leave the modes to whoever calls your function."
            )
    return None


def lone_number(value: Any, what: str) -> float:
    if getattr(value, "requires_grad", False) is True and getattr(value, "shape", None) == ():
        raise NotYet(
            f"{what[:1].upper()}{what[1:]} comes back as a tensor that holds on to its graph.",
            "A list of them fills the memory. A plain number was asked for.",
        )
    return want_number(value, what)
