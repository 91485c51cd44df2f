"""The course's site for tests: its builder, and one site that they all look at.

`site/` is a folder of scripts, not a package. The site is built with a made network of a few
thousand parameters: whether the colors are good is not the question here.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import pytest
import torch
from browser import guard
from filelock import FileLock

from colorlab.colorize import Colorizer
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.unet import UNet

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGES = ("sphinx", "myst_nb", "sphinx_book_theme", "onnxscript")
sys.path.insert(0, str(ROOT / "site"))


def built(factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all processes of a test run.

    Skips, or in CI fails, where a package is missing or npm can't fetch what a page needs.
    """
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    problem = f"the site needs {', '.join(lacking)}: make setup" if lacking else ""
    guard.require(problem, guard.on_ci())
    import build

    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base  # of one process: its own
    folder = shared / "web" / "course"  # a folder deep, as on GitHub Pages
    with FileLock(shared / "course.lock"):
        if not folder.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Sphinx's extensions say of each other
                left_out = build.build(folder, made_colorizer())
            (shared / "left-out.txt").write_text("\n".join(left_out), encoding="utf-8")
    guard.require((shared / "left-out.txt").read_text(encoding="utf-8"), guard.on_ci())
    return folder


def made_colorizer() -> Colorizer:
    """A U-Net that has learned nothing."""
    torch.manual_seed(0)
    recipe = Recipe(
        name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
    )
    return Colorizer(UNet(levels=3, base=4), recipe, "cpu")
