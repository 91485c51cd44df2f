"""Runs that are killed with SIGKILL at random moments and resumed, against one that is not.

    python tests/benchmarks/kills.py [--runs 25] [--seed 0]

Each run (a U-Net with dropout, shuffled and augmented photos, float32, CPU, a checkpoint after
every second step) is killed once, some also in the middle of a write, and resumed to its end; one
more run changes λ and both learning rates on the way. Printed: how many ended with weights
identical, byte for byte, to those of the run that was left alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PHOTOS = Path(__file__).resolve().parents[2] / "data" / "photos" / "val"
CHANGES = {12: {"color_weight": 20.0}, 30: {"generator_rate": 5e-4, "discriminator_rate": 1e-5}}


def train(output: str, change: bool) -> None:
    """The process that gets killed: begins the run, or goes on with it."""
    from colorlab import recipes
    from colorlab.training.run import Run

    tiny = recipes.get("tiny")
    recipe = dataclasses.replace(
        tiny.with_size(32).with_batch(4).with_steps(60),
        optimization=dataclasses.replace(tiny.optimization, precision="fp32", average=0.9),
    )
    run = Run(
        recipe, PHOTOS, output=output, resume=True, checkpoint_every=2, progress=False, device="cpu"
    )

    def turn_knobs(event) -> None:  # noqa: ANN001
        known = {change.step for change in run.changes.changes}
        if event.kind == "step" and event.step in CHANGES and event.step + 1 not in known:
            run.set(**CHANGES[event.step])

    if change:
        run.listeners.append(turn_knobs)
    run.train()


def process(output: Path, change: bool) -> subprocess.Popen:
    command = [sys.executable, __file__, "--train", str(output)] + ["--change"] * change
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def whole(output: Path, change: bool) -> tuple[bytes, float, float]:
    """The weights of a run left alone; seconds to its first step, and to its end."""
    began, first = time.monotonic(), 0.0
    child = process(output, change)
    while child.poll() is None:
        if not first and (output / "history.csv").exists():
            first = time.monotonic() - began
        time.sleep(0.01)
    assert child.returncode == 0, child.stderr.read()
    return (output / "weights.safetensors").read_bytes(), first, time.monotonic() - began


def killed(output: Path, change: bool, delay: float) -> tuple[bytes, str] | None:
    """The weights of a run that is killed after ``delay`` seconds and resumed, and what was left
    when it died; None where it had ended by itself."""
    child = process(output, change)
    time.sleep(delay)
    child.kill()
    if child.wait() == 0:
        return None
    names = [path.name for path in output.rglob("*")] if output.exists() else []
    done = max((int(n[5:-5]) for n in names if n.endswith(".ckpt")), default=0)
    writing = ", in the middle of a write" if any(n.endswith(".partial") for n in names) else ""
    child = process(output, change)
    assert child.wait() == 0, child.stderr.read()
    return (output / "weights.safetensors").read_bytes(), f"after checkpoint {done}{writing}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--change", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(options.train, options.change)
        return
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        for change, runs in ((False, options.runs), (True, 1)):
            wanted, first, end = whole(Path(folder, f"whole-{change}"), change)
            print(f"left alone: {end:.1f} s, first step after {first:.1f} s", flush=True)
            same = tried = died = 0
            while died < runs:
                result = killed(
                    Path(folder, f"{change}-{tried}"), change, chance.uniform(first, end)
                )
                tried += 1
                if result is None:
                    print("  ended before it was killed: not counted", flush=True)
                    continue
                died += 1
                got, how = result
                same += got == wanted
                outcome = "identical" if got == wanted else "DIFFERENT"
                print(f"  killed {how}: {outcome}", flush=True)
            what = ", with changes of λ and both learning rates" if change else ""
            print(f"{same} of {runs} killed runs ended identical, byte for byte{what}", flush=True)


if __name__ == "__main__":
    main()
