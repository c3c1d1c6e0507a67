"""How the sender of a message is shown: TP-OA of a short message, From of plain text.

A user is shown by its number where it has one (an IMPU `tel:`, or a SIP IMPU that is a number), else by its
name, to which a phone cannot answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from libreims.proto.sip.grammar import quote
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.uri import Uri
from libreims.proto.sms.address import Address
from libreims.proto.sms.alphabet import GSM7
from libreims.users.identity import Identity
from libreims.users.impu import candidates

UNKNOWN: Final = "Anonymous"
"""TP-OA of who does not want to be known."""
SEPTETS: Final = 11
"""Septets of a name in an address (TS 23.040 §9.1.2.5)."""


def originator(identity: Identity) -> Address:
    """TP-OA for the identity of a user or of the trunk's caller. Raises SipParseError."""
    if identity.hidden:
        return Address.of_text(UNKNOWN)
    uris = [NameAddr.parse(value).uri for value in identity.asserted or (identity.from_,)]
    return shown(uris)


def shown(uris: Iterable[Uri]) -> Address:
    """The address of someone with these URIs: the first number among them, else the first name.

    A SIP user part of digits may be an IMSI (TS 23.003 §13.4B), which others are not to see: it counts only
    where nothing else is a number.
    """
    known = list(uris)
    for uri in sorted(known, key=lambda each: not _is_number(each)):
        keys = candidates(uri)
        number = next((key[4:] for key in keys if key[:4] == "tel:"), "")
        if number:
            address = Address.of_sender(number)
            if address.is_number:
                return address
    return named(known[0].user if known else "")


def _is_number(uri: Uri) -> bool:
    """Whether a URI says of itself that it is a telephone number."""
    return uri.scheme == "tel" or uri.user[:1] == "+" or uri.params.get("user") == "phone"


def named(name: str) -> Address:
    """An alphanumeric address, as much of the name as fits."""
    kept = ""
    for character in name:
        if not GSM7.has(character) or character < " ":
            character = "?"
        if len(GSM7.encode(kept + character)) > SEPTETS:
            break
        kept += character
    return Address.of_text(kept or UNKNOWN)


def written(sender: str) -> Address:
    """The address that a person wrote: a number, a URI, or any text."""
    text = sender.strip()
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel") and rest:
        text = rest.partition("@")[0].partition(";")[0]
    number = text.replace(" ", "").replace("-", "")
    address = Address.of_sender(number) if number else Address.of_text("")
    return address if number and address.is_number else named(text)


def from_of(address: Address, domain: str) -> str:
    """From of a MESSAGE with plain text whose sender is only known by its address."""
    if address.is_number:
        return f"<{Uri.sip(address.number, domain)};user=phone>"
    return f"{quote(address.digits)} <{Uri.sip(address.digits, domain)}>"
