"""Security agreements and associations as others see them: the remote API and the monitor (manual §6.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from libreims.ipsec.agreement import Agreement
from libreims.ipsec.agreements import Agreements
from libreims.users.bindings import Binding


@dataclass(frozen=True, slots=True)
class AssociationView:
    """One association, with the names of the manual's message `ipsec`."""

    type: Literal["IPv4", "IPv6"]
    dir: Literal["in", "out"]
    spi: int
    ue_id: int
    """Log identifier of the registration; 0 before there is one."""
    src: str
    dst: str
    authent_key: str = field(repr=False)
    """In hexadecimal form; empty without authentication."""
    cipher_key: str = field(repr=False)
    mode: str = "transport"

    @property
    def prefix(self) -> int:
        """Length of both addresses in bits: an association is between two hosts."""
        return 32 if self.type == "IPv4" else 128


@dataclass(frozen=True, slots=True)
class AgreementView:
    """What protects one registration."""

    auth: str
    cipher: str
    src: str
    """Address of the phone."""
    dst: str
    """Address of the server."""
    local_port_c: int
    local_port_s: int
    local_spi_c: int
    local_spi_s: int
    remote_port_c: int
    remote_port_s: int
    remote_spi_c: int
    remote_spi_s: int


class AgreementViews:
    """Shows what there is; nothing where there is no IPsec."""

    def __init__(self) -> None:
        self.agreements: Agreements | None = None
        """Set by the composition root as soon as there is a tunnel."""

    def associations(self) -> Iterator[AssociationView]:
        """Every association in force, those of offers too; of those agreements that there are now."""
        agreements = tuple(self.agreements or ())
        return (view for agreement in agreements for view in _associations(agreement))

    def of(self, binding: Binding) -> AgreementView | None:
        """What protects a registration; None for one without IPsec."""
        agreement = None if self.agreements is None else self.agreements.at(binding.flow)
        if agreement is None:
            return None
        ours, theirs = agreement.ours, agreement.theirs
        return AgreementView(
            ours.alg,
            ours.ealg,
            agreement.phone[0],
            agreement.local[0],
            ours.port_c,
            ours.port_s,
            ours.spi_c,
            ours.spi_s,
            theirs.port_c,
            theirs.port_s,
            theirs.spi_c,
            theirs.spi_s,
        )


def _associations(agreement: Agreement) -> list[AssociationView]:
    views = []
    for each in agreement.associations:
        ends = (each.remote[0], each.local[0]) if each.direction == "in" else (each.local[0], each.remote[0])
        views.append(
            AssociationView(
                "IPv6" if ":" in each.local[0] else "IPv4",
                each.direction,
                each.spi,
                agreement.number,
                *ends,
                each.authentication_key.hex(),
                each.encryption_key.hex(),
            )
        )
    return views
