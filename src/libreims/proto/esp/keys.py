"""From IK and CK of AKA to the keys of ESP (TS 33.203 Annex I), for all associations of one agreement.

AES-CTR, AES-CMAC-96 and Blowfish are not in Annex I: each has the treatment of its nearest relative
there.  Of the `-us` variants nothing is public but the name; what they mean here is one line, `_UNSALTED`.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from libreims.proto.esp.algorithms import pair
from libreims.proto.esp.errors import EspSetupError

_GMAC_SALT: Final = (0x58, b"AES_GMAC_SALT")
_GCM_SALT: Final = (0x59, b"AES_GCM_SALT")
"""FC and P0 of the key derivation function (TS 33.203 Annex I.1 and I.2)."""
_UNSALTED: Final = bytes(4)
"""The salt of `-us`: taken as "unsalted", CK or IK used as it is by who knows nothing of Annex I's salt."""


@dataclass(frozen=True, slots=True)
class EspKeys:
    """Keys as an association takes them, a salt at the end where the algorithm has one."""

    authentication: bytes = field(repr=False)
    """Empty without an authentication algorithm."""
    encryption: bytes = field(repr=False)
    """Empty without an encryption algorithm."""


def expand(authentication: str, encryption: str, ik: bytes, ck: bytes) -> EspKeys:
    """The keys for two algorithms that `algorithms.is_pair` accepts, IK and CK of 16 octets.

    Raises EspSetupError.
    """
    pair(authentication, encryption)
    for name, key in (("IK", ik), ("CK", ck)):
        if len(key) != 16:
            raise EspSetupError(f"{name} has {len(key)} octets, ESP needs 16")
    return EspKeys(_integrity_key(authentication, ik, ck), _cipher_key(encryption, ik, ck))


def _integrity_key(name: str, ik: bytes, ck: bytes) -> bytes:
    """TS 33.203 Annex I.1."""
    match name:
        case "null":
            return b""
        case "hmac-sha-1-96" | "hmac-sha-1-160":
            return ik + bytes(4)
        case "aes-gmac":
            return ik + _salt(*_GMAC_SALT, ik, ck)
        case "aes-gmac-us":
            return ik + _UNSALTED
    return ik


def _cipher_key(name: str, ik: bytes, ck: bytes) -> bytes:
    """TS 33.203 Annex I.2."""
    match name:
        case "null":
            return b""
        case "des-ede3-cbc":
            return _triple_des_key(ck)
        case "aes-gcm" | "aes-ctr":
            return ck + _salt(*_GCM_SALT, ik, ck)
        case "aes-gcm-us":
            return ck + _UNSALTED
    return ck


def _salt(fc: int, p0: bytes, ik: bytes, ck: bytes) -> bytes:
    """The 32 least significant bits of KDF(CK || IK, FC || P0 || L0) (TS 33.220 Annex B.2)."""
    s = bytes((fc,)) + p0 + len(p0).to_bytes(2, "big")
    return hmac.digest(ck + ik, s, hashlib.sha256)[-4:]


def _triple_des_key(ck: bytes) -> bytes:
    """CK1 || CK2 || CK1 with odd parity in each octet (RFC 2451 §2.2); DES itself ignores the parity."""
    odd = bytes(octet & 0xFE | (octet >> 1).bit_count() & 1 ^ 1 for octet in ck)
    if odd[:8] == odd[8:]:
        raise EspSetupError("both halves of CK are equal: des-ede3-cbc would be single DES (RFC 2451 §2.3)")
    return odd + odd[:8]
