"""Authentication schemes, the order of their strength, and what a subscriber is configured to need.

Manual §7.1, properties `authent_type` and `authent_qop`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from libreims.config.schema import Settings
from libreims.proto.aka.vector import AkaVector
from libreims.proto.sip.digest import AKAV1_MD5, AKAV2_MD5, AKAV2_SHA256, MD5, akav2_password
from libreims.users.subscriber import Subscriber

NO_AUTHENTICATION: Final = "none"
SCHEMES: Final = (NO_AUTHENTICATION, "MD5", "AKAv1", "AKAv2", "AKAv2-SHA-256")
"""Values of `authent_type`, weakest first."""

ALGORITHMS: Final = {"MD5": MD5, "AKAv1": AKAV1_MD5, "AKAv2": AKAV2_MD5, "AKAv2-SHA-256": AKAV2_SHA256}
"""The `algorithm` directive of each scheme (RFC 2617, RFC 3310, RFC 4169, TS 24.229 §7.2A)."""

_LEVELS: Final = {scheme: level for level, scheme in enumerate(SCHEMES)}
_BY_ALGORITHM: Final = {algorithm.lower(): scheme for scheme, algorithm in ALGORITHMS.items()}

QOP: Final = {"none": (), "auth": ("auth",), "auth-int": ("auth-int",), "auth,auth-int": ("auth", "auth-int")}
"""Values of `authent_qop`, and the options that each one offers."""


class AuthenticationProfile(NamedTuple):
    """How one subscriber is authenticated: its own settings over the global ones."""

    impi: str
    realm: str
    """`domain` of the user, else the global one."""
    authent_type: str = "AKAv1"
    """The weakest scheme that will do."""
    qop: tuple[str, ...] = ()
    """The options that a challenge offers; empty: none."""
    proxy_auth: bool = False
    """407 and the proxy headers instead of 401."""
    auth_on_register_only: bool = True


def authentication_profile(settings: Settings, subscriber: Subscriber) -> AuthenticationProfile:
    """The effective settings of a subscriber."""
    own = subscriber.settings
    proxy_auth, register_only = own.proxy_auth, own.auth_on_register_only
    return AuthenticationProfile(
        subscriber.impi,
        own.domain or settings.domain,
        own.authent_type,
        QOP[own.authent_qop],
        settings.proxy_auth if proxy_auth is None else proxy_auth,
        settings.auth_on_register_only if register_only is None else register_only,
    )


def scheme_for(profile: AuthenticationProfile, algorithm: str) -> str:
    """The scheme to use for a client that names `algorithm` ("" when it names none).

    The client's own when that is at least the configured one, else the configured one.
    """
    if not algorithm or algorithm == ALGORITHMS.get(profile.authent_type):
        return profile.authent_type
    offered = _BY_ALGORITHM.get(algorithm.lower())
    if offered is not None and at_least(offered, profile.authent_type):
        return offered
    return profile.authent_type


def at_least(scheme: str, minimum: str) -> bool:
    """Whether a scheme is as strong as another one."""
    return _LEVELS[scheme] >= _LEVELS[minimum]


def aka_password(scheme: str, vector: AkaVector) -> bytes:
    """The one-time password of an AKA scheme: XRES, or derived from XRES, IK and CK in AKAv2."""
    if scheme == "AKAv1":
        return vector.xres
    return akav2_password(ALGORITHMS[scheme], vector.xres, vector.ik, vector.ck)
