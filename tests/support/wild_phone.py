"""A phone that does anything that a phone could do, at any moment, from a seed.

It keeps the format of SIP (that is the codec's fuzz) but not its manners: it answers with whatever status,
forgets ACKs, hangs up twice, changes a call that is being changed, cancels what was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

from libreims.proto.sdp.description import SdpError, SessionDescription
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction
from support.lab import DOMAIN, Lab, Outcome, Peer

REFUSALS = (302, 400, 401, 404, 408, 415, 420, 480, 481, 486, 487, 488, 491, 500, 503, 600, 603)
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass
class Talk:
    """A dialog of the phone, and the m-lines that it has."""

    dialog: Dialog
    kinds: list[str] = field(default_factory=lambda: ["audio"])
    changes: list[Outcome] = field(default_factory=list)


class WildPhone(Peer):
    """Random manners on top of a peer."""

    def __init__(self, lab: Lab, name: str, host: str, transport: str, seed: int, manners: float) -> None:
        super().__init__(lab, name, host, transport)
        self.random = random.Random(seed)
        self.manners = manners  # probability of doing the ordinary thing
        self.talks: list[Talk] = []
        self.calls: list[Outcome] = []
        self.outcomes: list[Outcome] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self.unacknowledged: list[str] = []

    # -- dice ------------------------------------------------------------------------------------

    def polite(self) -> bool:
        return self.closing or self.random.random() < self.manners

    def later(self, delay: float, action: object, *args: object) -> None:
        self.lab.loop.call_later(delay, action, *args)  # type: ignore[arg-type]

    def pause(self) -> float:
        return self.random.choice((0.0, 0.004, 0.005, 0.011, 0.1, 1.0, 3.0)) * self.random.random()

    def describe(self, kinds: list[str]) -> bytes:
        direction = "sendrecv" if self.polite() else self.random.choice(DIRECTIONS)
        port = self.random.randrange(20000, 60000, 2)
        return self.sdp(port, direction=direction, media=kinds, version=self.random.randrange(1, 9))

    def answer_to(self, body: bytes) -> bytes:
        """An answer, mostly a fitting one."""
        try:
            offered = SessionDescription.parse(body)
        except SdpError:
            return self.sdp()
        kinds = [
            each.kind if each.port and (self.polite() or self.random.random() < 0.7) else f"-{each.kind}"
            for each in offered.media
        ]
        if not self.polite():
            choice = self.random.randrange(5)
            if choice == 0:
                return b""
            if choice == 1:
                return b"v=0\r\nnonsense"
            if choice == 2:
                kinds = [*kinds, "audio"]
            if choice == 3:
                return self.describe(kinds).replace(self.host.encode(), b"somewhere.example")
        allowed = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
        direction = allowed.get(offered.direction(0) if offered.media else "", "sendrecv")
        return self.sdp(self.random.randrange(20000, 60000, 2), direction=direction, media=kinds)

    # -- what comes in -----------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction) -> None:
        method = transaction.request.method
        if method == "INVITE" and transaction.request.to.tag is None:
            self._called(transaction)
        elif method in ("INVITE", "UPDATE"):
            self._asked(transaction)
        elif self.polite():
            self.later(self.pause(), self.reply, transaction, 200)
        elif self.random.random() < 0.7:
            self.later(self.pause(), self.reply, transaction, self.random.choice(REFUSALS))

    def reply(self, transaction: ServerTransaction, status: int, body: bytes = b"", tag: str = "") -> None:
        if transaction.answered:
            return
        headers = [("Allow", "INVITE, UPDATE, INFO")] if self.random.random() < 0.5 else []
        self.respond(transaction, status, body, headers, tag)
        if 200 <= status < 300 and transaction.request.method == "INVITE":
            if transaction.request.to.tag is None:
                kinds = ["audio"]
                with contextlib.suppress(SdpError):
                    kinds = [each.kind for each in SessionDescription.parse(body).media] or kinds
                self.talks.append(Talk(self.answered(transaction), kinds))
            self._wait_for_ack(transaction)

    def _wait_for_ack(self, transaction: ServerTransaction) -> None:
        """RFC 3261 §13.3.1.4: without an ACK the phone hangs up."""
        phone = self

        class Missing:
            def ack_timeout(self, transaction: ServerTransaction) -> None:
                phone.unacknowledged.append(f"no ACK for {transaction.request.call_id}")

            def transport_failed(self, transaction: ServerTransaction) -> None:
                pass

        transaction.listener = Missing()

    def _called(self, transaction: ServerTransaction) -> None:
        when = 0.0
        for _ in range(self.random.randrange(3)):
            when += self.pause()
            status = self.random.choice((180, 180, 181, 183))
            body = self.answer_to(transaction.request.body) if self.random.random() < 0.3 else b""
            self.later(when, self.reply, transaction, status, body)
        when += self.pause()
        dice = self.random.random()
        if self.polite() or dice < 0.3:
            body = self.answer_to(transaction.request.body) if transaction.request.body else self.sdp()
            self.later(when, self.reply, transaction, 200, body)
        elif dice < 0.8:
            self.later(when, self.reply, transaction, self.random.choice(REFUSALS))

    def _asked(self, transaction: ServerTransaction) -> None:
        when = self.pause()
        request = transaction.request
        dice = self.random.random()
        for talk in self.talks:
            if talk.dialog.call_id == request.call_id:
                talk.dialog.remote_cseq = request.cseq.number
        if self.polite() or dice < 0.5:
            if request.body:
                body = self.answer_to(request.body)
            elif request.method == "INVITE":
                talks = [each for each in self.talks if each.dialog.call_id == request.call_id]
                body = self.describe(talks[0].kinds if talks else ["audio"])
            else:
                body = b""
            self.later(when, self.reply, transaction, 200, body)
        elif dice < 0.9:
            self.later(when, self.reply, transaction, self.random.choice(REFUSALS))

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        if self.polite() or self.random.random() < 0.5:
            self.later(self.pause(), self.reply, transaction, 487)
        elif self.random.random() < 0.5:
            self.reply(transaction, 200, self.answer_to(transaction.request.body))

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        if transaction is not None:
            transaction.acknowledged()

    # -- what it does by itself ------------------------------------------------------------------------

    def send_request(self, request: Request) -> Outcome:
        outcome = super().send_request(request)
        self.outcomes.append(outcome)
        return outcome

    async def live(self, seconds: float) -> None:
        """Do this and that for a while, then hang up everything."""
        end = self.lab.loop.time() + seconds
        while self.lab.loop.time() < end:
            await asyncio.sleep(self.pause() + 0.01)
            self.random.choice((self.call, self.change, self.change, self.inform, self.take_back, self.bye))()

    def call(self) -> None:
        if sum(each.transaction is not None and not each.timed_out_ for each in self.calls) > 40:
            return
        callee = self.random.choice(
            (f"sip:bob@{DOMAIN}", f"sip:alice@{DOMAIN}", f"sip:carol@{DOMAIN}", "tel:666", "tel:0600000003")
        )
        kinds = self.random.choice((["audio"], ["audio", "video"], ["video", "text"]))
        body = b"" if self.random.random() < 0.2 else self.describe(list(kinds))
        if not self.polite() and self.random.random() < 0.1:
            body = b"v=0\r\nnonsense"
        outcome = WildOutcome(self, list(kinds))
        request = self.build("INVITE", callee, body=body)
        outcome.transaction = self.stack.request(request, self.flow, outcome)
        self.calls.append(outcome)
        self.outcomes.append(outcome)

    def take_back(self) -> None:
        pending = [each for each in self.calls if not any(status >= 200 for status in each.statuses)]
        pending += [each for talk in self.talks for each in talk.changes]
        if pending:
            chosen = self.random.choice(pending)
            if chosen.transaction is not None:
                chosen.transaction.cancel()

    def change(self) -> None:
        if not self.talks:
            return
        talk = self.random.choice(self.talks[-3:])
        method = self.random.choice(("INVITE", "UPDATE"))
        if self.random.random() < 0.3 and len(talk.kinds) < 4:
            talk.kinds.append(self.random.choice(("audio", "video", "text")))
        kinds = [each if self.random.random() < 0.8 else f"-{each}" for each in talk.kinds]
        body = b"" if self.random.random() < 0.2 else self.describe(kinds)
        outcome = WildOutcome(self, talk.kinds, talk)
        fields = [("Contact", f"<{self.uri}>"), ("Allow", "INVITE, UPDATE")]
        if body:
            fields.append(("Content-Type", "application/sdp"))
        request = talk.dialog.new_request(method, fields, body)
        outcome.transaction = self.stack.request(request, self.flow, outcome)
        self.outcomes.append(outcome)
        if method == "INVITE":
            talk.changes.append(outcome)

    def inform(self) -> None:
        if self.talks:
            talk = self.random.choice(self.talks[-3:])
            self.in_dialog(
                talk.dialog, "INFO", b"Signal=1\r\n", (("Content-Type", "application/dtmf-relay"),)
            )

    def bye(self) -> None:
        if self.talks:
            talk = self.random.choice(self.talks)
            self.in_dialog(talk.dialog, "BYE")
            if self.random.random() < 0.8:
                self.talks.remove(talk)

    def hang_up_all(self) -> None:
        self.closing = True
        for talk in self.talks:
            self.in_dialog(talk.dialog, "BYE")
        self.talks.clear()


class WildOutcome(Outcome):
    """Acknowledges 2xx: at once, late, or never; with and without the answer that is due."""

    def __init__(self, phone: WildPhone, kinds: list[str], talk: Talk | None = None) -> None:
        super().__init__()
        self.phone = phone
        self.kinds = kinds
        self.talk = talk
        self.mode = "now" if phone.polite() else phone.random.choice(("now", "late", "never", "bare"))

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        super().response_received(transaction, response)
        phone = self.phone
        request = transaction.request
        if request.method != "INVITE":
            return
        if 100 < response.status < 200 and self.talk is None and phone.random.random() < 0.05:
            self.talk = Talk(Dialog.from_response(request, response), self.kinds)  # BYE or UPDATE while early
            phone.talks.append(self.talk)
        if not 200 <= response.status < 300:
            return
        if self.talk is None:
            self.talk = Talk(Dialog.from_response(request, response), self.kinds)
            phone.talks.append(self.talk)
        if self.mode == "never" and not phone.closing:
            return
        body = b""
        if not request.body and (self.mode != "bare" or phone.closing):
            body = phone.answer_to(response.body)
        delay = phone.pause() if self.mode == "late" else 0.0
        phone.later(delay, phone.send_ack, self.talk.dialog, request.cseq.number, body)
