"""The ladder of speed: a step of pix2pix as commonly written, then one change after the other.

    python tests/benchmarks/speed.py [--recipe lab-pix2pix] [--size 256] [--batch 4] [--repeats 5]
                                     [--device cpu] [--compile auto] [--save]

Each change is predicted from a profile of the first step and from measured ceilings, before any is
built; then all are timed in turns. The times hold reading the bundled photos, one after the other,
in the same thread. `--save` puts the ladder into data/lessons/speed.json, which lesson 07 shows,
unless something else kept the machine busy meanwhile.
"""

from __future__ import annotations

import argparse

import torch

from colorlab import recipes
from colorlab.devices import best_device
from colorlab.sources.bundled import data_dir
from colorlab.speed.ladder import check_quiet, measure_ladder, measure_parts
from colorlab.speed.roofline import ceilings
from colorlab.speed.table import save_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="lab-pix2pix")
    parser.add_argument("--size", type=int)
    parser.add_argument("--batch", type=int, help="4 on a CPU, 16 elsewhere, unless told")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--times", type=int, default=4, help="the last rung's batch, in batches")
    parser.add_argument("--device")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device or best_device())

    recipe = recipes.get(options.recipe)
    recipe = recipe.with_batch(options.batch or (4 if device.type == "cpu" else 16))
    if options.size:
        recipe = recipe.with_size(options.size)
    photos = data_dir() / "photos" / "train"
    roofline = ceilings(device, repeats=50)
    peaks = ", ".join(f"{name} {peak / 1e12:.3g}" for name, peak in roofline.peaks.items())
    print(f"ceilings: {peaks} Tflop/s; memory {roofline.bandwidth / 1e9:.3g} GB/s")
    parts = measure_parts(recipe, photos, device=device, roofline=roofline, repeats=options.repeats)
    print("the first step, ms a photo:")
    for kind, seconds in parts.seconds.items():
        print(f"  {kind:<24}{seconds / parts.batch * 1000:8.2f}{seconds / parts.total:7.1%}")
    ladder = measure_ladder(
        recipe,
        photos,
        device=device,
        parts=parts,
        repeats=options.repeats,
        compile=options.compile,
        times=options.times,
    )
    print(ladder)
    if options.save:
        try:
            check_quiet(ladder)
        except RuntimeError as error:
            raise SystemExit(f"not saved: {error}") from None
        print(f"saved: {save_table(ladder)}")


if __name__ == "__main__":
    main()
