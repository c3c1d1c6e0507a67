"""What the registrar asks of a home subscriber server (HSS), built in or behind Cx (TS 29.228 §6.3).

The answer to "authenticate this user" is either an AKA vector or what is needed to check a password.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from libreims.proto.aka.vector import AkaVector


class HssFailure(enum.Enum):
    """Why the HSS gives no vector."""

    UNKNOWN_USER = "unknown user"
    NO_KEY = "no key"
    """The user exists but has nothing to authenticate with by this scheme."""
    BAD_AUTS = "bad AUTS"
    """The resynchronisation does not carry the right MAC-S (TS 33.102 §6.3.5)."""
    UNAVAILABLE = "unavailable"
    """The HSS does not answer, or cannot just now."""


class HssError(Exception):
    """No vector; `why` is a plain sentence for the log: who, what, and what to change."""

    def __init__(self, kind: HssFailure, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


@dataclass(frozen=True, slots=True)
class Resync:
    """A card's request to resynchronise (TS 33.102 §6.3.5)."""

    rand: bytes
    """RAND of the challenge that the card refused, 16 octets."""
    auts: bytes
    """14 octets."""


@dataclass(slots=True, unsafe_hash=True)
class DigestSecret:
    """What checks an MD5 response: HA1 of the user name and realm (Cx), or the password itself."""

    ha1: str | None = field(default=None, repr=False)
    password: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A vector made with another reading of the user's values, to find out whether that one is right."""

    vector: AkaVector
    advice: str
    """What to change in the configuration if a phone can answer it."""


class Hss(Protocol):
    """A source of authentication vectors."""

    async def authentication_vector(
        self, impi: str, scheme: str, resync: Resync | None = None
    ) -> AkaVector | DigestSecret:
        """A fresh AKA vector, or the secret when `scheme` is "MD5".

        `scheme` is a value of the property `authent_type` but "none".  With `resync` the card's SQN is
        taken over first.  Raises HssError.
        """

    async def trial(self, impi: str) -> Trial | None:
        """A vector from the likeliest misreading of the user's values; None where there is none to try.

        Asked for after a phone could not verify a challenge, whose keys were then certainly not its own.
        """

    def explain(self, impi: str, rand: bytes, fits: Callable[[AkaVector], bool]) -> str:
        """What to change, when a response is wrong: tries other readings of the user's values.

        `fits` says whether a vector (its XRES, CK and IK) would make the response right.  Empty when nothing
        fits or the keys are not here.
        """
