"""Who a simulated phone is: identities, SIM, server, and what it can do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from libreims.base.errors import LibreImsError
from libreims.net.port import Address
from libreims.proto.aka.algorithm import AkaKeyError
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.usim import Usim
from libreims.proto.sip.digest import AKAV1_MD5, AKAV2_MD5, AKAV2_SHA256, MD5

MMTEL = "urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"
"""The voice service as it stands in a Contact (TS 24.229 §7.2A.8, RFC 3840 quoting)."""

EXPIRES = 600_000
"""Seconds of a registration (TS 24.229 §5.1.1.2.1)."""
IMEI = "35609204-000001-0"
SMSC = "+15550100"
"""A number that nobody has: the server takes what comes for any centre."""
CODECS = ("AMR-WB", "AMR", "PCMU")

SCHEMES = (MD5, AKAV1_MD5, AKAV2_MD5, AKAV2_SHA256)
"""Authentication algorithms that a phone may offer first, by their names in SIP headers."""


class PhoneConfigError(LibreImsError):
    """A phone that cannot work as it was described; the text says what to change."""


@dataclass(frozen=True, slots=True)
class SimCard:
    """The secrets of a SIM and the sequence number that it has reached."""

    algorithm: str
    """`xor`, `milenage` or `tuak`."""
    k: bytes = field(repr=False)
    opc: bytes | None = field(default=None, repr=False)
    """OPc (Milenage) or TOPc (TUAK)."""
    op: bytes | None = field(default=None, repr=False)
    """OP or TOP, from which OPc or TOPc is derived where that is not given."""
    sqn: int = 0
    """Highest sequence number accepted so far (48 bits)."""
    res_len: int = 8
    """Octets of RES."""

    def __post_init__(self) -> None:
        self.insert()

    def insert(self) -> Usim:
        """The card at work, at this sequence number. Raises PhoneConfigError for keys that do not fit."""
        try:
            functions = sim_algorithm(self.algorithm, self.k, opc=self.opc, op=self.op, res_len=self.res_len)
        except AkaKeyError as error:
            raise PhoneConfigError(f"SIM: {error}") from None
        return Usim(functions, self.sqn)


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """One phone.  Hosts are literal IP addresses, IPv6 without brackets."""

    impi: str
    """Private identity, `user@realm`."""
    impu: str
    """The public identity that it registers, a sip URI."""
    server: Address
    """The P-CSCF: where every message goes that has no other route."""
    domain: str = ""
    """Home network domain; empty: the host of the IMPU."""
    transport: str = "UDP"
    local: Address = ("", 0)
    """Where it listens; an empty host is filled with the loopback address of the server's family."""
    sim: SimCard | None = None
    password: str | None = field(default=None, repr=False)
    """For MD5 (RFC 2617) and SHA-256 (RFC 7616) challenges."""
    scheme: str | None = None
    """What the first REGISTER offers (one of `SCHEMES`); None: it carries no Authorization header, as a
    soft phone's."""
    expires: int = EXPIRES
    """Seconds that it asks to be registered for."""
    imei: str = IMEI
    """Device identity for +sip.instance (RFC 7254); empty: no instance."""
    subscribe: bool = False
    """Subscribe to its own registration state once registered (TS 24.229 §5.1.1.3)."""
    codecs: tuple[str, ...] = CODECS
    """Voice codecs, the preferred one first."""
    video: bool = False
    """Accept video in calls that come in."""
    text: bool = False
    """Accept real-time text in calls that come in."""
    rel100: bool = False
    """Reliable provisional responses (RFC 3262), made and asked for."""
    precondition: bool = False
    """QoS preconditions (RFC 3312), which bring reliable provisional responses along."""
    bearer_delay: float = 0.3
    """Seconds until the dedicated bearer of a call is there; for preconditions."""
    session_expires: int = 0
    """Seconds of the session timer (RFC 4028); 0: none."""
    sms: bool = True
    """SMS over IP (TS 24.341): a phone with a SIM says so when it registers."""
    smsc: str = SMSC
    """The SMS centre: its number, or the URI that the SIM has for it."""
    ipsec: tuple[tuple[str, str], ...] = ()
    """Pairs of algorithms that it offers for IPsec (TS 33.203); without any it uses none."""
    rtp_ports: tuple[int, int] = (0, 0)
    """First and last RTP port; zeros: any that the system gives."""
    rtcp_interval: float = 5.0
    """Mean seconds between RTCP reports of a stream (RFC 3550 §6.2); 0: none."""
    user_agent: str = "LibreIMS simulated phone"
    record: bool = True
    """Keep every message for ladders; off for load."""

    def __post_init__(self) -> None:
        if self.transport not in ("UDP", "TCP"):
            raise PhoneConfigError(f"transport {self.transport!r}: use UDP or TCP")
        if self.session_expires < 0:
            raise PhoneConfigError("the session timer (--session-expires) is at least 1 s, 0 for none")
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise PhoneConfigError(f"authentication {self.scheme!r}: use one of {', '.join(SCHEMES)}")
        if self.scheme is not None and self.scheme.startswith("AKA") and self.sim is None:
            raise PhoneConfigError(f"{self.scheme} needs a SIM: give K, and OPc or OP")
        if self.ipsec and self.sim is None:
            raise PhoneConfigError("IPsec needs a SIM, whose keys it uses: give K, and OPc or OP")

    @property
    def realm(self) -> str:
        """The home domain, given or taken from the IMPU."""
        if self.domain:
            return self.domain
        _, at, host = self.impu.partition("@")
        return host.partition(";")[0] if at else self.impi.partition("@")[2]

    @property
    def local_host(self) -> str:
        """Address that it binds: the one given, or loopback."""
        if self.local[0]:
            return self.local[0]
        return "::1" if ":" in self.server[0] else "127.0.0.1"


