"""The cache: bounded by bytes, the least recently used goes first, and nothing is computed twice at a time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from spikeviz import cache as cache_module
from spikeviz.cache import ByteCache, nbytes


def block(size: int) -> np.ndarray:
    """An array of so many bytes."""
    return np.zeros(size, np.uint8)


def missing() -> None:
    raise AssertionError("it was there")


class Plain:
    """Keeps what it is given."""

    def __init__(self, *kept: object):
        self.kept = kept


@dataclass(frozen=True)
class Derives:
    """Derives something from its field, once."""

    values: np.ndarray

    @cached_property
    def twice(self) -> np.ndarray:
        return np.concatenate([self.values, self.values])


@dataclass
class Growing:
    parts: list[np.ndarray] = field(default_factory=list)


# ---- bytes


def test_bytes_of_everything_that_holds_some():
    table = pd.DataFrame({"a": np.zeros(10), "b": ["x" * 100] * 10})
    linear = nn.Linear(4, 3)  # 12 weights and 3 biases of 4 bytes
    linear.register_buffer("seen", torch.zeros(5, dtype=torch.float64))
    assert nbytes(block(7)) == 7 and nbytes(torch.zeros(3, 4)) == 48 and nbytes(linear) == 60 + 40
    assert nbytes(b"12345") == nbytes("12345") == 5
    assert nbytes(table) == table.memory_usage(deep=True).sum() > 1_000
    assert nbytes(table["a"]) == table["a"].memory_usage(deep=True) >= 80
    assert nbytes({"a": block(3), "b": [block(4), (block(5),)]}) == 12
    assert nbytes(Plain(block(3), Plain(block(4)))) == 7
    assert nbytes(None) == nbytes(3) == nbytes(2.5) == nbytes(True) == nbytes(Plain) == nbytes(missing) == 0


def test_what_was_derived_counts_as_well():
    made = Derives(block(10))
    assert nbytes(made) == 10
    _ = made.twice
    assert nbytes(made) == 30


@pytest.mark.parametrize("make", [Plain, Derives, lambda values: {"values": values}, lambda values: [values]])
def test_each_of_many_counts(make):
    """What is looked at for a moment leaves its place in memory to the next."""
    many = [make(block(10)) for _ in range(50)]
    assert nbytes(many) == nbytes(tuple(many)) == nbytes(dict(enumerate(many))) == nbytes(Plain(*many)) == 500


def test_shared_memory_counts_once():
    whole = torch.zeros(100)
    assert nbytes([whole, whole[10:20], whole.view(10, 10)]) == 400
    assert nbytes({"one": whole, "other": whole.numpy()}) == 400
    assert nbytes([whole[:1]]) == 400  # a part keeps all of it
    one = Plain(block(8))
    assert nbytes([one, one]) == 8
    one.kept += (one,)  # it holds itself
    assert nbytes(one) == 8


def test_what_lies_in_a_file_counts_nothing(tmp_path):
    np.save(tmp_path / "many.npy", block(1_000))
    mapped = np.load(tmp_path / "many.npy", mmap_mode="r")
    assert nbytes(mapped) == nbytes(mapped[10:]) == nbytes(np.asarray(mapped)) == 0
    assert nbytes(np.array(mapped)) == 1_000


# ---- the bound


def test_a_value_is_made_once():
    cache, made = ByteCache(100), []
    for _ in range(3):
        assert cache.get("a", lambda: made.append(1) or "value") == "value"
    assert made == [1] and "a" in cache and "b" not in cache and cache.bytes == 5
    assert cache.get("none", lambda: None) is None is cache.get("none", missing)  # None is a value
    cache.clear()
    assert "a" not in cache and cache.bytes == 0


def test_the_least_recently_used_goes_first():
    cache = ByteCache(30)
    for key in "abc":
        cache.get(key, lambda: block(10))
    cache.get("a", missing)
    cache.get("d", lambda: block(10))
    assert [key in cache for key in "abcd"] == [True, False, True, True] and cache.bytes == 30
    cache.get("e", lambda: block(20))
    assert [key in cache for key in "acde"] == [False, False, True, True] and cache.bytes == 30


def test_the_bound_is_bytes_and_not_entries():
    cache = ByteCache(100)
    for key in range(1_000):
        cache.get(key, lambda: 1)
    assert all(key in cache for key in range(1_000)) and cache.bytes == 0
    cache.get("full", lambda: block(100))
    assert "full" in cache and cache.bytes == 100


def test_what_is_larger_than_the_limit_is_answered_and_not_stored():
    cache = ByteCache(30)
    kept = cache.get("kept", lambda: block(30))
    assert len(cache.get("large", lambda: block(31))) == 31
    assert "large" not in cache and cache.get("kept", missing) is kept
    made = []
    for _ in range(2):
        cache.get("large", lambda: made.append(1) or block(31))
    assert made == [1, 1]


@pytest.mark.parametrize("ask", [True, False])
def test_a_value_that_grew_is_weighed_again(ask):
    cache = ByteCache(30)
    cache.get("first", lambda: block(10))
    growing = cache.get("growing", Growing)
    growing.parts.append(block(25))
    if ask:
        assert cache.get("growing", missing) is growing
    else:
        cache.reweigh("growing")
    assert "first" not in cache and cache.bytes == 25
    growing.parts.append(block(25))
    cache.reweigh("growing")
    assert "growing" not in cache and cache.bytes == 0
    cache.reweigh("growing")  # one that is gone


def test_what_never_grows_is_weighed_once(monkeypatch):
    """A page asks for its network some forty times a move: to weigh it each time took longer than to run it."""
    weighed = []
    weigh = cache_module.nbytes
    monkeypatch.setattr(cache_module, "nbytes", lambda value: weighed.append(value) or weigh(value))
    cache = ByteCache(30, grows=False)
    first = cache.get("first", lambda: block(10))
    cache.get("second", lambda: block(15))
    for _ in range(3):
        assert cache.get("first", missing) is first
    assert len(weighed) == 2
    cache.get("third", lambda: block(15))  # and what was asked for last still stays longest
    assert "first" in cache and "second" not in cache


def test_what_fails_is_not_stored_and_made_again():
    cache = ByteCache(30)

    def fail() -> None:
        raise ValueError("not this time")

    for _ in range(2):
        with pytest.raises(ValueError, match="not this time"):
            cache.get("a", fail)
    assert "a" not in cache and cache.get("a", lambda: 7) == 7


# ---- threads


def together(*calls: object) -> list[object]:
    """What each of several calls answered, or raised; each has a thread of its own."""
    found: list[object] = [None] * len(calls)

    def run(number: int) -> None:
        try:
            found[number] = calls[number]()
        except ValueError as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return found


def until_waiting(cache: ByteCache, key: str, count: int) -> None:
    """Until so many threads want a value."""
    for _ in range(2_000):
        with cache._lock:
            if cache._making[key].waiting == count:
                return
        threading.Event().wait(0.005)
    raise AssertionError("nobody else came")


@pytest.mark.parametrize("size", [10, 1_000])
def test_nothing_is_computed_twice_at_a_time(size):
    """Who asks while it is made waits and gets the same, even if it is too large to be stored."""
    cache, made = ByteCache(100), []

    def make() -> np.ndarray:
        made.append(1)
        until_waiting(cache, "a", 5)
        return block(size)

    found = together(*[lambda: cache.get("a", make)] * 5)
    assert made == [1] and len(found[0]) == size and all(one is found[0] for one in found)
    assert ("a" in cache) == (size <= 100) and not cache._making


def test_a_failure_is_of_one_alone():
    """The next of those who wait makes it; never two at a time."""
    cache, working, most, tries = ByteCache(100), [], [], []

    def make() -> str:
        working.append(1)
        most.append(len(working))
        tries.append(1)
        if len(tries) == 1:
            until_waiting(cache, "a", 4)
        working.pop()
        if len(tries) < 3:
            raise ValueError("again")
        return "made"

    found = together(*[lambda: cache.get("a", make)] * 4)
    assert sorted(map(str, found)) == ["again", "again", "made", "made"]
    assert max(most) == 1 and len(tries) == 3 and not cache._making


def test_two_values_are_made_at_a_time():
    """While one is made, others are made and answered."""
    cache, met = ByteCache(100), threading.Barrier(2, timeout=20)
    cache.get("there", lambda: "at once")

    def make() -> str:
        met.wait()
        return cache.get("there", missing)

    assert together(lambda: cache.get("a", make), lambda: cache.get("b", make)) == ["at once", "at once"]


def test_many_threads_stay_within_the_bound():
    cache, wrong = ByteCache(64), []

    def work(seed: int) -> None:
        for key in np.random.default_rng(seed).integers(0, 30, 300).tolist():
            found = cache.get(key, lambda key=key: np.full(8, key, np.uint8))
            if (found != key).any() or cache.bytes > 64:
                wrong.append(key)

    together(*[lambda seed=seed: work(seed) for seed in range(4)])
    assert not wrong and 0 < cache.bytes <= 64
