"""Where there is no browser, its tests are skipped with one line, and in CI they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import guard

ROOT = Path(__file__).resolve().parent.parent


def found(*names: str):
    return lambda name: f"/bin/{name}" if name in names else None


def test_the_first_browser_there_is_and_the_one_that_is_named():
    assert guard.chromium({}, found("google-chrome", "chromium-browser")) == "/bin/chromium-browser"
    assert guard.chromium({"CHROMIUM": "mine"}, found("chromium", "mine")) == "/bin/mine"
    assert guard.chromium({"CHROMIUM": "mine"}, found("chromium")) is None
    assert guard.chromium({}, found()) is None


def test_what_is_missing_is_said_in_one_line_that_helps():
    nothing, all_of_it = found(), found("chromium")
    assert guard.missing({}, all_of_it, lambda name: True) == ""
    assert "sudo apt install chromium" in guard.missing({}, nothing, lambda name: True)
    assert "make setup" in guard.missing({}, all_of_it, lambda name: None)
    named = guard.missing({"CHROMIUM": "/nowhere"}, all_of_it, lambda name: True)
    assert "/nowhere" in named and "\n" not in named


@pytest.mark.parametrize(
    ("value", "ci"), [("1", True), ("true", True), ("", False), ("0", False), ("false", False)]
)
def test_what_counts_as_ci(value: str, ci: bool):
    assert guard.on_ci({"CI": value}) is ci
    assert guard.on_ci({}) is False


def test_a_problem_skips_and_fails_in_ci():
    guard.require("", ci=True)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        guard.require("no browser", ci=False)
    with pytest.raises(pytest.fail.Exception, match="no browser"):
        guard.require("no browser", ci=True)


@pytest.mark.parametrize("ci", ["", "true"])
def test_the_folder_run_without_a_browser(ci: str, tmp_path: Path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    own = {"CHROMIUM": "/nowhere/chromium", "COLORLAB_ARTIFACTS": str(tmp_path), "CI": ci}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/browser"],
        cwd=ROOT,
        env=clean | own,
        capture_output=True,
        text=True,
        check=False,
    )
    summary = done.stdout.partition("short test summary")[2].splitlines()
    skipped = [line for line in summary if line.startswith("SKIPPED")]
    failed = [line for line in summary if line.startswith("ERROR")]
    assert done.returncode == (1 if ci else 0), done.stdout
    assert (len(skipped), len(failed)) == ((0, 1) if ci else (1, 0)), done.stdout
    assert "Browser tests need" in done.stdout or "CHROMIUM names" in done.stdout
