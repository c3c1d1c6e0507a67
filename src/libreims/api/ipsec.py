"""`ipsec`: the security associations (manual §6.5)."""

from __future__ import annotations

from libreims.api.client import Client
from libreims.api.services import ApiServices
from libreims.api.slices import in_slices
from libreims.api.table import Command, Members, Result
from libreims.ipsec.view import AssociationView


def commands(services: ApiServices) -> tuple[Command, ...]:
    """The commands of this file."""
    ipsec = IpsecCommands(services)
    return (Command("ipsec", "List the security associations of IPsec.", ipsec.show),)


class IpsecCommands:
    """Handlers of these commands."""

    def __init__(self, services: ApiServices) -> None:
        self._views = services.ipsec

    def show(self, client: Client) -> Result:
        """All of them."""
        return in_slices("SAs", self._views.associations(), association)


def association(view: AssociationView) -> Members:
    """An element of `SAs`."""
    return {
        "type": view.type,
        "dir": view.dir,
        "spi": view.spi,
        "ue_id": view.ue_id,
        "mode": view.mode,
        "src": view.src,
        "dst": view.dst,
        "src_prefix": view.prefix,
        "dst_prefix": view.prefix,
        "authent_key": view.authent_key,
        "cipher_key": view.cipher_key,
    }
