"""What a phone answers to 401 and 407: with its SIM or its password.

RFC 2617, RFC 7616, RFC 3310 (AKAv1), RFC 4169 (AKAv2), TS 24.229 §5.1.1.5.  A good challenge gives
a response; one with a stale sequence number gives AUTS; one whose MAC is wrong gives an empty response.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.proto.aka.usim import SynchronisationFailure
from libreims.proto.aka.vector import CardResult, MacFailure
from libreims.proto.sip import digest
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.ue.config import PhoneConfig

Header = tuple[str, str]


class CannotAuthenticate(LibreImsError):
    """There is no challenge that this phone has a key for; the text says which there are."""


class Kind(Enum):
    """What an answer to a challenge is."""

    RESPONSE = "response"
    RESYNCHRONISE = "AUTS: the sequence number was not fresh"
    MAC_FAILURE = "empty: the MAC of the network is wrong"


@dataclass(frozen=True, slots=True)
class Reply:
    """Credentials for the next attempt."""

    header: Header
    kind: Kind
    algorithm: str
    stale: bool
    """The challenge said that only the nonce was too old."""
    card: CardResult | None = field(default=None, repr=False)
    """What the SIM made of the challenge: CK and IK are in it."""


@dataclass(slots=True)
class _Session:
    """A challenge that was answered, for the requests after it."""

    challenge: digest.Challenge
    name: str
    password: bytes = field(repr=False)
    count: int = 0


class Keyring:
    """The secrets of one phone and the challenges that it has answered."""

    def __init__(self, config: PhoneConfig, tokens: Tokens) -> None:
        self._config = config
        self._tokens = tokens
        self._usim = config.sim.insert() if config.sim is not None else None
        self._password = config.password.encode() if config.password is not None else None
        # Whether it was a REGISTER that was challenged, and the header that answers.
        self._sessions: dict[tuple[bool, str], _Session] = {}

    def forget(self) -> None:
        """Use no challenge of a REGISTER again."""
        self._sessions = {key: session for key, session in self._sessions.items() if not key[0]}

    def unchallenged(self, uri: str) -> list[Header]:
        """What a first REGISTER carries: who asks, and no response yet (TS 24.229 §5.1.1.2.2)."""
        scheme = self._config.scheme
        if scheme is None:
            return []
        credentials = digest.Credentials(
            username=self._config.impi, realm=self._config.realm, uri=uri, algorithm=scheme
        )
        return [("Authorization", str(credentials))]

    def again(self, method: str, uri: str, body: bytes = b"") -> list[Header]:
        """Credentials for a further request, from challenges that were answered before (nc counts up).

        What answered a REGISTER serves REGISTER only, as in phones with a SIM.
        """
        return [
            self._response(session, method, uri, body)
            for (registration, _), session in self._sessions.items()
            if registration == (method == "REGISTER")
        ]

    def answer(self, response: Response, request: Request) -> Reply:
        """Answer a 401 or 407. Raises CannotAuthenticate."""
        proxy = response.status == 407
        challenges = _read(response.get_all("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
        name = "Proxy-Authorization" if proxy else "Authorization"
        for challenge in challenges:
            reply = self._try(challenge, name, request)
            if reply is not None:
                return reply
        offered = ", ".join(each.algorithm or digest.MD5 for each in challenges) or "nothing that can be read"
        has = [
            what for what, key in (("a SIM", self._usim), ("a password", self._password)) if key is not None
        ]
        raise CannotAuthenticate(
            f"the server asks for {offered}; this phone has {' and '.join(has) or 'neither SIM nor password'}"
        )

    def _try(self, challenge: digest.Challenge, name: str, request: Request) -> Reply | None:
        """The answer to one challenge; None where there is no key for it."""
        algorithm = challenge.algorithm or digest.MD5
        try:
            digest.hash_name(algorithm)
            if algorithm.upper().startswith("AKAV"):
                return self._ask_sim(challenge, algorithm, name, request)
        except (ValueError, SipParseError):
            return None
        if self._password is None:
            return None
        return self._accept(challenge, algorithm, name, request, self._password)

    def _ask_sim(
        self, challenge: digest.Challenge, algorithm: str, name: str, request: Request
    ) -> Reply | None:
        if self._usim is None:
            return None
        rand, autn, _ = digest.open_aka_nonce(challenge.nonce)
        credentials = self._blank(challenge, request.uri)
        try:
            result = self._usim.authenticate(rand, autn)
        except SynchronisationFailure as failure:
            credentials.auts = failure.auts
            # RFC 3310 §3.4: the response of an empty password goes with AUTS.
            self._fill(credentials, challenge, request.method, request.body, 1, b"")
            return Reply((name, str(credentials)), Kind.RESYNCHRONISE, algorithm, challenge.stale)
        except MacFailure:
            return Reply((name, str(credentials)), Kind.MAC_FAILURE, algorithm, challenge.stale)
        password = result.res
        if not algorithm.upper().startswith("AKAV1"):
            password = digest.akav2_password(algorithm, result.res, result.ik, result.ck)
        return replace(self._accept(challenge, algorithm, name, request, password), card=result)

    def _accept(
        self, challenge: digest.Challenge, algorithm: str, name: str, request: Request, password: bytes
    ) -> Reply:
        session = _Session(challenge, name, password)
        self._sessions[request.method == "REGISTER", name] = session
        header = self._response(session, request.method, request.uri, request.body)
        return Reply(header, Kind.RESPONSE, algorithm, challenge.stale)

    def _response(self, session: _Session, method: str, uri: str, body: bytes) -> Header:
        session.count += 1
        credentials = self._blank(session.challenge, uri)
        self._fill(credentials, session.challenge, method, body, session.count, session.password)
        return session.name, str(credentials)

    def _blank(self, challenge: digest.Challenge, uri: str) -> digest.Credentials:
        return digest.Credentials(
            username=self._config.impi,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=uri,
            algorithm=challenge.algorithm,
            opaque=challenge.opaque,
        )

    def _fill(
        self,
        credentials: digest.Credentials,
        challenge: digest.Challenge,
        method: str,
        body: bytes,
        count: int,
        password: bytes,
    ) -> None:
        options = [each for each in ("auth", "auth-int") if each in challenge.qop]
        if options or challenge.algorithm.lower().endswith("-sess"):
            credentials.cnonce = self._tokens.hex(8)
        if options:
            credentials.qop = options[0]
            credentials.nc = f"{count:08x}"
        credentials.response = credentials.expected(method, body, password=password)


def _read(values: Iterable[str]) -> list[digest.Challenge]:
    challenges = []
    for value in values:
        try:
            challenges.append(digest.Challenge.parse(value))
        except SipParseError:
            continue
    return challenges
