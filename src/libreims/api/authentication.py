"""Who may use the remote API: challenge and response with a shared password (manual §6.2, `com_auth`).

`res` is the HMAC-SHA256 of the challenge with the key `<type>:<password>:<name>`, in hexadecimal.  With
`unsecure` the password itself may be sent.  Failures make the next attempts from the same address wait.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from libreims.api.client import Frame
from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError
from libreims.base.files import read_small
from libreims.base.tokens import Tokens
from libreims.config.schema import ComAuth
from libreims.config.store import ConfigStore

TYPE: Final = "IMS"
"""What kind of server this is, in `ready`, `authenticate` and `config_get`."""

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 8.0
"""Seconds after a failure before the next attempt is looked at; they double with each failure."""
MOST_WAITING: Final = 30.0
"""Attempts that would have to wait longer are refused: somebody makes many at once."""
FORGOTTEN: Final = 600.0
"""Seconds without an attempt after which failures are forgotten."""
REMEMBERED: Final = 1024
"""Addresses whose failures are remembered; the oldest are forgotten first."""
PASSFILE_SIZE: Final = 4096


class NoPassword(LibreImsError):
    """The server itself does not know the password; what it says is not for strangers."""


class Authentication:
    """Challenges, and the failures of all addresses."""

    def __init__(self, config: ConfigStore, clock: Clock, tokens: Tokens) -> None:
        self._config = config
        self._clock = clock
        self._tokens = tokens
        self._failures: dict[str, tuple[int, float]] = {}

    @property
    def required(self) -> bool:
        """Whether clients have to authenticate."""
        return self._config.current.com_auth is not None

    def challenge(self) -> str:
        """A new challenge."""
        return self._tokens.hex(32)

    def right(self, challenge: str, frame: Frame) -> bool:
        """Whether an `authenticate` message proves that its sender knows the password.

        Raises LibreImsError where the message cannot prove anything, or the password cannot be read.
        """
        settings = self._config.current
        auth = settings.com_auth
        if auth is None:
            return True
        res, password = frame.get("res"), frame.get("password")
        if res is None and isinstance(password, str):
            if not auth.unsecure:
                raise LibreImsError(
                    "password: not accepted in plain text, send res (com_auth.unsecure would allow it)"
                )
            return hmac.compare_digest(password.encode(errors="replace"), password_of(auth).encode())
        if not isinstance(res, str):
            raise LibreImsError("res: string expected, the HMAC-SHA256 of the challenge in hexadecimal")
        expected = response(password_of(auth), settings.com_name, challenge)
        return hmac.compare_digest(res.strip().lower().encode(errors="replace"), expected.encode())

    def wait(self, host: str) -> float:
        """Seconds before an attempt from this address is looked at; the next one waits after it.

        Raises LibreImsError where too many wait already.
        """
        count, free = self._failures.get(host, (0, 0.0))
        now = self._clock.time()
        if not count or now > free + FORGOTTEN:
            self._failures.pop(host, None)
            return 0.0
        begin = max(now, free)
        if begin - now > MOST_WAITING:
            raise LibreImsError("too many failed attempts from this address: try again in a minute")
        self._failures[host] = (count, begin + _pause(count))
        return begin - now

    def failed(self, host: str) -> None:
        """An attempt was wrong."""
        count, free = self._failures.pop(host, (0, 0.0))
        count += 1
        if len(self._failures) >= REMEMBERED:
            del self._failures[next(iter(self._failures))]
        self._failures[host] = (count, max(free, self._clock.time() + _pause(count)))

    def succeeded(self, host: str) -> None:
        """Somebody at this address knows the password."""
        self._failures.pop(host, None)


def response(password: str, name: str, challenge: str) -> str:
    """What proves that one knows the password of the server `name`."""
    key = f"{TYPE}:{password}:{name}"
    return hmac.new(key.encode(), challenge.encode(), hashlib.sha256).hexdigest()


def _pause(count: int) -> float:
    return float(min(FIRST_WAIT * 2 ** min(count - 1, 10), LONGEST_WAIT))


def password_of(auth: ComAuth) -> str:
    """The password as it is now: whoever changes the file does not have to restart the server.

    Raises NoPassword.
    """
    if auth.password is not None:
        return auth.password
    assert auth.passfile is not None  # the schema wants one of both
    try:
        content = read_small(auth.passfile, PASSFILE_SIZE)
    except OSError as error:
        raise NoPassword(
            f"com_auth.passfile {auth.passfile} cannot be read: {error.strerror or error}"
        ) from None
    password = content.decode(errors="replace").rstrip("\r\n")
    if not password:
        raise NoPassword(f"com_auth.passfile {auth.passfile} is empty: write the password into it")
    return password
