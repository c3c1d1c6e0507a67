"""Short messages as phones and centres send them, many and various, the same ones on every run."""

from __future__ import annotations

import random
from collections.abc import Iterator

from libreims.proto.sms import rp
from libreims.proto.sms.address import Address, NumberingPlan, TypeOfNumber
from libreims.proto.sms.coding import Alphabet, DataCoding
from libreims.proto.sms.command import Command, CommandType
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.failure import FailureCause, Status
from libreims.proto.sms.header import Concatenation, Header, Ports
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.rp import RpAck, RpData, RpError, RpMessage, RpSmma
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import FromPhone, ToPhone
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import AbsoluteValidity, EnhancedValidity, RelativeValidity, Validity

GSM_LETTERS = "abcXYZ 0189.,;:!?@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ\"#¤%&'()*+-/<=>¡ÄÖÑÜ§¿äöñüà€[]{}|~^\\"
UNICODE_LETTERS = "abc жук 漢字 العربية 😀🚀 ñ"


class Corpus:
    """Draws messages with a generator that always starts the same."""

    def __init__(self, seed: int = 23040) -> None:
        self.random = random.Random(seed)

    def flag(self) -> bool:
        return self.random.random() < 0.5

    def octet(self) -> int:
        return self.random.randrange(256)

    def number(self) -> Address:
        """A number of a type; an international one with a country code, which tshark looks up."""
        digits = "".join(self.random.choices("0123456789", k=self.random.randint(1, 18)))
        kind = self.random.choice((TypeOfNumber.UNKNOWN, TypeOfNumber.INTERNATIONAL, TypeOfNumber.NATIONAL))
        prefix = "33" if kind is TypeOfNumber.INTERNATIONAL else ""
        return Address(prefix + digits, kind, NumberingPlan.ISDN)

    def address(self) -> Address:
        if self.random.random() < 0.3:
            return Address.of_text("".join(self.random.choices("LibreIMS ab", k=self.random.randint(1, 11))))
        return self.number()

    def timestamp(self) -> Timestamp:
        return Timestamp.at(self.random.randrange(1_000_000_000, 3_000_000_000), self.random.randint(-48, 56))

    def validity(self) -> Validity | None:
        drawn = self.random.randrange(4)
        if drawn == 1:
            return RelativeValidity(self.octet())
        if drawn == 2:
            return AbsoluteValidity(self.timestamp())
        return EnhancedValidity.of_seconds(self.random.randint(1, 255), self.flag()) if drawn == 3 else None

    def header(self) -> Header | None:
        elements = []
        if self.random.random() < 0.4:
            total = self.random.randint(2, 255)
            wide = self.flag()
            reference = self.random.randrange(0x10000 if wide else 0x100)
            number = self.random.randint(1, total)
            elements.append(Concatenation(reference, total, number, wide).element())
        if self.random.random() < 0.2:
            elements.append(Ports(self.random.randrange(0x10000), self.random.randrange(0x10000)).element())
        return Header(tuple(elements)) if elements else None

    def coded(self) -> tuple[int, UserData]:
        """A data coding scheme and user data; texts of all lengths, those that end on an octet too."""
        alphabet = self.random.choice(list(Alphabet))
        dcs = DataCoding(alphabet, self.random.choice((None, 0, 1, 2, 3))).octet
        header = self.header()
        if alphabet is Alphabet.OCTETS:
            return dcs, UserData.of_octets(self.random.randbytes(self.random.randint(1, 120)), header)
        letters, most = (GSM_LETTERS, 66) if alphabet is Alphabet.GSM7 else (UNICODE_LETTERS, 30)
        text = "".join(self.random.choices(letters, k=self.random.randint(1, most)))
        return dcs, UserData.of_text(text, alphabet, header)

    def submit(self) -> Submit:
        dcs, user_data = self.coded()
        flags = (self.flag(), self.flag(), self.flag())
        return Submit(self.octet(), self.address(), user_data, self.octet(), dcs, self.validity(), *flags)

    def deliver(self) -> Deliver:
        dcs, user_data = self.coded()
        flags = (self.flag(), self.flag(), self.flag(), self.flag())
        return Deliver(self.address(), self.timestamp(), user_data, self.octet(), dcs, *flags)

    def command(self) -> Command:
        kind = self.random.choice(list(CommandType))
        data = self.random.randbytes(self.random.randint(0, 20))
        return Command(
            *(self.octet(), kind, self.octet(), self.address()),
            data=data,
            status_report_request=self.flag(),
        )

    def status_report(self) -> StatusReport:
        fields = (self.octet(), self.number(), self.timestamp(), self.timestamp())
        return StatusReport(*fields, self.random.choice(list(Status)), self.flag(), self.flag(), self.flag())

    def deliver_report(self, in_error: bool) -> DeliverReport:
        cause = self.random.choice(list(FailureCause)) if in_error else None
        if self.flag():
            return DeliverReport(cause)
        return DeliverReport(cause, self.octet(), *self.coded())

    def submit_report(self, in_error: bool) -> SubmitReport:
        cause = self.random.choice(list(FailureCause)) if in_error else None
        if self.flag():
            return SubmitReport(self.timestamp(), cause)
        return SubmitReport(self.timestamp(), cause, self.octet(), *self.coded())

    def from_phone(self) -> tuple[RpMessage, FromPhone | None]:
        drawn = self.random.randrange(6)
        if drawn == 0:
            return RpSmma(self.octet()), None
        if drawn == 1:
            report = self.deliver_report(in_error=False)
            return RpAck(self.octet(), report.encode()), report
        if drawn == 2:
            report = self.deliver_report(in_error=True)
            return RpError(self.octet(), self._cause(), user_data=report.encode()), report
        content = self.command() if drawn == 3 else self.submit()
        return RpData(self.octet(), self.number(), content.encode()), content

    def to_phone(self) -> tuple[RpMessage, ToPhone | None]:
        drawn = self.random.randrange(6)
        if drawn == 0:
            return RpAck(self.octet()), None
        if drawn == 1:
            report = self.submit_report(in_error=False)
            return RpAck(self.octet(), report.encode()), report
        if drawn == 2:
            report = self.submit_report(in_error=True)
            return RpError(self.octet(), self._cause(), user_data=report.encode()), report
        content = self.status_report() if drawn == 3 else self.deliver()
        return RpData(self.octet(), self.number(), content.encode()), content

    def _cause(self) -> int:
        return self.random.choice(list(RpCause))

    def messages(self, count: int) -> Iterator[tuple[bytes, RpMessage, FromPhone | ToPhone | None]]:
        """Octets of an RP message, the message, and the TPDU in it; of both directions in turns."""
        for _ in range(count // 2):
            message, content = self.from_phone()
            yield rp.encode_from_phone(message), message, content
            answer, answered = self.to_phone()
            yield rp.encode_to_phone(answer), answer, answered
