"""colorlab.launch: several processes, begun from a notebook (here: from the test)."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlab.launch import ProcessFailed, in_notebook
from colorlab.recipes import (
    DiscriminatorConfig,
    GeneratorConfig,
    OptimizationConfig,
    Recipe,
    Stage,
)
from colorlab.weights import load_weights

RECIPE = Recipe(
    name="launched",
    generator=GeneratorConfig(levels=2, base=4, cap=8, norm="instance", dropout=0.0),
    discriminator=DiscriminatorConfig(base=4, layers=1, norm="instance"),
    optimization=OptimizationConfig(precision="fp32"),
    stages=(Stage("adversarial", 3, 16, 2),),
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def launched(photos: Path, output: Path, recipe: Recipe = RECIPE, **settings) -> Path:
    settings = {"processes": 2, "device": "cpu", "progress": False, **settings}
    return in_notebook(recipe, photos, output=output, **settings)


def test_two_processes_leave_what_one_does(photos: Path, tmp_path: Path) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert launched(photos, tmp_path / "two") == tmp_path / "two"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert launched(photos, tmp_path / "one", processes=1) == tmp_path / "one"
    names = [sorted(p.name for p in (tmp_path / n).rglob("*.ckpt")) for n in ("one", "two")]
    assert names[0] == names[1] == ["step-00000003.ckpt"]
    one, two = (
        load_weights(tmp_path / name / "weights.safetensors")[0].state_dict()
        for name in ("one", "two")
    )
    for name, value in one.items():
        # Adam's first steps are as long for a gradient that is rounding alone.
        assert (value - two[name]).abs().max() < 1e-3, name


def test_what_fails_there_is_told_here(photos: Path, tmp_path: Path) -> None:
    odd = dataclasses.replace(RECIPE, stages=(Stage("adversarial", 3, 16, 3),))
    with pytest.raises(ProcessFailed, match="a batch of 3 can't be dealt to 2 processes") as error:
        launched(photos, tmp_path / "run", odd)
    assert "In process" in str(error.value) and "feed.py" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"processes": 0}, "at least 1, got 0"),
        ({"output": None}, "needs the folder to train into"),
        ({"ask": print}, "ask can't be used"),
        ({"device": "mps"}, "not on 'mps'"),
        ({"device": "cuda:1"}, 'give device="cuda"'),
        ({"device": "cuda", "processes": 1000}, "GPUs for 1000 processes"),
    ],
)
def test_what_can_not_be_is_refused_at_once(photos: Path, tmp_path, settings, says) -> None:
    settings = {"output": tmp_path / "run", "processes": 2, "device": "cpu", **settings}
    with pytest.raises(ValueError, match=says):
        in_notebook(RECIPE, photos, **settings)
    assert not (tmp_path / "run").exists()


def test_what_can_not_be_sent_is_named(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"listeners can't be sent .* in a \.py file"):
        launched(photos, tmp_path / "run", listeners=[lambda event: None])


def test_what_the_notebook_alone_knows_is_named(photos: Path, tmp_path: Path, monkeypatch) -> None:
    import __main__

    def listen(event: object) -> None:
        pass

    listen.__module__, listen.__qualname__ = "__main__", "listen"
    monkeypatch.setattr(__main__, "listen", listen, raising=False)
    with pytest.raises(TypeError, match="listeners holds something that is defined in this noteb"):
        launched(photos, tmp_path / "run", listeners=[listen])
