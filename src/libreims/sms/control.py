"""Messages that the server itself sends, and what an operator does with those that wait: `sms` and
`sms_flush` of the remote API and of the monitor (manual §6.6, §8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.base.steps import Steps, finish
from libreims.base.tokens import Tokens
from libreims.config.store import ConfigStore
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.user_data import UserData
from libreims.sms.centre import SmsCentre
from libreims.sms.conversion import deliveries
from libreims.sms.errors import SmsRefused
from libreims.sms.over_ip import OverIp, disabled, serves
from libreims.sms.pending import Pending
from libreims.sms.sender import written
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase
from libreims.users.impu import candidates_of

VALIDITY: Final = 86400
"""Seconds, where `validity` is not given."""
DCS: Final = 4
"""8 bit data, where `dcs` is not given for octets."""
SENDER: Final = "LibreIMS"
"""Shown where `sender` is not given."""


class Octets(NamedTuple):
    """User data that is given as octets: `binary`, `binary_hex`."""

    data: bytes
    length: int | None = None
    """`tp_udl`."""
    has_header: bool = False
    """`tp_udhi_present`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of it so far."""

    impi: str
    parts: int
    """Short messages that it takes."""
    pending: int
    """Messages that wait for the user now, with these."""
    waits_for: str
    """Why it is not on its way; empty where it is."""


class SmsControl:
    """The door for commands."""

    def __init__(
        self,
        config: ConfigStore,
        users: SubscriberDatabase,
        bindings: Bindings,
        centre: SmsCentre,
        bearer: OverIp,
        tokens: Tokens,
        log: LayerLog,
    ) -> None:
        self._config = config
        self._users = users
        self._bindings = bindings
        self._centre = centre
        self._bearer = bearer
        self._tokens = tokens
        self._log = log

    def send(
        self,
        content: str | Octets,
        *,
        impi: str | None = None,
        impu: str | None = None,
        sender: str | None = None,
        validity: float | None = None,
        pid: int = 0,
        dcs: int | None = None,
        sos: bool = False,
    ) -> Sent:
        """Send a message to a user, given by its IMPI, else by an IMPU. Raises LibreImsError."""
        owner, key = self._receiver(impi, impu)
        centre = self._centre
        now = centre.utc()
        expires = centre.expires(VALIDITY if validity is None else validity)
        try:
            parts = self._parts(content, sender or SENDER, pid, dcs)
            messages = [
                Pending(centre.new_id(), owner, key, part, now, expires, dialled="", sos=sos)
                for part in parts
            ]
            for message in messages:
                message.tpdu.encode()  # what does not fit is the caller's mistake
            centre.accept(messages)
        except SmsRefused as refused:
            raise LibreImsError(f"sms: {refused.why}") from refused
        except ValueError as error:
            raise LibreImsError(f"sms: {error}") from error
        first = messages[0]
        waits_for = "" if self._bearer.phones(first) else self._bearer.absent(first)
        return Sent(owner, len(parts), centre.pending_of(owner), waits_for)

    def flush(self, impi: str) -> int:
        """Give up all messages for a user; returns how many there were. Raises LibreImsError."""
        return finish(self.flushing(impi))

    def flushing(self, impi: str) -> Steps[int]:
        """`flush` in steps; LibreImsError is raised before the first one."""
        if self._users.by_impi(impi) is None and not self._centre.pending_of(impi):
            raise LibreImsError(f"impi: {impi} is no user of ue_db")
        return self._centre.flushing(impi)

    def pending(self, impi: str) -> int:
        """How many messages wait for a user."""
        return self._centre.pending_of(impi)

    def _receiver(self, impi: str | None, impu: str | None) -> tuple[str, str]:
        """IMPI, and the IMPU that is meant (empty: any)."""
        if impi:
            subscriber = self._users.by_impi(impi)
            if subscriber is not None:
                return impi, ""
            if not impu:
                raise LibreImsError(f"impi: {impi} is no user of ue_db")
        if not impu:
            raise LibreImsError("sms: one of impi and impu is needed, none of them is given")
        found = [each for each in self._users.find(candidates_of(impu)) if each.subscriber is not None]
        if not found:
            raise LibreImsError(f"impu: {impu} belongs to no user of ue_db")
        able = list(filter(serves, found))
        if not able:
            raise LibreImsError(f"impu: {disabled(found[0])}")
        subscriber, entry = next((each for each in able if self._bindings.reachable((each,))), able[0])
        assert subscriber is not None
        return subscriber.impi, entry.key

    def _parts(self, content: str | Octets, sender: str, pid: int, dcs: int | None) -> list[Deliver]:
        originator, timestamp = written(sender), self._centre.now()
        if isinstance(content, str):
            reference = self._tokens.integer(0, 255)
            return deliveries(content, originator, timestamp, reference, pid=pid, dcs=dcs)
        length = len(content.data) if content.length is None else content.length
        data = UserData(length, content.data, content.has_header)
        return [Deliver(originator, timestamp, data, pid, DCS if dcs is None else dcs)]
