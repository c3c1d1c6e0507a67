"""TP-Failure-Cause and TP-Status have names and words."""

from __future__ import annotations

import pytest

from libreims.proto.sms.failure import FailureCause, Status, failure_text


@pytest.mark.parametrize("cause", list(FailureCause))
def test_every_cause_has_words(cause: FailureCause) -> None:
    assert cause.text
    assert failure_text(cause) == f"0x{cause.value:02x} {cause.text}"


def test_other_causes() -> None:
    assert failure_text(0xD3) == "0xd3 memory capacity exceeded"
    assert failure_text(0xE5) == "0xe5 application specific"
    assert failure_text(0x83) == "0x83 reserved"


def test_groups_of_the_status() -> None:
    """§9.2.3.15: bits 6 and 5 say whether it is done, still tried, failed for good, or given up."""
    assert {status.name.split("_")[0] for status in Status if status >> 5 == 1} == {"TRYING"}
    assert {status.name.split("_")[0] for status in Status if status >> 5 == 3} == {"GAVE"}
    assert all(status < 0x80 for status in Status)
