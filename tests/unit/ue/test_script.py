"""Steps: words to a table, and phones that do them."""

from __future__ import annotations

import asyncio
import re

import pytest

from libreims.net.simulated import SimulatedNetwork
from libreims.ue.incoming import BUSY, RING, AnswerMode
from libreims.ue.script import Script, Step, StepError, parse_steps, steps_help
from support.phones import PhonePair
from support.virtual import run


def names(words: str) -> list[tuple[str, ...]]:
    return [(step.name, *step.arguments) for step in parse_steps(words.split())]


def test_words_become_steps() -> None:
    assert names("register call 1002 video wait 2.5 hold update resume hangup") == [
        ("register",),
        ("call", "1002", "video"),
        ("wait", "2.5"),
        ("hold", "update"),
        ("resume",),
        ("hangup",),
    ]


def test_what_stands_in_brackets_may_be_left_out() -> None:
    assert names("listen expect-hangup 5 listen 7 reject answer") == [
        ("listen",),
        ("expect-hangup", "5"),
        ("listen", "7"),
        ("reject",),
        ("answer",),
    ]


def test_texts_may_be_any_words() -> None:
    words = [
        "sms",
        "1002",
        "hangup",
        "report",
        "sms",
        "1002",
        "",
        "expect-text",
        "sms",
        "message",
        "sip:b@d",
        "5",
    ]
    assert [(step.name, *step.arguments) for step in parse_steps(words)] == [
        ("sms", "1002", "hangup", "report"),
        ("sms", "1002", ""),
        ("expect-text", "sms"),
        ("message", "sip:b@d", "5"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("regster", "'regster' is no step; the steps are register, "),
        ("call", "call needs TARGET"),
        ("call register", "call needs TARGET, 'register' is none"),
        ("wait", "wait needs SECONDS"),
        ("wait long", "wait needs SECONDS, 'long' is none"),
        ("expect-audio 1.5", "expect-audio needs PACKETS"),
        ("register 5", "'5' is no step"),
        ("wait -1", "wait needs SECONDS"),
        ("wait nan", "wait needs SECONDS"),
        ("sms 1002", "sms needs TEXT"),
    ],
)
def test_words_that_are_no_steps_are_explained(words: str, said: str) -> None:
    with pytest.raises(StepError, match=said):
        parse_steps(words.split())


def test_the_help_names_every_step() -> None:
    text = steps_help()
    assert "call TARGET [video] [text]" in text
    assert all(step in text for step in ("register", "expect-own-audio PACKETS", "wait SECONDS"))


def play(words_a: str, words_b: str = "", *, mode: AnswerMode | None = None) -> tuple[Script, Script]:
    """Both phones run their steps at once; afterwards both tidy up."""

    async def whole() -> tuple[Script, Script]:
        loop = asyncio.get_running_loop()
        a, b = await PhonePair(SimulatedNetwork(loop), loop).start()
        b.answer_mode = mode or AnswerMode(delay=0.5)
        scripts = Script(a), Script(b)
        await asyncio.gather(
            scripts[0].run(parse_steps(words_a.split())), scripts[1].run(parse_steps(words_b.split()))
        )
        for script in scripts:
            await script.tidy_up()
        assert all(call.is_over for call in (*a.calls, *b.calls))
        return scripts

    return run(whole)


def failure(script: Script) -> str:
    assert not script.results[-1].ok
    assert all(result.ok for result in script.results[:-1])
    return f"{script.results[-1].step}: {script.results[-1].text}"


def all_ok(*scripts: Script) -> None:
    for script in scripts:
        assert [result.text for result in script.results if not result.ok] == []


def test_a_whole_call_as_two_scripts() -> None:
    a, b = play(
        "call 1 expect-audio 50 hold expect-silence resume update expect-audio 20 digits 12 hangup",
        "listen expect-audio 20 expect-held expect-resumed expect-audio 10 "
        "expect-info expect-info expect-hangup",
    )
    all_ok(a, b)
    assert a.results[-1].text.startswith("hung up; audio: ")
    assert "Signal=2" in b.results[-2].text


def test_a_call_that_is_picked_up_by_hand_and_refused_by_hand() -> None:
    words = "dial 1 expect-ringing wait 2 expect-audio 10 hangup dial 1 expect-refused 603"
    a, b = play(words, "expect-call answer expect-hangup expect-call reject 603", mode=RING)
    all_ok(a, b)


def test_a_call_that_is_given_up() -> None:
    a, b = play("dial 1 expect-ringing hangup", "expect-call expect-hangup", mode=RING)
    all_ok(a, b)
    assert "cancelled" in a.results[-1].text


@pytest.mark.parametrize(
    ("words", "mode", "said"),
    [
        ("hold", None, "hold: there has been no call yet"),
        ("call 1", BUSY, "call 1: 486 Busy Here"),
        ("dial 1 expect-refused 603", BUSY, "expect-refused 603: expected 603, but: 486"),
        ("dial 1 expect-audio 10", RING, "expect-audio 10: 0 audio packets heard"),
        ("call 1 expect-own-audio 10", None, r"expect-own-audio 10: \d+ audio packets heard \(0 of our own"),
        ("call 1 expect-silence", None, "expect-silence: 5"),
        ("call 1 expect-held 2", None, "expect-held 2: not held within 2 s"),
        ("call 1 expect-info 2", None, "expect-info 2: no INFO came within 2 s"),
        ("call 1 hangup hangup", None, "hangup: the call has ended already: hung up"),
        ("call 1 hangup expect-hangup", None, "expect-hangup: the call ended otherwise: hung up"),
        ("call 1 expect-hangup 3", None, "expect-hangup 3: not ended after 3 s"),
        ("listen 2", None, "listen 2: no call came in within 2 s"),
        ("dial 1 answer", RING, "answer: cannot answer a call that is"),
        ("register", None, "register: 405 Method Not Allowed"),
        ("call sip:@", None, "call sip:@: 400"),
    ],
)
def test_a_step_that_fails_says_why_and_ends_the_script(
    words: str, mode: AnswerMode | None, said: str
) -> None:
    a, _ = play(words, mode=mode)
    assert re.match(said, failure(a)), failure(a)


def test_results_are_told_as_they_come() -> None:
    told: list[str] = []

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        a, _ = await PhonePair(SimulatedNetwork(loop), loop).start()
        script = Script(a)
        script.listener = lambda result: told.append(str(result.step))
        assert not await script.run([Step("wait", ("1",)), Step("hold"), Step("wait", ("1",))])

    run(whole)
    assert told == ["wait 1", "hold"]
