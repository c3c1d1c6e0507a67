"""Security associations in transport mode: one object a direction (RFC 4303 §2 and §3).

`OutboundSa.protect` makes the ESP packet that follows the IP header, `InboundSa.unprotect` takes one apart.
Which packet belongs to which association, and what the IP header says, is the business of the tunnel.
32-bit sequence numbers only: IMS has no way to agree on extended ones.
"""

from __future__ import annotations

import struct
from typing import Final

from libreims.proto.esp.algorithms import NULL, Authentication, Encryption, pair
from libreims.proto.esp.errors import (
    EspSetupError,
    Malformed,
    PacketRefused,
    SequenceExhausted,
    WrongSpi,
)
from libreims.proto.esp.replay import ReplayWindow
from libreims.proto.esp.transforms import Open, Randomness, Seal, opener, sealer

MIN_SPI: Final = 256
"""Lower ones are reserved (RFC 4303 §2.1)."""
NO_NEXT_HEADER: Final = 59
"""Next header of a dummy packet, to be dropped without a word (RFC 4303 §2.6)."""
_MAX: Final = 0xFFFFFFFF
_HEADER = struct.Struct("!II")
_PADDING: Final = [bytes(range(1, length + 1)) for length in range(256)]
"""1, 2, 3, ... (RFC 4303 §2.4)."""


def spi_of(packet: bytes) -> int:
    """The SPI of a received ESP packet, by which its association is found.  Raises Malformed."""
    if len(packet) < _HEADER.size:
        raise Malformed(f"{len(packet)} octets are too short for an ESP header")
    return int.from_bytes(packet[:4], "big")


class OutboundSa:
    """Protects packets.  `randomness` gives unpredictable octets (`Tokens.octets`).

    Raises EspSetupError if no association can be made of the arguments.  The keys are set up with the first
    packet: of the four associations of an agreement half never have one.
    """

    __slots__ = (
        "_alignment",
        "_seal",
        "_setup",
        "authentication",
        "encryption",
        "packets",
        "sequence",
        "spi",
    )

    def __init__(
        self,
        spi: int,
        authentication: str,
        encryption: str,
        authentication_key: bytes,
        encryption_key: bytes,
        randomness: Randomness,
    ) -> None:
        a, e = _checked(spi, authentication, encryption, authentication_key, encryption_key)
        self.spi = spi
        self.authentication = authentication
        self.encryption = encryption
        self.sequence = 0
        """The last sequence number used."""
        self.packets = 0
        """How many packets were protected."""
        self._alignment = e.alignment
        self._setup = a, e, authentication_key, encryption_key, randomness
        self._seal: Seal | None = None

    def __repr__(self) -> str:
        return f"OutboundSa(spi={self.spi}, {self.authentication}, {self.encryption})"

    def protect(self, payload: bytes, next_header: int) -> bytes:
        """The ESP packet for a payload whose protocol number is `next_header`.

        Raises SequenceExhausted.
        """
        sequence = self.sequence + 1
        if sequence > _MAX:
            raise SequenceExhausted(f"SPI {self.spi} has used all its sequence numbers; register again")
        self.sequence = sequence
        pad = -(len(payload) + 2) % self._alignment
        plaintext = payload + _PADDING[pad] + bytes((pad, next_header))
        seal = self._seal
        if seal is None:
            seal = self._seal = sealer(*self._setup)
        packet = seal(_HEADER.pack(self.spi, sequence), plaintext, sequence)
        self.packets += 1
        return packet


class InboundSa:
    """Checks packets and takes them apart; counts those that it refuses, by kind of error.

    Without authentication there is no anti-replay service (RFC 4303 §3.4.3).  Raises EspSetupError if no
    association can be made of the arguments.
    """

    __slots__ = (
        "_alignment",
        "_check_padding",
        "_fixed",
        "_open",
        "_setup",
        "_window",
        "authentication",
        "encryption",
        "packets",
        "refused",
        "spi",
    )

    def __init__(
        self,
        spi: int,
        authentication: str,
        encryption: str,
        authentication_key: bytes,
        encryption_key: bytes,
        window: int = 64,
    ) -> None:
        a, e = _checked(spi, authentication, encryption, authentication_key, encryption_key)
        self.spi = spi
        self.authentication = authentication
        self.encryption = encryption
        self.packets = 0
        """How many packets were accepted."""
        self.refused: dict[type[PacketRefused], int] = {}
        authentic = a.name != NULL or e.is_combined
        self._window = ReplayWindow(window if authentic else 0)
        self._check_padding = not authentic
        self._fixed = _HEADER.size + a.iv_length + e.iv_length + a.icv_length + e.icv_length
        self._alignment = e.alignment
        self._setup = a, e, authentication_key, encryption_key
        self._open: Open | None = None

    def __repr__(self) -> str:
        return f"InboundSa(spi={self.spi}, {self.authentication}, {self.encryption})"

    @property
    def sequence(self) -> int:
        """The highest sequence number accepted; 0 without authentication."""
        return self._window.highest

    def unprotect(self, packet: bytes) -> tuple[int, bytes]:
        """Protocol number and payload of an ESP packet, which starts with its SPI.

        Raises PacketRefused: Malformed, WrongSpi, Replayed or BadIcv; nothing but `refused` changes then.
        """
        try:
            opened = self._unprotect(packet)
        except PacketRefused as refused:
            kind = type(refused)
            self.refused[kind] = self.refused.get(kind, 0) + 1
            raise
        self.packets += 1
        return opened

    def _unprotect(self, packet: bytes) -> tuple[int, bytes]:
        room = len(packet) - self._fixed
        if room < 2 or room % self._alignment:
            raise Malformed(f"{len(packet)} octets cannot be a packet of {self.encryption}")
        spi, sequence = _HEADER.unpack_from(packet)
        if spi != self.spi:
            raise WrongSpi(f"SPI {spi} instead of {self.spi}")
        self._window.check(sequence)
        opened = self._open
        if opened is None:
            opened = self._open = opener(*self._setup)
        plaintext = opened(packet)
        # From here on the packet is the peer's own, whatever it holds: its number is used up.
        self._window.accept(sequence)
        pad, next_header = plaintext[-2:]
        end = len(plaintext) - 2 - pad
        if end < 0:
            raise Malformed(f"{pad} octets of padding in {len(plaintext)} octets")
        # Only of use where nothing else shows that the key is wrong (RFC 4303 §2.4).
        if self._check_padding and plaintext[end:-2] != _PADDING[pad]:
            raise Malformed("the padding is not 1, 2, 3, ...: altered, or encrypted with another key")
        return next_header, plaintext[:end]


def _checked(
    spi: int, authentication: str, encryption: str, authentication_key: bytes, encryption_key: bytes
) -> tuple[Authentication, Encryption]:
    """The algorithms, once everything fits.  Raises EspSetupError."""
    if not MIN_SPI <= spi <= _MAX:
        raise EspSetupError(f"{spi} cannot be an SPI: {MIN_SPI} to {_MAX}")
    a, e = pair(authentication, encryption)
    for algorithm, key in ((a, authentication_key), (e, encryption_key)):
        wanted = algorithm.key_length + algorithm.salt_length
        if len(key) != wanted:
            raise EspSetupError(f"a key of {len(key)} octets for {algorithm.name}, which needs {wanted}")
    return a, e
