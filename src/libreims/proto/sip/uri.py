"""SIP, SIPS, TEL and other URIs: RFC 3261 §19.1, RFC 3966, RFC 5031, RFC 8141.

A `Uri` is a value: nothing changes it once it exists; `with_param()` and its like return a new one.  One that
was parsed prints as it came, octet for octet.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import KEPT, KEPT_LENGTH, Params

_USUAL_SCHEMES: Final = frozenset({"sip", "tel", "sips", "urn"})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_FORBIDDEN: Final = re.compile(r'[\x00-\x20\x7f<>"\\^`{|}]')
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"[A-Za-z0-9\-._]+|[^\x00-\x7f]+")
_VISUAL: Final = str.maketrans("", "", "-.()")
_TEL_NUMBER: Final = re.compile(r"\+[0-9]+|[0-9A-Fa-f*#]+")
_USER_SAFE: Final = "-_.!~*'()&=+$,;?/"
_PASSWORD_SAFE: Final = "-_.!~*'()&=+$,"
_PARAM_SAFE: Final = "-_.!~*'()[]/:&+$"

_ALWAYS_COMPARED: Final = ("user", "ttl", "method", "maddr")
"""Parameters that never match when only one of two SIP URIs has them (RFC 3261 §19.1.4)."""


def normal_host(host: str) -> str:
    """Lower case; an IPv6 address (without brackets) in the form of RFC 5952."""
    if ":" not in host:
        return host.lower()
    try:
        return ipaddress.IPv6Address(host).compressed
    except ValueError:
        return host.lower()


def split_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]`, `[v6]:port` to host (lower case, no brackets) and port.

    Raises SipParseError (400).
    """
    if text[:1] == "[":
        end = text.find("]")
        host = text[1:end].lower()
        rest = text[end + 1 :]
        if end < 0 or (rest and rest[0] != ":"):
            raise SipParseError(400, "Malformed IPv6 Reference")
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise SipParseError(400, "Malformed IPv6 Address") from None
        if not rest:
            return host, None
        digits = rest[1:]
    else:
        host, colon, digits = text.partition(":")
        if _HOST.fullmatch(host) is None:
            raise SipParseError(400, "Malformed Host")
        host = host.lower()
        if not colon:
            return host, None
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 5 or int(digits) > 65535:
        raise SipParseError(400, "Malformed Port")
    return host, int(digits)


def _unescape(text: str) -> str:
    return unquote(text, errors="surrogateescape") if "%" in text else text


def _escape(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="surrogateescape")


