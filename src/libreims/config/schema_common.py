"""Sections that both the server and single IMPUs may have (manual §5.2)."""
# ruff: noqa: RUF009  `prop` makes a dataclass field

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from libreims.config.declare import LATER, Checks, prop
from libreims.config.kinds import (
    Boolean,
    Choice,
    ChoiceSet,
    FileName,
    Integer,
    ListOf,
    Number,
    Struct,
    Text,
    TextOrBoolean,
)

METHODS = (
    "INVITE",
    "UPDATE",
    "CANCEL",
    "BYE",
    "NOTIFY",
    "MESSAGE",
    "ACK",
    "PRACK",
    "INFO",
    "REGISTER",
    "SUBSCRIBE",
    "INVITE.OK",
    "INVITE.TRYING",
    "INVITE.RINGING",
    "INVITE.SESSION_PROGRESS",
    "REGISTER.SOS",
    "REINVITE",
)
"""Steps of a call flow that a modifier may be bound to."""

Precondition = Literal["on", "off", "silent"]


def precondition_kind() -> Choice:
    """`on`, `off`, `silent`, and the booleans of older files."""
    return Choice("on", "off", "silent", also={True: "on", False: "off"})


def domain_kind() -> Text:
    """A domain in the place of another one, as it stands in URIs."""
    return Text(r"\S*", "a domain")


@dataclass(frozen=True, slots=True)
class CustomHeader(Checks):
    """A header to add to requests or responses, or to remove from them."""

    name: str = prop("", Text(r"[^\s:]+", "name of a header"), "Name of the header.")
    value: str | None = prop(
        None, Text(r"[^\r\n]*", "a value without line break"), "Its value; without one the header is removed."
    )
    codes: tuple[int, ...] = prop(
        (),
        ListOf(Integer(100, 699, also=(0,)), single=True),
        "Status codes of the responses that get the header; 0 means all.",
    )
    methods: tuple[str, ...] = prop(
        (),
        ListOf(Text(), single=True),
        "Methods whose requests (with `codes`: whose responses) get the header; `*` means all.",
    )
    replace: bool = prop(False, Boolean(), "Replace what the message has under that name.")

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """A header without a value can only be removed."""
        if not values.get("name"):
            complain("name", "name of a header expected")
        if values.get("value") is None:
            values["replace"] = True


@dataclass(frozen=True, slots=True)
class SessionExpires(Checks):
    """Session timer (RFC 4028)."""

    duration: int = prop(1800, Integer(0, 864000), "Session-Expires, in seconds.")
    min: int = prop(90, Integer(0, 864000), "Min-SE, in seconds.")
    refresher: str = prop("uac", Choice("uac", "uas"), "Who refreshes where the server decides it.")
    method: str = prop("update", Choice("update", "invite"), "Method with which the server refreshes.")
    force: bool = prop(True, Boolean(), "Name the refresher in the server's own requests.")


@dataclass(frozen=True, slots=True)
class Ecall(Checks):
    """What a modifier changes in an emergency call from a vehicle."""

    ack: str | None = prop(None, Text(), "Value of `received` in the acknowledgement of an MSD.")


@dataclass(frozen=True, slots=True)
class CallflowModifier(Checks):
    """A deliberate change of the normal course of messages, to test phones (manual §5.2.1, §7)."""

    method: str | None = prop(None, Choice(*METHODS), "Step that it applies to; any when not set.")
    log: str | bool = prop(True, TextOrBoolean(), "Text of its log line, or whether there is one.")
    code: int | None = prop(
        None,
        Integer(100, 699, also=(-1, -2)),
        "Status code of the response that it sends; -1 ignores the received message, -2 ignores it and "
        "ends the dialog (with `stop`).",
    )
    stop: bool = prop(True, Boolean(), "End the dialog in which it applies (not with `transparent`).")
    dir: str = prop("both", Choice("tx", "rx", "both"), "Sent messages, received messages or both.")
    transparent: bool = prop(False, Boolean(), "Apply it without leaving the normal call flow.")
    skip: bool = prop(False, Boolean(), "Do not send the message.")
    content: str | None = prop(
        "", FileName(null=True), "File to put into the body of the message; null to take a body out."
    )
    content_type: str | None = prop(
        None,
        Text(r"[^\r\n]*", "a single line"),
        "Content type of `content`; a body of this type is replaced, others stay beside it.",
    )
    access_network: tuple[str, ...] = prop(
        (), ChoiceSet("lte", "nr", "n3gpp"), "Only where P-Access-Network-Info names one of these."
    )
    custom_headers: tuple[CustomHeader, ...] = prop(
        (), ListOf(Struct(CustomHeader)), "Headers to add to the message or generated response, or to remove."
    )
    impu: str | None = prop(None, Text(), "Only where the other side has this IMPU.")
    imei: str | None = prop(None, Text(), "Only where the other side has this IMEI.")
    ttl: int | None = prop(None, Integer(1), "How many times it applies before it is removed.")
    tts: int = prop(0, Integer(0), "How many times it is passed over before it applies.")
    send_delay: float = prop(0.0, Number(0, 60), "Delay of the message that is sent, in seconds.")
    send_retry: int = prop(0, Integer(0, 60), "How often the message is sent again.")
    send_retry_delay: float | None = prop(
        None, Number(0, 60), "Seconds between these repetitions; `send_delay` when not set."
    )
    ecall: Ecall | None = prop(
        None, Struct(Ecall), "Changes in the messages of an emergency call from a vehicle.", state=LATER
    )
    media_delay: float | None = prop(None, Number(0, 60), "Delay of media packets, in seconds.")

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """A body needs a type."""
        if values.get("content") is not None and not values.get("content_type"):
            complain("content_type", "expected because content is set")
