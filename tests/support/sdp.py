"""Session descriptions as phones send them, for tests."""

from __future__ import annotations

from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.offer_answer import Origin

VOLTE = (
    "v=0",
    "o=anritsu 3 3 IN IP6 2001:db8::17",
    "s=A conversation",
    "c=IN IP6 2001:db8::17",
    "b=AS:41",
    "b=RR:2000",
    "b=RS:600",
    "t=0 0",
    "m=audio 50010 RTP/AVP 104 102 105",
    "b=AS:41",
    "b=RR:2000",
    "b=RS:600",
    "a=ptime:20",
    "a=maxptime:240",
    "a=rtpmap:104 AMR-WB/16000/1",
    "a=fmtp:104 mode-change-capability=2;max-red=0",
    "a=rtpmap:102 AMR/8000/1",
    "a=fmtp:102 mode-change-capability=2;max-red=0",
    "a=rtpmap:105 telephone-event/16000",
    "a=fmtp:105 0-15",
    "a=curr:qos local none",
    "a=curr:qos remote none",
    "a=des:qos mandatory local sendrecv",
    "a=des:qos optional remote sendrecv",
    "a=sendrecv",
)

ORIGIN = Origin("-", "77", 77, "192.0.2.1")


def sdp(*lines: str) -> SessionDescription:
    """The description with these lines, read."""
    return SessionDescription.parse("".join(f"{line}\r\n" for line in lines).encode())


def session(*lines: str) -> SessionDescription:
    """A description from its m-lines on (session lines before the first `m=` are put in)."""
    return sdp("v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0", *lines)


def text(description: SessionDescription) -> list[str]:
    """The lines of a description, as they would go out."""
    return description.encode().decode().split("\r\n")[:-1]
