"""The verdict: only what really happened counts."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.demo import stage, story
from libreims.demo.actor import Actor, Line
from libreims.demo.cast import Cast, Role
from libreims.demo.place import PRIVATE, Place, loopback
from libreims.net.esp_evidence import Evidence
from libreims.net.tunnel import SecurityAssociation
from libreims.ue.script import parse_steps

GOOD: Line = {"packets_sent": 226, "packets": 226, "own": 0, "lost": 0}
ECHO: Line = {"packets_sent": 101, "packets": 100, "own": 100, "lost": 0}


def text(content: str, sender: str, parts: int = 1, over: str = "sms") -> Line:
    return {"text": content, "sender": sender, "parts": parts, "over": over}


HERE = loopback("it was switched off", ipv6=False)
PAIRS = {"phone A": ("hmac-sha-1-96", "aes-cbc"), "phone B": ("null", "aes-gcm")}
NUMBERS = {"phone A": "1001", "phone B": "1002"}
TEXTS = {"phone A": [text(story.REPLY, "1002")], "phone B": [text(story.TEXT, "1001", 2)]}


def actor(name: str, *streams: Line, algorithm: str = "AKAv1-MD5", texts: list[Line] | None = None) -> Actor:
    role = Role(
        name, "i@d", "sip:i@d", NUMBERS[name], ("127.0.0.1", 5060), "127.0.0.1", dict(PAIRS).get(name), {}
    )
    one = Actor(role, Path("/nonexistent"), lambda role, line: None)
    calls = [{"streams": {"audio": deepcopy(each)}} for each in streams]
    received = TEXTS[name] if texts is None else texts
    phone = {"algorithm": algorithm, "calls": calls, "sms_received": received}
    one.lines = [{"type": "summary", "ok": True, "failed": None, "phone": phone}]
    return one


def cast(place: Place = HERE, packets: Path = Path("p")) -> Cast:
    a, b = actor("phone A").role, actor("phone B").role
    return Cast(Path("c"), Path("l"), (("127.0.0.1", 5060),), "d", a, b, "666", place, packets)


def test_the_steps_are_steps() -> None:
    assert [step.name for step in parse_steps(story.steps_of_a(cast()))].count("call") == 2
    assert parse_steps(story.steps_of_b(cast()))[0].name == "register"
    assert "reregister" not in story.steps_of_a(cast())
    assert "reregister" in [step.name for step in parse_steps(story.steps_of_a(cast(PRIVATE[0])))]


def test_all_well() -> None:
    a, b = actor("phone A", GOOD, ECHO), actor("phone B", GOOD)
    assert story.judge(cast(), a, b) == []
    assert "VERDICT: it works" in stage.verdict(cast(), a, b, 9.7)


@pytest.mark.parametrize(
    ("of_a", "echo", "of_b", "said"),
    [
        ({"packets": 12}, {}, {}, "phone A heard 12 RTP packets"),
        ({}, {}, {"packets_sent": 0}, "phone B said 0 RTP packets"),
        ({"own": 3}, {}, {}, "phone A heard itself"),
        ({}, {}, {"lost": 30}, "phone B lost 30 of 226"),
        ({}, {"own": 99, "packets": 99}, {}, "sent back 99 packets"),
        ({}, {"packets": 140}, {}, "sent back 100 packets"),
    ],
)
def test_what_is_wrong_is_named(of_a: Line, echo: Line, of_b: Line, said: str) -> None:
    a, b = actor("phone A", {**GOOD, **of_a}, {**ECHO, **echo}), actor("phone B", {**GOOD, **of_b})
    [problem] = story.judge(cast(), a, b)
    assert said in problem


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "phone B got no short message"),
        ([text("Shall", "1001")], "phone B got [('Shall'"),
        ([text(story.TEXT, "1002", 2)], "'1002', 'sms')]"),
        ([text(story.TEXT, "1001", 2, "text")], "'text')]"),
        ([text(story.TEXT, "1001", 2)] * 2, "phone B got"),
    ],
)
def test_a_text_that_is_not_the_one_that_was_sent_is_named(texts: list[Line], said: str) -> None:
    [problem] = story.judge(cast(), actor("phone A", GOOD, ECHO), actor("phone B", GOOD, texts=texts))
    assert said in problem


def secure(name: str, agreements: int, **changes: object) -> Actor:
    """A phone that used IPsec for all but its first question."""
    one = actor(name, *((GOOD, ECHO) if name == "phone A" else (GOOD,)))
    ipsec = {"algorithms": "/".join(PAIRS[name]), "agreements": agreements, "protected": 2, "clear": 2}
    one.lines[0]["phone"]["ipsec"] = {**ipsec, **changes}
    labels = ["REGISTER", "401 Unauthorized (REGISTER) AKAv1-MD5", "REGISTER with response", "INVITE tel:1"]
    sip = [{"type": "sip", "label": label, "protected": None} for label in labels]
    for line in sip[2:]:
        line["protected"] = "/".join(PAIRS[name])
    one.lines[:0] = sip
    return one


def record(path: Path, of_a: int = 2, of_b: int = 2) -> Path:
    """What the server saw."""
    evidence = Evidence(str(path / "p"), None, lambda: 1e9, Log.null().layer("ipsec"))
    for pair, count in zip(PAIRS.values(), (of_a, of_b), strict=True):
        for _ in range(count):
            ends = ("192.0.2.1", 1), ("192.0.2.11", 2)
            evidence.packet(SecurityAssociation("in", 4096, *ends, *pair), b"E")
    evidence.close()
    return path / "p"


def test_all_well_through_ipsec(tmp_path: Path) -> None:
    a, b = secure("phone A", 2), secure("phone B", 1)
    play = cast(PRIVATE[0], record(tmp_path))
    assert story.judge(play, a, b) == []
    verdict = stage.verdict(play, a, b, 9.7)
    assert "both through IPsec (A 2 SIP messages with hmac-sha-1-96/aes-cbc, new keys" in verdict
    assert "private network" in stage.setting(play)[0]
    assert stage.setting(cast()) == [
        "The phones have no IPsec here: it was switched off.",
        "This machine has no IPv6: both phones use IPv4.",
    ]


def test_ipsec_that_was_none_is_named(tmp_path: Path) -> None:
    a, b = secure("phone A", 2), secure("phone B", 1)
    seen = record(tmp_path, of_b=1)
    assert story.judge(cast(PRIVATE[0], seen), a, b) == [
        "phone B had 2 messages in IPsec, the server saw 1 packets"
    ]
    play = cast(PRIVATE[0], record(tmp_path))
    assert "phone A made" in story.judge(play, secure("phone A", 1), b)[0]
    assert "phone B made" in story.judge(play, a, secure("phone B", 1, algorithms="null/aes-cbc"))[0]
    a.lines[3]["protected"] = None
    assert story.judge(play, a, b) == ["phone A had INVITE tel:1 outside of IPsec"]
    assert "kept no record" in story.judge(cast(PRIVATE[0], tmp_path / "none"), a, b)[0]


def test_what_did_not_happen_is_named() -> None:
    b = actor("phone B", GOOD)
    assert "echo sent back 0" in story.judge(cast(), actor("phone A", GOOD), b)[0]
    assert "registered with MD5" in story.judge(cast(), actor("phone A", GOOD, ECHO, algorithm="MD5"), b)[0]
    silent = actor("phone A")
    silent.lines = []
    assert "has not told how it ended" in story.judge(cast(), silent, b)[0]


def test_the_ladder_has_the_messages_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    def sip(time: float, sent: bool, label: str) -> Line:
        return {"type": "sip", "time": time, "sent": sent, "label": label, **known}

    known = {"cseq": "1 INVITE", "call_id": "c", "protected": None}
    a, b = actor("phone A"), actor("phone B")
    a.lines = [sip(10.0, True, "INVITE tel:1002"), sip(10.5, True, "INVITE tel:1002")]
    step = {"type": "step", "name": "expect-audio", "ok": True, "text": "75 packets heard (0 lost so far)"}
    b.lines = [sip(10.1, False, "INVITE sip:b"), {**step, "time": 11.0}]
    stage.show_ladder(a, b)
    rows = capsys.readouterr().out.splitlines()
    assert [row.partition("INVITE")[2][:6] for row in rows[1:4]] == [" tel:1", " sip:b", " tel:1"]
    assert "again" in rows[3] and "* 75 packets heard" in rows[4] and "lost" not in rows[4]


def test_a_phone_that_fails_is_quoted() -> None:
    one = actor("phone A")
    one.lines[0]["failed"] = {"step": "call 1002", "text": "404 Not Found"}
    assert one.failure() == "phone A failed at `call 1002`: 404 Not Found"
    one.lines, one.noise = [], ["Traceback ..."]
    assert "ended with status None" in one.failure() and "Traceback" in one.failure()
