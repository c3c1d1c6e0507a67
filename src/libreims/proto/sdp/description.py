"""SDP session descriptions (RFC 8866): reading, looking, changing, writing.

A description is immutable: every change gives a new one, and what nobody changed is written octet for
octet as it was read.  Lines that are not known here are kept, in their places.  Read tolerantly (LF
alone, no `s=` or `t=`, blank lines), written as the RFC says (CRLF).  `offer_answer` builds on this.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Address = tuple[str, int]
"""`(host, port)`; an IPv6 host stands without brackets, in the form of RFC 5952."""

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""RFC 8866 §6.7, from the point of view of who wrote the description."""

DIRECTIONS: Final[dict[str, Direction]] = {
    "a=sendrecv": "sendrecv",
    "a=sendonly": "sendonly",
    "a=recvonly": "recvonly",
    "a=inactive": "inactive",
}

_DIRECTION_STARTS: Final = frozenset(line[:3] for line in DIRECTIONS)

_REGULAR: Final = re.compile(r"v=0\n(?:[a-z]=[^\n\r\0]*\n)+")
"""Nothing that would have to be tolerated."""

MEDIA_LIMIT: Final = 32
"""Most m-lines of one description; each costs the relay two sockets, so that there has to be a bound."""

_STATIC_CODECS: Final[dict[str, tuple[str, int, int]]] = {
    "0": ("PCMU", 8000, 1),
    "3": ("GSM", 8000, 1),
    "4": ("G723", 8000, 1),
    "8": ("PCMA", 8000, 1),
    "9": ("G722", 8000, 1),
    "13": ("CN", 8000, 1),
    "15": ("G728", 8000, 1),
    "18": ("G729", 8000, 1),
    "26": ("JPEG", 90000, 1),
    "31": ("H261", 90000, 1),
    "34": ("H263", 90000, 1),
}
"""Payload types that need no rtpmap (RFC 3551 §6): name, clock rate, channels."""


@lru_cache(1024)
def _is_literal(host: str) -> bool:
    """Remembered: a phone's address comes again with every description."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class SdpError(ValueError):
    """The octets are not a session description; the only error that `parse` raises."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"SDP line {line}: {reason}" if line else f"SDP: {reason}")
        self.reason = reason
        self.line = line
        """Number of the line, from 1; 0 where the description as a whole is wrong."""


class Connection(NamedTuple):
    """The value of a `c=` line (RFC 8866 §5.7)."""

    host: str
    """Without multicast TTL and count; IPv6 in the form of RFC 5952; a name stays a name."""
    address_type: str
    """`IP4` or `IP6`."""

    @property
    def is_null(self) -> bool:
        """No address to send to: the hold of RFC 2543, and what RFC 6157 §4.1 puts in its place."""
        return self.host in ("0.0.0.0", "::") or self.host.endswith(".invalid")

    @property
    def is_literal(self) -> bool:
        """Whether `host` is an address, not a name that would have to be resolved."""
        return _is_literal(self.host)


class Origin(NamedTuple):
    """The value of an `o=` line (RFC 8866 §5.2)."""

    username: str
    session_id: str
    version: int
    host: str

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {_family(self.host)} {self.host}"


class Codec(NamedTuple):
    """One payload type of an RTP m-line."""

    payload_type: str
    name: str
    """Encoding name as in the rtpmap, or of RFC 3551; empty when neither tells."""
    clock_rate: int
    channels: int
    fmtp: str
    """Format parameters as they are; empty without."""


