"""P-Charging-Vector (RFC 7315 §4.6)."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.call.charging import answered, icid_of, new_vector


def test_a_new_vector_can_be_read() -> None:
    vector = new_vector("ab12", "ims.test")
    assert vector == 'icid-value="ab12";orig-ioi=ims.test'
    assert icid_of(vector) == "ab12"
    assert new_vector("1", "odd domain") == 'icid-value="1";orig-ioi="odd domain"'


@pytest.mark.parametrize("text", ["icid-value=x", 'ICID-Value="x"', 'icid-generated-at=[::1];icid-value="x"'])
def test_spellings_of_others(text: str) -> None:
    assert icid_of(text) == "x"


@pytest.mark.parametrize("text", ["", "orig-ioi=x", "icid-value", 'icid-value="', ";"])
def test_without_an_identifier(text: str) -> None:
    with pytest.raises(Reject) as caught:
        icid_of(text)
    assert caught.value.status == 400


def test_who_ends_the_call_is_added_once() -> None:
    assert answered("icid-value=x;orig-ioi=a", "b") == "icid-value=x;orig-ioi=a;term-ioi=b"
    assert answered("icid-value=x;term-ioi=c", "b") == "icid-value=x;term-ioi=c"
