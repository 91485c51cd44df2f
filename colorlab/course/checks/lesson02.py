"""The testers of lesson 02: tensors, squares, pairs, splits, toned photos, a difference hash."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    NotYet,
    call,
    describe,
    match,
    want_array,
    want_number,
)

_CONVERT = (
    'image.convert("RGB") gives a new image with three channels, and leaves the old one alone.'
)


def _not_a_tensor(value: Any, what: str) -> Flaw:
    return Flaw(
        f"A torch tensor was expected for {what}; it is {describe(value)}.",
        "torch.from_numpy(array) makes one of a NumPy array.",
    )


def _bytes(value: Any, shape: tuple[int, ...], what: str) -> Any:
    """`value` itself if it is a torch.uint8 tensor of this shape; raises `NotYet` otherwise."""
    import torch

    if not isinstance(value, torch.Tensor):
        flaw = _not_a_tensor(value, what)
        raise NotYet(flaw.mistake, flaw.advice)
    if value.dtype != torch.uint8:
        raise NotYet(
            f"{what.capitalize()} should hold bytes, torch.uint8; its kind is {value.dtype}.",
            "Leave the numbers as they come: 0 to 255, no division, no other kind.",
        )
    if tuple(value.shape) != shape:
        if sorted(value.shape) == sorted(shape) and value.shape[-1] == 3:
            raise NotYet(
                f"The channels come last: {tuple(value.shape)}; it should be {shape}.",
                "permute puts the axes into another order: which of the three comes first?",
            )
        if tuple(value.shape) == (shape[0], shape[2], shape[1]):
            raise NotYet(
                f"Height and width are swapped: {tuple(value.shape)}; it should be {shape}.",
                "NumPy has (H, W, 3). .T and (2, 1, 0) turn the order of all three axes around.",
            )
        raise NotYet(
            f"{what.capitalize()} should have the shape {shape}; it has {tuple(value.shape)}.",
            "Print the shape after each step and look where it changes.",
        )
    return value


# --- 2.1: a picture as a tensor ------------------------------------------------------------------


def _test_to_tensor(to_tensor: Any) -> Flaw | None:
    import torch
    from PIL import Image

    rng = np.random.default_rng(2)
    rgb, flat, square, large = (
        rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        for size in ((5, 7), (3, 8), (6, 6), (600, 40))
    )
    palette = Image.fromarray(rng.integers(0, 40, (6, 4), dtype=np.uint8), "P")
    palette.putpalette(rng.integers(0, 256, 120).tolist())
    pictures = (rgb, rgb[..., 0].copy(), flat, square, large)
    for image in (*map(Image.fromarray, pictures), palette):
        pixels = np.asarray(image.convert("RGB"))
        right = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        try:
            result = call(to_tensor, image.copy())
        except (ValueError, RuntimeError, IndexError, TypeError) as error:
            if image.mode == "RGB":
                raise
            raise NotYet(
                f'A picture of mode "{image.mode}" has no three channels, and your code stops '
                f"({error}).",
                _CONVERT,
            ) from None
        if not isinstance(result, torch.Tensor):
            return _not_a_tensor(result, "the tensor")
        if result.ndim > 3:
            return Flaw(
                f"There is an axis too many: {tuple(result.shape)}.",
                "One picture was asked for, no batch of one: leave out [None] or unsqueeze.",
            )
        if result.ndim < 3 or (image.mode != "RGB" and result.shape[0] == 1):
            return Flaw(
                f'For a picture of mode "{image.mode}" there is no axis with three channels: '
                f"{describe(result)}.",
                _CONVERT,
            )
        tensor = _bytes(result, right.shape, "the tensor")
        found = tensor.numpy()
        raw = np.asarray(image)
        mistakes = (
            (
                pixels.reshape(right.shape),
                Flaw(
                    "The shape is right and the pixels are scrambled.",
                    "reshape (and view) keep the order in memory and cut it anew. permute moves "
                    "the axes.",
                ),
            ),
            (
                right[::-1],
                Flaw("Red and blue are swapped.", "Pillow has R, G, B already; OpenCV has not."),
            ),
            (
                right[:, ::-1],
                Flaw("The picture is upside down.", "Row 0 is the top one, leave it there."),
            ),
            (
                right.transpose(0, 2, 1) if right.shape[1] == right.shape[2] else right[::-1],
                Flaw("Rows and columns are swapped.", "Of (H, W, 3) only the last axis moves."),
            ),
            (
                right[:, :, ::-1],
                Flaw("The picture is mirrored.", "Mirroring comes in the next exercise."),
            ),
            (
                np.broadcast_to(
                    raw[..., -1:].transpose(2, 0, 1) if raw.ndim == 3 else raw, right.shape
                ),
                Flaw(
                    "These are the palette's numbers, not its colors.",
                    'image.convert("RGB") looks them up.',
                )
                if image.mode == "P"
                else Flaw("All three channels are alike.", "Each channel has its own numbers."),
            ),
            (
                np.broadcast_to(np.asarray(image.convert("L")), right.shape),
                Flaw("The colors are gone.", 'Convert to "RGB", not to "L".'),
            ),
        )
        otherwise = Flaw(
            f'For a picture of mode "{image.mode}", pixel (row 1, column 2) should be '
            f"{right[:, 1, 2].tolist()}; yours is {found[:, 1, 2].tolist()}.",
            "convert, np.array, torch.from_numpy, permute: nothing else is needed.",
        )
        flaw = match(found, right, mistakes, otherwise)
        if flaw is not None:
            return flaw
    return None


# --- 2.2: a square that its seed decides ---------------------------------------------------------

_SIDE, _SEEDS = 4, 1500


def _states() -> tuple[Any, ...]:
    import torch

    numpy_state = np.random.get_state()
    return (
        torch.get_rng_state().tolist(),
        numpy_state[1].tolist(),
        numpy_state[2],
        random.getstate(),
    )


def _picture(height: int, width: int, mark: int) -> Any:
    """A picture that holds its rows, its columns and a mark as numbers."""
    import torch

    y, x = np.mgrid[:height, :width]
    return torch.from_numpy(np.stack([y, x, np.full_like(y, mark)]).astype(np.uint8))


def _window(square: Any, mark: int) -> tuple[int, int, bool] | None:
    """(top, left, mirrored) of a square of a `_picture`; None where it is no window of it."""
    rows, columns, marks = square.numpy().astype(int)
    top, first, last = rows[0, 0], columns[0, 0], columns[0, -1]
    mirrored = bool(last < first)
    left = min(first, last)
    y, x = np.mgrid[top : top + _SIDE, left : left + _SIDE]
    fits = (rows == y).all() and (columns == (x[:, ::-1] if mirrored else x)).all()
    return (int(top), int(left), mirrored) if fits and (marks == mark).all() else None


def _test_random_square(random_square: Any) -> Flaw | None:
    import torch

    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            return _check_squares(random_square)
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _check_squares(random_square: Any) -> Flaw | None:
    import torch

    moved = Flaw(
        "A global generator has moved.",
        "random.seed, np.random.* and torch.randint without generator= change what everybody else "
        "draws. random.Random is a generator of your own.",
    )
    wide = _picture(9, 13, 7)
    before = _states()
    first = [_square(random_square, wide, _SIDE, seed, pure=True).clone() for seed in range(8)]
    if _states() != before:
        return moved
    torch.manual_seed(99), np.random.seed(99), random.seed(99)
    again = [_square(random_square, wide, _SIDE, seed) for seed in range(8)]
    if not all(torch.equal(*pair) for pair in zip(first, again, strict=True)):
        return Flaw(
            "The same seed gave two different squares.",
            "Make the generator inside the function, and make it from the seed.",
        )
    before = _states()
    for height, width in ((9, 13), (14, 8)):
        picture, found = _picture(height, width, 7), []
        for seed in range(_SEEDS):
            square = _square(random_square, picture, _SIDE, seed, pure=True)
            window = _window(square, 7)
            if window is None:
                return _no_window(square)
            found.append(window)
        if _states() != before:
            return moved
        if flaw := _check_places(found, height - _SIDE, width - _SIDE):
            return flaw
    for seed in range(20):  # the same windows of another picture of that size
        if _window(_square(random_square, _picture(14, 8, 9), _SIDE, seed), 9) != found[seed]:
            return Flaw(
                "For another photo of the same size, the same seed cut another place.",
                "Only the seed decides: neither the photo's pixels nor what came in before.",
            )
    for edge in ((3, 5, 5), (3, 5, 8), (3, 8, 5)):  # no room to move in one direction
        small = torch.zeros(edge, dtype=torch.uint8)
        try:
            _square(random_square, small, 5, 1)
        except (ValueError, RuntimeError, IndexError) as error:
            return Flaw(
                f"Where the picture is just as large as the square, your code stops ({error}).",
                "One place is left then, 0: places go from 0 to H - size, both included.",
            )
    return None


def _square(random_square: Any, picture: Any, size: int, seed: int, **options: Any) -> Any:
    """A square from the learner's function, its shape found right."""
    result = call(random_square, picture, size, seed, **options)
    shape = tuple(getattr(result, "shape", ()))
    if len(shape) == 3 and shape[0] == 3 and max(shape[1:]) <= size and min(shape[1:]) < size:
        raise NotYet(
            f"A square came out as {shape}: its window runs over the edge.",
            "The last place is H - size for the rows and W - size for the columns; "
            "picture.shape is (3, H, W).",
        )
    return _bytes(result, (3, size, size), "the square")


