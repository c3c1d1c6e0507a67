"""Cost of registrations in this process, octets in to octets out, and memory per registered user.

    python bench/registrar.py [--users 1000 10000 100000] [--store] [--profile]

Every user registers with MD5 digest (REGISTER, 401, REGISTER, 200), then refreshes (REGISTER with the known
nonce, 200).  Parser, identification, authentication, bindings and serialiser are the real ones; sockets,
transactions and log are left out.  The times are CPU microseconds for one REGISTER; flat means that the last
column stays near 1.  With --store registrations are kept in a file (`ue_db_filename`), and then taken over by
another registrar as after a restart.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import hashlib
import os
import pstats
import resource
import tempfile
import time
from collections.abc import Callable, Iterator

from libreims.base.bus import Bus
from libreims.base.errors import Reject
from libreims.base.log import Log
from libreims.base.timers import TimerWheel
from libreims.base.tokens import Tokens
from libreims.config.schema import ImpuSettings, Settings, UserSettings
from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.hss.builtin import BuiltinHss
from libreims.hss.profile import SimProfile, sim_profile
from libreims.net.port import Flow
from libreims.proto.sip.digest import Challenge
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from libreims.registrar.authentication import Authenticator
from libreims.registrar.register import Registrar
from libreims.registrar.schemes import AuthenticationProfile, authentication_profile
from libreims.registrar.security import Security
from libreims.store.opening import open_store
from libreims.store.port import Store
from libreims.users.binding_record import BindingRecords
from libreims.users.binding_restore import restore_bindings
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase
from libreims.users.subscriber import Subscriber

DOMAIN = "ims.test"
PASSWORD = "secret"
SERVER = ("10.0.0.1", 5060)


class _Clock:
    """Real time; timers are kept and never run."""

    class _Timer:
        __slots__ = ()

        def cancel(self) -> None:
            """Nothing to stop."""

    time = staticmethod(time.monotonic)
    _timer = _Timer()

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> _Timer:
        return self._timer


class Bench:
    """A registrar with so many users, which keeps its registrations in `store` where one is given."""

    def __init__(self, users: int, store: Store | None = None) -> None:
        began = time.process_time()
        self.count = users
        settings = self.settings = Settings(domain=DOMAIN)
        self.database = SubscriberDatabase(print)
        for number in range(users):
            self.database.add(
                UserSettings(
                    impi=f"u{number:06}@{DOMAIN}",
                    imsi=f"00101{number:010}",
                    impu=(ImpuSettings(impu=f"u{number:06}"), ImpuSettings(impu=f"tel:+1555{number:07}")),
                    authent_type="MD5",
                    pwd=PASSWORD,
                )
            )
        self.loading = time.process_time() - began
        self.memory = resident()
        log = Log.null().layer("ims")
        wheel = TimerWheel(_Clock())
        self.bindings = Bindings(wheel, time.time, Bus(log), BindingRecords(store) if store else None)
        tokens = Tokens()
        authenticator = Authenticator(BuiltinHss(self._sim, tokens), wheel, tokens, self._profile)
        config = ConfigStore(settings)
        self.registrar = Registrar(
            config, self.database, self.bindings, authenticator, Security(config, log), time.time, log
        )

    def _sim(self, impi: str) -> SimProfile | None:
        subscriber = self.database.by_impi(impi)
        return None if subscriber is None else sim_profile(subscriber)

    def _profile(self, subscriber: Subscriber) -> AuthenticationProfile:
        return authentication_profile(self.settings, subscriber)

    def serve(self, data: bytes, remote: tuple[str, int]) -> bytes:
        """One REGISTER from octets to octets."""
        request = parse(data)
        assert isinstance(request, Request)
        try:
            self.registrar.register(request, Flow("UDP", SERVER, remote)).send(None)
        except StopIteration as done:
            answer: Answer = done.value
        except Reject as reject:
            answer = Answer(reject.status, headers=reject.headers)
        response = Response.to_request(request, answer.status, tag="5a6b7c8d9e0f", headers=answer.headers)
        response.set("Server", "LibreIMS")
        return response.encode()


def register(number: int, cseq: int, credentials: str = "") -> bytes:
    """A REGISTER such as phones send, about 800 octets."""
    user, host = f"u{number:06}", address(number)
    return (
        f"REGISTER sip:{DOMAIN} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{number:06}{cseq};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{user}@{DOMAIN}>;tag=f{number}\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
        f"Call-ID: {number:06}-7d1c4e1b@{host}\r\nCSeq: {cseq} REGISTER\r\n"
        f'Contact: <sip:{user}@{host}:5060>;+sip.instance="<urn:gsma:imei:35693803-{number:06}-0>";'
        '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip;audio;video\r\n'
        "Supported: path, gruu\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, MESSAGE, NOTIFY\r\n"
        "User-Agent: Phone 1.0\r\n"
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100011a2d101\r\n"
        f"{credentials}Expires: 600000\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def credentials(number: int, challenge: Challenge) -> str:
    """What a phone answers."""
    user = f"u{number:06}@{DOMAIN}"
    digest = hashlib.md5
    ha1 = digest(f"{user}:{DOMAIN}:{PASSWORD}".encode()).hexdigest()
    ha2 = digest(f"REGISTER:sip:{DOMAIN}".encode()).hexdigest()
    response = digest(f"{ha1}:{challenge.nonce}:{ha2}".encode()).hexdigest()
    return (
        f'Authorization: Digest username="{user}", realm="{DOMAIN}", nonce="{challenge.nonce}", '
        f'uri="sip:{DOMAIN}", response="{response}", algorithm=MD5\r\n'
    )


def resident() -> int:
    """Octets of memory in use."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def run(users: int, path: str = "") -> Iterator[tuple[str, float]]:
    """CPU microseconds per REGISTER, of each kind, over 1000 users spread evenly, and memory."""
    log = Log.null().layer("ims")
    store = open_store(path, log) if path else None
    bench = Bench(users, store)
    yield "load all", bench.loading * 1e6 / users
    sample = set(range(0, users, max(1, users // 1000)))
    spent = {"first": 0.0, "answer": 0.0, "refresh": 0.0}
    gc.freeze()
    remembered: dict[int, str] = {}

    def measure(kind: str, number: int, data: bytes) -> bytes:
        remote = (address(number), 5060)
        began = time.process_time()
        answer = bench.serve(data, remote)
        if number in sample:
            spent[kind] += time.process_time() - began
        return answer

    before = resident()
    for number in range(users):
        answer = parse(measure("first", number, register(number, 1)))
        assert isinstance(answer, Response) and answer.status == 401, answer
        line = credentials(number, Challenge.parse(answer.get("WWW-Authenticate") or ""))
        answer = parse(measure("answer", number, register(number, 2, line)))
        assert isinstance(answer, Response) and answer.status == 200, answer
        if number in sample:
            remembered[number] = line
    assert len(bench.bindings) == users
    after = resident()
    for number, line in remembered.items():
        answer = parse(measure("refresh", number, register(number, 3, line)))
        assert isinstance(answer, Response) and answer.status == 200, answer
    for kind, seconds in spent.items():
        yield kind, seconds * 1e6 / len(sample)
    yield "octets per user: registration", (after - before) / users
    gc.unfreeze()
    if store is not None:
        store.close()
        yield "octets per user: file", os.path.getsize(path) / users
        began = time.process_time()
        store = open_store(path, log)
        yield "restart: open", (time.process_time() - began) * 1e6 / users
        other = Bench(users)
        gc.disable()  # as the program does until it is ready
        began = time.process_time()
        restore_bindings(store, other.bindings, other.database, [SERVER], time.time(), log)
        other.bindings.resume()
        assert len(other.bindings) == users
        yield "restart: take over", (time.process_time() - began) * 1e6 / users
        gc.enable()
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--store", action="store_true", help="keep registrations in a file")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(lambda: list(run(3000)))
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        return
    first: dict[str, float] = {}
    for users in options.users:
        print(f"{users} users")
        with tempfile.TemporaryDirectory() as folder:
            for name, value in run(users, f"{folder}/ims.db" if options.store else ""):
                ratio = value / first.setdefault(name, value)
                print(f"  {name:32} {value:9.1f}  {ratio:5.2f}")


if __name__ == "__main__":
    main()
