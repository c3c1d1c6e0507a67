"""Whose phones a message may go to."""

from __future__ import annotations

from libreims.sms.pending import Pending
from libreims.users.database import Found, SubscriberDatabase, all_of


def receivers(users: SubscriberDatabase, pending: Pending) -> tuple[Found, ...]:
    """The users, with the IMPU that is meant, that have the receiving IMPU now; the intended one first.

    Without an IMPU in the message: the IMPUs of its user, those of normal registrations first.
    """
    if pending.impu:
        found = [each for each in users.owners(pending.impu) if each.subscriber is not None]
        found.sort(key=lambda each: each.subscriber is None or each.subscriber.impi != pending.impi)
        return tuple(found)
    subscriber = users.by_impi(pending.impi)
    return all_of(subscriber) if subscriber is not None else ()