def _no_window(square: Any) -> Flaw:
    """Why a square is no upright window of the picture."""
    rows, columns, marks = square.numpy().astype(int)
    if not (marks == 7).all() and any((channel == 7).all() for channel in (rows, columns)):
        return Flaw(
            "The channels of some squares are in another order: red and blue are swapped.",
            "Axis 0 of (3, H, W) holds the colors. Left to right is axis 2: .flip(2).",
        )
    if (np.diff(rows, axis=0) == -1).all() and (np.diff(rows, axis=1) == 0).all():
        return Flaw(
            "Some squares are upside down.",
            "Left to right is axis 2 of (3, H, W), top to bottom is axis 1: .flip(2).",
        )
    if (np.diff(rows, axis=0) == 0).all():
        return Flaw(
            "Some squares lie on their side.",
            "Mirroring changes the order of the columns, it does not swap rows and columns.",
        )
    if not ((rows == rows[:, :1]).all() and (columns == columns[:1]).all()):
        return Flaw(
            "The pixels of a square are no neighbors in the picture.",
            "Cut a window: picture[:, top : top + size, left : left + size].",
        )
    return Flaw(
        "A square has gaps, or other values than the picture.",
        "Cut a window and mirror its columns: no resizing here.",
    )


def _check_places(
    found: Sequence[tuple[int, int, bool]], last_top: int, last_left: int
) -> Flaw | None:
    tops, lefts, mirrored = (np.array(part) for part in zip(*found, strict=True))
    if len(set(tops)) == len(set(lefts)) == 1:
        return Flaw(
            "The square is always cut at the same place.",
            "Draw top and left from your generator.",
        )
    for name, places in (("top", tops), ("left", lefts)):
        if len(set(places)) == 1:
            return Flaw(
                f"{name} is always {places[0]}.",
                "Both are drawn, each from its own range: H - size for top, W - size for left.",
            )
    if (tops == lefts).mean() > 0.5 or abs(np.corrcoef(tops, lefts)[0, 1]) > 0.5:
        return Flaw(
            "Top and left go together: the squares lie along a diagonal.",
            "Draw two numbers, one after the other, from one generator.",
        )
    if tops.max() < last_top or lefts.max() < last_left:
        return Flaw(
            f"The last possible place is never taken: in {len(found)} tries top went to "
            f"{tops.max()} of {last_top}, left to {lefts.max()} of {last_left}.",
            "random.randint includes its upper end; randrange, NumPy and torch leave it out: "
            "H - size + 1 for those.",
        )
    if tops.min() > 0 or lefts.min() > 0:
        return Flaw("The first row or column is never taken.", "Places begin at 0.")
    for places, last in ((tops, last_top), (lefts, last_left)):
        counts = np.bincount(places, minlength=last + 1) / len(found)
        fair = 1 / (last + 1)
        if (
            (counts[0] + counts[-1]) / 2 < (fair + 0.5 / last) / 2
            or counts.min() < fair / 3
            or counts.max() > 1.8 * fair
        ):
            return Flaw(
                "Some places are taken far less often than others.",
                "Each whole number from 0 to H - size is equally likely with randint; rounding a "
                "random float gives the ends half as much.",
            )
    places = list(zip(tops, lefts, strict=True))
    if len(set(places)) < (last_top + 1) * (last_left + 1):
        return Flaw(
            f"Only {len(set(places))} of {(last_top + 1) * (last_left + 1)} places are ever taken: "
            "top and left go together.",
            "Draw two numbers, one after the other, from one generator: seed % H gives none.",
        )
    share = mirrored.mean()
    if share in (0.0, 1.0):
        return Flaw(
            "No square is mirrored." if share == 0 else "Every square is mirrored.",
            "Half of them, at random: draw one number more.",
        )
    if not 0.4 < share < 0.6:
        return Flaw(
            f"{share:.0%} of the squares are mirrored.",
            "It should be a half: own.random() is below 0.5 in half of all draws.",
        )
    both = {place for place, one in zip(places, mirrored, strict=True) if one}
    both &= {place for place, one in zip(places, mirrored, strict=True) if not one}
    if len(both) < 0.9 * len(set(places)):
        return Flaw(
            "Which squares are mirrored depends on their place.",
            "Draw a number of its own for it.",
        )
    if _patterned(mirrored):
        return Flaw(
            "Neighboring seeds follow a pattern: which squares are mirrored can be foretold by "
            "counting.",
            "Half of them, at random: the number comes from your generator, not from the seed "
            "itself.",
        )
    return None


