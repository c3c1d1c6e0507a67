"""One call of a phone, as a table of states (RFC 3261 §13 to §15).

What the peer can interrupt is synchronous: every message is an event, and `_TABLE` says what it does in
which state.  Scripts wait on top of it (`wait_answered`, `wait_ended`).  Changes of a call that is up (hold,
resume, re-INVITE) are in `modification`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError
from libreims.proto.sip.dialog import Dialog, DialogSet
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction
from libreims.ue.agent import ALLOW, SUPPORTED, Agent, Header, explain, unanswered, undelivered
from libreims.ue.changes import Changes
from libreims.ue.config import MMTEL
from libreims.ue.credentials import CannotAuthenticate
from libreims.ue.errors import CallError
from libreims.ue.media import MediaError, MediaSession
from libreims.ue.modification import Modification
from libreims.ue.stream import NoPorts, StreamCounts

SDP = "application/sdp"


class CallState(Enum):
    """Where a call stands."""

    CALLING = "calling"
    RINGING = "ringing at the other side"
    CANCELLING = "given up, waiting for the end"
    OFFERED = "ringing here"
    ANSWERED = "answered, waiting for ACK"
    UNWANTED = "answered and given up, waiting for ACK"
    ESTABLISHED = "established"
    LEAVING = "hung up, waiting for the answer"
    ENDED = "ended"


class Event(Enum):
    """What can happen to a call."""

    PROGRESS = "1xx"
    ACCEPTED = "2xx"
    CHALLENGED = "401 or 407"
    REFUSED = "3xx to 6xx"
    FAILED = "no answer"
    CANCEL = "CANCEL"
    ACK = "ACK"
    NO_ACK = "no ACK"
    BYE = "BYE"
    HANG_UP = "we hang up"


@dataclass(frozen=True, slots=True)
class AnswerMode:
    """What a phone does with a call that comes in."""

    status: int | None = 200
    """The final response; None: it rings until someone answers (`Call.answer`) or gives up."""
    delay: float = 1.0
    """Seconds of ringing before it."""
    ring: bool = True
    """Send 180."""


ANSWER = AnswerMode()
RING = AnswerMode(status=None)
BUSY = AnswerMode(status=486, delay=0.0, ring=False)
DECLINE = AnswerMode(status=603)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    by: str
    """`us`, `them` or `network`."""
    text: str
    status: int = 0
    """The final response of a call that was not established, as the caller saw or the callee sent it."""


class Call:
    """One call, made or received."""

    def __init__(self, agent: Agent, media: MediaSession, changed: Callable[[], None]) -> None:
        self.agent = agent
        self.media = media
        self.modification = Modification(self)
        self._phone_changed = changed
        self.changes = Changes()
        self.state = CallState.CALLING
        self.incoming = False
        self.peer = ""
        """Who is called or calls: a URI."""
        self.call_id = ""
        self.local_tag = ""
        self.dialog: Dialog | None = None
        self.outcome: Outcome | None = None
        self.statuses: list[int] = []
        """Responses to the INVITE, retransmissions included."""
        self.infos: list[Request] = []
        """INFO requests received."""
        self.forks = 0
        """Further answers that were hung up at once."""
        self.established_at: float | None = None
        self._invite: ServerTransaction | None = None
        self._transaction: ClientTransaction | None = None
        self._dialogs: DialogSet | None = None
        self._answer_from: str | None = None
        self._answer_body = b""
        self._offerless = False
        self._timer: Cancellable | None = None
        self._number = 0
        self._attempts = 0
        self._kinds: tuple[str, ...] = ("audio",)

    # -- events ------------------------------------------------------------------------------------

    def event(self, event: Event, message: Request | Response | None = None, why: str = "") -> bool:
        """Feed an event; False when it means nothing in this state."""
        handler = _TABLE.get((self.state, event))
        if handler is None:
            return False
        handler(self, message, why)
        return True

    def _enter(self, state: CallState) -> None:
        if state is not self.state:
            self.state = state
            self.changes.notify()
            self._phone_changed()

    def _note(self, text: str) -> None:
        self.agent.recorder.note(text)

    # -- calling -----------------------------------------------------------------------------------

    def start(self, target: str, kinds: Sequence[str]) -> None:
        """Send the INVITE. Raises NoPorts."""
        self.peer = target
        self.call_id = self.agent.tokens.call_id()
        self.local_tag = self.agent.tokens.tag()
        self._kinds = tuple(kinds)
        self._note(f"calls {self.name}")
        self._send_invite(self.media.offer(self._kinds), [])

    def _send_invite(self, body: bytes, credentials: Iterable[Header]) -> None:
        agent = self.agent
        self._number += 1
        self._attempts += 1
        headers: list[Header] = [("Contact", agent.contact()), ("Allow", ALLOW)]
        if SUPPORTED:
            headers.append(("Supported", ", ".join(SUPPORTED)))
        if agent.is_volte:
            headers += [
                ("P-Preferred-Identity", f"<{agent.config.impu}>"),
                ("P-Preferred-Service", "urn:urn-7:3gpp-service.ims.icsi.mmtel"),
                ("Accept-Contact", f'*;+g.3gpp.icsi-ref="{MMTEL}"'),
                ("P-Early-Media", "supported"),
            ]
        headers += [*credentials, ("Content-Type", SDP)]
        request = agent.build(
            "INVITE",
            self.peer,
            to=f"<{self.peer}>",
            call_id=self.call_id,
            tag=self.local_tag,
            number=self._number,
            routes=agent.initial_routes(),
            headers=headers,
            body=body,
        )
        if not credentials:
            for name, value in agent.keyring.again("INVITE", self.peer, body):
                request.add(name, value)
        self._dialogs = DialogSet(request)
        self._transaction = agent.stack.request(request, agent.server_flow, _InviteListener(self))

    def invite_answered(self, transaction: ClientTransaction, response: Response) -> None:
        """A response to our first INVITE."""
        self.statuses.append(response.status)
        if transaction is not self._transaction:
            return
        if response.status < 200:
            self.event(Event.PROGRESS, response)
        elif response.status < 300:
            self.event(Event.ACCEPTED, response)
        elif response.status in (401, 407) and self._attempts < 3:
            self.event(Event.CHALLENGED, response)
        else:
            self.event(Event.REFUSED, response)

    def _on_progress(self, response: Request | Response | None, _: str) -> None:
        assert isinstance(response, Response) and self._dialogs is not None
        dialog = self._dialogs.received(response)
        if dialog is not None and response.body and response.content_type == SDP:
            self._take_answer(response, dialog)
        if response.status in (180, 181, 182, 183) and self.state is CallState.CALLING:
            self._note(f"the other side: {response.status} {response.reason}")
            self._enter(CallState.RINGING)
        self.changes.notify()

    def _take_answer(self, response: Response, dialog: Dialog) -> str:
        """Use the SDP of a response; returns what is wrong with it, or nothing.

        The first one of a dialog is the answer, later ones repeat it (RFC 3261 §13.2.1).
        """
        if self._answer_from == dialog.remote_tag:
            return ""
        if not response.body:
            return "200 without SDP although we had made an offer"
        try:
            self.media.answered(response.body)
        except (LibreImsError, NoPorts) as error:
            return str(error)
        self._answer_from = dialog.remote_tag
        return ""

    def _on_challenged(self, response: Request | Response | None, _: str) -> None:
        assert isinstance(response, Response) and self._transaction is not None
        request = self._transaction.request
        try:
            reply = self.agent.keyring.answer(response, request)
        except CannotAuthenticate as error:
            self._finish(Outcome("them", f"{explain(response)}: {error}", response.status))
            return
        self._send_invite(request.body, [reply.header])

    def _on_accepted(self, response: Request | Response | None, _: str) -> None:
        assert isinstance(response, Response) and self._dialogs is not None
        dialog = self._dialogs.received(response)
        assert dialog is not None
        self.dialog = dialog
        problem = self._take_answer(response, dialog)
        self._acknowledge(dialog, response)
        if problem:
            self._bye(f"hung up at once: {problem}")
            return
        self._established()

    def _established(self) -> None:
        self.established_at = self.agent.clock.time()
        self.media.talk()
        self._note(f"call with {self.name} established, {_spoken(self.media.codecs)}")
        self._enter(CallState.ESTABLISHED)

    def _acknowledge(self, dialog: Dialog, response: Response) -> None:
        ack = dialog.ack(response.cseq.number, self.agent.common())
        self.agent.stack.send(ack, self.agent.flow_for(ack))

    def _on_accepted_again(self, response: Request | Response | None, _: str) -> None:
        """A retransmission, a fork, or an answer that crossed our CANCEL (RFC 3261 §13.2.2.4, §9.1)."""
        assert isinstance(response, Response) and self._dialogs is not None
        known = self.dialog
        dialog = self._dialogs.received(response)
        assert dialog is not None
        self._acknowledge(dialog, response)
        if known is None:
            self.dialog = dialog
            self._bye("answered while it was being cancelled")
        elif dialog.remote_tag != known.remote_tag and dialog.state != "terminated":
            self.forks += 1
            self._note("a second phone answered too: hung up there")
            dialog.terminate()
            bye = dialog.new_request("BYE", self.agent.common())
            self.agent.start(bye, self.agent.flow_for(bye), lambda response, why: None)

    def _on_refused(self, response: Request | Response | None, _: str) -> None:
        assert isinstance(response, Response)
        by = "us" if self.state is CallState.CANCELLING else "them"
        text = "cancelled" if by == "us" else explain(response)
        self._finish(Outcome(by, text, response.status))

    def _on_failed(self, _: Request | Response | None, why: str) -> None:
        self._finish(Outcome("network", why))

    # -- being called ------------------------------------------------------------------------------

    def offered(self, transaction: ServerTransaction, mode: AnswerMode) -> None:
        """An INVITE came. Raises Reject when it opens no dialog."""
        request = transaction.request
        self.incoming = True
        self.state = CallState.OFFERED
        self._invite = transaction
        self.peer = request.from_.uri_text
        self.call_id, self.local_tag = request.call_id, transaction.local_tag
        self.dialog = Dialog.from_request(request, transaction.local_tag)
        self._note(f"{self.name} calls")
        try:
            self._answer_body = self._prepare_answer(request)
        except (MediaError, NoPorts) as error:
            self.reject(488, f"SDP: {error}")
            return
        if mode.ring:
            self._respond(180)
        if mode.status is None:
            return
        if mode.delay:
            self._timer = self.agent.clock.call_later(mode.delay, self._decide, mode.status)
        else:
            self._decide(mode.status)

    def _prepare_answer(self, request: Request) -> bytes:
        if request.body:
            return self.media.offered(request.body)
        self._offerless = True
        return self.media.offer(self._kinds)

    def _decide(self, status: int) -> None:
        if self.state is not CallState.OFFERED:
            return
        if status < 300:
            self.answer()
        else:
            self.reject(status)

    def answer(self) -> None:
        """Pick up. Raises CallError unless it rings here."""
        if self.state is not CallState.OFFERED or self._invite is None:
            raise CallError(f"cannot answer a call that is {self.state.value}")
        self._stop_timer()
        self._invite.listener = _AckListener(self)
        self._respond(200, body=self._answer_body)
        if self.dialog is not None:
            self.dialog.confirm()
        self._enter(CallState.ANSWERED)
        self.media.talk()

    def reject(self, status: int = 486, why: str = "") -> None:
        """Refuse. Raises CallError unless it rings here."""
        if self.state is not CallState.OFFERED:
            raise CallError(f"cannot refuse a call that is {self.state.value}")
        response = self._respond(status)
        self._finish(Outcome("us", why or f"refused with {explain(response)}", status))

    def _respond(self, status: int, body: bytes = b"") -> Response:
        assert self._invite is not None
        headers: list[Header] = [("Contact", self.agent.contact()), ("Allow", ALLOW)]
        if self.agent.is_volte:
            headers.append(("P-Access-Network-Info", dict(self.agent.common())["P-Access-Network-Info"]))
        if body:
            headers.append(("Content-Type", SDP))
        response = Response.to_request(
            self._invite.request, status, tag=self.local_tag, headers=headers, body=body
        )
        self._invite.respond(response)
        return response

    def _on_cancel(self, _: Request | Response | None, __: str) -> None:
        self._respond(487)
        self._finish(Outcome("them", "the caller gave up", 487))

    def _on_early_bye(self, _: Request | Response | None, __: str) -> None:
        self._respond(487)
        self._finish(Outcome("them", "the caller hung up before the answer", 487))

    def acknowledged(self, request: Request, transaction: ServerTransaction | None) -> None:
        """An ACK in our dialog; `transaction` is that of its INVITE where one still waits."""
        if transaction is not None:
            transaction.acknowledged()
        if transaction is self._invite and transaction is not None:
            self.event(Event.ACK, request)
        elif transaction is not None:
            self.modification.acknowledged(request)

    def _on_ack(self, request: Request | Response | None, _: str) -> None:
        assert isinstance(request, Request)
        if self._offerless:
            try:
                self.media.answered(request.body)
            except LibreImsError as error:
                self._bye(f"the ACK brings no answer to our offer: {error}")
                return
        self._established()

    def _on_unwanted_ack(self, _: Request | Response | None, __: str) -> None:
        self._bye("hung up")

    def _on_no_ack(self, _: Request | Response | None, __: str) -> None:
        self._bye("no ACK came for our 200")

    # -- the end -----------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """End the call, whatever it does; harmless when it is over."""
        self.event(Event.HANG_UP)

    def _on_give_up(self, _: Request | Response | None, __: str) -> None:
        assert self._transaction is not None
        self._note("gives up calling")
        self._transaction.cancel()
        self._enter(CallState.CANCELLING)

    def _on_refuse(self, _: Request | Response | None, __: str) -> None:
        self.reject(603)

    def _on_hang_up_early(self, _: Request | Response | None, __: str) -> None:
        # The callee must not send BYE before the ACK (RFC 3261 §15).
        self._enter(CallState.UNWANTED)

    def _on_hang_up(self, _: Request | Response | None, __: str) -> None:
        self._bye("hung up")

    def _bye(self, text: str) -> None:
        outcome = Outcome("us", text)
        self._enter(CallState.LEAVING)
        self.media.close()
        self.request("BYE", (), b"", lambda response, why: self._bye_done(outcome))

    def _bye_done(self, outcome: Outcome) -> None:
        if self.state is CallState.LEAVING:
            self._finish(outcome)

    def _on_bye(self, request: Request | Response | None, _: str) -> None:
        assert isinstance(request, Request)
        reason = request.get("Reason")
        self._finish(
            Outcome("them", f"the other side hung up ({reason})" if reason else "the other side hung up")
        )

    def _ignore(self, _: Request | Response | None, __: str) -> None:
        """Nothing to do, and nothing wrong."""

    def _finish(self, outcome: Outcome) -> None:
        self._stop_timer()
        self.media.close()
        self.outcome = outcome
        if self.dialog is not None:
            self.dialog.terminate()
        self._note(f"call with {self.name} ended: {outcome.text}")
        self._enter(CallState.ENDED)
        self.modification.ended(outcome.text)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- in the dialog -----------------------------------------------------------------------------

    def request(
        self,
        method: str,
        headers: Iterable[Header],
        body: bytes,
        done: Callable[[Response | None, str], None],
        attempts: int = 2,
    ) -> None:
        """Send a non-INVITE request in the dialog, answering a challenge; `done` is called once."""
        if self.dialog is None:
            raise CallError(f"no dialog for {method} yet")
        headers = list(headers)
        request = self.dialog.new_request(method, [*self.agent.common(), *headers], body)
        for name, value in self.agent.keyring.again(method, request.uri, body):
            request.add(name, value)

        def answered(response: Response | None, why: str) -> None:
            if response is not None and response.status in (401, 407) and attempts > 1:
                try:
                    self.agent.keyring.answer(response, request)
                except CannotAuthenticate as error:
                    why = str(error)
                else:
                    self.request(method, headers, body, done, attempts - 1)
                    return
            done(response, why)

        self.agent.start(request, self.agent.flow_for(request), answered)

    def lost(self, text: str) -> None:
        """The peer does not know the call any more, or is gone: leave (RFC 3261 §12.2.1.2)."""
        if self.state is CallState.ESTABLISHED:
            self._bye(text)

    # -- what scripts use --------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The other side, short enough to be read."""
        return self.peer.partition(";")[0].partition("@")[0]

    @property
    def is_established(self) -> bool:
        """Whether the two can talk."""
        return self.state is CallState.ESTABLISHED

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.state is CallState.ENDED

    @property
    def counts(self) -> dict[str, StreamCounts]:
        """RTP by media type."""
        return self.media.counts

    async def wait_answered(self, timeout: float | None = 60.0) -> None:
        """Wait until the call is established. Raises CallError when it is not."""
        if not await self.changes.until(lambda: self.is_established or self.is_over, timeout):
            raise CallError(f"not established after {timeout:g} s: {self.state.value}")
        if self.outcome is not None:
            raise CallError(self.outcome.text, self.outcome.status)

    async def wait_state(self, *states: CallState, timeout: float | None = 60.0) -> None:
        """Wait for one of these states. Raises CallError when the call ends without, or time is over."""
        if not await self.changes.until(lambda: self.state in states or self.is_over, timeout):
            raise CallError(f"after {timeout:g} s the call is {self.state.value}")
        if self.state not in states and self.outcome is not None:
            raise CallError(self.outcome.text, self.outcome.status)

    async def wait_ended(self, timeout: float | None = 60.0) -> Outcome:
        """Wait for the end. Raises CallError when it does not come."""
        if not await self.changes.until(lambda: self.is_over, timeout) or self.outcome is None:
            raise CallError(f"not ended after {timeout:g} s: {self.state.value}")
        return self.outcome

    async def ask(self, method: str, headers: Iterable[Header] = (), body: bytes = b"") -> Response:
        """Send INFO or the like in the dialog and wait for the final answer. Raises CallError."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def done(response: Response | None, why: str) -> None:
            if response is not None:
                future.set_result(response)
            else:
                future.set_exception(CallError(why))

        self.request(method, headers, body, done)
        return await future

    async def hold(self, method: str = "INVITE") -> None:
        """Hold the other side with re-INVITE or UPDATE. Raises CallError."""
        await self.modification.change(held=True, method=method)

    async def resume(self, method: str = "INVITE") -> None:
        """Take the other side back. Raises CallError."""
        await self.modification.change(held=False, method=method)


def _spoken(codecs: dict[str, str]) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in codecs.items()) or "no media"


class _InviteListener:
    """Feeds what becomes of our INVITE into the table."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Any response."""
        self._call.invite_answered(transaction, response)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """Nobody answered."""
        self._call.event(Event.FAILED, why=unanswered(transaction))

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """It could not be sent."""
        self._call.event(Event.FAILED, why=undelivered(transaction, error))


