"""One connection to the remote API, without the socket: text comes in, text goes out (manual §6.1, §6.2).

The WebSocket server (`api.server`) and tests feed it.  Nothing unasked goes out between a request and its
answer but the events that the client has registered for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libreims import __version__
from libreims.api.authentication import TYPE, Authentication, NoPassword
from libreims.api.client import Client, Frame
from libreims.api.dispatch import Dispatcher, one_line
from libreims.api.services import ApiServices
from libreims.api.table import Members
from libreims.api.wire import InvalidJson, decode, encode
from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError

PRODUCT: Final = "LibreIMS"
MOST_MESSAGES: Final = 1000
"""Messages in one array."""
STRANGER_TEXT: Final = 4096
"""Characters of a message before authentication."""
STRANGER_TIME: Final = 300.0
"""Seconds that a client has for its authentication."""

NOT_DONE: Final = "Authentication not done"
FAILED: Final = "Authentication failed"
NO_PASSWORD: Final = "Authentication failed: the server cannot read its password file, its log says why"


class Connection:
    """What one client says and hears."""

    def __init__(
        self,
        services: ApiServices,
        dispatcher: Dispatcher,
        authentication: Authentication,
        name: str,
        host: str,
        send: Callable[[str], None],
        close: Callable[[str], None],
    ) -> None:
        self.client = Client(name, send)
        self._host = host
        self._services = services
        self._dispatcher = dispatcher
        self._authentication = authentication
        self._log = services.log.layer("com")
        self._send = send
        self._close = close
        """Ends the connection; the argument says why."""
        self.known: Callable[[], None] = lambda: None
        """Called when the client has authenticated; at the beginning where nobody has to."""
        self._challenge = ""
        """Of a client that is not authenticated yet."""
        self._timer: Cancellable | None = None
        self._attempt = False
        """Whether `_timer` runs for an attempt that has to wait."""

    def open(self) -> None:
        """The connection is there: the first message."""
        self._log.info(f"{self.client.name} connected")
        settings = self._services.config.current
        if self._authentication.required:
            self._timer = self._services.clock.call_later(STRANGER_TIME, self._too_slow)
            frame: Frame = {"message": "authenticate", **self._new_challenge()}
        else:
            frame = {"message": "ready", "type": TYPE, "name": settings.com_name}
            frame |= {"version": __version__, "product": PRODUCT}
            self.known()
        self._answer(frame)

    def receive(self, frame: str | bytes) -> None:
        """A frame has come: process all that is in it."""
        for message in self.messages(frame):
            self.process(message)

    def messages(self, frame: str | bytes) -> list[object]:
        """What is to be processed of a frame, message by message; none where the frame is wrong as a whole.

        A binary frame is the same where it is text after all.
        """
        if self._challenge and len(frame) > STRANGER_TEXT:
            self._close(f"sent {len(frame)} characters before its authentication")
            return []
        try:
            message = decode(frame if isinstance(frame, str) else frame.decode())
        except UnicodeDecodeError:
            self._refuse({}, "Invalid JSON: the binary frame is no UTF-8 text")
            return []
        except InvalidJson as error:
            self._refuse({}, str(error))
            return []
        if not isinstance(message, list):
            return [message]
        if not 0 < len(message) <= MOST_MESSAGES:
            self._refuse({}, f"an array has 1 to {MOST_MESSAGES} messages, not {len(message)}")
            return []
        return message

    def closed(self) -> None:
        """The connection is gone."""
        if not self.client.connected:
            return
        self._stop_timer()
        self._dispatcher.leave(self.client)
        self._log.info(f"{self.client.name} disconnected")

    def process(self, message: object) -> None:
        """One message of a frame."""
        if isinstance(message, dict) and message.get("message") == "authenticate":
            self._authenticate(message)
        elif self._challenge:
            self._refuse(message if isinstance(message, dict) else {}, NOT_DONE)
        else:
            self._dispatcher.submit(self.client, message, self._answer)

    async def settled(self) -> None:
        """Until what takes several turns has been answered: answers keep the order of their requests."""
        await self.client.settled()

    def _answer(self, frame: Frame) -> None:
        if self.client.connected:
            self._send(encode(frame))

    def _refuse(self, frame: Frame, error: str) -> None:
        self._respond(frame, {"error": error})

    def _respond(self, frame: Frame, members: Members) -> None:
        response = self._dispatcher.response(frame, self._dispatcher.time, members)
        self._dispatcher.show("TO", self.client, response)
        self._answer(response)

    # -- authentication ----------------------------------------------------------------------------

    def _new_challenge(self) -> Members:
        self._challenge = self._authentication.challenge()
        return {
            "type": TYPE,
            "name": self._services.config.current.com_name,
            "challenge": self._challenge,
        }

    def _authenticate(self, frame: Frame) -> None:
        if not self._challenge:
            self._respond(frame, {"ready": True})
            return
        if self._attempt:
            self._refuse(frame, "the last attempt has not been answered yet")
            return
        try:
            wait = self._authentication.wait(self._host)
        except LibreImsError as error:
            self._log.warn(f"{self.client.name}: authentication refused: {error}")
            self._respond(frame, {"error": str(error), **self._new_challenge()})
            return
        if wait <= 0:
            self._look_at(frame)
        else:
            self._stop_timer()
            self._attempt = True
            self._timer = self._services.clock.call_later(wait, self._look_at, frame)

    def _look_at(self, frame: Frame) -> None:
        self._stop_timer()
        try:
            right = self._authentication.right(self._challenge, frame)
        except NoPassword as error:
            self._failed(frame, NO_PASSWORD, one_line(error))
            return
        except LibreImsError as error:
            self._failed(frame, one_line(error), one_line(error))
            return
        if not right:
            why = "its password is not the one of com_auth, or it computes the response for another name"
            self._failed(frame, FAILED, why)
            return
        self._challenge = ""
        self.known()
        self._authentication.succeeded(self._host)
        self._log.info(f"{self.client.name} authenticated")
        self._respond(frame, {"ready": True})

    def _failed(self, frame: Frame, error: str, why: str) -> None:
        """The client is still not authenticated."""
        self._authentication.failed(self._host)
        self._services.counters.error("com_authentication")
        self._log.warn(f"{self.client.name}: authentication failed: {why}")
        self._timer = self._services.clock.call_later(STRANGER_TIME, self._too_slow)
        self._respond(frame, {"error": error, **self._new_challenge()})

    def _too_slow(self) -> None:
        self._timer = None
        self._close(f"did not authenticate within {STRANGER_TIME:.0f} s")

    def _stop_timer(self) -> None:
        self._attempt = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
