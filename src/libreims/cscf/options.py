"""The SIP extensions of the server, by their option tags (RFC 3261 §19.2)."""

from __future__ import annotations

from typing import Final

EXTENSIONS: Final = frozenset({"path", "pref", "sec-agree", "100rel", "timer", "precondition"})
"""Option tags that a request may `Require`.  Whether a security agreement can be made is the registrar's to
say: a phone that registered without one requires it in later requests all the same.  Whether 100rel and
preconditions are switched on for a caller is the call's to say."""

_SUPPORTED: Final = {
    (reliable, precondition): ", ".join(
        ["path", "timer"] + ["100rel"] * reliable + ["precondition"] * precondition
    )
    for reliable in (False, True)
    for precondition in (False, True)
}


def supported(*, reliable: bool, precondition: bool) -> str:
    """The value of Supported (RFC 3261 §20.37); preconditions need reliable responses (RFC 3312 §11)."""
    return _SUPPORTED[reliable, precondition and reliable]
