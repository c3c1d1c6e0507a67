"""`api.doorkeeper`: what a stranger may send, and who is none."""

from __future__ import annotations

import asyncio

from libreims.api.doorkeeper import STRANGER_OCTETS, Doorkeeper, let_in


class Inner(asyncio.Protocol):
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.octets = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.octets += len(data)

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return True

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append(f"lost {exc}")


class Transport(asyncio.Transport):
    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


def test_everything_is_passed_on() -> None:
    inner = Inner()
    keeper = Doorkeeper(inner, lambda: None)
    keeper.connection_made(Transport(keeper))
    keeper.data_received(b"12345")
    keeper.pause_writing()
    keeper.resume_writing()
    assert keeper.eof_received() is True
    keeper.connection_lost(ValueError("x"))
    assert inner.calls == ["made", "pause", "resume", "eof", "lost x"] and inner.octets == 5


def test_too_much_is_told_once_and_not_passed_on() -> None:
    inner, told = Inner(), list[str]()
    keeper = Doorkeeper(inner, lambda: told.append("full"))
    keeper.data_received(b"x" * (STRANGER_OCTETS - 10))
    keeper.data_received(b"x" * 10)
    assert inner.octets == STRANGER_OCTETS and not told
    keeper.data_received(b"x")
    keeper.data_received(b"x" * 100_000)
    assert inner.octets == STRANGER_OCTETS and told == ["full"]


def test_who_is_let_in_is_not_counted_any_more() -> None:
    inner = Inner()
    transport = Transport(Doorkeeper(inner, lambda: None))
    let_in(transport)
    assert transport.get_protocol() is inner
    let_in(transport)
    assert transport.get_protocol() is inner, "there is nobody at the door any more"