def _patterned(mirrored: np.ndarray) -> bool:
    """Whether mirroring repeats, alternates or comes in blocks as the seeds count up.

    Of 1,500 fair draws, the shares and correlations asked for here stay six deviations away from
    these limits.
    """
    for step in range(2, 9):
        shares = [mirrored[start::step].mean() for start in range(step)]
        if min(shares) < 0.25 or max(shares) > 0.75:
            return True
    lags = (np.corrcoef(mirrored[:-lag], mirrored[lag:])[0, 1] for lag in range(1, 9))
    return bool(max(map(abs, lags)) > 0.25)


# --- 2.3: pairs ----------------------------------------------------------------------------------

_GRAYS = [
    *("a2.webp", "c/7.png", "man.png", "b.v2.png", "a.png", "b.v1.png", "d/7.png", "alone.png"),
]
_COLORS = [
    *("b.v1.jpg", "zebra.jpg", "d/7.jpeg", "a.jpg", "c/7.jpg", "b.v2.jpg", "7.jpg", "a2.jpg"),
    "man.jpg",
]
_PAIRS = [
    ("b.v1.png", "b.v1.jpg"),
    ("d/7.png", "d/7.jpeg"),
    ("a.png", "a.jpg"),
    ("c/7.png", "c/7.jpg"),
    ("b.v2.png", "b.v2.jpg"),
    ("a2.webp", "a2.jpg"),
    ("man.png", "man.jpg"),
]


