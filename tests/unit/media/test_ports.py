from __future__ import annotations

import pytest

from libreims.base.tokens import Tokens
from libreims.media.ports import OutOfPorts, PortRange


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (10000, 10005, {10000, 10002, 10004}),
        (10001, 10005, {10002, 10004}),
        (10000, 10004, {10000, 10002}),
        (65534, 65535, {65534}),
    ],
)
def test_even_ports_whose_next_port_is_in_the_range_too(low: int, high: int, expected: set[int]) -> None:
    ports = PortRange(low, high, Tokens(1))
    assert {ports.take() for _ in range(len(ports))} == expected
    with pytest.raises(OutOfPorts, match="port_max"):
        ports.take()


@pytest.mark.parametrize(("low", "high"), [(10000, 10000), (10001, 10002), (10002, 10000)])
def test_a_range_without_a_pair(low: int, high: int) -> None:
    with pytest.raises(OutOfPorts, match=f"port_min {low}"):
        PortRange(low, high, Tokens(1))


def test_the_start_is_random() -> None:
    assert len({PortRange(10000, 20000, Tokens(seed)).take() for seed in range(20)}) > 15


def test_a_returned_pair_rests_longest() -> None:
    ports = PortRange(10000, 10007, Tokens(1))
    first = ports.take()
    ports.give_back(first)
    assert [ports.take() for _ in range(4)][-1] == first
