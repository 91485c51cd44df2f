"""A page that colors photos in the browser: its folder is written here, and served for a try.

The folder needs no server of ours and can lie anywhere on the web: the page's own files, the model
as ONNX, ``settings.json`` with every number of the library that the page needs, and onnxruntime-web,
which npm brings. No photo leaves the machine that the page is opened on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import colorlab
from colorlab import color, palette
from colorlab.atomic import whole_folder, write_whole
from colorlab.colorize import GUIDED_EPSILON, GUIDED_RADIUS, Colorizer
from colorlab.export import to_onnx
from colorlab.page.serving import PageServer, serve
from colorlab.photos.xmp import marked

__all__ = ["PageError", "PageServer", "build", "fetch_runtime", "has_runtime", "serve"]

HERE = Path(__file__).resolve().parent
VENDOR = HERE / "vendor"
SUFFIXES = {".html", ".css", ".js", ".webmanifest", ".png", ".svg"}
MODEL, SETTINGS = "model.onnx", "settings.json"
MOST_PIXELS = 64_000_000  # of a photo: a page has about two gigabytes, and needs 16 bytes a pixel

# Of onnxruntime-web, for each of its backends: the module, and the binary that it runs.
RUNTIME = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
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


class PageError(ValueError):
    """A page that can't be built; the message names the cause and the next step."""


def build(
    folder: str | Path, colorizer: Colorizer | None = None, *, overwrite: bool = False
) -> Path:
    """Write the page into a folder, whole or not at all.

    Args:
        folder: a new one, or an empty one. With ``overwrite`` also an earlier page; what else lies
            in it stays.
        colorizer: what it colors with; that of the starter weights when it is left out.

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
            _compose(aside, colorizer)
        return folder
    with tempfile.TemporaryDirectory() as made:
        _compose(Path(made), colorizer)
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


def has_runtime() -> bool:
    """Whether onnxruntime-web is here, so that a page can be built without npm."""
    return all((VENDOR / name).is_file() for name in _runtime_files())


def fetch_runtime() -> None:
    """Fetch onnxruntime-web with npm, in the version of ``package-lock.json``.

    Raises:
        PageError: there is no npm, or it failed; the message has its last lines.
        OSError: the files can't be written beside this one.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise PageError(
            "the page needs onnxruntime-web, which npm fetches, and there is no npm here: install "
            "Node.js (nodejs.org; on Debian and Ubuntu: sudo apt install npm) and try again"
        )
    with tempfile.TemporaryDirectory() as folder:
        for name in _NPM_FILES:
            shutil.copy(HERE / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.split()[-60:])
            raise PageError(f"npm could not fetch onnxruntime-web; is there a connection? {said}")
        VENDOR.mkdir(exist_ok=True)
        package = Path(folder) / "node_modules/onnxruntime-web"
        for name in _runtime_files():
            write_whole(VENDOR / name, [(package / "dist" / name).read_bytes()])


def settings(colorizer: Colorizer, model: dict[str, Any]) -> dict[str, Any]:
    """What ``settings.json`` holds.

    Args:
        model: of it, the part on the ONNX file.
    """
    stride = int(getattr(colorizer.generator, "stride", 32))
    noise = getattr(colorizer.generator, "noise_channels", 0)
    return {
        "model": {
            "name": colorizer.recipe.name,
            "file": MODEL,
            "size": colorizer.size,
            "stride": stride,
            "hints": colorizer.takes_hints,
            "distribution": colorizer.takes_hints,
            "noise": noise,
            **model,
        },
        "color": {name: getattr(color, name) for name in _COLOR},
        "guided": {"radius": GUIDED_RADIUS, "epsilon": GUIDED_EPSILON},
        "palette": {
            "bins": palette.bins().tolist(),
            "width": palette.WIDTH,
            "smallest": palette.SMALLEST,
        },
        "runtime": {
            kind: {
                "module": f"vendor/{module}",
                "binary": f"vendor/{binary}",
                "bytes": (VENDOR / binary).stat().st_size,
            }
            for kind, (module, binary) in RUNTIME.items()
        },
        "most_pixels": MOST_PIXELS,
        "mark": marked(b"").decode("utf-8"),
        "version": colorlab.__version__,
    }


def _compose(folder: Path, colorizer: Colorizer) -> None:
    """The page's files, into an empty folder."""
    for file in sorted(HERE.iterdir()):
        if file.suffix in SUFFIXES:
            shutil.copyfile(file, folder / file.name)
    (folder / "vendor").mkdir()
    for name in _runtime_files():
        shutil.copyfile(VENDOR / name, folder / "vendor" / name)
    shutil.copyfile(HERE / "runtime-LICENSE.txt", folder / "vendor" / "LICENSE.txt")
    exported = to_onnx(colorizer, folder / MODEL)
    said = settings(colorizer, {"bytes": exported.bytes})
    (folder / SETTINGS).write_text(json.dumps(said), encoding="utf-8")


def _is_page(folder: Path) -> bool:
    try:
        said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        return {"model", "runtime", "mark"} <= set(said)
    except (OSError, ValueError, TypeError):
        return False


def _runtime_files() -> list[str]:
    return [name for names in RUNTIME.values() for name in names]
