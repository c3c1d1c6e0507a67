"""What passes from leg to leg: one table.

Two independent dialogs mean that by default nothing passes; these headers do, since they describe the
call and not the hop (RFC 3261 §20, RFC 3325, RFC 3841, RFC 7315, TS 24.229 §5.4.3.2).
"""

from __future__ import annotations

from libreims.proto.sip.message import Request, Response

PASSED_IN_INVITE = frozenset(
    {
        "Accept",
        "Accept-Contact",
        "Accept-Language",
        "Alert-Info",
        "Answer-Mode",
        "Call-Info",
        "Content-Language",
        "Date",
        "Geolocation",
        "Geolocation-Routing",
        "History-Info",
        "In-Reply-To",
        "MIME-Version",
        "Organization",
        "P-Asserted-Service",
        "P-Early-Media",
        "Priority",
        "Privacy",
        "Recv-Info",
        "Referred-By",
        "Reject-Contact",
        "Reply-To",
        "Request-Disposition",
        "Session-ID",
        "Subject",
    }
)
"""From the caller's INVITE to the callee's. `P-Preferred-Service` becomes `P-Asserted-Service`;
`P-Access-Network-Info` stays in the network (RFC 7315 §5.4)."""


def passed_offer(request: Request) -> tuple[tuple[str, str], ...]:
    """Headers of the caller's INVITE that the callee gets to see."""
    fields = request.fields
    passed = [(name, value) for name in fields if name in PASSED_IN_INVITE for value in fields[name]]
    if "P-Asserted-Service" not in fields:
        passed += [("P-Asserted-Service", value) for value in fields.get("P-Preferred-Service", ())]
    hops = request.max_forwards
    # RFC 7332 §3: a B2BUA passes the count on, so that a loop through it ends.
    passed.append(("Max-Forwards", str(max(0, (70 if hops is None else hops) - 1))))
    return tuple(passed)


_WITH_EVERY_REFUSAL = ("Reason", "Retry-After", "Warning", "Error-Info")
_WITH_REFUSAL = {
    405: ("Allow",),
    415: ("Accept", "Accept-Encoding", "Accept-Language"),
    420: ("Unsupported",),
    421: ("Require",),
    469: ("Recv-Info",),
}
"""Headers without which these refusals say nothing (RFC 3261 §21.4, RFC 6086 §4.2.2)."""

_MEANT_FOR_US = {401: 480, 407: 480, 481: 480, 503: 500}
"""Refusals of our own request that would tell the far side something wrong about its own: it cannot answer a
challenge to us, it has no dialog with that phone, and the server is not overloaded (RFC 3261 §16.7)."""

_MEANT_FOR_US_IN_DIALOG = {401: 500, 407: 500, 408: 504, 481: 500, 503: 500}
"""The same inside a dialog, where 408 and 481 would make the far side give up its own (§12.2.1.2)."""


def passed_refusal(
    response: Response, *, in_dialog: bool = False
) -> tuple[int, str | None, tuple[tuple[str, str], ...]]:
    """Status, reason phrase and headers of a refusal as the far side gets to see it.

    A redirection keeps its Contact; inside a dialog it makes no sense and becomes 488.
    """
    status = response.status
    fields = response.fields
    seen = (_MEANT_FOR_US_IN_DIALOG if in_dialog else _MEANT_FOR_US).get(status, status)
    names: tuple[str, ...] = _WITH_EVERY_REFUSAL
    if seen == status:
        names += _WITH_REFUSAL.get(status, ())
    if status < 400:
        if in_dialog:
            seen = 488
        else:
            names += ("Contact",)
    headers = tuple((name, value) for name in names if name in fields for value in fields[name])
    return seen, response.reason if seen == status else None, headers


PASSED_IN_ANSWER = ("Accept", "Alert-Info", "Call-Info", "Organization", "Privacy", "Recv-Info", "Session-ID")
"""From the callee's 2xx to the caller's."""


def passed_answer(response: Response) -> tuple[tuple[str, str], ...]:
    """Headers of the callee's 2xx that the caller gets to see."""
    fields = response.fields
    return tuple((name, value) for name in PASSED_IN_ANSWER if name in fields for value in fields[name])
