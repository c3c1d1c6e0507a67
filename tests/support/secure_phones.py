"""Simulated phones with IPsec of this process, in a host of their own; the server is another process."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.protected_pool import PortPool
from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.stack import SipTimers
from libreims.ue.config import PhoneConfig, SimCard
from libreims.ue.phone import Phone
from libreims.ue.security import Ipsec
from support.hosts import Host
from support.tunnel_rig import lossy

K = "00112233445566778899aabbccddeeff"
SIM = SimCard("xor", bytes.fromhex(K))
LISTS = (
    'ipsec_aalg_list: ["hmac-sha-1-96", "hmac-md5-96", "aes-gmac", "aes-cmac-96", "hmac-sha-1-160",'
    ' "hmac-md5-128", "aes-gmac-us", "null"],\n'
    'ipsec_ealg_list: ["aes-cbc", "aes-gcm", "aes-ctr", "des-ede3-cbc", "blowfish", "aes-gcm-us", "null"],\n'
)
"""Everything that there is, senseless pairs left out by the server."""


def properties(count: int) -> str:
    """A configuration with users p1, p2 ..., numbers 1001, 1002 ..."""
    users = "".join(
        f'{{ sim_algo: "xor", imsi: "001010000{number:06d}", impi: "p{number}@ims.test", K: "{K}",'
        f' authent_type: "AKAv1", impu: ["sip:p{number}", "tel:{1000 + number}"] }},\n'
        for number in range(1, count + 1)
    )
    return (
        'domain: "ims.test", echo: ["tel:666"], timer_t1: 0.5, timer_t2: 4, timer_t4: 5,\n'
        f'log_options: "all.level=debug,all.max_size=1",\nue_db: [\n{users}],\n'
    )


class SecurePhones:
    """Phones that share the addresses of a host and one tunnel."""

    def __init__(self, host: Host, server: Host, t1: float = 0.5) -> None:
        loop = asyncio.get_running_loop()
        self._host, self._server = host, server
        self._network = SocketNetwork(loop, host.entered)
        self._t1 = t1
        with host.entered():
            self.tunnel: EspTunnel = open_tunnel(
                [host.v4, host.v6], loop=loop, log=Log.null().layer("ipsec"), tokens=Tokens(), utc=time.time
            )
        self.ipsec = Ipsec(self.tunnel, PortPool(Tokens()))
        self.phones: list[Phone] = []

    async def phone(
        self, number: int, pair: tuple[str, str], transport: str = "UDP", *, ipv6: bool = False
    ) -> Phone:
        """Phone `number`, switched on."""
        host, server = (self._host.v6, self._server.v6) if ipv6 else (self._host.v4, self._server.v4)
        config = PhoneConfig(
            f"p{number}@ims.test", f"sip:p{number}@ims.test", (server, 5060), sim=SIM, scheme="AKAv1-MD5"
        )
        config = replace(config, transport=transport, local=(host, 0), ipsec=(pair,))
        timers = SipTimers(self._t1, 8 * self._t1, 10 * self._t1)
        one = Phone(
            self._network,
            asyncio.get_running_loop(),
            Tokens(),
            config,
            ipsec=self.ipsec,
            timers=timers,
        )
        await one.start()
        self.phones.append(one)
        return one

    @property
    def dropped(self) -> dict[str, int]:
        """What the tunnel dropped, by reason."""
        return {reason: number for reason, number in self.tunnel.engine.drops.counts.items() if number}

    def lose(self, percent: int) -> None:
        """From now on lose ESP packets in both directions."""
        dice, engine = random.Random(8), self.tunnel.engine
        deliver = engine._deliver

        def lost() -> bool:
            return dice.randrange(100) < percent

        engine._send = lossy(engine._send, lost)
        engine._deliver = lambda packet: None if lost() else deliver(packet)

    def close(self) -> None:
        for one in self.phones:
            one.close()
        self.tunnel.close()
        self._network.close()
