"""Ciphers and keyed hashes from the `cryptography` package, over its versions, and what of them is missing.

3DES and Blowfish have moved to a module for old algorithms in newer versions, Blowfish needs OpenSSL's
legacy provider, MD5 is refused by OpenSSL in FIPS mode: `missing` tries each once, at start.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.hmac import HMAC

from libreims.proto.esp.algorithms import AUTHENTICATION, ENCRYPTION, NULL

_MODULES = ("decrepit.ciphers.algorithms", "primitives.ciphers.algorithms")
"""Where `cryptography` has its old ciphers: since version 43, before."""
_CLASSES = {"des-ede3-cbc": "TripleDES", "blowfish": "Blowfish"}


def _old_cipher(name: str) -> Any:
    """The class of an old cipher.  Raises UnsupportedAlgorithm."""
    for module in _MODULES:
        try:
            # Some versions warn that the class will move: that is taken care of here.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return getattr(importlib.import_module(f"cryptography.hazmat.{module}"), name)
        except (ImportError, AttributeError):
            continue
    raise UnsupportedAlgorithm(f"this version of cryptography has no {name}")


def block_cipher(name: str, key: bytes) -> Any:
    """The keyed cipher of a CBC algorithm."""
    return AES(key) if name == "aes-cbc" else _old_cipher(_CLASSES[name])(key)


def keyed_hash(name: str, key: bytes) -> HMAC | CMAC:
    """The state of an authentication algorithm after its key; copied for each packet."""
    if name.startswith("aes-cmac"):
        return CMAC(AES(key))
    return HMAC(key, MD5() if "md5" in name else SHA1())


def counter_mode(key: bytes) -> Callable[[bytes, bytes], bytes]:
    """AES-CTR: counter block, octets -> octets."""
    cipher = AES(key)
    context = Cipher(cipher, CTR(bytes(16))).encryptor()
    reset = getattr(context, "reset_nonce", None)
    if reset is None:  # cryptography before 43: a context for each packet
        return lambda block, octets: Cipher(cipher, CTR(block)).encryptor().update(octets)
    update = context.update

    def crypt(block: bytes, octets: bytes) -> bytes:
        reset(block)
        return update(octets)

    return crypt


def missing() -> dict[str, str]:
    """Algorithms that do not work on this machine, by name, and why; the rest may be offered."""
    found = {}
    for name in (*AUTHENTICATION, *ENCRYPTION):
        try:
            _try(name)
        except UnsupportedAlgorithm as error:
            hint = "; it is in OpenSSL's legacy provider" if name == "blowfish" else ""
            found[name] = f"{error}".strip() + hint
    return found


def _try(name: str) -> None:
    """Use one algorithm once.  Raises UnsupportedAlgorithm."""
    if name == NULL:
        return
    if "gcm" in name or "gmac" in name:
        AESGCM(bytes(16)).encrypt(bytes(12), b"", b"")
    elif name in AUTHENTICATION:
        keyed_hash(name, bytes(AUTHENTICATION[name].key_length)).finalize()
    elif name == "aes-ctr":
        counter_mode(bytes(16))(bytes(16), b"")
    else:
        e = ENCRYPTION[name]
        # 3DES refuses three equal keys in some builds of OpenSSL.
        cipher = block_cipher(name, bytes(range(e.key_length)))
        Cipher(cipher, CBC(bytes(e.iv_length))).encryptor().update(bytes(e.alignment))
