"""All security agreements of the server (TS 33.203 §7, TS 24.229 §5.2.2): made, found, taken down.

`registrar.security` asks for one with each challenge and tells of each registration; when contacts come and
go is heard from `users.bindings`.  Associations go into the `net.tunnel` port, protected ports into the SIP
transport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from libreims.base.bus import Bus
from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError, Reject
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.ipsec.agreement import OFFER_LIFETIME, Agreement, Event, State
from libreims.ipsec.choice import Offer, matches, proposals
from libreims.ipsec.handover import Handover
from libreims.ipsec.installation import Installer
from libreims.ipsec.offers import Offers
from libreims.net.protected_ports import ProtectedPorts
from libreims.net.sip_transport import SipTransport
from libreims.net.tunnel import Tunnel
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.keys import EspKeys, expand
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.security_agreement import Ipsec3gpp, Mechanism
from libreims.users.bindings import Bindings, BindingsChanged
from libreims.users.expiry import Expiry

REMEMBERED = 8
"""Agreements of a phone whose Security-Server is known after their end."""
RETRY_AFTER = (10, 40)
"""Seconds after which a phone may come again that gets no agreement now: not all at the same time."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A REGISTER that is being challenged, as far as an agreement depends on it."""

    impi: str
    flow: Flow
    """Where it came from."""
    client: tuple[str, ...]
    """Its Security-Client lines."""
    mechanisms: tuple[Mechanism, ...]
    """The same, read."""
    nonce: str
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    emergency: bool = False


