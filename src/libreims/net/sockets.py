"""The network of this machine: UDP on one private epoll, TCP on asyncio's transports.  Adapter of `net.port`.

A UDP packet costs one Python call and no event-loop handle: all UDP sockets hang in one epoll set whose
descriptor is the only reader that the loop knows.  With `within` the sockets are made in another network
namespace (`net.netns`): a socket stays where it was made, so the process itself need not be there.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

from libreims.net.port import Accept, Address, Receive, StreamHandler, TcpOptions

_READY = 512
"""Sockets taken from the epoll set at once."""
_BURST = 64
"""Datagrams read from one socket before the others have their turn."""
_ROUNDS = 16
"""Rounds over the ready sockets before the event loop (timers, TCP) has its turn."""
_DATAGRAM = 65535
_RECEIVE_BUFFER = 8 << 20
_SEND_BUFFER = 2 << 20
_SPARE = 16
"""Sockets made on one visit to another namespace: the way there and back costs twice as much as a socket."""

Within = Callable[[], AbstractContextManager[object]]
"""Gives what the calling thread has to be in while it makes a socket."""


class SocketNetwork:
    """Real sockets, on the given event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, within: Within = contextlib.nullcontext) -> None:
        self._loop = loop
        self._within = within
        self._epoll = select.epoll()
        self._sockets: dict[int, UdpSocket] = {}
        self._spare: dict[tuple[int, int], list[socket.socket]] = {}
        loop.add_reader(self._epoll.fileno(), self._drain)

    def udp(self, local: Address, receive: Receive) -> UdpSocket:
        """Bind a UDP socket. Raises OSError."""
        ipv6 = ":" in local[0]
        sock = self._socket(local[0], socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if ipv6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            sock.bind(local)
            datagrams = UdpSocket(self, sock, receive)
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        except OSError:
            sock.close()
            raise
        self._sockets[sock.fileno()] = datagrams
        return datagrams

    def forget(self, descriptor: int) -> None:
        """Take a UDP socket out of the set (before it is closed)."""
        del self._sockets[descriptor]
        self._epoll.unregister(descriptor)

    def _drain(self) -> None:
        # A callback that raises ends the round; the epoll set is level-triggered, so nothing is lost by it.
        poll = self._epoll.poll
        sockets = self._sockets
        for _ in range(_ROUNDS):
            ready = poll(0, _READY)
            # One busy socket (SIP) is read until it is empty.  Many (media) are read once each: the next
            # poll tells for all of them together what a failing read would tell for each.
            burst = _BURST if len(ready) == 1 else 1
            for descriptor, _event in ready:
                datagrams = sockets.get(descriptor)
                if datagrams is not None:
                    datagrams.read(burst)
            if len(ready) <= 1:
                return

    async def tcp_listen(
        self, local: Address, accept: Accept, options: Callable[[], TcpOptions]
    ) -> TcpListener:
        """Bind and listen. Raises OSError."""
        ipv6 = ":" in local[0]
        sock = self._socket(local[0], socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if ipv6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(local)
            server = await self._loop.create_server(
                lambda: TcpStream(local, local, options(), accept=accept), sock=sock, backlog=1024
            )
        except OSError:
            sock.close()
            raise
        return TcpListener(server, _address(sock.getsockname()))

    def tcp_connect(
        self,
        local_host: str | None,
        remote: Address,
        handler: StreamHandler,
        options: TcpOptions,
        *,
        local_port: int = 0,
    ) -> TcpStream:
        """Start to connect; failure is told by `handler.closed(error)`."""
        stream = TcpStream((local_host or "", local_port), remote, options, handler=handler)
        stream.connect(self._loop, lambda: self._client(local_host, local_port, remote[0]))
        return stream

    def _client(self, local_host: str | None, local_port: int, remote_host: str) -> socket.socket:
        sock = self._socket(remote_host, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if local_host or local_port:
                # One port may have connections to many peers, and a closed one must not block the next.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((local_host or ("::" if ":" in remote_host else "0.0.0.0"), local_port))
        except OSError:
            sock.close()
            raise
        return sock

    def _socket(self, host: str, kind: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if self._within is contextlib.nullcontext:
            return socket.socket(family, kind)
        spare = self._spare.setdefault((family, kind), [])
        if not spare:
            with self._within():
                spare.append(socket.socket(family, kind))
                with contextlib.suppress(OSError):  # at the limit of open files one will do
                    spare += (socket.socket(family, kind) for _ in range(_SPARE - 1))
        return spare.pop()

    def source_for(self, remote_host: str) -> str | None:
        """Ask the kernel's routing table, without a packet."""
        with self._socket(remote_host, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((remote_host, 9))
            except OSError:
                return None
            return str(probe.getsockname()[0])

    async def resolve(self, name: str) -> list[str]:
        """Ask the system's name service."""
        found = await self._loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        """Close every UDP socket and leave the loop; TCP is closed by who opened it."""
        for datagrams in list(self._sockets.values()):
            datagrams.close()
        for spare in self._spare.values():
            for sock in spare:
                sock.close()
        self._spare.clear()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()


class UdpSocket:
    """One bound UDP socket."""

    __slots__ = ("_network", "_recvfrom", "_sendto", "_socket", "local", "receive")

    def __init__(self, network: SocketNetwork, sock: socket.socket, receive: Receive) -> None:
        self._network: SocketNetwork | None = network
        self._socket = sock
        self.receive = receive
        self._recvfrom = sock.recvfrom
        self._sendto = sock.sendto
        self.local: Address = _address(sock.getsockname())

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram; what the kernel refuses (full buffer, no route, too big) is lost."""
        # contextlib.suppress would add 0.4 us to the 6 that a relayed packet costs.
        try:  # noqa: SIM105
            self._sendto(data, remote)
        except OSError:
            pass

    def read(self, limit: int) -> None:
        """Hand on up to `limit` waiting datagrams."""
        recvfrom = self._recvfrom
        for _ in range(limit):
            try:
                data, source = recvfrom(_DATAGRAM)
            except OSError:  # nothing more, or an ICMP error of an earlier datagram
                return
            self.receive(data, source if len(source) == 2 else source[:2])
            if self._network is None:
                return

    def close(self) -> None:
        """Release the port."""
        if self._network is not None:
            self._network.forget(self._socket.fileno())
            self._network = None
            self._socket.close()


class TcpListener:
    """A listening socket."""

    def __init__(self, server: asyncio.Server, local: Address) -> None:
        self._server = server
        self.local = local

    def close(self) -> None:
        """Stop accepting."""
        self._server.close()


class TcpStream(asyncio.Protocol):
    """One connection, accepted or outgoing, on an asyncio transport."""

    def __init__(
        self,
        local: Address,
        remote: Address,
        options: TcpOptions,
        *,
        accept: Accept | None = None,
        handler: StreamHandler | None = None,
    ) -> None:
        self.local = local
        self.remote = remote
        self._options = options
        self._accept = accept
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []  # what was sent before the connection is established
        self._waiting_size = 0
        self._connecting: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._ended = False

    @property
    def stood(self) -> bool:
        """Whether the connection has ever been established."""
        return self._transport is not None

    @property
    def kernel_socket(self) -> socket.socket | None:
        """The socket underneath, for its options; None before the connection stands."""
        if self._transport is None:
            return None
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    def connect(self, loop: asyncio.AbstractEventLoop, make: Callable[[], socket.socket]) -> None:
        """Begin to connect, with the socket that `make` gives."""
        self._connecting = loop.create_task(self._connect(loop, make))

    async def _connect(self, loop: asyncio.AbstractEventLoop, make: Callable[[], socket.socket]) -> None:
        sock: socket.socket | None = None
        try:
            sock = make()
            async with asyncio.timeout(self._options.connect_timeout):
                await loop.sock_connect(sock, self.remote)
                await loop.create_connection(self._itself, sock=sock)
                sock = None  # the transport's now
        except TimeoutError:
            self._end(TimeoutError(f"no connection within {self._options.connect_timeout:g} s"))
        except OSError as error:
            self._end(error)
        finally:
            self._connecting = None
            if sock is not None:
                sock.close()

    def _itself(self) -> TcpStream:
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        # uvloop's transports are none of asyncio's classes, so no assertion can say it.
        self._transport = cast(asyncio.Transport, transport)
        self.local = _address(transport.get_extra_info("sockname") or self.local)
        self.remote = _address(transport.get_extra_info("peername") or self.remote)
        _set_options(transport.get_extra_info("socket"), self._options)
        if self._accept is not None:
            self._handler = self._accept(self)
            self._accept = None
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.send(data)
        if self._ended:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """asyncio: octets."""
        if self._handler is not None and not self._ended:
            self._handler.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._end(self._error or exc)

    def send(self, data: bytes) -> None:
        """Queue octets; over the write limit the connection is cut."""
        if self._ended:
            return
        transport = self._transport
        if transport is None:
            self._waiting.append(data)
            self._waiting_size += len(data)
            if self._waiting_size > self._options.write_limit:
                self._cut("connection is not established")
            return
        if transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._options.write_limit:
            self._cut("the peer reads too slowly")

    def _cut(self, why: str) -> None:
        error = ConnectionAbortedError(f"{why}: over {self._options.write_limit} octets wait")
        self._error = error
        if self._transport is not None:
            self._transport.abort()
        elif self._connecting is not None:
            self._connecting.cancel()
            self._connecting.get_loop().call_soon(self._end, error)

    def close(self) -> None:
        """Close when what is queued has been sent."""
        if self._transport is not None:
            self._transport.close()
        elif self._connecting is not None:
            self._connecting.cancel()
            self._connecting.get_loop().call_soon(self._end, None)

    def _end(self, error: Exception | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._waiting.clear()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.closed(error)


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    return name[0], name[1]


def _set_options(sock: socket.socket, options: TcpOptions) -> None:
    settings: list[tuple[int, int, int]] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if options.keepalive > 0:
        settings += [
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, min(options.keepalive, 32767)),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, max(1, min(options.keepcount, 127))),
        ]
    # A peer that is gone already makes the kernel refuse: the transport will tell.
    with contextlib.suppress(OSError):
        for level, name, value in settings:
            sock.setsockopt(level, name, value)
