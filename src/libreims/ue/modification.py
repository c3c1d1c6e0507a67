"""Changes of a call that is up: hold, resume, and what the other side wants to change.

RFC 3261 §14 (re-INVITE), RFC 3311 (UPDATE), RFC 3264 §8, RFC 6337.  One change at a time: a second one from
either side gets 491, and ours is tried again a little later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction
from libreims.ue.agent import ALLOW, Header, explain, unanswered, undelivered
from libreims.ue.credentials import CannotAuthenticate
from libreims.ue.errors import CallError

if TYPE_CHECKING:
    from libreims.ue.call import Call

_SDP = "application/sdp"
_ATTEMPTS = 5
"""Tries of one change: challenges and 491 included."""

_GONE = (408, 481)
"""The peer does not know the dialog any more (RFC 3261 §12.2.1.2)."""


class Modification:
    """The change that is under way in one call, if any."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._future: asyncio.Future[None] | None = None
        self._held = False
        self._held_before = False
        self._method = ""
        self._attempts = 0
        self._timer: Cancellable | None = None
        self._awaits_answer = False
        self._acked: dict[int, None] = {}
        """CSeq of our re-INVITEs that were accepted: a 2xx that comes again is acknowledged again."""

    @property
    def in_progress(self) -> bool:
        """Whether an offer is out, ours or theirs."""
        return self._future is not None or self._awaits_answer

    # -- ours --------------------------------------------------------------------------------------

    async def change(self, *, held: bool, method: str) -> None:
        """Hold or resume and wait for the answer. Raises CallError; then nothing has changed."""
        call = self._call
        if not call.is_established:
            raise CallError(f"cannot change a call that is {call.state.value}")
        if self.in_progress:
            raise CallError("another change of this call is under way")
        self._future = asyncio.get_running_loop().create_future()
        self._held, self._held_before = held, call.media.held
        self._method, self._attempts = method, 0
        self._attempt()
        await self._future

    def _attempt(self) -> None:
        """Send the offer, the first time or again."""
        self._timer = None
        call = self._call
        self._attempts += 1
        assert call.dialog is not None
        body = call.media.reoffer(held=self._held)
        headers: list[Header] = [
            ("Contact", call.agent.contact()),
            ("Allow", ALLOW),
            *call.session_timer.again(),
            ("Content-Type", _SDP),
        ]
        request = call.dialog.new_request(self._method, [*call.agent.common(), *headers], body)
        for name, value in call.agent.keyring.again(self._method, request.uri, body):
            request.add(name, value)
        call.agent.stack.request(request, call.agent.flow_for(request), _Listener(self))

    def answered(self, transaction: ClientTransaction, response: Response) -> None:
        """A final response to our re-INVITE or UPDATE."""
        call, request = self._call, transaction.request
        status = response.status
        if status < 300:
            self._accepted(request, response)
        elif self._future is None:
            return
        elif status in (401, 407) and self._attempts < _ATTEMPTS:
            self._challenged(request, response)
        elif status == 491 and self._attempts < _ATTEMPTS:
            self._wait_and_retry()
        else:
            self._refused(explain(response), status)
            if status in _GONE:
                call.lost(f"{request.method} in the call: {explain(response)}")

    def _accepted(self, request: Request, response: Response) -> None:
        call = self._call
        assert call.dialog is not None
        number = request.cseq.number
        again = number in self._acked
        if request.method == "INVITE":
            self._acked[number] = None
            ack = call.dialog.ack(number, call.agent.about_us())
            call.agent.stack.send(ack, call.agent.flow_for(ack))
        if again or self._future is None:
            return
        call.dialog.refresh_target(response)
        call.session_timer.accepted(response)
        try:
            call.media.answered(response.body)
        except LibreImsError as error:
            self._refused(str(error), response.status)
            return
        call.agent.recorder.note("holds the other side" if self._held else "took the other side back")
        future, self._future = self._future, None
        if not future.done():
            future.set_result(None)
        call.changes.notify()

    def _challenged(self, request: Request, response: Response) -> None:
        try:
            self._call.agent.keyring.answer(response, request)
        except CannotAuthenticate as error:
            self._refused(f"{explain(response)}: {error}", response.status)
        else:
            self._attempt()

    def _wait_and_retry(self) -> None:
        """RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s."""
        agent = self._call.agent
        self._call.media.abandon(held=self._held_before)
        delay = agent.tokens.uniform(0.0, 2.0) if self._call.incoming else agent.tokens.uniform(2.1, 4.0)
        self._timer = agent.clock.call_later(delay, self._attempt)

    def failed(self, why: str) -> None:
        """No answer at all: the call is lost (RFC 3261 §12.2.1.2)."""
        if self._future is not None:
            self._refused(why, 0)
            self._call.lost(why)

    def _refused(self, why: str, status: int) -> None:
        self._call.media.abandon(held=self._held_before)
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_exception(CallError(why, status))

    def ended(self, why: str) -> None:
        """The call is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaits_answer = False
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_exception(CallError(f"the call ended: {why}"))

    # -- theirs ------------------------------------------------------------------------------------

    def requested(self, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE came in the dialog."""
        call, request = self._call, transaction.request
        if not call.is_established:
            # RFC 3261 §14.2, RFC 3311 §5.2: the first INVITE is not done yet.
            self._respond(transaction, 500, (("Retry-After", str(call.agent.tokens.integer(0, 10))),))
            return
        offers = bool(request.body) or request.method == "INVITE"
        # While we wait to try again after 491 the way is free for the other side.
        if self._awaits_answer or (self._future is not None and self._timer is None and offers):
            self._respond(transaction, 491)
            return
        if request.body and request.content_type != _SDP:
            self._respond(transaction, 415, (("Accept", _SDP),))
            return
        assert call.dialog is not None
        held_before = call.media.held_by_peer
        try:
            body = self._answer(request)
        except LibreImsError as error:
            call.agent.recorder.note(f"refuses {request.method}: {error}")
            self._respond(transaction, 488)
            return
        call.dialog.refresh_target(request)
        self._respond(transaction, 200, body=body)
        if call.media.held_by_peer != held_before:
            what = "the other side holds us" if call.media.held_by_peer else "the other side took us back"
            call.agent.recorder.note(what)
        call.changes.notify()

    def _answer(self, request: Request) -> bytes:
        media = self._call.media
        if request.body:
            return media.offered(request.body)
        if request.method == "UPDATE":
            return b""
        self._awaits_answer = True
        return media.reoffer()

    def acknowledged(self, request: Request) -> None:
        """The ACK to a re-INVITE; it brings the answer where the offer was in our 200."""
        if not self._awaits_answer:
            return
        self._awaits_answer = False
        try:
            self._call.media.answered(request.body)
        except LibreImsError as error:
            self._call.lost(f"the ACK brings no answer to our offer: {error}")

    def _respond(
        self,
        transaction: ServerTransaction,
        status: int,
        headers: tuple[Header, ...] = (),
        body: bytes = b"",
    ) -> None:
        call = self._call
        extra: list[Header] = [*headers]
        if status == 200:
            extra += [("Contact", call.agent.contact()), ("Allow", ALLOW)]
            extra += call.session_timer.answer(transaction.request)
            transaction.listener = _AckListener(self)
        if body:
            extra.append(("Content-Type", _SDP))
        transaction.respond(
            Response.to_request(transaction.request, status, tag=call.local_tag, headers=extra, body=body)
        )

    def no_ack(self) -> None:
        """Our 200 to a re-INVITE was never acknowledged (RFC 3261 §14.2)."""
        self._awaits_answer = False
        self._call.lost("no ACK came for our 200 to a re-INVITE")


class _Listener:
    """Hears what becomes of our re-INVITE or UPDATE."""

    __slots__ = ("_modification",)

    def __init__(self, modification: Modification) -> None:
        self._modification = modification

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Only final responses matter."""
        if response.status >= 200:
            self._modification.answered(transaction, response)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """Nobody answered."""
        self._modification.failed(unanswered(transaction))

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """It could not be sent."""
        self._modification.failed(undelivered(transaction, error))


class _AckListener:
    """Hears of a missing ACK."""

    __slots__ = ("_modification",)

    def __init__(self, modification: Modification) -> None:
        self._modification = modification

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """64*T1 without ACK."""
        del transaction
        self._modification.no_ack()

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """Our answer did not arrive."""
        del transaction
        self._modification.no_ack()
