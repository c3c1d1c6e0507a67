"""What a procedure decides: the answer to a request, before it is a SIP message."""

from __future__ import annotations

from typing import NamedTuple

Headers = tuple[tuple[str, str], ...]
"""Header fields in order, as (name, value)."""


class Answer(NamedTuple):
    """A response without its dialog and transaction parts, which `UserAgent.respond` adds."""

    status: int
    reason: str | None = None
    """Reason phrase; None for the standard one."""
    headers: Headers = ()
    body: bytes = b""
    content_type: str = ""
