"""P-Charging-Vector: what ties together the charging records of all who handle one call (RFC 7315 §4.6).

It stays among network elements (TS 24.229 §5.2.7, §5.4.3): a phone neither gets nor sets it.  A proxy on a
phone's path and the trunk are network elements.
"""

from __future__ import annotations

from functools import lru_cache

from libreims.base.errors import Reject
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import parse_params, quote

NAME = "P-Charging-Vector"


def new_vector(icid: str, origin: str) -> str:
    """The value for a call that begins here; `icid` is globally unique, `origin` our network."""
    return f'icid-value="{icid}";orig-ioi={_value(origin)}'


def icid_of(vector: str) -> str:
    """The identifier of the call. Raises Reject (400) where there is none."""
    try:
        icid = parse_params(vector).get("icid-value")
    except SipParseError as error:
        raise Reject(400, f"{NAME} {vector} cannot be read: {error.reason}") from error
    if not icid:
        raise Reject(400, f"{NAME} {vector} has no icid-value (RFC 7315 §4.6)")
    return icid


def answered(vector: str, network: str) -> str:
    """The same vector in a response: who ends the call is added (TS 24.229 §5.4.3.3)."""
    if "term-ioi" in parse_params(vector):
        return vector
    return f"{vector};term-ioi={_value(network)}"


@lru_cache(maxsize=16)
def _value(text: str) -> str:
    return text if all(char.isalnum() or char in "-." for char in text) else quote(text)
