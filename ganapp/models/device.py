"""Where networks compute: the device, its precision, the threads of the CPU, and how batches get there."""

import ctypes

import torch
from torch import Tensor

from ganapp.cpus import threads

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_KEPT = 32 << 20  # bytes of a tensor, the most that glibc takes


def find_device(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA where there is any. Raises ValueError when it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch raises either, by the kind of device
        raise ValueError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from None


def use_threads(wanted: int | None) -> None:
    """Compute with so many CPU threads; by default as many as help, and never more than OMP_NUM_THREADS says.

    Raises ValueError for fewer than one.
    """
    if wanted is not None and wanted < 1:
        raise ValueError(f"--threads must be at least 1, not {wanted}")
    torch.set_num_threads(wanted or min(threads(), torch.get_num_threads()))


def keep_freed_memory() -> None:
    """Let freed memory wait for the next tensor, where the C library is glibc.

    It would go back to the system, which clears every page before it lends it again: an eighth of a training step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def resolve_precision(wanted: str, device: torch.device) -> str:
    """`auto` as bf16 where the device multiplies bf16 natively, else fp32 (emulated bf16 is slower than fp32)."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device. A copy to a GPU is not waited for; what is computed there comes after it."""
    if device.type != "cuda" or tensor.device.type == "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
