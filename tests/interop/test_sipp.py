"""SIPp against the server over loopback: its own SIP, its own digest and AKA, its own timers."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.process import Server, free_port, has_ipv6, needs, serving
from support.sipp import SippPhone, succeeded

pytestmark = needs("sipp")
needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")

K, OP, AMF = "c93a4cfecc8aaa85615aa5640318fdb1", "a661f9b207e10cc19bc045cd61b35861", "9001"
"""SIPp reads keys as text: the octets of [, \\ and ] must not occur in them."""


def user(name: str, number: int, **properties: str) -> str:
    texts = {"imsi": f"00101{number:010d}", "impi": name, **properties}
    pairs = ", ".join(f'{key}: "{value}"' for key, value in texts.items())
    return f'{{ {pairs}, amf: 0x{AMF}, impu: ["sip:{name}", "tel:{1000 + number}"] }},'


CONFIG = f"""
domain: "ims.test", timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
log_options: "all.level=debug,all.max_size=1",
echo: ["tel:666", "sip:echo"],
ue_db: [
  {user("alice", 1, pwd="wonderland")}
  {user("bob", 2, pwd="builder", authent_qop="auth")}
  {user("carol", 3, pwd="christmas", authent_qop="auth-int")}
  {user("dave", 4, pwd="rotary", authent_qop="auth,auth-int")}
  {user("sim", 5, sim_algo="milenage", K=K, op=OP, authent_type="AKAv1")}
],
"""
PASSWORDS = {"alice": "wonderland", "bob": "builder", "carol": "christmas", "dave": "rotary"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, CONFIG, ipv6=has_ipv6()) as running:
        yield running


VOLTE = ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"'
"""Contact parameter of a phone that knows preconditions (TS 24.229 §5.1.1.2.1)."""


def phone(
    server: Server, folder: Path, name: str, *, tcp: bool = False, ipv6: bool = False, features: str = ""
) -> SippPhone:
    return SippPhone(
        folder,
        server.address6 if ipv6 else server.address,
        name,
        credentials=f"password={PASSWORDS[name]}",
        host="::1" if ipv6 else "",
        port=free_port("::1") if ipv6 else 5060,
        tcp=tcp,
        features=features,
    )


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "dave"])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_registration_with_md5(server: Server, tmp_path: Path, name: str, tcp: bool) -> None:
    phone(server, tmp_path, name, tcp=tcp).register()
    answers = re.findall(r"Authorization: Digest .*", server.log_text)
    qop = {"alice": None, "bob": "auth", "carol": "auth-int", "dave": "auth-int"}[name]
    assert [(found := re.search(r'qop="?([\w-]+)', each)) and found[1] for each in answers] == [qop]


def test_registration_with_a_sim(server: Server, tmp_path: Path) -> None:
    """SIPp checks MAC and computes RES with its own Milenage.

    It takes RES for a text that ends at a zero octet: with 3 % of all challenges its response is wrong.
    """
    sim = SippPhone(tmp_path, server.address, "sim", credentials=f"aka_OP=0x{OP} aka_K=0x{K} aka_AMF=0x{AMF}")
    for _ in range(4):
        with sim.start("register") as run:
            if run.wait() == 0:
                break
    else:
        raise AssertionError(run.errors)
    assert "algorithm=AKAv1-MD5" in server.log_text
    assert "sim registered: " in server.log_text


def test_sipp_checks_the_mac(server: Server, tmp_path: Path) -> None:
    """Otherwise the test above would prove little."""
    other = f"aka_OP=0x{OP} aka_K=0x{'11' * 16} aka_AMF=0x{AMF}"
    sim = SippPhone(tmp_path, server.address, "sim", credentials=other)
    for _ in range(4):
        with sim.start("register") as run:
            assert run.wait() != 0
        # It expands keywords in what it received: a challenge with an unlucky octet is a syntax error to it.
        if "Syntax error" not in run.errors:
            break
    assert "MAC != eXpectedMAC" in run.errors
    assert "sim registered: " not in server.log_text


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_life_of_a_registration(server: Server, tmp_path: Path, name: str) -> None:
    phone(server, tmp_path, name).play("registration_life")
    log = server.log_text
    causes = re.findall(rf"\[IMS\].* {name} (\w+): sip:", log)
    assert causes == ["registered", "refreshed", "unregistered"]
    assert len(re.findall(r"TO .* 401 Unauthorized", log)) == 1


class Call:
    """Two registered SIPp phones, one calls the other."""

    def __init__(self, server: Server, folder: Path, *, features: str = "", **options: bool) -> None:
        """`features`: those of the callee's Contact."""
        self.server = server
        self.caller = phone(server, folder, "alice", **options)
        self.callee = phone(server, folder, "bob", features=features, **options)
        self.caller.register()
        self.callee.register()

    def play(
        self, caller: str, callee: str, *, calls: int = 1, rate: int = 10, options: Sequence[str] = ()
    ) -> str:
        """Both scenarios have to succeed; returns the log. `options` are those of the callee's SIPp."""
        with contextlib.ExitStack() as stack:
            answering = stack.enter_context(self.callee.answering(callee, calls=calls, options=options))
            calling = stack.enter_context(self.caller.start(caller, to="1002", calls=calls, rate=rate))
            succeeded([calling, answering])
        return self.server.log_text


WAYS = [
    pytest.param({}, id="udp"),
    pytest.param({"tcp": True}, id="tcp"),
    pytest.param({"ipv6": True}, id="udp6", marks=needs_ipv6),
    pytest.param({"tcp": True, "ipv6": True}, id="tcp6", marks=needs_ipv6),
]