class MediaDescription:
    """One m-line and the lines that belong to it (RFC 8866 §5.14); never changed once it is made."""

    __slots__ = ("_connection", "_direction", "count", "formats", "kind", "lines", "port", "proto")

    def __init__(
        self, kind: str, port: int, count: int, proto: str, formats: tuple[str, ...], lines: tuple[str, ...]
    ) -> None:
        # A plain class: a frozen dataclass takes four times as long to make, and each call makes a dozen.
        self.kind = kind
        """`audio`, `video`, `text`, ..., lower case."""
        self.port = port
        """0 when the stream is rejected or ended."""
        self.count = count
        """Number of port pairs, 1 unless `m=audio 49170/2 ...`."""
        self.proto = proto
        self.formats = formats
        self.lines = lines
        """All lines without their ends; the first is the m-line."""
        self._connection: Connection | Literal[False] | None = False  # False: not looked for yet
        self._direction: Direction | Literal[False] | None = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaDescription) and self.lines == other.lines

    def __hash__(self) -> int:
        return hash(self.lines)

    def __repr__(self) -> str:
        return f"<MediaDescription {self.lines[:1]}>"

    @property
    def connection(self) -> Connection | None:
        """The first `c=` line of this m-line, None when the session's holds."""
        found = self._connection
        if found is False:
            found = self._connection = _connection(self.lines)
        return found

    @property
    def bandwidths(self) -> dict[str, int]:
        """`b=` lines of this m-line by modifier: AS in kbit/s, TIAS, RS and RR in bit/s."""
        return _bandwidths(self.lines)

    @property
    def own_direction(self) -> Direction | None:
        """Direction that stands at this m-line, None when the session's holds."""
        found = self._direction
        if found is False:
            found = self._direction = _direction(self.lines)
        return found

    @property
    def is_rtp(self) -> bool:
        """Whether the transport is RTP over UDP, in any profile (AVP, AVPF, SAVP, DTLS ...)."""
        return self.proto.upper().startswith(("RTP/", "UDP/TLS/RTP/"))

    def same_direction(self, other: MediaDescription) -> None:
        """Spare the look for `own_direction`: it is that of the m-line which this was made from."""
        self._direction = other._direction

    def attribute(self, name: str) -> str | None:
        """Value of the first `a=name:value`; empty for a flag `a=name`; None without."""
        return next(iter(self.attributes(name)), None)

    def attributes(self, name: str) -> list[str]:
        """Values of all `a=name` lines, in order."""
        return _attributes(self.lines, name)

    def codecs(self) -> list[Codec]:
        """The formats of an RTP m-line, in order of preference, with what rtpmap and fmtp say of them."""
        maps = dict(_split_pair(value) for value in self.attributes("rtpmap"))
        parameters = dict(_split_pair(value) for value in self.attributes("fmtp"))
        return [_codec(each, maps.get(each), parameters.get(each, "")) for each in self.formats]

    def with_lines(self, lines: Iterable[str]) -> MediaDescription:
        """The same m-line with other lines below it."""
        return self._with(self.port, self.count, (self.lines[0], *lines))

    def replaced(self, port: int, lines: Iterable[str]) -> MediaDescription:
        """The m-line with another port, a port count of 1, and other lines below it."""
        return self._with(port, 1, (self.head(port), *lines))

    def head(self, port: int) -> str:
        """The m-line itself with another port and a port count of 1."""
        return f"m={self.kind} {port} {self.proto} {' '.join(self.formats)}"

    def _with(self, port: int, count: int, lines: tuple[str, ...]) -> MediaDescription:
        return MediaDescription(self.kind, port, count, self.proto, self.formats, lines)


