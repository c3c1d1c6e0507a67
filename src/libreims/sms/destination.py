"""Where a message goes: to a user, to the trunk, or nowhere, and then why."""

from __future__ import annotations

from typing import NamedTuple

from libreims.base.errors import Reject
from libreims.proto.sip.message import Request
from libreims.proto.sip.uri import Uri
from libreims.proto.sms.address import Address
from libreims.proto.sms.failure import FailureCause
from libreims.proto.sms.rp_cause import RpCause
from libreims.sms.errors import SmsRefused
from libreims.sms.over_ip import disabled, serves
from libreims.sms.parties import Sender, Trunk
from libreims.users.bindings import Bindings
from libreims.users.database import Found, SubscriberDatabase
from libreims.users.subscriber import ImpuEntry, Subscriber


class Receiver(NamedTuple):
    """A user who gets the message."""

    subscriber: Subscriber
    entry: ImpuEntry


class Destinations:
    """Looks up receivers."""

    def __init__(self, users: SubscriberDatabase, bindings: Bindings, trunk: Trunk) -> None:
        self._users = users
        self._bindings = bindings
        self._trunk = trunk

    def of(self, uri: Uri, sender: Sender) -> Receiver | Request:
        """The receiver of a message to a URI, or a request with that URI for the trunk.

        Raises SmsRefused.
        """
        found = self._users.by_impu(uri)
        if not found:
            return self._elsewhere(uri, sender)
        users = [each for each in found if each.subscriber is not None]
        if not users:
            raise SmsRefused(
                RpCause.FACILITY_REJECTED,
                f"message of {sender.phone} to {uri} refused: it is an echo number, which takes calls only",
                failure=FailureCause.INVALID_SME_ADDRESS,
                status=403,
            )
        able = list(filter(serves, users))
        if not able:
            raise SmsRefused(
                RpCause.FACILITY_REJECTED,
                f"message of {sender.phone} to {uri} refused: {disabled(users[0])}",
                failure=FailureCause.DESTINATION_SME_BARRED,
                status=403,
            )
        subscriber, entry = next(filter(self._registered, able), able[0])
        assert subscriber is not None
        return Receiver(subscriber, entry)

    def _registered(self, found: Found) -> bool:
        return bool(self._bindings.reachable((found,)))

    def _elsewhere(self, uri: Uri, sender: Sender) -> Request:
        request = Request("MESSAGE", str(uri), {})
        if sender.subscriber is not None:
            try:
                if self._trunk.takes(request, sender):
                    return request
            except Reject as reject:
                barred = reject.status == 433
                raise SmsRefused(
                    RpCause.CALL_BARRED if barred else RpCause.NETWORK_OUT_OF_ORDER,
                    reject.why,
                    failure=FailureCause.DESTINATION_SME_BARRED if barred else None,
                    status=reject.status,
                ) from reject
        raise SmsRefused(
            RpCause.UNASSIGNED_NUMBER,
            f"message of {sender.phone} to {uri} refused: nobody has this number; add it as impu of a user "
            f"in ue_db{self._trunk.hint(request, sender)}",
            failure=FailureCause.INVALID_SME_ADDRESS,
            status=404,
        )


def uri_of(address: Address, domain: str) -> Uri:
    """The URI by which a short message names its receiver, a name in `domain`. Raises SmsRefused."""
    if address.is_number and address.digits:
        return Uri.tel(address.number)
    if address.digits:
        return Uri.sip(address.digits, domain)
    raise SmsRefused(
        RpCause.INVALID_MANDATORY_INFORMATION,
        "SMS refused: its TP-Destination-Address is empty",
        failure=FailureCause.INVALID_SME_ADDRESS,
    )
