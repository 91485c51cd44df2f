"""Images per second of the usual loader and of colorlab's, from the same files, 256 x 256.

    python tests/benchmarks/loader.py [--photos 1000] [--workers 2] [--device cpu]

The usual one opens, resizes, crops, mirrors and converts to Lab (scikit-image) each photo in
`__getitem__`, in worker processes; colorlab's has as many threads. The requirement is a ratio of at
least 2 in the first epoch and of 10 from the second on, where colorlab's photos are in memory.
Both give all their batches of 16 to a loop that does nothing. Starting the worker processes counts
in the first epoch only. The files lie in the system's file cache, so no disk is measured.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from skimage.color import rgb2lab
from torch.utils.data import DataLoader, Dataset

from colorlab.color import rgb_to_lab
from colorlab.photos.batches import ahead, photo_loader
from colorlab.photos.folder import PhotoFolder

BUNDLED = Path(__file__).resolve().parents[2] / "data/photos"
SIZE, RESIZED, BATCH = 256, 286, 16


class UsualPhotos(Dataset):
    """Photos as pix2pix code usually reads them: L and ab in [-1, 1], float32 (1 + 2, 256, 256)."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = Image.open(self.paths[index]).convert("RGB")
        factor = RESIZED / min(image.size)
        width, height = (round(side * factor) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = random.randint(0, width - SIZE), random.randint(0, height - SIZE)
        image = image.crop((left, top, left + SIZE, top + SIZE))
        if random.random() < 0.5:
            image = ImageOps.mirror(image)
        lab = torch.from_numpy(rgb2lab(np.asarray(image)).astype(np.float32)).permute(2, 0, 1)
        return lab[:1] / 50 - 1, lab[1:] / 110


def write_photos(folder: Path, count: int) -> None:
    """`count` different JPEGs of 640 x 480 or 480 x 640 pixels from the bundled photos.

    Each is another part of its photo, with noise, so that its bytes are those of a camera's file
    of that size and not of an enlargement.
    """
    sources = [Image.open(path).convert("RGB") for path in sorted(BUNDLED.rglob("*.jpg"))]
    rng = np.random.default_rng(0)
    for number in range(count):
        image = sources[number % len(sources)]
        shape = (640, 480) if image.width >= image.height else (480, 640)
        side = rng.uniform(0.7, 1.0) * min(image.width / shape[0], image.height / shape[1])
        width, height = shape[0] * side, shape[1] * side
        left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
        box = (left, top, left + width, top + height)
        pixels = np.asarray(image.resize(shape, Image.Resampling.BICUBIC, box=box))
        noise = rng.integers(-6, 7, pixels.shape[:2] + (1,))
        pixels = (pixels + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=90)


def images_per_second(batches: Iterable, count: int) -> float:
    """Use up an epoch; it must hold `count` images."""
    start, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(batch[0]) if isinstance(batch, (tuple, list)) else len(batch)
    if seen != count:
        raise RuntimeError(f"{seen} images came out of an epoch of {count}.")
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print the rates and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="where Lab is made of colorlab's batches")
    options = parser.parse_args()
    count, device = options.photos, torch.device(options.device)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder, count)
        size = sum(path.stat().st_size for path in folder.iterdir()) / count / 1000
        print(f"{count} JPEGs of 640 x 480, {size:.0f} kB each; {options.workers} workers")

        usual = DataLoader(
            UsualPhotos(folder),
            batch_size=BATCH,
            shuffle=True,
            num_workers=options.workers,
            persistent_workers=options.workers > 0,
        )
        theirs = [images_per_second(usual, count) for _ in range(2)]
        usual._iterator = None  # ends its processes, so that they do not disturb what follows

        photos = PhotoFolder(
            folder,
            size=SIZE,
            augment=True,
            scale=(1.0, RESIZED / SIZE),
            keep=10**9,
            threads=max(1, options.workers),
        )
        generator = torch.Generator().manual_seed(0)
        loader = photo_loader(photos, BATCH, generator=generator, drop_last=False)
        ours = [images_per_second(ahead(loader), count) for _ in range(2)]
        # The conversion begins where the loader's work ends, as in training.
        with_lab = images_per_second(
            (rgb_to_lab(batch.to(device)) for batch in ahead(loader)), count
        )
        if device.type == "cuda":
            torch.cuda.synchronize()

    number, kept = photos.kept
    rows = [
        ("usual, epoch 1", theirs[0], theirs[0]),
        ("usual, epoch 2", theirs[1], theirs[1]),
        ("colorlab, epoch 1", ours[0], theirs[0]),
        ("colorlab, epoch 2", ours[1], theirs[1]),
        ("colorlab, epoch 2, Lab of the batch", with_lab, theirs[1]),
    ]
    print(f"{number} working pictures in memory, {kept / 1e6:.0f} MB")
    for name, rate, usual_rate in rows:
        print(f"{name:38s} {rate:8.0f} images/s {rate / usual_rate:6.1f} x")


if __name__ == "__main__":
    main()
