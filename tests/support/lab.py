"""A whole server on a simulated network and virtual time, and peers whose every message the test writes.

`Peer` is no phone: it does nothing by itself, so that a test can do what a phone would not, in any order.

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", "sip:bob@ims.test", body=sdp(alice))
        ringing = await bob.expect("INVITE")
        bob.respond(ringing, 180)
        assert (await call.response(180)).status == 180
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.timers import TimerWheel
from libreims.base.tokens import Tokens
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.net.port import TcpOptions
from libreims.net.simulated import SimulatedNetwork
from libreims.net.sip_transport import SipTransport
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.proto.sip.stack import SipStack
from libreims.proto.sip.timers import SipTimers
from libreims.server import Server
from libreims.store.port import Store
from support.protected import ProtectedNetwork, SimulatedTunnel
from support.virtual import VirtualLoop, run

DOMAIN = "ims.test"
SERVER = "10.0.0.1"
SERVER6 = "2001:db8::1"
USERS = ("alice", "bob", "carol", "dave")
EPOCH = 1_800_000_000.0

CONFIG = (
    """
domain: "ims.test",
sip_addr: ["10.0.0.1", "[2001:db8::1]"],
timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
echo: ["tel:666", "sip:echo"],
log_options: "all.level=debug,all.max_size=1",
ue_db: [
"""
    + "".join(
        f'{{ imsi: "00101000000000{number}", impi: "{name}@ims.test", authent_type: "none", '
        f'K: "00112233445566778899aabbccddeeff", impu: ["sip:{name}", "tel:060000000{number}"] }},\n'
        for number, name in enumerate(USERS, 1)
    )
    + "],"
)

SDP_TYPE = "application/sdp"


def sdp(
    host: str,
    port: int = 40000,
    *,
    direction: str = "sendrecv",
    media: Iterable[str] = ("audio",),
    version: int = 1,
) -> bytes:
    """A session description; each m-line two ports further."""
    family = "IP6" if ":" in host else "IP4"
    lines = ["v=0", f"o=- 7 {version} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    for index, kind in enumerate(media):
        off = kind.startswith("-")
        number = 0 if off else port + 2 * index
        lines += [
            f"m={kind.lstrip('-')} {number} RTP/AVP 0 8",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
        ]
        if not off:
            lines.append(f"a={direction}")
    return ("\r\n".join(lines) + "\r\n").encode()


class Outcome:
    """Responses to a request of a peer."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.timed_out_ = False
        self._changed = asyncio.Event()
        self._read = 0
        self.transaction: ClientTransaction | None = None

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self.responses.append(response)
        self._changed.set()

    def timed_out(self, transaction: ClientTransaction) -> None:
        self.timed_out_ = True
        self._changed.set()

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        self.timed_out(transaction)

    @property
    def statuses(self) -> list[int]:
        return [response.status for response in self.responses]

    async def response(self, status: int) -> Response:
        """The first response with this status, which may have to come yet."""
        return await self._first(lambda response: response.status == status, str(status))

    async def final(self) -> Response:
        """The final response."""
        return await self._first(lambda response: response.status >= 200, "a final response")

    async def _first(self, wanted: Callable[[Response], bool], name: str) -> Response:
        async with asyncio.timeout(300):
            while True:
                for response in self.responses:
                    if wanted(response):
                        return response
                assert not self.timed_out_, f"timed out waiting for {name}; came: {self.statuses}"
                self._changed.clear()
                await self._changed.wait()


class Peer:
    """A SIP endpoint that does only what the test says."""

    def __init__(self, lab: Lab, name: str, host: str, transport: str = "UDP") -> None:
        self.lab = lab
        self.name = name
        self.host = host
        self.kind = transport
        wheel = TimerWheel(lab.loop)
        self.tokens = Tokens(hash_of(name, host))
        self.transport = SipTransport(lab.network, wheel, self._receive, self._failed, TcpOptions)
        self.stack = SipStack(wheel, self.tokens, SipTimers(0.5, 4, 5), self.transport, self)
        self.address: Address = (host, 0)
        self.incoming: deque[ServerTransaction] = deque()
        self.acks: deque[Request] = deque()
        self.cancels: deque[ServerTransaction] = deque()
        self.bad: list[bytes] = []
        self._changed = asyncio.Event()
        self.server: Address = (SERVER6 if ":" in host else SERVER, 5060)

    async def start(self, port: int = 5060) -> Peer:
        self.address = await self.transport.listen((self.host, port))
        return self

    # -- transaction user ----------------------------------------------------------------------

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.stack.receive(data, flow)

    def _failed(self, flow: Flow, error: Exception) -> None:
        self.stack.transport_error(flow, error)

    def request_received(self, transaction: ServerTransaction) -> None:
        self.incoming.append(transaction)
        self._changed.set()

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        self.cancels.append(transaction)
        self._changed.set()

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        if transaction is not None:
            transaction.acknowledged()
        self.acks.append(request)
        self._changed.set()

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        self.bad.append(data)

    # -- what a test says --------------------------------------------------------------------------

    @property
    def flow(self) -> Flow:
        return Flow(self.kind, self.address, self.server)

    @property
    def uri(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        transport = ";transport=tcp" if self.kind == "TCP" else ""
        return f"sip:{self.name}@{host}:{self.address[1]}{transport}"

    def sdp(self, port: int = 40000, **changes: object) -> bytes:
        return sdp(self.host, port, **changes)  # type: ignore[arg-type]

    def build(
        self, method: str, uri: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", to: str = ""
    ) -> Request:
        """A request outside dialogs."""
        given = list(headers)
        names = {name for name, _ in given}
        fields = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self.name}@{DOMAIN}>;tag={self.tokens.tag()}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", self.tokens.call_id()),
            ("CSeq", f"1 {method}"),
            ("Contact", f"<{self.uri}>"),
        ]
        fields = [each for each in fields if each[0] not in names] + given
        if body and "Content-Type" not in names:
            fields.append(("Content-Type", SDP_TYPE))
        return Request.build(method, uri, fields, body)

    def send_request(self, request: Request) -> Outcome:
        outcome = Outcome()
        outcome.transaction = self.stack.request(request, self.flow, outcome)
        return outcome

    def send(
        self, method: str, uri: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", to: str = ""
    ) -> Outcome:
        return self.send_request(self.build(method, uri, headers, body, to))

    async def register(self, expires: int = 3600, contact: str = "", **kwargs: str) -> Response:
        headers = [("Contact", contact or f"<{self.uri}>"), ("Expires", str(expires))]
        headers += [(name.replace("_", "-"), value) for name, value in kwargs.items()]
        aor = f"<sip:{self.name}@{DOMAIN}>"
        return await self.send("REGISTER", f"sip:{DOMAIN}", headers, to=aor).final()

    async def expect(self, method: str) -> ServerTransaction:
        """The next request with this method; others before it are an error."""
        await self._wait(lambda: bool(self.incoming), method)
        transaction = self.incoming.popleft()
        assert transaction.request.method == method, f"{transaction.request.method} instead of {method}"
        return transaction

    async def expect_ack(self) -> Request:
        await self._wait(lambda: bool(self.acks), "ACK")
        return self.acks.popleft()

    async def expect_cancel(self) -> ServerTransaction:
        await self._wait(lambda: bool(self.cancels), "CANCEL")
        return self.cancels.popleft()

    async def _wait(self, ready: Callable[[], bool], name: str) -> None:
        try:
            async with asyncio.timeout(300):
                while not ready():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} never got {name}") from None

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
        tag: str = "",
    ) -> Response:
        fields = [("Contact", f"<{self.uri}>"), *headers]
        if body:
            fields.append(("Content-Type", SDP_TYPE))
        response = Response.to_request(
            transaction.request, status, tag=tag or transaction.local_tag, headers=fields, body=body
        )
        transaction.respond(response)
        return response

    def ack(self, outcome: Outcome, response: Response, body: bytes = b"") -> Dialog:
        """ACK a 2xx to our INVITE; returns the dialog."""
        assert outcome.transaction is not None
        request = outcome.transaction.request
        dialog = Dialog.from_response(request, response)
        self.send_ack(dialog, request.cseq.number, body)
        return dialog

    def send_ack(self, dialog: Dialog, number: int, body: bytes = b"") -> None:
        headers = (("Content-Type", SDP_TYPE),) if body else ()
        self.stack.send(dialog.ack(number, headers, body), self.flow)

    def answered(self, transaction: ServerTransaction) -> Dialog:
        """Our dialog of an INVITE that we answered with 2xx."""
        dialog = Dialog.from_request(transaction.request, transaction.local_tag)
        dialog.confirm()
        return dialog

    def in_dialog(
        self, dialog: Dialog, method: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
    ) -> Outcome:
        fields = [("Contact", f"<{self.uri}>"), *headers]
        if body and not any(name == "Content-Type" for name, _ in fields):
            fields.append(("Content-Type", SDP_TYPE))
        return self.send_request(dialog.new_request(method, fields, body))


