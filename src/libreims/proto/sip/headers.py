"""Typed header values: addresses, Via, CSeq, RAck (RFC 3261 §20, RFC 3262 §7.2).

Values are read when somebody asks for them and are treated as immutable; one that was parsed prints as it
came.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import (
    KEPT,
    KEPT_LENGTH,
    LWS,
    Params,
    closing_quote,
    decimal,
    format_params,
    generic_params,
    is_token,
    parse_params,
    quote,
    split_list,
    unquote,
)
from libreims.proto.sip.uri import Uri, split_host_port

TRANSPORTS: Final = frozenset({"UDP", "TCP", "TLS", "SCTP"})
CSEQ_LIMIT: Final = 2**32
"""RFC 3261 §20.16 wants 32 bits unsigned (and senders below 2**31)."""


class NameAddr:
    """`"display" <uri>;params` or a bare `uri;params` (From, To, Contact, Route, Refer-To ...).

    `display` is unescaped and without quotes, `uri_text` as received, `params` those of the header.
    """

    __slots__ = ("_text", "_uri", "display", "params", "tag", "uri_text")

    def __init__(
        self, uri: Uri | str, display: str = "", params: Params | None = None, *, text: str = ""
    ) -> None:
        if isinstance(uri, str):
            self._uri: Uri | None = None
            self.uri_text = uri
        else:
            self._uri = uri
            self.uri_text = str(uri)
        self.display = display
        self.params: Params = {} if params is None else params
        self.tag: str | None = None if params is None else params.get("tag")
        """The tag of From or To; None without one."""
        self._text = text

    @staticmethod
    def parse(text: str) -> NameAddr:
        """Read one address; the URI itself is read when asked for.  Raises SipParseError (400)."""
        return kept_name_addr(text) if len(text) <= KEPT_LENGTH else NameAddr._read(text)

    @classmethod
    def _read(cls, text: str) -> NameAddr:
        text = text.strip(LWS)
        display = ""
        if text[:1] == "<":
            start = 0
        elif text[:1] == '"':
            end = closing_quote(text, 0)
            if end < 0:
                raise SipParseError(400, "Quoted String Without End")
            display = unquote(text[: end + 1])
            start = text.find("<", end)
            if start < 0 or text[end + 1 : start].strip(LWS):
                raise SipParseError(400, "Malformed Display Name")
        else:
            start = text.find("<")
            if start > 0:
                display = text[:start].strip(LWS)
                if '"' in display or "," in display or ";" in display:
                    raise SipParseError(400, "Malformed Display Name")
        if start < 0:
            return _parse_addr_spec(text)
        end = text.find(">", start)
        if end < 0:
            raise SipParseError(400, "Angle Bracket Without End")
        uri = text[start + 1 : end]
        _check_uri(uri)
        params: Params | None = None
        rest = text[end + 1 :]
        if rest:
            if rest[0] != ";":
                rest = rest.lstrip(LWS)
                if rest[0] != ";":
                    raise SipParseError(400, "Malformed Address")
            params = generic_params(rest[1:])
        return NameAddr(uri, display, params, text=text)

    @classmethod
    def parse_list(cls, text: str) -> list[NameAddr]:
        """Read a comma-separated list; raises SipParseError (400)."""
        return [cls.parse(part) for part in split_list(text)]

    @property
    def uri(self) -> Uri:
        """The URI; raises SipParseError (400) where it is malformed."""
        uri = self._uri
        if uri is None:
            uri = self._uri = Uri.parse(self.uri_text)
        return uri

    def __str__(self) -> str:
        text = self._text
        if not text:
            address = f"<{self.uri_text}>"
            if self.display:
                address = f"{quote(self.display)} {address}"
            text = self._text = address + format_params(self.params)
        return text

    def __repr__(self) -> str:
        return f"NameAddr({str(self)!r})"

    def without_params(self) -> NameAddr:
        """Display name and URI alone."""
        return NameAddr(self._uri or self.uri_text, self.display)


def _parse_addr_spec(text: str) -> NameAddr:
    uri, semicolon, tail = text.partition(";")
    uri = uri.rstrip(LWS)
    if "?" in uri or ">" in uri:
        # RFC 3261 §20: a URI with comma, question mark or semicolon has to stand in angle brackets.
        raise SipParseError(400, "URI Needs Angle Brackets")
    _check_uri(uri)
    return NameAddr(uri, "", generic_params(tail) if semicolon else None, text=text)


def _check_uri(uri: str) -> None:
    """The cheap part of reading a URI, so that a malformed address is found before it matters."""
    if ":" not in uri or " " in uri or "\t" in uri or '"' in uri or "<" in uri:
        raise SipParseError(400, "Malformed URI")


class Via:
    """One Via value: `SIP/2.0/UDP host:port;params`; `host` lower case, IPv6 without brackets."""

    __slots__ = ("_text", "host", "params", "port", "transport", "version")

    def __init__(
        self,
        transport: str,
        host: str,
        port: int | None,
        params: Params | None = None,
        *,
        version: str = "2.0",
        text: str = "",
    ) -> None:
        self.version = version
        self.transport = transport
        self.host = host
        self.port = port
        self.params: Params = {} if params is None else params
        self._text = text

    @staticmethod
    def parse(text: str) -> Via:
        """Read one value (no list); raises SipParseError (400)."""
        text = text.strip(LWS)
        head, semicolon, tail = text.partition(";")
        version, transport, host, port = _head(head) if len(head) <= KEPT_LENGTH else _read_head(head)
        return Via(
            transport, host, port, parse_params(tail) if semicolon else None, version=version, text=text
        )

    @classmethod
    def parse_list(cls, text: str) -> list[Via]:
        """Read a comma-separated list; raises SipParseError (400)."""
        return [cls.parse(part) for part in split_list(text)]

    @property
    def branch(self) -> str | None:
        """The branch parameter; None without one (RFC 2543 clients)."""
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The address of `received`, brackets of an IPv6 address taken off (RFC 5118 §4.5)."""
        value = self.params.get("received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port of `rport` (RFC 3581); None when absent, without value or not a port."""
        value = self.params.get("rport")
        port = None if value is None else decimal(value)
        return port if port is not None and port <= 65535 else None

    @property
    def sent_by(self) -> str:
        """`host[:port]`, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def response_address(self) -> tuple[str, int]:
        """Where a response goes over UDP: RFC 3261 §18.2.2 and RFC 3581 §4 (IPv6 without brackets)."""
        host = self.received or self.params.get("maddr") or self.host
        return host, self.rport or self.port or 5060

    def with_params(self, **params: str | None) -> Via:
        """The same value with these parameters set (`received`, `rport`)."""
        merged = {**self.params, **params}
        return Via(self.transport, self.host, self.port, merged, version=self.version)

    def __str__(self) -> str:
        text = self._text
        if not text:
            text = f"SIP/{self.version}/{self.transport} {self.sent_by}{format_params(self.params)}"
            self._text = text
        return text

    def __repr__(self) -> str:
        return f"Via({str(self)!r})"


def _read_head(head: str) -> tuple[str, str, str, int | None]:
    """Version, transport, host and port of `SIP/2.0/UDP host:port`; raises SipParseError (400)."""
    version = "2.0"
    if head[:8] == "SIP/2.0/":
        transport, space, sent_by = head[8:].partition(" ")
    else:
        version, transport, space, sent_by = _loose_protocol(head)
    sent_by = sent_by.strip(LWS)
    if not space or (transport not in TRANSPORTS and not is_token(transport)):
        raise SipParseError(400, "Malformed Via")
    if " " in sent_by or "\t" in sent_by:
        sent_by = _join_sent_by(sent_by)
    host, port = split_host_port(sent_by)
    return version, transport.upper(), host, port


_head = lru_cache(KEPT)(_read_head)
"""A peer's messages differ in the branch only, which comes after it."""


def _loose_protocol(head: str) -> tuple[str, str, str, str]:
    """Version, transport, space and sent-by of `SIP / 2.0 / UDP  host` (RFC 3261 §25.1, SLASH).

    Another version is none of a Via's business: the request line has it too and is answered with 505.
    """
    parts = head.replace("\t", " ").split("/", 2)
    if len(parts) != 3 or parts[0].strip(LWS).upper() != "SIP" or not is_token(parts[1].strip(LWS)):
        raise SipParseError(400, "Malformed Via")
    transport, space, sent_by = parts[2].lstrip(LWS).partition(" ")
    return parts[1].strip(LWS), transport, space, sent_by


def _join_sent_by(sent_by: str) -> str:
    """`host : port`: COLON allows white space around it, nothing else does."""
    host, colon, port = sent_by.rpartition(":")
    host = host.rstrip(LWS)
    port = port.lstrip(LWS)
    if not colon or " " in host or "\t" in host or " " in port or "\t" in port:
        raise SipParseError(400, "Malformed Via")
    return f"{host}:{port}"


class CSeq(NamedTuple):
    """Sequence number and method."""

    number: int
    method: str

    @staticmethod
    def parse(text: str) -> CSeq:
        """Read `1*DIGIT LWS Method`; raises SipParseError (400)."""
        return kept_cseq(text) if len(text) <= KEPT_LENGTH else CSeq._read(text)

    @classmethod
    def _read(cls, text: str) -> CSeq:
        digits, space, method = text.partition(" ")
        if not space or not method.isalpha():
            # Another kind of white space, or a method of other characters than the usual ones.
            parts = text.replace("\t", " ").split(" ")
            digits = parts[0]
            method = parts[-1]
            if len(parts) < 2 or any(parts[1:-1]) or not is_token(method):
                raise SipParseError(400, "Malformed CSeq")
        number = decimal(digits)
        if number is None or number >= CSEQ_LIMIT or not method.isascii():
            raise SipParseError(400, "Malformed CSeq")
        return cls(number, method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


kept_name_addr = lru_cache(KEPT)(NameAddr._read)
kept_cseq = lru_cache(KEPT)(CSeq._read)
"""`parse` for texts up to `KEPT_LENGTH`, without the step through it."""


class RAck(NamedTuple):
    """What a PRACK acknowledges (RFC 3262 §7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Read `response-num CSeq-num Method`; raises SipParseError (400)."""
        parts = text.split()
        if len(parts) == 3 and is_token(parts[2]):
            rseq = decimal(parts[0])
            cseq = decimal(parts[1])
            if rseq is not None and cseq is not None and 0 < rseq < CSEQ_LIMIT and cseq < CSEQ_LIMIT:
                return cls(rseq, cseq, parts[2])
        raise SipParseError(400, "Malformed RAck")

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"
