"""What the credentials of a request say: pure checks, no state (RFC 2617 §3.2.2, §3.3)."""

from __future__ import annotations

from libreims.base.errors import Reject
from libreims.hss.port import DigestSecret
from libreims.proto.sip.digest import Credentials, response, same
from libreims.proto.sip.message import Request, delta_seconds
from libreims.registrar.schemes import ALGORITHMS, AuthenticationProfile

_KNOWN_QOP = frozenset({"", "auth", "auth-int"})


def check_form(profile: AuthenticationProfile, credentials: Credentials) -> None:
    """Raise Reject (400) where directives that belong together are missing (RFC 2617 §3.2.2)."""
    qop = credentials.qop
    if qop not in _KNOWN_QOP:
        raise Reject(400, f"{profile.impi} answered with a qop that does not exist: use auth or auth-int.")
    if qop and (not credentials.nonce_count or not credentials.cnonce):
        raise Reject(
            400, f"{profile.impi} answered with qop={qop} but without nc of 8 hexadecimal digits and cnonce."
        )


def is_right(
    request: Request,
    profile: AuthenticationProfile,
    credentials: Credentials,
    scheme: str,
    secret: DigestSecret,
    *,
    realm: str | None = None,
    body: bytes | None = None,
) -> bool:
    """Whether the response fits the secret; the algorithm is ours, whatever the client names.

    `realm` and `body` stand in for the profile's and the request's, to find out what went wrong.
    """
    expected = response(
        algorithm=ALGORITHMS[scheme],
        username=credentials.username,
        realm=profile.realm if realm is None else realm,
        password=secret.password,
        ha1=secret.ha1,
        method=request.method,
        uri=credentials.uri,
        nonce=credentials.nonce,
        qop=credentials.qop,
        nc=credentials.nc,
        cnonce=credentials.cnonce,
        body=request.body if body is None else body,
    )
    return same(expected, credentials.response)


def qop_fault(profile: AuthenticationProfile, credentials: Credentials) -> str:
    """Why the chosen qop will not do; empty when it will.

    What is stronger than asked for is taken: a phone may protect an answer of its own accord.
    """
    if not profile.qop or credentials.qop in profile.qop or credentials.qop == "auth-int":
        return ""
    return (
        f"{profile.impi} answered with qop={credentials.qop or 'none'}, but authent_qop asks for "
        f"{' or '.join(profile.qop)}: change authent_qop or the phone."
    )


def deregisters(request: Request) -> bool:
    """Whether a REGISTER only removes bindings (RFC 3261 §10.2.2)."""
    contacts = request.contacts
    if not contacts:
        return request.contacts_star and request.expires == 0
    for contact in contacts:
        own = contact.params.get("expires")
        seconds = request.expires if own is None else delta_seconds(own)
        if seconds != 0:
            return False
    return True
