"""What an association does to octets: encrypt and authenticate, or check and decrypt (RFC 4303 §3.2).

`sealer` and `opener` make one function for one direction of one association; keys are set up there and
never again.  Speed comes from that: a CBC context is kept for the life of the association (see `_cbc_*`),
HMAC and CMAC states are copied after the key.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.modes import CBC

from libreims.proto.esp.algorithms import NULL, Authentication, Encryption
from libreims.proto.esp.errors import BadIcv
from libreims.proto.esp.primitives import block_cipher, counter_mode, keyed_hash

Randomness = Callable[[int], bytes]
"""So many unpredictable octets."""
Seal = Callable[[bytes, bytes, int], bytes]
"""Header, plaintext, sequence number -> whole packet."""
Open = Callable[[bytes], bytes]
"""Whole packet, long enough and aligned -> plaintext; raises BadIcv."""
_Encrypt = Callable[[bytes, int], bytes]
"""Plaintext, sequence number -> IV and ciphertext."""
_Decrypt = Callable[[bytes], bytes]
"""IV and ciphertext -> plaintext."""
_ALTERED = "the integrity check value is wrong: altered on the way, or protected with another key"


def sealer(a: Authentication, e: Encryption, akey: bytes, ekey: bytes, randomness: Randomness) -> Seal:
    """The function that protects packets."""
    if e.is_combined:
        return _gcm_seal(ekey, randomness)
    if a.is_gmac:
        return _gmac_seal(akey, randomness)
    encrypt = _encryptor(e, ekey, randomness)
    if a.name == NULL:
        return lambda header, plaintext, sequence: header + encrypt(plaintext, sequence)
    start, length = keyed_hash(a.name, akey).copy, a.icv_length

    def seal(header: bytes, plaintext: bytes, sequence: int) -> bytes:
        packet = header + encrypt(plaintext, sequence)
        mac = start()
        mac.update(packet)
        return packet + mac.finalize()[:length]

    return seal


def opener(a: Authentication, e: Encryption, akey: bytes, ekey: bytes) -> Open:
    """The function that checks and decrypts packets."""
    if e.is_combined:
        return _gcm_open(ekey)
    if a.is_gmac:
        return _gmac_open(akey)
    decrypt = _decryptor(e, ekey)
    if a.name == NULL:
        return lambda packet: decrypt(packet[8:])
    start, length = keyed_hash(a.name, akey).copy, a.icv_length

    def open_(packet: bytes) -> bytes:
        mac = start()
        mac.update(packet[:-length])
        if not hmac.compare_digest(mac.finalize()[:length], packet[-length:]):
            raise BadIcv(_ALTERED)
        return decrypt(packet[8:-length])

    return open_


def _encryptor(e: Encryption, key: bytes, randomness: Randomness) -> _Encrypt:
    if e.name == NULL:
        return lambda plaintext, _sequence: plaintext
    if e.salt_length:
        return _ctr_encrypt(key, randomness)
    return _cbc_encrypt(e, key, randomness)


def _decryptor(e: Encryption, key: bytes) -> _Decrypt:
    if e.name == NULL:
        return lambda body: body
    if e.salt_length:
        return _ctr_decrypt(key)
    return _cbc_decrypt(e, key)


def _cbc_encrypt(e: Encryption, key: bytes, randomness: Randomness) -> _Encrypt:
    """CBC over all packets of the association in one go, each begun with a block of random octets.

    What the cipher makes of that block is the packet's IV: as unpredictable as the octets (NIST SP 800-38A
    Appendix C, RFC 3602 §3), and the next block is chained to it as to any IV.  So no packet needs a context
    of its own.
    """
    length = e.iv_length
    update = Cipher(block_cipher(e.name, key), CBC(randomness(length))).encryptor().update
    return lambda plaintext, _sequence: update(randomness(length) + plaintext)


def _cbc_decrypt(e: Encryption, key: bytes) -> _Decrypt:
    """The same for the receiver: the IV is fed as if it were ciphertext, what comes out for it is dropped."""
    length = e.iv_length
    update = Cipher(block_cipher(e.name, key), CBC(bytes(length))).decryptor().update
    return lambda body: update(body)[length:]


class _Counter:
    """IVs that never repeat under one key: the sequence number, masked (RFC 3686 §3.1, RFC 4106 §3.1).

    The mask is 64 random bits per association, because all associations of an agreement have the same key
    (TS 33.203 §7.1) and each counts from 1.
    """

    __slots__ = ("_mask",)

    def __init__(self, randomness: Randomness) -> None:
        self._mask = int.from_bytes(randomness(8), "big")

    def iv(self, sequence: int) -> bytes:
        return (self._mask ^ sequence).to_bytes(8, "big")


def _ctr_encrypt(key: bytes, randomness: Randomness) -> _Encrypt:
    salt, iv, crypt = key[16:], _Counter(randomness).iv, counter_mode(key[:16])

    def encrypt(plaintext: bytes, sequence: int) -> bytes:
        own = iv(sequence)
        return own + crypt(salt + own + b"\0\0\0\1", plaintext)

    return encrypt


def _ctr_decrypt(key: bytes) -> _Decrypt:
    salt, crypt = key[16:], counter_mode(key[:16])
    return lambda body: crypt(salt + body[:8] + b"\0\0\0\1", body[8:])


def _gcm_seal(key: bytes, randomness: Randomness) -> Seal:
    salt, iv, encrypt = key[16:], _Counter(randomness).iv, AESGCM(key[:16]).encrypt

    def seal(header: bytes, plaintext: bytes, sequence: int) -> bytes:
        own = iv(sequence)
        return header + own + encrypt(salt + own, plaintext, header)

    return seal


def _gcm_open(key: bytes) -> Open:
    salt, decrypt = key[16:], AESGCM(key[:16]).decrypt

    def open_(packet: bytes) -> bytes:
        try:
            return decrypt(salt + packet[8:16], packet[16:], packet[:8])
        except InvalidTag:
            raise BadIcv(_ALTERED) from None

    return open_


def _gmac_seal(key: bytes, randomness: Randomness) -> Seal:
    """RFC 4543 §3: everything, the IV too, is associated data; nothing is encrypted."""
    salt, iv, encrypt = key[16:], _Counter(randomness).iv, AESGCM(key[:16]).encrypt

    def seal(header: bytes, plaintext: bytes, sequence: int) -> bytes:
        own = iv(sequence)
        packet = header + own + plaintext
        return packet + encrypt(salt + own, b"", packet)

    return seal


def _gmac_open(key: bytes) -> Open:
    salt, decrypt = key[16:], AESGCM(key[:16]).decrypt

    def open_(packet: bytes) -> bytes:
        try:
            decrypt(salt + packet[8:16], packet[-16:], packet[:-16])
        except InvalidTag:
            raise BadIcv(_ALTERED) from None
        return packet[16:-16]

    return open_