class Lab:
    """The server, its network, and the peers that a test makes."""

    def __init__(
        self,
        loop: VirtualLoop,
        config: str = CONFIG,
        seed: int = 1,
        **network: float,
    ) -> None:
        self.loop = loop
        settings: dict[str, Any] = {"latency": 0.005, "seed": seed, **network}
        self.network = SimulatedNetwork(loop, **settings)
        loaded = loads(config)
        self.config = ConfigStore(loaded.settings)
        self.log = Log(utc=self.utc)
        self.log.configure(loaded.settings.log_options)
        self.inside = ProtectedNetwork(loop, **settings)
        self.no_tunnel = ""
        """Why the machine of the server lets it have no IPsec."""
        self.ipsec_hosts: tuple[str, ...] = ()
        """Addresses of the server with IPsec; all of them where it does not say."""
        self._seed = seed
        self.server = self.make_server(seed)
        self.quits = 0
        self.peers: list[Peer] = []

    def _tunnel(self, hosts: Iterable[str]) -> SimulatedTunnel:
        if self.no_tunnel:
            raise LibreImsError(self.no_tunnel)
        return SimulatedTunnel(self.inside, self.ipsec_hosts or hosts)

    def _quit(self) -> None:
        self.quits += 1

    def make_server(self, seed: int, store: Store | None = None) -> Server:
        """A server on this network."""
        return Server(
            self.config,
            network=self.network,
            clock=self.loop,
            utc=self.utc,
            tokens=Tokens(seed),
            log=self.log,
            quit=self._quit,
            store=store,
            tunnel=self._tunnel,
        )

    async def restart(self, store: Store | None, config: str = "") -> None:
        """Start another server on this network; the one of before has been stopped."""
        if config:
            self.config = ConfigStore(loads(config).settings)
        self._seed += 1
        self.server = self.make_server(self._seed, store)
        await self.server.start()

    def utc(self) -> float:
        return EPOCH + self.loop.time()

    async def peer(self, name: str, transport: str = "UDP", *, ipv6: bool = False) -> Peer:
        number = len(self.peers) + 1
        host = f"2001:db8::100:{number:x}" if ipv6 else f"10.0.1.{number}"
        peer = await Peer(self, name, host, transport).start()
        self.peers.append(peer)
        return peer

    async def registered(self, *names: str, transport: str = "UDP", ipv6: bool = False) -> list[Peer]:
        peers = [await self.peer(name, transport, ipv6=ipv6) for name in names]
        for peer in peers:
            assert (await peer.register()).status == 200
        return peers

    def log_text(self) -> str:
        return "\n".join(line for entry in self.log.ring.since(0)[1] for line in entry.lines)

    def nothing_left(self) -> None:
        """No call, dialog or media port is left over."""
        calls = self.server.calls
        assert not calls.sessions, f"{len(calls.sessions)} calls are left"
        assert not calls.dialogs, f"{calls.dialogs} dialogs are left"
        assert not len(self.server.relay), f"{len(self.server.relay)} media ports are left"
        assert not list(self.inside.associations), "security associations are left"
        assert not self.inside.in_use, f"{self.inside.in_use} protected sockets are left"
        deviations = self.server.agent.deviations
        assert not len(deviations), f"{len(deviations)} things that callflow modifiers began are left"


Scenario = Callable[[Lab], Awaitable[None]]


def play(
    scenario: Scenario,
    config: str = CONFIG,
    *,
    settle: float = 200.0,
    no_tunnel: str = "",
    ipsec_hosts: tuple[str, ...] = (),
    **network: float,
) -> None:
    """Run a scenario on a fresh server; afterwards everything that it used must be released."""

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        lab = Lab(loop, config, **network)
        lab.no_tunnel = no_tunnel
        lab.ipsec_hosts = ipsec_hosts
        await lab.server.start()
        await scenario(lab)
        await asyncio.sleep(settle)
        lab.nothing_left()
        assert lab.server.stack.transactions == 0, f"{lab.server.stack.transactions} transactions are left"
        await lab.server.stop()

    run(whole)


def hash_of(*parts: str) -> int:
    """The same number in every run, unlike hash()."""
    return sum(ord(char) * 31**index for index, char in enumerate("|".join(parts))) & 0xFFFFFFFF
