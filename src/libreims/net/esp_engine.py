"""Every packet of the IPsec tunnel meets its security association here (RFC 4301 §5, TS 33.203 §7.2).

Out: what the inner side sends is matched by addresses and ports, put into ESP and given to the network.  In:
an ESP packet is matched by its SPI, checked, taken out of ESP, compared with the selectors and given to the
inner side.  Everything else is dropped and counted.  No sockets: `net.esp_tunnel` has them, tests and fuzzing
do without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from libreims.base.clock import Clock
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.net.address import text
from libreims.net.esp_associations import AssociationTable, Inbound, Outbound
from libreims.net.esp_drops import Drops
from libreims.net.port import Address
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.errors import BadIcv, EspError, PacketRefused, Replayed
from libreims.proto.esp.packet import NO_NEXT_HEADER
from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import TCP, UDP, Packet, address_text, parse
from libreims.proto.ip.reassembly import Reassembler
from libreims.proto.ip.transport import summary

Send = Callable[[bytes, str, str], None]
"""Octets of ESP, from one of our addresses, to an address."""
Deliver = Callable[[bytes], None]
"""A whole IP packet for the inner side."""
Witness = Callable[[SecurityAssociation, bytes], None]
"""Sees every packet in clear that goes through an association, as the inner side sends or gets it."""

_LEFT_OVER = (
    "which ended with the registration or with a restart of this program: the phone registers again when it "
    "notices, at once after flight mode"
)
_IPV4_KEY = slice(12, 24)  # addresses and ports of a packet without options
_IPV6_KEY = slice(8, 44)


class EspEngine:
    """The security associations of one host, and the way of packets through them.

    addresses: ours, to which associations can belong.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        *,
        send: Send,
        deliver: Deliver,
        clock: Clock,
        tokens: Tokens,
        log: LayerLog,
    ) -> None:
        self.table = AssociationTable(addresses, tokens)
        self.drops = Drops(log, clock)
        self.witness: Witness | None = None
        self.sent = 0
        """Packets put into ESP."""
        self.received = 0
        """Packets taken out of ESP and accepted."""
        self.quiet = 0
        """Packets for nobody: what the inner kernel sends to groups, and dummies of the peer."""
        self._send = send
        self._deliver = deliver
        self._clock = clock
        self._log = log
        self._reassembler = Reassembler()
        self._in = self.table.inbound
        self._out = self.table.outbound

    @property
    def packets(self) -> dict[str, int]:
        """Packets by what became of them: `sent`, `received`, else why they were dropped."""
        return {"sent": self.sent, "received": self.received, **self.drops.counts}

    # -- associations -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[SecurityAssociation]:
        return iter(self.table)

    def install(self, associations: Iterable[SecurityAssociation]) -> None:
        """Put all in force or, on LibreImsError, none."""
        for association in self.table.install(associations):
            self._tell_of(association)

    def remove(self, associations: Iterable[SecurityAssociation]) -> None:
        """Take associations out; what is not there does not matter."""
        self.table.remove(associations)

    # -- out --------------------------------------------------------------------------------------

    def outbound(self, packet: bytes) -> None:
        """A packet that the inner side sends."""
        if len(packet) < 28:
            self._odd_outbound(packet)
            return
        first = packet[0]
        if first == 0x45 and not packet[7] and not packet[6] & 0x3F:  # whole, no options
            protocol, start = packet[9], 20
            entry = self._out.get(packet[_IPV4_KEY])
        elif first & 0xF0 == 0x60 and packet[6] in (UDP, TCP):
            protocol, start = packet[6], 40
            entry = self._out.get(packet[_IPV6_KEY])
        else:
            self._odd_outbound(packet)
            return
        if entry is None or (protocol != UDP and protocol != TCP):
            self._odd_outbound(packet)
            return
        self._protect(entry, protocol, packet[start:], packet)

    def _odd_outbound(self, octets: bytes) -> None:
        """What the short way does not take: options, extension headers, fragments, nobody's packets."""
        try:
            packet = parse(octets)
            if packet.fragment is not None:
                whole = self._reassembler.add(packet, self._clock.time())
                if whole is None:
                    return
                packet, octets = whole, whole.encode()
        except IpError as error:
            self.drops.drop("malformed", "TO", "?", str(error))
            return
        entry = None
        if packet.protocol in (UDP, TCP):
            entry = self._out.get(packet.source + packet.destination + packet.payload[:4])
        if entry is not None:
            self._protect(entry, packet.protocol, packet.payload, octets)
        elif _is_multicast(packet.destination):
            self.quiet += 1
        else:
            # Connections end after the associations that they went through: nobody need know.
            told = not _ends_connection(packet)
            peer = address_text(packet.destination)
            self.drops.drop("no_outbound_sa", "TO", peer, summary(packet), told=told)

    def _protect(self, entry: Outbound, protocol: int, payload: bytes, packet: bytes) -> None:
        try:
            esp = entry.sa.protect(payload, protocol)
        except EspError as error:
            self.drops.drop("exhausted", "TO", entry.remote, str(error), entry.association.owner)
            return
        self.sent += 1
        options = self._log.options
        if options.verbose or options.crypto:
            self._tell(entry.association, "TO", Packet(*entry.ends, protocol, payload), packet, esp)
        if self.witness is not None:
            self.witness(entry.association, packet)
        self._send(esp, entry.local, entry.remote)

    # -- in ---------------------------------------------------------------------------------------

    def inbound(self, esp: bytes, source: str, local: str) -> None:
        """Octets of ESP from the network, without the IP header before them."""
        entry = self._in.get(esp[:4])
        if entry is None:
            self._no_association(esp, source)
            return
        if source != entry.remote or local != entry.local:
            detail = f"{source} to {local} instead of {entry.remote} to {entry.local}"
            self.drops.drop("wrong_address", "FROM", source, detail, entry.association.owner)
            return
        try:
            protocol, payload = entry.sa.unprotect(esp)
        except PacketRefused as error:
            self.drops.drop(_reason(error), "FROM", source, str(error), entry.association.owner)
            return
        if payload[:4] != entry.ports or (protocol != UDP and protocol != TCP):
            self._outside_selectors(entry, protocol, payload)
            return
        packet = entry.envelope.seal(protocol, payload)
        self.received += 1
        options = self._log.options
        if options.verbose or options.crypto:
            self._tell(entry.association, "FROM", Packet(*entry.ends, protocol, payload), packet, esp)
        if self.witness is not None:
            self.witness(entry.association, packet)
        self._deliver(packet)

    def _no_association(self, esp: bytes, source: str) -> None:
        if len(esp) < 8:
            self.drops.drop("malformed", "FROM", source, f"{len(esp)} octets are too short for an ESP header")
        else:
            self.drops.drop("no_sa", "FROM", source, f"SPI {int.from_bytes(esp[:4]):#x}, {_LEFT_OVER}")

    def _outside_selectors(self, entry: Inbound, protocol: int, payload: bytes) -> None:
        """RFC 4301 §5.2: what came out of ESP has to be what the association was made for."""
        if protocol == NO_NEXT_HEADER:  # a dummy packet, to be dropped without a word (RFC 4303 §2.6)
            self.quiet += 1
            return
        reason = "wrong_port" if protocol in (UDP, TCP) else "wrong_protocol"
        detail = summary(Packet(*entry.ends, protocol, payload))
        detail += f" instead of {text(entry.association.remote)} > {text(entry.association.local)}"
        self.drops.drop(reason, "FROM", entry.remote, detail, entry.association.owner)

    # -- log --------------------------------------------------------------------------------------

    def _tell(
        self, association: SecurityAssociation, direction: str, packet: Packet, plain: bytes, esp: bytes
    ) -> None:
        """The lines of one packet that passes (`verbose`, `crypto`)."""
        log, owner = self._log, association.owner or None
        what = f"SPI {association.spi:#x} {summary(packet)}"
        if log.options.verbose:
            log.info(f"Packet passes: {what}", dir=direction, id=owner)
        if log.options.crypto:
            log.message(direction, owner, f"Plain: {what}", plain)
            log.message(direction, owner, f"Ciphered: SPI {association.spi:#x}, {len(esp)} octets", esp)

    def _tell_of(self, association: SecurityAssociation) -> None:
        log = self._log
        if not log.info_on:
            return
        ends: tuple[Address, Address] = association.remote, association.local
        source, destination = ends if association.direction == "in" else ends[::-1]
        keys = ""
        if log.options.key:
            keys = (
                f", authentication key {log.secret(association.authentication_key)}"
                f", encryption key {log.secret(association.encryption_key)}"
            )
        log.info(
            f"Security association {association.spi:#x} in force: {text(source)} > {text(destination)}, "
            f"{association.authentication}, {association.encryption}{keys}",
            id=association.owner or None,
        )


def _reason(error: PacketRefused) -> str:
    if isinstance(error, BadIcv):
        return "bad_icv"
    return "replay" if isinstance(error, Replayed) else "malformed"


def _ends_connection(packet: Packet) -> bool:
    """Whether it has FIN or RST (RFC 9293 §3.1)."""
    return packet.protocol == TCP and len(packet.payload) > 13 and bool(packet.payload[13] & 0x05)


def _is_multicast(address: bytes) -> bool:
    """Whether it is a group: 224.0.0.0/4, ff00::/8 (RFC 1112, RFC 4291 §2.7)."""
    return address[0] & 0xF0 == 0xE0 if len(address) == 4 else address[0] == 0xFF
