"""All agreements of a server: what is set up for one, found by it, and given back at its end."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from libreims.base.errors import LibreImsError, Reject
from libreims.base.tokens import Tokens
from libreims.ipsec.agreement import OFFER_LIFETIME, State
from libreims.ipsec.offers import MAX_OF_USER
from libreims.net.port import Flow
from libreims.net.protected_pool import PortPool
from libreims.users.bindings import Cause, Change
from support.agreement_rig import ALICE, LINGER, PAIR, SERVER, AgreementRig


def test_the_four_associations() -> None:
    """TS 33.203 §7.1: uc with ps, pc with us, each in both directions, all with the same keys."""
    rig = AgreementRig()
    agreement = rig.offer()
    ours, theirs = agreement.ours, agreement.theirs
    assert ours.spi_s == ours.spi_c + 1 and ours.port_c != ours.port_s
    phone = "10.0.1.1"
    assert [(each.direction, each.spi, each.local, each.remote) for each in rig.tunnel] == [
        ("in", ours.spi_s, (SERVER, ours.port_s), (phone, theirs.port_c)),
        ("out", theirs.spi_c, (SERVER, ours.port_s), (phone, theirs.port_c)),
        ("in", ours.spi_c, (SERVER, ours.port_c), (phone, theirs.port_s)),
        ("out", theirs.spi_s, (SERVER, ours.port_c), (phone, theirs.port_s)),
    ]
    assert {each.authentication_key for each in rig.tunnel} == {b"i" * 16 + bytes(4)}
    assert {each.encryption_key for each in rig.tunnel} == {bytes(range(16))}
    assert {(each.authentication, each.encryption) for each in rig.tunnel} == {PAIR}
    assert bytes(range(16)).hex() not in rig.text and (b"i" * 16).hex() not in rig.text
    assert "i" * 16 not in repr(rig.challenge())


def test_what_finds_an_agreement() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    flow = rig.flow(agreement)
    assert rig.agreements.at(flow) is agreement
    to_phone = Flow("TCP", agreement.local, agreement.way.server)
    rig.transport.send(b"x" * 20, to_phone)
    assert agreement.way.connection is not None
    ours = agreement.way.connection.flow
    assert rig.agreements.at(ours) is agreement and rig.agreements.at(to_phone) is None
    assert rig.agreements.at(Flow("UDP", agreement.local, ("10.0.1.1", 1))) is None
    assert rig.agreements.at(Flow("UDP", (SERVER, 5060), agreement.phone)) is None
    assert rig.agreements.answered_with(agreement.nonce) is agreement
    assert rig.agreements.protects(agreement.local) and not rig.agreements.protects((SERVER, 5060))
    rig.register(agreement)
    assert rig.agreements.answered_with(agreement.nonce) is None
    rig.offer(flow=flow)
    assert rig.agreements.at(ours) is agreement and rig.agreements.at(flow) is agreement


def test_nothing_in_common_sets_nothing_up() -> None:
    rig = AgreementRig()
    assert rig.propose(rig.challenge(pair=("hmac-md5-96", "null"))) is None
    rig.nothing_left()


def test_keys_that_an_algorithm_does_not_take() -> None:
    """3DES with equal halves of CK is DES: the next proposal is taken, and the log says why."""
    rig = AgreementRig((("hmac-sha-1-96", "des-ede3-cbc"),))
    weak = rig.challenge(pair=("hmac-sha-1-96", "des-ede3-cbc"))
    assert (
        rig.propose(type(weak)(weak.impi, weak.flow, weak.client, weak.mechanisms, "n", bytes(16), bytes(16)))
        is None
    )
    assert "cannot have hmac-sha-1-96/des-ede3-cbc this time: both halves of CK are equal" in rig.text
    rig.nothing_left()


def test_an_offer_that_nobody_takes_ends() -> None:
    rig = AgreementRig()
    rig.offer()
    rig.clock.advance(OFFER_LIFETIME - 1)
    assert rig.states == [State.OFFERED]
    rig.clock.advance(2)
    rig.nothing_left()
    assert f"{ALICE} was offered the agreement" in rig.text


def test_offers_of_one_phone_and_of_many() -> None:
    rig = AgreementRig()
    first = rig.offer()
    again = rig.offer()
    assert list(rig.agreements) == [again] and first.state is State.ENDED
    emergency = rig.offer(emergency=True)
    assert list(rig.agreements) == [again, emergency], "another registration of the same phone"
    for number in range(2, 2 + MAX_OF_USER):
        rig.offer(host=f"10.0.1.{number}")
    assert len(rig.agreements) == MAX_OF_USER
    rig.offer("bob@ims.test")
    assert len(rig.agreements) == MAX_OF_USER + 1


def test_re_registration_shares_the_server_port() -> None:
    rig = AgreementRig()
    first = rig.offer()
    binding = rig.register(first)
    second = rig.offer(flow=rig.flow(first))
    assert second.local == first.local and second.ours.port_c != first.ours.port_c
    assert rig.transport.current(rig.flow(first)).remote == first.way.server
    rig.register(second, binding)
    assert rig.states == [State.SUPERSEDED, State.AGREED]
    rig.agreements.used(second)
    rig.clock.advance(LINGER + 1)
    assert list(rig.agreements) == [second]
    assert len(list(rig.tunnel)) == 4


@pytest.mark.parametrize("how", ["port", "emergency", "other"])
def test_when_the_server_port_cannot_be_shared(how: str) -> None:
    rig = AgreementRig()
    first = rig.offer()
    rig.register(first)
    flow = rig.flow(first)
    match how:
        case "port":
            second = rig.offer(flow=flow, port_c=first.phone[1])
        case "emergency":
            second = rig.offer(flow=flow, emergency=True)
        case _:
            second = rig.offer("bob@ims.test", flow=flow)
    assert second.local != first.local


def test_another_server_port_takes_over() -> None:
    """What is known by the old one is led to the new one, and the old one goes soon."""
    rig = AgreementRig()
    first = rig.offer()
    binding = rig.register(first)
    second = rig.offer()
    assert second.local != first.local
    rig.register(second, binding)
    assert rig.states == [State.SUPERSEDED, State.AGREED]
    assert rig.transport.current(rig.flow(first)).local == second.local
    rig.clock.advance(LINGER + 1)
    assert rig.states == [State.AGREED]
    assert rig.transport.current(rig.flow(first)).local == second.local, "calls of before go on"
    rig.bindings.remove(rig.bindings.of(ALICE), Cause.UNREGISTERED)
    rig.clock.advance(LINGER + 1)
    rig.nothing_left()
    assert rig.transport.current(rig.flow(first)) == rig.flow(first)


@pytest.mark.parametrize("cause", [Cause.UNREGISTERED, Cause.DEACTIVATED])
def test_the_end_of_a_registration(cause: Cause) -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    binding = rig.register(agreement)
    rig.bindings.remove([binding], cause)
    assert rig.states == [State.ENDING]
    rig.clock.advance(LINGER - 1)
    assert rig.states == [State.ENDING]
    rig.clock.advance(2)
    rig.nothing_left()


def test_the_expiry_of_a_registration() -> None:
    rig = AgreementRig()
    rig.register(rig.offer(), expires=600.0)
    rig.clock.advance(599)
    assert rig.states == [State.AGREED]
    rig.clock.advance(2)
    assert rig.states == [State.ENDING]
    rig.clock.advance(LINGER)
    rig.nothing_left()


def test_a_phone_that_registers_without_ipsec_now() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    binding = rig.register(agreement)
    plain = Flow("UDP", (SERVER, 5060), ("10.0.1.1", 5060))
    rig.bindings.apply(
        ALICE, [Change(Cause.REFRESHED, replace(binding, flow=plain, protected=False), binding)]
    )
    assert rig.states == [State.ENDING]
    assert rig.transport.current(rig.flow(agreement)).local == agreement.local


def test_one_agreement_with_two_contacts() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    first, second = rig.register(agreement), rig.register(agreement)
    rig.bindings.remove([first], Cause.UNREGISTERED)
    assert rig.states == [State.AGREED]
    rig.bindings.remove([second], Cause.UNREGISTERED)
    assert rig.states == [State.ENDING]


def test_a_register_that_binds_nothing_agrees_on_nothing() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    rig.agreements.registered(rig.flow(agreement))
    rig.agreements.registered(Flow("UDP", (SERVER, 5060), ("10.0.1.1", 5060)))
    assert rig.states == [State.OFFERED]


def test_a_tunnel_that_refuses() -> None:
    rig = AgreementRig()

    def install(associations: object) -> None:
        raise LibreImsError("the tunnel is gone")

    rig.tunnel.install = install  # type: ignore[method-assign]
    with pytest.raises(Reject) as caught:
        rig.offer()
    assert caught.value.status == 503
    assert caught.value.why == f"no IPsec agreement with {ALICE} at 10.0.1.1: the tunnel is gone."
    assert [name for name, _ in caught.value.headers] == ["Retry-After"]
    rig.nothing_left()


def test_a_tunnel_that_refuses_a_renewal_leaves_what_there_is() -> None:
    rig = AgreementRig()
    first = rig.offer()
    rig.register(first)
    before = (rig.inside.in_use, len(rig.agreements.installer.pool), list(rig.tunnel))

    def install(associations: object) -> None:
        raise LibreImsError("the tunnel is gone")

    rig.tunnel.install = install  # type: ignore[method-assign]
    with pytest.raises(Reject):
        rig.offer(flow=rig.flow(first))
    assert (rig.inside.in_use, len(rig.agreements.installer.pool), list(rig.tunnel)) == before
    assert rig.states == [State.AGREED]


@pytest.mark.parametrize("taken", [1, 2])
def test_a_port_that_another_program_has(taken: int) -> None:
    rig = AgreementRig()
    blocked = [rig.inside.udp((SERVER, 10000 + number), lambda data, remote: None) for number in range(taken)]
    with pytest.raises(Reject, match="in use"):
        rig.offer()
    for socket in blocked:
        socket.close()
    rig.nothing_left()
    rig.offer()


def test_no_port_left() -> None:
    rig = AgreementRig()
    rig.agreements.installer.pool = PortPool(Tokens(1), 100, 102)
    first = rig.offer()
    with pytest.raises(Reject, match=r"all 3 protected ports of 10.0.0.1 are taken"):
        rig.offer("bob@ims.test")
    assert list(rig.agreements) == [first]
    rig.agreements.withdraw(first)
    rig.nothing_left()


def test_close_leaves_nothing() -> None:
    rig = AgreementRig()
    rig.register(rig.offer())
    rig.offer("bob@ims.test")
    rig.agreements.close()
    rig.nothing_left()


def test_thousands_of_lives_leave_nothing() -> None:
    """Registrations, renewals and ends of 50 phones in an order that a seed gives; all is given back."""
    rig = AgreementRig()
    dice = random.Random(5)
    last: dict[str, object] = {}
    for number in range(3000):
        impi = f"{dice.randrange(50)}@ims.test"
        bound = rig.bindings.of(impi)
        match dice.randrange(5):
            case 0 | 1:
                at = [each for each in rig.agreements if each.impi == impi and each.state is State.AGREED]
                flow = rig.flow(at[-1]) if at and dice.random() < 0.7 else None
                last[impi] = rig.offer(impi, flow=flow, host=f"10.0.2.{impi.partition('@')[0]}")
            case 2 | 3 if impi in last:
                agreement = last.pop(impi)
                if agreement.state is State.OFFERED:  # type: ignore[attr-defined]
                    rig.register(agreement, bound[-1] if bound else None)  # type: ignore[arg-type]
            case 4 if bound and number % 3 == 0:
                rig.bindings.remove(bound, Cause.UNREGISTERED)
        for each in rig.agreements:
            if dice.random() < 0.02:
                rig.agreements.used(each)
        rig.clock.advance(dice.random() * 20)
    rig.clock.advance(10_000)
    rig.nothing_left()
