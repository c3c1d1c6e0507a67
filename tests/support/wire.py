"""What went over the wire in a lab, and the laws that every trace has to obey.

A lab made with `trace=True` records each packet; `messages` reads the SIP out of them, `ladder` writes it as
the text that a test compares with, `violations` says which of the laws of RFC 3261 a server broke.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from libreims.proto.sdp.description import SdpError, SessionDescription
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.framing import StreamFramer
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.parser import parse
from support.lab import SERVER, SERVER6, Lab

SERVER_HOSTS = (SERVER, SERVER6)


class Wire(NamedTuple):
    """One SIP message on its way."""

    time: float
    source: str
    destination: str
    message: Message
    lost: bool

    @property
    def from_server(self) -> bool:
        return self.source in SERVER_HOSTS


def messages(lab: Lab) -> list[Wire]:
    """Every SIP message of the trace, retransmissions included."""
    assert lab.network.trace is not None, "the lab has to be made with trace=True"
    found = []
    framers: dict[tuple[object, object], StreamFramer] = defaultdict(StreamFramer)
    for packet in lab.network.trace:
        if packet.transport == "TCP":
            pieces = framers[packet.source, packet.destination].feed(packet.data)
        else:
            pieces = [packet.data]
        for piece in pieces:
            try:
                message = parse(piece)
            except SipParseError:
                continue
            found.append(Wire(packet.time, packet.source[0], packet.destination[0], message, packet.lost))
    return found


def ladder(lab: Lab, *, since: float = 0.0, skip: tuple[str, ...] = ("REGISTER", "100")) -> str:
    """The call flow as text: `alice -> ims   INVITE audio sendrecv`, one line for each message.

    Retransmissions are left out, `100 Trying` and registrations too.
    """
    names = {peer.host: peer.name for peer in lab.peers}
    doubles = [name for name in names.values() if list(names.values()).count(name) > 1]
    for peer in lab.peers:
        if peer.name in doubles:
            names[peer.host] = peer.name + peer.host.rpartition(".")[2]
    width = max(map(len, names.values()))
    seen = set()
    lines = []
    for wire in messages(lab):
        message = wire.message
        what = message.method if isinstance(message, Request) else str(getattr(message, "status", ""))
        key = (wire.source, wire.destination, message.via.branch, message.cseq, what)
        if key in seen or wire.time < since or what in skip or message.cseq.method in skip:
            continue
        seen.add(key)
        if isinstance(message, Response):
            what += f" ({message.cseq.method})"
        body = _media(message)
        if wire.from_server:
            line = f"{names.get(wire.destination, '?'):{width}} <- ims  {what}"
        else:
            line = f"{names.get(wire.source, '?'):{width}} -> ims  {what}"
        lines.append(f"{line} {body}".rstrip())
    return "\n".join(lines)


def _media(message: Message) -> str:
    if not message.body:
        return ""
    try:
        description = SessionDescription.parse(message.body)
    except SdpError:
        return f"[{message.content_type}]"
    media = [
        f"{each.kind} {description.direction(index) if each.port else 'off'}"
        for index, each in enumerate(description.media)
    ]
    return "[" + ", ".join(media) + "]"


def violations(lab: Lab) -> list[str]:
    """What the server did that no server may; empty when all is well."""
    wires = messages(lab)
    return [
        *_two_finals(wires),
        *_answers_without_offer(wires),
        *_unacknowledged(wires),
        *_unended(wires),
        *_cseq_order(wires),
    ]


def _two_finals(wires: list[Wire]) -> list[str]:
    """RFC 3261 §17.2: one final response to a request."""
    finals: dict[tuple[object, ...], set[int]] = defaultdict(set)
    provisional_late = []
    for wire in wires:
        message = wire.message
        if not wire.from_server or not isinstance(message, Response):
            continue
        key = (message.call_id, message.cseq, message.via.branch, wire.destination)
        if message.status >= 200:
            finals[key].add(message.status)
        elif finals.get(key):
            provisional_late.append(f"{message.status} after {finals[key]} of {key}")
    return [f"final responses {sorted(each)} to {key}" for key, each in finals.items() if len(each) > 1] + (
        provisional_late
    )


def _answers_without_offer(wires: list[Wire]) -> list[str]:
    """RFC 3261 §13.2.1: a 2xx to an INVITE without an offer makes one, to one with an offer answers it."""
    offers = {
        (wire.message.call_id, wire.message.cseq): wire.message
        for wire in reversed(wires)  # the first counts, some phones use a number again
        if not wire.from_server and isinstance(wire.message, Request) and wire.message.method == "INVITE"
    }
    found = []
    for wire in wires:
        message = wire.message
        if not wire.from_server or not isinstance(message, Response) or message.cseq.method != "INVITE":
            continue
        if not 200 <= message.status < 300:
            continue
        if not message.body:
            found.append(f"2xx without SDP for {message.call_id} {message.cseq}")
            continue
        invite = offers.get((message.call_id, message.cseq))
        if invite is not None and invite.body:
            try:
                count = len(SessionDescription.parse(invite.body).media)
            except SdpError:
                continue
            if len(SessionDescription.parse(message.body).media) != count:
                found.append(f"answer with another number of m-lines for {message.call_id}")
    return found


def _unacknowledged(wires: list[Wire]) -> list[str]:
    """RFC 3261 §13.2.2.4: every 2xx that the server gets for its INVITE is acknowledged."""
    acks = {
        (wire.message.call_id, wire.message.cseq.number, wire.message.to.tag)
        for wire in wires
        if wire.from_server and isinstance(wire.message, Request) and wire.message.method == "ACK"
    }
    found = []
    for wire in wires:
        message = wire.message
        if (
            wire.from_server
            or wire.lost
            or not isinstance(message, Response)
            or message.cseq.method != "INVITE"
        ):
            continue
        key = (message.call_id, message.cseq.number, message.to.tag)
        if 200 <= message.status < 300 and key not in acks:
            found.append(f"2xx without ACK: {key}")
    return found


def _unended(wires: list[Wire]) -> list[str]:
    """RFC 3261 §15: what a 2xx began ends with a BYE, from whichever side."""
    ended = {
        wire.message.call_id
        for wire in wires
        if isinstance(wire.message, Request) and wire.message.method == "BYE"
    }
    begun = {
        wire.message.call_id
        for wire in wires
        if isinstance(wire.message, Response)
        and 200 <= wire.message.status < 300
        and wire.message.cseq.method == "INVITE"
        and (wire.from_server or not wire.lost)
    }
    return [f"2xx without BYE: {each}" for each in sorted(begun - ended)]


def _cseq_order(wires: list[Wire]) -> list[str]:
    """RFC 3261 §12.2.1.1: the server's CSeq numbers rise in each dialog."""
    last: dict[tuple[str, str | None, str | None], int] = {}
    seen: set[str | None] = set()
    found = []
    for wire in wires:
        message = wire.message
        if not wire.from_server or not isinstance(message, Request) or message.method in ("ACK", "CANCEL"):
            continue
        if message.via.branch in seen:
            continue
        seen.add(message.via.branch)
        key = (message.call_id, message.from_.tag, message.to.tag)
        if message.cseq.number <= last.get(key, 0):
            found.append(f"CSeq {message.cseq.number} after {last[key]} in {key}")
        last[key] = message.cseq.number
    return found
