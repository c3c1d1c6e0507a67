"""`sms` and `sms_flush`, and the event `sms` (manual §6.6, §6.7)."""

from __future__ import annotations

import base64
from typing import Any, Final

from libreims.api.client import Client
from libreims.api.services import ApiServices
from libreims.api.slices import in_steps
from libreims.api.table import Command, Members, Parameter, Result
from libreims.base.errors import LibreImsError
from libreims.config.kinds import Boolean, Integer, Number, Text
from libreims.sms.centre import SLICE
from libreims.sms.control import Octets
from libreims.sms.events import SmsReceived

LONGEST: Final = 63 * 7 * 86400
"""Seconds of the longest validity period (TS 23.040 §9.2.3.12.1)."""
_SMS: Final = (
    Parameter("impi", Text(), "IMPI of the receiver."),
    Parameter("impu", Text(), "IMPU of the receiver, where the IMPI is not given or not known."),
    Parameter("text", Text(), "The text; a long one is sent in parts."),
    Parameter("sender", Text(), "Who sends it: a number, an IMPU, or any name of at most 11 characters."),
    Parameter("validity", Number(0, LONGEST), "Seconds until it is given up, 86400 by default."),
    Parameter("binary", Text(), "In place of text: TP-User-Data in base64."),
    Parameter("binary_hex", Text(), "In place of text: TP-User-Data in hexadecimal."),
    Parameter("tp_udl", Integer(0, 255), "TP-User-Data-Length of binary data, its octets by default."),
    Parameter("tp_udhi_present", Boolean(), "Binary data begins with a user data header."),
    Parameter("pid", Integer(0, 255), "TP-Protocol-Identifier, 0 by default."),
    Parameter("dcs", Integer(0, 255), "TP-Data-Coding-Scheme, 4 by default for binary data."),
    Parameter("sos", Boolean(), "Only to phones that are registered for emergency calls."),
)


def commands(services: ApiServices) -> tuple[Command, ...]:
    """The commands of this file."""
    messaging = MessagingCommands(services)
    return (
        Command("sms", "Send a short message to a user.", messaging.sms, _SMS),
        Command(
            "sms_flush",
            "Give up the short messages that wait for a user.",
            messaging.flush,
            (Parameter("impi", Text(), "IMPI of the user.", required=True),),
        ),
    )


class MessagingCommands:
    """Handlers of these commands."""

    def __init__(self, services: ApiServices) -> None:
        self._sms = services.sms

    def sms(
        self,
        client: Client,
        text: str | None = None,
        binary: str | None = None,
        binary_hex: str | None = None,
        tp_udl: int | None = None,
        tp_udhi_present: bool = False,
        **parameters: Any,
    ) -> Members:
        """Accepted: on its way, or kept until a phone registers, which `waits_for` says then."""
        if text is not None:
            content: str | Octets = text
        else:
            content = Octets(_octets(binary, binary_hex), tp_udl, tp_udhi_present)
        sent = self._sms.send(content, **parameters)
        members: Members = {"impi": sent.impi, "parts": sent.parts, "pending": sent.pending}
        return members | {"waits_for": sent.waits_for} if sent.waits_for else members

    def flush(self, client: Client, impi: str) -> Result:
        """How many there were; of many not all are flushed where the client goes before the answer."""
        if self._sms.pending(impi) > SLICE:
            return in_steps(self._sms.flushing(impi), _flushed)
        return _flushed(self._sms.flush(impi))


def _flushed(count: int) -> Members:
    return {"flushed": count}


def received(event: SmsReceived) -> Members:
    """The members of the event `sms`."""
    members: Members = {"sender": event.sender, "destination": event.destination}
    if event.text is not None:
        members["text"] = event.text
    else:
        members["binary"] = base64.b64encode(event.binary).decode()
    return members | {"dcs": event.dcs, "date": int(event.date)}


def _octets(binary: str | None, binary_hex: str | None) -> bytes:
    if binary is not None:
        try:
            return base64.b64decode("".join(binary.split()), validate=True)
        except ValueError as error:
            raise LibreImsError(f"binary: base64 expected: {error}") from error
    if binary_hex is not None:
        try:
            return bytes.fromhex(binary_hex)
        except ValueError as error:
            raise LibreImsError(f"binary_hex: hexadecimal digits expected: {error}") from error
    raise LibreImsError("sms: text, binary or binary_hex is needed, none of them is given")
