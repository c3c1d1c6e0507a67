"""IMPUs: one normal form for everything that names a user, and the keys under which to look for it.

A phone, a soft phone and a configuration file write one number in many ways (RFC 3966, RFC 3261 §19.1.6,
TS 24.229 §5.1.2A, TS 23.003 §13.4).  The normal form ("key") is `tel:NUMBER`, `sip:USER` or `urn:NAME`: no
host, no parameters, no visual separators.  Configuration is indexed by `normalise`, requests ask with
`candidates`, which starts with the most literal reading.  Hosts are not compared: the manual's `domain` is
"not used to recover IMPU".
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from libreims.proto.sip.grammar import KEPT, KEPT_LENGTH
from libreims.proto.sip.uri import Uri

_SEPARATORS = str.maketrans("", "", "-.() ")
"""RFC 3966 §3: visual separators carry no meaning."""
_IMEI_SEPARATORS = str.maketrans("", "", "- /")
_is_number = re.compile(r"\+?[0-9*#]+").fullmatch
_is_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*").fullmatch


def normalise(text: str) -> str:
    """Return the key of an IMPU as a person writes it: `user`, `sip:user@host`, `tel:+33 1 23`.

    Text without a scheme is a SIP user (manual, `impu`); a scheme nobody knows (`precondition:silent`) is
    kept as it stands, so that odd entries neither match anything nor stop the start.
    """
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    if not colon or not _is_scheme(scheme):
        return f"sip:{_user_of(text)}"
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        return f"sip:{_user_of(rest)}"
    if scheme == "tel":
        return f"tel:{_digits(rest)}"
    if scheme == "urn":
        return f"urn:{rest.lower()}"
    return f"{scheme}:{rest}"


def candidates(uri: Uri) -> tuple[str, ...]:
    """Return the keys to try for a URI of a request, best first.

    A number is looked for as tel and as SIP user, then with its `+` added or taken away; `user=phone` or a
    phone-context (RFC 3261 §19.1.6, `sip:NUM;phone-context=D@D`) says that the tel reading comes first.  An
    emergency sub-service falls back to its parent (RFC 5031 §4.2: `sos.police` to `sos`).
    """
    scheme = uri.scheme
    if scheme in ("sip", "sips"):
        return _sip_candidates(uri.user, uri.params.get("user") == "phone")
    if scheme == "tel":
        return _number_candidates(_digits(uri.user))
    if scheme == "urn":
        return _urn_candidates(uri.user.lower())
    return (normalise(str(uri)),)


def candidates_of(text: str) -> tuple[str, ...]:
    """`candidates` for text typed by a person: `0600000124`, `tel:0600000124`, `alice@example.com`."""
    key = normalise(text)
    scheme, _, rest = key.partition(":")
    if scheme == "sip":
        return _sip_candidates(rest, False)
    if scheme == "tel":
        return _number_candidates(rest)
    if scheme == "urn":
        return _urn_candidates(rest)
    return (key,)


def subject(key: str) -> str:
    """Return what a `match` expression is compared with: the user part or number of a key, without scheme."""
    return key.partition(":")[2]


def imei_key(text: str) -> str:
    """Return the 14 digits by which IMEIs are compared, from an IMEI, IMEISV or `urn:gsma:imei:...`.

    The check digit is left out because phones often send 0 in its place (TS 23.003 §6.2.1).  Empty when there
    are fewer than 14 digits.
    """
    if text[:1] == "<":
        text = text[1:-1]
    if text[:14].lower() == "urn:gsma:imei:":
        text = text[14:].partition(";")[0]
    digits = text.translate(_IMEI_SEPARATORS)
    return digits[:14] if len(digits) >= 14 and digits.isascii() and digits.isdigit() else ""


def _user_of(rest: str) -> str:
    user = rest[: rest.rfind("@")] if "@" in rest else rest
    # Parameters inside the user part (phone-context) and after a host that is missing look alike.
    user = user.partition(";")[0].partition(":")[0]
    return unquote(user) if "%" in user else user


def _digits(number: str) -> str:
    return number.partition(";")[0].translate(_SEPARATORS).lower()


def _sip_candidates(user: str, phone: bool) -> tuple[str, ...]:
    return _kept_candidates(user, phone) if len(user) <= KEPT_LENGTH else _read_candidates(user, phone)


def _read_candidates(user: str, phone: bool) -> tuple[str, ...]:
    head, parameters, _ = user.partition(";")
    number = head.translate(_SEPARATORS)
    if not _is_number(number):
        return (f"sip:{user}",)
    keys = _number_candidates(number)
    if phone or parameters:
        return keys
    return tuple(dict.fromkeys((f"sip:{user}", *keys)))


_kept_candidates = lru_cache(KEPT)(_read_candidates)
"""The two requests of a registration, and those of a call, ask for the same."""


def _number_candidates(number: str) -> tuple[str, ...]:
    other = number[1:] if number[:1] == "+" else f"+{number}"
    return (f"tel:{number}", f"sip:{number}", f"tel:{other}", f"sip:{other}")


def _urn_candidates(name: str) -> tuple[str, ...]:
    keys = [f"urn:{name}"]
    while "." in name:
        name = name.rpartition(".")[0]
        keys.append(f"urn:{name}")
    return tuple(keys)
