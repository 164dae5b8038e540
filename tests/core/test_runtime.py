"""Threads: what is small runs in one, and a busy machine is named once."""

import logging
import os

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
