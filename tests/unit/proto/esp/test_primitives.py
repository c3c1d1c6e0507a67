"""Ciphers over versions of `cryptography`, and what is missing of them."""

from __future__ import annotations

import os

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from libreims.proto.esp import primitives
from libreims.proto.esp.algorithms import AUTHENTICATION, ENCRYPTION


def test_what_is_missing_is_named_with_the_reason(monkeypatch):
    def without_legacy(name: str, key: bytes) -> object:
        raise UnsupportedAlgorithm(f"no provider for {name}")

    monkeypatch.setattr(primitives, "block_cipher", without_legacy)
    found = primitives.missing()
    assert set(found) == {"aes-cbc", "des-ede3-cbc", "blowfish"}
    assert found["aes-cbc"] == "no provider for aes-cbc"
    assert found["blowfish"] == "no provider for blowfish; it is in OpenSSL's legacy provider"


def test_a_version_without_old_ciphers_lacks_them(monkeypatch):
    monkeypatch.setattr(primitives, "_MODULES", ("decrepit.nowhere", "primitives.ciphers.modes"))
    assert set(primitives.missing()) == {"des-ede3-cbc", "blowfish"}
    assert "this version of cryptography has no Blowfish" in primitives.missing()["blowfish"]


def test_what_every_openssl_has_is_not_missing():
    found = primitives.missing()
    assert set(found) <= {"des-ede3-cbc", "blowfish", "hmac-md5-96", "hmac-md5-128"}
    assert set(found) < {*AUTHENTICATION, *ENCRYPTION}


def test_counter_mode_is_the_same_with_and_without_resetting_contexts(monkeypatch):
    key, blocks, octets = os.urandom(16), [os.urandom(16) for _ in range(3)], os.urandom(333)
    crypt = primitives.counter_mode(key)

    class OldCipher(Cipher):  # type: ignore[type-arg]
        def encryptor(self):
            context = super().encryptor()
            return type("OldContext", (), {"update": staticmethod(context.update)})()

    monkeypatch.setattr(primitives, "Cipher", OldCipher)
    old = primitives.counter_mode(key)
    for block in blocks:
        expected = Cipher(AES(key), CTR(block)).encryptor().update(octets)
        assert crypt(block, octets) == old(block, octets) == expected


@pytest.mark.parametrize("name", [a for a in AUTHENTICATION if "hmac" in a or "cmac" in a])
def test_a_keyed_hash_gives_at_least_the_check_value(name):
    a = AUTHENTICATION[name]
    if name in primitives.missing():
        pytest.skip(f"OpenSSL has no {name}")
    assert len(primitives.keyed_hash(name, bytes(a.key_length)).finalize()) >= a.icv_length
