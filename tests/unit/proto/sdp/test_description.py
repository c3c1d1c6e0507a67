from __future__ import annotations

import pytest

from libreims.proto.sdp.description import MEDIA_LIMIT, Origin, SdpError, SessionDescription
from support.sdp import VOLTE, sdp, session, text


def octets(*lines: str, end: str = "\r\n") -> bytes:
    return "".join(line + end for line in lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        octets(*VOLTE),
        octets(*VOLTE, end="\n"),
        octets(*VOLTE)[:-2],
        octets(*VOLTE) + b"\r\n\r\n",
        octets("v=0", "x=unknown letter", "a=", "s=caf\xe9") + b"i=\xff\xfe\r\nm=audio  9 RTP/AVP   0 \r\n",
    ],
    ids=["crlf", "lf", "no last line end", "blank lines", "odd octets"],
)
def test_what_is_not_changed_is_written_octet_for_octet(data: bytes) -> None:
    assert SessionDescription.parse(data).encode() == data


def test_a_change_is_written_with_crlf_and_keeps_unknown_lines() -> None:
    data = octets("v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "q=what", "a=x-y:\u00fc", end="\n") + b"a=\xff\n"
    changed = SessionDescription.parse(data).with_origin(Origin("-", "5", 6, "192.0.2.1"))
    assert changed.encode() == (
        b"v=0\r\no=- 5 6 IN IP4 192.0.2.1\r\ns=-\r\nq=what\r\na=x-y:\xc3\xbc\r\na=\xff\r\n"
    )


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"", 0, "empty"),
        (b"\r\n\r\n", 0, "empty"),
        (b"v=1\r\n", 1, "v=0"),
        (b"s=-\r\n", 1, "v=0"),
        (b"v=0\r\nnonsense\r\n", 2, "<letter>=<value>"),
        (b"v=0\r\nA=upper case\r\n", 2, "<letter>=<value>"),
        (b"v=0\r\ns=a\rb\r\n", 2, "carriage return"),
        (b"v=0\r\ns=a\0b\r\n", 2, "NUL"),
        (b"v=0\r\no=- 1 1 IN IP4\r\n", 2, "<user>"),
        (b"v=0\r\no=- 1 x IN IP4 192.0.2.1\r\n", 2, "version"),
        (b"v=0\r\nc=IN IP5 192.0.2.1\r\n", 2, "IP4|IP6"),
        (b"v=0\r\nc=IN IP4 /127\r\n", 2, "without an address"),
        (b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", 2, "65536"),
        (b"v=0\r\nm=audio x RTP/AVP 0\r\n", 2, "'x'"),
        (b"v=0\r\nm=audio \xd9\xa3 RTP/AVP 0\r\n", 2, "port"),
        (b"v=0\r\nm=audio 9/0 RTP/AVP 0\r\n", 2, "number of ports"),
        (b"v=0\r\nm=audio 9/ RTP/AVP 0\r\n", 2, "number of ports"),
        (b"v=0\r\nm=audio 9 RTP/AVP\r\n", 2, "<media>"),
        (b"v=0\r\n" + b"m=audio 9 RTP/AVP 0\r\n" * (MEDIA_LIMIT + 1), MEDIA_LIMIT + 2, "m-lines"),
    ],
)
def test_errors_name_the_line(data: bytes, line: int, reason: str) -> None:
    with pytest.raises(SdpError) as caught:
        SessionDescription.parse(data)
    assert caught.value.line == line
    assert reason in str(caught.value)


def test_media_lines() -> None:
    description = session("m=Audio 5000/2 RTP/AVP 0 8", "m=text 0 RTP/AVP 98", "m=image 6000 udptl t38")
    audio, chat, fax = description.media
    assert (audio.kind, audio.port, audio.count, audio.proto) == ("audio", 5000, 2, "RTP/AVP")
    assert audio.formats == ("0", "8")
    assert (chat.kind, chat.port, chat.count) == ("text", 0, 1)
    assert [each.is_rtp for each in (audio, chat, fax)] == [True, True, False]


@pytest.mark.parametrize("proto", ["RTP/AVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVPF"])
def test_every_rtp_profile_is_rtp(proto: str) -> None:
    assert session(f"m=audio 5000 {proto} 0").media[0].is_rtp


