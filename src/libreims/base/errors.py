"""The two ways in which something goes wrong on purpose."""

from __future__ import annotations


class LibreImsError(Exception):
    """Something the person in front of the program can mend; the text says what and how."""


class Reject(Exception):
    """Raised anywhere in a SIP procedure, becomes the answer to the request.

    `why` is one plain sentence for the log: who, what, why, and what to change.
    `headers` are added to the response as they are.
    """

    def __init__(
        self,
        status: int,
        why: str,
        *,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.reason = reason
        self.headers = headers
