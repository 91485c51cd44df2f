"""Time two processes against one, and hold the model of their cost against that.

    python tests/benchmarks/scaling.py [--recipes tiny lab-pix2pix] [--rounds 15]
        [--clock processor] [--save]

Prints the wire fitted to all-reduces of 4 KiB to 64 MiB; then, for each recipe, the step of one
process and of two, predicted and measured. `--save` writes `data/lessons/scaling.json`, which
lesson 07 shows. Everything takes turns in the same processes; medians are compared. Where the
machine has other work, only `--clock processor` tells anything.
"""

from __future__ import annotations

import argparse
import os
import time

import torch

from colorlab import recipes
from colorlab.recipes.recipe import Recipe
from colorlab.sources.bundled import data_dir
from colorlab.speed.scaling import Measured, StepTimes, Wire
from colorlab.speed.scaling_times import CLOCKS, measure_steps, measure_wire

BATCHES = {"lab-pix2pix": 2}  # others keep their own; these take a fifth of the rounds


def report(times: StepTimes, wire: Wire) -> None:
    def line(what: str, seconds: float, more: str = "") -> None:
        print(f"  {what:<48}{1000 * seconds:8.1f} ms   {more}".rstrip())

    p, share = times.processes, times.batch // times.processes
    print(
        f"{times.recipe}, {times.batch} photos of {times.image_size} px, {times.sent / 1e6:.1f} MB"
    )
    line(f"1 process, 1 thread, {times.batch} photos", times.whole)
    if times.threads is not None:
        more = f"{times.threads / times.together:.2f} of the {p} processes'"
        line(f"1 process, {p} threads, {times.batch} photos", times.threads, more)
    line(f"1 process, 1 thread, {share} photos", times.share)
    line(f"{p} processes, {share} photos each, nothing sent", times.apart)
    line(f"{p} processes, {share} photos each, averaged", times.together)
    line("averaging", times.communication, f"by the model {1000 * wire.seconds(times.sent, p):.1f}")
    predicted = times.predicted(wire)
    beside = times.apart + wire.seconds(times.sent, p)
    line("predicted from the share alone", predicted, f"ratio {times.together / predicted:.2f}")
    line("predicted from the shares side by side", beside, f"ratio {times.together / beside:.2f}")
    print(
        f"  strong scaling: {times.speedup:.2f} times as fast (predicted "
        f"{times.whole / predicted:.2f})"
    )
    print(
        f"  weak scaling: {times.efficiency:.0%} efficient (predicted "
        f"{times.share / predicted:.0%}; nothing sent {times.share / times.apart:.0%})"
    )


def prepared(name: str) -> Recipe:
    recipe = recipes.get(name)
    return recipe.with_batch(BATCHES[name]) if name in BATCHES else recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=["tiny", "lab-pix2pix"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--save", action="store_true", help="write data/lessons/scaling.json")
    options = parser.parse_args()

    began = time.perf_counter()
    times = measure_wire(2, repeats=options.rounds, clock=options.clock, device="cpu")
    wire = times.wire
    print(
        f"{options.clock} time; wire: {wire.bandwidth / 1e9:.2f} GB/s, "
        f"{wire.latency * 1e6:.0f} µs a message"
    )
    for size, seconds in zip(times.sizes, times.seconds, strict=True):
        fitted = wire.seconds(size, 2)
        print(f"  {size / 1024:8.0f} KiB {1000 * seconds:8.2f} ms   fitted {1000 * fitted:8.2f} ms")
    steps = {}
    for name in options.recipes:
        print(flush=True)
        steps[name] = measure_steps(
            prepared(name),
            rounds=max(options.rounds // 5, 1) if name in BATCHES else options.rounds,
            threads=options.clock == "wall",
            clock=options.clock,
            device="cpu",
        )
        report(steps[name], wire)
    print(f"\n{time.perf_counter() - began:.0f} s; load {os.getloadavg()[0]:.1f}")
    if options.save:
        machine = f"{os.cpu_count()} cores, torch {torch.__version__.split('+')[0]}"
        path = data_dir() / "lessons" / "scaling.json"
        path.write_text(Measured(machine, times, steps).to_json(), encoding="utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