def test_a_media_level_connection_holds_before_the_sessions() -> None:
    description = session(
        "m=audio 5000 RTP/AVP 0", "m=video 6000 RTP/AVP 99", "c=IN IP6 2001:DB8:0:0::9", "c=IN IP4 192.0.2.3"
    )
    assert description.rtp_address(0) == ("198.51.100.7", 5000)
    assert description.rtp_address(1) == ("2001:db8::9", 6000)


def test_multicast_suffixes_are_no_part_of_the_address() -> None:
    description = sdp("v=0", "c=IN IP4 224.2.1.1/127/3", "m=audio 5000 RTP/AVP 0")
    assert description.rtp_address(0) == ("224.2.1.1", 5000)


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ((), ("198.51.100.7", 5001)),
        (("a=rtcp:5333",), ("198.51.100.7", 5333)),
        (("a=rtcp:5333 IN IP4 203.0.113.4",), ("203.0.113.4", 5333)),
        (("a=rtcp:5333 IN IP6 2001:DB8::0:4",), ("2001:db8::4", 5333)),
        (("a=rtcp:",), ("198.51.100.7", 5001)),
        (("a=rtcp:0",), ("198.51.100.7", 5001)),
        (("a=rtcp:99999",), ("198.51.100.7", 5001)),
        (("a=rtcp-mux",), ("198.51.100.7", 5001)),
    ],
)
def test_rtcp_address(lines: tuple[str, ...], address: tuple[str, int]) -> None:
    assert session("m=audio 5000 RTP/AVP 0", *lines).rtcp_address(0) == address


@pytest.mark.parametrize(
    "lines",
    [
        ("v=0", "c=IN IP4 192.0.2.1", "m=audio 0 RTP/AVP 0"),
        ("v=0", "c=IN IP4 0.0.0.0", "m=audio 5000 RTP/AVP 0"),
        ("v=0", "c=IN IP6 ::", "m=audio 5000 RTP/AVP 0"),
        ("v=0", "c=IN IP6 held.invalid", "m=audio 5000 RTP/AVP 0"),
        ("v=0", "m=audio 5000 RTP/AVP 0"),
    ],
)
def test_nothing_is_sent_to_a_stream_that_is_off_or_nowhere(lines: tuple[str, ...]) -> None:
    assert sdp(*lines).rtp_address(0) is None
    assert sdp(*lines).rtcp_address(0) is None


def test_no_rtcp_address_above_the_last_port() -> None:
    assert session("m=audio 65535 RTP/AVP 0").rtcp_address(0) is None


def test_direction_of_the_media_of_the_session_or_the_default() -> None:
    description = sdp("v=0", "a=sendonly", "m=audio 1 RTP/AVP 0", "m=video 2 RTP/AVP 9", "a=inactive ")
    assert [description.direction(index) for index in (0, 1)] == ["sendonly", "inactive"]
    assert session("m=audio 1 RTP/AVP 0").direction(0) == "sendrecv"


def test_attributes_and_bandwidths() -> None:
    description = sdp(*VOLTE)
    audio = description.media[0]
    assert audio.attribute("ptime") == "20"
    assert audio.attribute("sendrecv") == ""
    assert audio.attribute("pt") is None
    assert audio.attributes("curr") == ["qos local none", "qos remote none"]
    assert audio.bandwidths == description.bandwidths == {"AS": 41, "RR": 2000, "RS": 600}
    assert sdp("v=0", "a=tool:x", "b=AS:many").attributes("tool") == ["x"]
    assert sdp("v=0", "b=AS:many").bandwidths == {}


def test_codecs() -> None:
    media = session(
        "m=audio 5000 RTP/AVP 104 8 99 105",
        "a=rtpmap:104 opus/48000/2",
        "a=fmtp:104 useinbandfec=1; x=2",
        "a=rtpmap:105 strange",
    ).media[0]
    assert [tuple(each) for each in media.codecs()] == [
        ("104", "opus", 48000, 2, "useinbandfec=1; x=2"),
        ("8", "PCMA", 8000, 1, ""),
        ("99", "", 0, 1, ""),
        ("105", "strange", 0, 1, ""),
    ]


def test_origin() -> None:
    assert sdp(*VOLTE).origin == Origin("anritsu", "3", 3, "2001:db8::17")
    assert sdp("v=0", "s=-").origin is None
    assert text(sdp("v=0", "s=-").with_origin(Origin("-", "1", 2, "2001:db8::1"))) == [
        "v=0",
        "o=- 1 2 IN IP6 2001:db8::1",
        "s=-",
    ]
