"""RFC 3312 and RFC 4032, preconditions, and how phones use them (TS 24.229 §6.1)."""

from __future__ import annotations

from libreims.proto.sdp.precondition import Preconditions, Statement, StatusTable, Way
from support.precondition import PHONE_ANSWER, PHONE_OFFER, audio, preconditions_of, ready


def says(*lines: str) -> Statement:
    return Statement.parse(audio(*lines).media[0])


# --- RFC 3312 §4: the lines


def test_s4_the_example_of_the_grammar() -> None:
    """§4: current status, desired status with strength, confirmation; e2e, local and remote."""
    lines = ["a=curr:qos e2e none", "a=des:qos mandatory e2e sendrecv", "a=conf:qos e2e recv"]
    assert says(*lines).lines == lines


# --- §5: offers and answers


def test_s5_1_1_equal_directions_share_a_line() -> None:
    """§5.1.1: where send and recv have the same strength they are grouped as sendrecv."""
    table = StatusTable()
    table.received_offer(says("a=des:qos mandatory local send", "a=des:qos mandatory local recv"))
    assert "a=des:qos mandatory remote sendrecv" in table.answer().lines


def test_s5_2_local_and_remote_change_places() -> None:
    """§5.2: what the offerer calls local is remote to the answerer; send is recv."""
    table = StatusTable()
    table.received_offer(says("a=curr:qos local send", "a=curr:qos remote none"))
    assert table.current("remote") is Way.RECV
    assert table.answer().lines[:2] == ["a=curr:qos local none", "a=curr:qos remote recv"]


def test_s5_2_the_answer_never_lowers_a_strength() -> None:
    """§5.2: the answerer MUST NOT downgrade the desired strength of the offer; it may raise it."""
    table = StatusTable(demand="mandatory")
    table.received_offer(
        says("a=curr:qos local none", "a=des:qos mandatory local sendrecv", "a=des:qos optional remote recv")
    )
    lines = table.answer().lines
    assert "a=des:qos mandatory remote sendrecv" in lines
    assert "a=des:qos mandatory local sendrecv" in lines


def test_s5_2_an_offer_without_preconditions_is_answered_without() -> None:
    table = StatusTable(demand="mandatory")
    table.received_offer(says())
    assert table.answer() == Statement()


# --- §6: suspending and resuming


def test_s6_suspended_until_every_mandatory_precondition_is_met() -> None:
    """§6: establishment is resumed when all the mandatory ones are met, in both directions."""
    table = StatusTable()
    for said, met in (("none", False), ("send", False), ("recv", False), ("sendrecv", True)):
        table.received_offer(says(f"a=curr:qos local {said}", "a=des:qos mandatory local sendrecv"))
        assert table.is_met() is met


def test_s6_optional_ones_suspend_nothing() -> None:
    """§6 with §4: optional: the participants try, but establishment does not wait for it."""
    table = StatusTable()
    table.received_offer(says("a=curr:qos local none", "a=des:qos optional local sendrecv"))
    assert table.is_met()


# --- §7: confirmation


def test_s7_the_answer_asks_for_what_only_the_peer_knows() -> None:
    """§7: whoever cannot know by itself that the peer's segment is there asks with a=conf."""
    table = StatusTable()
    table.received_offer(says(*PHONE_OFFER))
    assert table.answer().lines[-1] == "a=conf:qos remote sendrecv"
    table.received_offer(says(*ready(PHONE_OFFER)))
    assert not any("conf" in line for line in table.answer().lines)


def test_s7_a_confirmation_is_due_once_all_that_was_asked_is_there() -> None:
    """§7: when the threshold of the confirmation is reached, an UPDATE with the current status is sent."""
    table = StatusTable()
    table.offer()
    table.received_answer(says("a=curr:qos local none", "a=conf:qos remote sendrecv"))
    table.reserve(Way.RECV)
    assert not table.asked
    table.reserve(Way.SENDRECV)
    assert table.asked and not table.told
    assert "a=curr:qos local sendrecv" in table.offer().lines
    assert table.told


# --- §8: refusing


def test_s8_580_says_which_precondition_failed() -> None:
    """§8: 580 has a description with the strength `failure` at what could not be met."""
    preconditions = Preconditions()
    offer = audio(*PHONE_OFFER)
    preconditions.received_offer(offer)
    body = preconditions.refusal(offer)
    assert preconditions_of(body.media[0]) == ["a=des:qos failure remote sendrecv"]


