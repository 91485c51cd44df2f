"""The testers of lesson 08: a pretrained encoder, color as a distribution, and hints."""

from __future__ import annotations

import functools
import math
from typing import Any

from colorlab.course.checks.encoders import (
    call_for_effect,
    flaw_of_frozen,
    flaw_of_groups,
    maps_and_ups,
    small_net,
    two_groups,
    walk,
)
from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    call,
    describe,
    match,
    match_tensor,
    own_random,
    want_number,
    want_tensor,
)
from colorlab.course.checks.networks import Mistakes, mistakes

# --- 8.1: join the encoder -----------------------------------------------------------------------


@own_random
def _test_join(join: Any) -> Flaw | None:
    for count in (5, 3):
        features, ups, given, log = maps_and_ups(count)
        result = call(join, features, ups, pure=True)
        maps, blocks = range(count), range(count - 1)
        *skips, bottom = maps
        right = walk(bottom, skips[::-1], blocks)
        known = mistakes(
            (
                "The skips come finest first: the first up block meets the largest one.",
                "Compare the sizes of the bottom map and of each skip. Which one fits first?",
                walk(bottom, skips, blocks),
            ),
            (
                "The walk starts at the finest map.",
                "The docstring says how `features` is ordered. Where is the bottom of the U?",
                *(walk(0, some, blocks) for some in (maps[1:], maps[:0:-1], maps)),
            ),
            (
                "The up blocks are walked from the wrong end.",
                "Look up in the docstring in which order `ups` comes.",
                *(walk(bottom, some, blocks[::-1]) for some in (skips, skips[::-1])),
            ),
            (
                "The bottom map goes in twice: as x and as a skip.",
                "There is one up block fewer than maps. Which map has no partner?",
                *(walk(bottom, some, blocks) for some in (maps[::-1], [bottom] * count)),
            ),
            (
                "Each block gets x as its skip too.",
                "Which map of the encoder has the size that the block's output will have?",
                [(up, x, x) for up, x, _ in right],
            ),
            (
                "x and skip have changed places.",
                "Look up the order of the two arguments in the docstring.",
                [(up, skip, x) for up, x, skip in right],
            ),
            (
                "Each block starts from the bottom map again.",
                "What should the next block take up?",
                [(up, bottom, skip) for up, _, skip in right],
            ),
            (
                f"{len(log)} of {count - 1} up blocks are walked, and the finest skips are left.",
                "Count what your loop takes, and look at where `return` stands.",
                *(right[:end] for end in blocks),
            ),
        )
        names = {i: f"features[{i}]" for i in maps} | {-1 - i: f"ups[{i}]'s map" for i in blocks}
        names[math.inf] = "another map"
        calls = [f"ups[{up}]({names[x]}, {names[skip]})" for up, x, skip in log]
        otherwise = Flaw(
            f"The walk went another way: {', then '.join(calls)}.",
            "Write down for each block which two maps it needs, and of which size.",
        )
        flaw = match(log, right, known, otherwise)
        if flaw is not None:
            return flaw
        result = want_tensor(result, what="the result")
        if match(result, given[-1], (), otherwise) is not None:
            return Flaw(
                f"The walk is right, but a map of shape {tuple(result.shape)} comes back.",
                "Which variable holds what the last block gave?",
            )
    return None


# --- 8.2 and 8.3: a network with an encoder ------------------------------------------------------


@own_random
def _test_groups(parameter_groups: Any) -> Flaw | None:
    for rate, share in ((0.002, 0.1), (0.5, 0.25)):
        net, _ = small_net()
        names = {id(parameter): name for name, parameter in net.named_parameters()}
        groups = two_groups(parameter_groups, net, rate, share)
        entries = [list(one["params"]) for one in groups]
        strange = [one for group in entries for one in group if id(one) not in names]
        if strange:
            return Flaw(
                f"{len(strange)} entries are no parameters of net, such as {describe(strange[0])}.",
                "An optimizer moves parameters: no names, no buffers, no copies from state_dict().",
            )
        listed = [[names[id(one)] for one in group] for group in entries]
        flaw = flaw_of_groups(*listed, list(names.values()))
        if flaw:
            return flaw
        found = [want_number(one["lr"], "a group's learning rate") for one in groups]
        known = mistakes(
            (
                "The encoder's learning rate is the share itself.",
                "A share of what? Try a rate of 1 and one of 0.001.",
                (rate, share),
            ),
            (
                "The two learning rates have changed places.",
                "Which part has already learned, and is to move less?",
                (rate * share, rate),
            ),
            ("The share is not used.", "Which group does it belong to?", (rate, rate)),
            (
                "The share counts for both groups.",
                "The new layers know nothing yet. Which rate is theirs?",
                (rate * share, rate * share),
            ),
        )
        otherwise = Flaw(
            f"For rate {rate:g} and share {share:g} the learning rates should be {rate:g} and "
            f"{rate * share:g}; yours are {found[0]:g} and {found[1]:g}.",
            "Print both for a share of 1: they should be equal then.",
        )
        flaw = match(found, (rate, rate * share), known, otherwise, 0)
        if flaw is not None:
            return flaw
    return None


