"""What passes from leg to leg: one table.

Two independent dialogs mean that by default nothing passes; these headers do, since they describe the
call and not the hop.  docs/headers.md is this table and what the server writes itself.
"""

from __future__ import annotations

from typing import NamedTuple

from libreims.proto.sip.message import Request, Response

Headers = tuple[tuple[str, str], ...]

INVITE = "INVITE"
ANSWER = "18x, 2xx"
REFUSAL = "3xx-6xx"
INFO = "INFO"
END = "BYE, CANCEL"


class Row(NamedTuple):
    """One header and where it passes."""

    name: str
    steps: tuple[str, ...]
    source: str
    """Why, or under which condition."""
    private: bool = False
    """It says who calls: not in the INVITE of an anonymous call (RFC 3323 §5.3)."""


TABLE = (
    Row("Accept", (INVITE, ANSWER), "RFC 3261 §20.1; in a refusal with 415"),
    Row("Accept-Contact", (INVITE,), "RFC 3841 §9.2"),
    Row("Accept-Language", (INVITE,), "RFC 3261 §20.3; in a refusal with 415"),
    Row("Alert-Info", (INVITE, ANSWER), "RFC 3261 §20.4"),
    Row("Answer-Mode", (INVITE,), "RFC 5373"),
    Row("Call-Info", (INVITE, ANSWER), "RFC 3261 §20.9", private=True),
    Row("Content-Disposition", (INFO,), "with the body"),
    Row("Content-Encoding", (INFO,), "with the body"),
    Row("Content-Language", (INVITE,), "RFC 3261 §20.13"),
    Row("Content-Type", (INFO,), "with the body; SDP is rewritten, each leg has its own"),
    Row("Date", (INVITE,), "RFC 3261 §20.17"),
    Row("Error-Info", (REFUSAL,), "RFC 3261 §20.18"),
    Row("Geolocation", (INVITE,), "RFC 6442"),
    Row("Geolocation-Routing", (INVITE,), "RFC 6442"),
    Row("History-Info", (INVITE,), "RFC 7044", private=True),
    Row("In-Reply-To", (INVITE,), "RFC 3261 §20.21", private=True),
    Row("Info-Package", (INFO,), "RFC 6086"),
    Row("MIME-Version", (INVITE,), "RFC 3261 §20.24"),
    Row("Organization", (INVITE, ANSWER), "RFC 3261 §20.25", private=True),
    Row("P-Asserted-Service", (INVITE,), "RFC 6050; made of P-Preferred-Service where a phone sends that"),
    Row("P-Early-Media", (INVITE, ANSWER), "RFC 5009"),
    Row("Priority", (INVITE,), "RFC 3261 §20.26"),
    Row("Reason", (REFUSAL, END), "RFC 3326"),
    Row("Recv-Info", (INVITE, ANSWER), "RFC 6086; in a refusal with 469"),
    Row("Referred-By", (INVITE,), "RFC 3892", private=True),
    Row("Reject-Contact", (INVITE,), "RFC 3841 §9.2"),
    Row("Reply-To", (INVITE,), "RFC 3261 §20.31", private=True),
    Row("Request-Disposition", (INVITE,), "RFC 3841 §9.1"),
    Row("Retry-After", (REFUSAL,), "RFC 3261 §20.33"),
    Row("Session-ID", (INVITE, ANSWER), "RFC 7989"),
    Row("Subject", (INVITE,), "RFC 3261 §20.36", private=True),
    Row("Warning", (REFUSAL,), "RFC 3261 §20.43"),
)


def _names(step: str) -> tuple[str, ...]:
    return tuple(row.name for row in TABLE if step in row.steps)


PASSED_IN_INVITE = frozenset(_names(INVITE))
_IN_ANONYMOUS_INVITE = PASSED_IN_INVITE - {row.name for row in TABLE if row.private}
PASSED_IN_ANSWER = frozenset(_names(ANSWER))
PASSED_IN_INFO = _names(INFO)
_WITH_EVERY_REFUSAL = _names(REFUSAL)


def passed_offer(request: Request, *, hidden: bool = False, user_agent: bool = False) -> Headers:
    """Headers of the caller's INVITE that the callee gets to see.

    `hidden`: the callee must not know who calls; `user_agent`: User-Agent passes (`force_user_agent: false`).
    """
    fields = request.fields
    names = _IN_ANONYMOUS_INVITE if hidden else PASSED_IN_INVITE
    passed = [(name, value) for name in fields if name in names for value in fields[name]]
    if "P-Asserted-Service" not in fields:
        passed += [("P-Asserted-Service", value) for value in fields.get("P-Preferred-Service", ())]
    if user_agent and not hidden and "User-Agent" in fields:
        passed.append(("User-Agent", fields["User-Agent"][0]))
    hops = request.max_forwards
    # RFC 7332 §3: a B2BUA passes the count on, so that a loop through it ends.
    passed.append(("Max-Forwards", str(max(0, (70 if hops is None else hops) - 1))))
    return tuple(passed)


def passed_answer(response: Response, *, user_agent: bool = False) -> Headers:
    """Headers of the callee's 18x or 2xx that the caller gets to see; `user_agent`: Server does too."""
    fields = response.fields
    passed = [(name, value) for name in fields if name in PASSED_IN_ANSWER for value in fields[name]]
    if user_agent:
        own = fields.get("Server") or fields.get("User-Agent")
        if own:
            passed.append(("Server", own[0]))
    return tuple(passed)


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


def passed_refusal(response: Response, *, in_dialog: bool = False) -> tuple[int, str | None, Headers]:
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