def _test_pair_up(pair_up: Any) -> Flaw | None:
    try:
        result = call(pair_up, list(_GRAYS), list(_COLORS), pure=True)
    except KeyError as error:
        return Flaw(
            f"Your code stops at {error}, which has no partner.",
            "Leave such names out: ask with `in` whether the dictionary holds it.",
        )
    if isinstance(result, zip | map | filter | dict):
        if isinstance(result, dict):
            return Flaw(
                "You return a dictionary.", "A list of tuples was asked for: [(gray, color), ...]."
            )
        return Flaw(
            f"You return a {type(result).__name__} object, which can be walked only once.",
            "list(...) makes the list.",
        )
    if not isinstance(result, list | tuple):
        return Flaw(f"You return {describe(result)}.", "A list of tuples: [(gray, color), ...].")
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in result):
        return Flaw(
            "Not everything in your list is a pair.", "Each entry is (gray name, color name)."
        )
    pairs = [tuple(pair) for pair in result]
    if pairs == _PAIRS:
        more = call(pair_up, ["x.png"], ["x.jpg", "a.jpg"])
        if [tuple(pair) for pair in more] == [("x.png", "x.jpg")]:
            return None
        return Flaw(
            "Called a second time, with other names, your function gives the first ones again.",
            "Make the dictionary inside the function; as a default argument it lives on.",
        )
    flat = [name for pair in pairs for name in pair]
    if not pairs:
        return Flaw(
            "Not one pair was found.",
            '"a.png" and "a.jpg" differ in their suffix: compare the names without it.',
        )
    if any(isinstance(name, PurePath) for name in flat):
        return Flaw(
            "Your names have become paths.", "Return the texts as they came: str(path), or name."
        )
    if None in flat or not all(isinstance(name, str) for name in flat):
        return Flaw("A name without a partner got one that is no name.", "Leave such names out.")
    if set(pairs) == {(color, gray) for gray, color in _PAIRS}:
        return Flaw("Gray and color are swapped.", "(gray, color), in this order.")
    if set(pairs) == set(_PAIRS):
        if len(pairs) > len(_PAIRS):
            return Flaw("Some pairs are there twice.", "Each color photo has one partner.")
        order = (
            "of the gray names" if pairs == [p for g in _GRAYS for p in _PAIRS if p[0] == g] else ""
        )
        return Flaw(
            f"The pairs are right, and their order is {order or 'another one'}.",
            "In the order of `colors`: let the loop run over them.",
        )
    if not set(flat) <= {*_GRAYS, *_COLORS}:
        return Flaw(
            f"{sorted(set(flat) - {*_GRAYS, *_COLORS})[0]!r} is no name that came in.",
            "Return the names as they are, suffix and folder included.",
        )
    if len(pairs) < len(_PAIRS) - 1 and pairs == _PAIRS[: len(pairs)]:
        return Flaw(
            f"Your list ends after {len(pairs)} pair(s), with {pairs[-1][1]}.",
            "Does `return` or `break` stand inside the loop? A name without a partner is left out, "
            "and the next one looked at.",
        )
    if pairs == list(zip(_GRAYS, _COLORS, strict=False)):
        return Flaw(
            "This is zip again: the first with the first.",
            "What stands at the same place of two lists need not belong together. Look at names.",
        )
    if pairs == list(zip(sorted(_GRAYS), sorted(_COLORS), strict=False)):
        return Flaw(
            "Sorted, and zipped: after the first name without a partner all pairs are wrong.",
            "Look the partner up by its name, in a dictionary.",
        )
    wrong = next((pair for pair in pairs if pair not in _PAIRS), None)
    if wrong is not None:
        gray, color = (os.path.splitext(name)[0] for name in wrong)
        if os.path.basename(gray) == os.path.basename(color):
            return Flaw(
                f"{wrong[0]} and {wrong[1]} lie in different folders.",
                "The folder is a part of the name: compare all of it, but the suffix.",
            )
        if gray.split(".")[0] == color.split(".")[0]:
            return Flaw(
                f"{wrong[0]} and {wrong[1]} agree up to the first dot only.",
                "Only the last dot begins the suffix: os.path.splitext knows.",
            )
        return Flaw(
            f"{wrong[0]} was paired with {wrong[1]}.",
            "Compare whole names without suffix: ==, not `in` and not startswith.",
        )
    missing = next(pair for pair in _PAIRS if pair not in pairs)
    if missing[0].endswith(".webp"):
        return Flaw(
            f"{missing[0]} and {missing[1]} were not paired.",
            "Gray files need not end in .png: take the suffix off both names.",
        )
    if missing[0].startswith("man"):
        return Flaw(
            f"{missing[0]} and {missing[1]} were not paired.",
            'strip and rstrip take single letters off: "man.png".rstrip(".png") is "ma". '
            "os.path.splitext takes the suffix.",
        )
    if missing[1].endswith(".jpeg"):
        return Flaw(
            f"{missing[0]} and {missing[1]} were not paired.",
            "Suffixes have different lengths, and others than .jpg exist: os.path.splitext.",
        )
    return Flaw(
        f"{missing[0]} and {missing[1]} were not paired.",
        "b.v1 and b.v2 are two photos: only what comes after the last dot is the suffix."
        if missing[0].startswith("b.")
        else "Walk through all of `colors`, and look each up.",
    )


# --- 2.4 and 2.5: splits -------------------------------------------------------------------------


