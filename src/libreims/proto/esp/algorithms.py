"""The algorithms of IPsec for IMS: names, lengths, which pairs make sense, what this machine lacks.

Names are those of `ipsec_aalg_list` and `ipsec_ealg_list`, which for the standard ones are those of the
Security-Client header (TS 33.203 Annex H).  Used by `keys`, by the transforms, and by who makes an offer.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from libreims.proto.esp.errors import EspSetupError

NULL: Final = "null"


@dataclass(frozen=True, slots=True)
class Authentication:
    """An integrity algorithm; lengths in octets."""

    name: str
    key_length: int
    """Without the salt."""
    icv_length: int
    salt_length: int = 0
    iv_length: int = 0
    """AES-GMAC carries an IV of its own (RFC 4543 §3.1)."""

    @property
    def is_gmac(self) -> bool:
        """Whether it is a mode of AES-GCM, which stands alone."""
        return self.salt_length > 0


@dataclass(frozen=True, slots=True)
class Encryption:
    """A confidentiality algorithm; lengths in octets."""

    name: str
    key_length: int
    """Without the salt."""
    iv_length: int = 0
    alignment: int = 4
    """Payload, padding and trailer together are a multiple of this (RFC 4303 §2.4)."""
    salt_length: int = 0
    """Octets at the end of the key that begin each nonce (RFC 3686 §4, RFC 4106 §4)."""
    icv_length: int = 0
    """Not 0 for a combined algorithm, which checks integrity too."""

    @property
    def is_combined(self) -> bool:
        """Whether it encrypts and authenticates in one (RFC 4303 §3.2.3)."""
        return self.icv_length > 0


AUTHENTICATION: Final[Mapping[str, Authentication]] = types.MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            Authentication(NULL, 0, 0),
            Authentication("hmac-md5-96", 16, 12),  # RFC 2403
            Authentication("hmac-md5-128", 16, 16),  # RFC 4595 §5.3: not truncated
            Authentication("hmac-sha-1-96", 20, 12),  # RFC 2404
            Authentication("hmac-sha-1-160", 20, 20),  # RFC 4595 §5.4: not truncated
            Authentication("aes-cmac-96", 16, 12),  # RFC 4494
            Authentication("aes-gmac", 16, 16, salt_length=4, iv_length=8),  # RFC 4543
            Authentication("aes-gmac-us", 16, 16, salt_length=4, iv_length=8),
        )
    }
)
ENCRYPTION: Final[Mapping[str, Encryption]] = types.MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            Encryption(NULL, 0),  # RFC 2410
            Encryption("aes-cbc", 16, 16, 16),  # RFC 3602
            Encryption("des-ede3-cbc", 24, 8, 8),  # RFC 2451
            Encryption("blowfish", 16, 8, 8),  # RFC 2451: 128 bits, the default length
            Encryption("aes-ctr", 16, 8, salt_length=4),  # RFC 3686
            Encryption("aes-gcm", 16, 8, salt_length=4, icv_length=16),  # RFC 4106
            Encryption("aes-gcm-us", 16, 8, salt_length=4, icv_length=16),
        )
    }
)


def refusal(authentication: str, encryption: str) -> str | None:
    """Why these two make no association, as a sentence; None if they do."""
    if authentication not in AUTHENTICATION:
        return f"{authentication!r} is no authentication algorithm; there are {', '.join(AUTHENTICATION)}"
    if encryption not in ENCRYPTION:
        return f"{encryption!r} is no encryption algorithm; there are {', '.join(ENCRYPTION)}"
    if ENCRYPTION[encryption].is_combined:
        if authentication != NULL:
            return f"{encryption} checks integrity itself: it goes with authentication null (RFC 4106 §7)"
    elif AUTHENTICATION[authentication].is_gmac:
        if encryption != NULL:
            return f"{authentication} stands alone: it goes with encryption null (RFC 4543 §3)"
    elif authentication == NULL:
        if encryption == NULL:
            return "authentication and encryption cannot both be null (RFC 4303 §3.2)"
        if encryption == "aes-ctr":
            return "aes-ctr needs an authentication algorithm (RFC 3686 §7)"
    return None


def is_pair(authentication: str, encryption: str) -> bool:
    """Whether an association can have these two."""
    return refusal(authentication, encryption) is None


def pair(authentication: str, encryption: str) -> tuple[Authentication, Encryption]:
    """The two algorithms.  Raises EspSetupError if they are unknown or make no sense together."""
    why = refusal(authentication, encryption)
    if why is not None:
        raise EspSetupError(why)
    return AUTHENTICATION[authentication], ENCRYPTION[encryption]


def pairs() -> list[tuple[str, str]]:
    """All names that make sense together, in the order of the tables."""
    return [(a, e) for a in AUTHENTICATION for e in ENCRYPTION if is_pair(a, e)]


def overhead(authentication: str, encryption: str) -> int:
    """The most that ESP adds to a payload, in octets: for whoever must keep packets below an MTU."""
    a, e = pair(authentication, encryption)
    return 8 + a.iv_length + e.iv_length + (e.alignment - 1) + 2 + a.icv_length + e.icv_length
