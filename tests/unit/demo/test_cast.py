"""Who plays in the demo: ports, configuration, SIMs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.config.load import load
from libreims.demo import cast
from libreims.demo.cast import DemoError, can_bind, prepare, shipped_config
from libreims.demo.place import PRIVATE, loopback
from support.process import has_ipv6

HERE = loopback("it was switched off", ipv6=has_ipv6())


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The first port of the list is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        monkeypatch.setattr(cast, "PORTS", (port, *cast.PORTS[1:]))
        yield port


def test_the_shipped_configuration_is_used_with_a_log_of_its_own(tmp_path: Path) -> None:
    play = prepare(tmp_path, HERE)
    text = play.config.read_text()
    assert str(shipped_config()) in text
    settings = load(str(play.config)).settings
    assert settings.log_filename == str(tmp_path / "ims.log")
    assert settings.domain == play.domain
    assert {each.addr for each in settings.sip_addr} == set(play.servers)


def test_the_first_two_milenage_sims_play(tmp_path: Path) -> None:
    play = prepare(tmp_path, HERE)
    assert (play.a.impi, play.b.impi) == (
        f"001010000000001@{play.domain}",
        f"001010000000002@{play.domain}",
    )
    assert play.a.sim["sim_algo"] == "milenage" and len(play.a.sim["K"]) == 32
    assert play.b.number == "1002" and play.echo == "666"
    assert play.a.sim["K"] not in repr(play)


def test_another_port_is_taken_where_the_usual_one_is_busy(busy: int, tmp_path: Path) -> None:
    assert not can_bind(("127.0.0.1", busy))
    play = prepare(tmp_path, HERE)
    assert busy not in {port for _, port in play.servers}
    settings = load(str(play.config)).settings
    assert {each.addr for each in settings.sip_addr} == set(play.servers)


def test_a_machine_without_ipv6_plays_over_ipv4(tmp_path: Path) -> None:
    play = prepare(tmp_path, loopback("no", ipv6=False))
    assert not play.has_ipv6
    assert play.b.server == play.a.server == ("127.0.0.1", 5060)
    assert {each.addr for each in load(str(play.config)).settings.sip_addr} == {("127.0.0.1", 5060)}


def test_without_ipsec_it_is_off(tmp_path: Path) -> None:
    play = prepare(tmp_path, HERE)
    assert play.a.pair is play.b.pair is None
    assert not load(str(play.config)).settings.ipsec


def test_in_a_private_network_the_phones_have_ipsec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cast, "can_bind", lambda address: True)
    play = prepare(tmp_path, PRIVATE[0])
    assert play.servers == (("192.0.2.1", 5060), ("2001:db8::1", 5060))
    assert (play.a.server, play.a.local) == (play.servers[0], "192.0.2.11")
    assert (play.b.server, play.b.local) == (play.servers[1], "2001:db8::12")
    assert play.a.pair != play.b.pair
    settings = load(str(play.config)).settings
    assert settings.ipsec and settings.ipsec_pcap_filename == str(play.packets)
    assert {each.addr for each in settings.sip_addr} == set(play.servers)


def test_no_port_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cast, "can_bind", lambda address: address[1] == 0)
    with pytest.raises(DemoError, match="no SIP port is free"):
        prepare(tmp_path, HERE)


def test_a_database_without_sims(tmp_path: Path) -> None:
    shipped = tmp_path / "other.cfg"
    shipped.write_text('{ sip_addr: "127.0.0.1", domain: "ims.test", echo: ["tel:1"], ue_db: [] }')
    with pytest.raises(DemoError, match="fewer than two users with Milenage"):
        prepare(tmp_path, HERE, shipped)
