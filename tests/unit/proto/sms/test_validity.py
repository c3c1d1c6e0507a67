"""Validity periods: relative, absolute, enhanced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.validity import (
    DAY,
    FORMAT_ABSOLUTE,
    FORMAT_ENHANCED,
    FORMAT_NONE,
    FORMAT_RELATIVE,
    HOUR,
    MINUTE,
    WEEK,
    AbsoluteValidity,
    EnhancedValidity,
    RelativeValidity,
    Validity,
    read_validity,
)
from support.sms import validities


@given(validities)
def test_again(validity: Validity | None) -> None:
    octets = validity.encode() if validity else b""
    assert read_validity(Reader(octets), validity.format if validity else FORMAT_NONE) == validity


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 5 * MINUTE),
        (143, 12 * HOUR),
        (144, 12 * HOUR + 30 * MINUTE),
        (167, DAY),
        (168, 2 * DAY),
        (196, 30 * DAY),
        (197, 5 * WEEK),
        (255, 63 * WEEK),
    ],
)
def test_relative(value: int, seconds: int) -> None:
    validity = RelativeValidity(value)
    assert validity.seconds == seconds
    assert validity.deadline(1000) == 1000 + seconds
    assert not validity.single_shot
    assert RelativeValidity.of_seconds(seconds) == validity


@given(st.floats(0, 63 * WEEK))
def test_the_shortest_period_that_is_long_enough(seconds: float) -> None:
    validity = RelativeValidity.of_seconds(seconds)
    assert validity.seconds >= seconds
    assert not validity.value or RelativeValidity(validity.value - 1).seconds < seconds


def test_no_period_is_longer_than_63_weeks() -> None:
    assert RelativeValidity.of_seconds(100 * WEEK) == RelativeValidity(255)


def test_absolute() -> None:
    assert AbsoluteValidity(Timestamp.at(1_700_000_000, -20)).deadline(5) == 1_700_000_000
    assert AbsoluteValidity(Timestamp(bytes(7))).deadline(5) is None


@pytest.mark.parametrize(
    ("octets", "seconds", "single_shot"),
    [
        ("00000000000000", None, False),
        ("40000000000000", None, True),
        ("01a70000000000", DAY, False),
        ("022d0000000000", 45, False),
        ("4200ffffffffff", None, True),
        ("03213243000000", 12 * HOUR + 23 * MINUTE + 34, False),
        ("0321a343000000", None, False),
        ("04ffffffffffff", None, False),
        ("07ffffffffffff", None, False),
        ("82002d00000000", 45, False),
        ("8280002d000000", 45, False),
        ("82808080808080", None, False),
        ("83808080800012", None, False),
        ("81808080808000", None, False),
    ],
)
def test_enhanced(octets: str, seconds: int | None, single_shot: bool) -> None:
    validity = EnhancedValidity(bytes.fromhex(octets))
    assert validity.seconds == seconds
    assert validity.deadline(100) == (None if seconds is None else 100 + seconds)
    assert validity.single_shot is single_shot


def test_enhanced_of_seconds() -> None:
    assert EnhancedValidity.of_seconds(45, single_shot=True).encode().hex() == "422d0000000000"
    for seconds in (0, 256):
        with pytest.raises(ValueError, match=f"not {seconds}"):
            EnhancedValidity.of_seconds(seconds)
    with pytest.raises(ValueError, match="7 octets, not 6"):
        EnhancedValidity(bytes(6))


@pytest.mark.parametrize("form", [FORMAT_RELATIVE, FORMAT_ABSOLUTE, FORMAT_ENHANCED])
def test_cut(form: int) -> None:
    for size in range(1 if form == FORMAT_RELATIVE else 7):
        with pytest.raises(SmsDecodeError, match="cut in TP-VP"):
            read_validity(Reader(bytes(size)), form)
