"""The credentials that the tests use, which stand here alone, and the watch that none shows up.

Whatever a test prints, logs, raises or leaves in a notebook is looked through; the first find fails
the whole run. conftest.py takes the hooks from here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import pytest

FAKE_USER = "ada-of-the-tests"
FAKE_KEY = "c0ffee" + "0123456789abcdef" + "f00dc0ffee"
FAKE_TOKEN = "KGAT_" + "feedbeef" * 3 + "5ec2e7"
BASIC = base64.b64encode(f"{FAKE_USER}:{FAKE_KEY}".encode()).decode()
SECRETS = {"key": FAKE_KEY, "token": FAKE_TOKEN, "basic": BASIC}

_found: list[str] = []


def leaks(text: str) -> list[str]:
    """Which of the credentials are in the text, by name."""
    return [name for name, secret in SECRETS.items() if secret in text]


def leaks_in_files(paths: Iterable[Path]) -> list[str]:
    """The files below these paths that hold one of the credentials."""
    files = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
    contents = {file: file.read_bytes() for file in files if file.is_file()}
    return [
        str(file)
        for file, content in contents.items()
        if any(secret.encode() in content for secret in SECRETS.values())
    ]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    texts = [report.longreprtext, *(text for _, text in report.sections)]
    if any(leaks(text) for text in texts):
        _found.append(f"{report.nodeid} ({report.when})")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for place in dict.fromkeys(_found):
        terminalreporter.write_line(f"CREDENTIALS in the output of {place}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
