"""`call.sdp_file`: descriptions from files, their addresses and ports replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.call.sdp_file import answer_from, read_sdp_file
from libreims.proto.sdp.description import SessionDescription

TEXT = (
    "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=test\nc=IN IP4 0.0.0.0\nb=AS:50\nt=0 0\na=x-session\n"
    "m=audio 4000 RTP/AVP 0\nc=IN IP4 1.1.1.1\na=rtcp:4001\na=sendonly\n"
    "m=audio 0 RTP/AVP 8\n"
    "m=video 4002 RTP/AVP 99\na=rtpmap:99 H264/90000\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.sdp"
    path.write_text(TEXT)
    return path


def offer(*kinds: str) -> SessionDescription:
    lines = "".join(f"m={kind.strip('-')} {0 if kind[0] == '-' else 5000} RTP/AVP 96\r\n" for kind in kinds)
    return SessionDescription.parse(
        f"v=0\r\no=- 1 1 IN IP4 9.9.9.9\r\ns=-\r\nc=IN IP4 9.9.9.9\r\n{lines}".encode()
    )


def test_addresses_and_ports_are_placeholders(file: Path) -> None:
    description = read_sdp_file(file.name, str(file.parent))
    assert [each.port for each in description.media] == [9, 0, 9]
    assert description.lines == (
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=test",
        "c=IN IP4 127.0.0.1",
        "b=AS:50",
        "t=0 0",
        "a=x-session",
    )
    assert all(each.connection is None for each in description.media)
    assert description.media[0].lines[1:] == ("a=rtcp:4001", "a=sendonly")


def test_it_is_read_anew_each_time(file: Path) -> None:
    assert len(read_sdp_file(str(file)).media) == 3
    file.write_text(TEXT[: TEXT.index("m=video")])
    assert len(read_sdp_file(str(file)).media) == 2


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"hello", "cannot be used: SDP"),
        (b"v=0\r\ns=-\r\n", "has no m= line"),
        (b"v=0\r\n" + b"a=x\r\n" * 20000, "cannot be read: it has 100005 bytes, 65536 are the most"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, content: bytes | None, text: str) -> None:
    path = tmp_path / "x.sdp"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LibreImsError) as caught:
        read_sdp_file(str(path))
    assert str(path) in str(caught.value) and text in str(caught.value)


def test_an_answer_takes_the_next_line_of_the_same_kind(file: Path) -> None:
    description = read_sdp_file(str(file))
    answer = answer_from(description, offer("video", "audio", "audio", "text", "audio"))
    assert [each.kind for each in answer.media] == ["video", "audio", "audio", "text", "audio"]
    assert [each.port for each in answer.media] == [9, 9, 0, 0, 0]
    assert answer.media[1].lines == description.media[0].lines
    assert answer.media[3].formats == ("96",)


def test_what_is_offered_off_stays_off(file: Path) -> None:
    answer = answer_from(read_sdp_file(str(file)), offer("-audio", "audio"))
    assert [each.port for each in answer.media] == [0, 9]
