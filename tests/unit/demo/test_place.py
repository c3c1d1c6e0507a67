"""Where the demo plays: a private network where there can be one, loopback where not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from libreims.demo.place import PRIVATE, Place, find, loopback


class Machine:
    """A machine that allows a private network, or not."""

    def __init__(self, *, network: bool = True, ipv6: bool = True) -> None:
        self.network = network
        self.ipv6 = ipv6
        self.entered: list[tuple[str, ...]] = []

    def why_not(self, addresses: Iterable[str]) -> str:
        if not self.network:
            return "only root may"
        return "" if self.ipv6 or all(":" not in host for host in addresses) else "no IPv6"

    def enter(self, addresses: Iterable[str]) -> None:
        self.entered.append(tuple(addresses))


def found(machine: Machine, *, ipv6: bool = True) -> Place:
    return find(ipv6, machine.why_not, machine.enter)


def test_a_private_network_with_an_address_for_each() -> None:
    machine = Machine()
    place = found(machine)
    assert place is PRIVATE[0] and place.has_ipsec
    assert machine.entered == [place.addresses]
    assert len(set(place.addresses)) == 4 and ":" in place.b


def test_without_ipv6_all_have_ipv4() -> None:
    machine = Machine(ipv6=False)
    place = found(machine)
    assert place is PRIVATE[1] and place.has_ipsec
    assert machine.entered == [place.addresses]
    assert not any(":" in host for host in place.addresses)


@pytest.mark.parametrize(("ipv6", "b"), [(True, "::1"), (False, "127.0.0.1")])
def test_loopback_where_it_may_not_be(ipv6: bool, b: str) -> None:
    machine = Machine(network=False)
    place = found(machine, ipv6=ipv6)
    assert place == loopback("only root may", ipv6=ipv6)
    assert (place.a, place.b, place.has_ipsec) == ("127.0.0.1", b, False)
    assert place.without_ipsec == "only root may" and not machine.entered
