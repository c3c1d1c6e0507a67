"""Whose registration a REGISTER is: private identity from the credentials, public identity from To.

Every refusal says what was asked, what is configured and what to change (TS 24.229 §5.4.1.2, RFC 3261 §10.3
steps 3 to 5).
"""

from __future__ import annotations

from typing import NamedTuple

from libreims.base.errors import Reject
from libreims.proto.sip.digest import Credentials
from libreims.proto.sip.message import Request
from libreims.users.database import SubscriberDatabase
from libreims.users.impu import candidates
from libreims.users.subscriber import ImpuEntry, Subscriber


class Identity(NamedTuple):
    """Who registers, and as what."""

    subscriber: Subscriber
    aor: str
    """Key of the IMPU in To."""
    entry: ImpuEntry | None
    """None for the temporary public identity made from the IMSI (TS 23.003 §13.4B)."""


def identify(request: Request, database: SubscriberDatabase, domain: str) -> Identity:
    """Find the user and the IMPU of a REGISTER. Raises Reject (403, 404)."""
    keys = candidates(request.to.uri)
    username = username_of(request)
    if username:
        subscriber = _by_username(username, keys, database, domain)
        if subscriber is None:
            raise _unknown_impi(username, database)
    else:
        subscriber = _by_aor(request, keys, database)
    entry = subscriber.entry(keys)
    if entry is not None:
        return Identity(subscriber, entry.key, entry)
    user = request.to.uri.user
    if subscriber.imsi and user == subscriber.imsi:
        return Identity(subscriber, f"sip:{user}", None)
    known = ", ".join(entry.key for entry in subscriber.impus) or "none"
    raise Reject(
        403,
        f"{subscriber.impi} may not register as {request.to.uri_text}: its IMPUs are {known}. "
        "Add the IMPU to its ue_db entry or correct it in the phone.",
    )


def username_of(request: Request) -> str:
    """The `username` of the credentials, the IMPI; empty without credentials. Raises SipParseError (400)."""
    text = request.get("Authorization") or request.get("Proxy-Authorization")
    if text is None:
        return ""
    start = text.find('username="') + 10
    if start >= 10:
        end = text.find('"', start)
        if end > 0 and "\\" not in text:
            return text[start:end]
    return Credentials.parse(text).username


def _by_username(
    username: str, keys: tuple[str, ...], database: SubscriberDatabase, domain: str
) -> Subscriber | None:
    subscriber = database.by_username(username, domain)
    if subscriber is None and "@" not in username:
        # A soft phone whose user has a domain of its own: the account name is the IMPI without it.
        for owner, _ in database.find(keys):
            if owner is not None and owner.impi.partition("@")[0] == username:
                return owner
    return subscriber


def _by_aor(request: Request, keys: tuple[str, ...], database: SubscriberDatabase) -> Subscriber:
    """The user of a REGISTER without credentials, the first step of a soft phone."""
    owners = [owner for owner, _ in database.find(keys) if owner is not None]
    if owners:
        return owners[0]
    subscriber = database.by_imsi(request.to.uri.user)
    if subscriber is not None:
        return subscriber
    if database.find(keys):
        raise Reject(403, f"{request.to.uri_text} is a number of the echo list: nobody can register as it.")
    raise Reject(
        404,
        f"Nobody in ue_db has the IMPU {request.to.uri_text} and the REGISTER names no IMPI: "
        "add the IMPU to a user or correct it in the phone.",
    )


def _unknown_impi(username: str, database: SubscriberDatabase) -> Reject:
    closest = database.closest_impi(username)
    if closest is None:
        hint = f"ue_db has {len(database)} users and none like it. Add one"
    else:
        hint = f"the closest one configured is {closest}. Add one, or correct that one"
    return Reject(403, f"There is no user with the IMPI {username}: {hint}: impi is what the phone sends.")
