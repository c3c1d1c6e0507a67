"""Which requests may come through a security agreement (RFC 3329 §2.3.1, TS 24.229 §5.2.6.3).

Asked by `cscf.router` about every request.  REGISTER has rules of its own (`registrar.security`); that what
began inside IPsec does not go on outside is looked at where the dialog or the user is known.
"""

from __future__ import annotations

from collections.abc import Iterable

from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.ipsec.agreement import Agreement, State
from libreims.ipsec.agreements import Agreements
from libreims.net.address import text
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request
from libreims.proto.sip.security_agreement import same

VERIFY = "Security-Verify"


class Admission:
    """The check of requests that come through IPsec."""

    def __init__(self, agreements: Agreements, log: LayerLog) -> None:
        self._agreements = agreements
        self._log = log

    def __call__(self, request: Request, flow: Flow) -> None:
        """Let a request in. Raises Reject (403, 494), SipParseError (400)."""
        agreements = self._agreements
        if not agreements.protects(flow.local):
            return
        agreement = agreements.at(flow)
        if agreement is None:
            raise Reject(
                403,
                f"{request.method} from {text(flow.remote)} came through no security agreement: the phone "
                "has to use its protected client port.",
            )
        if request.method == "REGISTER":
            agreements.used(agreement)
            return
        if agreement.state is State.OFFERED:
            raise Reject(
                403,
                f"{request.method} of {agreement.impi} came through a security agreement that is only "
                "offered: the phone has to answer the challenge through it first.",
            )
        agreements.used(agreement)
        if VERIFY in request.fields:
            # A phone may hold on to an older one, in a call for example: what it names came from us.
            check_verify(request, agreements.said(agreement), agreement)
        elif self._log.debug_on:
            self._log.debug(
                f"{request.method} of {agreement.impi} has no {VERIFY}: ESP protects it all the same",
                id=agreement.number,
            )


def check_verify(request: Request, said: Iterable[str], agreement: Agreement) -> None:
    """Compare Security-Verify with what Security-Server has said to the phone.

    Raises Reject (494), SipParseError (400).
    """
    lines = request.get_all(VERIFY)
    if not any(same((each,), lines) for each in said):
        raise disagreement(
            agreement,
            f"{request.method} of {agreement.impi}: {VERIFY} is not what Security-Server said, "
            f"{_cut(lines)} instead of {agreement.said}: somebody has changed the messages, or the phone is "
            "at fault.",
        )


def disagreement(agreement: Agreement, why: str) -> Reject:
    """494 Security Agreement Required (RFC 3329 §2.3.1), with what has been agreed on."""
    return Reject(494, why, headers=(("Security-Server", agreement.said),))


def _cut(lines: list[str]) -> str:
    """A header from the network, short enough for a line of the log."""
    return ascii(", ".join(lines)[:300])[1:-1] or "(empty)"
