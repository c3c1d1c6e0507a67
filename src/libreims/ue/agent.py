"""A phone's way out and in: sockets, transactions, and requests that look like a phone's.

`ask` is for coroutines, `send` for state machines.  Everything on the wire goes through the recorder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable

from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.address import bracketed, canonical_host, is_ip, text
from libreims.net.port import Address, Flow, Network, TcpOptions
from libreims.net.sip_transport import SipTransport
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction, SipStack, SipTimers, TransactionUser
from libreims.proto.sip.uri import Uri
from libreims.ue.config import MMTEL, PhoneConfig
from libreims.ue.credentials import CannotAuthenticate, Keyring, Kind
from libreims.ue.recorder import Recorder
from libreims.ue.security import Ipsec, Security

Header = tuple[str, str]

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY, MESSAGE"
ACCESS = "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010000001"

PHONE_TIMERS = SipTimers(t1=0.5, t2=4.0, t4=5.0)
"""The values of RFC 3261; a phone on a radio link would have 2, 16 and 17 s (TS 24.229 table 7.7.1)."""


class NoAnswer(LibreImsError):
    """A request that was not answered; the text says what was tried."""


Done = Callable[[Response | None, str], None]
"""Called with the final response, or None and why there is none."""


class Exchange:
    """A non-INVITE request and what becomes of it: a `ClientListener`."""

    __slots__ = ("_done",)

    def __init__(self, done: Done) -> None:
        self._done = done

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Provisional responses only mean that somebody is at work."""
        del transaction
        if response.status >= 200:
            self._done(response, "")

    def timed_out(self, transaction: ClientTransaction) -> None:
        """Nobody answered."""
        self._done(None, unanswered(transaction))

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """It could not be sent."""
        self._done(None, undelivered(transaction, error))


def unanswered(transaction: ClientTransaction) -> str:
    """A sentence about a request without an answer."""
    flow = transaction.flow
    return f"{transaction.request.method}: no answer from {text(flow.remote)} over {flow.transport}"


def undelivered(transaction: ClientTransaction, error: Exception) -> str:
    """A sentence about a request that could not be sent."""
    method, flow = transaction.request.method, transaction.flow
    return f"{method} could not be sent to {text(flow.remote)} over {flow.transport}: {error}"


