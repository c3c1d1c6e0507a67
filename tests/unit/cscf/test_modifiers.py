"""Which modifiers a message triggers, and what they come to together."""

from __future__ import annotations

from typing import Any

import pytest

from libreims.config.schema_common import CallflowModifier, CustomHeader
from libreims.config.schema_users import ImpuSettings
from libreims.cscf.modifiers import (
    RX,
    TX,
    CallflowContext,
    Content,
    Deviation,
    LiveModifier,
    ModifierStates,
    decide,
    impus_of,
    on_access,
    steps,
)
from libreims.proto.sip.message import Message, Request, Response
from libreims.users.subscriber import ImpuEntry


def request(method: str, *, tag: str = "", contact: str = "<sip:a@10.0.0.9>") -> Request:
    fields = [
        ("Via", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1"),
        ("From", "<sip:a@x>;tag=1"),
        ("To", "<sip:b@x>" + (f";tag={tag}" if tag else "")),
        ("Call-ID", "c"),
        ("CSeq", f"1 {method}"),
        ("Contact", contact),
    ]
    return Request.build(method, "sip:b@x", fields)


def response(status: int, method: str = "INVITE") -> Response:
    return Response.to_request(request(method), status, tag="2")


def context(*modifiers: CallflowModifier, impu: str = "sip:alice", imei: str = "") -> CallflowContext:
    live = tuple(LiveModifier(each, number) for number, each in enumerate(modifiers))
    return CallflowContext(live, impus_of(impu), imei)


def one(message: Message, direction: str = RX, **settings: Any) -> Deviation | None:
    return decide(context(CallflowModifier(**settings)), message, direction)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (request("INVITE"), ("INVITE",)),
        (request("INVITE", tag="2"), ("INVITE", "REINVITE")),
        (request("REGISTER"), ("REGISTER",)),
        (request("REGISTER", contact="<sip:a@10.0.0.9;sos>"), ("REGISTER", "REGISTER.SOS")),
        (request("OPTIONS"), ()),
        (response(100), ("INVITE.TRYING",)),
        (response(180), ("INVITE.RINGING",)),
        (response(183), ("INVITE.SESSION_PROGRESS",)),
        (response(181), ()),
        (response(200), ("INVITE.OK",)),
        (response(202), ("INVITE.OK",)),
        (response(486), ()),
        (response(200, "BYE"), ()),
    ],
)
def test_names_of_steps(message: Message, names: tuple[str, ...]) -> None:
    assert steps(message) == names


@pytest.mark.parametrize(
    "method",
    ["UPDATE", "CANCEL", "BYE", "NOTIFY", "MESSAGE", "ACK", "PRACK", "INFO", "SUBSCRIBE"],
)
def test_a_method_and_no_other(method: str) -> None:
    assert one(request(method), method=method) is not None
    assert one(request(method), method="INVITE") is None
    assert one(request(method)) is not None  # no method: any


@pytest.mark.parametrize(
    ("configured", "rx", "tx"), [("rx", True, False), ("tx", False, True), ("both", True, True)]
)
def test_direction(configured: str, rx: bool, tx: bool) -> None:
    assert (one(request("BYE"), RX, dir=configured) is not None) is rx
    assert (one(request("BYE"), TX, dir=configured) is not None) is tx


def test_only_what_is_sent_can_be_skipped_and_only_what_comes_can_be_ignored() -> None:
    assert one(request("ACK"), RX, skip=True) is None
    assert one(request("ACK"), TX, skip=True) is not None
    assert one(request("BYE"), TX, code=-1) is None
    assert one(request("BYE"), TX, code=-2) is None
    assert one(request("BYE"), RX, code=-1) is not None


@pytest.mark.parametrize(
    ("access", "radios"),
    [
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1", {"lte"}),
        ("3gpp-e-utran-tdd", {"lte"}),
        ("3GPP-NR-FDD", {"nr"}),
        ("3GPP-NR-U-TDD", {"nr"}),
        ("IEEE-802.11;i-wlan-node-id=1", {"n3gpp"}),
        ("3GPP-UTRAN-FDD", set()),
        ("", set()),
        ("3GPP-NR-FDD, IEEE-802.11", {"nr", "n3gpp"}),
    ],
)
def test_access_networks(access: str, radios: set[str]) -> None:
    assert {radio for radio in ("lte", "nr", "n3gpp") if on_access((radio,), access)} == radios


