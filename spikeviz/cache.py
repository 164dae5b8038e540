"""A cache bounded by bytes, which several threads share and in which nothing is computed twice at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

V = TypeVar("V")
MB = 2**20


class ByteCache:
    """Values by key, the least recently used of them dropped where they are larger than `limit` bytes together.

    A value may grow after it was stored (what is derived from it lazily): it is weighed again whenever it is asked for,
    and by `reweigh`. A value that is larger than the limit by itself is answered, to everybody who waits for it, and
    not stored.

    Args:
        limit: in bytes.
        grows: whether values do; of what never does, such as networks, only `reweigh` weighs again.
    """

    def __init__(self, limit: int, grows: bool = True):
        self.limit, self._grows = limit, grows
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not there; who asks while it is being made waits for it."""
        with self._lock:
            found = self._found(key, self._grows)
            if found is not None:
                return found[0]
            making = self._making.setdefault(key, _Making())
            making.waiting += 1
        try:
            with making.lock:
                if not making.made:
                    making.value = make()
                    making.made = True
                    with self._lock:
                        self._store(key, making.value)
                return making.value
        finally:
            with self._lock:
                making.waiting -= 1
                if not making.waiting:
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
            self._found(key, True)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def _found(self, key: Hashable, weigh: bool) -> tuple[Any, int] | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if weigh:
            self._store(key, entry[0])
        else:
            self._entries.move_to_end(key)
        return entry

    def _store(self, key: Hashable, value: Any) -> None:
        size = nbytes(value)
        if size > self.limit:  # it would push out all others, and then itself
            self._entries.pop(key, None)
            return
        self._entries[key] = value, size
        self._entries.move_to_end(key)
        while self.bytes > self.limit:
            self._entries.popitem(last=False)


class _Making:
    """A value while it is made, and how many threads want it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0
        self.made = False
        self.value: Any = None


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
        size = value.memory_usage(deep=True)  # of a column a number, of a table one for each
        return _once(place, int(size.sum() if hasattr(size, "sum") else size), seen)
    if place in seen:
        return 0
    seen.add(place)
    if hasattr(value, "state_dict"):  # a network
        return sum(_weigh(tensor, seen) for tensor in (*value.parameters(), *value.buffers()))
    if isinstance(value, Mapping):
        return _weigh_all(value.values(), seen)
    if isinstance(value, list | tuple | set | frozenset):
        return _weigh_all(value, seen)
    if is_dataclass(value):
        return _weigh_all((getattr(value, f.name) for f in fields(value)), seen) + _weigh_all(_extra(value), seen)
    return _weigh_all(vars(value).values(), seen) if hasattr(value, "__dict__") else 0


def _weigh_all(values: Iterable[Any], seen: set[int]) -> int:
    """Of several values that somebody else holds: one that is gone could leave its place to another."""
    return sum(_weigh(value, seen) for value in list(values))


def _extra(value: Any) -> list[Any]:
    """What a dataclass keeps beside its fields: what was derived from them."""
    named = {f.name for f in fields(value)}
    return [item for name, item in getattr(value, "__dict__", {}).items() if name not in named]


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
