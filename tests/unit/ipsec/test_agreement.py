"""The life of an agreement: every state with every event."""

from __future__ import annotations

import itertools

import pytest

from libreims.ipsec.agreement import MARGIN, Agreement, Event, State
from libreims.ipsec.installation import Installation
from libreims.net.protected_ports import Way
from libreims.proto.sip.security_agreement import Ipsec3gpp

NOW = 1000.0
LIFETIME = 600.0
LINGER = 32.0

EXPECTED = {
    (State.OFFERED, Event.REGISTERED): State.AGREED,
    (State.OFFERED, Event.WITHDRAWN): State.ENDED,
    (State.OFFERED, Event.DEADLINE): State.ENDED,
    (State.AGREED, Event.REGISTERED): State.AGREED,
    (State.AGREED, Event.REPLACED): State.SUPERSEDED,
    (State.AGREED, Event.RELEASED): State.ENDING,
    (State.AGREED, Event.DEADLINE): State.ENDED,
    (State.SUPERSEDED, Event.REGISTERED): State.AGREED,
    (State.SUPERSEDED, Event.FOLLOWED): State.SUPERSEDED,
    (State.SUPERSEDED, Event.RELEASED): State.ENDING,
    (State.SUPERSEDED, Event.DEADLINE): State.ENDED,
    (State.ENDING, Event.REGISTERED): State.AGREED,
    (State.ENDING, Event.DEADLINE): State.ENDED,
}


class Book:
    """A keeper that writes down."""

    def __init__(self) -> None:
        self.until: list[float] = []
        self.ends = 0

    def lasts(self, agreement: Agreement, until: float) -> None:
        self.until.append(until)

    def ended(self, agreement: Agreement) -> None:
        self.ends += 1


class Ports:
    local = ("10.0.0.1", 7000)


def make(state: State = State.OFFERED, deadline: float = NOW + 5000) -> tuple[Agreement, Book]:
    book = Book()
    theirs = Ipsec3gpp("hmac-md5-96", "null", 1, 2, 6100, 6000)
    ours = Ipsec3gpp("hmac-md5-96", "null", 0x1000, 0x1001, 7100, 7000)
    way = Way(Ports.local, 7100, ("10.0.1.1", 6100), ("10.0.1.1", 6000))
    agreement = Agreement(book, "alice@d", Installation(Ports(), way, theirs, ours, ()))  # type: ignore[arg-type]
    agreement.state, agreement.deadline, agreement.linger = state, deadline, LINGER
    return agreement, book


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_the_table(state: State, event: Event) -> None:
    agreement, book = make(state)
    known = agreement.fire(event, NOW, LIFETIME)
    assert known is ((state, event) in EXPECTED)
    assert agreement.state is EXPECTED.get((state, event), state)
    assert book.ends == (agreement.state is State.ENDED and state is not State.ENDED)
    if not known:
        assert book.until == []


def test_it_outlives_the_registration_by_half_a_minute() -> None:
    agreement, book = make()
    agreement.fire(Event.REGISTERED, NOW, LIFETIME)
    assert book.until == [NOW + LIFETIME + MARGIN]


def test_a_shorter_refresh_does_not_shorten_it() -> None:
    """TS 24.229 §5.2.2: the longer of what it had and what the registration needs."""
    agreement, book = make(State.AGREED)
    agreement.fire(Event.REGISTERED, NOW, LIFETIME)
    assert book.until == [NOW + 5000]
    agreement.fire(Event.REGISTERED, NOW, 9000.0)
    assert book.until[-1] == NOW + 9000 + MARGIN


@pytest.mark.parametrize(
    ("state", "event"), [(State.SUPERSEDED, Event.FOLLOWED), (State.AGREED, Event.RELEASED)]
)
def test_the_end_comes_after_the_last_transaction_but_never_later_than_before(
    state: State, event: Event
) -> None:
    agreement, book = make(state)
    agreement.fire(event, NOW)
    assert book.until == [NOW + LINGER]
    agreement, book = make(state, NOW + 5)
    agreement.fire(event, NOW)
    assert book.until == [NOW + 5]


def test_what_stands_in_the_log() -> None:
    agreement, _ = make()
    assert str(agreement) == (
        "hmac-md5-96/null, phone 10.0.1.1 ports 6100 6000 SPIs 0x00000001 0x00000002, "
        "server 10.0.0.1 ports 7100 7000 SPIs 0x00001000 0x00001001"
    )
    assert (agreement.phone, agreement.local) == (("10.0.1.1", 6100), ("10.0.0.1", 7000))
