"""Security-Client, Security-Server and Security-Verify."""

from __future__ import annotations

import pytest

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request
from libreims.proto.sip.parser import parse
from libreims.proto.sip.security_agreement import Ipsec3gpp, Mechanism, is_required, mechanisms, same

PLAIN = "ipsec-3gpp; alg=hmac-md5-96; spi-c=1111; spi-s=2222; port-c=5062; port-s=5064"
WANTED = Ipsec3gpp("hmac-md5-96", "null", 1111, 2222, 5062, 5064)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "ipsec-3gpp;alg=hmac-md5-96;prot=esp;mod=trans;ealg=null;spi-c=1111;spi-s=2222;port-c=5062;port-s=5064",
        "ipsec-3gpp;port-s=5064;port-c=5062;spi-s=2222;spi-c=1111;alg=hmac-md5-96",
        "IPSEC-3GPP; ALG=HMAC-MD5-96; SPI-C=1111; SPI-S=2222; PORT-C=5062; PORT-S=5064; Mod=Trans",
        'ipsec-3gpp; alg="hmac-md5-96"; spi-c="1111"; spi-s=2222; port-c=5062; port-s=5064; q=0.5',
        "ipsec-3gpp ;\t alg = hmac-md5-96 ; spi-c = 0000001111; spi-s=2222; port-c=05062; port-s=5064",
        PLAIN + ";new-parameter=7;flag",
    ],
)
def test_one_mechanism_in_many_forms(text: str) -> None:
    assert Mechanism.parse(text).ipsec() == WANTED


@pytest.mark.parametrize(
    "text",
    [
        "tls;q=0.2",
        "digest;d-alg=md5;d-qop=auth",
        PLAIN + ";prot=ah",
        PLAIN + ";mod=tun",
        PLAIN + ";mod=UDP-enc-tun",
        PLAIN.replace("alg=hmac-md5-96;", ""),
        PLAIN.replace("alg=hmac-md5-96;", "alg;"),
        PLAIN.replace("5062", "0"),
        PLAIN.replace("5064", "65536"),
        PLAIN.replace("1111", "4294967296"),
        PLAIN.replace("2222", "0x7"),
        PLAIN.replace("port-c=5062;", ""),
        "ipsec-3gpp",
    ],
)
def test_what_is_not_esp_in_transport_mode_is_left_out(text: str) -> None:
    assert Mechanism.parse(text).ipsec() is None


def test_six_in_one_line_and_one_per_line_are_the_same() -> None:
    lines = [
        f"ipsec-3gpp;alg={alg};ealg={ealg};spi-c=1111;spi-s=2222;port-c=5062;port-s=5064"
        for alg in ("hmac-sha-1-96", "hmac-md5-96")
        for ealg in ("aes-cbc", "des-ede3-cbc", "null")
    ]
    assert mechanisms([", ".join(lines)]) == mechanisms(lines)
    assert [each.ipsec() for each in mechanisms(lines)][5] == WANTED
    assert same([",".join(reversed(lines))], lines)


def test_what_the_server_says_is_read_back() -> None:
    ours = Ipsec3gpp("hmac-sha-1-96", "aes-cbc", 4096, 4097, 30000, 30001)
    assert Mechanism.parse(str(ours)).ipsec() == ours


@pytest.mark.parametrize(
    "text",
    [
        "ipsec-3gpp;ealg=null;q=0.1;spi-c=1111;spi-s=2222;port-c=5062;port-s=5064;alg=hmac-md5-96",
        'IPsec-3GPP; alg="hmac-md5-96"; q=.10; spi-c=01111; spi-s=2222; port-c=5062; port-s=5064;prot=esp',
    ],
)
def test_verification_is_by_meaning(text: str) -> None:
    """RFC 3329 §2.3.1: the list that the server gave comes back; spelling is the phone's own affair."""
    assert same([PLAIN + ";q=0.1"], [text])


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN + ";q=0.2",
        PLAIN.replace("1111", "1112") + ";q=0.1",
        PLAIN.replace("md5", "sha-1") + ";q=0.1",
        PLAIN + ";q=0.1;ealg=aes-cbc",
        PLAIN + ";q=0.1;more=1",
        f"{PLAIN};q=0.1, tls;q=0.2",
        "",
    ],
)
def test_what_differs_in_meaning_is_not_the_same(text: str) -> None:
    assert not same([PLAIN + ";q=0.1"], [text])


@pytest.mark.parametrize(
    ("value", "other", "equal"),
    [
        ("1", "1.0", True),
        ("0.5", "0.500", True),
        ("0.5", "0.05", False),
        ("1", "10", False),
        ("0", "0.", True),
    ],
)
def test_q_values_are_compared_as_numbers(value: str, other: str, equal: bool) -> None:
    assert same([f"tls;q={value}"], [f"tls;q={other}"]) is equal


@pytest.mark.parametrize("text", ['ipsec-3gpp;alg="x', "ipsec-3gpp;;alg=x", "ipsec-3gpp;al g=x", "tls;q=a b"])
def test_malformed_headers_are_refused(text: str) -> None:
    with pytest.raises(SipParseError):
        mechanisms([text])


@pytest.mark.parametrize(
    ("lines", "required"),
    [
        ("Require: sec-agree", True),
        ("Proxy-Require: Sec-Agree", True),
        ("Require: path\r\nRequire: path,sec-agree", True),
        ("Supported: sec-agree", False),
        ("Require: path", False),
    ],
)
def test_who_insists_on_an_agreement(lines: str, required: bool) -> None:
    message = parse(
        f"REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{lines}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    assert is_required(message) is required
