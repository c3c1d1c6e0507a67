"""What passes from leg to leg."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import libreims
from libreims.call.passing import (
    ANSWER,
    END,
    INFO,
    INVITE,
    REFUSAL,
    TABLE,
    passed_answer,
    passed_offer,
)
from libreims.proto.sip.message import Request, Response, canonical

PAGE = Path(libreims.__file__).parents[2] / "docs" / "headers.md"
STEPS = (INVITE, ANSWER, REFUSAL, INFO, END)


def invite(*headers: tuple[str, str]) -> Request:
    base = (
        ("Via", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx"),
        ("From", "<sip:a@x>;tag=1"),
        ("To", "<sip:b@x>"),
        ("Call-ID", "1"),
        ("CSeq", "1 INVITE"),
    )
    return Request.build("INVITE", "sip:b@x", (*base, *headers))


def test_the_page_has_the_table() -> None:
    said = [
        tuple(cell.strip() for cell in line.strip("|\n").split("|"))
        for line in PAGE.read_text().splitlines()
        if line.count("|") == 8 and not line.startswith(("|---", "| header"))
    ]
    wanted = [
        (
            row.name,
            *("x" if step in row.steps else "" for step in STEPS),
            row.source + "; private" * row.private,
        )
        for row in TABLE
    ]
    assert said == wanted


def test_the_table_is_in_order_and_names_are_canonical() -> None:
    names = [row.name for row in TABLE]
    assert names == sorted(set(names), key=str.lower)
    assert [canonical(name) for name in names] == names
    assert all(row.steps and set(row.steps) <= set(STEPS) for row in TABLE)


@pytest.mark.parametrize("row", [row for row in TABLE if INVITE in row.steps], ids=lambda row: row.name)
def test_what_stands_in_the_table_passes_and_hidden_callers_keep_what_is_private(row) -> None:  # type: ignore[no-untyped-def]
    request = invite((row.name, "one"), (row.name, "two"))
    passed = [value for name, value in passed_offer(request) if name == row.name]
    assert passed == ["one", "two"]
    hidden = [value for name, value in passed_offer(request, hidden=True) if name == row.name]
    assert hidden == ([] if row.private else ["one", "two"])


@pytest.mark.parametrize(
    "name", ["Via", "Contact", "Authorization", "P-Charging-Vector", "Supported", "X-Own"]
)
def test_what_does_not_stand_there_does_not_pass(name: str) -> None:
    request = invite((name, "10.0.0.9"), ("P-Access-Network-Info", "3GPP-NR"), ("User-Agent", "phone"))
    assert [name for name, _ in passed_offer(request)] == ["Max-Forwards"]
    response = Response.to_request(request, 200, tag="t", headers=((name, "x"), ("Server", "phone")))
    assert passed_answer(response) == ()


def test_a_preferred_service_is_asserted() -> None:
    service = "urn:urn-7:3gpp-service.ims.icsi.mmtel"
    request = invite(("P-Preferred-Service", service))
    assert ("P-Asserted-Service", service) in passed_offer(request)
    both = invite(("P-Preferred-Service", "other"), ("P-Asserted-Service", service))
    assert [value for name, value in passed_offer(both) if name == "P-Asserted-Service"] == [service]


@pytest.mark.parametrize(("came", "goes"), [("70", "69"), ("1", "0"), ("0", "0"), (None, "69")])
def test_max_forwards(came: str | None, goes: str) -> None:
    """RFC 7332 §3."""
    request = invite(*([("Max-Forwards", came)] if came else []))
    assert passed_offer(request) == (("Max-Forwards", goes),)


def test_names_of_programs_pass_on_demand_but_not_from_hidden_callers() -> None:
    request = invite(("User-Agent", "phone"))
    assert ("User-Agent", "phone") in passed_offer(request, user_agent=True)
    assert ("User-Agent", "phone") not in passed_offer(request, user_agent=True, hidden=True)
    for name in ("Server", "User-Agent"):
        response = Response.to_request(request, 180, tag="t", headers=((name, "other"),))
        assert passed_answer(response, user_agent=True) == (("Server", "other"),)
    silent = Response.to_request(request, 180, tag="t")
    assert passed_answer(silent, user_agent=True) == ()


def test_the_page_names_only_headers_and_properties_that_exist() -> None:
    words = set(re.findall(r"`([a-z_]{5,})`", PAGE.read_text()))
    declared = (PAGE.parent / "configuration.md").read_text()
    assert {word for word in words if f"`{word}`" not in declared and f"{word}`" not in declared} <= {
        "header"
    }