class Agent:
    """SIP sockets and transactions of one phone."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        tokens: Tokens,
        config: PhoneConfig,
        user: TransactionUser,
        recorder: Recorder,
        timers: SipTimers = PHONE_TIMERS,
        ipsec: Ipsec | None = None,
    ) -> None:
        self.config = config
        self.tokens = tokens
        self.clock = clock
        self.recorder = recorder
        self.keyring = Keyring(config, tokens)
        self.service_route: tuple[str, ...] = ()
        """Route of requests outside of dialogs, learnt at registration (RFC 3608)."""
        self.stack = SipStack(clock, tokens, timers, self, user)
        self.stack.unfit = lambda response, flow, fault: recorder.note(f"dropped: {fault}")
        self._transport = SipTransport(
            network, clock, self._received, self.stack.transport_error, lambda: TcpOptions()
        )
        self.local: Address = ("", 0)
        """Where we listen outside of IPsec."""
        self.security: Security | None = None
        """None in a phone without IPsec."""
        if ipsec is not None and config.ipsec:
            linger = 64 * timers.t1
            self.security = Security(ipsec, self._transport, config, clock, recorder, linger=linger)
            self.stack.fits = lambda message, flow, known: self._transport.fits(flow, known)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> Address:
        """Open the SIP sockets. Raises OSError."""
        self.local = await self._transport.listen((self.config.local_host, self.config.local[1]))
        return self.local

    def close(self) -> None:
        """Close them; nothing is heard or sent afterwards."""
        for task in tuple(self._tasks):
            task.cancel()
        self.stack.stop()
        if self.security is not None:
            self.security.close()
        self._transport.close()

    # -- the wire ----------------------------------------------------------------------------------

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message (the stack's `SendPort`)."""
        self.recorder.sip(data, flow, sent=True, protection=self._protection(flow))
        self._transport.send(data, flow)

    def _received(self, data: bytes, flow: Flow) -> None:
        protection = self._protection(flow)
        self.recorder.sip(data, flow, sent=False, protection=protection)
        security = self.security
        if security is not None and security.is_on and not protection and not data.startswith(b"SIP/"):
            # TS 33.203 §7.1: nobody but the P-CSCF may ask us for something, and it asks inside.
            what = data[:40].decode("utf-8", "replace").partition(" ")[0]
            self.recorder.note(f"dropped: {what} from {text(flow.remote)}, it came outside of IPsec")
            return
        self.stack.receive(data, flow)

    def _protection(self, flow: Flow) -> str:
        return self.security.named(flow) if self.security is not None else ""

    # -- requests ----------------------------------------------------------------------------------

    @property
    def server_flow(self) -> Flow:
        """The way to the P-CSCF."""
        through = self.security.flow if self.security is not None else None
        return through or Flow(self.config.transport, self.local, self.config.server)

    @property
    def register_flow(self) -> Flow:
        """The way of a REGISTER."""
        through = self.security.register_flow if self.security is not None else None
        return through or Flow(self.config.transport, self.local, self.config.server)

    def flow_for(self, request: Request) -> Flow:
        """Where a request in a dialog goes: its first Route, else its target, else the server.

        With IPsec there is no way but one.
        """
        if self.security is not None and self.security.flow is not None:
            return self.security.flow
        routes = request.routes
        uri = routes[0].uri if routes else request.target
        if not uri.is_sip or not is_ip(uri.host.strip("[]")):
            return self.server_flow
        host, port = uri.host_port()
        transport = (uri.params.get("transport") or self.config.transport).upper()
        if (":" in host) != (":" in self.local[0]) or transport not in ("UDP", "TCP"):
            return self.server_flow
        return Flow(transport, self.local, (canonical_host(host), port))

    @property
    def supported(self) -> tuple[str, ...]:
        """Option tags of the extensions that this phone uses in calls (RFC 3261 §20.37)."""
        config = self.config
        tags = (
            ("100rel", config.rel100 or config.precondition),
            ("precondition", config.precondition),
            ("timer", bool(config.session_expires)),
        )
        return tuple(tag for tag, used in tags if used)

    @property
    def is_volte(self) -> bool:
        """A phone with a SIM shows the headers of TS 24.229, a soft phone does not."""
        return self.config.sim is not None

    def contact(self, *, registration: bool = False) -> str:
        """Our Contact; with the features of this phone (RFC 3840)."""
        user = Uri.parse(self.config.impu).user or "phone"
        host, port = (self.security and self.security.contact) or self.local
        uri = f"sip:{user}@{bracketed(host)}:{port}"
        if self.config.transport == "TCP":
            uri += ";transport=tcp"
        features = ""
        if self.config.imei and self.is_volte and registration:
            features += f';+sip.instance="<urn:gsma:imei:{self.config.imei}>"'
        if self.is_volte:
            features += f';+g.3gpp.icsi-ref="{MMTEL}"'
        if registration and self.config.sms and self.is_volte:
            features += ";+g.3gpp.smsip"
        if registration and self.config.video:
            features += ";video"
        return f"<{uri}>{features}"

    def build(
        self,
        method: str,
        uri: str,
        *,
        to: str,
        call_id: str,
        tag: str,
        number: int,
        routes: Iterable[str] = (),
        headers: Iterable[Header] = (),
        body: bytes = b"",
    ) -> Request:
        """A request outside of dialogs. `to` is a header value without tag."""
        fields: list[Header] = [("Max-Forwards", "70")]
        fields += [("Route", route) for route in routes]
        fields += [
            ("From", f"<{self.config.impu}>;tag={tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            *(self.about_us() if method == "REGISTER" else self.common()),
            *headers,
        ]
        return Request.build(method, uri, fields, body)

    def common(self) -> list[Header]:
        """Headers of every request of ours but REGISTER and ACK."""
        return [*self.about_us(), *(self.security.headers() if self.security is not None else ())]

    def about_us(self) -> list[Header]:
        """Headers of every request of ours."""
        headers = [("User-Agent", self.config.user_agent)]
        if self.is_volte:
            headers.append(("P-Access-Network-Info", ACCESS))
        return headers

    def initial_routes(self) -> list[str]:
        """Route of a request outside of dialogs: the P-CSCF, then Service-Route (TS 24.229 §5.1.2A.1.1)."""
        host, port = self.server_flow.remote
        transport = ";transport=tcp" if self.config.transport == "TCP" else ""
        own = f"<sip:{bracketed(host)}:{port};lr{transport}>"
        rest = list(self.service_route)
        if rest and _same_hop(own, rest[0]):
            return rest
        return [own, *rest]

    def start(self, request: Request, flow: Flow, done: Done) -> ClientTransaction:
        """Send a non-INVITE request; `done` is called once."""
        return self.stack.request(request, flow, Exchange(done))

    async def ask(self, request: Request, flow: Flow) -> Response:
        """Send a non-INVITE request and wait for its final answer. Raises NoAnswer."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def done(response: Response | None, why: str) -> None:
            if future.done():
                return
            if response is None:
                future.set_exception(NoAnswer(why))
            else:
                future.set_result(response)

        self.start(request, flow, done)
        return await future

    async def ask_with_credentials(
        self, build: Callable[[list[Header]], Request], *, in_dialog: bool = False, attempts: int = 3
    ) -> tuple[Request, Response]:
        """Ask, and answer challenges; `build` makes the request anew with the credentials given.

        Returns the last request and its response, which may be 401 or 407 still.  Raises NoAnswer.
        """
        credentials: list[Header] = []
        while True:
            request = build(credentials)
            response = await self.ask(request, self.flow_for(request) if in_dialog else self.server_flow)
            attempts -= 1
            if response.status not in (401, 407) or not attempts:
                return request, response
            try:
                reply = self.keyring.answer(response, request)
            except CannotAuthenticate as error:
                self.recorder.note(str(error))
                return request, response
            if credentials and reply.kind is Kind.RESPONSE and not reply.stale:
                return request, response
            credentials = [reply.header]

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run a coroutine beside everything else; it ends with the agent."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _same_hop(one: str, other: str) -> bool:
    """Whether two Route values lead to the same socket."""
    first, second = NameAddr.parse(one).uri, NameAddr.parse(other).uri
    if not (first.is_sip and second.is_sip):
        return False
    transport = first.params.get("transport"), second.params.get("transport")
    return first.host_port() == second.host_port() and transport[0] == transport[1]


def explain(response: Response) -> str:
    """A response with all that says why: Reason, Warning, Retry-After."""
    parts = [f"{response.status} {response.reason}"]
    for name in ("Reason", "Warning", "Unsupported", "Retry-After"):
        value = response.get(name)
        if value is not None:
            parts.append(f"{name}: {value}")
    return "; ".join(parts)
