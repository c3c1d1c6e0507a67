"""The echo service as a party: it rings, answers, and sends every packet back to who sent it.

How it gets that far is the echo number's own affair (manual §5.2.1): `ring_only`, `answer_delay`,
`remote_control`, `sdp_file`, and which media it takes.
"""

from __future__ import annotations

from typing import Final

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError, Reject
from libreims.call.events import (
    Answered,
    Changing,
    Ended,
    Event,
    Offered,
    Progress,
    Refused,
    Reserved,
    sip_reason,
)
from libreims.call.history import InvitePending, Record
from libreims.call.sdp_file import answer_from, read_sdp_file
from libreims.call.server_party import ServerParty
from libreims.call.services import CallServices
from libreims.config.schema import ImpuSettings
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.offer_answer import reject_media

RING_TIME: Final = 200.0
"""Seconds after which a call that may only ring is given up, as with a phone that is not answered."""
RING_AGAIN: Final = 60.0
"""Seconds after which 180 is repeated, as proxies give up an INVITE that is silent (RFC 3261 §13.3.1.1)."""


class EchoParty(ServerParty):
    """Answers every call with the caller's own media."""

    def __init__(self, number: str, settings: ImpuSettings, services: CallServices, record: Record) -> None:
        """`record`: that of the caller's dialog."""
        super().__init__(services, f"echo {number}", caller=False)
        self._settings = settings
        self._record = record
        self._invited: Offered | None = None  # not answered yet
        self._deadline = 0.0
        self._timer: Cancellable | None = None

    def handle(self, event: Event) -> None:
        """An event of the caller."""
        match event:
            case Offered():
                self._invited = event
                self._progress(event)
                if self._invited is not None:
                    self._go_on()
            case Ended():
                self._stop_waiting()
            case Changing() if self._invited is not None:
                pass  # the leg does not let it through before the answer
            case _:
                super().handle(event)

    def _progress(self, offered: Offered) -> None:
        """A caller that acknowledges it gets the answer before it hears the ringing."""
        if offered.reliable and offered.description is not None and self._settings.use183 is not False:
            self.notify(Reserved())
            self.notify(Progress(183, self.answer(offered.description)))
        if self._invited is not None:
            self.notify(Progress(180))

    def release(self) -> None:
        """The session is over."""
        self._stop_waiting()
        super().release()

    def reply(self, offer: SessionDescription) -> SessionDescription:
        """The answer: every codec that the phone has, or what `sdp_file` says. Raises Reject."""
        settings = self._settings
        if settings.sdp_file:
            return answer_from(self._file(settings.sdp_file), offer)
        answered = super().reply(offer)
        for index, media in enumerate(answered.media):
            if media.port and not getattr(settings, media.kind):
                answered = reject_media(answered, index)
        return answered

    def first_offer(self) -> SessionDescription:
        """To a caller that made no offer."""
        name = self._settings.sdp_file
        return self._file(name) if name else super().first_offer()

    def _file(self, name: str) -> SessionDescription:
        try:
            return read_sdp_file(name)
        except LibreImsError as error:
            raise Reject(500, f"{self.phone} cannot answer: {error}") from error

    # -- before the answer ---------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether the call still has to be answered."""
        return self._invited is not None

    def _go_on(self) -> None:
        settings = self._settings
        if settings.ring_only:
            self._wait(RING_TIME)
        elif settings.remote_control:
            self._wait(float(self._services.config.current.dialog_timeout) or float("inf"))
            record = self._record
            record.publish(InvitePending(record.session_id, record.callee, record.caller))
        elif settings.answer_delay:
            self._wait(settings.answer_delay)
        else:
            self._answer()

    def _wait(self, seconds: float) -> None:
        self._deadline = self._services.clock.time() + seconds
        self._sleep()

    def _sleep(self) -> None:
        left = self._deadline - self._services.clock.time()
        self._timer = self._services.clock.call_later(min(left, RING_AGAIN), self._woken)

    def _woken(self) -> None:
        self._timer = None
        if self._services.clock.time() + 1e-3 < self._deadline:
            self._sleep()
            self.notify(Progress(180))
        elif self._settings.ring_only:
            self._refuse(480, f"{self.phone} may only ring (ring_only)", "Ringing only")
        elif self._settings.remote_control:
            why = f"{self.phone} waits for the action answer (remote_control), which did not come"
            self._refuse(408, f"{why} within dialog_timeout", "Not answered by remote control")
        else:
            self._answer()

    def _answer(self) -> None:
        invited, self._invited = self._invited, None
        self._stop_waiting()
        if invited is None:
            return
        try:
            answer = self.answer(invited.description)
        except Reject as reject:
            self._services.log.error(reject.why)
            self.notify(Refused(reject.status, reject.reason, sip_reason(reject.status, reject.why)))
        else:
            self.notify(Answered(answer))

    def _refuse(self, status: int, why: str, text: str) -> None:
        self._services.log.info(why)
        self._stop_waiting()
        self.notify(Refused(status, None, sip_reason(status, text)))

    def _stop_waiting(self) -> None:
        self._invited = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answer_remotely(self, code: int) -> None:
        """The action `answer`: 1xx goes out and the call waits on, 2xx answers it, the rest refuses it.

        Raises LibreImsError.
        """
        if self._invited is None or not self._settings.remote_control:
            raise LibreImsError(
                "answer: the call does not wait for it, as a call to an echo number with remote_control does"
            )
        if code < 200:
            self.notify(Progress(code))
        elif code < 300:
            self._answer()
        else:
            self._stop_waiting()
            self.notify(Refused(code))
