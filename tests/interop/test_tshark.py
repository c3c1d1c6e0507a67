"""tshark's eyes on what really goes over the wire: it has to understand all of it and find nothing wrong."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.namespace import Namespace, namespaces_missing
from support.process import Program, Server, has_ipv6, needs, serving
from support.ue_process import ue

pytestmark = [
    needs("tshark"),
    pytest.mark.skipif(bool(namespaces_missing()), reason=f"nothing to capture from: {namespaces_missing()}"),
    pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback"),
]
K, OPC = "c93a4cfecc8aaa85515aa5640318fdb0", "c3a53274fbde6cdc58ef03a9b7b981a8"
CONFIG = f"""
domain: "ims.test",
log_options: "all.level=info",
echo: ["tel:666", "sip:echo"],
ue_db: [
  {{ imsi: "001010000000001", impi: "sim", sim_algo: "milenage", K: "{K}", opc: "{OPC}",
    authent_type: "AKAv1", impu: ["sip:sim", "tel:1001"] }},
  {{ imsi: "001010000000002", impi: "bob", pwd: "builder", authent_qop: "auth,auth-int",
    impu: ["sip:bob", "tel:1002"] }},
  {{ imsi: "001010000000003", impi: "sim2", sim_algo: "milenage", K: "{K}", opc: "{OPC}",
    authent_type: "AKAv1", impu: ["sip:sim2", "tel:1003"] }},
],
"""
CALLER = (
    *("register", "subscribe", "reregister", "call", "1002", "expect-audio", 25, "hold", "wait", "0.3"),
    *("resume", "expect-audio", 10, "digits", "12", "hangup"),
    *("dial", "1002", "expect-refused", "486"),
    *("call", "666", "expect-own-audio", 25, "hangup", "deregister", "wait", "0.3"),
)
CALLEE = (
    *("register", "subscribe", "expect-call", "answer", "expect-audio", 20, "expect-held", "expect-resumed"),
    *("expect-hangup", "expect-call", "reject", "486", "deregister", "wait", "0.3"),
)
PATIENT = ("--t1", "2")
"""The server's T1 as well: nothing is sent again where the machine is busy."""
FLUSH = 1.0
"""Seconds until what has been seen has left the kernel's buffer."""
WARNING = 0x600000
"""`_ws.expert.severity` of a warning; 0x400000 is a note, 0x800000 an error."""


