"""The named sets, made small, in the exact folders and names of the originals."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from functools import cache

import numpy as np
from PIL import Image

from colorlab.color import lab_to_lab8, rgb_to_lab


def _pixels(seed: int, side: int) -> np.ndarray:
    """A colored slope, uint8 (side, side, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side][..., None] / (side - 1)
    corners = rng.uniform(0, 255, (3, 3))
    return (corners[0] * (1 - x) + corners[1] * x * y + corners[2] * x * (1 - y)).astype(np.uint8)


def _photo(seed: int, side: int, form: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.fromarray(_pixels(seed, side)).convert(mode).save(file, form)
    return file.getvalue()


def _array(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def landscapes(count: int = 12) -> dict[str, bytes]:
    kinds = ["", "_(2)", "_(3)"]
    return {f"{i // 3:08d}{kinds[i % 3]}.jpg": _photo(i, 48, "JPEG") for i in range(count)}


def faces(count: int = 12) -> dict[str, bytes]:
    return {f"{i:05d}.png": _photo(i, 48, "PNG") for i in range(count)}


def everyday_pairs(count: int = 12) -> dict[str, bytes]:
    entries = {}
    for part, number in ("train", count), ("test", 3):
        for i in range(number):
            for side, mode in ("black", "L"), ("color", "RGB"):
                entries[f"data/{part}_{side}/image{i:04d}.jpg"] = _photo(i, 48, "JPEG", mode)
    return entries


def everyday(count: int = 12) -> dict[str, bytes]:
    names = [f"unlabeled2017_subsample/{i * 977:012d}.jpg" for i in range(count)]
    return {name: _photo(i, 48, "JPEG") for i, name in enumerate(names)}


def lab_arrays(count: int = 12) -> dict[str, bytes]:
    import torch

    pixels = np.stack([_pixels(i, 32) for i in range(count)])
    lab8 = lab_to_lab8(rgb_to_lab(torch.from_numpy(pixels).movedim(-1, 1))).numpy()
    ab = lab8[:, 1:].transpose(0, 2, 3, 1)
    third = count // 3
    parts = {1: ab[:third], 2: ab[third : 2 * third], 3: ab[2 * third :]}
    entries = {f"ab/ab/ab{n}.npy": _array(part) for n, part in parts.items()}
    return {**entries, "l/gray_scale.npy": _array(lab8[:, 0])}


SETS = {
    "landscapes": landscapes,
    "faces": faces,
    "everyday-pairs": everyday_pairs,
    "everyday": everyday,
    "lab-arrays": lab_arrays,
}


@cache
def archive(name: str, count: int = 12) -> bytes:
    """The zip archive of a set, with what others leave in archives."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for entry, content in SETS[name](count).items():
            made.writestr(entry, content)
        made.writestr("__MACOSX/._x.jpg", b"not a photo")
        made.writestr("labels.csv", b"a,b\n")
    return file.getvalue()


def imagenette(count: int = 12) -> dict[str, bytes]:
    """So many photos to train on, one of them gray, and half as many to judge by."""
    entries = {}
    for part, number in ("train", count), ("val", count // 2):
        for i in range(number):
            kind = ("n02979186", "n03394916")[i % 2]
            name = f"ILSVRC2012_val_{i:08d}" if i % 3 else f"{kind}_{i}"
            photo = _photo(i, 48, "JPEG", "L" if i == 4 else "RGB")
            entries[f"imagenette2-160/{part}/{kind}/{name}.JPEG"] = photo
    return entries


@cache
def imagenette_archive(count: int = 12) -> bytes:
    """The .tgz archive of Imagenette, 1.5 MB, with what lies beside the photos."""
    others = {
        "imagenette2-160/.DS_Store": b"not a photo",
        "imagenette2-160/noisy_imagenette.csv": random.Random(0).randbytes(1_500_000),
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as made:
        for name, content in {**others, **imagenette(count)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return file.getvalue()
