"""The composition root: the only place that knows every adapter.

`Server` puts the parts together on any network and clock; tests run it on virtual time,
`libreims.run` is the program around it.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterable

from libreims import __version__
from libreims.api.metrics import MetricSources
from libreims.api.remote_api import RemoteApi
from libreims.api.services import ApiServices
from libreims.base.bus import Bus
from libreims.base.clock import Clock, UtcClock
from libreims.base.counters import Counters
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.metrics import Histogram
from libreims.base.timers import TimerWheel
from libreims.base.tokens import Tokens
from libreims.call.calls import Calls, LegTable
from libreims.call.control import DialogControl
from libreims.call.history import History
from libreims.call.incoming import IncomingCalls, caller_key
from libreims.call.locate import Locator
from libreims.call.originate import Originate
from libreims.call.scopes import CallflowScopes
from libreims.call.services import CallServices
from libreims.call.trunk import TrunkPeer
from libreims.config.schema import Settings
from libreims.config.store import ConfigStore
from libreims.cscf.callflow import Callflow
from libreims.cscf.capabilities import Capabilities
from libreims.cscf.deviations import Deviations
from libreims.cscf.eager import Serial
from libreims.cscf.router import Router, Timing
from libreims.cscf.user_agent import UserAgent
from libreims.hss.builtin import BuiltinHss
from libreims.hss.profile import SimProfile, sim_profile
from libreims.hss.sequence_record import SequenceRecords
from libreims.ipsec.admission import Admission
from libreims.ipsec.agreements import Agreements
from libreims.ipsec.choice import offer_of
from libreims.ipsec.view import AgreementViews
from libreims.media.relay import MediaRelay
from libreims.net.address import text
from libreims.net.port import Address, Flow, Network, TcpOptions
from libreims.net.sip_transport import SipTransport
from libreims.net.tunnel import Tunnel
from libreims.proto.esp.primitives import missing
from libreims.proto.sip.message import Request
from libreims.proto.sip.stack import SipStack
from libreims.proto.sip.timers import SipTimers
from libreims.registrar.authentication import Authenticator
from libreims.registrar.reg_event import RegEvent
from libreims.registrar.register import Registrar
from libreims.registrar.restart import Restart
from libreims.registrar.schemes import AuthenticationProfile, authentication_profile
from libreims.registrar.security import Security
from libreims.registrar.serving import Registration
from libreims.registrar.subscription_record import SubscriptionRecords
from libreims.sms.centre import Zone
from libreims.sms.incoming import sender_key
from libreims.sms.service import SmsService
from libreims.store.port import NoStore, Store
from libreims.users.admin import UserAdmin, UserChanged
from libreims.users.binding_record import BindingRecords
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase
from libreims.users.subscriber import Subscriber

DRAIN_TIME = 1.0
"""Seconds that a server going down waits for the answers to its BYEs."""


class Server:
    """One IMS: everything between the network and the configuration."""

    def __init__(
        self,
        config: ConfigStore,
        *,
        network: Network,
        clock: Clock,
        utc: UtcClock,
        tokens: Tokens,
        log: Log,
        quit: Callable[[], None] = lambda: None,
        store: Store | None = None,
        zone: Zone = lambda utc: 0,
        tunnel: Callable[[Iterable[str]], Tunnel] | None = None,
    ) -> None:
        """`store` keeps what outlives the server; its owner closes it after `stop`.

        `tunnel` opens the IPsec tunnel for addresses of ours; it raises LibreImsError where it cannot.
        """
        self.config = config
        self.log = log
        self.counters = Counters()
        self._clock = TimerWheel(clock)
        self._utc = utc
        self._tokens = tokens
        self._ims = log.layer("ims")
        self._bus = Bus(self._ims)
        self._store = store

        self.users = SubscriberDatabase.of(config.current, self._ims.warn)
        bindings = BindingRecords(store) if store else None
        self.bindings = Bindings(self._clock, utc, self._bus, bindings)
        self.admin = UserAdmin(self.users, self.bindings, config, self._bus, self._ims)
        self.relay = MediaRelay(network, self._clock, log.layer("media"), tokens)

        self._open_tunnel = tunnel
        self._tunnel: Tunnel | None = None
        self._security = Security(config, log.layer("ipsec"))
        self.ipsec = AgreementViews()
        self.without_ipsec = ""
        """Why there is none although there should be."""

        self._make_sip(network)
        registering = Timing(clock.time, Histogram())
        registration = self._make_registration(registering)
        self._make_calls(network)
        self._make_sms(zone)
        self._router.own_dialogs(self.calls)
        self._router.own_dialogs(registration)
        self.api = self._api(clock, quit, registering.histogram)

    def _make_sip(self, network: Network) -> None:
        """SIP's way in and out: sockets, transactions, router, user agent, callflow modifiers."""
        config, sip = self.config, self.log.layer("sip")
        self._callflow = callflow = Callflow(sip, self.counters, self._clock)
        self._serial = Serial()
        self._router = router = Router(callflow, self._serial, self.counters, self._ims)
        self.transport = SipTransport(
            network,
            self._clock,
            self._receive,
            self._transport_failed,
            lambda: tcp_options(config.current),
            tell=sip.info,
        )
        timers = sip_timers(config.current)
        self.stack = SipStack(self._clock, self._tokens, timers, self.transport, router)
        self._deviations = deviations = Deviations(self.stack, self._clock, config, callflow, self._ims)
        self.stack.originated = deviations.originated
        self.stack.absorbed = callflow.received
        self.stack.stray = callflow.stray
        self.stack.malformed = router.malformed
        self.stack.unfit = callflow.unfit
        self.stack.keep_octets = callflow.wants_octets
        self.stack.screen = deviations.cancel_screened
        self.agent = router.agent = UserAgent(self.stack, self.transport, callflow, config, deviations)
        self.stack.fits = self.agent.fits
        self.stack.answers = self.transport.answers
        router.serve("OPTIONS", Capabilities(self.agent, config).options, _public_user)
        router.binding_at = lambda flow: self.bindings.number_at(flow.remote)

    def _make_registration(self, registering: Timing) -> Registration:
        """HSS, authentication, registrar and reg event."""
        config, users, bindings, store = self.config, self.users, self.bindings, self._store
        clock, utc, log = self._clock, self._utc, self._ims
        sequences = SequenceRecords(store) if store else None
        hss = BuiltinHss(self._sim_profile, self._tokens, sequences)
        self._authenticator = Authenticator(hss, clock, self._tokens, self._authentication_profile)
        self.registrar = Registrar(config, users, bindings, self._authenticator, self._security, utc, log)
        subscriptions = SubscriptionRecords(store, clock, utc) if store else None
        self.reg_event = RegEvent(config, users, bindings, self.agent, clock, self._bus, log, subscriptions)
        self._restart: Restart | None = None
        if store and sequences:
            self._restart = Restart(store, users, bindings, (hss, sequences), self.reg_event, utc, log)
        served = Registration(self.registrar, self.reg_event, self._authenticator, self.agent)
        self._router.serve("REGISTER", served.register, _public_user, registering)
        self._router.serve("SUBSCRIBE", served.subscribe, _public_user)
        return served

    def _make_calls(self, network: Network) -> None:
        """Who is called, calls and their history, the trunk, and what the API does with calls."""
        config, users, bindings, tokens = self.config, self.users, self.bindings, self._tokens
        self.dialogs = History(self._clock, self._utc, self._bus, self._callflow)
        legs = LegTable()
        services = CallServices(self.agent, self._clock, tokens, config, self._ims, legs)
        self.trunk = TrunkPeer(config, self.agent.local_for, lambda host: network.resolve(host), self._ims)
        self._locator = Locator(users, bindings, config, self.trunk, tokens, self.transport.fits)
        self.calls = Calls(services, legs, self._locator, self.relay, self.counters, self.dialogs)
        scopes = CallflowScopes(users, bindings, self._locator, self.calls)
        self.calls.scopes = self._deviations.scopes = scopes
        self._bus.subscribe(UserChanged, lambda event: scopes.renew(event, self.dialogs))
        self.control = DialogControl(self.dialogs, Originate(services, self.calls, users, bindings), config)
        incoming = IncomingCalls(self.calls, self._locator, self._authenticator)
        self._router.serve("INVITE", incoming.serve, caller_key)
        self._router.ack = self.calls.ack_received
        self._router.cancel = self.calls.cancel_received

    def _make_sms(self, zone: Zone) -> None:
        self.sms = SmsService(
            self.config,
            self.users,
            self.bindings,
            self.agent,
            self._locator,
            self._authenticator,
            self.trunk,
            self._store or NoStore(),
            clock=self._clock,
            utc=self._utc,
            zone=zone,
            tokens=self._tokens,
            bus=self._bus,
            counters=self.counters,
            log=self._ims,
        )
        self._router.serve("MESSAGE", self.sms.incoming.serve, sender_key)

    def _api(self, clock: Clock, quit: Callable[[], None], registering: Histogram) -> RemoteApi:
        services = ApiServices(
            config=self.config,
            log=self.log,
            clock=clock,
            utc=self._utc,
            tokens=self._tokens,
            counters=self.counters,
            bus=self._bus,
            users=self.users,
            admin=self.admin,
            bindings=self.bindings,
            registrar=self.registrar,
            dialogs=self.control,
            sms=self.sms.control,
            ipsec=self.ipsec,
            quit=quit,
        )
        metrics = MetricSources(
            self.bindings,
            self.calls,
            self.relay,
            self.stack,
            self._authenticator,
            self.sms.centre,
            self.counters,
            registering,
            lambda: self._tunnel,
        )
        return RemoteApi(services, metrics)

    @property
    def agreements(self) -> Agreements | None:
        """The security agreements; None where there is no IPsec."""
        return self.ipsec.agreements

    async def start(self) -> None:
        """Take over what the store has and open the SIP sockets.

        Raises LibreImsError where one cannot be opened, or the store not be read.
        """
        settings = self.config.current
        if not settings.sip_addr:
            raise LibreImsError("sip_addr is not set: give the address on which phones reach the server")
        if self._restart is not None:
            self._restart.restore([socket.addr for socket in settings.sip_addr])
        self.sms.centre.restore()
        for socket in settings.sip_addr:
            bound = socket.bind_addr or socket.addr
            try:
                await self.transport.listen(bound, advertised=socket.addr)
            except OSError as error:
                await self.stop()
                raise LibreImsError(
                    f"sip_addr {text(bound)}: {error.strerror or error}; {_remedy(error, bound, settings)}"
                ) from error
        self._start_ipsec()
        if self._restart is not None:
            self._restart.resume()
        await self.trunk.start()
        self.sms.centre.resume()
        try:
            await self.api.start()
        except LibreImsError:
            await self.stop()
            raise

    def _start_ipsec(self) -> None:
        """Open the tunnel where there is to be one; without it the server does what it can."""
        if not self.config.current.ipsec or self._open_tunnel is None:
            return
        try:
            self._tunnel = self._open_tunnel([host for host, _ in self.transport.addresses])
        except LibreImsError as error:
            self._security.without(str(error))
            self.without_ipsec = (
                f"there is no IPsec between phones and server (soft phones need none): {error}"
            )
            self.log.layer("ipsec").error(self.without_ipsec)
            return
        self._protect(self._tunnel)

    def _protect(self, tunnel: Tunnel) -> None:
        log = self.log.layer("ipsec")
        self.ipsec.agreements = agreements = Agreements(
            offer_of(self.config.current, missing(), log.warn),
            tunnel,
            self.transport,
            self.bindings,
            self._clock,
            self._tokens,
            self._bus,
            log,
            linger=lambda: 64 * self.config.current.timer_t1,
            patience=lambda: 2 * self.config.current.timer_t1,
        )
        self._security.begin(agreements)
        self._router.admit = Admission(agreements, log)

    async def stop(self) -> None:
        """End calls with BYE, wait a moment for the answers, close everything."""
        self.calls.stop_all("Server shutdown")
        for _ in range(int(DRAIN_TIME / 0.02)):
            if not self.calls.dialogs:
                break
            await asyncio.sleep(0.02)
        await self.api.stop()
        self.agent.deviations.close()
        self._serial.cancel()
        self.sms.centre.close()
        self.reg_event.close()
        self.dialogs.close()
        self.bindings.close()
        self.stack.stop()
        if self.agreements is not None:
            self.agreements.close()
        self.transport.close()
        if self._tunnel is not None:
            self._tunnel.close()
        self.relay.close()

    def _sim_profile(self, impi: str) -> SimProfile | None:
        """What the built-in HSS knows of a user."""
        subscriber = self.users.by_impi(impi)
        return None if subscriber is None else sim_profile(subscriber)

    def _authentication_profile(self, subscriber: Subscriber) -> AuthenticationProfile:
        """How a user is authenticated, as the settings say now."""
        return authentication_profile(self.config.current, subscriber)

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.stack.receive(data, flow)

    def _transport_failed(self, flow: Flow, error: Exception) -> None:
        self.stack.transport_error(flow, error)


