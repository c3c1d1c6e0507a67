"""Ports and SPIs of agreements."""

from __future__ import annotations

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.protected_pool import FIRST_PORT, FIRST_SPI, LAST_PORT, PortPool

HOST = "10.0.0.1"


def test_ports_rest_before_they_are_used_again() -> None:
    pool = PortPool(Tokens(1), 100, 103)
    assert [pool.take_port(HOST) for _ in range(2)] == [100, 101]
    pool.give_port(HOST, 100)
    assert [pool.take_port(HOST) for _ in range(3)] == [102, 103, 100]
    assert pool.take_port("10.0.0.2") == 100, "each address has its own"
    with pytest.raises(LibreImsError, match=r"all 4 protected ports of 10.0.0.1 are taken: .* sip_addr"):
        pool.take_port(HOST)
    for port in range(100, 104):
        pool.give_port(HOST, port)
    pool.give_port("10.0.0.2", 100)
    assert len(pool) == 0


def test_the_range_has_no_well_known_ports() -> None:
    assert FIRST_PORT > 5061 and LAST_PORT < 65536


def test_spis_come_in_pairs_that_nobody_else_has() -> None:
    pool = PortPool(Tokens(1))
    taken = [pool.take_spis() for _ in range(5000)]
    assert len({*taken, *(spi + 1 for spi in taken)}) == 10000
    assert min(taken) >= FIRST_SPI and max(taken) + 1 < 1 << 31
    for spi in taken:
        pool.give_spis(spi)
    assert pool.spis == 0


def test_a_pair_that_is_in_use_is_not_given_twice() -> None:
    class Same(Tokens):
        def integer(self, low: int, high: int) -> int:
            return next(numbers)

    numbers = iter([700, 700, 700, 701])
    pool = PortPool(Same(1))
    assert [pool.take_spis(), pool.take_spis()] == [1400, 1402]
