"""What is counted: the names in `stats`, with a line that says what each is (monitor: `cevent help`).

A test holds it against the places that count.
"""

from __future__ import annotations

from typing import Final

from libreims.proto.sip.reasons import REASONS

_METHODS = (
    "REGISTER",
    "SUBSCRIBE",
    "NOTIFY",
    "INVITE",
    "ACK",
    "PRACK",
    "UPDATE",
    "INFO",
    "BYE",
    "CANCEL",
    "MESSAGE",
    "OPTIONS",
)

MESSAGES: Final[dict[str, str]] = {
    "call": "Calls begun",
    **{f"sip_{method.lower()}": f"{method} requests, received and sent" for method in _METHODS},
    **{f"sip_{status}": f"{status} {reason}, received and sent" for status, reason in REASONS.items()},
}
ERRORS: Final[dict[str, str]] = {
    "com_authentication": "Clients of the remote API with a wrong password",
    "internal": "Faults of the program; the log has them in full",
    "sip_bad_message": "Requests against the rules of SIP",
    "sip_bad_response": "Responses against the rules of SIP",
    "sip_stray_response": "Responses to requests that nobody sent",
    "sip_timeout": "Requests that nobody answered",
    "sip_unprotected": "Requests outside the IPsec that their phone registered with",
    "sms_rp_error": "SMS that a phone or the centre refused",
}
