"""Several phones as one party."""

from __future__ import annotations

import pytest

from libreims.call.events import Answered, Cause, Ended, Event, Informed, Notify, Offered, Progress, Refused
from libreims.call.fork import Fork
from libreims.proto.sdp.description import SessionDescription
from support.lab import sdp

SDP = SessionDescription.parse(sdp("10.0.0.7"))
OFFER = Offered(SDP, ())


class Branch:
    def __init__(self, name: str) -> None:
        self.phone = name
        self.notify: Notify = lambda event: None
        self.got: list[Event] = []
        self.released = 0
        self.joined = 0
        self.heard = 0.0

    def handle(self, event: Event) -> None:
        self.got.append(event)

    def join(self, near: object) -> None:
        self.joined += 1

    def renewed(self) -> None:
        pass

    def last_activity(self) -> float:
        return self.heard

    def release(self) -> None:
        self.released += 1

    @property
    def cancelled(self) -> bool:
        return any(isinstance(event, Ended) for event in self.got)


class Rig:
    def __init__(self, count: int = 3) -> None:
        self.branches = [Branch(f"phone{number}") for number in range(count)]
        self.fork = Fork(self.branches)
        self.told: list[Event] = []
        self.fork.notify = self.told.append
        self.fork.handle(OFFER)


def test_everyone_is_called() -> None:
    rig = Rig()
    assert all(branch.got == [OFFER] for branch in rig.branches)
    assert rig.fork.phone == "phone0 and phone1 and phone2"


def test_the_first_answer_wins_the_others_are_cancelled_and_give_their_media_back() -> None:
    rig = Rig()
    one, two, three = rig.branches
    two.notify(Answered(SDP))
    assert isinstance(rig.told[-1], Answered)
    assert one.cancelled and three.cancelled and not two.cancelled
    assert (one.released, two.released, three.released) == (1, 0, 1)
    one.notify(Answered(SDP))
    three.notify(Refused(486))
    assert len(rig.told) == 1
    rig.fork.handle(Informed(1, (), b""))
    assert isinstance(two.got[-1], Informed) and not isinstance(one.got[-1], Informed)
    rig.fork.join(None)  # type: ignore[arg-type]
    assert two.joined == 1 and one.joined == 0


def test_activity_is_the_winners() -> None:
    rig = Rig(2)
    one, two = rig.branches
    one.heard, two.heard = 9.0, 5.0
    assert rig.fork.last_activity() == 9.0
    two.notify(Answered(SDP))
    assert rig.fork.last_activity() == 5.0


@pytest.mark.parametrize(
    ("statuses", "best"),
    [
        ((500, 486, 404), 486),
        ((480, 404, 503), 480),
        ((486, 302, 500), 302),
        ((500, 503, 500), 500),
        ((480, 488, 404), 488),
        ((404, 404, 603), 603),
    ],
)
def test_the_best_refusal_counts_when_all_have_refused(statuses: tuple[int, ...], best: int) -> None:
    """RFC 3261 §16.7 step 6."""
    rig = Rig()
    for branch, status in zip(rig.branches, statuses, strict=True):
        assert not rig.told
        branch.notify(Refused(status))
    (event,) = rig.told
    assert isinstance(event, Refused) and event.status == best
    assert all(branch.released == 1 for branch in rig.branches)


def test_6xx_speaks_for_all() -> None:
    """RFC 3261 §16.7 step 5."""
    rig = Rig()
    rig.branches[0].notify(Refused(603))
    (event,) = rig.told
    assert isinstance(event, Refused) and event.status == 603
    assert rig.branches[1].cancelled and rig.branches[2].cancelled
    rig.branches[1].notify(Refused(487))
    assert len(rig.told) == 1


def test_one_phone_is_heard_before_the_answer_and_its_place_gets_free_when_it_refuses() -> None:
    rig = Rig()
    one, two, _ = rig.branches
    one.notify(Progress(183, SDP))
    two.notify(Progress(183, SDP))
    first, second = rig.told
    assert isinstance(first, Progress) and isinstance(second, Progress)
    assert first.description is SDP and second.description is None
    rig.fork.join(None)  # type: ignore[arg-type]
    assert (one.joined, two.joined) == (1, 0)
    one.notify(Refused(486))
    two.notify(Progress(183, SDP))
    third = rig.told[-1]
    assert isinstance(third, Progress) and third.description is SDP


def test_a_branch_that_ends_counts_as_refused() -> None:
    rig = Rig(2)
    rig.branches[0].notify(Ended(Cause("fault", (), 500)))
    assert not rig.told
    rig.branches[1].notify(Refused(486))
    assert isinstance(rig.told[0], Refused)


def test_the_caller_gives_up() -> None:
    rig = Rig()
    rig.branches[0].notify(Refused(486))
    rig.fork.handle(Ended(Cause("cancelled")))
    assert not rig.branches[0].cancelled
    assert rig.branches[1].cancelled and rig.branches[2].cancelled
    rig.fork.release()
    rig.branches[1].notify(Refused(487))
    assert not rig.told
