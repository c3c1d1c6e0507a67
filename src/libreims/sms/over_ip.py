"""SMS over IP to phones (TS 24.341 §5.3.3, Annex B.5 and B.6): RP messages in SIP MESSAGE.

A phone that registered with `+g.3gpp.smsip` gets RP-DATA and answers with a MESSAGE of its own that brings
RP-ACK or RP-ERROR; its In-Reply-To is the Call-ID of ours, which has the identifier of the short message in
it, so that an RP-ACK finds it after a restart too.  Other phones get the text as `text/plain`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from libreims.base.log import LayerLog
from libreims.config.store import ConfigStore
from libreims.cscf.reach import hidden_by_nat
from libreims.proto.sip.uri import Uri
from libreims.proto.sms.address import Address, centre_address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.rp import RpData, RpMessage, encode_to_phone
from libreims.sms.messages import Letter, Messages, Place, Reply, Sent
from libreims.sms.parts import whole_text
from libreims.sms.pending import Pending
from libreims.sms.port import Delivered, Outcome, Outcomes, Phone, Taken, Unreached
from libreims.sms.receiver import receivers
from libreims.sms.sender import from_of
from libreims.users.bindings import Binding, Bindings
from libreims.users.database import Found, SubscriberDatabase
from libreims.users.identity import called_address, called_party
from libreims.users.profile import domain_of
from libreims.users.subscriber import ImpuEntry, Subscriber

SMS_TYPE: Final = "application/vnd.3gpp.sms"
TEXT_TYPE: Final = "text/plain;charset=UTF-8"
CENTRE: Final = "ipsmgw"
"""User part of the SIP URI of the IP-SM-GW, to which phones send their RP-ACK."""
NO_CENTRE: Final = Address("0")
"""RP-Originator Address where `sms_centre_address` is not set: the element is mandatory."""
CAPABLE: Final = (
    ("Request-Disposition", "no-fork"),
    ("Accept-Contact", "*;+g.3gpp.smsip;require;explicit"),
)
"""TS 24.341 §5.3.3.4.2: to one contact, and only to one that does SMS over IP (RFC 3841)."""
UNFIT: Final = frozenset({405, 406, 415, 416, 420, 488, 501, 505})
"""Answers to text after which a phone is not asked again until it registers anew: it knows no messages."""
DECLINED: Final = frozenset({400, 403, 405, 406, 413, 415, 416, 420, 488, 493, 501, 505, 513, 603, 606})
"""Answers of a phone that is there."""
REFERENCES: Final = 4096
"""Attempts that are found by RP-Message Reference, for phones without In-Reply-To."""
_is_id = re.compile(r"[0-9a-f]{16}").fullmatch
"""What `SmsCentre.new_id` gives."""


class Attempt(NamedTuple):
    """A short message on its way to a phone; as text the Call-ID of its MESSAGE."""

    id: str
    attempt: str

    def __str__(self) -> str:
        return f"{self.id}-{self.attempt}"

    @classmethod
    def of(cls, call_id: str) -> Attempt | None:
        """From a Call-ID; None for one that is not ours."""
        id, _, attempt = call_id.strip().partition("-")
        return cls(id, attempt) if attempt and _is_id(id) else None


class OverIp:
    """The bearer `SmsBearer` over SIP, and the answers to submissions."""

    def __init__(
        self,
        messages: Messages,
        config: ConfigStore,
        users: SubscriberDatabase,
        bindings: Bindings,
        log: LayerLog,
    ) -> None:
        self.outcomes: Outcomes
        """Set once the centre, which needs a bearer first, is there."""
        self._messages = messages
        self._config = config
        self._users = users
        self._bindings = bindings
        self._log = log
        self._reference = 0
        self._sent: OrderedDict[tuple[str, int], Attempt] = OrderedDict()
        self._under_way: dict[Attempt, Sent] = {}
        """What has no SIP answer yet."""
        self._speakers: dict[int, float] = {}
        """Phones that sent RP messages without having said that they do SMS over IP: when they registered."""

    # -- who can be reached (`port.SmsBearer`) -----------------------------------------------------------

    def phones(self, pending: Pending) -> list[Phone]:
        """By q, then those that do SMS over IP, then the newest (TS 24.341 §5.3.3.4.2, RFC 3841 §7.2)."""
        found = [each for each in receivers(self._users, pending) if serves(each)]
        reachable = self._bindings.reachable(found, emergency=pending.sos)
        if len(reachable) > 1:
            reachable.sort(key=lambda binding: (-binding.q, not self.speaks(binding)))
        return [
            Phone(each.number, f"{each.impi} at {each.contact}", not self.speaks(each), each.registered_at)
            for each in reachable
        ]

    def speaks(self, binding: Binding) -> bool:
        """Whether a phone does SMS over IP: it said so when it registered, or it has done so."""
        return binding.features.sms or self._speakers.get(binding.number) == binding.registered_at

    def spoke(self, binding: Binding) -> None:
        """A phone has sent an RP message."""
        if self.speaks(binding):
            return
        known = self._bindings.by_number
        if len(self._speakers) > len(self._bindings):
            self._speakers = {each: when for each, when in self._speakers.items() if known(each) is not None}
        self._speakers[binding.number] = binding.registered_at
        self._log.info(
            f"{binding.impi} at {binding.contact} sends SMS over IP without +g.3gpp.smsip in its "
            "registration: it gets them so as well"
        )

    def absent(self, pending: Pending) -> str:
        """See `SmsBearer`."""
        found = receivers(self._users, pending)
        if not found:
            return f"{pending.impu or pending.impi} is no IMPU of a user any more"
        if not any(map(serves, found)):
            return disabled(found[0])
        which = "for emergency calls (sos)" if pending.sos else "now"
        return f"no phone of {pending.impi} is registered {which}"

    # -- to a phone ----------------------------------------------------------------------------------------

    def deliver(self, messages: Sequence[Pending], phone: Phone, attempt: str, *, more: bool) -> None:
        """See `SmsBearer`."""
        pending = messages[0]
        binding = self._bindings.by_number(phone.key)
        owner = self._owner(binding, pending) if binding is not None else None
        if binding is None or owner is None:
            self._report(Attempt(pending.id, attempt), Unreached("is not registered any more"))
            return
        this = Attempt(pending.id, attempt)
        try:
            if phone.text_only:
                letter = self._text(messages, *owner)
                answered = partial(self._text_answered, this)
            else:
                letter = self._short_message(pending, this, more, binding, *owner)
                answered = partial(self._answered, this)
            place = place_of(binding)
        except ValueError as error:  # SipParseError is one
            # One message that cannot be written must not hold up those behind it for ever.
            self._log.error(
                f"SMS {pending.id} for {pending.impi} cannot be written for {phone.name}: {error}"
            )
            self._report(this, Unreached("cannot be written to"))
            return
        sent = self._messages.send(place, letter, answered, str(this))
        if sent.waits:
            self._under_way[this] = sent

    def withdraw(self, id: str, attempt: str) -> None:
        """See `SmsBearer`."""
        sent = self._under_way.pop(Attempt(id, attempt), None)
        if sent is not None:
            sent.withdraw()

    def _owner(self, binding: Binding, pending: Pending) -> tuple[Subscriber, ImpuEntry] | None:
        for subscriber, entry in receivers(self._users, pending):
            if subscriber is not None and subscriber.impi == binding.impi and entry.applies_to(binding.imei):
                return subscriber, entry
        return None

    def _short_message(
        self,
        pending: Pending,
        this: Attempt,
        more: bool,
        binding: Binding,
        subscriber: Subscriber,
        entry: ImpuEntry,
    ) -> Letter:
        self._reference = reference = (self._reference + 1) & 0xFF
        self._sent[binding.impi, reference] = this
        self._sent.move_to_end((binding.impi, reference))
        if len(self._sent) > REFERENCES:
            self._sent.popitem(last=False)
        tpdu = replace(pending.tpdu, more_messages=True) if more else pending.tpdu
        return self._rp_letter(
            RpData(reference, self.centre, tpdu.encode()), subscriber, entry, dialled=pending.dialled
        )

    def _rp_letter(
        self,
        message: RpMessage,
        subscriber: Subscriber,
        entry: ImpuEntry,
        *,
        dialled: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Letter:
        settings = self._config.current
        centre = f"<sip:{CENTRE}@{domain_of(settings, subscriber.settings, entry.settings)}>"
        named = Uri.parse(dialled) if dialled else None
        return Letter(
            centre,
            called_address(settings, subscriber, entry, named)[0],
            SMS_TYPE,
            encode_to_phone(message),
            (
                ("P-Asserted-Identity", centre),
                *CAPABLE,
                *headers,
                *called_party(settings, subscriber, entry, named),
            ),
        )

    def _text(self, messages: Sequence[Pending], subscriber: Subscriber, entry: ImpuEntry) -> Letter:
        settings, pending = self._config.current, messages[0]
        tpdu = pending.tpdu
        named = Uri.parse(pending.dialled) if pending.dialled else None
        domain = domain_of(settings, subscriber.settings, entry.settings)
        from_ = pending.from_
        if not from_ and isinstance(tpdu, Deliver):
            from_ = from_of(tpdu.originator, domain)
        return Letter(
            from_,
            called_address(settings, subscriber, entry, named)[0],
            TEXT_TYPE,
            whole_text(messages).encode(),
            called_party(settings, subscriber, entry, named),
        )

    def _answered(self, this: Attempt, reply: Reply) -> None:
        self._report(this, Taken() if reply.good else _unreached(reply))

    def _text_answered(self, this: Attempt, reply: Reply) -> None:
        self._report(this, Delivered() if reply.good else _unreached(reply, unfit=reply.status in UNFIT))

    def _report(self, this: Attempt, outcome: Taken | Delivered | Unreached) -> None:
        self._under_way.pop(this, None)
        self.outcomes.go_on(self.outcomes.outcome(this.id, outcome, attempt=this.attempt))

    # -- from a phone --------------------------------------------------------------------------------------

    def reported(self, impi: str, in_reply_to: str | None, reference: int, outcome: Outcome) -> str:
        """RP-ACK or RP-ERROR of a phone; returns whose message it is about, empty where it is about none.

        The message is found by In-Reply-To, or by the RP-Message Reference where that names none of ours: of
        the 256 references one that is told again, late, may be another message's by then.
        """
        this = Attempt.of(in_reply_to or "") or self._sent.get((impi, reference))
        if this is None:
            return ""
        return self.outcomes.outcome(this.id, outcome, attempt=this.attempt, impi=impi)

    def answer_submission(
        self,
        message: RpMessage,
        binding: Binding,
        subscriber: Subscriber,
        entry: ImpuEntry,
        call_id: str,
    ) -> None:
        """Send RP-ACK or RP-ERROR for an RP-DATA that came with this Call-ID (TS 24.341 §5.3.3.4.3)."""
        letter = self._rp_letter(message, subscriber, entry, headers=(("In-Reply-To", call_id),))
        self._messages.send(place_of(binding), letter, partial(self._submission_answered, binding.impi))

    def _submission_answered(self, impi: str, reply: Reply) -> None:
        if not reply.good:
            self._log.warn(
                f"{impi} {reply.why} to the report of its SMS submission: it may believe that the message "
                "was lost"
            )

    @property
    def centre(self) -> Address:
        """The address of the SMS centre in RP."""
        configured = self._config.current.sms_centre_address
        if configured is None or not configured.number:
            return NO_CENTRE
        return centre_address(configured.number, configured.type_of_number, configured.numbering_plan)


def serves(found: Found) -> bool:
    """Whether an IMPU gets its messages over IP."""
    subscriber, entry = found
    return subscriber is not None and entry.settings.sms and not subscriber.settings.force_sms_over_sg


def disabled(found: Found) -> str:
    """Why an IMPU does not get its messages over IP: a part of a sentence."""
    subscriber, entry = found
    assert subscriber is not None
    if not entry.settings.sms:
        return f"{entry.key} of {subscriber.impi} has sms: false, and SMS over SGs is not there yet"
    return (
        f"{subscriber.impi} has force_sms_over_sg: true, and SMS over SGs is not there yet: unset it to have "
        "its SMS sent over IMS"
    )


def _unreached(reply: Reply, *, unfit: bool = False) -> Unreached:
    return Unreached(reply.why, unfit, reply.retry_after, reply.status in DECLINED)


def place_of(binding: Binding) -> Place:
    """Where requests to a registered phone go."""
    return Place(
        binding.contact,
        binding.flow,
        binding.path,
        # What is protected goes where its security associations lead, `UserAgent.flow_to` knows.
        direct=not binding.path and not binding.protected and hidden_by_nat(binding.contact, binding.flow),
    )
