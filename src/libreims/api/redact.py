"""Requests and responses as the log may show them: without passwords and keys."""

from __future__ import annotations

from libreims.api.client import Frame
from libreims.api.wire import encode
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
    text = encode(_without(frame, _SECRETS if keys else _SECRETS | _KEYS))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def _without(value: object, secrets: frozenset[str]) -> Frame:
    cleaned = _clean(value, secrets)
    assert isinstance(cleaned, dict)
    return cleaned


def _clean(value: object, secrets: frozenset[str]) -> object:
    if isinstance(value, dict):
        return {
            name: HIDDEN if name in secrets else _clean(member, secrets) for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(member, secrets) for member in value]
    return value
