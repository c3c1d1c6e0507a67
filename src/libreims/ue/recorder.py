"""Everything that a phone sent and received, and what it made of it, with times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from libreims.base.clock import Clock
from libreims.net.port import Flow
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse

KEPT = 20_000
"""Entries that are kept; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class SipRecord:
    """One message as it was on the wire, retransmissions included."""

    time: float
    sent: bool
    flow: Flow
    data: bytes
    protection: str = ""
    """The algorithms of IPsec that it went through; empty for none."""

    def message(self) -> Request | Response | None:
        """The message read; None when it is not SIP."""
        try:
            return parse(self.data)
        except SipParseError:
            return None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened, in a plain sentence."""

    time: float
    text: str


Entry = SipRecord | Note


class Recorder:
    """The entries of one phone; `listener` hears each as it is made."""

    def __init__(self, clock: Clock, *, keep: bool = True) -> None:
        self._clock = clock
        self._keep = keep
        self.protected = 0
        """Messages inside IPsec, both ways."""
        self.clear = 0
        """Messages outside of it."""
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.listener: Callable[[Entry], None] | None = None

    def sip(self, data: bytes, flow: Flow, *, sent: bool, protection: str = "") -> None:
        """Record a message; `protection` names the algorithms of IPsec that it goes through."""
        if protection:
            self.protected += 1
        else:
            self.clear += 1
        if self._keep or self.listener is not None:
            self._record(SipRecord(self._clock.time(), sent, flow, data, protection))

    def note(self, text: str) -> None:
        """Record a sentence."""
        if self._keep or self.listener is not None:
            self._record(Note(self._clock.time(), text))

    def _record(self, entry: Entry) -> None:
        if self._keep:
            self.entries.append(entry)
        if self.listener is not None:
            self.listener(entry)

    @property
    def notes(self) -> list[str]:
        """The sentences so far."""
        return [entry.text for entry in self.entries if isinstance(entry, Note)]

    def messages(self, *, sent: bool | None = None) -> list[Request | Response]:
        """The messages so far, read; of both directions or of one."""
        records = [entry for entry in self.entries if isinstance(entry, SipRecord)]
        wanted = [record.message() for record in records if sent is None or record.sent is sent]
        return [message for message in wanted if message is not None]
