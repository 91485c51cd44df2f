"""The notebook for a Colab GPU: its own cells, with the branches that no CPU takes by itself."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from colorlab import recipes, sources
from colorlab.colorize import Colorizer
from colorlab.recipes.recipe import Recipe
from colorlab.sources import bundled_photos
from colorlab.sources.bundled import repository_address
from colorlab.sources.catalog import SOURCES

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "colab_gpu.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def cell(start: str) -> str:
    (found,) = [source for source in CODE if source.startswith(start)]
    return found


IMPORTS, CHOOSE, PLACES = cell("import shutil"), cell("def choose("), cell("def places(")
REHEARSE, LOAD = cell("from colorlab.training import Run"), cell("def trained(")
TRAIN = cell("from colorlab.course.widgets.board").removesuffix("\nBoard(run)")
WAIT = cell("run.start()")


def names_for(gpu: bool, **more: Any) -> dict[str, Any]:
    """The names that stand once the notebook's imports and its `choose` have run."""
    names: dict[str, Any] = {"COLAB": False, "KAGGLE": False}
    exec(IMPORTS, names)
    names |= {"GPU": gpu, "os": __import__("os")} | more
    exec(CHOOSE, names)
    return names


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which sets are asked for; what comes are the course's own photos."""
    found: list[tuple[str, str]] = []

    def get(name: str, part: str = "train") -> Path:
        found.append((name, part))
        return bundled_photos(part)[0].parent

    monkeypatch.setattr(sources, "get", get)
    return found


def test_it_is_short() -> None:
    assert len(CELLS) <= 25
    assert max(len(source.splitlines()) for source in CODE) <= 15


def test_a_gpu_gets_the_whole_recipe_and_photos_without_an_account(asked) -> None:
    recipe, photos, held_out = names_for(gpu=True)["choose"](True)
    assert recipe == recipes.get("encoder-256")
    assert [(stage.kind, stage.image_size) for stage in recipe.stages] == [
        ("pretrain", 256),
        ("adversarial", 256),
    ]
    (name, part), (same, other) = asked
    assert name == same and (part, other) == ("train", "val") and photos != held_out
    assert SOURCES[name].slug is None and SOURCES[name].layout == "split"


def test_a_cpu_gets_the_same_recipe_made_small(asked, monkeypatch) -> None:
    monkeypatch.delenv("COLORLAB_STEPS", raising=False)
    recipe, photos, held_out = names_for(gpu=False)["choose"](False)
    whole = recipes.get("encoder-256")
    assert asked == []
    assert [stage.steps for stage in recipe.stages] == [60, 6]
    assert (recipe.generator.kind, recipe.generator.widths) == (
        whole.generator.kind,
        whole.generator.widths,
    )
    same = ("discriminator", "objective", "data", "name")
    assert all(getattr(recipe, field) == getattr(whole, field) for field in same)
    assert set(photos.names).isdisjoint(held_out.names) and len(held_out) > 8


def test_the_text_states_the_recipe_s_own_numbers() -> None:
    text = "\n".join("".join(one["source"]) for one in CELLS if one["cell_type"] == "markdown")
    recipe = recipes.get("encoder-256")
    for number, stage in enumerate(recipe.stages, start=1):
        assert f"| stage {number}, {stage.steps:,} steps |" in text
    photos = sum(stage.steps * stage.batch_size for stage in recipe.stages)
    assert f"{photos:,}" in text
    objective = recipe.objective
    for weight, loss in (
        (objective.color_weight, r"\,\mathcal{L}_\text{color}"),
        (objective.perceptual_weight, r"\,\mathcal{L}_\text{perceptual}"),
        (objective.adversarial_weight, r"\,\mathbb{E}"),
    ):
        assert f"{weight:g}{loss}" in text


def test_the_link_to_colab_names_the_one_repository() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8") + (NOTEBOOK.parents[1] / "README.md").read_text(
        encoding="utf-8"
    )
    links = re.findall(
        r"https://colab\.research\.google\.com/github/(\S+?)/blob/\w+/([^)\s\"]+)", text
    )
    assert len(links) >= 2
    for owner, path in links:
        assert f"https://github.com/{owner}" == repository_address()
        assert (NOTEBOOK.parents[1] / path).is_file()


@pytest.mark.parametrize("service", ["COLAB", "KAGGLE", "own GPU"])
def test_each_service_has_a_place_that_outlives_the_machine(service, tmp_path, monkeypatch) -> None:
    mounted: list[str] = []
    drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    names = names_for(gpu=True, **{service: True})
    exec(PLACES, names)
    disk, safe = names["DISK"], names["SAFE"]
    assert mounted == (["/content/drive"] if service == "COLAB" else [])
    if service == "COLAB":
        assert safe.is_relative_to("/content/drive/MyDrive") and disk == Path("/content")
    elif service == "KAGGLE":
        assert safe == Path("/kaggle/working") and not disk.is_relative_to("/kaggle")
    else:
        assert (
            safe.is_dir()
            and disk != safe
            and {disk.parent, safe.parent} == {tmp_path / "colorlab-runs"}
        )


def small(recipe: Recipe) -> Recipe:
    """The same recipe in sizes for a CPU, and with narrow networks."""
    recipe = recipe.with_size(64).with_batch(2).with_steps(6)
    generator = dataclasses.replace(recipe.generator, widths=(16, 16, 8, 8))
    discriminator = dataclasses.replace(recipe.discriminator, base=8)
    return dataclasses.replace(recipe, generator=generator, discriminator=discriminator)


def test_the_cells_of_a_gpu_train_rehearse_and_resume(tmp_path, asked, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    names = names_for(gpu=True)
    recipe, photos, held_out = names["choose"](True)
    names |= {"recipe": small(recipe), "photos": photos, "held_out": held_out}
    exec(PLACES, names)
    exec(REHEARSE, names)
    assert capsys.readouterr().out.endswith("taken up where it stopped: True\n")
    assert not list(names["DISK"].iterdir()) and not list(names["SAFE"].iterdir())

    exec(TRAIN, names)
    run = names["run"].start()
    run.pause()
    exec(TRAIN, names)  # the page was closed, and its cell runs again while the run lives
    assert names["run"] is run
    run.resume()
    exec(WAIT, names)
    assert run.state == "finished" and run.step == names["recipe"].steps

    shutil.rmtree(names["DISK"] / "encoder-256")  # the machine is gone, and the mirror is not
    exec(TRAIN, names)
    assert names["run"] is not run and names["run"].step == run.step
    exec(WAIT, names)
    exec(LOAD, names)
    after_1, mine = names["after_1"], names["mine"]
    assert isinstance(mine, Colorizer) and mine.recipe == names["recipe"]
    pairs = zip(after_1.generator.parameters(), mine.generator.parameters(), strict=True)
    assert any(not one.equal(other) for one, other in pairs)
