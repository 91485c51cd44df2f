"""Which device to compute on, and whether bfloat16 pays there: the machine is asked."""

from __future__ import annotations

import torch


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
    MPS, and on processors other than x86, the answer is False: nobody has measured a gain there.

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
    # Older versions of torch (Colab's among them) answer this under private names, or not at all.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in questions)
