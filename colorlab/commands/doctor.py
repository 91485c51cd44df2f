"""``colorlab doctor``: is this machine ready for the course? One finding for each thing it needs,
and what to do.

Nothing here may crash: a missing or broken package is what a learner comes to the doctor with. So
every check imports what it needs by itself, and whatever it raises becomes a finding.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 11)
LEAST_MEMORY = 3.5  # GiB; what a machine sold with 4 reports
LEAST_DISK = 2.0  # GiB, for runs, checkpoints and colored photos
GIB = 2**30

REINSTALL = (
    "use the course's own environment (make lab, or .venv/bin/colorlab doctor); "
    "if it fails there too: make clean setup"
)


def add_options(_: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_: argparse.Namespace) -> int:
    """Print what each check found; returns 1 if one of them failed, else 0."""
    findings = examine()
    print(report(findings))
    return 0 if all(finding.ok for finding in findings) else 1


@dataclass(frozen=True)
class CheckResult:
    """What one check found: ``name``, ``ok``, a ``detail`` to read, and ``advice`` if not ok."""

    name: str
    ok: bool
    detail: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{'OK' if self.ok else 'FAIL':4}  {self.name:8}  {self.detail}"
        return f"{line} / {self.advice}" if self.advice else line


class _Trouble(Exception):
    """Raised by a check: what is wrong, and what to do about it."""

    def __init__(self, detail: str, advice: str):
        super().__init__(detail)
        self.detail, self.advice = detail, advice


def examine() -> list[CheckResult]:
    """Run every check, the cheap and basic ones first. Never raises."""
    return [_result(name, check) for name, check in CHECKS.items()]


def report(findings: list[CheckResult] | None = None) -> str:
    """The findings (by default those of a new examination), one a line, and the sum of them."""
    findings = examine() if findings is None else findings
    bad = sum(not finding.ok for finding in findings)
    total = f"{bad} of {len(findings)} checks failed." if bad else "All is ready."
    return "\n".join([*map(str, findings), total])


def _result(name: str, check: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, True, check())
    except _Trouble as trouble:
        return CheckResult(name, False, trouble.detail, trouble.advice)
    except ImportError as error:
        return CheckResult(name, False, f"can't be asked: {error}", REINSTALL)
    except Exception as error:  # a broken driver or library raises anything; say it, go on
        return CheckResult(name, False, f"{type(error).__name__}: {error}", REINSTALL)


def _python() -> str:
    here = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise _Trouble(here, "the course needs Python 3.11 or newer: make clean setup finds one")
    return here


def _packages() -> str:
    """Every package that colorlab asks for, in the range that it asks for."""
    from packaging.requirements import Requirement

    try:
        texts = importlib.metadata.requires("colorlab") or []
    except importlib.metadata.PackageNotFoundError:
        raise _Trouble("colorlab itself is not installed for this Python", REINSTALL) from None
    wanted = [Requirement(text) for text in texts]
    wanted = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = []
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, needed: {requirement.specifier}")
    if wrong:
        raise _Trouble("; ".join(wrong), REINSTALL)
    return f"all {len(wanted)} that colorlab needs, in versions that it can use"


def _torch() -> str:
    import torch

    if torch.ones(2, 2).matmul(torch.ones(2, 2)).sum().item() != 8:
        raise _Trouble(f"{torch.__version__} can't multiply two matrices", REINSTALL)
    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def _device() -> str:
    import torch

    from colorlab.devices import best_device

    device = best_device()
    try:
        torch.ones(2, device=device).sum().item()
    except Exception as error:
        raise _Trouble(
            f"{device.type} is there, but doesn't compute: {error}",
            "usually the driver and this build of torch don't fit: update the driver, or choose "
            "a build for it on pytorch.org; CUDA_VISIBLE_DEVICES='' does without the GPU",
        ) from error
    if device.type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        return f"cuda: {gpu.name}, {gpu.total_memory / GIB:.0f} GiB"
    if device.type == "mps":
        return "mps: Apple GPU"
    return f"cpu: {os.cpu_count()} cores (all lessons run on it; a GPU trains faster)"


def _bf16() -> str:
    from colorlab.devices import best_device, bf16_is_fast

    fast = bf16_is_fast(best_device())
    return "yes: training uses it" if fast else "no: training uses float32, which always works"


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return f"unknown on {platform.system()} (the course needs 4 GiB)"
    if total < LEAST_MEMORY:
        raise _Trouble(f"{total:.1f} GiB", "training needs 4 GiB: take another machine, or Colab")
    return f"{total:.1f} GiB"


def _disk() -> str:
    folder = Path.cwd()
    free = shutil.disk_usage(folder).free / GIB
    if free < LEAST_DISK:
        raise _Trouble(
            f"{free:.1f} GiB free in {folder}",
            f"free some: training runs and colored photos need {LEAST_DISK:.0f} GiB",
        )
    return f"{free:.0f} GiB free in {folder}"


def _jupyter() -> str:
    import ipywidgets

    servers = {"jupyterlab": "JupyterLab", "notebook": "Jupyter Notebook"}
    found = [f"{servers[name]} {v}" for name in servers if (v := _version(name))]
    if "google.colab" in sys.modules:
        found.insert(0, "Colab")
    elif not found and not _in_kernel():
        raise _Trouble("neither JupyterLab nor Jupyter Notebook is installed", REINSTALL)
    return f"{', '.join(found) or 'this notebook'}; ipywidgets {ipywidgets.__version__}"


def _in_kernel() -> bool:
    """Whether a notebook's kernel runs this: then some server runs it, installed elsewhere."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return hasattr(shell, "kernel")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _data() -> str:
    from colorlab.photos.files import PhotoError
    from colorlab.sources.bundled import SPLITS, DataMissing, bundled_photos, data_dir

    try:
        counts = [f"{len(bundled_photos(split))} {split}" for split in SPLITS]
    except DataMissing as missing:
        raise _Trouble("missing", str(missing)) from missing
    except PhotoError as error:
        raise _Trouble(str(error), "git checkout -- data brings the photos back") from error
    return f"{', '.join(counts)} photos in {data_dir()}"


def _weights() -> str:
    from safetensors import SafetensorError, safe_open

    from colorlab.sources.bundled import DataMissing, starter_weights

    try:
        path = starter_weights()
    except DataMissing as missing:
        raise _Trouble("missing", str(missing)) from missing
    try:
        with safe_open(path, framework="pt") as tensors:
            numbers = sum(tensors.get_tensor(key).numel() for key in tensors.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise _Trouble(
            f"{path} can't be read: {error}",
            "it was cut short or changed: git checkout -- data/weights brings it back",
        ) from error
    return f"{path.name}, {numbers / 1e6:.1f} million numbers, {path.stat().st_size / 1e6:.1f} MB"


CHECKS: dict[str, Callable[[], str]] = {
    "Python": _python,
    "packages": _packages,
    "torch": _torch,
    "device": _device,
    "bf16": _bf16,
    "memory": _memory,
    "disk": _disk,
    "Jupyter": _jupyter,
    "data": _data,
    "weights": _weights,
}
