"""The process and the device a network runs on."""

from __future__ import annotations

import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, lru_cache
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from spikeviz.display import plural

A = TypeVar("A")
R = TypeVar("R")
M = TypeVar("M", bound=nn.Module)
SMALL = 1e10  # numbers of an input times weights of a network: up to here a pass runs in one thread
MOST = 4  # batches at a time: each holds all feature maps of a network
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


def sent(x: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """`x` on a device, as `x.to`; from the CPU to a GPU nobody waits for it: it goes from pinned memory, in turn."""
    if device.type == "cuda" and x.device.type == "cpu":
        return x.to(dtype=dtype or x.dtype).pin_memory().to(device, non_blocking=True)
    return x.to(device, dtype or x.dtype)


def moved(model: M, device: torch.device, dtype: torch.dtype | None = None) -> M:
    """`model.to(device)`, in place; to CUDA in turn (`sent`), with the weights of convolutions channels last, as its
    kernels like them best."""
    if device.type != "cuda":
        return model.to(device, dtype)
    for x in (*model.parameters(), *model.buffers()):
        if x.device.type == "cpu":
            x.data = x.data.pin_memory()
    return model.to(device, dtype, non_blocking=True).to(memory_format=torch.channels_last)


def coming(x: Tensor) -> Tensor:
    """`x` on its way to the CPU: from CUDA its numbers are there once somebody has waited for the device."""
    return x.to("cpu", non_blocking=x.is_cuda)


def fetched(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of one device on the CPU, after one wait for all of them."""
    found = {name: coming(x) for name, x in tensors.items()}
    if any(x.is_cuda for x in tensors.values()):
        torch.cuda.synchronize()
    return found


def autocast(device: torch.device) -> Any:
    """bfloat16 where the hardware multiplies it; on a CPU without it a convolution takes many times longer."""
    fast = {"cuda": torch.cuda.is_available() and torch.cuda.is_bf16_supported(), "cpu": _cpu_has_bf16()}
    return torch.autocast(device.type, torch.bfloat16) if fast.get(device.type, False) else nullcontext()


def _cpu_has_bf16() -> bool:
    capabilities = torch.backends.cpu.get_cpu_capability()
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return capabilities.startswith("AVX512") and (probe() or amx())


@contextmanager
def threads_for(work: float) -> Iterator[None]:
    """Run what is small in one thread of the CPU, and say so once where more threads have to wait for their turn.

    OpenMP's threads wait for each other by spinning. Where other work takes their cores, each of the many small steps
    of a pass waits for a time slice, and two threads take ten or a hundred times as long as one.

    Args:
        work: numbers of the input times weights of the network.
    """
    threads = torch.get_num_threads()
    if threads == 1 or work > SMALL:
        if threads > 1 and _is_busy():
            _say_busy()
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _is_busy() -> bool:
    """Whether more wants to run on this machine than it has cores; where that is not known (Windows), no."""
    with suppress(AttributeError, OSError):
        return os.getloadavg()[0] > (os.cpu_count() or 1)
    return False


@cache  # once in a process
def _say_busy() -> None:
    logging.getLogger("spikeviz").warning(
        "Other work keeps the cores of this machine busy, and torch's threads wait for each other: "
        "torch.set_num_threads(1) may make this many times faster."
    )


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


def at_once(model: nn.Module) -> int:
    """How many batches of a model run at a time: as many as there are cores for, where torch leaves them free.

    In the app torch has one thread, since one sample is too little work for two; a batch is not, but two batches side
    by side wait for each other less than two threads do at every layer. Elsewhere torch takes all cores by itself. Two
    batches take up to a third more processor time than one after the other, so on a busy machine it is one.
    """
    if next(model.parameters()).device.type != "cpu" or _is_busy():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores // torch.get_num_threads()))


def in_turn(work: Callable[[A], R], items: Iterable[A], together: int) -> Iterator[R]:
    """`work` of each item, in their order, up to `together` of them at a time.

    Who stops listening, or an error, ends it: what has not begun is left undone, and what has is waited for.
    """
    if together < 2:
        yield from map(work, items)
        return
    rest, waiting = iter(items), deque[Future[R]]()
    with ThreadPoolExecutor(together, "spikeviz batch") as pool:
        try:
            waiting.extend(pool.submit(work, item) for item in islice(rest, together))
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()


def stream(seed: int, name: str, position: int) -> torch.Generator:
    """A generator that is a function of its arguments alone; on the CPU, so that every device draws the same."""
    return torch.Generator().manual_seed(_mixed(seed, f"{name}#{position}"))


@lru_cache(maxsize=4096)
def _mixed(seed: int, place: str) -> int:
    mixed = seed & 0xFFFFFFFF
    for byte in place.encode():  # FNV-1a: Python's own hash differs between processes
        mixed = ((mixed ^ byte) * 0x100000001B3) & 0x7FFFFFFFFFFFFFFF
    return mixed
