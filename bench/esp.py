"""ESP packets a second, each way, on one core.

    PYTHONPATH=src python3 bench/esp.py [--size 700] [--seconds 0.2] [--rounds 5] [--pair aes-gmac+null ...]

A row per pair of algorithms: what protecting and taking apart a payload of so many octets costs in CPU
time, and how many packets a second that is. Rounds go over all pairs in turn, the least of a pair counts:
what else the machine does only adds. The last row is the cipher of AES-GCM alone, without ESP around it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libreims.proto.esp.algorithms import refusal
from libreims.proto.esp.keys import expand
from libreims.proto.esp.packet import InboundSa, OutboundSa
from libreims.proto.esp.primitives import missing

MAIN = (
    ("hmac-md5-96", "null"),
    ("hmac-sha-1-96", "null"),
    ("hmac-sha-1-96", "aes-cbc"),
    ("hmac-md5-96", "aes-cbc"),
    ("hmac-md5-96", "des-ede3-cbc"),
    ("hmac-sha-1-96", "aes-ctr"),
    ("aes-cmac-96", "aes-cbc"),
    ("null", "aes-gcm"),
    ("aes-gmac", "null"),
)
SPI = 4096
BATCH = 200
Work = Callable[[], float]
"""Treats one batch and returns the CPU time that it took, in seconds."""


def directions(names: tuple[str, str], size: int) -> tuple[Work, Work]:
    keys = expand(*names, bytes(range(16)), bytes(range(16, 32)))
    outbound = OutboundSa(SPI, *names, keys.authentication, keys.encryption, os.urandom)
    inbound = InboundSa(SPI, *names, keys.authentication, keys.encryption)
    payload = os.urandom(size)
    packets: list[bytes] = []

    def protect() -> float:
        begin = time.process_time()
        for _ in range(BATCH):
            packets.append(outbound.protect(payload, 17))
        return time.process_time() - begin

    def unprotect() -> float:
        if len(packets) < BATCH:
            protect()
        batch = packets[:BATCH]
        packets.clear()
        begin = time.process_time()
        for packet in batch:
            inbound.unprotect(packet)
        return time.process_time() - begin

    return protect, unprotect


def bare(size: int) -> tuple[Work, Work]:
    cipher, payload, nonce, header = AESGCM(bytes(16)), os.urandom(size), bytes(12), bytes(8)
    sealed = cipher.encrypt(nonce, payload, header)

    def encrypt() -> float:
        begin = time.process_time()
        for _ in range(BATCH):
            cipher.encrypt(nonce, payload, header)
        return time.process_time() - begin

    def decrypt() -> float:
        begin = time.process_time()
        for _ in range(BATCH):
            cipher.decrypt(nonce, sealed, header)
        return time.process_time() - begin

    return encrypt, decrypt


def least(work: Work, seconds: float) -> float:
    """The least time of a packet over so many seconds."""
    best, spent = float("inf"), 0.0
    while spent < seconds:
        took = work()
        best, spent = min(best, took), spent + took
    return best / BATCH


def rows(chosen: list[tuple[str, str]], size: int) -> Iterator[tuple[str, tuple[Work, Work]]]:
    lacking = missing()
    for names in chosen:
        if lacking.keys() & set(names):
            print(f"{'+'.join(names)}: left out, OpenSSL lacks it", file=sys.stderr)
        else:
            yield "+".join(names), directions(names, size)
    yield "(aes-gcm alone)", bare(size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=700, help="octets of UDP header and SIP message")
    parser.add_argument("--seconds", type=float, default=0.2, help="for a direction of a pair in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pair", action="append", metavar="AUTHENTICATION+ENCRYPTION")
    options = parser.parse_args()
    chosen = [tuple(text.split("+")) for text in options.pair or []] or list(MAIN)
    for names in chosen:
        why = refusal(*names) if len(names) == 2 else f"{'+'.join(names)} is no pair"
        if why is not None:
            parser.error(why)
    table = dict(rows(chosen, options.size))
    best = dict.fromkeys(table, (float("inf"), float("inf")))
    for _ in range(options.rounds):
        for name, (protect, unprotect) in table.items():
            out, in_ = best[name]
            best[name] = (
                min(out, least(protect, options.seconds)),
                min(in_, least(unprotect, options.seconds)),
            )
    print(f"{options.size} octets")
    print(f"{'pair':28} {'protect':>10} {'packets/s':>11} {'unprotect':>10} {'packets/s':>11}")
    for name, (out, in_) in best.items():
        print(f"{name:28} {out * 1e6:7.2f} us {1 / out:11,.0f} {in_ * 1e6:7.2f} us {1 / in_:11,.0f}")


if __name__ == "__main__":
    main()
