"""MESSAGE as the router hands it over: who sends it, and to which procedure it goes.

`application/vnd.3gpp.sms` is an RP message for the SMS centre, to whatever URI it is sent (any PSI of an SMSC
that a SIM may hold, TS 24.341 §5.3.1); everything else is for the user in the Request-URI (`sms.pager`).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.cscf.answer import Answer
from libreims.cscf.authenticates import Authenticates
from libreims.cscf.user_agent import UserAgent
from libreims.proto.sip.message import Request
from libreims.proto.sip.multipart import find
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.report import DeliverReport
from libreims.proto.sms.rp import RpAck, RpData, RpError, RpMessage, RpSmma, decode_from_phone
from libreims.proto.sms.tpdu import decode_from_phone as decode_tpdu
from libreims.sms.filter import IGNORE, REJECT, SmsFilter
from libreims.sms.originating import Originating, Phone
from libreims.sms.over_ip import SMS_TYPE, OverIp
from libreims.sms.pager import Pager
from libreims.sms.parties import Sender, Senders
from libreims.sms.port import Delivered, Outcomes, Refused
from libreims.users.subscriber import Subscriber

ACCEPTED = Answer(202)
REPORTS = (2, 4)
"""RP-ACK and RP-ERROR of a phone (TS 24.011 §8.2.2): neither is answered, whatever is wrong with it."""

LONGEST_NAMES: Final = 2048
"""Characters of Call-ID, Request-URI and From together, which are kept with each message that waits."""


class IncomingMessages:
    """Serves MESSAGE for the router."""

    def __init__(
        self,
        senders: Senders,
        authenticator: Authenticates,
        agent: UserAgent,
        originating: Originating,
        pager: Pager,
        bearer: OverIp,
        outcomes: Outcomes,
        filters: SmsFilter,
        log: LayerLog,
    ) -> None:
        self._senders = senders
        self._authenticator = authenticator
        self._agent = agent
        self._originating = originating
        self._pager = pager
        self._bearer = bearer
        self._outcomes = outcomes
        self._filters = filters
        self._log = log

    def serve(self, transaction: ServerTransaction) -> Coroutine[Any, Any, None] | None:
        """Serve a MESSAGE, or return the procedure that authenticates first. Raises Reject, SipParseError."""
        sender = self._senders.caller(transaction.request, transaction.flow)
        subscriber = sender.subscriber
        if subscriber is not None and self._authenticator.needed(transaction.request, subscriber):
            return self._authenticated(transaction, sender, subscriber)
        self._serve(transaction, sender)
        return None

    async def _authenticated(
        self, transaction: ServerTransaction, sender: Sender, subscriber: Subscriber
    ) -> None:
        """`auth_on_register_only: false`: the MESSAGE is challenged like a REGISTER."""
        await self._authenticator.authenticate(transaction.request, subscriber, transaction.flow)
        if not transaction.answered:
            self._serve(transaction, sender)

    def _serve(self, transaction: ServerTransaction, sender: Sender) -> None:
        request = transaction.request
        _check_size(request, sender)
        content_type = request.get("Content-Type")
        body = find(content_type, request.body, SMS_TYPE, "render") if content_type else None
        if body is None:
            may_send(sender)
            self._pager.serve(transaction, sender)
            return
        if sender.subscriber is None or sender.binding is None or sender.entry is None:
            raise Reject(
                415,
                f"MESSAGE of {sender.phone} refused: {SMS_TYPE} is for phones that are registered here; the "
                "trunk sends text/plain",
                headers=(("Accept", "text/plain"),),
            )
        phone = Phone(sender, sender.subscriber, sender.entry, sender.binding, request)
        self._relay_layer(transaction, body, phone)

    # -- RP (TS 24.011) --------------------------------------------------------------------------------

    def _relay_layer(self, transaction: ServerTransaction, body: bytes, phone: Phone) -> None:
        try:
            message = decode_from_phone(body)
        except SmsDecodeError as error:
            if error.reference is None:
                raise Reject(
                    400,
                    f"MESSAGE of {phone.impi} refused: its body is no RP message: {error}; mend the phone",
                ) from error
            self._agent.respond(transaction, ACCEPTED)
            if body[0] & 7 in REPORTS:
                self._log.warn(f"a report of {phone.impi} cannot be read: {error}; mend the phone")
            else:
                self._originating.malformed(phone, error.reference, error)
            return
        self._bearer.spoke(phone.binding)
        match message:
            case RpData():
                self._data(transaction, message, phone)
            case RpSmma():
                self._agent.respond(transaction, ACCEPTED)
                self._bearer.answer_submission(
                    RpAck(message.reference), phone.binding, phone.subscriber, phone.entry, phone.call_id
                )
                self._outcomes.memory_available(phone.impi, phone.binding.number)
            case _:
                self._report(transaction, message, phone)

    def _data(self, transaction: ServerTransaction, data: RpData, phone: Phone) -> None:
        """RP-DATA: what is accepted is in the store before the 202 leaves."""
        may_send(phone.sender)
        action = self._filters.action("rp_data")
        if action == IGNORE:
            self._log.info(f"RP-DATA {data.reference} of {phone.impi} is ignored (sms_message_filter)")
            self._agent.respond(transaction, ACCEPTED)
            return
        if action == REJECT:
            self._agent.respond(transaction, ACCEPTED)
            self._originating.filtered(phone, data.reference)
            return
        answer = self._originating.data(data, phone)
        self._agent.respond(transaction, ACCEPTED)
        answer()

    def _report(self, transaction: ServerTransaction, message: RpMessage, phone: Phone) -> None:
        """RP-ACK or RP-ERROR for a message that was delivered."""
        action = self._filters.action("rp_ack") if isinstance(message, RpAck) else ""
        if action == REJECT:
            raise Reject(403, f"RP-ACK {message.reference} of {phone.impi} is rejected (sms_message_filter)")
        if action == IGNORE:
            self._log.info(f"RP-ACK {message.reference} of {phone.impi} is ignored (sms_message_filter)")
            self._agent.respond(transaction, ACCEPTED)
            return
        outcome = _refusal(message) if isinstance(message, RpError) else Delivered()
        in_reply_to = transaction.request.get("In-Reply-To")
        impi = self._bearer.reported(phone.impi, in_reply_to, message.reference, outcome)
        if not impi:
            self._log.info(
                f"{type(message).__name__} {message.reference} of {phone.impi} is about no message that waits"
            )
        self._agent.respond(transaction, ACCEPTED)
        self._outcomes.go_on(impi)


def _refusal(message: RpError) -> Refused:
    """RP cause and TP-FCS; a report that cannot be read says nothing."""
    failure = None
    if message.user_data:
        try:
            report = decode_tpdu(message.user_data, in_error=True)
        except SmsDecodeError:
            pass
        else:
            failure = report.failure_cause if isinstance(report, DeliverReport) else None
    return Refused(message.cause, failure)


def _check_size(request: Request, sender: Sender) -> None:
    """Raises Reject (513): a user could fill the memory with names."""
    size = len(request.call_id) + len(request.uri) + len(request.get("From") or "")
    if size > LONGEST_NAMES:
        raise Reject(
            513,
            f"MESSAGE of {sender.phone} refused: its Call-ID, Request-URI and From have {size} characters, "
            f"and at most {LONGEST_NAMES} are kept",
        )


def may_send(sender: Sender) -> None:
    """Refuse who has SMS over IMS switched off. Raises Reject: the phone may know another way."""
    entry = sender.entry
    if entry is not None and not entry.settings.sms:
        raise Reject(
            403,
            f"MESSAGE of {sender.phone} refused: its IMPU {entry.key} has sms: false; set it to true to let "
            "it send over IMS",
        )


def sender_key(request: Request) -> str:
    """MESSAGEs of one sender are served one by one."""
    return request.from_.uri_text
