"""Weights to disk and back, and every file that is not what it should be."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from colorlab import atomic
from colorlab.recipes.build import build_generator
from colorlab.recipes.recipe import GeneratorConfig, Recipe
from colorlab.weights import FORMAT, WeightsError, load_weights, save_weights

RECIPE = Recipe(
    name="test", about="für Tests", generator=GeneratorConfig(levels=3, base=4, noise_channels=1)
)


def trained(recipe: Recipe = RECIPE, seed: int = 0) -> nn.Module:
    """A generator whose norms have seen something, so that no tensor is at its default."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build_generator(recipe, pretrained=False).to(memory_format=torch.channels_last)
        net.train()(torch.randn(4, 1, 32, 32))
    return net


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "a.safetensors", trained(), RECIPE)


@pytest.fixture
def tensors(written: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(written)


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        RECIPE.generator,
        GeneratorConfig(kind="encoder-unet", widths=(4, 4, 4, 4)),
        GeneratorConfig(kind="hint-unet", widths=(4, 4, 4, 4), head="bins"),
    ],
    ids=lambda config: config.kind,
)
def test_float32_comes_back_exactly_with_recipe_and_notes(tmp_path: Path, config) -> None:
    recipe = dataclasses.replace(RECIPE, generator=config)
    net = trained(recipe)
    path = save_weights(tmp_path / "new" / "w.safetensors", net, recipe, notes={"steps": "12"})
    assert path == tmp_path / "new" / "w.safetensors"
    loaded, again, notes = load_weights(str(path))
    assert again == recipe
    assert notes == {"steps": "12"}
    assert not any(module.training for module in loaded.modules())
    wanted, got = net.state_dict(), loaded.state_dict()
    assert list(got) == list(wanted)
    assert all(torch.equal(got[k], wanted[k]) and got[k].dtype == wanted[k].dtype for k in wanted)
    x = torch.randn(1, 1, 32, 32)
    with torch.random.fork_rng():  # the first generator takes noise
        torch.manual_seed(1)
        before = net.eval()(x)
        torch.manual_seed(1)
        torch.testing.assert_close(loaded(x), before, rtol=1e-5, atol=1e-6)
    assert list(path.parent.iterdir()) == [path]


def test_half_is_close_and_half_the_size(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, generator=GeneratorConfig(levels=3, base=16))
    net = trained(recipe)
    whole = save_weights(tmp_path / "whole.safetensors", net, recipe)
    half = save_weights(tmp_path / "half.safetensors", net, recipe, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded, _, _ = load_weights(half)
    for name, wanted in net.state_dict().items():
        got = loaded.state_dict()[name]
        assert got.dtype == wanted.dtype
        if wanted.dim() > 1:  # eleven bits: half a unit in the last place is 2^-11
            torch.testing.assert_close(got, wanted, rtol=2**-11, atol=1e-7)
        else:
            assert torch.equal(got, wanted)


@pytest.mark.parametrize("half", [False, True])
def test_how_often_colors_occur_travels_with_the_weights(tmp_path: Path, half: bool) -> None:
    recipe = dataclasses.replace(
        RECIPE, generator=GeneratorConfig(kind="hint-unet", widths=(4, 4, 4, 4))
    )
    net = trained(recipe)
    counted = torch.rand(261, generator=torch.Generator().manual_seed(0)).square()
    net.frequencies.copy_(counted / counted.sum())
    loaded, _, _ = load_weights(save_weights(tmp_path / "w", net, recipe, half=half))
    assert torch.equal(loaded.frequencies, net.frequencies)


def test_a_variance_beyond_float16_is_kept(tmp_path: Path) -> None:
    net = trained()
    net.downs[1][2].running_var.fill_(1e6)
    loaded, _, _ = load_weights(save_weights(tmp_path / "w", net, RECIPE, half=True))
    assert torch.equal(loaded.downs[1][2].running_var, net.downs[1][2].running_var)


def test_the_file_is_plain_safetensors(written: Path, tensors: dict[str, Tensor]) -> None:
    """Read by hand: eight bytes of length, a JSON header, numbers."""
    raw = written.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__")
    assert metadata.keys() == {"format", "recipe"} and metadata["format"] == FORMAT
    assert json.loads(metadata["recipe"])["about"] == "für Tests"
    assert header.keys() == tensors.keys()
    assert 8 + length + sum(t.nbytes for t in tensors.values()) == len(raw)


# --- writing that fails ---------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [OSError("disk gone"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["replace", "fsync"])
def test_a_crash_before_the_renaming_leaves_the_old_file(
    tmp_path: Path, monkeypatch, crash: BaseException, where: str
) -> None:
    path = save_weights(tmp_path / "w.safetensors", trained(seed=1), RECIPE)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise crash

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, where, fail)
        with pytest.raises(type(crash)):
            save_weights(path, trained(seed=2), RECIPE)
    assert path.read_bytes() == before
    load_weights(path)
    # What the crash left lying about does not hinder the next one.
    save_weights(path, trained(seed=2), RECIPE)
    assert path.read_bytes() != before
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_data_is_synced_before_it_is_renamed(tmp_path: Path, monkeypatch) -> None:
    calls = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(atomic.os, "fsync", lambda fd: (calls.append("sync"), sync(fd)))
    monkeypatch.setattr(atomic.os, "replace", lambda a, b: (calls.append("rename"), replace(a, b)))
    save_weights(tmp_path / "w", trained(), RECIPE)
    assert calls[:2] == ["sync", "rename"]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_written(
    tmp_path: Path, value: float, half: bool
) -> None:
    path = save_weights(tmp_path / "w", trained(), RECIPE)
    before, net = path.read_bytes(), trained()
    with torch.no_grad():
        net.ups[0][1].weight[0, 0, 0, 0] = value
    with pytest.raises(WeightsError, match=r"w was not written: ups.0.1.weight holds NaN"):
        save_weights(path, net, RECIPE, half=half)
    assert path.read_bytes() == before


