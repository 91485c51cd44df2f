"""Lesson 09's game: two pictures of one photo, seen for a second. Which one was generated?"""

from __future__ import annotations

import asyncio
import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image

from colorlab.colorize import Colorizer
from colorlab.course.widgets._bundle import Playable, encode_image
from colorlab.course.widgets._judged import (
    SHOWN,
    WIDTH,
    draw_field,
    draw_pair,
    draw_question,
    draw_result,
)
from colorlab.course.widgets._judging import (
    PUBLISHED,
    Game,
    Judgements,
    merge_judgements,
    percent,
)
from colorlab.course.widgets.unet import square
from colorlab.photos.files import open_photo
from colorlab.show import to_uint8

__all__ = ["Judge", "judge_pairs", "merge_judgements"]

PAUSE = 0.4  # seconds of gray before each pair
QUALITY = 92
ALT = (
    "Two pictures of the same photo side by side: one has its true colors, the other those of a "
    "generator. With the keyboard: Tab to a button and Space, or Tab to the slider and ← or →."
)
Pair = tuple[Any, Any, str]


def judge_pairs(
    colorizer: Colorizer, photos: Iterable[str | os.PathLike[str]], size: int = 128
) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Pairs for ``Judge``: the middle square of each photo, and what is made of its lightness.

    Args:
        photos: paths of color photos; a pair has the file's name without its ending.
        size: pixels a side, at which the photos are colored, too.

    Returns:
        (real, generated, name) of each, the pictures uint8 (size, size, 3).

    Raises:
        colorlab.photos.PhotoError: a file that can't be read.
    """
    pairs = []
    for path in map(Path, photos):
        real = to_uint8(square(open_photo(path), size))
        pairs.append((real, np.asarray(colorizer.colorize(real)), path.stem))
    return pairs


class Judge(Playable):
    """Twenty rounds of "real or fake?", then the share of them in which you were fooled.

        judge = Judge(judge_pairs(Colorizer.load(), bundled_photos("test")))
        judge
        judge.save("me.json")   # after the game, in another cell

    Args:
        pairs: (real, generated, name) of each photo, square pictures of any kind. Twenty are drawn.
        seconds: for which a pair is seen; None: until the answer.
        seed: of the order and the sides of all games; None: others each time.

    `game` holds the rounds, `phase` is "start", "ready", "shown", "hidden" or "done", `words` is
    what is said.

    Raises:
        ValueError: no pair, two of the same name, or a time that is not positive.
    """

    still = "palette"

    def __init__(
        self, pairs: Sequence[Pair], seconds: float | None = 1.0, seed: int | None = None
    ) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(
                f"A pair must be seen for more than 0 seconds, not {seconds}; or None."
            )
        self.pairs = {name: (_shown(real), _shown(fake)) for real, fake, name in pairs}
        self.seconds, self._random = seconds, np.random.default_rng(seed)
        self.game = Game([name for *_, name in pairs], self._random)
        self.phase, self.words, self._stage, self._putting_back = "start", "", 0, False
        self.begin = widgets.Button(button_style="primary", layout={"width": "110px"})
        self.buttons = {
            side: widgets.Button(description=text, layout={"width": f"{SHOWN}px", "height": "36px"})
            for side, text in (("left", "← left is generated"), ("right", "right is generated →"))
        }
        self.keys = widgets.IntSlider(
            0, -1, 1, description="keys ← →", readout=False, layout={"width": "240px"}
        )
        self.image = widgets.Image(
            format="jpeg", layout={"width": f"{WIDTH}px", "max_width": "100%", "margin": "0"}
        )
        self.caption = widgets.HTML(layout={"max_width": f"{WIDTH}px", "margin": "0"})
        self.begin.on_click(lambda _: self.start())
        for side, button in self.buttons.items():
            button.on_click(lambda _, side=side: self.answer(side))
        self.keys.observe(self._key, names="value")
        row = {"max_width": f"{WIDTH + 8}px", "justify_content": "center", "flex_flow": "row wrap"}
        about = widgets.HTML(
            f'<div style="line-height: 1.4; font-size: 90%">{ALT}</div>',
            layout=widgets.Layout(max_width=f"{WIDTH}px", margin="0 0 12px"),
        )
        self.box = widgets.VBox(
            [
                self.image,
                widgets.HBox(list(self.buttons.values()), layout={**row, "margin": "6px 0 0"}),
                widgets.HBox([self.begin, self.keys], layout=row),
                self.caption,
                about,
            ]
        )
        self._show("start")

    def start(self) -> None:
        """Begin a game, or another one."""
        if self.phase != "start":
            self.game = Game(self.game.photos, self._random)
        self._next()

    def answer(self, said: str) -> None:
        """Say which picture was generated, "left" or "right"; before the first round, start.

        What comes before a pair is seen or after the last one counts as a slip and does nothing.
        """
        if self.phase == "start":
            self.start()
        elif self.phase in ("shown", "hidden"):
            self.game.answer(said)
            self._next()

    @property
    def judgements(self) -> Judgements:
        """What the answers so far say.

        Raises:
            ValueError: there is none yet.
        """
        if not self.game.answers:
            raise ValueError("There is no answer yet. Press Start and play some rounds first.")
        return Judgements((tuple(self.game.answers),), self.limit)

    @property
    def limit(self) -> float | None:
        """`seconds`, where a time limit can be kept; else None."""
        return self.seconds if _loop() else None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the answers as JSON, for ``merge_judgements``.

        Raises:
            ValueError: there is none yet.
            OSError: the file can't be written.
        """
        return self.judgements.write(path)

    def picture(self) -> np.ndarray:
        if self.phase == "done":
            return draw_result(self.judgements, self.pairs)
        field = draw_pair(*next(iter(self.pairs.values())))  # the real one, the generated one
        return np.concatenate([field, draw_question("The right one was generated.")])

    def __repr__(self) -> str:
        return f"Judge({len(self.pairs)} pairs, seconds={self.seconds}): {self.words}"

    def _key(self, change: Any) -> None:
        if self._putting_back or not change["new"]:
            return
        self._putting_back, self.keys.value = True, 0
        self._putting_back = False
        self.answer("left" if change["new"] < 0 else "right")

    def _next(self) -> None:
        self._show("done" if self.game.over else "ready" if _loop() else "shown")

    def _show(self, phase: str) -> None:
        """Show a phase; what follows by itself comes later, unless something else has come."""
        self.phase, self._stage = phase, self._stage + 1
        self.image.value = encode_image(self._pixels(), "jpeg", QUALITY)
        self.begin.description = "Start" if phase == "start" else "Start again"
        for control in (*self.buttons.values(), self.keys):
            control.disabled = phase == "done"
        self.words = self._said()
        self.caption.value = (
            '<div aria-live="polite" style="line-height: 1.4; margin-top: 4px">'
            f"{html.escape(self.words)}</div>"
        )
        follows = {"ready": (PAUSE, "shown"), "shown": (self.seconds, "hidden")}.get(phase)
        loop, stage = _loop(), self._stage
        if follows and follows[0] is not None and loop:
            # Not by sleeping: the kernel has to see the answer.
            loop.call_later(follows[0], lambda: stage == self._stage and self._show(follows[1]))

    def _pixels(self) -> np.ndarray:
        if self.phase == "done":
            return draw_result(self.judgements, self.pairs)
        if self.phase != "shown":
            title = "Real or fake?" if self.phase == "start" else ""
            return draw_field(cross=self.phase == "ready", words=title)
        photo, generated = self.game.now
        real, fake = self.pairs[photo]
        return draw_pair(real, fake) if generated == "right" else draw_pair(fake, real)

    def _said(self) -> str:
        count = len(self.game.rounds)
        limit = "seen until you answer" if self.limit is None else f"seen for {self.limit:g} s"
        if self.seconds is not None and self.limit is None:
            limit += ", since no event loop runs here that could keep a time limit"
        if self.phase == "start":
            return f"{count} rounds, each pair {limit}. Which one was generated? Press Start."
        if self.phase == "done":
            return _result_words(self.judgements)
        now = f"Round {len(self.game.answers) + 1} of {count}"
        return {
            "ready": f"{now}. Look at the cross.",
            "shown": f"{now}: which one is generated?",
            "hidden": f"{now}: which one was generated?",
        }[self.phase]


def _result_words(judged: Judgements) -> str:
    low, high = judged.left.interval
    habit = "a habit of the hand" if not low <= 0.5 <= high else "no sign of a habit"
    return (
        f"Fooled: {judged.fooled}. Published: {percent(PUBLISHED)} % for another generator, with "
        f"other photos and players. You said left: {judged.left}, {habit}."
    )


def _shown(picture: Any) -> np.ndarray:
    image = Image.fromarray(to_uint8(picture))
    return np.asarray(image.resize((SHOWN, SHOWN), Image.Resampling.BICUBIC))


def _loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs here, as in every notebook."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
