"""The ways into the course: make and make.py, the links of the lessons, a codespace, the CI."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"][
    "Repository"
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORKFLOWS = ROOT / ".github" / "workflows"

# --- the links -----------------------------------------------------------------------------------


def test_the_repository_has_one_address() -> None:
    texts = [*NOTEBOOKS, ROOT / "README.md", *(ROOT / "colorlab").rglob("*.py")]
    written = "\n".join(path.read_text(encoding="utf-8") for path in texts)
    found = set(re.findall(r"https://github\.com/[\w.-]+/colorlab\b", written))
    assert found == {ADDRESS}
    # Colab and Codespaces leave github.com out of it.
    owners = re.findall(r"(?:google\.com/github|codespaces\.new)/([\w.-]+/colorlab)\b", written)
    assert set(owners) == {ADDRESS.removeprefix("https://github.com/")}


def test_every_notebook_opens_on_colab_and_on_kaggle() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 12
    for notebook in NOTEBOOKS:
        on_github = f"{ADDRESS}/blob/main/notebooks/{notebook.name}"
        path = on_github.removeprefix("https://github.com/")
        assert f"(https://colab.research.google.com/github/{path})" in readme
        assert f"(https://kaggle.com/kernels/welcome?src={on_github})" in readme
    assert f"(https://codespaces.new/{ADDRESS.removeprefix('https://github.com/')})" in readme


# --- make and make.py ----------------------------------------------------------------------------

TARGETS = [
    "help",
    "lab",
    "page",
    "site",
    "test",
    "quick",
    "setup",
    "lint",
    "notebooks",
    "browser",
    "colab",
    "clean",
]
WAYS = {"make": ["make"], "make.py": [sys.executable, "make.py"]}
# They put scripts of the shell in the place of Python.
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
both_ways = pytest.mark.parametrize("way", WAYS)

# A Python that notes what it is asked to do, and with which variables. One that it makes does the
# same; `pip` fails where a file named `broken` lies beside the log.
PYTHON = """#!/bin/sh
log="{log}"
case "$1" in
    --version) echo "Python {version}"; exit ;;
    -c) exit {fits} ;;
    make.py) exec "{real}" "$@" ;;
esac
echo "$*" >> "$log"
env >> "$log-env"
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/jupyter-execute" ;;
    *bad.ipynb) exit 1 ;;
    "-m pip") test ! -e "$(dirname "$log")/broken" ;;
esac
"""


def checkout(folder: Path) -> Path:
    """What make needs of a checkout."""
    folder.mkdir(parents=True)
    for name in ("Makefile", "make.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("constraints.txt", "constraints-colab.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def fake_python(path: Path, version: str = "3.12.1", fits: bool = True) -> Path:
    log = path.parent / "log"
    script = PYTHON.format(log=log, version=version, fits=int(not fits), real=sys.executable)
    path.write_text(script)
    path.chmod(0o755)
    return path


def call(way: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "COLORLAB"))}
    command = [*WAYS[way], *arguments]
    return subprocess.run(
        command, cwd=folder, env=clean, capture_output=True, text=True, check=False
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that it ends with."""
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0 and len(ours) == 1, done.stderr
    return ours[0]


@posix
@both_ways
def test_a_python_that_is_too_old_gets_one_line(tmp_path: Path, way: str) -> None:
    folder = checkout(tmp_path / "a path with spaces")
    old = fake_python(folder / "python-old", "3.8.1", fits=False)
    said = complaint(call(way, folder, "setup", f"PYTHON={old}"))
    assert "needs Python 3.11 to 3.14" in said and f"{old} is Python 3.8.1;" in said
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize(("minor", "fits"), [(10, False), (11, True), (14, True), (15, False)])
def test_only_pythons_that_the_packages_are_built_for_fit(
    monkeypatch: pytest.MonkeyPatch, minor: int, fits: bool
) -> None:
    code = re.search(r'^FITS = "(.*?)"', (ROOT / "make.py").read_text("utf-8"), re.MULTILINE)[1]
    monkeypatch.setattr(sys, "version_info", (3, minor, 0))
    with pytest.raises(SystemExit) as ended:
        exec(code)
    assert ended.value.code is not fits
    # The two other places that choose a Python.
    assert code.partition("exit(")[2][:-1] in (ROOT / ".ci/run").read_text("utf-8")
    pixi = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pixi"]
    assert SpecifierSet(pixi["dependencies"]["python"]).contains(f"3.{minor}.0") is fits


