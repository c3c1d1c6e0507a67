"""rtnetlink in a network namespace of its own, judged by `ip`."""

import errno
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from libreims.net import tun
from libreims.net.rtnetlink import Rtnetlink
from support.hosts import Host, ipsec_missing

pytestmark = pytest.mark.skipif(bool(ipsec_missing()), reason=ipsec_missing())


class Rig:
    def __init__(self) -> None:
        self.host = Host(1)
        with self.host.entered():
            self.tun = tun.create("x0")
            self.links = Rtnetlink()

    def ip(self, *words: str) -> Any:
        return json.loads(self.host.run("ip", "-j", "-d", *words))

    def close(self) -> None:
        self.tun.close()
        self.links.__exit__()
        self.host.namespace.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


def test_an_interface_with_addresses_and_routes(rig: Rig) -> None:
    with rig.host.entered():
        rig.links.no_link_local("x0")
        assert not rig.links.is_up("x0")
        rig.links.up("x0", mtu=1281, queue=77)
        assert rig.links.is_up("x0")
        for _ in range(2):  # what is there already does no harm
            rig.links.add_address("x0", "192.0.2.1")
            rig.links.add_address("x0", "2001:db8::1")
            rig.links.add_default_route("x0", socket.AF_INET)
            rig.links.add_default_route("x0", socket.AF_INET6)
    (shown,) = rig.ip("addr", "show", "x0")
    assert "UP" in shown["flags"]
    assert (shown["mtu"], shown["txqlen"]) == (1281, 77)
    assert {(each["local"], each["prefixlen"]) for each in shown["addr_info"]} == {
        ("192.0.2.1", 32),
        ("2001:db8::1", 128),  # ready at once, no link-local one beside it
    }
    assert all(not each.get("tentative") for each in shown["addr_info"])
    for family in ("-4", "-6"):
        routes = [route for route in rig.ip(family, "route") if route["dst"] == "default"]
        assert [route["dev"] for route in routes] == ["x0"]


def test_loopback_addresses(rig: Rig) -> None:
    with rig.host.entered():
        rig.links.let_loopback_addresses_out("x0")
    assert rig.host.run("cat", "/proc/sys/net/ipv4/conf/x0/route_localnet").strip() == "1"


def test_a_remark(rig: Rig) -> None:
    with rig.host.entered():
        assert rig.links.alias("x0") == ""
        rig.links.set_alias("x0", "made by us")
        assert rig.links.alias("x0") == "made by us"
    assert rig.ip("link", "show", "x0")[0]["ifalias"] == "made by us"


def test_what_the_kernel_refuses(rig: Rig) -> None:
    with rig.host.entered():
        with pytest.raises(OSError):
            rig.links.up("nowhere0")
        with pytest.raises(OSError):
            rig.links.up("x0", mtu=3)
        with pytest.raises(OSError) as down:
            rig.links.add_default_route("x0", socket.AF_INET)
        assert down.value.errno == errno.ENETDOWN
