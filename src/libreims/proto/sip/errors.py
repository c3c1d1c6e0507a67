"""The one error of the SIP codec.

Everything under `proto/sip` that reads octets raises `SipParseError` and nothing else.  It carries the
status that RFC 3261 or RFC 4475 asks for and as much of the request as an answer needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libreims.proto.sip.message import Request


class SipParseError(ValueError):
    """What was received is not SIP as the RFCs write it.

    `status` is what a server answers to a request (400, 416, 505 ...), `reason` one short phrase that says
    what is wrong (fit for the reason phrase and the log), `request` the request as far as it could be read:
    Via, From, To, Call-ID and CSeq are then present as text.  `request` is None for responses and where
    an answer is impossible.
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.request = request

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"
