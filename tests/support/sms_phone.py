"""Phones that do SMS over IP, every message of which the test writes."""

from __future__ import annotations

from libreims.proto.sip.message import Request
from libreims.proto.sms.address import Address
from libreims.proto.sms.command import Command
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.rp import (
    RpAck,
    RpData,
    RpError,
    RpMessage,
    RpSmma,
    decode_to_phone,
    encode_from_phone,
)
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.tpdu import ToPhone
from libreims.proto.sms.tpdu import decode_to_phone as decode_tpdu
from libreims.proto.sms.user_data import UserData
from support.lab import DOMAIN, Lab, Outcome, Peer

SMS_TYPE = "application/vnd.3gpp.sms"
PSI = f"sip:smsc@{DOMAIN}"
CENTRE = Address.of_number("+33600000000")


class Received:
    """A MESSAGE with a short message that has come to a phone, answered 200."""

    def __init__(self, phone: SmsPhone, request: Request) -> None:
        self.phone = phone
        self.request = request
        rp = decode_to_phone(request.body)
        assert isinstance(rp, RpData)
        self.rp = rp
        self.tpdu: ToPhone = decode_tpdu(rp.user_data)

    @property
    def deliver(self) -> Deliver:
        assert isinstance(self.tpdu, Deliver)
        return self.tpdu

    @property
    def report(self) -> StatusReport:
        assert isinstance(self.tpdu, StatusReport)
        return self.tpdu

    @property
    def text(self) -> str | None:
        return self.deliver.user_data.text(self.deliver.dcs)

    async def acknowledge(self, *, in_reply_to: bool = True) -> None:
        """RP-ACK, taken by the server."""
        outcome = self.answer(RpAck(self.rp.reference, DeliverReport().encode()), in_reply_to=in_reply_to)
        assert (await outcome.final()).status == 202

    async def refuse(self, cause: int, failure: int | None = None) -> None:
        """RP-ERROR, taken by the server."""
        data = DeliverReport(failure).encode() if failure is not None else None
        outcome = self.answer(RpError(self.rp.reference, cause, user_data=data))
        assert (await outcome.final()).status == 202

    def answer(self, message: RpMessage, *, in_reply_to: bool = True) -> Outcome:
        headers = (("In-Reply-To", self.request.call_id),) if in_reply_to else ()
        to = self.request.get("P-Asserted-Identity") or ""
        return self.phone.send_rp(message, to.strip("<>"), headers)


class SmsPhone:
    """A phone with `+g.3gpp.smsip` in its Contact, around a peer."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.reference = 0
        self.bodies: list[bytes] = []
        """Every RP message that came."""

    async def register(
        self, expires: int = 3600, params: str = ";+g.3gpp.smsip", *, call_id: str = "", cseq: int = 1
    ) -> None:
        """`call_id` and `cseq`: of a phone that refreshes as RFC 3261 §10.2 wants it."""
        headers = {"Call_ID": call_id, "CSeq": f"{cseq} REGISTER"} if call_id else {}
        answer = await self.peer.register(expires, f"<{self.peer.uri}>{params}", **headers)
        assert answer.status == 200

    def send_rp(
        self, message: RpMessage, uri: str = PSI, headers: tuple[tuple[str, str], ...] = ()
    ) -> Outcome:
        return self.send_octets(encode_from_phone(message), uri, headers)

    def send_octets(self, body: bytes, uri: str = PSI, headers: tuple[tuple[str, str], ...] = ()) -> Outcome:
        return self.peer.send("MESSAGE", uri, (("Content-Type", SMS_TYPE), *headers), body)

    def submit(self, to: str, text: str = "Hello", **more: object) -> Outcome:
        """Send an SMS-SUBMIT; the outcome is that of the MESSAGE."""
        self.reference += 1
        number = self.reference if "reference" not in more else more.pop("reference")
        submit = Submit(number, Address.of_sender(to), UserData.of_text(text), **more)  # type: ignore[arg-type]
        return self.send_tpdu(submit)

    def command(self, kind: int, about: int, to: str, *, report: bool = False) -> Outcome:
        self.reference += 1
        return self.send_tpdu(
            Command(self.reference, kind, about, Address.of_sender(to), status_report_request=report)
        )

    def send_tpdu(self, tpdu: Submit | Command) -> Outcome:
        return self.send_rp(RpData(self.reference & 0xFF, CENTRE, tpdu.encode()))

    def memory_available(self, reference: int = 9) -> Outcome:
        return self.send_rp(RpSmma(reference))

    async def accepted(self, outcome: Outcome) -> SubmitReport:
        """The submission was taken: 202, then RP-ACK with a report."""
        rp = await self.reported(outcome)
        assert isinstance(rp, RpAck), rp
        assert rp.user_data is not None
        report = decode_tpdu(rp.user_data)
        assert isinstance(report, SubmitReport)
        return report

    async def refused(self, outcome: Outcome) -> tuple[int, int | None]:
        """The submission was refused: RP cause and TP-FCS."""
        rp = await self.reported(outcome)
        assert isinstance(rp, RpError), rp
        if rp.user_data is None:
            return rp.cause, None
        report = decode_tpdu(rp.user_data, in_error=True)
        assert isinstance(report, SubmitReport)
        return rp.cause, report.failure_cause

    async def reported(self, outcome: Outcome) -> RpMessage:
        """202 to the MESSAGE, and the RP message that answers it."""
        assert (await outcome.final()).status == 202
        assert outcome.transaction is not None
        request = await self.message()
        assert request.get("In-Reply-To") == outcome.transaction.request.call_id
        rp = decode_to_phone(request.body)
        sent = outcome.transaction.request
        assert sent.get("Content-Type") != SMS_TYPE or rp.reference == sent.body[1]
        return rp

    async def message(self) -> Request:
        """The next MESSAGE with an RP message, answered 200."""
        transaction = await self.peer.expect("MESSAGE")
        self.peer.respond(transaction, 200)
        assert transaction.request.get("Content-Type") == SMS_TYPE
        self.bodies.append(transaction.request.body)
        return transaction.request

    async def receive(self) -> Received:
        """The next short message, answered 200; the RP-ACK is the test's."""
        return Received(self, await self.message())

    @property
    def idle(self) -> bool:
        """Nothing has come that the test has not looked at."""
        return not self.peer.incoming


async def phone(lab: Lab, name: str) -> SmsPhone:
    """A phone that is not registered yet."""
    return SmsPhone(await lab.peer(name))


async def phones(lab: Lab, *names: str) -> list[SmsPhone]:
    """Registered phones."""
    made = [await phone(lab, name) for name in names]
    for each in made:
        await each.register()
    return made


def pending(lab: Lab, name: str = "bob") -> int:
    """How many messages wait for a user."""
    return lab.server.sms.control.pending(f"{name}@ims.test")


async def second_phone(lab: Lab, name: str, params: str) -> SmsPhone:
    made = await phone(lab, name)
    await made.register(params=params)
    return made
