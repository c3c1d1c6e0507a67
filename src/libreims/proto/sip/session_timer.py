"""Session timers (RFC 4028): what goes into requests and responses, and when somebody has to act.

Pure: `answer_timer` decides as the server of an INVITE or UPDATE, `TimerRequest` as its client; both end in
an `AgreedTimer`, or in None when the session does not expire.  Proxies' rules are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from libreims.base.errors import Reject
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import LWS, Params, decimal, format_params, parse_params
from libreims.proto.sip.message import MAX_SECONDS, Message, Request, Response

OPTION_TAG: Final = "timer"

FLOOR: Final = 90
"""Seconds: the Min-SE of a peer that names none, and the smallest that the RFC allows (§4, §5)."""

Refresher = Literal["uac", "uas"]
"""Who refreshes, by the roles in the request and response that say so (§4), not by who began the call."""

Headers = tuple[tuple[str, str], ...]


class TimerSettings(Protocol):
    """The `session_expires` object of the configuration."""

    @property
    def duration(self) -> int:
        """Interval that we ask for, in seconds; 0: we ask for none."""

    @property
    def min(self) -> int:
        """Smallest interval that we accept, in seconds."""

    @property
    def refresher(self) -> str:
        """`uac` or `uas`, where it is ours to decide."""

    @property
    def force(self) -> bool:
        """Name the refresher in our requests."""

    @property
    def method(self) -> str:
        """`update` or `invite`: how we refresh."""


# --- headers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The value of Session-Expires (§4)."""

    seconds: int
    refresher: Refresher | None = None

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """Read `delta-seconds *(;param)`; an unknown refresher counts as none. Raises SipParseError (400)."""
        seconds, params = _delta(text, "Session-Expires")
        value = (params.get("refresher") or "").lower()
        return cls(seconds, "uac" if value == "uac" else "uas" if value == "uas" else None)

    @classmethod
    def of(cls, message: Message) -> SessionExpires | None:
        """That of a message, None without one. Raises SipParseError (400)."""
        text = message.get("Session-Expires")
        return None if text is None else cls.parse(text)

    def __str__(self) -> str:
        return f"{self.seconds}{format_params({'refresher': self.refresher}) if self.refresher else ''}"


def min_se(message: Message) -> int | None:
    """The seconds of Min-SE (§5), None without one. Raises SipParseError (400)."""
    text = message.get("Min-SE")
    return None if text is None else _delta(text, "Min-SE")[0]


def _delta(text: str, name: str) -> tuple[int, Params]:
    digits, semicolon, rest = text.partition(";")
    seconds = decimal(digits.strip(LWS))
    if seconds is None:
        raise SipParseError(400, f"Malformed {name}")
    return min(seconds, MAX_SECONDS), parse_params(rest) if semicolon else {}


def supports_timer(message: Message) -> bool:
    """Whether the sender knows session timers."""
    return OPTION_TAG in message.tokens("Supported") or OPTION_TAG in message.tokens("Require")


# --- the timer that is agreed -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgreedTimer:
    """How long the session lives without a refresh; it starts anew with each 2xx that says so (§7.2, §9)."""

    interval: int
    """Seconds."""
    refreshing: bool
    """Whether we refresh; otherwise the peer does."""
    least: int = 0
    """Largest Min-SE that the peer has named in this dialog, repeated in our requests (§7.4); 0 without."""
    alone: bool = False
    """The peer knows no session timers: we refresh, and its answers say nothing about it (§9, table 2)."""

    @property
    def refresh_after(self) -> float | None:
        """Seconds after the 2xx when we refresh: half the interval (§10); None when the peer does."""
        return self.interval / 2 if self.refreshing else None

    @property
    def end_after(self) -> float:
        """Seconds after the 2xx when we end the call unless it was refreshed (§10).

        Without a refresh from the peer a little before the session expires; when our own refreshes find no
        answer, at its end.
        """
        if self.refreshing:
            return float(self.interval)
        return self.interval - min(32.0, self.interval / 3)


# --- server -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimerAnswer:
    """What goes into the 2xx, and what holds once it is sent."""

    headers: Headers
    timer: AgreedTimer | None
    """None: the session does not expire (any more)."""


_NO_TIMER: Final = TimerAnswer((), None)


