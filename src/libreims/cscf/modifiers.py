"""Callflow modifiers (manual §5.2.1, §7): which of them a message triggers, and what that comes to.

Pure: nothing is sent here.  The settings are immutable; how often a modifier may still be applied
(`tts`, `ttl`) is counted in a `LiveModifier` that lives as long as its configuration stays the same.
`cscf.deviations` carries out what `decide` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from libreims.config.schema_common import METHODS, CallflowModifier
from libreims.proto.sip.altered import Edit, Edits
from libreims.proto.sip.message import Message, Request, Response
from libreims.users.impu import candidates_of, imei_key
from libreims.users.subscriber import ImpuEntry

RX = "rx"
TX = "tx"

IGNORE = -1
"""`code`: the received message is ignored, the dialog goes on."""
IGNORE_AND_STOP = -2
"""`code`: the received message is ignored, and the dialog that it belongs to ends."""

_RESPONSES = {100: "INVITE.TRYING", 180: "INVITE.RINGING", 183: "INVITE.SESSION_PROGRESS"}
_RADIO = {"lte": "3GPP-E-UTRA", "nr": "3GPP-NR", "n3gpp": "IEEE"}
"""Beginnings of the access types of P-Access-Network-Info (RFC 7315 §5.4, TS 24.229 §7.2A.4)."""


def steps(message: Message) -> tuple[str, ...]:
    """The names that `method` has for a message; empty for those that no modifier is for."""
    if isinstance(message, Request):
        method = message.method
        if method == "INVITE" and message.to.tag is not None:
            return ("INVITE", "REINVITE")
        if method == "REGISTER" and is_emergency(message):
            return ("REGISTER", "REGISTER.SOS")
        return (method,) if method in METHODS else ()
    assert isinstance(message, Response)
    if message.cseq.method != "INVITE":
        return ()
    if 200 <= message.status < 300:
        return ("INVITE.OK",)
    name = _RESPONSES.get(message.status)
    return (name,) if name else ()


def is_emergency(register: Request) -> bool:
    """Whether a REGISTER is for emergency calls: `sos` in its contact (TS 24.229 §5.1.6.2)."""
    return any("sos" in contact.uri.params for contact in register.contacts)


def on_access(radios: Iterable[str], access: str) -> bool:
    """Whether P-Access-Network-Info (elements, any case) names one of `lte`, `nr`, `n3gpp`."""
    elements = [element.strip().upper() for element in access.split(",")]
    return any(element.startswith(_RADIO[radio]) for radio in radios for element in elements)


class LiveModifier:
    """A modifier with its counters."""

    __slots__ = ("_impus", "label", "settings", "ttl", "tts")

    def __init__(self, settings: CallflowModifier, number: int) -> None:
        self.settings = settings
        self.tts = settings.tts
        """Messages that are still passed over."""
        self.ttl = settings.ttl
        """Messages that it still applies to; None: no limit, 0: it is gone."""
        log = settings.log
        self.label = "" if log is False else log if isinstance(log, str) else f"cfm#{number}"
        self._impus = frozenset(candidates_of(settings.impu)) if settings.impu else frozenset()

    def fits(self, context: CallflowContext, names: tuple[str, ...], direction: str) -> bool:
        """Whether everything that it asks for is so."""
        settings = self.settings
        if self.ttl == 0 or settings.dir not in ("both", direction):
            return False
        if settings.method is not None and settings.method not in names:
            return False
        if direction == RX and settings.skip:
            return False  # only what is sent can be left out
        if direction == TX and settings.code is not None and settings.code < 0:
            return False  # only what comes in can be ignored
        if self._impus and self._impus.isdisjoint(context.impus):
            return False
        if settings.imei and not (context.imei and imei_key(settings.imei) == context.imei):
            return False
        return not settings.access_network or on_access(settings.access_network, context.access)

    def take(self) -> bool:
        """Count a message that it fits: False while `tts` passes them over."""
        if self.tts > 0:
            self.tts -= 1
            return False
        if self.ttl is not None:
            self.ttl -= 1
        return True


class ModifierStates:
    """The counters of all modifiers, by IMPU; new configuration begins with new counters."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, str, str], tuple[object, tuple[LiveModifier, ...]]] = {}

    def of(self, impi: str, entry: ImpuEntry) -> tuple[LiveModifier, ...]:
        """The modifiers of an IMPU of a user, or of an echo number (`impi` empty)."""
        configured = entry.settings.callflow_modifier
        key = (impi, entry.key, entry.imei)
        if not configured:
            self._live.pop(key, None)
            return ()
        known = self._live.get(key)
        if known is None or known[0] is not configured:
            live = tuple(LiveModifier(each, number) for number, each in enumerate(configured))
            known = self._live[key] = (configured, live)
        return known[1]

    def forget(self, impi: str, left: Iterable[ImpuEntry]) -> None:
        """Drop the counters of IMPUs that a user (or the echo list) has no longer."""
        kept = {(impi, entry.key, entry.imei) for entry in left}
        for key in [key for key in self._live if key[0] == impi and key not in kept]:
            del self._live[key]


