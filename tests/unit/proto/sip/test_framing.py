"""Messages out of a stream (RFC 3261 §18.3), keepalives (RFC 5626 §3.5.1), limits."""

from __future__ import annotations

import pytest

from libreims.proto.sip.framing import FramingError, StreamFramer
from libreims.proto.sip.parser import parse

HEAD = (
    b"OPTIONS sip:b@y SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=f\r\n"
    b"To: <sip:b@y>\r\nCall-ID: id@x\r\nCSeq: 1 OPTIONS\r\n"
)


def message(body: bytes = b"", length: bytes | None = None) -> bytes:
    return HEAD + b"Content-Length: " + (length or str(len(body)).encode()) + b"\r\n\r\n" + body


def test_cut_at_every_place() -> None:
    stream = message(b"one\r\n\r\n") + b"\r\n\r\n" + message() + message(b"two")
    expected = [message(b"one\r\n\r\n"), message(), message(b"two")]
    for cut in range(len(stream)):
        framer = StreamFramer()
        assert framer.feed(stream[:cut]) + framer.feed(stream[cut:]) == expected
        assert framer.pings == 1


def test_octet_by_octet() -> None:
    framer = StreamFramer()
    got = [each for octet in message(b"body") * 2 for each in framer.feed(bytes([octet]))]
    assert got == [message(b"body")] * 2


@pytest.mark.parametrize(
    ("stream", "pings"),
    [
        (b"", 0),
        (b"\r\n", 0),
        (b"\r\n\r\n", 1),
        (b"\r\n\r\n\r\n\r\n", 2),
        (message() + b"\r\n" + message() + b"\r\n", 0),
        (b"\r\n\r\n" + message() + b"\r\n\r\n", 2),
    ],
)
def test_pings(stream: bytes, pings: int) -> None:
    framer = StreamFramer()
    framer.feed(stream)
    assert framer.pings == pings
    framer = StreamFramer()
    for octet in stream:
        framer.feed(bytes([octet]))
    assert framer.pings == pings


@pytest.mark.parametrize(
    "line",
    [b"l:4", b"L : 4", b"content-LENGTH:\t4 ", b"Content-Length:\r\n 4", b"l:\n\t4", b"l: 4\r\nl: 004"],
)
def test_spellings_of_content_length(line: bytes) -> None:
    data = HEAD + line + b"\r\n\r\nbody"
    framed = StreamFramer().feed(data + message())
    assert framed == [data, message()]
    assert parse(data).body == b"body"


def test_lone_line_feeds() -> None:
    data = message(b"body").replace(b"\r\n", b"\n")
    assert StreamFramer().feed(data + data) == [data, data]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"\r\n", 400),
        (message(length=b"five"), 400),
        (message(length=b"-1"), 400),
        (HEAD + b"l: 1\r\nl: 2\r\n\r\n", 400),
        (message(length=b"70000"), 513),
    ],
)
def test_a_lost_stream(data: bytes, status: int) -> None:
    framer = StreamFramer()
    with pytest.raises(FramingError) as caught:
        framer.feed(data)
    assert caught.value.status == status
    assert caught.value.request is not None
    assert caught.value.request.call_id == "id@x"
    assert framer.error is caught.value
    with pytest.raises(FramingError):
        framer.feed(message())


def test_messages_before_the_loss_are_delivered() -> None:
    framer = StreamFramer()
    assert framer.feed(message() + HEAD + b"\r\n") == [message()]
    assert framer.error is not None
    with pytest.raises(FramingError):
        framer.feed(b"")


def test_a_head_without_end_is_bounded() -> None:
    framer = StreamFramer(limit=1000)
    with pytest.raises(FramingError) as caught:
        for _ in range(1000):
            framer.feed(b"x: yyyyyy\r\n")
    assert caught.value.status == 513
    assert caught.value.request is None


def test_garbage_is_noticed_at_once() -> None:
    for garbage in (b"\x16\x03\x01\x02", b"\x00", b" INVITE"):
        with pytest.raises(FramingError) as caught:
            StreamFramer().feed(garbage)
        assert (caught.value.status, caught.value.request) == (400, None)


def test_the_limit_holds_for_the_whole_message() -> None:
    size = len(message(b"x" * 100))
    assert len(StreamFramer(limit=size).feed(message(b"x" * 100))) == 1
    with pytest.raises(FramingError):
        StreamFramer(limit=size - 1).feed(message(b"x" * 100))
