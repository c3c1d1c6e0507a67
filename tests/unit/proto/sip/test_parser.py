"""Octets to messages: line ends, folding, start lines, mandatory headers, Content-Length."""

from __future__ import annotations

import pytest

from libreims.proto.sip.digest import Credentials
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.validation import check_request

HEAD = (
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"From: <sip:a@x>;tag=f\r\n"
    b"To: <sip:b@y>\r\n"
    b"Call-ID: id@x\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)


def options(more: bytes = b"", body: bytes = b"", start: bytes = b"OPTIONS sip:b@y SIP/2.0") -> bytes:
    return start + b"\r\n" + HEAD + more + b"\r\n" + body


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def error(data: bytes) -> SipParseError:
    with pytest.raises(SipParseError) as caught:
        parse(data)
    return caught.value


def test_request_and_response() -> None:
    message = request(options(b"Content-Length: 2\r\n", b"ab"))
    assert (message.method, message.uri, message.body) == ("OPTIONS", "sip:b@y", b"ab")
    response = parse(options(start=b"SIP/2.0 486 Busy Here"))
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (486, "Busy Here")


def test_compact_forms_and_case() -> None:
    data = (
        b"OPTIONS sip:b@y SIP/2.0\r\nv: SIP/2.0/UDP h\r\nF: <sip:a@x>;tag=f\r\nt: <sip:b@y>\r\ni: id\r\n"
        b"cSeQ : 1 OPTIONS\r\nO:reg\r\nu: presence\r\nr:<sip:c@d>\r\nB:<sip:c@d>\r\na:*\r\nJ:*\r\nd:fork\r\n"
        b"X:90\r\ny:abc\r\nN:<http://x>\r\nk:100rel\r\nE:gzip\r\ns:hi\r\nM:<sip:a@x>\r\nl:0\r\n\r\n"
    )
    message = request(data)
    assert set(message.fields) == {
        *("Via", "From", "To", "Call-ID", "CSeq", "Event", "Allow-Events", "Refer-To", "Referred-By"),
        *("Accept-Contact", "Reject-Contact", "Request-Disposition", "Session-Expires", "Identity"),
        *("Identity-Info", "Supported", "Content-Encoding", "Subject", "Contact", "Content-Length"),
    }


def test_unknown_headers_keep_the_first_spelling() -> None:
    message = request(options(b"x-Mine: 1\r\nX-MINE : 2\r\n"))
    assert message.fields["x-Mine"] == ["1", "2"]
    assert message.get_all("X-mine") == ["1", "2"]


def test_folding() -> None:
    message = request(options(b"Subject: one\r\n  two\r\n\tthree \r\n \r\nX-A:\r\n b\r\n"))
    assert message.get("Subject") == "one two three"
    assert message.get("X-A") == "b"
    assert error(b"OPTIONS sip:b@y\r\n SIP/2.0\r\n" + HEAD + b"\r\n").status == 400
    assert error(b"OPTIONS sip:b@y SIP/2.0\r\n x\r\n" + HEAD + b"\r\n").request is not None


def test_leading_line_breaks_are_skipped() -> None:
    assert request(b"\r\n\r\n\n" + options()).method == "OPTIONS"


def test_lone_line_feeds_end_lines() -> None:
    message = request(options(b"Subject: x\r\n", b"v=0\r\no=1\r\n").replace(b"\r\n", b"\n"))
    assert (message.get("Subject"), message.body) == ("x", b"v=0\no=1\n")
    message = request(options(b"Subject: x\nX-A: y\n z\r\n", b"a\r\n\r\nb"))
    assert (message.get("Subject"), message.get("X-A")) == ("x", "y z")
    # The head ends where the first empty line is, however that is written.
    message = request(options(b"X-A: y\n\n", b"")[:-2] + b"Evil: 1\r\n\r\n")
    assert "Evil" not in message


def test_a_lone_carriage_return_is_a_space() -> None:
    message = request(options(b"Subject: a\rEvil: b\r\n"))
    assert message.get("Subject") == "a Evil: b"
    assert "Evil" not in message


@pytest.mark.parametrize(
    "start",
    [
        b"OPTIONS <sip:b@y> SIP/2.0",
        b"OPTIONS sip:b@y; lr SIP/2.0",
        b"OPTIONS sip:b@y x SIP/2.0",
    ],
)
def test_malformed_request_lines_are_answered(start: bytes) -> None:
    caught = error(options(start=start))
    assert caught.status == 400
    assert caught.request is not None
    assert caught.request.call_id == "id@x"


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"OPTIONS",
        b"OPTIONS sip:b@y",
        b"GET / HTTP/1.1",
        b"OPT(IONS sip:b@y SIP/2.0",
        b"\x00\xff",
        b"SIP/2.0",
    ],
)
def test_what_is_no_sip_is_not_answered(start: bytes) -> None:
    caught = error(options(start=start))
    assert caught.status == 400
    if start != b"OPT(IONS sip:b@y SIP/2.0":
        assert caught.request is None


@pytest.mark.parametrize("start", [b"OPTIONS sip:b@y sip/2.0", b"OPTIONS  sip:b@y   SIP/2.0 "])
def test_tolerated_request_lines(start: bytes) -> None:
    assert request(options(start=start)).encode().startswith(b"OPTIONS sip:b@y SIP/2.0\r\n")


def test_other_version() -> None:
    caught = error(options(start=b"OPTIONS sip:b@y SIP/3.0"))
    assert (caught.status, caught.request is not None) == (505, True)
    assert str(caught) == "505 Version Not Supported"


