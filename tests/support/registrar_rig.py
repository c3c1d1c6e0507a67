"""A registrar without network, transactions and authentication: requests in, answers out, time by hand."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from libreims.base.bus import Bus
from libreims.base.errors import Reject
from libreims.base.log import Log
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.net.port import Flow
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.transaction import ClientListener
from libreims.registrar.authentication import AuthResult
from libreims.registrar.reg_event import RegEvent
from libreims.registrar.register import Registrar
from libreims.registrar.security import Security
from libreims.users.bindings import Bindings, BindingsChanged
from libreims.users.database import SubscriberDatabase
from libreims.users.subscriber import Subscriber
from support.manual_clock import ManualClock

T = TypeVar("T")

EPOCH = 1_800_000_000.0
SERVER = ("10.0.0.1", 5060)
CONFIG = """
domain: "ims.test", path: "sip:ims.test",
echo: ["tel:666"],
ue_db: [
  { imsi: "001010000000001", K: "00112233445566778899aabbccddeeff", impi: "alice@ims.test",
    impu: ["tel:+3312345", "sip:alice", { impu: "sip:hidden", associated: false }, "urn:service:sos"] },
  { imsi: "001010000000002", K: "00112233445566778899aabbccddeeff", impi: "bob@ims.test",
    impu: ["bob", { impu: "free", authentication: false }, { impu: "strict", reauthenticate: true }] },
  { imsi: "001010000000003", K: "00112233445566778899aabbccddeeff", impi: "fleet@ims.test", multi_sim: true,
    impu: ["fleet", { impu: "tel:1001", imei: "35000000000001-5" },
                    { impu: "tel:1002", imei: "350000000000023" }] },
],
"""


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits for something")


def flow(host: str = "10.0.0.50", port: int = 5060, transport: str = "UDP") -> Flow:
    return Flow(transport, SERVER, (host, port), 0)


class Gate:
    """An authenticator that lets everyone in, or nobody, and remembers what it was asked."""

    def __init__(self) -> None:
        self.scheme = "MD5"
        self.refusal: Reject | None = None
        self.asked: list[tuple[str, bool]] = []

    async def authenticate(
        self, request: Request, subscriber: Subscriber, flow: Flow, *, force: bool = False
    ) -> AuthResult:
        self.asked.append((subscriber.impi, force))
        if self.refusal is not None:
            raise self.refusal
        return AuthResult(subscriber.impi, self.scheme)


class Sent:
    """A NOTIFY that left, and who waits for its answer."""

    def __init__(self, request: Request, flow: Flow, listener: ClientListener) -> None:
        self.request = request
        self.flow = flow
        self.listener = listener

    @property
    def state(self) -> str:
        return self.request.get("Subscription-State") or ""

    @property
    def text(self) -> str:
        return self.request.body.decode()

    def answer(self, status: int) -> None:
        self.listener.response_received(None, Response(status, "as told", {}))  # type: ignore[arg-type]

    def time_out(self) -> None:
        self.listener.timed_out(None)  # type: ignore[arg-type]


class Outbox:
    """Takes the place of `cscf.user_agent.UserAgent`."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def request(self, request: Request, flow: Flow, listener: ClientListener) -> ClientTransaction:
        self.sent.append(Sent(request, flow, listener))
        return None  # type: ignore[return-value]

    def contact(self, flow: Flow) -> str:
        return "<sip:10.0.0.1:5060>"

    def flow_to(self, request: Request, known: Flow) -> Flow:
        return known

    def fits(self, message: object, flow: Flow, known: Flow) -> bool:
        return True

    def take(self) -> list[Sent]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent

    def one(self) -> Sent:
        """The only NOTIFY since the last time, answered with 200."""
        (sent,) = self.take()
        sent.answer(200)
        return sent


class Rig:
    """The registrar and the notifier over one set of bindings."""

    def __init__(self, config: str = CONFIG) -> None:
        self.config = ConfigStore(loads(config).settings)
        self.clock = ManualClock()
        self.warnings: list[str] = []
        self.database = SubscriberDatabase.of(self.config.current, self.warnings.append)
        log = self.log = Log.null().layer("ims")
        bus = self.bus = Bus(log)
        self.events: list[BindingsChanged] = []
        bus.subscribe(BindingsChanged, self.events.append)
        self.bindings = Bindings(self.clock, self.utc, bus)
        self.gate = Gate()
        self.registrar = Registrar(
            self.config,
            self.database,
            self.bindings,
            self.gate,  # type: ignore[arg-type]
            Security(self.config, log),
            self.utc,
            log,
        )
        self.outbox = Outbox()
        self.reg_event = RegEvent(
            self.config, self.database, self.bindings, self.outbox, self.clock, bus, log
        )
        self._cseq = itertools.count(1)

    def utc(self) -> float:
        return EPOCH + self.clock.time()

    def request(self, method: str, target: str, lines: str = "", **fields: object) -> Request:
        """A request as a phone writes it; `fields`: to, from_, call_id, cseq, tag."""
        to = fields.get("to", f"<{target}>")
        from_ = fields.get("from_", to)
        number = fields.get("cseq") or next(self._cseq)
        text = (
            f"{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.50:5060;branch=z9hG4bK{number}\r\n"
            f"From: {from_};tag=f1\r\nTo: {to}\r\nCall-ID: {fields.get('call_id', 'c1')}\r\n"
            f"CSeq: {number} {method}\r\n"
        )
        text += "".join(f"{line}\r\n" for line in lines.split("\n") if line)
        message = parse(f"{text}Content-Length: 0\r\n\r\n".encode())
        assert isinstance(message, Request)
        return message

    def register(
        self, user: str = "alice", lines: str = "", *, at: Flow | None = None, **fields: object
    ) -> Answer:
        """Register `sip:user@ims.test`; the IMPI is `user@ims.test` unless `username` says else."""
        username = fields.pop("username", f"{user}@ims.test")
        fields.setdefault("to", f"<sip:{user}@ims.test>")
        if username:
            lines = f'Authorization: Digest username="{username}", realm="ims.test", nonce=""\n{lines}'
        request = self.request("REGISTER", "sip:ims.test", lines, **fields)
        return finish(self.registrar.register(request, at or flow()))

    def contacts(self, impi: str = "alice@ims.test") -> list[str]:
        return [binding.contact for binding in self.bindings.of(impi)]

    def causes(self) -> list[str]:
        """What happened to bindings since the last time."""
        causes = [str(change.cause) for event in self.events for change in event.changes]
        self.events.clear()
        return causes

    def subscribe(
        self, user: str = "alice", lines: str = "Event: reg", *, at: Flow | None = None, **fields: object
    ) -> Answer:
        target = str(fields.pop("target", f"sip:{user}@ims.test"))
        fields.setdefault("from_", f"<sip:{user}@ims.test>")
        if "Contact" not in lines:
            lines += "\nContact: <sip:alice@10.0.0.50:5060>"
        request = self.request("SUBSCRIBE", target, lines, **fields)
        return self.reg_event.subscribe(request, at or flow(), "our-tag")


def header(answer: Answer, name: str) -> str | None:
    """The value of a header that stands once at most."""
    values = headers(answer, name)
    assert len(values) <= 1, values
    return values[0] if values else None


def headers(answer: Answer, name: str) -> list[str]:
    return [value for each, value in answer.headers if each == name]
