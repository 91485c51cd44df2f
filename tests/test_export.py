"""Generators as ONNX: run in onnxruntime at other sizes, and compared with torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from colorlab import export, hints
from colorlab.__main__ import main
from colorlab.color import AB_RANGE
from colorlab.colorize import Colorizer
from colorlab.export import ExportError, Portable, about, session, to_onnx
from colorlab.recipes.build import build_generator
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.weights import save_weights

# Four ways in which generators differ, small.
KINDS = {
    "batch norm": GeneratorConfig(levels=3, base=4),
    "instance norm, resized": GeneratorConfig(
        levels=3, base=4, norm="instance", upsampling="resize"
    ),
    "noise": GeneratorConfig(levels=3, base=4, noise_channels=5),
    "rgb": GeneratorConfig(levels=3, base=4, predicts="rgb"),
}


def made(config: GeneratorConfig) -> Colorizer:
    """A colorizer whose norms have seen something and whose dropout would show."""
    recipe = Recipe(name="made", generator=config, stages=(Stage(image_size=32),))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = build_generator(recipe, pretrained=False)
        net.train()(torch.randn(4, 1, 64, 64))
    return Colorizer(net, recipe, "cpu")


@pytest.fixture(scope="module", params=KINDS)
def written(request, tmp_path_factory) -> tuple[Colorizer, Path]:
    colorizer = made(KINDS[request.param])
    path = tmp_path_factory.mktemp("onnx") / "new" / "model.onnx"
    done = to_onnx(colorizer, path, half=False, name="mine")
    assert done.path == path and done.bytes == path.stat().st_size and done.difference < 0.01
    return colorizer, path


TEN = [(1, 8, 8), (1, 8, 64), (1, 64, 8), (1, 40, 24), (2, 16, 16)]
TEN += [(3, 24, 48), (1, 128, 128), (4, 8, 8), (1, 72, 200), (2, 256, 40)]


@pytest.mark.slow
def test_ten_sizes_give_the_colors_that_torch_gives(written: tuple[Colorizer, Path]) -> None:
    colorizer, path = written
    run = session(path, threads=1)
    net, config = colorizer.generator, colorizer.recipe.generator
    for batch, height, width in TEN:
        lightness = torch.rand(batch, 1, height, width) * 2 - 1
        feed = {"lightness": lightness.numpy()}
        noise = []
        if config.noise_channels:
            noise = [torch.randn(batch, config.noise_channels)]
            feed["noise"] = noise[0].numpy()
        (ab,) = run.run(None, feed)
        assert ab.shape == (batch, 2, height, width) and ab.dtype == np.float32
        with torch.inference_mode():
            if config.predicts == "ab":
                wanted = net(lightness, *noise)
            else:
                wanted = torch.cat([colorizer._predict_ab(one[None], 0) for one in lightness])
        # Instance norm of a handful of equal numbers divides by almost nothing.
        close = 2e-3 if config.norm == "instance" else 2e-5
        assert abs(ab - wanted.numpy()).max() < close


@pytest.mark.slow
def test_the_file_says_what_its_reader_must_know(written: tuple[Colorizer, Path]) -> None:
    colorizer, path = written
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == export.OPSET
    noted = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert noted == {f"colorlab.{k}": v for k, v in about(colorizer, "mine").items()}
    assert noted["colorlab.stride"] == 8 and noted["colorlab.name"] == "mine"
    assert noted["colorlab.noise"] == colorizer.recipe.generator.noise_channels


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("channels, groups, padded", [(3, 1, 3), (5, 1, 8), (8, 1, 8), (6, 3, 6)])
def test_channels_are_padded_and_the_result_stays(channels, groups, padded, half) -> None:
    net = nn.Conv2d(channels, 6, 3, padding=1, groups=groups)
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"], group=groups, pads=[1, 1, 1, 1])]
    stored = [
        numpy_helper.from_array(t.detach().numpy(), n)
        for n, t in zip("wb", net.parameters(), strict=True)
    ]
    x, y = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, count, None, None])
        for name, count in (("x", channels), ("y", 6))
    )
    graph = helper.make_graph(nodes, "made", [x], [y], stored)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", export.OPSET)], ir_version=10
    )
    export.pad_channels(model)
    if half:
        export.store_as_half(model)
    onnx.checker.check_model(model, full_check=True)
    kernels = [one for one in model.graph.initializer if len(one.dims) == 4]
    assert [one.dims[1] for one in kernels] == [padded // groups]
    given = torch.randn(2, channels, 5, 7)
    (got,) = session(model.SerializeToString(), threads=1).run(None, {"x": given.numpy()})
    assert abs(got - net(given).detach().numpy()).max() < (2e-2 if half else 1e-5)


# --- hints ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def starter(tmp_path_factory) -> tuple[Colorizer, Path]:
    colorizer = Colorizer.load(device="cpu")
    path = tmp_path_factory.mktemp("onnx") / "starter.onnx"
    done = to_onnx(colorizer, path, name="starter")
    assert done.inputs == ("lightness", "hints", "temperature")
    assert done.outputs == ("ab", "logits") and done.difference < 0.5
    return colorizer, path


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 90])
@pytest.mark.parametrize("temperature", [None, 0.0, 0.38, 1.0])
def test_the_starter_takes_hints_and_a_temperature(
    starter: tuple[Colorizer, Path], count: int, temperature: float | None
) -> None:
    colorizer, path = starter
    random = np.random.default_rng(count)
    lightness = torch.rand(1, 1, 96, 160, generator=torch.Generator().manual_seed(count)) * 2 - 1
    places = zip(random.integers(160, size=count), random.integers(96, size=count), strict=True)
    given = [hints.Hint(int(x), int(y), tuple(random.integers(256, size=3))) for x, y in places]
    planes = hints.lay(given, (96, 160), (96, 160))
    cold = np.array([-1 if temperature is None else temperature], np.float32)
    feed = {"lightness": lightness.numpy(), "hints": planes.numpy(), "temperature": cold}
    ab, logits = session(path, threads=1).run(None, feed)
    net = colorizer.generator
    with torch.inference_mode():
        wanted = net(lightness, planes, temperature=temperature)
        wanted_logits = net(lightness, planes, both=True)[1]
    assert logits.shape == (1, 261, 24, 40)
    assert abs(logits - wanted_logits.numpy()).mean() < 0.02
    if temperature == 0:  # where two bins are about equal, float16 may choose the other
        assert np.median(abs(ab - wanted.numpy())) * AB_RANGE < 0.5
    else:
        assert abs(ab - wanted.numpy()).max() * AB_RANGE < 1.5


@pytest.mark.slow
def test_half_of_the_bytes_are_saved_and_norms_stay_whole(
    starter: tuple[Colorizer, Path],
) -> None:
    colorizer, path = starter
    parameters = sum(p.numel() for p in colorizer.generator.parameters())
    assert path.stat().st_size < 2.2 * parameters
    kinds = {len(i.dims) < 2: i.data_type for i in onnx.load(path).graph.initializer if i.dims}
    assert kinds[False] == onnx.TensorProto.FLOAT16


@pytest.mark.slow
def test_no_convolution_reads_channels_that_webgpu_gets_wrong(
    starter: tuple[Colorizer, Path],
) -> None:
    graph = onnx.load(starter[1]).graph
    shapes = {one.name.removesuffix("_half"): one.dims for one in graph.initializer}
    convs = [node for node in graph.node if node.op_type == "Conv"]
    read = {shapes[node.input[1]][1] for node in convs}
    assert {435 + 1, 299 + 1, 187 + 1, 115 + 1} <= read
    assert all(channels <= 4 or channels % 4 == 0 for channels in read)


# --- what can't be exported -----------------------------------------------------------------------


class Looks(nn.Module):
    """Its way depends on the values that it is shown."""

    stride = 8

    def forward(self, lightness):
        ab = lightness.expand(-1, 2, -1, -1)
        return ab if lightness.mean() > 0 else -ab


class Forgets(nn.Module):
    """Gives other colors each time."""

    stride = 8
    calls = 0

    def forward(self, lightness):
        self.calls += 1
        return lightness.expand(-1, 2, -1, -1) * self.calls / 10


@pytest.mark.parametrize("net, why", [(Looks(), "can't export"), (Forgets(), "differ from torch")])
def test_what_cannot_be_exported_says_why_and_leaves_no_file(
    net: nn.Module, why: str, tmp_path: Path
) -> None:
    recipe = Recipe(name="made", generator=KINDS["batch norm"], stages=(Stage(image_size=32),))
    with pytest.raises(ExportError, match=why):
        to_onnx(Colorizer(net, recipe, "cpu"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(monkeypatch, tmp_path: Path) -> None:
    found = export.find_spec
    monkeypatch.setattr(
        export, "find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    with pytest.raises(ImportError, match="exporting needs onnxscript: pip install onnxscript"):
        to_onnx(made(KINDS["batch norm"]), tmp_path / "model.onnx")


def test_examples_fit_every_generator() -> None:
    for config in KINDS.values():
        portable = Portable(made(config))
        with torch.inference_mode():
            assert portable(*portable.example(2, 1, 3))[0].shape == (2, 2, 8, 24)


# --- the command ----------------------------------------------------------------------------------


def test_the_command_writes_the_file_and_says_how_close_it_is(tmp_path: Path, capsys) -> None:
    colorizer = made(KINDS["batch norm"])
    weights = tmp_path / "mine.safetensors"
    save_weights(weights, colorizer.generator, colorizer.recipe)
    target = tmp_path / "out" / "mine.onnx"
    assert main(["export", str(weights), "-o", str(target)]) == 0
    told = capsys.readouterr().out
    assert f"{target}: " in told and "lightness -> ab" in told and "CIE units" in told
    before = target.read_bytes()
    assert main(["export", str(weights), "-o", str(target)]) == 2
    assert "--overwrite" in capsys.readouterr().err and target.read_bytes() == before
    assert main(["export", str(weights), "-o", str(target), "--overwrite", "--full"]) == 0
    saved = sum(2 * p.numel() for p in colorizer.generator.parameters() if p.dim() > 1)
    assert abs(len(target.read_bytes()) - len(before) - saved) < 2000


@pytest.mark.parametrize("weights, why", [("none.safetensors", "no weights file"), ("x", "x")])
def test_wrong_weights_are_refused(weights: str, why: str, tmp_path: Path, capsys) -> None:
    Path(tmp_path / "x").write_bytes(b"no weights")
    assert main(["export", str(tmp_path / weights), "-o", str(tmp_path / "m.onnx")]) == 2
    assert why in capsys.readouterr().err and not (tmp_path / "m.onnx").exists()
