"""A network without sockets: virtual time, latency, loss, duplication and reordering from a seed.

Adapter of `net.port` for tests and demonstrations.  All hosts of one `SimulatedNetwork` are in this process;
the same seed and the same calls give the same bytes at the same moments.
"""

from __future__ import annotations

import errno
import heapq
import os
import random
from collections.abc import Callable
from typing import NamedTuple

from libreims.base.clock import Cancellable, Clock
from libreims.net.port import Accept, Address, Receive, StreamHandler, TcpOptions

_EPHEMERAL = range(32768, 61000)
_GIVEN_UP = 60.0
"""Seconds that a connection which was closed waits for a way to say so."""
_RETRANSMISSION = 0.2
"""What a lost TCP segment costs, in seconds."""


class Packet(NamedTuple):
    """One line of the trace: a datagram or TCP octets as they were sent."""

    time: float
    transport: str
    source: Address
    destination: Address
    data: bytes
    lost: bool


class SimulatedNetwork:
    """Hosts, links and their faults.

    latency, jitter: seconds one way; the order of packets is kept unless `reorder` says otherwise.
    loss, duplicate, reorder: probabilities for each datagram; a lost TCP segment comes late instead.
    hosts: which addresses exist; any address may be bound when it is None.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int = 0,
        latency: float = 0.001,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        *,
        hosts: frozenset[str] | None = None,
        trace: bool = False,
    ) -> None:
        self.clock = clock
        self.latency = latency
        self.jitter = jitter
        self.loss = loss
        self.duplicate = duplicate
        self.reorder = reorder
        self.trace: list[Packet] | None = [] if trace else None
        self._hosts = hosts
        self._random = random.Random(seed)
        self._sockets: dict[Address, SimulatedUdp] = {}
        self._listeners: dict[Address, SimulatedListener] = {}
        self._streams: set[SimulatedStream] = set()
        self._cut: set[str] = set()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._wake: Cancellable | None = None
        self._wake_at = 0.0
        self._last: dict[tuple[Address, Address], float] = {}
        self.names: dict[str, list[str]] = {}
        """The host names that exist, and their addresses."""

    def udp(self, local: Address, receive: Receive) -> SimulatedUdp:
        """Bind a UDP socket. Raises OSError (EADDRINUSE, EADDRNOTAVAIL)."""
        address = self._bind(local, self._sockets)
        sock = self._sockets[address] = SimulatedUdp(self, address, receive)
        return sock

    async def tcp_listen(
        self, local: Address, accept: Accept, options: Callable[[], TcpOptions]
    ) -> SimulatedListener:
        """Listen. Raises OSError (EADDRINUSE, EADDRNOTAVAIL)."""
        address = self._bind(local, self._listeners)
        listener = self._listeners[address] = SimulatedListener(self, address, accept, options)
        return listener

    def tcp_connect(
        self,
        local_host: str | None,
        remote: Address,
        handler: StreamHandler,
        options: TcpOptions,
        *,
        local_port: int = 0,
    ) -> SimulatedStream:
        """Start to connect; `handler.closed` tells failure."""
        host = local_host or self.source_for(remote[0]) or ("::1" if ":" in remote[0] else "127.0.0.1")
        taken = {stream.local for stream in self._streams}
        local = host, local_port or self._free_port(host, taken)
        stream = SimulatedStream(self, local, remote, handler, options)
        self._streams.add(stream)
        self.after(self.delay(), lambda: self._knock(stream))
        stream.give_up_after(options.connect_timeout)
        return stream

    def source_for(self, remote_host: str) -> str | None:
        """The remote host itself if it is ours, else the first bound address of its family."""
        bound = [host for host, _ in (*self._sockets, *self._listeners)]
        if remote_host in bound:
            return remote_host
        return next((host for host in bound if (":" in host) == (":" in remote_host)), None)

    async def resolve(self, name: str) -> list[str]:
        """Only names in `names` exist."""
        if name not in self.names:
            raise OSError(f"{name}: name or service not known")
        return self.names[name]

    def cut(self, host: str) -> None:
        """Unplug a host: datagrams from and to it are lost, TCP waits, connections are not established."""
        self._cut.add(host)

    def mend(self, host: str) -> None:
        """Plug it in again; TCP goes on."""
        self._cut.discard(host)
        for stream in sorted(self._streams, key=lambda each: (each.local, each.remote)):
            stream.flush()

    @property
    def in_use(self) -> int:
        """Sockets, listeners and connections that are open: 0 after everything has ended."""
        return len(self._sockets) + len(self._listeners) + len(self._streams)

    @property
    def bound(self) -> list[Address]:
        """Addresses of the UDP sockets that are open."""
        return sorted(self._sockets)

    # -- what sockets and streams use -------------------------------------------------------------

    def _bind(self, local: Address, taken: object) -> Address:
        host, port = local
        if host in ("0.0.0.0", "::") or (self._hosts is not None and host not in self._hosts):
            raise _error(errno.EADDRNOTAVAIL, local)
        assert isinstance(taken, dict)
        if port == 0:
            return host, self._free_port(host, taken)
        if local in taken:
            raise _error(errno.EADDRINUSE, local)
        return local

    def _free_port(self, host: str, taken: object) -> int:
        assert isinstance(taken, (dict, set))
        for _ in range(1000):
            port = self._random.choice(_EPHEMERAL)
            if (host, port) not in taken:
                return port
        raise _error(errno.EADDRINUSE, (host, 0))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Do something later; what is due at the same moment is done in the order of the calls."""
        due = self.clock.time() + delay
        self._sequence += 1
        heapq.heappush(self._queue, (due, self._sequence, action))
        if self._wake is None or due < self._wake_at:
            if self._wake is not None:
                self._wake.cancel()
            self._wake_at = due
            self._wake = self.clock.call_later(max(0.0, delay), self._deliver)

    def _deliver(self) -> None:
        self._wake = None
        queue = self._queue
        now = max(self.clock.time(), self._wake_at) + 1e-9
        try:
            while queue and queue[0][0] <= now:
                heapq.heappop(queue)[2]()
        finally:
            if queue and self._wake is None:
                self._wake_at = queue[0][0]
                self._wake = self.clock.call_later(max(0.0, self._wake_at - self.clock.time()), self._deliver)

    def delay(self) -> float:
        """How long one packet takes."""
        return self.latency + (self._random.uniform(0.0, self.jitter) if self.jitter else 0.0)

    def ordered_delay(self, source: Address, destination: Address, extra: float = 0.0) -> float:
        """Delay of a packet that may not overtake the one before it on the same path."""
        now = self.clock.time()
        due = max(now + self.delay() + extra, self._last.get((source, destination), 0.0))
        self._last[source, destination] = due
        return due - now

    def chance(self, probability: float) -> bool:
        """Throw the dice."""
        return probability > 0.0 and self._random.random() < probability

    def reachable(self, source: Address, destination: Address) -> bool:
        """Whether packets get through, at this moment."""
        here, there = source[0], destination[0]
        same_family = (":" in here) == (":" in there)
        return same_family and here not in self._cut and there not in self._cut

    def record(self, transport: str, source: Address, destination: Address, data: bytes, lost: bool) -> None:
        """Write a line of the trace."""
        if self.trace is not None:
            self.trace.append(Packet(self.clock.time(), transport, source, destination, data, lost))

    def datagram(self, source: Address, destination: Address, data: bytes) -> None:
        """Carry a datagram, or lose it, or carry it twice or late."""
        lost = len(data) > 65507 or not self.reachable(source, destination) or self.chance(self.loss)
        self.record("UDP", source, destination, data, lost)
        if lost:
            return
        for _ in range(2 if self.chance(self.duplicate) else 1):
            if self.chance(self.reorder):
                delay = self.delay() + self._random.uniform(0.0, 4 * (self.latency + self.jitter) + 0.01)
            else:
                delay = self.ordered_delay(source, destination)
            self.after(delay, lambda: self._arrive(source, destination, data))

    def _arrive(self, source: Address, destination: Address, data: bytes) -> None:
        sock = self._sockets.get(destination)
        if sock is not None and self.reachable(source, destination):
            sock.receive(data, source)

    def release(self, sock: SimulatedUdp | SimulatedListener | SimulatedStream) -> None:
        """Forget what has been closed."""
        if isinstance(sock, SimulatedUdp):
            self._sockets.pop(sock.local, None)
        elif isinstance(sock, SimulatedListener):
            self._listeners.pop(sock.local, None)
        else:
            self._streams.discard(sock)
            self._last.pop((sock.local, sock.remote), None)

    def _knock(self, client: SimulatedStream) -> None:
        """A connection request arrives."""
        if client.ended or not self.reachable(client.local, client.remote):
            return  # the client's own timeout tells it
        listener = self._listeners.get(client.remote)
        if listener is None:
            refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            self.after(self.delay(), lambda: client.end(refused))
            return
        server = SimulatedStream(self, client.remote, client.local, None, listener.options())
        self._streams.add(server)
        server.establish(client)
        server.handler = listener.accept(server)
        self.after(self.ordered_delay(server.local, server.remote), lambda: client.establish(server))


