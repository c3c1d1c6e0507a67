"""Causes of RP-ERROR have names and words."""

from __future__ import annotations

import pytest

from libreims.proto.sms.rp_cause import RpCause, cause_text


@pytest.mark.parametrize("cause", list(RpCause))
def test_every_cause_has_words(cause: RpCause) -> None:
    assert cause.text
    assert cause_text(cause.value) == f"{cause.value} {cause.text}"


def test_other_causes() -> None:
    assert cause_text(22) == "22 memory capacity exceeded"
    assert cause_text(99 + 1) == "100 unknown cause"
