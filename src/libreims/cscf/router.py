"""SIP's one way in: every request passes here and leaves with an answer.

Order: hook (log, count) -> general checks of RFC 3261 §8.2 -> the dialog it belongs to, or the procedure of
its method.  A procedure answers by itself or raises `Reject`; anything else that it raises is a fault of
ours and becomes a 500 (one of the three places where that is caught).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from libreims.base.counters import Counters
from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.base.metrics import Histogram
from libreims.cscf.answer import Answer
from libreims.cscf.callflow import Callflow
from libreims.cscf.eager import Serial
from libreims.cscf.options import EXTENSIONS
from libreims.cscf.user_agent import ALLOW, UserAgent
from libreims.net.address import text
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.proto.sip.validation import check_request

METHODS = frozenset(name.strip() for name in ALLOW.split(","))


class Dialogs(Protocol):
    """Whoever owns dialogs: calls, reg-event subscriptions."""

    def in_dialog(self, transaction: ServerTransaction) -> bool:
        """Take a request with a To tag; False when its dialog is not here. Raises Reject."""


Handler = Callable[[ServerTransaction], Coroutine[Any, Any, Answer | None] | None]
"""Serves a request outside dialogs, at once or as a coroutine that may return the answer; raises Reject."""


class Timing(NamedTuple):
    """How long a procedure takes is measured, from the request to the answer."""

    time: Callable[[], float]
    histogram: Histogram


class Router:
    """The transaction user of the SIP stack."""

    agent: UserAgent
    """Set once the stack, which needs a transaction user first, is there."""

    def __init__(self, callflow: Callflow, serial: Serial, counters: Counters, log: LayerLog) -> None:
        self._callflow = callflow
        self._serial = serial
        self._counters = counters
        self._log = log
        self._handlers: dict[str, tuple[Handler, Callable[[Request], str], Timing | None]] = {}
        self._dialogs: list[Dialogs] = []
        self.admit: Callable[[Request, Flow], None] | None = None
        """Asked before any procedure whether a request may come the way that it came; raises Reject."""
        self.binding_at: Callable[[Flow], int | None] = lambda flow: None
        """Identifier of the registration that a request came from, for the log (manual §9.1)."""
        self.ack: Callable[[Request], bool] = lambda ack: False
        self.cancel: Callable[[ServerTransaction, Request], None] = lambda transaction, cancel: None

    def serve(
        self, method: str, handler: Handler, key: Callable[[Request], str], timing: Timing | None = None
    ) -> None:
        """Name who serves a method outside dialogs; requests with the same key are served one by one."""
        self._handlers[method] = (handler, key, timing)

    def own_dialogs(self, owner: Dialogs) -> None:
        """Name an owner of dialogs; asked in the order of naming."""
        self._dialogs.append(owner)

    # -- from the stack ------------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction) -> None:
        """Any request but ACK and CANCEL."""
        request = transaction.request
        try:
            self._callflow.received(request, transaction.flow)
            deviations = self.agent.deviations
            if not deviations.scopes.active or deviations.request_received(transaction):
                self._dispatch(transaction)
        except Reject as reject:
            self._rejected(transaction, reject)
        except SipParseError as error:
            self._rejected(transaction, unreadable(request, error))
        except Exception as error:  # noqa: BLE001 - the request gets its answer, the server lives
            self._failed(transaction, error)

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        """The ACK of a 2xx."""
        try:
            self._callflow.received(request, flow)
            if not self.agent.deviations.ack_received(request, flow, transaction):
                return
            if not self.ack(request):
                self._log.info(f"ACK from {flow.remote[0]} belongs to no call", id=self.binding_at(flow))
        except Reject as reject:
            self._log.warn(reject.why, id=self.binding_at(flow))
        except SipParseError as error:
            self._log.warn(f"ACK from {flow.remote[0]}: {error.reason}")
        except Exception as error:  # noqa: BLE001 - as in request_received, though nobody is answered
            self._counters.error("internal")
            self._log.exception(f"ACK from {flow.remote[0]} met a fault of the server", error)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """A CANCEL that found its INVITE; the stack has logged and answered it."""
        try:
            if not self.agent.deviations.cancelled(transaction):
                self.cancel(transaction, cancel)
        except Exception as error:  # noqa: BLE001 - as in request_received
            self._failed(transaction, error)

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        """Octets that are no SIP message, or one that may not be answered."""
        self._counters.error("sip_bad_message")
        if not data:
            self._log.warn(
                f"the TCP connection from {text(flow.remote)} is closed, what came is no SIP message that "
                f"can be answered: {error.reason}"
            )
            return
        start = data[:60].split(b"\r\n", 1)[0].decode("ascii", "replace")
        self._log.warn(
            f"{len(data)} octets from {text(flow.remote)} ({flow.transport}) are no SIP message that can be "
            f"answered: {error.reason}; they begin with {start!r}"
        )

    def malformed(self, request: Request, flow: Flow, error: SipParseError) -> None:
        """A request against the rules of SIP, which the stack answers."""
        self._log.warn(
            f"{error.status}: {request.method} from {text(flow.remote)} is against the rules of SIP: "
            f"{error.reason}; mend the phone",
            id=self.binding_at(flow),
        )

    # -- inside ----------------------------------------------------------------------------------------

    def _dispatch(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        verdict = check_request(request, methods=METHODS, extensions=EXTENSIONS)
        if verdict is not None:
            why = f"{request.method} from {transaction.flow.remote[0]}: {verdict.why}"
            raise Reject(verdict.status, why, reason=verdict.reason, headers=verdict.headers)
        if self.admit is not None:
            self.admit(request, transaction.flow)
        # A registration has no dialog: a tag that a phone leaves in the To of its refresh does no harm.
        if request.to.tag is not None and request.method != "REGISTER":
            for owner in self._dialogs:
                if owner.in_dialog(transaction):
                    return
            place = transaction.flow.remote[0]
            raise Reject(481, f"{request.method} from {place} for a dialog that does not exist")
        served = self._handlers.get(request.method)
        if served is None:
            raise Reject(481, f"{request.method} from {transaction.flow.remote[0]} belongs to no dialog")
        handler, key, timing = served
        procedure = handler(transaction)
        if procedure is not None:
            guarded = self._guarded(transaction, procedure)
            if timing is not None:
                guarded = _timed(guarded, timing, timing.time())
            self._serial.run((request.method, key(request)), guarded)

    async def _guarded(
        self, transaction: ServerTransaction, procedure: Coroutine[Any, Any, Answer | None]
    ) -> None:
        request = transaction.request
        try:
            answer = await procedure
            if answer is not None:
                self.agent.respond(transaction, answer)
        except Reject as reject:
            self._rejected(transaction, reject)
        except SipParseError as error:
            self._rejected(transaction, unreadable(request, error))
        except Exception as error:  # noqa: BLE001 - as in request_received, for what had to wait
            self._failed(transaction, error)

    def _rejected(self, transaction: ServerTransaction, reject: Reject) -> None:
        if reject.status not in (401, 407):
            self._log.warn(f"{reject.status}: {reject.why}", id=self.binding_at(transaction.flow))
        elif self._log.info_on:
            self._log.info(f"{reject.status}: {reject.why}", id=self.binding_at(transaction.flow))
        if not transaction.answered:
            self.agent.respond(transaction, Answer(reject.status, reject.reason, reject.headers))

    def _failed(self, transaction: ServerTransaction, error: Exception) -> None:
        self._counters.error("internal")
        self._log.exception(f"{transaction.request.method} met a fault of the server", error)
        if not transaction.answered:
            self.agent.respond(transaction, Answer(500))


async def _timed(procedure: Coroutine[Any, Any, None], timing: Timing, begin: float) -> None:
    await procedure
    timing.histogram.observe(timing.time() - begin)


def unreadable(request: Request, error: SipParseError) -> Reject:
    """A header that was only read now turned out to be malformed."""
    return Reject(error.status, f"{request.method} cannot be served: {error.reason}", reason=error.reason)
