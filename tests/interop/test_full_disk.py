"""A disk that runs full under the running server: a small file system in a mount namespace of its own."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.store.opening import open_store
from support.process import Server, loopback

DOMAIN = "ims.test"
PHONES = 600
CONFIG = (
    f'domain: "{DOMAIN}", ue_db_filename: "small/ims.db", log_options: "all.level=info",\nue_db: [\n'
    + "".join(
        f'{{ impi: "u{number}@{DOMAIN}", authent_type: "none", impu: ["sip:u{number}"] }},\n'
        for number in range(PHONES)
    )
)
CONFIG += "],\n"


def _can_mount() -> bool:
    if not all(map(shutil.which, ("unshare", "nsenter", "mount"))):
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


class Phones:
    """All phones behind one socket, each request answered before the next."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((server.host, 0))
        self.socket.settimeout(5)
        self.server = (server.host, server.port)
        self.host = server.host
        self.cseq = 0

    def register(self, number: int) -> str:
        """Register one phone; returns the answer."""
        self.cseq += 1
        user = f"<sip:u{number}@{DOMAIN}>"
        self.socket.sendto(
            (
                f"REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:5070;"
                f"branch=z9hG4bK-{self.cseq};rport\r\nFrom: {user};tag=1\r\nTo: {user}\r\n"
                f"Call-ID: u{number}\r\nCSeq: {self.cseq} REGISTER\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:u{number}@{self.host}:5070>\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            self.server,
        )
        return self.socket.recv(65536).decode()


@pytest.mark.skipif(not _can_mount(), reason="no right to mount a file system")
def test_registrations_are_refused_while_the_disk_is_full_and_none_that_was_accepted_is_lost(
    tmp_path: Path,
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    keep = tmp_path / "keep"
    keep.mkdir()
    mount = f'mount -t tmpfs -o size=600k none {small} && exec "$@"'
    host = loopback()
    with Server(tmp_path, CONFIG, host=host, prefix=["unshare", "-m", "sh", "-c", mount, "sh"]) as server:
        phones, accepted, refused = Phones(server), [], []
        for number in range(PHONES):
            answer = phones.register(number)
            if answer.startswith("SIP/2.0 200"):
                accepted.append(number)
            else:
                assert answer.startswith("SIP/2.0 500") and "\r\nRetry-After: 60\r\n" in answer, answer
                refused.append(number)
        assert len(accepted) > 50 and len(refused) > 50
        said = re.findall(r".*cannot be written.*Until it can be.*", server.log_text)
        assert len(said) == 1 and "disk is full; make room on its disk" in said[0]
        inside = ["nsenter", "-m", "-r", "-t", str(server.process.pid)]
        subprocess.run([*inside, "mount", "-o", "remount,size=8m", small], check=True)
        assert phones.register(refused[0]).startswith("SIP/2.0 200")
        server.wait_for_log("can be written again")
        accepted.append(refused.pop(0))
        subprocess.run([*inside, "sh", "-c", f"cp {small}/ims.db* {keep}"], check=True)
        server.finish()
    store = open_store(str(keep / "ims.db"), Log.null().layer("ims"))
    kept = {record["impi"] for _, record in store.records("binding").items()}
    store.close()
    assert kept == {f"u{number}@{DOMAIN}" for number in accepted}
