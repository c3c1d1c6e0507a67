"""A scripted phone with IPsec: each step of a registration is a call, so that a test may do it wrong."""

from __future__ import annotations

import itertools
from typing import Any

from libreims.base.errors import Reject
from libreims.net.protected_ports import ProtectedPorts, Way
from libreims.net.tunnel import SecurityAssociation, associations
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.usim import Usim
from libreims.proto.esp.keys import expand
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.security_agreement import Ipsec3gpp, mechanisms
from support.lab import CONFIG, DOMAIN, Lab, Outcome, Peer
from support.protected import SimulatedTunnel
from support.sim_phone import SimPhone

SECURE = CONFIG.replace('authent_type: "none"', 'authent_type: "AKAv1"')
K = bytes.fromhex("00112233445566778899aabbccddeeff")
PAIRS = (("hmac-sha-1-96", "aes-cbc"), ("hmac-md5-96", "null"))


class SecurePhone(Peer):
    """Registers through IPsec."""

    def __init__(self, lab: Lab, name: str, host: str, transport: str = "UDP") -> None:
        super().__init__(lab, name, host, transport)
        self.tunnel = SimulatedTunnel(lab.inside, [host])
        self.sim = SimPhone(f"{name}@{DOMAIN}", card=Usim(sim_algorithm("xor", K), 0))
        self.numbers = itertools.count(1)
        self.call_id = f"reg-{name}"
        self.serial = itertools.count(1000, 2)
        self.port_s = 6000
        self.ports: ProtectedPorts | None = None
        self.way: Way | None = None
        self.offer: list[Ipsec3gpp] = []
        self.server_says = ""
        self.associations: list[SecurityAssociation] = []
        self.peer_port: Address = self.server
        self.suffix = ""
        """At the end of the Contact: `;sos`."""

    @property
    def flow(self) -> Flow:
        if self.ports is None:
            return super().flow
        return Flow(self.kind, self.ports.local, self.peer_port)

    @property
    def uri(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = self.ports.local[1] if self.ports is not None else self.port_s
        transport = ";transport=tcp" if self.kind == "TCP" else ""
        return f"sip:{self.name}@{host}:{port}{transport}{self.suffix}"

    # -- steps ------------------------------------------------------------------------------------

    def propose(self, pairs: tuple[tuple[str, str], ...] = PAIRS, port_c: int = 0) -> str:
        """A new Security-Client: SPIs and client port of its own."""
        spi = next(self.serial) * 0x100
        port_c = port_c or 20000 + spi // 0x100 % 40000
        self.offer = [Ipsec3gpp(a, e, spi, spi + 1, port_c, self.port_s) for a, e in pairs]
        return self.client

    @property
    def client(self) -> str:
        """Security-Client as it was said last."""
        return ", ".join(each.proposal for each in self.offer)

    def request(self, authorization: str, **fields: Any) -> Request:
        """A REGISTER; fields with value None are left out."""
        headers: dict[str, Any] = {
            "Contact": f"<{self.uri}>",
            "Expires": "3600",
            "Authorization": authorization,
            "Require": "sec-agree",
            "Proxy-Require": "sec-agree",
            "Call-ID": self.call_id,
            "CSeq": f"{next(self.numbers)} REGISTER",
        }
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        given = [(name, value) for name, value in headers.items() if value is not None]
        return self.build("REGISTER", f"sip:{DOMAIN}", given, to=f"<sip:{self.name}@{DOMAIN}>")

    async def ask(self, **fields: Any) -> Response:
        """REGISTER 1, its answer."""
        if "Security_Client" not in fields:
            fields["Security_Client"] = self.propose()
        if self.server_says:
            fields.setdefault("Security_Verify", self.server_says)
        return await self.send_request(self.request(self.sim.first(DOMAIN), **fields)).final()

    def answer(self, challenge: Response) -> str:
        """The Authorization for a challenge."""
        (text,) = challenge.get_all("WWW-Authenticate")
        return self.sim.answer(Reject(401, "", headers=(("WWW-Authenticate", text),)))

    async def enter(self, challenge: Response) -> str:
        """Set the associations of a challenge up and take them; returns the Authorization."""
        authorization = self.answer(challenge)
        (said,) = challenge.get_all("Security-Server")
        self.server_says = said
        theirs = mechanisms([said])[0].ipsec()
        assert theirs is not None and self.sim.result is not None
        ours = next(each for each in self.offer if (each.alg, each.ealg) == (theirs.alg, theirs.ealg))
        keys = expand(ours.alg, ours.ealg, self.sim.result.ik, self.sim.result.ck)
        server = self.server[0]
        self.associations = list(associations(self.host, server, ours, theirs, keys))
        self.tunnel.install(self.associations)
        if self.ports is None:
            self.ports = await self.transport.protect(self.tunnel.network, (self.host, self.port_s))
        self.way = self.ports.add(ours.port_c, (server, theirs.port_c), (server, theirs.port_s))
        self.ports.use(self.way)
        self.peer_port = (server, theirs.port_s)
        return authorization

    def confirm(self, authorization: str, **fields: Any) -> Outcome:
        """REGISTER 2."""
        fields.setdefault("Security_Client", self.client)
        fields.setdefault("Security_Verify", self.server_says)
        return self.send_request(self.request(authorization, **fields))

    # -- the whole of it -----------------------------------------------------------------------------

    async def secure(self, **fields: Any) -> Response:
        """Register with a new agreement; the final answer."""
        challenge = await self.ask(**fields)
        assert challenge.status == 401, (challenge.status, self.lab.log_text()[-2000:])
        fields.pop("Security_Client", None)
        return await self.confirm(await self.enter(challenge), **fields).final()

    async def refresh(self, **fields: Any) -> Response:
        """Register again through the agreement that there is, with the last nonce."""
        fields.setdefault("Security_Verify", self.server_says)
        fields.setdefault("Security_Client", self.propose())
        return await self.send_request(self.request(self.sim.again(), **fields)).final()

    def forget(self) -> None:
        """What a phone does that is switched off: all associations and ports are gone."""
        self.tunnel.close()
        if self.ports is not None:
            self.transport.end_protection(self.ports)
            self.ports = None
        self.server_says = ""


async def secure_phone(lab: Lab, name: str, transport: str = "UDP", *, ipv6: bool = False) -> SecurePhone:
    """A phone that is not registered yet."""
    number = len(lab.peers) + 1
    host = f"2001:db8::100:{number:x}" if ipv6 else f"10.0.1.{number}"
    phone = SecurePhone(lab, name, host, transport)
    await phone.start()
    lab.peers.append(phone)
    return phone
