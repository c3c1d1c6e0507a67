"""A phone's registration: REGISTER, challenges, refresh in time, and the end of it (TS 24.229 §5.1.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError
from libreims.proto.sip.message import Request, Response, delta_seconds
from libreims.proto.sip.security_agreement import OPTION_TAG
from libreims.proto.sip.uri import Uri
from libreims.ue.agent import ALLOW, Agent, Header, NoAnswer, explain
from libreims.ue.credentials import CannotAuthenticate, Kind, Reply
from libreims.ue.security_offer import SecurityError

_ATTEMPTS = 5
"""REGISTER requests of one registration: first, AUTS, stale nonce, interval too brief, response."""

_RETRY = 30.0
"""Seconds until a refresh that failed is tried again (RFC 5626 §4.5 allows 30 to 1800)."""


_DISTRUSTED = "the SIM refuses the challenge: its MAC is wrong, K or OPc differ between SIM and server"


class RegistrationError(LibreImsError):
    """The phone is not registered; the text says what the server said."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
        """0 when there was no answer."""


class RegistrationState(Enum):
    """What the phone believes."""

    NOT_REGISTERED = "not registered"
    REGISTERED = "registered"


class Registration:
    """One binding of one phone, kept alive."""

    def __init__(self, agent: Agent, changed: Callable[[], None]) -> None:
        self._agent = agent
        self._changed = changed
        self._call_id = agent.tokens.call_id()
        self._tag = agent.tokens.tag()
        self._number = 0
        self._timer: Cancellable | None = None
        self._task: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._ended = ""
        """Why it is over, said while it was being renewed."""
        self._challenged = False
        self.state = RegistrationState.NOT_REGISTERED
        self.expires = 0
        """Seconds that the server granted at the last registration."""
        self.expires_at = 0.0
        """When the binding ends, on the phone's clock."""
        self.associated: tuple[str, ...] = ()
        """Our public identities, as P-Associated-URI lists them (RFC 7315 §4.1)."""
        self.refreshed = 0
        """How often the binding was renewed by its timer."""
        self.resynchronised = 0
        """How often the SIM asked for a resynchronisation."""
        self.algorithm = ""
        """Of the last challenge that was answered."""

    @property
    def is_registered(self) -> bool:
        """Whether the server accepted us and the time is not over."""
        return self.state is RegistrationState.REGISTERED and self._agent.clock.time() < self.expires_at

    async def register(self, expires: int | None = None, *, fresh: bool = False) -> Response:
        """Register or refresh; `fresh` asks for a new challenge, and new keys. Raises RegistrationError."""
        async with self._busy:
            if fresh:
                self._agent.keyring.forget()
            wanted = self._agent.config.expires if expires is None else expires
            self._ended = ""
            try:
                response = await self._exchange(wanted)
                self._accepted(response)
            except RegistrationError:
                if self._ended:
                    self._forget(self._ended)
                raise
            return response

    async def deregister(self) -> Response:
        """End the binding (RFC 3261 §10.2.2). Raises RegistrationError; the phone forgets it all the same."""
        self.close()
        async with self._busy:
            try:
                response = await self._exchange(0)
            finally:
                self._forget("de-registered")
            return response

    async def _exchange(self, expires: int) -> Response:
        security = self._agent.security
        if security is None:
            return await self._ask_until_answered(expires)
        try:
            security.begin()
            response = await self._ask_until_answered(expires)
            security.agreed(self._granted(response))
        except SecurityError as error:
            security.failed()
            raise RegistrationError(str(error)) from error
        except BaseException:
            security.failed()
            raise
        return response

    async def _ask_until_answered(self, expires: int) -> Response:
        agent = self._agent
        uri = self._registrar
        credentials = self._credentials(uri)
        answered = distrusted = False
        said = ""
        for _ in range(_ATTEMPTS):
            request = self._request(uri, expires, credentials)
            try:
                response = await agent.ask(request, agent.register_flow)
            except NoAnswer as error:
                self._unheard(error, expires)
                credentials = agent.keyring.unchallenged(uri)
                continue
            said = explain(response)
            if response.status in (401, 407):
                reply = self._answer(response, request)
                if answered and not reply.stale and reply.kind is Kind.RESPONSE:
                    raise RegistrationError(
                        f"{said}: the server refuses our response, is the password or K right?",
                        response.status,
                    )
                answered = answered or reply.kind is Kind.RESPONSE
                distrusted = distrusted or reply.kind is Kind.MAC_FAILURE
                credentials = [reply.header]
                self._note_reply(reply)
                await self._secure(response, reply)
            elif response.status == 423 and (least := response.get("Min-Expires")) is not None:
                expires = delta_seconds(least)
                credentials = self._credentials(uri)
            elif response.status < 300:
                return response
            else:
                why = f"; {_DISTRUSTED}" if distrusted else self._of_security(response)
                raise RegistrationError(f"{said}{why}", response.status)
        raise RegistrationError(f"{said}: still, after {_ATTEMPTS} attempts", response.status)

    def _credentials(self, uri: str) -> list[Header]:
        """Those of the last challenge, or none yet.

        Outside of IPsec only a new challenge will do: it brings the keys (TS 24.229 §5.1.1.2.2).
        """
        keyring, security = self._agent.keyring, self._agent.security
        fits = security is None or security.is_on or security.is_pending
        known = keyring.again("REGISTER", uri) if fits else []
        return known or keyring.unchallenged(uri)

    # -- IPsec -------------------------------------------------------------------------------------

    def _unheard(self, error: NoAnswer, expires: int) -> None:
        """Nobody answered a REGISTER. Raises RegistrationError, unless it can be tried outside of IPsec.

        A server that was restarted knows nothing of our associations: the registration begins anew (TS
        24.229 §5.1.1.4.1).
        """
        security = self._agent.security
        if security is None or (not security.is_on and not security.is_pending):
            raise RegistrationError(str(error)) from None
        if security.is_pending or not expires:
            raise RegistrationError(
                f"{error}: nothing comes back through IPsec. Either ESP (IP protocol 50) does not get "
                "through, or the server has other keys or none"
            ) from None
        self._agent.recorder.note(f"{error}, through IPsec: begins anew, outside of it")
        security.forget()
        security.begin()

    async def _secure(self, challenge: Response, reply: Reply) -> None:
        """Set up what a challenge brings for IPsec. Raises SecurityError."""
        security = self._agent.security
        if security is None:
            return
        if reply.card is not None:
            await security.enter(challenge, reply.card)
        elif reply.kind is Kind.RESPONSE:
            raise SecurityError(f"the server asks for {reply.algorithm}: that has no keys for IPsec")
        else:
            security.give_up()

    def _of_security(self, response: Response) -> str:
        """What a refusal has to do with IPsec, if anything."""
        security = self._agent.security
        if response.status in (421, 494):
            if security is None:
                return ": the server insists on IPsec, and this phone registers without"
            has = ", ".join(response.get_all("Security-Server")) or "named no algorithms"
            return f": the server has {has}"
        if security is not None and response.status == 420 and OPTION_TAG in response.tokens("Unsupported"):
            return ": the server does no IPsec with us, its log says why; without IPsec it may let us in"
        return ""

    @property
    def _registrar(self) -> str:
        return f"sip:{self._agent.config.realm}"

    def _answer(self, response: Response, request: Request) -> Reply:
        try:
            return self._agent.keyring.answer(response, request)
        except CannotAuthenticate as error:
            raise RegistrationError(f"{explain(response)}: {error}", response.status) from None

    def _note_reply(self, reply: Reply) -> None:
        note = self._agent.recorder.note
        self.algorithm = reply.algorithm
        if reply.kind is Kind.RESYNCHRONISE:
            self.resynchronised += 1
            note(
                "the SIM refuses the sequence number of the challenge and asks for a resynchronisation (AUTS)"
            )
        elif reply.kind is Kind.MAC_FAILURE:
            note(_DISTRUSTED)

    def _request(self, uri: str, expires: int, credentials: list[Header]) -> Request:
        agent = self._agent
        self._number += 1
        contact, security = agent.contact(registration=True), agent.security
        return agent.build(
            "REGISTER",
            uri,
            to=f"<{agent.config.impu}>",
            call_id=self._call_id,
            tag=self._tag,
            number=self._number,
            headers=[
                ("Contact", f"{contact};expires={expires}"),
                ("Expires", str(expires)),
                ("Supported", "path" if security is None else f"path, {OPTION_TAG}"),
                ("Allow", ALLOW),
                *(() if security is None else security.register_headers()),
                *credentials,
            ],
        )

    def _accepted(self, response: Response) -> None:
        agent = self._agent
        self.expires = self._granted(response)
        if self.expires <= 0:
            raise RegistrationError("200 without a binding of ours: the server did not keep our contact", 200)
        self.expires_at = agent.clock.time() + self.expires
        agent.service_route = tuple(response.elements("Service-Route"))
        self.associated = tuple(response.elements("P-Associated-URI"))
        self.state = RegistrationState.REGISTERED
        agent.recorder.note(f"registered for {self.expires} s")
        self._schedule(self._lead(self.expires))
        self._changed()

    def _granted(self, response: Response) -> int:
        """Seconds of our own contact in a 200, 0 when it is not there (RFC 3261 §10.2.4)."""
        ours = Uri.parse(self._agent.contact().partition(">")[0].lstrip("<"))
        for contact in response.contacts:
            uri = contact.uri
            if uri.is_sip and uri.host_port() == ours.host_port() and uri.user == ours.user:
                value = contact.params.get("expires")
                if value is not None:
                    return delta_seconds(value)
                return response.expires if response.expires is not None else 3600
        return 0

    @staticmethod
    def _lead(expires: int) -> float:
        """When to refresh: 600 s before the end, or half-way (TS 24.229 §5.1.1.4.1)."""
        return expires - 600 if expires > 1200 else expires / 2

    # -- refresh -----------------------------------------------------------------------------------

    def _schedule(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._agent.clock.call_later(delay, self.refresh)

    def refresh(self) -> None:
        """Start to renew the binding."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            await self.register()
            self.refreshed += 1
        except RegistrationError as error:
            self._agent.recorder.note(f"could not renew the registration: {error}")
            left = self.expires_at - self._agent.clock.time()
            if left > 0 and error.status not in (403, 404):
                self._schedule(min(_RETRY, left))
            else:
                self.lost("not renewed in time")

    def lost(self, why: str) -> None:
        """The binding is no more: the server said so, or its time is over.

        While it is being renewed the answer to that decides, which is newer.
        """
        if self._busy.locked():
            self._ended = why
        else:
            self._forget(why)

    def _forget(self, why: str) -> None:
        self._stop()
        if self._agent.security is not None:
            self._agent.security.leave()
        if self.state is RegistrationState.REGISTERED:
            self.state = RegistrationState.NOT_REGISTERED
            self._agent.service_route = ()
            self._agent.recorder.note(f"no longer registered: {why}")
            self._changed()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Stop the timers without a word to the server."""
        self._stop()
        if self._task is not None:
            self._task.cancel()
            self._task = None
