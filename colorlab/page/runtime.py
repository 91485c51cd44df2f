"""onnxruntime-web, which runs the model in the browser: fetched with npm, kept beside this file."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colorlab.atomic import write_whole

HERE = Path(__file__).resolve().parent
VENDOR = HERE / "vendor"

# For each of its backends the module, and the binary that it runs.
BACKENDS = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
NO_NPM = (
    "npm fetches {}, and there is no npm here: install Node.js "
    "(nodejs.org; on Debian and Ubuntu: sudo apt install npm) and try again"
)
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


class PageError(ValueError):
    """A page that can't be built; the message names the cause and the next step."""


def files() -> list[Path]:
    """Its files that a page needs."""
    return [VENDOR / name for names in BACKENDS.values() for name in names]


def has_runtime() -> bool:
    """Whether onnxruntime-web is here, so that a page can be built without npm."""
    return all(file.is_file() for file in files())


def fetch_runtime() -> None:
    """Fetch onnxruntime-web with npm, in the version of ``package-lock.json``.

    Raises:
        PageError: there is no npm, or it failed; the message has its last words.
        OSError: the files can't be written beside this one.
    """
    with node_modules(HERE, "onnxruntime-web") as modules:
        VENDOR.mkdir(exist_ok=True)
        for file in files():
            content = (modules / "onnxruntime-web/dist" / file.name).read_bytes()
            write_whole(file, [content])


@contextmanager
def node_modules(folder: Path, needed: str) -> Iterator[Path]:
    """What a folder's ``package-lock.json`` asks for, in a folder of npm's that goes afterward.

    Args:
        folder: it holds ``package.json``, ``package-lock.json`` and ``.npmrc``.
        needed: what is fetched, in words, for the messages.

    Raises:
        PageError: there is no npm, or it failed; the message has its last words.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise PageError(NO_NPM.format(needed))
    with tempfile.TemporaryDirectory() as made:
        for name in _NPM_FILES:
            shutil.copy(folder / name, made)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.split()[-60:])
            raise PageError(f"npm could not fetch {needed}; is there a connection? {said}")
        yield Path(made) / "node_modules"


def described(folder: str) -> dict[str, dict[str, str | int]]:
    """For each backend its ``module``, its ``binary`` and the ``bytes`` of that.

    Args:
        folder: where they lie in the page.
    """
    return {
        kind: {
            "module": f"{folder}/{module}",
            "binary": f"{folder}/{binary}",
            "bytes": (VENDOR / binary).stat().st_size,
        }
        for kind, (module, binary) in BACKENDS.items()
    }
