"""The program `libreims CONFIG`: configuration, log, the server in the foreground, signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable

from libreims import __version__
from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.log_options import LogOptionsError, parse
from libreims.base.tokens import Tokens
from libreims.config.load import load
from libreims.config.schema import Settings
from libreims.config.source import ConfigErrors, ConfigWarning
from libreims.config.store import ConfigStore
from libreims.ipsec.agreements import Agreements
from libreims.monitor.monitor import Monitor
from libreims.monitor.session import Typist
from libreims.net.address import text
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.sockets import SocketNetwork
from libreims.server import Server, banner
from libreims.store.opening import open_store
from libreims.store.port import Store

COLLECT_YOUNG = 1_000
"""New objects between two looks of the cyclic collector at them.  What a call holds is freed by reference
counts, but transactions stay for two minutes.  A thousand objects are still in the caches of the CPU; to look
at 50,000 at once took 8 to 17 % of the CPU time of calls."""
COLLECT_OLDER = 1_000
"""Looks at new objects before all since the last such look are looked at once more."""


class LoopClock:
    """The event loop as a `Clock`: its timers, and its time without the method of the loop in between.

    Transactions and legs ask for the time two dozen times in a call.
    """

    __slots__ = ("call_later",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.call_later: Callable[..., Cancellable] = loop.call_later

    time = staticmethod(time.monotonic)


def run(path: str) -> int:
    """Run until a signal or a `quit` ends it; returns the exit status."""
    print(f"LibreIMS version {__version__}, an IMS server for LTE and 5G, Apache-2.0", flush=True)
    try:
        loaded = load(path)
    except ConfigErrors as error:
        print(error, file=sys.stderr)
        return 1
    for warning in loaded.warnings:
        print(f"Warning: {warning}", flush=True)
    try:
        config = ConfigStore(loaded.settings, os.path.dirname(path))
        return asyncio.run(_serve(config, loaded.warnings))
    except (LibreImsError, LogOptionsError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


async def _serve(config: ConfigStore, warnings: Iterable[ConfigWarning]) -> int:
    """Open what belongs to the program, serve, and close it again."""
    typist = Typist()
    log = _open_log(config, typist.complain)
    store: Store | None = None
    try:
        log.run_on(asyncio.get_running_loop())
        for warning in warnings:
            log.layer("ims").warn(str(warning))
        if config.current.ue_db_filename:
            store = open_store(config.current.ue_db_filename, log.layer("ims"))
        await _serve_with(config, log, store, typist)
    finally:
        if store is not None:
            store.close()
        with contextlib.suppress(OSError):
            log.close()
    return 0


async def _serve_with(config: ConfigStore, log: Log, store: Store | None, typist: Typist) -> None:
    loop = asyncio.get_running_loop()
    _allow_many_sockets()
    ended = asyncio.Event()
    signals = _signals()
    gc.disable()  # users and registrations of before stay: to look at them over and over doubles the start
    try:
        server = Server(
            config,
            network=SocketNetwork(loop),
            clock=LoopClock(loop),
            utc=time.time,
            tokens=Tokens(),
            log=log,
            quit=ended.set,
            store=store,
            zone=local_zone,
            tunnel=lambda hosts: _tunnel(hosts, config.current, loop, log),
        )
        for number in signals:
            loop.add_signal_handler(number, ended.set)
        await server.start()
        gc.collect()
        gc.freeze()
    finally:
        gc.enable()
    gc.set_threshold(COLLECT_YOUNG, COLLECT_OLDER, 20)
    users, addresses = len(server.users), ", ".join(map(text, server.transport.addresses))
    if server.without_ipsec:
        print(f"Warning: {server.without_ipsec}", flush=True)
    print(
        f"Ready: {users} users, SIP on {addresses} (UDP and TCP)"
        f"{ipsec_hosts(server.agreements)}{_remote_api(server)}",
        flush=True,
    )
    log.layer("ims").info(f"started with {users} users on {addresses}")
    typist.start(Monitor(server.api), log)
    await ended.wait()
    for number in signals:
        loop.remove_signal_handler(number)  # a second signal ends the program at once
    await typist.stop()
    await server.stop()


def _signals() -> list[signal.Signals]:
    """What ends the program: also the end of its terminal, unless `nohup` says that it does not matter."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def _allow_many_sockets() -> None:
    """As many as the system lets us: a phone with IPsec takes three, a call with audio eight."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tunnel(hosts: Iterable[str], settings: Settings, loop: asyncio.AbstractEventLoop, log: Log) -> EspTunnel:
    """The IPsec tunnel of this machine. Raises LibreImsError."""
    return open_tunnel(
        hosts,
        loop=loop,
        log=log.layer("ipsec"),
        tokens=Tokens(),
        utc=time.time,
        interface=settings.ipsec_ifname,
        namespace=settings.ipsec_netns,
        mtu=settings.ipsec_mtu,
        script=settings.ipsec_tun_setup_script_filename,
        packets=settings.ipsec_pcap_filename,
        keys=settings.ipsec_esp_sa_filename,
    )


def ipsec_hosts(agreements: Agreements | None) -> str:
    """For which addresses there is IPsec, for the line on the console."""
    if agreements is None:
        return ""
    if not agreements.offer.pairs:
        return ", no algorithms for IPsec"
    return f", IPsec for {', '.join(sorted(agreements.hosts))}"


def _remote_api(server: Server) -> str:
    """Where the remote API is, for the line on the console."""
    listening = server.api.server
    return f", remote API on {', '.join(map(text, listening.addresses))}" if listening is not None else ""


def local_zone(utc: float) -> int:
    """The zone of this machine at a moment, in quarters of an hour east of Greenwich."""
    return round(time.localtime(utc).tm_gmtoff / 900)


def _open_log(config: ConfigStore, complain: Callable[[str], None]) -> Log:
    settings = config.current
    return Log(
        parse(settings.log_options).options,
        settings.log_filename,
        utc=time.time,
        banner=banner(),
        count=settings.com_log_count,
        sync=settings.log_sync,
        complain=complain,
    )
