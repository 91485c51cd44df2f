"""colorlab.audit.duplicates: against comparing every pair with Python's integers, and changed
photos."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from colorlab.audit import duplicates
from colorlab.audit.duplicates import Hashes
from colorlab.audit.measures import hashes

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "data/photos").rglob("*.jpg"))


def flipped(rng: np.random.Generator, bits: int, count: int) -> int:
    return sum(1 << int(bit) for bit in rng.choice(bits, count, replace=False))


def made(count: int, seed: int = 0) -> tuple[Hashes, list[int], list[int]]:
    """Hashes in clusters: some near in both, some in the coarse one alone."""
    rng = np.random.default_rng(seed)
    coarse, fine = [], []
    for i in range(count):
        if i and rng.random() < 0.5:
            other = int(rng.integers(i))
            coarse.append(coarse[other] ^ flipped(rng, 64, int(rng.integers(0, 14))))
            fine.append(fine[other] ^ flipped(rng, 256, int(rng.integers(0, 90))))
        else:
            coarse.append(int.from_bytes(rng.bytes(8), "little"))
            fine.append(int.from_bytes(rng.bytes(32), "little"))
    parts = [[(f >> (64 * k)) & (2**64 - 1) for k in range(4)] for f in fine]
    return Hashes(np.array(coarse, np.uint64), np.array(parts, np.uint64), 10), coarse, fine


def near(coarse: list[int], fine: list[int], i: int, j: int) -> bool:
    few = (coarse[i] ^ coarse[j]).bit_count() <= 10
    return few and (fine[i] ^ fine[j]).bit_count() <= 24 + 4 * 10


@pytest.fixture(params=["as it is", "blocks of 5"])
def blocks(request, monkeypatch) -> None:
    if request.param == "blocks of 5":
        for name, value in (("_ROWS", 3), ("_COLUMNS", 7), ("_BLOCK", 5)):
            monkeypatch.setattr(duplicates, name, value)


@pytest.mark.usefixtures("blocks")
def test_copies_are_those_of_a_plain_search() -> None:
    found, coarse, fine = made(150)
    order = np.random.default_rng(1).permutation(150)
    kept: list[int] = []
    expected = []
    for i in order:
        match = next((k for k in kept if near(coarse, fine, i, k)), -1)
        expected.append(match)
        if match < 0:
            kept.append(i)
    assert found.copies(order).tolist() == expected
    assert 20 < sum(match >= 0 for match in expected) < 130


@pytest.mark.usefixtures("blocks")
def test_first_matches_are_those_of_a_plain_search() -> None:
    found, coarse, fine = made(120, seed=2)
    ones, others = np.arange(0, 120, 2), np.arange(1, 120, 2)[::-1]
    expected = [next((j for j in others if near(coarse, fine, i, j)), -1) for i in ones]
    assert found.first_match(ones, others).tolist() == expected
    assert 5 < sum(match >= 0 for match in expected) < 55
    assert found.first_match(ones, others[:0]).tolist() == [-1] * len(ones)


def test_a_set_in_which_everything_looks_alike_is_no_harder() -> None:
    count = 20_000
    rng = np.random.default_rng(0)
    coarse = np.array([1 << int(bit) for bit in rng.integers(64, size=count)], np.uint64)
    start = time.perf_counter()
    match = Hashes(coarse, np.zeros((count, 4), np.uint64), 10).copies(np.arange(count))
    assert match[0] == -1 and (match[1:] == 0).all()
    assert time.perf_counter() - start < 5


def jpeg(image: Image.Image, quality: int = 90) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


CHANGES = {
    "quality 40": lambda p: jpeg(p, 40),
    "half the size": lambda p: jpeg(p.resize((p.width // 2, p.height // 2))),
    "2 % cut off": lambda p: jpeg(
        p.crop((p.width // 100, p.height // 100, p.width * 99 // 100, p.height * 99 // 100))
    ),
    "brighter": lambda p: jpeg(ImageEnhance.Brightness(p).enhance(1.1)),
    "gray": lambda p: jpeg(p.convert("L")),
}


@pytest.fixture(scope="module")
def bundled() -> list[tuple[np.uint64, np.ndarray]]:
    return [hashes(Image.open(path).convert("L")) for path in PHOTOS]


def both(some: list[tuple[np.uint64, np.ndarray]]) -> Hashes:
    coarse, fine = zip(*some, strict=True)
    return Hashes(np.array(coarse), np.array(fine), 10)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_near(bundled, change) -> None:
    changed = [hashes(CHANGES[change](Image.open(path)).convert("L")) for path in PHOTOS[::5]]
    found = both(bundled + changed)
    numbers = np.arange(len(PHOTOS), len(PHOTOS) + len(changed))
    match = found.first_match(numbers, np.arange(len(PHOTOS)))
    assert match.tolist() == list(range(0, len(PHOTOS), 5))


def test_no_two_bundled_photos_are_near(bundled) -> None:
    assert (both(bundled).copies(np.arange(len(PHOTOS))) == -1).all()


@pytest.mark.parametrize("distance", [-1, 21])
def test_a_distance_that_makes_no_sense_is_refused(distance) -> None:
    with pytest.raises(ValueError, match="0 to 20"):
        Hashes(np.zeros(1, np.uint64), np.zeros((1, 4), np.uint64), distance)
