from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.proto.sip.headers import RAck
from libreims.proto.sip.message import Response
from libreims.proto.sip.reliable import (
    DIALOG_LIMIT,
    FIRST_RSEQ_LIMIT,
    Due,
    Provisional,
    ProvisionalAcknowledger,
    ReliableProvisionals,
    Sdp,
    Verdict,
    invite_option,
    negotiate,
)
from support.reliable import invite, prack, provisional

RINGING = Provisional(180)
PROGRESS = Provisional(183, (("Content-Type", "application/sdp"),), b"v=0")


def server(offer: bytes = b"v=0", first: int = 100, t1: float = 2.0) -> ReliableProvisionals:
    return ReliableProvisionals(invite(body=offer), first, t1)


@pytest.mark.parametrize(
    ("supported", "required", "policy", "outcome"),
    [
        ("", "", "off", False),
        ("100rel", "", "off", False),
        ("", "100rel", "off", 420),
        ("", "", "supported", False),
        ("100rel", "", "supported", True),
        ("timer, 100REL", "", "supported", True),
        ("", "100rel", "supported", True),
        ("", "", "required", 421),
        ("path", "precondition", "required", 421),
        ("100rel", "", "required", True),
        ("", "100rel", "required", True),
    ],
)
def test_negotiation(supported: str, required: str, policy: str, outcome: bool | int) -> None:
    headers = [("Supported", supported)] * bool(supported) + [("Require", required)] * bool(required)
    request = invite(headers)
    if isinstance(outcome, bool):
        assert negotiate(request, policy) is outcome  # type: ignore[arg-type]
        return
    with pytest.raises(Reject) as caught:
        negotiate(request, policy)  # type: ignore[arg-type]
    assert caught.value.status == outcome
    assert caught.value.headers == (({420: "Unsupported", 421: "Require"}[outcome], "100rel"),)
    assert request.call_id in caught.value.why


def test_what_our_invite_says() -> None:
    assert invite_option("off") == ()
    assert invite_option("supported") == (("Supported", "100rel"),)
    assert invite_option("required") == (("Require", "100rel"),)


@pytest.mark.parametrize("first", [0, FIRST_RSEQ_LIMIT + 1])
def test_first_rseq_outside_its_range(first: int) -> None:
    with pytest.raises(ValueError, match="RSeq"):
        server(first=first)


@pytest.mark.parametrize("status", [100, 200, 486])
def test_only_101_to_199(status: int) -> None:
    with pytest.raises(ValueError, match="reliably"):
        server().submit(Provisional(status), 0.0)


def test_headers_of_what_goes_out() -> None:
    numbered = server().submit(PROGRESS, 0.0)
    assert numbered is not None
    assert numbered.headers == (
        ("Content-Type", "application/sdp"),
        ("Require", "100rel"),
        ("RSeq", "100"),
    )


def test_several_in_a_row() -> None:
    reliable = server()
    assert reliable.submit(PROGRESS, 0.0) is not None
    assert reliable.submit(RINGING, 0.1) is None
    assert reliable.submit(Provisional(181), 0.2) is None
    assert reliable.waiting == 2
    done = reliable.prack(prack("100 1 INVITE"), 5.0)
    assert done.numbered.provisional is PROGRESS
    assert done.send is not None
    assert (done.send.provisional, done.send.rseq) == (RINGING, 101)
    assert reliable.due == 7.0
    done = reliable.prack(prack("101 1 INVITE"), 6.0)
    assert done.send is not None
    assert (done.send.provisional.status, done.send.rseq) == (181, 102)
    assert reliable.prack(prack("102 1 INVITE"), 6.5).send is None
    assert (reliable.due, reliable.unacknowledged, reliable.waiting) == (None, None, 0)


def test_timeout_before_its_time_does_nothing() -> None:
    reliable = server()
    assert reliable.timeout(9.0) is Due.NOTHING
    reliable.submit(RINGING, 0.0)
    assert reliable.timeout(1.9) is Due.NOTHING
    assert reliable.due == 2.0


def test_success_drops_what_nobody_has_to_know() -> None:
    reliable = server()
    reliable.submit(PROGRESS, 0.0)
    reliable.submit(RINGING, 0.0)
    assert reliable.success() is False
    assert reliable.success() is False
    done = reliable.prack(prack("100 1 INVITE"), 1.0)
    assert (done.send, done.success) == (None, True)
    assert reliable.success() is True


