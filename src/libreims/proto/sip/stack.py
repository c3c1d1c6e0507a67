"""The SIP stack: octets in, transactions out, and the other way round (RFC 3261 §17 and §18).

Pure: the net side calls `receive` and `transport_error`, octets leave through a `SendPort`, time and tokens
come from outside.  The transaction user is the program's SIP router.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol

from libreims.base.clock import Clock
from libreims.base.tokens import Tokens
from libreims.proto.sip.client_transaction import (
    ClientTransaction,
    InviteClientTransaction,
    NonInviteClientTransaction,
)
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.headers import Via
from libreims.proto.sip.linger import LingerQueue
from libreims.proto.sip.matching import CANCELLABLE, ack_key, has_cookie, merge_key, server_key
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.response_path import stamp
from libreims.proto.sip.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerTransaction,
)
from libreims.proto.sip.timers import SipTimers
from libreims.proto.sip.transaction import (
    AckKey,
    ClientKey,
    ClientListener,
    MergeKey,
    SendPort,
    ServerKey,
    ServerListener,
    State,
)
from libreims.proto.sip.validation import check_response

__all__ = [
    "ClientListener",
    "ClientTransaction",
    "SendPort",
    "ServerListener",
    "ServerTransaction",
    "SipStack",
    "SipTimers",
    "State",
    "TransactionUser",
]


class TransactionUser(Protocol):
    """Who answers requests."""

    def request_received(self, transaction: ServerTransaction) -> None:
        """A new request, neither ACK nor CANCEL."""

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The peer gives up an INVITE that has no final answer yet; the CANCEL itself has been answered."""

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        """An ACK to a 2xx; `transaction` is its INVITE's where that still waits for it."""

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        """What came is no SIP message, and nothing could be answered."""


class _Answered:
    """What remains of a server transaction that is over: its response, for retransmissions.

    Of an INVITE it is the tag of its 2xx as well, for a CANCEL that comes late, and a weak reference to the
    transaction: the whole request would be some kilobytes for each call of the last two minutes.
    """

    __slots__ = ("_data", "_flow", "_invite", "_send", "local_tag")

    def __init__(
        self,
        send: Callable[[bytes, Flow], None],
        data: bytes,
        flow: Flow,
        invite: InviteServerTransaction | None = None,
    ) -> None:
        self._send = send
        self._data = data
        self._flow = flow
        self._invite = None if invite is None else weakref.ref(invite)
        self.local_tag = "" if invite is None else invite.local_tag

    def ended(self) -> None:
        """Retransmissions can come no more."""
        invite = None if self._invite is None else self._invite()
        if invite is not None:
            invite.state = State.TERMINATED

    def retransmitted(self, request: Request, flow: Flow) -> None:
        """Answer again, unless it was never answered."""
        del request, flow
        if self._data:
            self._send(self._data, self._flow)


