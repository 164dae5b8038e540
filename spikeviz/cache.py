"""A cache bounded by bytes, which several threads share and in which nothing is computed twice at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

V = TypeVar("V")
MB = 2**20


class ByteCache:
    """Values by key, the least recently used of them dropped where they are larger than `limit` bytes together.

    A value may grow after it was stored (what is derived from it lazily): it is weighed again whenever it is asked for,
    and by `reweigh`. A value that is larger than the limit by itself is answered and not stored.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not there; who asks while it is being made waits for it."""
        with self._lock:
            found = self._found(key)
            if found is not None:
                return found[0]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                found = self._found(key)
                if found is not None:
                    return found[0]
            try:
                value = make()
                with self._lock:
                    self._store(key, value)
                return value
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._entries

    @property
    def bytes(self) -> int:
        """Of all values together."""
        with self._lock:
            return sum(size for _, size in self._entries.values())

    def reweigh(self, key: Hashable) -> None:
        """To be called when a value has grown."""
        with self._lock:
            self._found(key)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def _found(self, key: Hashable) -> tuple[Any, int] | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._store(key, entry[0])
        return entry

    def _store(self, key: Hashable, value: Any) -> None:
        self._entries[key] = value, nbytes(value)
        self._entries.move_to_end(key)
        while self._entries and self.bytes > self.limit:
            self._entries.popitem(last=False)


def nbytes(value: Any) -> int:
    """Bytes of the tensors, arrays, tables and bytes that a value holds; memory that two of them share counts once.

    What lies in a file (a memory map) counts nothing: the system takes it back by itself.
    """
    seen: set[int] = set()
    return _weigh(value, seen)


def _weigh(value: Any, seen: set[int]) -> int:
    if value is None or isinstance(value, bool | int | float | complex | type):
        return 0
    if isinstance(value, bytes | str):
        return len(value)
    place = id(value)
    if hasattr(value, "untyped_storage"):  # a tensor
        storage = value.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        return _once(place, size, seen)
    if hasattr(value, "__array_interface__"):
        return 0 if _mapped(value) else _once(value.__array_interface__["data"][0], value.nbytes, seen)
    if hasattr(value, "memory_usage"):  # a table
        return _once(place, int(value.memory_usage(deep=True).sum()), seen)
    if place in seen:
        return 0
    seen.add(place)
    if hasattr(value, "state_dict"):  # a network
        return sum(_weigh(tensor, seen) for tensor in (*value.parameters(), *value.buffers()))
    if isinstance(value, Mapping):
        return sum(_weigh(item, seen) for item in list(value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return sum(_weigh(item, seen) for item in value)
    if is_dataclass(value):
        return sum(_weigh(getattr(value, f.name), seen) for f in fields(value)) + _weigh(_extra(value), seen)
    return _weigh(dict(vars(value)), seen) if hasattr(value, "__dict__") else 0


def _extra(value: Any) -> dict[str, Any]:
    """What a dataclass keeps beside its fields: what was derived from them."""
    named = {f.name for f in fields(value)}
    return {name: item for name, item in getattr(value, "__dict__", {}).items() if name not in named}


def _once(place: int, size: int, seen: set[int]) -> int:
    if place in seen:
        return 0
    seen.add(place)
    return size


def _mapped(array: Any) -> bool:
    """Whether an array lies in a file, itself or what it is a view of."""
    import mmap

    base = array
    while base is not None:
        if isinstance(base, mmap.mmap):
            return True
        base = getattr(base, "base", None)
    return False
