"""Nonces of digest challenges: which are open, which have been answered, how often they were used.

An MD5 nonce carries its own time and signature, so that a challenge which nobody answers costs no memory.
An AKA nonce is RAND and AUTN, and its vector has to be kept until the phone answers.  Once answered, either
kind may be used again (RFC 2617 §3.2.2): the highest nonce-count is kept, and where the answer came from.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from hmac import compare_digest

from libreims.base.clock import Clock
from libreims.base.tokens import Tokens
from libreims.net.port import Flow
from libreims.proto.aka.vector import AkaVector

CHALLENGE_LIFETIME = 240.0
"""Seconds to answer a challenge: reg-await-auth of TS 24.229 §7.8."""
MD5_LIFETIME = 3600.0
"""Seconds that an MD5 nonce may be used again."""
AKA_LIFETIME = 86400.0
"""Seconds that an answered AKA nonce may be used again."""
PER_USER = 32
"""Nonces kept for one user: phones with the same SIM (`multi_sim`) share them; the oldest goes first."""

_HEAD_LENGTH = 24
_MAC_LENGTH = 16


class Nonce:
    """One nonce of one user."""

    __slots__ = ("advice", "count", "expires", "flow", "impi", "password", "scheme", "value", "vector")

    def __init__(self, value: str, impi: str, scheme: str) -> None:
        self.value = value
        self.impi = impi
        self.scheme = scheme
        self.expires = 0.0
        self.vector: AkaVector | None = None
        """Vector of a challenge that has not been answered yet."""
        self.advice = ""
        """The challenge tries another reading of the SIM values: what to change if it is answered."""
        self.password: bytes | None = None
        """AKA: what the answers to come are checked with."""
        self.count = 0
        """Highest nonce-count seen."""
        self.flow: Flow | None = None
        """Where the answer came from."""

    def __repr__(self) -> str:
        state = "open" if self.vector is not None else f"used {self.count} times"
        return f"<Nonce of {self.impi}, {self.scheme}, {state}>"


class NonceTable:
    """All nonces of all users; expired ones go when any nonce is added or looked for, a few at a time."""

    def __init__(self, clock: Clock, tokens: Tokens) -> None:
        self._clock = clock
        self._tokens = tokens
        self._mac = blake2b(digest_size=_MAC_LENGTH // 2, key=tokens.octets(32))
        self._users: dict[str, list[Nonce]] = {}
        # One queue for each lifetime, so that each is in order of expiry; OrderedDict because most nonces
        # leave it before their time.
        self._queues: dict[float, OrderedDict[Nonce, None]] = {
            lifetime: OrderedDict() for lifetime in (CHALLENGE_LIFETIME, MD5_LIFETIME, AKA_LIFETIME)
        }

    def __len__(self) -> int:
        """Nonces that are kept and have not expired."""
        self._expire()
        return sum(map(len, self._users.values()))

    # --- MD5 nonces

    def signed(self, impi: str) -> str:
        """A new MD5 nonce."""
        head = f"{int(self._clock.time()):08x}{self._tokens.hex(8)}"
        return head + self._signature(head, impi)

    def is_ours(self, value: str, impi: str) -> bool:
        """Whether `signed` made this nonce for this user, and not too long ago."""
        head, signature = value[:_HEAD_LENGTH], value[_HEAD_LENGTH:]
        if not value.isascii() or not compare_digest(self._signature(head, impi), signature):
            return False
        return self._clock.time() - int(head[:8], 16) < MD5_LIFETIME

    def _signature(self, head: str, impi: str) -> str:
        mac = self._mac.copy()
        mac.update(f"{head} {impi}".encode("utf-8", "surrogateescape"))
        return mac.hexdigest()

    # --- kept nonces

    def find(self, impi: str, value: str) -> Nonce | None:
        """The nonce of this user, open or answered."""
        for nonce in self._users.get(impi, ()):
            if nonce.value == value:
                return nonce if nonce.expires > self._clock.time() else None
        return None

    def from_flow(self, impi: str, flow: Flow) -> Nonce | None:
        """A nonce that this user has answered from here."""
        for nonce in self._users.get(impi, ()):
            if nonce.flow is not None and came_from(nonce, flow) and nonce.expires > self._clock.time():
                return nonce
        return None

    def open(self, value: str, impi: str, scheme: str, vector: AkaVector, advice: str = "") -> None:
        """Keep the vector of an AKA challenge that is about to be sent."""
        nonce = Nonce(value, impi, scheme)
        nonce.vector = vector
        nonce.advice = advice
        self._add(nonce)

    def answered(
        self, value: str, impi: str, scheme: str, flow: Flow, count: int, password: bytes | None = None
    ) -> None:
        """Keep a nonce that has been answered rightly for its next uses; forget older ones of that phone."""
        for known in tuple(self._users.get(impi, ())):
            if known.value == value or came_from(known, flow):
                self.discard(known)
        nonce = Nonce(value, impi, scheme)
        nonce.password = password
        nonce.count = count
        nonce.flow = flow
        self._add(nonce)

    def discard(self, nonce: Nonce) -> None:
        """A nonce must not be used again."""
        nonces = self._users.get(nonce.impi)
        if nonces is None or nonce not in nonces:
            return
        if len(nonces) == 1:
            del self._users[nonce.impi]
        else:
            nonces.remove(nonce)
        del self._queues[_lifetime(nonce)][nonce]

    def forget(self, impi: str) -> None:
        """Drop all nonces of a user who has been removed or has to authenticate anew."""
        for nonce in tuple(self._users.get(impi, ())):
            self.discard(nonce)

    def _add(self, nonce: Nonce) -> None:
        now = self._expire()
        lifetime = _lifetime(nonce)
        nonce.expires = now + lifetime
        nonces = self._users.get(nonce.impi)
        if nonces is None:
            self._users[nonce.impi] = [nonce]
        else:
            nonces.append(nonce)
            if len(nonces) > PER_USER:
                self.discard(nonces[0])
        self._queues[lifetime][nonce] = None

    def _expire(self) -> float:
        """Drop what has expired; returns the time."""
        now = self._clock.time()
        for queue in self._queues.values():
            while queue:
                oldest = next(iter(queue))
                if oldest.expires > now:
                    break
                self.discard(oldest)
        return now


def _lifetime(nonce: Nonce) -> float:
    if nonce.vector is not None:
        return CHALLENGE_LIFETIME
    return MD5_LIFETIME if nonce.scheme == "MD5" else AKA_LIFETIME


def came_from(nonce: Nonce, flow: Flow) -> bool:
    """Whether the nonce was answered over this flow: what came through IPsec is another one than without."""
    known = nonce.flow
    return (
        known is not None
        and known.remote == flow.remote
        and known.transport == flow.transport
        and known.local == flow.local
    )
