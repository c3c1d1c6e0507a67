"""A network inside the process, without sockets; what the server sends is kept until it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Wire:
    """Datagrams of the server in their order, with where they go; TCP is there in name only."""

    def __init__(self) -> None:
        self.queue: deque[tuple[bytes, tuple[str, int]]] = deque()
        self.receive: Callable[[bytes, tuple[str, int]], None] | None = None
        """Gives a datagram to the server, with where it came from."""

    def udp(self, local, receive):
        if local[1] == 5060:
            self.receive = receive
        return Socket(self, local)

    async def tcp_listen(self, local, accept, options):
        return Socket(self, local)

    def source_for(self, host):
        return None


class Socket:
    """A bound socket on the wire."""

    def __init__(self, wire: Wire, local) -> None:
        self.local = local
        self._wire = wire

    def send(self, data, remote) -> None:
        self._wire.queue.append((data, remote))

    def close(self) -> None:
        pass
