"""RP messages in SIP MESSAGEs in a capture file, and what tshark reads there."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

RAW_IP = 228
"""Link type of a capture of IPv4 packets without anything below (LINKTYPE_IPV4)."""


def sip_message(body: bytes, number: int) -> bytes:
    """A MESSAGE as TS 24.341 has it."""
    head = (
        "MESSAGE sip:smsc@ims.test SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKsms{number}\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:1001@ims.test>;tag=a{number}\r\n"
        "To: <sip:smsc@ims.test>\r\n"
        f"Call-ID: sms{number}@ims.test\r\n"
        "CSeq: 1 MESSAGE\r\n"
        "Content-Type: application/vnd.3gpp.sms\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def write_capture(file: Path, bodies: Iterable[bytes]) -> None:
    """A capture of one MESSAGE for each body."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    for number, body in enumerate(bodies):
        payload = sip_message(body, number)
        udp = struct.pack("!HHHH", 5060, 5060, 8 + len(payload), 0) + payload
        addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0) + addresses + udp
        parts.append(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)
    file.write_bytes(b"".join(parts))


class Dissected:
    """What tshark says of one packet: the values of each field, in their order."""

    def __init__(self, layers: dict[str, list[str]]) -> None:
        self._layers = layers

    def all(self, field: str) -> list[str]:
        """Every value of a field."""
        return self._layers.get(field, [])

    def text(self, field: str) -> str:
        """The only value of a field."""
        (value,) = self.all(field)
        return value

    def numbers(self, field: str) -> list[int]:
        """Every value of a field, as a number; of a flag 0 or 1."""
        flags = {"True": 1, "False": 0}
        return [flags[value] if value in flags else int(value, 0) for value in self.all(field)]

    def number(self, field: str) -> int:
        """The only value of a field, as a number."""
        (value,) = self.numbers(field)
        return value


def dissect(file: Path, fields: Iterable[str], together: bool = False) -> list[Dissected]:
    """These fields of each packet of a capture, with the parts of long texts put together or each alone."""
    command = [
        "tshark",
        "-n",
        "-r",
        str(file),
        "-T",
        "json",
        "-o",
        f"gsm_sms.reassemble:{str(together).upper()}",
    ]
    for field in fields:
        command += ["-e", field]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [Dissected(packet["_source"].get("layers", {})) for packet in found]
