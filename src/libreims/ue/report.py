"""What a phone recorded, for people and for programs: ladder rows, one-line texts, JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from libreims.proto.sip.digest import MD5, Challenge, Credentials
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Message, Request, Response
from libreims.ue import negotiation, short_message
from libreims.ue.call import Call
from libreims.ue.ladder import Arrow, Remark, Row
from libreims.ue.phone import Phone
from libreims.ue.recorder import Entry, Note, SipRecord
from libreims.ue.short_message import ShortMessage

Json = dict[str, Any]


def label(message: Request | Response) -> str:
    """A message in a few words: method or status, what authentication it carries, what its SDP says."""
    if isinstance(message, Request):
        words = [message.method]
        if message.method == "MESSAGE" and message.content_type == short_message.SMS_TYPE:
            pass  # where it goes is the same for all; what it carries is what matters
        elif message.method in ("INVITE", "SUBSCRIBE", "MESSAGE") and message.to.tag is None:
            words.append(message.uri.partition(";")[0].partition("@")[0])
        elif message.method == "REGISTER" and message.expires == 0:
            words.append("expires=0")
        words.append(_credentials(message))
    else:
        words = [f"{message.status} {message.reason}"]
        if message.status >= 200:
            words.append(f"({message.cseq.method})")
        words.append(_challenge(message))
    if message.body:
        words.append(_body(message))
    return " ".join(word for word in words if word)


def _body(message: Message) -> str:
    kind = message.content_type
    if "sdp" in kind:
        return negotiation.summary(message.body)
    return short_message.summary(message.body) if kind == short_message.SMS_TYPE else ""


def _credentials(request: Request) -> str:
    text = request.get("Authorization") or request.get("Proxy-Authorization")
    if text is None:
        return ""
    try:
        credentials = Credentials.parse(text)
    except SipParseError:
        return ""
    if credentials.auts is not None:
        return "AUTS"
    if credentials.response:
        return "with response"
    return "with empty response" if credentials.nonce else ""


def _challenge(response: Response) -> str:
    text = response.get("WWW-Authenticate") or response.get("Proxy-Authenticate")
    if text is None:
        return ""
    try:
        return Challenge.parse(text).algorithm or MD5
    except SipParseError:
        return ""


def json_entry(entry: Entry, offset: float) -> Json:
    """An entry of a recording; `offset` makes UTC of the phone's clock."""
    time = round(entry.time + offset, 6)
    if isinstance(entry, Note):
        return {"type": "note", "time": time, "text": entry.text}
    message = entry.message()
    found: Json = {
        "type": "sip",
        "time": time,
        "sent": entry.sent,
        "transport": entry.flow.transport,
        "local": list(entry.flow.local),
        "remote": list(entry.flow.remote),
        "octets": len(entry.data),
        "label": "not SIP" if message is None else label(message),
        "protected": entry.protection or None,
    }
    if message is not None:
        found.update(_headers(message))
    return found


def _headers(message: Message) -> Json:
    fields: Json = {"call_id": message.call_id, "cseq": str(message.cseq)}
    if isinstance(message, Request):
        fields["method"] = message.method
    elif isinstance(message, Response):
        fields["status"] = message.status
    if message.body and "sdp" in message.content_type:
        fields["sdp"] = negotiation.summary(message.body)
    elif message.body and message.content_type == short_message.SMS_TYPE:
        fields["sms"] = short_message.summary(message.body)
    return fields


def json_call(call: Call) -> Json:
    """A call and its streams."""
    outcome = call.outcome
    return {
        "peer": call.peer,
        "incoming": call.incoming,
        "state": call.state.value,
        "established": call.established_at is not None,
        "ended_by": outcome.by if outcome else None,
        "end": outcome.text if outcome else None,
        "status": outcome.status if outcome else 0,
        "streams": {kind: asdict(counts) for kind, counts in call.counts.items()},
    }


def json_phone(phone: Phone) -> Json:
    """A phone as it is now."""
    registration = phone.registration
    return {
        "impi": phone.config.impi,
        "impu": phone.config.impu,
        "address": list(phone.address),
        "registered": phone.is_registered,
        "algorithm": registration.algorithm,
        "expires": registration.expires,
        "associated": list(registration.associated),
        "resynchronised": registration.resynchronised,
        "notified": phone.subscription.notified,
        "ipsec": json_security(phone),
        "calls": [json_call(call) for call in phone.calls],
        "sms_sent": [asdict(each) for each in phone.sms.sent],
        "sms_received": [json_sms(each) for each in phone.sms.inbox],
        "sms_reports": [short_message.status_text(each) for each in phone.sms.reports],
    }


def json_security(phone: Phone) -> Json | None:
    """What IPsec did for a phone; None for one that has none."""
    security, recorder = phone.agent.security, phone.recorder
    if security is None:
        return None
    return {
        "algorithms": security.pair,
        "agreements": security.agreements,
        "protected": recorder.protected,
        "clear": recorder.clear,
    }


def of_ipsec(phone: Phone, esp: Json) -> str:
    """What went through IPsec, in a sentence; `esp` has the counters of the tunnel."""
    recorder, security = phone.recorder, phone.agent.security
    made = security.agreements if security is not None else 0
    dropped = ", ".join(f"{number} {reason}" for reason, number in esp["dropped"].items())
    return (
        f"IPsec: {made} agreement{'' if made == 1 else 's'}, {recorder.protected} SIP messages inside, "
        f"{recorder.clear} outside; {esp['sent']} ESP packets sent, {esp['received']} received, "
        f"{f'dropped: {dropped}' if dropped else 'none dropped'}"
    )


def json_sms(message: ShortMessage) -> Json:
    """A short message that came; data in hexadecimal."""
    return {**asdict(message), "data": message.data.hex()}


def rows(entries: Iterable[Entry], phone: str, server: str, *, notes: bool = True) -> Iterator[Row]:
    """Ladder rows of a recording between these two columns; what is sent again says so."""
    seen: set[tuple[bool, bytes]] = set()
    for entry in entries:
        if isinstance(entry, Note):
            if notes:
                yield Remark(entry.time, phone, entry.text)
            continue
        yield _row(entry, phone, server, again=(entry.sent, entry.data) in seen)
        seen.add((entry.sent, entry.data))


def _row(record: SipRecord, phone: str, server: str, *, again: bool) -> Row:
    message = record.message()
    text = "not SIP" if message is None else label(message)
    source, target = (phone, server) if record.sent else (server, phone)
    text = f"{text} again" if again else text
    return Arrow(record.time, source, target, text, protected=bool(record.protection))


def heard(call: Call) -> str:
    """What came over the streams of a call, in a sentence."""
    parts = []
    for kind, counts in call.counts.items():
        text = f"{kind}: {counts.packets_sent} RTP packets said, {counts.packets} heard"
        details = [
            f"{number} {what}"
            for number, what in (
                (counts.lost, "lost"),
                (counts.out_of_order, "out of order"),
                (counts.doubled, "doubled"),
                (counts.own, "of our own voice"),
                (counts.strange, "strange"),
            )
            if number
        ]
        if counts.packets:
            details.append(f"jitter {1000 * counts.jitter:.1f} ms")
        parts.append(f"{text} ({', '.join(details)})" if details else text)
    return "; ".join(parts) or "no media"
