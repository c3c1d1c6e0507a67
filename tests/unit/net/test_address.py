from __future__ import annotations

import pytest

from libreims.net import address


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.2.3.4", ("1.2.3.4", 5060)),
        (" 1.2.3.4:5070 ", ("1.2.3.4", 5070)),
        ("1.2.3.4:0", ("1.2.3.4", 0)),
        ("::1", ("::1", 5060)),
        ("[::1]", ("::1", 5060)),
        ("[::1]:5061", ("::1", 5061)),
        ("2001:0DB8:0:0::0001", ("2001:db8::1", 5060)),
        ("[2001:0DB8::1]:65535", ("2001:db8::1", 65535)),
        ("::ffff:1.2.3.4", ("1.2.3.4", 5060)),
        ("fe80::1%eth0", ("fe80::1%eth0", 5060)),
    ],
)
def test_parse(written: str, expected: tuple[str, int]) -> None:
    assert address.parse(written) == expected


def test_default_port() -> None:
    assert address.parse("1.2.3.4", 10042) == ("1.2.3.4", 10042)
    assert address.parse("::1", 10042) == ("::1", 10042)


@pytest.mark.parametrize(
    "written",
    [
        "",
        ":",
        "1.2.3",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:+5",
        "[::1",
        "::1]",
        "[::1]5060",
        "[1.2.3.4]:5060",
        "[::1]:",
        "1.2.3.4:5060:1",
        "host",
        "1.2.3.256",
        "1.2.3.4:٣",
    ],
)
def test_parse_refuses(written: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        address.parse(written)


def test_names_where_they_are_allowed() -> None:
    assert address.parse("PCRF.example.COM:3868", names=True) == ("pcrf.example.com", 3868)
    assert address.parse("localhost", names=True) == ("localhost", 5060)
    for wrong in ("-x", "a..b", "a b", "1.2.3", "1.2.3.256", "x" * 300):
        with pytest.raises(ValueError, match="is no address"):
            address.parse(wrong, names=True)


def test_text_is_what_parse_reads() -> None:
    for each in (("1.2.3.4", 1), ("2001:db8::1", 5060)):
        assert address.parse(address.text(each), 9) == each
    assert address.text(("::1", 5060)) == "[::1]:5060"
    assert address.bracketed("::1") == "[::1]"
    assert address.bracketed("1.2.3.4") == "1.2.3.4"


def test_canonical_host() -> None:
    assert address.canonical_host("[2001:DB8:0::1]") == "2001:db8::1"
    assert address.canonical_host("Example.COM") == "example.com"
    assert address.canonical_host("not:an:address:g") == "not:an:address:g"


def test_kinds() -> None:
    assert address.is_ip("1.2.3.4") and address.is_ip("::1")
    assert not address.is_ip("localhost") and not address.is_ip("[::1]")
    assert address.is_ipv6("::1") and not address.is_ipv6("1.2.3.4")
