"""Who sends and where other networks are: what the SMS procedures need of `call.locate` and `call.trunk`,
which they may not know."""

from __future__ import annotations

from typing import Any, Protocol

from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request
from libreims.users.bindings import Binding
from libreims.users.identity import Headers, Identity
from libreims.users.subscriber import ImpuEntry, Subscriber


class Sender(Protocol):
    """The origin of a MESSAGE (`call.caller.Caller`)."""

    @property
    def phone(self) -> str:
        """Who it is, for the log."""

    @property
    def identity(self) -> Identity:
        """How it is shown."""

    @property
    def subscriber(self) -> Subscriber | None:
        """None: the trunk."""

    @property
    def binding(self) -> Binding | None:
        """The phone."""

    @property
    def entry(self) -> ImpuEntry | None:
        """The IMPU that it writes with."""


class Senders(Protocol):
    """`call.locate.Locator`."""

    def caller(self, request: Request, flow: Flow) -> Sender:
        """Who is behind a request. Raises Reject (403)."""


class TrunkTarget(Protocol):
    """Where the trunk is (`call.uac_leg.Target`)."""

    @property
    def uri(self) -> str:
        """Request-URI."""

    @property
    def flow(self) -> Flow:
        """How it is reached."""

    @property
    def from_(self) -> str:
        """From, without tag."""

    @property
    def to(self) -> str:
        """To."""

    @property
    def headers(self) -> Headers:
        """Identity headers."""

    @property
    def tcp_threshold(self) -> int:
        """Octets above which requests go over TCP."""


class Trunk(Protocol):
    """`call.trunk.TrunkPeer`."""

    def takes(self, request: Request, caller: Any) -> bool:
        """Whether a number that nobody here has goes to the trunk. Raises Reject (433, 503)."""

    def target(self, request: Request, caller: Any) -> TrunkTarget:
        """Where it goes."""

    def hint(self, request: Request, caller: Any) -> str:
        """What else may help where nobody has the number."""