@own_random
def _test_frozen(train_frozen: Any) -> Flaw | None:
    import torch

    for begins_in_training in (True, False):
        net, modes = small_net()
        net.train(begins_in_training)
        modes.clear()
        before = {name: value.clone() for name, value in net.state_dict().items()}
        call_for_effect(train_frozen, net)
        rest = [p for name, p in net.named_parameters() if not name.startswith("encoder.")]
        frozen = sum(not parameter.requires_grad for parameter in rest)
        if frozen:
            return Flaw(
                f"{frozen} of {len(rest)} parameters outside the encoder are frozen too.",
                "Freeze the pretrained part alone. What does net.parameters() walk through?",
            )
        if not net.training or not all(part.training for part in net.ups.modules()):
            return Flaw(
                "The new layers are in eval mode too."
                if begins_in_training
                else "A network that comes in eval mode stays in it, new layers included.",
                "Their norms learn no averages this way. Which part alone is to be in eval mode?",
            )
        optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
        photos = torch.rand(4, 1, 6, 6)
        for _ in range(2):
            optimizer.zero_grad()
            (net(photos) - 1).square().mean().backward()
            optimizer.step()
        moved = {
            name: float((value - before[name]).abs().max())
            for name, value in net.state_dict().items()
            if name.startswith("encoder.") and not torch.equal(value, before[name])
        }
        flaw = flaw_of_frozen(net.encoder, moved, modes)
        if flaw is not None:
            return flaw
        with torch.no_grad():
            apart = float((net.encoder(photos)[:1] - net.encoder(photos[:1])).abs().max())
        if apart > 1e-5:
            return Flaw(
                f"The averages stay, but a photo's features move by {apart:.2f} with its batch.",
                "So the norms are still in training mode. Leave their settings as they were.",
            )
    return None


# --- 8.4: soft encoding --------------------------------------------------------------------------


def _soft(ab: Any, centers: Any) -> Any:
    """The right shares, by loops in float64."""
    import torch

    shares = torch.zeros(len(ab), len(centers), dtype=torch.float64)
    for row, color in zip(shares, ab.tolist(), strict=True):
        distance = [math.dist(color, center) for center in centers.tolist()]
        for i in sorted(range(len(distance)), key=distance.__getitem__)[:5]:
            row[i] = math.exp(-(distance[i] ** 2) / (2 * 5**2))
        row /= row.sum()
    return shares


def _soft_mistakes(ab: Any, centers: Any) -> Mistakes:
    import torch

    distance = torch.cdist(ab.double(), centers.double())
    near, where = distance.topk(5, largest=False)
    far, there = distance.topk(5)
    bell = torch.exp(-(near**2) / 50)

    def laid(values: Any, places: Any = where) -> Any:
        return torch.zeros_like(distance).scatter(1, places, values)

    def shared(exponent: Any, places: Any = where) -> Any:
        return laid(torch.softmax(exponent, 1), places)

    return mistakes(
        (
            "Each color goes to its nearest center alone.",
            "The loss should know that the next one is nearly right. How many share a color?",
            laid(torch.ones_like(near[:, :1]), where[:, :1]),
        ),
        (
            f"The rows don't sum to 1: the first one sums to {float(bell[0].sum()):.3f}.",
            "What makes shares of weights?",
            laid(bell),
        ),
        (
            "The shares are not divided among the five nearest centers alone.",
            "In which order do you choose the five, weight them, and make shares?",
            torch.softmax(-(distance**2) / 50, 1),
            torch.softmax(laid(-(near**2) / 50), 1),
            laid(torch.softmax(-(distance**2) / 50, 1).gather(1, where)),
        ),
        (
            "The Gaussian is too narrow: σ stands there without its square.",
            "Compare the power of σ with the docstring's.",
            shared(-(near**2) / 10),
        ),
        (
            "The Gaussian is too narrow: the factor 2 is missing.",
            "Compare what stands below the distance with the docstring.",
            shared(-(near**2) / 25),
        ),
        (
            "The distance enters without its square.",
            "A norm is a root. What does the docstring put into the exponent?",
            shared(-near / 50),
            shared(-near / 10),
        ),
        (
            "What is farther gets more.",
            "Which sign has the distance, and which end of a list does topk take?",
            shared(near**2 / 50),
            shared(far**2 / 50, there),
            shared(-(far**2) / 50, there),
        ),
        (
            "Distances are measured in ab/110, so all five count nearly alike.",
            "σ is in CIE units. In which units are ab and centers?",
            shared(-((near / 110) ** 2) / 50),
            _soft(ab / 110, centers),
        ),
        (
            "The wrong axis: colors share a center.",
            "Of (N, Q), which axis runs over the centers?",
            laid(bell) / laid(bell).sum(0),
            laid(torch.softmax(-(near**2) / 50, 0)),
            torch.softmax(-(distance**2) / 50, 0),
            _soft(centers, ab).T,
        ),
        (
            "Those are the five shares alone, without their places.",
            "Where in a row for all centers does each of them belong?",
            torch.softmax(-(near**2) / 50, 1),
        ),
    )


