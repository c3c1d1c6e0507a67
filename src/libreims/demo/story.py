"""What the demo plays, and what has to be true afterwards."""

from __future__ import annotations

from libreims.demo.actor import Actor, Line
from libreims.demo.cast import Cast
from libreims.demo.evidence import packets

_STEP = 15.0
"""Seconds that either phone may take to register."""
_PLAY = 40.0
"""Seconds that the whole play may take."""

_TALK = 150
"""RTP packets that A hears before it holds: three seconds."""
_TALK_AGAIN = 75
_ECHO = 100

_IN_CLEAR = ("REGISTER", "401 Unauthorized (REGISTER) AKAv1-MD5")
"""What there is before the keys are."""

TEXT = "Shall I call you? \u260e One text, though it takes two short messages on its way."
"""From A to B: too long for one short message, with a character that needs UCS-2."""
REPLY = "Yes!"


def steps_of_a(cast: Cast) -> list[str]:
    """A calls."""
    talk = ["call", cast.b.number, "expect-audio", str(_TALK)]
    if cast.place.has_ipsec:
        talk += ["reregister", "fresh"]
    hold = ["hold", "expect-silence", "1", "resume", "expect-audio", str(_TALK_AGAIN), "hangup"]
    echo = ["call", cast.echo, "expect-own-audio", str(_ECHO), "hangup"]
    texts = ["sms", cast.b.number, TEXT, "expect-text", REPLY]
    return ["register", *texts, *talk, *hold, *echo, "deregister"]


def steps_of_b(cast: Cast) -> list[str]:
    """B is called.  It expects less than A, so that it is never what keeps A waiting."""
    texts = ["expect-text", TEXT, "sms", cast.a.number, REPLY]
    talk = ["listen", "30", "expect-audio", str(_TALK // 2)]
    held = ["expect-held", "10", "expect-resumed", "10", "expect-audio", str(_TALK_AGAIN // 2)]
    return ["register", *texts, *talk, *held, "expect-hangup", "30", "deregister"]


async def play(cast: Cast, a: Actor, b: Actor) -> None:
    """Play it. Raises DemoError at the first thing that goes wrong."""
    await b.start(steps_of_b(cast))
    await b.reached("register", _STEP)
    await a.start(steps_of_a(cast))
    await a.finished(_PLAY)
    await b.finished(_STEP)


def judge(cast: Cast, a: Actor, b: Actor) -> list[str]:
    """What is not as it has to be, beyond the steps: empty when all is well."""
    problems = []
    for actor in (a, b):
        if actor.summary is None:
            problems.append(f"{actor.role.name} has not told how it ended")
            continue
        algorithm = actor.summary["phone"]["algorithm"]
        if algorithm != "AKAv1-MD5":
            problems.append(
                f"{actor.role.name} registered with {algorithm or 'no authentication'}, not with its SIM"
            )
    if problems:
        return problems
    talk, echo, heard = call_of(a, 0), call_of(a, 1), call_of(b, 0)
    return [
        *_judge_ipsec(cast, a, b),
        *_judge_texts(a, b),
        *_judge_talk("phone A", talk),
        *_judge_talk("phone B", heard),
        *_judge_echo(echo),
    ]


def call_of(actor: Actor, number: int) -> Line:
    """A call of a phone that told its end; empty when there was none."""
    assert actor.summary is not None
    calls = actor.summary["phone"]["calls"]
    found: Line = calls[number] if number < len(calls) else {}
    return found


def audio(call: Line) -> Line:
    """The voice stream of a call."""
    found: Line = call.get("streams", {}).get("audio", {})
    return found


def texts_of(actor: Actor) -> list[Line]:
    """The short messages that a phone got, which told its end."""
    assert actor.summary is not None
    found: list[Line] = actor.summary["phone"]["sms_received"]
    return found


def _judge_ipsec(cast: Cast, a: Actor, b: Actor) -> list[str]:
    """Whether all that should have gone through IPsec did: both phones and the server have to say so."""
    if not cast.place.has_ipsec:
        return []
    try:
        seen = packets(cast.packets)
    except OSError as error:
        return [f"the server kept no record of IPsec: {error}"]
    problems = []
    for actor, agreements in ((a, 2), (b, 1)):
        assert actor.role.pair is not None
        pair, name, ipsec = "/".join(actor.role.pair), actor.role.name, ipsec_of(actor)
        if (ipsec.get("agreements"), ipsec.get("algorithms")) != (agreements, pair):
            problems.append(
                f"{name} made {ipsec or 'no'} agreements on IPsec, {agreements} on {pair} are right"
            )
        elif seen[pair] < ipsec["protected"]:
            problems.append(
                f"{name} had {ipsec['protected']} messages in IPsec, the server saw {seen[pair]} packets"
            )
        clear = [line["label"] for line in actor.lines if line["type"] == "sip" and not line["protected"]]
        unasked = [each for each in clear if each not in _IN_CLEAR]
        if unasked:
            problems.append(f"{name} had {', '.join(unasked)} outside of IPsec")
    return problems


def ipsec_of(actor: Actor) -> Line:
    """What a phone, which told its end, says of its IPsec; empty where it has none."""
    assert actor.summary is not None
    found: Line = actor.summary["phone"].get("ipsec") or {}
    return found


def _judge_texts(a: Actor, b: Actor) -> list[str]:
    problems = []
    for actor, other, text in ((b, a, TEXT), (a, b, REPLY)):
        got = [(each["text"], each["sender"], each["over"]) for each in texts_of(actor)]
        if got != [(text, other.role.number, "sms")]:
            problems.append(f"{actor.role.name} got {got or 'no short message'}, {text!r} is right")
    return problems


def _judge_talk(name: str, call: Line) -> list[str]:
    counts = audio(call)
    if not counts:
        return [f"{name} has no voice stream"]
    least = _TALK + _TALK_AGAIN
    problems = [
        f"{name} {what} {counts[key]} RTP packets, at least {least * 9 // 10} are right"
        for key, what in (("packets_sent", "said"), ("packets", "heard"))
        if counts[key] < least * 9 // 10
    ]
    if counts["own"]:
        problems.append(f"{name} heard itself instead of the other phone")
    if counts["lost"] > counts["packets"] // 100:
        problems.append(f"{name} lost {counts['lost']} of {counts['packets']} RTP packets")
    return problems


def _judge_echo(call: Line) -> list[str]:
    counts = audio(call)
    if not counts or counts["own"] < _ECHO or counts["own"] != counts["packets"]:
        return [f"the echo sent back {counts.get('own', 0)} packets of our own voice, {_ECHO} are right"]
    return []