class SessionDescription:
    """A whole session description; never changed once it is made."""

    __slots__ = ("_connection", "_direction", "_raw", "lines", "media")

    def __init__(self, lines: tuple[str, ...], media: tuple[MediaDescription, ...]) -> None:
        self.lines = lines
        """Session-level lines without their ends."""
        self.media = media
        self._raw: bytes | None = None  # the octets that it was read from
        self._connection: Connection | Literal[False] | None = False
        self._direction: Direction | Literal[False] | None = False

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SessionDescription) and self.lines == other.lines and self.media == other.media
        )

    def __hash__(self) -> int:
        return hash((self.lines, self.media))

    def __repr__(self) -> str:
        return f"<SessionDescription {self.lines} {self.media}>"

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Read a description. Raises SdpError, nothing else."""
        text = data.decode("utf-8", "surrogateescape")
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        description = _read_regular(text) or _read_tolerant(text)
        description._raw = bytes(data)
        return description

    def lacks(self, *starts: bytes) -> bool:
        """Whether certainly no line begins so: one look at all octets instead of one at each line."""
        raw = self._raw
        return raw is not None and not any(start in raw for start in starts)

    def encode(self) -> bytes:
        """The description as octets: those that were read, or CRLF lines once something was changed."""
        if self._raw is not None:
            return self._raw
        return str(self).encode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        lines = [*self.lines]
        for media in self.media:
            lines += media.lines
        return "\r\n".join(lines) + "\r\n"

    @property
    def origin(self) -> Origin | None:
        """The `o=` line, None when there is none."""
        for line in self.lines:
            if line.startswith("o="):
                return parse_origin(line[2:], 0)
        return None

    @property
    def connection(self) -> Connection | None:
        """The session's `c=` line, None when there is none."""
        found = self._connection
        if found is False:
            found = self._connection = _connection(self.lines)
        return found

    @property
    def bandwidths(self) -> dict[str, int]:
        """`b=` lines of the session by modifier."""
        return _bandwidths(self.lines)

    @property
    def own_direction(self) -> Direction | None:
        """Direction for all m-lines that have none, None when the session has none either."""
        found = self._direction
        if found is False:
            found = self._direction = _direction(self.lines)
        return found

    def attributes(self, name: str) -> list[str]:
        """Values of all session-level `a=name` lines, in order."""
        return _attributes(self.lines, name)

    def media_connection(self, index: int) -> Connection | None:
        """Where the m-line wants its packets: its own `c=` line, else the session's (RFC 8866 §5.7)."""
        # Asked for a dozen times in a call, so without a property where the answer is known.
        media = self.media[index]
        found = media._connection
        return (media.connection if found is False else found) or self.connection

    def direction(self, index: int) -> Direction:
        """Direction of an m-line; `sendrecv` when nothing is said (RFC 8866 §6.7)."""
        media = self.media[index]
        found = media._direction
        return (media.own_direction if found is False else found) or self.own_direction or "sendrecv"

    def rtp_address(self, index: int) -> Address | None:
        """Where RTP is to be sent to; None when the m-line is off, held by a null address, or has no `c=`."""
        port = self.media[index].port
        connection = self.media_connection(index)
        if not port or connection is None or connection.is_null:
            return None
        return connection.host, port

    def rtcp_address(self, index: int) -> Address | None:
        """Where RTCP is to be sent to: as `a=rtcp` says (RFC 3605), else the port after RTP's.

        `a=rtcp-mux` is passed over: the relay never agrees to it (RFC 5761 §5.1.1 has both ports then).
        """
        rtp = self.rtp_address(index)
        media = self.media[index]
        if rtp is None:
            return None
        value = None if self.lacks(b"a=rtcp:") else media.attribute("rtcp")
        if value is not None:
            parts = value.split()
            if parts and (port := _integer(parts[0], 65535)):
                if len(parts) == 4 and parts[1] == "IN":
                    return _canonical(parts[3]), port
                return rtp[0], port
        return (rtp[0], rtp[1] + 1) if rtp[1] < 65535 else None

    def with_media(self, index: int, media: MediaDescription) -> SessionDescription:
        """The same description with another m-line in this place."""
        return SessionDescription(self.lines, (*self.media[:index], media, *self.media[index + 1 :]))

    def with_origin(self, origin: Origin) -> SessionDescription:
        """The same description with another `o=` line."""
        line = f"o={origin}"
        if self.lines[1:2] == (line,):
            return self
        lines = [line if each.startswith("o=") else each for each in self.lines]
        if line not in lines:
            lines.insert(1, line)
        return SessionDescription(tuple(lines), self.media)


def _read_regular(text: str) -> SessionDescription | None:
    """What a phone writes, read by few steps; None for everything that asks for a closer look.

    A third of the time of `_read_tolerant`, which takes each line on its own.
    """
    if _REGULAR.fullmatch(text) is None:
        return None
    head, *sections = text[:-1].split("\nm=")
    if len(sections) > MEDIA_LIMIT:
        return None
    lines = tuple(head.split("\n"))
    session = None
    try:
        for line in lines:
            if line[0] == "c":
                session = session or parse_connection(line[2:], 0)
            elif line[0] == "o":
                parse_origin(line[2:], 0)
        media = [_read_section(section) for section in sections]
    except SdpError:
        return None  # the closer look tells the line
    description = SessionDescription(lines, tuple(media))
    description._connection = session
    return description


def _read_section(section: str) -> MediaDescription:
    """An m-line and what belongs to it, the `m=` taken off."""
    lines = ("m=" + section).split("\n")
    media = _parse_media(lines[0], 0)
    media.lines = tuple(lines)
    connection = None
    if "\nc=" in section or "\no=" in section:
        for line in lines:
            if line[0] == "c":
                connection = parse_connection(line[2:], 0) if connection is None else connection
            elif line[0] == "o":
                raise SdpError("origin below an m-line")
    media._connection = connection
    return media