class DialogOwner(Protocol):
    """What a modifier can do with the call that its dialog belongs to."""

    def stop_call(self, text: str) -> None:
        """End the call on both sides."""

    def forget_dialog(self, text: str) -> None:
        """End the call; for this phone there is no dialog, so nothing is sent to it."""

    def change_refused(self) -> None:
        """Our 2xx to a re-INVITE never reached the phone, which got a refusal."""

    def delay_media(self, seconds: float) -> None:
        """Hold packets to the phone up for so long."""


class CallflowContext:
    """The modifiers in force for the messages with one phone in one dialog (or one transaction)."""

    __slots__ = ("access", "acknowledged", "imei", "impus", "media_delay", "modifiers", "owner", "promised")

    def __init__(
        self, modifiers: tuple[LiveModifier, ...], impus: frozenset[str], imei: str, access: str = ""
    ) -> None:
        self.modifiers = modifiers
        self.impus = impus
        """Of the counterpart, the phone at the other end of this dialog, in normal form."""
        self.imei = imei
        """Of the counterpart: 14 digits, empty when unknown."""
        self.access = access
        """Its latest P-Access-Network-Info."""
        self.owner: DialogOwner | None = None
        """None outside calls, and before the call is there."""
        self.media_delay: float | None = None
        """Asked for before there was an owner."""
        self.acknowledged: tuple[object, Deviation | None] | None = None
        """The latest ACK and what became of it, for its retransmissions."""
        self.promised: dict[object, Deviation] = {}
        """Changes of the final response to a received request, by transaction."""

    def hear(self, message: Message) -> None:
        """Note what a received message says about the phone."""
        values = message.get_all("P-Access-Network-Info")
        if values:
            self.access = ",".join(values)


@dataclass(frozen=True, slots=True)
class Content:
    """A body to put into a message, or to take out of it."""

    content_type: str
    """Empty: whatever there is (removal only)."""
    file: str | None
    """None: removal."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """What becomes of one message: all modifiers that it triggered, together."""

    labels: tuple[str, ...]
    code: int | None
    edits: Edits
    contents: tuple[Content, ...]
    skip: bool
    stop: bool
    """End the dialog."""
    goes_on: bool
    """The normal call flow goes on."""
    delay: float
    retries: int
    retry_delay: float
    media_delay: float | None


def decide(context: CallflowContext, message: Message, direction: str) -> Deviation | None:
    """Let a message trigger the modifiers in force, counting it; None when nothing changes.

    They add up, in the order of the configuration, until one ends the normal call flow.
    """
    names = steps(message)
    if not names:
        return None
    applied = list(_triggered(context, names, direction))
    return _together(applied) if applied else None


def _triggered(context: CallflowContext, names: tuple[str, ...], direction: str) -> Iterator[LiveModifier]:
    for modifier in context.modifiers:
        if modifier.fits(context, names, direction) and modifier.take():
            yield modifier
            if _ends_flow(modifier.settings):
                return


def _ends_flow(settings: CallflowModifier) -> bool:
    return settings.skip or (not settings.transparent and (settings.stop or settings.code is not None))


def _together(applied: list[LiveModifier]) -> Deviation:
    each = [modifier.settings for modifier in applied]
    last = each[-1]
    delay = sum(one.send_delay for one in each)
    own_delays = [one.send_retry_delay for one in each if one.send_retry_delay is not None]
    return Deviation(
        labels=tuple(modifier.label for modifier in applied if modifier.label),
        code=next((one.code for one in reversed(each) if one.code is not None), None),
        edits=tuple(
            Edit(header.name, header.value, header.replace) for one in each for header in one.custom_headers
        ),
        contents=tuple(
            Content(one.content_type or "", one.content or None)
            for one in each
            if one.content != "" or one.content_type
        ),
        skip=last.skip,
        stop=last.stop and not last.transparent,
        goes_on=not _ends_flow(last),
        delay=delay,
        retries=sum(one.send_retry for one in each),
        retry_delay=own_delays[-1] if own_delays else delay,
        media_delay=next((one.media_delay for one in each if one.media_delay is not None), None),
    )


def impus_of(*uris: str) -> frozenset[str]:
    """Normal forms of a counterpart's identities, from their URIs or keys."""
    return frozenset(key for uri in uris for key in candidates_of(uri)[:1])


def imei_of_contact(request: Request) -> str:
    """The IMEI that a REGISTER names in its contact (`+sip.instance`); empty without one."""
    for contact in request.contacts:
        imei = imei_key(contact.params.get("+sip.instance") or "")
        if imei:
            return imei
    return ""
