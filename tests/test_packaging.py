"""What a new machine gets: pinned packages, described alike for pip and conda; a clean checkout."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image

import colorlab

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 16 * 2**20


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def wanted() -> dict[str, Requirement]:
    """Everything that pyproject.toml asks for, the extras included, by name."""
    project = PYPROJECT["project"]
    texts = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    requirements = map(Requirement, texts)
    return {canonicalize_name(r.name): r for r in requirements if r.name != "colorlab"}


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("#")[0].split(";")[0].strip().split("==") for line in lines]
    return {canonicalize_name(pair[0]): Version(pair[1]) for pair in pairs if pair[0]}


def test_conda_gets_the_same_packages_in_the_same_ranges() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == "colorlab" and environment["channels"] == ["conda-forge"]
    *names, by_pip = environment["dependencies"]
    conda = {text.split()[0]: text.split()[1:] for text in [*names, *by_pip["pip"][:-1]]}
    assert by_pip["pip"][-1] == "-e ."
    ranges = {CONDA_NAMES.get(n, n): [str(r.specifier)] for n, r in wanted().items()}
    (build,) = map(Requirement, PYPROJECT["build-system"]["requires"])
    ranges |= {"python": [PYPROJECT["project"]["requires-python"]], "pip": []}
    ranges |= {build.name: [str(build.specifier)]}
    assert conda == ranges


def test_pixi_gets_them_too() -> None:
    """It reads the ranges from pyproject.toml itself: what is left to hold is that it takes all."""
    pixi = PYPROJECT["tool"]["pixi"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert pixi["workspace"]["channels"] == environment["channels"]
    assert {"linux-64", "osx-arm64", "win-64"} <= set(pixi["workspace"]["platforms"])
    lowest = PYPROJECT["project"]["requires-python"]
    assert pixi["dependencies"]["python"].split(",")[0] == lowest
    assert pixi["pypi-dependencies"] == {"colorlab": {"path": ".", "editable": True}}
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert pixi["environments"] == {"default": sorted(extras)}


def third_party_imports() -> dict[str, str]:
    """What colorlab imports that is neither its own nor Python's, and a file that does."""
    found = {}
    for path in sorted((ROOT / "colorlab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.partition(".")[0] not in {*sys.stdlib_module_names, "colorlab"}:
                    found[name] = path.relative_to(ROOT).as_posix()
    return found


# Imported where they happen to be there; where they are not, the library says so or does without.
OPTIONAL = {
    "google.colab.userdata": "Colab's own, on no registry",
    "onnx": "of [onnx]",
    "onnx.TensorProto": "of [onnx]",
    "onnx.helper": "of [onnx]",
    "onnx.numpy_helper": "of [onnx]",
    "onnxruntime": "of [onnx]",
    "skimage.color.rgb2lab": "of [lab]: what the course compares itself with",
}


def test_what_is_imported_is_asked_for() -> None:
    asked = {canonicalize_name(Requirement(t).name) for t in PYPROJECT["project"]["dependencies"]}
    brought = importlib.metadata.packages_distributions()
    imports = third_party_imports()
    assert {"torch", "PIL.Image", "packaging.requirements.Requirement"} <= set(imports)
    assert set(OPTIONAL) <= set(imports)
    unasked = {
        name: path
        for name, path in imports.items()
        if name not in OPTIONAL
        and not asked & set(map(canonicalize_name, brought.get(name.partition(".")[0], [])))
    }
    assert not unasked


def test_every_pin_is_in_the_range_that_is_asked_for() -> None:
    pinned = pins()
    assert pinned["torch"] == Version("2.13.0")
    for name, requirement in wanted().items():
        assert requirement.specifier.contains(pinned[name]), (name, pinned[name])


def test_what_is_installed_here_is_what_is_pinned() -> None:
    """Direct and indirect alike; what pip adds unpinned today may break a new machine tomorrow."""
    pinned = pins()
    found = {
        canonicalize_name(d.metadata["Name"]): Version(Version(d.version).public)
        for d in importlib.metadata.distributions()
    }
    other = {n: str(v) for n, v in found.items() if n in pinned and pinned[n] != v}
    assert not other
    # Elsewhere torch brings CUDA's libraries along, and IPython those of the system.
    if sys.platform == "linux" and torch.version.cuda is None:
        assert set(found) - set(pinned) <= {"colorlab", "pip"}


# What Colab had in August 2026.
COLAB = {
    "torch": "2.11.0",
    "numpy": "2.1.3",
    "scikit-image": "0.25.2",
    "pillow": "11.3.0",
    "ipython": "7.34.0",
    "ipykernel": "6.17.1",
    "ipywidgets": "7.7.1",
    "kaggle": "2.0.2",
    "accelerate": "1.14.0",
    "anywidget": "0.9.21",
}


def colab_pins(python: str) -> dict[str, Version]:
    lines = (ROOT / "constraints-colab.txt").read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [r for r in pinned if not r.marker or r.marker.evaluate({"python_version": python})]
    assert len({canonicalize_name(r.name) for r in here}) == len(here)
    return {canonicalize_name(r.name): Version(str(r.specifier).removeprefix("==")) for r in here}


def test_colabs_versions_are_pinned() -> None:
    pinned = colab_pins("3.13")
    assert {name: str(pinned[name]) for name in COLAB} == COLAB
    # An older Python that stands in for Colab's has a torch that is installed elsewhere anyway.
    assert colab_pins("3.11") == pinned | {"torch": pins()["torch"]}


def test_colabs_versions_are_in_the_ranges_that_are_asked_for() -> None:
    pinned = colab_pins("3.13")
    for requirement in map(Requirement, PYPROJECT["project"]["dependencies"]):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), (requirement.name, version)


def test_importing_colorlab_is_free() -> None:
    code = (
        "import sys, time; began = time.perf_counter(); import colorlab; "
        "print(time.perf_counter() - began, *({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *heavy = said.stdout.split()
    assert heavy == []
    assert float(seconds) < 0.3


def test_no_file_is_too_large_for_the_repository() -> None:
    sizes = {path.name: path.stat().st_size for path in tracked_files() if path.is_file()}
    assert len(sizes) > 300
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_executed_and_without_errors(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [c for c in cells if c["cell_type"] == "code" and "".join(c["source"]).strip()]
    restore = f"if you ran this lesson yourself, this brings it back: git checkout {notebook.name}"
    assert [c["execution_count"] for c in code] == list(range(1, len(code) + 1)), restore
    assert not [o for c in code for o in c["outputs"] if o["output_type"] == "error"]
    sources = ["".join(c["source"]) for c in code]
    for source in sources:  # a solution is folded
        assert len(source.splitlines()) <= (22 if source.startswith("# SOLUTION") else 15), source
    assert notebook.stat().st_size < 2_000_000


def test_the_citation_names_this_version_and_license() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == colorlab.__version__
    assert cited["license"] == PYPROJECT["project"]["license"]


def installed(folder: Path) -> Path:
    """A package that was built from the tracked files and installed by pip, without a checkout."""
    source, wheels, target = folder / "source", folder / "wheels", folder / "site"
    for file in tracked_files():
        name = file.relative_to(ROOT)
        if name.parts[0] == "colorlab" or name.parent in (Path(), Path("data/weights")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, source / name)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "-w", wheels, source], check=True)
    (wheel,) = wheels.iterdir()
    options = ["--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, "install", *options, "--target", target, wheel], check=True)
    return target


THREE_LINES = """
from colorlab.colorize import Colorizer
colorizer = Colorizer.load()
colorizer.colorize("old.jpg").save("colored.png")
"""


@pytest.mark.slow
def test_without_a_checkout_three_lines_color_a_photo(tmp_path: Path) -> None:
    target = installed(tmp_path)
    photo = min((ROOT / "data/photos/test").glob("*.jpg"))
    Image.open(photo).convert("L").save(tmp_path / "old.jpg")
    environment = {**os.environ, "PYTHONPATH": str(target)}
    environment.pop("COLORLAB_DATA", None)
    command = [sys.executable, "-c", THREE_LINES]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    colored = np.asarray(Image.open(tmp_path / "colored.png")).astype(int)
    assert np.ptp(colored, axis=2).mean() > 2
    # The photos stay behind, and the line that says so names the way to them.
    command = [sys.executable, "-m", "colorlab", "evaluate"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "git clone" in done.stderr
