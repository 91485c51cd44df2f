"""How lesson 09's game is drawn: a pair on neutral gray, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from colorlab.course.widgets._judging import PUBLISHED, Judgements, Share, percent
from colorlab.course.widgets.board.curves import FAINT, GRID, INK
from colorlab.show import BLUE, GREEN, ORANGE, font

WIDTH, HEIGHT, SHOWN, GAP = 640, 296, 256, 16  # pixels: the field, a picture, between the two
NEUTRAL = 119  # middle gray: L = 50
LEFT, SCALE = 92, 2  # pixels left of the axis; drawn so many times as large, for smooth lines
COLUMNS, THUMB = 4, 75  # pairs beside each other in the result, a picture's pixels


def draw_field(cross: bool = False, words: str = "") -> np.ndarray:
    """The neutral gray between two pairs, uint8 (HEIGHT, WIDTH, 3)."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (NEUTRAL,) * 3)
    draw, x, y = ImageDraw.Draw(image), WIDTH // 2, HEIGHT // 2
    if cross:
        draw.line([(x - 12, y), (x + 12, y)], "white", 2)
        draw.line([(x, y - 12), (x, y + 12)], "white", 2)
    draw.text((x, y), words, "white", font(26), anchor="mm")
    return np.asarray(image).copy()


def draw_pair(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two pictures, uint8 (SHOWN, SHOWN, 3), on the gray."""
    field, top = draw_field(), (HEIGHT - SHOWN) // 2
    for x, picture in ((WIDTH - GAP) // 2 - SHOWN, left), ((WIDTH + GAP) // 2, right):
        field[top : top + SHOWN, x : x + SHOWN] = picture
    return field


def draw_question(answer: str) -> np.ndarray:
    """A strip below a pair that stands still: the question, and its answer upside down."""
    strip = Image.new("RGB", (WIDTH, 30), "white")
    draw = ImageDraw.Draw(strip)
    draw.text((10, 15), answer, FAINT, font(12), anchor="lm")
    strip = strip.rotate(180)
    question = "One has generated colors. Which one?"
    ImageDraw.Draw(strip).text((10, 15), question, INK, font(14), anchor="lm")
    return np.asarray(strip)


def draw_result(
    judged: Judgements, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Shares with their intervals, and below them each pair that was judged, uint8 (H, W, 3).

    `pairs`: by name, (real, generated).
    """
    tiles = [_tile(*pairs[name], name, one) for name, one in judged.by_photo.items()]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)]
    return np.concatenate([_draw_shares(judged), *rows])


def _draw_shares(judged: Judgements) -> np.ndarray:
    image = Image.new("RGB", (WIDTH * SCALE, 164 * SCALE), "white")
    draw = ImageDraw.Draw(image)

    def text(x: float, y: float, words: str, color: str, size: int, anchor: str) -> None:
        draw.text((x * SCALE, y * SCALE), words, color, font(size * SCALE), anchor=anchor)

    def line(ends: Sequence[tuple[float, float]], color: str, wide: int) -> None:
        draw.line([(x * SCALE, y * SCALE) for x, y in ends], color, wide * SCALE)

    def across(share: float) -> float:
        return LEFT + share * (WIDTH - LEFT - 28)

    for tick in range(0, 101, 25):
        line([(across(tick / 100), 32), (across(tick / 100), 112)], GRID, 1)
        text(across(tick / 100), 116, f"{tick} %", FAINT, 11, "mt")
    for share, words, color in (
        (PUBLISHED, f"published: {percent(PUBLISHED)} %", ORANGE),
        (0.5, "by guessing: 50 %", FAINT),
    ):
        line([(across(share), 24), (across(share), 112)], color, 2)
        side = "rm" if share < 0.5 else "lm"
        text(across(share) + (-5 if side == "rm" else 5), 18, words, color, 12, side)
    for y, words, one, color in (
        (54, "fooled", judged.fooled, BLUE),
        (90, "said left", judged.left, INK),
    ):
        text(6, y, words, INK, 13, "lm")
        low, high = map(across, one.interval)
        line([(low, y), (high, y)], color, 3)
        for end in (low, high):
            line([(end, y - 6), (end, y + 6)], color, 2)
        x, radius = across(one.value), 6
        box = [x - radius, y - radius, x + radius, y + radius]
        draw.ellipse([side * SCALE for side in box], color)
    text(6, 148, "Each pair: truth, generated. Those that fooled you come first.", INK, 12, "lm")
    return np.asarray(image.reduce(SCALE)).copy()


def _tile(real: np.ndarray, fake: np.ndarray, name: str, one: Share) -> np.ndarray:
    """A pair, its name, and whether it fooled, uint8 (THUMB + 25, WIDTH / COLUMNS, 3)."""
    image = Image.new("RGB", (WIDTH // COLUMNS, THUMB + 25), "white")
    for x, pixels in ((4, real), (4 + THUMB + 1, fake)):
        small = Image.fromarray(pixels).resize((THUMB, THUMB), Image.Resampling.LANCZOS)
        image.paste(small, (x, 0))
    mark, color = ("✗ fooled", ORANGE) if one.count else ("✓ right", GREEN)
    draw, letters = ImageDraw.Draw(image), font(11)
    room = 2 * THUMB - letters.getlength(mark) - 6
    while letters.getlength(name) > room:
        name = name.rstrip("…")[:-1] + "…"
    draw.text((4, THUMB + 11), name, INK, letters, anchor="lm")
    draw.text((5 + 2 * THUMB, THUMB + 11), mark, color, letters, anchor="rm")
    return np.asarray(image)
