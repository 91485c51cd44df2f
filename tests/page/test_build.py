"""The page's folder: what is in it, what is refused, and how it is served."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import colorlab
from colorlab import color, page, palette
from colorlab.__main__ import main
from colorlab.colorize import Colorizer
from colorlab.page import runtime
from colorlab.photos.xmp import marked
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.sources.bundled import data_dir
from colorlab.unet import UNet
from colorlab.weights import save_weights

RECIPE = Recipe(
    name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
)


@pytest.fixture
def colorizer() -> Colorizer:
    torch.manual_seed(0)
    return Colorizer(UNet(levels=3, base=4), RECIPE, "cpu")


@pytest.fixture(autouse=True)
def stand_ins(tmp_path_factory, monkeypatch) -> None:
    """A runtime and a model of a few bytes: the real ones are run in tests/browser."""
    vendor = tmp_path_factory.mktemp("vendor")
    monkeypatch.setattr(runtime, "VENDOR", vendor)
    for number, file in enumerate(runtime.files()):
        file.write_bytes(b"r" * (number + 1))

    def to_onnx(_: Colorizer, path: Path) -> SimpleNamespace:
        Path(path).write_bytes(b"model")
        return SimpleNamespace(bytes=5)

    monkeypatch.setattr(page, "to_onnx", to_onnx)


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_holds_all_that_the_page_asks_for(tmp_path, colorizer) -> None:
    folder = page.build(tmp_path / "a/site", colorizer)
    there = names(folder)
    assert {"engine.js", "worker.js", "model.onnx", "settings.json"} <= there
    assert {f"vendor/{file.name}" for file in runtime.files()} | {"vendor/LICENSE.txt"} <= there
    for module in folder.glob("*.js"):
        for line in module.read_text(encoding="utf-8").splitlines():
            if line.startswith("import "):
                asked = line.rpartition(" ")[2].strip('"')
                assert asked.startswith("./") and asked[2:] in there, (module.name, line)
    assert not {"package.json", "package-lock.json", "runtime.py"} & there


def test_the_settings_are_the_librarys(tmp_path, colorizer) -> None:
    folder = page.build(tmp_path / "site", colorizer)
    said = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    assert said["model"] == {
        "name": "made",
        "file": "model.onnx",
        "bytes": 5,
        "size": colorizer.size,
        "stride": 8,
        "hints": False,
        "distribution": False,
        "noise": 0,
    }
    assert said["color"]["XYZ_TO_RGB"] == color.XYZ_TO_RGB
    assert said["color"]["HALF_8BIT_STEP"] == color.HALF_8BIT_STEP
    assert said["guided"] == {"radius": 2, "epsilon": 1e-3}
    assert said["palette"]["bins"] == palette.bins().tolist()
    assert said["mark"].encode() == marked(b"")
    assert said["version"] == colorlab.__version__
    for kind in ("wasm", "webgpu"):
        binary = folder / said["runtime"][kind]["binary"]
        assert binary.stat().st_size == said["runtime"][kind]["bytes"]
        assert (folder / said["runtime"][kind]["module"]).is_file()


def test_the_examples_name_their_authors_and_licenses(tmp_path, colorizer) -> None:
    folder = page.build(tmp_path / "site", colorizer)
    examples = json.loads((folder / "settings.json").read_text(encoding="utf-8"))["examples"]
    photos = data_dir() / "photos"
    with (photos / "credits.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    assert len(examples) == 2 and {f"examples/{one['file']}" for one in examples} <= names(folder)
    for one in examples:
        row = rows[one["file"]]
        assert row["split"] == "test" and one["title"]
        assert row["author"] in one["credit"] and row["license"] in one["credit"]
        assert (folder / "examples" / one["file"]).read_bytes() == (
            photos / row["file"]
        ).read_bytes()


def test_without_the_bundled_photos_there_are_no_examples(tmp_path, colorizer, monkeypatch) -> None:
    monkeypatch.setenv("COLORLAB_DATA", str(tmp_path))
    folder = page.build(tmp_path / "site", colorizer)
    assert json.loads((folder / "settings.json").read_text(encoding="utf-8"))["examples"] == []
    assert not (folder / "examples").exists()


def test_a_page_is_renewed_when_asked_and_what_else_lies_there_stays(tmp_path, colorizer) -> None:
    folder = page.build(tmp_path / "site", colorizer)
    (folder / "CNAME").write_text("mine")
    (folder / "engine.js").write_text("old")
    with pytest.raises(page.PageError, match="--overwrite"):
        page.build(folder, colorizer)
    assert (folder / "engine.js").read_text() == "old"
    page.build(folder, colorizer, overwrite=True)
    assert "class Engine" in (folder / "engine.js").read_text(encoding="utf-8")
    assert (folder / "CNAME").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path, colorizer, overwrite) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "settings.json").write_text('["mine"]')
    with pytest.raises(page.PageError, match="something else"):
        page.build(tmp_path, colorizer, overwrite=overwrite)
    with pytest.raises(page.PageError, match="is a file"):
        page.build(tmp_path / "thesis.txt", colorizer, overwrite=overwrite)
    assert names(tmp_path) == {"thesis.txt", "settings.json"}


def test_a_page_that_can_not_be_built_leaves_nothing(tmp_path, colorizer, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(page, "to_onnx", fails)
    with pytest.raises(OSError, match="disk full"):
        page.build(tmp_path / "site", colorizer)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OSError, match="disk full"):
        page.build(tmp_path / "empty", colorizer)
    assert names(tmp_path) == set() and not (tmp_path / "site").exists()


def test_the_installed_package_has_all_that_a_page_is_made_of() -> None:
    text = (page.HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    patterns = tomllib.loads(text)["tool"]["setuptools"]["package-data"]["colorlab.page"]
    files = {p for p in page.HERE.iterdir() if p.is_file() and p.suffix != ".py"}
    assert files == {p for pattern in patterns for p in page.HERE.glob(pattern)}
    assert {".npmrc", "package-lock.json", "engine.js"} <= {p.name for p in files}


# --- the runtime ----------------------------------------------------------------------------------


def test_without_npm_one_line_says_what_to_do(tmp_path, colorizer, monkeypatch) -> None:
    runtime.files()[0].unlink()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert not page.has_runtime()
    with pytest.raises(page.PageError, match="install Node.js"):
        page.build(tmp_path / "site", colorizer)
    assert not (tmp_path / "site").exists()


def test_npm_is_asked_for_the_locked_version_and_its_failure_is_told(monkeypatch) -> None:
    asked = []

    def run(command: list[str], cwd: str, **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[1:])
        lock = json.loads((Path(cwd) / "package-lock.json").read_text(encoding="utf-8"))
        (version,) = lock["packages"][""]["dependencies"].values()
        assert version == lock["packages"]["node_modules/onnxruntime-web"]["version"]
        if len(asked) == 1:
            return subprocess.CompletedProcess(command, 1, "", "npm error network down")
        dist = Path(cwd) / "node_modules/onnxruntime-web/dist"
        dist.mkdir(parents=True)
        for file in runtime.files():
            (dist / file.name).write_bytes(b"new")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda _: "/bin/npm")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(page.PageError, match="is there a connection.*network down"):
        page.fetch_runtime()
    assert runtime.files()[0].read_bytes() == b"r"
    page.fetch_runtime()
    assert asked[0][:2] == ["ci", "--ignore-scripts"]
    assert [file.read_bytes() for file in runtime.files()] == [b"new"] * 4 and page.has_runtime()


def test_the_lock_file_names_no_server_and_every_package_by_its_hash() -> None:
    text = (page.HERE / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert "://" not in text and len(packages) > 2
    assert all(one["integrity"].startswith("sha512-") for name, one in packages.items() if name)


# --- serving --------------------------------------------------------------------------------------


def test_the_server_isolates_the_page_and_knows_its_files(tmp_path, colorizer) -> None:
    folder = page.build(tmp_path / "site", colorizer)
    (folder / "manifest.webmanifest").write_text("{}")
    kinds = {
        "engine.js": "text/javascript",
        "vendor/ort.wasm.bundle.min.mjs": "text/javascript",
        "vendor/ort-wasm-simd-threaded.wasm": "application/wasm",
        "manifest.webmanifest": "application/manifest+json",
        "settings.json": "application/json",
    }
    with page.serve(folder) as server:
        assert server.url.startswith("http://127.0.0.1:")
        for name, kind in kinds.items():
            with urllib.request.urlopen(server.url + name) as answer:
                assert answer.headers["Content-Type"] == kind, name
                assert answer.read() == (folder / name).read_bytes()
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
                assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.url + "../thesis.txt")
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError, match=f"port {port} can't be had"):
            page.serve(folder, port)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url)
    page.serve(folder, port).stop()  # the port is free again


def test_a_folder_without_a_page_is_not_served(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="colorlab page -o"):
        page.serve(tmp_path)


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path, colorizer) -> str:
    return str(save_weights(tmp_path / "made.safetensors", colorizer.generator, RECIPE))


def test_the_command_builds_and_renews(tmp_path, weights, capsys) -> None:
    site = tmp_path / "site"
    given = ["page", "-o", str(site), "--weights", weights, "--device", "cpu"]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert f"{len(names(site))} files" in printed and "http.server" in printed
    assert main(given) == 2
    assert "--overwrite renews it" in capsys.readouterr().err
    assert main([*given, "--overwrite"]) == 0


def test_the_command_refuses_before_it_loads_weights(tmp_path, capsys) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["page", "-o", str(tmp_path), "--weights", "nowhere.safetensors"]) == 2
    assert "something else" in capsys.readouterr().err


def test_the_command_serves_until_it_is_stopped(tmp_path, weights, capsys, monkeypatch) -> None:
    seen = []

    def wait(server: page.PageServer) -> None:
        with urllib.request.urlopen(server.url + "settings.json") as answer:
            seen.append(answer.status)
        raise KeyboardInterrupt

    monkeypatch.setattr(page.PageServer, "wait", wait)
    given = ["page", "-o", str(tmp_path / "site"), "--weights", weights, "--serve", "--port", "0"]
    assert main(given) == 130
    assert seen == [200] and "Ctrl-C stops" in capsys.readouterr().out
