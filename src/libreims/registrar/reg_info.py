"""The body of a reg-event NOTIFY: RFC 3680 §5, `application/reginfo+xml`.

Every document is a full one: it says all about the user, so a lost NOTIFY costs nothing.  Contacts that have
gone since the last document are in it once more, with the event that ended them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

from libreims.users.bindings import Binding, Cause

CONTENT_TYPE = "application/reginfo+xml"


class Aor(NamedTuple):
    """One `registration` element: an IMPU of the implicit registration set."""

    key: str
    """Normal form, for identifiers that stay the same from document to document."""
    uri: str


class Shown(NamedTuple):
    """One contact as the document shows it."""

    binding: Binding
    cause: Cause
    remaining: int
    """Seconds until it expires."""


def document(version: int, aors: Iterable[Aor], contacts: list[Shown]) -> bytes:
    """Write the document; all IMPUs have the same contacts, registered explicitly or implicitly."""
    active = any(not contact.cause.ends for contact in contacts)
    state = "active" if active else "terminated" if contacts else "init"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">',
    ]
    for key, uri in aors:
        digest = f"{crc32(key.encode('utf-8', 'surrogateescape')):08x}"
        lines.append(f'<registration aor="{_escape(uri)}" id="a{digest}" state="{state}">')
        lines.extend(_contact(contact, key, digest) for contact in contacts)
        lines.append("</registration>")
    lines.append("</reginfo>\n")
    return "\n".join(lines).encode("utf-8", "replace")


def _contact(shown: Shown, key: str, digest: str) -> str:
    binding, cause, remaining = shown
    if cause.ends:
        attributes = f'state="terminated" event="{cause}"'
        if cause is Cause.PROBATION:
            attributes += ' retry-after="60"'
    else:
        # RFC 3680 §5.3.2: "created" is a registration that the server made, for another IMPU of the user.
        implicit = cause is Cause.REGISTERED and binding.aor != key
        event = Cause.CREATED if implicit else cause
        attributes = f'state="active" event="{event}" expires="{remaining}"'
    text = (
        f'<contact id="c{binding.number:04x}-{digest}" {attributes} q="{binding.q:g}" '
        f'callid="{_escape(binding.call_id)}" cseq="{binding.cseq}"><uri>{_escape(binding.contact)}</uri>'
    )
    if binding.instance:
        text += f'<unknown-param name="+sip.instance">{_escape(_quoted(binding.instance))}</unknown-param>'
    return f"{text}</contact>"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _escape(text: str) -> str:
    """Text for an attribute or element; what XML 1.0 cannot hold becomes a question mark."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "?" for char in text)
    if "&" in text or "<" in text or ">" in text or '"' in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text
