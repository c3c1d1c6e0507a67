"""Which submissions came in."""

from __future__ import annotations

from dataclasses import replace

from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.failure import Status
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.ledger import Ledger
from libreims.sms.pending import Origin, Pending
from libreims.sms.recent import Fate
from support.manual_clock import ManualClock
from support.memory_store import MemoryStore

NOW = Timestamp.at(1_800_000_000)
ORIGIN = Origin("alice", "tel:1", "call", 1, 7, Address.of_number("+2"))
PENDING = Pending("m", "bob", "tel:2", Deliver(Address("1"), NOW, UserData()), 0, 9, origin=ORIGIN)
FATE = Fate(NOW, 1.0, Status.RECEIVED)


def ledger(store: MemoryStore | None = None) -> Ledger:
    clock = ManualClock()
    return Ledger(store or MemoryStore(), clock, clock.time)


def test_a_message_is_found_while_it_waits_and_known_afterwards() -> None:
    book = ledger()
    assert not book.came_in(ORIGIN.submission)
    book.enter(PENDING)
    assert book.came_in(ORIGIN.submission)
    assert book.waiting("alice", 7, "+2") == "m"
    assert book.waiting("alice", 7, "2") is None
    assert book.fate("alice", 7, "+2") is None
    book.leave(PENDING, FATE)
    assert book.waiting("alice", 7, "+2") is None
    assert book.fate("alice", 7, "+2") == FATE
    assert book.came_in(ORIGIN.submission)


def test_of_several_with_one_reference_the_newest_is_found() -> None:
    book = ledger()
    later = replace(PENDING, id="n", origin=replace(ORIGIN, cseq=2))
    book.enter(PENDING)
    book.enter(later)
    assert book.waiting("alice", 7, "+2") == "n"
    book.leave(PENDING, FATE)
    assert book.waiting("alice", 7, "+2") == "n"
    book.leave(later, FATE)
    assert book.waiting("alice", 7, "+2") is None


def test_messages_of_the_server_itself_have_no_submission() -> None:
    book = ledger()
    own = replace(PENDING, origin=None)
    book.enter(own)
    book.close_account(own)
    book.leave(own, FATE)
    assert book.waiting("alice", 7, "+2") is None


def test_what_an_earlier_process_finished_is_known_to_the_next_one() -> None:
    store = MemoryStore()
    ledger(store).close_account(PENDING)
    again = ledger(store)
    again.restore()
    assert again.came_in(ORIGIN.submission)
