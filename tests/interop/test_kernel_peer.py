"""The harness of the kernel as peer: what later tests rely on."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.net.netns import NetworkNamespace
from support.kernel_peer import SECONDS, GuestError, KernelPeer, kernel_missing, tap

pytestmark = pytest.mark.skipif(bool(kernel_missing()), reason=f"no kernel to talk to: {kernel_missing()}")


@pytest.fixture(scope="module")
def network() -> Iterator[NetworkNamespace | None]:
    """A network of our own for the interface at the end of a cable; None where there can be none."""
    try:
        namespace = NetworkNamespace.anonymous()
    except OSError:
        yield None
        return
    yield namespace
    namespace.close()


@pytest.fixture(scope="module")
def cables(network: NetworkNamespace | None) -> Iterator[list[int]]:
    """Our end of `vec0`, its other end, and where there can be one the interface at the end of `vec1`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    descriptors = [ours.detach(), theirs.detach()]
    if network is not None:
        with network.entered(), contextlib.suppress(OSError):
            descriptors.append(tap("phone", "10.9.1.1"))
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory, cables: list[int]) -> Iterator[KernelPeer]:
    with KernelPeer(tmp_path_factory.mktemp("guest"), cables[1:]) as peer:
        yield peer


def await_file(file: Path) -> None:
    end = time.monotonic() + SECONDS
    while not file.exists():
        assert time.monotonic() < end, f"the guest did not write {file.name}"
        time.sleep(0.02)


def test_a_script_runs_in_another_kernel_and_its_output_comes_back(peer):
    assert peer.run("uname -s; echo oops >&2").splitlines() == ["Linux", "oops"]
    assert peer.run("uname -r").strip() != os.uname().release


def test_a_script_that_fails_says_so(peer):
    with pytest.raises(GuestError, match=r"ended with 3:\nwhat it said"):
        peer.run("echo what it said; exit 3")
    with pytest.raises(GuestError, match="said nothing for 0 s"):
        peer.run("sleep 0.5", seconds=0.1)
    assert peer.run("echo next") == "next\n"  # late ends of earlier scripts are passed over


def test_files_go_both_ways_and_nothing_is_written_elsewhere(peer):
    (peer.folder / "there").write_text("from here")
    assert peer.run("cat there; printf 'from the guest' > back") == "from here"
    assert (peer.folder / "back").read_text() == "from the guest"
    with pytest.raises(GuestError, match="Read-only file system"):
        peer.run(f"touch {peer.folder.parent}/elsewhere")


def test_a_script_in_the_background_goes_on(peer):
    name = peer.start("echo first; sync; while [ ! -e go ]; do sleep 0.05; done; echo last; sync; touch gone")
    assert peer.run("echo meanwhile") == "meanwhile\n"
    assert peer.output(name) in ("", "first\n")
    (peer.folder / "go").touch()
    await_file(peer.folder / "gone")
    assert peer.output(name) == "first\nlast\n"


def test_frames_come_out_of_a_cable(peer, cables):
    peer.run("ip link set vec0 address 02:00:00:00:00:07 up")
    while select.select([cables[0]], [], [], SECONDS)[0]:
        if os.read(cables[0], 2000)[6:12] == bytes.fromhex("020000000007"):
            return
    raise AssertionError("the guest did not look for its neighbours")


def test_a_cable_can_end_in_an_interface_of_this_machine(peer, cables, network):
    if len(cables) < 3:
        pytest.skip("TAP interfaces need rights that this user has not")
    with network.entered():
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.bind(("10.9.1.1", 5060))
        listener.listen()
        listener.settimeout(SECONDS)
        (peer.folder / "connect.py").write_text(
            "import socket; s = socket.create_connection(('10.9.1.1', 5060))\n"
            "s.send(b'hello'); print(s.recv(99))"
        )
        name = peer.start(
            "ip addr add 10.9.1.2/24 dev vec1; ip link set vec1 up;"
            f"{sys.executable} -I connect.py; touch done"
        )
        connection, (address, _) = listener.accept()
        with connection:
            assert (address, connection.recv(99)) == ("10.9.1.2", b"hello")
            connection.send(b"welcome")
            await_file(peer.folder / "done")
    assert peer.output(name) == "b'welcome'\n"