class Capture:
    """What was seen on the wire."""

    def __init__(self, file: Path, server: Server) -> None:
        self.file = file
        self.server = server

    def fields(self, display_filter: str, *names: str) -> list[tuple[str, ...]]:
        """These fields of all packets that pass a display filter."""
        command = ["tshark", "-n", "-r", str(self.file), "-Y", display_filter, "-T", "fields"]
        for name in names:
            command += ["-e", name]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return [tuple(line.split("\t")) for line in result.stdout.splitlines()]

    def summary(self, display_filter: str) -> list[str]:
        """One line for each packet that passes a display filter."""
        command = ["tshark", "-n", "-r", str(self.file), "-Y", display_filter]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def statistics(self, name: str) -> str:
        command = ["tshark", "-n", "-q", "-r", str(self.file), "-z", name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def capturing(file: Path, prefix: tuple[str, ...]) -> Iterator[None]:
    """Everything that goes over the loopback interface of the namespace; skips where that is not allowed."""
    command = [*prefix, "tshark", "-q", "-i", "lo", "-w", str(file)]
    with Program(command, file.with_suffix(".out"), name="tshark") as tshark:
        try:
            tshark.wait_for("Capture started", 20)
        except AssertionError:
            if "ermission" in tshark.text:
                pytest.skip(f"tshark may not capture here: {tshark.text.strip().splitlines()[-1]}")
            raise
        yield
        time.sleep(FLUSH)
        tshark.stop()
    assert re.search(r"\d+ packets captured", tshark.text)
    assert "dropped" not in tshark.text


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    """Two phones: IPv4, UDP and a SIM; IPv6, TCP and a password. Calls, hold, refusal, echo, reg event."""
    folder = tmp_path_factory.mktemp("tshark")
    file = folder / "capture.pcapng"
    with contextlib.ExitStack() as stack:
        prefix = tuple(stack.enter_context(Namespace({})).prefix)
        with (
            capturing(file, prefix),
            serving(folder, CONFIG, host="127.0.0.1", ipv6=True, prefix=prefix) as server,
        ):
            bob = ue(
                *(folder, server.address6, "bob", *CALLEE),
                password="builder",
                options=["--answer", "ring", "--transport", "tcp", *PATIENT],
                local="::1",
                prefix=prefix,
            )
            stack.enter_context(bob)
            server.wait_for_log("bob registered")
            sim = ["--k", K, "--opc", OPC, *PATIENT]
            caller = ue(folder, server.address, "sim", *CALLER, options=sim, local="127.0.0.1", prefix=prefix)
            stack.enter_context(caller)
            for phone in (caller, bob):
                assert phone.wait() == 0, phone.text
        yield Capture(file, server)


def nothing_is_malformed(capture: Capture) -> None:
    assert capture.summary("_ws.malformed || _ws.short") == []


def the_experts_have_nothing_to_say(capture: Capture) -> None:
    """Neither errors nor warnings, but for those about the kernel's TCP on a busy machine."""
    found = capture.fields(
        "_ws.expert && !tcp.analysis.flags", "frame.number", "_ws.expert.severity", "_ws.expert.message"
    )
    serious = [each for each in found if any(int(severity) >= WARNING for severity in each[1].split(","))]
    assert serious == []


def test_nothing_is_malformed(capture: Capture) -> None:
    nothing_is_malformed(capture)


def test_the_experts_have_nothing_to_say(capture: Capture) -> None:
    the_experts_have_nothing_to_say(capture)


def test_every_packet_is_recognised(capture: Capture) -> None:
    """Nothing on UDP but SIP, RTP and RTCP; TCP segments with octets belong to SIP."""
    assert capture.summary("udp && !icmp && !icmpv6 && !sip && !rtp && !rtcp") == []
    assert capture.summary("tcp.len > 0 && !sip && !tcp.reassembled_in") == []


def test_methods_and_statuses(capture: Capture) -> None:
    methods = Counter(method for (method,) in capture.fields("sip.Method && !icmp && !icmpv6", "sip.Method"))
    # Both legs of a call are on the wire, with the echo there is one.
    assert methods["INVITE"] == 2 * (1 + 2 + 1) + 1
    assert methods["BYE"] == 2 * 1 + 1
    assert methods["ACK"] == methods["INVITE"]
    assert methods["INFO"] == 2 * 2
    assert methods["SUBSCRIBE"] == 2
    assert methods["NOTIFY"] >= 4
    statuses = Counter(status for (status,) in capture.fields("sip.Status-Code", "sip.Status-Code"))
    assert set(statuses) == {"100", "180", "200", "401", "486"}
    assert statuses["401"] == 2
    assert "Number of resent SIP messages: 0" in capture.statistics("sip,stat")


def test_every_response_belongs_to_a_request(capture: Capture) -> None:
    """tshark relates them on UDP only, and confuses NOTIFY 1 with SUBSCRIBE 1 of the same Call-ID."""
    responses = 'udp && sip.Status-Code && sip.CSeq.method != "NOTIFY"'
    assert len(capture.summary(responses)) > 20
    assert capture.summary(f"{responses} && !sip.response-request") == []


def test_authentication(capture: Capture) -> None:
    found = {each for (each,) in capture.fields("sip.auth.algorithm", "sip.auth.algorithm")}
    assert {name.strip('"').upper() for name in found} == {"AKAV1-MD5", "MD5"}


def test_session_descriptions(capture: Capture) -> None:
    """Each one is read as such, and names the address of the leg that it is on."""
    said = capture.fields('sip.Content-Type contains "sdp"', "frame.number")
    read = capture.fields(
        "sdp && !icmp", "ip.src", "ipv6.src", "sdp.connection_info.address", "sdp.media.port"
    )
    assert len(read) == len(said) > 10
    for ipv4, ipv6, address, port in read:
        assert address == ipv4 + ipv6
        assert int(port) > 0


def test_registration_state(capture: Capture) -> None:
    """The body of each NOTIFY is read as XML."""
    notifies = capture.fields('sip.Method == "NOTIFY" && xml', "sip.Event", "sip.Content-Type")
    assert len(notifies) == len(capture.fields('sip.Method == "NOTIFY"', "sip.Event")) >= 4
    assert set(notifies) == {("reg", "application/reginfo+xml")}


def test_voice(capture: Capture) -> None:
    """RTP is announced by an SDP that tshark has seen; streams are whole; both ways through both legs."""
    assert capture.summary("rtp && !rtp.setup-frame") == []
    streams = re.findall(r"0x[0-9A-F]{8} .*?(\d+)\s+(-?\d+) \(", capture.statistics("rtp,streams"))
    assert len(streams) >= 2 * 2 + 2
    assert {lost for _, lost in streams} == {"0"}
    assert all(int(packets) >= 10 for packets, _ in streams)
    ports = {int(port) for (port,) in capture.fields("rtp", "udp.srcport")}
    assert all(port % 2 == 0 for port in ports)


def test_control_of_the_voice(capture: Capture) -> None:
    """RTCP compounds of the right length; sender reports are about streams that exist."""
    assert capture.fields("rtcp && !icmp && !icmpv6", "frame.number") != []
    assert capture.summary("rtcp.length_check == 0") == []
    streams = {ssrc for (ssrc,) in capture.fields("rtp", "rtp.ssrc")}
    senders = {ssrc for (ssrc,) in capture.fields("rtcp.pt == 200", "rtcp.senderssrc")}
    assert senders <= streams
    assert len(senders) >= 4


@pytest.fixture(scope="module")
def reliable_capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    """Two phones with SIM, 100rel, preconditions and session timers: one calls the other, then the echo."""
    folder = tmp_path_factory.mktemp("tshark")
    file = folder / "capture.pcapng"
    options = ["--k", K, "--opc", OPC, "--100rel", "--precondition", "--session-expires", "1800", *PATIENT]
    with contextlib.ExitStack() as stack:
        prefix = tuple(stack.enter_context(Namespace({})).prefix)
        with (
            capturing(file, prefix),
            serving(folder, CONFIG, host="127.0.0.1", ipv6=True, prefix=prefix) as server,
        ):
            steps = ("register", "expect-call", "expect-hangup")
            callee = ue(
                *(folder, server.address6, "sim2", *steps),
                options=["--answer-delay", "0.1", *options],
                local="::1",
                prefix=prefix,
            )
            stack.enter_context(callee)
            server.wait_for_log("sim2 registered")
            calls = ("register", "call", "1003", "expect-audio", 10, "hangup", "call", "666", "hangup")
            caller = ue(
                *(folder, server.address, "sim", *calls), options=options, local="127.0.0.1", prefix=prefix
            )
            stack.enter_context(caller)
            for phone in (caller, callee):
                assert phone.wait() == 0, phone.text
        yield Capture(file, server)


def test_a_call_with_preconditions(reliable_capture: Capture) -> None:
    """100rel, PRACK, UPDATE, precondition lines and session timers, all of them seen and none found wrong."""
    nothing_is_malformed(reliable_capture)
    the_experts_have_nothing_to_say(reliable_capture)
    methods = Counter(
        method for (method,) in reliable_capture.fields("sip.Method && !icmp && !icmpv6", "sip.Method")
    )
    assert methods["INVITE"] == 2 + 1
    # 183 and 180 are acknowledged, and the resources told, on each leg.
    assert methods["PRACK"] == 2 * methods["INVITE"]
    assert methods["UPDATE"] == methods["INVITE"]
    reliable = reliable_capture.fields("sip.RSeq", "sip.Status-Code")
    assert Counter(status for (status,) in reliable) == {"183": 3, "180": 3}
    responses = reliable_capture.fields('sip.Status-Code && sip.CSeq.method == "PRACK"', "sip.Status-Code")
    assert set(responses) == {("200",)}
    assert len(reliable_capture.fields('sdp.media_attribute.field == "conf"', "frame.number")) >= 2
    timers = reliable_capture.fields("sip.Session-Expires && sip.Status-Code == 200", "sip.Session-Expires")
    assert {value.partition(";")[0] for (value,) in timers} == {"1800"}
    assert "Number of resent SIP messages: 0" in reliable_capture.statistics("sip,stat")
