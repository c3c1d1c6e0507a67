"""What the demo shows: progress, the ladder of all messages, the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from libreims.demo.actor import Actor, Line
from libreims.demo.cast import Cast, Role
from libreims.demo.story import audio, call_of, ipsec_of, texts_of
from libreims.net.address import text
from libreims.ue.ladder import Arrow, Remark, Row, render

SERVER = "server"

_COUNTS = ("expect-audio", "expect-own-audio", "expect-silence")
_ENDS = ("hangup", "expect-hangup")

_WIDTH = 100
"""Characters of a line of progress."""


def say(line: str) -> None:
    """Show a line at once."""
    print(line, flush=True)


def tell(role: Role, line: Line) -> None:
    """Show a step of a phone as it is done."""
    if line["type"] == "step":
        mark = "ok" if line["ok"] else "FAILED"
        shown = f"  {role.name:<8} {line['name']:<17} {mark:<3} {line['text']}"
        say(shown if not line["ok"] or len(shown) <= _WIDTH else f"{shown[: _WIDTH - 1]}…")


def show_ladder(a: Actor, b: Actor) -> None:
    """Print all messages of both phones in one ladder."""
    columns = (a.role.name, SERVER, b.role.name)
    rows = sorted([*_rows(a), *_rows(b)], key=lambda row: row.time)
    for line in render(columns, rows, width=44):
        say(line)


def _rows(actor: Actor) -> Iterable[Row]:
    name = actor.role.name
    seen: set[tuple[str, ...]] = set()
    for line in actor.lines:
        if line["type"] == "sip":
            key = (line["label"], line.get("cseq", ""), line.get("call_id", ""), str(line["sent"]))
            label = f"{line['label']} again" if key in seen and line["label"] != "ACK" else line["label"]
            seen.add(key)
            source, target = (name, SERVER) if line["sent"] else (SERVER, name)
            yield Arrow(line["time"], source, target, label, protected=bool(line["protected"]))
        elif line["type"] == "step" and (remark := _remark(line)):
            yield Remark(line["time"], name, remark)


def _remark(step: Line) -> str:
    """What a step has to say that no message says; empty for most."""
    words: str = step["text"]
    if step["name"] in _COUNTS or not step["ok"]:
        return words.partition(" (")[0]
    if step["name"] in _ENDS:
        return words.rpartition("audio: ")[2].partition(" (")[0]
    return ""


def setting(cast: Cast) -> list[str]:
    """What is to be said before it begins."""
    place = cast.place
    lines = []
    if place.has_ipsec:
        lines.append(
            "This is played in a private network, so that the phones have IPsec: ==== in the ladder."
        )
    else:
        lines.append(f"The phones have no IPsec here: {place.without_ipsec}.")
    if not cast.has_ipv6:
        lines.append("This machine has no IPv6: both phones use IPv4.")
    return lines


def verdict(cast: Cast, a: Actor, b: Actor, seconds: float) -> str:
    """The last line when all is well."""
    talk, heard, echo = audio(call_of(a, 0)), audio(call_of(b, 0)), audio(call_of(a, 1))
    where = f"A by way of {text(cast.a.server)}, B of {text(cast.b.server)}"
    there = f"A said {talk['packets_sent']} RTP packets, B heard {heard['packets']}"
    back = f"B said {heard['packets_sent']}, A heard {talk['packets']}"
    return (
        f"VERDICT: it works. Two phones registered with their SIMs (AKAv1, Milenage; {where}), "
        f"{_ipsec(a, b)}"
        f"texted each other (the first text took {texts_of(b)[0]['parts']} short messages), "
        f"talked ({there}; {back}), held, resumed, hung up; "
        f"{echo['own']} packets of A's own voice came back from {cast.echo}. {seconds:.1f} s."
    )


def _ipsec(a: Actor, b: Actor) -> str:
    of_a, of_b = ipsec_of(a), ipsec_of(b)
    if not of_a:
        return "without IPsec, "
    return (
        f"both through IPsec (A {of_a['protected']} SIP messages with {of_a['algorithms']}, new keys in the "
        f"middle of the talk; B {of_b['protected']} with {of_b['algorithms']}), "
    )
