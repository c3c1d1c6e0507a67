"""Any octets become a message or the one SipParseError, in time that grows with their number only."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libreims.proto.sip.digest import AuthenticationInfo, Challenge, Credentials
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.framing import StreamFramer
from libreims.proto.sip.headers import CSeq, NameAddr, RAck, Via
from libreims.proto.sip.message import Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.uri import Uri
from libreims.proto.sip.validation import check_request, check_response

SPEC_DATA = Path(__file__).parent.parent / "spec" / "data"
SEEDS = [path.read_bytes() for path in sorted(SPEC_DATA.glob("rfc*/*.dat"))]
MUTATIONS = 4000
PIECES = (
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b'"', b"\\", b"<", b">", b",", b";", b"=", b":"),
    *(
        b"@",
        b"%",
        b"%00",
        b"?",
        b"[",
        b"]",
        b"/",
        b"*",
        b"SIP/2.0",
        b"sip:",
        b"tel:",
        b"Via",
        b"l: 9",
        b"9" * 40,
    ),
    *(b"\r\n\r\n", b"\r\n ", b"To: ", b"\xe2\x80\xa8", b"\xc2\x85", b"\xd9\xa3", b"Contact: *", b";tag="),
)


def exercise(data: bytes) -> None:
    """Parse, then everything that a server does with a message; anything but SipParseError is a bug."""
    try:
        message = parse(data)
    except SipParseError as error:
        assert 400 <= error.status <= 699
        if error.request is not None:
            answer = Response.to_request(error.request, error.status, error.reason, tag="t")
            assert answer.encode().endswith(b"Content-Length: 0\r\n\r\n")
            assert error.request.via.host
        return
    again = parse(message.encode())
    assert again.fields.keys() >= message.fields.keys()
    assert again.body == message.body
    for name, values in message.fields.items():
        if name != "Content-Length":
            assert again.fields[name] == values
    for header in ("Authorization", "WWW-Authenticate"):
        for value in message.get_all(header):
            for read in (Credentials.parse, Challenge.parse):
                try:
                    str(read(value))
                except SipParseError:
                    continue
    if isinstance(message, Response):
        check_response(message)
        return
    refusal = check_request(message, methods={"INVITE", "REGISTER", "OPTIONS"}, extensions={"path"})
    status = 200 if refusal is None else refusal.status
    answer = Response.to_request(message, status, tag="t", headers=() if refusal is None else refusal.headers)
    assert parse(answer.encode()).call_id == message.call_id
    if refusal is None:
        assert Uri.parse(str(message.target)) == message.target
        for contact in message.contacts:
            bare = Uri.parse(str(contact.uri.bare()))
            assert bare == contact.uri.bare()


def mutate(data: bytes, chance: random.Random) -> bytes:
    octets = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(octets) + 1)
        match chance.randrange(5):
            case 0:
                octets[at:at] = chance.choice(PIECES)
            case 1:
                del octets[at : at + chance.randint(1, 12)]
            case 2:
                octets[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                start = chance.randrange(len(octets) + 1)
                octets[at:at] = octets[start : start + chance.randint(1, 60)]
            case _:
                octets[at : at + 1] = chance.choice(PIECES)
    return bytes(octets)


@pytest.mark.parametrize("seed", range(4))
def test_mutations_of_the_torture_messages(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(MUTATIONS):
        data = mutate(chance.choice(SEEDS), chance)
        try:
            exercise(data)
        except Exception as error:
            raise AssertionError(f"{error!r} on {data!r}") from error


@given(st.binary(max_size=400))
@settings(max_examples=400, deadline=None)
def test_any_octets(data: bytes) -> None:
    exercise(data)


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(SEEDS))
@settings(max_examples=400, deadline=None)
def test_pieces_of_grammar_in_a_header(pieces: list[bytes], seed: bytes) -> None:
    exercise(seed.replace(b"From: ", b"From: " + b"".join(pieces), 1))
    exercise(seed.replace(b"Contact: ", b"Contact: " + b"".join(pieces), 1))
    exercise(b"".join(pieces) + seed)


READERS: tuple[Callable[[str], object], ...] = (
    Uri.parse,
    NameAddr.parse,
    NameAddr.parse_list,
    Via.parse,
    Via.parse_list,
    CSeq.parse,
    RAck.parse,
    Credentials.parse,
    Challenge.parse,
    AuthenticationInfo.parse,
)


@pytest.mark.parametrize("read", READERS)
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_header_values(read: Callable[[str], object], data: st.DataObject) -> None:
    alphabet = st.sampled_from('"\\<>,;=:@%?[]/* \tsipte:12Digest\udcff\x00é²')
    text = data.draw(st.one_of(st.text(alphabet, max_size=40), st.text(max_size=40)))
    for value in (text, "sip:" + text, "Digest " + text, "<sip:" + text, "SIP/2.0/UDP " + text):
        try:
            first = read(value)
        except SipParseError:
            continue
        assert str(first) is not None


@given(st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_what_is_printed_can_be_read(user: str, text: str) -> None:
    user = user.encode("utf-8", "replace").decode()
    text = text.encode("utf-8", "replace").decode()
    uri = Uri.sip(user, "example.com", None, p=text or None)
    assert Uri.parse(str(uri)) == uri
    address = NameAddr.parse(str(NameAddr(uri, text, {"p": text})))
    assert (address.display, address.params, address.uri) == (text, {"p": text}, uri)
    credentials = Credentials.parse(str(Credentials(username=user, realm=text, nonce=user)))
    assert (credentials.username, credentials.realm, credentials.nonce) == (user, text, user)


@given(st.lists(st.sampled_from([*SEEDS, b"\r\n\r\n", b"\r\n"]), max_size=6), st.integers(1, 700))
@settings(max_examples=100, deadline=None)
def test_framing_does_not_depend_on_the_cuts(parts: list[bytes], step: int) -> None:
    stream = b"".join(parts)
    assert frame(stream, len(stream) + 1) == frame(stream, step)


def frame(stream: bytes, step: int) -> tuple[list[bytes], int | None]:
    framer = StreamFramer()
    messages: list[bytes] = []
    for start in range(0, len(stream), step):
        try:
            messages += framer.feed(stream[start : start + step])
        except SipParseError:
            break
    return messages, None if framer.error is None else framer.error.status


# --- bounded time

SIZE = 65_000
CORE = (
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@y>\r\nCall-ID: i\r\n"
    "CSeq: 1 OPTIONS\r\n"
)


def filled(before: str, unit: str, after: str = "") -> bytes:
    """A message of about 64 kB with one piece repeated in it."""
    text = before + unit * (SIZE // len(unit)) + after
    return f"OPTIONS sip:b@y SIP/2.0\r\n{CORE}{text}\r\n\r\n".encode("utf-8", "surrogateescape")


def numbered(pattern: str) -> bytes:
    lines = "".join(pattern.format(index) for index in range(SIZE // len(pattern)))
    return f"OPTIONS sip:b@y SIP/2.0\r\n{CORE}{lines}\r\n".encode()


HOSTILE = {
    "folds": filled("Subject: x", "\r\n "),
    "wide folds": filled("Subject: x", "\r\n" + " " * 1000),
    "spaces": filled("Subject: x", " ", "x"),
    "spaces before the colon": filled("X-A", " ", ": x"),
    "unknown headers": numbered("X-{}: y\r\n"),
    "one unknown header": filled("", "X-a: y\r\nx-A: y\r\n"),
    "lone carriage returns": filled("Subject: ", "\r"),
    "lone line feeds": filled("", "X:\n", "y"),
    "contacts": filled("Contact: <sip:a@b>", ",<sip:a@b>"),
    "contact lines": filled("", "Contact: <sip:a@b>\r\n", "Contact: <sip:a@b>"),
    "commas": filled("Contact: <sip:a@b>", ","),
    "quotes": filled("Contact: <sip:a@b>;x=", '"'),
    "quoted strings": filled("Contact: <sip:a@b>;x=1", ';x="a"'),
    "quoted commas": filled('Contact: "', ",", '" <sip:a@b>'),
    "backslashes": filled('Contact: "', "\\", '" <sip:a@b>'),
    "escaped quotes": filled('Contact: "', '\\"', '" <sip:a@b>'),
    "open brackets": filled("Contact: ", "<"),
    "open brackets and quotes": filled("Contact: ", '<"'),
    "brackets with quotes": filled("Contact: <sip:a@b>", ',"<" <sip:a@b>'),
    "escapes with brackets": filled("Contact: <sip:a@b>", r',"\"" <sip:a@b>'),
    "parameters": numbered("Contact: <sip:a@b>;p{}=1\r\n"),
    "one contact's parameters": filled("Contact: <sip:a@b>", ";p=1"),
    "URI parameters": filled("Contact: <sip:a@b", ";p=1", ">"),
    "percent signs": filled("Contact: <sip:", "%41", "@b>"),
    "at signs": filled("Contact: <sip:a", "@", "b>"),
    "colons": filled("Contact: <sip:a", ":", "@b>"),
    "vias": filled("Via: SIP/2.0/UDP h", ",SIP/2.0/UDP h"),
    "slashes": filled("Via: ", "/ "),
    "routes": filled("Route: <sip:h;lr>", ",<sip:h;lr>"),
    "require": filled("Require: a", ",a"),
    "digits": filled("Max-Forwards: ", "9"),
    "zeros": filled("Content-Length: ", "0"),
    "digest": filled('Authorization: Digest a="', ",", '"'),
    "no colon": filled("", "x"),
    "surrogates": filled("Subject: ", "\udcff"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_64_kilobytes_take_bounded_time(name: str) -> None:
    data = HOSTILE[name]
    half = data[: len(data) // 2]
    exercise(half)
    start = time.process_time()
    exercise(data)
    # A quadratic step over 64 kB takes seconds; the slowest of these takes some 0.2 s on a slow machine.
    assert time.process_time() - start < 2.0


def test_64_kilobytes_octet_by_octet() -> None:
    data = HOSTILE["unknown headers"]
    framer = StreamFramer(limit=2 * SIZE)
    start = time.process_time()
    for octet in data:
        try:
            framer.feed(bytes([octet]))
        except SipParseError as error:
            assert error.reason == "Missing Content-Length"
    assert framer.error is not None
    assert time.process_time() - start < 4.0
