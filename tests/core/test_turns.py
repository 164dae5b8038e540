"""Turns at a device: one at a time, first come first served, and everybody hears how many are before him."""

import threading
from contextlib import suppress

from support.gates import until

from spikeviz.turns import telling, turn
from spikeviz.ui.server.turns import words


def waiter(name: str, order: list[str], heard: dict[str, list[int]], leave: threading.Event) -> threading.Thread:
    heard[name] = []

    def work() -> None:
        with telling(heard[name].append), turn("cuda:9"):
            order.append(name)
            leave.wait(20)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_one_at_a_time_in_the_order_in_which_they_came():
    order, heard = [], {}
    leave = {name: threading.Event() for name in "abc"}
    threads = []
    for number, name in enumerate("abc"):
        threads.append(waiter(name, order, heard, leave[name]))
        until(lambda: order == ["a"] and all(heard[n] for n in "bc"[:number]))  # noqa: B023
    assert heard == {"a": [], "b": [1], "c": [2]}
    leave["a"].set()
    until(lambda: order == ["a", "b"] and heard["c"] == [2, 1])
    assert heard["b"] == [1, 0]
    leave["b"].set()
    until(lambda: order == ["a", "b", "c"])
    leave["c"].set()
    for thread in threads:
        thread.join(20)
    assert heard == {"a": [], "b": [1, 0], "c": [2, 1, 0]}


def test_who_leaves_the_queue_is_in_nobodys_way():
    """A page that runs again stops where it says that it waits."""

    class Stopped(Exception):
        pass

    def stop(before: int) -> None:
        raise Stopped

    order, heard, leave = [], {}, threading.Event()
    first = waiter("a", order, heard, leave)
    until(lambda: order == ["a"])
    with suppress(Stopped), telling(stop), turn("cuda:9"):
        order.append("stopped")
    leave.set()
    first.join(20)
    with turn("cuda:9"):
        order.append("b")
    assert order == ["a", "b"]


def test_a_cpu_is_shared():
    with turn("cpu"), telling(lambda before: order.append(before)):
        order: list[int] = []
        other = threading.Thread(target=lambda: turn("cpu").__enter__())
        other.start()
        other.join(20)
        assert not other.is_alive() and not order


def test_it_is_said_in_words():
    assert words(1) == "Queued for the GPU: next." and words(3) == "Queued for the GPU: 3 runs are before this one."
