"""Our protected ports towards one phone (TS 33.203 §7.1), as `net.sip_transport` uses them.

The phone sends to our server port, from its client port; over UDP everything of ours leaves from our client
port to its server port, whatever a Via or Contact says.  TCP connections of the phone end at our server
port, ours leave from our client port to its server port.  A `Way` is one set of security associations: at a
re-registration there are two of them for a while, with the same server ports and other client ports, so
that dialogs and registrations go on under the same `Flow.local`.

Made by `SipTransport.protect`; `ipsec.agreements` adds and removes the ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from libreims.net.port import Address, DatagramSocket, Flow, Listener, Network, Stream, TcpOptions

if TYPE_CHECKING:
    from libreims.net.sip_transport import Connection, SipTransport


class Way:
    """One set of associations: which ports of ours and of the phone belong together."""

    __slots__ = (
        "client",
        "connection",
        "datagrams_only",
        "flow",
        "heard",
        "port_c",
        "server",
        "socket",
    )

    socket: DatagramSocket

    def __init__(self, local: Address, port_c: int, client: Address, server: Address) -> None:
        self.port_c = port_c
        """Our client port."""
        self.client = client
        """Where the phone's requests come from."""
        self.server = server
        """Where everything of ours goes."""
        self.flow = Flow("UDP", local, client)
        self.heard: Callable[[bytes], None] | None = None
        """Called with each datagram that comes this way."""
        self.connection: Connection | None = None
        """The TCP connection that we opened."""
        self.datagrams_only = False
        """A connection could not be made: the phone does not listen for any (until it registers anew)."""


class ProtectedPorts:
    """Our server port towards one phone, and the ways to that phone."""

    def __init__(
        self,
        transport: SipTransport,
        network: Network,
        local: Address,
        options: Callable[[], TcpOptions],
    ) -> None:
        self.local = local
        self._transport = transport
        self._network = network
        self._options = options
        self._ways: dict[Address, Way] = {}
        self._current: Way | None = None
        self._connections: dict[Connection, Way] = {}
        self._udp: DatagramSocket | None = None
        self._tcp: Listener | None = None

    async def open(self) -> None:
        """Open the server port. Raises OSError."""
        self._udp = self._network.udp(self.local, self._received)
        try:
            self._tcp = await self._network.tcp_listen(self.local, self._accept, self._options)
        except BaseException:  # being cancelled among them
            self.close()
            raise

    # -- ways --------------------------------------------------------------------------------------

    def add(self, port_c: int, client: Address, server: Address) -> Way:
        """Open a client port for a new set of associations. Raises OSError.

        The first way of all is in use at once: the answers to the REGISTER that it is for take it.
        """
        way = Way(self.local, port_c, client, server)
        flow = way.flow
        way.socket = self._network.udp(
            (self.local[0], port_c), lambda data, remote: self._transport.datagram(data, flow)
        )
        self._ways[client] = way
        if self._current is None:
            self._current = way
        return way

    def use(self, way: Way) -> None:
        """From now on requests take this way."""
        self._current = way

    def remove(self, way: Way) -> None:
        """Close a way and its connections; what is sent afterwards takes another one, if there is any."""
        way.socket.close()
        if self._ways.get(way.client) is way:
            del self._ways[way.client]
        if self._current is way:
            self._current = next(reversed(self._ways.values()), None)
        for connection in [each for each, owner in self._connections.items() if owner is way]:
            connection.leave()
            connection.stream.close()

    def __len__(self) -> int:
        """Ways that are open."""
        return len(self._ways)

    def close(self) -> None:
        """Close everything."""
        self._transport.protected.pop(self.local, None)
        for way in tuple(self._ways.values()):
            self.remove(way)
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            self._tcp = None

    # -- what the transport calls --------------------------------------------------------------------

    def send(self, data: bytes, flow: Flow) -> None:
        """Send a datagram to the phone."""
        way = self._way(flow.remote)
        if way is not None:
            way.socket.send(data, way.server)

    def connection(self, flow: Flow) -> Connection | None:
        """The TCP connection for a request, or for a response whose own connection is closed."""
        way = self._way(flow.remote)
        if way is None:
            return None
        connection = way.connection
        if connection is None:
            connection = way.connection = self._transport.register(self.local, way.server)
            connection.established = True  # as for connections outside of IPsec
            self._connections[connection] = way
            connection.stream = self._network.tcp_connect(
                self.local[0], way.server, connection, self._options(), local_port=way.port_c
            )
        return connection

    def _way(self, remote: Address) -> Way | None:
        """Answers go back the way that the request came, known by its client port; all else the one in use.

        A phone that still uses older associations may have dropped the new ones, and one that answers an
        offer has no others.
        """
        return self._ways.get(remote) or self._current

    def toward(self, flow: Flow) -> Flow:
        """The flow of a new request: the way in use, whatever the peer was known by before.

        Over TCP it is a connection of ours: who opened the other one waits for answers there, no more.
        """
        way = self._current
        return flow if way is None else Flow(flow.transport, self.local, way.server)

    @property
    def datagrams_only(self) -> bool:
        """Whether the phone is known to take no TCP connection: each try would cost its time."""
        return self._current is not None and self._current.datagrams_only

    def ended(self, connection: Connection) -> None:
        """A connection is gone."""
        way = self._connections.pop(connection, None)
        if way is not None and way.connection is connection:
            way.connection = None
            way.datagrams_only = not connection.stream.stood

    # -- what the sockets call -----------------------------------------------------------------------

    def _received(self, data: bytes, remote: Address) -> None:
        way = self._ways.get(remote)
        if way is None:
            self._transport.stranger("datagram", remote, self.local)
            return
        if way.heard is not None:
            way.heard(data)
        self._transport.datagram(data, way.flow)

    def _accept(self, stream: Stream) -> Connection:
        connection = self._transport.accepted(stream, self.local)
        way = self._ways.get(stream.remote)
        if way is None:
            self._transport.stranger("TCP connection", stream.remote, self.local)
            connection.leave()
            stream.close()
        elif self._transport.is_open(connection.flow.connection):
            self._connections[connection] = way
        return connection
