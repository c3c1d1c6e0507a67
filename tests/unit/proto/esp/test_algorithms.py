"""Names, lengths and which pairs make sense."""

from __future__ import annotations

import os

import pytest

from libreims.config.schema import IPSEC_AALG, IPSEC_EALG
from libreims.proto.esp.algorithms import (
    AUTHENTICATION,
    ENCRYPTION,
    is_pair,
    overhead,
    pair,
    pairs,
    refusal,
)
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.keys import expand
from libreims.proto.esp.packet import OutboundSa
from libreims.proto.esp.primitives import missing


def test_every_name_of_the_configuration_is_an_algorithm():
    assert set(AUTHENTICATION) == set(IPSEC_AALG)
    assert set(ENCRYPTION) == set(IPSEC_EALG)


def test_the_pairs_that_make_sense():
    hashes = [a for a in AUTHENTICATION if a.startswith(("hmac", "aes-cmac"))]
    plain = ["null", "aes-cbc", "des-ede3-cbc", "blowfish", "aes-ctr"]
    expected = {(a, e) for a in hashes for e in plain}
    expected |= {("null", e) for e in ("aes-cbc", "des-ede3-cbc", "blowfish", "aes-gcm", "aes-gcm-us")}
    expected |= {("aes-gmac", "null"), ("aes-gmac-us", "null")}
    assert set(pairs()) == expected
    assert all(is_pair(*names) for names in expected)


@pytest.mark.parametrize(
    ("authentication", "encryption", "why"),
    [
        ("null", "null", "cannot both be null"),
        ("null", "aes-ctr", "aes-ctr needs an authentication algorithm"),
        ("hmac-md5-96", "aes-gcm", "aes-gcm checks integrity itself"),
        ("aes-gmac", "aes-gcm", "aes-gcm checks integrity itself"),
        ("aes-gmac", "aes-cbc", "aes-gmac stands alone"),
        ("hmac-sha-256-128", "null", "'hmac-sha-256-128' is no authentication algorithm"),
        ("hmac-md5-96", "des-cbc", "'des-cbc' is no encryption algorithm"),
    ],
)
def test_a_senseless_pair_is_refused_with_its_reason(authentication, encryption, why):
    assert why in (refusal(authentication, encryption) or "")
    assert not is_pair(authentication, encryption)
    with pytest.raises(EspSetupError, match=why):
        pair(authentication, encryption)
    with pytest.raises(EspSetupError, match=why):
        overhead(authentication, encryption)


@pytest.mark.parametrize("names", pairs(), ids="+".join)
def test_the_overhead_is_the_most_that_is_added(names):
    if missing().keys() & set(names):
        pytest.skip(f"OpenSSL has no {'+'.join(names)}")
    keys = expand(*names, bytes(16), bytes(range(16)))
    sa = OutboundSa(256, *names, keys.authentication, keys.encryption, os.urandom)
    added = {len(sa.protect(bytes(length), 17)) - length for length in range(1, 64)}
    assert max(added) == overhead(*names)
