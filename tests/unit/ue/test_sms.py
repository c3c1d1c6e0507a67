"""A phone's short messages (TS 24.341 §5.3.1, §5.3.2) against a centre that says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libreims.base.tokens import Tokens
from libreims.net.port import Flow
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction
from libreims.proto.sms import rp, tpdu
from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.segments import segment
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.ue.phone import Phone
from libreims.ue.short_message import SMS_TYPE, SmsError
from libreims.ue.sms import TR1M
from support.phones import MILENAGE, RegistrarStub, phone_config
from support.virtual import run

NOW = Timestamp.at(1_800_000_000)
PHONE = "sip:001010000000001@10.0.0.1:5060"
GATEWAY = "sip:ipsmgw7@ims.test"


class Centre:
    """The other side of one phone."""

    def __init__(self, registrar: RegistrarStub) -> None:
        self.registrar = registrar
        self.got: list[Request] = []
        self.statuses: list[int] = []
        self.status = 202
        self.answer: rp.RpMessage | None = None
        """To each RP-DATA or RP-SMMA, with the reference put in."""
        self.before = False
        self.in_reply_to: str | None = ""
        """Empty: the Call-ID; None: no such header."""
        self.phone: ServerTransaction | None = None
        registrar.other = self.received

    def received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        assert request.method == "MESSAGE"
        self.got.append(request)
        answers = self.status < 300 and self.answer is not None and self.is_question(request)
        if answers and self.before:
            self._answer(request)
        transaction.respond(Response.to_request(request, self.status, tag=transaction.local_tag))
        if answers and not self.before:
            self._answer(request)

    @staticmethod
    def is_question(request: Request) -> bool:
        return request.content_type == SMS_TYPE and isinstance(
            rp.decode_from_phone(request.body), rp.RpData | rp.RpSmma
        )

    def _answer(self, request: Request) -> None:
        reference = rp.decode_from_phone(request.body).reference
        message: rp.RpMessage
        if isinstance(self.answer, rp.RpError):
            message = rp.RpError(reference, self.answer.cause, user_data=self.answer.user_data)
        else:
            message = rp.RpAck(reference, SubmitReport(NOW).encode())
        call_id = self.in_reply_to or request.call_id
        headers = [("In-Reply-To", call_id)] if self.in_reply_to is not None else []
        self.send(rp.encode_to_phone(message), headers)

    def send(self, body: bytes, headers: list[tuple[str, str]] | None = None, kind: str = SMS_TYPE) -> str:
        """Send a MESSAGE to the phone; returns its Call-ID."""
        tokens = self.registrar.tokens
        call_id = tokens.call_id()
        fields = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:someone@ims.test>;tag={tokens.tag()}"),
            ("To", f"<{PHONE}>"),
            ("Call-ID", call_id),
            ("CSeq", "1 MESSAGE"),
            ("Content-Type", kind),
            ("P-Asserted-Identity", f"<{GATEWAY}>"),
            *(headers or []),
        ]
        request = Request.build("MESSAGE", PHONE, fields, body)
        self.registrar.stack.request(request, Flow("UDP", self.registrar.address, ("10.0.0.1", 5060)), self)
        return call_id

    def deliver(self, data: UserData, dcs: int = 0, pid: int = 0, reference: int = 9) -> str:
        message = Deliver(Address.of_number("+15550102"), NOW, data, pid=pid, dcs=dcs)
        return self.send(rp.encode_to_phone(rp.RpData(reference, Address("0"), message.encode())))

    async def report(self, count: int = 1) -> rp.RpMessage:
        """What the phone said of what it got."""
        await asyncio.sleep(0.2)
        assert len(self.got) == count
        return rp.decode_from_phone(self.got[-1].body)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self.statuses.append(response.status)

    def timed_out(self, transaction: ClientTransaction) -> None:
        raise AssertionError("the phone does not answer")

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        raise AssertionError(str(error))


def play(scenario: Callable[[Phone, Centre], Awaitable[None]], **changes: object) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        registrar = RegistrarStub(network, loop)
        await registrar.start()
        centre = Centre(registrar)
        values: dict[str, object] = {"sim": MILENAGE, "domain": "ims.test", **changes}
        phone = Phone(network, loop, Tokens(1), phone_config(1, registrar.address, **values))
        await phone.start()
        await scenario(phone, centre)
        assert not phone.sms._waiting
        phone.close()

    run(whole)


# --- to the centre


def test_a_submission_as_the_specification_wants_it() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        await phone.register()
        contact = str(centre.registrar.registers[-1].get("Contact"))
        assert ";+g.3gpp.smsip" in contact
        centre.answer = rp.RpAck(0)
        sent = await phone.sms.send("tel:+15550102", "Hello", report=True)
        (request,) = centre.got
        assert request.uri == "sip:+15550100@ims.test;user=phone"
        assert request.to.uri_text == request.uri
        assert request.content_type == SMS_TYPE
        assert request.get("Route") and request.get("P-Preferred-Identity") and "Contact" not in request
        data = rp.decode_from_phone(request.body)
        assert isinstance(data, rp.RpData) and data.centre is not None
        assert data.centre.number == "+15550100"
        submit = tpdu.decode_from_phone(data.user_data)
        assert isinstance(submit, Submit)
        assert submit.destination.number == "+15550102" and submit.status_report_request
        assert submit.user_data.text(submit.dcs) == "Hello"
        assert sent.references == (submit.reference,)
        await asyncio.sleep(0.1)
        assert centre.statuses == [200]

    play(scenario)


@pytest.mark.parametrize(
    ("smsc", "uri", "number"),
    [
        ("tel:+15550111", "tel:+15550111", "0"),
        ("sip:ipsmgw@example.net", "sip:ipsmgw@example.net", "0"),
        ("15550111", "sip:15550111@ims.test", "15550111"),
        ("centre", "sip:centre@ims.test", "0"),
    ],
)
def test_the_centre_of_the_sim(smsc: str, uri: str, number: str) -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.answer = rp.RpAck(0)
        await phone.sms.send("tel:1002", "Hello")
        assert centre.got[0].uri == uri
        data = rp.decode_from_phone(centre.got[0].body)
        assert isinstance(data, rp.RpData) and data.centre is not None and data.centre.number == number

    play(scenario, smsc=smsc)


def test_parts_go_one_after_the_other() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        sending = asyncio.ensure_future(phone.sms.send("tel:1002", "x" * 300))
        other = asyncio.ensure_future(phone.sms.send("tel:1002", "y"))
        await asyncio.sleep(1)
        assert len(centre.got) == 1, "one transfer at a time"
        centre.answer = rp.RpAck(0)
        centre._answer(centre.got[0])
        await asyncio.gather(sending, other)
        references = [rp.decode_from_phone(each.body).reference for each in centre.got]
        assert [(later - references[0]) & 0xFF for later in references] == [0, 1, 2]

    play(scenario)


@pytest.mark.parametrize("before", [False, True], ids=["after the 202", "before the 202"])
@pytest.mark.parametrize("in_reply_to", ["", None], ids=["In-Reply-To", "reference"])
def test_the_answer_of_the_centre(before: bool, in_reply_to: str | None) -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.answer, centre.before, centre.in_reply_to = rp.RpAck(0), before, in_reply_to
        await phone.sms.send("tel:1002", "Hello")
        centre.answer = rp.RpError(0, 38, user_data=SubmitReport(NOW, failure_cause=0xC0).encode())
        with pytest.raises(SmsError, match="RP-ERROR 38 network out of order, 0xc0 SC busy") as caught:
            await phone.sms.send("tel:1002", "Hello")
        assert caught.value.cause == 38
        assert len(phone.sms.sent) == 1

    play(scenario)


def test_an_answer_about_something_else_is_none() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.answer, centre.in_reply_to = rp.RpAck(0), "another-call-id"
        began = asyncio.get_running_loop().time()
        with pytest.raises(SmsError, match="neither RP-ACK nor RP-ERROR came within 40 s"):
            await phone.sms.send("tel:1002", "Hello")
        assert TR1M <= asyncio.get_running_loop().time() - began < TR1M + 1
        assert any("about nothing that waits" in note for note in phone.recorder.notes)
        assert centre.statuses == [200]

    play(scenario)


def test_a_message_that_is_refused() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.status = 403
        with pytest.raises(SmsError, match="403 Forbidden"):
            await phone.sms.send("tel:1002", "Hello")
        with pytest.raises(SmsError, match="403 Forbidden"):
            await phone.sms.send_text("sip:bob@ims.test", "Hello")

    play(scenario)


def test_memory_available() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.answer = rp.RpAck(0)
        phone.sms.memory_full = True
        await phone.sms.memory_available()
        assert isinstance(rp.decode_from_phone(centre.got[0].body), rp.RpSmma)
        assert not phone.sms.memory_full

    play(scenario)


# --- from the centre


def test_what_came_is_acknowledged_to_the_gateway_that_sent_it() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        call_id = centre.deliver(UserData.of_text("Hello"), reference=77)
        report = await centre.report()
        assert isinstance(report, rp.RpAck) and report.reference == 77
        assert report.user_data is not None
        assert tpdu.decode_from_phone(report.user_data) == DeliverReport()
        request = centre.got[0]
        assert request.uri == GATEWAY and request.get("In-Reply-To") == call_id
        assert request.call_id != call_id
        (message,) = phone.sms.inbox
        assert (message.sender, message.text, message.sent_at) == ("+15550102", "Hello", NOW.utc)
        assert centre.statuses == [200]

    play(scenario)


def test_a_long_text_in_any_order_and_twice() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        text = "z" * 400
        parts = segment(text, 5).parts
        for count, number in enumerate((2, 0, 0, 1), 1):
            centre.deliver(parts[number], reference=count)
            assert isinstance(await centre.report(count), rp.RpAck)
            assert len(phone.sms.inbox) == (1 if count == 4 else 0)
        assert (phone.sms.inbox[0].text, phone.sms.inbox[0].parts) == (text, 3)

    play(scenario)


def test_data_type_0_and_status_reports() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.deliver(UserData.of_octets(b"\x01\x02"), dcs=4)
        assert isinstance(await centre.report(1), rp.RpAck)
        assert phone.sms.inbox[-1].data == b"\x01\x02"
        centre.deliver(UserData.of_text("silent"), pid=0x40)
        assert isinstance(await centre.report(2), rp.RpAck)
        assert len(phone.sms.inbox) == 1
        status = StatusReport(7, Address("1002"), NOW, NOW, 0)
        centre.send(rp.encode_to_phone(rp.RpData(3, Address("0"), status.encode())))
        assert isinstance(await centre.report(3), rp.RpAck)
        assert list(phone.sms.reports) == [status]

    play(scenario)


def test_a_full_memory() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        phone.sms.memory_full = True
        centre.deliver(UserData.of_text("Hello"))
        report = await centre.report()
        assert isinstance(report, rp.RpError) and report.cause == 22
        assert report.user_data is not None
        full = tpdu.decode_from_phone(report.user_data, in_error=True)
        assert isinstance(full, DeliverReport) and full.failure_cause == 0xD3
        assert not phone.sms.inbox

    play(scenario)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (rp.encode_to_phone(rp.RpData(9, Address("0"), b"")), 96),
        (rp.encode_to_phone(rp.RpData(9, Address("0"), SubmitReport(NOW).encode())), 97),
        (b"\x07\x09", 97),
        (b"\x01\x09\x00", 96),
    ],
    ids=["no TPDU", "a report", "unknown type", "cut"],
)
def test_what_cannot_be_read_gets_rp_error(body: bytes, cause: int) -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.send(body)
        report = await centre.report()
        assert isinstance(report, rp.RpError)
        assert (report.reference, report.cause) == (9, cause)
        assert centre.statuses == [200] and not phone.sms.inbox

    play(scenario)


def test_what_has_no_reference_is_400() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.send(b"\x01")
        await asyncio.sleep(1)
        assert centre.statuses == [400] and not centre.got

    play(scenario)


def test_text_and_other_things() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.send("hello \u20ac".encode(), kind="text/plain;charset=UTF-8")
        centre.send(b"<x/>", kind="application/xml")
        await asyncio.sleep(1)
        assert centre.statuses == [200, 200]
        assert [(each.text, each.data, each.over) for each in phone.sms.inbox] == [
            ("hello \u20ac", b"", "text"),
            ("", b"<x/>", "text"),
        ]
        assert phone.sms.inbox[0].sender == "sip:someone@ims.test"
        assert len(phone.messages) == 2

    play(scenario)


def test_an_rp_ack_that_nobody_takes_is_noted() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        centre.status = 500
        centre.deliver(UserData.of_text("Hello"))
        await asyncio.sleep(1)
        assert any("RP-ACK 9 was refused: 500" in note for note in phone.recorder.notes)

    play(scenario)


def test_a_soft_phone_does_not_say_that_it_does_sms() -> None:
    async def scenario(phone: Phone, centre: Centre) -> None:
        await phone.register()
        assert "smsip" not in str(centre.registrar.registers[-1].get("Contact"))

    play(scenario, sim=None)
    play(scenario, sms=False)
