"""Short messages of a phone: SMS over IP (TS 24.341 §5.3.1, §5.3.2), and text to soft phones (RFC 3428).

A short message is an RP message (TS 24.011) in a SIP MESSAGE, and what the centre says of it comes as another
MESSAGE; In-Reply-To ties the two together.  `send` waits for that; `received` is called for each MESSAGE
with an RP message that comes, and answers it the same way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from libreims.base.errors import Reject
from libreims.proto.sip.message import Request, Response
from libreims.proto.sms import rp, tpdu
from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.failure import FailureCause
from libreims.proto.sms.reassembly import Reassembly, joined_text
from libreims.proto.sms.report import DeliverReport
from libreims.proto.sms.rp_cause import RpCause, cause_text
from libreims.proto.sms.status_report import StatusReport
from libreims.ue.agent import Agent, Header, NoAnswer, explain
from libreims.ue.changes import Changes
from libreims.ue.short_message import (
    SMS_TYPE,
    ShortMessage,
    SmsError,
    destination_of,
    refusal,
    status_text,
    submissions,
)

TR1M = 40.0
"""Seconds to wait for RP-ACK or RP-ERROR (TS 24.011 §10: more than 35, less than 45)."""
KEPT = 1000
"""Messages and reports that are kept; older ones are dropped."""
_NO_CENTRE = Address("0")
"""RP-Destination Address where the centre is known by a name only: the element is mandatory."""
_SHORT_MESSAGE_TYPE_0 = 0x40
"""TP-PID of a message that is acknowledged and shown to nobody (TS 23.040 §9.2.3.9)."""

Answer = rp.RpAck | rp.RpError


@dataclass(frozen=True, slots=True)
class Sent:
    """A short message that the centre has accepted."""

    to: str
    text: str
    references: tuple[int, ...]
    """TP-MR of its parts; status reports name them."""


class Sms:
    """What a phone does with short messages."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.changes = Changes()
        """Notified when something has come."""
        self.sent: deque[Sent] = deque(maxlen=KEPT)
        self.inbox: deque[ShortMessage] = deque(maxlen=KEPT)
        """What has come, the newest last; long messages when their last part is there."""
        self.reports: deque[StatusReport] = deque(maxlen=KEPT)
        self.came = 0
        """How many have come into the inbox so far."""
        self.memory_full = False
        """Refuse what comes; `memory_available` ends it."""
        self._waiting: dict[str, tuple[int, asyncio.Future[Answer]]] = {}
        self._parts = Reassembly()
        self._busy = asyncio.Lock()
        self._rp = agent.tokens.integer(0, 255)
        self._tp = agent.tokens.integer(0, 255)
        self._long = agent.tokens.integer(0, 255)

    # -- to the centre -----------------------------------------------------------------------------

    async def send(self, uri: str, text: str, *, report: bool = False) -> Sent:
        """Send a text to a number, in as many parts as it takes; returns when the centre has all of it.

        `report`: ask for a status report.  Raises SmsError.
        """
        destination = destination_of(uri)
        # The network serves one transfer of a phone at a time (TS 24.011 §5.3.1).
        async with self._busy:
            self._long = self._long + 1 & 0xFF
            parts = submissions(destination, text, self._tp + 1 & 0xFF, reference=self._long, report=report)
            self._tp = self._tp + len(parts) & 0xFF
            for part in parts:
                try:
                    data = part.encode()
                except ValueError as error:
                    raise SmsError(f"the message cannot be written: {error}") from None
                await self._transfer(rp.RpData(self._next(), self._centre, data))
        sent = Sent(destination.number, text, tuple(part.reference for part in parts))
        self.sent.append(sent)
        return sent

    async def memory_available(self) -> None:
        """There is room again: the centre may send what it keeps (TS 24.011 §7.3.2). Raises SmsError."""
        self.memory_full = False
        async with self._busy:
            await self._transfer(rp.RpSmma(self._next()))

    async def send_text(self, uri: str, text: str) -> Response:
        """Send a text as `text/plain` to any URI (RFC 3428 §4). Raises SmsError."""
        body, call_id = text.encode("utf-8", "replace"), self._agent.tokens.call_id()
        response = await self._ask(uri, "text/plain;charset=UTF-8", body, call_id)
        if response.status >= 300:
            raise SmsError(explain(response))
        return response

    async def _transfer(self, message: rp.RpData | rp.RpSmma) -> None:
        """Send an RP message and wait for its answer. Raises SmsError."""
        call_id = self._agent.tokens.call_id()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = (message.reference, answer)
        try:
            response = await self._ask(self.psi, SMS_TYPE, rp.encode_from_phone(message), call_id)
            if response.status >= 300:
                raise SmsError(explain(response))
            try:
                async with asyncio.timeout(TR1M):
                    outcome = await answer
            except TimeoutError:
                raise SmsError(
                    f"the centre took it with {response.status}, but neither RP-ACK nor RP-ERROR came "
                    f"within {TR1M:.0f} s"
                ) from None
        finally:
            del self._waiting[call_id]
        if isinstance(outcome, rp.RpError):
            raise refusal(outcome)

    async def _ask(
        self, uri: str, content_type: str, body: bytes, call_id: str, in_reply_to: str = ""
    ) -> Response:
        """Send a MESSAGE and wait for its final answer. Raises SmsError."""
        agent = self._agent
        tag, number = agent.tokens.tag(), 0

        def build(credentials: list[Header]) -> Request:
            nonlocal number
            number += 1
            headers: list[Header] = [("Content-Type", content_type), *credentials]
            if in_reply_to:
                headers.insert(0, ("In-Reply-To", in_reply_to))
            if agent.is_volte:
                headers.append(("P-Preferred-Identity", f"<{agent.config.impu}>"))
            return agent.build(
                "MESSAGE",
                uri,
                to=f"<{uri}>",
                call_id=call_id,
                tag=tag,
                number=number,
                routes=agent.initial_routes(),
                headers=headers,
                body=body,
            )

        try:
            _, response = await agent.ask_with_credentials(build)
        except NoAnswer as error:
            raise SmsError(str(error)) from None
        return response

    @property
    def psi(self) -> str:
        """The URI of the SMS centre: that of the SIM (EF PSISMSC), or made of its number (TS 31.103 §4.2)."""
        centre, domain = self._agent.config.smsc, self._agent.config.realm
        if ":" in centre:
            return centre
        return f"sip:{centre}@{domain};user=phone" if centre.startswith("+") else f"sip:{centre}@{domain}"

    @property
    def _centre(self) -> Address:
        address = Address.of_sender(self._agent.config.smsc)
        return address if address.is_number else _NO_CENTRE

    def _next(self) -> int:
        self._rp = self._rp + 1 & 0xFF
        return self._rp

    # -- from the centre ---------------------------------------------------------------------------

    def received(self, request: Request, body: bytes) -> Callable[[], None]:
        """Take an RP message; what is returned is called after the 200. Raises Reject (400)."""
        try:
            message = rp.decode_to_phone(body)
        except SmsDecodeError as error:
            if error.reference is None:
                raise Reject(400, f"a MESSAGE whose body is no RP message: {error}") from error
            self._agent.recorder.note(f"an RP message that cannot be read: {error}")
            return self._reply(request, rp.RpError(error.reference, error.cause))
        if isinstance(message, rp.RpData):
            return self._reply(request, self._delivered(message))
        assert isinstance(message, Answer)
        self._answered(request, message)
        return _nothing

    def take_text(self, request: Request) -> None:
        """Take a MESSAGE with text."""
        sender, body = request.from_.uri.number or request.from_.uri_text, request.body
        if request.content_type.startswith("text/") or not request.content_type:
            self._came(ShortMessage(sender, body.decode("utf-8", "replace"), over="text"))
        else:
            self._came(ShortMessage(sender, "", data=body, over="text"))

    def _answered(self, request: Request, answer: Answer) -> None:
        future = self._asked(request, answer.reference)
        if future is None or future.done():
            self._agent.recorder.note(f"{_name(answer)} {answer.reference} is about nothing that waits")
        else:
            future.set_result(answer)

    def _asked(self, request: Request, reference: int) -> asyncio.Future[Answer] | None:
        """What an answer is about: by In-Reply-To (TS 24.341 §5.3.1.3), else by the RP reference."""
        for call_id in request.elements("In-Reply-To"):
            if call_id in self._waiting:
                return self._waiting[call_id][1]
        if "In-Reply-To" in request:
            return None
        return next((future for known, future in self._waiting.values() if known == reference), None)

    def _delivered(self, message: rp.RpData) -> Answer:
        """What came, kept or refused: the RP-ACK or RP-ERROR for it."""
        note = self._agent.recorder.note
        try:
            decoded = tpdu.decode_to_phone(message.user_data)
        except SmsDecodeError as error:
            note(f"a short message that cannot be read: {error}")
            return rp.RpError(message.reference, error.cause)
        if isinstance(decoded, StatusReport):
            self.reports.append(decoded)
            note(status_text(decoded))
            self.changes.notify()
        elif not isinstance(decoded, Deliver):
            return rp.RpError(message.reference, RpCause.MESSAGE_TYPE_NON_EXISTENT)
        elif self.memory_full:
            note(f"a short message from {decoded.originator.number} is refused: the memory is full")
            full = DeliverReport(FailureCause.MEMORY_CAPACITY_EXCEEDED).encode()
            return rp.RpError(message.reference, RpCause.MEMORY_CAPACITY_EXCEEDED, user_data=full)
        else:
            self._deliver(decoded)
        return rp.RpAck(message.reference, DeliverReport().encode())

    def _deliver(self, deliver: Deliver) -> None:
        sender, data, dcs = deliver.originator.number, deliver.user_data, deliver.dcs
        if deliver.pid == _SHORT_MESSAGE_TYPE_0:
            self._agent.recorder.note(f"a short message of type 0 from {sender}, which is shown to nobody")
            return
        part = data.header.concatenation if data.has_header else None
        whole = (data,) if part is None else self._parts.add(sender, part, data)
        if whole is None:
            assert part is not None
            self._agent.recorder.note(f"part {part.number} of {part.total} of a text from {sender}")
            return
        text, sent_at = joined_text(whole, dcs), deliver.timestamp.utc
        octets = b"".join(each.data(dcs) for each in whole) if text is None else b""
        self._came(ShortMessage(sender, text or "", sent_at, len(whole), octets))

    def _came(self, message: ShortMessage) -> None:
        self.inbox.append(message)
        self.came += 1
        what = f"{len(message.data)} octets" if message.data else repr(message.text)
        self._agent.recorder.note(f"{what} came from {message.sender}")
        self.changes.notify()

    def _reply(self, request: Request, answer: Answer) -> Callable[[], None]:
        return lambda: self._agent.spawn(self._report(request, answer))

    async def _report(self, request: Request, answer: Answer) -> None:
        """RP-ACK or RP-ERROR, to the IP-SM-GW that sent the message (TS 24.341 §5.3.2.4)."""
        asserted = request.elements("P-Asserted-Identity")
        uri = asserted[0].partition("<")[2].partition(">")[0] if asserted else request.from_.uri_text
        name = f"{_name(answer)} {answer.reference}"
        body, call_id = rp.encode_from_phone(answer), self._agent.tokens.call_id()
        try:
            response = await self._ask(
                uri or asserted[0], SMS_TYPE, body, call_id, in_reply_to=request.call_id
            )
        except SmsError as error:
            self._agent.recorder.note(f"{name} did not arrive: {error}")
            return
        if response.status >= 300:
            self._agent.recorder.note(f"{name} was refused: {explain(response)}")


def _name(answer: Answer) -> str:
    return "RP-ACK" if isinstance(answer, rp.RpAck) else f"RP-ERROR ({cause_text(answer.cause)})"


def _nothing() -> None:
    """There is nothing to send."""
