"""SIP over UDP and TCP (RFC 3261 §18): sockets below, whole messages and flows above.

Made by the server and by the simulated phone; `proto.sip.stack` sends through it.  A `Flow.local` is always
one of our listening addresses as peers are told it, also on connections that we opened.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from libreims.base.clock import Cancellable, Clock
from libreims.net.address import text
from libreims.net.port import Address, DatagramSocket, Flow, Listener, Network, Stream, TcpOptions
from libreims.net.protected_ports import ProtectedPorts
from libreims.proto.sip.framing import FramingError, StreamFramer

_KEEPALIVE = b"\r\n\0 \t"
"""What a UDP keepalive consists of: CRLF by RFC 5626's predecessors, a zero octet by some phones."""
_SMALLEST = 16
"""No SIP message is shorter."""
_PONG = b"\r\n"
_SWEEP = 10.0
"""Seconds between looks for connections that have been idle or half-way through a message for too long."""
_PORT_TRIES = 50
_KEPT_FLOWS = 4096
_WILDCARDS = {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}
"""All addresses of a family, and a far one (RFC 5737, RFC 3849) whose route is the default route."""


class SipTransport:
    """The SIP sockets of one node.

    receive: called with each message, without its framing.
    failed: called when a TCP connection cannot be made, breaks, or carries no SIP; never from inside `send`.
    tell: given a sentence for the log about each of these failures.
    limit: largest message in octets.
    max_connections: further ones are closed as they come.
    message_timeout: seconds that a message may take from its first octet to its last, and that a
        fresh connection may stay silent.
    idle_timeout: seconds without a message after which a connection is closed; 0 for never (keepalive
        probes find dead peers).
    """

    def __init__(
        self,
        network: Network,
        clock: Clock,
        receive: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, Exception], None],
        options: Callable[[], TcpOptions],
        limit: int = 65536,
        *,
        max_connections: int = 20000,
        message_timeout: float = 32.0,
        idle_timeout: float = 0.0,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.network = network
        self.clock = clock
        self.receive = receive
        self.limit = limit
        self.max_connections = max_connections
        self.message_timeout = message_timeout
        self.idle_timeout = idle_timeout
        self._failed = failed
        self._tell = tell
        self._options = options
        self._listening: dict[Address, _Listening] = {}
        self.protected: dict[Address, ProtectedPorts] = {}
        """The ports of ours that are reached through IPsec only, by the address that flows carry."""
        self._moved: dict[Address, Address] = {}
        self._by_number: dict[int, Connection] = {}
        self._by_remote: dict[tuple[Address, Address], Connection] = {}
        self._last_number = 0
        self._sweeper: Cancellable | None = None

    async def listen(self, address: Address, *, advertised: Address | None = None) -> Address:
        """Open UDP and TCP on an address; port 0 takes one that is free for both.

        `advertised` is the address that peers know when it is another (NAT, `bind_addr`): flows and Via
        carry it.  Returns the address that flows carry.  Raises OSError.
        """
        for _ in range(_PORT_TRIES):
            listening = _Listening(self)
            listening.udp = self.network.udp(address, listening.datagram)
            bound = listening.bound = listening.udp.local
            public = advertised or (self._reachable(bound[0]), 0)
            listening.local = local = (public[0], public[1] or bound[1])
            try:
                listening.tcp = await self.network.tcp_listen(bound, listening.accept, self._options)
            except OSError as error:
                listening.close()
                if address[1] == 0 and error.errno == errno.EADDRINUSE:
                    continue
                raise
            self._listening[local] = listening
            return local
        raise OSError(errno.EADDRINUSE, f"no port of {address[0]} is free for UDP and TCP")

    def _reachable(self, host: str) -> str:
        """What to tell peers: of a socket on all addresses the one that leads to the world."""
        if host not in _WILDCARDS:
            return host
        return self.network.source_for(_WILDCARDS[host]) or ("::1" if host == "::" else "127.0.0.1")

    @property
    def addresses(self) -> list[Address]:
        """Where we listen, as peers are told it."""
        return list(self._listening)

    @property
    def connections(self) -> int:
        """Open TCP connections, those being established included."""
        return len(self._by_number)

    def local_for(self, remote_host: str) -> Address:
        """The listening address that packets to this host should come from. Raises OSError without one.

        The one that the routing table names, else the first of the same family.
        """
        ipv6 = ":" in remote_host
        family = [each for each in self._listening.values() if (":" in each.bound[0]) == ipv6]
        if not family:
            kind = "IPv6" if ipv6 else "IPv4"
            raise OSError(errno.EAFNOSUPPORT, f"no {kind} address to reach {remote_host} from")
        if len(family) > 1:
            source = self.network.source_for(remote_host)
            for each in family:
                if each.bound[0] == source:
                    return each.local
        return family[0].local

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message on its flow; see `net.port.Flow` for what TCP does."""
        listening = self._listening.get(flow.local)
        if listening is not None and listening.udp is not None and flow.transport == "UDP":
            listening.udp.send(data, flow.remote)
        elif listening is None and flow.local in self.protected:
            self._send_protected(data, flow, self.protected[flow.local])
        elif listening is None:
            self._report(flow, OSError(errno.EADDRNOTAVAIL, f"we do not listen on {text(flow.local)}"))
        elif flow.transport != "UDP":
            self._connection(flow, listening).stream.send(data)

    def _connection(self, flow: Flow, listening: _Listening) -> Connection:
        connection = self._by_number.get(flow.connection) if flow.connection else None
        if connection is None:
            connection = self._by_remote.get((flow.local, flow.remote))
        if connection is None:
            connection = self.register(flow.local, flow.remote)
            connection.established = True  # our request says so before any octet comes back
            host = listening.bound[0]
            connection.stream = self.network.tcp_connect(
                None if host in _WILDCARDS else host, flow.remote, connection, self._options()
            )
        return connection

    # -- IPsec -------------------------------------------------------------------------------------

    def _send_protected(self, data: bytes, flow: Flow, ports: ProtectedPorts) -> None:
        if flow.transport == "UDP":
            ports.send(data, flow)
            return
        connection = self._by_number.get(flow.connection) if flow.connection else None
        if connection is None:
            connection = ports.connection(flow)
        if connection is not None:
            connection.stream.send(data)
        else:
            self._report(flow, OSError(errno.ENOTCONN, f"the way to {text(flow.remote)} is closed"))

    async def protect(self, network: Network, local: Address) -> ProtectedPorts:
        """Open a protected server port; `network` is the inner side of the tunnel. Raises OSError."""
        ports = ProtectedPorts(self, network, local, self._options)
        await ports.open()
        self._moved.pop(local, None)  # of a phone that had this port long ago
        self.protected[local] = ports
        return ports

    def lead(self, old: Address, new: Address) -> None:
        """Let requests in dialogs that began through one protected port go out through another one."""
        moved = self._moved
        for before in [each for each, after in moved.items() if after == old]:
            moved[before] = new
        moved[old] = new
        moved.pop(new, None)

    def current(self, flow: Flow) -> Flow:
        """The flow of a new request to who is known by an earlier one."""
        if not self.protected:
            return flow
        local = self._moved.get(flow.local)
        if local is not None:
            flow = Flow(flow.transport, local, flow.remote)
        ports = self.protected.get(flow.local)
        return flow if ports is None else ports.toward(flow)

    def takes_connections(self, flow: Flow) -> bool:
        """Whether it is worth while to send over TCP what its size alone would send there."""
        ports = self.protected.get(self._moved.get(flow.local, flow.local))
        return ports is None or not ports.datagrams_only

    def answers(self, flow: Flow, back: Flow) -> Flow:
        """The way of answers to a message: where its Via wants them, or the associations that it took.

        What Via says of a phone in IPsec is its server port, for all of its associations (TS 33.203 §7.1).
        """
        return flow if flow.local in self.protected else back

    def fits(self, flow: Flow, known: Flow) -> bool:
        """Whether a message may belong to what began on another flow.

        What began inside IPsec goes on inside, with the same phone (TS 33.203 §7.1).
        """
        if flow.local == known.local or not self.protected:
            return True
        if self._moved.get(known.local, known.local) not in self.protected:
            return True
        return flow.local in self.protected and flow.remote[0] == known.remote[0]

    def end_protection(self, ports: ProtectedPorts) -> None:
        """Close a protected port, and forget what led there."""
        ports.close()
        for before in [each for each, after in self._moved.items() if after == ports.local]:
            del self._moved[before]

    def is_open(self, number: int) -> bool:
        """Whether this TCP connection still stands."""
        return number in self._by_number

    def close_connection(self, number: int) -> None:
        """Close one TCP connection in order; harmless when it is gone."""
        connection = self._by_number.get(number)
        if connection is not None:
            connection.stream.close()

    def close(self) -> None:
        """Close everything; no callback afterwards but what is in the sockets' queues."""
        for listening in self._listening.values():
            listening.close()
        self._listening.clear()
        for ports in list(self.protected.values()):
            self.end_protection(ports)
        for connection in list(self._by_number.values()):
            connection.leave()
            connection.stream.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # -- what listeners and connections use ------------------------------------------------------

    def datagram(self, data: bytes, flow: Flow) -> None:
        """A UDP packet came through IPsec."""
        if len(data) >= _SMALLEST or data.strip(_KEEPALIVE):
            self.receive(data, flow)

    def stranger(self, what: str, remote: Address, local: Address) -> None:
        """Something came out of the tunnel that no set of associations lets through."""
        if self._tell is not None:
            where = f"{text(remote)} to the protected port {text(local)}"
            self._tell(f"{what} from {where} is dropped: it is not the phone's client port")

    def register(self, local: Address, remote: Address) -> Connection:
        """A number for a new connection."""
        self._last_number += 1
        number = self._last_number
        connection = Connection(self, Flow("TCP", local, remote, number))
        self._by_number[number] = connection
        self._by_remote[local, remote] = connection
        if self._sweeper is None:
            self._sweeper = self.clock.call_later(_SWEEP, self._sweep)
        return connection

    def accepted(self, stream: Stream, local: Address) -> Connection:
        """A peer connected."""
        connection = self.register(local, stream.remote)
        connection.stream = stream
        if len(self._by_number) > self.max_connections:
            connection.fail(ConnectionAbortedError(f"over {self.max_connections} TCP connections"))
        return connection

    def forget(self, connection: Connection) -> None:
        """A connection ended."""
        flow = connection.flow
        self._by_number.pop(flow.connection, None)
        if self._by_remote.get((flow.local, flow.remote)) is connection:
            del self._by_remote[flow.local, flow.remote]
        ports = self.protected.get(flow.local)
        if ports is not None:
            ports.ended(connection)

    def _report(self, flow: Flow, error: Exception) -> None:
        """Later, so that who is sending is not called back in the middle of it."""
        self.clock.call_later(0.0, self.report, flow, error, False)

    def report(self, flow: Flow, error: Exception, stood: bool) -> None:
        """Tell that a connection failed, one that `stood` or one that could not be made."""
        if self._tell is not None:
            remote = text(flow.remote)
            what = f"with {remote} is lost" if stood else f"to {remote} cannot be made"
            self._tell(f"TCP connection {what}: {error}")
        self._failed(flow, error)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self.clock.time()
        for connection in list(self._by_number.values()):
            connection.check_age(now)
        if self._by_number:
            self._sweeper = self.clock.call_later(_SWEEP, self._sweep)


