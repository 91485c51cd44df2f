"""Time `LabArrays` on a set of the full size, and watch how much memory an epoch takes.

    python tests/benchmarks/arrays.py [--photos 25000] [--size 0]

The set is as large as the one on Kaggle (3.8 GB), but sparse: a few photos are noise, the rest are
holes that take no room on the disk and read as zeros. So no disk is waited for, and the figures say
what the library itself costs; a real disk adds its own time.
The requirements: open in well under 1 s, and less than 200 MB more at the end of an epoch.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import psutil
import torch

from colorlab.photos.arrays import LabArrays

SIDE, PER_FILE, REAL = 224, 10_000, 8


def make_sparse_set(folder: Path, photos: int) -> None:
    """Write the headers and the first photos of each file, then stretch it to its full length."""
    counts = [min(PER_FILE, photos - first) for first in range(0, photos, PER_FILE)]
    files = {"l/gray_scale.npy": (photos, SIDE, SIDE)}
    for number, count in enumerate(counts, start=1):
        files[f"ab/ab{number}.npy"] = (count, SIDE, SIDE, 2)
    rng = np.random.default_rng(0)
    for name, shape in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        with (folder / name).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            end = file.tell() + int(np.prod(shape))
            file.write(rng.bytes(min(REAL, shape[0]) * int(np.prod(shape[1:]))))
            file.truncate(end)


def epoch(photos: LabArrays, order: Iterable[int]) -> float:
    """Read every photo once; photos a second."""
    start = time.perf_counter()
    for index in order:
        photos[index, index]
    return len(photos) / (time.perf_counter() - start)


def main() -> None:
    """Print seconds to open, photos a second and the memory before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=25_000)
    parser.add_argument("--size", type=int, default=0, help="0: as they are; else augmented cuts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    process = psutil.Process()

    with tempfile.TemporaryDirectory() as folder:
        make_sparse_set(Path(folder), options.photos)
        start = time.perf_counter()
        photos = LabArrays(folder, part="all")
        print(f"open: {time.perf_counter() - start:.3f} s for {len(photos)} photos")
        if options.size:
            photos = photos.at(options.size, augment=True, scale=(1.0, 1.25))
        shuffled = torch.randperm(len(photos), generator=torch.Generator().manual_seed(0)).tolist()
        photos[0, 0]
        before = process.memory_info().rss
        for name, order in [("in order", range(len(photos))), ("shuffled", shuffled)]:
            print(f"{name}: {epoch(photos, order):.0f} photos/s")
            after = process.memory_info().rss
            print(f"memory: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after")


if __name__ == "__main__":
    main()
