from __future__ import annotations

import pytest

from libreims.proto.sdp.precondition import (
    SEGMENTS,
    STRENGTHS,
    Desired,
    Preconditions,
    Statement,
    Status,
    StatusTable,
    Way,
    put,
)
from support.precondition import AUDIO, PHONE_ANSWER, PHONE_OFFER, VIDEO, audio, preconditions_of, ready
from support.sdp import VOLTE, sdp, session


def statement(*lines: str) -> Statement:
    return Statement.parse(audio(*lines).media[0])


def lines_of(said: Statement) -> tuple[str, ...]:
    return tuple(said.lines)


# --- lines


def test_directions_seen_from_the_other_end() -> None:
    assert [way.flipped for way in (Way.NONE, Way.SEND, Way.RECV, Way.SENDRECV)] == [
        Way.NONE,
        Way.RECV,
        Way.SEND,
        Way.SENDRECV,
    ]


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("way", ["none", "send", "recv", "sendrecv"])
def test_every_line_comes_back(segment: str, way: str) -> None:
    lines = [f"a=curr:qos {segment} {way}"]
    lines += [f"a=des:qos {strength} {segment} {way}" for strength in STRENGTHS]
    lines += [f"a=conf:qos {segment} {way}"]
    assert statement(*lines).lines == lines


def test_other_types_are_read_too() -> None:
    said = statement("a=curr:sec e2e none", "a=des:sec optional e2e sendrecv")
    assert said.current == (Status("sec", "e2e", Way.NONE),)
    assert said.desired == (Desired("sec", "optional", "e2e", Way.SENDRECV),)


def test_case_and_space_do_not_matter() -> None:
    assert statement("a=curr: QoS  Local\tSendRecv ").current == (Status("qos", "local", Way.SENDRECV),)


@pytest.mark.parametrize(
    "line",
    [
        "a=curr",
        "a=curr:",
        "a=curr:qos local",
        "a=curr:qos local both",
        "a=curr:qos near sendrecv",
        "a=curr:qos local sendrecv now",
        "a=des:qos local sendrecv",
        "a=des:qos urgent local sendrecv",
        "a=des:qos mandatory far sendrecv",
        "a=des:qos mandatory local all",
        "a=conf:qos sendrecv",
    ],
)
def test_malformed_lines_count_as_not_there(line: str) -> None:
    assert statement(line) == Statement()


def test_put_replaces_the_lines_that_are_there() -> None:
    media = sdp(*VOLTE).media[0]
    changed = put(media, Statement((Status("qos", "local", Way.SEND),)))
    assert preconditions_of(changed) == ["a=curr:qos local send"]
    assert [each for each in changed.lines if each not in preconditions_of(changed)] == [
        each for each in media.lines if each not in preconditions_of(media)
    ]


# --- one m-line


def test_nothing_known_is_nothing_to_wait_for() -> None:
    table = StatusTable()
    assert table.is_met() and table.peer_is_met() and not table.in_use and not table.asked
    assert table.answer() == Statement()


def test_a_phone_becomes_ready() -> None:
    table = StatusTable()
    table.received_offer(statement(*PHONE_OFFER))
    assert table.in_use
    assert table.missing("remote") is Way.SENDRECV
    assert not table.is_met() and not table.peer_is_met()
    table.received_offer(statement(*ready(PHONE_OFFER)))
    assert table.current("remote") is Way.SENDRECV
    assert table.is_met() and table.peer_is_met()


def test_one_direction_is_not_enough() -> None:
    table = StatusTable()
    table.received_offer(statement("a=curr:qos local send", "a=des:qos mandatory local sendrecv"))
    assert table.missing("remote") is Way.SEND  # the phone sends: what it cannot receive is missing
    table.received_offer(statement("a=curr:qos local send", "a=des:qos mandatory local send"))
    assert table.peer_is_met()


def test_two_lines_make_one_status() -> None:
    table = StatusTable()
    table.received_offer(
        statement("a=curr:qos local send", "a=curr:qos local recv", "a=des:qos mandatory local sendrecv")
    )
    assert table.current("remote") is Way.SENDRECV


def test_what_the_phone_says_of_our_side_changes_nothing() -> None:
    table = StatusTable()
    table.received_offer(statement("a=curr:qos remote sendrecv", "a=des:qos mandatory remote sendrecv"))
    assert table.current("local") is Way.NONE
    assert not table.is_met()
    assert table.peer_is_met()
    table.reserve()
    assert table.is_met()


def test_an_offer_may_lower_what_an_answer_may_not() -> None:
    table = StatusTable()
    table.received_offer(statement(*PHONE_OFFER))
    table.received_answer(statement("a=curr:qos local none", "a=des:qos optional local sendrecv"))
    assert table.missing("remote") is Way.SENDRECV
    table.received_offer(statement("a=curr:qos local none", "a=des:qos optional local sendrecv"))
    assert table.is_met()
    assert "a=des:qos optional remote sendrecv" in table.answer().lines


@pytest.mark.parametrize("bare", ["", "a=conf:qos remote sendrecv"])
def test_a_peer_that_stops_using_them(bare: str) -> None:
    table = StatusTable()
    table.received_offer(statement(*PHONE_OFFER))
    table.received_answer(statement(*([bare] if bare else [])))
    assert table.is_met() and table.peer_is_met()


def test_failure_and_unknown_said_by_the_phone() -> None:
    for strength in ("failure", "unknown"):
        table = StatusTable()
        table.offer()
        table.received_answer(statement(f"a=des:qos {strength} local sendrecv"))
        assert table.has_failed()


def test_told_follows_what_was_last_said() -> None:
    table = StatusTable()
    assert not table.told
    table.offer()
    assert table.told
    table.reserve()
    assert not table.told
    table.offer()
    assert table.told
    table.untold()
    assert not table.told
    table.reserve(Way.NONE)
    table.answer()
    assert table.told


