"""A call that the phone makes (RFC 3261 §13.2, §9.1; RFC 6026): INVITE, forks, CANCEL and its races."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from libreims.base.errors import LibreImsError
from libreims.proto.sip.dialog import Dialog, DialogSet
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction
from libreims.ue.agent import ALLOW, Agent, Header, explain, unanswered, undelivered
from libreims.ue.call import COMMON, SDP, Call, CallState, Event, Message, Outcome
from libreims.ue.config import MMTEL
from libreims.ue.credentials import CannotAuthenticate
from libreims.ue.early import EarlyCaller
from libreims.ue.media import MediaSession

_ATTEMPTS = 3
"""INVITE requests of one call: challenges are answered so often."""


class OutgoingCall(Call):
    """One call made."""

    incoming = False

    def __init__(self, agent: Agent, media: MediaSession, changed: Callable[[], None]) -> None:
        super().__init__(agent, media, changed, CallState.CALLING)
        self.early: EarlyCaller = EarlyCaller(self)
        self._transaction: ClientTransaction | None = None
        self._dialogs: DialogSet | None = None
        self._answer_from: str | None = None
        """To tag of the response whose SDP is the answer."""
        self._number = 0

    def start(self, target: str, kinds: Sequence[str]) -> None:
        """Send the INVITE. Raises NoPorts."""
        self.peer = target
        self.call_id = self.agent.tokens.call_id()
        self.local_tag = self.agent.tokens.tag()
        self._note(f"calls {self.name}")
        self._send_invite(self.media.offer(kinds), [])

    def _send_invite(self, body: bytes, credentials: Iterable[Header]) -> None:
        agent = self.agent
        self._number += 1
        headers: list[Header] = [("Contact", agent.contact()), ("Allow", ALLOW)]
        if agent.supported:
            headers.append(("Supported", ", ".join(agent.supported)))
        if agent.is_volte:
            headers += [
                ("P-Preferred-Identity", f"<{agent.config.impu}>"),
                ("P-Preferred-Service", "urn:urn-7:3gpp-service.ims.icsi.mmtel"),
                ("Accept-Contact", f'*;+g.3gpp.icsi-ref="{MMTEL}"'),
                ("P-Early-Media", "supported"),
            ]
        headers += [*self.session_timer.request_headers(), *credentials, ("Content-Type", SDP)]
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
        elif response.status == 422 and self._number < _ATTEMPTS and self.session_timer.too_small(response):
            self._send_invite(transaction.request.body, [])
        elif response.status in (401, 407) and self._number < _ATTEMPTS:
            self.event(Event.CHALLENGED, response)
        else:
            self.event(Event.REFUSED, response)

    def _on_progress(self, response: Message, _: str) -> None:
        assert isinstance(response, Response) and self._dialogs is not None
        wanted, rack = self.early.received(response)
        if not wanted:
            return
        dialog = self._dialogs.received(response)
        if dialog is not None and response.body and response.content_type == SDP:
            self._take_answer(response, dialog)
        self.early.processed(dialog, rack)
        if response.status in (180, 181, 182, 183) and self.state is CallState.CALLING:
            self._note(f"the other side: {response.status} {response.reason}")
            self._enter(CallState.RINGING)
        self.changes.notify()

    def dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that a request names, an early one too."""
        if self.dialog is not None or self._dialogs is None:
            return self.dialog
        tag = request.from_.tag or ""
        return next((each for each in self._dialogs if each.remote_tag == tag), None)

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
        except LibreImsError as error:
            return str(error)
        self._answer_from = dialog.remote_tag
        return ""

    def _on_challenged(self, response: Message, _: str) -> None:
        assert isinstance(response, Response) and self._transaction is not None
        request = self._transaction.request
        try:
            reply = self.agent.keyring.answer(response, request)
        except CannotAuthenticate as error:
            self._finish(Outcome("them", f"{explain(response)}: {error}", response.status))
            return
        self._send_invite(request.body, [reply.header])

    def _on_accepted(self, response: Message, _: str) -> None:
        assert isinstance(response, Response) and self._dialogs is not None
        dialog = self._dialogs.received(response)
        assert dialog is not None
        self.dialog = dialog
        self.early.close()
        problem = self._take_answer(response, dialog)
        self._acknowledge(dialog, response)
        if problem:
            self._bye(f"hung up at once: {problem}")
            return
        self._established()
        self.session_timer.accepted(response)

    def _acknowledge(self, dialog: Dialog, response: Response) -> None:
        ack = dialog.ack(response.cseq.number, self.agent.about_us())
        self.agent.stack.send(ack, self.agent.flow_for(ack))

    def _on_accepted_again(self, response: Message, _: str) -> None:
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

    def _on_refused(self, response: Message, _: str) -> None:
        assert isinstance(response, Response)
        by = "us" if self.state is CallState.CANCELLING else "them"
        text = "cancelled" if by == "us" else explain(response)
        self._finish(Outcome(by, text, response.status))

    def _on_failed(self, _: Message, why: str) -> None:
        self._finish(Outcome("network", why))

    def _on_give_up(self, _: Message, __: str) -> None:
        assert self._transaction is not None
        self._note("gives up calling")
        self._transaction.cancel()
        self._enter(CallState.CANCELLING)


class _InviteListener:
    """Feeds what becomes of our INVITE into the table."""

    __slots__ = ("_call",)

    def __init__(self, call: OutgoingCall) -> None:
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


OutgoingCall.table = {
    **COMMON,
    (CallState.CALLING, Event.PROGRESS): OutgoingCall._on_progress,
    (CallState.CALLING, Event.ACCEPTED): OutgoingCall._on_accepted,
    (CallState.CALLING, Event.CHALLENGED): OutgoingCall._on_challenged,
    (CallState.CALLING, Event.REFUSED): OutgoingCall._on_refused,
    (CallState.CALLING, Event.FAILED): OutgoingCall._on_failed,
    (CallState.CALLING, Event.HANG_UP): OutgoingCall._on_give_up,
    (CallState.RINGING, Event.PROGRESS): OutgoingCall._on_progress,
    (CallState.RINGING, Event.ACCEPTED): OutgoingCall._on_accepted,
    (CallState.RINGING, Event.CHALLENGED): OutgoingCall._on_refused,
    (CallState.RINGING, Event.REFUSED): OutgoingCall._on_refused,
    (CallState.RINGING, Event.FAILED): OutgoingCall._on_failed,
    (CallState.RINGING, Event.HANG_UP): OutgoingCall._on_give_up,
    (CallState.CANCELLING, Event.ACCEPTED): OutgoingCall._on_accepted_again,
    (CallState.CANCELLING, Event.CHALLENGED): OutgoingCall._on_refused,
    (CallState.CANCELLING, Event.REFUSED): OutgoingCall._on_refused,
    (CallState.CANCELLING, Event.FAILED): OutgoingCall._on_failed,
    (CallState.ESTABLISHED, Event.ACCEPTED): OutgoingCall._on_accepted_again,
    (CallState.LEAVING, Event.ACCEPTED): OutgoingCall._on_accepted_again,
    (CallState.ENDED, Event.ACCEPTED): OutgoingCall._on_accepted_again,
}
