"""What the server offers, and which proposal of a phone it takes."""

from __future__ import annotations

import pytest

from libreims.config.load import loads
from libreims.config.schema import IPSEC_AALG, IPSEC_EALG
from libreims.ipsec import choice
from libreims.ipsec.choice import Offer, matches, offer_of, proposals
from libreims.proto.esp.algorithms import is_pair
from libreims.proto.sip.security_agreement import Ipsec3gpp, Mechanism, mechanisms


def offer(text: str = "", missing: dict[str, str] | None = None) -> tuple[Offer, list[str]]:
    told: list[str] = []
    return offer_of(loads(f'domain: "d", {text}').settings, missing or {}, told.append), told


def phone(*pairs: tuple[str, str]) -> list[Ipsec3gpp]:
    return [Ipsec3gpp(a, e, 1000 + n, 2000 + n, 5000, 5001) for n, (a, e) in enumerate(pairs)]


def test_unasked_the_server_offers_all_that_protects_integrity() -> None:
    found, told = offer()
    assert found.pairs[0] == ("hmac-sha-1-96", "aes-cbc")
    assert told == []
    assert all(is_pair(*pair) for pair in found.pairs)
    assert {a for a, _ in found.pairs} == set(IPSEC_AALG) and {e for _, e in found.pairs} == set(IPSEC_EALG)
    assert ("null", "aes-cbc") not in found.pairs and ("null", "aes-gcm") in found.pairs
    assert set(choice.AUTHENTICATION) == set(IPSEC_AALG) and set(choice.ENCRYPTION) == set(IPSEC_EALG)


def test_the_lists_are_taken_in_their_order() -> None:
    found, _ = offer(
        'ipsec_aalg_list: ["hmac-md5-96", "null", "hmac-md5-96"], ipsec_ealg_list: ["null", "aes-cbc"]'
    )
    assert found.pairs == (("hmac-md5-96", "null"), ("hmac-md5-96", "aes-cbc"), ("null", "aes-cbc"))
    assert str(found) == "hmac-md5-96 with null, aes-cbc; null with aes-cbc"
    assert [each.params for each in mechanisms([found.header])] == [
        (("alg", a), ("ealg", e), ("mod", "trans"), ("prot", "esp")) for a, e in found.pairs
    ]


def test_what_the_machine_lacks_leaves_the_offer() -> None:
    found, told = offer(missing={"blowfish": "OpenSSL's legacy provider is not there", "hmac-md5-96": "FIPS"})
    assert not {"blowfish", "hmac-md5-96"} & {name for pair in found.pairs for name in pair}
    assert told == [
        "hmac-md5-96 leaves ipsec_aalg_list: it does not work here (FIPS)",
        "blowfish leaves ipsec_ealg_list: it does not work here (OpenSSL's legacy provider is not there)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'ipsec_aalg_list: ["null"], ipsec_ealg_list: ["null"]',
        'ipsec_aalg_list: ["aes-gmac"], ipsec_ealg_list: ["aes-cbc"]',
    ],
)
def test_lists_that_leave_nothing(text: str) -> None:
    found, told = offer(text)
    assert found.pairs == () and str(found) == "none"
    assert len(told) == 1 and "'ipsec: false' is the switch" in told[0]


def test_the_servers_order_counts_not_the_phones() -> None:
    found = Offer((("hmac-sha-1-96", "aes-cbc"), ("hmac-md5-96", "aes-cbc"), ("hmac-sha-1-96", "null")))
    theirs = phone(("hmac-sha-1-96", "null"), ("rot13", "aes-cbc"), ("hmac-md5-96", "aes-cbc"))
    assert list(matches(found, theirs)) == [theirs[2], theirs[0]]
    assert not list(matches(found, phone(("null", "null"))))


def test_of_two_equal_proposals_the_first_one_counts() -> None:
    theirs = phone(("hmac-md5-96", "null"), ("hmac-md5-96", "null"))
    assert list(matches(Offer((("hmac-md5-96", "null"),)), theirs)) == theirs[:1]


@pytest.mark.parametrize(
    ("spi_c", "spi_s", "fits"),
    [(256, 257, True), (255, 257, False), (257, 0, False), (300, 300, False), (0xFFFFFFFF, 256, True)],
)
def test_spis_that_cannot_be(spi_c: int, spi_s: int, fits: bool) -> None:
    proposal = Ipsec3gpp("hmac-md5-96", "null", spi_c, spi_s, 5000, 5001)
    found = proposals([Mechanism.parse("tls"), Mechanism.parse(str(proposal))])
    assert found == ([proposal] if fits else [])


@pytest.mark.parametrize(
    ("client", "why"),
    [
        (
            "tls, ipsec-3gpp;alg=rot13;spi-c=1",
            "offers tls, rot13/null for IPsec, the server hmac-md5-96 with",
        ),
        ("", "offers nothing for IPsec, the server hmac-md5-96 with null: nothing in common"),
        (
            "ipsec-3gpp;alg=hmac-md5-96;spi-c=300;spi-s=301;port-c=65536;port-s=5",
            "offers hmac-md5-96/null for IPsec, with ports or SPIs that cannot be (ports are 1 to 65535",
        ),
        ("ipsec-3gpp;alg=hmac-md5-96;spi-c=300;spi-s=255;port-c=6;port-s=5", "or SPIs that cannot be"),
    ],
)
def test_why_nothing_will_do(client: str, why: str) -> None:
    found = Offer((("hmac-md5-96", "null"),)).misses(mechanisms([client] if client else []))
    assert why in found


def test_what_anybody_can_have_sent_to_anybody_is_short() -> None:
    """494 with everything that there is, one datagram."""
    found, _ = offer()
    assert len(found.header) < 1400 and len(str(found)) < 250
