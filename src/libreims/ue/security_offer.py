"""What a phone offers for IPsec, and what it makes of the server's choice (RFC 3329 §2.3.1, TS 33.203 §7.2).

Pure; `ue.security` holds the numbers that stand in an offer and sets up what was chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from libreims.base.errors import LibreImsError
from libreims.proto.esp.algorithms import AUTHENTICATION, ENCRYPTION, is_pair
from libreims.proto.esp.primitives import missing
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Response
from libreims.proto.sip.security_agreement import Ipsec3gpp, Mechanism, mechanisms

Pair = tuple[str, str]
"""Names of an authentication and an encryption algorithm."""

AALG = ("hmac-md5-96", "hmac-sha-1-96")
EALG = ("null", "aes-cbc", "des-ede3-cbc")
"""What most phones offer."""
_LOWEST_SPI = 256
"""Smaller ones are reserved (RFC 4303 §2.1)."""


class SecurityError(LibreImsError):
    """There is no security agreement with this server; the text says why."""


def pairs(aalg: Sequence[str], ealg: Sequence[str]) -> tuple[Pair, ...]:
    """All pairs of two lists that make sense and work on this machine. Raises SecurityError without any."""
    lacking = missing()
    for names, known in ((aalg, AUTHENTICATION), (ealg, ENCRYPTION)):
        for name in names:
            if name not in known:
                raise SecurityError(f"{name!r} is no algorithm of IPsec: use {', '.join(known)}")
    made = [(a, e) for a in aalg for e in ealg if is_pair(a, e)]
    usable = [(a, e) for a, e in made if a not in lacking and e not in lacking]
    if not usable:
        why = ", ".join(f"{name} ({lacking[name]})" for name in (*aalg, *ealg) if name in lacking)
        why = f"this machine lacks {why}" if made else "no two of these go together"
        raise SecurityError(f"{', '.join(aalg)} with {', '.join(ealg)} gives no offer for IPsec: {why}")
    return tuple(dict.fromkeys(usable))


def shown(offered: Iterable[Pair]) -> str:
    """Pairs for people."""
    return ", ".join(f"{a}/{e}" for a, e in offered)


@dataclass(frozen=True, slots=True)
class Offer:
    """One Security-Client: the same SPIs and ports for every pair, as one of them will be chosen."""

    pairs: tuple[Pair, ...]
    spi: int
    """Of packets to the client port; the next one is that of packets to the server port."""
    port_c: int
    port_s: int

    @property
    def header(self) -> str:
        """The value of Security-Client (TS 33.203 Annex H)."""
        return ", ".join(self._proposal(pair).proposal for pair in self.pairs)

    def _proposal(self, pair: Pair) -> Ipsec3gpp:
        return Ipsec3gpp(*pair, self.spi, self.spi + 1, self.port_c, self.port_s)

    def chosen(self, challenge: Response) -> tuple[Ipsec3gpp, Ipsec3gpp]:
        """Our proposal and its counterpart in the Security-Server of a challenge. Raises SecurityError.

        The one that the server likes best of those that we offered; what we did not offer is not taken,
        whoever wrote it there.
        """
        lines = challenge.get_all("Security-Server")
        if not lines:
            raise SecurityError(
                "the server challenges without Security-Server: it has no IPsec, or nothing of "
                f"{shown(self.pairs)}"
            )
        try:
            said = mechanisms(lines)
        except SipParseError as error:
            raise SecurityError(f"Security-Server cannot be read: {error}") from error
        for theirs in _by_preference(said):
            if (theirs.alg, theirs.ealg) in self.pairs:
                return self._proposal((theirs.alg, theirs.ealg)), theirs
        raise SecurityError(
            f"Security-Server says {', '.join(lines)!r}, and nothing of that is what we offered and can be "
            f"set up: ESP in transport mode, SPIs from {_LOWEST_SPI} on, {shown(self.pairs)}"
        )


def _by_preference(said: Iterable[Mechanism]) -> list[Ipsec3gpp]:
    """The mechanisms that can be set up, that with the highest q first (RFC 3329 §2.2)."""
    usable = [
        (_q(each), ipsec) for each in said if (ipsec := each.ipsec()) is not None and _is_possible(ipsec)
    ]
    return [ipsec for _, ipsec in sorted(usable, key=lambda pair: -pair[0])]


def _is_possible(theirs: Ipsec3gpp) -> bool:
    spis: Collection[int] = {theirs.spi_c, theirs.spi_s}
    return min(spis) >= _LOWEST_SPI and len(spis) == 2 and theirs.port_c != theirs.port_s


def _q(mechanism: Mechanism) -> float:
    """The preference; the lowest where there is none that makes sense."""
    try:
        return float(dict(mechanism.params).get("q", "0"))
    except ValueError:
        return 0.0