def _read_tolerant(text: str) -> SessionDescription:
    """Read line by line. Raises SdpError."""
    lines = text.split("\n")
    if "\r" in text or "\0" in text:
        number = next(n for n, line in enumerate(lines, 1) if "\r" in line or "\0" in line)
        raise SdpError("carriage return or NUL inside a line", number)
    session: list[str] = []
    blocks = [session]
    heads: list[MediaDescription] = []
    add = session.append
    for number, line in enumerate(lines, 1):
        kind = line[:1]
        if line[1:2] != "=" or not "a" <= kind <= "z":
            if not line.strip():
                continue
            raise SdpError(f"expected <letter>=<value>, found {line[:20]!r}", number)
        if kind == "m":
            if len(heads) == MEDIA_LIMIT:
                raise SdpError(f"more than {MEDIA_LIMIT} m-lines", number)
            heads.append(_parse_media(line, number))
            block: list[str] = []
            blocks.append(block)
            add = block.append
        elif kind == "c":
            parse_connection(line[2:], number)
        elif kind == "o":
            parse_origin(line[2:], number)
        if not session and line.rstrip() != "v=0":
            raise SdpError(f"expected v=0, found {line[:20]!r}", number)
        add(line)
    if not session:
        raise SdpError("empty")
    for head, block in zip(heads, blocks[1:], strict=True):
        head.lines = tuple(block)
    return SessionDescription(tuple(session), tuple(heads))


def parse_connection(value: str, number: int) -> Connection:
    """The value of a `c=` line. Raises SdpError with this line number."""
    parts = value.split()
    if len(parts) != 3 or parts[1] not in ("IP4", "IP6") or parts[0] != "IN":
        raise SdpError(f"expected 'IN IP4|IP6 <address>', found {value[:60]!r}", number)
    host = parts[2].partition("/")[0]
    if not host:
        raise SdpError("connection without an address", number)
    return Connection(_canonical(host), parts[1])


def parse_origin(value: str, number: int) -> Origin:
    """The value of an `o=` line. Raises SdpError with this line number."""
    parts = value.split()
    if len(parts) != 6:
        raise SdpError("expected '<user> <id> <version> <net type> <address type> <address>'", number)
    version = _integer(parts[2], 2**64)
    if version is None:
        raise SdpError(f"session version {parts[2][:30]!r} is not a number", number)
    return Origin(parts[0], parts[1], version, parts[5])


def connection_line(host: str) -> str:
    """`c=` line for an IPv4 or IPv6 host."""
    return f"c=IN {_family(host)} {host}"


def attribute_name(line: str) -> str:
    """Name of an attribute line, empty for any other line."""
    if not line.startswith("a="):
        return ""
    return line[2:].partition(":")[0]


def _parse_media(line: str, number: int) -> MediaDescription:
    parts = line[2:].split()
    if len(parts) < 4:
        raise SdpError("expected 'm=<media> <port> <transport> <format> ...'", number)
    port_text, slash, count_text = parts[1].partition("/")
    port = _integer(port_text, 65535)
    if port is None:
        raise SdpError(f"port {parts[1][:20]!r} is not a number from 0 to 65535", number)
    count = _integer(count_text, 32767) if slash else 1
    if not count:
        raise SdpError(f"number of ports {count_text[:20]!r} is not a number from 1 to 32767", number)
    return MediaDescription(parts[0].lower(), port, count, parts[2], tuple(parts[3:]), ())


def _integer(text: str, most: int) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        return None
    value = int(text)
    return value if value <= most else None


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def _canonical(host: str) -> str:
    if ":" not in host:
        return host
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        return host


def _connection(lines: Sequence[str]) -> Connection | None:
    for line in lines:
        if line[:2] == "c=":
            return parse_connection(line[2:], 0)
    return None


def _direction(lines: Sequence[str]) -> Direction | None:
    for line in lines:
        if line[:3] in _DIRECTION_STARTS and (found := DIRECTIONS.get(line.rstrip())) is not None:
            return found
    return None


def _attributes(lines: Sequence[str], name: str) -> list[str]:
    flag = f"a={name}"
    start = f"{flag}:"
    cut = len(start)
    return [
        line[cut:].strip()
        for line in lines
        if line.startswith(flag) and (line == flag or line.startswith(start))
    ]


def _bandwidths(lines: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        if line.startswith("b="):
            name, _, text = line[2:].partition(":")
            value = _integer(text.strip(), 2**32)
            if value is not None:
                found.setdefault(name, value)
    return found


def _split_pair(value: str) -> tuple[str, str]:
    first, _, rest = value.partition(" ")
    return first, rest.strip()


def _codec(payload_type: str, rtpmap: str | None, fmtp: str) -> Codec:
    if rtpmap is None:
        name, rate, channels = _STATIC_CODECS.get(payload_type, ("", 0, 1))
        return Codec(payload_type, name, rate, channels, fmtp)
    parts = rtpmap.split("/")
    rate_found = _integer(parts[1], 2**32) if len(parts) > 1 else None
    channels_found = _integer(parts[2], 255) if len(parts) > 2 else None
    return Codec(payload_type, parts[0], rate_found or 0, channels_found or 1, fmtp)
