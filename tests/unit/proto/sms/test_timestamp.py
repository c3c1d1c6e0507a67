"""Time stamps: seconds in UTC to seven octets and back; what says no time is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.timestamp import Timestamp, read_timestamp
from support.sms import moments


@given(moments, st.integers(-79, 79))
def test_again(utc: int, zone: int) -> None:
    stamp = Timestamp.at(utc, zone)
    assert len(stamp.octets) == 7
    assert stamp.zone == zone
    # Near the first and the last year the zone moves the local year over the edge of the century.
    if 86400 <= utc < 3_124_137_600:
        assert stamp.utc == utc


def test_fractions_of_a_second_are_cut() -> None:
    assert Timestamp.at(1.9) == Timestamp.at(1)


@pytest.mark.parametrize(
    ("octets", "utc"),
    [
        ("99309251619580", datetime(1999, 3, 29, 13, 16, 59, tzinfo=UTC)),
        ("42100100000000", datetime(2024, 1, 10, tzinfo=UTC)),
        ("4201010000000a", datetime(2024, 10, 10, 5, tzinfo=UTC)),
        ("4201010000004a", datetime(2024, 10, 10, 6, tzinfo=UTC)),
    ],
)
def test_moments(octets: str, utc: datetime) -> None:
    assert Timestamp(bytes.fromhex(octets)).utc == utc.timestamp()


@pytest.mark.parametrize(
    "octets",
    ["42310100000000", "42100000000000", "4210a100000000", "ffffffffffff00"],
)
def test_what_is_no_time_is_kept(octets: str) -> None:
    stamp = read_timestamp(Reader(bytes.fromhex(octets)), "TP-SCTS")
    assert stamp.octets.hex() == octets == str(stamp)


@pytest.mark.parametrize("octets", ["42310100000000", "42100000000000", "4210a100000000", "ffffffffffff00"])
def test_what_is_no_time_has_none(octets: str) -> None:
    assert Timestamp(bytes.fromhex(octets)).utc is None


def test_a_zone_that_is_no_number_counts_as_zero() -> None:
    stamp = Timestamp(bytes.fromhex("421001000000ff"))
    assert stamp.zone is None
    assert stamp.utc == datetime(2024, 1, 10, tzinfo=UTC).timestamp()


def test_too_few_octets() -> None:
    with pytest.raises(ValueError, match="7 octets, not 6"):
        Timestamp(bytes(6))
    with pytest.raises(SmsDecodeError, match="cut in TP-DT"):
        read_timestamp(Reader(bytes(6)), "TP-DT")


@pytest.mark.parametrize(("utc", "zone"), [(0, 80), (0, -80), (1e18, 0), (253402300799, 79)])
def test_what_cannot_be_said(utc: float, zone: int) -> None:
    with pytest.raises(ValueError, match=r"time zone|no date"):
        Timestamp.at(utc, zone)
