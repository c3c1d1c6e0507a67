"""Phones with Linux's IPsec register with the server as it is started, and live through it.

The server runs in a network of its own; the phones are scripted ones (`support.kernel_phone`) in a guest
whose kernel does ESP. Nothing of `net.esp_tunnel` and `proto.esp` is at their end of the cable.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from libreims.net.netns import NetworkNamespace
from libreims.proto.esp.primitives import missing
from support import kernel_phone
from support.kernel_peer import KernelPeer, address, kernel_missing, program, tap
from support.lab import USERS
from support.process import Server
from support.xfrm import prepare

pytestmark = [
    pytest.mark.skipif(bool(kernel_missing()), reason=f"no kernel to talk to: {kernel_missing()}"),
    pytest.mark.skipif("des-ede3-cbc" in missing(), reason="OpenSSL has no des-ede3-cbc"),
]
SERVER, SERVER6 = "10.9.3.1", "2001:db8:93::1"
PHONES = ("10.9.3.2", "10.9.3.3", "2001:db8:93::2", "2001:db8:93::3")
CONFIG = (
    """
domain: "ims.test", echo: ["tel:666"], log_options: "all.level=debug,all.max_size=1",
ipsec_tun_setup_script_filename: "tun-setup",
ue_db: [
"""
    + "".join(
        f'{{ imsi: "00101000000000{number}", impi: "{name}@ims.test", authent_type: "AKAv1", '
        f'K: "00112233445566778899aabbccddeeff", impu: ["sip:{name}", "tel:060000000{number}"] }},\n'
        for number, name in enumerate(USERS, 1)
    )
    + "],"
)


def test_the_registered_life_of_phones(network: NetworkNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "guest"
    folder.mkdir()
    with network.entered():
        cable = tap("phones", SERVER, SERVER6)
    enter = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{network.fileno()}", "--")
    try:
        with (
            KernelPeer(folder, [cable]) as peer,
            Server(tmp_path, CONFIG, host=SERVER, host6=SERVER6, prefix=enter) as server,
        ):
            said = peer.run(guest_script())
            refused = peer.run("awk '$2' /proc/net/xfrm_stat")
            log = server.finish()
    finally:
        os.close(cable)
    steps = [line.rsplit(" ", 1) for line in said.splitlines()]
    assert len(steps) == len(USERS) * (3 + 1 + 2 + 1 + 2 + 1)
    assert {status for _, status in steps} == {"200"}, said
    assert refused == "", "packets that the guest's kernel did not want"
    assert "dropped" not in log
    for authentication, encryption in kernel_phone.PAIRS:
        assert f"the agreement {authentication}/{encryption} with SPIs" in log


def guest_script() -> str:
    addresses = "\n".join(f"ip {address(host, 'vec0')}" for host in PHONES)
    return f"""set -e
        {prepare()}
        ip link set vec0 up
        {addresses}
        {program(kernel_phone.__file__, SERVER, SERVER6, *PHONES)}"""
