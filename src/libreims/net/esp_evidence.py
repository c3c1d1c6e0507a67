"""Evidence of what went through IPsec, for Wireshark: the packets in clear, and the keys to capture files.

`ipsec_pcap_filename` is a pcapng file with every packet that passed an association, as the inner side sent or
got it.  `ipsec_esp_sa_filename` is the `esp_sa` file that decrypts a capture of the outer side.  Both are for
their owner alone and of bounded size.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from libreims.base.clock import UtcClock
from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.net.address import text
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.wireshark import esp_sa_line
from libreims.proto.pcapng.blocks import Direction, interface, packet, section

PACKETS_LIMIT = 256 << 20
KEYS_LIMIT = 16 << 20
"""Octets after which a file is moved aside, with `.1` at its end, and a new one begun."""


class BoundedFile:
    """A file that is written at once, and begun anew when it is full; the one before it stays as `NAME.1`."""

    def __init__(self, path: str, head: bytes, limit: int, log: LayerLog) -> None:
        """Raises OSError where it cannot be made."""
        self._path = path
        self._head = head
        self._limit = limit
        self._log = log
        self._room = 0
        self._descriptor = -1
        self._begin()

    def write(self, octets: bytes) -> None:
        """Add octets; what cannot be written ends the file, with one line in the log."""
        if self._descriptor < 0:
            return
        try:
            if len(octets) > self._room:
                self._begin()
            self._add(octets)
        except OSError as error:
            self._log.error(f"{self._path}: {error.strerror or error}; nothing more is written to it")
            self.close()

    def close(self) -> None:
        """End it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _begin(self) -> None:
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._path, f"{self._path}.1")
        # What has the name now was put there by somebody else in this moment: no link is followed.
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._room = self._limit
        self._add(self._head)

    def _add(self, octets: bytes) -> None:
        written = os.write(self._descriptor, octets)
        if written != len(octets):
            raise OSError(0, "no room on the disk")
        self._room -= written


class Evidence:
    """The files of one tunnel, each if its name is given."""

    def __init__(self, packets: str | None, keys: str | None, utc: UtcClock, log: LayerLog) -> None:
        """Raises LibreImsError where a file cannot be made."""
        self._utc = utc
        self._packets = self._keys = None
        try:
            if packets:
                head = section("LibreIMS") + interface("ipsec", "IPsec of LibreIMS in clear")
                self._packets = BoundedFile(packets, head, PACKETS_LIMIT, log)
            if keys:
                self._keys = BoundedFile(keys, b"# Keys of IPsec, for Wireshark\n", KEYS_LIMIT, log)
        except OSError as error:
            self.close()
            raise LibreImsError(
                f"The file {error.filename} for evidence of IPsec cannot be written: {error.strerror}"
            ) from error

    def packet(self, association: SecurityAssociation, octets: bytes) -> None:
        """A packet in clear that passes an association."""
        if self._packets is not None:
            inbound = association.direction == "in"
            comment = (
                f"SPI 0x{association.spi:08x}, {association.authentication}, {association.encryption}, "
                f"registration {association.owner:04x}"
            )
            direction = Direction.INBOUND if inbound else Direction.OUTBOUND
            self._packets.write(packet(octets, self._utc(), direction, comment))

    def keys(self, associations: Iterable[SecurityAssociation]) -> None:
        """Associations that are put in force."""
        if self._keys is not None:
            self._keys.write("".join(map(_line, associations)).encode())

    def close(self) -> None:
        """End the files."""
        for file in (self._packets, self._keys):
            if file is not None:
                file.close()


def _line(association: SecurityAssociation) -> str:
    ends = association.remote, association.local
    source, destination = ends if association.direction == "in" else ends[::-1]
    try:
        line = esp_sa_line(
            source[0],
            destination[0],
            association.spi,
            association.authentication,
            association.encryption,
            association.authentication_key,
            association.encryption_key,
        )
    except EspSetupError as error:
        line = f"# SPI 0x{association.spi:08x}, {text(source)} > {text(destination)}: {error}"
    return f"{line}\n"
