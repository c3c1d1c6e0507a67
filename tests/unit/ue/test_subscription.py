"""The reg event from a phone's side (RFC 3680)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Response
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction
from libreims.ue.phone import Phone
from libreims.ue.subscription import SubscriptionError
from support.phones import RegistrarStub, phone_config
from support.virtual import run

CONTACT = "sip:001010000000001@10.0.0.1:5060"
AOR = "sip:001010000000001@ims.test"


def reginfo(state: str, event: str, *, full: bool = True) -> bytes:
    return (
        f'<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" '
        f'state="{"full" if full else "partial"}"><registration aor="{AOR}" id="a" state="active">'
        f'<contact id="c" state="{state}" event="{event}"><uri>{CONTACT}</uri></contact>'
        f"</registration></reginfo>"
    ).encode()


class Notifier:
    """The server's side of one subscription."""

    def __init__(self, registrar: RegistrarStub) -> None:
        self.registrar = registrar
        self.subscribes: list[ServerTransaction] = []
        self.statuses: list[int] = []
        self.refuse: int | None = None
        self.notify_first = False
        self.dialog: Dialog | None = None
        registrar.other = self.received

    def received(self, transaction: ServerTransaction) -> None:
        self.subscribes.append(transaction)
        request = transaction.request
        if self.refuse is not None:
            transaction.respond(Response.to_request(request, self.refuse, tag=transaction.local_tag))
            return
        self.dialog = self.dialog or Dialog.from_request(request, transaction.local_tag)
        if self.notify_first:
            self.notify(reginfo("active", "registered"))
        headers = [("Expires", str(request.expires)), ("Contact", "<sip:10.0.0.100:5060>")]
        response = Response.to_request(request, 200, tag=transaction.local_tag, headers=headers)
        transaction.respond(response)
        if not self.notify_first:
            self.notify(reginfo("active", "registered"))

    def notify(self, body: bytes, state: str = "active;expires=600000", event: str = "reg") -> None:
        assert self.dialog is not None
        headers = [
            ("Event", event),
            ("Subscription-State", state),
            ("Contact", "<sip:10.0.0.100:5060>"),
            ("Content-Type", "application/reginfo+xml"),
        ]
        request = self.dialog.new_request("NOTIFY", headers, body)
        self.registrar.stack.request(request, self.subscribes[0].flow, self)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self.statuses.append(response.status)

    def timed_out(self, transaction: ClientTransaction) -> None:
        raise AssertionError("NOTIFY was not answered")

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        raise error


def play(scenario: Callable[[Phone, Notifier], Awaitable[None]]) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        registrar = RegistrarStub(network, loop)
        await registrar.start()
        notifier = Notifier(registrar)
        phone = Phone(network, loop, Tokens(1), phone_config(1, registrar.address, subscribe=True))
        await phone.start()
        await scenario(phone, notifier)

    run(whole)


@pytest.mark.parametrize("notify_first", [False, True])
def test_it_subscribes_once_registered_and_hears_of_itself(notify_first: bool) -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        notifier.notify_first = notify_first
        await phone.register()
        await asyncio.sleep(1)
        request = notifier.subscribes[0].request
        assert (request.uri, request.get("Event")) == (AOR, "reg")
        assert request.elements("Route")[-1] == "<sip:orig@10.0.0.100:5060;lr>"
        assert notifier.statuses == [200]
        [contact] = phone.subscription.contacts.values()
        assert (contact.uri, contact.state, contact.event) == (CONTACT, "active", "registered")

    play(scenario)


@pytest.mark.parametrize("event", ["deactivated", "rejected", "unregistered"])
def test_a_binding_that_the_server_ends_is_lost(event: str) -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        await phone.register()
        await asyncio.sleep(1)
        notifier.notify(reginfo("terminated", event), "terminated")
        await asyncio.sleep(1)
        assert not phone.is_registered
        assert not phone.subscription.active

    play(scenario)


def test_a_binding_of_another_phone_does_not_matter() -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        await phone.register()
        body = reginfo("terminated", "unregistered").replace(b"10.0.0.1:", b"10.0.0.9:")
        notifier.notify(body)
        await asyncio.sleep(1)
        assert phone.is_registered

    play(scenario)


def test_the_network_asks_for_a_new_authentication() -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        await phone.register()
        await asyncio.sleep(1)
        before = len(notifier.registrar.registers)
        notifier.notify(reginfo("active", "shortened", full=False))
        await asyncio.sleep(1)
        assert len(notifier.registrar.registers) == before + 1

    play(scenario)


def test_the_subscription_is_renewed() -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        await phone.register()
        await asyncio.sleep(600_000)
        assert len(notifier.subscribes) == 2
        first, second = (transaction.request for transaction in notifier.subscribes)
        assert second.to.tag is not None and second.call_id == first.call_id
        assert second.cseq.number == first.cseq.number + 1

    play(scenario)


def test_a_refusal_is_told() -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        notifier.refuse = 403
        with pytest.raises(SubscriptionError, match="403 Forbidden"):
            await phone.register()
        assert phone.is_registered

    play(scenario)


@pytest.mark.parametrize(
    ("body", "event", "status"),
    [(b"<reginfo", "reg", 400), (b"<!DOCTYPE x><reginfo/>", "reg", 400), (b"", "presence", 489)],
)
def test_notifications_that_it_cannot_use(body: bytes, event: str, status: int) -> None:
    async def scenario(phone: Phone, notifier: Notifier) -> None:
        await phone.register()
        await asyncio.sleep(1)
        notifier.notify(body, event=event)
        await asyncio.sleep(1)
        assert notifier.statuses == [200, status]

    play(scenario)
