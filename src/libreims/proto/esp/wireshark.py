"""A line of Wireshark's `esp_sa` file, with which it decrypts a capture of what these associations sent.

The file lies in Wireshark's configuration folder; the same line after `-o uat:esp_sa:` serves tshark.
Decoding itself is switched on by the preferences `esp.enable_encryption_decode` and
`esp.enable_authentication_check`.
"""

from __future__ import annotations

from libreims.proto.esp.algorithms import pair
from libreims.proto.esp.errors import EspSetupError

_ENCRYPTION = {
    "null": "NULL",
    "aes-cbc": "AES-CBC [RFC3602]",
    "des-ede3-cbc": "TripleDES-CBC [RFC2451]",
    "blowfish": "BLOWFISH-CBC [RFC2451]",
    "aes-ctr": "AES-CTR [RFC3686]",
    "aes-gcm": "AES-GCM with 16 octet ICV [RFC4106]",
    "aes-gcm-us": "AES-GCM with 16 octet ICV [RFC4106]",
}
_AUTHENTICATION = {
    "null": "NULL",
    "hmac-md5-96": "HMAC-MD5-96 [RFC2403]",
    "hmac-sha-1-96": "HMAC-SHA-1-96 [RFC2404]",
    # Those that Wireshark only skips.
    "hmac-md5-128": "ANY 128 bit authentication [no checking]",
    "aes-cmac-96": "ANY 96 bit authentication [no checking]",
}


def esp_sa_line(
    source: str,
    destination: str,
    spi: int,
    authentication: str,
    encryption: str,
    authentication_key: bytes,
    encryption_key: bytes,
) -> str:
    """The line for one association; addresses as text, `*` for any.

    Raises EspSetupError for what Wireshark cannot take apart: hmac-sha-1-160 and AES-GMAC.
    """
    pair(authentication, encryption)
    if authentication not in _AUTHENTICATION:
        raise EspSetupError(f"Wireshark has nothing that reads packets with {authentication}")
    family = "IPv6" if ":" in source + destination else "IPv4"
    fields = (
        family,
        source,
        destination,
        f"0x{spi:08x}",
        _ENCRYPTION[encryption],
        f"0x{encryption_key.hex()}" if encryption_key else "",
        _AUTHENTICATION[authentication],
        f"0x{authentication_key.hex()}" if authentication_key else "",
    )
    return ",".join(f'"{field}"' for field in fields)