class Agreements:
    """Holds the agreements of all phones."""

    def __init__(
        self,
        offer: Offer,
        tunnel: Tunnel,
        transport: SipTransport,
        bindings: Bindings,
        clock: Clock,
        tokens: Tokens,
        bus: Bus,
        log: LayerLog,
        *,
        linger: Callable[[], float],
        patience: Callable[[], float],
    ) -> None:
        """`linger`: seconds that a transaction may be repeated, 64*T1; `patience`: see `Handover`."""
        self.offer = offer
        self._transport = transport
        self._bindings = bindings
        self._clock = clock
        self._log = log
        self._linger = linger
        self._tokens = tokens
        self.installer = Installer(tunnel, transport, tokens)
        self._tunnel = tunnel
        self.hosts = tunnel.hosts
        """Addresses of ours on which there can be agreements."""
        self._by_port: dict[Address, list[Agreement]] = {}
        self._said: dict[Address, tuple[str, ...]] = {}
        self._offers = Offers(clock, log)
        self._expiry: Expiry[Agreement] = Expiry(clock, self._expired)
        self._handover = Handover(clock, patience, self.used)
        bus.subscribe(BindingsChanged, self._changed)

    def __iter__(self) -> Iterator[Agreement]:
        """Every agreement in force, those that are only offered too."""
        return (each for agreements in self._by_port.values() for each in agreements)

    def __len__(self) -> int:
        return sum(map(len, self._by_port.values()))

    # --- lookups

    def protects(self, local: Address) -> bool:
        """Whether this address of ours is a protected port."""
        return local in self._by_port

    def at(self, flow: Flow) -> Agreement | None:
        """The agreement that a message came through; None outside of IPsec."""
        beside = self._by_port.get(flow.local, ())
        for each in beside:
            if each.way.client == flow.remote:
                return each
        for each in beside:  # a TCP connection of ours, which goes to the phone's server port
            connection = each.way.connection
            if connection is not None and connection.flow.connection == flow.connection:
                return each
        return None

    def answered_with(self, nonce: str) -> Agreement | None:
        """The agreement that was offered with this challenge and waits for its answer."""
        return self._offers.answered_with(nonce)

    @property
    def expecting(self) -> bool:
        """Whether any challenge with an agreement waits for its answer."""
        return bool(self._offers)

    def beside(self, agreement: Agreement) -> list[Agreement]:
        """All agreements with the same server port, this one too."""
        return self._by_port.get(agreement.local, [])

    def said(self, agreement: Agreement) -> Iterable[str]:
        """What Security-Server has said to a phone: of agreements that are over, and offers in vain, too."""
        return self._said[agreement.local]

    # --- making one

    async def propose(self, challenge: Challenge) -> Agreement | None:
        """Make the agreement that goes out with a challenge; None where no proposal of the phone will do.

        Raises Reject (503) where there are no ports left, the tunnel does not take it, or too many phones
        register at this moment.
        """
        chosen = self._choose(challenge)
        if chosen is None:
            return None
        proposal, keys = chosen
        host, phone = challenge.flow.local[0], challenge.flow.remote[0]
        try:
            self._withdraw_offers(challenge)
            shared = self._ports_to_share(challenge, proposal)
            count = self.installer.pool.spis
            if count >= self._tunnel.capacity:
                raise LibreImsError(
                    f"there are {count} already, and the limit of open files has to leave room for calls: "
                    "raise it (`ulimit -n`)"
                )
            installation = await self.installer.install(host, phone, proposal, keys, shared)
        except (OSError, LibreImsError) as error:
            raise Reject(
                503,
                f"no IPsec agreement with {challenge.impi} at {phone}: {error}.",
                headers=(("Retry-After", str(self._tokens.integer(*RETRY_AFTER))),),
            ) from error
        agreement = Agreement(self, challenge.impi, installation)
        self._keep(agreement, challenge)
        self._log.info(f"{challenge.impi} is offered {agreement}")
        return agreement

    def _choose(self, challenge: Challenge) -> tuple[Ipsec3gpp, EspKeys] | None:
        for proposal in matches(self.offer, proposals(challenge.mechanisms)):
            try:
                return proposal, expand(proposal.alg, proposal.ealg, challenge.ik, challenge.ck)
            except EspSetupError as error:
                pair = f"{proposal.alg}/{proposal.ealg}"
                self._log.warn(f"{challenge.impi} cannot have {pair} this time: {error}")
        return None

    def _withdraw_offers(self, challenge: Challenge) -> None:
        for each in self._offers.voided(
            challenge.impi,
            challenge.flow.remote[0],
            emergency=challenge.emergency,
            through=self.at(challenge.flow),
            limit=self._tunnel.capacity // 2,
        ):
            self._fire(each, Event.WITHDRAWN)

    def _ports_to_share(self, challenge: Challenge, proposal: Ipsec3gpp) -> ProtectedPorts | None:
        """The server port to go on with (TS 33.203 §7.1): that of the agreement which is being renewed.

        Where the phone takes its old client port again, only another server port tells the two apart.
        """
        before = self._by_port.get(challenge.flow.local, [])
        client = (challenge.flow.remote[0], proposal.port_c)
        for each in before:
            if each.impi != challenge.impi or each.emergency != challenge.emergency or each.phone == client:
                return None
        return before[0].ports if before else None

    def _keep(self, agreement: Agreement, challenge: Challenge) -> None:
        agreement.emergency = challenge.emergency
        agreement.nonce = challenge.nonce
        agreement.offered = challenge.client
        agreement.linger = self._linger()
        self._by_port.setdefault(agreement.local, []).append(agreement)
        self._said[agreement.local] = (agreement.said, *self._said.get(agreement.local, ()))[:REMEMBERED]
        self._offers.add(agreement)
        self._expiry.start(agreement, OFFER_LIFETIME)

    # --- its life

    def registered(self, flow: Flow) -> None:
        """The REGISTER that came through an agreement is about to be answered with 200."""
        agreement = self.at(flow)
        if agreement is None:
            return
        bound = [each for each in self._bindings.of(agreement.impi) if each.flow.local == flow.local]
        if not bound:
            return
        before = agreement.state
        self._fire(agreement, Event.REGISTERED, max(map(self._bindings.remaining, bound)))
        agreement.number = bound[-1].number
        if before is State.OFFERED:
            self._offers.forget(agreement)
            agreement.offered = ()  # compared, and long
            self._log.info(f"{agreement.impi} has agreed on {agreement}", id=agreement.number)
        older = [each for each in self.beside(agreement) if each is not agreement]
        for other in older:
            self._fire(other, Event.REPLACED)
            self._handover.end(other)
        if before is State.OFFERED and any(other.state is State.SUPERSEDED for other in older):
            self._handover.begin(agreement)
        elif before is not State.AGREED:
            self._handover.take(agreement)

    def used(self, agreement: Agreement) -> None:
        """A message came through an agreement: it is the one to use, and those that it replaced may go soon.

        TS 24.229 §5.2.2.
        """
        beside = self._by_port[agreement.local]
        if agreement.state is State.AGREED and len(beside) > 1:
            self._handover.end(agreement)
            self._handover.take(agreement)
            for other in tuple(beside):
                if other.state is State.SUPERSEDED and other.deadline > self._clock.time() + other.linger:
                    self._fire(other, Event.FOLLOWED)

    def withdraw(self, agreement: Agreement) -> None:
        """Take an offer back that nobody will come through: its challenge has been answered in vain."""
        self._fire(agreement, Event.WITHDRAWN)

    def _changed(self, event: BindingsChanged) -> None:
        for cause, binding, previous in event.changes:
            gone = binding if cause.ends else previous
            if gone is None or not gone.protected:
                continue
            local = gone.flow.local
            if local not in self._by_port:
                continue
            if any(each.flow.local == local for each in self._bindings.of(event.impi)):
                continue
            moved = not cause.ends and binding.protected
            if moved:
                self._transport.lead(local, binding.flow.local)
            for agreement in tuple(self._by_port[local]):
                if moved:
                    self._fire(agreement, Event.REPLACED)
                    self._fire(agreement, Event.FOLLOWED)
                else:
                    self._fire(agreement, Event.RELEASED)

    def _fire(self, agreement: Agreement, event: Event, lifetime: float = 0.0) -> None:
        before = agreement.state
        if agreement.fire(event, self._clock.time(), lifetime) and before is not agreement.state:
            text = _ENDS.get((event, before)) or _CHANGES.get(event)
            if text and self._log.info_on:
                self._log.info(f"{agreement.impi}: {_brief(agreement)} {text}", id=agreement.number or None)

    def _expired(self, agreement: Agreement) -> None:
        if agreement.state is State.OFFERED and not agreement.reached:
            self._log.warn(
                f"{agreement.impi} was offered {_brief(agreement)} and has not come back through it within "
                f"{OFFER_LIFETIME:g} s: ESP does not get through between phone and server, or the phone "
                "did not accept the challenge."
            )
        self._fire(agreement, Event.DEADLINE)

    # --- `agreement.Keeper`

    def lasts(self, agreement: Agreement, until: float) -> None:
        """Move a deadline."""
        self._expiry.start(agreement, until - self._clock.time())

    def ended(self, agreement: Agreement) -> None:
        """Take an agreement down: associations, ports, SPIs."""
        self._expiry.stop(agreement)
        self._handover.end(agreement)
        self._offers.forget(agreement)
        beside = self._by_port[agreement.local]
        beside.remove(agreement)
        if not beside:
            del self._by_port[agreement.local], self._said[agreement.local]
        self.installer.remove(agreement.installation)

    def close(self) -> None:
        """The program ends: no timer and no association is left."""
        self._expiry.clear()
        for agreement in tuple(self):
            agreement.state = State.ENDED
            self.ended(agreement)


_CHANGES = {
    Event.REPLACED: "is superseded: the phone has registered through another agreement",
    Event.RELEASED: "ends soon: nothing is registered through it any more",
    Event.WITHDRAWN: "is withdrawn: the phone was challenged anew",
    Event.DEADLINE: "is over",
}
_ENDS = {
    (Event.DEADLINE, State.AGREED): "has expired",
    (Event.REGISTERED, State.SUPERSEDED): "is in use again: the phone has gone back to it",
    (Event.REGISTERED, State.ENDING): "is in use again",
}


def _brief(agreement: Agreement) -> str:
    ours = agreement.ours
    return f"the agreement {ours.alg}/{ours.ealg} with SPIs {ours.spi_c:#010x} {ours.spi_s:#010x}"
