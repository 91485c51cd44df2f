"""The choice of device and the question about bf16, held against the processor's own flags."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from colorlab.devices import best_device, bf16_is_fast


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_fastest_device_is_taken(monkeypatch, cuda: bool, mps: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == torch.device(expected)


def test_bf16_agrees_with_the_kernels_list_of_processor_flags() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("only Linux lists the processor's flags")
    flags = set(cpuinfo.read_text().split())
    assert bf16_is_fast("cpu") == bool(flags & {"avx512_bf16", "amx_bf16"})


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx512_f": True}, False),  # bf16 works there, emulated
        ({"architecture": "aarch64", "bf16": True}, False),
    ],
)
def test_only_real_bf16_instructions_count(monkeypatch, able: dict, expected: bool) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert bf16_is_fast(torch.device("cpu")) is expected


def test_a_torch_without_bf16_kernels_says_no(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert bf16_is_fast("cpu") is False


@pytest.mark.parametrize(
    ("old_torch", "expected"),
    [
        (SimpleNamespace(), False),
        (SimpleNamespace(_is_avx512_bf16_supported=lambda: False), False),
        (SimpleNamespace(_is_avx512_bf16_supported=lambda: True), True),
        (SimpleNamespace(_is_amx_tile_supported=lambda: True), True),
    ],
)
def test_older_versions_of_torch_are_asked_otherwise(monkeypatch, old_torch, expected) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch, "cpu", old_torch)
    assert bf16_is_fast("cpu") is expected


@pytest.mark.parametrize("tensor_cores", [True, False])
def test_cuda_is_asked_without_emulation(monkeypatch, tensor_cores: bool) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return tensor_cores or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert bf16_is_fast("cuda") is tensor_cores


def test_mps_says_no() -> None:
    assert bf16_is_fast("mps") is False
