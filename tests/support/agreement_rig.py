"""Security agreements without SIP: offers and registrations by hand, on a clock turned by hand."""

from __future__ import annotations

import itertools

from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.ipsec.agreement import Agreement, State
from libreims.ipsec.agreements import Agreements, Challenge
from libreims.ipsec.choice import Offer
from libreims.net.port import Flow, TcpOptions
from libreims.net.sip_transport import SipTransport
from libreims.proto.sip.security_agreement import Ipsec3gpp, mechanisms
from libreims.users.bindings import Binding, Bindings, Cause, Change
from support.manual_clock import ManualClock
from support.protected import ProtectedNetwork, SimulatedTunnel
from support.registrar_rig import finish

SERVER = "10.0.0.1"
ALICE = "alice@ims.test"
LINGER = 32.0
PATIENCE = 1.0
PAIR = ("hmac-sha-1-96", "aes-cbc")


class AgreementRig:
    """The agreements of one server; `log` has what they say."""

    def __init__(self, pairs: tuple[tuple[str, str], ...] = (PAIR,)) -> None:
        self.clock = ManualClock()
        self.log = Log(utc=self.clock.time)
        self.log.configure("ipsec.level=debug")
        self.bus = Bus(self.log.layer("ims"))
        self.bindings = Bindings(self.clock, self.clock.time, self.bus)
        self.inside = ProtectedNetwork(self.clock)
        self.tunnel = SimulatedTunnel(self.inside, [SERVER])
        self.transport = SipTransport(
            self.inside, self.clock, lambda data, flow: None, lambda flow, error: None, TcpOptions
        )
        self.agreements = Agreements(
            Offer(pairs),
            self.tunnel,
            self.transport,
            self.bindings,
            self.clock,
            Tokens(1),
            self.bus,
            self.log.layer("ipsec"),
            linger=lambda: LINGER,
            patience=lambda: PATIENCE,
        )
        self._numbers = itertools.count(1)

    @property
    def text(self) -> str:
        return "\n".join(line for entry in self.log.ring.since(0)[1] for line in entry.lines)

    @property
    def states(self) -> list[State]:
        return [each.state for each in self.agreements]

    def challenge(
        self,
        impi: str = ALICE,
        *,
        flow: Flow | None = None,
        host: str = "10.0.1.1",
        port_c: int = 0,
        pair: tuple[str, str] = PAIR,
        emergency: bool = False,
    ) -> Challenge:
        """A REGISTER that is being challenged, with SPIs and client port that nobody had before."""
        number = next(self._numbers)
        proposal = Ipsec3gpp(*pair, 0x1000 + 2 * number, 0x1001 + 2 * number, port_c or 6100 + number, 6000)
        client = (str(proposal),)
        flow = flow or Flow("UDP", (SERVER, 5060), (host, 5060))
        return Challenge(
            impi, flow, client, mechanisms(client), f"nonce{number}", bytes(range(16)), b"i" * 16, emergency
        )

    def propose(self, challenge: Challenge) -> Agreement | None:
        """Make an offer; raises Reject."""
        return finish(self.agreements.propose(challenge))

    def offer(self, impi: str = ALICE, **how: object) -> Agreement:
        agreement = self.propose(self.challenge(impi, **how))  # type: ignore[arg-type]
        assert agreement is not None
        return agreement

    def register(
        self, agreement: Agreement, before: Binding | None = None, *, expires: float = 600.0
    ) -> Binding:
        """The REGISTER through an agreement, from the binding to the 200."""
        flow = self.flow(agreement)
        number = before.number if before is not None else self.bindings.new_number()
        now = self.clock.time()
        binding = Binding(
            agreement.impi,
            "sip:a",
            "sip:a@h",
            flow,
            number,
            "c",
            1,
            now,
            now + expires,
            emergency=agreement.emergency,
            protected=True,
        )
        cause = Cause.REGISTERED if before is None else Cause.REFRESHED
        self.bindings.apply(agreement.impi, [Change(cause, binding, before)])
        self.agreements.registered(flow)
        return binding

    def flow(self, agreement: Agreement) -> Flow:
        """Where the phone's messages through an agreement come from."""
        return Flow("UDP", agreement.local, agreement.phone)

    def nothing_left(self) -> None:
        assert len(self.agreements) == 0 and not list(self.tunnel)
        assert self.inside.in_use == 0 and self.transport.protected == {}
        pool = self.agreements.installer.pool
        assert (len(pool), pool.spis) == (0, 0)
        assert not self.agreements._offers and not self.agreements._offers._by_user
