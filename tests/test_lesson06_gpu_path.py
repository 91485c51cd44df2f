"""Lesson 06's path for a GPU, taken on a CPU: the notebook's own cells, its recipe made small."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from colorlab import recipes, sources
from colorlab.recipes.recipe import Recipe
from colorlab.sources import bundled_photos
from colorlab.sources.catalog import SOURCES

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "06_adversarial_training.ipynb"
STARTS = (  # of the cells between the choice of a recipe and the end of the run
    "from colorlab import sources",
    "recipe, photos, every = plan(",
    "def second_home(",
    "from colorlab.course.museum.diary import Recorder",
    "run.wait()",
    "def looks_at(",
)


def cells() -> list[str]:
    """The cells of `STARTS`; the last one up to where it shows pictures."""
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    *before, looks = (next(cell for cell in code if cell.startswith(start)) for start in STARTS)
    shown = next(cell for cell in code if cell.startswith("mine = recorder.diary()"))
    return [*before, f"{looks}\n\n\n{shown.split('columns = ')[0]}"]


PLAN, CHOOSE, HOME, MAKE, WAIT, LOOKS = cells()


def lesson(tmp_path: Path, kind: str, **more: Any) -> dict[str, Any]:
    """The names that stand when the GPU section begins."""
    train, val = (bundled_photos(split)[0].parent for split in ("train", "val"))
    return {
        "np": np, "os": os, "Path": Path, "recipes": recipes, "tiny": recipes.get("tiny"),
        "TRAIN": train, "VAL": val, "RUNS": tmp_path, "COLAB": False, "KAGGLE": False,
        "device": torch.device(kind), **more,
    }  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which sets are asked for; what comes are the course's own photos."""
    names: list[str] = []

    def get(name: str) -> Path:
        names.append(name)
        return bundled_photos("train")[0].parent

    monkeypatch.setattr(sources, "get", get)
    return names


def counted(recipe: Recipe) -> list[int]:
    """Where each stage ends, counted step by step."""
    stages = [number for number, stage in enumerate(recipe.stages) for _ in range(stage.steps)]
    changes = [i for i, (one, next_) in enumerate(pairwise(stages), 1) if one != next_]
    return [*changes, len(stages)]


def test_a_gpu_gets_the_recipe_for_gpus_and_its_own_boundaries(tmp_path, asked, capsys) -> None:
    names = lesson(tmp_path, "cuda")
    exec(PLAN, names)
    exec(CHOOSE, names)
    recipe, whole = names["recipe"], recipes.get("encoder-256")
    assert recipe == whole.with_steps(recipe.steps)
    assert {stage.image_size for stage in recipe.stages} == {256}
    assert [stage.kind for stage in recipe.stages] == ["pretrain", "adversarial"]
    assert names["stage_ends"](recipe) == counted(recipe) == [4000, 4400]
    assert names["stage_ends"](whole) == counted(whole) == [20_000, 22_000]
    assert all(end % names["every"] == 0 for end in counted(recipe)), "no look at a stage's end"
    assert set(asked) <= set(SOURCES) and len(asked) == 1
    assert SOURCES[asked[0]].slug is None, "this set needs an account"
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split()[-1] for line in said] == ["4,000", "4,400"]


def test_a_cpu_gets_the_small_recipe(tmp_path, asked, monkeypatch) -> None:
    monkeypatch.delenv("COLORLAB_STEPS", raising=False)
    names = lesson(tmp_path, "cpu")
    exec(PLAN, names)
    exec(CHOOSE, names)
    assert names["recipe"] == names["tiny"].with_steps(1600) and not asked
    assert names["stage_ends"](names["recipe"]) == counted(names["recipe"]) == [800, 1600]
    assert names["photos"] == names["TRAIN"] and names["every"] == 80


def small(recipe: Recipe) -> Recipe:
    """The same recipe in sizes for a CPU, and with narrow networks."""
    recipe = recipe.with_size(64).with_batch(2).with_steps(6)
    generator = dataclasses.replace(recipe.generator, widths=(16, 16, 8, 8))
    discriminator = dataclasses.replace(recipe.discriminator, base=8)
    return dataclasses.replace(recipe, generator=generator, discriminator=discriminator)


def test_the_run_of_a_gpu_ends_its_stages_where_the_lesson_says(tmp_path, asked) -> None:
    names = lesson(tmp_path, "cuda")
    exec(PLAN, names)
    exec(CHOOSE, names)
    names["recipe"], names["every"] = small(names["recipe"]), 1
    ends = counted(names["recipe"])
    exec(HOME, names)
    exec(MAKE, names)
    run, recorder = names["run"], names["recorder"]

    run.start()
    run.pause()  # the page was closed; its cell runs again while the run lives
    exec(MAKE, names)
    assert names["run"] is run and names["recorder"] is recorder
    run.resume()
    exec(WAIT, names)
    assert run.state == "finished" and run.step == ends[-1]

    exec(LOOKS, names)
    mine, looks = names["mine"], names["looks_at"](names["mine"], names["recipe"])
    assert [int(mine.steps[i]) for i in looks.values()] == [0, *ends]
    assert list(looks) == ["start", "stage 1", "stage 2"]
    adversarial = [row["step"] for row in run.history if "discriminator" in row]
    assert adversarial == list(range(ends[0] + 1, ends[1] + 1))
    assert mine.loss("accuracy_fake")[0].min() == ends[0] + 1

    shutil.rmtree(tmp_path / "first")  # the machine is gone, and the mirror is not
    exec(MAKE, names)
    assert names["run"] is not run and names["run"].step == ends[-1]


def test_each_service_has_its_second_home(tmp_path, monkeypatch) -> None:
    mounted: list[str] = []
    drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    homes = {}
    for service in ("COLAB", "KAGGLE", "neither"):
        names = lesson(tmp_path, "cuda", **{service: True})
        exec(HOME, names)
        homes[service] = names["MIRROR"]
    assert mounted == ["/content/drive"]
    assert homes["COLAB"].is_relative_to("/content/drive/MyDrive")
    assert homes["KAGGLE"].is_relative_to("/kaggle/working")
    assert homes["neither"].is_relative_to(tmp_path)
