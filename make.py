"""What `make` does, also where there is no make: `py make.py lab` on Windows.

The Makefile only looks for a Python and hands its targets to this file, which needs nothing but
Python's own library. Python 3.8 and newer run it, so that it can say which version colorlab needs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LESSON = "notebooks/00_first_colors.ipynb"
WINDOWS = os.name == "nt"
CALL = "py make.py" if WINDOWS else "make"


def programs(environment: Path) -> Path:
    return environment / ("Scripts" if WINDOWS else "bin")


VENV = Path(".venv")
RUN = str(programs(VENV) / "python")
# Written when all is installed, with the folder that it was installed for: an environment holds
# absolute paths, so a checkout that was moved needs a new one.
READY = VENV / ".ready"
# There while an install is on the way. Found at the start, it means that one was cut short.
UNFINISHED = VENV / ".unfinished"
# Without PYTHON=… the first of these that fits makes .venv, after the one that runs this.
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python")
FITS = "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))"  # wheels of all packages

# Colab's versions have an environment of their own. Its stamp names the Python too.
COLAB = Path(".venv-colab")
COLAB_RUN = str(programs(COLAB) / "python")
COLAB_READY = COLAB / ".ready"
COLAB_FITS = "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"

# onnxruntime-web, which the page in the browser runs: npm fetches it.
RUNTIME = Path("colorlab/page/vendor/ort.wasm.bundle.min.mjs")

# One thread a notebook: several notebooks whose threads share the processors wait for each other.
# Offline: who has an account at Kaggle must not download its sets in a test. Fewer steps: lesson 06
# trains for minutes to show something, and for seconds to be tested.
IN_TESTS = {"COLORLAB_OFFLINE": "1", "COLORLAB_STEPS": "60", "OMP_NUM_THREADS": "1"}

PIP = ("-m", "pip", "install", "--disable-pip-version-check")


def setup() -> None:
    install()
    say(f"{VENV} is ready.")


def lab() -> None:
    install()
    # .jupyter switches JupyterLab's news pop-up off.
    config = [str(ROOT / ".jupyter"), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    more = shlex.split(os.environ.get("LAB_ARGS", ""), posix=not WINDOWS)
    run(
        [RUN, "-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}"]
        + [f"--LabApp.default_url=/lab/tree/{LESSON}", *more],
        {"JUPYTER_CONFIG_PATH": os.pathsep.join(config)},
    )


def page() -> None:
    install()
    fetch_runtime()
    run([RUN, "-m", "colorlab", "page", "-o", "site-page", "--overwrite"])


def site() -> None:
    install()
    fetch_runtime()
    run([RUN, "site/build.py", "-o", "site-html"])


def lint() -> None:
    install()
    run([RUN, "-m", "ruff", "check", "."])


def test() -> None:
    lint()
    pytest("-n", workers(), "tests")
    notebooks()
    browser()


def quick() -> None:
    """Without what trains, starts processes or servers, or plays a whole lesson."""
    lint()
    pytest("-n", workers(), "-m", "not slow", "tests")


def notebooks() -> None:
    install()
    fetch_runtime()
    lessons()
    every = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900")
    pytest(*every, "-n", workers(), "--dist", "loadscope", "notebooks", environment=IN_TESTS)


def browser() -> None:
    """In one process: two browsers at once would measure each other.

    Without Chromium these tests are skipped, with CI=true they fail; CHROMIUM=/path/to/it names one
    that is not found by itself.
    """
    install()
    fetch_runtime()
    pytest("tests/browser", environment=IN_TESTS)


def colab() -> None:
    """Errors fail. Outputs are not compared: other versions may print other digits."""
    install_colab()
    execute = [str(programs(COLAB) / "jupyter-execute"), "--timeout=900"]
    environment = {**os.environ, **IN_TESTS, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    passed = failed = 0
    for notebook in lessons():
        began = time.monotonic()
        good = wait([*execute, str(notebook)], environment) == 0
        passed, failed = passed + good, failed + (not good)
        seconds = round(time.monotonic() - began)
        say(f"{notebook.as_posix()} {'passed' if good else 'FAILED'} in {seconds} s")
    say(f"colab: {passed} passed, {failed} failed")
    if failed:
        sys.exit(1)


def clean() -> None:
    made = "site-page site-html colorlab/page/vendor site/vendor tests/browser/artifacts"
    caches = "build dist colorlab.egg-info .pytest_cache .ruff_cache .hypothesis"
    for path in (VENV, COLAB, *map(Path, made.split()), *map(Path, caches.split())):
        remove(path)
    for folder, inside, _ in os.walk("."):
        for name in {"__pycache__", ".ipynb_checkpoints"} & set(inside):
            remove(Path(folder, name))
            inside.remove(name)


def show_help() -> None:
    for name, (_, text) in TARGETS.items():
        if text:
            say(f"{CALL} {name:<10} {text}")
    say("")
    say(f"PYTHON=/path/to/python3 makes {VENV} with that Python (3.11 to 3.14).")
    say(f"COLAB_PYTHON=python3.12 makes {COLAB} with that Python (3.11 to 3.13; Colab has 3.13).")
    say("CHROMIUM=/path/to/chrome names the browser to test with.")
    say('LAB_ARGS="--no-browser --port 9999" goes to JupyterLab; as root it needs --allow-root.')


TARGETS = {
    "help": (show_help, ""),
    "lab": (lab, "set up, then open the course in JupyterLab"),
    "page": (page, "set up, then build the page that colors in the browser, in site-page/"),
    "site": (site, "set up, then build the course as a web site, in site-html/"),
    "test": (test, "set up, then lint, all tests and all notebooks, these in a browser too"),
    "quick": (quick, "set up, then lint and the tests that take no patience: under two minutes"),
    "setup": (setup, f"the set-up alone: everything into {VENV}"),
    "lint": (lint, "ruff"),
    "notebooks": (notebooks, "run every notebook from top to bottom"),
    "browser": (browser, "run every lesson in JupyterLab in Chromium, and move its widgets"),
    "colab": (colab, f"run every lesson with Colab's versions, set up in {COLAB}"),
    "clean": (clean, f"remove {VENV}, {COLAB} and all caches"),
}


# --- the set-up ----------------------------------------------------------------------------------


def install() -> None:
    """Everything into .venv, once; again when what it stands on has changed."""
    asked = os.environ.get("PYTHON")
    usable = stamped(READY, str(ROOT)) and runs(RUN, "")
    usable = usable and not (asked and version(asked) != version(RUN))
    if usable and newer(READY, "pyproject.toml", "constraints.txt"):
        return
    whole = not UNFINISHED.exists() and (usable or not READY.exists())
    if not (whole and runs(RUN, f"import pip; {FITS}")):
        python = fitting()
        if UNFINISHED.exists():
            say("The last set-up was cut short: it starts anew.")
        say(f"Setting up {VENV} with {version(python)}: some minutes, once.")
        remove(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
        run([python, "-m", "venv", str(VENV)], quiet=True)
    remove(READY)
    UNFINISHED.touch()
    # The pinned setuptools builds the package too, so that nothing unpinned takes part.
    run([RUN, *PIP, "-q", "-c", "constraints.txt", "setuptools"])
    run([RUN, *PIP, "--no-build-isolation", "-c", "constraints.txt", "-e", ".[dev]"])
    UNFINISHED.unlink()
    stamp(READY, str(ROOT))


def fitting() -> str:
    """A Python that can make .venv; without one, a line that says what to do ends the script."""
    others = []
    for python in pythons():
        if runs(python, FITS):
            break
        if version(python):
            others.append(f"{python} is {version(python)};")
        elif os.environ.get("PYTHON"):
            others.append(f"{python} does not run;")
    else:
        die(
            f"colorlab needs Python 3.11 to 3.14: {' '.join(others) or 'found none;'} "
            f"install one (python.org), or name it: {CALL} setup PYTHON=/path/to/python3"
        )
    if not runs(python, "import venv, ensurepip"):
        die(
            f"{python} can't make virtual environments (no venv or ensurepip): "
            "on Debian and Ubuntu run: sudo apt install python3-venv"
        )
    return python


def pythons() -> list[str]:
    """The Pythons to try, each once. Those inside .venv would be removed together with it."""
    if os.environ.get("PYTHON"):
        return [os.environ["PYTHON"]]
    inside = ROOT / programs(VENV)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    outside = os.pathsep.join(folder for folder in folders if Path(folder) != inside)
    own = () if Path(sys.executable).parent == inside else (sys.executable,)
    found = {}
    for name in (*own, *PYTHONS):
        path = shutil.which(name, path=outside)
        if path:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def install_colab() -> None:
    """Made anew whenever what it stands on has changed: pip would keep what is not asked for."""
    python = os.environ.get("COLAB_PYTHON") or "python3.13"
    usable = stamped(COLAB_READY, f"{ROOT} {python}") and runs(COLAB_RUN, "")
    if usable and newer(COLAB_READY, "pyproject.toml", "constraints-colab.txt"):
        return
    if not runs(python, COLAB_FITS):
        die(
            f"Colab's versions need Python 3.13, or 3.11 or 3.12 in its place: {python} does not "
            "run here or is none of them; install one (python.org), or name it: "
            f"{CALL} colab COLAB_PYTHON=python3.12"
        )
    say(f"Setting up {COLAB} with {version(python)}: some minutes, once.")
    remove(COLAB)
    run([python, "-m", "venv", str(COLAB)])
    pip = [COLAB_RUN, *PIP, "-q"]
    run([*pip, "-c", "constraints-colab.txt", "setuptools"])
    run(
        [*pip, "--no-build-isolation", "-c", "constraints-colab.txt"]
        + ["-e", ".[onnx]", "ipykernel", "nbclient", "scikit-image"]
    )
    stamp(COLAB_READY, f"{ROOT} {python}")


def fetch_runtime() -> None:
    """Without npm, or without a connection, only a line says so: what needs it tells more."""
    if newer(RUNTIME, "colorlab/page/package-lock.json"):
        return
    if not runs(RUN, "from colorlab.page import fetch_runtime as f; f()"):
        say("onnxruntime-web is not here: the page can't be built or tested (npm fetches it).")


# --- the parts -----------------------------------------------------------------------------------


def newer(path: Path, *sources: str) -> bool:
    """Whether the file is there, and none of its sources has changed since."""
    return path.exists() and all(
        os.path.getmtime(source) <= path.stat().st_mtime for source in sources
    )


def stamped(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes().strip() == os.fsencode(text)


def stamp(path: Path, text: str) -> None:
    path.write_bytes(os.fsencode(text) + b"\n")


def runs(python: str, code: str) -> bool:
    """Whether there is such a Python, and the code ends well in it."""
    return _asked(python, "-c", code) is not None


def version(python: str) -> str:
    return (_asked(python, "--version") or "").strip()


def _asked(*command: str) -> str | None:
    try:
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError:
        return None
    return None if said.returncode else said.stdout.decode(errors="replace")


def lessons() -> list[Path]:
    found = sorted(Path("notebooks").glob("*.ipynb"))
    if not found:
        die("notebooks/ holds no lesson to run")
    return found


def workers() -> str:
    return os.environ.get("WORKERS") or "2"


def pytest(*arguments: str, environment: dict[str, str] | None = None) -> None:
    run([RUN, "-m", "pytest", *arguments], environment)


def run(command: list[str], environment: dict[str, str] | None = None, quiet: bool = False) -> None:
    """Runs the command, after it was shown. If it fails, the script ends with its status."""
    environment = environment or {}
    if not quiet:
        names = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
        say(" ".join([*names, *map(shlex.quote, command)]))
    status = wait(command, {**os.environ, **environment})
    if status:
        sys.exit(status if status > 0 else 128 - status)


def wait(command: list[str], environment: dict[str, str]) -> int:
    """The status of the command, which ends with this script when that is told to end.

    Ctrl-C reaches the command by itself: JupyterLab asks then whether to end, and may go on.
    """
    child = None
    told = set()

    def tell(number: int, _: object) -> None:
        told.add(number)
        if child and number == signal.SIGTERM:
            child.terminate()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, tell)
    try:
        child = subprocess.Popen(command, env=environment)
        if signal.SIGTERM in told:  # while it started
            child.terminate()
        status = child.wait()
    except OSError as error:
        die(f"{command[0]} does not run: {error.strerror}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGTERM in told or (told and status):
        sys.exit(128 + max(told))
    return status


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def say(text: str) -> None:
    print(text, flush=True)


def die(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(1)


def main(words: list[str]) -> None:
    """As make takes them: targets, and NAME=VALUE for the environment."""
    os.chdir(ROOT)
    os.environ.update(word.split("=", 1) for word in words if "=" in word)
    names = [word for word in words if "=" not in word] or ["help"]
    if unknown := [name for name in names if name not in TARGETS]:
        die(f"There is no target {unknown[0]}: {CALL} help lists them.")
    for name in names:
        TARGETS[name][0]()


if __name__ == "__main__":
    main(sys.argv[1:])