@pytest.mark.parametrize(
    "start",
    [b"SIP/2.0 99 x", b"SIP/2.0 700 x", b"SIP/2.0 0200 x", b"SIP/2.0 +20 x", b"SIP/2.0 ", b"SIP/2.0 2x0 y"],
)
def test_malformed_status_lines(start: bytes) -> None:
    assert error(options(start=start)).request is None


@pytest.mark.parametrize("start", [b"SIP/2.0 200", b"SIP/2.0 200 "])
def test_no_reason(start: bytes) -> None:
    response = parse(options(start=start))
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (200, "")


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_mandatory_headers(name: bytes) -> None:
    data = options().replace(b"\r\n" + name + b":", b"\r\nX-Other:")
    caught = error(data)
    assert caught.reason == f"Missing {name.decode()}"
    assert (caught.request is None) == (name == b"Via")
    assert error(data.replace(b"OPTIONS sip:b@y SIP/2.0", b"SIP/2.0 200 OK")).request is None


@pytest.mark.parametrize(
    "line",
    [b"From: <sip:q@x>;tag=f", b"To: <sip:b@y>", b"i: id@x", b"CSeq: 1 OPTIONS", b"Expires: 1\r\nExpires: 2"],
)
def test_headers_that_stand_once(line: bytes) -> None:
    assert "More Than One" in error(options(line + b"\r\n")).reason


@pytest.mark.parametrize("line", [b"no colon", b": x", b"a b: x", b"x\xff: y", b"Via", b"a@b: x"])
def test_malformed_header_lines(line: bytes) -> None:
    caught = error(options(line + b"\r\n"))
    assert caught.reason == "Malformed Header Line"
    assert caught.request is not None


def test_head_without_end() -> None:
    caught = error(options()[:-2])
    assert caught.reason == "Headers Without End"
    assert caught.request is not None


def test_content_length() -> None:
    assert request(options(b"l: 2\r\n", b"abcd")).body == b"ab"
    assert request(options(b"", b"abcd")).body == b"abcd"
    assert request(options(b"l: 002\r\nl: 2\r\n", b"ab")).body == b"ab"
    for line in (b"l: 5", b"l: -1", b"l: x", b"l:", b"l: 2\r\nl: 3", b"l: 99999999999999999999999999"):
        caught = error(options(line + b"\r\n", b"abcd"))
        assert caught.status == 400
        assert caught.request is not None


def test_cseq_of_another_method() -> None:
    assert error(options(start=b"BYE sip:b@y SIP/2.0")).status == 400
    assert error(options(start=b"BREW sip:b@y SIP/2.0")).status == 501


def test_an_ack_is_never_answered() -> None:
    data = options(b"l: 5\r\n", start=b"ACK sip:b@y SIP/2.0").replace(b"1 OPTIONS", b"1 ACK")
    assert error(data).request is None


def test_a_damaged_via_still_tells_the_way_back() -> None:
    caught = error(options().replace(b";branch=z9hG4bK1", b";;,;"))
    assert caught.request is not None
    assert caught.request.via.host == "192.0.2.1"
    assert error(options().replace(b"SIP/2.0/UDP 192", b"???")).request is None


PHONE = (
    b"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
    b"v: SIP/2.0/UDP [2001:0db8:0000:0000:0000:0000:0000:0002]:5060;branch=z9hG4bKk1;keep;rport\r\n"
    b"f: <sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org>;tag=1\r\n"
    b"t: <sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org>\r\n"
    b"i: 1@[2001:0db8:0000:0000:0000:0000:0000:0002]\r\n"
    b"CSeq: 1 REGISTER\r\n"
    b"m: <sip:[2001:0db8:0000:0000:0000:0000:0000:0002]:5060>;"
    b'+sip.instance="<urn:gsma:imei:35622410-483840-0>"'
    b';q=1.0;audio;video;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip\r\n'
    b'Authorization: Digest uri="sip:ims.mnc001.mcc001.3gppnetwork.org",username="001010123456789@ims",'
    b'response="",realm="ims.mnc001.mcc001.3gppnetwork.org",nonce="",qop=auth,algorithm=AKAv1-MD5\r\n'
    b"Security-Client: ipsec-3gpp; alg=hmac-md5-96; spi-c=1; spi-s=2; port-c=3; port-s=4,"
    b"ipsec-3gpp; alg=hmac-sha-1-96; ealg=aes-cbc; spi-c=1; spi-s=2; port-c=3; port-s=4\r\n"
    b"P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=00101 0001 0019B01\r\n"
    b"Require: sec-agree\r\nProxy-Require: sec-agree\r\nk: path,sec-agree\r\nl: 0\r\n\r\n"
)


def test_a_real_phone() -> None:
    message = request(PHONE)
    assert message.via.sent_by == "[2001:0db8:0000:0000:0000:0000:0000:0002]:5060"
    assert {"keep", "rport"} <= message.via.params.keys()
    contact = message.contacts[0]
    assert (contact.uri.user, contact.params["+sip.instance"]) == ("", "<urn:gsma:imei:35622410-483840-0>")
    assert (contact.params["q"], contact.params["audio"]) == ("1.0", None)
    assert len(message.elements("Security-Client")) == 2
    assert message.get("P-Access-Network-Info") == "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=00101 0001 0019B01"
    credentials = Credentials.find(message.get_all("Authorization"))
    assert credentials is not None
    assert (credentials.nonce, credentials.response, credentials.qop) == ("", "", "auth")
    assert check_request(message, methods=("REGISTER",), extensions=("sec-agree",)) is None
    for name, values in request(message.encode()).fields.items():
        assert values == message.fields[name]
