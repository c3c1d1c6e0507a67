from __future__ import annotations

import random

from libreims.net.port import Flow
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Response
from libreims.registrar.subscription import INTERVAL, Event, State, Subscription
from support.manual_clock import ManualClock


class Phone:
    """The notifier of one subscription; NOTIFYs are answered by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        dialog = Dialog(
            call_id="c",
            local_tag="l",
            remote_tag="r",
            local_uri="<sip:a@d>",
            remote_uri="<sip:a@d>",
            remote_target="sip:a@10.0.0.50",
            route_set=[],
            local_cseq=0,
            remote_cseq=1,
            initiator=False,
        )
        flow = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.50", 5060))
        self.subscription = Subscription(self.clock, self, dialog, "a@d", "", flow)
        self.notified: list[str] = []
        self.goodbyes: list[str] = []

    def notify(self, subscription: Subscription) -> None:
        assert subscription.state is not State.CLOSED
        self.notified.append(subscription.reason)

    def closed(self, subscription: Subscription, why: str) -> None:
        self.goodbyes.append(why)

    def answer(self, status: int) -> None:
        self.subscription.response_received(None, Response(status, "x", {}))  # type: ignore[arg-type]


def test_asked_again_while_a_notify_is_under_way() -> None:
    phone = Phone()
    phone.subscription.fire(Event.ASKED)
    phone.clock.advance(0)
    phone.subscription.fire(Event.ASKED)
    phone.clock.advance(0)
    assert phone.notified == ["", ""]


def test_asked_does_not_wait_for_the_interval() -> None:
    phone = Phone()
    phone.subscription.fire(Event.CHANGED)
    phone.clock.advance(0)
    phone.answer(200)
    phone.subscription.fire(Event.CHANGED)
    phone.subscription.fire(Event.ASKED)
    phone.clock.advance(0)
    assert len(phone.notified) == 2


def test_the_first_reason_counts_and_the_goodbye_does_not_wait() -> None:
    phone = Phone()
    phone.subscription.fire(Event.CHANGED)
    phone.clock.advance(0)
    phone.subscription.end("noresource")
    phone.subscription.end("timeout")
    phone.clock.advance(0)
    assert phone.notified == ["", "noresource"]
    phone.answer(200)
    assert phone.goodbyes == [""] and phone.subscription.state is State.CLOSED


def test_an_answer_before_the_goodbye_has_left_does_not_close() -> None:
    phone = Phone()
    phone.subscription.fire(Event.CHANGED)
    phone.clock.advance(0)
    phone.subscription.end("timeout")
    phone.answer(200)
    assert phone.goodbyes == []
    phone.clock.advance(0)
    phone.answer(200)
    assert phone.notified == ["", "timeout"] and phone.goodbyes == [""]


def test_failures_say_what_happened() -> None:
    for failure, word in (
        (lambda phone: phone.answer(481), "481"),
        (lambda phone: phone.subscription.timed_out(None), "does not answer"),
        (lambda phone: phone.subscription.transport_failed(None, OSError("no route")), "no route"),
    ):
        phone = Phone()
        phone.subscription.fire(Event.CHANGED)
        phone.clock.advance(0)
        failure(phone)
        assert len(phone.goodbyes) == 1 and word in phone.goodbyes[0]


def test_any_order_of_events_ends_once_and_leaves_no_timer() -> None:
    source = random.Random(7)
    for _ in range(500):
        phone = Phone()
        subscription = phone.subscription
        for _ in range(source.randint(1, 25)):
            match source.randint(0, 6):
                case 0:
                    subscription.fire(Event.CHANGED)
                case 1:
                    subscription.fire(Event.ASKED)
                case 2:
                    phone.answer(200)
                case 3:
                    phone.answer(180)
                case 4 if source.random() < 0.1:
                    phone.answer(503)
                case 5 if source.random() < 0.2:
                    subscription.end("timeout")
                case _:
                    phone.clock.advance(source.choice([0, 0.5, INTERVAL]))
            assert phone.clock.waiting <= 1
        before = len(phone.notified)
        closed = subscription.state is State.CLOSED
        subscription.end("noresource")
        phone.clock.advance(0)
        phone.answer(200)
        assert subscription.state is State.CLOSED
        assert len(phone.goodbyes) == 1 and phone.clock.waiting == 0
        if closed:
            assert len(phone.notified) == before
        elif not phone.goodbyes[0]:
            assert phone.notified[-1] in ("timeout", "noresource")
