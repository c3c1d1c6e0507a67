"""TS 33.203 Annex I: how IK and CK become the keys of ESP.

The annex has no examples. The salts were worked out with `openssl dgst -sha256 -mac HMAC` from its text.
"""

from __future__ import annotations

import hashlib
import hmac

import pytest

from libreims.proto.esp.keys import expand

IK = bytes.fromhex("00112233445566778899aabbccddeeff")
CK = bytes.fromhex("0102030405060708090a0b0c0d0e0f10")
GMAC_SALT = bytes.fromhex("eade8e76")
GCM_SALT = bytes.fromhex("de35bf4c")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("hmac-md5-96", IK),
        ("hmac-md5-128", IK),
        ("hmac-sha-1-96", IK + bytes(4)),  # "appending 32 zero bits to the end"
        ("hmac-sha-1-160", IK + bytes(4)),
        ("aes-cmac-96", IK),
        ("aes-gmac", IK + GMAC_SALT),
        ("aes-gmac-us", IK + bytes(4)),  # not in the annex: without its salt
    ],
)
def test_i_1_integrity_keys(name, key):
    assert expand(name, "null", IK, CK).authentication == key
    assert expand(name, "null", IK, CK).encryption == b""


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("aes-cbc", CK),
        ("aes-gcm", CK + GCM_SALT),
        ("aes-gcm-us", CK + bytes(4)),  # not in the annex: without its salt
        ("blowfish", CK),  # not in the annex
        ("aes-ctr", CK + GCM_SALT),  # not in the annex: the nonce as for AES-GCM
    ],
)
def test_i_2_encryption_keys(name, key):
    authentication = "null" if "gcm" in name else "hmac-md5-96"
    keys = expand(authentication, name, IK, CK)
    assert keys.encryption == key
    assert keys.authentication == (b"" if "gcm" in name else IK)


def test_i_2_des_ede3_cbc_takes_both_halves_and_the_first_again_with_odd_parity():
    key = expand("hmac-md5-96", "des-ede3-cbc", IK, CK).encryption
    assert len(key) == 24 and key[16:] == key[:8]
    assert [a >> 1 for a in key[:16]] == [b >> 1 for b in CK]  # only parity bits may differ
    assert all(octet.bit_count() % 2 == 1 for octet in key)
    assert key[:8].hex() == "0102020404070708"


@pytest.mark.parametrize(
    ("fc", "p0", "salt"), [(0x58, b"AES_GMAC_SALT", GMAC_SALT), (0x59, b"AES_GCM_SALT", GCM_SALT)]
)
def test_ts_33_220_annex_b_2_the_salts_are_the_end_of_the_kdf(fc, p0, salt):
    """S = FC || P0 || L0, the key is CK || IK, "the 32 least significant bits of the 256 bits"."""
    kdf = hmac.new(CK + IK, bytes([fc]) + p0 + bytes([0, len(p0)]), hashlib.sha256).digest()
    assert kdf[28:] == salt
