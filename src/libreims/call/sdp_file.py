"""SDP from files: `sdp_file` of an echo number, `mt_call_sdp_file`, `sdp_file` of the remote API.

Addresses and ports in the file are placeholders: the server puts its own in.  Port 0 keeps its meaning, so
does everything else: a file is there to show a phone what it would not get otherwise.
"""

from __future__ import annotations

import os
from typing import Final

from libreims.base.errors import LibreImsError
from libreims.base.files import read_small
from libreims.proto.sdp.description import MediaDescription, SdpError, SessionDescription
from libreims.proto.sdp.offer_answer import rejected

NOWHERE: Final = ("127.0.0.1", 9)
"""The server's own address in descriptions that no phone sees before its leg has put the relay's in."""
_CONNECTION: Final = f"c=IN IP4 {NOWHERE[0]}"
_LARGEST: Final = 65536


def read_sdp_file(name: str, directory: str = "") -> SessionDescription:
    """The description in a file, relative to `directory`; read anew each time. Raises LibreImsError."""
    path = os.path.join(directory, name)
    try:
        data = read_small(path, _LARGEST)
    except OSError as error:
        raise LibreImsError(f"sdp_file {path} cannot be read: {error.strerror or error}") from error
    try:
        description = SessionDescription.parse(data)
    except SdpError as error:
        raise LibreImsError(f"sdp_file {path} cannot be used: {error}") from error
    if not description.media:
        raise LibreImsError(f"sdp_file {path} has no m= line: nothing could be offered or answered with it")
    return _without_places(description)


def _without_places(description: SessionDescription) -> SessionDescription:
    lines = [line for line in description.lines if not line.startswith("c=")]
    place = next((n for n, line in enumerate(lines) if line[:2] in ("b=", "t=", "a=")), len(lines))
    lines.insert(place, _CONNECTION)
    return SessionDescription(tuple(lines), tuple(map(_without_place, description.media)))


def _without_place(media: MediaDescription) -> MediaDescription:
    lines = [line for line in media.lines[1:] if not line.startswith("c=")]
    return media.replaced(NOWHERE[1] if media.port else 0, lines)


def answer_from(file: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """An answer made of the file's m-lines: each offered one gets the next of its kind, or is refused."""
    left = list(file.media)
    chosen = []
    for offered in offer.media:
        media = next((each for each in left if each.kind == offered.kind), None) if offered.port else None
        if media is None:
            chosen.append(rejected(offered))
        else:
            left.remove(media)
            chosen.append(media)
    return SessionDescription(file.lines, tuple(chosen))