def test_counterpart_by_impu_in_any_form_and_by_imei() -> None:
    number = CallflowModifier(impu="+33 6-00")
    assert decide(context(number, impu="tel:+33600"), request("BYE"), RX)
    assert decide(context(number, impu="tel:+33601"), request("BYE"), RX) is None
    phone = CallflowModifier(imei="35876543-210987-0")
    assert decide(context(phone, imei="35876543210987"), request("BYE"), RX)
    assert decide(context(phone, imei="35876543210988"), request("BYE"), RX) is None
    assert decide(context(phone), request("BYE"), RX) is None


def test_tts_and_ttl() -> None:
    scope = context(CallflowModifier(tts=1, ttl=2))
    assert [decide(scope, request("BYE"), RX) is not None for _ in range(5)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_messages_that_do_not_fit_are_not_counted() -> None:
    scope = context(CallflowModifier(method="BYE", ttl=1))
    for _ in range(3):
        assert decide(scope, request("INFO"), RX) is None
    assert decide(scope, request("BYE"), RX) is not None


def test_modifiers_add_up_until_one_ends_the_flow() -> None:
    mark = (CustomHeader(name="X", value="1", replace=False),)
    scope = context(
        CallflowModifier(transparent=True, custom_headers=mark, send_delay=1.0, log="first"),
        CallflowModifier(stop=False, send_delay=0.5, send_retry=2, content=None, content_type="a/b"),
        CallflowModifier(code=486, log=False),
        CallflowModifier(code=500),
    )
    deviation = decide(scope, request("INVITE"), RX)
    assert deviation is not None
    assert deviation.labels == ("first", "cfm#1")
    assert (deviation.code, deviation.stop, deviation.goes_on) == (486, True, False)
    assert (deviation.delay, deviation.retries, deviation.retry_delay) == (1.5, 2, 1.5)
    assert [edit.name for edit in deviation.edits] == ["X"]
    assert deviation.contents == (Content("a/b", None),)
    assert scope.modifiers[3].ttl is None


@pytest.mark.parametrize(
    ("settings", "stop", "goes_on"),
    [
        ({}, True, False),
        ({"stop": False}, False, True),
        ({"transparent": True}, False, True),
        ({"code": 486, "stop": False}, False, False),
        ({"code": 486, "transparent": True}, False, True),
        ({"skip": True, "stop": False}, False, False),
        ({"skip": True, "transparent": True}, False, False),
    ],
)
def test_what_ends_the_dialog_and_what_the_normal_flow(
    settings: dict[str, Any], stop: bool, goes_on: bool
) -> None:
    deviation = one(request("BYE"), TX, **settings)
    assert deviation is not None
    assert (deviation.stop, deviation.goes_on) == (stop, goes_on)


def test_content_null_alone_removes_any_body_and_content_not_set_none() -> None:
    removal = one(request("BYE"), content=None)
    assert removal is not None and removal.contents == (Content("", None),)
    nothing = one(request("BYE"))
    assert nothing is not None and nothing.contents == ()


def test_counters_live_as_long_as_the_configuration() -> None:
    states = ModifierStates()
    entry = ImpuEntry.of(ImpuSettings(impu="sip:a", callflow_modifier=(CallflowModifier(ttl=1),)))
    assert states.of("a", entry)[0].take()
    assert states.of("a", entry)[0].ttl == 0
    assert states.of("b", entry)[0].ttl == 1
    changed = ImpuEntry.of(ImpuSettings(impu="sip:a", callflow_modifier=(CallflowModifier(ttl=1),)))
    assert states.of("a", changed)[0].ttl == 1
    assert states.of("a", ImpuEntry.of(ImpuSettings(impu="sip:a"))) == ()


def test_the_latest_access_network_counts() -> None:
    scope = context(CallflowModifier(access_network=("nr",)))
    assert decide(scope, request("BYE"), TX) is None
    message = request("BYE")
    message.set("P-Access-Network-Info", "3GPP-NR-FDD")
    scope.hear(message)
    scope.hear(request("BYE"))  # says nothing about it
    assert decide(scope, request("BYE"), TX) is not None


def test_counters_of_impus_that_are_gone_are_dropped() -> None:
    states = ModifierStates()
    modifiers = (CallflowModifier(code=486, ttl=2),)
    kept, gone = (ImpuEntry.of(ImpuSettings(impu=name, callflow_modifier=modifiers)) for name in "ab")
    for owner in ("alice", "bob"):
        for entry in (kept, gone):
            states.of(owner, entry)[0].take()
    states.forget("alice", (kept,))
    assert [states.of(owner, kept)[0].ttl for owner in ("alice", "bob")] == [1, 1]
    assert [states.of(owner, gone)[0].ttl for owner in ("alice", "bob")] == [2, 1]