def _halves(result: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """(train, test) as lists of names; raises `NotYet` where it is something else."""
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise NotYet(
            f"Two lists were expected, train and test; it is {describe(result)}.",
            "return train, test",
        )
    if not all(isinstance(part, list | tuple) for part in result):
        kinds = " and ".join(describe(part) for part in result)
        raise NotYet(
            f"Two lists were expected; you return {kinds}.",
            "list(...) makes a list, but of a set in any order: [name for name in names if ...].",
        )
    train, test = (list(part) for part in result)
    if len(set(train)) < len(train) or len(set(test)) < len(test):
        raise NotYet(
            "A name is twice in one of your lists.",
            "Walk once through `names`; a list as a default argument keeps what came before.",
        )
    if set(train) & set(test):
        raise NotYet(
            f"{sorted(set(train) & set(test))[0]!r} is in both parts.",
            "Each name goes into one of them: < share into test, >= share into train.",
        )
    if not {*train, *test} <= set(names):
        raise NotYet(
            "Something in your lists is no name that came in.", "Return the names as they are."
        )
    if len(train) + len(test) == 1 < len(names):
        raise NotYet(
            "Only the first name is in your lists.",
            "Does `return` stand inside the loop? It belongs after it.",
        )
    if len(train) + len(test) < len(names):
        lost = sorted(set(names) - {*train, *test})[0]
        raise NotYet(
            f"{len(names) - len(train) - len(test)} of {len(names)} names are lost, such as "
            f"{lost!r}.",
            "One part takes `< share`, the other everything else: `>= share`.",
        )
    return train, test


def _spied(places: dict[str, float]) -> tuple[Callable[[str], float], list[str]]:
    """A `place` that looks its result up in a table, and the list of its arguments."""
    asked: list[str] = []

    def place(text: str) -> float:
        if not isinstance(text, str):
            raise NotYet(
                f"You asked place for {describe(text)}.", "It wants one text: place(name)."
            )
        asked.append(text)
        return places.get(text, 0.999)

    return place, asked


def _check_split(
    function: Any, names: list[str], places: dict[str, float], share: float, right: set[str]
) -> tuple[list[str], list[str], list[str], Flaw | None]:
    """train, test, what `place` was asked, and the flaw on what both exercises have in common.

    The order of the names is `_order`'s business: parts that are right for one share by chance
    should hear of it only when they are right for each.
    """
    place, asked = _spied(places)
    train, test = _halves(call(function, list(names), share, place, pure=True), names)
    flaw = None
    if set(train) == right and set(test) != right:
        flaw = Flaw("Train and test are swapped.", "return train, test; test has the small places.")
    elif set(test) != right and not asked and share:
        flaw = Flaw(
            "place was never asked.",
            "Neither a shuffle nor Python's hash() gives the same tomorrow: compare place(...) "
            "with share.",
        )
    return train, test, asked, flaw


def _order(names: list[str], train: list[str], test: list[str]) -> Flaw | None:
    """The flaw for parts that hold the right names in another order than `names`."""
    if train + test == [n for n in names if n in train] + [n for n in names if n in test]:
        return None
    return Flaw(
        "The parts are right, and their names stand in another order.",
        "In the order of `names`: walk through `names`, without sorting.",
    )


_NAMES = ["f.jpg", "b.jpg", "e.jpg", "old/a.jpg", "D.jpg", "c.jpg", "g.jpg", "h.jpg"]
_PLACES = dict(zip(_NAMES, (0.3, 0.05, 0.68, 0.296, 0.2, 0.9, 0.36, 0.55), strict=True))


def _below(rule: Callable[[float], bool]) -> set[str]:
    return {name for name in _NAMES if rule(_PLACES[name])}


def _test_split(split: Any) -> Flaw | None:
    shares, found, parts, asked = (0.3, 0.65, 0.6, 0.0), [], [], []
    for share in shares:
        right = _below(lambda place, share=share: place < share)
        train, test, more, flaw = _check_split(split, _NAMES, _PLACES, share, right)
        if flaw is not None:
            return flaw
        found.append(set(test))
        parts.append((train, test))
        asked += more

    def fits(rule: Callable[[float, float], bool]) -> bool:
        return found == [_below(lambda place, s=share: rule(place, s)) for share in shares]

    if fits(lambda place, share: place < share):
        return next(filter(None, (_order(_NAMES, *part) for part in parts)), None)
    if fits(lambda place, share: place <= share):
        return Flaw(
            "A name whose place is just the share went to test.",
            "Test is where place(name) < share; at share itself train begins.",
        )
    if fits(lambda place, share: place > 1 - share) or fits(lambda p, share: p >= 1 - share):
        return Flaw("You took the largest places for test.", "Test is where place(name) < share.")
    by_place = sorted(_NAMES, key=_PLACES.__getitem__)
    for whole in (int, round, math.ceil):
        if found == [{*by_place[: whole(share * len(_NAMES))]} for share in shares]:
            return Flaw(
                "You sort by place and cut off a fixed number.",
                "Then one more photo moves another one across the border. Compare each place with "
                "share, whatever the others are.",
            )
    if not set(asked) & set(_NAMES):
        return Flaw(
            f"place was asked for {asked[0]!r}, which is no name that came in.",
            "Ask for the name as it is: place(name).",
        )
    if found[0] == found[1] == found[2]:
        return Flaw(
            f"With share={shares[0]} and with share={shares[1]} the same names are in test.",
            "The share comes in as an argument: use it, not a number of your own.",
        )
    rights = [_below(lambda place, s=share: place < s) for share in shares]
    number = next(
        i for i, (one, right) in enumerate(zip(found, rights, strict=True)) if one != right
    )
    right = sorted(_below(lambda place: place < shares[number]))
    return Flaw(
        f"With share={shares[number]}, test should hold {right}; yours holds "
        f"{sorted(found[number])}.",
        f"A name is in test where place(name) < share. The places are {_PLACES}.",
    )


_SERIES = {
    "old_harbor": 0.1,
    "old_harbor2": 0.7,
    "bee": 0.8,
    "old_mill": 0.3,
    "cat.jpg": 0.2,
    "deep/sea": 0.15,
}
_FRAMES = [
    "old_harbor_001.jpg",
    "bee_001.jpg",
    "old_mill_7.jpg",
    "bee_002.jpg",
    "cat.jpg",
    "old_harbor_002.jpg",
    "deep/sea_1.png",
    "bee_left.jpg",
    "deep/sea_2.png",
    "old_harbor2_001.jpg",
]


def _series(name: str) -> str:
    return name.rpartition("_")[0] or name


def _test_split_series(split_series: Any) -> Flaw | None:
    parts = []
    for share in (0.3, 0.12):
        train, test, flaw = _check_series(split_series, share)
        if flaw is not None:
            return flaw
        parts.append((train, test))
    return next(filter(None, (_order(_FRAMES, *part) for part in parts)), None)


def _check_series(split_series: Any, share: float) -> tuple[list[str], list[str], Flaw | None]:
    """train, test, and the flaw on a series that is in the wrong part."""
    # Frames, shorter and longer beginnings of names lie elsewhere than the series itself.
    places = {name: 0.05 if name in ("bee_001.jpg", "bee_left.jpg") else 0.95 for name in _FRAMES}
    places |= {"old": 0.9, "deep": 0.9, "sea": 0.9, "": 0.4, **_SERIES}
    right = {name for name in _FRAMES if _SERIES[_series(name)] < share}
    train, test, asked, flaw = _check_split(split_series, _FRAMES, places, share, right)
    if flaw is None and set(test) != right:
        flaw = _wrong_series(test, asked, places, share, right)
    return train, test, flaw


def _wrong_series(
    test: list[str], asked: list[str], places: dict[str, float], share: float, right: set[str]
) -> Flaw:
    if "old_harbor_001.jpg" in asked:
        by_name = {name for name in _FRAMES if places[name] < share}
        return Flaw(
            "You ask place for whole names"
            + (": this is the split of the exercise before." if set(test) == by_name else "."),
            'Ask once for a series, by its own name: what stands before the last "_".',
        )
    torn = {
        series
        for series in _SERIES
        if len({name in test for name in _FRAMES if _series(name) == series}) > 1
    }
    if torn:
        return Flaw(
            f"The series {sorted(torn)[0]!r} is torn: it has frames in both parts.",
            "Decide once for a series: ask place for what its names have in common.",
        )
    if set(test) == {name for name in _FRAMES if _SERIES[_series(name)] <= share}:
        return Flaw(
            "A series whose place is just the share went to test.",
            "Test is where place(series) < share; at share itself train begins.",
        )
    if set(test) == {n for n in _FRAMES if n.startswith(("old_harbor", "deep", "cat"))}:
        return Flaw(
            '"old_harbor2_001.jpg" went with "old_harbor", and is a series of its own.',
            "Compare whole series: ==, or ask place for it; not startswith.",
        )
    if cut := {name[:-1] for name in _FRAMES} & set(asked):
        return Flaw(
            f"You asked place for {sorted(cut)[0]!r}: a letter is missing.",
            'rfind and find give -1 where there is no "_", and name[:-1] drops the last letter. '
            'A name without "_" is a series of its own.',
        )
    if "" in asked:
        return Flaw(
            'For "cat.jpg", which has no "_", you asked place for an empty text.',
            'A name without "_" is a series of its own: ... or name.',
        )
    if "old" in asked:
        return Flaw(
            '"old_harbor" and "old_mill" were taken for one series, "old".',
            'The series is the name up to its last "_": rpartition or rsplit("_", 1), not split.',
        )
    if "sea" in asked or "harbor" in asked:
        return Flaw(
            "A part of the series' name is missing (its folder, or its first word).",
            'Everything before the last "_" belongs to it.',
        )
    if any(text.endswith("_") for text in asked):
        return Flaw(
            f"You asked place for {next(t for t in asked if t.endswith('_'))!r}.",
            'The series is the name up to its last "_", without it.',
        )
    numbers = {name.rpartition("_")[2] for name in _FRAMES} - {"cat.jpg"}
    if numbers & set(asked):
        return Flaw(
            f"You asked place for {sorted(numbers & set(asked))[0]!r}, a frame's number.",
            'The series is what stands before the last "_".',
        )
    if "cat" in asked:
        return Flaw(
            'For "cat.jpg" you asked place for "cat".',
            'A name without "_" is a series of its own: ask for the name as it is.',
        )
    if "cat.jpg" not in asked:
        return Flaw(
            '"cat.jpg" was never asked about.', 'A name without "_" is a series of its own.'
        )
    if set(test) == {n for n in _FRAMES if n not in right}:
        return Flaw("Train and test are swapped.", "Test is where place(series) < share.")
    return Flaw(
        f"Test should hold {sorted(right)}; yours holds {sorted(test)}.",
        f"You asked place for {sorted(set(asked))}.",
    )


# --- 2.6: toned photos ---------------------------------------------------------------------------


def _bands(
    lightness: np.ndarray, *channels: np.ndarray, start: float = 0.0, width: float = 4.0
) -> list[np.ndarray]:
    """For each pixel the mean of each channel over the pixels in its band of lightness."""
    number = np.floor((lightness - start) / width).astype(int)
    number -= number.min()
    counts = np.bincount(number)
    return [(np.bincount(number, channel) / np.maximum(counts, 1))[number] for channel in channels]


def _toned_pictures() -> tuple[tuple[Any, str], ...]:
    import torch

    rng = np.random.default_rng(6)
    noise = rng.integers(0, 256, (6, 8, 3))
    # Two colors of the same chroma, a to the left and b to the right, from dark to light.
    ramp = np.broadcast_to(np.linspace(40, 200, 12)[:, None, None], (12, 9, 1))
    dyed = ramp * np.where(np.arange(9)[:, None] < 3, (1.2, 0.8, 0.5), (0.5, 0.9, 1.2))
    gray = rng.integers(0, 256, (20, 30, 1))
    toned = gray * np.array((1.0, 0.85, 0.65))
    bright = 255 - rng.integers(0, 256, (30, 40, 3)) // np.array((3, 9, 2))
    flat = np.full((5, 5, 3), 90)
    named = (
        (noise, "noise"),
        (dyed, "two colors, dark to light"),
        (toned, "one toned color"),
        (bright, "bright noise"),
        (flat, "gray"),
    )
    return tuple(
        (torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous(), name)
        for pixels, name in named
    )


def _test_leftover_color(leftover_color: Any) -> Flaw | None:
    from colorlab.color import rgb_to_lab

    for picture, name in _toned_pictures():
        number = _leftover_number(call(leftover_color, picture, pure=True))
        L, a, b = rgb_to_lab(picture).double().numpy().reshape(3, -1)
        mean_a, mean_b = _bands(L, a, b)
        far = np.hypot(a - mean_a, b - mean_b)
        if abs(number - far.mean()) < 6e-3:
            continue  # where little is left over, many mistakes agree with what is right
        flaw = match(
            number,
            far.mean(),
            _leftover_mistakes(L, a, b),
            Flaw(
                f"For a picture of {name} it should be {far.mean():.2f}; yours is {number:.2f}.",
                "For each band in turn: which pixels are inside, what is their mean (a, b), and "
                "how far is each of them from it? Then one mean over all pixels.",
            ),
            tolerance=6e-3,
        )
        if flaw is not None:
            return flaw
    return None


def _leftover_number(result: Any) -> float:
    try:
        empty = math.isnan(float(result))
    except (TypeError, ValueError, RuntimeError):  # no single number: want_number says so
        empty = False
    if empty:
        raise NotYet(
            "Your result is NaN. A band in which no pixel lies has no mean.",
            "Walk only through the bands that occur: unique() names them.",
        )
    return want_number(result, "the leftover color")


def _leftover_mistakes(L: np.ndarray, a: np.ndarray, b: np.ndarray) -> Sequence[tuple[float, Flaw]]:
    chroma = np.hypot(a, b)
    mean_a, mean_b, mean_chroma, mean_L = _bands(L, a, b, chroma, L)
    far = np.hypot(a - mean_a, b - mean_b)
    number = np.floor(L / 4).astype(int)
    by_band = [far[number == one].mean() for one in np.unique(number)]
    mistakes = [
        (
            np.hypot(a - a.mean(), b - b.mean()).mean(),
            Flaw(
                "This is the spread of color over the whole photo.",
                "In a toned photo the shadows may be blue and the lights yellow: compare only "
                "pixels of one band.",
            ),
        ),
        (
            chroma.mean(),
            Flaw(
                "This is the mean chroma: the distance from gray.",
                "A toned photo may be far from gray. Measure from the mean color of the band.",
            ),
        ),
        (
            np.hypot(mean_a, mean_b).mean(),
            Flaw(
                "This is the chroma of the bands' mean colors.",
                "It tells how strong the tone is. Asked for is what each pixel adds to it.",
            ),
        ),
        (
            np.hypot(mean_a - a.mean(), mean_b - b.mean()).mean(),
            Flaw(
                "This is how far the bands' mean colors lie from the photo's.",
                "That part of the color follows from lightness. Asked for is the rest.",
            ),
        ),
        (
            np.mean(by_band),
            Flaw(
                "Each band counts alike, however few pixels it holds.",
                "Keep the distance of each pixel, and take one mean at the end.",
            ),
        ),
        (
            np.abs(chroma - mean_chroma).mean(),
            Flaw(
                "You compare chroma alone: red and green of the same chroma count as alike.",
                "Take the mean of a and of b in a band, and the distance of (a, b) from them.",
            ),
        ),
        (
            np.sqrt((far**2).mean()),
            Flaw("You average the squares.", "The root of each pixel first, then the mean."),
        ),
        ((far**2).mean(), Flaw("The root is missing.", "A distance is a root of squares.")),
        (
            (np.abs(a - mean_a) + np.abs(b - mean_b)).mean(),
            Flaw(
                "You add the differences in a and in b.",
                "The distance of two points in a plane is the root of the sum of squares.",
            ),
        ),
        (np.abs(a - mean_a).mean(), Flaw("b is missing.", "A color is the pair (a, b).")),
        (
            np.sqrt((a - mean_a) ** 2 + (b - mean_b) ** 2 + (L - mean_L) ** 2).mean(),
            Flaw("L is in the distance.", "L says which band; only a and b are compared."),
        ),
        (far.sum(), Flaw("This is the sum over all pixels.", "Divide by their number.")),
        (far.max(), Flaw("This is the pixel that is furthest off.", "The mean was asked for.")),
        (np.median(far), Flaw("This is the median.", "The mean was asked for.")),
        # torch's median of an even number of pixels
        (np.sort(far)[(far.size - 1) // 2], Flaw("This is the median.", "The mean was asked for.")),
        (
            far.mean() / max(chroma.mean(), 1e-9),
            Flaw(
                "This is a share of the mean chroma already.",
                "Lab units were asked for; the lesson divides in the next cell.",
            ),
        ),
        (far.mean() / 110, Flaw("This is in units of 110.", "Lab units: no normalize_lab.")),
    ]
    for start, width in ((-2.0, 4.0), (0, 0.5), (0, 1), (0, 2), (0, 5), (0, 8), (0, 10), (0, 25)):
        other = np.hypot(
            *(c - m for c, m in zip((a, b), _bands(L, a, b, start=start, width=width), strict=True))
        )
        flaw = Flaw(
            f"Your bands are {width:g} units of L wide.", "They are 4 wide: 0 to 4, 4 to 8, …"
        )
        if start:
            flaw = Flaw(
                "Your bands begin at 2, 6, 10: the quotient was rounded to the nearest number.",
                "They begin at 0, 4, 8: cut the fraction off.",
            )
        mistakes.append((other.mean(), flaw))
    return mistakes


# --- 2.7: a difference hash ----------------------------------------------------------------------


def _test_difference_hash(difference_hash: Any) -> Flaw | None:
    from PIL import Image

    rng = np.random.default_rng(5)
    rough = Image.fromarray(rng.integers(0, 256, (14, 20, 3), dtype=np.uint8))
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    falling = Image.fromarray(np.broadcast_to(ramp[::-1], (30, 40)).copy()).convert("RGB")
    flat = Image.new("RGB", (30, 20), (120, 60, 30))
    faint = Image.fromarray(rng.integers(100, 108, (34, 46, 3), dtype=np.uint8))
    upright = Image.fromarray(rng.integers(90, 106, (520, 300, 3), dtype=np.uint8))
    gray = rough.convert("L")
    pictures = ((rough, "noise"), (faint, "faint noise"), (falling, "a ramp"), (flat, "one color"))
    pictures += ((upright, "noise, upright"), (gray, "a gray file"))
    for image, name in pictures:
        result = call(difference_hash, image.copy())
        lanczos = Image.Resampling.LANCZOS
        pixels = np.asarray(image.convert("L").resize((9, 8), lanczos)).astype(int)
        right = pixels[:, 1:] > pixels[:, :-1]
        if isinstance(result, np.ndarray) and result.shape == (8, 9):
            return Flaw(
                "The result has 9 columns.",
                "Nine pixels in a row have eight neighbors to the right. The ninth has none.",
            )
        if isinstance(result, np.ndarray) and result.shape == (8, 7):
            return Flaw("The result has 7 columns.", "Resize to 9 columns: eight neighbors remain.")
        if isinstance(result, np.ndarray) and result.shape in ((9, 8), (9, 7)):
            return Flaw("The result has 9 rows.", "Pillow's resize takes (width, height): (9, 8).")
        if isinstance(result, np.ndarray) and result.shape == (64,):
            return Flaw("The 64 bits lie in one row.", "Leave them as (8, 8).")
        found = want_array(result, shape=(8, 8), what="the hash")
        if found.dtype != bool:
            return Flaw(
                f"The hash should be True and False; it is {found.dtype}.",
                "A comparison of two arrays gives that by itself.",
            )
        tall = np.asarray(image.convert("L").resize((8, 9), lanczos)).astype(int)
        square = np.asarray(image.convert("L").resize((8, 8), lanczos)).astype(int)
        raw = pixels.astype(np.uint8)
        mistakes = (
            (
                pixels[:, 1:] < pixels[:, :-1],
                Flaw("True stands where the right neighbor is darker.", "Turn the sign around."),
            ),
            (
                (raw[:, 1:] - raw[:, :-1]) > 0,
                Flaw(
                    "True stands wherever two neighbors differ.",
                    "Only where the right one is brighter: >. (If you subtract: the difference of "
                    "two bytes has no sign, 3 - 5 is 254.)",
                ),
            ),
            (
                pixels[:, 1:] >= pixels[:, :-1],
                Flaw("Equal neighbors count as brighter.", "> and not >=."),
            ),
            (
                tall[1:] > tall[:-1],
                Flaw(
                    "You compare each pixel with the one below.",
                    "To the right: axis 1, and 9 columns.",
                ),
            ),
            (
                square > square.mean(),
                Flaw(
                    "You compare each pixel with the mean: that is the average hash.",
                    "Compare with the neighbor to the right.",
                ),
            ),
            (
                right[:, ::-1],
                Flaw("The columns run backward.", "Leave the picture as it is; don't mirror it."),
            ),
            (
                right.T,
                Flaw(
                    "Rows and columns are swapped.",
                    "Axis 0 runs down, axis 1 to the right; result[y, x] compares with [y, x + 1].",
                ),
            ),
        )
        for other in ("NEAREST", "BILINEAR", "BICUBIC", "BOX", "HAMMING"):
            kind = Image.Resampling[other]
            small = np.asarray(image.convert("L").resize((9, 8), kind)).astype(int)
            flaw = Flaw(
                f"This was reduced with {other}.",
                "NEAREST drops most pixels, and each filter gives other bits. The stub names the "
                "one to use.",
            )
            mistakes += ((small[:, 1:] > small[:, :-1], flaw),)
        plain = Image.fromarray(np.asarray(image.convert("RGB")).mean(2).astype(np.uint8))
        plain = np.asarray(plain.resize((9, 8), lanczos)).astype(int)
        flaw = Flaw(
            "Your gray is the plain mean of R, G and B.",
            'Green counts more to the eye than blue; convert("L") knows by how much.',
        )
        mistakes += ((plain[:, 1:] > plain[:, :-1], flaw),)
        colored = np.asarray(image.resize((9, 8), lanczos).convert("L")).astype(int)
        flaw = Flaw(
            "You reduced first and took the gray afterward.",
            'Rounded twice, some bits turn out otherwise: convert("L") first.',
        )
        mistakes += ((colored[:, 1:] > colored[:, :-1], flaw),)
        otherwise = Flaw(
            f"For {name}, {int((found != right).sum())} of 64 bits are wrong.",
            "Gray first, then 9 columns and 8 rows, then compare columns.",
        )
        flaw = match(found.astype(int), right.astype(int), _as_int(mistakes), otherwise)
        if flaw is not None:
            return flaw
    return None


def _as_int(mistakes: Sequence[tuple[Any, Flaw]]) -> list[tuple[Any, Flaw]]:
    return [(np.asarray(wrong).astype(int), flaw) for wrong, flaw in mistakes]


EXERCISES = (
    Exercise(
        "2.1",
        "a picture as a tensor",
        1,
        5,
        "Which shape has np.array(image) for a color file, which for a gray one? Print both, and "
        "compare them with the shape asked for.",
        _test_to_tensor,
        "Any photo, one form: bytes, channels first.",
    ),
    Exercise(
        "2.2",
        "a square that its seed decides",
        2,
        15,
        "Which three things are random here? Where can their numbers come from, if no global "
        "generator may be read or moved?",
        _test_random_square,
        "All places, both ways round, and only the seed decides.",
    ),
    Exercise(
        "2.3",
        "pairs by name",
        1,
        10,
        "How would you look up the gray name that belongs to one color name? What do the two have "
        "in common?",
        _test_pair_up,
        "Whatever the order of the listings, and whoever is missing.",
    ),
    Exercise(
        "2.4",
        "a split that never moves",
        1,
        5,
        "What decides about one name alone, whatever other names there are?",
        _test_split,
        "Add photos, take some away: no other one changes sides.",
    ),
    Exercise(
        "2.5",
        "a split that keeps series together",
        2,
        5,
        'What do the names of one series have in common, and what of "cat.jpg"?',
        _test_split_series,
        "A test photo's neighbors are test photos too.",
    ),
    Exercise(
        "2.6",
        "find the toned photo",
        2,
        10,
        "Look only at the pixels of one lightness. How do their colors differ in a toned photo, "
        "and how in any other?",
        _test_leftover_color,
        "What is left is the color that lightness does not tell.",
    ),
    Exercise(
        "2.7",
        "a difference hash",
        2,
        10,
        "Print the 9 × 8 gray pixels of one photo first. Which of them is compared with which?",
        _test_difference_hash,
        "64 bits, most of which survive saving, shrinking and brightening.",
    ),
)
