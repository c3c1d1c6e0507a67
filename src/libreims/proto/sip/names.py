"""Names of SIP header fields: canonical spelling and compact forms (IANA registry, RFC 3261 §7.3.3)."""

from __future__ import annotations

from typing import Final

_CANONICAL: Final = """
Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Additional-Identity Alert-Info
Allow Allow-Events Answer-Mode Attestation-Info Authentication-Info Authorization
Call-ID Call-Info Cellular-Network-Info Contact Content-Disposition Content-Encoding Content-ID
Content-Language Content-Length Content-Type CSeq Date DC-Info Encryption Error-Info Event Expires
Feature-Caps Flow-Timer From Geolocation Geolocation-Error Geolocation-Routing Hide History-Info
Identity Identity-Info Info-Package In-Reply-To Join Max-Breadth Max-Forwards MIME-Version Min-Expires Min-SE
Organization Origination-Id P-Access-Network-Info P-Answer-State P-Asserted-Identity P-Asserted-Service
P-Associated-URI P-Called-Party-ID P-Charge-Info P-Charging-Function-Addresses P-Charging-Vector
P-DCS-Trace-Party-ID P-DCS-OSPS P-DCS-Billing-Info P-DCS-LAES P-DCS-Redirect P-Early-Media
P-Media-Authorization P-Preferred-Identity P-Preferred-Service P-Private-Network-Indication P-Profile-Key
P-Refused-URI-List P-Served-User P-User-Database P-Visited-Network-ID Path Permission-Missing Policy-Contact
Policy-ID Priority Priority-Share Priority-Verstat Priv-Answer-Mode Privacy Proxy-Authenticate
Proxy-Authentication-Info Proxy-Authorization Proxy-Require RAck Reason Reason-Phrase Record-Route Recv-Info
Refer-Events-At Refer-Sub Refer-To Referred-By Reject-Contact Relayed-Charge Replaces Reply-To
Request-Disposition Require Resource-Priority Resource-Share Response-Key Response-Source
Restoration-Info Retry-After Route RSeq
Security-Client Security-Server Security-Verify Server Service-Interact-Info Service-Route Session-Expires
Session-ID SIP-ETag SIP-If-Match Subject Subscription-State Supported Suppress-If-Match Target-Dialog
Timestamp To Trigger-Consent Unsupported User-Agent User-to-User Via Warning WWW-Authenticate
"""

COMPACT: Final[dict[str, str]] = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
"""Compact form (lower case) to canonical name: RFC 3261, 3841, 3515, 3892, 4028, 4474, 6665."""


def _spellings() -> dict[str, str]:
    table: dict[str, str] = {}
    for name in _CANONICAL.split():
        table[name] = table[name.lower()] = table[name.upper()] = name
    for letter, name in COMPACT.items():
        table[letter] = table[letter.upper()] = name
    return table


SPELLINGS: Final[dict[str, str]] = _spellings()
"""Usual spellings of the known names to the canonical one; other spellings go through `canonical`."""


def canonical(name: str) -> str:
    """The canonical spelling of a header name or compact form; an unknown name comes back as it is."""
    known = SPELLINGS.get(name)
    if known is None:
        known = SPELLINGS.get(name.lower())
    return name if known is None else known
