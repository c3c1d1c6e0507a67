"""Lines for Wireshark; tests/interop/test_tshark_esp.py has it read them."""

from __future__ import annotations

import pytest

from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.wireshark import esp_sa_line


def test_a_line():
    line = esp_sa_line("192.0.2.1", "*", 0xABC, "hmac-md5-96", "aes-cbc", bytes(16), b"\xff" * 16)
    assert line == (
        '"IPv4","192.0.2.1","*","0x00000abc","AES-CBC [RFC3602]","0xffffffffffffffffffffffffffffffff",'
        '"HMAC-MD5-96 [RFC2403]","0x00000000000000000000000000000000"'
    )


def test_ipv6_and_what_has_no_key():
    line = esp_sa_line("*", "2001:db8::1", 256, "null", "aes-gcm", b"", b"\1" * 20)
    assert line.startswith('"IPv6","*","2001:db8::1","0x00000100","AES-GCM with 16 octet ICV [RFC4106]"')
    assert line.endswith('"NULL",""')


@pytest.mark.parametrize("name", ["hmac-sha-1-160", "aes-gmac", "aes-gmac-us"])
def test_what_wireshark_lacks(name):
    with pytest.raises(EspSetupError, match=f"packets with {name}"):
        esp_sa_line("*", "*", 256, name, "null", b"", b"")


def test_a_senseless_pair():
    with pytest.raises(EspSetupError, match="both be null"):
        esp_sa_line("*", "*", 256, "null", "null", b"", b"")
