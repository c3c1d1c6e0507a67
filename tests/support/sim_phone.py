"""The authentication side of a phone, for tests of the server: reads a challenge, writes an Authorization."""

from __future__ import annotations

import base64

from libreims.base.errors import Reject
from libreims.proto.aka.usim import SynchronisationFailure, Usim
from libreims.proto.aka.vector import CardResult, MacFailure
from libreims.proto.sip.digest import Challenge, akav2_password, open_aka_nonce, response

BODY = b"v=0\r\n"


class SimPhone:
    """A phone with a password or a card; `check` False is a phone that does not verify AUTN."""

    def __init__(
        self,
        username: str,
        *,
        password: bytes | None = None,
        card: Usim | None = None,
        qop: str = "",
        check: bool = True,
    ) -> None:
        self.username = username
        self.password = password
        self.card = card
        self.qop = qop
        self.check = check
        self.challenge: Challenge | None = None
        self.key = b""
        self.count = 0
        self.result: CardResult | None = None

    def first(self, realm: str, algorithm: str = "AKAv1-MD5") -> str:
        """What real phones put into their first REGISTER."""
        return (
            f'Digest username="{self.username}",realm="{realm}",nonce="",uri="sip:{realm}",response="",'
            f"algorithm={algorithm}"
        )

    def answer(self, refusal: Reject, method: str = "REGISTER", body: bytes = b"") -> str:
        """The answer to a 401 or 407."""
        challenge = self.challenge = read_challenge(refusal)
        self.count = 0
        self.key = self.password or b""
        self.result = None
        extra = ""
        if self.card is not None:
            rand, autn, _ = open_aka_nonce(challenge.nonce)
            try:
                self.result = self._run(self.card, rand, autn)
            except MacFailure:
                return self._write(challenge, "")
            except SynchronisationFailure as failure:
                self.key = b""
                extra = f',auts="{base64.b64encode(failure.auts).decode()}"'
            else:
                self.key = self._aka_key(challenge.algorithm, self.result)
        return self.again(method, body) + extra

    def again(self, method: str = "REGISTER", body: bytes = b"", *, count: int | None = None) -> str:
        """Use the last challenge once more."""
        assert self.challenge is not None
        self.count = self.count + 1 if count is None else count
        return self._write(
            self.challenge,
            response(
                algorithm=self.challenge.algorithm,
                username=self.username,
                realm=self.challenge.realm,
                password=self.key,
                method=method,
                uri=f"sip:{self.challenge.realm}",
                nonce=self.challenge.nonce,
                qop=self.qop,
                nc=f"{self.count:08x}",
                cnonce="abc",
                body=body,
            ),
        )

    def _run(self, card: Usim, rand: bytes, autn: bytes) -> CardResult:
        if self.check:
            return card.authenticate(rand, autn)
        derived = card.algorithm.derive(rand, bytes(6), bytes(2))
        return CardResult(derived.res, derived.ck, derived.ik, 0, b"")

    def _aka_key(self, algorithm: str, result: CardResult) -> bytes:
        if algorithm.startswith("AKAv1"):
            return result.res
        return akav2_password(algorithm, result.res, result.ik, result.ck)

    def _write(self, challenge: Challenge, digest: str) -> str:
        text = (
            f'Digest username="{self.username}",realm="{challenge.realm}",nonce="{challenge.nonce}",'
            f'uri="sip:{challenge.realm}",response="{digest}",algorithm={challenge.algorithm}'
        )
        return f'{text},qop={self.qop},nc={self.count:08x},cnonce="abc"' if self.qop else text


def read_challenge(refusal: Reject) -> Challenge:
    """The challenge in a 401 or 407, whose header must fit its status."""
    ((name, value),) = refusal.headers
    assert (refusal.status, name) in {(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")}
    return Challenge.parse(value)
