"""An HSS that is just enough for the Kamailio chain: Cx over TCP (TS 29.229), every user known, no state.

    python hss.py PORT DOMAIN PASSWORD

Answers CER, DWR, DPR (RFC 6733) and UAR, MAR with MD5 digest, SAR, LIR. It does the least that one can do,
so as not to make the chain look slower than it is.
"""

from __future__ import annotations

import asyncio
import gc
import os
import struct
import sys

VENDOR_3GPP = 10415
CX = 16777216
SUCCESS = 2001
FIRST_REGISTRATION = 2001
COMMAND_UNSUPPORTED = 3001
CAPABILITIES, WATCHDOG, DISCONNECT = 257, 280, 282
UAR, SAR, LIR, MAR = 300, 301, 302, 303
S_CSCF = b"sip:127.0.0.1:6060"
PROFILE = (
    '<?xml version="1.0" encoding="UTF-8"?><IMSSubscription><PrivateID>{}</PrivateID><ServiceProfile>'
    "<PublicIdentity><BarringIndication>0</BarringIndication><Identity>{}</Identity></PublicIdentity>"
    "</ServiceProfile></IMSSubscription>"
)


def avp(code: int, value: bytes | int, vendor: int = 0) -> bytes:
    data = value.to_bytes(4, "big") if isinstance(value, int) else value
    head = struct.pack(">II", code, (0xC0 if vendor else 0x40) << 24 | len(data) + (12 if vendor else 8))
    return head + (vendor.to_bytes(4, "big") if vendor else b"") + data + bytes(-len(data) % 4)


def cx(code: int, value: bytes | int) -> bytes:
    return avp(code, value, VENDOR_3GPP)


def avps(message: bytes) -> dict[int, bytes]:
    """The AVPs at the outermost level, the last one of each code."""
    found, at = {}, 20
    while at + 8 <= len(message):
        code, flags = struct.unpack_from(">II", message, at)
        length = flags & 0xFFFFFF
        found[code] = message[at + (12 if flags >> 31 else 8) : at + length]
        at += length + -length % 4
    return found


class Hss:
    """What to answer."""

    def __init__(self, domain: bytes, password: bytes) -> None:
        self.origin = avp(264, b"127.0.0.1") + avp(296, domain)
        self.application = avp(260, avp(266, VENDOR_3GPP) + avp(258, CX))
        self.password = password

    def answer(self, request: bytes) -> bytes:
        command = int.from_bytes(request[5:8], "big")
        body = self.body(command, avps(request))
        length_flags = struct.pack(">II", 1 << 24 | 20 + len(body), (request[4] & 0x40) << 24 | command)
        return length_flags + request[8:20] + body

    def body(self, command: int, asked: dict[int, bytes]) -> bytes:
        done = avp(268, SUCCESS)
        if command == CAPABILITIES:
            host = avp(257, b"\0\1\x7f\0\0\1") + avp(266, VENDOR_3GPP) + avp(269, b"hss")
            return done + self.origin + host + avp(265, VENDOR_3GPP) + avp(258, CX) + self.application
        if command in (WATCHDOG, DISCONNECT):
            return done + self.origin
        start = avp(263, asked[263]) + self.application + avp(277, 1) + self.origin
        user, public = asked.get(1, b""), asked.get(601, b"")
        if command == UAR:
            result = avp(297, avp(266, VENDOR_3GPP) + avp(298, FIRST_REGISTRATION))
            return start + result + cx(602, S_CSCF)
        if command == MAR:
            scheme, nonce = cx(608, b"Digest-MD5"), cx(609, os.urandom(16))
            item = cx(612, cx(613, 1) + scheme + nonce + cx(610, self.password))
            return start + done + avp(1, user) + cx(601, public) + cx(607, 1) + item
        if command == SAR:
            profile = PROFILE.format(user.decode(), public.decode()).encode()
            charging = cx(618, cx(621, b"aaa://ccf.invalid"))
            return start + done + avp(1, user) + cx(606, profile) + charging
        if command == LIR:
            return start + done + cx(602, S_CSCF)
        return start + avp(268, COMMAND_UNSUPPORTED)


class Peer(asyncio.Protocol):
    """One connection: cuts the stream into messages."""

    def __init__(self, hss: Hss) -> None:
        self.hss = hss
        self.rest = b""
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        at, answers = 0, []
        while len(data) - at >= 20:
            length = int.from_bytes(data[at + 1 : at + 4], "big")
            if len(data) - at < length:
                break
            if data[at + 4] & 0x80:
                answers.append(self.hss.answer(data[at : at + length]))
            at += length
        self.rest = data[at:]
        if answers and self.transport is not None:
            self.transport.write(b"".join(answers))


async def main() -> None:
    port, domain, password = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
    hss = Hss(domain, password)
    server = await asyncio.get_running_loop().create_server(lambda: Peer(hss), "127.0.0.1", port)
    gc.freeze()
    gc.disable()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