class _Listening:
    """One address of ours: its UDP socket and its TCP listener."""

    __slots__ = ("_flows", "_transport", "bound", "local", "tcp", "udp")

    def __init__(self, transport: SipTransport) -> None:
        self._transport = transport
        self._flows: dict[Address, Flow] = {}  # of the peers heard last: phones send more than once
        self.bound: Address = ("", 0)
        self.local: Address = ("", 0)
        self.udp: DatagramSocket | None = None
        self.tcp: Listener | None = None

    def datagram(self, data: bytes, remote: Address) -> None:
        """A UDP packet came."""
        if len(data) < _SMALLEST and not data.strip(_KEEPALIVE):
            return
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= _KEPT_FLOWS:
                self._flows.clear()
            flow = self._flows[remote] = Flow("UDP", self.local, remote)
        self._transport.receive(data, flow)

    def accept(self, stream: Stream) -> Connection:
        """A peer connects."""
        return self._transport.accepted(stream, self.local)

    def close(self) -> None:
        """Close both."""
        if self.udp is not None:
            self.udp.close()
            self.udp = None
        if self.tcp is not None:
            self.tcp.close()
            self.tcp = None


class Connection:
    """One TCP connection: a `net.port.StreamHandler` that cuts octets into messages."""

    __slots__ = ("_framer", "_since", "_transport", "established", "flow", "last_message", "stream")

    stream: Stream

    def __init__(self, transport: SipTransport, flow: Flow) -> None:
        self._transport: SipTransport | None = transport
        self.flow = flow
        self._framer = StreamFramer(transport.limit)
        self._since: float | None = None  # when the first octet of an unfinished message came
        self.last_message = transport.clock.time()
        self.established = False  # whether a whole message has passed

    def data_received(self, data: bytes) -> None:
        """Octets, cut anywhere."""
        transport = self._transport
        if transport is None:
            return
        framer = self._framer
        try:
            messages = framer.feed(data)
        except FramingError:
            messages = []  # `framer.error` has it
        for _ in range(framer.pings):
            self.stream.send(_PONG)
        framer.pings = 0
        if messages:
            self.established = True
            self.last_message = transport.clock.time()
            self._since = None
        for message in messages:
            transport.receive(message, self.flow)
        if framer.error is not None:
            self.fail(framer.error)
        elif framer.pending and self._since is None:
            self._since = transport.clock.time()

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        transport = self._transport
        if transport is not None:
            self.leave()
            if error is not None:
                transport.report(self.flow, error, self.stream.stood)

    def fail(self, error: Exception) -> None:
        """Close with one report of why; the report comes first, so that a last answer can still be sent."""
        transport = self._transport
        if transport is not None:
            self._transport = None
            try:
                transport.report(self.flow, error, self.stream.stood)
            finally:
                transport.forget(self)
                self.stream.close()

    def leave(self) -> None:
        """Leave the tables; nothing is heard of this connection afterwards."""
        if self._transport is not None:
            self._transport.forget(self)
            self._transport = None

    def check_age(self, now: float) -> None:
        """Close what holds a place without using it."""
        transport = self._transport
        if transport is None:
            return
        waiting = self._since if self.established else self.last_message
        if waiting is not None and now - waiting > transport.message_timeout:
            self.fail(TimeoutError(f"no whole message within {transport.message_timeout:g} s"))
        elif transport.idle_timeout and now - self.last_message > transport.idle_timeout:
            self.leave()
            self.stream.close()
