"""The tester of lesson 00: the picture that is half gray and half in color."""

from __future__ import annotations

from typing import Any

import numpy as np

from colorlab.course.checks.exercise import Exercise, Flaw, call, want_array


def _pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A gray and a colored picture, uint8 (H, W, 3), in which no two pixels are alike."""
    ramp = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    gray = np.stack([ramp, ramp, ramp], axis=-1)
    colored = np.stack([255 - ramp, 128 + ramp // 2, 250 - ramp // 2], axis=-1)
    return gray, colored.astype(np.uint8)


def _before_after(before_after: Any) -> Flaw | None:
    # Wide, tall and odd, and not square: a mix-up of rows and columns must show.
    for height, width in ((4, 10), (10, 4), (6, 7)):
        gray, colored = _pictures(height, width)
        arguments = gray.copy(), colored.copy()
        result = call(before_after, *arguments)
        flaw = _check(result, gray, colored)
        if flaw is not None:
            return flaw
        if not (np.array_equal(arguments[0], gray) and np.array_equal(arguments[1], colored)):
            return Flaw(
                "The picture is right, but your function has painted over one of its arguments.",
                "Arrays are handed over without a copy. Begin with `result = colored.copy()` and "
                "write into `result`.",
            )
    return None


def _check(result: Any, gray: np.ndarray, colored: np.ndarray) -> Flaw | None:
    height, width, _ = gray.shape
    half = width // 2
    if isinstance(result, np.ndarray) and result.shape != gray.shape:
        flaw = _wrong_shape(result, gray, colored)
        if flaw is not None:
            return flaw
    want_array(result, shape=gray.shape, what="the picture")
    if result.dtype != np.uint8:
        return Flaw(
            f"The picture's numbers are {result.dtype}; a photo's are uint8, 0 to 255.",
            "Nothing needs to be calculated here: copy the pixels as they are.",
        )
    # Where a width is odd, the middle column may belong to either side.
    for cut in {half, width - half}:
        if np.array_equal(result, _split(gray, colored, cut)):
            return None
        if np.array_equal(result, _split(colored, gray, cut)):
            return Flaw(
                "The halves are the wrong way round: the left one is in color.",
                "Columns count from the left: `picture[:, :k]` are the first k of them.",
            )
    for cut in {height // 2, height - height // 2}:
        for top, bottom in ((gray, colored), (colored, gray)):
            if np.array_equal(result, np.concatenate([top[:cut], bottom[cut:]])):
                return Flaw(
                    "Your picture is cut into top and bottom, not left and right.",
                    "The first index counts rows, the second columns: `picture[rows, columns]`. "
                    "A lone `:` takes all of them.",
                )
        if np.array_equal(result, _split(gray, colored, cut)):
            return Flaw(
                f"The cut stands at column {cut}: that is half the height, not half the width.",
                "A photo's shape is (rows, columns, channels), so W is `photo.shape[1]`.",
            )
    if np.array_equal(result, gray) or np.array_equal(result, colored):
        which = "gray" if np.array_equal(result, gray) else "in color"
        return Flaw(
            f"For a photo {width} pixels wide the whole picture is {which}.",
            "Both halves must be there. If the width is a fixed number in your code, ask the photo "
            "instead: `photo.shape[1]`.",
        )
    if np.array_equal(result[:, :half], gray[:, :half]):
        if np.array_equal(result[:, half : 2 * half], colored[:, :half]):
            return Flaw(
                "The right side shows the left half of the color photo once more.",
                "Its columns should begin at the middle and run to the end.",
            )
        return Flaw("The left half is right; the right half isn't yet.", "It comes from colored.")
    if np.array_equal(result[:, width - half :], colored[:, width - half :]):
        return Flaw("The right half is right; the left half isn't yet.", "It comes from gray.")
    channels = [
        any(np.array_equal(result[..., c], photo[..., c]) for photo in (gray, colored))
        for c in range(3)
    ]
    if all(channels):
        return Flaw(
            "You have cut between the color channels: the last index, not the second.",
            "The order is `picture[row, column, channel]`.",
        )
    return Flaw(
        "Neither half is the one that was asked for.",
        "Each pixel of the result is copied from one of the two photos, nothing is mixed: the "
        "columns before `W // 2` from gray, the others from colored.",
    )


def _wrong_shape(result: np.ndarray, gray: np.ndarray, colored: np.ndarray) -> Flaw | None:
    """The hint for a shape that shows which mistake was made; None for any other shape."""
    height, width, _ = gray.shape
    half = width // 2
    if result.shape == (height, 2 * width, 3):
        return Flaw(
            "Both photos stand whole beside each other, so the picture is twice as wide.",
            "Cut each one first: `photo[:, :k]` are its first k columns.",
        )
    if result.shape == (2 * height, width, 3):
        return Flaw(
            "Both photos stand whole above each other, so the picture is twice as tall.",
            "Cut first, then put the halves side by side: along axis 1.",
        )
    if result.shape in ((height, half, 3), (height, width - half, 3)):
        return Flaw(
            "That is only one half.",
            "Put the other one to its right: np.concatenate([left, right], axis=1).",
        )
    if result.shape == (2 * height, half, 3):
        return Flaw(
            "The halves stand above each other.",
            "Side by side is axis 1: np.concatenate([left, right], axis=1).",
        )
    if width % 2 and result.shape == (height, width - 1, 3):
        return Flaw(
            f"A photo {width} pixels wide came back {width - 1} wide: the middle column is lost.",
            "Begin the right half where the left one ends, and let it run to the end: `x[:, k:]`.",
        )
    if result.shape == (height, width):
        return Flaw(
            "The picture has rows and columns, but no color channels any more.",
            "Keep all three: `picture[:, : W // 2]` does, `picture[:, : W // 2, 0]` does not.",
        )
    return None


def _split(left: np.ndarray, right: np.ndarray, cut: int) -> np.ndarray:
    return np.concatenate([left[:, :cut], right[:, cut:]], axis=1)


EXERCISES = (
    Exercise(
        name="0.1",
        title="Half gray, half in color",
        difficulty=1,
        minutes=3,
        start=(
            "Return a picture of the same size: its left half from gray, its right half from "
            "colored. Look first at `gray.shape`, which holds rows, columns and channels: which "
            "of the three is cut in half?"
        ),
        test=_before_after,
        solved="That is all that the slider above does, at every place of its handle.",
    ),
)
