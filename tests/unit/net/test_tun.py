"""TUN interfaces in a network namespace of their own."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.net import tun
from libreims.net.rtnetlink import Rtnetlink
from support.hosts import Host, ipsec_missing

real = pytest.mark.skipif(bool(ipsec_missing()), reason=ipsec_missing())


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host(1)
    yield host
    host.namespace.close()


@real
def test_packets_go_both_ways(host: Host) -> None:
    with host.entered():
        device = tun.create("x0")
        with Rtnetlink() as links:
            links.up("x0")
            links.add_address("x0", "192.0.2.1")
            links.add_default_route("x0", socket.AF_INET)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(2)
    sock.bind(("192.0.2.1", 5060))
    sock.sendto(b"out", ("192.0.2.2", 5062))
    packet = b""
    while not packet.endswith(b"out"):  # the kernel may have had something to say before
        packet = os.read(device.fileno(), 2000)
    back = bytearray(packet)
    back[12:16], back[16:20] = back[16:20], back[12:16]
    back[20:22], back[22:24] = back[22:24], back[20:22]
    back[-3:] = b"out"
    os.write(device.fileno(), back)
    assert sock.recvfrom(100) == (b"out", ("192.0.2.2", 5062))
    with pytest.raises(BlockingIOError):
        while True:
            os.read(device.fileno(), 2000)
    sock.close()
    device.close()
    device.close()
    assert "x0" not in host.run("ip", "link")


@real
def test_a_prepared_interface_stays(host: Host) -> None:
    host.run("ip", "tuntap", "add", "mode", "tun", "name", "x1")
    with host.entered():
        device = tun.attach("x1")
        with pytest.raises(OSError):  # one program at a time
            tun.attach("x1")
    device.close()
    assert "x1" in host.run("ip", "link")


@real
def test_what_is_no_interface_to_take(host: Host) -> None:
    with host.entered():
        with pytest.raises(FileNotFoundError, match="there is no interface x2"):
            tun.attach("x2")
        with pytest.raises(OSError):
            tun.attach("lo")
        for name in ("", "sixteen-letters.", "ä" * 8):
            with pytest.raises(LibreImsError, match="no name of an interface"):
                tun.create(name)


def test_a_machine_without_tun(tmp_path: Path) -> None:
    with pytest.raises(LibreImsError, match=r"modprobe tun.*--device.*ipsec: false"):
        tun.create("x0", device=str(tmp_path / "tun"))


def test_a_device_that_is_for_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode is told from what a container forbids, which another remedy is for."""
    number = errno.EACCES

    def refuse(path: str, flags: int) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(tun.os, "open", refuse)
    with pytest.raises(LibreImsError, match=r"is closed to this user.*chmod a\+rw /dev/net/tun"):
        tun.create("x0")
    number = errno.EPERM
    with pytest.raises(PermissionError):
        tun.create("x0")


def test_no_descriptor_is_lost() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for name in ("x0", "much-too-long-for-an-interface"):
        with pytest.raises((OSError, LibreImsError)):
            tun.create(name, device=os.devnull)
    assert len(os.listdir("/proc/self/fd")) == before
