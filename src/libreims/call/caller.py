"""Who calls: a registered phone, or the SIP trunk."""

from __future__ import annotations

from dataclasses import dataclass

from libreims.users.bindings import Binding
from libreims.users.identity import Identity
from libreims.users.subscriber import ImpuEntry, Subscriber


@dataclass(frozen=True, slots=True)
class Caller:
    """The origin of a call and how it is shown to the callee."""

    phone: str
    """Who it is, for the log."""
    identity: Identity
    subscriber: Subscriber | None = None
    """None: the trunk."""
    binding: Binding | None = None
    entry: ImpuEntry | None = None
    """The IMPU that it calls with."""
    charging: str = ""
    """P-Charging-Vector of the call, for elements of the network (`call.charging`)."""
    answer_headers: tuple[tuple[str, str], ...] = ()
    """What its responses have besides what passes from the callee's."""
    tcp_threshold: int = 0
    """What is said of in-dialog requests to it; 0: the server's `tcp_threshold`."""

    @property
    def from_trunk(self) -> bool:
        """Whether the call comes from another network."""
        return self.subscriber is None
