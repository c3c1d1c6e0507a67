"""Messages that this version answers with an error, having no MMSC yet: `mms`, `mms_server`."""

from __future__ import annotations

from typing import Final

from libreims.api.table import Command, Handler, Members, Parameter
from libreims.base.errors import LibreImsError
from libreims.config.kinds import Boolean, Text

NO_MMSC: Final = "MMS: this version of the server has no MMSC yet, nothing was sent"
NOT_STARTED: Final = "MMS: the MMS server is not started, this version of the server has none yet"


def commands() -> tuple[Command, ...]:
    """The commands of this file."""
    return (
        Command(
            "mms",
            "Send an MMS.",
            _refusing(NO_MMSC),
            (
                Parameter("filename", Text(), "File to send."),
                Parameter("from", Text(), "Number of the sender.", field="from_"),
                Parameter("to", Text(), "Number of the receiver."),
                Parameter("sender", Text(), "The same as `from`."),
                Parameter("receiver", Text(), "The same as `to`."),
                Parameter("sos", Boolean(), "Only to phones with an emergency registration."),
            ),
            later=True,
        ),
        Command("mms_server", "Show the address of the MMS server.", _refusing(NOT_STARTED), later=True),
    )


def _refusing(why: str) -> Handler:
    """A handler that can only say why."""

    def refuse(*_: object, **__: object) -> Members:
        raise LibreImsError(why)

    return refuse
