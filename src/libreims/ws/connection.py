"""A connection to a remote API: handshake, TLS, authentication (manual §6.2), frames in and out.

Whatever goes wrong is a LibreImsError that says what, and what to change.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from libreims.base.errors import LibreImsError
from libreims.ws.address import ServerAddress

Message = dict[str, Any]
CONNECT_SECONDS = 10.0
"""For each step until messages can be sent."""

T = TypeVar("T")


class Unreachable(LibreImsError):
    """There is no remote API to talk to, or it does not let us in."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server proves who it is, and how we do."""

    ca: str = ""
    """File with the certificates to trust; empty: those of the system."""
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    """Talk to whoever is there."""

    def context(self) -> ssl.SSLContext:
        """For the TLS library. Raises LibreImsError where a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise LibreImsError(f"--ca {self.ca} cannot be used: {error.strerror or error}") from error
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            try:
                context.load_cert_chain(self.certificate, self.key or None, password=_no_password)
            except (OSError, ValueError) as error:
                text = getattr(error, "strerror", None) or error
                raise LibreImsError(
                    f"--cert {self.certificate} with --key {self.key or 'in the same file'} "
                    f"cannot be used: {text}"
                ) from error
        return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; use one that is not")


class Connection:
    """An open connection, authenticated where the server wants that."""

    def __init__(self, address: ServerAddress, tls: Tls, password: Callable[[], str | None]) -> None:
        """`password` is asked only where the server wants one; None: there is none."""
        self._address = address
        self._tls = tls
        self._password = password
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.greeting: Message = {}
        """The server's first message."""

    async def __aenter__(self) -> Self:
        try:
            await self._in_time(self._open())
            await self._authenticate()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    async def send(self, frame: Message | list[Message]) -> None:
        """Send one frame."""
        assert self._socket is not None
        try:
            await self._socket.send_str(json.dumps(frame))
        except (OSError, aiohttp.ClientError) as error:
            raise Unreachable(f"{self._address} has closed the connection") from error

    async def receive(self) -> Message | None:
        """The next message; None: the server has closed the connection."""
        assert self._socket is not None
        frame = await self._socket.receive()
        if frame.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
            return None
        if frame.type is aiohttp.WSMsgType.ERROR:
            raise Unreachable(f"the connection to {self._address} is broken: {self._socket.exception()}")
        try:
            message = json.loads(frame.data)
        except (ValueError, TypeError) as error:
            raise Unreachable(f"{self._address} sent something that is no JSON: {error}") from error
        if not isinstance(message, dict):
            raise Unreachable(f"{self._address} sent a message that is no object")
        return message

    # -- inside --------------------------------------------------------------------------------------

    async def _open(self) -> None:
        address = self._address
        context = self._tls.context() if address.tls else None
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        try:
            self._socket = await self._session.ws_connect(
                address.url, origin=f"http://{address}", max_msg_size=0, ssl=context or True
            )
        except aiohttp.WSServerHandshakeError as error:
            raise Unreachable(_refusal(address, error.status)) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unreachable(
                f"the certificate of {address} cannot be verified: {_reason(error.certificate_error)}; "
                "name its CA with --ca, or --insecure to go without"
            ) from error
        except aiohttp.ClientSSLError as error:
            raise Unreachable(
                f"no TLS with {address}: {_reason(error)}; without --ssl where the server has no certificate"
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(f"no connection to {address}: {_reason(error.os_error)}") from error
        except aiohttp.ServerDisconnectedError as error:
            raise Unreachable(f"{address} hangs up at once{_other_way(address)}") from error
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise Unreachable(
                f"{address} is no remote API, it answers something else: {error}{_other_way(address)}"
            ) from error

    async def _authenticate(self) -> None:
        self.greeting = await self._in_time(self._first())
        if self.greeting.get("message") != "authenticate":
            return
        password = self._password()
        if password is None:
            raise Unreachable(
                f"{self._address} wants a password: give --password, --password-file or LIBREIMS_PASSWORD"
            )
        await self.send({"message": "authenticate", "res": response_to(self.greeting, password)})
        answer = await self._in_time(self._first())
        if not answer.get("ready"):
            reason = answer.get("error") or "it does not say why"
            raise Unreachable(f"{self._address} does not accept the password: {reason}")

    async def _in_time(self, step: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await step
        except TimeoutError as error:
            raise Unreachable(f"{self._address} does not answer within {CONNECT_SECONDS:g} s") from error

    async def _first(self) -> Message:
        received = await self.receive()
        if received is None:
            raise Unreachable(f"{self._address} closed the connection before it was ready")
        return received


def response_to(challenge: Message, password: str) -> str:
    """`res` of `authenticate`: HMAC-SHA256 of the challenge, keyed with type, password and name."""
    key = f"{challenge.get('type', '')}:{password}:{challenge.get('name', '')}"
    return hmac.new(key.encode(), str(challenge.get("challenge", "")).encode(), "sha256").hexdigest()


def _refusal(address: ServerAddress, status: int) -> str:
    if status == 403:
        return f"{address} refuses the connection (403): it does not allow this client"
    if status == 503:
        return f"{address} refuses the connection (503): it has too many already"
    return f"{address} is no remote API: it answers as a web server, with status {status}"


def _other_way(address: ServerAddress) -> str:
    return "; does it want a certificate (--cert)?" if address.tls else "; does it want TLS (--ssl)?"


def _reason(error: BaseException) -> str:
    error = getattr(error, "os_error", error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(getattr(error, "strerror", None) or error)
