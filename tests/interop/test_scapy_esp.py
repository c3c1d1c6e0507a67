"""Scapy's ESP as peer: each takes what the other protects, with every algorithm that it has."""

from __future__ import annotations

import os
import warnings

import pytest

from libreims.proto.esp.algorithms import pairs
from libreims.proto.esp.keys import EspKeys, expand
from libreims.proto.esp.packet import InboundSa, OutboundSa
from libreims.proto.esp.primitives import missing

with warnings.catch_warnings():
    # Scapy takes old ciphers from where `cryptography` will have them no more.
    warnings.simplefilter("ignore")
    ipsec = pytest.importorskip("scapy.layers.ipsec", reason="not installed: scapy")
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6

ENCRYPTION = {
    "null": "NULL",
    "aes-cbc": "AES-CBC",
    "des-ede3-cbc": "3DES",
    "blowfish": "Blowfish",
    "aes-ctr": "AES-CTR",
    "aes-gcm": "AES-GCM",
    "aes-gcm-us": "AES-GCM",
}
AUTHENTICATION = {
    "null": "NULL",
    "hmac-md5-96": "HMAC-MD5-96",
    "hmac-sha-1-96": "HMAC-SHA1-96",
    "aes-cmac-96": "AES-CMAC-96",
}
GMAC = "AES-NULL-GMAC"
LACKING = missing()
PAIRS = [
    pair
    for pair in pairs()
    if (pair[0] in AUTHENTICATION or "gmac" in pair[0]) and not LACKING.keys() & set(pair)
]
"""It has no hmac-md5-128 and no hmac-sha-1-160."""
SPI = 0xDEADBEEF
IK, CK = os.urandom(16), os.urandom(16)


def scapys(pair: tuple[str, str], keys: EspKeys) -> ipsec.SecurityAssociation:
    authentication, encryption = pair
    if "gmac" in authentication:
        return ipsec.SecurityAssociation(ipsec.ESP, spi=SPI, crypt_algo=GMAC, crypt_key=keys.authentication)
    return ipsec.SecurityAssociation(
        ipsec.ESP,
        spi=SPI,
        crypt_algo=ENCRYPTION[encryption],
        crypt_key=keys.encryption or None,
        auth_algo=AUTHENTICATION[authentication],
        auth_key=keys.authentication or None,
    )


def header(version: int) -> IP | IPv6:
    if version == 4:
        return IP(src="192.0.2.1", dst="192.0.2.2")
    return IPv6(src="2001:db8::1", dst="2001:db8::2")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_both_directions(pair, version):
    keys = expand(*pair, IK, CK)
    scapy_sa = scapys(pair, keys)
    ours_in = InboundSa(SPI, *pair, keys.authentication, keys.encryption)
    ours_out = OutboundSa(SPI, *pair, keys.authentication, keys.encryption, os.urandom)
    for length in range(20):
        plain = header(version) / UDP(sport=5060, dport=5062) / os.urandom(length)
        udp = bytes(plain[UDP])

        theirs = scapy_sa.encrypt(plain)
        assert ours_in.unprotect(bytes(theirs[ipsec.ESP])) == (17, udp)

        protected = header(version)
        if version == 4:
            protected.proto = 50
        else:
            protected.nh = 50
        received = type(protected)(bytes(protected / ipsec.ESP(ours_out.protect(udp, 17))))
        assert bytes(scapy_sa.decrypt(received)[UDP]) == udp


@pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair[0] != "null" or "gcm" in pair[1]], ids="+".join
)
def test_scapy_refuses_what_was_altered(pair):
    keys = expand(*pair, IK, CK)
    packet = bytearray(
        OutboundSa(SPI, *pair, keys.authentication, keys.encryption, os.urandom).protect(b"x" * 30, 17)
    )
    packet[-1] ^= 1
    received = IP(bytes(IP(src="192.0.2.1", dst="192.0.2.2", proto=50) / ipsec.ESP(bytes(packet))))
    with pytest.raises(ipsec.IPSecIntegrityError):
        scapys(pair, keys).decrypt(received)
