"""Digest: the vectors of RFC 2617 §3.5 and RFC 7616 §3.9.1, AKA passwords, and the header formats."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from libreims.proto.sip import digest
from libreims.proto.sip.digest import AuthenticationInfo, Challenge, Credentials
from libreims.proto.sip.errors import SipParseError

RFC2617_CREDENTIALS = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_rfc2617_3_5() -> None:
    credentials = Credentials.parse(RFC2617_CREDENTIALS)
    assert credentials.expected("GET", password=b"Circle Of Life") == credentials.response
    assert credentials.nonce_count == 1


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc7616_3_9_1(algorithm: str, expected: str) -> None:
    value = digest.response(
        algorithm=algorithm,
        username="Mufasa",
        realm="http-auth@example.org",
        password=b"Circle of Life",
        method="GET",
        uri="/dir/index.html",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert value == expected


def test_without_qop_as_rfc2069() -> None:
    ha1 = hashlib.md5(b"u:r:p").hexdigest()
    ha2 = hashlib.md5(b"REGISTER:sip:r").hexdigest()
    expected = hashlib.md5(f"{ha1}:n:{ha2}".encode()).hexdigest()
    assert digest.response(algorithm="", ha1=ha1, method="REGISTER", uri="sip:r", nonce="n") == expected


def test_auth_int_covers_the_body() -> None:
    ha2 = hashlib.md5(b"INVITE:sip:r:" + hashlib.md5(b"v=0").hexdigest().encode()).hexdigest()
    expected = hashlib.md5(f"k:n:1:c:auth-int:{ha2}".encode()).hexdigest()
    common = {"algorithm": "MD5", "ha1": "k", "method": "INVITE", "uri": "sip:r", "nonce": "n"}
    made = digest.response(**common, qop="auth-int", nc="1", cnonce="c", body=b"v=0")  # type: ignore[arg-type]
    assert made == expected


def test_sess_hashes_the_key_with_both_nonces() -> None:
    key = hashlib.sha256(b"k:n:c").hexdigest()
    ha2 = hashlib.sha256(b"GET:/").hexdigest()
    expected = hashlib.sha256(f"{key}:n:1:c:auth:{ha2}".encode()).hexdigest()
    made = digest.response(
        algorithm="SHA-256-sess", ha1="k", method="GET", uri="/", nonce="n", qop="auth", nc="1", cnonce="c"
    )
    assert made == expected


@pytest.mark.parametrize(("algorithm", "name"), [("AKAv2-MD5", "md5"), ("AKAv2-SHA-256", "sha256")])
def test_akav2_password_is_base64_of_the_prf(algorithm: str, name: str) -> None:
    res, ik, ck = bytes(8), bytes(range(16)), bytes(range(16, 32))
    octets = hmac.new(res + ik + ck, b"http-digest-akav2-password", name).digest()
    assert digest.akav2_password(algorithm, res, ik, ck) == base64.b64encode(octets)


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        ("", "md5"),
        ("md5", "md5"),
        ("MD5-sess", "md5"),
        ("AKAv1-MD5", "md5"),
        ("AKAv2-MD5", "md5"),
        ("SHA-256", "sha256"),
        ("AKAv2-SHA-256", "sha256"),
    ],
)
def test_hash_under_an_algorithm(algorithm: str, name: str) -> None:
    assert digest.hash_name(algorithm) == name


def test_unknown_algorithm_qop_and_missing_key() -> None:
    with pytest.raises(ValueError, match="algorithm"):
        digest.hash_name("SHA-1")
    with pytest.raises(ValueError, match="qop"):
        digest.response(algorithm="MD5", ha1="k", method="GET", uri="/", nonce="n", qop="auth-conf")
    with pytest.raises(ValueError, match="HA1"):
        digest.response(algorithm="MD5", method="GET", uri="/", nonce="n")


def test_same_ignores_the_case_of_digits() -> None:
    assert digest.same("00FFaa", "00ffAA")
    assert not digest.same("00ff", "00fe")
    assert not digest.same("", "00")
    assert not digest.same("é", "00")


def test_aka_nonce() -> None:
    rand, autn = bytes(range(16)), bytes(range(16, 32))
    nonce = digest.aka_nonce(rand, autn, b"data")
    assert digest.open_aka_nonce(nonce) == (rand, autn, b"data")
    for bad in ("", "AAAA", "not base64!", "é"):
        with pytest.raises(SipParseError):
            digest.open_aka_nonce(bad)


# The formats of RFC 3310 §3 and §4.


def test_first_authorization_of_a_phone() -> None:
    for qop in ('qop="auth"', "qop=auth", "qop=AUTH"):
        credentials = Credentials.parse(
            'Digest username="user1@home1.net", realm="home1.net", nonce="", '
            f'uri="sip:home1.net",response="" , algorithm=AKAv1-MD5,{qop}'
        )
        assert (credentials.username, credentials.realm) == ("user1@home1.net", "home1.net")
        assert (credentials.nonce, credentials.response, credentials.qop) == ("", "", "auth")
        assert (credentials.algorithm, credentials.auts) == ("AKAv1-MD5", None)
        assert credentials.nonce_count is None


def test_synchronisation_failure() -> None:
    auts = bytes(range(14))
    text = f'Digest username="u",realm="r",nonce="n",uri="sip:r",auts="{base64.b64encode(auts).decode()}"'
    credentials = Credentials.parse(text)
    assert credentials.auts == auts
    assert Credentials.parse(str(credentials)).auts == auts
    for bad in ("AAAA", "!", base64.b64encode(bytes(15)).decode()):
        with pytest.raises(SipParseError):
            Credentials.parse(f'Digest username="u",realm="r",auts="{bad}"')


def test_challenge_of_rfc3310() -> None:
    text = (
        'Digest realm="RoamingUsers@mobile.biz", nonce="CjPk9mRqNuT25eRkajM09uTl9nM09uTl9nMz5OX25PZz==", '
        'qop="auth,auth-int", opaque="5ccc069c403ebaf9f0171e9517f40e41", algorithm=AKAv1-MD5'
    )
    challenge = Challenge.parse(text)
    assert challenge.realm == "RoamingUsers@mobile.biz"
    assert challenge.qop == ("auth", "auth-int")
    assert challenge.algorithm == "AKAv1-MD5"
    assert challenge.opaque == "5ccc069c403ebaf9f0171e9517f40e41"
    assert not challenge.stale
    assert str(Challenge.parse(str(challenge))) == str(challenge)


def test_challenge_with_what_3gpp_adds() -> None:
    challenge = Challenge(
        "r", "n", algorithm="MD5", qop=("auth",), stale=True, others={"ik": "00", "ck": "11"}
    )
    text = str(challenge)
    assert text == 'Digest realm="r",nonce="n",stale=true,algorithm=MD5,qop="auth",ik="00",ck="11"'
    assert Challenge.parse(text).others == {"ik": "00", "ck": "11"}
    assert Challenge.parse(text).stale


def test_quotes_inside_values() -> None:
    credentials = Credentials(username='a"b\\c', realm="x, y=z", nonce="n", uri="sip:r", response="r")
    again = Credentials.parse(str(credentials))
    assert (again.username, again.realm) == ('a"b\\c', "x, y=z")


def test_credentials_repr_shows_no_response() -> None:
    assert "6629fae4" not in repr(Credentials.parse(RFC2617_CREDENTIALS))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Digestusername=u",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        'Digest username="u',
        "Digest username",
        'Digest ="x"',
        'Digest realm="a",realm="b"',
        'Digest realm="a"b',
    ],
)
def test_malformed_credentials(text: str) -> None:
    with pytest.raises(SipParseError):
        Credentials.parse(text)


def test_find_takes_the_realm_that_is_ours() -> None:
    lines = ["Basic abc", 'Digest\tusername="a",realm="one"', 'digest username="b",realm="two"']
    found = Credentials.find(lines)
    assert found is not None
    assert found.username == "a"
    found = Credentials.find(lines, "two")
    assert found is not None
    assert found.username == "b"
    assert Credentials.find(lines, "three") is None
    assert Credentials.find([]) is None


def test_authentication_info() -> None:
    info = AuthenticationInfo(nextnonce="nn", qop="auth", rspauth="ab", cnonce="c", nc="00000001")
    assert str(info) == 'nextnonce="nn",qop=auth,rspauth="ab",cnonce="c",nc=00000001'
    again = AuthenticationInfo.parse(str(info))
    assert (again.nextnonce, again.qop, again.rspauth, again.nc) == ("nn", "auth", "ab", "00000001")


def test_rspauth_is_the_response_without_method() -> None:
    credentials = Credentials.parse(RFC2617_CREDENTIALS)
    ha1 = digest.compute_ha1("MD5", "Mufasa", "testrealm@host.com", b"Circle Of Life")
    ha2 = hashlib.md5(b":/dir/index.html").hexdigest()
    expected = hashlib.md5(f"{ha1}:{credentials.nonce}:00000001:0a4f113b:auth:{ha2}".encode()).hexdigest()
    assert credentials.expected("", ha1=ha1) == expected


def test_everything_a_client_may_send_is_printed_and_read_again() -> None:
    credentials = Credentials(
        username="u",
        realm="r",
        nonce="n",
        uri="sip:r",
        response="00",
        algorithm="AKAv2-SHA-256",
        qop="auth-int",
        nc="0000000a",
        cnonce="c",
        opaque="",
        auts=bytes(14),
        others={"integrity-protected": "yes"},
    )
    text = str(credentials)
    assert text == (
        'Digest username="u",realm="r",nonce="n",uri="sip:r",response="00",algorithm=AKAv2-SHA-256,'
        'cnonce="c",opaque="",qop=auth-int,nc=0000000a,auts="AAAAAAAAAAAAAAAAAAA=",integrity-protected="yes"'
    )
    again = Credentials.parse(text)
    assert str(again) == text
    assert again.nonce_count == 10
    assert str(Credentials(username="u", realm="r")) == (
        'Digest username="u",realm="r",nonce="",uri="",response=""'
    )


def test_challenge_printed_with_opaque_and_empty_directives() -> None:
    assert str(Challenge("r", "n", opaque="o")) == 'Digest realm="r",nonce="n",opaque="o"'
    assert Challenge.parse("Digest realm=r,,nonce=n,").nonce == "n"
    assert str(AuthenticationInfo()) == ""
