"""Whose phones a message may go to."""

from __future__ import annotations

from libreims.sms.pending import Pending
from libreims.users.database import Found, SubscriberDatabase


def receivers(users: SubscriberDatabase, pending: Pending) -> tuple[Found, ...]:
    """The users, with the IMPU that is meant, that have the receiving IMPU now; the intended one first.

    Without an IMPU in the message: the IMPUs of its user, those of normal registrations first.
    """
    if pending.impu:
        found = [each for each in users.owners(pending.impu) if each.subscriber is not None]
        found.sort(key=lambda each: each.subscriber is None or each.subscriber.impi != pending.impi)
        return tuple(found)
    subscriber = users.by_impi(pending.impi)
    if subscriber is None:
        return ()
    first = subscriber.registered_with("")
    rest = [each for each in subscriber.impus if each not in first]
    return tuple([Found(subscriber, entry) for entry in (*first, *rest)])
