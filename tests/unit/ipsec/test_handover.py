"""Which of two agreements requests take, and since when."""

from __future__ import annotations

from libreims.ipsec.agreement import Agreement, State
from libreims.net.protected_ports import Way
from libreims.users.bindings import Cause
from support.agreement_rig import PATIENCE, AgreementRig

REGISTER = b"REGISTER sip:ims.test SIP/2.0\r\n"
ANSWER = b"SIP/2.0 200 OK\r\n"


def renewed() -> tuple[AgreementRig, Agreement, Agreement]:
    """A rig whose phone has registered again; the old and the new agreement."""
    rig = AgreementRig()
    old = rig.offer()
    binding = rig.register(old)
    new = rig.offer(flow=rig.flow(old))
    assert new.ports is old.ports and in_use(old) is old.way
    rig.register(new, binding)
    return rig, old, new


def in_use(agreement: Agreement) -> Way | None:
    return agreement.ports._current


def test_the_first_agreement_is_used_at_once() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    rig.register(agreement)
    assert in_use(agreement) is agreement.way and len(rig.agreements._handover) == 0


def test_the_new_one_is_used_when_the_phone_has_said_something_through_it() -> None:
    rig, old, new = renewed()
    assert in_use(old) is old.way
    assert new.way.heard is not None
    new.way.heard(ANSWER)
    assert in_use(old) is new.way and old.state is State.SUPERSEDED
    assert new.way.heard is None and len(rig.agreements._handover) == 0
    assert old.deadline == rig.clock.time() + old.linger


def test_a_phone_that_does_not_repeat_its_register_has_the_200() -> None:
    rig, old, new = renewed()
    rig.clock.advance(PATIENCE - 0.1)
    assert in_use(old) is old.way
    rig.clock.advance(0.2)
    assert in_use(old) is new.way
    assert old.deadline > rig.clock.time() + old.linger, "nothing has come through the new one"


def test_one_that_repeats_it_has_not() -> None:
    """As its timer E the patience doubles."""
    rig, old, new = renewed()
    assert new.way.heard is not None
    for wait in (PATIENCE, 2 * PATIENCE, 4 * PATIENCE):
        rig.clock.advance(wait - 0.1)
        assert in_use(old) is old.way
        new.way.heard(REGISTER)
    rig.clock.advance(8 * PATIENCE - 0.1)
    assert in_use(old) is old.way
    rig.clock.advance(0.2)
    assert in_use(old) is new.way
    new.way.heard(REGISTER)
    assert len(rig.agreements._handover) == 0


def test_a_phone_that_falls_back_is_reached_where_it_is() -> None:
    rig, old, new = renewed()
    (binding,) = rig.bindings.of(old.impi)
    rig.register(old, binding)
    assert in_use(old) is old.way and (old.state, new.state) == (State.AGREED, State.SUPERSEDED)
    rig.clock.advance(60)
    assert in_use(old) is old.way
    assert new.way.heard is None and len(rig.agreements._handover) == 0


def test_a_third_agreement_before_the_second_was_used() -> None:
    rig, old, second = renewed()
    (binding,) = rig.bindings.of(old.impi)
    third = rig.offer(flow=rig.flow(second))
    rig.register(third, binding)
    rig.clock.advance(PATIENCE + 0.1)
    assert in_use(old) is third.way and second.way.heard is None


def test_the_end_of_the_old_one_ends_the_wait() -> None:
    rig, old, new = renewed()
    (binding,) = rig.bindings.of(old.impi)
    rig.bindings.remove([binding], Cause.UNREGISTERED)
    rig.clock.advance(40)
    rig.nothing_left()
    assert len(rig.agreements._handover) == 0 and (old.state, new.state) == (State.ENDED, State.ENDED)


def test_what_was_only_offered_is_no_way_back() -> None:
    """A phone that was challenged anew inside its first offer has nothing else than the second one."""
    rig = AgreementRig()
    first = rig.offer()
    second = rig.offer(flow=rig.flow(first))
    assert second.ports is first.ports
    rig.register(second)
    assert in_use(second) is second.way and len(rig.agreements._handover) == 0


def test_what_was_ended_is_no_way_back() -> None:
    rig = AgreementRig()
    first = rig.offer()
    rig.bindings.remove([rig.register(first)], Cause.UNREGISTERED)
    second = rig.offer(flow=rig.flow(first))
    rig.register(second)
    assert first.state is State.ENDING and in_use(second) is second.way
