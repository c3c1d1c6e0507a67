"""What the server says that went through IPsec: its pcapng file, counted (`ipsec_pcap_filename`).

The phones count for themselves; this is the other side's word.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from pathlib import Path

_PACKET = 6
_HEADER = 8
_COMMENT = re.compile(rb"SPI 0x[0-9a-f]{8}, ([a-z0-9-]+), ([a-z0-9-]+), ")
"""As `net.esp_evidence` writes it."""


def packets(path: Path) -> Counter[str]:
    """Packets that passed the security associations, by algorithms: `hmac-sha-1-96/aes-cbc`.

    Raises OSError; what is no whole block any more does not count.
    """
    data = path.read_bytes()
    found: Counter[str] = Counter()
    place = 0
    while place + _HEADER <= len(data):
        kind, size = struct.unpack_from("<II", data, place)
        if size < _HEADER or place + size > len(data):
            break
        if kind == _PACKET and (comment := _COMMENT.search(data, place, place + size)):
            found[f"{comment[1].decode()}/{comment[2].decode()}"] += 1
        place += size
    return found