class SipStack:
    """All transactions of one node.

    `timers` may be replaced at run time and holds for what starts afterwards.  Five hooks for logs:
    `originated` sees what the stack sends by itself (ACK, 100, answers to CANCEL and malformed requests),
    `malformed` sees requests that are answered for their form alone, before their answer,
    `absorbed` sees requests that go no further (ACK to a failure, CANCEL, merged), `stray` sees
    responses without a transaction, which are dropped (RFC 6026 §8.9), `unfit` sees those that are dropped
    for what is in them, with a sentence that says what (RFC 3261 §8.1.3.3).  `keep_octets` is asked whether
    somebody wants to see messages as they come and go (`Message.octets`).  `screen` is asked before the
    CANCEL of an INVITE with a `context` is answered: True when it has dealt with it, and the INVITE goes on.
    `fits` is asked whether a message that came on one flow may belong to a transaction on another one.
    `answers` says which way answers take to what came on a flow; it is given that and what the Via says.
    """

    def __init__(
        self, clock: Clock, tokens: Tokens, timers: SipTimers, transport: SendPort, user: TransactionUser
    ) -> None:
        self.clock = clock
        self.tokens = tokens
        self.timers = timers
        self.user = user
        self.originated: Callable[[Message, Flow], None] | None = None
        self.absorbed: Callable[[Request, Flow], None] | None = None
        self.stray: Callable[[Response, Flow], None] | None = None
        self.unfit: Callable[[Response, Flow, str], None] | None = None
        self.malformed: Callable[[Request, Flow, SipParseError], None] | None = None
        self.keep_octets: Callable[[], bool] | None = None
        self.screen: Callable[[ServerTransaction, ServerTransaction], bool] | None = None
        self.fits: Callable[[Message, Flow, Flow], bool] | None = None
        self.answers: Callable[[Flow, Flow], Flow] = lambda flow, back: back
        self.transmit = transport.send
        self.retransmissions_received = 0
        """Requests that came again."""
        self.retransmissions_sent = 0
        """Messages that were sent again because no answer came."""
        self._clients: dict[ClientKey, ClientTransaction | None] = {}  # None: completed, absorbs responses
        self._servers: dict[ServerKey, ServerTransaction | _Answered] = {}
        self._merges: dict[MergeKey, ServerKey] = {}
        self._acks: dict[AckKey, ServerTransaction] = {}
        # Those on TCP by the host of the peer, in order: connections break as often as peers please.
        self._on_tcp: dict[str, dict[ClientTransaction | ServerTransaction, None]] = {}
        self._vias: dict[tuple[str, str, int], str] = {}
        self._lingering_clients = LingerQueue(clock, self.client_ended)
        self._lingering_servers = LingerQueue(clock, self._server_ended)
        self._accepted_clients: LingerQueue[ClientTransaction] = LingerQueue(
            clock, ClientTransaction.terminate
        )
        self._stateless_tag = tokens.tag()

    # -- what the net side calls -----------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow) -> None:
        """One message arrived."""
        try:
            message = parse(data)
        except SipParseError as error:
            self._malformed(data, flow, error)
            return
        if self.keep_octets is not None and self.keep_octets():
            message.octets = data
        if isinstance(message, Request):
            self._request_received(message, flow)
        else:
            self._response_received(message, flow)

    def transport_error(self, flow: Flow, error: Exception) -> None:
        """What was sent on `flow` did not arrive: a refused or broken connection (RFC 3261 §18.4).

        A stream that became unreadable (`FramingError`) gets its answer first, while it is still open.
        """
        if isinstance(error, SipParseError):
            self._malformed(b"", flow, error)
        for transaction in self._on_host(flow):
            if isinstance(transaction, ClientTransaction):
                if _same_path(transaction.flow, flow):
                    transaction.transport_error(error)
            # A broken connection is no failure here: the response can be sent on a new one (§18.2.2).
            elif transaction.answered and _same_peer(transaction.reply_flow, flow):
                transaction.transport_error()

    def _on_host(self, flow: Flow) -> list[ClientTransaction | ServerTransaction]:
        if flow.transport == "TCP":
            return list(self._on_tcp.get(flow.remote[0], ()))
        servers = [each for each in self._servers.values() if isinstance(each, ServerTransaction)]
        return [*filter(None, self._clients.values()), *servers]

    # -- what the user calls ---------------------------------------------------------------------

    def request(self, request: Request, flow: Flow, listener: ClientListener) -> ClientTransaction:
        """Send a request in a transaction of its own; a Via is put on top of it."""
        branch = self.tokens.branch()
        request.prepend("Via", self._via(flow) + branch)
        return self._start(request, branch, flow, listener)

    def send(self, request: Request, flow: Flow) -> None:
        """Send the ACK to a 2xx, which has no transaction (RFC 3261 §13.2.2.4); a Via is put on top."""
        request.prepend("Via", self._via(flow) + self.tokens.branch())
        self.transmit(self.encoded(request), flow)

    @property
    def transactions(self) -> int:
        """Entries in the tables, traces of completed transactions included: 0 after everything has ended."""
        entries = len(self._clients) + len(self._servers) + len(self._merges) + len(self._acks)
        return entries + len(self._on_tcp)

    @property
    def active(self) -> int:
        """Transactions that are not yet completed."""
        servers = sum(isinstance(each, ServerTransaction) for each in self._servers.values())
        return servers + sum(each is not None for each in self._clients.values())

    def stop(self) -> None:
        """End all transactions without a word to anyone; the listeners are let go."""
        for client in list(self._clients.values()):
            if client is not None:
                client.stop()
        for server in list(self._servers.values()):
            if isinstance(server, ServerTransaction):
                server.stop()
        self._clients.clear()
        self._servers.clear()
        self._merges.clear()
        self._acks.clear()
        self._on_tcp.clear()
        self._lingering_clients.clear()
        self._lingering_servers.clear()
        self._accepted_clients.clear()

    # -- requests --------------------------------------------------------------------------------

    def _request_received(self, request: Request, flow: Flow) -> None:
        via = request.via
        reply_flow = self.answers(flow, stamp(request, via, flow))
        method = request.method
        if method == "ACK":
            self._ack_received(request, via, flow)
            return
        key = server_key(request, via, method)
        known = self._servers.get(key)
        if known is not None:
            self.retransmissions_received += 1
            known.retransmitted(request, flow)
            return
        if method == "CANCEL":
            self._cancel_received(request, via, key, flow, reply_flow)
            return
        merge = merge_key(request)
        if merge is not None:
            if merge in self._merges:
                self._refuse_merged(request, flow, reply_flow)
                return
            self._merges[merge] = key
        machine = InviteServerTransaction if method == "INVITE" else NonInviteServerTransaction
        transaction = machine(self, key, merge, request, flow, reply_flow)
        self._servers[key] = transaction
        if flow.transport == "TCP":
            self._on_tcp.setdefault(flow.remote[0], {})[transaction] = None
        try:
            self.user.request_received(transaction)
        finally:
            if not transaction.answered:
                transaction.guard()

    def _refuse_merged(self, request: Request, flow: Flow, reply_flow: Flow) -> None:
        """RFC 3261 §8.2.2.2: the same request came by another path and is being answered there.

        Answered without a transaction: the next retransmission gets the same again.
        """
        if self.absorbed is not None:
            self.absorbed(request, flow)
        response = Response.to_request(request, 482, tag=self._stateless_tag)
        self.transmit_own(response, reply_flow)

    def _ack_received(self, ack: Request, via: Via, flow: Flow) -> None:
        known = self._servers.get(server_key(ack, via, "INVITE"))
        if isinstance(known, InviteServerTransaction) and not self._belongs(ack, flow, known.flow):
            return
        if isinstance(known, InviteServerTransaction) and self._acknowledges(ack, via, known):
            if known.state is not State.ACCEPTED:
                if self.absorbed is not None:
                    self.absorbed(ack, flow)
                known.ack_received()
                return
            # The branch of the INVITE on an ACK to a 2xx is wrong, but nothing is unclear about it.
            self.user.ack_received(ack, flow, known)
            return
        waiting = self._acks.get(ack_key(ack))
        if waiting is None or self._belongs(ack, flow, waiting.flow):
            self.user.ack_received(ack, flow, waiting)

    @staticmethod
    def _acknowledges(ack: Request, via: Via, invite: InviteServerTransaction) -> bool:
        """RFC 3261 §17.2.3: an old client's ACK matches by the To tag of our response as well."""
        return has_cookie(via) or invite.state is State.PROCEEDING or ack.to.tag == invite.local_tag

    def _cancel_received(
        self, cancel: Request, via: Via, key: ServerKey, flow: Flow, reply_flow: Flow
    ) -> None:
        """RFC 3261 §9.2: 200 with the To tag of the INVITE, whatever its state; 481 without a match."""
        if self.absorbed is not None:
            self.absorbed(cancel, flow)
        invite = self._servers.get(server_key(cancel, via, "INVITE"))
        if isinstance(invite, InviteServerTransaction) and not self._belongs(cancel, flow, invite.flow):
            invite = None
        transaction = NonInviteServerTransaction(self, key, None, cancel, flow, reply_flow)
        if isinstance(invite, InviteServerTransaction) and self._screened(invite, transaction):
            return
        if isinstance(invite, InviteServerTransaction):
            response = Response.to_request(cancel, 200, tag=invite.local_tag)
        elif invite is not None:
            response = Response.to_request(cancel, 200, tag=invite.local_tag or transaction.local_tag)
        elif any(server_key(cancel, via, method) in self._servers for method in CANCELLABLE):
            response = Response.to_request(cancel, 200, tag=transaction.local_tag)
        else:
            response = Response.to_request(cancel, 481, tag=transaction.local_tag)
        if self.originated is not None:
            self.originated(response, reply_flow)
        transaction.respond(response)
        if isinstance(invite, InviteServerTransaction) and invite.state is State.PROCEEDING:
            self.user.cancel_received(invite, cancel)

    def _screened(self, invite: ServerTransaction, cancel: ServerTransaction) -> bool:
        return (
            self.screen is not None
            and invite.context is not None
            and invite.state is State.PROCEEDING
            and self.screen(invite, cancel)
        )

    def _malformed(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        """Answer without a transaction where the message lets us, else hand it to the user."""
        request = error.request
        if request is None or request.method == "ACK":
            self.user.bad_message(data, flow, error)
            return
        try:
            reply_flow = self.answers(flow, stamp(request, request.via, flow))
            response = Response.to_request(request, error.status, error.reason, tag=self._stateless_tag)
            octets = response.encode()
        except ValueError:  # too broken to be answered after all
            self.user.bad_message(data, flow, error)
            return
        if self.malformed is not None:
            self.malformed(request, flow, error)
        if self.originated is not None:
            self.originated(response, reply_flow)
        self.transmit(octets, reply_flow)

    # -- responses -------------------------------------------------------------------------------

    def _response_received(self, response: Response, flow: Flow) -> None:
        """RFC 3261 §17.1.3: by the branch of the topmost Via and the method of the CSeq.

        One that is not meant for us, or cannot be used, gets no further: the transaction waits for another.
        """
        key = (response.via.params.get("branch") or "", response.cseq.method)
        clients = self._clients
        transaction = clients.get(key)
        if transaction is not None and self._belongs(response, flow, transaction.flow):
            fault = check_response(response)
            if fault is None:
                transaction.receive(response)
            elif self.unfit is not None:
                self.unfit(response, flow, fault)
        elif key not in clients and self.stray is not None:
            self.stray(response, flow)

    def _belongs(self, message: Message, flow: Flow, known: Flow) -> bool:
        return flow.local == known.local or self.fits is None or self.fits(message, flow, known)

    # -- what transactions call (`transaction.Layer`) --------------------------------------------

    def encoded(self, message: Message) -> bytes:
        """The octets of a message, left with it where somebody wants to see them."""
        data = message.encode()
        if self.keep_octets is not None and self.keep_octets():
            message.octets = data
        return data

    def retransmit(self, data: bytes, flow: Flow) -> None:
        """See `transaction.Layer`."""
        self.retransmissions_sent += 1
        self.transmit(data, flow)

    def transmit_own(self, message: Message, flow: Flow) -> bytes:
        """Send what the stack itself made."""
        if self.originated is not None:
            self.originated(message, flow)  # may put headers in
        data = message.encode()
        self.transmit(data, flow)
        return data

    def start_cancel(self, cancel: Request, branch: str, flow: Flow) -> ClientTransaction:
        """Start the transaction of a CANCEL."""
        if self.originated is not None:
            self.originated(cancel, flow)
        return self._start(cancel, branch, flow, None)

    def _start(
        self, request: Request, branch: str, flow: Flow, listener: ClientListener | None
    ) -> ClientTransaction:
        method = request.method
        key = (branch, method)
        machine = InviteClientTransaction if method == "INVITE" else NonInviteClientTransaction
        transaction = machine(self, key, request, flow, listener)
        self._clients[key] = transaction
        if flow.transport == "TCP":
            self._on_tcp.setdefault(flow.remote[0], {})[transaction] = None
        transaction.start()
        return transaction

    def client_accepted(self, transaction: ClientTransaction, linger: float) -> None:
        """Take further 2xx for a while."""
        self._accepted_clients.add(linger, transaction)

    def client_completed(self, key: ClientKey, linger: float) -> None:
        """Absorb late responses for a while."""
        if linger > 0.0:
            self._clients[key] = None
            self._lingering_clients.add(linger, key)
        else:
            self.client_ended(key)

    def client_ended(self, key: ClientKey) -> None:
        """Forget a client transaction."""
        transaction = self._clients.pop(key, None)
        if transaction is not None and transaction.flow.transport == "TCP":
            self._leave_tcp(transaction)

    def server_completed(
        self, key: ServerKey, merge: MergeKey | None, data: bytes, flow: Flow, linger: float
    ) -> None:
        """Answer retransmissions for a while."""
        transaction = self._servers.get(key)
        if isinstance(transaction, ServerTransaction) and transaction.flow.transport == "TCP":
            self._leave_tcp(transaction)
        if linger > 0.0:
            invite = transaction if isinstance(transaction, InviteServerTransaction) else None
            self._servers[key] = _Answered(self.transmit, data, flow, invite)
            self._lingering_servers.add(linger, (key, merge))
        else:
            self._server_ended((key, merge))

    def _server_ended(self, ended: tuple[ServerKey, MergeKey | None]) -> None:
        key, merge = ended
        trace = self._servers.pop(key, None)
        if isinstance(trace, _Answered):
            trace.ended()
        if merge is not None:
            self._merges.pop(merge, None)

    def _leave_tcp(self, transaction: ClientTransaction | ServerTransaction) -> None:
        host = transaction.flow.remote[0]
        transactions = self._on_tcp.get(host)
        if transactions is not None:
            transactions.pop(transaction, None)
            if not transactions:
                del self._on_tcp[host]

    def forget_merge(self, merge: MergeKey) -> None:
        """Let the same request in again: clients repeat their CSeq with credentials."""
        self._merges.pop(merge, None)

    def awaits_ack(self, key: AckKey, transaction: ServerTransaction) -> None:
        """Remember who waits for an ACK."""
        self._acks[key] = transaction

    def ack_settled(self, key: AckKey) -> None:
        """No longer."""
        self._acks.pop(key, None)

    def _via(self, flow: Flow) -> str:
        """Via of our own requests up to the branch (RFC 3261 §18.1.1, RFC 3581 §3)."""
        transport = flow.transport
        host, port = flow.local
        key = (transport, host, port)
        via = self._vias.get(key)
        if via is None:
            sent_by = f"[{host}]" if ":" in host else host
            rport = ";rport" if transport == "UDP" else ""
            via = self._vias[key] = f"SIP/2.0/{transport} {sent_by}:{port}{rport};branch="
        return via


def _same_path(ours: Flow, failed: Flow) -> bool:
    """Whether what is sent on one flow shares the fate of the other."""
    same = ours.connection != 0 and ours.connection == failed.connection
    return same or _same_peer(ours, failed)


def _same_peer(ours: Flow, failed: Flow) -> bool:
    return ours.remote == failed.remote and ours.local == failed.local and ours.transport == failed.transport
