"""SIP's one way out: procedures hand over answers and requests, this makes them messages and sends them.

It adds what belongs to every message of ours (User-Agent or Server, Max-Forwards, Contact), lets the
callflow hook see it, and gives it to the transaction layer.  It also knows how a peer is reached:
which of our addresses faces it, and when a request is too big for UDP (RFC 3261 §18.1.1).
"""

from __future__ import annotations

from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.cscf.callflow import Callflow
from libreims.cscf.deviated_requests import DeviatedRequests
from libreims.cscf.deviations import Deviations
from libreims.cscf.modifiers import CallflowContext
from libreims.net.address import bracketed
from libreims.net.sip_transport import SipTransport
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.proto.sip.stack import ClientListener, SipStack
from libreims.proto.sip.transaction import State
from libreims.proto.sip.uri import Uri

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REGISTER, SUBSCRIBE, MESSAGE"
"""Methods that the server handles (RFC 3261 §20.5)."""
OUTSIDE_CALLS = frozenset({"NOTIFY", "MESSAGE"})
"""Requests of ours for which the modifiers are those of the user whom they go to."""
VIA_OCTETS = 90
"""What the Via of a request adds to its size, generously."""


class UserAgent:
    """Sends responses and requests for all procedures."""

    def __init__(
        self,
        stack: SipStack,
        transport: SipTransport,
        callflow: Callflow,
        config: ConfigStore,
        deviations: Deviations,
    ) -> None:
        self._stack = stack
        self._transport = transport
        self._callflow = callflow
        self._config = config
        self.deviations = deviations
        self.deviated_requests = DeviatedRequests(deviations)
        deviations.agent = self

    def respond(self, transaction: ServerTransaction, answer: Answer) -> Response:
        """Send an answer; the dialog's tag, User-Agent and body headers are added.

        What comes after a final response is not sent: a request has one (RFC 3261 §17.2).
        """
        settings = self._config.current
        headers = list(answer.headers)
        if settings.force_user_agent or "Server" not in [name for name, _ in headers]:
            headers.append(("Server", settings.user_agent))
        if answer.content_type:
            headers.append(("Content-Type", answer.content_type))
        response = Response.to_request(
            transaction.request,
            answer.status,
            answer.reason,
            tag=transaction.local_tag,
            headers=headers,
            body=answer.body,
        )
        if transaction.context is not None or settings.custom_headers:
            self.deviations.respond(transaction, response)
        elif not transaction.answered:
            transaction.respond(response)
            self._callflow.sent(response, transaction.flow)
        return response

    def request(
        self,
        request: Request,
        flow: Flow,
        listener: ClientListener,
        context: CallflowContext | None = None,
    ) -> ClientTransaction:
        """Send a request in a transaction of its own; `context` says whose modifiers are in force."""
        self._complete(request)
        deviations = self.deviations
        if context is None and request.method in OUTSIDE_CALLS and deviations.scopes.active:
            context = deviations.scopes.of_sent(request, flow)
        flow = self._transport.current(flow)
        if context is not None or self._config.current.custom_headers:
            return self.deviated_requests.request(request, flow, listener, context)
        transaction = self._stack.request(request, flow, _Seen(self._callflow, listener))
        self._callflow.sent(request, flow)
        return transaction

    def acknowledge(self, ack: Request, flow: Flow, context: CallflowContext | None = None) -> None:
        """Send the ACK of a 2xx, which has no transaction (RFC 3261 §13.2.2.4)."""
        self._complete(ack)
        flow = self._transport.current(flow)
        if context is not None or self._config.current.custom_headers:
            self.deviated_requests.acknowledge(ack, flow, context)
            return
        self._stack.send(ack, flow)
        self._callflow.sent(ack, flow)

    def cancel(
        self,
        transaction: ClientTransaction,
        headers: tuple[tuple[str, str], ...] = (),
        context: CallflowContext | None = None,
    ) -> None:
        """Take an INVITE of ours back (RFC 3261 §9.1)."""
        if context is not None:
            self.deviated_requests.cancel(transaction, headers, context)
        else:
            transaction.cancel(headers)

    def _complete(self, request: Request) -> None:
        fields = request.fields
        if "Max-Forwards" not in fields:
            fields["Max-Forwards"] = ["70"]
        if "User-Agent" not in fields:
            fields["User-Agent"] = [self._config.current.user_agent]

    def contact(self, flow: Flow) -> str:
        """Our Contact towards the peer of this flow."""
        host, port = self._transport.current(flow).local
        transport = ";transport=tcp" if flow.transport == "TCP" else ""
        return f"<sip:{bracketed(host)}:{port}{transport}>"

    def flow_to(self, request: Request, known: Flow) -> Flow:
        """How an in-dialog or routed request travels to a peer known by an earlier flow.

        The next hop is the top Route or the Request-URI (RFC 3261 §8.1.2).  Where it names the peer of
        the known flow, an open TCP connection goes on being used.
        """
        routes = request.routes if "Route" in request.fields else None
        return self._toward(routes[0].uri if routes else request.target, known)

    def flow_toward(self, next_hop: str, known: Flow) -> Flow:
        """The same for the next hop that a dialog names: with a strict router that is no Route header."""
        return self._toward(Uri.parse(next_hop), known)

    def _toward(self, uri: Uri, known: Flow) -> Flow:
        transport, local, remote, connection = known
        if local in self._transport.protected:
            # Whatever address the phone wrote, what is protected goes where its associations lead.
            return Flow(
                "TCP" if (uri.params.get("transport") or "").upper() == "TCP" else "UDP", local, remote
            )
        # Only an address literal can be reached: phones' contacts and paths hold nothing else.
        if uri.scheme in ("sip", "sips") and _is_literal(uri.host):
            wanted = (uri.params.get("transport") or "").upper()
            address = uri.host_port()
            if address != remote or (wanted and wanted != transport):
                transport = wanted if wanted in ("UDP", "TCP") else "UDP"
                remote, connection = address, 0
                if (":" in remote[0]) != (":" in local[0]):
                    local = self._transport.local_for(remote[0])
        return Flow(transport, local, remote, connection)

    def sized(self, flow: Flow, request: Request, threshold: int = 0) -> Flow:
        """The same flow, or its TCP twin for a request that is too big for a datagram.

        `threshold`: octets that a datagram may have; 0 for the server's `tcp_threshold`.
        """
        if flow.transport != "UDP":
            return flow
        threshold = threshold or self._config.current.tcp_threshold
        if threshold <= 0 or _size(request) + VIA_OCTETS <= threshold:
            return flow
        if not self._transport.takes_connections(flow):
            return flow
        return Flow("TCP", flow.local, flow.remote, 0)

    def fits(self, message: Message, flow: Flow, known: Flow) -> bool:
        """Whether a message may belong to what began on another flow; says so where it may not."""
        if self._transport.fits(flow, known):
            return True
        self._callflow.outside(message, flow)
        return False

    def log_id(self, call_id: str) -> int:
        """The identifier of a dialog in the log, layers `sip` and `media` (manual §9)."""
        return self._callflow.number(call_id)

    def local_for(self, remote_host: str) -> Address:
        """The listening address that faces a host."""
        return self._transport.local_for(remote_host)


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _size(request: Request) -> int:
    size = len(request.method) + len(request.uri) + len(request.body) + 40
    for name, values in request.fields.items():
        for value in values:
            size += len(name) + len(value) + 4
    return size


class _Seen:
    """Lets the callflow hook see the responses on their way to who waits for them."""

    __slots__ = ("_callflow", "_listener")

    def __init__(self, callflow: Callflow, listener: ClientListener) -> None:
        self._callflow = callflow
        self._listener = listener

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self._callflow.received(response, transaction.flow)
        self._listener.response_received(transaction, response)
        if transaction.state is State.ACCEPTED and transaction.request.body:
            transaction.abridge()  # every call of the last 64*T1 has one of these

    def timed_out(self, transaction: ClientTransaction) -> None:
        self._callflow.unanswered(transaction.request, transaction.flow)
        self._listener.timed_out(transaction)

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        self._listener.transport_failed(transaction, error)