def test_s8_580_says_which_type_is_not_known() -> None:
    """§8: a mandatory precondition of an unknown type is refused with the strength `unknown`."""
    preconditions = Preconditions()
    offer = audio("a=curr:foo e2e none", "a=des:foo mandatory e2e sendrecv")
    preconditions.received_offer(offer)
    assert preconditions.unknown
    assert preconditions_of(preconditions.refusal(offer).media[0]) == ["a=des:foo unknown e2e sendrecv"]


def test_s8_an_optional_one_of_an_unknown_type_is_no_reason() -> None:
    preconditions = Preconditions()
    preconditions.received_offer(audio("a=curr:foo e2e none", "a=des:foo optional e2e sendrecv"))
    assert not preconditions.unknown
    assert preconditions.is_met()


# --- §13: the examples


def test_s13_1_end_to_end() -> None:
    """§13.1 as B: A offers, B asks for what A sends, A confirms, B is met with what it sends itself."""
    b = StatusTable()
    b.received_offer(says("a=curr:qos e2e none", "a=des:qos mandatory e2e sendrecv"))
    assert b.answer().lines == [
        "a=curr:qos e2e none",
        "a=des:qos mandatory e2e sendrecv",
        "a=conf:qos e2e recv",
    ]
    b.reserve()
    b.received_offer(says("a=curr:qos e2e send", "a=des:qos mandatory e2e sendrecv"))
    assert b.answer().lines == ["a=curr:qos e2e sendrecv", "a=des:qos mandatory e2e sendrecv"]
    assert b.is_met()


def test_s13_2_segmented_with_both_sides_mandatory() -> None:
    """§13.2 as B: each side reserves its own access, A tells B by UPDATE."""
    b = StatusTable()
    offer = (
        "a=curr:qos local none",
        "a=curr:qos remote none",
        "a=des:qos mandatory local sendrecv",
        "a=des:qos mandatory remote sendrecv",
    )
    b.received_offer(says(*offer))
    assert b.answer().lines == [*offer, "a=conf:qos remote sendrecv"]
    b.received_offer(says(*ready(offer)))
    assert b.answer().lines == [
        "a=curr:qos local none",
        "a=curr:qos remote sendrecv",
        "a=des:qos mandatory local sendrecv",
        "a=des:qos mandatory remote sendrecv",
    ]
    assert not b.is_met()
    b.reserve()
    assert b.is_met()


# --- RFC 4032


def test_rfc4032_s3_what_was_met_may_be_lost_again() -> None:
    """RFC 4032 §3: a new offer may lower the current status (the phone moved); it is then waited for anew."""
    table = StatusTable()
    table.received_offer(says(*ready(PHONE_OFFER)))
    assert table.is_met()
    table.received_offer(says(*PHONE_OFFER))
    assert not table.is_met()


# --- TS 24.229 §6.1


def test_ts24229_6_1_2_our_first_offer() -> None:
    """§6.1.2: local and remote segments, own side mandatory, the other left to the answerer."""
    preconditions = Preconditions()
    preconditions.demand("mandatory")
    assert preconditions_of(preconditions.offer(audio()).media[0]) == list(PHONE_OFFER)


def test_ts24229_6_1_3_our_answer_while_nothing_is_there() -> None:
    """§6.1.3: both sides mandatory, confirmation of the phone's resources asked for."""
    preconditions = Preconditions()
    preconditions.demand("mandatory")
    preconditions.received_offer(audio(*PHONE_OFFER))
    assert preconditions_of(preconditions.answer(audio()).media[0]) == list(PHONE_ANSWER)


def test_ts24229_6_1_a_phone_called_by_one_that_has_its_resources() -> None:
    """The callee's own side is missing only; it answers the UPDATE with what it has."""
    preconditions = Preconditions()
    preconditions.demand("mandatory")
    preconditions.reserve()
    assert preconditions_of(preconditions.offer(audio()).media[0])[0] == "a=curr:qos local sendrecv"
    preconditions.received_answer(audio(*PHONE_ANSWER[:-1]))
    assert not preconditions.peer_is_met()
    preconditions.offer(audio())
    preconditions.received_answer(audio(*ready(PHONE_ANSWER[:-1])))
    assert preconditions.peer_is_met() and preconditions.is_met()