def _remedy(error: OSError, bound: Address, settings: Settings) -> str:
    """What to do where a SIP socket cannot be opened."""
    if error.errno == errno.EADDRINUSE:
        if [each.bind_addr or each.addr for each in settings.sip_addr].count(bound) > 1:
            return "it is in sip_addr twice: take one out"
        return (
            f"another program uses this port, a SIP server perhaps: `ss -lnp 'sport = :{bound[1]}'` shows it"
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        if ":" in bound[0]:
            return (
                "it is no IPv6 address of this machine (`ip -6 addr` shows them): correct it or take it out"
            )
        return "it is no address of this machine (`ip addr` shows them): correct it"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 need the right to use them (docs/troubleshooting.md): use a higher one"
    return "is it an address of this machine (`ip addr`), and is no other SIP server running?"


def tcp_options(settings: Settings) -> TcpOptions:
    """The options of SIP connections, as the settings say now."""
    return TcpOptions(keepalive=settings.tcp_keepalive, keepcount=settings.tcp_keepcount)


def sip_timers(settings: Settings) -> SipTimers:
    """The SIP timers of the settings."""
    return SipTimers(settings.timer_t1, settings.timer_t2, settings.timer_t4)


def _public_user(request: Request) -> str:
    """The user that a request is about: requests with the same one are served one by one."""
    return request.to.uri_text


def banner() -> str:
    """Program and version, for the console and the log file."""
    return f"ims version {__version__}"
