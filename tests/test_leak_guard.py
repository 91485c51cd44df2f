"""The watch over the tests' credentials must itself be able to fail a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import leak_guard
import pytest

ROOT = Path(__file__).resolve().parent.parent

TESTS = """
import logging, sys
import pytest
from leak_guard import {0} as text

def test_prints(): print("so", text)
def test_raises(): raise ValueError(text)
def test_logs(): logging.getLogger("x").warning("so %s", text)

@pytest.fixture
def loud():
    yield
    print(text, file=sys.stderr)

def test_fixture(loud): pass
"""


@pytest.mark.parametrize(("name", "found"), [("FAKE_KEY", True), ("FAKE_USER", False)])
def test_a_credential_in_the_output_fails_the_run(tmp_path, name, found):
    (tmp_path / "test_made.py").write_text(TESTS.format(name))
    (tmp_path / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom leak_guard import "
        "pytest_runtest_logreport, pytest_sessionfinish, pytest_terminal_summary\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    command += ["--deselect", "test_made.py::test_raises"] if not found else []
    # Its output holds the credential, and must not become part of this test's own.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    named = [line.split("::")[1] for line in done.stdout.splitlines() if "CREDENTIALS" in line]
    if found:
        assert list(dict.fromkeys(line.split()[0] for line in named)) == [
            "test_prints",
            "test_raises",
            "test_logs",
            "test_fixture",
        ]
    status = done.returncode  # else the failing assertion would quote the output
    assert (named != [], status) == (found, 1 if found else 0)


def test_a_run_that_would_have_passed_is_failed(monkeypatch):
    class Session:
        exitstatus = 0

    monkeypatch.setattr(leak_guard, "_found", [])
    leak_guard.pytest_sessionfinish(Session)
    assert Session.exitstatus == 0
    monkeypatch.setattr(leak_guard, "_found", ["tests/test_x.py::test_y (call)"])
    leak_guard.pytest_sessionfinish(Session)
    assert Session.exitstatus == 1


def test_each_form_of_each_credential_is_found(tmp_path):
    for name, secret in leak_guard.SECRETS.items():
        assert leak_guard.leaks(f"Authorization: {secret}\n") == [name]
        (tmp_path / name).write_bytes(b"\xff" + secret.encode() + b"\n")
    (tmp_path / "clean").write_text(leak_guard.FAKE_USER)
    found = leak_guard.leaks_in_files([tmp_path])
    assert sorted(found) == sorted(str(tmp_path / name) for name in leak_guard.SECRETS)


def test_no_tracked_file_holds_a_credential():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert any(path.suffix == ".ipynb" for path in files)
    assert leak_guard.leaks_in_files(path for path in files if path.exists()) == []
