"""What everything in `proto.ip` raises about octets that are no such packet."""

from __future__ import annotations


class IpError(ValueError):
    """Malformed, or of a kind that has no place inside ESP; the text says what is wrong, in a few words."""
