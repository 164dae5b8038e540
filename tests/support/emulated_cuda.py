"""A GPU for machines without one: tensors that claim to be on `cuda:0`, and keep their numbers on the CPU.

    with emulated_cuda() as gpu:
        recording = simulate(model.to("cuda"), x)
        gpu.waits  # where a GPU would have made the program wait, by file and line

Every line runs, with real numbers. What a GPU refuses is refused: tensors of two devices in one operation, numpy on a
tensor of the device. What a GPU makes the program wait for is counted: a number that is read, a shape that depends on
numbers (`nonzero`, an index of booleans), a copy between host and device that is not `non_blocking` or not from pinned
memory, and `synchronize`. And a copy to the host that nobody has waited for holds no numbers yet, but rubbish.

Threads that begin inside belong to it, so that a whole page of the app runs on it. It knows nothing of speed, of memory
or of how a GPU rounds, and has no gradients: the engine that makes them asks for the streams of a real one.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

from spikeviz.paths import app_root

GPU, HOST = torch.device("cuda:0"), torch.device("cpu")
aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
READS = {  # whose result depends on numbers that the host has to know
    aten._local_scalar_dense.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.repeat_interleave.Tensor,
}
_EMULATED: list[Emulation] = []  # at most one at a time


class OnGpu(Tensor):
    """A tensor of the device; `numbers` is the one of the host that holds them."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> OnGpu:
        options = {"dtype": numbers.dtype, "layout": numbers.layout, "device": GPU}
        found = torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, numbers.stride(), numbers.storage_offset(), **options
        )
        found.numbers = numbers
        return found

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _EMULATED[0].call(func, args, kwargs or {})

    def __repr__(self, **_: Any) -> str:
        return f"OnGpu({self.numbers})"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("numpy cannot look at a tensor of the GPU; take it to the CPU first.")

    numpy = __array__

    def untyped_storage(self) -> Any:
        return self.numbers.untyped_storage()

    def tolist(self) -> Any:
        _EMULATED[0].wait()
        return self.numbers.tolist()


class _EveryOperation(TorchDispatchMode):
    """Of a thread, also those whose tensors are all on the host."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _EMULATED[0].call(func, args, kwargs or {})


class Emulation:
    """Runs operations: those of the device on the numbers of its tensors.

    Attributes:
        waits: for the device, by file and line of spikeviz.
    """

    def __init__(self) -> None:
        self.waits: Counter[str] = Counter()
        self._travelling: list[tuple[Tensor, Tensor]] = []
        self._pinned: dict[int, StorageWeakRef] = {}

    def wait(self) -> None:
        """The host waits until the device has done everything."""
        self.waits[_line()] += 1
        self._arrive()

    def call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if func is aten.is_pinned.default:
            return self._is_pinned(args[0])
        if func is aten._pin_memory.default:
            copy = args[0].clone()
            self._pinned[copy.untyped_storage().data_ptr()] = StorageWeakRef(copy.untyped_storage())
            return copy
        flat, _ = tree_flatten((args, kwargs))
        given = [x for x in flat if isinstance(x, Tensor)]
        away = [x for x in given if isinstance(x, OnGpu)]
        named = kwargs.get("device")
        on_gpu = bool(away) if named is None else torch.device(named).type == "cuda"
        if func in COPIES:
            return self._copy(func, args, kwargs, on_gpu)
        if any(x.ndim and not isinstance(x, OnGpu) for x in given) and away:
            raise RuntimeError(f"{func}: tensors of two devices, cuda:0 and cpu")
        if away and (func in READS or (func is aten.index.Tensor and _by_booleans(args[1]))):
            self.wait()
        return self._on_numbers(func, args, kwargs, on_gpu)

    def _on_numbers(self, func: Any, args: Any, kwargs: Any, on_gpu: bool) -> Any:
        flat, form = tree_flatten((args, kwargs))
        owners = {id(x.numbers): x for x in flat if isinstance(x, OnGpu)}
        args, kwargs = tree_unflatten([x.numbers if isinstance(x, OnGpu) else x for x in flat], form)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": HOST}
        found = func(*args, **kwargs)
        if not on_gpu:
            return found
        # what works in place answers with what it was given
        return tree_map_only(Tensor, lambda x: owners[id(x)] if id(x) in owners else OnGpu(x), found)

    def _copy(self, func: Any, args: Any, kwargs: dict[str, Any], on_gpu: bool) -> Any:
        source, in_place = args[-1 if func is aten.copy_.default else 0], func is aten.copy_.default
        if in_place:
            source, on_gpu = args[1], isinstance(args[0], OnGpu)
            patient = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
        else:
            patient = not kwargs.get("non_blocking", False)
        comes_from_gpu = isinstance(source, OnGpu)
        found = self._on_numbers(func, args, kwargs, on_gpu)
        if on_gpu and not comes_from_gpu and source.ndim + source.numel() > 1:
            if patient or not self._is_pinned(source):
                self.wait()
        elif comes_from_gpu and not on_gpu:
            if patient:
                self.wait()
            else:
                self._travelling.append((found, found.clone()))
                found.view(-1).view(torch.uint8).fill_(0xA5) if found.is_contiguous() else found.fill_(7)
        return found

    def _is_pinned(self, x: Tensor) -> bool:
        known = None if isinstance(x, OnGpu) else self._pinned.get(x.untyped_storage().data_ptr())
        return known is not None and not known.expired()

    def _arrive(self) -> None:
        for target, numbers in self._travelling:
            target.copy_(numbers)
        self._travelling.clear()


def _by_booleans(places: Any) -> bool:
    return any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in places)


def _line() -> str:
    """Where spikeviz made the program wait."""
    package = str(app_root() / "spikeviz")
    for frame in reversed(traceback.extract_stack()):
        if frame.filename.startswith(package):
            return f"{Path(frame.filename).relative_to(package)}:{frame.lineno}"
    return "elsewhere"


@contextmanager
def emulated_cuda() -> Iterator[Emulation]:
    """Inside, this machine has a GPU."""
    gpu, begin = Emulation(), threading.Thread.run

    def run(thread: threading.Thread) -> None:
        """A mode belongs to a thread."""
        torch._C._set_only_lift_cpu_tensors(True)
        with _EveryOperation():
            begin(thread)

    lifts, overwrites = torch._C._only_lift_cpu_tensors(), torch.__future__.get_overwrite_module_params_on_conversion()
    with ExitStack() as stack:
        for where, name, stand_in in (
            (torch.cuda, "synchronize", lambda *_: gpu.wait()),
            (torch.cuda, "_lazy_init", lambda *_: None),
            (torch.cuda, "is_available", lambda: True),
            (torch.cuda, "is_bf16_supported", lambda *_: True),
            (torch.cuda, "get_device_name", lambda *_: "an emulated GPU"),
            (threading.Thread, "run", run),
        ):
            stack.enter_context(patch.object(where, name, stand_in))
        torch._C._ensureCUDADeviceGuardSet()
        torch._C._set_only_lift_cpu_tensors(True)  # numbers of a list become a tensor of the host, which is then sent
        stack.callback(torch._C._set_only_lift_cpu_tensors, lifts)
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # a module moves as one to another kind of GPU
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwrites)
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        _EMULATED.append(gpu)
        stack.callback(_EMULATED.clear)
        stack.enter_context(_EveryOperation())
        yield gpu
