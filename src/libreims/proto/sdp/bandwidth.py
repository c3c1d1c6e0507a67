"""How much an m-line takes: from its `b=` lines, else from its codecs.  For policy control (Rx, N5).

TS 29.213 §6.2: `b=AS` or `b=TIAS` give the media's share, `b=RS` and `b=RR` that of RTCP.  A description
says what its writer wants to receive: the phone's own gives the downlink, what it is shown the uplink.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from libreims.proto.sdp.description import Codec, MediaDescription, SessionDescription

RTP_HEADERS: Final = {"IP4": 20 + 8 + 12, "IP6": 40 + 8 + 12}
"""Octets that IP, UDP and RTP put before each payload."""

SENDERS_SHARE: Final = 0.0125
RECEIVERS_SHARE: Final = 0.0375
"""RTCP's part of the bandwidth without `b=RS` and `b=RR`: 5 %, a quarter of it for senders (RFC 3556 §2)."""

UNKNOWN: Final = {"audio": 88_000, "video": 512_000, "text": 4_000}
"""bit/s where neither `b=` nor a known codec tells: G.711 over IPv6, a VGA picture, T.140 with redundancy."""

_PTIME: Final = 20

_RATES: Final = {
    "PCMU": 64_000,
    "PCMA": 64_000,
    "G722": 64_000,
    "G723": 6_400,
    "G729": 8_000,
    "G728": 16_000,
    "GSM": 13_200,
    "OPUS": 64_000,
}
"""bit/s of codecs with frames of whole octets and no header of their own."""

_MODES: Final = {
    "AMR": (4_750, 5_150, 5_900, 6_700, 7_400, 7_950, 10_200, 12_200),
    "AMR-WB": (6_600, 8_850, 12_650, 14_250, 15_850, 18_250, 19_850, 23_050, 23_850),
}
"""bit/s of each mode (TS 26.071, 26.171)."""
_AMR_HEADER_BITS: Final = 10  # CMR and one table of contents entry (RFC 4867 §4.3)

_EVS_RATE: Final = 24_400  # what VoLTE profiles have (GSMA NG.114) unless `br` says otherwise
_EVS_HEADER_BITS: Final = 16  # CMR and table of contents (TS 26.445 Annex A.2.2)
_FRACTION: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_LIMIT: Final = 2**32 - 1
"""What an AVP of Diameter holds."""


class Bandwidth(NamedTuple):
    """What one m-line takes, in bit/s."""

    media: int
    """RTP with IP and UDP headers."""
    rs: int
    """RTCP of active senders."""
    rr: int
    """RTCP of receivers."""

    def times(self, factor: float) -> Bandwidth:
        """The same multiplied (`bitrate_factor`), rounded up."""
        return Bandwidth(*(min(math.ceil(each * factor), _LIMIT) for each in self))


def bandwidth(description: SessionDescription, index: int) -> Bandwidth:
    """What the m-line with this number takes; nothing where it is off (port 0)."""
    media = description.media[index]
    if not media.port:
        return Bandwidth(0, 0, 0)
    connection = description.media_connection(index)
    headers = RTP_HEADERS["IP6" if connection is not None and connection.address_type == "IP6" else "IP4"]
    own, session = media.bandwidths, description.bandwidths
    rate = _stated(media, own, headers)
    if rate is None and sum(bool(each.port) for each in description.media) == 1:
        rate = _stated(media, session, headers)  # the session is this m-line
    if rate is None:
        rate = _estimated(media, headers)
    rs, rr = own.get("RS", session.get("RS")), own.get("RR", session.get("RR"))
    return Bandwidth(
        rate,
        math.ceil(rate * SENDERS_SHARE) if rs is None else rs,
        math.ceil(rate * RECEIVERS_SHARE) if rr is None else rr,
    ).times(1)


def _stated(media: MediaDescription, stated: dict[str, int], headers: int) -> int | None:
    """By `b=AS` (kbit/s, headers included), else by `b=TIAS` with the headers added (RFC 3890 §6.4)."""
    if "AS" in stated:
        return stated["AS"] * 1000
    if "TIAS" in stated:
        return math.ceil(stated["TIAS"] + _packets(media) * headers * 8)
    return None


def _packets(media: MediaDescription) -> float:
    """Packets per second: `a=maxprate` (RFC 3890 §6.3), else by `a=ptime`."""
    stated = _number(media.attribute("maxprate"))
    if stated:
        return stated
    return 1000 / (_number(media.attribute("ptime")) or _PTIME)


def _number(text: str | None) -> float:
    return float(text) if text is not None and _FRACTION.fullmatch(text) else 0.0


def _estimated(media: MediaDescription, headers: int) -> int:
    """The most that any of its codecs takes."""
    ptime = _number(media.attribute("ptime")) or _PTIME
    rates = [rate for codec in media.codecs() if (rate := _payload_octets(codec, ptime)) is not None]
    if not rates:
        return UNKNOWN.get(media.kind, UNKNOWN["audio"])
    return math.ceil((max(rates) + headers) * 8 * 1000 / ptime)


def _payload_octets(codec: Codec, ptime: float) -> int | None:
    """Octets of a packet's payload; None for codecs that are not known here and for events."""
    name = codec.name.upper()
    if name in _MODES:
        return _frame(_amr_rate(name, codec.fmtp), _AMR_HEADER_BITS, ptime)
    if name == "EVS":
        most = _number(_parameter(codec.fmtp, "br").rpartition("-")[2].strip())
        return _frame(round(most * 1000) or _EVS_RATE, _EVS_HEADER_BITS, ptime)
    rate = _RATES.get(name, 0)
    return _frame(rate, 0, ptime) if rate else None


def _frame(rate: int, header_bits: int, ptime: float) -> int:
    return math.ceil((rate * ptime / 1000 + header_bits) / 8)


def _amr_rate(name: str, fmtp: str) -> int:
    """The rate of the highest mode in `mode-set`, of all modes without one (RFC 4867 §8)."""
    modes = _MODES[name]
    allowed = {each.strip() for each in _parameter(fmtp, "mode-set").split(",")}
    return max((rate for mode, rate in enumerate(modes) if str(mode) in allowed), default=modes[-1])


def _parameter(fmtp: str, name: str) -> str:
    """Value of a format parameter `name=value;...`; empty without."""
    for each in fmtp.split(";"):
        key, _, value = each.partition("=")
        if key.strip().lower() == name:
            return value.strip()
    return ""
