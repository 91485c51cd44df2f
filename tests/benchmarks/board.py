"""Time a training step with the live board and without it, interleaved in one run.

    python tests/benchmarks/board.py [--steps 400] [--block 20] [--threads 2]

The recipe `tiny` (64 px, batch 16) in its adversarial stage. Blocks of steps take turns: in every
other one the board hears of each step and draws, in the rest it hears nothing. So whatever else the
machine does falls on both. A drawing that a block with the board began runs on into the next: the
first two steps of each block are left out. The requirement is a ratio of the means of at most 1.05:
the medians pass over the few steps during which the board draws. Beside a program that keeps both
cores busy, two threads wait for each other for seconds: then only --threads 1 says something.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import torch

from colorlab import recipes
from colorlab.course.widgets.board.board import Board
from colorlab.training.listeners import Event
from colorlab.training.run import Run

PHOTOS = Path(__file__).resolve().parents[2] / "data" / "photos"


class Turns:
    """Hands events on to the board in every other block of steps, and times all steps."""

    def __init__(self, board: Board, block: int) -> None:
        self.board, self.block = board, block
        self.times: dict[bool, list[float]] = {True: [], False: []}
        self.ratios: list[float] = []  # of the means of neighboring blocks
        self._last, self._means = 0.0, {}
        self._taken: list[float] = []

    def __call__(self, event: Event) -> None:
        if event.kind != "step":
            if event.kind == "sample":
                self.board(event)
            return
        number, within = divmod(event.step - 1, self.block)
        with_board = number % 2 == 1
        if with_board:
            self.board(event)
        now = time.perf_counter()  # what the board did in this thread is in
        if within >= 2:
            self._taken.append(now - self._last)
        self._last = now
        if within == self.block - 1:
            self.times[with_board] += self._taken
            self._means[with_board] = statistics.mean(self._taken)
            self._taken = []
            if with_board:
                self.ratios.append(self._means[True] / self._means[False])


def main() -> None:
    """Print the medians, the means and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--block", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    tiny = recipes.get("tiny")
    stage = dataclasses.replace(tiny.stages[1], steps=options.steps)
    recipe = dataclasses.replace(tiny, stages=(stage,))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            recipe,
            PHOTOS / "train",
            validation=PHOTOS / "val",
            output=folder,
            sample_every=50,
            progress=False,
            device="cpu",
        )
        board = Board(run)
        drawings: list[float] = []
        show = board._show

        def timed() -> None:
            began = time.perf_counter()
            show()
            drawings.append(time.perf_counter() - began)

        board._show = timed
        turns = Turns(board, options.block)
        run.listeners[run.listeners.index(board)] = turns
        run.train()

    for with_board, name in ((False, "without the board"), (True, "with the board")):
        times = turns.times[with_board]
        median, mean = 1000 * statistics.median(times), 1000 * statistics.mean(times)
        print(f"{name:18s} median {median:6.1f} ms, mean {mean:6.1f} ms a step, {len(times)} steps")
    with_, without = (turns.times[with_board] for with_board in (True, False))
    print(f"{len(drawings)} drawings, median {1000 * statistics.median(drawings):.0f} ms each")
    print(f"ratio of the medians: {statistics.median(with_) / statistics.median(without):.3f}")
    print(f"ratio of the means:   {statistics.mean(with_) / statistics.mean(without):.3f}")
    print(f"median of the ratios of neighboring blocks: {statistics.median(turns.ratios):.3f}")


if __name__ == "__main__":
    main()
