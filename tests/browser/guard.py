"""What these tests need beyond Python's packages, and what happens where it is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping

import pytest

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
Find = Callable[[str], str | None]


def chromium(environment: Mapping[str, str] = os.environ, find: Find = shutil.which) -> str | None:
    """The path of the browser: what CHROMIUM names, else the first that is installed."""
    chosen = environment.get("CHROMIUM")
    return next(filter(None, map(find, [chosen] if chosen else NAMES)), None)


def missing(
    environment: Mapping[str, str] = os.environ,
    find: Find = shutil.which,
    find_package: Callable[[str], object] = importlib.util.find_spec,
) -> str:
    """One line on what is not there and how to get it; empty where nothing is missing."""
    if find_package("playwright") is None:
        return "Browser tests need the package playwright: make setup"
    if chromium(environment, find) is not None:
        return ""
    if chosen := environment.get("CHROMIUM"):
        return f"CHROMIUM names {chosen}, and there is no such program"
    return (
        "Browser tests need Chromium or Chrome: sudo apt install chromium fonts-dejavu-core, or "
        "name the one that you have: CHROMIUM=/path/to/it make browser"
    )


def on_ci(environment: Mapping[str, str] = os.environ) -> bool:
    return environment.get("CI", "").lower() in {"1", "true", "yes"}


def require(problem: str, ci: bool) -> None:
    """Skip where there is a problem. In CI fail: there a skipped test would never be noticed."""
    if problem and ci:
        pytest.fail(problem, pytrace=False)
    if problem:
        pytest.skip(problem)