@own_random
def _test_soft(soft_encode: Any) -> Flaw | None:
    import torch

    lattice = torch.cartesian_prod(torch.arange(-3.0, 4), torch.arange(-2.0, 3)) * 10
    centers = lattice[torch.randperm(len(lattice))]
    for count in (7, 1):
        ab = (torch.rand(count, 2) - 0.5) * torch.tensor([60.0, 40.0])
        result = call(soft_encode, ab, centers, pure=True)
        away = torch.cdist(ab, centers)
        flaw = match_tensor(
            result,
            _soft(ab, centers),
            _soft_mistakes(ab, centers) if count > 5 else (),
            "the shares",
            lambda n, q, away=away: f"The share of a center at distance {away[n, q]:.2f}",
            "Take one color, and print its five distances, the weights, and their sum.",
        )
        if flaw is not None:
            return flaw
    return None


# --- 8.5: rare colors count more -----------------------------------------------------------------


@own_random
def _test_weights(class_weights: Any) -> Flaw | None:
    import torch

    # An uneven λ first: with one half, its two places can't be told apart.
    for colors, given in (([40, 25, 15, 10, 6, 3, 1], (0.2,)), ([6, 3, 1], ()), ([7, 0, 3], ())):
        frequency = torch.tensor(colors) / sum(colors)
        result = call(class_weights, frequency, *given, pure=True)
        p, λ, Q = frequency.double(), (given or (0.5,))[0], len(frequency)
        raw = 1 / ((1 - λ) * p + λ / Q)
        right = raw / (p * raw).sum()
        turned = 1 / (λ * p + (1 - λ) / Q)
        lone = 1 / ((1 - λ) * p + λ)
        known = mistakes(
            (
                "Those are inverse frequencies, without the uniform part.",
                "What becomes of the weight of a color that never occurs?",
                *(1 / p, 1 / p / (1 / p).mean(), 1 / p / (p / p).sum()),
            ),
            (
                f"The mean weight of a pixel is {float((p * raw).sum()):.3f}, not 1.",
                "Which sum in the docstring gives it, and what brings it to 1?",
                raw,
            ),
            (
                "The scale counts each bin once.",
                "Gray pixels are many, orange ones few. What is the mean over pixels?",
                *(raw / raw.mean(), raw / raw.sum()),
            ),
            (
                "λ stands the wrong way round.",
                "With uniform = 1 all bins should count alike. Put 1 into your line.",
                *(turned, turned / (p * turned).sum()),
            ),
            (
                "Frequent colors count more: the inverse is missing.",
                "Which weight should a color have that occurs half as often?",
                *(1 / raw, 1 / raw / (p / raw).sum()),
            ),
            (
                "The uniform part is not divided among the bins.",
                "In a distribution over Q bins that are all alike, how much has each?",
                *(lone, lone / (p * lone).sum()),
            ),
        )
        flaw = match_tensor(
            result,
            right,
            known,
            "the weights",
            lambda i, p=p, λ=λ: f"With uniform {λ:g} the weight of a bin of frequency {p[i]:.3f}",
            "Compute mixture, inverse and scale on three lines, and print each.",
        )
        if flaw is not None:
            return flaw
    return None


# --- 8.6: the annealed mean ----------------------------------------------------------------------


