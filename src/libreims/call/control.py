"""What the remote API and the monitor can do with calls: `mt_call`, `dialog_get`, `dialog_set` (manual §6.6).

Python values in, frozen records out; a mistake is a LibreImsError that names the parameter and its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from libreims.base.errors import LibreImsError, Reject
from libreims.call.dialog_view import DialogView
from libreims.call.echo import EchoParty
from libreims.call.events import Cause
from libreims.call.history import HOLD, MT_CALL, START, STOP, History, Record
from libreims.call.leg import CONFIRMED, Leg
from libreims.call.leg_change import LegChange
from libreims.call.media_policy import MediaPolicy
from libreims.call.originate import Originate
from libreims.call.sdp_file import read_sdp_file
from libreims.call.server_party import ServerParty, chosen_downgrade, without
from libreims.call.session import Session
from libreims.config.store import ConfigStore
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.offer_answer import KINDS

LATEST = "*"
"""Session id of the dialog that began last."""


@dataclass(frozen=True, slots=True)
class Options:
    """The parameters of `dialog_set` beside session id and action."""

    code: int | None = None
    reason: str | None = None
    reason_protocol: str | None = None
    sdp_file: str | None = None
    media: str | None = None
    rtp: bool | None = None
    rtcp: bool | None = None


class DialogControl:
    """The dialogs of the server, to be listed and to be acted on."""

    def __init__(self, history: History, originate: Originate, config: ConfigStore) -> None:
        self._history = history
        self._config = config
        self.mt_call = originate.mt_call

    def dialog_get(self, session_id: str | None = None) -> Iterator[DialogView]:
        """The dialogs that are on and those that ended in the last 30 s, or the one with this session id."""
        return self._history.views(session_id)

    def remotes(self) -> dict[str, list[str]]:
        """With whom the users are talking: for each IMPI the IMPIs, or the names, of the others."""
        remotes: dict[str, list[str]] = {}
        for record in self._history:
            if record.leg is not None and record.state != STOP:
                remotes.setdefault(record.leg.phone, []).append(_remote(record))
        return remotes

    def dialog_set(
        self,
        session_id: str,
        action: str,
        *,
        code: int | None = None,
        reason: str | None = None,
        reason_protocol: str | None = None,
        sdp_file: str | None = None,
        media: str | None = None,
        rtp: bool | None = None,
        rtcp: bool | None = None,
    ) -> None:
        """Act on a dialog; `*` is the one that began last. Raises LibreImsError, with a sentence."""
        perform = ACTIONS.get(action)
        if perform is None:
            raise LibreImsError(f"action: {action!r} is none of {', '.join(ACTIONS)}")
        if media is not None and media not in KINDS:
            raise LibreImsError(f"media: {media!r} is none of {', '.join(KINDS)}")
        options = Options(code, reason, reason_protocol, sdp_file, media, rtp, rtcp)
        record, session = self._find(session_id)
        try:
            perform(self, record, session, options)
        except Reject as reject:
            raise LibreImsError(f"{action}: {reject.why}") from reject

    def _find(self, session_id: str) -> tuple[Record, Session]:
        if session_id == LATEST:
            record = self._history.latest()
            if record is None:
                raise LibreImsError("session_id: no dialog is on, * means the one that began last")
        else:
            record = self._history.find(session_id)
            if record is None:
                raise LibreImsError(
                    f"session_id: there is no dialog {session_id!r}; dialog_get lists them, until 30 s after "
                    "their end"
                )
        if record.session is None or record.state == STOP:
            raise LibreImsError(f"session_id: dialog {record.session_id} is over")
        return record, record.session

    # -- the actions -----------------------------------------------------------------------------------

    def _stop(self, record: Record, session: Session, options: Options) -> None:
        headers = _reason(options)
        code = options.code or 0
        # Only a SIP cause can be what a caller gets who still waits.
        sip = (options.reason_protocol or "SIP").upper() == "SIP" and 400 <= code <= 699
        session.stop(Cause("stopped by remote control", headers, code if sip else 480))

    def _answer(self, record: Record, session: Session, options: Options) -> None:
        code = 200 if options.code is None else options.code
        if not 101 <= code <= 699:
            raise LibreImsError(f"code: {code} is out of range, 101 to 699 is expected")
        party = session.mt
        if not isinstance(party, EchoParty):
            raise LibreImsError(
                f"answer: dialog {record.session_id} is no call to an echo number, only those are answered so"
            )
        party.answer_remotely(code)

    def _reinvite(self, record: Record, session: Session, options: Options) -> None:
        _started(record, "reinvite")
        party = _server_side(session)
        description = None
        if options.sdp_file is not None:
            if party is None:
                raise LibreImsError(
                    f"sdp_file: {options.sdp_file!r} cannot be sent in dialog {record.session_id}, a call "
                    "between two phones; it is for calls made by mt_call and calls to echo numbers"
                )
            description = read_sdp_file(options.sdp_file, self._config.directory)
        if party is not None:
            party.reinvite(description)
            return
        leg, far = _legs(record)
        LegChange(leg, lambda: far.media.agreed).start()

    def _hold(self, record: Record, session: Session, options: Options) -> None:
        _started(record, "hold")
        party = _server_side(session)
        if party is None:
            raise LibreImsError(
                f"hold: dialog {record.session_id} is a call between two phones; "
                "the server holds calls made by mt_call and calls to echo numbers only"
            )
        party.hold(options.media)

    def _downgrade(self, record: Record, session: Session, options: Options) -> None:
        _started(record, "downgrade")
        party = _server_side(session)
        if party is not None:
            party.downgrade(options.media)
            return
        leg, far = _legs(record)
        standing = leg.media.agreed
        if standing is None:
            raise LibreImsError(f"downgrade: dialog {record.session_id} has agreed on no media yet")
        kind = chosen_downgrade(standing, options.media)
        for one, other in ((leg, far), (far, leg)):
            LegChange(one, _without(kind, other)).start()

    def _media(self, record: Record, session: Session, options: Options) -> None:
        if options.rtp is None and options.rtcp is None:
            raise LibreImsError("media: neither rtp nor rtcp is given, so there is nothing to change")
        leg = record.leg
        assert leg is not None  # as long as there is a session
        policy = leg.media.policy = leg.media.policy or MediaPolicy()
        kinds = frozenset(KINDS if options.media is None else (options.media,))
        policy.block(kinds, options.rtp, options.rtcp)
        for port in leg.media.ports:
            if port is not None and port.kind in kinds:
                policy.switch(port)

    def _session_expires_stop(self, record: Record, session: Session, options: Options) -> None:
        """The server neither refreshes nor ends the session, until a request agrees on a timer anew."""
        leg = record.leg
        if leg is None or leg.timer.agreed is None:
            raise LibreImsError(f"session-expires-stop: dialog {record.session_id} has no session timer")
        leg.timer.stop()

    def _ecall_info(self, record: Record, session: Session, options: Options) -> None:
        raise LibreImsError(f"ecall-info: dialog {record.session_id} is no eCall")


Action = Callable[[DialogControl, Record, Session, Options], None]
ACTIONS: dict[str, Action] = {
    "stop": DialogControl._stop,
    "answer": DialogControl._answer,
    "reinvite": DialogControl._reinvite,
    "hold": DialogControl._hold,
    "downgrade": DialogControl._downgrade,
    "media": DialogControl._media,
    "ecall-info": DialogControl._ecall_info,
    "session-expires-stop": DialogControl._session_expires_stop,
}


def _reason(options: Options) -> tuple[tuple[str, str], ...]:
    """The Reason header of `stop` (RFC 3326 §2); none when nothing is said about it."""
    code, reason, protocol = options.code, options.reason, options.reason_protocol
    if code is None and reason is None and protocol is None:
        return ()
    if code is not None and not 0 <= code <= 999:
        raise LibreImsError(f"code: {code} is out of range, 0 to 999 is expected")
    protocol = protocol or "SIP"
    if not all(char.isalnum() or char in "-.!%*_+`'~" for char in protocol) or not protocol.isascii():
        raise LibreImsError(f"reason_protocol: {protocol!r} is no token such as SIP or Q.850")
    value = protocol
    if code is not None:
        value += f";cause={code}"
    if reason is not None:
        if any(char < " " or char == "\x7f" for char in reason):
            raise LibreImsError(f"reason: {reason!r} has a control character")
        quotable = reason.replace("\\", "\\\\").replace('"', '\\"')
        value += f';text="{quotable}"'
    return (("Reason", value),)


def _remote(record: Record) -> str:
    """Who is on the other side of a dialog: an IMPI, an echo number, or the caller of `mt_call`."""
    peer = next((each for each in record.peers if each.started), None) or next(
        (each for each in record.peers if each.state != STOP), None
    )
    if peer is not None and peer.leg is not None:
        return peer.leg.phone
    return record.caller if record.kind == MT_CALL else record.callee


def _started(record: Record, action: str) -> None:
    if record.state not in (START, HOLD):
        raise LibreImsError(
            f"{action}: dialog {record.session_id} has not started yet, it is in state {record.state}"
        )


def _server_side(session: Session) -> ServerParty | None:
    """The side of the call that the server itself is."""
    return next((each for each in (session.mo, session.mt) if isinstance(each, ServerParty)), None)


def _legs(record: Record) -> tuple[Leg, Leg]:
    """The phone of a dialog and the phone it talks to. Raises LibreImsError."""
    near = record.leg
    far = next((each.leg for each in record.peers if each.started and each.leg is not None), None)
    for leg in (near, far):
        if leg is None or leg.state != CONFIRMED:
            raise LibreImsError(f"session_id: dialog {record.session_id} is just beginning or ending")
    assert near is not None and far is not None
    return near, far


def _without(kind: str, far: Leg) -> Callable[[], SessionDescription | None]:
    """What the far phone has agreed to, without one media type."""

    def make() -> SessionDescription | None:
        description = far.media.agreed
        return without(description, kind) if description is not None else None

    return make
