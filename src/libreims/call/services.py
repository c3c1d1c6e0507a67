"""What every leg of every call needs from the server, in one hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from libreims.base.clock import Clock
from libreims.base.log import LayerLog
from libreims.base.slow_timers import SlowTimers
from libreims.base.tokens import Tokens
from libreims.config.store import ConfigStore
from libreims.cscf.user_agent import UserAgent
from libreims.pcc.port import Off, PolicyControl

if TYPE_CHECKING:
    from libreims.call.leg import Leg


class Dialogs(Protocol):
    """Where in-dialog requests find their leg."""

    def enter(self, leg: Leg) -> None:
        """The leg has a dialog now."""

    def leave(self, leg: Leg) -> None:
        """The leg's dialog is gone; harmless when it is not there."""


@dataclass(frozen=True, slots=True)
class CallServices:
    """The ports of the call procedures; made once, in `server`."""

    agent: UserAgent
    clock: Clock
    tokens: Tokens
    config: ConfigStore
    log: LayerLog
    dialogs: Dialogs
    policy: PolicyControl = field(default_factory=Off)
    slow: SlowTimers = field(init=False)
    """For timers of minutes, one for each dialog."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "slow", SlowTimers(self.clock))
