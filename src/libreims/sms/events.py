"""What the SMS centre tells on the bus."""

from __future__ import annotations

from typing import NamedTuple


class SmsReceived(NamedTuple):
    """Event: a message came in from a phone or the trunk (`sms` event of the remote API).

    `sms_hook_only` asks whether anyone listens to this class: whoever serves clients subscribes while there
    is one that wants it, no longer.
    """

    sender: str
    """Number or name, as the receiver of the message would see it."""
    destination: str
    text: str | None
    """None for what is no text."""
    binary: bytes
    """TP-User-Data, header included."""
    dcs: int
    date: float
    """UTC."""


class PendingChanged(NamedTuple):
    """Event: the number of messages that wait for a user has changed."""

    impi: str
    pending: int
