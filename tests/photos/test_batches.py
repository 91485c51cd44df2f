"""colorlab.photos.batches on data sets that are no photos; those are in test_folder.py."""

import collections
import gc
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.utils import DataLoaderConfiguration
from torch.utils.data import Dataset

from colorlab.photos.batches import ahead, photo_loader

PHOTOS = Path(__file__).resolve().parents[2] / "data/photos/val"


class Numbers(Dataset):
    """Twenty numbers, each plus its seed's last digits; counts what is read, and how."""

    def __init__(self):
        self.read, self.calls = [], []

    def __len__(self) -> int:
        return 20

    def __getitem__(self, item: tuple[int, int]) -> torch.Tensor:
        index, seed = item
        self.read.append(index)
        return torch.tensor(index + seed % 1000 / 1000)


class Batched(Numbers):
    """The same, asked for a batch at once."""

    def __getitems__(self, items: list[tuple[int, int]]) -> list[torch.Tensor]:
        self.calls.append(len(items))
        return [self[item] for item in items]


def loader_of(dataset: Dataset, **options):
    return photo_loader(dataset, 4, generator=torch.Generator().manual_seed(3), **options)


# --- photo_loader: any data set, and accelerate ---------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_is_asked_for_at_once_where_that_is_possible(workers):
    single, batched = Numbers(), Batched()
    expected = torch.cat(list(loader_of(single)))
    assert torch.equal(torch.cat(list(loader_of(batched, num_workers=workers))), expected)
    assert sorted(expected.int().tolist()) == list(range(20))
    assert batched.calls == ([] if workers else [4] * 5)  # a worker counts in its own memory


@pytest.mark.parametrize("kind", [Numbers, Batched])
@pytest.mark.parametrize("split_batches", [False, True])
def test_accelerate_skips_without_reading(kind, split_batches):
    """A run that is resumed must not decode what it had used."""
    dataset = kind()
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=split_batches)
    )
    expected = list(loader_of(Numbers()))
    prepared = accelerator.prepare_data_loader(loader_of(dataset), device_placement=False)
    assert len(prepared) == 5
    assert torch.equal(torch.cat(list(prepared)), torch.cat(expected))
    assert sorted(dataset.read) == list(range(20))
    assert dataset.calls == ([4] * 5 if kind is Batched else [])

    dataset = kind()
    prepared = accelerator.prepare_data_loader(loader_of(dataset), device_placement=False)
    left = list(skip_first_batches(prepared, 3))
    assert torch.equal(torch.cat(left), torch.cat(expected[3:]))
    assert dataset.read == torch.cat(expected[3:]).int().tolist()


def test_one_generator_state_gives_the_rest_of_an_interrupted_epoch():
    """The state from before the epoch, and the number of batches used, are all that is stored."""
    generator = torch.Generator().manual_seed(3)
    batches = ahead(photo_loader(Numbers(), 4, generator=generator))
    state = torch.Generator().manual_seed(3).get_state()
    used = [next(batches) for _ in range(2)]
    after = generator.get_state()
    rest = list(batches)
    assert torch.equal(generator.get_state(), after)  # an epoch is drawn when it begins
    generator.set_state(state)
    again = skip_first_batches(photo_loader(Numbers(), 4, generator=generator), 2)
    assert torch.equal(torch.cat(list(ahead(again))), torch.cat(rest))
    assert len(used) == 2


def test_long_epochs_deal_every_photo_equally_often_and_no_seed_twice():
    generator = torch.Generator().manual_seed(3)
    drawn = list(photo_loader(Numbers(), 4, generator=generator, samples=10_000).sampler)
    assert collections.Counter(index for index, _ in drawn) == dict.fromkeys(range(20), 500)
    assert len({seed for _, seed in drawn}) == 10_000


# --- ahead ---------------------------------------------------------------------------------------


class Source:
    """Numbers from 0, with a note of how many were drawn, by which thread, and whether it ended."""

    def __init__(self, count: int = 10**9, seconds: float = 0.0, error_at: int | None = None):
        self.count, self.seconds, self.error_at = count, seconds, error_at
        self.drawn, self.threads, self.closed = 0, set(), False

    def __iter__(self):
        try:
            for number in range(self.count):
                self.threads.add(threading.current_thread())
                time.sleep(self.seconds)
                if number == self.error_at:
                    raise LookupError(f"no batch {number}")
                self.drawn += 1
                yield number
        finally:
            self.closed = True


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "colorlab-ahead"]