def _mean_mistakes(logits: Any, centers: Any, T: float) -> Mistakes:
    import torch

    plain = torch.softmax(logits, 1)
    averaged = torch.softmax(logits.mean(0) / T, 0) @ centers
    return mistakes(
        (
            "The temperature makes the distribution flatter where it should sharpen it.",
            "Below 1 the differences between logits should grow. What makes them grow?",
            torch.softmax(logits * T, 1) @ centers,
        ),
        (
            "That is the likeliest color, as if the temperature were 0.",
            "All colors count, each with its share.",
            centers[logits.argmax(1)],
        ),
        ("The temperature is not used.", "It belongs to the logits.", plain @ centers),
        (
            "The temperature comes after the softmax.",
            "Shares have to sum to 1. Which numbers before them are free to grow?",
            *(some @ centers for some in (plain / T, plain * T, plain ** (1 / T))),
            torch.softmax(plain / T, 1) @ centers,
        ),
        (
            "The softmax runs over the pixels.",
            "Of (N, Q), which axis runs over the colors? There the shares sum to 1.",
            torch.softmax(logits / T, 0) @ centers,
        ),
        (
            "The logits weigh the colors by themselves, without a softmax.",
            "Logits may be negative, and sum to anything. What makes shares of them?",
            *(some @ centers for some in (logits, logits / T)),
        ),
        (
            "The logits are averaged over the pixels: all pixels get one color.",
            "Each pixel has a distribution of its own.",
            *(averaged, averaged.expand(len(logits), 2)),
        ),
    )


@own_random
def _test_annealed(annealed_mean: Any) -> Flaw | None:
    import torch

    centers = torch.tensor([[60.0, 45], [-40, 35], [10, -50], [0, 0], [25, 60], [-20, -10]])
    sharp = torch.tensor([[9.0, 8.6, -3, 0, 2, -9], [-8, 12, 11.7, 3, 1, 2]])
    for logits, T in ((2 * torch.randn(4, 6), 0.38), (torch.randn(1, 6), 1.0), (sharp, 0.05)):
        result = call(annealed_mean, logits, centers, T, pure=True)
        if logits is sharp and isinstance(result, torch.Tensor) and bool(result.isnan().any()):
            return Flaw(
                f"At temperature {T}, {int(result.isnan().sum())} numbers are NaN: exp(240) is "
                "infinite in float32.",
                "Shares stay the same if all logits of a pixel shrink by one number. torch has a "
                "function that makes use of it.",
            )
        flaw = match_tensor(
            result,
            torch.softmax(logits.double() / T, 1) @ centers.double(),
            _mean_mistakes(logits, centers, T) if len(logits) == 4 else (),
            "the mean color",
            lambda n, i, T=T: f"At temperature {T:g} {'ab'[i]} of pixel {n}",
            "Print one pixel's shares. Do they sum to 1, and are they sharper than at 1?",
        )
        if flaw is not None:
            return flaw
    return None


# --- 8.7: hints, simulated -----------------------------------------------------------------------


