"""Simulated phones on a simulated network, and a registrar that is just good enough to test them against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from libreims.base.clock import Clock
from libreims.base.tokens import Tokens
from libreims.net.port import Address, Flow, Network, TcpOptions
from libreims.net.sip_transport import SipTransport
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.vector import generate, open_auts
from libreims.proto.sip import digest
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ServerTransaction, SipStack, SipTimers
from libreims.ue.config import PhoneConfig, SimCard
from libreims.ue.phone import Phone

K, OPC = bytes(range(16)), bytes(range(16, 32))
MILENAGE = SimCard("milenage", K, opc=OPC)


def phone_config(number: int, server: Address, **changes: object) -> PhoneConfig:
    """Phone `number` at 10.0.0.`number`:5060 (or `fd00::number`), a soft phone unless changed."""
    local = f"fd00::{number}" if ":" in server[0] else f"10.0.0.{number}"
    config = PhoneConfig(
        impi=f"00101{number:010d}@ims.test",
        impu=f"sip:00101{number:010d}@ims.test",
        server=server,
        local=(local, 5060),
    )
    return replace(config, **changes)  # type: ignore[arg-type]


class PhonePair:
    """Two phones, each the server of the other."""

    def __init__(self, network: Network, clock: Clock, **changes: object) -> None:
        first, second = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
        self.a = Phone(network, clock, Tokens(1), phone_config(1, second, **changes))
        self.b = Phone(network, clock, Tokens(2), phone_config(2, first, **changes))

    async def start(self) -> tuple[Phone, Phone]:
        await self.a.start()
        await self.b.start()
        return self.a, self.b


class RegistrarStub:
    """Answers REGISTER as told; everything else goes to `other`."""

    def __init__(self, network: Network, clock: Clock, address: Address = ("10.0.0.100", 5060)) -> None:
        self.address = address
        self.clock = clock
        self.tokens = Tokens(99)
        self.stack = SipStack(clock, self.tokens, SipTimers(0.5, 4.0, 5.0), self, self)
        self.transport = SipTransport(
            network, clock, self.stack.receive, self.stack.transport_error, lambda: TcpOptions()
        )
        self.algorithm = ""
        """Empty: no authentication; MD5, AKAv1-MD5 ..."""
        self.k = K
        self.sqn = 0x1000
        self.password = b"secret"
        self.expires = 600_000
        self.min_expires = 0
        self.qop: tuple[str, ...] = ("auth",)
        self.security_server = ""
        """Goes with each challenge."""
        self.keys = False
        """CK and IK go with each challenge, for a P-CSCF to take out (TS 24.229 §5.4.1.2.2)."""
        self.refuse: int | None = None
        self.silent = False
        self.registers: list[Request] = []
        self.others: list[ServerTransaction] = []
        self.other: Callable[[ServerTransaction], None] = self.others.append
        self.forget_challenge()

    def forget_challenge(self) -> None:
        """No credentials are good any more."""
        self._vector = generate(sim_algorithm("milenage", K, opc=OPC), self.tokens.octets(16), 0, 0)

    async def start(self) -> None:
        await self.transport.listen(self.address)

    def send(self, data: bytes, flow: Flow) -> None:
        self.transport.send(data, flow)

    def request_received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method != "REGISTER":
            self.other(transaction)
            return
        self.registers.append(request)
        if not self.silent:
            status, headers = self._register(request)
            transaction.respond(
                Response.to_request(request, status, tag=transaction.local_tag, headers=headers)
            )

    def _register(self, request: Request) -> tuple[int, list[tuple[str, str]]]:
        if self.refuse is not None:
            return self.refuse, [("Reason", 'SIP;cause=403;text="no such user"')]
        if self.algorithm:
            challenge = self._challenge(request)
            if challenge is not None:
                said = [("Security-Server", self.security_server)] if self.security_server else []
                keys = f',ck="{self._vector.ck.hex()}",ik="{self._vector.ik.hex()}"' if self.keys else ""
                return 401, [("WWW-Authenticate", f"{challenge}{keys}"), *said]
        if 0 < (request.expires or 0) < self.min_expires:
            return 423, [("Min-Expires", str(self.min_expires))]
        granted = min(self.expires, request.expires or 0)
        if not granted:
            return 200, []
        contact = str(request.contacts[0]).partition(";expires")[0]
        return 200, [
            ("Contact", f"{contact};expires={granted}"),
            ("Service-Route", f"<sip:orig@{self.address[0]}:{self.address[1]};lr>"),
            ("P-Associated-URI", f"{request.to.without_params()}, <tel:0600000001>"),
        ]

    def _challenge(self, request: Request) -> digest.Challenge | None:
        """None when the credentials are good."""
        text = request.get("Authorization")
        credentials = digest.Credentials.parse(text) if text else None
        aka = self.algorithm.startswith("AKA")
        if credentials is not None and credentials.auts is not None:
            algorithm = sim_algorithm("milenage", self.k, opc=OPC)
            self.sqn = open_auts(algorithm, self._vector.rand, credentials.auts)
        elif credentials is not None and credentials.response:
            password = self.password
            if aka:
                vector = self._vector
                password = vector.xres
                if "v2" in self.algorithm:
                    password = digest.akav2_password(self.algorithm, vector.xres, vector.ik, vector.ck)
            if credentials.response == credentials.expected("REGISTER", request.body, password=password):
                return None
        nonce = self.tokens.hex(8)
        if aka:
            self.sqn += 32
            algorithm = sim_algorithm("milenage", self.k, opc=OPC)
            self._vector = generate(algorithm, self.tokens.octets(16), self.sqn, 0x8000)
            nonce = digest.aka_nonce(self._vector.rand, self._vector.autn)
        return digest.Challenge("ims.test", nonce, algorithm=self.algorithm, qop=self.qop)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        raise AssertionError("not expected")

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        raise AssertionError("not expected")

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        raise AssertionError(str(error))