class SimulatedUdp:
    """A bound UDP socket."""

    __slots__ = ("_closed", "_network", "local", "receive")

    def __init__(self, network: SimulatedNetwork, local: Address, receive: Receive) -> None:
        self._network = network
        self._closed = False
        self.local = local
        self.receive = receive

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram."""
        if not self._closed:
            self._network.datagram(self.local, remote, data)

    def close(self) -> None:
        """Release the port."""
        if not self._closed:
            self._closed = True
            self._network.release(self)


class SimulatedListener:
    """A listening TCP socket."""

    __slots__ = ("_network", "accept", "local", "options")

    def __init__(
        self, network: SimulatedNetwork, local: Address, accept: Accept, options: Callable[[], TcpOptions]
    ) -> None:
        self._network = network
        self.local = local
        self.accept = accept
        self.options = options

    def close(self) -> None:
        """Stop accepting."""
        self._network.release(self)


class SimulatedStream:
    """One end of a TCP connection: reliable, in order, with its latency."""

    def __init__(
        self,
        network: SimulatedNetwork,
        local: Address,
        remote: Address,
        handler: StreamHandler | None,
        options: TcpOptions,
    ) -> None:
        self._network = network
        self.local = local
        self.remote = remote
        self.handler = handler
        self.ended = False
        self.stood = False
        self._options = options
        self._peer: SimulatedStream | None = None
        self._waiting: list[bytes] = []
        self._closing = False
        self._timeout: Cancellable | None = None

    def give_up_after(self, seconds: float) -> None:
        """Bound the time that connecting may take."""
        error = TimeoutError(f"no connection within {seconds:g} s")
        self._timeout = self._network.clock.call_later(seconds, self.end, error)

    def establish(self, peer: SimulatedStream) -> None:
        """The connection stands from now on."""
        if self.ended:
            peer.end(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
            return
        self._peer = peer
        self.stood = True
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        self.flush()

    def send(self, data: bytes) -> None:
        """Queue octets."""
        if self.ended or self._closing or not data:
            return
        self._waiting.append(data)
        if sum(map(len, self._waiting)) > self._options.write_limit:
            self.abort(ConnectionAbortedError(f"over {self._options.write_limit} octets wait"))
            return
        self.flush()

    def flush(self) -> None:
        """Send what waits, if there is a way."""
        network, peer = self._network, self._peer
        if peer is None or self.ended or not network.reachable(self.local, self.remote):
            return
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            network.record("TCP", self.local, self.remote, data, False)
            late = _RETRANSMISSION if network.chance(network.loss) else 0.0
            network.after(network.ordered_delay(self.local, self.remote, late), lambda d=data: peer.arrive(d))  # type: ignore[misc]
        if self._closing:
            network.after(network.ordered_delay(self.local, self.remote), lambda: peer.end(None))
            network.after(0.0, lambda: self.end(None))

    def arrive(self, data: bytes) -> None:
        """Octets come in."""
        if not self.ended and not self._closing and self.handler is not None:
            self.handler.data_received(data)

    def close(self) -> None:
        """Close when what is queued has been sent."""
        if self.ended or self._closing:
            return
        self._closing = True
        network = self._network
        if self._peer is None:
            network.after(0.0, lambda: self.end(None))
        elif network.reachable(self.local, self.remote):
            self.flush()
        else:
            network.after(_GIVEN_UP, lambda: self.end(None))

    def abort(self, error: Exception) -> None:
        """Break the connection: both ends are told soon (a peer's reset, a cable cut: for tests too)."""
        reset = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        peer = self._peer
        self._closing = True
        self._waiting.clear()
        self._network.after(0.0, lambda: self.end(error))
        if peer is not None:
            self._network.after(self._network.delay(), lambda: peer.end(reset))

    def end(self, error: Exception | None) -> None:
        """The connection is gone at this end."""
        if self.ended:
            return
        self.ended = True
        if self._timeout is not None:
            self._timeout.cancel()
        self._network.release(self)
        self._peer = None
        self._waiting.clear()
        handler, self.handler = self.handler, None
        if handler is not None:
            handler.closed(error)


def _error(number: int, address: Address) -> OSError:
    return OSError(number, f"{os.strerror(number)}: {address[0]}:{address[1]}")
