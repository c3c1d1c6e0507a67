"""Provisional responses that a called phone sends reliably (RFC 3262): the client's side.

The first one opens the early dialog of the leg, in which PRACK and UPDATE travel.  Where the INVITE was
forked further on (a trunk), there are several; the others get their PRACK and nothing else before the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libreims.call.guard import guarded
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.headers import RAck
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.reliable import ProvisionalAcknowledger, Reception

if TYPE_CHECKING:
    from libreims.call.uac_leg import UacLeg


class EarlyDialogs:
    """The early dialogs of one INVITE of ours, and the PRACKs in them."""

    __slots__ = ("_acknowledger", "_dialogs", "_leg", "_under_way")

    def __init__(self, leg: UacLeg) -> None:
        self._leg = leg
        self._acknowledger = ProvisionalAcknowledger()
        self._dialogs: dict[str, Dialog] = {}  # by the phone's tag
        self._under_way = 0

    @property
    def leg(self) -> UacLeg:
        """Whose INVITE it is."""
        return self._leg

    @property
    def acknowledging(self) -> bool:
        """A PRACK of ours is not answered yet: an UPDATE could overtake it."""
        return self._under_way > 0

    def received(self, response: Response) -> Reception:
        """What a provisional response is."""
        return self._acknowledger.received(response)

    def open(self, request: Request, response: Response) -> Dialog:
        """The early dialog of a reliable response."""
        tag = response.to.tag or ""
        dialog = self._dialogs.get(tag)
        if dialog is None:
            dialog = self._dialogs[tag] = Dialog.from_response(request, response)
        elif "Contact" in response.fields:
            dialog.refresh_target(response)
        return dialog

    def of(self, response: Response) -> Dialog | None:
        """The early dialog that a 2xx confirms, if there is one."""
        return self._dialogs.get(response.to.tag or "")

    def acknowledge(self, dialog: Dialog, rack: RAck) -> None:
        """Send PRACK."""
        leg = self._leg
        self._under_way += 1
        if dialog is leg.dialog:
            leg.send(leg.request("PRACK", (("RAck", str(rack)),)), self)
            return
        agent = leg.services.agent
        way = leg.flow if leg.behind_nat else agent.flow_toward(dialog.next_hop, leg.flow)
        prack = dialog.new_request("PRACK", (("RAck", str(rack)), *leg.agent_name))
        agent.request(prack, way, self, leg.callflow)

    @guarded
    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """The PRACK is answered."""
        if response.status < 200:
            return
        if response.status >= 300:
            self._tell(f"refuses it ({response.status} {response.reason})")
        self._settled()

    @guarded
    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer: the phone repeats its response, or gives the call up itself."""
        self._tell("does not answer it")
        self._settled()

    @guarded
    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """It could not be sent."""
        self._tell(f"cannot be reached ({error})")
        self._settled()

    def _settled(self) -> None:
        self._under_way -= 1
        self._leg.renegotiated()

    def _tell(self, what: str) -> None:
        leg = self._leg
        leg.services.log.warn(f"PRACK to {leg.phone}: the phone {what}; the call goes on without it")
