"""Who plays in the demo: addresses that are free, a configuration for them, and SIMs of the shipped users."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from pathlib import Path

import libreims
from libreims.base.errors import LibreImsError
from libreims.config.load import load
from libreims.config.schema import Settings
from libreims.config.schema_users import UserSettings
from libreims.demo.place import Place
from libreims.net.address import text
from libreims.net.port import Address

PORTS = (5060, 15060, 25060, 35060, 45060)
"""SIP ports to try, the usual one first."""
PAIRS = (("hmac-sha-1-96", "aes-cbc"), ("null", "aes-gcm"))
"""What the phones offer for IPsec: what nearly every phone has, and what newer ones have."""


class DemoError(LibreImsError):
    """The demo cannot be played here; the text says why."""


@dataclass(frozen=True, slots=True)
class Role:
    """One phone of the demo: a user of the shipped database."""

    name: str
    impi: str
    impu: str
    number: str
    """What others dial."""
    server: Address
    local: str
    """Its address."""
    pair: tuple[str, str] | None
    """Algorithms of its IPsec; None for none."""
    sim: dict[str, str] = field(repr=False)
    """Lines of a SIM file."""


@dataclass(frozen=True, slots=True)
class Cast:
    """All that the story needs."""

    config: Path
    """The generated configuration."""
    log: Path
    servers: tuple[Address, ...]
    domain: str
    a: Role
    b: Role
    echo: str
    place: Place
    packets: Path
    """What went through IPsec, as the server saw it."""

    @property
    def has_ipv6(self) -> bool:
        """Whether phone B uses it."""
        return ":" in self.b.local


def shipped_config() -> Path:
    """The configuration that comes with the program."""
    return (Path(libreims.__file__).parent / "shipped" / "ims.cfg").resolve()


def prepare(directory: Path, place: Place, shipped: Path | None = None) -> Cast:
    """Find free ports and write the configuration into `directory`. Raises DemoError, ConfigErrors."""
    shipped = shipped or shipped_config()
    hosts = place.servers
    port = next((port for port in PORTS if all(can_bind((host, port)) for host in hosts)), None)
    if port is None:
        tried = ", ".join(map(str, PORTS))
        raise DemoError(f"no SIP port is free on {' and '.join(hosts)}; tried {tried}")
    servers = tuple((host, port) for host in hosts)
    config, log, packets = (directory / name for name in ("demo.cfg", "ims.log", "ipsec.pcapng"))
    lines = [f"log_filename: {json.dumps(str(log))}"]
    if place.has_ipsec:
        lines.append(f"ipsec_pcap_filename: {json.dumps(str(packets))}")
    else:
        lines.append("ipsec: false")
    lines.append("com_addr: null")  # a server that runs already may have the port
    # Lists merge element by element (manual §5.1.1); a string in between takes the shipped one away.
    lines += ['sip_addr: ""', f"sip_addr: {json.dumps([text(server) for server in servers])}"]
    config.write_text(_text(shipped, lines))
    settings = load(str(config)).settings
    users = [user for user in settings.ue_db if user.sim_algo == "milenage" and user.authent_type == "AKAv1"]
    if len(users) < 2:
        raise DemoError(f"{shipped} has fewer than two users with Milenage and AKAv1")
    return Cast(
        config=config,
        log=log,
        servers=servers,
        domain=settings.domain,
        a=_role("phone A", users[0], settings.domain, servers[0], place.a, PAIRS[0], place),
        b=_role("phone B", users[1], settings.domain, servers[-1], place.b, PAIRS[1], place),
        echo=_echo(settings),
        place=place,
        packets=packets,
    )


def _text(shipped: Path, lines: list[str]) -> str:
    body = "".join(f"  {line},\n" for line in (f"include {json.dumps(str(shipped))}", *lines))
    return f"// Written by `libreims demo`: the shipped configuration, and what is different.\n{{\n{body}}}\n"


def can_bind(address: Address) -> bool:
    """Whether UDP and TCP of this address are free."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError:
            return False
    return True


def _role(
    name: str,
    user: UserSettings,
    domain: str,
    server: Address,
    local: str,
    pair: tuple[str, str],
    place: Place,
) -> Role:
    identities = [entry.impu for entry in user.impu]
    sip = next((each for each in identities if each.startswith("sip:")), None)
    number = next((each.removeprefix("tel:") for each in identities if each.startswith("tel:")), None)
    if sip is None or number is None or user.impi is None or user.K is None:
        raise DemoError(f"user {user.imsi} needs impi, K, a sip: and a tel: identity to play {name}")
    sim = {"sim_algo": user.sim_algo, "K": user.K.hex()}
    if user.opc is not None:
        sim["opc"] = user.opc.hex()
    elif user.op is not None:
        sim["op"] = user.op.hex()
    impu = sip if "@" in sip else f"{sip}@{domain}"
    return Role(name, user.impi, impu, number, server, local, pair if place.has_ipsec else None, sim)


def _echo(settings: Settings) -> str:
    for entry in settings.echo:
        if entry.impu.startswith("tel:") and entry.code is None:
            return entry.impu.removeprefix("tel:")
    raise DemoError("the shipped configuration has no echo number")
