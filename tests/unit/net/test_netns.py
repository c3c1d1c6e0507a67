"""Real network namespaces; skipped by name where none can be made."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.net import kernel, netns
from libreims.net.netns import NetworkNamespace
from support.hosts import ipsec_missing

pytestmark = pytest.mark.skipif(bool(ipsec_missing()), reason=ipsec_missing())


def here() -> str:
    return os.readlink("/proc/thread-self/ns/net")


@pytest.fixture
def name() -> Iterator[str]:
    name = f"libreims-test-{os.getpid()}"
    yield name
    path = Path(netns.DIRECTORY, name)
    with contextlib.suppress(OSError):
        kernel.unmount(str(path))
    path.unlink(missing_ok=True)


def test_sockets_stay_where_they_were_made() -> None:
    home = here()
    namespace = NetworkNamespace.anonymous()
    with namespace.entered():
        assert here() != home
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        assert [each for _, each in socket.if_nameindex()] == ["lo"]
    assert here() == home
    with pytest.raises(OSError), sock:  # nothing is set up in there, loopback neither
        sock.connect(("127.0.0.1", 9))
    namespace.close()
    namespace.close()


def test_one_inside_another() -> None:
    outer, inner = NetworkNamespace.anonymous(), NetworkNamespace.anonymous()
    with outer.entered():
        place = here()
        with inner.entered():
            assert here() != place
        assert here() == place
    outer.close()
    inner.close()


def test_an_error_inside_leads_home() -> None:
    home = here()
    namespace = NetworkNamespace.anonymous()
    with pytest.raises(KeyError), namespace.entered():
        raise KeyError
    assert here() == home
    namespace.close()
    with pytest.raises(OSError), namespace.entered():
        pass
    assert here() == home


def test_no_descriptor_is_lost() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        namespace = NetworkNamespace.anonymous()
        with namespace.entered():
            pass
        namespace.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_named_one_is_known_to_ip_and_goes_with_its_maker(name: str) -> None:
    namespace = NetworkNamespace.named(name)
    assert (namespace.ours, namespace.left) == (True, False)
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert name in listed.split()
    subprocess.run(["ip", "netns", "exec", name, "true"], check=True)
    namespace.close()
    assert not Path(netns.DIRECTORY, name).exists()


def test_one_that_somebody_else_made_is_used_and_stays(name: str) -> None:
    subprocess.run(["ip", "netns", "add", name], check=True)
    namespace = NetworkNamespace.named(name)
    assert (namespace.ours, namespace.left) == (False, False)
    with namespace.entered():
        pass
    namespace.close()
    assert Path(netns.DIRECTORY, name).exists()


KILLED = """
import os, signal
from libreims.net.netns import NetworkNamespace
NetworkNamespace.named({name!r})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_leaves_is_recognised(name: str) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED.format(name=name)], env=_environment(), check=False)
    assert child.returncode == -signal.SIGKILL
    assert Path(netns.DIRECTORY, name).exists()
    namespace = NetworkNamespace.named(name)
    assert (namespace.ours, namespace.left) == (False, True)
    namespace.ours = True
    namespace.close()
    assert not Path(netns.DIRECTORY, name).exists()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(netns.__file__).parents[2])}


def test_a_file_without_a_namespace_behind_it_is_replaced(name: str) -> None:
    """What a restart leaves where /run is on a disk, and `ip netns` stumbles over."""
    os.makedirs(netns.DIRECTORY, exist_ok=True)
    Path(netns.DIRECTORY, name).touch()
    namespace = NetworkNamespace.named(name)
    assert (namespace.ours, namespace.left) == (True, False)
    namespace.close()


def test_names_that_cannot_be_one(name: str) -> None:
    for wrong in ("", ".", "..", "a/b", "/etc/passwd"):
        with pytest.raises(LibreImsError, match="no name of a network namespace"):
            NetworkNamespace.named(wrong)
    with pytest.raises(FileNotFoundError):
        NetworkNamespace.named(name, create=False)
    assert not Path(netns.DIRECTORY, name).exists()
