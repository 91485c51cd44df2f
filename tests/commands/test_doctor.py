"""Every check of the doctor, made to fail on purpose: it says what is wrong and never crashes."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from colorlab.commands import doctor
from colorlab.commands.doctor import CHECKS, CheckResult, examine, report

NAMES = ["Python", "packages", "torch", "device", "bf16", "memory", "disk", "Jupyter", "data"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one photo a split (its name is enough) and small readable weights."""
    for split in ("train", "val", "test"):
        (tmp_path / "photos" / split).mkdir(parents=True)
        (tmp_path / "photos" / split / "one.jpg").write_bytes(b"")
    (tmp_path / "weights").mkdir()
    save_file({"w": torch.zeros(3, 5)}, tmp_path / "weights" / "starter.safetensors")
    monkeypatch.setenv("COLORLAB_DATA", str(tmp_path))
    return tmp_path


def find(name: str) -> CheckResult:
    """What the doctor finds about one thing, with all the guards of a full examination."""
    return doctor._result(name, CHECKS[name])


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make ``import package`` fail, also in those modules of ours that imported it before."""
    names = [name for name in sys.modules if name.startswith("colorlab.")]
    for name in names:
        parent, _, child = name.rpartition(".")
        # Set to what it is: so that it is set back when the test has imported the module anew.
        monkeypatch.setattr(sys.modules[parent], child, sys.modules[name])
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


def test_every_check_reports_in_order(data: Path) -> None:
    assert [finding.name for finding in examine()] == [*NAMES, "weights"]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("memory", "disk")])
def test_this_machine_passes(name: str) -> None:
    finding = find(name)
    assert finding.ok and finding.detail and not finding.advice


def test_a_line_a_finding_and_their_sum() -> None:
    good = CheckResult("disk", True, "9 GiB free")
    bad = CheckResult("torch", False, "absent", "install it")
    assert report([good]).splitlines() == ["OK    disk      9 GiB free", "All is ready."]
    assert report([good, bad]).splitlines() == [
        "OK    disk      9 GiB free",
        "FAIL  torch     absent / install it",
        "1 of 2 checks failed.",
    ]


@pytest.mark.parametrize("version", [(3, 10, 14), (2, 7, 18), (3, 9, 0)])
def test_an_old_python(monkeypatch, version: tuple[int, int, int]) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    finding = find("Python")
    assert not finding.ok and "3.11 or newer" in finding.advice


def test_a_missing_package_is_named(monkeypatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "torchmetrics":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["numpy", "torchmetrics>=1"])
    finding = find("packages")
    assert not finding.ok and finding.detail == "torchmetrics is missing"
    assert "make clean setup" in finding.advice


def test_a_package_too_old_is_named_with_what_is_needed(monkeypatch) -> None:
    requirements = ["numpy>=99", "pillow>=1", "jupyterlab>=99; extra == 'lab'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requirements)
    finding = find("packages")
    assert not finding.ok
    assert finding.detail == f"numpy is {importlib.metadata.version('numpy')}, needed: >=99"


def test_colorlab_not_installed(monkeypatch) -> None:
    def requires(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    finding = find("packages")
    assert not finding.ok and "not installed" in finding.detail


@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("torch", ["torch", "device", "bf16"]),
        ("safetensors", ["weights"]),
        ("ipywidgets", ["Jupyter"]),
        ("PIL", ["data"]),
        ("packaging.requirements", ["packages"]),
    ],
)
def test_no_missing_package_stops_the_doctor(monkeypatch, data, package, names) -> None:
    without(monkeypatch, package)
    findings = {finding.name: finding for finding in examine()}
    assert list(findings) == list(CHECKS)
    for name in names:
        assert not findings[name].ok and package in findings[name].detail
        assert findings[name].advice == doctor.REINSTALL


def test_a_torch_that_does_not_load(monkeypatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise OSError("libtorch.so: cannot open shared object file")

    monkeypatch.setitem(sys.modules, "torch", Broken())
    finding = find("torch")
    assert not finding.ok and finding.detail.startswith("OSError: libtorch.so")


def test_a_torch_that_reckons_wrong(monkeypatch) -> None:
    monkeypatch.setattr(torch, "ones", lambda *size: torch.zeros(*size))
    finding = find("torch")
    assert not finding.ok and "multiply" in finding.detail


def test_a_gpu_that_does_not_compute(monkeypatch) -> None:
    def ones(*size: int, device: torch.device) -> torch.Tensor:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)
    finding = find("device")
    assert not finding.ok and "cuda" in finding.detail and "no kernel image" in finding.detail
    assert "driver" in finding.advice


def test_each_kind_of_device_is_described(monkeypatch) -> None:
    gpu = SimpleNamespace(name="Some GPU", total_memory=16 * doctor.GIB)
    monkeypatch.setattr(torch, "ones", lambda *size, device: torch.zeros(*size))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find("device").detail == "cuda: Some GPU, 16 GiB"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert find("device").detail.startswith("mps")


@pytest.mark.parametrize(("fast", "word"), [(True, "yes"), (False, "no")])
def test_slow_bf16_is_no_fault(monkeypatch, fast: bool, word: str) -> None:
    monkeypatch.setattr("colorlab.devices.bf16_is_fast", lambda device: fast)
    finding = find("bf16")
    assert finding.ok and finding.detail.startswith(word)


@pytest.mark.parametrize(("gib", "ok"), [(2, False), (3.8, True), (64, True)])
def test_memory(monkeypatch, gib: float, ok: bool) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": int(gib * doctor.GIB / 4096)}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__, raising=False)
    finding = find("memory")
    assert finding.ok is ok and finding.detail == f"{gib:.1f} GiB"


def test_memory_is_unknown_where_the_system_does_not_say(monkeypatch) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    finding = find("memory")
    assert finding.ok and finding.detail.startswith("unknown")


@pytest.mark.parametrize(("gib", "ok"), [(0.5, False), (2.5, True)])
def test_disk(monkeypatch, gib: float, ok: bool) -> None:
    usage = SimpleNamespace(free=int(gib * doctor.GIB))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    finding = find("disk")
    assert finding.ok is ok and str(Path.cwd()) in finding.detail
    assert bool(finding.advice) is not ok


def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


def test_no_jupyter(monkeypatch) -> None:
    no_server(monkeypatch)
    monkeypatch.setattr(doctor, "_in_kernel", lambda: False)
    finding = find("Jupyter")
    assert not finding.ok and "JupyterLab" in finding.detail


def test_colab_needs_no_jupyterlab(monkeypatch) -> None:
    no_server(monkeypatch)
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    finding = find("Jupyter")
    assert finding.ok and finding.detail.startswith("Colab; ipywidgets")


def test_a_kernel_that_runs_needs_no_server_beside_it(monkeypatch) -> None:
    no_server(monkeypatch)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert find("Jupyter").ok


def test_no_data_says_how_to_get_it(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLORLAB_DATA", str(tmp_path / "nowhere"))
    for name in ("data", "weights"):
        finding = find(name)
        assert not finding.ok and finding.detail == "missing" and "nowhere" in finding.advice


def test_an_empty_split_is_named(data: Path) -> None:
    (data / "photos" / "val" / "one.jpg").unlink()
    finding = find("data")
    assert not finding.ok and str(data / "photos" / "val") in finding.detail
    assert "git checkout -- data" in finding.advice


def test_weights_that_read_well_are_counted(data: Path) -> None:
    finding = find("weights")
    assert finding.ok and "starter.safetensors, 0.0 million" in finding.detail


def test_missing_weights(data: Path) -> None:
    (data / "weights" / "starter.safetensors").unlink()
    finding = find("weights")
    assert not finding.ok and finding.detail == "missing"
    assert "starter.safetensors" in finding.advice


@pytest.mark.parametrize("kept", [0, 4, -1])
def test_weights_cut_short(data: Path, kept: int) -> None:
    path = data / "weights" / "starter.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    finding = find("weights")
    assert not finding.ok and str(path) in finding.detail
    assert "git checkout -- data/weights" in finding.advice