def _laid(
    ab: Any, places: Any, sides: Any, *, color: str = "mean", turned: bool = False,
    lone: bool = False, added: bool = False,
) -> Any:  # fmt: skip
    """The planes of hints; the options make well-known mistakes."""
    planes = ab.new_zeros(3, *ab.shape[1:])
    for (top, left), side in zip(places, sides, strict=True):
        first = (left, top) if turned else (top, left)
        rows, columns = (slice(start, start + side) for start in first)
        patch = ab[:, rows, columns]
        middle = slice(side // 2, side // 2 + 1)
        shown = {
            "mean": patch.mean((1, 2), keepdim=True),
            "copy": patch,
            "center": patch[:, middle, middle],
            "corner": patch[:, :1, :1],
            "photo": ab.mean((1, 2), keepdim=True),
            "one": patch.mean(),
        }[color]
        hint = ab.new_ones(3, side, side)
        hint[:2] = shown
        area = planes[:, rows, columns]
        if lone:
            area, hint = area[:, middle, middle], hint[:, middle, middle]
        area.copy_(area + hint if added else hint)
    return planes


def _hint_mistakes(ab: Any, places: Any, sides: Any) -> Mistakes:
    import torch

    laid = functools.partial(_laid, ab, places, sides)
    right, summed = laid(), laid(added=True)
    mask = right[2:]
    return mistakes(
        (
            "Each patch shows the photo's own colors, pixel by pixel.",
            "A user picks one color for a patch. Which one stands for all of it?",
            laid(color="copy"),
        ),
        (
            "The mask says the same everywhere.",
            "A hint of gray is 0 in a and b. What tells the network where hints lie?",
            *(torch.cat([right[:2], torch.full_like(mask, same)]) for same in (0.0, 1.0)),
        ),
        (
            "A hint of gray has no mask.",
            "Gray is 0 in a and b. Can the mask be read off the colors?",
            torch.cat([right[:2], (right[:2] != 0).any(0, keepdim=True).to(right)]),
        ),
        (
            "Rows and columns have changed places.",
            "A place is (top, left), a plane is (H, W). Which of the two counts rows?",
            laid(turned=True),
        ),
        (
            "Where patches meet, they are added.",
            "The docstring says which hint holds there.",
            *(summed, torch.cat([summed[:2], mask])),
        ),
        (
            "Where patches meet, the first one holds.",
            "A user who clicks again has changed their mind.",
            _laid(ab, places[::-1], sides[::-1]),
        ),
        (
            "One pixel stands for the whole patch.",
            "How many pixels does a hint cover, and how many have a say in its color?",
            *(laid(color="center"), laid(color="corner")),
            *(laid(lone=True), laid(lone=True, color="center")),
        ),
        (
            "The mean is taken over too many numbers.",
            "Which pixels does the hint lie on? And a color is two numbers: what of the axes?",
            *(laid(color="photo"), laid(color="one")),
        ),
        (
            "The mask is the first plane.",
            "The docstring names the planes in their order.",
            torch.cat([mask, right[:2]]),
        ),
        (
            "The true colors stand between the hints too.",
            "Then nothing is left to predict. What stands where no hint lies?",
            *(torch.cat([some, mask]) for some in (ab, torch.where(mask > 0, right[:2], ab))),
        ),
    )


@own_random
def _test_hints(lay_hints: Any) -> Flaw | None:
    import torch

    cases = (
        ((14, 18), [(3, 5), (6, 8), (9, 2), (7, 10)], [5, 5, 3, 1]),  # the first two meet
        ((12, 9), [(0, 0), (6, 3), (8, 5)], [4, 6, 4]),  # at the edges, with even sides
        ((6, 8), [], []),
    )
    for size, places, sides in cases:
        ab = torch.rand(2, *size) * 1.6 - 0.8
        for (top, left), side in zip(places[2:3], sides[2:3], strict=True):
            ab[:, top : top + side, left : left + side] = 0  # a hint of gray, which has a mask too
        result = call(lay_hints, ab, places, sides, pure=True)
        flaw = match_tensor(
            result,
            _laid(ab, places, sides),
            _hint_mistakes(ab, places, sides) if 1 in sides else (),
            "the planes",
            lambda plane, row, column: f"At row {row}, column {column} of plane {plane} the number",
            f"The places are {places}, the sides {sides}. Lay the hints by hand.",
        )
        if flaw is not None:
            return flaw
    return None


EXERCISES = (
    Exercise(
        name="8.1",
        title="Join the encoder",
        difficulty=2,
        minutes=10,
        start="Look at the maps' shapes. Which one fits the map that the first up block gives?",
        test=_test_join,
        solved="Any encoder that gives maps of halving sizes fits into this walk.",
    ),
    Exercise(
        name="8.2",
        title="Two learning rates",
        difficulty=1,
        minutes=5,
        start="Look at the names in net.named_parameters(). What tells the encoder's from others?",
        test=_test_groups,
        solved="What has learned already moves a little, what is new moves fast.",
    ),
    Exercise(
        name="8.3",
        title="The planted bug",
        difficulty=3,
        minutes=15,
        start="Look at what net.encoder.named_buffers() gives. What changes it, and when?",
        test=_test_frozen,
        solved="A norm learns without a gradient, and each later net.train() wakes it up again.",
    ),
    Exercise(
        name="8.4",
        title="Soft encoding",
        difficulty=3,
        minutes=15,
        start="Look at one color alone. How far are all centers from it, and which five are next?",
        test=_test_soft,
        solved="Near misses now cost less than far ones.",
    ),
    Exercise(
        name="8.5",
        title="Rare colors count more",
        difficulty=2,
        minutes=10,
        start="Look at the rarest color. What does it weigh for uniform = 0, and what for 1?",
        test=_test_weights,
        solved="Orange may shout now, and the loss keeps its size.",
    ),
    Exercise(
        name="8.6",
        title="The annealed mean",
        difficulty=2,
        minutes=10,
        start="Look at the logits 2 and 1. What should become of their shares at temperature 0.5?",
        test=_test_annealed,
        solved="One number between the brown mean and the patchy mode.",
    ),
    Exercise(
        name="8.7",
        title="Hints, simulated",
        difficulty=2,
        minutes=15,
        start="Look at one hint alone. Which rows and columns does it cover in the three planes?",
        test=_test_hints,
        solved="The photo itself plays the user, and no one has to click.",
    ),
)
