"""The simulated phone with IPsec against somebody else's P-CSCF: Kamailio's, with Linux's IPsec below it.

Neither the security agreement nor ESP at the other end of the cable is ours, so that phone and server cannot
have the same mistakes.  Kamailio runs in a guest (`support.kernel_peer`); behind it is `support.pcscf_stub`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from libreims.net.netns import NetworkNamespace
from libreims.ue.security_offer import AALG
from support import pcscf_stub
from support.kernel_peer import KernelPeer, kernel_missing, program, tap
from support.phones import OPC, K
from support.process import Program
from support.xfrm import prepare

PCSCF = "10.9.5.2"
PAIRS = [(aalg, ealg) for aalg in AALG for ealg in ("null", "aes-cbc")]
"""Without des-ede3-cbc: Kamailio 5.6.3 gives the kernel CK1 CK2 0000 CK1 now and then (`ip xfrm state`)."""
MODULES = Path("/usr/lib/x86_64-linux-gnu/kamailio/modules")
LOADED = "tm tmx sl rr pv maxfwd siputils textops xlog kex ims_dialog ims_usrloc_pcscf ims_ipsec_pcscf"
LOADED += " ims_registrar_pcscf"
ROUTES = f"""
debug=1
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{PCSCF}:5060
{"".join(f'loadmodule "{name}.so"{chr(10)}' for name in LOADED.split())}
modparam("ims_dialog", "dlg_flag", 1)
modparam("ims_usrloc_pcscf", "db_mode", 0)
modparam("ims_ipsec_pcscf", "ipsec_listen_addr", "{PCSCF}")
modparam("ims_ipsec_pcscf", "ipsec_client_port", 5100)
modparam("ims_ipsec_pcscf", "ipsec_server_port", 6100)
modparam("ims_ipsec_pcscf", "ipsec_max_connections", 16)
modparam("ims_ipsec_pcscf", "ipsec_reuse_server_port", 0)
modparam("ims_ipsec_pcscf", "ipsec_spi_id_start", 4096)
modparam("ims_registrar_pcscf", "pcscf_uri", "sip:{PCSCF}:5060")
modparam("ims_registrar_pcscf", "subscribe_to_reginfo", 0)
modparam("ims_registrar_pcscf", "publish_reginfo", 0)

request_route {{
    if (t_lookup_request()) exit;
    if ($si == "127.0.0.1") {{
        $fs = "udp:{PCSCF}:" + $hdr(X-Client-Port);
        t_relay();
        exit;
    }}
    if (!is_method("REGISTER") && $Rp == 5060) {{ sl_send_reply("403", "Outside of IPsec"); exit; }}
    remove_hf("Route");
    if (is_method("REGISTER")) {{
        pcscf_save_pending("location");
        t_on_reply("registered");
    }}
    $du = "sip:127.0.0.1:4060";
    t_relay();
}}

onreply_route[registered] {{
    if (t_check_status("200")) {{
        pcscf_save("location");
        ipsec_forward("location");
    }} else if (t_check_status("401")) ipsec_create("location");
}}
"""


def impossible() -> str:
    if kernel_missing():
        return f"no kernel to talk to: {kernel_missing()}"
    if shutil.which("kamailio") is None or not (MODULES / "ims_ipsec_pcscf.so").exists():
        return "not installed: kamailio-ims-modules"
    return ""


pytestmark = pytest.mark.skipif(bool(impossible()), reason=impossible())


def phone(network: NetworkNamespace, folder: Path, number: int, pair: tuple[str, str]) -> Program:
    """A phone with an address of its own that offers one pair of algorithms."""
    enter = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{network.fileno()}", "--")
    where = ["--server", PCSCF, "--local", f"10.9.5.{10 + number}"]
    who = ["--impi", f"p{number}@ims.test", "--impu", f"sip:p{number}@ims.test"]
    keys = ["--k", K.hex(), "--opc", OPC.hex()]
    ipsec = ["--ipsec", "--aalg", pair[0], "--ealg", pair[1]]
    texts = [("message", "1", text, "expect-text", text) for text in ("before", "after")]
    steps = ["register", *texts[0], "reregister", "fresh", *texts[1]]
    command = [*enter, sys.executable, "-m", "libreims", "ue", *where, *who, *keys, *ipsec, "--json", *steps]
    return Program(command, folder / f"phone{number}.out", name=f"phone {number}")


def test_registrations_and_texts_both_ways(network: NetworkNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "guest"
    folder.mkdir()
    with network.entered():
        cable = tap("phones", *(f"10.9.5.{10 + number}" for number in range(len(PAIRS))))
    try:
        with KernelPeer(folder, [cable]) as peer:
            (folder / "kamailio.cfg").write_text(ROUTES)
            peer.run(f"{prepare()} && ip link set vec0 up && ip addr add {PCSCF}/24 dev vec0")
            server = peer.start(f"kamailio -DD -E -m 64 -M 8 -w /run -f {folder}/kamailio.cfg")
            home = peer.start(program(pcscf_stub.__file__, PCSCF))
            peer.run(f"until {listens(5060)} && {listens(4060)}; do sleep 0.1; done")
            for number, pair in enumerate(PAIRS):
                with phone(network, tmp_path, number, pair) as one:
                    assert one.wait() == 0, one.text + peer.output(server)
                last = json.loads(one.text.splitlines()[-1])
                ipsec = last["phone"]["ipsec"]
                assert (ipsec["algorithms"], ipsec["agreements"], ipsec["clear"]) == ("/".join(pair), 2, 2)
                assert last["esp"]["dropped"] == {}
            peer.run("sync")
            answered = peer.output(home).split("\n", 1)[1]
    finally:
        os.close(cable)
    assert answered.splitlines() == [f"p{number} 200" for number in range(len(PAIRS)) for _ in range(2)]


def listens(port: int) -> str:
    """A shell command: whether this UDP port is open in the guest."""
    return f"grep -q :{port:04X} /proc/net/udp"
