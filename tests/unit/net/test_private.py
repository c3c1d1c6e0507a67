"""A private network for a process, tried in child processes: as root, and as somebody without any right."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import libreims
from libreims.base.errors import LibreImsError
from libreims.net import kernel
from libreims.net.private import enter, why_not
from support.hosts import ipsec_missing

real = pytest.mark.skipif(bool(ipsec_missing()), reason=ipsec_missing())
HOSTS = ["10.45.0.1", "10.45.0.2", "10.45.0.3", "2001:db8::1", "2001:db8::2", "2001:db8::3"]

SCRIPT = """
import asyncio, ctypes, os, socket, sys, time
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net import private
from libreims.net.esp_tunnel import open_tunnel
from support.esp_rig import associations

user, hosts = sys.argv[1], sys.argv[2].split(",")
if user == "nobody":
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after exec: its files in /proc are its own
reason = private.why_not(hosts)
if reason:
    print(f"not here: {reason}")
    sys.exit()
try:
    private.enter(hosts)
except LibreImsError as error:
    sys.exit(str(error))

def tunnel(v4, v6):
    return open_tunnel([v4, v6], loop=asyncio.get_running_loop(), log=Log.null().layer("ipsec"),
        tokens=Tokens(), utc=time.time)

async def main():
    server = tunnel(hosts[0], hosts[3])
    phones = [tunnel(hosts[n], hosts[n + 3]) for n in (1, 2)]
    got = asyncio.Queue()
    spi = 1000
    for at in (0, 3):
        for number, phone in enumerate(phones, 1):
            here, there = (hosts[at], 5064), (hosts[at + number], 40002)
            server.install(associations(here, there, spi, spi + 1))
            phone.install(associations(there, here, spi + 1, spi))
            spi += 2
        echo = server.network.udp(here, lambda data, source: echo.send(data, source))
        for number, phone in enumerate(phones, 1):
            sock = phone.network.udp((hosts[at + number], 40002), lambda data, source: got.put_nowait(data))
            sock.send(b"hello", here)
            assert await asyncio.wait_for(got.get(), 5) == b"hello"
    print("talked:", [name for _, name in socket.if_nameindex()], os.getuid())

asyncio.run(main())
"""


def play(user: str, *prefix: str) -> str:
    source = Path(libreims.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{source}:{Path(__file__).parents[2]}"}
    command = [*prefix, sys.executable, "-c", SCRIPT, user, ",".join(HOSTS)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@real
def test_root_plays_a_server_and_two_phones() -> None:
    assert play("root") == "talked: ['lo'] 0"


@real
def test_so_does_an_ordinary_user(tmp_path: Path) -> None:
    """With the device as most systems have it, for everybody."""
    device = tmp_path / "tun"
    os.mknod(device, 0o20666, os.makedev(10, 200))
    device.chmod(0o666)
    prepare = f'mount --bind {device} /dev/net/tun && exec "$@"'
    said = play("nobody", "unshare", "--mount", "sh", "-c", prepare, "sh")
    if said.startswith("not here: There can be no private network"):
        pytest.skip(said)
    assert said == "talked: ['lo'] 0"


@real
def test_a_device_that_is_for_root_alone(tmp_path: Path) -> None:
    device = tmp_path / "tun"
    os.mknod(device, 0o20600, os.makedev(10, 200))
    prepare = f'mount --bind {device} /dev/net/tun && exec "$@"'
    said = play("nobody", "unshare", "--mount", "sh", "-c", prepare, "sh")
    if said.startswith("not here: There can be no private network"):
        pytest.skip(said)
    assert said.startswith("not here: /dev/net/tun is closed to this user, and IPsec needs it")


@real
def test_the_attempt_leaves_the_process_where_it_is() -> None:
    before = os.readlink("/proc/self/ns/net"), len(os.listdir("/proc/self/fd"))
    assert why_not(HOSTS) == ""
    assert why_not(["300.1.1.1"]).startswith("There can be no private network: ")
    assert (os.readlink("/proc/self/ns/net"), len(os.listdir("/proc/self/fd"))) == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EPERM, "this root may not have one, in a container perhaps"),
        (errno.ENOSPC, "limit of user namespaces"),
        (errno.EUSERS, "limit of user namespaces"),
        (errno.EINVAL, "the kernel has no user namespaces"),
        (errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_why_there_can_be_none(monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    def refuse(_flags: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(kernel, "unshare", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "listdir", lambda _: ["1"])
    with pytest.raises(LibreImsError, match=words):
        enter(["10.45.0.1"])


def test_only_root_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_flags: int) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(kernel, "unshare", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "listdir", lambda _: ["1"])
    with pytest.raises(LibreImsError, match="lets only root have one"):
        enter(["10.45.0.1"])


def test_threads_would_stay_behind() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    with pytest.raises(LibreImsError, match="several threads"):
        enter(["10.45.0.1"])
    end.set()
    thread.join()
