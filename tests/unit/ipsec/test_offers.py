"""How many agreements may be offered at once, and which goes for another one."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.ipsec.agreement import State
from libreims.ipsec.agreements import RETRY_AFTER
from libreims.ipsec.offers import INTERVAL, MAX_OF_USER, MAX_WAITING, YOUNG
from support.agreement_rig import ALICE, AgreementRig


def test_one_phone_has_one() -> None:
    rig = AgreementRig()
    first, other = rig.offer(), rig.offer(host="10.0.1.2")
    emergency = rig.offer(emergency=True)
    second = rig.offer()
    assert first.state is State.ENDED
    assert [each.state for each in (other, emergency, second)] == [State.OFFERED] * 3


def test_one_user_has_so_many() -> None:
    rig = AgreementRig()
    offers = [rig.offer(host=f"10.0.1.{number}") for number in range(1, MAX_OF_USER + 2)]
    assert offers[0].state is State.ENDED
    assert {each.state for each in offers[1:]} == {State.OFFERED}


def test_a_flood_of_requests_takes_no_more_than_so_many() -> None:
    """One line a minute, not one for each; who has registered keeps what it has."""
    rig = AgreementRig()
    mine = rig.offer()
    rig.register(mine, expires=10000.0)
    for number in range(MAX_WAITING + 50):
        if number == MAX_WAITING:
            rig.clock.advance(YOUNG)
        rig.offer(f"user{number}@ims.test", host=f"10.1.{number // 250}.{1 + number % 250}")
    assert len(rig.agreements) == MAX_WAITING + 1 and mine.state is State.AGREED
    assert rig.text.count("each new offer ends the oldest one now") == 1
    rig.clock.advance(INTERVAL)
    rig.offer("late@ims.test", host="10.2.0.1")
    assert rig.text.count("each new offer ends the oldest one now") == 2
    assert rig.agreements.answered_with("nonce2") is None, "the first of the flood"
    rig.clock.advance(300)
    assert list(rig.agreements) == [mine] and not rig.agreements.expecting


def test_phones_that_come_all_at_once_are_not_in_each_others_way() -> None:
    """After an outage: who was offered something can take it up, the rest hears when to come again."""
    rig = AgreementRig()
    offers = [
        rig.offer(f"user{number}@ims.test", host=f"10.1.{number // 250}.{1 + number % 250}")
        for number in range(MAX_WAITING)
    ]
    with pytest.raises(Reject, match=f"{MAX_WAITING} other phones are registering at this moment") as no:
        rig.offer("late@ims.test", host="10.2.0.1")
    assert no.value.status == 503
    name, seconds = no.value.headers[0]
    assert name == "Retry-After" and RETRY_AFTER[0] <= int(seconds) <= RETRY_AFTER[1]
    assert {each.state for each in offers} == {State.OFFERED}
    rig.register(offers[0], expires=10000.0)
    assert rig.offer("late@ims.test", host="10.2.0.1").state is State.OFFERED


def test_the_limit_of_open_files() -> None:
    """Half of the room is for offers; what is agreed on may have all of it, and not more."""
    rig = AgreementRig()
    rig.tunnel.capacity = 4
    for number in range(1, 5):
        rig.register(rig.offer(f"user{number}@ims.test", host=f"10.0.1.{number}"), expires=10000.0)
    with pytest.raises(
        Reject, match="there are 4 already, and the limit of open files has to leave room"
    ) as no:
        rig.offer(host="10.0.1.5")
    assert no.value.status == 503 and no.value.why.startswith(
        f"no IPsec agreement with {ALICE} at 10.0.1.5: "
    )
    assert len(rig.agreements) == 4


def test_offers_alone_leave_half_of_the_room() -> None:
    rig = AgreementRig()
    rig.tunnel.capacity = 6
    for number in range(1, 10):
        rig.offer(f"user{number}@ims.test", host=f"10.0.1.{number}")
        rig.clock.advance(YOUNG)
    assert len(rig.agreements) == 3


def test_the_offer_that_a_challenge_goes_back_through_stays() -> None:
    rig = AgreementRig()
    first = rig.offer()
    rig.tunnel.capacity = 2
    second = rig.offer(flow=rig.flow(first))
    assert (first.state, second.state) == (State.OFFERED, State.OFFERED)
