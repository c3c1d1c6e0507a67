import os
import stat
from pathlib import Path

import pytest
from scapy.utils import RawPcapNgReader

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.net.esp_evidence import BoundedFile, Evidence
from libreims.net.tunnel import SecurityAssociation
from support.esp_rig import PHONE, SERVER, associations, datagram

NOW = 1_700_000_000.25


@pytest.fixture
def log() -> Log:
    return Log(utc=lambda: 0.0)


def evidence(folder: Path, log: Log, now: float = NOW) -> Evidence:
    return Evidence(str(folder / "clear.pcapng"), str(folder / "esp_sa"), lambda: now, log.layer("ipsec"))


def test_packets_in_clear(tmp_path: Path, log: Log) -> None:
    files = evidence(tmp_path, log)
    inward, outward = associations(SERVER, PHONE, 1000, 2000)
    there, back = datagram(PHONE, SERVER, b"there"), datagram(SERVER, PHONE, b"and back")
    files.packet(inward, there)
    files.packet(outward, back)
    path = tmp_path / "clear.pcapng"
    with path.open("rb") as file:  # nothing waits in a buffer
        (first, first_meta), (second, second_meta) = RawPcapNgReader(file)
    assert (first, second) == (there, back)
    for meta, comment in ((first_meta, "SPI 0x000003e8"), (second_meta, "SPI 0x000007d0")):
        assert meta.linktype == 101
        assert ((meta.tshigh << 32) + meta.tslow) / meta.tsresol == NOW
        (found,) = meta.comments
        assert found.decode() == f"{comment}, hmac-sha-1-96, aes-cbc, registration 0007"
    files.close()


def test_keys(tmp_path: Path, log: Log) -> None:
    files = evidence(tmp_path, log)
    pair = associations(SERVER, PHONE, 1000, 2000)
    files.keys(pair)
    odd = SecurityAssociation("in", 3000, SERVER, PHONE, "hmac-sha-1-160", "null", bytes(20))
    files.keys([odd])
    authentication, encryption = pair[0].authentication_key.hex(), pair[0].encryption_key.hex()
    keys = f'"AES-CBC [RFC3602]","0x{encryption}","HMAC-SHA-1-96 [RFC2404]","0x{authentication}"'
    assert (tmp_path / "esp_sa").read_text().splitlines() == [
        "# Keys of IPsec, for Wireshark",
        f'"IPv4","192.0.2.7","192.0.2.1","0x000003e8",{keys}',
        f'"IPv4","192.0.2.1","192.0.2.7","0x000007d0",{keys}',
        "# SPI 0x00000bb8, 192.0.2.7:40002 > 192.0.2.1:5064: "
        "Wireshark has nothing that reads packets with hmac-sha-1-160",
    ]


def test_either_file_alone(tmp_path: Path, log: Log) -> None:
    (association, _) = associations(SERVER, PHONE, 1000, 2000)
    for packets, keys, there in (("a", None, ["a"]), (None, "b", ["a", "b"])):
        files = Evidence(
            str(tmp_path / packets) if packets else None,
            str(tmp_path / keys) if keys else None,
            lambda: NOW,
            log.layer("ipsec"),
        )
        files.packet(association, datagram(PHONE, SERVER, b"x"))
        files.keys([association])
        files.close()
        assert sorted(os.listdir(tmp_path)) == there


def test_for_their_owner_alone_and_never_through_a_link(tmp_path: Path, log: Log) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "esp_sa").symlink_to(victim)
    evidence(tmp_path, log).close()
    for name in ("clear.pcapng", "esp_sa"):
        found = (tmp_path / name).lstat()
        assert stat.S_IMODE(found.st_mode) == 0o600 and stat.S_ISREG(found.st_mode)
    assert victim.read_text() == "precious"


def test_the_file_of_the_run_before_is_moved_aside(tmp_path: Path, log: Log) -> None:
    files = evidence(tmp_path, log)
    files.keys(associations(SERVER, PHONE, 1000, 2000))
    files.close()
    evidence(tmp_path, log).close()
    assert "0x000003e8" in (tmp_path / "esp_sa.1").read_text()
    assert "0x000003e8" not in (tmp_path / "esp_sa").read_text()


def test_a_file_that_cannot_be_made(tmp_path: Path, log: Log) -> None:
    with pytest.raises(
        LibreImsError, match=r"missing/esp_sa for evidence of IPsec cannot be written: No such"
    ):
        Evidence(str(tmp_path / "a"), str(tmp_path / "missing" / "esp_sa"), lambda: NOW, log.layer("ipsec"))


class TestBounds:
    def test_a_full_file_is_moved_aside(self, tmp_path: Path, log: Log) -> None:
        path = tmp_path / "file"
        file = BoundedFile(str(path), b"HEAD", 10, log.layer("ipsec"))
        for text in (b"one", b"two", b"three", b"4"):
            file.write(text)
        file.close()
        file.write(b"late")
        file.close()
        assert path.read_bytes() == b"HEADthree4"
        assert (tmp_path / "file.1").read_bytes() == b"HEADonetwo"
        assert len(os.listdir(tmp_path)) == 2

    def test_a_disk_that_is_full_ends_the_file_with_one_line(self, log: Log) -> None:
        file = BoundedFile.__new__(BoundedFile)
        file._path, file._head, file._limit, file._room = "/dev/full", b"", 100, 100
        file._log, file._descriptor = log.layer("ipsec"), os.open("/dev/full", os.O_WRONLY)
        for _ in range(3):
            file.write(b"x")
        assert [entry.message for entry in log.ring.since(0)[1]] == [
            "/dev/full: No space left on device; nothing more is written to it"
        ]