class _AckListener:
    """Feeds the missing of an ACK into the table."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """64*T1 without ACK."""
        del transaction
        self._call.event(Event.NO_ACK)

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """Our 200 did not arrive."""
        del transaction
        self._call.event(Event.NO_ACK)


_Handler = Callable[[Call, Request | Response | None, str], None]

# What is not here means nothing in that state.
_TABLE: dict[tuple[CallState, Event], _Handler] = {
    (CallState.CALLING, Event.PROGRESS): Call._on_progress,
    (CallState.CALLING, Event.ACCEPTED): Call._on_accepted,
    (CallState.CALLING, Event.CHALLENGED): Call._on_challenged,
    (CallState.CALLING, Event.REFUSED): Call._on_refused,
    (CallState.CALLING, Event.FAILED): Call._on_failed,
    (CallState.CALLING, Event.HANG_UP): Call._on_give_up,
    (CallState.RINGING, Event.PROGRESS): Call._on_progress,
    (CallState.RINGING, Event.ACCEPTED): Call._on_accepted,
    (CallState.RINGING, Event.CHALLENGED): Call._on_refused,
    (CallState.RINGING, Event.REFUSED): Call._on_refused,
    (CallState.RINGING, Event.FAILED): Call._on_failed,
    (CallState.RINGING, Event.HANG_UP): Call._on_give_up,
    (CallState.CANCELLING, Event.ACCEPTED): Call._on_accepted_again,
    (CallState.CANCELLING, Event.CHALLENGED): Call._on_refused,
    (CallState.CANCELLING, Event.REFUSED): Call._on_refused,
    (CallState.CANCELLING, Event.FAILED): Call._on_failed,
    (CallState.OFFERED, Event.CANCEL): Call._on_cancel,
    (CallState.OFFERED, Event.BYE): Call._on_early_bye,
    (CallState.OFFERED, Event.HANG_UP): Call._on_refuse,
    (CallState.ANSWERED, Event.ACK): Call._on_ack,
    (CallState.ANSWERED, Event.NO_ACK): Call._on_no_ack,
    (CallState.ANSWERED, Event.BYE): Call._on_bye,
    (CallState.ANSWERED, Event.HANG_UP): Call._on_hang_up_early,
    (CallState.UNWANTED, Event.ACK): Call._on_unwanted_ack,
    (CallState.UNWANTED, Event.NO_ACK): Call._on_no_ack,
    (CallState.UNWANTED, Event.BYE): Call._on_bye,
    (CallState.ESTABLISHED, Event.ACCEPTED): Call._on_accepted_again,
    (CallState.ESTABLISHED, Event.BYE): Call._on_bye,
    (CallState.ESTABLISHED, Event.HANG_UP): Call._on_hang_up,
    (CallState.LEAVING, Event.ACCEPTED): Call._on_accepted_again,
    (CallState.LEAVING, Event.BYE): Call._on_bye,
    (CallState.ENDED, Event.ACCEPTED): Call._on_accepted_again,
}
