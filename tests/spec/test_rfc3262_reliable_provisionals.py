"""RFC 3262, reliability of provisional responses: the sentences that bind a user agent."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.proto.sip.headers import RAck
from libreims.proto.sip.reliable import (
    FIRST_RSEQ_LIMIT,
    UNACKNOWLEDGED,
    Due,
    Provisional,
    ProvisionalAcknowledger,
    ReliableProvisionals,
    Sdp,
    Verdict,
    negotiate,
)
from support.reliable import invite, prack, provisional

T1 = 0.5
RINGING = Provisional(180)
WITH_SDP = Provisional(183, (), b"v=0")


def server(*sent: Provisional, offer: bool = True, rseq: int = 776656) -> ReliableProvisionals:
    reliable = ReliableProvisionals(invite(body=b"v=0" if offer else b""), rseq, T1)
    for each in sent:
        reliable.submit(each, 0.0)
    return reliable


# --- §3, server


def test_s3_sent_reliably_where_the_client_requires_it() -> None:
    """§3: a UAS MUST send any non-100 provisional response reliably if the request had Require: 100rel."""
    assert negotiate(invite([("Require", "100rel")]), "supported")


def test_s3_a_server_that_is_unwilling_answers_420() -> None:
    """§3: if the UAS is unwilling, it MUST reject the request with 420 and Unsupported: 100rel."""
    with pytest.raises(Reject) as caught:
        negotiate(invite([("Require", "100rel")]), "off")
    assert (caught.value.status, caught.value.headers) == (420, (("Unsupported", "100rel"),))


def test_s3_not_without_support_of_the_client() -> None:
    """§3: a UAS MUST NOT send reliably if the request names 100rel neither in Supported nor in Require."""
    assert not negotiate(invite(), "supported")


def test_s3_require_and_rseq() -> None:
    """§3: the response MUST have a Require with 100rel and an RSeq."""
    numbered = ReliableProvisionals(invite(), 776656, T1).submit(RINGING, 0.0)
    assert numbered is not None
    assert dict(numbered.headers) == {"Require": "100rel", "RSeq": "776656"}


def test_s3_the_first_number_is_at_most_2_to_the_31_less_1() -> None:
    """§3: the initial value MUST be chosen from 1 to 2**31-1."""
    assert FIRST_RSEQ_LIMIT == 2**31 - 1
    ReliableProvisionals(invite(), FIRST_RSEQ_LIMIT, T1)
    with pytest.raises(ValueError, match="RSeq"):
        ReliableProvisionals(invite(), 2**31, T1)


def test_s3_each_further_one_is_greater_by_exactly_one() -> None:
    """§3: RSeq numbers are incremented by exactly one within a transaction."""
    reliable = server(RINGING, RINGING)
    done = reliable.prack(prack("776656 1 INVITE"), 1.0)
    assert done.send is not None
    assert done.send.rseq == 776657


def test_s3_no_second_one_before_the_first_is_acknowledged() -> None:
    """§3: the UAS MUST NOT send a second reliable provisional response until the first is acknowledged."""
    reliable = server(RINGING)
    assert reliable.submit(RINGING, 0.1) is None
    assert reliable.waiting == 1


def test_s3_intervals_double_from_t1_without_limit_until_64_t1() -> None:
    """§3: retransmitted with an exponential backoff from T1 that is not capped; 64*T1 end it with a 5xx."""
    reliable = server(WITH_SDP)
    repeats = []
    while reliable.due is not None:
        now = reliable.due
        outcome = reliable.timeout(now)
        if outcome is Due.REPEAT:
            repeats.append(now / T1)
    assert repeats == [1, 3, 7, 15, 31, 63]
    assert (outcome, now) == (Due.EXPIRED, 64 * T1)
    assert 500 <= UNACKNOWLEDGED <= 599


def test_s3_retransmissions_cease_with_the_prack() -> None:
    """§3: retransmissions cease when a matching PRACK is received."""
    reliable = server(WITH_SDP)
    reliable.prack(prack("776656 1 INVITE"), 0.4)
    assert reliable.due is None


@pytest.mark.parametrize("rack", ["776655 1 INVITE", "776657 1 INVITE", "776656 2 INVITE", "776656 1 UPDATE"])
def test_s3_a_prack_that_matches_nothing_gets_481(rack: str) -> None:
    """§3: a PRACK that matches no unacknowledged reliable response (method, CSeq, RSeq) gets 481."""
    reliable = server(RINGING)
    with pytest.raises(Reject) as caught:
        reliable.prack(prack(rack), 1.0)
    assert caught.value.status == 481
    assert reliable.due == T1


def test_s3_a_prack_for_nothing_gets_481() -> None:
    reliable = server()
    with pytest.raises(Reject) as caught:
        reliable.prack(prack("776656 1 INVITE"), 1.0)
    assert caught.value.status == 481


def test_s3_a_second_prack_for_the_same_response_gets_481() -> None:
    reliable = server(RINGING)
    reliable.prack(prack("776656 1 INVITE"), 1.0)
    with pytest.raises(Reject) as caught:
        reliable.prack(prack("776656 1 INVITE"), 1.1)
    assert caught.value.status == 481


def test_s3_a_2xx_waits_for_the_prack_of_a_session_description() -> None:
    """§3: the UAS MUST NOT send a 2xx while a response with a session description is unacknowledged."""
    reliable = server(WITH_SDP)
    assert reliable.success() is False
    assert reliable.prack(prack("776656 1 INVITE"), 1.0).success


def test_s3_a_2xx_may_overtake_a_response_without_session_description() -> None:
    """§3: otherwise the final response MAY be sent; the unacknowledged one is not repeated any more."""
    reliable = server(RINGING)
    assert reliable.success() is True
    assert reliable.due is None


def test_s3_a_prack_after_the_final_response_is_still_served() -> None:
    """§3: it MUST be prepared to process PRACK requests for those outstanding responses."""
    reliable = server(RINGING)
    reliable.success()
    assert reliable.prack(prack("776656 1 INVITE"), 2.0).numbered.rseq == 776656


def test_s3_no_new_ones_after_a_final_response() -> None:
    """§3: a UAS MUST NOT send new reliable provisional responses after a final one."""
    reliable = server(RINGING, RINGING)
    reliable.close()
    assert reliable.prack(prack("776656 1 INVITE"), 1.0).send is None
    assert reliable.submit(RINGING, 2.0) is None


# --- §4, client


def test_s4_a_prack_names_rseq_and_cseq() -> None:
    """§4: the RAck has the RSeq of the response, and the number and the method of its CSeq."""
    heard = ProvisionalAcknowledger().received(provisional(183, "776656"))
    assert heard == (Verdict.NEW, RAck(776656, 1, "INVITE"))
    assert str(heard.rack) == "776656 1 INVITE"


def test_s4_the_option_tag_in_a_100_is_ignored() -> None:
    """§4: if the response is a 100, the option tag MUST be ignored."""
    assert ProvisionalAcknowledger().received(provisional(100, "1")).verdict is Verdict.UNRELIABLE


def test_s4_a_retransmission_is_dropped() -> None:
    """§4: a retransmission of a response that was received MUST NOT be processed again."""
    client = ProvisionalAcknowledger()
    client.received(provisional(180, "5"))
    assert client.received(provisional(180, "5")) == (Verdict.REPEATED, None)


def test_s4_a_gap_is_neither_acknowledged_nor_processed() -> None:
    """§4: a response whose number is not one higher MUST NOT be acknowledged, nor processed further."""
    client = ProvisionalAcknowledger()
    client.received(provisional(183, "5"))
    assert client.received(provisional(180, "7")) == (Verdict.OUT_OF_ORDER, None)
    assert client.received(provisional(180, "6")).verdict is Verdict.NEW
    assert client.received(provisional(180, "7")).verdict is Verdict.NEW


def test_s4_numbers_belong_to_one_early_dialog() -> None:
    """§4: the sequence number is kept for each dialog: forks count on their own."""
    client = ProvisionalAcknowledger()
    assert client.received(provisional(180, "5", "one")).verdict is Verdict.NEW
    assert client.received(provisional(180, "900", "two")).verdict is Verdict.NEW
    assert client.received(provisional(180, "6", "one")).verdict is Verdict.NEW


# --- §5, offers and answers


def test_s5_the_first_response_to_an_invite_without_offer_makes_one() -> None:
    """§5: with no offer in the INVITE, the first reliable response MUST contain one."""
    with pytest.raises(ValueError, match="offer"):
        server(RINGING, offer=False)


def test_s5_the_prack_answers_that_offer() -> None:
    """§5: if the client receives a reliable response with an offer, the PRACK MUST have the answer."""
    done = server(WITH_SDP, offer=False).prack(prack("776656 1 INVITE", b"v=0"), 1.0)
    assert (done.sdp, done.refusal) == (Sdp.ANSWER, None)


def test_s5_a_prack_without_that_answer_is_refused() -> None:
    reliable = server(WITH_SDP, offer=False)
    done = reliable.prack(prack("776656 1 INVITE"), 1.0)
    assert done.refusal is not None
    assert done.refusal.status == 400
    assert reliable.due is None


def test_s5_a_prack_may_make_another_offer_once_the_first_is_answered() -> None:
    """§5: the UAC MAY generate an additional offer in the PRACK; its answer goes into the 2xx."""
    done = server(WITH_SDP).prack(prack("776656 1 INVITE", b"v=0"), 1.0)
    assert (done.sdp, done.refusal) == (Sdp.OFFER, None)


def test_s5_but_not_before() -> None:
    """RFC 3264 §4: no new offer while the previous one has no answer."""
    done = server(RINGING).prack(prack("776656 1 INVITE", b"v=0"), 1.0)
    assert done.sdp is Sdp.NONE
    assert done.refusal is not None
    assert done.refusal.status == 500
