"""Digest authentication of requests: MD5 with a password, AKA with a SIM (RFC 2617, RFC 3310, RFC 4169).

TS 24.229 §5.4.1.2 is the procedure; called by `registrar.register`, and for other requests by the router
where `auth_on_register_only` is false.  A challenge leaves as `Challenged`, a refusal as `Reject`; both
say why.  Passwords and keys never enter a text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from libreims.base.clock import Clock
from libreims.base.errors import Reject
from libreims.base.tokens import Tokens
from libreims.hss.port import DigestSecret, Hss, HssError, HssFailure, Resync
from libreims.net.port import Flow
from libreims.proto.aka.vector import AkaVector
from libreims.proto.sip.digest import Challenge, Credentials, aka_nonce, open_aka_nonce
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request
from libreims.registrar import refusals
from libreims.registrar.answers import check_form, deregisters, is_right, qop_fault
from libreims.registrar.nonces import Nonce, NonceTable, came_from
from libreims.registrar.schemes import (
    ALGORITHMS,
    NO_AUTHENTICATION,
    AuthenticationProfile,
    aka_password,
    scheme_for,
)
from libreims.users.subscriber import Subscriber

TRIES = 3
"""Failures in a row after which the answer is 403 instead of another challenge."""

_MARK = "-nonce-"
_UNCHALLENGED = frozenset({"ACK", "CANCEL", "PRACK"})


@dataclass(slots=True, unsafe_hash=True)
class AuthResult:
    """Who has been authenticated, and how; never changed."""

    impi: str
    scheme: str
    """A value of `authent_type`."""
    fresh: bool = False
    """A challenge was answered by this very request."""
    ck: bytes = field(default=b"", repr=False)
    """Cipher key of a fresh AKA run, else empty."""
    ik: bytes = field(default=b"", repr=False)
    """Integrity key of a fresh AKA run, else empty."""


class Challenged(Reject):
    """A challenge, to be sent as 401 or 407; an AKA one carries the keys for IPsec, which starts with it."""

    def __init__(
        self, profile: AuthenticationProfile, challenge: str, why: str, vector: AkaVector | None = None
    ) -> None:
        status, name = (407, "Proxy-Authenticate") if profile.proxy_auth else (401, "WWW-Authenticate")
        super().__init__(status, why, headers=((name, challenge),))
        self.vector = vector


class Authenticator:
    """Authenticates subscribers; `profile` gives the effective settings of one at the moment of use."""

    def __init__(
        self,
        hss: Hss,
        clock: Clock,
        tokens: Tokens,
        profile: Callable[[Subscriber], AuthenticationProfile],
    ) -> None:
        self._hss = hss
        self._profile = profile
        self._failures: dict[str, int] = {}
        self.failed = 0
        """Wrong answers to challenges since the beginning."""
        self.nonces = NonceTable(clock, tokens)

    def needed(self, request: Request, subscriber: Subscriber) -> bool:
        """Whether `authenticate` is to be called for this request.

        Requests inside a dialog and those that cannot be challenged (RFC 3261 §22.1) are not.
        """
        profile = self._profile(subscriber)
        if profile.authent_type == NO_AUTHENTICATION:
            return False
        if request.method == "REGISTER":
            return True
        return (
            not profile.auth_on_register_only
            and request.method not in _UNCHALLENGED
            and "tag" not in request.to.params
        )

    async def authenticate(
        self, request: Request, subscriber: Subscriber, flow: Flow, *, force: bool = False
    ) -> AuthResult:
        """Check the credentials of a request.

        `force` asks for a new challenge where an earlier one is answered again (`reauthenticate`).
        Raises Challenged (401, 407), Reject (400, 403, 504), SipParseError (400).
        """
        profile = self._profile(subscriber)
        impi = profile.impi
        if profile.authent_type == NO_AUTHENTICATION:
            return AuthResult(impi, NO_AUTHENTICATION)
        credentials = _credentials(request, profile)
        if request.method == "REGISTER" and profile.auth_on_register_only:
            known = self.nonces.from_flow(impi, flow)
            if known is not None and deregisters(request):
                # Manual, `auth_on_register_only`: a removal is taken from where the registration came from.
                return AuthResult(impi, known.scheme)
        if credentials is None or not credentials.nonce:
            algorithm = "" if credentials is None else credentials.algorithm
            raise await self._challenge(profile, algorithm, refusals.first(profile, algorithm))
        nonce = self.nonces.find(impi, credentials.nonce)
        if nonce is None:
            return await self._unknown_nonce(request, profile, credentials, flow)
        if nonce.vector is not None:
            return await self._first_answer(request, profile, credentials, nonce, nonce.vector, flow)
        if force:
            why = f"{impi} has to authenticate anew for each registration (reauthenticate)."
            raise await self._challenge(profile, credentials.algorithm, why)
        return await self._further_answer(request, profile, credentials, nonce, flow)

    def forget(self, impi: str) -> None:
        """Drop what is kept for a user who has been removed or has to authenticate anew."""
        self.nonces.forget(impi)
        self._failures.pop(impi, None)

    # --- challenges

    async def _challenge(
        self,
        profile: AuthenticationProfile,
        algorithm: str,
        why: str,
        *,
        stale: bool = False,
        resync: Resync | None = None,
    ) -> Challenged:
        scheme = scheme_for(profile, algorithm)
        try:
            vector = await self._hss.authentication_vector(profile.impi, scheme, resync)
        except HssError as error:
            if error.kind is not HssFailure.NO_KEY or scheme == profile.authent_type:
                raise self._hss_refusal(profile, error) from error
            # The phone asked for more than the configuration holds: offer what is configured.
            if why == refusals.first(profile, algorithm):
                why = refusals.without_key(profile, algorithm)
            return await self._challenge(profile, "", why, stale=stale)
        if isinstance(vector, AkaVector):
            return self._aka_challenge(profile, scheme, vector, why, stale=stale)
        nonce = self.nonces.signed(profile.impi)
        return Challenged(profile, _challenge_header(profile, scheme, nonce, stale), why)

    def _aka_challenge(
        self,
        profile: AuthenticationProfile,
        scheme: str,
        vector: AkaVector,
        why: str,
        *,
        stale: bool = False,
        advice: str = "",
    ) -> Challenged:
        nonce = aka_nonce(vector.rand, vector.autn)
        self.nonces.open(nonce, profile.impi, scheme, vector, advice)
        return Challenged(profile, _challenge_header(profile, scheme, nonce, stale), why, vector)

    # --- answers to a nonce that is not kept: MD5, or too late

    async def _unknown_nonce(
        self, request: Request, profile: AuthenticationProfile, credentials: Credentials, flow: Flow
    ) -> AuthResult:
        impi = profile.impi
        scheme = scheme_for(profile, credentials.algorithm)
        if scheme != "MD5":
            # Whether the answer was right cannot be known any more; the phone only needs another RAND.
            stale = bool(credentials.response) and _is_aka_nonce(credentials.nonce)
            raise await self._challenge(
                profile, credentials.algorithm, refusals.unknown_nonce(profile), stale=stale
            )
        if not credentials.response:
            raise await self._challenge(profile, credentials.algorithm, refusals.first(profile, ""))
        secret = await self._secret(profile)
        fault = _fault(request, profile, credentials, scheme, secret)
        if fault:
            raise await self._try_again(profile, credentials.algorithm, fault)
        if not self.nonces.is_ours(credentials.nonce, impi):
            raise await self._challenge(profile, "", refusals.unknown_nonce(profile), stale=True)
        self._succeed(impi)
        self.nonces.answered(credentials.nonce, impi, scheme, flow, credentials.nonce_count or 0)
        return AuthResult(impi, scheme, fresh=True)

    async def _secret(self, profile: AuthenticationProfile) -> DigestSecret:
        try:
            secret = await self._hss.authentication_vector(profile.impi, "MD5")
        except HssError as error:
            raise self._hss_refusal(profile, error) from error
        if not isinstance(secret, DigestSecret):
            raise Reject(403, f"The HSS has no password for {profile.impi}: set authent_type to AKAv1.")
        return secret

    # --- answers to an AKA challenge

    async def _first_answer(
        self,
        request: Request,
        profile: AuthenticationProfile,
        credentials: Credentials,
        nonce: Nonce,
        vector: AkaVector,
        flow: Flow,
    ) -> AuthResult:
        # One challenge, one answer: whatever it is, this vector is used up (RFC 3310 §3.2).
        advice, scheme = nonce.advice, nonce.scheme
        self.nonces.discard(nonce)
        if credentials.auts is not None:
            raise await self._resynchronise(profile, scheme, vector, credentials.auts, advice)
        if not credentials.response:
            raise await self._mac_failure(profile, scheme, advice)
        password = aka_password(scheme, vector)
        check_form(profile, credentials)
        if not is_right(request, profile, credentials, scheme, DigestSecret(password=password)):
            count = self._fail(profile.impi)
            why = refusals.wrong_aka_response(self._hss, request, profile, credentials, scheme, vector, count)
            raise Reject(403, why)
        if advice:
            raise self._trial_succeeded(profile, advice)
        fault = qop_fault(profile, credentials)
        if fault:
            raise await self._try_again(profile, credentials.algorithm, fault)
        self._succeed(profile.impi)
        count = credentials.nonce_count or 0
        self.nonces.answered(credentials.nonce, profile.impi, scheme, flow, count, password)
        return AuthResult(profile.impi, scheme, fresh=True, ck=vector.ck, ik=vector.ik)

    async def _resynchronise(
        self, profile: AuthenticationProfile, scheme: str, vector: AkaVector, auts: bytes, advice: str
    ) -> Reject:
        if advice:
            # A phone asks for a resynchronisation only when the MAC fits.
            return self._trial_succeeded(profile, advice)
        count = self._fail(profile.impi)
        if count > TRIES:
            return Reject(403, refusals.endless_resynchronisation(profile, count))
        return await self._challenge(
            profile,
            ALGORITHMS[scheme],
            f"The SIM of {profile.impi} had seen the SQN of the challenge: resynchronised, challenged again.",
            resync=Resync(vector.rand, auts),
        )

    async def _mac_failure(self, profile: AuthenticationProfile, scheme: str, advice: str) -> Reject:
        if advice:
            return Reject(403, refusals.trial_failed(profile, self._failures.get(profile.impi, 1)))
        count = self._fail(profile.impi)
        try:
            trial = await self._hss.trial(profile.impi)
        except HssError as error:
            return self._hss_refusal(profile, error)
        if trial is None:
            return Reject(403, refusals.mac_failure(profile, count))
        why = refusals.trying_another_reading(profile)
        return self._aka_challenge(profile, scheme, trial.vector, why, advice=trial.advice)

    def _trial_succeeded(self, profile: AuthenticationProfile, advice: str) -> Reject:
        # Part of the failure that led to the trial, so that it is not counted again.
        return Reject(403, refusals.trial_succeeded(profile, advice, self._failures.get(profile.impi, 1)))

    # --- answers to a nonce that has been answered before

    async def _further_answer(
        self,
        request: Request,
        profile: AuthenticationProfile,
        credentials: Credentials,
        nonce: Nonce,
        flow: Flow,
    ) -> AuthResult:
        impi, scheme = profile.impi, nonce.scheme
        if scheme_for(profile, ALGORITHMS[scheme]) != scheme or not credentials.response:
            self.nonces.discard(nonce)
            why = refusals.first(profile, credentials.algorithm)
            raise await self._challenge(profile, credentials.algorithm, why)
        if scheme == "MD5":
            secret = await self._secret(profile)
        else:
            secret = DigestSecret(password=nonce.password)
        fault = _fault(request, profile, credentials, scheme, secret)
        if fault:
            raise await self._try_again(profile, credentials.algorithm, fault)
        if credentials.qop:
            count = credentials.nonce_count or 0
            if count <= nonce.count:
                raise await self._challenge(
                    profile, credentials.algorithm, refusals.replayed(profile, count, nonce.count), stale=True
                )
            nonce.count = count
        elif not came_from(nonce, flow):
            # Without nonce-count only the place where it comes from speaks against a replay.
            raise await self._challenge(
                profile, credentials.algorithm, refusals.moved(profile, flow), stale=True
            )
        self._succeed(impi)
        return AuthResult(impi, scheme)

    # --- failures

    async def _try_again(self, profile: AuthenticationProfile, algorithm: str, fault: str) -> Reject:
        count = self._fail(profile.impi)
        if count >= TRIES:
            return Reject(403, f"{fault} Refused: {refusals.in_a_row(count)}.")
        return await self._challenge(
            profile, algorithm, f"{fault} Challenged again: {refusals.in_a_row(count)} of {TRIES}."
        )

    def _fail(self, impi: str) -> int:
        self.failed += 1
        count = self._failures.get(impi, 0) + 1
        self._failures[impi] = count
        return count

    def _succeed(self, impi: str) -> None:
        self._failures.pop(impi, None)

    def _hss_refusal(self, profile: AuthenticationProfile, error: HssError) -> Reject:
        if error.kind is HssFailure.UNAVAILABLE:
            return Reject(504, error.why)
        return Reject(403, f"{error.why} ({refusals.in_a_row(self._fail(profile.impi))})")


def _fault(
    request: Request,
    profile: AuthenticationProfile,
    credentials: Credentials,
    scheme: str,
    secret: DigestSecret,
) -> str:
    """What is wrong with response and qop where the key is known beforehand, or ""; raises Reject."""
    check_form(profile, credentials)
    if is_right(request, profile, credentials, scheme, secret):
        return qop_fault(profile, credentials)
    return refusals.wrong_response(request, profile, credentials, scheme, secret)


def _credentials(request: Request, profile: AuthenticationProfile) -> Credentials | None:
    """The Digest credentials for our realm, else the first; None without any.  Raises Reject (400)."""
    fields = request.fields
    if "Authorization" not in fields and "Proxy-Authorization" not in fields:
        return None
    names = ("Authorization", "Proxy-Authorization")
    if profile.proxy_auth:
        names = ("Proxy-Authorization", "Authorization")
    found: Credentials | None = None
    for name in names:
        for text in request.get_all(name):
            try:
                credentials = Credentials.parse(text)
            except SipParseError as error:
                raise Reject(
                    400, f"{profile.impi} sent {name} that cannot be read: {error.reason}."
                ) from error
            if credentials.realm == profile.realm:
                return credentials
            found = found or credentials
    return found


def _challenge_header(profile: AuthenticationProfile, scheme: str, nonce: str, stale: bool) -> str:
    # Nonces of ours are hexadecimal or base64: nothing in them needs an escape.
    before, after = _around_nonce(profile.realm, scheme, profile.qop, stale)
    return f"{before}{nonce}{after}"


@lru_cache(256)
def _around_nonce(realm: str, scheme: str, qop: tuple[str, ...], stale: bool) -> tuple[str, str]:
    """A challenge up to its nonce and after it: all users of a realm get the same."""
    whole = str(Challenge(realm, _MARK, algorithm=ALGORITHMS[scheme], qop=qop, stale=stale))
    before, _, after = whole.rpartition(_MARK)
    return before, after


def _is_aka_nonce(nonce: str) -> bool:
    try:
        open_aka_nonce(nonce)
    except SipParseError:
        return False
    return True
