"""SIP requests and responses (RFC 3261 §7): the lines as they came, typed values on demand.

A header line is kept as one string and printed again as that string; only what somebody asks for is parsed,
once.  The lists in `fields` are never changed in place by the methods here, so that a response may share
those of its request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NoReturn

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import KEPT_LENGTH, LWS, decimal, split_list
from libreims.proto.sip.headers import CSeq, NameAddr, Via, kept_cseq, kept_name_addr
from libreims.proto.sip.names import SPELLINGS, canonical
from libreims.proto.sip.reasons import REASONS, reason_phrase
from libreims.proto.sip.uri import Uri

__all__ = ["REASONS", "Message", "Request", "Response", "SipParseError", "canonical"]

_DIALOG_FORMING: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY", "UPDATE"})
_NO_LINES: Final[list[str]] = []
_STAR: Final = ["*"]
_HOPS: Final = {str(number): number for number in range(256)}
_WRITTEN_APART: Final = frozenset({"Via", "Content-Length"})
MAX_SECONDS: Final = 2**32 - 1
"""The largest delta-seconds (RFC 3261 §20.19)."""
MALFORMED_EXPIRES: Final = 3600
"""What a malformed expiry counts as (RFC 3261 §10.2.1.1)."""


def delta_seconds(text: str) -> int:
    """Seconds of an Expires header or `expires` parameter: too large is the maximum, malformed is 3600."""
    if len(text) < 10 and text.isascii() and text.isdigit():
        return int(text)
    text = text.strip(LWS)
    seconds = decimal(text)
    if seconds is None:
        return MAX_SECONDS if text.isascii() and text.isdigit() else MALFORMED_EXPIRES
    return min(seconds, MAX_SECONDS)


class Message:
    """What requests and responses have in common; never instantiated itself.

    `fields`: canonical header name to raw values, one per header line, in the order received; text is UTF-8
    with surrogateescape, so any octets survive.  Change it through `set`, `add`, `prepend`, `remove`.
    """

    __slots__ = ("_contacts", "_cseq", "_from", "_to", "_via", "body", "fields", "octets")

    def __init__(self, fields: dict[str, list[str]], body: bytes) -> None:
        self.fields = fields
        self.body = body
        self.octets = b""
        """As it came or went, where the stack was asked to keep that (`SipStack.keep_octets`); else empty."""
        self._contacts: list[NameAddr] | None = None
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: CSeq | None = None

    @property
    def via(self) -> Via:
        """The topmost Via.  Raises SipParseError (400)."""
        value = self._via
        if value is None:
            value = self._via = self._read_via()
        return value

    @via.setter
    def via(self, value: Via) -> None:
        self._via = value

    @property
    def from_(self) -> NameAddr:
        """The From header.  Raises SipParseError (400)."""
        value = self._from
        if value is None:
            value = self._from = NameAddr.parse(self._line("From"))
        return value

    @from_.setter
    def from_(self, value: NameAddr) -> None:
        self._from = value

    @property
    def to(self) -> NameAddr:
        """The To header.  Raises SipParseError (400)."""
        value = self._to
        if value is None:
            value = self._to = NameAddr.parse(self._line("To"))
        return value

    @to.setter
    def to(self, value: NameAddr) -> None:
        self._to = value

    @property
    def cseq(self) -> CSeq:
        """The CSeq.  Raises SipParseError (400)."""
        value = self._cseq
        if value is None:
            value = self._cseq = CSeq.parse(self._line("CSeq"))
        return value

    @cseq.setter
    def cseq(self, value: CSeq) -> None:
        self._cseq = value

    # --- raw access

    def get(self, name: str) -> str | None:
        """The first line's value, or None.  `name` canonical is the quick way, any case will do."""
        values = self.fields.get(name)
        if values is None:
            if SPELLINGS.get(name) == name:
                return None
            values = self._search(name)
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """The values of all lines ([] when absent); not to be changed by the caller."""
        values = self.fields.get(name)
        if values is None:
            if SPELLINGS.get(name) == name:
                return _NO_LINES
            values = self._search(name)
        return values

    def _search(self, name: str) -> list[str]:
        return self.fields.get(self._spelling(name), _NO_LINES)

    def _spelling(self, name: str) -> str:
        """The key in `fields` under which this header stands or would stand."""
        if SPELLINGS.get(name) == name:
            return name
        known = canonical(name)
        if known in SPELLINGS or known in self.fields:
            return known
        lowered = known.lower()
        for key in self.fields:
            if key.lower() == lowered:
                return key
        return known

    def __contains__(self, name: str) -> bool:
        return bool(self.get_all(name))

    def elements(self, name: str) -> list[str]:
        """The elements of a comma-separated header over all its lines; raises SipParseError (400)."""
        values = self.get_all(name)
        if len(values) == 1:
            return split_list(values[0])
        result: list[str] = []
        for value in values:
            result.extend(split_list(value))
        return result

    def tokens(self, name: str) -> frozenset[str]:
        """The elements in lower case: option tags of Supported and Require."""
        values = self.get_all(name)
        if not values:
            return frozenset()
        return frozenset([element.lower() for element in self.elements(name)])

    # --- changes

    def set(self, name: str, value: str) -> None:
        """Replace all lines of this header by one."""
        key = self._spelling(name)
        self.fields[key] = [value]
        self._forget(key)

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        key = self._spelling(name)
        values = self.fields.get(key)
        self.fields[key] = [value] if values is None else [*values, value]
        self._forget(key)

    def prepend(self, name: str, value: str) -> None:
        """Put a line before the others of this header."""
        key = self._spelling(name)
        values = self.fields.get(key)
        if values is None:
            self.fields[key] = [value]
            if key != "Contact":
                return  # nothing can have been read from it
        else:
            self.fields[key] = [value, *values]
        self._forget(key)

    def remove(self, name: str) -> None:
        """Take all lines of this header away; harmless without any."""
        key = self._spelling(name)
        if self.fields.pop(key, None) is not None:
            self._forget(key)

    def replace_first(self, name: str, value: str | None) -> None:
        """Replace the first element of a list header, or take it away with None (Via, Route, Path)."""
        key = self._spelling(name)
        values = self.fields[key]
        first = split_list(values[0]) if "," in values[0] else [values[0]]
        rest = [*first[1:], *values[1:]]
        if value is not None:
            rest.insert(0, value)
        if rest:
            self.fields[key] = rest
        else:
            del self.fields[key]
        self._forget(key)

    def replace_via(self, via: Via) -> None:
        """Put another value in the place of the topmost Via."""
        values = self.fields["Via"]
        if len(values) == 1 and "," not in values[0]:
            self.fields["Via"] = [str(via)]
        else:
            self.replace_first("Via", str(via))
        self.via = via

    def _forget(self, key: str) -> None:
        if key == "Contact":
            self._contacts = None
        elif key == "Via":
            self._via = None
        elif key == "To":
            self._to = None
        elif key == "From":
            self._from = None
        elif key == "CSeq":
            self._cseq = None

    def read_mandatory(self) -> str:
        """Read topmost Via, From, To and CSeq now, so that nobody later meets a malformed one.

        Returns the method of the CSeq; raises SipParseError (400).  All of them have to be present.
        """
        fields = self.fields
        line = fields["Via"][0]
        self.via = Via.parse(line) if "," not in line else self._read_via()
        text = fields["From"][0]
        self.from_ = kept_name_addr(text) if len(text) <= KEPT_LENGTH else NameAddr.parse(text)
        text = fields["To"][0]
        self.to = kept_name_addr(text) if len(text) <= KEPT_LENGTH else NameAddr.parse(text)
        text = fields["CSeq"][0]
        self.cseq = cseq = kept_cseq(text) if len(text) <= KEPT_LENGTH else CSeq.parse(text)
        return cseq.method

    # --- typed values; each raises SipParseError (400) where the header is malformed

    def _line(self, name: str) -> str:
        values = self.fields.get(name)
        if not values:
            raise SipParseError(400, f"Missing {name}")
        return values[0]

    def _read_via(self) -> Via:
        line = self._line("Via")
        if "," in line:
            elements = split_list(line)
            if not elements:
                raise SipParseError(400, "Malformed Via")
            line = elements[0]
        return Via.parse(line)

    @property
    def vias(self) -> list[Via]:
        """All Via values from the top."""
        return [Via.parse(element) for element in self.elements("Via")]

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self._line("Call-ID")

    @property
    def contacts(self) -> list[NameAddr]:
        """The contacts; empty for `Contact: *`."""
        contacts = self._contacts
        if contacts is None:
            lines = self.fields.get("Contact", _NO_LINES)
            if lines == _STAR:
                contacts = []
            elif len(lines) == 1 and lines[0] and "," not in lines[0]:
                contacts = [NameAddr.parse(lines[0])]
            else:
                contacts = [NameAddr.parse(part) for line in lines for part in split_list(line)]
            self._contacts = contacts
        return contacts

    @property
    def contacts_star(self) -> bool:
        """Whether the Contact is `*` (RFC 3261 §10.2.2)."""
        return self.fields.get("Contact") == _STAR

    @property
    def routes(self) -> list[NameAddr]:
        """The Route set from the top."""
        return [NameAddr.parse(element) for element in self.elements("Route")]

    @property
    def record_routes(self) -> list[NameAddr]:
        """The Record-Route set from the top."""
        return [NameAddr.parse(element) for element in self.elements("Record-Route")]

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards (0 to 255); None when absent."""
        text = self.get("Max-Forwards")
        if text is None:
            return None
        number = _HOPS.get(text)
        if number is None:
            number = decimal(text)
            if number is None or number > 255:
                raise SipParseError(400, "Malformed Max-Forwards")
        return number

    @property
    def expires(self) -> int | None:
        """Seconds of Expires; None when absent, 3600 when malformed (RFC 3261 §10.2.1.1)."""
        text = self.get("Expires")
        return None if text is None else delta_seconds(text)

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters; "" when absent."""
        text = self.get("Content-Type")
        if text is None:
            return ""
        return text.partition(";")[0].replace(" ", "").replace("\t", "").lower()

    # --- octets

    def _start_line(self) -> str:
        raise NotImplementedError

    def encode(self) -> bytes:
        """The message as octets: Via first, Content-Length from the body.

        Raises ValueError when a value that the program put in holds a line break.
        """
        fields = self.fields
        lines = [self._start_line()]
        lines += ["Via: " + value for value in fields.get("Via", _NO_LINES)]
        lines += [
            f"{name}: {value}"
            for name, values in fields.items()
            if name not in _WRITTEN_APART
            for value in values
        ]
        body = self.body
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        head = "\r\n".join(lines)
        breaks = len(lines) + 1
        if head.count("\n") != breaks or head.count("\r") != breaks:
            _refuse_line_break(lines)
        octets = head.encode("utf-8", "surrogateescape")
        return octets + body if body else octets

    def __bytes__(self) -> bytes:
        return self.encode()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._start_line()}>"


