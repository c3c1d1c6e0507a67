"""RFC 8866, SDP: what a reader has to take and what a writer has to write."""

from __future__ import annotations

import pytest

from libreims.proto.sdp.description import Origin, SdpError, SessionDescription
from libreims.proto.sdp.offer_answer import rewrite
from support.sdp import ORIGIN, sdp

# The example of §5.
EXAMPLE = (
    "v=0",
    "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1",
    "s=Call to John Smith",
    "i=SDP Offer #1",
    "u=http://www.jdoe.example.com/home.html",
    "e=Jane Doe <jane@jdoe.example.com>",
    "p=+1 617 555-6011",
    "c=IN IP4 198.51.100.1",
    "t=0 0",
    "m=audio 49170 RTP/AVP 0",
    "m=audio 49180 RTP/AVP 0",
    "m=video 51372 RTP/AVP 99",
    "c=IN IP6 2001:db8::2",
    "a=rtpmap:99 h263-1998/90000",
)


def test_s5_the_example() -> None:
    description = sdp(*EXAMPLE)
    assert description.origin == Origin("jdoe", "3724394400", 3724394405, "198.51.100.1")
    assert [description.rtp_address(index) for index in range(3)] == [
        ("198.51.100.1", 49170),
        ("198.51.100.1", 49180),
        ("2001:db8::2", 51372),
    ]
    assert description.media[2].codecs()[0][:3] == ("99", "h263-1998", 90000)
    assert description.encode() == "".join(f"{line}\r\n" for line in EXAMPLE).encode()


def test_s5_lf_alone_is_accepted() -> None:
    """§5: lines end with CRLF, readers take a lone newline too."""
    assert SessionDescription.parse("\n".join(EXAMPLE).encode()) == sdp(*EXAMPLE)


def test_s5_what_we_write_ends_lines_with_crlf() -> None:
    written = rewrite(SessionDescription.parse("\n".join(EXAMPLE).encode()), [None] * 3, ORIGIN).encode()
    assert written.endswith(b"\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")


def test_s5_types_are_case_significant_single_letters() -> None:
    """§5: a type is one character, upper and lower case differ, and no white space stands before the '='."""
    for line in (
        "M=audio 5 RTP/AVP 0",
        "mm=audio 5 RTP/AVP 0",
        "m =audio 5 RTP/AVP 0",
        " m=audio 5 RTP/AVP 0",
    ):
        with pytest.raises(SdpError) as caught:
            sdp("v=0", line)
        assert caught.value.line == 2


def test_s5_any_octets_but_nul_lf_cr() -> None:
    """§9: a byte-string holds any octet but NUL, CR and LF, so that text need not be UTF-8 (a=charset)."""
    data = b"v=0\r\ns=" + bytes(sorted(set(range(256)) - {0, 10, 13})) + b"\r\n"
    assert SessionDescription.parse(data).encode() == data


def test_s5_1_only_version_0() -> None:
    """§5.1: there is version 0 only, without a minor number; it comes first."""
    for line in ("v=1", "v=0.1", "o=- 1 1 IN IP4 192.0.2.1"):
        with pytest.raises(SdpError):
            sdp(line)


def test_s5_7_a_media_level_connection_overrides() -> None:
    """§5.7: the session's c= line holds for media that have none of their own."""
    description = sdp(*EXAMPLE)
    connections = [description.media_connection(index) for index in range(3)]
    assert [each and each.host for each in connections] == ["198.51.100.1", "198.51.100.1", "2001:db8::2"]


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("IN IP4 233.252.0.1/127", "233.252.0.1"),
        ("IN IP4 233.252.0.1/127/3", "233.252.0.1"),
        ("IN IP6 ff00::db8:0:101/3", "ff00::db8:0:101"),
        ("IN IP6 FF00:0:0:0:0:DB8:0:101", "ff00::db8:0:101"),
    ],
)
def test_s5_7_forms_of_addresses(value: str, host: str) -> None:
    connection = sdp("v=0", f"c={value}").connection
    assert connection is not None
    assert connection.host == host


def test_s5_8_bandwidth_is_a_type_and_a_number() -> None:
    description = sdp("v=0", "b=X-YZ:128", "b=AS:64", "m=video 5 RTP/AVP 99", "b=TIAS:50780")
    assert description.bandwidths == {"X-YZ": 128, "AS": 64}
    assert description.media[0].bandwidths == {"TIAS": 50780}


def test_s5_13_unknown_attributes_are_no_error() -> None:
    """§5.13: attributes that are not understood are ignored; a relay hands them on."""
    description = sdp("v=0", "a=orient:portrait", "m=audio 5 RTP/AVP 0", "a=no such thing at all")
    assert rewrite(description, [("192.0.2.1", 6)], ORIGIN).media[0].lines[1] == "a=no such thing at all"


def test_s5_14_number_of_ports() -> None:
    """§5.14: a port may be followed by a number of ports."""
    media = sdp("v=0", "m=video 49170/2 RTP/AVP 31").media[0]
    assert (media.port, media.count) == (49170, 2)


def test_s6_7_the_direction_of_the_media_holds_before_the_sessions() -> None:
    """§6.7: without any of the four attributes a stream is sendrecv; those of the media hold before those
    of the session."""
    description = sdp("v=0", "a=recvonly", "m=audio 5 RTP/AVP 0", "m=audio 7 RTP/AVP 0", "a=inactive")
    assert [description.direction(index) for index in (0, 1)] == ["recvonly", "inactive"]
    assert sdp("v=0", "m=audio 5 RTP/AVP 0").direction(0) == "sendrecv"
