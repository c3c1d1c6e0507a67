"""tshark takes our ESP packets apart, with the lines that `esp_sa_line` writes for it."""

from __future__ import annotations

import ipaddress
import os
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from libreims.proto.esp.algorithms import pairs
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.keys import expand
from libreims.proto.esp.packet import OutboundSa
from libreims.proto.esp.primitives import missing
from libreims.proto.esp.wireshark import esp_sa_line
from support.process import needs

pytestmark = needs("tshark")
LINKTYPE_RAW = 101
LACKING = missing()
CHECKED = ("hmac-md5-96", "hmac-sha-1-96")
"""Authentication that tshark checks, apart from AES-GCM."""


def ip(source: str, destination: str, payload: bytes) -> bytes:
    """An IP packet with ESP in it."""
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if a.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 50, 0)
    else:
        head = struct.pack("!IHBB", 6 << 28, len(payload), 50, 64)
    return head + a.packed + b.packed + payload


def pcap(packets: list[bytes]) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_RAW)
    return head + b"".join(struct.pack("<IIII", 0, 0, len(p), len(p)) + p for p in packets)


class Seen(NamedTuple):
    """What tshark says of one packet."""

    source: str
    destination: str
    data: str
    good: str
    bad: str


def dissect(file: Path, lines: list[str]) -> list[Seen]:
    command = ["tshark", "-n", "-r", str(file), "-T", "fields"]
    for name in ("udp.srcport", "udp.dstport", "data.data", "esp.icv_good", "esp.icv_bad"):
        command += ["-e", name]
    for preference in ("enable_encryption_decode", "enable_authentication_check"):
        command += ["-o", f"esp.{preference}:TRUE"]
    for line in lines:
        command += ["-o", f"uat:esp_sa:{line}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [Seen(*line.split("\t")) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("source", "destination"),
    [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")],
    ids=["IPv4", "IPv6"],
)
def test_every_pair_that_it_has(source, destination, tmp_path):
    names, packets, lines = [], [], []
    for spi, pair in enumerate(pairs(), start=0x1000):
        if LACKING.keys() & set(pair):
            continue
        keys = expand(*pair, os.urandom(16), os.urandom(16))
        sa = OutboundSa(spi, *pair, keys.authentication, keys.encryption, os.urandom)
        try:
            lines.append(esp_sa_line(source, destination, spi, *pair, keys.authentication, keys.encryption))
        except EspSetupError:
            continue
        data = "+".join(pair).encode()
        udp = struct.pack("!HHHH", 5060, 5062, 8 + len(data), 0) + data
        good = sa.protect(udp, 17)
        packets += [
            ip(source, destination, good),
            ip(source, destination, good[:-1] + bytes((good[-1] ^ 1,))),
        ]
        names.append(pair)
    file = tmp_path / "esp.pcap"
    file.write_bytes(pcap(packets))
    seen = dissect(file, lines)
    assert len(names) > 15 and len(seen) == len(packets)
    for pair, good, altered in zip(names, seen[::2], seen[1::2], strict=True):
        assert (good.source, good.destination) == ("5060", "5062"), pair
        assert bytes.fromhex(good.data).decode() == "+".join(pair)
        if pair[0] in CHECKED or "gcm" in pair[1]:
            assert (good.good, good.bad) == ("1", "0"), pair
            assert (altered.good, altered.bad) == ("0", "1"), pair