def _refuse_line_break(lines: list[str]) -> NoReturn:
    culprits = [line.partition(":")[0] for line in lines[:-1] if "\r" in line or "\n" in line]
    raise ValueError(f"line break in {culprits[0]!r}")


def _fields_from(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        key = SPELLINGS.get(name)
        if key is None:
            key = canonical(name)
        values = fields.get(key)
        if values is None:
            fields[key] = [value]
        else:
            values.append(value)
    return fields


class Request(Message):
    """A request; `method` is case-sensitive, `uri` the Request-URI as received."""

    __slots__ = ("_target", "method", "uri")

    def __init__(self, method: str, uri: str, fields: dict[str, list[str]], body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.method = method
        self.uri = uri
        self._target: Uri | None = None

    @classmethod
    def build(cls, method: str, uri: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Request:
        """A request of our own from header names (any spelling) and values."""
        return Request(method, uri, _fields_from(headers), body)

    def salvage_via(self) -> bool:
        """Make do with the sent-by alone of a malformed topmost Via, so that an error can be answered.

        Whether there is a usable Via now; the line itself stays as it is.
        """
        if self._via is None:  # not read, or not readable
            try:
                self._via = Via.parse(self._line("Via").partition(",")[0].partition(";")[0])
            except SipParseError:
                return False
        return True

    @property
    def target(self) -> Uri:
        """The Request-URI; raises SipParseError (400)."""
        target = self._target
        if target is None:
            target = self._target = Uri.parse(self.uri)
        return target

    def retarget(self, uri: str) -> None:
        """Give the request another Request-URI."""
        self.uri = uri
        self._target = None

    def _start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"


class Response(Message):
    """A response with `status` 100 to 699 and its `reason` phrase."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, fields: dict[str, list[str]], body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.status = status
        self.reason = reason

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        tag: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """Answer a request with its own lines (RFC 3261 §8.2.6): Via, From, To, Call-ID, CSeq.

        `tag` goes to a To that has none, except in a 100.  Record-Route comes along in what forms a dialog
        (§12.1.1), Timestamp in a 100 (§8.2.6.1).  A request that could be read in part only is answered with
        the lines that it has.
        """
        source = request.fields
        fields: dict[str, list[str]] = {}
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            values = source.get(name)
            if values is not None:
                fields[name] = values
        if status == 100:
            values = source.get("Timestamp")
            if values is not None:
                fields["Timestamp"] = values
        elif tag and "To" in fields and not _has_tag(request):
            fields["To"] = [f"{source['To'][0]};tag={tag}"]
        if 100 < status < 300 and request.method in _DIALOG_FORMING:
            values = source.get("Record-Route")
            if values is not None:
                fields["Record-Route"] = values
        for name, value in headers:
            key = SPELLINGS.get(name) or canonical(name)
            values = fields.get(key)
            fields[key] = [value] if values is None else [*values, value]
        return Response(status, reason_phrase(status) if reason is None else reason, fields, body)

    def _start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except SipParseError:
        # The To that made the request bad still has to come back (RFC 3261 §8.2.6.2).
        return ";tag=" in request.fields["To"][0]