def answer_timer(
    request: Request, settings: TimerSettings, current: AgreedTimer | None = None
) -> TimerAnswer:
    """The timer for the 2xx to an INVITE or UPDATE (§9); `current` is what holds in its dialog.

    Raises Reject: 422 when the peer asks for less than `settings.min`, 400 for headers that cannot be read.
    """
    try:
        wanted, lowest = SessionExpires.of(request), min_se(request)
    except SipParseError as error:
        raise Reject(
            error.status, f"{request.method} {request.call_id}: {error.reason}", reason=error.reason
        ) from error
    supported = supports_timer(request)
    if wanted is None:
        if not settings.duration:
            return _NO_TIMER
        interval = max(settings.duration, lowest or 0)
    elif wanted.seconds >= max(settings.min, 1):
        interval = _reduced(wanted.seconds, lowest, settings)
    elif supported:
        raise Reject(
            422,
            f"{request.method} {request.call_id} asks for a session timer of {wanted.seconds} s; "
            f"the least allowed here is {settings.min} s (session_expires.min)",
            headers=(("Min-SE", str(max(settings.min, 1))),),
        )
    else:
        # A proxy put it in; 422 would only fail the call (§8.1, erratum 1687: the same for a server).
        interval = max(settings.min, lowest or 0, 1)
    refresher = _refresher(supported, wanted, settings, current)
    headers: Headers = (("Session-Expires", str(SessionExpires(interval, refresher))),)
    if supported:
        headers = (("Require", OPTION_TAG), *headers)
    least = max(lowest or 0, current.least if current is not None else 0)
    return TimerAnswer(headers, AgreedTimer(interval, refresher == "uas", least, alone=not supported))


def _reduced(asked: int, lowest: int | None, settings: TimerSettings) -> int:
    """§9: never more than asked for, our own duration where that is not below what the peer allows.

    A peer without Min-SE allows 90 s; whoever configures a smaller `min` wants to see smaller ones.
    """
    if not settings.duration:
        return asked
    allowed = min(FLOOR, settings.min) if lowest is None else max(lowest, settings.min)
    return min(asked, max(settings.duration, settings.min, allowed))


def _refresher(
    supported: bool, wanted: SessionExpires | None, settings: TimerSettings, current: AgreedTimer | None
) -> Refresher:
    """§9, table 2: a client that knows no timers cannot refresh; what it asks for, it gets."""
    if not supported:
        return "uas"
    if wanted is not None and wanted.refresher is not None:
        return wanted.refresher
    if current is not None:  # who refreshes does not change by the way
        return "uas" if current.refreshing else "uac"
    return "uas" if settings.refresher == "uas" else "uac"


# --- client -------------------------------------------------------------------------------------------


class TimerRequest:
    """Our side of one INVITE, re-INVITE or UPDATE that we send, and of its repetitions after 422 (§7)."""

    __slots__ = ("_current", "_interval", "_least", "_min_se", "_refresher")

    def __init__(self, settings: TimerSettings, current: AgreedTimer | None = None) -> None:
        """`current`: the timer of the dialog, which a request inside it keeps up (§7.4)."""
        self._current = current
        self._refresher: Refresher | None = None
        self._least = 0 if current is None else current.least  # what the peer has named
        self._min_se = self._least
        if current is not None:
            self._interval = max(current.interval, self._least)
            self._refresher = "uac" if current.refreshing else "uas"
        else:
            self._interval = max(settings.duration, settings.min) if settings.duration else 0
            if settings.force:
                self._refresher = "uas" if settings.refresher == "uas" else "uac"
        if settings.min != FLOOR:  # what a request without Min-SE says anyway
            self._min_se = max(self._min_se, min(settings.min, self._interval))

    @property
    def headers(self) -> Headers:
        """Session-Expires and Min-SE; `timer` in Supported belongs to every request (§7.1)."""
        if not self._interval:
            return ()
        value = ("Session-Expires", str(SessionExpires(self._interval, self._refresher)))
        return (value, ("Min-SE", str(self._min_se))) if self._min_se else (value,)

    def too_small(self, response: Response) -> bool:
        """A 422 came: whether to send the request again with the `headers` as they are now (§7.3).

        False when its Min-SE is missing, unreadable or no reason for a 422: there is nothing to try again.
        """
        try:
            least = min_se(response)
        except SipParseError:
            return False
        if least is None or not self._interval or least <= self._interval:
            return False
        self._min_se = self._interval = self._least = least
        return True

    def agreed(self, response: Response) -> AgreedTimer | None:
        """What a 2xx makes of it (§7.2); None when the session does not expire (any more).

        A peer that knows no timers cannot switch ours off: where we have been refreshing alone we go on.  An
        unreadable Session-Expires counts as none: a call is not ended for it.  Without a refresher, which
        the RFC forbids, it is us: we know that we refresh.
        """
        try:
            value = SessionExpires.of(response)
        except SipParseError:
            return None
        if value is None and self._current is not None and self._current.alone:
            return self._current
        if value is None or not value.seconds:
            return None
        return AgreedTimer(value.seconds, value.refresher != "uas", self._least)
