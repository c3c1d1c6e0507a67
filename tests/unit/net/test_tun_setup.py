"""The inner side as it is set up by rtnetlink, and the script that says the same."""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.net import kernel, netns, tun_setup
from libreims.net.tun_setup import SetupScript, commands, explain
from support.hosts import ipsec_missing

real = pytest.mark.skipif(bool(ipsec_missing()), reason=ipsec_missing())
HOSTS = ["192.0.2.1", "127.0.0.9", "2001:db8::1"]
NAME = f"libreims-setup-{os.getpid()}"


@pytest.fixture
def log() -> Log:
    log = Log(utc=lambda: 0.0)
    log.configure("ipsec.level=info")
    return log


def lines(log: Log) -> list[str]:
    return [entry.message for entry in log.ring.since(0)[1]]


@pytest.fixture
def namespace() -> Iterator[str]:
    yield NAME
    subprocess.run(["ip", "netns", "delete", NAME], capture_output=True, check=False)


def state(run: Callable[..., str], interface: str) -> dict[str, Any]:
    """What can be seen of an interface and its routes, as far as it matters."""
    (shown,) = json.loads(run("ip", "-j", "addr", "show", interface))
    routes = [
        route["dst"]
        for family in ("-4", "-6")
        for route in json.loads(run("ip", "-j", family, "route", "show", "dev", interface))
    ]
    return {
        "mtu": shown["mtu"],
        "queue": shown["txqlen"],
        "up": "UP" in shown["flags"],
        "addresses": sorted((each["local"], each["prefixlen"]) for each in shown["addr_info"]),
        "routes": sorted(routes),
        "localnet": run("cat", f"/proc/sys/net/ipv4/conf/{interface}/route_localnet").strip(),
        "reuse": run("cat", "/proc/sys/net/ipv4/tcp_tw_reuse").strip(),
    }


def inside(name: str) -> Callable[..., str]:
    def run(*command: str) -> str:
        return subprocess.run(
            ["ip", "netns", "exec", name, *command], capture_output=True, text=True, check=True
        ).stdout

    return run


