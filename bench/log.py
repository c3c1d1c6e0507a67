"""Cost of the log: a line, a line with a 1 kB SIP message below it, a line that is switched off.

Run: PYTHONPATH=src python bench/log.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from libreims.base.log import Log
from libreims.base.log_options import parse

ROUNDS = 100_000
REPEATS = 5
SIP = (
    b"INVITE sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
    + b"".join(b"Header-%02d: value of a header with a length as usual\r\n" % number for number in range(17))
    + b"Content-Length: 0\r\n\r\n"
)


def measure(options: str, dump: bytes | None) -> float:
    """Microseconds of CPU an entry, the best of some repetitions, file writes included."""
    best = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        log = Log(parse(options).options, str(Path(folder) / "ims.log"), utc=time.time)
        sip = log.layer("sip")
        for _ in range(REPEATS):
            before = time.process_time()
            for number in range(ROUNDS):
                sip.message("FROM", number & 0xFFFF, "INVITE sip:001010000000002@ims.example", dump)
            log.flush()
            best = min(best, time.process_time() - before)
        log.close()
    return best / ROUNDS * 1e6


def main() -> None:
    """Print the three numbers."""
    print(f"line                  {measure('sip.level=info', None):5.2f} us")
    print(f"line with {len(SIP)} octets {measure('sip.level=debug', SIP):5.2f} us")
    print(f"switched off          {measure('sip.level=error', SIP):5.2f} us")


if __name__ == "__main__":
    main()