def test_weights_too_large_for_float16_are_reported(tmp_path: Path) -> None:
    net = trained()
    with torch.no_grad():
        net.ups[0][1].weight[0, 0, 0, 0] = 1e5
    with pytest.raises(WeightsError, match="try half=False"):
        save_weights(tmp_path / "w", net, RECIPE, half=True)
    save_weights(tmp_path / "w", net, RECIPE)
    assert load_weights(tmp_path / "w")[0].ups[0][1].weight.max() == 1e5


# --- files that are something else ----------------------------------------------------------------


def refused(path: Path, says: str | None = None) -> str:
    with pytest.raises(WeightsError, match=says) as caught:
        load_weights(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 800
    return message


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no weights file {path}"):
            load_weights(path)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 0.001, 0.05, 0.5, 0.99, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, written: Path, keep: float) -> None:
    raw, path = written.read_bytes(), tmp_path / "cut.safetensors"
    path.write_bytes(raw[: int(keep * len(raw)) if isinstance(keep, float) else keep])
    refused(path, "not a whole safetensors file.*cut short")


def test_a_file_with_more_behind_it_is_refused(tmp_path: Path, written: Path) -> None:
    path = tmp_path / "long.safetensors"
    path.write_bytes(written.read_bytes() + b"more")
    refused(path, "not a whole safetensors file")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "random.safetensors"
    path.write_bytes(raw)
    refused(path, "not a whole safetensors file")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_header_is_refused_or_harmless(
    tmp_path: Path, written: Path, data: st.DataObject
) -> None:
    raw, path = bytearray(written.read_bytes()), tmp_path / "damaged.safetensors"
    (length,) = struct.unpack("<Q", raw[:8])
    raw[data.draw(st.integers(0, 8 + length - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        net, _, _ = load_weights(path)
    except WeightsError as error:
        assert str(path) in str(error)
    else:  # the byte was a digit of some rate, or a letter of a remark
        assert net.state_dict().keys() == trained().state_dict().keys()


class Payload:
    """Opened by pickle, this makes a file."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, how: str) -> None:
    path, proof = tmp_path / "weights.safetensors", tmp_path / "proof"
    buffer = io.BytesIO()
    if how == "pickle":
        pickle.dump(Payload(proof), buffer)
    else:
        torch.save({"weight": Payload(proof)}, buffer)
    path.write_bytes(buffer.getvalue())
    refused(path, "not a whole safetensors file")
    assert not proof.exists()
    if how == "pickle":  # the trap does work
        pickle.loads(buffer.getvalue())
        assert proof.exists()


@pytest.mark.parametrize(
    "metadata",
    [None, {"format": "pt"}, {"format": FORMAT}, {"recipe": RECIPE.to_json()}],
    ids=["bare", "somebody else's", "no recipe", "no format"],
)
def test_safetensors_of_somebody_else_are_refused(
    tmp_path: Path, tensors: dict[str, Tensor], metadata: dict | None
) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file(tensors, path, metadata)
    refused(path, "was not written by colorlab.*`colorlab train`")


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"generator": {"depth": 3}}', "generator has no 'depth'; valid keys: kind,"),
        ('{"generator": {"levels": "3"}}', "generator.levels must be a whole number"),
        ('{"generator": {"levels": 3, "base": -4}}', "does not fit"),
        ('{"generator": {"levels": 3, "base": 8}}', "size mismatch"),
        ('{"generator": {"levels": 4, "base": 4}}', "Missing key"),
        ('{"generator": {"kind": "encoder-unet"}}', "Missing key"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor], recipe: str, says: str
) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(tensors, path, {"format": FORMAT, "recipe": recipe})
    refused(path, says)


def test_a_missing_and_an_extra_tensor_are_refused(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    header, path = {"format": FORMAT, "recipe": RECIPE.to_json()}, tmp_path / "w.safetensors"
    safetensors.torch.save_file({**tensors, "surplus": torch.zeros(1)}, path, header)
    assert "surplus" in refused(path)
    gone = tensors.pop("ups.0.1.weight")
    safetensors.torch.save_file(tensors, path, header)
    assert "ups.0.1.weight" in refused(path)
    tensors["ups.0.1.weight"] = gone
    safetensors.torch.save_file(tensors, path, header)
    load_weights(path)


def test_equal_weights_make_equal_files(tmp_path: Path) -> None:
    notes = {f"note {i}": str(i) for i in range(12)}
    files = [save_weights(tmp_path / f"{i}", trained(), RECIPE, notes=notes) for i in range(5)]
    assert len({file.read_bytes() for file in files}) == 1
    assert load_weights(files[0])[2] == notes
