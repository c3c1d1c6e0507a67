"""Which algorithms the server offers, and which of a phone's proposals it takes (TS 33.203 §7.2).

The first pair of the server's own order that the phone offers too: the place in `ipsec_aalg_list` counts
first, then that in `ipsec_ealg_list`.  Used by `ipsec.agreements`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from libreims.config.schema import Settings
from libreims.proto.esp.algorithms import NULL, is_pair
from libreims.proto.sip.security_agreement import IPSEC_3GPP, Ipsec3gpp, Mechanism

AUTHENTICATION = (
    "hmac-sha-1-96",
    "hmac-md5-96",
    "aes-gmac",
    "aes-cmac-96",
    "hmac-sha-1-160",
    "hmac-md5-128",
    "aes-gmac-us",
    NULL,
)
"""The order where `ipsec_aalg_list` is not set: what every phone has first; null for AES-GCM only."""
ENCRYPTION = ("aes-cbc", "aes-gcm", "aes-ctr", "des-ede3-cbc", "blowfish", "aes-gcm-us", NULL)
"""The order where `ipsec_ealg_list` is not set."""
LOWEST_SPI = 256
"""Smaller ones are reserved (RFC 4303 §2.1)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server can do, in its order of preference."""

    pairs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return shown(self.pairs)

    @property
    def header(self) -> str:
        """A Security-Server that only tells what there is: no ports and SPIs are set aside for it.

        Without what goes without saying (`prot`, `mod`): anybody can have this sent to anybody.
        """
        return ", ".join(f"{IPSEC_3GPP};alg={a};ealg={e}" for a, e in self.pairs)

    def misses(self, mechanisms: Iterable[Mechanism]) -> str:
        """Why nothing of what a phone offers will do, for a log line."""
        named, mechanisms = [], tuple(mechanisms)
        for each in mechanisms:
            params = dict(each.params)
            named.append((params.get("alg", each.name)[:30], params.get("ealg", "")[:30]))
        offers = ascii(", ".join(dict.fromkeys("/".join(pair).rstrip("/") for pair in named))[:300])[1:-1]
        usable = {(each.alg, each.ealg) for each in proposals(mechanisms)}
        if any(pair in self.pairs and pair not in usable for pair in named):
            return f"offers {offers or 'nothing'} for IPsec, with ports or SPIs that cannot be ({_NUMBERS})"
        return f"offers {offers or 'nothing'} for IPsec, the server {self}: nothing in common"


_NUMBERS = "ports are 1 to 65535, SPIs 256 to 4294967295, spi-c is not spi-s"


def shown(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs of algorithms for a log line: `a, b with c, d; e with f`."""
    of_each: dict[str, list[str]] = {}
    for authentication, encryption in pairs:
        of_each.setdefault(authentication, []).append(encryption)
    together: dict[tuple[str, ...], list[str]] = {}
    for authentication, all_ in of_each.items():
        together.setdefault(tuple(all_), []).append(authentication)
    return "; ".join(f"{', '.join(a)} with {', '.join(e)}" for e, a in together.items()) or "none"


def offer_of(settings: Settings, missing: Mapping[str, str], tell: Callable[[str], None]) -> Offer:
    """The pairs that the settings and this machine allow; `tell` hears what is left out, and why."""
    names = [settings.ipsec_aalg_list or AUTHENTICATION, settings.ipsec_ealg_list or ENCRYPTION]
    usable = []
    for name, wanted in zip(("ipsec_aalg_list", "ipsec_ealg_list"), names, strict=True):
        for algorithm in wanted:
            if algorithm in missing:
                tell(f"{algorithm} leaves {name}: it does not work here ({missing[algorithm]})")
        usable.append([algorithm for algorithm in wanted if algorithm not in missing])
    pairs = [(a, e) for a in usable[0] for e in usable[1] if is_pair(a, e)]
    if not settings.ipsec_aalg_list:
        # Encryption without integrity is nothing that a server should offer unasked (RFC 4303 §2).
        pairs = [(a, e) for a, e in pairs if a != NULL or e.startswith("aes-gcm")]
    if not pairs:
        tell(
            "no pair of ipsec_aalg_list and ipsec_ealg_list is left: phones that require IPsec get 420. "
            "If it is meant to be off, 'ipsec: false' is the switch; else add hmac-sha-1-96 and aes-cbc"
        )
    return Offer(tuple(dict.fromkeys(pairs)))


def proposals(mechanisms: Iterable[Mechanism]) -> list[Ipsec3gpp]:
    """What a phone offers and could be done: the others name other mechanisms or SPIs that cannot be."""
    found = []
    for mechanism in mechanisms:
        proposal = mechanism.ipsec()
        if (
            proposal is not None
            and min(proposal.spi_c, proposal.spi_s) >= LOWEST_SPI
            and proposal.spi_c != proposal.spi_s
        ):
            found.append(proposal)
    return found


def matches(offer: Offer, theirs: Iterable[Ipsec3gpp]) -> Iterator[Ipsec3gpp]:
    """The proposals that the server can accept, the one that it likes best first."""
    by_pair: dict[tuple[str, str], Ipsec3gpp] = {}
    for proposal in theirs:
        by_pair.setdefault((proposal.alg, proposal.ealg), proposal)
    for pair in offer.pairs:
        if pair in by_pair:
            yield by_pair[pair]
