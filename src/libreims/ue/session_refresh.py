"""Session timer of one call (RFC 4028): agreed with the INVITE, refreshed by UPDATE, ended by BYE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from libreims.base.clock import Cancellable
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.session_timer import AgreedTimer, TimerRequest, answer_timer
from libreims.ue.agent import ALLOW, Header, explain

if TYPE_CHECKING:
    from libreims.ue.call import Call

_RETRY = (491, 500, 503)
"""Answers to a refresh that do not mean that the call is gone."""
_RETRY_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What this phone asks for (`session_timer.TimerSettings`)."""

    duration: int
    min: int = 90
    refresher: str = "uac"
    method: str = "update"
    force: bool = True


class SessionRefresh:
    """Nothing happens where the phone has no session timer (`PhoneConfig.session_expires` 0)."""

    def __init__(self, call: Call) -> None:
        self._call = call
        seconds = call.agent.config.session_expires
        self._wishes = Wishes(seconds, min(90, seconds) if seconds else 90)
        self._request = TimerRequest(self._wishes)
        self._refresh: Cancellable | None = None
        self._end: Cancellable | None = None
        self.agreed: AgreedTimer | None = None
        """What holds now."""
        self.refreshes = 0
        """Refreshes of ours that were accepted, and of the other side's that were answered."""

    @property
    def used(self) -> bool:
        """Whether this phone has a session timer."""
        return bool(self._call.agent.config.session_expires)

    def request_headers(self) -> tuple[Header, ...]:
        """For the INVITE."""
        return self._request.headers

    def again(self) -> tuple[Header, ...]:
        """For a re-INVITE or UPDATE of ours: it keeps up what holds (§7.4)."""
        if not self.used:
            return ()
        self._request = TimerRequest(self._wishes, self.agreed)
        return (("Supported", "timer"), *self._request.headers)

    def too_small(self, response: Response) -> bool:
        """422 came to the INVITE: whether it goes out again with other `request_headers`."""
        return self.used and self._request.too_small(response)

    def accepted(self, response: Response) -> None:
        """The 2xx to our INVITE or re-INVITE came."""
        if self.used:
            self._start(self._request.agreed(response))

    def answer(self, request: Request) -> tuple[Header, ...]:
        """Headers of our 2xx to an INVITE or UPDATE; the time begins anew. Raises Reject (422)."""
        if not self.used:
            return ()
        answer = answer_timer(request, self._wishes, self.agreed)
        if self.agreed is not None:
            self.refreshes += 1
        self._start(answer.timer)
        return answer.headers

    def _start(self, agreed: AgreedTimer | None) -> None:
        self.close()
        self.agreed = agreed
        if agreed is None:
            return
        clock = self._call.agent.clock
        if agreed.refresh_after is not None:
            self._refresh = clock.call_later(agreed.refresh_after, self._send)
        self._end = clock.call_later(agreed.end_after, self._expired)

    def _send(self) -> None:
        self._refresh = None
        call = self._call
        if not call.is_established:
            return
        headers: list[Header] = [("Contact", call.agent.contact()), ("Allow", ALLOW), *self.again()]
        call.request("UPDATE", headers, b"", self._answered)

    def _answered(self, response: Response | None, why: str) -> None:
        call = self._call
        if not call.is_established:
            return
        if response is not None and response.status < 300:
            self.refreshes += 1
            call.agent.recorder.note("session refreshed")
            self._start(self._request.agreed(response))
        elif response is not None and (response.status in _RETRY or self.too_small(response)):
            self._refresh = call.agent.clock.call_later(_RETRY_AFTER, self._send)
        else:
            call.lost(f"session refresh: {explain(response) if response is not None else why}")

    def _expired(self) -> None:
        self._end = None
        self._call.lost("the session timer is over and nobody refreshed the call")

    def close(self) -> None:
        """The call is over."""
        for timer in (self._refresh, self._end):
            if timer is not None:
                timer.cancel()
        self._refresh = self._end = None
