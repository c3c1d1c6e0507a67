"""Requests and responses as the log may show them: without passwords and keys."""

from __future__ import annotations

from libreims.api.client import Frame
from libreims.api.wire import Prepared, encode
from libreims.config.declare import declarations
from libreims.config.schema import ComAuth, UserSettings

HIDDEN = "<hidden>"
SHOWN = 2000
"""Characters of a message in the log."""
_KEYS = frozenset(("authent_key", "cipher_key"))
"""Members of `ipsec` responses; shown with `com.key=1`."""
_SECRETS = frozenset(
    name
    for section in (UserSettings, ComAuth)
    for name, declared in declarations(section).items()
    if declared.secret
) | {"res", "password"}


def redacted(frame: Frame, *, keys: bool = False) -> str:
    """The message as text, cut when it is long; `keys` allows those of security associations."""
    text = encode(_Copy(_SECRETS if keys else _SECRETS | _KEYS).of_object(frame))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


class _Copy:
    """What of a message can be shown: without secrets, and no more than the log takes.

    A response with ten thousand users must not cost what it would to show them.
    """

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets
        self._left = SHOWN + 1
        """Characters, at least, that there is still room for."""

    def of_object(self, value: Frame) -> Frame:
        """An object with as many of its members as there is room for."""
        copy: Frame = {}
        for name, member in value.items():
            if self._left <= 0:
                break
            self._left -= len(name)
            shown = name[: SHOWN + 1]
            copy[shown] = HIDDEN if name in self._secrets else self._of(member)
        return copy

    def _of(self, value: object) -> object:
        self._left -= 1
        if isinstance(value, dict):
            return self.of_object(value)
        if isinstance(value, list | tuple | Prepared):
            copy = []
            for element in value:
                if self._left <= 0:
                    break
                copy.append(self._of(element))
            return copy
        if isinstance(value, str):
            self._left -= len(value)
            return value[: SHOWN + 1]
        return value
