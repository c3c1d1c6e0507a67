"""The session timer of one leg (RFC 4028): agreed on with each INVITE and UPDATE, kept up, and its end.

Each leg has its own: a refresh is made and answered here, the other phone never hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libreims.base.clock import Cancellable
from libreims.call.events import Changed, ChangeRefused, Changing, Event
from libreims.call.guard import guarded
from libreims.cscf.user_agent import ALLOW
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.session_timer import (
    AgreedTimer,
    Headers,
    TimerAnswer,
    TimerRequest,
    TimerSettings,
    answer_timer,
)

if TYPE_CHECKING:
    from libreims.call.leg import Leg

AGAIN: Final = 5.0
"""Seconds until a refresh that was refused is tried again (RFC 4028 §10, RFC 3261 §14.1)."""
_UNKNOWN_METHOD: Final = (405, 501)


class SessionTimer:
    """What is agreed with one phone about how long the session lives without a refresh."""

    __slots__ = ("_agreed", "_answer", "_deadline", "_leg", "_method", "_request", "_settings", "_timer")

    def __init__(self, leg: Leg, settings: TimerSettings) -> None:
        self._leg = leg
        self._settings = settings
        self._method = settings.method
        self._agreed: AgreedTimer | None = None
        self._request: TimerRequest | None = None
        self._answer: TimerAnswer | None = None
        self._timer: Cancellable | None = None
        self._deadline = 0.0

    @property
    def leg(self) -> Leg:
        """Whose session it is."""
        return self._leg

    @property
    def agreed(self) -> AgreedTimer | None:
        """What holds now; None: the session does not expire."""
        return self._agreed

    # -- requests of ours ------------------------------------------------------------------------------

    def offer(self) -> Headers:
        """Headers of an INVITE, re-INVITE or UPDATE of ours."""
        self._request = TimerRequest(self._settings, self._agreed)
        return self._request.headers

    def too_small(self, response: Response) -> Headers | None:
        """A 422 came: the headers to try it again with, None where there is nothing to try."""
        request = self._request
        return request.headers if request is not None and request.too_small(response) else None

    def accepted(self, response: Response) -> None:
        """The 2xx to a request of ours came: the time begins anew."""
        if self._request is not None:
            self._start(self._request.agreed(response))

    # -- requests of the phone -----------------------------------------------------------------------------

    def check(self, request: Request) -> None:
        """An INVITE, re-INVITE or UPDATE came. Raises Reject (422, 400)."""
        self._answer = answer_timer(request, self._settings, self._agreed)

    def answer(self) -> Headers:
        """Headers of the 2xx to it, which goes out now: the time begins anew."""
        answer, self._answer = self._answer, None
        if answer is None:
            return ()
        self._start(answer.timer)
        return answer.headers

    # -- time ----------------------------------------------------------------------------------------------

    def _start(self, agreed: AgreedTimer | None) -> None:
        self._cancel()
        self._agreed = agreed
        if agreed is None:
            return
        services = self._leg.services
        refresh, end = agreed.refresh_after, agreed.end_after
        self._deadline = services.clock.time() + end
        if refresh is not None:
            self._timer = services.slow.call_later(refresh, self._refresh)
        else:
            self._timer = services.slow.call_later(end, self._expired)

    def stop(self) -> None:
        """Neither refresh nor end the session any more, until the next request agrees on it anew."""
        self._cancel()
        self._agreed = None

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _later(self) -> None:
        """Try it again, or, where there is no time left for that, end the session."""
        if self._agreed is None or self._timer is not None:
            return
        services = self._leg.services
        left = self._deadline - services.clock.time()
        if left > AGAIN:
            self._timer = services.slow.call_later(AGAIN, self._refresh)
        else:
            self._timer = services.slow.call_later(max(0.0, left), self._expired)

    @guarded
    def _refresh(self) -> None:
        self._timer = None
        leg = self._leg
        far = leg.media.far
        if leg.state != "confirmed" or far is None:
            self._later()
        elif self._method == "update" and "UPDATE" in leg.peer_allows:
            headers = (leg.contact(), ("Allow", ALLOW), leg.supported(), *self.offer())
            leg.send(leg.request("UPDATE", headers), self)
        else:
            leg.modify.offer(Changing("INVITE", far), self._refreshed)

    @guarded
    def _expired(self) -> None:
        self._timer = None
        agreed, leg = self._agreed, self._leg
        if agreed is None:
            return
        if agreed.refreshing and agreed.alone:
            self._start(agreed)  # it knows no session timers, but it has answered: it is there
            return
        if agreed.refreshing:
            text = f"{leg.phone} has accepted no refresh of the session for {agreed.interval} s"
        else:
            text = (
                f"{leg.phone} has not refreshed the session within {agreed.interval} s, as it had agreed to"
            )
        leg.services.log.warn(f"{text} (session_expires): the call is ended")
        leg.lost(text)

    # -- the outcome of a refresh --------------------------------------------------------------------------

    @guarded
    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """The phone answers our UPDATE."""
        leg = self._leg
        status = response.status
        if status < 200 or leg.state != "confirmed":
            return
        if status < 300:
            assert leg.dialog is not None
            leg.dialog.refresh_target(response)
            self.accepted(response)
        elif status in (408, 481):
            self._gone(f"{leg.phone} does not know the session any more ({status} to its refresh)")
        else:
            if status in _UNKNOWN_METHOD:
                self._method = "invite"
            elif status == 422:
                self.too_small(response)
            self._later()

    def _refreshed(self, event: Event) -> None:
        """The phone has answered our re-INVITE; `call.modify` has noted what it says of the timer."""
        if isinstance(event, Changed):
            self._leg.renewed()
        elif isinstance(event, ChangeRefused):
            self._later()

    @guarded
    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer to our UPDATE: the session is over (RFC 4028 §10)."""
        if self._leg.state == "confirmed":
            self._gone(f"{self._leg.phone} does not answer the refresh of the session")

    @guarded
    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """Our UPDATE could not be sent."""
        if self._leg.state == "confirmed":
            self._later()

    def _gone(self, text: str) -> None:
        self._leg.services.log.warn(f"{text} (session_expires): the call is ended")
        self._leg.lost(text)
