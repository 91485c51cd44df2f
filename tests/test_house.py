"""The house: what each part of the library may import, read from its source without running it."""

from __future__ import annotations

import ast
import shutil
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent / "colorlab"

# From the ground up. A part is a file beside `__init__.py`, or a folder with all that is in it. It
# may import from the layers below its own. Those of the ground import nothing of the library.
# Those of one layer may import one another, as long as that makes no circle, as encoders imports
# hints.
LAYERS = (
    {"color", "layers", "devices", "atomic", "locks", "lazy", "progress"},
    {"unet", "losses"},
    {"photos", "patchgan", "encoders", "palette", "hints", "show"},
    {"recipes", "sources", "audit"},
    {"weights"},  # a file of weights holds its recipe
    {"training", "colorize"},
    {"export", "clip"},
    {"speed", "metrics", "comparison", "frechet", "intervals", "scores", "page"},
    {"course", "commands"},
    {"__main__"},
)
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}


def part_of(module: str) -> str | None:
    """colorlab.photos.files -> photos; None for `colorlab` itself, which holds nothing."""
    return module.split(".")[1] if "." in module else None


def module_of(file: Path, house: Path) -> str:
    return ".".join(["colorlab", *file.relative_to(house).with_suffix("").parts])


@cache
def imported(source: str, module: str) -> set[str]:
    """The modules of the library that a file imports, at its top, in functions, for types alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            whole = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{whole}.{name.name}" for name in node.names}
    return {name for name in found if name.split(".")[0] == "colorlab"}


def imports(house: Path) -> dict[str, set[str]]:
    """Each module of the library -> the modules, or names in modules, that it imports."""
    names = {file: module_of(file, house) for file in sorted(house.rglob("*.py"))}
    return {name: imported(file.read_text("utf-8"), name) for file, name in names.items()}


def parts(house: Path) -> dict[str, set[str]]:
    """Each part of the library -> the other parts that it imports."""
    graph: dict[str, set[str]] = {}
    for module, found in imports(house).items():
        if (part := part_of(module)) != "__init__":
            known = graph.setdefault(part, set())
            known |= {part_of(name) for name in found} - {part, None}
    return graph


def complaints(house: Path) -> list[str]:
    """What goes against the layers: a line for each import, file without a layer, and circle."""
    graph = parts(house)
    found = [f"{part} has no layer" for part in graph if part not in LAYER]
    for part, known in graph.items():
        for other in sorted(known & LAYER.keys() if part in LAYER else ()):
            if LAYER[other] > LAYER[part] or LAYER[part] == LAYER[other] == 0:
                found.append(f"{part} imports {other}")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"a circle: {' <- '.join(error.args[1])}")
    return found


def test_imports_go_downward_only_and_make_no_circle() -> None:
    assert complaints(HOUSE) == []


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Finer than the layers: a folder's own files make no circle either."""
    found = {name.removesuffix(".__init__"): names for name, names in imports(HOUSE).items()}
    graph = {
        module: {name if name in found else name.rpartition(".")[0] for name in names}
        for module, names in found.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_every_layer_is_lived_in() -> None:
    assert set(parts(HOUSE)) == LAYER.keys()


def test_the_flat_core_imports_no_folder_above_it() -> None:
    graph = parts(HOUSE)
    folders = {part for part in graph if (HOUSE / part).is_dir()}
    core = graph.keys() - folders - {"__main__"}
    known = {file: graph[file] & folders for file in core}
    assert {f: p for f in core for p in known[f] if LAYER[p] >= LAYER[f]} == {}
    assert {file for file in core if known[file]} == {"weights", "colorize", "clip", "metrics"}


def test_only_main_knows_the_course_and_the_commands() -> None:
    graph = parts(HOUSE)
    for part in graph.keys() - {"__main__", "course", "commands"}:
        assert not graph[part] & {"course", "commands"}, part


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    house = tmp_path / "colorlab"
    return shutil.copytree(HOUSE, house, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.mark.parametrize(
    ("file", "planted", "complaint"),
    [
        ("color.py", "from colorlab.devices import best_device", "color imports devices"),
        ("unet.py", "def build():\n    from colorlab.recipes import get", "unet imports recipes"),
        ("losses.py", "from colorlab import photos", "losses imports photos"),
        ("photos/files.py", "import colorlab.training.run", "photos imports training"),
        ("photos/base.py", "from ..colorize import Colorizer", "photos imports colorize"),
        ("recipes/build.py", "if 0:\n    from .. import speed", "recipes imports speed"),
        ("training/run.py", "from colorlab.course.map import LESSONS", "training imports course"),
        ("speed/table.py", "import colorlab.commands as c", "speed imports commands"),
        ("new.py", "", "new has no layer"),
    ],
)
def test_a_planted_upward_import_is_found(
    copy: Path, file: str, planted: str, complaint: str
) -> None:
    path = copy / file
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{planted}\n", encoding="utf-8")
    assert complaint in complaints(copy)


def test_a_planted_circle_is_found(copy: Path) -> None:
    """In one layer, so that each of its two imports alone is allowed."""
    with (copy / "hints.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom colorlab.encoders import HintUNet\n")
    (found,) = complaints(copy)
    assert found.startswith("a circle: ") and "hints" in found and "encoders" in found


def test_nobody_reaches_into_a_run() -> None:
    """`run._name` of somebody else's run: what others need has a public name."""
    found = []
    for file in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                owner = node.value
                name = getattr(owner, "id", getattr(owner, "attr", ""))
                if name in ("run", "_run") and not node.attr.startswith("__"):
                    found.append(f"{file.relative_to(HOUSE)}:{node.lineno} {node.attr}")
    assert found == []
