"""A page that colors photos in the browser: its folder is written here, and served for a try.

The folder can lie anywhere on the web: the page's own files, the model as ONNX, ``settings.json``
with every number of the library that the page needs, and onnxruntime-web, which npm brings. No
photo leaves the machine that the page is opened on.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

import colorlab
from colorlab import color, palette
from colorlab.atomic import whole_folder, write_whole
from colorlab.colorize import GUIDED_EPSILON, GUIDED_RADIUS, Colorizer, stride_of
from colorlab.export import Portable, about, to_onnx
from colorlab.hints import CHANNELS
from colorlab.page import runtime
from colorlab.page.runtime import PageError, fetch_runtime, has_runtime
from colorlab.page.serving import PageServer, serve
from colorlab.photos.xmp import marked
from colorlab.sources.bundled import DataMissing, data_dir

__all__ = ["PageError", "PageServer", "build", "fetch_runtime", "has_runtime", "serve"]

HERE = Path(__file__).resolve().parent
EXAMPLES = {  # bundled photos that nobody trained on, and how the page calls them
    "test/egeskovslotspejling-backgrou.jpg": "A castle at a lake",
    "test/trierimperialbaths.jpg": "Roman baths in Trier",
}
SUFFIXES = {".html", ".css", ".js", ".webmanifest", ".png", ".svg"}
MODEL, SETTINGS = "model.onnx", "settings.json"
TOLERANCE = 0.02  # of ab in [-1, 1], for a backend's arithmetic: two CIE units
MOST_PIXELS = 64_000_000  # of a photo: a page has about two gigabytes, and needs 16 bytes a pixel

_COLOR = (
    "RGB_TO_XYZ",
    "XYZ_TO_RGB",
    "WHITE",
    "SRGB_KNEE",
    "LINEAR_KNEE",
    "LINEAR_SLOPE",
    "F_KNEE",
    "XYZ_KNEE",
    "F_SLOPE",
    "L_HALF_RANGE",
    "AB_RANGE",
    "HALF_8BIT_STEP",
)


def build(
    folder: str | Path,
    colorizer: Colorizer | None = None,
    *,
    model: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the page into a folder, whole or not at all.

    Args:
        folder: a new one, or an empty one. With ``overwrite`` also an earlier page; what else lies
            in it stays.
        colorizer: what it colors with; that of the starter weights when it is left out.
        model: the colorizer as ``to_onnx`` wrote it; it is exported when this is left out.

    Returns:
        The folder.

    Raises:
        PageError: the folder holds something else, or the runtime is missing and can't be fetched.
        FileNotFoundError, colorlab.weights.WeightsError: as ``Colorizer.load``.
        OSError: the folder can't be written.
    """
    folder = Path(folder)
    check_folder(folder, overwrite)
    if not has_runtime():
        fetch_runtime()
    colorizer = colorizer or Colorizer.load()
    if not folder.exists():
        with whole_folder(folder) as aside:
            _compose(aside, colorizer, model)
        return folder
    with tempfile.TemporaryDirectory() as made:
        _compose(Path(made), colorizer, model)
        files = [file for file in Path(made).rglob("*") if file.is_file()]
        for file in sorted(files, key=lambda file: file.name == SETTINGS):  # it ties them together
            target = folder / file.relative_to(made)
            target.parent.mkdir(exist_ok=True)
            write_whole(target, [file.read_bytes()])
    return folder


def check_folder(folder: Path, overwrite: bool = False) -> None:
    """Refuse a folder that a page can't be written into.

    Raises:
        PageError: it holds something else, or a page and ``overwrite`` is not set; or it is a file.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise PageError(f"{folder} is a file; name a folder for the page")
    if not _is_page(folder):
        raise PageError(f"{folder} holds something else than a page; name a new folder")
    if not overwrite:
        raise PageError(f"{folder} holds a page already; --overwrite renews it")


def settings(colorizer: Colorizer, model_bytes: int) -> dict[str, Any]:
    """What ``settings.json`` holds."""
    model = {**about(colorizer, colorizer.recipe.name), "file": MODEL, "bytes": model_bytes}
    return {
        "model": model,
        "runtime": runtime.described("vendor"),
        "trial": _trial(colorizer),
        **numbers(),
    }


def numbers() -> dict[str, Any]:
    """Every number of the library that the page needs, so that none stands in JavaScript too."""
    return {
        "color": {name: getattr(color, name) for name in _COLOR},
        "guided": {"radius": GUIDED_RADIUS, "epsilon": GUIDED_EPSILON},
        "palette": {
            "bins": palette.bins().tolist(),
            "width": palette.WIDTH,
            "smallest": palette.SMALLEST,
        },
        "most_pixels": MOST_PIXELS,
        "mark": marked(b"").decode("utf-8"),
        "version": colorlab.__version__,
    }


def _compose(folder: Path, colorizer: Colorizer, model: str | Path | None) -> None:
    """The page's files, into an empty folder."""
    for file in sorted(HERE.iterdir()):
        if file.suffix in SUFFIXES:
            shutil.copyfile(file, folder / file.name)
    (folder / "vendor").mkdir()
    for file in runtime.files():
        shutil.copyfile(file, folder / "vendor" / file.name)
    shutil.copyfile(HERE / "runtime-LICENSE.txt", folder / "vendor" / "LICENSE.txt")
    if model is None:
        to_onnx(colorizer, folder / MODEL)
    else:
        shutil.copyfile(model, folder / MODEL)
    said = settings(colorizer, (folder / MODEL).stat().st_size)
    said["examples"] = _add_examples(folder / "examples")
    (folder / SETTINGS).write_text(json.dumps(said), encoding="utf-8")


def _add_examples(folder: Path) -> list[dict[str, str]]:
    """Photos for visitors who have none at hand; none where the bundled ones are not there."""
    try:
        photos = data_dir() / "photos"
    except DataMissing:
        return []
    with (photos / "credits.csv").open(encoding="utf-8", newline="") as file:
        credits = {row["file"]: row for row in csv.DictReader(file)}
    folder.mkdir()
    said = []
    for name, title in EXAMPLES.items():
        shutil.copyfile(photos / name, folder / Path(name).name)
        credit = "Photo: {author}, {license}, reduced in size".format_map(credits[name])
        said.append({"file": Path(name).name, "title": title, "credit": credit})
    return said


@torch.inference_mode()
def _trial(colorizer: Colorizer) -> dict[str, Any]:
    """A made L and some of what the generator predicts for it, so that a browser can compare."""
    stride, period, count = stride_of(colorizer.generator), 17, 64
    side = max(64 // stride, 1) * stride
    portable = Portable(colorizer).cpu()
    given = {
        "lightness": torch.arange(side * side, dtype=torch.float64).div(period).sin().float(),
        "hints": torch.zeros(1, CHANNELS, side, side),
        "temperature": torch.tensor([-1.0]),
        "noise": torch.zeros(1, portable.noise),
    }
    given["lightness"] = given["lightness"].view(1, 1, side, side)
    ab = portable(*(given[name] for name in portable.inputs))[0].flatten()
    every = len(ab) // count
    return {
        "height": side,
        "width": side,
        "period": period,
        "every": every,
        "ab": ab[::every].tolist(),
        "tolerance": TOLERANCE,
    }


def _is_page(folder: Path) -> bool:
    try:
        said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        return {"model", "runtime", "mark"} <= set(said)
    except (OSError, ValueError, TypeError):
        return False
