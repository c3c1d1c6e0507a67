"""What the handlers of the remote API work with; made once, by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from libreims.base.bus import Bus
from libreims.base.clock import Clock, UtcClock
from libreims.base.counters import Counters
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.call.control import DialogControl
from libreims.config.store import ConfigStore
from libreims.ipsec.view import AgreementViews
from libreims.registrar.register import Registrar
from libreims.sms.control import SmsControl
from libreims.users.admin import UserAdmin
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase


@dataclass(frozen=True, slots=True)
class ApiServices:
    """The parts of the server that commands read and act on."""

    config: ConfigStore
    log: Log
    clock: Clock
    utc: UtcClock
    tokens: Tokens
    counters: Counters
    bus: Bus
    users: SubscriberDatabase
    admin: UserAdmin
    bindings: Bindings
    registrar: Registrar
    dialogs: DialogControl
    sms: SmsControl
    ipsec: AgreementViews
    quit: Callable[[], None]
    """Begins the ordered end of the program; returns at once."""
