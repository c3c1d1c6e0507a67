"""What passes from leg to leg: one table.

Two independent dialogs mean that by default nothing passes; these headers do, since they describe the
call and not the hop (RFC 3261 §20, RFC 3325, RFC 3841, RFC 7315, TS 24.229 §5.4.3.2).
"""

from __future__ import annotations

from libreims.proto.sip.message import Request

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
