"""The process and the device a network runs on."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch

from spikeviz.display import plural

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


def auto_device(device: str | torch.device = "auto") -> torch.device:
    """ "auto" is CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        ValueError: for a device this machine does not have.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise ValueError(f"this machine has no device {str(device)!r}; 'auto' takes the best it has.") from None
    return torch.device(device)


def describe(device: torch.device) -> str:
    """The device in words: "CPU, 2 threads" or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type.upper()}, {plural(torch.get_num_threads(), 'thread')}"


def reuse_memory() -> None:
    """Let this process keep the memory that a run frees for the next one (glibc; elsewhere nothing happens).

    By default large blocks go back to the system, which hands them out again page by page: with the large
    arrays of a converted network that can take longer than the arithmetic. Called where a page's network
    is opened (the app, `sv.view`, `spikeviz figures` and `report`) and by `train` and `publish`, never by importing the
    library.
    """
    with suppress(OSError, AttributeError, TypeError):  # no mallopt, or (Windows) no library of the process
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