@pytest.mark.parametrize("way", WAYS)
def test_call(server: Server, tmp_path: Path, way: dict[str, bool]) -> None:
    log = Call(server, tmp_path, **way).play("call", "answer")
    assert re.search(r"call from alice to bob", log)
    invites = re.findall(r"FROM .* INVITE |TO .* INVITE ", log)
    assert len(invites) == 2


@pytest.mark.parametrize(
    ("caller", "callee", "end"),
    [
        ("call_cancel", "ring", "alice cancelled the call"),
        ("call_refused", "busy", "refused by bob: 486"),
        ("call_hung_up", "answer_hang_up", "bob hung up"),
        ("call_hold", "answer_hold", "alice hung up"),
    ],
)
@pytest.mark.parametrize("way", WAYS[:2])
def test_ways_of_a_call(
    server: Server, tmp_path: Path, way: dict[str, bool], caller: str, callee: str, end: str
) -> None:
    log = Call(server, tmp_path, **way).play(caller, callee)
    assert re.search(rf"call ends after .*({end})", log), re.findall("call ends.*", log)


def closed_ports(log: str) -> list[tuple[int, int]]:
    """(received, sent) RTP packets of each media port that has been closed."""
    pattern = r"closed \S+: received (\d+) packets .*?, sent (\d+) packets"
    return [(int(received), int(sent)) for received, sent in re.findall(pattern, log)]


def test_echo_sends_the_voice_back(server: Server, tmp_path: Path) -> None:
    alice = phone(server, tmp_path, "alice")
    alice.register()
    (tmp_path / "voice.al").write_bytes(os.urandom(8000 * 3))
    alice.play("call_talk", to="666")
    [(received, sent)] = closed_ports(server.log_text)
    assert 80 <= received <= 110
    assert sent == received


def test_voice_goes_through_to_the_callee_and_back(server: Server, tmp_path: Path) -> None:
    call = Call(server, tmp_path)
    (tmp_path / "voice.al").write_bytes(os.urandom(8000 * 3))
    log = call.play("call_talk", "answer", options=["-rtp_echo"])
    near, far = closed_ports(log)
    assert 80 <= near[0] <= 110
    assert far == near[::-1]
    assert near[1] >= 80, "SIPp echoes what it hears"


@pytest.mark.parametrize("way", WAYS[:2])
def test_many_calls_in_a_row(server: Server, tmp_path: Path, way: dict[str, bool]) -> None:
    calls = 150
    log = Call(server, tmp_path, **way).play("call", "answer", calls=calls, rate=25)
    assert len(re.findall("call ends after", log)) == calls
    assert len(re.findall(r"closed \S+: received", log)) == 2 * calls
    refused = re.findall(r"\[SIP\] TO .* [4-6]\d\d [A-Z].*", log)
    assert [line for line in refused if "401" not in line] == []


def test_a_long_invite_reaches_a_phone_without_tcp(server: Server, tmp_path: Path) -> None:
    """RFC 3261 §18.1.1: TCP is tried for what is too long; where it is refused, UDP it is."""
    log = Call(server, tmp_path).play("call_long", "answer")
    assert re.search(r"bob takes no TCP connection: its large requests go over UDP", log)
    assert "call ends after" in log


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("call_precondition", "answer_precondition"),
        ("call_precondition_late", "answer"),
        ("call", "answer_precondition_met"),
        ("call_reliable", "answer"),
    ],
)
@pytest.mark.parametrize("way", WAYS[:2])
def test_reliable_calls(
    server: Server, tmp_path: Path, way: dict[str, bool], caller: str, callee: str
) -> None:
    """100rel and preconditions on both legs, on the caller's only, on the callee's only."""
    features = VOLTE if "precondition" in callee else ""
    log = Call(server, tmp_path, features=features, **way).play(caller, callee)
    assert re.search(r"call ends after .*alice hung up", log), re.findall("call ends.*", log)
    assert len(closed_ports(log)) == 2


def test_many_calls_with_preconditions(server: Server, tmp_path: Path) -> None:
    """Beside each other, nothing is refused and nothing left over."""
    calls = 60
    call = Call(server, tmp_path, features=VOLTE)
    log = call.play("call_precondition", "answer_precondition", calls=calls, rate=25)
    assert len(re.findall("call ends after .*alice hung up", log)) == calls
    assert len(closed_ports(log)) == 2 * calls
    assert set(re.findall(r"\[SIP\] (?:TO|FROM) .* ([4-6]\d\d) [A-Z]", log)) == {"401"}


def test_echo_with_preconditions(server: Server, tmp_path: Path) -> None:
    alice = phone(server, tmp_path, "alice")
    alice.register()
    alice.play("call_precondition", to="666")
    log = server.log_text
    assert len(closed_ports(log)) == 1
    assert len(re.findall(r"FROM .* (PRACK|UPDATE) ", log)) == 3


def test_session_timer(tmp_path: Path) -> None:
    """422 with Min-SE, then refreshes by the server after half the time, at most a second later."""
    timer = 'session_expires: {duration: 4, min: 4, method: "update"},\n'
    with serving(tmp_path, CONFIG + timer) as server:
        alice = phone(server, tmp_path, "alice")
        alice.register()
        alice.play("call_timer", to="666")
        log = server.log_text
    assert len(re.findall(r"TO .* 422 ", log)) == 1
    refreshes = re.findall(r"(?m)^(\d\d):(\d\d):(\d\d\.\d+) .* TO .* UPDATE ", log)
    times = [int(hour) * 3600 + int(minute) * 60 + float(second) for hour, minute, second in refreshes]
    assert (times[1] - times[0]) % 86400 == pytest.approx(2.5, abs=1)