@posix
@both_ways
def test_a_missing_python_gets_one_line(tmp_path: Path, way: str) -> None:
    folder = checkout(tmp_path / "here")
    said = complaint(call(way, folder, "setup", "PYTHON=/nowhere/python3"))
    assert "needs Python 3.11 to 3.14" in said and "install one" in said
    assert "/nowhere/python3 does not run;" in said


@posix
def test_without_any_python_make_says_the_same(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "here")
    (tmp_path / "bin").mkdir()
    for name in ("make", "sh"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    clean = {"PATH": str(tmp_path / "bin")}
    done = subprocess.run(["make", "lab"], cwd=folder, env=clean, capture_output=True, text=True)
    assert "needs Python 3.11 to 3.14: found none; install one" in complaint(done)


@posix
@both_ways
@pytest.mark.parametrize("version", [None, "3.14.0"], ids=["missing", "too-new"])
def test_a_python_that_cannot_stand_for_colabs_gets_one_line(
    tmp_path: Path, way: str, version: str | None
) -> None:
    folder = checkout(tmp_path / "here")
    python = folder / "python3.13"
    if version:
        fake_python(python, version, fits=False)
    said = complaint(call(way, folder, "colab", f"COLAB_PYTHON={python}"))
    assert "need Python 3.13" in said and str(python) in said
    assert not (folder / ".venv-colab").exists()


@posix
class TestSetup:
    """The set-up with a Python that only notes what it is told, and so takes no time."""

    MADE = ("-m venv .venv", "-m pip", "-m pip")
    KEPT = ("-m pip", "-m pip")

    @pytest.fixture(params=WAYS)
    def way(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        fake_python(tmp_path / "python")
        return checkout(tmp_path / "a path with spaces")

    def asked(self, way: str, folder: Path, good: bool = True) -> tuple[str, ...]:
        """Runs the set-up; what it told Python to do, with of pip's lines only the beginning."""
        log = folder.parent / "log"
        log.write_text("")
        done = call(way, folder, "setup", f"PYTHON={folder.parent / 'python'}")
        assert (done.returncode == 0) == good, done.stderr
        assert ("\n.venv is ready." in f"\n{done.stdout}") == good
        lines = log.read_text().splitlines()
        return tuple(line[:6] if line.startswith("-m pip") else line for line in lines)

    def test_it_happens_once(self, way: str, folder: Path) -> None:
        assert self.asked(way, folder) == self.MADE
        assert (folder / ".venv/.ready").read_text() == f"{folder}\n"
        assert self.asked(way, folder) == ()

    def test_it_installs_what_is_pinned(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        first, second = (folder.parent / "log").read_text().splitlines()[1:]
        assert first.endswith("-c constraints.txt setuptools")
        assert second.endswith("--no-build-isolation -c constraints.txt -e .[dev]")

    @pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
    def test_a_change_is_installed_into_the_same(self, way: str, folder: Path, name: str) -> None:
        self.asked(way, folder)
        later = time.time() + 60
        os.utime(folder / name, (later, later))
        assert self.asked(way, folder) == self.KEPT

    def test_one_that_was_cut_short_starts_anew(self, way: str, folder: Path) -> None:
        (folder.parent / "broken").touch()
        assert self.asked(way, folder, good=False) == self.MADE[:2]
        assert not (folder / ".venv/.ready").exists()
        (folder.parent / "broken").unlink()
        assert self.asked(way, folder) == self.MADE
        (folder / ".venv/.ready").rename(folder / ".venv/.unfinished")
        done = call(way, folder, "setup", f"PYTHON={folder.parent / 'python'}")
        assert "The last set-up was cut short: it starts anew." in done.stdout

    def test_another_python_makes_another_environment(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        fake_python(folder.parent / "python", "3.13.2")
        assert self.asked(way, folder) == self.MADE
        assert self.asked(way, folder) == ()

    def test_a_checkout_that_was_moved_starts_anew(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        moved = folder.rename(folder.parent / "elsewhere")
        assert self.asked(way, moved) == self.MADE

    def test_an_environment_whose_python_is_gone_starts_anew(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        (folder / ".venv/bin/python").unlink()
        assert self.asked(way, folder) == self.MADE

    def test_an_environment_that_another_tool_made_is_filled(self, way: str, folder: Path) -> None:
        (folder / ".venv/bin").mkdir(parents=True)
        shutil.copy(folder.parent / "python", folder / ".venv/bin/python")
        assert self.asked(way, folder) == self.KEPT

    def test_an_environment_without_pip_is_made_anew(self, way: str, folder: Path) -> None:
        """Such as `uv venv` makes."""
        (folder / ".venv/bin").mkdir(parents=True)
        python = folder / ".venv/bin/python"
        python.write_text('#!/bin/sh\ncase "$2" in *pip*) exit 1 ;; esac\n')
        python.chmod(0o755)
        assert self.asked(way, folder) == self.MADE

    def test_both_ways_take_each_others(self, folder: Path) -> None:
        assert self.asked("make", folder) == self.MADE
        assert self.asked("make.py", folder) == ()

    def test_names_reach_the_targets(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        given = ("WORKERS=5", "LAB_ARGS=--no-browser --port 9999")
        assert call(way, folder, "quick", *given).returncode == 0
        assert call(way, folder, "lab", *given).returncode == 0
        *_, quick, lab = (folder.parent / "log").read_text().splitlines()
        assert quick == "-m pytest -n 5 -m not slow tests"
        assert lab.startswith(f"-m jupyterlab --ServerApp.root_dir={folder} ")
        assert lab.endswith("notebooks/00_first_colors.ipynb --no-browser --port 9999")
        config = f"JUPYTER_CONFIG_PATH={folder / '.jupyter'}"
        assert config in (folder.parent / "log-env").read_text().replace(os.pathsep, "\n")

    def test_all_tests_are_lint_tests_notebooks_and_browser(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        (folder / "notebooks").mkdir()
        (folder / "notebooks/a.ipynb").touch()
        before = len((folder.parent / "log").read_text().splitlines())
        (folder.parent / "log-env").unlink()
        assert call(way, folder, "test").returncode == 0
        ran = (folder.parent / "log").read_text().splitlines()[before:]
        assert [line.split()[1] for line in ran] == ["ruff", *["pytest"] * 3]
        assert [line.split()[-1] for line in ran] == [".", "tests", "notebooks", "tests/browser"]
        # In lessons nobody's Kaggle account is used, and lesson 06 does not train for minutes.
        variables = (folder.parent / "log-env").read_text().splitlines()
        assert variables.count("COLORLAB_OFFLINE=1") == variables.count("COLORLAB_STEPS=60") == 2

    def test_colab_runs_every_lesson_and_counts(self, way: str, folder: Path) -> None:
        colab = ("colab", f"COLAB_PYTHON={folder.parent / 'python'}")
        (folder / "notebooks").mkdir()
        (folder / "notebooks/a.ipynb").touch()
        assert call(way, folder, *colab).stdout.endswith("colab: 1 passed, 0 failed\n")
        log = (folder.parent / "log").read_text().splitlines()
        assert log[0] == "-m venv .venv-colab" and "-c constraints-colab.txt" in log[2]
        (folder / "notebooks/bad.ipynb").touch()
        done = call(way, folder, *colab)
        assert done.returncode != 0 and done.stdout.endswith("colab: 1 passed, 1 failed\n")
        assert "notebooks/bad.ipynb FAILED in " in done.stdout
        log = (folder.parent / "log").read_text().splitlines()[len(log) :]
        assert log == [f"--timeout=900 notebooks/{name}.ipynb" for name in ("a", "bad")]
        (folder.parent / "log").write_text("")
        other = fake_python(folder.parent / "other")  # makes an environment of its own
        call(way, folder, "colab", f"COLAB_PYTHON={other}")
        assert (folder.parent / "log").read_text().startswith("-m venv .venv-colab\n")

    @pytest.mark.parametrize("target", ["notebooks", "colab"])
    def test_without_a_lesson_it_says_so(self, way: str, folder: Path, target: str) -> None:
        python = folder.parent / "python"
        done = call(way, folder, target, f"PYTHON={python}", f"COLAB_PYTHON={python}")
        assert done.returncode != 0 and "notebooks/ holds no lesson to run" in done.stderr

    def test_what_fails_ends_the_rest(self, way: str, folder: Path) -> None:
        self.asked(way, folder)
        (folder / ".venv/bin/python").write_text('#!/bin/sh\ntest "$1" = -c || exit 3\n')
        done = call(way, folder, "test")
        assert done.returncode == (3 if way == "make.py" else 2)  # make's own is always 2
        assert "ruff" in done.stdout and "pytest" not in done.stdout


@posix
def test_this_environment_is_no_choice_for_its_own_renewal(tmp_path: Path) -> None:
    """It would be removed before it could make the next one."""
    folder = checkout(tmp_path / "here")
    inside = folder / ".venv/bin"
    inside.mkdir(parents=True)
    (folder / ".venv/.unfinished").touch()
    for name in ("python3", "python"):
        fake_python(inside / name)
    (tmp_path / "bin").mkdir()
    outside = fake_python(tmp_path / "bin/python3")
    clean = {"PATH": os.pathsep.join([str(inside), str(outside.parent)])}
    code = "import make, sys; sys.executable = sys.argv[1]; print(make.pythons())"
    command = [sys.executable, "-c", code, inside / "python"]
    said = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
    assert ast.literal_eval(said.stdout) == [str(outside)]


def script(folder: Path, command: str) -> subprocess.Popen[str]:
    """make.py with one command, which prints its process id; then it says `next`."""
    code = "import make, sys; make.run(['sh', '-c', sys.argv[1]]); print('next')"
    call = [sys.executable, "-c", code, command]
    return subprocess.Popen(
        call, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


@posix
def test_told_to_end_it_takes_its_command_along(tmp_path: Path) -> None:
    with script(checkout(tmp_path / "here"), "echo $$; exec sleep 30") as running:
        pid = next(int(line) for line in running.stdout if line.strip().isdigit())
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@posix
@pytest.mark.parametrize(
    ("trap", "status", "rest"), [("", 130, ""), ("trap 'exit 0' INT; ", 0, "next\n")]
)
def test_after_ctrl_c_the_command_decides(
    tmp_path: Path, trap: str, status: int, rest: str
) -> None:
    """JupyterLab asks whether to end."""
    waiting = f"{trap}echo $$; n=0; while test $n -lt 300; do sleep 0.1; n=$((n + 1)); done; exit 9"
    with script(checkout(tmp_path / "here"), waiting) as running:
        next(line for line in running.stdout if line.strip().isdigit())
        os.killpg(running.pid, signal.SIGINT)  # as a terminal sends it
        assert running.wait(20) == status
        assert running.stdout.read() == rest


def test_clean_removes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "here")
    before = set(folder.rglob("*"))
    for name in (".venv/bin", ".venv-colab", "site-page", ".ruff_cache/a", "colorlab/__pycache__"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    (folder / "notebooks/.ipynb_checkpoints").mkdir(parents=True)
    (folder / "notebooks/lesson.ipynb").touch()
    assert call("make.py", folder, "clean").returncode == 0
    left = {"colorlab", "notebooks", "notebooks/lesson.ipynb"}
    assert set(folder.rglob("*")) - before == {folder / name for name in left}


def test_a_wrong_word_is_refused_before_anything_runs(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "here")
    (folder / "build").mkdir()
    assert "no target --all: " in complaint(call("make.py", folder, "clean", "--all"))
    assert (folder / "build").exists()


def test_help_names_every_target_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    helped = call("make.py", ROOT, "help").stdout
    assert re.findall(r"^(?:make|py make\.py) ([a-z]+) ", helped, re.MULTILINE) == TARGETS[1:]
    assert call("make.py", ROOT).stdout == helped
    assert "There is no target lib: " in complaint(call("make.py", ROOT, "lib"))


def test_the_makefile_has_the_targets_of_make_py() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\.PHONY: |)(help .*?):?$", makefile, re.MULTILINE):
        assert sorted(line.split()) == sorted(TARGETS)
    assert makefile.count("\nhelp ") == makefile.count("\n.PHONY: help ") == 1


def test_make_py_needs_only_python_3_8() -> None:
    source = (ROOT / "make.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "subprocess" in modules and modules <= set(sys.stdlib_module_names)


# --- a codespace ---------------------------------------------------------------------------------


def test_the_container_sets_the_course_up() -> None:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(text)
    # CI's Python, and Colab's.
    assert container["image"].endswith("/devcontainers/python:3.13")
    assert container["postCreateCommand"] == "make setup"
    assert container["forwardPorts"] == [8888]
    vscode = container["customizations"]["vscode"]
    assert "ms-toolsai.jupyter" in vscode["extensions"]
    assert vscode["settings"]["python.defaultInterpreterPath"] == ".venv/bin/python"
    # An index of torch's builds for CPUs, the one that CI takes; and JupyterLab answers the address
    # at which a codespace shows it.
    index, lab = container["containerEnv"].values()
    (pattern,) = re.findall(r"allow_origin_pat=(\S+)", lab)
    assert re.match(pattern, "https://happy-name-8888.app.github.dev")
    assert not re.match(pattern, "https://example.com/app.github.dev")
    assert f"PIP_EXTRA_INDEX_URL: {index}" in (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")


# --- the CI --------------------------------------------------------------------------------------


def workflow(name: str) -> dict:
    loaded = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    loaded["on"] = loaded.pop(True)  # YAML reads `on` as a truth value
    return loaded


def runs(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def hides_failures(job: dict) -> bool:
    steps = [job, *job["steps"]]
    return any("continue-on-error" in s or "||" in s.get("run", "") for s in steps)


def test_ci_runs_on_three_systems() -> None:
    jobs = workflow("ci.yml")["jobs"]
    assert jobs["test"]["runs-on"] == "ubuntu-latest" and runs(jobs["test"]) == ["bash .ci/run"]
    quick = jobs["quick"]
    systems = ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert quick["strategy"] == {"fail-fast": False, "matrix": {"os": systems}}
    assert quick["runs-on"] == "${{ matrix.os }}"
    assert runs(quick) == ["python make.py quick"]
    assert not any(map(hides_failures, jobs.values()))


def test_the_newest_torch_is_tried_each_week() -> None:
    newest = workflow("newest-torch.yml")
    (schedule,) = newest["on"]["schedule"]
    minute, hour, day, month, weekday = schedule["cron"].split()
    assert (day, month) == ("*", "*") and all(part.isdigit() for part in (minute, hour, weekday))
    (job,) = newest["jobs"].values()
    ran = runs(job)
    (upgrade,) = [line for line in ran if "pip install" in line]
    assert upgrade.split("-m ")[1] == "pip install -U torch"
    assert ran.index("make setup") < ran.index(upgrade) < ran.index("make quick")
    assert ran[-1] == "make notebooks"
    environment = {name for part in (newest, job, *job["steps"]) for name in part.get("env", {})}
    assert environment == {"PIP_EXTRA_INDEX_URL", "PYTEST_ADDOPTS"}  # no PIP_CONSTRAINT
    assert not hides_failures(job)


def test_the_newest_torch_leaves_out_one_test_that_exists() -> None:
    (job,) = workflow("newest-torch.yml")["jobs"].values()
    (options,) = [s["env"]["PYTEST_ADDOPTS"] for s in job["steps"] if "env" in s]
    file, name = re.fullmatch(r"--deselect (\S+)::(\w+)", options).groups()
    assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_no_lock_file_is_kept() -> None:
    kept = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/uv.lock", "/pixi.lock", "/.pixi/"} <= set(kept)
