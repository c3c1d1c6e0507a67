"""The parts of the SMS service put together; the composition root has one line for all of them."""

from __future__ import annotations

from libreims.base.bus import Bus
from libreims.base.clock import Clock, UtcClock
from libreims.base.counters import Counters
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.config.store import ConfigStore
from libreims.cscf.authenticates import Authenticates
from libreims.cscf.user_agent import UserAgent
from libreims.sms.centre import SmsCentre, Zone
from libreims.sms.control import SmsControl
from libreims.sms.destination import Destinations
from libreims.sms.filter import SmsFilter
from libreims.sms.incoming import IncomingMessages
from libreims.sms.messages import Messages
from libreims.sms.originating import Originating
from libreims.sms.over_ip import OverIp
from libreims.sms.pager import Pager
from libreims.sms.parties import Senders, Trunk
from libreims.sms.submission import Submissions
from libreims.sms.to_trunk import ToTrunk
from libreims.store.port import Store
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase


class SmsService:
    """The SMS centre, SMS over IP, and text between users."""

    def __init__(
        self,
        config: ConfigStore,
        users: SubscriberDatabase,
        bindings: Bindings,
        agent: UserAgent,
        senders: Senders,
        authenticator: Authenticates,
        trunk: Trunk,
        store: Store,
        *,
        clock: Clock,
        utc: UtcClock,
        zone: Zone,
        tokens: Tokens,
        bus: Bus,
        counters: Counters,
        log: LayerLog,
    ) -> None:
        messages = Messages(agent, tokens, log)
        bearer = OverIp(messages, config, users, bindings, log)
        self.centre = bearer.outcomes = SmsCentre(
            config, users, bearer, store, clock=clock, utc=utc, zone=zone, tokens=tokens, bus=bus, log=log
        )
        filters = SmsFilter(config)
        destinations = Destinations(users, bindings, trunk)
        submissions = Submissions(config, self.centre, destinations, bus)
        to_trunk = ToTrunk(trunk, messages, clock)
        originating = Originating(submissions, self.centre, bearer, to_trunk, filters, counters, log)
        pager = Pager(
            config,
            agent,
            messages,
            destinations,
            bindings,
            bearer,
            self.centre,
            submissions,
            to_trunk,
            clock,
            tokens,
            bus,
            log,
        )
        self.incoming = IncomingMessages(
            senders, authenticator, agent, originating, pager, bearer, self.centre, filters, log
        )
        self.control = SmsControl(config, users, bindings, self.centre, bearer, tokens, log)
