"""Threads: what is small runs in one, and a busy machine is named once."""

import logging
import os
import threading
import time

import pytest
import torch
from support.networks import make_tiny
from torch import nn

import spikeviz as sv
from spikeviz import runtime


class Counting(nn.Module):
    """Notes how many threads torch has while a network runs."""

    def __init__(self) -> None:
        super().__init__()
        self.model = make_tiny()
        self.threads: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.threads.append(torch.get_num_threads())
        if x.isnan().any():
            raise ValueError("no number")
        return self.model(x)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    runtime._say_busy.cache_clear()
    yield
    torch.set_num_threads(before)
    runtime._say_busy.cache_clear()


@pytest.fixture
def busy(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0 * (os.cpu_count() or 1),) * 3, raising=False)


def test_a_small_pass_runs_in_one_thread(two_threads, busy, caplog):
    model, x = Counting().eval(), torch.rand(1, 1, 16, 16)
    with caplog.at_level(logging.WARNING, "spikeviz"):
        sv.simulate(model, x, keep="")
    assert model.threads == [1] and torch.get_num_threads() == 2 and not caplog.messages
    with pytest.raises(ValueError, match="no number"):
        sv.simulate(model, x * torch.nan, keep="")
    assert torch.get_num_threads() == 2


def test_a_large_pass_keeps_its_threads_and_names_a_busy_machine_once(two_threads, busy, monkeypatch, caplog):
    monkeypatch.setattr(runtime, "SMALL", 0.0)
    model, x = Counting().eval(), torch.rand(1, 1, 16, 16)
    with caplog.at_level(logging.WARNING, "spikeviz"):
        for _ in range(2):
            sv.simulate(model, x, keep="")
    assert model.threads == [2, 2] and len(caplog.messages) == 1 and "set_num_threads(1)" in caplog.messages[0]


def test_a_quiet_machine_is_not_named(two_threads, monkeypatch, caplog):
    monkeypatch.setattr(runtime, "SMALL", 0.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1,) * 3, raising=False)
    with caplog.at_level(logging.WARNING, "spikeviz"):
        sv.simulate(Counting().eval(), torch.rand(1, 1, 16, 16), keep="")
    assert not caplog.messages


# ---- batches side by side


def test_batches_run_side_by_side_and_come_in_order():
    """The first waits for the second, which could not begin if one ran at a time."""
    begun = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert begun.wait(20)
        begun.set()
        return item * item

    assert list(runtime.in_turn(work, range(1, 2), 2)) == [1]
    begun.clear()
    assert list(runtime.in_turn(work, range(7), 2)) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize("together", [1, 3])
def test_who_stops_listening_ends_the_work(together):
    begun = []
    found = runtime.in_turn(lambda item: begun.append(item) or time.sleep(0.01), range(1000), together)
    next(found)
    found.close()
    assert len(begun) <= together + 1


def test_an_error_reaches_who_listens():
    found = runtime.in_turn(lambda item: 1 // item, [2, 1, 0, 3], 2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_as_many_batches_at_once_as_torch_leaves_cores_for(two_threads, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(6)}, raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1,) * 3, raising=False)
    model = make_tiny()
    assert runtime.at_once(model) == 3
    torch.set_num_threads(1)
    assert runtime.at_once(model) == runtime.MOST < 6
    torch.set_num_threads(12)
    assert runtime.at_once(model) == 1
    assert runtime.at_once(make_tiny().to("meta")) == 1  # another device
    torch.set_num_threads(1)
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0 * (os.cpu_count() or 1),) * 3, raising=False)
    assert runtime.at_once(model) == 1  # where other work takes the cores
