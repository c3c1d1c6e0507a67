"""The answer to a request whose result could not be written: `registrar` and whoever else keeps things."""

from __future__ import annotations

from libreims.base.errors import Reject
from libreims.store.port import StoreError

RETRY_AFTER = 60
"""Seconds after which a phone may try again."""


def not_kept(what: str, error: StoreError) -> Reject:
    """500 with Retry-After (RFC 3261 §21.5.1): the condition is temporary, and no fault of the request."""
    return Reject(
        500,
        f"{what} is refused, as it cannot be kept: {error}.",
        headers=(("Retry-After", str(RETRY_AFTER)),),
    )