def test_success_waits_for_a_queued_description() -> None:
    """The leg has counted on it being shown: it goes out, is acknowledged, and then the 2xx goes."""
    reliable = server()
    reliable.submit(RINGING, 0.0)
    reliable.submit(PROGRESS, 0.0)
    assert reliable.success() is False
    assert reliable.submit(RINGING, 0.5) is None
    done = reliable.prack(prack("100 1 INVITE"), 1.0)
    assert done.send is not None and done.send.provisional is PROGRESS
    assert not done.success
    done = reliable.prack(prack("101 1 INVITE"), 2.0)
    assert (done.send, done.success) == (None, True)
    assert reliable.due is None


def test_a_held_success_that_nobody_acknowledges_expires() -> None:
    reliable = server(t1=0.5)
    reliable.submit(PROGRESS, 0.0)
    assert reliable.success() is False
    seen = []
    while reliable.due is not None:
        seen.append(reliable.timeout(reliable.due))
    assert seen == [Due.REPEAT] * 6 + [Due.EXPIRED]


@pytest.mark.parametrize("text", [None, "x", "1 2", "0 1 INVITE", "1 1 INVITE x", "99999999999 1 INVITE"])
def test_unreadable_rack(text: str | None) -> None:
    reliable = server()
    reliable.submit(RINGING, 0.0)
    with pytest.raises(Reject) as caught:
        reliable.prack(prack(text), 1.0)
    assert caught.value.status == 400
    assert reliable.unacknowledged is not None


def test_acknowledgement_of_a_lost_call_still_matches() -> None:
    reliable = server()
    reliable.submit(RINGING, 0.0)
    reliable.submit(PROGRESS, 0.0)
    reliable.close()
    assert reliable.due is None
    done = reliable.prack(prack("100 1 INVITE"), 3.0)
    assert (done.send, done.success, reliable.due) == (None, False, None)


def test_needs_offer_until_one_is_on_its_way() -> None:
    reliable = server(offer=b"")
    assert reliable.needs_offer
    with pytest.raises(ValueError, match="offer"):
        reliable.submit(RINGING, 0.0)
    reliable.submit(PROGRESS, 0.0)
    assert not reliable.needs_offer
    assert reliable.submit(RINGING, 0.0) is None
    done = reliable.prack(prack("100 1 INVITE", b"v=0"), 1.0)
    assert (done.sdp, done.refusal) == (Sdp.ANSWER, None)


def response(rseq: str | None, *, tag: str = "a", status: int = 180, require: str = "100rel") -> Response:
    return provisional(status, rseq, tag, require)


@pytest.mark.parametrize(
    "unusable",
    [
        response(None),
        response("0"),
        response("4294967296"),
        response("one"),
        response("5", tag=""),
        response("5", status=100),
        response("5", require="precondition"),
    ],
    ids=["no RSeq", "zero", "too large", "word", "no tag", "100", "no Require"],
)
def test_taken_as_unreliable(unusable: Response) -> None:
    assert ProvisionalAcknowledger().received(unusable) == (Verdict.UNRELIABLE, None)


def test_early_dialogs_are_bounded() -> None:
    acknowledger = ProvisionalAcknowledger()
    for number in range(DIALOG_LIMIT):
        assert acknowledger.received(response("7", tag=f"t{number}")).verdict is Verdict.NEW
    assert acknowledger.received(response("7", tag="one-more")).verdict is Verdict.OUT_OF_ORDER
    assert acknowledger.received(response("8", tag="t0")).verdict is Verdict.NEW


def test_both_sides_over_a_lossy_way() -> None:
    """Every second message is lost either way: all arrive once and in order."""
    reliable, acknowledger = server(t1=0.5), ProvisionalAcknowledger()
    statuses = [183, 180, 181, 182, 180]
    sent = None
    for status in statuses:
        sent = reliable.submit(Provisional(status), 0.0) or sent
    seen: list[int] = []
    rack: RAck | None = None
    for step in range(30):
        if sent is None:
            break
        if step % 3 == 1:  # the response arrives, the others of it do not
            heard = acknowledger.received(provisional(sent.provisional.status, str(sent.rseq)))
            if heard.verdict is Verdict.NEW:
                seen.append(sent.provisional.status)
                rack = heard.rack
        elif step % 3 == 2 and rack is not None:  # and so does its PRACK
            sent, rack = reliable.prack(prack(str(rack)), float(step)).send, None
        else:
            assert reliable.due is not None
            assert reliable.timeout(reliable.due) is Due.REPEAT
    assert seen == statuses
    assert reliable.due is None
