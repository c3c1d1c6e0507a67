"""The phone's side of a security agreement and its life (RFC 3329, TS 33.203 §7, TS 24.229 §5.1.1).

`ue.registration` begins one with each registration, has it set up when a challenge has brought the keys, and
tells how the registration went.  A re-registration that is challenged makes a new set of associations, which
carries the answer to the challenge while the old set still carries all else; the old one goes 64*T1 after
the new one is in use.  `ue.agent` asks which way messages go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from libreims.base.clock import Cancellable, Clock
from libreims.base.errors import LibreImsError
from libreims.net.port import Address, Flow
from libreims.net.protected_pool import PortPool
from libreims.net.protected_ports import ProtectedPorts, Way
from libreims.net.sip_transport import SipTransport
from libreims.net.tunnel import SecurityAssociation, Tunnel, associations
from libreims.proto.aka.vector import CardResult
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.keys import EspKeys, expand
from libreims.proto.sip.message import Response
from libreims.proto.sip.security_agreement import OPTION_TAG, Ipsec3gpp
from libreims.ue.config import PhoneConfig
from libreims.ue.recorder import Recorder
from libreims.ue.security_offer import Offer, SecurityError

Header = tuple[str, str]

_REQUIRED: tuple[Header, ...] = (("Require", OPTION_TAG), ("Proxy-Require", OPTION_TAG))
_MARGIN = 30.0
"""Seconds that associations outlive the registration (TS 24.229 §5.1.1.5.1)."""

_OVERTAKEN = "the registration was ended while it was being renewed"
_UNASKED = "the server has registered us without a challenge, and so without keys for IPsec"


@dataclass(frozen=True, slots=True)
class Ipsec:
    """What all phones of one address share."""

    tunnel: Tunnel
    pool: PortPool


@dataclass(slots=True, eq=False)
class _ServerPort:
    """Our protected server port: the same from registering to leaving (TS 33.203 §7.1)."""

    number: int
    ports: ProtectedPorts | None = None
    """None while no association needs it."""
    given: bool = False
    """Whether the number has been given back."""


@dataclass(slots=True, eq=False)
class _Agreement:
    """One set of four security associations."""

    offer: Offer
    ours: Ipsec3gpp
    said: tuple[str, ...]
    """Security-Server, as it came."""
    home: _ServerPort
    ports: ProtectedPorts
    way: Way
    associations: tuple[SecurityAssociation, ...]
    until: float = 0.0
    """When it ends with its registration; time of the clock."""

    @property
    def pair(self) -> str:
        return f"{self.ours.alg}/{self.ours.ealg}"


class Security:
    """The agreements of one phone with its P-CSCF."""

    def __init__(
        self,
        ipsec: Ipsec,
        transport: SipTransport,
        config: PhoneConfig,
        clock: Clock,
        recorder: Recorder,
        *,
        linger: float,
    ) -> None:
        """`linger`: seconds that a transaction may be repeated, 64*T1."""
        self._tunnel, self._pool = ipsec.tunnel, ipsec.pool
        self._transport = transport
        self._config = config
        self._clock = clock
        self._note = recorder.note
        self._linger = linger
        self._home: _ServerPort | None = None
        self._offer: Offer | None = None
        self._pending: _Agreement | None = None
        """Set up, and the REGISTER through it not answered yet."""
        self._current: _Agreement | None = None
        self.pair = ""
        """The algorithms of the last agreement, `hmac-sha-1-96/aes-cbc`."""
        self.agreements = 0
        """How many there have been."""
        self._ending: dict[_Agreement, Cancellable] = {}
        """Superseded or left, the newest last."""

    # -- what the agent asks -----------------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether there is an agreement, through which everything has to go."""
        return self._current is not None

    @property
    def is_pending(self) -> bool:
        """Whether one is set up that the server has not confirmed yet."""
        return self._pending is not None

    @property
    def contact(self) -> Address | None:
        """Where we hear the server; to be named before there is anything set up."""
        return (self._config.local_host, self._home.number) if self._home is not None else None

    @property
    def flow(self) -> Flow | None:
        """The way of requests; None where it leads through no agreement.

        After de-registering what is left of a call still goes where it went.
        """
        used = self._current or next(reversed(self._ending), None)
        if used is None:
            return None
        return Flow(self._config.transport, used.ports.local, used.way.server)

    @property
    def register_flow(self) -> Flow | None:
        """The way of a REGISTER: through what it confirms, or renews."""
        pending = self._pending
        if pending is None:
            return self.flow if self._current is not None else None
        flow = Flow(self._config.transport, pending.ports.local, pending.way.client)
        if flow.transport == "TCP":
            # A connection has one set of associations: it says which, and tells when it breaks.
            connection = pending.ports.connection(flow)
            assert connection is not None  # the way is open
            return connection.flow
        return flow

    def headers(self) -> list[Header]:
        """What requests through the agreement say, but for REGISTER, ACK and CANCEL (RFC 3329 §2.3.1)."""
        current = self._current
        return [*_REQUIRED, *_verify(current)] if current is not None else []

    def register_headers(self) -> list[Header]:
        """What a REGISTER says (TS 24.229 §5.1.1.2.2, §5.1.1.4.2, §5.1.1.5.1)."""
        offered = [("Security-Client", self._offer.header)] if self._offer is not None else []
        return [*offered, *_verify(self._pending or self._current), *_REQUIRED]

    def named(self, flow: Flow) -> str:
        """The algorithms that protect what passes on a flow; empty outside of IPsec."""
        if flow.local not in self._transport.protected:
            return ""
        found = ""
        for each in self._all():
            if each.ports.local == flow.local:
                if flow.remote == each.way.client:
                    return each.pair
                found = found or each.pair
        return found

    def _all(self) -> Iterator[_Agreement]:
        yield from (each for each in (self._current, self._pending) if each is not None)
        yield from reversed(self._ending)

    # -- what a registration goes through ----------------------------------------------------------

    def begin(self) -> None:
        """Make an offer for a REGISTER. Raises SecurityError where there are no ports left."""
        current = self._current
        if current is not None and self._clock.time() >= current.until:
            self._note("the security associations have expired with the registration")
            self.leave()
        self._withdraw()
        host = self._config.local_host
        try:
            if self._home is None:
                self._home = _ServerPort(self._pool.take_port(host))
            port_c = self._pool.take_port(host)
        except LibreImsError as error:
            raise SecurityError(str(error)) from error
        self._offer = Offer(self._config.ipsec, self._pool.take_spis(), port_c, self._home.number)

    async def enter(self, challenge: Response, card: CardResult) -> None:
        """Set up what a challenge names; the next REGISTER goes through it. Raises SecurityError."""
        self.give_up()
        offer, home = self._offer, self._home
        if offer is None or home is None:
            raise SecurityError(_OVERTAKEN)
        ours, theirs = offer.chosen(challenge)
        try:
            keys = expand(ours.alg, ours.ealg, card.ik, card.ck)
            self._pending = await self._set_up(offer, home, ours, theirs, keys, challenge)
        except (OSError, LibreImsError, EspSetupError) as error:
            raise SecurityError(f"no security associations with {ours.alg}/{ours.ealg}: {error}") from error
        self._note(
            f"IPsec with {self._pending.pair}: our ports {ours.port_c} {ours.port_s}, "
            f"SPIs {ours.spi_c:#010x} {ours.spi_s:#010x}; the server's {theirs.port_c} {theirs.port_s}, "
            f"{theirs.spi_c:#010x} {theirs.spi_s:#010x}"
        )

    async def _set_up(
        self,
        offer: Offer,
        home: _ServerPort,
        ours: Ipsec3gpp,
        theirs: Ipsec3gpp,
        keys: EspKeys,
        challenge: Response,
    ) -> _Agreement:
        host, server = self._config.local_host, self._config.server[0]
        made = associations(host, server, ours, theirs, keys)
        if home.ports is None:
            home.ports = await self._transport.protect(self._tunnel.network, (host, home.number))
            if self._offer is not offer:
                self._close_unused(home)
                raise SecurityError(_OVERTAKEN)
        ports = home.ports
        try:
            way = ports.add(ours.port_c, (server, theirs.port_c), (server, theirs.port_s))
            try:
                self._tunnel.install(made)
            except LibreImsError:
                ports.remove(way)
                raise
        except (OSError, LibreImsError):
            self._close_unused(home)
            raise
        said = tuple(challenge.get_all("Security-Server"))
        return _Agreement(offer, ours, said, home, ports, way, made)

    def give_up(self) -> None:
        """What is set up will not be confirmed: the server has challenged anew, or not let us in."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._take_down(pending)

    def agreed(self, seconds: int) -> None:
        """The server has registered us for so long. Raises SecurityError where that is no agreement."""
        until = self._clock.time() + seconds + _MARGIN
        new, old = self._pending, self._current
        if new is None and old is None and seconds > 0:
            raise SecurityError(_OVERTAKEN if self._offer is None else _UNASKED)
        if new is None:
            self._withdraw()  # without a challenge nothing new comes of it
            if old is not None:
                old.until = max(old.until, until)
            return
        self._pending = self._offer = None
        new.until = max(until, old.until) if old is not None else until
        self._current = new
        self.pair = new.pair
        self.agreements += 1
        new.ports.use(new.way)
        if old is not None:
            self._end_later(old)

    def failed(self) -> None:
        """The registration has come to nothing; what there was before goes on."""
        self.give_up()
        self._withdraw()

    def leave(self) -> None:
        """The registration is over; what is on its way may still arrive, the next one begins outside."""
        self.failed()
        current, self._current, home = self._current, None, self._home
        self._home = None
        if current is not None:
            self._end_later(current)
        elif home is not None:
            self._close_unused(home)

    def forget(self) -> None:
        """The server knows nothing of us any more: all of it goes at once."""
        self.leave()
        for agreement in tuple(self._ending):
            self._end(agreement)

    close = forget

    # -- the end of it -----------------------------------------------------------------------------

    def _withdraw(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None:
            self._give_numbers(offer)

    def _end_later(self, agreement: _Agreement) -> None:
        """When the transactions that use it are over (TS 24.229 §5.1.1.5.1), after 64*T1 at the latest."""
        self._ending[agreement] = self._clock.call_later(self._linger, self._end, agreement)

    def _end(self, agreement: _Agreement) -> None:
        self._ending.pop(agreement).cancel()
        self._take_down(agreement)
        self._give_numbers(agreement.offer)

    def _take_down(self, agreement: _Agreement) -> None:
        agreement.ports.remove(agreement.way)
        self._tunnel.remove(agreement.associations)
        self._close_unused(agreement.home)

    def _close_unused(self, home: _ServerPort) -> None:
        """Close the server port when nothing leads to it; its number is ours until we leave."""
        if home.ports is not None and len(home.ports):
            return
        if home.ports is not None:
            self._transport.end_protection(home.ports)
            home.ports = None
        if home is not self._home and not home.given:
            home.given = True
            self._pool.give_port(self._config.local_host, home.number)

    def _give_numbers(self, offer: Offer) -> None:
        self._pool.give_spis(offer.spi)
        self._pool.give_port(self._config.local_host, offer.port_c)


def _verify(agreement: _Agreement | None) -> list[Header]:
    return [("Security-Verify", line) for line in agreement.said] if agreement is not None else []