_NAMES = {
    "sim_algo": "algorithm",
    "algo": "algorithm",
    "algorithm": "algorithm",
    "k": "k",
    "opc": "opc",
    "topc": "opc",
    "op": "op",
    "top": "op",
    "sqn": "sqn",
    "res_len": "res_len",
}


@dataclass(frozen=True, slots=True)
class SimFile:
    """What a SIM file says: the card, and identities where it names them too."""

    sim: SimCard | None
    impi: str | None = None
    impu: str | None = None
    password: str | None = field(default=None, repr=False)


def load_sim(path: Path) -> SimFile:
    """Read a SIM file, so that keys need not stand on a command line that others can see.

    The file is a JSON object, or lines `name = value`; names are those of the user database: sim_algo, K,
    opc, op, sqn, res_len, and impi, impu, pwd.  Raises PhoneConfigError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PhoneConfigError(f"cannot read the SIM file {path}: {error}") from error
    values = _parse_sim(text, path)
    try:
        return _sim_file(values)
    except PhoneConfigError as error:
        raise PhoneConfigError(f"SIM file {path}: {error}") from error


def _parse_sim(text: str, path: Path) -> dict[str, str]:
    if text.lstrip().startswith("{"):
        try:
            loaded = json.loads(text)
        except ValueError as error:
            raise PhoneConfigError(f"SIM file {path} is not JSON: {error}") from error
        return {str(name).lower(): str(value) for name, value in loaded.items()}
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        name, equals, value = content.partition("=")
        if not equals:
            raise PhoneConfigError(f"SIM file {path}, line {number}: `name = value` is expected")
        values[name.strip().lower()] = value.strip().strip('"')
    return values


def _sim_file(values: dict[str, str]) -> SimFile:
    card: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, value in values.items():
        if name in _NAMES:
            card[_NAMES[name]] = value
        elif name in ("impi", "impu", "pwd", "password"):
            others["password" if name == "pwd" else name] = value
        else:
            raise PhoneConfigError(f"unknown name {name!r}")
    return SimFile(sim=sim_card(card) if card else None, **others)


def sim_card(values: dict[str, str]) -> SimCard:
    """A SIM from text values named as `SimCard`'s fields; keys in hexadecimal. Raises PhoneConfigError."""
    if "k" not in values:
        raise PhoneConfigError("the SIM has no K")
    default = "milenage" if "opc" in values or "op" in values else "xor"
    card = SimCard(
        algorithm=values.get("algorithm", default).lower(),
        k=_key("K", values["k"]),
        opc=_key("OPc", values["opc"]) if "opc" in values else None,
        op=_key("OP", values["op"]) if "op" in values else None,
    )
    if "sqn" in values:
        card = replace(card, sqn=int.from_bytes(_key("SQN", values["sqn"]), "big"))
    if "res_len" in values:
        card = replace(card, res_len=_integer("res_len", values["res_len"]))
    return card


def _key(name: str, text: str) -> bytes:
    digits = text.removeprefix("0x").replace(" ", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise PhoneConfigError(f"{name} is not an even number of hexadecimal digits") from None


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise PhoneConfigError(f"{name}: {text!r} is not a number") from None


def plus(config: PhoneConfig, offset: int) -> PhoneConfig:
    """The phone `offset` places on: identities, IMEI and local port counted up, the SIM the same (load mode).

    The last run of digits in a user part counts: 001010000000001 becomes 001010000000002.
    """
    if not offset:
        return config
    port = config.local[1]
    return replace(
        config,
        impi=count_up(config.impi, offset),
        impu=count_up(config.impu, offset),
        imei=f"{config.imei[:-9]}{(int(config.imei[-8:-2]) + offset) % 1_000_000:06d}-0"
        if config.imei
        else "",
        local=(config.local[0], port + offset if port else 0),
    )


def count_up(identity: str, offset: int) -> str:
    """Add `offset` to the last run of digits before the `@`, keeping its width."""
    user, at, host = identity.partition("@")
    end = len(user)
    while end and not user[end - 1].isdigit():
        end -= 1
    start = end
    while start and user[start - 1].isdigit():
        start -= 1
    if start == end:
        return f"{user}{offset}{at}{host}"
    number = int(user[start:end]) + offset
    return f"{user[:start]}{number:0{end - start}d}{user[end:]}{at}{host}"
