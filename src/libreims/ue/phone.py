"""A simulated phone: registers, calls, answers, talks, and remembers everything.

The same class runs on real sockets (`libreims ue`, the demo) and on the simulated network with virtual time
(scenario tests):

    phone = Phone(network, clock, tokens, PhoneConfig(...))
    await phone.start()
    await phone.register()
    call = phone.call("tel:+33600000002")
    await call.wait_answered()
    await call.hold()
    call.hang_up()
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError, Reject
from libreims.base.tokens import Tokens
from libreims.net.port import Address, Flow, Network
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.multipart import find
from libreims.proto.sip.stack import ServerTransaction, SipTimers
from libreims.proto.sip.uri import Uri
from libreims.ue.agent import ALLOW, PHONE_TIMERS, Agent, Header
from libreims.ue.call import Call, Event
from libreims.ue.changes import Changes
from libreims.ue.config import PhoneConfig
from libreims.ue.incoming import ANSWER, AnswerMode, IncomingCall
from libreims.ue.media import MediaSession
from libreims.ue.outgoing import OutgoingCall
from libreims.ue.recorder import Recorder
from libreims.ue.registration import Registration
from libreims.ue.security import Ipsec
from libreims.ue.short_message import SMS_TYPE
from libreims.ue.sms import Sms
from libreims.ue.subscription import Subscription

_IN_DIALOG = ("INVITE", "UPDATE", "PRACK", "INFO", "BYE")


class PhoneError(LibreImsError):
    """The phone cannot do what it was asked to do now; the text says why."""


class Phone:
    """One phone."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        tokens: Tokens,
        config: PhoneConfig,
        *,
        timers: SipTimers = PHONE_TIMERS,
        answer_mode: AnswerMode = ANSWER,
        audio_file: Path | None = None,
        ipsec: Ipsec | None = None,
    ) -> None:
        """`ipsec`: what it registers through where `config.ipsec` names algorithms."""
        self.config = config
        self.recorder = Recorder(clock, keep=config.record)
        self.changes = Changes()
        """Notified when a call begins, changes or ends, and when the registration does."""
        self.answer_mode = answer_mode
        """What to do with calls that come in from now on."""
        self.audio_file = audio_file
        """Played instead of invented voice in calls from now on."""
        self.calls: list[Call] = []
        """All calls, the newest last; those that are over too."""
        self.messages: list[Request] = []
        """MESSAGE requests received that are no RP messages."""
        self._network = network
        self._clock = clock
        self._tokens = tokens
        self._dialogs: dict[tuple[str, str], Call] = {}
        self.agent = Agent(network, clock, tokens, config, self, self.recorder, timers, ipsec)
        self.registration = Registration(self.agent, self.changes.notify)
        self.subscription = Subscription(self.agent, self.registration)
        self.sms = Sms(self.agent)
        """Short messages."""

    # -- life --------------------------------------------------------------------------------------

    async def start(self) -> Address:
        """Open the sockets; returns where the phone listens. Raises OSError."""
        return await self.agent.open()

    def close(self) -> None:
        """Switch off without a word to anyone, as when the battery is taken out."""
        for call in self.calls:
            call.media.close()
        self.subscription.close()
        self.registration.close()
        self.agent.close()

    @property
    def address(self) -> Address:
        """Where it listens for SIP."""
        return self.agent.local

    # -- registration ------------------------------------------------------------------------------

    async def register(self, expires: int | None = None) -> Response:
        """Register, or refresh; later refreshes come by themselves.

        Raises RegistrationError, SubscriptionError.
        """
        response = await self.registration.register(expires)
        if self.config.subscribe and not self.subscription.active:
            await self.subscription.subscribe()
        return response

    async def reregister(self, *, fresh: bool = False) -> Response:
        """Refresh now; `fresh` asks for a new challenge, and new keys. Raises RegistrationError."""
        return await self.registration.register(fresh=fresh)

    async def deregister(self) -> Response:
        """De-register; calls that are up stay. Raises RegistrationError."""
        return await self.registration.deregister()

    @property
    def is_registered(self) -> bool:
        """Whether the server has accepted us and the time is not over."""
        return self.registration.is_registered

    # -- calls -------------------------------------------------------------------------------------

    def call(self, target: str, *, video: bool = False, text: bool = False) -> Call:
        """Start to call a number or URI; `await call.wait_answered()` follows. Raises NoPorts, SipParseError.

        `0600000001` becomes a tel URI with our domain as phone-context, `+33600000001` a global one.
        """
        kinds = ["audio", *(["video"] if video else []), *(["text"] if text else [])]
        call = OutgoingCall(self.agent, self._media(), self.changes.notify)
        try:
            call.start(self.uri_of(target), kinds)
        except LibreImsError:
            call.media.close()
            raise
        self._dialogs[call.call_id, call.local_tag] = call
        self.calls.append(call)
        self.changes.notify()
        return call

    def uri_of(self, target: str) -> str:
        """A URI for what a user dials. Raises SipParseError for a URI that is none."""
        if target.startswith("+"):
            return str(Uri.tel(target))
        if ":" not in target:
            if "@" in target:
                return f"sip:{target}"
            if target[:1].isalpha():
                return f"sip:{target}@{self.config.realm}"
            return str(Uri.tel(target, self.config.realm))
        return str(Uri.parse(target))

    def _media(self) -> MediaSession:
        return MediaSession(
            self._network, self._clock, self._tokens, self.config, self.address[0], self.audio_file
        )

    @property
    def active_call(self) -> Call | None:
        """The newest call that is not over."""
        return next((call for call in reversed(self.calls) if not call.is_over), None)

    async def incoming(self, timeout: float | None = 60.0) -> Call:
        """Wait for a call that comes in, or take one that rings already. Raises PhoneError."""

        def newest() -> Call | None:
            return next((call for call in reversed(self.calls) if call.incoming and not call.is_over), None)

        if not await self.changes.until(lambda: newest() is not None, timeout):
            raise PhoneError(f"no call came in within {timeout:g} s")
        call = newest()
        assert call is not None
        return call

    def forget_ended(self) -> None:
        """Drop calls that are over, for phones that run long."""
        self.calls = [call for call in self.calls if not call.is_over]
        self._dialogs = {key: call for key, call in self._dialogs.items() if not call.is_over}

    # -- requests (the stack's `TransactionUser`) --------------------------------------------------

    def request_received(self, transaction: ServerTransaction) -> None:
        """A new request, neither ACK nor CANCEL."""
        try:
            self._dispatch(transaction)
        except Reject as reject:
            self.recorder.note(f"refuses {transaction.request.method}: {reject.why}")
            self._respond(transaction, reject.status, reject.headers, reason=reject.reason)
        except SipParseError as error:
            self._respond(transaction, error.status, reason=error.reason)

    def _dispatch(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        self._check_require(request)
        method = request.method
        if method == "NOTIFY":
            self._notify(transaction)
        elif request.to.tag is not None:
            self._in_dialog(transaction)
        elif method == "INVITE":
            self._invited(transaction)
        elif method == "OPTIONS":
            headers: list[Header] = [("Allow", ALLOW), ("Accept", f"application/sdp, text/plain, {SMS_TYPE}")]
            headers.append(("Supported", ", ".join(self.agent.supported)))
            self._respond(transaction, 200, headers)
        elif method == "MESSAGE":
            self._message(transaction)
        elif method in _IN_DIALOG:
            raise Reject(481, f"{method} outside of a dialog")
        else:
            raise Reject(405, f"{method} is nothing a phone answers", headers=(("Allow", ALLOW),))

    def _message(self, transaction: ServerTransaction) -> None:
        """A short message (TS 24.341 §5.3.2.3), or text (RFC 3428 §7)."""
        request = transaction.request
        content_type = request.get("Content-Type") or "text/plain"
        body = find(content_type, request.body, SMS_TYPE, "render")
        if body is not None:
            report = self.sms.received(request, body)
            self._respond(transaction, 200)
            report()
            return
        self.messages.append(request)
        self._respond(transaction, 200)
        self.sms.take_text(request)
        self.changes.notify()

    def _check_require(self, request: Request) -> None:
        """RFC 3261 §8.2.2.3."""
        unknown = sorted(request.tokens("Require") - set(self.agent.supported))
        if unknown:
            names = ", ".join(unknown)
            raise Reject(420, f"it requires {names}", headers=(("Unsupported", names),))

    def _notify(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if not self.subscription.owns(request):
            raise Reject(481, "NOTIFY for no subscription of ours")
        self.subscription.notified_by(request)
        self._respond(transaction, 200)

    def _invited(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.body and request.content_type != "application/sdp":
            raise Reject(
                415, f"a body of type {request.content_type}", headers=(("Accept", "application/sdp"),)
            )
        call = IncomingCall(self.agent, self._media(), self.changes.notify, transaction)
        self.calls.append(call)
        self._dialogs[request.call_id, transaction.local_tag] = call
        mode = self.answer_mode
        if mode.status == 200 and any(not other.is_over for other in self.calls if other is not call):
            mode = AnswerMode(status=486, delay=0.0, ring=False)
        try:
            call.offered(mode)
        except Reject:
            self.calls.remove(call)
            del self._dialogs[request.call_id, transaction.local_tag]
            raise
        self.changes.notify()

    def _in_dialog(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        call = self._call_of(request)
        dialog = call.dialog_of(request) if call is not None else None
        if call is None or dialog is None or request.method not in _IN_DIALOG:
            raise Reject(481, f"{request.method} in a dialog that does not exist")
        dialog.accepts(request)
        if request.method == "BYE":
            if not call.event(Event.BYE, request):
                raise Reject(481, f"BYE in a call that is {call.state.value}")
            self._respond(transaction, 200)
        elif request.method == "INFO":
            self._info(transaction, call)
        elif request.method == "PRACK":
            call.early.pracked(transaction)
        elif request.method == "UPDATE" and call.is_early:
            call.early.updated(dialog, transaction)
        else:
            call.modification.requested(transaction)

    def _info(self, transaction: ServerTransaction, call: Call) -> None:
        request = transaction.request
        if request.get("Info-Package") is not None:
            raise Reject(469, "no INFO package is known", headers=(("Recv-Info", ""),))
        if call.is_over:
            raise Reject(481, "INFO in a call that is over")
        call.infos.append(request)
        self.recorder.note(f"INFO with {request.content_type or 'no body'}")
        self._respond(transaction, 200)
        call.changes.notify()

    def _call_of(self, request: Request) -> Call | None:
        return self._dialogs.get((request.call_id, request.to.tag or ""))

    def _respond(
        self,
        transaction: ServerTransaction,
        status: int,
        headers: Sequence[Header] = (),
        *,
        reason: str | None = None,
    ) -> None:
        response = Response.to_request(
            transaction.request, status, reason, tag=transaction.local_tag, headers=headers
        )
        transaction.respond(response)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The caller gives up."""
        del cancel
        call = self._dialogs.get((transaction.request.call_id, transaction.local_tag))
        if call is not None:
            call.event(Event.CANCEL)

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        """An ACK for a 2xx of ours."""
        del flow
        call = self._call_of(request)
        if call is not None:
            call.acknowledged(request, transaction)

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        """Nothing that can be answered."""
        self.recorder.note(f"{len(data)} octets from {flow.remote[0]} that are not SIP: {error}")
