"""Which device to compute on, and what is quick on it: the machine is asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def best_device() -> torch.device:
    """The fastest device that this machine has: CUDA, else Apple's GPU (MPS), else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def bf16_is_fast(device: torch.device | str) -> bool:
    """Whether ``device`` multiplies in bfloat16 with instructions of its own.

    True on a GPU with bf16 tensor cores (NVIDIA Ampere and later) and on an x86 processor with
    AVX512-BF16 or AMX. Elsewhere torch runs bf16 too, but emulates it, which is slower than
    float32. So this doesn't ask whether bf16 *works*, as most of torch's own questions do. On
    MPS, and on processors other than x86, the result is False: nobody has measured a gain there.

    On the CPU the gain needs ``channels_last`` too. Forward and backward of
    Conv2d(64, 128, 4, 2, 1) on 4 x 64 x 128 x 128, two cores with AVX512-BF16: float32 48 ms,
    bf16 73 ms, bf16 and channels-last 14 ms.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    if not torch.backends.mkldnn.is_available():  # the part of torch that has the bf16 kernels
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    # Older versions of torch (Colab's among them) have this under private names, or not at all.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in questions)


def has_tensor_cores(device: torch.device | str) -> bool:
    """Whether ``device`` is an NVIDIA GPU with tensor cores (Volta and later; the T4 has them)."""
    device = torch.device(device)
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def choose_precision(device: torch.device | str, wanted: str = "auto") -> str:
    """The precision to train in: ``wanted``, or the one that the device is quickest in.

    Returns:
        ``"fp32"``, ``"bf16"`` or ``"fp16"``.

    Raises:
        ValueError: fp16 was wanted where there is no GPU: its gradients need a scaler, and
            processors gain nothing from it.
    """
    kind = torch.device(device).type
    if wanted == "auto":
        if bf16_is_fast(device):
            return "bf16"
        return "fp16" if has_tensor_cores(device) else "fp32"
    if wanted == "fp16" and kind != "cuda":
        raise ValueError(f"precision 'fp16' needs an NVIDIA GPU, not {kind}; use 'auto' or 'fp32'")
    return wanted


def choose_compile(device: torch.device | str, wanted: str = "auto") -> bool:
    """Whether to run the networks through ``torch.compile``: ``"on"``, ``"off"`` or ``"auto"``.

    ``"auto"`` compiles on GPUs that torch's compiler writes for. On the CPU there was no gain
    (an EfficientNet U-Net, two cores), and it needs a C++ compiler.

    Raises:
        ValueError: another word.
    """
    if wanted not in ("auto", "on", "off"):
        raise ValueError(f"compile is {wanted!r}; choose from auto, on, off")
    return wanted == "on" or (wanted == "auto" and has_tensor_cores(device))


def is_compiled(network: torch.nn.Module) -> bool:
    """Whether ``network.compile()`` was called.

    No public name of torch says so, hence a private one is read; a test fails when it goes.
    """
    return getattr(network, "_compiled_call_impl", None) is not None


def memory_of(device: torch.device | str) -> int:
    """All the memory that ``device`` has, in bytes, whoever uses it."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    import psutil

    return psutil.virtual_memory().total


def fused_adam(device: torch.device | str) -> bool:
    """Whether torch has Adam as one kernel for ``device``: one pass over memory instead of ten.

    A step of 40 million parameters, two cores: 117 ms plain, 19 ms fused.
    """
    return torch.device(device).type in ("cpu", "cuda")


@contextmanager
def quick_float32(device: torch.device | str) -> Iterator[None]:
    """Inside, float32 products may run as TF32 on GPUs that have it (Ampere and later).

    That is 10 bits of mantissa instead of 23, at several times the speed. Convolutions on CUDA do
    so anyway.
    """
    before = torch.get_float32_matmul_precision()
    if torch.device(device).type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def check_deterministic(device: torch.device | str, compile: str = "auto") -> None:  # noqa: A002
    """Refuse what ``deterministic_algorithms`` can't hold its promise for.

    Raises:
        ValueError: compiled networks are wanted; the device is neither a CPU nor an NVIDIA GPU; or
            cuBLAS has no fixed workspace. The message names the next step.
    """
    kind = torch.device(device).type
    if compile == "on":
        raise ValueError(
            "deterministic=True and compile='on' exclude each other: torch's compiler may choose "
            "its kernels by timing them. Leave one of the two out"
        )
    if kind not in ("cpu", "cuda"):
        raise ValueError(
            f"deterministic=True is for CPUs and NVIDIA GPUs, not {kind}: torch promises nothing "
            f"there. Leave it out, or take device='cpu'"
        )
    found = os.environ.get(CUBLAS_WORKSPACE)
    if kind == "cuda" and found not in (":4096:8", ":16:8"):
        raise ValueError(
            f"deterministic=True needs {CUBLAS_WORKSPACE}=:4096:8 in the environment before CUDA "
            f"starts; it is {found or 'not set'}. In a notebook, restart the kernel and begin "
            f'with: import os; os.environ["{CUBLAS_WORKSPACE}"] = ":4096:8". In a shell, write '
            f"{CUBLAS_WORKSPACE}=:4096:8 before the command"
        )


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Inside, torch gives the same bits for the same work, or refuses the work.

    Set: ``torch.use_deterministic_algorithms(True)``, under which an operation that has no such
    algorithm raises RuntimeError and names itself; and no ``cudnn.benchmark``, which chooses among
    convolutions by their time. TF32 stays as it is: it rounds more, and always alike. These are
    switches of the whole process, so other threads have them too for as long. Whoever leaves last
    puts them back.
    """
    _Switches.enter()
    try:
        yield
    finally:
        _Switches.leave()


class _Switches:
    """Two runs may be inside at once, each in a thread of its own."""

    lock = threading.Lock()
    inside = 0
    before: tuple[int, bool] = (0, False)

    @classmethod
    def enter(cls) -> None:
        with cls.lock:
            if cls.inside == 0:
                # The same switch by its other name, which brings no compiler along (2 seconds).
                cls.before = torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark
                torch.set_deterministic_debug_mode("error")
                torch.backends.cudnn.benchmark = False
            cls.inside += 1

    @classmethod
    def leave(cls) -> None:
        with cls.lock:
            cls.inside -= 1
            if cls.inside == 0:
                mode, torch.backends.cudnn.benchmark = cls.before
                torch.set_deterministic_debug_mode(mode)


def hardware_name(device: torch.device | str) -> str:
    """The hardware that figures of speed belong to.

    The GPU's name; or the processor's and how many of its threads torch uses.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    count = f"{threads} thread{'s' if threads != 1 else ''}"
    name = _processor() if device.type == "cpu" else f"{_processor()} ({device.type})"
    return f"{name}, {count}"


def _processor() -> str:
    """The processor's name, as the system reports it."""
    import platform
    from pathlib import Path

    info = Path("/proc/cpuinfo")  # Linux; elsewhere Python knows
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory, of a GPU or of the machine, did not suffice."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(s in str(error) for s in OUT_OF_MEMORY)
