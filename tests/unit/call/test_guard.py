"""What a leg raises on its way up ends its call and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from libreims.base.errors import Reject
from libreims.call.events import Ended, Event
from libreims.call.guard import guarded
from libreims.call.leg import Leg as DialogLeg
from support.calls import connected
from support.lab import DOMAIN, Lab, play


class Leg:
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    @property
    def leg(self) -> Leg:
        return self

    def failed(self, error: Exception) -> None:
        self.errors.append(error)

    @guarded
    def entry(self, error: Exception | None, *, again: bool = False) -> None:
        """What it does."""
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [Reject(500, "no"), ZeroDivisionError()])
def test_any_exception_goes_to_the_leg(error: Exception) -> None:
    leg = Leg()
    leg.entry(error)
    assert leg.errors == [error]
    leg.entry(None, again=True)
    assert leg.errors == [error]
    assert Leg.entry.__doc__ == "What it does."


def test_what_is_no_exception_of_the_program_is_not_held_up() -> None:
    leg = Leg()
    with pytest.raises(KeyboardInterrupt):
        leg.entry(KeyboardInterrupt())  # type: ignore[arg-type]


@pytest.mark.parametrize("answered", [False, True])
def test_a_fault_below_the_session_ends_the_call_on_both_sides(answered: bool) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        if answered:
            mo, _ = await connected(alice, bob)
        else:
            call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
            invite = await bob.expect("INVITE")
        (session,) = lab.server.calls.sessions
        leg = session.mt

        def broken(description: object) -> None:
            raise ZeroDivisionError("a fault of the media")

        class Broken:
            """The leg's media with one fault."""

            def __getattr__(self, name: str) -> object:
                return broken if name == "answered" else getattr(media, name)

        media = leg.media
        leg.media = Broken()
        if answered:
            change = alice.in_dialog(mo, "INVITE", alice.sdp())
            bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
            assert (await change.final()).status >= 400
            alice.respond(await alice.expect("BYE"), 200)
        else:
            bob.respond(invite, 200, bob.sdp())
            assert (await call.final()).status == 500
        bye = await bob.expect("BYE")
        assert "Internal error" in (bye.request.get("Reason") or "")
        bob.respond(bye, 200)
        assert "ended by a fault of the server" in lab.log_text()
        assert "a fault of the media" in lab.log_text()

    play(scenario)


def test_a_leg_whose_own_end_fails_tells_its_session_all_the_same() -> None:
    told: list[Event] = []

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    log = SimpleNamespace(error=lambda text: None)
    leg: Any = SimpleNamespace(services=SimpleNamespace(log=log), notify=told.append, handle=broken)
    with pytest.raises(ZeroDivisionError):
        DialogLeg.failed(leg, Reject(503, "no media port is free"))
    assert [type(each) for each in told] == [Ended]
