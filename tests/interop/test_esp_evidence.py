"""tshark reads both files of evidence: the packets in clear, and with the keys what was on the wire."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.net.port import TcpOptions
from libreims.proto.esp.keys import expand
from libreims.proto.pcapng.blocks import Direction, interface, packet, section
from support.hosts import ipsec_missing
from support.process import needs
from support.tunnel_rig import Collector, Rig, everything, tap

pytestmark = [
    needs("tshark"),
    pytest.mark.skipif(bool(ipsec_missing()), reason=f"no IPsec tunnel here: {ipsec_missing()}"),
]
ETHERNET = 1
READ = ["hmac-sha-1-96 aes-cbc", "hmac-md5-96 null", "aes-cmac-96 aes-ctr", "null aes-gcm"]
NOT_READ = "hmac-sha-1-160 aes-cbc"


def request(method: str, size: int = 0) -> bytes:
    """A request that tshark finds nothing wrong with."""
    lines = [
        f"{method} sip:bob@ims.test SIP/2.0",
        "Via: SIP/2.0/UDP 10.45.7.2:40002;branch=z9hG4bKx",
        "Max-Forwards: 70",
        "From: <sip:alice@ims.test>;tag=a",
        "To: <sip:bob@ims.test>",
        "Call-ID: 1",
        f"CSeq: 1 {method}",
        f"Content-Length: {size}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + b"x" * size


class Files:
    """What one talk through the tunnel left."""

    def __init__(self, folder: Path) -> None:
        self.clear = folder / "clear.pcapng"
        self.wire = folder / "wire.pcapng"
        self.keys = folder / "wireshark" / "esp_sa"
        self.keys.parent.mkdir()

    def tshark(self, file: Path, display_filter: str, *fields: str) -> Iterator[list[str]]:
        command = ["tshark", "-n", "-r", str(file), "-Y", display_filter, "-T", "fields"]
        for name in fields:
            command += ["-e", name]
        for preference in ("enable_encryption_decode", "enable_authentication_check"):
            command += ["-o", f"esp.{preference}:TRUE"]
        environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(self.keys.parent)}
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        for line in result.stdout.splitlines():
            yield line.split("\t")


async def talk(folder: Path, pair: str, family: str) -> Files:
    """A few requests each way, over UDP and TCP, one of them in fragments."""
    files = Files(folder)
    authentication, encryption = pair.split()
    keys = expand(authentication, encryption, b"integrity key 16", b"cipher key of 16")
    rig = Rig(
        (authentication, encryption, keys.authentication, keys.encryption),
        packets=str(files.clear),
        keys=str(files.keys),
    )
    here, there = rig.ends(family)
    wire = tap(rig.link.a)
    a = rig.server.tunnel.network.udp(here, rig.server.receive)
    b = rig.phone.tunnel.network.udp(there, rig.phone.receive)
    b.send(request("REGISTER"), here)
    await rig.server.next()
    a.send(request("NOTIFY"), there)
    await rig.phone.next()
    b.send(request("MESSAGE", 4000), here)
    await rig.server.next()
    server = Collector()
    listener = await rig.server.tunnel.network.tcp_listen(here, server.accept, TcpOptions)
    stream = rig.phone.tunnel.network.tcp_connect(None, here, Collector(), TcpOptions(), local_port=there[1])
    stream.send(request("OPTIONS"))
    await server.until(10)
    frames = everything(wire)
    stream.close()
    listener.close()
    rig.close()
    captured = section("test") + interface("veth1", "the wire", ETHERNET)
    captured += b"".join(packet(frame, 1.0, Direction.INBOUND) for frame in frames)
    files.wire.write_bytes(captured)
    return files


METHODS = ["REGISTER", "NOTIFY", "MESSAGE", "OPTIONS"]


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("pair", READ)
async def test_the_wire_is_decrypted_with_the_keys(tmp_path: Path, pair: str, family: str) -> None:
    files = await talk(tmp_path, pair, family)
    seen = list(files.tshark(files.wire, "sip", "sip.Method", "esp.spi", "esp.icv_bad", "_ws.malformed"))
    assert [line[0] for line in seen] == METHODS
    assert all(line[1] for line in seen)
    assert not any(field for line in seen for field in line[2:] if field not in ("", "0", "False"))
    files.keys.unlink()
    assert list(files.tshark(files.wire, "sip", "sip.Method")) == [] or "null" in pair.split()[1]


async def test_the_packets_in_clear(tmp_path: Path) -> None:
    files = await talk(tmp_path, NOT_READ, "v4")
    fields = ("sip.Method", "frame.interface_name", "frame.packet_flags_direction", "frame.comment")
    seen = list(files.tshark(files.clear, "sip", *fields))
    assert [line[0] for line in seen] == METHODS
    assert {line[1] for line in seen} == {"ipsec"}
    assert [int(line[2], 0) for line in seen] == [1, 2, 1, 1]
    comments = ["SPI 0x000003e8", "SPI 0x000007d0", "SPI 0x000003e8", "SPI 0x000003e8"]
    assert [line[3] for line in seen] == [
        f"{spi}, hmac-sha-1-160, aes-cbc, registration 0007" for spi in comments
    ]
    wrong = "_ws.malformed or ip.checksum.status == 0 or udp.checksum.status == 0 or tcp.checksum.status == 0"
    assert list(files.tshark(files.clear, wrong, "frame.number")) == []
    # What tshark cannot take apart is named in the file of keys, and does not disturb it.
    assert "Wireshark has nothing that reads packets with hmac-sha-1-160" in files.keys.read_text()
    assert list(files.tshark(files.wire, "sip", "sip.Method")) == []
    assert len(list(files.tshark(files.wire, "esp", "esp.spi"))) >= 4
