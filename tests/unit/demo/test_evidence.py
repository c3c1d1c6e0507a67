"""The server's record of IPsec, counted by algorithms."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.demo.evidence import packets
from libreims.net.esp_evidence import Evidence
from libreims.net.tunnel import SecurityAssociation


def association(spi: int, authentication: str, encryption: str) -> SecurityAssociation:
    return SecurityAssociation(
        "in", spi, ("192.0.2.1", 5064), ("192.0.2.11", 5062), authentication, encryption
    )


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Three packets of one pair, one of another."""
    path = tmp_path / "ipsec.pcapng"
    evidence = Evidence(str(path), None, lambda: 1_800_000_000.0, Log.null().layer("ipsec"))
    sha, gcm = association(4096, "hmac-sha-1-96", "aes-cbc"), association(4098, "null", "aes-gcm")
    for each in (sha, sha, gcm, sha):
        evidence.packet(each, b"E" + bytes(40))
    evidence.close()
    return path


def test_packets_are_counted_by_their_algorithms(record: Path) -> None:
    assert packets(record) == {"hmac-sha-1-96/aes-cbc": 3, "null/aes-gcm": 1}


def test_a_file_that_is_cut_counts_as_far_as_it_goes(record: Path) -> None:
    record.write_bytes(record.read_bytes()[:-20])
    assert packets(record).total() == 3
    record.write_bytes(b"\x06\0\0\0\0\0\0\0 no size")
    assert packets(record).total() == 0
