"""The files that the remote API needs: what is wrong with them, before a client needs them (`--check`)."""

from __future__ import annotations

from libreims.api.authentication import password_of
from libreims.api.tls import context
from libreims.base.errors import LibreImsError
from libreims.config.schema import Settings


def problems(settings: Settings) -> list[str]:
    """What would keep the remote API from starting: a sentence for each mistake."""
    if settings.com_addr is None:
        return []
    found = []
    try:
        context(settings)
    except LibreImsError as error:
        found.append(str(error))
    if settings.com_auth is not None:
        try:
            password_of(settings.com_auth)
        except LibreImsError as error:
            found.append(str(error))
    return found
