"""Associations put in force and taken out; what cannot be one."""

from dataclasses import replace

import pytest

from libreims.base.errors import LibreImsError
from support.esp_rig import PHONE, PHONE6, SERVER, SERVER6, Side, associations, datagram


def test_what_is_in_force() -> None:
    side = Side(SERVER[0])
    pair = associations(SERVER, PHONE, 1000, 2000)
    side.engine.install(pair)
    assert list(side.engine) == pair
    side.engine.remove([replace(each, owner=99, authentication_key=b"") for each in pair])
    side.engine.remove(pair)
    assert list(side.engine) == []
    side.engine.outbound(datagram(SERVER, PHONE, b"x"))
    assert side.drops == {"no_outbound_sa": 1}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spi": 1000}, "SPI is in force"),
        ({"spi": 255}, "cannot be an SPI"),
        ({"spi": 1 << 32}, "the SPI or a port is out of range"),
        ({"remote": ("192.0.2.7", 70000)}, "the SPI or a port is out of range"),
        ({"remote": ("192.0.2.1", 9)}, "own address"),
        ({"remote": ("2001:db8::1", 9)}, "of another family"),
        ({"local": ("192.0.2.2", 9)}, "no address that IPsec was set up for"),
        ({"remote": ("phone.test", 9)}, "no IP address"),
        ({"authentication": "rot13"}, "no authentication algorithm"),
        ({"authentication_key": b"short"}, "a key of 5 octets"),
    ],
)
def test_all_or_none(change: dict[str, object], why: str) -> None:
    side = Side(SERVER[0])
    side.engine.install(associations(SERVER, PHONE, 1000, 2000))
    before = list(side.engine)
    good, other = associations((SERVER[0], 5066), (PHONE[0], 40004), 3000, 4000)
    wrong = replace(good, **{"spi": 3001, **change})  # type: ignore[arg-type]
    with pytest.raises(LibreImsError, match=why) as refused:
        side.engine.install([good, other, wrong])
    assert "short" not in str(refused.value)
    assert list(side.engine) == before


def test_the_newest_of_two_with_the_same_selectors_is_used() -> None:
    """A phone that keeps its ports when it registers again."""
    server, phone = Side(SERVER[0]), Side(PHONE[0])
    sets = [associations(SERVER, PHONE, 1000 + n, 2000 + n) for n in range(3)]
    spis = []
    for each in sets:
        server.engine.install(each)
    for gone in (1, 2, 0):
        server.engine.outbound(datagram(SERVER, PHONE, b"x"))
        spis.append(int.from_bytes(server.outside[-1][0][:4]))
        server.engine.remove(sets[gone])
    assert spis == [2002, 2002, 2000]
    server.engine.outbound(datagram(SERVER, PHONE, b"x"))
    assert server.drops == {"no_outbound_sa": 1}
    assert phone.inside == []


def test_addresses_in_any_notation() -> None:
    side = Side("2001:0db8:0::1")
    side.engine.install(associations(("2001:DB8::0001", 5064), ("2001:db8:0:0::7", 40002), 1000, 2000))
    side.engine.outbound(datagram(SERVER6, PHONE6, b"x"))
    assert side.outside[0][1:] == ("2001:db8::1", "2001:db8::7")
