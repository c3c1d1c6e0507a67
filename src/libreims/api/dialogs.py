"""`mt_call`, `dialog_get`, `dialog_set`, and what they were called before (manual §6.6)."""

from __future__ import annotations

from typing import Any, Final

from libreims.api.client import Client
from libreims.api.services import ApiServices
from libreims.api.slices import in_slices
from libreims.api.table import Command, Members, Parameter, Result
from libreims.api.views import dialog
from libreims.config.kinds import Boolean, Integer, Number, Text

_SESSION: Final = Parameter(
    "session_id", Text(), "Session id of the dialog, `*` for the one that began last.", required=True
)
_CODE: Final = Parameter("code", Integer(0, 999), "Status code of `answer`, cause in the Reason of `stop`.")
_REASON: Final = Parameter("reason", Text(), "Text in the Reason header of `stop`.")
_PROTOCOL: Final = Parameter(
    "reason_protocol", Text(), "Protocol in the Reason header of `stop`, SIP by default."
)
_SDP_FILE: Final = Parameter("sdp_file", Text(), "File with the SDP to send.")
_CALLED: Final = (
    Parameter("impi", Text(), "IMPI of the user to call."),
    Parameter("impu", Text(), "IMPU of the user to call."),
    Parameter("contact", Text(), "Contact URI of the phone to call."),
    _SDP_FILE,
    Parameter("sip_file", Text(), "Older name of `sdp_file`."),
    Parameter("caller", Text(), "Who calls: an IMPU, a number, or any name."),
    Parameter("sos", Boolean(), "Call phones that are registered for emergency calls."),
    Parameter("duration", Number(), "Seconds after which the server ends the call."),
)
_ACTION: Final = (
    _SESSION,
    Parameter("action", Text(), "What to do.", required=True),
    _CODE,
    _REASON,
    _PROTOCOL,
    _SDP_FILE,
    Parameter("media", Text(), "Media type that the action is about."),
    Parameter("rtp", Boolean(), "Let RTP packets through (`media`)."),
    Parameter("rtcp", Boolean(), "Let RTCP packets through (`media`)."),
)


def commands(services: ApiServices) -> tuple[Command, ...]:
    """The commands of this file."""
    dialogs = DialogCommands(services)
    return (
        Command("mt_call", "Call a phone.", dialogs.mt_call, _CALLED),
        Command(
            "dialog_get",
            "Show the dialogs that are on, and those that ended within 30 s.",
            dialogs.get,
            (Parameter("session_id", Text(), "Only this dialog."),),
        ),
        Command("dialog_set", "Act on a dialog.", dialogs.set, _ACTION),
        Command(
            "dialog_stop",
            "`dialog_set` with `stop`.",
            dialogs.stop,
            (_SESSION, _CODE, _REASON, _PROTOCOL),
            legacy=True,
        ),
        Command(
            "reinvite", "`dialog_set` with `reinvite`.", dialogs.reinvite, (_SESSION, _SDP_FILE), legacy=True
        ),
        Command(
            "dialog_answer", "`dialog_set` with `answer`.", dialogs.answer, (_SESSION, _CODE), legacy=True
        ),
    )


class DialogCommands:
    """Handlers of these commands."""

    def __init__(self, services: ApiServices) -> None:
        self._dialogs = services.dialogs

    def mt_call(self, client: Client, sip_file: str | None = None, **parameters: Any) -> Members:
        """The call has begun; its dialog tells what becomes of it."""
        parameters.setdefault("sdp_file", sip_file)
        return {"session_id": self._dialogs.mt_call(**parameters)}

    def get(self, client: Client, session_id: str | None = None) -> Result:
        """All dialogs, or one."""
        return in_slices("dialogs", self._dialogs.dialog_get(session_id), dialog)

    def set(self, client: Client, session_id: str, action: str, **parameters: Any) -> Members:
        """Any action."""
        self._dialogs.dialog_set(session_id, action, **parameters)
        return {}

    def stop(self, client: Client, session_id: str, **parameters: Any) -> Members:
        """The end of a dialog."""
        return self.set(client, session_id, "stop", **parameters)

    def reinvite(self, client: Client, session_id: str, **parameters: Any) -> Members:
        """A new INVITE."""
        return self.set(client, session_id, "reinvite", **parameters)

    def answer(self, client: Client, session_id: str, **parameters: Any) -> Members:
        """The final response of an echo number."""
        return self.set(client, session_id, "answer", **parameters)
