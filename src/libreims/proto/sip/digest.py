"""Digest authentication: RFC 2617, RFC 7616, RFC 3310 (AKAv1), RFC 4169 (AKAv2).

Pure: nonces, vectors and keys come from the caller.  In the AKA schemes the password is octets: RES in AKAv1,
the output of the PRF in AKAv2 (`akav2_password`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Final

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import KEPT_LENGTH, LWS, closing_quote, quote, split_quoted, unquote

MD5: Final = "MD5"
SHA256: Final = "SHA-256"
AKAV1_MD5: Final = "AKAv1-MD5"
AKAV2_MD5: Final = "AKAv2-MD5"
AKAV2_SHA256: Final = "AKAv2-SHA-256"

_AKAV2_LABEL: Final = b"http-digest-akav2-password"


_PAIR: Final = re.compile(r"""[ \t]*([A-Za-z0-9_-]+)=(?:"([^"\\]*)"|([^",\\ \t]+))(?:,(?=[^,])|\Z)""")
"""A pair as phones write it, and the comma after it; what does not consist of these is looked at closely."""

_HASHES: Final = {"MD5": "md5", "": "md5", "SHA-256": "sha256"}


@lru_cache(64)
def hash_name(algorithm: str) -> str:
    """The `hashlib` name of the hash under a Digest algorithm, AKA versions and `-sess` included.

    Raises ValueError for an algorithm that this module does not know.
    """
    name = algorithm.upper().removesuffix("-SESS")
    known = _HASHES.get(name.removeprefix("AKAV1-").removeprefix("AKAV2-"))
    if known is None:
        raise ValueError(f"unknown digest algorithm {algorithm!r}")
    return known


def _hash(name: str, data: bytes) -> str:
    if name == "md5":
        return _md5(data).hexdigest()
    return hashlib.new(name, data).hexdigest()


_md5 = partial(hashlib.md5, usedforsecurity=False)


@lru_cache(256)
def _hash_a2(name: str, method: str, uri: str) -> str:
    """H(A2) without body: all phones of a domain register with the same method and URI."""
    return _hash(name, _octets(f"{method}:{uri}"))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def compute_ha1(algorithm: str, username: str, realm: str, password: bytes) -> str:
    """H(username ":" realm ":" password), what a server may store instead of the password."""
    return _hash(hash_name(algorithm), _octets(f"{username}:{realm}:") + password)


def response(
    *,
    algorithm: str,
    username: str = "",
    realm: str = "",
    password: bytes | None = None,
    ha1: str | None = None,
    method: str,
    uri: str,
    nonce: str,
    qop: str = "",
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The `response` directive in lower-case hexadecimal.

    Either `password` (with username and realm) or `ha1` (without the `-sess` step); `qop` is the one chosen:
    "" (RFC 2069), "auth" or "auth-int".  With `method` "" it is the `rspauth` of Authentication-Info.
    Raises ValueError for an unknown algorithm, an unknown qop or without key.
    """
    name = hash_name(algorithm)
    if ha1 is None:
        if password is None:
            raise ValueError("digest needs a password or HA1")
        ha1 = compute_ha1(algorithm, username, realm, password)
    if algorithm.upper().endswith("-SESS"):
        ha1 = _hash(name, _octets(f"{ha1}:{nonce}:{cnonce}"))
    if qop == "auth-int":
        ha2 = _hash(name, _octets(f"{method}:{uri}:{_hash(name, body)}"))
    elif qop not in ("", "auth"):
        raise ValueError(f"unknown qop {qop!r}")
    elif len(uri) <= KEPT_LENGTH and len(method) <= KEPT_LENGTH:
        ha2 = _hash_a2(name, method, uri)
    else:
        ha2 = _hash(name, _octets(f"{method}:{uri}"))
    if qop:
        return _hash(name, _octets(f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}"))
    return _hash(name, _octets(f"{ha1}:{nonce}:{ha2}"))


def akav2_password(algorithm: str, res: bytes, ik: bytes, ck: bytes) -> bytes:
    """The AKAv2 password: base64 of PRF(RES || IK || CK, "http-digest-akav2-password") (RFC 4169 §3).

    RFC 4169 fixes HMAC-MD5 for AKAv2-MD5.  For AKAv2-SHA-256 (named by TS 24.229 and TS 33.203) no RFC spells
    out the PRF: HMAC of the algorithm's own hash with the same label, which is what clients in the field do.
    """
    return base64.b64encode(hmac.new(res + ik + ck, _AKAV2_LABEL, hash_name(algorithm)).digest())


def same(a: str, b: str) -> bool:
    """Compare two responses in constant time; hexadecimal digits of either case."""
    return hmac.compare_digest(_octets(a.lower()), _octets(b.lower()))


def aka_nonce(rand: bytes, autn: bytes, server_data: bytes = b"") -> str:
    """The nonce of an AKA challenge: base64 of RAND || AUTN || server data (RFC 3310 §3.2)."""
    return base64.b64encode(rand + autn + server_data).decode("ascii")


def open_aka_nonce(nonce: str) -> tuple[bytes, bytes, bytes]:
    """RAND, AUTN and server data of an AKA nonce; raises SipParseError (400)."""
    try:
        octets = base64.b64decode(nonce, validate=True)
    except (binascii.Error, ValueError):
        raise SipParseError(400, "Malformed AKA Nonce") from None
    if len(octets) < 32:
        raise SipParseError(400, "Malformed AKA Nonce")
    return octets[:16], octets[16:32], octets[32:]


def parse_directives(text: str) -> dict[str, str]:
    """`name=value` pairs, comma separated, of any authentication header: names in lower case, quotes undone.

    Raises SipParseError (400) for a pair without name, a name twice or a quoted string without end.
    """
    directives: dict[str, str] = {}
    # One turn of a capturing split is what lies between the pairs, then the three groups of a pair.
    pieces = _PAIR.split(text)
    if not any(pieces[::4]):
        names, quoted, plain = pieces[1::4], pieces[2::4], pieces[3::4]
        for name, one, other in zip(names, quoted, plain, strict=True):
            directives[name.lower()] = one or other or ""
        if len(directives) == len(names):
            return directives
        raise SipParseError(400, "Directive Twice")
    for part in split_quoted(text, ",", False):
        if not part:
            continue
        name, equals, value = part.partition("=")
        name = name.rstrip(LWS).lower()
        if not name or not equals:
            raise SipParseError(400, "Malformed Authentication Header")
        value = value.lstrip(LWS)
        if value[:1] == '"':
            if closing_quote(value, 0) != len(value) - 1:
                raise SipParseError(400, "Malformed Quoted String")
            value = unquote(value)
        if name in directives:
            raise SipParseError(400, "Directive Twice")
        directives[name] = value
    return directives


def _digest_directives(text: str) -> dict[str, str]:
    if text[:7] == "Digest ":
        return parse_directives(text[7:].rstrip(LWS))
    if not _is_digest(text):
        raise SipParseError(400, "Unknown Authentication Scheme")
    return parse_directives(text.strip(LWS)[6:])


def _is_digest(text: str) -> bool:
    head = text.lstrip(LWS)[:7].lower()
    return head[:6] == "digest" and head[6:] in (" ", "\t")


class Challenge:
    """WWW-Authenticate or Proxy-Authenticate of the Digest scheme.

    `qop` lists what is offered (empty: RFC 2069 compatibility); `others` holds directives without a name
    here (`domain`, 3GPP's `ik` and `ck`), printed in quotes.
    """

    __slots__ = ("algorithm", "nonce", "opaque", "others", "qop", "realm", "stale")

    def __init__(
        self,
        realm: str,
        nonce: str,
        *,
        algorithm: str = "",
        qop: tuple[str, ...] = (),
        opaque: str | None = None,
        stale: bool = False,
        others: dict[str, str] | None = None,
    ) -> None:
        self.realm = realm
        self.nonce = nonce
        self.algorithm = algorithm
        self.qop = qop
        self.opaque = opaque
        self.stale = stale
        self.others: dict[str, str] = {} if others is None else others

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """Read a header value; raises SipParseError (400) for another scheme or malformed directives."""
        directives = _digest_directives(text)
        qop = directives.pop("qop", "")
        return cls(
            directives.pop("realm", ""),
            directives.pop("nonce", ""),
            algorithm=directives.pop("algorithm", ""),
            qop=tuple(option.strip(LWS).lower() for option in qop.split(",") if option.strip(LWS)),
            opaque=directives.pop("opaque", None),
            stale=directives.pop("stale", "").lower() == "true",
            others=directives,
        )

    def __str__(self) -> str:
        out = [f"Digest realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            out.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            out.append("stale=true")
        if self.algorithm:
            out.append(f"algorithm={self.algorithm}")
        if self.qop:
            out.append(f'qop="{",".join(self.qop)}"')
        out.extend(f"{name}={quote(value)}" for name, value in self.others.items())
        return ",".join(out)


class Credentials:
    """Authorization or Proxy-Authorization of the Digest scheme.

    Absent directives are "" (`opaque`, `auts`: None).  `auts` is decoded from base64 (RFC 3310 §3.4);
    `others` holds directives without a name here (3GPP's `integrity-protected`).
    """

    __slots__ = (
        "algorithm",
        "auts",
        "cnonce",
        "nc",
        "nonce",
        "opaque",
        "others",
        "qop",
        "realm",
        "response",
        "uri",
        "username",
    )

    def __init__(
        self,
        *,
        username: str,
        realm: str,
        nonce: str = "",
        uri: str = "",
        response: str = "",
        algorithm: str = "",
        qop: str = "",
        nc: str = "",
        cnonce: str = "",
        opaque: str | None = None,
        auts: bytes | None = None,
        others: dict[str, str] | None = None,
    ) -> None:
        self.username = username
        self.realm = realm
        self.nonce = nonce
        self.uri = uri
        self.response = response
        self.algorithm = algorithm
        self.qop = qop
        self.nc = nc
        self.cnonce = cnonce
        self.opaque = opaque
        self.auts = auts
        self.others: dict[str, str] = {} if others is None else others

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Read a header value: quoted or unquoted qop, algorithm and nc, empty nonce and response are fine.

        Raises SipParseError (400) for another scheme or malformed directives.
        """
        directives = _digest_directives(text)
        take = directives.pop
        self = cls.__new__(cls)
        self.username = take("username", "")
        self.realm = take("realm", "")
        self.nonce = take("nonce", "")
        self.uri = take("uri", "")
        self.response = take("response", "")
        self.algorithm = take("algorithm", "")
        self.qop = take("qop", "").lower()
        self.nc = take("nc", "")
        self.cnonce = take("cnonce", "")
        self.opaque = take("opaque", None)
        auts = take("auts", None)
        self.auts = None if auts is None else _decode_auts(auts)
        self.others = directives
        return self

    @classmethod
    def find(cls, lines: Iterable[str], realm: str | None = None) -> Credentials | None:
        """The first Digest credentials (for this realm) among the lines of a header.

        Another scheme counts as no credentials (RFC 4475 §3.3.7); raises SipParseError (400) as `parse` does.
        """
        for line in lines:
            if _is_digest(line):
                credentials = cls.parse(line)
                if realm is None or credentials.realm == realm:
                    return credentials
        return None

    @property
    def nonce_count(self) -> int | None:
        """`nc` as a number; None when absent or not 8 hexadecimal digits (RFC 2617 §3.2.2)."""
        nc = self.nc
        if len(nc) != 8 or nc.strip("0123456789abcdefABCDEF"):
            return None
        return int(nc, 16)

    def expected(
        self, method: str, body: bytes = b"", *, password: bytes | None = None, ha1: str | None = None
    ) -> str:
        """The response that these credentials must carry; raises ValueError as `response` does."""
        return response(
            algorithm=self.algorithm or MD5,
            username=self.username,
            realm=self.realm,
            password=password,
            ha1=ha1,
            method=method,
            uri=self.uri,
            nonce=self.nonce,
            qop=self.qop,
            nc=self.nc,
            cnonce=self.cnonce,
            body=body,
        )

    def __str__(self) -> str:
        out = [
            f"Digest username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
        ]
        if self.algorithm:
            out.append(f"algorithm={self.algorithm}")
        if self.cnonce:
            out.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            out.append(f"opaque={quote(self.opaque)}")
        if self.qop:
            out.append(f"qop={self.qop}")
        if self.nc:
            out.append(f"nc={self.nc}")
        if self.auts is not None:
            out.append(f'auts="{base64.b64encode(self.auts).decode("ascii")}"')
        out.extend(f"{name}={quote(value)}" for name, value in self.others.items())
        return ",".join(out)

    def __repr__(self) -> str:
        return f"<Credentials {self.username!r} {self.algorithm or MD5}>"


def _decode_auts(text: str) -> bytes:
    try:
        auts = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SipParseError(400, "Malformed AUTS") from None
    if len(auts) != 14:
        raise SipParseError(400, "Malformed AUTS")
    return auts


class AuthenticationInfo:
    """Authentication-Info (RFC 2617 §3.2.3): the server's proof and the next nonce."""

    __slots__ = ("cnonce", "nc", "nextnonce", "qop", "rspauth")

    def __init__(
        self, *, nextnonce: str = "", qop: str = "", rspauth: str = "", cnonce: str = "", nc: str = ""
    ) -> None:
        self.nextnonce = nextnonce
        self.qop = qop
        self.rspauth = rspauth
        self.cnonce = cnonce
        self.nc = nc

    @classmethod
    def parse(cls, text: str) -> AuthenticationInfo:
        """Read a header value; raises SipParseError (400)."""
        directives = parse_directives(text)
        return cls(
            nextnonce=directives.get("nextnonce", ""),
            qop=directives.get("qop", "").lower(),
            rspauth=directives.get("rspauth", ""),
            cnonce=directives.get("cnonce", ""),
            nc=directives.get("nc", ""),
        )

    def __str__(self) -> str:
        out: list[str] = []
        if self.nextnonce:
            out.append(f"nextnonce={quote(self.nextnonce)}")
        if self.qop:
            out.append(f"qop={self.qop}")
        if self.rspauth:
            out.append(f"rspauth={quote(self.rspauth)}")
        if self.cnonce:
            out.append(f"cnonce={quote(self.cnonce)}")
        if self.nc:
            out.append(f"nc={self.nc}")
        return ",".join(out)
