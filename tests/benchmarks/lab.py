"""Time `rgb_to_lab` against scikit-image on the same photos-sized input, in one process.

    python tests/benchmarks/lab.py [--repeats 31] [--threads 2]

The works take turns, so that whatever else the machine does falls on all; medians are compared.
The requirement is a ratio of at most 0.5 on two free cores. Beside a program that keeps both cores
busy, two threads wait for each other at every step: then only --threads 1 says something.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from skimage.color import rgb2lab

from colorlab.color import lab_to_rgb, rgb_to_lab


def milliseconds(work: Callable[[], object]) -> float:
    """Run `work` once and return how long it took."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Print the medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    batch = torch.rand(16, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    bytes_batch = (batch * 255).round().to(torch.uint8)
    images = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in batch]
    lab = rgb_to_lab(batch)

    works: dict[str, Callable[[], object]] = {
        "scikit-image rgb2lab, image by image": lambda: [rgb2lab(image) for image in images],
        "colorlab rgb_to_lab, float32": lambda: rgb_to_lab(batch),
        "colorlab rgb_to_lab, uint8": lambda: rgb_to_lab(bytes_batch),
        "colorlab lab_to_rgb, float32": lambda: lab_to_rgb(lab),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(options.repeats + 2):
        for name, work in works.items():
            elapsed = milliseconds(work)
            if repeat >= 2:  # the first two fill caches and start threads
                times[name].append(elapsed)

    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"16 x 3 x 256 x 256, {options.threads} threads, median and best of {options.repeats}")
    for name, median in medians.items():
        print(f"{name:38s} {median:7.1f} ms {min(times[name]):7.1f} ms")
    reference, ours, *_ = medians.values()
    print(f"ratio colorlab / scikit-image: {ours / reference:.2f}")


if __name__ == "__main__":
    main()