@real
def test_the_script_does_what_the_program_does(log: Log, namespace: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    made = tun_setup.make(HOSTS, 1400, namespace, str(script), log.layer("ipsec"))
    by_us = state(inside(namespace), tun_setup.INTERFACE)
    text = script.read_text()
    made.close()
    assert by_us["addresses"] == [("127.0.0.9", 32), ("192.0.2.1", 32), ("2001:db8::1", 128)]
    assert by_us["routes"].count("default") == 2
    assert by_us["reuse"] == by_us["localnet"] == "1"
    assert not script.exists() and not Path(netns.DIRECTORY, namespace).exists()

    again = tmp_path / "again"
    again.write_text(text)
    subprocess.run(["sh", str(again)], check=True)
    assert state(inside(namespace), tun_setup.INTERFACE) == by_us

    # What the script prepares can be used.
    taken = tun_setup.take([*HOSTS, "192.0.2.9"], tun_setup.INTERFACE, namespace, log.layer("ipsec"))
    assert taken.hosts == HOSTS
    assert lines(log)[-1].startswith("There is no IPsec on 192.0.2.9: interface ipsec0 in the network")
    taken.close()
    assert state(inside(namespace), tun_setup.INTERFACE)["mtu"] == 1400


@real
def test_without_a_name_nothing_is_seen_outside(log: Log) -> None:
    before = os.listdir(netns.DIRECTORY) if os.path.isdir(netns.DIRECTORY) else []
    made = tun_setup.make(HOSTS[:1], 1400, None, None, log.layer("ipsec"))
    assert (os.listdir(netns.DIRECTORY) if before else []) == before
    made.close()
    assert lines(log) == []


@real
def test_a_namespace_that_exists_is_told(log: Log, namespace: str) -> None:
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    made = tun_setup.make(HOSTS[:1], 1400, namespace, None, log.layer("ipsec"))
    with pytest.raises(LibreImsError, match="busy"):
        tun_setup.make(HOSTS[:1], 1400, namespace, None, log.layer("ipsec"))
    made.close()
    assert (
        lines(log)[0] == f"Network namespace {namespace} exists already: used, and left as it is at the end"
    )
    assert Path(netns.DIRECTORY, namespace).exists()


@real
def test_a_small_mtu_is_raised_for_ipv6(log: Log, namespace: str) -> None:
    made = tun_setup.make(HOSTS, 600, namespace, None, log.layer("ipsec"))
    assert state(inside(namespace), tun_setup.INTERFACE)["mtu"] == 1280
    assert lines(log) == ["ipsec_mtu 600 is too small for IPv6, 1280 is used instead (RFC 8200 §5)"]
    made.close()
    made = tun_setup.make(HOSTS[:2], 600, namespace, None, log.layer("ipsec"))
    assert state(inside(namespace), tun_setup.INTERFACE)["mtu"] == 600
    made.close()


@real
def test_what_is_not_prepared(log: Log, namespace: str) -> None:
    ip = inside(namespace)

    def refused(why: str) -> None:
        with pytest.raises(LibreImsError, match=why):
            tun_setup.take(["192.0.2.1"], "tun7", namespace, log.layer("ipsec"))

    refused(f"no network namespace {namespace}: `ip netns add")
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    refused(f"no interface tun7 in the network namespace {namespace}")
    ip("ip", "tuntap", "add", "mode", "tun", "name", "tun7")
    refused("is not up")
    ip("ip", "link", "set", "tun7", "up")
    refused("has none of 192.0.2.1")
    ip("ip", "addr", "add", "192.0.2.1/32", "dev", "tun7")
    tun_setup.take(["192.0.2.1"], "tun7", namespace, log.layer("ipsec")).close()


@real
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="not installed: setpriv")
def test_an_interface_of_somebody_else(namespace: str) -> None:
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    inside(namespace)("ip", "tuntap", "add", "mode", "tun", "name", "tun7", "user", "65533")
    script = (
        "from libreims.base.log import Log\nfrom libreims.net import tun_setup\n"
        f"tun_setup.take(['192.0.2.1'], 'tun7', {namespace!r}, Log.null().layer('ipsec'))"
    )
    kept = ["--bounding-set=-all,+net_raw,+sys_admin", "--inh-caps=-all,+net_raw,+sys_admin"]
    environment = {**os.environ, "PYTHONPATH": str(Path(netns.__file__).parents[2])}
    command = ["setpriv", *kept, sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stderr
    assert "belongs to another user: `ip tuntap add mode tun user NAME` gives it away" in said


def test_names_in_the_script_are_quoted() -> None:
    text = commands(["192.0.2.1"], 1400, "a b; rm -rf /")
    assert "ip netns add 'a b; rm -rf /'\n" in text
    assert "-6" not in text and "localnet" not in text


class TestScript:
    def test_for_its_owner_alone(self, tmp_path: Path, log: Log) -> None:
        path = tmp_path / "script"
        script = SetupScript.write(str(path), "#!/bin/sh\n", log.layer("ipsec"))
        assert script is not None
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert path.read_text() == "#!/bin/sh\n"
        script.remove()
        script.remove()
        assert os.listdir(tmp_path) == []

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path, log: Log) -> None:
        victim, path = tmp_path / "victim", tmp_path / "script"
        victim.write_text("precious")
        path.symlink_to(victim)
        assert SetupScript.write(str(path), "ours", log.layer("ipsec")) is not None
        assert victim.read_text() == "precious"
        assert path.read_text() == "ours" and not path.is_symlink()

    def test_what_another_server_has_written_stays(self, tmp_path: Path, log: Log) -> None:
        path = str(tmp_path / "script")
        first = SetupScript.write(path, "first", log.layer("ipsec"))
        second = SetupScript.write(path, "second", log.layer("ipsec"))
        assert first is not None and second is not None
        first.remove()
        assert Path(path).read_text() == "second"
        second.remove()
        assert not Path(path).exists()

    @pytest.mark.parametrize("place", ["missing/script", "taken"])
    def test_where_it_cannot_be_written(self, tmp_path: Path, log: Log, place: str) -> None:
        (tmp_path / "taken").mkdir()
        assert SetupScript.write(str(tmp_path / place), "x", log.layer("ipsec")) is None
        assert "IPsec goes on without the script" in lines(log)[0]
        assert os.listdir(tmp_path) == ["taken"]


class TestExplanation:
    def test_missing_rights_are_named_with_the_ways_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernel, "lacking", lambda *names: list(names[1:]))
        error = PermissionError(errno.EPERM, "no")
        told = explain(error, "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN")
        assert told.why == "IPsec needs CAP_NET_RAW and CAP_SYS_ADMIN, which this program does not have"
        text = str(told)
        assert text == (
            "IPsec needs CAP_NET_RAW and CAP_SYS_ADMIN, which this program does not have: run it as root, "
            "or prepare an interface and set ipsec_ifname and ipsec_netns (docs/ipsec.md), "
            "or switch IPsec off with `ipsec: false`"
        )

    def test_refused_in_spite_of_all_rights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernel, "lacking", lambda *_: [])
        text = str(explain(PermissionError(errno.EACCES, "Permission denied", "/dev/net/tun"), "CAP_NET_RAW"))
        assert text.startswith("IPsec is not permitted here (Permission denied /dev/net/tun), in a container")

    def test_other_errors(self) -> None:
        assert str(explain(OSError(errno.ENOSPC, "No space left"))).startswith(
            "IPsec cannot be set up (No space left): run it as root"
        )
