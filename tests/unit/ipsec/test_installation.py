"""What an agreement has set up: all of it or nothing, and all of it given back."""

from __future__ import annotations

import pytest

from libreims.base.errors import LibreImsError
from libreims.ipsec.installation import Installation, Installer
from libreims.net.protected_ports import ProtectedPorts
from libreims.proto.esp.keys import expand
from libreims.proto.sip.security_agreement import Ipsec3gpp
from support.agreement_rig import PAIR, SERVER, AgreementRig
from support.registrar_rig import finish

PHONE = "10.0.1.1"
KEYS = expand(*PAIR, bytes(range(16)), bytes(range(16)))


def install(
    installer: Installer, port_c: int = 6101, ports: ProtectedPorts | None = None, spi: int = 5000
) -> Installation:
    theirs = Ipsec3gpp(*PAIR, spi, spi + 1, port_c, 6000)
    return finish(installer.install(SERVER, PHONE, theirs, KEYS, ports))


def test_one_after_the_other_on_one_server_port() -> None:
    rig = AgreementRig()
    installer = rig.agreements.installer
    first = install(installer)
    second = install(installer, 6102, first.ports, 5002)
    assert second.ports is first.ports and second.ours.port_s == first.ours.port_s
    assert second.ours.port_c != first.ours.port_c
    assert (len(installer.pool), installer.pool.spis, len(list(rig.tunnel))) == (3, 2, 8)
    installer.remove(first)
    assert (len(installer.pool), installer.pool.spis, len(list(rig.tunnel))) == (2, 1, 4)
    installer.remove(second)
    rig.nothing_left()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("fault", ["tunnel", "port"])
def test_what_fails_leaves_what_was_there(shared: bool, fault: str) -> None:
    rig = AgreementRig()
    installer = rig.agreements.installer
    first = install(installer)
    before = (len(installer.pool), installer.pool.spis, list(rig.tunnel), rig.inside.in_use)
    if fault == "tunnel":

        def refuse(associations: object) -> None:
            raise LibreImsError("no")

        rig.tunnel.install = refuse  # type: ignore[method-assign]
        with pytest.raises(LibreImsError):
            install(installer, 6102, first.ports if shared else None, 5002)
    else:
        blocked = rig.inside.udp((SERVER, 10002), lambda data, remote: None)
        with pytest.raises(OSError):
            install(installer, 6102, first.ports if shared else None, 5002)
        blocked.close()
    assert (len(installer.pool), installer.pool.spis, list(rig.tunnel), rig.inside.in_use) == before
    installer.remove(first)
    rig.nothing_left()
