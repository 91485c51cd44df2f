"""The choice of device and the question about bf16, held against the processor's own flags."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from colorlab.devices import (
    best_device,
    bf16_is_fast,
    check_deterministic,
    choose_compile,
    choose_precision,
    deterministic_algorithms,
    hardware_name,
    is_compiled,
    is_out_of_memory,
    memory_of,
    quick_float32,
)


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


# --- precision and compiling ----------------------------------------------------------------------


@pytest.fixture
def gpu(monkeypatch):
    """Pretends a GPU of some generation."""

    def pretend(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        ampere = capability >= (8, 0)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: ampere
        )

    return pretend


@pytest.mark.parametrize(
    ("capability", "precision", "compiled"),
    [
        ((6, 1), "fp32", False),  # GTX 1080
        ((7, 5), "fp16", True),  # T4
        ((8, 0), "bf16", True),  # A100
        ((9, 0), "bf16", True),  # H100
    ],
)
def test_each_gpu_gets_what_it_has_units_for(gpu, capability, precision, compiled) -> None:
    gpu(capability)
    assert choose_precision("cuda") == precision
    assert choose_compile("cuda") is compiled
    assert choose_precision("cuda", "fp32") == "fp32"
    assert choose_compile("cuda", "off") is False


@pytest.mark.parametrize(("fast", "precision"), [(True, "bf16"), (False, "fp32")])
def test_processors(monkeypatch, fast: bool, precision: str) -> None:
    monkeypatch.setattr("colorlab.devices.bf16_is_fast", lambda device: fast)
    assert choose_precision("cpu") == precision
    assert choose_precision("cpu", "bf16") == "bf16"
    assert choose_compile("cpu") is False and choose_compile("cpu", "on") is True


def test_what_no_device_can_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an NVIDIA GPU, not cpu; use 'auto' or 'fp32'"):
        choose_precision("cpu", "fp16")
    with pytest.raises(ValueError, match="'maybe'; choose from auto, on, off"):
        choose_compile("cpu", "maybe")


@pytest.mark.parametrize(("device", "inside"), [("cuda", "high"), ("cpu", "highest")])
def test_tf32_only_inside_and_only_on_gpus(device: str, inside: str) -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(KeyError), quick_float32(device):
        assert torch.get_float32_matmul_precision() == inside
        raise KeyError
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_switches_hold_until_the_last_one_leaves(monkeypatch) -> None:
    """Two runs side by side, each in its thread, and a notebook that has chosen for itself."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        first, second = deterministic_algorithms(), deterministic_algorithms()

        def switches() -> tuple[bool, bool, bool]:
            return (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
                torch.backends.cudnn.benchmark,
            )

        for act in (first.__enter__, second.__enter__):
            act()
            assert switches() == (True, False, False)
        first.__exit__(None, None, None)
        assert switches() == (True, False, False)
        second.__exit__(None, None, None)
        assert switches() == (True, True, True)
    finally:
        torch.use_deterministic_algorithms(False)
    with pytest.raises(KeyError), deterministic_algorithms():
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_can_not_be_the_same_each_time_is_refused(monkeypatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    check_deterministic("cpu")
    with pytest.raises(ValueError, match="_CONFIG=:4096:8 .*not set.*restart the kernel and begin"):
        check_deterministic("cuda:0")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
    with pytest.raises(ValueError, match="it is :0:0"):
        check_deterministic("cuda")
    for good in (":4096:8", ":16:8"):
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", good)
        check_deterministic("cuda")
    with pytest.raises(ValueError, match="not mps.*take device='cpu'"):
        check_deterministic("mps")
    with pytest.raises(ValueError, match="compile='on' exclude"):
        check_deterministic("cpu", "on")


def test_out_of_memory_is_distinguished_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**50)  # a petabyte and more
    assert is_out_of_memory(error.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_the_hardware_has_a_name(monkeypatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert hardware_name("cpu").endswith(", 3 threads")
        torch.set_num_threads(1)
        assert hardware_name("cpu").endswith(", 1 thread")
    finally:
        torch.set_num_threads(before)
    info = Path("/proc/cpuinfo")
    if info.is_file() and "model name" in info.read_text(encoding="utf-8"):
        assert hardware_name("cpu").split(", ")[0] in info.read_text(encoding="utf-8")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"made of {device}")
    assert hardware_name("cuda") == "made of cuda"


def test_the_memory_of_a_device(monkeypatch) -> None:
    info = Path("/proc/meminfo")  # in units of 1024 bytes
    if info.is_file():
        assert memory_of("cpu") == 1024 * int(info.read_text(encoding="utf-8").split()[1])
    one = SimpleNamespace(total_memory=7)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: one)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 5)
    assert (memory_of("cuda"), memory_of("mps")) == (7, 5)


def test_a_compiled_network_is_distinguished_from_others() -> None:
    network = torch.nn.Linear(2, 2)
    assert not is_compiled(network)
    network.compile()
    assert is_compiled(network)
