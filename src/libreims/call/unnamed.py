"""A session description without what tells who made it (RFC 3323 §5.3, RFC 4566 §5)."""

from __future__ import annotations

from libreims.proto.sdp.description import SessionDescription

_TELLING = ("i=", "u=", "e=", "p=")
"""Session information, web page, electronic mail and telephone number of the author."""


def unnamed(description: SessionDescription) -> SessionDescription:
    """The description with `s=-` and without the author's lines; the origin is ours on each leg anyway."""
    lines = [
        "s=-" if line.startswith("s=") else line
        for line in description.lines
        if not line.startswith(_TELLING)
    ]
    return SessionDescription(tuple(lines), description.media)