def test_asked_is_due_only_when_there_is_something_to_tell() -> None:
    table = StatusTable()
    table.received_answer(statement(*PHONE_ANSWER))
    assert not table.asked
    table.reserve(Way.SEND)
    assert not table.asked
    table.reserve()
    assert table.asked
    table.received_answer(statement(*ready(PHONE_ANSWER[:-1])))
    assert not table.asked


def test_demand_raises_our_own_side_only() -> None:
    table = StatusTable(demand="mandatory")
    assert lines_of(table.offer()) == (
        "a=curr:qos local none",
        "a=curr:qos remote none",
        "a=des:qos mandatory local sendrecv",
        "a=des:qos none remote sendrecv",
    )
    table = StatusTable(demand="optional")
    table.received_offer(statement(*PHONE_OFFER))
    assert "a=des:qos optional local sendrecv" in table.answer().lines


def test_strengths_by_direction() -> None:
    table = StatusTable()
    table.received_offer(
        statement(
            "a=curr:qos local none", "a=des:qos mandatory local send", "a=des:qos optional local sendrecv"
        )
    )
    assert [each for each in table.answer().lines if "remote" in each] == [
        "a=curr:qos remote none",
        "a=des:qos mandatory remote recv",
        "a=des:qos optional remote send",
        "a=conf:qos remote recv",
    ]


def test_refusal_names_what_is_missing_and_what_is_not_known() -> None:
    table = StatusTable()
    table.received_offer(statement(*PHONE_OFFER, "a=curr:sec e2e none", "a=des:sec mandatory e2e send"))
    assert table.refusal().lines == [
        "a=des:qos failure remote sendrecv",
        "a=des:sec unknown e2e recv",
    ]


# --- all m-lines


def test_every_m_line_has_to_be_met() -> None:
    both = session(AUDIO, *ready(PHONE_OFFER), VIDEO, *PHONE_OFFER)
    preconditions = Preconditions()
    preconditions.received_offer(both)
    assert preconditions.in_use
    assert not preconditions.peer_is_met() and not preconditions.is_met()
    preconditions.received_offer(session(AUDIO, *ready(PHONE_OFFER), VIDEO, *ready(PHONE_OFFER)))
    assert preconditions.peer_is_met() and preconditions.is_met()


def test_an_m_line_that_is_off_has_none() -> None:
    preconditions = Preconditions()
    preconditions.received_offer(session(AUDIO, *ready(PHONE_OFFER), VIDEO, *PHONE_OFFER))
    off = session(AUDIO, *ready(PHONE_OFFER), VIDEO.replace("6000", "0"), *PHONE_OFFER)
    preconditions.received_offer(off)
    assert preconditions.is_met()
    assert preconditions.tables[1] is None
    assert preconditions.answer(off).media[1] == off.media[1]


def test_a_new_m_line_begins_with_what_our_side_has() -> None:
    preconditions = Preconditions()
    preconditions.demand("mandatory")
    preconditions.reserve()
    preconditions.received_offer(audio(*ready(PHONE_OFFER)))
    more = session(AUDIO, *ready(PHONE_OFFER), VIDEO, *PHONE_OFFER)
    preconditions.received_offer(more)
    said = preconditions_of(preconditions.answer(more).media[1])
    assert said[0] == "a=curr:qos local sendrecv"
    assert "a=des:qos mandatory local sendrecv" in said


def test_one_m_line_alone_is_reserved() -> None:
    preconditions = Preconditions()
    offered = preconditions.offer(session(AUDIO, VIDEO))
    preconditions.reserve(index=1)
    assert not preconditions.told
    said = [preconditions_of(each)[0] for each in preconditions.offer(offered).media]
    assert said == ["a=curr:qos local none", "a=curr:qos local sendrecv"]
    preconditions.demand("mandatory")
    said = [preconditions_of(each)[2] for each in preconditions.offer(offered).media]
    assert said == ["a=des:qos mandatory local sendrecv"] * 2
    preconditions.untold()
    assert not preconditions.told


def test_the_far_sides_lines_never_get_through() -> None:
    """The answer that the callee wrote has its own lines; the caller sees ours."""
    preconditions = Preconditions()
    preconditions.received_offer(audio(*PHONE_OFFER))
    shown = preconditions.answer(audio(*PHONE_ANSWER))
    assert preconditions_of(shown.media[0]) == [
        "a=curr:qos local none",
        "a=curr:qos remote none",
        "a=des:qos none local sendrecv",
        "a=des:qos mandatory remote sendrecv",
        "a=conf:qos remote sendrecv",
    ]


def test_no_preconditions_in_an_answer_to_an_offer_without() -> None:
    preconditions = Preconditions()
    preconditions.received_offer(audio())
    assert preconditions.answer(audio(*PHONE_ANSWER)) == audio()
    assert not preconditions.in_use and preconditions.told and preconditions.is_met()


def test_the_answer_is_the_same_each_time() -> None:
    preconditions = Preconditions()
    preconditions.received_offer(audio(*PHONE_OFFER))
    once = preconditions.answer(audio())
    assert preconditions.answer(audio()) == once
    assert preconditions.answer(once) == once


def test_refusal_of_an_unknown_type() -> None:
    preconditions = Preconditions()
    offer = audio("a=curr:foo e2e none", "a=des:foo mandatory e2e sendrecv")
    preconditions.received_offer(offer)
    assert preconditions.unknown == (Desired("foo", "mandatory", "e2e", Way.SENDRECV),)
    assert preconditions_of(preconditions.refusal(offer).media[0]) == ["a=des:foo unknown e2e sendrecv"]