class Uri:
    """A URI and its parts.

    For `sip` and `sips`: `user` (unescaped), `password`, `host` (lower case, IPv6 without brackets), `port`,
    `params`, `headers` (what follows `?`, as received).  For `tel`: `user` is the number without visual
    separators, `params` its parameters.  For `urn` and any other scheme: `user` is all after the colon.
    """

    __slots__ = ("_text", "headers", "host", "params", "password", "port", "scheme", "user")

    def __init__(
        self,
        scheme: str,
        user: str = "",
        password: str | None = None,
        host: str = "",
        port: int | None = None,
        params: Params | None = None,
        headers: str = "",
        text: str = "",
    ) -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params: Params = {} if params is None else params
        self.headers = headers
        self._text = text

    @staticmethod
    def parse(text: str) -> Uri:
        """Read an absolute URI; raises SipParseError (400)."""
        return _uri(text) if len(text) <= KEPT_LENGTH else _uri.__wrapped__(text)

    @classmethod
    def _read(cls, text: str) -> Uri:
        scheme, _, rest = text.partition(":")
        if not rest or (scheme not in _USUAL_SCHEMES and _SCHEME.fullmatch(scheme) is None):
            raise SipParseError(400, "Malformed URI")
        if _FORBIDDEN.search(text) is not None:
            raise SipParseError(400, "Character Not Allowed In URI")
        if "%" in text and _BAD_ESCAPE.search(text) is not None:
            raise SipParseError(400, "Malformed Escape In URI")
        scheme = scheme.lower()
        if scheme == "sip" or scheme == "sips":
            return _parse_sip(scheme, rest, text)
        if scheme == "tel":
            return _parse_tel(rest, text)
        return Uri(scheme, rest, text=text)

    @staticmethod
    def sip(user: str, host: str, port: int | None = None, **params: str | None) -> Uri:
        """A SIP URI from its unescaped parts; an IPv6 host with or without brackets."""
        return Uri("sip", user, None, host.strip("[]").lower(), port, dict(params))

    @staticmethod
    def tel(number: str, phone_context: str | None = None) -> Uri:
        """A telephone number; a local one needs its context (RFC 3966 §5.1.4)."""
        params: Params = {} if phone_context is None else {"phone-context": phone_context}
        return Uri("tel", number.translate(_VISUAL), params=params)

    def __str__(self) -> str:
        text = self._text
        if not text:
            text = self._text = self._format()
        return text

    def __repr__(self) -> str:
        return f"Uri({str(self)!r})"

    def _format(self) -> str:
        out = [self.scheme, ":"]
        if self.scheme == "sip" or self.scheme == "sips":
            if self.user or self.password is not None:
                out.append(_escape(self.user, _USER_SAFE))
                if self.password is not None:
                    out.append(":" + _escape(self.password, _PASSWORD_SAFE))
                out.append("@")
            out.append(self.host_text)
        elif self.scheme == "tel":
            out.append(_escape(self.user, "+*"))
        else:
            out.append(self.user)
        for name, value in self.params.items():
            out.append(f";{name}" if value is None else f";{name}={_escape(value, _PARAM_SAFE)}")
        if self.headers:
            out.append("?" + self.headers)
        return "".join(out)

    @property
    def host_text(self) -> str:
        """`host[:port]` as in the URI, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def host_port(self, default: int = 5060) -> tuple[str, int]:
        """The address as sockets want it: IPv6 without brackets in the form of RFC 5952, port never None."""
        return normal_host(self.host), default if self.port is None else self.port

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is `sip` or `sips`."""
        return self.scheme == "sip" or self.scheme == "sips"

    @property
    def phone_context(self) -> str | None:
        """The phone-context: a parameter of a tel URI, or inside a SIP user part (RFC 3261 §19.1.6)."""
        if self.scheme == "tel":
            return self.params.get("phone-context")
        if ";" in self.user:
            for part in self.user.split(";")[1:]:
                name, _, value = part.partition("=")
                if name.lower() == "phone-context":
                    return value
        return None

    @property
    def number(self) -> str | None:
        """The telephone number without visual separators: of a tel URI, or of a SIP user part that has the
        form of one (parameters such as phone-context taken off); None where there is none."""
        if self.scheme == "tel":
            return self.user
        number = self.user.partition(";")[0].translate(_VISUAL)
        return number if _TEL_NUMBER.fullmatch(number) is not None else None

    def with_param(self, name: str, value: str | None) -> Uri:
        """The same URI with one parameter set."""
        return self._derive({**self.params, name: value}, self.headers)

    def without_params(self, *names: str) -> Uri:
        """The same URI without these parameters."""
        return self._derive({k: v for k, v in self.params.items() if k not in names}, self.headers)

    def bare(self) -> Uri:
        """The address alone: without parameters and headers (an address-of-record, RFC 3261 §10.3 step 5)."""
        return self._derive({}, "")

    def _derive(self, params: Params, headers: str) -> Uri:
        return Uri(self.scheme, self.user, self.password, self.host, self.port, params, headers)

    def __hash__(self) -> int:
        if self.is_sip:
            return hash((self.scheme, self.user, normal_host(self.host), self.port))
        if self.scheme == "tel":
            return hash(self.user.lower())
        return hash((self.scheme, _opaque_key(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Uri):
            return NotImplemented
        if self is other:
            return True
        if self.scheme != other.scheme:
            return False
        if self.is_sip:
            return _same_sip(self, other)
        if self.scheme == "tel":
            return self.user.lower() == other.user.lower() and _tel_params(self) == _tel_params(other)
        return _opaque_key(self) == _opaque_key(other)


_uri = lru_cache(KEPT)(Uri._read)


def _parse_sip(scheme: str, rest: str, text: str) -> Uri:
    userinfo, at, hostpart = rest.rpartition("@")
    user = ""
    password: str | None = None
    if at:
        if "@" in userinfo or not userinfo:
            raise SipParseError(400, "Malformed User Part")
        user, colon, secret = userinfo.partition(":")
        user = _unescape(user)
        if colon:
            password = _unescape(secret)
    headers = ""
    if "?" in hostpart:
        hostpart, _, headers = hostpart.partition("?")
    params: Params | None = None
    if ";" in hostpart:
        hostpart, _, tail = hostpart.partition(";")
        params = _uri_params(tail)
    host, port = split_host_port(hostpart)
    return Uri(scheme, user, password, host, port, params, headers, text)


def _parse_tel(rest: str, text: str) -> Uri:
    number, semicolon, tail = rest.partition(";")
    number = _unescape(number).translate(_VISUAL)
    if _TEL_NUMBER.fullmatch(number) is None:
        raise SipParseError(400, "Malformed Telephone Number")
    return Uri("tel", number, params=_uri_params(tail) if semicolon else None, text=text)


def _uri_params(tail: str) -> Params:
    params: Params = {}
    for part in tail.split(";"):
        name, equals, value = part.partition("=")
        if not name or (equals and not value):
            raise SipParseError(400, "Empty URI Parameter")
        params[_unescape(name).lower()] = _unescape(value) if equals else None
    return params


def _same_sip(a: Uri, b: Uri) -> bool:
    """RFC 3261 §19.1.4, with hosts compared as RFC 5954 §4 wants it for IPv6."""
    if a.user != b.user or a.password != b.password or a.port != b.port:
        return False
    if a.host != b.host and normal_host(a.host) != normal_host(b.host):
        return False
    if a.params or b.params:
        for name, value in a.params.items():
            if name in b.params:
                if (value or "").lower() != (b.params[name] or "").lower():
                    return False
            elif name in _ALWAYS_COMPARED:
                return False
        for name in _ALWAYS_COMPARED:
            if name in b.params and name not in a.params:
                return False
    return a.headers == b.headers or _headers_key(a.headers) == _headers_key(b.headers)


def _headers_key(headers: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in headers.split("&") if part]
    return sorted((_unescape(name).lower(), _unescape(value)) for name, _, value in pairs)


def _tel_params(uri: Uri) -> dict[str, str]:
    """Parameters as RFC 3966 §3 and §5 compare them: order, case and visual separators do not count."""
    result = {name: (value or "").lower() for name, value in uri.params.items()}
    context = result.get("phone-context", "")
    if context[:1] == "+":
        result["phone-context"] = context.translate(_VISUAL)
    if "ext" in result:
        result["ext"] = result["ext"].translate(_VISUAL)
    return result


def _opaque_key(uri: Uri) -> str:
    """RFC 8141 §3.1: case does not count in the namespace, nor in service labels (RFC 5031 §3.2)."""
    if uri.scheme != "urn":
        return uri.user
    namespace, _, rest = uri.user.partition(":")
    namespace = namespace.lower()
    return f"{namespace}:{rest.lower() if namespace == 'service' else rest}"
