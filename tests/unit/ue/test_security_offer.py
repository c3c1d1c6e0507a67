"""What a phone offers for IPsec and what it takes of the answer (RFC 3329 §2.3.1)."""

from __future__ import annotations

import random

import pytest

from libreims.proto.esp.primitives import missing
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.security_agreement import mechanisms
from libreims.ue import security_offer
from libreims.ue.security_offer import AALG, EALG, Offer, SecurityError, pairs, shown

OFFER = Offer((("hmac-md5-96", "null"), ("hmac-sha-1-96", "aes-cbc")), 0x1000, 10001, 10000)
SERVER = "spi-c=4000;spi-s=4001;port-c=20000;port-s=20001"


def challenge(*said: str) -> Response:
    request = Request.build(
        "REGISTER",
        "sip:ims.test",
        [("From", "<sip:a@b>;tag=1"), ("To", "<sip:a@b>"), ("Call-ID", "x"), ("CSeq", "1 REGISTER")],
    )
    return Response.to_request(request, 401, headers=[("Security-Server", line) for line in said])


def test_the_default_is_what_most_phones_offer() -> None:
    usable = pairs(AALG, EALG)
    assert len(usable) == 2 * len([each for each in EALG if each not in missing()])
    assert shown(usable).startswith("hmac-md5-96/null, hmac-md5-96/aes-cbc")


def test_the_header_is_what_a_server_reads() -> None:
    made = [each.ipsec() for each in mechanisms([OFFER.header])]
    assert [(each.alg, each.ealg) for each in made if each is not None] == list(OFFER.pairs)
    assert {(each.spi_c, each.spi_s, each.port_c, each.port_s) for each in made if each is not None} == {
        (0x1000, 0x1001, 10001, 10000)
    }
    assert "q=" not in OFFER.header


@pytest.mark.parametrize(
    ("aalg", "ealg", "words"),
    [
        (["hmac-sha-2"], ["null"], "'hmac-sha-2' is no algorithm of IPsec: use null, hmac-md5-96"),
        (["null"], ["rot13"], "'rot13' is no algorithm of IPsec"),
        (["null"], ["null", "aes-ctr"], "null with null, aes-ctr gives no offer for IPsec: no two of these"),
    ],
)
def test_lists_that_make_no_offer(aalg: list[str], ealg: list[str], words: str) -> None:
    with pytest.raises(SecurityError, match=words):
        pairs(aalg, ealg)


def test_what_the_machine_lacks_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_offer, "missing", lambda: {"des-ede3-cbc": "OpenSSL has none"})
    assert all(ealg != "des-ede3-cbc" for _, ealg in pairs(AALG, EALG))
    with pytest.raises(SecurityError, match=r"this machine lacks des-ede3-cbc \(OpenSSL has none\)"):
        pairs(AALG, ["des-ede3-cbc"])


def test_the_choice_with_the_highest_preference_is_taken() -> None:
    ours, theirs = OFFER.chosen(
        challenge(
            f"ipsec-3gpp;q=0.1;alg=hmac-md5-96;{SERVER}, tls;q=0.9",
            f"ipsec-3gpp;q=0.5;alg=hmac-sha-1-96;ealg=aes-cbc;{SERVER}",
        )
    )
    assert (ours.alg, ours.ealg, ours.spi_c, ours.port_s) == ("hmac-sha-1-96", "aes-cbc", 0x1000, 10000)
    assert (theirs.spi_c, theirs.spi_s, theirs.port_c, theirs.port_s) == (4000, 4001, 20000, 20001)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "without Security-Server: it has no IPsec, or nothing of hmac-md5-96/null, hmac-sha-1-96"),
        ([f"ipsec-3gpp;alg=hmac-md5-96;ealg=aes-cbc;{SERVER}"], "nothing of that is what we offered"),
        ([f"ipsec-3gpp;alg=null;ealg=null;{SERVER}"], "nothing of that is what we offered"),
        ([f"ipsec-3gpp;prot=ah;alg=hmac-md5-96;{SERVER}"], "nothing of that is what we offered"),
        ([f"ipsec-3gpp;mod=tun;alg=hmac-md5-96;{SERVER}"], "nothing of that is what we offered"),
        (["ipsec-3gpp;alg=hmac-md5-96"], "nothing of that is what we offered"),
        (
            ["ipsec-3gpp;alg=hmac-md5-96;spi-c=4000;spi-s=4000;port-c=1;port-s=2"],
            "nothing of that is what we offered",
        ),
        (
            ["ipsec-3gpp;alg=hmac-md5-96;spi-c=255;spi-s=4000;port-c=1;port-s=2"],
            "nothing of that is what we offered",
        ),
        (
            ["ipsec-3gpp;alg=hmac-md5-96;spi-c=4000;spi-s=4001;port-c=7;port-s=7"],
            "nothing of that is what we offered",
        ),
        (["ipsec-3gpp;alg==;;="], "Security-Server cannot be read"),
    ],
)
def test_what_is_not_taken(said: list[str], words: str) -> None:
    with pytest.raises(SecurityError, match=words):
        OFFER.chosen(challenge(*said))


def test_any_header_is_taken_or_refused() -> None:
    dice = random.Random(3)
    good = f"ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;ealg=aes-cbc;{SERVER}"
    taken = 0
    for _ in range(3000):
        line = list(good)
        for _ in range(dice.randrange(4)):
            place = dice.randrange(len(line))
            line[place : place + dice.randrange(3)] = dice.choice(
                (";", "=", ",", '"', "0", "9", "ipsec", "\xe9", "")
            )
        try:
            ours, theirs = OFFER.chosen(challenge("".join(line)))
        except SecurityError:
            continue
        taken += 1
        assert (ours.alg, ours.ealg) == (theirs.alg, theirs.ealg) in OFFER.pairs
        assert min(theirs.spi_c, theirs.spi_s) >= 256 and min(theirs.port_c, theirs.port_s) > 0
    assert 500 < taken < 2500


def test_a_preference_that_is_none_comes_last() -> None:
    ours, _ = OFFER.chosen(
        challenge(
            f"ipsec-3gpp;q=x;alg=hmac-md5-96;{SERVER}",
            f"ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;ealg=aes-cbc;{SERVER}",
        )
    )
    assert ours.alg == "hmac-sha-1-96"
