"""Linux's own IPsec (`ip xfrm`) behind the port `net.tunnel`: what a phone with ESP in its kernel does.

For guests of `support.kernel_peer`, as root there. `prepare` is the shell script that comes first.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterable, Iterator

from libreims.base.errors import LibreImsError
from libreims.net.sockets import SocketNetwork
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.algorithms import AUTHENTICATION, ENCRYPTION

_MODULES = (
    "xfrm_user esp4 esp6 authenc hmac cmac cbc ctr gcm ghash_generic des_generic blowfish_generic"
    " echainiv seqiv sha512_generic drbg"
)
"""What is not built in; the last four make the kernel's IVs."""

# The names of Linux's crypto API; GCM and GMAC are in _combined.
_ENCRYPTION = {
    "null": "ecb(cipher_null)",
    "aes-cbc": "cbc(aes)",
    "des-ede3-cbc": "cbc(des3_ede)",
    "blowfish": "cbc(blowfish)",
    "aes-ctr": "rfc3686(ctr(aes))",
}
_AUTHENTICATION = {
    "hmac-md5-96": "hmac(md5)",
    "hmac-md5-128": "hmac(md5)",
    "hmac-sha-1-96": "hmac(sha1)",
    "hmac-sha-1-160": "hmac(sha1)",
    "aes-cmac-96": "cmac(aes)",
}

TCP, UDP = 6, 17
"""Numbers, as a bare Debian has no /etc/protocols in which `ip` could look for names."""


def prepare() -> str:
    """Load everything at once, then let nobody ask for "authenc(hmac(md5),cbc(aes))": that takes long."""
    return f"/run/modprobe -a {_MODULES} && echo > /proc/sys/kernel/modprobe"


def orders(association: SecurityAssociation, verb: str = "add") -> list[str]:
    """Lines for `ip -batch` that put an association in force, or with "delete" out of it."""
    inbound = association.direction == "in"
    ends = association.local, association.remote
    source, destination = reversed(ends) if inbound else ends
    way = f"src {source[0]} dst {destination[0]}"
    state = f"xfrm state {verb} {way} proto esp spi {association.spi}"
    policies = [
        f"xfrm policy {verb} {way} proto {protocol} sport {source[1]} dport {destination[1]}"
        f" dir {association.direction}"
        for protocol in (UDP, TCP)
    ]
    if verb != "add":
        return [state, *policies]
    # The requirement ties the two together: no other association will do.
    template = f"reqid {association.spi} mode transport"
    return [
        f"{state} {template} replay-window 64 {algorithms(association)}",
        *(f"{policy} tmpl {way} proto esp {template}" for policy in policies),
    ]


def algorithms(association: SecurityAssociation) -> str:
    """The algorithms and keys of an association as `ip xfrm state` takes them."""
    a, e = AUTHENTICATION[association.authentication], ENCRYPTION[association.encryption]
    akey, ekey = _hex(association.authentication_key), _hex(association.encryption_key)
    if a.is_gmac:
        return f"aead rfc4543(gcm(aes)) {akey} 128"
    if e.is_combined:
        return f"aead rfc4106(gcm(aes)) {ekey} 128"
    cipher = f"enc {_ENCRYPTION[e.name]} {ekey}"
    if not a.icv_length:
        return f'{cipher} auth digest_null ""'
    return f"{cipher} auth-trunc {_AUTHENTICATION[a.name]} {akey} {8 * a.icv_length}"


def _hex(key: bytes) -> str:
    return f"0x{key.hex()}" if key else '""'


class XfrmTunnel:
    """`net.tunnel.Tunnel` where the kernel does ESP: sockets are ordinary ones."""

    hosts: tuple[str, ...] = ()
    """Nobody asks a phone for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.network = SocketNetwork(loop)
        self._installed: list[SecurityAssociation] = []

    def install(self, associations: Iterable[SecurityAssociation]) -> None:
        """Put associations in force; raises LibreImsError."""
        for association in associations:
            _batch(orders(association))
            self._installed.append(association)

    def remove(self, associations: Iterable[SecurityAssociation]) -> None:
        for association in associations:
            if association in self._installed:
                self._installed.remove(association)
                _batch(orders(association, "delete"))

    capacity = 1 << 20

    @property
    def packets(self) -> dict[str, int]:
        return {}

    def __iter__(self) -> Iterator[SecurityAssociation]:
        return iter(list(self._installed))

    def close(self) -> None:
        self.remove(list(self._installed))
        self.network.close()


def _batch(lines: list[str]) -> None:
    result = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise LibreImsError(f"ip xfrm: {result.stderr.strip()}")
