"""colorlab.training.feed: what a run is fed, in one process and in several."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training.feed import SAMPLE_PHOTOS, Feed, data_set, fingerprint

STAGE = Stage("pretrain", 6, 16, 4)
RECIPE = Recipe(name="fed", stages=(STAGE, Stage("adversarial", 5, 16, 2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(11):
        pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def batches(folder: Path, done: int = 0, number: int = 0, **choices) -> list[torch.Tensor]:
    feed = Feed(RECIPE, PhotoFolder(folder), threads=1, **choices)
    return list(feed.batches(number, RECIPE.stages[number], done, Accelerator(cpu=True)))


def test_a_stage_gets_its_steps_and_its_batch_size(folder: Path) -> None:
    got = batches(folder)
    assert [(tuple(b.shape), b.dtype) for b in got] == [((4, 3, 16, 16), torch.uint8)] * 6


@pytest.mark.parametrize("done", [1, 5])
def test_what_is_skipped_changes_nothing_of_the_rest(folder: Path, done: int) -> None:
    whole, rest = batches(folder), batches(folder, done)
    assert len(rest) == 6 - done
    assert all(torch.equal(a, b) for a, b in zip(whole[done:], rest, strict=True))


def test_keeping_photos_in_memory_changes_nothing(folder: Path) -> None:
    kept, read = batches(folder), batches(folder, keep=False)
    assert all(torch.equal(a, b) for a, b in zip(kept, read, strict=True))


def test_stages_are_dealt_differently(folder: Path) -> None:
    feed, accelerator = Feed(RECIPE, PhotoFolder(folder), threads=1), Accelerator(cpu=True)
    first, second = (next(feed.batches(number, STAGE, 0, accelerator)) for number in (0, 1))
    assert not torch.equal(first, second)


def test_a_stage_that_is_over_gives_its_memory_back(folder: Path) -> None:
    made, accelerator = [], Accelerator(cpu=True)

    class Noted(PhotoFolder):
        def at(self, *values, **options):
            other = super().at(*values, **options)
            made.append(weakref.ref(other))
            return other

    feed = Feed(RECIPE, Noted(folder))
    for number, stage in enumerate(RECIPE.stages):
        batches = feed.batches(number, stage, 0, accelerator)
        assert len([next(batches) for _ in range(stage.steps)]) == stage.steps
        assert made[number]().kept[0] > 0
        batches.close()
        del batches
        gc.collect()
    assert [reference() for reference in made] == [None, None]


def test_memory_is_shared_by_the_processes_of_one_machine(folder: Path, monkeypatch) -> None:
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=800))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    photos = PhotoFolder(folder)
    assert Feed(RECIPE, photos)._memory(1) == 400
    assert Feed(RECIPE, photos)._memory(4) == 100
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # eight in all, on four machines
    assert Feed(RECIPE, photos)._memory(8) == 200
    assert Feed(RECIPE, photos, keep=False)._memory(1) == 0


def test_photos_seen_over_the_stages(folder: Path) -> None:
    feed = Feed(RECIPE, PhotoFolder(folder))
    assert [feed.photos_seen(n) for n in (0, 1, 6, 7, 11, 99)] == [0, 4, 24, 26, 34, 34]


def test_a_glimpse_is_the_same_each_time_and_leaves_the_batches_alone(folder: Path) -> None:
    feed = Feed(RECIPE, PhotoFolder(folder), threads=1)
    first = feed.glimpse(30)
    assert first.shape == (30, 3, 8, 8) and first.dtype == torch.uint8
    before = torch.get_rng_state()
    assert torch.equal(first, feed.glimpse(30))
    assert torch.equal(first, Feed(RECIPE, PhotoFolder(folder), threads=3).glimpse(30))
    assert torch.equal(torch.get_rng_state(), before)
    got = next(iter(feed.batches(0, STAGE, 0, Accelerator(cpu=True))))
    assert torch.equal(got, batches(folder)[0])
    other = Feed(dataclasses.replace(RECIPE, seed=1), PhotoFolder(folder), threads=1)
    assert not torch.equal(first, other.glimpse(30))


def test_a_glimpse_mixes_folders_as_the_first_stage_does(folder: Path, tmp_path: Path) -> None:
    """Eleven photos against one: with balance 0 each folder gives half."""
    Image.new("RGB", (24, 24), "white").save(tmp_path / "white.png")
    photos = PhotoFolder([folder, tmp_path])
    for balance, wanted in ((0.0, 1 / 2), (1.0, 1 / 12)):
        stage = dataclasses.replace(STAGE, balance=balance)
        seen = Feed(dataclasses.replace(RECIPE, stages=(stage,)), photos, threads=1).glimpse(240)
        white = (seen == 255).flatten(1).all(1).float().mean().item()
        assert white == pytest.approx(wanted, abs=0.12)


def test_held_out_photos_are_the_same_each_time_and_spread(folder: Path) -> None:
    feed = Feed(RECIPE, PhotoFolder(folder))
    first = feed.held_out(PhotoFolder(folder))
    assert first.shape == (SAMPLE_PHOTOS, 3, 16, 16)
    assert torch.equal(first, feed.held_out(PhotoFolder(folder)))
    assert len({photo.numpy().tobytes() for photo in first}) == SAMPLE_PHOTOS


def test_held_out_photos_of_another_form_are_refused(folder: Path) -> None:
    other = SimpleNamespace(holds="lab8")
    with pytest.raises(ValueError, match="are 'lab8' and the training photos 'rgb'"):
        Feed(RECIPE, PhotoFolder(folder)).held_out(other)


def test_no_held_out_photo_at_all_is_reported(folder: Path) -> None:
    nothing = PhotoFolder(folder).split({"train": 1.0, "val": 0.0})["val"]
    with pytest.raises(ValueError, match="holds no photo; a tenth of a few photos may be none"):
        Feed(RECIPE, PhotoFolder(folder)).held_out(nothing)


def test_fingerprints_tell_sets_of_photos_apart() -> None:
    def of(*names: str) -> str:
        class Photos(list):
            pass

        photos = Photos(names)
        photos.names = names
        return fingerprint(photos)

    assert of("a", "b").startswith("2 photos ")
    assert of("a", "b") == of("a", "b")
    assert len({of("a", "b"), of("b", "a"), of("ab"), of("a"), of("a", "c")}) == 5


def test_folders_become_a_data_set_and_a_data_set_stays(folder: Path) -> None:
    made = data_set(folder)
    assert made.holds == "rgb" and len(made) == 11
    assert data_set(made) is made


def test_the_seed_decides_the_order(folder: Path) -> None:
    other = Feed(dataclasses.replace(RECIPE, seed=1), PhotoFolder(folder), threads=1)
    got = next(iter(other.batches(0, STAGE, 0, Accelerator(cpu=True))))
    assert not torch.equal(got, batches(folder)[0])
