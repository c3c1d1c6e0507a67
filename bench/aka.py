"""Microseconds of SIM authentication: a vector by algorithm, a digest check, a whole challenge and answer.

    PYTHONPATH=src python3 bench/aka.py

Prints a table; the last line is the memory of nonces and HSS state for one registered user.
"""

from __future__ import annotations

import asyncio
import timeit
import tracemalloc
from collections.abc import Callable

from libreims.base.errors import Reject
from libreims.base.tokens import Tokens
from libreims.config.schema import Settings
from libreims.config.schema_users import UserSettings
from libreims.hss.builtin import BuiltinHss
from libreims.hss.profile import sim_profile
from libreims.net.port import Flow
from libreims.proto.aka.factory import ALGORITHMS, SimAlgorithm, sim_algorithm
from libreims.proto.aka.tuak import Tuak
from libreims.proto.aka.vector import generate, open_auts, verify_autn
from libreims.proto.sip.digest import Challenge, Credentials, open_aka_nonce, response
from libreims.proto.sip.message import Request
from libreims.registrar.authentication import Authenticator
from libreims.registrar.schemes import authentication_profile
from libreims.users.subscriber import Subscriber

K = bytes(range(16))
RAND = bytes(range(100, 116))
REALM = "ims.mnc001.mcc001.3gppnetwork.org"


def microseconds(call: Callable[[], object]) -> float:
    """The best of five runs."""
    number = 2000
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def show(name: str, call: Callable[[], object]) -> None:
    print(f"{name:48} {microseconds(call):8.1f} us")


def card(name: str) -> SimAlgorithm:
    return sim_algorithm(name, K, op=bytes(32 if name == "tuak" else 16))


def vectors() -> None:
    for name in ALGORITHMS:
        sim = card(name)
        vector = generate(sim, RAND, 33, 0x9001)
        auts = vector.autn[:6] + sim.f1_star(
            RAND, (int.from_bytes(vector.autn[:6]) ^ int.from_bytes(sim.f5_star(RAND))).to_bytes(6), bytes(2)
        )
        show(f"{name}: key set-up", lambda name=name: card(name))  # type: ignore[misc]
        show(f"{name}: vector", lambda sim=sim: generate(sim, RAND, 33, 0x9001))  # type: ignore[misc]
        show(f"{name}: AUTN in the card", lambda sim=sim, autn=vector.autn: verify_autn(sim, RAND, autn))  # type: ignore[misc]
        show(f"{name}: AUTS in the network", lambda sim=sim, auts=auts: open_auts(sim, RAND, auts))  # type: ignore[misc]
    twice = Tuak(K, bytes(32), iterations=2)
    show("tuak: vector, two Keccak iterations", lambda: generate(twice, RAND, 33, 0x9001))


class Registration:
    """Challenge and answer over and over, for many users in turn."""

    def __init__(self, users: int, **values: object) -> None:
        self.subscribers = [
            Subscriber.of(UserSettings(impi=f"{n:015}@{REALM}", **values))  # type: ignore[arg-type]
            for n in range(users)
        ]
        by_impi = {each.impi: each for each in self.subscribers}
        settings = Settings(domain=REALM)
        loop = asyncio.new_event_loop()
        self.authenticator = Authenticator(
            BuiltinHss(lambda impi: sim_profile(by_impi[impi]), Tokens()),
            loop,
            Tokens(),
            lambda subscriber: authentication_profile(settings, subscriber),
        )
        loop.close()
        self.turn = 0

    def authenticate(self, request: Request, subscriber: Subscriber, flow: Flow) -> Challenge | None:
        procedure = self.authenticator.authenticate(request, subscriber, flow)
        try:
            procedure.send(None)
        except StopIteration:
            return None
        except Reject as refusal:
            return Challenge.parse(refusal.headers[0][1])
        raise AssertionError("the built-in HSS does not wait")

    def once(self) -> None:
        """First REGISTER, challenge, second REGISTER; includes the phone's part, shown apart below."""
        subscriber = self.subscribers[self.turn % len(self.subscribers)]
        self.turn += 1
        flow = Flow(
            "UDP", ("192.0.2.1", 5060), (f"10.{self.turn >> 16 & 255}.{self.turn >> 8 & 255}.1", 5060)
        )
        challenge = self.authenticate(request_with(None), subscriber, flow)
        assert challenge is not None
        answer = answer_to(challenge, subscriber)
        assert self.authenticate(request_with(answer), subscriber, flow) is None


def request_with(authorization: str | None) -> Request:
    headers = [("To", f"<sip:alice@{REALM}>"), ("Contact", "<sip:10.0.0.1>"), ("Expires", "3600")]
    if authorization is not None:
        headers.append(("Authorization", authorization))
    return Request.build("REGISTER", f"sip:{REALM}", headers)


PHONE = card("milenage")


def answer_to(challenge: Challenge, subscriber: Subscriber) -> str:
    password = b"secret"
    if challenge.algorithm != "MD5":
        password = PHONE.f2(open_aka_nonce(challenge.nonce)[0])
    common = {
        "username": subscriber.impi,
        "realm": challenge.realm,
        "nonce": challenge.nonce,
        "uri": f"sip:{REALM}",
    }
    algorithm = challenge.algorithm
    digest = response(algorithm=algorithm, password=password, method="REGISTER", **common)  # type: ignore[arg-type]
    return str(Credentials(response=digest, algorithm=algorithm, **common))  # type: ignore[arg-type]


def registrations() -> None:
    for name, values in (
        ("MD5", {"pwd": "secret", "authent_type": "MD5"}),
        ("AKAv1, Milenage", {"sim_algo": "milenage", "K": K, "op": bytes(16)}),
    ):
        few, many = Registration(1, **values), Registration(20000, **values)
        show(f"{name}: challenge and answer, 1 user", few.once)
        show(f"{name}: the same, 20,000 users in turn", many.once)
        challenge = few.authenticate(request_with(None), few.subscribers[0], Flow("UDP", ("", 0), ("", 0)))
        assert challenge is not None
        show(f"{name}: of which the phone's part", lambda c=challenge, s=few.subscribers[0]: answer_to(c, s))  # type: ignore[misc]
        text = answer_to(challenge, few.subscribers[0])
        credentials = Credentials.parse(text)
        show(f"{name}: parse Authorization", lambda text=text: Credentials.parse(text))  # type: ignore[misc]
        show(f"{name}: digest check", lambda c=credentials: c.expected("REGISTER", password=b"12345678"))  # type: ignore[misc]


def memory() -> None:
    users = 20000
    registration = Registration(users, sim_algo="milenage", K=K, op=bytes(16))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(users):
        registration.once()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(f"{'memory of one user registered with AKA':48} {grown / users:8.0f} bytes")


if __name__ == "__main__":
    vectors()
    registrations()
    memory()