def settled(condition, seconds: float = 5.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


@pytest.mark.parametrize("depth", [0, 1, 2, 30])
def test_same_batches_same_order(depth):
    source = Source(20)
    assert list(ahead(source, depth)) == list(range(20))
    assert list(ahead([], depth)) == []
    assert source.closed
    assert (threading.current_thread() in source.threads) == (depth == 0)
    assert not readers()


@pytest.mark.parametrize("depth", [1, 3])
def test_never_further_ahead_than_asked(depth):
    source = Source()
    batches = ahead(source, depth)
    for used in range(1, 6):
        next(batches)
        assert settled(lambda used=used: source.drawn == used + depth)
        time.sleep(0.01)
        assert source.drawn == used + depth
    batches.close()


def test_reading_overlaps_with_use():
    start = time.monotonic()
    for _ in ahead(Source(12, seconds=0.03)):
        time.sleep(0.03)
    assert time.monotonic() - start < 0.6  # one after the other: 0.72


@pytest.mark.parametrize("depth", [0, 2])
def test_an_exception_comes_after_the_batches_before_it(depth):
    batches = ahead(Source(9, error_at=4), depth)
    assert [next(batches) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(LookupError, match="no batch 4") as caught:
        next(batches)
    assert "raise LookupError" in "".join(traceback.format_tb(caught.tb))
    assert list(batches) == []
    assert not readers()


def test_what_cannot_be_iterated_is_an_error_here():
    with pytest.raises(TypeError, match="not iterable"):
        list(ahead(3))
    with pytest.raises(ValueError, match="depth=-1"):
        list(ahead([1], -1))


@pytest.mark.parametrize("how", ["close", "drop", "cycle", "error in the loop"])
@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_closed_early_no_thread_is_left(how, seconds):
    source = Source(seconds=seconds)
    batches = ahead(source)
    assert next(batches) == 0
    assert readers()
    start = time.monotonic()
    if how == "close":
        batches.close()
        assert not readers()  # at once: what the thread reads from may go away now
    elif how == "drop":
        del batches
    elif how == "cycle":
        cycle = [batches]
        cycle.append(cycle)
        del batches, cycle
        gc.collect()
    else:
        with pytest.raises(ZeroDivisionError):
            for _ in ahead(source):
                1 / 0  # noqa: B018
        batches.close()
        gc.collect()
    assert time.monotonic() - start < 5.0  # far below the 10 it would wait for a thread that hangs
    assert settled(lambda: not readers(), 0.5)
    assert source.closed
    drawn = source.drawn
    time.sleep(0.01)
    assert source.drawn == drawn


def test_closed_before_the_start_nothing_is_drawn():
    source = Source()
    ahead(source).close()
    assert source.drawn == 0 and not readers()


def test_closed_by_its_own_thread():
    """The garbage collector may run in the thread that reads."""
    box, went_well = [], []

    def source():
        yield 0
        settled(lambda: box)
        box.pop().close()
        went_well.append(True)
        yield 1

    batches = ahead(source())
    first = next(batches)
    box.append(batches)
    del batches
    assert first == 0
    assert settled(lambda: not readers() and not box)
    assert went_well


def test_an_error_is_not_kept_alive():
    class Big:
        alive = 0

        def __init__(self):
            Big.alive += 1

        def __del__(self):
            Big.alive -= 1

    def source():
        big = Big()
        yield 1
        raise LookupError(str(big))

    gc.disable()
    try:
        with pytest.raises(LookupError):
            list(ahead(source()))
        assert settled(lambda: Big.alive == 0, 1.0)
    finally:
        gc.enable()


def test_a_program_ends_while_batches_are_read():
    code = f"""
import torch
from colorlab.photos.batches import ahead, photo_loader
from colorlab.photos.folder import PhotoFolder

photos = PhotoFolder({str(PHOTOS)!r}, size=64, augment=True, threads=2)
loader = photo_loader(photos, 8, generator=torch.Generator(), samples=10**6)
batches = ahead(loader, 5)
print(next(batches).shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "[8, 3, 64, 64]" in done.stdout
