"""The audit and the loader on 1,000, 10,000 and 100,000 photos: photos a second, peak memory.

    python tests/benchmarks/hundred_thousand.py [--sizes 1000 10000 100000] [--folder DIR]

The requirement: memory that hardly grows with the number of photos. Each JPEG (256 x 192 pixels,
12 kB) is two random cuts of two bundled photos laid over each other, so few look alike. 100,000 of
them take 1.2 GB and ten minutes to make; with --folder they stay there and are used again. Every
measurement runs in a process of its own. Memory is resident memory, as the system counts it, so the
200 MB of torch's code count in every process.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from colorlab.audit.every_core import cores
from colorlab.audit.search import audit
from colorlab.photos.batches import photo_loader
from colorlab.photos.folder import PhotoFolder

BUNDLED = Path(__file__).resolve().parents[2] / "data/photos"
PER_FOLDER = 1000
SHAPE = (256, 192)
SIZE, BATCH = 128, 16


def write_folder(folder: Path, number: int) -> None:
    """Photos number * 1000 and on; a folder that is there already is taken as it is."""
    target = folder / f"{number:03d}"
    if target.is_dir():
        return
    aside = folder / f".{number:03d}"
    aside.mkdir(exist_ok=True)
    paths = sorted(BUNDLED.rglob("*.jpg"))
    for i in range(PER_FOLDER):
        rng = np.random.default_rng([number, i])
        layers = []
        for path in rng.choice(paths, 2, replace=False):
            with Image.open(path) as photo:
                side = rng.uniform(0.4, 0.9) * min(photo.width / SHAPE[0], photo.height / SHAPE[1])
                width, height = SHAPE[0] * side, SHAPE[1] * side
                left = rng.uniform(0, photo.width - width)
                top = rng.uniform(0, photo.height - height)
                box = (left, top, left + width, top + height)
                photo = photo.convert("RGB").resize(SHAPE, Image.Resampling.BILINEAR, box=box)
                layers.append(photo)
        Image.blend(*layers, 0.5).save(aside / f"photo-{number:03d}-{i:03d}.jpg", quality=85)
    aside.rename(target)


class Watch:
    """The highest resident memory of this process, and of the one child that had most, in MB."""

    def __init__(self) -> None:
        self.own = self.child = 0.0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        me = psutil.Process()
        while not self.done.wait(0.2):
            self.own = max(self.own, me.memory_info().rss / 1e6)
            for child in me.children(recursive=True):
                try:
                    self.child = max(self.child, child.memory_info().rss / 1e6)
                except psutil.NoSuchProcess:
                    continue

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def measure(what: str, folders: Sequence[Path]) -> None:
    """Print one line of the result."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    with Watch() as watch:
        if what == "audit":
            report = audit(folders)
            count, words = len(report), f"{len(report.findings)} findings: "
            kinds = [finding.kind for finding in report.findings]
            words += ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        else:
            photos = PhotoFolder(folders, size=SIZE, augment=True, keep=0, threads=cores())
            words = f"listed in {time.perf_counter() - start:.1f} s"
            start = time.perf_counter()
            generator = torch.Generator().manual_seed(0)
            loader = photo_loader(photos, BATCH, generator=generator, drop_last=False)
            count = sum(len(batch) for batch in loader)
    rate = count / (time.perf_counter() - start)
    child = f" + {watch.child:4.0f} MB a worker" if watch.child else ""
    print(f"{what:7s}{count:8,}: {rate:5.0f} photos/s, {watch.own:4.0f} MB{child}; {words}")


def main() -> None:
    """Make the photos, then measure in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", choices=("audit", "loader"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if any(size % PER_FOLDER for size in options.sizes):
        parser.error(f"sizes must be multiples of {PER_FOLDER}")
    if options.measure:
        numbers = range(options.sizes[0] // PER_FOLDER)
        measure(options.measure, [options.folder / f"{number:03d}" for number in numbers])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(cores()) as pool:
            wanted = max(options.sizes) // PER_FOLDER
            list(pool.map(write_folder, [folder] * wanted, range(wanted)))
        for what in ("audit", "loader"):
            for size in options.sizes:
                command = [sys.executable, __file__, "--measure", what, "--sizes", str(size)]
                subprocess.run([*command, "--folder", str(folder)], check=True)


if __name__ == "__main__":
    main()
