from __future__ import annotations

from libreims.proto.sip.linger import LingerQueue
from support.virtual import VirtualLoop


def test_each_entry_has_its_time_with_one_timer(virtual_loop: VirtualLoop) -> None:
    gone: list[tuple[str, float]] = []
    queue = LingerQueue[str](virtual_loop, lambda entry: gone.append((entry, round(virtual_loop.time(), 3))))
    queue.add(10, "a")
    virtual_loop.advance(3)
    queue.add(10, "b")
    queue.add(10, "c")
    assert virtual_loop.pending_timers() == 1
    virtual_loop.advance(20)
    assert gone == [("a", 10), ("b", 13), ("c", 13)]
    assert virtual_loop.pending_timers() == 0
    queue.add(1, "d")
    virtual_loop.advance(1)
    assert gone[-1] == ("d", 24)


def test_shorter_time_behind_a_longer_one_waits(virtual_loop: VirtualLoop) -> None:
    gone: list[str] = []
    queue = LingerQueue[str](virtual_loop, gone.append)
    queue.add(10, "long")
    queue.add(1, "short")
    virtual_loop.advance(9)
    assert gone == []
    virtual_loop.advance(1)
    assert gone == ["long", "short"]


def test_clear(virtual_loop: VirtualLoop) -> None:
    gone: list[str] = []
    queue = LingerQueue[str](virtual_loop, gone.append)
    queue.add(1, "a")
    queue.clear()
    virtual_loop.advance(5)
    queue.add(1, "b")
    virtual_loop.advance(5)
    assert gone == ["b"]
